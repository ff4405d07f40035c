/* The metrics of one worker. Series are looked up when something first occurs, then kept; engines' totals are copied
 * into their cells now and then, so that no scrape ever takes a lock. */
#include "engine/trace.h"
#include "runtime/inner.h"

#define NOTHING slice_make("", 0)

static struct slice priority_text(unsigned priority) {
    static const char digits[] = "012345";
    return priority == 0 ? NOTHING : slice_make(digits + priority, 1);
}

static struct slice direction_text(bool dialled) {
    return dialled ? SLICE_OF("dialled") : SLICE_OF("accepted");
}

bool tally_init(struct tally *tally) {
    *tally = (struct tally){.set = metrics_new(METRICS_SERIES_DEFAULT)};
    return tally->set != NULL;
}

static void forget_plan(struct tally *tally) {
    for (size_t i = 0; i < tally->system_count; i++) {
        memory_free((void *)(uintptr_t)tally->systems[i].name.data);
    }
    memory_free(tally->systems);
    memory_free(tally->listeners);
    tally->systems = NULL;
    tally->listeners = NULL;
    tally->system_count = tally->listener_count = 0;
}

void tally_done(struct tally *tally) {
    tally_endpoints_forget(tally);
    forget_plan(tally);
    metrics_free(tally->set);
    tally->set = NULL;
}

static void make_series(struct tally *tally, struct tally_system *system) {
    struct metrics *set = tally->set;
    for (unsigned p = 1; p <= PRIORITY_COUNT; p++) {
        system->depth[p] = METRICS_SERIES(set, METRIC_QUEUE_DEPTH, system->name, priority_text(p));
        system->oldest[p] = METRICS_SERIES(set, METRIC_QUEUE_OLDEST_AGE, system->name, priority_text(p));
    }
    system->bytes = METRICS_SERIES(set, METRIC_QUEUE_BYTES, system->name, NOTHING);
    system->retry_later = METRICS_SERIES(set, METRIC_RETRIES_WAITING, system->name);
    system->retry_budget = METRICS_SERIES(set, METRIC_RETRY_BUDGET, system->name);
    system->unsettled = METRICS_SERIES(set, METRIC_DELIVERIES_UNSETTLED, system->name);
    system->sessions = METRICS_SERIES(set, METRIC_SYSTEM_SESSIONS, system->name);
    system->duration = METRICS_SERIES(set, METRIC_DELIVERY_DURATION, system->name);
}

/* Only of those that are streamed to. */
static void make_exchange_series(struct tally *tally, struct tally_system *system) {
    system->exchange_duration = METRICS_SERIES(tally->set, METRIC_EXCHANGE_DURATION, system->name);
    system->exchange_bytes[0] = METRICS_SERIES(tally->set, METRIC_EXCHANGE_BYTES, system->name, SLICE_OF("in"));
    system->exchange_bytes[1] = METRICS_SERIES(tally->set, METRIC_EXCHANGE_BYTES, system->name, SLICE_OF("out"));
    system->exchanges_open = METRICS_SERIES(tally->set, METRIC_EXCHANGES_OPEN, system->name);
}

static void set_gauges(struct tally *tally, struct tally_system *system, const struct engine_system_view *view,
                       struct mono now) {
    struct metrics *set = tally->set;
    for (unsigned p = 1; p <= PRIORITY_COUNT; p++) {
        metrics_set(set, system->depth[p], (int64_t)view->held[p]);
        metrics_set(set, system->oldest[p], view->held[p] ? now.ns - view->oldest[p].ns : 0);
    }
    metrics_set(set, system->bytes, (int64_t)view->held_bytes);
    metrics_set(set, system->unsettled, (int64_t)(view->in_flight + view->awaiting_reply));
    if (view->streams && system->exchanges_open == METRICS_NO_SERIES)
        make_exchange_series(tally, system);
    if (system->exchanges_open != METRICS_NO_SERIES)
        metrics_set(set, system->exchanges_open, (int64_t)view->streams);
    metrics_set(set, system->retry_later, (int64_t)view->retry_later);
    metrics_set(set, system->retry_budget, (int64_t)view->retry_budget_left);
    metrics_set(set, system->sessions, (int64_t)view->connections + view->sessions);
}

static void make_listeners(struct tally *tally, const struct plan *plan) {
    size_t count = plan->config->listener_count;
    tally->listeners = memory_array(count + 1, sizeof *tally->listeners);
    if (!tally->listeners)
        return;
    tally->listener_count = count + 1;
    for (size_t i = 0; i < count; i++)
        tally->listeners[i].series = METRICS_SERIES(tally->set, METRIC_MESSAGES_RECEIVED,
                                                    slice_from(plan->listeners[i].protocol->name),
                                                    plan->config->listeners[i].name);
    tally->listeners[count].series = METRICS_SERIES(tally->set, METRIC_MESSAGES_RECEIVED, NOTHING, SLICE_OF("dialled"));
}

