/* Requests with `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): asked about before they run, their answers
 * noted while they are written, given again. What is stored of an answer is what follows its Date and Connection. Whoever
 * has to wait for the verdict stays whole in `held`: what it borrowed is gone by then. */
#include <sodium/crypto_hash_sha256.h>

#include "base/memory.h"
#include "protocol/http1/inner.h"
#include "protocol/http1/once_key.h"

#define ONCE_WAIT_NS (10 * NS_PER_S) /* for another worker's verdict */

struct once {
    bool waits;
    unsigned code;
    struct buffer answer;
};

bool once_waits(const struct http1 *h) {
    return h->server.once && h->server.once->waits;
}

static void add(crypto_hash_sha256_state *state, struct slice part) {
    uint8_t size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (uint8_t)((uint64_t)part.size >> (56 - 8 * i));
    crypto_hash_sha256_update(state, size, sizeof size); /* so that no two lists of parts are one */
    if (part.size)
        crypto_hash_sha256_update(state, part.data, part.size);
}

/* The same request is the same method, target and body; in binary mode the event's attributes are in the head. */
static void print_of(const struct http1_head *head, struct slice body, uint8_t print[static ONCE_PRINT_SIZE]) {
    crypto_hash_sha256_state state;
    _Static_assert(ONCE_PRINT_SIZE == crypto_hash_sha256_BYTES, "the print of a request is SHA-256");
    crypto_hash_sha256_init(&state);
    add(&state, head->method);
    add(&state, head->target);
    add(&state, body);
    for (uint32_t i = 0; i < head->field_count && head->ce_count; i++)
        if (http1_is_ce(head->fields[i].name)) {
            add(&state, head->fields[i].name);
            add(&state, head->fields[i].value);
        }
    crypto_hash_sha256_final(&state, print);
}

static void refuse(struct http1 *h, enum status status, const char *words, const char *lines, struct now now) {
    answer_problem(h, status, slice_from(words), 1000, slice_from(lines), now);
    answer_end(h, STATUS_OK, now);
}

static void answer_first(struct http1 *h, const struct once_verdict *verdict, struct now now) {
    if (verdict->code == 0) {
        refuse(h, STATUS_OUTCOME_UNKNOWN, "the first request with this `Idempotency-Key` was taken; its answer is lost",
               "Intertie-Duplicate: true\r\n", now);
        return;
    }
    answer_again(h, verdict->code, verdict->answer, now);
    answer_end(h, STATUS_OK, now);
}

/* Of one that doesn't run. */
static void tell(struct http1 *h, const struct once_verdict *verdict, struct now now) {
    switch (verdict->what) {
    case ONCE_RUNNING:
        refuse(h, STATUS_IN_PROGRESS, "the first request with this `Idempotency-Key` has no answer yet", "", now);
        break;
    case ONCE_CONFLICT:
        refuse(h, STATUS_IDEMPOTENCY_CONFLICT, "this `Idempotency-Key` was used for another request", "", now);
        break;
    case ONCE_AGAIN:
        answer_first(h, verdict, now);
        break;
    case ONCE_FULL:
    case ONCE_NEW:
    case ONCE_PENDING:
        refuse(h, STATUS_OVERLOADED, "too many requests with an `Idempotency-Key` run at once", "", now);
        break;
    }
}

static bool hold(struct http1 *h, const struct http1_head *head, struct slice body) {
    struct http1_server *s = &h->server;
    if (s->held) /* it came in chunks and was joined there */
        return true;
    struct http1_held *held = memory_new(sizeof *held);
    if (!held)
        return false;
    s->held = held;
    buffer_init(&held->bytes, head->size + body.size + 1);
    buffer_add(&held->bytes, slice_make(body.data - head->size, head->size + body.size));
    held->head = head->size;
    h->sink->held = held->bytes.capacity;
    return held->bytes.status == STATUS_OK;
}

