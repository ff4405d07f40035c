/* Compression on stream v1: who agrees to what, what is packed, and what comes packed that must not. */
#include "protocol/battery/rig.h"
#include "protocol/stream/fixture.h"

static char large[4096]; /* an event over the 1 KiB from which on it is packed */

static void make_large(size_t size) {
    size_t head = (size_t)snprintf(large, sizeof large, "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"t\",\"data\":\"");
    for (size_t i = head; i < size - 2; i++)
        large[i] = (char)('a' + i * 7 % 23);
    memcpy(large + size - 2, "\"}", 3);
}

static void setup(struct rig *rig, enum protocol_role role, const char *codings) {
    size_t count = 0;
    rig_setup(rig, &protocol_stream1, role);
    rig->settle_as = STATUS_COUNT;
    for (struct slice list = slice_from(codings); list.size;) {
        size_t end = slice_find(list, ' ');
        rig->setup.compress[count++] = (uint8_t)coding_find(slice_head(list, end));
        list = slice_skip(list, end + 1);
    }
    make_large(2000);
}

static void accept_with(struct rig *rig, const char *codings, const char *hello) {
    setup(rig, PROTOCOL_ACCEPTED, codings);
    open_with(rig, hello);
}

#define PACKED_HELLO "{\"enc\":[\"json\"],\"comp\":[\"zstd\",\"deflate\",\"none\"]}"

static void the_first_that_both_know_is_chosen(void **state) {
    static const struct {
        const char *compress, *comp, *chosen; /* NULL: refused */
    } rows[] = {
        {"zstd deflate", "[\"zstd\",\"deflate\",\"none\"]", "\"comp\":\"zstd\""},
        {"zstd deflate", "[\"deflate\",\"zstd\",\"none\"]", "\"comp\":\"deflate\""},
        {"deflate", "[\"zstd\",\"deflate\",\"none\"]", "\"comp\":\"deflate\""},
        {"zstd", "[\"none\",\"zstd\"]", "\"comp\":\"none\""},
        {"zstd", "\"zstd\"", "\"comp\":\"zstd\""},
        {"gzip zstd", "[\"gzip\",\"none\"]", "\"comp\":\"none\""}, /* streams have no gzip */
        {"zstd", "[\"none\"]", "\"comp\":\"none\""},
        {"", "[\"zstd\",\"none\"]", "\"comp\":\"none\""},
        {"zstd", "[\"lz4\"]", NULL},
        {"", "[\"zstd\"]", NULL},
        {"gzip", "[\"gzip\"]", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig rig;
        char hello[128];
        setup(&rig, PROTOCOL_ACCEPTED, rows[i].compress);
        snprintf(hello, sizeof hello, "{\"comp\":%s}", rows[i].comp);
        rig_open(&rig);
        rig_feed(&rig, slice_make(PREFACE, 8));
        feed_text(&rig, FRAME_HELLO, hello);
        struct slice bytes = output(&rig);
        assert_true(contains(bytes, rows[i].chosen ? rows[i].chosen : "\"code\":4,"));
        assert_int_equal(rig.sink.closing, !rows[i].chosen);
        rig_done(&rig);
    }
    struct rig rig;
    accept_with(&rig, "zstd", "{}"); /* who says nothing gets nothing packed */
    feed_msg(&rig, 1, MSG_COMPRESSED, EVENT);
    assert_error(&rig, 1, STATUS_PROTOCOL_ERROR);
    rig_done(&rig);
}

static struct rig *open_dialled(struct rig *rig, const char *codings, const char *welcome) {
    setup(rig, PROTOCOL_DIALLED, codings);
    rig->setup.encoding = ENCODING_JSON;
    rig_open(rig);
    output(rig);
    rig_feed(rig, slice_make(PREFACE, 8));
    feed_text(rig, FRAME_WELCOME, welcome);
    return rig;
}

static void a_client_offers_what_it_was_told_and_takes_no_other(void **state) {
    struct rig rig;
    (void)state;
    setup(&rig, PROTOCOL_DIALLED, "gzip zstd deflate");
    rig_open(&rig);
    assert_true(contains(output(&rig), "\"comp\":[\"zstd\",\"deflate\",\"none\"]"));
    rig_done(&rig);
    setup(&rig, PROTOCOL_DIALLED, "");
    rig_open(&rig);
    assert_true(contains(output(&rig), "\"comp\":[\"none\"]"));
    rig_done(&rig);
    open_dialled(&rig, "deflate", "{\"enc\":\"json\",\"comp\":\"zstd\"}");
    assert_error(&rig, 4, STATUS_UNSUPPORTED_ENCODING);
    rig_done(&rig);
    open_dialled(&rig, "", "{\"enc\":\"json\",\"comp\":\"zstd\"}");
    assert_error(&rig, 4, STATUS_UNSUPPORTED_ENCODING);
    rig_done(&rig);
    open_dialled(&rig, "zstd", "{\"enc\":\"json\",\"comp\":\"none\"}");
    assert_false(rig.sink.closing);
    rig_done(&rig);
}

/* Sends `large` as it stands. */
static enum status send_large(struct rig *rig) {
    static uint8_t room[8192];
    struct buffer extra;
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(large), &extra, &rules, &fault), STATUS_OK);
    return rig_send(rig, &message);
}

