/* One picture of the whole, from what the workers published. */
#include <unistd.h>

#include "platform/clock.h"
#include "platform/process.h"
#include "runtime/inner.h"

#define SNAPSHOT_MAX (64u << 20)

static void add_totals(struct engine_totals *sum, const struct engine_totals *one) {
    sum->received += one->received;
    sum->accepted += one->accepted;
    sum->invalid += one->invalid;
    sum->heartbeats += one->heartbeats;
    for (int i = 0; i < 2; i++)
        sum->authentications[i] += one->authentications[i];
    sum->held += one->held;
    sum->held_bytes += one->held_bytes;
    sum->in_flight += one->in_flight;
    sum->waiting += one->waiting;
    sum->cut_through += one->cut_through;
    sum->connections += one->connections;
    sum->replies_kept += one->replies_kept;
    sum->replies_evicted += one->replies_evicted;
    sum->keys_evicted += one->keys_evicted;
    sum->dedupe_kept += one->dedupe_kept;
    sum->dedupe_evicted += one->dedupe_evicted;
    sum->faults_delayed += one->faults_delayed;
    sum->faults_aborted += one->faults_aborted;
    sum->faults_skipped += one->faults_skipped;
    sum->failover_chosen += one->failover_chosen;
    sum->failover_moved += one->failover_moved;
    sum->hedges_sent += one->hedges_sent;
    sum->hedges_won += one->hedges_won;
    sum->hedges_unpaid += one->hedges_unpaid;
    sum->hedges_late += one->hedges_late;
    sum->mirror_copies += one->mirror_copies;
    sum->mirror_skipped += one->mirror_skipped;
    sum->mirror_replies += one->mirror_replies;
    sum->rates_evicted += one->rates_evicted;
    for (int i = 0; i < PLAN_RATE_KINDS; i++)
        sum->rate_limited[i] += one->rate_limited[i];
    for (int e = 0; e < ENDING_COUNT; e++)
        for (int s = 0; s < STATUS_COUNT; s++)
            sum->endings[e][s] += one->endings[e][s];
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Each worker dials for itself: an endpoint counts as up when any has it open, as down when any can't reach it. */
static void add_system(struct engine_system_view *sum, const struct engine_system_view *one) {
    sum->endpoints_up = larger(sum->endpoints_up, one->endpoints_up);
    sum->endpoints_failing = larger(sum->endpoints_failing, one->endpoints_failing);
    sum->connections += one->connections;
    sum->sessions += one->sessions;
    for (int p = 0; p <= PRIORITY_COUNT; p++)
        sum->held[p] += one->held[p];
    sum->held_bytes += one->held_bytes;
    sum->in_flight += one->in_flight;
    sum->awaiting_reply += one->awaiting_reply;
    if (one->endpoints > sum->endpoints) /* those that were found, too */
        sum->endpoints = one->endpoints;
    sum->received += one->received;
    for (int e = 0; e < ENDING_COUNT; e++)
        sum->endings[e] += one->endings[e];
    if (one->holding_since.ns && (sum->holding_since.ns == 0 || one->holding_since.ns < sum->holding_since.ns))
        sum->holding_since = one->holding_since;
    if (one->heartbeat.ns > sum->heartbeat.ns)
        sum->heartbeat = one->heartbeat;
}

static struct slice state_of(const struct runtime_system_view *system) {
    const struct engine_system_view *sum = &system->sum;
    if (sum->sessions > 0)
        return SLICE_OF("up");
    if (sum->endpoints == 0 && system->endpoint_count == 0)
        return system->sessions_max || system->finds ? SLICE_OF("offline") : SLICE_OF("sender");
    if (system->endpoints_fine == system->endpoint_count)
        return SLICE_OF("up");
    return system->endpoints_serving ? SLICE_OF("degraded") : SLICE_OF("down");
}

static struct runtime_system_view *find_system(struct runtime_system_view *systems, size_t count, struct slice name) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(systems[i].sum.name, name))
            return &systems[i];
    return NULL;
}

static struct slice copy(struct runtime_snapshot *snapshot, struct slice text) {
    struct slice copied = arena_copy(&snapshot->arena, text);
    return copied.data ? copied : slice_make("", 0);
}

/* -- of the generation in force: under runtime->lock -- */

static bool add_listeners(struct runtime_snapshot *out, const struct generation *generation) {
    struct runtime_listener_view *list = arena_array(&out->arena, generation->place_count + 1, sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < generation->place_count; i++) {
        const struct place *place = generation->places[i];
        struct slice name = place->is_admin ? place->name : generation->config->listeners[i].name;
        list[i] = (struct runtime_listener_view){.name = copy(out, name), .scheme = place->scheme,
                                                 .url = copy(out, place->url), .address = place->at,
                                                 .is_admin = place->is_admin};
    }
    out->listeners = list;
    out->listener_count = generation->place_count;
    return true;
}

