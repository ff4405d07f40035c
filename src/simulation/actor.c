/* Simulated systems and clients. */
#include "simulation/actor.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

#define REDIAL_NS (200 * NS_PER_MS)

static struct actor *actor_of(void *connection) {
    return ((struct connection *)connection)->net->user;
}

/* -- sending -- */

static void put_flight(struct actor *a, struct connection *c, uint64_t token, struct message *message) {
    if (a->flight_count == a->flight_capacity) {
        a->flight_capacity = a->flight_capacity ? a->flight_capacity * 2 : 16;
        a->flights = memory_resize(a->flights, a->flight_capacity * sizeof *a->flights);
        ASSERT(a->flights);
    }
    a->flights[a->flight_count++] = (struct actor_flight){message, token, c};
}

static uint64_t next_token(struct connection *c) {
    uint64_t *count = (uint64_t *)(void *)&c->owner; /* an actor needs nothing else of a connection */
    return ++*count;
}

static void push_out(struct actor *a) {
    while (a->connection && a->outbox_count && connection_has_room(a->connection)) {
        struct message *message = a->outbox[a->outbox_first];
        uint64_t token = next_token(a->connection);
        struct protocol_send options = {
            .token = token, .attempt = 1, .asks = message_kind_asks(message->kind)};
        enum status status = connection_send(a->connection, message, NULL, &options);
        ASSERT(status == STATUS_OK);
        a->outbox_first++;
        a->outbox_count--;
        a->sent++;
        if (a->connection->sink.terms.acks)
            put_flight(a, a->connection, token, message);
        else
            message_unref(message);
    }
}

void actor_send(struct actor *a, const struct message *message) {
    if (a->outbox_first + a->outbox_count == a->outbox_capacity) {
        if (a->outbox_first) {
            memmove(a->outbox, a->outbox + a->outbox_first, a->outbox_count * sizeof *a->outbox);
            a->outbox_first = 0;
        } else {
            a->outbox_capacity = a->outbox_capacity ? a->outbox_capacity * 2 : 64;
            a->outbox = memory_resize(a->outbox, a->outbox_capacity * sizeof *a->outbox);
            ASSERT(a->outbox);
        }
    }
    struct message *kept = message_keep(message, NULL);
    ASSERT(kept);
    a->outbox[a->outbox_first + a->outbox_count++] = kept;
    push_out(a);
}

void actor_send_new(struct actor *a, const char *kind, const char *type, const char *target, const char *id,
                    int priority, const char *key, const char *data) {
    uint8_t bytes[2048];
    char source[80], digit[2] = {(char)('0' + priority), 0};
    struct buffer extra;
    struct message message;
    struct message_fault fault;
    buffer_init_fixed(&extra, bytes, sizeof bytes);
    message_init(&message, slice_from(data));
    snprintf(source, sizeof source, "/systems/%s", a->script.name);
    message_add(&message, &extra, ATTRIBUTE_ID, slice_from(id), &fault);
    message_add(&message, &extra, ATTRIBUTE_SOURCE, slice_from(source), &fault);
    message_add(&message, &extra, ATTRIBUTE_TYPE, slice_from(type), &fault);
    message_add(&message, &extra, ATTRIBUTE_MESSAGETYPE, slice_from(kind), &fault);
    if (target)
        message_add(&message, &extra, ATTRIBUTE_TARGET, slice_from(target), &fault);
    if (priority)
        message_add(&message, &extra, ATTRIBUTE_PRIORITY, slice_from(digit), &fault);
    if (key)
        message_add(&message, &extra, ATTRIBUTE_PARTITIONKEY, slice_from(key), &fault);
    message_set_data(&message, DATA_JSON);
    enum status status = message_seal(&message, &extra, &fault);
    ASSERT(status == STATUS_OK);
    actor_send(a, &message);
}

/* -- what comes in -- */

