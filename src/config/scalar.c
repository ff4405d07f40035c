/* Reads typed scalars. */
#include "config/scalar.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/text.h"
#include "message/timestamp.h"

bool scalar_refuse(struct scalar_why *why, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    why->nearest = SLICE_OF("");
    return false;
}

struct unit {
    struct slice name;
    uint64_t factor;
};

/* Digits, then the unit. */
static size_t split(struct slice text, struct slice *ret_digits, struct slice *ret_unit) {
    size_t digits = 0;
    while (digits < text.size && text_is_digit(text.data[digits]))
        digits++;
    *ret_digits = slice_head(text, digits);
    *ret_unit = slice_skip(text, digits);
    return digits;
}

static bool scaled(struct slice text, const struct unit *units, size_t count, const char *what, const char *example,
                   const char *names, uint64_t most, uint64_t *ret_value, struct scalar_why *why) {
    struct slice digits, unit;
    uint64_t number, value;
    if (text.size == 0)
        return scalar_refuse(why, "is empty; write a %s such as %s", what, example);
    if (split(text, &digits, &unit) == 0)
        return scalar_refuse(why, "`%.*s` is no %s; write one such as %s", SCALAR_SHOWN(text), what, example);
    if (unit.size == 0)
        return scalar_refuse(why, "`%.*s` has no unit; write %.*s%.*s", SCALAR_SHOWN(text), SCALAR_SHOWN(text), SLICE_ARG(units[0].name));
    if (unit.data[0] == '.')
        return scalar_refuse(why, "`%.*s`: whole numbers only; take a smaller unit (%s)", SCALAR_SHOWN(text), names);
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal(unit, units[i].name))
            continue;
        if (!text_to_u64(digits, &number) || __builtin_mul_overflow(number, units[i].factor, &value) || value > most)
            return scalar_refuse(why, "`%.*s` is too big", SCALAR_SHOWN(text));
        *ret_value = value;
        return true;
    }
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(slice_trim(unit), units[i].name))
            return scalar_refuse(why, "`%.*s`: write %.*s%.*s", SCALAR_SHOWN(text), SLICE_ARG(digits), SLICE_ARG(units[i].name));
    return scalar_refuse(why, "`%.*s`: no unit `%.*s` for a %s; there are %s", SCALAR_SHOWN(text), SCALAR_SHOWN(unit), what, names);
}

/* The first one is what a bare number was probably meant to be. */
static const struct unit durations[] = {
    {SLICE("s"), 1000000000}, {SLICE("us"), 1000},           {SLICE("ms"), 1000000},
    {SLICE("m"), 60000000000}, {SLICE("h"), 3600000000000}, {SLICE("d"), 86400000000000},
};

bool scalar_duration(struct slice text, int64_t *ret_ns, struct scalar_why *why) {
    uint64_t value;
    if (!scaled(text, durations, COUNT_OF(durations), "duration", "5s", "us, ms, s, m, h, d", INT64_MAX / 2, &value, why))
        return false;
    *ret_ns = (int64_t)value;
    return true;
}

static const struct unit sizes[] = {
    {SLICE("B"), 1},           {SLICE("KiB"), 1 << 10}, {SLICE("MiB"), 1 << 20},   {SLICE("GiB"), 1 << 30}, {SLICE("TiB"), UINT64_C(1) << 40},
    {SLICE("kB"), 1000},       {SLICE("MB"), 1000000},  {SLICE("GB"), 1000000000}, {SLICE("TB"), 1000000000000},
};

bool scalar_size(struct slice text, uint64_t *ret_bytes, struct scalar_why *why) {
    return scaled(text, sizes, COUNT_OF(sizes), "size", "64KiB", "B, KiB, MiB, GiB, kB, MB, GB", INT64_MAX, ret_bytes, why);
}

static bool bare(struct slice text, struct scalar_why *why) {
    struct slice digits, unit;
    if (text.size == 0)
        return scalar_refuse(why, "is empty; write a number");
    if (split(text, &digits, &unit) && unit.size)
        return scalar_refuse(why, "`%.*s`: a count has no unit; write %.*s", SCALAR_SHOWN(text), SCALAR_SHOWN(digits));
    return true;
}

