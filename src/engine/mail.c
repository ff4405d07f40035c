/* What workers of one node say to each other. A session that takes messages is announced to all (PRESENCE); the others
 * pick it like any taker and hand messages over (DELIVER), at most a window of them, and keep each until they are told
 * what became of it (OUTCOME, REPLY). Messages with a partition key go to the key's home worker first (HOME). A reply that
 * finds no request here is passed round (SEEK). One parcel per turn and destination; first in, first out. */
#include <stddef.h>

#include "engine/inner.h"

#define PARCEL_MAX (64u << 20)
#define REMOTE_WINDOW_MIN 8

enum letter_kind {
    LETTER_PRESENT, /* a session serves a system or subscribes; text: system, filter, group */
    LETTER_ABSENT,
    LETTER_DELIVER, /* for session `handle`, subscription `sub` */
    LETTER_HOME,    /* for the system named, through its lanes here */
    LETTER_OUTCOME, /* of `id` */
    LETTER_REPLY,   /* to `id` */
    LETTER_SEEK,    /* a reply from system `text`: whose request? */
};

enum letter_verdict { LETTER_ACCEPTED, LETTER_REJECTED, LETTER_RETRY, LETTER_EXPIRED, LETTER_UNSENT, LETTER_UNKNOWN };

struct letter {
    uint32_t size; /* of all, a multiple of 16 */
    uint8_t kind;
    uint8_t verdict;
    uint8_t attempt;
    uint8_t priority;
    uint32_t status;
    uint32_t sub;
    uint32_t limit;
    uint32_t identity;
    uint32_t hops;
    uint16_t text_sizes[4]; /* system, filter, group, sending system; they follow in this order, then the message */
    uint32_t message_size;  /* struct message cut to its values, wire, extra */
    uint64_t id;
    uint64_t handle;
    struct mono received;
    struct mono request_due;
};

struct post {
    struct buffer *parcels; /* by worker */
    struct engine_mail *mail;
    struct map remotes; /* mail_id -> delivery that is with another worker */
    uint64_t next_id;
};

bool post_new(struct engine *engine) {
    uint32_t workers = engine->options.workers;
    struct post *post = memory_new(sizeof *post);
    engine->post = post;
    if (!post)
        return false;
    map_init(&post->remotes, 7);
    post->parcels = memory_array(workers, sizeof *post->parcels);
    post->mail = memory_array(workers, sizeof *post->mail);
    for (uint32_t i = 0; post->parcels && i < workers; i++)
        buffer_init(&post->parcels[i], PARCEL_MAX);
    return post->parcels && post->mail;
}

void post_free(struct engine *engine) {
    struct post *post = engine->post;
    if (!post)
        return;
    for (uint32_t i = 0; post->parcels && i < engine->options.workers; i++)
        buffer_done(&post->parcels[i]);
    map_done(&post->remotes);
    memory_free(post->parcels);
    memory_free(post->mail);
    memory_free(post);
}

/* -- writing -- */

static size_t message_head_size(const struct message *message) {
    return offsetof(struct message, values) + message->value_count * sizeof(struct value);
}

/* False when the parcel is full or memory is out: the letter isn't there then. */
static bool write_letter(struct engine *engine, uint32_t to, struct letter *letter, const struct slice texts[4],
                         const struct message *message) {
    struct buffer *out = &engine->post->parcels[to];
    size_t size = sizeof *letter;
    for (int i = 0; i < 4; i++) {
        letter->text_sizes[i] = (uint16_t)texts[i].size;
        size += texts[i].size;
    }
    size = (size + 15) & ~(size_t)15;
    if (message) {
        letter->message_size = (uint32_t)(message_head_size(message) + message->wire_size + message->extra_size);
        size += letter->message_size;
    }
    size = (size + 15) & ~(size_t)15;
    letter->size = (uint32_t)size;
    uint8_t *at = buffer_reserve(out, size);
    if (!at) {
        out->status = STATUS_OK;
        return false;
    }
    memset(at, 0, size);
    uint8_t *start = at;
    memcpy(at, letter, sizeof *letter);
    at += sizeof *letter;
    for (int i = 0; i < 4; i++) {
        if (texts[i].size)
            memcpy(at, texts[i].data, texts[i].size);
        at += texts[i].size;
    }
    if (message) {
        at = start + (((size_t)(at - start) + 15) & ~(size_t)15);
        memcpy(at, message, message_head_size(message));
        at += message_head_size(message);
        if (message->wire_size)
            memcpy(at, message->wire, message->wire_size);
        if (message->extra_size)
            memcpy(at + message->wire_size, message->extra, message->extra_size);
    }
    buffer_added(out, size);
    return true;
}

