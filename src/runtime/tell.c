/* What workers write into the log. */
#include "runtime/inner.h"

static void add_attribute(struct log_record *record, const char *key, const struct message *message,
                          enum attribute attribute) {
    struct slice text = message_text(message, attribute);
    if (text.size)
        log_add_text(record, key, text);
}

static const char *ending_words(const struct engine_report *report) {
    switch (report->ending) {
    case ENDING_DELIVERED:
        return "message delivered";
    case ENDING_REPLIED:
        return "message replied";
    case ENDING_EXPIRED:
        return "message expired";
    case ENDING_REJECTED:
        return "message rejected";
    case ENDING_DEAD:
        return "message dead";
    case ENDING_DROPPED:
    case ENDING_COUNT:
        break;
    }
    return "message dropped";
}

#define INVALID_LINES_MAX 100 /* a second */

/* What was no message costs its sender a byte and us a line: of a flood only so many are told, the rest are a number in the
 * next. All are in the metrics, and at level debug in the log. */
static bool is_invalid_told(struct worker *worker) {
    if (worker_now(worker).mono.ns - worker->invalid_told.ns >= NS_PER_S) {
        worker->invalid_told = worker_now(worker).mono;
        worker->invalid_lines = 0;
    }
    if (worker->invalid_lines++ < INVALID_LINES_MAX || pen_wants(&worker->pen, LOG_ROOM_ENGINE, LOG_LEVEL_DEBUG))
        return true;
    worker->invalid_untold++;
    return false;
}

void tell_ending(void *user, const struct engine_report *report) {
    struct worker *worker = user;
    const struct message *m = report->message;
    char receipt[UUID_TEXT_SIZE]; /* borrowed until the line is written */
    struct log_record record;
    if (!pen_wants(&worker->pen, LOG_ROOM_ENGINE, LOG_LEVEL_INFO) || (!m && !is_invalid_told(worker)))
        return;
    log_record_init(&record, LOG_LEVEL_INFO, LOG_ROOM_ENGINE, worker_now(worker).wall, ending_words(report));
    log_add_text(&record, "reason", slice_from(status_reason(report->status)));
    if (m) {
        add_attribute(&record, "id", m, ATTRIBUTE_ID);
        add_attribute(&record, "source", m, ATTRIBUTE_SOURCE);
        add_attribute(&record, "type", m, ATTRIBUTE_TYPE);
        add_attribute(&record, "target", m, ATTRIBUTE_TARGET);
        add_attribute(&record, "traceparent", m, ATTRIBUTE_TRACEPARENT);
        log_add_u64(&record, "priority", m->priority);
        if (m->has_receipt) {
            uuid_text(m->receipt, receipt);
            log_add_text(&record, "receipt", slice_make(receipt, sizeof receipt));
        }
        log_add_u64(&record, "attempt", report->attempt);
        log_add_ms(&record, "duration_ms", report->duration_ns);
    }
    if (report->system.size)
        log_add_text(&record, "system", report->system);
    if (report->from.size)
        log_add_text(&record, "from", report->from);
    if (report->words && report->words[0])
        log_add_text(&record, "detail", slice_from(report->words));
    if (!m && worker->invalid_untold) {
        log_add_u64(&record, "more", worker->invalid_untold); /* before this one, untold */
        worker->invalid_untold = 0;
    }
    pen_write(&worker->pen, &record);
}

void tell_log(struct worker *worker, const struct engine_log *log) {
    enum log_level level = (enum log_level)log->stage->level;
    const struct message *m = log->message;
    char rooms[MIDDLEWARE_SHOWN_MAX][256]; /* borrowed until the line is written */
    struct log_record record;
    if (!pen_wants(&worker->pen, LOG_ROOM_ENGINE, level))
        return;
    log_record_init(&record, level, LOG_ROOM_ENGINE, worker_now(worker).wall, "message on its way");
    log_add_text(&record, "route", log->route);
    add_attribute(&record, "id", m, ATTRIBUTE_ID);
    add_attribute(&record, "source", m, ATTRIBUTE_SOURCE);
    add_attribute(&record, "type", m, ATTRIBUTE_TYPE);
    if (log->from.size)
        log_add_text(&record, "from", log->from);
    log_add_u64(&record, "data_bytes", message_data_size(m));
    for (size_t i = 0; i < log->stage->shown_count; i++) {
        const char *key = (const char *)log->stage->shown[i].data; /* ce_NAME */
        const struct value *value = message_find(m, slice_from(key + 3));
        struct slice text = value ? value_canonical(m, value, rooms[i], sizeof rooms[i]) : slice_make(NULL, 0);
        if (text.data)
            log_add_text(&record, key, text);
    }
    pen_write(&worker->pen, &record);
}

void tell_count(struct worker *worker, const struct engine_count *count) {
    struct log_record record;
    log_record_init(&record, LOG_LEVEL_DEBUG, LOG_ROOM_ENGINE, worker_now(worker).wall,
                    count->ending == ENDING_REPLIED ? "message replied" : "message delivered");
    log_add_text(&record, "system", count->name);
    if (count->protocol)
        log_add_text(&record, "protocol", slice_from(count->protocol->name));
    log_add_u64(&record, "priority", count->priority);
    if (count->count > 1) /* a run that left together is one line */
        log_add_u64(&record, "count", count->count);
    if (count->duration_ns >= 0)
        log_add_ms(&record, "duration_ms", count->duration_ns);
    pen_write(&worker->pen, &record);
}

