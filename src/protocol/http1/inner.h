/* What the files of this folder share: the two states, and how answers are written. */
#ifndef PROTOCOL_HTTP1_INNER_H
#define PROTOCOL_HTTP1_INNER_H

#include "base/buffer.h"
#include "protocol/http1/chunked.h"
#include "protocol/http1/http1.h"
#include "protocol/http1/leave.h"

#define HTTP1_KEY_MAX 64           /* longer bearer keys are asked about with each request */
#define HTTP1_BATCH_MAX 1000       /* events of one batch */
#define HTTP1_INTERIM_MAX 8        /* 1xx answers before a final one */

enum {
    PHASE_HEAD,   /* at the start of a message */
    PHASE_CHUNKS, /* its head is in `held`, chunks are added */
    PHASE_SKIP,   /* the rest of a body of known length that nobody wants */
    PHASE_SKIP_CHUNKS,
    PHASE_SKIP_ALL, /* until the peer closes */
    PHASE_OPEN,   /* accepted: an exchange waits for its answer. Dialled: nothing is sent yet */
    PHASE_STREAM_LENGTH, /* a body that goes on as it comes; `skip` is what is left of it */
    PHASE_STREAM_CHUNKS,
    PHASE_STREAM_ALL,  /* until the peer closes; tunnels too */
    PHASE_STREAM_DONE, /* accepted: all of the request is through, its answer is not */
    PHASE_OVER,
};

struct batch;
struct once;

/* What both roles need to take one message in. */
struct http1_in {
    uint8_t phase;
    bool timing; /* `due` runs from the first byte of this head */
    uint64_t skip;
    struct chunked chunked;
};

/* Accepted: a head and the chunks behind it, joined: there while they come. */
struct http1_held {
    struct buffer bytes;
    size_t head; /* size of the head */
};

/* An exchange that is streamed: `in` is what comes from this peer, `out` what goes to it. */
struct http1_relay {
    bool is_head;         /* the answer has no body */
    bool upgrades;        /* was asked for */
    bool expects;         /* accepted: waits for 100 */
    bool is_tunnel;
    bool in_done;
    bool out_began;       /* accepted: the answer's final head is written. Dialled: always */
    bool out_done;
    bool out_chunked;
    bool out_until_close; /* its end is that of the connection */
    uint64_t out_left;    /* of a body whose length was said */
};

/* The last key that was accepted. */
struct http1_key {
    uint8_t size;
    uint8_t bytes[HTTP1_KEY_MAX];
};

/* Thousands of these wait for their next request: what only an exchange needs stands elsewhere. */
struct http1_server {
    struct http1_in in;
    bool keep : 1;      /* the connection goes on after this answer */
    bool is_head : 1;   /* answers have no body */
    bool is_old : 1;    /* HTTP/1.0 */
    uint8_t cors;   /* the page that asks is of this one of setup->origins, counted from 1; 0: of none */
    bool is_http : 1;   /* the open token is a calls->request one */
    bool checked : 1;   /* the head may go on to its body */
    bool continued : 1; /* 100 was sent for the message that is coming */
    bool shutting : 1;
    bool has_receipt : 1;
    bool said_hello : 1;
    bool watches : 1;   /* the exchange may stay open for long: it ends when the peer ends its side */
    bool streams : 1;   /* its answer has begun and has no end yet */
    bool later : 1;     /* its sender prefers to fetch the reply: once it is taken, that is the answer */
    bool fetches : 1;   /* it asks for such a reply */
    bool is_rest : 1;   /* the open exchange is a message's by a REST route */
    uint8_t mode; /* enum api_mode: of the reply */
    uint8_t coding; /* enum coding: that the answer may have */
    uint8_t after; /* phase to go to when the exchange ends */
    uint8_t receipt[16];
    uint32_t wait_s; /* its sender prefers not to wait longer; 0: it does not say */
    uint64_t tokens; /* given so far */
    uint64_t token;  /* of the open exchange; 0: none */
    struct batch *batch;
    struct http1_held *held; /* NULL: nothing is */
    struct http1_key *key;   /* `said_hello` with it; NULL: without one */
    struct http1_relay *relay; /* NULL: none is open */
    struct once *once;       /* the exchange runs once; NULL: it does not say */
    struct slice system;     /* as that hello was answered */
    enum status shut_status;
};

