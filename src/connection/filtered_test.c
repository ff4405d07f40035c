/* Connections behind filters: when they open, what counts as written, how they end. The filter is `veil`: "hi!" from both
 * sides, then records of a length in two bytes and so many bytes xor 0x55; a length of zero is the end. `ticket` takes
 * four bytes off the front, says "ok\n" and goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "connection/net.h"

struct veil {
    struct filter_sink *sink;
    uint8_t kept[2];
    size_t kept_size, greeted, left;
};

static void veil_open(void *state, const void *profile, const struct protocol_setup *setup, struct protocol_worker *worker,
                      struct filter_sink *sink, const struct address *peer, struct now now) {
    struct veil *veil = state;
    (void)profile, (void)setup, (void)worker, (void)peer;
    veil->sink = sink;
    chain_add(sink->wire, SLICE_OF("hi!"));
    sink->due = mono_after(now.mono, NS_PER_S);
}

static bool veil_greets(struct veil *veil, struct slice *wire) {
    while (veil->greeted < 3 && wire->size) {
        if (wire->data[0] != "hi!"[veil->greeted]) {
            veil->sink->status = STATUS_HANDSHAKE_FAILED;
            chain_add(veil->sink->wire, SLICE_OF("no"));
            return false;
        }
        veil->greeted++;
        *wire = slice_skip(*wire, 1);
    }
    return veil->sink->ready = veil->greeted == 3;
}

static size_t veil_feed(void *state, struct slice *wire, uint8_t *plain, size_t room, struct now now) {
    struct veil *veil = state;
    size_t got = 0;
    (void)now;
    if (!veil_greets(veil, wire))
        return 0;
    while (wire->size && got < room && !veil->sink->ended) {
        if (veil->left == 0) {
            veil->kept[veil->kept_size++] = wire->data[0];
            if (veil->kept_size == 2) {
                veil->left = (size_t)veil->kept[0] << 8 | veil->kept[1];
                veil->kept_size = 0;
                veil->sink->ended = veil->left == 0;
            }
        } else {
            plain[got++] = wire->data[0] ^ 0x55;
            veil->left--;
        }
        *wire = slice_skip(*wire, 1);
    }
    return got;
}

static size_t veil_seal(void *state, struct slice plain, struct now now) {
    struct veil *veil = state;
    (void)now;
    uint8_t *at = chain_reserve(veil->sink->wire, plain.size + 2);
    if (!at) {
        veil->sink->status = STATUS_NO_MEMORY;
        return 0;
    }
    at[0] = (uint8_t)(plain.size >> 8);
    at[1] = (uint8_t)plain.size;
    for (size_t i = 0; i < plain.size; i++)
        at[2 + i] = plain.data[i] ^ 0x55;
    chain_commit(veil->sink->wire, plain.size + 2);
    return plain.size;
}

static void veil_shut(void *state, struct now now) {
    struct veil *veil = state;
    (void)now;
    chain_add(veil->sink->wire, slice_make("\0\0", 2));
}

static unsigned ticks;
static void veil_tick(void *state, struct now now) {
    (void)state, (void)now;
    ticks++;
}

static void veil_done(void *state) {
    (void)state;
}

static const struct filter veil = {.name = "veil", .state_size = sizeof(struct veil), .open = veil_open, .feed = veil_feed,
                                   .seal = veil_seal, .shut = veil_shut, .tick = veil_tick, .done = veil_done};

static size_t ticket_feed(void *state, struct slice *wire, uint8_t *plain, size_t room, struct now now) {
    struct veil *ticket = state;
    (void)plain, (void)room, (void)now;
    while (wire->size && ticket->greeted < 4) {
        ticket->greeted++;
        *wire = slice_skip(*wire, 1);
    }
    if (ticket->greeted == 4) {
        chain_add(ticket->sink->wire, SLICE_OF("ok\n"));
        ticket->sink->over = ticket->sink->peer_changed = true;
        ticket->sink->peer = (struct address){.family = ADDRESS_IPV4, .port = 77};
    }
    return 0;
}

static void ticket_open(void *state, const void *profile, const struct protocol_setup *setup,
                        struct protocol_worker *worker, struct filter_sink *sink, const struct address *peer,
                        struct now now) {
    (void)profile, (void)setup, (void)worker, (void)peer, (void)now;
    ((struct veil *)state)->sink = sink;
}

static const struct filter ticket = {.name = "ticket", .state_size = sizeof(struct veil), .open = ticket_open,
                                     .feed = ticket_feed, .done = veil_done};

/* -- a protocol that answers each byte by itself, `E` by ending -- */

