/* The event loop of one thread, on epoll.
 *
 * What the kernel watches is at least what is wanted. Less is told to it only when an event comes that nobody wants:
 * reads that go off and on again within a moment, as with each request that waits for its answer, then cost no call. */
#include "platform/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "platform/clock.h"
#include "platform/resolver.h"
#include "platform/sys.h"

#define EVENTS_MAX 256 /* of one turn */
#define LATE_NS (100 * NS_PER_MS)
#define LATE_LOOKS_MAX 64
#define WAIT_MAX_MS (3600 * 1000)
#define SIGNAL_NUMBERS 64

struct loop_signal_slot {
    loop_signal_call *call;
    void *user;
    int number;
};

struct loop {
    struct loop_owner owner;
    struct mono timer_at;
    int64_t busy_ns;
    int epoll_fd;
    int wake_fd;
    bool is_turning; /* something was reported since on_turn */
    bool is_again;
    bool is_stopped;
    _Atomic bool is_woken;
    _Atomic bool is_asleep; /* or about to be: who wakes must write to wake_fd */
    _Atomic uint64_t signals_seen; /* bits by number */
    unsigned signal_count;
    struct loop_signal_slot signals[LOOP_SIGNALS_MAX];
    struct resolver *resolver; /* from the first name on */
    int event_at, event_count; /* being reported */
    struct epoll_event events[EVENTS_MAX];
};

/* Which loop has a signal; handlers know nothing else. */
static _Atomic(struct loop *) signal_loops[SIGNAL_NUMBERS];
static struct sigaction signal_before[SIGNAL_NUMBERS];

static void end_turn(struct loop *loop) {
    if (!loop->is_turning)
        return;
    loop->is_turning = false;
    if (loop->owner.on_turn)
        loop->owner.on_turn(loop->owner.user);
}

static bool open_wake(struct loop *loop) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop};
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return loop->wake_fd >= 0 && sys()->epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) == 0;
}

struct loop *loop_new(const struct loop_owner *owner) {
    struct loop *loop = memory_new(sizeof *loop);
    if (!loop)
        return NULL;
    loop->owner = *owner;
    loop->timer_at = MONO_NEVER;
    loop->wake_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0 || !open_wake(loop)) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

static void forget_signals(struct loop *loop) {
    for (unsigned i = 0; i < loop->signal_count; i++) {
        int number = loop->signals[i].number;
        if (atomic_load(&signal_loops[number]) != loop)
            continue;
        sigaction(number, &signal_before[number], NULL);
        atomic_store(&signal_loops[number], NULL);
    }
}

void loop_free(struct loop *loop) {
    if (!loop)
        return;
    forget_signals(loop);
    resolver_free(loop->resolver);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    memory_free(loop);
}

/* -- waking -- */

void loop_wake(struct loop *loop) {
    /* In this order here, and asleep before woken in the loop: one of the two sees the other. */
    if (atomic_exchange(&loop->is_woken, true) || !atomic_load(&loop->is_asleep))
        return;
    uint64_t one = 1;
    int before = errno; /* a signal handler's caller needs it */
    ssize_t written = write(loop->wake_fd, &one, sizeof one);
    (void)written; /* full: it wakes as well */
    errno = before;
}

static void drain_wake(const struct loop *loop) {
    uint64_t count;
    ssize_t got = read(loop->wake_fd, &count, sizeof count);
    (void)got;
}

static void report_signals(struct loop *loop) {
    uint64_t seen = atomic_exchange(&loop->signals_seen, 0);
    for (unsigned i = 0; i < loop->signal_count && seen; i++) {
        const struct loop_signal_slot *slot = &loop->signals[i];
        if (!(seen >> slot->number & 1))
            continue;
        loop->is_turning = true;
        slot->call(slot->user, slot->number);
    }
}

static void report_wake(struct loop *loop) {
    if (!atomic_load_explicit(&loop->is_woken, memory_order_relaxed) || !atomic_exchange(&loop->is_woken, false))
        return;
    loop->is_turning = true;
    report_signals(loop);
    resolver_report(loop->resolver);
    if (loop->owner.on_wake)
        loop->owner.on_wake(loop->owner.user);
}

/* -- descriptors -- */

static uint32_t to_epoll(unsigned events) {
    return (events & LOOP_READABLE ? (uint32_t)EPOLLIN : 0) | (events & LOOP_WRITABLE ? (uint32_t)EPOLLOUT : 0) |
           (events & LOOP_HANGUP ? (uint32_t)EPOLLRDHUP : 0);
}

