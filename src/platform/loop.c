/* The event loop of one thread, on libuv. */
#include "platform/loop.h"

#include <uv.h>

#include "base/assert.h"
#include "base/memory.h"
#include "platform/sockaddr.h"

struct loop_signal_slot {
    uv_signal_t handle;
    struct loop *loop;
    loop_signal_call *call;
    void *user;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_timer_t timer;
    uv_async_t async;
    struct loop_owner owner;
    struct mono timer_at;
    bool is_turning; /* something was reported since on_turn */
    bool is_ending;
    unsigned signal_count;
    struct loop_signal_slot signals[LOOP_SIGNALS_MAX];
};

struct loop_watch {
    uv_poll_t handle;
    struct loop *loop;
    loop_ready_call *ready;
    void *user;
    unsigned events;
};

struct loop_resolve {
    uv_getaddrinfo_t request;
    struct loop *loop;
    loop_resolve_call *call; /* NULL: forgotten */
    void *user;
    uint16_t port;
};

static void end_turn(struct loop *loop) {
    if (!loop->is_turning)
        return;
    loop->is_turning = false;
    if (loop->owner.on_turn)
        loop->owner.on_turn(loop->owner.user);
}

/* libuv prepares after timers and before it waits: everything of this turn was reported by then. */
static void on_prepare(uv_prepare_t *handle) {
    end_turn(handle->data);
}

static void on_idle(uv_idle_t *handle) {
    struct loop *loop = handle->data;
    uv_idle_stop(handle);
    loop->is_turning = true;
}

static void on_timer(uv_timer_t *handle) {
    struct loop *loop = handle->data;
    loop->timer_at = MONO_NEVER;
    loop->is_turning = true;
    if (loop->owner.on_timer)
        loop->owner.on_timer(loop->owner.user);
}

static void on_async(uv_async_t *handle) {
    struct loop *loop = handle->data;
    loop->is_turning = true;
    if (loop->owner.on_wake)
        loop->owner.on_wake(loop->owner.user);
}

struct loop *loop_new(const struct loop_owner *owner) {
    struct loop *loop = memory_new(sizeof *loop);
    if (!loop)
        return NULL;
    if (uv_loop_init(&loop->uv) != 0) {
        memory_free(loop);
        return NULL;
    }
    loop->owner = *owner;
    loop->timer_at = MONO_NEVER;
    if (uv_async_init(&loop->uv, &loop->async, on_async) != 0) { /* the one that takes a descriptor */
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        uv_loop_close(&loop->uv);
        memory_free(loop);
        return NULL;
    }
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_idle_init(&loop->uv, &loop->idle);
    uv_timer_init(&loop->uv, &loop->timer);
    loop->async.data = loop->prepare.data = loop->idle.data = loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    return loop;
}

static void free_watch(uv_handle_t *handle) {
    memory_free(handle->data);
}

static void close_any(uv_handle_t *handle, void *user) {
    (void)user;
    if (!uv_is_closing(handle))
        uv_close(handle, handle->type == UV_POLL ? free_watch : NULL);
}

