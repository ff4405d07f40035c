/* Content codings on HTTP. */
#include "protocol/http1/coded.h"

#include <stdio.h>

static bool is_named(const struct http1 *h, enum coding coding) {
    for (size_t i = 0; i < CODING_COUNT && h->setup->compress[i]; i++)
        if (h->setup->compress[i] == coding)
            return true;
    return false;
}

/* -- in -- */

/* The one coding of a body. False: several, or one that nobody knows. */
static bool coding_of(const struct http1_head *head, enum coding *ret_coding) {
    *ret_coding = CODING_NONE;
    if (!head->known[HTTP1_CONTENT_ENCODING])
        return true;
    for (uint32_t i = head->known[HTTP1_CONTENT_ENCODING] - 1u; i < head->field_count; i++) {
        struct slice list = head->fields[i].value, element;
        if (!slice_equal_nocase(head->fields[i].name, SLICE_OF("content-encoding")))
            continue;
        while (http1_list_next(&list, &element)) {
            enum coding coding = coding_find(element);
            if (slice_equal_nocase(element, SLICE_OF("identity")))
                continue;
            if (coding == CODING_NONE || *ret_coding != CODING_NONE)
                return false;
            *ret_coding = coding;
        }
    }
    return true;
}

const char *coded_objection(const struct http1 *h, const struct http1_head *head) {
    enum coding coding;
    if (!head->known[HTTP1_CONTENT_ENCODING])
        return NULL;
    if (!coding_of(head, &coding))
        return "`Content-Encoding` must be one coding that is known here, once";
    if (coding == CODING_NONE || is_named(h, coding))
        return NULL;
    return h->setup->compress[0] ? "this `Content-Encoding` is not among those of the listener's `compress`"
                                 : "`Content-Encoding` is not taken here; a listener takes what its `compress` names";
}

void coded_accept_line(const struct http1 *h, struct buffer *out) {
    buffer_add(out, SLICE_OF("Accept-Encoding: "));
    for (size_t i = 0; i < CODING_COUNT && h->setup->compress[i]; i++) {
        buffer_add(out, i ? SLICE_OF(", ") : SLICE_OF(""));
        buffer_add(out, coding_name((enum coding)h->setup->compress[i]));
    }
    buffer_add(out, h->setup->compress[0] ? SLICE_OF("\r\n") : SLICE_OF("identity\r\n"));
}

enum status coded_unpack(struct http1 *h, const struct http1_head *head, struct slice *body, struct message_fault *fault) {
    enum coding coding;
    const char *words = NULL;
    enum status status = STATUS_OK;
    if (!head->known[HTTP1_CONTENT_ENCODING])
        return STATUS_OK;
    if (!coding_of(head, &coding) || (coding != CODING_NONE && !is_named(h, coding))) {
        status = STATUS_UNSUPPORTED_MEDIA;
        words = "`Content-Encoding` is none that was asked for";
    } else if (coding != CODING_NONE) {
        status = coding_unpack(&h->worker->coder, coding, *body, h->setup->limits.message, body, &words);
    }
    if (status != STATUS_OK) {
        *fault = (struct message_fault){.status = status};
        snprintf(fault->text, sizeof fault->text, "%s", words);
    }
    return status;
}

/* -- out -- */

/* How much the request wants that coding, in thousandths: as it is named, else as `*` is (RFC 9110 section 12.5.3). */
static unsigned wish(const struct http1_head *head, enum coding coding) {
    unsigned other = 0;
    for (uint32_t i = head->known[HTTP1_ACCEPT_ENCODING] - 1u; i < head->field_count; i++) {
        struct slice list = head->fields[i].value, element;
        if (!slice_equal_nocase(head->fields[i].name, SLICE_OF("accept-encoding")))
            continue;
        while (http1_list_next(&list, &element)) {
            struct slice name = api_media(element);
            if (coding_find(name) == coding)
                return api_weight(element);
            if (slice_is(name, "*"))
                other = api_weight(element);
        }
    }
    return other;
}

enum coding coded_wanted(const struct http1 *h, const struct http1_head *head) {
    enum coding best = CODING_NONE;
    unsigned most = 0;
    if (!head->known[HTTP1_ACCEPT_ENCODING])
        return CODING_NONE;
    for (size_t i = 0; i < CODING_COUNT && h->setup->compress[i]; i++) {
        enum coding coding = (enum coding)h->setup->compress[i];
        unsigned weight = wish(head, coding);
        if (weight > most) {
            best = coding;
            most = weight;
        }
    }
    return best;
}

enum coding coded_pack(struct http1 *h, enum coding wanted, struct slice *body) {
    if (wanted == CODING_NONE || body->size < CODING_LEAST)
        return CODING_NONE;
    /* Without memory for it, or where it gains nothing, it goes as it is. */
    return coding_pack(&h->worker->coder, wanted, *body, body) == STATUS_OK ? wanted : CODING_NONE;
}

void coded_leave(struct http1 *h, enum coding wanted, struct leave *leave, const struct message *message) {
    struct slice body = leave->body;
    struct buffer data;
    leave->varies = coded_varies(h, leave->body_size);
    if (wanted == CODING_NONE || leave->body_size < CODING_LEAST)
        return;
    buffer_init(&data, leave->body_size);
    if (!body.data) {
        message_data_write(message, &data);
        body = buffer_slice(&data);
    }
    if (data.status == STATUS_OK && (leave->coding = coded_pack(h, wanted, &body)) != CODING_NONE) {
        leave->body = body;
        leave->body_size = body.size;
    }
    buffer_done(&data);
}

void coded_line(enum coding coding, struct buffer *out) {
    if (coding == CODING_NONE)
        return;
    buffer_add(out, SLICE_OF("Content-Encoding: "));
    buffer_add(out, coding_name(coding));
    buffer_add(out, SLICE_OF("\r\n"));
}
