/* Rates: what is past them is refused with its status, each holder has its own bucket, and two workers together let pass no more
 * than one would. */
#include "engine/pair.h"
#include "engine/parcel.h"
#include "engine/rate_inner.h"

#define HEAD "listeners: {in: {url: intertie://127.0.0.1:7460%s}}\nsystems: {crm: {}, web: {}, desk: {accept: true%s}}\n%s"

static struct fixture_peer *crm, *desk;

static char *yaml(const char *listener, const char *system, const char *more) {
    static char text[1024];
    (void)snprintf(text, sizeof text, HEAD, listener, system, more);
    return text;
}

static void start(const char *listener, const char *system, const char *more) {
    fx_start(yaml(listener, system, more));
    fx.terms.acks = false;
    desk = fx_system("desk", true);
    crm = fx_system("crm", false);
}

static void say(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        fx_say(crm, "crm", "e", "target=desk");
    fx_turn();
}

static void what_is_past_the_rate_of_a_listener_is_refused(void **state) {
    (void)state;
    start(", rate: {messages: 10/s, burst: 3}", "", "");
    say(4);
    fx_expect(&crm->told, "rate-limited:4 ok:1-3");
    fx_pass(99 * NS_PER_MS);
    say(1);
    fx_expect(&crm->told, "rate-limited:5");
    fx_pass(NS_PER_MS);
    say(2); /* by the memo, too */
    fx_expect(&crm->told, "rate-limited:7 ok:6");
    fx_pass(3600 * NS_PER_S);
    say(4);
    fx_expect(&crm->told, "rate-limited:11 ok:8-10");
    assert_int_equal(engine_totals(fx.engine)->rate_limited[PLAN_RATE_LISTENER], 4);
    fx_expect(&desk->got, "e e e e e e e");
    fx_stop();
}

static void a_burst_is_one_second_s_worth_unless_it_is_said(void **state) {
    (void)state;
    start(", rate: {messages: 5/s}", "", "");
    say(6);
    fx_expect(&crm->told, "rate-limited:6 ok:1-5");
    fx_stop();
}

static void each_system_has_its_own_where_it_is_counted_by_system(void **state) {
    (void)state;
    start(", rate: {messages: 1/s, by: system}", "", "");
    struct fixture_peer *web = fx_system("web", false);
    say(2);
    fx_say(web, "web", "w", "target=desk");
    fx_turn();
    fx_expect(&crm->told, "rate-limited:2 ok:1");
    fx_expect(&web->told, "ok:1");
    fx_stop();
}

static void each_address_has_its_own_of_ipv6_each_network(void **state) {
    (void)state;
    start(", rate: {messages: 1/s, by: address}", "", "");
    static const char *const from[] = {"10.0.0.1", "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:10.0.0.2"};
    for (size_t i = 0; i < COUNT_OF(from); i++) {
        struct address address;
        assert_true(address_parse_ip(slice_from(from[i]), &address));
        fx.engine->rates.sender = &address;
        say(1);
        fx.engine->rates.sender = NULL;
    }
    fx_expect(&crm->told, "ok:1 rate-limited:2 ok:3 ok:4 rate-limited:5 ok:6 rate-limited:7");
    fx_stop();
}

static void the_rate_of_a_route_and_that_of_a_system_both_count(void **state) {
    (void)state;
    start("", ", rate: {messages: 3/s}", "routes: {r: {match: {type: com.example.r}, to: desk, rate: {messages: 2/s}}}\n");
    for (int i = 0; i < 3; i++)
        fx_say(crm, "crm", "r", "type=com.example.r");
    fx_turn();
    fx_expect(&crm->told, "rate-limited:3 ok:1-2"); /* the route's */
    say(2);
    fx_expect(&crm->told, "rate-limited:5 ok:4"); /* the system's */
    assert_int_equal(engine_totals(fx.engine)->rate_limited[PLAN_RATE_ROUTE], 1);
    assert_int_equal(engine_totals(fx.engine)->rate_limited[PLAN_RATE_SYSTEM], 1);
    fx_stop();
}

static void what_every_system_may_be_sent_is_no_rate_of_a_route(void **state) {
    (void)state;
    start("", "", "policies: {default: {rate: {messages: 2/s}}}\nroutes: {r: {match: {type: com.example.r}, to: desk}}\n");
    assert_null(fx.engine->plan->rates->routes[0]);
    say(3);
    fx_expect(&crm->told, "rate-limited:3 ok:1-2");
    fx_stop();
}

