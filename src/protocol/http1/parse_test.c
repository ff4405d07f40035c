/* The head parser, the chunk decoder and dates by themselves: they are functions of their bytes. */
#include "protocol/http1/fixture.h"

#include "protocol/http1/chunked.h"
#include "protocol/http1/date.h"

static const struct http1_limits limits = {32 << 10, 100};

static enum http1_result parse(struct http1_head *head, const char *text) {
    return http1_parse_request(head, slice_from(text), limits);
}

static void request_is_taken_apart(void **state) {
    (void)state;
    struct http1_head head;
    static const char text[] = "POST /v1/messages?a=1&b HTTP/1.1\r\nHost: localhost:8080\r\ncOnTent-leNgth:\t 5 \t\r\n"
                               "X-Empty:\r\nce-Id: 1\tx\r\nConnection: x, Close\r\n\r\nhello";
    assert_int_equal(parse(&head, text), HTTP1_DONE);
    assert_true(slice_is(head.method, "POST"));
    assert_true(slice_is(head.target, "/v1/messages?a=1&b"));
    assert_true(slice_is(head.path, "/v1/messages"));
    assert_true(slice_is(head.query, "a=1&b"));
    assert_true(slice_is(head.host, "localhost:8080"));
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.framing, HTTP1_LENGTH);
    assert_int_equal(head.length, 5);
    assert_int_equal(head.field_count, 5);
    assert_int_equal(head.ce_count, 1);
    assert_true(head.wants_close);
    assert_int_equal(head.size, sizeof text - 1 - 5);
    assert_true(slice_is(http1_find(&head, SLICE_OF("ce-id")), "1\tx"));
    assert_true(http1_find(&head, SLICE_OF("x-empty")).data && http1_find(&head, SLICE_OF("x-empty")).size == 0);
    assert_null(http1_find(&head, SLICE_OF("x-none")).data);
}

static void every_truncation_waits(void **state) {
    (void)state;
    struct http1_head head;
    struct slice text = SLICE("\r\nPOST http://a.example/x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t size = 0; size < text.size; size++) {
        uint8_t *copy = test_malloc(size + 1);
        memcpy(copy, text.data, size);
        assert_int_equal(http1_parse_request(&head, slice_make(copy, size), limits), HTTP1_MORE);
        test_free(copy);
    }
    assert_int_equal(http1_parse_request(&head, text, limits), HTTP1_DONE);
    assert_int_equal(head.size, text.size);
    struct slice answer = SLICE("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: \x80\xff\r\n\r\n");
    for (size_t size = 0; size < answer.size; size++)
        assert_int_equal(http1_parse_response(&head, slice_head(answer, size), limits), HTTP1_MORE);
    assert_int_equal(http1_parse_response(&head, answer, limits), HTTP1_DONE);
}

/* A control character at each place of a value, long enough for the eight-at-a-time loop. */
static void every_control_is_found_at_every_place(void **state) {
    (void)state;
    struct http1_head head;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t place = 0; place < 40; place++) {
            char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789abcdef0123456789\x80\xff" "cdef01234567\r\n\r\n";
            text[28 + place] = (char)byte;
            bool legal = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
            enum http1_result result = http1_parse_request(&head, slice_make(text, sizeof text - 1), limits);
            if ((result == HTTP1_DONE) != legal)
                fail_msg("byte %u at %zu", byte, place);
        }
}

static void name_bytes_are_tokens(void **state) {
    (void)state;
    struct http1_head head;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX?Y: 1\r\n\r\n";
        text[26] = (char)byte;
        bool token = byte && byte < 128 &&
                     strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", (int)byte);
        enum http1_result result = http1_parse_request(&head, slice_make(text, sizeof text - 1), limits);
        assert_int_equal(result == HTTP1_DONE, token || byte == ':');
    }
}

