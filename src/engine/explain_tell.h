/* What explain.h finds out, told: for the command line from a configuration, for the admin API from the router that runs. */
#ifndef ENGINE_EXPLAIN_TELL_H
#define ENGINE_EXPLAIN_TELL_H

#include "engine/engine.h"
#include "engine/explain.h"

#define EXPLAIN_TOLD_MAX (16u << 20) /* bytes of what is told */

struct explain_tale {
    const struct plan *plan;
    const struct engine *engine; /* in force there: states of endpoints are told too; NULL: from the plan alone */
    struct explain_ask ask;
};

/* One JSON document, or lines of text. OK, or why it would be refused, in words too (`detail`, may be empty). Whether `out`
 * had room is its own status. */
enum status explain_tell(const struct explain_tale *tale, bool as_json, struct buffer *out, char detail[EXPLAIN_DETAIL_MAX]);

#endif
