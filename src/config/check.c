/* Walks the merged tree beside the schema: keys, kinds, types, bounds, names, references. */
#include <stdio.h>

#include "base/assert.h"
#include "base/text.h"
#include "config/url.h"
#include "config/work.h"
#include "policy/cesql.h"

#define CANDIDATES_MAX 256u

/* -- keys -- */

/* The same key below `policies.*`, when what is here is a system or a route. */
static const struct schema *policy_twin(const struct work *work, const struct trail *trail) {
    const struct trail *chain[16];
    size_t depth = 0;
    for (const struct trail *at = trail; at && at->key.data && depth < COUNT_OF(chain); at = at->up)
        chain[depth++] = at;
    if (depth < 3 || (!slice_is(chain[depth - 1]->key, "systems") && !slice_is(chain[depth - 1]->key, "routes")))
        return NULL;
    const struct schema *at = schema_find(work->schema, SLICE_OF("policies.*"));
    for (size_t i = depth - 2; at && i-- > 0;)
        at = schema_fixed(at, chain[i]->key);
    return at;
}

static bool is_top(const struct trail *trail, const char *name) {
    while (trail->up && trail->up->key.data)
        trail = trail->up;
    return slice_is(trail->key, name);
}

static void unknown_key(struct work *work, const struct schema *schema, const struct node *node, const struct trail *trail) {
    struct slice names[CANDIDATES_MAX];
    size_t count = 0;
    char path[TRAIL_MAX], full[TRAIL_MAX];
    for (const struct schema *child = schema->first; child && count < CANDIDATES_MAX; child = child->next)
        names[count++] = child->name;
    const struct schema *twin = policy_twin(work, trail);
    if (twin) {
        bool in_route = is_top(trail, "routes");
        work_error(work, node->key_at, trail, in_route ? "means nothing in a route; it belongs to a system, or to a policy that systems use"
                                                        : "means nothing in a system; it belongs to a route, or to a policy that routes use");
        return;
    }
    int near = text_nearest(node->key, names, count);
    struct slice place = trail_text(trail->up, path);
    char where[TRAIL_MAX + 8] = "";
    if (place.size)
        snprintf(where, sizeof where, " in %.*s", SLICE_ARG(place));
    struct slice nearest = near >= 0 ? names[near] : SLICE_OF("");
    if (near >= 0)
        config_report_add(work->report, false, true, node->key_at, trail_text(trail, full), nearest, "unknown key `%.*s`%s; did you mean `%.*s`?",
                          SCALAR_SHOWN(node->key), where, SLICE_ARG(nearest));
    else
        config_report_add(work->report, false, true, node->key_at, trail_text(trail, full), nearest, "unknown key `%.*s`%s",
                          SCALAR_SHOWN(node->key), where);
}

static void extension_name(struct work *work, const struct node *node, const struct trail *trail) {
    if (!attribute_name_is_valid(node->key))
        work_error(work, node->key_at, trail, "`%.*s` can't name an attribute: lower-case letters and digits, and not `data` or `specversion`",
                   SCALAR_SHOWN(node->key));
    else if (attribute_find(node->key) != ATTRIBUTE_OTHER)
        work_error(work, node->key_at, trail, "`%.*s` is known already, with a type", SCALAR_SHOWN(node->key));
}

/* What an attribute is named for. */
enum attribute_use { ATTRIBUTE_MATCHED, ATTRIBUTE_WRITTEN, ATTRIBUTE_READ };

