/* Limits by priority, lanes, and by time, rates. */
#include "config/work.h"
#include "policy/rate.h"

/* -- lanes: by number or by name -- */

static void lay_number(uint64_t *ret, const struct node *lane, const char *key, bool is_size) {
    const struct node *node = node_get(lane, slice_from(key));
    struct scalar_why why;
    if (!node || node->kind != NODE_SCALAR)
        return;
    if (slice_is(node->text, "unlimited"))
        *ret = CONFIG_UNLIMITED;
    else if (is_size)
        scalar_size(node->text, ret, &why);
    else
        scalar_count(node->text, ret, &why);
}

static const struct node *lanes_of(const struct node *map) {
    const struct node *limits = map ? node_get(map, SLICE_OF("limits")) : NULL;
    const struct node *lanes =
        limits && limits->kind == NODE_MAP ? node_get(limits, SLICE_OF("lanes")) : NULL;
    return lanes && lanes->kind == NODE_MAP ? lanes : NULL;
}

void rates_lay_lanes(struct config_policy *policy, const struct node *map) {
    const struct node *lanes = lanes_of(map);
    struct scalar_why why;
    uint64_t priority;
    for (const struct node *child = lanes ? lanes->first : NULL; child; child = child->next) {
        if (child->kind != NODE_MAP || !scalar_priority(child->key, &priority, &why))
            continue;
        lay_number(&policy->limits.lanes[priority - 1].messages, child, "messages", false);
        lay_number(&policy->limits.lanes[priority - 1].bytes, child, "bytes", true);
    }
}

void rates_lane_name(struct work *work, const struct node *node, const struct trail *trail) {
    struct scalar_why why;
    uint64_t priority, other;
    if (!scalar_priority(node->key, &priority, &why)) {
        work_why(work, node->key_at, trail, &why);
        return;
    }
    for (const struct node *before = node->prev; before; before = before->prev)
        if (scalar_priority(before->key, &other, &why) && other == priority)
            work_error(work, node->key_at, trail, "this priority stands here twice; the first is on line %u",
                       before->key_at.line);
}

/* -- rates -- */

static const struct node *value_of(const struct node *rate, const char *key) {
    const struct node *node = node_get(rate, slice_from(key));
    return node && node->kind == NODE_SCALAR && !node->unknown ? node : NULL;
}

static void check_messages(struct work *work, const struct node *node, const struct trail *trail) {
    struct trail here = {trail, SLICE_OF("messages")};
    struct scalar_why why;
    uint64_t rate;
    if (!node || !scalar_rate(node->text, &rate, &why))
        return;
    if (rate == 0)
        work_error(work, node->at, &here, "`%.*s` lets next to nothing pass; 4/h is the least", SCALAR_SHOWN(node->text));
    else if (rate > RATE_MESSAGES_MAX * UINT64_C(1000))
        work_error(work, node->at, &here, "`%.*s` is above the most, %u/s", SCALAR_SHOWN(node->text), RATE_MESSAGES_MAX);
}

static void check_bytes(struct work *work, const struct node *node, const struct trail *trail) {
    struct trail here = {trail, SLICE_OF("bytes")};
    struct scalar_why why;
    uint64_t rate;
    if (!node || !scalar_byte_rate(node->text, &rate, &why))
        return;
    if (rate == 0)
        work_error(work, node->at, &here, "`%.*s` lets nothing pass", SCALAR_SHOWN(node->text));
    else if (rate > RATE_BYTES_MAX)
        work_error(work, node->at, &here, "`%.*s` is above the most, 9GB/s", SCALAR_SHOWN(node->text));
}

static void check_burst(struct work *work, const struct node *node, const struct trail *trail, bool counts) {
    struct trail here = {trail, SLICE_OF("burst")};
    struct scalar_why why;
    uint64_t burst, most = counts ? RATE_MESSAGES_MAX : RATE_BYTES_MAX;
    if (node && scalar_count(node->text, &burst, &why) && burst > most)
        work_error(work, node->at, &here, "`%.*s` is above the most, %llu", SCALAR_SHOWN(node->text), (unsigned long long)most);
}

/* One that is full at the start, and the larger message never fits. */
static void warn_listener(struct work *work, const struct node *listener, const struct node *rate, const struct trail *here) {
    const struct node *bytes = value_of(rate, "bytes"), *burst = value_of(rate, "burst");
    const struct node *limits = node_get(listener, SLICE_OF("limits"));
    const struct node *limit = limits && limits->kind == NODE_MAP ? value_of(limits, "message") : NULL;
    struct scalar_why why;
    uint64_t per, size, count = 0;
    char path[TRAIL_MAX];
    if (!bytes || !limit || value_of(rate, "messages") || !scalar_byte_rate(bytes->text, &per, &why) ||
        !scalar_size(limit->text, &size, &why) || (burst && !scalar_count(burst->text, &count, &why)))
        return;
    (void)trail_text(here, path);
    if (size > (count ? count : per))
        work_say(work, true, bytes->at, path, "a message of `limits.message` (line %u) never passes: `burst` is smaller",
                 limit->at.line);
}

void rates_values(struct work *work, const struct node *holder, const struct trail *trail) {
    const struct node *rate = node_get(holder, SLICE_OF("rate"));
    struct trail here = {trail, SLICE_OF("rate")};
    if (!rate || rate->kind != NODE_MAP)
        return;
    check_messages(work, value_of(rate, "messages"), &here);
    check_bytes(work, value_of(rate, "bytes"), &here);
    check_burst(work, value_of(rate, "burst"), &here, node_get(rate, SLICE_OF("messages")) || !node_get(rate, SLICE_OF("bytes")));
}

void rates_holder(struct work *work, const struct node *holder, const struct trail *trail) {
    const struct node *rate = node_get(holder, SLICE_OF("rate"));
    struct trail here = {trail, SLICE_OF("rate")};
    rates_values(work, holder, trail);
    if (!rate || rate->kind != NODE_MAP)
        return;
    if (!node_get(rate, SLICE_OF("messages")) && !node_get(rate, SLICE_OF("bytes")))
        work_error(work, rate->key_at, &here, "`messages` or `bytes` is missing");
    warn_listener(work, holder, rate, &here);
}
