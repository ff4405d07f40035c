/* The event that send and call make from their options. */
#include "cli/event.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/scalar.h"
#include "message/timestamp.h"
#include "message/uuid.h"
#include "platform/clock.h"
#include "platform/entropy.h"
#include "platform/file.h"

#define DATA_MAX (16u << 20)

int cli_read_data(const struct cli_options *options, const char *text, struct buffer *out) {
    struct fault fault = {0};
    if (text[0] == '@') {
        if (file_read(text + 1, DATA_MAX, out, &fault) != STATUS_OK)
            return cli_fail(options, CLI_FAILED, "io-error", "%s", fault.text);
        return CLI_DONE;
    }
    if (strcmp(text, "-") != 0) {
        buffer_add_text(out, text);
        return CLI_DONE;
    }
    for (;;) {
        uint8_t *at = buffer_reserve(out, 65536);
        if (!at)
            return cli_fail(options, CLI_FAILED, "too-large", "more than 16 MiB on standard input");
        size_t count = fread(at, 1, 65536, stdin);
        buffer_added(out, count);
        if (count == 0)
            return CLI_DONE;
    }
}

int cli_key(const struct cli_options *options, struct buffer *out) {
    struct fault fault = {0};
    const char *variable = getenv("INTERTIE_KEY");
    if (options->key_file) {
        if (file_read(options->key_file, 4096, out, &fault) != STATUS_OK)
            return cli_fail(options, CLI_FAILED, "io-error", "--key-file: %s", fault.text);
        while (out->size && (out->data[out->size - 1] == '\n' || out->data[out->size - 1] == '\r'))
            out->size--;
    } else if (variable) {
        buffer_add_text(out, variable);
    }
    return CLI_DONE;
}

static int bad(const struct cli_options *options, const struct message_fault *fault) {
    return cli_fail(options, CLI_USAGE, status_reason(fault->status), "%s", fault->text);
}

static bool add(struct cli_event *event, enum attribute attribute, const char *text, struct message_fault *fault) {
    return !text || message_add(&event->message, &event->extra, attribute, slice_from(text), fault) == STATUS_OK;
}

static bool add_attributes(struct cli_event *event, const struct cli_options *options, struct message_fault *fault) {
    for (size_t i = 0; i < options->attribute_count; i++) {
        struct slice pair = slice_from(options->attributes[i]);
        size_t at = slice_find(pair, '=');
        if (at == pair.size) {
            fault->status = STATUS_MALFORMED_EVENT;
            (void)snprintf(fault->text, sizeof fault->text, "--attr needs NAME=VALUE");
            return false;
        }
        struct slice name = slice_head(pair, at), value = slice_skip(pair, at + 1);
        enum attribute known = attribute_find(name);
        enum status status = known == ATTRIBUTE_OTHER
                                 ? message_add_named(&event->message, &event->extra, name, ATTRIBUTE_STRING, value, fault)
                                 : message_add(&event->message, &event->extra, known, value, fault);
        if (status != STATUS_OK)
            return false;
    }
    return true;
}

/* RFC 3339, now and a lifetime from now. */
static bool add_times(struct cli_event *event, const struct cli_options *options, struct message_fault *fault) {
    char text[TIMESTAMP_TEXT_MAX + 1];
    int64_t now = platform_now().wall.ns, ttl = 0;
    text[timestamp_format(now / NS_PER_S, (int32_t)(now % NS_PER_S / NS_PER_MS * NS_PER_MS), text)] = '\0';
    if (!add(event, ATTRIBUTE_TIME, text, fault))
        return false;
    struct scalar_why why;
    if (!options->ttl)
        return true;
    if (!scalar_duration(slice_from(options->ttl), &ttl, &why)) {
        fault->status = STATUS_MALFORMED_EVENT;
        (void)snprintf(fault->text, sizeof fault->text, "--ttl needs a duration with its unit, such as 30s");
        return false;
    }
    now += ttl;
    text[timestamp_format(now / NS_PER_S, (int32_t)(now % NS_PER_S), text)] = '\0';
    return add(event, ATTRIBUTE_EXPIRYTIME, text, fault);
}

int cli_event_make(struct cli_event *event, const struct cli_options *options, const char *kind) {
    struct message_fault fault = {.status = STATUS_MALFORMED_EVENT};
    char id[UUID_TEXT_SIZE + 1] = "", source[96], digit[2] = "";
    uint8_t uuid[16];
    uint64_t seed = 0;
    struct uuid_source ids;
    buffer_init(&event->data, DATA_MAX + 65536);
    buffer_init(&event->extra, 256u << 10);
    bool is_raw = options->format && strcmp(options->format, "raw") == 0; /* then nobody reads it */
    const char *event_type = options->type ? options->type : is_raw ? "intertie.cli.raw.v1" : NULL;
    if (!event_type)
        return cli_fail(options, CLI_USAGE, "usage", "--type is missing, such as --type com.example.alarm.raised");
    if (options->data) {
        int code = cli_read_data(options, options->data, &event->data);
        if (code != CLI_DONE)
            return code;
    }
    if (!entropy_seed(&seed) || !buffer_reserve(&event->extra, 128u << 10))
        return cli_fail(options, CLI_FAILED, "internal", "no randomness or no memory");
    uuid_source_init(&ids, seed);
    uuid_make(&ids, platform_now().wall, uuid);
    uuid_text(uuid, id);
    (void)snprintf(source, sizeof source, options->as ? "/systems/%.63s" : "/cli", options->as ? options->as : "");
    if (options->priority) {
        int priority = message_priority_find(slice_from(options->priority));
        if (!priority)
            return cli_fail(options, CLI_USAGE, "usage", "--priority is low, normal, high, critical, emergency or 1..5");
        digit[0] = (char)('0' + priority);
    }
    bool is_json = options->data && json_is_valid(buffer_slice(&event->data), 0);
    const char *type = options->content_type ? options->content_type
                       : !options->data      ? NULL
                       : is_json             ? "application/json"
                                             : "text/plain; charset=utf-8";
    message_init(&event->message, buffer_slice(&event->data));
    if (!add(event, ATTRIBUTE_ID, id, &fault) || !add(event, ATTRIBUTE_SOURCE, options->source ? options->source : source, &fault) ||
        !add(event, ATTRIBUTE_TYPE, event_type, &fault) || !add(event, ATTRIBUTE_SUBJECT, options->subject, &fault) ||
        !add(event, ATTRIBUTE_TARGET, options->to, &fault) || !add(event, ATTRIBUTE_DATACONTENTTYPE, type, &fault) ||
        !add(event, ATTRIBUTE_MESSAGETYPE, options->kind ? options->kind : kind, &fault) ||
        !add(event, ATTRIBUTE_PRIORITY, digit[0] ? digit : NULL, &fault) || !add_times(event, options, &fault) ||
        !add_attributes(event, options, &fault))
        return bad(options, &fault);
    if (options->data)
        message_set_data(&event->message, is_json && message_data_is_json(&event->message) ? DATA_JSON
                                          : text_is_utf8(buffer_slice(&event->data))       ? DATA_TEXT
                                                                                           : DATA_BYTES);
    if (message_seal(&event->message, &event->extra, &fault) != STATUS_OK)
        return bad(options, &fault);
    return CLI_DONE;
}

void cli_event_done(struct cli_event *event) {
    buffer_done(&event->data);
    buffer_done(&event->extra);
}
