/* Between bytes and messages: JSON (structured and batch), protobuf (and its batch), HTTP binary headers.
 * All decoders are strict: whatever the format calls invalid is refused with the attribute's name. None allocates. */
#ifndef MESSAGE_ENCODING_H
#define MESSAGE_ENCODING_H

#include "message/message.h"

/* CloudEvents JSON event format 1.0.2. `wire` must be exactly one JSON object (white space around it is allowed and
 * isn't part of the kept wire). */
enum status message_decode_json(struct message *message, struct slice wire, struct buffer *extra,
                                const struct message_rules *rules, struct message_fault *fault);
/* CloudEvents protobuf event format 1.0.2, message io.cloudevents.v1.CloudEvent. */
enum status message_decode_proto(struct message *message, struct slice wire, struct buffer *extra,
                                 const struct message_rules *rules, struct message_fault *fault);

/* Batches: first checks the frame of the whole batch, then hands out each event's bytes, to be decoded one by one (so
 * that a bad element gets its own result). */
struct message_batch {
    struct slice rest;
    bool is_proto;
    uint32_t index;
};
/* JSON: an array of values, syntax checked whole. Protobuf: CloudEventBatch. */
enum status message_batch_open(struct message_batch *batch, struct slice bytes, bool is_proto, struct message_fault *fault);
/* False at the end. */
bool message_batch_next(struct message_batch *batch, struct slice *ret_event);

/* Encoders append one whole event; `overlay` may be NULL. Untouched events of the same encoding are copied byte for byte.
 * STATUS_TOO_LARGE past the buffer's max. */
enum status message_encode_json(const struct message *message, const struct overlay *overlay, struct buffer *out);
enum status message_encode_proto(const struct message *message, const struct overlay *overlay, struct buffer *out);
/* An upper bound of what the encoder appends; exact for untouched events of the same encoding. */
size_t message_encoded_bound(const struct message *message, const struct overlay *overlay, enum message_encoding to);

/* HTTP binding 1.0.2 section 3.1, binary mode. Decoding: message_init(body), then one call per `ce-` header, then
 * message_http_finish(). `name` is the header's name without `ce-`, any case; `value` as it came. Lenient where SDKs are
 * (raw spaces, raw UTF-8, `%` without two hex digits), strict in the rest. */
enum status message_http_header(struct message *message, struct buffer *extra, struct slice name, struct slice value,
                                const struct message_rules *rules, struct message_fault *fault);
/* `content_type` data NULL: none. Also checks that specversion was 1.0. */
enum status message_http_finish(struct message *message, struct buffer *extra, struct slice content_type,
                                struct message_fault *fault);
/* As message_http_headers(), for `mode: auto`: STATUS_NOT_SUPPORTED when an attribute needs percent-encoding or the headers
 * total more than 6 KiB; what was added then is the caller's to drop. */
enum status message_http_plain_headers(const struct message *message, const struct overlay *overlay, struct buffer *out);
/* Appends the `ce-NAME: value CRLF` lines and `Content-Type`, not the empty line, not the body (message_data_write).
 * STATUS_MALFORMED_EVENT for a value that no header can hold. */
enum status message_http_headers(const struct message *message, const struct overlay *overlay, struct buffer *out);

#endif
