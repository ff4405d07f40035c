/* What each probe asks, and what answers it takes for good: whole, and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "protocol/probe/probe.h"
#include "protocol/stream/frame.h"

static struct probe_rig {
    struct protocol_setup setup;
    struct protocol_worker worker;
    struct protocol_sink sink;
    struct chain_pool pool;
    struct chain out;
    struct probe state;
    const struct protocol *row;
} rig;

static struct now now = {.mono = {NS_PER_S}};

static void begin(const struct protocol *row) {
    struct protocol_setup setup = rig.setup;
    rig = (struct probe_rig){.row = row, .setup = setup};
    rig.setup.limits.header = 32u << 10;
    rig.setup.limits.fields = 100;
    rig.setup.timeouts.attempt_ns = 2 * NS_PER_S;
    rig.setup.host = SLICE_OF("h:1");
    rig.setup.path = SLICE_OF("/healthz");
    if (!rig.setup.check.high) {
        rig.setup.check.low = 200;
        rig.setup.check.high = 299;
    }
    chain_pool_init(&rig.pool);
    chain_init(&rig.out, &rig.pool, row->is_datagram);
    rig.sink.out = &rig.out;
    buffer_init(&rig.worker.scratch, 1u << 20);
    uuid_source_init(&rig.worker.ids, 1);
    row->open(&rig.state, &rig.setup, &rig.worker, &rig.sink, NULL, now);
}

static void finish(void) {
    rig.row->done(&rig.state);
    chain_done(&rig.out);
    chain_pool_done(&rig.pool);
    buffer_done(&rig.worker.scratch);
}

static void feed(struct slice bytes, bool ended, size_t step) {
    uint8_t input[8192];
    size_t size = 0, at = 0;
    assert_true(bytes.size <= sizeof input);
    while (!rig.sink.closing && (at < bytes.size || ended)) {
        size_t part = bytes.size - at < step ? bytes.size - at : step;
        memcpy(input + size, bytes.data + at, part);
        size += part;
        at += part;
        bool is_last = ended && at == bytes.size;
        size_t used;
        do {
            used = rig.row->feed(&rig.state, slice_make(input, size), is_last, now);
            assert_true(used <= size);
            memmove(input, input + used, size - used);
            size -= used;
        } while (used && size && !rig.sink.closing);
        if (is_last)
            break;
    }
}

/* `good`, nothing yet, or why not. */
static const char *said(void) {
    const struct probe_verdict *verdict = &rig.state.verdict;
    assert_int_equal(verdict->is_there, rig.sink.closing);
    return !verdict->is_there ? "" : verdict->is_good ? "good" : verdict->words;
}

static bool wrote(const char *text) {
    static uint8_t all[4096];
    size_t size = 0;
    for (uint32_t i = 0; chain_piece(&rig.out, i); i++) {
        const struct chain_piece *piece = chain_piece(&rig.out, i);
        memcpy(all + size, piece->block->data + piece->at, piece->size);
        size += piece->size;
    }
    return memmem(all, size, text, strlen(text)) != NULL;
}

