/* Problem documents (RFC 9457) from the status table. */
#ifndef PROTOCOL_HTTP1_PROBLEM_H
#define PROTOCOL_HTTP1_PROBLEM_H

#include "base/json_write.h"
#include "base/status.h"

#define PROBLEM_DETAIL_MAX 512

struct problem {
    enum status status;
    struct slice detail;   /* empty: none */
    const uint8_t *receipt; /* 16 bytes, or NULL */
};

/* `type` is PUBLIC_URL/problems/REASON. */
void problem_write(struct json_write *write, const struct problem *problem, struct slice public_url);
/* "Not Found" for 404; never empty. */
const char *problem_phrase(unsigned code);

#endif
