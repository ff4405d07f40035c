/* Dead letters: what is kept, how much of it, and what becomes of it. */
#include "engine/dead.h"

#include "engine/fixture.h"

#define YAML(storage, route) \
    "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n" \
    "  desk: {accept: true, redeliver: {attempts: 1}}\n  morgue: {accept: true}\n" \
    "routes: {r: {match: {type: com.example.*}, to: desk" route "}}\nstorage: {dead_letters: {" storage "}}\n"

static struct fixture_peer *crm, *desk;

static void start(const char *yaml) {
    fx_start(yaml);
    crm = fx_system("crm", true);
    desk = fx_system("desk", true);
}

static void give(const char *id, const char *words) {
    fx_say(crm, "crm", id, words);
    fx_turn();
}

static void refuse(uint64_t first, uint64_t last) {
    desk->worker->answer.code = 503;
    desk->worker->answer.words = SLICE_OF("database is down");
    desk->sink->calls->outcome(desk->sink->user, first, last, (struct protocol_outcome){VERDICT_RETRY, STATUS_TARGET_UNAVAILABLE, 0});
    desk->worker->answer.code = 0;
    desk->worker->answer.words = slice_make("", 0);
    fx_turn();
}

struct seen {
    struct buffer ids;
    struct dead_letter last;
    unsigned count, limit;
};

static bool see(void *user, const struct dead_letter *letter) {
    struct seen *seen = user;
    fx_note(&seen->ids, "%.*s", SLICE_ARG(message_text(letter->message, ATTRIBUTE_ID)));
    seen->last = *letter;
    return ++seen->count != seen->limit;
}

static void expect_letters(struct dead_filter filter, const char *ids) {
    struct seen seen = {0};
    buffer_init(&seen.ids, 4096);
    dead_each(fx.engine, &filter, see, &seen);
    fx_expect(&seen.ids, ids);
    buffer_done(&seen.ids);
}

static struct dead_letter newest(void) {
    struct seen seen = {.limit = 1};
    buffer_init(&seen.ids, 4096);
    dead_each(fx.engine, &(struct dead_filter){0}, see, &seen);
    buffer_done(&seen.ids);
    assert_int_equal(seen.count, 1);
    return seen.last;
}

static struct engine_input command(struct dead_command command) {
    struct buffer bytes;
    buffer_init(&bytes, 4096);
    dead_command_write(&bytes, &command);
    struct engine_input input = {.kind = INPUT_DEAD, .bytes = buffer_slice(&bytes)};
    engine_input(fx.engine, &input, fx.now);
    buffer_done(&bytes);
    fx_turn();
    return input;
}

static void what_can_not_be_delivered_is_kept_with_its_reason(void **state) {
    (void)state;
    start(YAML("", ""));
    give("e1", "subject=a");
    refuse(1, 1);
    fx_expect(&fx.ended, "e1:dead:retries-exhausted");
    struct dead_letter letter = newest();
    assert_int_equal(letter.reason, STATUS_RETRIES_EXHAUSTED);
    assert_int_equal(letter.last, STATUS_TARGET_UNAVAILABLE);
    assert_int_equal(letter.code, 503);
    assert_true(slice_is(letter.words, "database is down"));
    assert_true(slice_is(letter.system, "desk") && slice_is(letter.route, "r") && slice_is(letter.from, "crm"));
    assert_int_equal(letter.attempts, 1);
    assert_int_equal(letter.redriven, 0);
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    assert_int_equal(engine_totals(fx.engine)->dead_held, 1);
    fx_stop();
}

static void who_was_told_and_who_may_be_dropped_leave_none(void **state) {
    (void)state;
    start(YAML("", ""));
    fx_say(crm, "crm", "q1", "target=desk messagetype=query");
    fx_say(crm, "crm", "n1", "target=desk messagetype=notification");
    fx_turn();
    desk->sink->calls->outcome(desk->sink->user, 1, 2, (struct protocol_outcome){VERDICT_REJECTED, STATUS_REJECTED, 0});
    fx_turn();
    fx_expect(&crm->got, "error<q1");
    expect_letters((struct dead_filter){0}, "");
    fx_stop();
}

static void a_route_may_drop_them(void **state) {
    (void)state;
    start(YAML("", ", dead_letter: false"));
    give("e1", "subject=a");
    refuse(1, 1);
    fx_expect(&fx.ended, "e1:dropped:retries-exhausted");
    expect_letters((struct dead_filter){0}, "");
    fx_say(crm, "crm", "e2", "target=desk"); /* not by that route */
    fx_turn();
    refuse(2, 2);
    expect_letters((struct dead_filter){0}, "e2");
    fx_stop();
}

