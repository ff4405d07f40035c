/* The CloudEvent that publishers send, again and again: same attributes in each encoding. */
#include "wire.h"

#include <stdio.h>
#include <string.h>

#define ID "019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701"
#define SOURCE "/systems/press"
#define TYPE "com.example.tick"
#define TIME "2026-11-22T22:10:42.123Z"

static size_t put_varint(uint8_t *at, size_t value) {
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        at[size++] = (uint8_t)(value | 0x80);
    at[size++] = (uint8_t)value;
    return size;
}

static size_t put_field(uint8_t *at, unsigned field, const void *bytes, size_t size) {
    at[0] = (uint8_t)(field << 3 | 2);
    size_t head = 1 + put_varint(at + 1, size);
    if (bytes)
        memcpy(at + head, bytes, size);
    else
        memset(at + head, 'x', size);
    return head + size;
}

/* The map entry of an attribute: key, then a value of the given field of its own. */
static size_t put_attribute(uint8_t *at, const char *name, unsigned value_field, const void *bytes,
                            size_t size) {
    uint8_t value[128], entry[192];
    size_t value_size = put_field(value, value_field, bytes, size);
    size_t entry_size = put_field(entry, 1, name, strlen(name));
    entry_size += put_field(entry + entry_size, 2, value, value_size);
    return put_field(at, 5, entry, entry_size);
}

static size_t proto_with(uint8_t *out, const struct options *options, size_t data) {
    uint8_t seconds[16] = {0x08};
    size_t size = put_field(out, 1, ID, strlen(ID));
    size += put_field(out + size, 2, SOURCE, strlen(SOURCE));
    size += put_field(out + size, 3, "1.0", 3);
    size += put_field(out + size, 4, TYPE, strlen(TYPE));
    if (!options->is_encoded) { /* "all attributes": with content type, subject, time */
        size += put_attribute(out + size, "datacontenttype", 3, "application/octet-stream", 24);
        size += put_attribute(out + size, "subject", 3, "line-7", 6);
    }
    size_t time = 1 + put_varint(seconds + 1, 1795385442);
    size += put_attribute(out + size, "time", 7, seconds, time);
    if (options->kind)
        size += put_attribute(out + size, "messagetype", 3, options->kind, strlen(options->kind));
    return size + put_field(out + size, 6, NULL, data);
}

static size_t json_with(uint8_t *out, const struct options *options, size_t data) {
    char *at = (char *)out;
    int size = snprintf(
        at, 1024,
        "{\"specversion\":\"1.0\",\"id\":\"" ID "\",\"source\":\"" SOURCE "\",\"type\":\"" TYPE "\","
        "\"time\":\"" TIME "\",%s%s%s%s\"data\":\"",
        options->is_encoded ? "" : "\"datacontenttype\":\"application/json\",\"subject\":\"line-7\",",
        options->kind ? "\"messagetype\":\"" : "", options->kind ? options->kind : "",
        options->kind ? "\"," : "");
    memset(at + size, 'x', data);
    memcpy(at + size + data, "\"}", 2);
    return (size_t)size + data + 2;
}

typedef size_t event_with(uint8_t *out, const struct options *options, size_t data);

static size_t event_of(event_with *with, uint8_t *out, const struct options *options) {
    if (!options->is_encoded)
        return with(out, options, options->size);
    for (size_t data = options->size; data-- > 0;) {
        size_t size = with(out, options, data);
        if (size <= options->size)
            return size;
    }
    return with(out, options, 0); /* no event is that small */
}

size_t event_proto(uint8_t *out, const struct options *options) {
    return event_of(proto_with, out, options);
}

/* Required attributes alone, the id as long as it takes. */
static size_t json_short(uint8_t *out, size_t size) {
    static const char head[] = "{\"specversion\":\"1.0\",\"source\":\"/p\",\"type\":\"t\",\"id\":\"";
    size_t id = size > sizeof head + 2 ? size - sizeof head - 1 : 1;
    memcpy(out, head, sizeof head - 1);
    memset(out + sizeof head - 1, '7', id);
    memcpy(out + sizeof head - 1 + id, "\"}", 2);
    return sizeof head + 1 + id;
}

size_t event_json(uint8_t *out, const struct options *options) {
    if (options->is_encoded && options->size < 192)
        return json_short(out, options->size);
    return event_of(json_with, out, options);
}
