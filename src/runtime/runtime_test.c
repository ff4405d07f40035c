/* The running router with real sockets: messages across protocols, reload, drain, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/rig.h"

#define EVENT "Content-Type: application/json\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /shop\r\n"

static void quickstart(struct rig *rig, uint32_t workers, uint16_t pricing, uint16_t lamp) {
    rig_start(rig, workers,
              "listeners:\n"
              "  web: http://127.0.0.1:0\n"
              "  stream: tcp://127.0.0.1:0\n"
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

static void reload_keeps_connections_and_moves_listeners(void **state) {
    static const char common[] = "systems: {desk: {accept: true}}\nadmin: {url: http://127.0.0.1:0}\nworkers: 2\n";
    struct rig rig = {0};
    char text[4096], answer[4096];
    (void)state;
    rig_start(&rig, 2, "listeners: {web: http://127.0.0.1:0, old: http://127.0.0.1:0}\n%s", common);
    uint16_t web = runtime_port(rig.runtime, SLICE_OF("web")), old = runtime_port(rig.runtime, SLICE_OF("old"));
    int kept = rig_connect(web), orphan = rig_connect(old);
    rig_send(kept, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Le");

    rig_write(&rig, "listeners: {web: http://127.0.0.1:0, old: nonsense}\n%s", common);
    assert_int_equal(rig_reload(&rig, false, text, sizeof text), STATUS_BAD_CONFIG);
    assert_non_null(strstr(text, "rig.yaml:1:"));
    assert_int_equal(runtime_port(rig.runtime, SLICE_OF("old")), old);

    rig_write(&rig, "listeners: {web: http://127.0.0.1:0, new: http://127.0.0.1:0}\n%s", common);
    assert_int_equal(rig_reload(&rig, true, text, sizeof text), STATUS_OK);
    assert_non_null(strstr(text, "+ listeners.new"));
    assert_int_equal(runtime_port(rig.runtime, SLICE_OF("new")), 0);
    assert_int_equal(rig_reload(&rig, false, text, sizeof text), STATUS_OK);
    assert_non_null(strstr(text, "- listeners.old"));
    assert_int_equal(runtime_port(rig.runtime, SLICE_OF("web")), web);
    assert_true(runtime_port(rig.runtime, SLICE_OF("new")) != 0);

    rig_send(kept, "ngth: 2\r\nContent-Type: application/json\r\nce-id: 1\r\nce-source: /a\r\nce-type: b\r\n"
                   "ce-specversion: 1.0\r\nce-target: desk\r\nConnection: close\r\n\r\n{}");
    rig_read(kept, answer, sizeof answer, NULL);
    assert_non_null(strstr(answer, "HTTP/1.1 202"));
    for (int tries = 0, fd; tries < 200 && (fd = rig_connect_or(old)) >= 0; tries++) { /* workers switch in their turn */
        close(fd);
        usleep(10000);
        assert_true(tries < 199);
    }
    close(kept);
    close(orphan);
    assert_int_equal(rig_stop(&rig), 0);
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
        assert_int_equal(snapshot->listener_count, 3);
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
    assert_non_null(strstr(metrics, "intertie_ready 1"));
    buffer_done(&text);
    close(lamp);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_crosses_from_http_to_udp),
        cmocka_unit_test(query_over_http_is_answered_by_a_tcp_system),
        cmocka_unit_test(message_to_nobody_is_refused_and_logged),
        cmocka_unit_test(what_nobody_takes_ends_dead_at_stop),
        cmocka_unit_test(listener_in_use_is_named),
        cmocka_unit_test(reload_keeps_connections_and_moves_listeners),
        cmocka_unit_test(snapshot_and_metrics_tell_what_happened),
        cmocka_unit_test(forced_stop_exits_3),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