static void bytes_have_a_rate_and_the_largest_is_told(void **state) {
    char words[1400] = "target=desk subject=";
    (void)state;
    start(", rate: {bytes: 1000B/s}", "", "");
    size_t used = strlen(words);
    memset(words + used, 's', 300);
    for (int i = 0; i < 3; i++)
        fx_say(crm, "crm", "e", words);
    fx_turn();
    fx_expect(&crm->told, "rate-limited:3 ok:1-2");
    memset(words + used, 's', 1000);
    fx_say(crm, "crm", "e", words); /* later would not help */
    fx_turn();
    fx_expect(&crm->told, "too-large:4");
    fx_stop();
}

static void what_one_refuses_costs_the_others_nothing(void **state) {
    (void)state;
    start("", ", rate: {messages: 1/s}", "routes: {r: {match: {type: com.example.r}, to: desk, rate: {messages: 2/s}}}\n");
    for (int i = 0; i < 5; i++)
        fx_say(crm, "crm", "r", "type=com.example.r");
    fx_turn();
    fx_expect(&crm->told, "rate-limited:2 rate-limited:3 rate-limited:4 rate-limited:5 ok:1");
    assert_int_equal(engine_totals(fx.engine)->rate_limited[PLAN_RATE_ROUTE], 0);
    fx_stop();
}

static void replies_pass(void **state) {
    (void)state;
    start(", rate: {messages: 1/s}", "", "");
    fx_say(crm, "crm", "q1", "target=desk messagetype=query");
    fx_turn();
    fx_expect(&desk->got, "q1");
    fx_say(desk, "desk", "r1", "messagetype=response causationid=q1");
    fx_turn();
    fx_expect(&desk->told, "ok:1");
    fx_stop();
}

static void copies_for_all_do_not_veto(void **state) {
    (void)state;
    start("", ", rate: {messages: 1/s}", "");
    for (int i = 0; i < 2; i++)
        fx_say(crm, "crm", "e", "target=all");
    fx_turn();
    fx_expect(&crm->told, "ok:1-2");
    fx_expect(&desk->got, "e");
    assert_true(engine_totals(fx.engine)->endings[ENDING_DEAD][STATUS_RATE_LIMITED] == 1);
    fx_stop();
}

static void a_reload_keeps_the_level_of_what_did_not_change(void **state) {
    (void)state;
    start(", rate: {messages: 2/s}", "", "");
    say(2);
    fx_reload(yaml(", rate: {messages: 2/s}, limits: {message: 2KiB}", ", limits: {in_flight: 9}", ""));
    buffer_clear(&crm->told);
    say(1);
    fx_expect(&crm->told, "rate-limited:3");
    fx_reload(yaml(", rate: {messages: 3/s}", "", ""));
    say(4);
    fx_expect(&crm->told, "rate-limited:7 ok:4-6");
    fx_stop();
}

static void so_many_peers_are_known_and_no_more(void **state) {
    (void)state;
    start(", rate: {messages: 1/s, burst: 2, by: address}", "", "");
    const struct plan_rate *rate = fx.engine->plan->rates->listeners[0];
    struct session *s = ((struct connection *)crm->sink->user)->owner;
    struct address address = {.family = ADDRESS_IPV4};
    fx.engine->rates.sender = &address;
    for (uint32_t i = 0; i <= RATE_KEYS_MAX; i++) {
        memcpy(address.bytes, &i, sizeof i);
        struct bucket *b = bucket_of(fx.engine, s, rate, CONFIG_NONE);
        if (i == 0)
            rate_take(&b->level[0], &rate->limits[0], 1);
    }
    fx.engine->rates.sender = NULL;
    assert_int_equal(fx.engine->rates.keyed.count, RATE_KEYS_MAX);
    assert_int_equal(engine_totals(fx.engine)->rates_evicted, 1); /* the first, which wasn't whole again */
    fx_stop();
}

static void answers_tell_of_the_rate(void **state) {
    char lines[768];
    (void)state;
    start(", rate: {messages: 10/s, bytes: 1MiB/s, burst: 20}", "", "");
    say(5);
    size_t size = rate_lines(crm->sink->user, lines, sizeof lines - 1);
    lines[size] = '\0';
    assert_non_null(strstr(lines, "RateLimit-Policy: \"listener\";q=20;w=2, \"listener-bytes\";q=2097152;w=2;qu=\"content-bytes\"\r\n"));
    assert_non_null(strstr(lines, "RateLimit: \"listener\";r=15;t=1, \"listener-bytes\";r=20"));
    assert_int_equal(rate_lines(crm->sink->user, lines, 40), 0); /* all or nothing */
    fx_stop();
}

