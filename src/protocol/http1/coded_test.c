/* Content codings on HTTP: what comes packed, what leaves packed, and who has to agree. */
#include "protocol/http1/fixture.h"

static char large_event[4096]; /* structured, over the 1 KiB from which on it is packed */

static void compress(struct world *w, const char *codings) {
    size_t count = 0;
    for (struct slice list = slice_from(codings); list.size;) {
        size_t end = slice_find(list, ' ');
        w->setup.compress[count++] = (uint8_t)coding_find(slice_head(list, end));
        list = slice_skip(list, end + 1);
    }
}

static void begin(struct world *w, enum protocol_role role, const char *codings) {
    world_init(w, role);
    compress(w, codings);
    world_open(w);
    size_t size = (size_t)snprintf(large_event, sizeof large_event,
                                   "{\"specversion\":\"1.0\",\"id\":\"42\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"event\",\"data\":\"");
    memset(large_event + size, 'x', 1500);
    memcpy(large_event + size + 1500, "\"}", 3);
}

/* Of the last answer or request that was written: what its body stands for. */
static struct slice unpacked(struct world *w, enum coding coding) {
    struct slice bytes = SLICE_OF("");
    const char *words, *text = world_text(w), *end = strstr(text, "\r\n\r\n");
    assert_non_null(end);
    struct slice body = slice_make(end + 4, w->out.size - (size_t)(end + 4 - text));
    assert_int_equal(coding_unpack(&w->worker.coder, coding, body, 1 << 20, &bytes, &words), STATUS_OK);
    return bytes;
}

/* -- requests in -- */

static void post(struct world *w, const char *lines, struct slice body) {
    char head[1024];
    int size = snprintf(head, sizeof head, "POST /v1/messages HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu\r\n\r\n", lines, body.size);
    world_give(w, slice_make(head, (size_t)size));
    world_give(w, body);
}

#define STRUCTURED "Content-Type: application/cloudevents+json\r\n"

static void a_packed_event_is_read(void **state) {
    static const char *const names[] = {"zstd", "gzip", "deflate", "x-gzip", "GZIP", "identity, gzip", ","};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct world w;
        char lines[128];
        struct slice body = slice_from(large_event);
        struct coder *coder = NULL;
        begin(&w, PROTOCOL_ACCEPTED, "zstd gzip deflate");
        enum coding coding = i == 5 ? CODING_GZIP : coding_find(slice_from(names[i]));
        body = slice_from(large_event);
        if (coding != CODING_NONE)
            assert_int_equal(coding_pack(&coder, coding, body, &body), STATUS_OK);
        snprintf(lines, sizeof lines, STRUCTURED "Content-Encoding: %s\r\n", names[i]);
        post(&w, lines, body);
        world_check(&w, 202);
        assert_int_equal(w.messages, 1);
        assert_non_null(strstr(w.seen[0].json, "xxxxxxxxxx"));
        assert_non_null(strstr(w.seen[0].json, "\"id\":\"42\""));
        coding_done(&coder);
        world_done(&w);
    }
}

static void a_packed_plain_body_is_wrapped_as_what_it_stands_for(void **state) {
    struct world w;
    struct slice body;
    (void)state;
    begin(&w, PROTOCOL_ACCEPTED, "gzip");
    assert_int_equal(coding_pack(&w.worker.coder, CODING_GZIP, SLICE_OF("blink blink blink blink blink blink blink"), &body), STATUS_OK);
    char copy[64];
    memcpy(copy, body.data, body.size);
    post(&w, "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", slice_make(copy, body.size));
    world_check(&w, 202);
    assert_non_null(strstr(w.seen[0].json, "\"data\":\"blink blink blink blink blink blink blink\""));
    world_done(&w);
}

