/* Messages that were taken already: dedupe.h tells where that is known. */
#include "engine/dedupe_inner.h"

#include <stdio.h>

#include "engine/parcel.h"

#define CLAIM_WORKER 48 /* the bits of an id above are its worker's number */
#define VERDICT_NS (10 * NS_PER_S)
#define RETRY_MS 1000

void dedupe_begin(struct engine *engine) {
    struct deduping *d = &engine->deduping;
    dedupe_init(&d->all);
    map_init(&d->by_id, engine->options.seed);
    list_init(&d->waiting);
    list_init(&d->unsettled);
    d->timer = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_DEDUPE};
}

void dedupe_end(struct engine *engine) {
    struct deduping *d = &engine->deduping;
    struct list_node *node;
    while ((node = list_take_first(&d->unsettled)))
        memory_free(LIST_ENTRY(node, struct hold, node));
    deadlines_clear(&engine->deadlines, &d->timer.deadline);
    map_done(&d->by_id);
    dedupe_done(&d->all);
}

static void count(struct engine *engine) {
    engine->totals.dedupe_kept = engine->deduping.all.count;
    engine->totals.dedupe_evicted = engine->deduping.all.evicted;
}

/* -- what makes it one -- */

static const struct config_policy *policy_of(const struct engine *engine, const struct routing *routing) {
    return routing->target_count ? &routing->targets[0].policy : &engine->plan->config->defaults;
}

_Static_assert(DEDUPE_PARTS_MAX == CONFIG_DEDUPE_BY_MAX + 1, "the target, and what `by` names");

/* False: it lacks what it would be known by. A message for another target is another message. */
static bool print_of(const struct engine *engine, const struct message *message, struct slice by,
                     struct dedupe_print *ret) {
    struct slice parts[DEDUPE_PARTS_MAX] = {message_text(message, ATTRIBUTE_TARGET)};
    char rooms[DEDUPE_PARTS_MAX][VALUE_ROOM];
    size_t count = 1;
    while (by.size) {
        struct slice name = slice_head(by, slice_find(by, ','));
        const struct value *value = message_find(message, name);
        ASSERT(count < DEDUPE_PARTS_MAX);
        if (!value ||
            !(parts[count] = value_canonical(message, value, rooms[count], sizeof rooms[count])).data)
            return false;
        by = slice_skip(by, name.size + 1);
        count++;
    }
    *ret = dedupe_print(&engine->options.secret, parts, count);
    return true;
}

static uint32_t home_of(const struct engine *engine, const struct dedupe_print *print) {
    uint32_t word;
    memcpy(&word, print->bytes + 4, sizeof word);
    return word % engine->options.workers;
}

static bool is_wanted(const struct config_policy *policy, const struct message *message) {
    return policy->dedupe.window_ns > 0 &&
           (message->kind == KIND_COMMAND || (message->kind == KIND_EVENT && policy->dedupe.events));
}

/* -- how a claim ends -- */

static bool send_settle(struct engine *engine, const struct dedupe_claim *claim, bool keeps) {
    struct letter letter = {.kind = LETTER_DEDUPE_SETTLE, .id = claim->id, .sub = keeps};
    struct slice none = slice_make("", 0),
                 texts[4] = {slice_make(claim->print.bytes, sizeof claim->print), none, none, none};
    return parcel_write(engine, claim->home, &letter, texts, NULL);
}

static void settle_here(struct engine *engine, const struct dedupe_print *print, uint64_t id, bool keeps) {
    if (keeps)
        dedupe_accept(&engine->deduping.all, print, id, engine->now.mono);
    else
        dedupe_release(&engine->deduping.all, print, id);
    count(engine);
}

void dedupe_settle(struct engine *engine, struct dedupe_claim *claim, bool is_accepted) {
    struct hold *hold = claim->hold;
    struct dedupe_claim ended = *claim;
    claim->id = 0;
    claim->hold = NULL;
    if (ended.id == 0)
        return;
    if (!hold) {
        settle_here(engine, &ended.print, ended.id, is_accepted);
        return;
    }
    if (send_settle(engine, &ended, is_accepted)) {
        memory_free(hold);
        return;
    }
    /* Until its home hears of it, it isn't decided there: who brings it again is told to come later. */
    hold->claim = ended;
    hold->keeps = is_accepted;
    list_add(&engine->deduping.unsettled, &hold->node);
}

bool dedupe_resend(struct engine *engine) {
    struct list *unsettled = &engine->deduping.unsettled;
    while (unsettled->count) {
        struct hold *hold = LIST_ENTRY(list_first(unsettled), struct hold, node);
        if (!send_settle(engine, &hold->claim, hold->keeps))
            return false;
        list_remove(unsettled, &hold->node);
        memory_free(hold);
    }
    return true;
}

