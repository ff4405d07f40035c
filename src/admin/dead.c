/* Dead letters: listed, shown, sent again, thrown away. Each worker has its own; they are asked all and put together. */
#include <stdlib.h>

#include "admin/inner.h"
#include "base/memory.h"
#include "base/pack.h"
#include "base/text.h"
#include "config/scalar.h"
#include "engine/dead.h"
#include "message/encoding.h"
#include "message/timestamp.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
#define PART_MAX (16u << 20) /* of one worker's answer */
#define WORKERS_MOST 64
#define RATE_DEFAULT 100000 /* thousandths of a message a second */
#define TEXT_MAX 4096       /* of all that a command says */

/* One worker's part of an answer. */
struct part {
    struct buffer letters; /* each: i64 time, its JSON */
    uint64_t listed;
    uint64_t about, stay, returned; /* of a command */
    struct engine_totals totals;
    bool failed;
};

struct dead_ask {
    struct runtime *runtime;
    uint64_t handle;
    uint64_t token;
    struct dead_command command;
    bool is_command;
    bool is_full; /* with the event */
    uint64_t limit;
    struct slice ids[DEAD_IDS_MAX];
    uint8_t texts[TEXT_MAX];
    size_t used;
    struct buffer bytes; /* of the command */
    struct part parts[WORKERS_MOST];
    uint32_t part_count;
};

static void dead_ask_free(struct dead_ask *d) {
    for (uint32_t i = 0; i < d->part_count; i++)
        buffer_done(&d->parts[i].letters);
    buffer_done(&d->bytes);
    memory_free(d);
}

/* -- one letter -- */

static void member_attribute(struct json_write *json, const char *name, const struct message *message, enum attribute attribute) {
    struct slice text = message_text(message, attribute);
    if (text.size)
        json_write_member(json, name, text);
}

static void write_last(struct json_write *json, const struct dead_letter *letter) {
    json_write_name(json, SLICE_OF("last"));
    json_write_object(json);
    if (letter->endpoint.size)
        json_write_member(json, "endpoint", letter->endpoint);
    if (letter->last != STATUS_OK)
        json_write_member_text(json, "reason", status_reason(letter->last));
    if (letter->code)
        json_write_member_u64(json, "code", letter->code);
    if (letter->words.size)
        json_write_member(json, "text", letter->words);
    json_write_object_end(json);
}

static void write_letter(struct json_write *json, const struct dead_letter *letter, struct wall now, struct slice event) {
    const struct message *message = letter->message;
    char time[TIMESTAMP_TEXT_MAX];
    size_t size = timestamp_format(letter->at.ns / NS_PER_S, (int32_t)(letter->at.ns % NS_PER_S / NS_PER_MS * NS_PER_MS), time);
    json_write_object(json);
    json_write_member(json, "id", slice_make(letter->id, sizeof letter->id));
    json_write_member(json, "time", slice_make(time, size));
    json_write_member_u64(json, "age_ms", now.ns > letter->at.ns ? (uint64_t)((now.ns - letter->at.ns) / NS_PER_MS) : 0);
    json_write_member(json, "system", letter->system);
    if (letter->route.size)
        json_write_member(json, "route", letter->route);
    if (letter->from.size)
        json_write_member(json, "from", letter->from);
    json_write_member_text(json, "reason", status_reason(letter->reason));
    json_write_member_u64(json, "attempts", letter->attempts);
    write_last(json, letter);
    json_write_member_u64(json, "redriven", letter->redriven);
    json_write_member_bool(json, "waits", letter->waits);
    json_write_member(json, "kind", message_kind_name((enum message_kind)message->kind));
    json_write_member_u64(json, "priority", message->priority);
    json_write_member_u64(json, "bytes", message_kept_size(message));
    member_attribute(json, "event_id", message, ATTRIBUTE_ID);
    member_attribute(json, "source", message, ATTRIBUTE_SOURCE);
    member_attribute(json, "type", message, ATTRIBUTE_TYPE);
    if (event.size)
        json_write_member_raw(json, "event", event);
    json_write_object_end(json);
}

