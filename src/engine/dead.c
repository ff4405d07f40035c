/* Dead letters of one worker. */
#include "engine/dead.h"

#include "base/pack.h"
#include "base/text.h"
#include "engine/inner.h"
#include "message/encoding.h"
#include "message/timestamp.h"

#define LOOK_AGAIN_NS NS_PER_S /* when the system has no room */

/* One allocation, its texts behind it. */
struct dead {
    struct list_node node; /* the oldest first */
    struct dead_letter letter;
    struct message *message;
    struct mono due;   /* when it is sent again; MONO_NEVER: it isn't */
    struct slice to;   /* own memory; empty: to whom it was for */
    size_t size;
};

void dead_init(struct engine *engine) {
    struct dead_store *store = &engine->dead;
    list_init(&store->letters);
    store->timer = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_DEAD};
}

static void drop(struct engine *engine, struct dead *dead) {
    struct dead_store *store = &engine->dead;
    list_remove(&store->letters, &dead->node);
    store->bytes -= dead->size;
    engine->totals.dead_held--;
    engine->totals.dead_bytes -= dead->size;
    message_unref(dead->message);
    memory_free((void *)(uintptr_t)dead->to.data);
    memory_free(dead);
}

void dead_done(struct engine *engine) {
    while (engine->dead.letters.count)
        drop(engine, LIST_ENTRY(list_first(&engine->dead.letters), struct dead, node));
    deadlines_clear(&engine->deadlines, &engine->dead.timer.deadline);
}

static struct dead *oldest(const struct dead_store *store) {
    struct list_node *node = list_first(&store->letters);
    return node ? LIST_ENTRY(node, struct dead, node) : NULL;
}

/* What is too old goes; what has no room any more too. */
static void make_room(struct engine *engine, size_t size) {
    struct dead_store *store = &engine->dead;
    struct dead *dead;
    while ((dead = oldest(store)) && engine->now.wall.ns - dead->letter.at.ns >= store->keep_ns) {
        engine->totals.dead_aged++;
        drop(engine, dead);
    }
    while ((dead = oldest(store)) && (store->letters.count >= store->messages_max || store->bytes + size > store->bytes_max)) {
        engine->totals.dead_evicted++;
        drop(engine, dead);
    }
}

/* The next time that there is something to do. */
static void arm(struct engine *engine) {
    struct dead_store *store = &engine->dead;
    struct dead *first = oldest(store);
    struct mono at = MONO_NEVER;
    if (first && store->keep_ns != CONFIG_FOREVER)
        at = mono_after(engine->now.mono, first->letter.at.ns + store->keep_ns - engine->now.wall.ns);
    if (store->redrives)
        at = mono_min(at, store->next);
    if (at.ns < engine->now.mono.ns)
        at = engine->now.mono;
    timer_set(engine, &store->timer, at);
}

void dead_configure(struct engine *engine, const struct config *config) {
    struct dead_store *store = &engine->dead;
    uint32_t workers = engine->options.workers;
    uint64_t messages = config->dead_letters.messages / workers;
    store->messages_max = messages ? messages : config->dead_letters.messages ? 1 : 0;
    store->bytes_max = config->dead_letters.bytes / workers;
    store->keep_ns = config->dead_letters.keep_ns;
    make_room(engine, 0);
    while (store->letters.count > store->messages_max) {
        engine->totals.dead_evicted++;
        drop(engine, oldest(store));
    }
    arm(engine);
}

/* -- keeping -- */

