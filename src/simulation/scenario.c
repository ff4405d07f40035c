/* Scenarios from YAML: the keys are rows, mistakes are told with their place as those of a configuration. */
#include "simulation/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/scalar.h"
#include "config/tree.h"
#include "message/message.h"

enum key_type {
    KEY_TEXT,
    KEY_NAME,
    KEY_DURATION,
    KEY_RANGE, /* or one duration */
    KEY_COUNT,
    KEY_SIZE,
    KEY_RATE,
    KEY_SHARE,
    KEY_PRIORITY,
    KEY_BOOLEAN,
    KEY_OTHER, /* read by hand */
};

struct key {
    const char *name;
    enum key_type type;
    size_t offset;
    bool required;
};

#define ROOT(member) offsetof(struct scenario, member)
static const struct key root_keys[] = {
    {"scenario", KEY_TEXT, ROOT(title), true},
    {"seed", KEY_COUNT, ROOT(seed), false},
    {"workers", KEY_COUNT, ROOT(workers), false},
    {"links", KEY_OTHER, 0, false},
    {"router", KEY_TEXT, ROOT(router), true},
    {"vary", KEY_OTHER, 0, false},
    {"actors", KEY_OTHER, 0, true},
    {"loads", KEY_OTHER, 0, true},
    {"steps", KEY_OTHER, 0, false},
    {"until", KEY_DURATION, ROOT(until_ns), true},
    {"every", KEY_DURATION, ROOT(every_ns), false},
    {"expect", KEY_OTHER, 0, false},
};
static const struct key link_keys[] = {{"delay", KEY_RANGE, ROOT(delay), false},
                                       {"window", KEY_SIZE, ROOT(window), false}};

#define ACTOR(member) offsetof(struct scenario_actor, member)
static const struct key actor_keys[] = {
    {"listen", KEY_TEXT, ACTOR(listen), false}, {"dial", KEY_TEXT, ACTOR(dial), false},
    {"system", KEY_NAME, ACTOR(system), false}, {"serves", KEY_BOOLEAN, ACTOR(serves), false},
    {"takes", KEY_RANGE, ACTOR(takes), false},  {"at_once", KEY_COUNT, ACTOR(at_once), false},
};

#define LOAD(member) offsetof(struct scenario_load, member)
static const struct key load_keys[] = {
    {"from", KEY_NAME, LOAD(from), true},
    {"type", KEY_TEXT, LOAD(type), false},
    {"target", KEY_NAME, LOAD(target), false},
    {"kind", KEY_TEXT, LOAD(kind), false},
    {"rate", KEY_RATE, LOAD(per_kilosecond), true},
    {"at", KEY_DURATION, LOAD(at_ns), false},
    {"for", KEY_DURATION, LOAD(for_ns), true},
    {"priority", KEY_PRIORITY, LOAD(priority), false},
    {"keys", KEY_COUNT, LOAD(keys), false},
    {"random", KEY_BOOLEAN, LOAD(is_random), false},
    {"reaches", KEY_OTHER, 0, false},
};

#define STEP(member) offsetof(struct scenario_step, member)
static const char *const acts[ACT_COUNT] = {"kill", "start",  "freeze", "deaf", "cut_off",
                                            "slow", "refuse", "mute",   "reset"};
static const struct key step_keys[] = {
    {"at", KEY_DURATION, STEP(at_ns), true},
    {"for", KEY_DURATION, STEP(for_ns), false},
    {"takes", KEY_RANGE, STEP(takes), false},
    {"share", KEY_SHARE, STEP(share_permille), false},
    {"later", KEY_DURATION, STEP(later_ns), false},
    {"kill", KEY_OTHER, 0, false},
    {"start", KEY_OTHER, 0, false},
    {"freeze", KEY_OTHER, 0, false},
    {"deaf", KEY_OTHER, 0, false},
    {"cut_off", KEY_OTHER, 0, false},
    {"slow", KEY_OTHER, 0, false},
    {"refuse", KEY_OTHER, 0, false},
    {"mute", KEY_OTHER, 0, false},
    {"reset", KEY_OTHER, 0, false},
};

struct reader {
    struct scenario *out;
    struct config_report *report;
    struct tree tree;
};

