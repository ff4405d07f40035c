/* Plays every variant and judges. */
#include "simulation/play.h"

#include <stdio.h>

struct sides {
    double left[SCENARIO_EXPECTS_MAX], right[SCENARIO_EXPECTS_MAX];
};

static const char *number(double value, char text[static 32]) {
    bool is_whole = value < 1e15 && value > -1e15 && !(value - (double)(int64_t)value > 0) &&
                    !(value - (double)(int64_t)value < 0);
    (void)snprintf(text, 32, is_whole ? "%.0f" : "%.2f", value);
    return text;
}

static unsigned judge(const struct scenario_expect *expect, double left, double right, struct buffer *out) {
    char a[32], b[32];
    bool holds = scenario_holds(expect->compare, left, right);
    if (out)
        buffer_add_format(out, "%s %.*s   (%s, %s)\n", holds ? "holds: " : "BROKEN:", SLICE_ARG(expect->text),
                          number(left, a), number(right, b));
    return !holds;
}

static unsigned judge_variant(const struct stage *stage, struct sides *sides) {
    const struct scenario *s = stage->scenario;
    unsigned broken = stage->wrong[0] != 0;
    for (uint32_t i = 0; i < s->expect_count; i++) {
        const struct scenario_expect *e = &s->expects[i];
        if (!e->spans) {
            broken +=
                judge(e, stage_measure(stage, &e->left), stage_measure(stage, &e->right), stage->narrative);
            continue;
        }
        if (e->left.variant == stage->variant || e->left.measure == MEASURE_NUMBER)
            sides->left[i] = stage_measure(stage, &e->left);
        if (e->right.variant == stage->variant || e->right.measure == MEASURE_NUMBER)
            sides->right[i] = stage_measure(stage, &e->right);
    }
    return broken;
}

static void heading(const struct scenario *s, uint32_t variant, struct buffer *out) {
    if (!out)
        return;
    if (variant == 0)
        buffer_add_format(out, "%.*s\n", SLICE_ARG(s->title));
    if (s->vary.size)
        buffer_add_format(out, "\n-- %.*s: %.*s --\n", SLICE_ARG(s->vary), SLICE_ARG(s->variants[variant]));
    buffer_add_byte(out, '\n');
}

bool play_scenario(const struct scenario *s, struct buffer *narrative, struct buffer *world_story,
                   struct play_result *ret, struct fault *fault) {
    struct sides sides = {0};
    *ret = (struct play_result){0};
    for (uint32_t v = 0; v < s->variant_count; v++) {
        heading(s, v, narrative);
        struct stage *stage = stage_new(s, v, narrative, world_story, fault);
        if (!stage)
            return false;
        stage_play(stage);
        stage_tell(stage);
        ret->broken += judge_variant(stage, &sides);
        ret->hash = ret->hash * 31 + stage_hash(stage);
        ret->messages += stage->record_count;
        stage_free(stage);
    }
    bool told = false;
    for (uint32_t i = 0; i < s->expect_count; i++)
        if (s->expects[i].spans) {
            if (narrative && !told)
                buffer_add_text(narrative, "\n-- together --\n\n");
            told = true;
            ret->broken += judge(&s->expects[i], sides.left[i], sides.right[i], narrative);
        }
    return true;
}
