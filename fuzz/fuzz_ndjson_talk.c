/* JSON lines, both roles: a program of lines, verbs and time. See protocol_talk.h for its form. */
#include "protocol_talk.h"

static const struct protocol *row(unsigned choices) {
    return choices & (TALK_DIALLED | TALK_BEGUN) ? &protocol_ndjson : &protocol_stream;
}

static void message(struct talk *t) {
    struct talk_message m;
    struct buffer line;
    const struct message *event = talk_make(t, &m);
    buffer_init(&line, 1u << 20);
    message_encode_json(event, NULL, &line);
    buffer_add_byte(&line, '\n');
    talk_wire(t, buffer_slice(&line));
    buffer_done(&line);
}

static void control(struct talk *t, const char *type, const char *more, struct slice cause) {
    char text[512];
    int size = snprintf(text, sizeof text,
                        "{\"specversion\":\"1.0\",\"id\":\"c%u\",\"source\":\"/s\",\"type\":\"intertie.ctl.%s.v1\""
                        "%s%.*s%s%s}\n",
                        (unsigned)++t->peer_seq, type, cause.size ? ",\"causationid\":\"" : "", SLICE_ARG(cause),
                        cause.size ? "\"" : "", more);
    talk_wire(t, slice_make(text, (size_t)size));
}

static void settle(struct talk *t, bool good) {
    char id = (char)('a' + talk_byte(t) % 26);
    control(t, good ? "ack" : "nack", good || id & 1 ? "" : ",\"data\":{\"retry_ms\":250}", slice_make(&id, 1));
}

static void hello(struct talk *t) {
    static const char *const data[] = {
        ",\"data\":{\"system\":\"crm\",\"ack\":true,\"auth\":{\"token\":\"itk_secret\"}}",
        ",\"data\":{\"ack\":false,\"auth\":{\"token\":\"itk_secret\"}}",
        ",\"data\":{\"client\":\"intertie/0.1.0\",\"credit\":{\"msgs\":2},\"auth\":{\"method\":\"bearer\",\"token\":\"itk_x\"}}",
        ",\"data\":{\"ack\":3}",
        ",\"data\":[]",
        "",
    };
    control(t, "hello", data[talk_byte(t) % COUNT_OF(data)], slice_make(NULL, 0));
}

static void subscribe(struct talk *t, bool on) {
    static const char *const data[] = {
        ",\"data\":{\"filter\":\"type LIKE 'com.%'\",\"ack\":true}",
        ",\"data\":{\"group\":\"g\",\"max_inflight\":2}",
        ",\"data\":{\"ack\":false}",
        ",\"data\":{\"durable\":\"x\"}",
        "",
    };
    control(t, on ? "subscribe" : "unsubscribe", data[talk_byte(t) % COUNT_OF(data)], slice_make(NULL, 0));
}

static void unit(struct talk *t, unsigned what) {
    static const char *const odd[] = {"\n", "\r\n", "{}\n", " \t", "{\"specversion\":\"1.0\",", "}\n", "[]\n", "\xff\n"};
    switch (what) {
    case 0: case 1:
        hello(t);
        break;
    case 2:
        subscribe(t, true);
        break;
    case 3:
        subscribe(t, false);
        break;
    case 4: case 5: case 6: case 7:
        settle(t, true);
        break;
    case 8: case 9:
        settle(t, false);
        break;
    case 10:
        control(t, "credit", ",\"data\":{\"msgs\":9}", slice_make(NULL, 0));
        break;
    case 11:
        talk_wire_text(t, odd[talk_byte(t) % COUNT_OF(odd)]);
        break;
    default:
        message(t);
        break;
    }
}

static void begin(struct talk *t) {
    control(t, "hello", ",\"data\":{\"system\":\"crm\",\"ack\":true,\"auth\":{\"token\":\"itk_secret\"}}",
            slice_make(NULL, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const struct talk_peer peer = {row, begin, unit};
    talk_run(&peer, bytes, size);
    return 0;
}
