/* Stream v1 while it is open: settlement, credit, subscriptions. */
#include "protocol/battery/rig.h"
#include "protocol/stream/fixture.h"

/* -- inbound -- */

static void acks_are_cumulative_and_brought_up_to_date(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    for (unsigned i = 1; i <= 5; i++)
        feed_msg(&rig, i, 0, EVENT);
    settle(&rig, 1, 1, STATUS_OK, 0);
    settle(&rig, 2, 4, STATUS_OK, 0);
    struct slice ack = only_frame(&rig, FRAME_ACK); /* one frame for both */
    assert_int_equal(frame_get64(ack.data), 4);
    assert_int_equal(frame_get16(ack.data + 8), 0);
    settle(&rig, 5, 5, STATUS_OK, 0);
    ack = only_frame(&rig, FRAME_ACK);
    assert_int_equal(frame_get64(ack.data), 5);
    rig_done(&rig);
}

static void other_outcomes_are_entries(void **state) {
    (void)state;
    static const struct {
        enum status status;
        uint32_t retry_ms;
        unsigned outcome, code;
    } cases[] = {
        {STATUS_OK, 0, ACK_ACCEPTED, 0},           {STATUS_FORBIDDEN, 0, ACK_REJECTED, 103},
        {STATUS_OVERLOADED, 500, ACK_RETRY, 105},  {STATUS_RATE_LIMITED, 0, ACK_RETRY, 109},
        {STATUS_EXPIRED, 0, ACK_EXPIRED, 107},     {STATUS_DUPLICATE, 0, ACK_DUPLICATE, 122},
        {STATUS_TOO_LARGE, 0, ACK_REJECTED, 108},  {STATUS_NO_MEMORY, 0, ACK_RETRY, 12},
        {STATUS_BAD_CONFIG, 0, ACK_REJECTED, 15},
    };
    struct rig rig;
    accepted(&rig);
    feed_msg(&rig, 1, 0, EVENT);
    for (unsigned i = 0; i < COUNT_OF(cases); i++)
        feed_msg(&rig, i + 2, 0, EVENT);
    for (unsigned i = 0; i < COUNT_OF(cases); i++) /* out of order: 1 is open */
        settle(&rig, i + 2, i + 2, cases[i].status, cases[i].retry_ms);
    struct slice ack = only_frame(&rig, FRAME_ACK);
    assert_int_equal(frame_get64(ack.data), 0);
    assert_int_equal(frame_get16(ack.data + 8), COUNT_OF(cases));
    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        const uint8_t *entry = ack.data + FRAME_ACK_HEADER + i * FRAME_ACK_ENTRY;
        assert_int_equal(frame_get64(entry), i + 2);
        assert_int_equal(entry[8], cases[i].outcome);
        assert_int_equal(frame_get16(entry + 10), cases[i].code);
        assert_int_equal(frame_get32(entry + 12), cases[i].retry_ms);
    }
    settle(&rig, 1, 1, STATUS_OK, 0);
    ack = only_frame(&rig, FRAME_ACK);
    assert_int_equal(frame_get64(ack.data), COUNT_OF(cases) + 1);
    rig_done(&rig);
}

static void invalid_events_are_rejected_and_take_no_token(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed_msg(&rig, 1, 0, EVENT);
    feed_msg(&rig, 2, 0, "{\"specversion\":\"1.0\"}");
    feed_msg(&rig, 3, 0, EVENT);
    struct slice ack = only_frame(&rig, FRAME_ACK);
    assert_int_equal(frame_get64(ack.data), 0);
    assert_int_equal(frame_get64(ack.data + FRAME_ACK_HEADER), 2);
    assert_int_equal(ack.data[FRAME_ACK_HEADER + 8], ACK_REJECTED);
    assert_int_equal(frame_get16(ack.data + FRAME_ACK_HEADER + 10), 101);
    assert_int_equal(rig.received, 2);
    settle(&rig, 2, 2, STATUS_FORBIDDEN, 0);
    ack = only_frame(&rig, FRAME_ACK);
    assert_int_equal(frame_get64(ack.data + FRAME_ACK_HEADER), 3); /* its seq */
    settle(&rig, 1, 1, STATUS_OK, 0);
    assert_int_equal(frame_get64(only_frame(&rig, FRAME_ACK).data), 3);
    rig_done(&rig);
}

static void noack_needs_no_ack(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed_msg(&rig, 1, MSG_NOACK, EVENT);
    feed_msg(&rig, 2, MSG_NOACK, "not an event");
    feed_msg(&rig, 3, MSG_NOACK, EVENT);
    settle(&rig, 2, 2, STATUS_FORBIDDEN, 0);
    settle(&rig, 1, 1, STATUS_OK, 0);
    assert_int_equal(output(&rig).size, 0);
    assert_int_equal(rig.invalid, 1);
    rig_done(&rig);
}

