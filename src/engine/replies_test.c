/* Replies that are fetched: how long they are kept, who may have them, how many. */
#include "base/memory.h"
#include "engine/fixture.h"
#include "engine/replies.h"

static const char yaml[] = "listeners:\n"
                           "  in: {url: http://127.0.0.1:8080, async: {keep: 1m, replies: 3}}\n"
                           "systems:\n"
                           "  crm: {}\n"
                           "  desk: {accept: true, timeouts: {request: 15s}}\n";

static struct fixture_peer *crm, *desk;

static void start(void) {
    fx_start(yaml);
    desk = fx_system("desk", true);
    fx.terms = (struct protocol_terms){.inline_reply = true, .when_full = PROTOCOL_FULL_WAIT};
    crm = fx_accept(0);
}

static void receipt_of(unsigned n, uint8_t out[static 16]) {
    memset(out, 0, 16);
    out[6] = 0x70;
    out[8] = 0x80;
    out[15] = (uint8_t)n;
}

/* A query of that number, which is its id and receipt. */
static void ask(struct fixture_peer *p, unsigned n, uint32_t wait_s) {
    uint8_t bytes[1024];
    char id[16];
    struct buffer extra;
    struct message message;
    struct message_fault fault;
    buffer_init_fixed(&extra, bytes, sizeof bytes);
    snprintf(id, sizeof id, "q%u", n);
    message_init(&message, SLICE_OF("{}"));
    message_add(&message, &extra, ATTRIBUTE_ID, slice_from(id), &fault);
    message_add(&message, &extra, ATTRIBUTE_SOURCE, SLICE_OF("/x"), &fault);
    message_add(&message, &extra, ATTRIBUTE_TYPE, SLICE_OF("t"), &fault);
    message_add(&message, &extra, ATTRIBUTE_TARGET, SLICE_OF("desk"), &fault);
    message_add(&message, &extra, ATTRIBUTE_MESSAGETYPE, SLICE_OF("query"), &fault);
    assert_int_equal(message_seal(&message, &extra, &fault), STATUS_OK);
    receipt_of(n, message.receipt);
    message.has_receipt = true;
    message.later = 1;
    message.wait_s = wait_s;
    p->sink->calls->message(p->sink->user, ++p->tokens, &message, 0);
    fx_turn();
}

static void reply(const char *words) {
    fx_say(desk, "desk", "r1", words);
    fx_turn();
}

static void fetch(struct fixture_peer *p, unsigned n, int64_t wait_ns) {
    struct pull pull = {.kind = PULL_REPLY, .wait_ns = wait_ns};
    receipt_of(n, pull.receipt);
    p->sink->calls->pull(p->sink->user, ++p->tokens, &pull);
    fx_turn();
}

static void holds(const struct fixture_peer *p, const char *piece) {
    if (!strstr((const char *)p->wire.data, piece))
        fail_msg("no `%s` in %s", piece, (const char *)p->wire.data);
}

static void a_reply_is_kept_and_fetched_again_and_again(void **state) {
    (void)state;
    start();
    ask(crm, 1, 0);
    fx_expect(&crm->told, "ok:1");
    fetch(crm, 1, 0);
    fx_expect(&crm->told, "202:2");
    reply("messagetype=response causationid=q1");
    fx_expect(&fx.ended, "");
    for (int i = 0; i < 2; i++) {
        fetch(crm, 1, 0);
        fx_expect(&crm->told, i ? "200:4" : "200:3");
        holds(crm, "\"causationid\":\"q1\"");
        holds(crm, "\"correlationid\":\"q1\"");
    }
    assert_true(engine_totals(fx.engine)->endings[ENDING_REPLIED][STATUS_OK] == 1);
    fx_pass(61 * NS_PER_S);
    fetch(crm, 1, 0);
    fx_expect(&crm->told, "gone:5");
    fetch(crm, 9, 0);
    fx_expect(&crm->told, "not-found:6");
    fx_stop();
}

static void who_waits_for_it_has_it_as_it_comes(void **state) {
    (void)state;
    start();
    ask(crm, 1, 0);
    fx_expect(&crm->told, "ok:1");
    struct fixture_peer *other = fx_accept(0);
    fetch(other, 1, 10 * NS_PER_S);
    fetch(crm, 1, 2 * NS_PER_S);
    fx_expect(&other->told, "");
    fx_pass(3 * NS_PER_S);
    fx_expect(&crm->told, "202:2");
    reply("messagetype=response causationid=q1");
    fx_expect(&other->told, "200:1");
    holds(other, "\"causationid\":\"q1\"");
    assert_int_equal(fx.engine->replies.waiting, 0);
    fx_stop();
}

static void an_ending_without_a_reply_is_the_problem_that_would_have_been_told(void **state) {
    (void)state;
    start();
    ask(crm, 1, 0);
    fx_expect(&crm->told, "ok:1");
    fx_pass(16 * NS_PER_S);
    fx_expect(&fx.ended, "q1:expired:reply-timeout");
    fetch(crm, 1, 0);
    fx_expect(&crm->told, "reply-timeout:2");
    reply("messagetype=response causationid=q1"); /* too late: the problem stays */
    fetch(crm, 1, 0);
    fx_expect(&crm->told, "reply-timeout:3");
    fx_stop();
}

