/* Replies that are kept until who asked fetches them: replies.h tells how. */
#include "engine/replies.h"

#include "engine/poll.h"

#define MAIL_NS (5 * NS_PER_S) /* no worker is silent for so long */

/* One request for a reply: it waits here for what is open, or for another worker's answer. */
struct fetch {
    struct list_node node;
    struct timer timer;
    struct later *later; /* NULL: another worker looks */
    uint64_t id; /* ours, or the other's */
    uint32_t worker; /* whose */
    uint64_t connection; /* ours: its exchange */
    uint64_t token;
};

/* What a fetch is answered with. */
struct fetched_answer {
    enum fetched what;
    enum status status;
    unsigned form;
    const struct message *reply;
    struct slice cause, flow, target;
};

static struct slice key_of(const struct later *l) {
    return slice_make(l->receipt, sizeof l->receipt);
}

/* -- who asks -- */

static uint8_t put_name(uint8_t *out, struct slice name) {
    size_t size = name.size < REPLIES_NAME_MAX ? name.size : REPLIES_NAME_MAX;
    if (size)
        memcpy(out, name.data, size);
    return (uint8_t)size;
}

static struct replies_asker asker_of(const struct engine *engine, const struct session *s) {
    struct replies_asker asker = {0};
    const struct system *system = engine_system(engine, s->system);
    if (s->identity != SECURITY_NONE)
        asker.identity_size = put_name(asker.identity, engine->plan->config->identities[s->identity].name);
    if (system)
        asker.system_size = put_name(asker.system, system->name);
    return asker;
}

static struct slice identity_of(const struct replies_asker *asker) {
    return slice_make(asker->identity, asker->identity_size);
}

static struct slice system_of(const struct replies_asker *asker) {
    return slice_make(asker->system, asker->system_size);
}

/* The same identity; or nobody, who acts as the same system. */
static bool is_asker(const struct later *l, struct slice identity, struct slice system) {
    return slice_equal(identity_of(&l->asker), identity) &&
           (identity.size || slice_equal(system_of(&l->asker), system));
}

/* -- lives -- */

static struct list *list_of(struct engine *engine, enum later_state state) {
    return state == LATER_OPEN   ? &engine->replies.open
           : state == LATER_KEPT ? &engine->replies.kept
                                 : &engine->replies.gone;
}

static void move_to(struct engine *engine, struct later *l, enum later_state state) {
    list_remove(list_of(engine, (enum later_state)l->state), &l->node);
    l->state = (uint8_t)state;
    list_add(list_of(engine, state), &l->node);
    engine->totals.replies_kept = engine->replies.kept.count;
}

static void clear(struct engine *engine, struct later *l) {
    deadlines_clear(&engine->deadlines, &l->timer.deadline);
    message_unref(l->reply);
    memory_free(l->texts);
    l->reply = NULL;
    l->texts = NULL;
    engine->replies.bytes -= l->bytes;
    l->bytes = 0;
}

static void forget(struct engine *engine, struct later *l) {
    ASSERT(l->waits.count == 0);
    clear(engine, l);
    map_remove(&engine->replies.by_receipt, key_of(l));
    list_remove(list_of(engine, (enum later_state)l->state), &l->node);
    memory_free(l);
}

static void end(struct engine *engine, struct later *l) {
    uint64_t most = l->gone_max;
    clear(engine, l);
    move_to(engine, l, LATER_GONE);
    while (engine->replies.gone.count > most)
        forget(engine, LIST_ENTRY(list_first(&engine->replies.gone), struct later, node));
}

static void evict(struct engine *engine) {
    engine->totals.replies_evicted++;
    end(engine, LIST_ENTRY(list_first(&engine->replies.kept), struct later, node));
}

static bool make_room(struct engine *engine, uint64_t most) {
    struct replies *all = &engine->replies;
    while (all->open.count + all->kept.count >= most && all->kept.count)
        evict(engine);
    return all->open.count + all->kept.count < most;
}

/* Its exchange is over: the reply is fetched. */
static void leave_exchange(struct delivery *d) {
    list_remove(&d->asker->work->asked, &d->asker_node);
    d->asker = NULL;
}

