/* Two workers of a node, and letters between them that come late or never. */
#include "engine/pair.h"

static const char with_desk[] = "listeners: {in: intertie://127.0.0.1:7460}\n"
                                "systems: {crm: {}, desk: {accept: true}, other: {accept: true}}\n";
static const char without_desk[] = "listeners: {in: intertie://127.0.0.1:7460}\n"
                                   "systems: {crm: {}, other: {accept: true}}\n";

static void reload(const char *yaml) {
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = fx_load(yaml)};
    for (unsigned i = 0; i < 2; i++) {
        engine_input(workers[i], &input, fx.now);
        turn(i);
    }
}

static void start(void) {
    workers_start(with_desk, 2);
}

static struct fixture_peer *desk_at(unsigned worker) {
    at(worker);
    struct fixture_peer *desk = fx_accept(0);
    assert_int_equal(fx_hello(desk, "desk", NULL, true), STATUS_OK);
    turn(worker);
    return desk;
}

static uint64_t takers(unsigned worker, const char *system) {
    struct engine *engine = workers[worker];
    return engine_system(engine, plan_system(engine->plan, slice_from(system)))->recipient.members.count;
}

static void sessions_are_known_to_other_workers_until_they_go(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = desk_at(0);
    post(0, false);
    assert_int_equal(takers(1, "desk"), 1);
    at(0);
    fx_lose(desk);
    turn(0);
    post(0, false);
    assert_int_equal(takers(1, "desk"), 0);
    workers_stop();
}

/* Both letters about it are under way while two plans come: in the first of them its index is another system's. */
static void a_session_that_a_reload_ends_is_taken_leave_of_by_its_own_name(void **state) {
    (void)state;
    start();
    desk_at(0);
    reload(without_desk);
    reload(with_desk);
    assert_int_equal(post(0, false), 2);
    assert_int_equal(takers(1, "desk"), 0);
    workers_stop();
}

static void what_comes_back_from_a_session_that_is_gone_does_not_go_there_again(void **state) {
    (void)state;
    start();
    at(1);
    struct fixture_peer *crm = fx_accept(0);
    assert_int_equal(fx_hello(crm, "crm", NULL, false), STATUS_OK);
    at(0);
    fx_accept(0); /* the fixture tells peers apart by their handle: crm has this one with the other worker */
    struct fixture_peer *desk = desk_at(0);
    post(0, false);
    at(0);
    fx_lose(desk);
    turn(0);
    post(0, true); /* its goodbye is lost: no memory for it */
    assert_int_equal(takers(1, "desk"), 1);
    at(1);
    fx_say(crm, "crm", "e1", "target=desk");
    turn(1);
    assert_int_equal(post(1, false), 1); /* handed over, */
    assert_int_equal(post(0, false), 1); /* given back, */
    assert_int_equal(post(1, false), 0); /* and kept */
    assert_int_equal(takers(1, "desk"), 0);
    assert_int_equal(engine_totals(workers[1])->held, 1);
    workers_stop();
}

/* Each time that the list of news should grow there is no memory, until it is full: then that is told, and whoever waits
 * for news knows that it doesn't know. */
static void news_without_memory_leave_nobody_waiting(void **state) {
    (void)state;
    start();
    at(1);
    struct fixture_peer *crm = fx_accept(0);
    assert_int_equal(fx_hello(crm, "crm", NULL, false), STATUS_OK);
    at(0);
    fx_accept(0);
    desk_at(0);
    post(0, false);
    at(1);
    fx_say(crm, "crm", "e1", "target=desk");
    turn(1);
    assert_int_equal(post(1, false), 1);
    for (unsigned i = 0; i < 8; i++)
        post(0, true); /* what became of it isn't heard */
    assert_int_equal(engine_totals(workers[1])->held, 1);
    struct open_parcel *open = &workers[0]->post->open[1];
    uint32_t before = open->news_capacity;
    for (uint32_t i = 0; i <= before; i++) {
        memory_fail_after(0);
        parcel_tell(workers[0], 1, (struct news){.id = UINT64_MAX, .verdict = NEWS_ARRIVED});
    }
    memory_fail_after(-1);
    assert_int_equal(open->news_capacity, before);
    assert_true(open->is_lost);
    turn(0);
    assert_false(open->is_lost);
    assert_int_equal(post(0, false), 1);
    fx.now.mono.ns += 500 * NS_PER_MS;
    turn(1);
    assert_int_equal(post(1, false), 1); /* as an event may be: sent again */
    workers_stop();
}

static void letters_count_as_memory_until_they_leave(void **state) {
    (void)state;
    start();
    uint64_t before = engine_memory(workers[0]);
    at(0);
    struct fixture_peer *desk = fx_accept(0);
    assert_int_equal(fx_hello(desk, "desk", NULL, true), STATUS_OK);
    assert_true(engine_memory(workers[0]) >= before + (64u << 10));
    turn(0);
    post(0, false);
    assert_true(engine_memory(workers[0]) < before + (64u << 10));
    workers_stop();
}