__attribute__((format(printf, 3, 4))) static void wrong(struct reader *r, struct config_place at,
                                                        const char *format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    config_report_add(r->report, false, true, at, SLICE_OF(""), SLICE_OF(""), "%s", text);
}

static void unknown_key(struct reader *r, const struct node *node, const struct key *keys, size_t count) {
    struct slice names[32];
    for (size_t i = 0; i < count; i++)
        names[i] = slice_from(keys[i].name);
    int near = text_nearest(node->key, names, count);
    if (near >= 0)
        wrong(r, node->key_at, "unknown key `%.*s`; did you mean `%s`?", SCALAR_SHOWN(node->key),
              keys[near].name);
    else
        wrong(r, node->key_at, "unknown key `%.*s`", SCALAR_SHOWN(node->key));
}

static bool read_range(struct slice text, struct scenario_range *ret, struct scalar_why *why) {
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '.' && text.data[i + 1] == '.')
            return scalar_range(text, &ret->low_ns, &ret->high_ns, why);
    int64_t both;
    if (!scalar_duration(text, &both, why))
        return false;
    *ret = (struct scenario_range){both, both};
    return true;
}

static void read_scalar(struct reader *r, const struct node *node, enum key_type type, void *at) {
    struct scalar_why why = {0};
    bool good = true;
    if (node->kind != NODE_SCALAR) {
        wrong(r, node->at, "`%.*s` must be one value", SCALAR_SHOWN(node->key));
        return;
    }
    switch (type) {
    case KEY_TEXT:
        *(struct slice *)at = node->text;
        break;
    case KEY_NAME:
        good = scalar_name(node->text, &why);
        *(struct slice *)at = node->text;
        break;
    case KEY_DURATION:
        good = scalar_duration(node->text, at, &why);
        break;
    case KEY_RANGE:
        good = read_range(node->text, at, &why);
        break;
    case KEY_COUNT:
        good = scalar_count(node->text, at, &why);
        break;
    case KEY_SIZE:
        good = scalar_size(node->text, at, &why);
        break;
    case KEY_RATE:
        good = scalar_rate(node->text, at, &why);
        break;
    case KEY_SHARE:
        good = scalar_share(node->text, at, &why);
        break;
    case KEY_PRIORITY:
        good = scalar_priority(node->text, at, &why);
        break;
    case KEY_BOOLEAN:
        good = scalar_boolean(node->text, at, &why);
        break;
    case KEY_OTHER:
        break;
    }
    if (!good)
        wrong(r, node->at, "%.*s: %s", SCALAR_SHOWN(node->key), why.text);
}

/* A map of fixed keys, each into its place below `base`. */
static void read_map(struct reader *r, const struct node *map, const struct key *keys, size_t count,
                     void *base) {
    if (map->kind != NODE_MAP) {
        wrong(r, map->at, "a map is due here");
        return;
    }
    for (const struct node *node = map->first; node; node = node->next) {
        size_t i = 0;
        while (i < count && !slice_is(node->key, keys[i].name))
            i++;
        if (i == count)
            unknown_key(r, node, keys, count);
        else if (keys[i].type != KEY_OTHER)
            read_scalar(r, node, keys[i].type, (uint8_t *)base + keys[i].offset);
    }
    for (size_t i = 0; i < count; i++)
        if (keys[i].required && !node_get(map, slice_from(keys[i].name)))
            wrong(r, map->at, "`%s` is missing", keys[i].name);
}

static bool has_room(struct reader *r, const struct node *node, const char *what, uint32_t count,
                     uint32_t max) {
    if (count < max)
        return true;
    wrong(r, node->at, "more than %u %s", max, what);
    return false;
}

/* -- who -- */

static uint32_t system_of(struct reader *r, const struct node *node, struct slice name) {
    struct scenario *s = r->out;
    for (uint32_t i = 0; i < s->system_count; i++)
        if (slice_equal(s->systems[i], name))
            return i;
    if (!has_room(r, node, "systems", s->system_count, SCENARIO_SYSTEMS_MAX))
        return 0;
    s->systems[s->system_count] = name;
    return s->system_count++;
}

