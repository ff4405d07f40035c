/* A drain: who is connected is told to go. */
#include "engine/inner.h"

/* Who takes messages stays until all is delivered; a virtual connection is nobody's to dial again. */
static bool stays(const struct engine *engine, const struct connection *c) {
    const struct session *s = c->owner;
    return !engine->leave.all && s && s->members.count && !c->is_virtual;
}

static bool is_ours(const struct connection *c) {
    return c->listener != UINT32_MAX && c->listener != ENGINE_ADMIN_LISTENER;
}

static bool waits(const struct engine *engine, const struct connection *c) {
    const struct session *s = c->owner;
    return is_ours(c) && s && !s->is_leaving && !stays(engine, c);
}

static int64_t grace_ns(const struct engine *engine) {
    return engine->plan ? engine->plan->config->drain.grace_ns : 0;
}

static void let_go(struct engine *engine, struct connection *c) {
    struct session *s = c->owner;
    if (s)
        s->is_leaving = true;
    connection_shut(c, STATUS_GOING_AWAY, grace_ns(engine));
}

/* `count` of those who wait. */
static void let_some_go(struct engine *engine, uint64_t count) {
    for (struct list_node *node = list_first(&engine->net.open); node && count;) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        node = list_next(&engine->net.open, node);
        if (waits(engine, c)) {
            let_go(engine, c);
            engine->leave.gone++;
            count--;
        }
    }
}

/* Until it goes, who takes messages is one more whom grace will cut. */
static void note_stays(struct engine *engine, struct connection *c) {
    c->until = mono_min(c->until, mono_after(engine->now.mono, grace_ns(engine)));
    c->reason = STATUS_GOING_AWAY;
    connection_touch(c);
}

static void spread(struct engine *engine) {
    struct leave *leave = &engine->leave;
    int64_t left = leave->began.ns + grace_ns(engine) - engine->now.mono.ns;
    int64_t each = (int64_t)leave->total * LEAVE_EACH_NS;
    int64_t length = each < left / 2 ? each : left / 2;
    leave->from = engine->now.mono;
    leave->until = mono_after(engine->now.mono, length > 0 ? length : 0);
    leave_ring(engine);
}

void leave_begin(struct engine *engine, bool all) {
    struct leave *leave = &engine->leave;
    if (leave->began.ns == 0)
        leave->began = engine->now.mono;
    leave->all = all;
    engine->net.worker.is_leaving = true;
    leave->total = leave->gone = 0;
    for (struct list_node *node = list_first(&engine->net.open); node;) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        node = list_next(&engine->net.open, node);
        if (waits(engine, c))
            leave->total++;
        else if (is_ours(c) && stays(engine, c))
            note_stays(engine, c);
        else if (is_ours(c) && !c->owner)
            let_go(engine, c);
    }
    if (leave->total <= LEAVE_AT_ONCE)
        let_some_go(engine, leave->total);
    else
        spread(engine);
}

void leave_ring(struct engine *engine) {
    struct leave *leave = &engine->leave;
    int64_t length = leave->until.ns - leave->from.ns, passed = engine->now.mono.ns - leave->from.ns;
    /* by now: as many as have had their turn, the first at the beginning */
    uint64_t due = passed >= length ? leave->total : 1 + (uint64_t)((double)leave->total * (double)passed / (double)length);
    if (due > leave->gone)
        let_some_go(engine, due - leave->gone);
    if (passed >= length) {
        let_some_go(engine, UINT64_MAX); /* those who came meanwhile */
        deadlines_set(&engine->deadlines, &leave->timer.deadline, MONO_NEVER);
        return;
    }
    deadlines_set(&engine->deadlines, &leave->timer.deadline,
                  mono_min(leave->until, mono_after(engine->now.mono, LEAVE_STEP_NS)));
}

bool engine_spreads_until(const struct engine *engine, struct mono *ret_until) {
    bool spreads = engine->leave.timer.deadline.at.ns != MONO_NEVER.ns;
    if (spreads)
        *ret_until = engine->leave.until;
    return spreads;
}