static void attribute_name(struct work *work, struct slice name, struct config_place at, const struct trail *trail, enum attribute_use use) {
    enum attribute_type type;
    enum attribute known;
    if (work_attribute(work, name, &type, &known)) {
        if (use != ATTRIBUTE_MATCHED && known != ATTRIBUTE_OTHER &&
            ((attribute_row(known)->flags & ATTRIBUTE_OURS) || (known == ATTRIBUTE_ID && use == ATTRIBUTE_WRITTEN)))
            work_error(work, at, trail, "only intertie writes `%.*s`", SCALAR_SHOWN(name));
        return;
    }
    struct slice names[CANDIDATES_MAX];
    char path[TRAIL_MAX];
    size_t count = 0;
    for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
        names[count++] = attribute_row((enum attribute)i)->name;
    for (size_t i = 0; i < work->declared.count && count + 3 < CANDIDATES_MAX; i++)
        names[count++] = work->declared.rows[i].name;
    if (use == ATTRIBUTE_MATCHED) {
        names[count++] = SLICE_OF("from");
        names[count++] = SLICE_OF("listener");
    }
    int near = text_nearest(name, names, count);
    struct slice nearest = near >= 0 ? names[near] : SLICE_OF("");
    if (near >= 0)
        config_report_add(work->report, false, false, at, trail_text(trail, path), nearest,
                          "nobody declared an attribute `%.*s`; did you mean `%.*s`?", SCALAR_SHOWN(name), SLICE_ARG(nearest));
    else
        config_report_add(work->report, false, false, at, trail_text(trail, path), nearest,
                          "nobody declared an attribute `%.*s`; yours go under `extensions`", SCALAR_SHOWN(name));
}

static const struct slice rooms[] = {
    SLICE("base"),   SLICE("message"), SLICE("policy"),    SLICE("security"), SLICE("protocol"), SLICE("connection"), SLICE("config"),
    SLICE("engine"), SLICE("store"),   SLICE("telemetry"), SLICE("platform"), SLICE("runtime"),  SLICE("admin"),      SLICE("cli"),
};

static void room_name(struct work *work, const struct node *node, const struct trail *trail) {
    for (size_t i = 0; i < COUNT_OF(rooms); i++)
        if (slice_equal(rooms[i], node->key))
            return;
    char path[TRAIL_MAX];
    int near = text_nearest(node->key, rooms, COUNT_OF(rooms));
    struct slice nearest = near >= 0 ? rooms[near] : SLICE_OF("");
    if (near >= 0)
        config_report_add(work->report, false, false, node->key_at, trail_text(trail, path), nearest, "no room `%.*s`; did you mean `%.*s`?",
                          SCALAR_SHOWN(node->key), SLICE_ARG(nearest));
    else
        work_error(work, node->key_at, trail, "no room `%.*s`; docs/architecture.md has them", SCALAR_SHOWN(node->key));
}

/* The name of an entry of a map that users fill. */
static void entry_name(struct work *work, const struct node *node, const struct trail *trail) {
    char path[TRAIL_MAX];
    struct slice map = trail_text(trail->up, path);
    struct scalar_why why;
    if (slice_is(map, "extensions"))
        extension_name(work, node, trail);
    else if (slice_is(map, "log.levels"))
        room_name(work, node, trail);
    else if (slice_is(trail->up->key, "match"))
        attribute_name(work, node->key, node->key_at, trail, ATTRIBUTE_MATCHED);
    else if (slice_is(trail->up->key, "defaults"))
        attribute_name(work, node->key, node->key_at, trail, ATTRIBUTE_WRITTEN);
    else if (slice_is(trail->up->key, "lanes"))
        rates_lane_name(work, node, trail);
    else if (slice_is(trail->up->key, "header") || slice_is(trail->up->key, "headers"))
        refer_field_name(work, node, trail);
    else if (chains_names_change(trail))
        return; /* looked at with its value */
    else if (!scalar_name(node->key, &why))
        work_why(work, node->key_at, trail, &why);
}

static void check_value(struct work *work, const struct schema *schema, struct node *node, const struct trail *trail);