void replies_begin(struct engine *engine, struct delivery *d) {
    const struct plan_listener *listener = d->asker->listener;
    const struct message *message = d->message;
    if (!listener || !message->has_receipt || !make_room(engine, listener->config->async.replies))
        return;
    struct later *l = memory_new(sizeof *l);
    if (!l)
        return;
    memcpy(l->receipt, message->receipt, sizeof l->receipt);
    if (map_get(&engine->replies.by_receipt, key_of(l)) ||
        !map_put(&engine->replies.by_receipt, key_of(l), l)) {
        memory_free(l);
        return;
    }
    l->form = message->later;
    l->delivery = d;
    l->keep_ns = listener->config->async.keep_ns;
    l->gone_max = listener->config->async.replies;
    l->asker = asker_of(engine, d->asker);
    l->timer = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_LATER};
    list_init(&l->waits);
    list_add(&engine->replies.open, &l->node);
    d->later = l;
    if (message->wait_s == 0)
        leave_exchange(d);
    else
        timer_set(engine, &l->timer, mono_after(engine->now.mono, (int64_t)message->wait_s * NS_PER_S));
}

void replies_ring(struct engine *engine, struct timer *timer) {
    struct later *l = LIST_ENTRY(timer, struct later, timer);
    if (l->state == LATER_KEPT) {
        end(engine, l);
        return;
    }
    struct delivery *d = l->delivery;
    if (!d->asker)
        return;
    struct connection *c = d->asker->connection;
    uint64_t token = d->asker_token;
    leave_exchange(d);
    connection_settle(c, token, token, STATUS_OK, 0); /* taken, and fetched from now on */
}

/* -- answers -- */

static struct fetched_answer answer_of(const struct later *l) {
    if (l->state == LATER_GONE)
        return (struct fetched_answer){.what = FETCHED_GONE};
    if (l->state == LATER_OPEN)
        return (struct fetched_answer){.what = FETCHED_OPEN};
    return (struct fetched_answer){.what = l->reply ? FETCHED_REPLY : FETCHED_PROBLEM,
                                   .status = l->status,
                                   .form = l->form,
                                   .reply = l->reply,
                                   .cause = l->cause,
                                   .flow = l->flow,
                                   .target = l->target};
}

static void answer_reply(struct session *s, uint64_t token, const struct fetched_answer *a) {
    struct overlay overlay;
    overlay_init(&overlay);
    reply_complete(a->reply, a->cause, a->flow, a->target, &overlay);
    poll_answer(
        s, token,
        &(struct protocol_answer){.code = 200, .message = a->reply, .overlay = &overlay, .form = a->form});
}

static void answer_here(struct session *s, uint64_t token, const struct fetched_answer *a) {
    switch (a->what) {
    case FETCHED_REPLY:
        answer_reply(s, token, a);
        break;
    case FETCHED_PROBLEM:
        poll_answer(s, token, &(struct protocol_answer){.problem = a->status, .retry_ms = 1000});
        break;
    case FETCHED_OPEN:
        poll_answer(s, token,
                    &(struct protocol_answer){.code = 202, .lines = SLICE_OF("Retry-After: 1\r\n")});
        break;
    case FETCHED_GONE:
        poll_refuse(s, token, STATUS_GONE,
                    "the reply was kept for `async.keep`, or until there were too many");
        break;
    case FETCHED_UNKNOWN:
        poll_refuse(s, token, STATUS_NOT_FOUND, "no reply is due or kept under that id for who asks");
        break;
    }
}

/* Without room for the letter who asked is told to ask again. */
static void answer_there(struct engine *engine, uint32_t worker, uint64_t id,
                         const struct fetched_answer *a) {
    struct letter letter = {
        .kind = LETTER_FETCHED, .id = id, .sub = a->what, .limit = a->status, .count = a->form};
    struct slice none = slice_make("", 0), texts[4] = {a->cause, a->flow, a->target, none};
    for (int i = 0; i < 3; i++)
        if (texts[i].size > UINT16_MAX) /* no header or index could hold it either */
            texts[i] = none;
    parcel_write(engine, worker, &letter, texts, a->what == FETCHED_REPLY ? a->reply : NULL);
}

static void answer(struct engine *engine, const struct fetch *f, const struct fetched_answer *a) {
    if (f->worker != engine->options.worker) {
        answer_there(engine, f->worker, f->id, a);
        return;
    }
    const struct connection *c = net_find(&engine->net, f->connection);
    if (c && c->owner)
        answer_here(c->owner, f->token, a);
}

static void fetch_free(struct engine *engine, struct fetch *f) {
    deadlines_clear(&engine->deadlines, &f->timer.deadline);
    if (f->later) {
        list_remove(&f->later->waits, &f->node);
        engine->replies.waiting--;
    } else {
        list_remove(&engine->replies.fetches, &f->node);
    }
    memory_free(f);
}

