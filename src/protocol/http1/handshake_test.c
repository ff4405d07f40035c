/* The opening handshake: what is asked for, what is granted, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "protocol/http1/handshake.h"

static const struct http1_limits limits = {8192, 100};
static const struct ws_rules ours = {.contents = WS_CONTENT_OURS, .deflate = true};

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define GOOD "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY
#define JSON_TOO "Sec-WebSocket-Protocol: cloudevents.json\r\n"

static void request(struct http1_head *head, const char *first, const char *fields) {
    static char text[2048];
    snprintf(text, sizeof text, "%s\r\nHost: a.example\r\n%s\r\n", first, fields);
    assert_int_equal(http1_parse_request(head, slice_from(text), limits), HTTP1_DONE);
}

static void the_key_of_the_standard(void **state) {
    char accept[WS_ACCEPT_SIZE];
    (void)state;
    ws_accept_of(SLICE_OF("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_SIZE);
}

static void requests_are_granted_or_refused(void **state) {
    static const struct {
        const char *name, *first, *fields;
        enum status status;
        enum ws_content content;
        bool deflate;
        uint8_t bits;
    } rows[] = {
        {"plain and good", "GET / HTTP/1.1", GOOD JSON_TOO, STATUS_OK, WS_JSON, false, 0},
        {"names in any case", "GET / HTTP/1.1",
         "upgrade: WebSocket\r\nconnection: UPGRADE\r\nsec-websocket-version: 13\r\n" KEY JSON_TOO, STATUS_OK, WS_JSON, false, 0},
        {"the first that both speak", "GET / HTTP/1.1",
         GOOD "Sec-WebSocket-Protocol: mqtt, cloudevents.proto\r\nSec-WebSocket-Protocol: cloudevents.json\r\n", STATUS_OK, WS_PROTO,
         false, 0},
        {"none that we speak", "GET / HTTP/1.1", GOOD "Sec-WebSocket-Protocol: mqtt\r\n", STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"subprotocols in another case", "GET / HTTP/1.1", GOOD "Sec-WebSocket-Protocol: CloudEvents.JSON\r\n",
         STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"none at all", "GET / HTTP/1.1", GOOD, STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"not GET", "POST / HTTP/1.1", GOOD JSON_TOO, STATUS_METHOD_NOT_ALLOWED, 0, false, 0},
        {"HTTP/1.0", "GET / HTTP/1.0", GOOD JSON_TOO, STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"a body", "GET / HTTP/1.1", GOOD JSON_TOO "Content-Length: 3\r\n", STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"no Connection", "GET / HTTP/1.1", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" KEY JSON_TOO,
         STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"version 8", "GET / HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n" KEY JSON_TOO,
         STATUS_UPGRADE_REQUIRED, 0, false, 0},
        {"two versions", "GET / HTTP/1.1",
         "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n" KEY JSON_TOO,
         STATUS_UPGRADE_REQUIRED, 0, false, 0},
        {"no version", "GET / HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\n" KEY JSON_TOO, STATUS_UPGRADE_REQUIRED, 0,
         false, 0},
        {"no key", "GET / HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" JSON_TOO,
         STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"two keys", "GET / HTTP/1.1", GOOD KEY JSON_TOO, STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"a short key", "GET / HTTP/1.1",
         "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n" JSON_TOO,
         STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"a key of 17 bytes", "GET / HTTP/1.1",
         "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n" JSON_TOO,
         STATUS_PROTOCOL_ERROR, 0, false, 0},
        {"deflate as browsers ask", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", STATUS_OK, WS_JSON, true, 0},
        {"deflate with a window", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\"; client_max_window_bits=9\r\n",
         STATUS_OK, WS_JSON, true, 10},
        {"a window of 8, then none", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8, permessage-deflate\r\n", STATUS_OK,
         WS_JSON, true, 0},
        {"a window of 8 alone", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n", STATUS_OK, WS_JSON, false, 0},
        {"a window of 16", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16\r\n", STATUS_OK, WS_JSON, false, 0},
        {"a window with a zero", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=09\r\n", STATUS_OK, WS_JSON, false, 0},
        {"a window without a value", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits\r\n", STATUS_OK, WS_JSON, false, 0},
        {"an unknown parameter", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; level=9\r\n", STATUS_OK, WS_JSON, false, 0},
        {"a parameter twice", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; client_no_context_takeover\r\n",
         STATUS_OK, WS_JSON, false, 0},
        {"a flag with a value", "GET / HTTP/1.1",
         GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover=1\r\n", STATUS_OK, WS_JSON, false, 0},
        {"another extension", "GET / HTTP/1.1", GOOD JSON_TOO "Sec-WebSocket-Extensions: permessage-bzip2\r\n", STATUS_OK, WS_JSON,
         false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http1_head head;
        struct ws_agreed agreed;
        const char *words;
        request(&head, rows[i].first, rows[i].fields);
        assert_true(ws_is_asked(&head));
        enum status status = ws_request_check(&head, &ours, &agreed, &words);
        if (status != rows[i].status)
            fail_msg("%s: %s (%s)", rows[i].name, status_reason(status), words ? words : "");
        assert_true((words != NULL) == (status != STATUS_OK));
        if (status == STATUS_OK && (agreed.content != rows[i].content || agreed.deflate != rows[i].deflate || agreed.bits != rows[i].bits))
            fail_msg("%s: content %d, deflate %d, bits %d", rows[i].name, (int)agreed.content, agreed.deflate, agreed.bits);
    }
}

static void plain_messages_need_no_subprotocol_where_they_may_be(void **state) {
    struct ws_rules rules = {.contents = WS_CONTENT_OURS | WS_CONTENT_BIT(WS_PLAIN)};
    struct http1_head head;
    struct ws_agreed agreed;
    const char *words;
    (void)state;
    request(&head, "GET / HTTP/1.1", GOOD "Sec-WebSocket-Protocol: chat\r\n");
    assert_int_equal(ws_request_check(&head, &rules, &agreed, &words), STATUS_OK);
    assert_int_equal(agreed.content, WS_PLAIN);
    request(&head, "GET / HTTP/1.1", GOOD JSON_TOO);
    assert_int_equal(ws_request_check(&head, &rules, &agreed, &words), STATUS_OK);
    assert_int_equal(agreed.content, WS_JSON);
}

static void both_roles_agree(void **state) {
    static const struct slice key = SLICE("AQIDBAUGBwgJCgsMDQ4PEC==");
    (void)state;
    for (unsigned contents = 0; contents < 8; contents++)
        for (int deflate = 0; deflate < 2; deflate++) {
            struct ws_rules rules = {contents, deflate};
            struct http1_head asked, answered;
            struct ws_agreed here, there;
            const char *words;
            uint8_t ask_room[1024], answer_room[1024];
            struct buffer ask, answer;
            buffer_init_fixed(&ask, ask_room, sizeof ask_room);
            buffer_init_fixed(&answer, answer_room, sizeof answer_room);
            buffer_add_text(&ask, "GET /x HTTP/1.1\r\nHost: h\r\n");
            ws_request_write(&rules, SLICE_OF("dGhlIHNhbXBsZSBub25jZQ=="), &ask);
            buffer_add_text(&ask, "\r\n");
            assert_int_equal(http1_parse_request(&asked, buffer_slice(&ask), limits), HTTP1_DONE);
            enum status status = ws_request_check(&asked, &rules, &there, &words);
            assert_int_equal(status, contents == 0 ? STATUS_PROTOCOL_ERROR : STATUS_OK);
            if (status != STATUS_OK)
                continue;
            ws_answer_write(&asked, &there, &answer);
            assert_int_equal(answer.status, STATUS_OK);
            assert_int_equal(http1_parse_response(&answered, buffer_slice(&answer), limits), HTTP1_DONE);
            assert_int_equal(ws_answer_check(&answered, &rules, SLICE_OF("dGhlIHNhbXBsZSBub25jZQ=="), &here, &words), STATUS_OK);
            assert_true(here.content == there.content && here.deflate == there.deflate && here.deflate == (deflate != 0));
            assert_int_equal(ws_answer_check(&answered, &rules, key, &here, &words), STATUS_UPSTREAM_ERROR);
        }
}

static void answers_that_grant_what_was_not_asked_are_refused(void **state) {
#define YES "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    static const struct {
        const char *answer;
        bool good;
    } rows[] = {
        {YES ACCEPT JSON_TOO "\r\n", true},
        {YES ACCEPT "\r\n", false},
        {YES JSON_TOO "\r\n", false},
        {YES ACCEPT ACCEPT JSON_TOO "\r\n", false},
        {YES ACCEPT "Sec-WebSocket-Protocol: mqtt\r\n\r\n", false},
        {YES ACCEPT JSON_TOO JSON_TOO "\r\n", false},
        {"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" ACCEPT JSON_TOO "\r\n", false},
        {"HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n", false},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT JSON_TOO "\r\n", false},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: close\r\n" ACCEPT JSON_TOO "\r\n", false},
        {YES ACCEPT JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n", true},
        {YES ACCEPT JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", false},
        {YES ACCEPT JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits=10\r\n\r\n", false},
        {YES ACCEPT JSON_TOO "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover\r\n\r\n", false},
        {YES ACCEPT JSON_TOO "Sec-WebSocket-Extensions: x-other\r\n\r\n", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http1_head head;
        struct ws_agreed agreed;
        const char *words;
        assert_int_equal(http1_parse_response(&head, slice_from(rows[i].answer), limits), HTTP1_DONE);
        enum status status = ws_answer_check(&head, &ours, SLICE_OF("dGhlIHNhbXBsZSBub25jZQ=="), &agreed, &words);
        if ((status == STATUS_OK) != rows[i].good)
            fail_msg("%zu: %s", i, words ? words : "taken");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_the_standard),
        cmocka_unit_test(requests_are_granted_or_refused),
        cmocka_unit_test(plain_messages_need_no_subprotocol_where_they_may_be),
        cmocka_unit_test(both_roles_agree),
        cmocka_unit_test(answers_that_grant_what_was_not_asked_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