/* The event of the one MSG that was written. */
static struct slice sent_event(struct rig *rig, enum coding coding, unsigned *ret_flags, size_t *ret_size) {
    static uint8_t copy[8192];
    struct slice bytes = output(rig), plain = {0};
    unsigned type;
    const char *words;
    struct slice payload = next_frame(&bytes, &type, ret_flags);
    assert_int_equal(type, FRAME_MSG);
    assert_int_equal(bytes.size, 0);
    *ret_size = payload.size;
    payload = slice_skip(payload, FRAME_MSG_HEADER);
    if (*ret_flags & MSG_COMPRESSED) {
        struct coder *coder = NULL;
        assert_int_equal(coding_unpack(&coder, coding, payload, 1 << 20, &plain, &words), STATUS_OK);
        memcpy(copy, plain.data, plain.size);
        plain.data = copy;
        coding_done(&coder);
        return plain;
    }
    return payload;
}

static void large_events_are_packed_in_both_roles_and_small_ones_are_not(void **state) {
    (void)state;
    for (enum coding coding = CODING_ZSTD; coding < CODING_COUNT; coding++) {
        if (coding == CODING_GZIP)
            continue;
        for (int role = 0; role < 2; role++) {
            struct rig rig;
            unsigned flags;
            size_t size;
            const char *name = (const char *)coding_name(coding).data;
            char hello[128];
            snprintf(hello, sizeof hello, role ? "{\"enc\":\"json\",\"comp\":\"%s\"}" : "{\"enc\":[\"json\"],\"comp\":[\"%s\"]}", name);
            if (role)
                open_dialled(&rig, name, hello);
            else
                accept_with(&rig, name, hello);
            output(&rig);
            assert_int_equal(send_large(&rig), STATUS_OK);
            assert_true(slice_equal(sent_event(&rig, coding, &flags, &size), slice_from(large)));
            assert_int_equal(flags, MSG_COMPRESSED);
            assert_true(size < 1000);
            make_large(CODING_LEAST - 1);
            assert_int_equal(send_large(&rig), STATUS_OK);
            assert_true(slice_equal(sent_event(&rig, coding, &flags, &size), slice_from(large)));
            assert_int_equal(flags, 0);
            make_large(CODING_LEAST);
            assert_int_equal(send_large(&rig), STATUS_OK);
            assert_true(slice_equal(sent_event(&rig, coding, &flags, &size), slice_from(large)));
            assert_int_equal(flags, MSG_COMPRESSED);
            rig_done(&rig);
        }
    }
}