bool scalar_count(struct slice text, uint64_t *ret_count, struct scalar_why *why) {
    if (!bare(text, why))
        return false;
    if (text.data[0] == '-')
        return scalar_refuse(why, "`%.*s` is below 0", SCALAR_SHOWN(text));
    uint64_t value;
    if (!text_to_u64(text, &value) || value > INT64_MAX)
        return scalar_refuse(why, text_is_digit(text.data[0]) ? "`%.*s` is too big" : "`%.*s` is no number", SCALAR_SHOWN(text));
    *ret_count = value;
    return true;
}

bool scalar_integer(struct slice text, int64_t *ret_value, struct scalar_why *why) {
    if (!bare(text, why))
        return false;
    if (!text_to_i64(text, ret_value))
        return scalar_refuse(why, "`%.*s` is no whole number", SCALAR_SHOWN(text));
    return true;
}

bool scalar_boolean(struct slice text, bool *ret_value, struct scalar_why *why) {
    if (slice_is(text, "true") || slice_is(text, "false")) {
        *ret_value = text.size == 4;
        return true;
    }
    static const struct slice yes[] = {SLICE("true"), SLICE("yes"), SLICE("on"), SLICE("y"), SLICE("1")};
    static const struct slice no[] = {SLICE("false"), SLICE("no"), SLICE("off"), SLICE("n"), SLICE("0")};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (!slice_equal_nocase(text, yes[i]) && !slice_equal_nocase(text, no[i]))
            continue;
        bool is_yes = slice_equal_nocase(text, yes[i]);
        scalar_refuse(why, "`%.*s`: write %s", SCALAR_SHOWN(text), is_yes ? "true" : "false");
        why->nearest = is_yes ? SLICE_OF("true") : SLICE_OF("false");
        return false;
    }
    return scalar_refuse(why, "`%.*s` is neither true nor false", SCALAR_SHOWN(text));
}

static bool per(struct slice text, struct slice *ret_amount, uint64_t *ret_seconds, const char *example, struct scalar_why *why) {
    size_t slash = slice_find(text, '/');
    struct slice unit = slice_skip(text, slash + 1);
    if (slash == text.size)
        return scalar_refuse(why, "`%.*s` is no rate; write one such as %s", SCALAR_SHOWN(text), example);
    *ret_amount = slice_head(text, slash);
    *ret_seconds = slice_is(unit, "s") ? 1 : slice_is(unit, "m") ? 60 : slice_is(unit, "h") ? 3600 : 0;
    if (*ret_seconds == 0)
        return scalar_refuse(why, "`%.*s`: a rate is per s, m or h, as in %s", SCALAR_SHOWN(text), example);
    return true;
}

bool scalar_rate(struct slice text, uint64_t *ret_per_kilosecond, struct scalar_why *why) {
    struct slice amount;
    uint64_t seconds, value;
    if (!per(text, &amount, &seconds, "200/s", why) || !scalar_count(amount, &value, why))
        return false;
    if (__builtin_mul_overflow(value, 1000u, &value))
        return scalar_refuse(why, "`%.*s` is too big", SCALAR_SHOWN(text));
    *ret_per_kilosecond = value / seconds;
    return true;
}

bool scalar_byte_rate(struct slice text, uint64_t *ret_bytes_per_s, struct scalar_why *why) {
    struct slice amount;
    uint64_t seconds, value;
    if (!per(text, &amount, &seconds, "5MiB/s", why) || !scalar_size(amount, &value, why))
        return false;
    *ret_bytes_per_s = value / seconds;
    return true;
}

bool scalar_share(struct slice text, uint32_t *ret_permille, struct scalar_why *why) {
    uint64_t value;
    if (text.size < 2 || text.data[text.size - 1] != '%' || !text_to_u64(slice_head(text, text.size - 1), &value) || value > 100)
        return scalar_refuse(why, "`%.*s` is no share; write one from 0%% to 100%%, such as 20%%", SCALAR_SHOWN(text));
    *ret_permille = (uint32_t)value * 10;
    return true;
}

