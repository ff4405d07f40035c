/* Exchanges that are streamed from one connection to another and are never a message.
 *
 * An accepted connection has a request for calls->stream_begin(); its user finds a dialled one that is free and begins it
 * there. Body bytes then go up by calls->stream_data() of one and down by streams->data() of the other, both ways at once
 * and each held back by itself. Who ends it: the last byte of the answer, the end of either side of a tunnel, or whoever
 * can't go on (calls->stream_failed(), streams->abort()). After that neither side calls up about it. */
#ifndef PROTOCOL_RELAY_H
#define PROTOCOL_RELAY_H

#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"

/* A request, borrowed. Nothing in it can break a line. */
struct protocol_stream {
    uint32_t route; /* as calls->way() said */
    struct slice method;
    struct slice target; /* origin form, as it came */
    struct slice fields; /* header lines that go on, each with its CRLF; no Host, no framing */
    struct slice host; /* as it was asked for; may be empty */
    uint64_t length; /* of the body, when is_sized */
    bool is_sized;
    bool is_chunked;
    bool is_head; /* its answer has no body */
    bool is_upgrade; /* to WebSocket, if the other side agrees */
    bool is_idempotent; /* may be sent again where nothing of an answer came (RFC 9110 section 9.2.2) */
};

/* A head of its answer, borrowed. */
struct protocol_stream_answer {
    unsigned code; /* 1xx: more heads follow; 101: only to an upgrade, then both are a tunnel */
    struct slice fields; /* header lines that go on, Content-Type too; no framing */
    uint64_t length; /* of the body, when is_sized; where there is none: what is said of it */
    bool is_sized;
    bool has_body; /* false: that was all of the answer, stream_data() is not called */
    bool has_date;
};

/* What a row can do whose exchanges are streamed. `state` is the connection's protocol state; outside of a net call
 * connection_touch() must follow. None of them calls up. */
struct protocol_streams {
    /* dialled: nothing is on its way, and a request may be */
    bool (*is_free)(const void *state);
    /* dialled: writes the head of a request. STATUS_OK; or why not, then nothing has changed. */
    enum status (*begin)(void *state, const struct protocol_stream *stream, struct now now);
    /* accepted: a head of the answer. False: it could not be written, abort() must follow. */
    bool (*answer)(void *state, const struct protocol_stream_answer *answer, struct now now);
    /* More of the body for the peer, or of the tunnel. `last`: that was all. False: as above. */
    bool (*data)(void *state, struct slice data, bool last, struct now now);
    /* accepted: it goes no further. A problem where no answer has begun, else the connection ends in its middle. Dialled
     * ones are closed. */
    void (*abort)(void *state, enum status status, uint32_t retry_ms, struct now now);
};

#endif
