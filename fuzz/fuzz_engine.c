/* One or two engines of a node, and peers of every protocol that do whatever the input says: open, speak well or badly,
 * acknowledge, answer, stop reading, go away; time passes, mail is late, the configuration changes, memory runs out.
 * Byte 0: choices below. Byte 1: which allocation fails. Then a program: a byte names what happens, others say how.
 *
 * After each turn the engine's own invariants hold (engine_check), those of engine_shim.h, and: endings are counted as
 * they are told, nothing is kept that isn't held. At the end each accepted message was sent or has an ending, and all
 * memory is given back. */
#include <stdio.h>
#include <stdlib.h>

#include "engine_say.h"
#include "engine_shim.h"
#include "simulation/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { TWO_WORKERS = 1, NO_CUT_THROUGH = 2, NO_MEMO = 4, FAILS = 8 };

#define OPS_MAX 300
#define PEERS 24
#define MAILS 2048

static const char *const plans_text[] = {
    "listeners:\n"
    "  stream: {url: intertie://10.0.0.1:7460, anonymous: true}\n"
    "  lines: {url: tcp://10.0.0.1:7461, anonymous: true}\n"
    "  web: {url: http://10.0.0.1:80, anonymous: true}\n"
    "  ticks: {url: udp://10.0.0.1:9, system: crm, allow: 127.0.0.0/8}\n"
    "  both: {url: tcp://10.0.0.1:7462, anonymous: true, max_priority: 3}\n"
    "systems:\n"
    "  crm: {}\n"
    "  desk: {accept: true, limits: {queue: {messages: 3, bytes: 4KiB}}, timeouts: {queue: 2s, ack: 5s}}\n"
    "  kiosk: {accept: true, stamp: true, limits: {in_flight: 2}}\n"
    "  ledger: {url: intertie://10.0.0.2:7460, limits: {queue: {messages: 4}}, timeouts: {queue: 3s}}\n"
    "  shop: {url: http://10.0.0.3:80, pool: {max: 2, pipeline: 3}}\n"
    "  lamp: {url: tcp://10.0.0.4:99, timeouts: {request: 4s}}\n"
    "  meter: udp://10.0.0.5:98\n"
    "routes:\n"
    "  t1: {match: {type: t1}, to: [desk, ledger]}\n"
    "  t2: {match: {type: t2, messagetype: [query, request, command]}, to: ledger}\n"
    "  t3: {match: {type: t3}, to: all, except: meter}\n"
    "  t4: {match: {type: t4, priority: 4..5}, when: \"id LIKE 'm%'\", to: shop}\n"
    "  t5: {match: {type: t5}, to: lamp, ttl: 20s}\n"
    "  t6: {match: {type: t6}, to: kiosk, ttl_max: 5s}\n",
    "listeners:\n"
    "  stream: {url: intertie://10.0.0.1:7460, anonymous: true, max_priority: 2}\n"
    "  web: {url: http://10.0.0.1:80, anonymous: true}\n"
    "  lines: {url: tcp://10.0.0.1:7461, anonymous: true}\n"
    "  ticks: {url: udp://10.0.0.1:9, system: meter, allow: 127.0.0.0/8}\n"
    "systems:\n"
    "  meter: udp://10.0.0.5:98\n"
    "  ledger: {url: intertie://10.0.0.9:7460}\n"
    "  kiosk: {accept: {sessions: 2}, limits: {queue: {messages: 1}}, timeouts: {queue: 1s}}\n"
    "  crm: {}\n"
    "  shop: {endpoints: {a: {url: http://10.0.0.3:80}, b: {url: http://10.0.0.8:80}}, batch: {max: 3, wait: 100ms}}\n"
    "routes:\n"
    "  t2: {match: {type: t2}, to: kiosk}\n"
    "  t1: {match: {type: t1}, to: [shop, ledger, meter]}\n"
    "  t3: {match: {type: t3}, to: all}\n",
};

struct mail {
    uint32_t from, to, size;
    struct block *parcel;
};

static struct node_config plans[2];

static struct world {
    struct engine *engines[2];
    unsigned engine_count;
    unsigned plan;
    struct peer peers[PEERS];
    struct mail mails[MAILS];
    unsigned mail_count;
    uint64_t counted[2][ENDING_COUNT];
    struct mono due[2];
} w;

static bool tells; /* with FUZZ_TELL in the environment: what is done and what becomes of it */