struct gather;

/* A request on its way. */
struct http1_sent {
    uint64_t first; /* token of its first event */
    uint32_t count; /* of its events */
    bool asks;
    bool is_head; /* its answer has no body */
    bool is_packed;
    bool is_question; /* for consent: no event is in it */
    uint64_t end;   /* out->added behind it */
    struct mono due;
    struct gather *gather; /* a batch: its events, until the answer says that they were understood; else NULL */
};

struct http1_client {
    struct http1_in in;
    bool ends;     /* the connection, after this answer */
    bool is_left;  /* the peer says so: it does not look at what we sent behind it (RFC 9112 section 9.6) */
    bool shutting;
    bool told;     /* the outcome was given, the rest of the answer is skipped */
    bool singly;   /* the peer does not know batches */
    bool plainly;  /* nor the coding that we pack with */
    uint8_t interim;
    uint64_t tokens; /* inbound */
    struct http1_relay *relay; /* NULL: none is open */
    struct http1_sent *sent; /* ring: answers come in the order of requests */
    uint32_t sent_first;
    uint32_t sent_count;
    uint32_t sent_capacity; /* power of two */
    struct gather *line;    /* what waits for its request, in order */
    struct gather *line_last;
    uint32_t line_count;
    enum status shut_status;
    struct buffer held; /* head and joined body, when they can't be read in place */
    size_t held_head;
};

struct http1 {
    const struct protocol_setup *setup;
    struct protocol_worker *worker;
    struct protocol_sink *sink;
    union {
        struct http1_server server;
        struct http1_client client;
    };
};

static inline struct http1_limits http1_limits(const struct http1 *h) {
    return (struct http1_limits){h->setup->limits.header, h->setup->limits.fields};
}
static inline struct message_rules http1_rules(const struct http1 *h) {
    return (struct message_rules){h->setup->declared, h->setup->limits.message};
}
/* Bytes that a message may need beside those that came. */
static inline size_t http1_own_max(const struct http1 *h) {
    return (size_t)h->setup->limits.message + 1024;
}
/* Ends the connection; what is written goes out first, what still comes in is thrown away. */
void http1_close(struct http1 *h, enum status status);
struct mono http1_after(struct now now, int64_t delay_ns); /* <= 0: never */
void http1_invalid(struct http1 *h, enum status status, const char *words);
#define HTTP1_WORDS_MAX 4096 /* bytes of a refusal's body that are waited for before its outcome is told */
/* Dialled: the answer is a refusal whose body isn't all there. */
bool http1_waits_for_words(struct http1 *h, const struct http1_head *head, struct slice bytes);
/* Dialled: tells an outcome, and beside it the answer's status and the beginning of its body. */
void http1_tell_answer(struct http1 *h, const struct http1_head *head, struct slice bytes, struct protocol_outcome outcome,
                       void (*tell)(struct http1 *h, struct protocol_outcome outcome));
/* How long a body may take: timeouts.head, and its size at limits.min_rate. */
struct mono http1_body_due(const struct http1 *h, uint64_t size, struct now now);

/* server.c */
void server_free_held(struct http1 *h);
void server_open(struct http1 *h, struct now now);
size_t server_feed(struct http1 *h, struct slice bytes, bool ended, struct now now);
enum status server_send(struct http1 *h, const struct message *message, const struct overlay *overlay,
                        const struct protocol_send *options, struct now now);
void server_settle(struct http1 *h, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now);
void server_tick(struct http1 *h, struct now now);
void server_fail(struct http1 *h, enum status status, const char *words, struct now now);
void server_shut(struct http1 *h, enum status status, struct now now);
void server_done(struct http1 *h);

