/* Takes URLs apart: strict, because what we would guess somebody else would guess otherwise. RFC 3986 section 3. */
#include "config/url.h"

#include "base/text.h"

#define HOST_MAX 253 /* RFC 1035 section 2.3.4, and longer names were cut by resolvers */

struct scheme {
    const char *name;
    uint16_t port; /* 0: must be given */
    bool has_path;
};

static const struct scheme schemes_known[CONFIG_SCHEME_COUNT] = {
    [CONFIG_SCHEME_HTTP] = {"http", 80, true},
    [CONFIG_SCHEME_HTTPS] = {"https", 443, true},
    [CONFIG_SCHEME_WS] = {"ws", 80, true},
    [CONFIG_SCHEME_WSS] = {"wss", 443, true},
    [CONFIG_SCHEME_TCP] = {"tcp", 0, false},
    [CONFIG_SCHEME_TLS] = {"tls", 0, false},
    [CONFIG_SCHEME_INTERTIE] = {"intertie", 7460, false},
    [CONFIG_SCHEME_INTERTIE_TLS] = {"intertie+tls", 7461, false},
    [CONFIG_SCHEME_UDP] = {"udp", 0, false},
    [CONFIG_SCHEME_GRPC] = {"grpc", 80, false},
    [CONFIG_SCHEME_GRPCS] = {"grpcs", 443, false},
    [CONFIG_SCHEME_MQTT] = {"mqtt", 1883, false},
    [CONFIG_SCHEME_MQTTS] = {"mqtts", 8883, false},
    [CONFIG_SCHEME_NATS] = {"nats", 4222, false},
    [CONFIG_SCHEME_KAFKA] = {"kafka", 9092, false},
    [CONFIG_SCHEME_AMQP] = {"amqp", 5672, false},
    [CONFIG_SCHEME_AMQPS] = {"amqps", 5671, false},
};

const char *config_scheme_name(enum config_scheme scheme) {
    return schemes_known[scheme].name;
}

static bool scheme_of(struct slice text, const char *words, struct config_url *url, struct slice *ret_rest, bool *ret_planned,
                      struct scalar_why *why) {
    size_t colon = slice_find(text, ':');
    struct slice name = slice_head(text, colon);
    if (!slice_starts(slice_skip(text, colon), SLICE_OF("://")))
        return scalar_refuse(why, text_is_name(text) ? "`%.*s` is no URL; write one such as tcp://127.0.0.1:7101"
                                                    : "`%.*s` has no scheme; write one such as tcp://127.0.0.1:7101", SCALAR_SHOWN(text));
    *ret_rest = slice_skip(text, colon + 3);
    uint32_t index;
    if (!scalar_enum(name, words, &index, ret_planned, why)) {
        struct slice nearest = why->nearest;
        if (nearest.size)
            scalar_refuse(why, "no scheme `%.*s`; did you mean `%.*s`?", SCALAR_SHOWN(name), SLICE_ARG(nearest));
        else
            scalar_refuse(why, "no scheme `%.*s` here", SCALAR_SHOWN(name));
        why->nearest = nearest;
        return false;
    }
    for (unsigned i = 0; i < CONFIG_SCHEME_COUNT; i++)
        if (slice_is(name, schemes_known[i].name))
            url->scheme = (enum config_scheme)i;
    if (*ret_planned)
        return scalar_refuse(why, "`%.*s` is not supported yet in " CONFIG_VERSION, SLICE_ARG(name));
    return true;
}

static bool is_host_byte(uint8_t c) {
    return text_is_alpha(c) || text_is_digit(c) || c == '-' || c == '.' || c == '_';
}

static bool host_of(struct config_url *url, struct scalar_why *why) {
    struct address address;
    struct slice host = url->host;
    if (host.size == 0)
        return scalar_refuse(why, "`%.*s` has no host", SCALAR_SHOWN(url->text));
    if (host.size > HOST_MAX)
        return scalar_refuse(why, "the host is longer than %d characters", HOST_MAX);
    url->is_address = address_parse_ip(host, &address);
    url->is_loopback = url->is_address ? address_is_loopback(&address) : slice_equal_nocase(host, SLICE_OF("localhost"));
    if (url->is_address)
        return true;
    bool has_letter = false;
    for (size_t i = 0; i < host.size; i++) {
        if (!is_host_byte(host.data[i]))
            return scalar_refuse(why, "`%.*s` is no host", SCALAR_SHOWN(host));
        has_letter |= text_is_alpha(host.data[i]);
    }
    if (!has_letter)
        return scalar_refuse(why, "`%.*s` is no IPv4 address (0 to 255, four times, no leading zeros)", SCALAR_SHOWN(host));
    return true;
}

