/* The dialled role: answers, in the order of their requests; each is the outcome of its request and perhaps the reply. */
#include <stdio.h>

#include "base/memory.h"
#include "message/uuid.h"
#include "protocol/http1/coded.h"
#include "protocol/http1/consent.h"
#include "protocol/http1/date.h"
#include "protocol/http1/gather.h"
#include "protocol/http1/present.h"
#include "protocol/wrap.h"

void client_open(struct http1 *h, struct now now) {
    buffer_init(&h->client.held, (size_t)h->setup->limits.header + h->setup->limits.message);
    h->client.in.phase = PHASE_OPEN;
    h->sink->terms = (struct protocol_terms){.acks = true, .when_full = PROTOCOL_FULL_WAIT};
    if (h->setup->webhook.origin.size && !(h->sink->consent && h->sink->consent->given)) {
        h->sink->greets = h->client.told = true; /* no event waits for this answer */
        enum status status = client_ask(h, now);
        if (status != STATUS_OK)
            http1_close(h, status);
    }
    client_look(h, now);
}

/* Whose answer is coming. */
static struct http1_sent *current(const struct http1 *h) {
    return client_sent(&h->client, 0);
}

/* -- outcomes -- */

/* Statuses that a second try may change, as senders of webhooks agree on. */
static struct protocol_outcome outcome_of(unsigned code, uint32_t retry_ms) {
    if (code / 100 == 2)
        return (struct protocol_outcome){VERDICT_ACCEPTED, STATUS_OK, 0};
    switch (code) {
    case 429:
        return (struct protocol_outcome){VERDICT_RETRY, STATUS_RATE_LIMITED, retry_ms};
    case 503:
        return (struct protocol_outcome){VERDICT_RETRY, STATUS_TARGET_UNAVAILABLE, retry_ms};
    case 404: case 408: case 409: case 425:
        return (struct protocol_outcome){VERDICT_RETRY, STATUS_UPSTREAM_ERROR, retry_ms};
    case 501:
        return (struct protocol_outcome){VERDICT_REJECTED, STATUS_REJECTED, 0};
    default:
        break;
    }
    if (code >= 500)
        return (struct protocol_outcome){VERDICT_RETRY, STATUS_UPSTREAM_ERROR, retry_ms};
    return (struct protocol_outcome){VERDICT_REJECTED, STATUS_REJECTED, 0};
}

static void tell(struct http1 *h, struct protocol_outcome outcome) {
    struct http1_client *c = &h->client;
    if (c->told)
        return;
    c->told = true;
    uint64_t first = current(h)->first, last = first + current(h)->count - 1;
    h->sink->calls->outcome(h->sink->user, first, last, outcome);
}

/* A refusal that tells of the whole and may mean one of its events, or just that batches aren't understood. */
static bool refuses_batch(const struct http1 *h, unsigned code) {
    return current(h)->gather && (code == 400 || code == 413 || code == 415 || code == 422);
}

/* Its events go again, one by one: here, or elsewhere when this connection ends. */
static void take_apart(struct http1 *h, unsigned code) {
    struct http1_client *c = &h->client;
    struct gather *gather = current(h)->gather;
    c->singly |= code == 415;
    if (c->ends || c->shutting)
        return; /* told of by leave_unsent() */
    current(h)->gather = NULL;
    c->told = true;
    client_split(h, gather);
}

/* 415 to what was packed: the peer has looked at nothing of it. From now on it goes as it is, this one again too. */
static bool refuses_coding(const struct http1 *h, unsigned code) {
    return code == 415 && current(h)->is_packed;
}

static void again_plainly(struct http1 *h) {
    h->client.plainly = true;
    if (current(h)->gather)
        take_apart(h, 0);
    else
        tell(h, (struct protocol_outcome){VERDICT_UNSENT, STATUS_REJECTED, 0});
}

static void unsent(struct http1 *h, uint64_t first, uint32_t count, enum status status) {
    for (uint32_t i = count; i-- > 0;)
        h->sink->calls->outcome(h->sink->user, first + i, first + i,
                                (struct protocol_outcome){VERDICT_UNSENT, status, 0});
}

/* What waits was never sent, and of what was sent the peer looks at nothing behind its last answer. Newest first. */
static void leave_unsent(struct http1 *h, struct http1_sent last) {
    struct http1_client *c = &h->client;
    for (uint32_t left = c->line_count; left > 0; left--) {
        const struct gather *gather = c->line;
        for (uint32_t i = 1; i < left; i++)
            gather = gather->next;
        unsent(h, gather->first + gather->gone, gather->count - gather->gone, gather->is_refused ? STATUS_REJECTED : STATUS_OK);
    }
    for (uint32_t i = c->is_left ? c->sent_count : 0; i-- > 0;)
        unsent(h, client_sent(c, i)->first, client_sent(c, i)->count, STATUS_OK);
    if (last.gather && !c->told)
        unsent(h, last.first, last.count, STATUS_REJECTED);
    gather_free(last.gather);
}

