/* Host names to addresses, for a loop: getaddrinfo() blocks, so it runs in helper threads, which begin with the first
 * name. The loop's thread calls all of this; it is woken when there is something to report. */
#ifndef PLATFORM_RESOLVER_H
#define PLATFORM_RESOLVER_H

#include "platform/loop.h"

#define RESOLVER_THREADS_MAX 4

struct resolver;

/* NULL when memory is out. */
struct resolver *resolver_new(struct loop *loop);
/* What is under way is waited for; all that was asked and not forgotten is reported CANCELLED. NULL does nothing. */
void resolver_free(struct resolver *resolver);
/* As loop_resolve(). */
struct loop_resolve *resolver_ask(struct resolver *resolver, struct slice name, uint16_t port, loop_resolve_call *call,
                                  void *user);
void resolver_forget(struct loop_resolve *request);
/* Gives the answers that came in. NULL does nothing. */
void resolver_report(struct resolver *resolver);

#endif