/* -- what the engines tell -- */

static void on_counted(void *user, const struct engine_count *count) {
    ASSERT(count->count && count->ending < ENDING_COUNT && count->status < STATUS_COUNT);
    ((uint64_t *)user)[count->ending] += count->count;
    if (tells)
        fprintf(stderr, "    %llu for %.*s: %s %s\n", (unsigned long long)count->count, SLICE_ARG(count->name),
                engine_ending_name(count->ending), status_reason(count->status));
}

static void on_ended(void *user, const struct engine_report *report) {
    (void)user;
    unsigned id = report->message ? shim_id(message_text(report->message, ATTRIBUTE_ID)) : SHIM_IDS;
    if (id < SHIM_IDS)
        shim_world.ended[id] = true;
}

static const struct engine_calls engine_calls = {.counted = on_counted, .ended = on_ended};

/* -- after each turn -- */

static void check_engine(unsigned index) {
    struct engine *engine = w.engines[index];
    const struct engine_totals *totals = engine_totals(engine);
    const char *wrong = engine_check(engine);
    uint64_t heartbeats = 0;
    if (wrong) {
        fprintf(stderr, "engine %u: %s\n", index, wrong);
        abort();
    }
    for (int ending = 0; ending < ENDING_COUNT; ending++) {
        uint64_t sum = 0;
        for (int status = 0; status < STATUS_COUNT; status++)
            sum += totals->endings[ending][status];
        ASSERT(sum == w.counted[index][ending]);
    }
    for (size_t i = 0; i < engine->system_count; i++)
        heartbeats += engine->systems[i]->heartbeat != NULL;
    if (totals->held == 0 && totals->waiting == 0 && heartbeats == 0 && engine->deduping.held == 0)
        ASSERT((engine->kept.held == 0 || totals->dead_held) && totals->held_bytes == 0);
    for (struct list_node *node = list_first(&engine->net.open); node; node = list_next(&engine->net.open, node)) {
        const struct connection *c = LIST_ENTRY(node, struct connection, node);
        if (c->was_open && c->owner)
            shim_check_session(c->owner);
    }
}

/* -- peers -- */

static struct peer *peer_of(const struct engine *engine, uint64_t handle) {
    for (unsigned i = 0; i < PEERS; i++)
        if (w.peers[i].engine == engine && w.peers[i].handle == handle)
            return &w.peers[i];
    return NULL;
}

static struct peer *peer_new(struct engine *engine, uint64_t handle, const struct protocol *row) {
    struct peer *p = peer_of(NULL, 0);
    if (p)
        *p = (struct peer){.engine = engine, .handle = handle, .row = row, .datagrams = row->is_datagram};
    return p;
}

static void input(struct engine *engine, struct engine_input in) {
    static const char *const kinds_told[] = {"opened", "connected", "bytes", "datagrams", "ended", "written", "closed",
                                             "mail", "config", "drain", "time"};
    if (tells)
        fprintf(stderr, "%.3f s engine %u: %s %llx %.*s\n", (double)script.now.mono.ns / 1e9, engine == w.engines[1],
                kinds_told[in.kind], (unsigned long long)in.connection,
                in.kind == INPUT_BYTES || in.kind == INPUT_DATAGRAMS ? (int)in.bytes.size : 0, (const char *)in.bytes.data);
    engine_input(engine, &in, script.now);
}

static void give(struct peer *p, struct slice bytes) {
    if (!p->engine || !p->up || p->reads_off || bytes.size == 0)
        return;
    uint8_t *copy = malloc(bytes.size); /* of its own size: one byte too many is seen */
    ASSERT(copy);
    memcpy(copy, bytes.data, bytes.size);
    struct engine_datagram datagram = {slice_make(copy, bytes.size),
                                       {.family = ADDRESS_IPV4, .port = 5000, .bytes = {127, 0, 0, 1}}};
    input(p->engine, (struct engine_input){.kind = p->datagrams ? INPUT_DATAGRAMS : INPUT_BYTES, .connection = p->handle,
                                           .bytes = datagram.bytes, .datagrams = &datagram, .count = 1});
    free(copy);
}

/* -- what they say -- */

