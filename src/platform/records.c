/* Asks for records by c-ares. */
#include "platform/records.h"

#include <ares.h>

#include "base/memory.h"
#include "platform/resolver.h"

#define CLASS_IN 1

struct records_ask {
    struct resolver *resolver;
    records_call *call; /* NULL: forgotten */
    void *user;
    enum dns_type type;
    bool is_begun; /* ares_query() has returned: before, its answer waits */
    bool is_over;
    enum status status;
    struct dns_answer *answer; /* NULL: none */
    size_t size;
    char name[DNS_NAME_MAX + 1];
};

static enum status status_of(int error) {
    switch (error) {
    case ARES_SUCCESS:
        return STATUS_OK;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
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

static void finish(struct records_ask *ask) {
    if (ask->call)
        ask->call(ask->user, ask->status, ask->answer);
    memory_free(ask->answer);
    memory_free(ask);
}

static void on_answer(void *user, int error, int timeouts, unsigned char *bytes, int size) {
    struct records_ask *ask = user;
    (void)timeouts;
    ask->is_over = true;
    ask->status = status_of(error);
    if (ask->status != STATUS_CANCELLED)
        resolver_end(ask->resolver);
    if (ask->status == STATUS_OK && ask->call) {
        ask->answer = memory_new(sizeof *ask->answer);
        ask->status = ask->answer ? dns_read(slice_make(bytes, size > 0 ? (size_t)size : 0),
                                             slice_make(ask->name, ask->size), ask->type, ask->answer)
                                  : STATUS_NO_MEMORY;
        if (ask->status == STATUS_PROTOCOL_ERROR)
            ask->status = STATUS_RESOLVE_FAILED;
    }
    if (ask->is_begun)
        finish(ask);
}

struct records_ask *records_ask(struct loop *loop, struct slice name, enum dns_type type, records_call *call,
                                void *user) {
    struct resolver *resolver = loop_resolver(loop);
    struct records_ask *ask =
        resolver && name.size && name.size <= DNS_NAME_MAX ? memory_new(sizeof *ask) : NULL;
    struct ares_channeldata *channel = ask ? resolver_begin(resolver) : NULL;
    if (!channel) {
        memory_free(ask);
        return NULL;
    }
    *ask = (struct records_ask){
        .resolver = resolver, .call = call, .user = user, .type = type, .size = name.size};
    memcpy(ask->name, name.data, name.size);
    ares_query(channel, ask->name, CLASS_IN, (int)type, on_answer, ask);
    if (ask->is_over) { /* at once: what it is for is not ready to hear of it */
        memory_free(ask->answer);
        memory_free(ask);
        return NULL;
    }
    ask->is_begun = true;
    return ask;
}

void records_forget(struct records_ask *ask) {
    ask->call = NULL;
}
