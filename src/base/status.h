/* The one table of what can become of anything: a message, an exchange, a connection, a file.
 * The reason is the same word in the answer, the log, the metric label and the dead letter. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdint.h>

/* The class decides retry, log level, HTTP fallback and exit code; nobody switches on single statuses for that. */
enum status_class {
    STATUS_CLASS_OK,
    STATUS_CLASS_PEER,   /* the other side broke a rule */
    STATUS_CLASS_LOCAL,  /* this host: memory, descriptors, disk */
    STATUS_CLASS_CONFIG, /* the configuration is at fault */
    STATUS_CLASS_DENIED, /* who asks may not */
    STATUS_CLASS_LIMIT,  /* a named limit was reached */
    STATUS_CLASS_AWAY,   /* the recipient or the network is not there; later may help */
    STATUS_CLASS_BUG,
};

/* Columns: name, class, reason, HTTP, gRPC, stream v1 code, WebSocket close, MQTT 5 reason, title.
 * 0 in a protocol column: the status has no form there. */
#define STATUS_TABLE(X) \
    X(OK, OK, "ok", 200, 0, 0, 1000, 0x00, "Done") \
    /* about one message */ \
    X(MALFORMED_EVENT, PEER, "malformed-event", 400, 3, 101, 1007, 0x99, "Malformed event") \
    X(UNSUPPORTED_MEDIA, PEER, "unsupported-media", 415, 3, 102, 1003, 0x99, "Unsupported media type") \
    X(FORBIDDEN, DENIED, "forbidden", 403, 7, 103, 3003, 0x87, "Forbidden") \
    X(SOURCE_NOT_ALLOWED, DENIED, "source-not-allowed", 403, 7, 103, 3003, 0x87, "Source not allowed") \
    X(NO_ROUTE, PEER, "no-route", 404, 5, 104, 0, 0x10, "No route") \
    X(UNKNOWN_TARGET, PEER, "unknown-target", 404, 5, 104, 0, 0x10, "Unknown target") \
    X(TARGET_UNAVAILABLE, AWAY, "target-unavailable", 503, 14, 105, 1013, 0x97, "Target unavailable") \
    X(OVERLOADED, LIMIT, "overloaded", 503, 14, 105, 1013, 0x97, "Overloaded") \
    X(REPLY_TIMEOUT, AWAY, "reply-timeout", 504, 4, 106, 0, 0, "No reply in time") \
    X(EXPIRED, PEER, "expired", 422, 9, 107, 0, 0x83, "Expired") \
    X(TOO_LARGE, LIMIT, "too-large", 413, 8, 108, 1009, 0x95, "Too large") \
    X(RATE_LIMITED, LIMIT, "rate-limited", 429, 8, 109, 1008, 0x97, "Rate limited") \
    X(IDEMPOTENCY_CONFLICT, PEER, "idempotency-conflict", 422, 6, 110, 0, 0x83, "Idempotency conflict") \
    X(LOOP_DETECTED, PEER, "loop-detected", 508, 10, 111, 0, 0x83, "Loop detected") \
    X(SCHEMA_INVALID, PEER, "schema-invalid", 422, 3, 112, 1007, 0x99, "Schema invalid") \
    X(UPSTREAM_ERROR, AWAY, "upstream-error", 502, 14, 113, 1014, 0x83, "Upstream error") \
    X(MANY_TARGETS, PEER, "many-targets", 422, 3, 114, 0, 0x83, "Many targets") \
    X(TEMPLATE_MISSING, PEER, "template-missing", 422, 3, 115, 0, 0x83, "Template value missing") \
    X(NOT_SUPPORTED, PEER, "not-supported", 501, 12, 116, 1003, 0x83, "Not supported") \
    X(OUTCOME_UNKNOWN, AWAY, "outcome-unknown", 502, 2, 117, 0, 0x80, "Outcome unknown") \
    X(RETRIES_EXHAUSTED, AWAY, "retries-exhausted", 502, 14, 118, 0, 0x80, "Retries exhausted") \
    X(REJECTED, PEER, "rejected-by-recipient", 502, 9, 119, 0, 0x83, "Rejected by the recipient") \
    X(LATE_REPLY, PEER, "late-reply", 409, 9, 120, 0, 0x83, "Late reply") \
    X(SLOW_CONSUMER, LIMIT, "slow-consumer", 503, 14, 121, 1008, 0x97, "Slow consumer") \
    X(DUPLICATE, PEER, "duplicate", 409, 6, 122, 0, 0x83, "Duplicate") \
    X(SHUTDOWN, AWAY, "shutdown", 503, 14, 123, 1001, 0x8b, "Shutting down") \
    X(SYSTEM_REMOVED, CONFIG, "system-removed", 503, 14, 124, 1001, 0x83, "System removed") \
    X(CANCELLED, PEER, "cancelled", 499, 1, 125, 0, 0, "Cancelled by the sender") \
    X(NOT_REPRESENTABLE, PEER, "not-representable", 422, 3, 126, 1003, 0x99, "Not representable in the recipient's format") \
    X(FILTERED, PEER, "filtered", 422, 9, 127, 0, 0x83, "Filtered out") \
    /* about a connection or an exchange */ \
    X(PROTOCOL_ERROR, PEER, "protocol-error", 400, 13, 1, 1002, 0x82, "Protocol error") \
    X(UNAUTHENTICATED, DENIED, "unauthenticated", 401, 16, 2, 3000, 0x87, "Unauthenticated") \
    X(UNSUPPORTED_VERSION, PEER, "unsupported-version", 505, 12, 3, 1002, 0x84, "Unsupported version") \
    X(UNSUPPORTED_ENCODING, PEER, "unsupported-encoding", 415, 12, 4, 1003, 0x99, "Unsupported encoding") \
    X(AUTH_EXPIRED, DENIED, "auth-expired", 401, 16, 5, 3000, 0x87, "Authentication expired") \
    X(FRAME_TOO_LARGE, LIMIT, "frame-too-large", 413, 8, 7, 1009, 0x95, "Frame too large") \
    X(FLOW_CONTROL, PEER, "flow-control", 400, 8, 8, 1008, 0x93, "Flow control broken") \
    X(MALFORMED_CONTROL, PEER, "malformed-control", 400, 3, 9, 1002, 0x81, "Malformed control frame") \
    X(HEARTBEAT_TIMEOUT, AWAY, "heartbeat-timeout", 408, 14, 10, 1001, 0x8d, "Heartbeat timeout") \
    X(GOING_AWAY, AWAY, "going-away", 503, 14, 11, 1001, 0x8b, "Going away") \
    X(SESSION_UNKNOWN, PEER, "session-unknown", 404, 5, 13, 0, 0, "Session unknown") \
    X(SEQ_GAP, PEER, "seq-gap", 400, 13, 14, 1002, 0x82, "Sequence gap") \
    X(INTERNAL, BUG, "internal", 500, 13, 15, 1011, 0x80, "Internal error") \
    X(NOT_FOUND, PEER, "not-found", 404, 5, 0, 0, 0, "Not found") \
    X(IN_PROGRESS, PEER, "in-progress", 409, 10, 128, 0, 0, "In progress") \
    X(GONE, PEER, "gone", 410, 5, 0, 0, 0, "Gone") \
    X(METHOD_NOT_ALLOWED, PEER, "method-not-allowed", 405, 12, 0, 0, 0, "Method not allowed") \
    X(HEAD_TIMEOUT, PEER, "head-timeout", 408, 4, 0, 0, 0, "Request not complete in time") \
    X(TOO_SLOW, PEER, "too-slow", 408, 4, 8, 1008, 0x93, "Too slow") \
    X(URI_TOO_LONG, LIMIT, "uri-too-long", 414, 8, 0, 0, 0, "Request line too long") \
    X(EXPECTATION_FAILED, PEER, "expectation-failed", 417, 9, 0, 0, 0, "Expectation failed") \
    X(UPGRADE_REQUIRED, PEER, "upgrade-required", 426, 9, 0, 0, 0, "Upgrade required") \
    X(HEADERS_TOO_LARGE, LIMIT, "headers-too-large", 431, 8, 0, 0, 0, "Header section too large") \
    X(CODING_UNKNOWN, PEER, "coding-unknown", 501, 12, 0, 0, 0, "Transfer coding not implemented") \
    X(ORIGIN_REFUSED, DENIED, "origin-refused", 403, 7, 0, 0, 0, "Origin or Host refused") \
    X(AUTH_TIMEOUT, PEER, "auth-timeout", 408, 16, 2, 3000, 0, "Not authenticated in time") \
    X(IDLE_TIMEOUT, AWAY, "idle-timeout", 408, 4, 11, 1001, 0x8d, "Idle for too long") \
    X(WRITE_TIMEOUT, PEER, "write-timeout", 408, 4, 8, 1001, 0x8d, "Peer does not read") \
    X(TOO_MANY_CONNECTIONS, LIMIT, "too-many-connections", 503, 8, 12, 1013, 0x97, "Too many connections") \
    X(PEER_CLOSED, AWAY, "peer-closed", 502, 14, 0, 0, 0, "Closed by the peer") \
    X(RESET, AWAY, "reset", 502, 14, 0, 0, 0, "Connection reset") \
    X(REFUSED, AWAY, "refused", 503, 14, 0, 0, 0, "Connection refused") \
    X(UNREACHABLE, AWAY, "unreachable", 503, 14, 0, 0, 0, "Host unreachable") \
    X(HANDSHAKE_FAILED, PEER, "handshake-failed", 502, 14, 0, 0, 0, "TLS handshake failed") \
    X(HANDSHAKE_TIMEOUT, PEER, "handshake-timeout", 503, 14, 0, 0, 0, "No TLS handshake in time") \
    X(CERTIFICATE_REFUSED, DENIED, "certificate-refused", 502, 16, 0, 0, 0, "Certificate refused") \
    X(CERTIFICATE_MISSING, DENIED, "certificate-missing", 401, 16, 0, 0, 0, "No client certificate") \
    X(TRUNCATED, AWAY, "truncated", 502, 14, 0, 0, 0, "Cut off without an end") \
    X(RESOLVE_FAILED, AWAY, "resolve-failed", 503, 14, 0, 0, 0, "Name not resolved") \
    X(NAME_NOT_FOUND, AWAY, "name-not-found", 503, 14, 0, 0, 0, "Name not found") \
    X(RESOLVE_TIMEOUT, AWAY, "resolve-timeout", 503, 14, 0, 0, 0, "No answer for the name in time") \
    X(CONNECT_TIMEOUT, AWAY, "connect-timeout", 503, 14, 0, 0, 0, "No connection in time") \
    X(BAD_GREETING, AWAY, "bad-greeting", 503, 14, 0, 0, 0, "Greeting not as expected") \
    X(ADDRESS_IN_USE, LOCAL, "address-in-use", 500, 13, 0, 0, 0, "Address in use") \
    X(BAD_CONFIG, CONFIG, "bad-config", 400, 3, 0, 0, 0, "Configuration is not valid") \
    X(NO_MEMORY, LOCAL, "out-of-memory", 503, 8, 12, 1011, 0x97, "Out of memory") \
    X(NO_DESCRIPTORS, LOCAL, "out-of-descriptors", 503, 8, 12, 1011, 0x97, "Out of descriptors") \
    X(IO_ERROR, LOCAL, "io-error", 500, 13, 15, 1011, 0x80, "Input or output failed")

enum status {
#define STATUS_ENUM(name, cls, reason, http, grpc, stream, ws, mqtt, title) STATUS_##name,
    STATUS_TABLE(STATUS_ENUM)
#undef STATUS_ENUM
    STATUS_COUNT
};

struct status_row {
    const char *name;
    enum status_class status_class;
    const char *reason; /* slug: answer, log, metric label, dead letter, --json */
    uint16_t http;
    uint16_t grpc;
    uint16_t stream; /* stream v1 ERROR and ACK code */
    uint16_t websocket;
    uint16_t mqtt;
    const char *title;
};

/* Never NULL; `status` must be in the table. */
const struct status_row *status_row(enum status status);
static inline const char *status_reason(enum status status) {
    return status_row(status)->reason;
}
/* The first row with that stream v1 code; STATUS_INTERNAL for a foreign code. */
enum status status_from_stream(unsigned code);

#endif
