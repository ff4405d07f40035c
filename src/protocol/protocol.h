/* The contract between a protocol and what it stands on (the connection room) and speaks to (its user: the engine, or
 * a test actor).
 *
 * A protocol instance is a pure state machine for one connection: bytes in, messages up, messages down, bytes out. It
 * reads no clock, opens nothing, allocates only bounded state of its own. All calls come from one thread.
 *
 * Tokens. Inbound messages are numbered 1, 2, 3.. per connection by the protocol, each is settled exactly once, in any
 * order, by settle(). Outbound messages are numbered 1, 2, 3.. by the user; each ends exactly once: by sink.outcome()
 * where `terms.acks`, else by the connection, when its last byte was written.
 *
 * Reentrancy. The protocol calls the sink only from within feed, send, settle, cancel, tick, shut, written, datagram, open. The
 * user may call send, settle and cancel of *any* protocol, this one too, from within a sink call; a protocol must
 * therefore have its own state in order before it calls up, and must bear settle() inside message(). Nobody calls
 * done() from inside a sink call. */
#ifndef PROTOCOL_PROTOCOL_H
#define PROTOCOL_PROTOCOL_H

#include "base/address.h"
#include "base/chain.h"
#include "base/clock.h"
#include "message/message.h"
#include "message/uuid.h"
#include "protocol/coding.h"
#include "protocol/once.h"
#include "protocol/pull.h"
#include "protocol/relay.h"
#include "protocol/rest.h"

enum protocol_role {
    PROTOCOL_ACCEPTED, /* we listen */
    PROTOCOL_DIALLED,  /* we dial */
};

/* What the user does with a message that nobody can take now. */
enum protocol_full {
    PROTOCOL_FULL_WITHHOLD, /* hold it, unsettled: the protocol's own credit bounds the peer (stream v1) */
    PROTOCOL_FULL_WAIT,     /* hold it for timeouts.queue, then refuse (http1) */
    PROTOCOL_FULL_STOP,     /* hold it and stop reading the connection (NDJSON) */
    PROTOCOL_FULL_DROP,     /* refuse at once (datagrams) */
};

/* Filled by the protocol in open(), changed before later messages when the peer negotiates. */
struct protocol_terms {
    bool acks;        /* the peer settles what we send; else it is delivered when its last byte is written */
    bool times_acks;  /* and the protocol itself says when it has been silent for too long (VERDICT_UNKNOWN) */
    bool inline_reply; /* an inbound request's exchange stays open: the reply is sent with `reply_to` = its token, and
                        * the token is settled only if there will be none (http1) */
    bool can_reply;   /* a reply may also be sent as a message of its own */
    bool is_intertie; /* the peer says that it is an intertie: hops are counted toward it */
    bool keep;        /* a message can't be had again from the bytes that were written for it: recover() always fails */
    bool answers_bounded; /* feed() isn't called while more than NET_UNSENT_MAX bytes wait to be sent: who asks on and
                           * on but takes no answers is not read (http1). For those whose peer may not read before it
                           * is read, it would be a deadlock: they have bounds of their own */
    uint8_t when_full; /* enum protocol_full */
};

/* What can be sent now. Kept current by the protocol. 0 messages also while it isn't open yet. */
struct protocol_room {
    uint32_t messages;
    uint64_t bytes; /* encoded size that still fits; UINT64_MAX: no bound of its own */
};

enum protocol_verdict {
    VERDICT_ACCEPTED,
    VERDICT_REJECTED, /* for good */
    VERDICT_RETRY,    /* may be sent again, not before retry_ms */
    VERDICT_EXPIRED,
    VERDICT_UNSENT, /* the peer has not taken it and never will here: send it again, at once where it can be. With a
                     * status other than OK the peer refused it together with others: that was an attempt. Tokens that
                     * end so in one run come newest first */
    VERDICT_UNKNOWN, /* the peer was given it and is silent: sent again where its kind may be */
};

struct protocol_outcome {
    enum protocol_verdict verdict;
    enum status status; /* OK when accepted */
    uint32_t retry_ms;
};

/* Who the peer says it is. All slices are borrowed. */
struct protocol_hello {
    struct slice client; /* product, for `status` */
    struct slice system; /* whom it wants to act as; empty: not said */
    struct slice key;    /* `itk_...`; empty: none presented */
    bool serves;         /* it takes messages for `system` on this connection (a session) */
    bool is_intertie;
    uint32_t window;     /* messages that it takes unsettled; 0: no say */
};

