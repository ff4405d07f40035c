/* Borrowing from a bucket's home, and what peers are told of their rates. */
#include <stdio.h>

#include "engine/parcel.h"
#include "engine/rate_inner.h"

#define LOST_NS NS_PER_S        /* an answer that isn't there by then won't come */
#define SOON_NS (50 * NS_PER_MS) /* to ask again, where nobody can say when */

/* To the home. */
struct rate_note {
    uint64_t need[PLAN_RATE_UNITS];  /* of those that are held */
    uint64_t first[PLAN_RATE_UNITS]; /* of the first of them */
    uint64_t spent[PLAN_RATE_UNITS];
    uint64_t back[PLAN_RATE_UNITS];
    uint64_t has[PLAN_RATE_UNITS]; /* left of what it borrowed */
    bool wants;
};

/* From it. */
struct rate_grant {
    uint64_t tokens[PLAN_RATE_UNITS];
    uint64_t left[PLAN_RATE_UNITS];
    int64_t wait_ns; /* until there may be more; 0: there is */
};

static bool write_to(struct engine *engine, uint32_t to, enum letter_kind kind, struct slice key, const void *body, size_t size) {
    struct letter letter = {.kind = (uint8_t)kind};
    struct slice none = slice_make("", 0), texts[4] = {key, slice_make(body, size), none, none};
    return parcel_write(engine, to, &letter, texts, NULL);
}

/* -- who borrows -- */

void bucket_watch(struct engine *engine, struct bucket *b) {
    struct rates *rates = &engine->rates;
    if (!list_node_is_linked(&b->away_node))
        list_add(&rates->away, &b->away_node);
    if (rates->timer.deadline.at.ns == INT64_MAX)
        timer_set(engine, &rates->timer, mono_after(engine->now.mono, RATE_LOOK_NS));
}

bool bucket_write(struct engine *engine, struct bucket *b, bool wants, bool gives_back) {
    struct rate_note note;
    memset(&note, 0, sizeof note); /* with what lies between: equal inputs give equal letters */
    note.wants = wants;
    for (struct list_node *node = list_first(&b->held); node && wants; node = list_next(&b->held, node)) {
        const struct held *h = LIST_ENTRY(node, struct held, node);
        for (int i = 0; i < PLAN_RATE_UNITS; i++) {
            note.need[i] += rate_amount(i, rate_size(h->message));
            if (node == list_first(&b->held))
                note.first[i] = rate_amount(i, rate_size(h->message));
        }
    }
    for (int i = 0; i < PLAN_RATE_UNITS; i++) {
        note.spent[i] = b->spent[i];
        note.back[i] = gives_back ? b->lease[i] : 0;
        note.has[i] = b->lease[i] - note.back[i];
        note.need[i] -= note.need[i] < note.has[i] ? note.need[i] : note.has[i];
    }
    if (!write_to(engine, b->home, LETTER_RATE, bucket_key(b), &note, sizeof note))
        return false;
    for (int i = 0; i < PLAN_RATE_UNITS; i++) {
        b->lease[i] -= note.back[i];
        b->spent[i] = 0;
    }
    if (wants) {
        b->asked = true;
        b->asked_at = engine->now.mono;
    }
    return true;
}

static bool has_any(const uint64_t counts[static PLAN_RATE_UNITS]) {
    return counts[PLAN_RATE_MESSAGES] || counts[PLAN_RATE_BYTES];
}

/* Of none that is known here any more: it goes back. */
static void return_grant(struct engine *engine, uint32_t to, struct slice key, const struct rate_grant *grant) {
    struct rate_note note;
    memset(&note, 0, sizeof note);
    for (int i = 0; i < PLAN_RATE_UNITS; i++)
        note.back[i] = grant->tokens[i];
    (void)write_to(engine, to, LETTER_RATE, key, &note, sizeof note);
}

void rates_told(struct engine *engine, uint32_t from, const struct slice texts[4]) {
    struct bucket *b = map_get(&engine->rates.buckets, texts[0]);
    struct rate_grant grant;
    ASSERT(texts[1].size == sizeof grant);
    memcpy(&grant, texts[1].data, sizeof grant);
    if (!b) {
        return_grant(engine, from, texts[0], &grant);
        return;
    }
    for (int i = 0; i < PLAN_RATE_UNITS; i++) {
        b->lease[i] += grant.tokens[i];
        b->left[i] = grant.left[i];
    }
    b->asked = false;
    b->empty_until = grant.wait_ns ? mono_after(engine->now.mono, grant.wait_ns) : (struct mono){0};
    bucket_watch(engine, b);
    bucket_serve(engine, b);
    b = map_get(&engine->rates.buckets, texts[0]); /* what was served may have taken its place */
    if (b && has_any(b->spent)) /* at once: as long as home doesn't know, it fills up to less */
        (void)bucket_write(engine, b, false, false);
}

