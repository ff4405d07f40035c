/* Stream v1, both roles: a program of frames, verbs and time. See protocol_talk.h for its form. */
#include "protocol/stream/frame.h"
#include "protocol_talk.h"

static const struct protocol *row(unsigned choices) {
    return choices & (TALK_DIALLED | TALK_BEGUN) ? &protocol_stream1 : &protocol_stream;
}

static void frame(struct talk *t, unsigned type, unsigned flags, struct slice payload) {
    uint8_t header[FRAME_HEADER];
    frame_put_header(header, (uint32_t)payload.size, (uint8_t)type, (uint8_t)flags);
    talk_wire(t, slice_make(header, sizeof header));
    talk_wire(t, payload);
}

static void preface(struct talk *t) {
    talk_wire(t, slice_make("\xf5its\1\0\0\0", PREFACE_SIZE));
}

static void hello(struct talk *t, unsigned which) {
    static const char *const texts[] = {
        "{\"enc\":[\"json\"],\"auth\":{\"token\":\"itk_secret\"}}",
        "{\"enc\":[\"proto\",\"json\"],\"system\":\"crm\",\"client\":\"intertie/0.1.0\",\"auth\":{\"token\":\"itk_secret\"}}",
        "{\"enc\":[\"json\"],\"ack\":false,\"hb_ms\":100,\"auth\":{\"token\":\"itk_secret\"}}",
        "{\"credit\":{\"msgs\":2,\"bytes\":600},\"max_frame\":100000,\"hb_ms\":500,\"auth\":{\"token\":\"itk_secret\"}}",
        "{\"comp\":[\"zstd\"]}",
        "{\"enc\":[\"xml\"]}",
        "{\"resume\":{\"session\":\"x\"},\"auth\":{\"method\":\"none\"}}",
        "{}",
    };
    frame(t, FRAME_HELLO, 0, slice_from(texts[which % COUNT_OF(texts)]));
}

static void welcome(struct talk *t, unsigned which) {
    static const char *const texts[] = {
        "{\"enc\":\"json\"}",
        "{\"enc\":\"proto\",\"server\":\"intertie/0.1.0\",\"node\":\"n\",\"system\":\"crm\",\"max_frame\":81920}",
        "{\"enc\":\"json\",\"credit\":{\"msgs\":3,\"bytes\":500},\"hb_ms\":100}",
        "{\"enc\":\"json\",\"ack\":\"none\",\"resumed\":false}",
        "{\"enc\":\"xml\"}",
        "{\"comp\":\"zstd\"}",
        "{\"enc\":\"json\",\"credit\":{\"msgs\":0,\"bytes\":0}}",
        "{}",
    };
    frame(t, FRAME_WELCOME, 0, slice_from(texts[which % COUNT_OF(texts)]));
}

static void msg(struct talk *t) {
    struct talk_message m;
    struct buffer payload;
    uint8_t head[FRAME_MSG_HEADER] = {0};
    const struct message *message = talk_make(t, &m);
    unsigned how = talk_byte(t);
    frame_put64(head, ++t->peer_seq + (how >= 250 ? how : 0));
    head[11] = (uint8_t)(how / 4 % 3);
    head[12] = (uint8_t)(how / 16 % 4);
    buffer_init(&payload, 1u << 20);
    buffer_add(&payload, slice_make(head, sizeof head));
    if (how % 64 == 63)
        buffer_add_text(&payload, "{\"id\":1}");
    else if (t->choices & TALK_PROTO)
        message_encode_proto(message, NULL, &payload);
    else
        message_encode_json(message, NULL, &payload);
    frame(t, FRAME_MSG, how & 1, buffer_slice(&payload));
    buffer_done(&payload);
}

