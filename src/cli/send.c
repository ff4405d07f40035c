/* send and call: one message to the running router, or to any URL. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "cli/client.h"
#include "cli/control.h"
#include "cli/event.h"
#include "message/encoding.h"
#include "platform/clock.h"

#define SEND_NS (10 * NS_PER_S)
#define CALL_NS (15 * NS_PER_S)
#define LINES_MAX 8192

static double since_ms(struct mono start) {
    return (double)(platform_now().mono.ns - start.ns) / 1e6;
}

/* -- over HTTP -- */

static const char *target_of(const struct config_url *url, char *room, size_t size) {
    bool plain = url->path.size == 0 || slice_is(url->path, "/");
    (void)snprintf(room, size, "%.*s", SLICE_ARG(plain ? SLICE_OF("/v1/messages") : url->path));
    return room;
}

static int header_lines(const struct cli_options *options, const char *content_type, char *out) {
    struct buffer key;
    buffer_init(&key, CLI_KEY_MAX);
    int code = cli_key(options, &key);
    if (code == CLI_DONE && slice_find(buffer_slice(&key), '\n') < key.size)
        code = cli_fail(options, CLI_FAILED, "io-error", "the key has more than one line");
    if (code == CLI_DONE)
        (void)snprintf(out, LINES_MAX, "Content-Type: %s\r\n%s%.*s%s", content_type, key.size ? "Authorization: Bearer " : "",
                       SLICE_ARG(buffer_slice(&key)), key.size ? "\r\n" : "");
    buffer_done(&key);
    return code;
}

static int post(const struct cli_options *options, const struct client_place *place, const char *content_type,
                struct slice body, int64_t timeout_ns, struct http_reply *ret, enum status *ret_status) {
    char lines[LINES_MAX], target[2048];
    struct fault fault = {0};
    *ret = (struct http_reply){0};
    int code = header_lines(options, content_type, lines);
    if (code != CLI_DONE)
        return code;
    struct cli_secure secure;
    *ret_status = cli_secure_open(&secure, options, &place->url, &fault);
    if (*ret_status == STATUS_OK)
        *ret_status = http_request(&place->url, NULL, &secure, "POST", target_of(&place->url, target, sizeof target), lines, body,
                                   timeout_ns, ret, &fault);
    cli_secure_close(&secure);
    if (*ret_status == STATUS_OK || *ret_status == STATUS_REPLY_TIMEOUT)
        return CLI_DONE;
    if (cli_is_about_tls(*ret_status))
        return cli_fail(options, CLI_FAILED, status_reason(*ret_status), "%s", fault.text);
    return cli_fail(options, CLI_NO_ROUTER, status_reason(*ret_status), "no router there (%s)", fault.text);
}

static int tell_accepted(const struct cli_options *options, const struct http_reply *reply, struct mono start) {
    if (reply->code >= 300)
        return control_refused(options, reply);
    if (options->json)
        printf("{\"status\":\"accepted\",\"receipt\":\"%s\",\"ms\":%.1f}\n", reply->receipt, since_ms(start));
    else
        printf("accepted  %s  %.1f ms\n", reply->receipt, since_ms(start));
    return CLI_DONE;
}

/* What a reply says: its data on standard output. */
static int tell_reply(const struct cli_options *options, const struct message *reply) {
    struct buffer data;
    int code = CLI_DONE;
    buffer_init(&data, 32u << 20);
    if (options->json)
        message_encode_json(reply, NULL, &data);
    else
        message_data_write(reply, &data);
    buffer_add_byte(&data, '\n');
    cli_print(buffer_slice(&data));
    if (reply->kind == KIND_ERROR) {
        struct slice reason = json_member(buffer_slice(&data), options->json ? "data/reason" : "reason");
        code = CLI_REFUSED;
        if (!options->json)
            fprintf(stderr, "intertie: answered by an error (%.*s)\n", SLICE_ARG(reason.data ? reason : SLICE_OF("error")));
    }
    buffer_done(&data);
    return code;
}

static int no_reply(const struct cli_options *options, int64_t timeout_ns, const char *receipt) {
    return cli_fail(options, CLI_NO_REPLY, "reply-timeout", "no reply from %s in %lld %s (reply-timeout)%s%s",
                    options->to ? options->to : "anybody", (long long)(timeout_ns % NS_PER_S ? timeout_ns / NS_PER_MS : timeout_ns / NS_PER_S),
                    timeout_ns % NS_PER_S ? "ms" : "s", receipt[0] ? "; receipt " : "", receipt);
}

