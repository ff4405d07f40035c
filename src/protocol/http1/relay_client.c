/* The dialled side of an exchange that is streamed: one request at a time, its answer goes up as it comes. */
#include "base/memory.h"
#include "base/text.h"
#include "protocol/http1/fields.h"
#include "protocol/http1/present.h"

static void forget(struct http1 *h) {
    memory_free(h->client.relay);
    h->client.relay = NULL;
}

bool relay_client_is_free(const struct http1 *h) {
    const struct http1_client *c = &h->client;
    return c->in.phase == PHASE_OPEN && !c->relay && c->sent_count == 0 && !c->line && !c->shutting &&
           !c->ends && !h->sink->closing;
}

void relay_client_fail(struct http1 *h, enum status status, const char *words) {
    forget(h);
    http1_close(h, status);
    if (words)
        http1_invalid(h, status, words);
    h->sink->calls->stream_failed(h->sink->user, status);
}

/* -- the request -- */

/* The fields of `headers` and those of a credential replace what has their name. */
static bool is_replaced(const struct http1 *h, struct slice line) {
    struct slice name = slice_head(line, slice_find(line, ':'));
    for (size_t i = 0; i < h->setup->header_count; i++)
        if (slice_equal_nocase(name, h->setup->headers[i].name))
            return true;
    return present_owns(h, name);
}

static void add_lines(const struct http1 *h, struct slice lines, struct buffer *out) {
    if (h->setup->header_count == 0 && present_size(h) == 0) {
        buffer_add(out, lines);
        return;
    }
    while (lines.size) {
        struct slice line = slice_head(lines, slice_find(lines, '\n') + 1);
        lines = slice_skip(lines, line.size);
        if (!is_replaced(h, line))
            buffer_add(out, line);
    }
}

static enum status add_own(const struct http1 *h, struct buffer *out) {
    for (size_t i = 0; i < h->setup->header_count; i++) {
        buffer_add(out, h->setup->headers[i].name);
        buffer_add(out, SLICE_OF(": "));
        enum status status =
            template_write(h->setup->headers[i].value, NULL, TEMPLATE_PLAIN, out); /* all are literal */
        if (status != STATUS_OK)
            return status;
        buffer_add(out, SLICE_OF("\r\n"));
    }
    return out->status;
}

