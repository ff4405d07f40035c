/* The virtual network and its clock. */
#include "simulation/world.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "simulation/events.h"

#define PARTIES_MAX 64
#define LISTENS_MAX 128
#define START_WALL (INT64_C(1790000000) * NS_PER_S)
#define CHUNK_MAX 65536

struct end {
    struct party *party;
    uint64_t connection; /* 0: gone */
    uint64_t flying;     /* bytes under way from here */
    struct mono last;    /* arrival of the newest chunk from here: streams keep their order */
    bool full;           /* the socket was full: goes on when something arrived */
    bool reading;        /* the receiver of this end's bytes reads */
    bool ended;
};

struct link {
    struct end ends[2];
    bool open; /* both sides know each other */
    bool cut;
    bool datagrams;
    uint32_t pending; /* events that name it */
    struct address address;
};

struct listen {
    struct party *party;
    char text[96];
    struct slice address; /* in `text` */
    uint32_t listener;
    bool datagrams;
};

struct world {
    struct world_options options;
    struct rng rng;
    struct now now;
    uint64_t hash;
    uint64_t counter;
    struct party *parties[PARTIES_MAX];
    uint32_t party_count;
    struct listen listens[LISTENS_MAX];
    uint32_t listen_count;
    struct events events;
    struct event *parked; /* what a hold keeps, in order */
    size_t parked_count, parked_capacity;
    struct link **links;
    size_t link_count, link_capacity, sweep_at;
    const struct party *acting;
    uint16_t next_port;
    struct mono mail_last[PARTIES_MAX][PARTIES_MAX];
    const char *(*check)(void *, struct party *);
    void *check_user;
    const char *wrong;
};

/* -- time, trace -- */

struct world *world_new(const struct world_options *options) {
    struct world *world = memory_new(sizeof *world);
    ASSERT(world);
    world->options = *options;
    rng_init(&world->rng, options->seed);
    world->now = (struct now){{NS_PER_S}, {START_WALL}};
    world->hash = UINT64_C(0xcbf29ce484222325);
    world->next_port = 20000;
    return world;
}

struct now world_now(const struct world *world) {
    return world->now;
}
struct rng *world_rng(struct world *world) {
    return &world->rng;
}
uint64_t world_hash(const struct world *world) {
    return world->hash;
}
const char *world_wrong(const struct world *world) {
    return world->wrong;
}
void world_faults_set(struct world *world, const struct world_faults *faults) {
    world->options.faults = *faults;
}
void world_check(struct world *world, const char *(*check)(void *, struct party *), void *user) {
    world->check = check;
    world->check_user = user;
}

