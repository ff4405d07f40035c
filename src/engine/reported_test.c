/* Takers that say how busy they are get less. */
#include "engine/reported.h"

#include "engine/fixture.h"

#define YAML                                                         \
    "listeners: {in: intertie://127.0.0.1:7460}\n"                   \
    "systems:\n"                                                     \
    "  crm: {}\n"                                                    \
    "  far: {accept: true, endpoints: {a: 'http://127.0.0.1:1/', b: {url: 'http://127.0.0.1:2/', weight: 4}}}\n"

static const struct balance_place *place(const struct outlet *outlet) {
    return &outlet->recipient->choice->balance.slots[outlet->slot].place;
}

static const struct outlet *endpoint(size_t index) {
    return &fx.engine->systems[1]->endpoints[index]->outlet;
}

static void beat(struct fixture_peer *p, const char *subject, const char *data) {
    static uint8_t text[1024];
    struct buffer json;
    buffer_init_fixed(&json, text, sizeof text);
    buffer_add_format(&json,
                      "{\"specversion\":\"1.0\",\"id\":\"h\",\"source\":\"/systems/far\",\"type\":\"com.example.beat\","
                      "\"messagetype\":\"heartbeat\",\"subject\":\"%s\",\"data\":%s}\n",
                      subject, data);
    struct engine_input input = {.kind = INPUT_BYTES, .connection = p->handle, .bytes = buffer_slice(&json)};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
}

static void an_endpoint_is_named_in_subject(void **state) {
    (void)state;
    fx_start(YAML);
    struct fixture_peer *far = fx_system("far", false);
    beat(far, "b", "{\"load\":0.5,\"other\":[1,{\"load\":1}]}");
    assert_int_equal(place(endpoint(1))->ramp, 500);
    assert_int_equal(place(endpoint(1))->weight, 4000);
    assert_int_equal(place(endpoint(0))->ramp, 1000);
    beat(far, "b", "{\"load\":0.5,\"capacity\":20}");
    assert_int_equal(place(endpoint(1))->weight, 20000);
    fx_pass(31 * NS_PER_S); /* it fades */
    fx_pass(35 * NS_PER_S);
    fx_pass(6 * NS_PER_S);
    assert_int_equal(place(endpoint(1))->ramp, 1000);
    assert_int_equal(place(endpoint(1))->weight, 4000);
    fx_stop();
}

static void a_session_says_it_of_itself(void **state) {
    (void)state;
    fx_start(YAML);
    struct fixture_peer *far = fx_system("far", true);
    beat(far, "me", "{\"load\":1}");
    const struct list *members = &fx.engine->systems[1]->recipient.members;
    const struct member *m = LIST_ENTRY(list_first(members), struct member, recipient_node);
    assert_int_equal(place(m->outlet)->ramp, LOAD_LEAST);
    fx_stop();
}

static void what_is_no_load_changes_nothing(void **state) {
    static const char *const rows[] = {"{\"load\":2}",        "{\"load\":-1}", "{\"load\":\"1\"}", "[0.5]", "{\"capacity\":0}",
                                       "{\"capacity\":\"9\"}", "\"x\"",          "{}",               "{\"load\":1e999}"};
    (void)state;
    fx_start(YAML);
    struct fixture_peer *far = fx_system("far", false);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        beat(far, "b", rows[i]);
    beat(far, "nobody", "{\"load\":1}");
    assert_int_equal(endpoint(1)->load.heard.ns, 0);
    assert_int_equal(place(endpoint(1))->ramp, 1000);
    assert_int_equal(engine_totals(fx.engine)->heartbeats, COUNT_OF(rows) + 1);
    fx_stop();
}

/* A letter of another worker; a reload keeps what is known. */
static void other_workers_are_told(void **state) {
    (void)state;
    fx_start(YAML);
    const struct letter letter = {.kind = LETTER_LOAD, .sub = 750};
    const struct slice texts[4] = {SLICE_OF("far"), SLICE_OF("a"), SLICE_OF(""), SLICE_OF("")};
    reported_heard(fx.engine, 1, &letter, texts);
    fx_turn();
    assert_int_equal(place(endpoint(0))->ramp, 250);
    fx_reload(YAML);
    assert_int_equal(place(endpoint(0))->ramp, 250);
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_is_named_in_subject),
        cmocka_unit_test(a_session_says_it_of_itself),
        cmocka_unit_test(what_is_no_load_changes_nothing),
        cmocka_unit_test(other_workers_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
