/* For tests of this room only: one engine without network, spoken to by a protocol that writes down what it is told.
 *
 * Peers note what they get as "e1 e2*2" (the second attempt), what became of what they sent as "ok:1-3 overloaded:4". */
#ifndef ENGINE_FIXTURE_H
#define ENGINE_FIXTURE_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/load.h"
#include "engine/inner.h"
#include "message/encoding.h"

#define FIXTURE_PEERS 32
#define FIXTURE_PLANS 3

struct fixture_peer {
    uint64_t handle;
    struct protocol_sink *sink;
    struct protocol_worker *worker;
    const struct protocol_setup *setup;
    uint64_t tokens;    /* of what it sent */
    struct buffer got;  /* ids, in order */
    struct buffer told; /* of what it sent */
    struct buffer wire; /* the newest that it got, as JSON */
    bool stuck;         /* its socket takes nothing */
    bool starved; /* there is no memory to write to it */
    bool picky;         /* what it is sent is too large for it */
    bool reads_off;
    bool closed;
};

static struct fixture {
    struct config *configs[FIXTURE_PLANS];
    struct plan *plans[FIXTURE_PLANS];
    unsigned plan_count;
    struct engine *engine;
    struct now now;
    struct fixture_peer peers[FIXTURE_PEERS];
    unsigned peer_count;
    struct dial {
        uint64_t connection;
        uint64_t place;
    } dials[16];
    unsigned dial_count;
    struct buffer ended; /* "e1:dead:overloaded" */
    struct protocol_terms terms; /* of the next peers */
    bool greets; /* the next dialled peers have a greeting to wait for */
    uint32_t room; /* of the next peers; UINT32_MAX: no end */
    int64_t failing; /* which allocation fails, to be told */
} fx;

static inline void fx_note(struct buffer *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void fx_note(struct buffer *log, const char *format, ...) {
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (log->size)
        buffer_add_byte(log, ' ');
    buffer_add(log, slice_make(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1));
}

static inline void fx_expect(struct buffer *log, const char *words) {
    buffer_add_byte(log, 0);
    assert_string_equal((const char *)log->data, words);
    buffer_clear(log);
}

/* -- the protocol -- */

struct fixture_state {
    struct fixture_peer *peer;
};

static inline void fx_row_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                               struct protocol_sink *sink, const struct address *peer, struct now now) {
    (void)peer;
    assert_true(fx.peer_count < FIXTURE_PEERS);
    struct fixture_peer *p = &fx.peers[fx.peer_count++];
    ((struct fixture_state *)state)->peer = p;
    p->handle = ((struct connection *)sink->user)->handle;
    p->sink = sink;
    p->worker = worker;
    p->setup = setup;
    sink->terms = fx.terms;
    sink->greets = fx.greets;
    sink->due = mono_after(now.mono, 365 * 24 * 3600 * NS_PER_S); /* no connection may be without */
    sink->room = (struct protocol_room){fx.room, UINT64_MAX};
}

static inline size_t fx_row_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct fixture_peer *p = ((struct fixture_state *)state)->peer;
    size_t size = slice_find(bytes, '\n');
    (void)now;
    if (ended && bytes.size == 0) {
        p->sink->closing = true;
        p->sink->close_status = STATUS_PEER_CLOSED;
    }
    if (size == bytes.size)
        return 0;
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.declared = p->setup->declared, .size_max = 1u << 20};
    buffer_clear(&p->worker->extra);
    enum status status = message_decode_json(&message, slice_head(bytes, size), &p->worker->extra, &rules, &fault);
    if (status != STATUS_OK)
        fail_msg("%s: %.*s", fault.text, (int)size, (const char *)bytes.data);
    p->sink->calls->message(p->sink->user, ++p->tokens, &message, 0);
    return size + 1;
}

/* As it leaves: the engine may have added it. */
static inline struct slice fx_cause(const struct fixture_peer *p) {
    const char *at = strstr((const char *)p->wire.data, "\"causationid\":\"");
    return at ? slice_make(at + 15, strcspn(at + 15, "\"")) : slice_make("", 0);
}

