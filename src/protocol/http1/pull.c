/* Peers that fetch their messages: GET and acks, read into a struct pull; and their answers. */
#include "base/assert.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "protocol/http1/coded.h"

/* -- words -- */

/* `500ms 20s 5m 1h`: the unit is always written. */
static bool read_duration(struct slice text, int64_t *ret_ns) {
    static const struct {
        struct slice unit;
        int64_t ns;
    } units[] = {{SLICE("ms"), NS_PER_MS}, {SLICE("s"), NS_PER_S}, {SLICE("m"), 60 * NS_PER_S}, {SLICE("h"), 3600 * NS_PER_S}};
    size_t digits = 0;
    uint64_t value;
    while (digits < text.size && text_is_digit(text.data[digits]))
        digits++;
    if (digits > 9 || !text_to_u64(slice_head(text, digits), &value))
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (slice_equal(slice_skip(text, digits), units[i].unit)) {
            *ret_ns = (int64_t)value * units[i].ns;
            return true;
        }
    return false;
}

static const char *read_wait(struct slice text, int64_t *ret_ns) {
    *ret_ns = PULL_WAIT_DEFAULT_NS;
    if (!text.data)
        return NULL;
    if (!read_duration(text, ret_ns))
        return "`wait` must be a duration with its unit, such as `20s`";
    return *ret_ns > PULL_WAIT_MAX_NS ? "`wait` can be `5m` at most" : NULL;
}

/* Of a reply that was promised: it is asked for again and again, and mostly there. */
static const char *read_reply(struct pull *pull, const struct http1_head *head) {
    struct protocol_request request = {.query = head->query};
    struct slice wait = http1_parameter(&request, SLICE_OF("wait"));
    pull->wait_ns = 0;
    return wait.data ? read_wait(wait, &pull->wait_ns) : NULL;
}

static const char *read_max(struct slice text, uint32_t *ret_max) {
    uint64_t value = PULL_MESSAGES_DEFAULT;
    if (text.data && (!text_to_u64(text, &value) || value < 1 || value > PULL_MESSAGES_MAX))
        return "`max` must be a number from 1 to 1000";
    *ret_max = (uint32_t)value;
    return NULL;
}

static bool accepts(struct slice list, struct slice media) {
    struct slice element;
    while (http1_list_next(&list, &element))
        if (slice_equal_nocase(api_media(element), media))
            return true;
    return false;
}

/* NULL, or what is wrong. */
static const char *read_query(struct pull *pull, const struct http1_head *head) {
    struct protocol_request request = {.query = head->query};
    struct slice accept = http1_known(head, HTTP1_ACCEPT), ack = http1_parameter(&request, SLICE_OF("ack"));
    const char *words = read_wait(http1_parameter(&request, SLICE_OF("wait")), &pull->wait_ns);
    if (!words)
        words = read_max(http1_parameter(&request, SLICE_OF("max")), &pull->max);
    pull->kind = accepts(accept, SLICE_OF("text/event-stream")) ? PULL_STREAM : PULL_POLL;
    pull->encoding = accepts(accept, SLICE_OF("application/cloudevents-batch+protobuf")) ? ENCODING_PROTO : ENCODING_JSON;
    pull->has_acks = slice_is(ack, "explicit");
    if (!words && ack.data && !pull->has_acks && !slice_is(ack, "none"))
        words = "`ack` must be `none` or `explicit`";
    if (!words && slice_is(ack, "none") && pull->kind == PULL_POLL)
        words = "what is polled for is acknowledged: `ack=none` goes with `Accept: text/event-stream`";
    return words;
}

/* -- acks -- */

static bool read_outcome(const struct json_item *item, enum pull_outcome *ret) {
    static const struct slice names[] = {SLICE("accepted"), SLICE("rejected"), SLICE("retry")};
    for (unsigned i = 0; i < COUNT_OF(names) && item->type == JSON_STRING; i++)
        if (json_item_is(item, names[i])) {
            *ret = (enum pull_outcome)i;
            return true;
        }
    return false;
}

