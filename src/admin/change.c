/* POST and PUT: what changes the router. Each begins a command of the runtime and answers. */
#include "admin/inner.h"
#include "base/json.h"
#include "base/memory.h"

static bool is_asked(const struct ask *ask, const char *name) {
    struct slice value = http1_parameter(ask->request, slice_from(name));
    return value.data && (value.size == 0 || slice_is(value, "true"));
}

static void accepted(struct ask *ask, const char *state) {
    struct buffer body;
    buffer_init(&body, 4096);
    buffer_add_format(&body, "{\"state\":\"%s\"}\n", state);
    ask_body(ask, 202, "application/json", buffer_slice(&body));
    buffer_done(&body);
}

void answer_drain(struct ask *ask) {
    runtime_drain(ask->runtime);
    accepted(ask, "draining");
}

void answer_stop(struct ask *ask) {
    accepted(ask, "stopping");
    runtime_stop(ask->runtime, is_asked(ask, "now"));
}

void answer_log_reopen(struct ask *ask) {
    runtime_log_reopen(ask->runtime);
    accepted(ask, "reopened");
}

struct reloading {
    struct runtime *runtime;
    uint64_t handle;
    uint64_t token;
};

static void write_reloaded(struct buffer *body, const struct runtime_reloaded *result) {
    struct json_write json;
    json_write_init(&json, body);
    json_write_object(&json);
    json_write_member_text(&json, "result", result->status != STATUS_OK ? "refused" : result->dry_run ? "dry-run" : "reloaded");
    if (result->status != STATUS_OK)
        json_write_member_text(&json, "reason", status_reason(result->status));
    json_write_member(&json, result->status == STATUS_OK ? "changes" : "detail", result->text);
    if (result->json.size)
        json_write_member_raw(&json, "report", result->json);
    json_write_object_end(&json);
    buffer_add_byte(body, '\n');
}

static void when_reloaded(void *user, const struct runtime_reloaded *result) {
    struct reloading *reloading = user;
    struct connection *connection = runtime_connection(reloading->runtime, reloading->handle);
    if (connection) {
        struct ask ask = {.runtime = reloading->runtime, .connection = connection, .token = reloading->token};
        struct buffer body;
        buffer_init(&body, ANSWER_MAX);
        write_reloaded(&body, result);
        if (body.status == STATUS_OK)
            ask_body(&ask, result->status == STATUS_OK ? 200 : 422, "application/json", buffer_slice(&body));
        else
            ask_problem(&ask, body.status, "");
        buffer_done(&body);
    }
    memory_free(reloading);
}

void answer_reload(struct ask *ask) {
    struct reloading *reloading = memory_new(sizeof *reloading);
    if (!reloading) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
        return;
    }
    *reloading = (struct reloading){ask->runtime, ask->connection->handle, ask->token};
    runtime_reload(ask->runtime, is_asked(ask, "dry_run"), when_reloaded, reloading);
}

/* {"level":"debug"} or {"level":"debug","room":"engine"} */
void answer_log_level(struct ask *ask) {
    struct json json;
    struct json_item item;
    enum log_level level = LOG_LEVEL_INFO;
    enum log_room room = LOG_ROOM_COUNT;
    bool has_level = false, good = true;
    json_init(&json, ask->request->body, 4);
    good = json_next(&json, &item) == JSON_OBJECT;
    while (good && json_next(&json, &item) == JSON_NAME) {
        bool is_level = json_item_is(&item, SLICE_OF("level")), is_room = json_item_is(&item, SLICE_OF("room"));
        if (json_next(&json, &item) != JSON_STRING)
            good = false;
        else if (is_level)
            good = has_level = log_level_find(item.raw, &level);
        else if (is_room)
            good = log_room_find(item.raw, &room);
        else
            good = false;
    }
    if (!good || !has_level || item.type != JSON_OBJECT_END || json_next(&json, &item) != JSON_END) {
        ask_problem(ask, STATUS_PROTOCOL_ERROR,
                       "write {\"level\":\"debug|info|warn|error\"}, with \"room\" for one room alone");
        return;
    }
    runtime_log_level(ask->runtime, room, level);
    ask_body(ask, 200, "application/json", SLICE_OF("{\"state\":\"changed\"}\n"));
}
