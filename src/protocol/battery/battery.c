/* What every row of the protocol table must bear: bytes in any portions, cuts, garbage, limits, memory that runs out;
 * and what it must do: bring messages across whole, each once. */
#include "protocol/battery/stock.h"

/* -- bytes in any portions -- */

static void byte_at_a_time_equals_one_shot(void **state) {
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        struct rig whole, slow;
        struct buffer a, b;
        struct slice bytes = buffer_slice(&vectors[i].bytes);
        buffer_init(&a, 16u << 20);
        buffer_init(&b, 16u << 20);
        open_for(&whole, &vectors[i]);
        open_for(&slow, &vectors[i]);
        rig_feed(&whole, bytes);
        for (size_t at = 0; at < bytes.size; at++)
            rig_feed(&slow, slice_make(bytes.data + at, 1));
        rig_take(&whole, &a);
        rig_take(&slow, &b);
        assert_true(whole.log.size > 0);
        if (!slice_equal(buffer_slice(&whole.log), buffer_slice(&slow.log)))
            fail_msg("%s: whole:\n%s\nbyte by byte:\n%s", vectors[i].name, rig_log(&whole), rig_log(&slow));
        if (!slice_equal(buffer_slice(&a), buffer_slice(&b)))
            fail_msg("%s: other bytes are answered byte by byte", vectors[i].name);
        buffer_done(&a);
        buffer_done(&b);
        rig_done(&whole);
        rig_done(&slow);
    }
}

static void every_cut_waits(void **state) {
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        struct slice bytes = buffer_slice(&vectors[i].bytes);
        struct rig whole;
        open_for(&whole, &vectors[i]);
        rig_feed(&whole, bytes);
        size_t step = bytes.size / 1500 + 1;
        for (size_t cut = 0; cut < bytes.size; cut += step) {
            struct rig rig;
            open_for(&rig, &vectors[i]);
            rig_feed(&rig, slice_head(bytes, cut));
            if (!slice_starts(buffer_slice(&whole.log), buffer_slice(&rig.log)))
                fail_msg("%s cut at %zu:\n%s\nwhole:\n%s", vectors[i].name, cut, rig_log(&rig), rig_log(&whole));
            rig_end(&rig);
            rig_done(&rig);
        }
        rig_done(&whole);
    }
}

/* -- garbage -- */

static void spoil(struct rng *rng, struct buffer *bytes) {
    unsigned times = 1 + (unsigned)rng_below(rng, 4);
    uint8_t piece[64];
    size_t count;
    while (times-- && bytes->size > 2) {
        size_t at = (size_t)rng_below(rng, bytes->size);
        switch (rng_below(rng, 4)) {
        case 0:
            bytes->data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
            break;
        case 1:
            bytes->data[at] = (uint8_t)rng_next(rng);
            break;
        case 2: /* a piece is lost */
            memmove(bytes->data + at, bytes->data + at + 1, bytes->size - at - 1);
            bytes->size--;
            break;
        default: /* a piece comes twice */
            count = bytes->size - at < sizeof piece ? bytes->size - at : sizeof piece;
            memcpy(piece, bytes->data + at, count);
            buffer_add(bytes, slice_make(piece, count));
        }
    }
}

static void assert_bounded(const struct rig *rig, int64_t live) {
    assert_true(memory_live() - live < 3000);
    assert_true(rig->pool.held < 16u << 20);
    assert_true(rig->partial.capacity <= 4u << 20);
}

static void spoilt_bytes_do_no_harm(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 4711);
    for (unsigned round = 0; round < 3000; round++) {
        const struct vector *vector = &vectors[round % vector_count];
        struct buffer bytes;
        struct rig rig;
        int64_t live = memory_live();
        buffer_init(&bytes, 16u << 20);
        buffer_add(&bytes, buffer_slice(&vector->bytes));
        spoil(&rng, &bytes);
        open_for(&rig, vector);
        size_t half = (size_t)rng_below(&rng, bytes.size + 1);
        rig_feed(&rig, slice_head(buffer_slice(&bytes), half));
        rig_feed(&rig, slice_skip(buffer_slice(&bytes), half));
        assert_bounded(&rig, live);
        rig_wait(&rig, 20 * NS_PER_S);
        rig_end(&rig);
        rig_done(&rig);
        buffer_done(&bytes);
        assert_int_equal(memory_live(), live);
    }
}

