/* What a request means: whether it may be made, what it is about, and the message that comes of it. */
#include <stdio.h>

#include "base/memory.h"
#include "protocol/http1/coded.h"
#include "protocol/http1/consent.h"
#include "protocol/http1/handshake.h"
#include "protocol/http1/prefer.h"
#include "protocol/wrap.h"

/* What is wrong with a request before its body is looked at: it is answered now, its body is read past. Whoever waits
 * for 100 may send the body or not (RFC 9110 section 10.1.1): after that no head can be told from it. */
bool exchange_refuse(struct http1 *h, const struct http1_head *head, enum status status, const char *words,
                     const char *lines, struct now now) {
    struct http1_server *s = &h->server;
    bool has_body = head->framing == HTTP1_CHUNKED || head->length > 0;
    if (has_body && (http1_known(head, HTTP1_EXPECT).data || head->length > h->setup->limits.message))
        s->keep = false;
    s->after = !has_body ? PHASE_HEAD : head->framing == HTTP1_CHUNKED ? PHASE_SKIP_CHUNKS : PHASE_SKIP;
    s->in.skip = head->framing == HTTP1_CHUNKED ? 0 : head->length;
    chunked_init(&s->in.chunked);
    answer_problem(h, status, slice_from(words), 0, slice_from(lines), now);
    answer_end(h, status, now);
    http1_invalid(h, status, words);
    return false;
}

bool exchange_options(struct http1 *h, const struct http1_head *head, const char *allow, struct now now) {
    struct http1_server *s = &h->server;
    char lines[64 + ORIGIN_PREFLIGHT_MAX + CONSENT_LINES_MAX];
    int size = allow ? snprintf(lines, 64, "Allow: %s\r\n", allow) : 0;
    if (!allow || (s->cors && origin_is_preflight(head)))
        size += origin_preflight(head, lines + size);
    if (consent_is_asked(h, head))
        size += consent_lines(head, lines + size);
    s->after = head->framing == HTTP1_CHUNKED ? PHASE_SKIP_CHUNKS : head->length ? PHASE_SKIP : PHASE_HEAD;
    s->in.skip = head->length;
    chunked_init(&s->in.chunked);
    answer_write(h, &(struct answer){.code = 204, .lines = slice_make(lines, (size_t)size)}, now);
    answer_end(h, STATUS_OK, now);
    return false;
}

/* -- trust -- */

/* Any web page can make a browser post to a loopback address, under a name that its own DNS answers for. What is streamed
 * is for its recipient to judge by Origin, whose site it is; not so a Host that nobody here answers to. */
static const char *distrust(struct http1 *h, const struct http1_head *head) {
    const char *words = origin_objection(h, head);
    bool has_origin = http1_known(head, HTTP1_ORIGIN).data != NULL, streams = has_origin && rest_streams(h, head);
    if (words && !streams)
        return words;
    bool names_host = head->host.size || http1_known(head, HTTP1_HOST).data;
    if (!h->setup->is_loopback || !names_host || http1_host_is_loopback(head->host))
        return NULL;
    if ((streams || !has_origin) && rest_trusts_host(h, head))
        return NULL;
    return "this listener is for this machine alone: `Host` must be localhost or a loopback address";
}

/* The key of `Authorization: Bearer KEY`; false when it is something else. */
static bool bearer(const struct http1_head *head, struct slice *ret_key) {
    struct slice value = http1_known(head, HTTP1_AUTHORIZATION);
    *ret_key = SLICE_OF("");
    if (!value.data)
        return true;
    if (!slice_starts_nocase(value, SLICE_OF("bearer ")))
        return false;
    *ret_key = slice_trim(slice_skip(value, 7));
    return ret_key->size > 0;
}

static bool is_known(const struct http1_server *s, struct slice key) {
    struct slice known = s->key ? slice_make(s->key->bytes, s->key->size) : SLICE_OF("");
    return s->said_hello && slice_equal(key, known);
}

/* False: too long, or no memory. Then each request is asked about. */
static bool remember(struct http1_server *s, struct slice key) {
    if (key.size == 0) {
        memory_free(s->key);
        s->key = NULL;
        return true;
    }
    if (key.size > HTTP1_KEY_MAX || (!s->key && !(s->key = memory_new(sizeof *s->key))))
        return false;
    s->key->size = (uint8_t)key.size;
    memcpy(s->key->bytes, key.data, key.size);
    return true;
}

