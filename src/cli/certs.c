/* certs: a small authority with certificates for trying TLS out, and what those of the configuration say. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "message/timestamp.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "protocol/tls/tls.h"

#define DAY_NS (INT64_C(24) * 3600 * NS_PER_S)
#define NAMES_MAX 40
#define CLIENT_NAME "spiffe://intertie.test/client"

static int keep(const struct cli_options *options, const char *directory, const char *name, const struct buffer *bytes,
                mode_t mode) {
    char path[4200];
    struct fault fault;
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    if (file_replace(path, buffer_slice(bytes), mode, &fault) == STATUS_OK)
        return CLI_DONE;
    return cli_fail(options, CLI_FAILED, "io-error", "%s", fault.text);
}

static int keep_both(const struct cli_options *options, const char *directory, const char *name, const struct tls_made *made) {
    char file[80];
    (void)snprintf(file, sizeof file, "%s.pem", name);
    int code = keep(options, directory, file, &made->cert, 0644);
    (void)snprintf(file, sizeof file, "%s.key", name);
    return code == CLI_DONE ? keep(options, directory, file, &made->key, 0600) : code;
}

static void forget(struct tls_made *made) {
    if (made->key.data)
        explicit_bzero(made->key.data, made->key.size);
    buffer_done(&made->cert);
    buffer_done(&made->key);
}

/* Nothing that is there already is replaced: somebody may trust it. */
static int make_room(const struct cli_options *options, const char *directory) {
    static const char *const files[] = {"ca.pem", "ca.key", "server.pem", "server.key", "client.pem", "client.key"};
    if (strlen(directory) > 4000)
        return cli_fail(options, CLI_USAGE, "usage", "the directory's name is too long");
    if (mkdir(directory, 0755) != 0 && errno != EEXIST)
        return cli_fail(options, CLI_FAILED, "io-error", "cannot make %s: %s", directory, strerrordesc_np(errno));
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[4200];
        struct stat found;
        (void)snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        if (stat(path, &found) == 0)
            return cli_fail(options, CLI_FAILED, "exists", "%s is there already; remove it, or name another directory", path);
    }
    return CLI_DONE;
}

static void show_made(const struct cli_options *options, const char *directory) {
    if (options->json) {
        printf("{\"directory\":");
        struct buffer text;
        buffer_init(&text, 32u << 10);
        struct json_write write;
        json_write_init(&write, &text);
        json_write_string(&write, slice_from(directory));
        cli_print(buffer_slice(&text));
        buffer_done(&text);
        printf(",\"authority\":\"ca.pem\",\"server\":[\"server.pem\",\"server.key\"],\"client\":[\"client.pem\",\"client.key\"],"
               "\"client_name\":\"" CLIENT_NAME "\"}\n");
        return;
    }
    printf("# An authority, a server and a client, for trying things out; good for a year. Paste what you need:\n"
           "listeners:\n"
           "  secure: {url: https://127.0.0.1:8443, tls: {certificates: dev}}\n"
           "  known:  {url: https://127.0.0.1:8444, auth: certificate, tls: {certificates: dev, client: required, authorities: dev}}\n"
           "systems:\n"
           "  other:  {url: https://localhost:9443/events, tls: {authorities: dev, certificate: dev-client}}\n"
           "security:\n"
           "  certificates:\n"
           "    dev:        {cert: %s/server.pem, key: %s/server.key}\n"
           "    dev-client: {cert: %s/client.pem, key: %s/client.key}\n"
           "  authorities: {dev: %s/ca.pem}\n"
           "  identities:\n"
           "    tester: {system: other, certificate: {san: " CLIENT_NAME "}}\n"
           "# curl --cacert %s/ca.pem --cert %s/client.pem --key %s/client.key https://localhost:8444/v1/messages ...\n",
           directory, directory, directory, directory, directory, directory, directory, directory);
}

