/* What a played scenario came to: measures, the table by time, the sums. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "simulation/stage.h"

static bool is_meant(const struct stage_record *record, const struct scenario_side *side) {
    return (side->load == SCENARIO_NONE || record->load == side->load) && record->due_ns >= side->from_ns &&
           record->due_ns < side->to_ns;
}

static bool is_lost(const struct stage *stage, const struct stage_record *record) {
    if (!record->accepted || record->dead || record->expired || record->dropped || record->answers)
        return false;
    uint32_t reached = 0, wanted = stage->scenario->loads[record->load].reaches;
    for (uint32_t i = 0; i < stage->scenario->system_count; i++)
        reached |= (uint32_t)(record->took[i] > 0) << i;
    return wanted ? (reached & wanted) != wanted : reached == 0;
}

static unsigned count_of(const struct stage *stage, const struct stage_record *record,
                         enum scenario_measure measure) {
    unsigned twice = 0, arrived = 0;
    for (uint32_t i = 0; i < stage->scenario->system_count; i++) {
        twice |= record->took[i] > 1;
        arrived |= record->took[i] > 0;
    }
    switch ((int)measure) {
    case MEASURE_SENT:
        return 1;
    case MEASURE_ACCEPTED:
        return record->accepted;
    case MEASURE_REFUSED:
        return record->refused;
    case MEASURE_ARRIVED:
        return record->asks ? record->answers > 0 : arrived;
    case MEASURE_LOST:
        return is_lost(stage, record);
    case MEASURE_TWICE:
        return twice;
    case MEASURE_TRIES:
        return record->tries;
    case MEASURE_DEAD:
        return record->dead;
    case MEASURE_EXPIRED:
        return record->expired;
    default:
        return 0;
    }
}

static double count(const struct stage *stage, const struct scenario_side *side,
                    enum scenario_measure measure) {
    uint64_t sum = 0;
    for (size_t i = 0; i < stage->record_count; i++)
        if (is_meant(&stage->records[i], side))
            sum += count_of(stage, &stage->records[i], measure);
    return (double)sum;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Milliseconds. What was never done counts as long as it has waited at the end. */
static double latency(const struct stage *stage, const struct scenario_side *side, unsigned permille) {
    int64_t *all = memory_array(stage->record_count + 1, sizeof *all);
    size_t n = 0;
    ASSERT(all);
    for (size_t i = 0; i < stage->record_count; i++) {
        const struct stage_record *record = &stage->records[i];
        if (!is_meant(record, side) || record->refused)
            continue;
        all[n++] = (record->done_ns >= 0 ? record->done_ns : stage->scenario->until_ns) - record->due_ns;
    }
    if (n)
        qsort(all, n, sizeof *all, by_size);
    size_t which = (n * permille + 999) / 1000;
    double result = n ? (double)all[which ? which - 1 : 0] / 1e6 : 0;
    memory_free(all);
    return result;
}

/* Of numbers that are counted by time: their sum, or the most of any. */
static double bins(const struct stage *stage, const uint32_t *numbers, const struct scenario_side *side,
                   bool most) {
    uint64_t result = 0;
    for (size_t i = 0; i < stage->bin_count; i++) {
        int64_t at = (int64_t)i * STAGE_BIN_NS;
        if (at < side->from_ns || at >= side->to_ns)
            continue;
        if (!most)
            result += numbers[i];
        else if (numbers[i] > result)
            result = numbers[i];
    }
    return (double)result;
}

static double of_actors(const struct stage *stage, const struct scenario_side *side, bool done, bool most) {
    double result = 0;
    for (uint32_t i = 0; i < stage->scenario->actor_count; i++) {
        if (side->actor != SCENARIO_NONE && side->actor != i)
            continue;
        double one = bins(stage, done ? stage->actors[i].done : stage->actors[i].tries, side, most);
        result = most ? (one > result ? one : result) : result + one;
    }
    return result;
}

static double measure(const struct stage *stage, const struct scenario_side *side) {
    bool is_actor = side->actor != SCENARIO_NONE;
    switch (side->measure) {
    case MEASURE_NUMBER:
        return 1;
    case MEASURE_ARRIVED:
        return is_actor ? of_actors(stage, side, true, false) : count(stage, side, side->measure);
    case MEASURE_TRIES:
        return is_actor ? of_actors(stage, side, false, false) : count(stage, side, side->measure);
    case MEASURE_BURST:
        return of_actors(stage, side, false, true);
    case MEASURE_AMPLIFICATION: {
        double sent = count(stage, side, MEASURE_SENT);
        return sent > 0 ? count(stage, side, MEASURE_TRIES) / sent : 0;
    }
    case MEASURE_RETRIES:
        return bins(stage, stage->retries, side, false);
    case MEASURE_HELD:
        return bins(stage, stage->held, side, true);
    case MEASURE_DISORDER:
        return (double)stage->disorder;
    case MEASURE_P50:
        return latency(stage, side, 500);
    case MEASURE_P99:
        return latency(stage, side, 990);
    case MEASURE_MAX:
        return latency(stage, side, 1000);
    case MEASURE_SENT:
    case MEASURE_ACCEPTED:
    case MEASURE_REFUSED:
    case MEASURE_LOST:
    case MEASURE_TWICE:
    case MEASURE_DEAD:
    case MEASURE_EXPIRED:
    case MEASURE_COUNT:
        break;
    }
    return count(stage, side, side->measure);
}

