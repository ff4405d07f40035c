/* For the tests of streamed exchanges and their fuzz target: one engine with its real rows, and the peers of its
 * connections as plain bytes. There is no socket and no clock. */
#ifndef ENGINE_PROXY_WORLD_H
#define ENGINE_PROXY_WORLD_H

#include "base/assert.h"
#include "config/load.h"
#include "engine/proxy.h"

#define PW_PEERS 32
#define PW_TURNS_MAX 64

/* The other side of one connection. */
struct pw_peer {
    uint64_t handle;
    struct buffer got; /* all that was written to it */
    struct buffer says; /* what it has said and nobody has read yet */
    bool ends; /* ..and then it ends its side */
    bool stuck; /* it reads nothing */
    bool full; /* ..and something waits to be written */
    bool reads_off; /* nobody reads it */
    bool closed;
    bool was_reset;
    bool is_dialled;
};

static struct pw {
    struct config *config;
    struct plan *plan;
    struct config *old_config;
    struct plan *old_plan;
    struct engine *engine;
    struct now now;
    struct pw_peer peers[PW_PEERS];
    unsigned count;
    bool refuses; /* dials fail */
    struct buffer log; /* of exchanges: "GET /a site 200 ok 0>5;" */
    uint64_t most; /* unsent at once on one connection */
} pw;

static inline void pw_exchanged(void *user, const struct engine_exchange *e) {
    (void)user;
    buffer_add_format(&pw.log, "%.*s %.*s %.*s %u %s %llu>%llu;", SLICE_ARG(e->method), SLICE_ARG(e->path),
                      SLICE_ARG(e->system), e->code, e->status == STATUS_OK ? "ok" : status_reason(e->status),
                      (unsigned long long)e->bytes_in, (unsigned long long)e->bytes_out);
}

static const struct engine_calls pw_calls = {.exchanged = pw_exchanged};

static inline enum status pw_read(void *context, struct slice path, struct buffer *out, bool *ret_open,
                                  struct fault *fault) {
    (void)path, (void)fault;
    *ret_open = false;
    buffer_add(out, *(const struct slice *)context);
    return out->status;
}
static inline bool pw_variable(void *context, struct slice name, struct slice *ret_value) {
    (void)context, (void)name, (void)ret_value;
    return false;
}
static inline enum status pw_glob(void *context, struct slice pattern, struct buffer *out,
                                  struct fault *fault) {
    (void)context, (void)pattern, (void)out, (void)fault;
    return STATUS_OK;
}

static inline void pw_load(const char *yaml) {
    struct slice text = slice_from(yaml);
    struct config_source source = {
        .context = &text, .read = pw_read, .variable = pw_variable, .glob = pw_glob};
    struct config_options options = {.source = &source};
    struct config_report report;
    struct fault fault;
    config_report_init(&report);
    enum status status = config_load(&options, SLICE_OF("test.yaml"), &pw.config, &report);
    ASSERT(status == STATUS_OK);
    config_report_done(&report);
    pw.plan = plan_new(pw.config, &fault);
    ASSERT(pw.plan);
}

static inline struct pw_peer *pw_peer(uint64_t handle) {
    for (unsigned i = 0; i < pw.count; i++)
        if (pw.peers[i].handle == handle)
            return &pw.peers[i];
    return NULL;
}

static inline struct pw_peer *pw_new(uint64_t handle, bool is_dialled) {
    struct pw_peer *p = &pw.peers[pw.count];
    if (pw.count == PW_PEERS)
        return NULL;
    *p = (struct pw_peer){.handle = handle, .is_dialled = is_dialled};
    buffer_init(&p->got, 256u << 20);
    buffer_init(&p->says, 256u << 20);
    pw.count++;
    return p;
}

static inline void pw_start(const char *yaml) {
    pw = (struct pw){.now = {.mono = {NS_PER_S}, .wall = {INT64_C(1790000000) * NS_PER_S}}};
    buffer_init(&pw.log, 1u << 20);
    pw_load(yaml);
    struct engine_options options = {
        .workers = 1, .seed = 1, .calls = &pw_calls, .cut_through = true, .memo = true};
    pw.engine = engine_new(&options);
    ASSERT(pw.engine);
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = pw.plan};
    engine_input(pw.engine, &input, pw.now);
    ASSERT(input.status == STATUS_OK);
}

static inline void pw_stop(void) {
    engine_free(pw.engine);
    plan_free(pw.plan);
    config_free(pw.config);
    plan_free(pw.old_plan);
    config_free(pw.old_config);
    for (unsigned i = 0; i < pw.count; i++) {
        buffer_done(&pw.peers[i].got);
        buffer_done(&pw.peers[i].says);
    }
    buffer_done(&pw.log);
}

