/* What the files of this room share. */
#ifndef CONNECTION_INNER_H
#define CONNECTION_INNER_H

#include "connection/net.h"

/* False when memory is out: to be told later. */
bool net_act(struct net *net, struct net_action action);
/* Feeds what waits, if the connection may read again. */
void net_resume(struct connection *c, struct now now);

#endif
