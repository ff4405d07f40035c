/* What REST routes and REST services need and exclude. */
#include <stdio.h>

#include "base/assert.h"
#include "base/text.h"
#include "config/work.h"
#include "message/template.h"
#include "policy/rest.h"

/* -- words -- */

static bool is_token(struct slice text) {
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.size; i++)
        if (!text_is_alpha(text.data[i]) && !text_is_digit(text.data[i]) &&
            !(text.data[i] && strchr(marks, text.data[i])))
            return false;
    return text.size > 0 && text.size <= 128;
}

/* A method that a request of ours, or for a REST route, may have. */
static const char *method_fault(struct slice method) {
    if (!is_token(method))
        return "is no method";
    if (slice_is(method, "CONNECT") || slice_is(method, "TRACE"))
        return "is never served";
    for (size_t i = 0; i < method.size; i++)
        if (method.data[i] >= 'a' && method.data[i] <= 'z')
            return "is no method: they are in capitals";
    return NULL;
}

static void check_field_name(struct work *work, struct slice name, struct config_place at,
                             const struct trail *trail, bool adds) {
    static const char *const ours[] = {
        "host", "content-length", "connection", "transfer-encoding", "upgrade", "te", "trailer",
        "via",  "expect",         "keep-alive", "content-type"};
    if (!is_token(name))
        work_error(work, at, trail, "`%.*s` can't name a header field", SCALAR_SHOWN(name));
    for (size_t i = 0; adds && i < COUNT_OF(ours); i++)
        if (slice_equal_nocase(name, slice_from(ours[i])))
            work_error(work, at, trail, "intertie itself writes `%.*s`", SCALAR_SHOWN(name));
}

void refer_field_name(struct work *work, const struct node *node, const struct trail *trail) {
    check_field_name(work, node->key, node->key_at, trail, slice_is(trail->up->key, "headers"));
}

void refer_credential_field(struct work *work, const struct node *node, const struct trail *trail) {
    static const char *const prefixes[] = {"ce-", "webhook-", "sec-websocket-"};
    struct trail here = {trail, SLICE_OF("name")};
    if (!node || node->kind != NODE_SCALAR || node->unknown)
        return;
    check_field_name(work, node->text, node->at, &here, true);
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (slice_starts_nocase(node->text, slice_from(prefixes[i])))
            work_error(work, node->at, &here, "intertie itself writes `%.*s`", SCALAR_SHOWN(node->text));
}

static void check_template(struct work *work, const struct node *node, const struct trail *trail,
                           struct slice text) {
    const struct template *template;
    struct template_fault fault;
    enum status status = template_compile(text, &work->declared, work->arena, &template, &fault);
    if (status == STATUS_NO_MEMORY)
        work->report->status = STATUS_NO_MEMORY;
    else if (status != STATUS_OK)
        work_error(work, node->at, trail, "%s", fault.text);
}

/* -- match.http -- */

typedef const char *check_function(struct slice text);

static void check_each(struct work *work, const struct node *http, const struct trail *trail, const char *key,
                       check_function *check, bool quotes) {
    const struct node *list = node_get(http, slice_from(key));
    struct trail here = {trail, slice_from(key)};
    for (const struct node *item = list && list->kind == NODE_LIST ? list->first : NULL; item;
         item = item->next) {
        const char *words = item->kind == NODE_SCALAR && !item->unknown ? check(item->text) : NULL;
        if (words)
            work_error(work, item->at, &here, quotes ? "`%.*s` %s" : "`%.*s`: %s", SCALAR_SHOWN(item->text),
                       words);
    }
}

static bool is_api(struct slice path) {
    return slice_is(path, "/v1") || slice_starts(path, SLICE_OF("/v1/"));
}