struct protocol_subscription {
    uint32_t sub;        /* its number on this connection; 0 on NDJSON: the only one */
    struct slice filter; /* CESQL; empty: the session serves its system */
    struct slice group;
    uint32_t max_inflight;
    bool ack;
};

/* For a protocol that serves other things beside messages (http1: admin, problem documents). See http1/http1.h. */
struct protocol_request;

/* Calls up. Every `user` is the one given in the sink. */
struct protocol_calls {
    /* One inbound message, borrowed. `reply_to`: the outbound token that it answers on this carrier (dialled http1, fifo),
     * or 0. The user settles `token` now or later. `message->receipt` may be set by the protocol. */
    void (*message)(void *user, uint64_t token, struct message *message, uint64_t reply_to);
    /* An inbound unit that was no valid message: for counters and the log; the protocol has answered it itself. */
    void (*invalid)(void *user, const struct message_fault *fault);
    /* And which rule threw it away, in one word, where that is counted for itself (datagram). May be NULL. */
    void (*dropped)(void *user, const char *rule);
    /* Outbound tokens first..last were settled by the peer (only where terms.acks). */
    void (*outcome)(void *user, uint64_t first, uint64_t last, struct protocol_outcome outcome);
    /* The peer no longer wants an answer to its unsettled or unanswered message. */
    void (*cancelled)(void *user, uint64_t token);
    /* `room` has grown from nothing. */
    void (*room)(void *user);
    /* The peer presented itself. STATUS_OK: ret_system is the system it acts as (empty: none), borrowed as long as the
     * connection. Else the protocol answers the refusal and, where connections are authenticated, closes. */
    enum status (*hello)(void *user, const struct protocol_hello *hello, struct slice *ret_system);
    /* STATUS_OK, or why not, with words in `fault`. */
    enum status (*subscribe)(void *user, const struct protocol_subscription *subscription, struct message_fault *fault);
    void (*unsubscribe)(void *user, uint32_t sub);
    /* From now on what this connection says and owes may outlive it, under that name; borrowed, the same until its end.
     * False: it can't. NULL: nobody keeps anything. */
    bool (*keep)(void *user, struct slice session);
    /* The peer goes on with that session. True: it is there and is the peer's. feed() then returns at once, without the
     * bytes that asked for it: they are given to the instance of that session, which takes the place of this one. */
    bool (*resume)(void *user, struct slice session);
    /* A request that is no message (admin, GET): answered now or later by http1_answer(token). */
    void (*request)(void *user, uint64_t token, const struct protocol_request *request);
    /* The peer fetches, or says what became of what it fetched: answered now or later by protocol->answer(token). */
    void (*pull)(void *user, uint64_t token, const struct pull *pull);
    /* The request that is being read says who it is; who asks has said hello. NULL: nobody knows of others. */
    struct once_verdict (*claim)(void *user, const struct once_claim *claim);
    /* The answer of one that was ONCE_NEW, or that is no longer waited for; code 0: it has none. */
    void (*claimed)(void *user, unsigned code, struct slice answer);
    /* Where a request outside of the API goes; NULL: nowhere. See rest.h. */
    void (*way)(void *user, const struct protocol_ask *ask, struct protocol_way *ret);
    /* accepted: a request that is streamed begins; the user answers it by the row's `streams`. */
    void (*stream_begin)(void *user, const struct protocol_stream *stream);
    /* dialled: a head of its answer */
    void (*stream_answer)(void *user, const struct protocol_stream_answer *answer);
    /* More of the body that comes from this peer, or of the tunnel. False: the user holds the connection back, feed() does
     * not go on. */
    bool (*stream_data)(void *user, struct slice data, bool last);
    /* This side can't go on with what it has: it ends. */
    void (*stream_failed)(void *user, enum status status);
    /* Words for the peer about why inbound `token` is settled with `status`, such as "no system `lmap`; did you mean
     * `lamp`?". Asked for from within settle(). Returns their size; 0, or the call being NULL: the status title says it. */
    size_t (*detail)(void *user, uint64_t token, enum status status, char *out, size_t room);
    /* Header lines about the rates that bound this peer, each with its CRLF; where setup->is_limited. Returns their size. */
    size_t (*limits)(void *user, char *out, size_t room);
};

