/* Requests and queries: how long they wait, how a reply finds who asked, and who may give it. */
#include "engine/fixture.h"

static const char yaml[] = "listeners: {in: intertie://127.0.0.1:7460}\n"
                           "systems:\n"
                           "  crm: {accept: true, timeouts: {request: 10s, queue: 2s}}\n"
                           "  desk: {accept: true, timeouts: {request: 10s, queue: 2s}}\n"
                           "  far: {url: tcp://127.0.0.1:1, timeouts: {request: 10s, queue: 5s}}\n";

static struct fixture_peer *crm, *desk;

static void start(void) {
    fx_start(yaml);
    crm = fx_system("crm", false);
    desk = fx_system("desk", true);
}

static void expect_rest(void) {
    assert_true(engine_totals(fx.engine)->held == 0);
    assert_true(engine_is_quiet(fx.engine));
}

static void ask(const char *id, const char *words) {
    char text[200];
    (void)snprintf(text, sizeof text, "target=desk messagetype=query%s%s", *words ? " " : "", words);
    fx_say(crm, "crm", id, text);
    fx_turn();
}

static void answer(struct fixture_peer *p, const char *from, const char *id, const char *words) {
    char text[200];
    (void)snprintf(text, sizeof text, "messagetype=response %s", words);
    fx_say(p, from, id, text);
    fx_turn();
}

static void a_reply_finds_who_asked_by_its_cause(void **state) {
    (void)state;
    start();
    struct fixture_peer *other = fx_system("crm", false); /* another connection of the same system */
    ask("q1", "");
    fx_expect(&crm->told, "ok:1");
    fx_expect(&desk->got, "q1");
    fx_ack(desk, 1, 1);
    answer(desk, "desk", "r1", "causationid=q1");
    fx_expect(&crm->got, "response<q1");
    fx_expect(&other->got, "");
    assert_non_null(strstr((char *)crm->wire.data, "\"correlationid\":\"q1\""));
    fx_expect(&desk->told, "ok:1");
    assert_true(engine_totals(fx.engine)->endings[ENDING_REPLIED][STATUS_OK] == 1);
    expect_rest();
    fx_stop();
}

static void a_reply_may_come_before_the_acknowledgement(void **state) {
    (void)state;
    start();
    ask("q1", "");
    answer(desk, "desk", "r1", "causationid=q1");
    fx_expect(&crm->got, "response<q1");
    fx_ack(desk, 1, 1);
    fx_turn();
    expect_rest();
    fx_stop();
}

static void an_error_is_a_reply(void **state) {
    (void)state;
    start();
    ask("q1", "");
    fx_ack(desk, 1, 1);
    fx_say(desk, "desk", "r1", "messagetype=error causationid=q1");
    fx_turn();
    fx_expect(&crm->got, "error<q1");
    expect_rest();
    fx_stop();
}

static void a_correlation_decides_only_when_one_has_it(void **state) {
    (void)state;
    start();
    ask("q1", "correlationid=a");
    ask("q2", "correlationid=b");
    ask("q3", "correlationid=b");
    fx_ack(desk, 1, 3);
    answer(desk, "desk", "r1", "correlationid=b");
    fx_expect(&crm->got, "");
    fx_expect(&desk->told, "late-reply:1");
    answer(desk, "desk", "r2", "correlationid=a");
    fx_expect(&crm->got, "response<q1"); /* what it lacked was completed */
    answer(desk, "desk", "r3", "causationid=q2");
    answer(desk, "desk", "r4", "correlationid=b"); /* now it is the only one */
    fx_expect(&crm->got, "response<q2 response<q3");
    expect_rest();
    fx_stop();
}

static void only_who_was_asked_may_answer(void **state) {
    (void)state;
    start();
    struct fixture_peer *stranger = fx_system("crm", true), *nobody = fx_accept(0);
    ask("q1", "");
    fx_ack(desk, 1, 1);
    answer(stranger, "crm", "r1", "causationid=q1");
    answer(nobody, NULL, "r2", "causationid=q1");
    fx_expect(&stranger->told, "late-reply:1");
    fx_expect(&nobody->told, "late-reply:1");
    fx_expect(&crm->got, "");
    answer(desk, "desk", "r3", "causationid=q1");
    answer(desk, "desk", "r4", "causationid=q1"); /* and once */
    fx_expect(&crm->got, "response<q1");
    fx_expect(&desk->told, "ok:1 late-reply:2");
    fx_stop();
}

static void another_session_of_who_was_asked_may_answer(void **state) {
    (void)state;
    start();
    struct fixture_peer *second = fx_system("desk", false);
    ask("q1", "");
    fx_ack(desk, 1, 1);
    answer(second, "desk", "r1", "causationid=q1");
    fx_expect(&crm->got, "response<q1");
    fx_stop();
}

