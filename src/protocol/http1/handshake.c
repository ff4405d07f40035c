/* Asking and granting. */
#include "protocol/http1/handshake.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "protocol/http1/sha1.h"

#define EXTENSION "permessage-deflate"
#define EXTENSION_OURS EXTENSION "; server_no_context_takeover; client_no_context_takeover"

struct slice ws_content_name(enum ws_content content) {
    switch (content) {
    case WS_JSON:
        return SLICE_OF("cloudevents.json");
    case WS_PROTO:
        return SLICE_OF("cloudevents.proto");
    case WS_STREAM:
        return SLICE_OF("intertie.v1");
    case WS_PLAIN:
    case WS_CONTENT_COUNT:
        break;
    }
    return SLICE_OF("");
}

bool ws_gift_put(struct protocol_worker *worker, const struct ws_agreed *agreed, bool is_known) {
    struct ws_gift *gift = memory_new(sizeof *gift);
    memory_free(worker->gift); /* of a connection that ended in between */
    worker->gift = gift;
    if (gift)
        *gift = (struct ws_gift){.agreed = *agreed, .is_known = is_known};
    return gift != NULL;
}

void ws_accept_of(struct slice key, char out[static WS_ACCEPT_SIZE]) {
    static const struct slice guid = SLICE("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    uint8_t text[WS_KEY_SIZE + 36], hash[SHA1_SIZE];
    key = slice_head(key, WS_KEY_SIZE);
    memcpy(text, key.data, key.size);
    memcpy(text + key.size, guid.data, guid.size);
    sha1(slice_make(text, key.size + guid.size), hash);
    text_base64_put(out, slice_make(hash, sizeof hash));
}

/* -- fields that are lists, and may be there several times -- */

struct walk {
    const struct http1_head *head;
    struct slice name;
    uint32_t field;
    struct slice rest;
};

static bool next_element(struct walk *walk, struct slice *ret) {
    while (!http1_list_next(&walk->rest, ret)) {
        while (walk->field < walk->head->field_count &&
               !slice_equal_nocase(walk->head->fields[walk->field].name, walk->name))
            walk->field++;
        if (walk->field == walk->head->field_count)
            return false;
        walk->rest = walk->head->fields[walk->field++].value;
    }
    return true;
}

static bool list_has(const struct http1_head *head, struct slice name, struct slice word) {
    struct walk walk = {.head = head, .name = name};
    struct slice element;
    while (next_element(&walk, &element))
        if (slice_equal_nocase(element, word))
            return true;
    return false;
}

/* The only field of that name; data NULL when there is none or several. */
static struct slice only(const struct http1_head *head, struct slice name) {
    struct slice found = {NULL, 0};
    for (uint32_t i = 0; i < head->field_count; i++) {
        if (!slice_equal_nocase(head->fields[i].name, name))
            continue;
        if (found.data)
            return slice_make(NULL, 0);
        found = head->fields[i].value;
    }
    return found;
}

bool ws_is_asked(const struct http1_head *head) {
    return list_has(head, SLICE_OF("upgrade"), SLICE_OF("websocket"));
}

static bool is_key(struct slice key) {
    uint8_t bytes[WS_KEY_SIZE / 4 * 3];
    return key.size == WS_KEY_SIZE && text_base64_get(bytes, key) == 16;
}

/* -- permessage-deflate's parameters -- */

struct parameters {
    bool server_alone, client_alone; /* .._no_context_takeover */
    bool has_server_bits, has_client_bits;
    uint8_t server_bits, client_bits; /* 0: without a value */
};

static bool once(bool *flag) {
    bool first = !*flag;
    *flag = true;
    return first;
}

/* 8 to 15, without leading zeros; it may stand in quotes. */
static bool bits_of(struct slice value, uint8_t *ret) {
    uint64_t number;
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"')
        value = slice_make(value.data + 1, value.size - 2);
    if (value.size == 0 || value.data[0] == '0' || !text_to_u64(value, &number) || number < 8 || number > 15)
        return false;
    *ret = (uint8_t)number;
    return true;
}

static bool take_parameter(struct parameters *p, struct slice parameter) {
    size_t equals = slice_find(parameter, '=');
    struct slice name = slice_trim(slice_head(parameter, equals));
    struct slice value = slice_trim(slice_skip(parameter, equals + 1));
    bool has_value = equals < parameter.size;
    if (slice_equal_nocase(name, SLICE_OF("server_no_context_takeover")))
        return !has_value && once(&p->server_alone);
    if (slice_equal_nocase(name, SLICE_OF("client_no_context_takeover")))
        return !has_value && once(&p->client_alone);
    if (slice_equal_nocase(name, SLICE_OF("server_max_window_bits")))
        return once(&p->has_server_bits) && bits_of(value, &p->server_bits);
    if (slice_equal_nocase(name, SLICE_OF("client_max_window_bits")))
        return once(&p->has_client_bits) && (!has_value || bits_of(value, &p->client_bits));
    return false;
}

/* False: it is another extension, or its parameters are not those of RFC 7692 section 7.1. */
static bool read_extension(struct slice element, struct parameters *ret) {
    *ret = (struct parameters){0};
    size_t end = slice_find(element, ';');
    if (!slice_equal_nocase(slice_trim(slice_head(element, end)), SLICE_OF(EXTENSION)))
        return false;
    struct slice rest = slice_skip(element, end + 1);
    while (end < element.size && rest.size) {
        size_t size = slice_find(rest, ';');
        if (!take_parameter(ret, slice_trim(slice_head(rest, size))))
            return false;
        rest = slice_skip(rest, size + 1);
    }
    return true;
}

/* The first offer that can be granted. A window of 2^8 bytes is more than zlib can keep to. */
static void grant(const struct http1_head *head, struct ws_agreed *agreed) {
    struct walk walk = {.head = head, .name = SLICE_OF("sec-websocket-extensions")};
    struct slice element;
    struct parameters p;
    while (!agreed->deflate && next_element(&walk, &element)) {
        if (!read_extension(element, &p) || p.server_bits == 8)
            continue;
        agreed->deflate = true;
        agreed->bits = p.server_bits;
    }
}

/* -- the accepted role -- */

static bool choose(const struct http1_head *head, const struct ws_rules *rules, struct ws_agreed *agreed) {
    struct walk walk = {.head = head, .name = SLICE_OF("sec-websocket-protocol")};
    struct slice element;
    while (next_element(&walk, &element)) /* in the order of who asks */
        for (enum ws_content content = WS_JSON; content < WS_CONTENT_COUNT; content++)
            if (slice_equal(element, ws_content_name(content)) && rules->contents & WS_CONTENT_BIT(content)) {
                agreed->content = content;
                return true;
            }
    agreed->content = WS_PLAIN;
    return rules->contents & WS_CONTENT_BIT(WS_PLAIN);
}

enum status ws_request_check(const struct http1_head *head, const struct ws_rules *rules, struct ws_agreed *ret_agreed,
                             const char **ret_words) {
    *ret_agreed = (struct ws_agreed){0};
    *ret_words = NULL;
    if (!slice_is(head->method, "GET")) {
        *ret_words = "WebSocket begins with GET";
        return STATUS_METHOD_NOT_ALLOWED;
    }
    if (head->minor < 1 || head->framing != HTTP1_NO_BODY) {
        *ret_words = "WebSocket begins with a request of HTTP/1.1 without a body";
        return STATUS_PROTOCOL_ERROR;
    }
    if (!list_has(head, SLICE_OF("connection"), SLICE_OF("upgrade"))) {
        *ret_words = "`Connection: Upgrade` is missing";
        return STATUS_PROTOCOL_ERROR;
    }
    if (!slice_is(only(head, SLICE_OF("sec-websocket-version")), "13")) {
        *ret_words = "`Sec-WebSocket-Version` must be 13";
        return STATUS_UPGRADE_REQUIRED;
    }
    if (!is_key(only(head, SLICE_OF("sec-websocket-key")))) {
        *ret_words = "`Sec-WebSocket-Key` must be 16 bytes in base64, once";
        return STATUS_PROTOCOL_ERROR;
    }
    if (!choose(head, rules, ret_agreed)) {
        *ret_words = "none of the offered subprotocols is spoken here: cloudevents.json, cloudevents.proto, intertie.v1";
        return STATUS_PROTOCOL_ERROR;
    }
    if (rules->deflate && ret_agreed->content != WS_STREAM) /* which has compression of its own */
        grant(head, ret_agreed);
    return STATUS_OK;
}

void ws_answer_write(const struct http1_head *head, const struct ws_agreed *agreed, struct buffer *out) {
    char accept[WS_ACCEPT_SIZE];
    ws_accept_of(only(head, SLICE_OF("sec-websocket-key")), accept);
    buffer_add_text(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    buffer_add(out, slice_make(accept, sizeof accept));
    if (agreed->content != WS_PLAIN) {
        buffer_add_text(out, "\r\nSec-WebSocket-Protocol: ");
        buffer_add(out, ws_content_name(agreed->content));
    }
    if (agreed->deflate)
        buffer_add_text(out, "\r\nSec-WebSocket-Extensions: " EXTENSION_OURS);
    if (agreed->deflate && agreed->bits) {
        buffer_add_text(out, "; server_max_window_bits=");
        buffer_add_u64(out, agreed->bits);
    }
    buffer_add_text(out, "\r\n\r\n");
}

/* -- the dialled role -- */

void ws_request_write(const struct ws_rules *rules, struct slice key, struct buffer *out) {
    bool first = true;
    buffer_add_text(out, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
    buffer_add(out, key);
    for (enum ws_content content = WS_JSON; content < WS_CONTENT_COUNT; content++) {
        if (!(rules->contents & WS_CONTENT_BIT(content)))
            continue;
        buffer_add_text(out, first ? "\r\nSec-WebSocket-Protocol: " : ", ");
        buffer_add(out, ws_content_name(content));
        first = false;
    }
    if (rules->deflate)
        buffer_add_text(out, "\r\nSec-WebSocket-Extensions: " EXTENSION_OURS);
    buffer_add_text(out, "\r\n");
}

static bool chosen(const struct http1_head *head, const struct ws_rules *rules, struct ws_agreed *agreed) {
    struct slice name = only(head, SLICE_OF("sec-websocket-protocol"));
    agreed->content = WS_PLAIN;
    for (enum ws_content content = WS_JSON; name.size && content < WS_CONTENT_COUNT; content++)
        if (slice_equal(name, ws_content_name(content)))
            agreed->content = content;
    if (name.size && agreed->content == WS_PLAIN)
        return false;
    return rules->contents & WS_CONTENT_BIT(agreed->content);
}

/* What we asked for must be granted as we asked for it. */
static bool granted(const struct http1_head *head, const struct ws_rules *rules, struct ws_agreed *agreed) {
    struct walk walk = {.head = head, .name = SLICE_OF("sec-websocket-extensions")};
    struct slice element;
    struct parameters p;
    while (next_element(&walk, &element)) {
        if (!rules->deflate || agreed->deflate || !read_extension(element, &p) || !p.server_alone || p.has_client_bits ||
            (p.has_server_bits && !p.server_bits))
            return false;
        agreed->deflate = true;
    }
    return true;
}

enum status ws_answer_check(const struct http1_head *head, const struct ws_rules *rules, struct slice key,
                            struct ws_agreed *ret_agreed, const char **ret_words) {
    char accept[WS_ACCEPT_SIZE];
    *ret_agreed = (struct ws_agreed){0};
    *ret_words = NULL;
    ws_accept_of(key, accept);
    if (head->code != 101)
        *ret_words = "the answer to the WebSocket handshake is not 101";
    else if (!ws_is_asked(head) || !list_has(head, SLICE_OF("connection"), SLICE_OF("upgrade")))
        *ret_words = "the 101 does not say `Upgrade: websocket` and `Connection: Upgrade`";
    else if (!slice_equal(only(head, SLICE_OF("sec-websocket-accept")), slice_make(accept, sizeof accept)))
        *ret_words = "`Sec-WebSocket-Accept` does not answer our key";
    else if (!chosen(head, rules, ret_agreed))
        *ret_words = "it chose a subprotocol that was not offered, or none";
    else if (!granted(head, rules, ret_agreed))
        *ret_words = "it granted an extension that was not asked for so";
    return *ret_words ? STATUS_UPSTREAM_ERROR : STATUS_OK;
}
