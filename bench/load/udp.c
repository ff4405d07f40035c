/* Datagrams to one port, counted at another. Not more than `connections` datagrams are under way, and what has not
 * come for 50 ms is lost, since nothing else tells a sender of datagrams to wait. */
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BATCH 32
#define LOST_NS UINT64_C(50000000)
#define ROOM 65536

static void receiver(const struct options *options, struct shared *shared) {
    static uint8_t rooms[BATCH][2048];
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    struct timeval patience = {.tv_usec = 20000};
    uint16_t port = options->sink_port;
    int size = 8 << 20, fd = socket_listen(&port, SOCK_DGRAM);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){.iov_base = rooms[i], .iov_len = sizeof rooms[i]};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    shared_add(&shared->ready, 1);
    while (shared_get(&shared->stop) != STOP) {
        int got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++)
            if (messages[i].msg_len < options->size)
                shared_add(&shared->bad, 1);
        if (got > 0)
            shared_add(&shared->got[0], (uint64_t)got);
    }
}

/* Naps while too much is under way; gives up on it when nothing comes any more. Returns what is lost by now. */
static uint64_t await_room(const struct options *options, const struct shared *shared, uint64_t sent,
                           uint64_t lost) {
    uint64_t seen = shared_get(&shared->got[0]), since = now_ns();
    for (;;) {
        uint64_t got = shared_get(&shared->got[0]);
        if (sent < got + lost + options->connections)
            return lost;
        if (got != seen) {
            seen = got;
            since = now_ns();
        } else if (now_ns() - since > LOST_NS) {
            return sent - got;
        }
        nap(20000);
    }
}

static void sender(const struct options *options, struct shared *shared) {
    static uint8_t datagram[ROOM];
    struct iovec piece = {.iov_base = datagram, .iov_len = options->size};
    struct mmsghdr messages[BATCH] = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, options->host, &address.sin_addr);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    memset(datagram, 'x', sizeof datagram);
    if (options->is_encoded)
        piece.iov_len = event_json(datagram, options);
    for (int i = 0; i < BATCH; i++) {
        messages[i].msg_hdr.msg_iov = &piece;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    shared_add(&shared->ready, 1);
    uint64_t sent = 0, lost = 0;
    while (shared_get(&shared->stop) == GO) {
        lost = await_room(options, shared, sent, lost);
        int count = sendmmsg(fd, messages, BATCH, 0);
        if (count > 0)
            shared_set(&shared->sent, sent += (uint64_t)count);
    }
    shared_set(&shared->ended, 1);
}

int load_udp(const struct options *options) {
    struct shared *shared = shared_new();
    struct measure measure;
    struct arrivals arrivals = {.counters = shared->got, .count = 1};
    pid_t sub = role_start(receiver, options, shared);
    role_wait(shared, 1);
    pid_t pub = role_start(sender, options, shared);
    role_wait(shared, 2);
    measure_run(options, shared, pub, sub, &arrivals, &measure);
    role_stop(shared, pub, sub, &arrivals);
    measure_print(options, shared, &measure, &arrivals, false);
    return 0;
}
