/* Reads, writes and compares socket addresses. */
#include "base/address.h"

#include "base/buffer.h"
#include "base/text.h"

#define GROUPS 8

static bool parse_number(struct slice text, size_t digits_max, uint64_t max, uint64_t *ret_value) {
    uint64_t value;
    if (text.size > digits_max || (text.size > 1 && text.data[0] == '0'))
        return false;
    if (!text_to_u64(text, &value) || value > max)
        return false;
    *ret_value = value;
    return true;
}

static bool parse_ipv4(struct slice text, uint8_t out[static 4]) {
    for (int i = 0; i < 4; i++) {
        size_t end = slice_find(text, '.');
        uint64_t octet;
        if ((end == text.size) != (i == 3) || !parse_number(slice_head(text, end), 3, 255, &octet))
            return false;
        out[i] = (uint8_t)octet;
        text = slice_skip(text, end + 1);
    }
    return true;
}

static bool parse_group(struct slice text, uint8_t out[static 2]) {
    unsigned value = 0;
    if (text.size == 0 || text.size > 4)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        int digit = text_hex_value(text.data[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return true;
}

/* Colon-separated groups without "::" (RFC 4291 section 2.2); `text` empty gives none. Returns the count of
 * groups, or -1. A trailing dotted quad counts as two. */
static int parse_groups(struct slice text, bool quad_allowed, uint8_t out[static 2 * GROUPS]) {
    int count = 0;
    if (text.size == 0)
        return 0;
    for (;;) {
        size_t end = slice_find(text, ':');
        struct slice group = slice_head(text, end);
        bool last = end == text.size;
        if (last && quad_allowed && slice_find(group, '.') < group.size) {
            if (count > GROUPS - 2 || !parse_ipv4(group, out + 2 * count))
                return -1;
            return count + 2;
        }
        if (count == GROUPS || !parse_group(group, out + 2 * count))
            return -1;
        count++;
        if (last)
            return count;
        text = slice_skip(text, end + 1);
    }
}

static bool parse_ipv6(struct slice text, uint8_t out[static 16]) {
    size_t gap = 0;
    while (gap + 1 < text.size && !(text.data[gap] == ':' && text.data[gap + 1] == ':'))
        gap++;
    if (gap + 1 >= text.size)
        return parse_groups(text, true, out) == GROUPS;
    uint8_t head[16], tail[16];
    int head_count = parse_groups(slice_head(text, gap), false, head);
    int tail_count = parse_groups(slice_skip(text, gap + 2), true, tail);
    if (head_count < 0 || tail_count < 0 || head_count + tail_count >= GROUPS)
        return false;
    memset(out, 0, 16);
    memcpy(out, head, 2 * (size_t)head_count);
    memcpy(out + 16 - 2 * (size_t)tail_count, tail, 2 * (size_t)tail_count);
    return true;
}

bool address_parse_ip(struct slice text, struct address *ret_address) {
    struct address address = {0};
    if (slice_find(text, ':') == text.size) {
        address.family = ADDRESS_IPV4;
        if (!parse_ipv4(text, address.bytes))
            return false;
        *ret_address = address;
        return true;
    }
    address.family = ADDRESS_IPV6;
    size_t percent = slice_find(text, '%');
    if (percent < text.size) {
        uint64_t scope;
        if (!parse_number(slice_skip(text, percent + 1), 10, UINT32_MAX, &scope) || scope == 0)
            return false;
        address.scope = (uint32_t)scope;
    }
    if (!parse_ipv6(slice_head(text, percent), address.bytes))
        return false;
    *ret_address = address;
    return true;
}

bool address_parse(struct slice text, struct address *ret_address) {
    bool bracketed = text.size > 0 && text.data[0] == '[';
    size_t colon = text.size;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon == 0 || !parse_number(slice_skip(text, colon), 5, UINT16_MAX, &port))
        return false;
    struct slice host = slice_head(text, colon - 1);
    if (bracketed) {
        if (host.size < 2 || host.data[host.size - 1] != ']')
            return false;
        host = slice_make(host.data + 1, host.size - 2);
    }
    struct address address;
    if (!address_parse_ip(host, &address) || (address.family == ADDRESS_IPV6) != bracketed)
        return false;
    address.port = (uint16_t)port;
    *ret_address = address;
    return true;
}

static void print_ipv4(struct buffer *out, const uint8_t *bytes) {
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            buffer_add_byte(out, '.');
        buffer_add_u64(out, bytes[i]);
    }
}

static bool is_mapped(const struct address *address) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return address->family == ADDRESS_IPV6 && memcmp(address->bytes, prefix, sizeof prefix) == 0;
}

/* RFC 5952 section 4.2: the longest run of two or more zero groups, the first among equals. */
static void find_gap(const uint8_t *bytes, int *ret_start, int *ret_length) {
    int best = -1, best_length = 1;
    for (int i = 0; i < GROUPS; i++) {
        int length = 0;
        while (i + length < GROUPS && bytes[2 * (i + length)] == 0 && bytes[2 * (i + length) + 1] == 0)
            length++;
        if (length > best_length) {
            best = i;
            best_length = length;
        }
        i += length;
    }
    *ret_start = best;
    *ret_length = best < 0 ? 0 : best_length;
}

