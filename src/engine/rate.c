/* Whether a message is within all rates that it meets: all are looked at before any is taken from. */
#include <stdio.h>

#include "engine/rate_inner.h"

#define SOON_NS (50 * NS_PER_MS) /* to ask again, where nobody can say when */
#define SENDER_MAX 64            /* bytes of what tells one sender from another */

/* -- buckets -- */

void rates_init(struct engine *engine) {
    struct rates *rates = &engine->rates;
    map_init(&rates->buckets, engine->options.seed);
    list_init(&rates->keyed);
    list_init(&rates->away);
    rates->timer = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_RATES};
}

static void bucket_free(struct engine *engine, struct bucket *b) {
    if (list_node_is_linked(&b->node))
        list_remove(&engine->rates.keyed, &b->node);
    if (list_node_is_linked(&b->away_node))
        list_remove(&engine->rates.away, &b->away_node);
    memory_free(b);
}

void rates_done(struct engine *engine) {
    size_t position = 0;
    struct bucket *b;
    while ((b = map_next(&engine->rates.buckets, &position)))
        bucket_free(engine, b);
    map_done(&engine->rates.buckets);
    deadlines_clear(&engine->deadlines, &engine->rates.timer.deadline);
}

static bool is_whole(const struct engine *engine, struct bucket *b) {
    for (int i = 0; i < PLAN_RATE_UNITS; i++)
        if (bucket_is_here(engine, b) ? !rate_is_full(&b->level[i], &b->rate->limits[i], engine->now.mono)
                                      : b->lease[i] || b->spent[i])
            return false;
    return true;
}

/* Those that were not used for longest are most likely whole again: nothing is forgotten with them. */
static bool make_place(struct engine *engine) {
    struct rates *rates = &engine->rates;
    struct list_node *node = list_first(&rates->keyed);
    while (node && LIST_ENTRY(node, struct bucket, node)->held.count)
        node = list_next(&rates->keyed, node);
    if (!node)
        return false;
    struct bucket *b = LIST_ENTRY(node, struct bucket, node);
    if (!is_whole(engine, b)) {
        engine->totals.rates_evicted++;
        if (!bucket_is_here(engine, b))
            (void)bucket_write(engine, b, false, true);
    }
    map_remove(&rates->buckets, bucket_key(b));
    bucket_free(engine, b);
    return true;
}

struct bucket *bucket_find(struct engine *engine, const struct plan_rate *rate, struct slice key) {
    struct rates *rates = &engine->rates;
    struct bucket *b = map_get(&rates->buckets, key);
    bool is_keyed = rate->by != CONFIG_RATE_ALL;
    if (b && is_keyed) {
        list_remove(&rates->keyed, &b->node);
        list_add(&rates->keyed, &b->node);
    }
    if (b || (is_keyed && rates->keyed.count >= RATE_KEYS_MAX && !make_place(engine)))
        return b;
    b = memory_new(sizeof *b + key.size);
    if (!b)
        return NULL;
    memcpy(b->key, key.data, key.size);
    b->key_size = (uint16_t)key.size;
    b->rate = rate;
    b->home = (uint32_t)(map_hash(key, 1) % engine->options.workers);
    list_init(&b->held);
    for (int i = 0; i < PLAN_RATE_UNITS; i++)
        rate_init(&b->level[i], &rate->limits[i], engine->now.mono);
    if (!map_put(&rates->buckets, bucket_key(b), b)) {
        memory_free(b);
        return NULL;
    }
    if (is_keyed)
        list_add(&rates->keyed, &b->node);
    return b;
}

/* Of IPv6 a whole /64 is one. */
static struct slice address_bytes(const struct address *address) {
    return slice_make(address->bytes, address->family == ADDRESS_IPV4 ? 4 : 8);
}

/* Who is counted; those who say nothing of themselves are one. */
static struct slice sender_of(const struct engine *engine, const struct session *s, enum config_rate_by by, uint32_t from,
                              struct address *address) {
    const struct config *config = engine->plan->config;
    if (by == CONFIG_RATE_IDENTITY && s->identity != SECURITY_NONE)
        return config->identities[s->identity].name;
    if (by == CONFIG_RATE_SYSTEM && from < config->system_count)
        return config->systems[from].name;
    if (by == CONFIG_RATE_ADDRESS)
        *address = address_unmapped(engine->rates.sender ? engine->rates.sender : &s->connection->peer);
    if (by == CONFIG_RATE_ADDRESS)
        return address_bytes(address);
    return slice_make("", 0);
}