void check_map(struct work *work, const struct schema *schema, struct node *map, const struct trail *trail) {
    for (struct node *child = map->first; child; child = child->next) {
        struct trail here = {trail, child->key};
        const struct schema *inner = schema_child(schema, child->key);
        if (!inner) {
            unknown_key(work, schema, child, &here);
            continue;
        }
        if (inner->is_planned) {
            work_error(work, child->key_at, &here, "not supported yet in " CONFIG_VERSION);
            continue;
        }
        if (inner == schema->any)
            entry_name(work, child, &here);
        check_value(work, inner, child, &here);
    }
    for (const struct schema *child = schema->first; child; child = child->next)
        if (schema_flags(child) & ROW_REQUIRED && !node_get(map, child->name))
            work_error(work, map->key_at.line ? map->key_at : map->at, trail, "`%.*s` is missing", SLICE_ARG(child->name));
}

/* -- values -- */

static void refuse_bound(struct work *work, const struct node *node, const struct trail *trail, const struct config_row *row, bool low) {
    char text[64];
    struct buffer out;
    buffer_init_fixed(&out, text, sizeof text - 1);
    int64_t limit = low ? row->least : row->most;
    if (row->type == ROW_DURATION)
        scalar_print_duration(&out, limit);
    else if (row->type == ROW_SIZE)
        scalar_print_size(&out, (uint64_t)limit);
    else
        buffer_add_i64(&out, limit);
    work_error(work, node->at, trail, "`%.*s` is %s %.*s", SCALAR_SHOWN(node->text), low ? "below the least," : "above the most,",
               SLICE_ARG(buffer_slice(&out)));
}

static void check_bounds(struct work *work, const struct node *node, const struct trail *trail, const struct config_row *row, int64_t value) {
    if (value < row->least)
        refuse_bound(work, node, trail, row, true);
    else if (row->most && value > row->most)
        refuse_bound(work, node, trail, row, false);
}

static void check_number(struct work *work, const struct node *node, const struct trail *trail, const struct config_row *row) {
    struct scalar_why why;
    int64_t value = 0;
    uint64_t count = 0;
    uint32_t share;
    bool fine;
    if (row->type == ROW_DURATION)
        fine = scalar_duration(node->text, &value, &why);
    else if (row->type == ROW_INTEGER)
        fine = scalar_integer(node->text, &value, &why);
    else if (row->type == ROW_SIZE)
        fine = scalar_size(node->text, &count, &why);
    else if (row->type == ROW_RATE)
        fine = scalar_rate(node->text, &count, &why);
    else if (row->type == ROW_BYTE_RATE)
        fine = scalar_byte_rate(node->text, &count, &why);
    else if (row->type == ROW_SHARE)
        fine = scalar_share(node->text, &share, &why);
    else if (row->type == ROW_PRIORITY)
        fine = scalar_priority(node->text, &count, &why);
    else
        fine = scalar_count(node->text, &count, &why);
    if (!fine)
        work_why(work, node->at, trail, &why);
    else
        check_bounds(work, node, trail, row, row->type == ROW_DURATION || row->type == ROW_INTEGER ? value : (int64_t)count);
}

static void check_range(struct work *work, const struct node *node, const struct trail *trail) {
    bool may_be_webhook = trail->up && slice_is(trail->up->key, "redeliver");
    struct scalar_why why;
    int64_t low, high;
    if (may_be_webhook && slice_is(node->text, "webhook"))
        return;
    if (!scalar_range(node->text, &low, &high, &why))
        work_why(work, node->at, trail, &why);
}

/* One that can take messages. */
static void check_system_name(struct work *work, const struct node *node, const struct trail *trail) {
    const struct node *systems = node_find(work->root, "systems");
    if (!node_get(systems, node->text))
        refer_unknown(work, node->at, trail, "system", node->text, systems);
}

static void check_enum(struct work *work, const struct node *node, const struct trail *trail, const struct config_row *row) {
    struct scalar_why why;
    uint32_t index;
    bool planned;
    if (row->flags & ROW_OR_SYSTEM && !slice_is(node->text, "true") && !slice_is(node->text, "false")) {
        check_system_name(work, node, trail);
        return;
    }
    if (!scalar_enum(node->text, row->values, &index, &planned, &why))
        work_why(work, node->at, trail, &why);
    else if (planned)
        work_error(work, node->at, trail, "`%.*s` is not supported yet in " CONFIG_VERSION, SCALAR_SHOWN(node->text));
}

