/* A log of all that one worker gives to its engine and of what comes of it, for `intertie replay`. For finding faults: it
 * is off unless asked for, and nothing about it ever holds a message up or loses one: when the file can't grow, logging
 * ends. Records are written to mapped memory before the engine sees the input, so that the one that kills it is there. */
#include <stdio.h>
#include <unistd.h>

#include "engine/outcome.h"
#include "engine/record.h"
#include "platform/map_file.h"
#include "runtime/inner.h"

#define SCRATCH_KEPT (1u << 20)

struct input_log {
    struct worker *worker;
    struct map_file file;
    struct buffer scratch; /* the record being made */
    struct buffer turn;
    struct outcome outcome;
    uint64_t size_max;
    uint64_t hash;
    struct now now; /* as told last */
    char path[4096];
};

/* -- the file -- */

static void stop(struct worker *worker, const char *words) {
    struct input_log *log = worker->input_log;
    struct log_record record;
    log_record_init(&record, LOG_LEVEL_ERROR, LOG_ROOM_RUNTIME, log->now.wall, "input log ended");
    log_add_text(&record, "file", slice_from(log->path));
    log_add_text(&record, "detail", slice_from(words));
    log_add_u64(&record, "bytes", log->file.size);
    pen_write(&worker->pen, &record);
    input_log_free(worker);
}

/* The size of a record is written last: what a crash leaves half written counts as never begun. */
static bool append(struct input_log *log, struct fault *fault) {
    struct slice record = buffer_slice(&log->scratch);
    uint8_t *at = map_file_reserve(&log->file, record.size, fault);
    if (!at)
        return false;
    memcpy(at + 4, record.data + 4, record.size - 4);
    atomic_signal_fence(memory_order_release);
    memcpy(at, record.data, 4);
    map_file_added(&log->file, record.size);
    buffer_clear(&log->scratch);
    if (log->scratch.capacity > SCRATCH_KEPT)
        buffer_done(&log->scratch);
    return true;
}

/* Writes the record that is in `scratch`. Afterwards there may be no log any more. */
static void write_record(struct worker *worker) {
    struct input_log *log = worker->input_log;
    struct fault fault = {0};
    if (log->scratch.status != STATUS_OK) {
        stop(worker, status_row(log->scratch.status)->title);
        return;
    }
    if (log->file.size + log->scratch.size > log->size_max) {
        static const char words[] = "its limit is reached (INTERTIE_INPUT_LOG_LIMIT)";
        buffer_clear(&log->scratch);
        record_stopped(&log->scratch, slice_from(words));
        append(log, &fault);
        stop(worker, words);
        return;
    }
    if (!append(log, &fault))
        stop(worker, fault.text);
}

static bool write_magic(struct input_log *log, struct fault *fault) {
    uint8_t *at = map_file_reserve(&log->file, RECORD_MAGIC_SIZE, fault);
    if (!at)
        return false;
    memcpy(at, RECORD_MAGIC, RECORD_MAGIC_SIZE);
    map_file_added(&log->file, RECORD_MAGIC_SIZE);
    return true;
}

