/* Streamed exchanges, from bytes to bytes: framing, backpressure, what fails on either side, and every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/proxy_world.h"
#include "protocol/http1/chunked.h"

#define YAML \
    "name: gw\n" \
    "listeners: {web: {url: 'http://10.0.0.1:80', anonymous: true, trusted_proxies: 10.9.0.0/16}}\n" \
    "systems:\n" \
    "  site: {url: 'http://10.0.0.2:81/base', pool: {max: 2}, headers: {x-key: abc}, timeouts: {request: 10s, queue: 3s}}\n" \
    "  two: {endpoints: {a: 'http://10.0.0.3:80', b: 'http://10.0.0.4:80'}, preserve_host: true, timeouts: {attempt: 2s, request: 9s}}\n" \
    "routes:\n" \
    "  two: {match: {http: {path: /two/**}}, proxy: two}\n" \
    "  rest: {match: {http: {path: /**}}, proxy: site}\n"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.example\r\n\r\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n"

static struct pw_peer *begin(const char *request) {
    pw_start(YAML);
    struct pw_peer *client = pw_connect();
    assert_non_null(client);
    pw_say(client, slice_from(request));
    pw_run();
    return client;
}

static const char *text_of(struct buffer *buffer) {
    assert_true(buffer_reserve(buffer, 1) != NULL);
    buffer->data[buffer->size] = '\0';
    return (const char *)buffer->data;
}

static void has(struct pw_peer *p, const char *piece) {
    assert_non_null(p);
    if (!strstr(text_of(&p->got), piece))
        fail_msg("no `%s` in:\n%s", piece, text_of(&p->got));
}
static void lacks(struct pw_peer *p, const char *piece) {
    if (strstr(text_of(&p->got), piece))
        fail_msg("`%s` in:\n%s", piece, text_of(&p->got));
}
static void logged(const char *words) {
    assert_string_equal(text_of(&pw.log), words);
    buffer_clear(&pw.log);
}

static void answer(struct pw_peer *up, const char *bytes) {
    pw_say(up, slice_from(bytes));
    pw_run();
}

/* -- heads -- */

static void a_request_goes_on_as_a_request_of_ours(void **state) {
    (void)state;
    struct pw_peer *client = begin(
        "POST /a%2Fb?x=1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nX-Key: mine\r\nTE: trailers\r\n"
        "Connection: X-Hop\r\nX-Hop: 1\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: x\r\nX-Kept: 1\r\n\r\nhello");
    struct pw_peer *up = pw_upstream();
    has(up, "POST /base/a%2Fb?x=1 HTTP/1.1\r\nHost: 10.0.0.2:81\r\nX-Kept: 1\r\n");
    has(up, "Via: 1.1 gw\r\nx-key: abc\r\nContent-Length: 5\r\n\r\nhello");
    has(up,
        "Forwarded: for=10.1.1.1;host=\"a.example\";proto=http\r\nX-Forwarded-For: 10.1.1.1\r\nX-Forwarded-Host: a.example\r\n");
    static const char *const gone[] = {"X-Key", "TE:", "X-Hop", "6.6.6.6", "h2c", "HTTP2", "Connection"};
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        lacks(up, gone[i]);
    answer(up, OK_HEAD "Content-Length: 3\r\nConnection: keep-alive\r\nX-A: 1\r\n\r\nyes");
    assert_string_equal(text_of(&client->got),
                        OK_HEAD "X-A: 1\r\nVia: 1.1 gw\r\nContent-Length: 3\r\n\r\nyes");
    logged("POST /a%2Fb site 200 ok 5>3;");
    pw_stop();
}

static void both_connections_are_used_again(void **state) {
    (void)state;
    struct pw_peer *client = begin(GET("/a") GET("/b"));
    struct pw_peer *up = pw_upstream();
    for (int i = 0; i < 2; i++)
        answer(up, OK_HEAD "Content-Length: 1\r\n\r\nx");
    assert_int_equal(pw.count, 2);
    logged("GET /a site 200 ok 0>1;GET /b site 200 ok 0>1;");
    assert_false(client->closed);
    pw_stop();
}

