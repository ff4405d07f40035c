/* A part of inner.h: exchanges that are more than one message and its reply. Messages that are fetched, requests that run
 * once, replies that are kept for who asked, and what is streamed. */
#ifndef ENGINE_EXCHANGE_H
#define ENGINE_EXCHANGE_H

/* poll.c */
void poll_request(void *connection, uint64_t token, const struct pull *pull);
void poll_closed(struct engine *engine, struct session *session);
void poll_cancel(struct engine *engine, struct poll_wait *wait);
void poll_progress(struct engine *engine, struct poll_wait *wait);
bool poll_is_idle(const struct session *session); /* nobody waits at the moment */

/* once.c */
struct once_verdict once_claim(void *connection, const struct once_claim *claim);
void once_ended(void *connection, unsigned code, struct slice answer);
void once_closed(struct engine *engine, struct session *session);
void once_accepted(struct session *session, bool repeats);
/* What had no room. False: nor has it now. */
bool once_resend(struct engine *engine);
void once_done(struct engine *engine);

/* replies.c */
/* `d` was asked by a session whose peer fetches its replies: now or when its patience ends nobody waits any more. */
void replies_begin(struct engine *engine, struct delivery *d);
/* The reply is here. False: there is no memory for it. */
bool replies_keep(struct engine *engine, struct delivery *d, const struct message *reply);
/* There will be none. */
void replies_fail(struct engine *engine, struct delivery *d, enum status status);
/* Who asked has it already, or never learned where to fetch it. */
void replies_drop(struct engine *engine, struct delivery *d);
void replies_fetch(struct engine *engine, struct session *session, uint64_t token, const struct pull *pull);
void replies_ring(struct engine *engine, struct timer *timer);
void replies_fetch_ring(struct engine *engine, struct timer *timer);
/* Nobody waits any longer for what isn't there. */
void replies_drain(struct engine *engine);
void replies_init(struct engine *engine, uint64_t seed);
void replies_done(struct engine *engine);
uint64_t replies_memory(const struct engine *engine);

/* proxy.c: exchanges that are streamed */
void proxy_begin(void *connection, const struct protocol_stream *stream);
void proxy_answer(void *connection, const struct protocol_stream_answer *answer);
bool proxy_data(void *connection, struct slice data, bool last);
void proxy_failed(void *connection, enum status status);
void proxy_late(struct engine *engine, struct timer *timer);
/* Something was written on the session: who was held back for it may go on. */
void proxy_progress(struct session *session);
/* The session is over. */
void proxy_closed(struct engine *engine, struct session *session);
/* Begins those that wait, where somebody is free. */
void proxy_pump(struct engine *engine, struct recipient *recipient);
/* Every endpoint failed: those that wait since before hear of it. */
void proxy_hopeless(struct engine *engine, struct system *system);
/* All that wait. */
void proxy_end_waiting(struct engine *engine, struct recipient *recipient, enum status status);
/* A broken invariant, or NULL. */
const char *proxy_check(const struct engine *engine);
bool proxy_holds(const struct session *session);

#endif
