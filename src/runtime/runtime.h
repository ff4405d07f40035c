/* The running router: configuration, workers, listeners, and what can be asked of them.
 *
 * One control thread (whoever calls runtime_run) loads configurations, catches signals, writes the log and stops the
 * whole; N worker threads each have one loop and one engine. Nothing that blocks happens on a worker. What is asked by
 * the functions below under "any thread" is answered from what workers publish, never by waiting for one. */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include "base/arena.h"
#include "base/fault.h"
#include "config/load.h"
#include "engine/engine.h"
#include "telemetry/exposition.h"
#include "telemetry/log.h"

struct runtime;
struct worker;

enum runtime_state {
    RUNTIME_STARTING,
    RUNTIME_READY,
    RUNTIME_DRAINING, /* /readyz says no; existing work is finished */
    RUNTIME_STOPPED,
};
const char *runtime_state_name(enum runtime_state state);

/* What runs on worker 0 for the admin surface. */
struct runtime_admin {
    void *user;
    /* A request on the admin listener or its Unix socket: answered by runtime_answer(), now or later. */
    void (*request)(void *user, struct runtime *runtime, struct connection *connection, uint64_t token,
                    const struct protocol_request *request);
};

struct runtime_options {
    struct slice path;                   /* the configuration's file */
    const struct config_options *config; /* borrowed as long as the runtime; used again by each reload */
    const struct runtime_admin *admin;   /* NULL: requests there are answered 404 */
    bool debug;                          /* log everything, whatever the configuration says */
    bool signals;    /* the process is the router's: HUP reload, USR1 reopen logs, TERM and INT drain, again: stop now;
                      * PIPE ignored, the limit of open files raised */
    bool standalone; /* no run directory: neither pid file nor Unix socket (tests, embedding) */
    uint32_t workers; /* 0: as configured */
    int log_fd;       /* where the log goes when `log.file` is not set; 0: standard error */
    struct slice input_log;  /* a folder: each worker logs its inputs to a file there, for replay; empty: no */
    uint64_t input_log_max;  /* bytes of one such file */
};

/* Loads, binds everything, starts the workers. When it returns OK the router takes messages. BAD_CONFIG: `report`
 * (inited by the caller) has the mistakes; ADDRESS_IN_USE with fault->error_number 0: already running, as the text
 * says. On failure nothing stays behind. */
enum status runtime_start(const struct runtime_options *options, struct runtime **ret_runtime,
                          struct config_report *report, struct fault *fault);
/* Works until stopped. Exit code: 0 when all that could be delivered was, 3 when forced (second signal, --now, grace
 * over). */
int runtime_run(struct runtime *runtime);
/* After runtime_run(), or instead of it. */
void runtime_free(struct runtime *runtime);

/* The directory of pid file and socket: config->run_dir, else /run/intertie (root), $XDG_RUNTIME_DIR/intertie, or
 * /tmp/intertie-UID. With NUL. */
void runtime_run_dir(const struct config *config, struct buffer *out);
/* RUN_DIR/NAME.pid; config->admin.socket or RUN_DIR/NAME.sock. With NUL. */
void runtime_pid_path(const struct config *config, struct buffer *out);
void runtime_socket_path(const struct config *config, struct buffer *out);

/* -- commands: any thread, until runtime_run() ends; they begin what they name and return -- */

struct runtime_reloaded {
    enum status status; /* OK, or why nothing has changed */
    bool dry_run;
    struct slice text; /* the differences, a line each; on failure what is wrong */
    struct slice json; /* failure: the config report as JSON (empty when it isn't about the text of the files) */
};
typedef void runtime_reloaded_call(void *user, const struct runtime_reloaded *reloaded);
/* `done` may be NULL; else it is called once on worker 0's thread (within a turn: runtime_answer() is fine). */
void runtime_reload(struct runtime *runtime, bool dry_run, runtime_reloaded_call *done, void *user);
void runtime_drain(struct runtime *runtime); /* as TERM, but stays up when quiet: for load balancers; stop ends it */
void runtime_stop(struct runtime *runtime, bool now);
/* `room` LOG_ROOM_COUNT: all of them. Until the next reload. */
void runtime_log_level(struct runtime *runtime, enum log_room room, enum log_level level);
void runtime_log_reopen(struct runtime *runtime);

/* One worker, on its own thread. */
struct runtime_visit {
    uint32_t index;
    const struct engine *engine;
    struct now now;
    struct worker *worker;
};
typedef void runtime_visit_call(void *user, const struct runtime_visit *visit);
/* Calls `call` on each worker's thread, at the same time, and then `done` once on worker 0's. False when memory is out:
 * nothing is called. */
bool runtime_each(struct runtime *runtime, runtime_visit_call *call, void (*done)(void *user), void *user);
/* Within a visit: gives the worker's engine an input. */
void runtime_visit_input(const struct runtime_visit *visit, struct engine_input *input);
uint32_t runtime_worker_count(const struct runtime *runtime);
/* Any thread: whether the configuration in force has a system of that name. */
bool runtime_has_system(struct runtime *runtime, struct slice name);

