/* Messages that were taken already: told so, and not taken again. Each has a home worker, by the print of what makes it
 * one. There it is claimed before it is accepted, wherever it comes in; when that is decided its home hears of it. Who has
 * to wait for the verdict of another worker is held, and what comes behind it on the same connection, too: order is kept. */
#ifndef ENGINE_DEDUPE_H
#define ENGINE_DEDUPE_H

#include "base/map.h"
#include "engine/choice.h"
#include "policy/dedupe.h"

#define DEDUPE_HOLDS_MAX 16384 /* of one worker: more are refused */
#define DEDUPE_HOLDS_STOP \
    256 /* of one connection: from then on it isn't read, where that is how it is held back */

struct hold;
struct letter;
struct routing;
struct session;

struct dedupe_claim {
    struct dedupe_print print;
    uint64_t id; /* of all workers; 0: there is none */
    uint32_t home;
    struct hold *hold; /* its home is another worker: what tells that; NULL: it is this one */
};

struct deduping {
    struct dedupe all; /* whose home is here */
    struct map by_id; /* holds that wait for a verdict */
    struct list waiting; /* the same, the oldest first */
    struct list unsettled; /* claims that ended when no letter to their home had room */
    struct timer timer;
    uint64_t claims; /* so many */
    uint32_t held; /* messages */
    struct dedupe_claim *offered; /* of the message that is being offered; who lets it wait takes it */
};

void dedupe_begin(struct engine *engine);
void dedupe_end(struct engine *engine);

/* A message that is wanted, before it is offered to who gets it. False: that is all still to be done. Only asked where
 * dedupe_may(). */
bool dedupe_takes(struct engine *engine, struct session *s, uint64_t token, struct message *message,
                  const struct routing *routing, uint32_t from);
/* A message waits to be taken: its claim goes with it. */
struct dedupe_claim dedupe_take_claim(struct engine *engine);
/* It was taken, or not. Of none nothing happens. */
void dedupe_settle(struct engine *engine, struct dedupe_claim *claim, bool is_accepted);
void dedupe_closed(struct engine *engine, struct session *s);
void dedupe_ring(struct engine *engine);
/* What had no room. False: nor has it now. */
bool dedupe_resend(struct engine *engine);

void dedupe_read(struct engine *engine, uint32_t from, const struct letter *letter,
                 const struct slice texts[4]);
void dedupe_told(struct engine *engine, uint32_t from, const struct letter *letter,
                 const struct slice texts[4]);
void dedupe_settled(struct engine *engine, const struct letter *letter, const struct slice texts[4]);

/* intake.c: the rest of its way. */
enum offer intake_offer(struct engine *engine, struct session *s, uint64_t token, struct message *message,
                        const struct routing *routing, uint32_t from);

#endif
