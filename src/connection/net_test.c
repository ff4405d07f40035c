/* Connections: opening, feeding, pausing, ending, being freed; with a protocol that writes down what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/rng.h"
#include "connection/net.h"

/* Units of the fake protocol: a digit, and so many bytes. The first of them may be an order:
 *     P pause until settle()   W write "answer"   E end, with "bye"   S the same, and read no more
 *     A write an answer of 1000 bytes, and more only while the peer takes them
 *     B become the other row   X the user closes   H the user stops reading
 * A unit that begins with `~` never ends. */
struct fake {
    struct protocol_sink *sink;
    unsigned feeds;
};

static struct rig {
    struct net net;
    struct buffer log;
    struct protocol_setup setup;
    struct now now;
    struct connection *newest;
    uint8_t answer[1000];
} rig;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...) {
    char text[100];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_add_text(&rig.log, text);
    buffer_add_byte(&rig.log, ' ');
}

static void fake_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                      struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct fake *fake = state;
    (void)setup, (void)worker, (void)now;
    fake->sink = sink;
    sink->room = (struct protocol_room){1, UINT64_MAX};
    note("open:%u", (unsigned)peer->port);
}

extern const struct protocol other_row;

static void obey(struct fake *fake, char order) {
    struct connection *c = fake->sink->user;
    switch (order) {
    case 'P':
        fake->sink->paused = true;
        break;
    case 'W':
        chain_add(fake->sink->out, SLICE_OF("answer"));
        break;
    case 'A':
        fake->sink->terms.answers_bounded = true;
        chain_add(fake->sink->out, slice_make(rig.answer, sizeof rig.answer));
        break;
    case 'S':
    case 'E':
        chain_add(fake->sink->out, SLICE_OF("bye"));
        fake->sink->closing = true;
        fake->sink->reading_done = order == 'S';
        fake->sink->close_status = STATUS_PROTOCOL_ERROR;
        break;
    case 'B':
        fake->sink->become = &other_row;
        break;
    case 'X':
        connection_close(c, STATUS_FORBIDDEN);
        break;
    case 'H':
        connection_stop(c, true);
        break;
    default:
        break;
    }
}

static size_t fake_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct fake *fake = state;
    (void)now;
    fake->feeds++;
    size_t need = bytes.size == 0 ? 1 : bytes.data[0] == '~' ? SIZE_MAX / 2 : 1 + (size_t)(bytes.data[0] - '0');
    if (bytes.size < need) {
        if (ended) {
            note("end+%zu", bytes.size);
            fake->sink->closing = true;
            fake->sink->close_status = bytes.size ? STATUS_PROTOCOL_ERROR : STATUS_PEER_CLOSED;
        }
        fake->sink->want = need;
        return 0;
    }
    note("%.*s", (int)(need - 1), (const char *)bytes.data + 1);
    obey(fake, need > 1 ? (char)bytes.data[1] : ' ');
    return need;
}

static size_t other_feed(void *state, struct slice bytes, bool ended, struct now now) {
    (void)state, (void)now;
    if (bytes.size)
        note("other:%.*s", SLICE_ARG(bytes));
    (void)ended;
    return bytes.size;
}

static void fake_datagram(void *state, struct slice bytes, const struct address *from, struct now now) {
    (void)state, (void)now;
    note("%u:%.*s", (unsigned)from->port, SLICE_ARG(bytes));
}

static enum status fake_send(void *state, const struct message *message, const struct overlay *overlay,
                             const struct protocol_send *options, struct now now) {
    struct fake *fake = state;
    (void)message, (void)overlay, (void)options, (void)now;
    return chain_add(fake->sink->out, SLICE_OF("sent")) ? STATUS_OK : STATUS_NO_MEMORY;
}

static void fake_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now) {
    struct fake *fake = state;
    (void)first, (void)last, (void)status, (void)retry_ms, (void)now;
    fake->sink->paused = false;
}

static void fake_cancel(void *state, uint64_t token, struct now now) {
    (void)state, (void)token, (void)now;
}

static void fake_tick(void *state, struct now now) {
    (void)state;
    note("tick:%d", (int)(now.mono.ns / NS_PER_S));
}

static void fake_shut(void *state, enum status status, struct now now) {
    (void)state, (void)now;
    note("shut:%s", status_reason(status));
}

static void fake_done(void *state) {
    (void)state;
    note("done");
}