static void check_url(struct work *work, const struct node *node, const struct trail *trail, const struct config_row *row) {
    struct scalar_why why;
    struct config_url url;
    bool planned;
    enum url_role role = row->type == ROW_HTTP_URL ? URL_PREFIX
                         : is_top(trail, "listeners") ? URL_LISTENER
                         : is_top(trail, "admin") ? URL_ADMIN
                                                  : URL_ENDPOINT;
    if (!url_parse(node->text, role, row->values, &url, &planned, &why))
        work_why(work, node->at, trail, &why);
}

static const char *noun_of(const char *map) {
    return strcmp(map, "systems") == 0 ? "system" : strcmp(map, "listeners") == 0 ? "listener" : strcmp(map, "policies") == 0 ? "policy" : strcmp(map, "security.credentials") == 0 ? "credential" : "entry";
}

static void check_reference(struct work *work, const struct node *node, const struct trail *trail, const struct config_row *row) {
    if (row->flags & ROW_ALL && slice_is(node->text, "all"))
        return;
    const struct node *map = node_find(work->root, row->values);
    if (!node_get(map, node->text))
        refer_unknown(work, node->at, trail, noun_of(row->values), node->text, map);
}

static void check_pattern(struct work *work, const struct node *node, const struct trail *trail) {
    static const char kinds[] = "event|request|response|command|query|notification|heartbeat|error";
    enum attribute_type type;
    enum attribute known;
    struct config_pattern pattern;
    struct scalar_why why;
    uint32_t index;
    bool planned;
    if (!work_attribute(work, trail->key, &type, &known))
        return;
    if (!scalar_pattern(node->text, type, known == ATTRIBUTE_PRIORITY, &pattern, &why)) {
        work_why(work, node->at, trail, &why);
        return;
    }
    if (pattern.kind != CONFIG_PATTERN_EXACT)
        return;
    if (known == ATTRIBUTE_MESSAGETYPE && !scalar_enum(node->text, kinds, &index, &planned, &why))
        work_why(work, node->at, trail, &why);
    const struct node *systems = node_get(work->root, SLICE_OF("systems"));
    if (known == ATTRIBUTE_TARGET && !node_get(systems, node->text))
        refer_unknown(work, node->at, trail, "system", node->text, systems);
}

/* The offset becomes a column where the text stands on one line as written; else the value's start must do. */
static void say_when(struct work *work, const struct node *node, const struct trail *trail, bool is_warning, uint32_t offset, const char *message) {
    char path[TRAIL_MAX];
    struct config_place at = node->at;
    uint32_t quote = node->quoted ? 1 : 0;
    bool as_written = slice_equal(node->text, node->written) && at.line == at.end_line &&
                      at.end_column - at.column == node->text.size + 2 * quote;
    if (as_written) {
        at.column += offset + quote;
        at.end_column = at.column;
    }
    config_report_add(work->report, is_warning, false, at, trail_text(trail, path), SLICE_OF(""), "%s", message);
}

static void check_when(struct work *work, const struct node *node, const struct trail *trail) {
    struct cesql_options options = {&work->declared, true};
    struct cesql_fault fault = {0};
    const struct cesql *program;
    struct cesql_lints *lints = arena_new(work->arena, sizeof *lints);
    enum status status = lints ? cesql_compile(node->text, &options, work->arena, &program, &fault, lints) : STATUS_NO_MEMORY;
    if (status == STATUS_NO_MEMORY)
        work->report->status = STATUS_NO_MEMORY;
    else if (status != STATUS_OK)
        say_when(work, node, trail, false, fault.offset, fault.text);
    bool decides = !slice_is(trail->key, "key"); /* else it is any value */
    for (size_t i = 0; status == STATUS_OK && decides && i < lints->count; i++)
        say_when(work, node, trail, true, lints->items[i].offset, lints->items[i].text);
}

