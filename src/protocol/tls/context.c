/* SSL contexts: what a profile means to OpenSSL, tickets, the choice of certificate and of the protocol above. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "protocol/tls/inner.h"

#define SESSION_S 7200 /* how long a session may be taken up again */
#define NAME_SIZE 16   /* of a ticket key: its name, a key for AES-256, one for HMAC */
#define KEY_SIZE 32

#define MODERN "ECDHE+AESGCM:ECDHE+CHACHA20"
#define COMPATIBLE MODERN ":ECDHE+AES:RSA+AESGCM:RSA+AES:!aNULL:!eNULL:!PSK:!SRP"

bool tls_tickets_turn(struct tls_tickets *tickets) {
    uint8_t fresh[TLS_TICKET_KEY_SIZE];
    tls_begin();
    if (RAND_bytes(fresh, sizeof fresh) != 1)
        return false;
    memcpy(tickets->keys[1], tickets->keys[0], sizeof fresh);
    memcpy(tickets->keys[0], fresh, sizeof fresh);
    OPENSSL_cleanse(fresh, sizeof fresh);
    return true;
}

static bool key_ticket(const uint8_t *key, uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals) {
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)(key + NAME_SIZE + KEY_SIZE), KEY_SIZE),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key + NAME_SIZE, iv, seals, NULL) == 1;
}

/* 1: this key; 2: this key, and a new ticket please; 0: not ours, a full handshake. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals) {
    const struct context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct tls_tickets *tickets = context->worker ? &context->worker->tickets : &context->tickets;
    if (seals) {
        if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1 || !key_ticket(tickets->keys[0], iv, cipher, mac, 1))
            return -1;
        memcpy(name, tickets->keys[0], NAME_SIZE);
        return 1;
    }
    for (int i = 0; i < 2; i++)
        if (CRYPTO_memcmp(name, tickets->keys[i], NAME_SIZE) == 0)
            /* Of TLS 1.3 each is used once (RFC 8446 appendix C.4): who has used his gets the next. */
            return !key_ticket(tickets->keys[i], iv, cipher, mac, 0) ? -1 : i || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
    return 0;
}

/* RFC 7301 section 3.2: who offers names offers ours too, or isn't served. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in, unsigned in_size,
                   void *user) {
    const struct context *context = user;
    (void)ssl;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_size, context->alpn.data, (unsigned)context->alpn.size, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static const struct material *material_for(const struct context *context, struct slice host) {
    for (size_t i = 0; i < context->material_count; i++)
        if (material_names(context->materials[i].leaf, host))
            return &context->materials[i];
    return NULL;
}

/* SNI: the first certificate that names the host; the default one for hosts that none names (RFC 6066 section 3). */
static int on_certificate(SSL *ssl, void *user) {
    const struct context *context = user;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct material *material = name ? material_for(context, slice_from(name)) : NULL;
    if (!material || material == &context->materials[0])
        return 1;
    return SSL_use_cert_and_key(ssl, material->leaf, material->key, material->chain, 1) == 1;
}

/* SNI is looked at in on_certificate(); that this is here makes OpenSSL say that the name was heard. */
static int on_server_name(SSL *ssl, int *alert, void *user) {
    (void)ssl, (void)alert, (void)user;
    return SSL_TLSEXT_ERR_OK;
}

static int on_session(SSL *ssl, SSL_SESSION *session) {
    struct context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(context->session);
    context->session = session; /* its reference is ours */
    return 1;
}

/* -- making one -- */

static bool limit(SSL_CTX *ctx, const struct tls_profile *profile) {
    char groups[] = "X25519:P-256:P-384"; /* the macro below takes it without const */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(ctx, 64 << 10);
    SSL_CTX_set_timeout(ctx, SESSION_S);
    SSL_CTX_set_num_tickets(ctx, 1);
    return SSL_CTX_set_min_proto_version(ctx, profile->min_version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, profile->ciphers == TLS_CIPHERS_COMPATIBLE ? COMPATIBLE : MODERN) == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1;
}

