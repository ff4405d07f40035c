/* The loop: readiness, turns, time, wake-ups, signals, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/thread.h"

struct world {
    struct loop *loop;
    struct loop_watch watch[2];
    int pair[2][2]; /* [i][0] is watched */
    int ready, turns, timers, wakes, signals, answers;
    int ready_at_turn; /* `ready` as the last on_turn saw it */
    unsigned events;
    struct loop_watch *other;
    bool unwatches, reads;
    struct mono timer_at, fired_at;
    enum status status;
    struct address address;
};

static void on_turn(void *user) {
    struct world *world = user;
    world->turns++;
    world->ready_at_turn = world->ready;
}
static void on_timer(void *user) {
    struct world *world = user;
    world->timers++;
    world->fired_at = platform_now().mono;
    loop_stop(world->loop);
}
static void on_wake(void *user) {
    struct world *world = user;
    world->wakes++;
    loop_stop(world->loop);
}
static void on_signal(void *user, int number) {
    struct world *world = user;
    world->signals += number == SIGUSR1;
    loop_stop(world->loop);
}
static void on_ready(void *user, unsigned events) {
    struct world *world = user;
    char byte;
    world->ready++;
    world->events |= events;
    for (int i = 0; i < 2 && world->reads; i++)
        while (recv(world->pair[i][0], &byte, 1, MSG_DONTWAIT) == 1)
            ;
    for (int i = 0; i < 2 && world->unwatches; i++) {
        loop_unwatch(&world->watch[i]);
    }
    world->unwatches = false;
}

static void free_the_other(void *user, unsigned events) {
    struct world *world = user;
    (void)events;
    world->ready++;
    struct loop_watch *other = world->other;
    if (!other)
        return;
    world->other = NULL;
    /* Whichever came first ends both. */
    loop_unwatch(&world->watch[0]);
    loop_unwatch(other);
    memory_free(other);
}

static int make_world(void **state) {
    struct world *world = memory_new(sizeof *world);
    struct loop_owner owner = {.user = world, .on_turn = on_turn, .on_timer = on_timer, .on_wake = on_wake};
    world->loop = loop_new(&owner);
    for (int i = 0; i < 2; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, world->pair[i]) != 0)
            return -1;
    *state = world;
    return world->loop ? 0 : -1;
}

static int end_world(void **state) {
    struct world *world = *state;
    loop_free(world->loop);
    for (int i = 0; i < 4; i++)
        if (world->pair[i / 2][i % 2] >= 0)
            close(world->pair[i / 2][i % 2]);
    memory_free(world);
    return 0;
}

static void watch_both(struct world *world, unsigned events) {
    for (int i = 0; i < 2; i++)
        assert_true(loop_watch(world->loop, &world->watch[i], world->pair[i][0], events, on_ready, world));
}

static void write_both(struct world *world) {
    for (int i = 0; i < 2; i++)
        assert_int_equal(write(world->pair[i][1], "x", 1), 1);
}

/* A turn may end between two descriptors, so a test that wants both waits until both came. */
static void turn_until(struct world *world, const int *counter, int value) {
    for (int i = 0; i < 1000 && *counter < value; i++)
        loop_run_once(world->loop, true);
    assert_int_equal(*counter, value);
}

static void a_turn_ends_once_after_all_that_was_ready(void **state) {
    struct world *world = *state;
    watch_both(world, LOOP_READABLE);
    loop_run_once(world->loop, false);
    assert_int_equal(world->ready, 0);
    assert_int_equal(world->turns, 0);
    write_both(world);
    loop_run_once(world->loop, true);
    assert_int_equal(world->ready, 2);
    assert_int_equal(world->turns, 1);
    assert_int_equal(world->ready_at_turn, 2);
    assert_int_equal(world->events, LOOP_READABLE);
}

