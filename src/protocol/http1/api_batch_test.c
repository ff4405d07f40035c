/* The data API: batches, each event with a result of its own, and what was taken before. */
#include "protocol/http1/api_kit.h"

/* -- what was taken before -- */

static const uint8_t first_receipt[16] = {0x01, 0x9a, 0xb3, 0xd0, 0x6c, 0x1e, 0x7a, 0x44, 0x9d, 0x0b, 0x3f, 0x5b, 0xe1, 0xa2, 0xc7, 0x01};
static const uint8_t no_receipt[16];

static void a_duplicate_is_accepted_with_the_receipt_of_the_first(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world w;
        begin(&w);
        w.worker.again = i == 0 ? first_receipt : i == 1 ? no_receipt : NULL;
        w.answer = STATUS_DUPLICATE;
        post_text(&w, "/v1/messages", "", "x");
        world_check(&w, i == 2 ? 409 : 202);
        assert_int_equal(strstr(world_text(&w), "\r\nIntertie-Duplicate: true\r\n") != NULL, i < 2);
        assert_int_equal(strstr(world_text(&w), "Intertie-Id: 019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701\r\n") != NULL, i == 0);
        if (i)
            CHECK_HAS(&w, last(&w)->receipt);
        assert_false(w.sink.closing);
        world_done(&w);
    }
}

/* -- batches -- */

#define EVENT(id, more) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/a\",\"type\":\"t\"" more "}"
#define BATCH_TYPE "Content-Type: application/cloudevents-batch+json\r\n"

static void a_batch_waits_for_all_of_its_events(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    w.holds = true;
    w.words = "so it is";
    post_text(&w, "/v1/systems/lamp/messages", BATCH_TYPE "TTL: 5\r\n",
              "[" EVENT("a", "") ",1," EVENT("b", ",\"target\":\"desk\"") "," EVENT("c", ",\"messagetype\":\"query\"") ","
              EVENT("d", ",\"messagetype\":\"query\",\"replyto\":\"/systems/desk\"") "," EVENT("e", "") "]");
    assert_int_equal(w.messages, 3);
    assert_int_equal(w.invalids, 3);
    assert_int_equal(w.seen[2].token, 3);
    assert_true(w.seen[2].has_expiry);
    assert_non_null(strstr(w.seen[0].json, "\"target\":\"lamp\""));
    world_settle(&w, 3, STATUS_OK);
    world_settle(&w, 3, STATUS_EXPIRED);
    world_settle(&w, 1, STATUS_EXPIRED);
    assert_string_equal(world_text(&w), "");
    assert_true(w.sink.paused);
    world_settle(&w, 2, STATUS_OK);
    world_check(&w, 200);
    CHECK_HAS(&w, "[{\"index\":0,\"id\":\"a\",\"status\":422,\"receipt\":\"");
    CHECK_HAS(&w, "\"reason\":\"expired\",\"detail\":\"so it is\"}},{\"index\":1,\"status\":400,\"problem\":{");
    CHECK_HAS(&w, "},{\"index\":2,\"status\":400,\"problem\":{");
    CHECK_HAS(&w, "},{\"index\":3,\"id\":\"c\",\"status\":400,\"problem\":{");
    CHECK_HAS(&w, "`replyto` is missing: a request or query in a batch needs it");
    CHECK_HAS(&w, "},{\"index\":4,\"id\":\"d\",\"status\":202,\"receipt\":\"");
    CHECK_HAS(&w, "},{\"index\":5,\"id\":\"e\",\"status\":202,\"receipt\":\"");
    /* The next message's token goes on from there. */
    w.holds = false;
    post_text(&w, "/v1/messages", "", "x");
    assert_int_equal(last(&w)->token, 4);
    assert_true(last(&w)->inline_reply);
    world_done(&w);
}

static void a_batch_says_which_of_it_are_duplicates(void **state) {
    struct world w;
    (void)state;
    begin(&w);
    w.holds = true;
    post_text(&w, "/v1/messages", BATCH_TYPE, "[" EVENT("a", "") "," EVENT("b", "") "]");
    w.worker.again = first_receipt;
    world_settle(&w, 1, STATUS_DUPLICATE);
    w.worker.again = NULL;
    world_settle(&w, 2, STATUS_DUPLICATE);
    world_check(&w, 200);
    CHECK_HAS(&w, "[{\"index\":0,\"id\":\"a\",\"status\":202,\"receipt\":\"019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701\",\"duplicate\":true},{\"index\":1,");
    CHECK_HAS(&w, "\"id\":\"b\",\"status\":409,");
    world_done(&w);
}

static void a_batch_is_settled_by_ranges(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    w.holds = true;
    post_text(&w, "/v1/messages", BATCH_TYPE, "[" EVENT("a", "") "," EVENT("b", "") "," EVENT("c", "") "]");
    protocol_http1.settle(w.state, 1, 3, STATUS_OK, 0, w.now);
    world_check(&w, 200);
    world_done(&w);
}

static void batches_of_all_sorts(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    post_text(&w, "/v1/messages", BATCH_TYPE, " [ ] ");
    CHECK_HAS(&w, "Content-Length: 2\r\n\r\n[]");
    static const char *wrong[] = {"", "{}", "[", "[1,]", "[] x"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        world_forget(&w);
        post_text(&w, "/v1/messages", BATCH_TYPE, wrong[i]);
        world_check(&w, 400);
        CHECK_HAS(&w, "\"reason\":\"malformed-event\"");
    }
    static const struct slice proto = SLICE("\x0a\x0f\x0a\x01" "1" "\x12\x02/a\x1a\x03" "1.0\x22\x01t" "\x0a\x02\x0a\x00");
    world_forget(&w);
    post(&w, "/v1/systems/lamp/messages", "Content-Type: application/cloudevents-batch+protobuf\r\n", proto);
    world_check(&w, 200);
    CHECK_HAS(&w, "[{\"index\":0,\"id\":\"1\",\"status\":202,");
    CHECK_HAS(&w, "{\"index\":1,\"status\":400,");
    check_seen(&w, "\"target\":\"lamp\"");
    world_done(&w);
}

static void a_batch_is_full_at_1000(void **state) {
    (void)state;
    struct buffer body;
    for (int extra = 0; extra < 2; extra++) {
        struct world w;
        begin(&w);
        buffer_init(&body, 1 << 20);
        for (int i = 0; i < 1000 + extra; i++)
            buffer_add_text(&body, i ? "," EVENT("a", "") : "[" EVENT("a", ""));
        buffer_add_text(&body, "]");
        post(&w, "/v1/messages", BATCH_TYPE, buffer_slice(&body));
        world_check(&w, extra ? 413 : 200);
        assert_int_equal(w.messages, extra ? 0 : 1000);
        buffer_done(&body);
        world_done(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_waits_for_all_of_its_events),
        cmocka_unit_test(a_batch_is_settled_by_ranges),
        cmocka_unit_test(a_batch_says_which_of_it_are_duplicates),
        cmocka_unit_test(a_duplicate_is_accepted_with_the_receipt_of_the_first),
        cmocka_unit_test(batches_of_all_sorts),
        cmocka_unit_test(a_batch_is_full_at_1000),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
