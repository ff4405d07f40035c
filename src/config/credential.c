/* What we present to others: `security.credentials`, and who presents it where. */
#include "base/assert.h"
#include "base/text.h"
#include "config/url.h"
#include "config/work.h"

/* -- checks: secrets are never shown, not even wrong ones -- */

static const char *const kinds[] = {"header", "bearer", "basic", "webhook", "hmac"};
_Static_assert(COUNT_OF(kinds) == CONFIG_CREDENTIAL_COUNT, "one word for each kind");

static const struct node *entries(const struct work *work) {
    const struct node *map = node_find(work->root, "security.credentials");
    return map && map->kind == NODE_MAP ? map : NULL;
}

/* The only kind of an entry; false: it has none, or several. */
static bool kind_of(const struct node *entry, enum config_credential_kind *ret_kind,
                    const struct node **ret_value) {
    if (entry->kind != NODE_MAP || entry->count != 1)
        return false;
    for (unsigned i = 0; i < COUNT_OF(kinds); i++)
        if (slice_is(entry->first->key, kinds[i])) {
            *ret_kind = (enum config_credential_kind)i;
            *ret_value = entry->first;
            return true;
        }
    return false;
}

static bool is_line(struct slice text) {
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7f)
            return false;
    return text.size > 0 && text.data[0] != ' ' && text.data[0] != '\t' && text.data[text.size - 1] != ' ' &&
           text.data[text.size - 1] != '\t';
}

/* RFC 6750 section 2.1: `b64token`. */
static bool is_token(struct slice text) {
    while (text.size && text.data[text.size - 1] == '=')
        text.size--;
    for (size_t i = 0; i < text.size; i++)
        if (!text_is_alpha(text.data[i]) && !text_is_digit(text.data[i]) &&
            !(text.data[i] && strchr("-._~+/", text.data[i])))
            return false;
    return text.size > 0;
}

/* Standard Webhooks 1.0: `whsec_` and 24 to 64 bytes in base64. */
static bool is_webhook_secret(struct slice text) {
    struct slice prefix = SLICE_OF("whsec_");
    size_t size =
        slice_starts(text, prefix) ? text_base64_get(NULL, slice_skip(text, prefix.size)) : SIZE_MAX;
    return size >= CONFIG_WEBHOOK_SECRET_MIN && size <= CONFIG_WEBHOOK_SECRET_MAX;
}

static const char *fault_of(enum config_credential_kind kind, struct slice secret) {
    switch (kind) {
    case CONFIG_CREDENTIAL_HEADER:
        return is_line(secret) ? NULL : "is no value of a header field: one line, without space at its ends";
    case CONFIG_CREDENTIAL_BEARER:
        return is_token(secret) ? NULL : "is no bearer token: letters, digits and `-._~+/`, then perhaps `=`";
    case CONFIG_CREDENTIAL_BASIC:
        return is_line(secret) ? NULL : "is no password: one line, without space at its ends";
    case CONFIG_CREDENTIAL_WEBHOOK:
        return is_webhook_secret(secret) ? NULL
                                         : "is no webhook secret: `whsec_` and 24 to 64 bytes in base64";
    case CONFIG_CREDENTIAL_HMAC:
        return secret.size >= CONFIG_HMAC_SECRET_MIN ? NULL : "is shorter than 16 bytes: it could be guessed";
    case CONFIG_CREDENTIAL_COUNT:
        break;
    }
    UNREACHABLE();
}

static const struct node *secrets_of(enum config_credential_kind kind, const struct node *value) {
    return kind == CONFIG_CREDENTIAL_BEARER   ? value
           : kind == CONFIG_CREDENTIAL_HEADER ? node_get(value, SLICE_OF("value"))
           : kind == CONFIG_CREDENTIAL_BASIC  ? node_get(value, SLICE_OF("password"))
                                              : node_get(value, SLICE_OF("secret"));
}

static void check_secret(struct work *work, enum config_credential_kind kind, const struct node *node,
                         const struct trail *trail) {
    if (node->kind != NODE_SCALAR || node->unknown || !node->referred || node->text.size == 0)
        return; /* said already, or can't be */
    const char *fault = fault_of(kind, node->text);
    if (fault)
        work_error(work, node->at, trail, "what it refers to %s", fault);
}