static void add_framing(const struct protocol_stream *stream, struct buffer *out) {
    if (stream->is_chunked) {
        buffer_add(out, SLICE_OF("Transfer-Encoding: chunked\r\n"));
    } else if (stream->is_sized) {
        buffer_add(out, SLICE_OF("Content-Length: "));
        buffer_add_u64(out, stream->length);
        buffer_add(out, SLICE_OF("\r\n"));
    }
    if (stream->is_upgrade)
        buffer_add(out, SLICE_OF("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
}

/* Before the target stands the URL's own path, with one slash between. */
static void add_line(const struct http1 *h, const struct protocol_stream *stream, struct buffer *out) {
    struct slice base = h->setup->path;
    while (base.size && base.data[base.size - 1] == '/')
        base.size--;
    buffer_add(out, stream->method);
    buffer_add_byte(out, ' ');
    buffer_add(out, base);
    buffer_add(out, stream->target);
    buffer_add(out, SLICE_OF(" HTTP/1.1\r\nHost: "));
    buffer_add(out, h->setup->preserve_host && stream->host.size ? stream->host : h->setup->host);
    buffer_add(out, SLICE_OF("\r\n"));
}

static enum status write_head(struct http1 *h, const struct protocol_stream *stream) {
    struct buffer *scratch = &h->worker->scratch;
    struct fields_out lines = {scratch, false};
    buffer_clear(scratch);
    add_line(h, stream, scratch);
    add_lines(h, stream->fields, scratch);
    fields_via(h, &lines);
    present_add(h, scratch);
    enum status status = add_own(h, scratch);
    add_framing(stream, scratch);
    buffer_add(scratch, SLICE_OF("\r\n"));
    return status != STATUS_OK ? status : scratch->status;
}

enum status relay_request(struct http1 *h, const struct protocol_stream *stream, struct now now) {
    struct http1_client *c = &h->client;
    struct http1_relay *r = memory_new(sizeof *r);
    enum status status = r ? write_head(h, stream) : STATUS_NO_MEMORY;
    if (status == STATUS_OK && !chain_add(h->sink->out, buffer_slice(&h->worker->scratch)))
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        memory_free(r);
        return status;
    }
    c->relay = r;
    c->in.phase = PHASE_HEAD;
    c->interim = 0;
    r->is_head = stream->is_head;
    r->upgrades = stream->is_upgrade;
    r->out_chunked = stream->is_chunked;
    r->out_left = stream->is_sized ? stream->length : 0;
    r->out_done = !stream->is_chunked && r->out_left == 0;
    r->out_began = true;
    client_look(h, now);
    return STATUS_OK;
}

/* -- the answer -- */

/* The answer is whole. What comes behind it, or an answer that did not wait for all of its request, leaves doubt about
 * what is whose: the connection serves nobody else. */
static void end(struct http1 *h, bool more, struct now now) {
    struct http1_client *c = &h->client;
    c->ends |= more || !c->relay->out_done || chain_unsent(h->sink->out) > 0;
    forget(h);
    c->in.phase = PHASE_OPEN;
    c->interim = 0;
    if (c->ends || c->shutting)
        http1_close(h, c->shutting ? c->shut_status : STATUS_GOING_AWAY);
    else
        client_look(h, now);
}

static void tell_room(struct http1 *h) {
    if (h->sink->calls->room && h->sink->room.messages)
        h->sink->calls->room(h->sink->user);
}

static struct slice lines_of(struct http1 *h, const struct http1_head *head) {
    struct buffer *scratch = &h->worker->scratch;
    struct fields_out out = {scratch, false};
    buffer_clear(scratch);
    fields_answer(head, true, false, &out);
    if (head->code >= 200 || head->code == 101)
        fields_via(h, &out);
    return scratch->status == STATUS_OK ? buffer_slice(scratch) : slice_make(NULL, 0);
}

/* RFC 9110 section 15.2.2: only to what was asked for. */
static bool switches(const struct http1 *h, const struct http1_head *head) {
    return h->client.relay->upgrades &&
           slice_equal_nocase(http1_find(head, SLICE_OF("upgrade")), SLICE_OF("websocket"));
}

static size_t take_interim(struct http1 *h, const struct http1_head *head, struct slice fields) {
    struct http1_client *c = &h->client;
    struct protocol_stream_answer answer = {.code = head->code, .fields = fields, .has_date = true};
    if (head->code == 101 && !switches(h, head)) {
        relay_client_fail(h, STATUS_PROTOCOL_ERROR, "the answer switches protocols, which nobody asked for");
        return head->size;
    }
    if (head->code == 101) {
        answer.has_date = http1_find(head, SLICE_OF("date")).data != NULL;
        c->relay->is_tunnel = true;
        c->relay->out_done = false;
        c->in.phase = PHASE_STREAM_ALL;
    } else if (++c->interim > HTTP1_INTERIM_MAX) {
        relay_client_fail(h, STATUS_PROTOCOL_ERROR, "too many interim answers");
        return head->size;
    }
    h->sink->calls->stream_answer(h->sink->user, &answer);
    return head->size;
}

static size_t take_final(struct http1 *h, struct http1_head *head, struct slice fields, bool more,
                         struct now now) {
    struct http1_client *c = &h->client;
    struct protocol_stream_answer answer = {
        .code = head->code, .fields = fields, .has_date = http1_find(head, SLICE_OF("date")).data != NULL};
    struct slice length = http1_known(head, HTTP1_CONTENT_LENGTH);
    answer.is_sized =
        head->code != 204 && length.data && text_to_u64(length, &answer.length); /* RFC 9110 section 8.6 */
    answer.has_body = relay_expect(&c->in, head) && !c->relay->is_head;
    c->ends = head->wants_close || (head->minor == 0 && !head->wants_keep) ||
              (answer.has_body && head->framing == HTTP1_UNTIL_CLOSE);
    if (answer.has_body) {
        h->sink->calls->stream_answer(h->sink->user, &answer);
        return head->size;
    }
    end(h, more, now);
    h->sink->calls->stream_answer(h->sink->user, &answer);
    tell_room(h);
    return head->size;
}

static size_t take_head(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_head head;
    enum http1_result result = http1_parse_response(&head, bytes, http1_limits(h));
    if (result == HTTP1_MORE && ended)
        relay_client_fail(h, bytes.size ? STATUS_PROTOCOL_ERROR : STATUS_PEER_CLOSED,
                          bytes.size ? "the answer ends in its middle" : NULL);
    if (result == HTTP1_BAD)
        relay_client_fail(h, STATUS_PROTOCOL_ERROR, head.words);
    if (result != HTTP1_DONE)
        return 0;
    struct slice fields = lines_of(h, &head);
    if (!fields.data) {
        relay_client_fail(h, STATUS_NO_MEMORY, "");
        return head.size;
    }
    return head.code < 200 ? take_interim(h, &head, fields)
                           : take_final(h, &head, fields, bytes.size > head.size, now);
}

size_t relay_client_feed(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_client *c = &h->client;
    enum http1_result result;
    struct slice last;
    if (c->in.phase == PHASE_HEAD)
        return take_head(h, bytes, ended, now);
    size_t used = relay_read(h, &c->in, bytes, ended, &result, &last);
    if (!c->relay || h->sink->closing || result == HTTP1_MORE)
        return used;
    if (result == HTTP1_BAD) {
        relay_client_fail(h, ended ? STATUS_PEER_CLOSED : STATUS_PROTOCOL_ERROR, c->in.chunked.words);
        return used;
    }
    if (c->relay->is_tunnel) {
        forget(h);
        http1_close(h, STATUS_PEER_CLOSED);
    } else {
        end(h, used < bytes.size, now);
    }
    h->sink->calls->stream_data(h->sink->user, last, true);
    tell_room(h);
    return used;
}
