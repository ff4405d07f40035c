/* TLS between two of our own connections, byte by byte and in every way it can go wrong; no sockets, no clock. */
#include "protocol/tls/fixture.h"

/* -- what works -- */

static void handshakes_and_bytes_pass_however_they_are_cut(void **state) {
    (void)state;
    for (int version = 0; version < 2; version++)
        for (size_t step = 1; step < 3000; step = step * 3 + 1) {
            start();
            open_both();
            speak(version ? TLS1_3_VERSION : TLS1_2_VERSION);
            shake(step);
            both_are_ready();
            say(&client, "question", 8);
            shake(step);
            say(&server, "answer", 6);
            shake(step);
            assert_int_equal(server.got_size, 8);
            assert_memory_equal(server.got, "question", 8);
            assert_int_equal(client.got_size, 6);
            assert_memory_equal(client.got, "answer", 6);
            assert_true(slice_is(facts(&server)->version, version ? "TLSv1.3" : "TLSv1.2"));
            assert_true(facts(&server)->secure && !facts(&server)->verified);
            filter_tls.shut(client.state, now);
            shake(step);
            assert_true(server.sink.ended);
            stop();
        }
}

static void much_passes_unchanged(void **state) {
    static char text[150000];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 + i / 251);
    start();
    open_both();
    shake(4096);
    say(&client, text, sizeof text);
    shake(16384);
    assert_int_equal(server.got_size, sizeof text);
    assert_memory_equal(server.got, text, sizeof text);
    stop();
}