static void limits_hold_one_past_each(void **state) {
    (void)state;
    struct http1_head head;
    char text[4096];
    for (int extra = 0; extra < 2; extra++) {
        /* 3 fields are allowed */
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n%s\r\n", extra ? "C: 3\r\n" : "");
        enum http1_result result = http1_parse_request(&head, slice_from(text), (struct http1_limits){4096, 3});
        assert_int_equal(result, extra ? HTTP1_BAD : HTTP1_DONE);
        if (extra)
            assert_int_equal(head.status, STATUS_HEADERS_TOO_LARGE);
        size_t size = strlen("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        result = http1_parse_request(&head, SLICE_OF("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                                     (struct http1_limits){(uint32_t)(size - (size_t)extra), 3});
        assert_int_equal(result, extra ? HTTP1_BAD : HTTP1_DONE);
        if (extra)
            assert_int_equal(head.status, STATUS_HEADERS_TOO_LARGE);
    }
    /* The request line is full at 8192 bytes with its end. */
    char *line = test_malloc(20000);
    for (size_t extra = 0; extra < 2; extra++) {
        size_t path = HTTP1_LINE_MAX - strlen("GET  HTTP/1.1\r\n") + extra;
        snprintf(line, 20000, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", (int)path - 1, 0);
        assert_int_equal(http1_parse_request(&head, slice_from(line), limits), extra ? HTTP1_BAD : HTTP1_DONE);
        if (extra)
            assert_int_equal(head.status, STATUS_URI_TOO_LONG);
    }
    test_free(line);
}

static void hosts(void **state) {
    (void)state;
    static const struct {
        const char *host;
        bool valid;
        bool loopback;
    } rows[] = {
        {"", true, false}, {"localhost", true, true}, {"LOCALHOST:80", true, true}, {"localhost.", true, true},
        {"127.0.0.1", true, true}, {"127.9.8.7:65535", true, true}, {"[::1]:8080", true, true},
        {"127.0.0.1.evil.example", true, false}, {"127.evil", true, false}, {"localhost.evil.example", true, false},
        {"evil.example", true, false}, {"[::2]", true, false}, {"0.0.0.0", true, false}, {"10.0.0.1:80", true, false},
        {"a:65536", false, false}, {"a:", true, false}, {":80", false, false}, {"a:x", false, false},
        {"user@a", false, false}, {"a b", false, false}, {"a/b", false, false}, {"[::1", false, false},
        {"[::1]x", false, false}, {"[zz]", false, false}, {"a,b", false, false}, {"a\x80", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (http1_host_is_valid(slice_from(rows[i].host)) != rows[i].valid)
            fail_msg("%s", rows[i].host);
        if (rows[i].valid && http1_host_is_loopback(slice_from(rows[i].host)) != rows[i].loopback)
            fail_msg("%s", rows[i].host);
    }
}

static void paths_have_one_normal_form(void **state) {
    (void)state;
    static const char *rows[][2] = {
        {"/v1/messages", "/v1/messages"}, {"/v1/%6Dessages", "/v1/messages"}, {"/%7E", "/~"},
        {"/a%2Fb", "/a%2Fb"}, {"/a%2fb", "/a%2fb"}, {"/a%00b", "/a%00b"}, {"/a%25b", "/a%25b"}, {"/a%80", "/a%80"},
        {"/a/./b", "/a/b"}, {"/a/../b", "/b"}, {"/../../b", "/b"}, {"/a/%2e%2E/b", "/b"}, {"/a/..", "/"},
        {"/a/.", "/a/"}, {"/a//b", "/a//b"}, {"/a//../b", "/a/b"}, {"/.hidden", "/.hidden"}, {"/..a/b", "/..a/b"}, {"/", "/"},
    };
    uint8_t room[64];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice path = http1_normal_path(slice_from(rows[i][0]), room, sizeof room);
        if (!slice_is(path, rows[i][1]))
            fail_msg("%s became %.*s", rows[i][0], SLICE_ARG(path));
    }
    assert_null(http1_normal_path(SLICE_OF("/%41%41%41"), room, 4).data);
}

/* -- chunks -- */

/* The body, or NULL when refused; "(more)" when it isn't whole. */
static const char *dechunk(struct slice input, size_t step, char *out) {
    struct chunked chunked;
    size_t size = 0;
    chunked_init(&chunked);
    for (size_t at = 0; at < input.size; at += step) {
        struct slice piece = slice_head(slice_skip(input, at), step), data;
        while (piece.size) {
            enum http1_result result = chunked_next(&chunked, &piece, &data);
            if (result == HTTP1_BAD)
                return NULL;
            memcpy(out + size, data.data, data.size);
            size += data.size;
            out[size] = '\0';
            if (result == HTTP1_DONE)
                return at + step - piece.size >= input.size || piece.size == 0 ? out : "(early)";
        }
    }
    return "(more)";
}

static void chunk_vectors(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct slice input;
        const char *body; /* NULL: refused */
    } rows[] = {
        {"7.1-two-chunks", SLICE("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "abcde"},
        {"7.1-empty", SLICE("0\r\n\r\n"), ""},
        {"7.1-upper-and-lower-hex", SLICE("A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n"), "01234567890123456789"},
        {"7.1.1-extension-read-past", SLICE("1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n"), "x"},
        {"7.1.2-trailer-dropped", SLICE("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n"), "x"},
        {"rule7-size-empty", SLICE("\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-0x", SLICE("0x1\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-plus", SLICE("+1\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-minus", SLICE("-1\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-underscore", SLICE("1_0\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-leading-space", SLICE(" 1\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-trailing-space", SLICE("1 \r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-trailing-tab", SLICE("1\t\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-16-digits", SLICE("0000000000000001\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-size-15-digits", SLICE("000000000000001\r\nx\r\n0\r\n\r\n"), "x"},
        {"rule7-data-too-long", SLICE("1\r\nxy\r\n0\r\n\r\n"), NULL},
        {"rule7-data-bare-lf", SLICE("1\r\nx\n0\r\n\r\n"), NULL},
        {"rule7-data-cr-other", SLICE("1\r\nx\rX0\r\n\r\n"), NULL},
        {"rule1-line-bare-lf", SLICE("1\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-line-cr-other", SLICE("1\rXx\r\n0\r\n\r\n"), NULL},
        {"rule7-extension-bare-lf", SLICE("1;a\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-extension-cr", SLICE("1;a\rb\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-extension-nul", SLICE("1;a\0\r\nx\r\n0\r\n\r\n"), NULL},
        {"rule7-no-final-crlf", SLICE("1\r\nx\r\n0\r\n"), "(more)"},
        {"rule7-final-bare-lf", SLICE("1\r\nx\r\n0\r\n\n"), NULL},
        {"rule7-trailer-without-colon", SLICE("0\r\nAB\r\n\r\n"), NULL},
        {"rule7-trailer-without-name", SLICE("0\r\n: x\r\n\r\n"), NULL},
        {"rule7-trailer-space-name", SLICE("0\r\nA : x\r\n\r\n"), NULL},
        {"rule7-trailer-obs-fold", SLICE("0\r\nA: x\r\n b\r\n\r\n"), NULL},
        {"rule7-trailer-bare-lf", SLICE("0\r\nA: x\n\r\n"), NULL},
    };
    char out[64];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t step = 1; step <= rows[i].input.size; step++) {
            const char *body = dechunk(rows[i].input, step, out);
            if (!body != !rows[i].body || (body && strcmp(body, rows[i].body) != 0))
                fail_msg("%s by %zu: %s", rows[i].name, step, body ? body : "refused");
        }
}

static void chunk_limits_hold_one_past_each(void **state) {
    (void)state;
    char text[1024], out[64];
    for (int extra = 0; extra < 2; extra++) {
        snprintf(text, sizeof text, "0;%0*d\r\n\r\n", CHUNKED_EXTENSION_MAX + extra, 0);
        assert_int_equal(dechunk(slice_from(text), 7, out) == NULL, extra);
        size_t size = (size_t)snprintf(text, sizeof text, "0\r\n");
        for (int i = 0; i < CHUNKED_TRAILERS_MAX + extra; i++)
            size += (size_t)snprintf(text + size, sizeof text - size, "A: b\r\n");
        snprintf(text + size, sizeof text - size, "\r\n");
        assert_int_equal(dechunk(slice_from(text), 7, out) == NULL, extra);
    }
}

/* -- dates -- */

static void dates(void **state) {
    (void)state;
    char text[DATE_SIZE];
    int64_t seconds;
    struct wall now = {INT64_C(1795384800) * NS_PER_S};
    static const int64_t times[] = {0, 784111777, 951782400, 1709210096, 1795384800, 4102444799, 253402300799};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        date_format(times[i], text);
        assert_true(date_parse(slice_make(text, sizeof text), now, &seconds));
        assert_int_equal(seconds, times[i]);
    }
    date_format(784111777, text);
    assert_memory_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT", DATE_SIZE);
    assert_true(date_parse(SLICE_OF("Sunday, 06-Nov-94 08:49:37 GMT"), now, &seconds));
    assert_int_equal(seconds, 784111777);
    assert_true(date_parse(SLICE_OF("Sun Nov  6 08:49:37 1994"), now, &seconds));
    assert_int_equal(seconds, 784111777);
    static const char *wrong[] = {"", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 2026 00:00:00 GMT",
                                  "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sunday, 06-Nov-94"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(date_parse(slice_from(wrong[i]), now, &seconds));
    assert_int_equal(date_retry_after(SLICE_OF("120"), now), 120000);
    assert_int_equal(date_retry_after(SLICE_OF("99999999999"), now), UINT32_MAX);
    assert_int_equal(date_retry_after(SLICE_OF("Sun, 22 Nov 2026 22:00:30 GMT"), now), 30000);
    assert_int_equal(date_retry_after(SLICE_OF("Sun, 22 Nov 2026 21:00:00 GMT"), now), 0);
    assert_int_equal(date_retry_after(SLICE_OF("soon"), now), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_taken_apart),
        cmocka_unit_test(every_truncation_waits),
        cmocka_unit_test(every_control_is_found_at_every_place),
        cmocka_unit_test(name_bytes_are_tokens),
        cmocka_unit_test(limits_hold_one_past_each),
        cmocka_unit_test(hosts),
        cmocka_unit_test(paths_have_one_normal_form),
        cmocka_unit_test(chunk_vectors),
        cmocka_unit_test(chunk_limits_hold_one_past_each),
        cmocka_unit_test(dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
