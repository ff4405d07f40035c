/* What workers of one node say to each other. A session that takes messages is announced to all (PRESENCE); the others
 * pick it like any taker and hand messages over (DELIVER), at most a window of them, and keep each until they are told
 * what became of it (NEWS, REPLY). Messages with a partition key go to the key's home worker first (HOME). A reply that
 * finds no request here is passed round (SEEK). One parcel per turn and destination; first in, first out. */
#include "engine/once.h"
#include "engine/poll.h"
#include "engine/replies.h"
#include "engine/reported.h"

/* What may be under way to one session of another worker. Where the peer acknowledges, its own limit is shared; else the
 * window only has to cover what happens until the news of its arrival is back. */
#define REMOTE_WINDOW_MIN 8
#define REMOTE_WINDOW 4096
#define REMOTE_BYTES (512u << 10)

static struct slice name_of(const struct engine *engine, uint32_t system) {
    const struct system *found = engine_system(engine, system);
    return found ? found->name : slice_make("", 0);
}

/* -- presence -- */

static uint32_t window_of(const struct engine *engine, const struct member *m) {
    if (!m->session->connection->sink.terms.acks)
        return REMOTE_WINDOW;
    uint32_t share = m->limit / engine->options.workers;
    return share < REMOTE_WINDOW_MIN ? REMOTE_WINDOW_MIN : share;
}

void mail_presence(struct engine *engine, const struct member *m, bool present) {
    const struct recipient *r = m->recipient;
    struct letter letter = {.kind = present ? LETTER_PRESENT : LETTER_ABSENT, .sub = m->sub, .identity = r->identity,
                            .limit = window_of(engine, m), .handle = m->session->work->announced};
    /* A system's own name: one that a new plan has no more had another index. */
    struct slice texts[4] = {r->is_subscription ? name_of(engine, r->system) : r->name,
                             r->is_subscription ? r->filter_text : slice_make("", 0),
                             r->is_subscription ? r->group : slice_make("", 0), slice_make("", 0)};
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        if (i == engine->options.worker)
            continue;
        parcel_flush_news(engine, i); /* what arrived there before it left did arrive */
        parcel_write(engine, i, &letter, texts, NULL);
    }
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

/* What waits for it here goes back to its owners, the newest first: so it stands at the heads of their lanes in order. */
static void return_foreign(struct engine *engine, struct session *s) {
    struct list *foreign = &s->work->foreign;
    while (foreign->count) {
        struct delivery *d = LIST_ENTRY(foreign->head.previous, struct delivery, node);
        list_remove(foreign, &d->node);
        mail_outcome(engine, d, ENDING_DEAD, STATUS_OVERLOADED, true);
        delivery_free(engine, d);
    }
}

void mail_pause(struct engine *engine, struct session *s, uint32_t limit) {
    struct list_node *node = list_first(&s->members);
    if (engine->options.workers < 2 || !node)
        return;
    const struct member *m = LIST_ENTRY(node, struct member, session_node);
    uint32_t window = window_of(engine, m);
    struct letter letter = {.kind = LETTER_PAUSE, .sub = m->sub, .limit = limit < window ? limit : window,
                            .handle = s->work->announced};
    struct slice texts[4] = {m->recipient->name, slice_make("", 0), slice_make("", 0), slice_make("", 0)};
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        if (i == engine->options.worker)
            continue;
        parcel_flush_news(engine, i); /* what came back while it was paused is told before it is no longer */
        parcel_write(engine, i, &letter, texts, NULL);
    }
    if (limit == 0)
        return_foreign(engine, s);
}

static void pause_remote(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]) {
    struct system *system = engine_system(engine, plan_system(engine->plan, texts[0]));
    struct member *m = system ? find_remote(&system->recipient.members, from, letter->handle, letter->sub) : NULL;
    if (!m)
        return;
    m->limit = letter->limit;
    member_look(engine, m);
}

/* -- handing over -- */