static struct slice name_of(const struct engine *engine, uint32_t system) {
    const struct system *found = engine_system(engine, system);
    return found ? found->name : slice_make("", 0);
}

/* Parcels of this turn, for the world to carry. */
void post_collect(struct engine *engine, struct engine_actions *ret) {
    struct post *post = engine->post;
    ret->mail = post->mail;
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        struct buffer *parcel = &post->parcels[i];
        if (parcel->size == 0)
            continue;
        struct block *block = block_new(parcel->size, NULL);
        if (!block)
            continue; /* it stays for the next turn */
        memcpy(block->data, parcel->data, parcel->size);
        post->mail[ret->mail_count++] = (struct engine_mail){i, block, (uint32_t)parcel->size};
        buffer_clear(parcel);
    }
}

/* -- presence -- */

static uint32_t window_of(const struct engine *engine, uint32_t limit) {
    uint32_t share = limit / engine->options.workers;
    return share < REMOTE_WINDOW_MIN ? REMOTE_WINDOW_MIN : share;
}

void mail_presence(struct engine *engine, const struct member *m, bool present) {
    const struct recipient *r = m->recipient;
    struct letter letter = {.kind = present ? LETTER_PRESENT : LETTER_ABSENT, .sub = m->sub, .identity = r->identity,
                            .limit = window_of(engine, m->limit), .handle = m->session->connection->handle};
    struct slice texts[4] = {name_of(engine, r->system), r->is_subscription ? r->filter_text : slice_make("", 0),
                             r->is_subscription ? r->group : slice_make("", 0), slice_make("", 0)};
    for (uint32_t i = 0; i < engine->options.workers; i++)
        if (i != engine->options.worker)
            write_letter(engine, i, &letter, texts, NULL);
}

static struct member *find_remote(struct list *members, uint32_t worker, uint64_t handle, uint32_t sub) {
    for (struct list_node *node = list_first(members); node; node = list_next(members, node)) {
        struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        if (!m->session && m->worker == worker && m->handle == handle && m->sub == sub)
            return m;
    }
    return NULL;
}

static void present(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]) {
    uint32_t system = plan_system(engine->plan, texts[0]);
    struct recipient *r = NULL;
    if (texts[1].size) {
        struct session ghost = {.system = system, .identity = letter->identity};
        struct protocol_subscription sub = {.filter = texts[1], .group = texts[2]};
        struct message_fault fault;
        r = subscription_find(engine, &ghost, sub.group);
        if (!r)
            r = subscription_new(engine, &ghost, &sub, &fault);
    } else if (engine_system(engine, system)) {
        r = &engine_system(engine, system)->recipient;
    }
    if (r)
        member_new_remote(engine, r, from, letter->handle, letter->sub, letter->limit);
    if (r && r->is_subscription && r->members.count == 0) /* no memory: a subscription of nobody is none */
        subscription_end(engine, r);
}

static void absent(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]) {
    struct system *system = engine_system(engine, plan_system(engine->plan, texts[0]));
    struct member *m = NULL;
    if (texts[1].size == 0 && system)
        m = find_remote(&system->recipient.members, from, letter->handle, letter->sub);
    for (struct list_node *node = list_first(&engine->subscriptions); node && texts[1].size && !m;
         node = list_next(&engine->subscriptions, node))
        m = find_remote(&LIST_ENTRY(node, struct recipient, node)->members, from, letter->handle, letter->sub);
    if (m)
        member_leave(engine, m);
}

