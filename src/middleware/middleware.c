/* The table of stages, and the walk through a chain. */
#include "middleware/middleware.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "middleware/stage.h"

static const struct stage_row rows[MIDDLEWARE_KIND_COUNT] = {
    [MIDDLEWARE_VALIDATE] = {"validate", validate_compile, validate_run},
    [MIDDLEWARE_FILTER] = {"filter", filter_compile, filter_run},
    [MIDDLEWARE_LOG] = {"log", log_compile, log_run},
    [MIDDLEWARE_TRANSFORM] = {"transform", transform_compile, transform_run},
};

struct middleware_chain {
    size_t count;
    struct stage stages[];
};

enum status stage_fault(struct middleware_fault *fault, enum status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fault->status = status;
    (void)vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return status;
}

enum middleware_verdict stage_refuse(struct middleware_run *run, enum status status, const char *format,
                                     ...) {
    va_list arguments;
    va_start(arguments, format);
    run->status = status;
    (void)vsnprintf(run->detail, sizeof run->detail, format, arguments);
    va_end(arguments);
    return MIDDLEWARE_REFUSE;
}

struct slice stage_json(const struct message *message, struct buffer *room) {
    struct slice nothing = slice_make(NULL, 0), data = message_data_verbatim(message);
    if (message->data_form == DATA_NONE ||
        (message->data_form != DATA_JSON && !message_data_is_json(message)))
        return nothing;
    if (data.data)
        return data;
    buffer_clear(room);
    message_data_write(message, room);
    return room->status == STATUS_OK && room->size ? buffer_slice(room) : nothing;
}

/* -- making -- */

struct slice middleware_kind_name(enum middleware_kind kind) {
    ASSERT((unsigned)kind < MIDDLEWARE_KIND_COUNT);
    return slice_from(rows[kind].name);
}

static bool same_changes(const struct middleware_spec *a, const struct middleware_spec *b) {
    for (size_t i = 0; i < a->change_count; i++) {
        const struct middleware_change *one = &a->changes[i], *other = &b->changes[i];
        if (one->what != other->what || one->is_json != other->is_json ||
            !slice_equal(one->name, other->name) || !slice_equal(one->value, other->value))
            return false;
    }
    return true;
}

static bool same_needs(const struct middleware_spec *a, const struct middleware_spec *b) {
    for (size_t i = 0; i < a->need_count; i++)
        if (!slice_equal(a->needs[i].text, b->needs[i].text))
            return false;
    return true;
}

static bool same_log(const struct middleware_spec *a, const struct middleware_spec *b) {
    if (a->level != b->level || a->sample != b->sample || a->shown_count != b->shown_count)
        return false;
    for (size_t i = 0; i < a->shown_count; i++)
        if (!slice_equal(a->shown[i], b->shown[i]))
            return false;
    return true;
}

bool middleware_spec_same(const struct middleware_spec *a, const struct middleware_spec *b) {
    return a->kind == b->kind && slice_equal(a->chain, b->chain) && slice_equal(a->filter, b->filter) &&
           slice_equal(a->schema, b->schema) && slice_equal(a->schema_path, b->schema_path) &&
           a->need_count == b->need_count && a->change_count == b->change_count && same_needs(a, b) &&
           same_log(a, b) && same_changes(a, b);
}

enum status middleware_compile(const struct middleware_spec *specs, size_t count,
                               const struct attribute_declared *declared, struct arena *arena,
                               const struct middleware_chain **ret, struct middleware_fault *fault) {
    struct middleware_chain *chain = arena_new(arena, sizeof *chain + count * sizeof chain->stages[0]);
    struct stage_make make = {declared, arena, fault};
    *fault = (struct middleware_fault){.status = STATUS_OK};
    if (count > MIDDLEWARE_STAGES_MAX)
        return stage_fault(fault, STATUS_BAD_CONFIG, "more than %d stages", MIDDLEWARE_STAGES_MAX);
    if (!chain)
        return stage_fault(fault, STATUS_NO_MEMORY, "no memory");
    chain->count = count;
    for (size_t i = 0; i < count; i++) {
        chain->stages[i].spec = &specs[i];
        fault->stage = i;
        enum status status = rows[specs[i].kind].compile(&chain->stages[i], &make);
        if (status != STATUS_OK)
            return status;
    }
    *ret = chain;
    return STATUS_OK;
}

size_t middleware_count(const struct middleware_chain *chain) {
    return chain->count;
}

const struct middleware_spec *middleware_at(const struct middleware_chain *chain, size_t index) {
    ASSERT(index < chain->count);
    return chain->stages[index].spec;
}

/* -- room -- */

void middleware_room_init(struct middleware_room *room, size_t size_max, uint64_t seed) {
    for (unsigned i = 0; i < 2; i++) {
        buffer_init(&room->extra[i], size_max);
        buffer_init(&room->data[i], size_max);
    }
    buffer_init(&room->text, size_max);
    buffer_init(&room->spare, size_max);
    jsonschema_room_init(&room->schema, seed);
    room->turn = 0;
}

void middleware_room_done(struct middleware_room *room) {
    for (unsigned i = 0; i < 2; i++) {
        buffer_done(&room->extra[i]);
        buffer_done(&room->data[i]);
    }
    buffer_done(&room->text);
    buffer_done(&room->spare);
    jsonschema_room_done(&room->schema);
}

void middleware_room_limit(struct middleware_room *room, size_t size_max) {
    uint64_t seed = room->schema.document.seed;
    middleware_room_done(room);
    middleware_room_init(room, size_max, seed);
}

size_t middleware_room_size(const struct middleware_room *room) {
    size_t size = room->text.capacity + room->spare.capacity + jsonschema_room_size(&room->schema);
    for (unsigned i = 0; i < 2; i++)
        size += room->extra[i].capacity + room->data[i].capacity;
    return size;
}

/* -- running -- */

enum middleware_verdict middleware_step(const struct middleware_chain *chain, size_t index,
                                        struct middleware_run *run) {
    ASSERT(index < chain->count);
    const struct stage *stage = &chain->stages[index];
    return rows[stage->spec->kind].run(stage, run);
}
