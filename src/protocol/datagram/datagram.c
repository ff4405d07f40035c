/* CloudEvents in datagrams: one event, JSON batch or protobuf event each; or data alone. */
#include "protocol/datagram/asks.h"
#include "protocol/datagram/peers.h"
#include "protocol/datagram/seals.h"
#include "protocol/datagram/sources.h"
#include "protocol/protocol.h"
#include "protocol/wrap.h"

#include "base/assert.h"
#include "base/memory.h"
#include "message/encoding.h"

#define ANSWER_MAX 1200u /* bytes of an answer; RFC 8085 section 3.2 */
#define PAYLOAD_MAX 65507u /* of UDP over IPv4 */

struct datagram {
    const struct protocol_setup *setup;
    struct protocol_worker *worker;
    struct protocol_sink *sink;
    struct message_rules rules;
    struct address peer; /* dialled: the only one */
    bool is_dialled;
    bool shutting;
    enum status shut_status;
    uint64_t rx_token;
    uint64_t tx_token;
    struct asks asks;
    struct seals seals;
    struct envelope envelope; /* of what is read now, where they are used */
    struct sources sources; /* accepted */
    struct peers peers; /* only where we answer */
};

static bool answers(const struct datagram *d) {
    return !d->is_dialled && d->setup->answers;
}

static void end(struct datagram *d) {
    d->sink->closing = true;
    d->sink->close_status = d->shut_status;
    d->sink->room = (struct protocol_room){0};
}

static void end_ask(struct datagram *d, struct ask *ask) {
    asks_end(&d->asks, ask);
    if (d->shutting && d->asks.open == 0)
        end(d);
}

/* -- in -- */

static void refuse(struct datagram *d, enum status status, const char *text) {
    struct message_fault fault = {.status = status};
    size_t size = strlen(text);
    memcpy(fault.text, text, size < sizeof fault.text ? size : sizeof fault.text - 1);
    d->sink->calls->invalid(d->sink->user, &fault);
}

static void drop(struct datagram *d, enum status status, const char *rule, const char *text) {
    if (d->sink->calls->dropped)
        d->sink->calls->dropped(d->sink->user, rule);
    refuse(d, status, text);
}

static enum status decode(struct datagram *d, struct slice event, bool is_proto, struct message *message,
                          struct message_fault *fault) {
    struct buffer *extra = &d->worker->extra;
    buffer_clear(extra);
    fault->attribute[0] = fault->text[0] = '\0';
    enum status status = is_proto ? message_decode_proto(message, event, extra, &d->rules, fault)
                                  : message_decode_json(message, event, extra, &d->rules, fault);
    fault->status = status;
    return status;
}

static bool is_raw(const struct datagram *d) {
    return d->setup->format == PROTOCOL_FORMAT_RAW;
}

static bool wait_for_answer(struct datagram *d, const struct message *message, const struct address *from) {
    struct ask ask = {.token = d->rx_token + 1, .from = *from, .encoding = message->encoding,
                      .nonce = d->envelope.nonce, .key = d->envelope.key};
    return asks_add(&d->asks, &ask);
}

static void deliver(struct datagram *d, struct message *message, const struct address *from) {
    if (answers(d) && message_kind_asks(message->kind) && !wait_for_answer(d, message, from)) {
        refuse(d, STATUS_OVERLOADED, "too many requests wait for an answer");
        return;
    }
    d->sink->calls->message(d->sink->user, ++d->rx_token, message, 0);
}

static void read_event(struct datagram *d, struct slice bytes, const struct address *from) {
    struct message message;
    struct message_fault fault;
    if (decode(d, bytes, bytes.data[0] != '{', &message, &fault) == STATUS_OK)
        deliver(d, &message, from);
    else
        d->sink->calls->invalid(d->sink->user, &fault);
}

static void read_raw(struct datagram *d, struct slice bytes, const struct address *from, struct now now) {
    struct message message;
    struct message_fault fault = {0};
    buffer_clear(&d->worker->extra);
    fault.status = wrap_payload(d->setup, d->worker, bytes, SLICE_OF("intertie.udp.datagram.v1"), slice_make("", 0),
                                SLICE_OF("application/octet-stream"), &message, &fault, now);
    if (fault.status == STATUS_OK)
        deliver(d, &message, from);
    else
        d->sink->calls->invalid(d->sink->user, &fault);
}

/* One bad element makes the whole batch invalid: nobody could be told which. */
static void read_batch(struct datagram *d, struct slice bytes, const struct address *from) {
    struct message_batch batch;
    struct message message;
    struct message_fault fault = {0};
    struct slice event;
    enum status status = message_batch_open(&batch, bytes, false, &fault);
    struct message_batch again = batch;
    while (status == STATUS_OK && message_batch_next(&batch, &event))
        status = decode(d, event, false, &message, &fault);
    if (status != STATUS_OK) {
        fault.status = status;
        d->sink->calls->invalid(d->sink->user, &fault);
        return;
    }
    while (!d->sink->closing && message_batch_next(&again, &event))
        if (decode(d, event, false, &message, &fault) == STATUS_OK)
            deliver(d, &message, from);
}

