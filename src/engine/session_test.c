/* Who a peer is and what it may, what it subscribes to, what a reload and a drain change. */
#include "engine/fixture.h"

static const char yaml[] = "listeners: {in: intertie://127.0.0.1:7460}\n"
                           "systems:\n"
                           "  crm: {}\n"
                           "  watch: {limits: {queue: {messages: 4}}}\n"
                           "  desk: {accept: {sessions: 2}}\n";

static struct fixture_peer *crm;

static void start(const char *text) {
    fx_start(text);
    crm = fx_system("crm", false);
}

static uint64_t count(enum engine_ending ending, enum status status) {
    return engine_totals(fx.engine)->endings[ending][status];
}

/* -- subscriptions -- */

static struct fixture_peer *watcher(const char *filter, const char *group, uint32_t room) {
    fx.room = room;
    struct fixture_peer *p = fx_system("watch", false);
    fx.room = UINT32_MAX;
    assert_int_equal(fx_subscribe(p, 1, filter, group), STATUS_OK);
    return p;
}

static void a_subscription_gets_what_its_filter_wants(void **state) {
    (void)state;
    start(yaml);
    struct fixture_peer *all = watcher("EXISTS id", NULL, UINT32_MAX), *some = watcher("subject = 'a'", NULL, UINT32_MAX);
    fx_say(crm, "crm", "e1", "subject=a");
    fx_say(crm, "crm", "e2", "subject=b");
    fx_say(crm, "crm", "c1", "subject=a messagetype=command");
    fx_turn();
    fx_expect(&all->got, "e1 e2");
    fx_expect(&some->got, "e1");
    fx_expect(&crm->told, "no-route:3 ok:1-2"); /* a command is for one who does it */
    fx_lose(all);
    fx_say(crm, "crm", "e3", "subject=b");
    fx_turn();
    fx_expect(&crm->told, "no-route:4");
    fx_stop();
}

static void of_a_group_one_gets_it(void **state) {
    (void)state;
    start(yaml);
    struct fixture_peer *a = watcher("EXISTS id", "g", UINT32_MAX), *b = watcher("EXISTS id", "g", UINT32_MAX);
    struct fixture_peer *alone = watcher("EXISTS id", "h", UINT32_MAX);
    for (int i = 1; i <= 4; i++) {
        char id[3] = {'e', (char)('0' + i), 0};
        fx_say(crm, "crm", id, "");
    }
    fx_turn();
    assert_int_equal(a->got.size, 5); /* two each */
    assert_int_equal(b->got.size, 5);
    assert_memory_not_equal(a->got.data, b->got.data, 5);
    fx_expect(&alone->got, "e1 e2 e3 e4");
    buffer_clear(&b->got);
    fx_lose(a); /* unacknowledged: the other one gets them again */
    fx_pass(500 * NS_PER_MS);
    assert_int_equal(b->got.size, 9);
    fx_stop();
}

static void a_filter_that_is_wrong_is_refused(void **state) {
    (void)state;
    start(yaml);
    struct fixture_peer *p = watcher("EXISTS id", "g", UINT32_MAX), *other = fx_system("watch", false);
    assert_int_equal(fx_subscribe(p, 2, "type = ", NULL), STATUS_MALFORMED_CONTROL);
    assert_int_equal(fx_subscribe(p, 3, "tenant = 'a'", NULL), STATUS_MALFORMED_CONTROL); /* not declared */
    assert_int_equal(fx_subscribe(other, 1, "EXISTS type", "g"), STATUS_MALFORMED_CONTROL); /* another filter */
    fx_turn();
    fx_say(crm, "crm", "e1", "");
    fx_turn();
    fx_expect(&p->got, "e1");
    fx_stop();
}

static void a_slow_consumer_misses_until_half_is_free(void **state) {
    (void)state;
    start(yaml);
    struct fixture_peer *slow = watcher("EXISTS id", NULL, 0), *fast = watcher("EXISTS id", NULL, UINT32_MAX);
    for (int i = 1; i <= 5; i++) {
        char id[3] = {'e', (char)('0' + i), 0};
        fx_say(crm, "crm", id, "");
    }
    fx_turn();
    fx_expect(&crm->told, "ok:1-4"); /* it slows the sender for a moment */
    fx_pass(50 * NS_PER_MS);
    fx_expect(&crm->told, "ok:5");
    fx_expect(&fx.ended, "e5:dropped:slow-consumer");
    fx_say(crm, "crm", "e6", "");
    fx_turn();
    fx_expect(&crm->told, "ok:6"); /* and no longer */
    fx_expect(&fx.ended, "e6:dropped:slow-consumer");
    fx_expect(&fast->got, "e1 e2 e3 e4 e5 e6");
    fx_room(slow, 2);
    fx_turn();
    fx_expect(&slow->got, "e1 e2");
    fx_say(crm, "crm", "e7", "");
    fx_turn();
    fx_expect(&fx.ended, "");
    fx_room(slow, 10);
    fx_turn();
    fx_expect(&slow->got, "e3 e4 e7");
    fx_stop();
}