/* exchange.c: what a whole request means */
void exchange_begin(struct http1 *h, const struct http1_head *head, struct slice body, struct now now);
/* Whether the request may go on to its body; if not it has been answered. */
bool exchange_check(struct http1 *h, const struct http1_head *head, struct now now);
/* Answers a request before its body is looked at; false. `lines` may be NULL: further header lines. */
bool exchange_refuse(struct http1 *h, const struct http1_head *head, enum status status, const char *words,
                     const char *lines, struct now now);
/* Who asks takes messages for `system` on this connection from now on. */
enum status exchange_serve(struct http1 *h, const struct http1_head *head, struct slice system);

/* origin.c: pages in browsers. NULL: what asks may; then server.cors says whether the answer must say so */
const char *origin_objection(struct http1 *h, const struct http1_head *head);
bool origin_is_preflight(const struct http1_head *head);
#define ORIGIN_PREFLIGHT_MAX 900
/* The header lines of its answer; returns their size. */
int origin_preflight(const struct http1_head *head, char out[static ORIGIN_PREFLIGHT_MAX]);
/* What any answer to such a page must have. */
#define ORIGIN_LINES_MAX 512
void origin_lines(const struct http1 *h, struct buffer *out);

/* upgrade.c: a request to go on as WebSocket; false: it is answered, with 101 or a refusal */
bool upgrade_begin(struct http1 *h, const struct http1_head *head, struct now now);

bool exchange_options(struct http1 *h, const struct http1_head *head, const char *allow, struct now now);

/* rest.c: requests of the accepted role that REST routes take, as messages, and their answers */
/* As exchange_check(), for what is outside of the API. */
bool rest_check(struct http1 *h, const struct http1_head *head, struct now now);
/* Whether a route names the host that is asked for: then it is no foreign name. */
bool rest_trusts_host(struct http1 *h, const struct http1_head *head);
/* Whether it goes on as it comes: then its size is not ours to judge, nor which pages may ask. */
bool rest_streams(struct http1 *h, const struct http1_head *head);
/* As bytes of the request's own target: an absolute form loses what its Host says too. */
struct slice rest_origin_form(const struct http1_head *head);
void rest_begin(struct http1 *h, const struct http1_head *head, struct slice body, struct now now);
enum status rest_answer(struct http1 *h, const struct message *message, const struct overlay *overlay, struct now now);

/* rest_client.c: messages as requests of their own */
enum status rest_request(struct http1 *h, const struct message *message, const struct overlay *overlay, struct buffer *out,
                         bool *ret_is_head, struct now now);
enum status rest_decode(struct http1 *h, const struct http1_head *head, struct slice body, struct message *message,
                        const struct slice id, const struct slice source, struct message_fault *fault, struct now now);

/* relay.c: exchanges that are streamed, both roles */
extern const struct protocol_streams http1_streams;
/* More of a body, or of a tunnel, for the peer. False: it can't be written, or isn't what was said. */
bool relay_write(struct http1 *h, struct http1_relay *r, struct slice data, bool last);
/* How its body comes; false: there is none. */
bool relay_expect(struct http1_in *in, const struct http1_head *head);
/* Passes on what came of a body or tunnel. `ret_result` MORE: go on; DONE: `ret_last` is its end, which is not passed on
 * yet; BAD: in->chunked.words tell why. Returns bytes used. */
size_t relay_read(struct http1 *h, struct http1_in *in, struct slice bytes, bool ended, enum http1_result *ret_result,
                  struct slice *ret_last);

/* relay_server.c: its accepted side */
void relay_begin(struct http1 *h, const struct http1_head *head, const struct protocol_way *way, struct now now);
size_t relay_server_feed(struct http1 *h, struct slice bytes, bool ended, struct now now);
bool relay_answer(struct http1 *h, const struct protocol_stream_answer *answer, struct now now);
bool relay_server_data(struct http1 *h, struct slice data, bool last, struct now now);
void relay_server_fail(struct http1 *h, enum status status);
void relay_server_abort(struct http1 *h, enum status status, uint32_t retry_ms, struct now now);

