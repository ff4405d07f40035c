/* The router on a system that does its worst: the table of system calls interrupts, shortens, refuses, resets. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/sys.h"
#include "runtime/rig.h"

static atomic_uint calls;
static atomic_int left; /* failures still to come */
static struct sys_table table;

static unsigned turn(void) {
    return atomic_fetch_add(&calls, 1);
}

static bool take_failure(void) {
    return atomic_fetch_sub(&left, 1) > 0;
}

static int give_error(int error_number) {
    errno = error_number;
    return -1;
}

/* Every kind of bad luck in turn, a few bytes at a time. */
static ssize_t stutter_read(int fd, void *data, size_t size) {
    unsigned n = turn();
    if (n % 5 == 1)
        return give_error(EINTR);
    if (n % 7 == 3)
        return give_error(EAGAIN);
    return sys_real.read(fd, data, n % 3 == 0 && size > 7 ? 7 : size);
}

static ssize_t stutter_sendmsg(int fd, const struct msghdr *message, int flags) {
    unsigned n = turn();
    if (n % 4 == 1)
        return give_error(EINTR);
    if (n % 5 == 2)
        return give_error(EAGAIN);
    struct iovec part = message->msg_iov[0];
    struct msghdr one = *message;
    if (part.iov_len > 13)
        part.iov_len = 13;
    one.msg_iov = &part;
    one.msg_iovlen = 1;
    return sys_real.sendmsg(fd, &one, flags);
}

static int stutter_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    unsigned n = turn();
    if (n % 3 == 1)
        return give_error(EINTR);
    if (n % 3 == 2)
        return give_error(EAGAIN);
    return sys_real.sendmmsg(fd, messages, count > 1 ? 1 : count, flags);
}

static int no_descriptors(int fd, struct sockaddr *address, socklen_t *size, int flags) {
    return take_failure() ? give_error(EMFILE) : sys_real.accept4(fd, address, size, flags);
}

static ssize_t reset_read(int fd, void *data, size_t size) {
    return take_failure() ? give_error(ECONNRESET) : sys_real.read(fd, data, size);
}

static int no_room_to_watch(int epoll_fd, int operation, int fd, struct epoll_event *event) {
    return operation == EPOLL_CTL_ADD && take_failure() ? give_error(ENOSPC) : sys_real.epoll_ctl(epoll_fd, operation, fd, event);
}

static int too_large(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    return take_failure() ? give_error(EMSGSIZE) : sys_real.sendmmsg(fd, messages, count, flags);
}

/* The wall clock is set a day forth and back, again and again; the other one is right. */
static int stepping_clock(clockid_t clock, struct timespec *time) {
    int result = sys_real.clock_gettime(clock, time);
    if (clock == CLOCK_REALTIME)
        time->tv_sec += turn() % 2 ? 86400 : -86400;
    return result;
}

static void begin(struct rig *rig, uint16_t lamp) {
    sys_replace(&table); /* before there are threads */
    rig_start(rig, 1,
              "listeners: {web: http://127.0.0.1:0, lines: tcp://127.0.0.1:0}\n"
              "systems: {lamp: udp://127.0.0.1:%u}\n"
              "log: {level: debug}\n"
              "admin: {url: http://127.0.0.1:0}\n", lamp);
}

static void end(struct rig *rig) {
    assert_int_equal(rig_stop(rig), 0);
    sys_replace(NULL);
}

static uint16_t web(struct rig *rig) {
    return runtime_port(rig->runtime, SLICE_OF("web"));
}

#define HEADERS "Content-Type: application/json\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: b\r\nce-target: lamp\r\n"

static unsigned count_of(const char *text, const char *word) {
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    return count;
}

static void stuttering_calls_change_nothing(void **state) {
    enum { MESSAGES = 40 };
    static char request[64 << 10], answer[256 << 10];
    char datagram[2048];
    struct rig rig = {0};
    uint16_t port;
    (void)state;
    int lamp = rig_receive(&port);
    table = sys_real;
    table.read = stutter_read;
    table.sendmsg = stutter_sendmsg;
    table.sendmmsg = stutter_sendmmsg;
    begin(&rig, port);
    size_t size = 0;
    for (int i = 0; i < MESSAGES; i++)
        size += (size_t)snprintf(request + size, sizeof request - size,
                                 "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n" HEADERS "%sContent-Length: 9\r\n\r\n"
                                 "{\"n\":1%02d}", i == MESSAGES - 1 ? "Connection: close\r\n" : "", i);
    int fd = rig_connect(web(&rig));
    rig_send(fd, request);
    rig_read(fd, answer, sizeof answer, NULL);
    assert_int_equal(count_of(answer, "HTTP/1.1 202"), MESSAGES);
    for (int i = 0; i < MESSAGES; i++) {
        char expected[32];
        ssize_t got = recv(lamp, datagram, sizeof datagram - 1, 0);
        assert_true(got > 0);
        datagram[got] = '\0';
        snprintf(expected, sizeof expected, "{\"n\":1%02d}", i);
        if (!strstr(datagram, expected))
            fail_msg("%d: no %s in %s", i, expected, datagram); /* one sender, one recipient: in order */
    }
    close(fd);
    close(lamp);
    end(&rig);
}

