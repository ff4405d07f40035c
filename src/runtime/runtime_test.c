/* The running router with real sockets: messages across protocols, reload, drain, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "protocol/http1/http1.h"
#include "runtime/rig.h"

#define EVENT "Content-Type: application/json\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /shop\r\n"

static void quickstart(struct rig *rig, uint32_t workers, uint16_t pricing, uint16_t lamp) {
    rig_start(rig, workers,
              "listeners:\n"
              "  web: http://127.0.0.1:0\n"
              "  stream: tcp://127.0.0.1:0\n"
              "  ticks: udp://127.0.0.1:0\n"
              "systems:\n"
              "  pricing: tcp://127.0.0.1:%u\n"
              "  lamp: udp://127.0.0.1:%u\n"
              "  desk: {accept: true}\n"
              "routes:\n"
              "  prices: {match: {type: com.example.price.*, messagetype: query}, to: pricing}\n"
              "  alarms: {match: {type: com.example.alarm.*}, to: lamp}\n"
              "admin: {url: http://127.0.0.1:0}\n"
              "drain: {grace: 3s}\n",
              pricing, lamp);
}

static void event_crosses_from_http_to_udp(void **state) {
    struct rig rig = {0};
    uint16_t lamp_port;
    char answer[4096], datagram[2048];
    (void)state;
    int lamp = rig_receive(&lamp_port);
    quickstart(&rig, 2, 1, lamp_port);
    rig_post(runtime_port(rig.runtime, SLICE_OF("web")), EVENT "ce-type: com.example.alarm.raised\r\n",
             "{\"door\":7}", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 202"));
    assert_non_null(strstr(answer, "Intertie-Id: "));
    ssize_t size = recv(lamp, datagram, sizeof datagram - 1, 0);
    assert_true(size > 0);
    datagram[size] = '\0';
    assert_non_null(strstr(datagram, "\"type\":\"com.example.alarm.raised\""));
    assert_non_null(strstr(datagram, "{\"door\":7}"));
    close(lamp);
    assert_int_equal(rig_stop(&rig), 0);
}

/* Answers each line with a reply that names the request. */
static void *price_one(void *user) {
    int fd = accept(*(int *)user, NULL, NULL);
    char line[4096];
    if (fd < 0)
        return NULL;
    rig_read(fd, line, sizeof line, "\n");
    const char *id = strstr(line, "\"id\":\"");
    char reply[1024];
    snprintf(reply, sizeof reply,
             "{\"specversion\":\"1.0\",\"id\":\"r1\",\"source\":\"/systems/pricing\",\"type\":\"com.example.price\","
             "\"messagetype\":\"response\",\"causationid\":\"%.*s\",\"data\":{\"eur\":9.5}}\n",
             id ? (int)strcspn(id + 6, "\"") : 0, id ? id + 6 : "");
    rig_send(fd, reply);
    rig_read(fd, line, sizeof line, NULL); /* until the router ends it */
    close(fd);
    return NULL;
}

