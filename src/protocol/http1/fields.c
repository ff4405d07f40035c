/* Header fields from hop to hop. */
#include "protocol/http1/fields.h"

#include "base/assert.h"
#include "base/text.h"
#include "message/check.h"

#define ELEMENTS_MAX 100 /* of Connection that are looked at; what else it names is dropped with all of them */

void fields_add(const struct fields_out *out, struct slice name, struct slice value) {
    if (out->as_pairs) {
        http_pairs_add(out->buffer, name, value);
        return;
    }
    uint8_t *at = buffer_reserve(out->buffer, name.size + value.size + 4);
    if (!at)
        return;
    memcpy(at, name.data, name.size);
    memcpy(at + name.size, ": ", 2);
    at += name.size + 2;
    if (value.size)
        memcpy(at, value.data, value.size);
    memcpy(at + value.size, "\r\n", 2);
    buffer_added(out->buffer, name.size + value.size + 4);
}

/* -- which -- */

static bool is_any(struct slice name, const struct slice *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (name.size == names[i].size && slice_equal_nocase(name, names[i]))
            return true;
    return false;
}

bool fields_is_hop(struct slice name) {
    static const struct slice names[] = {
        SLICE("connection"), SLICE("keep-alive"), SLICE("transfer-encoding"), SLICE("upgrade"), SLICE("te"), SLICE("trailer"),
        SLICE("proxy-connection"), SLICE("proxy-authenticate"), SLICE("proxy-authorization"), SLICE("http2-settings"),
    };
    return is_any(name, names, COUNT_OF(names));
}

/* What is said anew for the next hop. */
static bool is_own(struct slice name) {
    static const struct slice names[] = {SLICE("host"), SLICE("content-length"), SLICE("authorization"), SLICE("expect")};
    return is_any(name, names, COUNT_OF(names));
}

static bool is_forwarded(struct slice name) {
    static const struct slice names[] = {SLICE("forwarded"), SLICE("x-real-ip")};
    return (name.size > 12 && slice_starts_nocase(name, SLICE_OF("x-forwarded-"))) || is_any(name, names, COUNT_OF(names));
}

/* Whether a Connection field names it. */
static bool is_named(const struct http1_head *head, struct slice name) {
    for (uint32_t i = 0; i < head->field_count; i++) {
        struct slice rest = head->fields[i].value, element;
        if (!slice_equal_nocase(head->fields[i].name, SLICE_OF("connection")))
            continue;
        for (unsigned count = 0; http1_list_next(&rest, &element); count++)
            if (count == ELEMENTS_MAX || slice_equal_nocase(element, name))
                return true;
    }
    return false;
}

/* Connection nearly always says close or keep-alive, which name no field. */
static bool names_fields(const struct http1_head *head) {
    if (!head->known[HTTP1_CONNECTION])
        return false;
    struct slice value = http1_known(head, HTTP1_CONNECTION);
    bool usual = slice_equal_nocase(value, SLICE_OF("keep-alive")) || slice_equal_nocase(value, SLICE_OF("close"));
    if (!usual)
        return true;
    for (uint32_t i = head->known[HTTP1_CONNECTION]; i < head->field_count; i++)
        if (slice_equal_nocase(head->fields[i].name, SLICE_OF("connection")))
            return true;
    return false;
}

/* -- about the peer -- */

static bool is_trusted(const struct http1 *h, const struct address *peer) {
    for (size_t i = 0; peer && i < h->setup->trusted_count; i++)
        if (cidr_has(&h->setup->trusted[i], peer))
            return true;
    return false;
}

static bool has(const struct http1_head *head, struct slice name) {
    return http1_find(head, name).data != NULL;
}