struct dedupe_claim dedupe_take_claim(struct engine *engine) {
    struct dedupe_claim *offered = engine->deduping.offered, taken = {.id = 0};
    if (offered) {
        taken = *offered;
        *offered = (struct dedupe_claim){.id = 0};
    }
    return taken;
}

/* -- what is said -- */

static void refuse(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                   uint32_t from, enum status status) {
    if (status == STATUS_IN_PROGRESS)
        (void)snprintf(engine->detail, sizeof engine->detail,
                       "the first of what makes this message one (`dedupe`) isn't decided yet");
    ending_tell(engine, message, NULL, from, ENDING_REJECTED, status, 1, 0);
    session_refuse(engine, s, token, status, RETRY_MS);
    engine->detail[0] = '\0';
}

static void tell_again(struct engine *engine, struct session *s, uint64_t token,
                       const struct message *message, uint32_t from, const uint8_t *receipt) {
    ending_tell(engine, message, NULL, from, ENDING_DROPPED, STATUS_DUPLICATE, 1, 0);
    engine->net.worker.again = receipt;
    session_refuse(engine, s, token, STATUS_DUPLICATE, 0);
    engine->net.worker.again = NULL;
}

/* By what is known of it now. */
static void go(struct engine *engine, struct session *s, uint64_t token, struct message *message,
               const struct routing *routing, uint32_t from, struct dedupe_claim *claim) {
    struct deduping *d = &engine->deduping;
    struct dedupe_claim *outer = d->offered;
    d->offered = claim;
    bool is_taken = intake_offer(engine, s, token, message, routing, from) == OFFER_TAKEN;
    d->offered = outer;
    dedupe_settle(engine, claim, is_taken); /* none, where who lets it wait took it */
}

static void say(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                uint32_t from, enum dedupe_verdict verdict, const uint8_t *receipt) {
    if (verdict == DEDUPE_AGAIN)
        tell_again(engine, s, token, message, from, receipt);
    else
        refuse(engine, s, token, message, from,
               verdict == DEDUPE_OPEN ? STATUS_IN_PROGRESS : STATUS_OVERLOADED);
}

/* -- those that are held -- */

static struct slice id_of(const uint64_t *id) {
    return slice_make(id, sizeof *id);
}

static void arm(struct engine *engine) {
    struct deduping *d = &engine->deduping;
    struct list_node *first = list_first(&d->waiting);
    struct mono at = first ? LIST_ENTRY(first, struct hold, waiting_node)->until : MONO_NEVER;
    if (first)
        timer_set(engine, &d->timer, at);
    else
        deadlines_clear(&engine->deadlines, &d->timer.deadline);
}

static void wait_no_more(struct engine *engine, struct hold *hold, enum hold_state state) {
    struct deduping *d = &engine->deduping;
    bool was_first = list_first(&d->waiting) == &hold->waiting_node;
    list_remove(&d->waiting, &hold->waiting_node);
    map_remove(&d->by_id, id_of(&hold->claim.id));
    hold->state = (uint8_t)state;
    if (was_first)
        arm(engine);
}

static void held_no_more(struct engine *engine, struct hold *hold) {
    list_remove(&hold->session->work->holds, &hold->node);
    engine->deduping.held--;
}

/* What is left of it is the memory of its claim, which that frees when it ends. */
static void hold_free(struct hold *hold) {
    message_unref(hold->message);
    hold->message = NULL;
    if (hold->claim.hold != hold)
        memory_free(hold);
}

/* Its turn has come. */
static void hold_go(struct engine *engine, struct hold *hold) {
    struct session *s = hold->session;
    struct message *message = hold->message;
    struct dedupe_claim claim = hold->claim;
    enum dedupe_verdict verdict = (enum dedupe_verdict)hold->verdict;
    struct routing routing;
    held_no_more(engine, hold);
    if (hold->state == HOLD_REFUSED || verdict != DEDUPE_NEW) {
        say(engine, s, hold->token, message, hold->from, hold->state == HOLD_REFUSED ? DEDUPE_FULL : verdict,
            hold->receipt);
        hold->claim.hold = NULL;
        hold_free(hold);
        return;
    }
    router_find(engine, s, message, hold->from, &routing); /* the plan may be another by now */
    enum status status = message->expiry.ns <= engine->now.wall.ns ? STATUS_EXPIRED : routing.status;
    if (status != STATUS_OK) {
        ending_tell(engine, message, NULL, hold->from,
                    status == STATUS_EXPIRED ? ENDING_EXPIRED : ENDING_REJECTED, status, 1, 0);
        session_refuse(engine, s, hold->token, status, 0);
        hold_free(hold);
        dedupe_settle(engine, &claim, false);
        return;
    }
    hold->message = NULL;
    uint64_t token = hold->token;
    uint32_t from = hold->from;
    hold_free(hold);
    go(engine, s, token, message, &routing, from, &claim);
    message_unref(message);
}

