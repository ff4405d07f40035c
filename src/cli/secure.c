/* What --ca, --cert and --cert-key say, as a profile of the TLS filter. */
#include "cli/secure.h"

#include "base/assert.h"
#include "platform/entropy.h"
#include "platform/file.h"

#define FILE_MAX (1u << 20)

static enum status read_option(const char *name, const char *path, struct buffer *out, struct fault *fault) {
    struct fault why = {0};
    if (!path || file_read(path, FILE_MAX, out, &why) == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_IO_ERROR, 0, "--%s: %s", name, why.text);
}

static enum status read_files(const struct cli_options *options, struct buffer *ca, struct buffer *cert, struct buffer *key,
                              struct fault *fault) {
    enum status status = read_option("ca", options->ca, ca, fault);
    if (status == STATUS_OK)
        status = read_option("cert", options->cert, cert, fault);
    if (status == STATUS_OK) /* one file may hold both */
        status = read_option("cert-key", options->cert_key ? options->cert_key : options->cert, key, fault);
    return status;
}

/* Each file by itself first, so that what is wrong is said of its option. */
static enum status check_files(const struct cli_options *options, const struct buffer *ca, const struct buffer *cert,
                               const struct buffer *key, struct fault *fault) {
    struct tls_certificate_view view;
    struct fault why = {0};
    bool is_key = false;
    if (options->ca && tls_check_authority(buffer_slice(ca), &view, &why) != STATUS_OK)
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "--ca %s: %s", options->ca, why.text);
    if (options->cert && tls_check_certificate(buffer_slice(cert), buffer_slice(key), &view, &is_key, &why) != STATUS_OK)
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "--%s %s: %s", is_key ? "cert-key" : "cert",
                         is_key && options->cert_key ? options->cert_key : options->cert, why.text);
    return STATUS_OK;
}

static struct slice alpn_of(enum config_scheme scheme) {
    if (scheme == CONFIG_SCHEME_HTTPS || scheme == CONFIG_SCHEME_WSS)
        return SLICE_OF("\x08http/1.1");
    return scheme == CONFIG_SCHEME_INTERTIE_TLS ? SLICE_OF("\x0aintertie/1") : SLICE_OF("");
}

static void set_profile(struct cli_secure *secure, const struct cli_options *options, const struct config_url *url) {
    static const uint32_t first = 0;
    secure->profile = (struct tls_profile){
        .owner = secure,
        .name = SLICE_OF("cli"),
        .certificates = &first,
        .certificate_count = options->cert != NULL,
        .authorities = &first,
        .authority_count = options->ca != NULL,
        .min_version = TLS_VERSION_1_2,
        .ciphers = TLS_CIPHERS_MODERN,
        .alpn = alpn_of(url->scheme),
        .server_name = url->host,
        .is_address = url->is_address,
    };
    secure->use = (struct filter_use){&filter_tls, &secure->profile};
}

enum status cli_secure_open(struct cli_secure *secure, const struct cli_options *options, const struct config_url *url,
                            struct fault *fault) {
    struct buffer ca, cert, key;
    struct tls_tickets tickets = {0};
    *secure = (struct cli_secure){0};
    if (!config_scheme_is_tls(url->scheme))
        return STATUS_OK;
    buffer_init(&ca, FILE_MAX);
    buffer_init(&cert, FILE_MAX);
    buffer_init(&key, FILE_MAX);
    enum status status = read_files(options, &ca, &cert, &key, fault);
    if (status == STATUS_OK)
        status = check_files(options, &ca, &cert, &key, fault);
    if (status == STATUS_OK && !tls_tickets_turn(&tickets))
        status = fault_set(fault, STATUS_INTERNAL, 0, "no randomness");
    if (status == STATUS_OK) {
        struct tls_certificate certificate = {SLICE_OF("--cert"), buffer_slice(&cert), buffer_slice(&key)};
        struct tls_authority authority = {SLICE_OF("--ca"), buffer_slice(&ca)};
        struct tls_files files = {secure, &certificate, options->cert != NULL, &authority, options->ca != NULL};
        set_profile(secure, options, url);
        secure->worker = tls_worker_new(&files, &tickets, fault);
        status = secure->worker ? STATUS_OK : fault->status;
    }
    if (key.size)
        explicit_bzero(key.data, key.size);
    buffer_done(&ca);
    buffer_done(&cert);
    buffer_done(&key);
    return status;
}

void cli_secure_close(struct cli_secure *secure) {
    tls_worker_free(secure->worker);
    secure->worker = NULL;
}

bool cli_is_about_tls(enum status status) {
    return status == STATUS_CERTIFICATE_REFUSED || status == STATUS_CERTIFICATE_MISSING || status == STATUS_HANDSHAKE_FAILED ||
           status == STATUS_IO_ERROR || status == STATUS_BAD_CONFIG;
}
