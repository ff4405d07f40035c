/* Sockets: what moves, what each errno becomes, and what the table of system calls may do to us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "platform/socket.h"
#include "platform/sys.h"

static struct address loopback(void) {
    struct address address;
    assert_true(address_parse(SLICE_OF("127.0.0.1:0"), &address));
    return address;
}

static void wait_for(int fd, short events) {
    struct pollfd one = {.fd = fd, .events = events};
    assert_int_equal(poll(&one, 1, 10000), 1);
}

static int listen_anywhere(struct address *ret_at) {
    struct address at = loopback();
    struct fault fault;
    int fd;
    assert_int_equal(socket_listen(&at, 0, &fd, &fault), STATUS_OK);
    *ret_at = socket_local(fd);
    assert_int_not_equal(ret_at->port, 0);
    return fd;
}

struct pair {
    int here, there;
};

static struct pair connect_pair(void) {
    struct pair pair;
    struct address at, peer;
    int listener = listen_anywhere(&at);
    assert_int_equal(socket_accept(listener, &pair.there, &peer).result, SOCKET_AGAIN);
    assert_int_equal(socket_dial(&at, &pair.here, NULL), STATUS_OK);
    wait_for(pair.here, POLLOUT);
    assert_int_equal(socket_dial_result(pair.here), STATUS_OK);
    wait_for(listener, POLLIN);
    assert_int_equal(socket_accept(listener, &pair.there, &peer).result, SOCKET_MOVED);
    struct address local = socket_local(pair.here);
    assert_true(address_equal(&peer, &local));
    socket_close(listener);
    return pair;
}

static void streams_move_bytes_and_tell_the_end(void **state) {
    (void)state;
    struct pair pair = connect_pair();
    char data[16];
    int nodelay = 0;
    socklen_t size = sizeof nodelay;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            getsockopt(i ? pair.here : pair.there, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
        assert_int_equal(nodelay, 1);
    }
    assert_int_equal(fcntl(pair.there, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(socket_read(pair.there, data, sizeof data).result, SOCKET_AGAIN);
    struct iovec parts[] = {{(char[]){"ab"}, 2}, {(char[]){"cd"}, 2}};
    struct socket_io io = socket_write(pair.here, parts, 2);
    assert_int_equal(io.result, SOCKET_MOVED);
    assert_int_equal(io.count, 4);
    wait_for(pair.there, POLLIN);
    io = socket_read(pair.there, data, sizeof data);
    assert_int_equal(io.count, 4);
    assert_memory_equal(data, "abcd", 4);
    socket_shut(pair.here);
    wait_for(pair.there, POLLIN);
    assert_int_equal(socket_read(pair.there, data, sizeof data).result, SOCKET_END);
    socket_close(pair.here);
    socket_close(pair.there);
}

static void a_peer_that_is_gone_is_a_status_not_a_signal(void **state) {
    (void)state;
    struct pair pair = connect_pair();
    char data[16];
    struct iovec part = {(char[]){"x"}, 1};
    socket_close_reset(pair.there);
    wait_for(pair.here, POLLIN);
    struct socket_io io = socket_read(pair.here, data, sizeof data);
    assert_int_equal(io.result, SOCKET_FAILED);
    assert_int_equal(io.status, STATUS_RESET);
    io = socket_write(pair.here, &part, 1);
    assert_int_equal(io.result, SOCKET_FAILED);
    assert_int_equal(io.status, STATUS_PEER_CLOSED);
    socket_close(pair.here);
}

static void refused_and_occupied_are_told(void **state) {
    (void)state;
    struct address at;
    struct fault fault;
    int listener = listen_anywhere(&at), fd = -7;
    assert_int_equal(socket_listen(&at, 0, &fd, &fault), STATUS_ADDRESS_IN_USE);
    assert_int_equal(fd, -7);
    assert_non_null(strstr(fault.text, "cannot listen on 127.0.0.1:"));
    assert_int_equal(fault.error_number, EADDRINUSE);
    socket_close(listener);
    enum status status = socket_dial(&at, &fd, &fault);
    if (status == STATUS_OK) {
        wait_for(fd, POLLOUT);
        status = socket_dial_result(fd);
        socket_close(fd);
    }
    assert_int_equal(status, STATUS_REFUSED);
}

static void listeners_share_a_port_when_asked(void **state) {
    (void)state;
    struct address at = loopback();
    int first, second;
    assert_int_equal(socket_listen(&at, SOCKET_REUSE_PORT, &first, NULL), STATUS_OK);
    at = socket_local(first);
    assert_int_equal(socket_listen(&at, SOCKET_REUSE_PORT, &second, NULL), STATUS_OK);
    socket_close(first);
    socket_close(second);
}

static void datagrams_move_in_batches(void **state) {
    (void)state;
    struct address at = loopback();
    int here, there, value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(socket_datagram(&at, 0, &here, NULL), STATUS_OK);
    assert_int_equal(socket_datagram(&at, 0, &there, NULL), STATUS_OK);
    assert_int_equal(getsockopt(here, IPPROTO_IP, IP_MTU_DISCOVER, &value, &size), 0);
    assert_int_equal(value, IP_PMTUDISC_DO);
    struct address to = socket_local(there), from = socket_local(here);
    struct socket_packet out[] = {{(char[]){"one"}, 3, to, false}, {(char[]){"three"}, 5, to, false}};
    char room[3][4];
    struct socket_packet in[3] = {{room[0], 4}, {room[1], 4}, {room[2], 4}};
    assert_int_equal(socket_receive(there, in, 3).result, SOCKET_AGAIN);
    struct socket_io io = socket_send(here, out, 2);
    assert_int_equal(io.count, 2);
    wait_for(there, POLLIN);
    size_t count = 0;
    while (count < 2) {
        wait_for(there, POLLIN);
        io = socket_receive(there, in + count, 3 - count);
        assert_int_equal(io.result, SOCKET_MOVED);
        count += io.count;
    }
    assert_int_equal(in[0].size, 3);
    assert_false(in[0].is_cut);
    assert_true(in[1].is_cut);
    assert_memory_equal(room[1], "thre", 4);
    assert_true(address_equal(&in[0].peer, &from));
    static uint8_t large[65507];
    struct socket_packet too_large = {large, sizeof large, to, false};
    to.bytes[0] = 127;
    io = socket_send(here, &too_large, 1); /* fits the loopback device's 64 KiB */
    assert_true(io.result == SOCKET_MOVED || io.status == STATUS_TOO_LARGE);
    socket_close(here);
    socket_close(there);
}

