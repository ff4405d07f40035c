/* The load generator: what its files share. Each kind of load is a file with one function that forks its roles, lets
 * them warm up, measures for a while and prints one line of JSON.
 *
 * It is no part of the product and links none of it, so that a fault of ours can't hide in both ends. */
#ifndef BENCH_LOAD_LOAD_H
#define BENCH_LOAD_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SINKS_MAX 64
#define SERVERS_MAX 16

/* How connections are in TLS: each handshake is a whole one, or resumes from a ticket. */
enum tls { TLS_NONE, TLS_FULL, TLS_RESUMED };

struct options {
    const char *dialect;
    const char *sink; /* HTTP: the dialect of subscribers; NULL: none, answers count */
    const char *host;
    uint16_t port; /* where we send */
    uint16_t sink_port; /* where we receive; the same unless said */
    uint16_t from, sink_from; /* our own ports, which choose the worker that we meet; 0: any */
    unsigned size; /* bytes of a message */
    bool is_encoded; /* `size` is the whole event, else its data */
    bool acknowledged;
    unsigned subscribers;
    unsigned connections;
    unsigned depth; /* open requests on a connection */
    unsigned rate; /* a second; 0: as fast as the peer takes */
    double warm, seconds;
    uint64_t count; /* stop after so many instead; 0: by time */
    uint64_t window; /* bytes that may be under way, all in all */
    unsigned expect; /* HTTP: the status that answers must have */
    bool is_rest; /* HTTP: requests that know nothing of events */
    bool is_closing; /* HTTP: a connection for each request */
    enum tls tls;
    const char *path;
    const char *kind; /* messagetype of events; empty: none */
    const char *counter; /* the file in which a backend counts */
    pid_t backend;
    char *const *command; /* behind -- */
    const char *ports, *fault; /* survive: backends, and what becomes of the first: kill, stop or none */
    unsigned slow; /* survive: milliseconds that the first takes for each */
    pid_t servers[SERVERS_MAX];
    unsigned server_count;
};

/* Senders end first, so that what is under way can still arrive. */
enum stop { GO, STOP_SENDING, STOP };

/* Shared by the roles, each counter on a line of its own. */
struct counter {
    _Alignas(64) _Atomic uint64_t value;
};
struct shared {
    struct counter ready;
    struct counter stop; /* enum stop */
    struct counter sent;
    struct counter answered; /* requests */
    struct counter ended; /* 1: the sender sends no more */
    struct counter got[SINKS_MAX];
    struct counter bad; /* answers that were none, or not the expected */
    struct counter lines[4096]; /* latencies: see histogram.c */
};

/* Where messages arrive: `count` counters side by side. */
struct arrivals {
    struct counter *counters;
    unsigned count;
    uint64_t base; /* what the first already showed before anything was sent */
};

/* A role runs in a process of its own until it is told to stop. */
typedef void role_run(const struct options *options, struct shared *shared);

/* -- role.c -- */
struct shared *shared_new(void);
pid_t role_start(role_run *run, const struct options *options, struct shared *shared);
/* Waits until `roles` of them said that they are ready. */
void role_wait(struct shared *shared, unsigned roles);
/* Lets `pub` stop sending, then ends both once all that was sent arrived everywhere, or after 5 s; 0: no such role. */
void role_stop(struct shared *shared, pid_t pub, pid_t sub, const struct arrivals *arrivals);
static inline void shared_add(struct counter *counter, uint64_t value) {
    atomic_fetch_add_explicit(&counter->value, value, memory_order_relaxed);
}
static inline uint64_t shared_get(const struct counter *counter) {
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}
static inline void shared_set(struct counter *counter, uint64_t value) {
    atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}
uint64_t arrived(const struct arrivals *arrivals);
struct counter *counter_open(const char *path);
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* -- cpu.c -- */
uint64_t now_ns(void);
/* What processes with all their threads ran, and waited for a processor to run on, as the scheduler counts it. */
struct cpu {
    uint64_t ns, wait_ns;
};
struct cpu cpu_of(const pid_t *pids, unsigned count);
void nap(uint64_t ns);

/* -- histogram.c: 16 steps an octave, so within 6 % -- */
void histogram_add(struct shared *shared, uint64_t ns);
double histogram_us(const struct shared *shared, double share);

/* -- socket.c -- */
int socket_connect(const char *host, uint16_t port);
/* From a port of ours, which is free again as soon as it is closed; 0: any. */
int socket_connect_from(const char *host, uint16_t port, uint16_t from);
int socket_listen(uint16_t *port, int type);
void socket_nonblocking(int fd);
void socket_write_all(int fd, const void *bytes, size_t size);

/* -- tls.c: a socket that doesn't block, in TLS if options->tls -- */
struct stream {
    int fd;
    void *ssl; /* NULL: in the clear */
    void *ticket; /* the latest that came, for the next connection */
    bool is_resumed;
};
void stream_open(struct stream *stream, const struct options *options);
/* Goes on with the handshake; true when it is over, as it is at once without TLS. */
bool stream_greet(struct stream *stream);
/* -1: nothing there yet; 0: the peer closed. */
ssize_t stream_read(struct stream *stream, void *bytes, size_t size);
void stream_write_all(struct stream *stream, const void *bytes, size_t size);
void stream_close(struct stream *stream);

/* -- measure.c: the measured while -- */
struct measure {
    uint64_t sent, got, wall_ns;
    struct cpu server, pub, sub;
};
void measure_run(const struct options *options, struct shared *shared, pid_t pub, pid_t sub,
                 const struct arrivals *arrivals, struct measure *ret);
void measure_print(const struct options *options, const struct shared *shared, const struct measure *measure,
                   const struct arrivals *arrivals, bool has_latency);

/* -- pubsub.c: those who receive, a role -- */
void subscribers(const struct options *options, struct shared *shared);

/* -- one kind of load each -- */
int load_pubsub(const struct options *options);
int load_http(const struct options *options);
int load_backend(const struct options *options);
int load_echo(const struct options *options);
int load_udp(const struct options *options);
int load_ask(const struct options *options);
int load_idle(const struct options *options);
int load_start(const struct options *options);
int load_survive(const struct options *options);

#endif
