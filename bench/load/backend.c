/* The server behind: answers each request with a fixed status (and `size` bytes, unless
 * it is 204) and counts the events in a file that others can see. It
 * looks for the end of the head and the length of the body, no further. Runs until it is killed. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_SIZE (256u << 10)
#define ANSWERS_MAX 4096u

struct guest {
    int fd;
    size_t have;
    char *in;
};

static char *answers; /* ANSWERS_MAX of them, one after the other */
static size_t answer_size;

static void make_answers(unsigned status, unsigned body) {
    char one[4096];
    if (status == 204) {
        answer_size = (size_t)snprintf(one, sizeof one, "HTTP/1.1 204 No Content\r\n\r\n");
    } else {
        answer_size = (size_t)snprintf(one, sizeof one,
                                       "HTTP/1.1 %u OK\r\nContent-Type: application/json\r\n"
                                       "Content-Length: %u\r\n\r\n\"%0*d\"",
                                       status, body, (int)body - 2, 7);
        if (body < 3 || answer_size >= sizeof one)
            die("an answer has 3 to 3000 bytes");
    }
    answers = malloc(answer_size * ANSWERS_MAX);
    for (size_t i = 0; answers && i < ANSWERS_MAX; i++)
        memcpy(answers + i * answer_size, one, answer_size);
}

/* Events in a body: one, or the elements of a batch, each with its one "specversion". */
static uint64_t count_events(const char *head, const char *body, size_t size) {
    if (!strcasestr(head, "cloudevents-batch"))
        return 1;
    uint64_t count = 0;
    const char *end = body + size, *at = body;
    while ((at = memmem(at, (size_t)(end - at), "\"specversion\"", 13)) != NULL) {
        at += 13;
        count++;
    }
    return count;
}

static size_t request_end(char *text, size_t size, uint64_t *events) {
    char *blank = memmem(text, size, "\r\n\r\n", 4);
    if (!blank)
        return 0;
    size_t head = (size_t)(blank - text) + 4;
    blank[3] = '\0';
    const char *length = strcasestr(text, "\ncontent-length:");
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    bool whole = size - head >= body;
    if (whole)
        *events += count_events(text, text + head, body);
    blank[3] = '\n';
    return whole ? head + body : 0;
}

/* False when the guest is gone. */
static bool serve(struct guest *guest, struct counter *counter) {
    ssize_t size = read(guest->fd, guest->in + guest->have, IN_SIZE - guest->have);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (size <= 0)
        return false;
    guest->have += (size_t)size;
    size_t at = 0, requests = 0;
    uint64_t events = 0;
    for (size_t end; at < guest->have && requests < ANSWERS_MAX &&
                     (end = request_end(guest->in + at, guest->have - at, &events)) > 0;
         requests++)
        at += end;
    guest->have -= at;
    memmove(guest->in, guest->in + at, guest->have);
    if (guest->have == IN_SIZE)
        die("a request larger than %u bytes", IN_SIZE);
    shared_add(counter, events);
    /* Sockets are non-blocking; who pipelines so much without reading answers would wait here. */
    return send(guest->fd, answers, requests * answer_size, MSG_NOSIGNAL) ==
           (ssize_t)(requests * answer_size);
}

static void welcome(int loop, int listener) {
    struct guest *guest = calloc(1, sizeof *guest);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = guest};
    if (!guest || !(guest->in = malloc(IN_SIZE)))
        die("out of memory");
    guest->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (guest->fd >= 0)
        epoll_ctl(loop, EPOLL_CTL_ADD, guest->fd, &event);
}

int load_backend(const struct options *options) {
    struct epoll_event events[256], event = {.events = EPOLLIN, .data.ptr = NULL};
    uint16_t port = options->port;
    int listener = socket_listen(&port, SOCK_STREAM), loop = epoll_create1(EPOLL_CLOEXEC);
    struct counter *counter = counter_open(options->counter ? options->counter : "/dev/null");
    make_answers(options->expect, options->size);
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(loop, events, 256, -1);
        for (int i = 0; i < count; i++) {
            struct guest *guest = events[i].data.ptr;
            if (!guest) {
                welcome(loop, listener);
            } else if (!serve(guest, counter)) {
                close(guest->fd);
                free(guest->in);
                free(guest);
            }
        }
    }
}
