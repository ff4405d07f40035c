/* Tells what explain.h has found out, as text or JSON. */
#include "engine/explain_tell.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/json_write.h"
#include "config/origin.h"
#include "config/scalar.h"

#define MISSES_MAX 40 /* of one route; more are left out */
#define ROUTES_SHOWN 8 /* that did not match, in text; --json has all */
#define PART_MAX 512
#define RATES_SHOWN 16

struct telling {
    const struct plan *plan;
    const struct config *config;
    const struct engine *engine;
    struct explain_ask ask;
    struct explain told;
    struct buffer *out;
    struct json_write json;
};

/* -- why not a route -- */

static void add_misses(struct buffer *out, const struct match_miss *misses, size_t count) {
    for (size_t i = 0; i < count && i < MISSES_MAX; i++) {
        buffer_add_text(out, i ? ", " : "");
        switch (misses[i].kind) {
        case MATCH_MISS_ATTRIBUTE:
            buffer_add(out, misses[i].name);
            break;
        case MATCH_MISS_TARGET:
            buffer_add_text(out, "it names no target");
            break;
        case MATCH_MISS_FROM:
            buffer_add_text(out, "from");
            break;
        case MATCH_MISS_LISTENER:
            buffer_add_text(out, "listener");
            break;
        case MATCH_MISS_WHEN:
            buffer_add_text(out, misses[i].when_errors ? "when fails:" : "when is false");
            for (unsigned e = 0; e < CESQL_ERROR_COUNT; e++)
                if (misses[i].when_errors & 1u << e)
                    buffer_add_format(out, " %s", cesql_error_name((enum cesql_error)e));
            break;
        }
    }
}

static size_t earlier_count(const struct telling *t) {
    return t->told.is_unrouted ? 0 : t->told.route >= 0 ? (size_t)t->told.route : t->plan->rest_first;
}

static void why_not(const struct telling *t, size_t route, struct buffer *out) {
    struct match_miss misses[MISSES_MAX];
    struct match_input input = {
        .message = t->ask.message, .from = t->told.from, .listener = t->ask.listener, .now = t->ask.now};
    add_misses(out, misses, match_why(match_rule_at(t->plan->match, route), &input, misses, MISSES_MAX));
}

/* -- as text -- */

static const struct config_route *route_of(const struct telling *t) {
    return t->told.route < 0 ? NULL : t->plan->routes[t->told.route].config;
}

static void tell_sender(struct telling *t) {
    const struct explain *told = &t->told;
    buffer_add_text(t->out, "sender    ");
    buffer_add(t->out,
               told->from == CONFIG_NONE ? SLICE_OF("no system") : t->config->systems[told->from].name);
    if (told->identity != SECURITY_NONE)
        buffer_add_format(t->out, "  as identity %.*s",
                          SLICE_ARG(t->config->identities[told->identity].name));
    buffer_add_format(t->out, "  priority %u%s\n", told->priority,
                      told->is_lowered ? ", lowered to what it may use" : "");
}

static void tell_route(struct telling *t) {
    size_t count = earlier_count(t), shown = count < ROUTES_SHOWN ? count : ROUTES_SHOWN;
    buffer_add_text(t->out, "route     ");
    if (t->told.is_unrouted) {
        buffer_add_text(t->out, t->ask.message->kind == KIND_HEARTBEAT
                                     ? "none: a heartbeat is kept with its sender\n"
                                     : "none: a reply goes to who asked\n");
        return;
    }
    if (t->told.route >= 0) {
        const struct config_route *route = t->plan->routes[t->told.route].config;
        buffer_add_format(t->out, "%.*s  %.*s:%u", SLICE_ARG(route->name), SLICE_ARG(route->file),
                          route->line);
    } else {
        buffer_add_text(t->out, message_has(t->ask.message, ATTRIBUTE_TARGET) ? "none: its target says where"
                                                                               : "none");
    }
    for (size_t i = 0; i < shown; i++) {
        buffer_add_text(t->out, i ? "; " : "  (not ");
        buffer_add_format(t->out, "%.*s: ", SLICE_ARG(t->plan->routes[i].config->name));
        why_not(t, i, t->out);
    }
    if (count > shown)
        buffer_add_format(t->out, "; nor %zu more", count - shown);
    buffer_add_text(t->out, count ? ")\n" : "\n");
}

