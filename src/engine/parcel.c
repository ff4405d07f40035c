/* Letters between the workers of a node, and who waits for news of what was handed over. */
#include "engine/parcel.h"

_Static_assert(sizeof(struct letter) % 16 == 0 && sizeof(struct news) == 16, "letters end at multiples of 16");

#include <stddef.h>

#define PARCEL_SIZE (64u << 10)
#define TURN_MAX (64u << 20) /* bytes to one worker in one turn */
#define NEWS_FIRST 64
#define AGAIN_NS NS_PER_MS /* when there was no memory for a parcel */

bool post_new(struct engine *engine) {
    uint32_t workers = engine->options.workers;
    struct post *post = memory_new(sizeof *post);
    engine->post = post;
    if (!post)
        return false;
    post->open = memory_array(workers, sizeof *post->open);
    post->mail_capacity = 2 * workers;
    post->mail = memory_array(post->mail_capacity, sizeof *post->mail);
    for (uint32_t i = 0; post->open && i < workers && workers > 1; i++) {
        post->open[i].news = memory_array(NEWS_FIRST, sizeof *post->open[i].news);
        if (!post->open[i].news)
            return false;
        post->open[i].news_capacity = NEWS_FIRST;
    }
    return post->open && post->mail;
}

void post_free(struct engine *engine) {
    struct post *post = engine->post;
    if (!post)
        return;
    for (uint32_t i = 0; post->open && i < engine->options.workers; i++) {
        block_unref(post->open[i].block);
        memory_free(post->open[i].news);
    }
    for (uint32_t i = 0; post->mail && i < post->mail_count; i++)
        block_unref(post->mail[i].parcel);
    memory_free(post->open);
    memory_free(post->mail);
    memory_free(post->remotes);
    memory_free(post);
}

/* -- parcels -- */

static void seal(struct post *post, uint32_t to) {
    struct open_parcel *open = &post->open[to];
    open->block->size = open->used;
    post->mail[post->mail_count++] = (struct engine_mail){to, open->block, open->used};
    open->block = NULL;
    open->used = 0;
}

/* Parcels of this turn, for the world to carry. */
void post_collect(struct engine *engine, struct engine_actions *ret) {
    struct post *post = engine->post;
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        post->open[i].turn_bytes = 0;
        parcel_flush_news(engine, i);
        if (post->open[i].used)
            seal(post, i);
        if (post->open[i].news_count || post->open[i].is_lost)
            ret->due = mono_min(ret->due, mono_after(engine->now.mono, AGAIN_NS));
    }
    ret->mail = post->mail;
    ret->mail_count = post->mail_count;
    post->mail_count = 0;
}

static bool reserve_mail(struct post *post, uint32_t workers) {
    uint32_t needed = post->mail_count + 1 + workers;
    if (needed <= post->mail_capacity)
        return true;
    struct engine_mail *mail = memory_resize(post->mail, 2 * needed * sizeof *mail);
    if (!mail)
        return false;
    post->mail = mail;
    post->mail_capacity = 2 * needed;
    return true;
}

/* Room at the end of the open parcel; NULL when there is none. */
static uint8_t *reserve(struct engine *engine, uint32_t to, size_t size) {
    struct post *post = engine->post;
    struct open_parcel *open = &post->open[to];
    if (size > TURN_MAX - open->turn_bytes)
        return NULL;
    if (open->block && size <= open->block->size - open->used)
        return open->block->data + open->used;
    struct block *block = NULL;
    if (!reserve_mail(post, engine->options.workers) || !(block = block_new(size > PARCEL_SIZE ? size : PARCEL_SIZE, NULL)))
        return NULL;
    if (open->used)
        seal(post, to);
    block_unref(open->block);
    open->block = block;
    return block->data;
}

static void added(struct open_parcel *open, size_t size) {
    open->used += (uint32_t)size;
    open->turn_bytes += (uint32_t)size;
}

/* -- letters -- */

static size_t rounded(size_t size) {
    return (size + 15) & ~(size_t)15;
}

static size_t message_head_size(const struct message *message) {
    return offsetof(struct message, values) + message->value_count * sizeof(struct value);
}

/* Bytes between the parts are never read; they are set so that equal inputs give equal parcels. */
static uint8_t *pad(uint8_t *start, uint8_t *at) {
    uint8_t *end = start + rounded((size_t)(at - start));
    memset(at, 0, (size_t)(end - at));
    return end;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t size) {
    if (size)
        memcpy(at, bytes, size);
    return at + size;
}