static void read_actor(struct reader *r, const struct node *node) {
    struct scenario *s = r->out;
    if (!has_room(r, node, "actors", s->actor_count, SCENARIO_ACTORS_MAX))
        return;
    struct scenario_actor *actor = &s->actors[s->actor_count++];
    *actor = (struct scenario_actor){.name = node->key, .system = node->key, .redials = true, .at = node->at};
    read_map(r, node, actor_keys, COUNT_OF(actor_keys), actor);
    if (!actor->listen.size == !actor->dial.size)
        wrong(r, node->at, "an actor has one of `listen` and `dial`");
    if (actor->at_once > 64)
        wrong(r, node->at, "at_once: 64 at most");
    if (actor->listen.size || actor->serves)
        actor->system_index = system_of(r, node, actor->system);
    else
        actor->system_index = SCENARIO_NONE;
}

static uint32_t find_actor(struct reader *r, const struct node *node, struct slice name) {
    struct slice names[SCENARIO_ACTORS_MAX];
    for (uint32_t i = 0; i < r->out->actor_count; i++) {
        names[i] = r->out->actors[i].name;
        if (slice_equal(names[i], name))
            return i;
    }
    int near = text_nearest(name, names, r->out->actor_count);
    if (near >= 0)
        wrong(r, node->at, "no actor `%.*s`; did you mean `%.*s`?", SCALAR_SHOWN(name),
              SLICE_ARG(names[near]));
    else
        wrong(r, node->at, "no actor `%.*s`", SCALAR_SHOWN(name));
    return 0;
}

static uint32_t read_actors(struct reader *r, const struct node *node) {
    uint32_t bits = 0;
    if (node->kind == NODE_SCALAR)
        return 1u << find_actor(r, node, node->text);
    for (const struct node *each = node->first; each; each = each->next)
        bits |= 1u << find_actor(r, each, each->text);
    if (!bits)
        wrong(r, node->at, "the name of an actor, or a list of them, is due");
    return bits;
}

/* -- what -- */

static bool is_kind(struct slice text) {
    for (unsigned i = 0; i < KIND_COUNT; i++)
        if (slice_equal(text, message_kind_name((enum message_kind)i)))
            return true;
    return false;
}

static void read_reaches(struct reader *r, const struct node *list, struct scenario_load *load) {
    for (const struct node *each = list->first; each; each = each->next) {
        uint32_t i = 0;
        while (i < r->out->system_count && !slice_equal(r->out->systems[i], each->text))
            i++;
        if (i == r->out->system_count)
            wrong(r, each->at, "no actor is of a system `%.*s`", SCALAR_SHOWN(each->text));
        else
            load->reaches |= 1u << i;
    }
    if (!load->reaches)
        wrong(r, list->at, "a list of systems is due");
}

static void read_load(struct reader *r, const struct node *node) {
    struct scenario *s = r->out;
    if (!has_room(r, node, "loads", s->load_count, SCENARIO_LOADS_MAX))
        return;
    struct scenario_load *load = &s->loads[s->load_count++];
    *load = (struct scenario_load){
        .name = node->key, .kind = SLICE_OF("event"), .type = SLICE_OF("com.example.x"), .at = node->at};
    read_map(r, node, load_keys, COUNT_OF(load_keys), load);
    const struct node *reaches = node_get(node, SLICE_OF("reaches"));
    if (reaches)
        read_reaches(r, reaches, load);
    if (load->from.size)
        load->actor = find_actor(r, node, load->from);
    if (!is_kind(load->kind))
        wrong(r, node->at, "`%.*s` is no kind of message", SCALAR_SHOWN(load->kind));
    if (load->per_kilosecond == 0)
        wrong(r, node->at, "a load has a rate");
}

/* -- when -- */

static void read_step(struct reader *r, const struct node *node) {
    struct scenario *s = r->out;
    if (!has_room(r, node, "steps", s->step_count, SCENARIO_STEPS_MAX))
        return;
    struct scenario_step *step = &s->steps[s->step_count++];
    *step = (struct scenario_step){.act = ACT_COUNT, .share_permille = 1000, .at = node->at};
    read_map(r, node, step_keys, COUNT_OF(step_keys), step);
    if (node->kind != NODE_MAP)
        return;
    unsigned count = 0;
    for (unsigned i = 0; i < ACT_COUNT; i++) {
        const struct node *who = node_get(node, slice_from(acts[i]));
        if (!who)
            continue;
        step->act = (enum scenario_act)i;
        step->actors = read_actors(r, who);
        count++;
    }
    if (count != 1)
        wrong(r, node->at,
              "a step is one of kill, start, freeze, deaf, cut_off, slow, refuse, mute and reset");
}

