/* transform: attributes and data renamed, removed, set, in this order. Templates read the message as it came to the
 * stage, not half changed. */
#include "base/json_write.h"
#include "base/text.h"
#include "message/template.h"
#include "middleware/edit.h"
#include "middleware/stage.h"

struct change {
    enum middleware_what what;
    bool is_data;
    struct slice name; /* an attribute, or a pointer */
    struct slice to; /* RENAME: likewise */
    enum attribute_type type; /* of the attribute that is written */
    const struct template *template; /* SET; NULL: `json`, or what stands at `from` */
    struct slice json;
    struct slice from;
};

struct transform {
    size_t count;
    bool has_data;
    struct change changes[];
};

/* -- compiling -- */

static bool refuse(struct middleware_fault *fault, struct slice name, const char *words) {
    stage_fault(fault, STATUS_BAD_CONFIG, "`%.*s` %s", (int)(name.size < 80 ? name.size : 80),
                (const char *)name.data, words);
    return false;
}

static bool is_declared(const struct attribute_declared *declared, struct slice name,
                        enum attribute_type *ret_type) {
    enum attribute known = attribute_find(name);
    for (size_t i = 0; declared && known == ATTRIBUTE_OTHER && i < declared->count; i++)
        if (slice_equal(declared->rows[i].name, name)) {
            *ret_type = declared->rows[i].type;
            return true;
        }
    if (known != ATTRIBUTE_OTHER)
        *ret_type = attribute_row(known)->type;
    return known != ATTRIBUTE_OTHER;
}

/* What the router itself goes by, or alone may say. NULL: it may be changed. */
static const char *why_fixed(struct slice name) {
    enum attribute known = attribute_find(name);
    if (known == ATTRIBUTE_OTHER)
        return NULL;
    if (attribute_row(known)->flags & ATTRIBUTE_OURS || known == ATTRIBUTE_INTERTIEHOPS)
        return "is written by intertie alone";
    if (known == ATTRIBUTE_ID)
        return "can't be changed: replies and duplicates are known by it";
    if (known == ATTRIBUTE_MESSAGETYPE)
        return "can't be changed: its sender was promised what goes with it";
    return known == ATTRIBUTE_DATACONTENTTYPE ? "can't be changed: it says what `data` is" : NULL;
}

static bool is_required(struct slice name) {
    return slice_is(name, "source") || slice_is(name, "type");
}

/* `data:/pointer` without its prefix. */
static bool is_data(struct slice name, struct slice *ret_pointer) {
    struct slice prefix = SLICE_OF("data:");
    *ret_pointer = slice_skip(name, prefix.size);
    return slice_starts(name, prefix);
}

static bool check_name(struct slice name, bool is_written, bool is_taken,
                       const struct attribute_declared *declared, struct change *out,
                       struct middleware_fault *fault) {
    struct slice pointer;
    if (is_data(name, &pointer)) {
        out->is_data = true;
        if (!pointer_is_valid(pointer) || !text_is_utf8(pointer))
            return refuse(fault, name, "holds no JSON pointer: write data:/order/id");
        return pointer.size || !is_taken ? true
                                         : refuse(fault, name, "is all of the data: it can be set alone");
    }
    if (slice_starts(name, SLICE_OF("header:")))
        return refuse(fault, name, "can't be changed: fields of requests are for `headers` of a system");
    if (!attribute_name_is_valid(name))
        return refuse(fault, name,
                      "names no attribute; there are `data:/pointer` and the names of attributes");
    const char *fixed = why_fixed(name);
    if (fixed)
        return refuse(fault, name, fixed);
    if (is_taken && is_required(name))
        return refuse(fault, name, "is required: it can be set, not taken away");
    if (is_written && !is_declared(declared, name, &out->type))
        return refuse(fault, name, "is an attribute that nobody declared; yours go under `extensions`");
    return true;
}