static const char *read_member(struct json *json, const struct json_item *name, struct pull_ack *ack, bool *has_outcome) {
    struct json_item value;
    int64_t ns;
    json_next(json, &value);
    if ((ack->id.data && json_item_is(name, SLICE_OF("deliveryid"))) || (*has_outcome && json_item_is(name, SLICE_OF("outcome"))))
        return "an ack has a member twice";
    if (json_item_is(name, SLICE_OF("deliveryid"))) {
        if (value.type != JSON_STRING || value.has_escapes || value.raw.size == 0 || value.raw.size > PULL_ID_MAX)
            return "`deliveryid` must be the text that came with the event";
        ack->id = value.raw;
        return NULL;
    }
    if (json_item_is(name, SLICE_OF("outcome"))) {
        *has_outcome = true;
        return read_outcome(&value, &ack->outcome) ? NULL : "`outcome` must be `accepted`, `rejected` or `retry`";
    }
    if (!json_item_is(name, SLICE_OF("retry_after")))
        return "of an ack only `deliveryid`, `outcome` and `retry_after` are known";
    if (value.type != JSON_STRING || !read_duration(value.raw, &ns) || ns > PULL_RETRY_MAX_NS)
        return "`retry_after` must be a duration such as `5s`, `1h` at most";
    ack->retry_ms = (uint32_t)(ns / NS_PER_MS);
    return NULL;
}

static const char *read_ack(struct json *json, struct pull_ack *ack) {
    struct json_item item;
    bool has_outcome = false;
    const char *words = NULL;
    *ack = (struct pull_ack){.outcome = PULL_ACCEPTED};
    while (!words && json_next(json, &item) == JSON_NAME)
        words = read_member(json, &item, ack, &has_outcome);
    if (json->error || words)
        return words ? words : "the body is no JSON";
    if (!ack->id.data)
        return "an ack lacks `deliveryid`";
    if (!has_outcome)
        return "an ack lacks `outcome`";
    return ack->retry_ms && ack->outcome != PULL_RETRY ? "`retry_after` goes with the outcome `retry`" : NULL;
}

/* `[{"deliveryid":"..","outcome":"accepted"}]`. NULL, or what is wrong. */
static const char *read_acks(struct slice body, struct pull_ack *acks, size_t *ret_count) {
    struct json json;
    struct json_item item;
    const char *words = NULL;
    size_t count = 0;
    json_init(&json, body, 8);
    if (json_next(&json, &item) != JSON_ARRAY)
        return json.error ? "the body is no JSON" : "acks are an array: [{\"deliveryid\":\"..\",\"outcome\":\"accepted\"}]";
    while (!words && json_next(&json, &item) == JSON_OBJECT) {
        if (count == PULL_MESSAGES_MAX)
            return "at most 1000 acks in one request";
        words = read_ack(&json, &acks[count++]);
    }
    if (!words && (json.error || (item.type == JSON_ARRAY_END && json_next(&json, &item) != JSON_END)))
        words = "the body is no JSON";
    else if (!words && item.type != JSON_END)
        words = "acks are an array of objects";
    *ret_count = count;
    return words;
}

/* -- in -- */

static void refuse(struct http1 *h, enum status status, const char *words, struct now now) {
    answer_problem(h, status, slice_from(words), 0, slice_make(NULL, 0), now);
    answer_end(h, status, now);
    http1_invalid(h, status, words);
}

static void call(struct http1 *h, const struct pull *pull, struct now now) {
    struct http1_server *s = &h->server;
    if (!h->sink->calls->pull) {
        refuse(h, STATUS_NOT_SUPPORTED, "nobody takes messages here", now);
        return;
    }
    s->is_http = true;
    s->watches = pull->kind != PULL_ACKS;
    if (s->watches)
        h->sink->paused = false; /* reads go on: that the peer goes away must be seen */
    s->token = ++s->tokens;
    h->sink->calls->pull(h->sink->user, s->token, pull);
}

static void take_acks(struct http1 *h, const struct http1_head *head, struct pull *pull, struct slice body, struct now now) {
    struct message_fault fault;
    if (!api_is_json(http1_known(head, HTTP1_CONTENT_TYPE))) {
        refuse(h, STATUS_UNSUPPORTED_MEDIA, "acks are JSON: Content-Type: application/json", now);
        return;
    }
    if (coded_unpack(h, head, &body, &fault) != STATUS_OK) {
        refuse(h, fault.status, fault.text, now);
        return;
    }
    struct pull_ack *acks = memory_array(PULL_MESSAGES_MAX, sizeof *acks);
    const char *words = acks ? read_acks(body, acks, &pull->ack_count) : "";
    pull->acks = acks;
    if (words)
        refuse(h, acks ? STATUS_PROTOCOL_ERROR : STATUS_NO_MEMORY, words, now);
    else
        call(h, pull, now);
    memory_free(acks);
}

