/* A part of inner.h: where messages pass, these record what becomes of one that is traced. Others cost a test. */
#ifndef ENGINE_TRACE_HOOK_H
#define ENGINE_TRACE_HOOK_H

void trace_init(struct engine *engine);
void trace_done(struct engine *engine);
void trace_configure(struct engine *engine, const struct plan *plan);

/* -- a message comes in -- */

/* Its first word: `received`, and who it is from. Sets the mark; `is_late`: it came in earlier, and only now is it known
 * that it is worth telling. */
void trace_begin(struct engine *engine, const struct session *session, const struct message *message, uint32_t from,
                 bool is_late);
/* It is refused, before or after it was known to be recorded. */
void trace_refused(struct engine *engine, const struct session *session, const struct message *message, uint32_t from);
bool trace_is_all(const struct engine *engine, const struct routing *routing);

/* Whether it is recorded from here on. */
static inline bool trace_wants(struct engine *engine, const struct session *s, const struct message *message,
                               const struct routing *routing) {
    struct tracing *t = &engine->tracing;
    if (!t->is_on)
        return false;
    if (--t->left == 0 || s->received == 1 || message_kind_asks((enum message_kind)message->kind))
        return true;
    return t->is_all && trace_is_all(engine, routing);
}

/* -- it is under way -- */

void trace_routed(struct engine *engine, const struct recipient *recipient, uint64_t mark);
void trace_waits(struct engine *engine, const struct recipient *full);
void trace_queued(struct engine *engine, const struct delivery *delivery);
void trace_handed(struct engine *engine, const struct delivery *delivery, uint32_t worker);
void trace_sent(struct engine *engine, uint64_t trace, const struct member *member, uint8_t attempt, uint64_t size);
/* `delay_ns` -1: no other follows. */
void trace_failed(struct engine *engine, struct delivery *delivery, const struct attempt_failure *failure, int why,
                  int64_t delay_ns);
void trace_answered(struct engine *engine, const struct delivery *delivery, const struct message *reply);

/* -- it ends -- */

struct trace_end {
    const struct message *message; /* NULL: it was never one */
    const struct recipient *recipient;
    uint32_t from;
    enum engine_ending ending;
    enum status status;
    uint8_t attempt;
    uint16_t code; /* that its sender was told; 0: none, or not by us */
    int64_t duration_ns;
};
void trace_ended(struct engine *engine, uint64_t trace, const struct trace_end *end);
static inline bool trace_wants_end(const struct engine *engine, uint64_t trace, enum engine_ending ending) {
    return trace || (engine->tracing.is_on && ending > ENDING_REPLIED);
}

#endif