static void watching_nothing_is_silent_until_asked_again(void **state) {
    struct world *world = *state;
    watch_both(world, LOOP_READABLE);
    for (int i = 0; i < 2; i++)
        loop_modify(&world->watch[i], LOOP_NOTHING);
    write_both(world);
    for (int i = 0; i < 3; i++)
        loop_run_once(world->loop, false);
    assert_int_equal(world->ready, 0);
    loop_modify(&world->watch[0], LOOP_READABLE | LOOP_WRITABLE);
    loop_run_once(world->loop, true);
    assert_int_equal(world->events, LOOP_READABLE | LOOP_WRITABLE);
    assert_int_equal(world->ready, 1);
}

/* Off and on again within a moment: what came meanwhile is reported once, when it is wanted. */
static void reads_that_were_off_for_a_moment_lose_nothing(void **state) {
    struct world *world = *state;
    watch_both(world, LOOP_READABLE);
    write_both(world);
    loop_modify(&world->watch[0], LOOP_NOTHING);
    loop_modify(&world->watch[1], LOOP_NOTHING);
    loop_modify(&world->watch[0], LOOP_READABLE);
    loop_run_once(world->loop, false);
    assert_int_equal(world->ready, 1);
    loop_run_once(world->loop, false); /* still unread, level-triggered */
    assert_int_equal(world->ready, 2);
    world->reads = true;
    loop_modify(&world->watch[1], LOOP_READABLE);
    loop_run_once(world->loop, false);
    loop_run_once(world->loop, false);
    assert_int_equal(world->events, LOOP_READABLE);
    int seen = world->ready;
    loop_run_once(world->loop, false);
    assert_int_equal(world->ready, seen);
}

