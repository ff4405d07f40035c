/* `Idempotency-Key`: a key is printable and within its maximum; quoted anew, or with a parameter behind it, it is the same. */
#include <string.h>

#include "base/assert.h"
#include "protocol/http1/once_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_key(const uint8_t *value, size_t size, struct slice key) {
    uint8_t room[ONCE_KEY_MAX];
    struct slice again;
    return once_key(slice_make(value, size), room, &again) && slice_equal(again, key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t room[ONCE_KEY_MAX], quoted[2 * ONCE_KEY_MAX + 8];
    struct slice key;
    size_t at = 0;
    if (!once_key(slice_make(data, size), room, &key))
        return 0;
    ASSERT(key.size > 0 && key.size <= ONCE_KEY_MAX);
    quoted[at++] = '"';
    for (size_t i = 0; i < key.size; i++) {
        ASSERT(key.data[i] >= 0x20 && key.data[i] <= 0x7e);
        if (key.data[i] == '"' || key.data[i] == '\\')
            quoted[at++] = '\\';
        quoted[at++] = key.data[i];
    }
    quoted[at++] = '"';
    ASSERT(is_key(quoted, at, key));
    memcpy(quoted + at, ";p=1", 4);
    ASSERT(is_key(quoted, at + 4, key));
    quoted[at] = ','; /* two keys are none */
    ASSERT(!is_key(quoted, at + 4, key));
    return 0;
}
