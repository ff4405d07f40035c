/* The measured while, and its one line of JSON. */
#include "load.h"

#include <stdio.h>
#include <string.h>

static void snapshot(const struct options *options, const struct shared *shared, pid_t pub, pid_t sub,
                     const struct arrivals *arrivals, struct measure *ret) {
    ret->server = cpu_of(options->servers, options->server_count);
    ret->got = arrived(arrivals);
    ret->wall_ns = now_ns();
    ret->sent = shared_get(&shared->sent);
    ret->pub = cpu_of(&pub, 1);
    ret->sub = cpu_of(&sub, 1);
}

static struct cpu cpu_minus(struct cpu a, struct cpu b) {
    return (struct cpu){.ns = a.ns - b.ns, .wait_ns = a.wait_ns - b.wait_ns};
}

void measure_run(const struct options *options, struct shared *shared, pid_t pub, pid_t sub,
                 const struct arrivals *arrivals, struct measure *ret) {
    struct measure start, end;
    nap((uint64_t)(options->warm * 1e9));
    memset(shared->lines, 0, sizeof shared->lines);
    snapshot(options, shared, pub, sub, arrivals, &start);
    uint64_t until = start.wall_ns + (uint64_t)(options->seconds * 1e9);
    uint64_t wanted = options->count * arrivals->count;
    while (now_ns() < until && (!wanted || arrived(arrivals) - start.got < wanted))
        nap(2000000);
    snapshot(options, shared, pub, sub, arrivals, &end);
    ret->sent = end.sent - start.sent;
    ret->got = end.got - start.got;
    ret->server = cpu_minus(end.server, start.server);
    ret->pub = cpu_minus(end.pub, start.pub);
    ret->sub = cpu_minus(end.sub, start.sub);
    ret->wall_ns = end.wall_ns - start.wall_ns;
}

void measure_print(const struct options *options, const struct shared *shared, const struct measure *measure,
                   const struct arrivals *arrivals, bool has_latency) {
    double got = measure->got ? (double)measure->got : 1, wall = (double)measure->wall_ns;
    double busy = (double)(measure->server.ns + measure->server.wait_ns) / wall;
    printf("{\"dialect\": \"%s\", \"messages\": %llu, \"sent\": %llu, \"seconds\": %.4f, \"rate\": %.1f",
           options->dialect, (unsigned long long)measure->got, (unsigned long long)measure->sent, wall / 1e9,
           (double)measure->got / wall * 1e9);
    printf(", \"server_us\": %.5f, \"pub_us\": %.5f, \"sub_us\": %.5f",
           (double)measure->server.ns / got / 1e3, (double)measure->pub.ns / got / 1e3,
           (double)measure->sub.ns / got / 1e3);
    printf(", \"server_util\": %.3f, \"pub_util\": %.3f, \"sub_util\": %.3f",
           (double)measure->server.ns / wall, (double)measure->pub.ns / wall, (double)measure->sub.ns / wall);
    /* A server that neither ran nor waited for a processor waited for us. */
    printf(", \"server_busy\": %.3f, \"generator_bound\": %s, \"bad\": %llu", busy,
           busy < 0.9 ? "true" : "false", (unsigned long long)shared_get(&shared->bad));
    printf(", \"all_sent\": %llu, \"all_got\": %llu, \"sinks\": %u",
           (unsigned long long)shared_get(&shared->sent), (unsigned long long)arrived(arrivals),
           arrivals->count);
    if (has_latency)
        printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f", histogram_us(shared, 0.5),
               histogram_us(shared, 0.99), histogram_us(shared, 0.999));
    printf("}\n");
    (void)fflush(stdout);
}
