/* The files of certificates, keys and authorities: read with the rest of the configuration, so that a mistake in one is
 * told before anything starts. */
#include <stdio.h>

#include "config/work.h"
#include "protocol/tls/tls.h"


struct reading {
    struct work *work;
    struct config *config;
    enum status status;
};

static struct config_place place_of(const struct reading *reading, const char *path) {
    const struct node *node = node_find(reading->work->root, path);
    return node ? node->at : (struct config_place){0};
}

/* The whole file, in the configuration's arena; empty with the error told. */
static struct slice read_pem(struct reading *reading, struct slice file, const char *path, bool is_secret) {
    const struct config_source *source = reading->work->options->source;
    struct config_place at = place_of(reading, path);
    struct fault fault = {0};
    struct buffer text;
    bool open = false;
    buffer_init(&text, CONFIG_FILE_MAX);
    enum status status = source->read(source->context, file, &text, &open, &fault);
    struct slice pem = slice_make(NULL, 0);
    if (status == STATUS_NO_MEMORY)
        reading->status = status;
    else if (status != STATUS_OK)
        work_say(reading->work, false, at, path, "%s", fault.text);
    else if (text.size == 0)
        work_say(reading->work, false, at, path, "`%.*s` is empty", SCALAR_SHOWN(file));
    else if (!(pem = arena_copy(&reading->config->arena, buffer_slice(&text))).data)
        reading->status = STATUS_NO_MEMORY;
    if (pem.size && is_secret && open)
        work_say(reading->work, true, at, path, "others may read `%.*s`; chmod 600 it", SCALAR_SHOWN(file));
    if (text.data)
        explicit_bzero(text.data, text.size);
    buffer_done(&text);
    return pem;
}

static void tell(struct reading *reading, enum status status, const char *path, struct slice file, const struct fault *fault) {
    if (status == STATUS_NO_MEMORY)
        reading->status = status;
    else
        work_say(reading->work, false, place_of(reading, path), path, "`%.*s`: %s", SCALAR_SHOWN(file), fault->text);
}

static void read_certificate(struct reading *reading, struct config_certificate *certificate) {
    char cert_path[TRAIL_MAX], key_path[TRAIL_MAX];
    struct tls_certificate_view view;
    struct fault fault;
    bool is_key;
    (void)snprintf(cert_path, sizeof cert_path, "security.certificates.%.*s.cert", SLICE_ARG(certificate->name));
    (void)snprintf(key_path, sizeof key_path, "security.certificates.%.*s.key", SLICE_ARG(certificate->name));
    certificate->cert = read_pem(reading, certificate->cert_path, cert_path, false);
    certificate->key = read_pem(reading, certificate->key_path, key_path, true);
    if (!certificate->cert.size || !certificate->key.size)
        return;
    enum status status = tls_check_certificate(certificate->cert, certificate->key, &view, &is_key, &fault);
    if (status != STATUS_OK)
        tell(reading, status, is_key ? key_path : cert_path, is_key ? certificate->key_path : certificate->cert_path, &fault);
}

static void read_authority(struct reading *reading, struct config_authority *authority) {
    char path[TRAIL_MAX];
    struct tls_certificate_view view;
    struct fault fault;
    (void)snprintf(path, sizeof path, "security.authorities.%.*s", SLICE_ARG(authority->name));
    authority->pem = read_pem(reading, authority->path, path, false);
    if (!authority->pem.size)
        return;
    enum status status = tls_check_authority(authority->pem, &view, &fault);
    if (status == STATUS_OK && !view.is_authority)
        work_say(reading->work, true, place_of(reading, path), path, "`%.*s` is no authority's certificate: it can vouch for itself alone",
                 SCALAR_SHOWN(view.subject[0] ? slice_from(view.subject) : authority->path));
    if (status != STATUS_OK)
        tell(reading, status, path, authority->path, &fault);
}

enum status files_all(struct work *work, struct config *config) {
    struct reading reading = {work, config, STATUS_OK};
    if (work->options->no_files)
        return STATUS_OK;
    for (size_t i = 0; i < config->certificate_count; i++)
        read_certificate(&reading, &config->certificates[i]);
    for (size_t i = 0; i < config->authority_count; i++)
        read_authority(&reading, &config->authorities[i]);
    return reading.status;
}