static void sync_is_refused_for_that_message(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed_msg(&rig, 1, MSG_SYNC, EVENT);
    struct slice ack = only_frame(&rig, FRAME_ACK);
    assert_int_equal(frame_get16(ack.data + FRAME_ACK_HEADER + 10), 116);
    assert_false(rig.sink.closing);
    rig_done(&rig);
}

static void credit_is_renewed_by_half_windows_of_settled_messages(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig); /* window 64 */
    for (unsigned i = 1; i <= 63; i++)
        feed_msg(&rig, i, 0, EVENT);
    settle(&rig, 1, 31, STATUS_OK, 0);
    only_frame(&rig, FRAME_ACK);
    settle(&rig, 32, 32, STATUS_OK, 0);
    struct slice bytes = output(&rig);
    unsigned type;
    next_frame(&bytes, &type, NULL);
    assert_int_equal(type, FRAME_ACK);
    struct slice credit = next_frame(&bytes, &type, NULL);
    assert_int_equal(type, FRAME_CREDIT);
    assert_int_equal(frame_get64(credit.data), 96);
    rig_done(&rig);
}

static void oversending_is_an_error(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    for (unsigned i = 1; i <= 64; i++)
        feed_msg(&rig, i, 0, EVENT);
    assert_false(rig.sink.closing);
    feed_msg(&rig, 65, 0, EVENT);
    assert_error(&rig, 8, STATUS_FLOW_CONTROL);
    assert_int_equal(rig.received, 64);
    rig_done(&rig);
}

static void one_message_may_pass_the_byte_credit(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
    rig.settle_as = STATUS_COUNT;
    rig.setup.limits.window_bytes = 100;
    open_with(&rig, "{\"enc\":\"json\"}");
    feed_msg(&rig, 1, 0, EVENT); /* 71 bytes */
    feed_msg(&rig, 2, 0, EVENT);
    assert_false(rig.sink.closing);
    feed_msg(&rig, 3, 0, EVENT);
    assert_error(&rig, 8, STATUS_FLOW_CONTROL);
    rig_done(&rig);
}

static void one_unsettled_message_stops_its_sender_four_windows_later(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    unsigned seq = 0;
    feed_msg(&rig, ++seq, 0, EVENT); /* stays */
    while (seq < 256) {
        feed_msg(&rig, ++seq, 0, EVENT);
        settle(&rig, seq, seq, STATUS_OK, 0);
    }
    assert_false(rig.sink.closing);
    output(&rig);
    settle(&rig, 1, 1, STATUS_OK, 0);
    struct slice bytes = output(&rig);
    unsigned type;
    assert_int_equal(frame_get64(next_frame(&bytes, &type, NULL).data), 256);
    assert_int_equal(type, FRAME_ACK);
    assert_int_equal(frame_get64(next_frame(&bytes, &type, NULL).data), 320);
    assert_int_equal(type, FRAME_CREDIT);
    rig_done(&rig);
}

static void cancels_reach_the_right_token(void **state) {
    (void)state;
    struct rig rig;
    uint8_t seq[8] = {0};
    accepted(&rig);
    feed_msg(&rig, 1, 0, EVENT);
    feed_msg(&rig, 2, 0, "no event");
    feed_msg(&rig, 3, 0, EVENT);
    rig_log(&rig);
    seq[7] = 3;
    feed_frame(&rig, FRAME_CANCEL, 0, slice_make(seq, 8));
    assert_string_equal(rig_log(&rig), "cancelled 2\n");
    seq[7] = 1; /* before the invalid one: left alone */
    feed_frame(&rig, FRAME_CANCEL, 0, slice_make(seq, 8));
    seq[7] = 9;
    feed_frame(&rig, FRAME_CANCEL, 0, slice_make(seq, 8));
    assert_string_equal(rig_log(&rig), "");
    rig_done(&rig);
}

/* -- outbound -- */

static void entry(uint8_t out[FRAME_ACK_ENTRY], uint64_t seq, unsigned outcome, unsigned code, uint32_t retry_ms) {
    memset(out, 0, FRAME_ACK_ENTRY);
    frame_put64(out, seq);
    out[8] = (uint8_t)outcome;
    frame_put16(out + 10, (uint16_t)code);
    frame_put32(out + 12, retry_ms);
}

