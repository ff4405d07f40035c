/* From HTTP to WebSocket (RFC 6455 section 4.2): the answer to the handshake, after which the connection is one. */
#include "base/text.h"
#include "protocol/http1/handshake.h"
#include "protocol/http1/inner.h"

#define LINES_OF_UPGRADE "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
#define ANSWER_MAX 512

_Static_assert(HTTP1_KEY_MAX <= WS_GIFT_TEXT, "a key that is remembered fits a gift");

/* `?system=NAME`: it takes messages for that system. */
static struct slice system_of(const struct http1_head *head) {
    struct protocol_request request = {.query = head->query, .head = head};
    return http1_parameter(&request, SLICE_OF("system"));
}

static bool agree(struct http1 *h, const struct http1_head *head, struct ws_agreed *agreed, struct now now) {
    const struct protocol_setup *setup = h->setup;
    struct ws_rules rules = {.contents = setup->websocket.contents, .deflate = setup->websocket.deflate};
    const char *words;
    if (!rules.contents)
        return exchange_refuse(h, head, STATUS_NOT_SUPPORTED, "there is no WebSocket here", NULL, now);
    if (!ws_is_asked(head))
        return exchange_refuse(h, head, STATUS_UPGRADE_REQUIRED, "WebSocket is spoken here: `Upgrade: websocket`",
                               LINES_OF_UPGRADE, now);
    enum status status = ws_request_check(head, &rules, agreed, &words);
    if (status == STATUS_OK)
        return true;
    return exchange_refuse(h, head, status, words,
                           status == STATUS_UPGRADE_REQUIRED     ? LINES_OF_UPGRADE
                           : status == STATUS_METHOD_NOT_ALLOWED ? "Allow: GET, OPTIONS\r\n"
                                                                 : NULL,
                           now);
}

static bool serve(struct http1 *h, const struct http1_head *head, struct now now) {
    struct slice system = system_of(head);
    if (!system.data)
        return true;
    if (!text_is_name(system))
        return exchange_refuse(h, head, STATUS_UNKNOWN_TARGET, "`?system=` must be the name of a system", NULL, now);
    enum status status = exchange_serve(h, head, system);
    return status == STATUS_OK || exchange_refuse(h, head, status, NULL, NULL, now);
}

/* With stream v1 HELLO and SUBSCRIBE say who it is and what it takes; what the request says stands where they don't. */
static bool note(struct http1 *h, const struct http1_head *head, struct now now) {
    struct ws_gift *gift = h->worker->gift;
    const struct http1_key *key = h->server.key;
    struct slice system = system_of(head);
    if (system.data && (!text_is_name(system) || system.size > WS_GIFT_TEXT))
        return exchange_refuse(h, head, STATUS_UNKNOWN_TARGET, "`?system=` must be the name of a system", NULL, now);
    if (key) {
        gift->key_size = key->size;
        memcpy(gift->key, key->bytes, key->size);
    }
    if (system.data) {
        gift->system_size = (uint8_t)system.size;
        memcpy(gift->system, system.data, system.size);
    }
    return true;
}

bool upgrade_begin(struct http1 *h, const struct http1_head *head, struct now now) {
    struct http1_server *s = &h->server;
    struct ws_agreed agreed;
    struct buffer answer;
    if (!agree(h, head, &agreed, now) || (agreed.content != WS_STREAM && !serve(h, head, now)))
        return false;
    uint8_t *at = chain_reserve(h->sink->out, ANSWER_MAX);
    bool is_known = s->said_hello && (s->key || !h->setup->auth);
    if (!at || !ws_gift_put(h->worker, &agreed, is_known)) {
        http1_close(h, STATUS_NO_MEMORY);
        return false;
    }
    if (agreed.content == WS_STREAM && !note(h, head, now))
        return false;
    buffer_init_fixed(&answer, at, ANSWER_MAX);
    ws_answer_write(head, &agreed, &answer);
    chain_commit(h->sink->out, answer.size);
    h->sink->become = agreed.content == WS_STREAM ? &protocol_websocket_stream : &protocol_websocket;
    return false;
}
