/* Requests that run once: once.h tells where their keys are known. */
#include "engine/once.h"

#define CLAIM_WORKER 48 /* the bits of an id above are its worker's number */

static struct slice scope_of(const struct claim *claim) {
    return slice_make(claim->scope, claim->scope_size);
}

static struct slice key_of(const struct claim *claim) {
    return slice_make(claim->key, claim->key_size);
}

/* Of an identity, or of whoever acts as that system without one. Names outlive a reload, indices don't. */
static void put_scope(const struct engine *engine, const struct session *s, struct claim *claim) {
    const struct system *system = engine_system(engine, s->system);
    struct slice name = s->identity != SECURITY_NONE ? engine->plan->config->identities[s->identity].name
                        : system                     ? system->name
                                                     : slice_make("", 0);
    name = slice_head(name, name.size < IDEMPOTENCY_SCOPE_MAX ? name.size : IDEMPOTENCY_SCOPE_MAX - 1);
    claim->scope[0] = s->identity != SECURITY_NONE ? 'i' : 's';
    if (name.size)
        memcpy(claim->scope + 1, name.data, name.size);
    claim->scope_size = (uint8_t)(1 + name.size);
}

static struct once_verdict look(struct engine *engine, struct slice scope, struct slice key, const uint8_t *print, uint64_t id) {
    static const enum once_what words[] = {[IDEMPOTENCY_NEW] = ONCE_NEW, [IDEMPOTENCY_RUNNING] = ONCE_RUNNING,
                                           [IDEMPOTENCY_CONFLICT] = ONCE_CONFLICT, [IDEMPOTENCY_AGAIN] = ONCE_AGAIN,
                                           [IDEMPOTENCY_FULL] = ONCE_FULL};
    const struct idempotency_entry *entry = NULL;
    struct once_verdict verdict = {
        .what = words[idempotency_claim(&engine->once, scope, key, print, id, engine->now.mono, &entry)]};
    engine->totals.keys_evicted = engine->once.evicted;
    if (verdict.what == ONCE_AGAIN) {
        verdict.code = entry->code;
        verdict.answer = slice_make(entry->answer, entry->answer_size);
    }
    return verdict;
}

/* At its home; `code` 0 and `keeps`: nobody knows what became of it. */
static void settle(struct engine *engine, uint64_t id, struct slice scope, struct slice key, bool keeps, unsigned code,
                   struct slice answer) {
    if (keeps)
        idempotency_settle(&engine->once, scope, key, id, code, answer, engine->now.mono);
    else
        idempotency_release(&engine->once, scope, key, id);
    engine->totals.keys_evicted = engine->once.evicted;
}

/* False: there is no room for the letter now. */
static bool send_settle(struct engine *engine, uint32_t home, uint64_t id, struct slice scope, struct slice key, bool keeps,
                        unsigned code, struct slice answer) {
    struct letter letter = {.kind = LETTER_SETTLE, .id = id, .sub = keeps, .count = code};
    struct slice none = slice_make("", 0), texts[4] = {scope, key, none, none};
    struct message message;
    message_init(&message, answer);
    return parcel_write(engine, home, &letter, texts, &message);
}

/* Its answer can't be kept that long. Until its home hears of it, its key runs: later is better than twice. */
static void settle_later(struct engine *engine, struct claim *claim, bool keeps) {
    claim->keeps = keeps;
    list_add(&engine->unsettled, &claim->node);
}

bool once_resend(struct engine *engine) {
    struct list_node *node;
    while ((node = list_first(&engine->unsettled))) {
        struct claim *claim = LIST_ENTRY(node, struct claim, node);
        if (!send_settle(engine, claim->home, claim->id, scope_of(claim), key_of(claim), claim->keeps, 0, slice_make("", 0)))
            return false;
        list_remove(&engine->unsettled, node);
        memory_free(claim);
    }
    return true;
}

void once_done(struct engine *engine) {
    while (engine->unsettled.count) {
        struct claim *claim = LIST_ENTRY(list_first(&engine->unsettled), struct claim, node);
        list_remove(&engine->unsettled, &claim->node);
        memory_free(claim);
    }
    idempotency_done(&engine->once);
}

static void end(struct engine *engine, struct session *s, bool keeps, unsigned code, struct slice answer) {
    struct claim *claim = s->work->claim;
    s->work->claim = NULL;
    if (!claim->waits && claim->home == engine->options.worker) {
        settle(engine, claim->id, scope_of(claim), key_of(claim), keeps, code, answer);
    } else if (!claim->waits && !send_settle(engine, claim->home, claim->id, scope_of(claim), key_of(claim), keeps, code, answer)) {
        settle_later(engine, claim, keeps);
        return;
    }
    memory_free(claim); /* of one that waits the verdict will find nobody */
}

