/* A stream connection with deadlines, and one HTTP/1.1 request over it. */
#include "cli/wire.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/socket.h"
#include "protocol/http1/chunked.h"

#define BODY_MAX (16u << 20)
#define HEAD_MAX (64u << 10)
#define READ_SIZE 16384

/* What stands between the socket and who uses the wire. */
struct wire_sealed {
    struct chain_pool pool;
    struct chain out;
    struct filter_sink sink;
    struct protocol_worker worker;
    struct protocol_setup setup;
    const struct filter *filter;
    void *state;
    struct buffer in; /* read, not opened yet */
};

static void on_ready(void *user, unsigned events) {
    ((struct wire *)user)->events |= events;
}

static void on_timer(void *user) {
    ((struct wire *)user)->late = true;
}

static void on_wake(void *user) {
    (void)user;
}

/* True when one of `events` is there, false when it is too late. */
static bool wait_for(struct wire *wire, unsigned events, struct mono deadline) {
    wire->events = 0;
    wire->late = false;
    loop_modify(&wire->watch, events);
    loop_timer_at(wire->loop, deadline);
    while (!(wire->events & (events | LOOP_FAILED | LOOP_HANGUP)) && !wire->late)
        loop_run_once(wire->loop, true);
    return wire->events != 0;
}

static void on_resolved(void *user, enum status status, const struct address *addresses, size_t count) {
    struct wire *wire = user;
    wire->resolved = true;
    wire->status = status == STATUS_OK && count == 0 ? STATUS_RESOLVE_FAILED : status;
    if (wire->status == STATUS_OK)
        wire->address = addresses[0];
}

static enum status resolve(struct wire *wire, const struct config_url *url, struct mono deadline, struct fault *fault) {
    struct address address;
    if (address_parse_ip(url->host, &address)) {
        wire->address = address;
        wire->address.port = url->port;
        return STATUS_OK;
    }
    if (!loop_resolve(wire->loop, url->host, url->port, on_resolved, wire))
        return fault_set(fault, STATUS_RESOLVE_FAILED, 0, "no host `%.*s`", SLICE_ARG(slice_head(url->host, 100)));
    wire->late = false;
    loop_timer_at(wire->loop, deadline);
    while (!wire->resolved && !wire->late)
        loop_run_once(wire->loop, true);
    if (wire->resolved && wire->status == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_RESOLVE_FAILED, 0, "no host `%.*s`", SLICE_ARG(slice_head(url->host, 100)));
}

/* -- bytes as they are on the socket -- */

static enum status write_raw(struct wire *wire, struct slice bytes, struct mono deadline) {
    while (bytes.size) {
        struct iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
        struct socket_io io = socket_write(wire->fd, &part, 1);
        if (io.result == SOCKET_MOVED)
            bytes = slice_skip(bytes, io.count);
        else if (io.result != SOCKET_AGAIN)
            return io.status == STATUS_OK ? STATUS_PEER_CLOSED : io.status;
        else if (!wait_for(wire, LOOP_WRITABLE, deadline))
            return STATUS_REPLY_TIMEOUT;
    }
    return STATUS_OK;
}

static enum status read_raw(struct wire *wire, struct buffer *out, struct mono deadline) {
    for (;;) {
        uint8_t *at = buffer_reserve(out, READ_SIZE);
        if (!at)
            return out->status;
        struct socket_io io = socket_read(wire->fd, at, READ_SIZE);
        if (io.result == SOCKET_MOVED) {
            buffer_added(out, io.count);
            return STATUS_OK;
        }
        if (io.result == SOCKET_END)
            return STATUS_PEER_CLOSED;
        if (io.result == SOCKET_FAILED)
            return io.status;
        if (!wait_for(wire, LOOP_READABLE, deadline))
            return STATUS_REPLY_TIMEOUT;
    }
}

/* -- sealed -- */

static enum status write_sealed(struct wire *wire, struct mono deadline) {
    struct chain *out = &wire->sealed->out;
    struct iovec part;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && chain_vectors(out, &part, 1) == 1) {
        status = write_raw(wire, slice_make(part.iov_base, part.iov_len), deadline);
        if (status == STATUS_OK)
            chain_written(out, part.iov_len);
    }
    return status;
}

/* Opens what was read, and reads on until that gives something, or `until_ready`. */
static enum status open_sealed(struct wire *wire, struct buffer *out, bool until_ready, struct mono deadline) {
    struct wire_sealed *s = wire->sealed;
    for (;;) {
        struct slice rest = buffer_slice(&s->in);
        size_t got = 0, before;
        do {
            uint8_t *at = buffer_reserve(out, FILTER_PLAIN_SIZE);
            if (!at)
                return out->status;
            before = rest.size;
            got = s->filter->feed(s->state, &rest, at, FILTER_PLAIN_SIZE, platform_now());
            buffer_added(out, got);
        } while (got == 0 && rest.size && rest.size < before && s->sink.status == STATUS_OK &&
                 !(until_ready && s->sink.ready));
        buffer_consume(&s->in, s->in.size - rest.size);
        enum status status = write_sealed(wire, deadline);
        if (got || (until_ready && s->sink.ready))
            return STATUS_OK;
        if (s->sink.status != STATUS_OK)
            return s->sink.status;
        if (status != STATUS_OK)
            return status;
        if (s->sink.ended)
            return STATUS_PEER_CLOSED;
        status = read_raw(wire, &s->in, deadline);
        if (status == STATUS_PEER_CLOSED) /* without TLS's own goodbye it may have been cut */
            return STATUS_RESET;
        if (status != STATUS_OK)
            return status;
    }
}