/* Many requests over one connection: none is late, none is lost, and the connection stays. */
static void a_clock_that_steps_changes_nothing(void **state) {
    enum { MESSAGES = 40 };
    static char answer[64 << 10];
    static const char request[] = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n" HEADERS "Content-Length: 2\r\n\r\n{}";
    char datagram[2048];
    struct rig rig = {0};
    uint16_t port;
    (void)state;
    int lamp = rig_receive(&port);
    table = sys_real;
    table.clock_gettime = stepping_clock;
    begin(&rig, port);
    int fd = rig_connect(web(&rig));
    for (int i = 0; i < MESSAGES; i++) {
        rig_send(fd, request);
        assert_true(recv(lamp, datagram, sizeof datagram, 0) > 0);
        ssize_t got = recv(fd, answer, sizeof answer - 1, 0);
        assert_true(got > 0);
        answer[got] = '\0';
        assert_non_null(strstr(answer, "HTTP/1.1 202"));
    }
    close(fd);
    close(lamp);
    end(&rig);
}

static void without_descriptors_accepting_pauses_and_is_told_once(void **state) {
    static char log[1 << 20], answer[4096];
    struct rig rig = {0};
    (void)state;
    table = sys_real;
    table.accept4 = no_descriptors;
    atomic_store(&left, 3);
    begin(&rig, 1);
    rig_post(web(&rig), HEADERS, "{}", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 202"));
    assert_true(atomic_load(&left) <= 0);
    assert_true(rig_log_has(&rig, "accepting paused"));
    rig_log(&rig, log, sizeof log);
    assert_int_equal(count_of(log, "accepting paused"), 1);
    end(&rig);
}

static void reset_ends_its_connection_alone(void **state) {
    char answer[4096];
    struct rig rig = {0};
    (void)state;
    table = sys_real;
    table.read = reset_read;
    atomic_store(&left, 0);
    begin(&rig, 1);
    int other = rig_connect(runtime_port(rig.runtime, SLICE_OF("lines")));
    atomic_store(&left, 1);
    int fd = rig_connect(web(&rig));
    rig_send(fd, "GET");
    assert_int_equal(rig_read(fd, answer, sizeof answer, NULL), 0);
    assert_true(rig_log_has(&rig, "\"reason\":\"reset\""));
    rig_send(other, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"b\",\"target\":\"nobody\"}\n");
    assert_true(rig_log_has(&rig, "unknown-target"));
    close(fd);
    close(other);
    end(&rig);
}

static void connection_that_the_kernel_cannot_watch_is_closed_alone(void **state) {
    char answer[4096];
    struct rig rig = {0};
    (void)state;
    table = sys_real;
    table.epoll_ctl = no_room_to_watch;
    atomic_store(&left, 0);
    begin(&rig, 1);
    atomic_store(&left, 1);
    int fd = rig_connect(web(&rig));
    assert_int_equal(rig_read(fd, answer, sizeof answer, NULL), 0);
    assert_true(rig_log_has(&rig, "\"reason\":\"out-of-memory\""));
    rig_post(web(&rig), HEADERS, "{}", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 202"));
    close(fd);
    end(&rig);
}

static void datagram_that_the_path_refuses_is_dropped_and_counted(void **state) {
    char answer[4096], datagram[2048];
    struct rig rig = {0};
    uint16_t port;
    (void)state;
    int lamp = rig_receive(&port);
    table = sys_real;
    table.sendmmsg = too_large;
    atomic_store(&left, 1);
    begin(&rig, port);
    rig_post(web(&rig), HEADERS, "{\"n\":1}", answer, sizeof answer);
    rig_post(web(&rig), HEADERS, "{\"n\":2}", answer, sizeof answer);
    ssize_t size = recv(lamp, datagram, sizeof datagram - 1, 0);
    assert_true(size > 0);
    datagram[size] = '\0';
    assert_non_null(strstr(datagram, "{\"n\":2}"));
    struct buffer text;
    buffer_init(&text, 1u << 20);
    assert_int_equal(runtime_metrics(rig.runtime, EXPOSITION_PROMETHEUS, &text), STATUS_OK);
    buffer_add_byte(&text, 0);
    assert_non_null(strstr((const char *)text.data, "intertie_datagrams_dropped_total{listener=\"lamp/main\",reason=\"too-large\"} 1"));
    assert_non_null(strstr((const char *)text.data, "intertie_messages_dead_lettered_total{system=\"lamp\",priority=\"2\",reason=\"too-large\"} 1"));
    assert_true(rig_log_has(&rig, "message dead"));
    buffer_done(&text);
    close(lamp);
    end(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stuttering_calls_change_nothing),
        cmocka_unit_test(a_clock_that_steps_changes_nothing),
        cmocka_unit_test(without_descriptors_accepting_pauses_and_is_told_once),
        cmocka_unit_test(connection_that_the_kernel_cannot_watch_is_closed_alone),
        cmocka_unit_test(reset_ends_its_connection_alone),
        cmocka_unit_test(datagram_that_the_path_refuses_is_dropped_and_counted),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