static void remember(struct actor *a, const struct message *message) {
    struct slice id = message_text(message, ATTRIBUTE_ID);
    struct actor_got *got = map_get(&a->got, id);
    if (!got) {
        struct slice key = message_text(message, ATTRIBUTE_PARTITIONKEY);
        got = memory_new(sizeof *got + id.size + key.size);
        ASSERT(got);
        memcpy(got + 1, id.data, id.size);
        got->id = slice_make(got + 1, id.size);
        if (key.size)
            memcpy((uint8_t *)(got + 1) + id.size, key.data, key.size);
        got->key = slice_make((uint8_t *)(got + 1) + id.size, key.size);
        got->kind = message->kind;
        got->priority = message->priority;
        got->order = ++a->arrivals;
        bool put = map_put(&a->got, got->id, got);
        ASSERT(put);
    }
    if (a->newest)
        message_unref(a->newest);
    a->newest = message_keep(message, NULL);
    ASSERT(a->newest);
    got->times++;
    a->got_count++;
    a->got_replies += message_kind_replies(message->kind);
}

static void answer(struct actor *a, struct connection *c, uint64_t token, const struct message *request) {
    uint8_t bytes[1024];
    char id[64], source[80];
    struct buffer extra;
    struct message reply;
    struct message_fault fault;
    buffer_init_fixed(&extra, bytes, sizeof bytes);
    message_init(&reply, SLICE_OF("{\"ok\":true}"));
    snprintf(id, sizeof id, "r%llu-%s", (unsigned long long)++a->answers_made, a->script.name);
    snprintf(source, sizeof source, "/systems/%s", a->script.name);
    message_add(&reply, &extra, ATTRIBUTE_ID, slice_from(id), &fault);
    message_add(&reply, &extra, ATTRIBUTE_SOURCE, slice_from(source), &fault);
    message_add(&reply, &extra, ATTRIBUTE_TYPE, SLICE_OF("com.example.answer"), &fault);
    message_add(&reply, &extra, ATTRIBUTE_MESSAGETYPE, SLICE_OF("response"), &fault);
    message_add(&reply, &extra, ATTRIBUTE_CAUSATIONID, message_text(request, ATTRIBUTE_ID), &fault);
    message_set_data(&reply, DATA_JSON);
    enum status status = message_seal(&reply, &extra, &fault);
    ASSERT(status == STATUS_OK);
    if (c->sink.terms.inline_reply) {
        struct protocol_send options = {.token = next_token(c), .reply_to = token, .attempt = 1};
        connection_send(c, &reply, NULL, &options);
        return;
    }
    actor_send(a, &reply);
}

/* -- work -- */

static bool work_is_earlier(const struct actor_work *x, const struct actor_work *y) {
    return x->until.ns != y->until.ns ? x->until.ns < y->until.ns : x->order < y->order;
}

static void work_put(struct actor *a, const struct actor_work *work) {
    if (a->work_count == a->work_capacity) {
        a->work_capacity = a->work_capacity ? a->work_capacity * 2 : 64;
        a->works = memory_resize(a->works, a->work_capacity * sizeof *a->works);
        ASSERT(a->works);
    }
    size_t i = a->work_count++;
    for (; i > 0 && work_is_earlier(work, &a->works[(i - 1) / 2]); i = (i - 1) / 2)
        a->works[i] = a->works[(i - 1) / 2];
    a->works[i] = *work;
}

static struct actor_work work_take(struct actor *a) {
    struct actor_work first = a->works[0], last = a->works[--a->work_count];
    size_t i = 0, child;
    while ((child = i * 2 + 1) < a->work_count) {
        if (child + 1 < a->work_count && work_is_earlier(&a->works[child + 1], &a->works[child]))
            child++;
        if (!work_is_earlier(&a->works[child], &last))
            break;
        a->works[i] = a->works[child];
        i = child;
    }
    if (a->work_count)
        a->works[i] = last;
    return first;
}