/* `{data:/a}` and nothing else: then the value is taken over as it is, be it a number, an object or a text. */
static bool is_copy(struct slice value, struct slice *ret_pointer) {
    struct slice prefix = SLICE_OF("{data:");
    if (!slice_starts(value, prefix) || value.data[value.size - 1] != '}')
        return false;
    *ret_pointer = slice_make(value.data + prefix.size, value.size - prefix.size - 1);
    return pointer_is_valid(*ret_pointer) && slice_find(*ret_pointer, '}') == ret_pointer->size &&
           slice_find(*ret_pointer, '|') == ret_pointer->size;
}

static bool compile_set(const struct middleware_change *change, const struct attribute_declared *declared,
                        struct arena *arena, struct change *out, struct middleware_fault *fault) {
    struct template_fault why;
    if (out->is_data && change->is_json) {
        out->json = change->value;
        return true;
    }
    if (out->is_data && is_copy(change->value, &out->from))
        return true;
    enum status status = template_compile(change->value, declared, arena, &out->template, &why);
    if (status != STATUS_OK)
        stage_fault(fault, status, "%s", status == STATUS_NO_MEMORY ? "no memory" : why.text);
    return status == STATUS_OK;
}

static bool compile_change(const struct middleware_change *change, const struct attribute_declared *declared,
                           struct arena *arena, struct change *out, struct middleware_fault *fault) {
    struct change to = {0};
    bool is_rename = change->what == MIDDLEWARE_RENAME;
    *out = (struct change){.what = change->what};
    if (!check_name(change->name, change->what == MIDDLEWARE_SET, change->what != MIDDLEWARE_SET, declared,
                    out, fault))
        return false;
    if (is_rename && !check_name(change->value, true, false, declared, &to, fault))
        return false;
    if (is_rename && to.is_data != out->is_data)
        return refuse(fault, change->name, "and its new name must both be attributes or both be in the data");
    out->name = out->is_data ? slice_skip(change->name, 5) : change->name;
    out->to = to.is_data ? slice_skip(change->value, 5) : change->value;
    if (is_rename)
        out->type = to.type;
    return change->what != MIDDLEWARE_SET || compile_set(change, declared, arena, out, fault);
}

bool middleware_check_change(const struct middleware_change *change,
                             const struct attribute_declared *declared, struct arena *scratch,
                             struct middleware_fault *fault) {
    struct change out;
    *fault = (struct middleware_fault){.status = STATUS_OK};
    return compile_change(change, declared, scratch, &out, fault);
}

enum status transform_compile(struct stage *stage, const struct stage_make *make) {
    const struct middleware_spec *spec = stage->spec;
    struct transform *transform =
        arena_new(make->arena, sizeof *transform + spec->change_count * sizeof transform->changes[0]);
    if (!transform)
        return stage_fault(make->fault, STATUS_NO_MEMORY, "no memory");
    if (spec->change_count > MIDDLEWARE_CHANGES_MAX)
        return stage_fault(make->fault, STATUS_BAD_CONFIG, "more than %d changes", MIDDLEWARE_CHANGES_MAX);
    for (int what = MIDDLEWARE_RENAME; what <= MIDDLEWARE_SET; what++)
        for (size_t i = 0; i < spec->change_count; i++) {
            if ((int)spec->changes[i].what != what)
                continue;
            struct change *change = &transform->changes[transform->count++];
            if (!compile_change(&spec->changes[i], make->declared, make->arena, change, make->fault))
                return make->fault->status;
            transform->has_data |= change->is_data;
        }
    stage->compiled = transform;
    return STATUS_OK;
}

/* -- filling in -- */

struct filled {
    size_t at, size; /* in room->text */
};

static struct slice filled_text(const struct middleware_room *room, struct filled filled) {
    return filled.size ? slice_make(room->text.data + filled.at, filled.size) : SLICE_OF("");
}