struct listing {
    struct dead_ask *ask;
    struct part *part;
    struct wall now;
};

static bool list_one(void *user, const struct dead_letter *letter) {
    struct listing *listing = user;
    struct part *part = listing->part;
    struct buffer text, event;
    struct json_write json;
    if (listing->ask->is_command) {
        part->returned += letter->redriven > 0;
        return true;
    }
    buffer_init(&text, PART_MAX);
    buffer_init(&event, PART_MAX);
    if (listing->ask->is_full)
        part->failed |= message_encode_json(letter->message, NULL, &event) != STATUS_OK;
    json_write_init(&json, &text);
    write_letter(&json, letter, listing->now, buffer_slice(&event));
    pack_u64(&part->letters, (uint64_t)letter->at.ns);
    pack_slice(&part->letters, buffer_slice(&text));
    part->failed |= text.status != STATUS_OK || part->letters.status != STATUS_OK;
    buffer_done(&text);
    buffer_done(&event);
    return !part->failed && ++part->listed < listing->ask->limit;
}

/* -- each worker -- */

static void visit(void *user, const struct runtime_visit *call) {
    struct dead_ask *d = user;
    struct part *part = &d->parts[call->index];
    struct listing listing = {d, part, call->now.wall};
    dead_each(call->engine, &d->command.filter, list_one, &listing);
    if (d->is_command) {
        struct engine_input input = {.kind = INPUT_DEAD, .bytes = buffer_slice(&d->bytes)};
        runtime_visit_input(call, &input);
        part->about = input.size;
        part->stay = input.count;
    }
    part->totals = *engine_totals(call->engine);
}

/* -- the whole -- */

struct found {
    int64_t at;
    struct slice json;
};

static int newer(const void *left, const void *right) {
    const struct found *a = left, *b = right;
    return a->at == b->at ? 0 : a->at > b->at ? -1 : 1;
}

/* NULL when memory is out. */
static struct found *gather(const struct dead_ask *d, size_t *ret_count) {
    size_t count = 0, total = 0;
    for (uint32_t i = 0; i < d->part_count; i++)
        total += d->parts[i].listed;
    struct found *found = memory_array(total + 1, sizeof *found);
    for (uint32_t i = 0; found && i < d->part_count; i++) {
        struct unpack in = unpack_from(buffer_slice(&d->parts[i].letters));
        for (uint64_t k = 0; k < d->parts[i].listed; k++) {
            int64_t at = (int64_t)unpack_u64(&in);
            found[count++] = (struct found){at, unpack_slice(&in)};
        }
    }
    if (found)
        qsort(found, count, sizeof *found, newer);
    *ret_count = count;
    return found;
}

static void write_totals(struct json_write *json, const struct dead_ask *d) {
    struct engine_totals sum = {0};
    for (uint32_t i = 0; i < d->part_count; i++) {
        const struct engine_totals *one = &d->parts[i].totals;
        sum.dead_held += one->dead_held;
        sum.dead_bytes += one->dead_bytes;
        sum.dead_evicted += one->dead_evicted;
        sum.dead_aged += one->dead_aged;
        sum.dead_redriven += one->dead_redriven;
    }
    json_write_member_text(json, "storage", "memory");
    json_write_member_u64(json, "held", sum.dead_held);
    json_write_member_u64(json, "held_bytes", sum.dead_bytes);
    json_write_member_u64(json, "evicted", sum.dead_evicted);
    json_write_member_u64(json, "aged", sum.dead_aged);
    json_write_member_u64(json, "redriven", sum.dead_redriven);
}

static void write_list(struct json_write *json, const struct dead_ask *d, const struct found *found, size_t count) {
    json_write_object(json);
    json_write_name(json, SLICE_OF("dead_letters"));
    json_write_array(json);
    for (size_t i = 0; i < count && i < d->limit; i++)
        json_write_raw(json, found[i].json);
    json_write_array_end(json);
    write_totals(json, d);
    json_write_object_end(json);
}

