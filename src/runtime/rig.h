/* A router in this process, and plain blocking sockets to talk to it: for live tests. */
#ifndef RUNTIME_RIG_H
#define RUNTIME_RIG_H

#include <pthread.h>

#include "runtime/runtime.h"

struct rig {
    char yaml[8192]; /* read at start and at each reload */
    struct config_source source;
    struct config_options options;
    struct runtime *runtime;
    struct runtime_admin admin;
    pthread_t thread;
    int exit_code;
    bool is_running;
    bool has_run_dir; /* with pid file and socket; else without */
    int log_fd; /* a file that was unlinked */
    const char *input_log; /* a folder, or NULL */
    uint64_t input_log_max;
};

/* Starts with what `format` says; `workers` 1..; the control thread runs in the background. Fails the test otherwise. */
void rig_start(struct rig *rig, uint32_t workers, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, but returns the status. */
enum status rig_try(struct rig *rig, uint32_t workers, struct fault *fault);
void rig_write(struct rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Waits for the end; returns the exit code. */
int rig_wait(struct rig *rig);
/* Stops, waits, frees. */
int rig_stop(struct rig *rig);
/* Reloads and waits for the answer. Its text goes to `out`. */
enum status rig_reload(struct rig *rig, bool dry_run, char *out, size_t room);
/* All that was logged so far. */
size_t rig_log(struct rig *rig, char *out, size_t room);
/* Waits until the log has these words (5 s). */
bool rig_log_has(struct rig *rig, const char *words);

int rig_listen(uint16_t *ret_port);  /* TCP on loopback */
int rig_receive(uint16_t *ret_port); /* UDP on loopback */
int rig_connect(uint16_t port);      /* fails the test */
int rig_connect_or(uint16_t port);   /* -1 when refused */
void rig_send(int fd, const char *text);
/* Reads until `until` was seen, or the end (5 s each read); the text is NUL-terminated. */
size_t rig_read(int fd, char *out, size_t room, const char *until);
/* POST of an event in binary mode; the answer is read whole. */
void rig_post(uint16_t port, const char *headers, const char *body, char *out, size_t room);

#endif