static void what_a_subscription_holds_ends_with_it(void **state) {
    (void)state;
    start(yaml);
    struct fixture_peer *slow = watcher("EXISTS id", NULL, 0);
    fx_say(crm, "crm", "e1", "");
    fx_say(crm, "crm", "e2", "partitionkey=a");
    fx_say(crm, "crm", "e3", "partitionkey=a");
    fx_turn();
    slow->sink->calls->unsubscribe(slow->sink->user, 1);
    fx_turn();
    assert_true(count(ENDING_DROPPED, STATUS_PEER_CLOSED) == 3);
    assert_true(engine_totals(fx.engine)->held == 0);
    fx_stop();
}

/* -- sessions -- */

static void sessions_of_a_system_are_balanced_and_limited(void **state) {
    (void)state;
    start(yaml);
    struct fixture_peer *a = fx_system("desk", true), *b = fx_system("desk", true), *third = fx_accept(0);
    assert_int_equal(fx_hello(third, "desk", NULL, true), STATUS_TOO_MANY_CONNECTIONS);
    assert_int_equal(fx_hello(third, "crm", NULL, true), STATUS_FORBIDDEN); /* it does not accept */
    assert_int_equal(fx_hello(third, "nobody", NULL, true), STATUS_UNKNOWN_TARGET);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_say(crm, "crm", "e2", "target=desk");
    fx_turn();
    assert_int_equal(a->got.size, 2);
    assert_int_equal(b->got.size, 2);
    fx_lose(b);
    fx_turn();
    assert_int_equal(fx_hello(third, "desk", NULL, true), STATUS_OK);
    fx_stop();
}

/* -- identities -- */

#define KEY_A "itk_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE"
#define KEY_B "itk_YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI"
#define HASH_B "sha256:0614398cc2cd72d214f26de6c53a3f1a2eff128a5c7c1fbd8646dd11d2e09156"
#define HASH_A "sha256:17640d29039a1262803a71711440964c6a69627b65e68709e478aa4624dba923"

static const char guarded[] =
    "listeners: {in: {url: intertie://127.0.0.1:7460, auth: key}, open: intertie://127.0.0.1:7461}\n"
    "systems: {crm: {}, desk: {accept: true}, safe: {accept: true}}\n"
    "security:\n"
    "  identities:\n"
    "    crm: {system: crm, allow: [send type/com.example.*, send system/desk, send system/safe], deny: send system/safe,\n"
    "          max_priority: 3, keys: {one: {hash: \"" HASH_A "\"}}}\n";

static void a_key_says_who_it_is(void **state) {
    (void)state;
    fx_start(guarded);
    struct fixture_peer *p = fx_accept(0);
    assert_int_equal(fx_hello(p, "crm", NULL, false), STATUS_UNAUTHENTICATED);
    assert_int_equal(fx_hello(p, "crm", KEY_B, false), STATUS_UNAUTHENTICATED);
    assert_int_equal(fx_hello(p, "desk", KEY_A, false), STATUS_FORBIDDEN);
    assert_int_equal(fx_hello(p, NULL, KEY_A, false), STATUS_OK);
    struct fixture_peer *open = fx_accept(1); /* anonymous: no system that an identity names */
    assert_int_equal(fx_hello(open, "crm", NULL, false), STATUS_FORBIDDEN);
    assert_int_equal(fx_hello(open, "desk", NULL, true), STATUS_OK);
    fx_say(open, "crm", "e1", "target=desk");
    fx_turn();
    fx_expect(&open->told, "source-not-allowed:1");
    fx_stop();
}