static void write_command(struct json_write *json, const struct dead_ask *d) {
    uint64_t about = 0, stay = 0, returned = 0;
    for (uint32_t i = 0; i < d->part_count; i++) {
        about += d->parts[i].about;
        stay += d->parts[i].stay;
        returned += d->parts[i].returned;
    }
    json_write_object(json);
    json_write_member_text(json, "command", d->command.kind == DEAD_PURGE ? "purge" : "redrive");
    json_write_member_bool(json, "dry_run", d->command.dry_run);
    json_write_member_u64(json, "messages", about);
    if (d->command.kind == DEAD_REDRIVE) {
        json_write_member_u64(json, "returned", returned);
        json_write_member_u64(json, "too_often", stay);
    }
    json_write_object_end(json);
}

static void answer(const struct dead_ask *d, struct ask *ask) {
    struct buffer body;
    struct json_write json;
    size_t count = 0;
    bool failed = false;
    struct found *found = gather(d, &count);
    for (uint32_t i = 0; i < d->part_count; i++)
        failed |= d->parts[i].failed;
    if (!found || failed) {
        ask_problem(ask, found ? STATUS_TOO_LARGE : STATUS_NO_MEMORY, found ? "ask for fewer, with `limit`" : "");
    } else if (d->is_full && count == 0) {
        ask_problem(ask, STATUS_NOT_FOUND, "no dead letter has that id");
    } else {
        buffer_init(&body, ANSWER_MAX);
        json_write_init(&json, &body);
        if (d->is_command)
            write_command(&json, d);
        else
            write_list(&json, d, found, count);
        ask_json(ask, &body);
    }
    memory_free(found);
}

static void when_done(void *user) {
    struct dead_ask *d = user;
    struct connection *connection = runtime_connection(d->runtime, d->handle);
    if (connection) {
        struct ask ask = {.runtime = d->runtime, .connection = connection, .token = d->token};
        answer(d, &ask);
    }
    dead_ask_free(d);
}

/* -- what is asked -- */

/* Names, words and ids have no byte that a URL would escape. Kept as long as the question is open. */
static bool keep(struct dead_ask *d, struct slice text, struct slice *ret) {
    if (d->used + text.size > sizeof d->texts)
        return false;
    memcpy(d->texts + d->used, text.data, text.size);
    *ret = slice_make(d->texts + d->used, text.size);
    d->used += text.size;
    return true;
}

static bool take_text(struct dead_ask *d, const struct ask *ask, const char *name, struct slice *ret) {
    struct slice text = http1_parameter(ask->request, slice_from(name));
    return !text.data || (text.size && keep(d, text, ret));
}

static bool take_ids(struct dead_ask *d, struct slice text) {
    d->command.filter.ids = d->ids;
    while (text.size) {
        struct slice id = slice_head(text, slice_find(text, ','));
        if (d->command.filter.id_count == DEAD_IDS_MAX || id.size != UUID_TEXT_SIZE ||
            !keep(d, id, &d->ids[d->command.filter.id_count++]))
            return false;
        text = slice_skip(text, id.size + 1);
    }
    return true;
}

static bool is_said(const struct ask *ask, const char *name) {
    struct slice value = http1_parameter(ask->request, slice_from(name));
    return value.data && (value.size == 0 || slice_is(value, "true"));
}

static bool take_numbers(struct dead_ask *d, const struct ask *ask) {
    struct slice since = http1_parameter(ask->request, SLICE_OF("since")), limit = http1_parameter(ask->request, SLICE_OF("limit"));
    struct scalar_why why;
    int64_t age;
    if (since.data && !scalar_duration(since, &age, &why))
        return false;
    if (since.data)
        d->command.filter.since.ns = runtime_now(ask->runtime).wall.ns - age;
    return !limit.data || (text_to_u64(limit, &d->limit) && d->limit >= 1 && d->limit <= LIMIT_MAX);
}