static void ack(struct talk *t) {
    uint8_t payload[FRAME_ACK_HEADER + 4 * FRAME_ACK_ENTRY] = {0};
    unsigned how = talk_byte(t), count = how % 5;
    uint64_t cum = talk_byte(t);
    frame_put64(payload, how & 128 ? cum : cum < t->rig.sent ? cum : t->rig.sent);
    frame_put16(payload + 8, (uint16_t)count);
    for (unsigned i = 0; i < count; i++) {
        uint8_t *at = payload + FRAME_ACK_HEADER + (size_t)i * FRAME_ACK_ENTRY;
        frame_put64(at, talk_byte(t));
        unsigned outcome = talk_byte(t);
        at[8] = (uint8_t)(outcome % 5);
        frame_put16(at + 10, (uint16_t)(outcome / 5 + 90));
        frame_put32(at + 12, outcome & 128 ? 500 : 0);
    }
    frame(t, FRAME_ACK, 0, slice_make(payload, FRAME_ACK_HEADER + (size_t)count * FRAME_ACK_ENTRY));
}

static void credit(struct talk *t) {
    uint8_t payload[16];
    t->peer_count += talk_byte(t);
    frame_put64(payload, t->peer_count);
    frame_put64(payload + 8, t->peer_count * 1000);
    frame(t, FRAME_CREDIT, 0, slice_make(payload, sizeof payload));
}

static void number(struct talk *t, unsigned type) {
    uint8_t payload[8];
    frame_put64(payload, talk_byte(t));
    frame(t, type, 0, slice_make(payload, sizeof payload));
}

static void control(struct talk *t) {
    static const struct {
        uint8_t type;
        const char *text;
    } all[] = {
        {FRAME_SUBSCRIBE, "{\"sub\":1,\"filter\":\"type LIKE 'com.%'\",\"group\":\"g\",\"max_inflight\":4}"},
        {FRAME_SUBSCRIBE, "{\"sub\":1}"},
        {FRAME_SUBSCRIBE, "{\"sub\":2,\"ack\":false}"},
        {FRAME_SUBSCRIBE, "{\"sub\":3,\"durable\":\"x\"}"},
        {FRAME_SUBSCRIBE, "{\"sub\":4,\"ack\":true,\"from\":\"earliest\"}"},
        {FRAME_UNSUBSCRIBE, "{\"sub\":1}"},
        {FRAME_RESULT, "{\"re\":\"subscribe\",\"sub\":1,\"status\":200}"},
        {FRAME_RESULT, "{\"re\":\"subscribe\",\"sub\":1,\"status\":403,\"problem\":{\"detail\":\"no\"}}"},
        {FRAME_GOAWAY, "{\"code\":11,\"reason\":\"shutdown\",\"drain_ms\":1000}"},
        {FRAME_GOAWAY, "{}"},
        {FRAME_ERROR, "{\"code\":8,\"slug\":\"flow-control\"}"},
        {FRAME_AUTH, "{\"auth\":{\"method\":\"bearer\",\"token\":\"itk_other\"}}"},
        {FRAME_AUTH, "{\"auth\":{\"method\":\"none\"}}"},
        {200, "ignored?"},
    };
    unsigned which = talk_byte(t);
    frame(t, all[which % COUNT_OF(all)].type, which & 128 ? FRAME_FLAG_IGNORABLE : 0,
          slice_from(all[which % COUNT_OF(all)].text));
}

static void unit(struct talk *t, unsigned what) {
    switch (what) {
    case 0:
        preface(t);
        break;
    case 1:
        hello(t, talk_byte(t));
        break;
    case 2:
        welcome(t, talk_byte(t));
        break;
    case 3: case 4: case 5: case 6:
        msg(t);
        break;
    case 7: case 8: case 9:
        ack(t);
        break;
    case 10:
        credit(t);
        break;
    case 11: case 12:
        control(t);
        break;
    case 13:
        number(t, FRAME_PING);
        break;
    case 14:
        number(t, FRAME_PONG);
        break;
    default:
        number(t, FRAME_CANCEL);
        break;
    }
}

static void begin(struct talk *t) {
    preface(t);
    t->peer_count = 256;
    if (t->choices & TALK_DIALLED)
        welcome(t, t->choices & TALK_PROTO ? 1 : 0);
    else
        hello(t, t->choices & TALK_PROTO ? 1 : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const struct talk_peer peer = {row, begin, unit};
    talk_run(&peer, bytes, size);
    return 0;
}