/* Without memory for it a system isn't counted by name; its messages go on. */
void tally_configure(struct tally *tally, const struct plan *plan) {
    const struct config *config = plan->config;
    static const struct engine_system_view nothing;
    for (size_t i = 0; i < tally->system_count; i++)
        set_gauges(tally, &tally->systems[i], &nothing, (struct mono){0});
    tally_endpoints_forget(tally);
    forget_plan(tally);
    metrics_bound(tally->set, (uint32_t)config->telemetry.series);
    make_listeners(tally, plan);
    tally->systems = memory_array(config->system_count + 1, sizeof *tally->systems);
    for (size_t i = 0; tally->systems && i < config->system_count; i++) {
        struct slice name = config->systems[i].name;
        char *copy = memory_copy_text((const char *)name.data, name.size);
        if (!copy)
            break;
        tally->systems[i].name = slice_make(copy, name.size);
        tally->system_count = i + 1;
        make_series(tally, &tally->systems[i]);
    }
}

static uint32_t landed_series(struct tally *tally, struct tally_system *system, const struct engine_count *count) {
    bool replied = count->ending == ENDING_REPLIED;
    if (system->protocol != count->protocol) { /* a system mostly speaks one protocol */
        memset(system->landed, 0, sizeof system->landed);
        system->protocol = count->protocol;
    }
    uint32_t *series = &system->landed[replied][count->priority];
    if (*series == METRICS_NO_SERIES)
        *series = METRICS_SERIES(tally->set, replied ? METRIC_MESSAGES_REPLIED : METRIC_MESSAGES_DELIVERED, system->name,
                                 count->protocol ? slice_from(count->protocol->name) : NOTHING,
                                 priority_text(count->priority));
    return *series;
}

/* A subscription of somebody unknown: each message to it comes by here. */
static uint32_t nameless_series(struct tally *tally, const struct engine_count *count) {
    bool fits = count->name.size <= sizeof tally->nameless.name;
    if (fits && !slice_equal(count->name, slice_make(tally->nameless.name, tally->nameless.size))) {
        memset(&tally->nameless, 0, sizeof tally->nameless);
        tally->nameless.size = (uint8_t)count->name.size;
        if (count->name.size)
            memcpy(tally->nameless.name, count->name.data, count->name.size);
    }
    uint32_t *series = &tally->nameless.series[count->ending == ENDING_REPLIED][count->priority];
    if (fits && *series != METRICS_NO_SERIES)
        return *series;
    uint32_t found = METRICS_SERIES(tally->set, METRIC_MESSAGES_DELIVERED, count->name, NOTHING,
                                    priority_text(count->priority));
    if (fits)
        *series = found;
    return found;
}

static enum metric metric_of(enum engine_ending ending) {
    switch (ending) {
    case ENDING_EXPIRED:
        return METRIC_MESSAGES_EXPIRED;
    case ENDING_REJECTED:
        return METRIC_MESSAGES_REJECTED;
    case ENDING_DEAD:
        return METRIC_MESSAGES_DEAD_LETTERED;
    case ENDING_DELIVERED:
    case ENDING_REPLIED:
    case ENDING_DROPPED:
    case ENDING_COUNT:
        break;
    }
    return METRIC_MESSAGES_DROPPED;
}

void tally_ending(struct tally *tally, const struct engine_count *count) {
    struct tally_system *system = count->system < tally->system_count ? &tally->systems[count->system] : NULL;
    if (system && count->ending <= ENDING_REPLIED) {
        metrics_add(tally->set, landed_series(tally, system, count), count->count);
        if (count->duration_ns >= 0)
            metrics_record(tally->set, system->duration, (uint64_t)count->duration_ns, count->count);
        return;
    }
    if (count->ending <= ENDING_REPLIED) {
        metrics_add(tally->set, nameless_series(tally, count), count->count);
        return;
    }
    metrics_add(tally->set, METRICS_SERIES(tally->set, metric_of(count->ending), count->name,
                                           priority_text(count->priority), slice_from(status_reason(count->status))),
                count->count);
}

