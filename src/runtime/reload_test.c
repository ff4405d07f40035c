/* Reload on a live router: what stays, what moves, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "runtime/rig.h"

#define EVENT "Content-Type: application/json\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /shop\r\n"

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

static void reload_onto_a_taken_port_changes_nothing(void **state) {
    static const char common[] = "systems: {desk: {accept: true}}\nadmin: {url: http://127.0.0.1:0}\n";
    struct rig rig = {0};
    char text[4096];
    uint16_t port;
    (void)state;
    int taken = rig_listen(&port);
    rig_start(&rig, 2, "listeners: {web: http://127.0.0.1:0}\n%s", common);
    uint16_t web = runtime_port(rig.runtime, SLICE_OF("web"));
    rig_write(&rig, "listeners: {other: http://127.0.0.1:0, new: http://127.0.0.1:%u}\n%s", port, common);
    assert_int_equal(rig_reload(&rig, false, text, sizeof text), STATUS_ADDRESS_IN_USE);
    assert_non_null(strstr(text, "listeners.new"));
    assert_int_equal(runtime_port(rig.runtime, SLICE_OF("web")), web);
    assert_int_equal(runtime_port(rig.runtime, SLICE_OF("other")), 0);
    close(rig_connect(web));
    close(taken);
    assert_int_equal(rig_stop(&rig), 0);
}

struct traffic {
    struct rig *rig;
    uint16_t port;
    atomic_bool is_over;
    unsigned accepted, others;
};

static void *post_on(void *user) {
    struct traffic *traffic = user;
    char answer[4096];
    while (!atomic_load(&traffic->is_over)) {
        rig_post(traffic->port, EVENT "ce-type: x\r\nce-target: desk\r\n", "{}", answer, sizeof answer);
        if (strstr(answer, "HTTP/1.1 202"))
            traffic->accepted++;
        else
            traffic->others++;
    }
    return NULL;
}

/* Listeners, systems and routes come and go under traffic; nobody notices who didn't use them. */
static void reloads_under_traffic_lose_nothing(void **state) {
    static const char *const variants[] = {
        "listeners: {web: http://127.0.0.1:0}\nsystems: {desk: {accept: true, offline: hold}, a: {accept: true}}\n",
        "listeners: {u: udp://127.0.0.1:0, web: http://127.0.0.1:0, x: tcp://127.0.0.1:0}\n"
        "systems: {b: udp://127.0.0.1:9, desk: {accept: true}}\nroutes: {r: {match: {type: y}, to: b}}\n",
        "listeners: {web: http://127.0.0.1:0, u: {url: udp://127.0.0.1:0, allow: 10.0.0.0/8}}\n"
        "systems: {desk: {accept: true}}\nroutes: {q: {match: {type: z}, to: desk}}\n",
    };
    static const char admin[] = "admin: {url: http://127.0.0.1:0}\nlog: {level: error}\n";
    struct rig rig = {0};
    char text[4096];
    pthread_t thread;
    (void)state;
    rig_start(&rig, 3, "%s%s", variants[0], admin);
    struct traffic traffic = {.rig = &rig, .port = runtime_port(rig.runtime, SLICE_OF("web"))};
    pthread_create(&thread, NULL, post_on, &traffic);
    for (unsigned i = 1; i <= 15; i++) {
        rig_write(&rig, "%s%s", variants[i % COUNT_OF(variants)], admin);
        enum status status = rig_reload(&rig, false, text, sizeof text);
        for (int tries = 0; status == STATUS_OVERLOADED && tries < 100; tries++) { /* old ones go with their connections */
            usleep(50000);
            status = rig_reload(&rig, false, text, sizeof text);
        }
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(runtime_port(rig.runtime, SLICE_OF("web")), traffic.port);
    }
    atomic_store(&traffic.is_over, true);
    pthread_join(thread, NULL);
    assert_true(traffic.accepted > 0);
    assert_int_equal(traffic.others, 0);
    uint64_t held = 0; /* nobody took them, none is lost */
    for (int tries = 0; tries < 300 && held != traffic.accepted; tries++) {
        struct runtime_snapshot *snapshot = runtime_snapshot(rig.runtime);
        held = snapshot->totals.held;
        runtime_snapshot_free(snapshot);
        usleep(10000);
    }
    assert_int_equal(held, traffic.accepted);
    assert_int_equal(rig_stop(&rig), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reload_keeps_connections_and_moves_listeners),
        cmocka_unit_test(reload_onto_a_taken_port_changes_nothing),
        cmocka_unit_test(reloads_under_traffic_lose_nothing),
    };
    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