/* -- Unix sockets -- */

static void path_in(char out[static 64], const char *directory, const char *name) {
    snprintf(out, 64, "%.32s/%.20s", directory, name);
}

static void unix_sockets_are_private_and_replace_only_stale_ones(void **state) {
    (void)state;
    char directory[] = "/tmp/intertie-XXXXXX", path[64], plain[64];
    assert_non_null(mkdtemp(directory));
    path_in(path, directory, "s");
    path_in(plain, directory, "plain");
    struct fault fault;
    struct stat found;
    int first, second, fd;
    assert_int_equal(socket_listen_unix(path, &first, &fault), STATUS_OK);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(socket_listen_unix(path, &second, &fault), STATUS_ADDRESS_IN_USE);
    assert_int_equal(socket_dial_unix(path, &fd, &fault), STATUS_OK);
    struct address peer;
    for (int i = 0; i < 2; i++) { /* the probe of the second listener came first */
        int accepted;
        assert_int_equal(socket_accept(first, &accepted, &peer).result, SOCKET_MOVED);
        assert_int_equal(peer.family, ADDRESS_NONE);
        socket_close(accepted);
    }
    socket_close(fd);
    socket_close(first); /* the file stays behind, as after a crash */
    assert_int_equal(socket_dial_unix(path, &fd, &fault), STATUS_REFUSED);
    assert_int_equal(socket_listen_unix(path, &second, &fault), STATUS_OK);
    socket_close(second);

    fd = open(plain, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(socket_listen_unix(plain, &second, &fault), STATUS_ADDRESS_IN_USE);
    assert_non_null(strstr(fault.text, "is no socket"));
    assert_int_equal(stat(plain, &found), 0);
    char too_long[200];
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    assert_int_equal(socket_listen_unix(too_long, &second, &fault), STATUS_IO_ERROR);
    unlink(path);
    unlink(plain);
    rmdir(directory);
}

/* -- faults -- */

static struct {
    int error_number, times, closes, pieces;
    size_t write_max;
} plan;

static bool fails(void) {
    if (plan.times == 0)
        return false;
    plan.times--;
    errno = plan.error_number;
    return true;
}
static ssize_t bad_read(int fd, void *data, size_t size) {
    return fails() ? -1 : read(fd, data, size);
}
static ssize_t bad_sendmsg(int fd, const struct msghdr *message, int flags) {
    if (fails())
        return -1;
    if (plan.write_max == 0)
        return sendmsg(fd, message, flags);
    struct iovec part = message->msg_iov[0];
    part.iov_len = part.iov_len < plan.write_max ? part.iov_len : plan.write_max;
    struct msghdr cut = {.msg_iov = &part, .msg_iovlen = 1};
    return sendmsg(fd, &cut, flags);
}
static int bad_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
    return fails() ? -1 : accept4(fd, address, size, flags);
}
static int bad_socket(int domain, int type, int protocol) {
    return fails() ? -1 : socket(domain, type, protocol);
}
static int bad_listen(int fd, int backlog) {
    return fails() ? -1 : listen(fd, backlog);
}
static int bad_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    return fails() ? -1 : recvmmsg(fd, messages, count, flags, timeout);
}
static int bad_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    return fails() ? -1 : sendmmsg(fd, messages, count, flags);
}
static int noting_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    if (fails())
        return -1;
    int sent = sendmmsg(fd, messages, count, flags);
    plan.pieces += sent > 0 ? sent : 0;
    return sent;
}
static int counted_close(int fd) {
    plan.closes++;
    int result = close(fd);
    errno = EIO; /* may change errno: nobody may rely on it after */
    return result;
}

