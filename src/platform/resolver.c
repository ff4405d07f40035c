/* Names to addresses in helper threads. */
#include "platform/resolver.h"

#include <netdb.h>
#include <pthread.h>

#include "base/memory.h"
#include "platform/sockaddr.h"
#include "platform/thread.h"

struct loop_resolve {
    struct loop_resolve *next;
    loop_resolve_call *call; /* the loop's thread's; NULL: forgotten */
    void *user;
    enum status status;
    uint16_t port;
    char name[LOOP_NAME_MAX + 1];
    size_t count;
    struct address addresses[LOOP_ADDRESSES_MAX];
};

struct queue {
    struct loop_resolve *first;
    struct loop_resolve *last;
};

struct resolver {
    struct loop *loop;
    struct thread threads[RESOLVER_THREADS_MAX];
    unsigned thread_count;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t more;
    struct queue asked;
    struct queue answered;
    unsigned waiting; /* threads with nothing to do */
    unsigned open;    /* asked, and no thread has it yet */
    bool is_ending;
};

static void put(struct queue *queue, struct loop_resolve *request) {
    request->next = NULL;
    if (queue->last)
        queue->last->next = request;
    else
        queue->first = request;
    queue->last = request;
}

static struct loop_resolve *take(struct queue *queue) {
    struct loop_resolve *request = queue->first;
    if (request && !(queue->first = request->next))
        queue->last = NULL;
    return request;
}

/* -- helper threads -- */

static void look_up(struct loop_resolve *request) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}; /* else each address comes once per type */
    struct addrinfo *found = NULL;
    int error = getaddrinfo(request->name, NULL, &hints, &found);
    for (const struct addrinfo *at = found; at && request->count < LOOP_ADDRESSES_MAX; at = at->ai_next)
        if (sockaddr_read(at->ai_addr, &request->addresses[request->count]))
            request->addresses[request->count++].port = request->port;
    if (found)
        freeaddrinfo(found);
    request->status = request->count        ? STATUS_OK
                      : error == EAI_MEMORY ? STATUS_NO_MEMORY
                                            : STATUS_RESOLVE_FAILED;
}

/* NULL: the end. */
static struct loop_resolve *wait_for_one(struct resolver *resolver) {
    resolver->waiting++;
    while (!resolver->is_ending && !resolver->asked.first)
        pthread_cond_wait(&resolver->more, &resolver->lock);
    resolver->waiting--;
    struct loop_resolve *request = resolver->is_ending ? NULL : take(&resolver->asked);
    resolver->open -= request != NULL;
    return request;
}

static void run(void *user) {
    struct resolver *resolver = user;
    struct loop_resolve *request;
    pthread_mutex_lock(&resolver->lock);
    while ((request = wait_for_one(resolver))) {
        pthread_mutex_unlock(&resolver->lock);
        look_up(request);
        pthread_mutex_lock(&resolver->lock);
        put(&resolver->answered, request);
        loop_wake(resolver->loop);
    }
    pthread_mutex_unlock(&resolver->lock);
}

/* -- the loop's thread -- */

struct resolver *resolver_new(struct loop *loop) {
    struct resolver *resolver = memory_new(sizeof *resolver);
    if (!resolver)
        return NULL;
    resolver->loop = loop;
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->more, NULL);
    return resolver;
}

/* False when there is no thread at all. */
static bool have_thread(struct resolver *resolver) {
    pthread_mutex_lock(&resolver->lock);
    bool enough = resolver->waiting > resolver->open;
    pthread_mutex_unlock(&resolver->lock);
    if (enough || resolver->thread_count == RESOLVER_THREADS_MAX)
        return true;
    struct thread *thread = &resolver->threads[resolver->thread_count];
    if (thread_start(thread, "resolver", run, resolver) == STATUS_OK)
        resolver->thread_count++;
    return resolver->thread_count > 0;
}

struct loop_resolve *resolver_ask(struct resolver *resolver, struct slice name, uint16_t port, loop_resolve_call *call,
                                  void *user) {
    if (name.size == 0 || name.size > LOOP_NAME_MAX || slice_find(name, 0) < name.size)
        return NULL;
    struct loop_resolve *request = memory_new(sizeof *request);
    if (!request)
        return NULL;
    if (!have_thread(resolver)) {
        memory_free(request);
        return NULL;
    }
    memcpy(request->name, name.data, name.size);
    request->call = call;
    request->user = user;
    request->port = port;
    pthread_mutex_lock(&resolver->lock);
    put(&resolver->asked, request);
    resolver->open++;
    pthread_cond_signal(&resolver->more);
    pthread_mutex_unlock(&resolver->lock);
    return request;
}

void resolver_forget(struct loop_resolve *request) {
    request->call = NULL;
}

static void answer(struct loop_resolve *request) {
    if (request->call)
        request->call(request->user, request->status, request->addresses, request->count);
    memory_free(request);
}

void resolver_report(struct resolver *resolver) {
    if (!resolver)
        return;
    for (;;) {
        pthread_mutex_lock(&resolver->lock);
        struct loop_resolve *request = take(&resolver->answered);
        pthread_mutex_unlock(&resolver->lock);
        if (!request)
            return;
        answer(request);
    }
}

static void cancel_all(struct queue *queue) {
    struct loop_resolve *request;
    while ((request = take(queue))) {
        request->status = STATUS_CANCELLED;
        request->count = 0;
        answer(request);
    }
}

void resolver_free(struct resolver *resolver) {
    if (!resolver)
        return;
    pthread_mutex_lock(&resolver->lock);
    resolver->is_ending = true;
    pthread_cond_broadcast(&resolver->more);
    pthread_mutex_unlock(&resolver->lock);
    for (unsigned i = 0; i < resolver->thread_count; i++)
        thread_join(&resolver->threads[i]);
    cancel_all(&resolver->answered);
    cancel_all(&resolver->asked);
    pthread_cond_destroy(&resolver->more);
    pthread_mutex_destroy(&resolver->lock);
    memory_free(resolver);
}
