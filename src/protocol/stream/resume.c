/* Stream v1 between two connections: what was sent and isn't settled, and what was said about the peer's messages. */
#include <sodium.h>

#include "base/memory.h"
#include "base/text.h"
#include "protocol/stream/stream1.h"

#define FIRST_OUTCOMES 16

/* 128 bits that nobody can guess who doesn't know the worker's secret. */
static struct slice make_name(struct stream1 *s, char *out) {
    uint64_t message[2] = {++s->worker->sessions, s->worker->secret ^ UINT64_C(0x73657373696f6e73)};
    uint8_t key[32] = {0}, id[16];
    memcpy(key, &s->worker->secret, sizeof s->worker->secret);
    crypto_generichash(id, sizeof id, (const uint8_t *)message, sizeof message, key, sizeof key);
    return slice_make(out, text_base64url_put(out, slice_make(id, sizeof id)));
}

void stream1_resumable(struct stream1 *s, struct slice name, int64_t expiry_ns, struct now now) {
    (void)now;
    if (name.size > STREAM1_SESSION_MAX || expiry_ns <= 0)
        return;
    struct stream1_resume *r = memory_new(sizeof *r);
    if (!r)
        return;
    r->expiry_ns = expiry_ns;
    if (name.size)
        memcpy(r->text, name.data, name.size);
    r->session.name = name.size ? slice_make(r->text, name.size) : make_name(s, r->text);
    if (!s->sink->calls->keep || !s->sink->calls->keep(s->sink->user, r->session.name)) {
        memory_free(r);
        return;
    }
    s->resume = r;
}

const struct protocol_session *stream1_session(void *state) {
    const struct stream1 *s = state;
    return s->resume ? &s->resume->session : NULL;
}

void stream1_resume_free(struct stream1 *s) {
    struct stream1_resume *r = s->resume;
    if (!r)
        return;
    for (struct stream1_kept *kept = r->first, *next; kept; kept = next) {
        next = kept->next;
        memory_free(kept);
    }
    memory_free(r->outcomes);
    memory_free(r);
    s->resume = NULL;
}

/* -- what is kept -- */

void stream1_keep(struct stream1 *s, const uint8_t *frame, size_t size) {
    struct stream1_resume *r = s->resume;
    struct stream1_kept *kept = r->is_broken ? NULL : memory_alloc(sizeof *kept + size);
    if (!kept) {
        r->is_broken = true;
        return;
    }
    *kept = (struct stream1_kept){.seq = s->tx_seq, .size = (uint32_t)size};
    memcpy(kept + 1, frame, size);
    if (r->last)
        r->last->next = kept;
    else
        r->first = kept;
    r->last = kept;
    r->session.kept += size;
}

void stream1_drop_kept(struct stream1 *s) {
    struct stream1_resume *r = s->resume;
    struct stream1_kept *kept;
    while ((kept = r->first) && kept->seq < s->tx_low) {
        r->first = kept->next;
        if (!r->first)
            r->last = NULL;
        r->session.kept -= kept->size;
        memory_free(kept);
    }
}

/* The peer has at most that many messages whose outcome it doesn't know: credit comes behind the ACKs before it. */
static uint32_t outcomes_max(const struct stream1 *s) {
    uint32_t most = FIRST_OUTCOMES;
    while (most < (STREAM1_SPAN_FACTOR + 1) * stream1_window(s) && most < 1u << 20)
        most *= 2;
    return most;
}

static bool grow_outcomes(struct stream1 *s) {
    struct stream1_resume *r = s->resume;
    uint32_t capacity = r->outcome_capacity ? r->outcome_capacity * 2 : FIRST_OUTCOMES;
    struct stream1_outcome *outcomes = memory_array(capacity, sizeof *outcomes);
    if (!outcomes)
        return false;
    for (uint32_t i = 0; i < r->outcome_count; i++)
        outcomes[i] = r->outcomes[(r->outcome_first + i) & (r->outcome_capacity - 1)];
    memory_free(r->outcomes);
    r->outcomes = outcomes;
    r->outcome_first = 0;
    r->outcome_capacity = capacity;
    return true;
}

void stream1_note_outcome(struct stream1 *s, uint64_t seq, uint8_t outcome, uint16_t code, uint32_t retry_ms) {
    struct stream1_resume *r = s->resume;
    if (r->outcome_count == r->outcome_capacity && r->outcome_capacity >= outcomes_max(s)) {
        r->outcome_first = (r->outcome_first + 1) & (r->outcome_capacity - 1);
        r->outcome_count--;
    }
    if (r->outcome_count == r->outcome_capacity && !grow_outcomes(s)) {
        r->is_broken = true;
        return;
    }
    r->outcomes[(r->outcome_first + r->outcome_count++) & (r->outcome_capacity - 1)] =
        (struct stream1_outcome){.seq = seq, .retry_ms = retry_ms, .code = code, .outcome = outcome};
}

/* -- lost -- */

struct mono stream1_detach(void *state, struct now now) {
    struct stream1 *s = state;
    if (!stream1_is_kept(s))
        return (struct mono){0};
    if (!s->resuming)
        s->resume->until = mono_after(now.mono, s->resume->expiry_ns);
    s->resuming = true;
    s->peer_ended = false;
    s->phase = STREAM1_PREFACE;
    s->ack = NULL;
    s->deadline = s->beat = MONO_NEVER;
    return s->resume->until;
}

/* -- and found again -- */

bool stream1_hand_over(struct stream1 *s, const struct control *control) {
    struct slice name = CONTROL(control, RESUME_SESSION)->text;
    s->handed_over = name.size && s->sink->calls->resume && s->sink->calls->resume(s->sink->user, name);
    return s->handed_over;
}

void stream1_attach(void *state, const struct protocol_setup *setup, struct protocol_sink *sink, struct now now) {
    struct stream1 *s = state;
    s->setup = setup;
    s->sink = sink;
    s->phase = s->is_dialled ? STREAM1_PREFACE : STREAM1_HELLO; /* who hands over has read the preface */
    s->heard = s->rate_start = now.mono;
    s->rate_count = 0;
    s->deadline = mono_after(now.mono, STREAM1_BACK_NS);
    stream1_set_due(s);
    if (s->is_dialled)
        stream1_say_hello(s);
}

bool stream1_check_numbers(struct stream1 *s, uint64_t rx, uint64_t acked) {
    if (rx <= s->tx_seq && rx + 1 >= s->tx_low && acked <= stream1_settled_up_to(s))
        return true;
    s->resume->is_broken = true;
    stream1_fail(s, STATUS_SEQ_GAP, "`rx` and `acked` are not those of this session");
    return false;
}

void stream1_go_on(struct stream1 *s, uint64_t rx, uint64_t acked, struct now now) {
    s->resuming = false;
    for (const struct stream1_kept *kept = s->resume->first; kept; kept = kept->next)
        if (kept->seq > rx && !chain_add(s->sink->out, slice_make(kept + 1, kept->size))) {
            stream1_close(s, STATUS_NO_MEMORY);
            return;
        }
    stream1_ack_again(s, acked);
    if (!s->sink->closing)
        stream1_become_open(s, now);
}
