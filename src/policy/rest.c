/* Finds the REST route of a request through a trie of path segments. */
#include "policy/rest.h"

#include <limits.h>

#include "base/map.h"
#include "base/text.h"

#define HASH_SEED UINT64_C(0x2545f4914f6cdd1d) /* keys come from the configuration, not from peers */
#define HOST_MAX 255

/* -- templates -- */

/* The next segment of what stands behind a slash; `*more` says whether a slash follows it. */
static struct slice next_segment(struct slice *rest, bool *more) {
    struct slice segment = slice_head(*rest, slice_find(*rest, '/'));
    *more = segment.size < rest->size;
    *rest = slice_skip(*rest, segment.size + 1);
    return segment;
}

static bool is_parameter(struct slice segment) {
    return segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
}

static bool is_rest(struct slice segment) {
    return slice_is(segment, "**");
}

static struct slice parameter_name(struct slice segment) {
    return slice_make(segment.data + 1, segment.size - 2);
}

static const char *check_segment(struct slice segment) {
    if (is_parameter(segment))
        return text_is_name(parameter_name(segment)) ? NULL : "a part is named with a-z, 0-9, `_` and `-`, as in {sku}";
    for (size_t i = 0; i < segment.size; i++) {
        uint8_t c = segment.data[i];
        if (c == '{' || c == '}')
            return "`{name}` stands for a whole part, between two slashes";
        if (c == '*')
            return "`*` does not stand for anything; `{name}` is one part, `**` at the end all the rest";
        if (c <= ' ' || c >= 0x7f || c == '?' || c == '#')
            return "a path has no spaces, no `?` and no `#`; write what is not ASCII with %";
    }
    return slice_is(segment, ".") || slice_is(segment, "..") ? "`.` and `..` never reach a route" : NULL;
}

const char *rest_path_check(struct slice path) {
    bool more = true;
    unsigned segments = 0, parameters = 0;
    if (path.size == 0 || path.data[0] != '/')
        return "a path begins with `/`";
    for (struct slice rest = slice_skip(path, 1); more; segments++) {
        struct slice segment = next_segment(&rest, &more);
        const char *words = is_rest(segment) ? (more ? "`**` comes last" : NULL) : check_segment(segment);
        if (words)
            return words;
        parameters += is_parameter(segment);
    }
    return segments > REST_SEGMENTS_MAX       ? "a path has 32 parts at most"
           : parameters > REST_PARAMETERS_MAX ? "a path has 16 names at most"
                                              : NULL;
}

const char *rest_host_check(struct slice host) {
    struct slice name = slice_starts(host, SLICE_OF("*.")) ? slice_skip(host, 2) : host;
    if (name.size == 0 || host.size > HOST_MAX)
        return "a host name is due";
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (c >= 'A' && c <= 'Z')
            return "host names are written in lower case here";
        if (c == ':' && name.data[0] != '[')
            return "a host is matched without its port";
        if (!text_is_digit(c) && !text_is_alpha(c) && c != '.' && c != '-' && c != '_' && c != ':' && c != '[' && c != ']')
            return "a host is a name or an address, or `*.` and a name";
    }
    return NULL;
}

/* -- the trie -- */

struct entry {
    uint32_t rule;
    struct entry *next;
};

struct entries {
    struct entry *first; /* ascending */
    struct entry *last;
};

struct node {
    struct node *parameter;
    struct entries ends; /* templates that end here */
    struct entries rests; /* that take all that follows */
};

struct edge {
    struct edge *next; /* of its bucket */
    const struct node *from; /* NULL: `text` is a host */
    struct slice text;
    struct node to;
};

struct rest_table {
    const struct rest_rule *rules;
    struct edge **buckets;
    size_t mask;
    struct node any; /* rules that name no host */
    bool names_hosts;
};

static size_t bucket_of(const struct rest_table *table, const struct node *from, struct slice text) {
    return (size_t)map_hash(text, HASH_SEED ^ (uint64_t)(uintptr_t)from) & table->mask;
}

static struct edge *find_edge(const struct rest_table *table, const struct node *from, struct slice text) {
    struct edge *edge = table->buckets[bucket_of(table, from, text)];
    while (edge && (edge->from != from || !slice_equal(edge->text, text)))
        edge = edge->next;
    return edge;
}

