/* What dedupe.c holds back: for those who look through what a session has. */
#ifndef ENGINE_DEDUPE_INNER_H
#define ENGINE_DEDUPE_INNER_H

#include "engine/inner.h"

enum hold_state {
    HOLD_WAITS, /* for a verdict */
    HOLD_GOES, /* when its turn comes */
    HOLD_REFUSED,
};

/* A message of a connection that another has to go before, or whose verdict another worker has. */
struct hold {
    struct list_node node; /* in session_work->holds, then in `unsettled` */
    struct list_node waiting_node; /* WAITS */
    struct session *session;
    struct message *message; /* NULL: only its claim is left */
    uint64_t token;
    uint64_t trace; /* as a delivery's */
    uint32_t from;
    uint8_t state;
    uint8_t verdict; /* enum dedupe_verdict: of those that go */
    bool keeps; /* unsettled: it was accepted */
    struct mono until;
    struct dedupe_claim claim;
    uint8_t receipt[DEDUPE_RECEIPT_SIZE]; /* AGAIN: of the first */
};

#endif