static void a_packed_batch_in_chunks_is_read(void **state) {
    struct world w;
    char batch[512];
    struct slice body;
    (void)state;
    begin(&w, PROTOCOL_ACCEPTED, "zstd");
    snprintf(batch, sizeof batch, "[%s,%s]", "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
             "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/s\",\"type\":\"t\"}");
    assert_int_equal(coding_pack(&w.worker.coder, CODING_ZSTD, slice_from(batch), &body), STATUS_OK);
    uint8_t chunks[512];
    int size = snprintf((char *)chunks, sizeof chunks, "%zx\r\n", body.size);
    memcpy(chunks + size, body.data, body.size);
    memcpy(chunks + (size_t)size + body.size, "\r\n0\r\n\r\n", 7);
    world_give(&w, SLICE_OF("POST /v1/messages HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Encoding: zstd\r\n"
                            "Content-Type: application/cloudevents-batch+json\r\n\r\n"));
    world_give_bytewise(&w, slice_make(chunks, (size_t)size + body.size + 7));
    world_check(&w, 200);
    assert_int_equal(w.messages, 2);
    world_done(&w);
}

static void a_coding_that_is_not_taken_is_415_and_says_what_is(void **state) {
    static const struct {
        const char *compress, *lines, *accept;
    } rows[] = {
        {"", "Content-Encoding: gzip\r\n", "Accept-Encoding: identity\r\n"},
        {"zstd", "Content-Encoding: gzip\r\n", "Accept-Encoding: zstd\r\n"},
        {"zstd gzip", "Content-Encoding: br\r\n", "Accept-Encoding: zstd, gzip\r\n"},
        {"gzip", "Content-Encoding: gzip, gzip\r\n", "Accept-Encoding: gzip\r\n"},
        {"gzip", "Content-Encoding: gzip\r\nX: y\r\nContent-Encoding: gzip\r\n", "Accept-Encoding: gzip\r\n"},
        {"gzip", "Content-Encoding: gzip;q=1\r\n", "Accept-Encoding: gzip\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        begin(&w, PROTOCOL_ACCEPTED, rows[i].compress);
        post(&w, rows[i].lines, SLICE_OF("whatever"));
        world_check(&w, 415);
        CHECK_HAS(&w, rows[i].accept);
        CHECK_HAS(&w, "\"unsupported-media\"");
        assert_int_equal(w.messages, 0);
        world_forget(&w);
        post(&w, "Content-Type: text/plain\r\n", SLICE_OF("on it goes")); /* the body was read past */
        world_check(&w, 202);
        world_done(&w);
    }
}

static void a_bomb_is_413_and_damage_is_400_and_the_connection_goes_on(void **state) {
    enum { SIZE = 3 << 20 };
    static const size_t sizes[] = {SIZE, 65536, 1000};
    struct world w;
    uint8_t *text = test_calloc(1, SIZE), *twice = test_malloc(1 << 20);
    (void)state;
    begin(&w, PROTOCOL_ACCEPTED, "gzip");
    for (unsigned i = 0; i < 3; i++) {
        struct coder *coder = NULL;
        struct slice body;
        for (size_t k = 0; k < SIZE; k++)
            text[k] = i == 0 && k % 100 == 0 ? (uint8_t)(k * 2654435761u >> 13) : 0;
        assert_int_equal(coding_pack(&coder, CODING_GZIP, slice_make(text, sizes[i]), &body), STATUS_OK);
        assert_true(body.size < 1 << 19);
        memcpy(twice, body.data, body.size); /* another member of the same */
        memcpy(twice + body.size, body.data, body.size);
        body = slice_make(twice, 2 * body.size - (i == 2));
        post(&w, "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", body);
        world_check(&w, i == 2 ? 400 : 413);
        CHECK_HAS(&w, i == 2 ? "cut short" : i == 0 ? "limits.message" : "100 times");
        CHECK_HAS(&w, i == 2 ? "\"malformed-event\"" : "\"too-large\"");
        CHECK_LACKS(&w, "Connection: close");
        world_forget(&w);
        coding_done(&coder);
    }
    assert_int_equal(w.messages, 0);
    assert_int_equal(w.invalids, 3);
    test_free(text);
    test_free(twice);
    world_done(&w);
}

static void the_admin_takes_none(void **state) {
    struct world w;
    (void)state;
    world_init(&w, PROTOCOL_ACCEPTED);
    w.setup.is_admin = true;
    world_open(&w);
    world_give(&w, SLICE_OF("POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"));
    world_check(&w, 415);
    assert_int_equal(w.requests, 0);
    world_done(&w);
}

/* -- answers out -- */

static void reply(struct world *w, const char *json) {
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[8192];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = 1, .reply_to = 1, .attempt = 1};
    assert_int_equal(protocol_http1.send(w->state, &message, NULL, &options, w->now), STATUS_OK);
}

