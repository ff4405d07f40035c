/* One endpoint: shown, registered, set by hand, and given back to the configuration. Each worker has its own idea of it: all are told. */
#include "engine/hand.h"

#include <stdio.h>

#include "admin/inner.h"
#include "base/json.h"
#include "base/memory.h"
#include "config/scalar.h"
#include "engine/found.h"
#include "base/text.h"

#define NAME_MAX_BYTES 320 /* those that were found are called as their host and port */
#define WORKERS_MOST 64

struct endpoint_ask {
    struct runtime *runtime;
    uint64_t handle;
    uint64_t token;
    struct hand_command command;
    struct runtime_registration wanted; /* with a url */
    char url[FOUND_URL_MAX + 1], zone[NAME_MAX_BYTES];
    bool has_more; /* what means something with a url only */
    char words[200];
    char system[NAME_MAX_BYTES], endpoint[NAME_MAX_BYTES];
    struct buffer bytes; /* of the command */
    uint32_t found[WORKERS_MOST];
    enum status status[WORKERS_MOST];
};

/* -- an endpoint as JSON -- */

static void write_results(struct json_write *json, const struct engine_endpoint_view *sum) {
    json_write_name(json, SLICE_OF("results"));
    json_write_object(json);
    for (int i = 0; i < RESULT_COUNT; i++)
        if (sum->results[i])
            json_write_member_u64(json, result_name((enum attempt_result)i), sum->results[i]);
    json_write_object_end(json);
}

void write_endpoint(struct json_write *json, const struct runtime_endpoint_view *view) {
    const struct engine_endpoint_view *sum = &view->sum;
    static const char *const hands[] = {"up", "drain", "down"};
    json_write_object(json);
    json_write_member(json, "system", view->system);
    json_write_member(json, "name", sum->name);
    json_write_member(json, "url", sum->url);
    json_write_member_text(json, "origin", sum->origin);
    json_write_member_text(json, "state", view->state);
    json_write_member(json, "why", view->why);
    member_time(json, "since", sum->since);
    json_write_member_u64(json, "serving_workers", view->serving);
    json_write_member_u64(json, "ejected_workers", view->ejected);
    json_write_member_u64(json, "workers", view->workers);
    json_write_member_text(json, "circuit", breaker_state_name(sum->circuit));
    json_write_member_bool(json, "by_hand", sum->is_by_hand);
    json_write_member_text(json, "set", hands[sum->by_hand]);
    json_write_member_u64(json, "weight", sum->weight);
    json_write_member_bool(json, "weight_by_hand", sum->has_weight);
    json_write_member_u64(json, "tier", sum->tier);
    json_write_member(json, "zone", sum->zone);
    json_write_member_u64(json, "in_flight", sum->in_flight);
    json_write_member_u64(json, "connections", sum->connections);
    json_write_member_u64(json, "dial_failures", sum->failures);
    json_write_member_text(json, "consent", engine_consent_name(sum->consent));
    json_write_member_u64(json, "rate_per_minute", sum->rate);
    write_results(json, sum);
    json_write_object_end(json);
}

static const struct runtime_endpoint_view *find(const struct runtime_snapshot *s, struct slice system,
                                                struct slice endpoint) {
    for (size_t i = 0; i < s->system_count; i++)
        for (size_t k = 0; slice_equal(s->systems[i].sum.name, system) && k < s->systems[i].endpoint_count;
             k++)
            if (slice_equal(s->systems[i].endpoints[k].sum.name, endpoint))
                return &s->systems[i].endpoints[k];
    return NULL;
}

/* -- answering -- */

static void endpoint_ask_free(struct endpoint_ask *e) {
    buffer_done(&e->bytes);
    memory_free(e);
}

static void answer_with(const struct endpoint_ask *e, struct ask *ask) {
    struct runtime_snapshot *snapshot = runtime_snapshot(e->runtime);
    const struct runtime_endpoint_view *view =
        snapshot ? find(snapshot, e->command.system, e->command.endpoint) : NULL;
    struct buffer body;
    struct json_write json;
    if (!snapshot) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
    } else if (!view) {
        ask_problem(ask, STATUS_NOT_FOUND, "no system of that name has such an endpoint");
    } else {
        buffer_init(&body, ANSWER_MAX);
        json_write_init(&json, &body);
        write_endpoint(&json, view);
        ask_json(ask, &body);
    }
    runtime_snapshot_free(snapshot);
}

static void when_fresh(void *user) {
    struct endpoint_ask *e = user;
    struct connection *connection = runtime_connection(e->runtime, e->handle);
    if (connection) {
        struct ask ask = {.runtime = e->runtime, .connection = connection, .token = e->token};
        answer_with(e, &ask);
    }
    endpoint_ask_free(e);
}

