/* A batch is one exchange of many messages: each is settled by itself, then one answer tells of all. */
#include "base/memory.h"
#include "protocol/http1/inner.h"
#include "protocol/http1/problem.h"

#define FIRST_RESULTS 16

struct result {
    uint32_t id_at; /* into `text` */
    uint32_t id_size;
    uint32_t detail_at;
    uint32_t detail_size;
    uint32_t of_token; /* results[k].of_token: the element that has the k-th token of this batch */
    enum status status;
    bool has_token;
    bool is_settled;
    bool is_again;
    uint8_t receipt[16];
};

struct batch {
    struct result *results;
    uint32_t count;
    uint32_t capacity;
    uint32_t tokens;  /* elements that were valid */
    uint32_t settled; /* of these */
    bool filling;     /* elements are still being read */
    uint64_t first;   /* token */
    struct buffer text;
};

void batch_free(struct http1 *h) {
    struct batch *batch = h->server.batch;
    if (!batch)
        return;
    h->server.batch = NULL;
    buffer_done(&batch->text);
    memory_free(batch->results);
    memory_free(batch);
}

static struct result *add_result(struct batch *batch) {
    if (batch->count == batch->capacity) {
        uint32_t capacity = batch->capacity ? batch->capacity * 2 : FIRST_RESULTS;
        struct result *results = memory_resize(batch->results, capacity * sizeof *results);
        if (!results)
            return NULL;
        batch->results = results;
        batch->capacity = capacity;
    }
    struct result *result = &batch->results[batch->count++];
    *result = (struct result){0};
    return result;
}

static void keep_text(struct batch *batch, struct slice text, uint32_t *ret_at, uint32_t *ret_size) {
    *ret_at = (uint32_t)batch->text.size;
    *ret_size = 0;
    buffer_add(&batch->text, text);
    if (batch->text.status == STATUS_OK)
        *ret_size = (uint32_t)text.size;
}

static struct slice kept_text(const struct batch *batch, uint32_t at, uint32_t size) {
    return slice_make(batch->text.data + at, size);
}

/* -- the answer -- */

static void write_result(struct json_write *write, const struct http1 *h, const struct batch *batch, uint32_t index) {
    const struct result *result = &batch->results[index];
    char receipt[UUID_TEXT_SIZE];
    json_write_object(write);
    json_write_member_u64(write, "index", index);
    if (result->id_size)
        json_write_member(write, "id", kept_text(batch, result->id_at, result->id_size));
    json_write_member_u64(write, "status", result->status == STATUS_OK ? 202 : status_row(result->status)->http);
    if (result->has_token) {
        uuid_text(result->receipt, receipt);
        json_write_member(write, "receipt", slice_make(receipt, sizeof receipt));
    }
    if (result->is_again) {
        json_write_name(write, SLICE_OF("duplicate"));
        json_write_bool(write, true);
    }
    if (result->status != STATUS_OK) {
        struct slice detail = result->detail_size ? kept_text(batch, result->detail_at, result->detail_size) : SLICE_OF("");
        json_write_name(write, SLICE_OF("problem"));
        problem_write(write, &(struct problem){result->status, detail, NULL}, h->setup->public_url);
    }
    json_write_object_end(write);
}

static void fail(struct http1 *h, enum status status, const char *words, struct now now) {
    h->server.has_receipt = false;
    answer_problem(h, status, slice_from(words), 0, slice_make(NULL, 0), now);
    answer_end(h, status, now);
    http1_invalid(h, status, words);
}

static void finish(struct http1 *h, struct now now) {
    struct batch *batch = h->server.batch;
    struct buffer *body = &h->worker->scratch;
    struct json_write write;
    buffer_clear(body);
    json_write_init(&write, body);
    json_write_array(&write);
    for (uint32_t i = 0; i < batch->count; i++)
        write_result(&write, h, batch, i);
    json_write_array_end(&write);
    if (body->status != STATUS_OK) {
        /* They are taken, only the list of it can't be made: no second try must follow. */
        answer_write(h, &(struct answer){.code = 202}, now);
    } else {
        answer_write(h, &(struct answer){.code = 200, .content_type = SLICE_OF("application/json"),
                                         .body = buffer_slice(body)}, now);
    }
    answer_end(h, STATUS_OK, now);
}

static void maybe_finish(struct http1 *h, struct now now) {
    struct batch *batch = h->server.batch;
    if (batch && !batch->filling && batch->settled == batch->tokens && h->server.in.phase == PHASE_OPEN)
        finish(h, now);
}

/* It was taken before; the first has its receipt still. */
static void accept_again(struct result *result, const uint8_t *receipt) {
    static const uint8_t none[sizeof result->receipt];
    result->status = STATUS_OK;
    result->is_again = true;
    if (memcmp(receipt, none, sizeof none) != 0)
        memcpy(result->receipt, receipt, sizeof result->receipt);
}

