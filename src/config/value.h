/* Typed scalars: the schema says what a text must be, these functions read it or say in words why not. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/buffer.h"
#include "config/config.h"

#define VALUE_WHY_MAX 320
#define CONFIG_VERSION INTERTIE_VERSION
#ifndef INTERTIE_VERSION
#define INTERTIE_VERSION "0.1.0"
#endif

/* Why a value was refused: a sentence that begins with the value, without the key's path. */
struct value_why {
    char text[VALUE_WHY_MAX];
    struct slice nearest; /* static text, or empty */
};

/* All: `ret_` is untouched on false, and `why` is filled. `unlimited` is for the caller to look for. */
bool value_duration(struct slice text, int64_t *ret_ns, struct value_why *why);
bool value_size(struct slice text, uint64_t *ret_bytes, struct value_why *why);
bool value_count(struct slice text, uint64_t *ret_count, struct value_why *why);
bool value_integer(struct slice text, int64_t *ret_value, struct value_why *why);
bool value_boolean(struct slice text, bool *ret_value, struct value_why *why);
/* `200/s`, `10/m`, `5/h`: per second times 1000, so that 10/m survives. */
bool value_rate(struct slice text, uint64_t *ret_per_kilosecond, struct value_why *why);
bool value_byte_rate(struct slice text, uint64_t *ret_bytes_per_s, struct value_why *why);
bool value_share(struct slice text, uint32_t *ret_permille, struct value_why *why);
bool value_name(struct slice text, struct value_why *why);
/* 1..5, or low normal high critical emergency. */
bool value_priority(struct slice text, uint64_t *ret_priority, struct value_why *why);
bool value_hash(struct slice text, uint8_t ret_hash[static 32], struct value_why *why);
/* 2027-03-01 (midnight UTC) or RFC 3339. */
bool value_date(struct slice text, struct wall *ret_at, struct value_why *why);
bool value_cidr(struct slice text, struct cidr *ret_cidr, struct value_why *why);
bool value_rule(struct slice text, struct config_rule *ret_rule, struct value_why *why);
/* For an attribute of this type: integers give ranges. */
bool value_pattern(struct slice text, enum attribute_type type, bool is_priority, struct config_pattern *ret_pattern,
                   struct value_why *why);
/* `values` as in struct config_row: the word's index from 0; *ret_planned when it is marked with `!`. */
bool value_enum(struct slice text, const char *values, uint32_t *ret_index, bool *ret_planned, struct value_why *why);

/* The next word of `a|!b`: false at the end. Start with *at = values. */
bool value_word(const char **at, struct slice *ret_word, bool *ret_planned);

/* Writes a value the way a person would: 90000000000 is `90s`, 65536 is `64KiB`. */
void value_print_duration(struct buffer *out, int64_t ns);
void value_print_size(struct buffer *out, uint64_t bytes);

__attribute__((format(printf, 2, 3))) bool value_refuse(struct value_why *why, const char *format, ...);

/* A text, cut so that a message stays readable: for "%.*s". */
#define VALUE_SHOWN(s) (int)((s).size < 80 ? (s).size : 80), (const char *)(s).data

#endif
