/* Memos are few: those who speak have one, those who fell silent lend theirs. */
#include "engine/fixture.h"
#include "message/encoding.h"

#define SESSIONS (MEMOS_MAX + 100)

static struct session sessions[SESSIONS];
static uint8_t room[4096];

static void read_message(struct message *message, const char *type) {
    static char wire[256];
    struct buffer extra;
    struct message_fault fault;
    const struct message_rules rules = {.size_max = 1 << 16};
    int size = snprintf(wire, sizeof wire, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"%s\"}", type);
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(message, slice_make(wire, (size_t)size), &extra, &rules, &fault), STATUS_OK);
}

static void keep(struct session *s, const struct message *message) {
    const struct routing routing = {.route = 7};
    memo_keep(fx.engine, s, message, 3, &routing);
}

static void start(void) {
    fx_start("listeners: {in: intertie://127.0.0.1:7460}\nsystems: {crm: {}, desk: {accept: true}}\n"
             "routes: {one: {match: {type: tick}, to: desk}}\n");
    memset(sessions, 0, sizeof sessions);
}

static void stop(void) {
    for (size_t i = 0; i < SESSIONS; i++)
        memo_leave(fx.engine, &sessions[i]);
    fx_stop();
}

static void silent_connections_hold_none(void **state) {
    (void)state;
    struct message message;
    start();
    read_message(&message, "tick");
    for (size_t i = 0; i < SESSIONS; i++) {
        keep(&sessions[i], &message);
        assert_true(memo_hits(fx.engine, &sessions[i], &message));
    }
    size_t held = 0;
    for (size_t i = 0; i < SESSIONS; i++)
        held += sessions[i].memo != NULL;
    assert_int_equal(held, MEMOS_MAX);
    assert_int_equal(fx.engine->memos.count, MEMOS_MAX);
    stop();
}

static void who_speaks_keeps_its_own(void **state) {
    (void)state;
    struct message message;
    start();
    read_message(&message, "tick");
    for (size_t i = 0; i < SESSIONS; i++) {
        keep(&sessions[i], &message);
        assert_true(memo_hits(fx.engine, &sessions[0], &message));
    }
    assert_non_null(sessions[0].memo);
    assert_null(sessions[1].memo);
    assert_false(memo_hits(fx.engine, &sessions[1], &message));
    assert_int_equal(sessions[0].memo->routing.route, 7);
    stop();
}

static void a_memo_of_nobody_is_taken_first(void **state) {
    (void)state;
    struct message message;
    start();
    read_message(&message, "tick");
    for (size_t i = 0; i < 3; i++)
        keep(&sessions[i], &message);
    memo_leave(fx.engine, &sessions[1]);
    keep(&sessions[3], &message);
    assert_int_equal(fx.engine->memos.count, 3);
    assert_true(sessions[0].memo && sessions[2].memo && sessions[3].memo);
    stop();
}

/* A taken memo must not answer for what its last owner sent. */
static void a_taken_memo_knows_only_its_new_owner(void **state) {
    (void)state;
    struct message tick, tock;
    start();
    read_message(&tick, "tick");
    keep(&sessions[0], &tick);
    memo_leave(fx.engine, &sessions[0]);
    read_message(&tock, "tock");
    keep(&sessions[1], &tock);
    assert_int_equal(fx.engine->memos.count, 1);
    assert_true(memo_hits(fx.engine, &sessions[1], &tock));
    read_message(&tick, "tick");
    assert_false(memo_hits(fx.engine, &sessions[1], &tick));
    memo_forget(&sessions[1]);
    read_message(&tock, "tock");
    assert_false(memo_hits(fx.engine, &sessions[1], &tock));
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_connections_hold_none),
        cmocka_unit_test(who_speaks_keeps_its_own),
        cmocka_unit_test(a_memo_of_nobody_is_taken_first),
        cmocka_unit_test(a_taken_memo_knows_only_its_new_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
