/* Between struct address and the kernel's form of it. */
#include "platform/sockaddr.h"

#include <netinet/in.h>

#include "base/assert.h"

bool sockaddr_read(const struct sockaddr *from, struct address *ret_address) {
    struct address address = {0};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        address.family = ADDRESS_IPV4;
        address.port = ntohs(in.sin_port);
        memcpy(address.bytes, &in.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, from, sizeof in);
        address.family = ADDRESS_IPV6;
        address.port = ntohs(in.sin6_port);
        address.scope = in.sin6_scope_id;
        memcpy(address.bytes, &in.sin6_addr, 16);
    } else {
        return false;
    }
    *ret_address = address;
    return true;
}

socklen_t sockaddr_write(struct sockaddr_storage *out, const struct address *address) {
    memset(out, 0, sizeof *out);
    if (address->family == ADDRESS_IPV4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&in.sin_addr, address->bytes, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    ASSERT(address->family == ADDRESS_IPV6);
    struct sockaddr_in6 in = {
        .sin6_family = AF_INET6, .sin6_port = htons(address->port), .sin6_scope_id = address->scope};
    memcpy(&in.sin6_addr, address->bytes, 16);
    memcpy(out, &in, sizeof in);
    return sizeof in;
}
