/* Random bytes from the kernel. */
#include "platform/entropy.h"

#include <errno.h>

#include "platform/sys.h"

bool entropy_fill(void *out, size_t size) {
    uint8_t *at = out;
    while (size > 0) {
        ssize_t got = sys()->getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

bool entropy_seed(uint64_t *ret_seed) {
    return entropy_fill(ret_seed, sizeof *ret_seed);
}
