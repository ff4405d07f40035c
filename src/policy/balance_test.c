#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/balance.h"

/* One letter an endpoint: its weight; x down, f full, 0 weight 0. */
static size_t read_views(const char *text, struct balance_view *views) {
    size_t count = strlen(text);
    for (size_t i = 0; i < count; i++) {
        views[i] = (struct balance_view){.weight = 1, .room = 5, .up = true};
        if (text[i] == 'x')
            views[i].up = false;
        else if (text[i] == 'f')
            views[i].room = 0;
        else
            views[i].weight = (uint32_t)(text[i] - '0');
    }
    return count;
}

static void turns_go_round(void **state) {
    (void)state;
    static const struct {
        const char *views;
        const char *picks; /* - none */
    } rows[] = {
        {"111", "0120120"}, {"1", "000"},    {"", "--"},       {"xxx", "--"},   {"x1x", "111"},
        {"1f1", "020202"},  {"fff", "-"},    {"213", "001222001222"}, {"0", "--"},     {"101", "0202"},
        {"2", "0000"},      {"3x2", "0002200022"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct balance_view views[8];
        struct balance balance = {0};
        char picks[32] = "";
        size_t count = read_views(rows[i].views, views);
        for (size_t j = 0; j < strlen(rows[i].picks); j++) {
            size_t pick = balance_pick(&balance, views, count);
            picks[j] = (char)(pick == SIZE_MAX ? '-' : '0' + (char)pick);
        }
        assert_string_equal(picks, rows[i].picks);
    }
}

static void endpoints_may_go_and_come(void **state) {
    (void)state;
    struct balance_view views[8];
    struct balance balance = {0};
    size_t count = read_views("1111", views);
    for (int i = 0; i < 4; i++)
        (void)balance_pick(&balance, views, count);
    assert_int_equal(balance.next, 3);
    assert_int_equal(balance_pick(&balance, views, 2), 0);
    assert_int_equal(balance_pick(&balance, views, 0), SIZE_MAX);
    assert_int_equal(balance_pick(&balance, views, 4), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_go_round),
        cmocka_unit_test(endpoints_may_go_and_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
