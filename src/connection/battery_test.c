/* The battery again, with real connections and TLS between the two: every row of the protocol table, in any portions,
 * cut, spoilt, without memory. What the peer of a recording says is said by `parrot`, a row that only writes and hears. */
#include "connection/net.h"
#include "protocol/tls/tls.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function" /* of the stock not all is needed */
#include "protocol/battery/stock.h"
#pragma GCC diagnostic pop

#define DAY_NS (INT64_C(86400) * NS_PER_S)
#define WALL_NS (INT64_C(1800000000) * NS_PER_S)
#define ALL_AT_ONCE 65536

static struct tls_made authority, certificate;
static const uint32_t first_index[] = {0};

/* One end: a worker's connections, of which it has one, and a rig that hears what its protocol says. */
struct side {
    struct net net;
    struct rig rig;
    struct tls_profile profile;
    struct filter_use use;
    uint64_t handle;
    struct buffer waiting; /* what comes while the connection isn't read */
    struct buffer heard; /* by the parrot */
    bool told; /* the other end knows that this one has closed */
};

static struct side *side_of(void *user) {
    const struct connection *c = user;
    return c->net->user;
}

/* The rig as it would be without a connection around it. */
static struct rig *rig_of(void *user) {
    const struct connection *c = user;
    struct rig *rig = &side_of(user)->rig;
    rig->protocol = c->protocol;
    rig->state = c->state;
    rig->sink.terms = c->sink.terms;
    rig->sink.room = c->sink.room;
    return rig;
}

static void on_message(void *user, uint64_t token, struct message *message, uint64_t reply_to) {
    rig_on_message(rig_of(user), token, message, reply_to);
}
static void on_invalid(void *user, const struct message_fault *fault) {
    rig_on_invalid(rig_of(user), fault);
}
static void on_outcome(void *user, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    rig_on_outcome(rig_of(user), first, last, outcome);
}
static void on_cancelled(void *user, uint64_t token) {
    rig_on_cancelled(rig_of(user), token);
}
static void on_room(void *user) {
    rig_on_room(rig_of(user));
}
static enum status on_hello(void *user, const struct protocol_hello *hello, struct slice *ret_system) {
    return rig_on_hello(rig_of(user), hello, ret_system);
}
static enum status on_subscribe(void *user, const struct protocol_subscription *subscription,
                                struct message_fault *fault) {
    return rig_on_subscribe(rig_of(user), subscription, fault);
}
static void on_unsubscribe(void *user, uint32_t sub) {
    rig_on_unsubscribe(rig_of(user), sub);
}
static void on_request(void *user, uint64_t token, const struct protocol_request *request) {
    rig_on_request(rig_of(user), token, request);
}
static void on_nothing(void *user, struct connection *c, struct now now) {
    (void)user, (void)c, (void)now;
}
static void on_closed(void *user, struct connection *c, struct now now) {
    struct side *side = user;
    (void)now;
    rig_note(&side->rig, "closed %s", status_reason(c->reason));
}

static const struct net_calls calls = {
    .protocol = {.message = on_message,
                 .invalid = on_invalid,
                 .outcome = on_outcome,
                 .cancelled = on_cancelled,
                 .room = on_room,
                 .hello = on_hello,
                 .subscribe = on_subscribe,
                 .unsubscribe = on_unsubscribe,
                 .request = on_request},
    .opened = on_nothing,
    .progress = on_nothing,
    .closed = on_closed,
};

/* -- the parrot -- */

static void parrot_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                        struct protocol_sink *sink, const struct address *peer, struct now now) {
    (void)setup, (void)worker, (void)peer, (void)now;
    *(struct protocol_sink **)state = sink;
}
static size_t parrot_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct protocol_sink *sink = *(struct protocol_sink **)state;
    (void)now;
    buffer_add(&side_of(sink->user)->heard, bytes);
    sink->closing |= ended;
    return bytes.size;
}
static void parrot_tick(void *state, struct now now) {
    (void)state, (void)now;
}
static void parrot_shut(void *state, enum status status, struct now now) {
    (void)state, (void)status, (void)now;
}
static void parrot_done(void *state) {
    (void)state;
}
static const struct protocol parrot = {.name = "parrot",
                                       .state_size = sizeof(void *),
                                       .open = parrot_open,
                                       .feed = parrot_feed,
                                       .tick = parrot_tick,
                                       .shut = parrot_shut,
                                       .done = parrot_done};