/* -- handing over -- */

static enum status hand_to(struct engine *engine, struct delivery *d, uint32_t worker, struct letter *letter) {
    struct post *post = engine->post;
    d->mail_id = ++post->next_id;
    if (!map_put(&post->remotes, slice_make(&d->mail_id, sizeof d->mail_id), d))
        return STATUS_NO_MEMORY;
    letter->id = d->mail_id;
    letter->attempt = d->attempt;
    letter->priority = d->priority;
    letter->received = d->received;
    letter->request_due = d->asks ? d->request_due : MONO_NEVER;
    struct slice texts[4] = {name_of(engine, d->recipient->system), slice_make("", 0), slice_make("", 0),
                             name_of(engine, d->from)};
    if (!write_letter(engine, worker, letter, texts, d->message)) {
        map_remove(&post->remotes, slice_make(&d->mail_id, sizeof d->mail_id));
        return STATUS_OVERLOADED;
    }
    d->worker = worker;
    return STATUS_OK;
}

/* To a session on another worker; `d` is in its recipient's `sent` and moves to those that wait elsewhere. */
enum status mail_deliver(struct engine *engine, struct member *m, struct delivery *d) {
    struct letter letter = {.kind = LETTER_DELIVER, .sub = m->sub, .handle = m->handle};
    enum status status = hand_to(engine, d, m->worker, &letter);
    if (status != STATUS_OK)
        return status;
    list_remove(&m->recipient->sent, &d->node);
    list_add(&m->recipient->asked, &d->node);
    d->state = DELIVERY_REMOTE;
    d->member = m;
    m->in_flight++;
    m->recipient->in_flight++;
    engine->totals.in_flight++;
    return STATUS_OK;
}

uint32_t mail_home(const struct engine *engine, const struct recipient *r, const struct message *message) {
    struct slice key = message_text(message, ATTRIBUTE_PARTITIONKEY);
    if (engine->options.workers < 2 || key.size == 0 || r->is_subscription)
        return engine->options.worker;
    return (uint32_t)(map_hash(key, map_hash(r->name, 1)) % engine->options.workers);
}

/* To the home of its key; it is in no list yet. */
enum status mail_go_home(struct engine *engine, struct delivery *d, uint32_t home) {
    struct letter letter = {.kind = LETTER_HOME};
    enum status status = hand_to(engine, d, home, &letter);
    if (status != STATUS_OK)
        return status;
    list_add(&d->recipient->asked, &d->node);
    d->state = DELIVERY_REMOTE;
    return STATUS_OK;
}

/* The delivery ends or comes back: whatever is still said about it counts no more. */
void mail_forget(struct engine *engine, struct delivery *d) {
    map_remove(&engine->post->remotes, slice_make(&d->mail_id, sizeof d->mail_id));
    struct member *m = d->member;
    d->member = NULL;
    if (!m)
        return;
    m->in_flight--;
    m->recipient->in_flight--;
    engine->totals.in_flight--;
    member_look(engine, m);
}

/* -- for others: what this worker does with what it was handed -- */

static void tell(struct engine *engine, const struct delivery *d, enum letter_verdict verdict, enum status status) {
    struct letter letter = {.kind = LETTER_OUTCOME, .verdict = (uint8_t)verdict, .status = status, .id = d->origin_id};
    const struct slice none[4] = {{0}, {0}, {0}, {0}};
    /* Lost only when memory is: then its owner's deadline ends it. */
    write_letter(engine, d->origin, &letter, none, NULL);
}

