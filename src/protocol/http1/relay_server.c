/* The accepted side of an exchange that is streamed: its request goes up as it comes, its answer is written as it comes. */
#include "base/memory.h"
#include "protocol/http1/fields.h"
#include "protocol/http1/problem.h"

#define HEAD_ROOM 384 /* status line, Date, Via, framing, Connection, empty line */

/* -- its end -- */

static void forget(struct http1 *h) {
    memory_free(h->server.relay);
    h->server.relay = NULL;
    h->sink->held = 0;
    h->sink->terms.answers_bounded = true;
}

/* What is left of the request is not read on: whoever has not sent it may never, and who sends it gets the answer all the
 * same, for a moment. */
static void end(struct http1 *h, enum status status, struct now now) {
    if (!h->server.relay->in_done)
        h->server.keep = false;
    forget(h);
    answer_end(h, status, now);
}

/* The peer is gone, or what it sends can't be read: nobody is left to be answered. */
static void fail(struct http1 *h, enum status reason, enum status status) {
    forget(h);
    http1_close(h, reason);
    h->sink->calls->stream_failed(h->sink->user, status);
}

void relay_server_fail(struct http1 *h, enum status status) {
    fail(h, status, status);
}

void relay_server_abort(struct http1 *h, enum status status, uint32_t retry_ms, struct now now) {
    struct http1_server *s = &h->server;
    if (!s->relay)
        return;
    if (s->relay->out_began) {
        h->sink->aborts = s->relay->out_until_close && !s->relay->is_tunnel;
        forget(h);
        http1_close(h, status);
        return;
    }
    if (!s->relay->in_done)
        s->keep = false;
    answer_problem(h, status, slice_make(NULL, 0), retry_ms, slice_make(NULL, 0), now);
    end(h, status, now);
}

/* -- the request -- */

static bool is_idempotent(const struct http1_head *head) {
    static const struct slice methods[] = {SLICE("GET"), SLICE("HEAD"), SLICE("OPTIONS"), SLICE("PUT"),
                                           SLICE("DELETE")};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (slice_equal(head->method, methods[i]))
            return true;
    return http1_known(head, HTTP1_IDEMPOTENCY_KEY).data != NULL;
}

static bool add_fields(struct http1 *h, const struct http1_head *head, const struct protocol_way *way) {
    struct buffer *scratch = &h->worker->scratch;
    struct fields_out out = {scratch, false};
    buffer_clear(scratch);
    fields_request(h, head, way->peer, true, &out);
    if (h->server.relay->expects)
        fields_add(&out, SLICE_OF("Expect"), SLICE_OF("100-continue"));
    return scratch->status == STATUS_OK;
}

void relay_begin(struct http1 *h, const struct http1_head *head, const struct protocol_way *way,
                 struct now now) {
    struct http1_server *s = &h->server;
    struct http1_relay *r = memory_new(sizeof *r);
    if (!r) {
        exchange_refuse(h, head, STATUS_NO_MEMORY, "", NULL, now);
        return;
    }
    s->relay = r;
    s->after = PHASE_HEAD;
    s->coding = CODING_NONE;
    s->cors = 0; /* which pages may read the answer is for who answers to say */
    r->is_head = s->is_head;
    r->upgrades = fields_upgrades(head);
    r->in_done = !relay_expect(&s->in, head);
    r->expects = !r->in_done && head->minor >= 1 && http1_known(head, HTTP1_EXPECT).data;
    if (r->in_done)
        s->in.phase = PHASE_STREAM_DONE;
    h->sink->held =
        !r->in_done && !r->expects; /* nothing is, but what has begun must come at limits.min_rate */
    h->sink->due = MONO_NEVER; /* the user has the time */
    h->sink->terms.answers_bounded = false; /* both ways are bounded, each by itself */
    if (!add_fields(h, head, way)) {
        relay_server_abort(h, h->worker->scratch.status, 0, now);
        return;
    }
    struct protocol_stream stream = {.route = way->route,
                                     .method = head->method,
                                     .target = rest_origin_form(head),
                                     .fields = buffer_slice(&h->worker->scratch),
                                     .host = head->host,
                                     .length = head->length,
                                     .is_sized = head->framing == HTTP1_LENGTH,
                                     .is_chunked = head->framing == HTTP1_CHUNKED,
                                     .is_head = r->is_head,
                                     .is_upgrade = r->upgrades,
                                     .is_idempotent = is_idempotent(head)};
    h->sink->calls->stream_begin(h->sink->user, &stream);
}

static size_t read_on(struct http1 *h, struct slice bytes, bool ended) {
    struct http1_server *s = &h->server;
    enum http1_result result;
    struct slice last;
    if (bytes.size)
        s->relay->expects = false;
    h->sink->held = bytes.size && !s->relay->is_tunnel;
    size_t used = relay_read(h, &s->in, bytes, ended, &result, &last);
    if (!s->relay || h->sink->closing || result == HTTP1_MORE)
        return used;
    if (result == HTTP1_BAD) {
        http1_invalid(h, STATUS_PROTOCOL_ERROR, s->in.chunked.words);
        fail(h, ended ? STATUS_PEER_CLOSED : STATUS_PROTOCOL_ERROR,
             ended ? STATUS_CANCELLED : STATUS_PROTOCOL_ERROR);
        return used;
    }
    s->relay->in_done = true;
    s->in.phase = PHASE_STREAM_DONE;
    h->sink->held = 0;
    if (s->relay->is_tunnel) {
        forget(h);
        http1_close(h, STATUS_PEER_CLOSED);
    }
    h->sink->calls->stream_data(h->sink->user, last, true);
    return used;
}

