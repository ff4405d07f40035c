/* Stream v1 until it is open: preface, HELLO, WELCOME. */
#include "base/text.h"
#include "protocol/stream/stream1.h"

#define HANDSHAKE_NS (5 * NS_PER_S)
#define WELCOME_NS (10 * NS_PER_S)
#define HEARTBEAT_NS (15 * NS_PER_S)
#define HEARTBEAT_MS_LEAST 100u
#define CREDIT_MSGS_DEFAULT 256u
#define CREDIT_BYTES_DEFAULT (UINT64_C(4) << 20)

static const uint8_t our_preface[PREFACE_SIZE] = {PREFACE_FIRST, 'i', 't', 's', 1, 0, 0, 0};

/* -- what we say -- */

static void write_limits(struct stream1 *s, struct json_write *json) {
    json_write_member_u64(json, "max_frame", s->max_frame);
    json_write_member_i64(json, "hb_ms", s->hb_ns / NS_PER_MS);
    json_write_name(json, SLICE_OF("credit"));
    json_write_object(json);
    json_write_member_u64(json, "msgs", s->granted);
    json_write_member_u64(json, "bytes", s->granted_bytes);
    json_write_object_end(json);
}

/* Of a stream: gzip is zlib with more around it. */
static bool is_for_streams(enum coding coding) {
    return coding == CODING_ZSTD || coding == CODING_DEFLATE;
}

/* The coding of that name that `compress` has; CODING_NONE: none. */
static enum coding our_coding(const struct stream1 *s, struct slice name) {
    for (size_t i = 0; i < CODING_COUNT && s->setup->compress[i]; i++) {
        enum coding coding = (enum coding)s->setup->compress[i];
        if (is_for_streams(coding) && slice_equal(name, coding_name(coding)))
            return coding;
    }
    return CODING_NONE;
}

static void write_offer(struct stream1 *s, struct json_write *json) {
    json_write_name(json, SLICE_OF("comp"));
    json_write_array(json);
    for (size_t i = 0; i < CODING_COUNT && s->setup->compress[i]; i++)
        if (is_for_streams((enum coding)s->setup->compress[i]))
            json_write_string(json, coding_name((enum coding)s->setup->compress[i]));
    json_write_string(json, SLICE_OF("none"));
    json_write_array_end(json);
}

/* How far we are: what came without a gap, and what of ours is settled without one. */
static void write_numbers(const struct stream1 *s, struct json_write *json) {
    json_write_member_u64(json, "rx", s->rx_seq);
    json_write_member_u64(json, "acked", s->tx_low - 1);
}

static void write_hello(struct stream1 *s) {
    const struct protocol_setup *setup = s->setup;
    bool proto_first = setup->encoding == ENCODING_PROTO;
    struct stream1_writer writer;
    struct json_write *json = stream1_writer_init(&writer);
    json_write_member(json, "client", setup->own_client.size ? setup->own_client : SLICE_OF("intertie/" INTERTIE_VERSION));
    if (setup->own_system.size)
        json_write_member(json, "system", setup->own_system);
    json_write_name(json, SLICE_OF("auth"));
    json_write_object(json);
    json_write_member_text(json, "method", setup->own_key.size ? "bearer" : "none");
    if (setup->own_key.size)
        json_write_member(json, "token", setup->own_key);
    json_write_object_end(json);
    json_write_member_raw(json, "enc", proto_first ? SLICE_OF("[\"proto\",\"json\"]") : SLICE_OF("[\"json\",\"proto\"]"));
    write_offer(s, json);
    write_limits(s, json);
    json_write_member_i64(json, "expiry_ms", setup->expiry_ns / NS_PER_MS);
    if (s->resuming) {
        json_write_name(json, SLICE_OF("resume"));
        json_write_object(json);
        json_write_member(json, "session", s->resume->session.name);
        write_numbers(s, json);
        json_write_object_end(json);
    }
    stream1_writer_send(s, &writer, FRAME_HELLO);
}

