/* What becomes of a message for a recipient: straight through, lanes, keys, limits, expiry, outcomes, lost connections,
 * many recipients. */
#include "engine/fixture.h"

static const char yaml[] =
    "listeners: {in: intertie://127.0.0.1:7460}\n"
    "systems:\n"
    "  crm: {}\n"
    "  desk: {accept: true, limits: {queue: {messages: 120}}}\n"
    "  tiny: {accept: true, limits: {queue: {messages: 2, bytes: 1KiB}}, timeouts: {queue: 2s}}\n"
    "  shut: {accept: true, offline: refuse}\n"
    "routes:\n"
    "  both: {match: {type: com.example.both}, to: [desk, tiny]}\n"
    "  some: {match: {type: com.example.some}, to: all, except: shut}\n"
    "  wait: {match: {type: com.example.wait}, to: tiny, timeouts: {queue: 2s}}\n";

#define IN_TEN_SECONDS "expirytime=2026-09-21T14:13:30Z"

static struct fixture_peer *crm;

static void start(void) {
    fx_start(yaml);
    crm = fx_system("crm", false);
}

static uint64_t count(enum engine_ending ending, enum status status) {
    return engine_totals(fx.engine)->endings[ending][status];
}

static void expect_rest(void) {
    assert_true(engine_totals(fx.engine)->held == 0);
    assert_true(engine_totals(fx.engine)->held_bytes == 0);
    assert_true(engine_totals(fx.engine)->waiting == 0);
    assert_true(engine_is_quiet(fx.engine));
}

/* A taker that lets nothing through until fx_room() says so. */
static struct fixture_peer *closed_taker(const char *system) {
    fx.room = 0;
    struct fixture_peer *p = fx_system(system, true);
    fx.room = UINT32_MAX;
    return p;
}

static void a_message_goes_straight_to_who_has_room(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_say(crm, "crm", "e2", "target=desk");
    fx_turn();
    fx_expect(&desk->got, "e1 e2");
    fx_expect(&crm->told, "ok:1-2");
    assert_true(engine_totals(fx.engine)->cut_through == 2);
    assert_false(engine_is_quiet(fx.engine)); /* accepted, not yet acknowledged */
    fx_ack(desk, 1, 2);
    fx_turn();
    assert_true(count(ENDING_DELIVERED, STATUS_OK) == 2);
    expect_rest();
    fx_stop();
}

static void an_emergency_overtakes_all_that_waits(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = closed_taker("desk");
    fx_say(crm, "crm", "low", "target=desk priority=1");
    fx_say(crm, "crm", "critical", "target=desk priority=4");
    fx_say(crm, "crm", "normal", "target=desk");
    fx_say(crm, "crm", "emergency", "target=desk priority=5");
    fx_turn();
    fx_expect(&desk->got, "");
    fx_room(desk, 1);
    fx_turn();
    fx_expect(&desk->got, "emergency");
    fx_room(desk, 10);
    fx_turn();
    fx_expect(&desk->got, "critical normal low");
    fx_stop();
}

static void lanes_share_by_weight_and_each_keeps_its_order(void **state) {
    unsigned got[6] = {0};
    (void)state;
    start();
    struct fixture_peer *desk = closed_taker("desk");
    for (int i = 0; i < 20; i++) {
        for (int priority = 1; priority <= 4; priority++) {
            char id[24], words[40];
            (void)snprintf(id, sizeof id, "%d%02d", priority, i);
            (void)snprintf(words, sizeof words, "target=desk priority=%d", priority);
            fx_say(crm, "crm", id, words);
        }
    }
    fx_turn();
    for (int i = 0; i < 80; i++) {
        fx_room(desk, 1);
        fx_turn();
        assert_int_equal(desk->got.size, 3); /* one at a time */
        unsigned priority = desk->got.data[0] - '0', number = (desk->got.data[1] - '0') * 10u + (desk->got.data[2] - '0');
        assert_int_equal(number, got[priority]++);
        buffer_clear(&desk->got);
        if (i == 14) { /* one round of 8, 4, 2, 1 */
            assert_int_equal(got[4], 8);
            assert_int_equal(got[3], 4);
            assert_int_equal(got[2], 2);
            assert_int_equal(got[1], 1);
        }
    }
    assert_int_equal(got[1] + got[2] + got[3] + got[4], 80);
    fx_stop();
}

