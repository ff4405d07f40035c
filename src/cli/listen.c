/* listen: takes messages as a system, or as a subscription, and prints them. */
#include <stdio.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/client.h"
#include "cli/control.h"
#include "cli/event.h"
#include "message/encoding.h"
#include "platform/clock.h"
#include "platform/entropy.h"

#define COUNT_MAX 256u /* what is asked of the router at once, when there is no --count */

struct listener {
    const struct cli_options *options;
    struct buffer line;
    struct buffer reply;
    struct uuid_source ids;
    uint64_t seen;
    bool full;
};

static void print_event(struct listener *listener, const struct message *message) {
    buffer_clear(&listener->line);
    if (message_encode_json(message, NULL, &listener->line) != STATUS_OK)
        return;
    for (size_t i = 0; i < listener->line.size; i++) /* white space between tokens: one event stays one line */
        if (listener->line.data[i] == '\n' || listener->line.data[i] == '\r')
            listener->line.data[i] = ' ';
    buffer_add_byte(&listener->line, '\n');
    cli_print(buffer_slice(&listener->line));
    fflush(stdout);
}

static void answer(struct listener *listener, struct client *client, const struct message *request) {
    uint8_t bytes[8192], id[16];
    char id_text[UUID_TEXT_SIZE], source[96];
    struct buffer extra;
    struct message reply;
    struct message_fault fault;
    enum status status;
    uuid_make(&listener->ids, platform_now().wall, id);
    uuid_text(id, id_text);
    (void)snprintf(source, sizeof source, listener->options->as ? "/systems/%.63s" : "/cli",
                   listener->options->as ? listener->options->as : "");
    buffer_init_fixed(&extra, bytes, sizeof bytes);
    message_init(&reply, buffer_slice(&listener->reply));
    message_add(&reply, &extra, ATTRIBUTE_ID, slice_make(id_text, sizeof id_text), &fault);
    message_add(&reply, &extra, ATTRIBUTE_SOURCE, slice_from(source), &fault);
    message_add(&reply, &extra, ATTRIBUTE_TYPE, SLICE_OF("intertie.cli.reply.v1"), &fault);
    message_add(&reply, &extra, ATTRIBUTE_MESSAGETYPE, SLICE_OF("response"), &fault);
    message_add(&reply, &extra, ATTRIBUTE_CAUSATIONID, message_text(request, ATTRIBUTE_ID), &fault);
    bool is_json = json_is_valid(buffer_slice(&listener->reply), 0);
    message_add(&reply, &extra, ATTRIBUTE_DATACONTENTTYPE,
                is_json ? SLICE_OF("application/json") : SLICE_OF("text/plain; charset=utf-8"), &fault);
    message_set_data(&reply, is_json ? DATA_JSON : DATA_TEXT);
    if (message_seal(&reply, &extra, &fault) != STATUS_OK || !client_post(client, &reply, false, 0, &status))
        cli_say("the reply could not be sent");
}

static void on_message(struct client *client, uint64_t token, struct message *message) {
    struct listener *listener = client_user(client);
    struct connection *c = client_connection(client);
    if (listener->full) /* not ours any more: unsettled when we go, it is somebody else's */
        return;
    print_event(listener, message);
    connection_settle(c, token, token, STATUS_OK, 0);
    if (listener->options->reply && message_kind_asks(message->kind))
        answer(listener, client, message);
    if (listener->options->count && ++listener->seen >= listener->options->count) {
        listener->full = true;
        client_stop(client);
    }
}

static void on_opened(struct client *client) {
    (void)client;
}

static const struct client_calls calls = {.opened = on_opened, .message = on_message};

static int work(struct listener *listener, const struct client_options *how) {
    const struct cli_options *options = listener->options;
    struct fault fault = {0};
    struct mono start = platform_now().mono;
    struct mono deadline = options->for_ns >= 0 ? mono_after(start, options->for_ns) : MONO_NEVER;
    struct client *client = client_new(how, &fault);
    if (!client)
        return cli_fail(options, CLI_FAILED, status_reason(fault.status), "%s", fault.text);
    enum status status = client_run(client, deadline);
    int signal_code = client_signal_code(client);
    char words[200];
    (void)snprintf(words, sizeof words, "%s%s", client_words(client)[0] ? ": " : "", client_words(client));
    client_free(client);
    if (status == STATUS_OK || status == STATUS_REPLY_TIMEOUT)
        return CLI_DONE;
    if (status == STATUS_CANCELLED)
        return signal_code;
    bool nobody = status == STATUS_REFUSED || status == STATUS_UNREACHABLE || status == STATUS_CONNECT_TIMEOUT;
    return cli_fail(options, nobody ? CLI_NO_ROUTER : cli_is_about_tls(status) ? CLI_FAILED : CLI_REFUSED, status_reason(status),
                    "%s%s (%s)", status_row(status)->title, words, status_reason(status));
}

