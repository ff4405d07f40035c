/* Takers say in heartbeats how busy they are: {"load": 0.7, "capacity": 40} in the data. A session says it of itself, who sends it
 * otherwise names one of its endpoints in `subject`. All workers are told. */
#ifndef ENGINE_REPORTED_H
#define ENGINE_REPORTED_H

#include "engine/inner.h"
#include "engine/parcel.h"

void reported_heartbeat(struct engine *engine, struct session *session, struct system *system, const struct message *message);
/* By mail. `texts`: its system, its endpoint. */
void reported_heard(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]);

#endif