static struct rig {
    struct net net;
    struct protocol_setup setup;
    struct now now;
    struct filter_use uses[2];
    char got[200];
    size_t got_size;
    unsigned opened, closed, progress;
    uint64_t delivered;
    enum status reason;
    uint16_t port;
    uint8_t wire[1 << 20];
    size_t wire_size;
    bool flushed, dead;
} rig;

static void echo_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                      struct protocol_sink *sink, const struct address *peer, struct now now) {
    (void)setup, (void)worker, (void)now;
    *(struct protocol_sink **)state = sink;
    sink->room = (struct protocol_room){1, UINT64_MAX};
    rig.port = peer->port;
}

static size_t echo_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct protocol_sink *sink = *(struct protocol_sink **)state;
    (void)now;
    for (size_t i = 0; i < bytes.size; i++) {
        if (rig.got_size < sizeof rig.got)
            rig.got[rig.got_size++] = (char)bytes.data[i];
        chain_add(sink->out, slice_make(bytes.data + i, 1));
        if (bytes.data[i] == 'E')
            ended = true;
    }
    if (ended) {
        sink->closing = true;
        sink->close_status = STATUS_PEER_CLOSED;
    }
    return bytes.size;
}

static void echo_tick(void *state, struct now now) {
    (void)state, (void)now;
}

static void echo_shut(void *state, enum status status, struct now now) {
    (void)state, (void)status, (void)now;
}

static const struct protocol echo = {.name = "echo", .state_size = sizeof(void *), .open = echo_open, .feed = echo_feed,
                                     .tick = echo_tick, .shut = echo_shut, .done = veil_done};

static void on_opened(void *user, struct connection *c, struct now now) {
    (void)user, (void)now, (void)c;
    rig.opened++;
}

static void on_progress(void *user, struct connection *c, struct now now) {
    (void)user, (void)now;
    rig.progress++;
    rig.delivered = c->out.written;
}

static void on_closed(void *user, struct connection *c, struct now now) {
    (void)user, (void)now;
    rig.closed++;
    rig.reason = c->reason;
}

static const struct net_calls calls = {.opened = on_opened, .progress = on_progress, .closed = on_closed};

static void start(const struct filter *first, const struct filter *second) {
    rig = (struct rig){.now = {.mono = {NS_PER_S}, .wall = {NS_PER_S}}};
    ticks = 0;
    rig.uses[0].filter = first;
    rig.uses[1].filter = second;
    rig.setup.filters = rig.uses;
    rig.setup.filter_count = second ? 2 : 1;
    rig.setup.limits.message = 64;
    assert_true(net_init(&rig.net, &calls, NULL, 10, 1));
}

static uint64_t accept_one(void) {
    struct address peer = {.family = ADDRESS_IPV4, .port = 9};
    struct connection *c = net_accept(&rig.net, &echo, &rig.setup, 0, &peer, rig.now);
    assert_non_null(c);
    return c->handle;
}

/* Ends the turn; up to `most` bytes of what there is are written. */
static void turn(uint64_t handle, size_t most) {
    uint32_t count;
    const struct net_action *actions = net_finish(&rig.net, rig.now, &count);
    for (uint32_t i = 0; i < count; i++) {
        rig.flushed |= actions[i].kind == NET_FLUSH;
        rig.dead |= actions[i].kind == NET_CLOSE;
    }
    struct connection *c;
    struct iovec vector;
    while (rig.flushed && most && (c = net_find(&rig.net, handle)) && chain_vectors(connection_wire(c), &vector, 1)) {
        size_t size = vector.iov_len < most ? vector.iov_len : most;
        if (rig.wire_size + size <= sizeof rig.wire)
            memcpy(rig.wire + rig.wire_size, vector.iov_base, size);
        rig.wire_size += size;
        most -= size;
        net_written(&rig.net, handle, size, 0, rig.now);
    }
}

static void settle(uint64_t handle) {
    for (int i = 0; i < 4; i++)
        turn(handle, SIZE_MAX);
}

static void arrives(uint64_t handle, const char *bytes, size_t size) {
    net_bytes(&rig.net, handle, slice_make(bytes, size), rig.now);
}
#define ARRIVES(handle, text) arrives(handle, text, sizeof(text) - 1)

