/* Dead letters: messages that were accepted, could not be delivered, and may not be dropped. They wait in memory, bounded
 * by number, bytes and age, until somebody looks at them, sends them again, or throws them away. */
#ifndef ENGINE_DEAD_H
#define ENGINE_DEAD_H

#include "engine/engine.h"

#define DEAD_WORDS_MAX 256  /* of what the recipient said, more is cut */
#define DEAD_REDRIVES_MAX 3 /* one that has come back so often is sent again only by force */
#define DEAD_IDS_MAX 256    /* named in one command */

/* All borrowed. */
struct dead_letter {
    const struct message *message;
    char id[UUID_TEXT_SIZE]; /* the receipt, where there is one: copies for several systems share it */
    struct wall at;          /* when it died */
    enum status reason;      /* of its ending */
    enum status last;        /* of its last attempt; OK: there was none */
    uint16_t code;           /* that the recipient answered (HTTP); 0: none */
    struct slice words;      /* that it said, cut */
    struct slice endpoint;   /* of the system, where the last attempt was; may be empty */
    struct slice system, route, from; /* names; may be empty but the first */
    uint32_t attempts;
    uint32_t redriven;       /* so often it was sent again, and came back */
    bool waits;              /* it is to be sent again, and waits for its turn */
};

/* Which of them: all that is said must fit. */
struct dead_filter {
    struct slice system, route, reason; /* empty: any */
    struct wall since;                  /* 0: whenever */
    const struct slice *ids;            /* none: any */
    size_t id_count;
};

/* Newest first, until `call` says false. */
void dead_each(const struct engine *engine, const struct dead_filter *filter,
               bool (*call)(void *user, const struct dead_letter *letter), void *user);

enum dead_command_kind { DEAD_PURGE, DEAD_REDRIVE };
struct dead_command {
    enum dead_command_kind kind;
    bool dry_run;
    bool force;          /* REDRIVE: those too that have come back too often */
    int64_t interval_ns; /* REDRIVE: between two */
    struct slice to;     /* REDRIVE: this system instead of that which it was for; empty */
    struct dead_filter filter;
};
/* INPUT_DEAD carries one as bytes. Then `size` tells how many it is about, `count` how many came back too often and stay. */
void dead_command_write(struct buffer *out, const struct dead_command *command);

#endif
