/* JSON numbers as they are written: exact, of any length, never a double. */
#ifndef JSONSCHEMA_DECIMAL_H
#define JSONSCHEMA_DECIMAL_H

#include "base/slice.h"

#define DECIMAL_EXPONENT_MAX 1000000000 /* beyond, a number is none that we can compare */
#define DECIMAL_DIVISOR_DIGITS 18

/* 0.DIGITS * 10^point; `first` digit and that before `last` are not zero. Zero has none. */
struct decimal {
    struct slice whole, fraction; /* as written; digits are counted through both */
    size_t first, last;
    int64_t point;
    bool is_negative;
};

/* Of a number that the JSON reader gave. False: its exponent is beyond the maximum. */
bool decimal_parse(struct slice text, struct decimal *ret);
static inline bool decimal_is_zero(const struct decimal *decimal) {
    return decimal->first == decimal->last;
}
static inline bool decimal_is_integer(const struct decimal *decimal) {
    return decimal_is_zero(decimal) || decimal->point >= (int64_t)(decimal->last - decimal->first);
}
/* -1, 0, 1 */
int decimal_compare(const struct decimal *a, const struct decimal *b);
/* False: zero, negative, or more digits than are counted. */
bool decimal_is_divisor(const struct decimal *divisor);
bool decimal_is_multiple(const struct decimal *decimal, const struct decimal *divisor);

#endif
