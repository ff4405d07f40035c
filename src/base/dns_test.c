/* Answers as name servers write them, and as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/dns.h"
#include "base/memory.h"

struct writer {
    uint8_t bytes[65536];
    size_t size;
};

static struct writer out;
static struct dns_answer answer;

static void put(uint32_t value, unsigned size) {
    while (size--)
        out.bytes[out.size++] = (uint8_t)(size < 4 ? value >> 8 * size : 0);
}

static void put_name(const char *name) {
    while (*name) {
        size_t size = strcspn(name, ".");
        put((uint32_t)size, 1);
        memcpy(out.bytes + out.size, name, size);
        out.size += size;
        name += size + (name[size] == '.');
    }
    put(0, 1);
}

static void begin(const char *question, uint32_t type, uint32_t answers) {
    out.size = 0;
    put(0x1234, 2);
    put(0x8180, 2);
    put(1, 2);
    put(answers, 2);
    put(0, 4);
    put_name(question);
    put(type, 2);
    put(1, 2);
}

static void head(const char *owner, uint32_t type, uint32_t ttl, uint32_t size) {
    if (owner)
        put_name(owner);
    else
        put(0xc00c, 2); /* the question's */
    put(type, 2);
    put(1, 2);
    put(ttl, 4);
    put(size, 2);
}

static void add_a(const char *owner, uint32_t ttl, uint32_t address) {
    head(owner, DNS_A, ttl, 4);
    put(address, 4);
}

static void add_cname(const char *owner, uint32_t ttl, const char *to) {
    head(owner, 5, ttl, (uint32_t)strlen(to) + 2);
    put_name(to);
}

static void add_srv(const char *owner, uint32_t ttl, uint32_t priority, uint32_t weight, uint32_t port,
                    const char *target) {
    head(owner, DNS_SRV, ttl, (uint32_t)(6 + (*target ? strlen(target) + 2 : 1)));
    put(priority, 2);
    put(weight, 2);
    put(port, 2);
    put_name(target);
}

/* In memory of exactly its size, so that a sanitizer sees who reads past it. */
static enum status read_as(const char *name, enum dns_type type) {
    uint8_t *copy = memory_alloc(out.size ? out.size : 1);
    memcpy(copy, out.bytes, out.size);
    enum status status = dns_read(slice_make(copy, out.size), slice_from(name), type, &answer);
    memory_free(copy);
    return status;
}

static void addresses_are_read(void **state) {
    (void)state;
    begin("app.example", DNS_A, 3);
    add_a(NULL, 300, 0x0a000001);
    add_a("app.example", 20, 0x0a000002);
    add_a("other.example", 1, 0x0a000003); /* not asked for */
    assert_int_equal(read_as("App.Example.", DNS_A), STATUS_OK);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.ttl, 20);
    assert_int_equal(answer.records[1].address.family, ADDRESS_IPV4);
    assert_int_equal(answer.records[1].address.bytes[3], 2);
    begin("app.example", DNS_AAAA, 1);
    head(NULL, DNS_AAAA, 5, 16);
    for (int i = 0; i < 15; i++)
        put(0, 1);
    put(1, 1);
    assert_int_equal(read_as("app.example", DNS_AAAA), STATUS_OK);
    assert_int_equal(answer.records[0].address.family, ADDRESS_IPV6);
    assert_int_equal(answer.records[0].address.bytes[15], 1);
}

static void aliases_lead_on_in_any_order(void **state) {
    (void)state;
    begin("app.example", DNS_A, 4);
    add_a("c.example", 300, 0x0a000001);
    add_cname("b.example", 30, "c.example");
    add_cname(NULL, 60, "b.example");
    add_a("app.example", 300, 0x0a000009); /* one that has an alias has nothing else */
    assert_int_equal(read_as("app.example", DNS_A), STATUS_OK);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.records[0].address.bytes[3], 1);
    assert_int_equal(answer.ttl, 30);
}

static void aliases_in_a_ring_end(void **state) {
    (void)state;
    begin("a.example", DNS_A, 2);
    add_cname("a.example", 60, "b.example");
    add_cname("b.example", 60, "a.example");
    assert_int_equal(read_as("a.example", DNS_A), STATUS_NAME_NOT_FOUND);
}