/* What became of a delivery of another worker; frees it unless its reply is still to come. Its list was left. */
void mail_outcome(struct engine *engine, struct delivery *d, enum engine_ending ending, enum status status, bool unsent) {
    enum letter_verdict verdict = ending == ENDING_DELIVERED || ending == ENDING_REPLIED ? LETTER_ACCEPTED
                                  : ending == ENDING_EXPIRED                             ? LETTER_EXPIRED
                                  : unsent                                               ? LETTER_UNSENT
                                  : status == STATUS_OUTCOME_UNKNOWN                     ? LETTER_UNKNOWN
                                  : status == STATUS_RETRIES_EXHAUSTED                   ? LETTER_RETRY
                                                                                         : LETTER_REJECTED;
    tell(engine, d, verdict, status);
}

void mail_reply(struct engine *engine, const struct delivery *d, const struct message *reply) {
    struct letter letter = {.kind = LETTER_REPLY, .id = d->origin_id};
    struct slice texts[4] = {name_of(engine, d->recipient->system), {0}, {0}, {0}};
    write_letter(engine, d->origin, &letter, texts, reply);
}

/* Passes a reply on that met no request here; false when it has been everywhere. */
bool mail_seek(struct engine *engine, const struct message *reply, uint32_t from, uint32_t hops) {
    uint32_t workers = engine->options.workers;
    if (hops + 1 >= workers || !engine_system(engine, from))
        return false;
    struct letter letter = {.kind = LETTER_SEEK, .hops = hops + 1};
    struct slice texts[4] = {name_of(engine, from), {0}, {0}, {0}};
    return write_letter(engine, (engine->options.worker + 1) % workers, &letter, texts, reply);
}

/* -- reading -- */

static struct delivery *adopt(struct engine *engine, uint32_t origin, struct recipient *r, const struct letter *letter,
                              const struct slice texts[4], const struct message *message) {
    struct delivery *d = delivery_new(engine, r, message);
    if (!d)
        return NULL;
    d->origin = origin;
    d->origin_id = letter->id;
    d->foreign = true;
    d->attempt = letter->attempt;
    d->priority = letter->priority;
    d->received = letter->received;
    d->from = plan_system(engine->plan, texts[3]);
    if (letter->request_due.ns != INT64_MAX) {
        d->asks = true;
        d->request_due = letter->request_due;
        timer_set(engine, &d->timer, d->request_due);
        reply_expect(engine, d);
    }
    return d;
}

static void refuse_letter(struct engine *engine, uint32_t from, const struct letter *letter, enum letter_verdict verdict,
                          enum status status) {
    struct delivery ghost = {.origin = from, .origin_id = letter->id};
    tell(engine, &ghost, verdict, status);
}

static void take_delivery(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4],
                          const struct message *message) {
    struct connection *c = net_find(&engine->net, letter->handle);
    struct session *s = c && c->was_open ? c->owner : NULL;
    struct member *m = NULL;
    for (struct list_node *node = s ? list_first(&s->members) : NULL; node; node = list_next(&s->members, node)) {
        struct member *each = LIST_ENTRY(node, struct member, session_node);
        if (each->sub == letter->sub)
            m = each;
    }
    struct delivery *d = m ? adopt(engine, from, m->recipient, letter, texts, message) : NULL;
    if (!d) {
        refuse_letter(engine, from, letter, LETTER_UNSENT, STATUS_PEER_CLOSED);
        return;
    }
    d->session = s;
    d->member = m;
    d->state = DELIVERY_FOREIGN;
    list_add(&s->foreign, &d->node);
    foreign_flush(engine, s);
}

static void take_home(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4],
                      const struct message *message) {
    struct system *system = engine_system(engine, plan_system(engine->plan, texts[0]));
    struct delivery *d = system ? adopt(engine, from, &system->recipient, letter, texts, message) : NULL;
    if (!d) {
        refuse_letter(engine, from, letter, LETTER_REJECTED, STATUS_SYSTEM_REMOVED);
        return;
    }
    d->homed = true;
    recipient_queue(engine, d, false);
}

static struct delivery *find_mine(struct engine *engine, uint64_t id) {
    return map_get(&engine->post->remotes, slice_make(&id, sizeof id));
}

