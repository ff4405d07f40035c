/* For the engine's fuzz target: what peers of each protocol say, good or nearly so, as the program has it. */
#ifndef FUZZ_ENGINE_SAY_H
#define FUZZ_ENGINE_SAY_H

#include "engine_shim.h"
#include "message/timestamp.h"
#include "protocol/stream/frame.h"

struct peer {
    struct engine *engine; /* NULL: free */
    uint64_t handle;
    const struct protocol *row; /* whose bytes it is spoken to with; the watched one or the plain one */
    bool dialled;               /* by the engine */
    bool up;
    bool reads_off;
    bool datagrams;
    uint64_t seq; /* stream v1 */
    uint64_t credit;
};

/* Where the program stands, and the clock. */
static struct {
    struct slice program;
    unsigned next_id;
    struct now now;
} script;

static unsigned take(void) {
    unsigned byte = script.program.size ? script.program.data[0] : 0;
    script.program = slice_skip(script.program, 1);
    return byte;
}

/* -- messages of peers -- */

struct text {
    struct buffer out;
    uint8_t room[8192];
};

static void text_init(struct text *text) {
    buffer_init_fixed(&text->out, text->room, sizeof text->room);
}

static const char *const kinds[] = {"event", "event", "query", "request", "command", "notification", "heartbeat", "response",
                                    "error"};

/* Two bytes say what it is; what replies names the request that the peer was sent last, or any. */
static void add_event(struct buffer *out, const struct peer *p, const char *kind) {
    static const char *const sources[] = {"/systems/crm", "/systems/desk", "/systems/ledger", "/else"};
    static const char *const targets[] = {"desk", "ledger", "shop", "lamp", "meter", "kiosk", "crm", "nobody"};
    unsigned what = take(), how = take();
    bool replies;
    if (!kind)
        kind = kinds[what % COUNT_OF(kinds)];
    replies = strcmp(kind, "response") == 0 || strcmp(kind, "error") == 0;
    unsigned id = script.next_id < SHIM_IDS - 1 ? script.next_id++ : SHIM_IDS - 1;
    buffer_add_format(out, "{\"specversion\":\"1.0\",\"id\":\"m%u\",\"source\":\"%s\",\"type\":\"t%u\",\"messagetype\":\"%s\"",
                      what >= 250 ? what % 8 : id, sources[how / 8 % 4], how % 8, kind);
    if (replies && p) {
        const struct connection *c = p->up ? net_find(engine_net(p->engine), p->handle) : NULL;
        unsigned cause = c && shim_watches(c->protocol) ? shim_track(c->state)->asked_out : 0;
        buffer_add_format(out, ",\"causationid\":\"m%u\"", how & 64 ? take() : cause);
    } else if (how & 64) {
        buffer_add_format(out, ",\"target\":\"%s\"", targets[take() % COUNT_OF(targets)]);
    }
    if (how & 32) {
        unsigned more = take();
        char when[TIMESTAMP_TEXT_MAX];
        if (more & 1)
            buffer_add_format(out, ",\"priority\":%u", 1 + more / 32 % 5);
        if (more & 2)
            buffer_add_format(out, ",\"partitionkey\":\"k%u\"", more / 32 % 3);
        if (more & 4) {
            size_t size = timestamp_format(script.now.wall.ns / NS_PER_S + more / 32, 0, when);
            buffer_add_format(out, ",\"expirytime\":\"%.*s\"", (int)size, when);
        }
        if (more & 8)
            buffer_add_format(out, ",\"replyto\":\"/systems/%s\"", targets[more / 32 % COUNT_OF(targets)]);
        if ((more & 48) == 16)
            buffer_add_format(out, ",\"correlationid\":\"c%u\"", more / 64);
        if ((more & 48) == 48)
            buffer_add_format(out, ",\"intertiehops\":%u", more / 4);
    }
    if (how & 128)
        buffer_add_format(out, ",\"data\":\"%0*u\"", (int)(what * 4), id);
    buffer_add_text(out, "}");
}

