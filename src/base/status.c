/* The status table as data. */
#include "base/status.h"

#include "base/assert.h"

static const struct status_row rows[STATUS_COUNT] = {
#define STATUS_ROW(name, cls, reason, http, grpc, stream, ws, mqtt, title) \
    [STATUS_##name] = {#name, STATUS_CLASS_##cls, reason, http, grpc, stream, ws, mqtt, title},
    STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

const struct status_row *status_row(enum status status) {
    ASSERT((unsigned)status < STATUS_COUNT);
    return &rows[status];
}

enum status status_from_stream(unsigned code) {
    for (unsigned i = 0; i < STATUS_COUNT; i++)
        if (rows[i].stream == code && (code != 0 || i == 0))
            return (enum status)i;
    return STATUS_INTERNAL;
}
