/* One stream v1 connection, either role, and what its files share.
 *
 * Inbound: `seq` counts the peer's MSG frames, tokens count those that were messages; they differ by the invalid ones.
 * `rx` remembers one entry per token from the lowest unsettled one on. Outbound: seq is the user's token, because the
 * user's messages are the only MSG frames that we send. */
#ifndef PROTOCOL_STREAM_STREAM1_H
#define PROTOCOL_STREAM_STREAM1_H

#include "protocol/protocol.h"
#include "protocol/stream/control.h"
#include "protocol/stream/frame.h"

enum stream1_phase {
    STREAM1_PREFACE, /* waits for the peer's preface */
    STREAM1_HELLO,   /* waits for HELLO (accepted) or WELCOME (dialled) */
    STREAM1_OPEN,
    STREAM1_DRAINING, /* we sent GOAWAY */
};

/* An inbound message from its MSG frame on until nothing below it is unsettled. */
struct stream1_entry {
    uint32_t size;    /* of the frame's payload */
    uint32_t skipped; /* seq - token, low 32 bits */
    uint8_t flags;    /* enum stream1_entry_flag */
};

enum stream1_entry_flag {
    STREAM1_SETTLED = 1,
    STREAM1_NOACK = 2,
    STREAM1_ASKS = 4,
    STREAM1_REFUSED = 8, /* settled, but not as accepted */
};

#define STREAM1_SPAN_FACTOR 4    /* an unsettled message holds up the peer only that many windows later */
#define STREAM1_UNSETTLED_MAX 4096u /* of ours with the peer, power of two */
#define STREAM1_UNREAD_MAX (4u << 20) /* what waits for a peer that doesn't read, beside one message */
#define STREAM1_CONTROL_RATE 100u   /* control frames a second */

struct stream1 {
    const struct protocol_setup *setup;
    struct protocol_worker *worker;
    struct protocol_sink *sink;
    struct message_rules rules;
    uint8_t phase;    /* enum stream1_phase */
    uint8_t encoding; /* enum message_encoding, of both directions */
    uint8_t coding;   /* enum coding, of both directions */
    bool is_dialled;
    bool acks_chosen; /* HELLO or a SUBSCRIBE said whether the peer acknowledges */
    bool got_goaway;
    bool peer_ended; /* it shut its side down; may still wait for replies */
    uint32_t max_frame;
    uint32_t peer_max_frame;

    /* inbound */
    uint64_t rx_seq;
    uint64_t rx_token;
    uint64_t rx_invalid; /* the last seq that was no message */
    uint64_t rx_low; /* lowest unsettled token; rx_token + 1 when there is none */
    uint64_t rx_bytes;
    uint64_t rx_unsettled;
    uint64_t rx_unsettled_bytes;
    uint64_t granted; /* what the peer was told */
    uint64_t granted_bytes;
    struct stream1_entry *rx; /* ring by token */
    uint32_t rx_capacity;     /* power of two */
    uint32_t asks_open;       /* requests of the peer without reply, as far as we can tell */
    uint64_t cancels;

    /* the last ACK frame, while no byte of it is written */
    uint8_t *ack;
    uint64_t ack_start; /* its place in the chain */
    uint64_t ack_end;

    /* outbound */
    uint64_t tx_seq;
    uint64_t tx_low; /* lowest unsettled seq; tx_seq + 1 when there is none */
    uint64_t tx_bytes;
    uint64_t credit;
    uint64_t credit_bytes;
    uint64_t *tx_settled; /* ring of bits by seq, NULL until something is settled out of order */
    uint32_t tx_settled_count;
    uint32_t calls_open; /* our requests without reply */

    struct stream1_resume *resume; /* NULL: the session ends with its connection */
    struct slice acts_as;          /* accepted: as hello() said */
    bool handed_over;              /* this instance is done: feed() returns */
    bool resuming;                 /* the connection was lost, or its successor hasn't shaken hands yet */

    /* time */
    int64_t hb_ns;
    struct mono heard;
    struct mono deadline; /* of the handshake, or of the drain */
    struct mono beat;
    uint64_t sent_at_beat;
    struct mono rate_start;
    uint32_t rate_count;
    enum status shut_status;
};

/* -- handshake.c -- */
void stream1_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                  struct protocol_sink *sink, const struct address *peer, struct now now);
/* Returns the bytes used, 0 for wait. */
size_t stream1_read_preface(struct stream1 *s, struct slice bytes);
void stream1_become_open(struct stream1 *s, struct now now);
void stream1_say_hello(struct stream1 *s); /* preface and HELLO of the dialled role */
void stream1_read_hello(struct stream1 *s, const struct control *control, struct now now);
void stream1_read_welcome(struct stream1 *s, const struct control *control, struct now now);

