/* Answers of the accepted role: each is written whole into the out chain, or the connection ends. */
#include "base/text.h"
#include "message/uuid.h"
#include "protocol/http1/coded.h"
#include "protocol/http1/date.h"
#include "protocol/http1/inner.h"
#include "protocol/http1/problem.h"

#define HEAD_ROOM \
    512 /* status line, Date, Preference-Applied, Cache-Control, Content-Length, Content-Encoding, Vary, Connection, empty line */

/* RFC 9110 section 6.6.1. Formatted once a second and worker. */
void answer_date(struct protocol_worker *worker, struct now now, struct buffer *out) {
    int64_t second = now.wall.ns / NS_PER_S;
    if (worker->date_second != second || worker->date[0] == '\0') {
        date_format(second, worker->date);
        worker->date_second = second;
    }
    buffer_add(out, SLICE_OF("Date: "));
    buffer_add(out, slice_make(worker->date, DATE_SIZE));
    buffer_add(out, SLICE_OF("\r\n"));
}

#define LIMITS_LINES_MAX 768 /* of rates, RateLimit-Policy and RateLimit */

static bool goes_on(const struct http1_server *s) {
    return s->keep && !s->shutting;
}

static size_t head_room(const struct http1 *h) {
    return HEAD_ROOM + (h->server.cors ? (size_t)ORIGIN_LINES_MAX : 0) + (h->setup->is_limited ? (size_t)LIMITS_LINES_MAX : 0);
}

static void add_start(struct http1 *h, unsigned code, struct now now, struct buffer *out) {
    struct http1_server *s = &h->server;
    buffer_add(out, SLICE_OF("HTTP/1.1 "));
    buffer_add_u64(out, code);
    buffer_add_byte(out, ' ');
    buffer_add_text(out, problem_phrase(code));
    buffer_add(out, SLICE_OF("\r\n"));
    answer_date(h->worker, now, out);
    if (!goes_on(s))
        buffer_add(out, SLICE_OF("Connection: close\r\n"));
    else if (s->is_old)
        buffer_add(out, SLICE_OF("Connection: keep-alive\r\n"));
    if (s->wait_s) {
        buffer_add(out, SLICE_OF("Preference-Applied: wait="));
        buffer_add_u64(out, s->wait_s);
        buffer_add(out, SLICE_OF("\r\n"));
    }
    if (s->fetches) {
        char id[UUID_TEXT_SIZE];
        buffer_add(out, SLICE_OF("Cache-Control: no-store\r\n"));
        uuid_text(s->receipt, id);
        buffer_add(out, s->has_receipt ? SLICE_OF("Intertie-Id: ") : SLICE_OF(""));
        buffer_add(out, slice_make(id, s->has_receipt ? sizeof id : 0));
        buffer_add(out, s->has_receipt ? SLICE_OF("\r\n") : SLICE_OF(""));
    }
    if (h->setup->is_limited && h->sink->calls->limits) {
        char lines[LIMITS_LINES_MAX];
        buffer_add(out, slice_make(lines, h->sink->calls->limits(h->sink->user, lines, sizeof lines)));
    }
    origin_lines(h, out);
}

static bool begin(struct http1 *h, size_t size, struct buffer *out) {
    uint8_t *at = chain_reserve(h->sink->out, size);
    if (!at) {
        http1_close(h, STATUS_NO_MEMORY);
        return false;
    }
    buffer_init_fixed(out, at, size);
    return true;
}