static void nothing_opens_before_the_filter_is_ready(void **state) {
    (void)state;
    start(&veil, NULL);
    uint64_t handle = accept_one();
    assert_int_equal(net_find(&rig.net, handle)->status, CONNECTION_SECURING);
    assert_false(connection_has_room(net_find(&rig.net, handle)));
    ARRIVES(handle, "hi");
    settle(handle);
    assert_int_equal(rig.opened, 0);
    assert_memory_equal(rig.wire, "hi!", 3);
    ARRIVES(handle, "!");
    assert_int_equal(rig.opened, 1);
    assert_int_equal(net_find(&rig.net, handle)->status, CONNECTION_OPEN);
    net_done(&rig.net);
}

static void bytes_are_the_same_however_they_are_cut(void **state) {
    static const char all[] = "hi!\0\3\x34\x37\x36\0\1\x31\0\0";
    (void)state;
    for (size_t step = 1; step < sizeof all; step++) {
        start(&veil, NULL);
        uint64_t handle = accept_one();
        for (size_t at = 0; at < sizeof all - 1; at += step)
            arrives(handle, all + at, sizeof all - 1 - at < step ? sizeof all - 1 - at : step);
        settle(handle);
        assert_int_equal(rig.got_size, 4);
        assert_memory_equal(rig.got, "abcd", 4);
        assert_int_equal(rig.reason, STATUS_PEER_CLOSED);
        assert_true(rig.dead);
        /* what was written in one turn went in one record, and an end closed it */
        assert_memory_equal(rig.wire + rig.wire_size - 2, "\0\0", 2);
        net_done(&rig.net);
    }
}

static void what_was_written_in_one_turn_is_sealed_together(void **state) {
    (void)state;
    start(&veil, NULL);
    uint64_t handle = accept_one();
    ARRIVES(handle, "hi!\0\1\x34\0\1\x37\0\1\x36");
    settle(handle);
    assert_int_equal(rig.wire_size, 3 + 2 + 3);
    assert_memory_equal(rig.wire, "hi!\0\3\x34\x37\x36", 8);
    assert_int_equal(rig.delivered, 3);
    net_done(&rig.net);
}

static void plaintext_is_written_when_all_that_carries_it_is(void **state) {
    (void)state;
    start(&veil, NULL);
    uint64_t handle = accept_one();
    ARRIVES(handle, "hi!\0\3\x34\x37\x36");
    turn(handle, 3 + 4);
    struct connection *c = net_find(&rig.net, handle);
    assert_int_equal(c->out.written, 0);
    assert_int_equal(chain_unsent(&c->out), 3);
    turn(handle, 1);
    assert_int_equal(c->out.written, 3);
    assert_int_equal(chain_unsent(connection_wire(c)), 0);
    net_done(&rig.net);
}

/* Sealing runs ahead of the wire by its bound and no further, and with more turns than there are marks nothing is lost. */
static void sealing_waits_for_a_peer_that_does_not_take(void **state) {
    static char text[2 + 900];
    (void)state;
    start(&veil, NULL);
    uint64_t handle = accept_one();
    struct connection *c = net_find(&rig.net, handle);
    ARRIVES(handle, "hi!");
    text[0] = 900 >> 8;
    text[1] = (char)(900 & 255);
    for (int i = 0; i < 200; i++) {
        arrives(handle, text, sizeof text);
        turn(handle, 0);
        assert_true(chain_unsent(connection_wire(c)) <= (80u << 10));
    }
    assert_int_equal(c->out.added, 200 * 900);
    assert_int_equal(c->out.written, 0);
    while (chain_unsent(&c->out)) {
        uint64_t before = rig.wire_size;
        turn(handle, 7000);
        assert_true(rig.wire_size > before);
    }
    assert_int_equal(c->out.written, 200 * 900);
    uint64_t carried = 0;
    for (size_t at = 3; at < rig.wire_size;) {
        size_t size = (size_t)rig.wire[at] << 8 | rig.wire[at + 1];
        assert_true(size > 0);
        carried += size;
        at += 2 + size;
    }
    assert_int_equal(carried, 200 * 900);
    net_done(&rig.net);
}

static void a_handshake_that_fails_says_so_before_it_closes(void **state) {
    (void)state;
    start(&veil, NULL);
    uint64_t handle = accept_one();
    ARRIVES(handle, "ho");
    assert_int_equal(rig.closed, 0);
    settle(handle);
    assert_int_equal(rig.closed, 1);
    assert_int_equal(rig.reason, STATUS_HANDSHAKE_FAILED);
    assert_memory_equal(rig.wire, "hi!no", 5);
    assert_int_equal(rig.opened, 0);
    net_done(&rig.net);
}