static int tell_answer(const struct cli_options *options, const struct http_reply *http, int64_t timeout_ns) {
    struct slice body = buffer_slice(&http->body);
    if (http->code == 504) {
        char receipt[64];
        struct slice id = json_member(body, "id");
        (void)snprintf(receipt, sizeof receipt, "%.*s", SLICE_ARG(id));
        return no_reply(options, timeout_ns, receipt);
    }
    if (http->code >= 300)
        return control_refused(options, http);
    if (http->code != 200)
        return cli_fail(options, CLI_FAILED, "protocol-error", "it was accepted (HTTP %u), but not answered: is it a request?",
                        http->code);
    struct message reply;
    struct message_fault fault = {0};
    struct message_rules rules = {.size_max = UINT32_MAX};
    struct buffer extra;
    int code = CLI_DONE;
    buffer_init(&extra, 1u << 20);
    if (!buffer_reserve(&extra, 1u << 20))
        code = cli_fail(options, CLI_FAILED, "out-of-memory", "no memory");
    else if (slice_starts(slice_from(http->content_type), SLICE_OF("application/cloudevents+json")) &&
             message_decode_json(&reply, body, &extra, &rules, &fault) == STATUS_OK)
        code = tell_reply(options, &reply);
    else {
        cli_print(body);
        printf("\n");
    }
    buffer_done(&extra);
    return code;
}

/* -- over other wires -- */

struct exchange {
    const struct cli_options *options;
    const struct message *message;
    bool asks;
    bool is_told; /* the other side says what becomes of it */
    int code;
    bool over;
    enum status status;
    struct mono start;
};

static void on_opened(struct client *client) {
    struct exchange *x = client_user(client);
    enum status status;
    if (!client_post(client, x->message, x->asks, 0, &status)) {
        x->code = cli_fail(x->options, CLI_REFUSED, status_reason(status), "%s", status_row(status)->title);
        x->over = true;
        client_stop(client);
    } else if (!x->asks && !client_connection(client)->sink.terms.acks) {
        x->over = true; /* nobody will tell: written is all there is to know */
        x->is_told = false;
        client_stop(client);
    }
}

static void on_message(struct client *client, uint64_t token, struct message *message) {
    struct exchange *x = client_user(client);
    connection_settle(client_connection(client), token, token, STATUS_OK, 0);
    struct slice cause = message_text(message, ATTRIBUTE_CAUSATIONID);
    if (!message_kind_replies(message->kind) ||
        (cause.size && !slice_equal(cause, message_text(x->message, ATTRIBUTE_ID))) || x->over)
        return;
    x->over = true;
    x->code = x->asks ? tell_reply(x->options, message) : CLI_REFUSED;
    client_stop(client);
}

static void on_outcome(struct client *client, uint64_t token, struct protocol_outcome outcome) {
    struct exchange *x = client_user(client);
    (void)token;
    if (outcome.verdict == VERDICT_ACCEPTED && x->asks)
        return;
    x->over = true;
    if (outcome.verdict != VERDICT_ACCEPTED)
        x->code = cli_fail(x->options, CLI_REFUSED, status_reason(outcome.status), "refused (%s)", status_reason(outcome.status));
    client_stop(client);
}

static const struct client_calls exchange_calls = {.opened = on_opened, .message = on_message, .outcome = on_outcome};

static int over_wire(const struct cli_options *options, const struct client_place *place, const struct message *message,
                     bool asks, int64_t timeout_ns) {
    struct exchange x = {.options = options, .message = message, .asks = asks, .is_told = true, .start = platform_now().mono};
    struct buffer key;
    struct fault fault = {0};
    buffer_init(&key, CLI_KEY_MAX);
    int code = cli_key(options, &key);
    if (code != CLI_DONE)
        return code;
    struct client_options how = {.cli = options, .calls = &exchange_calls, .user = &x, .place = *place,
                                 .system = slice_from(options->as ? options->as : ""), .key = buffer_slice(&key)};
    struct client *client = client_new(&how, &fault);
    if (!client) {
        buffer_done(&key);
        return cli_fail(options, CLI_FAILED, status_reason(fault.status), "%s", fault.text);
    }
    struct mono deadline = mono_after(x.start, timeout_ns);
    enum status status = STATUS_OK;
    while (!x.over && status == STATUS_OK)
        status = client_run(client, deadline);
    int signal_code = client_signal_code(client);
    char words[200];
    (void)snprintf(words, sizeof words, "%s%s", client_words(client)[0] ? ": " : "", client_words(client));
    client_free(client);
    buffer_done(&key);
    if (x.over && (x.is_told || status == STATUS_OK)) {
        if (!asks && x.code == CLI_DONE && options->json)
            printf("{\"status\":\"accepted\",\"ms\":%.1f}\n", since_ms(x.start));
        else if (!asks && x.code == CLI_DONE)
            printf("accepted  %.1f ms\n", since_ms(x.start));
        return x.code;
    }
    if (status == STATUS_CANCELLED)
        return signal_code;
    if (status == STATUS_REPLY_TIMEOUT && asks)
        return no_reply(options, timeout_ns, "");
    bool nobody = status == STATUS_REFUSED || status == STATUS_UNREACHABLE || status == STATUS_CONNECT_TIMEOUT ||
                  status == STATUS_RESOLVE_FAILED;
    return cli_fail(options, nobody ? CLI_NO_ROUTER : cli_is_about_tls(status) ? CLI_FAILED : CLI_REFUSED, status_reason(status),
                    "%s%s (%s)", status_row(status)->title, words, status_reason(status));
}

/* -- commands -- */