/* Which codes there are is known, what systems answer is not: by class. */
static uint32_t exchange_series(struct tally *tally, struct tally_system *system, const struct engine_exchange *exchange) {
    static const char *const classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    unsigned at = exchange->code / 100 < COUNT_OF(classes) ? exchange->code / 100 : 0;
    uint32_t *series = exchange->status == STATUS_OK ? &system->exchanges[at] : NULL;
    if (series && *series != METRICS_NO_SERIES)
        return *series;
    uint32_t found = METRICS_SERIES(tally->set, METRIC_EXCHANGES, system->name, slice_from(classes[at]),
                                    exchange->status == STATUS_OK ? SLICE_OF("ok") : slice_from(status_reason(exchange->status)));
    if (series)
        *series = found;
    return found;
}

void tally_exchange(struct tally *tally, const struct engine_exchange *exchange) {
    struct metrics *set = tally->set;
    if (exchange->system_index >= tally->system_count)
        return;
    struct tally_system *system = &tally->systems[exchange->system_index];
    if (system->exchange_duration == METRICS_NO_SERIES)
        make_exchange_series(tally, system);
    metrics_add(set, exchange_series(tally, system, exchange), 1);
    metrics_add(set, system->exchange_bytes[0], exchange->bytes_in);
    metrics_add(set, system->exchange_bytes[1], exchange->bytes_out);
    if (exchange->answer_ns >= 0)
        metrics_record(set, system->exchange_duration, (uint64_t)exchange->answer_ns, 1);
}

void tally_bytes(struct tally *tally, const struct protocol *protocol, bool dialled, bool out, uint64_t count) {
    struct tally_bytes *free_one = NULL;
    for (size_t i = 0; i < COUNT_OF(tally->bytes); i++) {
        struct tally_bytes *at = &tally->bytes[i];
        if (at->protocol == protocol && at->dialled == dialled) {
            metrics_add(tally->set, at->series[out], count);
            return;
        }
        if (!at->protocol && !free_one)
            free_one = at;
    }
    struct slice name = slice_from(protocol->name), direction = direction_text(dialled);
    uint32_t series[2] = {METRICS_SERIES(tally->set, METRIC_BYTES_RECEIVED, name, direction),
                          METRICS_SERIES(tally->set, METRIC_BYTES_SENT, name, direction)};
    if (free_one)
        *free_one = (struct tally_bytes){.protocol = protocol, .dialled = dialled, .series = {series[0], series[1]}};
    metrics_add(tally->set, series[out], count);
}

/* The one that it was opened with: sniffing and upgrades change a connection's protocol, but what was counted up must
 * be counted down. Listeners may have changed since, so its setup tells, which stands in its plan. */
static const struct protocol *first_protocol(const struct connection *c) {
    if (c->setup->role == PROTOCOL_DIALLED || c->setup->is_admin)
        return c->protocol;
    const char *setup = (const char *)c->setup;
    return ((const struct plan_listener *)(const void *)(setup - offsetof(struct plan_listener, setup)))->protocol;
}

/* Ends that a key sets a limit for. */
static const struct {
    enum status status;
    const char *limit;
} limits[] = {
    {STATUS_TOO_SLOW, "listeners.limits.min_rate"},    {STATUS_WRITE_TIMEOUT, "listeners.timeouts.write"},
    {STATUS_HEAD_TIMEOUT, "listeners.timeouts.head"},  {STATUS_AUTH_TIMEOUT, "listeners.timeouts.auth"},
    {STATUS_IDLE_TIMEOUT, "listeners.timeouts.idle"},  {STATUS_FRAME_TOO_LARGE, "listeners.limits.message"},
    {STATUS_TOO_LARGE, "listeners.limits.message"},    {STATUS_HEADERS_TOO_LARGE, "listeners.limits.header"},
    {STATUS_OVERLOADED, "limits.memory"},              {STATUS_HANDSHAKE_TIMEOUT, "listeners.timeouts.tls"},
};

const char *tally_limit_of(const struct connection *c) {
    for (size_t i = 0; i < COUNT_OF(limits) && c->setup->role == PROTOCOL_ACCEPTED; i++)
        if (limits[i].status == c->reason)
            return limits[i].limit;
    return NULL;
}

