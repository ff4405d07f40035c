/* Each request and answer of smuggling_vectors.h has one reading, however it is cut: what is taken, what is refused, and
 * where the next one starts. */
#define SEEN_MAX 4
#define WORLD_EXTRA 8192
#include "protocol/http1/fixture.h"
#include "protocol/http1/smuggling_vectors.h"

enum fate { CLOSED, ANSWERED, TAKEN, LAST, KEPT, ENDS, DOUBT };

static const struct vector {
    const char *name;
    const char *section;
    struct slice bytes;
    struct slice with_tail;
    enum fate fate;
    unsigned code;
    const char *data;
} requests[] = {
#define REQUEST_ROW(name, section, bytes, fate, code, data) {name, section, SLICE(bytes), SLICE(bytes SMUGGLING_TAIL), fate, code, data},
    SMUGGLING_REQUESTS(REQUEST_ROW)
}, answers[] = {
#define ANSWER_ROW(name, section, bytes, fate) {name, section, SLICE(bytes), SLICE(""), fate, 0, NULL},
    SMUGGLING_ANSWERS(ANSWER_ROW)
};

/* Whole, byte by byte, and in two pieces. */
#define CUT_WHOLE SIZE_MAX
#define CUT_BYTES (SIZE_MAX - 1)

static void give(struct world *w, struct slice bytes, size_t cut) {
    if (cut == CUT_WHOLE) {
        world_give(w, bytes);
    } else if (cut == CUT_BYTES) {
        world_give_bytewise(w, bytes);
    } else {
        world_give(w, slice_head(bytes, cut));
        world_give(w, slice_skip(bytes, cut));
    }
}

static void wrong(const struct vector *v, struct world *w, size_t cut, const char *words) {
    fail_msg("%s (RFC %s), cut at %zd: %s; %u messages, closing=%d, answers: %s", v->name, v->section, (ssize_t)cut, words,
             w->messages, w->sink.closing, world_text(w));
}

/* -- the accepted role -- */

static void check_message(const struct vector *v, struct world *w, size_t cut) {
    char data[128];
    snprintf(data, sizeof data, "\"data\":\"%s\"}", v->data);
    if (w->messages == 0 || (v->data[0] && !strstr(w->seen[0].json, data)))
        wrong(v, w, cut, w->messages ? w->seen[0].json : "no message");
    if (!v->data[0] && strstr(w->seen[0].json, "\"data\":") && !strstr(w->seen[0].json, "\"data\":\"\"}"))
        wrong(v, w, cut, w->seen[0].json);
    if (strstr(w->seen[0].json, "\"target\":"))
        wrong(v, w, cut, "a message for somebody else");
}

static void check_tail(const struct vector *v, struct world *w, unsigned before, size_t cut) {
    if (w->messages != before + 1 || w->sink.closing)
        wrong(v, w, cut, "the next request is not found");
    if (!strstr(w->seen[before].json, "\"target\":\"tail\"") || !strstr(w->seen[before].json, "\"data\":\"tail\"}"))
        wrong(v, w, cut, w->seen[before].json);
    if (!strstr(world_text(w), "HTTP/1.1 202 Accepted\r\n"))
        wrong(v, w, cut, "the next request is not answered");
}

static void run_request(const struct vector *v, size_t cut) {
    struct world *w = test_malloc(sizeof *w);
    world_init(w, PROTOCOL_ACCEPTED);
    world_open(w);
    give(w, v->with_tail, cut);
    unsigned code = world_code(w, 0);
    if (code == 100)
        code = world_code(w, 1);
    if (code != v->code)
        wrong(v, w, cut, "another answer was due");
    bool is_message = v->fate == TAKEN || v->fate == LAST;
    if (is_message)
        check_message(v, w, cut);
    if (v->fate == TAKEN || v->fate == ANSWERED) {
        check_tail(v, w, is_message, cut);
    } else {
        if (w->messages != is_message)
            wrong(v, w, cut, "something was read after the end");
        if (!w->sink.closing || !w->sink.reading_done)
            wrong(v, w, cut, "it does not close");
        if (v->fate == CLOSED && w->invalids == 0)
            wrong(v, w, cut, "nobody was told");
    }
    world_done(w);
    test_free(w);
}