static bool control(const struct loop_watch *watch, int operation, unsigned events) {
    /* Nothing wanted: errors and hang-ups, which the kernel never leaves out, are told once at most. */
    struct epoll_event event = {.events = events ? to_epoll(events) : (uint32_t)EPOLLONESHOT,
                                .data.ptr = (void *)(uintptr_t)watch};
    return sys()->epoll_ctl(watch->loop->epoll_fd, operation, watch->fd, &event) == 0;
}

/* Makes the kernel watch exactly `events`. It has the entry already, so that this takes no memory and can't fail. */
static void arm(struct loop_watch *watch, unsigned events) {
    if (events == watch->armed)
        return;
    ASSERT(control(watch, EPOLL_CTL_MOD, events));
    watch->armed = (uint8_t)events;
}

bool loop_watch(struct loop *loop, struct loop_watch *watch, int fd, unsigned events, loop_ready_call *ready, void *user) {
    *watch = (struct loop_watch){
        .loop = loop, .ready = ready, .user = user, .fd = fd, .wanted = (uint8_t)events, .armed = (uint8_t)events};
    if (fd >= 0 && control(watch, EPOLL_CTL_ADD, events))
        return true;
    watch->loop = NULL;
    return false;
}

void loop_modify(struct loop_watch *watch, unsigned events) {
    unsigned dropped = watch->wanted & ~events;
    watch->wanted = (uint8_t)events;
    /* A socket stays writable: unlike reads, that comes back at once. */
    if (events & ~watch->armed || dropped & LOOP_WRITABLE)
        arm(watch, events);
}

void loop_unwatch(struct loop_watch *watch) {
    struct loop *loop = watch->loop;
    for (int i = loop->event_at; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
    ASSERT(control(watch, EPOLL_CTL_DEL, LOOP_NOTHING));
    watch->loop = NULL;
}

static void report(struct loop_watch *watch, uint32_t events) {
    unsigned seen = (events & EPOLLIN ? LOOP_READABLE : 0u) | (events & EPOLLOUT ? LOOP_WRITABLE : 0u) |
                    (events & EPOLLRDHUP ? LOOP_HANGUP : 0u);
    if (events & EPOLLHUP)
        seen |= LOOP_READABLE | LOOP_WRITABLE | LOOP_HANGUP;
    seen &= watch->wanted;
    if (watch->wanted && events & EPOLLERR) {
        arm(watch, LOOP_NOTHING); /* or it would be reported for ever */
        watch->wanted = LOOP_NOTHING;
        seen = LOOP_READABLE | LOOP_WRITABLE | LOOP_FAILED;
    } else if (!seen) {
        arm(watch, watch->wanted);
        return;
    }
    watch->loop->is_turning = true;
    watch->ready(watch->user, seen);
}

static void report_all(struct loop *loop) {
    for (loop->event_at = 0; loop->event_at < loop->event_count;) {
        struct epoll_event event = loop->events[loop->event_at++];
        if (event.data.ptr == loop)
            drain_wake(loop);
        else if (event.data.ptr)
            report(event.data.ptr, event.events);
    }
    loop->event_at = loop->event_count = 0;
}

/* -- time -- */

void loop_timer_at(struct loop *loop, struct mono at) {
    loop->timer_at = at;
}

void loop_busy_poll(struct loop *loop, int64_t ns) {
    loop->busy_ns = ns;
}

static void report_timer(struct loop *loop) {
    if (loop->timer_at.ns == MONO_NEVER.ns || !mono_due(loop->timer_at, platform_mono()))
        return;
    loop->timer_at = MONO_NEVER;
    loop->is_turning = true;
    if (loop->owner.on_timer)
        loop->owner.on_timer(loop->owner.user);
}

/* Questions for names have time limits of their own. */
static void report_names(struct loop *loop) {
    struct mono due = resolver_due(loop->resolver);
    if (due.ns == MONO_NEVER.ns || !mono_due(due, platform_mono()))
        return;
    loop->is_turning = true;
    resolver_tick(loop->resolver);
}

/* Rounded up, so that it never comes early. */
static int wait_ms(const struct loop *loop) {
    struct mono next = mono_min(loop->timer_at, resolver_due(loop->resolver));
    if (next.ns == MONO_NEVER.ns)
        return -1;
    int64_t left = next.ns - platform_mono().ns;
    if (left <= 0)
        return 0;
    int64_t ms = left / NS_PER_MS + (left % NS_PER_MS > 0);
    return ms < WAIT_MAX_MS ? (int)ms : WAIT_MAX_MS;
}

/* -- the turn -- */

static int look(struct loop *loop, int timeout_ms) {
    int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_MAX, timeout_ms);
    ASSERT(count >= 0 || errno == EINTR);
    return count > 0 ? count : 0;
}