static void a_route_may_send_them_to_a_system(void **state) {
    (void)state;
    start(YAML("", ", dead_letter: morgue"));
    struct fixture_peer *morgue = fx_system("morgue", true);
    fx_say(crm, "crm", "e1", "dlreason=forged");
    fx_turn();
    refuse(1, 1);
    fx_expect(&fx.ended, "e1:dead:retries-exhausted");
    fx_expect(&morgue->got, "e1");
    buffer_add_byte(&morgue->wire, 0);
    const char *wire = (const char *)morgue->wire.data;
    assert_non_null(strstr(wire, "\"dlreason\":\"retries-exhausted\""));
    assert_non_null(strstr(wire, "\"dltarget\":\"desk\""));
    assert_non_null(strstr(wire, "\"dlcode\":503"));
    assert_non_null(strstr(wire, "\"dlattempts\":1"));
    assert_non_null(strstr(wire, "\"dldetail\":\"database is down\""));
    assert_non_null(strstr(wire, "\"dltime\":\"2026-09-21T"));
    assert_null(strstr(wire, "forged"));
    expect_letters((struct dead_filter){0}, "");
    morgue->sink->calls->outcome(morgue->sink->user, 1, 1, (struct protocol_outcome){VERDICT_REJECTED, STATUS_REJECTED, 0});
    fx_turn();
    expect_letters((struct dead_filter){0}, "e1"); /* there is no second way */
    fx_stop();
}

static void past_a_limit_the_oldest_goes_and_is_counted(void **state) {
    (void)state;
    start(YAML("messages: 3", ""));
    for (unsigned i = 1; i <= 4; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "e%u", i);
        give(id, "subject=a");
        refuse(i, i);
    }
    expect_letters((struct dead_filter){0}, "e4 e3 e2");
    assert_int_equal(engine_totals(fx.engine)->dead_evicted, 1);
    fx_stop();
}

static void its_bytes_are_bounded_too(void **state) {
    (void)state;
    start(YAML("bytes: 2KiB", ""));
    for (unsigned i = 1; i <= 9; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "e%u", i);
        give(id, "subject=a");
        refuse(i, i);
    }
    assert_true(engine_totals(fx.engine)->dead_bytes <= 2048);
    assert_true(engine_totals(fx.engine)->dead_evicted > 0);
    assert_int_equal(engine_totals(fx.engine)->dead_evicted + engine_totals(fx.engine)->dead_held, 9);
    fx_stop();
}

static void what_is_too_old_goes_by_itself(void **state) {
    (void)state;
    start(YAML("keep: 1h", ""));
    give("e1", "subject=a");
    refuse(1, 1);
    fx_pass(3599 * NS_PER_S);
    expect_letters((struct dead_filter){0}, "e1");
    fx_pass(2 * NS_PER_S);
    expect_letters((struct dead_filter){0}, "");
    assert_int_equal(engine_totals(fx.engine)->dead_aged, 1);
    fx_stop();
}

static void filters_say_which(void **state) {
    (void)state;
    start(YAML("", ""));
    give("e1", "subject=a");
    refuse(1, 1);
    fx_pass(60 * NS_PER_S);
    fx_say(crm, "crm", "e2", "target=desk");
    fx_turn();
    desk->sink->calls->outcome(desk->sink->user, 2, 2, (struct protocol_outcome){VERDICT_REJECTED, STATUS_REJECTED, 0});
    fx_turn();
    expect_letters((struct dead_filter){0}, "e2 e1");
    expect_letters((struct dead_filter){.system = SLICE_OF("desk")}, "e2 e1");
    expect_letters((struct dead_filter){.system = SLICE_OF("des")}, "");
    expect_letters((struct dead_filter){.route = SLICE_OF("r")}, "e1");
    expect_letters((struct dead_filter){.reason = SLICE_OF("rejected-by-recipient")}, "e2");
    expect_letters((struct dead_filter){.since = {fx.now.wall.ns - 30 * NS_PER_S}}, "e2");
    struct dead_letter letter = newest();
    struct slice ids[2] = {slice_make(letter.id, sizeof letter.id), SLICE_OF("00000000-0000-7000-8000-000000000000")};
    expect_letters((struct dead_filter){.ids = ids, .id_count = 2}, "e2");
    fx_stop();
}

static void redriven_ones_are_sent_again_at_their_rate(void **state) {
    (void)state;
    start(YAML("", ""));
    for (unsigned i = 1; i <= 3; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "e%u", i);
        give(id, "subject=a");
        refuse(i, i);
    }
    buffer_clear(&desk->got);
    struct dead_command redrive = {.kind = DEAD_REDRIVE, .interval_ns = NS_PER_S, .dry_run = true};
    assert_int_equal(command(redrive).size, 3);
    fx_pass(5 * NS_PER_S);
    fx_expect(&desk->got, "");
    redrive.dry_run = false;
    assert_int_equal(command(redrive).size, 3);
    fx_expect(&desk->got, "e1"); /* the oldest first */
    fx_pass(1100 * NS_PER_MS);
    fx_expect(&desk->got, "e2");
    fx_pass(1100 * NS_PER_MS);
    fx_expect(&desk->got, "e3");
    expect_letters((struct dead_filter){0}, "");
    fx_ack(desk, 4, 6);
    fx_turn();
    assert_int_equal(engine_totals(fx.engine)->dead_redriven, 3);
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    fx_stop();
}