static void requests_have_one_reading(void **state) {
    (void)state;
    assert_true(COUNT_OF(requests) >= 180);
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        run_request(&requests[i], CUT_WHOLE);
        run_request(&requests[i], CUT_BYTES);
        for (size_t cut = 1; cut < requests[i].with_tail.size; cut++)
            run_request(&requests[i], cut);
    }
}

/* A refusal must not depend on what comes after it either. */
static void refusals_need_nothing_more(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        const struct vector *v = &requests[i];
        /* Incomplete by themselves: their trailers or sizes want more. */
        bool open = strstr(v->name, "chunk-last-without-end") || strstr(v->name, "huge") || strstr(v->name, "wraps-32");
        if (v->fate != CLOSED || open)
            continue;
        struct world w;
        world_init(&w, PROTOCOL_ACCEPTED);
        world_open(&w);
        world_give(&w, v->bytes);
        if (world_code(&w, 0) != v->code || !w.sink.closing)
            wrong(v, &w, CUT_WHOLE, "it is not refused by itself");
        world_done(&w);
    }
}

/* -- the dialled role -- */

static void send_event(struct world *w, uint64_t token, bool asks) {
    static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\"}";
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[256];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(event), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = token, .attempt = 1, .asks = asks};
    assert_int_equal(protocol_http1.send(w->state, &message, NULL, &options, w->now), STATUS_OK);
    world_flush(w);
}

static void check_next_exchange(const struct vector *v, struct world *w, size_t cut) {
    if (w->sink.closing || w->sink.room.messages != 1)
        wrong(v, w, cut, "the connection is not free again");
    send_event(w, 2, false);
    world_give(w, SLICE_OF("HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n"));
    if (w->outcomes != 2 || w->outcome_token != 2 || w->outcome.verdict != VERDICT_REJECTED)
        wrong(v, w, cut, "the next answer is not the next request's");
}

static void run_answer(const struct vector *v, size_t cut, bool asks) {
    struct world *w = test_malloc(sizeof *w);
    world_init(w, PROTOCOL_DIALLED);
    world_open(w);
    send_event(w, 1, asks);
    give(w, v->bytes, cut);
    if (v->fate == ENDS && !w->sink.closing)
        world_end(w); /* framed by the end of the connection */
    if (w->outcomes != (v->fate != DOUBT))
        wrong(v, w, cut, w->outcomes ? "an outcome where none is sure" : "no outcome");
    if (w->messages)
        wrong(v, w, cut, "a reply where none was"); /* 202 has none */
    if (v->fate == KEPT)
        check_next_exchange(v, w, cut);
    else if (!w->sink.closing || w->sink.room.messages || w->sink.close_status == STATUS_OK)
        wrong(v, w, cut, "the connection may be used again");
    world_done(w);
    test_free(w);
}

static void answers_have_one_reading(void **state) {
    (void)state;
    assert_true(COUNT_OF(answers) >= 60);
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        for (int asks = 0; asks < 2; asks++) {
            run_answer(&answers[i], CUT_WHOLE, asks);
            run_answer(&answers[i], CUT_BYTES, asks);
            for (size_t cut = 1; cut < answers[i].bytes.size; cut++)
                run_answer(&answers[i], cut, asks);
        }
}

/* An answer that nobody asked for, already there when the connection opens or between exchanges. */
static void no_answer_waits_for_a_request(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct world w;
        world_init(&w, PROTOCOL_DIALLED);
        world_open(&w);
        world_give(&w, slice_head(answers[i].bytes, 1));
        if (!w.sink.closing || w.sink.room.messages || w.outcomes)
            wrong(&answers[i], &w, 1, "it was kept for later");
        world_done(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_have_one_reading),
        cmocka_unit_test(refusals_need_nothing_more),
        cmocka_unit_test(answers_have_one_reading),
        cmocka_unit_test(no_answer_waits_for_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