static void credit_counts_what_is_on_the_wire(void **state) {
    struct rig rig;
    unsigned flags;
    size_t size;
    (void)state;
    accept_with(&rig, "zstd", "{\"enc\":[\"json\"],\"comp\":[\"zstd\"],\"credit\":{\"msgs\":100,\"bytes\":1500}}");
    assert_int_equal(send_large(&rig), STATUS_OK);
    sent_event(&rig, CODING_ZSTD, &flags, &size);
    assert_true(size < 700);
    assert_true(rig.sink.room.messages > 0); /* unpacked it would have been all */
    assert_int_equal(send_large(&rig), STATUS_OK);
    rig_done(&rig);
}

static void a_frame_holds_the_event_unpacked_too(void **state) {
    static uint8_t room[200000];
    struct rig rig;
    struct buffer extra;
    struct message message;
    static char data[100000];
    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)('a' + i * 7 % 23);
    buffer_init_fixed(&extra, room, sizeof room);
    accept_with(&rig, "zstd", "{\"enc\":[\"json\"],\"comp\":[\"zstd\"],\"max_frame\":81920}");
    rig_message(&message, &extra, KIND_EVENT, "a", slice_make(data, sizeof data));
    assert_int_equal(rig_send(&rig, &message), STATUS_TOO_LARGE);
    rig_done(&rig);
}

/* A MSG frame with those bytes as its event. */
static void feed_packed(struct rig *rig, uint64_t seq, struct slice event) {
    uint8_t *payload = test_calloc(1, FRAME_MSG_HEADER + event.size);
    frame_put64(payload, seq);
    memcpy(payload + FRAME_MSG_HEADER, event.data, event.size);
    feed_frame(rig, FRAME_MSG, MSG_COMPRESSED, slice_make(payload, FRAME_MSG_HEADER + event.size));
    test_free(payload);
}

static struct slice pack(struct coder **coder, enum coding coding, struct slice bytes) {
    struct slice packed = {0};
    assert_int_equal(coding_pack(coder, coding, bytes, &packed), STATUS_OK);
    return packed;
}

static void what_comes_packed_is_read(void **state) {
    struct coder *coder = NULL;
    (void)state;
    for (int role = 0; role < 2; role++) {
        struct rig rig;
        if (role)
            open_dialled(&rig, "zstd", "{\"enc\":\"json\",\"comp\":\"zstd\"}");
        else
            accept_with(&rig, "zstd", PACKED_HELLO);
        rig_log(&rig);
        feed_packed(&rig, 1, pack(&coder, CODING_ZSTD, slice_from(large)));
        feed_msg(&rig, 2, 0, EVENT); /* and what doesn't, too */
        assert_int_equal(rig.received, 2);
        assert_false(rig.sink.closing);
        rig_done(&rig);
    }
    coding_done(&coder);
}

/* The one entry of the last ACK. */
static unsigned refused_code(struct rig *rig, uint64_t seq) {
    struct slice bytes = output(rig), payload = {0};
    unsigned type = 0;
    while (bytes.size && type != FRAME_ACK)
        payload = next_frame(&bytes, &type, NULL);
    assert_int_equal(type, FRAME_ACK);
    assert_int_equal(payload.size, FRAME_ACK_HEADER + FRAME_ACK_ENTRY);
    assert_int_equal(frame_get64(payload.data + FRAME_ACK_HEADER), seq);
    assert_int_equal(payload.data[FRAME_ACK_HEADER + 8], ACK_REJECTED);
    return frame_get16(payload.data + FRAME_ACK_HEADER + 10);
}