static void ask(struct world *w, const char *lines) {
    w->holds = true;
    post(w, lines, SLICE_OF("{\"specversion\":\"1.0\",\"id\":\"q\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"query\"}"));
    assert_int_equal(w->messages, 1);
}

static void a_large_reply_is_packed_as_the_request_accepts(void **state) {
    static const struct {
        const char *compress, *accept;
        enum coding coding;
    } rows[] = {
        {"zstd gzip", "gzip, deflate, zstd", CODING_ZSTD}, /* ours decides between equals */
        {"gzip zstd", "gzip, deflate, zstd", CODING_GZIP},
        {"zstd gzip", "gzip;q=0.8, zstd;q=0.7", CODING_GZIP},
        {"zstd gzip", "gzip;q=0.2, *;q=0.5", CODING_ZSTD},
        {"zstd gzip", "zstd;q=0, *", CODING_GZIP},
        {"deflate", "gzip, deflate, br", CODING_DEFLATE},
        {"gzip", "x-gzip", CODING_GZIP},
        {"gzip", "gzip;q=0", CODING_NONE},
        {"gzip", "gzip;q=0.000, *;q=0", CODING_NONE},
        {"gzip", "br", CODING_NONE},
        {"gzip", "identity", CODING_NONE},
        {"gzip", "", CODING_NONE},
        {"", "gzip, zstd", CODING_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        char lines[256];
        begin(&w, PROTOCOL_ACCEPTED, rows[i].compress);
        snprintf(lines, sizeof lines, STRUCTURED "Accept-Encoding: %s\r\n", rows[i].accept);
        ask(&w, lines);
        reply(&w, large_event);
        world_check(&w, 200);
        if (rows[i].compress[0])
            CHECK_HAS(&w, "Vary: Accept-Encoding\r\n");
        else
            CHECK_LACKS(&w, "Vary:");
        if (rows[i].coding == CODING_NONE) {
            CHECK_LACKS(&w, "Content-Encoding");
            CHECK_HAS(&w, large_event);
        } else {
            char line[64];
            snprintf(line, sizeof line, "Content-Encoding: %s\r\n", (const char *)coding_name(rows[i].coding).data);
            CHECK_HAS(&w, line);
            struct slice body = unpacked(&w, rows[i].coding);
            assert_true(slice_equal(body, slice_from(large_event)));
        }
        world_done(&w);
    }
}

static void a_reply_in_binary_mode_packs_its_data_alone(void **state) {
    struct world w;
    (void)state;
    begin(&w, PROTOCOL_ACCEPTED, "gzip");
    ask(&w, "Content-Type: application/cloudevents+json\r\nAccept-Encoding: gzip\r\n");
    world_forget(&w);
    world_done(&w);
    begin(&w, PROTOCOL_ACCEPTED, "gzip");
    w.holds = true;
    world_give(&w, SLICE_OF("POST /v1/messages HTTP/1.1\r\nHost: a\r\nce-specversion: 1.0\r\nce-id: q\r\nce-source: /s\r\nce-type: t\r\n"
                            "ce-messagetype: query\r\nAccept-Encoding: gzip\r\n\r\n"));
    reply(&w, large_event);
    CHECK_HAS(&w, "Content-Encoding: gzip\r\n");
    CHECK_HAS(&w, "ce-id: 42\r\n");
    struct slice body = unpacked(&w, CODING_GZIP);
    assert_int_equal(body.size, 1502);
    assert_int_equal(body.data[0], '"');
    assert_int_equal(body.data[1], 'x');
    world_done(&w);
}

static void small_answers_are_left_alone(void **state) {
    struct world w;
    (void)state;
    begin(&w, PROTOCOL_ACCEPTED, "gzip");
    ask(&w, STRUCTURED "Accept-Encoding: gzip\r\n");
    reply(&w, "{\"specversion\":\"1.0\",\"id\":\"42\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"response\"}");
    CHECK_LACKS(&w, "Content-Encoding");
    CHECK_LACKS(&w, "Vary");
    world_forget(&w);
    w.holds = false;
    post(&w, STRUCTURED "Accept-Encoding: gzip\r\n", SLICE_OF("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}"));
    world_check(&w, 202);
    CHECK_LACKS(&w, "Content-Encoding");
    world_done(&w);
}

static void what_one_request_accepts_does_not_count_for_the_next(void **state) {
    struct world w;
    (void)state;
    begin(&w, PROTOCOL_ACCEPTED, "gzip");
    ask(&w, STRUCTURED "Accept-Encoding: gzip\r\n");
    reply(&w, large_event);
    CHECK_HAS(&w, "Content-Encoding: gzip\r\n");
    world_forget(&w);
    w.messages = 0;
    ask(&w, STRUCTURED);
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[8192];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(large_event), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = 2, .reply_to = 2, .attempt = 1};
    assert_int_equal(protocol_http1.send(w.state, &message, NULL, &options, w.now), STATUS_OK);
    CHECK_LACKS(&w, "Content-Encoding");
    world_done(&w);
}