static struct runtime_system_view *add_systems(struct runtime_snapshot *out, const struct config *config) {
    struct runtime_system_view *list = arena_array(&out->arena, config->system_count + 1, sizeof *list);
    if (!list)
        return NULL;
    for (size_t i = 0; i < config->system_count; i++) {
        const struct config_system *system = &config->systems[i];
        list[i].sum.name = copy(out, system->name);
        list[i].sum.endpoints = (uint32_t)system->endpoint_count;
        list[i].finds = system->found != NULL;
        list[i].sessions_max = system->accept ? system->sessions : 0;
    }
    out->systems = list;
    out->system_count = config->system_count;
    return list;
}

/* -- of the workers: under view->lock -- */

static bool add_connections(struct runtime_snapshot *out, const struct view *view) {
    size_t count = out->connection_count + view->connection_count;
    struct runtime_connection_view *list = arena_array(&out->arena, count + 1, sizeof *list);
    if (!list)
        return false;
    if (out->connection_count)
        memcpy(list, out->connections, out->connection_count * sizeof *list);
    for (size_t i = 0; i < view->connection_count; i++) {
        struct runtime_connection_view *at = &list[out->connection_count + i];
        *at = view->connections[i].view;
        at->name = copy(out, slice_make(view->connections[i].name, at->name.size));
    }
    out->connections = list;
    out->connection_count = count;
    return true;
}

static bool add_worker(struct runtime_snapshot *out, struct runtime_system_view *systems,
                       struct endpoint_views *endpoints, struct view *view) {
    pthread_mutex_lock(&view->lock);
    add_totals(&out->totals, &view->totals);
    for (size_t i = 0; i < view->system_count; i++) {
        const struct view_system *one = &view->systems[i];
        struct runtime_system_view *sum =
            find_system(systems, out->system_count, slice_make(one->name, one->view.name.size));
        if (sum)
            add_system(&sum->sum, &one->view);
        if (sum)
            sum->out_per_second += one->out_per_second;
    }
    bool ok = add_connections(out, view) && endpoint_views_add(endpoints, &out->arena, view);
    pthread_mutex_unlock(&view->lock);
    return ok;
}

/* -- of the metrics -- */

static void add_percentiles(struct runtime *runtime, struct runtime_snapshot *out, struct runtime_system_view *systems) {
    struct metrics *sets[WORKERS_MAX];
    struct metrics_view view;
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        sets[i] = runtime->workers[i].tally.set;
    if (metrics_view_init(&view, sets, runtime->worker_count) != STATUS_OK)
        return;
    for (size_t i = 0; i < view.count; i++) {
        const struct metrics_point *point = &view.points[i];
        if (point->metric != METRIC_DELIVERY_DURATION || !point->hdr)
            continue;
        struct runtime_system_view *system = find_system(systems, out->system_count, point->labels[0]);
        if (!system)
            continue;
        system->p50_ns = hdr_percentile(point->hdr, 50);
        system->p99_ns = hdr_percentile(point->hdr, 99);
    }
    metrics_view_done(&view);
}

struct runtime_snapshot *runtime_snapshot(struct runtime *runtime) {
    struct runtime_snapshot *out = memory_new(sizeof *out);
    if (!out)
        return NULL;
    struct now now = platform_now();
    struct endpoint_views endpoints = {0};
    arena_init(&out->arena, SNAPSHOT_MAX);
    out->state = runtime_state(runtime);
    out->is_ready = runtime_is_ready(runtime);
    out->version = SLICE_OF(INTERTIE_VERSION);
    out->pid = getpid();
    out->uptime_ns = now.mono.ns - runtime->started.mono.ns;
    out->started = runtime->started.wall;
    out->workers = runtime->worker_count;
    out->cpu_ns = process_cpu_ns();
    pthread_mutex_lock(&runtime->lock);
    const struct generation *generation = runtime->generation;
    out->name = copy(out, generation->config->name);
    out->digest = copy(out, slice_from(generation->config->digest));
    out->path = copy(out, generation->config->path);
    out->environment = copy(out, generation->config->environment);
    out->loaded = generation->loaded;
    struct runtime_system_view *systems = add_systems(out, generation->config);
    bool ok = systems && add_listeners(out, generation);
    pthread_mutex_unlock(&runtime->lock);
    for (uint32_t i = 0; ok && i < runtime->worker_count; i++)
        ok = add_worker(out, systems, &endpoints, &runtime->workers[i].view);
    for (size_t i = 0; ok && i < out->system_count; i++)
        ok = endpoint_views_give(&endpoints, &out->arena, &systems[i]);
    if (!ok) {
        runtime_snapshot_free(out);
        return NULL;
    }
    add_percentiles(runtime, out, systems);
    for (size_t i = 0; i < out->system_count; i++)
        systems[i].state = state_of(&systems[i]);
    return out;
}

void runtime_snapshot_free(struct runtime_snapshot *snapshot) {
    if (!snapshot)
        return;
    arena_done(&snapshot->arena);
    memory_free(snapshot);
}
