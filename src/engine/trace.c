/* Records what becomes of messages, and finds it again. */
#include <stdio.h>

#include "engine/inner.h"

void trace_init(struct engine *engine) {
    trace_ring_init(&engine->tracing.ring);
    engine->tracing.left = TRACE_SAMPLE;
}

void trace_done(struct engine *engine) {
    trace_ring_done(&engine->tracing.ring);
}

void trace_configure(struct engine *engine, const struct plan *plan) {
    struct tracing *t = &engine->tracing;
    uint64_t size = plan->config->telemetry.trace_ring;
    uint64_t share = size / engine->options.workers;
    trace_ring_resize(&t->ring, size && !share ? 1 : share);
    t->is_on = size > 0;
    t->is_all = false;
    for (size_t i = 0; i < plan->config->route_count; i++)
        t->is_all |= plan->config->routes[i].enabled && plan->config->routes[i].trace == CONFIG_TRACE_ALL;
}

bool trace_is_all(const struct engine *engine, const struct routing *routing) {
    return routing->route >= 0 && engine->plan->routes[routing->route].config->trace == CONFIG_TRACE_ALL;
}

/* -- recording -- */

static void add(struct engine *engine, uint64_t trace, struct trace_record *record, enum trace_step step) {
    record->at = engine->now.mono;
    record->trace = trace;
    record->step = (uint8_t)step;
    trace_ring_add(&engine->tracing.ring, record);
}

static struct slice system_name(const struct engine *engine, uint32_t index) {
    const struct system *system = engine_system(engine, index);
    return system ? system->name : slice_make("", 0);
}

/* `SYSTEM/ENDPOINT` */
struct place_name {
    char text[2 * 64];
};

static struct slice endpoint_name(const struct endpoint *e, struct place_name *room) {
    int size = snprintf(room->text, sizeof room->text, "%.*s/%.*s", SLICE_ARG(slice_head(e->system->name, 63)),
                        SLICE_ARG(slice_head(e->plan->config->name, 63)));
    return slice_make(room->text, size > 0 ? (size_t)size : 0);
}

static struct slice place_of(const struct session *s, struct place_name *room) {
    if (s->endpoint)
        return endpoint_name(s->endpoint, room);
    return s->listener ? s->listener->config->name : slice_make("", 0);
}

void trace_begin(struct engine *engine, const struct session *s, const struct message *message, uint32_t from, bool is_late) {
    struct tracing *t = &engine->tracing;
    struct place_name room;
    struct trace_record record = {
        .size = message->data.size, .number = (uint64_t)engine->now.wall.ns,
        .small = {message->kind, message->priority, is_late},
        .texts = {message_text(message, ATTRIBUTE_ID), message_text(message, ATTRIBUTE_TYPE), message_text(message, ATTRIBUTE_SOURCE),
                  s ? place_of(s, &room) : slice_make("", 0), s ? address_key(&s->connection->peer) : slice_make("", 0),
                  slice_make(message->receipt, message->has_receipt ? sizeof message->receipt : 0)}};
    t->left = t->left ? t->left : TRACE_SAMPLE;
    t->mark = (uint64_t)(engine->options.worker + 1) << TRACE_NAME_SHIFT | ++t->begun;
    add(engine, t->mark, &record, TRACE_RECEIVED);
    if (from == CONFIG_NONE && (!s || s->identity == SECURITY_NONE))
        return;
    const struct config *config = engine->plan->config;
    bool has_identity = s && s->identity != SECURITY_NONE && s->identity < config->identity_count;
    struct trace_record allowed = {
        .small = {message->priority},
        .texts = {system_name(engine, from), has_identity ? config->identities[s->identity].name : slice_make("", 0)}};
    add(engine, t->mark, &allowed, TRACE_ALLOWED);
}

void trace_refused(struct engine *engine, const struct session *s, const struct message *message, uint32_t from) {
    if (!engine->tracing.mark)
        trace_begin(engine, s, message, from, false);
}

/* Nobody thought it worth it when it came in: what is still known of that. */
static void begin_late(struct engine *engine, struct delivery *d) {
    struct tracing *t = &engine->tracing;
    struct now now = engine->now;
    uint64_t outer = t->mark;
    if (d->trace || !t->is_on || d->foreign)
        return;
    engine->now.wall.ns -= engine->now.mono.ns - d->received.ns;
    engine->now.mono = d->received;
    trace_begin(engine, d->asker, d->message, d->from, true);
    engine->now = now;
    d->trace = t->mark;
    t->mark = outer;
}

static struct slice route_name(const struct engine *engine, uint32_t mark) {
    int32_t index = plan_route_index(engine->plan, mark);
    bool is_there = index >= 0 && (size_t)index < engine->plan->config->route_count;
    return is_there ? engine->plan->routes[index].config->name : slice_make("", 0);
}

void trace_routed(struct engine *engine, const struct recipient *r, uint64_t mark) {
    struct trace_record record = {.size = (uint32_t)r->queued, .small = {0, r->is_subscription},
                                  .texts = {r->name, route_name(engine, engine->mark)}};
    add(engine, mark, &record, TRACE_ROUTED);
}