static void say(struct peer *p, unsigned what) {
    struct text text;
    text_init(&text);
    const struct connection *c = net_find(engine_net(p->engine), p->handle);
    const struct protocol *row = c ? c->protocol : p->row;
    if (row == &shim_http1 || row == &protocol_http1)
        say_http(&text.out, p, what);
    else if (row == &shim_stream1 || row == &protocol_stream1)
        say_stream(&text.out, p, what);
    else if (row == &shim_stream && what & 1)
        add_preface(&text.out, p, what / 2);
    else if (p->datagrams)
        add_event(&text.out, p, what < 6 ? "response" : NULL);
    else
        say_lines(&text.out, p, what);
    struct slice bytes = buffer_slice(&text.out);
    unsigned cut = what == 14 ? take() : 0; /* sometimes in two pieces, the second of which is lost */
    give(p, cut & 1 ? slice_head(bytes, bytes.size * cut / 256) : bytes);
}

/* -- turns -- */

static void carry_out(struct engine *engine, const struct net_action *action) {
    struct peer *p = peer_of(engine, action->connection);
    switch (action->kind) {
    case NET_FLUSH: /* what is unsent is seen at the chain */
        break;
    case NET_READ:
        if (p)
            p->reads_off = !action->on;
        break;
    case NET_DIAL:
        p = engine_place(engine, action->place)
                ? peer_new(engine, action->connection, engine_place(engine, action->place)->protocol)
                : NULL;
        if (p)
            p->dialled = true;
        else
            input(engine, (struct engine_input){.kind = INPUT_CLOSED, .connection = action->connection, .status = STATUS_REFUSED});
        break;
    case NET_CLOSE:
        if (p)
            *p = (struct peer){0};
        break;
    }
}

static void finish(unsigned index) {
    struct engine *engine = w.engines[index];
    struct net_action actions_copy[256];
    for (int rounds = 0; rounds < 20; rounds++) {
        struct engine_actions actions;
        engine_finish(engine, script.now, &actions);
        w.due[index] = actions.due;
        for (uint32_t i = 0; i < actions.mail_count; i++) {
            struct engine_mail *mail = &actions.mail[i];
            ASSERT(w.mail_count < MAILS && mail->to < w.engine_count);
            w.mails[w.mail_count++] = (struct mail){index, mail->to, mail->size, mail->parcel};
            mail->parcel = NULL;
        }
        uint32_t count = actions.net_count < COUNT_OF(actions_copy) ? actions.net_count : (uint32_t)COUNT_OF(actions_copy);
        ASSERT(count == actions.net_count);
        if (count)
            memcpy(actions_copy, actions.net, count * sizeof *actions_copy);
        bool refused = false;
        for (uint32_t i = 0; i < count; i++) {
            refused |= actions_copy[i].kind == NET_DIAL;
            carry_out(engine, &actions_copy[i]);
        }
        if (!refused) /* else it has something to look at first */
            break;
    }
    check_engine(index);
}

static void finish_all(void) {
    for (unsigned i = 0; i < w.engine_count; i++)
        finish(i);
}

static void deliver_mail(unsigned which) {
    if (!w.mail_count)
        return;
    unsigned at = which % w.mail_count;
    for (unsigned i = 0; i < at; i++) /* first in, first out for each pair */
        if (w.mails[i].from == w.mails[at].from && w.mails[i].to == w.mails[at].to)
            at = i;
    struct mail mail = w.mails[at];
    memmove(&w.mails[at], &w.mails[at + 1], (w.mail_count - at - 1) * sizeof mail);
    w.mail_count--;
    input(w.engines[mail.to], (struct engine_input){.kind = INPUT_MAIL, .from = mail.from,
                                                    .bytes = slice_make(mail.parcel->data, mail.size)});
    block_unref(mail.parcel);
}

static void pass(int64_t ns) {
    script.now.mono.ns += ns;
    script.now.wall.ns += ns;
    for (unsigned i = 0; i < w.engine_count; i++)
        input(w.engines[i], (struct engine_input){.kind = INPUT_TIME});
}

static void written(struct peer *p, unsigned how) {
    struct connection *c = net_find(engine_net(p->engine), p->handle);
    if (!c || !p->up)
        return;
    uint64_t size = chain_unsent(&c->out);
    if (p->datagrams) {
        uint32_t pieces = 0;
        while (chain_piece(&c->out, pieces))
            pieces++;
        input(p->engine, (struct engine_input){.kind = INPUT_WRITTEN, .connection = p->handle, .pieces = pieces});
        return;
    }
    if (how & 1 && size > how * 4u)
        size = how * 4u;
    if (size)
        input(p->engine, (struct engine_input){.kind = INPUT_WRITTEN, .connection = p->handle, .size = size});
}