/* What the peer at an endpoint has said once for all connections to it (http1). */
struct protocol_consent {
    bool given;    /* events are welcome there */
    bool gone;     /* nothing is, for good (410) */
    uint32_t rate; /* events a minute at most; 0: any number */
};

/* The protocol's side of a connection; lives in the connection. */
struct protocol_sink {
    const struct protocol_calls *calls;
    void *user;
    struct chain *out; /* bytes to the peer; sent even when feed fails */
    struct protocol_room room;
    struct mono due; /* when tick() wants to be called; MONO_NEVER: not. Written by the protocol, read after each call */
    size_t held;     /* bytes that the protocol keeps of a unit that has begun and isn't whole; 0: it keeps none */
    size_t want;     /* feed() makes no progress before so many bytes are there; 0: any */
    struct protocol_terms terms;
    bool paused;     /* feed() must not be called: the protocol waits for settle() (http1: one exchange at a time) */
    bool greets;     /* dialled: the peer hasn't shown yet that it is who was meant; if it ends so, the dial has failed */
    bool stays;      /* dialled, set by the user: it is kept open however idle, as far as the peer lets it */
    const struct protocol_presents *presents; /* dialled: set before open(), and anew when that changes; NULL: as in setup */
    bool known;      /* set before open(): who the peer is was shown already (by a certificate), it needs no key */
    bool gathers;    /* send() holds something back: flush() is called at the end of each turn that touches it */
    /* Set by the protocol to end: what is in `out` is written, then the connection closes with this reason. */
    bool closing;
    bool reading_done; /* with `closing`: bytes that still come in are thrown away */
    bool aborts; /* with `closing`: what was said is not whole and nothing in it says so: the end must not look like one */
    enum status close_status;
    struct protocol_consent *consent; /* dialled: set before open(), shared by the connections to one endpoint; NULL: each for itself */
    /* Set in feed() to be replaced: the bytes that feed() did not use go to the next row's feed(). */
    const struct protocol *become;
};

enum protocol_content_mode { PROTOCOL_MODE_AUTO, PROTOCOL_MODE_BINARY, PROTOCOL_MODE_STRUCTURED, PROTOCOL_MODE_BATCH };
enum protocol_format { PROTOCOL_FORMAT_AUTO, PROTOCOL_FORMAT_CLOUDEVENTS, PROTOCOL_FORMAT_RAW };

/* Where one unit of a stream ends. */
enum protocol_framing {
    PROTOCOL_FRAME_LINE,
    PROTOCOL_FRAME_CRLF,
    PROTOCOL_FRAME_LEN16BE,     /* RFC 4571 */
    PROTOCOL_FRAME_LEN32BE,
    PROTOCOL_FRAME_VARINT,      /* protobuf's writeDelimitedTo */
    PROTOCOL_FRAME_OCTET_COUNT, /* RFC 6587 section 3.4.1 */
    PROTOCOL_FRAME_MLLP,        /* HL7 minimal lower layer protocol */
    PROTOCOL_FRAME_FIXED,
    PROTOCOL_FRAME_IDLE,
    PROTOCOL_FRAME_UNTIL,
    PROTOCOL_FRAME_COUNT
};
struct protocol_frame {
    enum protocol_framing framing;
    uint32_t fixed;     /* FIXED: bytes of each */
    int64_t idle_ns;    /* IDLE: one ends when so long nothing came */
    struct slice until; /* UNTIL: one ends with these bytes */
};

/* What the messages of a WebSocket connection are: its subprotocol. */
enum ws_content {
    WS_PLAIN, /* no subprotocol: data alone */
    WS_JSON,  /* cloudevents.json */
    WS_PROTO, /* cloudevents.proto */
    WS_STREAM, /* intertie.v1: stream v1, a frame in each */
    WS_CONTENT_COUNT,
};
#define WS_CONTENT_BIT(content) (1u << (content))
#define WS_CONTENT_EVENTS (WS_CONTENT_BIT(WS_JSON) | WS_CONTENT_BIT(WS_PROTO)) /* what we offer where nothing is said */
#define WS_CONTENT_OURS (WS_CONTENT_EVENTS | WS_CONTENT_BIT(WS_STREAM))

/* What is said before the first message on a connection that we dialled. */
struct protocol_greet {
    struct slice expect; /* a pattern for the peer's first unit, `*` is anything; empty: none is due */
    struct slice send;   /* a unit that we send then; empty: none */
    int64_t within_ns;
};