/* -- stream v1 -- */

static void add_frame(struct buffer *out, unsigned type, unsigned flags, struct slice payload) {
    uint8_t header[FRAME_HEADER];
    frame_put_header(header, (uint32_t)payload.size, (uint8_t)type, (uint8_t)flags);
    buffer_add(out, slice_make(header, sizeof header));
    buffer_add(out, payload);
}

static void add_preface(struct buffer *out, const struct peer *p, unsigned how) {
    static const char *const hellos[] = {
        "{\"enc\":[\"json\"]}",
        "{\"enc\":[\"json\"],\"system\":\"desk\"}",
        "{\"enc\":[\"json\"],\"system\":\"crm\",\"ack\":false}",
        "{\"enc\":[\"json\"],\"system\":\"kiosk\",\"credit\":{\"msgs\":2,\"bytes\":1000},\"client\":\"intertie/0.1.0\"}",
    };
    static const char *const welcomes[] = {"{\"enc\":\"json\"}", "{\"enc\":\"json\",\"credit\":{\"msgs\":1,\"bytes\":500}}"};
    buffer_add(out, slice_make("\xf5its\1\0\0\0", 8));
    if (p->dialled)
        add_frame(out, FRAME_WELCOME, 0, slice_from(welcomes[how % 2]));
    else
        add_frame(out, FRAME_HELLO, 0, slice_from(hellos[how % 4]));
}

static void add_msg(struct buffer *out, struct peer *p, const char *kind) {
    struct text event;
    uint8_t head[FRAME_MSG_HEADER] = {0};
    text_init(&event);
    frame_put64(head, ++p->seq);
    buffer_add(&event.out, slice_make(head, sizeof head));
    add_event(&event.out, p, kind);
    add_frame(out, FRAME_MSG, 0, buffer_slice(&event.out));
}

/* Of all that was sent, or of the newest but n: other fates. */
static void add_ack(struct buffer *out, const struct peer *p, unsigned how) {
    uint8_t payload[FRAME_ACK_HEADER + FRAME_ACK_ENTRY] = {0};
    const struct connection *c = net_find(engine_net(p->engine), p->handle);
    uint64_t sent = c && shim_watches(c->protocol) ? shim_track(c->state)->tokens_out : 1;
    bool entry = how & 1;
    uint64_t back = how / 16 < sent ? how / 16 : sent;
    frame_put64(payload, how & 8 ? sent : sent - back);
    frame_put16(payload + 8, entry);
    frame_put64(payload + FRAME_ACK_HEADER, sent - back + (back > 0));
    payload[FRAME_ACK_HEADER + 8] = (uint8_t)(how / 2 % 5);
    frame_put16(payload + FRAME_ACK_HEADER + 10, (uint16_t)(100 + how / 16));
    add_frame(out, FRAME_ACK, 0, slice_make(payload, FRAME_ACK_HEADER + (entry ? FRAME_ACK_ENTRY : 0)));
}

static void add_subscribe(struct buffer *out, unsigned how) {
    static const char *const wishes[] = {
        "{\"sub\":1}", "{\"sub\":2,\"filter\":\"type LIKE 't%'\",\"max_inflight\":2}",
        "{\"sub\":3,\"filter\":\"type = 't1'\",\"group\":\"g\"}", "{\"sub\":4,\"filter\":\"type = 't3'\",\"group\":\"g\"}",
    };
    if (how & 4)
        add_frame(out, FRAME_UNSUBSCRIBE, 0, slice_from(how & 1 ? "{\"sub\":2}" : "{\"sub\":1}"));
    else
        add_frame(out, FRAME_SUBSCRIBE, 0, slice_from(wishes[how % 4]));
}