static struct claim *claim_new(struct engine *engine, struct session *s, const struct once_claim *wish) {
    struct claim *claim = session_work(s) ? memory_new(sizeof *claim) : NULL;
    if (!claim)
        return NULL;
    put_scope(engine, s, claim);
    claim->key_size = (uint8_t)wish->key.size;
    memcpy(claim->key, wish->key.data, wish->key.size);
    claim->id = (uint64_t)engine->options.worker << CLAIM_WORKER | ++engine->claimed;
    claim->home = (uint32_t)(map_hash(key_of(claim), map_hash(scope_of(claim), 1)) % engine->options.workers);
    s->work->claim = claim;
    return claim;
}

struct once_verdict once_claim(void *connection, const struct once_claim *wish) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s->engine;
    struct once_verdict verdict = {.what = ONCE_FULL};
    if (s->work->claim) /* one exchange at a time */
        return verdict;
    struct claim *claim = claim_new(engine, s, wish);
    if (!claim)
        return verdict;
    if (claim->home == engine->options.worker) {
        verdict = look(engine, scope_of(claim), key_of(claim), wish->print, claim->id);
    } else {
        struct letter letter = {.kind = LETTER_CLAIM, .id = claim->id, .handle = c->handle};
        struct slice texts[4] = {scope_of(claim), key_of(claim), slice_make(wish->print, ONCE_PRINT_SIZE), slice_make("", 0)};
        claim->waits = parcel_write(engine, claim->home, &letter, texts, NULL);
        verdict.what = claim->waits ? ONCE_PENDING : ONCE_FULL;
    }
    if (verdict.what == ONCE_NEW || verdict.what == ONCE_PENDING)
        return verdict;
    s->work->claim = NULL;
    memory_free(claim);
    return verdict;
}

/* 429 and 503 say that it may be sent again, so they aren't its last word. */
void once_ended(void *connection, unsigned code, struct slice answer) {
    struct connection *c = connection;
    struct session *s = c->owner;
    if (!s || !s->work->claim)
        return;
    bool keeps = s->work->claim->accepted && code != 429 && code != 503;
    end(s->engine, s, keeps, code, answer);
}

void once_closed(struct engine *engine, struct session *s) {
    if (s->work->claim)
        end(engine, s, s->work->claim->accepted && !s->work->claim->repeats, 0, slice_make("", 0));
}

void once_accepted(struct session *s, bool repeats) {
    if (!s->work->claim)
        return;
    s->work->claim->accepted = true;
    s->work->claim->repeats |= repeats;
}

/* -- mail -- */

void once_read(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]) {
    struct once_verdict verdict = look(engine, texts[0], texts[1], texts[2].data, letter->id);
    struct letter back = {.kind = LETTER_CLAIMED, .id = letter->id, .handle = letter->handle, .sub = verdict.what, .count = verdict.code};
    struct slice none = slice_make("", 0), names[4] = {texts[0], texts[1], none, none};
    struct message message;
    message_init(&message, verdict.answer);
    if (!parcel_write(engine, from, &back, names, &message) && verdict.what == ONCE_NEW) /* who asked gives up waiting */
        idempotency_release(&engine->once, texts[0], texts[1], letter->id);
}

void once_told(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4],
               const struct message *message) {
    struct connection *c = net_find(&engine->net, letter->handle);
    struct session *s = c ? c->owner : NULL;
    struct claim *claim = s ? s->work->claim : NULL;
    struct once_verdict verdict = {.what = (enum once_what)letter->sub, .code = letter->count,
                                   .answer = slice_make(message->wire, message->wire_size)};
    if (!claim || claim->id != letter->id || !c->protocol->once || c->status != CONNECTION_OPEN) {
        if (verdict.what == ONCE_NEW) /* nobody waits for it any more */
            send_settle(engine, from, letter->id, texts[0], texts[1], false, 0, slice_make("", 0));
        return;
    }
    claim->waits = false;
    if (verdict.what != ONCE_NEW) {
        s->work->claim = NULL;
        memory_free(claim);
    }
    c->protocol->once(c->state, &verdict, engine->now);
    connection_touch(c);
}

void once_settled(struct engine *engine, const struct letter *letter, const struct slice texts[4], const struct message *message) {
    settle(engine, letter->id, texts[0], texts[1], letter->sub, letter->count, slice_make(message->wire, message->wire_size));
}
