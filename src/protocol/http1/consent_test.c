/* The dialled role of the webhook handshake: what is asked, which answers are consent, and what goes on after it. */
#include "protocol/http1/fixture.h"

#define FOUND "WebHook-Allowed-Origin: events.example.com\r\nWebHook-Allowed-Rate: 100\r\n"

static struct protocol_consent consent;

static void begin(struct world *w) {
    world_init(w, PROTOCOL_DIALLED);
    w->setup.webhook.origin = SLICE_OF("events.example.com");
    w->setup.webhook.rate = 120;
    w->setup.presents.lines = SLICE_OF("Authorization: Bearer abc\r\n");
    w->consent = &consent;
    world_open(w);
    world_flush(w);
}

static enum status send_event(struct world *w, uint64_t token) {
    static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"42\",\"source\":\"/doors/7\",\"type\":\"t\",\"data\":{\"door\":7}}";
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[1024];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(event), &extra, &rules, &fault), STATUS_OK);
    return protocol_http1.send(w->state, &message, NULL, &(struct protocol_send){.token = token, .attempt = 1}, w->now);
}

static void consent_comes_before_the_first_event(void **state) {
    (void)state;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        struct world w;
        consent = (struct protocol_consent){0};
        begin(&w);
        CHECK_HAS(&w, "OPTIONS ");
        CHECK_HAS(&w, "\r\nWebHook-Request-Origin: events.example.com\r\nWebHook-Request-Rate: 120\r\n\r\n");
        CHECK_HAS(&w, "\r\nAuthorization: Bearer abc\r\n");
        assert_true(w.sink.greets && w.sink.room.messages == 0);
        assert_int_equal(send_event(&w, 1), STATUS_OVERLOADED);
        struct slice answer = SLICE_OF("HTTP/1.1 200 OK\r\nAllow: POST\r\n" FOUND "Content-Length: 5\r\n\r\nhello");
        if (bytewise)
            world_give_bytewise(&w, answer);
        else
            world_give(&w, answer);
        assert_true(!w.sink.greets && w.sink.room.messages == 1 && w.rooms == 1 && w.outcomes == 0);
        assert_true(consent.given && consent.rate == 100);
        world_forget(&w);
        assert_int_equal(send_event(&w, 1), STATUS_OK);
        CHECK_HAS(&w, "POST ");
        CHECK_HAS(&w, "\r\nWebHook-Request-Origin: events.example.com\r\n");
        CHECK_LACKS(&w, "WebHook-Request-Rate");
        world_give(&w, SLICE_OF("HTTP/1.1 204 N\r\n\r\n"));
        assert_int_equal(w.outcomes, 1);
        world_done(&w);
        begin(&w); /* the next connection needn't ask */
        assert_string_equal(world_text(&w), "");
        assert_true(!w.sink.greets && w.sink.room.messages == 1);
        world_done(&w);
    }
}

