/* log: a line for messages that come by here, or for a share of them. Which ones follows from their ids, so that all stages
 * and all workers choose the same. What is told is for who has the log: never data, and of the attributes what is named. */
#include "base/map.h"
#include "middleware/stage.h"

#define SAMPLE_SEED UINT64_C(0x73616d706c65)

bool middleware_check_shown(struct slice name, const struct attribute_declared *declared,
                            struct middleware_fault *fault) {
    struct middleware_need need = {name};
    if (slice_starts(name, SLICE_OF("data:")) || slice_is(name, "data")) {
        stage_fault(fault, STATUS_BAD_CONFIG, "data is never logged");
        return false;
    }
    return middleware_check_need(&need, declared, fault);
}

enum status log_compile(struct stage *stage, const struct stage_make *make) {
    const struct middleware_spec *spec = stage->spec;
    if (spec->shown_count > MIDDLEWARE_SHOWN_MAX)
        return stage_fault(make->fault, STATUS_BAD_CONFIG, "more than %d attributes to show",
                           MIDDLEWARE_SHOWN_MAX);
    return STATUS_OK;
}

enum middleware_verdict log_run(const struct stage *stage, struct middleware_run *run) {
    uint64_t hash = map_hash(message_text(run->message, ATTRIBUTE_ID), SAMPLE_SEED);
    return hash % 1000 < stage->spec->sample ? MIDDLEWARE_TELL : MIDDLEWARE_ON;
}
