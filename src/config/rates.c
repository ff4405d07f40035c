/* Limits by priority: lanes. */
#include "config/work.h"

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