static void an_identity_may_what_is_allowed_and_not_denied(void **state) {
    (void)state;
    fx_start(guarded);
    struct fixture_peer *desk = fx_accept(1), *p = fx_accept(0);
    assert_int_equal(fx_hello(desk, "desk", NULL, true), STATUS_OK);
    assert_int_equal(fx_hello(p, NULL, KEY_A, false), STATUS_OK);
    fx_say(p, "crm", "e1", "target=desk");
    fx_say(p, "crm", "e2", "target=safe");
    fx_say(p, "crm", "q1", "target=desk messagetype=query"); /* to call is not to send */
    fx_say(p, "desk", "e3", "target=desk");                  /* another's source */
    fx_turn();
    fx_expect(&p->told, "forbidden:2 forbidden:3 source-not-allowed:4 ok:1");
    fx_expect(&desk->got, "e1");
    fx_stop();
}

static void too_high_a_priority_is_lowered(void **state) {
    (void)state;
    fx_start(guarded);
    struct fixture_peer *p = fx_accept(0);
    assert_int_equal(fx_hello(p, NULL, KEY_A, false), STATUS_OK);
    for (int i = 0; i < 2; i++) { /* the second by the memo */
        fx_say(p, "crm", "e1", "target=desk priority=5");
        fx_turn();
    }
    fx_say(p, "crm", "e2", "target=desk priority=2");
    fx_turn();
    struct engine_system_view view;
    engine_system_view(fx.engine, 1, &view);
    assert_true(view.held[3] == 2 && view.held[2] == 1 && view.held[5] == 0);
    fx_stop();
}

static void a_listener_lowers_only_who_does_not_say_who_it_is(void **state) {
    (void)state;
    fx_start(
        "listeners: {in: {url: intertie://127.0.0.1:7460, auth: key, max_priority: 2}, "
        "open: {url: intertie://127.0.0.1:7461, max_priority: 2}}\n"
        "systems: {crm: {}, web: {}, desk: {accept: true}}\n"
        "security: {identities: {crm: {system: crm, allow: send system/desk, max_priority: 4, keys: {one: {hash: \"" HASH_A
        "\"}}}}}\n");
    struct fixture_peer *known = fx_accept(0), *other = fx_accept(1);
    assert_int_equal(fx_hello(known, NULL, KEY_A, false), STATUS_OK);
    assert_int_equal(fx_hello(other, "web", NULL, false), STATUS_OK);
    for (int i = 0; i < 2; i++) { /* the second by the memo */
        fx_say(known, "crm", "e1", "target=desk priority=5");
        fx_say(other, "web", "e2", "target=desk priority=5");
        fx_turn();
    }
    struct engine_system_view view;
    engine_system_view(fx.engine, 2, &view);
    assert_true(view.held[4] == 2 && view.held[2] == 2 && view.held[5] == 0);
    fx_stop();
}

/* -- reload -- */

static const char before[] = "listeners: {in: intertie://127.0.0.1:7460}\n"
                             "systems:\n"
                             "  crm: {}\n"
                             "  gone: {accept: true}\n"
                             "  desk: {accept: true}\n"
                             "  far: {endpoints: {a: tcp://127.0.0.1:1, b: tcp://127.0.0.1:2}}\n";
static const char after[] = "listeners: {in: intertie://127.0.0.1:7460}\n"
                            "systems:\n"
                            "  desk: {accept: true}\n"
                            "  new: {accept: true}\n"
                            "  far: {endpoints: {other: tcp://127.0.0.1:3, renamed: tcp://127.0.0.1:1}}\n"
                            "  crm: {accept: true, stamp: true}\n";

/* What waits behind its key, in a subscription or to be taken was sent by the same system after the reload. */
static void a_reload_keeps_who_sent_what_is_held(void **state) {
    (void)state;
    fx_start("listeners: {in: intertie://127.0.0.1:7460}\n"
             "systems: {crm: {}, desk: {accept: true, stamp: true, limits: {queue: {messages: 2}}}}\n");
    crm = fx_system("crm", false);
    fx_say(crm, "crm", "a1", "target=desk partitionkey=a");
    fx_say(crm, "crm", "a2", "target=desk partitionkey=a");
    fx_say(crm, "crm", "a3", "target=desk partitionkey=a");
    fx_turn();
    fx_expect(&crm->told, "ok:1-2");
    fx_reload("listeners: {in: intertie://127.0.0.1:7460}\n"
              "systems: {desk: {accept: true, stamp: true, limits: {queue: {messages: 2}}}, new: {}, crm: {}}\n");
    struct fixture_peer *desk = fx_system("desk", true);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_non_null(strstr((char *)desk->wire.data, "\"authid\":\"crm\""));
        fx_ack(desk, i, i);
        fx_turn();
    }
    fx_expect(&desk->got, "a1 a2 a3");
    fx_stop();
}

