/* What the files of the runtime share. */
#ifndef RUNTIME_INNER_H
#define RUNTIME_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/memory.h"
#include "engine/record.h"
#include "platform/file.h"
#include "platform/log_file.h"
#include "platform/loop.h"
#include "platform/mailbox.h"
#include "platform/socket.h"
#include "platform/thread.h"
#include "protocol/tls/tls.h"
#include "runtime/runtime.h"
#include "telemetry/metrics.h"

#define READ_BLOCK_SIZE (256u << 10)
#define WORKERS_MAX 64
#define OWN_ADDRESSES_MAX 64 /* of this host, that are known to be */
#define ADMIN_CONNECTIONS_MAX 64 /* of each way to the admin surface, beside `limits.connections` */

struct worker;
struct worker_change;

/* -- posts: small errands between threads, rare -- */

struct post {
    struct post *next;
    void (*run)(void *target, struct post *post); /* target: the worker or runtime; owns the post */
    /* In its place when the target's thread has ended; NULL: it is freed. Whoever waits for an answer gets one, or
     * what it keeps for that would leak. */
    void (*drop)(void *target, struct post *post);
};

struct inbox {
    pthread_mutex_t lock;
    struct post *first;
    struct post *last;
};

void inbox_init(struct inbox *inbox);
void inbox_done(struct inbox *inbox);
void inbox_put(struct inbox *inbox, struct post *post);
void inbox_run(struct inbox *inbox, void *target);
/* No thread runs `target` any more. */
void inbox_drop(struct inbox *inbox, void *target);

/* -- sockets of one worker -- */

enum link_state {
    LINK_RESOLVING, /* no descriptor yet */
    LINK_CONNECTING,
    LINK_OPEN,
    LINK_LOST,      /* the engine has been told; its CLOSE comes */
    LINK_LINGERING, /* ours alone: drops what still comes */
};

struct dial;
struct gate;
struct crowd; /* who is connected by one listener, on all workers */
struct crowd_peer;

/* One connection's part in what is counted. */
struct seat {
    struct crowd *crowd;     /* NULL: it was dialled, or isn't counted */
    struct crowd_peer *peer; /* NULL: its address isn't counted */
    bool counts;             /* in runtime->connections */
};

/* The descriptor of one connection. There are many that wait: what no state needs at the same time shares its place. */
struct link {
    struct worker *worker;
    struct loop_watch watch;
    uint64_t connection;
    struct dial *dial; /* while resolving and connecting; then NULL */
    const struct protocol *protocol;
    struct seat seat;
    int fd;
    uint8_t state;
    bool is_datagram;
    bool is_dialled;
    bool awaits_peer; /* a PROXY header is to say who it is */
    bool reads_off;
    bool is_full; /* the kernel takes no more: waiting until writable */
    union {
        struct {                   /* streams */
            struct list_node node; /* in worker->lingering, or in worker->full */
            struct mono until;     /* lingering */
            uint32_t dropped;      /* lingering: bytes */
            uint32_t untaken;      /* full: bytes that the peer had not taken when last looked at */
        };
        struct {                  /* datagrams */
            struct gate *gate;    /* a listener's: closes the descriptor; else NULL */
            struct address peer;  /* a dialled socket's */
            uint32_t packet_room; /* bytes read of each */
        };
    };
};

struct place_group {
    struct address address;
    uint32_t interface;
    bool is_new, is_wanted; /* between a configuration's preparation and its start, or its refusal */
};

/* A socket that is bound for a listener, one for each worker. Made and freed by the control thread. */
struct place {
    struct slice name;  /* own copy */
    struct slice scheme;
    struct slice url;   /* own copy, with the real port */
    struct address asked;
    struct address at;
    uint32_t worker_count;
    uint32_t users;     /* generations that name it */
    struct crowd *crowd;
    bool is_datagram;
    bool is_admin;
    bool is_unix;
    int group_fd;       /* of the one worker that hears groups; -1: none does */
    struct place_group *groups; /* joined */
    size_t group_count;
    int fds[];          /* by worker; -1: none there, or its gate has it */
};

/* One worker's side of a place. */
struct gate {
    struct list_node node;
    struct worker *worker;
    struct loop_watch watch;
    struct place *place;
    struct link *link; /* datagrams; NULL when the engine has closed the connection */
    uint32_t index;
    int fd;
    uint32_t overflows; /* as told */
    bool is_deaf; /* it could not be opened yet */
    struct mono told;    /* when the log last said that somebody was refused */
    uint64_t refused;    /* since then, without a line of their own */
};