void answer_write(struct http1 *h, const struct answer *answer, struct now now) {
    struct http1_server *s = &h->server;
    struct buffer out;
    struct slice body = answer->body;
    bool varies = coded_varies(h, body.size);
    enum coding coding = coded_pack(h, (enum coding)s->coding, &body);
    if (!begin(h, head_room(h) + answer->lines.size + answer->content_type.size + body.size, &out))
        return;
    add_start(h, answer->code, now, &out);
    size_t start = out.size;
    buffer_add(&out, answer->lines);
    if (answer->content_type.size) {
        buffer_add(&out, SLICE_OF("Content-Type: "));
        buffer_add(&out, answer->content_type);
        buffer_add(&out, SLICE_OF("\r\n"));
    }
    if (varies)
        buffer_add(&out, SLICE_OF("Vary: Accept-Encoding\r\n"));
    coded_line(coding, &out);
    if (answer->code >= 200 && answer->code != 204 && answer->code != 304) { /* RFC 9110 section 8.6 */
        buffer_add(&out, SLICE_OF("Content-Length: "));
        buffer_add_u64(&out, answer->length ? answer->length : body.size);
        buffer_add(&out, SLICE_OF("\r\n"));
    }
    buffer_add(&out, SLICE_OF("\r\n"));
    buffer_add(&out, slice_head(body, s->is_head ? 0 : body.size));
    once_note(h, answer->code, slice_skip(buffer_slice(&out), start));
    chain_commit(h->sink->out, out.size);
}

void answer_open(struct http1 *h, const struct answer *answer, struct now now) {
    struct buffer out;
    h->server.keep = false;
    if (!begin(h, head_room(h) + answer->lines.size + answer->content_type.size, &out))
        return;
    add_start(h, answer->code, now, &out);
    buffer_add(&out, answer->lines);
    buffer_add(&out, SLICE_OF("Content-Type: "));
    buffer_add(&out, answer->content_type);
    buffer_add(&out, SLICE_OF("\r\n\r\n"));
    chain_commit(h->sink->out, out.size);
}

/* The words that go with a status beyond its document. */
static void add_status_lines(enum status status, uint32_t retry_ms, struct buffer *lines) {
    unsigned code = status_row(status)->http;
    if (code == 429 || code == 503 || status == STATUS_IN_PROGRESS) {
        buffer_add(lines, SLICE_OF("Retry-After: "));
        buffer_add_u64(lines, retry_ms <= 1000 ? 1 : ((uint64_t)retry_ms + 999) / 1000);
        buffer_add(lines, SLICE_OF("\r\n"));
    }
    if (code == 401)
        buffer_add(lines, SLICE_OF("WWW-Authenticate: Bearer\r\n"));
}

void answer_problem(struct http1 *h, enum status status, struct slice detail, uint32_t retry_ms, struct slice lines,
                    struct now now) {
    struct http1_server *s = &h->server;
    uint8_t body_room[2048 + 6 * PROBLEM_DETAIL_MAX], lines_room[256];
    struct buffer body, all_lines;
    struct json_write write;
    struct problem problem = {status, slice_head(detail, PROBLEM_DETAIL_MAX), s->has_receipt ? s->receipt : NULL};
    buffer_init_fixed(&body, body_room, sizeof body_room);
    buffer_init_fixed(&all_lines, lines_room, sizeof lines_room);
    json_write_init(&write, &body);
    problem_write(&write, &problem, h->setup->public_url);
    buffer_add(&all_lines, lines);
    add_status_lines(status, retry_ms, &all_lines);
    answer_write(h,
                 &(struct answer){status_row(status)->http, SLICE_OF("application/problem+json"), buffer_slice(&body),
                                  buffer_slice(&all_lines)},
                 now);
}

/* The answer that is written most. */
static void accept_plainly(struct http1 *h, struct now now) {
    char id[UUID_TEXT_SIZE];
    struct buffer out;
    if (!begin(h, HEAD_ROOM, &out))
        return;
    uuid_text(h->server.receipt, id);
    buffer_add(&out, SLICE_OF("HTTP/1.1 202 Accepted\r\n"));
    answer_date(h->worker, now, &out);
    buffer_add(&out, SLICE_OF("Intertie-Id: "));
    buffer_add(&out, slice_make(id, sizeof id));
    buffer_add(&out, SLICE_OF("\r\nContent-Length: 0\r\n\r\n"));
    chain_commit(h->sink->out, out.size);
}

void answer_accepted(struct http1 *h, struct now now) {
    struct http1_server *s = &h->server;
    if (goes_on(s) && !s->is_old && !s->cors && !s->wait_s && !s->once && !h->setup->is_limited) {
        accept_plainly(h, now);
        return;
    }
    char line[64] = "Intertie-Id: ";
    size_t size = strlen(line);
    uuid_text(s->receipt, line + size);
    memcpy(line + size + UUID_TEXT_SIZE, "\r\n", 2);
    answer_write(h, &(struct answer){.code = 202, .lines = slice_make(line, size + UUID_TEXT_SIZE + 2)}, now);
}

