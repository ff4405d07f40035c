/* What is still to happen in a simulated world, the earliest first. For world.c alone. */
#ifndef SIMULATION_EVENTS_H
#define SIMULATION_EVENTS_H

#include <stddef.h>

#include "base/clock.h"
#include "base/status.h"

struct party;
struct link;

enum event_kind { EVENT_WAKE, EVENT_CONNECT, EVENT_ACCEPT, EVENT_REFUSE, EVENT_DATA, EVENT_CLOSE, EVENT_MAIL };

struct event {
    struct mono at;
    uint64_t order; /* among equal times: drawn, then counted */
    enum event_kind kind;
    struct party *party;
    struct link *link;
    int side; /* who receives */
    uint32_t listener;
    uint32_t from;
    enum status status;
    uint8_t *bytes;
    uint32_t size;
};

/* A binary heap. `all[0]` is the next. */
struct events {
    struct event *all;
    size_t count, capacity;
};

void events_push(struct events *events, const struct event *event);
/* There must be one. */
struct event events_take(struct events *events);

#endif
