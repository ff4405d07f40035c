/* GET /api/v1/messages/ID: what became of one message. It may have come in at any worker and been sent by another, so all
 * are asked twice: who knows the id, then what each has of it. */
#include <stdlib.h>

#include "admin/inner.h"
#include "base/address.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/trace.h"
#include "message/message.h"
#include "message/timestamp.h"
#include "message/uuid.h"

#define WORKERS_MOST 64
#define ID_MAX 1024
#define RECORDS_MAX 100000u /* of one answer and worker; those of one message are few */

/* One worker's part. */
struct part {
    uint64_t found[TRACE_FOUND_MAX];
    size_t count;
    struct trace_facts facts;
    struct buffer records; /* each a struct trace_record, then its texts */
    uint32_t record_count;
};

struct trace_ask {
    struct runtime *runtime;
    uint64_t handle;
    uint64_t token;
    struct slice id;
    uint8_t id_bytes[ID_MAX];
    uint64_t traces[TRACE_FOUND_MAX];
    size_t trace_count;
    uint32_t part_count;
    struct part parts[WORKERS_MOST];
};

static void trace_ask_free(struct trace_ask *t) {
    for (uint32_t i = 0; i < t->part_count; i++)
        buffer_done(&t->parts[i].records);
    memory_free(t);
}

/* -- each worker -- */

static void visit_find(void *user, const struct runtime_visit *call) {
    struct trace_ask *t = user;
    struct part *part = &t->parts[call->index];
    part->count = trace_find(call->engine, t->id, part->found);
    part->facts = trace_facts(call->engine);
}

static void keep(void *user, const struct trace_record *record) {
    struct part *part = user;
    if (part->record_count == RECORDS_MAX)
        return;
    buffer_add(&part->records, slice_make(record, sizeof *record));
    for (unsigned i = 0; i < TRACE_TEXTS; i++)
        buffer_add(&part->records, record->texts[i]);
    part->record_count += part->records.status == STATUS_OK;
}

static void visit_read(void *user, const struct runtime_visit *call) {
    struct trace_ask *t = user;
    for (size_t i = 0; i < t->trace_count; i++)
        trace_each(call->engine, t->traces[i], keep, &t->parts[call->index]);
}

/* -- one step -- */

struct found {
    struct trace_record record;
    uint32_t worker;
    uint32_t order; /* among those of its worker */
};

static void text(struct json_write *json, const char *name, struct slice value) {
    if (value.size)
        json_write_member(json, name, value);
}

static void write_received(struct json_write *json, const struct trace_record *record) {
    struct address peer;
    char words[ADDRESS_TEXT_MAX];
    text(json, "listener", record->texts[3]);
    if (record->texts[4].size == sizeof peer) {
        memcpy(&peer, record->texts[4].data, sizeof peer);
        if (peer.family != ADDRESS_NONE)
            json_write_member(json, "peer", slice_make(words, address_print(words, &peer)));
    }
    json_write_member_bool(json, "late", record->small[2]);
    json_write_member_u64(json, "bytes", record->size);
}

static void write_failed(struct json_write *json, const struct trace_record *record) {
    static const char *const fates[] = {[RETRY_UNSENT] = "unsent", [RETRY_REFUSED] = "refused", [RETRY_UNKNOWN] = "unknown"};
    text(json, "endpoint", record->texts[0]);
    json_write_member_u64(json, "attempt", record->small[0]);
    json_write_member_text(json, "outcome", record->small[1] <= RETRY_UNKNOWN ? fates[record->small[1]] : NULL);
    json_write_member_text(json, "reason", status_reason((enum status)record->status));
    if (record->size)
        json_write_member_u64(json, "code", record->size);
    text(json, "text", record->texts[1]);
    if ((int64_t)record->number >= 0)
        json_write_member_u64(json, "next_ms", record->number / NS_PER_MS);
}

static void write_ended(struct json_write *json, const struct trace_record *record) {
    text(json, "system", record->texts[0]);
    json_write_member_text(json, "ending", record->small[1] < ENDING_COUNT ? engine_ending_name((enum engine_ending)record->small[1]) : NULL);
    json_write_member_text(json, "reason", status_reason((enum status)record->status));
    json_write_member_u64(json, "attempt", record->small[0]);
    if (record->size)
        json_write_member_u64(json, "code", record->size);
    text(json, "detail", record->texts[1]);
    json_write_member_u64(json, "duration_us", record->number / NS_PER_US);
}

