/* What asks an endpoint whether it is well: a connection of its own that carries no message, asks once, comes to a verdict
 * and ends. Rows like any other, but in no table: nobody sniffs them or sends by them. `setup->check` says what is asked
 * and expected, `setup->timeouts.attempt_ns` how long it may take once it is connected. */
#ifndef PROTOCOL_PROBE_PROBE_H
#define PROTOCOL_PROBE_PROBE_H

#include "protocol/http1/chunked.h"
#include "protocol/http1/handshake.h"

#define PROBE_WORDS 96
#define PROBE_TEXT_MAX 256 /* bytes of what is sent, or must come back */
#define PROBE_ANSWER_MAX 4096 /* bytes of an answer on a plain stream that are looked at */
#define PROBE_BODY_MAX (64u << 10) /* bytes of an HTTP body in which the text is looked for */

/* Every row's state begins with it. Stays readable until the connection is freed. */
struct probe_verdict {
    bool is_there; /* else the connection ended before one */
    bool is_good;
    char words[PROBE_WORDS]; /* why it isn't good */
};

struct probe {
    struct probe_verdict verdict;
    const struct protocol_setup *setup;
    struct protocol_sink *sink;
    struct protocol_worker *worker;
    bool is_begun; /* http: in the body. websocket: shaken hands. stream: the preface came */
    enum http1_framing framing;
    struct chunked chunked;
    uint64_t left; /* http: of the body. websocket: of a frame that doesn't matter */
    uint32_t matched; /* http: bytes of what is looked for */
    uint32_t seen; /* http: bytes of the body */
    char key[WS_KEY_SIZE];
};

extern const struct protocol protocol_probe_http; /* GET; a status, and a text in its body */
extern const struct protocol protocol_probe_websocket; /* the handshake, then a ping */
extern const struct protocol
    protocol_probe_bytes; /* TCP: it connects; or bytes that must come, after those that are sent */
extern const struct protocol protocol_probe_stream; /* stream v1: HELLO brings WELCOME */
extern const struct protocol protocol_probe_datagram; /* one that brings another */

/* What the rows share. */
void probe_begin(struct probe *probe, const struct protocol_setup *setup, struct protocol_worker *worker,
                 struct protocol_sink *sink, struct now now);
/* The first verdict stays. */
void probe_good(struct probe *probe);
void probe_bad(struct probe *probe, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* No memory for what is sent says nothing about the endpoint: the connection ends without a verdict. */
void probe_send(struct probe *probe, struct slice bytes);
/* The request's path, short enough for a line. */
struct slice probe_path(const struct probe *probe);
void probe_tick(void *state, struct now now);
void probe_shut(void *state, enum status status, struct now now);

enum probe_match { PROBE_NO, PROBE_NOT_YET, PROBE_YES };
/* Whether what came begins as the pattern says, in which `*` is anything: NOT_YET while more may still make it so. */
enum probe_match probe_matches(struct slice came, struct slice pattern);

#endif
