/* Records in words, for whoever looks why a replay differs. */
#include "engine/outcome.h"
#include "engine/record.h"

#define SHOWN 160 /* bytes of what came in */

static void add_bytes(struct buffer *out, struct slice bytes) {
    buffer_add_byte(out, '"');
    for (size_t i = 0; i < bytes.size && i < SHOWN; i++) {
        uint8_t c = bytes.data[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            buffer_add_byte(out, c);
        else
            buffer_add_format(out, "\\x%02x", c);
    }
    buffer_add_text(out, bytes.size > SHOWN ? "\"..." : "\"");
}

static void add_peer(struct buffer *out, const char *before, const struct address *peer) {
    char text[ADDRESS_TEXT_MAX];
    if (!peer)
        return;
    address_print(text, peer);
    buffer_add_format(out, "%s%s", before, text);
}

static void datagram_words(const struct engine_input *input, struct buffer *out) {
    for (uint32_t i = 0; i < input->count; i++) {
        add_peer(out, i ? ", from " : " from ", &input->datagrams[i].from);
        buffer_add_format(out, " %zu bytes ", input->datagrams[i].bytes.size);
        add_bytes(out, input->datagrams[i].bytes);
    }
}

static void input_words(const struct engine_input *input, struct buffer *out) {
    unsigned long long connection = input->connection, size = input->size;
    switch (input->kind) {
    case INPUT_OPENED:
        buffer_add_format(out, "opened by listener %d", (int)input->listener);
        add_peer(out, " from ", input->peer);
        break;
    case INPUT_CONNECTED:
        buffer_add_format(out, "connected %llx", connection);
        add_peer(out, " to ", input->peer);
        break;
    case INPUT_BYTES:
        buffer_add_format(out, "bytes on %llx, %zu: ", connection, input->bytes.size);
        add_bytes(out, input->bytes);
        break;
    case INPUT_DATAGRAMS:
        buffer_add_format(out, "%u datagrams on %llx", input->count, connection);
        datagram_words(input, out);
        break;
    case INPUT_ENDED:
        buffer_add_format(out, "the peer ended %llx", connection);
        break;
    case INPUT_WRITTEN:
        buffer_add_format(out, "written on %llx: %llu bytes, %u pieces", connection, size, input->pieces);
        break;
    case INPUT_CLOSED:
        buffer_add_format(out, "lost %llx: %s", connection, status_reason(input->status));
        break;
    case INPUT_MAIL:
        buffer_add_format(out, "mail from worker %u, %zu bytes", input->from, input->bytes.size);
        break;
    case INPUT_MEMORY:
        buffer_add_format(out, "others hold %llu bytes", size);
        break;
    case INPUT_DEAD:
        buffer_add_format(out, "a command about dead letters, %zu bytes", input->bytes.size);
        break;
    case INPUT_HAND:
        buffer_add_format(out, "a command about an endpoint, %zu bytes", input->bytes.size);
        break;
    case INPUT_FOUND:
        buffer_add_format(out, "endpoints that were found, %zu bytes", input->bytes.size);
        break;
    case INPUT_DRAIN:
        buffer_add_text(out, "drain");
        break;
    case INPUT_CONFIG:
    case INPUT_TIME:
        buffer_add_text(out, "time");
        break;
    }
}

void record_words(const struct record *record, struct buffer *out) {
    if (record->kind == RECORD_TURN) {
        outcome_words(record->turn.outcome, out);
        return;
    }
    buffer_add_text(out, "  ");
    switch (record->kind) {
    case RECORD_HEADER:
        buffer_add_format(out, "worker %u of %u", record->header.worker, record->header.workers);
        break;
    case RECORD_NOW:
        buffer_add_format(out, "time %lld ns, wall %lld ns", (long long)record->now.mono.ns, (long long)record->now.wall.ns);
        break;
    case RECORD_INPUT:
        input_words(&record->input, out);
        break;
    case RECORD_CONFIG:
        buffer_add_format(out, "configuration %u", record->config.generation);
        break;
    case RECORD_FINISH:
        buffer_add_text(out, "the turn is ended");
        break;
    case RECORD_ASKED:
        buffer_add_text(out, "the admin surface is asked");
        break;
    case RECORD_ANSWER:
        buffer_add_format(out, "the admin surface answers %llx: %u", (unsigned long long)record->answer.connection,
                          record->answer.status == STATUS_OK ? record->answer.code
                                                             : (unsigned)status_row(record->answer.status)->http);
        break;
    case RECORD_ASKED_END:
        buffer_add_text(out, "the admin surface has been asked");
        break;
    case RECORD_END:
        buffer_add_text(out, "the end");
        break;
    case RECORD_STOPPED:
        buffer_add_format(out, "the log stops: %.*s", SLICE_ARG(record->words));
        break;
    case RECORD_TURN:
        break;
    }
    buffer_add_byte(out, '\n');
}
