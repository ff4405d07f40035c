/* The opening handshake of WebSocket (RFC 6455 section 4, RFC 7692 section 7): what is asked for and what is granted, both
 * roles. Pure: heads in, decisions and text out. */
#ifndef PROTOCOL_HTTP1_HANDSHAKE_H
#define PROTOCOL_HTTP1_HANDSHAKE_H

#include "base/buffer.h"
#include "protocol/http1/parse.h"
#include "protocol/protocol.h"

/* Empty for WS_PLAIN. */
struct slice ws_content_name(enum ws_content content);

struct ws_rules {
    unsigned contents; /* WS_CONTENT_BITs that may be; with WS_PLAIN nothing needs to be agreed on */
    bool deflate;
};

/* What was agreed on. */
struct ws_agreed {
    enum ws_content content;
    bool deflate;
    uint8_t bits; /* the window of what we send, 9 to 15; 0: nobody has said */
};

/* What becomes a WebSocket is given: worker->gift. */
#define WS_GIFT_TEXT 64
struct ws_gift {
    struct ws_agreed agreed;
    bool is_known; /* who it is was said in the handshake */
    /* WS_STREAM: what HELLO needn't say again. */
    uint8_t key_size, system_size;
    char key[WS_GIFT_TEXT], system[WS_GIFT_TEXT];
};
/* False: no memory. */
bool ws_gift_put(struct protocol_worker *worker, const struct ws_agreed *agreed, bool is_known);

#define WS_KEY_SIZE 24    /* 16 bytes as base64 */
#define WS_ACCEPT_SIZE 28 /* 20 bytes as base64 */
void ws_accept_of(struct slice key, char out[static WS_ACCEPT_SIZE]);

/* Whether a request asks for this protocol at all: `Upgrade` has websocket in it. */
bool ws_is_asked(const struct http1_head *head);
/* The accepted role: a request that asks. STATUS_OK with `ret_agreed`, or why not. */
enum status ws_request_check(const struct http1_head *head, const struct ws_rules *rules, struct ws_agreed *ret_agreed,
                             const char **ret_words);
/* The 101 with its empty line. */
void ws_answer_write(const struct http1_head *head, const struct ws_agreed *agreed, struct buffer *out);

/* The dialled role: the header lines of a request beyond Host, each with its CRLF. `key`: WS_KEY_SIZE characters. */
void ws_request_write(const struct ws_rules *rules, struct slice key, struct buffer *out);
/* The answer to it. */
enum status ws_answer_check(const struct http1_head *head, const struct ws_rules *rules, struct slice key,
                            struct ws_agreed *ret_agreed, const char **ret_words);

#endif
