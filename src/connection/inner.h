/* What the files of this room share. */
#ifndef CONNECTION_INNER_H
#define CONNECTION_INNER_H

#include "connection/net.h"

/* False when memory is out: to be told later. */
bool net_act(struct net *net, struct net_action action);
void net_forget_partial(struct connection *c);
/* Feeds what waits, if the connection may read again. */
void net_resume(struct connection *c, struct now now);

/* The connection reached a limit: its protocol says so, if it can, and it ends. */
void net_fail(struct connection *c, enum status status, const char *words);
/* Counts what it holds; when memory is short, whoever needs more of it is refused. */
void net_recount(struct connection *c);

#endif
