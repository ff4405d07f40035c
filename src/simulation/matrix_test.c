/* Every way in to every way out: an actor that sends by one, a router, an actor that takes by the other.
 *
 * The ways are the schemes of the configuration that both sides have. The actors' protocols and setups are compiled from
 * configurations as a router's are, so whatever a scheme comes to mean is in here by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "message/encoding.h"
#include "simulation/actor.h"
#include "simulation/node.h"

#define EXTENSIONS "extensions: {amount: integer, ready: boolean, token: binary, due: timestamp}\n"

static const char *const sent_json =
    "{\"specversion\":\"1.0\",\"id\":\"m1\",\"source\":\"/systems/near\",\"type\":\"com.example.matrix\",\"messagetype\":\"%s\","
    "\"subject\":\"\\u00e4 b%%\",\"time\":\"2026-11-22T22:10:42.25Z\",\"priority\":3,\"partitionkey\":\"k\",\"amount\":-7,"
    "\"ready\":true,\"token\":\"AAECAwQF\",\"due\":\"2027-01-02T03:04:05Z\",\"undeclared\":\"x\","
    "\"datacontenttype\":\"application/json\",\"data\":{\"n\":12345678901234567890,\"t\":\"gr\xc3\xbcn \\\" \\\\ \\u2028\"}}";

/* Of the same event on any other wire. */
static const char *const kept_parts[] = {
    "\"id\":\"m1\"", "\"source\":\"/systems/near\"", "\"type\":\"com.example.matrix\"", "\"time\":\"2026-11-22T22:10:42.25Z\"",
    "\"priority\":3", "\"partitionkey\":\"k\"", "\"amount\":-7", "\"ready\":true", "\"token\":\"AAECAwQF\"",
    "\"due\":\"2027-01-02T03:04:05Z\"", "\"undeclared\":\"x\"", "\"datacontenttype\":\"application/json\"",
    "\"data\":{\"n\":12345678901234567890,\"t\":\"gr\xc3\xbcn \\\" \\\\ \\u2028\"}",
};

struct pair {
    struct world *world;
    struct node_config near, middle, far; /* `near` dials the router, `far` is dialled by it */
    struct actor *sender, *taker;
};

static void load(struct node_config *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void load(struct node_config *out, const char *format, ...) {
    char yaml[1024];
    struct fault fault;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(yaml, sizeof yaml, format, arguments);
    va_end(arguments);
    assert_true(size > 0 && (size_t)size < sizeof yaml);
    if (!node_config_load(out, slice_make(yaml, (size_t)size), &fault))
        fail_msg("%s\n%s", yaml, fault.text);
}

/* Whether a router can listen and dial by it. */
static bool is_way(enum config_scheme scheme) {
    struct node_config config;
    struct fault fault;
    char yaml[512];
    int size = snprintf(yaml, sizeof yaml, "listeners: {in: %s://127.0.0.1:7101}\nsystems: {out: %s://127.0.0.1:7201}\n",
                        config_scheme_name(scheme), config_scheme_name(scheme));
    bool is = node_config_load(&config, slice_make(yaml, (size_t)size), &fault);
    if (is)
        node_config_free(&config);
    return is;
}

static const char *path_of(enum config_scheme scheme) {
    return scheme == CONFIG_SCHEME_HTTP || scheme == CONFIG_SCHEME_HTTPS ? "/v1/messages" : "";
}

/* Only who is known may be answered by datagrams. */
static const char *more_of(enum config_scheme scheme) {
    return scheme == CONFIG_SCHEME_UDP ? ", system: near, allow: 127.0.0.0/8" : "";
}

static void open_pair(struct pair *pair, enum config_scheme in, enum config_scheme out) {
    *pair = (struct pair){0};
    load(&pair->near, EXTENSIONS "systems: {router: %s://127.0.0.1:7101%s}\n", config_scheme_name(in), path_of(in));
    load(&pair->middle, EXTENSIONS "listeners: {in: {url: %s://127.0.0.1:7101%s}}\nsystems: {near: {}, out: %s://127.0.0.1:7201%s}\n"
                                   "routes: {every: {match: {}, to: out}}\n",
         config_scheme_name(in), more_of(in), config_scheme_name(out), path_of(out));
    load(&pair->far, EXTENSIONS "listeners: {in: {url: %s://127.0.0.1:7201%s}}\nsystems: {near: {}}\n", config_scheme_name(out),
         more_of(out));
    struct world_options options = {.seed = 7, .faults = {.delay_min_ns = NS_PER_MS, .delay_max_ns = NS_PER_MS, .window = 65536}};
    pair->world = world_new(&options);
    static const struct engine_calls calls;
    struct node_options node = {.config = &pair->middle, .calls = &calls, .workers = 1, .cut_through = true, .memo = true};
    struct party *first = node_new(pair->world, &node);
    const struct plan_listener *listener = &pair->far.plan->listeners[0];
    struct actor_script taker = {.name = "out", .protocol = listener->protocol, .setup = listener->setup,
                                 .address = SLICE_OF("127.0.0.1:7201"), .answers = true};
    pair->taker = actor_new(pair->world, &taker);
    world_poke(pair->world, first);
    const struct plan_endpoint *endpoint = &pair->near.plan->endpoints[0][0];
    struct actor_script sender = {.name = "near", .protocol = endpoint->protocol, .setup = endpoint->setup,
                                  .address = SLICE_OF("127.0.0.1:7101")};
    pair->sender = actor_new(pair->world, &sender);
}

static void close_pair(struct pair *pair) {
    world_free(pair->world);
    node_config_free(&pair->near);
    node_config_free(&pair->middle);
    node_config_free(&pair->far);
}

static void send_one(struct pair *pair, const char *kind) {
    char text[1024];
    uint8_t room[2048];
    struct message message;
    struct message_fault fault;
    struct buffer extra;
    struct message_rules rules = {.declared = &pair->near.config->extensions, .size_max = 65536};
    int size = snprintf(text, sizeof text, sent_json, kind);
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_make(text, (size_t)size), &extra, &rules, &fault), STATUS_OK);
    actor_send(pair->sender, &message);
    world_poke(pair->world, &pair->sender->party);
    world_run(pair->world, (struct mono){10 * NS_PER_S}, 10000);
}

