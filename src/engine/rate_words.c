/* What an HTTP peer is told of the rates that bound it: RateLimit-Policy and RateLimit, draft-ietf-httpapi-ratelimit-headers-11.
 * Of a route and a system it hears when they refuse it. Names stay with us. */
#include "base/buffer.h"
#include "engine/rate_inner.h"

struct words {
    struct buffer policy, limit;
    bool any;
};

static uint64_t seconds(int64_t ns) {
    return ns <= 0 ? 0 : (uint64_t)((ns + NS_PER_S - 1) / NS_PER_S);
}

static uint64_t left_of(struct engine *engine, struct bucket *b, int unit) {
    if (bucket_is_here(engine, b))
        return rate_left(&b->level[unit], &b->rate->limits[unit], engine->now.mono);
    uint64_t left = b->asked_at.ns ? b->left[unit] : b->rate->limits[unit].burst; /* nobody has asked yet */
    left += b->lease[unit];
    return left < b->rate->limits[unit].burst ? left : b->rate->limits[unit].burst;
}

/* `t` is that of Retry-After where it refuses; else when all of it is there again. */
static void add(struct engine *engine, struct words *words, struct bucket *b, int unit) {
    const struct rate_limit *limit = &b->rate->limits[unit];
    const char *name = plan_rate_word(b->rate->kind);
    bool is_full = b == engine->rates.full, sizes = unit == PLAN_RATE_BYTES;
    uint64_t left = left_of(engine, b, unit), window = limit->burst * (limit->unit / NS_PER_S) / limit->per_ns;
    uint64_t missing = (limit->burst - left) * (limit->unit / NS_PER_S);
    uint64_t until = is_full ? seconds(engine->rates.full_ns) : (missing + limit->per_ns - 1) / limit->per_ns;
    const char *comma = words->any ? ", " : "";
    if (is_full && !sizes && left > 0 && b->rate->limits[PLAN_RATE_BYTES].burst)
        until = 0; /* it is the bytes that are used up */
    buffer_add_format(&words->policy, "%s\"%s%s\";q=%llu;w=%llu%s", comma, name, sizes ? "-bytes" : "",
                      (unsigned long long)limit->burst, (unsigned long long)(window ? window : 1),
                      sizes ? ";qu=\"content-bytes\"" : "");
    buffer_add_format(&words->limit, "%s\"%s%s\";r=%llu;t=%llu", comma, name, sizes ? "-bytes" : "",
                      (unsigned long long)left, (unsigned long long)until);
    words->any = true;
}

static void add_bucket(struct engine *engine, struct words *words, struct bucket *b) {
    for (int unit = 0; b && unit < PLAN_RATE_UNITS; unit++)
        if (b->rate->limits[unit].burst)
            add(engine, words, b, unit);
}

size_t rate_lines(void *connection, char *out, size_t room) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s ? s->engine : NULL;
    const struct plan_rates *rates = engine ? engine->plan->rates : NULL;
    uint8_t policy[320], limit[320];
    struct words words = {.any = false};
    struct buffer lines;
    if (!rates)
        return 0;
    struct bucket *full = engine->rates.full;
    const struct plan_rate *listener = s->listener ? rates->listeners[s->listener - engine->plan->listeners] : NULL;
    const struct plan_rate *identity = s->identity != SECURITY_NONE ? rates->identities[s->identity] : NULL;
    buffer_init_fixed(&words.policy, policy, sizeof policy);
    buffer_init_fixed(&words.limit, limit, sizeof limit);
    add_bucket(engine, &words, listener ? bucket_of(engine, s, listener, s->system) : NULL);
    add_bucket(engine, &words, identity ? bucket_of(engine, s, identity, s->system) : NULL);
    if (full && full->rate->kind != PLAN_RATE_LISTENER && full->rate->kind != PLAN_RATE_IDENTITY)
        add_bucket(engine, &words, full);
    if (!words.any)
        return 0;
    buffer_init_fixed(&lines, out, room);
    buffer_add_text(&lines, "RateLimit-Policy: ");
    buffer_add(&lines, buffer_slice(&words.policy));
    buffer_add_text(&lines, "\r\nRateLimit: ");
    buffer_add(&lines, buffer_slice(&words.limit));
    buffer_add_text(&lines, "\r\n");
    return lines.status == STATUS_OK && words.policy.status == STATUS_OK && words.limit.status == STATUS_OK ? lines.size : 0;
}