static void check_text(struct work *work, const struct node *node, const struct trail *trail, const struct config_row *row) {
    struct scalar_why why;
    struct cidr cidr;
    struct address address;
    struct config_rule rule;
    struct wall wall;
    uint8_t hash[32];
    bool flag, fine = true;
    if (row->type == ROW_BOOLEAN)
        fine = scalar_boolean(node->text, &flag, &why);
    else if (row->type == ROW_NAME)
        fine = scalar_name(node->text, &why);
    else if (row->type == ROW_CIDR)
        fine = scalar_cidr(node->text, &cidr, &why);
    else if (row->type == ROW_IP)
        fine = address_parse_ip(node->text, &address) || scalar_refuse(&why, "`%.*s` is no IP address", SCALAR_SHOWN(node->text));
    else if (row->type == ROW_RULE)
        fine = scalar_rule(node->text, &rule, &why);
    else if (row->type == ROW_HASH)
        fine = scalar_hash(node->text, hash, &why);
    else if (row->type == ROW_DATE)
        fine = scalar_date(node->text, &wall, &why);
    else if (node->text.size == 0)
        fine = scalar_refuse(&why, "is empty");
    if (!fine)
        work_why(work, node->at, trail, &why);
}

static void check_scalar(struct work *work, const struct schema *schema, const struct node *node, const struct trail *trail) {
    const struct config_row *row = schema->row;
    if (row->flags & ROW_SECRET && !node->referred) {
        work_error(work, node->at, trail, "a secret is never written here; use ${file:/path} or ${VAR}");
        return;
    }
    if (node->unknown)
        return;
    if (slice_is(node->text, "unlimited") && (row->flags & ROW_UNLIMITED))
        return;
    switch (row->type) {
    case ROW_DURATION:
    case ROW_SIZE:
    case ROW_COUNT:
    case ROW_INTEGER:
    case ROW_RATE:
    case ROW_BYTE_RATE:
    case ROW_SHARE:
    case ROW_PRIORITY:
        check_number(work, node, trail, row);
        break;
    case ROW_WORKERS:
        if (!slice_is(node->text, "auto"))
            check_number(work, node, trail, row);
        break;
    case ROW_ENUM:
        check_enum(work, node, trail, row);
        break;
    case ROW_RANGE:
        check_range(work, node, trail);
        break;
    case ROW_URL:
    case ROW_HTTP_URL:
        check_url(work, node, trail, row);
        break;
    case ROW_REFERENCE:
        check_reference(work, node, trail, row);
        break;
    case ROW_PATTERN:
        check_pattern(work, node, trail);
        break;
    case ROW_CESQL:
        check_when(work, node, trail);
        break;
    case ROW_ATTRIBUTE:
        attribute_name(work, node->text, node->at, trail, ATTRIBUTE_READ);
        break;
    case ROW_BOOLEAN:
    case ROW_NAME:
    case ROW_TEXT:
    case ROW_PATH:
    case ROW_GLOB:
    case ROW_CIDR:
    case ROW_IP:
    case ROW_RULE:
    case ROW_HASH:
    case ROW_DATE:
    case ROW_TEMPLATE:
        check_text(work, node, trail, row);
        break;
    case ROW_GROUP:
    case ROW_NAMED:
    case ROW_OVERLAY:
    case ROW_CHAIN:
    case ROW_TYPE_COUNT:
        UNREACHABLE();
    }
}

