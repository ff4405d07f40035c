/* What was decided for the last message of a connection, with the bytes that decided it: the next one alike needs no
 * decision. Connections that fell silent lose theirs to those that speak, so that thousands of them cost nothing. */
#include "engine/inner.h"

static uint64_t memo_reads(const struct engine *engine) {
    return engine->plan->reads | engine->subscription_reads | VERDICT_READS;
}

/* What stands for an attribute: its text, or its number as it is in memory; nothing when absent. Texts of four bytes
 * can't be taken for numbers, because one connection's protocol gives one form only. */
static struct slice memo_bytes(const struct message *message, enum attribute attribute) {
    const struct value *value = message_value(message, attribute);
    if (!value)
        return slice_make("", 0);
    return value->form == VALUE_NUMBER ? slice_make(&value->number, sizeof value->number)
                                       : message_bytes(message, value->span);
}

bool memo_hits(const struct engine *engine, const struct session *s, const struct message *message) {
    struct memo *memo = s->memo;
    if (!memo || memo->generation != engine->generation || memo->kind != message->kind ||
        memo->route != message->route ||
        message_has(message, ATTRIBUTE_INTERTIEHOPS))
        return false;
    const uint8_t *at = memo->bytes;
    for (unsigned i = 0; i < memo->count; i++) {
        struct slice bytes = memo_bytes(message, (enum attribute)memo->attributes[i]);
        if (bytes.size != memo->sizes[i] || (bytes.size && memcmp(bytes.data, at, bytes.size) != 0))
            return false;
        at += bytes.size;
    }
    memo->was_used = true;
    return true;
}

/* One that its owner did not use since we last came by; those that were used have a second chance. */
static struct memo *memo_oldest(struct engine *engine) {
    for (;;) {
        struct memo *memo = LIST_ENTRY(list_take_first(&engine->memos), struct memo, node);
        if (!memo->owner || !memo->was_used)
            return memo;
        memo->was_used = false;
        list_add(&engine->memos, &memo->node);
    }
}

static struct memo *memo_take(struct engine *engine, struct session *s) {
    if (s->memo)
        return s->memo;
    const struct memo *first = engine->memos.count ? LIST_ENTRY(list_first(&engine->memos), struct memo, node) : NULL;
    struct memo *memo = NULL;
    if (engine->memos.count < MEMOS_MAX && (!first || first->owner))
        memo = memory_new(sizeof *memo);
    if (!memo && !first)
        return NULL;
    if (!memo)
        memo = memo_oldest(engine);
    if (memo->owner)
        memo->owner->memo = NULL;
    memo->owner = s;
    list_add(&engine->memos, &memo->node);
    return s->memo = memo;
}

void memo_keep(struct engine *engine, struct session *s, const struct message *message, uint32_t from,
               const struct routing *routing) {
    if (!engine->options.memo || !engine->plan->memo_ok || !engine->subscription_memo_ok)
        return;
    struct memo *memo = memo_take(engine, s);
    if (!memo)
        return;
    memo->generation = 0;
    memo->count = 0;
    memo->used = 0;
    for (uint64_t left = memo_reads(engine); left; left &= left - 1) {
        enum attribute attribute = (enum attribute)__builtin_ctzll(left);
        struct slice bytes = memo_bytes(message, attribute);
        if (memo->count == MEMO_ATTRIBUTES || bytes.size > MEMO_BYTES - (size_t)memo->used)
            return;
        memo->attributes[memo->count] = (uint8_t)attribute;
        memo->sizes[memo->count++] = (uint16_t)bytes.size;
        if (bytes.size)
            memcpy(memo->bytes + memo->used, bytes.data, bytes.size);
        memo->used = (uint16_t)(memo->used + bytes.size);
    }
    memo->kind = message->kind;
    memo->route = message->route;
    memo->from = from;
    memo->priority = message->priority;
    memo->routing = *routing;
    memo->generation = engine->generation;
}

void memo_forget(struct session *s) {
    if (s->memo)
        s->memo->generation = 0;
}

/* It stands first: the next that needs one takes it. */
void memo_leave(struct engine *engine, struct session *s) {
    struct memo *memo = s->memo;
    if (!memo)
        return;
    s->memo = NULL;
    memo->owner = NULL;
    list_remove(&engine->memos, &memo->node);
    list_add_first(&engine->memos, &memo->node);
}

void memo_done(struct engine *engine) {
    struct list_node *node;
    while ((node = list_take_first(&engine->memos)))
        memory_free(LIST_ENTRY(node, struct memo, node));
}