/* An endpoint that says itself that it is there; `is_over`: that it is not any more. */
struct runtime_registration {
    struct slice system, endpoint, url;
    struct slice zone; /* empty: none */
    uint64_t weight, tier;
    int64_t lease_ns; /* 0: as the system has it */
    bool is_over;
};
struct runtime_registered {
    enum status status; /* FORBIDDEN: nobody may register there. NOT_FOUND: no such system; `is_over`: nobody has registered */
    bool is_new;
    int64_t lease_ns;
    struct slice text; /* what is wrong */
};
typedef void runtime_registered_call(void *user, const struct runtime_registered *registered);
/* Any thread. `done` is called once, on worker 0's, when all workers have been told. False when memory is out: it isn't. */
bool runtime_register(struct runtime *runtime, const struct runtime_registration *wanted, runtime_registered_call *done,
                      void *user);

/* Asks all workers to publish; `done` is called once on worker 0's thread when they have. */
void runtime_refresh(struct runtime *runtime, void (*done)(void *user), void *user);
/* Worker 0's thread: the connection behind a handle seen in a request; NULL when it is gone. */
struct connection *runtime_connection(struct runtime *runtime, uint64_t handle);
/* Worker 0's thread, the only way to answer a request of the admin surface: within `request` or later, as long as
 * runtime_connection() has the connection. */
struct runtime_answer {
    enum status status; /* not OK: a problem document (RFC 9457); `body` is its detail or empty, the rest is unused */
    unsigned code;
    struct slice type;
    struct slice body;
    struct slice lines; /* header lines, each with CRLF */
};
void runtime_answer(struct runtime *runtime, struct connection *connection, uint64_t token,
                    const struct runtime_answer *answer);
/* Worker 0's thread: the time of this turn. */
struct now runtime_now(struct runtime *runtime);

/* -- views: any thread, until runtime_run() ends; as workers published it last, at most 200 ms ago -- */

struct runtime_listener_view {
    struct slice name; /* of the configuration; `admin`, `admin-socket` */
    struct slice scheme;
    struct slice url;       /* scheme://host:port with the real port; unix:PATH */
    struct address address; /* ADDRESS_NONE for the Unix socket */
    bool is_admin;
};

/* Workers dial, eject and break for themselves: what one of them thinks needn't be what the next one does. */
struct runtime_endpoint_view {
    /* Its name without the system; the worst state; sums of all workers, but `failures` and `circuit`: the worst. */
    struct engine_endpoint_view sum;
    struct slice system;
    struct slice why;
    const char *state; /* engine_endpoint_state_name(), or `unreachable`: dials fail */
    uint32_t severity; /* of that state; 0: up */
    uint32_t serving; /* workers that would send to it */
    uint32_t ejected; /* workers that have ejected it */
    uint32_t workers; /* that have told of it; 0: none yet */
};

struct runtime_system_view {
    struct engine_system_view sum; /* over all workers; `endpoints` and `sessions_max` as configured, those found added */
    uint64_t sessions_max; /* 0: doesn't accept */
    bool finds; /* it may have endpoints that aren't in the configuration */
    uint64_t p50_ns, p99_ns; /* of deliveries since start; 0: none yet */
    double out_per_second; /* delivered and replied */
    uint32_t endpoints_serving; /* that some worker would send to */
    uint32_t endpoints_fine; /* that every worker would */
    const struct runtime_endpoint_view *endpoints;
    size_t endpoint_count;
    struct slice state; /* up, degraded, down, offline, sender */
};

struct runtime_connection_view {
    uint64_t handle;
    uint32_t worker;
    bool dialled;
    struct slice protocol;
    struct slice name;   /* listener, or SYSTEM/ENDPOINT */
    struct slice state;  /* dialling, open, closing */
    struct address peer;
    int64_t age_ns;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t unsent;
};

#define RUNTIME_CONNECTIONS_SHOWN 1000 /* per worker */

struct runtime_snapshot {
    struct arena arena;
    enum runtime_state state;
    bool is_ready;
    struct slice name;
    struct slice version;
    int64_t pid;
    int64_t uptime_ns;
    struct wall started;
    uint32_t workers;
    int64_t cpu_ns; /* of the process, since it began; -1: not known */
    struct slice digest; /* of the configuration */
    struct slice path;
    struct slice environment;
    struct wall loaded; /* when the configuration came into force */
    struct engine_totals totals; /* sums */
    const struct runtime_listener_view *listeners;
    size_t listener_count;
    const struct runtime_system_view *systems;
    size_t system_count;
    const struct runtime_connection_view *connections;
    size_t connection_count; /* shown; totals.connections has them all */
};

/* NULL when memory is out. */
struct runtime_snapshot *runtime_snapshot(struct runtime *runtime);
void runtime_snapshot_free(struct runtime_snapshot *snapshot);
enum runtime_state runtime_state(struct runtime *runtime);
/* Ready: all listeners are bound and it doesn't drain. */
bool runtime_is_ready(struct runtime *runtime);
/* Prometheus text of all workers. */
enum status runtime_metrics(struct runtime *runtime, enum exposition_format format, struct buffer *out);
/* The merged configuration in force, secrets hidden. */
void runtime_config_text(struct runtime *runtime, struct buffer *out);
/* The real port of a listener: 0 when there is none of that name. */
uint16_t runtime_port(struct runtime *runtime, struct slice listener);

#endif
