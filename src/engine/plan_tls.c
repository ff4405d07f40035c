/* What listeners and endpoints over TLS ask of it. */
#include "engine/plan.h"
#include "protocol/tls/tls.h"

/* Names as on the wire: a length, then so many bytes. */
static struct slice alpn(struct plan *plan, const struct slice *names, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += 1 + names[i].size;
    uint8_t *out = arena_new(&plan->arena, size + 1);
    if (!out)
        return slice_make(NULL, 0);
    uint8_t *at = out;
    for (size_t i = 0; i < count; i++) {
        *at++ = (uint8_t)names[i].size;
        memcpy(at, names[i].data, names[i].size);
        at += names[i].size;
    }
    return slice_make(out, size);
}

/* `tls` alone may carry anything: there only what the configuration names counts. */
static struct slice alpn_of(struct plan *plan, enum config_scheme scheme, const struct config_tls *config) {
    static const struct slice http = {(const uint8_t *)"http/1.1", 8}, stream = {(const uint8_t *)"intertie/1", 10};
    if (scheme == CONFIG_SCHEME_HTTPS || scheme == CONFIG_SCHEME_WSS)
        return alpn(plan, &http, 1);
    if (scheme == CONFIG_SCHEME_INTERTIE_TLS)
        return alpn(plan, &stream, 1);
    return alpn(plan, config->alpn.items, config->alpn.count);
}

bool plan_tls(struct plan *plan, struct protocol_setup *setup, const struct config_url *url, const struct config_tls *config,
              int64_t timeout_ns) {
    if (!config_scheme_is_tls(url->scheme))
        return true;
    struct tls_profile *profile = arena_new(&plan->arena, sizeof *profile);
    struct filter_use *use = arena_new(&plan->arena, sizeof *use);
    if (!profile || !use)
        return false;
    *profile = (struct tls_profile){
        .owner = plan->config,
        .name = setup->name,
        .certificates = config->certificates,
        .certificate_count = config->certificate_count,
        .authorities = config->authorities,
        .authority_count = config->authority_count,
        .client = (enum tls_client)config->client,
        .min_version = (enum tls_version)config->min_version,
        .ciphers = (enum tls_ciphers)config->ciphers,
        .alpn = alpn_of(plan, url->scheme, config),
        .server_name = config->server_name,
        .unverified = setup->role == PROTOCOL_DIALLED && !config->verify,
    };
    struct address address;
    profile->is_address = address_parse_ip(profile->server_name, &address);
    *use = (struct filter_use){&filter_tls, profile};
    setup->filters = use;
    setup->is_secure = true;
    setup->filter_count = 1;
    setup->timeouts.filters_ns = timeout_ns;
    return profile->alpn.data != NULL;
}
