/* Stream v1 once it is open: control frames, subscriptions, heartbeats, the end. */
#include "base/assert.h"
#include "base/memory.h"
#include "protocol/stream/stream1.h"

#define DRAIN_MS 30000u
#define DRAIN_MS_MAX 600000u

/* -- writing -- */

void stream1_close(struct stream1 *s, enum status status) {
    if (s->sink->closing)
        return;
    s->sink->closing = true;
    s->sink->reading_done = true;
    s->sink->close_status = status;
    s->sink->room.messages = 0;
}

bool stream1_write(struct stream1 *s, unsigned type, struct slice payload) {
    uint8_t *at = chain_reserve(s->sink->out, FRAME_HEADER + payload.size);
    if (!at) {
        stream1_close(s, STATUS_NO_MEMORY);
        return false;
    }
    frame_put_header(at, (uint32_t)payload.size, (uint8_t)type, 0);
    memcpy(at + FRAME_HEADER, payload.data, payload.size);
    chain_commit(s->sink->out, FRAME_HEADER + payload.size);
    return true;
}

struct json_write *stream1_writer_init(struct stream1_writer *writer) {
    buffer_init_fixed(&writer->buffer, writer->room, sizeof writer->room);
    json_write_init(&writer->json, &writer->buffer);
    json_write_object(&writer->json);
    return &writer->json;
}

void stream1_writer_send(struct stream1 *s, struct stream1_writer *writer, unsigned type) {
    json_write_object_end(&writer->json);
    if (writer->buffer.status == STATUS_OK)
        stream1_write(s, type, buffer_slice(&writer->buffer));
    else
        stream1_close(s, STATUS_INTERNAL);
}

/* The standard's codes of ERROR, below 100; those about one message have another when they end a connection. */
static unsigned error_code(enum status status) {
    unsigned code = status_row(status)->stream;
    if (code && code < 100)
        return code;
    if (status == STATUS_FORBIDDEN || status == STATUS_SOURCE_NOT_ALLOWED)
        return 6;
    if (status == STATUS_RATE_LIMITED)
        return 16;
    if (status == STATUS_SHUTDOWN)
        return 11;
    enum status_class class = status_row(status)->status_class;
    return class == STATUS_CLASS_LIMIT || class == STATUS_CLASS_LOCAL || class == STATUS_CLASS_AWAY ? 12
           : class == STATUS_CLASS_PEER || class == STATUS_CLASS_DENIED                             ? 1
                                                                                                    : 15;
}

void stream1_fail(struct stream1 *s, enum status status, const char *detail) {
    if (s->sink->closing)
        return;
    if (s->phase != STREAM1_PREFACE) {
        struct stream1_writer writer;
        struct json_write *json = stream1_writer_init(&writer);
        json_write_member_u64(json, "code", error_code(status));
        json_write_member_text(json, "slug", status_reason(status));
        if (detail)
            json_write_member_text(json, "detail", detail);
        stream1_writer_send(s, &writer, FRAME_ERROR);
    }
    stream1_close(s, status);
}

/* Preface and ERROR: the client says HELLO without waiting for either. */
size_t stream1_refusal(enum status status, char *out, size_t room) {
    static const uint8_t preface[PREFACE_SIZE] = {PREFACE_FIRST, 'i', 't', 's', 1};
    uint8_t *at = (uint8_t *)out;
    struct buffer body;
    struct json_write json;
    if (room < PREFACE_SIZE + FRAME_HEADER)
        return 0;
    buffer_init_fixed(&body, at + PREFACE_SIZE + FRAME_HEADER, room - PREFACE_SIZE - FRAME_HEADER);
    json_write_init(&json, &body);
    json_write_object(&json);
    json_write_member_u64(&json, "code", error_code(status));
    json_write_member_text(&json, "slug", status_reason(status));
    json_write_object_end(&json);
    memcpy(at, preface, PREFACE_SIZE);
    frame_put_header(at + PREFACE_SIZE, (uint32_t)body.size, FRAME_ERROR, 0);
    return body.status == STATUS_OK ? PREFACE_SIZE + FRAME_HEADER + body.size : 0;
}

void stream1_give_up(void *state, enum status status, const char *words, struct now now) {
    (void)now;
    stream1_fail(state, status, words);
}

/* -- time -- */

void stream1_set_due(struct stream1 *s) {
    s->sink->due = mono_min(s->deadline, s->beat);
}