static void only_who_asked_may_fetch(void **state) {
    (void)state;
    start();
    ask(crm, 1, 0);
    reply("messagetype=response causationid=q1");
    struct fixture_peer *other = fx_system("crm", false);
    fetch(other, 1, 0);
    fx_expect(&other->told, "not-found:1");
    fetch(crm, 1, 0);
    fx_expect(&crm->told, "ok:1 200:2");
    fx_stop();
}

static void with_a_wait_the_exchange_is_open_so_long(void **state) {
    (void)state;
    start();
    ask(crm, 1, 2);
    fx_expect(&crm->told, "");
    reply("messagetype=response causationid=q1");
    fx_expect(&crm->got, "response<q1");
    fetch(crm, 1, 0);
    fx_expect(&crm->told, "not-found:2"); /* it has been answered, and never heard of a place */
    ask(crm, 2, 2);
    fx_pass(3 * NS_PER_S);
    fx_expect(&crm->told, "ok:3");
    reply("messagetype=response causationid=q2");
    fetch(crm, 2, 0);
    fx_expect(&crm->told, "200:4");
    ask(crm, 3, 2);
    fx_lose(crm); /* never learned where */
    fx_turn();
    assert_int_equal(fx.engine->replies.open.count, 0);
    fx_stop();
}

static void of_more_than_are_kept_the_oldest_is_gone(void **state) {
    (void)state;
    start();
    for (unsigned n = 1; n <= 4; n++) {
        char words[64];
        ask(crm, n, 0);
        snprintf(words, sizeof words, "messagetype=response causationid=q%u", n);
        reply(words);
    }
    fx_expect(&crm->told, "ok:1 ok:2 ok:3 ok:4");
    fetch(crm, 1, 0);
    fetch(crm, 2, 0);
    fetch(crm, 4, 0);
    fx_expect(&crm->told, "gone:5 200:6 200:7");
    assert_true(engine_totals(fx.engine)->replies_evicted == 1);
    fx_stop();
}

static void where_all_are_open_the_next_is_answered_at_once(void **state) {
    (void)state;
    start();
    for (unsigned n = 1; n <= 3; n++)
        ask(crm, n, 0);
    fx_expect(&crm->told, "ok:1 ok:2 ok:3");
    ask(crm, 4, 0);
    fx_expect(&crm->told, "");
    reply("messagetype=response causationid=q4");
    fx_expect(&crm->got, "response<q4");
    fx_stop();
}

static void memory_is_counted_and_given_back(void **state) {
    (void)state;
    start();
    uint64_t before = replies_memory(fx.engine), kept = fx.engine->kept.held;
    ask(crm, 1, 0);
    reply("messagetype=response causationid=q1");
    assert_true(replies_memory(fx.engine) > before);
    assert_true(fx.engine->replies.bytes > 0);
    assert_true(fx.engine->kept.held > kept);
    fx_pass(61 * NS_PER_S);
    assert_true(fx.engine->replies.bytes == 0);
    assert_true(fx.engine->kept.held == kept);
    fx_stop();
}

static void a_drain_answers_who_waits(void **state) {
    (void)state;
    start();
    ask(crm, 1, 0);
    fetch(crm, 1, 60 * NS_PER_S);
    fx_expect(&crm->told, "ok:1");
    struct engine_input input = {.kind = INPUT_DRAIN};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    buffer_add_byte(&crm->told, 0);
    assert_non_null(strstr((const char *)crm->told.data, "202:2"));
    fx_stop();
}

static void a_removed_system_ends_what_is_open(void **state) {
    (void)state;
    start();
    ask(crm, 1, 0);
    fx_reload(
        "listeners:\n  in: {url: http://127.0.0.1:8080, async: {keep: 1m, replies: 3}}\nsystems: {crm: {}}\n");
    fetch(crm, 1, 0);
    fx_expect(&crm->told, "ok:1 system-removed:2");
    fx_stop();
}

static void without_memory_there_is_an_answer_all_the_same(void **state) {
    (void)state;
    for (int64_t n = 0; n < 24; n++) {
        start();
        memory_fail_after(n);
        ask(crm, 1, 0);
        if (fx_alive(desk))
            fx_say(desk, "desk", "r1", "messagetype=response causationid=q1");
        if (fx_alive(crm))
            fetch(crm, 1, NS_PER_S);
        memory_fail_after(-1);
        fx_pass(2 * NS_PER_S);
        const char *wrong = engine_check(fx.engine);
        if (wrong)
            fail_msg("%s (allocation %d)", wrong, (int)n);
        fx_stop();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_kept_and_fetched_again_and_again),
        cmocka_unit_test(who_waits_for_it_has_it_as_it_comes),
        cmocka_unit_test(an_ending_without_a_reply_is_the_problem_that_would_have_been_told),
        cmocka_unit_test(only_who_asked_may_fetch),
        cmocka_unit_test(with_a_wait_the_exchange_is_open_so_long),
        cmocka_unit_test(of_more_than_are_kept_the_oldest_is_gone),
        cmocka_unit_test(where_all_are_open_the_next_is_answered_at_once),
        cmocka_unit_test(memory_is_counted_and_given_back),
        cmocka_unit_test(a_drain_answers_who_waits),
        cmocka_unit_test(a_removed_system_ends_what_is_open),
        cmocka_unit_test(without_memory_there_is_an_answer_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