static inline enum status fx_row_send(void *state, const struct message *message, const struct overlay *overlay,
                                      const struct protocol_send *options, struct now now) {
    struct fixture_peer *p = ((struct fixture_state *)state)->peer;
    struct slice id = message_text(message, ATTRIBUTE_ID);
    (void)now;
    if (p->picky)
        return STATUS_TOO_LARGE;
    buffer_clear(&p->wire);
    enum status status = message_encode_json(message, overlay, &p->wire);
    buffer_add_byte(&p->wire, '\n');
    if (status != STATUS_OK || p->wire.status != STATUS_OK)
        return STATUS_NO_MEMORY;
    if (!chain_add(p->sink->out, buffer_slice(&p->wire)))
        return STATUS_NO_MEMORY;
    p->wire.data[p->wire.size - 1] = 0;
    if (options->attempt > 1)
        fx_note(&p->got, "%.*s*%u", SLICE_ARG(id), (unsigned)options->attempt);
    else if (message_kind_replies(message->kind))
        fx_note(&p->got, "%.*s<%.*s", SLICE_ARG(message_kind_name((enum message_kind)message->kind)), SLICE_ARG(fx_cause(p)));
    else
        fx_note(&p->got, "%.*s", SLICE_ARG(id));
    if (p->sink->room.messages != UINT32_MAX)
        p->sink->room.messages--;
    return STATUS_OK;
}

static inline void fx_row_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms,
                                 struct now now) {
    struct fixture_peer *p = ((struct fixture_state *)state)->peer;
    (void)retry_ms, (void)now;
    if (first == last)
        fx_note(&p->told, "%s:%d", status_reason(status), (int)first);
    else
        fx_note(&p->told, "%s:%d-%d", status_reason(status), (int)first, (int)last);
}

static inline void fx_row_cancel(void *state, uint64_t token, struct now now) {
    (void)state, (void)token, (void)now;
}

static inline void fx_row_answer(void *state, uint64_t token, const struct protocol_answer *answer, struct now now) {
    struct fixture_peer *p = ((struct fixture_state *)state)->peer;
    (void)now;
    if (answer->problem != STATUS_OK)
        fx_note(&p->told, "%s:%d", status_reason(answer->problem), (int)token);
    else
        fx_note(&p->told, "%u:%d", answer->code, (int)token);
    buffer_clear(&p->wire);
    if (answer->message)
        assert_int_equal(message_encode_json(answer->message, answer->overlay, &p->wire), STATUS_OK);
    buffer_add(&p->wire, answer->body);
    buffer_add_byte(&p->wire, 0);
}

static inline void fx_row_stream(void *state, uint64_t token, struct slice bytes, bool last, struct now now) {
    struct fixture_peer *p = ((struct fixture_state *)state)->peer;
    (void)token, (void)now;
    if (p->starved)
        return;
    buffer_add(&p->got, bytes);
    chain_add(p->sink->out, bytes);
    if (last)
        fx_note(&p->told, "end");
}

static inline void fx_row_once(void *state, const struct once_verdict *verdict, struct now now) {
    (void)now;
    fx_note(&((struct fixture_state *)state)->peer->told, "once%d:%u", (int)verdict->what, verdict->code);
}

static inline void fx_row_tick(void *state, struct now now) {
    (void)state, (void)now;
}

static inline void fx_row_shut(void *state, enum status status, struct now now) {
    struct fixture_peer *p = ((struct fixture_state *)state)->peer;
    (void)now;
    fx_note(&p->told, "shut:%s", status_reason(status));
}

static inline bool fx_row_recover(void *state, struct slice sent, struct message *ret_message) {
    if (((struct fixture_state *)state)->peer->sink->terms.keep)
        return false; /* what is written tells too little */
    struct fixture_peer *p = ((struct fixture_state *)state)->peer;
    struct message_fault fault;
    struct message_rules rules = {.declared = p->setup->declared, .size_max = 1u << 20};
    buffer_clear(&p->worker->extra);
    return message_decode_json(ret_message, sent, &p->worker->extra, &rules, &fault) == STATUS_OK;
}