static enum middleware_verdict missing(struct middleware_run *run, const struct change *change,
                                       const char *words) {
    return stage_refuse(run, STATUS_TEMPLATE_MISSING, "transform: `%s%.*s` %s",
                        change->is_data ? "data:" : "", SLICE_ARG(slice_head(change->name, 80)), words);
}

/* A JSON value that stands in the data. */
static bool copy_value(struct slice data, struct slice pointer, struct buffer *out) {
    struct json_item item;
    if (!data.data || !pointer_find(data, pointer, &item))
        return false;
    if (item.type == JSON_STRING)
        item.raw = slice_make(item.raw.data - 1, item.raw.size + 2); /* its quotes */
    buffer_add(out, item.raw);
    return true;
}

static enum middleware_verdict fill_one(const struct change *change, struct middleware_run *run,
                                        struct slice data) {
    struct buffer *text = &run->room->text, *raw = change->is_data ? &run->room->spare : text;
    struct json_write json;
    if (change->json.size) {
        buffer_add(text, change->json);
        return MIDDLEWARE_ON;
    }
    if (!change->template)
        return copy_value(data, change->from, text) ? MIDDLEWARE_ON
                                                    : missing(run, change, "is to be what the data hasn't");
    buffer_clear(&run->room->spare);
    enum status status =
        template_write(change->template, run->message, change->is_data ? TEMPLATE_RAW : TEMPLATE_PLAIN, raw);
    if (status == STATUS_TEMPLATE_MISSING)
        return missing(run, change, "asks for what the message hasn't");
    if (status != STATUS_OK)
        return stage_refuse(run, status, "transform: `%.*s` can't be made of this message",
                            SLICE_ARG(slice_head(change->name, 80)));
    if (change->is_data) {
        json_write_init(&json, text);
        json_write_string(&json, buffer_slice(raw));
    }
    return MIDDLEWARE_ON;
}

static enum middleware_verdict fill(const struct transform *transform, struct middleware_run *run,
                                    struct slice data, struct filled *filled) {
    struct buffer *text = &run->room->text;
    buffer_clear(text);
    for (size_t i = 0; i < transform->count; i++) {
        size_t at = text->size;
        if (transform->changes[i].what == MIDDLEWARE_SET &&
            fill_one(&transform->changes[i], run, data) != MIDDLEWARE_ON)
            return MIDDLEWARE_REFUSE;
        filled[i] = (struct filled){at, text->size - at};
    }
    return text->status == STATUS_OK
               ? MIDDLEWARE_ON
               : stage_refuse(run, text->status, "transform: what it makes is too large");
}

/* -- data -- */

struct editing {
    struct middleware_run *run;
    struct buffer *data; /* as changed so far */
    struct slice text; /* the same, or as it came */
    bool is_changed;
};

static enum middleware_verdict no_edit(struct editing *editing, const struct change *change,
                                       enum edit_result result) {
    static const char *const words[] = {
        [EDIT_NO_PLACE] = "has no place: a value that holds no others is in its way",
        [EDIT_TWICE] = "is ambiguous: a member on its way stands there twice",
        [EDIT_NO_JSON] = "can't be reached: the data is no valid JSON",
        [EDIT_NO_ROOM] = "makes the message too large",
    };
    const struct middleware_room *room = editing->run->room;
    enum status full = room->spare.status == STATUS_OK ? room->text.status : room->spare.status;
    return stage_refuse(editing->run, result == EDIT_NO_ROOM ? full : STATUS_SCHEMA_INVALID,
                        "transform: `data:%.*s` %s", SLICE_ARG(slice_head(change->name, 80)), words[result]);
}

/* What was written into the spare buffer is the data now. */
static void take(struct editing *editing) {
    struct buffer written = editing->run->room->spare;
    editing->run->room->spare = *editing->data;
    *editing->data = written;
    editing->text = buffer_slice(editing->data);
    editing->is_changed = true;
}

