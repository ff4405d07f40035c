/* The configuration as the rest of the program reads it: checked, typed, names resolved to indices, in the order in
 * which it was written. Immutable after config_load(); one arena; any thread may read it. Only what exists in this
 * version has a place here: keys that are planned were refused before.
 *
 * Conventions: durations are nanoseconds (CONFIG_FOREVER for `unlimited`), sizes are bytes and counts are plain
 * (CONFIG_UNLIMITED), an index is a place in the array of the same struct config. Texts are borrowed from it. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/address.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/slice.h"
#include "message/attribute.h"
#include "middleware/middleware.h"
#include "policy/balance.h"
#include "protocol/coding.h"

#define CONFIG_FOREVER INT64_MAX
#define CONFIG_UNLIMITED UINT64_MAX
#define CONFIG_NONE UINT32_MAX /* an index that names nothing */

/* The words before `://`. Those after SCHEME_UDP are known and refused. */
enum config_scheme {
    CONFIG_SCHEME_HTTP,
    CONFIG_SCHEME_HTTPS,
    CONFIG_SCHEME_WS,
    CONFIG_SCHEME_WSS,
    CONFIG_SCHEME_TCP,
    CONFIG_SCHEME_TLS,
    CONFIG_SCHEME_INTERTIE,
    CONFIG_SCHEME_INTERTIE_TLS,
    CONFIG_SCHEME_UDP,
    CONFIG_SCHEME_GRPC,
    CONFIG_SCHEME_GRPCS,
    CONFIG_SCHEME_MQTT,
    CONFIG_SCHEME_MQTTS,
    CONFIG_SCHEME_NATS,
    CONFIG_SCHEME_KAFKA,
    CONFIG_SCHEME_AMQP,
    CONFIG_SCHEME_AMQPS,
    CONFIG_SCHEME_COUNT
};

struct config_url {
    struct slice text; /* as written, after expansion */
    struct slice host; /* without brackets; a name or an address */
    struct slice path; /* http: begins with '/', query included; else empty */
    enum config_scheme scheme;
    uint16_t port; /* 0: any free one (listeners) */
    bool is_address;
    bool is_loopback; /* localhost, 127/8, ::1 */
};

struct config_texts {
    struct slice *items;
    size_t count;
};

struct config_attribute { /* an attribute with a value: `defaults` of a listener */
    struct slice name;
    struct slice value;
};

enum config_format { CONFIG_FORMAT_AUTO, CONFIG_FORMAT_CLOUDEVENTS, CONFIG_FORMAT_RAW, CONFIG_FORMAT_REST };
enum config_records { CONFIG_RECORDS_A, CONFIG_RECORDS_SRV };
enum config_frame {
    CONFIG_FRAME_AUTO,
    CONFIG_FRAME_LINE,
    CONFIG_FRAME_CRLF,
    CONFIG_FRAME_LEN16BE,
    CONFIG_FRAME_LEN32BE,
    CONFIG_FRAME_VARINT,
    CONFIG_FRAME_OCTET_COUNT,
    CONFIG_FRAME_MLLP,
    CONFIG_FRAME_FIXED,
    CONFIG_FRAME_IDLE,
    CONFIG_FRAME_UNTIL,
};
enum config_reply { CONFIG_REPLY_NONE, CONFIG_REPLY_FIFO };
enum config_mode { CONFIG_MODE_AUTO, CONFIG_MODE_BINARY, CONFIG_MODE_STRUCTURED, CONFIG_MODE_BATCH };
enum config_encoding { CONFIG_ENCODING_JSON, CONFIG_ENCODING_PROTOBUF };
enum config_offline { CONFIG_OFFLINE_HOLD, CONFIG_OFFLINE_REFUSE };
enum config_log_level { CONFIG_LOG_DEBUG, CONFIG_LOG_INFO, CONFIG_LOG_WARN, CONFIG_LOG_ERROR };
enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_JSON, CONFIG_LOG_TEXT };

enum { CONFIG_AUTH_KEY = 1, CONFIG_AUTH_CERTIFICATE = 2, CONFIG_AUTH_JWT = 4 };

