/* REST routes of the accepted role: requests outside of the API become messages, replies become answers again. */
#include "base/json.h"
#include "base/json_write.h"
#include "base/text.h"
#include "message/uuid.h"
#include "protocol/http1/fields.h"
#include "protocol/http1/once_key.h"
#include "protocol/wrap.h"

#define REQUEST_TYPE "intertie.http.request.v1"
#define PAIR_ROOM 8192 /* one field of `httpheaders` that has escapes */

/* -- where it goes -- */

static struct slice field_of(const void *of, struct slice name, unsigned index) {
    const struct http1_head *head = of;
    for (uint32_t i = 0; i < head->field_count; i++)
        if (slice_equal_nocase(head->fields[i].name, name) && index-- == 0)
            return head->fields[i].value;
    return slice_make(NULL, 0);
}

/* `room` (HTTP1_LINE_MAX) lives as long as the parameters. */
static struct protocol_way find_way(struct http1 *h, const struct http1_head *head, uint8_t *room) {
    struct protocol_way way = {.is_found = false};
    struct protocol_ask ask = {.method = head->method, .path = http1_normal_path(head->path, room, HTTP1_LINE_MAX),
                               .host = head->host, .head = head, .field = field_of};
    bool is_api = slice_is(ask.path, "/v1") || slice_starts(ask.path, SLICE_OF("/v1/"));
    if (h->sink->calls->way && ask.path.size && !is_api && !h->setup->is_admin)
        h->sink->calls->way(h->sink->user, &ask, &way);
    return way;
}

bool rest_trusts_host(struct http1 *h, const struct http1_head *head) {
    uint8_t room[HTTP1_LINE_MAX];
    struct protocol_way way = find_way(h, head, room);
    return way.is_found && way.names_host;
}

bool rest_streams(struct http1 *h, const struct http1_head *head) {
    uint8_t room[HTTP1_LINE_MAX];
    return find_way(h, head, room).streams;
}

static bool is_last_hop(const struct http1_head *head) {
    uint64_t left;
    return slice_is(head->method, "OPTIONS") && text_to_u64(http1_find(head, SLICE_OF("max-forwards")), &left) && left == 0;
}

