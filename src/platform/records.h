/* Records of a name, straight from the name servers, on a loop: services (SRV) and addresses with how long they hold.
 * Neither /etc/hosts nor search domains are looked at. c-ares takes care of servers that don't answer, of UDP and, where an
 * answer is cut, of TCP; what came is read by base/dns.h. */
#ifndef PLATFORM_RECORDS_H
#define PLATFORM_RECORDS_H

#include "base/dns.h"
#include "platform/loop.h"

struct records_ask;

/* OK with `answer`, borrowed; NAME_NOT_FOUND: there are none; RESOLVE_TIMEOUT, RESOLVE_FAILED, NO_MEMORY: nobody knows;
 * CANCELLED: the loop ends. */
typedef void records_call(void *user, enum status status, const struct dns_answer *answer);

/* `call` comes once, in a later turn. NULL, and no call, for what is no name or when memory is out. */
struct records_ask *records_ask(struct loop *loop, struct slice name, enum dns_type type, records_call *call,
                                void *user);
/* The answer isn't wanted any more: no call comes. */
void records_forget(struct records_ask *ask);

#endif
