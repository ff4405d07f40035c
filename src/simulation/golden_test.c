/* Stories with exact words and exact times: what happens to one message, from an HTTP caller over the router to a system
 * that only speaks JSON lines, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "simulation/actor.h"
#include "simulation/node.h"

static const char yaml[] =
    "listeners: {web: http://127.0.0.1:8080}\n"
    "systems: {pricing: tcp://127.0.0.1:7101, desk: {accept: true}}\n"
    "routes: {prices: {match: {type: com.example.price.*, messagetype: query}, to: pricing, timeouts: {queue: 1s}}}\n";

struct story {
    struct world *world;
    struct node_config config;
    struct buffer text;
    struct actor *caller, *pricing;
};

static void on_ended(void *user, const struct engine_report *report) {
    struct story *story = user;
    world_tell(story->world, "the router ends %.*s: %s (%s)",
               SLICE_ARG(report->message ? message_text(report->message, ATTRIBUTE_ID) : SLICE_OF("-")),
               engine_ending_name(report->ending), status_reason(report->status));
}

static const struct engine_calls node_calls = {.ended = on_ended};

static void common(struct protocol_setup *setup, enum protocol_role role) {
    *setup = (struct protocol_setup){.role = role, .encoding = ENCODING_JSON, .name = SLICE("test")};
    setup->limits.message = 1u << 20;
    setup->limits.header = 32768;
    setup->limits.fields = 100;
    setup->limits.window = 64;
    setup->limits.window_bytes = 1u << 20;
    setup->timeouts.head_ns = setup->timeouts.auth_ns = 5 * NS_PER_S;
    setup->timeouts.idle_ns = 300 * NS_PER_S;
    setup->timeouts.heartbeat_ns = 15 * NS_PER_S;
    setup->timeouts.attempt_ns = 60 * NS_PER_S;
}

/* A node, the system that it calls (NULL: nobody is there), and who calls it. */
static void open_world(struct story *story, const char *text, const struct actor_script *pricing) {
    struct fault fault;
    *story = (struct story){0};
    buffer_init(&story->text, 1u << 20);
    if (!node_config_load(&story->config, slice_from(text), &fault))
        fail_msg("%s", fault.text);
    struct world_options options = {.seed = 1, .narrative = &story->text,
                                    .faults = {.delay_min_ns = NS_PER_MS, .delay_max_ns = NS_PER_MS, .window = 65536}};
    story->world = world_new(&options);
    struct node_options node = {.config = &story->config, .calls = &node_calls, .user = story, .workers = 1,
                                .cut_through = true, .memo = true};
    struct party *first = node_new(story->world, &node);
    if (pricing)
        story->pricing = actor_new(story->world, pricing);
    world_poke(story->world, first);
    struct actor_script script = {.name = "caller", .protocol = protocol_find(SLICE_OF("http1")),
                                  .address = SLICE_OF("127.0.0.1:8080")};
    common(&script.setup, PROTOCOL_DIALLED);
    script.setup.host = SLICE_OF("127.0.0.1:8080");
    script.setup.path = SLICE_OF("/v1/messages");
    script.setup.mode = PROTOCOL_MODE_STRUCTURED;
    story->caller = actor_new(story->world, &script);
}

static void open_story(struct story *story, bool with_pricing) {
    struct actor_script script = {.name = "pricing", .protocol = protocol_find(SLICE_OF("ndjson")),
                                  .address = SLICE_OF("127.0.0.1:7101"), .answers = true};
    common(&script.setup, PROTOCOL_ACCEPTED);
    open_world(story, yaml, with_pricing ? &script : NULL);
}

static void close_story(struct story *story) {
    world_free(story->world);
    node_config_free(&story->config);
    buffer_done(&story->text);
}

static void expect(struct story *story, const char *words) {
    buffer_add_byte(&story->text, 0);
    assert_string_equal((const char *)story->text.data, words);
}

static void a_query_over_http_is_answered_by_a_system_that_speaks_json_lines(void **state) {
    struct story story;
    (void)state;
    open_story(&story, true);
    actor_send_new(story.caller, "query", "com.example.price.get", NULL, "q1", 0, NULL, "{\"sku\":\"A-1\"}");
    world_poke(story.world, &story.caller->party);
    world_run(story.world, (struct mono){3 * NS_PER_S}, 10000);
    expect(&story, "    0.000 ms  caller dials 127.0.0.1:8080\n"
                   "    2.000 ms  node dials 127.0.0.1:7101\n"
                   "    4.000 ms  pricing gets query com.example.price.get q1\n"
                   "    6.000 ms  caller gets response com.example.answer r1-pricing\n");
    assert_int_equal(story.caller->got_replies, 1);
    close_story(&story);
}

static void a_query_to_nobody_is_answered_at_once_when_every_dial_failed(void **state) {
    struct story story;
    (void)state;
    open_story(&story, false);
    actor_send_new(story.caller, "query", "com.example.price.get", NULL, "q1", 0, NULL, "{\"sku\":\"A-1\"}");
    world_poke(story.world, &story.caller->party);
    world_run(story.world, (struct mono){3 * NS_PER_S}, 10000);
    buffer_add_byte(&story.text, 0);
    assert_non_null(strstr((const char *)story.text.data, "the router ends q1: dead (target-unavailable)\n"));
    assert_non_null(strstr((const char *)story.text.data, "caller is refused q1: "));
    assert_int_equal(story.caller->refused, 1);
    close_story(&story);
}

