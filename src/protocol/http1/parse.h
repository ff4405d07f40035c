/* The head of an HTTP/1 message (RFC 9112): one pass, nothing is copied or allocated, nothing is repaired.
 *
 * The verdict is a function of the bytes alone: once a prefix has been refused or accepted, longer input gives the same
 * answer, so it does not matter how the bytes were cut on their way. */
#ifndef PROTOCOL_HTTP1_PARSE_H
#define PROTOCOL_HTTP1_PARSE_H

#include "base/slice.h"
#include "base/status.h"

#define HTTP1_LINE_MAX 8192  /* request line with its CRLF; longer: 414 */
#define HTTP1_FIELDS_MAX 256 /* `limits.fields` can't raise it further */

/* Columns: NAME, name on the wire, flags. Fields that are looked at by name. */
#define HTTP1_SINGLE 1u /* a second one is refused (RFC 9110 section 5.3) */
#define HTTP1_KNOWN_TABLE(X) \
    X(HOST, "host", HTTP1_SINGLE) \
    X(CONTENT_LENGTH, "content-length", HTTP1_SINGLE) \
    X(TRANSFER_ENCODING, "transfer-encoding", HTTP1_SINGLE) \
    X(CONNECTION, "connection", 0) \
    X(CONTENT_TYPE, "content-type", HTTP1_SINGLE) \
    X(AUTHORIZATION, "authorization", HTTP1_SINGLE) \
    X(EXPECT, "expect", HTTP1_SINGLE) \
    X(ORIGIN, "origin", HTTP1_SINGLE) \
    X(ACCEPT, "accept", 0) \
    X(TTL, "ttl", HTTP1_SINGLE) \
    X(TRACEPARENT, "traceparent", HTTP1_SINGLE) \
    X(TRACESTATE, "tracestate", 0) \
    X(IDEMPOTENCY_KEY, "idempotency-key", HTTP1_SINGLE) \
    X(USER_AGENT, "user-agent", 0) \
    X(RETRY_AFTER, "retry-after", HTTP1_SINGLE) \
    X(PREFER, "prefer", 0) \
    X(CONTENT_ENCODING, "content-encoding", 0) \
    X(ACCEPT_ENCODING, "accept-encoding", 0)

enum http1_known {
#define HTTP1_KNOWN_ENUM(NAME, name, flags) HTTP1_##NAME,
    HTTP1_KNOWN_TABLE(HTTP1_KNOWN_ENUM)
#undef HTTP1_KNOWN_ENUM
    HTTP1_KNOWN_COUNT
};

enum http1_framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH,
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE, /* responses only */
};

enum http1_form {
    HTTP1_ORIGIN_FORM,
    HTTP1_ABSOLUTE_FORM,
    HTTP1_AUTHORITY_FORM, /* CONNECT only */
    HTTP1_ASTERISK_FORM,  /* OPTIONS only */
};

enum http1_result { HTTP1_MORE, HTTP1_DONE, HTTP1_BAD };

struct http1_limits {
    uint32_t header; /* bytes of the head, first line and empty line included */
    uint32_t fields;
};

enum { HTTP1_CE_ID = 1, HTTP1_CE_TYPE = 2, HTTP1_CE_SOURCE = 4, HTTP1_CE_SPECVERSION = 8, HTTP1_CE_ALL = 15 };

struct http1_head {
    size_t size; /* of the head in the input; the body follows */
    /* a request */
    struct slice method;
    struct slice target; /* as it came */
    struct slice path;   /* without the query; "/" for an absolute form without path; empty for `*` */
    struct slice query;
    struct slice host; /* of the absolute form, else of Host; may be empty */
    enum http1_form form;
    /* a response */
    unsigned code;
    /* both */
    unsigned minor; /* HTTP/1.minor */
    enum http1_framing framing;
    uint64_t length;      /* HTTP1_LENGTH */
    bool wants_close;     /* Connection: close */
    bool wants_keep;      /* Connection: keep-alive */
    uint32_t ce_count;    /* fields whose name starts with `ce-` */
    uint8_t ce_required;  /* HTTP1_CE_..: which of these are among them */
    uint32_t field_count;
    uint16_t known[HTTP1_KNOWN_COUNT]; /* index of the first one + 1; 0: absent */
    /* HTTP1_BAD */
    enum status status;
    const char *words;
    struct http1_field {
        struct slice name;
        struct slice value; /* trimmed */
    } fields[HTTP1_FIELDS_MAX];
};

/* `bytes` start at the first byte of the message (one empty line before a request is passed over and counted in size).
 * HTTP1_MORE: the head isn't whole, and isn't too large yet. The slices of `head` point into `bytes`. */
enum http1_result http1_parse_request(struct http1_head *head, struct slice bytes, struct http1_limits limits);
/* As the answer to anything but HEAD and CONNECT. */
enum http1_result http1_parse_response(struct http1_head *head, struct slice bytes, struct http1_limits limits);

/* Value of the first such field; data NULL when absent. */
static inline struct slice http1_known(const struct http1_head *head, enum http1_known known) {
    return head->known[known] ? head->fields[head->known[known] - 1].value : slice_make(NULL, 0);
}
/* Whether a field of that name is an attribute in binary mode. */
static inline bool http1_is_ce(struct slice name) {
    return name.size > 3 && (name.data[0] | 0x20) == 'c' && (name.data[1] | 0x20) == 'e' && name.data[2] == '-';
}
/* RFC 9110 section 5.6.2; the empty one is none. */
bool http1_is_token(struct slice text);
/* By any name in lower case. */
struct slice http1_find(const struct http1_head *head, struct slice name);

/* Host or Host:port as RFC 9110 section 7.2 has it: a name, IPv4 or [IPv6]; no user, no spaces. Empty is legal. */
bool http1_host_is_valid(struct slice host);
/* `localhost`, 127.0.0.0/8 or [::1], with or without a port: the names that no foreign DNS answers for. */
bool http1_host_is_loopback(struct slice host);

/* One normal form of a path, so that rules see what they were written for: `%41` becomes `A`, dot segments go. `%2F`,
 * `%00` and other escapes of delimiters and controls stay. Returns the path itself when it is normal already, else
 * writes to `room`; data NULL when that is too small. */
struct slice http1_normal_path(struct slice path, uint8_t *room, size_t size);

/* Walks a comma-separated list; false at the end. Empty elements are passed over (RFC 9110 section 5.6.1). */
bool http1_list_next(struct slice *rest, struct slice *ret_element);

#endif
