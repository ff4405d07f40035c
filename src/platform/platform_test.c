/* Clocks, entropy, cores, threads, usage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/entropy.h"
#include "platform/process.h"
#include "platform/sys.h"
#include "platform/thread.h"

static struct sys_table faulty;
static int interruptions;

static ssize_t bad_getrandom(void *data, size_t size, unsigned flags) {
    if (interruptions-- > 0) {
        errno = EINTR;
        return -1;
    }
    return getrandom(data, size < 3 ? size : 3, flags);
}
static ssize_t no_getrandom(void *data, size_t size, unsigned flags) {
    (void)data, (void)size, (void)flags;
    errno = ENOSYS;
    return -1;
}
static int fixed_clock(clockid_t clock, struct timespec *time) {
    *time = clock == CLOCK_MONOTONIC ? (struct timespec){1, 2} : (struct timespec){1767323045, 999999999};
    return 0;
}

static void clocks_are_read_in_nanoseconds(void **state) {
    (void)state;
    struct now first = platform_now(), second = platform_now();
    assert_true(second.mono.ns >= first.mono.ns);
    assert_true(first.wall.ns > INT64_C(1700000000) * NS_PER_S);
    faulty = sys_real;
    faulty.clock_gettime = fixed_clock;
    sys_replace(&faulty);
    struct now now = platform_now();
    sys_replace(NULL);
    assert_int_equal(now.mono.ns, 1000000002);
    assert_true(now.wall.ns == INT64_C(1767323045999999999));
}

static void entropy_fills_all_or_fails(void **state) {
    (void)state;
    uint8_t first[37] = {0}, second[37] = {0}, zero[4] = {0};
    faulty = sys_real;
    faulty.getrandom = bad_getrandom;
    interruptions = 2;
    sys_replace(&faulty);
    assert_true(entropy_fill(first, sizeof first));
    assert_true(entropy_fill(second, sizeof second));
    assert_memory_not_equal(first, second, sizeof first);
    assert_memory_not_equal(first + sizeof first - 4, zero, 4); /* one in 4 billion */
    faulty.getrandom = no_getrandom;
    uint64_t seed = 7;
    assert_false(entropy_seed(&seed));
    sys_replace(NULL);
    assert_true(entropy_seed(&seed));
}

struct seen {
    char name[32];
    bool is_blocked;
    unsigned cores;
    bool is_pinned;
};

static void look_around(void *user) {
    struct seen *seen = user;
    sigset_t mask;
    pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->is_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
    seen->is_pinned = cpu_pin(1000001);
    seen->cores = cpu_usable();
}

static void threads_have_names_no_signals_and_a_core(void **state) {
    (void)state;
    struct thread thread;
    struct seen seen = {0};
    sigset_t before, after;
    unsigned cores = cpu_usable();
    assert_true(cores >= 1);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(thread_start(&thread, "a-name-that-is-too-long", look_around, &seen), STATUS_OK);
    thread_join(&thread);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < 32; number++)
        assert_int_equal(sigismember(&before, number), sigismember(&after, number));
    assert_string_equal(seen.name, "a-name-that-is-");
    assert_true(seen.is_blocked);
    if (seen.is_pinned)
        assert_int_equal(seen.cores, 1);
    assert_int_equal(cpu_usable(), cores); /* only that thread */
}

static void usage_is_plausible(void **state) {
    (void)state;
    struct process_usage before, after;
    assert_true(process_usage(&before));
    int fd = dup(0);
    assert_true(fd >= 0);
    assert_true(process_usage(&after));
    close(fd);
    assert_int_equal(after.open_fds, before.open_fds + 1);
    assert_true(before.open_fds >= 1 && before.max_fds >= before.open_fds);
    assert_true(before.resident_bytes > 100000 && before.virtual_bytes > before.resident_bytes);
    assert_true(after.cpu_ns >= before.cpu_ns && before.cpu_ns < 3600 * NS_PER_S);
    assert_int_equal(before.start_ns, after.start_ns);
    int64_t age = platform_now().wall.ns - before.start_ns;
    assert_true(age > -2 * NS_PER_S && age < 3600 * NS_PER_S); /* btime is in whole seconds */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_read_in_nanoseconds),
        cmocka_unit_test(entropy_fills_all_or_fails),
        cmocka_unit_test(threads_have_names_no_signals_and_a_core),
        cmocka_unit_test(usage_is_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
