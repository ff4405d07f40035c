/* What requests show: lines of a credential, and signatures over exactly the bytes that are sent. */
#include "protocol/http1/fixture.h"

#include "protocol/coding.h"
#include "security/webhook.h"

static const char event[] =
    "{\"specversion\":\"1.0\",\"id\":\"42\",\"source\":\"/doors/7\",\"type\":\"t\",\"data\":{\"door\":7}}";
static const struct slice secrets[] = {SLICE("0123456789abcdef01234567"),
                                       SLICE("another secret that is old")};

static void send_one(struct world *w, const char *json, uint64_t token) {
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    static uint8_t room[65536];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = token, .attempt = 1};
    assert_int_equal(protocol_http1.send(w->state, &message, NULL, &options, w->now), STATUS_OK);
    world_flush(w);
}

static void lines_are_shown_with_each_request_and_may_change(void **state) {
    (void)state;
    struct world w;
    const struct protocol_presents next = {.lines = SLICE("Authorization: Bearer two\r\n"),
                                           .field = SLICE("Authorization")};
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.presents = (struct protocol_presents){.lines = SLICE("Authorization: Bearer one\r\n"),
                                                  .field = SLICE("Authorization")};
    world_open(&w);
    send_one(&w, event, 1);
    CHECK_HAS(&w, "\r\nAuthorization: Bearer one\r\n");
    world_give(&w, SLICE_OF("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"));
    buffer_clear(&w.out);
    w.sink.presents = &next;
    send_one(&w, event, 2);
    CHECK_HAS(&w, "\r\nAuthorization: Bearer two\r\n");
    assert_null(strstr(world_text(&w), "one"));
    world_done(&w);
}

/* The value of a header line; the request is the only one. */
static struct slice field(const char *text, const char *name) {
    const char *at = strstr(text, name);
    assert_non_null(at);
    at += strlen(name);
    return slice_make(at, (size_t)(strstr(at, "\r\n") - at));
}

static void check_signed(struct world *w, size_t count) {
    char id[WEBHOOK_ID_SIZE], signature[WEBHOOK_SIGNATURE_SIZE];
    const char *text = world_text(w), *body = strstr(text, "\r\n\r\n") + 4;
    struct slice got = field(text, "webhook-signature: ");
    webhook_id(SLICE_OF("/doors/7"), SLICE_OF("42"), id);
    assert_true(slice_equal(field(text, "webhook-id: "), slice_make(id, sizeof id)));
    assert_true(slice_is(field(text, "webhook-timestamp: "), "1795384800"));
    assert_int_equal(got.size, count * (WEBHOOK_SIGNATURE_SIZE + 1) - 1);
    for (size_t i = 0; i < count; i++) {
        webhook_sign(secrets[i], slice_make(id, sizeof id), 1795384800,
                     slice_make(body, w->out.size - (size_t)(body - text)), signature);
        assert_memory_equal(got.data + i * (WEBHOOK_SIGNATURE_SIZE + 1), signature, sizeof signature);
        assert_true(i == 0 || got.data[i * (WEBHOOK_SIGNATURE_SIZE + 1) - 1] == ' ');
    }
}

static void what_is_sent_is_signed_in_each_mode(void **state) {
    (void)state;
    static const enum protocol_content_mode modes[] = {PROTOCOL_MODE_AUTO, PROTOCOL_MODE_BINARY,
                                                       PROTOCOL_MODE_STRUCTURED};
    static const struct protocol_rest rest = {.by_kind = {[PROTOCOL_REST_OTHER] = {SLICE("POST"), NULL}}};
    for (size_t i = 0; i < 2 * COUNT_OF(modes) + 1; i++) {
        struct world w;
        world_init(&w, PROTOCOL_DIALLED);
        w.setup.mode = modes[i / 2 % COUNT_OF(modes)];
        w.setup.rest = i == 2 * COUNT_OF(modes) ? &rest : NULL;
        w.setup.presents = (struct protocol_presents){.secrets = secrets, .secret_count = 1 + i % 2};
        world_open(&w);
        send_one(&w, event, 1);
        check_signed(&w, 1 + i % 2);
        world_done(&w);
    }
}

static void a_packed_body_is_signed_as_it_is_sent(void **state) {
    (void)state;
    struct world w;
    static char json[9000];
    size_t size = (size_t)snprintf(json, sizeof json, "%.*s,\"more\":\"", (int)(sizeof event - 2), event);
    memset(json + size, 'x', 4000);
    memcpy(json + size + 4000, "\"}", 3);
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.mode = PROTOCOL_MODE_STRUCTURED;
    w.setup.compress[0] = CODING_GZIP;
    w.setup.presents = (struct protocol_presents){.secrets = secrets, .secret_count = 2};
    world_open(&w);
    send_one(&w, json, 1);
    CHECK_HAS(&w, "Content-Encoding: gzip\r\n");
    assert_true(w.out.size < 1500);
    check_signed(&w, 2);
    world_done(&w);
}

static void an_event_without_data_is_signed_too(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.presents = (struct protocol_presents){.secrets = secrets, .secret_count = 1};
    world_open(&w);
    send_one(&w, "{\"specversion\":\"1.0\",\"id\":\"42\",\"source\":\"/doors/7\",\"type\":\"t\"}", 1);
    check_signed(&w, 1);
    world_done(&w);
}

/* What came with a request of somebody else's never stands beside, or for, what is ours to show. */
static void fields_that_came_from_elsewhere_give_way(void **state) {
    (void)state;
    static const struct protocol_rest rest = {.by_kind = {[PROTOCOL_REST_OTHER] = {SLICE("POST"), NULL}}};
    struct world w;
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.rest = &rest;
    w.setup.presents = (struct protocol_presents){.lines = SLICE("x-api-key: ours\r\n"),
                                                  .field = SLICE("x-api-key"),
                                                  .secrets = secrets,
                                                  .secret_count = 1};
    world_open(&w);
    send_one(
        &w,
        "{\"specversion\":\"1.0\",\"id\":\"42\",\"source\":\"/doors/7\",\"type\":\"t\",\"httpheaders\":"
        "\"[[\\\"X-API-Key\\\",\\\"theirs\\\"],[\\\"Webhook-Id\\\",\\\"theirs\\\"],[\\\"X-Two\\\",\\\"2\\\"]]\"}",
        1);
    CHECK_HAS(&w, "x-api-key: ours\r\n");
    CHECK_HAS(&w, "X-Two: 2\r\n");
    assert_null(strstr(world_text(&w), "theirs"));
    check_signed(&w, 1);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_shown_with_each_request_and_may_change),
        cmocka_unit_test(what_is_sent_is_signed_in_each_mode),
        cmocka_unit_test(a_packed_body_is_signed_as_it_is_sent),
        cmocka_unit_test(an_event_without_data_is_signed_too),
        cmocka_unit_test(fields_that_came_from_elsewhere_give_way),
    };
    return cmocka_run_group_tests_name("protocol/http1/present", tests, NULL, NULL);
}