static void print_ipv6(struct buffer *out, const struct address *address) {
    const uint8_t *bytes = address->bytes;
    int gap, gap_length;
    if (is_mapped(address)) {
        buffer_add_text(out, "::ffff:");
        print_ipv4(out, bytes + 12);
    } else {
        find_gap(bytes, &gap, &gap_length);
        for (int i = 0; i < GROUPS; i++) {
            if (i == gap) {
                buffer_add_text(out, "::");
                i += gap_length - 1;
                continue;
            }
            if (i > 0 && i != gap + gap_length)
                buffer_add_byte(out, ':');
            buffer_add_format(out, "%x", (unsigned)(bytes[2 * i] << 8 | bytes[2 * i + 1]));
        }
    }
    if (address->scope)
        buffer_add_format(out, "%%%u", address->scope);
}

static size_t print(char *text, const struct address *address, bool with_port) {
    struct buffer out;
    buffer_init_fixed(&out, text, ADDRESS_TEXT_MAX - 1);
    bool bracketed = with_port && address->family == ADDRESS_IPV6;
    if (address->family == ADDRESS_NONE) {
        buffer_add_byte(&out, '-');
        with_port = false;
    }
    if (bracketed)
        buffer_add_byte(&out, '[');
    if (address->family == ADDRESS_IPV4)
        print_ipv4(&out, address->bytes);
    else if (address->family == ADDRESS_IPV6)
        print_ipv6(&out, address);
    if (bracketed)
        buffer_add_byte(&out, ']');
    if (with_port) {
        buffer_add_byte(&out, ':');
        buffer_add_u64(&out, address->port);
    }
    text[out.size] = '\0';
    return out.size;
}

size_t address_print(char out[static ADDRESS_TEXT_MAX], const struct address *address) {
    return print(out, address, true);
}

size_t address_print_ip(char out[static ADDRESS_TEXT_MAX], const struct address *address) {
    return print(out, address, false);
}

bool address_equal(const struct address *a, const struct address *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

struct address address_unmapped(const struct address *address) {
    struct address plain = *address;
    if (is_mapped(address)) {
        plain = (struct address){.family = ADDRESS_IPV4, .port = address->port};
        memcpy(plain.bytes, address->bytes + 12, 4);
    }
    return plain;
}

bool address_is_loopback(const struct address *address) {
    static const uint8_t one[16] = {[15] = 1};
    struct address plain = address_unmapped(address);
    if (plain.family == ADDRESS_IPV4)
        return plain.bytes[0] == 127;
    return plain.family == ADDRESS_IPV6 && memcmp(plain.bytes, one, sizeof one) == 0;
}

bool address_is_multicast(const struct address *address) {
    struct address plain = address_unmapped(address);
    if (plain.family == ADDRESS_IPV4)
        return plain.bytes[0] >> 4 == 14;
    return plain.family == ADDRESS_IPV6 && plain.bytes[0] == 0xff;
}

bool address_is_any(const struct address *address) {
    static const uint8_t zero[16];
    return address->family != ADDRESS_NONE && memcmp(address->bytes, zero, sizeof zero) == 0;
}

static bool has_prefix(const uint8_t *bytes, const uint8_t *network, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(bytes, network, whole) != 0)
        return false;
    unsigned mask = 0xff00u >> rest & 0xffu;
    return rest == 0 || ((bytes[whole] ^ network[whole]) & mask) == 0;
}

static bool host_bits_are_zero(const struct cidr *cidr, unsigned bits_max) {
    for (unsigned bit = cidr->bits; bit < bits_max; bit++)
        if (cidr->network.bytes[bit / 8] & (0x80u >> bit % 8))
            return false;
    return true;
}

bool cidr_parse(struct slice text, struct cidr *ret_cidr) {
    struct cidr cidr;
    size_t slash = slice_find(text, '/');
    if (!address_parse_ip(slice_head(text, slash), &cidr.network) || cidr.network.scope)
        return false;
    uint64_t bits_max = cidr.network.family == ADDRESS_IPV4 ? 32 : 128;
    uint64_t bits = bits_max;
    if (slash < text.size && !parse_number(slice_skip(text, slash + 1), 3, bits_max, &bits))
        return false;
    cidr.bits = (uint8_t)bits;
    if (!host_bits_are_zero(&cidr, (unsigned)bits_max))
        return false;
    *ret_cidr = cidr;
    return true;
}

bool cidr_has(const struct cidr *cidr, const struct address *address) {
    if (cidr->network.family == address->family && has_prefix(address->bytes, cidr->network.bytes, cidr->bits))
        return true;
    struct address plain = address_unmapped(address);
    return cidr->network.family == ADDRESS_IPV4 && plain.family == ADDRESS_IPV4 &&
           has_prefix(plain.bytes, cidr->network.bytes, cidr->bits);
}