void stream1_start_beat(struct stream1 *s, struct now now) {
    s->heard = now.mono;
    s->sent_at_beat = s->sink->out->added;
    s->beat = mono_after(now.mono, s->hb_ns / 2);
    s->deadline = MONO_NEVER;
    stream1_set_due(s);
}

bool stream1_count_control(struct stream1 *s, struct now now) {
    if (now.mono.ns - s->rate_start.ns >= NS_PER_S) {
        s->rate_start = now.mono;
        s->rate_count = 0;
    }
    if (++s->rate_count <= STREAM1_CONTROL_RATE)
        return true;
    stream1_fail(s, STATUS_RATE_LIMITED, "too many control frames");
    return false;
}

/* Twice a heartbeat: whatever was sent since the last time tells the peer that we live, else a PING does. */
static void beat(struct stream1 *s, struct now now) {
    uint8_t opaque[8];
    if (now.mono.ns - s->heard.ns > s->hb_ns / 2 * 5) {
        stream1_fail(s, STATUS_HEARTBEAT_TIMEOUT, "nothing was heard for 2.5 heartbeats");
        return;
    }
    if (s->sink->out->added == s->sent_at_beat) {
        frame_put64(opaque, s->sent_at_beat);
        stream1_write(s, FRAME_PING, slice_make(opaque, sizeof opaque));
    }
    s->sent_at_beat = s->sink->out->added;
    s->beat = mono_after(now.mono, s->hb_ns / 2);
    if (s->rx && s->rx_low > s->rx_token) { /* idle connections hold no buffer */
        memory_free(s->rx);
        s->rx = NULL;
        s->rx_capacity = 0;
    }
}

void stream1_tick(void *state, struct now now) {
    struct stream1 *s = state;
    if (s->sink->closing)
        return;
    if (mono_due(s->deadline, now.mono)) {
        if (s->phase >= STREAM1_OPEN)
            stream1_close(s, s->phase == STREAM1_DRAINING ? s->shut_status : STATUS_GOING_AWAY);
        else
            stream1_fail(s, s->setup->auth && !s->is_dialled ? STATUS_AUTH_TIMEOUT : STATUS_HEAD_TIMEOUT,
                         s->is_dialled ? "no WELCOME in time" : "no HELLO in time");
        return;
    }
    if (mono_due(s->beat, now.mono))
        beat(s, now);
    stream1_set_due(s);
}

/* -- ends -- */

void stream1_check_end(struct stream1 *s) {
    bool owes = s->rx_unsettled || s->asks_open;
    bool waits = (s->sink->terms.acks && s->tx_low <= s->tx_seq) || s->calls_open;
    if (s->peer_ended && !owes)
        stream1_close(s, s->got_goaway ? STATUS_GOING_AWAY : STATUS_PEER_CLOSED);
    else if (s->phase == STREAM1_DRAINING && !owes && !waits)
        stream1_close(s, s->shut_status);
    else
        stream1_update_room(s);
}

void stream1_shut(void *state, enum status status, struct now now) {
    struct stream1 *s = state;
    (void)now;
    if (s->sink->closing || s->phase == STREAM1_DRAINING)
        return;
    if (s->phase != STREAM1_OPEN) {
        stream1_fail(s, status, NULL);
        return;
    }
    struct stream1_writer writer;
    struct json_write *json = stream1_writer_init(&writer);
    json_write_member_u64(json, "code", 11);
    json_write_member_text(json, "reason", status_reason(status));
    stream1_writer_send(s, &writer, FRAME_GOAWAY);
    s->phase = STREAM1_DRAINING; /* how long it lasts is up to the connection's grace */
    s->shut_status = status;
    stream1_check_end(s);
}

static void read_goaway(struct stream1 *s, const struct control *control, struct now now) {
    uint64_t ms = control_count(CONTROL(control, DRAIN_MS), DRAIN_MS);
    s->got_goaway = true;
    s->deadline = mono_after(now.mono, (int64_t)(ms < DRAIN_MS_MAX ? ms : DRAIN_MS_MAX) * NS_PER_MS);
    stream1_set_due(s);
    stream1_check_end(s);
}

/* A reason says it better than a code, if it is one of ours. */
static enum status by_reason(struct slice reason, enum status otherwise) {
    for (unsigned i = 0; i < STATUS_COUNT; i++)
        if (i != STATUS_OK && slice_is(reason, status_reason((enum status)i)))
            return (enum status)i;
    return otherwise;
}