static void of_one_key_only_one_is_under_way(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "a1", "target=desk partitionkey=a");
    fx_say(crm, "crm", "a2", "target=desk partitionkey=a");
    fx_say(crm, "crm", "b1", "target=desk partitionkey=b");
    fx_say(crm, "crm", "a3", "target=desk partitionkey=a");
    fx_say(crm, "crm", "x", "target=desk");
    fx_say(crm, "crm", "a9", "target=desk partitionkey=a priority=3"); /* another priority is another order */
    fx_turn();
    assert_int_equal(desk->got.size, strlen("a1 b1 x a9"));
    buffer_clear(&desk->got);
    fx_ack(desk, 1, 4);
    fx_turn();
    fx_expect(&desk->got, "a2");
    fx_outcome(desk, 5, 5, VERDICT_REJECTED, STATUS_REJECTED); /* its end, too, lets the next go */
    fx_turn();
    fx_expect(&desk->got, "a3");
    fx_ack(desk, 6, 6);
    fx_turn();
    expect_rest();
    fx_stop();
}

static void a_key_keeps_its_order_over_a_lost_connection(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "a1", "target=desk partitionkey=a");
    fx_say(crm, "crm", "a2", "target=desk partitionkey=a");
    fx_turn();
    fx_expect(&desk->got, "a1");
    fx_lose(desk);
    fx_turn();
    desk = fx_system("desk", true);
    fx_turn();
    fx_expect(&desk->got, ""); /* a2 doesn't overtake it */
    fx_say(crm, "crm", "b1", "target=desk partitionkey=b");
    fx_turn();
    fx_expect(&desk->got, "b1"); /* and keeps nobody else waiting */
    fx_ack(desk, 1, 1);
    fx_pass(500 * NS_PER_MS);
    fx_expect(&desk->got, "a1*2");
    fx_ack(desk, 2, 2);
    fx_turn();
    fx_expect(&desk->got, "a2");
    fx_stop();
}

static void who_is_offline_finds_it_later_or_the_sender_hears_no(void **state) {
    struct engine_system_view view;
    (void)state;
    start();
    fx_say(crm, "crm", "e1", "target=desk");
    fx_say(crm, "crm", "e2", "target=shut");
    fx_turn();
    fx_expect(&crm->told, "target-unavailable:2 ok:1");
    fx_expect(&fx.ended, "e2:rejected:target-unavailable");
    engine_system_view(fx.engine, 1, &view);
    assert_true(view.held[0] == 1 && view.held[2] == 1 && view.holding_since.ns == fx.now.wall.ns);
    fx_pass(3600 * NS_PER_S);
    struct fixture_peer *desk = fx_system("desk", true);
    fx_expect(&desk->got, "e1");
    engine_system_view(fx.engine, 1, &view);
    assert_true(view.held[0] == 0 && view.holding_since.ns == 0);
    fx_stop();
}