/* -- two ends -- */

static void make_certificates(void) {
    struct fault fault;
    struct slice names[] = {SLICE_OF("peer.example")};
    struct wall from = {WALL_NS - DAY_NS}, until = {WALL_NS + 90 * DAY_NS};
    assert_int_equal(tls_make("ca", names, 0, NULL, false, from, until, &authority, &fault), STATUS_OK);
    assert_int_equal(tls_make("peer", names, 1, &authority, false, from, until, &certificate, &fault),
                     STATUS_OK);
}

/* NULL only where an allocation is made to fail. */
static struct tls_worker *make_worker(enum protocol_role role) {
    static const struct tls_tickets tickets = {.keys = {{1}, {2}}};
    struct fault fault;
    struct tls_certificate ours = {SLICE_OF("c"), buffer_slice(&certificate.cert),
                                   buffer_slice(&certificate.key)};
    struct tls_authority theirs = {SLICE_OF("ca"), buffer_slice(&authority.cert)};
    struct tls_files files = {NULL, &ours, role == PROTOCOL_ACCEPTED, &theirs, role == PROTOCOL_DIALLED};
    return tls_worker_new(&files, &tickets, &fault);
}

static bool side_begin(struct side *side, const struct protocol *protocol, enum protocol_role role,
                       const struct pair *pair) {
    memset(side, 0, sizeof *side);
    prepare(&side->rig, protocol, role);
    dress(&side->rig, pair);
    buffer_init(&side->rig.log, 1u << 20);
    buffer_init(&side->waiting, 16u << 20);
    buffer_init(&side->heard, 16u << 20);
    side->profile = (struct tls_profile){.name = SLICE_OF("x"), .server_name = SLICE_OF("peer.example")};
    if (role == PROTOCOL_ACCEPTED) {
        side->profile.certificates = first_index;
        side->profile.certificate_count = 1;
    } else {
        side->profile.authorities = first_index;
        side->profile.authority_count = 1;
    }
    side->use = (struct filter_use){&filter_tls, &side->profile};
    side->rig.setup.filters = &side->use;
    side->rig.setup.filter_count = 1;
    if (!net_init(&side->net, &calls, side, 4, 1))
        return false;
    side->net.worker.tls = make_worker(role);
    return side->net.worker.tls != NULL;
}

static void side_end(struct side *side) {
    struct tls_worker *tls = side->net.worker.tls;
    if (side->net.calls)
        net_done(&side->net);
    tls_worker_free(tls);
    buffer_done(&side->rig.log);
    buffer_done(&side->waiting);
    buffer_done(&side->heard);
}

static struct connection *connection_of(const struct side *side) {
    return side->handle ? net_find(&side->net, side->handle) : NULL;
}

static void side_connect(struct side *side) {
    struct address peer = side->rig.peer;
    uint32_t count;
    if (side->rig.setup.role == PROTOCOL_ACCEPTED) {
        struct connection *c =
            net_accept(&side->net, side->rig.protocol, &side->rig.setup, 0, &peer, side->rig.now);
        side->handle = c ? c->handle : 0;
        return;
    }
    struct connection *c =
        net_dial(&side->net, side->rig.protocol, &side->rig.setup, 1, NS_PER_S, NULL, side->rig.now);
    side->handle = c ? c->handle : 0;
    net_finish(&side->net, side->rig.now, &count);
    net_connected(&side->net, side->handle, &peer, side->rig.now);
}

/* Bytes arrive, `step` at a time, as long as the connection is read. */
static void arrive(struct side *to, struct slice bytes, size_t step) {
    if (!connection_of(to))
        return;
    buffer_add(&to->waiting, bytes);
    size_t used = 0;
    struct connection *c;
    while (used < to->waiting.size && (c = connection_of(to)) && !c->reads_off) {
        struct slice piece = slice_head(slice_skip(buffer_slice(&to->waiting), used), step);
        net_bytes(&to->net, to->handle, piece, to->rig.now);
        net_settle(&to->net, to->rig.now);
        used += piece.size;
    }
    buffer_consume(&to->waiting, used);
}