#define CONFIG_UNTIL_MAX 64
struct config_until {
    uint8_t size;
    uint8_t bytes[CONFIG_UNTIL_MAX];
};

/* What `frame` is where it is a map. */
struct config_cut {
    uint64_t fixed;
    int64_t idle_ns;
    struct config_until until;
};

enum { CONFIG_WEBSOCKET_JSON = 1, CONFIG_WEBSOCKET_PROTO = 2, CONFIG_WEBSOCKET_STREAM = 4 };

/* `match.http`: a REST route. */
struct config_http {
    struct config_texts methods; /* none: any */
    struct config_texts hosts;
    struct config_texts paths; /* templates */
    struct config_http_header {
        struct slice name;
        struct config_texts values; /* `*`: whatever it says */
    } *headers;
    size_t header_count;
};

enum config_rest { CONFIG_REST_QUERY, CONFIG_REST_COMMAND, CONFIG_REST_REQUEST, CONFIG_REST_OTHER, CONFIG_REST_COUNT };

/* TCP keep-alive; probes begin after `idle_ns` of silence. CONFIG_FOREVER: never. */
struct config_keepalive {
    int64_t idle_ns;
    int64_t interval_ns;
    uint64_t count;
};

/* One to many, on udp. */
struct config_multicast {
    struct address *groups; /* listeners: to join; ports 0. A URL that is a group is one of them */
    size_t group_count;
    struct slice interface; /* empty: as routed */
    uint64_t ttl;           /* systems */
    bool loop;              /* systems */
};

#define CONFIG_GROUPS_MAX 64u /* of one listener */

enum config_proxy { CONFIG_PROXY_NONE, CONFIG_PROXY_V1, CONFIG_PROXY_V2 };

/* A certificate of ours, with its key; what is in the files as they were read. */
struct config_certificate {
    struct slice name;
    struct slice cert_path, key_path;
    struct slice cert, key; /* PEM; empty: not looked up */
};

struct config_authority {
    struct slice name;
    struct slice path;
    struct slice pem;
};

enum config_tls_client { CONFIG_TLS_CLIENT_NONE, CONFIG_TLS_CLIENT_OPTIONAL, CONFIG_TLS_CLIENT_REQUIRED };
enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
enum config_tls_ciphers { CONFIG_TLS_MODERN, CONFIG_TLS_COMPATIBLE };

struct config_tls {
    uint32_t *certificates; /* indices; an endpoint's: at most one */
    size_t certificate_count;
    uint32_t *authorities;
    size_t authority_count;
    enum config_tls_client client;
    enum config_tls_version min_version;
    enum config_tls_ciphers ciphers;
    struct config_texts alpn;
    struct slice server_name; /* resolved: the host where it isn't said */
    bool verify;
};

/* What we present to others. */
enum config_credential_kind {
    CONFIG_CREDENTIAL_HEADER,
    CONFIG_CREDENTIAL_BEARER,
    CONFIG_CREDENTIAL_BASIC,
    CONFIG_CREDENTIAL_WEBHOOK,
    CONFIG_CREDENTIAL_HMAC,
    CONFIG_CREDENTIAL_COUNT
};

#define CONFIG_SECRETS_MAX 8u          /* of one credential */
#define CONFIG_WEBHOOK_SECRET_MIN 24u  /* bytes: Standard Webhooks 1.0 */
#define CONFIG_WEBHOOK_SECRET_MAX 64u
#define CONFIG_HMAC_SECRET_MIN 16u     /* bytes */

struct config_credential {
    struct slice name;
    enum config_credential_kind kind;
    struct slice user; /* basic: the user; header: the field's name */
    struct config_texts secrets; /* webhook, hmac: several for rotation, the first is the one to sign with alone; else one.
                                  * Those of a webhook are decoded. Never to be logged or shown */
};

