/* Connections whose bytes pass filters: what arrives is opened, what the protocol wrote is sealed, some way ahead of what
 * the peer takes. */
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "connection/inner.h"

#define READY_NS (10 * NS_PER_S)     /* where timeouts.filters isn't said */
#define AHEAD_MAX (64u << 10)        /* sealed bytes that wait for the peer */
#define WIRE_MAX (4 * AHEAD_MAX)     /* with what filters say by themselves: more, and the peer only makes us talk */
#define SEAL_SIZE 16000              /* one record, which then fits a block of the chain */
#define BROKEN_NS (5 * NS_PER_S)     /* for our last words to a peer that is not let in */

/* The filter has failed: its last words go out, what the protocol wrote beyond them never does. */
static void broke(struct connection *c, struct now now) {
    struct filtered *f = c->filtered;
    if (c->status == CONNECTION_CLOSED)
        return;
    if (c->status == CONNECTION_DIALLING || chain_unsent(&f->wire) == 0 || f->sink.status == STATUS_NO_MEMORY) {
        connection_close(c, f->sink.status);
        return;
    }
    if (c->status != CONNECTION_CLOSING)
        c->reason = f->sink.status;
    c->status = CONNECTION_CLOSING;
    c->sink.closing = true;
    c->sink.reading_done = true;
    c->sink.room = (struct protocol_room){0};
    c->until = mono_min(c->until, mono_after(now.mono, BROKEN_NS));
    f->shut = true;
    connection_touch(c);
}

static void free_filter(struct filtered *f) {
    if (f->state)
        f->filter->done(f->state);
    memory_free(f->state);
    f->state = NULL;
}

void filtered_free(struct connection *c) {
    struct filtered *f = c->filtered;
    if (!f)
        return;
    free_filter(f);
    chain_done(&f->wire);
    memory_free(f);
    c->filtered = NULL;
}

const struct filter_facts *connection_facts(const struct connection *c) {
    const struct filtered *f = c->filtered;
    return f && f->state && f->filter->facts ? f->filter->facts(f->state) : NULL;
}

static void begin(struct connection *c, size_t index, struct now now) {
    struct filtered *f = c->filtered;
    const struct filter_use *use = &c->setup->filters[index];
    f->index = index;
    f->filter = use->filter;
    f->sink = (struct filter_sink){.wire = &f->wire, .due = MONO_NEVER};
    f->state = memory_new(f->filter->state_size);
    if (!f->state) {
        connection_close(c, STATUS_NO_MEMORY);
        return;
    }
    f->filter->open(f->state, use->profile, c->setup, &c->net->worker, &f->sink, &c->peer, now);
}

/* The filters have gone: what they wrote is the beginning of what the protocol writes. */
static void leave(struct connection *c) {
    struct filtered *f = c->filtered;
    struct iovec vectors[8];
    int count;
    while ((count = chain_vectors(&f->wire, vectors, 8)) > 0) {
        for (int i = 0; i < count; i++) {
            if (!chain_add(&c->out, slice_make(vectors[i].iov_base, vectors[i].iov_len))) {
                connection_close(c, STATUS_NO_MEMORY);
                return;
            }
            chain_written(&f->wire, vectors[i].iov_len);
        }
    }
    filtered_free(c);
}

/* Acts on what the filter has to say; false when there is nothing to do for it any more. */
static bool look(struct connection *c, struct now now) {
    struct filtered *f = c->filtered;
    while (f->sink.status == STATUS_OK && f->sink.over) {
        if (f->sink.peer_changed)
            c->peer = f->sink.peer;
        free_filter(f);
        if (f->index + 1 == c->setup->filter_count) {
            leave(c);
            if (c->status == CONNECTION_SECURING)
                net_open_protocol(c, now);
            return false;
        }
        begin(c, f->index + 1, now);
        if (c->status == CONNECTION_CLOSED)
            return false;
    }
    if (chain_unsent(&f->wire) > WIRE_MAX && f->sink.status == STATUS_OK)
        f->sink.status = STATUS_PROTOCOL_ERROR;
    if (f->sink.status != STATUS_OK) {
        broke(c, now);
        return false;
    }
    if (f->sink.ready && c->status == CONNECTION_SECURING)
        net_open_protocol(c, now);
    return c->status != CONNECTION_CLOSED;
}

