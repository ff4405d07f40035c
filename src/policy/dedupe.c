/* Which messages were taken already. */
#include "policy/dedupe.h"

#include <sodium/crypto_shorthash_siphash24.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

#define BUCKETS (1u << 16)
#define PART_MAX 256 /* bytes; a longer part stands for itself by its own hash */
#define FORGOTTEN_MAX 8 /* of each class and call, so that no message pays for a hundred thousand others */

_Static_assert(crypto_shorthash_siphashx24_BYTES == DEDUPE_PRINT_SIZE &&
                   crypto_shorthash_siphashx24_KEYBYTES == 16,
               "SipHash-2-4-128");

void dedupe_init(struct dedupe *all) {
    *all = (struct dedupe){.count = 0};
}

void dedupe_done(struct dedupe *all) {
    for (uint32_t i = 0; i < all->chunk_count; i++)
        memory_free(all->chunks[i]);
    memory_free(all->buckets);
    uint64_t evicted = all->evicted;
    dedupe_init(all);
    all->evicted = evicted;
}

uint64_t dedupe_memory(const struct dedupe *all) {
    return (uint64_t)all->chunk_count * DEDUPE_CHUNK * sizeof(struct dedupe_entry) +
           (all->buckets ? BUCKETS * sizeof *all->buckets : 0);
}

/* -- prints -- */

static size_t put_size(uint8_t *at, size_t size, bool is_hashed) {
    uint64_t word = (uint64_t)size << 1 | is_hashed; /* so that no two lists of parts are one */
    memcpy(at, &word, sizeof word);
    return sizeof word;
}

struct dedupe_print dedupe_print(const struct dedupe_key *key, const struct slice *parts, size_t count) {
    uint8_t room[DEDUPE_PARTS_MAX * (sizeof(uint64_t) + PART_MAX)];
    struct dedupe_print print;
    size_t used = 0;
    ASSERT(count <= DEDUPE_PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool is_hashed = parts[i].size > PART_MAX;
        used += put_size(room + used, parts[i].size, is_hashed);
        if (is_hashed)
            (void)crypto_shorthash_siphashx24(room + used, parts[i].data, parts[i].size, key->bytes);
        else if (parts[i].size)
            memcpy(room + used, parts[i].data, parts[i].size);
        used += is_hashed ? DEDUPE_PRINT_SIZE : parts[i].size;
    }
    (void)crypto_shorthash_siphashx24(print.bytes, room, used, key->bytes);
    return print;
}

/* -- entries: by index + 1, 0 is none -- */

static struct dedupe_entry *entry(const struct dedupe *all, uint32_t index) {
    return &all->chunks[(index - 1) / DEDUPE_CHUNK][(index - 1) % DEDUPE_CHUNK];
}

/* Other bytes of a print say where its home is. */
static uint32_t *bucket_of(const struct dedupe *all, const struct dedupe_print *print) {
    uint16_t bucket;
    memcpy(&bucket, print->bytes, sizeof bucket);
    return &all->buckets[bucket];
}

static uint32_t find(const struct dedupe *all, const struct dedupe_print *print) {
    uint32_t index = all->buckets ? *bucket_of(all, print) : 0;
    while (index && memcmp(&entry(all, index)->print, print, sizeof *print) != 0)
        index = entry(all, index)->next;
    return index;
}

static bool add_chunk(struct dedupe *all) {
    struct dedupe_entry *chunk =
        all->chunk_count < COUNT_OF(all->chunks) ? memory_array(DEDUPE_CHUNK, sizeof *chunk) : NULL;
    if (!chunk)
        return false;
    uint32_t first = all->chunk_count * DEDUPE_CHUNK + 1;
    all->chunks[all->chunk_count++] = chunk;
    for (uint32_t i = 0; i < DEDUPE_CHUNK; i++)
        chunk[i].next = i + 1 < DEDUPE_CHUNK ? first + i + 1 : all->free;
    all->free = first;
    return true;
}

static void unlist(struct dedupe *all, const struct dedupe_entry *e) {
    *(e->older ? &entry(all, e->older)->newer : &all->oldest[e->class]) = e->newer;
    *(e->newer ? &entry(all, e->newer)->older : &all->newest[e->class]) = e->older;
    if (!all->oldest[e->class])
        all->classes &= ~(UINT64_C(1) << e->class);
}