static void run(struct engine *engine, struct session *s) {
    struct list *holds = &s->work->holds;
    uint64_t outer = engine->tracing.mark;
    while (holds->count && LIST_ENTRY(list_first(holds), struct hold, node)->state != HOLD_WAITS) {
        struct hold *hold = LIST_ENTRY(list_first(holds), struct hold, node);
        engine->tracing.mark = hold->trace;
        hold_go(engine, hold);
    }
    engine->tracing.mark = outer;
    if (holds->count == 0 && s->work->waiters.count == 0 &&
        s->connection->sink.terms.when_full == PROTOCOL_FULL_STOP)
        connection_stop(s->connection, false);
}

static struct hold *hold_new(struct engine *engine, struct session *s, uint64_t token,
                             const struct message *message, uint32_t from) {
    struct deduping *d = &engine->deduping;
    struct hold *hold = d->held < DEDUPE_HOLDS_MAX && session_work(s) ? memory_new(sizeof *hold) : NULL;
    if (!hold || !(hold->message = message_keep(message, &engine->kept))) {
        memory_free(hold);
        return NULL;
    }
    hold->session = s;
    hold->token = token;
    hold->from = from;
    hold->trace = engine->tracing.mark;
    hold->state = HOLD_GOES;
    hold->verdict = DEDUPE_NEW;
    list_add(&s->work->holds, &hold->node);
    d->held++;
    if (s->work->holds.count >= DEDUPE_HOLDS_STOP &&
        s->connection->sink.terms.when_full == PROTOCOL_FULL_STOP)
        connection_stop(s->connection, true);
    return hold;
}

/* False: it can't be asked now. */
static bool ask_home(struct engine *engine, struct hold *hold, const struct dedupe_claim *claim,
                     int64_t window_ns) {
    struct deduping *d = &engine->deduping;
    const struct message *message = hold->message;
    struct letter letter = {.kind = LETTER_DEDUPE, .id = claim->id, .attempt_ns = window_ns};
    struct slice none = slice_make("", 0);
    struct slice texts[4] = {slice_make(claim->print.bytes, sizeof claim->print),
                             slice_make(message->receipt, message->has_receipt ? sizeof message->receipt : 0),
                             none, none};
    hold->claim = *claim;
    hold->claim.hold = hold;
    if (!map_put(&d->by_id, id_of(&hold->claim.id), hold))
        return false;
    if (!parcel_write(engine, claim->home, &letter, texts, NULL)) {
        map_remove(&d->by_id, id_of(&hold->claim.id));
        return false;
    }
    hold->state = HOLD_WAITS;
    hold->until = mono_after(engine->now.mono, VERDICT_NS);
    list_add(&d->waiting, &hold->waiting_node);
    if (d->waiting.count == 1)
        arm(engine);
    return true;
}

static enum dedupe_verdict claim_here(struct engine *engine, const struct dedupe_print *print, uint64_t id,
                                      int64_t window_ns, const uint8_t *receipt,
                                      const uint8_t **ret_receipt) {
    enum dedupe_verdict verdict =
        dedupe_claim(&engine->deduping.all, print, id, window_ns, receipt, engine->now.mono, ret_receipt);
    count(engine);
    return verdict;
}

/* Behind others, or until another worker has said what it is. */
static void hold_back(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                      uint32_t from, const struct dedupe_claim *claim, int64_t window_ns) {
    struct hold *hold = hold_new(engine, s, token, message, from);
    const uint8_t *receipt = NULL;
    if (!hold) {
        refuse(engine, s, token, message, from, STATUS_OVERLOADED);
        return;
    }
    if (claim && claim->home == engine->options.worker) {
        hold->verdict = (uint8_t)claim_here(engine, &claim->print, claim->id, window_ns,
                                            message->has_receipt ? message->receipt : NULL, &receipt);
        if (hold->verdict == DEDUPE_NEW)
            hold->claim = *claim;
        if (receipt)
            memcpy(hold->receipt, receipt, sizeof hold->receipt);
    } else if (claim && !ask_home(engine, hold, claim, window_ns)) {
        hold->claim = (struct dedupe_claim){.id = 0};
        hold->state = HOLD_REFUSED;
        run(engine, s);
    }
}