/* How much may pass; both 0: as much as comes. */
enum config_rate_by { CONFIG_RATE_IDENTITY, CONFIG_RATE_SYSTEM, CONFIG_RATE_ADDRESS, CONFIG_RATE_ALL };
struct config_rate {
    uint64_t messages; /* in 1000 s; 0: any number */
    uint64_t bytes;    /* a second; 0: any number */
    uint64_t burst;    /* messages, or bytes where only those have a rate; 0: one second's worth */
    enum config_rate_by by;
};

struct config_listener {
    struct slice name;
    struct config_url url;
    struct config_tls tls; /* where the scheme has it */
    uint32_t auth;      /* CONFIG_AUTH_* bits, any one suffices; 0: nobody is asked */
    uint32_t system;    /* all that comes in is from this system; CONFIG_NONE: see rule of `from` */
    bool anonymous;     /* peers without identity are welcome, off loopback too */
    bool insecure;      /* keys in clear text off loopback are welcome */
    uint64_t max_priority; /* 1..5, of peers that don't say who they are */
    struct config_rate rate;
    struct cidr *allow; /* none: any address */
    size_t allow_count;
    struct cidr *trusted_proxies; /* none: nobody's PROXY header, Forwarded and X-Forwarded-* count */
    size_t trusted_proxy_count;
    bool proxy_protocol; /* a PROXY header comes first */
    enum config_format format; /* resolved: AUTO on http, CLOUDEVENTS elsewhere */
    enum config_frame frame;
    struct config_cut cut;
    uint8_t compress[CODING_COUNT]; /* enum coding, the dearest first; 0 ends */
    struct config_texts origins; /* of pages that may use it, beside those of the same host */
    struct config_websocket {
        uint32_t subprotocols; /* CONFIG_WEBSOCKET_* bits; 0: all of ours */
        int64_t ping_ns;       /* a silent peer is asked so often whether it is there */
        bool compression;
    } websocket;
    struct config_attribute *defaults; /* for what is wrapped */
    size_t default_count;
    struct {
        uint64_t message; /* bytes; never above that of the process; 1200 on udp unless set */
        uint64_t header;  /* bytes of the HTTP header section */
        uint64_t fields;  /* HTTP header fields */
        uint64_t connections;
        uint64_t per_peer; /* connections from one address; CONFIG_UNLIMITED */
        uint64_t min_rate; /* bytes a second of what was begun; CONFIG_UNLIMITED: as slow as it likes */
        uint64_t per_source; /* udp: datagrams a second from one network; CONFIG_UNLIMITED */
    } limits;
    struct {
        int64_t head_ns;
        int64_t auth_ns;
        int64_t tls_ns;
        int64_t idle_ns; /* resolved: 60s on http, 5m on streams */
        int64_t write_ns;
    } timeouts;
    struct config_keepalive keepalive;
    struct {
        int64_t keep_ns; /* a reply is kept so long for who fetches it later */
        uint64_t replies; /* so many of them, in each worker */
    } async;
    struct config_multicast multicast;
    bool broadcast; /* udp: what was sent to all is taken, too */
    uint32_t envelope; /* udp: the credential, an hmac, that datagrams must show; CONFIG_NONE */
};

/* What `policies` carry. `set` has CONFIG_POLICY_BIT(x) for each value that its holder (a route or its named
 * policy; a system or its named policy) brought itself; every field has a value anyway. */