static void an_answer_to_a_batch_is_packed(void **state) {
    struct world w;
    struct buffer batch;
    (void)state;
    begin(&w, PROTOCOL_ACCEPTED, "gzip");
    buffer_init(&batch, 1 << 20);
    for (unsigned i = 0; i < 40; i++)
        buffer_add_text(&batch, i ? ",{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}"
                                  : "[{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}");
    buffer_add_byte(&batch, ']');
    post(&w, "Content-Type: application/cloudevents-batch+json\r\nAccept-Encoding: gzip\r\n", buffer_slice(&batch));
    world_check(&w, 200);
    CHECK_HAS(&w, "Content-Encoding: gzip\r\n");
    struct slice body = unpacked(&w, CODING_GZIP);
    assert_int_equal(body.data[0], '[');
    assert_int_equal(body.data[body.size - 1], ']');
    buffer_done(&batch);
    world_done(&w);
}

/* -- requests out, answers in -- */

static enum status send_json(struct world *w, const char *json, uint64_t token, bool asks) {
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[8192];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = token, .attempt = 1, .asks = asks};
    enum status status = protocol_http1.send(w->state, &message, NULL, &options, w->now);
    world_flush(w);
    return status;
}

static void a_large_request_leaves_packed(void **state) {
    static const enum protocol_content_mode modes[] = {PROTOCOL_MODE_STRUCTURED, PROTOCOL_MODE_BINARY, PROTOCOL_MODE_BATCH, PROTOCOL_MODE_BATCH};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world w;
        world_init(&w, PROTOCOL_DIALLED);
        w.setup.mode = modes[i];
        w.setup.batch.max = i == 3 ? 10 : 0;
        compress(&w, "gzip zstd");
        world_open(&w);
        struct world other;
        begin(&other, PROTOCOL_DIALLED, "");
        world_done(&other);
        assert_int_equal(send_json(&w, large_event, 1, false), STATUS_OK);
        CHECK_HAS(&w, "Content-Encoding: gzip\r\n");
        CHECK_LACKS(&w, "Accept-Encoding"); /* nothing comes back that could be packed */
        struct slice body = unpacked(&w, CODING_GZIP);
        if (i == 0) {
            assert_true(slice_equal(body, slice_from(large_event)));
        } else if (i == 1) {
            assert_int_equal(body.size, 1502);
        } else {
            assert_int_equal(body.data[0], '[');
            assert_int_equal(body.data[body.size - 1], ']');
        }
        world_done(&w);
    }
}

