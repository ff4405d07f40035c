/* Values of policies back to text, by their rows, and who brought them. */
#include "config/origin.h"

#include "base/assert.h"
#include "config/rows.h"
#include "config/scalar.h"

/* -- as text -- */

static void load(void *ret, const struct config_policy *policy, const struct config_row *row, size_t size) {
    memcpy(ret, (const uint8_t *)policy + row->field - 1, size);
}

static bool show_duration(const struct config_policy *policy, const struct config_row *row,
                          struct buffer *out) {
    int64_t ns;
    load(&ns, policy, row, sizeof ns);
    if (ns == 0 && !row->fallback)
        return false;
    if (ns == CONFIG_FOREVER)
        buffer_add_text(out, "unlimited");
    else
        scalar_print_duration(out, ns);
    return true;
}

static bool show_number(const struct config_policy *policy, const struct config_row *row,
                        struct buffer *out) {
    uint64_t number;
    load(&number, policy, row, sizeof number);
    if (number == CONFIG_UNLIMITED)
        buffer_add_text(out, "unlimited");
    else if (row->type == ROW_SIZE)
        scalar_print_size(out, number);
    else
        buffer_add_u64(out, number);
    return true;
}

static bool show_share(const struct config_policy *policy, const struct config_row *row, struct buffer *out) {
    uint32_t permille;
    load(&permille, policy, row, sizeof permille);
    buffer_add_u64(out, permille / 10);
    if (permille % 10)
        buffer_add_format(out, ".%u", permille % 10);
    buffer_add_byte(out, '%');
    return true;
}

/* A list of words is bits; all of them is what is meant when none is written. */
static bool show_bits(const struct config_row *row, uint32_t bits, struct buffer *out) {
    const char *at = row->values;
    struct slice word;
    bool planned, first = true;
    for (uint32_t i = 0; scalar_word(&at, &word, &planned); i++) {
        if (!(bits & 1u << i))
            continue;
        buffer_add_text(out, first ? "" : "|");
        buffer_add(out, word);
        first = false;
    }
    return true;
}

static bool show_enum(const struct config *config, const struct config_policy *policy,
                      const struct config_row *row, struct buffer *out) {
    uint32_t number, count = 0;
    const char *at = row->values;
    struct slice word;
    bool planned;
    load(&number, policy, row, sizeof number);
    if (row->flags & ROW_LIST)
        return show_bits(row, number, out);
    if (number < row->least)
        return false; /* as the scheme has it */
    number -= (uint32_t)row->least;
    for (; scalar_word(&at, &word, &planned); count++) {
        if (count == number) {
            buffer_add(out, word);
            return true;
        }
    }
    if (!(row->flags & ROW_OR_SYSTEM) || number - count >= config->system_count)
        return false;
    buffer_add(out, config->systems[number - count].name);
    return true;
}

static bool show_text(const struct config_policy *policy, const struct config_row *row, struct buffer *out) {
    struct slice text;
    load(&text, policy, row, sizeof text);
    buffer_add(out, text);
    return text.size > 0;
}

static bool show(const struct config *config, const struct config_policy *policy,
                 const struct config_row *row, struct buffer *out) {
    bool flag;
    if (row->type == ROW_DURATION)
        return show_duration(policy, row, out);
    if (row->type == ROW_COUNT || row->type == ROW_SIZE)
        return show_number(policy, row, out);
    if (row->type == ROW_SHARE)
        return show_share(policy, row, out);
    if (row->type == ROW_ENUM)
        return show_enum(config, policy, row, out);
    if (row->type == ROW_TEXT || row->type == ROW_CESQL || row->type == ROW_ATTRIBUTE)
        return show_text(policy, row, out);
    if (row->type != ROW_BOOLEAN)
        return false;
    load(&flag, policy, row, sizeof flag);
    buffer_add_text(out, flag ? "true" : "false");
    return true;
}

/* By number; empty where no lane has a limit. */
static bool show_lanes(const struct config_policy *policy, struct buffer *out) {
    bool any = false;
    for (int i = 0; i < CONFIG_LANES; i++) {
        const struct config_lane *lane = &policy->limits.lanes[i];
        bool counts = lane->messages != CONFIG_UNLIMITED, sizes = lane->bytes != CONFIG_UNLIMITED;
        if (!counts && !sizes)
            continue;
        buffer_add_format(out, any ? ", %d: {" : "%d: {", i + 1);
        if (counts)
            buffer_add_format(out, "messages: %llu%s", (unsigned long long)lane->messages, sizes ? ", " : "");
        buffer_add_text(out, sizes ? "bytes: " : "");
        if (sizes)
            scalar_print_size(out, lane->bytes);
        buffer_add_byte(out, '}');
        any = true;
    }
    return any;
}

/* -- what counts -- */

/* What is off until it is there. NULL: the row is no part of such. */
static const bool *switch_of(const struct config_policy *policy, const char *path) {
    struct slice part = slice_head(slice_from(path), slice_find(slice_from(path), '.'));
    return slice_is(part, "health")    ? &policy->health.on
           : slice_is(part, "outlier") ? &policy->outlier.on
           : slice_is(part, "breaker") ? &policy->breaker.on
                                       : NULL;
}

static void name_origin(enum config_origin origin, const char *map, struct slice holder, struct slice policy,
                        struct buffer *out) {
    if (origin == CONFIG_ORIGIN_BUILT_IN)
        buffer_add_text(out, "built in");
    else if (origin == CONFIG_ORIGIN_DEFAULT)
        buffer_add_text(out, "policies.default");
    else {
        buffer_add_text(out, origin == CONFIG_ORIGIN_NAMED ? "policies" : map);
        buffer_add_byte(out, '.');
        buffer_add(out, origin == CONFIG_ORIGIN_NAMED ? policy : holder);
    }
}

size_t config_value_count(void) {
    return rows_policy.count;
}

bool config_value(const struct config *config, const struct config_route *route,
                  const struct config_system *system, size_t index, struct config_value *ret,
                  struct buffer *value, struct buffer *origin) {
    ASSERT(index < rows_policy.count);
    const struct config_row *row = &rows_policy.rows[index];
    struct config_policy policy = config_policy_of(config, route, system);
    const bool *on = switch_of(&policy, row->path);
    if (row->type == ROW_GROUP && on && slice_find(slice_from(row->path), '.') == strlen(row->path))
        buffer_add_text(value, *on ? "true" : "false");
    else if (slice_starts(slice_from(row->path), SLICE_OF("rate"))) /* not overridden: explain tells of each */
        return false;
    else if (row->type == ROW_NAMED ? !show_lanes(&policy, value)
                                    : row->flags & ROW_PLANNED || !row->field || (on && !*on) ||
                                          !show(config, &policy, row, value))
        return false;
    ret->key = row->path;
    ret->by_route = route && row->flags & ROW_ROUTE &&
                    (route->origins[index] >= CONFIG_ORIGIN_NAMED || !(row->flags & ROW_SYSTEM));
    ret->origin = (enum config_origin)(ret->by_route ? route->origins[index] : system->origins[index]);
    if (ret->by_route)
        name_origin(ret->origin, "routes", route->name, route->policy_name, origin);
    else
        name_origin(ret->origin, "systems", system->name, system->policy_name, origin);
    return true;
}
