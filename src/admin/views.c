/* GET: what the router is and does, as JSON. Nothing here changes anything. */
#include "admin/inner.h"

#include "base/memory.h"
#include "message/timestamp.h"

void ask_problem(struct ask *ask, enum status status, const char *detail) {
    const struct runtime_answer answer = {.status = status, .body = slice_from(detail)};
    runtime_answer(ask->runtime, ask->connection, ask->token, &answer);
}

void ask_body(struct ask *ask, unsigned code, const char *type, struct slice body) {
    const struct runtime_answer answer = {
        .code = code, .type = slice_from(type), .body = body, .lines = SLICE_OF("Cache-Control: no-store\r\n")};
    runtime_answer(ask->runtime, ask->connection, ask->token, &answer);
}

void ask_json(struct ask *ask, struct buffer *body) {
    buffer_add_byte(body, '\n');
    if (body->status == STATUS_OK)
        ask_body(ask, 200, "application/json", buffer_slice(body));
    else
        ask_problem(ask, body->status, "");
    buffer_done(body);
}

void member_time(struct json_write *json, const char *name, struct wall at) {
    char text[TIMESTAMP_TEXT_MAX];
    if (at.ns == 0) {
        json_write_name(json, slice_from(name));
        json_write_null(json);
        return;
    }
    size_t size = timestamp_format(at.ns / NS_PER_S, (int32_t)(at.ns % NS_PER_S / NS_PER_MS * NS_PER_MS), text);
    json_write_member(json, name, slice_make(text, size));
}

/* Later answers: asked workers to publish first. */
struct later {
    struct runtime *runtime;
    uint64_t handle;
    uint64_t token;
    void (*write)(struct json_write *json, const struct runtime_snapshot *snapshot);
};

static void when_fresh(void *user) {
    struct later *later = user;
    struct connection *connection = runtime_connection(later->runtime, later->handle);
    if (connection) {
        struct ask ask = {.runtime = later->runtime, .connection = connection, .token = later->token};
        struct runtime_snapshot *snapshot = runtime_snapshot(later->runtime);
        struct buffer body;
        struct json_write json;
        buffer_init(&body, ANSWER_MAX);
        if (snapshot) {
            json_write_init(&json, &body);
            later->write(&json, snapshot);
            ask_json(&ask, &body);
        } else {
            ask_problem(&ask, STATUS_NO_MEMORY, "");
        }
        runtime_snapshot_free(snapshot);
    }
    memory_free(later);
}

static void answer_fresh(struct ask *ask, void (*write)(struct json_write *, const struct runtime_snapshot *)) {
    struct later *later = memory_new(sizeof *later);
    if (!later) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
        return;
    }
    *later = (struct later){ask->runtime, ask->connection->handle, ask->token, write};
    runtime_refresh(ask->runtime, when_fresh, later);
}

/* -- systems -- */

static void write_system(struct json_write *json, const struct runtime_system_view *view) {
    const struct engine_system_view *sum = &view->sum;
    json_write_object(json);
    json_write_member(json, "name", sum->name);
    json_write_member(json, "state", view->state);
    json_write_member_u64(json, "endpoints", sum->endpoints);
    json_write_member_u64(json, "endpoints_up", sum->endpoints_up);
    json_write_member_u64(json, "endpoints_serving", view->endpoints_serving);
    json_write_member_u64(json, "connections", sum->connections);
    json_write_member_u64(json, "sessions", sum->sessions);
    json_write_member_u64(json, "sessions_max", view->sessions_max);
    json_write_member_u64(json, "held", sum->held[0]);
    json_write_member_u64(json, "held_bytes", sum->held_bytes);
    json_write_member_u64(json, "in_flight", sum->in_flight);
    json_write_member_u64(json, "awaiting_reply", sum->awaiting_reply);
    json_write_member_u64(json, "received", sum->received);
    for (int i = 0; i < ENDING_COUNT; i++)
        json_write_member_u64(json, engine_ending_name((enum engine_ending)i), sum->endings[i]);
    json_write_name(json, SLICE_OF("out_per_second"));
    json_write_double(json, (double)(int64_t)(view->out_per_second * 10 + 0.5) / 10);
    json_write_member_u64(json, "p50_ns", view->p50_ns);
    json_write_member_u64(json, "p99_ns", view->p99_ns);
    member_time(json, "holding_since", sum->holding_since);
    member_time(json, "heartbeat", sum->heartbeat);
    json_write_name(json, SLICE_OF("endpoint_list"));
    json_write_array(json);
    for (size_t i = 0; i < view->endpoint_count; i++)
        write_endpoint(json, &view->endpoints[i]);
    json_write_array_end(json);
    json_write_object_end(json);
}