void filtered_begin(struct connection *c, struct now now) {
    int64_t wait = c->setup->timeouts.filters_ns;
    c->status = CONNECTION_SECURING;
    c->opened = now.mono;
    c->until = mono_after(now.mono, wait ? wait : READY_NS);
    connection_touch(c);
    c->filtered = memory_new(sizeof *c->filtered);
    if (c->filtered && !c->net->plain)
        c->net->plain = memory_alloc(FILTER_PLAIN_SIZE);
    if (!c->filtered || !c->net->plain) {
        connection_close(c, STATUS_NO_MEMORY);
        return;
    }
    chain_init(&c->filtered->wire, &c->net->pool, false);
    begin(c, 0, now);
    if (c->status != CONNECTION_CLOSED)
        look(c, now);
}

void filtered_bytes(struct connection *c, struct slice wire, struct now now) {
    while (c->filtered && c->status != CONNECTION_CLOSED && !c->filtered->shut) {
        struct filtered *f = c->filtered;
        size_t before = wire.size;
        size_t got = f->filter->feed(f->state, &wire, c->net->plain, FILTER_PLAIN_SIZE, now);
        ASSERT(got <= FILTER_PLAIN_SIZE && wire.size <= before);
        bool more = f->sink.over || ((got || wire.size < before) && !f->sink.drained);
        struct slice plain = slice_make(c->net->plain, got);
        if (f->sink.status == STATUS_OK && !look(c, now))
            break;
        if (got && c->status == CONNECTION_OPEN)
            net_take(c, plain, now);
        if (f->sink.status != STATUS_OK) {
            look(c, now);
            break;
        }
        if (f->sink.ended && !c->peer_ended && c->status != CONNECTION_CLOSED)
            net_take_end(c, now);
        if (!more)
            break;
    }
    if (!c->filtered && wire.size && c->status == CONNECTION_OPEN)
        net_take(c, wire, now);
}

/* So much of `out` is carried by what is in the wire chain now. With all marks in use the last one moves on: what it
 * stood for is then told a little later. */
static void mark(struct connection *c) {
    struct filtered *f = c->filtered;
    if (f->mark_count == FILTERED_MARKS)
        f->mark_count--;
    f->marks[(f->mark_first + f->mark_count++) % FILTERED_MARKS] = (struct filtered_mark){f->wire.added, f->sealed};
}

void filtered_seal(struct connection *c, struct now now) {
    struct filtered *f = c->filtered;
    if (c->status < CONNECTION_OPEN || c->status == CONNECTION_CLOSED || f->shut)
        return;
    while (f->sealed < c->out.added && chain_unsent(&f->wire) < AHEAD_MAX) {
        struct slice piece = chain_from(&c->out, f->sealed, c->net->plain, SEAL_SIZE);
        size_t took = f->filter->seal(f->state, piece, now);
        ASSERT(took <= piece.size && (took || f->sink.status != STATUS_OK));
        if (f->sink.status != STATUS_OK) {
            broke(c, now);
            return;
        }
        f->sealed += took;
        mark(c);
    }
    if (c->status == CONNECTION_CLOSING && f->sealed == c->out.added) {
        f->shut = true;
        if (f->filter->shut && !c->sink.aborts)
            f->filter->shut(f->state, now);
    }
}

void filtered_written(struct connection *c, uint64_t size, struct now now) {
    struct filtered *f = c->filtered;
    chain_written(&f->wire, size);
    while (f->mark_count && f->marks[f->mark_first].wire <= f->wire.written) {
        chain_written(&c->out, f->marks[f->mark_first].plain - c->out.written);
        f->mark_first = (f->mark_first + 1) % FILTERED_MARKS;
        f->mark_count--;
    }
    filtered_seal(c, now); /* so that a world that writes on has something to write */
}

void filtered_tick(struct connection *c, struct now now) {
    struct filtered *f = c->filtered;
    if (c->status == CONNECTION_CLOSED || !f->state || !mono_due(f->sink.due, now.mono))
        return;
    f->sink.due = MONO_NEVER;
    if (f->filter->tick)
        f->filter->tick(f->state, now);
    look(c, now);
}

uint64_t filtered_unsent(const struct connection *c) {
    const struct filtered *f = c->filtered;
    return chain_unsent(&f->wire) + (f->shut ? 0 : c->out.added - f->sealed);
}
