/* TLS as a filter, on OpenSSL over our own buffers (RFC 8446, 5246; names: RFC 6125, 7301, 5280; SPIFFE X.509-SVID).
 *
 * A `tls_worker` has the certificates, keys and authorities of one worker, parsed from PEM, and makes contexts for
 * profiles as connections need them. Nothing in it is shared between threads: another thread may make one and hand it
 * over. What replaces it (a new configuration, new files) makes contexts of its own; connections keep theirs.
 *
 * It draws its own entropy: it is the one part of the protocol room whose bytes differ from run to run. */
#ifndef PROTOCOL_TLS_TLS_H
#define PROTOCOL_TLS_TLS_H

#include "base/fault.h"
#include "protocol/filter.h"

extern const struct filter filter_tls; /* its profile: struct tls_profile */

enum tls_client { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };
enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };
enum tls_ciphers { TLS_CIPHERS_MODERN, TLS_CIPHERS_COMPATIBLE };

#define TLS_NAME_MAX 253 /* of a server */

/* What a listener or endpoint wants. Outlives the connections that use it. */
struct tls_profile {
    const void *owner;            /* as in tls_files: indices mean something there alone */
    struct slice name;            /* of the place: sessions of one place are no sessions of another */
    const uint32_t *certificates; /* indices into tls_files; accepted: SNI picks, the first is the default. Dialled: the
                                   * one that we show, if any */
    size_t certificate_count;
    const uint32_t *authorities;  /* none: dialled: the system's; accepted: no client certificate is good */
    size_t authority_count;
    enum tls_client client;
    enum tls_version min_version;
    enum tls_ciphers ciphers;
    struct slice alpn;            /* as on the wire: length, name, length, name. Empty: not spoken of */
    struct slice server_name;     /* dialled: whom the certificate must name */
    bool is_address;              /* ..and that it is an IP address */
    bool unverified;              /* dialled: anyone will do */
};

struct tls_certificate {
    struct slice name; /* in the configuration */
    struct slice cert; /* PEM: the leaf first, then its issuers */
    struct slice key;  /* PEM */
};

struct tls_authority {
    struct slice name;
    struct slice pem;
};

/* All borrowed for the call. */
struct tls_files {
    const void *owner; /* compared only */
    const struct tls_certificate *certificates;
    size_t certificate_count;
    const struct tls_authority *authorities;
    size_t authority_count;
};

/* Keys of session tickets: the newest seals, the one before still opens. Shared by value over workers and reloads. */
#define TLS_TICKET_KEY_SIZE 80
struct tls_tickets {
    uint8_t keys[2][TLS_TICKET_KEY_SIZE];
};
/* Draws a new key; the newest becomes the one before. False when there is no entropy. */
bool tls_tickets_turn(struct tls_tickets *tickets);

struct tls_worker;
/* NULL with `fault`: NO_MEMORY, or BAD_CONFIG and whose file is wrong. */
struct tls_worker *tls_worker_new(const struct tls_files *files, const struct tls_tickets *tickets,
                                  struct fault *fault);
/* What was made for this profile is for connections that have it alone: the profile ends. */
void tls_worker_forget(struct tls_worker *worker, const struct tls_profile *profile);
void tls_worker_free(struct tls_worker *worker); /* NULL is fine; connections live on */
void tls_worker_tickets(struct tls_worker *worker, const struct tls_tickets *tickets);
/* Handshakes since it was made, by how they ended. */
struct tls_counts {
    uint64_t full, resumed, failed;
};
struct tls_counts tls_worker_counts(const struct tls_worker *worker);

/* -- for the configuration and `certs show` -- */

struct tls_certificate_view {
    char subject[200];
    char issuer[200];
    char names[500]; /* DNS:a, IP:b, .. */
    struct wall not_before, not_after;
    bool is_authority;
};

/* Whether `cert` is a chain and `key` its key, and what the leaf says. BAD_CONFIG with words that follow "FILE: ". Which of
 * the files is wrong: *ret_key. An empty key isn't looked at. */
enum status tls_check_certificate(struct slice cert, struct slice key, struct tls_certificate_view *ret_view, bool *ret_key,
                                  struct fault *fault);
/* Whether there is at least one certificate in it, and all are well. */
enum status tls_check_authority(struct slice pem, struct tls_certificate_view *ret_first, struct fault *fault);

/* -- for `certs dev` -- */

struct tls_made {
    struct buffer cert, key; /* PEM; the caller's */
};
/* Makes a key (P-256) and a certificate for `names` (as filter names: dns, IP address or URI), signed by `issuer`, or by
 * itself and an authority where that is NULL. */
enum status tls_make(const char *common_name, const struct slice *names, size_t name_count, const struct tls_made *issuer,
                     bool for_client, struct wall from, struct wall until, struct tls_made *ret, struct fault *fault);

#endif