void world_hash_bytes(struct world *world, struct slice bytes) {
    for (size_t i = 0; i < bytes.size; i++)
        world->hash = (world->hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
}

static void hash_number(struct world *world, uint64_t number) {
    world_hash_bytes(world, slice_make(&number, sizeof number));
}

void world_tell(struct world *world, const char *format, ...) {
    struct buffer *out = world->options.narrative;
    if (!out)
        return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_add_format(out, "%9.3f ms  %s\n", (double)(world->now.mono.ns - NS_PER_S) / 1e6, line);
}

/* -- events -- */

static void push(struct world *world, struct event event) {
    if (event.link)
        event.link->pending++;
    events_push(&world->events, &event);
}

static void schedule(struct world *world, struct event event) {
    event.order = (rng_next(&world->rng) & ~UINT64_C(0xffffffff)) | (world->counter++ & 0xffffffff);
    push(world, event);
}

/* -- what is kept from a party -- */

static bool is_held(const struct party *party, unsigned holds) {
    return party && (party->held & holds);
}

static bool must_park(const struct event *event) {
    const struct link *link = event->link;
    if (!link)
        return is_held(event->party, HOLD_FROZEN);
    if (!link->datagrams && (is_held(link->ends[0].party, HOLD_AWAY) || is_held(link->ends[1].party, HOLD_AWAY)))
        return true;
    const struct party *to = link->ends[event->side].party;
    switch (event->kind) {
    case EVENT_DATA:
        return is_held(to, HOLD_FROZEN | HOLD_DEAF) ||
               (!link->datagrams && !link->ends[event->side].reading && link->ends[event->side].connection);
    case EVENT_CLOSE:
        return is_held(to, HOLD_FROZEN | HOLD_DEAF);
    case EVENT_ACCEPT:
        return is_held(to, HOLD_FROZEN);
    case EVENT_CONNECT:
    case EVENT_REFUSE:
    case EVENT_WAKE:
    case EVENT_MAIL:
        break;
    }
    return false;
}

static void park(struct world *world, const struct event *event) {
    if (world->parked_count == world->parked_capacity) {
        world->parked_capacity = world->parked_capacity ? world->parked_capacity * 2 : 64;
        world->parked = memory_resize(world->parked, world->parked_capacity * sizeof *world->parked);
        ASSERT(world->parked);
    }
    if (event->link)
        event->link->pending++;
    world->parked[world->parked_count++] = *event;
}

/* What nothing keeps any more comes now, in the order in which it was kept and before all else of this moment. */
static void unpark(struct world *world) {
    size_t kept = 0;
    for (size_t i = 0; i < world->parked_count; i++) {
        struct event event = world->parked[i];
        if (must_park(&event)) {
            world->parked[kept++] = event;
            continue;
        }
        event.at = world->now.mono;
        event.order = world->counter++ & 0xffffffff;
        push(world, event);
        if (event.link)
            event.link->pending--; /* it was counted twice */
    }
    world->parked_count = kept;
}

void world_hold(struct world *world, struct party *party, enum world_hold hold, bool on) {
    party->held = on ? party->held | hold : party->held & ~(unsigned)hold;
    if (on)
        return;
    unpark(world);
    if (hold != HOLD_FROZEN)
        return;
    party->due = world->now.mono; /* whatever it missed meanwhile */
    schedule(world, (struct event){.at = world->now.mono, .kind = EVENT_WAKE, .party = party});
}

const struct party *world_acting(const struct world *world) {
    return world->acting;
}

static int64_t delay(struct world *world) {
    const struct world_faults *f = &world->options.faults;
    return f->delay_min_ns +
           (int64_t)rng_below(&world->rng, (uint64_t)(f->delay_max_ns - f->delay_min_ns) + 1);
}

static bool chance(struct world *world, unsigned of, unsigned in) {
    return of > 0 && rng_below(&world->rng, in) < of;
}

/* -- parties -- */

uint32_t world_add(struct world *world, struct party *party) {
    ASSERT(world->party_count < PARTIES_MAX);
    party->world = world;
    party->index = world->party_count;
    party->due = MONO_NEVER;
    world->parties[world->party_count++] = party;
    return party->index;
}

void world_listen(struct world *world, struct party *party, struct slice address, uint32_t listener, bool datagrams) {
    uint32_t place = 0;
    while (place < world->listen_count && world->listens[place].address.size)
        place++;
    world->listen_count += place == world->listen_count;
    ASSERT(place < LISTENS_MAX);
    struct listen *listen = &world->listens[place];
    ASSERT(address.size <= sizeof listen->text);
    *listen = (struct listen){.party = party, .listener = listener, .datagrams = datagrams};
    memcpy(listen->text, address.data, address.size);
    listen->address = slice_make(listen->text, address.size);
}

void world_unlisten(struct world *world, struct party *party) {
    for (uint32_t i = 0; i < world->listen_count; i++)
        if (world->listens[i].party == party)
            world->listens[i].address.size = 0;
}

static const struct listen *find_listen(struct world *world, struct slice address) {
    const struct listen *found[LISTENS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->listen_count; i++)
        if (slice_equal(world->listens[i].address, address))
            found[count++] = &world->listens[i];
    return count ? found[rng_below(&world->rng, count)] : NULL;
}

static struct end *find_end(struct world *world, const struct party *party, uint64_t connection, struct link **ret,
                            int *ret_side) {
    for (size_t i = world->link_count; i-- > 0;) {
        struct link *link = world->links[i];
        for (int side = 0; side < 2; side++)
            if (link->ends[side].party == party && link->ends[side].connection == connection) {
                *ret = link;
                *ret_side = side;
                return &link->ends[side];
            }
    }
    return NULL;
}

/* Links that nobody knows any more. */
static void sweep(struct world *world) {
    size_t kept = 0;
    for (size_t i = 0; i < world->link_count; i++) {
        struct link *link = world->links[i];
        if (link->ends[0].connection || link->ends[1].connection || link->pending)
            world->links[kept++] = link;
        else
            memory_free(link);
    }
    world->link_count = kept;
    world->sweep_at = kept * 2 + 64;
}

static struct link *new_link(struct world *world, struct party *party, uint64_t connection, bool datagrams) {
    if (world->link_count >= world->sweep_at)
        sweep(world);
    if (world->link_count == world->link_capacity) {
        world->link_capacity = world->link_capacity ? world->link_capacity * 2 : 64;
        world->links = memory_resize(world->links, world->link_capacity * sizeof(struct link *));
        ASSERT(world->links);
    }
    struct link *link = memory_new(sizeof *link);
    ASSERT(link);
    link->ends[0] = (struct end){.party = party, .connection = connection, .reading = true};
    link->ends[1].reading = true;
    link->datagrams = datagrams;
    link->address = (struct address){.family = ADDRESS_IPV4, .port = world->next_port++, .bytes = {127, 0, 0, 1}};
    if (world->next_port < 20000)
        world->next_port = 20000;
    world->links[world->link_count++] = link;
    return link;
}

/* -- what a party's turn asks for -- */

static void dial(struct world *world, struct party *party, const struct net_action *action) {
    const struct protocol *protocol;
    struct slice address = party->calls->address(party, action->place, &protocol);
    struct link *link = new_link(world, party, action->connection, protocol->is_datagram);
    const struct listen *listen = find_listen(world, address);
    struct mono at = mono_after(world->now.mono, delay(world));
    bool refused = !protocol->is_datagram && (!listen || chance(world, world->options.faults.refuse_percent, 100));
    world_tell(world, "%s dials %.*s%s", party->name, SLICE_ARG(address), refused ? ", which is refused" : "");
    struct event event = {.at = at, .kind = refused ? EVENT_REFUSE : EVENT_CONNECT, .link = link, .party = party};
    if (listen) {
        link->ends[1].party = listen->party;
        event.listener = listen->listener;
    }
    schedule(world, event);
}

static void send_chunk(struct world *world, struct link *link, int side, const uint8_t *bytes, uint32_t size) {
    struct end *end = &link->ends[side];
    struct event event = {.kind = EVENT_DATA, .link = link, .side = !side, .size = size};
    event.at = mono_after(world->now.mono, delay(world));
    if (!link->datagrams || !chance(world, world->options.faults.reorder_percent, 100)) {
        if (event.at.ns <= end->last.ns)
            event.at.ns = end->last.ns + 1; /* in order: one after the other */
        end->last = event.at;
    }
    event.bytes = memory_alloc(size ? size : 1);
    ASSERT(event.bytes);
    memcpy(event.bytes, bytes, size);
    end->flying += size;
    hash_number(world, size);
    schedule(world, event);
}

static void flush_datagrams(struct world *world, struct link *link, int side, struct connection *c) {
    const struct chain_piece *piece;
    uint32_t count = 0;
    for (; (piece = chain_piece(&c->out, count)); count++) {
        bool lost = chance(world, world->options.faults.drop_percent, 100) || link->ends[!side].connection == 0 ||
                    is_held(link->ends[0].party, HOLD_AWAY) || is_held(link->ends[1].party, HOLD_AWAY);
        if (!lost)
            send_chunk(world, link, side, piece->block->data + piece->at, piece->size);
        else
            world_tell(world, "a datagram of %s is lost", link->ends[side].party->name);
    }
    if (count) {
        struct engine_input input = {.kind = INPUT_WRITTEN, .connection = c->handle, .pieces = count};
        link->ends[side].party->calls->input(link->ends[side].party, &input, world->now);
    }
}

static void flush(struct world *world, struct link *link, int side) {
    struct end *end = &link->ends[side];
    struct connection *c = net_find(end->party->net, end->connection);
    if (!c)
        return;
    if (link->datagrams) {
        flush_datagrams(world, link, side, c);
        return;
    }
    uint64_t written = 0;
    struct iovec vectors[16];
    int count = chain_vectors(connection_wire(c), vectors, 16);
    for (int i = 0; i < count; i++) {
        const uint8_t *at = vectors[i].iov_base;
        size_t left = vectors[i].iov_len;
        while (left && end->flying < world->options.faults.window) {
            size_t room = world->options.faults.window - end->flying;
            size_t size = left < room ? left : room;
            if (size > CHUNK_MAX)
                size = CHUNK_MAX;
            if (world->options.faults.split && size > 1)
                size = 1 + rng_below(&world->rng, size);
            send_chunk(world, link, side, at, (uint32_t)size);
            at += size;
            left -= size;
            written += size;
            if (chance(world, world->options.faults.cut_permille, 1000)) {
                link->cut = true; /* what comes later never arrives */
                schedule(world, (struct event){.at = mono_after(end->last, 1), .kind = EVENT_CLOSE, .link = link, .side = 0,
                                               .status = STATUS_RESET});
                schedule(world, (struct event){.at = mono_after(end->last, 1), .kind = EVENT_CLOSE, .link = link, .side = 1,
                                               .status = STATUS_RESET});
                left = 0;
                i = count;
            }
        }
        if (left)
            break;
    }
    end->full = written == 0 || chain_unsent(connection_wire(c)) > written;
    if (written) {
        struct engine_input input = {.kind = INPUT_WRITTEN, .connection = end->connection, .size = written};
        end->party->calls->input(end->party, &input, world->now);
    }
}

static void closed_here(struct world *world, struct link *link, int side) {
    struct end *end = &link->ends[side];
    end->connection = 0;
    if (link->ends[!side].connection == 0 || link->datagrams)
        return;
    struct mono at = mono_after(world->now.mono, delay(world));
    if (at.ns <= end->last.ns)
        at.ns = end->last.ns + 1;
    schedule(world, (struct event){.at = at, .kind = EVENT_CLOSE, .link = link, .side = !side, .status = STATUS_PEER_CLOSED});
}

static void carry_out(struct world *world, struct party *party, const struct net_action *action, bool *again) {
    struct link *link;
    int side;
    hash_number(world, (uint64_t)action->kind << 32 | party->index);
    if (action->kind == NET_DIAL) {
        dial(world, party, action);
        return;
    }
    struct end *end = find_end(world, party, action->connection, &link, &side);
    if (!end)
        return;
    if (action->kind == NET_FLUSH) {
        flush(world, link, side);
        *again = true;
    } else if (action->kind == NET_READ) {
        end->reading = action->on;
        if (action->on)
            unpark(world);
    } else {
        closed_here(world, link, side);
    }
}

static void post(struct world *world, struct party *party, const struct engine_mail *mail) {
    for (uint32_t i = 0; i < world->party_count; i++) {
        struct party *to = world->parties[i];
        if (to->node != party->node || to->worker != mail->to)
            continue;
        uint8_t *bytes = memory_alloc(mail->size ? mail->size : 1);
        ASSERT(bytes);
        memcpy(bytes, mail->parcel->data, mail->size);
        struct mono at = {world->now.mono.ns + 1000 + (int64_t)rng_below(&world->rng, 50000)};
        struct mono *last = &world->mail_last[party->index][to->index];
        if (at.ns <= last->ns)
            at.ns = last->ns + 1; /* first in, first out per pair */
        *last = at;
        schedule(world, (struct event){.at = at, .kind = EVENT_MAIL, .party = to, .from = party->worker, .bytes = bytes,
                                       .size = mail->size});
    }
    block_unref(mail->parcel);
}

static void turn(struct world *world, struct party *party) {
    bool again = true;
    if (is_held(party, HOLD_FROZEN))
        return;
    const struct party *before = world->acting;
    world->acting = party;
    for (int rounds = 0; again && rounds < 100; rounds++) {
        struct engine_actions actions;
        again = false;
        party->calls->finish(party, world->now, &actions);
        /* carrying out gives inputs, which may move the list */
        struct net_action *all = actions.net_count ? memory_array(actions.net_count, sizeof *all) : NULL;
        if (actions.net_count) {
            ASSERT(all);
            memcpy(all, actions.net, actions.net_count * sizeof *all);
        }
        for (uint32_t i = 0; i < actions.mail_count; i++)
            post(world, party, &actions.mail[i]);
        for (uint32_t i = 0; i < actions.net_count; i++)
            carry_out(world, party, &all[i], &again);
        memory_free(all);
        party->due = actions.due;
        if (!again && actions.due.ns != INT64_MAX)
            schedule(world, (struct event){.at = {actions.due.ns > world->now.mono.ns ? actions.due.ns
                                                                                       : world->now.mono.ns + 1000},
                                           .kind = EVENT_WAKE, .party = party});
    }
    world->acting = before;
    if (world->check && !world->wrong)
        world->wrong = world->check(world->check_user, party);
}

/* An input of `party`, whose turn it then is. */
static void give(struct world *world, struct party *party, struct engine_input *input) {
    const struct party *before = world->acting;
    world->acting = party;
    party->calls->input(party, input, world->now);
    world->acting = before;
}

void world_poke(struct world *world, struct party *party) {
    turn(world, party);
}

/* -- what happens -- */


static void accept_link(struct world *world, struct event *event) {
    struct link *link = event->link;
    struct end *from = &link->ends[0], *to = &link->ends[1];
    struct engine_input opened = {.kind = INPUT_OPENED, .listener = event->listener, .peer = &link->address};
    give(world, to->party, &opened);
    to->connection = opened.ret_connection;
    if (from->connection == 0 && to->connection) /* it left while nobody came to the door */
        schedule(world, (struct event){.at = mono_after(world->now.mono, 1000), .kind = EVENT_CLOSE, .link = link, .side = 1,
                                       .status = STATUS_PEER_CLOSED});
    if (to->connection == 0 && from->connection && !link->datagrams)
        schedule(world, (struct event){.at = mono_after(world->now.mono, 1000), .kind = EVENT_CLOSE, .link = link, .side = 0,
                                       .status = STATUS_RESET});
}

static void meet(struct world *world, struct event *event) {
    struct link *link = event->link;
    struct end *from = &link->ends[0], *to = &link->ends[1];
    if (from->connection == 0)
        return;
    bool later = is_held(to->party, HOLD_FROZEN);
    if (to->party && !later)
        accept_link(world, event);
    link->open = true;
    struct engine_input connected = {.kind = INPUT_CONNECTED, .connection = from->connection, .peer = &link->address};
    give(world, from->party, &connected);
    if (later)
        park(world, &(struct event){.kind = EVENT_ACCEPT, .link = link, .side = 1, .listener = event->listener});
    else if (to->party)
        turn(world, to->party);
    turn(world, from->party);
}

static void arrive(struct world *world, struct event *event) {
    struct link *link = event->link;
    struct end *to = &link->ends[event->side], *from = &link->ends[!event->side];
    from->flying -= event->size;
    if (!to->connection)
        return;
    world_hash_bytes(world, slice_make(event->bytes, event->size));
    struct engine_datagram datagram = {.bytes = slice_make(event->bytes, event->size), .from = link->address};
    struct engine_input input = {.kind = link->datagrams ? INPUT_DATAGRAMS : INPUT_BYTES, .connection = to->connection,
                                 .bytes = datagram.bytes, .datagrams = &datagram, .count = 1};
    give(world, to->party, &input);
    turn(world, to->party);
    if (from->connection && from->full) {
        flush(world, link, !event->side);
        turn(world, from->party);
    }
}

static void lose(struct world *world, struct event *event) {
    struct end *end = &event->link->ends[event->side];
    if (!end->connection)
        return;
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = end->connection, .status = event->status};
    if (event->status == STATUS_PEER_CLOSED)
        input.kind = INPUT_ENDED;
    uint64_t connection = end->connection;
    give(world, end->party, &input);
    turn(world, end->party);
    if (input.kind == INPUT_ENDED && end->connection == connection) { /* a full close: what it still writes is lost */
        struct engine_input lost = {.kind = INPUT_CLOSED, .connection = connection, .status = STATUS_PEER_CLOSED};
        give(world, end->party, &lost);
        end->connection = 0;
        turn(world, end->party);
    }
    end->connection = 0;
}