static void write_welcome(struct stream1 *s, struct slice system, struct now now) {
    uint8_t id[16];
    char name[24];
    struct stream1_writer writer;
    struct json_write *json = stream1_writer_init(&writer);
    uuid_make(&s->worker->ids, now.wall, id);
    struct slice session = slice_make(name, text_base64url_put(name, slice_make(id, sizeof id)));
    json_write_member_text(json, "server", "intertie/" INTERTIE_VERSION);
    json_write_member(json, "node", s->setup->node);
    json_write_member(json, "system", system);
    json_write_member_text(json, "enc", s->encoding == ENCODING_PROTO ? "proto" : "json");
    json_write_member(json, "comp", s->coding == CODING_NONE ? SLICE_OF("none") : coding_name((enum coding)s->coding));
    write_limits(s, json);
    json_write_member_i64(json, "expiry_ms", s->resume ? s->resume->expiry_ns / NS_PER_MS : 0);
    json_write_member(json, "session", s->resume ? s->resume->session.name : session);
    json_write_member_bool(json, "resumed", s->resuming);
    write_numbers(s, json);
    json_write_member_text(json, "ack", "memory");
    stream1_writer_send(s, &writer, FRAME_WELCOME);
}

/* -- what the peer says -- */

void stream1_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                  struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct stream1 *s = state;
    (void)peer;
    s->setup = setup;
    s->worker = worker;
    s->sink = sink;
    s->rules = (struct message_rules){.declared = setup->declared, .size_max = setup->limits.message, .seen = &worker->seen};
    s->is_dialled = setup->role == PROTOCOL_DIALLED;
    s->rx_low = s->tx_low = 1;
    s->granted = stream1_window(s);
    s->granted_bytes = setup->limits.window_bytes ? setup->limits.window_bytes : CREDIT_BYTES_DEFAULT;
    s->max_frame = setup->limits.message + FRAME_MSG_HEADER;
    if (s->max_frame < FRAME_SIZE_LEAST)
        s->max_frame = FRAME_SIZE_LEAST;
    s->peer_max_frame = FRAME_SIZE_LEAST;
    s->hb_ns = setup->timeouts.heartbeat_ns > 0 ? setup->timeouts.heartbeat_ns : HEARTBEAT_NS;
    sink->terms = (struct protocol_terms){.acks = true, .can_reply = true, .when_full = PROTOCOL_FULL_WITHHOLD};
    sink->room = (struct protocol_room){0};
    int64_t wait = s->is_dialled ? WELCOME_NS : setup->auth ? setup->timeouts.auth_ns : setup->timeouts.head_ns;
    s->deadline = mono_after(now.mono, wait > 0 ? wait : HANDSHAKE_NS);
    s->beat = MONO_NEVER;
    s->heard = s->rate_start = now.mono;
    stream1_set_due(s);
    if (s->is_dialled)
        stream1_say_hello(s);
}

void stream1_say_hello(struct stream1 *s) {
    if (!chain_add(s->sink->out, slice_make(our_preface, PREFACE_SIZE)))
        stream1_close(s, STATUS_NO_MEMORY);
    else
        write_hello(s);
}

size_t stream1_read_preface(struct stream1 *s, struct slice bytes) {
    size_t known = bytes.size < 4 ? bytes.size : 4;
    if (memcmp(bytes.data, our_preface, known) != 0) {
        stream1_close(s, STATUS_PROTOCOL_ERROR); /* whatever it speaks, it isn't stream v1: no ERROR frame */
        return 0;
    }
    if (bytes.size < PREFACE_SIZE) {
        s->sink->want = known < 4 ? known + 1 : PREFACE_SIZE; /* a stranger is known by its first wrong byte */
        return 0;
    }
    if (!s->is_dialled && !chain_add(s->sink->out, slice_make(our_preface, PREFACE_SIZE)))
        stream1_close(s, STATUS_NO_MEMORY);
    if (bytes.data[4] != 1 || bytes.data[6] || bytes.data[7])
        stream1_close(s, STATUS_UNSUPPORTED_VERSION);
    s->phase = STREAM1_HELLO;
    return PREFACE_SIZE;
}

