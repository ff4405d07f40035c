/* Limits of rate: what comes in by a listener and from an identity, what goes by a route and to a system.
 *
 * A bucket belongs to one worker, its home, which knows how much is left. The others borrow: who has too little asks the home
 * by letter, and the message is held until the answer is there, with what its sender says after it. What is borrowed counts at
 * home as if it were still there until it is told that it was spent, or it comes back unused after RATE_LOOK_NS: so never
 * more passes than by one worker alone. A home that has none says when to ask again; until then is refused without a letter. */
#ifndef ENGINE_RATE_H
#define ENGINE_RATE_H

#include "base/address.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/plan_rate.h"
#include "engine/choice.h"
#include "policy/rate.h"

#define RATE_KEYS_MAX 10000            /* buckets of single peers, of one worker: then the one not used for longest goes */
#define RATE_HELD_MAX 1000             /* messages that wait for one home's answer */
#define RATE_TRIES_MAX 8               /* answers that one message waits for */
#define RATE_LOOK_NS (100 * NS_PER_MS) /* what nobody used for so long comes back */

struct engine;
struct session;
struct message;
struct letter;
struct routing;
struct bucket;

struct rates {
    struct map buckets;
    struct list keyed; /* of single peers, the one not used for longest first */
    struct list away;  /* that borrowed, or wait for that */
    struct timer timer;
    const struct address *sender; /* of the datagram that is being taken; NULL: it is the connection's peer */
    struct bucket *full;          /* that refuses now; for the answer */
    int64_t full_ns;              /* so long until it takes one */
    uint8_t tries;                /* the message that is being taken was held so often; 0: never */
    bool is_admitted;             /* and has passed the first of both */
};

void rates_init(struct engine *engine);
void rates_done(struct engine *engine);
/* Another plan is in force: what has the same limit as before keeps its level. */
void rates_configure(struct engine *engine);

/* By where it came in and who sends it; `from`: the sending system. False: it was refused, or is held. */
bool rate_admits(struct engine *engine, struct session *session, uint64_t token, const struct message *message, uint32_t from);
/* By its route and the systems that it goes to. */
bool rate_passes(struct engine *engine, struct session *session, uint64_t token, const struct message *message,
                 const struct routing *routing, uint32_t from);
/* One of many copies for whoever can take one: whether that system may have it. */
bool rate_copies(struct engine *engine, const struct session *session, const struct message *message, uint32_t system,
                 uint32_t from);
void rate_closed(struct engine *engine, struct session *session);
void rates_ring(struct engine *engine);
/* `RateLimit-Policy` and `RateLimit`, each with its CRLF; 0: none. */
size_t rate_lines(void *connection, char *out, size_t room);

/* -- mail -- */

void rates_asked(struct engine *engine, uint32_t from, const struct slice texts[4]);
void rates_told(struct engine *engine, uint32_t from, const struct slice texts[4]);

#endif