static void happen(struct world *world, struct event *event) {
    struct party *party = event->party;
    struct engine_input input = {.kind = INPUT_TIME};
    switch (event->kind) {
    case EVENT_WAKE:
        if (party->due.ns > world->now.mono.ns)
            return; /* it was put off meanwhile */
        give(world, party, &input);
        turn(world, party);
        break;
    case EVENT_CONNECT:
        meet(world, event);
        break;
    case EVENT_ACCEPT:
        accept_link(world, event);
        turn(world, event->link->ends[1].party);
        break;
    case EVENT_REFUSE:
        event->side = 0;
        event->status = STATUS_REFUSED;
        lose(world, event);
        break;
    case EVENT_DATA:
        arrive(world, event);
        break;
    case EVENT_CLOSE:
        lose(world, event);
        break;
    case EVENT_MAIL:
        input = (struct engine_input){.kind = INPUT_MAIL, .from = event->from, .bytes = slice_make(event->bytes, event->size)};
        give(world, party, &input);
        turn(world, party);
        break;
    }
}

bool world_run(struct world *world, struct mono deadline, uint64_t events_max) {
    while (world->events.count && world->events.all[0].at.ns <= deadline.ns && !world->wrong) {
        if (events_max-- == 0)
            return false;
        struct event event = events_take(&world->events);
        if (event.at.ns > world->now.mono.ns) {
            world->now.wall.ns += event.at.ns - world->now.mono.ns;
            world->now.mono = event.at;
        }
        if (must_park(&event)) {
            if (event.kind != EVENT_WAKE) /* it is woken when its hold ends */
                park(world, &event);
            else
                memory_free(event.bytes);
        } else {
            happen(world, &event);
            memory_free(event.bytes);
        }
        if (event.link)
            event.link->pending--;
    }
    if (!world->wrong && deadline.ns != INT64_MAX && deadline.ns > world->now.mono.ns) {
        world->now.wall.ns += deadline.ns - world->now.mono.ns;
        world->now.mono = deadline;
    }
    return true;
}

void world_cut(struct world *world, struct party *party) {
    for (size_t i = 0; i < world->link_count; i++) {
        struct link *link = world->links[i];
        if (party && link->ends[0].party != party && link->ends[1].party != party)
            continue;
        for (int side = 0; side < 2; side++)
            if (link->ends[side].connection && !link->datagrams)
                schedule(world, (struct event){.at = mono_after(world->now.mono, 1), .kind = EVENT_CLOSE, .link = link,
                                               .side = side, .status = STATUS_RESET});
    }
}

void world_free(struct world *world) {
    for (uint32_t i = 0; i < world->party_count; i++)
        world->parties[i]->calls->free(world->parties[i]);
    while (world->events.count)
        memory_free(events_take(&world->events).bytes);
    for (size_t i = 0; i < world->parked_count; i++)
        memory_free(world->parked[i].bytes);
    memory_free(world->parked);
    for (size_t i = 0; i < world->link_count; i++)
        memory_free(world->links[i]);
    memory_free(world->links);
    memory_free(world->events.all);
    memory_free(world);
}