/* What it has on the wire goes into `out`; true when it has closed for the first time. */
static bool take_wire(struct side *from, struct buffer *out) {
    uint32_t count;
    struct iovec vector;
    struct connection *c;
    bool closed = false;
    const struct net_action *actions = net_finish(&from->net, from->rig.now, &count);
    for (uint32_t i = 0; i < count; i++)
        closed |= actions[i].kind == NET_CLOSE;
    while ((c = connection_of(from)) && chain_vectors(connection_wire(c), &vector, 1)) {
        buffer_add(out, slice_make(vector.iov_base, vector.iov_len));
        net_written(&from->net, from->handle, vector.iov_len, 0, from->rig.now);
    }
    return closed && !from->told && (from->told = true);
}

static size_t cross(struct side *from, struct side *to, size_t step) {
    struct buffer wire;
    buffer_init(&wire, 16u << 20);
    bool closed = take_wire(from, &wire);
    size_t moved = wire.size + closed;
    arrive(to, buffer_slice(&wire), step);
    if (closed && connection_of(to))
        net_ended(&to->net, to->handle, to->rig.now);
    buffer_done(&wire);
    return moved;
}

static void pump(struct side *a, struct side *b, size_t step) {
    for (int i = 0; i < 2000; i++)
        if (cross(a, b, step) + cross(b, a, step) == 0)
            return;
}

static void wait_for(struct side *side, int64_t ns) {
    side->rig.now.mono.ns += ns;
    side->rig.now.wall.ns += ns;
    net_tick(&side->net, side->rig.now);
}

static void exchange_sealed(const struct pair *pair, struct side *client, struct side *server) {
    pump(client, server, ALL_AT_ONCE);
    for (int i = 0; i < 4 && pair->is_timed; i++) {
        wait_for(client, pair->frame.idle_ns);
        wait_for(server, pair->frame.idle_ns);
        pump(client, server, ALL_AT_ONCE);
    }
}

/* False: no room, or the raw form can't say it. */
static bool send_sealed(const struct pair *pair, struct side *side, const struct message *message) {
    struct connection *c = connection_of(side);
    if (!c || !connection_has_room(c))
        return false;
    bool sent = send_or_skip(pair, rig_of(c), message);
    connection_touch(c);
    return sent;
}

/* -- a recording, sealed -- */

static struct slice log_of(const struct side *side) {
    return buffer_slice(&side->rig.log);
}

/* Both ends are there and the recording is about to be said by `peer`. */
static void begin_vector(const struct vector *vector, struct side *ours, struct side *peer, size_t step) {
    assert_true(side_begin(ours, vector->protocol, vector->role, vector->pair));
    assert_true(side_begin(peer, &parrot,
                           vector->role == PROTOCOL_ACCEPTED ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED, NULL));
    side_connect(ours);
    side_connect(peer);
    pump(peer, ours, step);
    struct connection *c = connection_of(ours);
    assert_true(c && c->status == CONNECTION_OPEN);
    if (vector->asks_first) {
        rng_init(&maker.rng, 12);
        assert_int_equal(rig_send(rig_of(c), make(&maker, KIND_QUERY, 1, 100)), STATUS_OK);
        connection_touch(c);
        pump(ours, peer, step);
    }
    c = connection_of(peer);
    assert_true(c && c->status == CONNECTION_OPEN && chain_add(&c->out, buffer_slice(&vector->bytes)));
    connection_touch(c);
}

static void assert_nothing_is_held(struct side *side) {
    uint32_t count;
    struct connection *c = connection_of(side);
    if (c)
        connection_close(c, STATUS_GOING_AWAY);
    net_finish(&side->net, side->rig.now, &count);
    net_finish(&side->net, side->rig.now, &count);
    assert_int_equal(side->net.bytes, 0);
}

