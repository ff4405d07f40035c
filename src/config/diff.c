/* Compares two configurations by identity. */
#include "config/diff.h"

#include "base/map.h"
#include "config/same.h"

/* -- walking -- */

struct section {
    const void *base;
    size_t size; /* of one element, whose name comes first */
    size_t count;
};

typedef bool same_function(const struct config *before, uint32_t left, const struct config *after,
                           uint32_t right);

static struct slice name_at(const struct section *section, size_t index) {
    struct slice name;
    memcpy(&name, (const uint8_t *)section->base + index * section->size, sizeof name);
    return name;
}

static bool changes_init(struct config_changes *changes, struct arena *arena, size_t before, size_t after) {
    *changes = (struct config_changes){0};
    changes->added = arena_array(arena, after + 1, sizeof *changes->added);
    changes->changed = arena_array(arena, after + 1, sizeof *changes->changed);
    changes->removed = arena_array(arena, before + 1, sizeof *changes->removed);
    return changes->added && changes->changed && changes->removed;
}

/* By name; `ordered` also calls changed what others overtook. */
static bool compare(const struct config *before, struct section a, const struct config *after,
                    struct section b, same_function *same, bool ordered, struct arena *arena,
                    struct config_changes *ret) {
    struct map names;
    uint32_t *index = arena_array(arena, a.count + 1, sizeof *index); /* + 1: NULL is no value */
    uint32_t furthest = 0;
    if (!index || !changes_init(ret, arena, a.count, b.count))
        return false;
    bool *met = arena_array(arena, a.count + 1, sizeof *met);
    bool fine = met != NULL;
    map_init(&names, 1);
    for (uint32_t i = 0; fine && i < a.count; i++) {
        index[i] = i;
        fine = map_put(&names, name_at(&a, i), &index[i]);
    }
    for (uint32_t i = 0; fine && i < b.count; i++) {
        const uint32_t *found = map_get(&names, name_at(&b, i));
        struct config_change change = {found ? *found : CONFIG_NONE, i, CONFIG_NONE, CONFIG_NONE};
        if (!found) {
            ret->added[ret->added_count++] = change;
            continue;
        }
        met[*found] = true;
        bool moved = ordered && *found < furthest;
        furthest = *found > furthest ? *found : furthest;
        if (moved || !same(before, *found, after, i))
            ret->changed[ret->changed_count++] = change;
        else
            ret->kept_count++;
    }
    for (uint32_t i = 0; fine && i < a.count; i++)
        if (!met[i])
            ret->removed[ret->removed_count++] =
                (struct config_change){i, CONFIG_NONE, CONFIG_NONE, CONFIG_NONE};
    map_done(&names);
    return fine;
}

static const struct config_endpoint *endpoint_find(const struct config *config, uint32_t system,
                                                   const struct config_url *url, uint32_t *ret_index) {
    for (uint32_t i = 0; system != CONFIG_NONE && i < config->systems[system].endpoint_count; i++)
        if (same_url(&config->systems[system].endpoints[i].url, url)) {
            *ret_index = i;
            return &config->systems[system].endpoints[i];
        }
    return NULL;
}

static size_t endpoint_total(const struct config *config) {
    size_t total = 0;
    for (size_t i = 0; i < config->system_count; i++)
        total += config->systems[i].endpoint_count;
    return total;
}

static bool compare_endpoints(const struct config *before, const struct config *after, struct arena *arena,
                              struct config_changes *ret) {
    if (!changes_init(ret, arena, endpoint_total(before), endpoint_total(after)))
        return false;
    for (uint32_t s = 0; s < after->system_count; s++) {
        uint32_t old = config_system_find(before, after->systems[s].name), index = CONFIG_NONE;
        for (uint32_t i = 0; i < after->systems[s].endpoint_count; i++) {
            const struct config_endpoint *now = &after->systems[s].endpoints[i];
            const struct config_endpoint *was = endpoint_find(before, old, &now->url, &index);
            struct config_change change = {was ? index : CONFIG_NONE, i, was ? old : CONFIG_NONE, s};
            if (!was)
                ret->added[ret->added_count++] = change;
            else if (!same_endpoint(before, was, after, now))
                ret->changed[ret->changed_count++] = change;
            else
                ret->kept_count++;
        }
    }
    for (uint32_t s = 0; s < before->system_count; s++) {
        uint32_t now = config_system_find(after, before->systems[s].name), index;
        for (uint32_t i = 0; i < before->systems[s].endpoint_count; i++)
            if (!endpoint_find(after, now, &before->systems[s].endpoints[i].url, &index))
                ret->removed[ret->removed_count++] = (struct config_change){i, CONFIG_NONE, s, CONFIG_NONE};
    }
    return true;
}

static bool same_log(const struct config *a, const struct config *b) {
    bool same = a->log.level == b->log.level && a->log.format == b->log.format &&
                slice_equal(a->log.file, b->log.file) && a->log.rotate_size == b->log.rotate_size &&
                a->log.rotate_keep == b->log.rotate_keep && a->log.level_count == b->log.level_count;
    for (size_t i = 0; same && i < a->log.level_count; i++)
        same = slice_equal(a->log.levels[i].room, b->log.levels[i].room) &&
               a->log.levels[i].level == b->log.levels[i].level;
    return same;
}

