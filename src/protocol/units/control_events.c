/* What events say beside messages: control events of the peer, and our answers and errors. */
#include <stdio.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "message/encoding.h"
#include "protocol/units/units.h"

#define CONTROL_PREFIX "intertie.ctl."
#define SOURCE "/intertie"

bool units_is_control(const struct message *message) {
    return slice_starts(message_text(message, ATTRIBUTE_TYPE), SLICE_OF(CONTROL_PREFIX));
}

/* -- what we say -- */

struct line {
    struct buffer buffer;
    struct json_write json;
    uint8_t room[8192];
};

/* An event of our own up to and including the name `data`. */
static struct json_write *line_begin(struct units *s, struct line *line, struct slice type, const char *kind,
                                     struct slice cause, struct now now) {
    uint8_t id[16];
    char text[UUID_TEXT_SIZE];
    struct json_write *json = &line->json;
    uuid_make(&s->worker->ids, now.wall, id);
    uuid_text(id, text);
    buffer_init_fixed(&line->buffer, line->room, sizeof line->room);
    json_write_init(json, &line->buffer);
    json_write_object(json);
    json_write_member_text(json, "specversion", "1.0");
    json_write_member(json, "id", slice_make(text, sizeof text));
    json_write_member_text(json, "source", SOURCE);
    json_write_member(json, "type", type);
    json_write_member_text(json, "messagetype", kind);
    if (cause.size)
        json_write_member(json, "causationid", cause);
    return json;
}

/* The event that was written as JSON, in protobuf. */
static enum status to_proto(struct units *s, struct slice json, struct buffer *out) {
    struct message message;
    struct message_fault fault;
    struct buffer extra;
    uint8_t room[1024];
    buffer_init_fixed(&extra, room, sizeof room);
    enum status status = message_decode_json(&message, json, &extra, &s->rules, &fault);
    return status == STATUS_OK ? message_encode_proto(&message, NULL, out) : status;
}

static void line_end(struct units *s, struct line *line, struct now now) {
    struct buffer proto, *payload = &line->buffer;
    uint8_t room[sizeof line->room];
    json_write_object_end(&line->json);
    enum status status = line->buffer.status == STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
    if (status == STATUS_OK && s->codec == UNITS_PROTO) {
        payload = &proto;
        buffer_init_fixed(payload, room, sizeof room);
        status = to_proto(s, buffer_slice(&line->buffer), payload);
    }
    if (status == STATUS_OK)
        status = units_put(s, buffer_slice(payload), s->codec == UNITS_JSON);
    if (status != STATUS_OK)
        units_close(s, status, NULL, now);
}

void units_write_error(struct units *s, enum status status, const char *detail, struct slice id, struct now now) {
    struct line line;
    if (s->codec == UNITS_RAW) /* it would be read as data */
        return;
    struct json_write *json = line_begin(s, &line, SLICE_OF("intertie.error.v1"), "error", id, now);
    json_write_member_text(json, "datacontenttype", "application/problem+json");
    json_write_name(json, SLICE_OF("data"));
    control_problem(json, s->setup, status, detail, slice_make(NULL, 0));
    line_end(s, &line, now);
}

/* The answer to a control event: the same type, with its id as `causationid`. */
static void answer_ok(struct units *s, const struct message *message, struct now now) {
    struct line line;
    line_begin(s, &line, message_text(message, ATTRIBUTE_TYPE), "response", message_text(message, ATTRIBUTE_ID), now);
    line_end(s, &line, now);
}

static void answer_hello(struct units *s, const struct message *message, struct slice system, struct now now) {
    struct line line;
    struct json_write *json =
        line_begin(s, &line, message_text(message, ATTRIBUTE_TYPE), "response", message_text(message, ATTRIBUTE_ID), now);
    json_write_name(json, SLICE_OF("data"));
    json_write_object(json);
    json_write_member_text(json, "server", "intertie/" INTERTIE_VERSION);
    json_write_member(json, "node", s->setup->node);
    json_write_member(json, "system", system);
    json_write_member_bool(json, "ack", s->sink->terms.acks);
    json_write_object_end(json);
    line_end(s, &line, now);
}

/* -- what the peer says -- */

