/* Peers that keep to TLS and still want nothing good, or end it in ways that must be told apart: key changes,
 * renegotiation, empty records, ends. What they say is made with OpenSSL's own functions. */
#include "protocol/tls/fixture.h"

static void begin(int version) {
    start();
    open_both();
    speak(version);
    SSL_clear_options(ssl_of(&client), SSL_OP_NO_RENEGOTIATION);
    shake(65536);
    both_are_ready();
}

/* -- keys that change -- */

static void keys_may_change_under_way(void **state) {
    (void)state;
    begin(TLS1_3_VERSION);
    for (int i = 0; i < 100; i++) { /* with data between them there is no bound */
        assert_int_equal(SSL_key_update(ssl_of(i % 2 ? &client : &server), SSL_KEY_UPDATE_REQUESTED), 1);
        say(&client, "a", 1);
        say(&server, "b", 1);
        shake(i % 3 ? 65536 : 1);
        both_are_ready();
    }
    assert_int_equal(server.got_size, 100);
    assert_int_equal(client.got_size, 100);
    stop();
}

static void who_only_changes_keys_is_closed(void **state) {
    (void)state;
    begin(TLS1_3_VERSION);
    unsigned count = 0;
    while (server.sink.status == STATUS_OK && count < 1000) {
        assert_int_equal(SSL_key_update(ssl_of(&client), SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(ssl_of(&client)), 1);
        carry(&client, &server, 65536);
        count++;
    }
    assert_int_equal(server.sink.status, STATUS_PROTOCOL_ERROR);
    assert_string_equal(server.sink.words, "the peer only ever changes keys");
    assert_int_equal(count, TLS_CHATTER_MAX + 1);
    stop();
}

/* Each asks us to change ours as well: what we say is bounded too. */
static void who_makes_us_change_keys_without_end_is_closed(void **state) {
    (void)state;
    begin(TLS1_3_VERSION);
    unsigned count = 0;
    while (server.sink.status == STATUS_OK && count < 1000) {
        assert_int_equal(SSL_key_update(ssl_of(&client), SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(ssl_of(&client)), 1);
        carry(&client, &server, 65536);
        count++;
    }
    assert_int_equal(server.sink.status, STATUS_PROTOCOL_ERROR);
    assert_true(chain_unsent(&server.wire) < 65536);
    stop();
}

static void renegotiation_is_refused(void **state) {
    (void)state;
    begin(TLS1_2_VERSION);
    uint64_t full = tls_worker_counts(server.tls).full;
    assert_int_equal(SSL_renegotiate(ssl_of(&client)), 1);
    SSL_do_handshake(ssl_of(&client));
    assert_true(chain_unsent(&client.wire) > 0);
    shake(65536);
    assert_int_equal(tls_worker_counts(server.tls).full, full);
    assert_int_not_equal(client.sink.status, STATUS_OK); /* it was told no */
    assert_true(chain_unsent(&server.wire) < 4096);
    stop();
}

/* -- records without anything in them -- */

static void records_with_nothing_in_them_are_counted(void **state) {
    static const struct {
        const char *what, *bytes;
        size_t size;
        bool after_hello;
    } cases[] = {
        {"change_cipher_spec", "\x14\3\3\0\1\1", 6, true},
        {"empty handshake records, first", "\x16\3\1\0\0", 5, false},
        {"empty handshake records, later", "\x16\3\3\0\0", 5, true},
        {"warnings", "\x15\3\1\0\2\1\0", 7, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned count = 0;
        start();
        open_both();
        if (cases[i].after_hello)
            carry(&client, &server, 65536);
        while (server.sink.status == STATUS_OK && count++ < 1000)
            feed(&server, slice_make(cases[i].bytes, cases[i].size));
        if (server.sink.status != STATUS_HANDSHAKE_FAILED || count > 40)
            fail_msg("%s: %s after %u", cases[i].what, status_reason(server.sink.status), count);
        stop();
    }
}

static void a_record_longer_than_may_be_is_refused(void **state) {
    static const uint8_t record[] = {23, 3, 3, 0x48, 0x01}; /* 2^14 + 2048 + 1 */
    (void)state;
    for (int version = 0; version < 2; version++) {
        begin(version ? TLS1_3_VERSION : TLS1_2_VERSION);
        feed(&server, slice_make(record, sizeof record));
        assert_int_equal(server.sink.status, STATUS_PROTOCOL_ERROR);
        stop();
    }
}

static void a_hello_larger_than_may_be_is_refused(void **state) {
    /* A ClientHello that says to be of 2^24 - 1 bytes, and goes on and on. */
    static uint8_t record[5 + 16384] = {22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff};
    (void)state;
    start();
    open_side(&server);
    unsigned count = 0;
    while (server.sink.status == STATUS_OK && count < 100) {
        feed(&server, slice_make(record, sizeof record));
        count++;
    }
    assert_int_equal(server.sink.status, STATUS_HANDSHAKE_FAILED);
    assert_true(count <= 20);
    stop();
}

/* -- ends -- */

static void an_end_is_one_only_when_it_is_said(void **state) {
    (void)state;
    for (int version = 0; version < 2; version++) {
        begin(version ? TLS1_3_VERSION : TLS1_2_VERSION);
        say(&client, "all of it", 9);
        filter_tls.shut(client.state, now);
        shake(1);
        assert_true(server.sink.ended);
        assert_int_equal(server.got_size, 9);
        assert_int_equal(server.sink.status, STATUS_OK);
        stop();
    }
}

/* Of TLS 1.3 (RFC 8446 section 6.1) an end is of one direction alone; we let 1.2 end so too. */
static void who_has_ended_may_still_be_answered(void **state) {
    (void)state;
    for (int version = 0; version < 2; version++) {
        begin(version ? TLS1_3_VERSION : TLS1_2_VERSION);
        filter_tls.shut(client.state, now);
        shake(65536);
        assert_true(server.sink.ended);
        say(&server, "the answer", 10);
        shake(65536);
        assert_int_equal(client.got_size, 10);
        filter_tls.shut(server.state, now);
        shake(65536);
        assert_true(client.sink.ended);
        stop();
    }
}

static void nothing_counts_after_an_end(void **state) {
    (void)state;
    begin(TLS1_3_VERSION);
    filter_tls.shut(client.state, now);
    shake(65536);
    feed(&server, SLICE_OF("anything at all"));
    assert_int_equal(server.sink.status, STATUS_OK);
    assert_int_equal(server.got_size, 0);
    stop();
}

static void a_fatal_alert_is_no_end(void **state) {
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};
    (void)state;
    start();
    open_side(&server);
    feed(&server, slice_make(alert, sizeof alert));
    assert_int_equal(server.sink.status, STATUS_HANDSHAKE_FAILED);
    assert_false(server.sink.ended);
    stop();
}

/* -- sessions -- */

static void tickets_are_opened_by_the_key_before_and_then_replaced(void **state) {
    (void)state;
    for (int version = 0; version < 2; version++) {
        struct tls_tickets tickets = {.keys = {{1}, {2}}};
        start();
        for (int round = 0; round < 5;
             round++) { /* the key turns each time, and each time there is a new ticket */
            open_both();
            speak(version ? TLS1_3_VERSION : TLS1_2_VERSION);
            shake(65536);
            both_are_ready();
            say(&server, "x", 1);
            shake(65536);
            close_both();
            assert_true(tls_tickets_turn(&tickets));
            tls_worker_tickets(server.tls, &tickets);
        }
        assert_int_equal(tls_worker_counts(server.tls).full, 1);
        assert_int_equal(tls_worker_counts(server.tls).resumed, 4);
        assert_true(tls_tickets_turn(&tickets)); /* with this one it was two turns ago */
        tls_worker_tickets(server.tls, &tickets);
        open_both();
        speak(version ? TLS1_3_VERSION : TLS1_2_VERSION);
        shake(65536);
        both_are_ready();
        assert_int_equal(tls_worker_counts(server.tls).full, 2);
        stop();
    }
}

static void early_data_is_never_offered_nor_taken(void **state) {
    (void)state;
    begin(TLS1_3_VERSION);
    say(&server, "x", 1);
    shake(65536);
    SSL_SESSION *session = ((struct tls *)client.state)->context->session;
    assert_non_null(session);
    assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
    close_both();
    SSL_SESSION_set_max_early_data(session, 1000); /* a client that won't be told */
    open_side(&server);
    client.sink = (struct filter_sink){.wire = &client.wire, .due = MONO_NEVER};
    client.got_size = 0;
    client.state = memory_new(filter_tls.state_size);
    struct tls *tls = client.state;
    *tls = (struct tls){.profile = &client.profile, .sink = &client.sink};
    tls->context = context_get(client.tls, &client.profile, PROTOCOL_DIALLED);
    tls->ssl = SSL_new(tls->context->ctx);
    BIO *bio = BIO_new(tls->context->method);
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(tls->ssl), (time_t)(now.wall.ns / NS_PER_S));
    SSL_set_connect_state(tls->ssl);
    assert_int_equal(SSL_set_session(tls->ssl, session), 1);
    char name[] = "gw.example"; /* OpenSSL's macro takes no constant */
    assert_int_equal(SSL_set_tlsext_host_name(tls->ssl, name), 1);
    size_t took = 0;
    assert_int_equal(SSL_write_early_data(tls->ssl, "too early", 9, &took), 1);
    shake(65536);
    say(&client, "in time", 7);
    shake(65536);
    assert_int_equal(SSL_get_early_data_status(tls->ssl), SSL_EARLY_DATA_REJECTED);
    assert_int_equal(server.got_size, 7);
    assert_memory_equal(server.got, "in time", 7);
    stop();
}

/* -- names -- */

static void names_are_matched_by_the_rules_and_not_by_looks(void **state) {
    static const struct {
        const char *in_certificate, *asked;
        bool is_address, good;
    } cases[] = {
        {"a.example", "a.example", false, true},
        {"a.example", "A.EXAMPLE", false, true},
        {"a.example", "b.example", false, false},
        {"a.example", "a.example.evil", false, false},
        {"a.example", "x.a.example", false, false},
        {"*.example.org", "a.example.org", false, true},
        {"*.example.org", "example.org", false, false},
        {"*.example.org", "a.b.example.org", false, false},
        {"a*.example.org", "ab.example.org", false, false},
        {"*a.example.org", "ba.example.org", false, false},
        {"a.*.org", "a.example.org", false, false},
        {"*", "example", false, false},
        {"192.0.2.1", "192.0.2.1", true, true},
        {"192.0.2.1", "192.0.2.2", true, false},
        {"2001:db8::1", "2001:db8:0::1", true, true},
        {"*.2.1", "192.0.2.1", true, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_made made = {0};
        make("named", cases[i].in_certificate, &pki.ca, false, -DAY, DAY, &made);
        now = (struct now){{NS_PER_S}, {START}};
        set_up(&client, PROTOCOL_DIALLED, NULL, NULL);
        set_up(&server, PROTOCOL_ACCEPTED, &made, NULL);
        client.profile.server_name = slice_from(cases[i].asked);
        client.profile.is_address = cases[i].is_address;
        open_both();
        shake(65536);
        if ((client.sink.status == STATUS_OK) != cases[i].good)
            fail_msg("%s for %s: %s", cases[i].in_certificate, cases[i].asked, client.sink.words);
        stop();
        buffer_done(&made.cert);
        buffer_done(&made.key);
    }
}

/* -- where OpenSSL has no memory -- */

static int64_t allocations_left = INT64_MAX;
static bool has_failed;

static bool may_allocate(void) {
    if (allocations_left-- > 0)
        return true;
    has_failed = true;
    return false;
}
static void *allocate(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return may_allocate() ? malloc(size) : NULL;
}
static void *resize(void *old, size_t size, const char *file, int line) {
    (void)file, (void)line;
    return may_allocate() ? realloc(old, size) : NULL;
}
static void release(void *old, const char *file, int line) {
    (void)file, (void)line;
    free(old);
}

/* One connection with the n-th allocation and all after it failing, up to the end of it. */
static bool survives(int64_t n) {
    allocations_left = n;
    has_failed = false;
    open_both();
    shake(65536);
    if (client.sink.ready && server.sink.ready && client.sink.status == STATUS_OK &&
        server.sink.status == STATUS_OK) {
        size_t took = filter_tls.seal(client.state, SLICE_OF("question"), now);
        assert_true(took || client.sink.status != STATUS_OK);
        shake(65536);
    }
    bool failed = has_failed;
    allocations_left = INT64_MAX;
    if (failed && server.got_size)
        assert_memory_equal(server.got, "question", 8); /* whole or not at all */
    close_both();
    return failed;
}

static void openssl_without_memory_is_survived(void **state) {
    (void)state;
    int64_t n = 0;
    start();
    while (survives(n) && n < 20000)
        n += n < 100 ? 1 : 23;
    assert_true(n > 100 && n < 20000);
    open_both(); /* and with memory all is as it was */
    shake(65536);
    both_are_ready();
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_may_change_under_way),
        cmocka_unit_test(who_only_changes_keys_is_closed),
        cmocka_unit_test(who_makes_us_change_keys_without_end_is_closed),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(records_with_nothing_in_them_are_counted),
        cmocka_unit_test(a_record_longer_than_may_be_is_refused),
        cmocka_unit_test(a_hello_larger_than_may_be_is_refused),
        cmocka_unit_test(an_end_is_one_only_when_it_is_said),
        cmocka_unit_test(who_has_ended_may_still_be_answered),
        cmocka_unit_test(nothing_counts_after_an_end),
        cmocka_unit_test(a_fatal_alert_is_no_end),
        cmocka_unit_test(tickets_are_opened_by_the_key_before_and_then_replaced),
        cmocka_unit_test(early_data_is_never_offered_nor_taken),
        cmocka_unit_test(names_are_matched_by_the_rules_and_not_by_looks),
        cmocka_unit_test(openssl_without_memory_is_survived),
    };
    if (CRYPTO_set_mem_functions(allocate, resize, release) != 1)
        return 1;
    return cmocka_run_group_tests(tests, make_all, free_all);
}