#define ROW(feeds, datagrams)                                                                                            \
    {                                                                                                                    \
        .name = "fake", .state_size = sizeof(struct fake), .is_datagram = datagrams, .open = fake_open, .feed = feeds,  \
        .datagram = fake_datagram, .send = fake_send, .settle = fake_settle, .cancel = fake_cancel, .tick = fake_tick,  \
        .shut = fake_shut, .done = fake_done                                                                             \
    }

static const struct protocol row = ROW(fake_feed, false), datagram_row = ROW(NULL, true);
const struct protocol other_row = ROW(other_feed, false);

static void on_opened(void *user, struct connection *c, struct now now) {
    (void)user, (void)now;
    note("opened");
    rig.newest = c;
}

static void on_progress(void *user, struct connection *c, struct now now) {
    (void)user, (void)c, (void)now;
}

static void on_closed(void *user, struct connection *c, struct now now) {
    (void)user, (void)now;
    note("closed:%s", status_reason(c->reason));
}

static const struct net_calls calls = {.opened = on_opened, .progress = on_progress, .closed = on_closed};

static void start(uint32_t count_max) {
    rig = (struct rig){.now = {.mono = {NS_PER_S}, .wall = {NS_PER_S}}};
    rig.setup.limits.message = 16;
    buffer_init(&rig.log, 1u << 20);
    assert_true(net_init(&rig.net, &calls, NULL, count_max, 1));
}

static void stop(void) {
    net_done(&rig.net);
    buffer_done(&rig.log);
}

/* What was noted since the last time. */
static void expect(const char *words) {
    if (rig.log.size && rig.log.data[rig.log.size - 1] == ' ')
        rig.log.size--;
    buffer_add_byte(&rig.log, 0);
    assert_string_equal((const char *)rig.log.data, words);
    buffer_clear(&rig.log);
}

/* Ends the turn and notes its actions. */
static void turn(void) {
    uint32_t count;
    const struct net_action *actions = net_finish(&rig.net, rig.now, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct net_action *a = &actions[i];
        if (a->kind == NET_FLUSH)
            note("FLUSH");
        else if (a->kind == NET_READ)
            note("READ:%s", a->on ? "on" : "off");
        else if (a->kind == NET_DIAL)
            note("DIAL:%d", (int)a->place);
        else
            note("CLOSE%s", a->linger ? ":linger" : "");
    }
}

static uint64_t accept_one(void) {
    struct address peer = {.family = ADDRESS_IPV4, .port = 9};
    struct connection *c = net_accept(&rig.net, &row, &rig.setup, 0, &peer, rig.now);
    assert_non_null(c);
    return c->handle;
}

static void bytes(uint64_t handle, const char *text) {
    net_bytes(&rig.net, handle, slice_from(text), rig.now);
}

static void pass(int64_t seconds) {
    rig.now.mono.ns += seconds * NS_PER_S;
    rig.now.wall.ns += seconds * NS_PER_S;
    net_tick(&rig.net, rig.now);
}

static void pieces_of_any_size_give_the_same_units(void **state) {
    static const char text[] = "1a02bc3def9abcdefghi1P1q0";
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        start(10);
        uint64_t handle = accept_one();
        for (size_t at = 0; at < sizeof text - 1;) {
            size_t size = seed == 0 ? sizeof text - 1 : seed == 1 ? 1 : 1 + rng_below(&rng, 6);
            size = size > sizeof text - 1 - at ? sizeof text - 1 - at : size;
            net_bytes(&rig.net, handle, slice_make(text + at, size), rig.now);
            at += size;
        }
        connection_settle(net_find(&rig.net, handle), 1, 1, STATUS_OK, 0);
        turn();
        expect("open:9 opened a  bc def abcdefghi P q ");
        assert_null(net_find(&rig.net, handle)->partial); /* an idle connection holds no buffer */
        assert_int_equal(net_find(&rig.net, handle)->bytes_in, sizeof text - 1);
        stop();
    }
}

static void nothing_is_fed_before_as_much_as_wanted_is_there(void **state) {
    (void)state;
    start(10);
    uint64_t handle = accept_one();
    struct fake *fake = net_find(&rig.net, handle)->state;
    bytes(handle, "9abc");
    unsigned before = fake->feeds;
    bytes(handle, "de");
    bytes(handle, "fg");
    assert_int_equal(fake->feeds, before);
    bytes(handle, "hi2jk1");
    assert_int_equal(fake->feeds, before + 3);
    expect("open:9 opened abcdefghi jk");
    stop();
}