static struct sys_table faulty;

static int replace_table(void **state) {
    (void)state;
    memset(&plan, 0, sizeof plan);
    faulty = sys_real;
    sys_replace(&faulty);
    return 0;
}
static int restore_table(void **state) {
    (void)state;
    sys_replace(NULL);
    return 0;
}

static void interruptions_are_retried_and_errors_named(void **state) {
    (void)state;
    static const struct {
        int error_number;
        enum socket_result result;
        enum status status;
    } rows[] = {
        {EINTR, SOCKET_MOVED, STATUS_OK},
        {EAGAIN, SOCKET_AGAIN, STATUS_OK},
        {ECONNRESET, SOCKET_FAILED, STATUS_RESET},
        {EPIPE, SOCKET_FAILED, STATUS_PEER_CLOSED},
        {ETIMEDOUT, SOCKET_FAILED, STATUS_RESET}, /* of a standing connection: it is lost */
        {ENOBUFS, SOCKET_FAILED, STATUS_NO_MEMORY},
        {EBADMSG, SOCKET_FAILED, STATUS_IO_ERROR},
    };
    struct pair pair = connect_pair();
    faulty.read = bad_read;
    faulty.sendmsg = bad_sendmsg;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char byte = 'x';
        struct iovec part = {&byte, 1};
        assert_int_equal(socket_write(pair.there, &part, 1).result, SOCKET_MOVED);
        wait_for(pair.here, POLLIN);
        plan.error_number = rows[i].error_number;
        plan.times = rows[i].error_number == EINTR ? 3 : 1;
        struct socket_io io = socket_read(pair.here, &byte, 1);
        assert_int_equal(io.result, rows[i].result);
        assert_int_equal(io.status, rows[i].status);
        plan.times = rows[i].error_number == EINTR ? 3 : 1;
        io = socket_write(pair.here, &part, 1);
        assert_int_equal(io.result, rows[i].result);
        assert_int_equal(io.status, rows[i].status);
    }
    plan.write_max = 2;
    struct iovec part = {(char[]){"abcdef"}, 6};
    assert_int_equal(socket_write(pair.here, &part, 1).count, 2);
    socket_close(pair.here);
    socket_close(pair.there);
}

