/* Bytes in and out of a connection: feeding the protocol, keeping what it did not use, what was written. */
#include "base/assert.h"
#include "connection/inner.h"

#include "base/memory.h"

static bool may_feed(const struct connection *c) {
    return connection_reads(c) && !c->sink.closing;
}

/* Replaces the top layer (sniffing, Upgrade). The terms start anew. */
static void become(struct connection *c, struct now now) {
    const struct protocol *next = c->sink.become;
    c->sink.become = NULL;
    void *state = memory_new(next->state_size);
    if (!state) {
        connection_close(c, STATUS_NO_MEMORY);
        return;
    }
    c->protocol->done(c->state);
    memory_free(c->state);
    c->state = state;
    c->protocol = next;
    c->sink.terms = (struct protocol_terms){0};
    c->sink.room = (struct protocol_room){0};
    c->sink.due = MONO_NEVER;
    c->sink.want = c->sink.held = 0;
    next->open(state, c->setup, &c->net->worker, &c->sink, &c->peer, now);
    c->net->calls->progress(c->net->user, c, now);
}

/* Feeds until the protocol wants no more; returns bytes used. */
static size_t feed_all(struct connection *c, struct slice bytes, struct now now) {
    size_t total = 0;
    c->in_feed = true;
    while (may_feed(c) && (bytes.size > total || (c->peer_ended && total == bytes.size))) {
        size_t left = bytes.size - total;
        if (left < c->sink.want && !c->peer_ended)
            break;
        c->sink.want = 0;
        const struct protocol *before = c->protocol;
        size_t used = c->protocol->feed(c->state, slice_make(bytes.data + total, left), c->peer_ended, now);
        ASSERT(used <= left);
        total += used;
        if (used && c->sink.held == 0)
            c->begun = MONO_NEVER; /* what comes next is another unit */
        if (c->status == CONNECTION_OPEN && c->sink.become)
            become(c, now);
        struct connection *parked = c->net->resumes;
        c->net->resumes = NULL;
        if (parked && c->status == CONNECTION_OPEN) {
            net_adopt(c, parked, now);
            continue;
        }
        if (used == 0 && c->protocol == before)
            break;
        if (left == used && c->peer_ended)
            break;
    }
    c->in_feed = false;
    return total;
}

void net_forget_partial(struct connection *c) {
    if (!c->partial)
        return;
    buffer_done(c->partial);
    memory_free(c->partial);
    c->partial = NULL;
}

static enum status add_partial(struct connection *c, struct slice rest) {
    const struct protocol_setup *setup = c->setup;
    if (!c->partial) {
        if (!(c->partial = memory_alloc(sizeof *c->partial)))
            return STATUS_NO_MEMORY;
        /* A unit may be as large as the message and header limits together; a paused peer's one read comes on top. */
        buffer_init(c->partial, (size_t)setup->limits.message + setup->limits.header + (320u << 10));
    }
    buffer_add(c->partial, rest);
    return c->partial->status;
}

static void keep(struct connection *c, struct slice rest) {
    if (rest.size == 0 || c->sink.closing || c->status != CONNECTION_OPEN)
        return;
    enum status status = add_partial(c, rest);
    if (status != STATUS_OK)
        connection_close(c, status == STATUS_NO_MEMORY ? STATUS_NO_MEMORY : STATUS_FRAME_TOO_LARGE);
    else
        net_recount(c);
}

/* Feeds what was kept, then forgets what was used of it. True when nothing of it is left. */
static bool feed_partial(struct connection *c, struct now now) {
    if (!c->partial)
        return true;
    size_t used = feed_all(c, buffer_slice(c->partial), now);
    if (c->status != CONNECTION_OPEN)
        return false;
    if (used == c->partial->size)
        net_forget_partial(c); /* idle connections hold no buffer */
    else
        buffer_consume(c->partial, used);
    return !c->partial;
}

void net_take(struct connection *c, struct slice bytes, struct now now) {
    if (c->status != CONNECTION_OPEN || c->sink.closing)
        return;
    /* Top up a begun unit by what it lacks, so that only that unit is copied and the rest is fed in place. */
    while (c->partial && bytes.size && may_feed(c)) {
        size_t lack = c->sink.want > c->partial->size ? c->sink.want - c->partial->size : bytes.size;
        struct slice top = slice_head(bytes, lack);
        keep(c, top);
        bytes = slice_skip(bytes, top.size);
        if (c->status != CONNECTION_OPEN)
            return;
        if (!feed_partial(c, now) && (bytes.size == 0 || c->sink.want <= c->partial->size))
            break;
    }
    if (c->status != CONNECTION_OPEN)
        return;
    size_t used = !c->partial ? feed_all(c, bytes, now) : 0;
    keep(c, slice_skip(bytes, used));
}

