/* A part of inner.h: what is refused while memory is short (`limits.memory`). Included by it alone. */
#ifndef ENGINE_SHED_H
#define ENGINE_SHED_H

void shed_configure(struct engine *engine, const struct config *config);
void shed_look(struct engine *engine); /* whether connections may keep more of what has begun */
bool shed_refuses_now(const struct engine *engine, const struct message *message);
/* Whether memory is too short for one more of this priority. */
static inline bool shed_refuses(const struct engine *engine, const struct message *message) {
    return engine->memory_max != UINT64_MAX && shed_refuses_now(engine, message);
}

#endif
