/* The accepted role on the wire: every rule of RFC 9110, RFC 9112 and of the request-smuggling lists that applies, as a
 * named vector; connections, order, limits, time. What requests mean is in api_test.c. */
#include "protocol/http1/fixture.h"

#define BLINK "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
#define OK_REQUEST BLINK "Content-Length: 5\r\n\r\nblink"

struct vector {
    const char *name;
    struct slice input;
    unsigned code; /* of the first answer; 0: it waits */
    bool closes;
};

/* Rule numbers are those of the folder's README. */
static const struct vector vectors[] = {
    {"ok-length", SLICE(OK_REQUEST), 202, false},
    {"ok-no-body", SLICE(BLINK "\r\n"), 202, false},
    {"ok-chunked", SLICE(BLINK "Transfer-Encoding: CHUNKED\r\n\r\n5\r\nblink\r\n0\r\n\r\n"), 202, false},
    {"ok-absolute-form", SLICE("POST http://localhost/v1/messages HTTP/1.1\r\nHost: other\r\n\r\n"), 202, false},
    {"ok-escaped-path", SLICE("POST /v1/%6Dessages HTTP/1.1\r\nHost: a\r\n\r\n"), 202, false},
    {"ok-obs-text-value", SLICE(BLINK "X: \x80\xff\r\n\r\n"), 202, false},
    /* 1: line ends and controls */
    {"rule1-bare-cr-in-value", SLICE(BLINK "X: a\rb\r\n\r\n"), 400, true},
    {"rule1-bare-cr-in-line", SLICE("POST /v1/messages HTTP/1.1\rHost: a\r\n\r\n"), 400, true},
    {"rule1-bare-lf-request-line", SLICE("POST /v1/messages HTTP/1.1\nHost: a\r\n\r\n"), 400, true},
    {"rule1-bare-lf-field", SLICE(BLINK "X: a\n\r\n"), 400, true},
    {"rule1-bare-lf-end", SLICE(BLINK "X: a\r\n\n"), 400, true},
    {"rule1-nul-in-value", SLICE(BLINK "X: a\0b\r\n\r\n"), 400, true},
    {"rule1-del-in-value", SLICE(BLINK "X: a\x7f" "b\r\n\r\n"), 400, true},
    {"rule1-escape-in-value", SLICE(BLINK "X: a\x1b" "b\r\n\r\n"), 400, true},
    {"rule1-tab-in-value-is-fine", SLICE(BLINK "X: a\tb\r\n\r\n"), 202, false},
    /* 2: names */
    {"rule2-space-before-colon", SLICE(BLINK "Content-Length : 5\r\n\r\nblink"), 400, true},
    {"rule2-tab-before-colon", SLICE(BLINK "X\t: 5\r\n\r\n"), 400, true},
    {"rule2-leading-space-first", SLICE("POST /v1/messages HTTP/1.1\r\n Host: a\r\n\r\n"), 400, true},
    {"rule2-no-colon", SLICE(BLINK "X\r\n\r\n"), 400, true},
    {"rule2-empty-name", SLICE(BLINK ": x\r\n\r\n"), 400, true},
    {"rule2-name-not-token", SLICE(BLINK "X(y): x\r\n\r\n"), 400, true},
    {"rule2-high-byte-in-name", SLICE(BLINK "X\xe9: x\r\n\r\n"), 400, true},
    {"rule2-nbsp-before-length", SLICE(BLINK "Content-Length:\xa0" "5\r\n\r\nblink"), 400, true},
    {"rule2-nel-in-name", SLICE(BLINK "\x85" "X: x\r\n\r\n"), 400, true},
    /* 3: folding */
    {"rule3-obs-fold", SLICE(BLINK "X: a\r\n b\r\n\r\n"), 400, true},
    {"rule3-obs-fold-tab", SLICE(BLINK "X: a\r\n\tb\r\n\r\n"), 400, true},
    /* 4: both framings */
    {"rule4-length-and-coding", SLICE(BLINK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule4-coding-and-length", SLICE(BLINK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"), 400, true},
    /* 5: Content-Length */
    {"rule5-empty", SLICE(BLINK "Content-Length:\r\n\r\n"), 400, true},
    {"rule5-plus", SLICE(BLINK "Content-Length: +5\r\n\r\nblink"), 400, true},
    {"rule5-minus", SLICE(BLINK "Content-Length: -1\r\n\r\n"), 400, true},
    {"rule5-hex", SLICE(BLINK "Content-Length: 0x10\r\n\r\n"), 400, true},
    {"rule5-underscore", SLICE(BLINK "Content-Length: 1_0\r\n\r\n"), 400, true},
    {"rule5-two-numbers", SLICE(BLINK "Content-Length: 5 5\r\n\r\nblink"), 400, true},
    {"rule5-trailing-letter", SLICE(BLINK "Content-Length: 1Z\r\n\r\n"), 400, true},
    {"rule5-20-digits", SLICE(BLINK "Content-Length: 00000000000000000005\r\n\r\nblink"), 400, true},
    {"rule5-19-digits", SLICE(BLINK "Content-Length: 0000000000000000005\r\n\r\nblink"), 202, false},
    {"rule5-overflow", SLICE(BLINK "Content-Length: 18446744073709551621\r\n\r\nblink"), 400, true},
    {"rule5-repeated-different", SLICE(BLINK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nblink"), 400, true},
    {"rule5-repeated-equal", SLICE(BLINK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nblink"), 400, true},
    {"rule5-list-equal", SLICE(BLINK "Content-Length: 5, 5\r\n\r\nblink"), 400, true},
    {"rule5-decimal-point", SLICE(BLINK "Content-Length: 5.0\r\n\r\nblink"), 400, true},
    /* 6: Transfer-Encoding */
    {"rule6-leading-comma", SLICE(BLINK "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-chunked-chunked", SLICE(BLINK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-twice", SLICE(BLINK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-identity", SLICE(BLINK "Transfer-Encoding: identity\r\n\r\n"), 400, true},
    {"rule6-xchunked", SLICE(BLINK "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-parameter", SLICE(BLINK "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-vertical-tab", SLICE(BLINK "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-form-feed", SLICE(BLINK "Transfer-Encoding: chunked\x0c\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-empty", SLICE(BLINK "Transfer-Encoding:\r\n\r\n"), 400, true},
    {"rule6-quoted", SLICE(BLINK "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-in-1.0", SLICE("POST /v1/messages HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, true},
    {"rule6-gzip", SLICE(BLINK "Transfer-Encoding: gzip\r\n\r\n"), 501, true},
    {"rule6-gzip-chunked", SLICE(BLINK "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501, true},
    /* 7: chunks; the decoder's own vectors are in parse_test.c */
    {"rule7-bad-size", SLICE(BLINK "Transfer-Encoding: chunked\r\n\r\n0x5\r\nblink\r\n0\r\n\r\n"), 400, true},
    {"rule7-data-past-size", SLICE(BLINK "Transfer-Encoding: chunked\r\n\r\n4\r\nblink\r\n0\r\n\r\n"), 400, true},
    {"rule7-unfinished", SLICE(BLINK "Transfer-Encoding: chunked\r\n\r\n5\r\nblink\r\n0\r\n"), 0, false},
    /* 8: bodies on any method are framed */
    {"rule8-get-with-body", SLICE("GET /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nblink"), 405, false},
    {"rule8-get-with-bad-length", SLICE("GET /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"), 400, true},
    {"rule8-options-with-chunks", SLICE("OPTIONS * HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
     204, false},
    /* 9: Host and target */
    {"rule9-host-missing", SLICE("POST /v1/messages HTTP/1.1\r\n\r\n"), 400, true},
    {"rule9-host-missing-1.0-is-fine", SLICE("POST /v1/messages HTTP/1.0\r\n\r\n"), 202, true},
    {"rule9-host-twice", SLICE(BLINK "Host: localhost\r\n\r\n"), 400, true},
    {"rule9-host-with-user", SLICE("POST /v1/messages HTTP/1.1\r\nHost: me@a\r\n\r\n"), 400, true},
    {"rule9-host-with-path", SLICE("POST /v1/messages HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400, true},
    {"rule9-host-list", SLICE("POST /v1/messages HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400, true},
    {"rule9-host-port-too-big", SLICE("POST /v1/messages HTTP/1.1\r\nHost: a:99999\r\n\r\n"), 400, true},
    {"rule9-absolute-with-user", SLICE("POST http://u:p@a/v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-absolute-without-host", SLICE("POST http:///v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-other-scheme", SLICE("POST ftp://a/v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-relative-target", SLICE("POST v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-asterisk-post", SLICE("POST * HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-asterisk-options", SLICE("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 204, false},
    {"rule9-authority-post", SLICE("POST a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-method-not-token", SLICE("PO(ST /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-method-empty", SLICE(" /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-method-unknown", SLICE("BREW /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 405, false},
    {"rule9-method-lower-case", SLICE("post /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 405, false},
    {"rule9-two-spaces", SLICE("POST  /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-tab-for-space", SLICE("POST\t/v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-space-in-target", SLICE("POST /v1/mess ages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-control-in-target", SLICE("POST /v1/\x01messages HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-fragment", SLICE("POST /v1/messages#x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-high-byte-in-target", SLICE("POST /v1/messag\xc3\xa9s HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-bad-escape", SLICE("POST /v1/messages?x=%4 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-bad-escape-letters", SLICE("POST /v1/messages?x=%zz HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule9-dot-segments", SLICE("POST /v1/../v1/./messages HTTP/1.1\r\nHost: a\r\n\r\n"), 202, false},
    {"rule9-escaped-slash", SLICE("POST /v1%2Fmessages HTTP/1.1\r\nHost: a\r\n\r\n"), 404, false},
    {"rule9-double-slash", SLICE("POST /v1//messages HTTP/1.1\r\nHost: a\r\n\r\n"), 404, false},
    {"rule9-escaped-nul", SLICE("POST /v1/messages%00 HTTP/1.1\r\nHost: a\r\n\r\n"), 404, false},
    /* 10: versions */
    {"rule10-1.2", SLICE("POST /v1/messages HTTP/1.2\r\nHost: a\r\n\r\n"), 505, true},
    {"rule10-2.0", SLICE("POST /v1/messages HTTP/2.0\r\nHost: a\r\n\r\n"), 505, true},
    {"rule10-1.10", SLICE("POST /v1/messages HTTP/1.10\r\nHost: a\r\n\r\n"), 505, true},
    {"rule10-h2-preface", SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400, true},
    {"rule10-0.9", SLICE("GET /\r\n"), 400, true},
    {"rule10-lower-case", SLICE("POST /v1/messages http/1.1\r\nHost: a\r\n\r\n"), 400, true},
    {"rule10-space-after", SLICE("POST /v1/messages HTTP/1.1 \r\nHost: a\r\n\r\n"), 400, true},
    /* 12: empty lines */
    {"rule12-one-empty-line", SLICE("\r\n" OK_REQUEST), 202, false},
    {"rule12-two-empty-lines", SLICE("\r\n\r\n" OK_REQUEST), 400, true},
    {"rule12-lf-first", SLICE("\n" OK_REQUEST), 400, true},
    /* 14: 1.0 */
    {"rule14-1.0-closes", SLICE("POST /v1/messages HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"), 202, true},
    {"rule14-1.0-keep-alive", SLICE("POST /v1/messages HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 202, false},
    {"rule14-1.1-close", SLICE(BLINK "Connection: close\r\n\r\n"), 202, true},
    {"rule14-1.0-close-wins", SLICE("POST /v1/messages HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), 202, true},
    /* 15: upgrades are never made */
    {"rule15-h2c", SLICE(BLINK "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"), 202, false},
    {"rule15-websocket-elsewhere", SLICE(BLINK "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), 202, false},
    {"rule15-websocket-planned", SLICE("GET /v1/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), 501,
     false},
    /* 16: Expect */
    {"rule16-other-expectation", SLICE(BLINK "Expect: 200-ok\r\n\r\n"), 417, false},
    {"rule16-in-1.0-ignored", SLICE("POST /v1/messages HTTP/1.0\r\nExpect: x\r\n\r\n"), 202, true},
    /* 17 */
    {"rule17-connect", SLICE("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), 405, false},
    {"rule17-trace", SLICE("TRACE /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n"), 405, false},
    {"rule17-connect-without-port", SLICE("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"), 400, true},
    /* 18: singletons */
    {"rule18-content-type-twice", SLICE(BLINK "Content-Type: text/plain\r\n\r\n"), 400, true},
    {"rule18-authorization-twice", SLICE(BLINK "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n\r\n"), 400, true},
    {"rule18-ce-twice", SLICE("POST /v1/messages HTTP/1.1\r\nHost: a\r\nce-id: 1\r\nCE-ID: 2\r\nce-source: /a\r\nce-type: t\r\n"
                              "ce-specversion: 1.0\r\n\r\n"), 400, false},
    {"rule18-ce-twice-structured", SLICE("POST /v1/messages HTTP/1.1\r\nHost: a\r\nce-id: 1\r\nce-id: 1\r\nContent-Type: "
                                         "application/cloudevents+json\r\n\r\n"), 400, false},
    /* trust */
    {"trust-origin", SLICE(BLINK "Origin: http://evil.example\r\n\r\n"), 403, false},
    {"trust-origin-other-port", SLICE(BLINK "Origin: http://localhost:1\r\n\r\n"), 403, false},
    {"trust-origin-same-host", SLICE(BLINK "Origin: http://localhost\r\n\r\n"), 202, false},
    {"trust-origin-null", SLICE(BLINK "Origin: null\r\n\r\n"), 403, false},
};

static void run(struct world *w, const struct vector *v, bool bytewise) {
    world_init(w, PROTOCOL_ACCEPTED);
    world_open(w);
    if (bytewise)
        world_give_bytewise(w, v->input);
    else
        world_give(w, v->input);
    if (world_code(w, 0) != v->code || w->sink.closing != v->closes)
        fail_msg("%s: %u closing=%d: %s", v->name, world_code(w, 0), w->sink.closing, world_text(w));
    if (v->code == 400 && v->closes)
        assert_int_equal(w->sink.close_status, STATUS_PROTOCOL_ERROR);
    if (v->code >= 400) {
        CHECK_HAS(w, "Content-Type: application/problem+json\r\n");
        assert_true(w->invalids > 0);
        assert_true(w->messages == 0);
    }
    if (v->closes) {
        CHECK_HAS(w, "Connection: close\r\n");
        assert_true(w->sink.reading_done);
    }
}

static void vectors_get_their_answer(void **state) {
    (void)state;
    assert_true(COUNT_OF(vectors) >= 100);
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct world *once = test_malloc(sizeof *once), *bytewise = test_malloc(sizeof *bytewise);
        run(once, &vectors[i], false);
        run(bytewise, &vectors[i], true);
        assert_string_equal(world_text(once), world_text(bytewise));
        assert_int_equal(once->messages, bytewise->messages);
        world_done(once);
        world_done(bytewise);
        test_free(once);
        test_free(bytewise);
    }
}

/* After what isn't an end, the next request is understood. */
static void the_next_request_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        if (vectors[i].closes || vectors[i].code == 0)
            continue;
        struct world *w = test_malloc(sizeof *w);
        world_init(w, PROTOCOL_ACCEPTED);
        world_open(w);
        world_give(w, vectors[i].input);
        world_forget(w);
        world_give(w, SLICE_OF(OK_REQUEST));
        if (world_code(w, 0) != 202)
            fail_msg("%s: %s", vectors[i].name, world_text(w));
        world_done(w);
        test_free(w);
    }
}

/* After an error, whatever comes is no request. */
static void nothing_is_read_after_an_error(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    world_open(&w);
    world_give(&w, SLICE_OF(BLINK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" OK_REQUEST));
    assert_int_equal(world_code(&w, 0), 400);
    assert_int_equal(world_code(&w, 1), 0);
    assert_int_equal(w.messages, 0);
    assert_int_equal(protocol_http1.feed(w.state, SLICE_OF(OK_REQUEST), false, w.now), strlen(OK_REQUEST));
    assert_int_equal(w.messages, 0);
    world_done(&w);
}

static void every_truncation_waits(void **state) {
    (void)state;
    static const struct slice inputs[] = {
        SLICE(OK_REQUEST), SLICE(BLINK "Transfer-Encoding: chunked\r\n\r\n2;x\r\nbl\r\n3\r\nink\r\n0\r\nA: b\r\n\r\n")};
    for (size_t i = 0; i < 2; i++)
        for (size_t size = 0; size <= inputs[i].size; size++) {
            struct world w;
            world_init(&w, PROTOCOL_ACCEPTED);
            world_open(&w);
            world_give(&w, slice_head(inputs[i], size));
            assert_int_equal(w.messages, size == inputs[i].size);
            assert_int_equal(world_code(&w, 0), size == inputs[i].size ? 202 : 0);
            assert_false(w.sink.closing);
            world_give(&w, slice_skip(inputs[i], size));
            world_check(&w, 202);
            world_done(&w);
        }
}

static void a_peer_that_ends_early_is_told(void **state) {
    (void)state;
    for (size_t size = 0; size < strlen(OK_REQUEST); size++) {
        struct world w;
        world_init(&w, PROTOCOL_ACCEPTED);
        world_open(&w);
        world_give(&w, slice_head(SLICE_OF(OK_REQUEST), size));
        world_end(&w);
        assert_int_equal(world_code(&w, 0), size ? 400 : 0);
        assert_true(w.sink.closing);
        assert_int_equal(w.sink.close_status, size ? STATUS_PROTOCOL_ERROR : STATUS_PEER_CLOSED);
        assert_int_equal(w.messages, 0);
        world_done(&w);
    }
}

static void a_half_closed_peer_gets_its_answer(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    w.holds = true;
    world_open(&w);
    world_give(&w, SLICE_OF(OK_REQUEST));
    world_end(&w);
    assert_false(w.sink.closing);
    world_settle(&w, 1, STATUS_OK);
    world_check(&w, 202);
    assert_true(w.sink.closing);
    world_done(&w);
}

static void pipelined_requests_are_answered_in_order(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    w.holds = true;
    world_open(&w);
    world_give(&w, SLICE_OF(OK_REQUEST "GET /none HTTP/1.1\r\nHost: a\r\n\r\n" OK_REQUEST));
    assert_int_equal(w.messages, 1);
    assert_true(w.sink.paused);
    assert_int_equal(world_code(&w, 0), 0);
    world_settle(&w, 1, STATUS_OVERLOADED);
    assert_int_equal(w.messages, 2);
    assert_int_equal(w.seen[1].token, 2);
    assert_true(w.sink.paused);
    world_settle(&w, 2, STATUS_OK);
    assert_false(w.sink.paused);
    assert_int_equal(world_code(&w, 0), 503);
    assert_int_equal(world_code(&w, 1), 404);
    assert_int_equal(world_code(&w, 2), 202);
    assert_int_equal(world_code(&w, 3), 0);
    world_done(&w);
}

static void settling_twice_or_others_does_nothing(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    w.holds = true;
    world_open(&w);
    world_settle(&w, 1, STATUS_OK);
    world_give(&w, SLICE_OF(OK_REQUEST));
    world_settle(&w, 2, STATUS_OK);
    assert_int_equal(world_code(&w, 0), 0);
    world_settle(&w, 1, STATUS_OK);
    world_settle(&w, 1, STATUS_OK);
    world_check(&w, 202);
    assert_int_equal(world_code(&w, 1), 0);
    world_done(&w);
}

static void continue_is_sent_once_and_only_when_due(void **state) {
    (void)state;
    struct world w;
    struct slice head = SLICE(BLINK "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
    world_init(&w, PROTOCOL_ACCEPTED);
    world_open(&w);
    world_give(&w, head);
    assert_string_equal(world_text(&w), "HTTP/1.1 100 Continue\r\n\r\n");
    world_give(&w, SLICE_OF("bl"));
    assert_string_equal(world_text(&w), "HTTP/1.1 100 Continue\r\n\r\n");
    world_forget(&w);
    world_give(&w, SLICE_OF("ink"));
    world_check(&w, 202);
    /* The body is there: nothing to ask for. */
    world_forget(&w);
    world_give(&w, SLICE_OF(BLINK "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nblink"));
    CHECK_LACKS(&w, "100 Continue");
    world_check(&w, 202);
    world_forget(&w);
    world_give(&w, SLICE_OF(BLINK "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert_string_equal(world_text(&w), "HTTP/1.1 100 Continue\r\n\r\n");
    world_give(&w, SLICE_OF("0\r\n\r\n"));
    world_forget(&w);
    /* A refusal instead of 100: it can't be known whether the body will come. */
    world_give(&w, SLICE_OF("POST /none HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    world_check(&w, 404);
    assert_true(w.sink.closing);
    world_done(&w);
}

static void limits_have_their_answers(void **state) {
    (void)state;
    char *text = test_malloc(80000);
    for (int extra = 0; extra < 2; extra++) {
        struct world w;
        /* limits.message is 64 */
        for (int chunked = 0; chunked < 2; chunked++) {
            world_init(&w, PROTOCOL_ACCEPTED);
            w.setup.limits.message = 64;
            world_open(&w);
            if (chunked)
                snprintf(text, 80000, BLINK "Transfer-Encoding: chunked\r\n\r\n20\r\n%032d\r\n%x\r\n%0*d\r\n0\r\n\r\n", 1,
                         32 + extra, 32 + extra, 1);
            else
                snprintf(text, 80000, BLINK "Content-Length: %d\r\n\r\n%0*d", 64 + extra, 64 + extra, 1);
            world_give(&w, slice_from(text));
            world_check(&w, extra ? 413 : 202);
            assert_int_equal(w.sink.closing, extra);
            world_done(&w);
        }
        /* limits.fields is 4: BLINK has two */
        world_init(&w, PROTOCOL_ACCEPTED);
        w.setup.limits.fields = 4;
        world_open(&w);
        snprintf(text, 80000, BLINK "A: 1\r\nB: 2\r\n%s\r\n", extra ? "C: 3\r\n" : "");
        world_give(&w, slice_from(text));
        world_check(&w, extra ? 431 : 202);
        assert_int_equal(w.sink.closing, extra);
        world_done(&w);
        /* limits.header, all in one value */
        world_init(&w, PROTOCOL_ACCEPTED);
        world_open(&w);
        size_t fixed = strlen(BLINK "X: \r\n\r\n");
        snprintf(text, 80000, BLINK "X: %0*d\r\n\r\n", (int)(w.setup.limits.header - fixed) + extra, 1);
        world_give_bytewise(&w, slice_from(text));
        world_check(&w, extra ? 431 : 202);
        world_done(&w);
        /* the request line: 8 KiB */
        world_init(&w, PROTOCOL_ACCEPTED);
        world_open(&w);
        snprintf(text, 80000, "POST /v1/messages?%0*d HTTP/1.1\r\nHost: a\r\n\r\n",
                 8192 - (int)strlen("POST /v1/messages? HTTP/1.1\r\n") + extra, 1);
        world_give_bytewise(&w, slice_from(text));
        world_check(&w, extra ? 414 : 202);
        world_done(&w);
    }
    test_free(text);
}

static void slow_requests_and_idle_connections_end(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    world_open(&w);
    world_wait(&w, 59 * NS_PER_S);
    assert_false(w.sink.closing);
    world_wait(&w, 2 * NS_PER_S);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_IDLE_TIMEOUT);
    assert_string_equal(world_text(&w), "");
    world_done(&w);
    /* The head's time runs from its first byte, and more bytes don't give more. */
    world_init(&w, PROTOCOL_ACCEPTED);
    world_open(&w);
    world_give(&w, SLICE_OF("POST"));
    world_wait(&w, 9 * NS_PER_S);
    world_give(&w, SLICE_OF(" /v1"));
    assert_false(w.sink.closing);
    world_wait(&w, 2 * NS_PER_S);
    world_check(&w, 408);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_HEAD_TIMEOUT);
    world_done(&w);
    /* A body of 20 KiB may take 10 s and 20 more. */
    for (int chunked = 0; chunked < 2; chunked++) {
        world_init(&w, PROTOCOL_ACCEPTED);
        w.setup.limits.message = 20480;
        world_open(&w);
        world_give(&w, chunked ? SLICE_OF(BLINK "Transfer-Encoding: chunked\r\n\r\n5\r\nb") : SLICE_OF(BLINK "Content-Length: 20480\r\n\r\nb"));
        world_wait(&w, 29 * NS_PER_S);
        assert_false(w.sink.closing);
        world_wait(&w, 2 * NS_PER_S);
        world_check(&w, 408);
        world_done(&w);
    }
    /* While the user thinks it is not the peer who is slow. */
    world_init(&w, PROTOCOL_ACCEPTED);
    w.holds = true;
    world_open(&w);
    world_give(&w, SLICE_OF(OK_REQUEST));
    world_wait(&w, 600 * NS_PER_S);
    assert_false(w.sink.closing);
    world_settle(&w, 1, STATUS_REPLY_TIMEOUT);
    world_check(&w, 504);
    world_wait(&w, 61 * NS_PER_S);
    assert_true(w.sink.closing);
    world_done(&w);
}

static void shut_finishes_what_is_open(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    world_open(&w);
    protocol_http1.shut(w.state, STATUS_SHUTDOWN, w.now);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_SHUTDOWN);
    world_done(&w);
    world_init(&w, PROTOCOL_ACCEPTED);
    w.holds = true;
    world_open(&w);
    world_give(&w, SLICE_OF(OK_REQUEST OK_REQUEST));
    protocol_http1.shut(w.state, STATUS_SHUTDOWN, w.now);
    assert_false(w.sink.closing);
    world_settle(&w, 1, STATUS_OK);
    world_check(&w, 202);
    CHECK_HAS(&w, "Connection: close\r\n");
    assert_true(w.sink.closing && w.sink.close_status == STATUS_SHUTDOWN);
    assert_int_equal(w.messages, 1);
    world_done(&w);
}

static void loopback_listeners_serve_loopback_names(void **state) {
    (void)state;
    static const struct {
        const char *request;
        unsigned code;
    } rows[] = {
        {"POST /v1/messages HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 202},
        {"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 202},
        {"POST /v1/messages HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", 202},
        {"POST /v1/messages HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403},
        {"POST /v1/messages HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 403},
        {"POST /v1/messages HTTP/1.1\r\nHost:\r\n\r\n", 403},
        {"POST http://evil.example/v1/messages HTTP/1.1\r\nHost: localhost\r\n\r\n", 403},
        {"POST http://localhost/v1/messages HTTP/1.1\r\nHost: evil.example\r\n\r\n", 202},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int admin = 0; admin < 2; admin++) {
            struct world w;
            world_init(&w, PROTOCOL_ACCEPTED);
            w.setup.is_loopback = true;
            w.setup.is_admin = admin;
            world_open(&w);
            world_give(&w, slice_from(rows[i].request));
            world_check(&w, admin && rows[i].code == 202 ? 200 : rows[i].code);
            assert_int_equal(w.requests, admin && rows[i].code == 202);
            world_done(&w);
        }
}

static void keys_are_asked_about_once(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    world_open(&w);
    world_give(&w, SLICE_OF(BLINK "Authorization: Bearer itk_abc\r\n\r\n" BLINK "Authorization: bearer itk_abc\r\n\r\n"));
    assert_int_equal(w.hellos, 1);
    assert_string_equal(w.hello_key, "itk_abc");
    assert_non_null(strstr(w.seen[1].json, "\"source\":\"/systems/desk\""));
    world_give(&w, SLICE_OF(BLINK "\r\n"));
    assert_int_equal(w.hellos, 2);
    assert_string_equal(w.hello_key, "");
    assert_non_null(strstr(w.seen[2].json, "\"source\":\"/listeners/web\""));
    w.hello_answer = STATUS_UNAUTHENTICATED;
    world_forget(&w);
    world_give(&w, SLICE_OF(BLINK "Authorization: Bearer other\r\n\r\n" BLINK "Authorization: Bearer other\r\n\r\n"));
    assert_int_equal(w.hellos, 4); /* a refusal isn't remembered */
    assert_int_equal(world_code(&w, 0), 401);
    assert_int_equal(world_code(&w, 1), 401);
    CHECK_HAS(&w, "WWW-Authenticate: Bearer\r\n");
    CHECK_HAS(&w, "\"reason\":\"unauthenticated\"");
    assert_int_equal(w.messages, 3);
    world_forget(&w);
    world_give(&w, SLICE_OF(BLINK "Authorization: Basic Zm9v\r\n\r\n"));
    world_check(&w, 401);
    assert_int_equal(w.hellos, 4);
    w.hello_answer = STATUS_FORBIDDEN;
    world_forget(&w);
    world_give(&w, SLICE_OF(BLINK "Content-Length: 5\r\n\r\nblink"));
    world_check(&w, 403);
    world_done(&w);
    /* in clear text, where that is refused */
    world_init(&w, PROTOCOL_ACCEPTED);
    w.setup.keys_refused = true;
    world_open(&w);
    world_give(&w, SLICE_OF(BLINK "Authorization: Bearer itk_abc\r\n\r\n"));
    world_check(&w, 403);
    CHECK_HAS(&w, "clear text");
    assert_int_equal(w.hellos, 0);
    world_done(&w);
}

static void admin_requests_are_handed_up(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    w.setup.is_admin = true;
    world_open(&w);
    world_give(&w, SLICE_OF("POST /api/%76%31/reload?dry_run=true&pretty=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                            "Content-Length: 2\r\n\r\n{}"));
    assert_string_equal(w.request, "POST /api/v1/reload ? dry_run=true&pretty=1 [{}] json=1 host=a pretty=1");
    assert_string_equal(world_text(&w), "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 22:00:00 GMT\r\nETag: \"1\"\r\n"
                                        "Content-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n");
    world_forget(&w);
    world_give(&w, SLICE_OF("HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_string_equal(world_text(&w), "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 22:00:00 GMT\r\nETag: \"1\"\r\n"
                                        "Content-Type: text/plain\r\nContent-Length: 6\r\n\r\n");
    /* later, and only once */
    world_forget(&w);
    w.holds = true;
    world_give(&w, SLICE_OF("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"));
    http1_answer(w.state, w.request_token + 1, 200, SLICE_OF(""), SLICE_OF(""), SLICE_OF(""), w.now);
    assert_string_equal(world_text(&w), "");
    http1_answer_problem(w.state, w.request_token, STATUS_NOT_FOUND, SLICE_OF("no such thing"), w.now);
    http1_answer_problem(w.state, w.request_token, STATUS_NOT_FOUND, SLICE_OF("no such thing"), w.now);
    world_check(&w, 404);
    CHECK_HAS(&w, "\"detail\":\"no such thing\"}");
    assert_int_equal(world_code(&w, 1), 0);
    world_done(&w);
}

static void failed_allocations_end_the_connection_or_are_survived(void **state) {
    (void)state;
#ifdef INTERTIE_DEBUG
    struct slice input = SLICE(BLINK "Transfer-Encoding: chunked\r\n\r\n5\r\nblink\r\n0\r\n\r\n" OK_REQUEST
        "POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Type: application/cloudevents-batch+json\r\nContent-Length: 2\r\n\r\n[]");
    for (int64_t skip = 0;; skip++) {
        struct world *w = test_malloc(sizeof *w);
        world_init(w, PROTOCOL_ACCEPTED);
        world_open(w);
        buffer_reserve(&w->partial, 4096); /* the fixture's own aren't meant */
        buffer_reserve(&w->out, 65536);
        memory_fail_after(skip);
        world_give(w, input);
        bool failed = memory_has_failed();
        memory_fail_after(-1);
        if (!failed)
            assert_int_equal(world_code(w, 2), 200);
        else
            assert_true(w->sink.closing || world_code(w, 0) != 0);
        world_done(w);
        test_free(w);
        if (!failed)
            break;
        assert_true(skip < 100);
    }
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_get_their_answer),
        cmocka_unit_test(the_next_request_is_found),
        cmocka_unit_test(nothing_is_read_after_an_error),
        cmocka_unit_test(every_truncation_waits),
        cmocka_unit_test(a_peer_that_ends_early_is_told),
        cmocka_unit_test(a_half_closed_peer_gets_its_answer),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(settling_twice_or_others_does_nothing),
        cmocka_unit_test(continue_is_sent_once_and_only_when_due),
        cmocka_unit_test(limits_have_their_answers),
        cmocka_unit_test(slow_requests_and_idle_connections_end),
        cmocka_unit_test(shut_finishes_what_is_open),
        cmocka_unit_test(loopback_listeners_serve_loopback_names),
        cmocka_unit_test(keys_are_asked_about_once),
        cmocka_unit_test(admin_requests_are_handed_up),
        cmocka_unit_test(failed_allocations_end_the_connection_or_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