static void check_secrets(struct work *work, enum config_credential_kind kind, const struct node *value,
                          const struct trail *trail) {
    const struct node *node = secrets_of(kind, value);
    struct trail inner = {trail, node ? node->key : SLICE_OF("")};
    const struct trail *here = node == value ? trail : &inner;
    if (node && node->kind == NODE_LIST && node->count > CONFIG_SECRETS_MAX)
        work_error(work, node->at, here, "has more than %u secrets", CONFIG_SECRETS_MAX);
    if (node && node->kind == NODE_LIST)
        for (const struct node *item = node->first; item; item = item->next)
            check_secret(work, kind, item, here);
    else if (node)
        check_secret(work, kind, node, here);
}

static void check_user(struct work *work, const struct node *value, const struct trail *trail) {
    const struct node *user = node_get(value, SLICE_OF("user"));
    struct trail here = {trail, SLICE_OF("user")};
    if (user && user->kind == NODE_SCALAR && !user->unknown &&
        (!is_line(user->text) || memchr(user->text.data, ':', user->text.size)))
        work_error(work, user->at, &here, "a user name is one line without `:`");
}

static void check_entry(struct work *work, const struct node *entry, const struct trail *trail) {
    enum config_credential_kind kind;
    const struct node *value;
    if (entry->kind != NODE_MAP)
        return;
    if (entry->count != 1) {
        work_error(work, entry->key_at, trail, "%s: one of header, bearer, basic, webhook and hmac is due",
                   entry->count ? "is of several kinds" : "is of no kind");
        return;
    }
    if (!kind_of(entry, &kind, &value))
        return; /* said already */
    struct trail here = {trail, value->key};
    if (kind == CONFIG_CREDENTIAL_HEADER)
        refer_credential_field(work, node_get(value, SLICE_OF("name")), &here);
    if (kind == CONFIG_CREDENTIAL_BASIC)
        check_user(work, value, &here);
    check_secrets(work, kind, value, &here);
}

/* -- who presents it -- */

#define ON(scheme) (1u << CONFIG_SCHEME_##scheme)
#define REQUESTS (ON(HTTP) | ON(HTTPS))
#define WEB (REQUESTS | ON(WS) | ON(WSS))
#define OPEN_WIRES (ON(HTTP) | ON(WS) | ON(INTERTIE))

static const unsigned wires[] = {
    [CONFIG_CREDENTIAL_HEADER] = WEB, [CONFIG_CREDENTIAL_BEARER] = WEB | ON(INTERTIE) | ON(INTERTIE_TLS),
    [CONFIG_CREDENTIAL_BASIC] = WEB,  [CONFIG_CREDENTIAL_WEBHOOK] = REQUESTS,
    [CONFIG_CREDENTIAL_HMAC] = 0,
};
_Static_assert(COUNT_OF(wires) == CONFIG_CREDENTIAL_COUNT, "the wires of each kind");

static bool says(const struct node *map, const char *key, const char *word) {
    const struct node *node = node_get(map, slice_from(key));
    return node && node->kind == NODE_SCALAR && slice_is(node->text, word);
}

/* The header field that shows it; empty: none does. */
static struct slice field_of(enum config_credential_kind kind, const struct node *value) {
    const struct node *name = kind == CONFIG_CREDENTIAL_HEADER ? node_get(value, SLICE_OF("name")) : NULL;
    if (kind == CONFIG_CREDENTIAL_BEARER || kind == CONFIG_CREDENTIAL_BASIC)
        return SLICE_OF("authorization");
    return name && name->kind == NODE_SCALAR && !name->unknown ? name->text : SLICE_OF("");
}

struct presenting {
    const struct node *system;
    const struct node *auth;
    const struct trail *trail; /* of `auth` */
};

static void check_fields(struct work *work, const struct presenting *at, struct slice field) {
    const struct node *headers = node_get(at->system, SLICE_OF("headers"));
    for (const struct node *child = headers && headers->kind == NODE_MAP ? headers->first : NULL; child;
         child = child->next)
        if (field.size && slice_equal_nocase(child->key, field))
            work_error(work, at->auth->at, at->trail,
                       "`%.*s` is shown as `%.*s`, which `headers` sets too (line %u)",
                       SCALAR_SHOWN(at->auth->text), SCALAR_SHOWN(field), child->key_at.line);
}

/* Of a URL that is written there, or that of endpoints which are looked for. */
static bool url_at(const struct work *work, const struct node *node, bool is_template,
                   struct config_url *ret) {
    const struct schema *schema = schema_find(work->schema, SLICE_OF("systems.*.endpoints.*.url"));
    struct scalar_why why;
    bool planned;
    if (is_template)
        return found_url(work, node, ret, &why);
    return node && node->kind == NODE_SCALAR && !node->unknown && schema && schema->row &&
           url_parse(node->text, URL_ENDPOINT, schema->row->values, ret, &planned, &why);
}