void loop_free(struct loop *loop) {
    if (!loop)
        return;
    loop->is_ending = true;
    uv_walk(&loop->uv, close_any, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* until closed and resolved: nothing else is left */
    ASSERT(uv_loop_close(&loop->uv) == 0);
    memory_free(loop);
}

void loop_run(struct loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    end_turn(loop);
}

void loop_run_once(struct loop *loop, bool wait) {
    uv_run(&loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    end_turn(loop);
}

void loop_stop(struct loop *loop) {
    uv_stop(&loop->uv);
}

void loop_again(struct loop *loop) {
    uv_idle_start(&loop->idle, on_idle);
}

void loop_wake(struct loop *loop) {
    uv_async_send(&loop->async);
}

/* -- descriptors -- */

static void on_poll(uv_poll_t *handle, int error, int events) {
    struct loop_watch *watch = handle->data;
    unsigned seen = 0;
    watch->loop->is_turning = true;
    if (error) {
        watch->events = 0; /* libuv has stopped it */
        seen = LOOP_READABLE | LOOP_WRITABLE | LOOP_FAILED;
    } else {
        seen |= events & UV_READABLE ? LOOP_READABLE : 0u;
        seen |= events & UV_WRITABLE ? LOOP_WRITABLE : 0u;
        seen |= events & UV_DISCONNECT ? LOOP_HANGUP : 0u;
    }
    watch->ready(watch->user, seen);
}

static int uv_events(unsigned events) {
    return (events & LOOP_READABLE ? UV_READABLE : 0) | (events & LOOP_WRITABLE ? UV_WRITABLE : 0) |
           (events & LOOP_HANGUP ? UV_DISCONNECT : 0);
}

struct loop_watch *loop_watch(struct loop *loop, int fd, unsigned events, loop_ready_call *ready, void *user) {
    struct loop_watch *watch = memory_new(sizeof *watch);
    if (!watch)
        return NULL;
    if (uv_poll_init(&loop->uv, &watch->handle, fd) != 0) {
        memory_free(watch);
        return NULL;
    }
    watch->handle.data = watch;
    watch->loop = loop;
    watch->ready = ready;
    watch->user = user;
    loop_modify(watch, events);
    return watch;
}

void loop_modify(struct loop_watch *watch, unsigned events) {
    if (events == watch->events)
        return;
    watch->events = events;
    ASSERT(uv_poll_start(&watch->handle, uv_events(events), on_poll) == 0);
}

void loop_unwatch(struct loop_watch *watch) {
    uv_close((uv_handle_t *)&watch->handle, free_watch);
}

/* -- time -- */

void loop_timer_at(struct loop *loop, struct mono at) {
    if (at.ns == loop->timer_at.ns)
        return;
    loop->timer_at = at;
    if (at.ns == MONO_NEVER.ns) {
        uv_timer_stop(&loop->timer);
        return;
    }
    /* libuv's time is the same clock in whole milliseconds, as of the turn's start. */
    int64_t due_ms = at.ns / NS_PER_MS + (at.ns % NS_PER_MS > 0);
    int64_t wait_ms = due_ms - (int64_t)uv_now(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

/* -- signals -- */

static void on_signal(uv_signal_t *handle, int signal_number) {
    struct loop_signal_slot *slot = handle->data;
    slot->loop->is_turning = true;
    slot->call(slot->user, signal_number);
}

bool loop_signal(struct loop *loop, int signal_number, loop_signal_call *call, void *user) {
    if (loop->signal_count == LOOP_SIGNALS_MAX)
        return false;
    struct loop_signal_slot *slot = &loop->signals[loop->signal_count];
    if (uv_signal_init(&loop->uv, &slot->handle) != 0)
        return false;
    loop->signal_count++; /* the slot is libuv's until the loop ends, whatever comes */
    slot->handle.data = slot;
    slot->loop = loop;
    slot->call = call;
    slot->user = user;
    return uv_signal_start(&slot->handle, on_signal, signal_number) == 0;
}

/* -- names -- */

static size_t gather(const struct addrinfo *found, uint16_t port, struct address *out) {
    size_t count = 0;
    for (; found && count < LOOP_ADDRESSES_MAX; found = found->ai_next) {
        if (!sockaddr_read(found->ai_addr, &out[count]))
            continue;
        out[count++].port = port;
    }
    return count;
}

static void on_resolved(uv_getaddrinfo_t *request, int error, struct addrinfo *found) {
    struct loop_resolve *resolve = request->data;
    struct address addresses[LOOP_ADDRESSES_MAX];
    size_t count = error ? 0 : gather(found, resolve->port, addresses);
    enum status status = count ? STATUS_OK : error == UV_EAI_MEMORY ? STATUS_NO_MEMORY : STATUS_RESOLVE_FAILED;
    uv_freeaddrinfo(found);
    if (resolve->loop->is_ending) {
        status = STATUS_CANCELLED;
        count = 0;
    }
    resolve->loop->is_turning = true;
    if (resolve->call)
        resolve->call(resolve->user, status, addresses, count);
    memory_free(resolve);
}

struct loop_resolve *loop_resolve(struct loop *loop, struct slice name, uint16_t port, loop_resolve_call *call,
                                  void *user) {
    /* libuv once cut longer names silently (CVE-2024-24806), so the length is ours to check. */
    char text[LOOP_NAME_MAX + 1];
    if (name.size == 0 || name.size > LOOP_NAME_MAX || slice_find(name, 0) < name.size)
        return NULL;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    struct loop_resolve *resolve = memory_new(sizeof *resolve);
    if (!resolve)
        return NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}; /* else each address comes once per type */
    resolve->request.data = resolve;
    resolve->loop = loop;
    resolve->call = call;
    resolve->user = user;
    resolve->port = port;
    if (uv_getaddrinfo(&loop->uv, &resolve->request, on_resolved, text, NULL, &hints) != 0) {
        memory_free(resolve);
        return NULL;
    }
    return resolve;
}

void loop_resolve_forget(struct loop_resolve *resolve) {
    resolve->call = NULL;
    uv_cancel((uv_req_t *)&resolve->request); /* only when not begun; the callback comes either way */
}
