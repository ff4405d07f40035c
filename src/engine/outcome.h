/* What an engine gave in one turn, in a form that can be kept and compared: its actions word for word; endings,
 * connections and bytes written as counts with a hash. Two engines that were given the same give the same, byte for
 * byte. */
#ifndef ENGINE_OUTCOME_H
#define ENGINE_OUTCOME_H

#include "base/buffer.h"
#include "engine/engine.h"

struct outcome {
    uint64_t endings; /* messages */
    uint64_t connections; /* opened or closed */
    uint64_t told_hash;
    uint64_t written; /* bytes */
    uint64_t written_hash;
};

/* What the engine's calls tell, as they do. */
void outcome_counted(struct outcome *outcome, const struct engine_count *count);
void outcome_ended(struct outcome *outcome, const struct engine_report *report);
void outcome_retried(struct outcome *outcome, uint32_t system, const struct engine_retry *retry);
void outcome_exchanged(struct outcome *outcome, const struct engine_exchange *exchange);
void outcome_connection(struct outcome *outcome, const struct connection *connection, bool opened);
/* After INPUT_OPENED: the handle. */
void outcome_opened(struct outcome *outcome, uint64_t connection);
/* Before INPUT_WRITTEN is given: the bytes that it is about. */
void outcome_written(struct outcome *outcome, struct engine *engine, const struct engine_input *input);
/* The end of the turn, before its mail is sent: adds all of it to `out` and begins anew. */
void outcome_end(struct outcome *outcome, const struct engine_actions *actions, struct buffer *out);

/* Words for what outcome_end() wrote, a line each with two blanks before it. */
void outcome_words(struct slice turn, struct buffer *out);

#endif