static void a_reload_keeps_what_systems_hold_by_name(void **state) {
    (void)state;
    start(before);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_say(crm, "crm", "e2", "target=gone");
    fx_say(crm, "crm", "q1", "target=gone messagetype=query");
    fx_turn();
    fx_expect(&crm->told, "ok:1-3");
    fx_reload(after);
    fx_expect(&fx.ended, "e2:dead:system-removed q1:dead:system-removed");
    fx_expect(&crm->got, "error<q1");
    assert_non_null(strstr((char *)crm->wire.data, "\"target\":\"crm\"")); /* who it is has another number now */
    fx_say(crm, "crm", "e3", "target=gone");
    fx_say(crm, "crm", "e4", "target=new");
    fx_turn();
    fx_expect(&crm->told, "unknown-target:4 ok:5");
    struct fixture_peer *desk = fx_system("desk", true), *fresh = fx_system("new", true);
    fx_expect(&desk->got, "e1");
    fx_expect(&fresh->got, "e4");
    fx_stop();
}

#define IDENTITY(name, key) \
    "    " name ": {system: " name ", allow: subscribe type/com.example." name ".*, keys: {k: {hash: \"" key "\"}}}\n"
#define GUARDED(identities) \
    "listeners: {in: {url: intertie://127.0.0.1:7460, auth: key}, open: intertie://127.0.0.1:7461}\n" \
    "systems: {a: {}, b: {}, c: {}}\nsecurity:\n  identities:\n" identities

/* Identities are known by number, too: after a reload a subscription has its own one's rights or none. */
static void a_reload_keeps_whose_rights_a_subscription_has(void **state) {
    (void)state;
    fx_start(GUARDED(IDENTITY("a", HASH_A) IDENTITY("b", HASH_B)));
    struct fixture_peer *a = fx_accept(0), *b = fx_accept(0), *sender = fx_accept(1);
    assert_int_equal(fx_hello(a, NULL, KEY_A, false), STATUS_OK);
    assert_int_equal(fx_hello(b, NULL, KEY_B, false), STATUS_OK);
    assert_int_equal(fx_subscribe(a, 1, "EXISTS id", "g"), STATUS_OK);
    assert_int_equal(fx_subscribe(b, 1, "EXISTS id", "g"), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        fx_say(sender, NULL, "ea", "type=com.example.a.x");
        fx_say(sender, NULL, "eb", "type=com.example.b.x");
        fx_turn();
        fx_expect(&a->got, i ? "" : "ea");
        fx_expect(&b->got, "eb");
        if (i == 0)
            fx_reload(GUARDED(IDENTITY("b", HASH_B))); /* a is nobody any more, b is the first */
    }
    assert_true(a->told.size > 0); /* it is told to go */
    fx_stop();
}

static void sessions_of_a_removed_system_end_and_others_go_on(void **state) {
    struct engine_system_view view;
    (void)state;
    start(before);
    struct fixture_peer *gone = fx_system("gone", true), *desk = fx_system("desk", true);
    fx_say(crm, "crm", "q1", "target=desk messagetype=query");
    fx_say(crm, "crm", "e1", "target=gone");
    fx_turn();
    fx_reload(after);
    assert_true(gone->closed);
    assert_false(desk->closed);
    engine_system_view(fx.engine, 0, &view);
    assert_true(slice_is(view.name, "desk") && view.sessions == 1);
    fx_ack(desk, 1, 1);
    fx_say(desk, "desk", "r1", "messagetype=response causationid=q1");
    fx_say(crm, "crm", "e2", "target=desk");
    fx_turn();
    fx_expect(&crm->got, "response<q1");
    fx_expect(&desk->got, "q1 e2");
    fx_stop();
}

static void endpoints_are_kept_by_url(void **state) {
    (void)state;
    start(before);
    for (int i = 0; i < 2; i++) {
        fx_say(crm, "crm", i ? "e2" : "e1", "target=far");
        fx_turn();
        fx_pass(100 * NS_PER_MS);
    }
    assert_int_equal(fx.dial_count, 2);
    struct fixture_peer *a = fx_connect((uint32_t)fx.dials[0].place == 0 ? 0 : 1);
    fx_turn();
    fx_reload(after); /* b is still dialling, and gone */
    fx_expect(&a->told, "");
    assert_false(a->closed);
    assert_null(net_find(engine_net(fx.engine), fx.dials[(uint32_t)fx.dials[0].place == 0 ? 1 : 0].connection));
    fx_ack(a, 1, 2);
    fx_say(crm, "crm", "e3", "target=far");
    fx_turn();
    fx_expect(&a->got, "e1 e2 e3");
    fx_stop();
}

