/* The PROXY header as filters. */
#include "protocol/proxy/proxy.h"

#include <stdio.h>

#include "base/memory.h"
#include "protocol/proxy/header.h"

struct proxy {
    struct filter_sink *sink;
    const struct proxy_trust *trust;
    uint8_t *kept;
    size_t size, room;
};

static void refuse(struct proxy *p, enum status status, const char *words) {
    p->sink->status = status;
    snprintf(p->sink->words, sizeof p->sink->words, "%s", words);
}

static bool has(const struct cidr *ranges, size_t count, const struct address *address) {
    for (size_t i = 0; i < count; i++)
        if (cidr_has(&ranges[i], address))
            return true;
    return false;
}

static void in_open(void *state, const void *profile, const struct protocol_setup *setup, struct protocol_worker *worker,
                    struct filter_sink *sink, const struct address *peer, struct now now) {
    struct proxy *p = state;
    (void)setup, (void)worker, (void)now;
    p->sink = sink;
    p->trust = profile;
    if (!has(p->trust->proxies, p->trust->proxy_count, peer))
        refuse(p, STATUS_FORBIDDEN, "`trusted_proxies` does not name this address");
}

static bool keep(struct proxy *p, struct slice bytes) {
    if (p->size + bytes.size > p->room) {
        size_t room = p->room ? p->room : 128;
        while (room < p->size + bytes.size)
            room *= 2;
        uint8_t *kept = memory_resize(p->kept, room);
        if (!kept)
            return false;
        p->kept = kept;
        p->room = room;
    }
    memcpy(p->kept + p->size, bytes.data, bytes.size);
    p->size += bytes.size;
    return true;
}

static void arrived(struct proxy *p, const struct proxy_header *header) {
    if (header->is_shown && p->trust->allow_count && !has(p->trust->allow, p->trust->allow_count, &header->source)) {
        refuse(p, STATUS_FORBIDDEN, "`allow` does not name who connected to the proxy");
        return;
    }
    p->sink->peer_changed = header->is_shown;
    p->sink->peer = address_unmapped(&header->source);
    p->sink->ready = p->sink->over = true;
}

/* Never takes more than the header: what stands behind is another's. */
static size_t in_feed(void *state, struct slice *wire, uint8_t *plain, size_t room, struct now now) {
    struct proxy *p = state;
    (void)plain, (void)room, (void)now;
    while (wire->size && !p->sink->over && p->sink->status == STATUS_OK) {
        struct proxy_header header;
        const char *why = "";
        size_t wants = proxy_header_wants(slice_make(p->kept, p->size));
        struct slice part = slice_head(*wire, wants < wire->size ? wants : wire->size);
        if (!keep(p, part)) {
            refuse(p, STATUS_NO_MEMORY, "");
            return 0;
        }
        *wire = slice_skip(*wire, part.size);
        enum proxy_result result = proxy_header_read(slice_make(p->kept, p->size), &header, &why);
        if (result == PROXY_BROKEN)
            refuse(p, STATUS_PROTOCOL_ERROR, why);
        else if (result == PROXY_WHOLE)
            arrived(p, &header);
    }
    return 0;
}

static size_t no_seal(void *state, struct slice plain, struct now now) {
    (void)state, (void)plain, (void)now;
    return 0; /* never asked: nothing is written while it isn't ready, and then it is over */
}

static void in_done(void *state) {
    struct proxy *p = state;
    memory_free(p->kept);
    p->kept = NULL;
}

const struct filter proxy_in = {
    .name = "proxy-header", .state_size = sizeof(struct proxy), .open = in_open, .feed = in_feed, .seal = no_seal, .done = in_done};

static void out_open(void *state, const void *profile, const struct protocol_setup *setup, struct protocol_worker *worker,
                     struct filter_sink *sink, const struct address *peer, struct now now) {
    const unsigned *version = profile;
    (void)state, (void)setup, (void)worker, (void)peer, (void)now;
    if (chain_add(sink->wire, proxy_header_own(*version)))
        sink->ready = sink->over = true;
    else
        sink->status = STATUS_NO_MEMORY;
}

static size_t out_feed(void *state, struct slice *wire, uint8_t *plain, size_t room, struct now now) {
    (void)state, (void)wire, (void)plain, (void)room, (void)now;
    return 0;
}

static void out_done(void *state) {
    (void)state;
}

const struct filter proxy_out = {
    .name = "proxy-header", .state_size = 1, .open = out_open, .feed = out_feed, .seal = no_seal, .done = out_done};
