/* For rows that stand only at the beginning of a connection, until they know what it becomes (sniffing, a handshake):
 * no message has come or can be sent yet, so these verbs have nothing to do. */
#ifndef PROTOCOL_OPENING_H
#define PROTOCOL_OPENING_H

#include "protocol/protocol.h"

/* NOT_SUPPORTED: there is no room yet. */
enum status opening_send(void *state, const struct message *message, const struct overlay *overlay,
                         const struct protocol_send *options, struct now now);
void opening_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now);
void opening_cancel(void *state, uint64_t token, struct now now);
bool opening_recover(void *state, struct slice sent, struct message *ret_message);
void opening_done(void *state);

#endif
