/* The third world: an engine is given what a live one was given, from its input log, and must give the same, turn by
 * turn. Nothing is carried out. */
#ifndef SIMULATION_REPLAY_H
#define SIMULATION_REPLAY_H

#include "base/buffer.h"

enum replay_result {
    REPLAY_EQUAL,
    REPLAY_DIFFERS, /* `words` has the first turn that differs */
    REPLAY_DAMAGED, /* the log can't be read any further: `words` says where */
    REPLAY_FOREIGN, /* no input log, or of another version: `words` */
};
const char *replay_result_name(enum replay_result result);

struct replay_report {
    enum replay_result result;
    uint32_t worker;
    uint64_t turns;    /* that were equal */
    uint64_t inputs;
    uint64_t messages; /* that the engine received */
    bool is_whole;     /* up to the engine's end; else the log ends before: `words` says how */
    struct buffer words;
};

/* `ret_report` is to be freed by replay_done(). */
void replay_run(struct slice log, struct replay_report *ret_report);
void replay_done(struct replay_report *report);

#endif
