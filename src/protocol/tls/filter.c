/* The filter's verbs: the handshake, records in and out, the end. */
#include <openssl/err.h>
#include <stdio.h>

#include "protocol/tls/inner.h"

/* In words, for the log; OpenSSL's reason where it has one. */
static void say(struct tls *tls, const char *words) {
    snprintf(tls->sink->words, sizeof tls->sink->words, "%s", words);
}

/* Before each call whose result is asked for: what an earlier one left would be taken for its own. There hardly ever is
 * anything, and to clear what is empty costs as much as a small record. */
static void forget_errors(void) {
    if (ERR_peek_error())
        ERR_clear_error();
}

static void failed(struct tls *tls) {
    unsigned long error = ERR_peek_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    long verdict = SSL_get_verify_result(tls->ssl);
    ERR_clear_error();
    if (tls->context->worker && !tls->sink->ready)
        tls->context->worker->counts.failed++;
    if (tls->short_of_memory || (error && ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)) {
        tls->sink->status = STATUS_NO_MEMORY;
    } else if (error && ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        tls->sink->status = STATUS_CERTIFICATE_MISSING;
        say(tls, "the peer shows no certificate");
    } else if (error && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
        tls->sink->status = STATUS_CERTIFICATE_REFUSED;
        say(tls, X509_verify_cert_error_string(verdict));
    } else {
        tls->sink->status = tls->sink->ready ? STATUS_PROTOCOL_ERROR : STATUS_HANDSHAKE_FAILED;
        say(tls, reason ? reason : "not TLS");
    }
}

/* Told of every message: those of the handshake that come after it carry nothing and cost both sides the same. */
static void on_message(int is_ours, int version, int type, const void *bytes, size_t size, SSL *ssl,
                       void *user) {
    struct tls *tls = user;
    (void)version, (void)bytes, (void)size, (void)ssl;
    if (!is_ours && type == SSL3_RT_HANDSHAKE && tls->sink->ready)
        tls->chatter++;
}

static bool name_peer(struct tls *tls) {
    const struct tls_profile *profile = tls->profile;
    char name[TLS_NAME_MAX + 1];
    if (profile->server_name.size == 0 || profile->server_name.size > TLS_NAME_MAX)
        return profile->unverified;
    memcpy(name, profile->server_name.data, profile->server_name.size);
    name[profile->server_name.size] = 0;
    if (profile->is_address)
        return profile->unverified || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), name) == 1;
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(tls->ssl, name) == 1 && (profile->unverified || SSL_set1_host(tls->ssl, name) == 1);
}

static bool begin(struct tls *tls, struct tls_worker *worker, enum protocol_role role, struct now now) {
    tls->context = context_get(worker, tls->profile, role);
    tls->ssl = tls->context ? SSL_new(tls->context->ctx) : NULL;
    BIO *bio = tls->ssl ? BIO_new(tls->context->method) : NULL;
    if (!bio)
        return false;
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_msg_callback(tls->ssl, on_message);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(tls->ssl), (time_t)(now.wall.ns / NS_PER_S));
    if (tls->accepted) {
        SSL_set_accept_state(tls->ssl);
        return true;
    }
    SSL_set_connect_state(tls->ssl);
    if (tls->context->session)
        SSL_set_session(tls->ssl, tls->context->session);
    return name_peer(tls);
}

/* OpenSSL doesn't tell of a ticket that came in exchange for the one we had, before TLS 1.3 (RFC 5077 section 3.3). */
static void keep_session(struct tls *tls) {
    if (!SSL_session_reused(tls->ssl) || SSL_version(tls->ssl) >= TLS1_3_VERSION)
        return;
    SSL_SESSION_free(tls->context->session);
    tls->context->session = SSL_get1_session(tls->ssl);
}