static void take_outcome(struct engine *engine, const struct letter *letter) {
    struct delivery *d = find_mine(engine, letter->id);
    enum status status = (enum status)letter->status;
    if (!d)
        return;
    if (letter->verdict == LETTER_ACCEPTED && d->asks) {
        if (d->member)
            mail_landed(engine, d);
        return; /* still known by its id: the reply comes the same way */
    }
    struct recipient *r = d->recipient;
    bool again = letter->verdict == LETTER_UNSENT || (letter->verdict == LETTER_UNKNOWN && flight_may_repeat(d, true));
    if (again) {
        mail_forget(engine, d);
        list_remove(&r->asked, &d->node);
        d->attempt = (uint8_t)(d->attempt + (letter->verdict == LETTER_UNKNOWN));
        recipient_queue(engine, d, true);
        return;
    }
    bool drops = d->message->kind == KIND_NOTIFICATION;
    if (letter->verdict == LETTER_ACCEPTED)
        delivery_end(engine, d, ENDING_DELIVERED, STATUS_OK);
    else if (letter->verdict == LETTER_EXPIRED)
        delivery_end(engine, d, ENDING_EXPIRED, status);
    else
        delivery_end(engine, d, drops ? ENDING_DROPPED : ENDING_DEAD, status);
}

void mail_landed(struct engine *engine, struct delivery *d) {
    struct member *m = d->member;
    d->member = NULL;
    m->in_flight--;
    m->recipient->in_flight--;
    engine->totals.in_flight--;
    member_look(engine, m);
}

static void read_letter(struct engine *engine, uint32_t from, const struct letter *letter, const uint8_t *bytes) {
    struct slice texts[4];
    const uint8_t *at = bytes + sizeof *letter;
    for (int i = 0; i < 4; i++) {
        texts[i] = slice_make(at, letter->text_sizes[i]);
        at += letter->text_sizes[i];
    }
    struct message message;
    if (letter->message_size) {
        at = bytes + (((size_t)(at - bytes) + 15) & ~(size_t)15);
        memcpy(&message, at, offsetof(struct message, values));
        memcpy(message.values, at + offsetof(struct message, values), message.value_count * sizeof(struct value));
        message.block = NULL;
        message.wire = at + message_head_size(&message);
        message.extra = message.wire + message.wire_size;
    }
    struct delivery *mine;
    switch ((enum letter_kind)letter->kind) {
    case LETTER_PRESENT:
        present(engine, from, letter, texts);
        break;
    case LETTER_ABSENT:
        absent(engine, from, letter, texts);
        break;
    case LETTER_DELIVER:
        take_delivery(engine, from, letter, texts, &message);
        break;
    case LETTER_HOME:
        take_home(engine, from, letter, texts, &message);
        break;
    case LETTER_OUTCOME:
        take_outcome(engine, letter);
        break;
    case LETTER_REPLY:
        mine = find_mine(engine, letter->id);
        if (mine)
            reply_give(engine, mine, &message);
        else
            ending_tell(engine, &message, NULL, plan_system(engine->plan, texts[0]), ENDING_DROPPED, STATUS_LATE_REPLY, 1, 0);
        break;
    case LETTER_SEEK:
        if (!reply_take(engine, NULL, &message, 0, plan_system(engine->plan, texts[0])) &&
            !mail_seek(engine, &message, plan_system(engine->plan, texts[0]), letter->hops))
            ending_tell(engine, &message, NULL, plan_system(engine->plan, texts[0]), ENDING_DROPPED, STATUS_LATE_REPLY, 1, 0);
        break;
    }
}

void mail_read(struct engine *engine, uint32_t from, struct slice parcel) {
    while (parcel.size >= sizeof(struct letter)) {
        struct letter letter;
        memcpy(&letter, parcel.data, sizeof letter);
        ASSERT(letter.size >= sizeof letter && letter.size <= parcel.size);
        read_letter(engine, from, &letter, parcel.data);
        parcel = slice_skip(parcel, letter.size);
    }
}
