/* A log-linear histogram of one fixed size. */
#include "telemetry/hdr.h"

#include "base/assert.h"

#define SUB_COUNT (1u << HDR_SUB_BITS)

static uint64_t load(const _Atomic uint64_t *cell) {
    return atomic_load_explicit(cell, memory_order_relaxed);
}

/* There is one writer, so no read-modify-write instruction is needed. */
static void add(_Atomic uint64_t *cell, uint64_t count) {
    atomic_store_explicit(cell, load(cell) + count, memory_order_relaxed);
}

unsigned hdr_bucket(uint64_t value) {
    if (value >= HDR_LIMIT)
        return HDR_BUCKETS - 1;
    if (value < SUB_COUNT)
        return (unsigned)value;
    unsigned top = 63u - (unsigned)__builtin_clzll(value); /* HDR_SUB_BITS .. HDR_LIMIT_BITS - 1 */
    unsigned shift = top - HDR_SUB_BITS;
    return ((shift + 1) << HDR_SUB_BITS) + ((unsigned)(value >> shift) & (SUB_COUNT - 1));
}

uint64_t hdr_bucket_low(unsigned bucket) {
    ASSERT(bucket < HDR_BUCKETS);
    if (bucket < SUB_COUNT)
        return bucket;
    unsigned shift = (bucket >> HDR_SUB_BITS) - 1;
    return (uint64_t)(SUB_COUNT + (bucket & (SUB_COUNT - 1))) << shift;
}

uint64_t hdr_bucket_high(unsigned bucket) {
    return bucket == HDR_BUCKETS - 1 ? UINT64_MAX : hdr_bucket_low(bucket + 1) - 1;
}

void hdr_record(struct hdr *hdr, uint64_t value, uint64_t count) {
    add(&hdr->counts[hdr_bucket(value)], count);
    add(&hdr->sum, value * count);
    if (count && value > load(&hdr->max))
        atomic_store_explicit(&hdr->max, value, memory_order_relaxed);
}

void hdr_merge(struct hdr *into, const struct hdr *from) {
    for (unsigned i = 0; i < HDR_BUCKETS; i++) {
        uint64_t count = load(&from->counts[i]);
        if (count)
            add(&into->counts[i], count);
    }
    add(&into->sum, load(&from->sum));
    uint64_t max = load(&from->max);
    if (max > load(&into->max))
        atomic_store_explicit(&into->max, max, memory_order_relaxed);
}

uint64_t hdr_count(const struct hdr *hdr) {
    uint64_t total = 0;
    for (unsigned i = 0; i < HDR_BUCKETS; i++)
        total += load(&hdr->counts[i]);
    return total;
}

uint64_t hdr_sum(const struct hdr *hdr) {
    return load(&hdr->sum);
}

uint64_t hdr_max(const struct hdr *hdr) {
    return load(&hdr->max);
}

uint64_t hdr_count_to(const struct hdr *hdr, uint64_t bound) {
    uint64_t total = 0;
    for (unsigned i = 0; i < HDR_BUCKETS && hdr_bucket_high(i) <= bound; i++)
        total += load(&hdr->counts[i]);
    return total;
}

uint64_t hdr_percentile(const struct hdr *hdr, double percent) {
    ASSERT(percent >= 0 && percent <= 100);
    uint64_t total = hdr_count(hdr), seen = 0, max = hdr_max(hdr);
    if (total == 0)
        return 0;
    double exact = (double)total * percent / 100;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact || rank == 0)
        rank++; /* nearest-rank: the least value that `percent` of all are not above */
    for (unsigned i = 0; i < HDR_BUCKETS - 1; i++) {
        seen += load(&hdr->counts[i]);
        if (seen < rank)
            continue;
        uint64_t middle = hdr_bucket_low(i) + (hdr_bucket_high(i) - hdr_bucket_low(i)) / 2;
        return middle < max ? middle : max;
    }
    return max;
}
