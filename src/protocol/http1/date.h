/* HTTP dates (RFC 9110 section 5.6.7). */
#ifndef PROTOCOL_HTTP1_DATE_H
#define PROTOCOL_HTTP1_DATE_H

#include "base/clock.h"
#include "base/slice.h"

#define DATE_SIZE 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Years 1..9999. */
void date_format(int64_t seconds, char out[static DATE_SIZE]);
/* IMF-fixdate and both obsolete forms, as a recipient must. `now` tells the century of two-digit years. */
bool date_parse(struct slice text, struct wall now, int64_t *ret_seconds);
/* Retry-After: seconds or a date, in milliseconds from now, at most UINT32_MAX; 0 for what is neither. */
uint32_t date_retry_after(struct slice value, struct wall now);

#endif
