/* What meets on one message's way: rates, dedupe, middleware, faults, splits, failovers, hedges and traces, two and two. */
#include "engine/pair.h"
#include "engine/rate_inner.h"

#define HEAD "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n"
#define COMMAND "type=com.example.do messagetype=command"

static int64_t live;
static void settle(void) {
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned k = 0; k < worker_count; k++)
            turn(k);
        for (unsigned k = 0; k < worker_count; k++)
            deliver(k, false);
    }
}

static void pass(int64_t ns) {
    fx.now.mono.ns += ns;
    fx.now.wall.ns += ns;
    for (unsigned k = 0; k < worker_count; k++) {
        struct engine_input input = {.kind = INPUT_TIME};
        engine_input(workers[k], &input, fx.now);
    }
    settle();
}

static void reload(const char *yaml) {
    struct plan *plan = fx_load(yaml);
    for (unsigned k = 0; k < worker_count; k++) {
        struct engine_input input = {.kind = INPUT_CONFIG, .plan = plan};
        engine_input(workers[k], &input, fx.now);
        turn(k);
    }
}

static void start(const char *yaml, unsigned count) {
    live = memory_live();
    workers_start(yaml, count);
}

/* Nothing waits, nothing is held, and nothing is left. */
static void stop(void) {
    settle();
    for (unsigned k = 0; k < worker_count; k++) {
        assert_int_equal(engine_totals(workers[k])->waiting, 0);
        assert_int_equal(engine_totals(workers[k])->held, 0);
        assert_int_equal(workers[k]->deduping.held, 0);
        assert_int_equal(workers[k]->deduping.unsettled.count, 0);
        assert_int_equal(workers[k]->delayed.queued_bytes, 0);
        assert_int_equal(workers[k]->tracing.mark, 0);
        assert_null(workers[k]->deduping.offered);
    }
    workers_stop();
    assert_true(memory_live() == live);
}

static struct fixture_peer *peer(unsigned worker, const char *system, bool serves) {
    fx.engine = workers[worker];
    struct fixture_peer *p = fx_accept(0);
    assert_non_null(p);
    assert_int_equal(fx_hello(p, system, NULL, serves), STATUS_OK);
    settle();
    return p;
}

static void say(unsigned worker, struct fixture_peer *p, const char *id, const char *words) {
    fx.engine = workers[worker];
    fx_say(p, "crm", id, words);
    turn(worker);
}

/* All that it has. */
static void ack(unsigned worker, struct fixture_peer *p) {
    fx.engine = workers[worker];
    const struct connection *c = net_find(engine_net(fx.engine), p->handle);
    const struct session *s = c->owner;
    if (s->flight_count)
        fx_ack(p, s->flight_base, s->flight_next - 1);
    settle();
}

/* An id of a command for `target` whose home is that worker. */
static const char *id_at(unsigned home, const char *target) {
    static char id[8];
    struct dedupe_key key = {{0}};
    for (unsigned i = 0;; i++) {
        (void)snprintf(id, sizeof id, "c%u", i);
        struct slice parts[] = {slice_from(target), SLICE_OF("/systems/crm"), slice_from(id)};
        struct dedupe_print print = dedupe_print(&key, parts, 3);
        uint32_t word;
        memcpy(&word, print.bytes + 4, sizeof word);
        if (word % 2 == home)
            return id;
    }
}

/* -- rates and others -- */

static void a_split_borrows_the_rate_of_its_system(void **state) {
    (void)state;
    static const char *const ways[] = {"split: {desk: 1, spare: 0}", "failover: [desk, spare]"};
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        char yaml[512];
        (void)snprintf(yaml, sizeof yaml,
                       HEAD
                       "  desk: {accept: true, rate: {messages: 1/m, burst: 3}}\n  spare: {accept: true}\n"
                       "routes: {r: {match: {}, %s}}\n",
                       ways[i]);
        start(yaml, 2);
        struct fixture_peer *desk[2] = {peer(0, "desk", true), peer(1, "desk", true)};
        struct fixture_peer *crm[2] = {peer(0, "crm", false), peer(1, "crm", false)};
        for (unsigned k = 0; k < 2; k++) {
            say(k, crm[k], "e1", "");
            settle();
            fx_expect(&crm[k]->told, "ok:1");
        }
        for (unsigned k = 0; k < 2; k++)
            for (unsigned n = 0; n < 2; n++) {
                say(k, crm[k], "e2", "");
                settle();
            }
        assert_int_equal(engine_totals(workers[0])->accepted + engine_totals(workers[1])->accepted, 3);
        ack(0, desk[0]);
        ack(1, desk[1]);
        stop();
    }
}

