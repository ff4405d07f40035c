/* Active checks: when an endpoint is asked whether it is well, what the answer says, and who else is told. */
#include "engine/inner.h"
#include "engine/parcel.h"
#include "protocol/probe/probe.h"

#include <stdio.h>

#define AGAIN_NS \
    NS_PER_S /* there was no memory or no place for a connection, which says nothing about the endpoint */

void probing_init(struct probing *p) {
    *p = (struct probing){.timer = {.deadline = {.at = MONO_NEVER}, .kind = TIMER_PROBE}};
}

bool probing_is_home(const struct engine *engine, const struct endpoint *e) {
    return map_hash(e->plan->setup.name, 1) % engine->options.workers == engine->options.worker;
}

bool probing_has(const struct connection *c) {
    return c->listener == UINT32_MAX && !c->owner && !c->is_virtual && c->setup->role == PROTOCOL_DIALLED;
}

static bool is_asked(const struct engine *engine, const struct endpoint *e) {
    return e->probing.probe && !engine->draining && e->plan->config->enabled && probing_is_home(engine, e);
}

static void forget_connection(struct engine *engine, struct probing *p) {
    if (p->connection)
        list_remove(&engine->probings, &p->node);
    p->connection = 0;
}

/* Without a verdict. */
static void break_off(struct engine *engine, struct probing *p) {
    struct connection *c = p->connection ? net_find(&engine->net, p->connection) : NULL;
    forget_connection(engine, p);
    if (c)
        connection_close(c, STATUS_GOING_AWAY);
}

/* -- what follows from it -- */

static void tell(struct engine *engine, const struct endpoint *e, uint32_t to, enum probing_news news) {
    struct letter letter = {.kind = LETTER_HEALTH, .sub = news};
    const struct slice texts[4] = {e->system->name, e->plan->setup.name,
                                   news == PROBING_DOWN ? slice_from(e->fitness.why) : slice_make("", 0),
                                   e->plan->config->url.text};
    (void)parcel_write(engine, to, &letter, texts,
                       NULL); /* one that is lost comes again with the next check */
}

static void tell_all(struct engine *engine, const struct endpoint *e) {
    for (uint32_t i = 0; i < engine->options.workers; i++)
        if (i != engine->options.worker)
            tell(engine, e, i, e->probing.health.is_down ? PROBING_DOWN : PROBING_UP);
}

static void set_why(struct endpoint *e, struct slice words) {
    (void)snprintf(e->fitness.why, sizeof e->fitness.why, "%.*s", SLICE_ARG(words));
}

static void finish(struct engine *engine, struct endpoint *e, bool is_good, const char *words) {
    struct probing *p = &e->probing;
    const struct health_config *pace = &p->probe->pace;
    bool changed = health_checked(&p->health, pace, is_good);
    if (engine->options.calls && engine->options.calls->checked)
        engine->options.calls->checked(engine->options.user, e->system->index, is_good);
    int64_t pause = health_pause(&p->health, pace, p->is_idle, &engine->rng);
    p->is_slow = p->is_idle && !p->health.in_a_row && !p->health.is_down;
    p->is_idle = true;
    p->checked = engine->now.mono;
    timer_set(engine, &p->timer, mono_after(engine->now.mono, pause));
    if (!is_good && p->health.is_down)
        set_why(e, slice_from(words));
    tell_all(engine, e);
    if (changed)
        fitness_look(engine, e);
}

/* -- asking -- */

static void begin(struct engine *engine, struct endpoint *e) {
    struct probing *p = &e->probing;
    const struct plan_probe *probe = p->probe;
    struct connection *c = net_dial(&engine->net, probe->protocol, &probe->setup, endpoint_place(engine, e),
                                    probe->setup.timeouts.attempt_ns, NULL, engine->now);
    timer_set(engine, &p->timer,
              mono_after(engine->now.mono, c ? probe->setup.timeouts.attempt_ns : AGAIN_NS));
    if (!c)
        return;
    p->connection = c->handle;
    list_add(&engine->probings, &p->node);
}

void probing_ring(struct engine *engine, struct timer *timer) {
    struct endpoint *e = LIST_ENTRY(timer, struct endpoint, probing.timer);
    char words[PROBE_WORDS];
    if (!is_asked(engine, e))
        return;
    if (!e->probing.connection) {
        begin(engine, e);
        return;
    }
    const struct connection *c = net_find(&engine->net, e->probing.connection);
    const struct probe_verdict *verdict = c && c->was_open ? c->state : NULL;
    bool is_good = verdict && verdict->is_good; /* it has only not come to its end */
    (void)snprintf(words, sizeof words, "no answer within %lld ms",
                   (long long)(e->probing.probe->setup.timeouts.attempt_ns / NS_PER_MS));
    if (verdict && verdict->is_there)
        (void)snprintf(words, sizeof words, "%s", verdict->words);
    break_off(engine, &e->probing);
    finish(engine, e, is_good, words);
}

