/* The engine's questions to security: who is this peer, may this message come in. */
#include "engine/inner.h"

/* Of a URI, an address and the rest: what each looks like is what each is, so that none can stand for another. */
static bool looks_right(const struct filter_name *name) {
    struct address address;
    bool is_address = address_parse_ip(name->text, &address);
    bool has_colon = slice_find(name->text, ':') < name->text.size, has_at = slice_find(name->text, '@') < name->text.size;
    switch (name->kind) {
    case FILTER_NAME_IP:
        return is_address;
    case FILTER_NAME_URI:
        return has_colon && !is_address;
    case FILTER_NAME_EMAIL:
        return has_at && !has_colon;
    case FILTER_NAME_DNS:
        return !has_at && !has_colon && !is_address;
    }
    return false;
}

uint32_t security_shown(const struct engine *engine, const struct connection *c) {
    const struct plan *plan = engine->plan;
    const struct filter_facts *facts = connection_facts(c);
    if (!facts || !facts->verified || c->listener >= plan->config->listener_count ||
        !(plan->config->listeners[c->listener].auth & CONFIG_AUTH_CERTIFICATE))
        return SECURITY_NONE;
    uint32_t identity = SECURITY_NONE;
    for (size_t i = 0; i < facts->name_count && identity == SECURITY_NONE; i++) {
        const struct filter_name *name = &facts->names[i];
        bool any_case = name->kind == FILTER_NAME_DNS || name->kind == FILTER_NAME_EMAIL;
        if (looks_right(name))
            identity = identity_named(plan->security, name->text, any_case);
    }
    return identity;
}

/* A key decides, else the certificate; without either the peer is anonymous, which listeners with `auth` don't take and no identity's system. */
enum status security_admit(struct engine *engine, struct session *s, const struct protocol_hello *hello,
                           uint32_t *ret_system) {
    const struct plan *plan = engine->plan;
    uint32_t identity = SECURITY_NONE, system = s->listener ? s->listener->config->system : s->system;
    bool keys_count = !s->listener || !s->listener->config->auth || s->listener->config->auth & CONFIG_AUTH_KEY;
    uint32_t shown = security_shown(engine, s->connection);
    if (hello->key.size && keys_count) {
        enum status status = identity_find(plan->security, hello->key, engine->now.wall, &identity);
        engine->totals.authentications[status == STATUS_OK]++;
        if (status != STATUS_OK)
            return status;
        system = plan->config->identities[identity].system;
    } else if (shown != SECURITY_NONE) {
        identity = shown;
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
    if (s->listener && s->identity == SECURITY_NONE) /* who says who it is has its own */
        peer.max_priority = (uint8_t)s->listener->config->max_priority;
    return verdict_message(engine->plan->security, &peer, message);
}