static void a_unit_that_never_ends_is_cut_off_at_its_limit(void **state) {
    static uint8_t much[65536];
    (void)state;
    start(10);
    uint64_t handle = accept_one();
    much[0] = '~';
    for (int i = 0; i < 10 && net_find(&rig.net, handle); i++) {
        net_bytes(&rig.net, handle, slice_make(much, sizeof much), rig.now);
        if (net_find(&rig.net, handle))
            assert_true(!net_find(&rig.net, handle)->partial ||
                        net_find(&rig.net, handle)->partial->capacity <= 16 + (320u << 10));
    }
    turn();
    expect("open:9 opened closed:frame-too-large done CLOSE");
    stop();
}

static void a_paused_protocol_is_not_fed_and_reads_go_off_once(void **state) {
    (void)state;
    start(10);
    uint64_t handle = accept_one();
    bytes(handle, "1P1a");
    turn();
    bytes(handle, "1b1");
    turn();
    expect("open:9 opened P READ:off");
    connection_settle(net_find(&rig.net, handle), 1, 1, STATUS_OK, 0);
    turn();
    expect("a b READ:on");
    bytes(handle, "c");
    turn();
    expect("c");
    stop();
}

/* One who asks on and on and takes no answers: neither is he read, nor does what waits for him grow. */
static void nobody_is_fed_while_he_takes_no_answers(void **state) {
    (void)state;
    start(1);
    struct connection *c = net_find(&rig.net, accept_one());
    unsigned asked = NET_UNSENT_MAX / 1000 + 50;
    for (unsigned i = 0; i < asked; i++)
        bytes(c->handle, "1A");
    assert_true(chain_unsent(&c->out) > NET_UNSENT_MAX);
    assert_true(chain_unsent(&c->out) <= NET_UNSENT_MAX + 1000);
    assert_true(connection_partial(c) > 0);
    turn();
    assert_true(c->reads_off);
    /* As soon as he takes some the next are answered, and all are in the end. */
    uint64_t written = 0;
    while (chain_unsent(&c->out)) {
        written += 1000;
        net_written(&rig.net, c->handle, 1000, 0, rig.now);
        turn();
        assert_true(chain_unsent(&c->out) <= NET_UNSENT_MAX + 1000);
    }
    assert_true(written == asked * 1000);
    assert_false(c->reads_off);
    assert_int_equal(connection_partial(c), 0);
    stop();
}

static void a_stopped_connection_keeps_what_came_in(void **state) {
    (void)state;
    start(10);
    uint64_t handle = accept_one();
    bytes(handle, "1H1a");
    bytes(handle, "1b");
    turn();
    expect("open:9 opened H READ:off");
    connection_stop(net_find(&rig.net, handle), false);
    turn();
    expect("a b READ:on");
    connection_stop(net_find(&rig.net, handle), true);
    connection_stop(net_find(&rig.net, handle), false);
    turn();
    expect("");
    stop();
}

static void unsent_bytes_go_out_before_the_close(void **state) {
    (void)state;
    for (int lingers = 0; lingers < 2; lingers++) {
        start(10);
        uint64_t handle = accept_one();
        bytes(handle, lingers ? "1S1a" : "1E1a");
        turn();
        expect(lingers ? "open:9 opened S FLUSH" : "open:9 opened E FLUSH");
        bytes(handle, "1b"); /* nobody wants it any more */
        assert_int_equal(connection_partial(net_find(&rig.net, handle)), 0);
        net_written(&rig.net, handle, 2, 0, rig.now);
        turn();
        expect("");
        net_written(&rig.net, handle, 1, 0, rig.now);
        turn();
        expect(lingers ? "closed:protocol-error done CLOSE:linger" : "closed:protocol-error done CLOSE");
        assert_null(net_find(&rig.net, handle));
        stop();
    }
}

static void a_peer_that_does_not_read_is_closed_after_a_while(void **state) {
    (void)state;
    start(10);
    uint64_t handle = accept_one();
    bytes(handle, "1E");
    turn();
    assert_true(net_due(&rig.net).ns == rig.now.mono.ns + 30 * NS_PER_S);
    pass(29);
    turn();
    expect("open:9 opened E FLUSH");
    pass(1);
    turn();
    expect("closed:protocol-error done CLOSE");
    stop();
}

