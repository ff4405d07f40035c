/* Streams: sockets that don't block, in TLS where asked: 1.3 with AES-128-GCM, so that every server pays for the same.
 * Nothing is verified; who resumes takes the latest ticket that this stream was given. */
#include "load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static SSL_CTX *context;

static void fail(const char *what) {
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    die("TLS: %s: %s", what, text);
}

/* A ticket came: the next connection of this stream may begin with it. */
static int on_ticket(SSL *ssl, SSL_SESSION *session) {
    struct stream *stream = SSL_get_app_data(ssl);
    SSL_SESSION_free(stream->ticket);
    stream->ticket = session;
    return 1; /* it is ours now */
}

static void make_context(bool resumes) {
    char group[] = "X25519"; /* these macros of OpenSSL take no constants */
    context = SSL_CTX_new(TLS_client_method());
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(context, group) != 1)
        fail("context");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, resumes ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                                    : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(context, on_ticket);
}

void stream_open(struct stream *stream, const struct options *options) {
    stream->fd = socket_connect(options->host, options->port);
    socket_nonblocking(stream->fd);
    stream->ssl = NULL;
    stream->is_resumed = false;
    if (!options->tls)
        return;
    if (!context)
        make_context(options->tls == TLS_RESUMED);
    char name[] = "localhost";
    SSL *ssl = SSL_new(context);
    if (!ssl || SSL_set_fd(ssl, stream->fd) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1)
        fail("connection");
    SSL_set_app_data(ssl, stream);
    SSL_set_connect_state(ssl);
    if (stream->ticket) {
        SSL_set_session(ssl, stream->ticket);
        SSL_SESSION_free(stream->ticket);
        stream->ticket = NULL;
    }
    stream->ssl = ssl;
    stream_greet(stream);
}

/* What OpenSSL's answer means: more is needed (false), or it is over. */
static bool is_over(SSL *ssl, int result) {
    int error = SSL_get_error(ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return false;
    if (error == SSL_ERROR_SSL)
        fail("stream");
    return true;
}

bool stream_greet(struct stream *stream) {
    SSL *ssl = stream->ssl;
    if (!ssl || SSL_is_init_finished(ssl))
        return true;
    int result = SSL_do_handshake(ssl);
    if (result == 1) {
        stream->is_resumed = SSL_session_reused(ssl);
        return true;
    }
    if (is_over(ssl, result))
        die("the server closed a connection in its handshake");
    return false;
}

ssize_t stream_read(struct stream *stream, void *bytes, size_t size) {
    if (!stream->ssl) {
        ssize_t got = read(stream->fd, bytes, size);
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : got < 0 ? 0 : got;
    }
    int got = SSL_read(stream->ssl, bytes, (int)size);
    return got > 0 ? got : is_over(stream->ssl, got) ? 0 : -1;
}

void stream_write_all(struct stream *stream, const void *bytes, size_t size) {
    if (!stream->ssl) {
        socket_write_all(stream->fd, bytes, size);
        return;
    }
    while (size > 0) {
        int written = SSL_write(stream->ssl, bytes, (int)size);
        if (written > 0) {
            bytes = (const char *)bytes + written;
            size -= (size_t)written;
        } else if (is_over(stream->ssl, written)) {
            die("the server closed a connection");
        } else {
            nap(50000);
        }
    }
}

void stream_close(struct stream *stream) {
    if (stream->ssl) {
        SSL_set_quiet_shutdown(stream->ssl, 1); /* a ticket of what wasn't shut would be thrown away */
        SSL_shutdown(stream->ssl);
        SSL_free(stream->ssl);
        ERR_clear_error();
    }
    close(stream->fd);
    stream->ssl = NULL;
    stream->fd = -1;
}
