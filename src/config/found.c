/* Endpoints that nobody wrote down: those that DNS knows, and those that register. */
#include "base/text.h"
#include "config/url.h"
#include "config/work.h"

#define NAME_MAX_SIZE 253u /* RFC 1035 section 2.3.4, without the root */
#define LABEL_MAX_SIZE 63u
#define TEMPLATE_MAX 1024u

/* What stands in the places of host and port while nobody is known: off loopback, for so may they be. */
static const struct slice host_word = SLICE("{host}"), port_word = SLICE("{port}");

static bool starts(struct slice text, size_t at, struct slice word) {
    return slice_starts(slice_skip(text, at), word);
}

static unsigned count_of(struct slice text, struct slice word) {
    unsigned count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += starts(text, i, word);
    return count;
}

enum status config_found_url(struct slice text, struct slice host, uint16_t port, struct buffer *out) {
    bool is_v6 = slice_find(host, ':') < host.size;
    for (size_t i = 0; i < text.size;) {
        if (starts(text, i, host_word)) {
            buffer_add_text(out, is_v6 ? "[" : "");
            buffer_add(out, host);
            buffer_add_text(out, is_v6 ? "]" : "");
            i += host_word.size;
        } else if (starts(text, i, port_word)) {
            buffer_add_u64(out, port);
            i += port_word.size;
        } else {
            buffer_add_byte(out, text.data[i++]);
        }
    }
    return out->status;
}

bool config_endpoint_url(struct slice text, struct config_url *ret_url, struct scalar_why *why) {
    bool planned;
    for (size_t i = 0; i < rows_endpoint.count; i++)
        if (strcmp(rows_endpoint.rows[i].path, "url") == 0)
            return url_parse(text, URL_ENDPOINT, rows_endpoint.rows[i].values, ret_url, &planned, why);
    return false;
}

bool found_url(const struct work *work, const struct node *node, struct config_url *ret_url,
               struct scalar_why *why) {
    const struct schema *schema = schema_find(work->schema, SLICE_OF("systems.*.endpoints.*.url"));
    struct buffer out;
    bool planned;
    if (!node || node->kind != NODE_SCALAR || node->unknown || !schema || !schema->row)
        return false;
    buffer_init(&out, TEMPLATE_MAX + 256);
    bool fine = config_found_url(node->text, SLICE_OF("host.example"), 1, &out) == STATUS_OK;
    struct slice text = fine ? arena_copy(work->arena, buffer_slice(&out)) : SLICE_OF("");
    buffer_done(&out);
    if (!fine || !text.data)
        return scalar_refuse(why, "is too long");
    return url_parse(text, URL_ENDPOINT, schema->row->values, ret_url, &planned, why);
}

static void check_template(struct work *work, const struct node *url, bool is_srv,
                           const struct trail *trail) {
    struct config_url parsed;
    struct scalar_why why;
    unsigned hosts = count_of(url->text, host_word), ports = count_of(url->text, port_word),
             opened = count_of(url->text, SLICE_OF("{"));
    if (opened != hosts + ports)
        work_error(work, url->at, trail, "only `{host}` and `{port}` may stand in braces");
    else if (hosts != 1)
        work_error(work, url->at, trail, "`{host}` must stand in it once, or all would be the same endpoint");
    else if (is_srv && ports != 1)
        work_error(work, url->at, trail,
                   "srv records say the port: `{port}` must stand in it once, as in http://{host}:{port}/");
    else if (!is_srv && ports)
        work_error(work, url->at, trail, "`{port}` comes with srv records only; write the port");
    else if (!found_url(work, url, &parsed, &why))
        work_why(work, url->at, trail, &why);
    else if (slice_find(parsed.path, '{') < parsed.path.size || !slice_is(parsed.host, "host.example"))
        work_error(work, url->at, trail, "`{host}` must be its host");
}

/* Labels of letters, digits, `-` and `_`, as services are named: RFC 2782. */
static void check_name(struct work *work, const struct node *dns, const struct trail *trail) {
    struct slice rest = dns->text;
    size_t size = rest.size;
    if (size > 1 && rest.data[size - 1] == '.')
        rest = slice_head(rest, --size);
    bool fine = size > 0 && size <= NAME_MAX_SIZE;
    for (size_t i = 0, label = 0; i < rest.size && fine; i++) {
        uint8_t c = rest.data[i];
        label = c == '.' ? 0 : label + 1;
        fine = c == '.' ? i > 0 && rest.data[i - 1] != '.'
                        : (text_is_alpha(c) || text_is_digit(c) || c == '-' || c == '_') &&
                              label <= LABEL_MAX_SIZE;
    }
    if (!fine || rest.data[rest.size - 1] == '.')
        work_error(work, dns->at, trail, "`%.*s` is no name in DNS", SCALAR_SHOWN(dns->text));
}

static bool is_text(const struct node *node) {
    return node && node->kind == NODE_SCALAR && !node->unknown;
}

static void check_discover(struct work *work, const struct node *discover, const struct trail *trail) {
    const struct node *dns = node_get(discover, SLICE_OF("dns")), *url = node_get(discover, SLICE_OF("url"));
    const struct node *type = node_get(discover, SLICE_OF("type"));
    struct trail here = {trail, SLICE_OF("discover")}, at_dns = {&here, SLICE_OF("dns")},
                 at_url = {&here, SLICE_OF("url")};
    if (!dns)
        work_error(work, discover->key_at, &here, "says nowhere what to ask for: `dns` is missing");
    if (!url)
        work_error(work, discover->key_at, &here, "says nowhere what its endpoints speak: `url` is missing");
    if (is_text(dns) && dns->text.size)
        check_name(work, dns, &at_dns);
    if (is_text(url) && url->text.size)
        check_template(work, url, !is_text(type) || !slice_is(type->text, "a"), &at_url);
}

void found_system(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *discover = node_get(system, SLICE_OF("discover")),
                      *reg = node_get(system, SLICE_OF("register"));
    struct trail here = {trail, SLICE_OF("register")};
    if (discover && discover->kind == NODE_MAP)
        check_discover(work, discover, trail);
    if (reg && reg->kind == NODE_MAP && !node_get(reg, SLICE_OF("lease")))
        work_error(work, reg->key_at, &here, "says nowhere how long they stay: `lease` is missing");
}
