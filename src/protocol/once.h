/* Requests that say who they are, so that none of them runs twice (http1: Idempotency-Key). */
#ifndef PROTOCOL_ONCE_H
#define PROTOCOL_ONCE_H

#include "base/slice.h"

#define ONCE_PRINT_SIZE 32

enum once_what {
    ONCE_NEW,      /* the first of its key: it runs, and once_end() is due */
    ONCE_RUNNING,  /* the first has no answer yet */
    ONCE_CONFLICT, /* the first asked for something else */
    ONCE_AGAIN,    /* `code` and `answer` of the first; code 0: nobody knows what became of it */
    ONCE_FULL,     /* too many run at once, or memory is out */
    ONCE_PENDING,  /* once() will be called */
};

struct once_claim {
    struct slice key;
    const uint8_t *print; /* ONCE_PRINT_SIZE bytes that tell what is asked for */
};

struct once_verdict {
    enum once_what what;
    unsigned code;
    struct slice answer; /* borrowed for the call, or until the next */
};

#endif