enum config_policy_key {
    CONFIG_POLICY_CONNECT,
    CONFIG_POLICY_ATTEMPT,
    CONFIG_POLICY_REQUEST,
    CONFIG_POLICY_QUEUE,
    CONFIG_POLICY_ACK,
    CONFIG_POLICY_IN_FLIGHT,
    CONFIG_POLICY_QUEUE_MESSAGES,
    CONFIG_POLICY_QUEUE_BYTES,
    CONFIG_POLICY_TTL,
    CONFIG_POLICY_TTL_MAX,
    CONFIG_POLICY_BALANCE,
    CONFIG_POLICY_IDEMPOTENT,
    CONFIG_POLICY_RETRY_ATTEMPTS,
    CONFIG_POLICY_RETRY_OUTCOMES,
    CONFIG_POLICY_RETRY_BASE,
    CONFIG_POLICY_RETRY_MAX,
    CONFIG_POLICY_RETRY_FACTOR,
    CONFIG_POLICY_BUDGET_SHARE,
    CONFIG_POLICY_BUDGET_MIN,
    CONFIG_POLICY_HEDGE,
    CONFIG_POLICY_REDELIVER_ATTEMPTS,
    CONFIG_POLICY_REDELIVER_OUTCOMES,
    CONFIG_POLICY_REDELIVER_BASE,
    CONFIG_POLICY_REDELIVER_MAX,
    CONFIG_POLICY_REDELIVER_FACTOR,
    CONFIG_POLICY_DEAD_LETTER,
    CONFIG_POLICY_DEDUPE_WINDOW,
    CONFIG_POLICY_DEDUPE_BY,
    CONFIG_POLICY_RATE_MESSAGES,
    CONFIG_POLICY_RATE_BYTES,
    CONFIG_POLICY_RATE_BURST,
    CONFIG_POLICY_RATE_BY,
    CONFIG_POLICY_COUNT
};
#define CONFIG_POLICY_BIT(key) (UINT64_C(1) << CONFIG_POLICY_##key)

/* Who brought a policy's value; the nearest is the highest. */
enum config_origin {
    CONFIG_ORIGIN_BUILT_IN,
    CONFIG_ORIGIN_DEFAULT, /* policies.default */
    CONFIG_ORIGIN_NAMED,   /* the policy that its holder names */
    CONFIG_ORIGIN_OWN,     /* the holder, a system or a route, itself */
};

/* What a probe is. */
enum config_health_type {
    CONFIG_HEALTH_AUTO, /* as the scheme has it */
    CONFIG_HEALTH_HTTP,
    CONFIG_HEALTH_WEBSOCKET,
    CONFIG_HEALTH_TCP,
    CONFIG_HEALTH_STREAM,
    CONFIG_HEALTH_UDP,
};
/* `204`, `2xx` or `200..299`; false: it is none of them. */
bool config_codes(struct slice text, uint16_t *ret_low, uint16_t *ret_high);

/* `retry`, `redeliver`. */
struct config_retry {
    uint64_t attempts; /* in all */
    uint64_t factor;
    int64_t base_ns;   /* 0: as webhooks do */
    int64_t max_ns;
    uint32_t outcomes; /* RETRY_BITs of policy/retry.h */
};

/* Of one priority of a recipient; CONFIG_UNLIMITED. */
struct config_lane {
    uint64_t messages;
    uint64_t bytes;
};
#define CONFIG_LANES 5 /* by priority - 1 */

#define CONFIG_DEDUPE_BY_MAX 8

