/* What the stages of this room share with the table. */
#ifndef MIDDLEWARE_STAGE_H
#define MIDDLEWARE_STAGE_H

#include "middleware/middleware.h"

struct stage {
    const struct middleware_spec *spec;
    const void *compiled; /* its kind's own */
};

struct stage_make {
    const struct attribute_declared *declared;
    struct arena *arena;
    struct middleware_fault *fault;
};

struct stage_row {
    const char *name;
    /* Fills stage->compiled. */
    enum status (*compile)(struct stage *stage, const struct stage_make *make);
    enum middleware_verdict (*run)(const struct stage *stage, struct middleware_run *run);
};

enum status filter_compile(struct stage *stage, const struct stage_make *make);
enum middleware_verdict filter_run(const struct stage *stage, struct middleware_run *run);
enum status transform_compile(struct stage *stage, const struct stage_make *make);
enum middleware_verdict transform_run(const struct stage *stage, struct middleware_run *run);

enum status validate_compile(struct stage *stage, const struct stage_make *make);
enum middleware_verdict validate_run(const struct stage *stage, struct middleware_run *run);

enum status log_compile(struct stage *stage, const struct stage_make *make);
enum middleware_verdict log_run(const struct stage *stage, struct middleware_run *run);

/* middleware.c */
__attribute__((format(printf, 3, 4))) enum status stage_fault(struct middleware_fault *fault,
                                                              enum status status, const char *format, ...);
__attribute__((format(printf, 3, 4))) enum middleware_verdict
stage_refuse(struct middleware_run *run, enum status status, const char *format, ...);
/* The message's data as JSON text, in `room` where it doesn't stand there verbatim. Data NULL: it has none, or it is
 * no JSON by what it says of itself, or `room` is full. Whether it is well-formed is not looked at. */
struct slice stage_json(const struct message *message, struct buffer *room);

#endif
