/* The log: threads write lines into a bounded buffer, the control thread writes that to its file, so that a slow disk
 * never holds a worker up. */
#include <stdlib.h>
#include <unistd.h>

#include "runtime/inner.h"

#define PEN_LINES_MAX (64u << 10)

bool journal_init(struct journal *journal) {
    pthread_mutex_init(&journal->lock, NULL);
    buffer_init(&journal->pending, JOURNAL_PENDING_MAX);
    buffer_init(&journal->writing, JOURNAL_PENDING_MAX);
    log_file_init(&journal->file, STDERR_FILENO);
    journal->is_json = true;
    return true;
}

void journal_done(struct journal *journal) {
    log_file_close(&journal->file);
    buffer_done(&journal->pending);
    buffer_done(&journal->writing);
    pthread_mutex_destroy(&journal->lock);
}

enum status journal_open(struct journal *journal, const struct config *config, int fd, struct fault *fault) {
    struct log_file file;
    int standard = fd ? fd : STDERR_FILENO;
    if (config->log.file.size) {
        char path[4096];
        if (config->log.file.size >= sizeof path)
            return fault_set(fault, STATUS_BAD_CONFIG, 0, "log.file: the path is too long");
        memcpy(path, config->log.file.data, config->log.file.size);
        path[config->log.file.size] = '\0';
        uint64_t keep = config->log.rotate_keep < LOG_FILE_KEEP_MAX ? config->log.rotate_keep : LOG_FILE_KEEP_MAX;
        uint64_t size = config->log.rotate_size == CONFIG_UNLIMITED ? 0 : config->log.rotate_size;
        enum status status = log_file_open(&file, path, size, (unsigned)keep, fault);
        if (status != STATUS_OK)
            return status;
    } else {
        log_file_init(&file, standard);
    }
    journal_write(journal);
    log_file_close(&journal->file);
    journal->file = file;
    bool is_terminal = config->log.file.size == 0 && isatty(standard);
    journal->is_json = config->log.format == CONFIG_LOG_JSON || (config->log.format == CONFIG_LOG_AUTO && !is_terminal);
    journal->has_color = log_wants_color(is_terminal, getenv("NO_COLOR"));
    return STATUS_OK;
}

void journal_levels(struct log_levels *levels, const struct config *config, bool debug) {
    log_levels_init(levels, debug ? LOG_LEVEL_DEBUG : (enum log_level)config->log.level);
    for (size_t i = 0; !debug && i < config->log.level_count; i++) {
        enum log_room room;
        if (log_room_find(config->log.levels[i].room, &room))
            levels->level[room] = (uint8_t)config->log.levels[i].level;
    }
}

void journal_set_level(struct log_levels *levels, enum log_room room, enum log_level level) {
    for (int i = 0; i < LOG_ROOM_COUNT; i++)
        if (room == LOG_ROOM_COUNT || room == (enum log_room)i)
            levels->level[i] = (uint8_t)level;
}

void journal_write(struct journal *journal) {
    pthread_mutex_lock(&journal->lock);
    struct buffer lines = journal->pending;
    unsigned count = journal->pending_lines;
    uint64_t lost = journal->lost;
    journal->pending = journal->writing;
    journal->pending_lines = 0;
    journal->lost = 0;
    pthread_mutex_unlock(&journal->lock);
    log_file_write(&journal->file, buffer_slice(&lines), count);
    atomic_store_explicit(&journal->lines_lost, journal->file.lines_lost + lost + journal->lost_before,
                          memory_order_relaxed);
    journal->lost_before += lost;
    buffer_clear(&lines);
    journal->writing = lines;
}

void journal_reopen(struct runtime *runtime) {
    struct fault fault;
    struct log_record record;
    pen_flush(&runtime->pen);
    journal_write(&runtime->journal);
    enum status status = log_file_reopen(&runtime->journal.file, &fault);
    log_record_init(&record, status == STATUS_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, LOG_ROOM_RUNTIME,
                    runtime_now_of(runtime).wall, status == STATUS_OK ? "log reopened" : "log not reopened");
    if (status != STATUS_OK)
        log_add_text(&record, "detail", slice_from(fault.text));
    pen_write(&runtime->pen, &record);
}

bool pen_init(struct pen *pen, struct journal *journal) {
    *pen = (struct pen){.journal = journal};
    log_levels_init(&pen->levels, LOG_LEVEL_INFO);
    buffer_init(&pen->lines, PEN_LINES_MAX);
    return true;
}

void pen_done(struct pen *pen) {
    buffer_done(&pen->lines);
}

void pen_write(struct pen *pen, const struct log_record *record) {
    if (!log_is_enabled(&pen->levels, record->room, record->level))
        return;
    if (pen->lines.size > PEN_LINES_MAX / 2)
        pen_flush(pen);
    size_t before = pen->lines.size;
    if (pen->is_json)
        log_write_json(&pen->lines, record);
    else
        log_write_text(&pen->lines, record, pen->has_color);
    if (pen->lines.status != STATUS_OK) { /* a line is kept whole or not at all */
        pen->lines.size = before;
        pen->lines.status = STATUS_OK;
        pen->lost++;
        return;
    }
    pen->line_count++;
    atomic_fetch_add_explicit(&pen->journal->counts[record->level], 1, memory_order_relaxed);
}

void pen_flush(struct pen *pen) {
    struct journal *journal = pen->journal;
    if (pen->line_count == 0 && pen->lost == 0)
        return;
    pthread_mutex_lock(&journal->lock);
    bool was_empty = journal->pending.size == 0;
    journal->lost += pen->lost;
    if (journal->pending.size + pen->lines.size <= JOURNAL_PENDING_MAX)
        buffer_add(&journal->pending, buffer_slice(&pen->lines));
    else
        journal->lost += pen->line_count;
    if (journal->pending.status != STATUS_OK) {
        journal->pending.status = STATUS_OK;
        journal->lost += pen->line_count;
    } else {
        journal->pending_lines += pen->line_count;
    }
    bool is_much = journal->pending.size > JOURNAL_PENDING_MAX / 2;
    pthread_mutex_unlock(&journal->lock);
    if (pen->is_direct && is_much)
        journal_write(journal);
    buffer_clear(&pen->lines);
    pen->line_count = 0;
    pen->lost = 0;
    if (was_empty && journal->loop)
        loop_wake(journal->loop);
}