#define AS_PROMISED 0xff /* http1_server.mode: in the form that was wanted when it was sent */

static void take_reply(struct http1 *h, const struct http1_head *head, struct pull *pull, struct slice id,
                       struct now now) {
    struct http1_server *s = &h->server;
    enum message_encoding wanted = api_accepts(http1_known(head, HTTP1_ACCEPT));
    const char *words = read_reply(pull, head);
    s->fetches = true;
    s->mode = wanted == ENCODING_JSON ? API_JSON : wanted == ENCODING_PROTO ? API_PROTO : AS_PROMISED;
    pull->kind = PULL_REPLY;
    if (words) {
        refuse(h, STATUS_PROTOCOL_ERROR, words, now);
        return;
    }
    if (!uuid_parse(id, pull->receipt)) {
        refuse(h, STATUS_NOT_FOUND, "that is no id that was given here", now);
        return;
    }
    memcpy(s->receipt, pull->receipt, sizeof s->receipt);
    s->has_receipt = true;
    call(h, pull, now);
}

void pull_begin(struct http1 *h, const struct http1_head *head, const struct api_route *route, struct slice body, struct now now) {
    struct pull pull = {.kind = PULL_ACKS, .system = route->target};
    if (route->place == API_ACKS) {
        take_acks(h, head, &pull, body, now);
        coding_rest(h->worker->coder);
        return;
    }
    if (route->place == API_REPLY) {
        take_reply(h, head, &pull, route->target, now);
        return;
    }
    const char *words = read_query(&pull, head);
    if (words)
        refuse(h, STATUS_PROTOCOL_ERROR, words, now);
    else
        call(h, &pull, now);
}

/* Pipelined behind it: kept until the exchange is over. Whoever ends its side no longer waits for messages. */
void pull_disturb(struct http1 *h, bool ended) {
    struct http1_server *s = &h->server;
    if (!ended) {
        h->sink->paused = true;
        return;
    }
    uint64_t token = s->token;
    s->token = 0;
    s->watches = false;
    if (h->sink->calls->cancelled)
        h->sink->calls->cancelled(h->sink->user, token);
    http1_close(h, STATUS_PEER_CLOSED);
}

/* -- out -- */

static bool is_open(const struct http1 *h, uint64_t token) {
    return token && h->server.token == token && h->server.is_http && !h->sink->closing;
}

static void answer_promised(struct http1 *h, const struct protocol_answer *answer, struct now now) {
    struct http1_server *s = &h->server;
    if (s->mode == AS_PROMISED)
        s->mode = (uint8_t)(answer->form ? answer->form - 1 : API_BINARY);
    enum status status = answer_reply(h, answer->message, answer->overlay, now);
    if (status != STATUS_OK)
        answer_problem(h, status, SLICE_OF(""), 0, SLICE_OF(""), now);
    answer_end(h, STATUS_OK, now);
}

void pull_answer(struct http1 *h, uint64_t token, const struct protocol_answer *answer, struct now now) {
    struct http1_server *s = &h->server;
    if (!is_open(h, token) || s->streams)
        return;
    if (answer->message) {
        answer_promised(h, answer, now);
        return;
    }
    struct answer plain = {answer->code, answer->content_type, answer->body, answer->lines};
    if (answer->problem != STATUS_OK) {
        answer_problem(h, answer->problem, answer->detail, answer->retry_ms, answer->lines, now);
        answer_end(h, STATUS_OK, now);
    } else if (answer->is_stream) {
        answer_open(h, &plain, now);
        s->streams = true;
    } else {
        answer_write(h, &plain, now);
        answer_end(h, STATUS_OK, now);
    }
}

void pull_stream(struct http1 *h, uint64_t token, struct slice bytes, bool last, struct now now) {
    if (!is_open(h, token) || !h->server.streams)
        return;
    if (bytes.size && !chain_add(h->sink->out, bytes))
        http1_close(h, STATUS_NO_MEMORY);
    else if (last)
        answer_end(h, STATUS_OK, now);
}