#define LIMIT_LINES_MAX 20 /* a second */

/* A connection that ended by a limit is told of; a flood of them is not. */
static bool may_tell(struct worker *worker) {
    if (worker_now(worker).mono.ns - worker->limits_told.ns >= NS_PER_S) {
        worker->limits_told = worker_now(worker).mono;
        worker->limit_lines = 0;
    }
    return worker->limit_lines++ < LIMIT_LINES_MAX;
}

static bool is_limit_told(struct worker *worker, const struct connection *c) {
    return tally_limit_of(c) && c->reason != STATUS_IDLE_TIMEOUT /* which is ordinary */ && may_tell(worker);
}

void tell_connection(void *user, const struct connection *c, bool opened) {
    struct worker *worker = user;
    struct log_record record;
    char peer[ADDRESS_TEXT_MAX];
    bool failed = !opened && !c->was_open;
    bool accepted = c->setup->role == PROTOCOL_ACCEPTED;
    enum log_level level = failed && !accepted ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    if (failed && accepted && may_tell(worker))
        level = LOG_LEVEL_INFO;
    if (!opened && !failed && is_limit_told(worker, c))
        level = LOG_LEVEL_INFO;
    if (!pen_wants(&worker->pen, LOG_ROOM_CONNECTION, level))
        return;
    log_record_init(&record, level, LOG_ROOM_CONNECTION, worker_now(worker).wall,
                    failed   ? accepted ? "handshake failed" : "dial failed"
                    : opened ? "connection opened"
                             : "connection closed");
    log_add_text(&record, "protocol", slice_from(c->protocol->name));
    log_add_text(&record, c->listener == UINT32_MAX ? "endpoint" : "listener", c->setup->name);
    if (c->peer.family != ADDRESS_NONE) {
        address_print(peer, &c->peer);
        log_add_text(&record, "peer", slice_from(peer));
    }
    if (!opened) {
        log_add_text(&record, "reason", slice_from(status_reason(c->reason)));
        if (c->filtered && c->filtered->sink.words[0])
            log_add_text(&record, "detail", slice_from(c->filtered->sink.words));
        if (tally_limit_of(c))
            log_add_text(&record, "limit", slice_from(tally_limit_of(c)));
        log_add_u64(&record, "bytes_in", c->bytes_in);
        log_add_u64(&record, "bytes_out", c->out.written);
        log_add_ms(&record, "duration_ms", worker_now(worker).mono.ns - c->opened.ns);
    }
    pen_write(&worker->pen, &record);
}

/* As any ending: those that came to their end at level debug, others at info, of a flood of them not each. */
void tell_exchange(struct worker *worker, const struct engine_exchange *exchange) {
    struct log_record record;
    bool is_ordinary = exchange->status == STATUS_OK || exchange->status == STATUS_CANCELLED;
    enum log_level level = is_ordinary || !may_tell(worker) ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (!pen_wants(&worker->pen, LOG_ROOM_ENGINE, level))
        return;
    log_record_init(&record, level, LOG_ROOM_ENGINE, worker_now(worker).wall,
                    exchange->is_tunnel ? "tunnel over" : "exchange over");
    log_add_text(&record, "method", exchange->method);
    log_add_text(&record, "path", exchange->path);
    log_add_text(&record, "system", exchange->system);
    if (exchange->endpoint.size)
        log_add_text(&record, "endpoint", exchange->endpoint);
    log_add_u64(&record, "code", exchange->code);
    log_add_text(&record, "reason", exchange->status == STATUS_OK ? SLICE_OF("ok") : slice_from(status_reason(exchange->status)));
    log_add_u64(&record, "bytes_in", exchange->bytes_in);
    log_add_u64(&record, "bytes_out", exchange->bytes_out);
    if (exchange->tries > 1)
        log_add_u64(&record, "attempt", exchange->tries);
    log_add_ms(&record, "duration_ms", exchange->duration_ns);
    pen_write(&worker->pen, &record);
}

void tell_endpoint(struct worker *worker, const struct engine_endpoint_view *endpoint) {
    struct log_record record;
    bool is_fine = endpoint->state == ENDPOINT_UP || endpoint->by_hand != BY_HAND_UP;
    enum log_level level = is_fine ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
    if (!pen_wants(&worker->pen, LOG_ROOM_ENGINE, level))
        return;
    log_record_init(&record, level, LOG_ROOM_ENGINE, worker_now(worker).wall, "endpoint changed");
    log_add_text(&record, "endpoint", endpoint->name);
    log_add_text(&record, "state", slice_from(engine_endpoint_state_name(endpoint->state)));
    if (endpoint->why[0])
        log_add_text(&record, "detail", slice_from(endpoint->why));
    if (endpoint->has_weight)
        log_add_u64(&record, "weight", endpoint->weight);
    log_add_u64(&record, "worker", worker->index);
    pen_write(&worker->pen, &record);
}
