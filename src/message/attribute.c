/* The table of attributes and the way from a name to its row. */
#include "message/attribute.h"

#include "base/assert.h"
#include "base/text.h"

static const struct attribute_row rows[ATTRIBUTE_COUNT] = {
#define ATTRIBUTE_ROW(NAME, name, type, flags) [ATTRIBUTE_##NAME] = {SLICE(name), ATTRIBUTE_##type, flags},
    ATTRIBUTE_TABLE(ATTRIBUTE_ROW)
#undef ATTRIBUTE_ROW
};

const struct attribute_row *attribute_row(enum attribute attribute) {
    ASSERT((unsigned)attribute < ATTRIBUTE_COUNT);
    return &rows[attribute];
}

/* On the message path, so: one jump by length, then a few comparisons of constant size, which the compiler turns into
 * loads. All names of other lengths fold away. */
#define TRY(length, NAME, name) \
    if (sizeof(name) - 1 == (length) && memcmp(at, name, sizeof(name) - 1 < (length) ? sizeof(name) - 1 : (length)) == 0) \
        return ATTRIBUTE_##NAME;
#define LENGTH_CASE(length) \
    case length: \
        ATTRIBUTE_TABLE(TRY_##length) \
        return ATTRIBUTE_OTHER;
#define TRY_2(NAME, name, type, flags) TRY(2, NAME, name)
#define TRY_3(NAME, name, type, flags) TRY(3, NAME, name)
#define TRY_4(NAME, name, type, flags) TRY(4, NAME, name)
#define TRY_5(NAME, name, type, flags) TRY(5, NAME, name)
#define TRY_6(NAME, name, type, flags) TRY(6, NAME, name)
#define TRY_7(NAME, name, type, flags) TRY(7, NAME, name)
#define TRY_8(NAME, name, type, flags) TRY(8, NAME, name)
#define TRY_9(NAME, name, type, flags) TRY(9, NAME, name)
#define TRY_10(NAME, name, type, flags) TRY(10, NAME, name)
#define TRY_11(NAME, name, type, flags) TRY(11, NAME, name)
#define TRY_12(NAME, name, type, flags) TRY(12, NAME, name)
#define TRY_13(NAME, name, type, flags) TRY(13, NAME, name)
#define TRY_14(NAME, name, type, flags) TRY(14, NAME, name)
#define TRY_15(NAME, name, type, flags) TRY(15, NAME, name)
#define TRY_16(NAME, name, type, flags) TRY(16, NAME, name)
#define TRY_17(NAME, name, type, flags) TRY(17, NAME, name)
#define TRY_18(NAME, name, type, flags) TRY(18, NAME, name)
#define TRY_19(NAME, name, type, flags) TRY(19, NAME, name)
#define TRY_20(NAME, name, type, flags) TRY(20, NAME, name)

#define LENGTH_IS_COVERED(NAME, name, type, flags) \
    _Static_assert(sizeof(name) - 1 >= 2 && sizeof(name) - 1 <= 20, "attribute_find() has no case for this length");
ATTRIBUTE_TABLE(LENGTH_IS_COVERED)

enum attribute attribute_find(struct slice name) {
    const uint8_t *at = name.data;
    switch (name.size) {
        LENGTH_CASE(2)
        LENGTH_CASE(3)
        LENGTH_CASE(4)
        LENGTH_CASE(5)
        LENGTH_CASE(6)
        LENGTH_CASE(7)
        LENGTH_CASE(8)
        LENGTH_CASE(9)
        LENGTH_CASE(10)
        LENGTH_CASE(11)
        LENGTH_CASE(12)
        LENGTH_CASE(13)
        LENGTH_CASE(14)
        LENGTH_CASE(15)
        LENGTH_CASE(16)
        LENGTH_CASE(17)
        LENGTH_CASE(18)
        LENGTH_CASE(19)
        LENGTH_CASE(20)
    default:
        return ATTRIBUTE_OTHER;
    }
}

uint64_t attribute_ours(void) {
#define ATTRIBUTE_OURS_BIT(NAME, name, type, flags) | ((flags) & ATTRIBUTE_OURS ? ATTRIBUTE_BIT(ATTRIBUTE_##NAME) : 0)
    return 0 ATTRIBUTE_TABLE(ATTRIBUTE_OURS_BIT);
#undef ATTRIBUTE_OURS_BIT
}

bool attribute_name_is_valid(struct slice name) {
    if (name.size == 0 || name.size > 64)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!(name.data[i] >= 'a' && name.data[i] <= 'z') && !text_is_digit(name.data[i]))
            return false;
    return !slice_equal(name, SLICE_OF("data")) && !slice_equal(name, SLICE_OF("specversion"));
}