/* The first has its receipt still; each that comes again has that one. */
void answer_duplicate(struct http1 *h, struct now now) {
    char room[128], id[UUID_TEXT_SIZE];
    struct buffer lines;
    struct http1_server *s = &h->server;
    static const uint8_t none[sizeof s->receipt];
    if (memcmp(h->worker->again, none, sizeof none) != 0)
        memcpy(s->receipt, h->worker->again, sizeof s->receipt);
    uuid_text(s->receipt, id);
    buffer_init_fixed(&lines, (uint8_t *)room, sizeof room);
    buffer_add(&lines, SLICE_OF("Intertie-Id: "));
    buffer_add(&lines, slice_make(id, sizeof id));
    buffer_add(&lines, SLICE_OF("\r\nIntertie-Duplicate: true\r\n"));
    answer_write(h, &(struct answer){.code = 202, .lines = buffer_slice(&lines)}, now);
}

void answer_again(struct http1 *h, unsigned code, struct slice answer, struct now now) {
    struct buffer out;
    struct slice line = SLICE_OF("Intertie-Duplicate: true\r\n");
    if (!begin(h, head_room(h) + line.size + answer.size, &out))
        return;
    add_start(h, code, now, &out);
    buffer_add(&out, line);
    buffer_add(&out, answer);
    chain_commit(h->sink->out, out.size);
}

void answer_later(struct http1 *h, struct now now) {
    struct http1_server *s = &h->server;
    char id[UUID_TEXT_SIZE], room[256];
    struct buffer lines;
    s->wait_s = 0; /* that it waited so long first goes without saying */
    uuid_text(s->receipt, id);
    buffer_init_fixed(&lines, room, sizeof room);
    buffer_add(&lines, SLICE_OF("Intertie-Id: "));
    buffer_add(&lines, slice_make(id, sizeof id));
    buffer_add(&lines, SLICE_OF("\r\nPreference-Applied: respond-async\r\nLocation: /v1/messages/"));
    buffer_add(&lines, slice_make(id, sizeof id));
    buffer_add(&lines, SLICE_OF("/reply\r\n"));
    answer_write(h, &(struct answer){.code = 202, .lines = buffer_slice(&lines)}, now);
}

enum status answer_reply(struct http1 *h, const struct message *message, const struct overlay *overlay, struct now now) {
    struct leave leave;
    struct buffer out;
    enum status status = leave_prepare(&leave, (enum api_mode)h->server.mode, API_BINARY, message, overlay, &h->worker->scratch);
    if (status != STATUS_OK)
        return status;
    coded_leave(h, (enum coding)h->server.coding, &leave, message);
    size_t size = head_room(h) + leave_size(&leave);
    uint8_t *at = chain_reserve(h->sink->out, size);
    if (!at)
        return STATUS_NO_MEMORY;
    buffer_init_fixed(&out, at, size);
    add_start(h, 200, now, &out);
    size_t start = out.size;
    leave_write(&leave, message, false, &out);
    if (out.status == STATUS_OK)
        once_note(h, 200, slice_skip(buffer_slice(&out), start));
    chain_commit(h->sink->out, out.status == STATUS_OK ? out.size : 0);
    return out.status;
}

void answer_end(struct http1 *h, enum status status, struct now now) {
    struct http1_server *s = &h->server;
    bool keep = goes_on(s);
    batch_free(h);
    once_end(h);
    s->token = 0;
    s->is_http = s->is_rest = s->has_receipt = s->watches = s->streams = s->later = s->fetches = false;
    s->wait_s = 0;
    s->in.phase = s->after;
    s->after = PHASE_HEAD;
    s->in.timing = s->continued = s->checked = false;
    h->sink->paused = false;
    if (!keep)
        http1_close(h, s->shutting ? s->shut_status : status);
    else
        h->sink->due = s->in.phase == PHASE_HEAD ? http1_after(now, h->setup->timeouts.idle_ns)
                                                 : http1_body_due(h, s->in.skip, now);
}