static void check_arrival(struct pair *pair, const char *way) {
    struct buffer text;
    buffer_init(&text, 65536);
    if (!pair->taker->newest)
        fail_msg("%s: nothing arrived", way);
    assert_int_equal(message_encode_json(pair->taker->newest, NULL, &text), STATUS_OK);
    buffer_add_byte(&text, 0);
    for (size_t i = 0; i < COUNT_OF(kept_parts); i++)
        if (!strstr((const char *)text.data, kept_parts[i]))
            fail_msg("%s: %s is not in %s", way, kept_parts[i], (const char *)text.data);
    buffer_done(&text);
}

static void check_answer(struct pair *pair, const char *way) {
    const struct message *answer = pair->sender->newest;
    if (!answer)
        fail_msg("%s: no answer came", way);
    struct buffer data;
    buffer_init(&data, 4096);
    message_data_write(answer, &data);
    assert_true(slice_is(buffer_slice(&data), "{\"ok\":true}"));
    assert_true(slice_is(message_text(answer, ATTRIBUTE_CAUSATIONID), "m1"));
    buffer_done(&data);
}

static unsigned each_pair(const char *kind) {
    unsigned count = 0;
    for (enum config_scheme in = 0; in < CONFIG_SCHEME_COUNT; in++)
        for (enum config_scheme out = 0; is_way(in) && out < CONFIG_SCHEME_COUNT; out++) {
            struct pair pair;
            char way[80];
            if (!is_way(out))
                continue;
            snprintf(way, sizeof way, "%s from %s to %s", kind, config_scheme_name(in), config_scheme_name(out));
            open_pair(&pair, in, out);
            send_one(&pair, kind);
            check_arrival(&pair, way);
            if (strcmp(kind, "query") == 0)
                check_answer(&pair, way);
            close_pair(&pair);
            count++;
        }
    return count;
}

static void an_event_crosses_every_pair_with_its_data_and_typed_attributes(void **state) {
    (void)state;
    assert_true(each_pair("event") >= 16);
}

static void a_query_crosses_every_pair_and_its_answer_comes_back(void **state) {
    (void)state;
    assert_true(each_pair("query") >= 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_crosses_every_pair_with_its_data_and_typed_attributes),
        cmocka_unit_test(a_query_crosses_every_pair_and_its_answer_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