static void each_message_is_settled_once_in_any_order(void **state) {
    (void)state;
    uint8_t entries[4][FRAME_ACK_ENTRY];
    struct rig rig;
    accepted(&rig);
    sends(&rig, 10);
    entry(entries[0], 3, ACK_RETRY, 105, 250);
    entry(entries[1], 5, ACK_ACCEPTED, 0, 0);
    entry(entries[2], 3, ACK_ACCEPTED, 0, 0); /* settled for good above */
    entry(entries[3], 1, ACK_EXPIRED, 107, 0);
    feed_ack(&rig, 0, 4, (const uint8_t(*)[FRAME_ACK_ENTRY])entries);
    assert_string_equal(rig_log(&rig), "outcome 3-3 retry target-unavailable retry_ms=250\n"
                                       "outcome 5-5 accepted retry_ms=0\n"
                                       "outcome 1-1 expired expired retry_ms=0\n");
    entry(entries[0], 7, ACK_REJECTED, 999, 0);
    feed_ack(&rig, 8, 1, (const uint8_t(*)[FRAME_ACK_ENTRY])entries);
    assert_string_equal(rig_log(&rig), "outcome 7-7 rejected rejected-by-recipient retry_ms=0\n"
                                       "outcome 2-2 accepted retry_ms=0\n"
                                       "outcome 4-4 accepted retry_ms=0\n"
                                       "outcome 6-6 accepted retry_ms=0\n"
                                       "outcome 8-8 accepted retry_ms=0\n");
    feed_ack(&rig, 10, 0, NULL);
    assert_string_equal(rig_log(&rig), "outcome 9-10 accepted retry_ms=0\n");
    assert_int_equal(rig.settled, 10);
    rig_done(&rig);
}

static void room_follows_credit(void **state) {
    (void)state;
    uint8_t credit[16] = {0};
    struct rig rig;
    rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
    open_with(&rig, "{\"enc\":\"json\",\"credit\":{\"msgs\":2,\"bytes\":100000}}");
    assert_int_equal(rig.sink.room.messages, 2);
    sends(&rig, 2);
    assert_int_equal(rig.sink.room.messages, 0);
    feed_ack(&rig, 2, 0, NULL); /* settled, but no new credit */
    assert_int_equal(rig.sink.room.messages, 0);
    credit[7] = 5;
    frame_put64(credit + 8, 200000);
    rig_log(&rig);
    feed_frame(&rig, FRAME_CREDIT, 0, slice_make(credit, 16));
    assert_string_equal(rig_log(&rig), "room\n");
    assert_int_equal(rig.sink.room.messages, 3);
    rig_done(&rig);
}

static void what_the_peer_cannot_take_is_too_large(void **state) {
    (void)state;
    static uint8_t data[90000];
    struct rig rig;
    struct buffer extra;
    struct message big;
    accepted(&rig); /* no max_frame: 81920 */
    buffer_init_fixed(&extra, message_room, sizeof message_room);
    rig_message(&big, &extra, KIND_EVENT, "big", slice_make(data, sizeof data));
    assert_int_equal(rig_send(&rig, &big), STATUS_TOO_LARGE);
    assert_int_equal(output(&rig).size, 0);
    sends(&rig, 1); /* its token is free again */
    rig_done(&rig);
}

static void a_peer_without_acks_gets_noack(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
    open_with(&rig, "{\"enc\":\"json\",\"ack\":false}");
    assert_false(rig.sink.terms.acks);
    assert_int_equal(rig_send(&rig, made(KIND_EVENT)), STATUS_OK);
    struct slice bytes = output(&rig);
    unsigned type, flags;
    next_frame(&bytes, &type, &flags);
    assert_int_equal(type, FRAME_MSG);
    assert_int_equal(flags, MSG_NOACK);
    feed_ack(&rig, 1, 0, NULL);
    assert_int_equal(rig.settled, 0); /* nobody was told */
    rig_done(&rig);
}

static void a_frame_that_was_not_written_can_be_recovered(void **state) {
    (void)state;
    struct rig rig;
    struct message back;
    accepted(&rig);
    assert_int_equal(rig_send(&rig, made(KIND_COMMAND)), STATUS_OK);
    struct slice sent = chain_find(&rig.out, 0, 0);
    assert_null(sent.data);
    sent = chain_find(&rig.out, rig.out.written, rig.out.added);
    assert_true(rig.protocol->recover(rig.state, sent, &back));
    assert_int_equal(back.kind, KIND_COMMAND);
    assert_false(rig.protocol->recover(rig.state, slice_head(sent, sent.size - 1), &back));
    rig_done(&rig);
}

static void a_peer_that_ends_within_a_frame_is_sent_nothing_more(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    rig_feed(&rig, slice_make("\0\0\0", 3));
    rig_end(&rig);
    assert_true(rig.sink.closing && rig.sink.room.messages == 0);
    assert_int_equal(rig.sink.close_status, STATUS_PEER_CLOSED);
    rig_done(&rig);
}

/* -- subscriptions -- */