static enum edit_result set_data(struct editing *editing, struct slice pointer, struct slice value) {
    buffer_clear(&editing->run->room->spare);
    enum edit_result result = edit_set(editing->text, pointer, value, &editing->run->room->spare);
    if (result == EDIT_DONE)
        take(editing);
    return result;
}

static enum edit_result remove_data(struct editing *editing, struct slice pointer) {
    buffer_clear(&editing->run->room->spare);
    enum edit_result result = edit_remove(editing->text, pointer, &editing->run->room->spare);
    if (result == EDIT_DONE)
        take(editing);
    return result == EDIT_ABSENT ? EDIT_DONE : result;
}

/* Its value waits behind the texts that were filled in, which stay where they are. */
static enum edit_result rename_data(struct editing *editing, const struct change *change) {
    struct buffer *text = &editing->run->room->text;
    size_t at = text->size;
    if (!copy_value(editing->text, change->name, text))
        return EDIT_DONE;
    if (text->status != STATUS_OK)
        return EDIT_NO_ROOM;
    enum edit_result result = remove_data(editing, change->name);
    if (result == EDIT_DONE)
        result = set_data(editing, change->to, slice_skip(buffer_slice(text), at));
    text->size = at;
    return result;
}

static enum middleware_verdict edit_data(const struct transform *transform, const struct filled *filled,
                                         struct editing *editing) {
    bool sets = false;
    for (size_t i = 0; i < transform->count; i++)
        sets |= transform->changes[i].is_data && transform->changes[i].what == MIDDLEWARE_SET;
    if (!editing->text.data && editing->run->message->data_form != DATA_NONE)
        return stage_refuse(editing->run, STATUS_SCHEMA_INVALID, "transform: its data is no JSON");
    if (!editing->text.data && !sets)
        return MIDDLEWARE_ON; /* there is nothing to take away */
    if (!editing->text.data)
        editing->text = SLICE_OF("{}");
    for (size_t i = 0; i < transform->count; i++) {
        const struct change *change = &transform->changes[i];
        enum edit_result result = EDIT_DONE;
        if (!change->is_data)
            continue;
        struct slice value = filled_text(editing->run->room, filled[i]);
        if (change->what == MIDDLEWARE_SET)
            result = set_data(editing, change->name, value);
        else
            result = change->what == MIDDLEWARE_REMOVE ? remove_data(editing, change->name)
                                                       : rename_data(editing, change);
        if (result != EDIT_DONE)
            return no_edit(editing, change, result);
    }
    return MIDDLEWARE_ON;
}

/* -- attributes -- */

struct making {
    const struct transform *transform;
    const struct filled *filled;
    struct middleware_run *run;
    struct message *message;
    struct buffer *extra;
    struct message_fault fault;
};

/* The change that writes the attribute of that name; NULL: none does. A rename does where the old name is there. */
static const struct change *writer(const struct making *making, struct slice name) {
    for (size_t i = making->transform->count; i-- > 0;) {
        const struct change *change = &making->transform->changes[i];
        if (change->is_data)
            continue;
        if (change->what == MIDDLEWARE_SET && slice_equal(change->name, name))
            return change;
        if (change->what == MIDDLEWARE_RENAME && slice_equal(change->to, name) &&
            message_find(making->run->message, change->name))
            return change;
    }
    return NULL;
}

static bool is_taken(const struct making *making, struct slice name, const struct change **ret_rename) {
    for (size_t i = 0; i < making->transform->count; i++) {
        const struct change *change = &making->transform->changes[i];
        if (change->is_data || change->what == MIDDLEWARE_SET || !slice_equal(change->name, name))
            continue;
        *ret_rename = change->what == MIDDLEWARE_RENAME ? change : NULL;
        return true;
    }
    return false;
}

static enum status add(struct making *making, struct slice name, enum attribute_type type,
                       struct slice text) {
    return message_add_named(making->message, making->extra, name, type, text, &making->fault);
}

