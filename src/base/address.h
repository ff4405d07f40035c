/* Socket addresses and address ranges as values. No name is looked up here. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/slice.h"

enum address_family {
    ADDRESS_NONE,
    ADDRESS_IPV4,
    ADDRESS_IPV6,
};

/* Has no padding, so its 24 bytes may serve as a map key once every unused field is 0 (all functions here
 * leave them so). */
struct address {
    uint8_t family; /* enum address_family */
    uint8_t unused;
    uint16_t port; /* host order */
    uint32_t scope; /* IPv6 link-local interface number, else 0 */
    uint8_t bytes[16]; /* network order; IPv4 uses the first 4 */
};

/* "[ffff:...%4294967295]:65535" and NUL. */
#define ADDRESS_TEXT_MAX 64

/* "127.0.0.1:8080", "[::1]:8080", "[fe80::1%2]:0". IPv4 octets have no leading zeros; the port is required.
 * Untouched on false. */
bool address_parse(struct slice text, struct address *ret_address);
/* The address alone, without brackets; the port becomes 0. */
bool address_parse_ip(struct slice text, struct address *ret_address);
/* Canonical form (RFC 5952), NUL-terminated; returns the length without NUL. ADDRESS_NONE gives "-". */
size_t address_print(char out[static ADDRESS_TEXT_MAX], const struct address *address);
size_t address_print_ip(char out[static ADDRESS_TEXT_MAX], const struct address *address);

bool address_equal(const struct address *a, const struct address *b);
/* As a map key; borrowed from `address`. */
static inline struct slice address_key(const struct address *address) {
    return slice_make(address, sizeof *address);
}
/* 127.0.0.0/8, ::1, and the former mapped into IPv6. */
bool address_is_loopback(const struct address *address);
/* 224.0.0.0/4, ff00::/8, and the former mapped into IPv6. */
bool address_is_multicast(const struct address *address);
/* 0.0.0.0 or ::, whatever the port. */
bool address_is_any(const struct address *address);
/* ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) becomes a.b.c.d; others stay. A dual-stack socket hands IPv4 peers
 * over in the mapped form; limits and rules must see one peer, not two. */
struct address address_unmapped(const struct address *address);

struct cidr {
    struct address network; /* port and scope 0 */
    uint8_t bits;
};

/* "10.0.0.0/8", "2001:db8::/32"; an address alone means itself. False too when bits behind the prefix are set
 * ("10.0.0.1/8"): such a range says one thing and means another. */
bool cidr_parse(struct slice text, struct cidr *ret_cidr);
/* Mapped IPv4 addresses match IPv4 ranges. */
bool cidr_has(const struct cidr *cidr, const struct address *address);

#endif
