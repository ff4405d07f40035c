/* The value of `Idempotency-Key`: what is a key, what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/http1/once_key.h"

static void what_is_a_key_is_read(void **state) {
    static const struct {
        const char *value, *key;
    } rows[] = {
        {"\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "8e03978e-40d5-43dd-bc93-6894a57f9324"},
        {"\"a b, c; d\"", "a b, c; d"},
        {"\"a\\\"b\\\\c\"", "a\"b\\c"},
        {"\" \"", " "},
        {"\"k\";a", "k"},
        {"\"k\"; a=1;b=\"x\\\";y\";c=?1;*d=:YQ==:;e=t/x", "k"},
        {"\"k\"  ", "k"},
        {"8e03978e", "8e03978e"},
        {"k:1/2=?", "k:1/2=?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[ONCE_KEY_MAX];
        struct slice key;
        if (!once_key(slice_from(rows[i].value), room, &key) || !slice_is(key, rows[i].key))
            fail_msg("`%s` is not `%s`", rows[i].value, rows[i].key);
    }
}

static void what_is_none_is_refused(void **state) {
    static const char *const rows[] = {
        "", "\"", "\"\"", "\"open", "\"a\\\"", "\"a\\", "\"a\\b\"", "\"a\tb\"", "\"a\x7f\"", "\"\xc3\xa9\"", "\"a\", \"b\"", "\"a\"b",
        "\"a\";", "\"a\";B", "\"a\";b=", "\"a\";b=\"c", "\"a\" ;b", "a b", "a,b", "a;b", "a\"b", "a\\b", "\xc3\xa9", " a", "'\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[ONCE_KEY_MAX];
        struct slice key;
        if (once_key(slice_from(rows[i]), room, &key))
            fail_msg("`%s` is a key", rows[i]);
    }
}

static void a_key_past_its_maximum_is_none(void **state) {
    char value[ONCE_KEY_MAX + 3];
    uint8_t room[ONCE_KEY_MAX];
    struct slice key;
    (void)state;
    for (size_t size = ONCE_KEY_MAX; size <= ONCE_KEY_MAX + 1; size++) {
        bool fits = size == ONCE_KEY_MAX;
        memset(value, 'x', sizeof value);
        assert_int_equal(once_key(slice_make(value, size), room, &key), fits);
        value[0] = value[size + 1] = '"';
        assert_int_equal(once_key(slice_make(value, size + 2), room, &key), fits);
        if (fits)
            assert_int_equal(key.size, size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_key_is_read),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_key_past_its_maximum_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