static void accepting_skips_the_dead_and_names_exhaustion(void **state) {
    (void)state;
    struct address at, peer;
    int listener = listen_anywhere(&at), fd = -7;
    faulty.accept4 = bad_accept4;
    plan.error_number = ECONNABORTED;
    plan.times = 5;
    assert_int_equal(socket_accept(listener, &fd, &peer).result, SOCKET_AGAIN);
    assert_int_equal(plan.times, 0);
    static const int exhausted[] = {EMFILE, ENFILE};
    for (size_t i = 0; i < COUNT_OF(exhausted); i++) {
        plan.error_number = exhausted[i];
        plan.times = 1;
        struct socket_io io = socket_accept(listener, &fd, &peer);
        assert_int_equal(io.result, SOCKET_FAILED);
        assert_int_equal(io.status, STATUS_NO_DESCRIPTORS);
        assert_int_equal(fd, -7);
    }
    socket_close(listener);
}

static void failed_making_closes_and_keeps_the_first_error(void **state) {
    (void)state;
    struct address at = loopback();
    struct fault fault;
    int fd = -7;
    faulty.socket = bad_socket;
    faulty.close = counted_close;
    plan.error_number = EMFILE;
    plan.times = 1;
    assert_int_equal(socket_listen(&at, 0, &fd, &fault), STATUS_NO_DESCRIPTORS);
    assert_int_equal(plan.closes, 0);
    faulty.socket = sys_real.socket;
    faulty.listen = bad_listen;
    plan.error_number = EADDRINUSE;
    plan.times = 1;
    assert_int_equal(socket_listen(&at, 0, &fd, &fault), STATUS_ADDRESS_IN_USE);
    assert_int_equal(fault.error_number, EADDRINUSE);
    assert_int_equal(plan.closes, 1);
    assert_int_equal(fd, -7);
}

static void datagram_errors_of_others_are_passed_over(void **state) {
    (void)state;
    struct address at = loopback();
    int fd;
    char room[4];
    struct socket_packet packet = {room, sizeof room};
    assert_int_equal(socket_datagram(&at, 0, &fd, NULL), STATUS_OK);
    faulty.recvmmsg = bad_recvmmsg;
    faulty.sendmmsg = bad_sendmmsg;
    plan.error_number = ECONNREFUSED;
    plan.times = 3;
    assert_int_equal(socket_receive(fd, &packet, 1).result, SOCKET_AGAIN);
    assert_int_equal(plan.times, 0);
    plan.times = -1; /* for ever: it must end all the same */
    assert_int_equal(socket_receive(fd, &packet, 1).result, SOCKET_AGAIN);
    packet.peer = socket_local(fd);
    plan.error_number = EMSGSIZE;
    plan.times = 1;
    struct socket_io io = socket_send(fd, &packet, 1);
    assert_int_equal(io.result, SOCKET_FAILED);
    assert_int_equal(io.status, STATUS_TOO_LARGE);
    plan.error_number = EINTR;
    plan.times = 2;
    assert_int_equal(socket_send(fd, &packet, 1).result, SOCKET_MOVED);
    socket_close(fd);
}