static void answer_all(struct engine *engine, struct later *l, const struct fetched_answer *a) {
    while (l->waits.count) {
        struct fetch *f = LIST_ENTRY(list_first(&l->waits), struct fetch, node);
        answer(engine, f, a);
        fetch_free(engine, f);
    }
}

void replies_drain(struct engine *engine) {
    struct fetched_answer a = {.what = FETCHED_OPEN};
    for (struct list_node *node = list_first(&engine->replies.open); node;
         node = list_next(&engine->replies.open, node))
        answer_all(engine, LIST_ENTRY(node, struct later, node), &a);
}

void replies_drop(struct engine *engine, struct delivery *d) {
    if (!d->later)
        return;
    struct fetched_answer a = {.what = FETCHED_UNKNOWN};
    answer_all(engine, d->later, &a);
    forget(engine, d->later);
    d->later = NULL;
}

/* -- what comes -- */

static void finish(struct engine *engine, struct delivery *d) {
    struct later *l = d->later;
    d->later = NULL;
    l->delivery = NULL;
    move_to(engine, l, LATER_KEPT);
    timer_set(engine, &l->timer, mono_after(engine->now.mono, l->keep_ns));
    engine->replies.bytes += l->bytes;
    struct fetched_answer a = answer_of(l);
    answer_all(engine, l, &a);
    while (engine->replies.bytes > REPLIES_BYTES)
        evict(engine);
}

static struct slice put(uint8_t **at, struct slice text) {
    struct slice copy = slice_make(*at, text.size);
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

bool replies_keep(struct engine *engine, struct delivery *d, const struct message *reply) {
    struct later *l = d->later;
    const struct system *asker = engine_system(engine, d->from);
    struct slice cause = message_text(d->message, ATTRIBUTE_ID),
                 flow = message_text(d->message, ATTRIBUTE_CORRELATIONID);
    struct slice target = asker ? asker->name : slice_make("", 0);
    size_t size = cause.size + flow.size + target.size;
    uint8_t *at = memory_alloc(size + 1);
    if (!at)
        return false;
    l->texts = at;
    l->cause = put(&at, cause);
    l->flow = put(&at, flow);
    l->target = put(&at, target);
    l->reply =
        reply->block ? message_ref((struct message *)(uintptr_t)reply) : message_keep(reply, &engine->kept);
    if (!l->reply)
        return false;
    l->bytes = size + message_kept_size(l->reply);
    finish(engine, d);
    return true;
}

void replies_fail(struct engine *engine, struct delivery *d, enum status status) {
    d->later->status = status;
    finish(engine, d);
}

/* -- fetches -- */

static struct later *find(const struct engine *engine, struct slice receipt, struct slice identity,
                          struct slice system) {
    struct later *l = map_get(&engine->replies.by_receipt, receipt);
    return l && is_asker(l, identity, system) ? l : NULL;
}

static struct fetch *fetch_new(struct engine *engine, struct later *later, struct mono until) {
    struct fetch *f = memory_new(sizeof *f);
    if (!f)
        return NULL;
    f->later = later;
    f->timer = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_FETCH};
    list_add(later ? &later->waits : &engine->replies.fetches, &f->node);
    engine->replies.waiting += later != NULL;
    timer_set(engine, &f->timer, until);
    return f;
}

/* True: it waits, and what waits is to be filled in. */
static struct fetch *wait_for(struct engine *engine, struct later *l, struct mono until) {
    if (!l || l->state != LATER_OPEN || mono_due(until, engine->now.mono) || engine->draining ||
        engine->replies.waiting >= REPLIES_FETCHES_MAX)
        return NULL;
    return fetch_new(engine, l, until);
}

static void fetch_here(struct engine *engine, struct session *s, uint64_t token, const struct pull *pull,
                       struct slice receipt) {
    struct replies_asker asker = asker_of(engine, s);
    struct later *l = find(engine, receipt, identity_of(&asker), system_of(&asker));
    struct fetch *f = wait_for(engine, l, mono_after(engine->now.mono, pull->wait_ns));
    if (f) {
        f->worker = engine->options.worker;
        f->connection = s->connection->handle;
        f->token = token;
        return;
    }
    struct fetched_answer a = l ? answer_of(l) : (struct fetched_answer){.what = FETCHED_UNKNOWN};
    answer_here(s, token, &a);
}

