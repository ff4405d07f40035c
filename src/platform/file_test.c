/* Whole files: limits, replacing in one step, the pid file, and disks that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "platform/file.h"
#include "platform/sys.h"

static char directory[32], path[64];
static struct sys_table faulty;
static int write_error, fsync_error;
static int interruptions;

static ssize_t bad_write(int fd, const void *data, size_t size) {
    if (interruptions > 0) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    if (write_error && size < 3) {
        errno = write_error;
        return -1;
    }
    return write(fd, data, size < 3 ? size : 3); /* short */
}
static ssize_t bad_read(int fd, void *data, size_t size) {
    if (interruptions > 0) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    return read(fd, data, size < 7 ? size : 7);
}
static int bad_fsync(int fd) {
    errno = fsync_error;
    return fsync_error ? -1 : fsync(fd);
}

static int enter(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/intertie-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/f", directory);
    faulty = sys_real;
    faulty.write = bad_write;
    faulty.read = bad_read;
    faulty.fsync = bad_fsync;
    write_error = fsync_error = interruptions = 0;
    return 0;
}

static int count_files(void) {
    DIR *opened = opendir(directory);
    int count = -2;
    while (readdir(opened))
        count++;
    closedir(opened);
    return count;
}

static int leave(void **state) {
    (void)state;
    sys_replace(NULL);
    unlink(path);
    return rmdir(directory);
}

static void assert_holds(const char *content) {
    struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(file_read(path, 100000, &out, NULL), STATUS_OK);
    assert_true(slice_is(buffer_slice(&out), content));
    buffer_done(&out);
}

static void what_was_written_is_read(void **state) {
    (void)state;
    struct stat found;
    assert_int_equal(file_replace(path, SLICE_OF("first"), 0600, NULL), STATUS_OK);
    assert_holds("first");
    assert_int_equal(file_replace(path, SLICE_OF("second, longer"), 0644, NULL), STATUS_OK);
    assert_holds("second, longer");
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0644);
    assert_int_equal(file_replace(path, SLICE_OF(""), 0600, NULL), STATUS_OK);
    assert_holds("");
    assert_int_equal(count_files(), 1);
}

static void reading_keeps_its_limit_and_names_what_is_wrong(void **state) {
    (void)state;
    struct buffer out;
    struct fault fault;
    buffer_init(&out, 1 << 20);
    buffer_add_text(&out, "before");
    assert_int_equal(file_replace(path, SLICE_OF("0123456789"), 0600, NULL), STATUS_OK);
    assert_int_equal(file_read(path, 10, &out, &fault), STATUS_OK);
    assert_true(slice_is(buffer_slice(&out), "before0123456789"));
    assert_int_equal(file_read(path, 9, &out, &fault), STATUS_TOO_LARGE);
    assert_non_null(strstr(fault.text, "longer than 9 bytes"));
    assert_int_equal(file_read("/nowhere/at/all", 9, &out, &fault), STATUS_NOT_FOUND);
    assert_int_equal(file_read(directory, 9, &out, &fault), STATUS_IO_ERROR);
    assert_int_equal(out.size, 16);
    buffer_done(&out);
    buffer_init(&out, 100);
    assert_int_equal(file_read(path, 10, &out, &fault), STATUS_TOO_LARGE); /* the buffer's own limit */
    buffer_done(&out);
}

static void short_and_interrupted_calls_are_continued(void **state) {
    (void)state;
    sys_replace(&faulty);
    interruptions = 3;
    assert_int_equal(file_replace(path, SLICE_OF("something of some length"), 0600, NULL), STATUS_OK);
    interruptions = 3;
    assert_holds("something of some length");
}

static void a_failed_write_leaves_the_old_content_and_no_litter(void **state) {
    (void)state;
    struct fault fault;
    assert_int_equal(file_replace(path, SLICE_OF("old"), 0600, NULL), STATUS_OK);
    sys_replace(&faulty);
    write_error = ENOSPC;
    assert_int_equal(file_replace(path, SLICE_OF("12345"), 0600, &fault), STATUS_IO_ERROR);
    assert_int_equal(fault.error_number, ENOSPC);
    assert_holds("old");
    write_error = 0;
    fsync_error = EIO;
    assert_int_equal(file_replace(path, SLICE_OF("123456"), 0600, &fault), STATUS_IO_ERROR);
    assert_int_equal(fault.error_number, EIO);
    assert_holds("old");
    assert_int_equal(count_files(), 1);
}

static void readable_by_others_is_told(void **state) {
    (void)state;
    static const struct {
        mode_t mode;
        bool can;
    } rows[] = {{0600, false}, {0400, false}, {0640, true}, {0604, true}, {0622, false}};
    bool can;
    assert_int_equal(file_replace(path, SLICE_OF("x"), 0600, NULL), STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(chmod(path, rows[i].mode), 0);
        assert_int_equal(file_others_can_read(path, &can, NULL), STATUS_OK);
        assert_int_equal(can, rows[i].can);
    }
    assert_int_equal(file_others_can_read("/nowhere", &can, NULL), STATUS_NOT_FOUND);
}

static void one_process_holds_the_pid_file(void **state) {
    (void)state;
    struct fault fault;
    int first, second = -7;
    char text[32];
    snprintf(text, sizeof text, "%ld\n", (long)getpid());
    assert_int_equal(file_replace(path, SLICE_OF("999999999999 of a crashed process\n"), 0644, NULL), STATUS_OK);
    assert_int_equal(file_pid_lock(path, &first, &fault), STATUS_OK);
    assert_holds(text);
    assert_int_equal(file_pid_lock(path, &second, &fault), STATUS_ADDRESS_IN_USE);
    assert_int_equal(second, -7);
    assert_holds(text);
    file_pid_unlock(path, first);
    assert_int_equal(count_files(), 0);
    assert_int_equal(file_pid_lock(path, &second, &fault), STATUS_OK);
    file_pid_unlock(path, second);
}

int main(void) {
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
    const struct CMUnitTest tests[] = {
        FILE_TEST(what_was_written_is_read),
        FILE_TEST(reading_keeps_its_limit_and_names_what_is_wrong),
        FILE_TEST(short_and_interrupted_calls_are_continued),
        FILE_TEST(a_failed_write_leaves_the_old_content_and_no_litter),
        FILE_TEST(readable_by_others_is_told),
        FILE_TEST(one_process_holds_the_pid_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
