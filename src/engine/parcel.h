/* Letters between the workers of a node, and the parcels that they travel in: a turn's letters to one worker, in order.
 * Both sides are the same program, so a letter is a struct and its texts. */
#ifndef ENGINE_PARCEL_H
#define ENGINE_PARCEL_H

#include "engine/inner.h"

enum letter_kind {
    LETTER_PRESENT, /* a session serves a system or subscribes; text: system, filter, group */
    LETTER_ABSENT,
    LETTER_DELIVER, /* for session `handle`, subscription `sub` */
    LETTER_HOME,    /* for the system named, through its lanes here */
    LETTER_LOST,    /* news were lost, nobody knows of what */
    LETTER_NEWS,    /* what became of `count` messages: a struct news each */
    LETTER_REPLY,   /* to `id` */
    LETTER_PAUSE,   /* session `handle` takes `limit` from there, or nothing for now */
    LETTER_ACK,     /* text: system, deliveryid. `id`: who wants to know, `sub`: enum pull_outcome, `limit`: retry_ms */
    LETTER_ACKED,   /* to `id`; text: deliveryid. `count`: it came too late */
    LETTER_FETCH,   /* a reply that is kept there; text: system and identity of who asks, the receipt. `id`: who wants to
                     * know, `request_due`: so long it may be waited for */
    LETTER_FETCHED, /* to `id`: `sub` is an enum fetched, `limit` the status, `count` the form; text: what completes it */
    LETTER_FORGET,  /* of system `text`, a request with the message id in the filter's place: `id` needs no reply any more */
    LETTER_HEALTH,  /* text: system, endpoint, why it is so, url. `sub`: enum probing_news */
    LETTER_LOAD,    /* text: system, endpoint; or session `handle`. `sub`: permille, `limit`: capacity (reported.h) */
    LETTER_CLAIM,   /* a request that runs once; text: whose, key, print. `id`: its claim, `handle`: its connection */
    LETTER_CLAIMED, /* to `id`; text: whose, key. `sub` is an enum once_what, `count` the code, the message the answer */
    LETTER_SETTLE,  /* of `id`; text: whose, key. `sub`: it is kept, `count` the code, the message the answer */
    LETTER_DEDUPE,  /* a message that may have been taken; text: its print, its receipt. `attempt_ns`: its window */
    LETTER_DEDUPED, /* to `id`: `sub` is an enum dedupe_verdict; text: print, receipt of the first */
    LETTER_DEDUPE_SETTLE, /* of `id`; text: print. `sub`: it was accepted */
    LETTER_RATE,    /* a bucket of a rate, text: its key, a struct rate_note: what is needed, was spent, comes back */
    LETTER_RATED,   /* text: its key, a struct rate_grant */
    LETTER_SEEK,    /* a reply from system `text`: whose request? */
};

enum news_verdict { NEWS_ARRIVED, NEWS_REJECTED, NEWS_RETRY, NEWS_EXPIRED, NEWS_UNSENT, NEWS_UNKNOWN };

/* What became of a message of another worker. */
struct news {
    uint64_t id;
    uint32_t retry_ms;
    uint16_t status;
    uint8_t verdict : 7;
    uint8_t acks : 1; /* it was with a peer that acknowledges */
    uint8_t attempt;  /* of one that was retried there: how many it had; else 0 */
};

struct letter {
    _Alignas(16) uint32_t size; /* of all, a multiple of 16 */
    uint8_t kind;
    uint8_t attempt;
    uint8_t priority;
    uint8_t attempts; /* of one that is given up when it is silent; else 0 */
    uint32_t sub;
    uint32_t limit;
    uint32_t identity;
    union {
        uint32_t hops;
        uint32_t route; /* DELIVER, HOME: plan_route_mark() */
    };
    uint32_t count;
    uint16_t text_sizes[4]; /* system, filter, group, sending system; they follow in this order, then the message */
    uint32_t message_size;  /* struct message cut to its values, wire, extra; 0: none */
    uint64_t id;
    uint64_t handle;
    struct mono received;
    struct mono request_due;
    int64_t attempt_ns;
    uint64_t trace; /* DELIVER, HOME: a delivery's */
    uint64_t unused;
};

/* The parcel to one worker that is being filled. */
struct open_parcel {
    struct block *block;
    uint32_t used;
    uint32_t turn_bytes; /* of this turn, those in full blocks included */
    struct news *news;   /* to be told at the turn's end */
    uint32_t news_count;
    uint32_t news_capacity;
    bool is_lost;        /* some had no memory: that is told instead */
};

/* A delivery that is with another worker. Its id is its place here and how often that place was used. */
struct remote {
    struct delivery *delivery; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* index + 1; 0: none */
};

struct post {
    struct open_parcel *open;  /* by worker */
    struct engine_mail *mail;  /* full parcels of this turn; there is room for all that are open */
    uint32_t mail_count;
    uint32_t mail_capacity;
    struct remote *remotes;
    uint32_t remote_count;
    uint32_t remote_capacity;
    uint32_t remote_free; /* index + 1; 0: none */
    uint32_t sender;      /* the last sending system that was looked up: they mostly repeat */
};

/* `texts` may be NULL: none; likewise `message`. False when too much is under way or memory is out: the letter isn't there
 * then. */
bool parcel_write(struct engine *engine, uint32_t to, struct letter *letter, const struct slice texts[4],
                  const struct message *message);
/* Where memory stays out the other side hears that news were lost: it then knows of nothing that is here how it ends. */
void parcel_tell(struct engine *engine, uint32_t to, struct news news);
/* Before the turn's end: what follows must not overtake it. */
void parcel_flush_news(struct engine *engine, uint32_t to);
/* What a letter brought; slices point into `bytes`. The message is meaningful if there is one. */
void parcel_read(const struct letter *letter, const uint8_t *bytes, struct slice texts[4], struct message *message);
struct news parcel_news(const uint8_t *bytes, uint32_t index);

/* Bytes of letters under way to others, and of what is remembered for them. */
uint64_t post_memory(const struct engine *engine);
/* 0 when memory is out. */
uint64_t remote_add(struct post *post, struct delivery *delivery);
struct delivery *remote_find(const struct post *post, uint64_t id); /* NULL: no longer */
void remote_remove(struct post *post, uint64_t id);

#endif
