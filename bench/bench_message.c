/* How many nanoseconds one event costs between bytes and message, in each encoding. No sockets. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/json.h"
#include "message/encoding.h"
#include "message/uuid.h"

#define ROUNDS 7
#define TARGET_NS 60000000.0 /* a round's time */

static struct slice json_event = SLICE(
    "{\"specversion\":\"1.0\",\"id\":\"019ab3d0-7710-7c02-8e11-0a6c5d9e4b12\",\"source\":\"/systems/crm\","
    "\"type\":\"com.acme.order.get\",\"messagetype\":\"query\",\"target\":\"billing\",\"priority\":3,"
    "\"correlationid\":\"019ab3d0-7710-7c02-8e11-0a6c5d9e4b12\",\"time\":\"2026-11-22T22:10:42.123Z\","
    "\"datacontenttype\":\"application/json\",\"data\":{\"order\":4711,\"x\":[1,2]}}");

static uint8_t scratch[4096], out_room[65536], proto_room[4096], header_room[4096];
static struct slice proto_event;
static struct message json_message, proto_message;
static const struct message_rules rules = {.size_max = 1 << 20};
static volatile size_t sink;

static double now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static const char *only; /* a part of the name */

static void run(const char *name, void (*one)(void), size_t bytes) {
    if (only && !strstr(name, only))
        return;
    double best = 1e18;
    unsigned long count = 1000;
    for (;;) {
        double start = now_ns();
        for (unsigned long i = 0; i < count; i++)
            one();
        double spent = now_ns() - start;
        if (spent > TARGET_NS / 10) {
            count = (unsigned long)((double)count * TARGET_NS / spent);
            break;
        }
        count *= 4;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (unsigned long i = 0; i < count; i++)
            one();
        double each = (now_ns() - start) / (double)count;
        best = each < best ? each : best;
    }
    printf("%-28s %8.1f ns %6zu bytes %8.0f MB/s\n", name, best, bytes, (double)bytes * 1e3 / best);
}

static void decode_json(void) {
    struct buffer extra;
    struct message_fault fault;
    buffer_init_fixed(&extra, scratch, sizeof scratch);
    ASSERT(message_decode_json(&json_message, json_event, &extra, &rules, &fault) == STATUS_OK);
    sink += json_message.value_count;
}

static void decode_proto(void) {
    struct buffer extra;
    struct message_fault fault;
    buffer_init_fixed(&extra, scratch, sizeof scratch);
    ASSERT(message_decode_proto(&proto_message, proto_event, &extra, &rules, &fault) == STATUS_OK);
    sink += proto_message.value_count;
}

static void skip_json(void) {
    ASSERT(json_is_valid(json_event, 0));
}

static struct overlay no_overlay, added, replaced;

static void encode(const struct message *message, const struct overlay *overlay, int to) {
    struct buffer out;
    buffer_init_fixed(&out, out_room, sizeof out_room);
    enum status status = to == 0   ? message_encode_json(message, overlay, &out)
                         : to == 1 ? message_encode_proto(message, overlay, &out)
                                   : message_http_headers(message, overlay, &out);
    ASSERT(status == STATUS_OK);
    sink += out.size;
}

static void json_same(void) {
    encode(&json_message, &no_overlay, 0);
}
static void json_added(void) {
    encode(&json_message, &added, 0);
}
static void json_replaced(void) {
    encode(&json_message, &replaced, 0);
}
static void json_to_proto(void) {
    encode(&json_message, NULL, 1);
}
static void json_to_http(void) {
    encode(&json_message, NULL, 2);
}
static void proto_same(void) {
    encode(&proto_message, NULL, 1);
}
static void proto_added(void) {
    encode(&proto_message, &added, 1);
}
static void proto_to_json(void) {
    encode(&proto_message, NULL, 0);
}

static void keep(void) {
    struct message *kept = message_keep(&proto_message, NULL);
    ASSERT(kept);
    message_unref(kept);
}

static struct slice headers;

static void decode_http(void) {
    static struct message message;
    struct slice lines = headers, type = {0};
    struct buffer extra;
    struct message_fault fault;
    buffer_init_fixed(&extra, scratch, sizeof scratch);
    message_init(&message, SLICE_OF("{\"order\":4711,\"x\":[1,2]}"));
    while (lines.size) {
        struct slice line = slice_head(lines, slice_find(lines, '\r'));
        size_t colon = slice_find(line, ':');
        lines = slice_skip(lines, line.size + 2);
        if (line.data[0] == 'C') {
            type = slice_skip(line, colon + 2);
            continue;
        }
        ASSERT(message_http_header(&message, &extra, slice_make(line.data + 3, colon - 3), slice_skip(line, colon + 2),
                                   &rules, &fault) == STATUS_OK);
    }
    ASSERT(message_http_finish(&message, &extra, type, &fault) == STATUS_OK);
    sink += message.value_count;
}

static void make_uuid(void) {
    static struct uuid_source source;
    static int64_t ns;
    uint8_t uuid[16];
    if (!ns)
        uuid_source_init(&source, 1);
    uuid_make(&source, (struct wall){ns += 1000}, uuid);
    sink += uuid[15];
}

int main(int argc, char **argv) {
    only = argc > 1 ? argv[1] : NULL;
    struct buffer proto, head;
    overlay_init(&no_overlay);
    overlay_init(&added);
    overlay_set_number(&added, ATTRIBUTE_DELIVERYATTEMPT, 2);
    overlay_set_text(&added, ATTRIBUTE_CAUSATIONID, SLICE_OF("019ab3d0-7710-7c02-8e11-0a6c5d9e4b12"));
    overlay_init(&replaced);
    overlay_set_number(&replaced, ATTRIBUTE_PRIORITY, 1);
    decode_json();
    buffer_init_fixed(&proto, proto_room, sizeof proto_room);
    ASSERT(message_encode_proto(&json_message, NULL, &proto) == STATUS_OK);
    proto_event = buffer_slice(&proto);
    decode_proto();
    buffer_init_fixed(&head, header_room, sizeof header_room);
    ASSERT(message_http_headers(&json_message, NULL, &head) == STATUS_OK);
    headers = buffer_slice(&head);
    printf("one event: %u attributes\n", json_message.value_count);
    run("json skip", skip_json, json_event.size);
    run("json decode", decode_json, json_event.size);
    run("proto decode", decode_proto, proto_event.size);
    run("http decode", decode_http, headers.size);
    run("json encode untouched", json_same, json_event.size);
    run("json encode, 2 added", json_added, json_event.size);
    run("json encode, 1 replaced", json_replaced, json_event.size);
    run("json to proto", json_to_proto, proto_event.size);
    run("json to http headers", json_to_http, headers.size);
    run("proto encode untouched", proto_same, proto_event.size);
    run("proto encode, 2 added", proto_added, proto_event.size);
    run("proto to json", proto_to_json, json_event.size);
    run("keep and release", keep, message_kept_size(&proto_message));
    run("uuid", make_uuid, 16);
    return 0;
}