static void check_list(struct work *work, const struct schema *schema, struct node *list, const struct trail *trail) {
    if (!list->first)
        work_error(work, list->at, trail, "the list is empty; leave the key out");
    if (schema->row->type == ROW_ATTRIBUTE && list->count > CONFIG_DEDUPE_BY_MAX)
        work_error(work, list->at, trail, "at most %d attributes", CONFIG_DEDUPE_BY_MAX);
    for (struct node *item = list->first; item; item = item->next) {
        if (item->kind != NODE_SCALAR) {
            work_error(work, item->at, trail, "a list of values is due here, not of %s",
                       item->kind == NODE_NULL ? "nothing" : item->kind == NODE_LIST ? "lists" : "maps");
            continue;
        }
        for (const struct node *other = list->first; other != item && list->count <= CANDIDATES_MAX; other = other->next)
            if (other->kind == NODE_SCALAR && slice_equal(other->text, item->text) && !item->unknown && !other->unknown)
                work_error(work, item->at, trail, "`%.*s` stands in this list twice",
                           SCALAR_SHOWN(schema->row->flags & ROW_SECRET ? item->written : item->text));
        if (list->count > 1 && schema->row->flags & ROW_ALL && slice_is(item->text, "all"))
            work_error(work, item->at, trail, "`all` stands alone, not in a list");
        check_scalar(work, schema, item, trail);
    }
}

static void check_due_map(struct work *work, const struct schema *schema, struct node *node, const struct trail *trail) {
    bool may_be_off = node->kind == NODE_SCALAR && schema_flags(schema) & ROW_TRUE_SHORT;
    if (node->kind == NODE_MAP)
        check_map(work, schema, node, trail);
    else if (may_be_off && !slice_is(node->text, "false"))
        work_error(work, node->at, trail, "write true, false, or a map of its keys");
    else if (!may_be_off)
        work_error(work, node->at, trail, "a map of keys is due here, not a %s", node->kind == NODE_LIST ? "list" : "value");
}

static void check_value(struct work *work, const struct schema *schema, struct node *node, const struct trail *trail) {
    if (schema_type(schema) == ROW_OVERLAY)
        return; /* checked when it is laid over */
    if (node->kind == NODE_NULL) {
        if (trail->up && trail->up->key.data) /* whole sections may be empty: all of it is commented out */
            work_error(work, node->key_at.line ? node->key_at : node->at, trail,
                       schema_is_map(schema) ? "has no value; write {} for an empty map, or leave it out" : "has no value; leave it out");
        return;
    }
    if (schema_type(schema) == ROW_CHAIN) {
        chains_check(work, node, trail);
    } else if (schema_is_map(schema)) {
        check_due_map(work, schema, node, trail);
    } else if (node->kind == NODE_MAP) {
        if (schema->first)
            check_map(work, schema, node, trail);
        else
            work_error(work, node->at, trail, "a value is due here, not a map");
    } else if (node->kind == NODE_LIST) {
        if (schema_flags(schema) & ROW_LIST)
            check_list(work, schema, node, trail);
        else
            work_error(work, node->at, trail, "one value is due here, not a list");
    } else {
        check_scalar(work, schema, node, trail);
    }
}

/* -- the whole -- */

/* Collects `extensions` first: others refer to them. */
static void declare(struct work *work) {
    const struct node *map = node_get(work->root, SLICE_OF("extensions"));
    if (!map || map->kind != NODE_MAP)
        return;
    struct attribute_declaration *rows = arena_array(work->arena, map->count + 1u, sizeof *rows);
    static const enum attribute_type types[] = {ATTRIBUTE_STRING, ATTRIBUTE_INTEGER, ATTRIBUTE_BOOLEAN,
                                                ATTRIBUTE_BINARY, ATTRIBUTE_URI,     ATTRIBUTE_TIMESTAMP};
    struct scalar_why why;
    uint32_t index;
    bool planned;
    size_t count = 0;
    if (!rows) {
        work->report->status = STATUS_NO_MEMORY;
        return;
    }
    for (const struct node *child = map->first; child; child = child->next) {
        bool typed = child->kind == NODE_SCALAR &&
                     scalar_enum(child->text, "string|integer|boolean|binary|uri|timestamp", &index, &planned, &why);
        rows[count++] = (struct attribute_declaration){child->key, typed ? types[index] : ATTRIBUTE_STRING};
    }
    work->declared = (struct attribute_declared){rows, count};
}

void check_all(struct work *work) {
    struct trail root = {NULL, {NULL, 0}};
    declare(work);
    check_map(work, work->schema, work->root, &root);
}
