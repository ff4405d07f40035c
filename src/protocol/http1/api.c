/* Paths, content modes, hints: what a request is about. Its event is made in decode.c. */
#include "protocol/http1/api.h"

#include "base/text.h"

#define SYSTEM_POST "POST, OPTIONS"

/* -- paths -- */

static bool eat(struct slice *path, struct slice prefix) {
    if (!slice_starts(*path, prefix))
        return false;
    *path = slice_skip(*path, prefix.size);
    return true;
}

static enum api_place posting(const struct http1_head *head, bool pulls) {
    if (slice_is(head->method, "POST"))
        return API_MESSAGES;
    if (slice_is(head->method, "OPTIONS"))
        return API_OPTIONS;
    if (pulls && slice_is(head->method, "GET"))
        return API_PULL;
    return API_NO_METHOD;
}

static void system_route(const struct http1_head *head, struct slice rest, struct api_route *route) {
    size_t slash = slice_find(rest, '/');
    struct slice name = slice_head(rest, slash);
    struct slice what = slice_skip(rest, slash);
    if (slice_is(what, "/messages")) {
        route->place = posting(head, true);
        route->allow = "GET, " SYSTEM_POST;
        route->is_messages = true;
    } else if (slice_is(what, "/acks")) {
        route->place = posting(head, false);
        route->place = route->place == API_MESSAGES ? API_ACKS : route->place;
    } else {
        return;
    }
    route->target = name;
    if (!text_is_name(name))
        route->place = API_BAD_NAME;
}

static void websocket_route(const struct http1_head *head, struct api_route *route) {
    route->allow = "GET, OPTIONS";
    route->place = slice_is(head->method, "OPTIONS") ? API_OPTIONS : API_WEBSOCKET;
}

static void reply_route(const struct http1_head *head, struct slice path, struct api_route *route) {
    route->allow = "GET, OPTIONS";
    route->target = slice_head(path, slice_find(path, '/'));
    route->place = slice_is(head->method, "GET")       ? API_REPLY
                   : slice_is(head->method, "OPTIONS") ? API_OPTIONS
                                                       : API_NO_METHOD;
}

void api_route(const struct http1_head *head, uint8_t *room, struct api_route *route) {
    *route = (struct api_route){.place = API_UNKNOWN, .target = SLICE_OF(""), .allow = SYSTEM_POST};
    if (head->form == HTTP1_ASTERISK_FORM) {
        route->place = API_OPTIONS;
        return;
    }
    if (slice_is(head->path, "/v1/messages")) { /* nearly always */
        route->place = posting(head, false);
        route->is_messages = true;
        return;
    }
    struct slice path = http1_normal_path(head->path, room, API_ROOM);
    if (!path.data || !eat(&path, SLICE_OF("/v1/")))
        return;
    if (slice_is(path, "messages")) {
        route->place = posting(head, false);
        route->is_messages = true;
    } else if (eat(&path, SLICE_OF("systems/")))
        system_route(head, path, route);
    else if (slice_is(path, "ws"))
        websocket_route(head, route);
    else if (eat(&path, SLICE_OF("messages/")) && slice_find(path, '/') > 0 &&
             slice_is(slice_skip(path, slice_find(path, '/')), "/reply"))
        reply_route(head, path, route);
}

/* -- content modes -- */

struct slice api_media(struct slice content_type) {
    return slice_trim(slice_head(content_type, slice_find(content_type, ';')));
}

static bool ends_nocase(struct slice s, struct slice end) {
    return s.size >= end.size && slice_equal_nocase(slice_skip(s, s.size - end.size), end);
}

bool api_is_json(struct slice content_type) {
    struct slice type = api_media(content_type);
    return ends_nocase(type, SLICE_OF("/json")) || ends_nocase(type, SLICE_OF("+json"));
}