#define SECTION(config, array, count) \
    ((struct section){(config)->array, sizeof *(config)->array, (config)->count})
_Static_assert(offsetof(struct config_listener, name) == 0 && offsetof(struct config_system, name) == 0 &&
                   offsetof(struct config_route, name) == 0 && offsetof(struct config_identity, name) == 0 &&
                   offsetof(struct config_credential, name) == 0,
               "name_at() reads the first member");

enum status config_diff(const struct config *before, const struct config *after, struct arena *arena,
                        struct config_diff *ret_diff) {
    struct config_diff diff = {0};
    bool fine =
        compare(before, SECTION(before, listeners, listener_count), after,
                SECTION(after, listeners, listener_count), same_listener, false, arena, &diff.listeners) &&
        compare(before, SECTION(before, systems, system_count), after, SECTION(after, systems, system_count),
                same_system, false, arena, &diff.systems) &&
        compare(before, SECTION(before, routes, route_count), after, SECTION(after, routes, route_count),
                same_route, true, arena, &diff.routes) &&
        compare(before, SECTION(before, identities, identity_count), after,
                SECTION(after, identities, identity_count), same_identity, false, arena, &diff.identities) &&
        compare(before, SECTION(before, credentials, credential_count), after,
                SECTION(after, credentials, credential_count), same_credential, false, arena,
                &diff.credentials) &&
        compare_endpoints(before, after, arena, &diff.endpoints);
    if (!fine)
        return STATUS_NO_MEMORY;
    diff.process = before->workers != after->workers || !slice_equal(before->name, after->name) ||
                   !slice_equal(before->run_dir, after->run_dir);
    diff.log = !same_log(before, after);
    diff.telemetry = before->telemetry.trace_ring != after->telemetry.trace_ring ||
                     before->telemetry.series != after->telemetry.series;
    diff.admin = !same_url(&before->admin.url, &after->admin.url) ||
                 !slice_equal(before->admin.socket, after->admin.socket);
    *ret_diff = diff;
    return STATUS_OK;
}

static bool is_empty(const struct config_changes *changes) {
    return !changes->added_count && !changes->removed_count && !changes->changed_count;
}

bool config_diff_is_empty(const struct config_diff *diff) {
    return is_empty(&diff->listeners) && is_empty(&diff->systems) && is_empty(&diff->endpoints) &&
           is_empty(&diff->routes) && is_empty(&diff->identities) && is_empty(&diff->credentials) &&
           !diff->process && !diff->log && !diff->telemetry && !diff->admin;
}

static void print_lines(struct buffer *out, char sign, const char *map, const struct section *section,
                        const struct config_change *changes, size_t count, bool is_before) {
    for (size_t i = 0; i < count; i++) {
        struct slice name = name_at(section, is_before ? changes[i].before : changes[i].after);
        buffer_add_format(out, "%c %s.%.*s\n", sign, map, SLICE_ARG(name));
    }
}

static void print_changes(struct buffer *out, const char *map, struct section before, struct section after,
                          const struct config_changes *changes) {
    print_lines(out, '-', map, &before, changes->removed, changes->removed_count, true);
    print_lines(out, '+', map, &after, changes->added, changes->added_count, false);
    print_lines(out, '~', map, &after, changes->changed, changes->changed_count, false);
}

static void print_endpoints(struct buffer *out, char sign, const struct config *config,
                            const struct config_change *changes, size_t count, bool is_before) {
    for (size_t i = 0; i < count; i++) {
        const struct config_system *system =
            &config->systems[is_before ? changes[i].system_before : changes[i].system_after];
        const struct config_endpoint *endpoint =
            &system->endpoints[is_before ? changes[i].before : changes[i].after];
        buffer_add_format(out, "%c systems.%.*s.endpoints.%.*s\n", sign, SLICE_ARG(system->name),
                          SLICE_ARG(endpoint->name));
    }
}

void config_diff_print(const struct config *before, const struct config *after,
                       const struct config_diff *diff, struct buffer *out) {
    print_changes(out, "listeners", SECTION(before, listeners, listener_count),
                  SECTION(after, listeners, listener_count), &diff->listeners);
    print_changes(out, "systems", SECTION(before, systems, system_count),
                  SECTION(after, systems, system_count), &diff->systems);
    print_endpoints(out, '-', before, diff->endpoints.removed, diff->endpoints.removed_count, true);
    print_endpoints(out, '+', after, diff->endpoints.added, diff->endpoints.added_count, false);
    print_endpoints(out, '~', after, diff->endpoints.changed, diff->endpoints.changed_count, false);
    print_changes(out, "routes", SECTION(before, routes, route_count), SECTION(after, routes, route_count),
                  &diff->routes);
    print_changes(out, "security.identities", SECTION(before, identities, identity_count),
                  SECTION(after, identities, identity_count), &diff->identities);
    print_changes(out, "security.credentials", SECTION(before, credentials, credential_count),
                  SECTION(after, credentials, credential_count), &diff->credentials);
    buffer_add_text(out, diff->process ? "~ process (takes a restart)\n" : "");
    buffer_add_text(out, diff->log ? "~ log\n" : "");
    buffer_add_text(out, diff->telemetry ? "~ telemetry\n" : "");
    buffer_add_text(out, diff->admin ? "~ admin\n" : "");
}
