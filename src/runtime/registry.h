/* Endpoints that aren't in the configuration: asks name servers for them, keeps the leases of those that register, and
 * says to all workers who they are. The control thread's; there is none of it until a configuration wants it. */
#ifndef RUNTIME_REGISTRY_H
#define RUNTIME_REGISTRY_H

#include "base/rng.h"
#include "engine/found.h"
#include "policy/lookup.h"
#include "runtime/inner.h"

struct registry;
struct records_ask;

/* The configuration in force is another one. */
void registry_configure(struct runtime *runtime);
/* Does what is due; returns when there is more. */
struct mono registry_look(struct runtime *runtime);
/* Tells the workers what they don't know yet. */
void registry_say(struct runtime *runtime);
/* No workers are left. */
void registry_free(struct runtime *runtime);

/* -- for the files of the registry -- */

/* One endpoint as it was said; its texts are behind it. */
struct known {
    struct found_entry entry;
    struct mono until; /* of a lease */
};

struct watch;

struct known *known_new(const struct found_entry *entry); /* NULL when memory is out */

/* seek.c: what DNS says of one name */
struct seek {
    struct watch *watch;
    struct records_ask *asks[2]; /* SRV; A and AAAA. NULL: not asked, or answered */
    enum status status[2];
    struct known **found; /* being gathered */
    size_t count;
    uint32_t ttl, left_out;
};

/* One system that has such endpoints. */
struct watch {
    struct list_node node;
    struct registry *registry;
    struct slice name, dns, url; /* own copies */
    enum config_records records;
    int64_t lease_ns;
    struct lookup lookup;
    struct mono ask_at; /* MONO_NEVER: it asks, or has nothing to ask for */
    struct seek seek;
    struct known **found;
    size_t found_count;
    struct known **leases;
    size_t lease_count;
    uint64_t vetted; /* kinds of URLs that the configuration was checked with */
    bool is_meant; /* the configuration in force has it */
    bool is_failing; /* as the log was told */
    bool is_dirty; /* workers don't know yet */
};

struct registry {
    struct runtime *runtime;
    struct list watches;
    struct rng rng;
};

struct watch *registry_find(struct runtime *runtime,
                            struct slice name); /* NULL: no system of that name has any */
bool known_same(const struct found_entry *a, const struct found_entry *b);
void known_free_all(struct known ***list, size_t *count);
void seek_begin(struct watch *watch);
void seek_forget(struct watch *watch);
/* All is answered; takes what was gathered. */
void watch_sought(struct watch *watch);
/* Whether a configuration with this endpoint would be good: the words that `validate` would say. */
enum status watch_vet(struct watch *watch, struct slice url, struct fault *fault);

#endif