static void check_api(struct work *work, const struct node *http, const struct trail *trail) {
    const struct node *list = node_get(http, SLICE_OF("path"));
    struct trail here = {trail, SLICE_OF("path")};
    for (const struct node *item = list && list->kind == NODE_LIST ? list->first : NULL; item;
         item = item->next)
        if (item->kind == NODE_SCALAR && is_api(item->text))
            work_error(work, item->at, &here, "`%.*s` is never reached: all below /v1 is intertie's own API",
                       SCALAR_SHOWN(item->text));
}

static const struct node *systems_of(const struct work *work) {
    const struct node *systems = node_get(work->root, SLICE_OF("systems"));
    return systems && systems->kind == NODE_MAP ? systems : NULL;
}

static bool speaks_http(struct slice url) {
    return slice_starts_nocase(url, SLICE_OF("http:")) || slice_starts_nocase(url, SLICE_OF("https:"));
}

/* The first URL of a system that isn't http; NULL: all are. */
static const struct node *other_url(const struct node *system, bool *ret_any) {
    const struct node *url = node_get(system, SLICE_OF("url")),
                      *endpoints = node_get(system, SLICE_OF("endpoints"));
    *ret_any = url != NULL;
    if (url && url->kind == NODE_SCALAR && !url->unknown && !speaks_http(url->text))
        return url;
    url = node_get(node_get(system, SLICE_OF("discover")), SLICE_OF("url"));
    *ret_any |= url || node_get(system, SLICE_OF("register"));
    if (url && url->kind == NODE_SCALAR && !url->unknown && !speaks_http(url->text))
        return url;
    for (const struct node *child = endpoints && endpoints->kind == NODE_MAP ? endpoints->first : NULL; child;
         child = child->next) {
        url = node_get(child, SLICE_OF("url"));
        *ret_any = true;
        if (url && url->kind == NODE_SCALAR && !url->unknown && !speaks_http(url->text))
            return url;
    }
    return NULL;
}

static bool has_query(const struct node *owner) {
    const struct node *url = node_get(owner, SLICE_OF("url"));
    return url && url->kind == NODE_SCALAR && slice_find(url->text, '?') < url->text.size;
}

/* The path of a request is put behind that of the URL. */
static bool any_query(const struct node *system) {
    const struct node *endpoints = node_get(system, SLICE_OF("endpoints"));
    bool any = has_query(system);
    for (const struct node *child = endpoints && endpoints->kind == NODE_MAP ? endpoints->first : NULL; child; child = child->next)
        any = any || (child->kind == NODE_MAP && has_query(child));
    return any;
}

static void check_proxy(struct work *work, const struct node *route, const struct node *http, const struct trail *trail) {
    const struct node *proxy = node_get(route, SLICE_OF("proxy"));
    struct trail here = {trail, SLICE_OF("proxy")};
    bool any;
    if (!proxy || proxy->kind != NODE_SCALAR)
        return;
    if (!http)
        work_error(work, proxy->key_at, &here, "only a route with `match.http` can stream; messages go `to` a system");
    const struct node *system = node_get(systems_of(work), proxy->text);
    if (!system || system->kind != NODE_MAP)
        return;
    const struct node *other = other_url(system, &any);
    if (other)
        work_error(work, proxy->at, &here, "`%.*s` does not speak HTTP: `%.*s` (line %u)", SCALAR_SHOWN(proxy->text), SCALAR_SHOWN(other->text),
                   other->at.line);
    else if (!any)
        work_error(work, proxy->at, &here, "`%.*s` has no `url` or `endpoints` to stream to", SCALAR_SHOWN(proxy->text));
    else if (any_query(system))
        work_error(work, proxy->at, &here, "the URL of `%.*s` has a query, behind which no path can be added", SCALAR_SHOWN(proxy->text));
}

/* What is streamed is no message, so nothing of it comes into the ring. */
static void check_trace(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *trace = node_get(route, SLICE_OF("trace"));
    struct trail here = {trail, SLICE_OF("trace")};
    if (trace && node_get(route, SLICE_OF("proxy")))
        work_error(work, trace->key_at, &here, "means nothing with `proxy`: what is streamed is no message");
}