/* RFC 7239 sections 4 and 6: an IPv6 address is quoted, with brackets. */
static void add_peer(const struct http1 *h, const struct http1_head *head, const struct address *peer, bool trusted,
                     const struct fields_out *out) {
    char address[ADDRESS_TEXT_MAX];
    uint8_t text[ADDRESS_TEXT_MAX + HTTP1_LINE_MAX + 64];
    struct buffer forwarded;
    struct slice scheme = h->setup->is_secure ? SLICE_OF("https") : SLICE_OF("http");
    struct slice ip = SLICE_OF("unknown");
    if (peer) {
        struct address plain = address_unmapped(peer);
        ip = slice_make(address, address_print_ip(address, &plain));
        if (slice_is(ip, "-"))
            ip = SLICE_OF("unknown");
    }
    bool v6 = slice_find(ip, ':') < ip.size;
    buffer_init_fixed(&forwarded, text, sizeof text);
    buffer_add_text(&forwarded, v6 ? "for=\"[" : "for=");
    buffer_add(&forwarded, ip);
    buffer_add_text(&forwarded, v6 ? "]\"" : "");
    if (head->host.size) {
        buffer_add_text(&forwarded, ";host=\"");
        buffer_add(&forwarded, head->host);
        buffer_add_byte(&forwarded, '"');
    }
    buffer_add_text(&forwarded, ";proto=");
    buffer_add(&forwarded, scheme);
    if (forwarded.status == STATUS_OK)
        fields_add(out, SLICE_OF("Forwarded"), buffer_slice(&forwarded));
    fields_add(out, SLICE_OF("X-Forwarded-For"), ip);
    if (head->host.size && !(trusted && has(head, SLICE_OF("x-forwarded-host"))))
        fields_add(out, SLICE_OF("X-Forwarded-Host"), head->host);
    if (!(trusted && has(head, SLICE_OF("x-forwarded-proto"))))
        fields_add(out, SLICE_OF("X-Forwarded-Proto"), scheme);
}

/* -- a request's -- */

static void add_max_forwards(const struct fields_out *out, struct slice name, struct slice value) {
    uint64_t left;
    char digits[TEXT_U64_MAX];
    if (text_to_u64(value, &left) && left > 0)
        fields_add(out, name, slice_make(digits, text_from_u64(digits, left - 1)));
}

void fields_request(const struct http1 *h, const struct http1_head *head, const struct address *peer, bool content_type,
                    const struct fields_out *out) {
    bool named = names_fields(head), trusted = is_trusted(h, peer);
    bool counts = slice_is(head->method, "OPTIONS");
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct http1_field *field = &head->fields[i];
        if (fields_is_hop(field->name) || is_own(field->name) || (!trusted && is_forwarded(field->name)) ||
            (!content_type && slice_equal_nocase(field->name, SLICE_OF("content-type"))) || (named && is_named(head, field->name)))
            continue;
        if (counts && slice_equal_nocase(field->name, SLICE_OF("max-forwards")))
            add_max_forwards(out, field->name, field->value);
        else
            fields_add(out, field->name, field->value);
    }
    add_peer(h, head, peer, trusted, out);
}

/* -- an answer's -- */

void fields_answer(const struct http1_head *head, bool content_type, bool length, const struct fields_out *out) {
    bool named = names_fields(head);
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct http1_field *field = &head->fields[i];
        bool is_length = slice_equal_nocase(field->name, SLICE_OF("content-length"));
        if (fields_is_hop(field->name) || (is_length && !length) ||
            (!content_type && slice_equal_nocase(field->name, SLICE_OF("content-type"))) || (named && is_named(head, field->name)))
            continue;
        fields_add(out, field->name, field->value);
    }
}

void fields_via(const struct http1 *h, const struct fields_out *out) {
    uint8_t text[128];
    struct buffer via;
    buffer_init_fixed(&via, text, sizeof text);
    buffer_add_text(&via, "1.1 ");
    buffer_add(&via, h->setup->node.size ? h->setup->node : SLICE_OF("intertie"));
    if (via.status == STATUS_OK)
        fields_add(out, SLICE_OF("Via"), buffer_slice(&via));
}

bool fields_loops(const struct http1 *h, const struct http1_head *head) {
    for (uint32_t i = 0; i < head->field_count; i++) {
        struct slice rest = head->fields[i].value, element;
        if (!slice_equal_nocase(head->fields[i].name, SLICE_OF("via")))
            continue;
        while (http1_list_next(&rest, &element)) {
            struct slice by = slice_trim(slice_skip(element, slice_find(element, ' ') + 1));
            by = slice_head(by, slice_find(by, ' '));
            if (h->setup->node.size && slice_equal_nocase(by, h->setup->node))
                return true;
        }
    }
    return false;
}

bool fields_upgrades(const struct http1_head *head) {
    return slice_is(head->method, "GET") && head->minor >= 1 && head->framing == HTTP1_NO_BODY &&
           slice_equal_nocase(http1_find(head, SLICE_OF("upgrade")), SLICE_OF("websocket")) &&
           is_named(head, SLICE_OF("upgrade"));
}

bool fields_is_legal(struct slice name, struct slice value) {
    if (!http1_is_token(name))
        return false;
    if (check_is_plain(value))
        return true;
    for (size_t i = 0; i < value.size; i++)
        if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f)
            return false;
    return true;
}
