/* The contract of a filter: it stands between the wire and a protocol and turns the bytes of one into those of the other
 * (TLS), or takes its own off the front and goes (a PROXY header).
 *
 * A filter is a pure state machine as a protocol is: it reads no clock and opens nothing. The connection owns its state,
 * hands it what arrives, asks it to seal what the protocol wrote, and opens the protocol when it says `ready`. Nothing is
 * sent for a connection whose filters aren't ready. Filters of a connection work one after the other, never at once: the
 * next begins when the one before says `over`. All calls come from one thread. */
#ifndef PROTOCOL_FILTER_H
#define PROTOCOL_FILTER_H

#include "protocol/protocol.h"

#define FILTER_PLAIN_SIZE 16384 /* room that feed() is given at least */

/* What a filter knows about the peer: who may be asked for it once it is ready. Borrowed as long as the filter lives. */
struct filter_name {
    enum filter_name_kind { FILTER_NAME_DNS, FILTER_NAME_URI, FILTER_NAME_EMAIL, FILTER_NAME_IP } kind;
    struct slice text; /* lower case where case means nothing */
};

struct filter_facts {
    bool secure;             /* others can neither read nor change what passes */
    bool verified;           /* the peer showed a certificate, and it is good */
    struct slice version;    /* "TLSv1.3" */
    struct slice subject;    /* of its certificate */
    const struct filter_name *names;
    size_t name_count;
};

/* The filter's side of a connection; lives there. */
struct filter_sink {
    struct chain *wire; /* bytes to the peer; they go out even when the filter has failed */
    struct mono due;    /* when tick() wants to be called; MONO_NEVER: not */
    enum status status; /* not OK: broken; what is in `wire` is written, then the connection closes for this reason */
    bool ready;         /* the protocol may open; with `over`: or the next filter */
    bool ended;         /* the peer ended its side in due form: all its bytes are there */
    bool over;          /* it has nothing more to do: what it didn't use goes to who comes after it */
    bool drained;       /* feed() has used and given all that came: to call it again would be in vain */
    bool peer_changed;  /* `peer` is who really is at the other end */
    struct address peer;
    char words[120];    /* why, beside `status`, for the log; may be empty */
};

struct filter {
    const char *name;
    size_t state_size; /* zeroed by the connection, which owns it */
    size_t weight;     /* what it holds beside that for a connection that does nothing, about: counts in limits.memory */
    /* The connection is there: what begins, begins. What is wrong is in sink->status. */
    void (*open)(void *state, const void *profile, const struct protocol_setup *setup, struct protocol_worker *worker,
                 struct filter_sink *sink, const struct address *peer, struct now now);
    /* Takes from the front of `wire` and puts what it carried into `plain`. Called again until it neither takes nor
     * gives, or has drained what came: it keeps what is not whole. It never gives more bytes than came, but for what it kept. */
    size_t (*feed)(void *state, struct slice *wire, uint8_t *plain, size_t room, struct now now);
    /* Puts the front of `plain` into sink->wire; returns how much of it. 0 only when it is broken. */
    size_t (*seal)(void *state, struct slice plain, struct now now);
    /* All is sealed: says to the peer that nothing more comes. NULL: there is no form for that. */
    void (*shut)(void *state, struct now now);
    void (*tick)(void *state, struct now now); /* NULL where it never sets `due` */
    /* NULL where it has none. */
    const struct filter_facts *(*facts)(const void *state);
    void (*done)(void *state); /* frees what the state owns; the sink must not be used */
};

/* One of a place's filters, with what the filter is told about it. Outlives the connections. */
struct filter_use {
    const struct filter *filter;
    const void *profile;
};

#endif
