/* Binding listeners: before anything is said, and for all workers at once. */
#include <stdio.h>

#include "platform/socket_cast.h"
#include "protocol/datagram/envelope.h"
#include "runtime/inner.h"

static enum status no_memory(struct fault *fault) {
    return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for a listener");
}

static struct place *place_new(struct slice name, uint32_t workers) {
    struct place *place = memory_new(sizeof *place + workers * sizeof place->fds[0]);
    if (!place)
        return NULL;
    place->worker_count = workers;
    place->group_fd = -1;
    for (uint32_t i = 0; i < workers; i++)
        place->fds[i] = -1;
    char *copy = memory_copy_text((const char *)name.data, name.size);
    place->name = slice_make(copy, name.size);
    place->crowd = crowd_new();
    if (copy && place->crowd)
        return place;
    crowd_unref(place->crowd);
    memory_free(copy);
    memory_free(place);
    return NULL;
}

/* Descriptors that a gate took over are -1 by then. */
void place_free(struct place *place) {
    if (!place)
        return;
    for (uint32_t i = 0; i < place->worker_count; i++)
        if (place->fds[i] >= 0)
            socket_close(place->fds[i]);
    memory_free((void *)(uintptr_t)place->name.data);
    memory_free((void *)(uintptr_t)place->url.data);
    memory_free(place->groups);
    crowd_unref(place->crowd);
    memory_free(place);
}

/* No name is looked up for a listener: which of its addresses would be meant? */
static bool address_of(const struct config_url *url, struct address *ret) {
    struct address address;
    if (url->is_address ? !address_parse_ip(url->host, &address) : !slice_is(url->host, "localhost"))
        return false;
    if (!url->is_address)
        address = (struct address){.family = ADDRESS_IPV4, .bytes = {127, 0, 0, 1}};
    address.port = url->port;
    *ret = address;
    return true;
}

static enum status bind_one(const struct address *at, bool is_datagram, unsigned flags, int *ret_fd,
                            struct fault *fault) {
    return is_datagram ? socket_datagram(at, flags, ret_fd, fault) : socket_listen(at, flags, ret_fd, fault);
}

/* Sockets that share a port let another process of this user in, too: bound alone first, a port in use is seen. */
static enum status look_whether_free(const struct address *at, bool is_datagram, struct fault *fault) {
    int fd;
    enum status status = bind_one(at, is_datagram, 0, &fd, fault);
    if (status == STATUS_OK)
        socket_close(fd);
    return status;
}

static enum status bind_all(struct place *place, uint32_t workers, struct fault *fault) {
    bool hears_many = place->is_datagram && (address_is_any(&place->asked) || address_is_multicast(&place->asked));
    unsigned flags = (workers > 1 ? SOCKET_REUSE_PORT : 0u) | (hears_many ? SOCKET_TELL_CAST : 0u);
    enum status status = STATUS_OK;
    place->at = place->asked;
    if (workers > 1 && place->asked.port != 0)
        status = look_whether_free(&place->at, place->is_datagram, fault);
    for (uint32_t i = 0; status == STATUS_OK && i < workers; i++) {
        status = bind_one(&place->at, place->is_datagram, flags, &place->fds[i], fault);
        if (status == STATUS_OK)
            place->at.port = socket_local(place->fds[i]).port;
        else
            place->fds[i] = -1;
    }
    place->group_fd = place->is_datagram ? place->fds[0] : -1;
    return status;
}

/* `path`: of a WebSocket listener; others serve every path. */
static bool set_url(struct place *place, struct slice path) {
    char at[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 256];
    address_print(at, &place->at);
    int size = snprintf(text, sizeof text, "%.*s://%s%.*s", SLICE_ARG(place->scheme), at, SLICE_ARG(slice_head(path, 200)));
    char *copy = memory_copy_text(text, (size_t)size);
    place->url = slice_make(copy, copy ? (size_t)size : 0);
    return copy != NULL;
}

static enum status bind_url(const struct config_url *url, struct slice name, const char *path, uint32_t all,
                            uint32_t workers, struct place **ret, struct fault *fault) {
    struct place *place = place_new(name, all);
    if (!place)
        return no_memory(fault);
    place->scheme = slice_from(config_scheme_name(url->scheme));
    place->is_datagram = url->scheme == CONFIG_SCHEME_UDP;
    struct fault why = {0};
    enum status status = STATUS_OK;
    if (!address_of(url, &place->asked))
        status = fault_set(&why, STATUS_BAD_CONFIG, 0, "listen on an address, not on the name `%.*s`", SLICE_ARG(url->host));
    if (status == STATUS_OK)
        status = bind_all(place, workers, &why);
    bool is_ws = url->scheme == CONFIG_SCHEME_WS || url->scheme == CONFIG_SCHEME_WSS;
    if (status == STATUS_OK && !set_url(place, is_ws ? url->path : slice_make("", 0)))
        status = no_memory(&why);
    if (status == STATUS_OK) {
        *ret = place;
        return STATUS_OK;
    }
    place_free(place);
    return fault_set(fault, status, why.error_number, "%s%.*s: %.180s", path, SLICE_ARG(name), why.text);
}

