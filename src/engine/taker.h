/* Whether a taker takes one more now: asked before and after each message, so it is here, where it costs no call. Only
 * included by inner.h. */
#ifndef ENGINE_TAKER_H
#define ENGINE_TAKER_H

static inline bool member_can_take(const struct member *m) {
    const struct session *s = m->session;
    if (!s)
        return mail_has_room(m);
    if (s->endpoint && !endpoint_takes_now(s->endpoint, s->engine->now.mono))
        return false;
    return connection_has_room(s->connection) && !s->retiring && (!s->connection->sink.terms.acks || m->in_flight < m->limit);
}

/* Links or unlinks it among those that are ready. */
static inline void member_look(struct engine *engine, struct member *m) {
    if (member_can_take(m) != list_node_is_linked(&m->ready_node))
        member_moves(engine, m);
}

/* Who takes the next message where all have their turns. NULL: nobody is ready. */
static inline struct member *recipient_first(const struct recipient *r) {
    struct list_node *node = list_first(&r->outlets_ready);
    return node ? LIST_ENTRY(list_first(&LIST_ENTRY(node, struct outlet, node)->ready), struct member, ready_node) : NULL;
}

#endif