static void add_number(struct buffer *out, unsigned type, uint64_t number, size_t count) {
    uint8_t payload[16];
    frame_put64(payload, number);
    frame_put64(payload + 8, number * 1000);
    add_frame(out, type, 0, slice_make(payload, count));
}

static void say_stream(struct buffer *out, struct peer *p, unsigned what) {
    switch (what) {
    case 0:
        add_preface(out, p, take());
        break;
    case 1: case 2: case 3:
        add_ack(out, p, take());
        break;
    case 4: case 5:
        add_subscribe(out, take());
        break;
    case 6:
        p->credit += take();
        add_number(out, FRAME_CREDIT, 256 + p->credit, 16);
        break;
    case 7:
        add_number(out, FRAME_CANCEL, take(), 8);
        break;
    case 8:
        add_frame(out, FRAME_GOAWAY, 0, SLICE_OF("{\"code\":11,\"drain_ms\":1000}"));
        break;
    case 9: case 10:
        add_msg(out, p, "response");
        break;
    default:
        add_msg(out, p, NULL);
        break;
    }
}

/* -- JSON lines -- */

static void say_lines(struct buffer *out, struct peer *p, unsigned what) {
    static const char *const data[] = {
        "hello.v1\",\"data\":{\"system\":\"desk\",\"ack\":true}}", "hello.v1\",\"data\":{\"system\":\"kiosk\"}}",
        "hello.v1\",\"data\":{\"system\":\"crm\",\"credit\":{\"msgs\":3}}}",
        "subscribe.v1\",\"data\":{\"filter\":\"type LIKE 't%'\",\"ack\":true}}", "unsubscribe.v1\"}",
        "subscribe.v1\",\"data\":{\"filter\":\"type = 't1'\",\"group\":\"g\"}}",
    };
    if (what < 3) {
        buffer_add_format(out, "{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"/s\",\"type\":\"intertie.ctl.%s",
                          data[take() % COUNT_OF(data)]);
    } else if (what < 6) {
        buffer_add_format(out, "{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"/s\",\"type\":\"intertie.ctl.%s.v1\","
                               "\"causationid\":\"m%u\"}", what == 5 ? "nack" : "ack", take());
    } else {
        add_event(out, p, what < 9 ? "response" : NULL);
    }
    buffer_add_byte(out, '\n');
}

/* -- HTTP -- */

static void say_http(struct buffer *out, struct peer *p, unsigned what) {
    static const char *const lines[] = {"", "", "", "Prefer: wait=1\r\n", "TTL: 2\r\n", "Connection: close\r\n"};
    static const char *const status[] = {"200 OK", "202 Accepted", "204 No Content", "400 Bad Request", "429 Too Many",
                                         "500 Oh", "503 Later", "200 OK"};
    struct text body;
    text_init(&body);
    bool batch = what == 15 && !p->dialled;
    if (what == 0) {
        buffer_add_text(out, p->dialled ? "HTTP/1.1 204 No Content\r\n\r\n" : "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
        return;
    }
    if (batch)
        buffer_add_byte(&body.out, '[');
    if (!p->dialled || what < 8)
        add_event(&body.out, p, p->dialled ? "response" : NULL);
    if (batch) {
        buffer_add_byte(&body.out, ',');
        add_event(&body.out, p, NULL);
        buffer_add_byte(&body.out, ']');
    }
    if (p->dialled)
        buffer_add_format(out, "HTTP/1.1 %s\r\n", status[what % COUNT_OF(status)]);
    else
        buffer_add_format(out, "POST /v1/messages HTTP/1.1\r\nHost: a\r\n%s", lines[what % COUNT_OF(lines)]);
    if (body.out.size)
        buffer_add_format(out, "Content-Type: application/cloudevents%s+json\r\n", batch ? "-batch" : "");
    buffer_add_format(out, "Content-Length: %zu\r\n\r\n", body.out.size);
    buffer_add(out, buffer_slice(&body.out));
}

#endif
