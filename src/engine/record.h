/* The records of an input log: all that one engine was given and, turn by turn, what it gave. With them the same engine
 * can be run again, byte for byte. The runtime writes them, simulation/replay reads them.
 *
 * A log is RECORD_MAGIC, then records: size of the body (32 bits), CRC-32C of the body, the body, whose first byte is
 * its kind. All numbers are little-endian. Zeros, as in a part of the file that was never written, end it.
 * The first record is the HEADER. A NOW record holds until the next. Whatever happens between two TURN records belongs to
 * the second. Pure: no file, no clock. */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include "base/buffer.h"
#include "engine/engine.h"

#define RECORD_MAGIC "itinput\n"
#define RECORD_MAGIC_SIZE 8
#define RECORD_VERSION 2u
#define RECORD_FRAME 8u            /* size and CRC before each body */
#define RECORD_SIZE_MAX (80u << 20) /* of a body; the largest is a parcel of mail */
#define RECORD_DATAGRAMS_MAX 1024u

enum record_kind {
    RECORD_HEADER = 1,
    RECORD_NOW,
    RECORD_INPUT,
    RECORD_CONFIG,   /* INPUT_CONFIG with what the plan was made of */
    RECORD_ASKED,    /* the engine handed a request to the admin surface: its answers follow, up to ... */
    RECORD_ANSWER,   /* the admin surface answered a request */
    RECORD_ASKED_END,
    RECORD_FINISH,   /* engine_finish() is called; it may ask the admin surface too */
    RECORD_TURN,     /* what came of it */
    RECORD_END,      /* the engine's end, in good order */
    RECORD_STOPPED,  /* nothing more was written, for the reason told */
};

struct record_header {
    uint32_t version;
    struct slice program; /* its version */
    uint32_t worker;
    uint32_t workers;
    uint64_t seed;
    struct dedupe_key secret;
    uint32_t connections_max;
    bool cut_through, memo;
    bool has_admin;
};

/* An answer of the admin surface: http1_answer(), or with a status http1_answer_problem(). */
struct record_answer {
    uint64_t connection;
    uint64_t token;
    enum status status; /* OK: it is none */
    uint32_t code;
    struct slice type;
    struct slice body; /* a problem's detail */
    struct slice lines;
};

/* One record as read; slices are borrowed from the log. */
struct record {
    enum record_kind kind;
    union {
        struct record_header header;
        struct now now;
        struct engine_input input; /* its `peer` is &peer, its `datagrams` are `datagrams` */
        struct {
            uint32_t generation;
            struct slice recorded; /* of config_load_recorded() */
        } config;
        struct record_answer answer;
        struct {
            uint64_t hash; /* running, over all turns so far */
            struct slice outcome;
        } turn;
        uint64_t totals; /* END: a hash of the engine's totals */
        struct slice words; /* STOPPED */
    };
    struct address peer;
    struct engine_datagram datagrams[RECORD_DATAGRAMS_MAX];
};

/* -- writing: each adds one whole record, with its frame -- */

void record_header(struct buffer *out, const struct record_header *header);
void record_now(struct buffer *out, struct now now);
/* Not INPUT_CONFIG. */
void record_input(struct buffer *out, const struct engine_input *input);
void record_config(struct buffer *out, uint32_t generation, struct slice recorded);
void record_answer(struct buffer *out, const struct record_answer *answer);
void record_turn(struct buffer *out, uint64_t hash, struct slice outcome);
void record_end(struct buffer *out, const struct engine *engine);
void record_stopped(struct buffer *out, struct slice words);
/* FINISH, ASKED and ASKED_END, which say nothing more. */
void record_mark(struct buffer *out, enum record_kind kind);

/* The running hash with one more turn. */
uint64_t record_hash(uint64_t before, struct slice outcome);
/* What record_end() writes. */
uint64_t record_totals(const struct engine *engine);

/* -- reading -- */

enum record_read {
    RECORD_READ,    /* *ret is the next one */
    RECORD_OVER,    /* there are no more */
    RECORD_CUT,     /* the log ends within a record */
    RECORD_DAMAGED, /* its CRC or its content is wrong */
};

struct record_reader {
    struct slice log;
    uint64_t at; /* of the next record */
};

/* False when this is no log of ours. */
bool record_open(struct record_reader *reader, struct slice log);
enum record_read record_next(struct record_reader *reader, struct record *ret);

/* Words for one record, a line with two blanks before it. */
void record_words(const struct record *record, struct buffer *out);

#endif
