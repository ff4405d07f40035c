/* The rows: every key of the configuration, once. Checking, defaults, JSON Schema, the reference and the surface test
 * read them. Each table belongs to the part of the program that its file names. */
#ifndef CONFIG_ROWS_H
#define CONFIG_ROWS_H

#include "config/config.h"

enum row_type {
    ROW_GROUP,     /* a map of fixed keys */
    ROW_NAMED,     /* a map keyed by names (its `*` rows say what is inside) */
    ROW_DURATION,  /* 500us 25ms 5s 2m 1h 7d */
    ROW_SIZE,      /* 1200B 64KiB 10MB */
    ROW_COUNT,     /* a bare number, not negative */
    ROW_INTEGER,   /* a bare number */
    ROW_RATE,      /* 200/s 10/m */
    ROW_BYTE_RATE, /* 5MiB/s */
    ROW_SHARE,     /* 20% */
    ROW_RANGE,     /* 25ms..250ms */
    ROW_BOOLEAN,   /* true, false: no other word */
    ROW_NAME,      /* [a-z0-9][a-z0-9_-]{0,62} */
    ROW_TEXT,
    ROW_PATH,      /* of a file */
    ROW_GLOB,
    ROW_ENUM,      /* one of `values` */
    ROW_URL,
    ROW_HTTP_URL,  /* absolute http or https, without query */
    ROW_CIDR,
    ROW_IP,
    ROW_REFERENCE, /* a name out of the map that `values` names */
    ROW_PATTERN,   /* value, prefix*, 4..5 */
    ROW_PRIORITY,  /* 1..5 or its name */
    ROW_RULE,      /* send type/com.acme.* */
    ROW_HASH,      /* sha256:64 hexadecimal digits */
    ROW_DATE,      /* 2027-03-01, or RFC 3339 with a time */
    ROW_CESQL,
    ROW_TEMPLATE,
    ROW_ATTRIBUTE, /* the name of an attribute, known or declared */
    ROW_WORKERS,   /* a count, or auto */
    ROW_OVERLAY,   /* any key but include and environments */
    ROW_CHAIN,     /* stages: maps of one key below `middleware.*`, and names of chains */
    ROW_TYPE_COUNT
};

enum {
    ROW_PLANNED = 1,    /* refused: not supported yet */
    ROW_SECRET = 2,     /* only by reference, shown as *** */
    ROW_LIST = 4,       /* a list; one value alone is a list of it */
    ROW_URL_SHORT = 8,  /* a bare URL is a map with `url` */
    ROW_TRUE_SHORT = 16, /* `true` is the feature with its defaults, `false` is off */
    ROW_REQUIRED = 32,
    ROW_SYSTEM = 64,    /* of a policy: may stand in a system too */
    ROW_ROUTE = 128,    /* of a policy: may stand in a route too */
    ROW_UNLIMITED = 256, /* `unlimited` is a value */
    ROW_OR_SYSTEM = 1024, /* ENUM: or the name of a system */
    ROW_ALL = 512,      /* `all` is a value */
};

struct config_row {
    const char *path; /* below the table's prefix; `*` is any name */
    enum row_type type;
    unsigned flags;
    const char *fallback; /* the default, as one would write it; NULL: none. In parentheses: words about it, for docs only */
    const char *doc;
    const char *values; /* ENUM: `a|b|!c`, `!` marks a planned one. REFERENCE: the map's path. URL: planned schemes aside */
    int64_t least;      /* ENUM: the C value of its first word. Else the lowest value */
    int64_t most;       /* 0: no bound */
    uint16_t field;     /* ROW_FIELD(): where build.c stores the value, 0: it has its own way */
    uint16_t policy;    /* 1 + enum config_policy_key */
};

#define ROW_FIELD(type, member) (uint16_t)(offsetof(struct type, member) + 1)

struct config_rows {
    const char *prefix; /* "", "listeners.*", ... */
    const char *title;  /* a heading of the reference */
    const struct config_row *rows;
    size_t count;
};

extern const struct config_rows rows_process;
extern const struct config_rows rows_listener;
extern const struct config_rows rows_system;
extern const struct config_rows rows_endpoint;
extern const struct config_rows rows_policy;
extern const struct config_rows rows_route;
extern const struct config_rows rows_security;
extern const struct config_rows rows_identity;
extern const struct config_rows rows_identity_key;
extern const struct config_rows rows_observe;
extern const struct config_rows rows_middleware;
extern const struct config_rows rows_later;

/* Bytes of the field that a row's value is stored in. */
size_t row_value_size(const struct config_row *row);

/* All tables, in the order of the reference; NULL ends. */
extern const struct config_rows *const config_tables[];

#endif