static void subscriptions_are_answered(void **state) {
    (void)state;
    static const struct {
        const char *subscribe, *log, *result;
        enum status as;
    } cases[] = {
        {"{\"sub\":1,\"filter\":\"type = 'a'\",\"group\":\"g\",\"max_inflight\":3,\"from\":\"new\"}",
         "subscribe 1 filter=type = 'a' group=g max=3 ack\n", "{\"re\":\"subscribe\",\"sub\":1,\"status\":200}", STATUS_OK},
        {"{\"sub\":2}", "subscribe 2 filter= group= max=0 ack\n", "\"sub\":2,\"status\":403,", STATUS_FORBIDDEN},
        {"{\"sub\":0}", "", "\"status\":400,", 0},
        {"{}", "", "\"status\":400,", 0},
        {"{\"sub\":3,\"durable\":\"d\"}", "", "\"reason\":\"not-supported\"", 0},
        {"{\"sub\":3,\"filters\":[]}", "", "\"status\":501,", 0},
        {"{\"sub\":3,\"from\":\"earliest\"}", "", "\"status\":501,", 0},
        {"{\"sub\":3,\"from\":\"x\"}", "", "\"status\":400,", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        accepted(&rig);
        rig.subscribe_as = cases[i].as;
        feed_text(&rig, FRAME_SUBSCRIBE, cases[i].subscribe);
        assert_string_equal(rig_log(&rig), cases[i].log);
        assert_true(contains(only_frame(&rig, FRAME_RESULT), cases[i].result));
        feed_text(&rig, FRAME_UNSUBSCRIBE, "{\"sub\":7}");
        assert_string_equal(rig_log(&rig), "unsubscribe 7\n");
        assert_true(contains(only_frame(&rig, FRAME_RESULT), "{\"re\":\"unsubscribe\",\"sub\":7,\"status\":200}"));
        feed_text(&rig, FRAME_AUTH, "{\"auth\":{\"method\":\"bearer\",\"token\":\"x\"}}");
        assert_true(contains(slice_from(rig_log(&rig)), "key=x"));
        assert_true(contains(only_frame(&rig, FRAME_RESULT), "{\"re\":\"auth\",\"status\":200}"));
        rig.hello_as = STATUS_UNAUTHENTICATED;
        feed_text(&rig, FRAME_AUTH, "{\"auth\":{\"method\":\"bearer\",\"token\":\"y\"}}");
        assert_true(contains(slice_from(rig_log(&rig)), "key=y"));
        assert_true(contains(only_frame(&rig, FRAME_RESULT), "{\"re\":\"auth\",\"status\":401,"));
        feed_text(&rig, FRAME_AUTH, "{}");
        assert_true(contains(only_frame(&rig, FRAME_RESULT), "`auth.token` is missing"));
        rig_done(&rig);
    }
}

static void acks_are_one_choice_for_a_connection(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed_text(&rig, FRAME_SUBSCRIBE, "{\"sub\":1,\"ack\":false}");
    assert_string_equal(rig_log(&rig), "subscribe 1 filter= group= max=0\n");
    assert_false(rig.sink.terms.acks);
    only_frame(&rig, FRAME_RESULT);
    feed_text(&rig, FRAME_SUBSCRIBE, "{\"sub\":2,\"ack\":true}");
    assert_string_equal(rig_log(&rig), "");
    assert_true(contains(only_frame(&rig, FRAME_RESULT), "\"status\":501"));
    rig_done(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acks_are_cumulative_and_brought_up_to_date),
        cmocka_unit_test(other_outcomes_are_entries),
        cmocka_unit_test(invalid_events_are_rejected_and_take_no_token),
        cmocka_unit_test(noack_needs_no_ack),
        cmocka_unit_test(sync_is_refused_for_that_message),
        cmocka_unit_test(credit_is_renewed_by_half_windows_of_settled_messages),
        cmocka_unit_test(oversending_is_an_error),
        cmocka_unit_test(one_message_may_pass_the_byte_credit),
        cmocka_unit_test(one_unsettled_message_stops_its_sender_four_windows_later),
        cmocka_unit_test(cancels_reach_the_right_token),
        cmocka_unit_test(each_message_is_settled_once_in_any_order),
        cmocka_unit_test(room_follows_credit),
        cmocka_unit_test(what_the_peer_cannot_take_is_too_large),
        cmocka_unit_test(a_peer_without_acks_gets_noack),
        cmocka_unit_test(a_frame_that_was_not_written_can_be_recovered),
        cmocka_unit_test(a_peer_that_ends_within_a_frame_is_sent_nothing_more),
        cmocka_unit_test(subscriptions_are_answered),
        cmocka_unit_test(acks_are_one_choice_for_a_connection),
    };
    buffer_init(&wire, 16u << 20);
    return cmocka_run_group_tests_name("protocol/stream_flow", tests, NULL, NULL);
}
