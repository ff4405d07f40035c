/* All connections of one worker.
 *
 * The world calls net_*() as things happen and carries out the actions that net_finish() lists. None is per message and
 * none carries bytes: FLUSH names a connection whose `out` chain has something to write, net_written() releases it.
 * Connections are freed in net_finish(), so a pointer stays good through the turn, also after its close. */
#ifndef CONNECTION_NET_H
#define CONNECTION_NET_H

#include "base/deadline.h"
#include "base/list.h"
#include "base/map.h"
#include "protocol/filter.h"

#define NET_PARKED_MAX 1024u            /* sessions of one worker that wait for their peer to come back */
#define NET_PARKED_BYTES (64u << 20)    /* of what they would send again */
#define NET_UNSENT_MAX (128u << 10) /* a connection takes no further message while so much is unsent */

enum connection_state {
    CONNECTION_DIALLING,
    CONNECTION_SECURING, /* connected; its filters aren't ready, its protocol isn't open */
    CONNECTION_OPEN,
    CONNECTION_CLOSING, /* writes what it has, then closes */
    CONNECTION_PARKED,  /* lost, but its session may go on with another: protocol and owner wait for that */
    CONNECTION_CLOSED,  /* freed at the end of the turn */
};

struct connection {
    uint64_t handle; /* generation << 32 | slot; never 0 */
    struct net *net;
    const struct protocol *protocol;
    const struct protocol_setup *setup;
    void *state;
    void *owner; /* the user's */
    struct protocol_sink sink;
    struct chain out;
    struct filtered *filtered; /* NULL: what the protocol writes is what goes out */
    struct buffer *partial; /* bytes read that the protocol did not use yet; NULL: none, as with all that are idle */
    struct deadline deadline;
    struct address peer;
    uint32_t listener; /* accepted: which; else UINT32_MAX */
    enum status reason; /* of the close */
    uint8_t status;    /* enum connection_state */
    bool in_feed : 1;
    bool stopped : 1;   /* the user wants no more messages for now: net_stop() */
    bool reads_off : 1; /* as told to the world */
    bool flushed : 1;   /* has a FLUSH out that the world hasn't answered by net_written() */
    bool peer_ended : 1;
    bool was_open : 1; /* it got past dialling */
    bool linger : 1;     /* of its close */
    bool close_told : 1; /* the world knows of its close */
    bool is_virtual : 1; /* the world knows nothing of it: net_virtual() */
    bool is_named : 1;    /* its session has a place in net->sessions */
    bool was_parked : 1; /* it closes long after the world lost it */
    struct mono opened;
    struct mono until; /* dialling or closing: when we give up */
    struct mono write_until; /* when to look whether the peer takes what we write; MONO_NEVER: not armed */
    struct mono taken;       /* when it last took some, or had none to take */
    struct mono rate_until;  /* when to look how fast its begun unit comes; MONO_NEVER: not armed */
    struct mono begun;       /* since when it is looked at; MONO_NEVER: from the next turn's end */
    uint64_t begun_bytes;    /* bytes_in, then */
    size_t counted;          /* of its buffers, in net->bytes */
    uint64_t bytes_in;
    struct list_node node;  /* in net->open */
    struct list_node dirty; /* in net->dirty: look at it in net_finish() */
};

#define FILTERED_MARKS 16

/* What a connection has only where filters stand between it and the wire. `out` then is what the protocol wrote; it
 * counts as written when the wire bytes that carry it are. */
struct filtered {
    const struct filter *filter;
    void *state;
    struct filter_sink sink;
    struct chain wire;
    uint64_t sealed; /* of out, as out.added counts: these bytes are in the wire chain, or were */
    size_t index;    /* of the filter, in setup->filters */
    struct filtered_mark {
        uint64_t wire;  /* when so much of the wire chain is written.. */
        uint64_t plain; /* ..so much of `out` is */
    } marks[FILTERED_MARKS]; /* ring */
    uint32_t mark_first, mark_count;
    bool shut; /* the peer was told that nothing more comes */
};