/* The answer is whole: the next one comes, or the connection ends. */
static void end_exchange(struct http1 *h, struct now now) {
    struct http1_client *c = &h->client;
    struct http1_sent last = *current(h);
    uint32_t room = h->sink->room.messages;
    c->sent_first = (c->sent_first + 1) & (c->sent_capacity - 1);
    c->sent_count--;
    buffer_done(&c->held);
    if (c->ends || (c->shutting && c->sent_count == 0 && !c->line)) {
        http1_close(h, c->shutting ? c->shut_status : STATUS_PEER_CLOSED);
        leave_unsent(h, last);
        return;
    }
    gather_free(last.gather);
    c->told = c->is_left = false;
    c->interim = 0;
    c->in.phase = c->sent_count ? PHASE_HEAD : PHASE_OPEN;
    client_look(h, now);
    if (h->sink->calls->room && room == 0 && h->sink->room.messages)
        h->sink->calls->room(h->sink->user);
}

/* Nothing that comes from here can be trusted to be what it seems. What is in flight ends with the connection. */
static void doubt(struct http1 *h, const char *words) {
    http1_close(h, STATUS_PROTOCOL_ERROR);
    http1_invalid(h, STATUS_PROTOCOL_ERROR, words);
}

/* False: the peer does not consent, and the connection ends as if it had not come about. */
static bool take_consent(struct http1 *h, const struct http1_head *head) {
    char words[CONSENT_WORDS_MAX];
    uint32_t rate;
    if (consent_objection(h->setup->webhook.origin, head, &rate, words)) {
        http1_close(h, STATUS_BAD_GREETING);
        http1_invalid(h, STATUS_BAD_GREETING, words);
        return false;
    }
    h->sink->greets = false;
    if (h->sink->consent) {
        h->sink->consent->given = true;
        h->sink->consent->rate = rate;
    }
    return true;
}

/* Who takes webhooks says so that there will never be another (410): nothing is sent there any more. */
static void take_leave(struct http1 *h, unsigned code) {
    if (code != 410 || !h->sink->consent || (h->setup->webhook.origin.size == 0 && !present_signs(h)))
        return;
    h->sink->consent->gone = true;
    h->client.ends = true;
}

/* -- replies -- */

static enum status decode_reply(struct http1 *h, const struct http1_head *head, struct slice body,
                                struct message *message, struct message_fault *fault, struct now now) {
    char id[UUID_TEXT_SIZE], source[WRAP_SOURCE_MAX];
    struct message_rules rules = http1_rules(h);
    uint8_t uuid[16];
    uuid_make(&h->worker->ids, now.wall, uuid);
    uuid_text(uuid, id);
    struct api_hints hints = {.head = head, .rules = &rules, .expiry = {INT64_MAX}, .now = now.wall,
                              .id = slice_make(id, sizeof id), .source = wrap_source(h->setup, h->setup->system, source, sizeof source),
                              .messagetype = SLICE_OF("response")};
    enum status status = h->setup->rest ? STATUS_OK : coded_unpack(h, head, &body, fault);
    if (status != STATUS_OK)
        return status;
    status = h->setup->rest ? rest_decode(h, head, body, message, hints.id, hints.source, fault, now)
                            : api_decode(message, api_mode(head), body, &h->worker->extra, NULL, &hints, fault);
    memcpy(message->receipt, uuid, sizeof uuid);
    message->has_receipt = true;
    return status;
}

static void take_reply(struct http1 *h, const struct http1_head *head, struct slice body, struct now now) {
    struct http1_client *c = &h->client;
    struct message message;
    struct message_fault fault;
    enum status status = decode_reply(h, head, body, &message, &fault, now);
    if (status != STATUS_OK) {
        fault.status = status;
        tell(h, (struct protocol_outcome){VERDICT_REJECTED, STATUS_UPSTREAM_ERROR, 0});
        if (h->sink->calls->invalid)
            h->sink->calls->invalid(h->sink->user, &fault);
        return;
    }
    h->sink->calls->message(h->sink->user, ++c->tokens, &message, current(h)->first);
    tell(h, (struct protocol_outcome){VERDICT_ACCEPTED, STATUS_OK, 0});
    coding_rest(h->worker->coder);
}

/* Of an event only 200 has a reply in its body; 202 promises one for later, elsewhere. Of REST each answer is one. */
static bool has_reply(const struct http1 *h, const struct http1_head *head) {
    return current(h)->asks && (head->code == 200 || h->setup->rest);
}

/* -- answers in -- */

