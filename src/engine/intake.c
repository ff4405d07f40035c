/* A message comes in: who sends it, may they, is it still wanted, where does it go. */
#include <stdio.h>

#include "base/text.h"
#include "engine/hedge.h"
#include "engine/reported.h"
#include "engine/ways.h"


/* -- checks -- */

static bool loops(const struct message *message) {
    const struct value *value = message_value(message, ATTRIBUTE_INTERTIEHOPS);
    int32_t hops;
    return value && value_number(message, value, &hops) && hops > HOPS_MAX;
}

/* A target that nobody has may be a slip of the hand; names are told only to those who may act on them. */
static void explain_target(struct engine *engine, const struct message *message) {
    const struct config *config = engine->plan->config;
    struct slice target = message_text(message, ATTRIBUTE_TARGET);
    struct slice names[256];
    size_t count = config->system_count < COUNT_OF(names) ? config->system_count : COUNT_OF(names);
    for (size_t i = 0; i < count; i++)
        names[i] = config->systems[i].name;
    int near = config->identity_count == 0 ? text_nearest(target, names, count) : -1;
    int used = snprintf(engine->detail, sizeof engine->detail, "no system `%.*s`", SLICE_ARG(slice_head(target, 63)));
    uint32_t known = plan_system(engine->plan, target);
    if (known != CONFIG_NONE)
        snprintf(engine->detail, sizeof engine->detail, "system `%.*s` only sends: it has no url and does not accept",
                 SLICE_ARG(slice_head(target, 63)));
    else if (near >= 0)
        snprintf(engine->detail + used, sizeof engine->detail - (size_t)used, "; did you mean `%.*s`?",
                 SLICE_ARG(names[near]));
}

static void refuse(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                   uint32_t from, enum status status) {
    if (status == STATUS_UNKNOWN_TARGET)
        explain_target(engine, message);
    else if (status == STATUS_NO_ROUTE)
        snprintf(engine->detail, sizeof engine->detail, "no route matches type `%.*s` and nobody subscribes to it",
                 SLICE_ARG(slice_head(message_text(message, ATTRIBUTE_TYPE), 100)));
    else if (status == STATUS_MANY_TARGETS)
        snprintf(engine->detail, sizeof engine->detail, "a %.*s goes to one system; this one would go to several",
                 SLICE_ARG(message_kind_name((enum message_kind)message->kind)));
    else if (status == STATUS_NOT_SUPPORTED)
        snprintf(engine->detail, sizeof engine->detail, "who is asked can't answer: its `format` is raw, without `reply: fifo`");
    if (engine->tracing.is_on)
        trace_refused(engine, s, message, from);
    ending_tell(engine, message, NULL, from, status == STATUS_EXPIRED ? ENDING_EXPIRED : ENDING_REJECTED, status, 1, 0);
    session_refuse(engine, s, token, status, status_row(status)->http == 503 ? 1000 : 0);
    engine->detail[0] = '\0';
    engine->tracing.mark = 0;
}

static void heartbeat(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                      uint32_t from) {
    struct system *system = engine_system(engine, from);
    engine->totals.heartbeats++;
    if (system) {
        struct message *kept = message_keep(message, &engine->kept);
        if (kept) {
            message_unref(system->heartbeat);
            system->heartbeat = kept;
            system->heartbeat_at = engine->now.wall;
        }
    }
    if (system)
        reported_heartbeat(engine, s, system, message);
    ending_count(engine, system ? &system->recipient : NULL, ENDING_DELIVERED, STATUS_OK, message->priority, 0);
    session_accept(engine, s, token);
}

/* The route's lifetime for messages that brought none, and its cap. */
static void limit_life(struct engine *engine, struct message *message, const struct routing *routing) {
    if (routing->target_count == 0)
        return;
    const struct config_policy *policy = &routing->targets[0].policy;
    int64_t ttl = policy->ttl_max_ns;
    if (message->expiry.ns == INT64_MAX && policy->ttl_ns < ttl)
        ttl = policy->ttl_ns;
    if (ttl == CONFIG_FOREVER)
        return;
    int64_t latest = engine->now.wall.ns + ttl;
    if (latest < message->expiry.ns)
        message->expiry.ns = latest;
}

int64_t intake_patience(const struct session *s, const struct message *message,
                        const struct routing *routing) {
    int64_t own = message->wait_s && !message->later ? (int64_t)message->wait_s * NS_PER_S : INT64_MAX;
    bool waits = s->connection->sink.terms.when_full == PROTOCOL_FULL_WAIT || message_kind_asks(message->kind);
    if (waits && routing->target_count)
        return routing->targets[0].policy.timeouts.queue_ns < own
                   ? routing->targets[0].policy.timeouts.queue_ns
                   : own;
    return INT64_MAX; /* their own credit, or reads that are off, hold them back */
}

/* Not read, it could not tell us what it owes: its acks and replies are what may make the room that is waited for. */
static bool owes(const struct session *s) {
    for (struct list_node *node = list_first(&s->members); node; node = list_next(&s->members, node)) {
        const struct member *m = LIST_ENTRY(node, struct member, session_node);
        if ((m->in_flight && s->connection->sink.terms.acks) || m->recipient->asked.count)
            return true;
    }
    return false;
}

