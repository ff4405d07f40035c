/* Credentials on requests. A signature has a fixed size: its room is kept in the head and filled when the body stands
 * behind it, packed or not, so that it is over exactly what is sent. */
#include "protocol/http1/present.h"

#include "security/webhook.h"

#define SIGNATURE_ROOM (WEBHOOK_SIGNATURE_SIZE + 1u)
#define SIGNED_ROOM 128u /* of the three lines beside the signatures */

static const struct protocol_presents *shown(const struct http1 *h) {
    return h->sink->presents ? h->sink->presents : &h->setup->presents;
}

size_t present_size(const struct http1 *h) {
    const struct protocol_presents *p = shown(h);
    return p->lines.size + (p->secret_count ? SIGNED_ROOM + p->secret_count * SIGNATURE_ROOM : 0);
}

bool present_signs(const struct http1 *h) {
    return shown(h)->secret_count > 0;
}

void present_add(const struct http1 *h, struct buffer *out) {
    buffer_add(out, shown(h)->lines);
}

bool present_owns(const struct http1 *h, struct slice name) {
    const struct protocol_presents *p = shown(h);
    return (p->secret_count && slice_starts_nocase(name, SLICE_OF("webhook-"))) ||
           (p->field.size && slice_equal_nocase(name, p->field));
}

struct present_mark present_begin(const struct http1 *h, const struct message *message, struct now now,
                                  struct buffer *out) {
    const struct protocol_presents *p = shown(h);
    struct present_mark mark = {.time_s = now.wall.ns / NS_PER_S};
    char name[WEBHOOK_ID_SIZE];
    if (p->secret_count == 0)
        return mark;
    webhook_id(message_text(message, ATTRIBUTE_SOURCE), message_text(message, ATTRIBUTE_ID), name);
    buffer_add_text(out, "webhook-id: ");
    mark.name = out->size;
    buffer_add(out, slice_make(name, sizeof name));
    buffer_add_text(out, "\r\nwebhook-timestamp: ");
    buffer_add_i64(out, mark.time_s);
    buffer_add_text(out, "\r\nwebhook-signature: ");
    mark.signatures = out->size;
    for (size_t i = 1; i < p->secret_count * SIGNATURE_ROOM; i++)
        buffer_add_byte(out, ' ');
    buffer_add_text(out, "\r\n");
    return mark;
}

void present_sign(const struct http1 *h, struct present_mark mark, size_t body_size, struct buffer *out) {
    const struct protocol_presents *p = shown(h);
    if (mark.signatures == 0 || out->status != STATUS_OK)
        return;
    struct slice name = slice_make(out->data + mark.name, WEBHOOK_ID_SIZE);
    struct slice body = slice_skip(buffer_slice(out), out->size - body_size);
    for (size_t i = 0; i < p->secret_count; i++) {
        char text[WEBHOOK_SIGNATURE_SIZE];
        webhook_sign(p->secrets[i], name, mark.time_s, body, text);
        memcpy(out->data + mark.signatures + i * SIGNATURE_ROOM, text, sizeof text);
    }
}
