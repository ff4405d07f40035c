/* For tests of the data API: one request, and what became of it. */
#ifndef HTTP1_API_KIT_H
#define HTTP1_API_KIT_H

#include "protocol/http1/fixture.h"

#define DATE "Date: Sun, 22 Nov 2026 22:00:00 GMT\r\n"
#define JSON_TYPE "Content-Type: application/cloudevents+json\r\n"

static inline void begin(struct world *w) {
    world_init(w, PROTOCOL_ACCEPTED);
    world_open(w);
}

/* One POST with its length. */
static inline void post(struct world *w, const char *path, const char *headers, struct slice body) {
    char head[4096];
    int size = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: localhost:8080\r\n%sContent-Length: %zu\r\n\r\n", path, headers,
                        body.size);
    struct buffer all;
    buffer_init(&all, 1 << 22);
    buffer_add(&all, slice_make(head, (size_t)size));
    buffer_add(&all, body);
    world_give(w, buffer_slice(&all));
    buffer_done(&all);
}

static inline void post_text(struct world *w, const char *path, const char *headers, const char *body) {
    post(w, path, headers, slice_from(body));
}

static inline const struct seen *last(const struct world *w) {
    assert_true(w->messages > 0);
    return &w->seen[(w->messages - 1) % SEEN_MAX];
}

static inline void check_seen(const struct world *w, const char *piece) {
    if (!strstr(last(w)->json, piece))
        fail_msg("no `%s` in %s", piece, last(w)->json);
}

static inline void check_text(struct world *w, const char *format, const char *receipt) {
    char expected[2048];
    char *at = expected;
    for (; *format; format++) {
        if (*format == '@') {
            memcpy(at, receipt, UUID_TEXT_SIZE);
            at += UUID_TEXT_SIZE;
        } else {
            *at++ = *format;
        }
    }
    *at = '\0';
    assert_string_equal(world_text(w), expected);
    world_forget(w);
}

#endif