void tally_connection(struct tally *tally, const struct connection *c, bool opened) {
    bool dialled = c->setup->role == PROTOCOL_DIALLED;
    struct slice protocol = slice_from(first_protocol(c)->name);
    struct slice direction = direction_text(dialled);
    if (!opened && !c->was_open && !dialled) { /* it was never let in */
        if (tally_limit_of(c))
            tally_limit(tally, tally_limit_of(c));
        metrics_add(tally->set, METRICS_SERIES(tally->set, METRIC_CONNECTIONS_CLOSED, protocol, direction,
                                               slice_from(status_reason(c->reason))), 1);
        return;
    }
    if (!opened && !c->was_open) {
        size_t cut = slice_find(c->setup->name, '/');
        metrics_add(tally->set, METRICS_SERIES(tally->set, METRIC_DIAL_FAILURES, slice_head(c->setup->name, cut),
                                               slice_from(status_reason(c->reason))), 1);
        return;
    }
    metrics_move(tally->set, METRICS_SERIES(tally->set, METRIC_CONNECTIONS, protocol, direction), opened ? 1 : -1);
    if (!opened && tally_limit_of(c))
        tally_limit(tally, tally_limit_of(c));
    if (opened)
        metrics_add(tally->set, METRICS_SERIES(tally->set, METRIC_CONNECTIONS_OPENED, protocol, direction), 1);
    else
        metrics_add(tally->set, METRICS_SERIES(tally->set, METRIC_CONNECTIONS_CLOSED, protocol, direction,
                                               slice_from(status_reason(c->reason))), 1);
}

void tally_retried(struct tally *tally, uint32_t system, const struct engine_retry *retry) {
    struct metrics *set = tally->set;
    struct slice name = system < tally->system_count ? tally->systems[system].name : NOTHING;
    if (retry->why != RETRY_AGAIN) {
        metrics_add(set, METRICS_SERIES(set, METRIC_RETRIES_REFUSED, name, slice_from(retry_why_name(retry->why))), 1);
        return;
    }
    metrics_add(set, METRICS_SERIES(set, METRIC_RETRIES, name, slice_from(retry_outcome_name(retry->outcome))), 1);
    metrics_add(set, METRICS_SERIES(set, METRIC_REDELIVERIES, name, slice_from(status_reason(retry->status))), 1);
}

void tally_checked(struct tally *tally, uint32_t system, bool is_good) {
    struct metrics *set = tally->set;
    struct slice name = system < tally->system_count ? tally->systems[system].name : NOTHING;
    metrics_add(set, METRICS_SERIES(set, METRIC_HEALTH_CHECKS, name, is_good ? SLICE_OF("good") : SLICE_OF("bad")), 1);
}

void tally_refused(struct tally *tally, struct slice listener, enum status status) {
    metrics_add(tally->set, METRICS_SERIES(tally->set, METRIC_CONNECTIONS_REFUSED, listener,
                                           slice_from(status_reason(status))), 1);
}

void tally_limit(struct tally *tally, const char *limit) {
    metrics_add(tally->set, METRICS_SERIES(tally->set, METRIC_LIMITS_REACHED, slice_from(limit)), 1);
}

void tally_datagram_lost(struct tally *tally, const struct connection *c, enum status status) {
    metrics_add(tally->set, METRICS_SERIES(tally->set, METRIC_DATAGRAMS_DROPPED, c ? c->setup->name : NOTHING,
                                           slice_from(status_reason(status))), 1);
}

void tally_datagram_dropped(struct tally *tally, struct slice listener, const char *rule, uint64_t count) {
    metrics_add(tally->set, METRICS_SERIES(tally->set, METRIC_DATAGRAMS_DROPPED, listener, slice_from(rule)), count);
}

/* Nothing is shown of what isn't used. */
static void publish_ways(struct metrics *set, const struct engine_totals *totals) {
    const struct {
        enum metric metric;
        const char *label;
        uint64_t count;
    } rows[] = {
        {METRIC_FAILOVERS, "chosen", totals->failover_chosen},
        {METRIC_FAILOVERS, "moved", totals->failover_moved},
        {METRIC_HEDGES, "sent", totals->hedges_sent},
        {METRIC_HEDGES, "won", totals->hedges_won},
        {METRIC_HEDGES, "late", totals->hedges_late},
        {METRIC_HEDGES, "no-budget", totals->hedges_unpaid},
        {METRIC_FAULTS, "delay", totals->faults_delayed},
        {METRIC_FAULTS, "abort", totals->faults_aborted},
        {METRIC_FAULTS, "skipped", totals->faults_skipped},
        {METRIC_MIRROR_COPIES, "made", totals->mirror_copies},
        {METRIC_MIRROR_COPIES, "skipped", totals->mirror_skipped},
        {METRIC_MIRROR_COPIES, "replied", totals->mirror_replies},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].count)
            metrics_set(set, METRICS_SERIES(set, rows[i].metric, slice_from(rows[i].label)),
                        (int64_t)rows[i].count);
}