static void http_looks_at_status_and_body(void **state) {
    static const struct {
        const char *status, *body, *answer, *said;
        bool ended;
    } cases[] = {
        {NULL, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "good", false},
        {NULL, NULL, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "good", false},
        {NULL, NULL, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", "GET /healthz: 503", false},
        {NULL, NULL, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "GET /healthz: 302", false},
        {NULL, NULL, "HTTP/1.1 101 Switching\r\n\r\n", "GET /healthz: 101", false},
        {"401", NULL, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "good", false},
        {"401", NULL, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET /healthz: 200", false},
        {NULL, NULL, "HTTP/1.1 20", "", false},
        {NULL, NULL, "HTTP/1.1 20", "GET /healthz: the connection ended before the answer", true},
        {NULL, NULL, "", "GET /healthz: the connection ended before the answer", true},
        {NULL, "ready", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nis it ready?", "good", false},
        {NULL, "ready", "HTTP/1.1 200 OK\r\n\r\nrereready", "good", false},
        {NULL, "aab", "HTTP/1.1 200 OK\r\n\r\naaab", "good", false},
        {NULL, "ready",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n", "good",
         false},
        {NULL, "ready", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n0\r\n\r\n",
         "GET /healthz: the text is not in the body", false},
        {NULL, "ready", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nread",
         "GET /healthz: the text is not in the body", false},
        {NULL, "ready", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
         "GET /healthz: the text is not in the body", false},
        {NULL, "ready", "HTTP/1.1 200 OK\r\n\r\nread", "", false},
        {NULL, "ready", "HTTP/1.1 200 OK\r\n\r\nread", "GET /healthz: the text is not in the body", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 8192; step += 8190) {
            rig.setup = (struct protocol_setup){0};
            if (cases[i].status)
                rig.setup.check.low = rig.setup.check.high = 401;
            if (cases[i].body)
                rig.setup.check.body = slice_from(cases[i].body);
            begin(&protocol_probe_http);
            assert_true(wrote("GET /healthz HTTP/1.1\r\nHost: h:1\r\n") &&
                        wrote("Connection: close\r\n\r\n"));
            feed(slice_from(cases[i].answer), cases[i].ended, step);
            if (strcmp(said(), cases[i].said) != 0)
                fail_msg("case %zu, step %zu: %s, not %s", i, step, said(), cases[i].said);
            finish();
        }
}

static void no_more_of_a_body_is_read_than_is_looked_at(void **state) {
    static uint8_t zeros[8000];
    (void)state;
    rig.setup = (struct protocol_setup){.check.body = SLICE_OF("ready")};
    begin(&protocol_probe_http);
    feed(SLICE_OF("HTTP/1.1 200 OK\r\n\r\n"), false, 100);
    for (size_t i = 0; i <= PROBE_BODY_MAX / sizeof zeros; i++)
        feed(slice_make(zeros, sizeof zeros), false, sizeof zeros);
    assert_string_equal(said(), "GET /healthz: the text is not in the first 64 KiB");
    finish();
}

static void bytes_are_answered_as_expected(void **state) {
    static const struct {
        const char *send, *expect, *answer, *said;
        bool ended;
    } cases[] = {
        {"", "", "", "good", false},
        {"PING\r\n", "+PONG", "+PONG\r\n", "good", false},
        {"PING\r\n", "+PONG", "+PON", "", false},
        {"PING\r\n", "+PONG", "-ERR", "the answer is not what `health.expect` says", false},
        {"", "220 *ESMTP", "220 mail.example ESMTP ready", "good", false},
        {"", "220 *ESMTP", "220 mail.example", "", false},
        {"", "220 *ESMTP", "220 mail.example", "the connection ended before the answer", true},
        {"", "*", "", "", false},
        {"", "*", "x", "good", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 8192; step += 8190) {
            rig.setup = (struct protocol_setup){
                .check = {.send = slice_from(cases[i].send), .expect = slice_from(cases[i].expect)}};
            begin(&protocol_probe_bytes);
            assert_true(wrote(cases[i].send));
            feed(slice_from(cases[i].answer), cases[i].ended, step);
            if (strcmp(said(), cases[i].said) != 0)
                fail_msg("case %zu, step %zu: %s, not %s", i, step, said(), cases[i].said);
            finish();
        }
}

static void an_answer_has_a_bound(void **state) {
    static uint8_t zeros[PROBE_ANSWER_MAX + 1];
    (void)state;
    rig.setup = (struct protocol_setup){.check.expect = SLICE_OF("*ready")};
    begin(&protocol_probe_bytes);
    feed(slice_make(zeros, PROBE_ANSWER_MAX), false, PROBE_ANSWER_MAX);
    assert_string_equal(said(), "");
    finish();
    begin(&protocol_probe_bytes);
    feed(slice_make(zeros, sizeof zeros), false, sizeof zeros);
    assert_string_equal(said(), "the answer is not what `health.expect` says");
    finish();
}

static void a_datagram_is_answered_by_another(void **state) {
    (void)state;
    rig.setup = (struct protocol_setup){.check = {.send = SLICE_OF("ping"), .expect = SLICE_OF("pong")}};
    begin(&protocol_probe_datagram);
    assert_true(wrote("ping"));
    assert_string_equal(said(), "");
    rig.row->datagram(&rig.state, SLICE_OF("pong 1"), NULL, now);
    assert_string_equal(said(), "good");
    finish();
    begin(&protocol_probe_datagram);
    rig.row->datagram(&rig.state, SLICE_OF("no"), NULL, now);
    assert_string_equal(said(), "the answer is not what `health.expect` says");
    finish();
}

static void stream_v1_brings_welcome(void **state) {
    uint8_t bytes[PREFACE_SIZE + FRAME_HEADER] = {PREFACE_FIRST, 'i', 't', 's', 1, 0, 0, 0};
    (void)state;
    for (size_t step = 1; step < 8192; step += 8190) {
        rig.setup = (struct protocol_setup){0};
        frame_put_header(bytes + PREFACE_SIZE, 2, FRAME_WELCOME, 0);
        begin(&protocol_probe_stream);
        assert_true(wrote("its\x01") && wrote("\"method\":\"none\""));
        feed(slice_make(bytes, sizeof bytes), false, step);
        assert_string_equal(said(), "good");
        finish();
        frame_put_header(bytes + PREFACE_SIZE, 2, FRAME_ERROR, 0);
        begin(&protocol_probe_stream);
        feed(slice_make(bytes, sizeof bytes), false, step);
        assert_string_equal(said(), "HELLO was refused");
        finish();
        begin(&protocol_probe_stream);
        feed(SLICE_OF("HTTP/1.1 400"), false, step);
        assert_string_equal(said(), "what answers does not speak stream v1");
        finish();
    }
}

static void websocket_answers_a_ping(void **state) {
    static const struct {
        const char *frames, *said;
        size_t size;
    } cases[] = {
        {"\x8a\x00", "good", 2},
        {"\x81\x03"
         "abc\x8a\x00",
         "good", 7}, /* a message before it doesn't matter */
        {"\x81\x03"
         "ab",
         "", 4},
        {"\x88\x00", "WebSocket /healthz: the peer closed it", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 8192; step += 8190) {
            char answer[400], accept[WS_ACCEPT_SIZE];
            rig.setup = (struct protocol_setup){.websocket.contents = WS_CONTENT_BIT(WS_PLAIN)};
            begin(&protocol_probe_websocket);
            ws_accept_of(slice_make(rig.state.key, WS_KEY_SIZE), accept);
            int size =
                snprintf(answer, sizeof answer,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: %.*s\r\n\r\n",
                         WS_ACCEPT_SIZE, accept);
            memcpy(answer + size, cases[i].frames, cases[i].size);
            feed(slice_make(answer, (size_t)size + cases[i].size), false, step);
            assert_true(wrote("\x89\x80"));
            assert_string_equal(said(), cases[i].said);
            finish();
        }
    begin(&protocol_probe_websocket);
    feed(SLICE_OF("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), false, 1000);
    assert_string_equal(said(), "WebSocket /healthz: 503");
    finish();
}

static void silence_is_bad_in_time(void **state) {
    (void)state;
    rig.setup = (struct protocol_setup){0};
    begin(&protocol_probe_http);
    assert_int_equal(rig.sink.due.ns, now.mono.ns + 2 * NS_PER_S);
    rig.row->tick(&rig.state, now);
    assert_string_equal(said(), "no answer within 2000 ms");
    finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_looks_at_status_and_body),
        cmocka_unit_test(no_more_of_a_body_is_read_than_is_looked_at),
        cmocka_unit_test(bytes_are_answered_as_expected),
        cmocka_unit_test(an_answer_has_a_bound),
        cmocka_unit_test(a_datagram_is_answered_by_another),
        cmocka_unit_test(stream_v1_brings_welcome),
        cmocka_unit_test(websocket_answers_a_ping),
        cmocka_unit_test(silence_is_bad_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
