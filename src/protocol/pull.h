/* What peers ask for that can't be sent to, but make requests (HTTP): their messages, to say what became of those. */
#ifndef PROTOCOL_PULL_H
#define PROTOCOL_PULL_H

#include "base/slice.h"
#include "base/status.h"
#include "message/encoding.h"
#include "message/message.h"

#define PULL_WAIT_DEFAULT_NS (20 * NS_PER_S)
#define PULL_WAIT_MAX_NS (300 * NS_PER_S)
#define PULL_MESSAGES_DEFAULT 10
#define PULL_MESSAGES_MAX 1000 /* of one answer, and acks of one request */
#define PULL_RETRY_MAX_NS (3600 * NS_PER_S)

enum pull_kind {
    PULL_POLL,   /* one answer with what is there for `system`, or with nothing when `wait_ns` is over */
    PULL_STREAM, /* an answer without end: each message as it comes (server-sent events) */
    PULL_ACKS,
    PULL_REPLY, /* to what was sent with `message.later`, when it is there or `wait_ns` is over */
};

enum pull_outcome { PULL_ACCEPTED, PULL_REJECTED, PULL_RETRY };

#define PULL_ID_MAX 128 /* longer ones were never given to anybody */

struct pull_ack {
    struct slice id; /* the `deliveryid`; opaque, PULL_ID_MAX at most */
    enum pull_outcome outcome;
    uint32_t retry_ms;
};

/* All borrowed for the call. */
struct pull {
    enum pull_kind kind;
    struct slice system;
    int64_t wait_ns;
    uint32_t max;
    enum message_encoding encoding; /* JSON or PROTO */
    bool has_acks;                  /* PULL_STREAM: the peer will say what became of each */
    const struct pull_ack *acks;
    size_t ack_count;
    uint8_t receipt[16]; /* PULL_REPLY: of what was sent */
};

/* An answer to a token of calls->pull. */
struct protocol_answer {
    unsigned code;
    enum status problem; /* not OK: a problem document instead, with `detail` and `retry_ms` */
    struct slice detail;
    uint32_t retry_ms;
    struct slice content_type; /* empty: none */
    struct slice body;
    struct slice lines; /* further header lines, each with its CRLF */
    bool is_stream;     /* the body follows by stream() */
    /* PULL_REPLY: the reply, in place of all the others; with what `message.later` had said of its form */
    const struct message *message;
    const struct overlay *overlay;
    unsigned form;
};

#endif