static void open_peer(unsigned how) {
    static const struct address from = {.family = ADDRESS_IPV4, .port = 5000, .bytes = {127, 0, 0, 1}};
    struct engine *engine = w.engines[how / 128 % w.engine_count];
    const struct plan *plan = engine_plan(engine);
    uint32_t listener = how % (unsigned)(plan->config->listener_count + 1);
    bool admin = listener == plan->config->listener_count;
    const struct protocol *row = admin ? &protocol_http1 : plan->listeners[listener].protocol;
    struct engine_input in = {.kind = INPUT_OPENED, .listener = admin ? ENGINE_ADMIN_LISTENER : listener, .peer = &from};
    if (!peer_of(NULL, 0))
        return;
    engine_input(engine, &in, script.now);
    struct peer *p = in.ret_connection ? peer_new(engine, in.ret_connection, row) : NULL;
    if (!p)
        return;
    p->up = true;
    if (row == &shim_stream1 && how & 64) {
        struct text text;
        text_init(&text);
        add_preface(&text.out, p, how / 8);
        give(p, buffer_slice(&text.out));
    }
}

static void connect(struct peer *p, bool good) {
    static const struct address to = {.family = ADDRESS_IPV4, .port = 7460, .bytes = {10, 0, 0, 2}};
    if (p->up || !p->engine)
        return;
    p->up = good;
    if (good)
        input(p->engine, (struct engine_input){.kind = INPUT_CONNECTED, .connection = p->handle, .peer = &to});
    else
        input(p->engine, (struct engine_input){.kind = INPUT_CLOSED, .connection = p->handle, .status = STATUS_REFUSED});
    if (good && p->row == &shim_stream1)
        say(p, 0);
}

static void configure_all(void) {
    w.plan ^= 1;
    memory_fail_after(-1); /* a plan that can't be put in force ends the process, knowingly */
    for (unsigned i = 0; i < w.engine_count; i++)
        input(w.engines[i], (struct engine_input){.kind = INPUT_CONFIG, .plan = plans[w.plan].plan});
}

/* The i-th of the peers that are there. */
static struct peer *pick(unsigned which) {
    unsigned count = 0;
    for (unsigned i = 0; i < PEERS; i++)
        count += w.peers[i].engine != NULL;
    if (count == 0)
        return NULL;
    which %= count;
    for (unsigned i = 0; i < PEERS; i++)
        if (w.peers[i].engine && which-- == 0)
            return &w.peers[i];
    return NULL;
}

static void about_peer(unsigned op, unsigned who) {
    struct peer *p = pick(who % 16);
    uint8_t raw[256];
    size_t count = 0;
    if (!p)
        return;
    if (!p->up) {
        connect(p, op != 12);
        return;
    }
    switch (op) {
    case 1: case 2: case 3: case 4: case 5: case 6:
        say(p, who / 16);
        break;
    case 7: case 8:
        written(p, take());
        break;
    case 9:
        for (size_t i = take(); i > 0 && script.program.size; i--)
            raw[count++] = (uint8_t)take();
        give(p, slice_make(raw, count));
        break;
    case 10:
        input(p->engine, (struct engine_input){.kind = INPUT_ENDED, .connection = p->handle});
        break;
    case 11:
        input(p->engine, (struct engine_input){.kind = INPUT_CLOSED, .connection = p->handle, .status = STATUS_RESET});
        break;
    default:
        written(p, 0);
        say(p, who / 16);
        break;
    }
}

static void operate(void) {
    static const int64_t steps[] = {NS_PER_MS, 20 * NS_PER_MS, 100 * NS_PER_MS, NS_PER_S, 3 * NS_PER_S, 11 * NS_PER_S,
                                    40 * NS_PER_S, 400 * NS_PER_S};
    unsigned op = take();
    switch (op % 16) {
    case 0:
        open_peer(take());
        break;
    case 13:
        pass(steps[op / 32]);
        break;
    case 14:
        if (op / 16 % 8 == 0)
            configure_all();
        else if (op == 254)
            for (unsigned i = 0; i < w.engine_count; i++)
                input(w.engines[i], (struct engine_input){.kind = INPUT_DRAIN});
        else
            deliver_mail(op / 16);
        break;
    case 15:
        deliver_mail(op / 16);
        break;
    default:
        about_peer(op % 16, take());
        break;
    }
    if (op % 16 != 1) /* some inputs share a turn */
        finish_all();
}