static struct node *give_edge(struct rest_table *table, const struct node *from, struct slice text, struct arena *arena) {
    struct edge *edge = find_edge(table, from, text);
    if (!edge && (edge = arena_new(arena, sizeof *edge))) {
        struct edge **bucket = &table->buckets[bucket_of(table, from, text)];
        *edge = (struct edge){.next = *bucket, .from = from, .text = text};
        *bucket = edge;
    }
    return edge ? &edge->to : NULL;
}

static bool add_entry(struct entries *entries, uint32_t rule, struct arena *arena) {
    if (entries->last && entries->last->rule == rule)
        return true;
    struct entry *entry = arena_new(arena, sizeof *entry);
    if (!entry)
        return false;
    *entry = (struct entry){rule, NULL};
    if (entries->last)
        entries->last->next = entry;
    else
        entries->first = entry;
    entries->last = entry;
    return true;
}

static bool add_path(struct rest_table *table, struct node *node, struct slice path, uint32_t rule, struct arena *arena) {
    bool more = true;
    for (struct slice rest = slice_skip(path, 1); more;) {
        struct slice segment = next_segment(&rest, &more);
        if (is_rest(segment))
            return add_entry(&node->rests, rule, arena);
        if (is_parameter(segment)) {
            if (!node->parameter && !(node->parameter = arena_new(arena, sizeof *node)))
                return false;
            node = node->parameter;
        } else if (!(node = give_edge(table, node, segment, arena))) {
            return false;
        }
    }
    return add_entry(&node->ends, rule, arena);
}

static bool add_paths(struct rest_table *table, struct node *root, const struct rest_rule *rule, uint32_t index,
                      struct arena *arena) {
    if (rule->path_count == 0)
        return add_path(table, root, SLICE_OF("/**"), index, arena);
    for (size_t i = 0; i < rule->path_count; i++)
        if (!add_path(table, root, rule->paths[i], index, arena))
            return false;
    return true;
}

static bool add_rule(struct rest_table *table, uint32_t index, struct arena *arena) {
    const struct rest_rule *rule = &table->rules[index];
    if (rule->host_count == 0)
        return add_paths(table, &table->any, rule, index, arena);
    table->names_hosts = true;
    for (size_t i = 0; i < rule->host_count; i++) {
        struct node *root = give_edge(table, NULL, rule->hosts[i], arena);
        if (!root || !add_paths(table, root, rule, index, arena))
            return false;
    }
    return true;
}

enum status rest_compile(const struct rest_rule *rules, size_t count, struct arena *arena, const struct rest_table **ret) {
    struct rest_table *table = arena_new(arena, sizeof *table);
    size_t texts = 1, capacity = 4;
    for (size_t i = 0; i < count; i++) {
        size_t hosts = rules[i].host_count ? rules[i].host_count : 1;
        size_t segments = 0;
        for (size_t k = 0; k < rules[i].path_count; k++)
            for (size_t at = 0; at < rules[i].paths[k].size; at++)
                segments += rules[i].paths[k].data[at] == '/';
        texts += hosts * (1 + segments);
    }
    while (capacity < texts)
        capacity *= 2;
    if (!table || !(table->buckets = arena_array(arena, capacity, sizeof *table->buckets)))
        return STATUS_NO_MEMORY;
    table->rules = rules;
    table->mask = capacity - 1;
    for (size_t i = 0; i < count; i++)
        if (!add_rule(table, (uint32_t)i, arena))
            return STATUS_NO_MEMORY;
    *ret = table;
    return STATUS_OK;
}

/* -- finding -- */

static bool has_index(const uint32_t *indices, size_t count, uint32_t wanted) {
    for (size_t i = 0; i < count; i++)
        if (indices[i] == wanted)
            return true;
    return count == 0;
}

static bool method_holds(const struct rest_rule *rule, struct slice method) {
    for (size_t i = 0; i < rule->method_count; i++)
        if (slice_equal(rule->methods[i], method) || (slice_is(method, "HEAD") && slice_is(rule->methods[i], "GET")))
            return true;
    return rule->method_count == 0;
}

static bool header_holds(const struct rest_header *header, const struct rest_ask *ask) {
    struct slice value;
    for (unsigned i = 0; (value = ask->field(ask->head, header->name, i)).data; i++)
        for (size_t k = 0; k < header->count; k++)
            if (slice_is(header->values[k], "*") || slice_equal(header->values[k], value))
                return true;
    return false;
}