static void look_at(struct engine *engine, struct bucket *b) {
    bool is_lost = b->asked && engine->now.mono.ns - b->asked_at.ns >= LOST_NS;
    if (is_lost)
        b->asked = false;
    if (b->held.count && (is_lost || !b->asked)) {
        bucket_serve(engine, b);
        return;
    }
    bool gives_back = !b->was_used && !b->asked;
    b->was_used = false;
    if ((has_any(b->spent) || (gives_back && has_any(b->lease))) && !bucket_write(engine, b, false, gives_back))
        return;
    if (!b->asked && !has_any(b->lease))
        list_remove(&engine->rates.away, &b->away_node);
}

void rates_ring(struct engine *engine) {
    struct rates *rates = &engine->rates;
    for (size_t left = rates->away.count; left && rates->away.count; left--) {
        struct bucket *b = LIST_ENTRY(list_take_first(&rates->away), struct bucket, away_node);
        list_add(&rates->away, &b->away_node); /* it stays, unless it owes nothing more */
        look_at(engine, b);
    }
    if (rates->away.count)
        timer_set(engine, &rates->timer, mono_after(engine->now.mono, RATE_LOOK_NS));
}

/* -- who lends -- */

/* What those need who are held, and some more ahead where there is plenty: asking for each would be dear. */
static uint64_t grant_of(struct engine *engine, struct bucket *b, int unit, const struct rate_note *note) {
    const struct rate_limit *limit = &b->rate->limits[unit];
    uint64_t left = rate_left(&b->level[unit], limit, engine->now.mono);
    uint64_t need = note->need[unit] < left ? note->need[unit] : left;
    uint64_t share = bucket_share(engine, limit), ahead = (left - need) / 2;
    uint64_t room = share > note->has[unit] ? share - note->has[unit] : 0;
    return need + (ahead < room ? ahead : room);
}

static void lend(struct engine *engine, struct bucket *b, const struct rate_note *note, struct rate_grant *out) {
    bool is_short = false, gives = false;
    int64_t wait = 0;
    for (int i = 0; i < PLAN_RATE_UNITS; i++) {
        const struct rate_limit *limit = &b->rate->limits[i];
        if (limit->burst == 0)
            continue;
        out->tokens[i] = grant_of(engine, b, i, note);
        rate_lend(&b->level[i], limit, out->tokens[i]);
        out->left[i] = rate_left(&b->level[i], limit, engine->now.mono);
        is_short |= out->tokens[i] < note->need[i];
        gives |= out->tokens[i] > 0;
        int64_t own = rate_wait_ns(&b->level[i], limit, note->first[i] ? note->first[i] : 1, engine->now.mono);
        wait = own > wait ? own : wait;
    }
    if (is_short || (!gives && wait)) /* else it has some, though none to give ahead of need */
        out->wait_ns = wait == 0 || wait == INT64_MAX ? SOON_NS : wait;
}

static struct bucket *home_bucket(struct engine *engine, struct slice key) {
    const struct plan_rate *rate = plan_rate_find(engine->plan, key);
    struct bucket *b = rate ? bucket_find(engine, rate, key) : NULL;
    return b && bucket_is_here(engine, b) ? b : NULL;
}

void rates_asked(struct engine *engine, uint32_t from, const struct slice texts[4]) {
    struct bucket *b = home_bucket(engine, texts[0]);
    struct rate_note note;
    struct rate_grant grant;
    ASSERT(texts[1].size == sizeof note);
    memcpy(&note, texts[1].data, sizeof note);
    memset(&grant, 0, sizeof grant);
    for (int i = 0; b && i < PLAN_RATE_UNITS; i++)
        if (b->rate->limits[i].burst)
            rate_settle(&b->level[i], &b->rate->limits[i], note.spent[i], note.back[i], engine->now.mono);
    if (!note.wants)
        return;
    if (b)
        lend(engine, b, &note, &grant);
    else
        grant.wait_ns = SOON_NS; /* another plan is in force here: a moment later it is there, too */
    if (write_to(engine, from, LETTER_RATED, texts[0], &grant, sizeof grant))
        return;
    for (int i = 0; b && i < PLAN_RATE_UNITS; i++)
        if (b->rate->limits[i].burst)
            rate_settle(&b->level[i], &b->rate->limits[i], 0, grant.tokens[i], engine->now.mono);
}