struct bucket *bucket_of(struct engine *engine, const struct session *s, const struct plan_rate *rate, uint32_t from) {
    uint8_t bytes[PLAN_RATE_KEY_MAX];
    struct address address;
    struct slice sender = slice_head(sender_of(engine, s, rate->by, from, &address), SENDER_MAX);
    ASSERT(rate->prefix.size + sender.size <= sizeof bytes);
    memcpy(bytes, rate->prefix.data, rate->prefix.size);
    if (sender.size)
        memcpy(bytes + rate->prefix.size, sender.data, sender.size);
    return bucket_find(engine, rate, slice_make(bytes, rate->prefix.size + sender.size));
}

/* -- one bucket -- */

enum look { LOOK_PASSES, LOOK_FULL, LOOK_ASK, LOOK_NEVER };

static enum look look_here(struct engine *engine, struct bucket *b, uint64_t size, int64_t *ret_wait_ns) {
    int64_t wait = 0;
    for (int i = 0; i < PLAN_RATE_UNITS; i++) {
        if (b->rate->limits[i].burst == 0)
            continue;
        int64_t own = rate_wait_ns(&b->level[i], &b->rate->limits[i], rate_amount(i, size), engine->now.mono);
        wait = own > wait ? own : wait;
    }
    *ret_wait_ns = wait == INT64_MAX ? SOON_NS : wait; /* what is lent stands in its way */
    return wait ? LOOK_FULL : LOOK_PASSES;
}

static enum look look(struct engine *engine, struct bucket *b, uint64_t size, int64_t *ret_wait_ns) {
    bool has = true;
    for (int i = 0; i < PLAN_RATE_UNITS; i++) {
        if (b->rate->limits[i].burst == 0)
            continue;
        if (rate_amount(i, size) > b->rate->limits[i].burst)
            return LOOK_NEVER;
        has &= b->lease[i] >= rate_amount(i, size);
    }
    if (bucket_is_here(engine, b))
        return look_here(engine, b, size, ret_wait_ns);
    if (has && b->held.count == 0)
        return LOOK_PASSES;
    if (has && engine->rates.tries)
        return LOOK_PASSES;
    if (b->asked || mono_due(b->empty_until, engine->now.mono))
        return LOOK_ASK;
    *ret_wait_ns = b->empty_until.ns - engine->now.mono.ns;
    return LOOK_FULL;
}

static void take(struct engine *engine, struct bucket *b, uint64_t size) {
    bool is_low = false;
    for (int i = 0; i < PLAN_RATE_UNITS; i++) {
        uint64_t amount = rate_amount(i, size);
        if (b->rate->limits[i].burst == 0)
            continue;
        if (bucket_is_here(engine, b)) {
            rate_take(&b->level[i], &b->rate->limits[i], amount);
            continue;
        }
        b->lease[i] -= amount;
        b->spent[i] += amount;
        is_low |= b->lease[i] < b->spent[i] && bucket_share(engine, &b->rate->limits[i]) > 1; /* half of what it got */
    }
    b->was_used = true;
    if (bucket_is_here(engine, b))
        return;
    bucket_watch(engine, b);
    if (is_low && !b->asked && mono_due(b->empty_until, engine->now.mono))
        (void)bucket_write(engine, b, true, false);
}

uint64_t rate_size(const struct message *message) {
    return (uint64_t)message->wire_size + message->extra_size;
}

/* -- refusing and holding -- */

static const char *words_of(enum plan_rate_kind kind) {
    static const char *const words[PLAN_RATE_KINDS] = {
        "this listener takes no more for now", "its sender may send no more for now", "no more may go this way for now",
        "its recipient may be sent no more for now"};
    return words[kind];
}

