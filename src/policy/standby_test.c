/* What was out comes back when it has stayed for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/standby.h"

static struct mono at(int64_t seconds) {
    return (struct mono){seconds * NS_PER_S};
}

static void who_comes_first_is_steady_at_once(void **state) {
    struct standby s = {0};
    (void)state;
    assert_false(standby_is_steady(&s, at(1)));
    assert_true(standby_see(&s, true, at(2)));
    assert_true(standby_is_steady(&s, at(2)));
    assert_false(standby_see(&s, true, at(3)));
}

static void who_comes_back_must_stay(void **state) {
    struct standby s = {0};
    (void)state;
    standby_see(&s, true, at(0));
    standby_see(&s, false, at(100));
    assert_false(standby_is_steady(&s, at(100)));
    standby_see(&s, true, at(110));
    assert_false(standby_is_steady(&s, at(114)));
    assert_true(standby_is_steady(&s, at(115)));
}

static void each_relapse_takes_longer_and_time_heals(void **state) {
    static const int64_t holds[] = {5, 10, 20, 40, 60, 60};
    struct standby s = {0};
    int64_t now = 0;
    (void)state;
    standby_see(&s, true, at(now));
    for (size_t i = 0; i < sizeof holds / sizeof *holds; i++) {
        standby_see(&s, false, at(now += 1));
        standby_see(&s, true, at(now += 1));
        assert_false(standby_is_steady(&s, at(now + holds[i] - 1)));
        assert_true(standby_is_steady(&s, at(now + holds[i])));
    }
    standby_see(&s, false, at(now += 240));
    standby_see(&s, true, at(now));
    assert_true(standby_is_steady(&s, at(now + 5)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_first_is_steady_at_once),
        cmocka_unit_test(who_comes_back_must_stay),
        cmocka_unit_test(each_relapse_takes_longer_and_time_heals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
