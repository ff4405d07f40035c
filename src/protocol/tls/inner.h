/* What the files of TLS share. */
#ifndef PROTOCOL_TLS_INNER_H
#define PROTOCOL_TLS_INNER_H

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "base/memory.h"
#include "protocol/tls/tls.h"

#define TLS_CHAIN_MAX 16   /* certificates of one chain */
#define TLS_ANCHORS_MAX 4096 /* certificates of one authority file */
#define TLS_NAMES_MAX 64   /* names of a peer that are looked at */
#define TLS_WEIGHT (14u << 10) /* OpenSSL's objects of a connection that does nothing: bench/idle.py */
#define TLS_CHATTER_MAX 32 /* key updates, tickets and the like without data between them */

struct material {
    X509 *leaf;
    STACK_OF(X509) *chain; /* without the leaf */
    EVP_PKEY *key;
};

struct anchors {
    STACK_OF(X509) *certificates;
    uint8_t digest[32];
};

/* One profile's SSL_CTX. Counted: connections outlive the worker's set. One thread. */
struct context {
    struct tls_worker *worker; /* NULL once the set is gone */
    const struct tls_profile *profile; /* compared only */
    SSL_CTX *ctx;
    BIO_METHOD *method;
    uint32_t refs;
    bool accepted;
    struct slice alpn;         /* own copy */
    struct material *materials; /* accepted: those that SNI picks from; referenced */
    size_t material_count;
    SSL_SESSION *session; /* dialled: the newest */
    struct tls_tickets tickets;
    struct context *next;
};

struct tls_worker {
    const void *owner;
    struct material *materials;
    size_t material_count;
    struct anchors *anchors;
    size_t anchor_count;
    struct tls_tickets tickets;
    struct context *contexts;
    struct tls_counts counts;
};

/* State of one connection. */
struct tls {
    SSL *ssl;
    struct context *context;
    const struct tls_profile *profile;
    struct filter_sink *sink;
    struct slice in; /* what is left of the bytes that feed() was given */
    struct wall until; /* its certificate's end, where it has shown one */
    struct filter_facts facts;
    struct filter_name *names; /* with their text behind them */
    uint32_t chatter; /* handshake messages since data came, once it is ready */
    bool accepted;
    bool short_of_memory; /* the wire chain could not take more */
};

/* material.c */
enum status material_read(struct slice cert, struct slice key, struct material *ret, bool *ret_key, struct fault *fault);
bool material_share(const struct material *from, struct material *to);
void material_free(struct material *material);
enum status anchors_read(struct slice pem, struct anchors *ret, struct fault *fault);
void anchors_free(struct anchors *anchors);
bool material_names(const X509 *certificate, struct slice host); /* exact or by wildcard */
struct wall material_time(const ASN1_TIME *time);
void tls_begin(void); /* OpenSSL, once; costs nothing where no TLS is configured */

/* context.c */
struct context *context_get(struct tls_worker *worker, const struct tls_profile *profile, enum protocol_role role);
void context_unref(struct context *context);

/* bytes.c */
BIO_METHOD *bytes_method(void);

/* facts.c */
bool facts_address(const ASN1_OCTET_STRING *bytes, struct address *ret);
bool facts_fill(struct tls *tls);

#endif