static void what_is_under_way_on_a_removed_endpoint_is_finished(void **state) {
    (void)state;
    start(before);
    fx_say(crm, "crm", "e1", "target=far");
    fx_turn();
    struct fixture_peer *far = fx_connect(0);
    fx_turn();
    fx_expect(&far->got, "e1");
    fx_reload("listeners: {in: intertie://127.0.0.1:7460}\nsystems: {crm: {}, far: tcp://127.0.0.1:9}\n");
    fx_expect(&far->told, "shut:going-away");
    fx_ack(far, 1, 1);
    fx_turn();
    assert_true(count(ENDING_DELIVERED, STATUS_OK) == 1);
    fx_lose(far);
    fx_turn();
    fx_stop();
}

/* -- drain -- */

static void while_draining_new_messages_are_refused_and_old_ones_finished(void **state) {
    (void)state;
    start(yaml);
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "q1", "target=desk messagetype=query");
    fx_say(crm, "crm", "e1", "target=desk"); /* fills the memo */
    fx_turn();
    struct engine_input input = {.kind = INPUT_DRAIN};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    fx_expect(&crm->told, "ok:1-2 shut:going-away");
    assert_false(engine_is_quiet(fx.engine));
    fx_say(crm, "crm", "e2", "target=desk");
    fx_turn();
    fx_expect(&crm->told, "shutdown:3");
    fx_ack(desk, 1, 2);
    fx_say(desk, "desk", "r1", "messagetype=response causationid=q1");
    fx_turn();
    fx_expect(&crm->got, "response<q1");
    assert_true(engine_is_quiet(fx.engine));
    fx_pass(31 * NS_PER_S);
    assert_true(crm->closed && desk->closed); /* drain.grace is over */
    fx_stop();
}

static void who_takes_messages_stays_until_all_is_done(void **state) {
    (void)state;
    start(yaml);
    struct fixture_peer *desk = fx_system("desk", true);
    fx_room(desk, 0);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_turn();
    struct engine_input input = {.kind = INPUT_DRAIN};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    fx_expect(&crm->told, "ok:1 shut:going-away");
    fx_expect(&desk->told, ""); /* another worker may hold something for it too */
    fx_room(desk, 1);
    fx_turn();
    fx_expect(&desk->got, "e1");
    fx_ack(desk, 1, 1);
    fx_turn();
    assert_true(engine_is_quiet(fx.engine));
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    fx_expect(&desk->told, "shut:going-away");
    fx_stop();
}

static void what_is_held_for_nobody_does_not_delay_a_drain(void **state) {
    (void)state;
    start(yaml);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_turn();
    assert_true(engine_is_quiet(fx.engine));
    engine_free(fx.engine);
    fx_expect(&fx.ended, "e1:dead:shutdown");
    struct engine_options options = {.workers = 1};
    fx.engine = engine_new(&options);
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_gets_what_its_filter_wants),
        cmocka_unit_test(of_a_group_one_gets_it),
        cmocka_unit_test(a_filter_that_is_wrong_is_refused),
        cmocka_unit_test(a_slow_consumer_misses_until_half_is_free),
        cmocka_unit_test(what_a_subscription_holds_ends_with_it),
        cmocka_unit_test(sessions_of_a_system_are_balanced_and_limited),
        cmocka_unit_test(a_key_says_who_it_is),
        cmocka_unit_test(an_identity_may_what_is_allowed_and_not_denied),
        cmocka_unit_test(too_high_a_priority_is_lowered),
        cmocka_unit_test(a_listener_lowers_only_who_does_not_say_who_it_is),
        cmocka_unit_test(a_reload_keeps_what_systems_hold_by_name),
        cmocka_unit_test(a_reload_keeps_who_sent_what_is_held),
        cmocka_unit_test(a_reload_keeps_whose_rights_a_subscription_has),
        cmocka_unit_test(sessions_of_a_removed_system_end_and_others_go_on),
        cmocka_unit_test(endpoints_are_kept_by_url),
        cmocka_unit_test(what_is_under_way_on_a_removed_endpoint_is_finished),
        cmocka_unit_test(while_draining_new_messages_are_refused_and_old_ones_finished),
        cmocka_unit_test(who_takes_messages_stays_until_all_is_done),
        cmocka_unit_test(what_is_held_for_nobody_does_not_delay_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