static void a_small_request_leaves_as_it_is_and_says_what_may_come_back(void **state) {
    struct world w;
    (void)state;
    begin(&w, PROTOCOL_DIALLED, "gzip zstd");
    assert_int_equal(send_json(&w, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"query\"}", 1, true), STATUS_OK);
    CHECK_LACKS(&w, "Content-Encoding");
    CHECK_HAS(&w, "Accept-Encoding: gzip, zstd\r\n");
    world_done(&w);
    begin(&w, PROTOCOL_DIALLED, "");
    assert_int_equal(send_json(&w, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"query\"}", 1, true), STATUS_OK);
    CHECK_LACKS(&w, "Accept-Encoding");
    world_done(&w);
}

static void a_415_turns_it_off_and_the_event_goes_again(void **state) {
    struct world w;
    (void)state;
    begin(&w, PROTOCOL_DIALLED, "gzip");
    assert_int_equal(send_json(&w, large_event, 1, false), STATUS_OK);
    world_forget(&w);
    world_give(&w, SLICE_OF("HTTP/1.1 415 Unsupported Media Type\r\nContent-Length: 0\r\n\r\n"));
    assert_string_equal(w.told, "1 unsent; ");
    assert_int_equal(w.outcome.status, STATUS_REJECTED); /* which counts as an attempt */
    assert_int_equal(send_json(&w, large_event, 2, false), STATUS_OK);
    CHECK_LACKS(&w, "Content-Encoding");
    world_give(&w, SLICE_OF("HTTP/1.1 415 Unsupported Media Type\r\nContent-Length: 0\r\n\r\n"));
    assert_string_equal(w.told, "1 unsent; 2 rejected; "); /* it was not the coding */
    world_done(&w);
}

static void a_415_to_a_packed_batch_sends_its_events_again(void **state) {
    struct world w;
    (void)state;
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.mode = PROTOCOL_MODE_BATCH;
    w.setup.batch.max = 10;
    compress(&w, "gzip");
    world_open(&w);
    assert_int_equal(send_json(&w, large_event, 1, false), STATUS_OK);
    CHECK_HAS(&w, "Content-Encoding: gzip\r\n");
    world_forget(&w);
    world_give(&w, SLICE_OF("HTTP/1.1 415 Unsupported Media Type\r\nContent-Length: 0\r\n\r\n"));
    assert_string_equal(w.told, "");
    CHECK_HAS(&w, "Content-Type: application/cloudevents+json\r\n");
    CHECK_LACKS(&w, "Content-Encoding");
    world_forget(&w);
    world_give(&w, SLICE_OF("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"));
    assert_string_equal(w.told, "1 accepted; ");
    assert_int_equal(send_json(&w, large_event, 2, false), STATUS_OK); /* batches are still known there */
    CHECK_HAS(&w, "cloudevents-batch+json");
    world_done(&w);
}

static void give_answer(struct world *w, const char *lines, struct slice body) {
    char head[512];
    int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/cloudevents+json\r\n%sContent-Length: %zu\r\n\r\n", lines, body.size);
    world_give(w, slice_make(head, (size_t)size));
    world_give(w, body);
}

