/* What went wrong, for humans: filled at the edges (config, platform, cli), never on the message path. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/status.h"

#define FAULT_TEXT_MAX 256

struct fault {
    enum status status;
    int error_number; /* errno, or 0 */
    char text[FAULT_TEXT_MAX];
};

/* `fault` may be NULL. Returns `status`, so that a failing function can end with it. */
enum status fault_set(struct fault *fault, enum status status, int error_number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
