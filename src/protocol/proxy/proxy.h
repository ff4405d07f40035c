/* The PROXY header as filters: taken off what comes in, from proxies that are trusted; put before what we dial. */
#ifndef PROTOCOL_PROXY_PROXY_H
#define PROTOCOL_PROXY_PROXY_H

#include "protocol/filter.h"

/* The profile of proxy_in. */
struct proxy_trust {
    const struct cidr *proxies; /* who may say who connected; nobody else may connect */
    size_t proxy_count;
    const struct cidr *allow; /* who may then connect; none: anybody */
    size_t allow_count;
};

extern const struct filter proxy_in;
/* The profile is a const unsigned: 1 or 2. */
extern const struct filter proxy_out;

#endif