static void a_packed_answer_is_read_where_it_was_asked_for(void **state) {
    static const struct {
        const char *compress, *line;
        unsigned messages;
        const char *words;
    } rows[] = {
        {"gzip", "Content-Encoding: gzip\r\n", 1, ""},
        {"zstd gzip", "Content-Encoding: gzip\r\n", 1, ""},
        {"zstd", "Content-Encoding: gzip\r\n", 0, "none that was asked for"},
        {"", "Content-Encoding: gzip\r\n", 0, "none that was asked for"},
        {"gzip", "Content-Encoding: br\r\n", 0, "none that was asked for"},
        {"gzip", "Content-Encoding: gzip, gzip\r\n", 0, "none that was asked for"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        struct coder *coder = NULL;
        struct slice body;
        begin(&w, PROTOCOL_DIALLED, rows[i].compress);
        assert_int_equal(coding_pack(&coder, CODING_GZIP, slice_from(large_event), &body), STATUS_OK);
        assert_int_equal(send_json(&w, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"query\"}", 1, true), STATUS_OK);
        give_answer(&w, rows[i].line, body);
        assert_int_equal(w.messages, rows[i].messages);
        assert_string_equal(w.told, rows[i].messages ? "1 accepted; " : "1 rejected; ");
        if (rows[i].messages)
            assert_non_null(strstr(w.seen[0].json, "xxxxxxxxxx"));
        else
            assert_non_null(strstr(w.last_invalid, rows[i].words));
        coding_done(&coder);
        world_done(&w);
    }
}

/* -- memory -- */

static void every_failing_allocation_is_survived(void **state) {
    (void)state;
#ifdef INTERTIE_DEBUG
    for (int64_t n = 0, failed = 1; failed; n++) {
        struct world w;
        struct coder *coder = NULL;
        struct slice body;
        begin(&w, PROTOCOL_ACCEPTED, "gzip zstd");
        assert_int_equal(coding_pack(&coder, CODING_GZIP, slice_from(large_event), &body), STATUS_OK);
        w.holds = true;
        memory_fail_after(n);
        post(&w, STRUCTURED "Content-Encoding: gzip\r\nAccept-Encoding: zstd\r\n", body);
        if (w.messages == 1 && !w.sink.closing) {
            struct message message;
            struct message_fault fault;
            struct message_rules rules = {.size_max = 1 << 20};
            uint8_t room[8192];
            struct buffer extra;
            buffer_init_fixed(&extra, room, sizeof room);
            assert_int_equal(message_decode_json(&message, slice_from(large_event), &extra, &rules, &fault), STATUS_OK);
            struct protocol_send options = {.token = 1, .reply_to = 1, .attempt = 1};
            protocol_http1.send(w.state, &message, NULL, &options, w.now);
        }
        failed = memory_has_failed();
        memory_fail_after(-1);
        if (!failed)
            CHECK_HAS(&w, "Content-Encoding: zstd\r\n");
        coding_done(&coder);
        world_done(&w);
    }
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packed_event_is_read),
        cmocka_unit_test(a_packed_plain_body_is_wrapped_as_what_it_stands_for),
        cmocka_unit_test(a_packed_batch_in_chunks_is_read),
        cmocka_unit_test(a_coding_that_is_not_taken_is_415_and_says_what_is),
        cmocka_unit_test(a_bomb_is_413_and_damage_is_400_and_the_connection_goes_on),
        cmocka_unit_test(the_admin_takes_none),
        cmocka_unit_test(a_large_reply_is_packed_as_the_request_accepts),
        cmocka_unit_test(a_reply_in_binary_mode_packs_its_data_alone),
        cmocka_unit_test(small_answers_are_left_alone),
        cmocka_unit_test(what_one_request_accepts_does_not_count_for_the_next),
        cmocka_unit_test(an_answer_to_a_batch_is_packed),
        cmocka_unit_test(a_large_request_leaves_packed),
        cmocka_unit_test(a_small_request_leaves_as_it_is_and_says_what_may_come_back),
        cmocka_unit_test(a_415_turns_it_off_and_the_event_goes_again),
        cmocka_unit_test(a_415_to_a_packed_batch_sends_its_events_again),
        cmocka_unit_test(a_packed_answer_is_read_where_it_was_asked_for),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests_name("http1_coded", tests, NULL, NULL);
}