static void a_delayed_message_meets_the_rate_of_the_system_it_is_given_to(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true, rate: {messages: 1/m, burst: 1}}\n  b: {accept: true}\n"
               "routes: {r: {match: {}, split: {a: 1, b: 0}, fault: {delay: 100ms}}}\n",
          1);
    struct fixture_peer *a = peer(0, "a", true), *crm = peer(0, "crm", false);
    say(0, crm, "e1", "");
    say(0, crm, "e2", "");
    fx_expect(&crm->told, "rate-limited:2");
    assert_int_equal(engine_totals(workers[0])->waiting, 1);
    pass(100 * NS_PER_MS);
    fx_expect(&a->got, "e1");
    fx_expect(&crm->told, "ok:1");
    ack(0, a);
    stop();
}

static void a_rate_then_dedupe_over_two_workers(void **state) {
    (void)state;
    for (unsigned home = 0; home < 2; home++)
        for (unsigned by = 0; by < 2; by++) {
            start("listeners: {in: {url: intertie://127.0.0.1:7460, rate: {messages: 1/m, burst: 3}}}\n"
                  "systems: {crm: {}, desk: {accept: true}}\n",
                  2);
            struct fixture_peer *desk = peer(0, "desk", true);
            struct fixture_peer *crm[2] = {peer(0, "crm", false), peer(1, "crm", false)};
            const char *id = id_at(home, "desk");
            for (unsigned n = 0; n < 4; n++) /* one is taken, two are known, the last is past the rate */
                say(by, crm[by], id, COMMAND " target=desk");
            settle();
            fx_expect(&desk->got, id);
            const struct engine_totals *totals = engine_totals(workers[by]);
            assert_int_equal(totals->accepted, 1);
            assert_int_equal(totals->received, 4);
            assert_int_equal(totals->endings[ENDING_REJECTED][STATUS_RATE_LIMITED], 1);
            assert_int_equal(totals->endings[ENDING_DROPPED][STATUS_DUPLICATE] +
                                 totals->endings[ENDING_REJECTED][STATUS_IN_PROGRESS],
                             2);
            ack(0, desk);
            stop();
        }
}

static void a_split_that_its_rate_refuses_claims_nothing(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true, rate: {messages: 1/s, burst: 1}}\n  b: {accept: true}\n"
               "routes: {r: {match: {}, split: {a: 1, b: 0}}}\n",
          1);
    struct fixture_peer *a = peer(0, "a", true), *crm = peer(0, "crm", false);
    say(0, crm, "c1", COMMAND);
    say(0, crm, "c2", COMMAND);
    fx_expect(&crm->told, "ok:1 rate-limited:2");
    assert_int_equal(engine_totals(workers[0])->dedupe_kept, 1);
    pass(NS_PER_S);
    say(0, crm, "c2", COMMAND);
    say(0, crm, "c2", COMMAND);
    fx_expect(&crm->told, "ok:3 duplicate:4");
    fx_expect(&a->got, "c1 c2");
    ack(0, a);
    stop();
}

