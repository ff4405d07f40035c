/* A source that remembers what it was asked and answered, and one that answers from that. Loading is a pure function of
 * its options and these answers, so the questions come in the same order again. */
#include "config/recorded.h"

#include "base/pack.h"

#define SETS_MAX 1024 /* of what claims to be a recording */

enum asked { ASKED_FILE = 1, ASKED_VARIABLE, ASKED_GLOB };

/* -- recording -- */

struct recorder {
    const struct config_source *inner;
    struct buffer *out;
};

static void keep(struct buffer *out, enum asked asked, struct slice name, enum status status, bool flag,
                 struct slice answer, const char *words) {
    pack_u8(out, (uint8_t)asked);
    pack_slice(out, name);
    pack_u32(out, (uint32_t)status);
    pack_u8(out, flag);
    pack_slice(out, answer);
    pack_slice(out, slice_from(words));
}

static enum status read_and_keep(void *context, struct slice path, struct buffer *out, bool *ret_open,
                                 struct fault *fault) {
    struct recorder *recorder = context;
    size_t before = out->size;
    struct fault why = {0};
    enum status status = recorder->inner->read(recorder->inner->context, path, out, ret_open, &why);
    keep(recorder->out, ASKED_FILE, path, status, *ret_open, slice_skip(buffer_slice(out), before), why.text);
    *fault = why;
    return status;
}

static bool look_up_and_keep(void *context, struct slice name, struct slice *ret_value) {
    struct recorder *recorder = context;
    bool found = recorder->inner->variable(recorder->inner->context, name, ret_value);
    keep(recorder->out, ASKED_VARIABLE, name, STATUS_OK, found, found ? *ret_value : SLICE_OF(""), "");
    return found;
}

static enum status glob_and_keep(void *context, struct slice pattern, struct buffer *out, struct fault *fault) {
    struct recorder *recorder = context;
    size_t before = out->size;
    struct fault why = {0};
    enum status status = recorder->inner->glob(recorder->inner->context, pattern, out, &why);
    keep(recorder->out, ASKED_GLOB, pattern, status, false, slice_skip(buffer_slice(out), before), why.text);
    *fault = why;
    return status;
}

enum status config_load_recorded(const struct config_options *options, struct slice path, struct buffer *out,
                                 struct config **ret_config, struct config_report *report) {
    struct recorder recorder = {options->source, out};
    struct config_source source = {&recorder, read_and_keep, look_up_and_keep, glob_and_keep};
    struct config_options recorded = *options;
    struct config *config = NULL;
    recorded.source = &source;
    pack_slice(out, path);
    pack_slice(out, options->environment);
    pack_u8(out, (uint8_t)(options->strict | options->allow_faults << 1));
    pack_u32(out, (uint32_t)options->set_count);
    for (size_t i = 0; i < options->set_count; i++)
        pack_slice(out, options->sets[i]);
    enum status status = config_load(&recorded, path, &config, report);
    if (status == STATUS_OK && out->status != STATUS_OK) {
        config_free(config);
        return out->status;
    }
    if (status == STATUS_OK)
        *ret_config = config;
    return status;
}

/* -- answering -- */

struct answerer {
    struct unpack in;
    bool is_off; /* asked for something else than was recorded */
};

struct kept {
    enum status status;
    bool flag;
    struct slice answer;
    struct slice words;
};

static bool take(struct answerer *answerer, enum asked asked, struct slice name, struct kept *ret) {
    struct unpack *in = &answerer->in;
    uint8_t kind = unpack_u8(in);
    struct slice about = unpack_slice(in);
    uint32_t status = unpack_u32(in);
    bool flag = unpack_u8(in);
    struct slice answer = unpack_slice(in);
    struct slice words = unpack_slice(in);
    answerer->is_off |= in->is_bad || kind != asked || !slice_equal(about, name) || status >= STATUS_COUNT;
    if (!answerer->is_off)
        *ret = (struct kept){(enum status)status, flag, answer, words};
    return !answerer->is_off;
}

static enum status give(const struct kept *kept, struct buffer *out, struct fault *fault) {
    buffer_add(out, kept->answer);
    if (kept->status != STATUS_OK)
        return fault_set(fault, kept->status, 0, "%.*s", SLICE_ARG(kept->words));
    return out->status;
}

static enum status read_again(void *context, struct slice path, struct buffer *out, bool *ret_open,
                              struct fault *fault) {
    struct kept kept;
    if (!take(context, ASKED_FILE, path, &kept))
        return fault_set(fault, STATUS_IO_ERROR, 0, "it isn't in the recording");
    *ret_open = kept.flag;
    return give(&kept, out, fault);
}

static bool look_up_again(void *context, struct slice name, struct slice *ret_value) {
    struct kept kept;
    if (!take(context, ASKED_VARIABLE, name, &kept) || !kept.flag)
        return false;
    *ret_value = kept.answer;
    return true;
}

static enum status glob_again(void *context, struct slice pattern, struct buffer *out, struct fault *fault) {
    struct kept kept;
    if (!take(context, ASKED_GLOB, pattern, &kept))
        return fault_set(fault, STATUS_IO_ERROR, 0, "it isn't in the recording");
    return give(&kept, out, fault);
}

enum status config_load_again(struct slice recorded, struct config **ret_config,
                              struct config_report *report) {
    return config_load_again_with(recorded, SLICE_OF(""), ret_config, report);
}

enum status config_load_again_with(struct slice recorded, struct slice set, struct config **ret_config,
                                   struct config_report *report) {
    struct answerer answerer = {.in = unpack_from(recorded)};
    struct config_source source = {&answerer, read_again, look_up_again, glob_again};
    struct slice sets[SETS_MAX + 1];
    struct slice path = unpack_slice(&answerer.in);
    struct config_options options = {.source = &source, .sets = sets};
    struct config *config = NULL;
    options.environment = unpack_slice(&answerer.in);
    uint8_t flags = unpack_u8(&answerer.in);
    options.strict = flags & 1;
    options.allow_faults = flags & 2;
    options.set_count = unpack_u32(&answerer.in);
    if (answerer.in.is_bad || options.set_count > SETS_MAX)
        return STATUS_PROTOCOL_ERROR;
    for (size_t i = 0; i < options.set_count; i++)
        sets[i] = unpack_slice(&answerer.in);
    if (set.size)
        sets[options.set_count++] = set;
    enum status status = config_load(&options, path, &config, report);
    if (answerer.is_off || !unpack_is_over(&answerer.in)) {
        if (status == STATUS_OK)
            config_free(config);
        return STATUS_PROTOCOL_ERROR;
    }
    if (status == STATUS_OK)
        *ret_config = config;
    return status;
}
