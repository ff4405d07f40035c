/* One to many: groups that a datagram socket hears, and what it may send to groups and to all. */
#include "platform/socket_cast.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>

#include "platform/sockaddr.h"
#include "platform/socket.h"
#include "platform/sys.h"

enum status socket_interface(struct slice name, uint32_t *ret_index, struct fault *fault) {
    char text[IF_NAMESIZE] = {0};
    *ret_index = 0;
    if (name.size == 0)
        return STATUS_OK;
    if (name.size < sizeof text) {
        memcpy(text, name.data, name.size);
        *ret_index = if_nametoindex(text);
    }
    if (*ret_index)
        return STATUS_OK;
    return fault_set(fault, STATUS_UNREACHABLE, ENODEV, "this host has no interface `%.*s`",
                     (int)(name.size < 40 ? name.size : 40), (const char *)name.data);
}

static const char *words_of(int error_number) {
    switch (error_number) {
    case ENODEV:
        return "no interface has a route for it; name one";
    case ENOBUFS:
        return "the kernel allows no more groups (net.ipv4.igmp_max_memberships)";
    case EADDRINUSE:
        return "it is joined already";
    default:
        return strerrordesc_np(error_number) ? strerrordesc_np(error_number) : "unknown error";
    }
}

static enum status refused(struct fault *fault, const char *verb, const struct address *address) {
    int error_number = errno;
    char where[ADDRESS_TEXT_MAX];
    address_print_ip(where, address);
    return fault_set(fault, socket_status(error_number), error_number, "cannot %s %s: %s", verb, where,
                     words_of(error_number));
}

static int membership(int fd, const struct address *group, uint32_t interface, bool join) {
    if (group->family == ADDRESS_IPV6) {
        struct ipv6_mreq request = {.ipv6mr_interface = interface};
        memcpy(&request.ipv6mr_multiaddr, group->bytes, 16);
        return sys()->setsockopt(fd, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request,
                                 sizeof request);
    }
    struct ip_mreqn request = {.imr_ifindex = (int)interface};
    memcpy(&request.imr_multiaddr, group->bytes, 4);
    return sys()->setsockopt(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request,
                             sizeof request);
}

enum status socket_join(int fd, const struct address *group, uint32_t interface, struct fault *fault) {
    return membership(fd, group, interface, true) == 0 ? STATUS_OK : refused(fault, "join the group", group);
}

void socket_leave(int fd, const struct address *group, uint32_t interface) {
    (void)membership(fd, group, interface, false);
}

static bool cast_ipv4(int fd, const struct socket_cast *cast) {
    struct ip_mreqn by = {.imr_ifindex = (int)cast->interface};
    int ttl = cast->ttl, loop = cast->loop;
    return sys()->setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl) == 0 &&
           sys()->setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof loop) == 0 &&
           (!cast->interface || sys()->setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by) == 0);
}

static bool cast_ipv6(int fd, const struct socket_cast *cast) {
    int ttl = cast->ttl, loop = cast->loop, by = (int)cast->interface;
    return sys()->setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &ttl, sizeof ttl) == 0 &&
           sys()->setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &loop, sizeof loop) == 0 &&
           (!by || sys()->setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &by, sizeof by) == 0);
}

enum status socket_may_cast(int fd, const struct address *to, const struct socket_cast *cast,
                            struct fault *fault) {
    int on = 1;
    bool is_ok = true;
    if (address_is_multicast(to))
        is_ok = to->family == ADDRESS_IPV6 ? cast_ipv6(fd, cast) : cast_ipv4(fd, cast);
    if (is_ok && cast->broadcast && to->family == ADDRESS_IPV4)
        is_ok = sys()->setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0;
    return is_ok ? STATUS_OK : refused(fault, "send to", to);
}

enum status socket_spread_by(int fd, uint32_t offset, uint32_t count, struct fault *fault) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (sys()->setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0)
        return STATUS_OK;
    int error_number = errno;
    return fault_set(fault, socket_status(error_number), error_number, "the kernel can't spread datagrams by their bytes: %s",
                     words_of(error_number));
}

size_t socket_own_addresses(struct address *out, size_t room) {
    struct ifaddrs *all;
    size_t count = 0;
    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *at = all; at && count < room; at = at->ifa_next)
        if (at->ifa_addr && sockaddr_read(at->ifa_addr, &out[count]))
            out[count++].scope = 0;
    freeifaddrs(all);
    return count;
}

uint32_t socket_overflows(int fd) {
    uint32_t values[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof values;
    if (sys()->getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &size) != 0 ||
        size < (SK_MEMINFO_DROPS + 1) * sizeof *values)
        return 0;
    return values[SK_MEMINFO_DROPS];
}
