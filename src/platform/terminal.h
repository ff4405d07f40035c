/* The whole of a terminal for a while: keys as they are struck, a screen of its own, and the terminal as it was on each way
 * out, signals included. One at a time; for a program with one thread. */
#ifndef PLATFORM_TERMINAL_H
#define PLATFORM_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/slice.h"

/* REFUSED when standard input and output aren't both one, or TERM says that it can't do more than lines. */
enum status terminal_open(struct fault *fault);
/* As it was. Once is enough, more does no harm. */
void terminal_close(void);
/* 80 by 24 where it doesn't tell. */
void terminal_size(size_t *ret_columns, size_t *ret_rows);
/* All of it, from the upper left corner, in one go; what stands behind the end of a line and below the last is wiped. False: it
 * is gone. */
bool terminal_show(struct slice lines);

enum terminal_event { TERMINAL_TIME, TERMINAL_KEY, TERMINAL_RESIZED, TERMINAL_GONE };
enum terminal_key { TERMINAL_KEY_UP = 256, TERMINAL_KEY_DOWN, TERMINAL_KEY_OTHER };
/* Until something happens, `until` at the latest. A key: its byte, or one of the above. */
enum terminal_event terminal_wait(struct mono until, int *ret_key);

#endif