/* When a message that comes now is done: those that work take them one after the other. */
static struct mono work_until(struct actor *a, struct mono now) {
    const struct actor_script *s = &a->script;
    int64_t takes = s->takes_min_ns + (int64_t)rng_below(world_rng(a->party.world),
                                                         (uint64_t)(s->takes_max_ns - s->takes_min_ns) + 1);
    if (s->at_once == 0)
        return mono_after(now, takes);
    uint32_t first = 0;
    for (uint32_t i = 1; i < s->at_once; i++)
        if (a->free_at[i].ns < a->free_at[first].ns)
            first = i;
    struct mono from = a->free_at[first].ns > now.ns ? a->free_at[first] : now;
    return a->free_at[first] = mono_after(from, takes);
}

static void work_done(struct actor *a, struct connection *c, uint64_t token, struct message *message) {
    remember(a, message);
    if (a->script.calls && a->script.calls->heard)
        a->script.calls->heard(a->script.user, a, message, true, true);
    if (!c)
        return; /* it was done, and nobody is there to be told */
    if (a->script.answers && message_kind_asks(message->kind)) {
        if (!c->sink.terms.inline_reply)
            connection_settle(c, token, token, STATUS_OK, 0);
        answer(a, c, token, message);
        return;
    }
    connection_settle(c, token, token, STATUS_OK, 0);
}

static void works_done(struct actor *a, struct mono now) {
    while (a->work_count && mono_due(a->works[0].until, now)) {
        struct actor_work work = work_take(a);
        struct connection *c = net_find(&a->net, work.connection);
        work_done(a, c && c->status == CONNECTION_OPEN ? c : NULL, work.token, work.message);
        message_unref(work.message);
    }
}

static void on_message(void *connection, uint64_t token, struct message *message, uint64_t reply_to) {
    struct connection *c = connection;
    struct actor *a = actor_of(c);
    (void)reply_to;
    if (!a->script.quiet)
        world_tell(a->party.world, "%s gets %.*s %.*s %.*s", a->script.name,
                   SLICE_ARG(message_kind_name((enum message_kind)message->kind)),
                   SLICE_ARG(message_text(message, ATTRIBUTE_TYPE)),
                   SLICE_ARG(message_text(message, ATTRIBUTE_ID)));
    bool refused = !a->script.mute && a->script.retry_percent &&
                   rng_below(world_rng(a->party.world), 100) < a->script.retry_percent;
    if (a->script.calls && a->script.calls->heard)
        a->script.calls->heard(a->script.user, a, message, !refused, false);
    uint32_t retry_ms = a->script.retry_ms ? a->script.retry_ms : 10;
    if (refused)
        connection_settle(c, token, token, STATUS_OVERLOADED, retry_ms == ACTOR_RETRY_UNSAID ? 0 : retry_ms);
    if (refused || a->script.mute)
        return;
    if (a->script.takes_max_ns == 0) {
        work_done(a, c, token, message);
        return;
    }
    struct actor_work work = {.until = work_until(a, a->net.now.mono),
                              .order = ++a->arrivals,
                              .connection = c->handle,
                              .token = token,
                              .message = message_keep(message, NULL)};
    ASSERT(work.message);
    work_put(a, &work);
}

static void on_outcome(void *connection, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    struct actor *a = actor_of(connection);
    for (size_t i = 0; i < a->flight_count;) {
        struct actor_flight *f = &a->flights[i];
        if (f->connection != connection || f->token < first || f->token > last) {
            i++;
            continue;
        }
        bool accepted = outcome.verdict == VERDICT_ACCEPTED;
        if (a->script.calls && a->script.calls->settled)
            a->script.calls->settled(a->script.user, a, f->message, accepted ? STATUS_OK : outcome.status);
        if (accepted) {
            a->accepted++;
            bool put = map_put(&a->accepted_ids, message_text(f->message, ATTRIBUTE_ID), f->message);
            ASSERT(put);
        } else if (a->script.insists && outcome.verdict == VERDICT_RETRY) {
            actor_send(a, f->message);
            message_unref(f->message);
        } else {
            a->refused++;
            if (!a->script.quiet)
                world_tell(a->party.world, "%s is refused %.*s: %s", a->script.name,
                           SLICE_ARG(message_text(f->message, ATTRIBUTE_ID)), status_reason(outcome.status));
            message_unref(f->message);
        }
        a->flights[i] = a->flights[--a->flight_count];
    }
}