static void write_more(struct json_write *json, const struct trace_record *record) {
    switch ((enum trace_step)record->step) {
    case TRACE_RECEIVED:
        write_received(json, record);
        break;
    case TRACE_ALLOWED:
        text(json, "system", record->texts[0]);
        text(json, "identity", record->texts[1]);
        json_write_member_u64(json, "priority", record->small[0]);
        break;
    case TRACE_ROUTED:
        text(json, "system", record->texts[0]);
        text(json, "route", record->texts[1]);
        json_write_member_bool(json, "subscription", record->small[1]);
        json_write_member_u64(json, "before", record->size);
        break;
    case TRACE_WAITS:
    case TRACE_QUEUED:
        text(json, "system", record->texts[0]);
        json_write_member_u64(json, "before", record->size);
        break;
    case TRACE_HANDED:
        text(json, "system", record->texts[0]);
        json_write_member_u64(json, "to_worker", record->size);
        break;
    case TRACE_SENT:
        text(json, "endpoint", record->texts[0]);
        text(json, "protocol", record->texts[1]);
        json_write_member_u64(json, "attempt", record->small[0]);
        json_write_member_u64(json, "bytes", record->size);
        break;
    case TRACE_FAILED:
        write_failed(json, record);
        break;
    case TRACE_ANSWERED:
        text(json, "system", record->texts[0]);
        text(json, "type", record->texts[1]);
        json_write_member_u64(json, "bytes", record->size);
        break;
    case TRACE_ENDED:
        write_ended(json, record);
        break;
    case TRACE_STEPS:
        break;
    }
}

static void write_step(struct json_write *json, const struct found *found, struct mono first) {
    const struct trace_record *record = &found->record;
    json_write_object(json);
    json_write_member_u64(json, "after_us", record->at.ns > first.ns ? (uint64_t)((record->at.ns - first.ns) / NS_PER_US) : 0);
    json_write_member_text(json, "step", record->step < TRACE_STEPS ? trace_step_name((enum trace_step)record->step) : NULL);
    json_write_member_u64(json, "worker", found->worker);
    write_more(json, record);
    json_write_object_end(json);
}

/* -- one message -- */

static void write_head(struct json_write *json, const struct trace_record *record) {
    char time[TIMESTAMP_TEXT_MAX], id[UUID_TEXT_SIZE];
    int64_t wall = (int64_t)record->number;
    size_t size = timestamp_format(wall / NS_PER_S, (int32_t)(wall % NS_PER_S / NS_PER_US * NS_PER_US), time);
    if (record->texts[5].size == 16) {
        uuid_text(record->texts[5].data, id);
        json_write_member(json, "id", slice_make(id, sizeof id));
    }
    json_write_member(json, "time", slice_make(time, size));
    text(json, "event_id", record->texts[0]);
    text(json, "source", record->texts[2]);
    text(json, "type", record->texts[1]);
    json_write_member(json, "kind", message_kind_name((enum message_kind)record->small[0]));
    json_write_member_u64(json, "priority", record->small[1]);
}

/* `found` begins with the first record of a message; returns how many are of it. */
static size_t write_message(struct json_write *json, const struct found *found, size_t count) {
    size_t used = 0;
    json_write_object(json);
    if (found[0].record.step == TRACE_RECEIVED)
        write_head(json, &found[0].record);
    json_write_name(json, SLICE_OF("steps"));
    json_write_array(json);
    while (used < count && found[used].record.trace == found[0].record.trace)
        write_step(json, &found[used++], found[0].record.at);
    json_write_array_end(json);
    json_write_object_end(json);
    return used;
}

/* By message, then by time; what is of one worker and time stays as it was written. */
static int earlier(const void *left, const void *right) {
    const struct found *a = left, *b = right;
    if (a->record.trace != b->record.trace)
        return a->record.trace < b->record.trace ? -1 : 1;
    if (a->record.at.ns != b->record.at.ns)
        return a->record.at.ns < b->record.at.ns ? -1 : 1;
    bool a_home = a->worker + 1 == a->record.trace >> TRACE_NAME_SHIFT, b_home = b->worker + 1 == b->record.trace >> TRACE_NAME_SHIFT;
    if (a->worker != b->worker)
        return a_home ? -1 : b_home ? 1 : a->worker < b->worker ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* NULL when memory is out. */
static struct found *gather(const struct trace_ask *t, size_t *ret_count) {
    size_t total = 0, count = 0;
    for (uint32_t i = 0; i < t->part_count; i++)
        total += t->parts[i].record_count;
    struct found *found = memory_array(total + 1, sizeof *found);
    for (uint32_t i = 0; found && i < t->part_count; i++) {
        const uint8_t *at = t->parts[i].records.data;
        for (uint32_t k = 0; k < t->parts[i].record_count; k++) {
            struct found *one = &found[count++];
            *one = (struct found){.worker = i, .order = k};
            memcpy(&one->record, at, sizeof one->record);
            at += sizeof one->record;
            for (unsigned n = 0; n < TRACE_TEXTS; n++) {
                one->record.texts[n].data = at;
                at += one->record.texts[n].size;
            }
        }
    }
    if (found)
        qsort(found, count, sizeof *found, earlier);
    *ret_count = count;
    return found;
}

/* -- the whole -- */

static void tell(const struct trace_ask *t, struct ask *ask) {
    struct buffer body;
    struct json_write json;
    size_t count = 0;
    struct found *found = gather(t, &count);
    if (!found) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
        return;
    }
    buffer_init(&body, ANSWER_MAX);
    json_write_init(&json, &body);
    json_write_object(&json);
    json_write_name(&json, SLICE_OF("messages"));
    json_write_array(&json);
    for (size_t i = 0; i < count;)
        i += write_message(&json, found + i, count - i);
    json_write_array_end(&json);
    json_write_object_end(&json);
    ask_json(ask, &body);
    memory_free(found);
}

