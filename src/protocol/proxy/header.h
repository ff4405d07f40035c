/* The PROXY protocol, versions 1 and 2: what a proxy puts before all else, to say who connected to it. (The specification is
 * HAProxy's proxy-protocol.txt.) */
#ifndef PROTOCOL_PROXY_HEADER_H
#define PROTOCOL_PROXY_HEADER_H

#include "base/address.h"

#define PROXY_V1_MAX 107u      /* section 2.1, CR and LF included */
#define PROXY_HEADER_MAX 4096u /* of version 2: some hundred bytes are usual; a proxy that sends more isn't believed */

enum proxy_result { PROXY_MORE, PROXY_WHOLE, PROXY_BROKEN };

struct proxy_header {
    bool is_shown;         /* source and destination are known; else the connection speaks for itself (LOCAL, UNKNOWN) */
    struct address source; /* who connected to the proxy */
    struct address destination;
    size_t size;           /* bytes of the header */
};

/* How many bytes more are surely part of the header that begins with `bytes`; at least 1 unless it is whole or broken. */
size_t proxy_header_wants(struct slice bytes);
/* Reads the header at the front. BROKEN: `*ret_why` says it. */
enum proxy_result proxy_header_read(struct slice bytes, struct proxy_header *ret_header, const char **ret_why);
/* What we say of connections that we make for ourselves: that they are nobody else's (UNKNOWN, LOCAL; sections 2.1, 2.2). */
struct slice proxy_header_own(unsigned version);

#endif