static void fetch_there(struct engine *engine, struct session *s, uint64_t token, const struct pull *pull,
                        struct slice receipt, uint32_t worker) {
    struct replies_asker asker = asker_of(engine, s);
    struct mono until = mono_after(engine->now.mono, pull->wait_ns);
    struct fetch *f = fetch_new(engine, NULL, mono_after(until, MAIL_NS));
    if (!f) {
        poll_refuse(s, token, STATUS_NO_MEMORY, "");
        return;
    }
    f->id = ++engine->replies.fetched;
    f->worker = engine->options.worker;
    f->connection = s->connection->handle;
    f->token = token;
    struct letter letter = {.kind = LETTER_FETCH, .id = f->id, .request_due = until};
    struct slice texts[4] = {system_of(&asker), identity_of(&asker), receipt, slice_make("", 0)};
    if (parcel_write(engine, worker, &letter, texts, NULL))
        return;
    fetch_free(engine, f);
    poll_refuse(s, token, STATUS_OVERLOADED, "");
}

void replies_fetch(struct engine *engine, struct session *s, uint64_t token, const struct pull *pull) {
    uint32_t worker = uuid_node(pull->receipt);
    struct slice receipt = slice_make(pull->receipt, sizeof pull->receipt);
    if (worker >= engine->options.workers || worker == engine->options.worker)
        fetch_here(engine, s, token, pull, receipt);
    else
        fetch_there(engine, s, token, pull, receipt, worker);
}

void replies_read(struct engine *engine, uint32_t from, const struct letter *letter,
                  const struct slice texts[4]) {
    struct later *l = find(engine, texts[2], texts[1], texts[0]);
    struct fetch *f = wait_for(engine, l, letter->request_due);
    if (f) {
        f->worker = from;
        f->id = letter->id;
        return;
    }
    struct fetched_answer a = l ? answer_of(l) : (struct fetched_answer){.what = FETCHED_UNKNOWN};
    answer_there(engine, from, letter->id, &a);
}

void replies_answered(struct engine *engine, const struct letter *letter, const struct slice texts[4],
                      const struct message *message) {
    for (struct list_node *node = list_first(&engine->replies.fetches); node;
         node = list_next(&engine->replies.fetches, node)) {
        struct fetch *f = LIST_ENTRY(node, struct fetch, node);
        if (f->id != letter->id)
            continue;
        struct fetched_answer a = {.what = (enum fetched)letter->sub,
                                   .status = (enum status)letter->limit,
                                   .form = letter->count,
                                   .reply = message,
                                   .cause = texts[0],
                                   .flow = texts[1],
                                   .target = texts[2]};
        answer(engine, f, &a);
        fetch_free(engine, f);
        return;
    }
}

void replies_fetch_ring(struct engine *engine, struct timer *timer) {
    struct fetch *f = LIST_ENTRY(timer, struct fetch, timer);
    struct fetched_answer a = {.what = f->later ? FETCHED_OPEN : FETCHED_PROBLEM,
                               .status = STATUS_OVERLOADED};
    answer(engine, f, &a);
    fetch_free(engine, f);
}

/* -- the whole -- */

uint64_t replies_memory(const struct engine *engine) {
    const struct replies *all = &engine->replies; /* the messages are in engine->kept */
    return (all->open.count + all->kept.count + all->gone.count) * sizeof(struct later) +
           (all->waiting + all->fetches.count) * sizeof(struct fetch);
}

void replies_init(struct engine *engine, uint64_t seed) {
    struct replies *all = &engine->replies;
    map_init(&all->by_receipt, seed);
    list_init(&all->open);
    list_init(&all->kept);
    list_init(&all->gone);
    list_init(&all->fetches);
}

void replies_done(struct engine *engine) {
    struct replies *all = &engine->replies;
    while (all->fetches.count)
        fetch_free(engine, LIST_ENTRY(list_first(&all->fetches), struct fetch, node));
    for (int state = LATER_OPEN; state <= LATER_GONE; state++) {
        struct list *list = list_of(engine, (enum later_state)state);
        while (list->count) {
            struct later *l = LIST_ENTRY(list_first(list), struct later, node);
            while (l->waits.count)
                fetch_free(engine, LIST_ENTRY(list_first(&l->waits), struct fetch, node));
            forget(engine, l);
        }
    }
    map_done(&all->by_receipt);
}