static void who_leaves_while_a_rate_or_a_verdict_is_asked_for(void **state) {
    (void)state;
    for (unsigned by = 0; by < 2; by++)
        for (unsigned rounds = 0; rounds < 6; rounds++) {
            start(
                "listeners: {in: {url: intertie://127.0.0.1:7460, rate: {messages: 100/s}}}\n"
                "systems: {crm: {}, desk: {accept: true}}\nroutes: {r: {match: {}, to: desk, fault: {delay: 1s}}}\n",
                2);
            struct fixture_peer *desk = peer(0, "desk", true);
            struct fixture_peer *crm[2] = {peer(0, "crm", false), peer(1, "crm", false)};
            say(by, crm[by], "c1", COMMAND);
            say(by, crm[by], "c2", COMMAND " target=desk");
            say(by, crm[by], "c3", COMMAND);
            for (unsigned i = 0; i < rounds; i++) {
                turn(0);
                turn(1);
                deliver(0, false);
                deliver(1, false);
            }
            fx.engine = workers[by];
            fx_lose(crm[by]);
            settle();
            pass(2 * NS_PER_S);
            uint64_t accepted = engine_totals(workers[by])->accepted;
            uint64_t rejected = engine_totals(workers[by])->endings[ENDING_REJECTED][STATUS_CANCELLED];
            assert_int_equal(accepted + rejected, 3);
            say(!by, crm[!by], "c1", COMMAND); /* it may come again */
            settle();
            pass(2 * NS_PER_S);
            assert_int_equal(engine_totals(workers[!by])->accepted, 1);
            ack(0, desk);
            stop();
        }
}

/* -- faults and others -- */

static void what_is_delayed_lives_as_long_as_its_route_says(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true}\nroutes: {r: {match: {}, to: a, ttl: 50ms, fault: {delay: 100ms}}}\n", 1);
    struct fixture_peer *a = peer(0, "a", true), *crm = peer(0, "crm", false);
    say(0, crm, "e1", "");
    pass(100 * NS_PER_MS);
    fx_expect(&a->got, "");
    fx_expect(&crm->told, "expired:1");
    stop();
    start(HEAD "  a: {accept: true}\nroutes: {r: {match: {}, to: a, ttl: 5s, fault: {delay: 100ms}}}\n", 1);
    crm = peer(0, "crm", false);
    say(0, crm, "e1", "");
    pass(100 * NS_PER_MS);
    fx_expect(&crm->told, "ok:1");
    assert_int_equal(engine_totals(workers[0])->held, 1);
    pass(6 * NS_PER_S);
    fx_expect(&fx.ended, "e1:expired:expired");
    stop();
}

static void what_is_delayed_passes_nobody_who_waits(void **state) {
    char large[1400] = "type=com.example.plain subject=", larger[1400];
    (void)state;
    memcpy(larger, large, sizeof larger);
    memset(large + strlen(large), 's', 300);
    memset(larger + strlen(larger), 's', 700);
    start(HEAD "  a: {accept: true, limits: {queue: {bytes: 1200B}}}\n"
               "routes:\n  plain: {match: {type: com.example.plain}, to: a}\n"
               "  slow: {match: {}, to: a, fault: {delay: 100ms}}\n",
          1);
    struct fixture_peer *crm = peer(0, "crm", false), *other = peer(0, "crm", false);
    say(0, crm, "d1", "");
    say(0, other, "e1", large);
    say(0, other, "e2", larger);
    fx_expect(&other->told, "ok:1");
    pass(100 * NS_PER_MS);
    fx_expect(&crm->told, "");
    assert_int_equal(engine_totals(workers[0])->waiting, 2);
    struct fixture_peer *a = peer(0, "a", true);
    settle();
    fx_expect(&a->got, "e1 e2 d1");
    ack(0, a);
    stop();
}

static void what_is_delayed_keeps_its_order(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true}\nroutes: {r: {match: {}, to: a, fault: {delay: 100ms}}}\n", 1);
    struct fixture_peer *a = peer(0, "a", true), *crm = peer(0, "crm", false);
    static const char *const ids[] = {"e1", "e2", "e3", "e4", "e5", "e6", "e7"};
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        say(0, crm, ids[i], "");
    pass(100 * NS_PER_MS);
    fx_expect(&a->got, "e1 e2 e3 e4 e5 e6 e7");
    fx_expect(&crm->told, "ok:1-7");
    ack(0, a);
    stop();
}

static unsigned logged;
static void on_logged(void *user, const struct engine_log *log) {
    (void)user, (void)log;
    logged++;
}