static void check_wire(struct work *work, const struct presenting *at, const struct node *endpoint,
                       bool is_template) {
    const struct node *url_node = node_get(endpoint, SLICE_OF("url"));
    const struct node *entry = node_get(entries(work), at->auth->text), *value;
    enum config_credential_kind kind;
    struct config_url url;
    if (!entry || !kind_of(entry, &kind, &value) || !url_at(work, url_node, is_template, &url))
        return;
    if (kind == CONFIG_CREDENTIAL_HMAC)
        work_error(work, at->auth->at, at->trail,
                   "`%.*s` is an hmac, which datagrams are signed with: name it in `envelope`",
                   SCALAR_SHOWN(at->auth->text));
    else if (!(wires[kind] & 1u << url.scheme))
        work_error(work, at->auth->at, at->trail, "`%.*s` is a %s, which can't be shown on %s (line %u)",
                   SCALAR_SHOWN(at->auth->text), kinds[kind], config_scheme_name(url.scheme),
                   url_node->at.line);
    else if (kind != CONFIG_CREDENTIAL_WEBHOOK && OPEN_WIRES & 1u << url.scheme && !url.is_loopback &&
             !says(at->system, "insecure", "true"))
        work_error(
            work, at->auth->at, at->trail,
            "`%.*s` would cross the network to `%.*s` in clear text; if that is meant, write `insecure: true`",
            SCALAR_SHOWN(at->auth->text), SCALAR_SHOWN(url.host));
    check_fields(work, at, field_of(kind, value));
    if (kind == CONFIG_CREDENTIAL_WEBHOOK &&
        (says(at->system, "mode", "batch") || node_get(at->system, SLICE_OF("batch"))))
        work_error(work, at->auth->at, at->trail, "`%.*s` signs each event with its id; a batch has none",
                   SCALAR_SHOWN(at->auth->text));
    if (kind == CONFIG_CREDENTIAL_WEBHOOK && refer_is_proxied(work, at->system->key))
        work_error(work, at->auth->at, at->trail, "`%.*s` signs whole bodies; a `proxy` route leads here, whose bodies stream by",
                   SCALAR_SHOWN(at->auth->text));
}

static void check_system(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *auth = node_get(system, SLICE_OF("auth")),
                      *endpoints = node_get(system, SLICE_OF("endpoints"));
    struct trail at_auth = {trail, SLICE_OF("auth")}, at_endpoints = {trail, SLICE_OF("endpoints")};
    const struct node *discover = node_get(system, SLICE_OF("discover"));
    if (auth && auth->kind == NODE_SCALAR && !node_get(system, SLICE_OF("url")) && !endpoints && !discover &&
        !node_get(system, SLICE_OF("register")))
        work_error(work, auth->key_at, &at_auth, "means nothing: this system is never dialled");
    if (auth && auth->kind == NODE_SCALAR)
        check_wire(work, &(struct presenting){system, auth, &at_auth}, system, false);
    if (auth && auth->kind == NODE_SCALAR && discover)
        check_wire(work, &(struct presenting){system, auth, &at_auth}, discover, true);
    for (const struct node *child = endpoints && endpoints->kind == NODE_MAP ? endpoints->first : NULL; child;
         child = child->next) {
        struct trail name = {&at_endpoints, child->key}, own = {&name, SLICE_OF("auth")};
        const struct node *its = child->kind == NODE_MAP ? node_get(child, SLICE_OF("auth")) : NULL;
        struct presenting at = {system, its ? its : auth, its ? &own : &at_auth};
        if (at.auth && at.auth->kind == NODE_SCALAR)
            check_wire(work, &at, child, false);
    }
}

static void each(struct work *work, const struct node *map, const struct trail *all,
                 void (*check)(struct work *work, const struct node *node, const struct trail *trail)) {
    for (const struct node *child = map && map->kind == NODE_MAP ? map->first : NULL; child;
         child = child->next) {
        struct trail here = {all, child->key};
        if (child->kind == NODE_MAP)
            check(work, child, &here);
    }
}

static void check_envelope(struct work *work, const struct node *user, const struct trail *trail) {
    const struct node *envelope = node_get(user, SLICE_OF("envelope"));
    struct trail here = {trail, SLICE_OF("envelope")};
    enum config_credential_kind kind;
    const struct node *value, *entry = envelope && envelope->kind == NODE_SCALAR ? node_get(entries(work), envelope->text) : NULL;
    if (entry && kind_of(entry, &kind, &value) && kind != CONFIG_CREDENTIAL_HMAC)
        work_error(work, envelope->at, &here, "`%.*s` is a %s; an envelope is made with an hmac", SCALAR_SHOWN(envelope->text), kinds[kind]);
}