static void flush_is_said_once_until_all_is_written(void **state) {
    (void)state;
    start(10);
    uint64_t handle = accept_one();
    bytes(handle, "1W");
    turn();
    bytes(handle, "1W");
    turn();
    net_written(&rig.net, handle, 0, 0, rig.now); /* the socket is full: the world goes on by itself */
    turn();
    expect("open:9 opened W FLUSH W");
    net_written(&rig.net, handle, 12, 0, rig.now);
    turn();
    expect("");
    bytes(handle, "1W");
    turn();
    expect("W FLUSH");
    stop();
}

static void a_dial_ends_in_one_of_four_ways(void **state) {
    struct address peer = {.family = ADDRESS_IPV4, .port = 80};
    int owner = 0;
    (void)state;
    start(10);
    uint64_t handles[4];
    for (unsigned i = 0; i < 4; i++) {
        struct connection *c = net_dial(&rig.net, &row, &rig.setup, 70 + i, 3 * NS_PER_S, &owner, rig.now);
        assert_ptr_equal(c->owner, &owner);
        assert_false(connection_has_room(c));
        handles[i] = c->handle;
    }
    turn();
    expect("DIAL:70 DIAL:71 DIAL:72 DIAL:73");
    bytes(handles[0], "1a");
    net_connected(&rig.net, handles[0], &peer, rig.now);
    net_connected(&rig.net, handles[0], &peer, rig.now);
    turn();
    expect("open:80 opened");
    net_lost(&rig.net, handles[1], STATUS_REFUSED, rig.now);
    net_ended(&rig.net, handles[2], rig.now);
    turn();
    expect("closed:refused closed:peer-closed done done CLOSE CLOSE");
    pass(3);
    turn();
    expect("closed:connect-timeout done CLOSE");
    net_connected(&rig.net, handles[3], &peer, rig.now); /* too late */
    bytes(handles[0], "1a");
    turn();
    expect("a");
    pass(1000);
    turn();
    expect(""); /* an open one has no deadline but its protocol's */
    stop();
}

static void closing_a_dial_is_immediate_and_shutting_an_open_one_has_its_grace(void **state) {
    (void)state;
    start(10);
    struct connection *dialled = net_dial(&rig.net, &row, &rig.setup, 1, NS_PER_S, NULL, rig.now);
    uint64_t handle = accept_one();
    connection_shut(dialled, STATUS_GOING_AWAY, 5 * NS_PER_S);
    connection_shut(net_find(&rig.net, handle), STATUS_GOING_AWAY, 5 * NS_PER_S);
    turn();
    expect("open:9 opened closed:going-away shut:going-away done DIAL:1 CLOSE");
    pass(5);
    turn();
    expect("closed:going-away done CLOSE");
    stop();
}

static void a_tick_comes_when_it_is_due_and_once(void **state) {
    (void)state;
    start(10);
    uint64_t handle = accept_one();
    struct connection *c = net_find(&rig.net, handle);
    c->sink.due = (struct mono){10 * NS_PER_S};
    connection_touch(c);
    turn();
    assert_true(net_due(&rig.net).ns == 10 * NS_PER_S);
    c->sink.due = (struct mono){20 * NS_PER_S}; /* later: only a field is written */
    connection_touch(c);
    turn();
    pass(10);
    turn();
    expect("open:9 opened");
    pass(10);
    turn();
    pass(10);
    turn();
    expect("tick:21");
    assert_true(net_due(&rig.net).ns == INT64_MAX);
    stop();
}

static void what_follows_an_upgrade_goes_to_the_next_row(void **state) {
    (void)state;
    for (int split = 0; split < 2; split++) {
        start(10);
        uint64_t handle = accept_one();
        net_find(&rig.net, handle)->sink.terms.acks = true;
        if (split) {
            bytes(handle, "1");
            bytes(handle, "B");
            bytes(handle, "rest");
        } else {
            bytes(handle, "1Brest");
        }
        turn();
        expect("open:9 opened B done open:9 other:rest");
        assert_ptr_equal(net_find(&rig.net, handle)->protocol, &other_row);
        assert_false(net_find(&rig.net, handle)->sink.terms.acks);
        stop();
    }
}

static void the_end_of_the_peer_comes_after_its_bytes(void **state) {
    (void)state;
    start(10);
    uint64_t whole = accept_one(), part = accept_one(), held = accept_one();
    bytes(whole, "1a");
    net_ended(&rig.net, whole, rig.now);
    turn();
    expect("open:9 opened open:9 opened open:9 opened a end+0 closed:peer-closed done CLOSE");
    bytes(part, "9ab");
    net_ended(&rig.net, part, rig.now);
    turn();
    expect("end+3 closed:protocol-error done CLOSE");
    bytes(held, "1P1a");
    net_ended(&rig.net, held, rig.now);
    turn();
    expect("P READ:off");
    connection_settle(net_find(&rig.net, held), 1, 1, STATUS_OK, 0);
    turn();
    expect("a end+0 closed:peer-closed done CLOSE");
    stop();
}

