/* Between struct address and the kernel's form of it. */
#ifndef PLATFORM_SOCKADDR_H
#define PLATFORM_SOCKADDR_H

#include <sys/socket.h>

#include "base/address.h"

/* False for families other than IPv4 and IPv6. */
bool sockaddr_read(const struct sockaddr *from, struct address *ret_address);
/* `address` must not be ADDRESS_NONE. Returns the size used. */
socklen_t sockaddr_write(struct sockaddr_storage *out, const struct address *address);

#endif