static void services_have_priority_weight_port_and_target(void **state) {
    (void)state;
    begin("_o._tcp.example", DNS_SRV, 6);
    add_srv(NULL, 9, 10, 5, 8080, "APP-1.example");
    add_srv(NULL, 9, 20, 0, 8081, "app-2.example");
    add_srv(NULL, 9, 0, 0, 8082, ""); /* none */
    add_srv(NULL, 9, 0, 0, 0, "app-3.example"); /* no port */
    add_srv(NULL, 9, 0, 0, 80, "evil\r\n.example");
    add_srv(NULL, 9, 0, 0, 80, "{host}.example");
    assert_int_equal(read_as("_o._tcp.example", DNS_SRV), STATUS_OK);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.left_out, 4);
    assert_string_equal(answer.records[0].target, "app-1.example");
    assert_int_equal(answer.records[0].priority, 10);
    assert_int_equal(answer.records[0].weight, 5);
    assert_int_equal(answer.records[0].port, 8080);
}

static void a_life_of_more_than_31_bits_is_none(void **state) {
    (void)state;
    begin("a.example", DNS_A, 1);
    add_a(NULL, 0x80000001u, 1);
    assert_int_equal(read_as("a.example", DNS_A), STATUS_OK);
    assert_int_equal(answer.ttl, 0);
}

static void one_record_too_many_is_left_out(void **state) {
    (void)state;
    begin("a.example", DNS_A, DNS_RECORDS_MAX + 1);
    for (uint32_t i = 0; i <= DNS_RECORDS_MAX; i++)
        add_a(NULL, 60, i);
    assert_int_equal(read_as("a.example", DNS_A), STATUS_OK);
    assert_int_equal(answer.count, DNS_RECORDS_MAX);
    assert_int_equal(answer.left_out, 1);
}

static void what_cannot_be_read_is_refused(void **state) {
    (void)state;
    begin("a.example", DNS_A, 1);
    add_a(NULL, 60, 1);
    out.bytes[2] = 0x01; /* a question */
    assert_int_equal(read_as("a.example", DNS_A), STATUS_PROTOCOL_ERROR);
    begin("a.example", DNS_A, 1);
    put(0xc000 | (uint32_t)out.size, 2); /* a name that leads to itself */
    put(0, 10);
    assert_int_equal(read_as("a.example", DNS_A), STATUS_PROTOCOL_ERROR);
    begin("a.example", DNS_A, 1);
    put(0xffff, 2);
    put(0, 10);
    assert_int_equal(read_as("a.example", DNS_A), STATUS_PROTOCOL_ERROR);
    begin("a.example", DNS_A, 1);
    for (int i = 0; i < 5; i++) { /* 320 bytes of labels */
        put(63, 1);
        out.size += 63;
    }
    put(0, 11);
    assert_int_equal(read_as("a.example", DNS_A), STATUS_PROTOCOL_ERROR);
    begin("a.example", DNS_SRV, 1);
    head(NULL, DNS_SRV, 60, 3); /* too short for one */
    put(0, 3);
    assert_int_equal(read_as("a.example", DNS_SRV), STATUS_NAME_NOT_FOUND);
    assert_int_equal(read_as("", DNS_A), STATUS_PROTOCOL_ERROR);
}

static void every_cut_is_refused(void **state) {
    (void)state;
    begin("a.example", DNS_SRV, 2);
    add_cname(NULL, 60, "b.example");
    add_srv("b.example", 9, 10, 5, 8080, "app.example");
    size_t whole = out.size;
    assert_int_equal(read_as("a.example", DNS_SRV), STATUS_OK);
    for (size_t size = 0; size < whole; size++) {
        out.size = size;
        assert_int_equal(read_as("a.example", DNS_SRV), STATUS_PROTOCOL_ERROR);
    }
}

static void names_for_others_are_not_believed(void **state) {
    (void)state;
    begin("a.example", DNS_A, 2);
    add_cname("x.example", 60, "y.example");
    add_a("y.example", 60, 1);
    assert_int_equal(read_as("a.example", DNS_A), STATUS_NAME_NOT_FOUND);
    assert_int_equal(answer.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(aliases_lead_on_in_any_order),
        cmocka_unit_test(aliases_in_a_ring_end),
        cmocka_unit_test(services_have_priority_weight_port_and_target),
        cmocka_unit_test(a_life_of_more_than_31_bits_is_none),
        cmocka_unit_test(one_record_too_many_is_left_out),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(names_for_others_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
