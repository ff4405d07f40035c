/* One connection of CloudEvents as JSON lines, either role, and what its files share. */
#ifndef PROTOCOL_STREAM_NDJSON_H
#define PROTOCOL_STREAM_NDJSON_H

#include "protocol/protocol.h"
#include "protocol/stream/control.h"

#define NDJSON_ID_INLINE 44
#define NDJSON_ID_MAX 512         /* of an id that we answer to; longer ones get errors without `causationid` */
#define NDJSON_SPAN_FACTOR 4      /* as STREAM1_SPAN_FACTOR */
#define NDJSON_INFLIGHT_MAX 1024u /* unsettled with a peer that acknowledges */
#define NDJSON_ERROR_RATE 100u    /* malformed lines a second */
#define NDJSON_CONTROL_RATE 100u  /* control events a second, but ack and nack */
#define NDJSON_UNREAD_MAX (4u << 20) /* what we answer and the peer doesn't read, beside one message */

/* An inbound message whose fate is open: its id, for the error event that may have to name it. */
struct ndjson_entry {
    char *long_id; /* when it is longer than `id` has room */
    uint16_t id_size;
    uint8_t flags; /* enum ndjson_entry_flag */
    char id[NDJSON_ID_INLINE];
};

enum ndjson_entry_flag {
    NDJSON_SETTLED = 1,
    NDJSON_ASKS = 2,
    NDJSON_SILENT = 4, /* a reply: errors about it are never told, or two routers could play ball with them */
};

/* An outbound event that the peer will acknowledge by its id. */
struct ndjson_sent {
    uint64_t hash; /* of the id; 0: settled */
};

struct ndjson {
    const struct protocol_setup *setup;
    struct protocol_worker *worker;
    struct protocol_sink *sink;
    struct message_rules rules;
    bool is_dialled;
    bool is_known; /* said hello */
    bool subscribed;
    bool acks_chosen;
    bool shutting;
    bool peer_ended;
    size_t scanned; /* bytes of the begun line that are known to have no LF */

    uint64_t rx_token;
    uint64_t rx_low; /* lowest unsettled; rx_token + 1 when there is none */
    uint64_t rx_unsettled;
    struct ndjson_entry *rx; /* ring by token */
    uint32_t rx_capacity;
    uint32_t asks_open;
    uint32_t calls_open;

    uint64_t tx_token;
    uint64_t tx_low; /* lowest unsettled; tx_token + 1 when there is none, or nobody acknowledges */
    uint32_t tx_unsettled;
    uint32_t inflight_max;
    uint64_t credit;
    uint64_t hash_seed;
    struct ndjson_sent *tx; /* ring of NDJSON_INFLIGHT_MAX by token; NULL unless the peer acknowledges */

    struct mono rate_start;
    uint32_t error_count;
    uint32_t control_count;
    struct mono deadline; /* of hello, where a key is required */
    struct mono idle;
    uint64_t lines;
    uint64_t seen_at_idle; /* lines, and bytes out, when we last looked */
    enum status shut_status;
};

/* -- ndjson_control.c -- */
/* Whether the event's type is one of intertie.ctl.*. */
bool ndjson_is_control(const struct message *message);
void ndjson_control(struct ndjson *s, const struct message *message, struct now now);
/* An `error` event about the event with that id (empty: unknown). */
void ndjson_write_error(struct ndjson *s, enum status status, const char *detail, struct slice id, struct now now);

/* -- ndjson.c -- */
void ndjson_update_room(struct ndjson *s);
void ndjson_close(struct ndjson *s, enum status status);
void ndjson_check_end(struct ndjson *s);

#endif