/* -- generations: what one configuration brought -- */

struct generation {
    bool has_tls;
    struct tls_tickets tickets;
    struct generation *next; /* older ones that are still in use */
    struct config *config;
    struct plan *plan;
    struct place **places; /* by listener index, then the admin's */
    bool *reopen;          /* by listener index: datagrams, whose setup differs from the generation before */
    size_t place_count;
    struct buffer recorded; /* what it was made of; only for the input log, and where endpoints are found */
    struct wall loaded;
    uint32_t number;
    uint8_t udp_ports[65536 / 8]; /* of its listeners: one bit each */
    _Atomic uint32_t users; /* workers that have it in force or serve connections that were opened under it */
};

/* -- journal -- */

#define JOURNAL_PENDING_MAX (1u << 20)

struct journal {
    pthread_mutex_t lock;
    struct buffer pending; /* under the lock */
    unsigned pending_lines;
    uint64_t lost; /* under the lock: no room */
    uint64_t lost_before;
    /* the control thread's */
    struct log_file file;
    struct buffer writing;
    _Atomic uint64_t counts[LOG_LEVEL_COUNT];
    _Atomic uint64_t lines_lost;
    struct loop *loop; /* to wake for writing */
    bool is_json;
    bool has_color;
};

/* One thread's way into the journal. */
struct pen {
    struct journal *journal;
    struct log_levels levels;
    struct buffer lines;
    unsigned line_count;
    unsigned lost;
    bool is_direct; /* the control thread's own: it writes to the file when much is pending */
    bool is_json;
    bool has_color;
};

bool journal_init(struct journal *journal);
void journal_done(struct journal *journal);
/* Control thread: (re)opens what the configuration says. */
enum status journal_open(struct journal *journal, const struct config *config, int fd, struct fault *fault);
void journal_levels(struct log_levels *levels, const struct config *config, bool debug);
/* Control thread: writes what is pending. */
void journal_write(struct journal *journal);
bool pen_init(struct pen *pen, struct journal *journal);
void pen_done(struct pen *pen);
static inline bool pen_wants(const struct pen *pen, enum log_room room, enum log_level level) {
    return log_is_enabled(&pen->levels, room, level);
}
void pen_write(struct pen *pen, const struct log_record *record);
void pen_flush(struct pen *pen);

/* -- tally: metrics of one worker -- */

struct tally_system {
    struct slice name; /* own copy */
    uint32_t landed[2][PRIORITY_COUNT + 1]; /* series of delivered and replied, for `protocol` */
    const struct protocol *protocol;
    uint32_t duration;
    uint32_t depth[PRIORITY_COUNT + 1], oldest[PRIORITY_COUNT + 1];
    uint32_t bytes, unsettled, sessions, retry_later, retry_budget;
    uint32_t exchanges[6]; /* series of those that came to their end, by the first digit of their code */
    uint32_t exchange_bytes[2], exchange_duration, exchanges_open; /* made with the first */
};

struct tally_endpoint {
    uint64_t name; /* a hash of it */
    uint32_t up, ejected, in_flight, circuit;
};

struct tally_bytes {
    const struct protocol *protocol;
    bool dialled;
    uint32_t series[2]; /* received, sent */
};

struct tally {
    struct metrics *set;
    struct tally_system *systems; /* by plan index */
    size_t system_count;
    struct tally_endpoint *endpoints; /* in the engine's order */
    size_t endpoint_count;
    struct tally_bytes bytes[12];
    uint32_t accepted;
    struct {
        uint32_t series[2][PRIORITY_COUNT + 1]; /* delivered, replied; by priority */
        uint8_t size;
        char name[31];
    } nameless; /* those who are no system of the plan mostly have one name */
    struct tally_listener {
        uint32_t series;
        uint64_t told; /* of the engine's count, which begins anew with each plan */
    } *listeners;      /* by plan index; the last one: dialled connections */
    size_t listener_count;
};