static struct slice append(uint8_t **at, struct slice text) {
    struct slice copy = slice_make(*at, text.size);
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

static struct slice route_name(const struct engine *engine, uint32_t mark) {
    int32_t index = plan_route_index(engine->plan, mark);
    return index >= 0 ? engine->plan->routes[index].config->name : SLICE_OF("");
}

static void identify(struct engine *engine, const struct message *message, char *out) {
    uint8_t fresh[16];
    if (!message->has_receipt)
        uuid_make(&engine->net.worker.ids, engine->now.wall, fresh);
    uuid_text(message->has_receipt ? message->receipt : fresh, out);
}

void dead_keep(struct engine *engine, const struct message *message, const struct dead_facts *facts) {
    struct dead_store *store = &engine->dead;
    const struct system *sender = engine_system(engine, facts->from);
    struct slice from = sender ? sender->name : SLICE_OF(""), route = route_name(engine, facts->route);
    struct slice words = slice_head(engine->said.words, DEAD_WORDS_MAX);
    size_t texts = facts->recipient->name.size + from.size + route.size + words.size + engine->said.endpoint.size;
    size_t size = sizeof(struct dead) + texts + message_kept_size(message);
    make_room(engine, size);
    struct dead *dead = size <= store->bytes_max && store->messages_max ? memory_alloc(sizeof *dead + texts) : NULL;
    struct message *kept = !dead           ? NULL
                           : message->block ? message_ref((struct message *)(uintptr_t)message)
                                            : message_keep(message, &engine->kept);
    if (!kept) {
        memory_free(dead);
        engine->totals.dead_evicted++; /* it never had a place */
        return;
    }
    uint8_t *at = (uint8_t *)(dead + 1);
    *dead = (struct dead){.message = kept, .due = MONO_NEVER, .size = size};
    dead->letter = (struct dead_letter){.message = kept, .at = engine->now.wall, .reason = facts->reason,
                                        .last = engine->said.status, .code = engine->said.code, .attempts = facts->attempts,
                                        .redriven = facts->redriven};
    dead->letter.system = append(&at, facts->recipient->name);
    dead->letter.route = append(&at, route);
    dead->letter.from = append(&at, from);
    dead->letter.words = append(&at, words);
    dead->letter.endpoint = append(&at, engine->said.endpoint);
    identify(engine, message, dead->letter.id);
    list_add(&store->letters, &dead->node);
    store->bytes += size;
    engine->totals.dead_held++;
    engine->totals.dead_bytes += size;
    engine->totals.dead_kept++;
    if (store->letters.count == 1)
        arm(engine);
}

/* -- to a system of its own -- */

static bool decode_with(struct engine *engine, const struct message *message, const struct overlay *overlay, struct message *ret) {
    struct buffer *scratch = &engine->net.worker.scratch, *extra = &engine->net.worker.extra;
    struct message_rules rules = {.declared = &engine->plan->config->extensions, .size_max = UINT32_MAX};
    struct message_fault fault;
    buffer_clear(scratch);
    buffer_clear(extra);
    return message_encode_json(message, overlay, scratch) == STATUS_OK &&
           message_decode_json(ret, buffer_slice(scratch), extra, &rules, &fault) == STATUS_OK;
}

bool dead_forward(struct engine *engine, const struct message *message, const struct dead_facts *facts, uint32_t system) {
    struct system *to = engine_system(engine, system);
    struct overlay overlay;
    struct message changed;
    char time[TIMESTAMP_TEXT_MAX];
    if (!to || to->recipient.system == facts->recipient->system || !recipient_has_room(&to->recipient, message_kept_size(message)))
        return false;
    int64_t ns = engine->now.wall.ns;
    size_t size = timestamp_format(ns / NS_PER_S, (int32_t)(ns % NS_PER_S), time);
    overlay_init(&overlay);
    overlay.removed = flight_ours(message);
    overlay_remove(&overlay, ATTRIBUTE_EXPIRYTIME); /* it is about what happened, and stays true */
    overlay_set_text(&overlay, ATTRIBUTE_DLREASON, slice_from(status_reason(facts->reason)));
    overlay_set_text(&overlay, ATTRIBUTE_DLTARGET, facts->recipient->name);
    overlay_set_text(&overlay, ATTRIBUTE_DLTIME, slice_make(time, size));
    overlay_set_number(&overlay, ATTRIBUTE_DLATTEMPTS, (int32_t)facts->attempts);
    if (engine->said.code)
        overlay_set_number(&overlay, ATTRIBUTE_DLCODE, engine->said.code);
    struct slice words = slice_head(engine->said.words, DEAD_WORDS_MAX);
    if (words.size && text_is_utf8(words))
        overlay_set_text(&overlay, ATTRIBUTE_DLDETAIL, words);
    if (!decode_with(engine, message, &overlay, &changed))
        return false;
    changed.kind = KIND_EVENT;
    changed.priority = message->priority;
    struct delivery *d = delivery_new(engine, &to->recipient, &changed);
    if (!d)
        return false;
    d->from = facts->from;
    d->is_dead_letter = true;
    recipient_queue(engine, d, false);
    return true;
}

/* -- looking -- */

static bool fits(const struct dead_letter *letter, const struct dead_filter *filter) {
    bool named = filter->id_count == 0;
    for (size_t i = 0; i < filter->id_count && !named; i++)
        named = slice_equal(filter->ids[i], slice_make(letter->id, sizeof letter->id));
    return named && (!filter->system.size || slice_equal(filter->system, letter->system)) &&
           (!filter->route.size || slice_equal(filter->route, letter->route)) &&
           (!filter->reason.size || slice_is(filter->reason, status_reason(letter->reason))) &&
           letter->at.ns >= filter->since.ns;
}

void dead_each(const struct engine *engine, const struct dead_filter *filter,
               bool (*call)(void *user, const struct dead_letter *letter), void *user) {
    const struct list *letters = &engine->dead.letters;
    for (const struct list_node *node = letters->head.previous; node != &letters->head; node = node->previous) {
        const struct dead *dead = LIST_ENTRY((struct list_node *)(uintptr_t)node, struct dead, node);
        if (fits(&dead->letter, filter) && !call(user, &dead->letter))
            return;
    }
}

/* -- sending again -- */

static bool redrive(struct engine *engine, struct dead *dead) {
    struct slice name = dead->to.size ? dead->to : dead->letter.system;
    struct system *system = engine_system(engine, plan_system(engine->plan, name));
    if (!system || !recipient_has_room(&system->recipient, message_kept_size(dead->message)))
        return false;
    struct delivery *d = delivery_new(engine, &system->recipient, dead->message);
    if (!d)
        return false;
    d->from = plan_system(engine->plan, dead->letter.from);
    d->redriven = (uint8_t)(dead->letter.redriven + (dead->letter.redriven < UINT8_MAX));
    d->attempt_ns = system->config->policy.timeouts.attempt_ns;
    engine->totals.dead_redriven++;
    uint32_t home = mail_home(engine, &system->recipient, dead->message);
    if (home == engine->options.worker || mail_go_home(engine, d, home) != STATUS_OK)
        recipient_queue(engine, d, false);
    return true;
}

static void stay(struct dead_store *store, struct dead *dead) {
    dead->due = MONO_NEVER;
    dead->letter.waits = false;
    store->redrives--;
}

void dead_ring(struct engine *engine) {
    struct dead_store *store = &engine->dead;
    struct mono next = MONO_NEVER;
    make_room(engine, 0);
    for (struct list_node *node = list_first(&store->letters); node && store->redrives;) {
        struct dead *dead = LIST_ENTRY(node, struct dead, node);
        node = list_next(&store->letters, node);
        if (!mono_due(dead->due, engine->now.mono)) {
            next = mono_min(next, dead->due);
        } else if (redrive(engine, dead)) {
            stay(store, dead);
            drop(engine, dead);
        } else if (plan_system(engine->plan, dead->to.size ? dead->to : dead->letter.system) == CONFIG_NONE) {
            stay(store, dead); /* nobody has that name any more */
        } else {
            dead->due = mono_after(engine->now.mono, LOOK_AGAIN_NS);
            next = mono_min(next, dead->due);
        }
    }
    store->next = next;
    arm(engine);
}

static bool schedule(struct engine *engine, struct dead *dead, const struct dead_command *command, uint64_t index) {
    struct slice to = {NULL, 0};
    if (command->to.size) {
        uint8_t *copy = memory_alloc(command->to.size);
        if (!copy)
            return false;
        memcpy(copy, command->to.data, command->to.size);
        to = slice_make(copy, command->to.size);
    }
    memory_free((void *)(uintptr_t)dead->to.data);
    dead->to = to;
    if (!dead->letter.waits)
        engine->dead.redrives++;
    dead->letter.waits = true;
    dead->due = mono_after(engine->now.mono, (int64_t)index * command->interval_ns);
    engine->dead.next = mono_min(engine->dead.next, dead->due);
    return true;
}

static void run(struct engine *engine, const struct dead_command *command, struct engine_input *input) {
    struct dead_store *store = &engine->dead;
    input->size = 0;
    input->count = 0;
    if (store->redrives == 0)
        store->next = MONO_NEVER;
    for (struct list_node *node = list_first(&store->letters); node;) {
        struct dead *dead = LIST_ENTRY(node, struct dead, node);
        node = list_next(&store->letters, node);
        if (!fits(&dead->letter, &command->filter))
            continue;
        if (command->kind == DEAD_REDRIVE && dead->letter.redriven >= DEAD_REDRIVES_MAX && !command->force) {
            input->count++;
            continue;
        }
        if (command->dry_run || command->kind == DEAD_PURGE || schedule(engine, dead, command, input->size))
            input->size++;
        if (command->kind == DEAD_PURGE && !command->dry_run) {
            if (dead->letter.waits)
                stay(store, dead);
            engine->totals.dead_purged++;
            drop(engine, dead);
        }
    }
    arm(engine);
}

/* -- as bytes -- */

void dead_command_write(struct buffer *out, const struct dead_command *command) {
    const struct dead_filter *filter = &command->filter;
    pack_u8(out, (uint8_t)command->kind);
    pack_u8(out, command->dry_run);
    pack_u8(out, command->force);
    pack_u64(out, (uint64_t)command->interval_ns);
    pack_slice(out, command->to);
    pack_slice(out, filter->system);
    pack_slice(out, filter->route);
    pack_slice(out, filter->reason);
    pack_u64(out, (uint64_t)filter->since.ns);
    pack_u32(out, (uint32_t)filter->id_count);
    for (size_t i = 0; i < filter->id_count; i++)
        pack_slice(out, filter->ids[i]);
}

void dead_input(struct engine *engine, struct engine_input *input) {
    struct unpack in = unpack_from(input->bytes);
    struct slice ids[DEAD_IDS_MAX];
    struct dead_command command = {.kind = unpack_u8(&in) == DEAD_PURGE ? DEAD_PURGE : DEAD_REDRIVE};
    command.dry_run = unpack_u8(&in);
    command.force = unpack_u8(&in);
    command.interval_ns = (int64_t)unpack_u64(&in);
    command.to = unpack_slice(&in);
    command.filter.system = unpack_slice(&in);
    command.filter.route = unpack_slice(&in);
    command.filter.reason = unpack_slice(&in);
    command.filter.since.ns = (int64_t)unpack_u64(&in);
    uint32_t count = unpack_u32(&in);
    for (uint32_t i = 0; i < count && i < DEAD_IDS_MAX; i++)
        ids[i] = unpack_slice(&in);
    command.filter.ids = ids;
    command.filter.id_count = count;
    input->size = input->count = 0;
    if (count <= DEAD_IDS_MAX && command.interval_ns >= 0 && unpack_is_over(&in) && engine->plan)
        run(engine, &command, input);
}
