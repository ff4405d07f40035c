/* What choosing a taker costs with 1 to 10,000 of them: pick, sent, landed and heard of, as for a message. */
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "policy/balance.h"

#define ROUNDS 200000

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double measure(enum balance_by by, uint32_t count, uint32_t weight_max) {
    struct balance b;
    double best = 1e18;
    balance_init(&b, by, 0, 1);
    ASSERT(balance_reserve(&b, count));
    for (uint32_t i = 0; i < count; i++)
        balance_set(&b, i,
                    (struct balance_place){.id = ring_mix(i),
                                           .weight = (1 + i % weight_max) * BALANCE_WEIGHT_ONE,
                                           .ramp = 1000,
                                           .is_used = true,
                                           .is_active = true,
                                           .is_ready = true},
                    (struct mono){0});
    ASSERT(balance_pick(&b, 1, NULL, 0, (struct mono){0}) < count); /* makes the ring */
    for (int run = 0; run < 5; run++) {
        double start = now_ns();
        for (uint64_t i = 0; i < ROUNDS; i++) {
            struct mono now = {(int64_t)i * 1000};
            uint32_t slot = balance_pick(&b, i, NULL, 0, now);
            balance_sent(&b, slot);
            balance_landed(&b, slot, 1);
            balance_heard(&b, slot, 1000000, now);
        }
        double each = (now_ns() - start) / ROUNDS;
        best = each < best ? each : best;
    }
    balance_done(&b);
    return best;
}

int main(void) {
    static const char *const names[] = {"round_robin", "least_request", "p2c", "ewma", "hash", "random"};
    printf("ns a message, weights 1 to 5\n%14s", "");
    for (uint32_t count = 1; count <= 10000; count *= 10)
        printf(" %9u", count);
    printf("\n");
    for (unsigned by = 0; by < 6; by++) {
        printf("%14s", names[by]);
        for (uint32_t count = 1; count <= 10000; count *= 10)
            printf(" %9.1f", measure((enum balance_by)by, count, 5));
        printf("\n");
    }
    return 0;
}