/* -- the end -- */

/* Mail arrives, all that is due happens, peers are silent. */
static void settle_down(int64_t ns) {
    struct mono until = mono_after(script.now.mono, ns);
    for (int rounds = 0;; rounds++) {
        ASSERT(rounds < 20000); /* it spins */
        while (w.mail_count) {
            deliver_mail(0);
            finish_all();
        }
        struct mono next = mono_min(w.due[0], w.engine_count > 1 ? w.due[1] : MONO_NEVER);
        if (next.ns > until.ns)
            break;
        pass(next.ns > script.now.mono.ns ? next.ns - script.now.mono.ns : 1000);
        finish_all();
    }
    pass(until.ns - script.now.mono.ns > 0 ? until.ns - script.now.mono.ns : 0);
    finish_all();
}

static void end_all(void) {
    settle_down(30 * NS_PER_S);
    for (unsigned i = 0; i < PEERS; i++)
        if (w.peers[i].engine && i % 2)
            input(w.peers[i].engine, (struct engine_input){.kind = INPUT_CLOSED, .connection = w.peers[i].handle,
                                                           .status = STATUS_RESET});
    finish_all();
    for (int i = 0; i < 3; i++)
        settle_down(20 * NS_PER_S);
    for (unsigned i = 0; i < w.engine_count; i++)
        engine_free(w.engines[i]);
    while (w.mail_count) /* what engines said while they were freed */
        block_unref(w.mails[--w.mail_count].parcel);
}

static void check_fates(void) {
    for (unsigned id = 0; id + 1 < SHIM_IDS && id < script.next_id; id++)
        if (shim_world.accepted[id] && !shim_world.sent[id] && !shim_world.ended[id]) {
            fprintf(stderr, "m%u was accepted and is lost\n", id);
            abort();
        }
}

static void load_plans(void) {
    struct fault fault;
    shim_rows();
    tells = getenv("FUZZ_TELL") != NULL;
    for (unsigned i = 0; i < COUNT_OF(plans); i++) {
        if (!node_config_load(&plans[i], slice_from(plans_text[i]), &fault)) {
            fprintf(stderr, "%s\n", fault.text);
            abort();
        }
        struct plan *plan = plans[i].plan;
        for (uint32_t k = 0; k < plan->config->listener_count; k++) {
            struct plan_listener *listener = &plan->listeners[k];
            bool lines = slice_is(listener->config->name, "lines");
            listener->protocol = lines ? &shim_ndjson : shim_of(listener->protocol);
        }
        for (uint32_t k = 0; k < plan->config->system_count; k++)
            for (uint32_t e = 0; e < plan->config->systems[k].endpoint_count; e++)
                plan->endpoints[k][e].protocol = shim_of(plan->endpoints[k][e].protocol);
    }
}

static void start(unsigned choices) {
    memset(&shim_world, 0, sizeof shim_world);
    memset(&w, 0, sizeof w);
    memset(&script, 0, sizeof script);
    script.now = (struct now){{NS_PER_S}, {INT64_C(1790000000) * NS_PER_S}};
    w.engine_count = choices & TWO_WORKERS ? 2 : 1;
    for (unsigned i = 0; i < w.engine_count; i++) {
        struct engine_options options = {.worker = i, .workers = w.engine_count, .seed = 7 + i, .connections_max = 16,
                                         .calls = &engine_calls, .user = w.counted[i],
                                         .cut_through = !(choices & NO_CUT_THROUGH), .memo = !(choices & NO_MEMO)};
        w.engines[i] = engine_new(&options);
        ASSERT(w.engines[i]);
        input(w.engines[i], (struct engine_input){.kind = INPUT_CONFIG, .plan = plans[0].plan});
    }
    finish_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!plans[0].plan)
        load_plans();
    if (size < 2)
        return 0;
    int64_t live = memory_live();
    start(bytes[0]);
    script.program = slice_make(bytes + 2, size - 2);
    if (bytes[0] & FAILS)
        memory_fail_after(bytes[1]);
    for (int i = 0; i < OPS_MAX && script.program.size; i++)
        operate();
    memory_fail_after(-1);
    end_all();
    check_fates();
    ASSERT(memory_live() == live);
    return 0;
}