bool rest_check(struct http1 *h, const struct http1_head *head, struct now now) {
    uint8_t room[HTTP1_LINE_MAX];
    struct protocol_way way = find_way(h, head, room);
    if (!way.is_found)
        return exchange_refuse(h, head, STATUS_NOT_FOUND, "nothing is at this path; messages go to /v1/messages", NULL, now);
    if (fields_loops(h, head))
        return exchange_refuse(h, head, STATUS_LOOP_DETECTED, "`Via` names this node: the request went round in a circle", NULL, now);
    if (is_last_hop(head))
        return exchange_options(h, head, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", now);
    if (way.streams) {
        relay_begin(h, head, &way, now);
        return false;
    }
    h->server.is_rest = true;
    return true;
}

/* -- request to message -- */

struct slice rest_origin_form(const struct http1_head *head) {
    if (head->form != HTTP1_ABSOLUTE_FORM || !head->path.size)
        return head->form == HTTP1_ABSOLUTE_FORM ? SLICE_OF("/") : head->target;
    const uint8_t *end = head->target.data + head->target.size;
    bool own = head->path.data >= head->target.data && head->path.data < end; /* else the `/` that stands for no path */
    return own ? slice_make(head->path.data, (size_t)(end - head->path.data)) : SLICE_OF("/");
}

static struct slice add_headers(struct http1 *h, const struct http1_head *head, const struct address *peer) {
    struct buffer *scratch = &h->worker->scratch;
    struct fields_out out = {scratch, true};
    buffer_clear(scratch);
    buffer_add_byte(scratch, '[');
    fields_request(h, head, peer, false, &out);
    buffer_add_byte(scratch, ']');
    return scratch->status == STATUS_OK ? buffer_slice(scratch) : slice_make(NULL, 0);
}

static enum status add_parameters(struct http1 *h, struct message *message, const struct protocol_way *way,
                                  struct message_fault *fault) {
    struct buffer *scratch = &h->worker->scratch;
    struct json_write write;
    if (way->parameter_count == 0)
        return STATUS_OK;
    buffer_clear(scratch);
    json_write_init(&write, scratch);
    json_write_object(&write);
    for (unsigned i = 0; i < way->parameter_count; i++) {
        json_write_name(&write, way->parameters[i].name);
        json_write_string(&write, way->parameters[i].value);
    }
    json_write_object_end(&write);
    return message_add(message, &h->worker->extra, ATTRIBUTE_HTTPPARAMS, buffer_slice(scratch), fault);
}

static bool asks_only(struct slice method) {
    return slice_is(method, "GET") || slice_is(method, "HEAD") || slice_is(method, "OPTIONS");
}

static enum status add_request(struct http1 *h, const struct http1_head *head, struct message *message, struct slice path,
                               const struct address *peer, struct message_fault *fault) {
    struct buffer *extra = &h->worker->extra;
    uint8_t room[ONCE_KEY_MAX];
    struct slice key, said = http1_known(head, HTTP1_IDEMPOTENCY_KEY), trace = http1_known(head, HTTP1_TRACEPARENT);
    struct slice headers = add_headers(h, head, peer);
    if (!headers.data)
        return STATUS_TOO_LARGE;
    enum status status = message_add(message, extra, ATTRIBUTE_SUBJECT, path, fault);
    if (status == STATUS_OK)
        status = message_add(message, extra, ATTRIBUTE_HTTPMETHOD, head->method, fault);
    if (status == STATUS_OK)
        status = message_add(message, extra, ATTRIBUTE_HTTPTARGET, rest_origin_form(head), fault);
    if (status == STATUS_OK && head->host.size)
        status = message_add(message, extra, ATTRIBUTE_HTTPAUTHORITY, head->host, fault);
    if (status == STATUS_OK)
        status = message_add(message, extra, ATTRIBUTE_HTTPSCHEME, h->setup->is_secure ? SLICE_OF("https") : SLICE_OF("http"), fault);
    if (status == STATUS_OK)
        status = message_add(message, extra, ATTRIBUTE_HTTPHEADERS, headers, fault);
    if (status == STATUS_OK && said.data && once_key(said, room, &key))
        status = message_add(message, extra, ATTRIBUTE_IDEMPOTENCYKEY, key, fault);
    if (status == STATUS_OK && trace.size == 55 && text_is_ascii(trace))
        status = message_add(message, extra, ATTRIBUTE_TRACEPARENT, trace, fault);
    return status;
}

static enum status make(struct http1 *h, const struct http1_head *head, struct slice body, struct message *message,
                        struct message_fault *fault, struct now now) {
    struct http1_server *s = &h->server;
    uint8_t room[HTTP1_LINE_MAX];
    char id[UUID_TEXT_SIZE], source[WRAP_SOURCE_MAX];
    struct slice path = http1_normal_path(head->path, room, sizeof room);
    struct protocol_way way = find_way(h, head, room);
    if (!way.is_found)
        return fault->status = STATUS_NOT_FOUND; /* the configuration changed since its head came */
    uuid_text(s->receipt, id);
    struct wrap wrap = {.declared = h->setup->declared, .id = slice_make(id, sizeof id), .type = SLICE_OF(REQUEST_TYPE),
                        .messagetype = asks_only(head->method) ? SLICE_OF("query") : SLICE_OF("request"), .now = now.wall,
                        .source = wrap_source(h->setup, h->setup->system.size ? h->setup->system : s->system, source, sizeof source)};
    buffer_clear(&h->worker->extra);
    enum status status = wrap_begin(message, body, &h->worker->extra, &wrap, fault);
    if (status == STATUS_OK)
        status = add_request(h, head, message, path, way.peer, fault);
    if (status == STATUS_OK)
        status = add_parameters(h, message, &way, fault);
    struct slice type = http1_known(head, HTTP1_CONTENT_TYPE);
    if (status == STATUS_OK)
        status = wrap_finish(message, &h->worker->extra, type.size ? type : slice_make(NULL, 0), fault);
    message->route = way.route;
    return status;
}

void rest_begin(struct http1 *h, const struct http1_head *head, struct slice body, struct now now) {
    struct http1_server *s = &h->server;
    struct message message;
    struct message_fault fault = {.status = STATUS_OK};
    uuid_make(&h->worker->ids, now.wall, s->receipt);
    s->has_receipt = true;
    s->coding = CODING_NONE; /* bodies go on as they are */
    enum status status = make(h, head, body, &message, &fault, now);
    if (status != STATUS_OK) {
        answer_problem(h, status, slice_from(fault.text), 0, slice_make(NULL, 0), now);
        answer_end(h, status, now);
        http1_invalid(h, status, fault.text);
        return;
    }
    memcpy(message.receipt, s->receipt, sizeof s->receipt);
    message.has_receipt = true;
    h->sink->terms.inline_reply = true;
    s->token = ++s->tokens;
    h->sink->calls->message(h->sink->user, s->token, &message, 0);
}

/* -- reply to answer -- */

/* Of a problem document (RFC 9457), its status. */
static unsigned problem_code(const struct message *message) {
    struct slice data = message_data_verbatim(message);
    struct json json;
    struct json_item name, value;
    int64_t code = 0;
    json_init(&json, data, 0);
    if (data.data && json_next(&json, &name) == JSON_OBJECT)
        while (json_next(&json, &name) == JSON_NAME && json_skip(&json, &value) != JSON_ERROR)
            if (json_item_is(&name, SLICE_OF("status")) && value.type == JSON_NUMBER && json_number_to_i64(value.raw, &code))
                break;
    return code >= 400 && code <= 599 ? (unsigned)code : 502;
}

static unsigned code_of(const struct message *message) {
    const struct value *value = message_value(message, ATTRIBUTE_HTTPSTATUS);
    int32_t code;
    if (value)
        return value_number(message, value, &code) && code >= 200 && code <= 599 ? (unsigned)code : 502;
    if (message->kind == KIND_ERROR)
        return problem_code(message);
    return message->data_form == DATA_NONE || message_data_size(message) == 0 ? 204 : 200;
}

/* What a reply says about itself is no more ours than the values of any other peer: nothing of it may break a line. */
static enum status add_lines(struct http1 *h, const struct message *message, uint64_t *ret_length) {
    struct buffer *scratch = &h->worker->scratch, room; /* not the worker's `extra`: the reply may stand there */
    uint8_t bytes[PAIR_ROOM];
    struct fields_out out = {scratch, false};
    struct http_pairs pairs = {.rest = message_text(message, ATTRIBUTE_HTTPHEADERS)};
    struct slice name, value;
    buffer_init_fixed(&room, bytes, sizeof bytes);
    for (; http_pairs_next(&pairs, &room, &name, &value); buffer_clear(&room)) {
        if (!fields_is_legal(name, value))
            return STATUS_NOT_REPRESENTABLE;
        if (slice_equal_nocase(name, SLICE_OF("content-length"))) {
            if (!text_to_u64(value, ret_length))
                return STATUS_NOT_REPRESENTABLE;
        } else if (!fields_is_hop(name) && !slice_equal_nocase(name, SLICE_OF("date")) &&
                   !slice_equal_nocase(name, SLICE_OF("content-type"))) {
            fields_add(&out, name, value);
        }
    }
    fields_via(h, &out);
    return pairs.is_bad ? STATUS_NOT_REPRESENTABLE : scratch->status;
}

enum status rest_answer(struct http1 *h, const struct message *message, const struct overlay *overlay, struct now now) {
    struct http1_server *s = &h->server;
    struct buffer *scratch = &h->worker->scratch;
    unsigned code = code_of(message);
    uint64_t length = 0;
    (void)overlay; /* of an event's attributes none leaves */
    struct slice data = message_data_verbatim(message);
    buffer_clear(scratch);
    enum status status = add_lines(h, message, &length);
    size_t lines = scratch->size;
    bool has_body = code != 204 && code != 304;
    if (status == STATUS_OK && has_body && !data.data && message->data_form != DATA_NONE)
        message_data_write(message, scratch);
    if (status != STATUS_OK || scratch->status != STATUS_OK)
        return status != STATUS_OK ? status : scratch->status;
    if (!data.data)
        data = slice_skip(buffer_slice(scratch), lines);
    struct slice type = message_text(message, ATTRIBUTE_DATACONTENTTYPE);
    answer_write(h,
                 &(struct answer){.code = code, .content_type = fields_is_legal(SLICE_OF("content-type"), type) ? type : SLICE_OF(""),
                                  .body = has_body ? data : SLICE_OF(""), .lines = slice_make(scratch->data, lines),
                                  .length = s->is_head && data.size == 0 ? length : 0},
                 now);
    return STATUS_OK;
}