/* What both HELLO and WELCOME say about the peer's limits. */
static void take_limits(struct stream1 *s, const struct control *control) {
    uint64_t frame = control_count(CONTROL(control, MAX_FRAME), 0);
    uint64_t hb_ms = control_count(CONTROL(control, HB_MS), 0);
    s->peer_max_frame = frame > UINT32_MAX ? UINT32_MAX : frame > FRAME_SIZE_LEAST ? (uint32_t)frame : FRAME_SIZE_LEAST;
    if (hb_ms && hb_ms < (uint64_t)(s->hb_ns / NS_PER_MS))
        s->hb_ns = (int64_t)(hb_ms < HEARTBEAT_MS_LEAST ? HEARTBEAT_MS_LEAST : hb_ms) * NS_PER_MS;
    uint64_t messages = control_count(CONTROL(control, CREDIT_MSGS), s->resuming ? 0 : CREDIT_MSGS_DEFAULT);
    uint64_t bytes = control_count(CONTROL(control, CREDIT_BYTES), s->resuming ? 0 : CREDIT_BYTES_DEFAULT);
    s->credit = messages > s->credit ? messages : s->credit; /* totals: they survive */
    s->credit_bytes = bytes > s->credit_bytes ? bytes : s->credit_bytes;
}

/* The first encoding of the client's list that we speak. */
static bool choose_encoding(struct stream1 *s, const struct control *control) {
    const struct control_value *list = CONTROL(control, ENC);
    size_t proto_at = SIZE_MAX, json_at = SIZE_MAX;
    control_list_has(list, SLICE_OF("proto"), &proto_at);
    control_list_has(list, SLICE_OF("json"), &json_at);
    if (list->type == CONTROL_ABSENT)
        s->encoding = s->setup->encoding == ENCODING_PROTO ? ENCODING_PROTO : ENCODING_JSON;
    else
        s->encoding = proto_at < json_at ? ENCODING_PROTO : ENCODING_JSON;
    return list->type == CONTROL_ABSENT || proto_at != json_at;
}

/* The first of the client's list that we take. Without a list nothing is packed. */
static bool choose_coding(struct stream1 *s, const struct control *control) {
    const struct control_value *list = CONTROL(control, COMP);
    size_t best = SIZE_MAX, at;
    control_list_has(list, SLICE_OF("none"), &best);
    for (size_t i = 0; i < CODING_COUNT && s->setup->compress[i]; i++) {
        enum coding coding = (enum coding)s->setup->compress[i];
        if (is_for_streams(coding) && control_list_has(list, coding_name(coding), &at) && at < best) {
            s->coding = (uint8_t)coding;
            best = at;
        }
    }
    return list->type == CONTROL_ABSENT || best != SIZE_MAX;
}

void stream1_become_open(struct stream1 *s, struct now now) {
    s->phase = STREAM1_OPEN;
    s->rate_count = 0;
    stream1_start_beat(s, now);
    stream1_update_room(s);
}

/* The client is back: the one that had this session was checked to be the same. */
static void welcome_back(struct stream1 *s, const struct control *control, struct now now) {
    uint64_t rx = control_count(CONTROL(control, RESUME_RX), 0), acked = control_count(CONTROL(control, RESUME_ACKED), 0);
    if (!stream1_check_numbers(s, rx, acked))
        return;
    take_limits(s, control);
    stream1_grant(s);
    write_welcome(s, s->acts_as, now);
    if (!s->sink->closing)
        stream1_go_on(s, rx, acked, now);
}

/* How long its session may outlive the connection: as it wishes, within what we give. */
static int64_t expiry(const struct stream1 *s, const struct control *control) {
    uint64_t wish = control_count(CONTROL(control, EXPIRY_MS), 0);
    int64_t most = s->setup->expiry_ns < STREAM1_EXPIRY_MAX_NS ? s->setup->expiry_ns : STREAM1_EXPIRY_MAX_NS;
    return wish < (uint64_t)(most / NS_PER_MS) ? (int64_t)wish * NS_PER_MS : most;
}