static enum status hand_to(struct engine *engine, struct delivery *d, uint32_t worker, struct letter *letter) {
    d->mail_id = remote_add(engine->post, d);
    if (d->mail_id == 0)
        return STATUS_NO_MEMORY;
    letter->id = d->mail_id;
    letter->attempt = d->attempt;
    letter->priority = d->priority;
    letter->received = d->received;
    letter->attempt_ns = d->attempt_ns;
    letter->trace = d->trace;
    letter->route = d->route;
    letter->attempts = d->timed ? d->attempts : 0;
    letter->request_due = d->asks ? d->request_due : MONO_NEVER;
    struct slice texts[4] = {name_of(engine, d->recipient->system), slice_make("", 0), slice_make("", 0),
                             name_of(engine, d->from)};
    if (!parcel_write(engine, worker, letter, texts, d->message)) {
        remote_remove(engine->post, d->mail_id);
        return STATUS_OVERLOADED;
    }
    d->worker = worker;
    if (d->trace)
        trace_handed(engine, d, worker);
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
    choice_count(m, 1);
    m->in_flight++;
    m->remote_bytes += message_kept_size(d->message);
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
    remote_remove(engine->post, d->mail_id);
    if (d->asks && d->worker != engine->options.worker) { /* who has it would try it again */
        struct letter letter = {.kind = LETTER_FORGET, .id = d->mail_id};
        struct slice texts[4] = {name_of(engine, d->recipient->system), message_text(d->message, ATTRIBUTE_ID), {0}, {0}};
        parcel_write(engine, d->worker, &letter, texts, NULL); /* lost: one reply more, that nobody waits for */
    }
    if (d->member)
        mail_landed(engine, d);
}

bool mail_has_room(const struct member *m) {
    return m->in_flight < m->limit && m->remote_bytes < REMOTE_BYTES;
}

/* -- for others: what this worker does with what it was handed -- */

static struct news ending_news(uint64_t id, enum engine_ending ending, enum status status, bool unsent) {
    enum news_verdict verdict = ending == ENDING_DELIVERED || ending == ENDING_REPLIED ? NEWS_ARRIVED
                                : ending == ENDING_EXPIRED                             ? NEWS_EXPIRED
                                : unsent                                               ? NEWS_UNSENT
                                                                                       : NEWS_REJECTED;
    return (struct news){.id = id, .status = (uint16_t)status, .verdict = (unsigned)verdict & 0x7f};
}

void mail_tell(struct engine *engine, uint32_t to, uint64_t id, enum engine_ending ending, enum status status,
               bool unsent) {
    parcel_tell(engine, to, ending_news(id, ending, status, unsent));
}

void mail_failed(struct engine *engine, uint32_t to, uint64_t id, const struct attempt_failure *failure) {
    static const uint8_t verdicts[] = {[RETRY_UNSENT] = NEWS_UNSENT, [RETRY_REFUSED] = NEWS_RETRY, [RETRY_UNKNOWN] = NEWS_UNKNOWN};
    parcel_tell(engine, to, (struct news){.id = id, .retry_ms = failure->retry_ms, .status = (uint16_t)failure->status,
                                          .verdict = (unsigned)verdicts[failure->fate] & 0x7f, .acks = failure->acks, .attempt = failure->attempt});
}

void mail_outcome(struct engine *engine, struct delivery *d, enum engine_ending ending, enum status status, bool unsent) {
    struct news news = ending_news(d->origin_id, ending, status, unsent);
    news.attempt = d->attempt;
    parcel_tell(engine, d->origin, news);
}

void mail_reply(struct engine *engine, const struct delivery *d, const struct message *reply) {
    struct letter letter = {.kind = LETTER_REPLY, .id = d->origin_id};
    struct slice texts[4] = {name_of(engine, d->recipient->system), {0}, {0}, {0}};
    parcel_write(engine, d->origin, &letter, texts, reply);
}

/* Passes a reply on that met no request here; false when it has been everywhere. */
bool mail_seek(struct engine *engine, const struct message *reply, uint32_t from, uint32_t hops) {
    uint32_t workers = engine->options.workers;
    if (hops + 1 >= workers || !engine_system(engine, from))
        return false;
    struct letter letter = {.kind = LETTER_SEEK, .hops = hops + 1};
    struct slice texts[4] = {name_of(engine, from), {0}, {0}, {0}};
    return parcel_write(engine, (engine->options.worker + 1) % workers, &letter, texts, reply);
}

/* -- reading -- */

