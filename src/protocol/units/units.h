/* A session over units: one connection whose carrier (carrier.h) brings payloads that are messages, either role. It
 * decodes and encodes them (JSON events, protobuf events, or data alone that is wrapped), reads control events, and keeps
 * account of what is open. JSON lines are this over the carrier `line`.
 *
 * A row of the protocol table is a units_open() with its carrier and codec, and the verbs below. */
#ifndef PROTOCOL_UNITS_UNITS_H
#define PROTOCOL_UNITS_UNITS_H

#include "protocol/protocol.h"
#include "protocol/stream/control.h"
#include "protocol/units/carrier.h"

#define UNITS_ID_INLINE 44
#define UNITS_ID_MAX 512         /* of an id that we answer to; longer ones get errors without `causationid` */
#define UNITS_SPAN_FACTOR 4      /* as STREAM1_SPAN_FACTOR */
#define UNITS_INFLIGHT_MAX 1024u /* unsettled with a peer that acknowledges */
#define UNITS_ERROR_RATE 100u    /* malformed units a second */
#define UNITS_CONTROL_RATE 100u  /* control events a second, but ack and nack */
#define UNITS_PAUSES 2 /* after a unit of a carrier that paces we send nothing for so many of the pauses that end one */
#define UNITS_UNREAD_MAX (4u << 20) /* what we answer and the peer doesn't read, beside one message */

/* What a unit's payload is. */
enum units_codec {
    UNITS_JSON,  /* an event in CloudEvents JSON format */
    UNITS_PROTO, /* an event in CloudEvents protobuf format */
    UNITS_RAW,   /* data: wrapped on its way in, alone on its way out */
};

/* An inbound message whose fate is open: its id, for the error event that may have to name it. */
struct units_entry {
    char *long_id; /* when it is longer than `id` has room */
    uint16_t id_size;
    uint8_t flags; /* enum units_entry_flag */
    char id[UNITS_ID_INLINE];
};

enum units_entry_flag {
    UNITS_SETTLED = 1,
    UNITS_ASKS = 2,
    UNITS_SILENT = 4, /* a reply: errors about it are never told, or two routers could play ball with them */
};

struct units_call; /* an outbound message of a fifo that isn't settled */

/* An outbound event that the peer will acknowledge by its id. */
struct units_sent {
    uint64_t hash; /* of the id; 0: settled */
};

struct units {
    const struct protocol_setup *setup;
    struct protocol_worker *worker;
    struct protocol_sink *sink;
    const struct carrier *carrier;
    void *carrier_state;     /* the carrier's own */
    struct mono carrier_due; /* when it wants its tick() */
    size_t scanned;          /* the carrier's: bytes of the begun unit that it needn't look at again */
    struct message_rules rules;
    uint8_t codec;     /* enum units_codec, of what we write */
    bool codec_is_one; /* and the only one that may come; else the first byte of a unit tells */
    bool is_dialled;
    bool is_known; /* said hello */
    bool subscribed;
    bool acks_chosen;
    bool shutting;
    bool leaving; /* our goodbye is on its way */
    bool greeting; /* the peer must still say who it is */
    bool fifo;     /* the next frame is the reply to the oldest request; set before units_open() */
    bool quiet;    /* the carrier paces: what was sent must be written, and then nothing for a while */
    bool peer_ended;

    uint64_t rx_token;
    uint64_t rx_low; /* lowest unsettled; rx_token + 1 when there is none */
    uint64_t rx_unsettled;
    struct units_entry *rx; /* ring by token */
    uint32_t rx_capacity;
    uint32_t asks_open;
    uint32_t calls_open;

    uint64_t tx_token;
    uint64_t tx_low; /* lowest unsettled; tx_token + 1 when there is none, or nobody acknowledges */
    uint32_t tx_unsettled;
    uint32_t inflight_max;
    uint64_t credit;
    uint64_t hash_seed;
    struct units_sent *tx; /* ring of UNITS_INFLIGHT_MAX by token; NULL unless the peer acknowledges */
    struct units_call *calls; /* fifo: ring by token */
    uint32_t call_capacity;
    struct mono reply_due;   /* fifo: of the oldest request */
    struct mono quiet_until; /* MONO_NEVER: it isn't written yet */

