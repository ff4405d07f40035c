/* The event loop of one thread: readiness of our own descriptors, the next deadline, wake-ups from other threads,
 * signals, name resolution. It carries no bytes; reads and writes go through platform/socket.h.
 *
 * A turn: all ready descriptors, wake-ups and the timer are reported, then `on_turn` is called once, before the loop
 * waits again. Nothing is allocated per event. All functions belong to the loop's thread, loop_wake() excepted. */
#ifndef PLATFORM_LOOP_H
#define PLATFORM_LOOP_H

#include "base/address.h"
#include "base/clock.h"
#include "base/status.h"

struct loop;
struct loop_resolve;

enum loop_events {
    LOOP_NOTHING = 0,
    LOOP_READABLE = 1,
    LOOP_WRITABLE = 2,
    LOOP_HANGUP = 4, /* the peer closed or shut its side; may be watched while reads are off */
    LOOP_FAILED = 8, /* only reported, with READABLE and WRITABLE: an error waits in the socket. Nothing more comes
                      * from this watch until loop_modify(). */
};

struct loop_owner {
    void *user;
    void (*on_turn)(void *user);  /* may be NULL */
    void (*on_timer)(void *user); /* the time of loop_timer_at() has come */
    void (*on_wake)(void *user);  /* once or more after loop_wake(); wake-ups may be joined */
};

typedef void loop_ready_call(void *user, unsigned events);
/* One watched descriptor, embedded in what owns it; idle connections are made of these. `loop` NULL: not watched. */
struct loop_watch {
    struct loop *loop;
    loop_ready_call *ready;
    void *user;
    int fd;
    uint8_t wanted; /* enum loop_events */
    uint8_t armed;  /* what the kernel watches: the loop's */
};

typedef void loop_signal_call(void *user, int signal_number);
/* `addresses` has `count` entries, with the port asked for; borrowed. `status` else: NAME_NOT_FOUND,
 * RESOLVE_TIMEOUT, RESOLVE_FAILED (what was asked refused or is broken), NO_MEMORY or CANCELLED (the loop ends). */
typedef void loop_resolve_call(void *user, enum status status, const struct address *addresses, size_t count);

#define LOOP_NAME_MAX 253      /* bytes of a host name (RFC 1035 section 2.3.4, without the root) */
#define LOOP_ADDRESSES_MAX 16  /* of one name; more are left out */
#define LOOP_SIGNALS_MAX 8

/* NULL when memory or descriptors are out. `owner` is copied. */
struct loop *loop_new(const struct loop_owner *owner);
/* Ends all watches; descriptors stay the caller's. Resolutions still under way are reported CANCELLED.
 * Not inside a callback. */
void loop_free(struct loop *loop);

/* Returns after loop_stop(). */
void loop_run(struct loop *loop);
/* One turn: waits for something to happen, unless `wait` is false. */
void loop_run_once(struct loop *loop, bool wait);
/* Ends loop_run() after this turn; on_turn is still called. */
void loop_stop(struct loop *loop);
/* Asks for another turn without waiting: work was left over. */
void loop_again(struct loop *loop);
/* From any thread, also a signal handler. */
void loop_wake(struct loop *loop);

/* Watches a nonblocking descriptor for any of `events`. False, and `watch->loop` NULL, when the kernel has no memory or
 * the descriptor can't be watched (a regular file). `watch` must stay until loop_unwatch(). */
bool loop_watch(struct loop *loop, struct loop_watch *watch, int fd, unsigned events, loop_ready_call *ready, void *user);
/* Cheap when nothing changes; what it may need of the kernel it has since loop_watch(), so it can't fail. */
void loop_modify(struct loop_watch *watch, unsigned events);
/* Ends it: no call comes any more, even for events already seen in this turn. The descriptor may be closed
 * and `watch` freed right after. */
void loop_unwatch(struct loop_watch *watch);

/* on_timer is called at or after `at`, once; replaces the time asked for before. MONO_NEVER: not at all. */
void loop_timer_at(struct loop *loop, struct mono at);

/* From now on the loop looks for input for `ns` before it sleeps: quicker by a wake-up of the thread, for the price of a
 * busy core. 0: never. */
void loop_busy_poll(struct loop *loop, int64_t ns);

/* For the main loop of the process: a signal belongs to one loop at a time. False when refused or LOOP_SIGNALS_MAX are
 * in use. */
bool loop_signal(struct loop *loop, int signal_number, loop_signal_call *call, void *user);

/* Looks `name` up, see platform/resolver.h; `call` comes in a later turn. NULL, and no call, for a name that is empty,
 * longer than LOOP_NAME_MAX or holds a NUL, or when memory is out. */
struct loop_resolve *loop_resolve(struct loop *loop, struct slice name, uint16_t port,
                                  loop_resolve_call *call, void *user);
/* Made with the first call; NULL when memory is out. */
struct resolver *loop_resolver(struct loop *loop);
/* The answer isn't wanted any more: no call comes. */
void loop_resolve_forget(struct loop_resolve *resolve);

#endif