static void read_vary(struct reader *r, const struct node *node) {
    struct scenario *s = r->out;
    if (node->kind != NODE_MAP || node->count != 1 || node->first->kind != NODE_LIST ||
        node->first->count == 0) {
        wrong(r, node->at, "`vary` is one name and a list of what stands for it");
        return;
    }
    s->vary = node->first->key;
    s->variant_count = 0;
    for (const struct node *each = node->first->first; each; each = each->next)
        if (has_room(r, each, "variants", s->variant_count, SCENARIO_VARIANTS_MAX))
            s->variants[s->variant_count++] = each->text;
}

static void read_expects(struct reader *r, const struct node *list) {
    for (const struct node *each = list->first; each; each = each->next) {
        char why[200];
        if (!has_room(r, each, "lines in `expect`", r->out->expect_count, SCENARIO_EXPECTS_MAX))
            return;
        if (!scenario_expect(r->out, each->text, &r->out->expects[r->out->expect_count++], why, sizeof why))
            wrong(r, each->at, "%s", why);
    }
}

static void each_child(struct reader *r, const struct node *root, const char *key, enum node_kind kind,
                       void (*read)(struct reader *, const struct node *)) {
    const struct node *node = node_get(root, slice_from(key));
    if (!node)
        return;
    if (node->kind != kind) {
        wrong(r, node->at, "`%s` is a %s", key, kind == NODE_MAP ? "map of names" : "list");
        return;
    }
    for (const struct node *each = node->first; each; each = each->next)
        read(r, each);
}

static void read_root(struct reader *r, const struct node *root) {
    struct scenario *s = r->out;
    read_map(r, root, root_keys, COUNT_OF(root_keys), s);
    const struct node *node = node_get(root, SLICE_OF("links"));
    if (node)
        read_map(r, node, link_keys, COUNT_OF(link_keys), s);
    node = node_get(root, SLICE_OF("router"));
    s->router_line = node ? node->at.line : 0;
    node = node_get(root, SLICE_OF("vary"));
    if (node)
        read_vary(r, node);
    each_child(r, root, "actors", NODE_MAP, read_actor);
    each_child(r, root, "loads", NODE_MAP, read_load);
    each_child(r, root, "steps", NODE_LIST, read_step);
    node = node_get(root, SLICE_OF("expect"));
    if (node && node->kind != NODE_LIST)
        wrong(r, node->at, "`expect` is a list");
    else if (node)
        read_expects(r, node);
    if (s->workers < 1 || s->workers > 4)
        wrong(r, root->at, "workers: 1 to 4");
    if (s->every_ns <= 0)
        wrong(r, root->at, "every: more than nothing");
}

enum status scenario_load(struct slice name, struct slice text, struct scenario **ret_scenario,
                          struct config_report *report) {
    struct scenario *s = memory_new(sizeof *s);
    if (!s)
        return STATUS_NO_MEMORY;
    arena_init(&s->arena, SCENARIO_ARENA_MAX);
    s->seed = s->workers = 1;
    s->delay = (struct scenario_range){1000000, 1000000};
    s->window = 65536;
    s->every_ns = INT64_C(1000000000);
    s->variant_count = 1;
    struct reader r = {.out = s, .report = report, .tree = {.arena = &s->arena, .report = report}};
    r.tree.file = config_report_file(report, name, text);
    const struct node *root = tree_load_yaml(&r.tree, text);
    if (root)
        read_root(&r, root);
    if (root && report->error_count == 0) {
        *ret_scenario = s;
        return STATUS_OK;
    }
    scenario_free(s);
    return STATUS_BAD_CONFIG;
}

void scenario_free(struct scenario *scenario) {
    if (!scenario)
        return;
    arena_done(&scenario->arena);
    memory_free(scenario);
}