static void end_both(struct side *a, struct side *b) {
    side_end(a);
    side_end(b);
}

static void byte_at_a_time_equals_one_shot(void **state) {
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        struct side whole, whole_peer, slow, slow_peer;
        begin_vector(&vectors[i], &whole, &whole_peer, ALL_AT_ONCE);
        begin_vector(&vectors[i], &slow, &slow_peer, 1);
        pump(&whole_peer, &whole, ALL_AT_ONCE);
        pump(&slow_peer, &slow, 1);
        assert_true(log_of(&whole).size > 0);
        if (!slice_equal(log_of(&whole), log_of(&slow)))
            fail_msg("%s: whole:\n%.*s\nbyte by byte:\n%.*s", vectors[i].name, SLICE_ARG(log_of(&whole)),
                     SLICE_ARG(log_of(&slow)));
        end_both(&whole, &whole_peer);
        end_both(&slow, &slow_peer);
    }
}

/* What the protocol hears of a recording without TLS is what it hears with it. */
static void sealed_equals_plain(void **state) {
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        struct side ours, peer;
        struct rig plain;
        struct buffer said;
        buffer_init(&said, 1u << 20);
        open_for(&plain, &vectors[i]);
        rig_take(&plain, &said); /* no answer comes before its question has left */
        buffer_done(&said);
        rig_feed(&plain, buffer_slice(&vectors[i].bytes));
        begin_vector(&vectors[i], &ours, &peer, ALL_AT_ONCE);
        pump(&peer, &ours, ALL_AT_ONCE);
        if (!slice_equal(log_of(&ours), buffer_slice(&plain.log)))
            fail_msg("%s: plain:\n%s\nsealed:\n%.*s", vectors[i].name, rig_log(&plain),
                     SLICE_ARG(log_of(&ours)));
        rig_done(&plain);
        end_both(&ours, &peer);
    }
}

/* The log but for how it ended: a cut and a spoilt record end it early. */
static struct slice log_before(const struct side *side, const char *end) {
    struct slice log = log_of(side), last = slice_from(end);
    bool ends_so = log.size >= last.size && slice_equal(slice_skip(log, log.size - last.size), last);
    return ends_so ? slice_head(log, log.size - last.size) : log;
}

static void is_beginning_of(const struct vector *vector, const struct side *ours, const char *end,
                            const struct side *whole, size_t at) {
    if (!slice_starts(log_of(whole), log_before(ours, end)))
        fail_msg("%s at %zu:\n%.*s\nwhole:\n%.*s", vector->name, at, SLICE_ARG(log_of(ours)),
                 SLICE_ARG(log_of(whole)));
}

static void a_cut_is_the_beginning_and_never_an_end(void **state) {
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        struct side whole, whole_peer;
        begin_vector(&vectors[i], &whole, &whole_peer, ALL_AT_ONCE);
        pump(&whole_peer, &whole, ALL_AT_ONCE);
        for (unsigned tenth = 0; tenth < 10; tenth++) {
            struct side ours, peer;
            struct buffer sealed;
            buffer_init(&sealed, 16u << 20);
            begin_vector(&vectors[i], &ours, &peer, ALL_AT_ONCE);
            take_wire(&peer, &sealed);
            size_t cut = sealed.size * tenth / 10 + tenth;
            arrive(&ours, slice_head(buffer_slice(&sealed), cut), ALL_AT_ONCE);
            bool was_there = connection_of(&ours) && connection_of(&ours)->status == CONNECTION_OPEN;
            if (was_there)
                net_ended(&ours.net, ours.handle, ours.rig.now);
            assert_true(!was_there || connection_of(&ours) == NULL);
            if (was_there && !memmem(log_of(&ours).data, log_of(&ours).size, "closed truncated\n", 17))
                fail_msg("%s cut at %zu: a clean end:\n%.*s", vectors[i].name, cut, SLICE_ARG(log_of(&ours)));
            is_beginning_of(&vectors[i], &ours, "closed truncated\n", &whole, cut);
            buffer_done(&sealed);
            end_both(&ours, &peer);
        }
        end_both(&whole, &whole_peer);
    }
}

/* -- garbage -- */

