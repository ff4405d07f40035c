/* Addresses and ranges: what is read, what is refused, what is written back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/address.h"
#include "base/assert.h"

static void addresses_are_read_and_written_canonically(void **state) {
    (void)state;
    static const struct {
        const char *text, *canonical;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"[::1]:8080", "[::1]:8080"},
        {"[::]:0", "[::]:0"},
        {"[1::]:1", "[1::]:1"},
        {"[2001:DB8:0:0:0:0:0:1]:1", "[2001:db8::1]:1"},
        {"[2001:db8:0:1:1:1:1:1]:1", "[2001:db8:0:1:1:1:1:1]:1"},
        {"[2001:0:0:1:0:0:0:1]:1", "[2001:0:0:1::1]:1"},
        {"[2001:db8::1:0:0:1]:1", "[2001:db8::1:0:0:1]:1"},
        {"[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1"},
        {"[0:2:3:4:5:6:7:8]:1", "[0:2:3:4:5:6:7:8]:1"},
        {"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1"},
        {"[::ffff:c000:201]:1", "[::ffff:192.0.2.1]:1"},
        {"[64:ff9b::192.0.2.33]:1", "[64:ff9b::c000:221]:1"},
        {"[fe80::1%7]:9", "[fe80::1%7]:9"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address address;
        char text[ADDRESS_TEXT_MAX];
        if (!address_parse(slice_from(rows[i].text), &address))
            fail_msg("refused: %s", rows[i].text);
        assert_int_equal(address_print(text, &address), strlen(rows[i].canonical));
        assert_string_equal(text, rows[i].canonical);
        struct address again;
        assert_true(address_parse(slice_from(text), &again));
        assert_true(address_equal(&address, &again));
    }
}

static void foreign_forms_are_refused(void **state) {
    (void)state;
    static const char *const rows[] = {
        "", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:080", "127.0.0.1:+1",
        "127.0.0.01:1", "127.0.0:1", "127.0.0.1.1:1", "256.0.0.1:1", "1.2.3.:1", "[127.0.0.1]:1", "::1:80",
        "[::1]", "[::1]:", "[::1:80", "[:::]:1", "[1::2::3]:1", "[1:2:3:4:5:6:7]:1", "[1:2:3:4:5:6:7:8:9]:1",
        "[1:2:3:4:5:6:7::8]:1x", "[12345::]:1", "[g::]:1", "[1:2:3:4:5:6:7:1.2.3.4]:1", "[1.2.3.4::]:1",
        "[::1%]:1", "[::1%0]:1", "[::1%4294967296]:1", "[::1%lo]:1", "[1::2:]:1", "[:1::2]:1", "localhost:80", "[]:1",
        " 127.0.0.1:1", "1:2:3:4:5:6:7:8:80", "[1:2:3:4::5:6:7:8]:1",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address address = {.port = 7};
        if (address_parse(slice_from(rows[i]), &address))
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(address.port, 7);
    }
}

static struct address ip(const char *text) {
    struct address address;
    if (!address_parse_ip(slice_from(text), &address))
        fail_msg("refused: %s", text);
    return address;
}

static void loopback_any_and_mapped_are_told(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool loopback, any;
    } rows[] = {
        {"127.0.0.1", true, false}, {"127.255.0.9", true, false}, {"128.0.0.1", false, false},
        {"::1", true, false},       {"::2", false, false},        {"::ffff:127.0.0.1", true, false},
        {"0.0.0.0", false, true},   {"::", false, true},          {"::ffff:10.0.0.1", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address address = ip(rows[i].text);
        assert_int_equal(address_is_loopback(&address), rows[i].loopback);
        assert_int_equal(address_is_any(&address), rows[i].any);
    }
    struct address none = {0}, mapped = ip("::ffff:10.0.0.1"), plain = ip("10.0.0.1");
    char text[ADDRESS_TEXT_MAX];
    mapped = address_unmapped(&mapped);
    assert_true(address_equal(&mapped, &plain));
    assert_false(address_is_loopback(&none));
    assert_false(address_is_any(&none));
    assert_int_equal(address_print(text, &none), 1);
    assert_int_equal(address_print_ip(text, &plain), 8);
    assert_string_equal(text, "10.0.0.1");
}

static void ranges_hold_what_they_say(void **state) {
    (void)state;
    static const struct {
        const char *range, *address;
        bool inside;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},   {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},  {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.200", true},  {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},      {"::/0", "2001:db8::1", true},
        {"2001:db8::/33", "2001:db8:7fff::", true}, {"2001:db8::/33", "2001:db8:8000::", false},
        {"192.0.2.1", "192.0.2.1", true},         {"192.0.2.1", "192.0.2.2", false},
        {"::1/128", "::1", true},                 {"::/0", "8.8.8.8", false},
        {"::ffff:0:0/96", "::ffff:1.2.3.4", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cidr cidr;
        struct address address = ip(rows[i].address);
        assert_true(cidr_parse(slice_from(rows[i].range), &cidr));
        if (cidr_has(&cidr, &address) != rows[i].inside)
            fail_msg("%s in %s", rows[i].address, rows[i].range);
    }
    static const char *const bad[] = {"10.0.0.1/8",  "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "/8", "::1/129",
                                      "fe80::1%1/64", "::1/64",      "10.0.0.0/8/8"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct cidr cidr;
        if (cidr_parse(slice_from(bad[i]), &cidr))
            fail_msg("accepted: %s", bad[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written_canonically),
        cmocka_unit_test(foreign_forms_are_refused),
        cmocka_unit_test(loopback_any_and_mapped_are_told),
        cmocka_unit_test(ranges_hold_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
