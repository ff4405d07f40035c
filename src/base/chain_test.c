/* Blocks and the out chain of a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/chain.h"
#include "base/memory.h"
#include "base/rng.h"

static void a_block_counts_its_bytes_until_the_last_reference(void **state) {
    uint64_t gauge = 0;
    (void)state;
    struct block *block = block_new(100, &gauge);
    assert_true(gauge == 100);
    assert_int_equal((uintptr_t)block->data % 16, 0);
    block_ref(block);
    block_unref(block);
    assert_true(gauge == 100);
    block_unref(block);
    assert_true(gauge == 0);
    block_unref(NULL);
    uint64_t failures = memory_failures();
    memory_fail_after(0);
    assert_null(block_new(100, &gauge));
    memory_fail_after(-1);
    assert_true(memory_failures() == failures + 1);
    assert_true(gauge == 0);
}

static void a_pool_counts_what_lives_and_keeps_some_spare(void **state) {
    struct block_pool pool;
    struct block *blocks[600];
    int64_t live = memory_live();
    (void)state;
    block_pool_init(&pool);
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = block_take(&pool, 1 + i % 256);
        assert_non_null(blocks[i]);
        assert_int_equal(blocks[i]->size, 1 + i % 256);
        memset(blocks[i]->data, 0xee, blocks[i]->size);
    }
    assert_true(pool.held > 0);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        block_unref(blocks[i]);
    assert_true(pool.held == 0);
    assert_int_equal(memory_live() - live, 512); /* of one class no more are kept */
    memory_fail_after(0);
    struct block *again = block_take(&pool, 256), *other = block_take(&pool, 257);
    memory_fail_after(-1);
    assert_non_null(again); /* a spare one needs no memory, one of another class does */
    assert_null(other);
    assert_true(pool.held == 256);
    block_unref(again);
    struct block *large = block_take(&pool, 100000);
    assert_true(pool.held == 100000);
    block_unref(large);
    block_pool_done(&pool);
    assert_int_equal(memory_live(), live);
}

/* The stream's bytes by their absolute offset. */
static uint8_t byte_at(uint64_t offset) {
    return (uint8_t)(offset * 31 ^ offset >> 8);
}

static void expect_unsent(const struct chain *chain) {
    struct iovec vectors[64];
    int count = chain_vectors(chain, vectors, 64);
    uint64_t at = chain->written;
    for (int i = 0; i < count; i++) {
        const uint8_t *bytes = vectors[i].iov_base;
        assert_true(vectors[i].iov_len > 0);
        for (size_t k = 0; k < vectors[i].iov_len; k++, at++)
            if (bytes[k] != byte_at(at))
                fail_msg("byte %llu", (unsigned long long)at);
    }
    if (count < 64)
        assert_true(at == chain->added);
}

#define UNITS 64

static void expect_found(const struct chain *chain, const uint64_t *ends, unsigned count) {
    for (unsigned i = 1; i < count; i++) {
        struct slice found = chain_find(chain, ends[i - 1], ends[i]);
        if (ends[i] <= chain->written) {
            assert_null(found.data); /* its last byte is gone */
            continue;
        }
        assert_non_null(found.data); /* also when its first bytes were written already */
        assert_int_equal(found.size, ends[i] - ends[i - 1]);
        for (size_t k = 0; k < found.size; k++)
            if (found.data[k] != byte_at(ends[i - 1] + k))
                fail_msg("unit %u, byte %zu", i, k);
    }
}

static void add_one(struct chain *chain, struct rng *rng) {
    static uint8_t bytes[40000];
    size_t size = rng_below(rng, 10) == 0 ? 1 + rng_below(rng, 39000) : 1 + rng_below(rng, 900);
    for (size_t k = 0; k < size; k++)
        bytes[k] = byte_at(chain->added + k);
    if (rng_below(rng, 3)) {
        assert_true(chain_add(chain, slice_make(bytes, size)));
        return;
    }
    struct block *block = block_new(size + 10, NULL);
    memcpy(block->data + 5, bytes, size);
    assert_true(chain_add_block(chain, block, slice_make(block->data + 5, size)));
    block_unref(block);
}

static void bytes_come_out_in_order_and_units_are_found_after_partial_writes(void **state) {
    int64_t live = memory_live();
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rng rng;
        struct chain_pool pool;
        struct chain chain;
        uint64_t ends[UNITS] = {0};
        unsigned count = 1;
        rng_init(&rng, seed);
        chain_pool_init(&pool);
        chain_init(&chain, &pool, false);
        while (count < UNITS) {
            add_one(&chain, &rng);
            ends[count++] = chain.added;
            if (rng_below(&rng, 3) == 0)
                chain_written(&chain, rng_below(&rng, chain_unsent(&chain) + 1));
            if (rng_below(&rng, 10) == 0)
                chain_written(&chain, chain_unsent(&chain));
            expect_unsent(&chain);
            expect_found(&chain, ends, count);
        }
        chain_done(&chain);
        chain_pool_done(&pool);
        assert_true(pool.held == 0);
    }
    assert_true(memory_live() == live);
}