static enum status seal(struct wire *wire, const struct cli_secure *secure, struct mono deadline, struct fault *fault) {
    struct wire_sealed *s = wire->sealed = memory_new(sizeof *s);
    void *state = s ? memory_new(secure->use.filter->state_size) : NULL;
    struct buffer none;
    if (!state)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory");
    chain_pool_init(&s->pool);
    chain_init(&s->out, &s->pool, false);
    buffer_init(&s->in, HEAD_MAX);
    buffer_init(&none, HEAD_MAX);
    s->sink = (struct filter_sink){.wire = &s->out, .due = MONO_NEVER};
    s->worker.tls = secure->worker;
    s->setup.role = PROTOCOL_DIALLED;
    s->filter = secure->use.filter;
    s->state = state;
    s->filter->open(state, secure->use.profile, &s->setup, &s->worker, &s->sink, &wire->address, platform_now());
    enum status status = s->sink.status;
    if (status == STATUS_OK)
        status = write_sealed(wire, deadline);
    if (status == STATUS_OK)
        status = open_sealed(wire, &none, true, deadline);
    buffer_done(&none);
    if (status == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, status, 0, "%s%s%s", status_row(status)->title, s->sink.words[0] ? ": " : "", s->sink.words);
}

static void sealed_free(struct wire_sealed *s) {
    if (s && s->state) {
        s->filter->done(s->state);
        memory_free(s->state);
        buffer_done(&s->in);
        chain_done(&s->out);
        chain_pool_done(&s->pool);
    }
    memory_free(s);
}

/* -- for who uses it -- */

enum status wire_open(struct wire *wire, const struct config_url *url, const char *path, const struct cli_secure *secure,
                      struct mono deadline, struct fault *fault) {
    *wire = (struct wire){.fd = -1};
    struct loop_owner owner = {.user = wire, .on_timer = on_timer, .on_wake = on_wake};
    wire->loop = loop_new(&owner);
    if (!wire->loop)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no event loop");
    enum status status = path ? socket_dial_unix(path, &wire->fd, fault) : resolve(wire, url, deadline, fault);
    if (status == STATUS_OK && !path)
        status = socket_dial(&wire->address, &wire->fd, fault);
    if (status == STATUS_OK && !loop_watch(wire->loop, &wire->watch, wire->fd, LOOP_WRITABLE, on_ready, wire))
        status = fault_set(fault, STATUS_NO_MEMORY, 0, "no memory");
    if (status == STATUS_OK && !wait_for(wire, LOOP_WRITABLE, deadline))
        status = fault_set(fault, STATUS_CONNECT_TIMEOUT, 0, "no connection in time");
    if (status == STATUS_OK) {
        status = socket_dial_result(wire->fd);
        if (status != STATUS_OK)
            fault_set(fault, status, 0, "%s", status_row(status)->title);
    }
    if (status == STATUS_OK && secure && secure->worker)
        status = seal(wire, secure, deadline, fault);
    if (status != STATUS_OK)
        wire_close(wire);
    return status;
}

void wire_close(struct wire *wire) {
    sealed_free(wire->sealed);
    if (wire->watch.loop)
        loop_unwatch(&wire->watch);
    if (wire->fd >= 0)
        socket_close(wire->fd);
    if (wire->loop)
        loop_free(wire->loop);
    *wire = (struct wire){.fd = -1};
}

enum status wire_write(struct wire *wire, struct slice bytes, struct mono deadline) {
    struct wire_sealed *s = wire->sealed;
    enum status status = STATUS_OK;
    if (!s)
        return write_raw(wire, bytes, deadline);
    while (status == STATUS_OK && bytes.size) {
        size_t took = s->filter->seal(s->state, slice_head(bytes, FILTER_PLAIN_SIZE), platform_now());
        bytes = slice_skip(bytes, took);
        status = took == 0 ? s->sink.status : write_sealed(wire, deadline);
    }
    return status;
}

enum status wire_read(struct wire *wire, struct buffer *out, struct mono deadline) {
    return wire->sealed ? open_sealed(wire, out, false, deadline) : read_raw(wire, out, deadline);
}

/* -- HTTP -- */

static void copy_field(char *out, size_t room, struct slice value) {
    size_t size = value.size < room - 1 ? value.size : room - 1;
    if (size)
        memcpy(out, value.data, size);
    out[size] = '\0';
}

