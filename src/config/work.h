/* What the steps of one load share. For the files of this room only. */
#ifndef CONFIG_WORK_H
#define CONFIG_WORK_H

#include "config/load.h"
#include "config/schema.h"
#include "config/scalar.h"

struct work {
    const struct config_options *options;
    struct config_report *report;
    struct arena *arena;
    const struct schema *schema;
    struct tree tree;         /* makes nodes */
    struct node *root;        /* merged */
    struct attribute_declared declared; /* `extensions`, as far as they are right */
};

/* The way from the root to a node, for messages: lives on the stack of the walk. */
struct trail {
    const struct trail *up; /* NULL: the root */
    struct slice key;
};

#define TRAIL_MAX 512u
/* systems.billing.pool.idle; cut at TRAIL_MAX. */
struct slice trail_text(const struct trail *trail, char out[static TRAIL_MAX]);

/* A mistake in the value at `trail`. */
__attribute__((format(printf, 4, 5))) void work_error(struct work *work, struct config_place at, const struct trail *trail,
                                                      const char *format, ...);
void work_why(struct work *work, struct config_place at, const struct trail *trail, const struct scalar_why *why);
/* The same, with the path as text. */
__attribute__((format(printf, 5, 6))) void work_say(struct work *work, bool is_warning, struct config_place at, const char *path,
                                                    const char *format, ...);

/* merge.c: shorthands, by the schema. */
void merge_open(struct work *work, const struct schema *schema, struct node *parent, struct node *node);
/* Lays `over` over `base`, both maps, both opened: maps merge, lists and scalars replace, null removes. */
void merge_over(struct work *work, struct node *base, const struct node *over, struct slice origin);
/* Adds the keys of `more` (a later file) to `all`; what both have is an error. */
void merge_file(struct work *work, const struct schema *schema, struct node *all, struct node *more, const struct trail *trail);

/* expand.c: fills `${}` in every scalar below. */
void expand_all(struct work *work, struct node *node, const struct trail *trail);
/* One scalar. */
void expand_scalar(struct work *work, struct node *node, const struct trail *trail);

/* check.c: keys, types, bounds, names; references. */
void check_all(struct work *work);
/* The keys of one map, all below them too. */
void check_map(struct work *work, const struct schema *schema, struct node *map, const struct trail *trail);
/* chains.c: middleware. What a stage may say; a list of stages; the chain of a route. */
const struct schema *chains_stage(const struct work *work);
void chains_check(struct work *work, struct node *list, const struct trail *trail);
/* Whether this is a key of `transform`'s maps. */
bool chains_names_change(const struct trail *trail);
/* The named ones. */
void chains_named(struct work *work);
void chains_route(struct work *work, const struct node *route, const struct trail *trail);
/* False when memory is out. */
bool chains_build(struct work *work, struct config *config, struct config_route *route, const struct node *node);
/* refer.c: what spans several keys. */
void refer_all(struct work *work);
/* Names a name that nobody has: nearest of the keys of `map` with its line. `noun`: "system". */
void refer_unknown(struct work *work, struct config_place at, const struct trail *trail, const char *noun, struct slice name,
                   const struct node *map);
/* frames.c: how streams are cut and what is in their units. `scheme`, `schemes`: bits of enum config_scheme, 0 unknown. */
void frames_listener(struct work *work, const struct node *listener, unsigned scheme, const struct trail *trail);
void frames_system(struct work *work, const struct node *system, unsigned schemes, const struct trail *trail);
/* health.c: probes, what doesn't fit the wires and what is no value; `holder`: a policy or a system. */
void health_system(struct work *work, const struct node *system, unsigned schemes, const struct trail *trail);
void health_values(struct work *work, const struct node *holder, const struct trail *trail);
/* rates.c: lanes by priority, laid over what was there. */
void rates_lay_lanes(struct config_policy *policy, const struct node *map);
/* Rates that are none; `holder`: a policy, a system or a route. */
void rates_values(struct work *work, const struct node *holder, const struct trail *trail);
/* The same of a listener or an identity, whose rate no policy completes. */
void rates_holder(struct work *work, const struct node *holder, const struct trail *trail);
void rates_lane_name(struct work *work, const struct node *node, const struct trail *trail);
/* casts.c: groups and broadcast. */
void casts_listener(struct work *work, const struct node *listener, const struct config_url *url,
                    const struct trail *trail);
void casts_system(struct work *work, const struct node *system, const struct config_url *url,
                  const struct trail *trail);
/* found.c: endpoints that are looked for, or register. */
void found_system(struct work *work, const struct node *system, const struct trail *trail);
/* The URL that `discover.url` stands for, with a host and a port in their places; false where it stands for none. */
bool found_url(const struct work *work, const struct node *text, struct config_url *ret_url,
               struct scalar_why *why);
/* ways.c: where a route's messages go beside or instead of `to`, and trouble made on purpose. */
void ways_route(struct work *work, const struct node *route, const struct trail *trail);
/* Building comes after that of the systems. */
enum status ways_build(const struct work *work, struct config *config);
/* The status that a message may be refused with and whose reason that is; OK: there is none. */
enum status ways_reason(struct slice reason);
/* `{}` only sends: what a route gave it would wait for ever. */
bool refer_only_sends(const struct node *system);
/* refer_rest.c: REST routes, systems that are REST services. */
void refer_rest_route(struct work *work, const struct node *route, const struct trail *trail);
void refer_rest_system(struct work *work, const struct node *system, const struct trail *trail);
/* A key that names a header field. */
void refer_field_name(struct work *work, const struct node *node, const struct trail *trail);
/* Whether a `proxy` route leads to the system of that name. */
bool refer_is_proxied(const struct work *work, struct slice name);
/* A node that names the header field of a credential; NULL: there is none. */
void refer_credential_field(struct work *work, const struct node *node, const struct trail *trail);
/* credential.c: what we present, and who presents it where. Building comes after that of the systems. */
void credential_check(struct work *work);
enum status credential_build(const struct work *work, struct config *config);
/* secure.c: rule 0.9, and what a listener's wire can't do. */
void secure_all(struct work *work);
/* secure_tls.c: what TLS needs, and what only seems to be asked for. */
void secure_listener_tls(struct work *work, const struct node *listener, const struct node *url, bool is_tls, const struct trail *trail);
void secure_system_tls(struct work *work, const struct node *system, const struct trail *trail);
/* warn.c: what is allowed and probably not meant. Needs the built result. */
void warn_all(struct work *work, const struct config *config);
/* build.c: the structs, from a tree without mistakes. */
enum status build_all(struct work *work, struct config *config);
/* order.c: routes, when all else of them is built. */
enum status order_routes(struct config *config);
/* files.c: certificates and authorities, read and looked at. */
enum status files_all(struct work *work, struct config *config);
/* print.c: the merged tree, one value a line. */
void print_tree(const struct work *work, bool with_origins, struct buffer *out);

/* An attribute's type by its name: known, declared, or false. */
bool work_attribute(const struct work *work, struct slice name, enum attribute_type *ret_type, enum attribute *ret_known);

#endif
