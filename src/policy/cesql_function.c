/* The functions of CESQL (section 3.5) and ours. */
#include "base/assert.h"
#include "base/text.h"
#include "message/timestamp.h"
#include "policy/cesql_ops.h"

static const struct cesql_function_row rows[CESQL_FUNCTION_COUNT] = {
#define CESQL_FUNCTION_ROW(NAME, name, fewest, most, type, arguments, literal) \
    [CESQL_FUNCTION_##NAME] = {SLICE(name), fewest, most, CESQL_##type, literal, arguments},
    CESQL_FUNCTIONS(CESQL_FUNCTION_ROW)
#undef CESQL_FUNCTION_ROW
};

const struct cesql_function_row *cesql_function_row(enum cesql_function function) {
    ASSERT(function < CESQL_FUNCTION_COUNT);
    return &rows[function];
}

enum cesql_function cesql_function_find(struct slice name) {
    for (unsigned i = 0; i < CESQL_FUNCTION_COUNT; i++)
        if (slice_equal_nocase(rows[i].name, name))
            return (enum cesql_function)i;
    return CESQL_FUNCTION_COUNT;
}

static void fail(struct cesql_run *run, struct cesql_value *ret, enum cesql_error error) {
    cesql_raise(run, error);
    ret->errored = true;
}

/* -- characters -- */

static size_t count_characters(struct slice text) {
    size_t count = 0;
    for (size_t at = 0; at < text.size; count++)
        at += cesql_character_size(text, at);
    return count;
}

/* Where the character with that index begins; the end when there are fewer. */
static size_t character_at(struct slice text, size_t index) {
    size_t at = 0;
    while (index-- > 0 && at < text.size)
        at += cesql_character_size(text, at);
    return at;
}

/* Upper case letters with the way to their lower case ones; both take the same number of bytes in UTF-8. */
static const struct {
    uint32_t first;
    uint32_t last;
    int32_t distance;
    uint32_t every;
} letters[] = {
    {0x41, 0x5a, 32, 1},      {0xc0, 0xd6, 32, 1},    {0xd8, 0xde, 32, 1},    {0x100, 0x12e, 1, 2},
    {0x132, 0x136, 1, 2},     {0x139, 0x147, 1, 2},   {0x14a, 0x176, 1, 2},   {0x178, 0x178, -121, 1},
    {0x179, 0x17d, 1, 2},     {0x386, 0x386, 38, 1},  {0x388, 0x38a, 37, 1},  {0x38c, 0x38c, 64, 1},
    {0x38e, 0x38f, 63, 1},    {0x391, 0x3a1, 32, 1},  {0x3a3, 0x3ab, 32, 1},  {0x400, 0x40f, 80, 1},
    {0x410, 0x42f, 32, 1},    {0x460, 0x480, 1, 2},   {0x48a, 0x4be, 1, 2},   {0x4c1, 0x4cd, 1, 2},
    {0x4d0, 0x52e, 1, 2},
};

static uint32_t change_case(uint32_t point, bool upper) {
    if (upper && point == 0x3c2) /* the sigma at a word's end */
        return 0x3a3;
    for (size_t i = 0; i < COUNT_OF(letters); i++) {
        uint32_t base = upper ? point - (uint32_t)letters[i].distance : point;
        if (base >= letters[i].first && base <= letters[i].last && (base - letters[i].first) % letters[i].every == 0)
            return upper ? base : base + (uint32_t)letters[i].distance;
    }
    return point;
}

static void set_case(struct cesql_run *run, struct slice text, bool upper, struct cesql_value *ret) {
    uint8_t *out = cesql_scratch(run, text.size);
    if (!out) {
        ret->errored = true;
        return;
    }
    for (size_t at = 0; at < text.size;) {
        uint32_t point;
        size_t size = text_utf8_next(slice_skip(text, at), &point);
        if (size == 0) {
            out[at] = text.data[at];
            at++;
        } else {
            at += text_utf8_put(out + at, change_case(point, upper));
        }
    }
    ret->text = slice_make(out, text.size);
}

/* -- strings -- */

static void concat(struct cesql_run *run, const struct cesql_value *parts, size_t count, struct slice delimiter,
                   struct cesql_value *ret) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].text.size + (i ? delimiter.size : 0);
    uint8_t *out = size <= CESQL_SCRATCH_MAX ? cesql_scratch(run, size) : NULL;
    if (!out) {
        fail(run, ret, CESQL_ERROR_GENERIC);
        return;
    }
    ret->text = slice_make(out, size);
    for (size_t i = 0; i < count; i++) {
        if (i && delimiter.size) {
            memcpy(out, delimiter.data, delimiter.size);
            out += delimiter.size;
        }
        if (parts[i].text.size)
            memcpy(out, parts[i].text.data, parts[i].text.size);
        out += parts[i].text.size;
    }
}

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trim(struct slice text) {
    while (text.size && is_space(text.data[0]))
        text = slice_skip(text, 1);
    while (text.size && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

static void left_or_right(struct cesql_run *run, bool left, struct slice text, int32_t count, struct cesql_value *ret) {
    ret->text = text;
    if (count < 0) {
        fail(run, ret, CESQL_ERROR_FUNCTION_EVALUATION);
        return;
    }
    size_t wanted = (size_t)count;
    if (left) {
        ret->text = slice_head(text, character_at(text, wanted));
        return;
    }
    size_t total = count_characters(text);
    if (wanted < total)
        ret->text = slice_skip(text, character_at(text, total - wanted));
}

static void substring(struct cesql_run *run, const struct cesql_value *arguments, size_t count,
                      struct cesql_value *ret) {
    struct slice text = arguments[0].text;
    int64_t position = arguments[1].number;
    int64_t total = (int64_t)count_characters(text);
    int64_t wanted = count == 3 ? arguments[2].number : total;
    if (position > total || position < -total || wanted < 0) {
        fail(run, ret, CESQL_ERROR_FUNCTION_EVALUATION);
        return;
    }
    if (position == 0)
        return;
    size_t first = (size_t)(position > 0 ? position - 1 : total + position);
    text = slice_skip(text, character_at(text, first));
    ret->text = slice_head(text, character_at(text, (size_t)wanted));
}

/* -- numbers and times -- */

static void absolute(struct cesql_run *run, int32_t value, struct cesql_value *ret) {
    ret->number = value < 0 && value != INT32_MIN ? -value : value;
    if (value == INT32_MIN) { /* section 3.5.2 */
        ret->number = INT32_MAX;
        fail(run, ret, CESQL_ERROR_MATH);
    }
}

static int32_t clamp(int64_t value) {
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

static void moment(struct cesql_run *run, bool age, struct slice text, struct cesql_value *ret) {
    int64_t seconds;
    int32_t nanos;
    if (!timestamp_parse(text, &seconds, &nanos)) {
        fail(run, ret, CESQL_ERROR_CAST);
        return;
    }
    if (!age) {
        ret->number = clamp(seconds);
        return;
    }
    int64_t now = run->now.wall.ns / NS_PER_S;
    int32_t now_nanos = (int32_t)(run->now.wall.ns % NS_PER_S);
    ret->number = clamp(now - seconds - (now_nanos < nanos));
}

/* -- data and headers -- */

static void scalar(struct cesql_run *run, const struct json_item *item, struct cesql_value *ret) {
    switch ((int)item->type) {
    case JSON_NUMBER: ret->text = item->raw; return;
    case JSON_TRUE:
    case JSON_FALSE: ret->text = item->raw; return;
    case JSON_STRING: break;
    default: fail(run, ret, CESQL_ERROR_FUNCTION_EVALUATION); return;
    }
    ret->text = item->raw;
    if (!item->has_escapes)
        return;
    size_t size = json_unescape(NULL, item->raw);
    uint8_t *out = size == SIZE_MAX ? NULL : cesql_scratch(run, size);
    ret->text = SLICE_OF("");
    if (!out) {
        fail(run, ret, CESQL_ERROR_FUNCTION_EVALUATION);
        return;
    }
    (void)json_unescape(out, item->raw);
    ret->text = slice_make(out, size);
}

static void read_json(struct cesql_run *run, const struct cesql_op *op, struct cesql_value *ret) {
    struct json_item item;
    enum cesql_found found = cesql_data_find(run, op->pointer, &item);
    if (op->small == CESQL_FUNCTION_DATAHAS) {
        ret->number = found == CESQL_FOUND;
        return;
    }
    if (found != CESQL_FOUND) {
        fail(run, ret, found == CESQL_FOUND_ABSENT ? CESQL_ERROR_MISSING_ATTRIBUTE : CESQL_ERROR_FUNCTION_EVALUATION);
        return;
    }
    int64_t integer = 0;
    switch ((int)op->small) {
    case CESQL_FUNCTION_DATAINT:
        if (item.type != JSON_NUMBER || !json_number_to_i64(item.raw, &integer) || clamp(integer) != integer)
            fail(run, ret, CESQL_ERROR_CAST);
        else
            ret->number = (int32_t)integer;
        break;
    case CESQL_FUNCTION_DATABOOL:
        ret->number = item.type == JSON_TRUE;
        if (item.type != JSON_TRUE && item.type != JSON_FALSE)
            fail(run, ret, CESQL_ERROR_CAST);
        break;
    default: scalar(run, &item, ret);
    }
}

static void glob(struct cesql_run *run, struct slice pattern, struct slice text, struct cesql_value *ret) {
    ret->number = cesql_pattern_matches(pattern, text, &run->work);
    if (run->work == 0)
        fail(run, ret, CESQL_ERROR_GENERIC);
}

void cesql_call(struct cesql_run *run, const struct cesql_op *op, const struct cesql_value *arguments,
                struct cesql_value *ret) {
    switch ((enum cesql_function)op->small) {
    case CESQL_FUNCTION_LENGTH: ret->number = clamp((int64_t)count_characters(arguments[0].text)); break;
    case CESQL_FUNCTION_CONCAT: concat(run, arguments, op->count, SLICE_OF(""), ret); break;
    case CESQL_FUNCTION_CONCAT_WS: concat(run, arguments + 1, op->count - 1u, arguments[0].text, ret); break;
    case CESQL_FUNCTION_LOWER: set_case(run, arguments[0].text, false, ret); break;
    case CESQL_FUNCTION_UPPER: set_case(run, arguments[0].text, true, ret); break;
    case CESQL_FUNCTION_TRIM: ret->text = trim(arguments[0].text); break;
    case CESQL_FUNCTION_LEFT: left_or_right(run, true, arguments[0].text, arguments[1].number, ret); break;
    case CESQL_FUNCTION_RIGHT: left_or_right(run, false, arguments[0].text, arguments[1].number, ret); break;
    case CESQL_FUNCTION_SUBSTRING: substring(run, arguments, op->count, ret); break;
    case CESQL_FUNCTION_ABS: absolute(run, arguments[0].number, ret); break;
    case CESQL_FUNCTION_INT:
    case CESQL_FUNCTION_BOOL: ret->number = arguments[0].number; break;
    case CESQL_FUNCTION_STRING: ret->text = arguments[0].text; break;
    case CESQL_FUNCTION_EPOCH: moment(run, false, arguments[0].text, ret); break;
    case CESQL_FUNCTION_AGE: moment(run, true, arguments[0].text, ret); break;
    case CESQL_FUNCTION_GLOB: glob(run, op->text, arguments[0].text, ret); break;
    case CESQL_FUNCTION_HEADER:
    case CESQL_FUNCTION_DATA:
    case CESQL_FUNCTION_DATAINT:
    case CESQL_FUNCTION_DATABOOL:
    case CESQL_FUNCTION_DATAHAS: read_json(run, op, ret); break;
    case CESQL_FUNCTION_COUNT: UNREACHABLE();
    }
}