static void visit(void *user, const struct runtime_visit *call) {
    struct endpoint_ask *e = user;
    struct engine_input input = {.kind = INPUT_HAND, .bytes = buffer_slice(&e->bytes)};
    runtime_visit_input(call, &input);
    e->found[call->index] = input.count;
    e->status[call->index] = input.status;
}

/* The endpoint as it is now, or why not. */
static void when_set(void *user) {
    struct endpoint_ask *e = user;
    struct connection *connection = runtime_connection(e->runtime, e->handle);
    struct ask ask = {.runtime = e->runtime, .connection = connection, .token = e->token};
    uint32_t found = 0, workers = runtime_worker_count(e->runtime);
    bool has_memory = true;
    for (uint32_t i = 0; i < workers; i++) {
        found += e->found[i];
        has_memory &= e->status[i] == STATUS_OK;
    }
    if (found == workers && has_memory) {
        runtime_refresh(e->runtime, when_fresh, e);
        return;
    }
    if (connection && found == workers)
        ask_problem(&ask, STATUS_NO_MEMORY, "the state is set, the weight is not in force with every worker");
    else if (connection && found)
        ask_problem(&ask, STATUS_IN_PROGRESS,
                    "a reload was under way, and not every worker knows that endpoint: ask again");
    else if (connection)
        ask_problem(&ask, STATUS_NOT_FOUND, "no system of that name has such an endpoint");
    endpoint_ask_free(e);
}

/* -- what is asked -- */

/* As it stands in a path: with %XX for what may not stand there (RFC 3986 section 2.1). */
static bool keep(char out[static NAME_MAX_BYTES], struct slice name, struct slice *ret) {
    size_t size = 0;
    for (size_t i = 0; i < name.size && size < NAME_MAX_BYTES; i++) {
        uint8_t byte = name.data[i];
        if (byte == '%') {
            int high = i + 2 < name.size ? text_hex_value(name.data[i + 1]) : -1,
                low = i + 2 < name.size ? text_hex_value(name.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            byte = (uint8_t)(high * 16 + low);
            i += 2;
        }
        out[size++] = (char)byte;
    }
    *ret = slice_make(out, size);
    return size > 0 && size < NAME_MAX_BYTES;
}

/* The path fits its pattern already: /api/v1/systems/S/endpoints/E */
static struct endpoint_ask *endpoint_ask_new(struct ask *ask) {
    struct slice rest = slice_skip(ask->request->path, sizeof "/api/v1/systems/" - 1);
    struct slice system = slice_head(rest, slice_find(rest, '/'));
    struct slice endpoint = slice_skip(rest, system.size + sizeof "/endpoints/" - 1);
    struct endpoint_ask *e = memory_new(sizeof *e);
    if (!e) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
        return NULL;
    }
    *e = (struct endpoint_ask){
        .runtime = ask->runtime, .handle = ask->connection->handle, .token = ask->token};
    buffer_init(&e->bytes, 4096);
    if (keep(e->system, system, &e->command.system) && keep(e->endpoint, endpoint, &e->command.endpoint))
        return e;
    ask_problem(ask, STATUS_NOT_FOUND, "no system of that name has such an endpoint");
    endpoint_ask_free(e);
    return NULL;
}

static bool take_state(struct endpoint_ask *e, const struct json_item *item) {
    static const char *const words[] = {
        [BY_HAND_UP] = "up", [BY_HAND_DRAIN] = "drain", [BY_HAND_DOWN] = "down"};
    e->command.has_state = true;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (json_item_is(item, slice_from(words[i]))) {
            e->command.state = (enum engine_by_hand)i;
            return true;
        }
    return false;
}

static bool take_weight(struct endpoint_ask *e, const struct json_item *item) {
    int64_t weight;
    if (!json_number_to_i64(item->raw, &weight) || weight < 0 || weight > HAND_WEIGHT_MAX)
        return false;
    e->command.has_weight = true;
    e->command.weight = (uint32_t)weight;
    return true;
}

static bool take_text(const struct json_item *item, char *out, size_t room, struct slice *ret) {
    if (item->raw.size == 0 || item->raw.size > room)
        return false;
    size_t size = json_unescape((uint8_t *)out, item->raw);
    *ret = slice_make(out, size);
    return size != SIZE_MAX && size > 0;
}

static bool take_url(struct endpoint_ask *e, const struct json_item *item) {
    return take_text(item, e->url, FOUND_URL_MAX, &e->wanted.url);
}

static bool take_zone(struct endpoint_ask *e, const struct json_item *item) {
    e->has_more = true;
    return take_text(item, e->zone, sizeof e->zone - 1, &e->wanted.zone);
}

static bool take_tier(struct endpoint_ask *e, const struct json_item *item) {
    int64_t tier;
    e->has_more = true;
    if (!json_number_to_i64(item->raw, &tier) || tier < 0 || tier > 100)
        return false;
    e->wanted.tier = (uint64_t)tier;
    return true;
}

