/* One socket's envelopes: which are taken, and those that are made. */
#include "protocol/datagram/seals.h"

static int64_t ms_of(struct now now) {
    return now.wall.ns / NS_PER_MS;
}

static bool is_dialled(const struct seals *seals) {
    return seals->setup->role == PROTOCOL_DIALLED;
}

void seals_init(struct seals *seals, const struct protocol_setup *setup, uint64_t seed, struct now now) {
    *seals = (struct seals){.setup = setup, .opened_ms = ms_of(now)};
    replays_init(&seals->nonces, seed);
}

void seals_done(struct seals *seals) {
    replays_done(&seals->nonces);
}

static bool refuse(struct seals_refusal *ret, enum status status, const char *rule, const char *words) {
    *ret = (struct seals_refusal){status, rule, words};
    return false;
}

/* An answer is good while we wait for it: its nonce is the request's. */
static bool is_awaited(struct seals *seals, const struct envelope *envelope, int64_t now_ms,
                       struct seals_refusal *ret) {
    if (replays_take(&seals->nonces, envelope->kid, envelope->nonce, now_ms))
        return true;
    return refuse(ret, STATUS_DUPLICATE, "replayed", "envelope of an answer that nobody waits for");
}

static bool is_new(struct seals *seals, const struct envelope *envelope, int64_t now_ms,
                   struct seals_refusal *ret) {
    if (envelope->ts_ms < seals->opened_ms)
        return refuse(ret, STATUS_EXPIRED, "late", "envelope was made before this listener was opened");
    switch (replays_add(&seals->nonces, envelope->kid, envelope->nonce,
                        envelope->ts_ms + ENVELOPE_WINDOW_MS + 1, now_ms)) {
    case REPLAYS_NEW:
        return true;
    case REPLAYS_KNOWN:
        return refuse(ret, STATUS_DUPLICATE, "replayed", "envelope with a nonce that was taken already");
    case REPLAYS_FULL:
        break;
    }
    return refuse(ret, STATUS_OVERLOADED, "replay-cache", "no room to remember one more envelope");
}

bool seals_open(struct seals *seals, struct slice datagram, struct now now, struct envelope *ret,
                struct seals_refusal *ret_refusal) {
    const struct protocol_setup *setup = seals->setup;
    int64_t now_ms = ms_of(now);
    switch (envelope_open(datagram, setup->secrets, setup->secret_count,
                          is_dialled(seals) ? ENVELOPE_TO_DIALLER : ENVELOPE_TO_LISTENER, now_ms, ret)) {
    case ENVELOPE_GOOD:
        break;
    case ENVELOPE_MISSING:
        return refuse(ret_refusal, STATUS_UNAUTHENTICATED, "no-envelope", "an envelope is required here");
    case ENVELOPE_STRANGE:
        return refuse(ret_refusal, STATUS_UNAUTHENTICATED, "unknown-secret",
                      "envelope by a secret that isn't known here");
    case ENVELOPE_FORGED:
        return refuse(ret_refusal, STATUS_UNAUTHENTICATED, "forged", "envelope that its secret didn't make");
    case ENVELOPE_LATE:
        return refuse(ret_refusal, STATUS_EXPIRED, "late", "envelope whose time is more than 30s off");
    }
    return is_dialled(seals) ? is_awaited(seals, ret, now_ms, ret_refusal)
                             : is_new(seals, ret, now_ms, ret_refusal);
}

void seals_close(struct seals *seals, uint8_t *datagram, size_t event_size, const struct envelope *answers,
                 uint64_t nonce, bool asks, struct now now) {
    const struct protocol_secret *secret = &seals->setup->secrets[answers ? answers->key : 0];
    int64_t now_ms = ms_of(now);
    envelope_seal(datagram, event_size, secret, answers ? ENVELOPE_TO_DIALLER : ENVELOPE_TO_LISTENER, now_ms,
                  nonce);
    if (asks) /* without room to remember it its answer won't be taken: it ends as one that never came */
        (void)replays_add(&seals->nonces, secret->kid, nonce, now_ms + SEALS_ANSWER_MS, now_ms);
}