/* What we show to whom we dial. Secrets: nothing of it is ever logged. */
struct protocol_presents {
    struct slice lines;          /* http1, WebSocket: header lines, each with CRLF */
    struct slice field;          /* the name of the field in them; empty: none */
    const struct slice *secrets; /* http1: each body is signed with each of them (Standard Webhooks) */
    size_t secret_count;
};

/* A secret that both sides know. */
struct protocol_secret {
    struct slice secret;
    uint32_t kid; /* datagram: what an envelope calls it */
};

/* What an instance is told about its place. Outlives it; shared by all connections of a listener or endpoint. */
struct protocol_setup {
    enum protocol_role role;
    struct slice name;       /* of the listener, or SYSTEM/ENDPOINT */
    struct slice node;       /* `name` of this process: WELCOME.node, User-Agent, Via */
    struct slice public_url; /* prefix of problem types and sources; may be empty */
    const struct attribute_declared *declared;
    struct {
        uint32_t message; /* encoded bytes of one event */
        uint32_t header;  /* http1: bytes of the header section */
        uint32_t fields;  /* http1: header fields */
        uint32_t window;  /* messages that the peer may have unsettled with us (stream v1 credit) */
        uint64_t window_bytes;
        uint64_t min_rate; /* bytes a second that a begun unit must come with; 0: as slowly as it likes */
        uint32_t per_source; /* datagram: so many a second from one network; 0: any number */
    } limits;
    struct {
        int64_t head_ns; /* from the first byte of a request or preface to its end */
        int64_t auth_ns; /* from opening to HELLO where `auth` */
        int64_t idle_ns; /* nothing at all happens */
        int64_t heartbeat_ns; /* stream v1 hb_ms */
        int64_t attempt_ns;   /* dialled http1, fifo: from request to final status or reply */
        int64_t write_ns;     /* the peer takes no byte of what there is for it; 0: never too long */
        int64_t filters_ns;   /* from being connected until all filters are ready; 0: ten seconds */
    } timeouts;
    uint8_t compress[CODING_COUNT]; /* enum coding, the best first; 0 ends. None: nothing is packed or unpacked */
    const struct filter_use *filters; /* between the wire and the protocol, from the wire up; see filter.h */
    size_t filter_count;
    /* accepted */
    bool auth;          /* a key is required */
    bool keys_refused;  /* keys in clear text are refused here */
    bool is_loopback;   /* the listener's address: then Host must be a loopback name */
    enum protocol_format format;
    const struct protocol_default { /* attributes for what is wrapped */
        struct slice name;
        struct slice value;
    } *defaults;
    size_t default_count;
    struct protocol_frame frame; /* frames, fifo */
    struct protocol_greet greet; /* dialled frames, fifo, ndjson */
    struct {
        unsigned contents; /* WS_CONTENT_BITs that may be agreed on; 0: there is no WebSocket here */
        bool deflate;      /* permessage-deflate may be agreed on */
        bool only;         /* accepted: nothing else is at `path`, and nothing at all elsewhere */
        int64_t ping_ns;   /* a silent peer is asked so often whether it is there; 0: never */
    } websocket;
    struct slice system;   /* dialled: whom we dial. Accepted: all is from this system, or empty */
    bool answers;          /* datagram: this peer may be answered */
    struct {
        struct slice send;   /* empty: nothing is */
        struct slice expect; /* what comes begins so, `*` is anything; empty: that it connects is enough */
        struct slice body;   /* http: stands in the answer's body; empty: it isn't read */
        uint16_t low, high;  /* http: statuses that are good */
    } check; /* probes */
    const struct protocol_secret *secrets; /* datagram: of envelopes that are required, the first is the one to make them with; NULL: there are none */
    size_t secret_count;
    const struct slice *origins; /* http1: of pages that may use this listener, beside those of its own host */
    size_t origin_count;
    bool is_limited;       /* http1: calls->limits has lines for answers */
    bool is_admin;         /* http1: every request goes to calls->request */
    bool is_secure;        /* http1: its peers speak TLS, here or before us: `https` */
    const struct cidr *trusted; /* http1: peers whose Forwarded and X-Forwarded-* count */
    size_t trusted_count;
    /* dialled */
    struct slice host; /* http1: Host */
    struct slice path; /* http1: request target, query included */
    const struct protocol_rest *rest; /* http1: messages become requests of their own; NULL: they are posted as events */
    const struct protocol_header *headers; /* http1: fields to add to each request */
    size_t header_count;
    struct {
        struct slice origin; /* http1: consent is asked for in this name before the first event; empty: it isn't */
        uint32_t rate;       /* for so many a minute; 0: it is not said */
    } webhook;
    bool preserve_host;    /* http1: a request that came by HTTP keeps the Host that it was made for */
    enum protocol_content_mode mode;
    enum message_encoding encoding; /* of what we send where the peer does not choose */
    uint32_t pipeline; /* http1, fifo: requests on their way at once; 0: one */
    struct {
        uint32_t max;    /* http1: events in one request; 0: each has its own */
        int64_t wait_ns; /* so long the first waits for others; 0: to the end of the turn */
    } batch;
    int64_t expiry_ns; /* stream v1: so long a session may outlive its connection; 0: it doesn't */
    struct protocol_presents presents; /* http1, WebSocket */
    struct slice own_system; /* stream v1 dialled: HELLO.system */
    struct slice own_client; /* stream v1 dialled: HELLO.client; empty: intertie/VERSION, a router that counts hops */
    struct slice own_key;    /* stream v1 dialled: HELLO.auth */
    const struct protocol_subscription *own_subscriptions; /* stream v1 dialled: sent once it is open */
    size_t own_subscription_count;
};