static void assert_bounded_side(const struct side *side) {
    assert_true(side->net.pool.held < 16u << 20);
    if (side->net.bytes >= 8u << 20)
        fail_msg("%llu bytes are held", (unsigned long long)side->net.bytes);
}

static void a_spoilt_record_ends_it_and_is_not_heard(void **state) {
    struct rng rng;
    (void)state;
    rng_init(&rng, 4711);
    for (unsigned round = 0; round < 400; round++) {
        const struct vector *vector = &vectors[round % vector_count];
        struct side whole, whole_peer, ours, peer;
        struct buffer sealed;
        int64_t live = memory_live();
        buffer_init(&sealed, 16u << 20);
        begin_vector(vector, &whole, &whole_peer, ALL_AT_ONCE);
        pump(&whole_peer, &whole, ALL_AT_ONCE);
        begin_vector(vector, &ours, &peer, ALL_AT_ONCE);
        take_wire(&peer, &sealed);
        size_t at = (size_t)rng_below(&rng, sealed.size);
        sealed.data[at] ^= (uint8_t)(1u << rng_below(&rng, 8));
        arrive(&ours, buffer_slice(&sealed), ALL_AT_ONCE);
        pump(&ours, &peer, ALL_AT_ONCE);
        assert_bounded_side(&ours);
        is_beginning_of(vector, &ours, "closed protocol-error\n", &whole, at);
        buffer_done(&sealed);
        end_both(&ours, &peer);
        end_both(&whole, &whole_peer);
        assert_int_equal(memory_live(), live);
    }
}

static void random_bytes_open_nothing(void **state) {
    static uint8_t bytes[8192];
    struct rng rng;
    (void)state;
    rng_init(&rng, 42);
    for (unsigned round = 0; round < 400; round++) {
        const struct pair *pair = &pairs[round % COUNT_OF(pairs)];
        enum protocol_role role = round / COUNT_OF(pairs) % 2 ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED;
        struct side side;
        struct buffer out;
        int64_t live = memory_live();
        if (pair->dialled->is_datagram)
            continue;
        buffer_init(&out, 1u << 20);
        assert_true(side_begin(&side, role == PROTOCOL_DIALLED ? pair->dialled : pair->accepted, role, pair));
        side_connect(&side);
        size_t size = (size_t)rng_below(&rng, sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)rng_next(&rng);
        if (round % 3 == 0 && size > 5) /* the head of a record, at least */
            memcpy(bytes, "\x16\x03\x01\x02\x00", 5);
        arrive(&side, slice_make(bytes, size), 1 + (size_t)rng_below(&rng, 2000));
        take_wire(&side, &out);
        assert_bounded_side(&side);
        assert_int_equal(side.rig.received, 0);
        struct connection *c = connection_of(&side);
        assert_true(!c || c->status != CONNECTION_OPEN);
        buffer_done(&out);
        side_end(&side);
        assert_int_equal(memory_live(), live);
    }
}

/* -- messages across -- */

static void compare_sealed(struct rig *rig, uint64_t token, const struct message *message) {
    if (message->kind == KIND_RESPONSE)
        return;
    const uint64_t *expected = rig->other;
    if (token >= RIG_TOKENS ||
        meaning((const struct pair *)(uintptr_t)expected[0], message) != expected[token])
        fail_msg("message %u is not what was sent:\n%.*s", (unsigned)token,
                 SLICE_ARG(buffer_slice(&rig->log)));
}