    struct mono rate_start;
    uint32_t error_count;
    uint32_t control_count;
    struct mono deadline; /* of hello, where a key is required; of the greeting */
    struct mono idle;
    uint64_t count;        /* units that came */
    uint64_t seen_at_idle; /* units, and bytes out, when we last looked */
    enum status shut_status;
};

/* -- units.c: the verbs of struct protocol, and what ends a session -- */

/* For a row's open(). `codec_is_one`: no other may come. `carrier_state` is what the carrier finds as its own; if its
 * open() fails, or this is never reached, it is the caller's to free. */
void units_open(struct units *s, const struct carrier *carrier, void *carrier_state, enum units_codec codec,
                bool codec_is_one, const struct protocol_setup *setup, struct protocol_worker *worker,
                struct protocol_sink *sink, struct now now);
/* Who it is was said before: no hello is due. */
void units_known(struct units *s);
size_t units_feed(void *state, struct slice bytes, bool ended, struct now now);
void units_written(void *state, struct now now);
void units_cancel(void *state, uint64_t token, struct now now);
void units_tick(void *state, struct now now);
void units_fail(void *state, enum status status, const char *words, struct now now);
void units_shut(void *state, enum status status, struct now now);
void units_done(void *state);

/* Ends: with a goodbye where the carrier has one. `words` may be NULL. */
void units_close(struct units *s, enum status status, const char *words, struct now now);
/* The carrier's goodbye is answered, or won't be. */
void units_gone(struct units *s, enum status status);
void units_check_end(struct units *s, struct now now);
void units_set_due(struct units *s);
/* One whole unit came in. */
void units_take(struct units *s, struct slice payload, bool is_text, struct now now);
/* Says what is wrong with the connection, where there is a form for that, and ends it. */
void units_refuse(struct units *s, enum status status, const char *words, struct slice begun, struct now now);
/* Counts something that has a limit a second; false past it. */
bool units_count(struct units *s, uint32_t *count, uint32_t max, struct now now);

/* -- window.c: what the peer has open with us -- */

void units_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now);
void units_rest(void *state);
/* Room for one more entry. False: it ended. */
bool units_make_entry(struct units *s, struct now now);
void units_note_arrival(struct units *s, const struct message *message);
/* Whether that token is a question without answer; and it is answered. */
bool units_may_answer(const struct units *s, uint64_t token);
void units_answer(struct units *s, uint64_t token);
void units_drop_entries(struct units *s);

/* -- codec.c -- */

/* A message out of a payload; borrows from it and from worker->extra. */
enum status units_decode(struct units *s, struct slice payload, bool is_text, struct message *message,
                         struct message_fault *fault, struct now now);
/* A bound of what units_encode() writes. */
size_t units_bound(const struct units *s, const struct message *message, const struct overlay *overlay);
enum status units_encode(struct units *s, const struct message *message, const struct overlay *overlay, struct buffer *out);
/* No line ends in JSON. */
void units_flatten(uint8_t *bytes, size_t size);
/* Of a unit that is no event: the id in it, if the text up to the mistake has one. */
struct slice units_find_id(const struct units *s, struct slice payload);

/* -- send.c: what leaves -- */

enum status units_send(void *state, const struct message *message, const struct overlay *overlay,
                       const struct protocol_send *options, struct now now);
bool units_recover(void *state, struct slice sent, struct message *ret_message);
/* Messages that can be sent now. */
uint32_t units_room(const struct units *s);
void units_update_room(struct units *s);
/* One more unit with that payload. */
enum status units_put(struct units *s, struct slice payload, bool is_text);

/* -- fifo.c -- */

bool units_reserve_call(struct units *s);
/* The message that has just been written as tx_token. */
void units_note_call(struct units *s, const struct protocol_send *options, struct now now);
void units_calls_written(struct units *s);
void units_take_reply(struct units *s, struct slice payload, bool is_text, struct now now);

/* -- control_events.c: what events say beside messages -- */

/* Whether the event's type is one of intertie.ctl.*. */
bool units_is_control(const struct message *message);
void units_control(struct units *s, const struct message *message, struct now now);
/* An `error` event about the event with that id (empty: unknown). */
void units_write_error(struct units *s, enum status status, const char *detail, struct slice id, struct now now);

#endif