enum offer intake_offer(struct engine *engine, struct session *s, uint64_t token, struct message *message,
                        const struct routing *routing, uint32_t from) {
    struct recipient *full = NULL;
    enum status status = STATUS_OK;
    engine->pick = 0;
    if (routing->way != CONFIG_WAY_COPIES) {
        routing = ways_choose(engine, message, routing);
        if (engine->plan->rates && !rate_copies(engine, s, message, routing->targets[0].system, from)) {
            refuse(engine, s, token, message, from, STATUS_RATE_LIMITED);
            return OFFER_REFUSED;
        }
    }
    limit_life(engine, message, routing); /* from now on, however long it is delayed */
    if (fault_looks(engine, routing)) {
        enum fault_effect effect = fault_meet(engine, s, token, message, routing, from);
        if (effect == FAULT_ABORTED)
            refuse(engine, s, token, message, from, engine->plan->routes[routing->route].fault->abort);
        if (effect != FAULT_NONE)
            return effect == FAULT_DELAYED ? OFFER_LATER : OFFER_REFUSED;
    }
    enum offer offer = offer_message(engine, s, token, message, routing, from, engine->now.mono, &full, &status);
    if (offer == OFFER_REFUSED) {
        refuse(engine, s, token, message, from, status);
    } else if (offer == OFFER_LATER) {
        if (s->connection->sink.terms.when_full == PROTOCOL_FULL_DROP ||
            (s->connection->sink.terms.when_full == PROTOCOL_FULL_STOP && owes(s)))
            refuse(engine, s, token, message, from, STATUS_OVERLOADED);
        else
            offer_wait(engine, s, token, message, from, full, intake_patience(s, message, routing));
    }
    return offer;
}

static void offer(struct engine *engine, struct session *s, uint64_t token, struct message *message,
                  const struct routing *routing, uint32_t from) {
    if (engine->plan->rates && !rate_passes(engine, s, token, message, routing, from))
        return;
    if (trace_wants(engine, s, message, routing))
        trace_begin(engine, s, message, from, false);
    if (shed_refuses(engine, message)) {
        snprintf(engine->detail, sizeof engine->detail, "`limits.memory` is nearly reached: priority %u is refused",
                 (unsigned)message->priority);
        refuse(engine, s, token, message, from, STATUS_OVERLOADED);
        return;
    }
    bool may_be_known = engine->plan->dedupes >> message->kind & 1 || s->work->holds.count;
    if (!may_be_known || !dedupe_takes(engine, s, token, message, routing, from))
        intake_offer(engine, s, token, message, routing, from);
    engine->tracing.mark = 0;
}

static void take_reply(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                       uint64_t reply_to, uint32_t from) {
    if (reply_take(engine, s, message, reply_to, from)) {
        session_accept(engine, s, token);
        return;
    }
    if (engine->hedge_late && hedge_is_late(engine, message, from)) {
        session_accept(engine, s, token);
        return;
    }
    if (reply_to == 0 && mail_seek(engine, message, from, 0)) {
        session_accept(engine, s, token);
        return;
    }
    ending_tell(engine, message, NULL, from, ENDING_DROPPED, STATUS_LATE_REPLY, 1, 0);
    session_refuse(engine, s, token, STATUS_LATE_REPLY, 0);
}

static void count_from(struct engine *engine, uint32_t from) {
    struct system *sender = engine_system(engine, from);
    if (sender && !engine->rates.tries)
        sender->received++;
}

static void go(struct engine *engine, struct session *s, uint64_t token, struct message *message, uint64_t reply_to) {
    if (message->expiry.ns <= engine->now.wall.ns) {
        refuse(engine, s, token, message, s->system, STATUS_EXPIRED);
        return;
    }
    if (memo_hits(engine, s, message)) {
        count_from(engine, s->memo->from);
        message->priority = s->memo->priority;
        if (engine->plan->rates && !rate_admits(engine, s, token, message, s->memo->from))
            return;
        offer(engine, s, token, message, &s->memo->routing, s->memo->from);
        return;
    }
    struct verdict verdict = security_verdict(engine, s, message);
    uint32_t from = verdict.from;
    count_from(engine, from);
    if (verdict.status == STATUS_OK && loops(message))
        verdict.status = STATUS_LOOP_DETECTED;
    if (verdict.status == STATUS_OK && engine->draining && !message_kind_replies(message->kind))
        verdict.status = STATUS_SHUTDOWN;
    if (verdict.status != STATUS_OK) {
        if (verdict.text)
            snprintf(engine->detail, sizeof engine->detail, "%s", verdict.text);
        refuse(engine, s, token, message, from, verdict.status);
        return;
    }
    message->priority = verdict.priority;
    if (engine->plan->rates && !message_kind_replies(message->kind) && !rate_admits(engine, s, token, message, from))
        return;
    if (message->kind == KIND_HEARTBEAT) {
        heartbeat(engine, s, token, message, from);
        return;
    }
    if (message_kind_replies(message->kind)) {
        take_reply(engine, s, token, message, reply_to, from);
        return;
    }
    struct routing routing;
    router_find(engine, s, message, from, &routing);
    if (routing.status != STATUS_OK) {
        refuse(engine, s, token, message, from, routing.status);
        return;
    }
    if (!message_has(message, ATTRIBUTE_INTERTIEHOPS) && !routing.is_cut && !engine->draining)
        memo_keep(engine, s, message, from, &routing);
    offer(engine, s, token, message, &routing, from);
}

void intake_message(void *connection, uint64_t token, struct message *message, uint64_t reply_to) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s->engine;
    engine->totals.received++;
    uint32_t listener = s->connection->listener, listeners = (uint32_t)engine->plan->config->listener_count;
    engine->received_by[listener < listeners ? listener : listeners]++;
    s->received++;
    go(engine, s, token, message, reply_to);
}

void intake_again(struct engine *engine, struct session *s, uint64_t token, struct message *message) {
    go(engine, s, token, message, 0);
}
