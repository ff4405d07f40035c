/* Replies: they meet the request that they answer, and reach who asked. */
#include "base/buffer.h"
#include "base/json_write.h"
#include "engine/hedge.h"
#include "engine/ways.h"
#include "message/encoding.h"

#define PARKED_ANSWERS_MAX 1024 /* replies that wait for an asker who was lost and may come back */

/* From now on a reply with this message's id is expected from its recipient. False when another sender's request of
 * the same id is pending there, or memory is out. */
bool reply_expect(struct engine *engine, struct delivery *d) {
    struct system *system = engine_system(engine, d->recipient->system);
    struct slice id = message_text(d->message, ATTRIBUTE_ID);
    struct delivery *other = system ? map_get(&system->pending, id) : NULL;
    if (other && other->is_mirror && !d->is_mirror) {
        mirror_yield(engine, other);
        other = NULL;
    }
    if (!system || other || !map_put(&system->pending, id, d))
        return false;
    d->pending = true;
    d->pending_map = &system->pending;
    return true;
}

void reply_unexpect(struct delivery *d) {
    if (!d->pending)
        return;
    map_remove(d->pending_map, message_text(d->message, ATTRIBUTE_ID));
    d->pending = false;
}

/* correlationid decides only when exactly one pending request has it. */
static struct delivery *by_correlation(const struct system *system, struct slice id) {
    struct delivery *found = NULL, *d;
    size_t position = 0;
    if (id.size == 0 || system->pending.count > 1024)
        return NULL;
    while ((d = map_next(&system->pending, &position))) {
        struct slice theirs = message_text(d->message, ATTRIBUTE_CORRELATIONID);
        if (theirs.size == 0)
            theirs = message_text(d->message, ATTRIBUTE_ID);
        if (!slice_equal(theirs, id))
            continue;
        if (found)
            return NULL;
        found = d;
    }
    return found;
}

static struct delivery *find_request(struct engine *engine, struct session *s, const struct message *reply,
                                     uint64_t reply_to, uint32_t from) {
    if (reply_to) {
        struct flight *f = flight_find(s, reply_to);
        if (f && f->delivery && f->delivery->is_hedge)
            return hedge_answered(engine, f->delivery);
        if (f && f->delivery && f->delivery->pending)
            return f->delivery;
        return NULL;
    }
    const struct system *system = engine_system(engine, from);
    if (!system)
        return NULL; /* only the system that was asked may answer */
    struct slice cause = message_text(reply, ATTRIBUTE_CAUSATIONID);
    struct delivery *d = cause.size ? map_get(&system->pending, cause) : NULL;
    if (d)
        return d;
    struct slice flow = message_text(reply, ATTRIBUTE_CORRELATIONID);
    if (flow.size == 0)
        flow = message_text(reply, ATTRIBUTE_REPLYID);
    return by_correlation(system, flow);
}

void reply_complete(const struct message *reply, struct slice cause, struct slice flow, struct slice target,
                    struct overlay *overlay) {
    if (!message_has(reply, ATTRIBUTE_CAUSATIONID))
        overlay_set_text(overlay, ATTRIBUTE_CAUSATIONID, cause);
    if (!message_has(reply, ATTRIBUTE_CORRELATIONID))
        overlay_set_text(overlay, ATTRIBUTE_CORRELATIONID, flow.size ? flow : cause);
    if (target.size && !message_has(reply, ATTRIBUTE_TARGET))
        overlay_set_text(overlay, ATTRIBUTE_TARGET, target);
    uint64_t ours = attribute_ours();
    for (unsigned i = 0; i < reply->value_count; i++)
        if (reply->values[i].known < ATTRIBUTE_COUNT && ours & ATTRIBUTE_BIT(reply->values[i].known))
            overlay_remove(overlay, (enum attribute)reply->values[i].known);
}

static void complete(struct engine *engine, const struct delivery *d, const struct message *reply,
                     uint32_t asker, struct overlay *overlay) {
    const struct system *system = engine_system(engine, asker);
    reply_complete(reply, message_text(d->message, ATTRIBUTE_ID),
                   message_text(d->message, ATTRIBUTE_CORRELATIONID),
                   system ? system->name : slice_make("", 0), overlay);
}