static void forget(struct dedupe *all, uint32_t index) {
    struct dedupe_entry *e = entry(all, index);
    uint32_t *at = bucket_of(all, &e->print);
    while (*at != index)
        at = &entry(all, *at)->next;
    *at = e->next;
    if (e->claim)
        all->open--;
    else
        unlist(all, e);
    e->next = all->free;
    all->free = index;
    if (--all->count == 0)
        dedupe_done(all);
}

static void forget_old(struct dedupe *all, struct mono now) {
    for (uint64_t left = all->classes; left; left &= left - 1) {
        unsigned class = (unsigned)__builtin_ctzll(left);
        for (unsigned i = 0;
             i < FORGOTTEN_MAX && all->oldest[class] && entry(all, all->oldest[class])->ns <= now.ns; i++)
            forget(all, all->oldest[class]);
    }
}

/* The one that would be forgotten first. False: none is decided. */
static bool evict(struct dedupe *all) {
    uint32_t first = 0;
    for (uint64_t left = all->classes; left; left &= left - 1) {
        uint32_t oldest = all->oldest[__builtin_ctzll(left)];
        if (!first || entry(all, oldest)->ns < entry(all, first)->ns)
            first = oldest;
    }
    if (!first)
        return false;
    all->evicted++;
    forget(all, first);
    return true;
}

static bool make_room(struct dedupe *all) {
    if (!all->buckets && !(all->buckets = memory_array(BUCKETS, sizeof *all->buckets)))
        return false;
    return all->free || add_chunk(all) || (evict(all) && all->free);
}

/* -- what is asked -- */

enum dedupe_verdict dedupe_claim(struct dedupe *all, const struct dedupe_print *print, uint64_t claim,
                                 int64_t window_ns, const uint8_t *receipt, struct mono now,
                                 const uint8_t **ret_receipt) {
    forget_old(all, now);
    uint32_t index = find(all, print);
    struct dedupe_entry *e = index ? entry(all, index) : NULL;
    if (e && e->claim)
        return DEDUPE_OPEN;
    if (e && e->ns > now.ns) {
        *ret_receipt = e->receipt;
        return DEDUPE_AGAIN;
    }
    if (e)
        forget(all, index);
    if (!make_room(all)) {
        if (all->count == 0)
            dedupe_done(all);
        return DEDUPE_FULL;
    }
    index = all->free;
    e = entry(all, index);
    all->free = e->next;
    uint32_t *bucket = bucket_of(all, print);
    *e = (struct dedupe_entry){.print = *print, .ns = window_ns, .claim = claim, .next = *bucket};
    if (receipt)
        memcpy(e->receipt, receipt, sizeof e->receipt);
    *bucket = index;
    all->count++;
    all->open++;
    return DEDUPE_NEW;
}

static uint32_t claimed(const struct dedupe *all, const struct dedupe_print *print, uint64_t claim) {
    uint32_t index = find(all, print);
    return index && entry(all, index)->claim == claim ? index : 0;
}

static uint8_t class_of(int64_t window_ns) {
    uint64_t ms = (uint64_t)window_ns / (uint64_t)NS_PER_MS;
    unsigned class = 63 - (unsigned)__builtin_clzll(ms | 1);
    return (uint8_t)(class < DEDUPE_CLASSES ? class : DEDUPE_CLASSES - 1);
}

void dedupe_accept(struct dedupe *all, const struct dedupe_print *print, uint64_t claim, struct mono now) {
    uint32_t index = claimed(all, print, claim);
    if (!index)
        return;
    struct dedupe_entry *e = entry(all, index);
    e->class = class_of(e->ns);
    e->ns = mono_after(now, e->ns).ns;
    e->claim = 0;
    all->open--;
    e->newer = 0;
    e->older = all->newest[e->class];
    *(e->older ? &entry(all, e->older)->newer : &all->oldest[e->class]) = index;
    all->newest[e->class] = index;
    all->classes |= UINT64_C(1) << e->class;
}

void dedupe_release(struct dedupe *all, const struct dedupe_print *print, uint64_t claim) {
    uint32_t index = claimed(all, print, claim);
    if (index)
        forget(all, index);
}
