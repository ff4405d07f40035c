/* Tells what would become of a message; intake.c and router.c are what it must agree with. */
#include "engine/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/inner.h"

/* The first reason counts: it is the one that the sender would be told. */
__attribute__((format(printf, 3, 4))) static void refuse(struct explain *out, enum status status,
                                                         const char *format, ...) {
    va_list arguments;
    if (out->status != STATUS_OK || status == STATUS_OK)
        return;
    out->status = status;
    va_start(arguments, format);
    (void)vsnprintf(out->detail, sizeof out->detail, format, arguments);
    va_end(arguments);
}

/* -- who sends it -- */

static uint32_t identity_of(const struct config *config, uint32_t system) {
    for (size_t i = 0; system != CONFIG_NONE && i < config->identity_count; i++)
        if (config->identities[i].system == system)
            return (uint32_t)i;
    return SECURITY_NONE;
}

static void admit(const struct plan *plan, const struct explain_ask *ask, struct explain *out,
                  struct verdict_peer *peer) {
    const struct config_listener *listener =
        ask->listener == CONFIG_NONE ? NULL : &plan->config->listeners[ask->listener];
    uint32_t fixed = listener ? listener->system : CONFIG_NONE;
    out->identity = identity_of(plan->config, ask->system);
    *peer = (struct verdict_peer){.identity = out->identity,
                                  .system = ask->system == CONFIG_NONE ? fixed : ask->system,
                                  .max_priority = listener && out->identity == SECURITY_NONE
                                                      ? (uint8_t)listener->max_priority
                                                      : PRIORITY_EMERGENCY};
    if (listener && listener->auth && out->identity == SECURITY_NONE)
        refuse(out, STATUS_UNAUTHENTICATED, "listener `%.*s` takes nobody without identity",
               SLICE_ARG(listener->name));
    if (ask->system != CONFIG_NONE && out->identity == SECURITY_NONE && fixed != CONFIG_NONE &&
        fixed != ask->system)
        refuse(out, STATUS_FORBIDDEN, "what comes in at listener `%.*s` is from `%.*s`",
               SLICE_ARG(listener->name), SLICE_ARG(plan->config->systems[fixed].name));
    uint64_t most = listener ? listener->limits.message : plan->config->message_max;
    if (ask->size > most)
        refuse(out, STATUS_TOO_LARGE, "it has %zu bytes; `limits.message` is %llu", ask->size,
               (unsigned long long)most);
}

static bool loops(const struct message *message) {
    const struct value *value = message_value(message, ATTRIBUTE_INTERTIEHOPS);
    int32_t hops;
    return value && value_number(message, value, &hops) && hops > HOPS_MAX;
}

/* -- where it goes -- */

static bool can_receive(const struct plan *plan, uint32_t system) {
    const struct config_system *found = &plan->config->systems[system];
    return found->endpoint_count > 0 || found->accept || found->found;
}

static void to_target(const struct plan *plan, struct slice target, struct explain *out) {
    if (slice_is(target, "all")) {
        out->to_all = true;
        out->targets = plan->direct;
        out->target_count = plan->config->system_count;
        return;
    }
    uint32_t system = plan_system(plan, target);
    if (system == CONFIG_NONE || !can_receive(plan, system)) {
        refuse(out, STATUS_UNKNOWN_TARGET,
               system == CONFIG_NONE ? "no system `%.*s`"
                                     : "system `%.*s` only sends: it has no url and does not accept",
               SLICE_ARG(slice_head(target, 63)));
        return;
    }
    bool by_route = out->route >= 0 && plan->routes[out->route].targets[system].system == system;
    out->targets = by_route ? &plan->routes[out->route].targets[system] : &plan->direct[system];
    out->target_count = 1;
}

static void find(const struct plan *plan, const struct explain_ask *ask, struct explain *out) {
    struct match_input input = {
        .message = ask->message, .from = out->from, .listener = ask->listener, .now = ask->now};
    struct slice target = message_text(ask->message, ATTRIBUTE_TARGET);
    bool fans = message_kind_fans_out((enum message_kind)ask->message->kind);
    out->route = match_first(plan->match, &input, -1);
    if (target.size) {
        to_target(plan, target, out);
    } else if (out->route >= 0) {
        out->targets = plan->routes[out->route].targets;
        out->target_count = plan->routes[out->route].target_count;
        out->to_all = plan->routes[out->route].config->to_all;
        out->way = (uint8_t)plan->routes[out->route].config->way;
    }
    out->may_be_copied = fans && target.size == 0;
    if (!fans && (out->to_all || (out->target_count > 1 && out->way == CONFIG_WAY_COPIES)))
        refuse(out, STATUS_MANY_TARGETS, "a %.*s goes to one system; this one would go to several",
               SLICE_ARG(message_kind_name((enum message_kind)ask->message->kind)));
    if (out->target_count == 0)
        refuse(out, STATUS_NO_ROUTE, "no route matches type `%.*s`%s",
               SLICE_ARG(slice_head(message_text(ask->message, ATTRIBUTE_TYPE), 100)),
               fans ? "; it is taken only while somebody subscribes to it" : "");
}

/* Data alone has no place for what it answers, unless its order says it. */
static void check_answer(const struct plan *plan, const struct explain_ask *ask, struct explain *out) {
    if (!message_kind_asks((enum message_kind)ask->message->kind) || out->to_all)
        return;
    for (size_t i = 0; i < out->target_count; i++) {
        const struct config_system *system = &plan->config->systems[out->targets[i].system];
        if (system->format == CONFIG_FORMAT_RAW && system->reply != CONFIG_REPLY_FIFO && !system->accept)
            refuse(out, STATUS_NOT_SUPPORTED,
                   "who is asked can't answer: its `format` is raw, without `reply: fifo`");
    }
}

