/* Changes of data and templates of transforms: whatever text and pointer, what is made is JSON again, and what was set is
 * found there. Input: `=`, `#`, `-` or `>` and a name, a line end, a value, a line end, then the data. */
#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "message/encoding.h"
#include "middleware/edit.h"
#include "middleware/middleware.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void edit(struct slice pointer, struct slice text) {
    struct buffer out;
    struct json_item item;
    bool is_json = json_is_valid(text, JSON_DEPTH_LIMIT);
    if (!pointer_is_valid(pointer) || !text_is_utf8(pointer))
        return;
    buffer_init(&out, 1 << 20);
    enum edit_result result = edit_set(text, pointer, SLICE_OF("[7]"), &out);
    ASSERT(is_json || result == EDIT_NO_JSON || result == EDIT_NO_PLACE);
    if (result == EDIT_DONE) {
        ASSERT(json_is_valid(buffer_slice(&out), JSON_DEPTH_LIMIT) ||
               out.size > text.size + 5); /* too deep now */
        bool appends = slice_find(pointer, '-') < pointer.size;
        ASSERT(appends || !json_is_valid(buffer_slice(&out), JSON_DEPTH_LIMIT) ||
               (pointer_find(buffer_slice(&out), pointer, &item) && slice_is(item.raw, "[7]")));
    }
    buffer_clear(&out);
    if (edit_remove(text, pointer, &out) == EDIT_DONE)
        ASSERT(json_is_valid(buffer_slice(&out), JSON_DEPTH_LIMIT) && out.size < text.size);
    buffer_done(&out);
}

static void transform(struct middleware_change *change, struct slice text) {
    static const struct attribute_declaration rows[] = {{SLICE("tenant"), ATTRIBUTE_STRING},
                                                        {SLICE("amount"), ATTRIBUTE_INTEGER}};
    static const struct attribute_declared declared = {rows, 2};
    static const char head[] =
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\",\"tenant\":\"x\",\"data\":";
    static uint8_t extra_bytes[1 << 16];
    struct middleware_spec spec = {.kind = MIDDLEWARE_TRANSFORM, .changes = change, .change_count = 1};
    const struct middleware_chain *chain;
    struct middleware_fault why;
    struct middleware_room room;
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.declared = &declared, .size_max = 1 << 20};
    struct arena arena;
    struct buffer extra, event, made;
    arena_init(&arena, 1 << 20);
    middleware_room_init(&room, 1 << 16, 9);
    buffer_init_fixed(&extra, extra_bytes, sizeof extra_bytes);
    buffer_init(&event, 1 << 20);
    buffer_init(&made, 1 << 20);
    buffer_add_text(&event, head);
    buffer_add(&event, text);
    buffer_add_byte(&event, '}');
    if (middleware_compile(&spec, 1, &declared, &arena, &chain, &why) != STATUS_OK) {
        ASSERT(why.text[0]);
    } else if (message_decode_json(&message, buffer_slice(&event), &extra, &rules, &fault) == STATUS_OK) {
        struct middleware_run run = {.message = &message, .room = &room};
        enum middleware_verdict verdict = middleware_step(chain, 0, &run);
        ASSERT(verdict == MIDDLEWARE_ON ||
               (verdict == MIDDLEWARE_REFUSE && run.detail[0] && run.status != STATUS_OK));
        if (verdict == MIDDLEWARE_ON) {
            struct message again;
            static uint8_t again_bytes[1 << 16];
            buffer_init_fixed(&extra, again_bytes, sizeof again_bytes);
            ASSERT(message_encode_json(run.message, NULL, &made) == STATUS_OK);
            ASSERT(message_decode_json(&again, buffer_slice(&made), &extra, &rules, &fault) == STATUS_OK);
        }
    }
    buffer_done(&event);
    buffer_done(&made);
    middleware_room_done(&room);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = slice_make(data, size);
    struct slice first = slice_head(all, slice_find(all, '\n'));
    all = slice_skip(all, first.size + 1);
    struct slice value = slice_head(all, slice_find(all, '\n'));
    struct slice text = slice_skip(all, value.size + 1);
    uint8_t sign = first.size ? first.data[0] : '=';
    struct middleware_change change = {.name = slice_skip(first, 1), .value = value};
    change.what = sign == '-' ? MIDDLEWARE_REMOVE : sign == '>' ? MIDDLEWARE_RENAME : MIDDLEWARE_SET;
    if (slice_starts(change.name, SLICE_OF("data:")))
        edit(slice_skip(change.name, 5), text);
    transform(&change, text);
    return 0;
}