/* On the asker's exchange, on its connection, or there when it has room again. */
static bool hand_over(struct engine *engine, struct session *asker, uint64_t token, const struct message *reply,
                      const struct overlay *overlay) {
    bool parked = asker->connection->status == CONNECTION_PARKED;
    if (asker->connection->status != CONNECTION_OPEN && (!parked || asker->work->answers.count >= PARKED_ANSWERS_MAX))
        return false;
    if (asker->connection->sink.terms.inline_reply)
        return flight_answer(engine, asker, reply, overlay, token) == STATUS_OK;
    if (asker->work->answers.count == 0 && connection_has_room(asker->connection))
        return flight_answer(engine, asker, reply, overlay, 0) == STATUS_OK;
    /* It waits with its changes made: encoded anew, then kept. */
    struct buffer *scratch = &engine->net.worker.scratch;
    struct message changed;
    struct message_fault fault;
    const struct message *kept = reply;
    if (!overlay_is_empty(overlay)) {
        buffer_clear(scratch);
        buffer_clear(&engine->net.worker.extra);
        struct message_rules rules = {.declared = &engine->plan->config->extensions, .size_max = UINT32_MAX};
        if (message_encode_json(reply, overlay, scratch) != STATUS_OK ||
            message_decode_json(&changed, buffer_slice(scratch), &engine->net.worker.extra, &rules, &fault) != STATUS_OK)
            return false;
        kept = &changed;
    }
    struct delivery *d = session_work(asker) ? delivery_new(engine, NULL, kept) : NULL;
    if (!d)
        return false;
    d->state = DELIVERY_ANSWER;
    d->session = asker;
    list_add(&asker->work->answers, &d->node);
    return true;
}

void reply_flush(struct engine *engine, struct session *s) {
    while (s->work->answers.count && connection_has_room(s->connection)) {
        struct delivery *d = LIST_ENTRY(list_first(&s->work->answers), struct delivery, node);
        enum status status = flight_answer(engine, s, d->message, NULL, 0);
        list_remove(&s->work->answers, &d->node);
        if (status != STATUS_OK)
            ending_tell(engine, d->message, NULL, d->from, ENDING_DROPPED, status, 1, 0);
        delivery_free(engine, d);
    }
}

/* replyto names a system of ours: the reply goes there as a message of its own. */
static bool to_reply_address(struct engine *engine, const struct delivery *d, const struct message *reply) {
    struct slice address = message_text(d->message, ATTRIBUTE_REPLYTO);
    struct slice prefix = SLICE_OF("/systems/");
    if (!slice_starts(address, prefix))
        return false;
    struct system *system = engine_system(engine, plan_system(engine->plan, slice_skip(address, prefix.size)));
    if (!system || !recipient_has_room(&system->recipient, message_kept_size(reply)))
        return false;
    struct delivery *answer = delivery_new(engine, &system->recipient, reply);
    if (!answer)
        return false;
    answer->from = d->recipient->system;
    recipient_queue(engine, answer, false);
    return true;
}

/* Takes a response or an error; false when nobody waits for it. */
bool reply_take(struct engine *engine, struct session *s, const struct message *reply, uint64_t reply_to,
                uint32_t from) {
    struct delivery *d = find_request(engine, s, reply, reply_to, from);
    if (!d)
        return false;
    if (d->twin && !reply_to)
        hedge_answered_by(engine, d, s);
    engine->taker = s ? s->connection->protocol : NULL;
    reply_give(engine, d, reply);
    engine->taker = NULL;
    return true;
}

/* The reply of this request is here. */
void reply_give(struct engine *engine, struct delivery *d, const struct message *reply) {
    if (d->foreign) { /* its owner knows who asked */
        mail_reply(engine, d, reply);
        delivery_end(engine, d, ENDING_REPLIED, STATUS_OK);
        return;
    }
    if (d->is_mirror) {
        engine->totals.mirror_replies++;
        delivery_end(engine, d, ENDING_REPLIED, STATUS_OK);
        return;
    }
    if (d->trace)
        trace_answered(engine, d, reply);
    uint32_t from = d->recipient->system;
    struct session *asker = d->asker;
    bool taken = false;
    if (asker) {
        struct overlay overlay;
        overlay_init(&overlay);
        complete(engine, d, reply, d->from, &overlay);
        taken = hand_over(engine, asker, d->asker_token, reply, &overlay);
        if (taken) {
            list_remove(&asker->work->asked, &d->asker_node);
            d->asker = NULL;
        }
    } else if (d->later) {
        taken = replies_keep(engine, d, reply);
    } else {
        taken = to_reply_address(engine, d, reply);
    }
    if (!taken)
        ending_tell(engine, reply, NULL, from, ENDING_DROPPED, STATUS_LATE_REPLY, 1, 0);
    if (!taken && (asker || d->later)) /* its exchange must not stay open */
        delivery_end(engine, d, ENDING_DEAD, STATUS_UPSTREAM_ERROR);
    else
        delivery_end(engine, d, ENDING_REPLIED, STATUS_OK);
}

