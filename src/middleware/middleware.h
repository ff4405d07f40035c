/* Chains of stages that a message goes through after its route was found and before it is given to anybody. A stage is
 * told of a message and answers with a verdict, or with another message. It has no socket, no clock and no thread: what
 * touches the world (an answer from a cache, a line in the log) is carried out by who asks.
 *
 * A new kind of stage is one file and one row of the table in middleware.c. */
#ifndef MIDDLEWARE_MIDDLEWARE_H
#define MIDDLEWARE_MIDDLEWARE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "jsonschema/jsonschema.h"
#include "message/message.h"

#define MIDDLEWARE_STAGES_MAX 32 /* of one route */
#define MIDDLEWARE_CHANGES_MAX 64 /* of one transform */
#define MIDDLEWARE_SHOWN_MAX 8    /* attributes of one log */
#define MIDDLEWARE_NEEDS_MAX 64 /* of one validate.require */

enum middleware_kind { MIDDLEWARE_VALIDATE, MIDDLEWARE_FILTER, MIDDLEWARE_TRANSFORM, MIDDLEWARE_LOG, MIDDLEWARE_KIND_COUNT };

/* Not by its name alone: `set` and `rename` have a second text. */
struct middleware_change {
    enum middleware_what {
        MIDDLEWARE_RENAME,
        MIDDLEWARE_REMOVE,
        MIDDLEWARE_SET
    } what; /* in the order of their turn */
    struct slice name; /* an attribute, or `data:/pointer` */
    struct slice value; /* RENAME: the new name; SET: a template */
    bool is_json; /* SET: `value` is a JSON number, `true` or `false`, and not a text */
};

/* One line of validate.require: `tenant`, `data:/id`, `data:/id integer`. */
struct middleware_need {
    struct slice text;
};

/* A stage as it is written. All borrowed. */
struct middleware_spec {
    enum middleware_kind kind;
    struct slice chain; /* the named chain that it stands in; empty: the route's own */
    struct slice filter; /* CESQL */
    struct slice schema; /* VALIDATE: the text of a JSON Schema; empty: none */
    struct slice schema_path;
    uint32_t level;             /* LOG: 0 debug to 3 error */
    uint32_t sample;            /* LOG: of 1000 */
    const struct slice *shown;  /* LOG: attributes, each behind `ce_`; a NUL follows */
    size_t shown_count;
    const struct middleware_need *needs;
    size_t need_count;
    const struct middleware_change *changes;
    size_t change_count;
};

bool middleware_spec_same(const struct middleware_spec *a, const struct middleware_spec *b);
struct slice middleware_kind_name(enum middleware_kind kind);

struct middleware_fault {
    enum status status; /* BAD_CONFIG, NO_MEMORY */
    size_t stage;
    char text[200];
};

struct middleware_chain;

/* Specs and chain live in the arena's time. */
enum status middleware_compile(const struct middleware_spec *specs, size_t count,
                               const struct attribute_declared *declared, struct arena *arena,
                               const struct middleware_chain **ret, struct middleware_fault *fault);
/* What is wrong with one change, for who has its place in a file; false with `fault`. */
bool middleware_check_change(const struct middleware_change *change,
                             const struct attribute_declared *declared, struct arena *scratch,
                             struct middleware_fault *fault);

/* The same for a line of validate.require. */
bool middleware_check_need(const struct middleware_need *need, const struct attribute_declared *declared,
                           struct middleware_fault *fault);

/* The same for an attribute that a log shows. */
bool middleware_check_shown(struct slice name, const struct attribute_declared *declared, struct middleware_fault *fault);

size_t middleware_count(const struct middleware_chain *chain);
const struct middleware_spec *middleware_at(const struct middleware_chain *chain, size_t index);

/* What is made on the way: messages and their bytes. One for each thread, used again and again. */
struct middleware_room {
    struct message messages[2]; /* in turns: the next is made while the one before is read */
    struct buffer extra[2];
    struct buffer data[2];
    struct buffer text; /* what was filled in */
    struct buffer spare; /* trades places with the data that is being changed */
    unsigned turn;
    struct jsonschema_room schema;
};

/* `size_max`: bytes that a message may come to have. `seed`: nobody outside should know it. */
void middleware_room_init(struct middleware_room *room, size_t size_max, uint64_t seed);
/* Another maximum from now on; what it holds is given back. */
void middleware_room_limit(struct middleware_room *room, size_t size_max);
void middleware_room_done(struct middleware_room *room);
/* Memory that it holds. */
size_t middleware_room_size(const struct middleware_room *room);

enum middleware_verdict {
    MIDDLEWARE_ON, /* to the next stage; run->message may be another one */
    MIDDLEWARE_TELL,   /* likewise, and a line in the log is due, as its spec says */
    MIDDLEWARE_DROP, /* it ends here, and nothing is wrong with it */
    MIDDLEWARE_REFUSE, /* for run->status */
};

/* One message on its way through. */
struct middleware_run {
    const struct message *message; /* what is made stands in `room` until its next run */
    struct now now;
    struct middleware_room *room;
    enum status status;
    char detail[200]; /* REFUSE: words for the sender */
};

/* The stage at `index`; they are to be asked in order. */
enum middleware_verdict middleware_step(const struct middleware_chain *chain, size_t index,
                                        struct middleware_run *run);

#endif