/* -- peers that fetch -- */

static void pull(struct fixture_peer *p, struct pull wish) {
    wish.system = SLICE_OF("desk");
    wish.encoding = ENCODING_JSON;
    p->sink->calls->pull(p->sink->user, ++p->tokens, &wish);
}

static void an_ack_reaches_its_worker_by_mail(void **state) {
    (void)state;
    start();
    at(1);
    struct fixture_peer *crm = fx_accept(0);
    assert_int_equal(fx_hello(crm, "crm", NULL, false), STATUS_OK);
    struct fixture_peer *other = fx_accept(0);
    at(0);
    fx_accept(0);
    fx_accept(0);
    struct fixture_peer *p = fx_accept(0);
    pull(p, (struct pull){.kind = PULL_POLL, .wait_ns = NS_PER_S, .max = 1});
    turn(0);
    post(0, false);
    at(1);
    fx_say(crm, "crm", "e1", "target=desk");
    fx_say(crm, "crm", "e2", "target=desk");
    turn(1);
    assert_int_equal(post(1, false), 1);
    fx_expect(&p->told, "200:1");
    const char *id = strstr((char *)p->wire.data, "\"deliveryid\":\"");
    assert_non_null(id);
    post(0, false); /* nobody waits there any longer: the other stays where it is */
    assert_int_equal(engine_system(workers[1], 1)->recipient.queued, 1);
    struct pull_ack acks[2] = {{slice_make(id + 14, 52), PULL_ACCEPTED, 0}, {SLICE_OF("rubbish"), PULL_ACCEPTED, 0}};
    for (int i = 0; i < 2; i++) {
        at(1);
        pull(other, (struct pull){.kind = PULL_ACKS, .acks = acks, .ack_count = 1});
        turn(1);
        assert_int_equal(post(1, false), 1);
        assert_int_equal(post(0, false), 1);
        fx_expect(&other->told, i ? "200:2" : "204:1");
    }
    assert_true(engine_totals(workers[1])->endings[ENDING_DELIVERED][STATUS_OK] == 1);
    at(1);
    pull(other, (struct pull){.kind = PULL_ACKS, .acks = acks, .ack_count = 2}); /* and where its answer is lost */
    turn(1);
    post(1, true);
    fx.now.mono.ns += 6 * NS_PER_S;
    turn(1);
    fx_expect(&other->told, "overloaded:3");
    workers_stop();
}

static void what_was_on_its_way_to_a_poll_that_ended_comes_back_and_waits(void **state) {
    (void)state;
    start();
    at(1);
    struct fixture_peer *crm = fx_accept(0);
    assert_int_equal(fx_hello(crm, "crm", NULL, false), STATUS_OK);
    at(0);
    fx_accept(0);
    struct fixture_peer *p = fx_accept(0);
    pull(p, (struct pull){.kind = PULL_POLL, .wait_ns = NS_PER_S, .max = 5});
    turn(0);
    post(0, false);
    fx.now.mono.ns += 2 * NS_PER_S;
    turn(0);
    fx_expect(&p->told, "204:1");
    post(0, true); /* the letter that says so is lost */
    at(1);
    fx_say(crm, "crm", "e1", "target=desk");
    turn(1);
    assert_int_equal(post(1, false), 1);
    assert_int_equal(post(0, false), 1);
    assert_int_equal(post(1, false), 0); /* not a second time */
    assert_int_equal(engine_system(workers[1], 1)->recipient.queued, 1);
    at(0);
    pull(p, (struct pull){.kind = PULL_POLL, .wait_ns = NS_PER_S, .max = 5});
    turn(0);
    post(0, false);
    post(1, false);
    fx_expect(&p->told, "200:2");
    workers_stop();
}

/* -- replies that are fetched -- */

static void ask_for_later(struct fixture_peer *p, uint8_t receipt[static 16]) {
    uint8_t bytes[1024];
    struct buffer extra;
    struct message message;
    struct message_fault fault;
    buffer_init_fixed(&extra, bytes, sizeof bytes);
    message_init(&message, SLICE_OF("{}"));
    message_add(&message, &extra, ATTRIBUTE_ID, SLICE_OF("q1"), &fault);
    message_add(&message, &extra, ATTRIBUTE_SOURCE, SLICE_OF("/x"), &fault);
    message_add(&message, &extra, ATTRIBUTE_TYPE, SLICE_OF("t"), &fault);
    message_add(&message, &extra, ATTRIBUTE_TARGET, SLICE_OF("desk"), &fault);
    message_add(&message, &extra, ATTRIBUTE_MESSAGETYPE, SLICE_OF("query"), &fault);
    assert_int_equal(message_seal(&message, &extra, &fault), STATUS_OK);
    uuid_make(&p->worker->ids, fx.now.wall, receipt);
    memcpy(message.receipt, receipt, 16);
    message.has_receipt = true;
    message.later = 1;
    p->sink->calls->message(p->sink->user, ++p->tokens, &message, 0);
}

