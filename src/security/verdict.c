/* From identity and message to yes or no. */
#include "security/verdict.h"

#include "base/text.h"
#include "security/security.h"

/* -- rules -- */

static bool rule_covers(const struct security_rule *rule, enum security_verb verb, struct slice target,
                        struct slice type) {
    if (rule->verb != verb || rule->is_type != (target.size == 0))
        return false;
    struct slice text = rule->is_type ? type : target;
    return rule->is_prefix ? slice_starts(text, rule->pattern) : slice_equal(text, rule->pattern);
}

static bool any_covers(const struct security_rule *rules, size_t count, enum security_verb verb, struct slice target,
                       struct slice type) {
    for (size_t i = 0; i < count; i++)
        if (rule_covers(&rules[i], verb, target, type))
            return true;
    return false;
}

bool verdict_allows(const struct security *security, uint32_t identity, enum security_verb verb, struct slice target,
                    struct slice type) {
    if (identity == SECURITY_NONE)
        return true;
    const struct security_identity *row = &security->view.identities[identity];
    return !any_covers(row->deny, row->deny_count, verb, target, type) &&
           any_covers(row->allow, row->allow_count, verb, target, type);
}

enum status verdict_subscribe(const struct security *security, uint32_t identity) {
    if (identity == SECURITY_NONE)
        return STATUS_OK;
    const struct security_identity *row = &security->view.identities[identity];
    for (size_t i = 0; i < row->allow_count; i++)
        if (row->allow[i].verb == SECURITY_SUBSCRIBE)
            return STATUS_OK;
    return STATUS_FORBIDDEN;
}

bool verdict_receives(const struct security *security, uint32_t identity, const struct message *message) {
    if (identity == SECURITY_NONE)
        return true;
    uint32_t own = security->view.identities[identity].system;
    struct slice target = message_text(message, ATTRIBUTE_TARGET);
    if (target.size && own != SECURITY_NONE && slice_equal(target, security->view.systems[own].name))
        return true;
    return verdict_allows(security, identity, SECURITY_SUBSCRIBE, target, message_text(message, ATTRIBUTE_TYPE));
}

/* -- systems and sources -- */

enum status verdict_act(const struct security *security, uint32_t identity, uint32_t system) {
    bool may = identity == SECURITY_NONE ? !security_is_guarded(security, system)
                                         : security->view.identities[identity].system == system;
    return may && system < security->view.system_count ? STATUS_OK : STATUS_FORBIDDEN;
}

/* Without our own public URL in front; as it is when that isn't there. */
static struct slice relative(const struct security *security, struct slice text) {
    struct slice url = security->view.public_url;
    if (url.size && url.data[url.size - 1] == '/')
        url.size--;
    if (url.size && text.size > url.size && slice_starts(text, url) && text.data[url.size] == '/')
        return slice_skip(text, url.size);
    return text;
}

static bool may_write(const struct security *security, uint32_t system, struct slice source) {
    const struct security_system *row = &security->view.systems[system];
    struct slice shorter = relative(security, source);
    for (size_t i = 0; i < row->source_count; i++)
        if (source_covers(row->sources[i], source) || source_covers(row->sources[i], shorter))
            return true;
    return false;
}

/* Who sends: as whom the peer acts, else the system that the source names, if that is free for all. A source below
 * our public URL is looked at both ways, so that no longer prefix hides a guarded one. */
static enum status find_sender(const struct security *security, const struct verdict_peer *peer, struct slice source,
                               uint32_t *ret_from) {
    if (peer->system != SECURITY_NONE) {
        *ret_from = peer->system;
        return may_write(security, peer->system, source) ? STATUS_OK : STATUS_SOURCE_NOT_ALLOWED;
    }
    uint32_t owner = source_owner(security, source);
    uint32_t other = source_owner(security, relative(security, source));
    if (security_is_guarded(security, owner) || security_is_guarded(security, other))
        return STATUS_SOURCE_NOT_ALLOWED;
    *ret_from = owner == SECURITY_NONE ? other : owner;
    return STATUS_OK;
}

enum status verdict_replyto(const struct security *security, struct slice replyto, struct slice *ret_name) {
    static const struct slice prefix = SLICE("/systems/");
    struct slice path = relative(security, replyto);
    if (!slice_starts(path, prefix) || !text_is_name(slice_skip(path, prefix.size)))
        return STATUS_FORBIDDEN;
    *ret_name = slice_skip(path, prefix.size);
    return STATUS_OK;
}

/* -- the whole -- */

static uint8_t highest_priority(const struct security *security, const struct verdict_peer *peer) {
    uint8_t highest = peer->max_priority;
    if (peer->identity != SECURITY_NONE && security->view.identities[peer->identity].max_priority < highest)
        highest = security->view.identities[peer->identity].max_priority;
    return highest;
}

static struct verdict refuse(struct verdict verdict, enum status status, const char *text) {
    verdict.status = status;
    verdict.text = text;
    return verdict;
}

struct verdict verdict_message(const struct security *security, const struct verdict_peer *peer,
                               const struct message *message) {
    uint8_t highest = highest_priority(security, peer);
    struct verdict verdict = {.status = STATUS_OK, .text = "", .from = SECURITY_NONE, .priority = message->priority};
    verdict.is_lowered = message->priority > highest;
    if (verdict.is_lowered)
        verdict.priority = highest;
    enum status status = find_sender(security, peer, message_text(message, ATTRIBUTE_SOURCE), &verdict.from);
    if (status != STATUS_OK)
        return refuse(verdict, status, "`source` is not one that this peer may write");
    struct slice name;
    if (message_has(message, ATTRIBUTE_REPLYTO) &&
        verdict_replyto(security, message_text(message, ATTRIBUTE_REPLYTO), &name) != STATUS_OK)
        return refuse(verdict, STATUS_FORBIDDEN, "`replyto` must be /systems/NAME");
    if (message_kind_replies(message->kind) || message->kind == KIND_HEARTBEAT)
        return verdict;
    enum security_verb verb = message_kind_asks(message->kind) ? SECURITY_CALL : SECURITY_SEND;
    if (!verdict_allows(security, peer->identity, verb, message_text(message, ATTRIBUTE_TARGET),
                        message_text(message, ATTRIBUTE_TYPE)))
        return refuse(verdict, STATUS_FORBIDDEN,
                      verb == SECURITY_CALL ? "this identity may not call that" : "this identity may not send that");
    return verdict;
}
