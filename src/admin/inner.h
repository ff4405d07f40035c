/* What the files of this room share. */
#ifndef ADMIN_INNER_H
#define ADMIN_INNER_H

#include "base/assert.h"
#include "base/json_write.h"
#include "protocol/http1/http1.h"
#include "runtime/runtime.h"

/* One request and where its answer goes. */
struct ask {
    struct runtime *runtime;
    struct connection *connection;
    uint64_t token;
    const struct protocol_request *request;
};

#define ANSWER_MAX (16u << 20)

void ask_problem(struct ask *ask, enum status status, const char *detail);
void ask_body(struct ask *ask, unsigned code, const char *type, struct slice body);
/* Sends and frees what a JSON answer has gathered. */
void ask_json(struct ask *ask, struct buffer *body);

void member_time(struct json_write *json, const char *name, struct wall at); /* 0: null */
void write_endpoint(struct json_write *json, const struct runtime_endpoint_view *view);

void answer_livez(struct ask *ask);
void answer_readyz(struct ask *ask);
void answer_healthz(struct ask *ask);
void answer_metrics(struct ask *ask);
void answer_version(struct ask *ask);
void answer_status(struct ask *ask);
void answer_config(struct ask *ask);
void answer_listeners(struct ask *ask);
void answer_systems(struct ask *ask);
void answer_routes(struct ask *ask);
void answer_connections(struct ask *ask);
void answer_queues(struct ask *ask);
void answer_reload(struct ask *ask);
void answer_drain(struct ask *ask);
void answer_stop(struct ask *ask);
void answer_log_reopen(struct ask *ask);
void answer_log_level(struct ask *ask);
void answer_dead_letters(struct ask *ask);
void answer_dead_letter(struct ask *ask);
void answer_dead_redrive(struct ask *ask);
void answer_dead_purge(struct ask *ask);
void answer_endpoint(struct ask *ask);
void answer_endpoint_set(struct ask *ask);
void answer_endpoint_clear(struct ask *ask);
void answer_message(struct ask *ask);
void answer_explain(struct ask *ask);

#endif