static void fetch(struct fixture_peer *p, const uint8_t receipt[static 16], int64_t wait_ns) {
    struct pull wish = {.kind = PULL_REPLY, .wait_ns = wait_ns};
    memcpy(wish.receipt, receipt, 16);
    p->sink->calls->pull(p->sink->user, ++p->tokens, &wish);
}

static void a_reply_is_fetched_from_the_worker_that_its_receipt_names(void **state) {
    uint8_t receipt[16];
    (void)state;
    start();
    fx.terms = (struct protocol_terms){.inline_reply = true, .when_full = PROTOCOL_FULL_WAIT};
    at(1);
    struct fixture_peer *asker = fx_accept(0);
    at(0);
    fx_accept(0); /* handles of the two aren't to be mixed up */
    struct fixture_peer *other = fx_accept(0);
    at(1);
    ask_for_later(asker, receipt);
    assert_int_equal(uuid_node(receipt), 1);
    turn(1);
    fx_expect(&asker->told, "ok:1");
    at(0);
    fetch(other, receipt, 0); /* open */
    turn(0);
    post(0, false);
    post(1, false);
    fx_expect(&other->told, "202:1");
    at(0);
    fetch(other, receipt, 60 * NS_PER_S); /* waits over there */
    turn(0);
    post(0, false);
    assert_int_equal(post(1, false), 0);
    assert_int_equal(workers[1]->replies.waiting, 1);
    at(1);
    fx_accept(0);
    struct fixture_peer *desk = fx_accept(0);
    assert_int_equal(fx_hello(desk, "desk", NULL, true), STATUS_OK);
    turn(1);
    fx_say(desk, "desk", "r1", "messagetype=response causationid=q1");
    turn(1);
    post(1, false);
    fx_expect(&other->told, "200:2");
    assert_non_null(strstr((const char *)other->wire.data, "\"causationid\":\"q1\""));
    assert_int_equal(workers[1]->replies.waiting, 0);
    at(0);
    fetch(other, receipt, NS_PER_S); /* and where the letter is lost */
    turn(0);
    post(0, true);
    fx.now.mono.ns += 7 * NS_PER_S;
    turn(0);
    fx_expect(&other->told, "overloaded:3");
    receipt[15] ^= 1;
    at(0);
    fetch(other, receipt, NS_PER_S);
    turn(0);
    post(0, false);
    post(1, false);
    fx_expect(&other->told, "not-found:4");
    assert_int_equal(workers[0]->replies.fetches.count, 0);
    workers_stop();
}

/* -- requests that run once -- */

#define FULL (64u << 20) /* bytes that a turn has for one worker */

static struct once_verdict claim(const struct fixture_peer *p, const char *key, uint8_t what) {
    uint8_t print[ONCE_PRINT_SIZE] = {what};
    struct once_claim wish = {slice_from(key), print};
    return p->sink->calls->claim(p->sink->user, &wish);
}

static void ends(const struct fixture_peer *p, unsigned code, const char *answer) {
    p->sink->calls->claimed(p->sink->user, code, slice_from(answer));
}

/* Of worker 1: the next key that worker 0 is the home of. */
static void claim_away(const struct fixture_peer *p, char key[static 16]) {
    static unsigned count;
    at(1);
    for (;;) {
        snprintf(key, 16, "k%u", count++);
        enum once_what what = claim(p, key, 1).what;
        if (what == ONCE_PENDING)
            return;
        assert_int_equal(what, ONCE_NEW);
        ends(p, 0, "");
    }
}

static void takes(const struct fixture_peer *p) {
    once_accepted(((struct connection *)p->sink->user)->owner, false);
}

static struct fixture_peer *two_that_claim(struct fixture_peer **ret_home) {
    start();
    at(0);
    *ret_home = fx_accept(0);
    at(1);
    fx_accept(0); /* handles of the two aren't to be mixed up */
    return fx_accept(0);
}

static void a_key_has_one_home(void **state) {
    char key[16];
    struct fixture_peer *home, *away = two_that_claim(&home);
    (void)state;
    claim_away(away, key);
    turn(1);
    post(1, false);
    at(0);
    assert_int_equal(claim(home, key, 1).what, ONCE_RUNNING);
    assert_int_equal(claim(home, key, 2).what, ONCE_CONFLICT);
    post(0, false);
    fx_expect(&away->told, "once0:0");
    takes(away);
    ends(away, 202, "lines");
    turn(1);
    post(1, false);
    at(0);
    struct once_verdict verdict = claim(home, key, 1);
    assert_int_equal(verdict.what, ONCE_AGAIN);
    assert_int_equal(verdict.code, 202);
    assert_true(slice_is(verdict.answer, "lines"));
    at(1);
    assert_int_equal(claim(away, key, 1).what, ONCE_PENDING);
    turn(1);
    post(1, false);
    post(0, false);
    fx_expect(&away->told, "once3:202");
    workers_stop();
}

