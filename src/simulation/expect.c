/* What must hold in a scenario, a line each: `[FACTOR *] MEASURE [of WHO] [in VARIANT] [from T] [to T] == VALUE`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/scalar.h"
#include "simulation/scenario.h"

static const char *const names[MEASURE_COUNT] = {
    [MEASURE_NUMBER] = "number",     [MEASURE_SENT] = "sent",
    [MEASURE_ACCEPTED] = "accepted", [MEASURE_REFUSED] = "refused",
    [MEASURE_ARRIVED] = "arrived",   [MEASURE_LOST] = "lost",
    [MEASURE_TWICE] = "twice",       [MEASURE_DISORDER] = "disorder",
    [MEASURE_TRIES] = "tries",       [MEASURE_AMPLIFICATION] = "amplification",
    [MEASURE_BURST] = "burst",       [MEASURE_RETRIES] = "retries",
    [MEASURE_DEAD] = "dead",         [MEASURE_EXPIRED] = "expired",
    [MEASURE_HELD] = "held",         [MEASURE_P50] = "p50",
    [MEASURE_P99] = "p99",           [MEASURE_MAX] = "max",
};

const char *scenario_measure_name(enum scenario_measure measure) {
    return names[measure];
}

bool scenario_holds(enum scenario_compare compare, double left, double right) {
    switch (compare) {
    case COMPARE_EQUAL:
        return !(left < right) && !(left > right);
    case COMPARE_LESS:
        return left < right;
    case COMPARE_LESS_EQUAL:
        return left <= right;
    case COMPARE_MORE:
        return left > right;
    case COMPARE_MORE_EQUAL:
        return left >= right;
    }
    return false;
}

struct words {
    const struct scenario *scenario;
    struct slice rest;
    char *why;
    size_t room;
};

static struct slice peek(const struct words *words, size_t *ret_size) {
    size_t start = 0, end;
    while (start < words->rest.size && words->rest.data[start] == ' ')
        start++;
    for (end = start; end < words->rest.size && words->rest.data[end] != ' '; end++) {
    }
    *ret_size = end;
    return slice_make(words->rest.data + start, end - start);
}

static struct slice next(struct words *words) {
    size_t size;
    struct slice word = peek(words, &size);
    words->rest = slice_skip(words->rest, size);
    return word;
}

static bool accepts(struct words *words, const char *word) {
    size_t size;
    if (!slice_is(peek(words, &size), word))
        return false;
    words->rest = slice_skip(words->rest, size);
    return true;
}

static bool refuse(struct words *words, struct slice word, const char *wanted) {
    (void)snprintf(words->why, words->room, "`%.*s` is no %s", SLICE_ARG(word), wanted);
    return false;
}

static bool read_number(struct slice word, double *ret) {
    char text[40];
    char *end;
    if (word.size == 0 || word.size >= sizeof text)
        return false;
    memcpy(text, word.data, word.size);
    text[word.size] = 0;
    *ret = strtod(text, &end);
    return *end == 0;
}

static bool read_value(struct slice word, double *ret) {
    struct scalar_why why;
    int64_t ns;
    if (read_number(word, ret))
        return true;
    if (!scalar_duration(word, &ns, &why))
        return false;
    *ret = (double)ns / 1e6;
    return true;
}

static bool read_who(struct words *words, struct scenario_side *side) {
    struct slice who = next(words);
    const struct scenario *s = words->scenario;
    for (uint32_t i = 0; i < s->load_count; i++)
        if (slice_equal(s->loads[i].name, who))
            side->load = i;
    for (uint32_t i = 0; i < s->actor_count && side->load == SCENARIO_NONE; i++)
        if (slice_equal(s->actors[i].name, who))
            side->actor = i;
    if (side->load == SCENARIO_NONE && side->actor == SCENARIO_NONE)
        return refuse(words, who, "load and no actor");
    return true;
}

static bool read_variant(struct words *words, struct scenario_side *side) {
    struct slice which = next(words);
    for (uint32_t i = 0; i < words->scenario->variant_count; i++)
        if (slice_equal(words->scenario->variants[i], which)) {
            side->variant = i;
            return true;
        }
    return refuse(words, which, "variant");
}

static bool read_time(struct words *words, int64_t *ret) {
    struct scalar_why why;
    struct slice word = next(words);
    return scalar_duration(word, ret, &why) || refuse(words, word, "duration");
}

static bool read_side(struct words *words, struct scenario_side *side) {
    *side = (struct scenario_side){
        .load = SCENARIO_NONE, .actor = SCENARIO_NONE, .variant = SCENARIO_NONE, .to_ns = INT64_MAX};
    struct slice word = next(words);
    bool is_number = read_value(word, &side->number);
    if (is_number && !accepts(words, "*"))
        return true;
    if (is_number)
        word = next(words);
    else
        side->number = 1;
    for (unsigned i = MEASURE_NUMBER + 1; i < MEASURE_COUNT; i++)
        if (slice_is(word, names[i]))
            side->measure = (enum scenario_measure)i;
    if (side->measure == MEASURE_NUMBER)
        return refuse(words, word, "number and no measure");
    for (;;) {
        bool good = true;
        if (accepts(words, "of"))
            good = read_who(words, side);
        else if (accepts(words, "in"))
            good = read_variant(words, side);
        else if (accepts(words, "from"))
            good = read_time(words, &side->from_ns);
        else if (accepts(words, "to"))
            good = read_time(words, &side->to_ns);
        else
            return true;
        if (!good)
            return false;
    }
}

bool scenario_expect(const struct scenario *scenario, struct slice text, struct scenario_expect *ret,
                     char *why, size_t room) {
    static const char *const signs[] = {"==", "<", "<=", ">", ">="};
    struct words words = {scenario, text, why, room};
    *ret = (struct scenario_expect){.text = text};
    if (!read_side(&words, &ret->left))
        return false;
    struct slice sign = next(&words);
    unsigned which = 0;
    while (which < 5 && !slice_is(sign, signs[which]))
        which++;
    if (which == 5)
        return refuse(&words, sign, "comparison: ==, <, <=, > or >=");
    ret->compare = (enum scenario_compare)which;
    if (!read_side(&words, &ret->right))
        return false;
    struct slice rest = next(&words);
    if (rest.size)
        return refuse(&words, rest, "word that may come here");
    bool left = ret->left.variant != SCENARIO_NONE, right = ret->right.variant != SCENARIO_NONE;
    ret->spans = left || right;
    if (ret->spans && ((!left && ret->left.measure) || (!right && ret->right.measure))) {
        (void)snprintf(why, room, "both sides must say in which variant");
        return false;
    }
    return true;
}