bool scalar_range(struct slice text, int64_t *ret_low, int64_t *ret_high, struct scalar_why *why) {
    size_t dots = 0;
    int64_t low, high;
    while (dots + 1 < text.size && (text.data[dots] != '.' || text.data[dots + 1] != '.'))
        dots++;
    if (dots + 1 >= text.size)
        return scalar_refuse(why, "`%.*s` is no range; write one such as 500ms..60s", SCALAR_SHOWN(text));
    if (!scalar_duration(slice_head(text, dots), &low, why) || !scalar_duration(slice_skip(text, dots + 2), &high, why))
        return false;
    if (low < NS_PER_MS || low > high)
        return scalar_refuse(why, low > high ? "`%.*s`: the first is above the second" : "`%.*s`: not below 1ms", SCALAR_SHOWN(text));
    *ret_low = low;
    *ret_high = high;
    return true;
}

bool scalar_name(struct slice text, struct scalar_why *why) {
    if (slice_is(text, "all"))
        return scalar_refuse(why, "`all` is reserved: it means every system");
    if (text_is_name(text))
        return true;
    if (text.size > 63)
        return scalar_refuse(why, "`%.*s...` is longer than 63 characters", SCALAR_SHOWN(text));
    return scalar_refuse(why, "`%.*s` is no name: lower-case letters, digits, `-` and `_`, a letter or digit first", SCALAR_SHOWN(text));
}

static const struct slice priorities[] = {SLICE("low"), SLICE("normal"), SLICE("high"), SLICE("critical"), SLICE("emergency")};

bool scalar_priority(struct slice text, uint64_t *ret_priority, struct scalar_why *why) {
    for (size_t i = 0; i < COUNT_OF(priorities); i++)
        if (slice_equal(text, priorities[i])) {
            *ret_priority = i + 1;
            return true;
        }
    uint64_t value;
    if (text_to_u64(text, &value) && value >= 1 && value <= 5) {
        *ret_priority = value;
        return true;
    }
    return scalar_refuse(why, "`%.*s` is no priority: 1 to 5, or low, normal, high, critical, emergency", SCALAR_SHOWN(text));
}

