/* From the parts of a request (or an answer) to a message. */
#include <stdio.h>

#include "base/text.h"
#include "message/timestamp.h"
#include "protocol/http1/api.h"
#include "protocol/http1/once_key.h"
#include "protocol/wrap.h"

#define WRAPPED_TYPE "intertie.http.message.v1"

static enum status refuse(struct message_fault *fault, const char *text) {
    *fault = (struct message_fault){.status = STATUS_MALFORMED_EVENT};
    snprintf(fault->text, sizeof fault->text, "%s", text);
    return STATUS_MALFORMED_EVENT;
}

/* W3C Trace Context section 3.2.2; what breaks it counts as absent. */
static bool traceparent_is_valid(struct slice value) {
    if (value.size < 55 || (value.size > 55 && value.data[55] != '-') || slice_starts(value, SLICE_OF("ff")) ||
        (value.size > 55 && slice_starts(value, SLICE_OF("00"))))
        return false;
    unsigned trace = 0, parent = 0;
    for (size_t i = 0; i < 55; i++) {
        uint8_t c = value.data[i];
        bool dash = i == 2 || i == 35 || i == 52;
        if (dash ? c != '-' : !(text_is_digit(c) || (c >= 'a' && c <= 'f')))
            return false;
        trace |= i > 2 && i < 35 ? c ^ '0' : 0;
        parent |= i > 35 && i < 52 ? c ^ '0' : 0;
    }
    return trace && parent;
}

static enum status add_absent(struct message *message, struct buffer *extra, enum attribute attribute, struct slice text,
                              struct message_fault *fault) {
    return message_has(message, attribute) ? STATUS_OK : message_add(message, extra, attribute, text, fault);
}

static enum status add_trace(struct message *message, struct buffer *extra, const struct api_hints *hints,
                             struct message_fault *fault) {
    struct slice parent = http1_known(hints->head, HTTP1_TRACEPARENT);
    struct slice state = http1_known(hints->head, HTTP1_TRACESTATE);
    if (message_has(message, ATTRIBUTE_TRACEPARENT) || !parent.data || !traceparent_is_valid(parent))
        return STATUS_OK;
    enum status status = message_add(message, extra, ATTRIBUTE_TRACEPARENT, parent, fault);
    if (status == STATUS_OK && state.size && text_is_ascii(state))
        status = add_absent(message, extra, ATTRIBUTE_TRACESTATE, state, fault);
    return status;
}

static enum status add_expiry(struct message *message, struct buffer *extra, const struct api_hints *hints,
                              struct message_fault *fault) {
    char text[TIMESTAMP_TEXT_MAX];
    if (hints->expiry.ns == INT64_MAX || message_has(message, ATTRIBUTE_EXPIRYTIME))
        return STATUS_OK;
    size_t size = timestamp_format(hints->expiry.ns / NS_PER_S, (int32_t)(hints->expiry.ns % NS_PER_S), text);
    return message_add(message, extra, ATTRIBUTE_EXPIRYTIME, slice_make(text, size), fault);
}

static enum status check_target(const struct message *message, const struct api_hints *hints,
                                struct message_fault *fault) {
    struct slice target = message_text(message, ATTRIBUTE_TARGET);
    if (!message_has(message, ATTRIBUTE_TARGET) || hints->target.size == 0 || slice_equal(target, hints->target))
        return STATUS_OK;
    return refuse(fault, "`target` of the event is not the system that the path names");
}

static enum status add_target(struct message *message, struct buffer *extra, const struct api_hints *hints,
                              struct message_fault *fault) {
    enum status status = check_target(message, hints, fault);
    if (status != STATUS_OK || hints->target.size == 0)
        return status;
    return add_absent(message, extra, ATTRIBUTE_TARGET, hints->target, fault);
}

static enum status add_hints(struct message *message, struct buffer *extra, const struct api_hints *hints,
                             struct message_fault *fault) {
    enum status status = add_target(message, extra, hints, fault);
    if (status == STATUS_OK)
        status = add_expiry(message, extra, hints, fault);
    return status == STATUS_OK ? add_trace(message, extra, hints, fault) : status;
}

/* -- binary -- */

static enum status decode_binary(struct message *message, struct slice body, struct buffer *extra,
                                 const struct api_hints *hints, struct message_fault *fault) {
    const struct http1_head *head = hints->head;
    message_init(message, body);
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct http1_field *field = &head->fields[i];
        if (!http1_is_ce(field->name))
            continue;
        enum status status =
            message_http_header(message, extra, slice_skip(field->name, 3), field->value, hints->rules, fault);
        if (status != STATUS_OK)
            return status;
    }
    enum status status = add_hints(message, extra, hints, fault);
    if (status != STATUS_OK)
        return status;
    return message_http_finish(message, extra, http1_known(head, HTTP1_CONTENT_TYPE), fault);
}