/* The engine's own counts, which only ascend. */
static void publish_totals(struct tally *tally, const struct engine_totals *totals) {
    struct metrics *set = tally->set;
    static const char *const results[] = {"refused", "accepted"};
    metrics_set(set, tally->accepted, (int64_t)totals->accepted);
    metrics_set(set, METRICS_PLAIN(set, METRIC_HEARTBEATS), (int64_t)totals->heartbeats);
    metrics_set(set, METRICS_PLAIN(set, METRIC_MEMORY_FAILURES), (int64_t)memory_failures());
    if (totals->replies_evicted)
        metrics_set(set, METRICS_SERIES(set, METRIC_LIMITS_REACHED, SLICE_OF("listeners.async.replies")),
                    (int64_t)totals->replies_evicted);
    static const char *const rates[PLAN_RATE_KINDS] = {"listeners.rate", "security.identities.rate", "routes.rate", "systems.rate"};
    for (int i = 0; i < PLAN_RATE_KINDS; i++)
        if (totals->rate_limited[i])
            metrics_set(set, METRICS_SERIES(set, METRIC_LIMITS_REACHED, slice_from(rates[i])), (int64_t)totals->rate_limited[i]);
    if (totals->rates_evicted)
        metrics_set(set, METRICS_SERIES(set, METRIC_LIMITS_REACHED, SLICE_OF("rate-keys")), (int64_t)totals->rates_evicted);
    if (totals->keys_evicted)
        metrics_set(set, METRICS_SERIES(set, METRIC_LIMITS_REACHED, SLICE_OF("idempotency-keys")), (int64_t)totals->keys_evicted);
    if (totals->dedupe_evicted)
        metrics_set(set, METRICS_SERIES(set, METRIC_LIMITS_REACHED, SLICE_OF("dedupe-entries")), (int64_t)totals->dedupe_evicted);
    metrics_set(set, METRICS_PLAIN(set, METRIC_DEDUPE_ENTRIES), (int64_t)totals->dedupe_kept);
    publish_ways(set, totals);
    metrics_set(set, METRICS_PLAIN(set, METRIC_REPLIES_KEPT), (int64_t)totals->replies_kept);
    metrics_set(set, METRICS_PLAIN(set, METRIC_DEAD_LETTERS), (int64_t)totals->dead_held);
    metrics_set(set, METRICS_PLAIN(set, METRIC_DEAD_LETTER_BYTES), (int64_t)totals->dead_bytes);
    metrics_set(set, METRICS_PLAIN(set, METRIC_DEAD_LETTERS_REDRIVEN), (int64_t)totals->dead_redriven);
    metrics_set(set, METRICS_SERIES(set, METRIC_DEAD_LETTERS_LOST, SLICE_OF("no-room")), (int64_t)totals->dead_evicted);
    metrics_set(set, METRICS_SERIES(set, METRIC_DEAD_LETTERS_LOST, SLICE_OF("too-old")), (int64_t)totals->dead_aged);
    for (int i = 0; i < 2; i++)
        if (totals->authentications[i])
            metrics_set(set, METRICS_SERIES(set, METRIC_AUTHENTICATIONS, SLICE_OF("key"), slice_from(results[i])),
                        (int64_t)totals->authentications[i]);
}

static void publish_traces(struct metrics *set, const struct trace_facts *facts) {
    uint64_t gone = facts->added - facts->kept - facts->lost;
    metrics_set(set, METRICS_PLAIN(set, METRIC_TRACE_RECORDS), (int64_t)facts->added);
    metrics_set(set, METRICS_SERIES(set, METRIC_TRACE_RECORDS_LOST, SLICE_OF("overwritten")), (int64_t)gone);
    if (facts->lost)
        metrics_set(set, METRICS_SERIES(set, METRIC_TRACE_RECORDS_LOST, SLICE_OF("no-memory")), (int64_t)facts->lost);
}

void tally_publish(struct tally *tally, const struct engine *engine, struct mono now) {
    const struct engine_totals *totals = engine_totals(engine);
    struct metrics *set = tally->set;
    if (tally->accepted == METRICS_NO_SERIES)
        tally->accepted = METRICS_SERIES(set, METRIC_MESSAGES_ACCEPTED, NOTHING, NOTHING);
    for (uint32_t i = 0; i < tally->listener_count; i++) {
        struct tally_listener *listener = &tally->listeners[i];
        uint64_t count = engine_received_by(engine, i);
        metrics_add(set, listener->series, count - listener->told);
        listener->told = count;
    }
    publish_totals(tally, totals);
    struct trace_facts facts = trace_facts(engine);
    publish_traces(set, &facts);
    size_t count = engine_system_count(engine);
    for (size_t i = 0; i < count && i < tally->system_count; i++) {
        struct engine_system_view view;
        engine_system_view(engine, i, &view);
        set_gauges(tally, &tally->systems[i], &view, now);
    }
    tally_endpoints(tally, engine);
}
