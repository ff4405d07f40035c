/* The dialled role where `format` is `rest`: each message is a request of its own kind, each answer a reply. */
#include "base/assert.h"
#include "base/text.h"
#include "message/encoding.h"
#include "protocol/http1/fields.h"
#include "protocol/http1/present.h"
#include "protocol/wrap.h"

#define RESPONSE_TYPE "intertie.http.response.v1"

/* -- message to request -- */

static bool is_token(struct slice method) {
    return method.size > 0 && method.size <= 32 && fields_is_legal(method, SLICE_OF(""));
}

/* A target that came from elsewhere: nothing in it may end the line or name another host. */
static bool is_target(struct slice target) {
    if (target.size == 0 || target.size > HTTP1_LINE_MAX - 256 || target.data[0] != '/')
        return false;
    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f || target.data[i] == '#')
            return false;
    return true;
}

/* The URL's own path stands before all; between the two is one slash. */
static struct slice base_path(const struct http1 *h) {
    struct slice base = h->setup->path;
    while (base.size && base.data[base.size - 1] == '/')
        base.size--;
    return base;
}

static enum protocol_rest_kind rest_kind(const struct message *message) {
    switch ((enum message_kind)message->kind) {
    case KIND_QUERY:
        return PROTOCOL_REST_QUERY;
    case KIND_COMMAND:
        return PROTOCOL_REST_COMMAND;
    case KIND_REQUEST:
        return PROTOCOL_REST_REQUEST;
    case KIND_EVENT: case KIND_RESPONSE: case KIND_NOTIFICATION: case KIND_HEARTBEAT: case KIND_ERROR: case KIND_COUNT:
        break;
    }
    return PROTOCOL_REST_OTHER;
}

/* METHOD SP TARGET SP HTTP/1.1. */
static enum status add_line(struct http1 *h, const struct message *message, struct buffer *out, struct slice *ret_method) {
    const struct protocol_rest *rest = h->setup->rest;
    enum protocol_rest_kind kind = rest_kind(message);
    struct slice method = message_text(message, ATTRIBUTE_HTTPMETHOD), target = message_text(message, ATTRIBUTE_HTTPTARGET);
    bool came_so = message_has(message, ATTRIBUTE_HTTPMETHOD) && message_has(message, ATTRIBUTE_HTTPTARGET);
    if (came_so && (!is_token(method) || !is_target(target) || slice_is(method, "CONNECT") || slice_is(method, "TRACE")))
        return STATUS_NOT_REPRESENTABLE;
    *ret_method = came_so ? method : rest->by_kind[kind].method;
    buffer_add(out, *ret_method);
    buffer_add_byte(out, ' ');
    size_t start = out->size;
    if (came_so || rest->by_kind[kind].path) {
        buffer_add(out, base_path(h));
        enum status status = came_so ? STATUS_OK : template_write(rest->by_kind[kind].path, message, TEMPLATE_PERCENT, out);
        if (status != STATUS_OK)
            return status;
        if (came_so)
            buffer_add(out, target);
    } else {
        buffer_add(out, h->setup->path.size ? h->setup->path : SLICE_OF("/"));
    }
    if (out->size - start > HTTP1_LINE_MAX - 256)
        return STATUS_NOT_REPRESENTABLE;
    buffer_add(out, SLICE_OF(" HTTP/1.1\r\n"));
    return out->status;
}

/* Static fields of the configuration come last and replace what has their name. */
static bool is_replaced(const struct http1 *h, struct slice name) {
    for (size_t i = 0; i < h->setup->header_count; i++)
        if (slice_equal_nocase(name, h->setup->headers[i].name))
            return true;
    return false;
}

static enum status add_own(struct http1 *h, const struct message *message, struct buffer *out) {
    for (size_t i = 0; i < h->setup->header_count; i++) {
        buffer_add(out, h->setup->headers[i].name);
        buffer_add(out, SLICE_OF(": "));
        enum status status = template_write(h->setup->headers[i].value, message, TEMPLATE_PLAIN, out);
        if (status != STATUS_OK)
            return status;
        buffer_add(out, SLICE_OF("\r\n"));
    }
    return out->status;
}