static enum status copy_attribute(struct making *making, const struct value *value) {
    const struct message *old = making->run->message;
    struct slice name = value_name(old, value);
    enum attribute_type type = (enum attribute_type)value->type;
    const struct change *rename = NULL;
    bool taken = is_taken(making, name, &rename);
    if (taken && (!rename || writer(making, rename->to) != rename))
        return STATUS_OK;
    if (!taken && writer(making, name))
        return STATUS_OK;
    if (rename) {
        name = rename->to;
        type = rename->type;
    }
    char small[VALUE_ROOM];
    struct slice text = value_canonical(old, value, small, sizeof small);
    if (!text.data) { /* a long one in base64 */
        struct buffer *spare = &making->run->room->spare;
        size_t size = 2 * value->span.size + 8;
        buffer_clear(spare);
        char *at = (char *)buffer_reserve(spare, size);
        text = at ? value_canonical(old, value, at, size) : text;
        if (!text.data)
            return STATUS_TOO_LARGE;
    }
    return add(making, name, type, text);
}

static enum status add_attributes(struct making *making) {
    const struct message *old = making->run->message;
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < old->value_count; i++)
        status = copy_attribute(making, &old->values[i]);
    for (size_t i = 0; status == STATUS_OK && i < making->transform->count; i++) {
        const struct change *change = &making->transform->changes[i];
        if (change->what == MIDDLEWARE_SET && !change->is_data)
            status =
                add(making, change->name, change->type, filled_text(making->run->room, making->filled[i]));
    }
    return status == STATUS_OK ? message_seal(making->message, making->extra, &making->fault) : status;
}

/* What a message is beside its attributes. Its time to live and its priority stay what the router made of them, unless
 * they are set. */
static void inherit(const struct making *making) {
    const struct message *old = making->run->message;
    struct message *message = making->message;
    message->has_receipt = old->has_receipt;
    memcpy(message->receipt, old->receipt, sizeof message->receipt);
    message->later = old->later;
    message->route = old->route;
    message->wait_s = old->wait_s;
    if (!writer(making, SLICE_OF("expirytime")))
        message->expiry = old->expiry;
    if (!writer(making, SLICE_OF("priority")))
        message->priority = old->priority;
}

enum middleware_verdict transform_run(const struct stage *stage, struct middleware_run *run) {
    const struct transform *transform = stage->compiled;
    struct middleware_room *room = run->room;
    const struct message *old = run->message;
    struct filled filled[MIDDLEWARE_CHANGES_MAX];
    unsigned turn = room->turn ^= 1;
    struct editing editing = {.run = run, .data = &room->data[turn]};
    buffer_clear(editing.data);
    if (transform->has_data)
        editing.text = stage_json(old, editing.data);
    if (fill(transform, run, editing.text, filled) != MIDDLEWARE_ON)
        return MIDDLEWARE_REFUSE;
    if (transform->has_data && edit_data(transform, filled, &editing) != MIDDLEWARE_ON)
        return MIDDLEWARE_REFUSE;
    struct making making = {.transform = transform,
                            .filled = filled,
                            .run = run,
                            .message = &room->messages[turn],
                            .extra = &room->extra[turn]};
    buffer_clear(making.extra);
    struct slice data = old->data_form == DATA_NONE ? SLICE_OF("") : message_bytes(old, old->data);
    message_init(making.message, editing.is_changed ? editing.text : data);
    message_set_data(making.message, editing.is_changed ? DATA_JSON : (enum data_form)old->data_form);
    enum status status = add_attributes(&making);
    if (status == STATUS_MALFORMED_EVENT)
        return stage_refuse(run, status, "transform: %s", making.fault.text);
    if (status != STATUS_OK)
        return stage_refuse(run, status, "transform: what it makes is too large");
    inherit(&making);
    run->message = making.message;
    return MIDDLEWARE_ON;
}