bool dedupe_takes(struct engine *engine, struct session *s, uint64_t token, struct message *message,
                  const struct routing *routing, uint32_t from) {
    const struct config_policy *policy = policy_of(engine, routing);
    struct dedupe_claim claim = {.id = 0};
    const uint8_t *receipt = NULL;
    bool is_known = is_wanted(policy, message) && print_of(engine, message, policy->dedupe.by, &claim.print);
    if (!is_known && s->work->holds.count == 0)
        return false;
    if (!is_known) {
        hold_back(engine, s, token, message, from, NULL, 0);
        return true;
    }
    claim.id = (uint64_t)engine->options.worker << CLAIM_WORKER | ++engine->deduping.claims;
    claim.home = home_of(engine, &claim.print);
    if (claim.home != engine->options.worker || s->work->holds.count) {
        hold_back(engine, s, token, message, from, &claim, policy->dedupe.window_ns);
        return true;
    }
    enum dedupe_verdict verdict = claim_here(engine, &claim.print, claim.id, policy->dedupe.window_ns,
                                             message->has_receipt ? message->receipt : NULL, &receipt);
    if (verdict == DEDUPE_NEW)
        go(engine, s, token, message, routing, from, &claim);
    else
        say(engine, s, token, message, from, verdict, receipt);
    return true;
}

void dedupe_closed(struct engine *engine, struct session *s) {
    while (s->work->holds.count) {
        struct hold *hold = LIST_ENTRY(list_first(&s->work->holds), struct hold, node);
        struct dedupe_claim claim = {.id = 0};
        uint64_t outer = engine->tracing.mark;
        engine->tracing.mark = hold->trace;
        ending_tell(engine, hold->message, NULL, hold->from, ENDING_REJECTED, STATUS_CANCELLED, 1, 0);
        engine->tracing.mark = outer;
        if (hold->state == HOLD_WAITS) /* its verdict will find nobody */
            wait_no_more(engine, hold, HOLD_REFUSED);
        held_no_more(engine, hold);
        if (hold->state == HOLD_GOES && hold->verdict == DEDUPE_NEW)
            claim = hold->claim;
        else
            hold->claim.hold = NULL;
        hold_free(hold);
        dedupe_settle(engine, &claim, false);
    }
}

/* No verdict came: letters are lost only where memory is out. */
void dedupe_ring(struct engine *engine) {
    struct list *waiting = &engine->deduping.waiting;
    while (waiting->count) {
        struct hold *hold = LIST_ENTRY(list_first(waiting), struct hold, waiting_node);
        if (!mono_due(hold->until, engine->now.mono))
            break;
        wait_no_more(engine, hold, HOLD_REFUSED);
        run(engine, hold->session);
    }
}

/* -- mail -- */

void dedupe_read(struct engine *engine, uint32_t from, const struct letter *letter,
                 const struct slice texts[4]) {
    struct dedupe_print print;
    const uint8_t *receipt = NULL;
    memcpy(&print, texts[0].data, sizeof print);
    enum dedupe_verdict verdict = claim_here(engine, &print, letter->id, letter->attempt_ns,
                                             texts[1].size ? texts[1].data : NULL, &receipt);
    struct letter back = {.kind = LETTER_DEDUPED, .id = letter->id, .sub = verdict};
    struct slice none = slice_make("", 0);
    struct slice out[4] = {texts[0], slice_make(receipt, receipt ? DEDUPE_RECEIPT_SIZE : 0), none, none};
    if (!parcel_write(engine, from, &back, out, NULL) &&
        verdict == DEDUPE_NEW) /* who asked gives up waiting */
        settle_here(engine, &print, letter->id, false);
}

void dedupe_told(struct engine *engine, uint32_t from, const struct letter *letter,
                 const struct slice texts[4]) {
    struct hold *hold = map_get(&engine->deduping.by_id, id_of(&letter->id));
    if (!hold) { /* nobody waits for it any more */
        struct hold *left = letter->sub == DEDUPE_NEW ? memory_new(sizeof *left) : NULL;
        struct dedupe_claim claim = {.id = letter->id, .home = from, .hold = left};
        memcpy(&claim.print, texts[0].data, sizeof claim.print);
        if (left)
            dedupe_settle(engine, &claim, false);
        else if (letter->sub == DEDUPE_NEW)
            (void)send_settle(engine, &claim, false);
        return;
    }
    hold->verdict = (uint8_t)letter->sub;
    if (texts[1].size)
        memcpy(hold->receipt, texts[1].data, sizeof hold->receipt);
    wait_no_more(engine, hold, HOLD_GOES);
    run(engine, hold->session);
}

void dedupe_settled(struct engine *engine, const struct letter *letter, const struct slice texts[4]) {
    struct dedupe_print print;
    memcpy(&print, texts[0].data, sizeof print);
    settle_here(engine, &print, letter->id, letter->sub);
}