static void check_beside(struct work *work, const struct node *route, const struct node *match,
                         const struct trail *trail) {
    const struct node *when = node_get(route, SLICE_OF("when")), *to = node_get(route, SLICE_OF("to"));
    struct trail in_match = {trail, SLICE_OF("match")}, at_when = {trail, SLICE_OF("when")},
                 at_to = {trail, SLICE_OF("to")};
    for (const struct node *child = match->first; child; child = child->next) {
        struct trail here = {&in_match, child->key};
        if (!slice_is(child->key, "http") && !slice_is(child->key, "listener") &&
            !slice_is(child->key, "from"))
            work_error(
                work, child->key_at, &here,
                "a REST route is found by its request alone: only `listener` and `from` may stand beside `http`");
    }
    if (when)
        work_error(work, when->key_at, &at_when,
                   "a REST route is found by its request alone, before there is a message");
    if (to && to->kind == NODE_LIST && to->first && (to->count > 1 || slice_is(to->first->text, "all")))
        work_error(work, to->at, &at_to, "a request goes to one system, this names several");
}

static void check_listeners(struct work *work, const struct node *match, const struct trail *trail) {
    const struct node *list = node_get(match, SLICE_OF("listener")),
                      *listeners = node_get(work->root, SLICE_OF("listeners"));
    struct trail in_match = {trail, SLICE_OF("match")}, here = {&in_match, SLICE_OF("listener")};
    for (const struct node *item = list && list->kind == NODE_LIST ? list->first : NULL; item;
         item = item->next) {
        const struct node *listener =
            item->kind == NODE_SCALAR && listeners ? node_get(listeners, item->text) : NULL;
        const struct node *url =
            listener && listener->kind == NODE_MAP ? node_get(listener, SLICE_OF("url")) : NULL;
        if (url && url->kind == NODE_SCALAR && !url->unknown && !speaks_http(url->text))
            work_error(work, item->at, &here, "the listener `%.*s` does not speak HTTP (line %u)",
                       SCALAR_SHOWN(item->text), url->at.line);
    }
}

void refer_rest_route(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *match = node_get(route, SLICE_OF("match"));
    const struct node *http = match && match->kind == NODE_MAP ? node_get(match, SLICE_OF("http")) : NULL;
    struct trail in_match = {trail, SLICE_OF("match")}, here = {&in_match, SLICE_OF("http")};
    check_proxy(work, route, http, trail);
    check_trace(work, route, trail);
    if (!http || http->kind != NODE_MAP)
        return;
    check_each(work, http, &here, "method", method_fault, true);
    check_each(work, http, &here, "host", rest_host_check, false);
    check_each(work, http, &here, "path", rest_path_check, false);
    check_api(work, http, &here);
    check_beside(work, route, match, trail);
    check_listeners(work, match, trail);
}

/* -- systems -- */

static void check_request(struct work *work, const struct node *node, const struct trail *trail) {
    size_t space = slice_find(node->text, ' ');
    struct slice method = slice_head(node->text, space), path = slice_trim(slice_skip(node->text, space));
    const char *words = method_fault(method);
    if (words) {
        work_error(work, node->at, trail, "`%.*s` %s; write METHOD or METHOD /path", SCALAR_SHOWN(method),
                   words);
        return;
    }
    if (space == node->text.size)
        return;
    if (path.size == 0 || path.data[0] != '/')
        work_error(work, node->at, trail, "a path begins with `/`: write %.*s /path", SCALAR_SHOWN(method));
    for (size_t i = 0; i < path.size; i++)
        if (path.data[i] <= ' ' || path.data[i] >= 0x7f || path.data[i] == '#') {
            work_error(work, node->at, trail,
                       "a path has no spaces and no `#`; write what is not ASCII with %%");
            return;
        }
    check_template(work, node, trail, path);
}

