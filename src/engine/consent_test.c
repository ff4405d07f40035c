/* Endpoints that are asked before events come, and that say how fast. */
#include "engine/fixture.h"

#define YAML                                                     \
    "listeners: {in: intertie://127.0.0.1:7460}\n"               \
    "public_url: https://events.example.com:8443/x\n"            \
    "systems:\n"                                                 \
    "  crm: {}\n"                                                \
    "  far: {url: 'http://127.0.0.1:9/in', pool: {max: 8}, webhook: {handshake: true, rate: 120/m}}\n"

static struct fixture_peer *crm;

static void start(void) {
    fx_start(YAML);
    crm = fx_system("crm", false);
}

static void say(const char *id) {
    fx_say(crm, "crm", id, "target=far");
    fx_turn();
}

static struct endpoint *far(void) {
    return fx.engine->systems[plan_system(fx.engine->plan, SLICE_OF("far"))]->endpoints[0];
}

static struct fixture_peer *connect_dial(unsigned dial) {
    struct fixture_peer *p = fx_connect(dial);
    fx_turn();
    return p;
}

static void events_wait_for_consent_and_one_connection_asks(void **state) {
    (void)state;
    start();
    assert_true(slice_is(far()->plan->setup.webhook.origin, "events.example.com"));
    assert_int_equal(far()->plan->setup.webhook.rate, 120);
    say("e1");
    say("e2");
    say("e3");
    assert_int_equal(fx.dial_count, 1);
    struct fixture_peer *p = connect_dial(0);
    assert_ptr_equal(p->sink->consent, &far()->consent);
    fx_pass(NS_PER_S);
    fx_expect(&p->got, "");
    p->sink->consent->given = true;
    p->sink->calls->room(p->sink->user);
    recipient_wake(fx.engine, &far()->system->recipient);
    fx_turn();
    fx_expect(&p->got, "e1 e2 e3");
    fx_stop();
}

static void consent_with_the_last_words_of_a_connection_counts(void **state) {
    (void)state;
    start();
    say("e1");
    struct fixture_peer *p = connect_dial(0);
    struct endpoint *e = far();
    e->open--; /* as if it had greeted: the fixture's peers never do */
    LIST_ENTRY(list_first(&e->system->recipient.members), struct member, recipient_node)->session->is_there = false;
    p->sink->consent->given = true;
    p->sink->consent->rate = 60;
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = p->handle, .status = STATUS_PEER_CLOSED};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    assert_true(e->failures == 0 && e->open == 0 && e->connections <= 1 && e->pace.interval_ns > 0);
    fx_pass(NS_PER_S);
    fx_expect(&connect_dial(1)->got, "e1");
    fx_stop();
}

static void the_allowed_rate_is_obeyed(void **state) {
    (void)state;
    start();
    far()->consent = (struct protocol_consent){.given = true, .rate = 2};
    say("e1");
    say("e2");
    say("e3");
    struct fixture_peer *p = connect_dial(0);
    fx_expect(&p->got, "e1");
    fx_ack(p, 1, 1);
    unsigned dials = fx.dial_count;
    fx_pass(29 * NS_PER_S);
    fx_expect(&p->got, "");
    fx_pass(2 * NS_PER_S);
    fx_expect(&p->got, "e2");
    fx_ack(p, 2, 2);
    assert_int_equal(fx.dial_count, dials); /* more connections would not help */
    fx_pass(30 * NS_PER_S);
    fx_expect(&p->got, "e3");
    fx_stop();
}

static void who_asks_for_a_rest_gets_one(void **state) {
    (void)state;
    start();
    far()->consent = (struct protocol_consent){.given = true};
    fx.terms.acks = true;
    say("e1");
    struct fixture_peer *p = connect_dial(0);
    fx_expect(&p->got, "e1");
    p->sink->calls->outcome(p->sink->user, 1, 1, (struct protocol_outcome){VERDICT_RETRY, STATUS_RATE_LIMITED, 20000});
    say("e2");
    fx_pass(19 * NS_PER_S);
    fx_expect(&p->got, "");
    fx_pass(2 * NS_PER_S);
    p->got.data[p->got.size] = 0;
    assert_non_null(strstr((const char *)p->got.data, "e2"));
    fx_stop();
}

static void gone_is_gone_until_a_reload(void **state) {
    (void)state;
    struct engine_endpoint_view view;
    start();
    far()->consent = (struct protocol_consent){.given = true};
    say("e1");
    struct fixture_peer *p = connect_dial(0);
    p->sink->consent->gone = true;
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = p->handle, .status = STATUS_PEER_CLOSED};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    engine_endpoint_view(fx.engine, far()->system->index, 0, &view);
    assert_int_equal(view.state, ENDPOINT_DOWN);
    assert_non_null(strstr(view.why, "410"));
    unsigned dials = fx.dial_count;
    say("e2");
    fx_pass(300 * NS_PER_S);
    assert_int_equal(fx.dial_count, dials);
    fx_reload(YAML);
    fx_turn();
    assert_false(far()->consent.gone || far()->fitness.is_gone);
    assert_true(far()->consent.given);
    assert_int_equal(fx.dial_count, dials + 1);
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_wait_for_consent_and_one_connection_asks),
        cmocka_unit_test(consent_with_the_last_words_of_a_connection_counts),
        cmocka_unit_test(the_allowed_rate_is_obeyed),
        cmocka_unit_test(who_asks_for_a_rest_gets_one),
        cmocka_unit_test(gone_is_gone_until_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