/* Events are UTF-8; whoever says otherwise isn't understood. */
static bool has_foreign_charset(struct slice content_type) {
    struct slice rest = slice_skip(content_type, slice_find(content_type, ';') + 1);
    while (rest.size) {
        size_t end = slice_find(rest, ';');
        struct slice parameter = slice_trim(slice_head(rest, end));
        rest = slice_skip(rest, end + 1);
        if (!slice_starts_nocase(parameter, SLICE_OF("charset=")))
            continue;
        struct slice value = slice_skip(parameter, 8);
        if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"')
            value = slice_make(value.data + 1, value.size - 2);
        if (!slice_equal_nocase(value, SLICE_OF("utf-8")))
            return true;
    }
    return false;
}

static enum api_mode structured_mode(struct slice content_type) {
    static const struct {
        struct slice name;
        enum api_mode mode;
    } formats[] = {
        {SLICE("application/cloudevents+json"), API_JSON},
        {SLICE("application/cloudevents+protobuf"), API_PROTO},
        {SLICE("application/cloudevents-batch+json"), API_BATCH_JSON},
        {SLICE("application/cloudevents-batch+protobuf"), API_BATCH_PROTO},
    };
    struct slice type = api_media(content_type);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (slice_equal_nocase(type, formats[i].name))
            return has_foreign_charset(content_type) ? API_UNKNOWN_FORMAT : formats[i].mode;
    return API_UNKNOWN_FORMAT;
}

enum api_mode api_mode(const struct http1_head *head) {
    struct slice type = http1_known(head, HTTP1_CONTENT_TYPE);
    if (slice_starts_nocase(type, SLICE_OF("application/cloudevents")))
        return structured_mode(type);
    if (head->ce_count == 0)
        return API_PLAIN;
    if (head->ce_required == HTTP1_CE_ALL)
        return API_BINARY;
    return head->ce_required ? API_INCOMPLETE : API_PLAIN;
}

/* Weight of `;q=`, in thousandths; 1000 when there is none. RFC 9110 section 12.4.2. */
unsigned api_weight(struct slice element) {
    struct slice rest = slice_skip(element, slice_find(element, ';'));
    while (rest.size) {
        rest = slice_skip(rest, 1);
        size_t end = slice_find(rest, ';');
        struct slice parameter = slice_trim(slice_head(rest, end));
        rest = slice_skip(rest, end);
        if (!slice_starts_nocase(parameter, SLICE_OF("q=")) || parameter.size < 3)
            continue;
        unsigned value = parameter.data[2] == '1' ? 1000 : 0, place = 100;
        for (size_t i = 4; i < parameter.size && i < 7 && value < 1000; i++, place /= 10)
            value += text_is_digit(parameter.data[i]) ? (parameter.data[i] - '0') * place : 0;
        return value;
    }
    return 1000;
}

enum message_encoding api_accepts(struct slice accept) {
    enum message_encoding best = ENCODING_NONE;
    unsigned best_weight = 0;
    struct slice element;
    while (http1_list_next(&accept, &element)) {
        struct slice type = api_media(element);
        enum message_encoding encoding = slice_equal_nocase(type, SLICE_OF("application/cloudevents+json")) ? ENCODING_JSON
                                         : slice_equal_nocase(type, SLICE_OF("application/cloudevents+protobuf"))
                                             ? ENCODING_PROTO
                                             : ENCODING_NONE;
        if (encoding != ENCODING_NONE && api_weight(element) > best_weight) {
            best = encoding;
            best_weight = api_weight(element);
        }
    }
    return best;
}

bool api_ttl(struct api_hints *hints, struct message_fault *fault) {
    struct slice value = http1_known(hints->head, HTTP1_TTL);
    uint64_t seconds;
    hints->expiry.ns = INT64_MAX;
    if (!value.data)
        return true;
    if (!text_to_u64(value, &seconds)) {
        *fault = (struct message_fault){STATUS_MALFORMED_EVENT, "", "`TTL` must be a number of seconds"};
        return false;
    }
    if (seconds > API_TTL_MAX)
        seconds = API_TTL_MAX;
    hints->expiry.ns = hints->now.ns + (int64_t)seconds * NS_PER_S;
    return true;
}