static void past_its_limit_a_queue_takes_nothing(void **state) {
    static const struct {
        enum protocol_full when_full;
        const char *told, *later; /* at once, and after timeouts.queue */
    } rows[] = {
        {PROTOCOL_FULL_WITHHOLD, "ok:1-2", ""},
        {PROTOCOL_FULL_STOP, "ok:1-2", ""},
        {PROTOCOL_FULL_WAIT, "ok:1-2", "overloaded:3"},
        {PROTOCOL_FULL_DROP, "overloaded:3 ok:1-2", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        start();
        fx.terms.when_full = (uint8_t)rows[i].when_full;
        struct fixture_peer *tiny = closed_taker("tiny"), *sender = fx_system("crm", false);
        for (int k = 1; k <= 3; k++) {
            char id[3] = {'e', (char)('0' + k), 0};
            fx_say(sender, "crm", id, "target=tiny");
        }
        fx_turn();
        fx_expect(&sender->told, rows[i].told);
        assert_int_equal(sender->reads_off, rows[i].when_full == PROTOCOL_FULL_STOP);
        fx_pass(1999 * NS_PER_MS);
        fx_expect(&sender->told, "");
        fx_pass(NS_PER_MS);
        fx_expect(&sender->told, rows[i].later);
        fx_room(tiny, 3);
        fx_turn();
        bool kept = rows[i].when_full == PROTOCOL_FULL_WITHHOLD || rows[i].when_full == PROTOCOL_FULL_STOP;
        fx_expect(&tiny->got, kept ? "e1 e2 e3" : "e1 e2");
        fx_expect(&sender->told, kept ? "ok:3" : "");
        assert_false(sender->reads_off);
        fx_ack(tiny, 1, 3);
        fx_turn();
        expect_rest();
        fx_stop();
    }
}

static void waiting_for_a_full_queue_with_nobody_there_ends_as_unavailable(void **state) {
    (void)state;
    start();
    fx.terms.when_full = PROTOCOL_FULL_WAIT;
    struct fixture_peer *sender = fx_system("crm", false);
    fx_say(sender, "crm", "e1", "target=tiny");
    fx_say(sender, "crm", "e2", "target=tiny");
    fx_say(sender, "crm", "e3", "target=tiny");
    fx_turn();
    fx_pass(2 * NS_PER_S);
    fx_expect(&sender->told, "ok:1-2 target-unavailable:3");
    fx_expect(&fx.ended, "e3:rejected:target-unavailable");
    fx_stop();
}

static void the_queue_counts_bytes_too(void **state) {
    char words[1100] = "target=tiny subject=";
    (void)state;
    start();
    fx.terms.when_full = PROTOCOL_FULL_DROP;
    struct fixture_peer *sender = fx_system("crm", false);
    memset(words + strlen(words), 'x', 900);
    fx_say(sender, "crm", "e1", words);
    fx_turn();
    fx_expect(&sender->told, "overloaded:1");
    fx_say(sender, "crm", "e2", "target=tiny");
    fx_turn();
    fx_expect(&sender->told, "ok:2");
    fx_stop();
}

static void a_fan_out_is_taken_by_all_or_by_none(void **state) {
    (void)state;
    start();
    fx.terms.when_full = PROTOCOL_FULL_DROP;
    struct fixture_peer *desk = fx_system("desk", true), *sender = fx_system("crm", false);
    fx_say(sender, "crm", "e1", "target=tiny");
    fx_say(sender, "crm", "e2", "target=tiny");
    fx_say(sender, "crm", "e3", "type=com.example.both");
    fx_turn();
    fx_expect(&sender->told, "overloaded:3 ok:1-2");
    fx_expect(&desk->got, "");
    struct fixture_peer *tiny = fx_system("tiny", true);
    fx_say(sender, "crm", "e4", "type=com.example.both");
    fx_turn();
    fx_expect(&desk->got, "e4");
    fx_expect(&tiny->got, "e1 e2 e4");
    fx_stop();
}

static void a_copy_that_can_not_be_sent_leaves_the_others_alone(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = fx_system("desk", true), *tiny = fx_system("tiny", true);
    desk->picky = true;
    fx_say(crm, "crm", "e1", "type=com.example.both");
    fx_turn();
    fx_expect(&fx.ended, "e1:dead:too-large");
    fx_expect(&crm->told, "ok:1");
    fx_expect(&tiny->got, "e1");
    fx_ack(tiny, 1, 1);
    fx_turn();
    expect_rest();
    fx_stop();
}

static void what_expires_in_a_lane_ends_there(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = closed_taker("desk");
    fx_say(crm, "crm", "e1", "target=desk " IN_TEN_SECONDS);
    fx_say(crm, "crm", "e2", "target=desk partitionkey=a");
    fx_say(crm, "crm", "e3", "target=desk partitionkey=a " IN_TEN_SECONDS); /* blocked behind e2 */
    fx_say(crm, "crm", "e4", "target=desk partitionkey=a");
    fx_turn();
    fx_pass(9900 * NS_PER_MS);
    fx_expect(&fx.ended, "");
    fx_pass(200 * NS_PER_MS);
    fx_expect(&fx.ended, "e1:expired:expired e3:expired:expired");
    fx_say(crm, "crm", "e5", "target=desk " IN_TEN_SECONDS);
    fx_turn();
    fx_expect(&crm->told, "ok:1-4 expired:5");
    fx_room(desk, 10);
    fx_turn();
    fx_expect(&desk->got, "e2");
    fx_ack(desk, 1, 1);
    fx_turn();
    fx_expect(&desk->got, "e4");
    fx_stop();
}

static void outcomes_of_the_recipient_are_endings(void **state) {
    static const struct {
        enum protocol_verdict verdict;
        enum status status;
        const char *ended;
    } rows[] = {
        {VERDICT_ACCEPTED, STATUS_OK, ""},
        {VERDICT_REJECTED, STATUS_REJECTED, "e1:dead:rejected-by-recipient"},
        {VERDICT_EXPIRED, STATUS_EXPIRED, "e1:expired:expired"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        start();
        struct fixture_peer *desk = fx_system("desk", true);
        fx_say(crm, "crm", "e1", "target=desk");
        fx_turn();
        fx_outcome(desk, 1, 1, rows[i].verdict, rows[i].status);
        fx_outcome(desk, 1, 1, VERDICT_ACCEPTED, STATUS_OK); /* a second one counts no more */
        fx_turn();
        fx_expect(&fx.ended, rows[i].ended);
        expect_rest();
        fx_stop();
    }
}

/* The recipient says when; its word counts for more than the pause of the policy. */
static void a_recipient_that_says_later_is_asked_later(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_turn();
    fx_expect(&desk->got, "e1");
    desk->sink->calls->outcome(desk->sink->user, 1, 1, (struct protocol_outcome){VERDICT_RETRY, STATUS_OVERLOADED, 7000});
    fx_turn();
    fx_pass(6900 * NS_PER_MS);
    fx_expect(&desk->got, "");
    fx_pass(200 * NS_PER_MS);
    fx_expect(&desk->got, "e1*2");
    fx_ack(desk, 2, 2);
    fx_turn();
    fx_expect(&fx.ended, "");
    expect_rest();
    fx_stop();
}

static void no_acknowledgement_in_time_is_the_end(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_turn();
    fx_pass(20 * NS_PER_S);
    fx_say(crm, "crm", "e2", "target=desk");
    fx_turn();
    fx_pass(10 * NS_PER_S);
    fx_ack(desk, 1, 2); /* too late for the first: it may be there twice */
    fx_turn();
    assert_true(count(ENDING_DELIVERED, STATUS_OK) == 1);
    buffer_clear(&desk->got);
    fx_pass(500 * NS_PER_MS);
    fx_expect(&desk->got, "e1*2");
    for (int i = 0; i < 40; i++)
        fx_pass(60 * NS_PER_S);
    fx_expect(&fx.ended, "e1:dead:retries-exhausted");
    expect_rest();
    fx_stop();
}

static void without_acknowledgement_delivered_is_written(void **state) {
    (void)state;
    start();
    fx.terms.acks = false;
    struct fixture_peer *desk = fx_system("desk", true);
    desk->stuck = true;
    fx_say(crm, "crm", "e1", "target=desk");
    fx_turn();
    fx_write(desk, desk->wire.size - 1); /* all but the last byte */
    fx_turn();
    assert_true(count(ENDING_DELIVERED, STATUS_OK) == 0);
    fx_write(desk, 1);
    fx_turn();
    assert_true(count(ENDING_DELIVERED, STATUS_OK) == 1);
    expect_rest();
    fx_stop();
}

/* e1 was begun to be written, e2 and e3 were not. */
static void a_lost_connection_gives_back_what_it_did_not_send(void **state) {
    static const struct {
        bool acks;
        const char *kind, *again, *ended;
        bool keep; /* nothing can be read back from what was written */
    } rows[] = {
        {false, "event", "e2 e3 e1*2", "", true},
        {false, "command", "e2 e3", "e1:dead:outcome-unknown", true},
        {false, "event", "e2 e3 e1*2", ""},
        {true, "event", "e2 e3 e1*2", ""},
        {false, "command", "e2 e3", "e1:dead:outcome-unknown"},
        {true, "command", "e2 e3 e1*2", ""},
        {false, "notification", "e2 e3", "e1:dropped:outcome-unknown"},
        {true, "notification", "e2 e3", "e1:dropped:outcome-unknown"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int cut_through = 0; cut_through < 2; cut_through++) {
            char words[60];
            start();
            fx.engine->options.cut_through = cut_through;
            fx.terms.acks = rows[i].acks;
            fx.terms.keep = rows[i].keep;
            struct fixture_peer *desk = fx_system("desk", true);
            desk->stuck = true;
            (void)snprintf(words, sizeof words, "target=desk messagetype=%s", rows[i].kind);
            fx_say(crm, "crm", "e1", words);
            fx_say(crm, "crm", "e2", words);
            fx_say(crm, "crm", "e3", words);
            fx_turn();
            fx_write(desk, 5);
            fx_say(crm, "crm", "e4", "target=tiny"); /* nothing to do with it */
            fx_lose(desk);
            fx_turn();
            fx_expect(&fx.ended, rows[i].ended);
            fx.terms.acks = true;
            fx.terms.keep = false;
            desk = fx_system("desk", true);
            fx_pass(500 * NS_PER_MS);
            fx_expect(&desk->got, rows[i].again);
            fx_ack(desk, 1, 3);
            fx_turn();
            assert_true(engine_totals(fx.engine)->held == 1);
            fx_stop();
        }
    }
}

static void repeated_attempts_say_so_and_end_some_time(void **state) {
    (void)state;
    start();
    fx_say(crm, "crm", "e1", "target=desk");
    fx_turn();
    for (int i = 1; i <= 20; i++) {
        struct fixture_peer *desk = fx_system("desk", true);
        char words[16];
        (void)snprintf(words, sizeof words, i > 1 ? "e1*%d" : "e1", i);
        fx_pass(60 * NS_PER_S);
        fx_expect(&desk->got, words);
        if (i > 1)
            assert_non_null(strstr((char *)desk->wire.data, "\"deliveryattempt\":"));
        fx_lose(desk);
        fx_turn();
    }
    fx_expect(&fx.ended, "e1:dead:retries-exhausted");
    expect_rest();
    fx_stop();
}

static void all_leaves_out_the_sender_and_the_excepted(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = fx_system("desk", true), *tiny = fx_system("tiny", true), *shut = fx_system("shut", true);
    fx_say(desk, "desk", "e1", "target=all");
    fx_say(crm, "crm", "e2", "type=com.example.some");
    fx_turn();
    fx_expect(&desk->got, "e2");
    fx_expect(&tiny->got, "e1 e2");
    fx_expect(&shut->got, "e1");
    fx_stop();
}

static void one_that_is_full_does_not_veto_all(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "e1", "target=tiny");
    fx_say(crm, "crm", "e2", "target=tiny");
    fx_say(crm, "crm", "e3", "type=com.example.some");
    fx_turn();
    fx_expect(&crm->told, "ok:1-3");
    fx_expect(&desk->got, "e3");
    fx_expect(&fx.ended, "e3:dead:overloaded");
    fx_stop();
}

static void what_goes_to_one_is_not_sent_to_several(void **state) {
    static const char *const kinds[] = {"command", "request", "query"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char words[80];
        start();
        (void)snprintf(words, sizeof words, "type=com.example.both messagetype=%s", kinds[i]);
        fx_say(crm, "crm", "e1", words);
        (void)snprintf(words, sizeof words, "target=all messagetype=%s", kinds[i]);
        fx_say(crm, "crm", "e2", words);
        fx_turn();
        fx_expect(&crm->told, "many-targets:1 many-targets:2");
        fx_stop();
    }
}

static void nowhere_to_go_is_refused_with_words(void **state) {
    (void)state;
    start();
    fx_say(crm, "crm", "e1", "target=dask");
    fx_say(crm, "crm", "e2", "type=com.example.none");
    fx_say(crm, "crm", "e3", "target=crm"); /* it only sends */
    fx_turn();
    fx_expect(&crm->told, "unknown-target:1 no-route:2 unknown-target:3");
    fx_stop();
}

static void endpoints_are_dialled_for_who_waits_and_not_too_often(void **state) {
    (void)state;
    fx_start("listeners: {in: intertie://127.0.0.1:7460}\n"
             "systems: {crm: {}, far: {endpoints: {a: tcp://127.0.0.1:1, b: tcp://127.0.0.1:2}}}\n");
    struct fixture_peer *sender = fx_system("crm", false);
    assert_int_equal(fx.dial_count, 0);
    fx_say(sender, "crm", "e1", "target=far");
    fx_turn();
    assert_int_equal(fx.dial_count, 1);
    fx_refuse_dial(0);
    fx_turn();
    fx_pass(NS_PER_S);
    assert_in_range(fx.dial_count, 2, 3);
    struct fixture_peer *far = fx_connect(1);
    fx_turn();
    fx_expect(&far->got, "e1");
    fx_ack(far, 1, 1);
    fx_turn();
    expect_rest();
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_straight_to_who_has_room),
        cmocka_unit_test(an_emergency_overtakes_all_that_waits),
        cmocka_unit_test(lanes_share_by_weight_and_each_keeps_its_order),
        cmocka_unit_test(of_one_key_only_one_is_under_way),
        cmocka_unit_test(a_key_keeps_its_order_over_a_lost_connection),
        cmocka_unit_test(who_is_offline_finds_it_later_or_the_sender_hears_no),
        cmocka_unit_test(past_its_limit_a_queue_takes_nothing),
        cmocka_unit_test(waiting_for_a_full_queue_with_nobody_there_ends_as_unavailable),
        cmocka_unit_test(the_queue_counts_bytes_too),
        cmocka_unit_test(a_fan_out_is_taken_by_all_or_by_none),
        cmocka_unit_test(a_copy_that_can_not_be_sent_leaves_the_others_alone),
        cmocka_unit_test(what_expires_in_a_lane_ends_there),
        cmocka_unit_test(outcomes_of_the_recipient_are_endings),
        cmocka_unit_test(a_recipient_that_says_later_is_asked_later),
        cmocka_unit_test(no_acknowledgement_in_time_is_the_end),
        cmocka_unit_test(without_acknowledgement_delivered_is_written),
        cmocka_unit_test(a_lost_connection_gives_back_what_it_did_not_send),
        cmocka_unit_test(repeated_attempts_say_so_and_end_some_time),
        cmocka_unit_test(all_leaves_out_the_sender_and_the_excepted),
        cmocka_unit_test(one_that_is_full_does_not_veto_all),
        cmocka_unit_test(what_goes_to_one_is_not_sent_to_several),
        cmocka_unit_test(nowhere_to_go_is_refused_with_words),
        cmocka_unit_test(endpoints_are_dialled_for_who_waits_and_not_too_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