static bool trust(SSL_CTX *ctx, const struct tls_worker *worker, const struct tls_profile *profile) {
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    for (size_t i = 0; i < profile->authority_count; i++) {
        const struct anchors *anchors = &worker->anchors[profile->authorities[i]];
        for (int k = 0; k < sk_X509_num(anchors->certificates); k++)
            if (X509_STORE_add_cert(store, sk_X509_value(anchors->certificates, k)) != 1)
                return false;
    }
    /* An intermediate that the configuration names is trusted as such. */
    return X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

/* What a session of this place is worth nothing without: who may have issued client certificates, and the place. */
static bool session_context(SSL_CTX *ctx, const struct tls_worker *worker, const struct tls_profile *profile) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint8_t client = (uint8_t)profile->client;
    bool ok = hash && EVP_DigestInit_ex2(hash, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(hash, profile->name.data, profile->name.size) == 1 && EVP_DigestUpdate(hash, &client, 1) == 1;
    for (size_t i = 0; ok && i < profile->authority_count; i++)
        ok = EVP_DigestUpdate(hash, worker->anchors[profile->authorities[i]].digest, 32) == 1;
    ok = ok && EVP_DigestFinal_ex(hash, digest, &size) == 1 &&
         SSL_CTX_set_session_id_context(ctx, digest, SSL_MAX_SID_CTX_LENGTH < size ? SSL_MAX_SID_CTX_LENGTH : size) == 1;
    EVP_MD_CTX_free(hash);
    return ok;
}

static bool ask_client(SSL_CTX *ctx, const struct tls_worker *worker, const struct tls_profile *profile) {
    if (profile->client == TLS_CLIENT_NONE)
        return true;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (profile->client == TLS_CLIENT_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    for (size_t i = 0; i < profile->authority_count; i++) {
        const struct anchors *anchors = &worker->anchors[profile->authorities[i]];
        for (int k = 0; k < sk_X509_num(anchors->certificates) && k < 100; k++)
            if (SSL_CTX_add_client_CA(ctx, sk_X509_value(anchors->certificates, k)) != 1)
                return false;
    }
    return trust(ctx, worker, profile);
}

static bool make_server(struct context *context, struct tls_worker *worker, const struct tls_profile *profile) {
    SSL_CTX *ctx = context->ctx;
    context->materials = memory_array(profile->certificate_count, sizeof *context->materials);
    if (!context->materials)
        return false;
    for (size_t i = 0; i < profile->certificate_count; i++, context->material_count++)
        if (!material_share(&worker->materials[profile->certificates[i]], &context->materials[i]))
            return false;
    const struct material *first = &context->materials[0];
    if (SSL_CTX_use_cert_and_key(ctx, first->leaf, first->key, first->chain, 1) != 1)
        return false;
    if (context->material_count > 1) {
        SSL_CTX_set_cert_cb(ctx, on_certificate, context);
        SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    }
    if (context->alpn.size)
        SSL_CTX_set_alpn_select_cb(ctx, on_alpn, context);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets alone: nothing grows here */
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    return session_context(ctx, worker, profile) && ask_client(ctx, worker, profile);
}

static bool make_client(struct context *context, struct tls_worker *worker, const struct tls_profile *profile) {
    SSL_CTX *ctx = context->ctx;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    SSL_CTX_set_verify(ctx, profile->unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (context->alpn.size && SSL_CTX_set_alpn_protos(ctx, context->alpn.data, (unsigned)context->alpn.size) != 0)
        return false;
    if (profile->certificate_count) {
        const struct material *ours = &worker->materials[profile->certificates[0]];
        if (SSL_CTX_use_cert_and_key(ctx, ours->leaf, ours->key, ours->chain, 1) != 1)
            return false;
    }
    return profile->authority_count ? trust(ctx, worker, profile) : SSL_CTX_set_default_verify_paths(ctx) == 1;
}

void context_unref(struct context *context) {
    if (!context || --context->refs)
        return;
    SSL_SESSION_free(context->session);
    SSL_CTX_free(context->ctx);
    for (size_t i = 0; i < context->material_count; i++)
        material_free(&context->materials[i]);
    memory_free(context->materials);
    BIO_meth_free(context->method);
    memory_free((void *)(uintptr_t)context->alpn.data);
    OPENSSL_cleanse(&context->tickets, sizeof context->tickets);
    memory_free(context);
}

static struct context *context_new(struct tls_worker *worker, const struct tls_profile *profile, enum protocol_role role) {
    struct context *context = memory_new(sizeof *context);
    if (!context)
        return NULL;
    context->refs = 1;
    context->worker = worker;
    context->profile = profile;
    context->accepted = role == PROTOCOL_ACCEPTED;
    bool ok = true;
    if (profile->alpn.size) {
        context->alpn = slice_make(memory_copy_text((const char *)profile->alpn.data, profile->alpn.size), profile->alpn.size);
        ok = context->alpn.data != NULL;
    }
    context->method = bytes_method();
    context->ctx = SSL_CTX_new(context->accepted ? TLS_server_method() : TLS_client_method());
    ok = ok && context->method && context->ctx && SSL_CTX_set_app_data(context->ctx, context) == 1 &&
         limit(context->ctx, profile) &&
         (context->accepted ? make_server(context, worker, profile) : make_client(context, worker, profile));
    if (ok)
        return context;
    ERR_clear_error();
    context_unref(context);
    return NULL;
}

struct context *context_get(struct tls_worker *worker, const struct tls_profile *profile, enum protocol_role role) {
    for (struct context *context = worker->contexts; context; context = context->next)
        if (context->profile == profile && context->accepted == (role == PROTOCOL_ACCEPTED)) {
            context->refs++;
            return context;
        }
    struct context *context = context_new(worker, profile, role);
    if (!context)
        return NULL;
    context->next = worker->contexts;
    worker->contexts = context;
    context->refs++;
    return context;
}

/* -- the worker's -- */

static enum status read_files(struct tls_worker *worker, const struct tls_files *files, struct fault *fault) {
    struct fault why;
    bool is_key;
    worker->materials = memory_array(files->certificate_count + 1, sizeof *worker->materials);
    worker->anchors = memory_array(files->authority_count + 1, sizeof *worker->anchors);
    if (!worker->materials || !worker->anchors)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for certificates");
    for (size_t i = 0; i < files->certificate_count; i++, worker->material_count++) {
        const struct tls_certificate *from = &files->certificates[i];
        enum status status = material_read(from->cert, from->key, &worker->materials[i], &is_key, &why);
        if (status != STATUS_OK)
            return fault_set(fault, status, 0, "security.certificates.%.*s.%s: %s", SLICE_ARG(from->name), is_key ? "key" : "cert",
                             why.text);
    }
    for (size_t i = 0; i < files->authority_count; i++, worker->anchor_count++) {
        enum status status = anchors_read(files->authorities[i].pem, &worker->anchors[i], &why);
        if (status != STATUS_OK)
            return fault_set(fault, status, 0, "security.authorities.%.*s: %s", SLICE_ARG(files->authorities[i].name), why.text);
    }
    return STATUS_OK;
}

struct tls_worker *tls_worker_new(const struct tls_files *files, const struct tls_tickets *tickets, struct fault *fault) {
    struct tls_worker *worker = memory_new(sizeof *worker);
    if (!worker) {
        fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for TLS");
        return NULL;
    }
    tls_begin();
    worker->owner = files->owner;
    worker->tickets = *tickets;
    if (read_files(worker, files, fault) == STATUS_OK)
        return worker;
    tls_worker_free(worker);
    return NULL;
}

static void let_go(struct tls_worker *worker, struct context **at) {
    struct context *context = *at;
    *at = context->next;
    context->worker = NULL;
    context->profile = NULL;
    context->tickets = worker->tickets;
    context_unref(context);
}

void tls_worker_forget(struct tls_worker *worker, const struct tls_profile *profile) {
    for (struct context **at = &worker->contexts; *at;) {
        if ((*at)->profile == profile)
            let_go(worker, at);
        else
            at = &(*at)->next;
    }
}

void tls_worker_free(struct tls_worker *worker) {
    if (!worker)
        return;
    while (worker->contexts)
        let_go(worker, &worker->contexts);
    for (size_t i = 0; i < worker->material_count; i++)
        material_free(&worker->materials[i]);
    for (size_t i = 0; i < worker->anchor_count; i++)
        anchors_free(&worker->anchors[i]);
    memory_free(worker->materials);
    memory_free(worker->anchors);
    OPENSSL_cleanse(&worker->tickets, sizeof worker->tickets);
    memory_free(worker);
}

void tls_worker_tickets(struct tls_worker *worker, const struct tls_tickets *tickets) {
    worker->tickets = *tickets;
}

struct tls_counts tls_worker_counts(const struct tls_worker *worker) {
    return worker->counts;
}