/* -- two workers -- */

static void settle(void) {
    for (int i = 0; i < 6; i++) {
        post(0, false);
        post(1, false);
    }
}

static struct fixture_peer *peers[2];
static unsigned home;

static void start_two(const char *rate) {
    workers_begin(yaml(rate, "", ""), 2);
    fx.terms.acks = false;
    struct plan *plan = fx.plans[0];
    for (unsigned i = 0; i < 2; i++) {
        worker_start(i, plan);
        for (unsigned k = 0; k < 2 * i; k++)
            fx_accept(0); /* the fixture tells peers apart by their handles */
        struct fixture_peer *taker = fx_accept(0);
        assert_int_equal(fx_hello(taker, "desk", NULL, true), STATUS_OK);
        peers[i] = fx_accept(0);
        assert_int_equal(fx_hello(peers[i], "crm", NULL, false), STATUS_OK);
        turn(i);
    }
    settle();
    const struct plan_rate *of = plan->rates->listeners[0];
    home = bucket_of(workers[0], ((struct connection *)peers[0]->sink->user)->owner, of, CONFIG_NONE)->home;
}

static void say_at(unsigned worker, unsigned count) {
    fx.engine = workers[worker];
    for (unsigned i = 0; i < count; i++)
        fx_say(peers[worker], "crm", "e", "target=desk");
    turn(worker);
}

static void pass(int64_t ns) {
    fx.now.mono.ns += ns;
    fx.now.wall.ns += ns;
    turn(0);
    turn(1);
}

static uint64_t accepted(void) {
    return engine_totals(workers[0])->accepted + engine_totals(workers[1])->accepted;
}

static void who_has_none_asks_and_what_came_is_held_meanwhile(void **state) {
    (void)state;
    start_two(", rate: {messages: 10/s, burst: 3}");
    say_at(!home, 4);
    fx_expect(&peers[!home]->told, "");
    assert_int_equal(engine_totals(workers[!home])->waiting, 4);
    settle();
    fx_expect(&peers[!home]->told, "ok:1 rate-limited:4 ok:2-3"); /* it asked for the first, then for the others */
    say_at(home, 1);
    fx_expect(&peers[home]->told, "rate-limited:1");
    say_at(!home, 1); /* it was told when to ask again: no letter */
    fx_expect(&peers[!home]->told, "rate-limited:5");
    assert_int_equal(letters[!home].count, 0);
    pass(100 * NS_PER_MS);
    say_at(!home, 1);
    settle();
    fx_expect(&peers[!home]->told, "ok:6");
    assert_int_equal(engine_totals(workers[!home])->waiting, 0);
    workers_stop();
}

static void few_are_lent_one_by_one(void **state) {
    (void)state;
    start_two(", rate: {messages: 6/m, burst: 3}");
    for (int i = 0; i < 4; i++) {
        say_at(!home, 1);
        settle();
    }
    fx_expect(&peers[!home]->told, "ok:1 ok:2 ok:3 rate-limited:4");
    workers_stop();
}

static void what_was_borrowed_and_not_used_comes_back(void **state) {
    (void)state;
    start_two(", rate: {messages: 1/s, burst: 100}");
    say_at(!home, 1);
    settle();
    fx_expect(&peers[!home]->told, "ok:1");
    const struct plan_rate *rate = fx.plans[0]->rates->listeners[0];
    struct bucket *here = bucket_find(workers[home], rate, rate->prefix), *there = bucket_find(workers[!home], rate, rate->prefix);
    assert_true(there->lease[0] > 0 && here->level[0].lent == there->lease[0]);
    pass(RATE_LOOK_NS);
    pass(RATE_LOOK_NS);
    settle();
    assert_true(there->lease[0] == 0 && here->level[0].lent == 0);
    say_at(home, 99);
    say_at(home, 1);
    buffer_clear(&peers[home]->told);
    assert_int_equal(accepted(), 100);
    workers_stop();
}

static void who_leaves_while_it_is_held_is_forgotten(void **state) {
    (void)state;
    start_two(", rate: {messages: 10/s, burst: 3}");
    say_at(!home, 2);
    fx.engine = workers[!home];
    fx_lose(peers[!home]);
    turn(!home);
    settle();
    assert_int_equal(engine_totals(workers[!home])->waiting, 0);
    assert_true(engine_totals(workers[!home])->endings[ENDING_REJECTED][STATUS_CANCELLED] == 2);
    pass(RATE_LOOK_NS);
    pass(RATE_LOOK_NS);
    settle();
    say_at(home, 3); /* what it borrowed is there again */
    fx_expect(&peers[home]->told, "ok:1-3");
    workers_stop();
}