static void start_skip(struct http1 *h, const struct http1_head *head, struct now now) {
    struct http1_in *in = &h->client.in;
    in->skip = head->length;
    chunked_init(&in->chunked);
    switch (head->framing) {
    case HTTP1_NO_BODY:
        end_exchange(h, now);
        return;
    case HTTP1_LENGTH:
        in->phase = PHASE_SKIP;
        if (in->skip == 0)
            end_exchange(h, now);
        return;
    case HTTP1_CHUNKED:
        in->skip = 0;
        in->phase = PHASE_SKIP_CHUNKS;
        return;
    case HTTP1_UNTIL_CLOSE:
        in->skip = 0;
        in->phase = PHASE_SKIP_ALL;
    }
}

/* A reply that can't be read because it is too large: the recipient took the request all the same. */
static void refuse_reply(struct http1 *h) {
    h->client.ends = true;
    tell(h, (struct protocol_outcome){VERDICT_REJECTED, STATUS_TOO_LARGE, 0});
    http1_close(h, STATUS_TOO_LARGE);
}

static size_t begin_held(struct http1 *h, const struct http1_head *head, struct slice bytes) {
    struct http1_in *in = &h->client.in;
    buffer_clear(&h->client.held);
    buffer_add(&h->client.held, slice_head(bytes, head->size));
    h->client.held_head = head->size;
    in->skip = 0;
    chunked_init(&in->chunked);
    in->phase = head->framing == HTTP1_CHUNKED ? PHASE_CHUNKS : PHASE_SKIP_ALL;
    if (h->client.held.status != STATUS_OK)
        http1_close(h, h->client.held.status);
    return head->size;
}

static size_t reply_head(struct http1 *h, const struct http1_head *head, struct slice bytes, bool ended,
                         struct now now) {
    if (head->framing == HTTP1_CHUNKED || head->framing == HTTP1_UNTIL_CLOSE)
        return begin_held(h, head, bytes);
    if (head->length > h->setup->limits.message) {
        refuse_reply(h);
        return head->size;
    }
    size_t need = head->size + (size_t)head->length;
    if (bytes.size < need) {
        if (ended)
            doubt(h, "the answer ends in its middle");
        else
            h->sink->want = need;
        return 0;
    }
    take_reply(h, head, slice_make(bytes.data + head->size, (size_t)head->length), now);
    end_exchange(h, now);
    return need;
}

static size_t interim(struct http1 *h, const struct http1_head *head) {
    struct http1_client *c = &h->client;
    if (head->code == 101)
        doubt(h, "the answer switches protocols, which nobody asked for");
    else if (++c->interim > HTTP1_INTERIM_MAX)
        doubt(h, "too many interim answers");
    return head->size;
}

static size_t more_head(struct http1 *h, struct slice bytes, bool ended) {
    if (ended && bytes.size == 0)
        http1_close(h, STATUS_PEER_CLOSED);
    else if (ended)
        doubt(h, "the answer ends in its middle");
    return 0;
}

static size_t take_head(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_client *c = &h->client;
    struct http1_head head;
    enum http1_result result = http1_parse_response(&head, bytes, http1_limits(h));
    if (result == HTTP1_MORE)
        return more_head(h, bytes, ended);
    if (result == HTTP1_BAD) {
        doubt(h, head.words);
        return 0;
    }
    if (head.code < 200)
        return interim(h, &head);
    if (!ended && http1_waits_for_words(h, &head, bytes))
        return 0;
    if (current(h)->is_head) {
        head.framing = HTTP1_NO_BODY;
        head.length = 0;
    }
    /* An answer that came before its request was written whole leaves the rest of that in the way. */
    c->is_left = head.wants_close || (head.minor == 0 && !head.wants_keep) || head.framing == HTTP1_UNTIL_CLOSE;
    c->ends = c->is_left || h->sink->out->written < current(h)->end;
    if (current(h)->is_question) {
        if (take_consent(h, &head))
            start_skip(h, &head, now);
        return head.size;
    }
    take_leave(h, head.code);
    if (has_reply(h, &head))
        return reply_head(h, &head, bytes, ended, now);
    uint32_t retry_ms = date_retry_after(http1_known(&head, HTTP1_RETRY_AFTER), now.wall);
    if (refuses_coding(h, head.code))
        again_plainly(h);
    else if (refuses_batch(h, head.code))
        take_apart(h, head.code);
    else
        http1_tell_answer(h, &head, bytes, outcome_of(head.code, retry_ms), tell);
    if (c->in.phase == PHASE_HEAD)
        start_skip(h, &head, now);
    return head.size;
}

/* -- bodies -- */

static bool holds_reply(const struct http1 *h) {
    return h->client.held.size > 0;
}