static void bombs_and_damage_are_rejected_one_by_one(void **state) {
    struct rig rig;
    struct coder *coder = NULL;
    uint8_t *zeros = test_calloc(1, 65536), *twice = test_malloc(1 << 16), *text = test_malloc(3 << 20);
    (void)state;
    accept_with(&rig, "zstd", PACKED_HELLO);
    struct slice packed = pack(&coder, CODING_ZSTD, slice_make(zeros, 65536));
    memcpy(twice, packed.data, packed.size);
    memcpy(twice + packed.size, packed.data, packed.size);
    feed_packed(&rig, 1, slice_make(twice, 2 * packed.size)); /* 128 KiB of less than a hundred bytes */
    assert_int_equal(refused_code(&rig, 1), 108);
    for (size_t i = 0; i < 3 << 20; i++)
        text[i] = i % 100 == 0 ? (uint8_t)(i * 2654435761u >> 13) : 0;
    feed_packed(&rig, 2, pack(&coder, CODING_ZSTD, slice_make(text, 3 << 20)));
    assert_int_equal(refused_code(&rig, 2), 108);
    packed = pack(&coder, CODING_ZSTD, slice_from(large));
    feed_packed(&rig, 3, slice_make(packed.data, packed.size - 1));
    assert_int_equal(refused_code(&rig, 3), 101);
    feed_packed(&rig, 4, slice_from(large));
    assert_int_equal(refused_code(&rig, 4), 101);
    feed_packed(&rig, 5, slice_from(""));
    assert_int_equal(refused_code(&rig, 5), 101);
    assert_int_equal(rig.received, 0);
    assert_int_equal(rig.invalid, 5);
    feed_packed(&rig, 6, pack(&coder, CODING_ZSTD, slice_from(large)));
    assert_int_equal(rig.received, 1);
    assert_false(rig.sink.closing);
    test_free(zeros);
    test_free(twice);
    test_free(text);
    coding_done(&coder);
    rig_done(&rig);
}

static void a_packed_message_can_be_recovered_from_what_was_not_written(void **state) {
    struct rig rig;
    struct message message;
    (void)state;
    accept_with(&rig, "zstd", "{\"enc\":[\"json\"],\"comp\":[\"zstd\"],\"ack\":false}");
    assert_int_equal(send_large(&rig), STATUS_OK);
    struct slice bytes = output(&rig);
    assert_int_equal(bytes.data[5], MSG_COMPRESSED | MSG_NOACK);
    assert_true(protocol_stream1.recover(rig.state, bytes, &message));
    assert_int_equal(message.wire_size, strlen(large));
    assert_memory_equal(message.wire, large, strlen(large));
    rig_done(&rig);
}

static void every_failing_allocation_is_survived(void **state) {
    (void)state;
#ifdef INTERTIE_DEBUG
    struct coder *coder = NULL;
    for (int64_t n = 0, failed = 1; failed; n++) {
        struct rig rig;
        accept_with(&rig, "zstd", PACKED_HELLO);
        struct slice packed = pack(&coder, CODING_ZSTD, slice_from(large));
        uint8_t frame[4096] = {0};
        frame_put_header(frame, (uint32_t)(FRAME_MSG_HEADER + packed.size), FRAME_MSG, MSG_COMPRESSED);
        frame_put64(frame + FRAME_HEADER, 1);
        memcpy(frame + FRAME_HEADER + FRAME_MSG_HEADER, packed.data, packed.size);
        memory_fail_after(n);
        protocol_stream1.feed(rig.state, slice_make(frame, FRAME_HEADER + FRAME_MSG_HEADER + packed.size), false, rig.now);
        if (!rig.sink.closing)
            send_large(&rig);
        failed = memory_has_failed();
        memory_fail_after(-1);
        if (!failed)
            assert_int_equal(rig.received, 1);
        rig_done(&rig);
    }
    coding_done(&coder);
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_both_know_is_chosen),
        cmocka_unit_test(a_client_offers_what_it_was_told_and_takes_no_other),
        cmocka_unit_test(large_events_are_packed_in_both_roles_and_small_ones_are_not),
        cmocka_unit_test(credit_counts_what_is_on_the_wire),
        cmocka_unit_test(a_frame_holds_the_event_unpacked_too),
        cmocka_unit_test(what_comes_packed_is_read),
        cmocka_unit_test(bombs_and_damage_are_rejected_one_by_one),
        cmocka_unit_test(a_packed_message_can_be_recovered_from_what_was_not_written),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    buffer_init(&wire, 16u << 20);
    int failed = cmocka_run_group_tests_name("stream_packed", tests, NULL, NULL);
    buffer_done(&wire);
    return failed;
}
