/* Whether two JSON values are the same: numbers by value, objects in any order. */
#ifndef JSONSCHEMA_EQUAL_H
#define JSONSCHEMA_EQUAL_H

#include "jsonschema/document.h"

/* `steps` goes up by what it cost; it ends, with false, at `steps_max`. */
bool equal_values(const struct document *a, uint32_t left, const struct document *b, uint32_t right,
                  uint64_t *steps, uint64_t steps_max);

#endif