void batch_settle(struct http1 *h, uint64_t first, uint64_t last, enum status status, struct now now) {
    struct batch *batch = h->server.batch;
    char words[PROBLEM_DETAIL_MAX];
    uint64_t end = batch->first + batch->tokens;
    for (uint64_t token = first < batch->first ? batch->first : first; token <= last && token < end; token++) {
        struct result *result = &batch->results[batch->results[token - batch->first].of_token];
        if (result->is_settled)
            continue;
        result->is_settled = true;
        result->status = status;
        batch->settled++;
        if (status == STATUS_DUPLICATE && h->worker->again) {
            accept_again(result, h->worker->again);
            continue;
        }
        if (status == STATUS_OK || !h->sink->calls->detail)
            continue;
        size_t size = h->sink->calls->detail(h->sink->user, token, status, words, sizeof words);
        keep_text(batch, slice_make(words, size), &result->detail_at, &result->detail_size);
    }
    maybe_finish(h, now);
}

/* -- the elements -- */

static void refuse_element(struct http1 *h, struct result *result, const struct message_fault *fault) {
    result->status = fault->status;
    keep_text(h->server.batch, slice_from(fault->text), &result->detail_at, &result->detail_size);
    if (h->sink->calls->invalid)
        h->sink->calls->invalid(h->sink->user, fault);
}

/* Nobody would read its reply: a batch has one answer. */
static bool needs_replyto(const struct message *message, struct message_fault *fault) {
    if (!message_kind_asks(message->kind) || message_has(message, ATTRIBUTE_REPLYTO))
        return false;
    *fault = (struct message_fault){STATUS_MALFORMED_EVENT, "replyto",
                                    "`replyto` is missing: a request or query in a batch needs it"};
    return true;
}

static bool take_element(struct http1 *h, struct slice event, bool is_proto, const struct api_hints *hints,
                         struct now now) {
    struct http1_server *s = &h->server;
    struct batch *batch = s->batch;
    struct message message;
    struct message_fault fault;
    struct result *result = add_result(batch);
    struct buffer own;
    if (!result)
        return false;
    buffer_init(&own, http1_own_max(h));
    enum status status =
        api_decode(&message, is_proto ? API_PROTO : API_JSON, event, &h->worker->extra, &own, hints, &fault);
    if (status == STATUS_OK)
        keep_text(batch, message_text(&message, ATTRIBUTE_ID), &result->id_at, &result->id_size);
    if (status != STATUS_OK || needs_replyto(&message, &fault)) {
        if (status != STATUS_OK)
            fault.status = status;
        refuse_element(h, result, &fault);
        buffer_done(&own);
        return true;
    }
    uuid_make(&h->worker->ids, now.wall, result->receipt);
    memcpy(message.receipt, result->receipt, sizeof result->receipt);
    message.has_receipt = result->has_token = true;
    batch->results[batch->tokens++].of_token = batch->count - 1;
    uint64_t token = ++s->tokens;
    h->sink->calls->message(h->sink->user, token, &message, 0);
    buffer_done(&own);
    return true;
}

static bool open_batch(struct http1 *h) {
    struct http1_server *s = &h->server;
    struct batch *batch = memory_new(sizeof *batch);
    if (!batch)
        return false;
    buffer_init(&batch->text, (size_t)h->setup->limits.message + HTTP1_BATCH_MAX * PROBLEM_DETAIL_MAX);
    batch->first = s->tokens + 1;
    batch->filling = true;
    s->batch = batch;
    return true;
}

void batch_begin(struct http1 *h, enum api_mode mode, struct slice body, const struct api_hints *hints, struct now now) {
    struct http1_server *s = &h->server;
    struct message_batch events, counted;
    struct message_fault fault;
    struct slice event;
    bool is_proto = mode == API_BATCH_PROTO;
    s->has_receipt = false;
    if (message_batch_open(&events, body, is_proto, &fault) != STATUS_OK) {
        fail(h, STATUS_MALFORMED_EVENT, fault.text, now);
        return;
    }
    /* Before the first is taken: a batch is refused whole or answered one by one. */
    counted = events;
    while (counted.index <= HTTP1_BATCH_MAX && message_batch_next(&counted, &event)) {
    }
    if (counted.index > HTTP1_BATCH_MAX) {
        fail(h, STATUS_TOO_LARGE, "a batch has 1000 events at most", now);
        return;
    }
    if (!open_batch(h)) {
        fail(h, STATUS_NO_MEMORY, "", now);
        return;
    }
    h->sink->terms.inline_reply = false;
    while (message_batch_next(&events, &event))
        if (!take_element(h, event, is_proto, hints, now)) {
            http1_close(h, STATUS_NO_MEMORY);
            return;
        }
    s->batch->filling = false;
    maybe_finish(h, now);
}