static void wait_for(struct http1 *h, const struct http1_head *head, struct slice body, struct now now) {
    if (!hold(h, head, body)) {
        refuse(h, STATUS_NO_MEMORY, "", "", now);
        return;
    }
    h->server.once->waits = true;
    h->sink->due = mono_after(now.mono, ONCE_WAIT_NS);
}

bool once_begin(struct http1 *h, const struct http1_head *head, struct slice body, struct now now) {
    struct http1_server *s = &h->server;
    struct slice value = http1_known(head, HTTP1_IDEMPOTENCY_KEY);
    uint8_t room[ONCE_KEY_MAX], print[ONCE_PRINT_SIZE];
    struct once_claim claim = {.print = print};
    if (s->once || !value.data || !(slice_is(head->method, "POST") || slice_is(head->method, "PATCH")))
        return true;
    if (!once_key(value, room, &claim.key)) {
        refuse(h, STATUS_MALFORMED_EVENT, "`Idempotency-Key` must be a quoted string of 1 to 255 characters, such as \"8e03978e\"", "", now);
        http1_invalid(h, STATUS_MALFORMED_EVENT, "Idempotency-Key");
        return false;
    }
    if (!h->sink->calls->claim)
        return true;
    s->once = memory_new(sizeof *s->once);
    if (!s->once) {
        refuse(h, STATUS_NO_MEMORY, "", "", now);
        return false;
    }
    buffer_init(&s->once->answer, 2 * (size_t)h->setup->limits.message + (1u << 16));
    print_of(head, body, print);
    struct once_verdict verdict = h->sink->calls->claim(h->sink->user, &claim);
    if (verdict.what == ONCE_NEW)
        return true;
    if (verdict.what == ONCE_PENDING) {
        wait_for(h, head, body, now);
        return false;
    }
    once_free(h);
    tell(h, &verdict, now);
    return false;
}

void once_verdict(struct http1 *h, const struct once_verdict *verdict, struct now now) {
    struct http1_server *s = &h->server;
    struct http1_head head;
    if (h->setup->role != PROTOCOL_ACCEPTED || !once_waits(h) || h->sink->closing)
        return;
    s->once->waits = false;
    struct slice held = buffer_slice(&s->held->bytes);
    if (verdict->what != ONCE_NEW) {
        once_free(h);
        tell(h, verdict, now);
    } else if (http1_parse_request(&head, slice_head(held, s->held->head), http1_limits(h)) != HTTP1_DONE) {
        refuse(h, STATUS_INTERNAL, "", "", now); /* it said DONE once, to the same bytes */
    } else {
        exchange_begin(h, &head, slice_skip(held, s->held->head), now);
    }
    server_free_held(h);
}

bool once_tick(struct http1 *h, struct now now) {
    if (!once_waits(h)) /* else it is time: nothing but that wait set it */
        return false;
    refuse(h, STATUS_OVERLOADED, "nobody could tell whether this `Idempotency-Key` was used before", "", now);
    server_free_held(h);
    return true;
}

void once_note(struct http1 *h, unsigned code, struct slice answer) {
    struct once *once = h->server.once;
    if (!once || once->waits || once->code)
        return;
    once->code = code;
    if (h->server.wait_s) { /* said to the first, so to all: of those that come again no preference is read */
        buffer_add(&once->answer, SLICE_OF("Preference-Applied: wait="));
        buffer_add_u64(&once->answer, h->server.wait_s);
        buffer_add(&once->answer, SLICE_OF("\r\n"));
    }
    buffer_add(&once->answer, answer);
}

void once_end(struct http1 *h) {
    struct once *once = h->server.once;
    if (!once)
        return;
    h->server.once = NULL;
    bool is_whole = once->answer.status == STATUS_OK;
    h->sink->calls->claimed(h->sink->user, is_whole ? once->code : 0, is_whole ? buffer_slice(&once->answer) : SLICE_OF(""));
    buffer_done(&once->answer);
    memory_free(once);
}

void once_free(struct http1 *h) {
    if (h->server.once)
        buffer_done(&h->server.once->answer);
    memory_free(h->server.once);
    h->server.once = NULL;
}
