/* filter: what a CESQL expression doesn't let through ends here. */
#include "middleware/stage.h"
#include "policy/cesql.h"

enum status filter_compile(struct stage *stage, const struct stage_make *make) {
    struct cesql_options options = {.declared = make->declared, .require_declared = true};
    struct cesql_fault why;
    const struct cesql *program;
    enum status status = cesql_compile(stage->spec->filter, &options, make->arena, &program, &why, NULL);
    if (status == STATUS_NO_MEMORY)
        return stage_fault(make->fault, status, "no memory");
    if (status != STATUS_OK)
        return stage_fault(make->fault, STATUS_BAD_CONFIG, "%s", why.text);
    stage->compiled = program;
    return STATUS_OK;
}

enum middleware_verdict filter_run(const struct stage *stage, struct middleware_run *run) {
    if (cesql_matches(stage->compiled, run->message, run->now))
        return MIDDLEWARE_ON;
    run->status = STATUS_FILTERED;
    run->detail[0] = '\0';
    return MIDDLEWARE_DROP;
}