struct net_calls {
    struct protocol_calls protocol; /* `user` of every call is the struct connection */
    /* Whether its filters have shown who an accepted peer is. May be NULL: they haven't. */
    bool (*known)(void *user, const struct connection *connection);
    /* The connection is usable. Accepted ones come with owner NULL. */
    void (*opened)(void *user, struct connection *connection, struct now now);
    /* More of its chain was written, or its room may have changed. */
    void (*progress)(void *user, struct connection *connection, struct now now);
    /* All of its chain was written, at the end of a turn that touched it; may be NULL. Nothing is sent from here. */
    void (*rested)(void *user, struct connection *connection, struct now now);
    /* It is lost, but may be resumed: nothing can be sent for now. NULL: nothing ever is. */
    void (*parked)(void *user, struct connection *connection, struct now now);
    /* `connection` goes on with what `parked` was: its owner moves over. */
    void (*adopted)(void *user, struct connection *connection, struct connection *parked, struct now now);
    /* It is over, for `connection->reason`; the chain still has what was not written. */
    void (*closed)(void *user, struct connection *connection, struct now now);
};

enum net_action_kind {
    NET_FLUSH,
    NET_READ, /* on or off */
    NET_DIAL,
    NET_CLOSE,
};

struct net_action {
    enum net_action_kind kind;
    bool on;     /* READ */
    bool reset;  /* CLOSE: so that the peer sees no ordinary end */
    bool linger; /* CLOSE: shut the write side down, read and drop for a moment: our last answer must arrive */
    uint64_t connection;
    uint64_t place; /* DIAL: as given to net_dial() */
};

struct net {
    const struct net_calls *calls;
    void *user;
    struct protocol_worker worker;
    struct chain_pool pool;
    struct connection **slots;
    uint32_t *generations;
    uint32_t slot_count;
    uint32_t slot_free; /* a hint: no free slot below */
    uint32_t count;     /* connections that aren't closed */
    uint32_t count_max;
    struct list open;
    struct list dirty;
    struct list dead;
    struct list parked;
    struct map sessions; /* name -> connection, open or parked */
    uint64_t parked_bytes;
    struct connection *resumes; /* set by the user's resume(): what is being fed goes on with this one's session */
    bool parks_none; /* set by the user: what is lost ends */
    struct deadlines deadlines;
    struct net_action *actions;
    struct net_action *listed; /* what net_finish() last gave out; then in turn with `actions` */
    uint32_t listed_capacity;
    uint32_t action_count;
    uint32_t action_capacity;
    struct now now; /* of the current call */
    uint64_t bytes; /* of connections and what they keep of begun units */
    uint8_t *plain; /* for filters: what a read carried, or what is sealed next; NULL before the first needs it */
    bool bare;      /* filters are left out: in a virtual world that has nobody to hide from */
    bool is_short;  /* set by the user: no memory for more of a begun unit; the admin's are exempt */
};

#define NET_EXTRA_SIZE (256u << 10) /* scratch for decoding one event's unescaped attributes */

/* Bytes that connections hold, what they have to write included. */
static inline uint64_t net_memory(const struct net *net) {
    return net->bytes + net->pool.held;
}

/* False when memory is out. `count_max`: connections. */
bool net_init(struct net *net, const struct net_calls *calls, void *user, uint32_t count_max, uint64_t seed);
void net_done(struct net *net); /* closes nothing politely */

/* A peer connected. NULL when there are too many or memory is out: the world closes it. */
struct connection *net_accept(struct net *net, const struct protocol *protocol, const struct protocol_setup *setup,
                              uint32_t listener, const struct address *peer, struct now now);
/* Begins to dial `place` (the user's number for an endpoint); gives up after timeout_ns. NULL as above. */
struct connection *net_dial(struct net *net, const struct protocol *protocol, const struct protocol_setup *setup,
                            uint64_t place, int64_t timeout_ns, void *owner, struct now now);
/* A connection without a socket: what it is sent leaves by others, as its protocol arranges. It writes nothing into its
 * chain. NULL as above. */