static void what_is_delayed_is_logged_once(void **state) {
    (void)state;
    static const struct engine_calls calls = {.ended = fx_on_ended, .logged = on_logged};
    logged = 0;
    start(HEAD "  a: {accept: true, limits: {queue: {messages: 1}}}\n"
               "routes: {r: {match: {}, to: a, middleware: [log: {}], fault: {delay: 100ms}}}\n",
          1);
    workers[0]->options.calls = &calls;
    struct fixture_peer *crm = peer(0, "crm", false);
    say(0, crm, "e1", "");
    say(0, crm, "e2", "");
    pass(100 * NS_PER_MS);
    fx_expect(&crm->told, "ok:1"); /* the other waits for room */
    struct fixture_peer *a = peer(0, "a", true);
    settle();
    fx_expect(&a->got, "e1 e2");
    assert_int_equal(logged, 2);
    ack(0, a);
    stop();
}

static void what_is_delayed_is_not_decided(void **state) {
    (void)state;
    for (unsigned aborts = 0; aborts < 2; aborts++) {
        start(
            aborts ? HEAD
                "  a: {accept: true}\nroutes: {r: {match: {}, to: a, fault: {delay: 100ms, abort: overloaded}}}\n"
                   : HEAD "  a: {accept: true}\nroutes: {r: {match: {}, to: a, fault: {delay: 100ms}}}\n",
            2);
        struct fixture_peer *a = peer(0, "a", true), *crm = peer(0, "crm", false),
                            *again = peer(1, "crm", false);
        for (unsigned home = 0; home < 2; home++) {
            const char *id = id_at(home, "");
            say(0, crm, id, COMMAND);
            settle();
            say(1, again, id, COMMAND);
            settle();
            fx_expect(&again->told, home ? "in-progress:3" : "in-progress:1");
            pass(100 * NS_PER_MS);
            const char *told[2][2] = {{"ok:1", "ok:2"}, {"overloaded:1", "overloaded:2"}};
            fx_expect(&crm->told, told[aborts][home]);
            say(1, again, id, COMMAND);
            settle();
            if (aborts) {
                fx_expect(&again->told, "");
                pass(100 * NS_PER_MS);
                fx_expect(&again->told, home ? "overloaded:4" : "overloaded:2");
                fx_expect(&a->got, "");
            } else {
                fx_expect(&again->told, home ? "duplicate:4" : "duplicate:2");
                fx_expect(&a->got, id);
            }
        }
        ack(0, a);
        stop();
    }
}

/* -- dedupe and others -- */

static void what_is_held_keeps_its_sender_over_a_reload(void **state) {
    static const char before[] =
        "listeners: {in: intertie://127.0.0.1:7460}\nsystems: {crm: {}, desk: {accept: true}}\n"
        "routes: {r: {match: {from: crm}, to: desk}}\n";
    static const char after[] =
        "listeners: {in: intertie://127.0.0.1:7460}\nsystems: {aaa: {}, crm: {}, desk: {accept: true}}\n"
        "routes: {r: {match: {from: crm}, to: desk}}\n";
    (void)state;
    start(before, 2);
    struct fixture_peer *desk = peer(0, "desk", true), *crm = peer(0, "crm", false);
    const char *id = id_at(1, "");
    say(0, crm, id, COMMAND);
    fx_expect(&crm->told, "");
    reload(after);
    settle();
    fx_expect(&crm->told, "ok:1");
    fx_expect(&desk->got, id);
    ack(0, desk);
    stop();
}

static void a_failover_moves_what_stays_known(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true}\n  b: {accept: true}\nroutes: {r: {match: {}, failover: [a, b]}}\n", 1);
    struct fixture_peer *a = peer(0, "a", true), *b = peer(0, "b", true), *crm = peer(0, "crm", false);
    fx.engine = workers[0];
    fx_room(a, 0);
    say(0, crm, "c1", COMMAND);
    fx_expect(&crm->told, "ok:1");
    fx_lose(a);
    settle();
    fx_expect(&b->got, "c1");
    say(0, crm, "c1", COMMAND);
    fx_expect(&crm->told, "duplicate:2");
    assert_int_equal(engine_totals(workers[0])->failover_moved, 1);
    ack(0, b);
    stop();
}

