/* RFC 3339 timestamps. */
#ifndef MESSAGE_TIMESTAMP_H
#define MESSAGE_TIMESTAMP_H

#include "base/clock.h"
#include "base/slice.h"

/* Strict RFC 3339 (`T` and `Z` in either case, leap second 60 accepted as the second after). Years 0000..9999.
 * `ret_seconds` since 1970, `ret_nanos` 0..999999999. */
bool timestamp_parse(struct slice text, int64_t *ret_seconds, int32_t *ret_nanos);
/* UTC with `Z`; as many of 0, 3, 6, 9 fraction digits as needed. Returns the size (at most 30), no NUL. */
#define TIMESTAMP_TEXT_MAX 32
size_t timestamp_format(int64_t seconds, int32_t nanos, char out[static TIMESTAMP_TEXT_MAX]);
/* False when int64 nanoseconds can't hold it. */
bool timestamp_to_wall(int64_t seconds, int32_t nanos, struct wall *ret_wall);

#endif
