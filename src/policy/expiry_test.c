#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/expiry.h"

#define S NS_PER_S
#define NONE EXPIRY_NONE

static void nearest_bound_wins(void **state) {
    (void)state;
    static const struct {
        enum message_kind kind;
        int64_t given, ttl, ttl_max, wait; /* from now; `given` may be negative */
        int64_t deadline, queue;
        bool past;
    } rows[] = {
        {KIND_EVENT, NONE, NONE, NONE, NONE, NONE, NONE, false},
        {KIND_EVENT, 7 * S, NONE, NONE, NONE, 7 * S, NONE, false},
        {KIND_EVENT, 7 * S, 3 * S, NONE, NONE, 7 * S, NONE, false},
        {KIND_EVENT, NONE, 3 * S, NONE, NONE, 3 * S, NONE, false},
        {KIND_EVENT, NONE, NONE, 2 * S, NONE, 2 * S, NONE, false},
        {KIND_EVENT, 7 * S, 3 * S, 2 * S, NONE, 2 * S, NONE, false},
        {KIND_EVENT, -1, NONE, NONE, NONE, 0, NONE, true},
        {KIND_EVENT, 0, NONE, NONE, NONE, 0, NONE, true},
        {KIND_COMMAND, NONE, NONE, NONE, 4 * S, NONE, NONE, false},
        {KIND_QUERY, NONE, NONE, NONE, NONE, 15 * S, 5 * S, false},
        {KIND_QUERY, 60 * S, NONE, NONE, NONE, 60 * S, 5 * S, false},
        {KIND_QUERY, 60 * S, NONE, NONE, 4 * S, 4 * S, 5 * S, false},
        {KIND_QUERY, NONE, NONE, NONE, 40 * S, 40 * S, 5 * S, false},
        {KIND_REQUEST, NONE, 3 * S, NONE, NONE, 3 * S, 5 * S, false},
        {KIND_REQUEST, 60 * S, NONE, 30 * S, NONE, 30 * S, 5 * S, false},
        {KIND_REQUEST, -5, NONE, NONE, 4 * S, 0, 5 * S, true},
        {KIND_RESPONSE, NONE, NONE, NONE, NONE, NONE, NONE, false},
    };
    const struct now now = {{1000 * S}, {1700000000 * S}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message message;
        message_init(&message, SLICE_OF(""));
        message.kind = (uint8_t)rows[i].kind;
        message.expiry.ns = rows[i].given == NONE ? INT64_MAX : now.wall.ns + rows[i].given;
        struct expiry_rules rules = {rows[i].ttl, rows[i].ttl_max, 15 * S, 5 * S};
        struct expiry expiry = expiry_of(&message, &rules, rows[i].wait, now);
        assert_true(expiry.deadline.ns == mono_after(now.mono, rows[i].deadline).ns);
        assert_true(expiry.queue.ns == mono_after(now.mono, rows[i].queue).ns);
        assert_int_equal(expiry.is_reply, rows[i].kind == KIND_QUERY || rows[i].kind == KIND_REQUEST);
        assert_int_equal(expiry_is_past(&message, now), rows[i].past);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_bound_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