struct config_policy {
    struct {
        int64_t connect_ns;
        int64_t attempt_ns;
        int64_t request_ns;
        int64_t queue_ns;
        int64_t ack_ns;
    } timeouts;
    struct {
        uint64_t in_flight;         /* per dialled endpoint */
        uint64_t session_in_flight; /* per dialled-in session: 256 unless in_flight is set */
        uint64_t queue_messages;
        uint64_t queue_bytes;
        struct config_lane lanes[CONFIG_LANES];
    } limits;
    int64_t ttl_ns;     /* CONFIG_FOREVER: none is given to a message without expiry */
    int64_t ttl_max_ns; /* CONFIG_FOREVER: no cap */
    struct {
        enum balance_by by;
        struct slice key;  /* CESQL; empty: none */
        int64_t sticky_ns; /* 0: nobody stays */
    } balance;
    struct {
        uint32_t prefer; /* local */
        uint32_t spill;  /* thousandths, as all shares */
    } zones;
    uint32_t panic;
    struct {
        int64_t over_ns;
        uint32_t from;
    } slow_start;
    struct config_outlier {
        bool on;
        uint64_t consecutive;
        uint32_t failure_rate;
        uint32_t max_ejected;
        int64_t latency_ns; /* 0: not looked at */
        int64_t interval_ns;
        int64_t eject_ns;
        int64_t eject_max_ns;
    } outlier;
    struct config_breaker {
        bool on;
        uint64_t failures;
        uint32_t share;
        int64_t window_ns;
        uint64_t min;
        int64_t open_ns;
        int64_t open_max_ns;
        uint64_t probes;
    } breaker;
    struct config_health {
        bool on;
        enum config_health_type type;
        struct slice path;   /* empty: `/`, on WebSocket that of the URL */
        struct slice send;   /* empty: nothing */
        struct slice expect; /* empty: nothing */
        struct slice status; /* as config_codes() reads it; empty: 2xx */
        struct slice body;   /* empty: any */
        int64_t interval_ns;
        int64_t timeout_ns;
        uint64_t rise;
        uint64_t fall;
        uint32_t jitter;
    } health;
    bool idempotent;
    struct config_retry retry;     /* request, query */
    struct config_retry redeliver; /* event, command */
    struct {
        uint64_t min;
        uint32_t share; /* thousandths */
    } budget; /* of retry */
    struct {
        int64_t window_ns; /* 0: nothing is looked for */
        struct slice by;   /* names of attributes, with commas */
        bool events;       /* too, not just commands: it was written */
    } dedupe;
    int64_t hedge_ns; /* 0: off */
    struct config_rate rate; /* not overridden: that of a route and that of a system both count */
    uint32_t dead_letter; /* CONFIG_DEAD_LETTER_x, or that of SYSTEM and the system's index */
    uint64_t set;
};

enum { CONFIG_DEAD_LETTER_KEEP, CONFIG_DEAD_LETTER_DROP, CONFIG_DEAD_LETTER_SYSTEM };

struct config_endpoint {
    struct slice name; /* `main` for a system's bare url */
    struct config_url url;
    struct config_tls tls;
    uint32_t credential; /* what we present there; CONFIG_NONE: nothing */
    bool enabled;
    uint64_t weight;
    uint64_t tier;
    struct slice zone; /* empty: nowhere in particular */
};

struct config_system {
    struct slice name;
    struct config_endpoint *endpoints;
    size_t endpoint_count;
    bool is_bare; /* its endpoint is a bare `url` */
    struct config_discover {
        struct slice dns; /* empty: nothing is looked for */
        struct slice url; /* of `{host}` and `{port}` */
        enum config_records records;
        int64_t every_ns; /* 0: as long as the records live */
    } discover;
    int64_t lease_ns; /* of endpoints that register; 0: none may */
    struct config_endpoint *
        found; /* what endpoints that are found or register have in common: all but name and URL; NULL: there are none */
    bool accept; /* sessions may dial in */
    uint64_t sessions; /* at most so many */
    enum config_offline offline;
    struct config_texts source; /* prefixes that it may write in `source`; at least one */
    bool stamp;
    enum config_format format;
    enum config_mode mode;
    enum config_encoding encoding;
    uint8_t compress[CODING_COUNT]; /* enum coding, the dearest first; 0 ends */
    struct config_websocket websocket;
    enum config_frame frame;
    struct config_cut cut;
    enum config_reply reply;
    struct {
        struct slice expect; /* empty: nothing */
        struct slice send;
        int64_t within_ns;
    } greet;
    struct slice rest[CONFIG_REST_COUNT]; /* `METHOD`, or `METHOD /template` */
    struct config_attribute *headers;     /* fields that are added: templates */
    size_t header_count;
    bool preserve_host;
    struct {
        uint64_t max;
        uint64_t min;         /* kept open */
        int64_t idle_ns;
        int64_t max_age_ns;   /* CONFIG_FOREVER: as long as it lasts */
        uint64_t max_requests; /* CONFIG_UNLIMITED */
        uint64_t pipeline; /* http: requests on their way on one connection; fifo too */
    } pool; /* per endpoint and worker */
    struct {
        uint64_t max; /* events */
        int64_t wait_ns;
    } batch; /* http: counts where `mode` is `batch` */
    struct {
        bool handshake; /* consent comes before the first event */
        uint64_t rate;  /* that is asked for, in 1000 s; 0: none is named */
    } webhook;
    enum config_proxy proxy_protocol;
    struct config_keepalive keepalive;
    struct config_multicast multicast;
    bool broadcast; /* its address may be one of all */
    uint64_t message; /* bytes that it takes in one; udp */
    uint32_t envelope; /* udp: what datagrams show; CONFIG_NONE */
    struct config_policy policy; /* nearest wins: system, its policy, policies.default, built in */
    struct slice policy_name;    /* empty: none */
    const uint8_t *origins;      /* enum config_origin, by row of rows_policy; see config/origin.h */
};