static bool holds(const struct rest_rule *rule, const struct rest_ask *ask) {
    if (!method_holds(rule, ask->method) || !has_index(rule->listeners, rule->listener_count, ask->listener) ||
        !has_index(rule->from, rule->from_count, ask->from))
        return false;
    for (size_t i = 0; i < rule->header_count; i++)
        if (!header_holds(&rule->headers[i], ask))
            return false;
    return true;
}

struct search {
    const struct rest_table *table;
    const struct rest_ask *ask;
    uint32_t best; /* UINT32_MAX: none yet */
};

static void try_entries(struct search *search, const struct entries *entries) {
    for (const struct entry *entry = entries->first; entry && entry->rule < search->best; entry = entry->next)
        if (holds(&search->table->rules[entry->rule], search->ask)) {
            search->best = entry->rule;
            return;
        }
}

/* Each node is come to at most once, since it stands at one depth: no path costs more than the trie has nodes. */
static void walk(struct search *search, const struct node *node, struct slice rest, bool more) {
    if (!more) {
        try_entries(search, &node->ends);
        return;
    }
    try_entries(search, &node->rests);
    struct slice segment = next_segment(&rest, &more);
    const struct edge *edge = find_edge(search->table, node, segment);
    if (edge)
        walk(search, &edge->to, rest, more);
    if (node->parameter && segment.size)
        walk(search, node->parameter, rest, more);
}

static struct slice plain_host(struct slice host, uint8_t *room) {
    size_t size = host.size;
    if (size && host.data[0] == '[')
        size = slice_find(host, ']') + 1;
    else
        size = slice_find(host, ':');
    if (size > host.size)
        size = host.size;
    if (size && host.data[size - 1] == '.')
        size--; /* the root of all names */
    if (size > HOST_MAX - 1)
        return slice_make(NULL, 0);
    for (size_t i = 0; i < size; i++)
        room[i] = text_lower(host.data[i]);
    return slice_make(room, size);
}

static void try_hosts(struct search *search, struct slice rest) {
    uint8_t room[HOST_MAX + 1];
    struct slice host = plain_host(search->ask->host, room + 1); /* a byte before it, for `*` */
    if (!host.data)
        return;
    const struct edge *edge = find_edge(search->table, NULL, host);
    if (edge)
        walk(search, &edge->to, rest, true);
    for (size_t dot = slice_find(host, '.'); dot < host.size; dot += 1 + slice_find(slice_skip(host, dot + 1), '.')) {
        uint8_t *star = room + dot; /* right before the dot: what stood there is no longer looked at */
        uint8_t kept = *star;
        *star = '*';
        edge = find_edge(search->table, NULL, slice_make(star, host.size - dot + 1));
        *star = kept;
        if (edge)
            walk(search, &edge->to, rest, true);
    }
}

int rest_find(const struct rest_table *table, const struct rest_ask *ask) {
    struct search search = {table, ask, UINT32_MAX};
    if (ask->path.size == 0 || ask->path.data[0] != '/')
        return -1;
    struct slice rest = slice_skip(ask->path, 1);
    if (table->names_hosts)
        try_hosts(&search, rest);
    walk(&search, &table->any, rest, true);
    return search.best > INT_MAX ? -1 : (int)search.best;
}

/* -- what the names stand for -- */

static bool capture(struct slice pattern, struct slice path, struct rest_parameters *ret) {
    bool more = true, has = true;
    pattern = slice_skip(pattern, 1);
    path = slice_skip(path, 1);
    ret->count = 0;
    while (more) {
        struct slice wanted = next_segment(&pattern, &more);
        if (!has)
            return false;
        if (is_rest(wanted))
            return true;
        struct slice segment = next_segment(&path, &has);
        if (!is_parameter(wanted)) {
            if (!slice_equal(wanted, segment))
                return false;
        } else if (segment.size == 0 || ret->count == REST_PARAMETERS_MAX) {
            return false;
        } else {
            ret->items[ret->count++] = (struct rest_parameter){parameter_name(wanted), segment};
        }
    }
    return !has;
}

void rest_capture(const struct rest_rule *rule, struct slice path, struct rest_parameters *ret) {
    for (size_t i = 0; i < rule->path_count; i++)
        if (capture(rule->paths[i], path, ret))
            return;
    ret->count = 0;
}
