/* A file that is written as memory holds what was written, also when nobody closed it; a full disk is an answer. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/map_file.h"
#include "platform/sys.h"

static char folder[64], path[128];

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/intertie-map-XXXXXX");
    snprintf(path, sizeof path, "%s/file", mkdtemp(folder));
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    unlink(path);
    rmdir(folder);
    sys_replace(NULL);
    return 0;
}

static void put(struct map_file *file, uint8_t byte, size_t count) {
    struct fault fault;
    uint8_t *at = map_file_reserve(file, count, &fault);
    assert_non_null(at);
    memset(at, byte, count);
    map_file_added(file, count);
}

static void what_was_added_is_read_back_over_many_windows(void **state) {
    struct map_file file;
    struct slice content;
    struct stat found;
    (void)state;
    assert_int_equal(map_file_create(&file, path, NULL), STATUS_OK);
    for (int i = 0; i < 40; i++)
        put(&file, (uint8_t)i, 300001);
    put(&file, 99, 3 * MAP_FILE_STEP);
    map_file_close(&file);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(map_file_read(path, &content, NULL), STATUS_OK);
    assert_int_equal(content.size, 40 * 300001 + 3 * MAP_FILE_STEP);
    for (size_t i = 0; i < content.size; i++)
        if (content.data[i] != (i / 300001 < 40 ? i / 300001 : 99))
            fail_msg("at %zu", i);
    map_file_forget(content);
}

static void what_a_killed_process_wrote_is_there(void **state) {
    struct slice content;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct map_file file;
        if (map_file_create(&file, path, NULL) == STATUS_OK)
            put(&file, 'x', 1000);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
    assert_int_equal(map_file_read(path, &content, NULL), STATUS_OK);
    assert_int_equal(content.size, MAP_FILE_STEP);
    assert_int_equal(content.data[999], 'x');
    assert_int_equal(content.data[1000], 0);
    map_file_forget(content);
}

static void existing_and_missing_files_are_refused(void **state) {
    struct map_file file;
    struct slice content;
    struct fault fault;
    (void)state;
    assert_int_equal(map_file_read(path, &content, &fault), STATUS_NOT_FOUND);
    assert_int_equal(map_file_read(folder, &content, &fault), STATUS_IO_ERROR);
    assert_int_equal(map_file_create(&file, path, NULL), STATUS_OK);
    map_file_close(&file);
    assert_int_equal(map_file_read(path, &content, NULL), STATUS_OK);
    assert_int_equal(content.size, 0);
    assert_int_equal(map_file_create(&file, path, &fault), STATUS_IO_ERROR);
    assert_int_equal(fault.error_number, EEXIST);
    map_file_close(&file);
}

static int full(int fd, off_t from, off_t size) {
    (void)fd;
    (void)size;
    return from > 0 ? ENOSPC : posix_fallocate(fd, from, size);
}

static void full_disk_is_told_and_what_is_there_stays(void **state) {
    struct sys_table table = sys_real;
    struct map_file file;
    struct slice content;
    struct fault fault;
    (void)state;
    table.fallocate = full;
    sys_replace(&table);
    assert_int_equal(map_file_create(&file, path, NULL), STATUS_OK);
    put(&file, 'x', 70000);
    assert_null(map_file_reserve(&file, MAP_FILE_STEP, &fault));
    assert_int_equal(fault.error_number, ENOSPC);
    put(&file, 'y', 1000);
    map_file_close(&file);
    assert_int_equal(map_file_read(path, &content, NULL), STATUS_OK);
    assert_int_equal(content.size, 71000);
    map_file_forget(content);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_added_is_read_back_over_many_windows, set_up, clean_up),
        cmocka_unit_test_setup_teardown(what_a_killed_process_wrote_is_there, set_up, clean_up),
        cmocka_unit_test_setup_teardown(existing_and_missing_files_are_refused, set_up, clean_up),
        cmocka_unit_test_setup_teardown(full_disk_is_told_and_what_is_there_stays, set_up, clean_up),
    };
    return cmocka_run_group_tests_name("map_file", tests, NULL, NULL);
}
