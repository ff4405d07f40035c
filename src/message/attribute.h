/* The attributes that CloudEvents 1.0, its documented extensions and intertie know by name, with their types. */
#ifndef MESSAGE_ATTRIBUTE_H
#define MESSAGE_ATTRIBUTE_H

#include "base/slice.h"

/* CloudEvents 1.0.2 section 3.1, type system. */
enum attribute_type {
    ATTRIBUTE_STRING,
    ATTRIBUTE_INTEGER, /* int32 */
    ATTRIBUTE_BOOLEAN,
    ATTRIBUTE_BINARY,
    ATTRIBUTE_URI,
    ATTRIBUTE_URI_REFERENCE,
    ATTRIBUTE_TIMESTAMP,
};

/* Columns: NAME, name on the wire, type, flags. At most 64 rows: sets of them are one uint64_t.
 * OURS: only intertie may set it; stripped from what untrusted peers send. */
#define ATTRIBUTE_TABLE(X) \
    X(ID, "id", STRING, 0) \
    X(SOURCE, "source", URI_REFERENCE, 0) \
    X(TYPE, "type", STRING, 0) \
    X(SUBJECT, "subject", STRING, 0) \
    X(DATACONTENTTYPE, "datacontenttype", STRING, 0) \
    X(DATASCHEMA, "dataschema", URI, 0) \
    X(TIME, "time", TIMESTAMP, 0) \
    X(TARGET, "target", STRING, 0) \
    X(MESSAGETYPE, "messagetype", STRING, 0) \
    X(PRIORITY, "priority", INTEGER, 0) \
    X(CORRELATIONID, "correlationid", STRING, 0) \
    X(CAUSATIONID, "causationid", STRING, 0) \
    X(REPLYTO, "replyto", URI_REFERENCE, 0) \
    X(EXPIRYTIME, "expirytime", TIMESTAMP, 0) \
    X(MAXATTEMPTS, "maxattempts", INTEGER, 0) \
    X(PARTITIONKEY, "partitionkey", STRING, 0) \
    X(SEQUENCE, "sequence", STRING, 0) \
    X(TRACEPARENT, "traceparent", STRING, 0) \
    X(TRACESTATE, "tracestate", STRING, 0) \
    X(MSGHEADERS, "msgheaders", STRING, 0) \
    X(IDEMPOTENCYKEY, "idempotencykey", STRING, 0) \
    X(INTERTIEHOPS, "intertiehops", INTEGER, 0) \
    X(DELIVERYATTEMPT, "deliveryattempt", INTEGER, ATTRIBUTE_OURS) \
    X(AUTHTYPE, "authtype", STRING, ATTRIBUTE_OURS) \
    X(AUTHID, "authid", STRING, ATTRIBUTE_OURS) \
    X(AUTHCLAIMS, "authclaims", STRING, ATTRIBUTE_OURS) \
    X(PEERADDRESS, "peeraddress", STRING, ATTRIBUTE_OURS) \
    X(DELIVERYID, "deliveryid", STRING, ATTRIBUTE_OURS) \
    X(DLREASON, "dlreason", STRING, ATTRIBUTE_OURS) \
    X(DLTARGET, "dltarget", STRING, ATTRIBUTE_OURS) \
    X(DLDETAIL, "dldetail", STRING, ATTRIBUTE_OURS) \
    X(DLCODE, "dlcode", INTEGER, ATTRIBUTE_OURS) \
    X(DLATTEMPTS, "dlattempts", INTEGER, ATTRIBUTE_OURS) \
    X(DLTIME, "dltime", TIMESTAMP, ATTRIBUTE_OURS) \
    X(HTTPMETHOD, "httpmethod", STRING, 0) \
    X(HTTPTARGET, "httptarget", URI_REFERENCE, 0) \
    X(HTTPAUTHORITY, "httpauthority", STRING, 0) \
    X(HTTPSCHEME, "httpscheme", STRING, 0) \
    X(HTTPHEADERS, "httpheaders", STRING, 0) \
    X(HTTPSTATUS, "httpstatus", INTEGER, 0) \
    X(HTTPPARAMS, "httpparams", STRING, 0) \
    X(SAMPLEDRATE, "sampledrate", INTEGER, 0) \
    X(SEVERITYTEXT, "severitytext", STRING, 0) \
    X(SEVERITYNUMBER, "severitynumber", INTEGER, 0) \
    X(DATAREF, "dataref", URI_REFERENCE, 0) \
    X(DATACLASSIFICATION, "dataclassification", STRING, 0) \
    X(DATAREGULATION, "dataregulation", STRING, 0) \
    X(DATACATEGORY, "datacategory", STRING, 0) \
    X(RECORDEDTIME, "recordedtime", TIMESTAMP, 0) \
    X(DEPRECATED, "deprecated", BOOLEAN, 0) \
    X(DEPRECATIONFROM, "deprecationfrom", TIMESTAMP, 0) \
    X(DEPRECATIONSUNSET, "deprecationsunset", TIMESTAMP, 0) \
    X(DEPRECATIONMIGRATION, "deprecationmigration", URI, 0) \
    X(DSSEMATERIAL, "dssematerial", BINARY, 0) \
    X(REPLYID, "replyid", STRING, 0)

#define ATTRIBUTE_OURS 1u

enum attribute {
#define ATTRIBUTE_ENUM(NAME, name, type, flags) ATTRIBUTE_##NAME,
    ATTRIBUTE_TABLE(ATTRIBUTE_ENUM)
#undef ATTRIBUTE_ENUM
    ATTRIBUTE_COUNT,
    ATTRIBUTE_OTHER = 0xff, /* known by its name only */
};

_Static_assert(ATTRIBUTE_COUNT <= 64, "sets of attributes are 64 bits");
#define ATTRIBUTE_BIT(a) (UINT64_C(1) << (a))

struct attribute_row {
    struct slice name;
    enum attribute_type type;
    unsigned flags;
};

const struct attribute_row *attribute_row(enum attribute attribute);
/* ATTRIBUTE_OTHER when none has that name. `specversion` and `data` are none. */
enum attribute attribute_find(struct slice name);
/* The set of attributes that only intertie may set. */
uint64_t attribute_ours(void);
/* CloudEvents section 3.1: `[a-z0-9]+`, at most 64 here, and not `data`, `data_base64` or `specversion`. */
bool attribute_name_is_valid(struct slice name);

/* Extensions that the configuration declares (`extensions:`), so that their types survive headers. Immutable. */
struct attribute_declared {
    const struct attribute_declaration {
        struct slice name;
        enum attribute_type type;
    } *rows;
    size_t count;
};

#endif
