/* The whole of a terminal for a while. */
#include "platform/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "platform/clock.h"

#define FRAME_MAX (16u << 20)
#define ESCAPE_NS (50 * NS_PER_MS) /* what belongs to one key follows at once */

/* A screen of its own without a cursor; the old one, with it. */
static const char enter[] = "\x1b[?1049h\x1b[?25l\x1b[H";
static const char leave[] = "\x1b[0m\x1b[?25h\x1b[?1049l";

/* Those that end a program, and those that stop it. */
static const int endings[] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT, SIGPIPE,
                              SIGABRT, SIGSEGV, SIGBUS, SIGFPE,  SIGILL};

static struct termios before;
static struct sigaction olds[sizeof endings / sizeof endings[0]];
static volatile sig_atomic_t is_open, is_resized;

/* In handlers too: only calls that may be made there. What can't be written can't be helped. */
static void put(const char *text, size_t size) {
    while (size) {
        ssize_t done = write(STDOUT_FILENO, text, size);
        if (done < 0 && errno != EINTR)
            return;
        size_t gone = done > 0 ? (size_t)done : 0;
        text += gone;
        size -= gone;
    }
}

static void take(void) {
    struct termios now = before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &now);
    put(enter, sizeof enter - 1);
    is_open = 1;
}

void terminal_close(void) {
    if (!is_open)
        return;
    is_open = 0;
    put(leave, sizeof leave - 1);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* The terminal first, then what the signal does without us. */
static void on_ending(int number) {
    int saved = errno;
    terminal_close();
    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (endings[i] == number)
            sigaction(number, &olds[i], NULL);
    raise(number); /* comes when this handler has returned */
    errno = saved;
}

static void on_stop(int number) {
    int saved = errno;
    (void)number;
    terminal_close();
    raise(SIGSTOP);
    take(); /* it goes on */
    is_resized = 1;
    errno = saved;
}

static void on_resize(int number) {
    (void)number;
    is_resized = 1;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_ending};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        sigaction(endings[i], NULL, &olds[i]);
        if (olds[i].sa_handler != SIG_IGN)
            sigaction(endings[i], &action, NULL);
    }
    action.sa_handler = on_stop;
    sigaction(SIGTSTP, &action, NULL);
    action.sa_handler = on_resize;
    sigaction(SIGWINCH, &action, NULL);
}

enum status terminal_open(struct fault *fault) {
    const char *kind = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return fault_set(fault, STATUS_REFUSED, 0, "this is no terminal");
    if (!kind || !kind[0] || strcmp(kind, "dumb") == 0)
        return fault_set(fault, STATUS_REFUSED, 0, "this terminal can't move its cursor (TERM=%s)",
                         kind ? kind : "");
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return fault_set(fault, STATUS_REFUSED, errno, "this terminal can't be set");
    catch_signals();
    atexit(terminal_close);
    take();
    return STATUS_OK;
}

void terminal_size(size_t *ret_columns, size_t *ret_rows) {
    struct winsize size = {0};
    bool is_told = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *ret_columns = is_told && size.ws_col ? size.ws_col : 80;
    *ret_rows = is_told && size.ws_row ? size.ws_row : 24;
}

bool terminal_show(struct slice lines) {
    struct buffer frame;
    buffer_init(&frame, FRAME_MAX);
    buffer_add_text(&frame, "\x1b[H");
    while (lines.size) {
        size_t size = slice_find(lines, '\n');
        buffer_add(&frame, slice_head(lines, size));
        buffer_add_text(&frame, "\x1b[0m\x1b[K");
        lines = slice_skip(lines, size + 1);
        if (lines.size)
            buffer_add_text(&frame, "\r\n"); /* none after the last: a full screen would move up */
    }
    buffer_add_text(&frame, "\x1b[J");
    errno = 0;
    if (frame.status == STATUS_OK)
        put((const char *)frame.data, frame.size);
    buffer_done(&frame);
    return errno == 0 || errno == EINTR;
}

/* 1: a byte, 0: none in time, -1: interrupted, -2: the terminal is gone. */
static int read_byte(struct mono until, unsigned char *ret) {
    int64_t left = until.ns - platform_now().mono.ns;
    struct timespec time = {0};
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    if (left > 0)
        time = (struct timespec){.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
    int ready = ppoll(&fd, 1, &time, NULL);
    if (ready <= 0)
        return ready == 0 ? 0 : errno == EINTR ? -1 : -2;
    ssize_t size = read(STDIN_FILENO, ret, 1);
    return size == 1 ? 1 : size < 0 && errno == EINTR ? -1 : -2;
}

/* ESC [ A, ESC O B: what an arrow sends. */
static int rest_of_escape(void) {
    struct mono until = mono_after(platform_now().mono, ESCAPE_NS);
    unsigned char byte = 0;
    if (read_byte(until, &byte) != 1 || (byte != '[' && byte != 'O'))
        return TERMINAL_KEY_OTHER;
    while (read_byte(until, &byte) == 1)
        if (byte >= 0x40)
            return byte == 'A' ? TERMINAL_KEY_UP : byte == 'B' ? TERMINAL_KEY_DOWN : TERMINAL_KEY_OTHER;
    return TERMINAL_KEY_OTHER;
}

enum terminal_event terminal_wait(struct mono until, int *ret_key) {
    unsigned char byte = 0;
    for (;;) {
        if (is_resized) {
            is_resized = 0;
            return TERMINAL_RESIZED;
        }
        int got = read_byte(until, &byte);
        if (got == 0)
            return TERMINAL_TIME;
        if (got == -2)
            return TERMINAL_GONE;
        if (got == 1) {
            *ret_key = byte == 0x1b ? rest_of_escape() : byte;
            return TERMINAL_KEY;
        }
    }
}