static enum status say_hello(struct http1 *h, const struct http1_head *head, struct slice key) {
    struct http1_server *s = &h->server;
    if (is_known(s, key))
        return STATUS_OK;
    struct protocol_hello hello = {.client = http1_known(head, HTTP1_USER_AGENT), .key = key};
    struct slice system = SLICE_OF("");
    enum status status = h->sink->calls->hello ? h->sink->calls->hello(h->sink->user, &hello, &system) : STATUS_OK;
    s->said_hello = status == STATUS_OK && remember(s, key);
    s->system = system;
    return status;
}

enum status exchange_serve(struct http1 *h, const struct http1_head *head, struct slice system) {
    struct protocol_hello hello = {.client = http1_known(head, HTTP1_USER_AGENT), .system = system, .serves = true};
    bearer(head, &hello.key);
    return h->sink->calls->hello ? h->sink->calls->hello(h->sink->user, &hello, &h->server.system) : STATUS_OK;
}

static bool check_identity(struct http1 *h, const struct http1_head *head, struct now now) {
    struct slice key;
    if (!bearer(head, &key))
        return exchange_refuse(h, head, STATUS_UNAUTHENTICATED, "`Authorization` must be `Bearer` and a key", NULL, now);
    if (key.size && h->setup->keys_refused)
        return exchange_refuse(h, head, STATUS_FORBIDDEN,
                      "keys in clear text are refused here: use TLS or a loopback address, or write "
                      "`insecure: true` for this listener",
                      NULL, now);
    enum status status = say_hello(h, head, key);
    if (status == STATUS_OK)
        return true;
    const char *words = status != STATUS_UNAUTHENTICATED ? NULL
                        : key.size ? "the key is not known here, or no longer" : "a key is due: `Authorization: Bearer KEY`";
    return exchange_refuse(h, head, status, words, NULL, now);
}

/* -- what it is about -- */

static bool check_duplicates(struct http1 *h, const struct http1_head *head, struct now now) {
    for (uint32_t i = 0; i < head->field_count && head->ce_count > 1; i++) {
        if (!http1_is_ce(head->fields[i].name))
            continue;
        for (uint32_t k = i + 1; k < head->field_count; k++)
            if (slice_equal_nocase(head->fields[i].name, head->fields[k].name))
                return exchange_refuse(h, head, STATUS_MALFORMED_EVENT, "a ce- header is there twice", NULL, now);
    }
    return true;
}

static enum api_mode mode_of(const struct http1 *h, const struct http1_head *head) {
    return h->setup->format == PROTOCOL_FORMAT_RAW ? API_PLAIN : api_mode(head);
}

static bool check_coding(struct http1 *h, const struct http1_head *head, struct now now) {
    const char *words = coded_objection(h, head);
    char lines[CODED_ACCEPT_MAX + 1];
    struct buffer out;
    if (!words)
        return true;
    buffer_init_fixed(&out, lines, CODED_ACCEPT_MAX);
    coded_accept_line(h, &out); /* RFC 9110 section 15.5.16 */
    lines[out.size] = '\0';
    return exchange_refuse(h, head, STATUS_UNSUPPORTED_MEDIA, words, lines, now);
}

static bool check_mode(struct http1 *h, const struct http1_head *head, struct now now) {
    enum api_mode mode = mode_of(h, head);
    if (mode == API_UNKNOWN_FORMAT)
        return exchange_refuse(h, head, STATUS_UNSUPPORTED_MEDIA,
                      "of CloudEvents only the formats +json and +protobuf are understood, in UTF-8", NULL, now);
    if (mode == API_PLAIN && h->setup->format == PROTOCOL_FORMAT_CLOUDEVENTS)
        return exchange_refuse(h, head, STATUS_UNSUPPORTED_MEDIA, "only CloudEvents are taken here", NULL, now);
    /* Of an event in binary mode the decoder finds them, which is cheaper. */
    return mode == API_BINARY || check_duplicates(h, head, now);
}

static bool refuse_method(struct http1 *h, const struct http1_head *head, const char *allow, struct now now) {
    char line[64];
    snprintf(line, sizeof line, "Allow: %s\r\n", allow);
    return exchange_refuse(h, head, STATUS_METHOD_NOT_ALLOWED,
                           slice_starts(slice_from(allow), SLICE_OF("GET, OPT"))
                               ? "it is read with GET"
                               : "messages are sent with POST",
                           line, now);
}

/* A page can't set headers: over WebSocket who it is may be said after the handshake, within timeouts.auth. Not where the
 * connection was somebody's before. */