bool parcel_write(struct engine *engine, uint32_t to, struct letter *letter, const struct slice texts[4],
                  const struct message *message) {
    size_t size = sizeof *letter;
    for (int i = 0; texts && i < 4; i++) {
        letter->text_sizes[i] = (uint16_t)texts[i].size;
        size += texts[i].size;
    }
    size = rounded(size);
    if (message)
        letter->message_size = (uint32_t)(message_head_size(message) + message->wire_size + message->extra_size);
    letter->size = (uint32_t)rounded(size + letter->message_size);
    uint8_t *start = reserve(engine, to, letter->size);
    if (!start)
        return false;
    uint8_t *at = put(start, letter, sizeof *letter);
    for (int i = 0; texts && i < 4; i++)
        at = put(at, texts[i].data, texts[i].size);
    at = pad(start, at);
    if (message) {
        put(at, message, message_head_size(message));
        memset(at, 0, offsetof(struct message, wire_size)); /* pointers mean nothing over there, and differ each time */
        memset(at + offsetof(struct message, block), 0, sizeof message->block);
        at += message_head_size(message);
        at = put(at, message->wire, message->wire_size);
        at = put(at, message->extra, message->extra_size);
        pad(start, at);
    }
    added(&engine->post->open[to], letter->size);
    return true;
}

/* -- news -- */

void parcel_tell(struct engine *engine, uint32_t to, struct news news) {
    struct open_parcel *open = &engine->post->open[to];
    if (open->news_count >= open->news_capacity / 2) { /* early, so that one refusal of memory isn't the end */
        struct news *grown = memory_resize(open->news, 2 * open->news_capacity * sizeof *grown);
        if (grown) {
            open->news = grown;
            open->news_capacity *= 2;
        }
    }
    if (open->news_count < open->news_capacity)
        open->news[open->news_count++] = news;
    else
        open->is_lost = true; /* just to lose it would leave a message waiting for ever */
}

static void flush_known(struct engine *engine, uint32_t to) {
    struct open_parcel *open = &engine->post->open[to];
    if (open->news_count == 0)
        return;
    size_t bytes = open->news_count * sizeof *open->news;
    struct letter letter = {.kind = LETTER_NEWS, .size = (uint32_t)(sizeof letter + bytes), .count = open->news_count};
    uint8_t *at = reserve(engine, to, letter.size);
    if (!at)
        return;
    put(put(at, &letter, sizeof letter), open->news, bytes);
    added(open, letter.size);
    open->news_count = 0;
}

void parcel_flush_news(struct engine *engine, uint32_t to) {
    struct open_parcel *open = &engine->post->open[to];
    flush_known(engine, to);
    if (!open->is_lost || open->news_count)
        return;
    struct letter letter = {.kind = LETTER_LOST};
    open->is_lost = !parcel_write(engine, to, &letter, NULL, NULL);
}

struct news parcel_news(const uint8_t *bytes, uint32_t index) {
    struct news news;
    memcpy(&news, bytes + sizeof(struct letter) + index * sizeof news, sizeof news);
    return news;
}

void parcel_read(const struct letter *letter, const uint8_t *bytes, struct slice texts[4], struct message *message) {
    const uint8_t *at = bytes + sizeof *letter;
    for (int i = 0; i < 4; i++) {
        texts[i] = slice_make(at, letter->text_sizes[i]);
        at += letter->text_sizes[i];
    }
    if (letter->message_size == 0)
        return;
    at = bytes + rounded((size_t)(at - bytes));
    memcpy(message, at, offsetof(struct message, values));
    memcpy(message->values, at + offsetof(struct message, values), message->value_count * sizeof(struct value));
    message->block = NULL;
    message->wire = at + message_head_size(message);
    message->extra = message->wire + message->wire_size;
}

uint64_t post_memory(const struct engine *engine) {
    const struct post *post = engine->post;
    uint64_t sum = post->remote_capacity * sizeof *post->remotes;
    for (uint32_t i = 0; i < engine->options.workers; i++)
        sum += post->open[i].news_capacity * sizeof *post->open[i].news + (post->open[i].block ? PARCEL_SIZE : 0);
    for (uint32_t i = 0; i < post->mail_count; i++)
        sum += post->mail[i].size;
    return sum;
}

/* -- what is with others -- */

static bool grow_remotes(struct post *post) {
    uint32_t capacity = post->remote_capacity ? post->remote_capacity * 2 : 64;
    struct remote *remotes = memory_resize(post->remotes, capacity * sizeof *remotes);
    if (!remotes)
        return false;
    post->remotes = remotes;
    post->remote_capacity = capacity;
    return true;
}

uint64_t remote_add(struct post *post, struct delivery *delivery) {
    uint32_t index = post->remote_free ? post->remote_free - 1 : post->remote_count;
    if (index == post->remote_capacity && !grow_remotes(post))
        return 0;
    struct remote *remote = &post->remotes[index];
    if (post->remote_free)
        post->remote_free = remote->next_free;
    else
        *remote = (struct remote){.generation = 0}, post->remote_count++;
    remote->delivery = delivery;
    remote->generation++;
    return (uint64_t)remote->generation << 32 | index;
}

struct delivery *remote_find(const struct post *post, uint64_t id) {
    uint32_t index = (uint32_t)id;
    return index < post->remote_count && post->remotes[index].generation == id >> 32 ? post->remotes[index].delivery : NULL;
}

void remote_remove(struct post *post, uint64_t id) {
    uint32_t index = (uint32_t)id;
    if (!remote_find(post, id))
        return;
    post->remotes[index].delivery = NULL;
    post->remotes[index].next_free = post->remote_free;
    post->remote_free = index + 1;
}
