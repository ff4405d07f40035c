/* Templates and the pairs of `httpheaders`: whatever the text, what is filled has no line end in it, and what is written as
 * pairs reads back the same. Input: a template, a line end, then a path template, a line end, then pairs. */
#include <stdlib.h>

#include "base/assert.h"
#include "message/encoding.h"
#include "message/template.h"
#include "policy/rest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\",\"subject\":\"A/1\","
                            "\"httpheaders\":\"[[\\\"x-one\\\",\\\"1\\\"]]\",\"httpparams\":\"{\\\"sku\\\":\\\"A\\\"}\","
                            "\"data\":{\"id\":7,\"evil\":\"a\\r\\nb\",\"list\":[1,{\"a\":\"\\u00e9\"}]}}";

static void fill(struct slice text) {
    static uint8_t extra_bytes[4096];
    static uint8_t out_bytes[1 << 16];
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    struct buffer extra, out;
    struct arena arena;
    const struct template *template;
    struct template_fault why;
    arena_init(&arena, 1 << 20);
    buffer_init_fixed(&extra, extra_bytes, sizeof extra_bytes);
    ASSERT(message_decode_json(&message, slice_from(event), &extra, &rules, &fault) == STATUS_OK);
    bool plain = true;
    for (size_t i = 0; i < text.size; i++)
        plain = plain && text.data[i] >= ' ' && text.data[i] != 0x7f;
    if (template_compile(text, NULL, &arena, &template, &why) == STATUS_OK) {
        for (int escape = TEMPLATE_PLAIN; escape <= TEMPLATE_PERCENT; escape++) {
            buffer_init_fixed(&out, out_bytes, sizeof out_bytes);
            if (template_write(template, &message, (enum template_escape)escape, &out) == STATUS_OK && plain)
                for (size_t i = 0; i < out.size; i++)
                    ASSERT(out.data[i] != '\r' && out.data[i] != '\n');
        }
    } else {
        ASSERT(why.text[0] && why.offset <= text.size);
    }
    arena_done(&arena);
}

static void route(struct slice path) {
    struct arena arena;
    const struct rest_table *table;
    struct rest_rule rule = {.paths = &path, .path_count = 1};
    struct rest_parameters parameters;
    if (rest_path_check(path))
        return;
    arena_init(&arena, 1 << 20);
    ASSERT(rest_compile(&rule, 1, &arena, &table) == STATUS_OK);
    /* A template without names is a path that it matches itself. */
    struct rest_ask ask = {.method = SLICE("GET"), .path = path};
    ASSERT(rest_find(table, &ask) == 0);
    rest_capture(&rule, path, &parameters);
    ASSERT(parameters.count <= REST_PARAMETERS_MAX);
    arena_done(&arena);
}

static void pairs(struct slice text) {
    static uint8_t room_bytes[1 << 16], out_bytes[1 << 18], again_bytes[1 << 16];
    struct http_pairs reader = {.rest = text};
    struct slice name, value, name_again, value_again;
    struct buffer room, out, again;
    buffer_init_fixed(&room, room_bytes, sizeof room_bytes);
    while (http_pairs_next(&reader, &room, &name, &value)) {
        buffer_init_fixed(&out, out_bytes, sizeof out_bytes);
        buffer_init_fixed(&again, again_bytes, sizeof again_bytes);
        buffer_add_byte(&out, '[');
        http_pairs_add(&out, name, value);
        buffer_add_byte(&out, ']');
        struct http_pairs second = {.rest = buffer_slice(&out)};
        if (out.status == STATUS_OK && name.size + value.size < sizeof again_bytes / 8) {
            ASSERT(http_pairs_next(&second, &again, &name_again, &value_again));
            ASSERT(slice_equal(name, name_again) && slice_equal(value, value_again));
            ASSERT(!http_pairs_next(&second, &again, &name_again, &value_again) && !second.is_bad);
        }
        buffer_clear(&room);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = slice_make(data, size);
    struct slice template = slice_head(all, slice_find(all, '\n'));
    all = slice_skip(all, template.size + 1);
    struct slice path = slice_head(all, slice_find(all, '\n'));
    fill(template);
    route(path);
    pairs(slice_skip(all, path.size + 1));
    return 0;
}