static void a_second_request_of_the_same_id_is_refused(void **state) {
    (void)state;
    start();
    struct fixture_peer *other = fx_system("desk", false);
    ask("q1", "");
    fx_say(crm, "crm", "q1", "target=desk messagetype=request");
    fx_say(other, "desk", "q1", "target=desk messagetype=query"); /* another's, and still one name */
    fx_turn();
    fx_expect(&crm->told, "ok:1 duplicate:2");
    fx_expect(&other->told, "duplicate:1");
    fx_ack(desk, 1, 1);
    answer(desk, "desk", "r1", "causationid=q1");
    ask("q1", ""); /* over, so it may be asked again */
    fx_expect(&crm->told, "ok:3");
    fx_stop();
}

static void who_asked_hears_when_time_is_up(void **state) {
    static const struct {
        bool there, room;
        int64_t after_ns;
        const char *ended;
    } rows[] = {
        {false, false, 2 * NS_PER_S, "q1:dead:target-unavailable"}, /* nobody there: timeouts.queue */
        {true, false, 2 * NS_PER_S, "q1:dead:overloaded"},          /* somebody, who takes nothing */
        {true, true, 10 * NS_PER_S, "q1:expired:reply-timeout"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fx_start(yaml);
        crm = fx_system("crm", false);
        fx.room = rows[i].room ? UINT32_MAX : 0;
        desk = rows[i].there ? fx_system("desk", true) : NULL;
        fx.room = UINT32_MAX;
        ask("q1", "");
        fx_pass(rows[i].after_ns - 1);
        fx_expect(&fx.ended, "");
        fx_pass(1);
        fx_expect(&fx.ended, rows[i].ended);
        fx_expect(&crm->told, "ok:1");
        fx_expect(&crm->got, "error<q1");
        assert_non_null(strstr((char *)crm->wire.data, strrchr(rows[i].ended, ':') + 1)); /* the same reason */
        if (rows[i].room) {
            fx_ack(desk, 1, 1);
            answer(desk, "desk", "r1", "causationid=q1");
            fx_expect(&desk->told, "late-reply:1");
            fx_expect(&crm->got, "");
        }
        expect_rest();
        fx_stop();
    }
}

/* What it may wait for a connection is no deadline for the reply. */
static void a_request_that_had_to_wait_is_answered_until_its_own_deadline(void **state) {
    (void)state;
    fx_start(yaml);
    crm = fx_system("crm", false);
    ask("q1", "");
    fx_pass(NS_PER_S);
    desk = fx_system("desk", true);
    fx_expect(&desk->got, "q1");
    fx_ack(desk, 1, 1);
    fx_pass(9 * NS_PER_S - 1);
    fx_expect(&fx.ended, "");
    fx_pass(1);
    fx_expect(&fx.ended, "q1:expired:reply-timeout");
    fx_expect(&crm->got, "error<q1");
    expect_rest();
    fx_stop();
}

static void the_deadline_of_the_sender_counts_before_ours(void **state) {
    (void)state;
    start();
    ask("q1", "expirytime=2026-09-21T14:13:23Z"); /* in three seconds */
    fx_ack(desk, 1, 1);
    fx_pass(3 * NS_PER_S);
    fx_expect(&fx.ended, "q1:expired:reply-timeout");
    expect_rest();
    fx_stop();
}

static void nobody_waits_for_a_system_whose_every_dial_failed(void **state) {
    (void)state;
    start();
    fx_say(crm, "crm", "q1", "target=far messagetype=query");
    fx_turn();
    fx_expect(&crm->got, "");
    fx_refuse_dial(0);
    fx_turn();
    fx_expect(&crm->got, "error<q1");
    fx_expect(&fx.ended, "q1:dead:target-unavailable");
    expect_rest();
    fx_stop();
}

static void a_request_under_way_on_a_lost_connection_has_an_unknown_outcome(void **state) {
    static const struct {
        const char *kind, *again, *ended;
    } rows[] = {{"request", "", "q1:dead:outcome-unknown"}, {"query", "q1*2", ""}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char words[60];
        start();
        (void)snprintf(words, sizeof words, "target=desk messagetype=%s", rows[i].kind);
        fx_say(crm, "crm", "q1", words);
        fx_turn();
        fx_lose(desk);
        fx_turn();
        fx_expect(&fx.ended, rows[i].ended);
        fx_expect(&crm->got, *rows[i].ended ? "error<q1" : "");
        desk = fx_system("desk", true);
        fx_pass(25 * NS_PER_MS);
        fx_expect(&desk->got, rows[i].again);
        fx_stop();
    }
}

static void a_request_not_yet_sent_is_sent_to_the_next(void **state) {
    (void)state;
    start();
    desk->stuck = true;
    fx_say(crm, "crm", "q1", "target=desk messagetype=request");
    fx_turn();
    fx_lose(desk);
    fx_turn();
    desk = fx_system("desk", true);
    fx_expect(&desk->got, "q1");
    fx_ack(desk, 1, 1);
    answer(desk, "desk", "r1", "causationid=q1");
    fx_expect(&crm->got, "response<q1");
    fx_stop();
}

static void refusals_of_who_was_asked_reach_who_asked(void **state) {
    (void)state;
    start();
    ask("q1", "");
    fx_outcome(desk, 1, 1, VERDICT_REJECTED, STATUS_REJECTED);
    fx_turn();
    fx_expect(&crm->got, "error<q1");
    fx_expect(&fx.ended, "q1:dead:rejected-by-recipient");
    expect_rest();
    fx_stop();
}

static void a_reply_to_who_is_gone_is_dropped_unless_it_has_an_address(void **state) {
    (void)state;
    start();
    ask("q1", "");
    ask("q2", "replyto=/systems/crm");
    fx_ack(desk, 1, 2);
    fx_lose(crm);
    fx_turn();
    answer(desk, "desk", "r1", "causationid=q1");
    answer(desk, "desk", "r2", "causationid=q2");
    fx_expect(&fx.ended, "r1:dropped:late-reply");
    struct fixture_peer *again = fx_system("crm", true);
    fx_expect(&again->got, "response<q2");
    fx_stop();
}

static void what_nobody_waits_for_any_more_is_not_sent(void **state) {
    (void)state;
    fx_start(yaml);
    crm = fx_system("crm", false);
    ask("q1", "");
    fx_lose(crm);
    fx_turn();
    fx_expect(&fx.ended, "q1:dropped:cancelled");
    expect_rest();
    fx_stop();
}

static void a_cancelled_request_is_not_sent_any_more(void **state) {
    (void)state;
    fx_start(yaml);
    crm = fx_system("crm", false);
    ask("q1", "");
    crm->sink->calls->cancelled(crm->sink->user, 1);
    crm->sink->calls->cancelled(crm->sink->user, 1);
    fx_turn();
    fx_expect(&fx.ended, "q1:dropped:cancelled");
    fx_expect(&crm->got, "");
    expect_rest();
    fx_stop();
}

static void replies_wait_for_room_with_who_asked(void **state) {
    (void)state;
    fx_start(yaml);
    fx.room = 0;
    crm = fx_system("crm", false);
    fx.room = UINT32_MAX;
    desk = fx_system("desk", true);
    ask("q1", "");
    ask("q2", "");
    fx_ack(desk, 1, 2);
    answer(desk, "desk", "r1", "causationid=q1");
    answer(desk, "desk", "r2", "causationid=q2");
    fx_expect(&crm->got, "");
    fx_room(crm, 1);
    fx_turn();
    fx_expect(&crm->got, "response<q1");
    fx_room(crm, 1);
    fx_turn();
    fx_expect(&crm->got, "response<q2");
    expect_rest();
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_finds_who_asked_by_its_cause),
        cmocka_unit_test(a_reply_may_come_before_the_acknowledgement),
        cmocka_unit_test(an_error_is_a_reply),
        cmocka_unit_test(a_correlation_decides_only_when_one_has_it),
        cmocka_unit_test(only_who_was_asked_may_answer),
        cmocka_unit_test(another_session_of_who_was_asked_may_answer),
        cmocka_unit_test(a_second_request_of_the_same_id_is_refused),
        cmocka_unit_test(who_asked_hears_when_time_is_up),
        cmocka_unit_test(a_request_that_had_to_wait_is_answered_until_its_own_deadline),
        cmocka_unit_test(the_deadline_of_the_sender_counts_before_ours),
        cmocka_unit_test(nobody_waits_for_a_system_whose_every_dial_failed),
        cmocka_unit_test(a_request_under_way_on_a_lost_connection_has_an_unknown_outcome),
        cmocka_unit_test(a_request_not_yet_sent_is_sent_to_the_next),
        cmocka_unit_test(refusals_of_who_was_asked_reach_who_asked),
        cmocka_unit_test(a_reply_to_who_is_gone_is_dropped_unless_it_has_an_address),
        cmocka_unit_test(what_nobody_waits_for_any_more_is_not_sent),
        cmocka_unit_test(a_cancelled_request_is_not_sent_any_more),
        cmocka_unit_test(replies_wait_for_room_with_who_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