#define PROTOCOL_RINGS 8
#define PROTOCOL_RING_MAX 1024 /* entries of a ring that is kept */

/* What instances of one worker share. */
struct protocol_worker {
    struct uuid_source ids;
    struct message_seen seen;
    struct buffer extra;   /* scratch for decoding; cleared by the protocol before each unit; fixed size */
    struct buffer scratch; /* for encoding where the chain can't be written in place */
    void *gift; /* from who sets sink->become to the next row's open(), which follows at once and takes it; one allocation */
    struct websocket_worker *websocket; /* NULL until it is needed, then websocket_worker_done() */
    struct { /* beside an outcome that isn't good: what the peer said, borrowed within the call */
        uint16_t code;      /* HTTP status; 0: none */
        struct slice words; /* the beginning of its body, as far as it is there */
    } answer;
    const uint8_t *again;  /* beside STATUS_DUPLICATE of what was accepted before: the receipt of that; zeros: it had none */
    uint64_t secret;       /* names of sessions are made of it and of their number */
    uint64_t sessions;
    bool is_leaving;       /* the worker drains: http1 ends connections with their next answer */
    struct coder *coder;   /* contexts of content codings; NULL until they are needed, then coding_done() */
    void *tls;             /* struct tls_worker; NULL: none */
    int64_t date_second;   /* http1: of `date` */
    char date[32];         /* http1: as in the header; empty before the first */
    struct protocol_ring { /* ndjson: of connections that fell silent */
        void *entries;
        uint32_t capacity;
    } rings[PROTOCOL_RINGS];
    uint32_t ring_count;
};

/* What may outlive a connection. */
struct protocol_session {
    struct slice name;
    size_t kept; /* bytes that would be sent again */
};

/* Options of one send(). */
struct protocol_send {
    uint64_t token;
    uint64_t reply_to; /* inbound token that this answers on its own exchange; 0: none */
    uint32_t sub;      /* subscription that it is for; 0: none */
    uint8_t attempt;   /* 1 the first time */
    int64_t timeout_ns; /* dialled http1, fifo: until its final status or reply; 0: timeouts.attempt_ns */
    bool asks;         /* a reply is due on this carrier (dialled http1: 200's body is the reply; fifo: the next frame) */
};