/* To whom knows nothing of us: connects and prints what it sends. */
static int listen_plain(const struct cli_options *options) {
    struct listener listener = {.options = options};
    struct client_options how = {.cli = options, .calls = &calls, .user = &listener};
    if (!options->url)
        return cli_fail(options, CLI_USAGE, "usage", "--frame and --format need --url");
    if (options->as || options->when || options->reply)
        return cli_fail(options, CLI_USAGE, "usage", "with --frame or --format we only listen: no --as, --when, --reply");
    int code = client_url(options, options->url, &how.place);
    if (code == CLI_DONE)
        code = client_frame(options, &how.place);
    if (code == CLI_DONE && client_scheme(&how.place) != CONFIG_SCHEME_TCP && (how.place.is_framed || client_scheme(&how.place) != CONFIG_SCHEME_WS))
        code = cli_fail(options, CLI_FAILED, "not-supported", "listen --frame needs a tcp or tls URL in " INTERTIE_VERSION);
    buffer_init(&listener.line, 32u << 20);
    buffer_init(&listener.reply, 16u << 20);
    if (code == CLI_DONE)
        code = work(&listener, &how);
    buffer_done(&listener.line);
    buffer_done(&listener.reply);
    return code;
}

int cmd_listen(const struct cli_command *command, const struct cli_options *options) {
    struct listener listener = {.options = options};
    struct client_options how = {.cli = options, .calls = &calls, .user = &listener, .subscribes = true};
    struct buffer key;
    char *text = NULL;
    uint64_t seed = 0;
    int code = CLI_DONE;
    (void)command;
    if (options->frame || options->format)
        return listen_plain(options);
    if (!options->as && !options->when)
        return cli_fail(options, CLI_USAGE, "usage", "say --as SYSTEM, or --when CESQL");
    buffer_init(&listener.line, 32u << 20);
    buffer_init(&listener.reply, 16u << 20);
    buffer_init(&key, CLI_KEY_MAX);
    entropy_seed(&seed);
    uuid_source_init(&listener.ids, seed);
    code = cli_key(options, &key);
    if (code == CLI_DONE && options->reply)
        code = cli_read_data(options, options->reply, &listener.reply);
    if (code == CLI_DONE && !options->url && !(text = client_find_listener(options, true, &code)) && code == CLI_DONE)
        code = CLI_FAILED;
    if (code == CLI_DONE)
        code = client_url(options, options->url ? options->url : text, &how.place);
    bool is_ws = client_scheme(&how.place) == CONFIG_SCHEME_WS;
    if (code == CLI_DONE && !is_ws && client_scheme(&how.place) != CONFIG_SCHEME_TCP && client_scheme(&how.place) != CONFIG_SCHEME_INTERTIE)
        code = cli_fail(options, CLI_FAILED, "not-supported", "listen needs a tcp, intertie or ws URL, or one of these over TLS, in " INTERTIE_VERSION);
    if (code == CLI_DONE && is_ws && options->when)
        code = cli_fail(options, CLI_FAILED, "not-supported", "--when needs a tcp, tls, intertie or intertie+tls URL in " INTERTIE_VERSION);
    how.place.wants_stream = true;
    how.system = slice_from(options->as ? options->as : "");
    how.key = buffer_slice(&key);
    how.subscription = (struct protocol_subscription){.sub = 1, .filter = slice_from(options->when ? options->when : ""),
                                                      .group = slice_from(options->group ? options->group : ""), .ack = true};
    how.window = options->count < COUNT_MAX ? (uint32_t)options->count : 0;
    if (code == CLI_DONE)
        code = work(&listener, &how);
    memory_free(text);
    buffer_done(&key);
    buffer_done(&listener.line);
    buffer_done(&listener.reply);
    return code;
}