static void read_error(struct stream1 *s, const struct control *control) {
    uint64_t code = control_count(CONTROL(control, CODE), 1);
    enum status status = code == 6    ? STATUS_FORBIDDEN
                         : code == 16 ? STATUS_RATE_LIMITED
                         : code == 12 ? STATUS_OVERLOADED
                                      : status_from_stream((unsigned)(code & 0xffff));
    status = by_reason(CONTROL(control, SLUG)->text, status == STATUS_OK ? STATUS_PROTOCOL_ERROR : status);
    stream1_close(s, status);
}

/* What we asked for was answered. A refusal ends the connection: it was opened for that. */
static void read_result(struct stream1 *s, const struct control *control) {
    uint64_t http = control_count(CONTROL(control, STATUS), 0);
    if (http >= 200 && http < 300)
        return;
    enum status status = http == 401   ? STATUS_UNAUTHENTICATED
                         : http == 403 ? STATUS_FORBIDDEN
                         : http == 501 ? STATUS_NOT_SUPPORTED
                         : http == 503 ? STATUS_OVERLOADED
                                       : STATUS_REJECTED;
    stream1_close(s, by_reason(CONTROL(control, PROBLEM_REASON)->text, status));
}

/* -- subscriptions -- */

static void write_result(struct stream1 *s, const char *re, uint64_t sub, enum status status, const char *detail) {
    struct stream1_writer writer;
    struct json_write *json = stream1_writer_init(&writer);
    json_write_member_text(json, "re", re);
    if (sub)
        json_write_member_u64(json, "sub", sub);
    json_write_member_u64(json, "status", status_row(status)->http);
    if (status != STATUS_OK) {
        json_write_name(json, SLICE_OF("problem"));
        control_problem(json, s->setup, status, detail, slice_make(NULL, 0));
    }
    stream1_writer_send(s, &writer, FRAME_RESULT);
}

/* Whether the peer acknowledges is one fact for the whole connection, settled before the first message leaves. */
static enum status choose_acks(struct stream1 *s, const struct control *control, struct message_fault *fault) {
    bool acks = control_bool(CONTROL(control, ACK), s->acks_chosen ? s->sink->terms.acks : true);
    if (acks != s->sink->terms.acks && (s->acks_chosen || s->tx_seq))
        return control_fault(fault, STATUS_NOT_SUPPORTED, "`ack` must be the same for all of a connection; say it in HELLO");
    s->sink->terms.acks = acks;
    s->acks_chosen = true;
    stream1_update_room(s);
    return STATUS_OK;
}

static enum status subscribe(struct stream1 *s, const struct control *control, struct message_fault *fault) {
    struct protocol_subscription subscription;
    uint64_t sub = control_count(CONTROL(control, SUB), 0);
    if (sub == 0 || sub > UINT32_MAX)
        return control_fault(fault, STATUS_MALFORMED_CONTROL, "`sub` must be 1 to 4294967295");
    if (s->phase == STREAM1_DRAINING)
        return control_fault(fault, STATUS_GOING_AWAY, "this connection is about to close");
    enum status status = control_subscription(control, &subscription, fault);
    if (status == STATUS_OK)
        status = choose_acks(s, control, fault);
    if (status != STATUS_OK)
        return status;
    subscription.sub = (uint32_t)sub;
    subscription.ack = s->sink->terms.acks;
    return s->sink->calls->subscribe(s->sink->user, &subscription, fault);
}

static void read_subscribe(struct stream1 *s, const struct control *control) {
    struct message_fault fault = {0};
    enum status status = subscribe(s, control, &fault);
    write_result(s, "subscribe", control_count(CONTROL(control, SUB), 0), status, fault.text);
}

/* A new key on a living connection: for rotation. One that isn't accepted changes nothing. */
static void read_auth(struct stream1 *s, const struct control *control) {
    struct protocol_hello hello = {0};
    struct message_fault fault = {0};
    struct slice system = {0};
    enum status status = control_identity(control, s->setup, s->sink->known, &hello, &fault);
    if (status == STATUS_OK && hello.key.size == 0)
        status = control_fault(&fault, STATUS_UNAUTHENTICATED, "`auth.token` is missing");
    if (status == STATUS_OK)
        status = s->sink->calls->hello(s->sink->user, &hello, &system);
    write_result(s, "auth", 0, status, fault.text[0] ? fault.text : status_row(status)->title);
}