static void bodies_are_framed_for_who_gets_them(void **state) {
    (void)state;
    static const struct {
        const char *request, *answer;
        bool ends;
        const char *got;
        bool closed;
    } rows[] = {
        {GET("/a"), OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n0\r\nT: 1\r\n\r\n", false,
         "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", false},
        {GET("/a"), OK_HEAD "\r\nab", true, "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", false},
        {"GET /a HTTP/1.0\r\n\r\n", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", false,
         "Connection: close\r\n\r\nab", true},
        {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", OK_HEAD "Content-Length: 2\r\n\r\nab", false,
         "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nab", false},
        {"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", OK_HEAD "Content-Length: 2\r\n\r\n", false,
         "Content-Length: 2\r\n\r\n", false},
        {"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", false,
         "Via: 1.1 gw\r\n\r\n", false},
        {GET("/a"), "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, "Via: 1.1 gw\r\n\r\n",
         false},
        {GET("/a"), "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false,
         "Content-Length: 9\r\n\r\n", false},
        {GET("/a"), OK_HEAD "Content-Length: 0\r\n\r\n", false, "Content-Length: 0\r\n\r\n", false},
        {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", OK_HEAD "Content-Length: 0\r\n\r\n",
         false, "Content-Length: 0\r\nConnection: close\r\n\r\n", true},
        {GET("/a"), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_HEAD "Content-Length: 0\r\n\r\n",
         false, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK", false},
        {GET("/a"), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false,
         "HTTP/1.1 200 OK\r\nDate: ", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pw_peer *client = begin(rows[i].request);
        struct pw_peer *up = pw_upstream();
        assert_non_null(up);
        pw_say(up, slice_from(rows[i].answer));
        if (rows[i].ends)
            pw_end(up);
        pw_run();
        if (!strstr(text_of(&client->got), rows[i].got) || client->closed != rows[i].closed)
            fail_msg("row %zu: %s", i, text_of(&client->got));
        lacks(client, "HTTP/1.1 100");
        pw_stop();
    }
}

static void what_can_not_be_trusted_is_502_or_an_end(void **state) {
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "bytes\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 1\n\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct pw_peer *client = begin(GET("/a"));
        struct pw_peer *up = pw_upstream();
        answer(up, answers[i]);
        has(client, "HTTP/1.1 502 Bad Gateway\r\n");
        has(client, "\"reason\":\"upstream-error\"");
        assert_true(up->closed);
        assert_false(client->closed);
        pw_stop();
    }
    struct pw_peer *client = begin(GET("/a"));
    answer(pw_upstream(), OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n");
    has(client, "2\r\nab\r\n");
    lacks(client, "0\r\n\r\n");
    assert_true(client->closed);
    pw_stop();
}

static void bytes_behind_an_answer_reach_nobody(void **state) {
    (void)state;
    struct pw_peer *client = begin(GET("/a") GET("/b"));
    struct pw_peer *up = pw_upstream();
    answer(up, OK_HEAD "Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    assert_true(up->closed);
    lacks(client, "poison");
    assert_ptr_not_equal(pw_upstream(), up);
    pw_stop();
}

/* -- bodies -- */

static void a_body_waits_for_nothing_but_its_reader(void **state) {
    (void)state;
    static uint8_t bytes[64u << 10];
    struct pw_peer *client = begin("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10485760\r\n\r\n");
    struct pw_peer *up = pw_upstream();
    up->stuck = true;
    for (int i = 0; i < 160; i++)
        pw_say(client, slice_make(bytes, sizeof bytes));
    pw_run();
    assert_true(client->reads_off);
    assert_true(pw.most <= PROXY_UNSENT_MAX + sizeof bytes);
    for (int i = 0; i < 400 && client->says.size; i++) {
        pw_unstick(up);
        up->stuck = true;
        pw_run();
    }
    pw_unstick(up);
    pw_run();
    assert_int_equal(client->says.size, 0);
    answer(up, OK_HEAD "Content-Length: 10485760\r\n\r\n");
    client->stuck = true;
    for (int i = 0; i < 160; i++)
        pw_say(up, slice_make(bytes, sizeof bytes));
    pw_run();
    assert_true(up->reads_off);
    for (int i = 0; i < 400 && up->says.size; i++) {
        pw_unstick(client);
        client->stuck = true;
        pw_run();
    }
    pw_unstick(client);
    pw_run();
    assert_true(pw.most <= PROXY_UNSENT_MAX + sizeof bytes + 4096);
    logged("PUT /a site 200 ok 10485760>10485760;");
    pw_stop();
}

static void one_hundred_comes_from_who_answers(void **state) {
    (void)state;
    struct pw_peer *client =
        begin("PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    struct pw_peer *up = pw_upstream();
    has(up, "Expect: 100-continue\r\n");
    assert_int_equal(client->got.size, 0);
    answer(up, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_string_equal(text_of(&client->got), "HTTP/1.1 100 Continue\r\n\r\n");
    pw_say(client, SLICE_OF("ab"));
    pw_run();
    answer(up, OK_HEAD "Content-Length: 0\r\n\r\n");
    assert_false(client->closed);
    assert_false(up->closed);
    pw_stop();

    client = begin("PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    up = pw_upstream();
    answer(up, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    has(client, "HTTP/1.1 413 ");
    has(client, "Connection: close\r\n");
    assert_true(client->closed);
    assert_true(up->closed);
    pw_stop();
}

static void an_answer_before_the_end_of_its_request_ends_both(void **state) {
    (void)state;
    struct pw_peer *client =
        begin("PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    struct pw_peer *up = pw_upstream();
    has(up, "2\r\nab\r\n");
    answer(up, OK_HEAD "Content-Length: 2\r\n\r\nno");
    has(client, "\r\n\r\nno");
    assert_true(client->closed);
    assert_true(up->closed);
    logged("PUT /a site 200 ok 2>2;");
    pw_stop();
}

/* -- what fails -- */

static void a_lost_answer_is_never_a_short_one(void **state) {
    (void)state;
    static const char *const heads[] = {OK_HEAD "Content-Length: 5\r\n\r\nab",
                                        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"};
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        for (int how = 0; how < 2; how++) {
            struct pw_peer *client = begin(GET("/a"));
            struct pw_peer *up = pw_upstream();
            answer(up, heads[i]);
            if (how)
                pw_lose(up);
            else
                pw_end(up);
            pw_run();
            has(client, "ab");
            lacks(client, "0\r\n\r\n");
            assert_true(client->closed);
            logged("GET /a site 200 upstream-error 0>2;");
            pw_stop();
        }
}

static void an_end_that_says_nothing_is_a_reset(void **state) {
    (void)state;
    for (int breaks = 0; breaks < 2; breaks++) {
        struct pw_peer *client = begin("GET /a HTTP/1.0\r\n\r\n");
        struct pw_peer *up = pw_upstream();
        answer(up, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
        if (breaks)
            pw_lose(up);
        else
            pw_say(up, SLICE_OF("0\r\n\r\n"));
        pw_run();
        has(client, "\r\n\r\nab");
        assert_true(client->closed);
        assert_int_equal(client->was_reset, breaks);
        pw_stop();
    }
}

static void who_goes_away_is_not_served_on(void **state) {
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct pw_peer *client = begin(GET("/a"));
        struct pw_peer *up = pw_upstream();
        if (how)
            pw_lose(client);
        else
            pw_end(client);
        pw_run();
        assert_true(up->closed);
        pw_stop();
    }
}

static void a_stale_connection_costs_nobody_an_answer(void **state) {
    (void)state;
    struct pw_peer *client = begin(GET("/a"));
    struct pw_peer *first = pw_upstream();
    answer(first, OK_HEAD "Content-Length: 0\r\n\r\n");
    pw_say(client, SLICE_OF(GET("/b")));
    pw_run();
    pw_lose(first);
    pw_run();
    struct pw_peer *second = pw_upstream();
    assert_ptr_not_equal(first, second);
    has(second, "GET /base/b HTTP/1.1\r\n");
    answer(second, OK_HEAD "Content-Length: 0\r\n\r\n");
    /* What is sent to a connection that never answered anything has failed; POST is never asked twice. */
    pw_say(client, SLICE_OF("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    pw_run();
    pw_lose(second);
    pw_run();
    has(client, "HTTP/1.1 502 ");
    logged("GET /a site 200 ok 0>0;GET /b site 200 ok 0>0;POST /c site 502 upstream-error 0>0;");
    pw_stop();
}

static void a_body_comes_at_a_rate_or_ends(void **state) {
    (void)state;
    static const char *const heads[] = {
        "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        static const uint8_t piece[8192];
        struct pw_peer *client = begin(heads[i]);
        struct pw_peer *up = pw_upstream();
        pw_pass(8 * NS_PER_S); /* who waits for 100 owes nothing yet */
        if (i == 1)
            answer(up, "HTTP/1.1 100 Continue\r\n\r\n");
        for (int n = 0; n < 20; n++) {
            pw_say(client, slice_make(piece, sizeof piece));
            pw_pass(NS_PER_S);
        }
        assert_false(client->closed);
        for (int n = 0; n < 20; n++) {
            pw_say(client, SLICE_OF("x"));
            pw_pass(NS_PER_S);
        }
        assert_true(client->closed && up->closed);
        pw_stop();
    }
}

static void limits_of_an_answer_are_502(void **state) {
    (void)state;
    struct buffer text;
    for (int which = 0; which < 3; which++) {
        struct pw_peer *client = begin(GET("/a"));
        struct pw_peer *up = pw_upstream();
        buffer_init(&text, 1u << 20);
        for (int i = 0; i < 9 && which == 0; i++)
            buffer_add_text(&text, "HTTP/1.1 103 Early Hints\r\n\r\n");
        buffer_add_text(&text, OK_HEAD);
        for (int i = 0; i < (which == 1 ? 100 : which == 2 ? 33 : 0); i++)
            buffer_add_format(&text, "X-%d: %0*d\r\n", i, which == 2 ? 1000 : 1, 1);
        buffer_add_text(&text, "Content-Length: 0\r\n\r\n");
        pw_say(up, buffer_slice(&text));
        pw_run();
        has(client, "HTTP/1.1 502 ");
        assert_true(up->closed);
        buffer_done(&text);
        pw_stop();
    }
}

static void nobody_there_is_503_at_once(void **state) {
    (void)state;
    pw_start(YAML);
    pw.refuses = true;
    struct pw_peer *client = pw_connect();
    pw_say(client, SLICE_OF(GET("/a") GET("/b")));
    pw_run();
    has(client, "HTTP/1.1 503 ");
    has(client, "Retry-After: 1\r\n");
    logged("GET /a site 503 target-unavailable 0>0;GET /b site 503 target-unavailable 0>0;");
    pw.refuses = false;
    pw_pass(2 * NS_PER_S);
    pw_say(client, SLICE_OF(GET("/c")));
    pw_run();
    has(pw_upstream(), "GET /base/c ");
    pw_stop();
}

static void time_runs_out_in_words(void **state) {
    (void)state;
    struct pw_peer *client = begin(GET("/a")); /* no answer */
    pw_pass(11 * NS_PER_S);
    has(client, "HTTP/1.1 504 ");
    assert_true(pw_upstream()->closed);
    pw_stop();

    client = begin(GET("/a")); /* all connections are busy */
    struct pw_peer *others[2] = {pw_connect(), pw_connect()};
    for (int i = 0; i < 2; i++)
        pw_say(others[i], SLICE_OF(GET("/b")));
    pw_run();
    pw_pass(4 * NS_PER_S);
    has(others[1], "HTTP/1.1 503 ");
    has(others[1], "overloaded");
    pw_stop();

    client = begin(GET("/a")); /* an answer that stops */
    answer(pw_upstream(), OK_HEAD "Content-Length: 5\r\n\r\nab");
    pw_pass(PROXY_IDLE_NS - NS_PER_S);
    assert_false(client->closed);
    pw_pass(2 * NS_PER_S);
    assert_true(client->closed);
    pw_stop();
}

static void an_endpoint_that_is_silent_loses_its_request_to_another(void **state) {
    (void)state;
    struct pw_peer *client = begin(GET("/two/x"));
    struct pw_peer *first = pw_upstream();
    has(first, "GET /two/x HTTP/1.1\r\nHost: a.example\r\n");
    pw_pass(3 * NS_PER_S);
    struct pw_peer *second = pw_upstream();
    assert_ptr_not_equal(first, second);
    assert_true(first->closed);
    answer(second, OK_HEAD "Content-Length: 0\r\n\r\n");
    has(client, "HTTP/1.1 200 OK");
    pw_stop();
}

#define KEY "itk_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE"
#define HASH "sha256:17640d29039a1262803a71711440964c6a69627b65e68709e478aa4624dba923"
#define KEYS(rules) \
    "listeners: {web: {url: 'http://127.0.0.1:80', auth: key}}\n" \
    "systems: {site: http://10.0.0.2:81, shop: {}}\n" \
    "security: {identities: {shop: {system: shop, keys: {a: {hash: '" HASH "'}}" rules "}}}\n" \
    "routes: {rest: {match: {http: {path: /**}}, proxy: site}}\n"

static void keys_are_ours_and_end_here(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *request, *got;
    } rows[] = {
        {KEYS(""), "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 401 "},
        {KEYS(""), "GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer itk_x\r\n\r\n",
         "HTTP/1.1 401 "},
        {KEYS(", allow: ['send type/a.*']"),
         "GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " KEY "\r\n\r\n", "HTTP/1.1 403 "},
        {KEYS(", allow: ['call type/intertie.http.request.v1']"),
         "GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " KEY "\r\n\r\n", NULL},
        {KEYS(", allow: ['call type/*']"),
         "GET /a HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer " KEY "\r\n\r\n", "HTTP/1.1 403 "},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        pw_start(rows[i].yaml);
        struct pw_peer *client = pw_connect();
        pw_say(client, slice_from(rows[i].request));
        pw_run();
        if (rows[i].got) {
            has(client, rows[i].got);
            assert_null(pw_upstream());
        } else {
            has(pw_upstream(), "GET /a HTTP/1.1\r\n");
            lacks(pw_upstream(), "uthorization");
        }
        pw_stop();
    }
}

static void a_trusted_proxy_is_believed(void **state) {
    (void)state;
    pw_start(YAML);
    struct pw_peer *client = pw_connect_from(SLICE_OF("10.9.0.1:99"));
    pw_say(client,
           SLICE_OF(
               "GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\r\n"));
    pw_run();
    has(pw_upstream(), "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n");
    has(pw_upstream(), "X-Forwarded-For: 10.9.0.1\r\n");
    lacks(pw_upstream(), "X-Forwarded-Proto: http\r\n");
    pw_stop();
}

static void a_reload_lets_streams_go_on_unless_their_system_goes(void **state) {
    (void)state;
    struct pw_peer *client = begin(GET("/a"));
    struct pw_peer *up = pw_upstream(), *other = pw_connect();
    answer(up, OK_HEAD "Content-Length: 4\r\n\r\nab");
    pw_reload("log: {level: warn}\n" YAML);
    pw_run();
    answer(up, "cd");
    has(client, "\r\n\r\nabcd");
    pw_say(client, SLICE_OF(GET("/b")));
    pw_run();
    has(up, "GET /base/b ");
    pw_stop();

    client = begin(GET("/a"));
    up = pw_upstream();
    answer(up, OK_HEAD "Content-Length: 4\r\n\r\nab");
    other = pw_connect();
    pw_reload(
        "name: gw\nlisteners: {web: {url: 'http://10.0.0.1:80', anonymous: true}}\nsystems: {two: http://10.0.0.3:80}\n"
        "routes: {r: {match: {http: {path: /two/**}}, proxy: two}}\n");
    pw_run();
    assert_true(up->closed && client->closed);
    pw_say(other, SLICE_OF(GET("/a")));
    pw_run();
    has(other, "HTTP/1.1 404 ");
    pw_stop();
}

static void a_circle_ends(void **state) {
    (void)state;
    struct pw_peer *client =
        begin("GET /a HTTP/1.1\r\nHost: a\r\nVia: 1.0 x, 1.1 gw\r\n\r\n"
              "OPTIONS /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"
              "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nTRACE /a HTTP/1.1\r\nHost: a\r\n\r\n");
    has(client, "HTTP/1.1 508 ");
    has(client, "HTTP/1.1 204 ");
    has(client, "HTTP/1.1 405 ");
    assert_null(pw_upstream());
    pw_stop();
}

/* -- tunnels -- */

#define UPGRADE \
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
#define SWITCHES \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: a\r\n\r\n"

static void websocket_is_a_tunnel_from_101_on(void **state) {
    (void)state;
    struct pw_peer *client = begin(UPGRADE "early");
    struct pw_peer *up = pw_upstream();
    has(up, "Sec-WebSocket-Key: k\r\n");
    has(up, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    lacks(up, "early");
    answer(up, SWITCHES "hello");
    has(client, "HTTP/1.1 101 Switching Protocols\r\n");
    has(client, "Sec-WebSocket-Accept: a\r\n");
    has(client, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
    has(up, "early");
    pw_say(client, SLICE_OF("\x81\0GET / HTTP/1.1\r\n\r\n"));
    pw_run();
    answer(up, "more");
    has(client, "hellomore");
    pw_pass(4 * 60 * NS_PER_S);
    assert_false(client->closed);
    pw_end(up);
    pw_run();
    assert_true(client->closed && up->closed);
    logged("GET /ws site 101 ok 25>9;");
    pw_stop();
}

static void an_upgrade_that_is_declined_is_an_answer(void **state) {
    (void)state;
    struct pw_peer *client = begin(UPGRADE);
    struct pw_peer *up = pw_upstream();
    answer(up, OK_HEAD "Content-Length: 2\r\n\r\nno");
    has(client, "\r\n\r\nno");
    assert_false(client->closed || up->closed);
    pw_stop();
}

/* -- every cut -- */

static const struct exchange {
    const char *request, *answer;
    bool ends;
} exchanges[] = {
    {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n1234567" GET("/b"),
     OK_HEAD "Content-Length: 4\r\n\r\nabcd"},
    {"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;e=\"x\"\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n"},
    {GET("/a"), OK_HEAD "\r\nuntil the end", true},
    {"GET /a HTTP/1.0\r\n\r\n",
     "HTTP/1.1 103 E\r\n\r\n" OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"},
    {UPGRADE "frames", SWITCHES "frames back", true},
    {"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab",
     "HTTP/1.1 100 C\r\n\r\n" OK_HEAD "Content-Length: 1\r\n\r\nx"},
};

/* Chunks are joined: where they are cut is nobody's business. One message after another. */
static void join(struct slice bytes, struct buffer *out) {
    while (bytes.size) {
        const char *text = (const char *)bytes.data, *end = memmem(text, bytes.size, "\r\n\r\n", 4);
        size_t head = end ? (size_t)(end - text) + 4 : bytes.size;
        bool is_chunked = memmem(text, head, "Transfer-Encoding: chunked\r\n", 28) != NULL;
        struct chunked chunked;
        struct slice data;
        buffer_add(out, slice_head(bytes, head));
        bytes = slice_skip(bytes, head);
        if (!is_chunked) {
            buffer_add(out, bytes);
            return;
        }
        chunked_init(&chunked);
        enum http1_result result = HTTP1_MORE;
        while (bytes.size && result == HTTP1_MORE) {
            result = chunked_next(&chunked, &bytes, &data);
            buffer_add(out, data);
        }
        buffer_add_text(out, result == HTTP1_DONE ? "<end>" : result == HTTP1_BAD ? "<bad>" : "<more>");
    }
}

/* What both sides got in the end, and how it ended. */
static void play(const struct exchange *e, size_t request_cut, size_t answer_cut, size_t portion,
                 struct buffer *out) {
    struct slice request = slice_from(e->request), reply = slice_from(e->answer);
    pw_start(YAML);
    struct pw_peer *client = pw_connect();
    pw_say(client, slice_head(request, request_cut));
    pw_run_by(portion);
    pw_say(client, slice_skip(request, request_cut));
    pw_run_by(portion);
    struct pw_peer *up = pw_upstream();
    pw_say(up, slice_head(reply, answer_cut));
    pw_run_by(portion);
    pw_say(up, slice_skip(reply, answer_cut));
    if (e->ends)
        pw_end(up);
    pw_run_by(portion);
    join(buffer_slice(&client->got), out);
    buffer_add_text(out, client->closed ? "\n-- closed --\n" : "\n-- open --\n");
    join(buffer_slice(&up->got), out);
    buffer_add_text(out, up->closed ? "\n-- closed --\n" : "\n-- open --\n");
    buffer_add(out, buffer_slice(&pw.log));
    pw_stop();
}

static void where_bytes_are_cut_changes_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(exchanges); i++) {
        const struct exchange *e = &exchanges[i];
        size_t request = strlen(e->request), reply = strlen(e->answer);
        struct buffer whole, cut;
        buffer_init(&whole, 1u << 20);
        buffer_init(&cut, 1u << 20);
        play(e, request, reply, SIZE_MAX, &whole);
        for (size_t at = 0; at <= request + reply + 1; at++) {
            buffer_clear(&cut);
            if (at > request + reply)
                play(e, request, reply, 1, &cut);
            else
                play(e, at < request ? at : request, at < request ? reply : at - request, SIZE_MAX, &cut);
            if (!slice_equal(buffer_slice(&whole), buffer_slice(&cut)))
                fail_msg("exchange %zu cut at %zu:\n%s\nelse:\n%s", i, at, text_of(&cut), text_of(&whole));
        }
        buffer_done(&whole);
        buffer_done(&cut);
    }
}

/* -- memory -- */

static void memory_that_runs_out_ends_one_exchange(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(exchanges); i++)
        for (int64_t n = 0; n < 400; n++) {
            pw_start(YAML);
            struct pw_peer *client = pw_connect();
            pw_say(client, slice_from(exchanges[i].request));
            memory_fail_after(n);
            pw_run();
            struct pw_peer *up = pw_upstream();
            if (up) {
                pw_say(up, slice_from(exchanges[i].answer));
                pw_run();
            }
            bool failed = memory_has_failed() != 0;
            memory_fail_after(-1);
            for (int k = 0; k < 20; k++)
                pw_pass(10 * NS_PER_S);
            pw_stop();
            if (!failed)
                break;
        }
}

static void a_drain_waits_for_what_streams(void **state) {
    (void)state;
    struct pw_peer *client = begin(GET("/a"));
    struct engine_input input = {.kind = INPUT_DRAIN};
    engine_input(pw.engine, &input, pw.now);
    pw_run();
    assert_false(engine_is_quiet(pw.engine));
    answer(pw_upstream(), OK_HEAD "Content-Length: 2\r\n\r\nab");
    has(client, "Connection: close\r\n\r\nab");
    assert_true(engine_is_quiet(pw.engine));
    assert_true(client->closed);
    pw_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_on_as_a_request_of_ours),
        cmocka_unit_test(both_connections_are_used_again),
        cmocka_unit_test(bodies_are_framed_for_who_gets_them),
        cmocka_unit_test(what_can_not_be_trusted_is_502_or_an_end),
        cmocka_unit_test(bytes_behind_an_answer_reach_nobody),
        cmocka_unit_test(a_body_waits_for_nothing_but_its_reader),
        cmocka_unit_test(one_hundred_comes_from_who_answers),
        cmocka_unit_test(an_answer_before_the_end_of_its_request_ends_both),
        cmocka_unit_test(a_lost_answer_is_never_a_short_one),
        cmocka_unit_test(an_end_that_says_nothing_is_a_reset),
        cmocka_unit_test(who_goes_away_is_not_served_on),
        cmocka_unit_test(a_stale_connection_costs_nobody_an_answer),
        cmocka_unit_test(a_body_comes_at_a_rate_or_ends),
        cmocka_unit_test(limits_of_an_answer_are_502),
        cmocka_unit_test(nobody_there_is_503_at_once),
        cmocka_unit_test(time_runs_out_in_words),
        cmocka_unit_test(an_endpoint_that_is_silent_loses_its_request_to_another),
        cmocka_unit_test(keys_are_ours_and_end_here),
        cmocka_unit_test(a_trusted_proxy_is_believed),
        cmocka_unit_test(a_reload_lets_streams_go_on_unless_their_system_goes),
        cmocka_unit_test(a_circle_ends),
        cmocka_unit_test(websocket_is_a_tunnel_from_101_on),
        cmocka_unit_test(an_upgrade_that_is_declined_is_an_answer),
        cmocka_unit_test(where_bytes_are_cut_changes_nothing),
        cmocka_unit_test(memory_that_runs_out_ends_one_exchange),
        cmocka_unit_test(a_drain_waits_for_what_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
