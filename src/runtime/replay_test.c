/* What a live router logs of its inputs replays to the same actions; what was changed, cut or limited is noticed. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "engine/record.h"
#include "platform/map_file.h"
#include "platform/sys.h"
#include "runtime/rig.h"
#include "simulation/replay.h"

#define EVENT "Content-Type: application/json\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /shop\r\n"
#define CONFIG(more)                                                                                                   \
    "listeners: {web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0, ticks: udp://127.0.0.1:0}\n"                      \
    "systems: {lamp: udp://127.0.0.1:%u, desk: {accept: true}" more "}\n"                                              \
    "routes: {alarms: {match: {type: alarm}, to: lamp}, work: {match: {type: work}, to: desk}}\n"                      \
    "admin: {url: http://127.0.0.1:0}\ndrain: {grace: 3s}\n"

static char folder[64];
static int lamp;
static uint16_t lamp_port;

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/intertie-inputs-XXXXXX");
    assert_non_null(mkdtemp(folder));
    lamp = rig_receive(&lamp_port);
    return 0;
}

/* The next log in the folder after `found` entries; its path. */
static bool nth_log(int n, char *path, size_t room) {
    DIR *dir = opendir(folder);
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && n-- == 0) {
            snprintf(path, room, "%s/%s", folder, entry->d_name);
            found = true;
        }
    closedir(dir);
    return found;
}

static int clean_up(void **state) {
    char path[512];
    (void)state;
    sys_replace(NULL);
    while (nth_log(0, path, sizeof path))
        unlink(path);
    rmdir(folder);
    close(lamp);
    return 0;
}

static void start(struct rig *rig, uint32_t workers) {
    rig->input_log = folder;
    rig->input_log_max = rig->input_log_max ? rig->input_log_max : 1u << 30;
    rig_start(rig, workers, CONFIG(""), lamp_port);
}

static void post(struct rig *rig, const char *type, const char *body) {
    char headers[512], answer[4096];
    snprintf(headers, sizeof headers, EVENT "ce-type: %s\r\n", type);
    rig_post(runtime_port(rig->runtime, SLICE_OF("web")), headers, body, answer, sizeof answer);
}

