/* Envelopes of datagrams: whatever comes, only what the secret made is good, and what is good says what it holds. */
#include "base/assert.h"
#include "protocol/datagram/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct protocol_secret secret = {SLICE_OF("0123456789abcdef"), 0};
    struct envelope envelope;
    uint8_t again[2048];
    secret.kid = envelope_kid(secret.secret);
    if (size > sizeof again)
        return 0;
    for (unsigned direction = ENVELOPE_TO_LISTENER; direction <= ENVELOPE_TO_DIALLER; direction++) {
        if (envelope_open(slice_make(data, size), &secret, 1, (enum envelope_direction)direction,
                          INT64_C(1700000000000), &envelope) != ENVELOPE_GOOD)
            continue;
        ASSERT(envelope.event.size == size - ENVELOPE_SIZE && envelope.kid == secret.kid);
        memcpy(again + ENVELOPE_SIZE, envelope.event.data, envelope.event.size);
        envelope_seal(again, envelope.event.size, &secret, (enum envelope_direction)direction, envelope.ts_ms,
                      envelope.nonce);
        ASSERT(memcmp(again, data, size) == 0);
    }
    return 0;
}
