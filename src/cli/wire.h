/* One stream connection of a command, used as if it blocked, with a deadline for everything. */
#ifndef CLI_WIRE_H
#define CLI_WIRE_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/fault.h"
#include "config/config.h"
#include "cli/secure.h"
#include "platform/loop.h"

struct wire {
    struct loop *loop;
    struct loop_watch watch;
    int fd;
    unsigned events; /* seen since the last wait */
    bool late;
    /* resolving */
    bool resolved;
    enum status status;
    struct address address;
    struct wire_sealed *sealed; /* NULL: no TLS */
};

/* To `host`:`port`, or to the Unix socket `path`; `secure` (NULL: none) outlives it. REFUSED, UNREACHABLE, CONNECT_TIMEOUT,
 * RESOLVE_FAILED, CERTIFICATE_REFUSED.. */
enum status wire_open(struct wire *wire, const struct config_url *url, const char *path, const struct cli_secure *secure,
                      struct mono deadline, struct fault *fault);
enum status wire_write(struct wire *wire, struct slice bytes, struct mono deadline);
/* Appends what comes next, at least a byte. PEER_CLOSED at the end. */
enum status wire_read(struct wire *wire, struct buffer *out, struct mono deadline);
void wire_close(struct wire *wire);

/* -- HTTP over it -- */

struct http_reply {
    unsigned code;
    struct buffer head; /* raw: fields point into it */
    struct buffer body;
    char receipt[64];      /* Intertie-Id */
    char content_type[96];
};

/* One request on one connection. `lines`: further header lines, each with CRLF. Init nothing before; http_reply_done()
 * after, in any case. */
enum status http_request(const struct config_url *url, const char *unix_path, const struct cli_secure *secure,
                         const char *method, const char *target, const char *lines, struct slice body, int64_t timeout_ns, struct http_reply *ret,
                         struct fault *fault);
void http_reply_done(struct http_reply *reply);

#endif