/* `filter, transform (chain checked)` */
static void tell_chain(struct telling *t) {
    const struct config_route *route = route_of(t);
    if (!route || !route->stage_count)
        return;
    buffer_add_text(t->out, "through   ");
    for (size_t i = 0; i < route->stage_count; i++) {
        const struct middleware_spec *stage = &route->stages[i];
        bool is_last = i + 1 == route->stage_count || !slice_equal(stage->chain, route->stages[i + 1].chain);
        buffer_add(t->out, middleware_kind_name(stage->kind));
        if (stage->chain.size && is_last)
            buffer_add_format(t->out, " (chain %.*s)", SLICE_ARG(stage->chain));
        buffer_add_text(t->out, i + 1 == route->stage_count ? "\n" : ", ");
    }
}

static void add_share(struct buffer *out, uint32_t permille) {
    buffer_add_format(out, permille % 10 ? "%u.%u%%" : "%u%%", permille / 10, permille % 10);
}

/* A copy more, and trouble made on purpose. */
static void tell_beside(struct telling *t) {
    const struct config_route *route = route_of(t);
    if (route && route->mirror.to != CONFIG_NONE) {
        buffer_add_format(t->out, "mirror    %.*s gets a copy of ",
                          SLICE_ARG(t->config->systems[route->mirror.to].name));
        add_share(t->out, route->mirror.share);
        buffer_add_text(t->out, ", of which nothing is told\n");
    }
    if (!route || !route->fault.on)
        return;
    buffer_add_text(t->out, "fault     with `--allow-faults` ");
    add_share(t->out, route->fault.share);
    if (route->fault.delay_ns) {
        buffer_add_text(t->out, " wait ");
        scalar_print_duration(t->out, route->fault.delay_ns);
    }
    if (route->fault.abort != STATUS_OK)
        buffer_add_format(t->out, "%s are refused (%s)", route->fault.delay_ns ? ", then" : "",
                          status_reason(route->fault.abort));
    buffer_add_byte(t->out, '\n');
}

/* What stands between two systems: each gets it, one by weight does, or the first that can. */
static void add_before(struct telling *t, size_t index) {
    if (index)
        buffer_add_text(t->out, t->told.way == CONFIG_WAY_FAILOVER ? ", else "
                                 : t->told.way == CONFIG_WAY_SPLIT  ? " or "
                                                                    : ", ");
}

static void add_weight(struct telling *t, size_t index) {
    if (t->told.way != CONFIG_WAY_SPLIT)
        return;
    uint64_t sum = t->plan->routes[t->told.route].weights, weight = route_of(t)->weights[index];
    buffer_add_text(t->out, " (");
    add_share(t->out, (uint32_t)((weight * 1000 + sum / 2) / sum));
    buffer_add_byte(t->out, ')');
}

static void tell_rates(struct telling *t) {
    const struct plan_rate *rates[RATES_SHOWN];
    size_t count = explain_rates(t->plan, &t->ask, &t->told, rates, RATES_SHOWN);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(t->out, "rate      ");
        explain_rate_text(rates[i], t->out);
        buffer_add_byte(t->out, '\n');
    }
}

static void write_rates(struct telling *t) {
    const struct plan_rate *rates[RATES_SHOWN];
    size_t count = explain_rates(t->plan, &t->ask, &t->told, rates, RATES_SHOWN);
    json_write_name(&t->json, SLICE_OF("rates"));
    json_write_array(&t->json);
    for (size_t i = 0; i < count; i++) {
        uint8_t room[PART_MAX];
        struct buffer text;
        buffer_init_fixed(&text, room, sizeof room);
        explain_rate_text(rates[i], &text);
        json_write_string(&t->json, buffer_slice(&text));
    }
    json_write_array_end(&t->json);
}

static void tell_targets(struct telling *t) {
    size_t count = 0;
    buffer_add_text(t->out, "send to   ");
    for (size_t i = 0; i < t->told.target_count; i++) {
        uint32_t system = t->told.targets[i].system;
        if (explain_skips(t->plan, &t->told, system))
            continue;
        add_before(t, count++);
        buffer_add(t->out, t->config->systems[system].name);
        add_weight(t, i);
    }
    buffer_add_text(t->out, count ? "" : "nobody");
    buffer_add_text(t->out, t->told.may_be_copied
                                 ? "; and to subscriptions, which only a running router knows\n"
                                 : "\n");
    tell_beside(t);
}