static void on_room(void *connection) {
    push_out(actor_of(connection));
}

static enum status on_hello(void *connection, const struct protocol_hello *hello, struct slice *ret_system) {
    (void)connection;
    *ret_system = hello->system;
    return STATUS_OK;
}

static enum status on_subscribe(void *connection, const struct protocol_subscription *sub,
                                struct message_fault *fault) {
    (void)connection;
    (void)sub;
    *fault = (struct message_fault){.status = STATUS_NOT_SUPPORTED};
    return STATUS_NOT_SUPPORTED;
}

static void on_unsubscribe(void *connection, uint32_t sub) {
    (void)connection;
    (void)sub;
}

static void on_cancelled(void *connection, uint64_t token) {
    (void)connection;
    (void)token;
}

static void on_invalid(void *connection, const struct message_fault *fault) {
    (void)connection;
    (void)fault;
}

static void on_opened(void *user, struct connection *c, struct now now) {
    struct actor *a = user;
    (void)now;
    a->connection = c;
    c->owner = NULL;
    push_out(a);
}

static void on_progress(void *user, struct connection *c, struct now now) {
    (void)c;
    (void)now;
    push_out(user);
}

/* What wasn't settled is sent again: at least once is the sender's part, too. */
static void on_closed(void *user, struct connection *c, struct now now) {
    struct actor *a = user;
    if (a->connection == c)
        a->connection = NULL;
    for (size_t i = 0; i < a->flight_count;) {
        if (a->flights[i].connection != c) {
            i++;
            continue;
        }
        struct message *message = a->flights[i].message;
        a->flights[i] = a->flights[--a->flight_count];
        actor_send(a, message);
        message_unref(message);
    }
    if (a->script.keeps_dialled)
        a->party.due = mono_after(now.mono, REDIAL_NS);
}

static const struct net_calls calls = {
    .protocol =
        {
            .message = on_message,
            .invalid = on_invalid,
            .outcome = on_outcome,
            .cancelled = on_cancelled,
            .room = on_room,
            .hello = on_hello,
            .subscribe = on_subscribe,
            .unsubscribe = on_unsubscribe,
        },
    .opened = on_opened,
    .progress = on_progress,
    .closed = on_closed,
};

/* -- the party -- */

void actor_dial(struct actor *a) {
    net_dial(&a->net, a->script.protocol, &a->script.setup, 0, 3 * NS_PER_S, NULL, world_now(a->party.world));
}

static void input(struct party *party, struct engine_input *in, struct now now) {
    struct actor *a = (struct actor *)(void *)party;
    struct connection *c;
    a->net.now = now;
    switch (in->kind) {
    case INPUT_OPENED:
        in->ret_connection = 0;
        if (a->dead)
            break;
        c = net_accept(&a->net, a->script.protocol, &a->script.setup, 0, in->peer, now);
        in->ret_connection = c ? c->handle : 0;
        break;
    case INPUT_CONNECTED:
        net_connected(&a->net, in->connection, in->peer, now);
        break;
    case INPUT_BYTES:
        net_bytes(&a->net, in->connection, in->bytes, now);
        break;
    case INPUT_DATAGRAMS:
        for (uint32_t i = 0; i < in->count; i++)
            net_datagram(&a->net, in->connection, in->datagrams[i].bytes, &in->datagrams[i].from, now);
        break;
    case INPUT_ENDED:
        net_ended(&a->net, in->connection, now);
        break;
    case INPUT_WRITTEN:
        net_written(&a->net, in->connection, in->size, in->pieces, now);
        break;
    case INPUT_CLOSED:
        net_lost(&a->net, in->connection, in->status, now);
        break;
    case INPUT_MAIL:
    case INPUT_CONFIG:
    case INPUT_DRAIN:
    case INPUT_DEAD:
    case INPUT_HAND:
    case INPUT_FOUND:
    case INPUT_MEMORY:
    case INPUT_TIME:
        break;
    }
}