static void small_writes_share_a_block(void **state) {
    struct chain_pool pool;
    struct chain chain;
    struct iovec vectors[4];
    (void)state;
    chain_pool_init(&pool);
    chain_init(&chain, &pool, false);
    for (int i = 0; i < 100; i++)
        assert_true(chain_add(&chain, SLICE_OF("0123456789")));
    assert_int_equal(chain_vectors(&chain, vectors, 4), 1);
    assert_int_equal(vectors[0].iov_len, 1000);
    assert_true(pool.held == CHAIN_FIRST_SIZE);
    chain_written(&chain, 1000);
    assert_int_equal(chain.count, 0);
    assert_int_equal(pool.first_count, 1); /* kept for the next */
    assert_true(chain_add(&chain, SLICE_OF("x")));
    assert_int_equal(pool.first_count, 0);
    assert_true(pool.held == CHAIN_FIRST_SIZE);
    for (int i = 0; i < 300; i++) /* goes on in a large one */
        assert_true(chain_add(&chain, SLICE_OF("0123456789")));
    assert_int_equal(chain_vectors(&chain, vectors, 4), 2);
    assert_true(pool.held == CHAIN_FIRST_SIZE + CHAIN_BLOCK_SIZE);
    chain_written(&chain, 3001);
    assert_int_equal(pool.first_count + pool.count, 2);
    assert_true(chain_add(&chain, SLICE_OF("x"))); /* what is spare comes first */
    assert_int_equal(pool.count, 0);
    chain_done(&chain);
    chain_pool_done(&pool);
    assert_true(pool.held == 0);
}

static void a_reservation_that_is_not_used_leaves_nothing(void **state) {
    struct chain_pool pool;
    struct chain chain;
    struct iovec vectors[4];
    (void)state;
    for (int datagrams = 0; datagrams < 2; datagrams++) {
        chain_pool_init(&pool);
        chain_init(&chain, &pool, datagrams);
        for (int i = 0; i < 3; i++) {
            assert_non_null(chain_reserve(&chain, 100));
            chain_commit(&chain, 0);
        }
        assert_int_equal(chain_vectors(&chain, vectors, 4), 0);
        assert_true(chain_add(&chain, SLICE_OF("abc")));
        assert_non_null(chain_reserve(&chain, 100));
        chain_commit(&chain, 0);
        assert_non_null(chain_reserve(&chain, 2u << 20)); /* larger than what was reserved before */
        chain_commit(&chain, 0);
        assert_true(chain_add(&chain, SLICE_OF("de")));
        int count = chain_vectors(&chain, vectors, 4);
        size_t size = 0;
        for (int i = 0; i < count; i++)
            size += vectors[i].iov_len;
        assert_int_equal(size, 5);
        assert_true(chain_unsent(&chain) == 5);
        if (datagrams) {
            assert_int_equal(count, 2);
            chain_written_pieces(&chain, 2);
        } else {
            chain_written(&chain, 5);
        }
        assert_true(chain_unsent(&chain) == 0);
        chain_done(&chain);
        chain_pool_done(&pool);
        assert_true(pool.held == 0);
    }
}

static void datagrams_keep_their_bounds_and_addresses(void **state) {
    struct chain_pool pool;
    struct chain chain;
    struct rng rng;
    size_t sizes[200];
    unsigned first = 0, count = 0;
    (void)state;
    rng_init(&rng, 3);
    chain_pool_init(&pool);
    chain_init(&chain, &pool, true);
    while (count < COUNT_OF(sizes)) {
        struct address to = {.family = ADDRESS_IPV4, .port = (uint16_t)(1000 + count)};
        sizes[count] = 1 + rng_below(&rng, 1400);
        uint8_t *at = chain_reserve(&chain, 1400);
        assert_non_null(at);
        memset(at, (int)(count & 0xff), sizes[count]);
        chain_commit_to(&chain, sizes[count], &to);
        count++;
        assert_int_equal(chain.count, count - first);
        for (unsigned i = first; i < count; i++) {
            const struct chain_piece *piece = chain_piece(&chain, i - first);
            assert_int_equal(piece->size, sizes[i]);
            assert_int_equal(piece->to.port, 1000 + i);
            assert_int_equal(piece->block->data[piece->at], i & 0xff);
            assert_int_equal(piece->block->data[piece->at + piece->size - 1], i & 0xff);
        }
        assert_null(chain_piece(&chain, count - first));
        unsigned gone = (unsigned)rng_below(&rng, 3);
        gone = gone > count - first ? count - first : gone;
        chain_written_pieces(&chain, gone);
        first += gone;
    }
    chain_written_pieces(&chain, count - first);
    assert_true(chain_unsent(&chain) == 0);
    chain_done(&chain);
    chain_pool_done(&pool);
    assert_true(pool.held == 0);
}

static void a_chain_that_gets_no_memory_keeps_what_it_has(void **state) {
    (void)state;
    for (int64_t n = 0;; n++) {
        int64_t live = memory_live();
        struct chain_pool pool;
        struct chain chain;
        static uint8_t bytes[5000];
        chain_pool_init(&pool);
        chain_init(&chain, &pool, false);
        memory_fail_after(n);
        for (int i = 0; i < 40; i++) {
            uint64_t before = chain.added;
            for (size_t k = 0; k < sizeof bytes; k++)
                bytes[k] = byte_at(before + k);
            if (!chain_add(&chain, slice_make(bytes, sizeof bytes)))
                assert_true(chain.added == before);
            expect_unsent(&chain);
        }
        int failed = memory_has_failed();
        memory_fail_after(-1);
        chain_done(&chain);
        chain_pool_done(&pool);
        assert_true(pool.held == 0);
        assert_true(memory_live() == live);
        if (!failed)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_counts_its_bytes_until_the_last_reference),
        cmocka_unit_test(a_pool_counts_what_lives_and_keeps_some_spare),
        cmocka_unit_test(bytes_come_out_in_order_and_units_are_found_after_partial_writes),
        cmocka_unit_test(small_writes_share_a_block),
        cmocka_unit_test(a_reservation_that_is_not_used_leaves_nothing),
        cmocka_unit_test(datagrams_keep_their_bounds_and_addresses),
        cmocka_unit_test(a_chain_that_gets_no_memory_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
