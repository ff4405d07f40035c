/* Requests of pages in browsers: whose they are (RFC 6454), and the headers of cross-origin sharing (Fetch section 3.2). */
#include <stdio.h>

#include "base/text.h"
#include "protocol/http1/inner.h"

/* A page that this very host has served. The scheme is the browser's affair: who stands before us may speak TLS for us. */
static bool is_same_host(struct slice origin, struct slice host) {
    struct slice rest = slice_starts_nocase(origin, SLICE_OF("https://")) ? slice_skip(origin, 8)
                        : slice_starts_nocase(origin, SLICE_OF("http://")) ? slice_skip(origin, 7)
                                                                            : slice_make("", 0);
    return rest.size > 0 && slice_equal_nocase(rest, host);
}

const char *origin_objection(struct http1 *h, const struct http1_head *head) {
    const struct protocol_setup *setup = h->setup;
    struct slice origin = http1_known(head, HTTP1_ORIGIN);
    h->server.cors = 0;
    if (!origin.data)
        return NULL;
    if (setup->is_admin)
        return "requests from web pages (with `Origin`) are not served here";
    for (size_t i = 0; i < setup->origin_count && i < UINT8_MAX; i++)
        if (slice_equal(origin, setup->origins[i])) {
            h->server.cors = (uint8_t)(i + 1);
            return NULL;
        }
    return is_same_host(origin, head->host) ? NULL : "pages of this `Origin` may not use this listener; `origins` lists those that may";
}

bool origin_is_preflight(const struct http1_head *head) {
    return slice_is(head->method, "OPTIONS") && http1_find(head, SLICE_OF("access-control-request-method")).data;
}

/* Names of headers as they were asked for; empty when there is more than names in it. */
static struct slice asked_headers(const struct http1_head *head) {
    struct slice asked = http1_find(head, SLICE_OF("access-control-request-headers"));
    for (size_t i = 0; i < asked.size; i++)
        if (!text_is_alpha(asked.data[i]) && !text_is_digit(asked.data[i]) && !strchr("-_, ", asked.data[i]))
            return slice_make("", 0);
    return slice_head(asked, asked.size <= 600 ? asked.size : 0);
}

int origin_preflight(const struct http1_head *head, char out[static ORIGIN_PREFLIGHT_MAX]) {
    struct slice headers = asked_headers(head);
    return snprintf(out, ORIGIN_PREFLIGHT_MAX,
                    "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n%s%.*s%sAccess-Control-Max-Age: 600\r\n",
                    headers.size ? "Access-Control-Allow-Headers: " : "", SLICE_ARG(headers), headers.size ? "\r\n" : "");
}

void origin_lines(const struct http1 *h, struct buffer *out) {
    if (!h->server.cors)
        return;
    buffer_add_text(out, "Access-Control-Allow-Origin: ");
    buffer_add(out, h->setup->origins[h->server.cors - 1]);
    buffer_add_text(out, "\r\nVary: Origin\r\nAccess-Control-Expose-Headers: Intertie-Id, Location, Retry-After\r\n");
}
