/* A scenario: who is there, what is sent, what happens to whom and when, and what must hold. Read from YAML as in
 * tests/scenarios; stage.h plays it.
 *
 *   scenario: One of three endpoints is killed          # its heading
 *   seed: 1
 *   router: |                                           # a configuration, as in a file of its own
 *     listeners: {stream: {url: intertie://10.0.0.1:7460, anonymous: true}}
 *     systems: {shop: {}, billing: {balance: {by: ${balance}}, endpoints: {a: http://10.0.1.1:8001, b: ..}}}
 *   vary: {balance: [round_robin, ewma]}                # played once for each, in place of ${balance}
 *   actors:
 *     shop: {dial: intertie://10.0.0.1:7460}
 *     a: {listen: http://10.0.1.1:8001, system: billing, takes: 2ms..4ms, at_once: 8}
 *   loads:
 *     orders: {from: shop, type: com.example.order, target: billing, rate: 200/s, for: 5s}
 *   steps:
 *     - {at: 1s, kill: a, for: 2s}
 *   until: 20s
 *   expect:
 *     - lost == 0
 *     - p99 of orders from 3s < 20ms
 *     - p99 in round_robin >= 5 * p99 in ewma
 */
#ifndef SIMULATION_SCENARIO_H
#define SIMULATION_SCENARIO_H

#include "base/arena.h"
#include "config/report.h"

#define SCENARIO_TEXT_MAX (256u << 10)
#define SCENARIO_ARENA_MAX (8u << 20)
#define SCENARIO_ACTORS_MAX 32u
#define SCENARIO_SYSTEMS_MAX 8u
#define SCENARIO_LOADS_MAX 8u
#define SCENARIO_STEPS_MAX 64u
#define SCENARIO_EXPECTS_MAX 32u
#define SCENARIO_VARIANTS_MAX 4u
#define SCENARIO_NONE UINT32_MAX

struct scenario_range {
    int64_t low_ns, high_ns;
};

struct scenario_actor {
    struct slice name;
    struct slice listen, dial; /* one of them: a URL */
    struct slice system; /* whose endpoint it is; else its own name */
    uint32_t system_index; /* among scenario.systems */
    bool serves; /* dials, and takes what is for its system */
    bool redials;
    struct scenario_range takes;
    uint64_t at_once; /* 0: any number */
    struct config_place at;
};

struct scenario_load {
    struct slice name, from, type, target, kind;
    uint32_t actor;
    uint64_t per_kilosecond;
    int64_t at_ns, for_ns;
    uint64_t priority; /* 0: none */
    uint64_t keys; /* so many partition keys in turn; 0: none */
    bool is_random; /* arrivals by chance, else even */
    uint32_t reaches; /* bits of systems that must each get it; 0: any one */
    struct config_place at;
};

enum scenario_act {
    ACT_KILL, /* `for`: begins again then; also of those below: it ends then */
    ACT_START,
    ACT_FREEZE,
    ACT_DEAF, /* stops reading */
    ACT_CUT_OFF, /* no packet passes */
    ACT_SLOW, /* `takes` instead of its own */
    ACT_REFUSE, /* answers so many (`share`) with "later" (`later`) */
    ACT_MUTE, /* takes messages and says nothing */
    ACT_RESET, /* its connections are reset */
    ACT_COUNT
};

struct scenario_step {
    int64_t at_ns, for_ns; /* for 0: it stays */
    enum scenario_act act;
    uint32_t actors; /* bits */
    struct scenario_range takes;
    uint32_t share_permille;
    int64_t later_ns; /* 0: it doesn't say when */
    struct config_place at;
};

enum scenario_measure {
    MEASURE_NUMBER, /* none: a number */
    MEASURE_SENT,
    MEASURE_ACCEPTED,
    MEASURE_REFUSED,
    MEASURE_ARRIVED,
    MEASURE_LOST, /* accepted, not arrived, and no ending was told */
    MEASURE_TWICE, /* taken by a system more than once */
    MEASURE_DISORDER, /* first came after a later one of its key */
    MEASURE_TRIES, /* attempts that came to actors */
    MEASURE_AMPLIFICATION, /* tries for each message sent */
    MEASURE_BURST, /* most tries in a tenth of a second */
    MEASURE_RETRIES, /* failed attempts that were followed by another */
    MEASURE_DEAD,
    MEASURE_EXPIRED,
    MEASURE_HELD, /* most messages that the router held */
    MEASURE_P50, /* milliseconds from when it was due to be sent until it was done, or answered */
    MEASURE_P99,
    MEASURE_MAX,
    MEASURE_COUNT
};
const char *scenario_measure_name(enum scenario_measure measure);

struct scenario_side {
    enum scenario_measure measure;
    double number; /* NUMBER: the value; else a factor */
    uint32_t load, actor; /* NONE: all */
    uint32_t variant;
    int64_t from_ns, to_ns;
};

enum scenario_compare { COMPARE_EQUAL, COMPARE_LESS, COMPARE_LESS_EQUAL, COMPARE_MORE, COMPARE_MORE_EQUAL };

struct scenario_expect {
    struct slice text;
    struct scenario_side left, right;
    enum scenario_compare compare;
    bool spans; /* compares variants: looked at when all are done */
};

struct scenario {
    struct arena arena;
    struct slice title;
    uint64_t seed, workers;
    struct scenario_range delay;
    uint64_t window;
    struct slice router;
    uint32_t router_line; /* of its first line in the file */
    struct slice vary; /* the name; empty: one variant */
    struct slice variants[SCENARIO_VARIANTS_MAX];
    uint32_t variant_count; /* at least 1 */
    struct scenario_actor actors[SCENARIO_ACTORS_MAX];
    uint32_t actor_count;
    struct slice systems[SCENARIO_SYSTEMS_MAX];
    uint32_t system_count;
    struct scenario_load loads[SCENARIO_LOADS_MAX];
    uint32_t load_count;
    struct scenario_step steps[SCENARIO_STEPS_MAX];
    uint32_t step_count;
    struct scenario_expect expects[SCENARIO_EXPECTS_MAX];
    uint32_t expect_count;
    int64_t until_ns, every_ns;
};

/* OK with *ret_scenario (the caller's), else BAD_CONFIG or NO_MEMORY with the reasons in `report`, which is inited. */
enum status scenario_load(struct slice name, struct slice text, struct scenario **ret_scenario,
                          struct config_report *report);
void scenario_free(struct scenario *scenario);
/* expect.c: one line. False with words in `why`. */
bool scenario_expect(const struct scenario *scenario, struct slice text, struct scenario_expect *ret,
                     char *why, size_t room);
bool scenario_holds(enum scenario_compare compare, double left, double right);

#endif
