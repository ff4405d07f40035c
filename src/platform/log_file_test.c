/* Log files: turning over, reopening, full disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "platform/file.h"
#include "platform/log_file.h"
#include "platform/sys.h"

static char directory[32], path[64];
static struct sys_table faulty;
static size_t disk_free = SIZE_MAX;
static bool opens_fail;

static ssize_t full_write(int fd, const void *data, size_t size) {
    if (disk_free == 0) {
        errno = ENOSPC;
        return -1;
    }
    size = size < disk_free ? size : disk_free;
    disk_free -= size;
    return write(fd, data, size);
}
static int maybe_open(const char *name, int flags, mode_t mode) {
    if (opens_fail) {
        errno = EMFILE;
        return -1;
    }
    return sys_real.open(name, flags, mode);
}

static int enter(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/intertie-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/log", directory);
    faulty = sys_real;
    faulty.write = full_write;
    faulty.open = maybe_open;
    disk_free = SIZE_MAX;
    opens_fail = false;
    sys_replace(&faulty);
    return 0;
}

static void name_of(char out[static 80], unsigned number) {
    snprintf(out, 80, number ? "%s.%u" : "%s", path, number);
}

static int leave(void **state) {
    (void)state;
    sys_replace(NULL);
    for (unsigned i = 0; i < 6; i++) {
        char name[80];
        name_of(name, i);
        unlink(name);
    }
    return rmdir(directory);
}

/* NULL: there is no such file. */
static void assert_file(unsigned number, const char *content) {
    char name[80];
    struct buffer out;
    name_of(name, number);
    buffer_init(&out, 1 << 20);
    enum status status = file_read(name, 100000, &out, NULL);
    assert_int_equal(status, content ? STATUS_OK : STATUS_NOT_FOUND);
    if (content)
        assert_true(slice_is(buffer_slice(&out), content));
    buffer_done(&out);
}

static void full_files_are_turned_over_and_some_kept(void **state) {
    (void)state;
    struct log_file file;
    assert_int_equal(log_file_open(&file, path, 12, 2, NULL), STATUS_OK);
    static const char *const lines[] = {"line1\n", "line2\n", "line3\n", "a line that is longer\n", "line5\n", "line6\n",
                                        "line7\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_true(log_file_write(&file, slice_from(lines[i]), 1));
    assert_file(0, "line7\n");
    assert_file(1, "line5\nline6\n");
    assert_file(2, "a line that is longer\n"); /* a line is never split */
    assert_file(3, NULL);
    assert_int_equal(file.lines, 7);
    assert_int_equal(file.lines_lost, 0);
    log_file_close(&file);
    assert_int_equal(log_file_open(&file, path, 12, 0, NULL), STATUS_OK); /* goes on with the size that is there */
    assert_true(log_file_write(&file, SLICE_OF("line8\n"), 1));
    assert_true(log_file_write(&file, SLICE_OF("line9\n"), 1));
    assert_file(0, "line9\n");
    assert_file(1, "line5\nline6\n");
    log_file_close(&file);
}

static void a_moved_file_is_reopened(void **state) {
    (void)state;
    struct log_file file;
    char moved[80];
    name_of(moved, 5);
    assert_int_equal(log_file_open(&file, path, 0, 7, NULL), STATUS_OK);
    assert_true(log_file_write(&file, SLICE_OF("one\n"), 1));
    assert_int_equal(rename(path, moved), 0);
    assert_true(log_file_write(&file, SLICE_OF("two\n"), 1));
    opens_fail = true;
    struct fault fault;
    assert_int_equal(log_file_reopen(&file, &fault), STATUS_IO_ERROR);
    assert_int_equal(fault.error_number, EMFILE);
    assert_true(log_file_write(&file, SLICE_OF("three\n"), 1)); /* to the old one */
    opens_fail = false;
    assert_int_equal(log_file_reopen(&file, NULL), STATUS_OK);
    assert_true(log_file_write(&file, SLICE_OF("four\n"), 1));
    assert_file(5, "one\ntwo\nthree\n");
    assert_file(0, "four\n");
    log_file_close(&file);
}

static void a_full_disk_costs_lines_and_nothing_else(void **state) {
    (void)state;
    struct log_file file;
    assert_int_equal(log_file_open(&file, path, 0, 7, NULL), STATUS_OK);
    assert_true(log_file_write(&file, SLICE_OF("one\n"), 1));
    disk_free = 2;
    assert_false(log_file_write(&file, SLICE_OF("two\n"), 1));
    assert_false(log_file_write(&file, SLICE_OF("three\nfour\n"), 2));
    disk_free = SIZE_MAX;
    assert_true(log_file_write(&file, SLICE_OF("five\n"), 1));
    assert_int_equal(file.lines, 2);
    assert_int_equal(file.lines_lost, 3);
    assert_file(0, "one\ntw\nfive\n"); /* the torn line ends before the next begins */
    log_file_close(&file);
}

static void what_cannot_be_opened_is_named(void **state) {
    (void)state;
    struct log_file file;
    struct fault fault;
    int64_t live = memory_live();
    assert_int_equal(log_file_open(&file, "/nowhere/log", 0, 7, &fault), STATUS_IO_ERROR);
    assert_non_null(strstr(fault.text, "/nowhere/log"));
    memory_fail_after(0);
    assert_int_equal(log_file_open(&file, path, 0, 7, &fault), STATUS_NO_MEMORY);
    memory_fail_after(-1);
    assert_int_equal(memory_live(), live);
}

static void a_descriptor_is_written_and_left_open(void **state) {
    (void)state;
    int ends[2];
    char data[8];
    struct log_file file;
    assert_int_equal(pipe(ends), 0);
    log_file_init(&file, ends[1]);
    assert_true(log_file_write(&file, SLICE_OF("one\n"), 1));
    assert_int_equal(log_file_reopen(&file, NULL), STATUS_OK);
    log_file_close(&file);
    assert_int_equal(read(ends[0], data, sizeof data), 4);
    assert_int_equal(close(ends[1]), 0);
    close(ends[0]);
}

int main(void) {
#define LOG_FILE_TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
    const struct CMUnitTest tests[] = {
        LOG_FILE_TEST(full_files_are_turned_over_and_some_kept),
        LOG_FILE_TEST(a_moved_file_is_reopened),
        LOG_FILE_TEST(a_full_disk_costs_lines_and_nothing_else),
        LOG_FILE_TEST(what_cannot_be_opened_is_named),
        LOG_FILE_TEST(a_descriptor_is_written_and_left_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