/* `200/s`, or as a URL has it, `200%2Fs`. */
static bool take_rate(struct dead_ask *d, const struct ask *ask) {
    struct slice text = http1_parameter(ask->request, SLICE_OF("rate"));
    size_t escape = slice_find(text, '%');
    struct scalar_why why;
    uint64_t rate = RATE_DEFAULT;
    char plain[32];
    if (text.data && escape + 4 == text.size && text.size < sizeof plain) {
        memcpy(plain, text.data, escape);
        plain[escape] = '/';
        plain[escape + 1] = (char)text.data[escape + 3];
        text = slice_make(plain, escape + 2);
    }
    if (text.data && (!scalar_rate(text, &rate, &why) || rate == 0))
        return false;
    d->command.interval_ns = (int64_t)(1000 * NS_PER_S / (int64_t)rate) * runtime_worker_count(ask->runtime);
    return true;
}

static struct dead_ask *dead_ask_new(struct ask *ask) {
    struct dead_ask *d = memory_new(sizeof *d);
    if (!d) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
        return NULL;
    }
    *d = (struct dead_ask){.runtime = ask->runtime, .handle = ask->connection->handle, .token = ask->token,
                           .limit = LIMIT_DEFAULT, .part_count = runtime_worker_count(ask->runtime)};
    buffer_init(&d->bytes, 2 * TEXT_MAX);
    for (uint32_t i = 0; i < d->part_count; i++)
        buffer_init(&d->parts[i].letters, PART_MAX);
    struct dead_filter *filter = &d->command.filter;
    if (take_text(d, ask, "system", &filter->system) && take_text(d, ask, "route", &filter->route) &&
        take_text(d, ask, "reason", &filter->reason) && take_ids(d, http1_parameter(ask->request, SLICE_OF("ids"))) &&
        take_numbers(d, ask))
        return d;
    ask_problem(ask, STATUS_PROTOCOL_ERROR,
                "write ?system=NAME&route=NAME&reason=WORD&since=1h&limit=100&ids=ID,ID (at most 256), any of them");
    dead_ask_free(d);
    return NULL;
}

static void begin(struct ask *ask, struct dead_ask *d) {
    if (runtime_each(ask->runtime, visit, when_done, d))
        return;
    ask_problem(ask, STATUS_NO_MEMORY, "");
    dead_ask_free(d);
}

void answer_dead_letters(struct ask *ask) {
    struct dead_ask *d = dead_ask_new(ask);
    if (d)
        begin(ask, d);
}

void answer_dead_letter(struct ask *ask) {
    struct slice id = slice_skip(ask->request->path, sizeof "/api/v1/dead-letters/" - 1);
    struct dead_ask *d = dead_ask_new(ask);
    if (!d)
        return;
    d->is_full = true;
    d->limit = LIMIT_MAX;
    d->command.filter.id_count = 0;
    if (id.size == UUID_TEXT_SIZE && take_ids(d, id)) {
        begin(ask, d);
        return;
    }
    ask_problem(ask, STATUS_NOT_FOUND, "no dead letter has that id");
    dead_ask_free(d);
}

static void command(struct ask *ask, enum dead_command_kind kind) {
    struct dead_ask *d = dead_ask_new(ask);
    if (!d)
        return;
    d->is_command = true;
    d->command.kind = kind;
    d->command.dry_run = is_said(ask, "dry_run");
    d->command.force = is_said(ask, "force");
    if (!take_text(d, ask, "to", &d->command.to) || !take_rate(d, ask)) {
        ask_problem(ask, STATUS_PROTOCOL_ERROR, "write ?to=SYSTEM&rate=100/s&dry_run=true&force=true, any of them");
        dead_ask_free(d);
        return;
    }
    if (d->command.to.size && !runtime_has_system(ask->runtime, d->command.to)) {
        ask_problem(ask, STATUS_UNKNOWN_TARGET, "no system has the name that `to` says");
        dead_ask_free(d);
        return;
    }
    dead_command_write(&d->bytes, &d->command);
    begin(ask, d);
}

void answer_dead_redrive(struct ask *ask) {
    command(ask, DEAD_REDRIVE);
}

void answer_dead_purge(struct ask *ask) {
    command(ask, DEAD_PURGE);
}
