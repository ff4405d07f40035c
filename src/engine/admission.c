/* The engine's questions to security: who is this peer, may this message come in. */
#include "engine/inner.h"

/* A key decides; without one the peer is anonymous, which listeners with `auth` don't take and no identity's system. */
enum status security_admit(struct engine *engine, struct session *s, const struct protocol_hello *hello,
                           uint32_t *ret_system) {
    const struct plan *plan = engine->plan;
    uint32_t identity = SECURITY_NONE, system = s->listener ? s->listener->config->system : s->system;
    if (hello->key.size) {
        enum status status = identity_find(plan->security, hello->key, engine->now.wall, &identity);
        engine->totals.authentications[status == STATUS_OK]++;
        if (status != STATUS_OK)
            return status;
        system = plan->config->identities[identity].system;
    } else if (s->listener && s->listener->config->auth) {
        return STATUS_UNAUTHENTICATED;
    }
    if (hello->system.size) {
        uint32_t named = plan_system(plan, hello->system);
        if (named == CONFIG_NONE)
            return STATUS_UNKNOWN_TARGET;
        if (system != CONFIG_NONE && system != named)
            return STATUS_FORBIDDEN;
        enum status status = verdict_act(plan->security, identity, named);
        if (status != STATUS_OK)
            return status;
        system = named;
    }
    if (s->serving && system != s->system)
        return STATUS_FORBIDDEN; /* it takes that system's messages: nobody else's key may take it over */
    if (identity != s->identity)
        memo_forget(s);
    s->identity = identity;
    *ret_system = system;
    return STATUS_OK;
}

struct verdict security_verdict(const struct engine *engine, const struct session *s, const struct message *message) {
    struct verdict_peer peer = {.identity = s->identity, .system = s->system, .max_priority = PRIORITY_EMERGENCY};
    if (s->endpoint) { /* we dialled it: it is who it is, and sends as that system */
        return (struct verdict){.status = STATUS_OK, .from = s->system, .priority = message->priority};
    }
    if (s->listener)
        peer.max_priority = (uint8_t)s->listener->config->max_priority;
    return verdict_message(engine->plan->security, &peer, message);
}