static inline void fx_row_done(void *state) {
    struct fixture_peer *p = ((struct fixture_state *)state)->peer;
    if (p)
        p->sink = NULL;
}

static const struct protocol fixture_row = {.name = "fake",
                                            .state_size = sizeof(struct fixture_state),
                                            .open = fx_row_open,
                                            .feed = fx_row_feed,
                                            .send = fx_row_send,
                                            .settle = fx_row_settle,
                                            .cancel = fx_row_cancel,
                                            .answer = fx_row_answer,
                                            .stream = fx_row_stream,
                                            .once = fx_row_once,
                                            .tick = fx_row_tick,
                                            .shut = fx_row_shut,
                                            .recover = fx_row_recover,
                                            .done = fx_row_done};

/* -- the engine -- */

static inline void fx_on_ended(void *user, const struct engine_report *report) {
    (void)user;
    fx_note(&fx.ended, "%.*s:%s:%s", SLICE_ARG(report->message ? message_text(report->message, ATTRIBUTE_ID) : SLICE_OF("-")),
            engine_ending_name(report->ending), status_reason(report->status));
}

static const struct engine_calls fixture_calls = {.ended = fx_on_ended};

static inline enum status fx_read(void *context, struct slice path, struct buffer *out, bool *ret_open,
                                  struct fault *fault) {
    (void)path, (void)fault;
    *ret_open = false;
    buffer_add(out, *(const struct slice *)context);
    return out->status;
}

static inline bool fx_variable(void *context, struct slice name, struct slice *ret_value) {
    (void)context, (void)name, (void)ret_value;
    return false;
}

static inline enum status fx_glob(void *context, struct slice pattern, struct buffer *out, struct fault *fault) {
    (void)context, (void)pattern, (void)out, (void)fault;
    return STATUS_OK;
}

static inline struct config *fx_config(const char *yaml) {
    struct slice text = slice_from(yaml);
    struct config_source source = {
        .context = &text, .read = fx_read, .variable = fx_variable, .glob = fx_glob};
    struct config_options options = {.source = &source, .allow_faults = true};
    struct config_report report;
    struct config *config = NULL;
    config_report_init(&report);
    if (config_load(&options, SLICE_OF("test.yaml"), &config, &report) != STATUS_OK) {
        struct buffer words;
        buffer_init(&words, 64u << 10);
        config_report_text(&report, &words);
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&words)));
    }
    config_report_done(&report);
    return config;
}

/* Its listeners and endpoints all speak the protocol above. */
static inline struct plan *fx_load(const char *yaml) {
    struct fault fault;
    assert_true(fx.plan_count < FIXTURE_PLANS);
    struct config *config = fx_config(yaml);
    struct plan *plan = plan_new(config, &fault);
    if (!plan)
        fail_msg("%s", fault.text);
    fx.configs[fx.plan_count] = config;
    fx.plans[fx.plan_count++] = plan;
    for (uint32_t i = 0; i < plan->config->listener_count; i++)
        plan->listeners[i].protocol = &fixture_row;
    for (uint32_t i = 0; i < plan->config->system_count; i++)
        for (uint32_t k = 0; k < plan->config->systems[i].endpoint_count; k++)
            plan->endpoints[i][k].protocol = &fixture_row;
    return plan;
}

static inline void fx_turn(void);

/* Puts another configuration in force. */
static inline void fx_reload(const char *yaml) {
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = fx_load(yaml)};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
}

static inline void fx_start(const char *yaml) {
    fx = (struct fixture){.now = {.mono = {NS_PER_S}, .wall = {INT64_C(1790000000) * NS_PER_S}}, .room = UINT32_MAX};
    fx.terms = (struct protocol_terms){.acks = true, .can_reply = true};
    buffer_init(&fx.ended, 1u << 20);
    for (unsigned i = 0; i < FIXTURE_PEERS; i++) {
        buffer_init(&fx.peers[i].got, 1u << 20);
        buffer_init(&fx.peers[i].told, 1u << 20);
        buffer_init(&fx.peers[i].wire, 1u << 20);
        buffer_reserve(&fx.peers[i].got, 1024); /* so that a planned failure of memory meets the engine */
        buffer_reserve(&fx.peers[i].told, 1024);
        buffer_reserve(&fx.peers[i].wire, 4096);
    }
    buffer_reserve(&fx.ended, 8192);
    struct engine_options options = {.workers = 1, .seed = 1, .calls = &fixture_calls, .cut_through = true, .memo = true};
    fx.engine = engine_new(&options);
    assert_non_null(fx.engine);
    fx_reload(yaml);
}