/* Some of everything: HTTP, JSON lines with a session that serves, datagrams out, refusals, admin's 404. */
static void talk(struct rig *rig, int rounds) {
    char text[65536];
    int desk = rig_connect(runtime_port(rig->runtime, SLICE_OF("stream")));
    rig_send(desk, "{\"specversion\":\"1.0\",\"id\":\"h\",\"source\":\"/desk\",\"type\":\"intertie.ctl.hello.v1\","
                   "\"data\":{\"system\":\"desk\"}}\n");
    rig_read(desk, text, sizeof text, "intertie.ctl.hello.v1");
    for (int i = 0; i < rounds; i++) {
        post(rig, "alarm", "{\"door\":7}");
        post(rig, "work", "{\"priority\":\"here\"}");
        post(rig, "nobody", "{}");
        rig_send(desk, "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/desk\",\"type\":\"alarm\",\"priority\":4}\n");
    }
    int admin = rig_connect(runtime_port(rig->runtime, SLICE_OF("admin")));
    rig_send(admin, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    rig_read(admin, text, sizeof text, NULL);
    close(admin);
    close(desk);
}

static struct replay_report replay(struct slice log) {
    struct replay_report report;
    replay_run(log, &report);
    buffer_add_byte(&report.words, 0);
    return report;
}

static void expect_all_equal(int logs, bool whole) {
    char path[512];
    struct slice log;
    uint64_t messages = 0;
    for (int i = 0; i < logs; i++) {
        assert_true(nth_log(i, path, sizeof path));
        assert_int_equal(map_file_read(path, &log, NULL), STATUS_OK);
        int64_t live = memory_live();
        struct replay_report report = replay(log);
        if (report.result != REPLAY_EQUAL)
            fail_msg("%s: %s", path, (const char *)report.words.data);
        assert_int_equal(report.is_whole, whole);
        assert_true(report.turns > 1);
        messages += report.messages;
        replay_done(&report);
        assert_int_equal(memory_live(), live);
        map_file_forget(log);
    }
    assert_false(nth_log(logs, path, sizeof path));
    assert_true(messages > 0);
}

static void talk_and_reload(uint32_t workers) {
    struct rig rig = {0};
    char text[4096];
    start(&rig, workers);
    talk(&rig, 10);
    rig_write(&rig, CONFIG(", other: {accept: true}"), lamp_port);
    assert_int_equal(rig_reload(&rig, false, text, sizeof text), STATUS_OK);
    talk(&rig, 10);
    post(&rig, "work", "{}"); /* held for nobody: ends dead at the stop */
    assert_int_equal(rig_stop(&rig), 0);
}

static void one_worker_replays_to_the_same(void **state) {
    (void)state;
    talk_and_reload(1);
    expect_all_equal(1, true);
}

static void three_workers_replay_to_the_same_each_alone(void **state) {
    (void)state;
    talk_and_reload(3);
    expect_all_equal(3, true);
}

static atomic_uint calls;

static ssize_t stutter_read(int fd, void *data, size_t size) {
    unsigned n = atomic_fetch_add(&calls, 1);
    if (n % 5 == 1) {
        errno = EAGAIN;
        return -1;
    }
    return sys_real.read(fd, data, n % 3 == 0 && size > 7 ? 7 : size);
}

static ssize_t stutter_sendmsg(int fd, const struct msghdr *message, int flags) {
    unsigned n = atomic_fetch_add(&calls, 1);
    struct iovec part = message->msg_iov[0];
    struct msghdr one = *message;
    part.iov_len = part.iov_len > 13 ? 13 : part.iov_len;
    one.msg_iov = &part;
    one.msg_iovlen = 1;
    if (n % 3 == 1) {
        errno = EAGAIN;
        return -1;
    }
    return sys_real.sendmsg(fd, &one, flags);
}

static void bad_luck_with_system_calls_replays_too(void **state) {
    struct sys_table table = sys_real;
    struct rig rig = {0};
    (void)state;
    table.read = stutter_read;
    table.sendmsg = stutter_sendmsg;
    sys_replace(&table);
    start(&rig, 2);
    talk(&rig, 3);
    assert_int_equal(rig_stop(&rig), 0);
    expect_all_equal(2, true);
}

/* A copy of the first log, in memory. */
static uint8_t *take_log(size_t *ret_size) {
    char path[512];
    struct slice log;
    assert_true(nth_log(0, path, sizeof path));
    assert_int_equal(map_file_read(path, &log, NULL), STATUS_OK);
    uint8_t *copy = memory_alloc(log.size);
    memcpy(copy, log.data, log.size);
    *ret_size = log.size;
    map_file_forget(log);
    return copy;
}

static void changed_byte_and_changed_action_are_found(void **state) {
    struct rig rig = {0};
    struct record_reader reader;
    static struct record record;
    size_t size;
    (void)state;
    start(&rig, 1);
    talk(&rig, 5);
    assert_int_equal(rig_stop(&rig), 0);
    uint8_t *log = take_log(&size);
    for (size_t at = RECORD_MAGIC_SIZE; at < size; at += size / 60 + 1) {
        log[at] ^= 0x20;
        struct replay_report report = replay(slice_make(log, size));
        assert_true(report.result != REPLAY_EQUAL || !report.is_whole);
        replay_done(&report);
        log[at] ^= 0x20;
    }
    /* The last turn's outcome says something else, with a good checksum. */
    uint64_t turn_at = 0;
    assert_true(record_open(&reader, slice_make(log, size)));
    for (uint64_t at = reader.at; record_next(&reader, &record) == RECORD_READ; at = reader.at)
        if (record.kind == RECORD_TURN)
            turn_at = at;
    struct buffer forged;
    buffer_init(&forged, 1 << 20);
    assert_true(record_open(&reader, slice_make(log, size)));
    reader.at = turn_at;
    assert_int_equal(record_next(&reader, &record), RECORD_READ);
    uint8_t outcome[256];
    struct slice told = record.turn.outcome;
    assert_true(told.size < sizeof outcome);
    memcpy(outcome, told.data, told.size);
    outcome[0] ^= 1; /* the number of endings */
    record_turn(&forged, record.turn.hash, slice_make(outcome, told.size));
    memcpy(log + turn_at, forged.data, forged.size);
    struct replay_report report = replay(slice_make(log, size));
    assert_int_equal(report.result, REPLAY_DIFFERS);
    assert_non_null(strstr((const char *)report.words.data, "the actions differ"));
    assert_non_null(strstr((const char *)report.words.data, "recorded:\n  told of"));
    assert_non_null(strstr((const char *)report.words.data, "replayed:\n  told of"));
    replay_done(&report);
    /* And a running hash that does not fit. */
    buffer_clear(&forged);
    record_turn(&forged, record.turn.hash ^ 1, told);
    memcpy(log + turn_at, forged.data, forged.size);
    report = replay(slice_make(log, size));
    assert_int_equal(report.result, REPLAY_DIFFERS);
    replay_done(&report);
    buffer_done(&forged);
    memory_free(log);
}

static void cut_log_replays_to_its_end(void **state) {
    struct rig rig = {0};
    size_t size;
    (void)state;
    start(&rig, 1);
    talk(&rig, 3);
    assert_int_equal(rig_stop(&rig), 0);
    uint8_t *log = take_log(&size);
    for (size_t end = size / 10; end < size; end += size / 40 + 1) {
        struct replay_report report = replay(slice_make(log, end));
        if (report.result != REPLAY_EQUAL)
            fail_msg("at %zu: %s", end, (const char *)report.words.data);
        assert_false(report.is_whole);
        replay_done(&report);
    }
    memory_free(log);
}

static void limit_ends_the_log_and_nothing_else(void **state) {
    struct rig rig = {.input_log_max = 20000};
    char path[512], answer[4096];
    struct stat found;
    (void)state;
    start(&rig, 1);
    talk(&rig, 20);
    assert_true(rig_log_has(&rig, "input log ended"));
    rig_post(runtime_port(rig.runtime, SLICE_OF("web")), EVENT "ce-type: alarm\r\n", "{}", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 202"));
    assert_int_equal(rig_stop(&rig), 0);
    assert_true(nth_log(0, path, sizeof path));
    assert_int_equal(stat(path, &found), 0);
    assert_true(found.st_size > 10000 && found.st_size < 21000);
    assert_int_equal(found.st_mode & 0777, 0600);
    expect_all_equal(1, false);
}

static int full(int fd, off_t from, off_t size) {
    return from > 0 ? ENOSPC : sys_real.fallocate(fd, from, size);
}

static void full_disk_ends_the_log_and_nothing_else(void **state) {
    struct sys_table table = sys_real;
    struct rig rig = {0};
    char answer[4096];
    static char body[200000];
    (void)state;
    table.fallocate = full;
    sys_replace(&table);
    start(&rig, 1);
    talk(&rig, 3);
    memset(body, ' ', sizeof body - 1);
    memcpy(body, "{}", 2);
    for (int i = 0; i < 30; i++)
        post(&rig, "work", body);
    assert_true(rig_log_has(&rig, "input log ended"));
    assert_true(rig_log_has(&rig, "No space left on device"));
    rig_post(runtime_port(rig.runtime, SLICE_OF("web")), EVENT "ce-type: alarm\r\n", "{}", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 202"));
    assert_int_equal(rig_stop(&rig), 0);
    expect_all_equal(1, false);
}

static void folder_that_is_not_there_is_named(void **state) {
    struct rig rig = {.input_log = "/nonexistent/folder"};
    struct fault fault = {0};
    (void)state;
    rig_write(&rig, CONFIG(""), lamp_port);
    assert_int_equal(rig_try(&rig, 2, &fault), STATUS_NOT_FOUND);
    assert_non_null(strstr(fault.text, "cannot make /nonexistent/folder/"));
}

static void other_files_are_foreign(void **state) {
    static const char *const texts[] = {"", "itinput", "itinput\n", "GET / HTTP/1.1\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct replay_report report = replay(slice_from(texts[i]));
        assert_int_equal(report.result, REPLAY_FOREIGN);
        replay_done(&report);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_worker_replays_to_the_same, set_up, clean_up),
        cmocka_unit_test_setup_teardown(three_workers_replay_to_the_same_each_alone, set_up, clean_up),
        cmocka_unit_test_setup_teardown(bad_luck_with_system_calls_replays_too, set_up, clean_up),
        cmocka_unit_test_setup_teardown(changed_byte_and_changed_action_are_found, set_up, clean_up),
        cmocka_unit_test_setup_teardown(cut_log_replays_to_its_end, set_up, clean_up),
        cmocka_unit_test_setup_teardown(limit_ends_the_log_and_nothing_else, set_up, clean_up),
        cmocka_unit_test_setup_teardown(full_disk_ends_the_log_and_nothing_else, set_up, clean_up),
        cmocka_unit_test_setup_teardown(folder_that_is_not_there_is_named, set_up, clean_up),
        cmocka_unit_test(other_files_are_foreign),
    };
    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
