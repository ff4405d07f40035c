/* POST /api/v1/explain: what would become of the event in the body, by the plan in force and with what worker 0 thinks of
 * its endpoints. Nothing is sent. */
#include "engine/explain_tell.h"

#include "admin/inner.h"
#include "base/memory.h"
#include "message/encoding.h"

struct explain_call {
    struct runtime *runtime;
    uint64_t handle;
    uint64_t token;
    char from[64], listener[64]; /* empty: not said */
    bool wants_text;
    struct buffer body, extra, out;
    enum status status; /* not OK: of the question itself */
    char words[200];
};

static void call_free(struct explain_call *call) {
    buffer_done(&call->body);
    buffer_done(&call->extra);
    buffer_done(&call->out);
    memory_free(call);
}

static void fail(struct explain_call *call, enum status status, const char *words, const char *name) {
    struct buffer out;
    buffer_init_fixed(&out, call->words, sizeof call->words - 1);
    buffer_add_text(&out, words);
    buffer_add_text(&out, name);
    call->status = status;
}

/* The text with the verdict beside it, for who shows it to people. */
static void wrap_text(struct explain_call *call, enum status status, const char *detail, struct buffer *text) {
    struct json_write json;
    json_write_init(&json, &call->out);
    json_write_object(&json);
    json_write_member_text(&json, "status", status == STATUS_OK ? "accepted" : "refused");
    json_write_member_text(&json, "reason", status == STATUS_OK ? NULL : status_reason(status));
    json_write_member_text(&json, "detail", detail[0] ? detail : NULL);
    json_write_member(&json, "text", buffer_slice(text));
    json_write_object_end(&json);
    if (text->status != STATUS_OK)
        call->out.status = text->status;
}

static void tell(struct explain_call *call, const struct explain_tale *tale) {
    char detail[EXPLAIN_DETAIL_MAX];
    struct buffer text;
    if (!call->wants_text) {
        explain_tell(tale, true, &call->out, detail);
        return;
    }
    buffer_init(&text, EXPLAIN_TOLD_MAX);
    enum status status = explain_tell(tale, false, &text, detail);
    wrap_text(call, status, detail, &text);
    buffer_done(&text);
}

static void visit(void *user, const struct runtime_visit *visit) {
    struct explain_call *call = user;
    const struct plan *plan = engine_plan(visit->engine);
    struct message message;
    struct message_fault fault;
    if (visit->index != 0)
        return;
    const struct config *config = plan->config;
    struct message_rules rules = {.declared = &config->extensions, .size_max = UINT32_MAX};
    struct explain_tale tale = {.plan = plan, .engine = visit->engine,
                                .ask = {.message = &message, .system = CONFIG_NONE, .listener = CONFIG_NONE,
                                        .size = call->body.size, .now = visit->now}};
    if (call->from[0])
        tale.ask.system = config_system_find(config, slice_from(call->from));
    if (call->listener[0])
        tale.ask.listener = config_listener_find(config, slice_from(call->listener));
    if (call->from[0] && tale.ask.system == CONFIG_NONE)
        fail(call, STATUS_UNKNOWN_TARGET, "`from`: no system ", call->from);
    else if (call->listener[0] && tale.ask.listener == CONFIG_NONE)
        fail(call, STATUS_UNKNOWN_TARGET, "`listener`: no listener ", call->listener);
    else if (!buffer_reserve(&call->extra, 2 * call->body.size + 4096))
        fail(call, STATUS_NO_MEMORY, "", "");
    else if (message_decode_json(&message, buffer_slice(&call->body), &call->extra, &rules, &fault) != STATUS_OK)
        fail(call, fault.status, fault.text, "");
    else
        tell(call, &tale);
}

static void when_done(void *user) {
    struct explain_call *call = user;
    struct connection *connection = runtime_connection(call->runtime, call->handle);
    struct ask ask = {.runtime = call->runtime, .connection = connection, .token = call->token};
    if (connection && call->status != STATUS_OK)
        ask_problem(&ask, call->status, call->words);
    else if (connection && call->out.status != STATUS_OK)
        ask_problem(&ask, call->out.status, "there is too much to tell");
    else if (connection)
        ask_body(&ask, 200, "application/json", buffer_slice(&call->out));
    call_free(call);
}

/* Names have no byte that a URL would escape. */
static bool take_name(const struct ask *ask, const char *name, char out[64]) {
    struct slice value = http1_parameter(ask->request, slice_from(name));
    if (!value.data)
        return true;
    if (value.size == 0 || value.size > 63)
        return false;
    memcpy(out, value.data, value.size);
    return true;
}

void answer_explain(struct ask *ask) {
    struct explain_call *call;
    if (ask->request->content_type.size && !ask->request->is_json) {
        ask_problem(ask, STATUS_UNSUPPORTED_MEDIA, "write the event as JSON: Content-Type: application/cloudevents+json");
        return;
    }
    if (!(call = memory_new(sizeof *call))) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
        return;
    }
    call->runtime = ask->runtime;
    call->handle = ask->connection->handle;
    call->token = ask->token;
    call->wants_text = slice_is(http1_parameter(ask->request, SLICE_OF("text")), "true");
    buffer_init(&call->body, ANSWER_MAX);
    buffer_init(&call->extra, 4 * ANSWER_MAX);
    buffer_init(&call->out, 2 * ANSWER_MAX);
    buffer_add(&call->body, ask->request->body);
    if (!take_name(ask, "from", call->from) || !take_name(ask, "listener", call->listener))
        ask_problem(ask, STATUS_PROTOCOL_ERROR, "write ?from=SYSTEM&listener=NAME&text=true, any of them");
    else if (call->body.status == STATUS_OK && runtime_each(ask->runtime, visit, when_done, call))
        return;
    else
        ask_problem(ask, STATUS_NO_MEMORY, "");
    call_free(call);
}