static uint32_t sender_of(struct engine *engine, struct slice name) {
    const struct system *last = engine_system(engine, engine->post->sender);
    if (name.size == 0)
        return CONFIG_NONE;
    if (!last || last->removed || !slice_equal(last->name, name))
        engine->post->sender = plan_system(engine->plan, name);
    return engine->post->sender;
}

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
    d->attempt_ns = letter->attempt_ns;
    d->trace = letter->trace;
    d->route = letter->route;
    d->attempts = letter->attempts;
    d->timed = letter->attempts > 0;
    d->from = sender_of(engine, texts[3]);
    if (letter->request_due.ns != INT64_MAX) {
        d->asks = true;
        d->request_due = letter->request_due;
        timer_set(engine, &d->timer, d->request_due);
        reply_expect(engine, d);
    }
    return d;
}

static struct member *member_of(struct engine *engine, const struct letter *letter) {
    const struct session *s = session_by_handle(engine, letter->handle);
    for (struct list_node *node = s ? list_first(&s->members) : NULL; node; node = list_next(&s->members, node)) {
        struct member *m = LIST_ENTRY(node, struct member, session_node);
        if (m->sub == letter->sub)
            return m;
    }
    return NULL;
}

/* Its owner keeps it, so it needs no record here but its flight. False: not now. */
static bool straight_on(struct engine *engine, uint32_t from, struct member *m, const struct letter *letter,
                        const struct slice texts[4], struct message *message) {
    struct session *s = m->session;
    if (letter->request_due.ns != INT64_MAX || s->work->foreign.count || !connection_has_room(s->connection))
        return false;
    if (message->expiry.ns <= engine->now.wall.ns) {
        mail_tell(engine, from, letter->id, ENDING_EXPIRED, STATUS_EXPIRED, false);
        return true;
    }
    message->priority = letter->priority;
    enum status status = flight_pass(engine, m, message, letter->attempt, sender_of(engine, texts[3]), from, letter->id);
    if (status != STATUS_OK)
        mail_tell(engine, from, letter->id, ENDING_DEAD, status, false);
    else if (letter->trace)
        trace_sent(engine, letter->trace, m, letter->attempt, message_kept_size(message));
    member_look(engine, m);
    return true;
}

static void take_delivery(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4],
                          struct message *message) {
    struct member *m = member_of(engine, letter);
    if (m && poll_is_idle(m->session)) { /* it was on its way when nobody waited any longer */
        mail_tell(engine, from, letter->id, ENDING_DEAD, STATUS_OVERLOADED, true);
        return;
    }
    if (m && straight_on(engine, from, m, letter, texts, message))
        return;
    struct delivery *d = m ? adopt(engine, from, m->recipient, letter, texts, message) : NULL;
    if (!d) {
        mail_tell(engine, from, letter->id, ENDING_DEAD, m ? STATUS_NO_MEMORY : STATUS_PEER_CLOSED, true);
        return;
    }
    d->session = m->session;
    d->member = m;
    d->state = DELIVERY_FOREIGN;
    list_add(&m->session->work->foreign, &d->node);
    foreign_flush(engine, m->session);
}

static void take_home(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4],
                      const struct message *message) {
    struct system *system = engine_system(engine, plan_system(engine->plan, texts[0]));
    struct delivery *d = system ? adopt(engine, from, &system->recipient, letter, texts, message) : NULL;
    if (!d) {
        mail_tell(engine, from, letter->id, ENDING_DEAD, STATUS_SYSTEM_REMOVED, false);
        return;
    }
    d->homed = true;
    recipient_queue(engine, d, false);
}

static void take_news(struct engine *engine, struct news news) {
    struct delivery *d = remote_find(engine->post, news.id);
    enum status status = (enum status)news.status;
    if (!d)
        return;
    if (news.verdict == NEWS_ARRIVED && d->asks) {
        if (d->member)
            mail_landed(engine, d);
        return; /* still known by its id: the reply comes the same way */
    }
    d->worker = engine->options.worker; /* it isn't there any more */
    d->attempt = news.attempt > d->attempt ? news.attempt : d->attempt;
    if (news.verdict == NEWS_UNSENT || news.verdict == NEWS_RETRY || news.verdict == NEWS_UNKNOWN) {
        /* Its worker knows no such session: whether that was told or lost, nothing goes there again. */
        struct member *gone = news.verdict == NEWS_UNSENT && status == STATUS_PEER_CLOSED ? d->member : NULL;
        enum retry_fate fate = news.verdict == NEWS_UNSENT ? RETRY_UNSENT : news.verdict == NEWS_RETRY ? RETRY_REFUSED : RETRY_UNKNOWN;
        struct attempt_failure failure = {fate, status, news.retry_ms, news.acks, d->member ? d->member->outlet : NULL};
        if (news.verdict == NEWS_UNSENT && status == STATUS_OVERLOADED && d->member)
            d->member->limit = 0; /* paused, even if that letter was lost */
        engine->said.status = status;
        attempt_failed(engine, d, &failure);
        engine->said.status = STATUS_OK;
        if (gone)
            member_leave(engine, gone);
        return;
    }
    bool drops = d->message->kind == KIND_NOTIFICATION;
    if (news.verdict == NEWS_ARRIVED)
        delivery_end(engine, d, ENDING_DELIVERED, STATUS_OK);
    else if (news.verdict == NEWS_EXPIRED)
        delivery_end(engine, d, ENDING_EXPIRED, status);
    else
        delivery_end(engine, d, drops ? ENDING_DROPPED : ENDING_DEAD, status);
}