/* Whether the peer acknowledges is one fact for the whole connection, settled before the first message leaves. */
static enum status choose_acks(struct units *s, const struct control_value *ack, struct message_fault *fault) {
    bool acks = control_bool(ack, s->sink->terms.acks);
    if (ack->type == CONTROL_TEXT)
        return control_fault(fault, STATUS_MALFORMED_CONTROL, "`ack` must be true or false");
    if (acks != s->sink->terms.acks && (s->acks_chosen || s->tx_token))
        return control_fault(fault, STATUS_NOT_SUPPORTED,
                             "`ack` must be the same for all of a connection; say it in hello");
    if (acks && !s->tx)
        s->tx = memory_array(UNITS_INFLIGHT_MAX, sizeof *s->tx);
    if (acks && !s->tx)
        return control_fault(fault, STATUS_NO_MEMORY, "no memory for acknowledgements");
    s->sink->terms.acks = acks;
    s->acks_chosen |= ack->type == CONTROL_BOOL;
    return STATUS_OK;
}

static enum status read_hello(struct units *s, const struct control *control, const struct message *message,
                              struct message_fault *fault, struct now now) {
    struct protocol_hello hello = {0};
    struct slice system = {0};
    uint64_t msgs = control_count(CONTROL(control, CREDIT_MSGS), UINT64_MAX);
    if (s->is_known)
        return control_fault(fault, STATUS_PROTOCOL_ERROR, "hello was said before");
    enum status status = control_identity(control, s->setup, s->sink->known, &hello, fault);
    if (status == STATUS_OK)
        status = choose_acks(s, CONTROL(control, ACK), fault);
    if (status != STATUS_OK)
        return status;
    hello.serves = hello.system.size > 0;
    s->sink->terms.is_intertie = hello.is_intertie;
    if (hello.window)
        s->inflight_max = hello.window < UNITS_INFLIGHT_MAX ? hello.window : UNITS_INFLIGHT_MAX;
    if (msgs >= s->tx_token)
        s->credit = msgs;
    status = s->sink->calls->hello(s->sink->user, &hello, &system);
    if (status != STATUS_OK)
        return control_fault(fault, status, "%s", status_row(status)->title);
    s->is_known = true;
    s->deadline = MONO_NEVER;
    answer_hello(s, message, system, now);
    units_update_room(s);
    return STATUS_OK;
}

static enum status read_subscribe(struct units *s, const struct control *control, const struct message *message,
                                  struct message_fault *fault, struct now now) {
    struct protocol_subscription subscription;
    enum status status = control_subscription(control, &subscription, fault);
    if (status == STATUS_OK && s->subscribed)
        status = control_fault(fault, STATUS_NOT_SUPPORTED, "one subscription a connection; stream v1 has more");
    if (status == STATUS_OK && s->setup->auth && !s->is_known && !s->sink->known)
        status = control_fault(fault, STATUS_UNAUTHENTICATED, "a key is required here: send intertie.ctl.hello.v1 first");
    if (status == STATUS_OK)
        status = choose_acks(s, CONTROL(control, ACK), fault);
    if (status != STATUS_OK)
        return status;
    subscription.ack = s->sink->terms.acks;
    status = s->sink->calls->subscribe(s->sink->user, &subscription, fault);
    if (status != STATUS_OK)
        return status;
    s->subscribed = true;
    answer_ok(s, message, now);
    units_update_room(s);
    return STATUS_OK;
}

static enum status read_unsubscribe(struct units *s, const struct message *message, struct now now) {
    if (s->subscribed)
        s->sink->calls->unsubscribe(s->sink->user, 0);
    s->subscribed = false;
    answer_ok(s, message, now);
    return STATUS_OK;
}

/* The oldest unsettled event with that id; 0 when there is none. */
static uint64_t find_sent(const struct units *s, struct slice id) {
    uint64_t hash = map_hash(id, s->hash_seed);
    if (!s->sink->terms.acks)
        return 0;
    for (uint64_t token = s->tx_low; token <= s->tx_token; token++)
        if (s->tx[token % UNITS_INFLIGHT_MAX].hash == (hash ? hash : 1))
            return token;
    return 0;
}

