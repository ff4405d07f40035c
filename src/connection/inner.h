/* What the files of this room share. */
#ifndef CONNECTION_INNER_H
#define CONNECTION_INNER_H

#include "connection/net.h"

/* False when memory is out: to be told later. */
bool net_act(struct net *net, struct net_action action);
void net_forget_partial(struct connection *c);
/* Feeds what waits, if the connection may read again. */
void net_resume(struct connection *c, struct now now);

/* Its filters are ready, or it has none. */
void net_open_protocol(struct connection *c, struct now now);
/* What came for the protocol. */
void net_take(struct connection *c, struct slice bytes, struct now now);
/* The peer ended its side, in whatever form its filters have for that. */
void net_take_end(struct connection *c, struct now now);

/* -- filtered.c -- */

/* Connected: its filters begin. */
void filtered_begin(struct connection *c, struct now now);
void filtered_bytes(struct connection *c, struct slice wire, struct now now);
/* Seals what the protocol wrote, as far as it may run ahead of the wire; with all sealed and the connection closing, says
 * so to the peer. */
void filtered_seal(struct connection *c, struct now now);
void filtered_written(struct connection *c, uint64_t size, struct now now);
void filtered_tick(struct connection *c, struct now now);
/* What still has to be written before it may close. */
uint64_t filtered_unsent(const struct connection *c);
void filtered_free(struct connection *c);

/* -- park.c -- */

/* `c` was opened for the session that `parked` has: it takes over. */
void net_adopt(struct connection *c, struct connection *parked, struct now now);
/* Who waits for a connection that was dialled as this one was; NULL: nobody. */
struct connection *net_awaiting(const struct connection *c);
/* What of it may outlive it; NULL: nothing. */
static inline const struct protocol_session *net_session(const struct connection *c) {
    bool may = c->is_named || (c->listener == UINT32_MAX && c->was_open);
    return may && c->protocol->session && c->state ? c->protocol->session(c->state) : NULL;
}
/* A loss of the connection that says nothing against its session: it waits. */
bool net_park_if_lost(struct connection *c, enum status status);
void net_forget_session(struct connection *c);
/* True: an action can be told. */
bool net_can_act(struct net *net);

/* The connection reached a limit: its protocol says so, if it can, and it ends. */
void net_fail(struct connection *c, enum status status, const char *words);
/* Counts what it holds; when memory is short, whoever needs more of it is refused. */
void net_recount(struct connection *c);

#endif