static void finish_held(struct http1 *h, struct now now) {
    struct http1_head head;
    struct slice held = buffer_slice(&h->client.held);
    if (http1_parse_response(&head, slice_head(held, h->client.held_head), http1_limits(h)) != HTTP1_DONE) {
        doubt(h, "");
        return;
    }
    take_reply(h, &head, slice_skip(held, h->client.held_head), now);
    end_exchange(h, now);
}

/* False when it is too large. */
static bool hold(struct http1 *h, struct slice data) {
    struct http1_in *in = &h->client.in;
    if (!holds_reply(h)) {
        in->skip += data.size;
        if (in->skip <= h->setup->limits.message)
            return true;
        http1_close(h, STATUS_TOO_LARGE); /* told already; the rest isn't worth its bytes */
        return false;
    }
    if (h->client.held.size - h->client.held_head + data.size <= h->setup->limits.message)
        buffer_add(&h->client.held, data);
    else
        h->client.held.status = STATUS_TOO_LARGE;
    if (h->client.held.status == STATUS_OK)
        return true;
    refuse_reply(h);
    return false;
}

static size_t take_chunks(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_in *in = &h->client.in;
    struct slice rest = bytes, data;
    while (rest.size) {
        enum http1_result result = chunked_next(&in->chunked, &rest, &data);
        if (result == HTTP1_BAD) {
            doubt(h, in->chunked.words);
            return bytes.size;
        }
        if (result == HTTP1_DONE) {
            if (holds_reply(h))
                finish_held(h, now);
            else
                end_exchange(h, now);
            return bytes.size - rest.size;
        }
        if (!hold(h, data))
            return bytes.size;
    }
    if (ended)
        doubt(h, "the answer ends in its middle");
    return bytes.size;
}

static size_t take_length(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_in *in = &h->client.in;
    size_t size = in->skip < bytes.size ? (size_t)in->skip : bytes.size;
    in->skip -= size;
    if (in->skip == 0)
        end_exchange(h, now);
    else if (ended)
        http1_close(h, STATUS_PEER_CLOSED);
    else if (in->skip > h->setup->limits.message)
        http1_close(h, STATUS_TOO_LARGE);
    return size;
}

static size_t take_all(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    if (!hold(h, bytes) || !ended)
        return bytes.size;
    if (holds_reply(h))
        finish_held(h, now);
    else
        end_exchange(h, now);
    return bytes.size;
}

size_t client_feed(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    if (h->client.relay)
        return relay_client_feed(h, bytes, ended, now);
    switch (h->client.in.phase) {
    case PHASE_HEAD:
        return take_head(h, bytes, ended, now);
    case PHASE_CHUNKS:
    case PHASE_SKIP_CHUNKS:
        return take_chunks(h, bytes, ended, now);
    case PHASE_SKIP:
        return take_length(h, bytes, ended, now);
    case PHASE_SKIP_ALL:
        return take_all(h, bytes, ended, now);
    case PHASE_OPEN:
        if (bytes.size) {
            /* RFC 9112 section 9.2: what nobody asked for can only mislead. */
            doubt(h, "bytes that answer no request");
            return bytes.size;
        }
        if (ended)
            http1_close(h, STATUS_PEER_CLOSED);
        return 0;
    default:
        return bytes.size;
    }
}

/* -- time and endings -- */

void client_tick(struct http1 *h, struct now now) {
    const struct http1_client *c = &h->client;
    if (c->in.phase == PHASE_OVER || c->relay)
        return;
    if (h->sink->greets && c->sent_count && mono_due(current(h)->due, now.mono)) {
        http1_close(h, STATUS_BAD_GREETING);
        http1_invalid(h, STATUS_BAD_GREETING, "the answer to the webhook handshake did not come in time");
    } else if (c->sent_count && mono_due(current(h)->due, now.mono))
        http1_close(h, c->told ? STATUS_IDLE_TIMEOUT : STATUS_REPLY_TIMEOUT);
    else if (c->sent_count == 0 && !c->line && h->sink->stays)
        h->sink->due = mono_after(now.mono, h->setup->timeouts.idle_ns);
    else if (c->sent_count == 0 && !c->line)
        http1_close(h, STATUS_IDLE_TIMEOUT);
    else
        client_flush(h, now); /* a batch has waited long enough */
}

void client_shut(struct http1 *h, enum status status, struct now now) {
    struct http1_client *c = &h->client;
    c->shutting = true;
    c->shut_status = status;
    if (c->sent_count == 0 && !c->line && !c->relay)
        http1_close(h, status);
    else
        client_flush(h, now);
}

void client_done(struct http1 *h) {
    struct http1_client *c = &h->client;
    for (uint32_t i = 0; i < c->sent_count; i++)
        gather_free(client_sent(c, i)->gather);
    memory_free(c->sent);
    memory_free(c->relay);
    while (c->line) {
        struct gather *next = c->line->next;
        gather_free(c->line);
        c->line = next;
    }
    buffer_done(&c->held);
}