static void a_handshake_has_its_time(void **state) {
    (void)state;
    start(&veil, NULL);
    rig.setup.timeouts.filters_ns = 3 * NS_PER_S;
    uint64_t handle = accept_one();
    settle(handle);
    rig.now.mono.ns += 2 * NS_PER_S;
    net_tick(&rig.net, rig.now);
    assert_int_equal(ticks, 1);
    assert_int_equal(rig.closed, 0);
    settle(handle);
    rig.now.mono.ns += NS_PER_S;
    net_tick(&rig.net, rig.now);
    assert_int_equal(rig.reason, STATUS_HANDSHAKE_TIMEOUT);
    net_done(&rig.net);
}

static void an_end_that_was_not_said_is_a_loss(void **state) {
    (void)state;
    start(&veil, NULL);
    uint64_t handle = accept_one();
    ARRIVES(handle, "hi!\0\1\x34");
    net_ended(&rig.net, handle, rig.now);
    assert_int_equal(rig.reason, STATUS_TRUNCATED);
    net_done(&rig.net);
    start(&veil, NULL);
    handle = accept_one();
    net_ended(&rig.net, handle, rig.now);
    assert_int_equal(rig.reason, STATUS_HANDSHAKE_FAILED);
    net_done(&rig.net);
}

static void an_end_of_ours_is_said_after_all_else(void **state) {
    (void)state;
    start(&veil, NULL);
    uint64_t handle = accept_one();
    ARRIVES(handle, "hi!\0\2\x34\x10"); /* "aE" */
    settle(handle);
    assert_memory_equal(rig.wire, "hi!\0\2\x34\x10\0\0", 9);
    assert_int_equal(rig.wire_size, 9);
    assert_int_equal(rig.closed, 1);
    net_done(&rig.net);
}

static void a_filter_that_is_over_leaves_the_rest_to_the_next(void **state) {
    static const char all[] = "PRX\nhi!\0\1\x34";
    (void)state;
    for (size_t cut = 0; cut < sizeof all; cut++) {
        start(&ticket, &veil);
        uint64_t handle = accept_one();
        arrives(handle, all, cut);
        arrives(handle, all + cut, sizeof all - 1 - cut);
        settle(handle);
        assert_int_equal(rig.port, 77);
        assert_int_equal(rig.got_size, 1);
        assert_memory_equal(rig.wire, "ok\nhi!\0\1\x34", 9);
        net_done(&rig.net);
    }
}

static void the_last_filter_that_is_over_leaves_nothing_behind(void **state) {
    (void)state;
    start(&ticket, NULL);
    uint64_t handle = accept_one();
    ARRIVES(handle, "PRX\nabc");
    settle(handle);
    assert_null(net_find(&rig.net, handle)->filtered);
    assert_memory_equal(rig.got, "abc", 3);
    assert_memory_equal(rig.wire, "ok\nabc", 6);
    assert_int_equal(rig.wire_size, 6);
    net_done(&rig.net);
}

static void no_memory_is_survived_wherever_it_runs_out(void **state) {
    (void)state;
    for (int64_t n = 0; n < 60; n++) {
        start(&ticket, &veil);
        memory_fail_after(n);
        struct address peer = {.family = ADDRESS_IPV4, .port = 9};
        struct connection *c = net_accept(&rig.net, &echo, &rig.setup, 0, &peer, rig.now);
        uint64_t handle = c ? c->handle : 0;
        if (handle) {
            ARRIVES(handle, "PRX\nhi!\0\2\x34\x10");
            for (int i = 0; i < 8; i++)
                turn(handle, SIZE_MAX);
        }
        memory_fail_after(-1);
        for (int i = 0; i < 3; i++)
            turn(handle, SIZE_MAX);
        assert_true(!handle || rig.closed == 1);
        net_done(&rig.net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_opens_before_the_filter_is_ready),
        cmocka_unit_test(bytes_are_the_same_however_they_are_cut),
        cmocka_unit_test(what_was_written_in_one_turn_is_sealed_together),
        cmocka_unit_test(plaintext_is_written_when_all_that_carries_it_is),
        cmocka_unit_test(sealing_waits_for_a_peer_that_does_not_take),
        cmocka_unit_test(a_handshake_that_fails_says_so_before_it_closes),
        cmocka_unit_test(a_handshake_has_its_time),
        cmocka_unit_test(an_end_that_was_not_said_is_a_loss),
        cmocka_unit_test(an_end_of_ours_is_said_after_all_else),
        cmocka_unit_test(a_filter_that_is_over_leaves_the_rest_to_the_next),
        cmocka_unit_test(the_last_filter_that_is_over_leaves_nothing_behind),
        cmocka_unit_test(no_memory_is_survived_wherever_it_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