enum config_pattern_kind {
    CONFIG_PATTERN_EXACT,  /* the attribute's canonical text equals `text` */
    CONFIG_PATTERN_PREFIX, /* it begins with `text` */
    CONFIG_PATTERN_RANGE,  /* integer attribute: low <= value <= high; one number is a range too */
};

struct config_pattern {
    enum config_pattern_kind kind;
    struct slice text;
    int64_t low;
    int64_t high;
};

enum config_match_kind { CONFIG_MATCH_ATTRIBUTE, CONFIG_MATCH_FROM, CONFIG_MATCH_LISTENER };

/* One line of `match`: any of its values; all lines must hold. */
struct config_match {
    enum config_match_kind kind;
    struct slice attribute; /* ATTRIBUTE */
    enum attribute_type type;
    struct config_pattern *patterns; /* ATTRIBUTE */
    size_t pattern_count;
    uint32_t *indices; /* FROM: systems; LISTENER: listeners */
    size_t index_count;
};

enum config_trace { CONFIG_TRACE_SAMPLE, CONFIG_TRACE_ALL };
/* What `to` lists. */
enum config_way {
    CONFIG_WAY_COPIES, /* each gets one */
    CONFIG_WAY_FAILOVER, /* the first that can take it */
    CONFIG_WAY_SPLIT, /* one of them, by weight */
};

struct config_route {
    struct slice name;
    struct config_match *matches; /* none: every message */
    size_t match_count;
    struct slice when; /* CESQL; empty: none. It compiled when the configuration was checked. */
    bool has_target;   /* `match` names `target`, so it says how, not where; then `to` is empty */
    bool to_all;
    enum config_way way;
    uint32_t *to; /* systems, as written */
    size_t to_count;
    uint64_t *weights; /* SPLIT: as `to`; their sum is above 0 */
    struct {
        uint32_t to; /* CONFIG_NONE: none */
        uint32_t share; /* thousandths, as all shares */
    } mirror;
    struct config_fault {
        bool on;
        int64_t delay_ns; /* 0: none */
        enum status abort; /* OK: it isn't */
        uint32_t share;
    } fault;
    uint32_t *except;
    size_t except_count;
    struct config_http *http; /* NULL: for messages. Else `matches` has FROM and LISTENER alone */
    const struct middleware_spec *stages; /* middleware, chains opened, in their order */
    size_t stage_count;
    uint32_t proxy;           /* the system that its exchanges are streamed to; CONFIG_NONE: they become messages */
    int64_t order;
    bool enabled;
    enum config_trace trace;
    struct config_policy policy; /* route, its policy; elsewhere policies.default, built in. See config_policy_of(). */
    struct slice policy_name;    /* as in struct config_system */
    const uint8_t *origins;
    struct slice file; /* where it is written */
    uint32_t line;     /* 0: in no line of it */
};

enum config_verb { CONFIG_VERB_SEND, CONFIG_VERB_CALL, CONFIG_VERB_SUBSCRIBE };

struct config_rule {
    enum config_verb verb;
    bool is_type;         /* type/X (messages without target) or system/X (with) */
    bool is_prefix;       /* X ended in '*', which `pattern` lacks */
    struct slice pattern; /* empty prefix: every one */
};

struct config_key {
    struct slice name;
    uint8_t hash[32];    /* SHA-256 of the whole key string */
    struct wall expires; /* INT64_MAX: never */
};

