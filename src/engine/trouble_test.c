/* What peers and full queues did to the engine once: each case is a fault that was found and must stay mended. */
#include "engine/fixture.h"

static const char groups[] =
    "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {}\n  watch: {}\n  desk: {accept: {sessions: 2}}\n";
static const char small_queue[] = "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {}\n"
                                  "  desk: {accept: true, limits: {queue: {bytes: 1KiB}}}\n";

static struct fixture_peer *crm;
static char long_words[1300];

static void start(const char *yaml) {
    fx_start(yaml);
    crm = fx_system("crm", false);
}

static struct fixture_peer *watcher(const char *group) {
    struct fixture_peer *peer = fx_system("watch", false);
    assert_int_equal(fx_subscribe(peer, 1, "EXISTS id", group), STATUS_OK);
    return peer;
}

static void leave(struct fixture_peer *peer) {
    peer->sink->calls->unsubscribe(peer->sink->user, 1);
    fx_turn();
}

static const char *with_subject(const char *words, size_t size) {
    size_t used = strlen(words);
    memcpy(long_words, words, used);
    memset(long_words + used, 'x', size);
    long_words[used + size] = '\0';
    return long_words;
}

static void a_group_member_may_leave_before_it_acks(void **state) {
    (void)state;
    start(groups);
    struct fixture_peer *first = watcher("g");
    fx_say(crm, "crm", "e1", "");
    fx_turn();
    fx_expect(&first->got, "e1");
    watcher("g");
    leave(first);
    fx_ack(first, 1, 1);
    fx_turn();
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    fx_stop();
}

static void what_a_member_left_behind_goes_to_the_next(void **state) {
    (void)state;
    start(groups);
    struct fixture_peer *first = watcher("g");
    fx_say(crm, "crm", "e1", "");
    fx_turn();
    struct fixture_peer *second = watcher("g");
    leave(first);
    fx_lose(first);
    fx_pass(500 * NS_PER_MS);
    fx_expect(&second->got, "e1*2");
    fx_stop();
}

static void a_subscription_ends_with_all_of_its_keys(void **state) {
    (void)state;
    start(groups);
    struct fixture_peer *only = watcher(NULL);
    fx_say(crm, "crm", "e1", "partitionkey=k");
    fx_say(crm, "crm", "e2", "partitionkey=k");
    fx_turn();
    leave(only);
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    fx_stop();
}

static void a_small_message_does_not_overtake_a_larger_one(void **state) {
    (void)state;
    start(small_queue);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_turn();
    fx_say(crm, "crm", "e2", with_subject("target=desk subject=", 500));
    fx_turn();
    fx_say(crm, "crm", "e3", "target=desk");
    fx_turn();
    struct fixture_peer *desk = fx_system("desk", true);
    fx_turn();
    fx_expect(&desk->got, "e1 e2 e3");
    fx_stop();
}

static void what_never_fits_a_queue_blocks_nobody(void **state) {
    (void)state;
    start(small_queue);
    fx_system("desk", true);
    fx_say(crm, "crm", "e1", with_subject("target=desk partitionkey=k subject=", 1100));
    fx_say(crm, "crm", "e2", "target=desk");
    fx_turn();
    fx_pass(3600 * NS_PER_S);
    assert_int_equal(engine_totals(fx.engine)->waiting, 0);
    fx_stop();
}

static void what_was_written_while_closing_is_delivered(void **state) {
    (void)state;
    start(groups);
    fx.terms.acks = false;
    struct fixture_peer *desk = fx_system("desk", true);
    fx.terms.acks = true;
    desk->stuck = true;
    fx_say(crm, "crm", "e1", "target=desk");
    fx_turn();
    desk->sink->closing = true;
    desk->sink->close_status = STATUS_PEER_CLOSED;
    connection_touch(net_find(engine_net(fx.engine), desk->handle));
    fx_turn();
    fx_write(desk, UINT64_MAX);
    fx_turn();
    assert_true(desk->closed);
    assert_int_equal(engine_totals(fx.engine)->endings[ENDING_DELIVERED][STATUS_OK], 1);
    fx_stop();
}

static void offline_refuse_still_dials(void **state) {
    (void)state;
    start("listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {}\n"
          "  far: {url: \"tcp://127.0.0.1:1\", offline: refuse}\n");
    fx_say(crm, "crm", "e1", "target=far");
    fx_turn();
    assert_int_equal(fx.dial_count, 1);
    fx_stop();
}

static void an_asker_is_told_when_its_reply_can_not_be_written(void **state) {
    (void)state;
    fx_start(groups);
    fx.terms.inline_reply = true;
    fx.terms.can_reply = false;
    crm = fx_system("crm", false);
    fx.terms.inline_reply = false;
    fx.terms.can_reply = true;
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "q1", "target=desk messagetype=query");
    fx_turn();
    fx_ack(desk, 1, 1);
    crm->picky = true;
    fx_say(desk, "desk", "r1", "messagetype=response causationid=q1");
    fx_turn();
    assert_true(crm->told.size > 0);
    fx_stop();
}

static void a_forgotten_ack_gives_its_place_back(void **state) {
    (void)state;
    start("listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {}\n"
          "  desk: {accept: true, limits: {in_flight: 1}, redeliver: {attempts: 1}}\n");
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_say(crm, "crm", "e2", "target=desk");
    fx_turn();
    for (int i = 0; i < 4; i++)
        fx_pass(60 * NS_PER_S);
    fx_expect(&desk->got, "e1 e2");
    fx_stop();
}

