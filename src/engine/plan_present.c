/* What we show to those whom we dial, made ready once for all requests. */
#include "base/assert.h"
#include "base/text.h"
#include "engine/plan.h"

/* Its lines stand ready: a request only copies them. */
static struct slice credential_line(struct plan *plan, struct slice name, const char *scheme,
                                    struct slice value) {
    size_t size = name.size + strlen(scheme) + value.size + 4;
    uint8_t *bytes = arena_array(&plan->arena, size, 1);
    struct buffer out;
    if (!bytes)
        return slice_make(NULL, 0);
    buffer_init_fixed(&out, bytes, size);
    buffer_add(&out, name);
    buffer_add_text(&out, ": ");
    buffer_add_text(&out, scheme);
    buffer_add(&out, value);
    buffer_add_text(&out, "\r\n");
    return buffer_slice(&out);
}

/* RFC 7617: user, colon and password as base64. */
static struct slice basic_value(struct plan *plan, struct slice user, struct slice password) {
    size_t size = user.size + 1 + password.size;
    uint8_t *plain = arena_array(&plan->arena, size, 1);
    char *text = arena_array(&plan->arena, text_base64_size(size), 1);
    if (!plain || !text)
        return slice_make(NULL, 0);
    memcpy(plain, user.data, user.size);
    plain[user.size] = ':';
    memcpy(plain + user.size + 1, password.data, password.size);
    return slice_make(text, text_base64_put(text, slice_make(plain, size)));
}

bool plan_presents(struct plan *plan, struct protocol_setup *setup, const struct config_endpoint *config) {
    if (config->credential == CONFIG_NONE)
        return true;
    const struct config_credential *credential = &plan->config->credentials[config->credential];
    struct protocol_presents *out = &setup->presents;
    struct slice secret = credential->secrets.items[0], field = SLICE_OF("Authorization");
    switch (credential->kind) {
    case CONFIG_CREDENTIAL_HEADER:
        out->field = credential->user;
        out->lines = credential_line(plan, credential->user, "", secret);
        return out->lines.data != NULL;
    case CONFIG_CREDENTIAL_BEARER:
        if (config_scheme_plain(config->url.scheme) == CONFIG_SCHEME_INTERTIE) {
            setup->own_key = secret;
            return true;
        }
        out->field = field;
        out->lines = credential_line(plan, field, "Bearer ", secret);
        return out->lines.data != NULL;
    case CONFIG_CREDENTIAL_BASIC:
        out->field = field;
        secret = basic_value(plan, credential->user, secret);
        out->lines = secret.data ? credential_line(plan, field, "Basic ", secret) : secret;
        return out->lines.data != NULL;
    case CONFIG_CREDENTIAL_WEBHOOK:
        out->secrets = credential->secrets.items;
        out->secret_count = credential->secrets.count;
        return true;
    case CONFIG_CREDENTIAL_HMAC:
    case CONFIG_CREDENTIAL_COUNT:
        break;
    }
    UNREACHABLE(); /* refused by the configuration */
}
