/* Host names to addresses, for a loop, by c-ares: the system's own rules (/etc/hosts, search domains, resolv.conf) without a
 * thread. What was found is kept as long as its record says. All of it begins with the first name. */
#ifndef PLATFORM_RESOLVER_H
#define PLATFORM_RESOLVER_H

#include "platform/loop.h"

#define RESOLVER_NAMES_MAX 256 /* kept; the one unused for longest goes first */
#define RESOLVER_TTL_MIN_NS NS_PER_S /* records of 0 s would make each dial a question */
#define RESOLVER_TTL_MAX_NS (3600 * NS_PER_S)
#define RESOLVER_MISSING_NS (5 * NS_PER_S) /* so long a name that isn't there is not asked for again */
#define RESOLVER_FRESH_NS (60 * NS_PER_S)  /* resolv.conf is read again after so long, with the next name */
#define RESOLVER_TIMEOUT_MS 1000           /* of the first try; later ones wait longer */
#define RESOLVER_TRIES 2                   /* of each name server */
/* Names other name servers than the system's, as "127.0.0.1:5353,[::1]:53". */
#define RESOLVER_VARIABLE "INTERTIE_RESOLVER"

struct resolver;

/* NULL when memory is out. */
struct resolver *resolver_new(struct loop *loop);
/* All that was asked and not forgotten is reported CANCELLED. NULL does nothing. */
void resolver_free(struct resolver *resolver);
/* As loop_resolve(). */
struct loop_resolve *resolver_ask(struct resolver *resolver, struct slice name, uint16_t port, loop_resolve_call *call,
                                  void *user);
void resolver_forget(struct loop_resolve *request);
/* For questions of other kinds (records.c): the channel, or NULL when memory is out; each that was begun is ended. */
struct ares_channeldata;
struct ares_channeldata *resolver_begin(struct resolver *resolver);
void resolver_end(struct resolver *resolver);
/* Gives the answers that are there. NULL does nothing. */
void resolver_report(struct resolver *resolver);
/* When resolver_tick() has something to do; NULL: MONO_NEVER. */
struct mono resolver_due(const struct resolver *resolver);
void resolver_tick(struct resolver *resolver);

#endif