static void a_waiter_that_moves_has_the_patience_of_its_new_place(void **state) {
    (void)state;
    start("listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {}\n  watch: {limits: {queue: {messages: 1}}}\n"
          "  desk: {accept: true, limits: {queue: {messages: 1}}}\nroutes: {r: {match: {type: com.example.*}, to: desk}}\n");
    fx.room = 0;
    watcher(NULL);
    fx.room = UINT32_MAX;
    fx_say(crm, "crm", "e1", "");
    fx_say(crm, "crm", "e2", "");
    fx_turn();
    struct fixture_peer *desk = fx_system("desk", true);
    fx_turn();
    fx_ack(desk, 1, 1);
    fx_turn();
    for (int i = 0; i < 4; i++)
        fx_pass(60 * NS_PER_S);
    assert_int_equal(engine_totals(fx.engine)->waiting, 0);
    fx_stop();
}

static void reads_stay_on_while_the_peer_owes_an_ack(void **state) {
    (void)state;
    fx_start("listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n"
             "  desk: {accept: true, limits: {in_flight: 1, queue: {messages: 1}}}\n");
    fx.terms.when_full = PROTOCOL_FULL_STOP;
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(desk, "desk", "e1", "target=desk");
    fx_say(desk, "desk", "e2", "target=desk");
    fx_say(desk, "desk", "e3", "target=desk");
    fx_turn();
    assert_false(desk->reads_off);
    fx_stop();
}

static void what_comes_back_from_a_connection_keeps_what_was_decided(void **state) {
    (void)state;
    fx_start("listeners: {in: {url: intertie://127.0.0.1:7460, max_priority: 2}}\nsystems:\n  crm: {}\n"
             "  desk: {accept: {sessions: 2}, stamp: true}\n");
    crm = fx_system("crm", false);
    fx.terms.acks = false;
    struct fixture_peer *desk = fx_system("desk", true);
    desk->stuck = true;
    fx_say(crm, "crm", "e1", "target=desk priority=5");
    fx_turn();
    fx_lose(desk);
    fx_turn();
    struct engine_system_view view;
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.held[2], 1);
    struct fixture_peer *next = fx_system("desk", true);
    fx_turn();
    buffer_add_byte(&next->wire, 0);
    assert_non_null(strstr((const char *)next->wire.data, "\"authid\":\"crm\""));
    fx_stop();
}

static void one_connection_has_a_limit_of_subscriptions(void **state) {
    (void)state;
    start(groups);
    struct fixture_peer *peer = fx_system("watch", false);
    for (uint32_t i = 1; i <= 16; i++)
        assert_int_equal(fx_subscribe(peer, i, "EXISTS id", NULL), STATUS_OK);
    assert_int_equal(fx_subscribe(peer, 17, "EXISTS id", NULL), STATUS_OVERLOADED);
    fx_stop();
}

#define FAR_START "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {}\n"

/* Both of its endpoints are being dialled for requests that wait. */
static void ask_far(void) {
    start(FAR_START "  far: {endpoints: {a: tcp://127.0.0.1:1, b: tcp://127.0.0.1:2}}\n");
    fx_say(crm, "crm", "q1", "target=far messagetype=query");
    fx_say(crm, "crm", "q2", "target=far messagetype=query");
    fx_turn();
    assert_int_equal(fx.dial_count, 2);
}

static void an_endpoint_may_go_while_it_is_dialled_and_others_stay(void **state) {
    (void)state;
    ask_far();
    fx_reload(FAR_START "  far: {endpoints: {a: tcp://127.0.0.1:1}}\n");
    assert_int_equal(engine_totals(fx.engine)->held, 2);
    struct fixture_peer *far = fx_connect((uint32_t)fx.dials[0].place == 0 ? 0 : 1);
    fx_turn();
    fx_expect(&far->got, "q1 q2");
    fx_stop();
}

static void a_system_may_go_while_its_endpoints_are_dialled(void **state) {
    (void)state;
    ask_far();
    fx_reload(FAR_START);
    fx_expect(&fx.ended, "q1:dead:system-removed q2:dead:system-removed");
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_member_may_leave_before_it_acks),
        cmocka_unit_test(what_a_member_left_behind_goes_to_the_next),
        cmocka_unit_test(a_subscription_ends_with_all_of_its_keys),
        cmocka_unit_test(a_small_message_does_not_overtake_a_larger_one),
        cmocka_unit_test(what_never_fits_a_queue_blocks_nobody),
        cmocka_unit_test(what_was_written_while_closing_is_delivered),
        cmocka_unit_test(offline_refuse_still_dials),
        cmocka_unit_test(an_asker_is_told_when_its_reply_can_not_be_written),
        cmocka_unit_test(a_forgotten_ack_gives_its_place_back),
        cmocka_unit_test(a_waiter_that_moves_has_the_patience_of_its_new_place),
        cmocka_unit_test(reads_stay_on_while_the_peer_owes_an_ack),
        cmocka_unit_test(what_comes_back_from_a_connection_keeps_what_was_decided),
        cmocka_unit_test(one_connection_has_a_limit_of_subscriptions),
        cmocka_unit_test(an_endpoint_may_go_while_it_is_dialled_and_others_stay),
        cmocka_unit_test(a_system_may_go_while_its_endpoints_are_dialled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
