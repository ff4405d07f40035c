/* Identities and their keys. */
#include "security/identity.h"

#include "security/security.h"

enum status security_compile(const struct security_view *view, struct arena *arena, const struct security **ret) {
    struct security *security = arena_new(arena, sizeof *security);
    bool *guarded = arena_array(arena, view->system_count, sizeof *guarded);
    if (!security || !guarded || !source_index_build(&security->sources, view, arena))
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < view->identity_count; i++)
        if (view->identities[i].system < view->system_count)
            guarded[view->identities[i].system] = true;
    security->view = *view;
    security->guarded = guarded;
    *ret = security;
    return STATUS_OK;
}

const struct security_view *security_view(const struct security *security) {
    return &security->view;
}

bool security_is_guarded(const struct security *security, uint32_t system) {
    return system < security->view.system_count && security->guarded[system];
}

/* Keeps `old` or takes `new` without a branch. */
static uint32_t choose(bool take, uint32_t new, uint32_t old) {
    uint32_t mask = 0u - (uint32_t)take;
    return (new & mask) | (old & ~mask);
}

enum status identity_find(const struct security *security, struct slice presented, struct wall now,
                          uint32_t *ret_identity) {
    const struct security_view *view = &security->view;
    uint8_t hash[KEY_HASH_SIZE];
    uint32_t found = SECURITY_NONE, expired = SECURITY_NONE;
    if (!key_is_text(presented))
        return STATUS_UNAUTHENTICATED;
    key_hash(presented, hash);
    for (size_t i = 0; i < view->identity_count; i++) {
        for (size_t j = 0; j < view->identities[i].key_count; j++) {
            const struct security_key *key = &view->identities[i].keys[j];
            bool same = key_hash_equal(hash, key->hash);
            bool live = now.ns < key->expires.ns;
            found = choose(same & live, (uint32_t)i, found);
            expired = choose(same & !live, (uint32_t)i, expired);
        }
    }
    key_wipe(hash, sizeof hash);
    if (found == SECURITY_NONE)
        return expired == SECURITY_NONE ? STATUS_UNAUTHENTICATED : STATUS_AUTH_EXPIRED;
    *ret_identity = found;
    return STATUS_OK;
}

uint32_t identity_named(const struct security *security, struct slice name, bool any_case) {
    const struct security_view *view = &security->view;
    for (size_t i = 0; i < view->identity_count; i++)
        for (size_t k = 0; k < view->identities[i].name_count; k++) {
            struct slice own = view->identities[i].names[k];
            if (any_case ? slice_equal_nocase(own, name) : slice_equal(own, name))
                return (uint32_t)i;
        }
    return SECURITY_NONE;
}