static void write_system_list(struct json_write *json, const struct runtime_snapshot *s) {
    json_write_name(json, SLICE_OF("systems"));
    json_write_array(json);
    for (size_t i = 0; i < s->system_count; i++)
        write_system(json, &s->systems[i]);
    json_write_array_end(json);
}

static void write_systems(struct json_write *json, const struct runtime_snapshot *s) {
    json_write_object(json);
    write_system_list(json, s);
    json_write_object_end(json);
}

static void write_queues(struct json_write *json, const struct runtime_snapshot *s) {
    static const char *const names[] = {"low", "normal", "high", "critical", "emergency"};
    json_write_object(json);
    json_write_name(json, SLICE_OF("queues"));
    json_write_array(json);
    for (size_t i = 0; i < s->system_count; i++) {
        const struct engine_system_view *sum = &s->systems[i].sum;
        json_write_object(json);
        json_write_member(json, "system", sum->name);
        json_write_member_u64(json, "messages", sum->held[0]);
        json_write_member_u64(json, "bytes", sum->held_bytes);
        for (int k = 0; k < PRIORITY_COUNT; k++)
            json_write_member_u64(json, names[k], sum->held[k + 1]);
        json_write_object_end(json);
    }
    json_write_array_end(json);
    json_write_object_end(json);
}

/* -- the whole -- */

static void write_endings(struct json_write *json, const struct engine_totals *totals) {
    json_write_name(json, SLICE_OF("endings"));
    json_write_object(json);
    for (int ending = 0; ending < ENDING_COUNT; ending++) {
        json_write_name(json, slice_from(engine_ending_name((enum engine_ending)ending)));
        json_write_object(json);
        for (int status = 0; status < STATUS_COUNT; status++)
            if (totals->endings[ending][status])
                json_write_member_u64(json, status_reason((enum status)status), totals->endings[ending][status]);
        json_write_object_end(json);
    }
    json_write_object_end(json);
}

static void write_messages(struct json_write *json, const struct engine_totals *totals) {
    json_write_name(json, SLICE_OF("messages"));
    json_write_object(json);
    json_write_member_u64(json, "received", totals->received);
    json_write_member_u64(json, "accepted", totals->accepted);
    json_write_member_u64(json, "invalid", totals->invalid);
    json_write_member_u64(json, "held", totals->held);
    json_write_member_u64(json, "held_bytes", totals->held_bytes);
    json_write_member_u64(json, "in_flight", totals->in_flight);
    json_write_member_u64(json, "waiting", totals->waiting);
    write_endings(json, totals);
    json_write_object_end(json);
}

static void write_listener_list(struct json_write *json, const struct runtime_snapshot *s) {
    json_write_name(json, SLICE_OF("listeners"));
    json_write_array(json);
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct runtime_listener_view *view = &s->listeners[i];
        json_write_object(json);
        json_write_member(json, "name", view->name);
        json_write_member(json, "scheme", view->scheme);
        json_write_member(json, "url", view->url);
        json_write_member_u64(json, "port", view->address.port);
        json_write_member_bool(json, "admin", view->is_admin);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

static void write_status(struct json_write *json, const struct runtime_snapshot *s) {
    json_write_object(json);
    json_write_member(json, "name", s->name);
    json_write_member(json, "version", s->version);
    json_write_member_text(json, "state", runtime_state_name(s->state));
    json_write_member_bool(json, "ready", s->is_ready);
    json_write_member_i64(json, "pid", s->pid);
    json_write_member_i64(json, "uptime_seconds", s->uptime_ns / NS_PER_S);
    member_time(json, "started", s->started);
    json_write_member_u64(json, "workers", s->workers);
    json_write_name(json, SLICE_OF("cpu_seconds"));
    if (s->cpu_ns < 0)
        json_write_null(json);
    else
        json_write_double(json, (double)(s->cpu_ns / NS_PER_MS) / 1000);
    json_write_member(json, "config", s->digest);
    json_write_member(json, "config_path", s->path);
    json_write_member(json, "environment", s->environment);
    member_time(json, "config_loaded", s->loaded);
    json_write_member_u64(json, "connections", s->totals.connections);
    write_messages(json, &s->totals);
    write_listener_list(json, s);
    write_system_list(json, s);
    json_write_object_end(json);
}

static void write_connections(struct json_write *json, const struct runtime_snapshot *s) {
    json_write_object(json);
    json_write_member_u64(json, "count", s->totals.connections);
    json_write_name(json, SLICE_OF("connections"));
    json_write_array(json);
    for (size_t i = 0; i < s->connection_count; i++) {
        const struct runtime_connection_view *view = &s->connections[i];
        char peer[ADDRESS_TEXT_MAX];
        json_write_object(json);
        json_write_member_u64(json, "worker", view->worker);
        json_write_member_bool(json, "dialled", view->dialled);
        json_write_member(json, "protocol", view->protocol);
        json_write_member(json, "name", view->name);
        json_write_member(json, "state", view->state);
        json_write_member(json, "peer", slice_make(peer, address_print(peer, &view->peer)));
        json_write_member_i64(json, "age_ms", view->age_ns / NS_PER_MS);
        json_write_member_u64(json, "bytes_in", view->bytes_in);
        json_write_member_u64(json, "bytes_out", view->bytes_out);
        json_write_member_u64(json, "unsent", view->unsent);
        json_write_object_end(json);
    }
    json_write_array_end(json);
    json_write_object_end(json);
}

void answer_status(struct ask *ask) {
    answer_fresh(ask, write_status);
}
void answer_systems(struct ask *ask) {
    answer_fresh(ask, write_systems);
}
void answer_queues(struct ask *ask) {
    answer_fresh(ask, write_queues);
}
void answer_connections(struct ask *ask) {
    answer_fresh(ask, write_connections);
}

void answer_listeners(struct ask *ask) {
    struct runtime_snapshot *snapshot = runtime_snapshot(ask->runtime);
    struct buffer body;
    struct json_write json;
    if (!snapshot) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
        return;
    }
    buffer_init(&body, ANSWER_MAX);
    json_write_init(&json, &body);
    json_write_object(&json);
    write_listener_list(&json, snapshot);
    json_write_object_end(&json);
    runtime_snapshot_free(snapshot);
    ask_json(ask, &body);
}

