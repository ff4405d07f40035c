/* The envelope that shows who sent a datagram:
 *
 *     F5 'i' 't' 'u' | direction u8 | kid u32 | ts_ms u64 | nonce u64 | mac 16 bytes | event
 *
 * Numbers with the highest byte first. `mac`: the first 16 bytes of HMAC-SHA256 (RFC 2104) by the secret over all the
 * rest, in order. `kid`: the first 4 bytes of the secret's SHA-256. The directions differ so that nothing can be sent back
 * to who made it. Pure: no clock, no memory. */
#ifndef PROTOCOL_DATAGRAM_ENVELOPE_H
#define PROTOCOL_DATAGRAM_ENVELOPE_H

#include "base/slice.h"
#include "protocol/protocol.h"

#define ENVELOPE_SIZE 41u
#define ENVELOPE_MARK 0xf5
#define ENVELOPE_NONCE_AT 17u
#define ENVELOPE_WINDOW_MS 30000 /* that clocks may differ, and a datagram be on its way */

enum envelope_direction {
    ENVELOPE_TO_LISTENER = 1,
    ENVELOPE_TO_DIALLER = 2, /* answers: with the nonce of what they answer */
};

enum envelope_verdict {
    ENVELOPE_GOOD,
    ENVELOPE_MISSING, /* it is none, or of the other direction */
    ENVELOPE_STRANGE, /* nobody here has that `kid` */
    ENVELOPE_FORGED,
    ENVELOPE_LATE, /* or early */
};

struct envelope {
    uint32_t key; /* index */
    uint32_t kid;
    int64_t ts_ms;
    uint64_t nonce;
    struct slice event; /* borrowed of the datagram */
};

uint32_t envelope_kid(struct slice secret);
/* `datagram` has room for the envelope, then the event of `event_size` bytes, which stands there already. */
void envelope_seal(uint8_t *datagram, size_t event_size, const struct protocol_secret *secret,
                   enum envelope_direction direction, int64_t ts_ms, uint64_t nonce);
/* `ret` is filled when GOOD. */
enum envelope_verdict envelope_open(struct slice datagram, const struct protocol_secret *secrets,
                                    size_t count, enum envelope_direction direction, int64_t now_ms,
                                    struct envelope *ret);

#endif
