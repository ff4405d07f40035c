/* Acks: each goes to the worker whose peer was given that message, which may be another than the one they came to. */
#include "engine/poll.h"

#define ASK_NS (5 * NS_PER_S) /* no worker is silent for so long */

/* A request with acks for other workers. */
struct ask {
    struct list_node node;
    struct timer timer;
    uint64_t id;
    uint64_t connection;
    uint64_t token;
    uint32_t pending;
    struct buffer late;
};

/* False: it came too late, or is none of that system's. */
static bool ack_here(struct engine *engine, uint32_t system, const struct poll_id *id, enum pull_outcome outcome, uint32_t retry_ms) {
    const struct connection *c = net_find(&engine->net, id->handle);
    const struct session *s = c ? c->owner : NULL;
    if (!s || c->protocol != &poll_row || s->system != system)
        return false;
    struct poll *p = c->state;
    return p->nonce == id->nonce && poll_ack(p, id->token, outcome, retry_ms);
}

static void add_late(struct buffer *late, struct slice id) {
    buffer_add_text(late, late->size ? "\",\"" : "{\"late\":[\"");
    for (size_t i = 0; i < id.size; i++) /* it may be anything that is no id of ours */
        buffer_add_byte(late, id.data[i]);
}

static void answer(struct session *s, uint64_t token, struct buffer *late) {
    if (late->size)
        buffer_add_text(late, "\"]}");
    if (late->status != STATUS_OK)
        poll_refuse(s, token, STATUS_NO_MEMORY, "");
    else if (late->size)
        poll_answer(s, token, &(struct protocol_answer){.code = 200, .content_type = SLICE_OF("application/json"),
                                                        .body = buffer_slice(late)});
    else
        poll_answer(s, token, &(struct protocol_answer){.code = 204});
    buffer_done(late);
}

static bool pass_on(struct engine *engine, uint64_t ask, const struct pull *pull, const struct pull_ack *ack, uint32_t worker) {
    struct letter letter = {.kind = LETTER_ACK, .id = ask, .sub = ack->outcome, .limit = ack->retry_ms};
    struct slice none = slice_make("", 0), texts[4] = {pull->system, ack->id, none, none};
    return parcel_write(engine, worker, &letter, texts, NULL);
}

static void ask_end(struct engine *engine, struct ask *ask, enum status status) {
    const struct connection *c = net_find(&engine->net, ask->connection);
    struct session *s = c ? c->owner : NULL;
    deadlines_clear(&engine->deadlines, &ask->timer.deadline);
    list_remove(&engine->asks, &ask->node);
    if (s && status == STATUS_OK)
        answer(s, ask->token, &ask->late);
    else if (s)
        poll_refuse(s, ask->token, status, "not all acks could be handed over: send them again");
    buffer_done(&ask->late);
    memory_free(ask);
}

/* NULL when memory is out. */
static struct ask *ask_new(struct engine *engine, const struct session *s, uint64_t token) {
    struct ask *ask = memory_new(sizeof *ask);
    if (!ask)
        return NULL;
    *ask = (struct ask){.id = ++engine->asked, .connection = s->connection->handle, .token = token,
                        .timer = {.deadline = {.at = MONO_NEVER}, .kind = TIMER_ASK}};
    list_add(&engine->asks, &ask->node);
    timer_set(engine, &ask->timer, mono_after(engine->now.mono, ASK_NS));
    return ask;
}

void ask_begin(struct engine *engine, struct session *s, uint64_t token, const struct pull *pull) {
    struct buffer late;
    struct ask *ask = NULL;
    uint32_t system = plan_system(engine->plan, pull->system);
    bool failed = false;
    buffer_init(&late, 1u << 20);
    for (size_t i = 0; i < pull->ack_count && !failed; i++) {
        const struct pull_ack *ack = &pull->acks[i];
        struct poll_id id;
        bool is_ours = poll_id_read(ack->id, &id) && id.worker < engine->options.workers;
        if (is_ours && id.worker != engine->options.worker) {
            if (!ask)
                ask = ask_new(engine, s, token);
            failed = !ask || !pass_on(engine, ask->id, pull, ack, id.worker);
            if (!failed)
                ask->pending++;
        } else if (!is_ours || !ack_here(engine, system, &id, ack->outcome, ack->retry_ms)) {
            add_late(&late, ack->id);
        }
    }
    if (!ask && !failed) {
        answer(s, token, &late);
        return;
    }
    if (!ask) {
        poll_refuse(s, token, STATUS_NO_MEMORY, "");
        buffer_done(&late);
        return;
    }
    ask->late = late;
    if (failed)
        ask_end(engine, ask, STATUS_OVERLOADED);
}

/* -- mail -- */

void ask_read(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]) {
    struct poll_id id;
    bool is_taken = poll_id_read(texts[1], &id) && ack_here(engine, plan_system(engine->plan, texts[0]), &id,
                                                           (enum pull_outcome)letter->sub, letter->limit);
    struct letter back = {.kind = LETTER_ACKED, .id = letter->id, .count = !is_taken};
    struct slice none = slice_make("", 0), ids[4] = {none, texts[1], none, none};
    parcel_write(engine, from, &back, ids, NULL); /* lost: who asked is told to ask again */
}

void ask_answered(struct engine *engine, const struct letter *letter, const struct slice texts[4]) {
    for (struct list_node *node = list_first(&engine->asks); node; node = list_next(&engine->asks, node)) {
        struct ask *ask = LIST_ENTRY(node, struct ask, node);
        if (ask->id != letter->id)
            continue;
        if (letter->count)
            add_late(&ask->late, texts[1]);
        if (--ask->pending == 0)
            ask_end(engine, ask, STATUS_OK);
        return;
    }
}

void ask_ring(struct engine *engine, struct timer *timer) {
    ask_end(engine, LIST_ENTRY(timer, struct ask, timer), STATUS_OVERLOADED);
}

void ask_done(struct engine *engine) {
    while (engine->asks.count) {
        struct ask *ask = LIST_ENTRY(list_first(&engine->asks), struct ask, node);
        deadlines_clear(&engine->deadlines, &ask->timer.deadline);
        list_remove(&engine->asks, &ask->node);
        buffer_done(&ask->late);
        memory_free(ask);
    }
}