/* Runs of one size go to the kernel in one piece each, and come out as they were. */
static void equal_datagrams_to_one_peer_go_in_one_piece(void **state) {
    (void)state;
    enum { COUNT = 9 };
    static const uint8_t sizes[COUNT] = {5, 5, 5, 2, 7, 7, 1, 5, 5}; /* pieces: 5 5 5 2, 7 7 1, 5, 5 to another */
    struct address at = loopback();
    int here, there, other;
    assert_int_equal(socket_datagram(&at, 0, &here, NULL), STATUS_OK);
    assert_int_equal(socket_datagram(&at, 0, &there, NULL), STATUS_OK);
    assert_int_equal(socket_datagram(&at, 0, &other, NULL), STATUS_OK);
    struct address to = socket_local(there), elsewhere = socket_local(other);
    struct socket_packet out[COUNT], in[COUNT];
    uint8_t bytes[COUNT][8], room[COUNT][8];
    faulty.sendmmsg = noting_sendmmsg;
    plan.pieces = 0;
    for (size_t i = 0; i < COUNT; i++) {
        memset(bytes[i], 'a' + (int)i, sizeof bytes[i]);
        out[i] = (struct socket_packet){bytes[i], sizes[i], i == COUNT - 1 ? elsewhere : to, false};
        in[i] = (struct socket_packet){room[i], sizeof room[i]};
    }
    assert_int_equal(socket_send(here, out, COUNT).count, COUNT);
    assert_int_equal(plan.pieces, 4);
    size_t count = 0;
    while (count < COUNT - 1) {
        wait_for(there, POLLIN);
        count += socket_receive(there, in + count, COUNT - count).count;
    }
    for (size_t i = 0; i < COUNT - 1; i++) {
        assert_int_equal(in[i].size, sizes[i]);
        assert_memory_equal(room[i], bytes[i], sizes[i]);
    }
    wait_for(other, POLLIN);
    assert_int_equal(socket_receive(other, in, 1).count, 1);
    socket_close(here);
    socket_close(there);
    socket_close(other);
}

static void where_pieces_are_refused_each_datagram_goes_by_itself(void **state) {
    (void)state;
    struct address at = loopback();
    int here, there;
    assert_int_equal(socket_datagram(&at, 0, &here, NULL), STATUS_OK);
    assert_int_equal(socket_datagram(&at, 0, &there, NULL), STATUS_OK);
    static char same[] = "same";
    struct socket_packet out[3];
    for (size_t i = 0; i < 3; i++)
        out[i] = (struct socket_packet){same, 4, socket_local(there), false};
    faulty.sendmmsg = noting_sendmmsg;
    plan.pieces = 0;
    plan.error_number = EIO;
    plan.times = 1;
    assert_int_equal(socket_send(here, out, 3).count, 3);
    assert_int_equal(plan.pieces, 3);
    plan.times = -1; /* it was not about the pieces */
    assert_int_equal(socket_send(here, out, 3).result, SOCKET_FAILED);
    socket_close(here);
    socket_close(there);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_move_bytes_and_tell_the_end),
        cmocka_unit_test(a_peer_that_is_gone_is_a_status_not_a_signal),
        cmocka_unit_test(refused_and_occupied_are_told),
        cmocka_unit_test(listeners_share_a_port_when_asked),
        cmocka_unit_test(datagrams_move_in_batches),
        cmocka_unit_test(unix_sockets_are_private_and_replace_only_stale_ones),
        cmocka_unit_test_setup_teardown(interruptions_are_retried_and_errors_named, replace_table, restore_table),
        cmocka_unit_test_setup_teardown(accepting_skips_the_dead_and_names_exhaustion, replace_table, restore_table),
        cmocka_unit_test_setup_teardown(failed_making_closes_and_keeps_the_first_error, replace_table, restore_table),
        cmocka_unit_test_setup_teardown(equal_datagrams_to_one_peer_go_in_one_piece, replace_table, restore_table),
        cmocka_unit_test_setup_teardown(where_pieces_are_refused_each_datagram_goes_by_itself, replace_table, restore_table),
        cmocka_unit_test_setup_teardown(datagram_errors_of_others_are_passed_over, replace_table, restore_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