static void the_user_may_close_from_within_a_unit(void **state) {
    (void)state;
    start(10);
    uint64_t handle = accept_one();
    bytes(handle, "1X1a");
    assert_null(net_find(&rig.net, handle));
    connection_touch(rig.newest);
    connection_settle(rig.newest, 1, 1, STATUS_OK, 0);
    connection_close(rig.newest, STATUS_INTERNAL); /* a second close changes nothing */
    turn();
    expect("open:9 opened X closed:forbidden done CLOSE");
    stop();
}

static void datagrams_go_to_their_row_and_their_pieces_are_released(void **state) {
    struct address from = {.family = ADDRESS_IPV4, .port = 5};
    (void)state;
    start(10);
    struct connection *c = net_accept(&rig.net, &datagram_row, &rig.setup, 0, NULL, rig.now);
    net_datagram(&rig.net, c->handle, SLICE_OF("hello"), &from, rig.now);
    chain_add(&c->out, SLICE_OF("one"));
    chain_add(&c->out, SLICE_OF("two"));
    connection_touch(c);
    turn();
    expect("open:0 opened 5:hello FLUSH");
    net_written(&rig.net, c->handle, 0, 1, rig.now);
    assert_true(chain_unsent(&c->out) == 3);
    net_written(&rig.net, c->handle, 0, 1, rig.now);
    assert_true(chain_unsent(&c->out) == 0);
    stop();
}

static void a_connection_has_room_until_too_much_is_unsent(void **state) {
    static uint8_t much[NET_UNSENT_MAX - 1];
    (void)state;
    start(10);
    struct connection *c = net_find(&rig.net, accept_one());
    assert_true(connection_has_room(c));
    chain_add(&c->out, slice_make(much, sizeof much));
    assert_true(connection_has_room(c));
    chain_add(&c->out, SLICE_OF("x"));
    assert_false(connection_has_room(c));
    net_written(&rig.net, c->handle, 1, 0, rig.now);
    assert_true(connection_has_room(c));
    connection_end(c, STATUS_SHUTDOWN);
    assert_false(connection_has_room(c));
    stop();
}

#define MANY 200

static void handles_name_one_connection_for_ever(void **state) {
    uint64_t alive[MANY] = {0}, gone[2000];
    size_t alive_count = 0, gone_count = 0;
    struct rng rng;
    (void)state;
    start(MANY);
    rng_init(&rng, 11);
    for (int i = 0; i < 3000; i++) {
        bool grows = i / 500 % 2 == 0;
        if (rng_below(&rng, 100) < (grows ? 80 : 20)) {
            struct connection *c = net_accept(&rig.net, &row, &rig.setup, 0, NULL, rig.now);
            if (alive_count == MANY) {
                assert_null(c);
                continue;
            }
            assert_true(c->handle != 0);
            alive[alive_count++] = c->handle;
        } else if (alive_count && gone_count < COUNT_OF(gone)) {
            size_t which = rng_below(&rng, alive_count);
            connection_close(net_find(&rig.net, alive[which]), STATUS_OK);
            gone[gone_count++] = alive[which];
            alive[which] = alive[--alive_count];
        }
        if (rng_below(&rng, 3) == 0)
            turn();
        buffer_clear(&rig.log);
        assert_int_equal(rig.net.count, alive_count);
        for (size_t k = 0; k < alive_count; k++)
            assert_true(net_find(&rig.net, alive[k])->handle == alive[k]);
        if (i % 50 == 0)
            for (size_t k = 0; k < gone_count; k++)
                assert_null(net_find(&rig.net, gone[k]));
    }
    for (size_t k = 0; k < gone_count; k++) { /* what is still under way to them is ignored */
        bytes(gone[k], "1a");
        net_written(&rig.net, gone[k], 5, 0, rig.now);
        net_ended(&rig.net, gone[k], rig.now);
        net_lost(&rig.net, gone[k], STATUS_RESET, rig.now);
    }
    assert_true(rig.net.slot_count <= 256);
    assert_int_equal(rig.net.count, alive_count);
    stop();
}

/* -- memory that is out -- */