static void random_bytes_do_no_harm(void **state) {
    (void)state;
    static uint8_t bytes[8192];
    struct rng rng;
    rng_init(&rng, 42);
    for (unsigned round = 0; round < 2000; round++) {
        const struct pair *pair = &pairs[round % COUNT_OF(pairs)];
        bool dialled = round / COUNT_OF(pairs) % 2;
        struct rig rig;
        int64_t live = memory_live();
        prepare(&rig, dialled ? pair->dialled : pair->accepted, dialled ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED);
        dress(&rig, pair);
        rig_open(&rig);
        size_t size = (size_t)rng_below(&rng, sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)rng_next(&rng);
        if (rig.protocol->is_datagram)
            rig.protocol->datagram(rig.state, slice_make(bytes, size), &rig.peer, rig.now);
        else
            rig_feed(&rig, slice_make(bytes, size));
        assert_bounded(&rig, live);
        assert_true(rig.received == 0 || pair->is_raw); /* any bytes are data there */
        rig_done(&rig);
        assert_int_equal(memory_live(), live);
    }
}

/* -- messages across -- */

static uint64_t expected[RIG_TOKENS];
static const struct pair *expecting;

static void compare(struct rig *rig, uint64_t token, const struct message *message) {
    if (message->kind == KIND_RESPONSE)
        return;
    if (meaning(expecting, message) != expected[token])
        fail_msg("%s: message %u is not what was sent:\n%s", rig->protocol->name, (unsigned)token, rig_log(rig));
}

static void messages_come_across_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        for (int proto = 0; proto < 2; proto++) {
            struct rig client, server;
            int64_t live = memory_live();
            open_pair(&pairs[i], &client, &server);
            client.setup.encoding = proto ? ENCODING_PROTO : ENCODING_JSON;
            server.on_message = compare;
            expecting = &pairs[i];
            client.quiet = true;
            rig_open(&client);
            rig_open(&server);
            rig_exchange(&client, &server);
            rng_init(&maker.rng, 100 + i);
            static const enum message_kind kinds[] = {KIND_EVENT, KIND_COMMAND, KIND_NOTIFICATION};
            unsigned count = 0, refused = 0;
            while (count < 200) {
                const struct message *message = make(&maker, kinds[(count + refused) % 3], count, pairs[i].data_max);
                uint64_t means = meaning(&pairs[i], message);
                if (!send_or_skip(&pairs[i], &client, message)) {
                    assert_true(++refused < 20000);
                    continue;
                }
                expected[++count] = means;
                if (!client.sink.room.messages || below(&maker, 3) == 0)
                    exchange(&pairs[i], &client, &server);
                if (!client.sink.room.messages)
                    fail_msg("%s: no room after %u messages", pairs[i].name, count);
            }
            exchange(&pairs[i], &client, &server);
            assert_int_equal(server.received, 200);
            assert_int_equal(server.invalid + client.invalid, 0);
            assert_int_equal(client.settled, client.sink.terms.acks ? 200 : 0);
            assert_false(client.sink.closing || server.sink.closing);
            rig_done(&client);
            rig_done(&server);
            assert_int_equal(memory_live(), live);
        }
    }
}

static void replies_find_their_way(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct rig client, server;
        if (pairs[i].is_raw && !pairs[i].asks)
            continue;
        open_pair(&pairs[i], &client, &server);
        server.on_message = answer;
        server.settle_as = STATUS_COUNT;
        rig_open(&client);
        rig_open(&server);
        rig_exchange(&client, &server);
        rng_init(&maker.rng, 7);
        for (unsigned n = 1; n <= 20; n++) {
            const struct message *query = make(&maker, KIND_QUERY, n, 100);
            while (!send_or_skip(&pairs[i], &client, query))
                query = make(&maker, KIND_QUERY, n, 100);
            rig_exchange(&client, &server);
            if (client.received != n || client.last_kind != KIND_RESPONSE)
                fail_msg("%s: query %u has no answer:\n%s\n%s", pairs[i].name, n, rig_log(&client), rig_log(&server));
        }
        rig_done(&client);
        rig_done(&server);
    }
}

/* Holds what came, then settles it in a random order with random fates. */
static void settling_in_any_order_is_told_once(void **state) {
    (void)state;
    static const enum status fates[] = {STATUS_OK, STATUS_OK, STATUS_NO_ROUTE, STATUS_OVERLOADED, STATUS_EXPIRED};
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct rig client, server;
        uint64_t open[64];
        open_pair(&pairs[i], &client, &server);
        server.settle_as = STATUS_COUNT;
        client.quiet = true;
        if (pairs[i].asks)
            continue; /* there a question without answer ends the connection */
        rig_open(&client);
        rig_open(&server);
        rig_exchange(&client, &server);
        rng_init(&maker.rng, 9);
        for (unsigned round = 0; round < 30; round++) {
            unsigned sent = 0, count = 0;
            uint64_t before = server.received;
            while (client.sink.room.messages && !server.sink.paused && sent < 20) {
                sent += send_or_skip(&pairs[i], &client, make(&maker, KIND_EVENT, sent + 1, 100));
                exchange(&pairs[i], &client, &server);
            }
            for (uint64_t token = before + 1; token <= server.received; token++)
                open[count++] = token;
            if (count != sent)
                fail_msg("%s: %u of %u arrived:\n%s", pairs[i].name, count, sent, rig_log(&server));
            while (count) {
                size_t at = below(&maker, count);
                server.protocol->settle(server.state, open[at], open[at], fates[below(&maker, COUNT_OF(fates))], 0,
                                        server.now);
                open[at] = open[--count];
            }
            server.now.mono.ns += NS_PER_S;
            client.now.mono.ns += NS_PER_S;
            exchange(&pairs[i], &client, &server);
            if (client.sink.terms.acks && client.settled != client.sent)
                fail_msg("%s: %u of %u settled", pairs[i].name, (unsigned)client.settled, (unsigned)client.sent);
        }
        rig_done(&client);
        rig_done(&server);
    }
}