/* When it was given: a receipt tells (RFC 9562 section 5.7). 0: it is none. */
static int64_t given_ms(struct slice id) {
    uint8_t uuid[16];
    int64_t ms = 0;
    if (!uuid_parse(id, uuid) || uuid[6] >> 4 != 7)
        return 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | uuid[i];
    return ms;
}

/* Why it isn't there, as far as can be known. */
static void tell_nothing(const struct trace_ask *t, struct ask *ask) {
    struct now now = runtime_now(t->runtime);
    struct mono oldest = MONO_NEVER;
    char words[400];
    struct buffer out;
    bool is_on = false;
    int64_t given = given_ms(t->id);
    for (uint32_t i = 0; i < t->part_count; i++) {
        is_on |= t->parts[i].facts.is_on;
        oldest = mono_min(oldest, t->parts[i].facts.oldest);
    }
    int64_t reach_ms = oldest.ns == INT64_MAX ? 0 : (now.mono.ns - oldest.ns) / NS_PER_MS;
    buffer_init_fixed(&out, words, sizeof words);
    if (!is_on)
        buffer_add_text(&out, "nothing is recorded: `telemetry.trace_ring` is 0B");
    else if (given && given < now.wall.ns / NS_PER_MS - reach_ms && reach_ms)
        buffer_add_format(&out, "it is older than what is still recorded, the last %lld s; a larger `telemetry.trace_ring` reaches further back",
                          (long long)(reach_ms / 1000));
    else
        buffer_add_format(&out, "no message of that id is recorded in the last %lld s. Of those that go well only the first of a "
                          "connection, requests, queries and one in %u are; `trace: all` in a route records each of its messages",
                          (long long)(reach_ms / 1000), TRACE_SAMPLE);
    buffer_add_byte(&out, '\0');
    ask_problem(ask, STATUS_NOT_FOUND, words);
}

static void when_read(void *user) {
    struct trace_ask *t = user;
    struct connection *connection = runtime_connection(t->runtime, t->handle);
    struct ask ask = {.runtime = t->runtime, .connection = connection, .token = t->token};
    if (connection)
        tell(t, &ask);
    trace_ask_free(t);
}

/* Those of all workers, in turn, until it is enough. */
static void choose(struct trace_ask *t) {
    for (uint32_t i = 0; i < t->part_count; i++)
        for (size_t k = 0; k < t->parts[i].count && t->trace_count < TRACE_FOUND_MAX; k++)
            t->traces[t->trace_count++] = t->parts[i].found[k];
}

static void when_found(void *user) {
    struct trace_ask *t = user;
    struct connection *connection = runtime_connection(t->runtime, t->handle);
    struct ask ask = {.runtime = t->runtime, .connection = connection, .token = t->token};
    choose(t);
    if (connection && t->trace_count == 0)
        tell_nothing(t, &ask);
    else if (connection && runtime_each(t->runtime, visit_read, when_read, t))
        return;
    else if (connection)
        ask_problem(&ask, STATUS_NO_MEMORY, "");
    trace_ask_free(t);
}

/* -- what is asked -- */

static int hex(uint8_t byte) {
    int lower = byte | 0x20;
    return text_is_digit(byte) ? byte - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* What the path still has escaped belongs to the id. */
static bool take_id(struct trace_ask *t, struct slice path) {
    for (size_t i = 0; i < path.size; i++) {
        bool is_escape = path.data[i] == '%' && i + 2 < path.size && hex(path.data[i + 1]) >= 0 && hex(path.data[i + 2]) >= 0;
        int byte = is_escape ? hex(path.data[i + 1]) << 4 | hex(path.data[i + 2]) : path.data[i];
        if (t->id.size == ID_MAX)
            return false;
        t->id_bytes[t->id.size++] = (uint8_t)byte;
        i += is_escape ? 2 : 0;
    }
    t->id.data = t->id_bytes;
    return t->id.size > 0;
}

void answer_message(struct ask *ask) {
    struct trace_ask *t = memory_new(sizeof *t);
    if (!t) {
        ask_problem(ask, STATUS_NO_MEMORY, "");
        return;
    }
    t->runtime = ask->runtime;
    t->handle = ask->connection->handle;
    t->token = ask->token;
    t->part_count = runtime_worker_count(ask->runtime);
    for (uint32_t i = 0; i < t->part_count; i++)
        buffer_init(&t->parts[i].records, ANSWER_MAX);
    bool good = take_id(t, slice_skip(ask->request->path, sizeof "/api/v1/messages/" - 1));
    if (good && runtime_each(ask->runtime, visit_find, when_found, t))
        return;
    ask_problem(ask, good ? STATUS_NO_MEMORY : STATUS_NOT_FOUND, good ? "" : "no message has an id that long");
    trace_ask_free(t);
}