static void shake(struct tls *tls, struct now now) {
    forget_errors();
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        int error = SSL_get_error(tls->ssl, result);
        if (error != SSL_ERROR_WANT_READ || tls->short_of_memory)
            failed(tls);
        return;
    }
    struct tls_worker *worker = tls->context->worker;
    if (!facts_fill(tls)) {
        tls->sink->status = STATUS_NO_MEMORY;
        return;
    }
    /* A session that is taken up again brings the certificate of then. */
    if (tls->facts.verified && tls->until.ns <= now.wall.ns) {
        tls->sink->status = STATUS_CERTIFICATE_REFUSED;
        say(tls, "certificate has expired");
        return;
    }
    if (!tls->accepted)
        keep_session(tls);
    if (worker && SSL_session_reused(tls->ssl))
        worker->counts.resumed++;
    else if (worker)
        worker->counts.full++;
    tls->sink->ready = true;
}

static void tls_open(void *state, const void *profile, const struct protocol_setup *setup, struct protocol_worker *worker,
                     struct filter_sink *sink, const struct address *peer, struct now now) {
    struct tls *tls = state;
    (void)peer;
    tls->profile = profile;
    tls->sink = sink;
    tls->accepted = setup->role == PROTOCOL_ACCEPTED;
    ERR_clear_error();
    struct tls_worker *ours = worker->tls;
    if (ours && ours->owner != tls->profile->owner) { /* it began under a configuration that is no longer in force */
        sink->status = STATUS_GOING_AWAY;
        return;
    }
    if (!worker->tls || !begin(tls, worker->tls, setup->role, now)) {
        ERR_clear_error();
        sink->status = worker->tls ? STATUS_NO_MEMORY : STATUS_INTERNAL;
        return;
    }
    if (!tls->accepted)
        shake(tls, now);
}

static size_t tls_feed(void *state, struct slice *wire, uint8_t *plain, size_t room, struct now now) {
    struct tls *tls = state;
    size_t got = 0;
    tls->in = *wire;
    if (!tls->sink->ready) {
        shake(tls, now);
    } else if (!tls->sink->ended) {
        forget_errors();
        int result = SSL_read_ex(tls->ssl, plain, room, &got);
        int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, result);
        if (result != 1)
            got = 0;
        if (error == SSL_ERROR_ZERO_RETURN)
            tls->sink->ended = true;
        else if (error != SSL_ERROR_NONE && (error != SSL_ERROR_WANT_READ || tls->short_of_memory))
            failed(tls);
        if (got)
            tls->chatter = 0;
        if (tls->chatter > TLS_CHATTER_MAX && tls->sink->status == STATUS_OK) {
            tls->sink->status = STATUS_PROTOCOL_ERROR;
            say(tls, "the peer only ever changes keys");
        }
    } else {
        tls->in = slice_head(tls->in, 0); /* nothing counts after the end (RFC 8446 section 6.1) */
    }
    *wire = tls->in;
    tls->sink->drained = tls->in.size == 0 && SSL_pending(tls->ssl) == 0;
    tls->in = slice_make(NULL, 0);
    return got;
}

static size_t tls_seal(void *state, struct slice plain, struct now now) {
    struct tls *tls = state;
    size_t took = 0;
    (void)now;
    forget_errors();
    if (SSL_write_ex(tls->ssl, plain.data, plain.size, &took) == 1)
        return took;
    failed(tls);
    return 0;
}

static void tls_shut(void *state, struct now now) {
    struct tls *tls = state;
    (void)now;
    ERR_clear_error();
    if (tls->sink->ready)
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

static const struct filter_facts *tls_facts(const void *state) {
    const struct tls *tls = state;
    return tls->facts.secure ? &tls->facts : NULL;
}

static void tls_done(void *state) {
    struct tls *tls = state;
    if (tls->ssl && tls->sink->ready)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* its session is still good */
    SSL_free(tls->ssl);
    memory_free(tls->names);
    context_unref(tls->context);
    ERR_clear_error();
}

const struct filter filter_tls = {
    .name = "tls", .state_size = sizeof(struct tls), .weight = TLS_WEIGHT, .open = tls_open, .feed = tls_feed, .seal = tls_seal, .shut = tls_shut,
    .facts = tls_facts, .done = tls_done,
};
