/* What a reload has to change: two configurations compared by identity. The identity of a listener, system or route is
 * its name; of an endpoint its system and URL. */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include "base/arena.h"
#include "base/buffer.h"
#include "config/config.h"

struct config_change {
    uint32_t before; /* index in the old configuration; CONFIG_NONE: added */
    uint32_t after;  /* in the new one; CONFIG_NONE: removed */
    uint32_t system_before; /* endpoints: their systems */
    uint32_t system_after;
};

struct config_changes {
    struct config_change *added;
    size_t added_count;
    struct config_change *removed;
    size_t removed_count;
    struct config_change *changed; /* in both, something in them differs */
    size_t changed_count;
    size_t kept_count; /* in both, equal */
};

struct config_diff {
    struct config_changes listeners; /* changed: their socket may stay when only url is equal */
    struct config_changes systems;   /* endpoints aside: those have a list of their own */
    struct config_changes endpoints;
    struct config_changes routes;    /* order counts: a route whose place among the others moved is changed */
    struct config_changes identities;
    struct config_changes credentials; /* their secrets count */
    bool process;                    /* workers, run_dir, name: these need a restart to take effect */
    bool log;
    bool telemetry;
    bool admin;
};

/* Lists live in the arena and are in the order of the new (removed: the old) configuration. */
enum status config_diff(const struct config *before, const struct config *after, struct arena *arena, struct config_diff *ret_diff);
/* Whether anything differs. */
bool config_diff_is_empty(const struct config_diff *diff);
/* One line a change: `+ systems.crm`, `- listeners.web`, `~ routes.prices`. */
void config_diff_print(const struct config *before, const struct config *after, const struct config_diff *diff, struct buffer *out);

#endif