static bool may_say_later(const struct http1 *h, const struct http1_head *head) {
    uint8_t room[API_ROOM];
    struct api_route route;
    if (!h->setup->auth || h->sink->known || h->server.said_hello || !h->setup->websocket.contents || !ws_is_asked(head) ||
        http1_known(head, HTTP1_AUTHORIZATION).data)
        return false;
    if (h->setup->websocket.only)
        return slice_equal(head->path, h->setup->path);
    api_route(head, room, &route);
    return route.place == API_WEBSOCKET;
}

static bool check_route(struct http1 *h, const struct http1_head *head, struct now now) {
    uint8_t room[API_ROOM];
    struct api_route route;
    if (h->setup->websocket.only)
        return slice_equal(head->path, h->setup->path)
                   ? upgrade_begin(h, head, now)
                   : exchange_refuse(h, head, STATUS_NOT_FOUND, "nothing is at this path of a WebSocket listener", NULL, now);
    api_route(head, room, &route);
    switch (route.place) {
    case API_MESSAGES:
        return check_coding(h, head, now) && check_mode(h, head, now);
    case API_PULL:
    case API_ACKS:
    case API_REPLY:
        return check_coding(h, head, now);
    case API_WEBSOCKET:
        return upgrade_begin(h, head, now);
    case API_OPTIONS:
        return exchange_options(h, head, route.allow, now);
    case API_NO_METHOD:
        return refuse_method(h, head, route.allow, now);
    case API_PLANNED:
        return exchange_refuse(h, head, STATUS_NOT_SUPPORTED, "not supported yet in " INTERTIE_VERSION, NULL, now);
    case API_BAD_NAME:
        return exchange_refuse(h, head, STATUS_UNKNOWN_TARGET, "no system can be called so: names are a-z, 0-9, `_` and `-`", NULL,
                      now);
    case API_UNKNOWN:
        break;
    }
    return rest_check(h, head, now);
}

bool exchange_check(struct http1 *h, const struct http1_head *head, struct now now) {
    struct slice expect = http1_known(head, HTTP1_EXPECT);
    const char *words = distrust(h, head);
    if (slice_is(head->method, "CONNECT") || slice_is(head->method, "TRACE"))
        return exchange_refuse(h, head, STATUS_METHOD_NOT_ALLOWED, "this method is not served",
                      h->setup->is_admin ? "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n" : "Allow: POST, OPTIONS\r\n",
                      now);
    if (words)
        return exchange_refuse(h, head, STATUS_ORIGIN_REFUSED, words, NULL, now);
    if (expect.data && head->minor >= 1 && !slice_equal_nocase(expect, SLICE_OF("100-continue")))
        return exchange_refuse(h, head, STATUS_EXPECTATION_FAILED, "the only expectation that can be met is 100-continue", NULL,
                      now);
    const char *wanted = consent_is_asked(h, head); /* before a key can have been given to who asks */
    if (wanted || (h->server.cors && origin_is_preflight(head) && !rest_streams(h, head)))
        return exchange_options(h, head, wanted, now);
    if (!may_say_later(h, head) && !check_identity(h, head, now))
        return false;
    if (!h->setup->is_admin)
        return check_route(h, head, now);
    if (head->form == HTTP1_ASTERISK_FORM)
        return exchange_options(h, head, "GET, HEAD, POST, PUT, DELETE, OPTIONS", now);
    return check_coding(h, head, now);
}

/* -- requests that are no messages -- */

static void begin_request(struct http1 *h, const struct http1_head *head, struct slice body, struct now now) {
    struct http1_server *s = &h->server;
    uint8_t room[HTTP1_LINE_MAX];
    struct protocol_request request = {
        .method = head->method,
        .path = http1_normal_path(head->path, room, sizeof room),
        .query = head->query,
        .host = head->host,
        .content_type = http1_known(head, HTTP1_CONTENT_TYPE),
        .accept = http1_known(head, HTTP1_ACCEPT),
        .body = body,
        .system = s->system,
        .head = head,
    };
    request.is_json = api_is_json(request.content_type);
    s->is_http = true;
    s->token = ++s->tokens;
    if (h->sink->calls->request && request.path.data)
        h->sink->calls->request(h->sink->user, s->token, &request);
    else
        http1_answer_problem(h, s->token, STATUS_NOT_FOUND, SLICE_OF(""), now);
}

/* -- messages -- */