size_t relay_server_feed(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    (void)now;
    if (h->server.in.phase != PHASE_STREAM_DONE)
        return read_on(h, bytes, ended);
    if (bytes.size)
        h->sink->paused = true; /* the next request, which has its turn when this one is answered */
    else if (ended)
        fail(h, STATUS_PEER_CLOSED, STATUS_CANCELLED);
    return 0;
}

/* -- the answer -- */

static bool begin(struct http1 *h, size_t size, struct buffer *out) {
    uint8_t *at = chain_reserve(h->sink->out, size);
    if (at)
        buffer_init_fixed(out, at, size);
    return at != NULL;
}

static void add_status(unsigned code, struct buffer *out) {
    buffer_add(out, SLICE_OF("HTTP/1.1 "));
    buffer_add_u64(out, code);
    buffer_add_byte(out, ' ');
    buffer_add_text(out, problem_phrase(code));
    buffer_add(out, SLICE_OF("\r\n"));
}

static bool finish(struct http1 *h, struct buffer *out) {
    buffer_add(out, SLICE_OF("\r\n"));
    chain_commit(h->sink->out, out->status == STATUS_OK ? out->size : 0);
    return out->status == STATUS_OK;
}

/* RFC 9110 section 15.2: to HTTP/1.0 there are none; of 100 only who waits for it hears. */
static bool interim(struct http1 *h, const struct protocol_stream_answer *answer) {
    struct http1_relay *r = h->server.relay;
    struct buffer out;
    if (h->server.is_old || (answer->code == 100 && !r->expects))
        return true;
    if (answer->code == 100) {
        r->expects = false;
        h->sink->held = 1;
    }
    if (!begin(h, HEAD_ROOM + answer->fields.size, &out))
        return false;
    add_status(answer->code, &out);
    buffer_add(&out, answer->fields);
    return finish(h, &out);
}

/* RFC 9112 section 6.1: never chunked to HTTP/1.0; its end is then that of the connection. */
static void add_framing(struct http1_server *s, const struct protocol_stream_answer *answer,
                        struct buffer *out) {
    struct http1_relay *r = s->relay;
    if (answer->is_sized) {
        r->out_left = answer->has_body ? answer->length : 0;
        buffer_add(out, SLICE_OF("Content-Length: "));
        buffer_add_u64(out, answer->length);
        buffer_add(out, SLICE_OF("\r\n"));
    } else if (answer->has_body && !s->is_old) {
        r->out_chunked = true;
        buffer_add(out, SLICE_OF("Transfer-Encoding: chunked\r\n"));
    } else if (answer->has_body) {
        r->out_until_close = true;
        s->keep = false;
    }
}

static void add_connection(const struct http1_server *s, struct buffer *out) {
    if (s->relay->is_tunnel)
        buffer_add(out, SLICE_OF("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    else if (!s->keep || s->shutting)
        buffer_add(out, SLICE_OF("Connection: close\r\n"));
    else if (s->is_old)
        buffer_add(out, SLICE_OF("Connection: keep-alive\r\n"));
}

bool relay_answer(struct http1 *h, const struct protocol_stream_answer *answer, struct now now) {
    struct http1_server *s = &h->server;
    struct http1_relay *r = s->relay;
    struct buffer out;
    if (!r)
        return false;
    if (answer->code < 200 && answer->code != 101)
        return interim(h, answer);
    if (!begin(h, HEAD_ROOM + h->setup->node.size + answer->fields.size, &out))
        return false;
    r->is_tunnel = answer->code == 101;
    if (r->expects)
        s->keep = false; /* whether its body still comes is open now (RFC 9110 section 10.1.1) */
    add_status(answer->code, &out);
    if (!answer->has_date)
        answer_date(h->worker, now, &out);
    buffer_add(&out, answer->fields);
    if (!r->is_tunnel)
        add_framing(s, answer, &out);
    add_connection(s, &out);
    if (!finish(h, &out))
        return false;
    r->out_began = true;
    if (r->is_tunnel) {
        s->in.phase = PHASE_STREAM_ALL;
        r->in_done = h->sink->paused = false;
    } else if (!answer->has_body) {
        end(h, STATUS_OK, now);
    }
    return true;
}

bool relay_server_data(struct http1 *h, struct slice data, bool last, struct now now) {
    struct http1_relay *r = h->server.relay;
    if (!r || !relay_write(h, r, data, last))
        return false;
    if (last && r->is_tunnel) {
        forget(h);
        http1_close(h, STATUS_PEER_CLOSED);
    } else if (last) {
        end(h, STATUS_OK, now);
    }
    return true;
}