struct config_identity {
    struct slice name;
    uint32_t system; /* whom it acts as; CONFIG_NONE: nobody, it only calls and sends as allowed */
    struct config_key *keys;
    size_t key_count;
    struct config_texts san; /* names in a certificate that make a peer it; any of them */
    struct config_rule *allow;
    size_t allow_count;
    struct config_rule *deny;
    size_t deny_count;
    uint64_t max_priority;
    struct config_rate rate;
};

struct config_room_level {
    struct slice room;
    enum config_log_level level;
};

struct config {
    struct arena arena;
    char digest[7];           /* six hexadecimal digits over the merged text, for `status` */
    struct slice path;        /* of the main file */
    struct slice environment; /* empty: the base */
    struct slice name;
    struct slice zone;       /* empty: nowhere in particular */
    struct slice public_url; /* empty: relative */
    struct slice run_dir;    /* empty: the platform's default */
    uint64_t workers;        /* 0: one per usable core */
    uint64_t message_max;    /* limits.message of the process */
    uint64_t memory_max;     /* limits.memory; CONFIG_UNLIMITED */
    uint64_t connections_max; /* limits.connections of the process */
    int64_t busy_poll_ns; /* a worker looks for input so long before it sleeps */
    struct {
        int64_t announce_ns;
        int64_t grace_ns;
    } drain;
    struct {
        struct config_url url;
        struct slice socket; /* empty: RUN_DIR/NAME.sock */
    } admin;
    struct {
        enum config_log_level level;
        enum config_log_format format;
        struct slice file; /* empty: standard error */
        uint64_t rotate_size;
        uint64_t rotate_keep;
        struct config_room_level *levels;
        size_t level_count;
    } log;
    struct {
        uint64_t messages;
        uint64_t bytes;
        int64_t keep_ns; /* CONFIG_FOREVER: while there is room */
    } dead_letters; /* storage.dead_letters */
    struct {
        uint64_t series;
        uint64_t trace_ring; /* bytes over all workers; 0: none is kept */
    } telemetry;
    struct attribute_declared extensions; /* `extensions:` */
    struct config_listener *listeners;
    size_t listener_count;
    struct config_system *systems;
    size_t system_count;
    struct config_route *routes; /* sorted: by `order`, then included files' before their includer's, then as written */
    size_t route_count;          /* `enabled: false` ones are here too */
    struct config_certificate *certificates;
    size_t certificate_count;
    struct config_authority *authorities;
    size_t authority_count;
    struct config_credential *credentials;
    size_t credential_count;
    struct config_identity *identities;
    size_t identity_count;
    struct config_policy defaults; /* policies.default over built in */
    struct slice text;             /* merged, one line a value, secrets hidden: config_print() without origins */
};

void config_free(struct config *config);

/* Takes the URL of an endpoint apart, as config_load() does; *ret_url borrows from `text`. False with the words. */
struct scalar_why;
bool config_endpoint_url(struct slice text, struct config_url *ret_url, struct scalar_why *why);
/* `text`, a `discover.url`, with these in the places of `{host}` and `{port}`; an IPv6 address gets its brackets. */
enum status config_found_url(struct slice text, struct slice host, uint16_t port, struct buffer *out);

/* Index by name, CONFIG_NONE when nobody has it. Linear: for edges, not for the message path. */
uint32_t config_system_find(const struct config *config, struct slice name);
uint32_t config_listener_find(const struct config *config, struct slice name);

/* What counts for a message to `system` by `route` (NULL: by its target alone), nearest wins key by key:
 * route, its policy, system, its policy, policies.default, built in. For compile time, not per message. */
struct config_policy config_policy_of(const struct config *config, const struct config_route *route,
                                      const struct config_system *system);

const char *config_scheme_name(enum config_scheme scheme);
/* The same without TLS: https is http, tls is tcp. */
enum config_scheme config_scheme_plain(enum config_scheme scheme);
static inline bool config_scheme_is_tls(enum config_scheme scheme) {
    return config_scheme_plain(scheme) != scheme;
}

#endif