static enum status read_body(struct wire *wire, const struct http1_head *head, struct buffer *raw, struct http_reply *ret,
                             struct mono deadline) {
    enum status status = STATUS_OK;
    buffer_consume(raw, head->size);
    if (head->framing == HTTP1_NO_BODY)
        return STATUS_OK;
    if (head->framing == HTTP1_CHUNKED) {
        struct chunked chunked;
        chunked_init(&chunked);
        for (;;) {
            struct slice bytes = buffer_slice(raw), data;
            enum http1_result result;
            do {
                data = slice_make(NULL, 0);
                result = chunked_next(&chunked, &bytes, &data);
                buffer_add(&ret->body, data);
            } while (result == HTTP1_MORE && data.size);
            if (result == HTTP1_DONE)
                return ret->body.status;
            if (result == HTTP1_BAD)
                return STATUS_PROTOCOL_ERROR;
            buffer_clear(raw);
            if ((status = wire_read(wire, raw, deadline)) != STATUS_OK)
                return status;
        }
    }
    while (head->framing == HTTP1_UNTIL_CLOSE || raw->size < head->length) {
        status = wire_read(wire, raw, deadline);
        if (status == STATUS_PEER_CLOSED && head->framing == HTTP1_UNTIL_CLOSE)
            break;
        if (status != STATUS_OK)
            return status;
    }
    buffer_add(&ret->body, buffer_slice(raw));
    return ret->body.status;
}

static enum status read_reply(struct wire *wire, struct http_reply *ret, struct mono deadline, struct fault *fault) {
    struct http1_head head;
    struct http1_limits limits = {HEAD_MAX, 100};
    for (;;) {
        enum http1_result result = http1_parse_response(&head, buffer_slice(&ret->head), limits);
        if (result == HTTP1_BAD)
            return fault_set(fault, STATUS_PROTOCOL_ERROR, 0, "the answer is no HTTP: %s", head.words);
        if (result == HTTP1_DONE && head.code >= 200)
            break;
        if (result == HTTP1_DONE) {
            buffer_consume(&ret->head, head.size); /* 1xx */
            continue;
        }
        enum status status = wire_read(wire, &ret->head, deadline);
        if (status != STATUS_OK)
            return fault_set(fault, status, 0, "no answer: %s", status_row(status)->title);
    }
    ret->code = head.code;
    copy_field(ret->receipt, sizeof ret->receipt, http1_find(&head, SLICE_OF("intertie-id")));
    copy_field(ret->content_type, sizeof ret->content_type, http1_known(&head, HTTP1_CONTENT_TYPE));
    enum status status = read_body(wire, &head, &ret->head, ret, deadline);
    return status == STATUS_OK ? status : fault_set(fault, status, 0, "the answer is not whole: %s", status_row(status)->title);
}

enum status http_request(const struct config_url *url, const char *unix_path, const struct cli_secure *secure,
                         const char *method, const char *target, const char *lines, struct slice body, int64_t timeout_ns, struct http_reply *ret,
                         struct fault *fault) {
    struct wire wire;
    struct mono deadline = mono_after(platform_now().mono, timeout_ns);
    *ret = (struct http_reply){0};
    buffer_init(&ret->head, HEAD_MAX + BODY_MAX);
    buffer_init(&ret->body, BODY_MAX);
    enum status status = wire_open(&wire, url, unix_path, secure, deadline, fault);
    if (status != STATUS_OK)
        return status;
    struct buffer out;
    buffer_init(&out, HEAD_MAX + BODY_MAX);
    bool v6 = url && slice_find(url->host, ':') < url->host.size;
    buffer_add_format(&out, "%s %s HTTP/1.1\r\nHost: ", method, target);
    if (url)
        buffer_add_format(&out, "%s%.*s%s:%u", v6 ? "[" : "", SLICE_ARG(url->host), v6 ? "]" : "", (unsigned)url->port);
    else
        buffer_add_text(&out, "localhost");
    buffer_add_format(&out, "\r\nUser-Agent: intertie-cli/" INTERTIE_VERSION "\r\nConnection: close\r\n%s", lines);
    if (body.size || strcmp(method, "GET") != 0)
        buffer_add_format(&out, "Content-Length: %zu\r\n", body.size);
    buffer_add_text(&out, "\r\n");
    buffer_add(&out, body);
    status = out.status;
    if (status == STATUS_OK)
        status = wire_write(&wire, buffer_slice(&out), deadline);
    buffer_done(&out);
    /* An early answer explains a failed write better than the failure does. */
    if (status == STATUS_OK || status == STATUS_RESET || status == STATUS_PEER_CLOSED)
        status = read_reply(&wire, ret, deadline, fault);
    else
        fault_set(fault, status, 0, "%s", status_row(status)->title);
    wire_close(&wire);
    return status;
}

void http_reply_done(struct http_reply *reply) {
    buffer_done(&reply->head);
    buffer_done(&reply->body);
}
