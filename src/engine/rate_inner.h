/* What rate.c and rate_mail.c share. */
#ifndef ENGINE_RATE_INNER_H
#define ENGINE_RATE_INNER_H

#include "engine/inner.h"

/* A message that waits for its bucket's home. */
struct held {
    struct list_node node; /* in the bucket's */
    struct list_node session_node;
    struct bucket *bucket;
    struct session *session;
    struct message *message; /* kept; ours alone */
    uint64_t token;
    struct mono since;
    struct address sender; /* of a datagram */
    uint32_t from;
    bool is_admitted;
    uint8_t tries;
};

struct bucket {
    struct list_node node; /* in rates.keyed; of all: not linked */
    struct list_node away_node;
    const struct plan_rate *rate;
    uint32_t home;
    bool was_used; /* since rates_ring() looked */
    bool asked;
    struct mono asked_at;
    struct rate level[PLAN_RATE_UNITS]; /* at home */
    /* elsewhere */
    uint64_t lease[PLAN_RATE_UNITS];
    uint64_t spent[PLAN_RATE_UNITS]; /* home doesn't know yet */
    uint64_t left[PLAN_RATE_UNITS];  /* with home, as it said */
    struct mono empty_until;         /* until then it has none */
    struct list held;
    uint16_t key_size;
    uint8_t key[];
};

/* NULL: there is no memory, or no place. */
struct bucket *bucket_find(struct engine *engine, const struct plan_rate *rate, struct slice key);
static inline struct slice bucket_key(const struct bucket *b) {
    return slice_make(b->key, b->key_size);
}
static inline bool bucket_is_here(const struct engine *engine, const struct bucket *b) {
    return b->home == engine->options.worker;
}
static inline uint64_t rate_amount(int unit, uint64_t size) {
    return unit == PLAN_RATE_MESSAGES ? 1 : size;
}
struct bucket *bucket_of(struct engine *engine, const struct session *session, const struct plan_rate *rate, uint32_t from);
/* Of a burst a fourth part may be out ahead of need, with all workers together. */
#define BUCKET_SHARE 4
static inline uint64_t bucket_share(const struct engine *engine, const struct rate_limit *limit) {
    return limit->burst / (BUCKET_SHARE * engine->options.workers);
}
uint64_t rate_size(const struct message *message);
/* `wants`: for those who are held, or to have some ahead. False: there is no room for the letter. */
bool bucket_write(struct engine *engine, struct bucket *bucket, bool wants, bool gives_back);
/* What is held is taken again, in its order. */
void bucket_serve(struct engine *engine, struct bucket *bucket);
/* It borrowed, or is about to. */
void bucket_watch(struct engine *engine, struct bucket *bucket);
bool bucket_hold(struct engine *engine, struct bucket *bucket, struct session *session, uint64_t token,
                 const struct message *message, uint32_t from, bool is_admitted);

#endif
