/* Which address is tried when: tables, no socket, no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "policy/race.h"

static struct address one(char name) {
    bool v6 = name >= 'A' && name <= 'Z'; /* capitals are IPv6 */
    struct address address = {.family = v6 ? ADDRESS_IPV6 : ADDRESS_IPV4, .port = 80};
    address.bytes[0] = (uint8_t)name;
    return address;
}

static struct race begin(const char *names) {
    struct address addresses[32];
    struct race race;
    size_t count = strlen(names);
    for (size_t i = 0; i < count; i++)
        addresses[i] = one(names[i]);
    race_init(&race, addresses, count);
    return race;
}

static void families_take_turns(void **state) {
    static const struct {
        const char *sorted, *tried;
    } cases[] = {
        {"", ""},          {"a", "a"},         {"AB", "AB"},           {"ABab", "AaBb"},         {"abAB", "aAbB"},
        {"ABCa", "AaBC"},  {"Aabc", "Aabc"},   {"AaA", "Aa"},          {"abcdefghijk", "abcdefgh"}, {"ABCDEFGHab", "AaBbCDEF"},
        {"aAaA", "aA"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct race race = begin(cases[i].sorted);
        assert_int_equal(race.count, strlen(cases[i].tried));
        for (size_t k = 0; k < race.count; k++)
            assert_int_equal(race.addresses[k].bytes[0], cases[i].tried[k]);
    }
}

/* A story a line: `s` is a look, with what it starts; `f` the failure of one; `+` 100 ms; `d` whether more is due by
 * itself; `!` that it is lost. */
static void stories(void **state) {
    static const char *const cases[] = {
        "!s-",
        "s0s-d+s-+s-+s1s-",               /* staggered */
        "s0fs1s-fs2s-f!",                 /* at once after a failure */
        "s0+++s1+++s2d-+++s-fs3f",        /* three at most; one that fails makes room */
        "s0fs1fs2fs3f!s-",                /* all fail */
        "s0+++s1fs2s-",                   /* one of two fails: the next starts beside the other */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct race race = begin(i == 0 ? "" : i == 2 ? "Aab" : "AaBb");
        struct mono now = {NS_PER_S};
        for (const char *at = cases[i]; *at; at++) {
            if (*at == 's') {
                at++;
                assert_int_equal(race_start(&race, now), *at == '-' ? -1 : *at - '0');
            } else if (*at == 'f') {
                race_failed(&race, STATUS_REFUSED, now);
                assert_int_equal(race.status, STATUS_REFUSED);
            } else if (*at == '+') {
                now.ns += 100 * NS_PER_MS;
            } else if (*at == 'd') {
                bool never = at[1] == '-';
                assert_int_equal(race_due(&race).ns == MONO_NEVER.ns, never);
                at += never;
            } else {
                assert_true(race_is_lost(&race));
            }
        }
    }
}

static void the_stagger_is_exact(void **state) {
    (void)state;
    struct race race = begin("Aa");
    struct mono now = {NS_PER_S};
    assert_int_equal(race_start(&race, now), 0);
    assert_int_equal(race_due(&race).ns, NS_PER_S + RACE_STAGGER_NS);
    now.ns += RACE_STAGGER_NS - 1;
    assert_int_equal(race_start(&race, now), -1);
    now.ns++;
    assert_int_equal(race_start(&race, now), 1);
    assert_false(race_is_lost(&race));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_take_turns),
        cmocka_unit_test(stories),
        cmocka_unit_test(the_stagger_is_exact),
    };
    return cmocka_run_group_tests_name("policy/race", tests, NULL, NULL);
}
