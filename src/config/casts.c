/* One to many on udp: which groups a listener can hear, and what a system's address must be. */
#include "config/work.h"

#define INTERFACE_MAX 15 /* bytes of a name, of the kernel's IFNAMSIZ */

static const struct node *of_multicast(const struct node *map, const char *key) {
    const struct node *multicast = node_get(map, SLICE_OF("multicast"));
    return multicast && multicast->kind == NODE_MAP ? node_get(multicast, slice_from(key)) : NULL;
}

static bool is_known(const struct node *node) {
    return node && node->kind == NODE_SCALAR && !node->unknown;
}

static void check_interface(struct work *work, const struct node *map, const struct trail *trail) {
    const struct node *interface = of_multicast(map, "interface");
    struct trail at = {trail, SLICE_OF("multicast")}, here = {&at, SLICE_OF("interface")};
    if (is_known(interface) &&
        (interface->text.size > INTERFACE_MAX || slice_find(interface->text, '/') < interface->text.size))
        work_error(work, interface->at, &here, "`%.*s` is no name of an interface, such as eth1",
                   SCALAR_SHOWN(interface->text));
}

static void check_group(struct work *work, const struct node *item, const struct address *at_address,
                        const struct trail *here) {
    struct address group;
    if (!is_known(item) || !address_parse_ip(item->text, &group))
        return;
    if (!address_is_multicast(&group))
        work_error(work, item->at, here, "`%.*s` is no group: those are 224.0.0.0/4 and ff00::/8",
                   SCALAR_SHOWN(item->text));
    else if (group.scope)
        work_error(work, item->at, here, "a group has no `%%`: name `interface`");
    else if (at_address->family != ADDRESS_NONE && group.family != at_address->family)
        work_error(work, item->at, here,
                   "`%.*s` is IPv%d, the URL is not: such a group needs a listener on %s",
                   SCALAR_SHOWN(item->text), group.family == ADDRESS_IPV4 ? 4 : 6,
                   group.family == ADDRESS_IPV4 ? "0.0.0.0" : "[::]");
}

/* A socket hears what is sent to the address that it is bound to: bound to one of ours it hears no group. */
static void check_bound(struct work *work, const struct node *groups, const struct config_url *url,
                        const struct address *at_address, const struct trail *here) {
    bool is_group = address_is_multicast(at_address);
    for (const struct node *item = is_group ? groups->first : NULL; item; item = item->next) {
        struct address group;
        if (is_known(item) && address_parse_ip(item->text, &group) && address_is_multicast(&group) &&
            !address_equal(&group, at_address))
            work_error(work, item->at, here,
                       "a listener on the group `%.*s` hears that one alone; several need 0.0.0.0 or [::]",
                       SCALAR_SHOWN(url->host));
    }
    if (!is_group && !address_is_any(at_address))
        work_error(work, groups->at, here,
                   "a listener on `%.*s` hears no group: listen on %s, or on the group",
                   SCALAR_SHOWN(url->host), at_address->family == ADDRESS_IPV6 ? "[::]" : "0.0.0.0");
}

static struct address address_of(const struct config_url *url) {
    struct address address = {0};
    if (!url->is_address || !address_parse_ip(url->host, &address))
        return (struct address){.family = slice_is(url->host, "localhost") ? ADDRESS_IPV4 : ADDRESS_NONE,
                                .bytes = {127, 0, 0, 1}};
    return address;
}

void casts_listener(struct work *work, const struct node *listener, const struct config_url *url,
                    const struct trail *trail) {
    const struct node *groups = of_multicast(listener, "groups"),
                      *interface = of_multicast(listener, "interface");
    const struct node *broadcast = node_get(listener, SLICE_OF("broadcast"));
    struct trail at = {trail, SLICE_OF("multicast")}, here = {&at, SLICE_OF("groups")},
                 at_interface = {&at, SLICE_OF("interface")};
    struct trail at_broadcast = {trail, SLICE_OF("broadcast")};
    struct address address = address_of(url);
    if (url->scheme != CONFIG_SCHEME_UDP)
        return;
    check_interface(work, listener, trail);
    if (groups && groups->kind == NODE_LIST) {
        if (groups->count > CONFIG_GROUPS_MAX)
            work_error(work, groups->at, &here, "%zu groups; %u are the most of one listener",
                       (size_t)groups->count, CONFIG_GROUPS_MAX);
        for (const struct node *item = groups->first; item; item = item->next)
            check_group(work, item, &address, &here);
        check_bound(work, groups, url, &address, &here);
    } else if (interface && !address_is_multicast(&address)) {
        work_error(work, interface->key_at, &at_interface, "means nothing without `groups`");
    }
    bool is_any_ipv4 =
        address.family == ADDRESS_NONE || address_is_any(&address) || address.family == ADDRESS_IPV4;
    if (is_known(broadcast) && slice_is(broadcast->text, "true") &&
        (!is_any_ipv4 || url->is_loopback || address_is_multicast(&address)))
        work_error(work, broadcast->key_at, &at_broadcast,
                   "a listener on `%.*s` hears no broadcast: listen on 0.0.0.0", SCALAR_SHOWN(url->host));
}

void casts_system(struct work *work, const struct node *system, const struct config_url *url,
                  const struct trail *trail) {
    const struct node *multicast = node_get(system, SLICE_OF("multicast")),
                      *broadcast = node_get(system, SLICE_OF("broadcast"));
    struct trail at_url = {trail, SLICE_OF("url")}, at = {trail, SLICE_OF("multicast")},
                 at_broadcast = {trail, SLICE_OF("broadcast")};
    struct address address = address_of(url);
    const struct node *node = node_get(system, SLICE_OF("url"));
    bool casts = is_known(broadcast) && slice_is(broadcast->text, "true"),
         is_group = address_is_multicast(&address);
    if (url->scheme != CONFIG_SCHEME_UDP)
        return;
    check_interface(work, system, trail);
    if (multicast && url->is_address && !is_group)
        work_error(work, multicast->key_at, &at, "means nothing: `%.*s` is no group",
                   SCALAR_SHOWN(url->host));
    if (casts && (is_group || address.family == ADDRESS_IPV6))
        work_error(work, broadcast->key_at, &at_broadcast, "means nothing: `%.*s` is %s",
                   SCALAR_SHOWN(url->host), is_group ? "a group" : "IPv6, which has no broadcast");
    if (!casts && slice_is(url->host, "255.255.255.255"))
        work_error(work, node->at, &at_url, "is the address of all: add `broadcast: true` if that is meant");
}