void probing_closed(struct engine *engine, const struct connection *c) {
    char words[PROBE_WORDS];
    for (struct list_node *node = list_first(&engine->probings); node;
         node = list_next(&engine->probings, node)) {
        struct endpoint *e = LIST_ENTRY(node, struct endpoint, probing.node);
        if (e->probing.connection != c->handle)
            continue;
        const struct probe_verdict *verdict = c->was_open ? c->state : NULL;
        forget_connection(engine, &e->probing);
        if (c->reason == STATUS_NO_MEMORY && !(verdict && verdict->is_there)) {
            timer_set(engine, &e->probing.timer, mono_after(engine->now.mono, AGAIN_NS));
            return;
        }
        if (verdict && verdict->is_there)
            (void)snprintf(words, sizeof words, "%s", verdict->words);
        else
            (void)snprintf(words, sizeof words, "%s: %.60s",
                           c->was_open ? "the connection ended" : "no connection",
                           c->filtered && c->filtered->sink.words[0] ? c->filtered->sink.words
                                                                     : status_reason(c->reason));
        finish(engine, e, verdict && verdict->is_good, words);
        return;
    }
}

/* -- elsewhere -- */

void probing_busy(struct engine *engine, struct endpoint *e) {
    struct probing *p = &e->probing;
    p->is_idle = false;
    if (!p->probe || engine->draining)
        return;
    if (!probing_is_home(engine, e)) {
        uint32_t home = (uint32_t)(map_hash(e->plan->setup.name, 1) % engine->options.workers);
        tell(engine, e, home, PROBING_BUSY);
    } else if (p->is_slow && !p->connection) {
        p->is_slow = false;
        timer_set(engine, &p->timer,
                  mono_min(p->timer.deadline.at, mono_after(p->checked, p->probe->pace.interval_ns)));
    }
}

void probing_heard(struct engine *engine, uint32_t news, const struct slice texts[4]) {
    struct system *system = engine_system(engine, plan_system(engine->plan, texts[0]));
    struct endpoint *e = NULL;
    for (size_t i = 0; system && i < system->endpoint_count; i++)
        if (slice_equal(system->endpoints[i]->plan->setup.name, texts[1]) &&
            slice_equal(system->endpoints[i]->plan->config->url.text, texts[3]))
            e = system->endpoints[i];
    if (!e || !e->probing.probe)
        return; /* of another configuration */
    struct probing *p = &e->probing;
    bool is_down = news == PROBING_DOWN;
    if (news == PROBING_BUSY) {
        probing_busy(engine, e);
    } else if (!probing_is_home(engine, e)) {
        bool changed = p->health.is_down != is_down;
        p->health.is_down = is_down;
        p->is_idle = true;
        if (is_down)
            set_why(e, texts[2]);
        if (changed)
            fitness_look(engine, e);
    }
}

/* -- coming and going -- */

static void configure_one(struct engine *engine, struct endpoint *e) {
    struct probing *p = &e->probing;
    const struct plan_probe *before = p->probe;
    bool stays = before && e->plan->probe && plan_probe_same(before, e->plan->probe);
    bool was_asking = p->connection != 0;
    break_off(engine, p);
    p->probe = e->plan->probe;
    if (!stays) {
        bool was_down = p->health.is_down;
        p->health = (struct health){0};
        p->is_idle = p->is_slow = false;
        if (was_down)
            fitness_look(engine, e);
    }
    if (!is_asked(engine, e)) {
        deadlines_clear(&engine->deadlines, &p->timer.deadline);
    } else if (!stays || was_asking || p->timer.deadline.at.ns == MONO_NEVER.ns) {
        uint64_t spread = (uint64_t)p->probe->pace.interval_ns * p->probe->pace.jitter_permille / 1000;
        timer_set(engine, &p->timer,
                  mono_after(engine->now.mono, (int64_t)rng_below(&engine->rng, spread + 1)));
    }
}

void probing_configure(struct engine *engine, struct system *system) {
    for (size_t i = 0; i < system->endpoint_count; i++)
        configure_one(engine, system->endpoints[i]);
}

void probing_stop(struct engine *engine, struct endpoint *e) {
    struct probing *p = &e->probing;
    break_off(engine, p);
    deadlines_clear(&engine->deadlines, &p->timer.deadline);
    p->probe = NULL;
    p->health = (struct health){0};
    p->is_idle = p->is_slow = false;
}

void probing_pause(struct engine *engine) {
    for (size_t i = 0; i < engine->system_count; i++)
        for (size_t k = 0; k < engine->systems[i]->endpoint_count; k++) {
            struct probing *p = &engine->systems[i]->endpoints[k]->probing;
            break_off(engine, p);
            deadlines_clear(&engine->deadlines, &p->timer.deadline);
        }
}