static void query_over_http_is_answered_by_a_tcp_system(void **state) {
    struct rig rig = {0};
    uint16_t port;
    char answer[4096];
    pthread_t thread;
    (void)state;
    int pricing = rig_listen(&port);
    pthread_create(&thread, NULL, price_one, &pricing);
    quickstart(&rig, 1, port, 1);
    rig_post(runtime_port(rig.runtime, SLICE_OF("web")),
             EVENT "ce-type: com.example.price.get\r\nce-messagetype: query\r\n", "{\"sku\":\"A-1\"}", answer,
             sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_non_null(strstr(answer, "{\"eur\":9.5}"));
    assert_int_equal(rig_stop(&rig), 0);
    pthread_join(thread, NULL);
    close(pricing);
}

static void message_to_nobody_is_refused_and_logged(void **state) {
    struct rig rig = {0};
    char answer[4096];
    (void)state;
    quickstart(&rig, 1, 1, 1);
    rig_post(runtime_port(rig.runtime, SLICE_OF("web")), EVENT "ce-type: com.example.other\r\n", "{}", answer,
             sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 404"));
    assert_non_null(strstr(answer, "no-route"));
    assert_true(rig_log_has(&rig, "\"msg\":\"message rejected\",\"reason\":\"no-route\""));
    assert_int_equal(rig_stop(&rig), 0);
}

static void what_nobody_takes_ends_dead_at_stop(void **state) {
    struct rig rig = {0};
    char answer[4096];
    (void)state;
    quickstart(&rig, 1, 1, 1);
    rig_post(runtime_port(rig.runtime, SLICE_OF("web")), EVENT "ce-type: x\r\nce-target: desk\r\n", "{}", answer,
             sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 202"));
    runtime_stop(rig.runtime, false);
    assert_int_equal(rig_wait(&rig), 0);
    assert_true(rig_log_has(&rig, "\"msg\":\"message dead\",\"reason\":\"shutdown\""));
    assert_true(rig_log_has(&rig, "\"msg\":\"stopped\",\"forced\":false,\"dead\":1"));
    rig_stop(&rig);
}

static void listener_in_use_is_named(void **state) {
    struct rig rig = {0};
    struct fault fault = {0};
    uint16_t port;
    (void)state;
    int taken = rig_listen(&port);
    rig_write(&rig, "listeners: {web: http://127.0.0.1:%u}\nsystems: {a: {accept: true}}\nadmin: {url: http://127.0.0.1:0}\n",
              port);
    assert_int_equal(rig_try(&rig, 2, &fault), STATUS_ADDRESS_IN_USE);
    assert_non_null(strstr(fault.text, "listeners.web"));
    close(taken);
}

/* Sockets that share a port among workers must not share it with another router of the same user. */
static void port_of_another_router_is_in_use(void **state) {
    struct rig first = {0}, second = {0};
    struct fault fault = {0};
    (void)state;
    quickstart(&first, 2, 1, 1);
    rig_write(&second, "listeners: {web: http://127.0.0.1:%u}\nsystems: {a: {accept: true}}\nadmin: {url: http://127.0.0.1:0}\n",
              runtime_port(first.runtime, SLICE_OF("web")));
    assert_int_equal(rig_try(&second, 2, &fault), STATUS_ADDRESS_IN_USE);
    rig_write(&second, "listeners: {u: udp://127.0.0.1:%u}\nsystems: {a: {accept: true}}\nadmin: {url: http://127.0.0.1:0}\n",
              runtime_port(first.runtime, SLICE_OF("ticks")));
    assert_int_equal(rig_try(&second, 2, &fault), STATUS_ADDRESS_IN_USE);
    assert_int_equal(rig_stop(&first), 0);
}

static void snapshot_and_metrics_tell_what_happened(void **state) {
    struct rig rig = {0};
    uint16_t lamp_port;
    char answer[4096], datagram[2048];
    (void)state;
    int lamp = rig_receive(&lamp_port);
    quickstart(&rig, 2, 1, lamp_port);
    rig_post(runtime_port(rig.runtime, SLICE_OF("web")), EVENT "ce-type: com.example.alarm.raised\r\n", "{}", answer,
             sizeof answer);
    assert_true(recv(lamp, datagram, sizeof datagram, 0) > 0);
    bool seen = false;
    for (int tries = 0; tries < 300 && !seen; tries++) {
        struct runtime_snapshot *snapshot = runtime_snapshot(rig.runtime);
        assert_non_null(snapshot);
        assert_int_equal(snapshot->workers, 2);
        assert_int_equal(snapshot->system_count, 3);
        assert_int_equal(snapshot->listener_count, 4);
        assert_true(slice_is(snapshot->systems[1].sum.name, "lamp"));
        seen = snapshot->systems[1].sum.endings[ENDING_DELIVERED] == 1;
        runtime_snapshot_free(snapshot);
        usleep(10000);
    }
    assert_true(seen);
    struct buffer text;
    buffer_init(&text, 1u << 20);
    assert_int_equal(runtime_metrics(rig.runtime, EXPOSITION_PROMETHEUS, &text), STATUS_OK);
    buffer_add_byte(&text, 0);
    const char *metrics = (const char *)text.data;
    assert_non_null(strstr(metrics, "intertie_messages_delivered_total{system=\"lamp\",protocol=\"datagram\",priority=\"2\"} 1"));
    assert_non_null(strstr(metrics, "intertie_delivery_duration_seconds_count{system=\"lamp\"} 1"));
    assert_non_null(strstr(metrics, "intertie_messages_received_total{protocol=\"http1\",listener=\"web\"} 1"));
    assert_non_null(strstr(metrics, "intertie_ready 1"));
    buffer_done(&text);
    close(lamp);
    assert_int_equal(rig_stop(&rig), 0);
}

static void without_an_admin_surface_its_paths_are_404(void **state) {
    struct rig rig = {0};
    char answer[4096];
    (void)state;
    quickstart(&rig, 1, 1, 1);
    int fd = rig_connect(runtime_port(rig.runtime, SLICE_OF("admin")));
    rig_send(fd, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    rig_read(fd, answer, sizeof answer, NULL);
    assert_non_null(strstr(answer, "HTTP/1.1 404"));
    close(fd);
    assert_int_equal(rig_stop(&rig), 0);
}

static void forced_stop_exits_3(void **state) {
    struct rig rig = {0};
    (void)state;
    quickstart(&rig, 1, 1, 1);
    runtime_stop(rig.runtime, true);
    assert_int_equal(rig_wait(&rig), 3);
    rig_stop(&rig);
}

static unsigned count_of(const char *text, const char *word) {
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    return count;
}

/* A session stays on its connection's worker; messages come in on all of them. */
static void session_is_reached_from_every_worker(void **state) {
    enum { MESSAGES = 60 };
    static char lines[256 << 10];
    struct rig rig = {0};
    char answer[4096];
    (void)state;
    quickstart(&rig, 4, 1, 1);
    int desk = rig_connect(runtime_port(rig.runtime, SLICE_OF("stream")));
    rig_send(desk, "{\"specversion\":\"1.0\",\"id\":\"h\",\"source\":\"/systems/desk\",\"type\":\"intertie.ctl.hello.v1\","
                   "\"data\":{\"system\":\"desk\"}}\n");
    size_t size = rig_read(desk, lines, sizeof lines, "\n");
    assert_non_null(strstr(lines, "intertie.ctl.hello.v1"));
    for (int i = 0; i < MESSAGES; i++) { /* a connection each, spread by the kernel */
        rig_post(runtime_port(rig.runtime, SLICE_OF("web")), EVENT "ce-type: x\r\nce-target: desk\r\n", "{}", answer,
                 sizeof answer);
        assert_non_null(strstr(answer, "HTTP/1.1 202"));
    }
    while (count_of(lines, "\"type\":\"x\"") < MESSAGES) {
        ssize_t count = recv(desk, lines + size, sizeof lines - 1 - size, 0);
        assert_true(count > 0);
        size += (size_t)count;
        lines[size] = '\0';
    }
    close(desk);
    assert_int_equal(rig_stop(&rig), 0);
}

struct slow {
    int listener;
    atomic_bool has_request, may_answer;
};

static void *price_later(void *user) {
    struct slow *slow = user;
    int fd = accept(slow->listener, NULL, NULL);
    char line[4096], reply[1024];
    rig_read(fd, line, sizeof line, "\n");
    atomic_store(&slow->has_request, true);
    while (!atomic_load(&slow->may_answer))
        usleep(1000);
    const char *id = strstr(line, "\"id\":\"");
    snprintf(reply, sizeof reply,
             "{\"specversion\":\"1.0\",\"id\":\"r1\",\"source\":\"/systems/pricing\",\"type\":\"p\","
             "\"messagetype\":\"response\",\"causationid\":\"%.*s\",\"data\":7}\n",
             id ? (int)strcspn(id + 6, "\"") : 0, id ? id + 6 : "");
    rig_send(fd, reply);
    rig_read(fd, line, sizeof line, NULL);
    close(fd);
    return NULL;
}

#define ASK "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n" EVENT \
    "ce-type: com.example.price.get\r\nce-messagetype: query\r\n\r\n{}"

static void wait_until(atomic_bool *flag) {
    for (int i = 0; i < 5000 && !atomic_load(flag); i++)
        usleep(1000);
    assert_true(atomic_load(flag));
}

static void drain_lets_finish_and_takes_nothing_new(void **state) {
    struct rig rig = {0};
    struct slow slow = {0};
    uint16_t port;
    char answer[4096];
    pthread_t thread;
    (void)state;
    slow.listener = rig_listen(&port);
    pthread_create(&thread, NULL, price_later, &slow);
    quickstart(&rig, 2, port, 1);
    uint16_t web = runtime_port(rig.runtime, SLICE_OF("web"));
    int fd = rig_connect(web);
    rig_send(fd, ASK);
    wait_until(&slow.has_request);
    runtime_stop(rig.runtime, false);
    int late;
    for (int i = 0; i < 500 && (late = rig_connect_or(web)) >= 0; i++) {
        close(late);
        usleep(10000);
    }
    assert_true(late < 0);
    assert_int_equal(runtime_state(rig.runtime), RUNTIME_DRAINING);
    assert_false(runtime_is_ready(rig.runtime));
    atomic_store(&slow.may_answer, true);
    rig_read(fd, answer, sizeof answer, NULL); /* the router closes after it */
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_int_equal(rig_wait(&rig), 0);
    close(fd);
    rig_stop(&rig);
    pthread_join(thread, NULL);
    close(slow.listener);
}

static void grace_over_cuts_and_exits_3(void **state) {
    struct rig rig = {0};
    struct slow slow = {0};
    uint16_t port;
    pthread_t thread;
    (void)state;
    slow.listener = rig_listen(&port);
    pthread_create(&thread, NULL, price_later, &slow);
    rig_start(&rig, 1,
              "listeners: {web: http://127.0.0.1:0}\nsystems: {pricing: tcp://127.0.0.1:%u}\n"
              "routes: {every: {match: {}, to: pricing}}\nadmin: {url: http://127.0.0.1:0}\ndrain: {grace: 100ms}\n", port);
    int fd = rig_connect(runtime_port(rig.runtime, SLICE_OF("web")));
    rig_send(fd, ASK);
    wait_until(&slow.has_request);
    runtime_stop(rig.runtime, false);
    assert_int_equal(rig_wait(&rig), 3);
    atomic_store(&slow.may_answer, true);
    rig_stop(&rig);
    close(fd);
    pthread_join(thread, NULL);
    close(slow.listener);
}

static void second_router_hears_who_is_there(void **state) {
    struct rig first = {0}, second = {0};
    struct fault fault = {0};
    char directory[] = "/tmp/intertie-run-XXXXXX", path[64], expected[64];
    (void)state;
    assert_non_null(mkdtemp(directory));
    first.has_run_dir = second.has_run_dir = true;
    rig_start(&first, 1, "run_dir: %s\nsystems: {a: {accept: true}}\nlisteners: {web: http://127.0.0.1:0}\n"
                         "admin: {url: http://127.0.0.1:0}\n", directory);
    memcpy(second.yaml, first.yaml, sizeof first.yaml);
    assert_int_equal(rig_try(&second, 1, &fault), STATUS_ADDRESS_IN_USE);
    snprintf(expected, sizeof expected, "already running, pid %ld", (long)getpid());
    assert_string_equal(fault.text, expected);
    snprintf(path, sizeof path, "%s/intertie.sock", directory);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(rig_stop(&first), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(rmdir(directory), 0); /* nothing is left */
}

/* The way of the admin surface: asked on worker 0, answered after all have published. */
struct asked {
    struct runtime *runtime;
    uint64_t connection, token;
    uint64_t seen;
};

static void answer_asked(void *user) {
    struct asked *asked = user;
    struct connection *c = runtime_connection(asked->runtime, asked->connection);
    struct runtime_snapshot *snapshot = runtime_snapshot(asked->runtime);
    assert_non_null(c);
    assert_non_null(snapshot);
    char text[64];
    snprintf(text, sizeof text, "received %llu", (unsigned long long)snapshot->totals.received);
    runtime_snapshot_free(snapshot);
    const struct runtime_answer answer = {.code = 200, .type = SLICE_OF("text/plain"), .body = slice_from(text)};
    runtime_answer(asked->runtime, c, asked->token, &answer);
}

static void admin_request(void *user, struct runtime *runtime, struct connection *connection, uint64_t token,
                          const struct protocol_request *request) {
    struct asked *asked = user;
    assert_true(slice_is(request->path, "/api/v1/status"));
    *asked = (struct asked){runtime, connection->handle, token, 0};
    runtime_refresh(runtime, answer_asked, asked);
}

static void admin_sees_what_has_just_happened(void **state) {
    struct rig rig = {0};
    struct asked asked = {0};
    char answer[4096], expected[32];
    (void)state;
    rig.admin = (struct runtime_admin){&asked, admin_request};
    quickstart(&rig, 3, 1, 1);
    for (int i = 1; i <= 5; i++) {
        rig_post(runtime_port(rig.runtime, SLICE_OF("web")), EVENT "ce-type: x\r\nce-target: desk\r\n", "{}", answer,
                 sizeof answer);
        int fd = rig_connect(runtime_port(rig.runtime, SLICE_OF("admin")));
        rig_send(fd, "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        rig_read(fd, answer, sizeof answer, NULL);
        snprintf(expected, sizeof expected, "received %d", i);
        assert_non_null(strstr(answer, expected));
        close(fd);
    }
    assert_int_equal(rig_stop(&rig), 0);
}

static void log_follows_level_and_reopening(void **state) {
    struct rig rig = {0};
    char directory[] = "/tmp/intertie-log-XXXXXX", path[64], moved[64], text[8192] = "";
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/log", directory);
    snprintf(moved, sizeof moved, "%s/old", directory);
    rig_start(&rig, 2, "log: {file: %s}\nsystems: {a: {accept: true}}\nlisteners: {web: http://127.0.0.1:0}\n"
                       "admin: {url: http://127.0.0.1:0}\n", path);
    assert_int_equal(rename(path, moved), 0);
    runtime_log_reopen(rig.runtime);
    runtime_log_level(rig.runtime, LOG_ROOM_COUNT, LOG_LEVEL_DEBUG);
    for (int i = 0; i < 500 && !strstr(text, "connection opened"); i++) {
        int fd = rig_connect(runtime_port(rig.runtime, SLICE_OF("web")));
        close(fd);
        usleep(10000);
        FILE *file = fopen(path, "re");
        size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
        text[size] = '\0';
        if (file)
            fclose(file);
    }
    assert_non_null(strstr(text, "connection opened"));
    assert_int_equal(rig_stop(&rig), 0);
    unlink(path);
    unlink(moved);
    rmdir(directory);
}

/* Whatever allocation fails while it starts, that is an answer and nothing stays behind. */
static void start_without_memory_is_refused(void **state) {
    static const char yaml[] = "listeners: {web: http://127.0.0.1:0, ticks: udp://127.0.0.1:0}\n"
                               "systems: {desk: {accept: true}, lamp: udp://127.0.0.1:9}\n"
                               "routes: {every: {match: {type: com.example.*}, to: desk}}\n"
                               "admin: {url: http://127.0.0.1:0}\n";
    (void)state;
    bool has_failed = true;
    for (int64_t n = 0; has_failed; n++) {
        struct rig rig = {0};
        struct fault fault = {0};
        int64_t before = memory_live();
        rig_write(&rig, "%s", yaml);
        memory_fail_after(n);
        enum status status = rig_try(&rig, 2, &fault);
        has_failed = memory_has_failed();
        memory_fail_after(-1);
        if (status == STATUS_OK)
            rig_stop(&rig);
        else
            assert_int_equal(memory_live(), before);
        assert_true(has_failed || status == STATUS_OK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_without_memory_is_refused),
        cmocka_unit_test(event_crosses_from_http_to_udp),
        cmocka_unit_test(query_over_http_is_answered_by_a_tcp_system),
        cmocka_unit_test(message_to_nobody_is_refused_and_logged),
        cmocka_unit_test(what_nobody_takes_ends_dead_at_stop),
        cmocka_unit_test(listener_in_use_is_named),
        cmocka_unit_test(port_of_another_router_is_in_use),
        cmocka_unit_test(snapshot_and_metrics_tell_what_happened),
        cmocka_unit_test(without_an_admin_surface_its_paths_are_404),
        cmocka_unit_test(forced_stop_exits_3),
        cmocka_unit_test(session_is_reached_from_every_worker),
        cmocka_unit_test(drain_lets_finish_and_takes_nothing_new),
        cmocka_unit_test(grace_over_cuts_and_exits_3),
        cmocka_unit_test(second_router_hears_who_is_there),
        cmocka_unit_test(admin_sees_what_has_just_happened),
        cmocka_unit_test(log_follows_level_and_reopening),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