void credential_check(struct work *work) {
    struct trail root = {NULL, {NULL, 0}}, security = {&root, SLICE_OF("security")},
                 all = {&security, SLICE_OF("credentials")};
    struct trail systems = {&root, SLICE_OF("systems")}, listeners = {&root, SLICE_OF("listeners")};
    each(work, entries(work), &all, check_entry);
    each(work, node_get(work->root, SLICE_OF("systems")), &systems, check_system);
    each(work, node_get(work->root, SLICE_OF("systems")), &systems, check_envelope);
    each(work, node_get(work->root, SLICE_OF("listeners")), &listeners, check_envelope);
}

/* -- building -- */

static bool keep(struct config *config, struct slice text, struct slice *ret) {
    *ret = text.size ? arena_copy(&config->arena, text) : SLICE_OF("");
    return ret->data != NULL;
}

/* A webhook's is kept as the bytes that its text stands for. */
static bool add_secret(struct config *config, struct config_credential *credential, const struct node *node) {
    struct slice *secret = &credential->secrets.items[credential->secrets.count++];
    if (credential->kind != CONFIG_CREDENTIAL_WEBHOOK || node->unknown)
        return keep(config, node->text, secret);
    struct slice text = slice_skip(node->text, sizeof "whsec_" - 1);
    uint8_t *bytes = arena_array(&config->arena, text.size, 1);
    if (!bytes)
        return false;
    *secret = slice_make(bytes, text_base64_get(bytes, text));
    return true;
}

static bool build_one(struct config *config, struct config_credential *credential, const struct node *entry) {
    const struct node *value, *list, *name;
    if (!kind_of(entry, &credential->kind, &value))
        return true; /* only without files, where nothing is run */
    list = secrets_of(credential->kind, value);
    name =
        node_get(value, credential->kind == CONFIG_CREDENTIAL_HEADER ? SLICE_OF("name") : SLICE_OF("user"));
    credential->secrets.items = arena_array(&config->arena, list->kind == NODE_LIST ? list->count : 1,
                                            sizeof *credential->secrets.items);
    if (!credential->secrets.items || !keep(config, entry->key, &credential->name) ||
        !keep(config, name ? name->text : SLICE_OF(""), &credential->user))
        return false;
    if (list->kind != NODE_LIST)
        return add_secret(config, credential, list);
    for (const struct node *item = list->first; item; item = item->next)
        if (!add_secret(config, credential, item))
            return false;
    return true;
}

static uint32_t index_of(const struct config *config, const struct node *auth) {
    for (uint32_t i = 0; auth && i < config->credential_count; i++)
        if (slice_equal(config->credentials[i].name, auth->text))
            return i;
    return CONFIG_NONE;
}

static void refer_endpoints(const struct work *work, struct config *config, struct config_system *system) {
    const struct node *node = node_get(node_get(work->root, SLICE_OF("systems")), system->name);
    const struct node *endpoints = node_get(node, SLICE_OF("endpoints"));
    uint32_t common = index_of(config, node_get(node, SLICE_OF("auth")));
    for (size_t i = 0; i < system->endpoint_count; i++) {
        const struct node *own = node_get(node_get(endpoints, system->endpoints[i].name), SLICE_OF("auth"));
        system->endpoints[i].credential = own ? index_of(config, own) : common;
    }
    if (system->found)
        system->found->credential = common;
    system->envelope = index_of(config, node_get(node, SLICE_OF("envelope")));
}

enum status credential_build(const struct work *work, struct config *config) {
    const struct node *map = entries(work);
    config->credentials =
        arena_array(&config->arena, map && map->count ? map->count : 1, sizeof *config->credentials);
    if (!config->credentials)
        return STATUS_NO_MEMORY;
    for (const struct node *child = map ? map->first : NULL; child; child = child->next)
        if (!build_one(config, &config->credentials[config->credential_count++], child))
            return STATUS_NO_MEMORY;
    for (size_t i = 0; i < config->system_count; i++)
        refer_endpoints(work, config, &config->systems[i]);
    for (size_t i = 0; i < config->listener_count; i++)
        config->listeners[i].envelope = index_of(
            config, node_get(node_get(node_get(work->root, SLICE_OF("listeners")), config->listeners[i].name), SLICE_OF("envelope")));
    return STATUS_OK;
}