enum status place_bind(const struct config_listener *listener, uint32_t workers, struct place **ret,
                       struct fault *fault) {
    return bind_url(&listener->url, listener->name, "listeners.", workers, workers, ret, fault);
}

enum status place_bind_admin(const struct config *config, uint32_t workers, struct place **ret, struct fault *fault) {
    enum status status = bind_url(&config->admin.url, SLICE_OF("admin"), "", workers, 1, ret, fault);
    if (status == STATUS_OK)
        (*ret)->is_admin = true;
    return status;
}

enum status place_bind_unix(const char *path, uint32_t workers, struct place **ret, struct fault *fault) {
    struct place *place = place_new(SLICE_OF("admin-socket"), workers);
    char text[300];
    if (!place)
        return no_memory(fault);
    int size = snprintf(text, sizeof text, "unix:%s", path);
    char *copy = memory_copy_text(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
    place->url = slice_make(copy, copy ? strlen(copy) : 0);
    place->scheme = SLICE_OF("unix");
    place->is_admin = place->is_unix = true;
    enum status status = copy ? socket_listen_unix(path, &place->fds[0], fault) : no_memory(fault);
    if (status == STATUS_OK) {
        *ret = place;
        return STATUS_OK;
    }
    place->fds[0] = -1;
    place_free(place);
    return status;
}

/* -- groups: one worker's socket is in them, or each would get a copy -- */

static struct place_group *find_group(struct place *place, const struct address *address, uint32_t interface) {
    for (size_t i = 0; i < place->group_count; i++)
        if (place->groups[i].interface == interface && address_equal(&place->groups[i].address, address))
            return &place->groups[i];
    return NULL;
}

static enum status join_one(struct place *place, const struct address *address, uint32_t interface, struct fault *fault) {
    struct place_group *known = find_group(place, address, interface);
    if (known) {
        known->is_wanted = true;
        return STATUS_OK;
    }
    struct place_group *groups = memory_resize(place->groups, (place->group_count + 1) * sizeof *groups);
    if (!groups)
        return no_memory(fault);
    place->groups = groups;
    enum status status = socket_join(place->group_fd, address, interface, fault);
    if (status == STATUS_OK)
        groups[place->group_count++] = (struct place_group){*address, interface, true, true};
    return status;
}

/* An envelope is good once, and each worker remembers by itself: whoever sends it again, from whatever port, must meet the
 * same. Groups and all are heard by
 * the first worker alone: then everything goes to it. */
static enum status spread(struct place *place, const struct config_listener *listener, struct fault *fault) {
    if (listener->envelope == CONFIG_NONE || place->worker_count < 2)
        return STATUS_OK;
    return socket_spread_by(place->group_fd, ENVELOPE_NONCE_AT + 4, listener->multicast.group_count || listener->broadcast ? 1 : place->worker_count, fault);
}

enum status place_groups_join(struct place *place, const struct config_listener *listener, struct fault *fault) {
    const struct config_multicast *wanted = &listener->multicast;
    struct fault why = {0};
    uint32_t interface = 0;
    if (place->group_fd < 0)
        return STATUS_OK;
    enum status status = spread(place, listener, &why);
    if (status == STATUS_OK && wanted->group_count)
        status = socket_interface(wanted->interface, &interface, &why);
    for (size_t i = 0; status == STATUS_OK && i < wanted->group_count; i++)
        status = join_one(place, &wanted->groups[i], interface, &why);
    if (status == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, status, why.error_number, "listeners.%.*s: %.180s", SLICE_ARG(listener->name), why.text);
}

static void leave(struct place *place, bool is_start) {
    size_t kept = 0;
    for (size_t i = 0; i < place->group_count; i++) {
        struct place_group group = place->groups[i];
        if (is_start ? group.is_wanted : !group.is_new)
            place->groups[kept++] = (struct place_group){.address = group.address, .interface = group.interface};
        else
            socket_leave(place->group_fd, &group.address, group.interface);
    }
    place->group_count = kept;
}

void place_groups_keep(struct place *place) {
    leave(place, true);
}

void place_groups_undo(struct place *place) {
    leave(place, false);
}

bool place_is_same(const struct place *place, const struct config_url *url, struct slice name) {
    struct address asked;
    if (place->is_unix || !address_of(url, &asked) || !address_equal(&asked, &place->asked) ||
        !slice_is(place->scheme, config_scheme_name(url->scheme)))
        return false;
    return asked.port != 0 || slice_equal(place->name, name);
}
