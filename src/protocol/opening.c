/* The verbs of rows that carry no messages yet. */
#include "protocol/opening.h"

enum status opening_send(void *state, const struct message *message, const struct overlay *overlay,
                         const struct protocol_send *options, struct now now) {
    (void)state, (void)message, (void)overlay, (void)options, (void)now;
    return STATUS_NOT_SUPPORTED;
}

void opening_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now) {
    (void)state, (void)first, (void)last, (void)status, (void)retry_ms, (void)now;
}

void opening_cancel(void *state, uint64_t token, struct now now) {
    (void)state, (void)token, (void)now;
}

bool opening_recover(void *state, struct slice sent, struct message *ret_message) {
    (void)state, (void)sent, (void)ret_message;
    return false;
}

void opening_done(void *state) {
    (void)state;
}