static int find_place(const struct cli_options *options, struct client_place *ret, char **ret_text) {
    int code = CLI_DONE;
    *ret_text = NULL;
    if ((options->frame || options->format) && !options->url)
        return cli_fail(options, CLI_USAGE, "usage", "--frame and --format need --url");
    if (options->url) {
        code = client_url(options, options->url, ret);
        return code == CLI_DONE ? client_frame(options, ret) : code;
    }
    *ret_text = client_find_listener(options, false, &code);
    if (!*ret_text)
        return code;
    code = client_url(options, *ret_text, ret);
    ret->wants_stream = true; /* our own listeners take both, and acknowledge so */
    return code;
}

static int send_batch(const struct cli_options *options, const struct client_place *place) {
    struct buffer body;
    struct http_reply reply;
    enum status status;
    char name[4096];
    buffer_init(&body, 32u << 20);
    (void)snprintf(name, sizeof name, "%s%s", strcmp(options->batch, "-") == 0 ? "" : "@", options->batch);
    int code = cli_read_data(options, name, &body);
    if (code == CLI_DONE && client_scheme(place) != CONFIG_SCHEME_HTTP)
        code = cli_fail(options, CLI_FAILED, "not-supported", "--batch goes over http only");
    if (code == CLI_DONE) {
        code = post(options, place, "application/cloudevents-batch+json", buffer_slice(&body), SEND_NS, &reply, &status);
        if (code == CLI_DONE && reply.code >= 300) {
            code = control_refused(options, &reply);
        } else if (code == CLI_DONE) {
            struct slice each;
            for (size_t at = 0; json_element(buffer_slice(&reply.body), &at, &each);) {
                struct slice result = json_member(each, "status"), reason = json_member(each, "problem/reason");
                bool good = result.size && result.data[0] == '2';
                if (!options->json)
                    printf("%s  %.*s\n", good ? "accepted" : "refused ", SLICE_ARG(good ? json_member(each, "receipt") : reason));
                code = good ? code : CLI_REFUSED;
            }
            if (options->json) {
                cli_print(buffer_slice(&reply.body));
                printf("\n");
            }
        }
        http_reply_done(&reply);
    }
    buffer_done(&body);
    return code;
}

static int over_http(const struct cli_options *options, const struct client_place *place, const struct message *message,
                     bool asks, int64_t timeout_ns) {
    struct http_reply reply = {0};
    struct buffer body;
    enum status status = STATUS_OK;
    struct mono start = platform_now().mono;
    buffer_init(&body, 32u << 20);
    message_encode_json(message, NULL, &body);
    int code = post(options, place, "application/cloudevents+json", buffer_slice(&body), timeout_ns + (asks ? NS_PER_S : 0),
                    &reply, &status);
    if (code == CLI_DONE && status == STATUS_REPLY_TIMEOUT)
        code = no_reply(options, timeout_ns, "");
    else if (code == CLI_DONE)
        code = asks ? tell_answer(options, &reply, timeout_ns) : tell_accepted(options, &reply, start);
    http_reply_done(&reply);
    buffer_done(&body);
    return code;
}

/* What is wrong with the event is told before anybody is looked for. */
static int exchange(const struct cli_options *options, const char *kind, bool asks, int64_t timeout_ns) {
    struct cli_event event;
    struct client_place place;
    char *text = NULL;
    int code = cli_event_make(&event, options, kind);
    if (code == CLI_DONE && asks && !message_kind_asks(event.message.kind))
        code = cli_fail(options, CLI_USAGE, "usage", "only a request or a query is answered; use `intertie send` for others");
    if (code == CLI_DONE)
        code = find_place(options, &place, &text);
    place.asks = asks;
    if (code == CLI_DONE && asks && place.is_raw && place.url.scheme == CONFIG_SCHEME_UDP)
        code = cli_fail(options, CLI_USAGE, "usage", "a raw datagram has no place for what it answers: use `intertie send`");
    if (code == CLI_DONE && options->verbose)
        cli_say("to %s", text ? text : options->url);
    if (code == CLI_DONE)
        code = client_scheme(&place) == CONFIG_SCHEME_HTTP ? over_http(options, &place, &event.message, asks, timeout_ns)
                                                      : over_wire(options, &place, &event.message, asks, timeout_ns);
    memory_free(text);
    cli_event_done(&event);
    return code;
}

int cmd_send(const struct cli_command *command, const struct cli_options *options) {
    struct client_place place;
    char *text = NULL;
    (void)command;
    if (!options->batch)
        return exchange(options, NULL, false, options->wait_ns >= 0 ? options->wait_ns : SEND_NS);
    int code = find_place(options, &place, &text);
    if (code == CLI_DONE)
        code = send_batch(options, &place);
    memory_free(text);
    return code;
}

int cmd_call(const struct cli_command *command, const struct cli_options *options) {
    struct cli_options how = *options;
    char ttl[40];
    (void)command;
    int64_t timeout = options->timeout_ns >= 0 ? options->timeout_ns : CALL_NS;
    if (!how.ttl) { /* the router stops waiting when we do */
        (void)snprintf(ttl, sizeof ttl, "%lldms", (long long)(timeout / NS_PER_MS));
        how.ttl = ttl;
    }
    return exchange(&how, "request", true, timeout);
}