static enum status read_ack(struct units *s, const struct control *control, const struct message *message,
                            struct message_fault *fault, struct now now) {
    bool is_nack = slice_is(message_text(message, ATTRIBUTE_TYPE), CONTROL_PREFIX "nack.v1");
    struct slice id = message_text(message, ATTRIBUTE_CAUSATIONID);
    uint64_t retry_ms = control_count(CONTROL(control, RETRY_MS), 0);
    struct protocol_outcome outcome = {VERDICT_ACCEPTED, STATUS_OK, 0};
    if (id.size == 0)
        return control_fault(fault, STATUS_MALFORMED_CONTROL, "`causationid` is missing");
    uint64_t token = find_sent(s, id);
    if (token == 0)
        return STATUS_OK; /* settled before, or not asked for: as harmless as a second ACK in stream v1 */
    if (is_nack && CONTROL(control, RETRY_MS)->type == CONTROL_COUNT)
        outcome = (struct protocol_outcome){VERDICT_RETRY, STATUS_OVERLOADED,
                                            (uint32_t)(retry_ms < UINT32_MAX ? retry_ms : UINT32_MAX)};
    else if (is_nack)
        outcome = (struct protocol_outcome){VERDICT_REJECTED, STATUS_REJECTED, 0};
    s->tx[token % UNITS_INFLIGHT_MAX].hash = 0;
    s->tx_unsettled--;
    while (s->tx_low <= s->tx_token && s->tx[s->tx_low % UNITS_INFLIGHT_MAX].hash == 0)
        s->tx_low++;
    s->sink->calls->outcome(s->sink->user, token, token, outcome);
    units_update_room(s);
    units_check_end(s, now);
    return STATUS_OK;
}

static enum status read_credit(struct units *s, const struct control *control, struct message_fault *fault) {
    uint64_t msgs = control_count(CONTROL(control, MSGS), 0);
    if (CONTROL(control, MSGS)->type != CONTROL_COUNT || (s->credit != UINT64_MAX && msgs < s->credit) ||
        msgs < s->tx_token)
        return control_fault(fault, STATUS_MALFORMED_CONTROL, "`msgs` must be a total that never decreases");
    s->credit = msgs;
    units_update_room(s);
    return STATUS_OK;
}

/* Ends the connection where nothing may follow: a hello that was refused. */
static bool is_fatal(struct slice word, enum status status) {
    return slice_is(word, "hello") && status != STATUS_PROTOCOL_ERROR && status != STATUS_MALFORMED_CONTROL;
}

static enum status dispatch(struct units *s, struct slice word, const struct control *control,
                            const struct message *message, struct message_fault *fault, struct now now) {
    if (slice_is(word, "ack") || slice_is(word, "nack"))
        return read_ack(s, control, message, fault, now);
    if (!units_count(s, &s->control_count, UNITS_CONTROL_RATE, now))
        return control_fault(fault, STATUS_RATE_LIMITED, "too many control events");
    if (slice_is(word, "hello"))
        return read_hello(s, control, message, fault, now);
    if (slice_is(word, "subscribe"))
        return read_subscribe(s, control, message, fault, now);
    if (slice_is(word, "unsubscribe"))
        return read_unsubscribe(s, message, now);
    if (slice_is(word, "credit"))
        return read_credit(s, control, fault);
    if (!slice_is(word, "ping"))
        return control_fault(fault, STATUS_NOT_SUPPORTED, "this control event is not supported yet");
    answer_ok(s, message, now);
    return STATUS_OK;
}

void units_control(struct units *s, const struct message *message, struct now now) {
    struct control control = {0};
    struct message_fault fault = {0};
    struct slice word = slice_skip(message_text(message, ATTRIBUTE_TYPE), sizeof CONTROL_PREFIX - 1);
    struct slice data = message_data_verbatim(message);
    enum status status = STATUS_OK;
    word = word.size > 3 && slice_is(slice_skip(word, word.size - 3), ".v1") ? slice_head(word, word.size - 3)
                                                                             : slice_make("", 0);
    if (message->data_form != DATA_NONE && !data.data)
        status = control_fault(&fault, STATUS_MALFORMED_CONTROL, "`data` must be a JSON object");
    else if (message->data_form != DATA_NONE && !control_read(&control, data, &s->worker->extra, &fault))
        status = STATUS_MALFORMED_CONTROL;
    if (status == STATUS_OK)
        status = dispatch(s, word, &control, message, &fault, now);
    if (status == STATUS_OK)
        return;
    fault.status = status;
    units_write_error(s, status, fault.text, message_text(message, ATTRIBUTE_ID), now);
    if (is_fatal(word, status) || status == STATUS_RATE_LIMITED)
        units_close(s, status, fault.text, now);
    s->sink->calls->invalid(s->sink->user, &fault);
}