static bool is_welcome(struct datagram *d, const struct address *from, struct now now) {
    if (d->is_dialled) {
        bool is_peer = d->peer.family == ADDRESS_NONE || address_equal(from, &d->peer);
        if (!is_peer)
            drop(d, STATUS_FORBIDDEN, "stranger", "datagram from another than was dialled");
        return is_peer;
    }
    switch (sources_look(&d->sources, from, now.mono)) {
    case SOURCE_TAKEN:
        return true;
    case SOURCE_PORT:
        drop(d, STATUS_FORBIDDEN, "source-port", "datagram from a port that is never listened to");
        return false;
    case SOURCE_ADDRESS:
        drop(d, STATUS_FORBIDDEN, "source-address", "datagram from an address that nobody can have");
        return false;
    case SOURCE_RATE:
        drop(d, STATUS_RATE_LIMITED, "per-source", "more datagrams than `limits.per_source` from one network");
        return false;
    }
    return false;
}

/* What is in the envelope takes the place of the datagram; false: nothing does. */
static bool unseal(struct datagram *d, struct slice *bytes, struct now now) {
    struct seals_refusal refusal;
    if (!seals_open(&d->seals, *bytes, now, &d->envelope, &refusal)) {
        drop(d, refusal.status, refusal.rule, refusal.words);
        return false;
    }
    *bytes = d->envelope.event;
    return bytes->size > 0;
}

static void datagram_datagram(void *state, struct slice bytes, const struct address *from, struct now now) {
    struct datagram *d = state;
    if (d->sink->closing || d->shutting || bytes.size == 0 || !is_welcome(d, from, now))
        return;
    if (d->setup->auth && !d->is_dialled) {
        refuse(d, STATUS_UNAUTHENTICATED, "a key is required here, and a datagram has none");
        return;
    }
    if (bytes.size > d->setup->limits.message) {
        drop(d, STATUS_TOO_LARGE, "too-large", "datagram is larger than the limit");
        return;
    }
    size_t size = bytes.size;
    if (seals_used(&d->seals) && !unseal(d, &bytes, now))
        return;
    if (answers(d))
        peers_heard(&d->peers, from, size); /* if that fails, it gets no answer */
    if (is_raw(d))
        read_raw(d, bytes, from, now);
    else if (bytes.data[0] == '[')
        read_batch(d, bytes, from);
    else if (bytes.data[0] == ENVELOPE_MARK)
        drop(d, STATUS_NOT_SUPPORTED, "envelope", "this place takes no envelopes: it has no `envelope`");
    else
        read_event(d, bytes, from);
}

static size_t datagram_feed(void *state, struct slice bytes, bool ended, struct now now) {
    (void)state;
    (void)ended;
    (void)now;
    return bytes.size; /* never called: there is no stream */
}

/* -- out -- */

static enum status write_payload(const struct datagram *d, const struct message *message, const struct overlay *overlay,
                                 unsigned encoding, struct buffer *out) {
    if (is_raw(d)) {
        message_data_write(message, out);
        return out->status;
    }
    return encoding == ENCODING_PROTO ? message_encode_proto(message, overlay, out)
                                      : message_encode_json(message, overlay, out);
}

/* Encodes into one datagram of at most `max` bytes; STATUS_OK: reserved, not committed. */
static enum status encode(struct datagram *d, const struct message *message, const struct overlay *overlay,
                          unsigned encoding, size_t max, uint8_t **ret_at, size_t *ret_size) {
    struct chain *out = d->sink->out;
    struct buffer buffer;
    size_t before = seals_used(&d->seals) ? ENVELOPE_SIZE : 0;
    if (is_raw(d) && message_data_size(message) == 0)
        return STATUS_NOT_REPRESENTABLE; /* a datagram of nothing says nothing */
    uint8_t *at = chain_reserve(out, max);
    if (!at)
        return STATUS_NO_MEMORY;
    buffer_init_fixed(&buffer, at + before, max - before);
    enum status status = write_payload(d, message, overlay, encoding, &buffer);
    *ret_size = before + buffer.size;
    *ret_at = at;
    if (status != STATUS_OK)
        chain_commit(out, 0);
    return status;
}