static void refuse(struct engine *engine, struct session *s, uint64_t token, const struct message *message, uint32_t from,
                   enum status status, struct bucket *b, int64_t wait_ns) {
    if (status == STATUS_RATE_LIMITED) {
        engine->totals.rate_limited[b->rate->kind]++;
        (void)snprintf(engine->detail, sizeof engine->detail, "%s: rate limit of the %s", words_of(b->rate->kind),
                       plan_rate_word(b->rate->kind));
    } else if (status == STATUS_TOO_LARGE) {
        (void)snprintf(engine->detail, sizeof engine->detail, "it has %llu bytes; the rate of the %s lets %llu pass at once",
                       (unsigned long long)rate_size(message), plan_rate_word(b->rate->kind),
                       (unsigned long long)b->rate->limits[PLAN_RATE_BYTES].burst);
    }
    engine->rates.full = b;
    engine->rates.full_ns = wait_ns;
    int64_t ms = (wait_ns + NS_PER_MS - 1) / NS_PER_MS;
    ending_tell(engine, message, NULL, from, ENDING_REJECTED, status, 1, 0);
    session_refuse(engine, s, token, status, ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX);
    engine->rates.full = NULL;
    engine->detail[0] = '\0';
}

static void held_free(struct engine *engine, struct held *h) {
    list_remove(&h->bucket->held, &h->node);
    list_remove(&h->session->work->rated, &h->session_node);
    engine->totals.waiting--;
    memory_free(h);
}

bool bucket_hold(struct engine *engine, struct bucket *b, struct session *s, uint64_t token, const struct message *message,
                 uint32_t from, bool is_admitted) {
    if (b->held.count >= RATE_HELD_MAX || engine->rates.tries >= RATE_TRIES_MAX || !session_work(s))
        return false;
    struct held *h = memory_new(sizeof *h);
    struct message *kept = h ? message_keep(message, &engine->kept) : NULL;
    if (!kept) {
        memory_free(h);
        return false;
    }
    *h = (struct held){.bucket = b, .session = s, .message = kept, .token = token, .since = engine->now.mono, .from = from,
                       .is_admitted = is_admitted, .tries = engine->rates.tries};
    if (engine->rates.sender)
        h->sender = *engine->rates.sender;
    list_add(&b->held, &h->node);
    list_add(&s->work->rated, &h->session_node);
    engine->totals.waiting++;
    bucket_watch(engine, b);
    if (b->asked || bucket_write(engine, b, true, false))
        return true;
    held_free(engine, h);
    message_unref(kept);
    return false;
}

void bucket_serve(struct engine *engine, struct bucket *b) {
    struct rates *rates = &engine->rates;
    for (size_t left = b->held.count; left && b->held.count; left--) {
        struct held h = *LIST_ENTRY(list_first(&b->held), struct held, node);
        held_free(engine, LIST_ENTRY(list_first(&b->held), struct held, node));
        rates->tries = (uint8_t)(h.tries + 1);
        rates->is_admitted = h.is_admitted;
        rates->sender = h.sender.family == ADDRESS_NONE ? NULL : &h.sender;
        intake_again(engine, h.session, h.token, h.message);
        rates->tries = 0;
        rates->is_admitted = false;
        rates->sender = NULL;
        message_unref(h.message);
    }
}

void rate_closed(struct engine *engine, struct session *s) {
    while (s->work->rated.count) {
        struct held *h = LIST_ENTRY(list_first(&s->work->rated), struct held, session_node);
        struct message *message = h->message;
        ending_tell(engine, message, NULL, h->from, ENDING_REJECTED, STATUS_CANCELLED, 1, engine->now.mono.ns - h->since.ns);
        held_free(engine, h);
        message_unref(message);
    }
}

/* -- all that a message meets -- */

struct way {
    const struct plan_rates *rates;
    const struct session *session;
    const struct routing *routing; /* NULL: where it comes in */
    uint32_t from;
    uint32_t at;
};

/* NULL at the end; `*ret_may_miss`: it is one of many copies, which don't veto, or one of several that may be chosen. */
static const struct plan_rate *way_next(const struct engine *engine, struct way *way, bool *ret_may_miss) {
    const struct plan_rate *rate = NULL;
    /* One of several is chosen later: rate_copies() takes from its system's then, and here is only borrowed. */
    bool is_chosen = way->routing && way->routing->way != CONFIG_WAY_COPIES;
    uint32_t count = !way->routing ? 2 : 1 + way->routing->target_count;
    *ret_may_miss = false;
    while (!rate && way->at < count) {
        uint32_t at = way->at++;
        if (!way->routing && at == 0)
            rate = way->session->listener ? way->rates->listeners[way->session->listener - engine->plan->listeners] : NULL;
        else if (!way->routing)
            rate = way->session->identity != SECURITY_NONE ? way->rates->identities[way->session->identity] : NULL;
        else if (at == 0)
            rate = way->routing->route >= 0 ? way->rates->routes[way->routing->route] : NULL;
        else if (!router_skips(engine, way->routing, way->routing->targets[at - 1].system, way->from))
            rate = way->rates->systems[way->routing->targets[at - 1].system];
        *ret_may_miss = at > 0 && way->routing && (way->routing->to_all || is_chosen);
    }
    return rate;
}