static bool take_lease(struct endpoint_ask *e, const struct json_item *item) {
    struct scalar_why why;
    e->has_more = true;
    return scalar_duration(item->raw, &e->wanted.lease_ns, &why) && e->wanted.lease_ns >= NS_PER_S;
}

/* What the body may say, a row each. */
static const struct member {
    const char *name;
    enum json_type type;
    bool (*take)(struct endpoint_ask *ask, const struct json_item *item);
    const char *words; /* what it may be */
} members[] = {
    {"state", JSON_STRING, take_state, "`state` is up, drain or down"},
    {"weight", JSON_NUMBER, take_weight, "`weight` is a whole number from 0 to 1000"},
    {"url", JSON_STRING, take_url, "`url` is a text of 2048 bytes at most"},
    {"zone", JSON_STRING, take_zone, "`zone` is a name"},
    {"tier", JSON_NUMBER, take_tier, "`tier` is a whole number from 0 to 100"},
    {"lease", JSON_STRING, take_lease, "`lease` is a duration of 1s at least, such as 30s"},
};

static const struct member *find_member(const struct json_item *name) {
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (json_item_is(name, slice_from(members[i].name)))
            return &members[i];
    return NULL;
}

/* What is wrong with the body, or NULL. */
static const char *read_body(struct endpoint_ask *e, struct slice body) {
    static const char usage[] = "write {\"state\":\"up|drain|down\",\"weight\":2}, one of them or both; to register "
                                "{\"url\":\"http://..\"}, with weight, tier, zone and lease where they matter";
    struct json json;
    struct json_item item;
    uint32_t seen = 0;
    json_init(&json, body, 4);
    if (json_next(&json, &item) != JSON_OBJECT)
        return usage;
    while (json_next(&json, &item) == JSON_NAME) {
        const struct member *member = find_member(&item);
        uint32_t bit = member ? UINT32_C(1) << (member - members) : 0;
        if (!member || (seen & bit))
            return usage;
        seen |= bit;
        if (json_next(&json, &item) != member->type || !member->take(e, &item))
            return member->words;
    }
    bool mixes = e->wanted.url.size ? e->command.has_state : e->has_more; /* registering, and setting by hand */
    return item.type != JSON_OBJECT_END || json_next(&json, &item) != JSON_END || !seen || mixes ? usage : NULL;
}

static void begin(struct ask *ask, struct endpoint_ask *e) {
    hand_command_write(&e->bytes, &e->command);
    if (e->bytes.status == STATUS_OK && runtime_each(ask->runtime, visit, when_set, e))
        return;
    ask_problem(ask, STATUS_NO_MEMORY, "");
    endpoint_ask_free(e);
}

/* -- registering -- */

static void registered(void *user, const struct runtime_registered *answer) {
    struct endpoint_ask *e = user;
    struct connection *connection = runtime_connection(e->runtime, e->handle);
    struct ask ask = {.runtime = e->runtime, .connection = connection, .token = e->token};
    if (answer->status == STATUS_OK && !e->wanted.is_over) {
        runtime_refresh(e->runtime, when_fresh, e);
        return;
    }
    if (e->wanted.is_over && answer->status == STATUS_NOT_FOUND && connection) { /* then it is about what was set by hand */
        e->command.clear = true;
        begin(&ask, e);
        return;
    }
    if (connection && answer->status == STATUS_OK)
        ask_body(&ask, 200, "application/json", SLICE_OF("{\"state\":\"removed\"}\n"));
    else if (connection) {
        snprintf(e->words, sizeof e->words, "%.*s", SLICE_ARG(answer->text));
        ask_problem(&ask, answer->status, e->words);
    }
    endpoint_ask_free(e);
}

static void begin_registration(struct ask *ask, struct endpoint_ask *e) {
    e->wanted.system = e->command.system;
    e->wanted.endpoint = e->command.endpoint;
    e->wanted.weight = e->command.has_weight ? e->command.weight : 1;
    if (runtime_register(ask->runtime, &e->wanted, registered, e))
        return;
    ask_problem(ask, STATUS_NO_MEMORY, "");
    endpoint_ask_free(e);
}

void answer_endpoint(struct ask *ask) {
    struct endpoint_ask *e = endpoint_ask_new(ask);
    if (e)
        runtime_refresh(ask->runtime, when_fresh, e);
}

void answer_endpoint_set(struct ask *ask) {
    struct endpoint_ask *e = endpoint_ask_new(ask);
    const char *wrong = e ? read_body(e, ask->request->body) : NULL;
    if (wrong) {
        ask_problem(ask, STATUS_PROTOCOL_ERROR, wrong);
        endpoint_ask_free(e);
    } else if (e && e->wanted.url.size) {
        begin_registration(ask, e);
    } else if (e) {
        begin(ask, e);
    }
}

void answer_endpoint_clear(struct ask *ask) {
    struct endpoint_ask *e = endpoint_ask_new(ask);
    if (!e)
        return;
    e->wanted.is_over = true;
    begin_registration(ask, e);
}