static void sni_picks_the_certificate(void **state) {
    static const struct { const char *name; enum status status; } cases[] = {
        {"gw.example", STATUS_OK}, {"GW.example", STATUS_OK}, {"a.shop.example", STATUS_OK},
        {"shop.example", STATUS_CERTIFICATE_REFUSED}, {"a.b.shop.example", STATUS_CERTIFICATE_REFUSED},
        {"other.example", STATUS_CERTIFICATE_REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        start();
        client.profile.server_name = slice_from(cases[i].name);
        open_both();
        shake(65536);
        assert_int_equal(client.sink.status, cases[i].status);
        stop();
    }
}

static void sessions_are_taken_up_again_also_by_another_worker(void **state) {
    (void)state;
    start();
    open_both();
    shake(65536);
    say(&server, "x", 1); /* the ticket came before it */
    shake(65536);
    close_both();
    open_both();
    shake(65536);
    both_are_ready();
    assert_int_equal(tls_worker_counts(server.tls).resumed, 1);
    close_both();
    /* The same keys, other files' owner: a reload. */
    stop_side(&server);
    set_up(&server, PROTOCOL_ACCEPTED, &pki.server, &pki.wild);
    open_both();
    shake(65536);
    both_are_ready();
    assert_int_equal(tls_worker_counts(server.tls).resumed, 1);
    close_both();
    /* Keys that nobody knows any more: a full handshake, not a failure. */
    struct tls_tickets fresh;
    assert_true(tls_tickets_turn(&fresh) && tls_tickets_turn(&fresh));
    tls_worker_tickets(server.tls, &fresh);
    open_both();
    shake(65536);
    both_are_ready();
    assert_int_equal(tls_worker_counts(server.tls).full, 1);
    stop();
}

static void a_session_of_one_listener_is_none_of_another(void **state) {
    (void)state;
    start();
    open_both();
    shake(65536);
    say(&server, "x", 1);
    shake(65536);
    close_both();
    struct tls_profile other = server.profile;
    other.name = SLICE_OF("y");
    server.state = memory_new(filter_tls.state_size);
    server.sink = (struct filter_sink){.wire = &server.wire, .due = MONO_NEVER};
    filter_tls.open(server.state, &other, &server.setup, &server.worker, &server.sink, &nobody, now);
    open_side(&client);
    shake(65536);
    assert_int_equal(tls_worker_counts(server.tls).resumed, 0);
    stop();
}

static void alpn_is_agreed_on_or_refused(void **state) {
    static const struct { const char *ours, *theirs; bool works; } cases[] = {
        {"\x08http/1.1", "\x02h2\x08http/1.1", true}, {"\x08http/1.1", "\x02h2", false}, {"\x08http/1.1", "", true},
        {"", "\x02h2", true}, {"\x0aintertie/1", "\x0aintertie/1", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        start();
        server.profile.alpn = slice_from(cases[i].ours);
        client.profile.alpn = slice_from(cases[i].theirs);
        open_both();
        shake(65536);
        assert_int_equal(server.sink.ready, cases[i].works);
        assert_int_equal(server.sink.status, cases[i].works ? STATUS_OK : STATUS_HANDSHAKE_FAILED);
        stop();
    }
}

static void a_client_shows_who_it_is(void **state) {
    (void)state;
    for (int optional = 0; optional < 2; optional++) {
        start();
        stop_side(&client);
        set_up(&client, PROTOCOL_DIALLED, &pki.client, NULL);
        server.profile.client = optional ? TLS_CLIENT_OPTIONAL : TLS_CLIENT_REQUIRED;
        server.profile.authorities = index_0;
        server.profile.authority_count = 1;
        for (int again = 0; again < 2; again++) { /* the second is resumed, and still knows */
            open_both();
            shake(65536);
            both_are_ready();
            assert_true(facts(&server)->verified);
            assert_int_equal(facts(&server)->name_count, 1);
            assert_int_equal(facts(&server)->names[0].kind, FILTER_NAME_URI);
            assert_true(slice_is(facts(&server)->names[0].text, "spiffe://acme.example/erp"));
            say(&server, "x", 1);
            shake(65536);
            close_both();
        }
        assert_int_equal(tls_worker_counts(server.tls).resumed, 1);
        stop();
    }
}

/* -- what doesn't -- */

static void only_a_good_certificate_for_the_right_name_is_believed(void **state) {
    const struct tls_made *wrong[] = {&pki.expired, &pki.stranger, &pki.client};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        for (int unverified = 0; unverified < 2; unverified++) {
            start();
            stop_side(&server);
            set_up(&server, PROTOCOL_ACCEPTED, wrong[i], NULL);
            client.profile.unverified = unverified;
            open_both();
            shake(65536);
            assert_int_equal(client.sink.status, unverified ? STATUS_OK : STATUS_CERTIFICATE_REFUSED);
            assert_int_equal(client.sink.words[0] != 0, !unverified);
            assert_int_equal(client.sink.ready, unverified);
            stop();
        }
}

static void an_address_must_be_named_as_one(void **state) {
    (void)state;
    start();
    client.profile.server_name = SLICE_OF("127.0.0.1");
    client.profile.is_address = true;
    open_both();
    shake(65536);
    assert_int_equal(client.sink.status, STATUS_CERTIFICATE_REFUSED);
    stop();
}

static void time_is_ours(void **state) {
    (void)state;
    start();
    now.wall.ns = START + 91 * DAY;
    open_both();
    shake(65536);
    assert_int_equal(client.sink.status, STATUS_CERTIFICATE_REFUSED);
    stop();
}

static void a_client_without_certificate_is_let_in_only_where_it_may(void **state) {
    (void)state;
    for (int required = 0; required < 2; required++) {
        start();
        server.profile.client = required ? TLS_CLIENT_REQUIRED : TLS_CLIENT_OPTIONAL;
        server.profile.authorities = index_0;
        server.profile.authority_count = 1;
        open_both();
        shake(65536);
        assert_int_equal(server.sink.status, required ? STATUS_CERTIFICATE_MISSING : STATUS_OK);
        if (!required)
            assert_false(facts(&server)->verified);
        stop();
    }
}

static void a_clients_certificate_must_be_good_even_where_none_is_due(void **state) {
    (void)state;
    start();
    stop_side(&client);
    set_up(&client, PROTOCOL_DIALLED, &pki.stranger, NULL);
    server.profile.client = TLS_CLIENT_OPTIONAL;
    server.profile.authorities = index_0;
    server.profile.authority_count = 1;
    open_both();
    shake(65536);
    assert_int_equal(server.sink.status, STATUS_CERTIFICATE_REFUSED);
    stop();
}

static void a_resumed_session_ends_with_its_certificate(void **state) {
    (void)state;
    start();
    stop_side(&client);
    set_up(&client, PROTOCOL_DIALLED, &pki.selfsigned, NULL); /* good for one more day */
    server.profile.client = TLS_CLIENT_REQUIRED;
    server.profile.authorities = index_0;
    server.profile.authority_count = 1;
    open_both();
    shake(65536);
    both_are_ready();
    say(&server, "x", 1);
    shake(65536);
    close_both();
    now.wall.ns = START + 2 * DAY;
    open_both();
    shake(65536);
    assert_int_equal(server.sink.status, STATUS_CERTIFICATE_REFUSED);
    stop();
}

static void versions_below_the_lowest_are_refused(void **state) {
    /* A ClientHello of TLS 1.1 with one suite. */
    static const uint8_t hello[] = {22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
                                    18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0, 2, 0xc0, 0x13, 1, 0};
    (void)state;
    start();
    open_side(&server);
    feed(&server, slice_make(hello, sizeof hello));
    assert_int_equal(server.sink.status, STATUS_HANDSHAKE_FAILED);
    assert_true(chain_unsent(&server.wire) > 0); /* an alert */
    stop();
}

static void garbage_is_answered_and_ends_it(void **state) {
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\xff\xff\x01", "\x80\x2e\x01\x00\x02",
                                        "{\"specversion\":\"1.0\"}\n", "\x17\x03\x03\x00\x05hello"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        start();
        open_side(&server);
        feed(&server, i == 1 ? slice_make(texts[1], 6) : i == 2 ? slice_make(texts[2], 5) : i == 4 ? slice_make(texts[4], 10) : slice_from(texts[i]));
        assert_false(server.sink.ready);
        if (server.sink.status == STATUS_OK) /* it may still become something: the handshake's time bounds it */
            assert_true(i == 1 || i == 2);
        stop();
    }
}

static void a_changed_record_ends_the_connection(void **state) {
    (void)state;
    start();
    open_both();
    shake(65536);
    say(&client, "question", 8);
    struct iovec vector;
    assert_int_equal(chain_vectors(&client.wire, &vector, 1), 1);
    uint8_t bytes[2000];
    memcpy(bytes, vector.iov_base, vector.iov_len);
    bytes[vector.iov_len - 3] ^= 1;
    feed(&server, slice_make(bytes, vector.iov_len));
    assert_int_equal(server.sink.status, STATUS_PROTOCOL_ERROR);
    assert_int_equal(server.got_size, 0);
    stop();
}

static void every_cut_of_a_handshake_waits(void **state) {
    (void)state;
    start();
    open_side(&client);
    uint8_t hello[4096];
    struct iovec vector;
    assert_int_equal(chain_vectors(&client.wire, &vector, 1), 1);
    size_t size = vector.iov_len;
    memcpy(hello, vector.iov_base, size);
    for (size_t cut = 0; cut < size; cut += 7) {
        open_side(&server);
        feed(&server, slice_make(hello, cut));
        assert_int_equal(server.sink.status, STATUS_OK);
        assert_false(server.sink.ready);
        close_side(&server);
    }
    stop();
}

static void a_place_of_another_configuration_is_refused(void **state) {
    (void)state;
    start();
    server.profile.owner = &server;
    open_side(&server);
    assert_int_equal(server.sink.status, STATUS_GOING_AWAY);
    stop();
}

static void connections_outlive_their_workers_set(void **state) {
    (void)state;
    start();
    open_both();
    shake(65536);
    tls_worker_free(server.tls);
    server.tls = NULL;
    say(&client, "still", 5);
    shake(65536);
    say(&server, "there", 5);
    shake(65536);
    assert_memory_equal(server.got, "still", 5);
    assert_memory_equal(client.got, "there", 5);
    stop();
}

static void files_are_told_apart(void **state) {
    struct tls_certificate_view view;
    struct fault fault;
    bool is_key;
    (void)state;
    struct slice cert = buffer_slice(&pki.server.cert), key = buffer_slice(&pki.server.key);
    assert_int_equal(tls_check_certificate(cert, key, &view, &is_key, &fault), STATUS_OK);
    assert_string_equal(view.subject, "CN=server");
    assert_string_equal(view.names, "DNS:gw.example");
    assert_int_equal(view.not_after.ns, START + 90 * DAY);
    assert_int_equal(tls_check_certificate(cert, buffer_slice(&pki.client.key), &view, &is_key, &fault), STATUS_BAD_CONFIG);
    assert_true(is_key);
    assert_int_equal(tls_check_certificate(key, cert, &view, &is_key, &fault), STATUS_BAD_CONFIG);
    assert_false(is_key);
    assert_int_equal(tls_check_certificate(cert, cert, &view, &is_key, &fault), STATUS_BAD_CONFIG);
    assert_int_equal(tls_check_certificate(SLICE_OF(""), key, &view, &is_key, &fault), STATUS_BAD_CONFIG);
    assert_int_equal(tls_check_certificate(slice_head(cert, cert.size - 40), key, &view, &is_key, &fault), STATUS_BAD_CONFIG);
    assert_int_equal(tls_check_authority(buffer_slice(&pki.ca.cert), &view, &fault), STATUS_OK);
    assert_true(view.is_authority);
    assert_int_equal(tls_check_authority(SLICE_OF("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &view, &fault), STATUS_BAD_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_and_bytes_pass_however_they_are_cut),
        cmocka_unit_test(much_passes_unchanged),
        cmocka_unit_test(sni_picks_the_certificate),
        cmocka_unit_test(sessions_are_taken_up_again_also_by_another_worker),
        cmocka_unit_test(a_session_of_one_listener_is_none_of_another),
        cmocka_unit_test(alpn_is_agreed_on_or_refused),
        cmocka_unit_test(a_client_shows_who_it_is),
        cmocka_unit_test(only_a_good_certificate_for_the_right_name_is_believed),
        cmocka_unit_test(an_address_must_be_named_as_one),
        cmocka_unit_test(time_is_ours),
        cmocka_unit_test(a_client_without_certificate_is_let_in_only_where_it_may),
        cmocka_unit_test(a_clients_certificate_must_be_good_even_where_none_is_due),
        cmocka_unit_test(a_resumed_session_ends_with_its_certificate),
        cmocka_unit_test(versions_below_the_lowest_are_refused),
        cmocka_unit_test(garbage_is_answered_and_ends_it),
        cmocka_unit_test(a_changed_record_ends_the_connection),
        cmocka_unit_test(every_cut_of_a_handshake_waits),
        cmocka_unit_test(a_place_of_another_configuration_is_refused),
        cmocka_unit_test(connections_outlive_their_workers_set),
        cmocka_unit_test(files_are_told_apart),
    };
    return cmocka_run_group_tests(tests, make_all, free_all);
}
