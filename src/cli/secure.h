/* TLS of a command that dials: whom it believes (--ca, else the host's authorities) and what it shows (--cert). */
#ifndef CLI_SECURE_H
#define CLI_SECURE_H

#include "cli/cli.h"
#include "config/config.h"
#include "protocol/tls/tls.h"

/* Stays where it is while a connection uses it. */
struct cli_secure {
    struct tls_worker *worker; /* NULL: the URL has no TLS */
    struct tls_profile profile;
    struct filter_use use;
};

/* For a URL whose scheme has TLS; else nothing is done. The URL's text must outlive it. IO_ERROR or BAD_CONFIG with `fault`, which names the
 * option. cli_secure_close() after, in any case. */
enum status cli_secure_open(struct cli_secure *secure, const struct cli_options *options, const struct config_url *url,
                            struct fault *fault);
void cli_secure_close(struct cli_secure *secure);
/* Somebody is there, but TLS with him fails, or what it needs from here does. */
bool cli_is_about_tls(enum status status);

#endif