static void read_unsubscribe(struct stream1 *s, const struct control *control) {
    uint64_t sub = control_count(CONTROL(control, SUB), 0);
    if (sub && sub <= UINT32_MAX)
        s->sink->calls->unsubscribe(s->sink->user, (uint32_t)sub);
    write_result(s, "unsubscribe", sub, sub && sub <= UINT32_MAX ? STATUS_OK : STATUS_MALFORMED_CONTROL, NULL);
}

/* -- frames -- */

/* Who may send it, and when. */
static bool is_legal(const struct stream1 *s, unsigned type) {
    bool open = s->phase >= STREAM1_OPEN;
    switch (type) {
    case FRAME_HELLO:
        return !open && !s->is_dialled;
    case FRAME_WELCOME:
        return !open && s->is_dialled;
    case FRAME_AUTH:
    case FRAME_SUBSCRIBE:
    case FRAME_UNSUBSCRIBE:
        return open && !s->is_dialled;
    case FRAME_RESULT:
        return open && s->is_dialled;
    case FRAME_ERROR:
        return true;
    default:
        return open;
    }
}

static void read_cancel(struct stream1 *s, struct slice payload, struct now now) {
    uint64_t seq = payload.size == 8 ? frame_get64(payload.data) : 0;
    if (payload.size != 8) {
        stream1_fail(s, STATUS_MALFORMED_CONTROL, "CANCEL has a wrong size");
        return;
    }
    /* One for each message is fair; more cost us more than the peer. */
    if (++s->cancels > s->rx_seq && !stream1_count_control(s, now))
        return;
    /* Tokens trail seq by the messages that were none. Of what came before the last such one we don't know by how many;
     * to leave an advisory frame alone is better than to cancel another request. */
    if (seq > s->rx_invalid && seq <= s->rx_seq)
        s->sink->calls->cancelled(s->sink->user, seq - (s->rx_seq - s->rx_token));
}

static void read_json(struct stream1 *s, unsigned type, struct slice payload, struct now now) {
    struct control control;
    struct message_fault fault;
    buffer_clear(&s->worker->extra);
    if (!control_read(&control, payload, &s->worker->extra, &fault)) {
        stream1_fail(s, STATUS_MALFORMED_CONTROL, fault.text);
        return;
    }
    switch (type) {
    case FRAME_HELLO:
        stream1_read_hello(s, &control, now);
        break;
    case FRAME_WELCOME:
        stream1_read_welcome(s, &control, now);
        break;
    case FRAME_AUTH:
        read_auth(s, &control);
        break;
    case FRAME_SUBSCRIBE:
        read_subscribe(s, &control);
        break;
    case FRAME_UNSUBSCRIBE:
        read_unsubscribe(s, &control);
        break;
    case FRAME_GOAWAY:
        read_goaway(s, &control, now);
        break;
    case FRAME_ERROR:
        read_error(s, &control);
        break;
    case FRAME_RESULT:
        read_result(s, &control);
        break;
    default:
        UNREACHABLE();
    }
}

void stream1_control(struct stream1 *s, unsigned type, unsigned flags, struct slice payload, struct now now) {
    if (type == 0 || type > FRAME_CANCEL) {
        if (!(flags & FRAME_FLAG_IGNORABLE))
            stream1_fail(s, STATUS_PROTOCOL_ERROR, "unknown frame type");
        else
            stream1_count_control(s, now);
        return;
    }
    if (!is_legal(s, type)) {
        stream1_fail(s, STATUS_PROTOCOL_ERROR, "frame is not allowed here");
        return;
    }
    if (type == FRAME_CREDIT) {
        stream1_read_credit(s, payload, now);
        return;
    }
    if (type == FRAME_CANCEL) {
        read_cancel(s, payload, now);
        return;
    }
    if (!stream1_count_control(s, now))
        return;
    if (type != FRAME_PING && type != FRAME_PONG)
        read_json(s, type, payload, now);
    else if (payload.size != 8)
        stream1_fail(s, STATUS_MALFORMED_CONTROL, "PING and PONG have 8 bytes");
    else if (type == FRAME_PING)
        stream1_write(s, FRAME_PONG, payload);
}