/* -- limits -- */

static void limits_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const struct protocol *protocol;
        const char *bytes;
        const char *reason;
    } cases[] = {
        {&protocol_ndjson, "", "too-large"},
        {&protocol_stream1, "\xf5its\1", "frame-too-large"}, /* and what follows */
        {&protocol_http1, "POST /v1/messages HTTP/1.1\r\nHost: peer.example\r\nContent-Length: 100000000\r\n\r\n", "too-large"},
        {&protocol_http1, "GET /", "uri-too-long"},
        {&protocol_datagram, "", "too-large"},
    };
    static uint8_t filler[200000];
    memset(filler, 'a', sizeof filler);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        struct buffer out;
        prepare(&rig, cases[i].protocol, PROTOCOL_ACCEPTED);
        rig.setup.limits.message = 1000;
        rig_open(&rig);
        buffer_init(&out, 1u << 20);
        if (cases[i].protocol == &protocol_stream1)
            rig_feed(&rig, slice_make("\xf5its\1\0\0\0\0\0\x40\1\1\0\0\0", 16)); /* HELLO of 16385 bytes */
        else
            rig_feed(&rig, slice_from(cases[i].bytes));
        if (rig.protocol->is_datagram)
            rig.protocol->datagram(rig.state, slice_make(filler, 1001), &rig.peer, rig.now);
        else
            rig_feed(&rig, slice_make(filler, sizeof filler));
        rig_take(&rig, &out);
        buffer_add(&out, buffer_slice(&rig.log));
        if (!memmem(out.data, out.size, cases[i].reason, strlen(cases[i].reason)))
            fail_msg("%s: no %s in %.*s", rig.protocol->name, cases[i].reason, SLICE_ARG(buffer_slice(&out)));
        buffer_done(&out);
        rig_done(&rig);
    }
}

/* -- memory that runs out -- */

static bool survives(const struct pair *pair, int64_t skip) {
    struct rig client, server;
    int64_t live = memory_live();
    open_pair(pair, &client, &server);
    client.quiet = server.quiet = true;
    server.on_message = answer;
    memory_fail_after(skip);
    rig_open(&client);
    rig_open(&server);
    rig_exchange(&client, &server);
    rng_init(&maker.rng, 3);
    for (unsigned n = 1; n <= 40; n++) {
        enum message_kind kind = n % 5 ? KIND_EVENT : KIND_QUERY;
        bool holds = n > 10 && n < 30;
        server.settle_as = holds || kind == KIND_QUERY ? STATUS_COUNT : STATUS_OK;
        const struct message *message = make(&maker, kind, n, pair->data_max);
        if (client.sink.room.messages && !client.sink.closing)
            rig_send(&client, message);
        exchange(pair, &client, &server);
    }
    bool failed = memory_has_failed();
    memory_fail_after(-1);
    rig_done(&client);
    rig_done(&server);
    assert_int_equal(memory_live(), live);
    return failed;
}

static void every_failed_allocation_is_survived(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        int64_t skip = 0;
        while (survives(&pairs[i], skip))
            skip++;
        assert_true(skip > 2);
    }
}

/* Every row of the table is tried here. */
static void no_row_is_missing(void **state) {
    (void)state;
    for (size_t i = 0; protocol_table[i]; i++) {
        bool found = false;
        for (size_t k = 0; k < COUNT_OF(pairs); k++)
            found |= pairs[k].accepted == protocol_table[i] || pairs[k].dialled == protocol_table[i];
        if (!found)
            fail_msg("%s is in no pair", protocol_table[i]->name);
        assert_ptr_equal(protocol_find(slice_from(protocol_table[i]->name)), protocol_table[i]);
    }
    assert_null(protocol_find(SLICE_OF("none")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_row_is_missing),
        cmocka_unit_test(byte_at_a_time_equals_one_shot),
        cmocka_unit_test(every_cut_waits),
        cmocka_unit_test(spoilt_bytes_do_no_harm),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(messages_come_across_whole),
        cmocka_unit_test(replies_find_their_way),
        cmocka_unit_test(settling_in_any_order_is_told_once),
        cmocka_unit_test(limits_are_refused_by_name),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests_name("protocol/battery", tests, prepare_vectors, drop_vectors);
}
