/* Names to addresses, by c-ares on the loop. */
#include "platform/resolver.h"

#include <ares.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "platform/clock.h"
#include "platform/entropy.h"
#include "platform/sockaddr.h"

/* One who waits for a name, or whose answer is about to be given. */
struct loop_resolve {
    struct list_node node; /* of its name, or in resolver->answered */
    struct name *name;     /* NULL: it has its answer */
    loop_resolve_call *call; /* NULL: forgotten */
    void *user;
    enum status status;
    uint16_t port;
    uint8_t count;
    struct address addresses[LOOP_ADDRESSES_MAX];
};

/* One name that is being asked for or was found (or found missing). */
struct name {
    struct list_node node; /* in resolver->names, the one unused for longest first */
    struct resolver *resolver;
    struct list waiting;
    struct mono until; /* known: good for so long */
    enum status status;
    bool is_known; /* else it is being asked for */
    bool is_asked; /* c-ares has it */
    uint8_t count;
    struct address addresses[LOOP_ADDRESSES_MAX]; /* without port */
    size_t size;
    char text[LOOP_NAME_MAX + 1];
};

/* A socket of c-ares. */
struct wire {
    struct list_node node;
    struct loop_watch watch;
    struct resolver *resolver;
    int fd;
};

struct resolver {
    struct loop *loop;
    ares_channel channel; /* NULL: none yet */
    struct mono opened;   /* the channel */
    struct list wires;
    struct list names;
    struct map by_text;
    struct list answered;
    uint32_t asked; /* names that c-ares has */
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void start_library(void) {
    (void)ares_library_init(ARES_LIB_INIT_ALL);
}

struct resolver *resolver_new(struct loop *loop) {
    struct resolver *resolver = memory_new(sizeof *resolver);
    uint64_t seed = 0;
    if (!resolver)
        return NULL;
    if (!entropy_seed(&seed))
        seed = (uint64_t)platform_mono().ns; /* names come from the configuration, not from strangers */
    resolver->loop = loop;
    list_init(&resolver->wires);
    list_init(&resolver->names);
    list_init(&resolver->answered);
    map_init(&resolver->by_text, seed);
    return resolver;
}

/* -- sockets of c-ares -- */

static void wire_ready(void *user, unsigned events) {
    const struct wire *wire = user;
    struct resolver *resolver = wire->resolver;
    int fd = wire->fd; /* the wire may go meanwhile */
    ares_process_fd(resolver->channel, events & LOOP_READABLE ? fd : ARES_SOCKET_BAD, events & LOOP_WRITABLE ? fd : ARES_SOCKET_BAD);
}

static struct wire *wire_find(const struct resolver *resolver, int fd) {
    for (struct list_node *node = list_first(&resolver->wires); node; node = list_next(&resolver->wires, node))
        if (LIST_ENTRY(node, struct wire, node)->fd == fd)
            return LIST_ENTRY(node, struct wire, node);
    return NULL;
}

static void wire_free(struct wire *wire) {
    if (wire->watch.loop)
        loop_unwatch(&wire->watch);
    list_remove(&wire->resolver->wires, &wire->node);
    memory_free(wire);
}

/* What can't be watched for want of memory is left to the time limit of its question. */
static void on_socket(void *user, ares_socket_t fd, int readable, int writable) {
    struct resolver *resolver = user;
    struct wire *wire = wire_find(resolver, fd);
    unsigned events = (readable ? LOOP_READABLE : 0u) | (writable ? LOOP_WRITABLE : 0u);
    if (wire && events) {
        loop_modify(&wire->watch, events);
    } else if (wire) {
        wire_free(wire);
    } else if (events && (wire = memory_new(sizeof *wire))) {
        wire->resolver = resolver;
        wire->fd = fd;
        list_add(&resolver->wires, &wire->node);
        if (!loop_watch(resolver->loop, &wire->watch, fd, events, wire_ready, wire))
            wire_free(wire);
    }
}

/* -- the channel -- */

static void close_channel(struct resolver *resolver) {
    if (resolver->channel)
        ares_destroy(resolver->channel); /* ends all questions, each with its callback */
    resolver->channel = NULL;
    while (resolver->wires.count)
        wire_free(LIST_ENTRY(list_first(&resolver->wires), struct wire, node));
}

/* resolv.conf is read when a channel is made, so that one is replaced now and then, while nothing is asked. */
static bool have_channel(struct resolver *resolver, struct mono now) {
    struct ares_options options = {.timeout = RESOLVER_TIMEOUT_MS, .tries = RESOLVER_TRIES, .sock_state_cb = on_socket, .sock_state_cb_data = resolver};
    const char *servers = getenv(RESOLVER_VARIABLE);
    if (resolver->channel && resolver->asked == 0 && now.ns - resolver->opened.ns >= RESOLVER_FRESH_NS)
        close_channel(resolver);
    if (resolver->channel)
        return true;
    pthread_once(&library_once, start_library);
    if (ares_init_options(&resolver->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
        resolver->channel = NULL;
        return false;
    }
    resolver->opened = now;
    if (!servers || !servers[0] || ares_set_servers_ports_csv(resolver->channel, servers) == ARES_SUCCESS)
        return true;
    close_channel(resolver); /* asking others than those that were named would be worse than no answer */
    return false;
}

/* -- names -- */

static void name_free(struct name *name) {
    struct resolver *resolver = name->resolver;
    map_remove(&resolver->by_text, slice_make(name->text, name->size));
    list_remove(&resolver->names, &name->node);
    memory_free(name);
}

/* The one unused for longest that nobody waits for. */
static bool make_room(struct resolver *resolver) {
    if (resolver->names.count < RESOLVER_NAMES_MAX)
        return true;
    for (struct list_node *node = list_first(&resolver->names); node; node = list_next(&resolver->names, node)) {
        struct name *name = LIST_ENTRY(node, struct name, node);
        if (name->is_asked || name->waiting.count)
            continue;
        name_free(name);
        return true;
    }
    return false;
}

/* DNS knows no case. */
static struct slice lower(char out[static LOOP_NAME_MAX + 1], struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[text.size] = 0;
    return slice_make(out, text.size);
}

static struct name *name_get(struct resolver *resolver, struct slice text) {
    char folded[LOOP_NAME_MAX + 1];
    struct slice key = lower(folded, text);
    struct name *name = map_get(&resolver->by_text, key);
    if (name) {
        list_remove(&resolver->names, &name->node);
        list_add(&resolver->names, &name->node);
        return name;
    }
    name = make_room(resolver) ? memory_new(sizeof *name) : NULL;
    if (!name)
        return NULL;
    memcpy(name->text, folded, key.size + 1);
    name->size = key.size;
    name->resolver = resolver;
    list_init(&name->waiting);
    if (!map_put(&resolver->by_text, slice_make(name->text, name->size), name)) {
        memory_free(name);
        return NULL;
    }
    list_add(&resolver->names, &name->node);
    return name;
}

/* Its answer is given in a later turn: nobody is called back from within his own call. */
static void give(struct resolver *resolver, struct loop_resolve *request, const struct name *name) {
    request->name = NULL;
    request->status = name->status;
    request->count = name->count;
    for (uint8_t i = 0; i < name->count; i++) {
        request->addresses[i] = name->addresses[i];
        request->addresses[i].port = request->port;
    }
    list_add(&resolver->answered, &request->node);
    loop_wake(resolver->loop);
}

/* -- answers of c-ares -- */

static enum status status_of(int error) {
    switch (error) {
    case ARES_SUCCESS:
        return STATUS_OK;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        return STATUS_NAME_NOT_FOUND;
    case ARES_ETIMEOUT:
        return STATUS_RESOLVE_TIMEOUT;
    case ARES_ENOMEM:
        return STATUS_NO_MEMORY;
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED:
        return STATUS_CANCELLED;
    default:
        return STATUS_RESOLVE_FAILED; /* refused, broken, no server there */
    }
}

/* The shortest life of what is kept counts, within bounds. */
static void keep(struct name *name, const struct ares_addrinfo *found, struct mono now) {
    int64_t ttl = RESOLVER_TTL_MAX_NS;
    name->count = 0;
    for (const struct ares_addrinfo_node *at = found->nodes; at && name->count < LOOP_ADDRESSES_MAX; at = at->ai_next) {
        if (!sockaddr_read(at->ai_addr, &name->addresses[name->count]))
            continue;
        name->addresses[name->count++].port = 0;
        int64_t life = at->ai_ttl > 0 ? at->ai_ttl * NS_PER_S : RESOLVER_TTL_MIN_NS;
        ttl = life < ttl ? life : ttl;
    }
    name->status = name->count ? STATUS_OK : STATUS_NAME_NOT_FOUND;
    name->until = mono_after(now, name->count == 0              ? RESOLVER_MISSING_NS
                                  : ttl < RESOLVER_TTL_MIN_NS ? RESOLVER_TTL_MIN_NS
                                                              : ttl);
}

static void on_found(void *user, int error, int timeouts, struct ares_addrinfo *found) {
    struct name *name = user;
    struct resolver *resolver = name->resolver;
    struct mono now = platform_mono();
    (void)timeouts;
    name->is_asked = false;
    resolver->asked--;
    name->is_known = true;
    name->count = 0;
    name->status = status_of(error);
    name->until = name->status == STATUS_NAME_NOT_FOUND ? mono_after(now, RESOLVER_MISSING_NS) : now; /* failures: ask again */
    if (name->status == STATUS_OK)
        keep(name, found, now);
    if (found)
        ares_freeaddrinfo(found);
    while (name->waiting.count)
        give(resolver, LIST_ENTRY(list_take_first(&name->waiting), struct loop_resolve, node), name);
}

static void ask(struct name *name) {
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    name->is_known = false;
    name->is_asked = true;
    name->resolver->asked++;
    ares_getaddrinfo(name->resolver->channel, name->text, NULL, &hints, on_found, name); /* may call back at once */
}

/* -- the loop's thread -- */

struct ares_channeldata *resolver_begin(struct resolver *resolver) {
    if (!have_channel(resolver, platform_mono()))
        return NULL;
    resolver->asked++;
    return resolver->channel;
}

void resolver_end(struct resolver *resolver) {
    resolver->asked--;
    loop_wake(resolver->loop); /* whoever hears of it may have more to ask */
}

struct loop_resolve *resolver_ask(struct resolver *resolver, struct slice text, uint16_t port,
                                  loop_resolve_call *call, void *user) {
    if (text.size == 0 || text.size > LOOP_NAME_MAX || slice_find(text, 0) < text.size)
        return NULL;
    struct mono now = platform_mono();
    struct loop_resolve *request = memory_new(sizeof *request);
    struct name *name = request ? name_get(resolver, text) : NULL;
    bool is_good = name && name->is_known && !mono_due(name->until, now);
    if (!name || (!is_good && !name->is_asked && !have_channel(resolver, now))) {
        memory_free(request);
        return NULL;
    }
    request->name = name;
    request->call = call;
    request->user = user;
    request->port = port;
    if (is_good) {
        give(resolver, request, name);
        return request;
    }
    list_add(&name->waiting, &request->node);
    if (!name->is_asked)
        ask(name);
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
    while (resolver && resolver->answered.count)
        answer(LIST_ENTRY(list_take_first(&resolver->answered), struct loop_resolve, node));
}

struct mono resolver_due(const struct resolver *resolver) {
    struct timeval left;
    if (!resolver || resolver->asked == 0 || !ares_timeout(resolver->channel, NULL, &left))
        return MONO_NEVER;
    return mono_after(platform_mono(), left.tv_sec * NS_PER_S + left.tv_usec * 1000);
}

void resolver_tick(struct resolver *resolver) {
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void resolver_free(struct resolver *resolver) {
    if (!resolver)
        return;
    close_channel(resolver);
    for (struct list_node *node = list_first(&resolver->answered); node; node = list_next(&resolver->answered, node)) {
        struct loop_resolve *request = LIST_ENTRY(node, struct loop_resolve, node);
        request->status = STATUS_CANCELLED;
        request->count = 0;
    }
    resolver_report(resolver);
    while (resolver->names.count)
        name_free(LIST_ENTRY(list_first(&resolver->names), struct name, node));
    map_done(&resolver->by_text);
    memory_free(resolver);
}