/* Looks again and again for a while: who answers within that time isn't waited for by the scheduler. */
static int look_busily(struct loop *loop) {
    struct mono now = platform_mono();
    struct mono until = mono_min(mono_after(now, loop->busy_ns), loop->timer_at);
    int count = 0;
    while (count == 0 && !atomic_load_explicit(&loop->is_woken, memory_order_relaxed) && !mono_due(until, now)) {
        count = look(loop, 0);
        now = platform_mono();
    }
    return count;
}

static int wait_for_events(struct loop *loop) {
    int count = loop->busy_ns > 0 ? look_busily(loop) : 0;
    if (count)
        return count;
    atomic_store(&loop->is_asleep, true);
    count = look(loop, atomic_load(&loop->is_woken) ? 0 : wait_ms(loop));
    atomic_store_explicit(&loop->is_asleep, false, memory_order_relaxed);
    return count;
}

/* Stopped and continued, a machine that slept, a turn that took long: many deadlines are over at once, and what would
 * have moved them waits to be read. So all that is there is read before anybody is told that his time is over. */
static void catch_up(struct loop *loop) {
    for (int i = 0; i < LATE_LOOKS_MAX; i++) {
        if (loop->timer_at.ns == MONO_NEVER.ns || !mono_due(mono_after(loop->timer_at, LATE_NS), platform_mono()))
            return;
        int count = loop->event_count = look(loop, 0);
        report_all(loop);
        if (count < EVENTS_MAX)
            return;
    }
}

void loop_run_once(struct loop *loop, bool wait) {
    bool sleeps = wait && !loop->is_again && !atomic_load_explicit(&loop->is_woken, memory_order_relaxed);
    loop->is_turning |= loop->is_again;
    loop->is_again = false;
    loop->event_count = sleeps ? wait_for_events(loop) : look(loop, 0);
    report_all(loop);
    catch_up(loop);
    report_names(loop);
    report_wake(loop);
    report_timer(loop);
    end_turn(loop);
}

void loop_run(struct loop *loop) {
    while (!loop->is_stopped)
        loop_run_once(loop, true);
    loop->is_stopped = false;
}

void loop_stop(struct loop *loop) {
    loop->is_stopped = true;
}

void loop_again(struct loop *loop) {
    loop->is_again = true;
}

/* -- signals -- */

static void on_signal(int number) {
    struct loop *loop = atomic_load(&signal_loops[number]);
    if (!loop)
        return;
    atomic_fetch_or(&loop->signals_seen, UINT64_C(1) << number);
    loop_wake(loop);
}

bool loop_signal(struct loop *loop, int signal_number, loop_signal_call *call, void *user) {
    if (loop->signal_count == LOOP_SIGNALS_MAX || signal_number <= 0 || signal_number >= SIGNAL_NUMBERS)
        return false;
    struct loop *owner = NULL;
    if (!atomic_compare_exchange_strong(&signal_loops[signal_number], &owner, loop) && owner != loop)
        return false;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    if (!owner && sigaction(signal_number, &action, &signal_before[signal_number]) != 0) {
        atomic_store(&signal_loops[signal_number], NULL);
        return false;
    }
    loop->signals[loop->signal_count++] = (struct loop_signal_slot){call, user, signal_number};
    return true;
}

/* -- names -- */

struct resolver *loop_resolver(struct loop *loop) {
    if (!loop->resolver)
        loop->resolver = resolver_new(loop);
    return loop->resolver;
}

struct loop_resolve *loop_resolve(struct loop *loop, struct slice name, uint16_t port,
                                  loop_resolve_call *call, void *user) {
    struct resolver *resolver = loop_resolver(loop);
    return resolver ? resolver_ask(resolver, name, port, call, user) : NULL;
}

void loop_resolve_forget(struct loop_resolve *resolve) {
    resolver_forget(resolve);
}