static bool run(struct engine *engine, struct session *s, uint64_t token, const struct message *message, uint32_t from,
                const struct routing *routing) {
    struct way start = {engine->plan->rates, s, routing, from, 0}, way = start;
    uint64_t size = rate_size(message);
    const struct plan_rate *rate;
    int64_t wait_ns = NS_PER_S;
    bool may_miss;
    if (s->work->rated.count && !engine->rates.tries) { /* in its sender's order */
        struct list_node *last = s->work->rated.head.previous;
        struct bucket *b = LIST_ENTRY(last, struct held, session_node)->bucket;
        if (!bucket_hold(engine, b, s, token, message, from, routing != NULL))
            refuse(engine, s, token, message, from, STATUS_RATE_LIMITED, b, wait_ns);
        return false;
    }
    while ((rate = way_next(engine, &way, &may_miss))) {
        struct bucket *b = bucket_of(engine, s, rate, from);
        enum look what = b ? look(engine, b, size, &wait_ns) : LOOK_FULL;
        if (what == LOOK_PASSES || (may_miss && what != LOOK_ASK))
            continue;
        if (what == LOOK_ASK && bucket_hold(engine, b, s, token, message, from, routing != NULL))
            return false;
        if (may_miss)
            continue;
        enum status status = !b ? STATUS_NO_MEMORY : what == LOOK_NEVER ? STATUS_TOO_LARGE : STATUS_RATE_LIMITED;
        refuse(engine, s, token, message, from, status, b, what == LOOK_FULL ? wait_ns : what == LOOK_NEVER ? 0 : NS_PER_S);
        return false;
    }
    for (way = start; (rate = way_next(engine, &way, &may_miss));) {
        struct bucket *b = may_miss ? NULL : bucket_of(engine, s, rate, from);
        if (b)
            take(engine, b, size);
    }
    return true;
}

bool rate_admits(struct engine *engine, struct session *s, uint64_t token, const struct message *message, uint32_t from) {
    if (engine->rates.is_admitted || (!engine->plan->rates->any_arrival && s->work->rated.count == 0))
        return true;
    return run(engine, s, token, message, from, NULL);
}

bool rate_passes(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                 const struct routing *routing, uint32_t from) {
    return !engine->plan->rates->any_way || run(engine, s, token, message, from, routing);
}

bool rate_copies(struct engine *engine, const struct session *s, const struct message *message, uint32_t system,
                 uint32_t from) {
    const struct plan_rate *rate = engine->plan->rates->systems[system];
    struct bucket *b = rate ? bucket_of(engine, s, rate, from) : NULL;
    int64_t wait_ns;
    if (!rate)
        return true;
    if (!b || look(engine, b, rate_size(message), &wait_ns) != LOOK_PASSES) {
        engine->totals.rate_limited[PLAN_RATE_SYSTEM]++;
        return false;
    }
    take(engine, b, rate_size(message));
    return true;
}

/* -- reload -- */

/* What nobody has any more is served by what is there now, then forgotten. */
void rates_configure(struct engine *engine) {
    struct rates *rates = &engine->rates;
    struct list gone;
    size_t position = 0;
    struct bucket *b;
    list_init(&gone);
    while ((b = map_next(&rates->buckets, &position))) {
        b->rate = plan_rate_find(engine->plan, bucket_key(b));
        if (b->rate)
            continue;
        map_remove(&rates->buckets, bucket_key(b));
        if (list_node_is_linked(&b->node))
            list_remove(&rates->keyed, &b->node);
        list_add(&gone, &b->node);
    }
    while (gone.count) {
        b = LIST_ENTRY(list_take_first(&gone), struct bucket, node);
        bucket_serve(engine, b);
        if (list_node_is_linked(&b->away_node))
            list_remove(&rates->away, &b->away_node);
        memory_free(b);
    }
}
