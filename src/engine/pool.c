/* The connections of one endpoint over time: how many stay open though nobody needs them, and when one has served long
 * enough. One that is to go takes nothing more, ends what it has, and closes; its place is free for the next at once. */
#include "engine/inner.h"

#define RETIRE_LOOK_NS (10 * NS_PER_MS)
#define AGE_SPREAD 10 /* a tenth of max_age: connections that opened together don't close together */

static const struct config_system *config_of(const struct endpoint *e) {
    return e->system->config;
}

static bool is_of(const struct member *m, const struct endpoint *e) {
    return m->session && m->session->endpoint == e;
}

/* Spread by its handle: the same in a replay, and nothing to keep. */
static struct mono age_due(const struct session *s) {
    int64_t age = config_of(s->endpoint)->pool.max_age_ns;
    if (age >= CONFIG_FOREVER)
        return MONO_NEVER;
    uint64_t mixed = (s->connection->handle * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
    return mono_after(s->connection->opened, age - (int64_t)(mixed % (uint64_t)(age / AGE_SPREAD + 1)));
}

/* Whether what it has is over: nothing is under way, and no reply may still come by it. */
static bool is_at_rest(const struct session *s) {
    const struct recipient *r = &s->endpoint->system->recipient;
    return s->flight_count == 0 && !s->proxy && chain_unsent(&s->connection->out) == 0 &&
           (!s->endpoint->plan->protocol->keeps_open || r->asked.count == 0);
}

/* How long it may take to come to rest; what is open then is cut as on any close. */
static int64_t grace_of(const struct endpoint *e) {
    const struct config_policy *policy = &config_of(e)->policy;
    int64_t longest = policy->timeouts.request_ns;
    if (policy->timeouts.ack_ns > longest)
        longest = policy->timeouts.ack_ns;
    return policy->timeouts.attempt_ns > longest ? policy->timeouts.attempt_ns : longest;
}

void pool_retire(struct engine *engine, struct session *s) {
    struct endpoint *e = s->endpoint;
    if (s->retiring)
        return;
    s->retiring = true;
    e->retiring++;
    s->connection->until = mono_min(s->connection->until, mono_after(engine->now.mono, grace_of(e)));
    s->connection->reason = STATUS_GOING_AWAY; /* what `until` will say */
    connection_touch(s->connection);
    timer_set(engine, &e->age, engine->now.mono);
}

void pool_sent(struct engine *engine, struct session *s) {
    if (s->endpoint && !s->endpoint->removed && s->flight_next - 1 + s->streamed >= config_of(s->endpoint)->pool.max_requests)
        pool_retire(engine, s);
}

/* Looks at each of its connections: rare, and there are few. */
void pool_look(struct engine *engine, struct endpoint *e) {
    struct mono next = MONO_NEVER;
    struct list *members = &e->system->recipient.members;
    for (struct list_node *node = list_first(members); node;) {
        struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        node = list_next(members, node);
        if (!is_of(m, e) || m->session->connection->status != CONNECTION_OPEN)
            continue;
        struct session *s = m->session;
        struct mono due = age_due(s);
        if (!s->retiring && mono_due(due, engine->now.mono))
            pool_retire(engine, s);
        if (s->retiring) {
            due = mono_after(engine->now.mono, RETIRE_LOOK_NS);
            member_look(engine, m);
            if (is_at_rest(s))
                connection_shut(s->connection, STATUS_GOING_AWAY, grace_of(e));
        }
        next = mono_min(next, due);
    }
    timer_set(engine, &e->age, next);
}

void pool_opened(struct engine *engine, struct session *s) {
    struct endpoint *e = s->endpoint;
    s->connection->sink.stays = e->open <= config_of(e)->pool.min;
    struct mono due = age_due(s);
    if (due.ns < e->age.deadline.at.ns)
        timer_set(engine, &e->age, due);
}

bool pool_is_short(const struct endpoint *e) {
    return !e->removed && e->plan->config->enabled && e->connections - e->retiring < config_of(e)->pool.min;
}