static int make_dev(const struct cli_options *options) {
    const char *directory = options->argument_count > 1 ? options->arguments[1] : "certs";
    struct slice names[NAMES_MAX] = {SLICE_OF("localhost"), SLICE_OF("127.0.0.1"), SLICE_OF("::1")};
    size_t count = 3;
    for (size_t i = 2; i < options->argument_count && count < NAMES_MAX; i++)
        names[count++] = slice_from(options->arguments[i]);
    int code = make_room(options, directory);
    if (code != CLI_DONE)
        return code;
    struct now now = platform_now();
    struct wall from = {now.wall.ns - NS_PER_S * 3600}, until = {now.wall.ns + 365 * DAY_NS};
    struct slice client = SLICE_OF(CLIENT_NAME);
    struct tls_made ca = {0}, made[2] = {0};
    struct fault fault;
    bool ok = tls_make("intertie development authority", NULL, 0, NULL, false, from, until, &ca, &fault) == STATUS_OK &&
              tls_make("localhost", names, count, &ca, false, from, until, &made[0], &fault) == STATUS_OK &&
              tls_make("client", &client, 1, &ca, true, from, until, &made[1], &fault) == STATUS_OK;
    code = ok ? keep_both(options, directory, "ca", &ca) : cli_fail(options, CLI_FAILED, "internal", "%s", fault.text);
    if (code == CLI_DONE)
        code = keep_both(options, directory, "server", &made[0]);
    if (code == CLI_DONE)
        code = keep_both(options, directory, "client", &made[1]);
    if (code == CLI_DONE)
        show_made(options, directory);
    forget(&ca);
    forget(&made[0]);
    forget(&made[1]);
    return code;
}

/* -- show -- */

static void show_one(struct json_write *json, const char *kind, struct slice name, const struct tls_certificate_view *view, struct wall now) {
    char until[TIMESTAMP_TEXT_MAX];
    int64_t days = (view->not_after.ns - now.ns) / DAY_NS;
    size_t size = timestamp_format(view->not_after.ns / NS_PER_S, 0, until);
    if (json) {
        json_write_object(json);
        json_write_member(json, "kind", slice_from(kind));
        json_write_member(json, "name", name);
        json_write_member(json, "subject", slice_from(view->subject));
        json_write_member(json, "issuer", slice_from(view->issuer));
        json_write_member(json, "names", slice_from(view->names));
        json_write_member(json, "expires", slice_make(until, size));
        json_write_member_i64(json, "days", days);
        json_write_object_end(json);
        return;
    }
    printf("%-11s %.*s\n  subject   %s\n  issuer    %s\n", kind, SLICE_ARG(name), view->subject, view->issuer);
    if (view->names[0])
        printf("  names     %s\n", view->names);
    printf("  expires   %.*s  (%s%lld days)\n", (int)size, until, view->not_after.ns <= now.ns ? "expired, " : "in ", (long long)days);
}

static void show_all(const struct cli_options *options, const struct config *config) {
    struct wall now = platform_now().wall;
    struct tls_certificate_view view;
    struct json_write json;
    struct buffer out;
    bool is_key;
    buffer_init(&out, 4u << 20);
    json_write_init(&json, &out);
    json_write_array(&json);
    for (size_t i = 0; i < config->certificate_count; i++)
        if (tls_check_certificate(config->certificates[i].cert, slice_make(NULL, 0), &view, &is_key, NULL) == STATUS_OK)
            show_one(options->json ? &json : NULL, "certificate", config->certificates[i].name, &view, now);
    for (size_t i = 0; i < config->authority_count; i++)
        if (tls_check_authority(config->authorities[i].pem, &view, NULL) == STATUS_OK)
            show_one(options->json ? &json : NULL, "authority", config->authorities[i].name, &view, now);
    json_write_array_end(&json);
    if (options->json) {
        buffer_add_byte(&out, '\n');
        cli_print(buffer_slice(&out));
    } else if (config->certificate_count + config->authority_count == 0) {
        cli_say("the configuration has no certificates");
    }
    buffer_done(&out);
}

static int show(const struct cli_options *options) {
    if (options->argument_count > 2)
        return cli_fail(options, CLI_USAGE, "usage", "write `intertie certs show [FILE]`");
    const char *path = cli_config_path(options, options->argument_count > 1 ? options->arguments[1] : NULL);
    if (!path)
        return cli_fail(options, CLI_USAGE, "usage", "no configuration: write -c FILE");
    struct config_options how = cli_config_options(options);
    how.allow_faults = true; /* whether it runs with them is not ours to say */
    struct config_report report;
    struct config *config = NULL;
    config_report_init(&report);
    int code = CLI_DONE;
    if (config_load(&how, slice_from(path), &config, &report) == STATUS_OK)
        show_all(options, config);
    else
        code = cli_tell_report(options, &report);
    config_free(config);
    config_report_done(&report);
    return code;
}

int cmd_certs(const struct cli_command *command, const struct cli_options *options) {
    (void)command;
    const char *verb = options->argument_count ? options->arguments[0] : "";
    if (strcmp(verb, "dev") == 0)
        return make_dev(options);
    if (strcmp(verb, "show") == 0)
        return show(options);
    return cli_fail(options, CLI_USAGE, "usage", "write `intertie certs dev [DIRECTORY [NAME..]]` or `intertie certs show`");
}