static enum status answer(struct datagram *d, const struct message *message, const struct overlay *overlay,
                          uint64_t reply_to, struct now now) {
    struct ask *ask = asks_find(&d->asks, reply_to);
    uint8_t *at;
    size_t size = 0;
    if (!ask)
        return STATUS_NOT_SUPPORTED; /* only requests are answered */
    enum status status = encode(d, message, overlay, ask->encoding, ANSWER_MAX, &at, &size);
    if (status == STATUS_OK && !peers_spend(&d->peers, &ask->from, size)) {
        chain_commit(d->sink->out, 0);
        status = STATUS_TOO_LARGE;
    }
    if (status != STATUS_OK)
        return status;
    const struct envelope asked = {.key = ask->key, .nonce = ask->nonce};
    if (seals_used(&d->seals))
        seals_close(&d->seals, at, size - ENVELOPE_SIZE, &asked, asked.nonce, false, now);
    chain_commit_to(d->sink->out, size, &ask->from);
    end_ask(d, ask);
    return STATUS_OK;
}

/* To the one who was dialled. */
static enum status send_new(struct datagram *d, const struct message *message, const struct overlay *overlay,
                            struct now now) {
    size_t max = d->setup->limits.message < PAYLOAD_MAX ? d->setup->limits.message : PAYLOAD_MAX, size;
    uint8_t *at;
    enum status status = encode(d, message, overlay, d->setup->encoding, max, &at, &size);
    if (status != STATUS_OK)
        return status;
    if (seals_used(&d->seals))
        seals_close(&d->seals, at, size - ENVELOPE_SIZE, NULL, rng_next(&d->worker->ids.rng), message_kind_asks(message->kind), now);
    chain_commit(d->sink->out, size);
    return STATUS_OK;
}

static enum status datagram_send(void *state, const struct message *message, const struct overlay *overlay,
                                 const struct protocol_send *options, struct now now) {
    struct datagram *d = state;
    ASSERT(options->token == d->tx_token + 1);
    enum status status = d->is_dialled ? send_new(d, message, overlay, now)
                                       : answer(d, message, overlay, options->reply_to, now);
    if (status == STATUS_OK)
        d->tx_token++;
    return status;
}

/* No error is ever sent: whoever can forge a source could aim it at others. */
static void datagram_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms,
                            struct now now) {
    struct datagram *d = state;
    (void)status;
    (void)retry_ms;
    (void)now;
    ASSERT(first >= 1 && first <= last && last <= d->rx_token);
    for (uint64_t token = first; token <= last && d->asks.open; token++) {
        struct ask *ask = asks_find(&d->asks, token);
        if (ask)
            end_ask(d, ask);
    }
}

static bool datagram_recover(void *state, struct slice sent, struct message *ret_message) {
    const struct datagram *d = state;
    struct message_fault fault;
    if (is_raw(d))
        return false;
    if (seals_used(&d->seals))
        sent = slice_skip(sent, ENVELOPE_SIZE);
    return sent.size && decode(state, sent, sent.data[0] != '{', ret_message, &fault) == STATUS_OK;
}

static void datagram_cancel(void *state, uint64_t token, struct now now) {
    (void)state;
    (void)token;
    (void)now;
}

/* -- begin and end -- */

static void datagram_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                          struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct datagram *d = state;
    d->setup = setup;
    d->worker = worker;
    d->sink = sink;
    d->rules = (struct message_rules){.declared = setup->declared, .size_max = setup->limits.message, .seen = &worker->seen};
    d->is_dialled = setup->role == PROTOCOL_DIALLED;
    if (peer)
        d->peer = *peer;
    peers_init(&d->peers, rng_next(&worker->ids.rng));
    sources_init(&d->sources, setup->limits.per_source, d->peers.map.seed);
    seals_init(&d->seals, setup, d->peers.map.seed, now);
    sink->terms = (struct protocol_terms){
        .inline_reply = answers(d), .can_reply = d->is_dialled && !is_raw(d), .keep = is_raw(d), .when_full = PROTOCOL_FULL_DROP};
    sink->room = (struct protocol_room){d->is_dialled ? UINT32_MAX : 0, d->is_dialled ? setup->limits.message : 0};
    sink->due = MONO_NEVER;
}

static void datagram_tick(void *state, struct now now) {
    (void)state;
    (void)now;
}

static void datagram_shut(void *state, enum status status, struct now now) {
    struct datagram *d = state;
    (void)now;
    d->shutting = true;
    d->shut_status = status;
    if (d->asks.open == 0)
        end(d);
}

static void datagram_done(void *state) {
    struct datagram *d = state;
    peers_done(&d->peers);
    seals_done(&d->seals);
    sources_done(&d->sources);
    asks_done(&d->asks);
}

const struct protocol protocol_datagram = {
    .name = "datagram",
    .state_size = sizeof(struct datagram),
    .is_datagram = true,
    .keeps_open = false,
    .pool_max = 1,
    .open = datagram_open,
    .feed = datagram_feed,
    .datagram = datagram_datagram,
    .send = datagram_send,
    .settle = datagram_settle,
    .cancel = datagram_cancel,
    .tick = datagram_tick,
    .shut = datagram_shut,
    .recover = datagram_recover,
    .done = datagram_done,
};