bool tally_init(struct tally *tally);
void tally_done(struct tally *tally);
/* The plan changed. */
void tally_configure(struct tally *tally, const struct plan *plan);
void tally_ending(struct tally *tally, const struct engine_count *count);
void tally_exchange(struct tally *tally, const struct engine_exchange *exchange);
void tally_bytes(struct tally *tally, const struct protocol *protocol, bool dialled, bool out, uint64_t count);
void tally_connection(struct tally *tally, const struct connection *connection, bool opened);
void tally_datagram_lost(struct tally *tally, const struct connection *connection, enum status status);
void tally_retried(struct tally *tally, uint32_t system, const struct engine_retry *retry);
void tally_checked(struct tally *tally, uint32_t system, bool is_good);
/* `rule`: one of a few words. */
void tally_datagram_dropped(struct tally *tally, struct slice listener, const char *rule, uint64_t count);
void tally_refused(struct tally *tally, struct slice listener, enum status status);
void tally_limit(struct tally *tally, const char *limit);
/* The key whose limit an accepted connection ended by; NULL: none. */
const char *tally_limit_of(const struct connection *connection);
/* Copies the engine's totals into the cells. */
/* tally_endpoints.c */
void tally_endpoints(struct tally *tally, const struct engine *engine);
void tally_endpoints_forget(struct tally *tally);
void tally_publish(struct tally *tally, const struct engine *engine, struct mono now);

/* -- views -- */

struct view_system {
    struct engine_system_view view; /* its name is valid by its size only */
    char name[64];
    uint64_t out; /* delivered and replied at `out_at` */
    struct mono out_at;
    double out_per_second; /* in the second before, or since it was last looked at */
};

struct view_endpoint {
    struct engine_endpoint_view view; /* texts are valid by their size only, but for `why` */
    char name[400]; /* SYSTEM/ENDPOINT */
    char why[96];
    char place[128]; /* its URL without path and secrets */
    char zone[64];
};

struct view_connection {
    struct runtime_connection_view view; /* its name is valid by its size only */
    char name[130]; /* SYSTEM/ENDPOINT */
};

/* What a worker last published; under `lock`. */
struct view {
    pthread_mutex_t lock;
    struct engine_totals totals;
    struct view_system *systems;
    size_t system_count;
    size_t system_capacity;
    struct view_endpoint *endpoints; /* of all systems; as many as the configuration has */
    size_t endpoint_count;
    size_t endpoint_capacity;
    struct view_connection *connections;
    size_t connection_count;
    size_t connection_capacity;
    bool is_inited;
};

/* endpoint_view.c: of all workers, in a snapshot's arena. False when memory is out. */
struct endpoint_views {
    struct runtime_endpoint_view *list;
    size_t count;
};
/* Under view->lock. */
bool endpoint_views_add(struct endpoint_views *views, struct arena *arena, const struct view *view);
bool endpoint_views_give(const struct endpoint_views *views, struct arena *arena,
                         struct runtime_system_view *system);

/* As far as one worker knows. */
bool endpoint_view_serves(const struct engine_endpoint_view *view);

bool view_init(struct view *view);
void view_done(struct view *view);
void view_publish(struct worker *worker);

/* -- worker -- */

/* Parcels whose receiver's mailbox is full. */
struct outbox {
    struct block *first, *last;
    uint32_t count;
};

struct worker {
    struct runtime *runtime;
    struct post stop; /* tells its thread to end */
    uint32_t index;
    struct thread thread;
    bool is_running;
    struct loop *loop;
    struct engine *engine;
    struct inbox inbox;
    struct mailbox *mail;     /* by sending worker */
    struct outbox *outboxes;  /* by receiving worker */
    uint8_t *block;       /* what is read this turn */
    struct now now;
    bool has_now;
    bool is_pending;      /* inputs were given since the last finish */
    struct mono due;      /* as the engine said */
    struct link **links;  /* by slot of the connection's handle */
    uint32_t link_count;
    struct list gates;
    struct list lingering;
    struct list full;     /* links that wait until the kernel has room again */
    struct mono full_at;  /* when to look whether their peers take anything */
    struct deadlines dials; /* when their next addresses have their turn */
    struct mono accept_again; /* paused for want of descriptors */
    bool is_accept_told;
    struct mono limits_told;  /* when lines about limits were last counted from 0 */
    uint32_t limit_lines;     /* since then */
    struct mono invalid_told; /* since when lines about what was no message are counted */
    uint32_t invalid_lines, invalid_untold;
    _Atomic uint64_t memory;  /* what its engine holds, for the others */
    uint64_t memory_elsewhere; /* as its engine was told */
    struct mono publish_at;
    struct mono sweep_at; /* look for generations that nothing uses any more */
    struct generation *generation;
    struct generation *old[16];
    unsigned old_count;
    bool is_draining;
    struct mono drain_at;
    bool is_stopping;
    bool is_leaving; /* all that was accepted is done: who stayed for it goes too */
    struct mono leave_at;
    _Atomic bool is_quiet;
    _Atomic bool is_gone; /* leaving, quiet, and nobody is connected */
    struct tally tally;
    struct own_addresses {
        struct address items[OWN_ADDRESSES_MAX];
        size_t count;
        struct mono until; /* then they are looked up anew */
    } own;
    struct pen pen;
    struct view view;
    struct input_log *input_log; /* NULL: none */
    bool is_asked; /* the admin surface is being asked, within an input */
};