/* -- session.c: control frames, time, the end -- */
void stream1_tick(void *state, struct now now);
void stream1_shut(void *state, enum status status, struct now now);
size_t stream1_refusal(enum status status, char *out, size_t room);
void stream1_give_up(void *state, enum status status, const char *words, struct now now);
void stream1_start_beat(struct stream1 *s, struct now now); /* the handshake is over */
void stream1_set_due(struct stream1 *s);
/* Any frame but MSG and ACK. */
void stream1_control(struct stream1 *s, unsigned type, unsigned flags, struct slice payload, struct now now);
void stream1_close(struct stream1 *s, enum status status);
/* Sends ERROR and closes. */
void stream1_fail(struct stream1 *s, enum status status, const char *detail);
/* Counts one frame that costs us more than the peer; false (and closing) when there were too many. */
bool stream1_count_control(struct stream1 *s, struct now now);
/* While a side leaves: closes when nothing is open any more, and takes back the room that only replies may use. */
void stream1_check_end(struct stream1 *s);
static inline bool stream1_is_leaving(const struct stream1 *s) {
    return s->phase == STREAM1_DRAINING || s->got_goaway || s->peer_ended;
}
bool stream1_write(struct stream1 *s, unsigned type, struct slice payload);

/* The JSON object of a control frame in the making: its members go between init and send. */
struct stream1_writer {
    struct buffer buffer;
    struct json_write json;
    uint8_t room[4096];
};
struct json_write *stream1_writer_init(struct stream1_writer *writer);
void stream1_writer_send(struct stream1 *s, struct stream1_writer *writer, unsigned type);

/* -- resume.c: what outlives a connection -- */

#define STREAM1_KEPT_MAX (4u << 20)       /* bytes of sent and unsettled frames; then there is no room */
#define STREAM1_BACK_NS (10 * NS_PER_S)   /* for the handshake of the next connection */
#define STREAM1_SESSION_MAX 64            /* bytes of a server's name for a session */
#define STREAM1_EXPIRY_MAX_NS (10 * 60 * NS_PER_S)

struct stream1_resume {
    struct protocol_session session; /* its name is in `text` */
    char text[STREAM1_SESSION_MAX];
    int64_t expiry_ns;
    struct mono until; /* while resuming */
    bool is_broken;    /* for want of memory something of it is missing */
    struct stream1_kept { /* a MSG frame that may have to be sent again */
        struct stream1_kept *next;
        uint64_t seq;
        uint32_t size;
    } *first, *last;
    struct stream1_outcome { /* of the peer's messages, other than accepted; a ring of the last ones */
        uint64_t seq;
        uint32_t retry_ms;
        uint16_t code;
        uint8_t outcome;
    } *outcomes;
    uint32_t outcome_first, outcome_count, outcome_capacity;
};

/* The session may outlive its connection. Without memory, or where nobody keeps it, it doesn't: `name` empty: makes one. */
void stream1_resumable(struct stream1 *s, struct slice name, int64_t expiry_ns, struct now now);
static inline bool stream1_is_kept(const struct stream1 *s) {
    return s->resume && !s->resume->is_broken && s->sink->terms.acks && !s->got_goaway &&
           (s->phase == STREAM1_OPEN || s->resuming);
}
void stream1_keep(struct stream1 *s, const uint8_t *frame, size_t size);
void stream1_drop_kept(struct stream1 *s); /* what is settled needn't be sent again */
void stream1_note_outcome(struct stream1 *s, uint64_t seq, uint8_t outcome, uint16_t code, uint32_t retry_ms);
/* HELLO names a session of ours: true when it goes on there, and this instance is done. */
bool stream1_hand_over(struct stream1 *s, const struct control *control);
/* The peer's numbers, from HELLO.resume or WELCOME. False: they can't be (then closing). */
bool stream1_check_numbers(struct stream1 *s, uint64_t rx, uint64_t acked);
/* The handshake is over: all goes on where the peer left. */
void stream1_go_on(struct stream1 *s, uint64_t rx, uint64_t acked, struct now now);
struct mono stream1_detach(void *state, struct now now);
void stream1_attach(void *state, const struct protocol_setup *setup, struct protocol_sink *sink, struct now now);
const struct protocol_session *stream1_session(void *state);
void stream1_resume_free(struct stream1 *s);

/* -- settle.c: ACK and CREDIT, both directions -- */
/* Makes room for one more token; false (and closing) when memory is out. */
bool stream1_make_entry(struct stream1 *s);
void stream1_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now);
/* Answers a MSG that was no message. */
void stream1_reject(struct stream1 *s, uint64_t seq, enum status status);
void stream1_read_ack(struct stream1 *s, struct slice payload, struct now now);
void stream1_read_credit(struct stream1 *s, struct slice payload, struct now now);
void stream1_grant(struct stream1 *s);
/* Every seq of the peer's up to this one is settled. */
uint64_t stream1_settled_up_to(const struct stream1 *s);
/* Says all outcomes above `acked` again. */
void stream1_ack_again(struct stream1 *s, uint64_t acked);
/* Keeps sink->room current; tells the user when it grew from nothing. */
void stream1_update_room(struct stream1 *s);
static inline uint64_t stream1_window(const struct stream1 *s) {
    return s->setup->limits.window ? s->setup->limits.window : 1;
}

#endif