struct protocol {
    const char *name;    /* metric label, config scheme table: "http1", "stream", "ndjson", "frames".. */
    size_t state_size;   /* of the instance; zeroed by the connection, which owns it */
    bool is_datagram;
    bool keeps_open;     /* dialled: kept connected also when there is nothing to send */
    uint32_t pool_max;   /* dialled: more connections than this to one endpoint make no sense; 0: no bound */
    /* All return at once; what they want is in the sink. `state` is state_size bytes. */
    void (*open)(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                 struct protocol_sink *sink, const struct address *peer, struct now now);
    /* Bytes from the peer, borrowed. Returns how many were used; the rest comes again, with more behind it. `ended`: the
     * peer has shut its side down. May stop short after a message to let the user breathe: it is called again while it
     * uses bytes. */
    size_t (*feed)(void *state, struct slice bytes, bool ended, struct now now);
    /* is_datagram only: one datagram from `from`. */
    void (*datagram)(void *state, struct slice bytes, const struct address *from, struct now now);
    /* Encodes one message into out. Only called with room. STATUS_OK; or why it can never be sent so (TOO_LARGE,
     * MALFORMED_EVENT, NOT_SUPPORTED, NO_MEMORY): the token then is unused and `out` is as before. */
    enum status (*send)(void *state, const struct message *message, const struct overlay *overlay,
                        const struct protocol_send *options, struct now now);
    /* What became of inbound messages first..last. STATUS_OK: accepted. */
    void (*settle)(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now);
    /* The user no longer wants the outcome or the reply of an outbound message; advisory. */
    void (*cancel)(void *state, uint64_t token, struct now now);
    /* The turn ends: writes what send() held back, unless it waits for more. NULL where send() never does. */
    void (*flush)(void *state, struct now now);
    /* Some of `out` was written. NULL: it needn't know. */
    void (*written)(void *state, struct now now);
    /* All is written, at the end of a turn: what only messages under way need may go. NULL: nothing does. */
    void (*rest)(void *state);
    /* sink.due has come. */
    void (*tick)(void *state, struct now now);
    /* A limit of the connection is reached: answers the unit that has begun with `status`, in whatever form the protocol
     * has for that, and sets closing. NULL where it has none: the connection just ends. */
    void (*fail)(void *state, enum status status, const char *words, struct now now);
    /* End gracefully: no new work, finish what is open, then set closing. `status` says why. */
    void (*shut)(void *state, enum status status, struct now now);
    /* The whole answer for a peer that is not let in: no instance was opened for it. Returns its size, 0: it doesn't fit.
     * NULL where the protocol has no form for that. */
    size_t (*refusal)(enum status status, char *out, size_t room);
    /* Answers a calls->pull token, from within that call or later; tokens that aren't open are ignored. NULL where there
     * are none. Outside of a net call connection_touch() must follow, for stream() too. */
    void (*answer)(void *state, uint64_t token, const struct protocol_answer *answer, struct now now);
    /* The verdict about a claim that was ONCE_PENDING. NULL where there are none. connection_touch() must follow. */
    void (*once)(void *state, const struct once_verdict *verdict, struct now now);
    /* More of an answer that is a stream; `last`: it ends, and the connection with it. */
    void (*stream)(void *state, uint64_t token, struct slice bytes, bool last, struct now now);
    const struct protocol_streams *streams; /* NULL: exchanges are never streamed */
    /* Recover a message from the bytes that send() wrote (they did not get out). False when it can't be. */
    bool (*recover)(void *state, struct slice sent, struct message *ret_message);
    /* NULL result: it ends with its connection. Only asked of those that called keep(), or were dialled. */
    const struct protocol_session *(*session)(void *state);
    /* The connection is lost. Until when the state may wait for another, {0}: it ends now. Meanwhile only settle() and
     * done() are called. NULL: it always ends. */
    struct mono (*detach)(void *state, struct now now);
    /* There is another connection: its sink and its setup are in place of those of open(). */
    void (*attach)(void *state, const struct protocol_setup *setup, struct protocol_sink *sink, struct now now);
    /* Frees what the state owns, not the state. The sink must not be called. */
    void (*done)(void *state);
};

extern const struct protocol protocol_http1;
extern const struct protocol protocol_stream;   /* sniffs: becomes stream v1 or ndjson by the first byte (accepted) */
extern const struct protocol protocol_stream1;  /* stream v1 alone */
extern const struct protocol protocol_ndjson;   /* CloudEvents as JSON lines */
extern const struct protocol protocol_frames;   /* setup->frame, events or data alone */
extern const struct protocol protocol_fifo;     /* dialled: the same, data alone, and the next frame is the reply to the oldest request */
extern const struct protocol protocol_websocket;      /* units as WebSocket messages, after the handshake */
extern const struct protocol protocol_websocket_stream; /* stream v1 over WebSocket (intertie.v1), after the handshake */
extern const struct protocol protocol_websocket_dial; /* dialled: the handshake, then one of these */
extern const struct protocol protocol_datagram;

/* Frees what the WebSocket connections of a worker shared. */
void websocket_worker_done(struct websocket_worker **worker);

/* The table; ends with NULL. Adding a protocol is its folder and one line in protocol.c. */
extern const struct protocol *const protocol_table[];
/* NULL when no row has that name. */
const struct protocol *protocol_find(struct slice name);

#endif