void net_bytes(struct net *net, uint64_t handle, struct slice bytes, struct now now) {
    net->now = now;
    struct connection *c = net_find(net, handle);
    if (!c || c->status == CONNECTION_DIALLING)
        return;
    c->bytes_in += bytes.size;
    connection_touch(c);
    if (c->filtered)
        filtered_bytes(c, bytes, now);
    else
        net_take(c, bytes, now);
}

void net_resume(struct connection *c, struct now now) {
    if (c->in_feed || !may_feed(c))
        return;
    if (c->partial && c->partial->size >= c->sink.want) {
        if (feed_partial(c, now) && c->peer_ended && may_feed(c))
            feed_all(c, slice_make("", 0), now);
    } else if (c->peer_ended && !c->partial) {
        feed_all(c, slice_make("", 0), now);
    }
}

void net_datagram(struct net *net, uint64_t handle, struct slice bytes, const struct address *from, struct now now) {
    net->now = now;
    struct connection *c = net_find(net, handle);
    if (!c || c->status != CONNECTION_OPEN)
        return;
    c->bytes_in += bytes.size;
    c->protocol->datagram(c->state, bytes, from, now);
    connection_touch(c);
}

void net_ended(struct net *net, uint64_t handle, struct now now) {
    net->now = now;
    struct connection *c = net_find(net, handle);
    if (!c)
        return;
    if (c->filtered && c->filtered->filter->shut && !c->filtered->sink.ended && c->status <= CONNECTION_OPEN) {
        /* Anyone on the way can make it look so: the end of what was said must be said as well (RFC 8446 section 6.1). */
        connection_close(c, c->status == CONNECTION_OPEN ? STATUS_TRUNCATED : STATUS_HANDSHAKE_FAILED);
        return;
    }
    if (!c->peer_ended)
        net_take_end(c, now);
}

void net_take_end(struct connection *c, struct now now) {
    c->peer_ended = true;
    if (c->status < CONNECTION_OPEN) {
        connection_close(c, STATUS_PEER_CLOSED);
        return;
    }
    connection_touch(c);
    if (may_feed(c) && c->partial)
        feed_partial(c, now);
    if (may_feed(c))
        feed_all(c, slice_make("", 0), now);
}

void net_written(struct net *net, uint64_t handle, uint64_t size, uint32_t pieces, struct now now) {
    net->now = now;
    struct connection *c = net_find(net, handle);
    if (!c)
        return;
    if (size || pieces)
        c->taken = now.mono;
    if (c->out.datagrams)
        chain_written_pieces(&c->out, pieces);
    else if (c->filtered)
        filtered_written(c, size, now);
    else
        chain_written(&c->out, size);
    if (chain_unsent(connection_wire(c)) == 0)
        c->flushed = false;
    connection_touch(c);
    if (c->protocol->written && c->status == CONNECTION_OPEN && (size || pieces))
        c->protocol->written(c->state, now);
    if (c->status == CONNECTION_OPEN && (size || pieces))
        net->calls->progress(net->user, c, now);
}

enum status connection_send(struct connection *c, const struct message *message, const struct overlay *overlay,
                            const struct protocol_send *options) {
    enum status status = c->protocol->send(c->state, message, overlay, options, c->net->now);
    connection_touch(c);
    return status;
}

void connection_settle(struct connection *c, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms) {
    if (c->status != CONNECTION_OPEN && c->status != CONNECTION_PARKED)
        return;
    c->protocol->settle(c->state, first, last, status, retry_ms, c->net->now);
    connection_touch(c);
}

void connection_cancel(struct connection *c, uint64_t token) {
    if (c->status != CONNECTION_OPEN)
        return;
    c->protocol->cancel(c->state, token, c->net->now);
    connection_touch(c);
}

void connection_stop(struct connection *c, bool stop) {
    if (c->stopped == stop)
        return;
    c->stopped = stop;
    connection_touch(c);
}