/* A peer that resets while nothing of it is wanted must not keep the loop awake. */
static void a_reset_that_nobody_wants_is_silent(void **state) {
    struct world *world = *state;
    watch_both(world, LOOP_READABLE);
    for (int i = 0; i < 2; i++)
        loop_modify(&world->watch[i], LOOP_NOTHING);
    for (int i = 0; i < 2; i++) {
        close(world->pair[i][1]);
        world->pair[i][1] = -1;
    }
    for (int i = 0; i < 3; i++)
        loop_run_once(world->loop, false);
    assert_int_equal(world->ready, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(world->watch[i].armed, 0);
    loop_modify(&world->watch[0], LOOP_READABLE);
    loop_run_once(world->loop, false);
    assert_int_equal(world->ready, 1);
    assert_true(world->events & LOOP_READABLE);
}

/* The watch is its owner's memory: gone in the middle of a turn, nothing of it is touched. */
static void a_watch_may_be_freed_within_the_turn(void **state) {
    struct world *world = *state;
    struct loop_watch *other = memory_new(sizeof *other);
    assert_true(loop_watch(world->loop, &world->watch[0], world->pair[0][0], LOOP_READABLE, free_the_other, world));
    assert_true(loop_watch(world->loop, other, world->pair[1][0], LOOP_READABLE, free_the_other, world));
    world->other = other;
    write_both(world);
    loop_run_once(world->loop, true);
    assert_int_equal(world->ready, 1);
    assert_null(world->other);
}

static void busy_polling_still_sleeps_and_wakes(void **state) {
    struct world *world = *state;
    struct mono before = platform_now().mono;
    loop_busy_poll(world->loop, 2 * NS_PER_MS);
    loop_timer_at(world->loop, mono_after(before, 6 * NS_PER_MS));
    loop_run(world->loop);
    assert_int_equal(world->timers, 1);
    assert_true(world->fired_at.ns >= before.ns + 6 * NS_PER_MS);
    watch_both(world, LOOP_READABLE);
    write_both(world);
    loop_run_once(world->loop, true);
    assert_int_equal(world->ready, 2);
    loop_busy_poll(world->loop, 0);
}

static void unwatched_descriptors_may_be_closed_at_once(void **state) {
    struct world *world = *state;
    watch_both(world, LOOP_READABLE);
    world->unwatches = true; /* the first call ends both, so the second one must not come */
    write_both(world);
    loop_run_once(world->loop, true);
    assert_int_equal(world->ready, 1);
    for (int i = 0; i < 2; i++) {
        close(world->pair[i][0]);
        world->pair[i][0] = -1;
    }
    loop_run_once(world->loop, false);
    assert_int_equal(world->ready, 1);
}

static void a_hang_up_is_seen_while_reads_are_off(void **state) {
    struct world *world = *state;
    watch_both(world, LOOP_HANGUP);
    write_both(world);
    loop_run_once(world->loop, false);
    assert_int_equal(world->ready, 0);
    shutdown(world->pair[1][1], SHUT_WR);
    turn_until(world, &world->ready, 1);
    assert_true(world->events & LOOP_HANGUP);
    assert_false(world->events & LOOP_READABLE);
}

static void timers_come_once_and_never_early(void **state) {
    struct world *world = *state;
    for (int i = 0; i < 5; i++) {
        struct mono at = mono_after(platform_now().mono, 1500000 + i * 300000);
        loop_timer_at(world->loop, mono_after(at, 3600 * NS_PER_S));
        loop_timer_at(world->loop, at); /* replaces */
        loop_run(world->loop);
        assert_int_equal(world->timers, i + 1);
        assert_true(world->fired_at.ns >= at.ns);
    }
    assert_int_equal(world->turns, 5);
    loop_timer_at(world->loop, (struct mono){1}); /* long ago: at once */
    loop_run(world->loop);
    assert_int_equal(world->timers, 6);
    loop_timer_at(world->loop, (struct mono){1});
    loop_timer_at(world->loop, MONO_NEVER);
    loop_run_once(world->loop, false);
    assert_int_equal(world->timers, 6);
}

static void left_over_work_gets_a_turn_without_waiting(void **state) {
    struct world *world = *state;
    loop_again(world->loop);
    loop_again(world->loop);
    loop_run_once(world->loop, true);
    assert_int_equal(world->turns, 1);
    loop_run_once(world->loop, false);
    assert_int_equal(world->turns, 1);
}

static void wake_from_thread(void *user) {
    loop_wake(user);
}

static void other_threads_wake_the_loop(void **state) {
    struct world *world = *state;
    struct thread thread;
    assert_int_equal(thread_start(&thread, "waker", wake_from_thread, world->loop), STATUS_OK);
    loop_run(world->loop);
    thread_join(&thread);
    assert_int_equal(world->wakes, 1);
    assert_int_equal(world->turns, 1);
}

static void signals_arrive_in_the_loop(void **state) {
    struct world *world = *state;
    assert_true(loop_signal(world->loop, SIGUSR1, on_signal, world));
    assert_int_equal(raise(SIGUSR1), 0);
    loop_run(world->loop);
    assert_int_equal(world->signals, 1);
    struct loop_owner nobody = {0};
    struct loop *another = loop_new(&nobody); /* a signal belongs to one loop at a time */
    assert_false(loop_signal(another, SIGUSR1, on_signal, world));
    assert_true(loop_signal(another, SIGWINCH, on_signal, world));
    loop_free(another);
    assert_true(loop_signal(world->loop, SIGWINCH, on_signal, world));
    for (int i = 2; i < LOOP_SIGNALS_MAX; i++)
        assert_true(loop_signal(world->loop, SIGUSR2, on_signal, world));
    assert_false(loop_signal(world->loop, SIGUSR2, on_signal, world));
}

static void on_answer(void *user, enum status status, const struct address *addresses, size_t count) {
    struct world *world = user;
    world->answers++;
    world->status = status;
    if (count)
        world->address = addresses[0];
}

static void names_are_resolved_or_refused(void **state) {
    struct world *world = *state;
    char long_name[LOOP_NAME_MAX + 1];
    memset(long_name, 'a', sizeof long_name);
    assert_non_null(loop_resolve(world->loop, SLICE_OF("127.0.0.1"), 8080, on_answer, world));
    turn_until(world, &world->answers, 1);
    assert_int_equal(world->status, STATUS_OK);
    assert_true(address_is_loopback(&world->address));
    assert_int_equal(world->address.port, 8080);
    assert_non_null(loop_resolve(world->loop, SLICE_OF("1.2.3.4.5.invalid"), 1, on_answer, world));
    turn_until(world, &world->answers, 2);
    assert_int_not_equal(world->status, STATUS_OK);
    assert_null(loop_resolve(world->loop, slice_make(long_name, sizeof long_name), 1, on_answer, world));
    assert_null(loop_resolve(world->loop, SLICE_OF(""), 1, on_answer, world));
    assert_null(loop_resolve(world->loop, SLICE_OF("a\0b"), 1, on_answer, world));
}

static void forgotten_names_give_no_answer_and_unfinished_ones_end_with_the_loop(void **state) {
    struct world *world = *state;
    struct loop_resolve *first = loop_resolve(world->loop, SLICE_OF("127.0.0.1"), 1, on_answer, world);
    struct loop_resolve *second = loop_resolve(world->loop, SLICE_OF("127.0.0.2"), 1, on_answer, world);
    assert_true(first && second);
    loop_resolve_forget(first);
    loop_free(world->loop);
    assert_int_equal(world->answers, 1);
    assert_int_equal(world->status, STATUS_CANCELLED);
    world->loop = NULL;
}

static void what_cannot_be_watched_is_refused(void **state) {
    struct world *world = *state;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_false(loop_watch(world->loop, &world->watch[0], -1, LOOP_READABLE, on_ready, world));
    assert_false(loop_watch(world->loop, &world->watch[0], file, LOOP_READABLE, on_ready, world));
    assert_null(world->watch[0].loop);
    close(file);
    memory_fail_after(0);
    assert_null(loop_resolve(world->loop, SLICE_OF("127.0.0.1"), 1, on_answer, world));
    memory_fail_after(0);
    struct loop_owner owner = {0};
    assert_null(loop_new(&owner));
    memory_fail_after(-1);
}

#define MANY 600 /* more than one look reports */

static void mark(void *user, unsigned events) {
    bool *seen = user;
    *seen = events & LOOP_READABLE;
}

/* After a stop of the whole process, say: who has written in time is heard before the clock is looked at. */
static void what_waits_is_read_before_deadlines_long_over(void **state) {
    struct world *world = *state;
    static struct loop_watch watches[MANY];
    static bool seen[MANY];
    int fds[MANY];
    memset(seen, 0, sizeof seen);
    write_both(world);
    for (int i = 0; i < MANY; i++) {
        fds[i] = fcntl(world->pair[0][0], F_DUPFD_CLOEXEC, 3);
        assert_true(fds[i] >= 0);
        assert_true(loop_watch(world->loop, &watches[i], fds[i], LOOP_READABLE, mark, &seen[i]));
    }
    loop_timer_at(world->loop, (struct mono){platform_now().mono.ns - NS_PER_S});
    loop_run_once(world->loop, true);
    assert_int_equal(world->timers, 1);
    assert_int_equal(world->turns, 1);
    for (int i = 0; i < MANY; i++) {
        assert_true(seen[i]);
        loop_unwatch(&watches[i]);
        close(fds[i]);
    }
}

int main(void) {
#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(what_waits_is_read_before_deadlines_long_over),
        LOOP_TEST(a_turn_ends_once_after_all_that_was_ready),
        LOOP_TEST(watching_nothing_is_silent_until_asked_again),
        LOOP_TEST(reads_that_were_off_for_a_moment_lose_nothing),
        LOOP_TEST(a_reset_that_nobody_wants_is_silent),
        LOOP_TEST(a_watch_may_be_freed_within_the_turn),
        LOOP_TEST(busy_polling_still_sleeps_and_wakes),
        LOOP_TEST(unwatched_descriptors_may_be_closed_at_once),
        LOOP_TEST(a_hang_up_is_seen_while_reads_are_off),
        LOOP_TEST(timers_come_once_and_never_early),
        LOOP_TEST(left_over_work_gets_a_turn_without_waiting),
        LOOP_TEST(other_threads_wake_the_loop),
        LOOP_TEST(signals_arrive_in_the_loop),
        LOOP_TEST(names_are_resolved_or_refused),
        LOOP_TEST(forgotten_names_give_no_answer_and_unfinished_ones_end_with_the_loop),
        LOOP_TEST(what_cannot_be_watched_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