struct connection *net_virtual(struct net *net, const struct protocol *protocol, const struct protocol_setup *setup,
                               uint32_t listener, const struct address *peer, struct now now);
/* The dial succeeded. */
void net_connected(struct net *net, uint64_t handle, const struct address *peer, struct now now);
/* Bytes arrived; they are borrowed for the call. Unknown handles are ignored here and below: it was closed meanwhile. */
void net_bytes(struct net *net, uint64_t handle, struct slice bytes, struct now now);
void net_datagram(struct net *net, uint64_t handle, struct slice bytes, const struct address *from, struct now now);
/* The peer ended its side. */
void net_ended(struct net *net, uint64_t handle, struct now now);
/* The first `size` bytes (datagrams: `pieces` pieces) of connection_wire() are written. `size` 0: the socket is full; the world
 * will go on by itself; with `pieces` of a stream: the peer took some of what was written before. */
void net_written(struct net *net, uint64_t handle, uint64_t size, uint32_t pieces, struct now now);
/* The world lost it: reset, refused, timed out... */
void net_lost(struct net *net, uint64_t handle, enum status status, struct now now);
/* Deadlines. */
void net_tick(struct net *net, struct now now);
struct mono net_due(const struct net *net);
/* Looks once at each connection that was touched: feeds what waited, notices what is to be done. */
void net_settle(struct net *net, struct now now);
/* Ends a turn: resumes what was paused, frees the dead, lists what to do. The list lives until the next net_finish(). */
const struct net_action *net_finish(struct net *net, struct now now, uint32_t *ret_count);

/* The bytes that the world writes. */
static inline const struct chain *connection_wire(const struct connection *c) {
    return c->filtered ? &c->filtered->wire : &c->out;
}

/* -- for the user -- */

/* Its session has that name. False when memory is out. */
bool net_keep(struct connection *c, struct slice session);
/* Who has the session of that name, open or parked; NULL: nobody. */
struct connection *net_kept(const struct net *net, struct slice session);
/* Its peer is known to be elsewhere now: the world's connection is closed, the session waits. False: it can't. */
bool net_park(struct connection *c, enum status status);
/* Nobody will come back to those any more. `setup` NULL: all. */
void net_unpark(struct net *net, const struct protocol_setup *setup, enum status status);

struct connection *net_find(const struct net *net, uint64_t handle); /* NULL when closed */
/* What its filters know about the peer; NULL: there are none, or they know nothing. */
const struct filter_facts *connection_facts(const struct connection *c);
/* Room for a message now: open, its protocol has room, its chain is short. */
static inline bool connection_has_room(const struct connection *c) {
    return c->status == CONNECTION_OPEN && c->sink.room.messages > 0 && chain_unsent(&c->out) < NET_UNSENT_MAX;
}
enum status connection_send(struct connection *c, const struct message *message, const struct overlay *overlay,
                            const struct protocol_send *options);
void connection_settle(struct connection *c, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms);
void connection_cancel(struct connection *c, uint64_t token);
/* Whether its protocol may be fed: nobody holds it back, and it does not owe its peer too many answers. */
static inline size_t connection_partial(const struct connection *c) {
    return c->partial ? c->partial->size : 0;
}
static inline bool connection_reads(const struct connection *c) {
    return c->status == CONNECTION_OPEN && !c->sink.paused && !c->stopped &&
           (!c->sink.terms.answers_bounded || chain_unsent(&c->out) <= NET_UNSENT_MAX);
}
/* Hold back further messages (true) or let them come again. */
void connection_stop(struct connection *c, bool stop);
/* Gracefully; closed() comes later, `grace_ns` at most. */
void connection_shut(struct connection *c, enum status status, int64_t grace_ns);
/* Writes what it has, then closes. */
void connection_end(struct connection *c, enum status status);
/* Now. */
void connection_close(struct connection *c, enum status status);
/* Something was written to `out` or a protocol field changed outside of net_*(): look at it at the end of the turn. */
void connection_touch(struct connection *c);

#endif