static void a_message_to_nobody_is_refused_with_its_reason(void **state) {
    struct story story;
    (void)state;
    open_story(&story, true);
    actor_send_new(story.caller, "event", "com.example.other", NULL, "e1", 0, NULL, "{}");
    world_poke(story.world, &story.caller->party);
    world_run(story.world, (struct mono){3 * NS_PER_S}, 10000);
    buffer_add_byte(&story.text, 0);
    assert_non_null(strstr((const char *)story.text.data, "the router ends e1: rejected (no-route)\n"));
    assert_int_equal(story.caller->refused, 1);
    close_story(&story);
}

/* -- a system that speaks plain lines -- */

static const char lines_yaml[] =
    "listeners: {web: http://127.0.0.1:8080}\n"
    "systems: {pricing: {url: tcp://127.0.0.1:7101, frame: line, format: raw, reply: fifo, timeouts: {attempt: 500ms}}}\n";

static void open_lines(struct story *story, bool mute) {
    static const struct protocol_default defaults[] = {{SLICE("messagetype"), SLICE("query")}};
    struct actor_script script = {.name = "pricing", .protocol = protocol_find(SLICE_OF("frames")),
                                  .address = SLICE_OF("127.0.0.1:7101"), .answers = !mute, .mute = mute};
    common(&script.setup, PROTOCOL_ACCEPTED);
    script.setup.format = PROTOCOL_FORMAT_RAW;
    script.setup.defaults = defaults;
    script.setup.default_count = 1;
    open_world(story, lines_yaml, &script);
    actor_send_new(story->caller, "query", "com.example.price.get", "pricing", "q1", 0, NULL, "{\"sku\":\"A-1\"}");
    world_poke(story->world, &story->caller->party);
    world_run(story->world, (struct mono){30 * NS_PER_S}, 10000);
    buffer_add_byte(&story->text, 0);
}

static void a_query_is_answered_by_the_next_line_of_a_system_that_knows_nothing_of_us(void **state) {
    struct story story;
    (void)state;
    open_lines(&story, false);
    assert_non_null(strstr((const char *)story.text.data, "    0.000 ms  caller dials 127.0.0.1:8080\n"
                                                          "    2.000 ms  node dials 127.0.0.1:7101\n"
                                                          "    4.000 ms  pricing gets query intertie.tcp.frame.v1 "));
    assert_non_null(strstr((const char *)story.text.data, "    6.000 ms  caller gets response intertie.tcp.frame.v1 "));
    assert_int_equal(story.caller->got_replies, 1);
    close_story(&story);
}

/* The query is asked anew, since it may be; each time on a connection that nothing is left on. */
static void a_line_that_does_not_come_closes_the_connection(void **state) {
    struct story story;
    (void)state;
    open_lines(&story, true);
    assert_non_null(strstr((const char *)story.text.data, "    4.000 ms  pricing gets query intertie.tcp.frame.v1 "));
    assert_non_null(strstr((const char *)story.text.data, " 1003.000 ms  node dials 127.0.0.1:7101\n"
                                                          " 1005.000 ms  pricing gets query intertie.tcp.frame.v1 "));
    assert_int_equal(story.caller->got_replies, 0);
    assert_int_equal(story.caller->refused, 1);
    close_story(&story);
}

/* -- a system that refuses -- */

static const char refusing_yaml[] =
    "listeners: {web: http://127.0.0.1:8080}\n"
    "systems: {ledger: {url: intertie://127.0.0.1:7460, redeliver: {attempts: 4, backoff: 100ms..400ms}}}\n";

static void what_is_refused_waits_longer_each_time_and_is_dead_in_the_end(void **state) {
    struct story story;
    struct actor_script script = {.name = "ledger", .protocol = protocol_find(SLICE_OF("stream1")),
                                  .address = SLICE_OF("127.0.0.1:7460"), .retry_percent = 100};
    (void)state;
    common(&script.setup, PROTOCOL_ACCEPTED);
    open_world(&story, refusing_yaml, &script);
    actor_send_new(story.caller, "event", "com.example.sold", "ledger", "e1", 0, NULL, "{}");
    world_poke(story.world, &story.caller->party);
    world_run(story.world, (struct mono){30 * NS_PER_S}, 10000);
    expect(&story, "    0.000 ms  node dials 127.0.0.1:7460\n"
                   "    0.000 ms  caller dials 127.0.0.1:8080\n"
                   "    4.000 ms  ledger gets event com.example.sold e1\n"
                   "   20.259 ms  ledger gets event com.example.sold e1\n"
                   "   32.259 ms  ledger gets event com.example.sold e1\n"
                   "  378.237 ms  ledger gets event com.example.sold e1\n"
                   "  379.237 ms  the router ends e1: dead (retries-exhausted)\n");
    assert_int_equal(story.caller->accepted, 1);
    close_story(&story);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_over_http_is_answered_by_a_system_that_speaks_json_lines),
        cmocka_unit_test(a_query_to_nobody_is_answered_at_once_when_every_dial_failed),
        cmocka_unit_test(a_message_to_nobody_is_refused_with_its_reason),
        cmocka_unit_test(a_query_is_answered_by_the_next_line_of_a_system_that_knows_nothing_of_us),
        cmocka_unit_test(a_line_that_does_not_come_closes_the_connection),
        cmocka_unit_test(what_is_refused_waits_longer_each_time_and_is_dead_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
