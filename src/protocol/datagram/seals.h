/* One socket's envelopes: which are taken, and those that are made. */
#ifndef PROTOCOL_DATAGRAM_SEALS_H
#define PROTOCOL_DATAGRAM_SEALS_H

#include "protocol/datagram/envelope.h"
#include "protocol/datagram/replays.h"

#define SEALS_ANSWER_MS 60000 /* an answer is waited for so long at most */

struct seals {
    const struct protocol_setup *setup;
    struct replays nonces; /* listener: taken; dialled: of requests that may be answered, once */
    int64_t opened_ms; /* what was made before could have been taken before: then nobody remembered yet */
};

struct seals_refusal {
    enum status status;
    const char *rule, *words;
};

void seals_init(struct seals *seals, const struct protocol_setup *setup, uint64_t seed, struct now now);
void seals_done(struct seals *seals);
static inline bool seals_used(const struct seals *seals) {
    return seals->setup->secrets != NULL; /* without any of them nothing is taken */
}
/* False: it is not taken, for `ret_refusal`. */
bool seals_open(struct seals *seals, struct slice datagram, struct now now, struct envelope *ret,
                struct seals_refusal *ret_refusal);
/* Around an event that stands behind ENVELOPE_SIZE bytes of room. `answers`: what it answers; NULL: it is new, and
 * `asks` says whether an answer will be taken. */
void seals_close(struct seals *seals, uint8_t *datagram, size_t event_size, const struct envelope *answers,
                 uint64_t nonce, bool asks, struct now now);

#endif
