/* TLS on listeners and endpoints: what it needs, and what only seems to be asked for. */
#include "config/work.h"

static const struct node *below(const struct node *map, const char *first, const char *second) {
    const struct node *group = node_get(map, slice_from(first));
    return group && group->kind == NODE_MAP ? node_get(group, slice_from(second)) : NULL;
}

static bool has_word(const struct node *list, const char *word) {
    for (const struct node *item = list && list->kind == NODE_LIST ? list->first : NULL; item; item = item->next)
        if (item->kind == NODE_SCALAR && slice_is(item->text, word))
            return true;
    return list && list->kind == NODE_SCALAR && slice_is(list->text, word);
}

static void check_alpn(struct work *work, const struct node *alpn, const struct trail *trail) {
    struct trail tls = {trail, SLICE_OF("tls")}, here = {&tls, SLICE_OF("alpn")};
    size_t total = 0;
    for (const struct node *item = alpn && alpn->kind == NODE_LIST ? alpn->first : NULL; item; item = item->next) {
        if (item->kind != NODE_SCALAR || item->unknown)
            continue;
        total += item->text.size + 1;
        if (item->text.size == 0 || item->text.size > 255)
            work_error(work, item->at, &here, "a protocol name has 1 to 255 bytes");
    }
    if (total > 1024)
        work_error(work, alpn->at, &here, "together they have more than 1024 bytes");
}

void secure_listener_tls(struct work *work, const struct node *listener, const struct node *url, bool is_tls, const struct trail *trail) {
    const struct node *auth = node_get(listener, SLICE_OF("auth"));
    const struct node *certificates = below(listener, "tls", "certificates"), *client = below(listener, "tls", "client");
    const struct node *authorities = below(listener, "tls", "authorities");
    struct trail tls = {trail, SLICE_OF("tls")}, at_url = {trail, SLICE_OF("url")}, at_auth = {trail, SLICE_OF("auth")};
    struct trail at_client = {&tls, SLICE_OF("client")}, at_authorities = {&tls, SLICE_OF("authorities")};
    bool asks = client && client->kind == NODE_SCALAR && !slice_is(client->text, "none");
    if (has_word(auth, "certificate") && !is_tls)
        work_error(work, auth->at, &at_auth, "certificates are shown over TLS only: write https, tls or intertie+tls");
    if (!is_tls)
        return;
    check_alpn(work, below(listener, "tls", "alpn"), trail);
    if (!certificates || (certificates->kind == NODE_LIST && certificates->count == 0))
        work_error(work, url->at, &at_url,
                   "TLS needs `tls: {certificates: NAME}`, a name from `security.certificates`; `intertie certs dev` makes one to try it");
    if (has_word(auth, "certificate") && !asks)
        work_error(work, auth->at, &at_auth, "`certificate` needs `tls: {client: required, authorities: NAME}`, or `client: optional`");
    if (asks && !authorities)
        work_error(work, client->at, &at_client, "needs `tls.authorities`: who may have issued the peers' certificates");
    if (authorities && !asks)
        work_error(work, authorities->at, &at_authorities, "means nothing without `tls: {client: optional}` or `required`");
}

static void check_verify(struct work *work, const struct node *map, const struct trail *trail) {
    const struct node *verify = below(map, "tls", "verify"), *authorities = below(map, "tls", "authorities");
    struct trail tls = {trail, SLICE_OF("tls")}, at_authorities = {&tls, SLICE_OF("authorities")};
    char path[TRAIL_MAX];
    struct trail at_verify = {&tls, SLICE_OF("verify")};
    if (!verify || verify->kind != NODE_SCALAR || !slice_is(verify->text, "false"))
        return;
    struct slice text = trail_text(&at_verify, path);
    path[text.size < sizeof path ? text.size : sizeof path - 1] = 0;
    work_say(work, true, verify->at, path, "whoever answers there is believed: anyone on the way can read and change what is sent");
    if (authorities)
        work_error(work, authorities->at, &at_authorities, "means nothing with `verify: false`");
}

void secure_system_tls(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *endpoints = node_get(system, SLICE_OF("endpoints"));
    struct trail at = {trail, SLICE_OF("endpoints")};
    check_verify(work, system, trail);
    for (const struct node *child = endpoints && endpoints->kind == NODE_MAP ? endpoints->first : NULL; child; child = child->next) {
        struct trail here = {&at, child->key};
        if (child->kind == NODE_MAP)
            check_verify(work, child, &here);
    }
}