static inline void fx_stop(void) {
    engine_free(fx.engine);
    for (unsigned i = 0; i < fx.plan_count; i++) {
        plan_free(fx.plans[i]);
        config_free(fx.configs[i]);
    }
    buffer_done(&fx.ended);
    for (unsigned i = 0; i < FIXTURE_PEERS; i++) {
        buffer_done(&fx.peers[i].got);
        buffer_done(&fx.peers[i].told);
        buffer_done(&fx.peers[i].wire);
    }
}

static inline struct fixture_peer *fx_peer_of(uint64_t handle) {
    for (unsigned i = 0; i < fx.peer_count; i++)
        if (fx.peers[i].handle == handle && fx.peers[i].worker == &engine_net(fx.engine)->worker) /* another engine's may have its number */
            return &fx.peers[i];
    return NULL;
}

/* The peer's socket takes `size` bytes of what is unsent. */
static inline void fx_write(const struct fixture_peer *p, uint64_t size) {
    struct connection *c = net_find(engine_net(fx.engine), p->handle);
    if (!c)
        return;
    if (size > chain_unsent(&c->out))
        size = chain_unsent(&c->out);
    struct engine_input input = {.kind = INPUT_WRITTEN, .connection = p->handle, .size = size};
    engine_input(fx.engine, &input, fx.now);
}

static inline bool fx_act(const struct net_action *action) {
    struct fixture_peer *p = fx_peer_of(action->connection);
    if (action->kind == NET_DIAL) {
        assert_true(fx.dial_count < COUNT_OF(fx.dials));
        fx.dials[fx.dial_count++] = (struct dial){action->connection, action->place};
    } else if (p && action->kind == NET_READ) {
        p->reads_off = !action->on;
    } else if (p && action->kind == NET_CLOSE) {
        p->closed = true;
    } else if (p && action->kind == NET_FLUSH && !p->stuck) {
        fx_write(p, UINT64_MAX);
        return true;
    }
    return false;
}

/* Ends the turn and carries its actions out. Every invariant must hold. */
static inline void fx_turn(void) {
    int rounds = 0;
    for (bool again = true; again; rounds++) {
        assert_true(rounds < 1000);
        struct engine_actions actions;
        struct net_action all[128];
        again = false;
        engine_finish(fx.engine, fx.now, &actions);
        const char *wrong = engine_check(fx.engine);
        if (wrong)
            fail_msg("%s (allocation %d)", wrong, (int)fx.failing);
        assert_true(actions.net_count <= COUNT_OF(all));
        if (actions.net_count)
            memcpy(all, actions.net, actions.net_count * sizeof *all);
        for (uint32_t i = 0; i < actions.net_count; i++)
            again |= fx_act(&all[i]);
    }
}

static inline void fx_pass(int64_t ns) {
    fx.now.mono.ns += ns;
    fx.now.wall.ns += ns;
    struct engine_input input = {.kind = INPUT_TIME};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
}

/* NULL when the engine refused. */
static inline struct fixture_peer *fx_accept(uint32_t listener) {
    struct address peer = {.family = ADDRESS_IPV4, .port = 5000, .bytes = {127, 0, 0, 1}};
    struct engine_input input = {.kind = INPUT_OPENED, .listener = listener, .peer = &peer};
    engine_input(fx.engine, &input, fx.now);
    return input.ret_connection ? fx_peer_of(input.ret_connection) : NULL;
}

/* Where memory runs out, a peer may never have come to be, or be gone. */
static inline bool fx_alive(const struct fixture_peer *p) {
    return p && net_find(engine_net(fx.engine), p->handle);
}