void stream1_read_hello(struct stream1 *s, const struct control *control, struct now now) {
    if (s->resuming) {
        welcome_back(s, control, now);
        return;
    }
    const struct control_value *ack = CONTROL(control, ACK);
    struct protocol_hello hello = {0};
    struct message_fault fault;
    if (control_identity(control, s->setup, s->sink->known, &hello, &fault) != STATUS_OK) {
        stream1_fail(s, fault.status, fault.text);
        return;
    }
    if (!choose_encoding(s, control)) {
        stream1_fail(s, STATUS_UNSUPPORTED_ENCODING, "`enc` must have \"proto\" or \"json\"");
        return;
    }
    if (!choose_coding(s, control)) {
        stream1_fail(s, STATUS_UNSUPPORTED_ENCODING, s->setup->compress[0] ? "`comp` has nothing that this listener takes, nor \"none\""
                                                                           : "no compression here; `comp` must have \"none\"");
        return;
    }
    if (ack->type == CONTROL_TEXT) {
        stream1_fail(s, STATUS_MALFORMED_CONTROL, "`ack` must be true or false");
        return;
    }
    take_limits(s, control);
    s->acks_chosen = ack->type == CONTROL_BOOL;
    s->sink->terms.acks = control_bool(ack, true);
    s->sink->terms.is_intertie = hello.is_intertie;
    struct slice system = {0};
    enum status status = s->sink->calls->hello(s->sink->user, &hello, &system);
    if (status != STATUS_OK) {
        stream1_fail(s, status, status_row(status)->title);
        return;
    }
    if (stream1_hand_over(s, control))
        return;
    s->acts_as = system;
    if (s->sink->terms.acks && expiry(s, control) > 0)
        stream1_resumable(s, slice_make(NULL, 0), expiry(s, control), now);
    write_welcome(s, system, now);
    if (!s->sink->closing)
        stream1_become_open(s, now);
}

/* What a dialling client was told to ask for. */
static void write_subscriptions(struct stream1 *s) {
    for (size_t i = 0; i < s->setup->own_subscription_count; i++) {
        const struct protocol_subscription *own = &s->setup->own_subscriptions[i];
        struct stream1_writer writer;
        struct json_write *json = stream1_writer_init(&writer);
        json_write_member_u64(json, "sub", own->sub);
        if (own->filter.size)
            json_write_member(json, "filter", own->filter);
        if (own->group.size)
            json_write_member(json, "group", own->group);
        if (own->max_inflight)
            json_write_member_u64(json, "max_inflight", own->max_inflight);
        json_write_member_bool(json, "ack", own->ack);
        stream1_writer_send(s, &writer, FRAME_SUBSCRIBE);
    }
}

/* False: the server doesn't know the session any more. Then this connection is of no use to it; what was under way goes
 * back, and the next one begins anew. */
static bool is_resumed(struct stream1 *s, const struct control *control, uint64_t rx, uint64_t acked) {
    if (control_bool(CONTROL(control, RESUMED), false))
        return stream1_check_numbers(s, rx, acked);
    stream1_close(s, STATUS_SESSION_UNKNOWN);
    return false;
}

void stream1_read_welcome(struct stream1 *s, const struct control *control, struct now now) {
    uint64_t rx = control_count(CONTROL(control, RX), 0), acked = control_count(CONTROL(control, ACKED), 0);
    uint64_t expiry_ms = control_count(CONTROL(control, EXPIRY_MS), 0);
    if (s->resuming) {
        if (!is_resumed(s, control, rx, acked))
            return;
        take_limits(s, control);
        stream1_go_on(s, rx, acked, now);
        return;
    }
    struct slice enc = CONTROL(control, ENC)->text, comp = CONTROL(control, COMP)->text;
    if (!slice_is(enc, "proto") && !slice_is(enc, "json")) {
        stream1_fail(s, STATUS_UNSUPPORTED_ENCODING, "`enc` must be \"proto\" or \"json\"");
        return;
    }
    s->coding = (uint8_t)our_coding(s, comp);
    if (comp.size && !slice_is(comp, "none") && s->coding == CODING_NONE) {
        stream1_fail(s, STATUS_UNSUPPORTED_ENCODING, "`comp` was not offered");
        return;
    }
    s->encoding = slice_is(enc, "proto") ? ENCODING_PROTO : ENCODING_JSON;
    s->sink->terms.is_intertie = slice_starts(CONTROL(control, SERVER)->text, SLICE_OF("intertie/"));
    take_limits(s, control);
    if (s->setup->expiry_ns && expiry_ms && CONTROL(control, SESSION)->text.size)
        stream1_resumable(s, CONTROL(control, SESSION)->text, expiry_ms > (uint64_t)(s->setup->expiry_ns / NS_PER_MS) ? s->setup->expiry_ns : (int64_t)expiry_ms * NS_PER_MS, now);
    write_subscriptions(s);
    stream1_become_open(s, now);
}
