/* Schemas and data: whatever both are, an answer comes, with words where it is no. A text that fits a schema without
 * references fits it inside `allOf` too, and does not fit `not`. Input: a schema, a NUL, the data. */
#include <string.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "jsonschema/decimal.h"
#include "jsonschema/jsonschema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status ask(struct slice schema, struct slice text, struct jsonschema_failure *failure,
                       bool *ret_compiles) {
    const struct jsonschema *compiled;
    struct jsonschema_fault fault;
    struct jsonschema_room room;
    struct arena arena;
    enum status status = STATUS_SCHEMA_INVALID;
    arena_init(&arena, 64 << 20);
    jsonschema_room_init(&room, 11);
    *ret_compiles = jsonschema_compile(schema, &arena, &compiled, &fault) == STATUS_OK;
    if (!*ret_compiles)
        ASSERT(fault.text[0] && fault.at <= schema.size);
    else
        status = jsonschema_check(compiled, text, &room, failure);
    if (*ret_compiles && status != STATUS_OK) {
        ASSERT(failure->text[0] && memchr(failure->text, 0, sizeof failure->text));
        ASSERT(memchr(failure->pointer, 0, sizeof failure->pointer) &&
               memchr(failure->keyword, 0, sizeof failure->keyword));
    }
    jsonschema_room_done(&room);
    arena_done(&arena);
    return status;
}

static enum status ask_inside(const char *head, struct slice schema, const char *tail, struct slice text,
                              bool *ret_compiles) {
    struct jsonschema_failure failure;
    struct buffer out;
    buffer_init(&out, 4 << 20);
    buffer_add_text(&out, head);
    buffer_add(&out, schema);
    buffer_add_text(&out, tail);
    enum status status = ask(buffer_slice(&out), text, &failure, ret_compiles);
    buffer_done(&out);
    return status;
}

static void numbers(struct slice text) {
    struct decimal a, b;
    if (!json_is_valid(text, 1) || !decimal_parse(text, &a))
        return;
    b = a;
    ASSERT(decimal_compare(&a, &b) == 0);
    if (decimal_is_divisor(&a))
        ASSERT(decimal_is_multiple(&a, &a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = slice_make(data, size);
    struct slice schema = slice_head(all, slice_find(all, 0)), text = slice_skip(all, schema.size + 1);
    struct jsonschema_failure failure = {0};
    bool compiles, inside;
    enum status status = ask(schema, text, &failure, &compiles);
    if (text.size && (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')))
        numbers(text);
    if (!compiles || failure.keyword[0] == '\0' || memmem(schema.data, schema.size, "$", 1) ||
        memmem(schema.data, schema.size, "\\", 1))
        return 0;
    if (ask_inside("{\"allOf\":[", schema, "]}", text, &inside) == STATUS_OK && inside)
        ASSERT(status == STATUS_OK);
    ASSERT(!inside || status == STATUS_OK ||
           ask_inside("{\"not\":", schema, "}", text, &inside) == STATUS_OK || !inside);
    return 0;
}