bool scalar_hash(struct slice text, uint8_t ret_hash[static 32], struct scalar_why *why) {
    struct slice prefix = SLICE_OF("sha256:");
    if (slice_starts(text, SLICE_OF("itk_")))
        return scalar_refuse(why, "this is a key, not its hash; take the row that `intertie keys new` printed, and make a new key");
    if (!slice_starts(text, prefix))
        return scalar_refuse(why, "a hash begins with `sha256:`; `intertie keys new` prints the row");
    struct slice digits = slice_skip(text, prefix.size);
    if (digits.size != 64)
        return scalar_refuse(why, "sha256 has 64 hexadecimal digits, here are %zu", digits.size);
    uint8_t hash[32];
    for (size_t i = 0; i < 32; i++) {
        int high = text_hex_value(digits.data[2 * i]), low = text_hex_value(digits.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return scalar_refuse(why, "sha256 has hexadecimal digits only; number %zu is none", 2 * i + (high < 0 ? 1 : 2));
        hash[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_hash, hash, sizeof hash);
    return true;
}

bool scalar_date(struct slice text, struct wall *ret_at, struct scalar_why *why) {
    char full[32];
    struct slice when = text;
    if (text.size == 10) {
        memcpy(full, text.data, 10);
        memcpy(full + 10, "T00:00:00Z", 10);
        when = slice_make(full, 20);
    }
    int64_t seconds;
    int32_t nanos;
    if (timestamp_parse(when, &seconds, &nanos) && timestamp_to_wall(seconds, nanos, ret_at))
        return true;
    return scalar_refuse(why, "`%.*s` is no day such as 2027-03-01, and no time such as 2027-03-01T12:00:00Z", SCALAR_SHOWN(text));
}

bool scalar_cidr(struct slice text, struct cidr *ret_cidr, struct scalar_why *why) {
    if (cidr_parse(text, ret_cidr))
        return true;
    struct address address;
    struct slice host = slice_head(text, slice_find(text, '/'));
    if (host.size < text.size && address_parse_ip(host, &address))
        return scalar_refuse(why, "`%.*s`: the bits behind the prefix must be 0, and the prefix no longer than the address", SCALAR_SHOWN(text));
    return scalar_refuse(why, "`%.*s` is no address range such as 10.0.0.0/24", SCALAR_SHOWN(text));
}

static bool verb(struct slice word, enum config_verb *ret_verb) {
    static const struct slice names[] = {SLICE("send"), SLICE("call"), SLICE("subscribe")};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_equal(word, names[i])) {
            *ret_verb = (enum config_verb)i;
            return true;
        }
    return false;
}

bool scalar_rule(struct slice text, struct config_rule *ret_rule, struct scalar_why *why) {
    struct config_rule rule = {0};
    struct slice word = slice_head(text, slice_find(text, ' '));
    struct slice object = slice_trim(slice_skip(text, word.size));
    struct slice on_system = SLICE_OF("system/"), on_type = SLICE_OF("type/");
    if ((slice_is(word, "read") || slice_is(word, "write")) && slice_starts(object, SLICE_OF("admin/")))
        return scalar_refuse(why, "`%.*s` is not supported yet in " CONFIG_VERSION, SCALAR_SHOWN(text));
    if (!verb(word, &rule.verb))
        return scalar_refuse(why, "`%.*s`: a rule is `send`, `call` or `subscribe`, then `system/X` or `type/X`", SCALAR_SHOWN(text));
    rule.is_type = slice_starts(object, on_type);
    if (!rule.is_type && !slice_starts(object, on_system))
        return scalar_refuse(why, "`%.*s`: after `%.*s` comes `system/X` or `type/X`", SCALAR_SHOWN(text), SLICE_ARG(word));
    rule.pattern = slice_skip(object, rule.is_type ? on_type.size : on_system.size);
    if (rule.pattern.size == 0)
        return scalar_refuse(why, "`%.*s` ends too early; `*` is every one", SCALAR_SHOWN(text));
    rule.is_prefix = rule.pattern.data[rule.pattern.size - 1] == '*';
    rule.pattern.size -= rule.is_prefix;
    if (slice_find(rule.pattern, '*') != rule.pattern.size || slice_find(rule.pattern, ' ') != rule.pattern.size)
        return scalar_refuse(why, "`%.*s`: `*` may only end it, and it has no space", SCALAR_SHOWN(text));
    *ret_rule = rule;
    return true;
}

static bool bound(struct slice text, bool is_priority, int64_t *ret_value) {
    uint64_t priority;
    struct scalar_why ignored;
    if (is_priority && scalar_priority(text, &priority, &ignored)) {
        *ret_value = (int64_t)priority;
        return true;
    }
    return !is_priority && text_to_i64(text, ret_value) && *ret_value >= INT32_MIN && *ret_value <= INT32_MAX;
}

/* `4..5`, or one number. */
static bool range(struct slice text, bool is_priority, struct config_pattern *ret_pattern, struct scalar_why *why) {
    struct config_pattern pattern = {.kind = CONFIG_PATTERN_RANGE, .text = text};
    size_t dots = 0;
    while (dots + 1 < text.size && (text.data[dots] != '.' || text.data[dots + 1] != '.'))
        dots++;
    bool is_range = dots + 1 < text.size;
    if (!bound(is_range ? slice_head(text, dots) : text, is_priority, &pattern.low) ||
        !bound(is_range ? slice_skip(text, dots + 2) : text, is_priority, &pattern.high))
        return scalar_refuse(why, is_priority ? "`%.*s` is no priority: 1 to 5 or its name, or a range such as 4..5"
                                             : "`%.*s` is no number of this attribute (int32), and no range such as 4..5", SCALAR_SHOWN(text));
    if (pattern.low > pattern.high)
        return scalar_refuse(why, "`%.*s` is empty: the lower end comes first", SCALAR_SHOWN(text));
    *ret_pattern = pattern;
    return true;
}

bool scalar_pattern(struct slice text, enum attribute_type type, bool is_priority, struct config_pattern *ret_pattern, struct scalar_why *why) {
    struct config_pattern pattern = {.kind = CONFIG_PATTERN_EXACT, .text = text};
    bool ignored;
    if (text.size == 0)
        return scalar_refuse(why, "is empty; attributes never are");
    if (type == ATTRIBUTE_INTEGER)
        return range(text, is_priority, ret_pattern, why);
    if (type == ATTRIBUTE_BOOLEAN && !scalar_boolean(text, &ignored, why))
        return false;
    if (text.data[text.size - 1] == '*') {
        pattern.kind = CONFIG_PATTERN_PREFIX;
        pattern.text.size--;
    }
    if (slice_find(pattern.text, '*') != pattern.text.size)
        return scalar_refuse(why, "`%.*s`: `*` may only end a pattern; for more there is `when`", SCALAR_SHOWN(text));
    *ret_pattern = pattern;
    return true;
}

bool scalar_word(const char **at, struct slice *ret_word, bool *ret_planned) {
    if (!*at || !**at)
        return false;
    *ret_planned = **at == '!';
    *at += *ret_planned;
    const char *end = strchr(*at, '|');
    size_t size = end ? (size_t)(end - *at) : strlen(*at);
    *ret_word = slice_make(*at, size);
    *at += size + (end != NULL);
    return true;
}

bool scalar_enum(struct slice text, const char *values, uint32_t *ret_index, bool *ret_planned, struct scalar_why *why) {
    struct slice words[32];
    struct slice word;
    const char *at = values;
    bool planned;
    size_t count = 0;
    char list[160];
    size_t used = 0;
    while (count < COUNT_OF(words) && scalar_word(&at, &word, &planned)) {
        if (slice_equal(word, text)) {
            *ret_index = (uint32_t)count;
            *ret_planned = planned;
            return true;
        }
        if (!planned) {
            int more = snprintf(list + used, sizeof list - used, "%s%.*s", used ? ", " : "", SLICE_ARG(word));
            used += more > 0 && (size_t)more < sizeof list - used ? (size_t)more : 0;
        }
        words[count++] = word;
    }
    int near = text_nearest(text, words, count);
    if (near >= 0)
        scalar_refuse(why, "no value `%.*s`; did you mean `%.*s`?", SCALAR_SHOWN(text), SLICE_ARG(words[near]));
    else
        scalar_refuse(why, "no value `%.*s`; there %s %.*s", SCALAR_SHOWN(text), strchr(list, ',') ? "are" : "is", (int)used, list);
    why->nearest = near >= 0 ? words[near] : SLICE_OF("");
    return false;
}

static void print_scaled(struct buffer *out, uint64_t value, const struct unit *const *order, size_t count) {
    for (size_t i = 0; i < count; i++)
        if ((value && value % order[i]->factor == 0) || i + 1 == count) {
            buffer_add_u64(out, value / order[i]->factor);
            buffer_add(out, order[i]->name);
            return;
        }
}

void scalar_print_duration(struct buffer *out, int64_t ns) {
    static const struct unit *const order[] = {&durations[5], &durations[4], &durations[3], &durations[0], &durations[2], &durations[1]};
    if (ns == CONFIG_FOREVER)
        buffer_add_text(out, "unlimited");
    else if (ns == 0)
        buffer_add_text(out, "0s");
    else
        print_scaled(out, (uint64_t)ns, order, COUNT_OF(order));
}

void scalar_print_size(struct buffer *out, uint64_t bytes) {
    static const struct unit *const order[] = {&sizes[4], &sizes[3], &sizes[2], &sizes[1], &sizes[0]};
    if (bytes == CONFIG_UNLIMITED)
        buffer_add_text(out, "unlimited");
    else
        print_scaled(out, bytes, order, COUNT_OF(order));
}