/* A turn's writes to one peer, all that it takes. */
static inline void pw_write(struct pw_peer *p) {
    struct iovec vectors[16];
    int count;
    for (;;) {
        const struct connection *c = net_find(engine_net(pw.engine), p->handle);
        if (!c || p->closed || chain_unsent(&c->out) == 0)
            break;
        pw.most = chain_unsent(&c->out) > pw.most ? chain_unsent(&c->out) : pw.most;
        p->full = p->stuck;
        if (p->stuck)
            break;
        count = chain_vectors(&c->out, vectors, 16);
        size_t size = 0;
        for (int i = 0; i < count; i++) {
            buffer_add(&p->got, slice_make(vectors[i].iov_base, vectors[i].iov_len));
            size += vectors[i].iov_len;
        }
        struct engine_input input = {.kind = INPUT_WRITTEN, .connection = p->handle, .size = size};
        engine_input(pw.engine, &input, pw.now);
    }
}

static inline void pw_dialled(const struct net_action *action) {
    struct engine_input input = {
        .kind = INPUT_CLOSED, .connection = action->connection, .status = STATUS_REFUSED};
    struct pw_peer *p = pw.refuses ? NULL : pw_new(action->connection, true);
    if (p)
        input.kind = INPUT_CONNECTED;
    engine_input(pw.engine, &input, pw.now);
}

/* True: it did something. */
static inline bool pw_speak(struct pw_peer *p, size_t most) {
    struct engine_input input = {.kind = INPUT_BYTES, .connection = p->handle};
    if (p->closed || p->reads_off)
        return false;
    if (p->says.size) {
        size_t size = p->says.size < most ? p->says.size : most;
        uint8_t *copy = memory_alloc(size); /* exact, so that a read past its end is seen */
        if (!copy)
            return false;
        memcpy(copy, p->says.data, size);
        input.bytes = slice_make(copy, size);
        buffer_consume(&p->says, size);
        engine_input(pw.engine, &input, pw.now);
        memory_free(copy);
        return true;
    }
    if (!p->ends)
        return false;
    p->ends = false;
    input.kind = INPUT_ENDED;
    engine_input(pw.engine, &input, pw.now);
    return true;
}

static inline bool pw_finish(void) {
    struct engine_actions actions;
    engine_finish(pw.engine, pw.now, &actions);
    const char *wrong = engine_check(pw.engine);
    ASSERT(!wrong);
    for (uint32_t i = 0; i < actions.net_count; i++) {
        const struct net_action *action = &actions.net[i];
        struct pw_peer *p = pw_peer(action->connection);
        if (action->kind == NET_DIAL)
            pw_dialled(action);
        else if (p && action->kind == NET_FLUSH)
            pw_write(p);
        else if (p && action->kind == NET_READ)
            p->reads_off = !action->on;
        else if (p && action->kind == NET_CLOSE) {
            p->closed = true;
            p->was_reset = action->reset;
        }
    }
    return actions.net_count > 0;
}

/* Until nothing happens any more: peers say what they have, in portions of `most`. */
static inline void pw_run_by(size_t most) {
    for (bool busy = true; busy;) {
        busy = pw_finish();
        for (unsigned i = 0; i < pw.count; i++) {
            bool spoke = pw_speak(&pw.peers[i], most);
            busy |= spoke;
            if (spoke)
                pw_finish();
        }
    }
}
static inline void pw_run(void) {
    pw_run_by(64u << 10);
}

/* Another configuration. */
static inline void pw_reload(const char *yaml) {
    struct plan *old_plan = pw.plan;
    struct config *old_config = pw.config;
    pw_load(yaml);
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = pw.plan};
    engine_input(pw.engine, &input, pw.now);
    ASSERT(input.status == STATUS_OK && !pw.old_plan);
    pw.old_plan = old_plan; /* connections still have its setups */
    pw.old_config = old_config;
}

static inline struct pw_peer *pw_connect_from(struct slice from) {
    struct address peer;
    struct engine_input input = {.kind = INPUT_OPENED, .listener = 0, .peer = &peer};
    ASSERT(address_parse(from, &peer));
    engine_input(pw.engine, &input, pw.now);
    return input.ret_connection ? pw_new(input.ret_connection, false) : NULL;
}

static inline struct pw_peer *pw_connect(void) {
    return pw_connect_from(SLICE_OF("10.1.1.1:5000"));
}

static inline void pw_say(struct pw_peer *p, struct slice bytes) {
    buffer_add(&p->says, bytes);
}
static inline void pw_end(struct pw_peer *p) {
    p->ends = true;
}
static inline void pw_lose(struct pw_peer *p) {
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = p->handle, .status = STATUS_RESET};
    p->closed = true;
    engine_input(pw.engine, &input, pw.now);
}
static inline void pw_unstick(struct pw_peer *p) {
    p->stuck = false;
    if (p->full)
        pw_write(p);
    p->full = false;
}
static inline void pw_pass(int64_t ns) {
    pw.now.mono.ns += ns;
    pw.now.wall.ns += ns;
    pw_run();
}
/* The newest that was dialled; NULL: none. */
static inline struct pw_peer *pw_upstream(void) {
    for (unsigned i = pw.count; i-- > 0;)
        if (pw.peers[i].is_dialled)
            return &pw.peers[i];
    return NULL;
}

#endif