/* relay_client.c: its dialled side */
enum status relay_request(struct http1 *h, const struct protocol_stream *stream, struct now now);
size_t relay_client_feed(struct http1 *h, struct slice bytes, bool ended, struct now now);
void relay_client_fail(struct http1 *h, enum status status, const char *words);
bool relay_client_is_free(const struct http1 *h);

/* answer.c: bytes out of the accepted role */
/* A Date line. */
void answer_date(struct protocol_worker *worker, struct now now, struct buffer *out);
struct answer {
    unsigned code;
    struct slice content_type; /* empty: none */
    struct slice body;
    struct slice lines; /* each with CRLF */
    uint64_t length;    /* of a body that isn't there, to HEAD; 0: as `body` */
};
void answer_write(struct http1 *h, const struct answer *answer, struct now now);
void answer_problem(struct http1 *h, enum status status, struct slice detail, uint32_t retry_ms, struct slice lines,
                    struct now now);
void answer_accepted(struct http1 *h, struct now now);
/* Accepted, and where its reply will be. */
/* What once_note() was given, with a word that it is said again. */
/* Of what worker->again is about. */
void answer_duplicate(struct http1 *h, struct now now);
void answer_again(struct http1 *h, unsigned code, struct slice answer, struct now now);
void answer_later(struct http1 *h, struct now now);
/* The head of a body that the end of the connection ends. */
void answer_open(struct http1 *h, const struct answer *answer, struct now now);
enum status answer_reply(struct http1 *h, const struct message *message, const struct overlay *overlay, struct now now);
/* After an answer: the next request may come, or the connection closes. */
void answer_end(struct http1 *h, enum status status, struct now now);

/* pull.c */
void pull_begin(struct http1 *h, const struct http1_head *head, const struct api_route *route, struct slice body, struct now now);
void pull_answer(struct http1 *h, uint64_t token, const struct protocol_answer *answer, struct now now);
void pull_stream(struct http1 *h, uint64_t token, struct slice bytes, bool last, struct now now);
/* The peer sent something, or ended, while its exchange is open. */
void pull_disturb(struct http1 *h, bool ended);

/* once.c: Idempotency-Key */
/* Whether the exchange goes on; if not it was answered, or waits and begins by once_verdict(). */
bool once_begin(struct http1 *h, const struct http1_head *head, struct slice body, struct now now);
bool once_waits(const struct http1 *h);
void once_verdict(struct http1 *h, const struct once_verdict *verdict, struct now now);
bool once_tick(struct http1 *h, struct now now);
/* What was answered, as it follows Date and Connection; a wait that was applied is added. */
void once_note(struct http1 *h, unsigned code, struct slice answer);
/* The answer is out. */
void once_end(struct http1 *h);
void once_free(struct http1 *h);

/* batch.c */
void batch_begin(struct http1 *h, enum api_mode mode, struct slice body, const struct api_hints *hints, struct now now);
void batch_settle(struct http1 *h, uint64_t first, uint64_t last, enum status status, struct now now);
void batch_free(struct http1 *h);

/* client.c: answers in, and what they mean */
void client_open(struct http1 *h, struct now now);
size_t client_feed(struct http1 *h, struct slice bytes, bool ended, struct now now);
void client_tick(struct http1 *h, struct now now);
void client_shut(struct http1 *h, enum status status, struct now now);
void client_done(struct http1 *h);

/* request.c: requests out */
enum status client_send(struct http1 *h, const struct message *message, const struct overlay *overlay,
                        const struct protocol_send *options, struct now now);
/* Asks for consent to send events. */
enum status client_ask(struct http1 *h, struct now now);
void client_flush(struct http1 *h, struct now now);
/* A refused batch: its events go again, each by itself, before all that waits. */
void client_split(struct http1 *h, struct gather *gather);
/* Room and deadline, after either side has moved. */
void client_look(struct http1 *h, struct now now);
static inline struct http1_sent *client_sent(const struct http1_client *c, uint32_t index) {
    return &c->sent[(c->sent_first + index) & (c->sent_capacity - 1)];
}

#endif
