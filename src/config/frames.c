/* How streams are cut and what is in their units: `frame`, `format`, `defaults`, `reply`, `greet`, and what of them can't
 * stand together. */
#include "base/text.h"
#include "config/work.h"

#define ON(scheme) (1u << CONFIG_SCHEME_##scheme)
#define PLAIN (ON(TCP) | ON(TLS))
#define WEB (ON(HTTP) | ON(HTTPS) | ON(WS) | ON(WSS))
#define OURS (ON(INTERTIE) | ON(INTERTIE_TLS))

bool scalar_until(struct slice text, struct config_until *ret_until, struct scalar_why *why) {
    struct slice prefix = SLICE_OF("hex "), digits = slice_skip(text, prefix.size);
    if (text.size == 0)
        return scalar_refuse(why, "is empty");
    if (!slice_starts(text, prefix)) {
        if (text.size > CONFIG_UNTIL_MAX)
            return scalar_refuse(why, "has %zu bytes; %d are the most", text.size, CONFIG_UNTIL_MAX);
        memcpy(ret_until->bytes, text.data, text.size);
        ret_until->size = (uint8_t)text.size;
        return true;
    }
    if (digits.size == 0 || digits.size % 2 || digits.size / 2 > CONFIG_UNTIL_MAX)
        return scalar_refuse(why, "`hex` is followed by 1 to %d pairs of hexadecimal digits: hex 1c0d", CONFIG_UNTIL_MAX);
    for (size_t i = 0; i < digits.size / 2; i++) {
        int high = text_hex_value(digits.data[2 * i]), low = text_hex_value(digits.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return scalar_refuse(why, "`hex` is followed by 1 to %d pairs of hexadecimal digits: hex 1c0d", CONFIG_UNTIL_MAX);
        ret_until->bytes[i] = (uint8_t)(high << 4 | low);
    }
    ret_until->size = (uint8_t)(digits.size / 2);
    return true;
}

/* The value of a key as text; empty when it is absent, no scalar, or not known yet. */
static struct slice word_of(const struct node *map, const char *key) {
    const struct node *node = node_get(map, slice_from(key));
    return node && node->kind == NODE_SCALAR && !node->unknown ? node->text : slice_make("", 0);
}

/* `line`, .., or the one key of the map: what the frame is called. */
static struct slice frame_name(const struct node *map) {
    const struct node *frame = node_get(map, SLICE_OF("frame"));
    if (frame && frame->kind == NODE_MAP)
        return frame->first ? frame->first->key : slice_make("", 0);
    return word_of(map, "frame");
}

static void check_frame_map(struct work *work, const struct node *map, const struct trail *trail) {
    const struct node *frame = node_get(map, SLICE_OF("frame"));
    struct trail here = {trail, SLICE_OF("frame")};
    if (!frame || frame->kind != NODE_MAP)
        return;
    if (frame->count != 1)
        work_error(work, frame->key_at, &here, "is one of `fixed`, `idle` and `until`, not %s of them", frame->count ? "several" : "none");
    const struct node *until = node_get(frame, SLICE_OF("until")), *fixed = node_get(frame, SLICE_OF("fixed"));
    struct trail at_until = {&here, SLICE_OF("until")}, at_fixed = {&here, SLICE_OF("fixed")};
    struct config_until bytes;
    struct scalar_why why;
    uint64_t size, limit;
    if (until && until->kind == NODE_SCALAR && !until->unknown && until->text.size && !scalar_until(until->text, &bytes, &why))
        work_why(work, until->at, &at_until, &why);
    const struct node *limits = node_get(map, SLICE_OF("limits"));
    struct slice most = limits && limits->kind == NODE_MAP ? word_of(limits, "message") : SLICE_OF("1MiB");
    if (fixed && fixed->kind == NODE_SCALAR && !fixed->unknown && scalar_count(fixed->text, &size, &why) &&
        scalar_size(most.size ? most : SLICE_OF("1MiB"), &limit, &why) && size > limit)
        work_error(work, fixed->at, &at_fixed, "units of %llu bytes are above `limits.message`", (unsigned long long)size);
}

/* Not every frame can hold every kind of unit. */
static void check_inside(struct work *work, const struct node *map, bool is_raw, struct slice unsaid, const struct trail *trail) {
    const struct node *frame = node_get(map, SLICE_OF("frame")), *encoding = node_get(map, SLICE_OF("encoding"));
    struct slice name = frame ? frame_name(map) : unsaid;
    struct trail at_frame = {trail, SLICE_OF("frame")}, at_encoding = {trail, SLICE_OF("encoding")};
    if (!is_raw && (slice_is(name, "fixed") || slice_is(name, "idle")))
        work_error(work, frame->key_at, &at_frame, "`%.*s` needs `format: raw`: events have no fixed size, and say themselves where they end", SLICE_ARG(name));
    bool is_text = slice_is(name, "line") || slice_is(name, "crlf") || slice_is(name, "mllp") || slice_is(name, "until");
    if (!is_raw && is_text && slice_is(word_of(map, "encoding"), "protobuf"))
        work_error(work, encoding->at, &at_encoding, "`%.*s` can't hold protobuf, which may contain what ends a unit; a frame with a length can: `frame: len32be`",
                   SLICE_ARG(name));
}

static void check_raw_listener(struct work *work, const struct node *listener, unsigned scheme, const struct trail *trail) {
    const struct node *format = node_get(listener, SLICE_OF("format")), *auth = node_get(listener, SLICE_OF("auth"));
    struct slice frame = frame_name(listener);
    struct trail at_format = {trail, SLICE_OF("format")}, at_auth = {trail, SLICE_OF("auth")};
    if (scheme & PLAIN && (frame.size == 0 || slice_is(frame, "auto")) && !node_get(listener, SLICE_OF("frame")))
        work_error(work, format->at, &at_format, "`raw` needs `frame`, which says where a unit ends; for lines: `frame: line`");
    else if (scheme & PLAIN && slice_is(frame, "auto"))
        work_error(work, format->at, &at_format, "`raw` needs another `frame` than `auto`, which knows events alone; for lines: `frame: line`");
    for (const struct node *item = auth && auth->kind == NODE_LIST ? auth->first : NULL; item; item = item->next)
        if (item->kind == NODE_SCALAR && slice_is(item->text, "key"))
            work_error(work, item->at, &at_auth, "data alone has no place for a key; use `system` with `allow`");
}

void frames_listener(struct work *work, const struct node *listener, unsigned scheme, const struct trail *trail) {
    const struct node *format = node_get(listener, SLICE_OF("format")), *defaults = node_get(listener, SLICE_OF("defaults"));
    struct trail at_format = {trail, SLICE_OF("format")}, at_defaults = {trail, SLICE_OF("defaults")};
    struct slice word = word_of(listener, "format");
    bool is_raw = slice_is(word, "raw"), is_auto = slice_is(word, "auto"), is_web = (scheme & WEB) != 0;
    if (is_raw && scheme & OURS)
        work_error(work, format->at, &at_format, "`raw` means nothing on intertie: stream v1 carries events; use tcp");
    else if (is_raw && !is_web && !(scheme & (PLAIN | ON(UDP))))
        work_error(work, format->at, &at_format, "`raw` is not supported yet on this kind of listener in " CONFIG_VERSION);
    else if (is_auto && !is_web)
        work_error(work, format->at, &at_format, "`auto` is not supported yet on this kind of listener in " CONFIG_VERSION);
    else if (is_raw && !is_web)
        check_raw_listener(work, listener, scheme, trail);
    if (defaults && (is_web ? word.size > 0 && !is_raw && !is_auto : !is_raw))
        work_error(work, defaults->key_at, &at_defaults, "means nothing with `format: cloudevents`: nothing is wrapped");
    check_frame_map(work, listener, trail);
    check_inside(work, listener, is_raw, slice_make("", 0), trail);
}

/* -- systems -- */

static void check_greet(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *greet = node_get(system, SLICE_OF("greet"));
    struct trail here = {trail, SLICE_OF("greet")};
    if (greet && greet->kind == NODE_MAP && !node_get(greet, SLICE_OF("expect")) &&
        (node_get(greet, SLICE_OF("within")) || !node_get(greet, SLICE_OF("send"))))
        work_error(work, greet->key_at, &here, "%s without `expect`",
                   node_get(greet, SLICE_OF("within")) ? "`within` means nothing" : "means nothing");
}

void frames_system(struct work *work, const struct node *system, unsigned schemes, const struct trail *trail) {
    const struct node *format = node_get(system, SLICE_OF("format")), *reply = node_get(system, SLICE_OF("reply"));
    const struct node *pool = node_get(system, SLICE_OF("pool"));
    const struct node *pipeline = pool && pool->kind == NODE_MAP ? node_get(pool, SLICE_OF("pipeline")) : NULL;
    struct trail at_format = {trail, SLICE_OF("format")}, at_reply = {trail, SLICE_OF("reply")}, at_pool = {trail, SLICE_OF("pool")},
                 at_pipeline = {&at_pool, SLICE_OF("pipeline")};
    bool is_raw = slice_is(word_of(system, "format"), "raw"), is_fifo = slice_is(word_of(system, "reply"), "fifo");
    if (is_raw && schemes & ~(PLAIN | ON(UDP) | ON(WS) | ON(WSS)))
        work_error(work, format->at, &at_format, "`raw` is for tcp, tls, udp and ws%s", schemes & OURS ? "; stream v1 carries events" : " in " CONFIG_VERSION);
    if (is_fifo && !is_raw)
        work_error(work, reply->at, &at_reply, "`fifo` needs `format: raw`: an event says itself what it answers");
    if (pipeline && schemes && !(schemes & ~PLAIN) && !is_fifo)
        work_error(work, pipeline->key_at, &at_pipeline, "means nothing without `reply: fifo`: messages don't wait for each other there");
    check_greet(work, system, trail);
    check_frame_map(work, system, trail);
    check_inside(work, system, is_raw, schemes && !(schemes & ~PLAIN) ? SLICE_OF("line") : slice_make("", 0), trail);
}