struct runtime {
    struct runtime_options options;
    struct loop *loop;
    struct inbox inbox;
    struct journal journal;
    struct pen pen;
    struct worker *workers;
    uint32_t worker_count;
    struct dedupe_key secret;
    _Atomic uint32_t connections; /* open ones, in and out, but for the admin's */
    pthread_mutex_t lock; /* what follows */
    struct generation *generation;
    struct generation *retired;
    struct log_levels levels;
    struct metrics *metrics; /* what isn't a worker's */
    uint64_t reloads[2];     /* succeeded, failed */
    bool last_reload_failed;
    /* the control thread's, but for the atomics */
    struct registry *registry; /* NULL: no system ever had endpoints that aren't in the configuration */
    struct tls_tickets tickets;
    bool has_tickets;
    struct mono tickets_at, look_at, expiry_at; /* TLS: a new key for tickets, a look at files, at dates; 0: not yet */
    struct file_stamp *stamps; /* of the files of `stamped` */
    const struct generation *stamped;
    struct certificate_end *ends; /* of the certificates of `stamped`, as they are in use */
    size_t end_count;
    struct now now;
    bool has_now;
    _Atomic int state; /* enum runtime_state */
    _Atomic bool is_ready;
    struct now started;
    int pid_fd;
    char *pid_path;
    struct mono drain_at; /* accepting stops */
    struct mono cut_at;   /* grace is over */
    bool has_begun_drain;
    bool has_said_farewell;
    bool is_stop_wanted;
    bool is_forced;
    int exit_code;
};

/* runtime.c: the control thread's */
struct now runtime_now_of(struct runtime *runtime);
void journal_reopen(struct runtime *runtime);
void journal_set_level(struct log_levels *levels, enum log_room room, enum log_level level);

/* worker.c */
enum status worker_init(struct worker *worker, struct runtime *runtime, uint32_t index, struct fault *fault);
void worker_done(struct worker *worker);
enum status worker_start(struct worker *worker);
void worker_post(struct worker *worker, struct post *post);
struct now worker_now(struct worker *worker);
void worker_input(struct worker *worker, struct engine_input *input);
void worker_turn(struct worker *worker);
/* The generation goes into force on this worker: its thread, or before that runs. */
void worker_configure(struct worker *worker, struct generation *generation, struct worker_change *change);
/* All memory that a worker needs for a generation, so that all can switch and none can fail. NULL when memory is out. */
struct worker_change {
    struct engine_change *engine; /* NULL: taken */
    struct tls_worker *tls;       /* NULL: taken, or none is needed */
    size_t gate_count;
    struct gate *gates[]; /* by place; NULL: taken */
};
struct worker_change *worker_change_new(const struct generation *generation);
void worker_change_free(struct worker_change *change);

/* secure.c */
enum status secure_prepare(struct runtime *runtime, struct generation *next, struct fault *fault);
/* False when memory is out. */
bool secure_worker_new(const struct generation *generation, struct tls_worker **ret);
/* For new handshakes; NULL: none. The worker's thread, or before that runs. */
void secure_worker_swap(struct worker *worker, struct tls_worker *tls);
/* Looks at files and keys when it is time; returns when it is next. */
struct mono secure_look(struct runtime *runtime);

void worker_drain(struct worker *worker);
void worker_leave(struct worker *worker);

/* input_log.c: all but new, free and end only while there is one; each may end it */
struct outcome;
enum status input_log_new(struct worker *worker, const struct engine_options *options, struct fault *fault);
void input_log_free(struct worker *worker);
void input_log_input(struct worker *worker, const struct engine_input *input); /* before the engine gets it */
void input_log_after(struct worker *worker, const struct engine_input *input);
void input_log_config(struct worker *worker, const struct generation *generation);
void input_log_finish(struct worker *worker); /* before the engine does */
void input_log_turn(struct worker *worker, const struct engine_actions *actions);
void input_log_asked(struct worker *worker, bool is_over);
void input_log_answer(struct worker *worker, const struct record_answer *answer);
void input_log_end(struct worker *worker);
struct outcome *input_log_outcome(struct worker *worker);
/* crowd.c */
struct crowd *crowd_new(void); /* NULL when memory is out */
void crowd_unref(struct crowd *crowd);
/* Whether one more may come in by a listener (NULL: the admin's); else `*ret_limit` is the key that forbids it. */
enum status seat_take(struct worker *worker, const struct place *place, const struct config_listener *listener,
                      const struct address *peer, struct seat *seat, const char **ret_limit);