/* -- routes: as compiled, from this worker's plan -- */

static void write_route(struct json_write *json, const struct config *config, const struct config_route *route) {
    json_write_object(json);
    json_write_member(json, "name", route->name);
    json_write_member_bool(json, "enabled", route->enabled);
    json_write_member_i64(json, "order", route->order);
    if (route->when.size)
        json_write_member(json, "when", route->when);
    json_write_name(json, SLICE_OF("to"));
    json_write_array(json);
    if (route->to_all)
        json_write_string(json, SLICE_OF("all"));
    for (size_t i = 0; i < route->to_count; i++)
        json_write_string(json, config->systems[route->to[i]].name);
    json_write_array_end(json);
    json_write_object_end(json);
}

void answer_routes(struct ask *ask) {
    const struct plan *plan = engine_plan(ask->connection->net->user);
    struct buffer body;
    struct json_write json;
    buffer_init(&body, ANSWER_MAX);
    json_write_init(&json, &body);
    json_write_object(&json);
    json_write_name(&json, SLICE_OF("routes"));
    json_write_array(&json);
    for (size_t i = 0; i < plan->config->route_count; i++)
        write_route(&json, plan->config, &plan->config->routes[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    ask_json(ask, &body);
}

/* -- the small ones -- */

void answer_livez(struct ask *ask) {
    ask_body(ask, 200, "text/plain; charset=utf-8", SLICE_OF("ok\n"));
}

void answer_readyz(struct ask *ask) {
    bool ready = runtime_is_ready(ask->runtime);
    ask_body(ask, ready ? 200 : 503, "text/plain; charset=utf-8", ready ? SLICE_OF("ok\n") : SLICE_OF("not ready\n"));
}

/* draft-inadarei-api-health-check-06. */
void answer_healthz(struct ask *ask) {
    bool ready = runtime_is_ready(ask->runtime);
    struct buffer body;
    buffer_init(&body, 4096);
    buffer_add_format(&body, "{\"status\":\"%s\",\"version\":\"0\",\"releaseId\":\"" INTERTIE_VERSION "\",\"output\":\"%s\"}\n",
                      ready ? "pass" : "fail", ready ? "" : runtime_state_name(runtime_state(ask->runtime)));
    ask_body(ask, ready ? 200 : 503, "application/health+json", buffer_slice(&body));
    buffer_done(&body);
}

void answer_version(struct ask *ask) {
    ask_body(ask, 200, "application/json", SLICE_OF("{\"name\":\"intertie\",\"version\":\"" INTERTIE_VERSION "\"}\n"));
}

void answer_metrics(struct ask *ask) {
    struct buffer body;
    enum exposition_format format = exposition_choose(ask->request->accept);
    buffer_init(&body, ANSWER_MAX);
    enum status status = runtime_metrics(ask->runtime, format, &body);
    if (status == STATUS_OK)
        ask_body(ask, 200, exposition_media_type(format), buffer_slice(&body));
    else
        ask_problem(ask, status, "");
    buffer_done(&body);
}

void answer_config(struct ask *ask) {
    struct buffer body;
    buffer_init(&body, ANSWER_MAX);
    runtime_config_text(ask->runtime, &body);
    if (body.status == STATUS_OK)
        ask_body(ask, 200, "application/yaml", buffer_slice(&body));
    else
        ask_problem(ask, body.status, "");
    buffer_done(&body);
}
