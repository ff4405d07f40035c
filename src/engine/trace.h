/* What happened to single messages: recorded where it happens (trace_hook.h), found again by the id of one. The messages
 * that are recorded: the first of each connection and one in TRACE_SAMPLE after it, requests and queries, all of a route
 * that says `trace: all`; and from its first failure on, or with its end, each that is refused, tried again, or ends
 * otherwise than delivered or replied.
 *
 * A message that is recorded has a name: its worker, and a number that counts up there. Other workers that handle it write
 * to their own rings under the same name, so that whoever asks has to ask all of them. */
#ifndef ENGINE_TRACE_H
#define ENGINE_TRACE_H

#include "telemetry/trace.h"

struct engine;

#define TRACE_SAMPLE 256u
#define TRACE_NAME_SHIFT 48  /* of a message's name: above it stands its worker + 1 */
#define TRACE_FOUND_MAX 8u /* messages of one id that are shown: an event's id is unique with its source alone */

/* Of each engine. */
struct tracing {
    struct trace_ring ring;
    uint64_t begun; /* so many names were given */
    uint64_t mark;  /* of the message that is being handled; 0: it is not recorded */
    uint32_t left;  /* messages until the next one of the sample */
    bool is_on;
    bool is_all; /* a route says so of its messages */
};

/* What a ring has, for who finds nothing in it. */
struct trace_facts {
    bool is_on;
    uint64_t kept, added, lost; /* records; lost: there was no memory */
    struct mono oldest;   /* MONO_NEVER: there is none */
};

/* Names of those messages whose receipt or event id that is: the newest, oldest first. */
size_t trace_find(const struct engine *engine, struct slice id, uint64_t ret_traces[TRACE_FOUND_MAX]);
/* All records of one, in their order. */
void trace_each(const struct engine *engine, uint64_t trace, void (*call)(void *user, const struct trace_record *record),
                void *user);
struct trace_facts trace_facts(const struct engine *engine);

#endif