bool refer_is_proxied(const struct work *work, struct slice name) {
    const struct node *routes = node_get(work->root, SLICE_OF("routes"));
    for (const struct node *route = routes && routes->kind == NODE_MAP ? routes->first : NULL; route;
         route = route->next) {
        const struct node *proxy = route->kind == NODE_MAP ? node_get(route, SLICE_OF("proxy")) : NULL;
        if (proxy && proxy->kind == NODE_SCALAR && slice_equal(proxy->text, name))
            return true;
    }
    return false;
}

static void check_headers(struct work *work, const struct node *system, const struct trail *trail,
                          bool proxied) {
    const struct node *headers = node_get(system, SLICE_OF("headers"));
    struct trail here = {trail, SLICE_OF("headers")};
    for (const struct node *child = headers && headers->kind == NODE_MAP ? headers->first : NULL; child;
         child = child->next) {
        struct trail at = {&here, child->key};
        if (child->kind != NODE_SCALAR || child->unknown)
            continue;
        for (size_t i = 0; i < child->text.size; i++)
            if ((child->text.data[i] < ' ' && child->text.data[i] != '\t') || child->text.data[i] == 0x7f) {
                work_error(work, child->at, &at, "has a control character; a header field is one line");
                break;
            }
        check_template(work, child, &at, child->text);
        if (proxied && slice_find(child->text, '{') < child->text.size)
            work_error(work, child->at, &at,
                       "a `proxy` route leads here: there is no message that `{..}` could be filled from");
    }
}

static void only_with_rest(struct work *work, const struct node *system, const struct trail *trail,
                           const char *key, const char *words) {
    const struct node *node = node_get(system, slice_from(key));
    struct trail here = {trail, slice_from(key)};
    if (node)
        work_error(work, node->key_at, &here, "%s", words);
}

static void check_service(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *format = node_get(system, SLICE_OF("format")),
                      *url = node_get(system, SLICE_OF("url"));
    struct trail here = {trail, SLICE_OF("format")}, at_url = {trail, SLICE_OF("url")};
    bool any;
    const struct node *other = other_url(system, &any);
    if (other)
        work_error(work, format->at, &here, "`rest` is for http; `%.*s` (line %u) is not",
                   SCALAR_SHOWN(other->text), other->at.line);
    if (url && url->kind == NODE_SCALAR && slice_find(url->text, '?') < url->text.size)
        work_error(work, url->at, &at_url,
                   "has a query, behind which no path can be added; write it in `rest` templates");
    only_with_rest(work, system, trail, "mode", "is how events are posted; with `format: rest` none are");
    only_with_rest(work, system, trail, "batch",
                   "is for events; with `format: rest` each message is a request of its own");
}

void refer_rest_system(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *format = node_get(system, SLICE_OF("format")),
                      *rest = node_get(system, SLICE_OF("rest"));
    bool is_rest = format && format->kind == NODE_SCALAR && slice_is(format->text, "rest"),
         proxied = refer_is_proxied(work, trail->key);
    struct trail here = {trail, SLICE_OF("rest")};
    if (is_rest) {
        check_service(work, system, trail);
    } else {
        only_with_rest(work, system, trail, "rest", "means something with `format: rest` only");
        if (!proxied) {
            only_with_rest(work, system, trail, "headers",
                           "means something with `format: rest`, or where a `proxy` route leads here");
            only_with_rest(work, system, trail, "preserve_host",
                           "means something with `format: rest`, or where a `proxy` route leads here");
        }
    }
    check_headers(work, system, trail, proxied);
    for (const struct node *child = rest && rest->kind == NODE_MAP ? rest->first : NULL; child;
         child = child->next) {
        struct trail at = {&here, child->key};
        if (child->kind == NODE_SCALAR && !child->unknown)
            check_request(work, child, &at);
    }
}