double stage_measure(const struct stage *stage, const struct scenario_side *side) {
    return side->number * measure(stage, side);
}

/* -- the table -- */

static double one(const struct stage *stage, enum scenario_measure what, int64_t from_ns, int64_t to_ns,
                  uint32_t actor, uint32_t load) {
    struct scenario_side side = {
        .measure = what, .number = 1, .load = load, .actor = actor, .from_ns = from_ns, .to_ns = to_ns};
    return stage_measure(stage, &side);
}

static void tell_row(struct stage *stage, int64_t from) {
    int64_t to = from + stage->scenario->every_ns;
    static const enum scenario_measure signs[] = {MEASURE_SENT, MEASURE_HELD, MEASURE_RETRIES};
    double any = of_actors(
        stage, &(struct scenario_side){.actor = SCENARIO_NONE, .from_ns = from, .to_ns = to}, false, false);
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        any += one(stage, signs[i], from, to, SCENARIO_NONE, SCENARIO_NONE);
    if (any <= 0)
        return; /* nothing happened */
    struct buffer *out = stage->narrative;
    static const enum scenario_measure counts[] = {MEASURE_SENT, MEASURE_REFUSED, MEASURE_ARRIVED,
                                                   MEASURE_TRIES};
    static const enum scenario_measure times[] = {MEASURE_P50, MEASURE_P99, MEASURE_MAX};
    buffer_add_format(out, "%6.1f s", (double)from / 1e9);
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        buffer_add_format(out, " %8.0f", one(stage, counts[i], from, to, SCENARIO_NONE, SCENARIO_NONE));
    for (size_t i = 0; i < COUNT_OF(times); i++)
        buffer_add_format(out, " %8.1f", one(stage, times[i], from, to, SCENARIO_NONE, SCENARIO_NONE));
    buffer_add_format(out, " %8.0f", one(stage, MEASURE_HELD, from, to, SCENARIO_NONE, SCENARIO_NONE));
    buffer_add_text(out, "  |");
    for (uint32_t i = 0; i < stage->scenario->actor_count; i++)
        if (stage->actors[i].is->system_index != SCENARIO_NONE)
            buffer_add_format(out, " %6.0f", one(stage, MEASURE_TRIES, from, to, i, SCENARIO_NONE));
    buffer_add_byte(out, '\n');
}

static void tell_table(struct stage *stage) {
    struct buffer *out = stage->narrative;
    buffer_add_text(out,
                    "\n    when     sent  refused  arrived    tries   p50 ms   p99 ms   max ms     held  |");
    for (uint32_t i = 0; i < stage->scenario->actor_count; i++)
        if (stage->actors[i].is->system_index != SCENARIO_NONE)
            buffer_add_format(out, " %6.6s", stage->actors[i].actor->script.name);
    buffer_add_byte(out, '\n');
    for (int64_t at = 0; at < stage->scenario->until_ns; at += stage->scenario->every_ns)
        tell_row(stage, at);
}

static void tell_load(struct stage *stage, uint32_t load, const char *name, int name_size) {
    static const enum scenario_measure counts[] = {MEASURE_SENT,    MEASURE_ACCEPTED, MEASURE_REFUSED,
                                                   MEASURE_ARRIVED, MEASURE_LOST,     MEASURE_TWICE,
                                                   MEASURE_DEAD,    MEASURE_EXPIRED,  MEASURE_TRIES};
    static const enum scenario_measure times[] = {MEASURE_P50, MEASURE_P99, MEASURE_MAX};
    buffer_add_format(stage->narrative, "%.*s:", name_size, name);
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        buffer_add_format(stage->narrative, "%s %s %.0f", i ? "," : "", scenario_measure_name(counts[i]),
                          one(stage, counts[i], 0, INT64_MAX, SCENARIO_NONE, load));
    for (size_t i = 0; i < COUNT_OF(times); i++)
        buffer_add_format(stage->narrative, ", %s %.1f ms", scenario_measure_name(times[i]),
                          one(stage, times[i], 0, INT64_MAX, SCENARIO_NONE, load));
    buffer_add_byte(stage->narrative, '\n');
}

void stage_tell(struct stage *stage) {
    const struct scenario *s = stage->scenario;
    if (!stage->narrative)
        return;
    tell_table(stage);
    buffer_add_byte(stage->narrative, '\n');
    for (uint32_t i = 0; i < s->load_count; i++)
        tell_load(stage, i, (const char *)s->loads[i].name.data, (int)s->loads[i].name.size);
    buffer_add_format(stage->narrative, "disorder %.0f, retries %.0f, held %.0f at most\n\n",
                      one(stage, MEASURE_DISORDER, 0, INT64_MAX, SCENARIO_NONE, SCENARIO_NONE),
                      one(stage, MEASURE_RETRIES, 0, INT64_MAX, SCENARIO_NONE, SCENARIO_NONE),
                      one(stage, MEASURE_HELD, 0, INT64_MAX, SCENARIO_NONE, SCENARIO_NONE));
}