/* -- plain -- */

static enum status wrap(struct message *message, struct slice body, struct buffer *extra, const struct api_hints *hints,
                        struct message_fault *fault) {
    struct wrap wrap = {.declared = hints->rules->declared, .defaults = hints->defaults, .default_count = hints->default_count,
                        .id = hints->id, .source = hints->source, .type = SLICE_OF(WRAPPED_TYPE),
                        .messagetype = hints->messagetype, .target = hints->target, .now = hints->now};
    uint8_t room[ONCE_KEY_MAX];
    struct slice key, value = http1_known(hints->head, HTTP1_IDEMPOTENCY_KEY);
    enum status status = wrap_begin(message, body, extra, &wrap, fault);
    if (status == STATUS_OK && value.data && once_key(value, room, &key))
        status = add_absent(message, extra, ATTRIBUTE_IDEMPOTENCYKEY, key, fault);
    if (status == STATUS_OK)
        status = add_hints(message, extra, hints, fault);
    if (status != STATUS_OK)
        return status;
    struct slice type = wrap_content_type(&wrap, http1_known(hints->head, HTTP1_CONTENT_TYPE), slice_make(NULL, 0));
    return wrap_finish(message, extra, type, fault);
}

/* -- structured -- */

/* Only the first of the parts of a structured event may differ from its wire: where it came without the target that its
 * path names. JSON stays where it is and leaves by its parts; of protobuf the difference between text and bytes is in
 * the wire alone, so it is encoded anew. */
static enum status set_target(struct message *message, struct buffer *extra, struct buffer *own,
                              const struct api_hints *hints, struct message_fault *fault) {
    enum status status = check_target(message, hints, fault);
    if (status != STATUS_OK || hints->target.size == 0 || message_has(message, ATTRIBUTE_TARGET))
        return status;
    if (message->encoding == ENCODING_JSON) {
        status = message_add(message, extra, ATTRIBUTE_TARGET, hints->target, fault);
        message->encoding = ENCODING_NONE;
        return status == STATUS_OK ? message_seal(message, extra, fault) : status;
    }
    struct overlay overlay;
    overlay_init(&overlay);
    overlay_set_text(&overlay, ATTRIBUTE_TARGET, hints->target);
    buffer_clear(own);
    status = message_encode_proto(message, &overlay, own);
    if (status != STATUS_OK) {
        refuse(fault, "the event is too large");
        return fault->status = status;
    }
    buffer_clear(extra);
    return message_decode_proto(message, buffer_slice(own), extra, hints->rules, fault);
}

static enum status decode_structured(struct message *message, bool is_proto, struct slice body, struct buffer *extra,
                                     struct buffer *own, const struct api_hints *hints, struct message_fault *fault) {
    enum status status = is_proto ? message_decode_proto(message, body, extra, hints->rules, fault)
                                  : message_decode_json(message, body, extra, hints->rules, fault);
    if (status == STATUS_OK)
        status = set_target(message, extra, own, hints, fault);
    /* The event's bytes are its sender's: TTL is honoured here, not written into them. */
    if (status == STATUS_OK && !message_has(message, ATTRIBUTE_EXPIRYTIME))
        message->expiry = hints->expiry;
    return status;
}

enum status api_decode(struct message *message, enum api_mode mode, struct slice body, struct buffer *extra,
                       struct buffer *own, const struct api_hints *hints, struct message_fault *fault) {
    buffer_clear(extra);
    fault->status = STATUS_OK;
    fault->attribute[0] = fault->text[0] = '\0';
    switch (mode) {
    case API_BINARY:
        return decode_binary(message, body, extra, hints, fault);
    case API_PLAIN:
        return wrap(message, body, extra, hints, fault);
    case API_JSON:
    case API_PROTO:
        return decode_structured(message, mode == API_PROTO, body, extra, own, hints, fault);
    case API_INCOMPLETE:
        return refuse(fault, "`ce-specversion`, `ce-id`, `ce-source` and `ce-type` must be there together");
    case API_UNKNOWN_FORMAT:
        refuse(fault, "of CloudEvents only the formats +json and +protobuf are understood, in UTF-8");
        return fault->status = STATUS_UNSUPPORTED_MEDIA;
    case API_BATCH_JSON:
    case API_BATCH_PROTO:
        break;
    }
    return refuse(fault, "no batch is due here");
}