enum status input_log_new(struct worker *worker, const struct engine_options *options, struct fault *fault) {
    const struct runtime *runtime = worker->runtime;
    if (runtime->options.input_log.size == 0)
        return STATUS_OK;
    struct input_log *log = memory_new(sizeof *log);
    if (!log)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for the input log");
    buffer_init(&log->scratch, RECORD_SIZE_MAX);
    buffer_init(&log->turn, RECORD_SIZE_MAX);
    log->worker = worker;
    log->size_max = runtime->options.input_log_max;
    int size = snprintf(log->path, sizeof log->path, "%.*s/%.*s-%lld-%lld-worker-%u.inputs",
                        SLICE_ARG(runtime->options.input_log), SLICE_ARG(runtime->generation->config->name),
                        (long long)(runtime->started.wall.ns / NS_PER_S), (long long)getpid(), worker->index);
    enum status status = STATUS_OK;
    if (size < 0 || (size_t)size >= sizeof log->path)
        status = fault_set(fault, STATUS_IO_ERROR, 0, "the input log's path is too long");
    if (status == STATUS_OK)
        status = map_file_create(&log->file, log->path, fault);
    else
        log->file.fd = -1;
    if (status == STATUS_OK && !write_magic(log, fault))
        status = STATUS_IO_ERROR;
    worker->input_log = log;
    if (status != STATUS_OK) {
        input_log_free(worker);
        return status;
    }
    record_header(&log->scratch, &(struct record_header){
                                     .program = SLICE_OF(INTERTIE_VERSION), .worker = options->worker,
                                     .workers = options->workers, .seed = options->seed, .secret = options->secret,
                                     .connections_max = options->connections_max, .cut_through = options->cut_through,
                                     .memo = options->memo, .has_admin = runtime->options.admin != NULL});
    write_record(worker);
    return STATUS_OK;
}

void input_log_free(struct worker *worker) {
    struct input_log *log = worker->input_log;
    if (!log)
        return;
    map_file_close(&log->file);
    buffer_done(&log->scratch);
    buffer_done(&log->turn);
    memory_free(log);
    worker->input_log = NULL;
}

/* -- records -- */

/* False when the log ended with this. */
static bool tell_now(struct worker *worker) {
    struct input_log *log = worker->input_log;
    struct now now = worker_now(worker);
    if (now.mono.ns == log->now.mono.ns && now.wall.ns == log->now.wall.ns)
        return true;
    log->now = now;
    record_now(&log->scratch, now);
    write_record(worker);
    return worker->input_log != NULL;
}

void input_log_input(struct worker *worker, const struct engine_input *input) {
    if (input->kind == INPUT_CONFIG || !tell_now(worker))
        return;
    if (input->kind == INPUT_WRITTEN)
        outcome_written(&worker->input_log->outcome, worker->engine, input);
    record_input(&worker->input_log->scratch, input);
    write_record(worker);
}

void input_log_after(struct worker *worker, const struct engine_input *input) {
    if (input->kind == INPUT_OPENED)
        outcome_opened(&worker->input_log->outcome, input->ret_connection);
}

void input_log_config(struct worker *worker, const struct generation *generation) {
    if (!tell_now(worker))
        return;
    record_config(&worker->input_log->scratch, generation->number, buffer_slice(&generation->recorded));
    write_record(worker);
}

void input_log_finish(struct worker *worker) {
    if (!tell_now(worker))
        return;
    record_mark(&worker->input_log->scratch, RECORD_FINISH);
    write_record(worker);
}

void input_log_turn(struct worker *worker, const struct engine_actions *actions) {
    struct input_log *log = worker->input_log;
    buffer_clear(&log->turn);
    outcome_end(&log->outcome, actions, &log->turn);
    log->hash = record_hash(log->hash, buffer_slice(&log->turn));
    record_turn(&log->scratch, log->hash, buffer_slice(&log->turn));
    if (log->turn.status != STATUS_OK)
        log->scratch.status = log->turn.status;
    write_record(worker);
}

void input_log_asked(struct worker *worker, bool is_over) {
    record_mark(&worker->input_log->scratch, is_over ? RECORD_ASKED_END : RECORD_ASKED);
    write_record(worker);
}

void input_log_answer(struct worker *worker, const struct record_answer *answer) {
    if (!tell_now(worker))
        return;
    record_answer(&worker->input_log->scratch, answer);
    write_record(worker);
}

void input_log_end(struct worker *worker) {
    if (!worker->input_log)
        return;
    record_end(&worker->input_log->scratch, worker->engine);
    write_record(worker);
    input_log_free(worker);
}

/* -- what the engine tells -- */

struct outcome *input_log_outcome(struct worker *worker) {
    return &worker->input_log->outcome;
}
