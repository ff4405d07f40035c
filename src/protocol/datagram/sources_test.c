/* Where datagrams may come from, and how many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "protocol/datagram/sources.h"

static enum source_verdict look(struct sources *sources, const char *from, int64_t now_ms) {
    struct address address;
    assert_true(address_parse(slice_from(from), &address));
    return sources_look(sources, &address, (struct mono){now_ms * NS_PER_MS});
}

static void some_are_never_listened_to(void **state) {
    (void)state;
    static const struct {
        const char *from;
        enum source_verdict verdict;
    } cases[] = {
        {"10.0.0.1:5000", SOURCE_TAKEN},           {"10.0.0.1:0", SOURCE_PORT},
        {"10.0.0.1:7", SOURCE_PORT},               {"10.0.0.1:19", SOURCE_PORT},
        {"10.0.0.1:53", SOURCE_PORT},              {"10.0.0.1:123", SOURCE_PORT},
        {"10.0.0.1:1900", SOURCE_PORT},            {"[2001:db8::1]:53", SOURCE_PORT},
        {"224.0.0.1:5000", SOURCE_ADDRESS},        {"239.255.0.1:5000", SOURCE_ADDRESS},
        {"240.0.0.1:5000", SOURCE_ADDRESS},        {"255.255.255.255:5000", SOURCE_ADDRESS},
        {"0.0.0.0:5000", SOURCE_ADDRESS},          {"[ff02::1]:5000", SOURCE_ADDRESS},
        {"[::]:5000", SOURCE_ADDRESS},             {"[::ffff:239.1.1.1]:5000", SOURCE_ADDRESS},
        {"[::ffff:255.255.255.255]:5000", SOURCE_ADDRESS}, {"[2001:db8::1]:5000", SOURCE_TAKEN},
    };
    struct sources sources;
    sources_init(&sources, 0, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(look(&sources, cases[i].from, 1), cases[i].verdict);
    assert_null(sources.slots); /* nothing is counted without a limit */
    sources_done(&sources);
}

static void a_network_has_one_bucket(void **state) {
    (void)state;
    static const struct {
        const char *from;
        int64_t now_ms;
        enum source_verdict verdict;
    } cases[] = {
        {"10.0.0.1:5000", 1000, SOURCE_TAKEN},    {"10.0.0.2:6000", 1000, SOURCE_TAKEN},
        {"10.0.0.255:7000", 1000, SOURCE_TAKEN},  {"10.0.0.1:5000", 1000, SOURCE_TAKEN},
        {"10.0.0.9:5000", 1000, SOURCE_RATE},     {"[::ffff:10.0.0.9]:5000", 1000, SOURCE_RATE},
        {"10.0.1.1:5000", 1000, SOURCE_TAKEN},    {"10.0.0.1:5000", 1249, SOURCE_RATE},
        {"10.0.0.1:5000", 1250, SOURCE_TAKEN},    {"10.0.0.1:5000", 1250, SOURCE_RATE},
        {"[2001:db8::1]:5000", 1250, SOURCE_TAKEN}, {"[2001:db8::2]:5000", 1250, SOURCE_TAKEN},
        {"[2001:db8::ffff:0:0:3]:5000", 1250, SOURCE_TAKEN}, {"[2001:db8::4]:5000", 1250, SOURCE_TAKEN},
        {"[2001:db8::5]:5000", 1250, SOURCE_RATE}, {"[2001:db8:0:1::5]:5000", 1250, SOURCE_TAKEN},
        {"10.0.0.1:5000", 9000, SOURCE_TAKEN},    {"10.0.0.1:5000", 9000, SOURCE_TAKEN},
        {"10.0.0.1:5000", 9000, SOURCE_TAKEN},    {"10.0.0.1:5000", 9000, SOURCE_TAKEN},
        {"10.0.0.1:5000", 9000, SOURCE_RATE}, /* silence saves up one second's worth, not more */
    };
    struct sources sources;
    sources_init(&sources, 4, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (look(&sources, cases[i].from, cases[i].now_ms) != cases[i].verdict)
            fail_msg("case %zu: %s at %lld", i, cases[i].from, (long long)cases[i].now_ms);
    sources_done(&sources);
}

static void networks_are_bounded(void **state) {
    (void)state;
    struct sources sources;
    int64_t live = memory_live();
    char from[32];
    sources_init(&sources, 1, 7);
    assert_int_equal(look(&sources, "192.0.2.1:5000", 1000), SOURCE_TAKEN);
    for (unsigned i = 0; i < 100 * SOURCES_MAX; i++) {
        snprintf(from, sizeof from, "%u.%u.%u.1:5000", 1 + i / 65536, i / 256 % 256, i % 256);
        assert_int_equal(look(&sources, from, 1100), SOURCE_TAKEN);
    }
    assert_int_equal(memory_live(), live + 1);
    assert_int_equal(look(&sources, "192.0.2.1:5000", 1100), SOURCE_TAKEN); /* it was forgotten */
    sources_done(&sources);
    assert_int_equal(memory_live(), live);
}

static void without_memory_none_is_refused(void **state) {
    (void)state;
    struct sources sources;
    sources_init(&sources, 1, 7);
    memory_fail_after(0);
    assert_int_equal(look(&sources, "192.0.2.1:5000", 1000), SOURCE_TAKEN);
    memory_fail_after(-1);
    assert_null(sources.slots);
    assert_int_equal(look(&sources, "192.0.2.1:5000", 1000), SOURCE_TAKEN);
    assert_int_equal(look(&sources, "192.0.2.1:5000", 1000), SOURCE_RATE);
    sources_done(&sources);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_are_never_listened_to),
        cmocka_unit_test(a_network_has_one_bucket),
        cmocka_unit_test(networks_are_bounded),
        cmocka_unit_test(without_memory_none_is_refused),
    };
    return cmocka_run_group_tests_name("protocol/datagram-sources", tests, NULL, NULL);
}