static void problem(struct buffer *out, const struct engine *engine, enum status status) {
    const struct status_row *row = status_row(status);
    buffer_add_text(out, "{\"type\":\"");
    buffer_add(out, engine->plan->config->public_url);
    buffer_add_format(out, "/problems/%s\",\"title\":\"%s\",\"status\":%u,\"reason\":\"%s\"}", row->reason, row->title,
                      (unsigned)row->http, row->reason);
}

/* The asker of `d` gets no reply: its exchange is answered, or it gets an error event of ours. */
void reply_fail(struct engine *engine, struct delivery *d, enum status status) {
    struct session *asker = d->asker;
    list_remove(&asker->work->asked, &d->asker_node);
    d->asker = NULL;
    if (asker->connection->status != CONNECTION_OPEN && asker->connection->status != CONNECTION_PARKED)
        return;
    if (asker->connection->sink.terms.inline_reply) {
        connection_settle(asker->connection, d->asker_token, d->asker_token, status, 0);
        return;
    }
    if (!asker->connection->sink.terms.can_reply)
        return;
    uint8_t data[512], extra_bytes[1024];
    struct buffer text, extra;
    buffer_init_fixed(&text, data, sizeof data);
    buffer_init_fixed(&extra, extra_bytes, sizeof extra_bytes);
    problem(&text, engine, status);
    struct message error;
    struct message_fault fault;
    uint8_t id[16];
    char id_text[UUID_TEXT_SIZE];
    uuid_make(&engine->net.worker.ids, engine->now.wall, id);
    uuid_text(id, id_text);
    message_init(&error, buffer_slice(&text));
    message_add(&error, &extra, ATTRIBUTE_ID, slice_make(id_text, sizeof id_text), &fault);
    message_add(&error, &extra, ATTRIBUTE_SOURCE, SLICE_OF("/intertie"), &fault);
    message_add(&error, &extra, ATTRIBUTE_TYPE, SLICE_OF("intertie.error.v1"), &fault);
    message_add(&error, &extra, ATTRIBUTE_MESSAGETYPE, SLICE_OF("error"), &fault);
    message_add(&error, &extra, ATTRIBUTE_DATACONTENTTYPE, SLICE_OF("application/problem+json"), &fault);
    message_set_data(&error, DATA_JSON);
    if (text.status != STATUS_OK || message_seal(&error, &extra, &fault) != STATUS_OK)
        return;
    struct overlay overlay;
    overlay_init(&overlay);
    complete(engine, d, &error, d->from, &overlay);
    hand_over(engine, asker, d->asker_token, &error, &overlay);
}

/* Who asked is gone: replies to it go to `replyto` or nowhere; what wasn't sent yet needn't be. */
void reply_forget_asker(struct engine *engine, struct session *s) {
    struct list_node *node;
    while ((node = list_first(&s->work->asked))) {
        struct delivery *d = LIST_ENTRY(node, struct delivery, asker_node);
        list_remove(&s->work->asked, &d->asker_node);
        d->asker = NULL;
        replies_drop(engine, d);
        bool elsewhere = message_has(d->message, ATTRIBUTE_REPLYTO);
        if (!elsewhere && (d->state == DELIVERY_QUEUED || d->state == DELIVERY_BLOCKED || d->state == DELIVERY_LATER))
            delivery_end(engine, d, ENDING_DROPPED, STATUS_CANCELLED);
    }
    while ((node = list_first(&s->work->answers))) {
        struct delivery *d = LIST_ENTRY(node, struct delivery, node);
        delivery_end(engine, d, ENDING_DROPPED, STATUS_LATE_REPLY);
    }
}