static void take_forget(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]) {
    const struct system *system = engine_system(engine, plan_system(engine->plan, texts[0]));
    struct delivery *d = system ? map_get(&system->pending, texts[1]) : NULL;
    if (d && d->foreign && d->origin == from && d->origin_id == letter->id)
        delivery_end(engine, d, ENDING_DROPPED, STATUS_CANCELLED);
}

/* That worker had no memory to tell what became of some: of none that it has is known any more whether it arrived. */
static void take_lost(struct engine *engine, uint32_t from) {
    const struct post *post = engine->post;
    for (uint32_t i = 0; i < post->remote_count; i++) {
        const struct remote *remote = &post->remotes[i];
        if (remote->delivery && remote->delivery->worker == from)
            take_news(engine, (struct news){.id = remote->delivery->mail_id, .status = STATUS_OUTCOME_UNKNOWN,
                                            .verdict = NEWS_UNKNOWN, .acks = true});
    }
}

void mail_landed(struct engine *engine, struct delivery *d) {
    struct member *m = d->member;
    d->member = NULL;
    choice_count(m, -1);
    m->in_flight--;
    m->remote_bytes -= message_kept_size(d->message);
    m->recipient->in_flight--;
    engine->totals.in_flight--;
    member_look(engine, m);
}

static void read_letter(struct engine *engine, uint32_t from, const struct letter *letter, const uint8_t *bytes) {
    struct slice texts[4];
    struct message message;
    parcel_read(letter, bytes, texts, &message);
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
    case LETTER_LOST:
        take_lost(engine, from);
        break;
    case LETTER_NEWS:
        for (uint32_t i = 0; i < letter->count; i++)
            take_news(engine, parcel_news(bytes, i));
        break;
    case LETTER_REPLY:
        mine = remote_find(engine->post, letter->id);
        if (mine)
            mine->worker = engine->options.worker; /* it isn't there any more */
        if (mine)
            reply_give(engine, mine, &message);
        else
            ending_tell(engine, &message, NULL, plan_system(engine->plan, texts[0]), ENDING_DROPPED, STATUS_LATE_REPLY, 1, 0);
        break;
    case LETTER_FORGET:
        take_forget(engine, from, letter, texts);
        break;
    case LETTER_PAUSE:
        pause_remote(engine, from, letter, texts);
        break;
    case LETTER_ACK:
        ask_read(engine, from, letter, texts);
        break;
    case LETTER_ACKED:
        ask_answered(engine, letter, texts);
        break;
    case LETTER_HEALTH:
        probing_heard(engine, letter->sub, texts);
        break;
    case LETTER_LOAD:
        reported_heard(engine, from, letter, texts);
        break;
    case LETTER_FETCH:
        replies_read(engine, from, letter, texts);
        break;
    case LETTER_FETCHED:
        replies_answered(engine, letter, texts, &message);
        break;
    case LETTER_CLAIM:
        once_read(engine, from, letter, texts);
        break;
    case LETTER_CLAIMED:
        once_told(engine, from, letter, texts, &message);
        break;
    case LETTER_SETTLE:
        once_settled(engine, letter, texts, &message);
        break;
    case LETTER_DEDUPE:
        dedupe_read(engine, from, letter, texts);
        break;
    case LETTER_DEDUPED:
        dedupe_told(engine, from, letter, texts);
        break;
    case LETTER_DEDUPE_SETTLE:
        dedupe_settled(engine, letter, texts);
        break;
    case LETTER_RATE:
        rates_asked(engine, from, texts);
        break;
    case LETTER_RATED:
        rates_told(engine, from, texts);
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
