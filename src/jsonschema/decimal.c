/* Exact numbers. */
#include "jsonschema/decimal.h"

#include "base/text.h"

static unsigned digit(const struct decimal *decimal, size_t at) {
    size_t whole = decimal->whole.size;
    return (unsigned)((at < whole ? decimal->whole.data[at] : decimal->fraction.data[at - whole]) - '0');
}

static struct slice take_digits(struct slice *text) {
    size_t size = 0;
    while (size < text->size && text_is_digit(text->data[size]))
        size++;
    struct slice digits = slice_head(*text, size);
    *text = slice_skip(*text, size);
    return digits;
}

static bool take(struct slice *text, uint8_t c) {
    if (!text->size || text->data[0] != c)
        return false;
    *text = slice_skip(*text, 1);
    return true;
}

bool decimal_parse(struct slice text, struct decimal *ret) {
    struct decimal out = {0};
    int64_t exponent = 0;
    bool is_small = false;
    out.is_negative = take(&text, '-');
    out.whole = take_digits(&text);
    if (take(&text, '.'))
        out.fraction = take_digits(&text);
    if (take(&text, 'e') || take(&text, 'E')) {
        is_small = take(&text, '-');
        take(&text, '+');
        struct slice digits = take_digits(&text);
        for (size_t i = 0; i < digits.size && exponent <= DECIMAL_EXPONENT_MAX; i++)
            exponent = exponent * 10 + (digits.data[i] - '0');
    }
    size_t all = out.whole.size + out.fraction.size;
    while (out.first < all && digit(&out, out.first) == 0)
        out.first++;
    out.last = all;
    while (out.last > out.first && digit(&out, out.last - 1) == 0)
        out.last--;
    if (decimal_is_zero(&out))
        out.is_negative = false;
    else if (exponent > DECIMAL_EXPONENT_MAX)
        return false;
    out.point = (int64_t)out.whole.size - (int64_t)out.first + (is_small ? -exponent : exponent);
    *ret = out;
    return true;
}

/* Of two that are not zero. */
static int compare_sizes(const struct decimal *a, const struct decimal *b) {
    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    size_t a_count = a->last - a->first, b_count = b->last - b->first;
    for (size_t i = 0; i < a_count && i < b_count; i++) {
        unsigned left = digit(a, a->first + i), right = digit(b, b->first + i);
        if (left != right)
            return left < right ? -1 : 1;
    }
    return a_count < b_count ? -1 : a_count > b_count;
}

static int sign(const struct decimal *decimal) {
    return decimal_is_zero(decimal) ? 0 : decimal->is_negative ? -1 : 1;
}

int decimal_compare(const struct decimal *a, const struct decimal *b) {
    int left = sign(a), right = sign(b);
    if (left != right)
        return left < right ? -1 : 1;
    return left == 0 ? 0 : left * compare_sizes(a, b);
}

bool decimal_is_divisor(const struct decimal *divisor) {
    return !decimal_is_zero(divisor) && !divisor->is_negative &&
           divisor->last - divisor->first <= DECIMAL_DIVISOR_DIGITS;
}

static uint64_t times(uint64_t a, uint64_t b, uint64_t modulus) {
    return (uint64_t)((unsigned __int128)a * b % modulus);
}

static uint64_t power_of_ten(uint64_t exponent, uint64_t modulus) {
    uint64_t result = 1 % modulus, base = 10 % modulus;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1)
            result = times(result, base, modulus);
        base = times(base, base, modulus);
    }
    return result;
}

/* Both as whole numbers times a power of ten, without zeros at their ends. Where the divisor's power is the higher one, the
 * other number would have to end in a zero. */
bool decimal_is_multiple(const struct decimal *decimal, const struct decimal *divisor) {
    uint64_t modulus = 0, rest = 0;
    if (decimal_is_zero(decimal))
        return true;
    for (size_t i = divisor->first; i < divisor->last; i++)
        modulus = modulus * 10 + digit(divisor, i);
    for (size_t i = decimal->first; i < decimal->last; i++)
        rest = (times(rest, 10, modulus) + digit(decimal, i)) % modulus;
    int64_t shift = (decimal->point - (int64_t)(decimal->last - decimal->first)) -
                    (divisor->point - (int64_t)(divisor->last - divisor->first));
    return shift >= 0 && times(rest, power_of_ten((uint64_t)shift, modulus), modulus) == 0;
}
