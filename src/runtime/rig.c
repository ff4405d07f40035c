/* A router in this process, and plain blocking sockets to talk to it: for live tests. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/rig.h"

static enum status read_text(void *context, struct slice path, struct buffer *out, bool *ret_open, struct fault *fault) {
    const struct rig *rig = context;
    (void)path;
    (void)fault;
    *ret_open = false;
    buffer_add_text(out, rig->yaml);
    return out->status;
}

static bool no_variable(void *context, struct slice name, struct slice *ret_value) {
    (void)context;
    (void)name;
    (void)ret_value;
    return false;
}

static enum status no_glob(void *context, struct slice pattern, struct buffer *out, struct fault *fault) {
    (void)context;
    (void)pattern;
    (void)out;
    (void)fault;
    return STATUS_OK;
}

static void *run(void *user) {
    struct rig *rig = user;
    rig->exit_code = runtime_run(rig->runtime);
    return NULL;
}

enum status rig_try(struct rig *rig, uint32_t workers, struct fault *fault) {
    char path[] = "/tmp/intertie-rig-XXXXXX";
    struct config_report report;
    rig->source = (struct config_source){rig, read_text, no_variable, no_glob};
    rig->options = (struct config_options){.source = &rig->source};
    rig->log_fd = mkstemp(path);
    assert_true(rig->log_fd >= 0);
    unlink(path);
    struct runtime_options options = {.path = SLICE_OF("rig.yaml"), .config = &rig->options, .standalone = !rig->has_run_dir,
                                      .workers = workers, .log_fd = rig->log_fd,
                                      .admin = rig->admin.request ? &rig->admin : NULL,
                                      .input_log = slice_from(rig->input_log), .input_log_max = rig->input_log_max};
    config_report_init(&report);
    enum status status = runtime_start(&options, &rig->runtime, &report, fault);
    if (status != STATUS_OK && report.error_count) {
        struct buffer text;
        buffer_init(&text, 64u << 10);
        config_report_text(&report, &text);
        print_error("%.*s\n", SLICE_ARG(buffer_slice(&text)));
        buffer_done(&text);
    }
    config_report_done(&report);
    if (status != STATUS_OK) {
        close(rig->log_fd);
        return status;
    }
    assert_int_equal(pthread_create(&rig->thread, NULL, run, rig), 0);
    rig->is_running = true;
    return STATUS_OK;
}

void rig_write(struct rig *rig, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(rig->yaml, sizeof rig->yaml, format, list);
    va_end(list);
}

void rig_start(struct rig *rig, uint32_t workers, const char *format, ...) {
    struct fault fault = {0};
    va_list list;
    va_start(list, format);
    vsnprintf(rig->yaml, sizeof rig->yaml, format, list);
    va_end(list);
    if (rig_try(rig, workers, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
}

int rig_wait(struct rig *rig) {
    if (rig->is_running)
        pthread_join(rig->thread, NULL);
    rig->is_running = false;
    return rig->exit_code;
}

int rig_stop(struct rig *rig) {
    if (rig->is_running)
        runtime_stop(rig->runtime, false);
    rig_wait(rig);
    runtime_free(rig->runtime);
    close(rig->log_fd);
    return rig->exit_code;
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
    enum status status;
    char *out;
    size_t room;
};

static void reloaded(void *user, const struct runtime_reloaded *answer) {
    struct waiting *waiting = user;
    pthread_mutex_lock(&waiting->lock);
    waiting->status = answer->status;
    snprintf(waiting->out, waiting->room, "%.*s", SLICE_ARG(answer->text));
    waiting->is_done = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

enum status rig_reload(struct rig *rig, bool dry_run, char *out, size_t room) {
    struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, .out = out, .room = room};
    runtime_reload(rig->runtime, dry_run, reloaded, &waiting);
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.is_done)
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    return waiting.status;
}

size_t rig_log(struct rig *rig, char *out, size_t room) {
    ssize_t size = pread(rig->log_fd, out, room - 1, 0);
    out[size > 0 ? size : 0] = '\0';
    return size > 0 ? (size_t)size : 0;
}

bool rig_log_has(struct rig *rig, const char *words) {
    static char text[1 << 20];
    for (int tries = 0; tries < 500; tries++) {
        rig_log(rig, text, sizeof text);
        if (strstr(text, words))
            return true;
        usleep(10000);
    }
    print_error("no `%s` in:\n%s", words, text);
    return false;
}

/* -- sockets -- */

static int make(int type, uint16_t *ret_port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

int rig_listen(uint16_t *ret_port) {
    int fd = make(SOCK_STREAM, ret_port);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

int rig_receive(uint16_t *ret_port) {
    return make(SOCK_DGRAM, ret_port);
}

int rig_connect_or(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

int rig_connect(uint16_t port) {
    int fd = rig_connect_or(port);
    assert_true(fd >= 0);
    return fd;
}

void rig_send(int fd, const char *text) {
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t count = send(fd, text, size, MSG_NOSIGNAL);
        assert_true(count > 0);
        text += count;
        size -= (size_t)count;
    }
}

size_t rig_read(int fd, char *out, size_t room, const char *until) {
    size_t size = 0;
    out[0] = '\0';
    while (size + 1 < room) {
        ssize_t count = recv(fd, out + size, room - 1 - size, 0);
        if (count <= 0)
            break;
        size += (size_t)count;
        out[size] = '\0';
        if (until && strstr(out, until))
            break;
    }
    return size;
}

void rig_post(uint16_t port, const char *headers, const char *body, char *out, size_t room) {
    char head[4096];
    int fd = rig_connect(port);
    snprintf(head, sizeof head,
             "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n",
             headers, strlen(body));
    rig_send(fd, head);
    rig_send(fd, body);
    rig_read(fd, out, room, NULL);
    close(fd);
}