static void an_end_that_finds_no_room_is_told_later(void **state) {
    char key[16];
    struct fixture_peer *home, *away = two_that_claim(&home);
    (void)state;
    claim_away(away, key);
    turn(1);
    post(1, false);
    post(0, false);
    at(1);
    takes(away);
    workers[1]->post->open[0].turn_bytes = FULL;
    ends(away, 202, "lines");
    assert_int_equal(workers[1]->unsettled.count, 1);
    turn(1);
    assert_int_equal(workers[1]->unsettled.count, 1);
    at(0);
    assert_int_equal(claim(home, key, 1).what, ONCE_RUNNING);
    turn(1);
    assert_int_equal(workers[1]->unsettled.count, 0);
    post(1, false);
    at(0);
    struct once_verdict verdict = claim(home, key, 1);
    assert_int_equal(verdict.what, ONCE_AGAIN);
    assert_int_equal(verdict.code, 0); /* its answer was not kept that long */
    workers_stop();
}

static void an_end_that_found_no_room_goes_with_its_worker(void **state) {
    char key[16];
    struct fixture_peer *home, *away = two_that_claim(&home);
    (void)state;
    claim_away(away, key);
    turn(1);
    post(1, false);
    post(0, false);
    at(1);
    workers[1]->post->open[0].turn_bytes = FULL;
    ends(away, 202, "");
    assert_int_equal(workers[1]->unsettled.count, 1);
    workers_stop(); /* the sanitizer counts */
}

static void a_verdict_that_finds_no_room_gives_the_key_back(void **state) {
    char key[16];
    struct fixture_peer *home, *away = two_that_claim(&home);
    (void)state;
    claim_away(away, key);
    turn(1);
    workers[0]->post->open[1].turn_bytes = FULL;
    post(1, false);
    at(0);
    assert_int_equal(claim(home, key, 2).what, ONCE_NEW);
    workers_stop();
}

static void whoever_left_before_the_verdict_gives_the_key_back(void **state) {
    char key[16];
    struct fixture_peer *home, *away = two_that_claim(&home);
    (void)state;
    claim_away(away, key);
    turn(1);
    post(1, false);
    at(1);
    fx_lose(away);
    turn(1);
    post(0, false);
    post(1, false);
    at(0);
    assert_int_equal(claim(home, key, 2).what, ONCE_NEW);
    workers_stop();
}

static void of_one_that_was_taken_and_ended_unanswered_nobody_knows(void **state) {
    struct fixture_peer *home;
    char key[16];
    unsigned count = 0;
    (void)state;
    two_that_claim(&home);
    at(0);
    fx_accept(0); /* its handle is the other worker's second */
    struct fixture_peer *other = fx_accept(0);
    do {
        snprintf(key, sizeof key, "h%u", count++);
        if (claim(home, key, 1).what == ONCE_NEW)
            break;
        ends(home, 0, "");
    } while (true);
    takes(home);
    fx_lose(home);
    turn(0);
    struct once_verdict verdict = claim(other, key, 1);
    assert_int_equal(verdict.what, ONCE_AGAIN);
    assert_int_equal(verdict.code, 0);
    workers_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_known_to_other_workers_until_they_go),
        cmocka_unit_test(a_session_that_a_reload_ends_is_taken_leave_of_by_its_own_name),
        cmocka_unit_test(news_without_memory_leave_nobody_waiting),
        cmocka_unit_test(letters_count_as_memory_until_they_leave),
        cmocka_unit_test(a_reply_is_fetched_from_the_worker_that_its_receipt_names),
        cmocka_unit_test(a_key_has_one_home),
        cmocka_unit_test(an_end_that_finds_no_room_is_told_later),
        cmocka_unit_test(an_end_that_found_no_room_goes_with_its_worker),
        cmocka_unit_test(a_verdict_that_finds_no_room_gives_the_key_back),
        cmocka_unit_test(whoever_left_before_the_verdict_gives_the_key_back),
        cmocka_unit_test(of_one_that_was_taken_and_ended_unanswered_nobody_knows),
        cmocka_unit_test(an_ack_reaches_its_worker_by_mail),
        cmocka_unit_test(what_was_on_its_way_to_a_poll_that_ended_comes_back_and_waits),
        cmocka_unit_test(what_comes_back_from_a_session_that_is_gone_does_not_go_there_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