static void an_answer_that_is_lost_is_asked_for_again(void **state) {
    (void)state;
    start_two(", rate: {messages: 10/s, burst: 3}");
    say_at(!home, 1);
    post(!home, true); /* the question is lost: no memory for it */
    for (int i = 0; i < 12; i++)
        pass(100 * NS_PER_MS);
    settle();
    fx_expect(&peers[!home]->told, "ok:1");
    workers_stop();
}

static void a_reload_serves_what_is_held(void **state) {
    (void)state;
    start_two(", rate: {messages: 10/s, burst: 3}");
    say_at(!home, 2);
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = fx_load(yaml("", "", ""))};
    for (unsigned i = 0; i < 2; i++) {
        engine_input(workers[i], &input, fx.now);
        turn(i);
    }
    settle();
    fx_expect(&peers[!home]->told, "ok:1-2");
    assert_int_equal(engine_totals(workers[!home])->waiting, 0);
    workers_stop();
}

/* Letters come late, in their order; what both take together stays within what one would. */
static void both_together_let_pass_no_more_than_one(void **state) {
    static struct {
        int64_t at;
        uint64_t count;
    } seen[3000];
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rng rng;
        char rate[80];
        rng_init(&rng, seed);
        uint64_t burst = 1 + rng_below(&rng, 60), per = 1 + rng_below(&rng, 400);
        (void)snprintf(rate, sizeof rate, ", rate: {messages: %u/s, burst: %u}", (unsigned)per, (unsigned)burst);
        start_two(rate);
        for (size_t i = 0; i < COUNT_OF(seen); i++) {
            uint64_t before = accepted();
            switch (rng_below(&rng, 5)) {
            case 0:
            case 1:
                say_at((unsigned)rng_below(&rng, 2), (unsigned)(1 + rng_below(&rng, 6)));
                break;
            case 2:
                pass((int64_t)rng_below(&rng, 30 * NS_PER_MS));
                break;
            default:
                post((unsigned)rng_below(&rng, 2), false);
            }
            if (letters[0].count > 30 || letters[1].count > 30)
                settle();
            seen[i].at = fx.now.mono.ns;
            seen[i].count = accepted() - before;
            buffer_clear(&peers[0]->told);
            buffer_clear(&peers[1]->told);
        }
        for (size_t i = 0; i < COUNT_OF(seen); i++) {
            uint64_t sum = 0;
            for (size_t k = i; k < COUNT_OF(seen) && k < i + 300; k++) {
                sum += seen[k].count;
                uint64_t window = (uint64_t)(seen[k].at - seen[i].at);
                assert_true(sum <= burst + window * per / (uint64_t)NS_PER_S);
            }
        }
        uint64_t span = (uint64_t)(seen[COUNT_OF(seen) - 1].at - seen[0].at);
        assert_true(accepted() >= span * per / (uint64_t)NS_PER_S / 4); /* nor is it a wall */
        workers_stop();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_past_the_rate_of_a_listener_is_refused),
        cmocka_unit_test(a_burst_is_one_second_s_worth_unless_it_is_said),
        cmocka_unit_test(each_system_has_its_own_where_it_is_counted_by_system),
        cmocka_unit_test(each_address_has_its_own_of_ipv6_each_network),
        cmocka_unit_test(the_rate_of_a_route_and_that_of_a_system_both_count),
        cmocka_unit_test(what_every_system_may_be_sent_is_no_rate_of_a_route),
        cmocka_unit_test(bytes_have_a_rate_and_the_largest_is_told),
        cmocka_unit_test(what_one_refuses_costs_the_others_nothing),
        cmocka_unit_test(replies_pass),
        cmocka_unit_test(copies_for_all_do_not_veto),
        cmocka_unit_test(a_reload_keeps_the_level_of_what_did_not_change),
        cmocka_unit_test(so_many_peers_are_known_and_no_more),
        cmocka_unit_test(answers_tell_of_the_rate),
        cmocka_unit_test(who_has_none_asks_and_what_came_is_held_meanwhile),
        cmocka_unit_test(few_are_lent_one_by_one),
        cmocka_unit_test(what_was_borrowed_and_not_used_comes_back),
        cmocka_unit_test(who_leaves_while_it_is_held_is_forgotten),
        cmocka_unit_test(an_answer_that_is_lost_is_asked_for_again),
        cmocka_unit_test(a_reload_serves_what_is_held),
        cmocka_unit_test(both_together_let_pass_no_more_than_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
