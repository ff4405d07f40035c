/* Who a peer is: the view of the configuration that this room works on, and the way from a presented key to an
 * identity. Compiled once per configuration, then immutable; any thread may read it. */
#ifndef SECURITY_IDENTITY_H
#define SECURITY_IDENTITY_H

#include "base/arena.h"
#include "base/clock.h"
#include "security/key.h"

#define SECURITY_NONE UINT32_MAX /* no identity, no system */

enum security_verb { SECURITY_SEND, SECURITY_CALL, SECURITY_SUBSCRIBE };

struct security_rule {
    enum security_verb verb;
    bool is_type;   /* type/X: messages without target; else system/X: messages with one */
    bool is_prefix; /* X ended in `*`, which `pattern` lacks */
    struct slice pattern;
};

struct security_key {
    uint8_t hash[KEY_HASH_SIZE];
    struct wall expires; /* INT64_MAX: never */
};

struct security_identity {
    struct slice name;
    uint32_t system; /* whom it acts as; SECURITY_NONE: nobody */
    const struct security_key *keys;
    size_t key_count;
    const struct slice *names; /* in a certificate, any of which makes a peer it */
    size_t name_count;
    const struct security_rule *allow;
    size_t allow_count;
    const struct security_rule *deny;
    size_t deny_count;
    uint8_t max_priority; /* 1..5 */
};

struct security_system {
    struct slice name;
    const struct slice *sources; /* prefixes that it may write in `source` */
    size_t source_count;
};

/* Borrowed as long as what is compiled from it. */
struct security_view {
    const struct security_identity *identities;
    size_t identity_count;
    const struct security_system *systems;
    size_t system_count;
    struct slice public_url; /* empty: none; `PUBLIC_URL/systems/x` counts as `/systems/x` */
};

struct security;

/* STATUS_NO_MEMORY is the only failure. */
enum status security_compile(const struct security_view *view, struct arena *arena, const struct security **ret);
const struct security_view *security_view(const struct security *security);
/* Whether an identity names that system: then nobody else may act as it. */
bool security_is_guarded(const struct security *security, uint32_t system);

/* The identity whose key this is. Every hash of every identity is compared, in constant time, so that neither the
 * time nor the order tells anything. STATUS_UNAUTHENTICATED: nobody's; STATUS_AUTH_EXPIRED: somebody's, once. */
enum status identity_find(const struct security *security, struct slice presented, struct wall now,
                          uint32_t *ret_identity);
/* The identity that has this name of a certificate; SECURITY_NONE: nobody has it. `any_case`: letters mean the same in
 * either. A name is no secret. */
uint32_t identity_named(const struct security *security, struct slice name, bool any_case);

#endif
