/* Requests that say who they are: which worker knows their keys, and what a connection has claimed there. The key of an
 * identity has one home, by its hash, so two workers that get it at the same moment ask the same one. */
#ifndef ENGINE_ONCE_H
#define ENGINE_ONCE_H

#include "engine/parcel.h"
#include "policy/idempotency.h"

struct claim {
    struct list_node node; /* in `unsettled` */
    bool keeps;            /* likewise: how it ended */
    uint64_t id; /* of all workers */
    uint32_t home;
    bool waits;    /* for the verdict of another worker */
    bool accepted; /* something that it asked for was taken */
    bool repeats;  /* that may be repeated: a query */
    uint8_t scope_size, key_size;
    uint8_t scope[IDEMPOTENCY_SCOPE_MAX], key[IDEMPOTENCY_KEY_MAX];
};

void once_read(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]);
void once_told(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4], const struct message *message);
void once_settled(struct engine *engine, const struct letter *letter, const struct slice texts[4], const struct message *message);

#endif