/* Counts it at its address, too: where a PROXY header says that one, it is known later than the rest. */
enum status seat_take_peer(struct seat *seat, uint64_t most, const struct address *peer);
enum status seat_take_dialled(struct worker *worker, struct seat *seat);
void seat_leave(struct worker *worker, struct seat *seat); /* once is enough, more does no harm */

/* link.c */
struct link *link_new(struct worker *worker, uint64_t connection, const struct protocol *protocol);
struct link *link_find(struct worker *worker, uint64_t connection);
bool link_watch(struct link *link);
void link_update(struct link *link);
void link_lost(struct link *link, enum status status);
void link_flush(struct link *link);
void link_read(struct link *link, bool on);
void link_close(struct link *link, bool linger, bool reset);
void link_free(struct link *link);
/* Last words to somebody who isn't let in; takes the descriptor and waits a moment so that they arrive. */
void link_turn_away(struct worker *worker, int fd, struct slice words);
void link_ready(void *link, unsigned events);
/* As a listener or a system has it; `fd` may be a listening socket. */
void link_keep_alive(int fd, const struct config_keepalive *keepalive);
/* The kernel tells that it has room again only when a third of it is free: by then a slow reader may look like none. */
void link_full_look(struct worker *worker);
struct mono link_linger_due(const struct worker *worker);
void link_linger_over(struct worker *worker);

/* packet.c */
/* What the kernel itself threw away for want of room. */
void packet_overflows(struct worker *worker);
void packet_ready(struct link *link, unsigned events);
void packet_flush(struct link *link);

/* dial.c */
void dial_begin(struct worker *worker, uint64_t connection, uint64_t place);
void dial_tick(struct worker *worker);
void dial_free(struct link *link);

/* gate.c */
/* Takes `gate` over, zeroed memory. Where the kernel or the engine has no room for it now, it is tried again soon. */
void gate_open(struct worker *worker, struct gate *gate, struct place *place, uint32_t index);
void gate_close(struct gate *gate);
/* Takes those that already wait in the backlog, then closes: at a drain nobody who is connected is turned away. */
void gate_empty(struct gate *gate);
void gate_resume(struct worker *worker);
/* A datagram listener's connection. */
void gate_reopen(struct gate *gate);

/* place.c */
enum status place_bind(const struct config_listener *listener, uint32_t workers, struct place **ret, struct fault *fault);
enum status place_bind_admin(const struct config *config, uint32_t workers, struct place **ret, struct fault *fault);
enum status place_bind_unix(const char *path, uint32_t workers, struct place **ret, struct fault *fault);
bool place_is_same(const struct place *place, const struct config_url *url, struct slice name);
void place_free(struct place *place);
/* Joins what `listener` wants more than it has; place_groups_keep() leaves the rest, place_groups_undo() what was joined. */
enum status place_groups_join(struct place *place, const struct config_listener *listener, struct fault *fault);
void place_groups_keep(struct place *place);
void place_groups_undo(struct place *place);

/* generation.c */
enum status generation_load(struct runtime *runtime, struct generation **ret, struct config_report *report,
                            struct fault *fault);
enum status generation_bind(struct runtime *runtime, struct generation *next, const struct generation *current,
                            struct fault *fault);
void generation_free(struct generation *generation);

/* reload.c */
/* Whoever reads the log must not miss it: a warning for each route that makes trouble on purpose. */
void warn_of_faults(struct runtime *runtime, const struct config *config);
void reload_run(struct runtime *runtime, bool dry_run, runtime_reloaded_call *done, void *user);
void reload_sweep(struct runtime *runtime);

/* stop.c */
void stop_drain(struct runtime *runtime, bool and_stop);
void stop_now(struct runtime *runtime);
void stop_look(struct runtime *runtime);

/* tell.c: log lines */
void tell_ending(void *worker, const struct engine_report *report);
void tell_log(struct worker *worker, const struct engine_log *log);
/* In debug mode: delivered and replied. */
void tell_count(struct worker *worker, const struct engine_count *count);
void tell_exchange(struct worker *worker, const struct engine_exchange *exchange);
void tell_connection(void *worker, const struct connection *connection, bool opened);
void tell_endpoint(struct worker *worker, const struct engine_endpoint_view *endpoint);

#endif