static void messages_come_across_whole(void **state) {
    static uint64_t expected[RIG_TOKENS]; /* [0]: the pair */
    static const enum message_kind kinds[] = {KIND_EVENT, KIND_COMMAND, KIND_NOTIFICATION};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct side client, server;
        int64_t live = memory_live();
        if (pairs[i].dialled->is_datagram)
            continue;
        assert_true(side_begin(&client, pairs[i].dialled, PROTOCOL_DIALLED, &pairs[i]));
        assert_true(side_begin(&server, pairs[i].accepted, PROTOCOL_ACCEPTED, &pairs[i]));
        client.rig.setup.encoding = i % 2 ? ENCODING_PROTO : ENCODING_JSON;
        expected[0] = (uint64_t)(uintptr_t)&pairs[i];
        server.rig.other = expected;
        server.rig.on_message = compare_sealed;
        client.rig.quiet = true;
        side_connect(&server);
        side_connect(&client);
        exchange_sealed(&pairs[i], &client, &server);
        rng_init(&maker.rng, 100 + i);
        unsigned count = 0, refused = 0;
        while (count < 100) {
            const struct message *message =
                make(&maker, kinds[(count + refused) % 3], count, pairs[i].data_max);
            uint64_t means = meaning(&pairs[i], message);
            if (!send_sealed(&pairs[i], &client, message)) {
                assert_true(++refused < 20000);
                exchange_sealed(&pairs[i], &client, &server);
                continue;
            }
            expected[++count] = means;
            if (below(&maker, 3) == 0)
                exchange_sealed(&pairs[i], &client, &server);
        }
        exchange_sealed(&pairs[i], &client, &server);
        if (server.rig.received != 100)
            fail_msg("%s: %u of 100 arrived:\n%.*s", pairs[i].name, (unsigned)server.rig.received,
                     SLICE_ARG(log_of(&server)));
        assert_int_equal(server.rig.invalid + client.rig.invalid, 0);
        assert_non_null(connection_of(&server));
        assert_true(server.net.bytes > filter_tls.weight); /* what OpenSSL holds counts */
        assert_nothing_is_held(&client);
        assert_nothing_is_held(&server);
        end_both(&client, &server);
        assert_int_equal(memory_live(), live);
    }
}

/* -- memory that runs out -- */

static bool survives(const struct pair *pair, int64_t skip) {
    static struct side client, server;
    int64_t live = memory_live();
    memory_fail_after(skip);
    bool begun = side_begin(&client, pair->dialled, PROTOCOL_DIALLED, pair);
    begun &= side_begin(&server, pair->accepted, PROTOCOL_ACCEPTED, pair);
    if (begun) {
        client.rig.quiet = server.rig.quiet = true;
        server.rig.on_message = answer;
        side_connect(&server);
        side_connect(&client);
        exchange_sealed(pair, &client, &server);
        rng_init(&maker.rng, 3);
        for (unsigned n = 1; n <= 8; n++) {
            enum message_kind kind = n % 5 ? KIND_EVENT : KIND_QUERY;
            server.rig.settle_as = kind == KIND_QUERY ? STATUS_COUNT : STATUS_OK;
            const struct message *message = make(&maker, kind, n, pair->data_max);
            struct connection *c = connection_of(&client);
            if (c && connection_has_room(c)) {
                rig_send(rig_of(c), message);
                connection_touch(c);
            }
            exchange_sealed(pair, &client, &server);
        }
    }
    bool failed = memory_has_failed();
    memory_fail_after(-1);
    end_both(&client, &server);
    assert_int_equal(memory_live(), live);
    return failed;
}

static void every_failed_allocation_is_survived(void **state) {
    static const size_t stride = 7; /* not every one for every row: they share most of them */
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        int64_t skip = pairs[i].is_raw ? (int64_t)(i % stride) : 0;
        if (pairs[i].dialled->is_datagram)
            continue;
        while (survives(&pairs[i], skip))
            skip += pairs[i].is_raw ? (int64_t)stride : 1;
        assert_true(skip > 10);
    }
}

static int prepare_all(void **state) {
    make_certificates();
    return prepare_vectors(state);
}

static int drop_all(void **state) {
    struct tls_made *made[] = {&authority, &certificate};
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        buffer_done(&made[i]->cert);
        buffer_done(&made[i]->key);
    }
    return drop_vectors(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_equals_plain),
        cmocka_unit_test(byte_at_a_time_equals_one_shot),
        cmocka_unit_test(a_cut_is_the_beginning_and_never_an_end),
        cmocka_unit_test(a_spoilt_record_ends_it_and_is_not_heard),
        cmocka_unit_test(random_bytes_open_nothing),
        cmocka_unit_test(messages_come_across_whole),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, prepare_all, drop_all);
}
