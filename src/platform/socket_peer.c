/* A datagram socket that speaks with one peer only. */
#include "platform/socket_peer.h"

#include <errno.h>

#include "platform/sockaddr.h"
#include "platform/sys.h"

enum status socket_dial_datagram(const struct address *to, const struct socket_cast *cast, int *ret_fd, struct fault *fault) {
    struct address any = {.family = to->family};
    struct sockaddr_storage storage;
    int fd = -1;
    enum status status = socket_datagram(&any, 0, &fd, fault);
    if (status != STATUS_OK)
        return status;
    if ((status = socket_may_cast(fd, to, cast, fault)) != STATUS_OK) {
        sys()->close(fd);
        return status;
    }
    socklen_t size = sockaddr_write(&storage, to);
    if (sys()->connect(fd, (const struct sockaddr *)&storage, size) != 0) {
        int error_number = errno;
        sys()->close(fd);
        return fault_set(fault, socket_status(error_number), error_number, "cannot connect");
    }
    *ret_fd = fd;
    return STATUS_OK;
}
