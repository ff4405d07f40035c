/* A log-linear histogram of durations in nanoseconds (or sizes in bytes), of one fixed size.
 *
 * Values below 64 have a bucket each; above, each doubling is cut into 64 equal buckets, so a bucket is at most 1/64
 * of its values wide and its middle is within 0.8 % of each of them (two significant digits). Values from HDR_LIMIT
 * on count in the last bucket; sum and max keep them as they were.
 *
 * One thread records. Any thread may read at the same time: counts are read relaxed, so a reader sees some
 * recent state of each bucket, and derives the total from the buckets that it saw. */
#ifndef TELEMETRY_HDR_H
#define TELEMETRY_HDR_H

#include <stdatomic.h>
#include <stdint.h>

#define HDR_SUB_BITS 6
#define HDR_LIMIT_BITS 42 /* 2^42 ns: 73 minutes */
#define HDR_LIMIT (UINT64_C(1) << HDR_LIMIT_BITS)
#define HDR_BUCKETS ((HDR_LIMIT_BITS - HDR_SUB_BITS + 1u) << HDR_SUB_BITS)

/* About 19 KB; all zero is empty. */
struct hdr {
    _Atomic uint64_t sum;
    _Atomic uint64_t max;
    _Atomic uint64_t counts[HDR_BUCKETS];
};

/* `count` values of about `value` each. The sum wraps at 2^64 (584 years of nanoseconds). */
void hdr_record(struct hdr *hdr, uint64_t value, uint64_t count);
/* Adds all of `from` (which may be in use) to `into` (which may not). */
void hdr_merge(struct hdr *into, const struct hdr *from);

uint64_t hdr_count(const struct hdr *hdr);
uint64_t hdr_sum(const struct hdr *hdr);
uint64_t hdr_max(const struct hdr *hdr);
/* How many values were at most `bound`, as far as buckets tell: a bucket counts when all its values are, so values
 * less than 1.6 % below the bound may be missing. */
uint64_t hdr_count_to(const struct hdr *hdr, uint64_t bound);
/* The middle of the bucket that holds the value at that rank, never more than the greatest value recorded.
 * `percent` 0..100; 0 when empty. */
uint64_t hdr_percentile(const struct hdr *hdr, double percent);

/* The bucket of a value, and the least and greatest value of a bucket. */
unsigned hdr_bucket(uint64_t value);
uint64_t hdr_bucket_low(unsigned bucket);
uint64_t hdr_bucket_high(unsigned bucket);

#endif