/* Twenty connections come and go in all ways. What each was told of the close must be told to the world too. */
static void story(unsigned *ret_closed, unsigned *ret_told) {
    uint64_t handles[20] = {0};
    unsigned closes = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct connection *c = i % 3 ? net_accept(&rig.net, &row, &rig.setup, 0, NULL, rig.now)
                                     : net_dial(&rig.net, &row, &rig.setup, i, NS_PER_S, NULL, rig.now);
        handles[i] = c ? c->handle : 0;
    }
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 20; i++) {
            static const char *const orders[] = {"1w9ab", "1P1a", "1X", "1B1c", "1H", "1E", "9", "1W1W1S"};
            if (handles[i] && i % 3 == 0 && round == 1)
                net_connected(&rig.net, handles[i], NULL, rig.now);
            bytes(handles[i], orders[(i + round) % 8]);
        }
        uint32_t count;
        const struct net_action *actions = net_finish(&rig.net, rig.now, &count);
        for (uint32_t i = 0; i < count; i++) {
            closes += actions[i].kind == NET_CLOSE;
            struct connection *c = net_find(&rig.net, actions[i].connection);
            if (actions[i].kind == NET_FLUSH && c && round % 2)
                net_written(&rig.net, c->handle, chain_unsent(&c->out), 0, rig.now);
        }
        pass(round == 7 ? 100 : 0);
    }
    for (unsigned i = 0; i < 20; i++)
        if (net_find(&rig.net, handles[i]))
            connection_close(net_find(&rig.net, handles[i]), STATUS_SHUTDOWN);
    for (int i = 0; i < 3; i++) { /* an action that found no memory is told in a later turn */
        uint32_t count;
        const struct net_action *actions = net_finish(&rig.net, rig.now, &count);
        for (uint32_t k = 0; k < count; k++)
            closes += actions[k].kind == NET_CLOSE;
    }
    buffer_add_byte(&rig.log, 0);
    *ret_closed = 0;
    for (const char *at = (const char *)rig.log.data; (at = strstr(at, "closed:")); at++)
        ++*ret_closed;
    *ret_told = closes;
}

static void every_failed_allocation_is_survived(void **state) {
    int64_t live = memory_live();
    (void)state;
    for (int64_t n = 0;; n++) {
        unsigned closed, told;
        start(100);
        buffer_reserve(&rig.log, 100000);
        memory_fail_after(n);
        story(&closed, &told);
        int failed = memory_has_failed();
        memory_fail_after(-1);
        assert_int_equal(told, closed);
        assert_int_equal(rig.net.count, 0);
        assert_int_equal(rig.net.dead.count, 0);
        stop();
        assert_true(memory_live() == live);
        if (!failed)
            break;
    }
    for (int64_t n = 0;; n++) {
        memory_fail_after(n);
        bool good = net_init(&rig.net, &calls, NULL, 10, 1);
        int failed = memory_has_failed();
        memory_fail_after(-1);
        assert_int_equal(good, !failed);
        net_done(&rig.net);
        assert_true(memory_live() == live);
        if (!failed)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_give_the_same_units),
        cmocka_unit_test(nothing_is_fed_before_as_much_as_wanted_is_there),
        cmocka_unit_test(a_unit_that_never_ends_is_cut_off_at_its_limit),
        cmocka_unit_test(a_paused_protocol_is_not_fed_and_reads_go_off_once),
        cmocka_unit_test(nobody_is_fed_while_he_takes_no_answers),
        cmocka_unit_test(a_stopped_connection_keeps_what_came_in),
        cmocka_unit_test(unsent_bytes_go_out_before_the_close),
        cmocka_unit_test(a_peer_that_does_not_read_is_closed_after_a_while),
        cmocka_unit_test(flush_is_said_once_until_all_is_written),
        cmocka_unit_test(a_dial_ends_in_one_of_four_ways),
        cmocka_unit_test(closing_a_dial_is_immediate_and_shutting_an_open_one_has_its_grace),
        cmocka_unit_test(a_tick_comes_when_it_is_due_and_once),
        cmocka_unit_test(what_follows_an_upgrade_goes_to_the_next_row),
        cmocka_unit_test(the_end_of_the_peer_comes_after_its_bytes),
        cmocka_unit_test(the_user_may_close_from_within_a_unit),
        cmocka_unit_test(datagrams_go_to_their_row_and_their_pieces_are_released),
        cmocka_unit_test(a_connection_has_room_until_too_much_is_unsent),
        cmocka_unit_test(handles_name_one_connection_for_ever),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