void trace_waits(struct engine *engine, const struct recipient *full) {
    struct trace_record record = {.size = (uint32_t)full->waiting, .texts = {full->name}};
    add(engine, engine->tracing.mark, &record, TRACE_WAITS);
}

void trace_queued(struct engine *engine, const struct delivery *d) {
    const struct recipient *r = d->recipient;
    struct trace_record record = {.size = (uint32_t)r->queue[d->priority - 1].count, .small = {d->priority}, .texts = {r->name}};
    add(engine, d->trace, &record, TRACE_QUEUED);
}

void trace_handed(struct engine *engine, const struct delivery *d, uint32_t worker) {
    struct trace_record record = {.size = worker, .texts = {d->recipient->name}};
    add(engine, d->trace, &record, TRACE_HANDED);
}

void trace_sent(struct engine *engine, uint64_t trace, const struct member *m, uint8_t attempt, uint64_t size) {
    const struct session *s = m->session;
    struct place_name room;
    struct trace_record record = {
        .size = (uint32_t)size, .small = {attempt},
        .texts = {s->endpoint ? endpoint_name(s->endpoint, &room) : m->recipient->name, slice_from(s->connection->protocol->name)}};
    add(engine, trace, &record, TRACE_SENT);
}

void trace_failed(struct engine *engine, struct delivery *d, const struct attempt_failure *failure, int why, int64_t delay_ns) {
    const struct outlet *outlet = failure->outlet;
    struct place_name room;
    begin_late(engine, d);
    struct trace_record record = {
        .size = engine->said.code, .number = (uint64_t)delay_ns, .status = (uint16_t)failure->status,
        .small = {d->attempt, (uint8_t)failure->fate, (uint8_t)why},
        .texts = {outlet && outlet->endpoint ? endpoint_name(outlet->endpoint, &room) : d->recipient->name, engine->said.words}};
    if (d->trace)
        add(engine, d->trace, &record, TRACE_FAILED);
}

void trace_answered(struct engine *engine, const struct delivery *d, const struct message *reply) {
    struct trace_record record = {.size = reply->data.size,
                                  .texts = {d->recipient->name, message_text(reply, ATTRIBUTE_TYPE)}};
    add(engine, d->trace, &record, TRACE_ANSWERED);
}

void trace_ended(struct engine *engine, uint64_t trace, const struct trace_end *end) {
    struct tracing *t = &engine->tracing;
    uint64_t outer = t->mark;
    if (!trace && end->message) {
        struct now now = engine->now;
        engine->now.wall.ns -= end->duration_ns;
        engine->now.mono.ns -= end->duration_ns;
        trace_begin(engine, NULL, end->message, end->from, true);
        engine->now = now;
        trace = t->mark;
    }
    t->mark = outer;
    struct trace_record record = {
        .size = end->code, .number = (uint64_t)end->duration_ns, .status = (uint16_t)end->status,
        .small = {end->attempt, (uint8_t)end->ending},
        .texts = {end->recipient ? end->recipient->name : slice_make("", 0), slice_from(engine->detail)}};
    if (trace)
        add(engine, trace, &record, TRACE_ENDED);
}

/* -- finding -- */

/* What the ring has of it may have been cut. */
static bool is_id(struct slice kept, struct slice id) {
    return slice_equal(kept, slice_head(id, TRACE_TEXT_MAX)) && id.size;
}

size_t trace_find(const struct engine *engine, struct slice id, uint64_t ret[TRACE_FOUND_MAX]) {
    struct trace_cursor cursor = {.chunk = NULL};
    struct trace_record record;
    uint8_t receipt[16];
    bool is_uuid = uuid_parse(id, receipt);
    size_t count = 0;
    while (trace_ring_next(&engine->tracing.ring, &cursor, &record)) {
        if (record.step != TRACE_RECEIVED ||
            !(is_id(record.texts[0], id) || (is_uuid && slice_equal(record.texts[5], slice_make(receipt, sizeof receipt)))))
            continue;
        if (count == TRACE_FOUND_MAX)
            memmove(ret, ret + 1, --count * sizeof *ret);
        ret[count++] = record.trace;
    }
    return count;
}

void trace_each(const struct engine *engine, uint64_t trace, void (*call)(void *user, const struct trace_record *record),
                void *user) {
    struct trace_cursor cursor = {.chunk = NULL};
    struct trace_record record;
    while (trace_ring_next(&engine->tracing.ring, &cursor, &record))
        if (record.trace == trace)
            call(user, &record);
}

struct trace_facts trace_facts(const struct engine *engine) {
    const struct trace_ring *ring = &engine->tracing.ring;
    struct trace_cursor cursor = {.chunk = NULL};
    struct trace_record record;
    struct trace_facts facts = {engine->tracing.is_on, ring->kept, ring->added, ring->lost, MONO_NEVER};
    if (trace_ring_next(ring, &cursor, &record))
        facts.oldest = record.at;
    return facts;
}