static bool port_of(struct slice digits, bool given, enum url_role role, struct config_url *url, struct scalar_why *why) {
    uint64_t port = schemes_known[url->scheme].port;
    if (given && (!text_to_u64(digits, &port) || port > 65535))
        return scalar_refuse(why, "`%.*s` is no port (1 to 65535)", SCALAR_SHOWN(digits));
    if (!given && port == 0)
        return scalar_refuse(why, "`%.*s` needs a port", SCALAR_SHOWN(url->text));
    if (given && port == 0 && role != URL_LISTENER && role != URL_ADMIN)
        return scalar_refuse(why, "port 0 means any free one, which nobody can dial");
    url->port = (uint16_t)port;
    return true;
}

/* Splits `authority` into host and port. */
static bool authority_of(struct slice authority, enum url_role role, struct config_url *url, struct scalar_why *why) {
    if (slice_find(authority, '@') != authority.size)
        return scalar_refuse(why, "user and password don't belong into a URL; use `auth`");
    struct slice rest;
    if (authority.size && authority.data[0] == '[') {
        size_t close = slice_find(authority, ']');
        if (close == authority.size)
            return scalar_refuse(why, "`%.*s`: the `[` of an IPv6 address isn't closed", SCALAR_SHOWN(url->text));
        url->host = slice_make(authority.data + 1, close - 1);
        rest = slice_skip(authority, close + 1);
        struct address address;
        if (!address_parse_ip(url->host, &address) || address.family != ADDRESS_IPV6)
            return scalar_refuse(why, "`%.*s` is no IPv6 address", SCALAR_SHOWN(url->host));
    } else {
        url->host = slice_head(authority, slice_find(authority, ':'));
        rest = slice_skip(authority, url->host.size);
        if (slice_find(slice_skip(rest, 1), ':') < slice_skip(rest, 1).size)
            return scalar_refuse(why, "`%.*s`: an IPv6 address stands in brackets, as in tcp://[::1]:7101", SCALAR_SHOWN(url->text));
    }
    if (rest.size && rest.data[0] != ':')
        return scalar_refuse(why, "`%.*s`: after `]` comes `:PORT`", SCALAR_SHOWN(url->text));
    if (!host_of(url, why))
        return false;
    return port_of(slice_skip(rest, 1), rest.size > 0, role, url, why);
}

static bool path_of(struct slice path, enum url_role role, struct config_url *url, struct scalar_why *why) {
    bool is_http = schemes_known[url->scheme].has_path;
    bool has_query = slice_find(path, '?') < path.size;
    if (slice_find(path, '#') < path.size)
        return scalar_refuse(why, "a fragment (`#...`) means nothing here");
    if (has_query && (role != URL_ENDPOINT || !is_http))
        return scalar_refuse(why, "a query (`?...`) means nothing here");
    if (!is_http && path.size && !slice_is(path, "/"))
        return scalar_refuse(why, "`%s` has no path", schemes_known[url->scheme].name);
    for (size_t i = 0; i < path.size; i++)
        if (path.data[i] <= 0x20 || path.data[i] >= 0x7f)
            return scalar_refuse(why, "the path must be percent-encoded: character %zu of it may not stand there", i + 1);
    if (is_http && (role == URL_LISTENER || role == URL_ADMIN) && path.size && !slice_is(path, "/") && url->scheme != CONFIG_SCHEME_WS &&
        url->scheme != CONFIG_SCHEME_WSS)
        return scalar_refuse(why, "an http listener serves every path; leave `%.*s` out", SCALAR_SHOWN(path));
    url->path = !is_http ? SLICE_OF("") : path.size && path.data[0] == '/' ? path : SLICE_OF("/");
    if (is_http && path.size && path.data[0] == '?') /* RFC 9112 section 3.2.1: an empty path is sent as "/" */
        return scalar_refuse(why, "write `/` before the `?`");
    return true;
}

bool url_parse(struct slice text, enum url_role role, const char *words, struct config_url *ret_url, bool *ret_planned,
               struct scalar_why *why) {
    struct config_url url = {.text = text};
    struct slice rest;
    *ret_planned = false;
    if (text.size == 0)
        return scalar_refuse(why, "is empty; write a URL such as tcp://127.0.0.1:7101");
    if (!scheme_of(text, words ? words : "http|https", &url, &rest, ret_planned, why))
        return false;
    size_t end = 0;
    while (end < rest.size && rest.data[end] != '/' && rest.data[end] != '?' && rest.data[end] != '#')
        end++;
    if (!authority_of(slice_head(rest, end), role, &url, why) || !path_of(slice_skip(rest, end), role, &url, why))
        return false;
    *ret_url = url;
    return true;
}
