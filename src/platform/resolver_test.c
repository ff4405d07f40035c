/* Names, asked of a server of our own on loopback: what is answered, kept and told apart. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "platform/clock.h"
#include "platform/resolver.h"
#include "platform/sockaddr.h"

static struct world {
    struct loop *loop;
    struct loop_watch watch;
    int fd;
    unsigned questions;
    unsigned answers;
    enum status status;
    size_t count;
    struct address addresses[LOOP_ADDRESSES_MAX];
} world;

#define TYPE_A 1
#define TYPE_AAAA 28

/* One record; the name is the question's. */
static size_t record(uint8_t *out, unsigned type, uint32_t ttl, const uint8_t *data, uint8_t size) {
    const uint8_t head[] = {0xc0, 12, 0, (uint8_t)type, 0, 1, (uint8_t)(ttl >> 24), (uint8_t)(ttl >> 16), (uint8_t)(ttl >> 8), (uint8_t)ttl, 0, size};
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, data, size);
    return sizeof head + size;
}

/* The first label says what is answered: two4, both, gone, broken; numbered ones have one address each. */
static size_t reply(uint8_t *packet, size_t size) {
    static const uint8_t v4[2][4] = {{192, 0, 2, 1}, {192, 0, 2, 2}}, v6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
    size_t end = 12;
    while (packet[end])
        end += packet[end] + 1u;
    unsigned type = packet[end + 2];
    const char *label = (const char *)packet + 13;
    size = end + 5;
    packet[2] = 0x85;
    packet[3] = strncmp(label, "gone", 4) == 0 ? 0x83 : strncmp(label, "broken", 6) == 0 ? 0x82 : 0x80;
    memset(packet + 6, 0, 6);
    if (packet[3] != 0x80)
        return size;
    unsigned records = 0;
    if (type == TYPE_A)
        for (; records < (strncmp(label, "two4", 4) == 0 ? 2u : 1u); records++)
            size += record(packet + size, TYPE_A, 300, v4[records], 4);
    if (type == TYPE_AAAA && strncmp(label, "both", 4) == 0) {
        size += record(packet + size, TYPE_AAAA, 300, v6, 16);
        records++;
    }
    packet[7] = (uint8_t)records;
    return size;
}

static void serve(void *user, unsigned events) {
    uint8_t packet[1024];
    struct sockaddr_storage from;
    (void)user, (void)events;
    for (;;) {
        socklen_t length = sizeof from;
        ssize_t size = recvfrom(world.fd, packet, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
        if (size < 17)
            return;
        world.questions++;
        size_t out = reply(packet, (size_t)size);
        (void)sendto(world.fd, packet, out, 0, (struct sockaddr *)&from, length);
    }
}

static int start(void **state) {
    struct loop_owner owner = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof in;
    char servers[64];
    (void)state;
    world = (struct world){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), .loop = loop_new(&owner)};
    assert_int_equal(bind(world.fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(getsockname(world.fd, (struct sockaddr *)&in, &size), 0);
    snprintf(servers, sizeof servers, "127.0.0.1:%u", ntohs(in.sin_port));
    setenv(RESOLVER_VARIABLE, servers, 1);
    assert_true(loop_watch(world.loop, &world.watch, world.fd, LOOP_READABLE, serve, NULL));
    return 0;
}

static int stop(void **state) {
    (void)state;
    if (world.loop) {
        loop_unwatch(&world.watch);
        loop_free(world.loop);
    }
    close(world.fd);
    unsetenv(RESOLVER_VARIABLE);
    return 0;
}

static void on_answer(void *user, enum status status, const struct address *addresses, size_t count) {
    (void)user;
    world.answers++;
    world.status = status;
    world.count = count;
    memcpy(world.addresses, addresses, count * sizeof *addresses);
}

static void ask(const char *name) {
    unsigned before = world.answers;
    assert_non_null(loop_resolve(world.loop, slice_from(name), 80, on_answer, NULL));
    assert_int_equal(world.answers, before); /* never from within the call */
    while (world.answers == before)
        loop_run_once(world.loop, true);
}

static void all_addresses_are_found(void **state) {
    (void)state;
    ask("two4.test.");
    assert_int_equal(world.status, STATUS_OK);
    assert_int_equal(world.count, 2);
    assert_int_equal(world.addresses[0].port, 80);
    ask("both.test.");
    assert_int_equal(world.count, 2);
    assert_int_not_equal(world.addresses[0].family, world.addresses[1].family);
}

static void what_was_found_is_kept(void **state) {
    (void)state;
    ask("two4.test.");
    unsigned questions = world.questions;
    assert_true(questions > 0);
    ask("two4.test.");
    ask("TWO4.Test.");
    assert_int_equal(world.count, 2);
    assert_int_equal(world.questions, questions);
}

static void reasons_are_told_apart(void **state) {
    (void)state;
    ask("gone.test.");
    assert_int_equal(world.status, STATUS_NAME_NOT_FOUND);
    assert_int_equal(world.count, 0);
    unsigned questions = world.questions;
    ask("gone.test.");
    assert_int_equal(world.questions, questions); /* for a while */
    ask("broken.test.");
    assert_int_equal(world.status, STATUS_RESOLVE_FAILED);
    questions = world.questions;
    ask("broken.test.");
    assert_true(world.questions > questions); /* never */
}

static void who_asks_at_once_shares_the_question(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_non_null(loop_resolve(world.loop, SLICE_OF("two4.test."), (uint16_t)i, on_answer, NULL));
    while (world.answers < 5)
        loop_run_once(world.loop, true);
    assert_true(world.questions <= 2); /* one for each family */
}

static void names_that_are_kept_are_bounded(void **state) {
    char name[32];
    (void)state;
    ask("n0.test.");
    for (int i = 1; i <= RESOLVER_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "n%d.test.", i);
        ask(name);
    }
    unsigned questions = world.questions;
    ask("n0.test."); /* it went when one more came */
    assert_true(world.questions > questions);
}

static void the_hosts_file_counts(void **state) {
    (void)state;
    ask("localhost");
    assert_int_equal(world.status, STATUS_OK);
    assert_true(address_is_loopback(&world.addresses[0]));
    assert_int_equal(world.questions, 0);
}

static void an_end_cancels_what_is_asked(void **state) {
    (void)state;
    struct loop_resolve *first = loop_resolve(world.loop, SLICE_OF("two4.test."), 1, on_answer, NULL);
    assert_non_null(loop_resolve(world.loop, SLICE_OF("two4.test."), 1, on_answer, NULL));
    loop_resolve_forget(first);
    loop_unwatch(&world.watch);
    loop_free(world.loop);
    world.loop = NULL;
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.status, STATUS_CANCELLED);
}

static void bad_servers_are_no_servers(void **state) {
    (void)state;
    setenv(RESOLVER_VARIABLE, "nonsense:x", 1);
    assert_null(loop_resolve(world.loop, SLICE_OF("two4.test."), 1, on_answer, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(all_addresses_are_found),
        TEST(what_was_found_is_kept),
        TEST(reasons_are_told_apart),
        TEST(who_asks_at_once_shares_the_question),
        TEST(names_that_are_kept_are_bounded),
        TEST(the_hosts_file_counts),
        TEST(an_end_cancels_what_is_asked),
        TEST(bad_servers_are_no_servers),
    };
    return cmocka_run_group_tests_name("platform/resolver", tests, NULL, NULL);
}
