/* A carrier cuts a stream of bytes into units, and puts what makes a unit of a payload around it: a line's end, a length,
 * a WebSocket head. It knows nothing of messages. The session (units.h) stands on it: it reads a message out of each unit,
 * and asks the carrier to wrap what it writes.
 *
 * A carrier without memory of its own keeps what little it needs in units->scanned; others hang theirs on
 * units->carrier_state. It may write to units->sink->out itself (a pong), set units->carrier_due to be ticked, and hand
 * in a unit outside of cut() by units_take(). */
#ifndef PROTOCOL_UNITS_CARRIER_H
#define PROTOCOL_UNITS_CARRIER_H

#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"

struct units;

enum cut {
    CUT_WAIT,    /* no whole unit is there */
    CUT_UNIT,    /* one is: `payload` */
    CUT_CONTROL, /* something of the carrier's own is done with */
    CUT_REFUSED, /* this stream can't be read on: `status`, `words` */
    CUT_GONE,    /* the peer has said goodbye, or our goodbye is answered: `status` */
};

#define UNIT_WORDS 96

/* What cut() found. Only the fields that its result names are filled; `words` and `status` alone don't
 * come in as zero or empty. */
struct unit {
    size_t used; /* UNIT, CONTROL: bytes of the stream that are done with, at least one. WAIT: those that the carrier took
                  * into memory of its own */
    size_t want; /* WAIT: there is no progress before so many bytes are there; 0: any more may do */
    struct slice payload; /* UNIT: in the bytes, or in memory of the carrier's that is good for the call. REFUSED: what is
                           * there of it, may be empty */
    bool is_text;         /* UNIT: the carrier says that it is text */
    enum status status;
    char words[UNIT_WORDS];
};

struct carrier {
    const char *name;
    bool one_line;    /* a payload has no line ends; units of blanks alone are nothing when events are due */
    bool is_bare_line; /* one_line, and there is nothing before a payload, nor `behind` and `pack` */
    bool carries_any; /* a payload may have any bytes: protobuf too */
    bool paces;       /* a pause is what ends a unit: there is one after each that is sent, and whoever is accepted is never
                       * held back, since what waits unread runs together */
    bool by_varint;   /* events are protobuf unless the peer shows otherwise */
    const char *text_type, *binary_type; /* `type` of what is wrapped */
    size_t after; /* bytes behind a payload */
    size_t (*behind)(const struct units *s); /* the same where the setup says how many; NULL: `after` */
    /* Once, before anything else. False: no memory. NULL: there is nothing to do. */
    bool (*open)(struct units *s, struct now now);
    /* Looks for one unit at the start of `bytes`, which are at least one; `ended`: nothing will follow. */
    enum cut (*cut)(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now);
    /* Nothing will follow. NULL: cut() knew it from `ended`. */
    void (*ended)(struct units *s, struct now now);
    /* How many bytes stand before a payload of that size. NULL: none. */
    size_t (*before)(const struct units *s, size_t size);
    /* Whether that payload can be a unit: OK, TOO_LARGE or NOT_REPRESENTABLE. NULL: any can. */
    enum status (*fits)(const struct units *s, struct slice payload);
    /* The payload of `size` bytes stands at `at + before(size)`: writes what is before and behind it; may change it in
     * place (masks). */
    void (*wrap)(struct units *s, uint8_t *at, size_t size, bool is_text);
    /* The payload is to leave in another form (deflated), which stays good until the next call. False: it leaves as it
     * is. NULL: it always does. */
    bool (*pack)(struct units *s, struct slice payload, bool is_text, struct slice *ret_packed);
    /* The payload of what was wrapped, in `sent` or in memory of the carrier's. False: it can't be had again. */
    bool (*unwrap)(struct units *s, struct slice sent, struct slice *ret_payload);
    /* units->carrier_due has come. NULL: never set. */
    void (*tick)(struct units *s, struct now now);
    /* The session ends for `status`; `words` may be NULL. True: a goodbye is on its way and units_gone() will be called
     * when it is answered, or isn't in time; units that still come are thrown away. NULL or false: it is over at once. */
    bool (*leave)(struct units *s, enum status status, const char *words, struct now now);
    /* Frees units->carrier_state. NULL: there is none. */
    void (*done)(struct units *s);
};

/* Fills `unit` and returns CUT_REFUSED. */
enum cut carrier_refuse(struct unit *unit, enum status status, const char *format, ...)
    __attribute__((cold, format(printf, 3, 4)));

#define UNITS_UNTIL_MAX 64 /* bytes that end a unit of `until` */

extern const struct carrier carrier_line, carrier_crlf, carrier_len16be, carrier_len32be, carrier_varint, carrier_octet_count,
    carrier_mllp, carrier_fixed, carrier_idle, carrier_until;

#endif
