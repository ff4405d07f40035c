/* Typed scalars: the schema says what a text must be, these functions read it or say in words why not. */
#ifndef CONFIG_SCALAR_H
#define CONFIG_SCALAR_H

#include "base/buffer.h"
#include "config/config.h"

#define SCALAR_WHY_MAX 320
#define CONFIG_VERSION INTERTIE_VERSION
#ifndef INTERTIE_VERSION
#define INTERTIE_VERSION "0.1.0"
#endif

/* Why a value was refused: a sentence that begins with the value, without the key's path. */
struct scalar_why {
    char text[SCALAR_WHY_MAX];
    struct slice nearest; /* static text, or empty */
};

/* All: `ret_` is untouched on false, and `why` is filled. `unlimited` is for the caller to look for. */
bool scalar_duration(struct slice text, int64_t *ret_ns, struct scalar_why *why);
bool scalar_size(struct slice text, uint64_t *ret_bytes, struct scalar_why *why);
bool scalar_count(struct slice text, uint64_t *ret_count, struct scalar_why *why);
bool scalar_integer(struct slice text, int64_t *ret_value, struct scalar_why *why);
bool scalar_boolean(struct slice text, bool *ret_value, struct scalar_why *why);
/* `200/s`, `10/m`, `5/h`: per second times 1000, so that 10/m survives. */
bool scalar_rate(struct slice text, uint64_t *ret_per_kilosecond, struct scalar_why *why);
bool scalar_byte_rate(struct slice text, uint64_t *ret_bytes_per_s, struct scalar_why *why);
bool scalar_share(struct slice text, uint32_t *ret_permille, struct scalar_why *why);
/* `25ms..250ms`. */
bool scalar_range(struct slice text, int64_t *ret_low_ns, int64_t *ret_high_ns, struct scalar_why *why);
bool scalar_name(struct slice text, struct scalar_why *why);
/* 1..5, or low normal high critical emergency. */
bool scalar_priority(struct slice text, uint64_t *ret_priority, struct scalar_why *why);
bool scalar_hash(struct slice text, uint8_t ret_hash[static 32], struct scalar_why *why);
/* 2027-03-01 (midnight UTC) or RFC 3339. */
bool scalar_date(struct slice text, struct wall *ret_at, struct scalar_why *why);
bool scalar_cidr(struct slice text, struct cidr *ret_cidr, struct scalar_why *why);
bool scalar_rule(struct slice text, struct config_rule *ret_rule, struct scalar_why *why);
/* For an attribute of this type: integers give ranges. */
bool scalar_pattern(struct slice text, enum attribute_type type, bool is_priority, struct config_pattern *ret_pattern,
                   struct scalar_why *why);
/* `values` as in struct config_row: the word's index from 0; *ret_planned when it is marked with `!`. */
bool scalar_enum(struct slice text, const char *values, uint32_t *ret_index, bool *ret_planned, struct scalar_why *why);

/* The next word of `a|!b`: false at the end. Start with *at = values. */
bool scalar_word(const char **at, struct slice *ret_word, bool *ret_planned);

/* Writes a value the way a person would: 90000000000 is `90s`, 65536 is `64KiB`. */
void scalar_print_duration(struct buffer *out, int64_t ns);
void scalar_print_size(struct buffer *out, uint64_t bytes);

/* frames.c: text, or `hex 1c0d`. */
bool scalar_until(struct slice text, struct config_until *ret_until, struct scalar_why *why);
__attribute__((format(printf, 2, 3))) bool scalar_refuse(struct scalar_why *why, const char *format, ...);

/* A text, cut so that a message stays readable: for "%.*s". */
#define SCALAR_SHOWN(s) (int)((s).size < 80 ? (s).size : 80), (const char *)(s).data

#endif