static void what_a_filter_dropped_is_known(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true}\nroutes: {r: {match: {}, to: a, middleware: {filter: subject = 'a'}}}\n",
          1);
    struct fixture_peer *a = peer(0, "a", true), *crm = peer(0, "crm", false);
    say(0, crm, "c1", COMMAND " subject=b");
    say(0, crm, "c1", COMMAND " subject=b");
    fx_expect(&crm->told, "ok:1 duplicate:2");
    fx_expect(&fx.ended, "c1:dropped:filtered c1:dropped:duplicate");
    fx_expect(&a->got, "");
    stop();
}

/* -- traces and hedges -- */

static struct buffer story;
static void add(void *user, const struct trace_record *record) {
    (void)user;
    fx_note(&story, "%s", trace_step_name((enum trace_step)record->step));
}

static void a_hedged_request_ends_once(void **state) {
    (void)state;
    start(HEAD
          "  desk: {accept: true, timeouts: {request: 10s, attempt: 2s}, retry: {backoff: 10ms..10ms, hedge: "
          "{after: 100ms}}}\n",
          1);
    struct fixture_peer *crm = peer(0, "crm", true), *d[2] = {peer(0, "desk", true), peer(0, "desk", true)};
    say(0, crm, "q1", "target=desk messagetype=query");
    unsigned first = d[1]->got.size > 0;
    pass(100 * NS_PER_MS);
    fx_expect(&d[!first]->got, "q1*2");
    fx.engine = workers[0];
    fx_say(d[!first], "desk", "r1", "messagetype=response causationid=q1");
    settle();
    fx_expect(&crm->got, "response<q1");
    uint64_t found[TRACE_FOUND_MAX];
    assert_int_equal(trace_find(workers[0], SLICE_OF("q1"), found), 1);
    buffer_init(&story, 1 << 12);
    trace_each(workers[0], found[0], add, NULL);
    fx_expect(&story, "received allowed routed sent sent answered ended");
    buffer_done(&story);
    assert_int_equal(engine_totals(workers[0])->endings[ENDING_REPLIED][STATUS_OK], 1);
    stop();
}

/* -- all of them -- */

#define ALL(first, rate) \
    "listeners: {in: {url: intertie://127.0.0.1:7460, rate: {messages: 100/s}}}\n" \
    "systems: {" first "crm: {}, a: {accept: true, rate: {messages: " rate \
    "/s}, limits: {queue: {messages: 1}}}, b: {accept: true}, c: {accept: true}}\n" \
    "routes:\n  r:\n    match: {from: crm}\n    split: {a: 1, c: 0}\n    rate: {messages: " rate \
    "/s}\n    ttl: 60s\n" \
    "    middleware: [transform: {set: {subject: x}}, log: {}]\n    fault: {delay: 100ms}\n    mirror: {to: b}\n" \
    "    trace: all\n"

/* Each of what it sent, once. */
static void expect_told_once(struct fixture_peer *p, unsigned count) {
    unsigned told[16] = {0};
    buffer_add_byte(&p->told, 0);
    for (const char *at = (const char *)p->told.data; (at = strchr(at, ':'));) {
        unsigned first = 0, last;
        int used = 0;
        if (sscanf(++at, "%u%n", &first, &used) != 1)
            continue;
        last = first;
        if (at[used] == '-')
            (void)sscanf(at + used + 1, "%u", &last);
        for (unsigned i = first; i <= last && i < COUNT_OF(told); i++)
            told[i]++;
    }
    for (unsigned i = 1; i <= count; i++)
        if (told[i] != 1)
            fail_msg("the %u. was told %u times: %s (allocation %d)", i, told[i], (const char *)p->told.data,
                     (int)fx.failing);
    buffer_clear(&p->told);
}

static void run_out(struct fixture_peer *a, struct fixture_peer *b) {
    for (unsigned i = 0; i < 8; i++) {
        pass(2 * NS_PER_S);
        ack(0, a);
        ack(0, b);
    }
}

