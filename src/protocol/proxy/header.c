/* Headers of the PROXY protocol. */
#include "protocol/proxy/header.h"

#include "base/text.h"

#define FIXED 16 /* bytes of version 2 before addresses */
#define TLV_CRC32C 0x03

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const uint8_t local[FIXED] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x20, 0x00, 0x00, 0x00};

struct slice proxy_header_own(unsigned version) {
    return version == 1 ? SLICE_OF("PROXY UNKNOWN\r\n") : slice_make(local, sizeof local);
}

static enum proxy_result broken(const char **ret_why, const char *why) {
    *ret_why = why;
    return PROXY_BROKEN;
}

static uint32_t be(const uint8_t *at, size_t size) {
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

/* -- version 1: one line -- */

/* The next word, up to one space or the end; empty when there is none. */
static struct slice word(struct slice *line) {
    struct slice found = slice_head(*line, slice_find(*line, ' '));
    *line = slice_skip(*line, found.size < line->size ? found.size + 1 : found.size);
    return found;
}

static bool read_port(struct slice text, uint16_t *ret) {
    uint32_t value = 0;
    if (text.size == 0 || text.size > 5 || (text.data[0] == '0' && text.size > 1))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    *ret = (uint16_t)value;
    return value <= UINT16_MAX;
}

static enum proxy_result read_line(struct slice line, struct proxy_header *header, const char **ret_why) {
    struct slice rest = slice_skip(line, 6), family = word(&rest);
    if (slice_is(family, "UNKNOWN"))
        return PROXY_WHOLE; /* what follows must be ignored */
    bool v4 = slice_is(family, "TCP4");
    struct slice source = word(&rest), destination = word(&rest), from = word(&rest);
    if (!v4 && !slice_is(family, "TCP6"))
        return broken(ret_why, "PROXY line of a family that is neither TCP4, TCP6 nor UNKNOWN");
    if (!address_parse_ip(source, &header->source) || !address_parse_ip(destination, &header->destination) ||
        (header->source.family == ADDRESS_IPV4) != v4 || (header->destination.family == ADDRESS_IPV4) != v4 ||
        header->source.scope || header->destination.scope || slice_find(from, ' ') < from.size ||
        !read_port(from, &header->source.port) || !read_port(rest, &header->destination.port))
        return broken(ret_why, "PROXY line without two addresses and two ports");
    header->is_shown = true;
    return PROXY_WHOLE;
}

static enum proxy_result read_v1(struct slice bytes, struct proxy_header *header, const char **ret_why) {
    static const char begin[] = "PROXY ";
    for (size_t i = 0; i < bytes.size && i < sizeof begin - 1; i++)
        if (bytes.data[i] != (uint8_t)begin[i])
            return broken(ret_why, "no PROXY header comes first");
    struct slice head = slice_head(bytes, bytes.size < PROXY_V1_MAX ? bytes.size : PROXY_V1_MAX);
    size_t end = slice_find(head, '\n');
    if (end == head.size)
        return head.size == PROXY_V1_MAX ? broken(ret_why, "PROXY line of more than 107 bytes") : PROXY_MORE;
    if (end < sizeof begin || head.data[end - 1] != '\r')
        return broken(ret_why, "PROXY line that ends without CR LF");
    header->size = end + 1;
    return read_line(slice_head(head, end - 1), header, ret_why);
}

/* -- version 2: binary -- */

/* RFC 3720 appendix B.4, bit by bit: a header is short, and most have none. */
static uint32_t crc32c(const uint8_t *at, size_t size, size_t zero_from) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= i >= zero_from && i < zero_from + 4 ? 0 : at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return ~crc;
}

/* Section 2.2.3: the checksum counts where it stands, all other words about the connection are passed over. */
static enum proxy_result read_tlvs(struct slice header, size_t at, const char **ret_why) {
    while (at < header.size) {
        if (header.size - at < 3)
            return broken(ret_why, "PROXY header with a cut-off TLV");
        size_t size = be(header.data + at + 1, 2);
        if (header.size - at - 3 < size)
            return broken(ret_why, "PROXY header with a TLV longer than itself");
        if (header.data[at] == TLV_CRC32C &&
            (size != 4 || crc32c(header.data, header.size, at + 3) != be(header.data + at + 3, 4)))
            return broken(ret_why, "PROXY header with a wrong checksum");
        at += 3 + size;
    }
    return PROXY_WHOLE;
}

static void read_address(struct address *out, uint8_t family, const uint8_t *bytes, size_t size, const uint8_t *port) {
    *out = (struct address){.family = family, .port = (uint16_t)be(port, 2)};
    memcpy(out->bytes, bytes, size);
}

static enum proxy_result read_v2(struct slice bytes, struct proxy_header *header, const char **ret_why) {
    size_t known = bytes.size < sizeof signature ? bytes.size : sizeof signature;
    if (memcmp(bytes.data, signature, known) != 0)
        return broken(ret_why, "no PROXY header comes first");
    if (bytes.size >= 13 && bytes.data[12] >> 4 != 2)
        return broken(ret_why, "PROXY header of an unknown version");
    if (bytes.size >= 13 && (bytes.data[12] & 15) > 1)
        return broken(ret_why, "PROXY header with an unknown command");
    if (bytes.size < FIXED)
        return PROXY_MORE;
    size_t length = be(bytes.data + 14, 2);
    if (FIXED + length > PROXY_HEADER_MAX)
        return broken(ret_why, "PROXY header of more than 4096 bytes");
    if (bytes.size < FIXED + length)
        return PROXY_MORE;
    header->size = FIXED + length;
    uint8_t family = bytes.data[13];
    const uint8_t *at = bytes.data + FIXED;
    if ((bytes.data[12] & 15) == 0)
        return PROXY_WHOLE; /* LOCAL: the block is discarded, its family too */
    if (family >> 4 > 3 || (family & 15) > 2)
        return broken(ret_why, "PROXY header of an unknown family");
    if ((family & 15) == 2)
        return broken(ret_why, "PROXY header of datagrams on a stream");
    size_t size = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;
    if (size == 0) /* unspecified, or a Unix socket: there is no address of ours in it */
        return read_tlvs(slice_head(bytes, header->size), FIXED + (family == 0x31 ? 216u : 0u), ret_why);
    if (length < 2 * size + 4)
        return broken(ret_why, "PROXY header without room for its addresses");
    uint8_t kind = size == 4 ? ADDRESS_IPV4 : ADDRESS_IPV6;
    read_address(&header->source, kind, at, size, at + 2 * size);
    read_address(&header->destination, kind, at + size, size, at + 2 * size + 2);
    header->is_shown = true;
    return read_tlvs(slice_head(bytes, header->size), FIXED + 2 * size + 4, ret_why);
}

enum proxy_result proxy_header_read(struct slice bytes, struct proxy_header *ret_header, const char **ret_why) {
    struct proxy_header header = {0};
    if (bytes.size == 0)
        return PROXY_MORE;
    enum proxy_result result = bytes.data[0] == signature[0] ? read_v2(bytes, &header, ret_why) : read_v1(bytes, &header, ret_why);
    if (result == PROXY_WHOLE)
        *ret_header = header;
    return result;
}

size_t proxy_header_wants(struct slice bytes) {
    if (bytes.size == 0 || bytes.data[0] != signature[0])
        return 1; /* a line: its end is only seen when it is there */
    if (bytes.size < FIXED)
        return FIXED - bytes.size;
    size_t whole = FIXED + be(bytes.data + 14, 2);
    return whole > bytes.size ? whole - bytes.size : 1;
}