/* The stages answer from the message alone, as they will when it comes. */
static void go_through(const struct plan *plan, const struct explain_ask *ask, struct explain *out) {
    const struct middleware_chain *chain = out->route >= 0 ? plan->routes[out->route].chain : NULL;
    struct middleware_room room;
    struct middleware_run run = {.message = ask->message, .now = ask->now, .room = &room};
    if (!chain || out->status != STATUS_OK)
        return;
    middleware_room_init(&room, plan->config->message_max, 1);
    enum middleware_verdict verdict = MIDDLEWARE_ON;
    for (size_t i = 0; verdict <= MIDDLEWARE_TELL && i < middleware_count(chain); i++)
        verdict = middleware_step(chain, i, &run);
    if (verdict == MIDDLEWARE_REFUSE)
        refuse(out, run.status, "%s", run.detail);
    else if (verdict == MIDDLEWARE_DROP)
        refuse(out, run.status, message_kind_asks((enum message_kind)ask->message->kind)
                                    ? "a filter of its route does not let it pass"
                                    : "a filter of its route does not let it pass: its sender is told that it was taken");
    middleware_room_done(&room);
}

void explain_message(const struct plan *plan, const struct explain_ask *ask, struct explain *ret) {
    struct verdict_peer peer;
    const struct message *message = ask->message;
    *ret = (struct explain){.status = STATUS_OK, .route = -1, .identity = SECURITY_NONE};
    admit(plan, ask, ret, &peer);
    if (message->expiry.ns <= ask->now.wall.ns)
        refuse(ret, STATUS_EXPIRED, "its `expirytime` has passed");
    struct verdict verdict = verdict_message(plan->security, &peer, message);
    ret->from = verdict.from;
    ret->priority = verdict.priority;
    ret->is_lowered = verdict.is_lowered;
    refuse(ret, verdict.status, "%s", verdict.text);
    if (loops(message))
        refuse(ret, STATUS_LOOP_DETECTED, "it has come through more than %d routers", HOPS_MAX);
    ret->is_unrouted =
        message_kind_replies((enum message_kind)message->kind) || message->kind == KIND_HEARTBEAT;
    if (ret->is_unrouted)
        return;
    find(plan, ask, ret);
    go_through(plan, ask, ret);
    check_answer(plan, ask, ret);
}

bool explain_skips(const struct plan *plan, const struct explain *explain, uint32_t system) {
    if (!explain->to_all)
        return false;
    if (system == explain->from || !can_receive(plan, system))
        return true;
    const struct config_route *route = explain->route >= 0 ? plan->routes[explain->route].config : NULL;
    for (size_t i = 0; route && i < route->except_count; i++)
        if (route->except[i] == system)
            return true;
    return false;
}

/* -- what is asked there -- */

static enum protocol_rest_kind rest_kind(const struct message *message) {
    return message->kind == KIND_QUERY     ? PROTOCOL_REST_QUERY
           : message->kind == KIND_COMMAND ? PROTOCOL_REST_COMMAND
           : message->kind == KIND_REQUEST ? PROTOCOL_REST_REQUEST
                                           : PROTOCOL_REST_OTHER;
}

/* Filled in, or as it is written where it can't be. */
static enum status ask_rest(const struct plan *plan, const struct plan_endpoint *endpoint,
                            const struct message *message, struct buffer *out) {
    enum protocol_rest_kind kind = rest_kind(message);
    const struct template *path = endpoint->setup.rest->by_kind[kind].path;
    struct slice base = endpoint->setup.path, written = plan->config->systems[endpoint->system].rest[kind];
    bool came_so = message_has(message, ATTRIBUTE_HTTPMETHOD) && message_has(message, ATTRIBUTE_HTTPTARGET);
    buffer_add(out, came_so ? message_text(message, ATTRIBUTE_HTTPMETHOD)
                            : endpoint->setup.rest->by_kind[kind].method);
    buffer_add_byte(out, ' ');
    if (!came_so && !path) {
        buffer_add(out, base.size ? base : SLICE_OF("/"));
        return STATUS_OK;
    }
    while (base.size && base.data[base.size - 1] == '/')
        base.size--;
    buffer_add(out, base);
    size_t start = out->size;
    if (came_so)
        buffer_add(out, message_text(message, ATTRIBUTE_HTTPTARGET));
    enum status status = came_so ? STATUS_OK : template_write(path, message, TEMPLATE_PERCENT, out);
    if (status != STATUS_OK) {
        out->size = start;
        buffer_add(out, slice_trim(slice_skip(written, slice_find(written, ' '))));
    }
    return status;
}

static enum status fill_headers(const struct plan_endpoint *endpoint, const struct message *message) {
    enum status status = STATUS_OK;
    struct buffer value;
    buffer_init(&value, 64u << 10);
    for (size_t i = 0; i < endpoint->setup.header_count && status == STATUS_OK; i++)
        status = template_write(endpoint->setup.headers[i].value, message, TEMPLATE_PLAIN, &value);
    buffer_done(&value);
    return status;
}

enum status explain_request(const struct plan *plan, const struct plan_endpoint *endpoint,
                            const struct explain_ask *ask, struct buffer *out) {
    bool is_raw = endpoint->setup.format == PROTOCOL_FORMAT_RAW;
    if (endpoint->protocol->is_datagram &&
        (is_raw ? ask->message->data.size : ask->size) > endpoint->setup.limits.message)
        return STATUS_TOO_LARGE;
    if (!endpoint->setup.rest)
        return STATUS_OK;
    enum status status = ask_rest(plan, endpoint, ask->message, out);
    return status == STATUS_OK ? fill_headers(endpoint, ask->message) : status;
}