static void want_of_memory_anywhere(void **state) {
    (void)state;
    for (int64_t nth = 0; nth < 300; nth++) {
        start(ALL("", "100"), 2);
        struct fixture_peer *a = peer(0, "a", true), *b = peer(0, "b", true);
        struct fixture_peer *crm[2] = {peer(0, "crm", false), peer(1, "crm", false)};
        fx.engine = workers[0];
        fx_room(a, 0);
        turn(0);
        fx.failing = nth;
        memory_fail_after(nth);
        for (unsigned n = 0; n < 3; n++)
            for (unsigned k = 0; k < 2; k++) {
                char id[8];
                (void)snprintf(id, sizeof id, "x%u", n);
                say(k, crm[k], id, COMMAND);
            }
        settle();
        pass(100 * NS_PER_MS);
        fx.engine = workers[0];
        fx_room(a, 100);
        settle();
        memory_fail_after(-1);
        run_out(a, b);
        for (unsigned k = 0; k < 2; k++)
            if (!crm[k]->closed)
                expect_told_once(crm[k], 3);
        assert_true(engine_totals(workers[0])->accepted + engine_totals(workers[1])->accepted <= 3);
        stop();
    }
}

/* What the steps between them are: 0: not yet asked, later ones with letters under way, delayed, waiting for room. */
static void another_plan_at_any_step(void **state) {
    (void)state;
    for (unsigned change = 0; change < 3; change++)
        for (unsigned step = 0; step < 14; step++) {
            start(ALL("", "100"), 2);
            struct fixture_peer *a = peer(0, "a", true), *b = peer(0, "b", true);
            struct fixture_peer *crm[2] = {peer(0, "crm", false), peer(1, "crm", false)};
            fx.engine = workers[0];
            fx_room(a, 0);
            turn(0);
            for (unsigned at = 0; at < 14; at++) {
                if (at == 0)
                    for (unsigned k = 0; k < 2; k++)
                        for (unsigned n = 0; n < 3; n++) {
                            char id[8];
                            (void)snprintf(id, sizeof id, "%c%u", k ? 'y' : 'x', n);
                            say(k, crm[k], id, COMMAND);
                        }
                if (at == step && change < 2)
                    reload(change ? ALL("aaa: {}, ", "90") : ALL("", "100"));
                else if (at == step)
                    for (unsigned k = 0; k < 2; k++) {
                        struct engine_input input = {.kind = INPUT_DRAIN};
                        engine_input(workers[k], &input, fx.now);
                        turn(k);
                    }
                turn(at % 2);
                deliver(at % 2, false);
                if (at == 11)
                    pass(100 * NS_PER_MS);
            }
            fx.engine = workers[0];
            fx_room(a, 100);
            settle();
            run_out(a, b);
            for (unsigned k = 0; k < 2; k++)
                expect_told_once(crm[k], 3);
            uint64_t accepted = engine_totals(workers[0])->accepted + engine_totals(workers[1])->accepted;
            if (change == 0) /* another rate has lent nothing yet */
                assert_int_equal(accepted, 6);
            buffer_add_byte(&a->got, 0);
            unsigned got = 0;
            for (const char *word = (const char *)a->got.data; *word; word += *word ? 1 : 0)
                got += *word == 'x' || *word == 'y';
            assert_int_equal(got, accepted);
            stop();
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_split_borrows_the_rate_of_its_system),
        cmocka_unit_test(a_delayed_message_meets_the_rate_of_the_system_it_is_given_to),
        cmocka_unit_test(a_rate_then_dedupe_over_two_workers),
        cmocka_unit_test(a_split_that_its_rate_refuses_claims_nothing),
        cmocka_unit_test(who_leaves_while_a_rate_or_a_verdict_is_asked_for),
        cmocka_unit_test(what_is_delayed_lives_as_long_as_its_route_says),
        cmocka_unit_test(what_is_delayed_passes_nobody_who_waits),
        cmocka_unit_test(what_is_delayed_keeps_its_order),
        cmocka_unit_test(what_is_delayed_is_logged_once),
        cmocka_unit_test(what_is_delayed_is_not_decided),
        cmocka_unit_test(what_is_held_keeps_its_sender_over_a_reload),
        cmocka_unit_test(a_failover_moves_what_stays_known),
        cmocka_unit_test(what_a_filter_dropped_is_known),
        cmocka_unit_test(a_hedged_request_ends_once),
        cmocka_unit_test(want_of_memory_anywhere),
        cmocka_unit_test(another_plan_at_any_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