static bool begins(const char *key, const char *prefix) {
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* What is repeated, and for how long, depends on whether somebody waits. */
static bool is_of_kind(const struct telling *t, const char *key) {
    bool asks = message_kind_asks((enum message_kind)t->ask.message->kind);
    return asks ? !begins(key, "redeliver") && !begins(key, "dead_letter") && !begins(key, "dedupe")
                : !begins(key, "retry") && !begins(key, "timeouts.request");
}

/* Of what is built in, the text has what most often matters. */
static bool is_shown(const struct telling *t, const struct config_value *value) {
    static const char *const keys[] = {"timeouts.",          "limits.",     "retry.attempts",
                                       "redeliver.attempts", "dead_letter", NULL};
    if (!is_of_kind(t, value->key))
        return false;
    for (size_t i = 0; keys[i]; i++)
        if (begins(value->key, keys[i]))
            return true;
    if (t->ask.message->kind == KIND_COMMAND && begins(value->key, "dedupe."))
        return true;
    return value->origin != CONFIG_ORIGIN_BUILT_IN;
}

/* The nearest first, each origin once. */
static void tell_values(struct telling *t, const struct config_system *system, bool names_it) {
    uint8_t value_room[PART_MAX], origin_room[PART_MAX], last_room[PART_MAX];
    struct buffer text, origin, last;
    bool first = true;
    buffer_add_text(t->out, "applies   ");
    if (names_it)
        buffer_add_format(t->out, "%.*s: ", SLICE_ARG(system->name));
    for (int from = 2 * CONFIG_ORIGIN_OWN + 1; from >= 0; from--) {
        buffer_init_fixed(&last, last_room, sizeof last_room);
        for (size_t i = 0; i < config_value_count(); i++) {
            struct config_value value;
            buffer_init_fixed(&text, value_room, sizeof value_room);
            buffer_init_fixed(&origin, origin_room, sizeof origin_room);
            if (!config_value(t->config, route_of(t), system, i, &value, &text, &origin) ||
                !is_shown(t, &value) || 2 * (int)value.origin + value.by_route != from)
                continue;
            buffer_add_text(t->out, last.size ? ", " : first ? "" : "; ");
            buffer_add_format(t->out, "%s %.*s", value.key, SLICE_ARG(buffer_slice(&text)));
            buffer_clear(&last);
            buffer_add(&last, buffer_slice(&origin));
            first = false;
        }
        if (last.size)
            buffer_add_format(t->out, " (%.*s)", SLICE_ARG(buffer_slice(&last)));
    }
    buffer_add_byte(t->out, '\n');
}

/* A query may hold what is nobody's business. */
static struct slice shown_url(const struct config_endpoint *endpoint) {
    return slice_head(endpoint->url.text, slice_find(endpoint->url.text, '?'));
}

static void tell_state(struct telling *t, uint32_t system, size_t index) {
    struct engine_endpoint_view view;
    if (!t->engine)
        return;
    engine_endpoint_view(t->engine, system, index, &view);
    buffer_add_format(t->out, "  %s%s%s, %u connected, %u in flight", engine_endpoint_state_name(view.state), view.why[0] ? ": " : "",
                      view.why, view.connections, view.in_flight);
}

static void tell_endpoints(struct telling *t, uint32_t index) {
    const struct config_system *system = &t->config->systems[index];
    for (size_t i = 0; i < system->endpoint_count; i++) {
        const struct config_endpoint *endpoint = &system->endpoints[i];
        struct buffer asked;
        buffer_init(&asked, 64u << 10);
        enum status status = explain_request(t->plan, &t->plan->endpoints[index][i], &t->ask, &asked);
        buffer_add_format(t->out, "endpoint  %.*s/%.*s  %.*s", SLICE_ARG(system->name),
                          SLICE_ARG(endpoint->name), SLICE_ARG(shown_url(endpoint)));
        if (asked.size)
            buffer_add_format(t->out, "  %.*s", SLICE_ARG(buffer_slice(&asked)));
        if (status != STATUS_OK)
            buffer_add_format(t->out, ": would end there (%s)", status_reason(status));
        tell_state(t, index, i);
        buffer_add_text(t->out, endpoint->enabled ? "\n" : "  not enabled\n");
        buffer_done(&asked);
    }
    if (system->accept)
        buffer_add_format(t->out, "session   %.*s  dials in\n", SLICE_ARG(system->name));
}

static void tell_text(struct telling *t) {
    size_t count = 0;
    tell_sender(t);
    tell_route(t);
    if (t->told.is_unrouted)
        return;
    tell_chain(t);
    tell_targets(t);
    tell_rates(t);
    for (size_t i = 0; i < t->told.target_count; i++)
        count += !explain_skips(t->plan, &t->told, t->told.targets[i].system);
    for (size_t i = 0; i < t->told.target_count; i++) {
        uint32_t system = t->told.targets[i].system;
        if (explain_skips(t->plan, &t->told, system))
            continue;
        tell_values(t, &t->config->systems[system], count > 1);
        tell_endpoints(t, system);
    }
}

/* -- as JSON -- */

static void write_name(struct json_write *json, const char *member, bool is_there, struct slice name) {
    if (is_there)
        json_write_member(json, member, name);
    else
        json_write_member_text(json, member, NULL);
}

static void write_place(struct json_write *json, const struct config_route *route) {
    json_write_member(json, "name", route->name);
    json_write_member(json, "file", route->file);
    json_write_member_u64(json, "line", route->line);
}

static void write_chain(struct json_write *json, const struct config_route *route) {
    json_write_name(json, SLICE_OF("middleware"));
    json_write_array(json);
    for (size_t i = 0; route && i < route->stage_count; i++) {
        json_write_object(json);
        json_write_member(json, "stage", middleware_kind_name(route->stages[i].kind));
        write_name(json, "chain", route->stages[i].chain.size > 0, route->stages[i].chain);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

static void write_routes(struct telling *t) {
    struct json_write *json = &t->json;
    const struct config_route *route = route_of(t);
    json_write_name(json, SLICE_OF("route"));
    if (route) {
        json_write_object(json);
        write_place(json, route);
        json_write_object_end(json);
    } else {
        json_write_null(json);
    }
    json_write_name(json, SLICE_OF("not"));
    json_write_array(json);
    for (size_t i = 0; i < earlier_count(t); i++) {
        struct buffer why;
        buffer_init(&why, 16u << 10);
        why_not(t, i, &why);
        json_write_object(json);
        write_place(json, t->plan->routes[i].config);
        json_write_member(json, "why", buffer_slice(&why));
        json_write_object_end(json);
        buffer_done(&why);
    }
    json_write_array_end(json);
}

static void write_values(struct telling *t, const struct config_system *system) {
    uint8_t value_room[PART_MAX], origin_room[PART_MAX];
    struct buffer text, origin;
    json_write_name(&t->json, SLICE_OF("values"));
    json_write_object(&t->json);
    for (size_t i = 0; i < config_value_count(); i++) {
        struct config_value value;
        buffer_init_fixed(&text, value_room, sizeof value_room);
        buffer_init_fixed(&origin, origin_room, sizeof origin_room);
        if (!config_value(t->config, route_of(t), system, i, &value, &text, &origin) ||
            !is_of_kind(t, value.key))
            continue;
        json_write_name(&t->json, slice_from(value.key));
        json_write_object(&t->json);
        json_write_member(&t->json, "value", buffer_slice(&text));
        json_write_member(&t->json, "origin", buffer_slice(&origin));
        json_write_object_end(&t->json);
    }
    json_write_object_end(&t->json);
}

/* As it is now, to the worker that was asked. */
static void write_state(struct telling *t, uint32_t system, size_t index) {
    struct engine_endpoint_view view;
    engine_endpoint_view(t->engine, system, index, &view);
    json_write_member_text(&t->json, "state", engine_endpoint_state_name(view.state));
    json_write_member_text(&t->json, "why", view.why[0] ? view.why : NULL);
    json_write_member_u64(&t->json, "connections", view.connections);
    json_write_member_u64(&t->json, "in_flight", view.in_flight);
}

static void write_target(struct telling *t, uint32_t index) {
    struct json_write *json = &t->json;
    const struct config_system *system = &t->config->systems[index];
    json_write_object(json);
    json_write_member(json, "system", system->name);
    json_write_member_bool(json, "accept", system->accept);
    json_write_name(json, SLICE_OF("endpoints"));
    json_write_array(json);
    for (size_t i = 0; i < system->endpoint_count; i++) {
        struct buffer asked;
        buffer_init(&asked, 64u << 10);
        enum status status = explain_request(t->plan, &t->plan->endpoints[index][i], &t->ask, &asked);
        json_write_object(json);
        json_write_member(json, "name", system->endpoints[i].name);
        json_write_member(json, "url", shown_url(&system->endpoints[i]));
        json_write_member_bool(json, "enabled", system->endpoints[i].enabled);
        write_name(json, "request", asked.size > 0, buffer_slice(&asked));
        json_write_member_text(json, "reason", status == STATUS_OK ? NULL : status_reason(status));
        if (t->engine)
            write_state(t, index, i);
        json_write_object_end(json);
        buffer_done(&asked);
    }
    json_write_array_end(json);
    write_values(t, system);
    json_write_object_end(json);
}

static const char *const way_names[] = {
    [CONFIG_WAY_COPIES] = "copies", [CONFIG_WAY_FAILOVER] = "failover", [CONFIG_WAY_SPLIT] = "split"};

static void write_beside(struct telling *t) {
    struct json_write *json = &t->json;
    const struct config_route *route = route_of(t);
    bool mirrors = route && route->mirror.to != CONFIG_NONE, fails = route && route->fault.on;
    json_write_member_text(json, "way", way_names[t->told.way]);
    write_name(json, "mirror", mirrors, mirrors ? t->config->systems[route->mirror.to].name : SLICE_OF(""));
    json_write_name(json, SLICE_OF("fault"));
    if (!fails) {
        json_write_null(json);
        return;
    }
    json_write_object(json);
    json_write_member_u64(json, "delay_ms", (uint64_t)(route->fault.delay_ns / NS_PER_MS));
    json_write_member_text(json, "abort",
                           route->fault.abort == STATUS_OK ? NULL : status_reason(route->fault.abort));
    json_write_object_end(json);
}

static void tell_json(struct telling *t, enum status status, const char *detail) {
    struct json_write *json = &t->json;
    const struct explain *told = &t->told;
    json_write_init(json, t->out);
    json_write_object(json);
    json_write_member_text(json, "status", status == STATUS_OK ? "accepted" : "refused");
    json_write_member_text(json, "reason", status == STATUS_OK ? NULL : status_reason(status));
    json_write_member_text(json, "detail", detail[0] ? detail : NULL);
    write_name(json, "from", told->from != CONFIG_NONE,
               told->from == CONFIG_NONE ? SLICE_OF("") : t->config->systems[told->from].name);
    write_name(json, "identity", told->identity != SECURITY_NONE,
               told->identity == SECURITY_NONE ? SLICE_OF("") : t->config->identities[told->identity].name);
    json_write_member_u64(json, "priority", told->priority);
    write_routes(t);
    write_chain(json, route_of(t));
    write_rates(t);
    json_write_name(json, SLICE_OF("targets"));
    json_write_array(json);
    for (size_t i = 0; i < told->target_count; i++)
        if (!explain_skips(t->plan, told, told->targets[i].system))
            write_target(t, told->targets[i].system);
    json_write_array_end(json);
    write_beside(t);
    json_write_member_bool(json, "subscriptions", told->may_be_copied);
    json_write_object_end(json);
    buffer_add_byte(t->out, '\n');
}

/* -- the whole -- */

/* What the sender is told at once, else what the message would end with at every place that there is for it. */
static enum status verdict_of(struct telling *t, char *detail, size_t room) {
    enum status status = STATUS_OK;
    size_t places = 0, bad = 0;
    (void)snprintf(detail, room, "%s", t->told.detail);
    if (t->told.status != STATUS_OK)
        return t->told.status;
    for (size_t i = 0; i < t->told.target_count; i++) {
        uint32_t system = t->told.targets[i].system;
        if (explain_skips(t->plan, &t->told, system))
            continue;
        places += t->config->systems[system].accept;
        for (size_t k = 0; k < t->config->systems[system].endpoint_count; k++, places++) {
            struct buffer asked;
            buffer_init(&asked, 64u << 10);
            enum status there = explain_request(t->plan, &t->plan->endpoints[system][k], &t->ask, &asked);
            if (there != STATUS_OK && bad++ == 0)
                status = there;
            buffer_done(&asked);
        }
    }
    if (places == 0 || bad < places)
        return STATUS_OK;
    (void)snprintf(detail, room, "%s",
                   status == STATUS_TEMPLATE_MISSING ? "a template there asks for what the message hasn't"
                                                     : "none of its endpoints can take it");
    return status;
}

enum status explain_tell(const struct explain_tale *tale, bool as_json, struct buffer *out, char detail[EXPLAIN_DETAIL_MAX]) {
    struct telling t = {.plan = tale->plan, .config = tale->plan->config, .engine = tale->engine, .ask = tale->ask, .out = out};
    explain_message(t.plan, &t.ask, &t.told);
    enum status status = verdict_of(&t, detail, EXPLAIN_DETAIL_MAX);
    if (as_json)
        tell_json(&t, status, detail);
    else
        tell_text(&t);
    return status;
}