static void finish(struct party *party, struct now now, struct engine_actions *ret) {
    struct actor *a = (struct actor *)(void *)party;
    a->net.now = now;
    net_tick(&a->net, now);
    if (a->work_count)
        works_done(a, now.mono);
    for (int i = 0; i < 16 && a->net.dirty.count; i++)
        net_settle(&a->net, now);
    bool dials =
        !a->dead && a->script.keeps_dialled && a->net.count == 0 && a->script.setup.role == PROTOCOL_DIALLED;
    if (dials && mono_due(a->party.due, now.mono))
        actor_dial(a);
    *ret = (struct engine_actions){0};
    ret->net = net_finish(&a->net, now, &ret->net_count);
    ret->due = net_due(&a->net);
    if (!a->dead && a->script.keeps_dialled && a->net.count == 0)
        ret->due = mono_after(now.mono, REDIAL_NS);
    if (a->work_count && a->works[0].until.ns < ret->due.ns)
        ret->due = a->works[0].until;
}

static struct slice address(struct party *party, uint64_t place, const struct protocol **ret_protocol) {
    struct actor *a = (struct actor *)(void *)party;
    (void)place;
    *ret_protocol = a->script.protocol;
    return a->script.address;
}

static void free_actor(struct party *party) {
    struct actor *a = (struct actor *)(void *)party;
    size_t position = 0;
    void *value;
    net_done(&a->net);
    for (size_t i = 0; i < a->outbox_count; i++)
        message_unref(a->outbox[a->outbox_first + i]);
    for (size_t i = 0; i < a->flight_count; i++)
        message_unref(a->flights[i].message);
    while ((value = map_next(&a->accepted_ids, &position)))
        message_unref(value);
    position = 0;
    while ((value = map_next(&a->got, &position)))
        memory_free(value);
    if (a->newest)
        message_unref(a->newest);
    map_done(&a->accepted_ids);
    map_done(&a->got);
    while (a->work_count)
        message_unref(work_take(a).message);
    memory_free(a->works);
    memory_free(a->outbox);
    memory_free(a->flights);
    memory_free(a);
}

static const struct party_calls party_calls = {
    .input = input, .finish = finish, .address = address, .free = free_actor};

struct actor *actor_new(struct world *world, const struct actor_script *script) {
    struct actor *a = memory_new(sizeof *a);
    ASSERT(a);
    a->script = *script;
    a->party = (struct party){.calls = &party_calls, .name = script->name, .node = UINT32_MAX};
    bool done = net_init(&a->net, &calls, a, UINT32_MAX, rng_next(world_rng(world)));
    ASSERT(done);
    a->party.net = &a->net;
    map_init(&a->got, 1);
    map_init(&a->accepted_ids, 2);
    world_add(world, &a->party);
    if (script->setup.role == PROTOCOL_ACCEPTED) {
        world_listen(world, &a->party, script->address, 0, script->protocol->is_datagram);
    } else {
        a->net.now = world_now(world);
        actor_dial(a);
        world_poke(world, &a->party);
    }
    return a;
}

void actor_kill(struct actor *a) {
    a->dead = true;
    while (a->work_count)
        message_unref(work_take(a).message);
    memset(a->free_at, 0, sizeof a->free_at);
    world_unlisten(a->party.world, &a->party);
    world_cut(a->party.world, &a->party);
}

void actor_start(struct actor *a) {
    a->dead = false;
    if (a->script.setup.role == PROTOCOL_ACCEPTED) {
        world_listen(a->party.world, &a->party, a->script.address, 0, a->script.protocol->is_datagram);
        return;
    }
    a->net.now = world_now(a->party.world);
    actor_dial(a);
    world_poke(a->party.world, &a->party);
}

const struct actor_got *actor_got(const struct actor *a, struct slice id) {
    return map_get(&a->got, id);
}

uint32_t actor_times(const struct actor *a, struct slice id) {
    const struct actor_got *got = map_get(&a->got, id);
    return got ? got->times : 0;
}