static void what_comes_back_too_often_stays(void **state) {
    (void)state;
    start(YAML("", ""));
    give("e1", "subject=a");
    refuse(1, 1);
    struct dead_command redrive = {.kind = DEAD_REDRIVE};
    for (uint64_t i = 1; i <= DEAD_REDRIVES_MAX; i++) {
        assert_int_equal(command(redrive).size, 1);
        refuse(1 + i, 1 + i);
        assert_int_equal(newest().redriven, i);
    }
    struct engine_input refused = command(redrive);
    assert_int_equal(refused.size, 0);
    assert_int_equal(refused.count, 1);
    redrive.force = true;
    assert_int_equal(command(redrive).size, 1);
    expect_letters((struct dead_filter){0}, "");
    fx_stop();
}

static void they_may_go_to_another_system(void **state) {
    (void)state;
    start(YAML("", ""));
    struct fixture_peer *morgue = fx_system("morgue", true);
    give("e1", "subject=a");
    refuse(1, 1);
    assert_int_equal(command((struct dead_command){.kind = DEAD_REDRIVE, .to = SLICE_OF("morgue")}).size, 1);
    fx_expect(&morgue->got, "e1");
    give("e2", "subject=a");
    refuse(2, 2);
    assert_int_equal(command((struct dead_command){.kind = DEAD_REDRIVE, .to = SLICE_OF("nobody")}).size, 1);
    expect_letters((struct dead_filter){0}, "e2"); /* it stays */
    assert_false(newest().waits);
    fx_stop();
}

static void purged_ones_are_gone(void **state) {
    (void)state;
    start(YAML("", ""));
    give("e1", "subject=a");
    refuse(1, 1);
    assert_int_equal(command((struct dead_command){.kind = DEAD_PURGE, .dry_run = true}).size, 1);
    expect_letters((struct dead_filter){0}, "e1");
    assert_int_equal(command((struct dead_command){.kind = DEAD_PURGE, .filter.system = SLICE_OF("crm")}).size, 0);
    assert_int_equal(command((struct dead_command){.kind = DEAD_PURGE}).size, 1);
    expect_letters((struct dead_filter){0}, "");
    assert_int_equal(engine_totals(fx.engine)->dead_purged, 1);
    assert_int_equal(fx.engine->kept.held, 0);
    fx_stop();
}

/* Whatever bytes a command has: nothing happens but what it says. */
static void broken_commands_do_nothing(void **state) {
    (void)state;
    start(YAML("", ""));
    give("e1", "subject=a");
    refuse(1, 1);
    struct buffer bytes;
    buffer_init(&bytes, 4096);
    struct slice ids[1] = {SLICE_OF("x")};
    dead_command_write(&bytes, &(struct dead_command){.kind = DEAD_PURGE, .filter = {.system = SLICE_OF("desk"), .ids = ids, .id_count = 1}});
    for (size_t size = 0; size < bytes.size; size++) {
        struct engine_input input = {.kind = INPUT_DEAD, .bytes = slice_make(bytes.data, size)};
        engine_input(fx.engine, &input, fx.now);
        assert_int_equal(input.size, 0);
    }
    buffer_done(&bytes);
    expect_letters((struct dead_filter){0}, "e1");
    fx_stop();
}

/* Each allocation fails once: the message is kept, or counted as lost. */
static void without_memory_they_are_counted(void **state) {
    (void)state;
    for (int64_t n = 0; n < 4; n++) {
        start(YAML("", ""));
        give("e1", "subject=a");
        memory_fail_after(n);
        desk->sink->calls->outcome(desk->sink->user, 1, 1, (struct protocol_outcome){VERDICT_REJECTED, STATUS_REJECTED, 0});
        memory_fail_after(-1);
        fx_turn();
        assert_int_equal(engine_totals(fx.engine)->dead_held + engine_totals(fx.engine)->dead_evicted, 1);
        fx_stop();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_not_be_delivered_is_kept_with_its_reason),
        cmocka_unit_test(who_was_told_and_who_may_be_dropped_leave_none),
        cmocka_unit_test(a_route_may_drop_them),
        cmocka_unit_test(a_route_may_send_them_to_a_system),
        cmocka_unit_test(past_a_limit_the_oldest_goes_and_is_counted),
        cmocka_unit_test(its_bytes_are_bounded_too),
        cmocka_unit_test(what_is_too_old_goes_by_itself),
        cmocka_unit_test(filters_say_which),
        cmocka_unit_test(redriven_ones_are_sent_again_at_their_rate),
        cmocka_unit_test(what_comes_back_too_often_stays),
        cmocka_unit_test(they_may_go_to_another_system),
        cmocka_unit_test(purged_ones_are_gone),
        cmocka_unit_test(broken_commands_do_nothing),
        cmocka_unit_test(without_memory_they_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