static inline enum status fx_hello(struct fixture_peer *p, const char *system, const char *key, bool serves) {
    struct slice acts_as;
    if (!fx_alive(p))
        return STATUS_PEER_CLOSED;
    struct protocol_hello hello = {.system = slice_from(system), .key = slice_from(key), .serves = serves};
    return p->sink->calls->hello(p->sink->user, &hello, &acts_as);
}

/* A new peer that acts as `system`; `serves`: it takes its messages. */
static inline struct fixture_peer *fx_system(const char *system, bool serves) {
    struct fixture_peer *p = fx_accept(0);
    assert_non_null(p);
    assert_int_equal(fx_hello(p, system, NULL, serves), STATUS_OK);
    fx_turn();
    return p;
}

static inline enum status fx_subscribe(struct fixture_peer *p, uint32_t sub, const char *filter, const char *group) {
    struct message_fault fault;
    if (!fx_alive(p))
        return STATUS_PEER_CLOSED;
    struct protocol_subscription wish = {.sub = sub, .filter = slice_from(filter), .group = slice_from(group), .ack = true};
    return p->sink->calls->subscribe(p->sink->user, &wish, &fault);
}

/* A message from `p`: attributes as `name=value` words, `type` first, a number for priority. The source is /systems/`from`, or /test. */
static inline void fx_say(struct fixture_peer *p, const char *from, const char *id, const char *words) {
    static uint8_t text[8192];
    struct buffer json;
    buffer_init_fixed(&json, text, sizeof text);
    if (!fx_alive(p))
        return;
    buffer_add_format(&json, "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"%s%s\"", id, from ? "/systems/" : "/test",
                      from ? from : "");
    if (strncmp(words, "type=", 5) != 0)
        buffer_add_text(&json, ",\"type\":\"com.example.t\"");
    while (*words) {
        size_t name = strcspn(words, "="), size = strcspn(words, " ");
        const char *value = words + name + 1;
        bool number = strncmp(words, "priority", 8) == 0;
        const char *quote = number ? "" : "\"";
        buffer_add_format(&json, ",\"%.*s\":%s%.*s%s", (int)name, words, quote, (int)(size - name - 1), value, quote);
        words += size + (words[size] == ' ');
    }
    buffer_add_text(&json, "}\n");
    struct engine_input input = {.kind = INPUT_BYTES, .connection = p->handle, .bytes = buffer_slice(&json)};
    assert_int_equal(json.status, STATUS_OK);
    engine_input(fx.engine, &input, fx.now);
}

/* What became of what `p` got. */
static inline void fx_outcome(struct fixture_peer *p, uint64_t first, uint64_t last, enum protocol_verdict verdict,
                              enum status status) {
    if (fx_alive(p))
        p->sink->calls->outcome(p->sink->user, first, last, (struct protocol_outcome){.verdict = verdict, .status = status});
}

static inline void fx_ack(struct fixture_peer *p, uint64_t first, uint64_t last) {
    fx_outcome(p, first, last, VERDICT_ACCEPTED, STATUS_OK);
}

static inline void fx_room(struct fixture_peer *p, uint32_t room) {
    if (!fx_alive(p))
        return;
    p->sink->room.messages = room;
    p->sink->calls->room(p->sink->user);
}

static inline void fx_lose(struct fixture_peer *p) {
    if (!fx_alive(p))
        return;
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = p->handle, .status = STATUS_RESET};
    p->closed = true;
    engine_input(fx.engine, &input, fx.now);
}

static inline struct fixture_peer *fx_connect(unsigned dial) {
    struct engine_input input = {.kind = INPUT_CONNECTED, .connection = fx.dials[dial].connection};
    assert_true(dial < fx.dial_count);
    engine_input(fx.engine, &input, fx.now);
    return fx_peer_of(fx.dials[dial].connection);
}

static inline void fx_refuse_dial(unsigned dial) {
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = fx.dials[dial].connection, .status = STATUS_REFUSED};
    assert_true(dial < fx.dial_count);
    engine_input(fx.engine, &input, fx.now);
}

#endif