static enum status add_pairs(struct http1 *h, const struct message *message, struct buffer *out) {
    struct fields_out lines = {out, false};
    struct http_pairs pairs = {.rest = message_text(message, ATTRIBUTE_HTTPHEADERS)};
    struct slice name, value;
    struct buffer room;
    uint8_t bytes[4096];
    buffer_init_fixed(&room, bytes, sizeof bytes);
    while (http_pairs_next(&pairs, &room, &name, &value)) {
        static const struct slice own[] = {SLICE("host"), SLICE("content-length"), SLICE("content-type"),
                                           SLICE("authorization"), SLICE("expect")};
        bool drop = fields_is_hop(name) || is_replaced(h, name) || present_owns(h, name);
        for (size_t i = 0; i < COUNT_OF(own) && !drop; i++)
            drop = name.size == own[i].size && slice_equal_nocase(name, own[i]);
        if (!fields_is_legal(name, value))
            return STATUS_NOT_REPRESENTABLE;
        if (!drop)
            fields_add(&lines, name, value);
        buffer_clear(&room);
    }
    return pairs.is_bad ? STATUS_NOT_REPRESENTABLE : out->status;
}

static enum status add_fields(struct http1 *h, const struct message *message, const struct overlay *overlay, struct buffer *out) {
    struct fields_out lines = {out, false};
    struct slice type = message_text(message, ATTRIBUTE_DATACONTENTTYPE), host = message_text(message, ATTRIBUTE_HTTPAUTHORITY);
    bool keeps_host = h->setup->preserve_host && host.size && http1_host_is_valid(host);
    fields_add(&lines, SLICE_OF("Host"), keeps_host ? host : h->setup->host);
    enum status status;
    if (message_has(message, ATTRIBUTE_HTTPHEADERS)) {
        status = add_pairs(h, message, out);
        if (status == STATUS_OK && type.size && fields_is_legal(SLICE_OF("content-type"), type))
            fields_add(&lines, SLICE_OF("Content-Type"), type);
    } else {
        status = message_http_headers(message, overlay, out); /* Content-Type too */
    }
    if (status != STATUS_OK)
        return status == STATUS_MALFORMED_EVENT ? STATUS_NOT_REPRESENTABLE : status;
    fields_via(h, &lines);
    present_add(h, out);
    return add_own(h, message, out);
}

static bool has_no_body(struct slice method) {
    return slice_is(method, "GET") || slice_is(method, "HEAD");
}

enum status rest_request(struct http1 *h, const struct message *message, const struct overlay *overlay, struct buffer *out,
                         bool *ret_is_head, struct now now) {
    struct slice method;
    enum status status = add_line(h, message, out, &method);
    if (status == STATUS_OK)
        status = add_fields(h, message, overlay, out);
    if (status != STATUS_OK)
        return status;
    *ret_is_head = slice_is(method, "HEAD");
    size_t size = has_no_body(method) ? 0 : message_data_size(message);
    if (size || !(has_no_body(method) || slice_is(method, "DELETE") || slice_is(method, "OPTIONS"))) {
        buffer_add(out, SLICE_OF("Content-Length: "));
        buffer_add_u64(out, size);
        buffer_add(out, SLICE_OF("\r\n"));
    }
    struct present_mark mark = present_begin(h, message, now, out);
    buffer_add(out, SLICE_OF("\r\n"));
    if (size)
        message_data_write(message, out);
    present_sign(h, mark, size, out);
    return out->status;
}

/* -- answer to reply -- */

enum status rest_decode(struct http1 *h, const struct http1_head *head, struct slice body, struct message *message,
                        const struct slice id, const struct slice source, struct message_fault *fault, struct now now) {
    struct buffer *extra = &h->worker->extra, *scratch = &h->worker->scratch;
    struct fields_out out = {scratch, true};
    struct wrap wrap = {.declared = h->setup->declared, .id = id, .source = source, .type = SLICE_OF(RESPONSE_TYPE),
                        .messagetype = SLICE_OF("response"), .now = now.wall};
    char code[TEXT_U64_MAX];
    struct slice type = http1_known(head, HTTP1_CONTENT_TYPE);
    buffer_clear(extra);
    buffer_clear(scratch);
    buffer_add_byte(scratch, '[');
    fields_answer(head, false, body.size == 0, &out);
    buffer_add_byte(scratch, ']');
    *fault = (struct message_fault){.status = STATUS_OK};
    enum status status = wrap_begin(message, body, extra, &wrap, fault);
    if (status == STATUS_OK)
        status = message_add(message, extra, ATTRIBUTE_HTTPSTATUS, slice_make(code, text_from_u64(code, head->code)), fault);
    if (status == STATUS_OK)
        status = scratch->status;
    if (status == STATUS_OK)
        status = message_add(message, extra, ATTRIBUTE_HTTPHEADERS, buffer_slice(scratch), fault);
    return status == STATUS_OK ? wrap_finish(message, extra, type.size ? type : slice_make(NULL, 0), fault) : status;
}