static void refuse_event(struct http1 *h, const struct message_fault *fault, struct now now) {
    h->server.has_receipt = false; /* nobody but us has seen it */
    answer_problem(h, fault->status, slice_from(fault->text), 0, slice_make(NULL, 0), now);
    answer_end(h, fault->status, now);
    if (h->sink->calls->invalid)
        h->sink->calls->invalid(h->sink->user, fault);
}

static enum api_mode reply_mode(const struct http1_head *head, enum api_mode mode) {
    enum message_encoding wanted = api_accepts(http1_known(head, HTTP1_ACCEPT));
    if (wanted != ENCODING_NONE)
        return wanted == ENCODING_JSON ? API_JSON : API_PROTO;
    return mode == API_JSON || mode == API_PROTO ? mode : API_BINARY;
}

/* What asks may say how long it waits, and whether its answer is that it was taken. */
static void apply_prefer(struct http1_server *s, const struct prefer *prefer, struct message *message) {
    if (!message_kind_asks(message->kind))
        return;
    message->wait_s = s->wait_s = prefer->wait_s;
    s->later = prefer->respond_async;
    message->later = (uint8_t)(s->later ? s->mode + 1 : 0);
}

static void begin_event(struct http1 *h, enum api_mode mode, struct slice body, const struct api_hints *hints,
                        const struct prefer *prefer, struct now now) {
    struct http1_server *s = &h->server;
    struct message message;
    struct message_fault fault;
    struct buffer own; /* of the message; nothing of it is needed once it was passed up */
    s->mode = (uint8_t)reply_mode(hints->head, mode);
    buffer_init(&own, http1_own_max(h));
    enum status status = api_decode(&message, mode, body, &h->worker->extra, &own, hints, &fault);
    if (status != STATUS_OK) {
        buffer_done(&own);
        fault.status = status;
        refuse_event(h, &fault, now);
        return;
    }
    memcpy(message.receipt, s->receipt, sizeof s->receipt);
    message.has_receipt = true;
    apply_prefer(s, prefer, &message);
    h->sink->terms.inline_reply = true;
    s->token = ++s->tokens;
    h->sink->calls->message(h->sink->user, s->token, &message, 0);
    buffer_done(&own);
}

void exchange_begin(struct http1 *h, const struct http1_head *head, struct slice body, struct now now) {
    struct http1_server *s = &h->server;
    uint8_t room[API_ROOM];
    char id[UUID_TEXT_SIZE], source[WRAP_SOURCE_MAX];
    struct api_route route;
    struct message_rules rules = http1_rules(h);
    struct message_fault fault;
    s->in.phase = PHASE_OPEN;
    s->after = PHASE_HEAD;
    s->coding = (uint8_t)coded_wanted(h, head);
    h->sink->paused = true;
    h->sink->due = MONO_NEVER;
    if (h->setup->is_admin) {
        begin_request(h, head, body, now);
        return;
    }
    if (s->is_rest) {
        if (once_begin(h, head, body, now))
            rest_begin(h, head, body, now);
        return;
    }
    api_route(head, room, &route);
    if (route.place == API_PULL || route.place == API_ACKS || route.place == API_REPLY) {
        pull_begin(h, head, &route, body, now);
        return;
    }
    if (!once_begin(h, head, body, now))
        return;
    if (s->once)
        s->coding = CODING_NONE; /* its answer is kept for others too */
    uuid_make(&h->worker->ids, now.wall, s->receipt);
    s->has_receipt = true;
    struct api_hints hints = {.head = head, .rules = &rules, .target = route.target, .now = now.wall,
                              .defaults = h->setup->defaults, .default_count = h->setup->default_count};
    enum api_mode mode = mode_of(h, head);
    struct prefer prefer = prefer_of(head);
    if (mode == API_PLAIN) {
        if (prefer.wait_s || prefer.respond_async)
            hints.messagetype = SLICE_OF("request");
        uuid_text(s->receipt, id);
        hints.id = slice_make(id, sizeof id);
        hints.source = wrap_source(h->setup, h->setup->system.size ? h->setup->system : s->system, source, sizeof source);
    }
    if (!api_ttl(&hints, &fault) || coded_unpack(h, head, &body, &fault) != STATUS_OK)
        refuse_event(h, &fault, now);
    else if (mode == API_BATCH_JSON || mode == API_BATCH_PROTO)
        batch_begin(h, mode, body, &hints, now);
    else
        begin_event(h, mode, body, &hints, &prefer, now);
    coding_rest(h->worker->coder);
}
