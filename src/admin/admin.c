/* The table of admin commands and their way in. */
#include "admin/admin.h"

#include "admin/inner.h"

/* What a command needs once the admin surface asks who is there; until then it is on loopback only, and all may. */
enum privilege { READ, WRITE };

static const struct command {
    const char *method;
    const char *path;
    enum privilege privilege;
    void (*answer)(struct ask *ask);
} commands[] = {
    {"GET", "/livez", READ, answer_livez},
    {"GET", "/readyz", READ, answer_readyz},
    {"GET", "/healthz", READ, answer_healthz},
    {"GET", "/metrics", READ, answer_metrics},
    {"GET", "/version", READ, answer_version},
    {"GET", "/api/v1/status", READ, answer_status},
    {"GET", "/api/v1/config", READ, answer_config},
    {"GET", "/api/v1/listeners", READ, answer_listeners},
    {"GET", "/api/v1/systems", READ, answer_systems},
    {"GET", "/api/v1/routes", READ, answer_routes},
    {"GET", "/api/v1/connections", READ, answer_connections},
    {"GET", "/api/v1/queues", READ, answer_queues},
    {"POST", "/api/v1/reload", WRITE, answer_reload},
    {"POST", "/api/v1/drain", WRITE, answer_drain},
    {"POST", "/api/v1/stop", WRITE, answer_stop},
    {"POST", "/api/v1/log/reopen", WRITE, answer_log_reopen},
    {"PUT", "/api/v1/log/level", WRITE, answer_log_level},
    {"GET", "/api/v1/dead-letters", READ, answer_dead_letters},
    {"POST", "/api/v1/dead-letters/redrive", WRITE, answer_dead_redrive},
    {"POST", "/api/v1/dead-letters/purge", WRITE, answer_dead_purge},
    {"GET", "/api/v1/dead-letters/*", READ, answer_dead_letter},
    {"GET", "/api/v1/systems/*/endpoints/*", READ, answer_endpoint},
    {"PUT", "/api/v1/systems/*/endpoints/*", WRITE, answer_endpoint_set},
    {"DELETE", "/api/v1/systems/*/endpoints/*", WRITE, answer_endpoint_clear},
    {"GET", "/api/v1/messages/*", READ, answer_message},
    {"POST", "/api/v1/explain", READ, answer_explain},
};

/* Known, and not there yet. */
static const char *const planned[] = {"/", "/openapi.json", "/api/v1/tap",
                                      "/api/v1/tests"};
/* The same, with names below them. */
static const char *const planned_trees[] = {"/api/v1/tests/", "/api/v1/systems/"};

static bool is_planned(struct slice path) {
    for (size_t i = 0; i < COUNT_OF(planned); i++)
        if (slice_is(path, planned[i]))
            return true;
    for (size_t i = 0; i < COUNT_OF(planned_trees); i++)
        if (slice_starts(path, slice_from(planned_trees[i])))
            return true;
    return false;
}

/* Where the pattern has `*`, the path has a name. */
static bool is_at(struct slice path, const char *pattern) {
    struct slice text = slice_from(pattern);
    for (;;) {
        size_t star = slice_find(text, '*');
        if (star == text.size)
            return slice_equal(path, text);
        if (!slice_starts(path, slice_head(text, star)))
            return false;
        path = slice_skip(path, star);
        text = slice_skip(text, star + 1);
        size_t size = slice_find(path, '/');
        if (size == 0)
            return false;
        path = slice_skip(path, size);
    }
}

static void refuse_method(struct ask *ask) {
    char line[64];
    struct buffer allow;
    buffer_init_fixed(&allow, line, sizeof line);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!is_at(ask->request->path, commands[i].path))
            continue;
        buffer_add_text(&allow, allow.size ? ", " : "Allow: ");
        buffer_add_text(&allow, strcmp(commands[i].method, "GET") == 0 ? "GET, HEAD" : commands[i].method);
    }
    buffer_add_text(&allow, "\r\n");
    const struct runtime_answer answer = {
        .code = 405, .type = SLICE_OF("application/problem+json"),
        .body = SLICE_OF("{\"type\":\"/problems/method-not-allowed\",\"title\":\"Method not allowed\",\"status\":405,"
                         "\"reason\":\"method-not-allowed\"}"),
        .lines = buffer_slice(&allow)};
    runtime_answer(ask->runtime, ask->connection, ask->token, &answer);
}

static void on_request(void *user, struct runtime *runtime, struct connection *connection, uint64_t token,
                       const struct protocol_request *request) {
    struct ask ask = {.runtime = runtime, .connection = connection, .token = token, .request = request};
    bool is_known = false;
    (void)user;
    bool head = slice_is(request->method, "HEAD");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!is_at(request->path, commands[i].path))
            continue;
        is_known = true;
        if (slice_is(request->method, commands[i].method) ||
            (head && strcmp(commands[i].method, "GET") == 0)) {
            commands[i].answer(&ask);
            return;
        }
    }
    if (is_known)
        refuse_method(&ask);
    else if (is_planned(request->path))
        ask_problem(&ask, STATUS_NOT_SUPPORTED, "not supported yet in " INTERTIE_VERSION);
    else
        ask_problem(&ask, STATUS_NOT_FOUND, "");
}

void admin_surface(struct runtime_admin *ret) {
    *ret = (struct runtime_admin){.request = on_request};
}