static void only_both_fields_are_consent(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        bool given;
        uint32_t rate;
    } rows[] = {
        {"HTTP/1.1 204 N\r\nWebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: *\r\n\r\n", true, 0},
        {"HTTP/1.1 200 N\r\nwebhook-allowed-origin: EVENTS.example.com\r\nwebhook-allowed-rate: 1\r\nContent-Length: 0\r\n\r\n", true, 1},
        {"HTTP/1.1 405 N\r\n" FOUND "Content-Length: 2\r\n\r\nno", true, 100}, /* the status means nothing */
        {"HTTP/1.1 410 N\r\n" FOUND "Content-Length: 0\r\n\r\n", true, 100},
        {"HTTP/1.1 301 N\r\nLocation: http://elsewhere/\r\n" FOUND "Content-Length: 0\r\n\r\n", true, 100},
        {"HTTP/1.1 204 N\r\nWebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: 99999999999\r\n\r\n", true, UINT32_MAX},
        {"HTTP/1.1 200 N\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n", false, 0},
        {"HTTP/1.1 204 N\r\nWebHook-Allowed-Rate: *\r\n\r\n", false, 0},
        {"HTTP/1.1 204 N\r\nWebHook-Allowed-Origin: *\r\n\r\n", false, 0},
        {"HTTP/1.1 204 N\r\nWebHook-Allowed-Origin: example.com\r\nWebHook-Allowed-Rate: *\r\n\r\n", false, 0},
        {"HTTP/1.1 204 N\r\nWebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: 0\r\n\r\n", false, 0},
        {"HTTP/1.1 204 N\r\nWebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: fast\r\n\r\n", false, 0},
        {"HTTP/1.1 404 N\r\nContent-Length: 2\r\n\r\nno", false, 0},
        {"HTTP/1.1 301 N\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        consent = (struct protocol_consent){0};
        begin(&w);
        world_give(&w, slice_from(rows[i].answer));
        if (consent.given != rows[i].given || consent.rate != rows[i].rate || w.sink.closing == rows[i].given || w.sink.greets == rows[i].given)
            fail_msg("%s", rows[i].answer);
        assert_false(consent.gone);
        assert_int_equal(w.invalids, !rows[i].given);
        if (!rows[i].given)
            assert_int_equal(w.sink.close_status, STATUS_BAD_GREETING);
        world_done(&w);
    }
}

static void an_answer_that_ends_the_connection_is_consent_too(void **state) {
    (void)state;
    struct world w;
    consent = (struct protocol_consent){0};
    begin(&w);
    world_give(&w, SLICE_OF("HTTP/1.1 200 N\r\n" FOUND "Connection: close\r\nContent-Length: 0\r\n\r\n"));
    assert_true(consent.given && !w.sink.greets && w.sink.closing && w.rooms == 0);
    assert_int_equal(w.outcomes, 0);
    world_done(&w);
}

static void silence_and_an_early_end_are_none(void **state) {
    (void)state;
    struct world w;
    consent = (struct protocol_consent){0};
    begin(&w);
    world_wait(&w, 6 * NS_PER_S);
    assert_true(w.sink.closing && w.sink.greets && w.sink.close_status == STATUS_BAD_GREETING && w.invalids == 1);
    world_done(&w);
    begin(&w);
    world_end(&w);
    assert_true(w.sink.closing && w.sink.greets && !consent.given);
    world_done(&w);
    begin(&w);
    protocol_http1.shut(w.state, STATUS_SYSTEM_REMOVED, w.now);
    assert_false(w.sink.closing);
    world_give(&w, SLICE_OF("HTTP/1.1 204 N\r\n" FOUND "\r\n"));
    assert_true(w.sink.closing && w.sink.close_status == STATUS_SYSTEM_REMOVED);
    world_done(&w);
}

static void gone_is_for_good_where_webhooks_are_sent(void **state) {
    (void)state;
    static const struct slice secret = SLICE("0123456789abcdef01234567");
    for (int kind = 0; kind < 3; kind++) { /* asked first, signed, neither */
        struct world w;
        consent = (struct protocol_consent){.given = true};
        world_init(&w, PROTOCOL_DIALLED);
        if (kind == 0)
            w.setup.webhook.origin = SLICE_OF("a.b");
        if (kind == 1)
            w.setup.presents = (struct protocol_presents){.secrets = &secret, .secret_count = 1};
        w.consent = &consent;
        world_open(&w);
        assert_int_equal(send_event(&w, 1), STATUS_OK);
        world_flush(&w);
        world_give(&w, SLICE_OF("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"));
        assert_true(w.outcomes == 1 && w.outcome.verdict == VERDICT_REJECTED);
        assert_int_equal(consent.gone, kind < 2);
        assert_int_equal(w.sink.closing, kind < 2);
        world_done(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consent_comes_before_the_first_event),
        cmocka_unit_test(only_both_fields_are_consent),
        cmocka_unit_test(an_answer_that_ends_the_connection_is_consent_too),
        cmocka_unit_test(silence_and_an_early_end_are_none),
        cmocka_unit_test(gone_is_for_good_where_webhooks_are_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
