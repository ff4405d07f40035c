/* A scenario is played: parties are made, loads sent when they are due, steps taken, everything is written down. */
#include "simulation/stage.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "engine/inner.h"

#define EVENTS_MAX 200000u /* between two looks */
#define KEYS_MAX 64u
#define RECORDS_MAX 400000u

void stage_say(struct stage *stage, const char *format, ...) {
    char line[400];
    va_list arguments;
    if (!stage->narrative)
        return;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_add_format(stage->narrative, "%9.3f s  %s\n",
                      (double)(world_now(stage->world).mono.ns - NS_PER_S) / 1e9, line);
}

static int64_t elapsed(const struct stage *stage) {
    return world_now(stage->world).mono.ns - NS_PER_S;
}

static size_t bin_of(const struct stage *stage, int64_t at_ns) {
    size_t bin = (size_t)(at_ns / STAGE_BIN_NS);
    return bin < stage->bin_count ? bin : stage->bin_count - 1;
}

static void break_rule(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void break_rule(struct stage *stage, const char *format, ...) {
    va_list arguments;
    if (stage->wrong[0])
        return;
    va_start(arguments, format);
    (void)vsnprintf(stage->wrong, sizeof stage->wrong, format, arguments);
    va_end(arguments);
    stage_say(stage, "BROKEN: %s", stage->wrong);
}

/* -- what is told of messages: their ids are m and the number of their record -- */

static struct stage_record *record_of(struct stage *stage, struct slice id) {
    size_t number = 0;
    if (id.size < 2 || id.data[0] != 'm')
        return NULL;
    for (size_t i = 1; i < id.size; i++) {
        if (id.data[i] < '0' || id.data[i] > '9')
            return NULL;
        number = number * 10 + (size_t)(id.data[i] - '0');
    }
    return number < stage->record_count ? &stage->records[number] : NULL;
}

/* `newest` has KEYS_MAX places for each load and system. */
static uint32_t *newest_of(struct stage *stage, const struct stage_record *record, uint32_t system) {
    return &stage->newest[((size_t)record->load * SCENARIO_SYSTEMS_MAX + system) * KEYS_MAX +
                          record->key % KEYS_MAX];
}

static void came_first(struct stage *stage, struct stage_record *record, uint32_t system) {
    record->heard |= (uint8_t)(1u << system);
    if (!stage->scenario->loads[record->load].keys)
        return;
    uint32_t number = (uint32_t)(record - stage->records) + 1, *newest = newest_of(stage, record, system);
    if (number > *newest) {
        *newest = number;
        return;
    }
    stage->disorder++;
}

static void on_heard(void *user, struct actor *actor, const struct message *message, bool taken, bool done) {
    struct stage_actor *self = user;
    struct stage *stage = self->stage;
    int64_t now = elapsed(stage);
    (void)actor;
    if (message_kind_replies(message->kind)) {
        struct stage_record *asked = record_of(stage, message_text(message, ATTRIBUTE_CAUSATIONID));
        if (!asked || !done)
            return;
        asked->answers++;
        if (asked->done_ns < 0)
            asked->done_ns = now;
        return;
    }
    struct stage_record *record = record_of(stage, message_text(message, ATTRIBUTE_ID));
    if (!record)
        return;
    uint32_t system = self->is->system_index;
    if (system == SCENARIO_NONE) {
        break_rule(stage, "%s gets what isn't for it", self->actor->script.name);
        return;
    }
    if (done) {
        record->took[system]++;
        self->done[bin_of(stage, now)]++;
        if (!record->asks && record->done_ns < 0)
            record->done_ns = now;
        return;
    }
    record->tries++;
    self->tries[bin_of(stage, now)]++;
    if (taken && !(record->heard & (1u << system)))
        came_first(stage, record, system);
}

static void on_settled(void *user, struct actor *actor, const struct message *message, enum status status) {
    struct stage_actor *self = user;
    struct stage_record *record = record_of(self->stage, message_text(message, ATTRIBUTE_ID));
    (void)actor;
    if (!record)
        return;
    record->accepted |= status == STATUS_OK;
    record->refused |= status != STATUS_OK;
}

static const struct actor_calls actor_calls = {.heard = on_heard, .settled = on_settled};

static void on_ended(void *user, const struct engine_report *report) {
    struct stage *stage = user;
    struct stage_record *record =
        report->message ? record_of(stage, message_text(report->message, ATTRIBUTE_ID)) : NULL;
    if (!record)
        return;
    record->dead |= report->ending == ENDING_DEAD;
    record->expired |= report->ending == ENDING_EXPIRED;
    record->dropped |= report->ending == ENDING_DROPPED;
}

static void on_retried(void *user, uint32_t system, const struct engine_retry *retry) {
    struct stage *stage = user;
    (void)system;
    stage->retries[bin_of(stage, elapsed(stage))] += retry->why == RETRY_AGAIN;
}

static void on_endpoint(void *user, const struct engine_endpoint_view *view) {
    struct stage *stage = user;
    const struct party *who = world_acting(stage->world);
    char where[32] = "";
    if (stage->scenario->workers > 1 && who)
        (void)snprintf(where, sizeof where, " with worker %u", who->worker);
    stage_say(stage, "%.*s is %s%s%s%s", SLICE_ARG(view->name), engine_endpoint_state_name(view->state),
              where, view->why[0] ? ": " : "", view->why);
}

static const struct engine_calls engine_calls = {
    .ended = on_ended, .retried = on_retried, .endpoint = on_endpoint};

/* -- the parties -- */

/* The router's configuration, its lines where they are in the scenario's file, with this variant's word in it. */
static void write_router(const struct stage *stage, struct buffer *out) {
    const struct scenario *s = stage->scenario;
    char mark[80];
    int size = s->vary.size ? snprintf(mark, sizeof mark, "${%.*s}", SLICE_ARG(s->vary)) : 0;
    for (uint32_t i = 0; i < s->router_line; i++)
        buffer_add_byte(out, '\n');
    for (struct slice rest = s->router; rest.size;) {
        if (size && slice_starts(rest, slice_make(mark, (size_t)size))) {
            buffer_add(out, s->variants[stage->variant]);
            rest = slice_skip(rest, (size_t)size);
        } else {
            buffer_add_byte(out, rest.data[0]);
            rest = slice_skip(rest, 1);
        }
    }
}

static bool load_router(struct stage *stage, struct fault *fault) {
    struct buffer text;
    buffer_init(&text, 1u << 20);
    write_router(stage, &text);
    bool good = node_config_load(&stage->config, buffer_slice(&text), fault);
    buffer_done(&text);
    return good;
}

static struct slice host_of(struct slice url) {
    size_t start = 0;
    while (start + 3 <= url.size && !slice_starts(slice_skip(url, start), SLICE_OF("://")))
        start++;
    struct slice host = slice_skip(url, start + 3);
    return slice_head(host, slice_find(host, '/'));
}

static bool load_actor(struct stage *stage, uint32_t index, struct fault *fault) {
    struct stage_actor *self = &stage->actors[index];
    const struct scenario_actor *is = &stage->scenario->actors[index];
    char yaml[600];
    *self = (struct stage_actor){.stage = stage, .is = is};
    int size = is->listen.size
                   ? snprintf(yaml, sizeof yaml,
                              "listeners: {in: {url: '%.*s', anonymous: true}}\nsystems: {near: {}}\n",
                              SLICE_ARG(is->listen))
                   : snprintf(yaml, sizeof yaml, "systems: {router: '%.*s'}\n", SLICE_ARG(is->dial));
    if (!node_config_load(&self->config, slice_make(yaml, (size_t)size), fault))
        return false;
    self->tries = memory_array(stage->bin_count, sizeof *self->tries);
    self->done = memory_array(stage->bin_count, sizeof *self->done);
    ASSERT(self->tries && self->done);
    return true;
}

static void make_actor(struct stage *stage, uint32_t index, bool listens) {
    struct stage_actor *self = &stage->actors[index];
    const struct scenario_actor *is = self->is;
    struct actor_script script = {.keeps_dialled = !listens,
                                  .answers = true,
                                  .at_once = (uint32_t)is->at_once,
                                  .takes_min_ns = is->takes.low_ns,
                                  .takes_max_ns = is->takes.high_ns,
                                  .quiet = true,
                                  .calls = &actor_calls,
                                  .user = self};
    script.name = memory_copy_text((const char *)is->name.data, is->name.size);
    ASSERT(script.name);
    if (listens) {
        const struct plan_listener *listener = &self->config.plan->listeners[0];
        script.protocol = listener->protocol;
        script.setup = listener->setup;
        script.address = host_of(is->listen);
    } else {
        const struct plan_endpoint *endpoint = &self->config.plan->endpoints[0][0];
        script.protocol = endpoint->protocol;
        script.setup = endpoint->setup;
        script.address = host_of(is->dial);
        self->serves = (struct protocol_subscription){.sub = 1, .ack = true};
        script.setup.own_system = is->serves ? is->system : is->name;
        script.setup.own_subscriptions = &self->serves;
        script.setup.own_subscription_count = is->serves;
    }
    self->actor = actor_new(stage->world, &script);
}

struct stage *stage_new(const struct scenario *scenario, uint32_t variant, struct buffer *narrative,
                        struct buffer *world_story, struct fault *fault) {
    struct stage *stage = memory_new(sizeof *stage);
    ASSERT(stage);
    stage->scenario = scenario;
    stage->variant = variant;
    stage->narrative = narrative;
    stage->bin_count = (size_t)(scenario->until_ns / STAGE_BIN_NS) + 1;
    stage->retries = memory_array(stage->bin_count, sizeof *stage->retries);
    stage->held = memory_array(stage->bin_count, sizeof *stage->held);
    stage->newest =
        memory_array((size_t)SCENARIO_LOADS_MAX * SCENARIO_SYSTEMS_MAX * KEYS_MAX, sizeof *stage->newest);
    ASSERT(stage->retries && stage->held && stage->newest);
    rng_init(&stage->rng, scenario->seed);
    bool good = load_router(stage, fault);
    for (uint32_t i = 0; i < scenario->actor_count && good; i++)
        good = load_actor(stage, i, fault);
    if (!good) {
        stage_free(stage);
        return NULL;
    }
    struct world_options options = {.seed = scenario->seed,
                                    .narrative = world_story,
                                    .faults = {.delay_min_ns = scenario->delay.low_ns,
                                               .delay_max_ns = scenario->delay.high_ns,
                                               .window = (uint32_t)scenario->window}};
    stage->world = world_new(&options);
    struct node_options node = {.config = &stage->config,
                                .calls = &engine_calls,
                                .user = stage,
                                .workers = (uint32_t)scenario->workers,
                                .cut_through = true,
                                .memo = true,
                                .ret_parties = stage->engines};
    (void)node_new(stage->world, &node);
    for (uint32_t i = 0; i < scenario->actor_count; i++)
        if (scenario->actors[i].listen.size)
            make_actor(stage, i, true);
    for (uint32_t i = 0; i < scenario->workers; i++)
        world_poke(stage->world, stage->engines[i]);
    for (uint32_t i = 0; i < scenario->actor_count; i++)
        if (scenario->actors[i].dial.size)
            make_actor(stage, i, false);
    return stage;
}

void stage_free(struct stage *stage) {
    if (stage->world)
        for (uint32_t i = 0; i < stage->scenario->actor_count; i++)
            memory_free((void *)(uintptr_t)stage->actors[i].actor->script.name);
    if (stage->world)
        world_free(stage->world);
    for (uint32_t i = 0; i < stage->scenario->actor_count; i++) {
        node_config_free(&stage->actors[i].config);
        memory_free(stage->actors[i].tries);
        memory_free(stage->actors[i].done);
    }
    node_config_free(&stage->config);
    memory_free(stage->records);
    memory_free(stage->retries);
    memory_free(stage->held);
    memory_free(stage->newest);
    memory_free(stage);
}

uint64_t stage_hash(const struct stage *stage) {
    return world_hash(stage->world);
}

/* -- loads -- */

static struct stage_record *new_record(struct stage *stage) {
    if (stage->record_count == stage->record_capacity) {
        stage->record_capacity = stage->record_capacity ? stage->record_capacity * 2 : 1024;
        stage->records = memory_resize(stage->records, stage->record_capacity * sizeof *stage->records);
        ASSERT(stage->records && stage->record_count < RECORDS_MAX);
    }
    return &stage->records[stage->record_count++];
}

static void send_one(struct stage *stage, uint32_t index, int64_t due_ns) {
    const struct scenario_load *load = &stage->scenario->loads[index];
    struct actor *from = stage->actors[load->actor].actor;
    struct stage_record *record = new_record(stage);
    char id[24], key[16], kind[24], type[100], target[80];
    uint64_t key_count = load->keys < KEYS_MAX ? load->keys : KEYS_MAX;
    *record = (struct stage_record){.due_ns = due_ns, .done_ns = -1, .load = index};
    record->key = key_count ? (uint32_t)(stage->sent_of[index] % key_count) : 0;
    record->asks = slice_is(load->kind, "query") || slice_is(load->kind, "request");
    stage->sent_of[index]++;
    (void)snprintf(id, sizeof id, "m%zu", stage->record_count - 1);
    (void)snprintf(key, sizeof key, "k%u", record->key);
    (void)snprintf(kind, sizeof kind, "%.*s", SLICE_ARG(load->kind));
    (void)snprintf(type, sizeof type, "%.*s", SLICE_ARG(load->type));
    (void)snprintf(target, sizeof target, "%.*s", SLICE_ARG(load->target));
    actor_send_new(from, kind, type, load->target.size ? target : NULL, id, (int)load->priority,
                   key_count ? key : NULL, "{\"n\":1}");
    world_poke(stage->world, &from->party);
}

/* When the load's next message is due after that many. */
static int64_t due_after(struct stage *stage, uint32_t index, int64_t last_ns) {
    const struct scenario_load *load = &stage->scenario->loads[index];
    int64_t gap = (int64_t)(UINT64_C(1000000000000) / load->per_kilosecond);
    int64_t next =
        load->is_random
            ? last_ns + (int64_t)rng_below(&stage->rng, 2 * (uint64_t)gap)
            : load->at_ns + (int64_t)(stage->sent_of[index] * UINT64_C(1000000000000) / load->per_kilosecond);
    return next < load->at_ns + load->for_ns ? next : INT64_MAX;
}

/* -- steps -- */

static const char *const act_words[ACT_COUNT][2] = {
    [ACT_KILL] = {"is killed", "starts again"},
    [ACT_START] = {"starts", ""},
    [ACT_FREEZE] = {"freezes", "goes on"},
    [ACT_DEAF] = {"stops reading", "reads again"},
    [ACT_CUT_OFF] = {"is cut off", "is back in the network"},
    [ACT_SLOW] = {"is slow", "is as fast as before"},
    [ACT_REFUSE] = {"refuses", "takes again"},
    [ACT_MUTE] = {"says nothing any more", "answers again"},
    [ACT_RESET] = {"loses its connections", ""},
};

static void act_on(struct stage *stage, const struct scenario_step *step, struct stage_actor *self,
                   bool begin) {
    struct actor *actor = self->actor;
    const struct scenario_range *takes = begin ? &step->takes : &self->is->takes;
    switch (step->act) {
    case ACT_KILL:
        (begin ? actor_kill : actor_start)(actor);
        break;
    case ACT_START:
        actor_start(actor);
        break;
    case ACT_FREEZE:
        world_hold(stage->world, &actor->party, HOLD_FROZEN, begin);
        break;
    case ACT_DEAF:
        world_hold(stage->world, &actor->party, HOLD_DEAF, begin);
        break;
    case ACT_CUT_OFF:
        world_hold(stage->world, &actor->party, HOLD_AWAY, begin);
        break;
    case ACT_SLOW:
        actor->script.takes_min_ns = takes->low_ns;
        actor->script.takes_max_ns = takes->high_ns;
        break;
    case ACT_REFUSE:
        actor->script.retry_percent = begin ? step->share_permille / 10 : 0;
        actor->script.retry_ms = step->later_ns ? (uint32_t)(step->later_ns / NS_PER_MS) : ACTOR_RETRY_UNSAID;
        break;
    case ACT_MUTE:
        actor->script.mute = begin;
        break;
    case ACT_RESET:
        if (begin)
            world_cut(stage->world, &actor->party);
        break;
    case ACT_COUNT:
        break;
    }
}

static void take_step(struct stage *stage, const struct scenario_step *step, bool begin) {
    for (uint32_t i = 0; i < stage->scenario->actor_count; i++) {
        if (!(step->actors & (1u << i)))
            continue;
        stage_say(stage, "%s %s", stage->actors[i].actor->script.name, act_words[step->act][!begin]);
        act_on(stage, step, &stage->actors[i], begin);
    }
}

/* -- time -- */

static void earlier(int64_t *least, int64_t at) {
    if (at < *least)
        *least = at;
}

static int64_t next_time(const struct stage *stage, int64_t next_bin) {
    const struct scenario *s = stage->scenario;
    int64_t at = next_bin < s->until_ns ? next_bin : s->until_ns;
    for (uint32_t i = 0; i < s->load_count; i++)
        earlier(&at, stage->next_ns[i]);
    for (uint32_t i = 0; i < s->step_count; i++) {
        if (!stage->done_step[i][0])
            earlier(&at, s->steps[i].at_ns);
        if (!stage->done_step[i][1] && s->steps[i].for_ns)
            earlier(&at, s->steps[i].at_ns + s->steps[i].for_ns);
    }
    return at;
}

/* What there is to look at ten times a second. */
static void look(struct stage *stage, int64_t now) {
    uint64_t held = 0;
    for (uint32_t i = 0; i < stage->scenario->workers; i++) {
        const char *wrong = engine_check(node_engine(stage->engines[i]));
        if (wrong)
            break_rule(stage, "%s", wrong);
        held += engine_totals(node_engine(stage->engines[i]))->held;
    }
    uint32_t *most = &stage->held[bin_of(stage, now)];
    if (held > *most)
        *most = (uint32_t)held;
    if (held)
        stage->rested_ns = 0;
    else if (!stage->rested_ns)
        stage->rested_ns = (uint64_t)now;
}

static void act_now(struct stage *stage, int64_t now) {
    const struct scenario *s = stage->scenario;
    for (uint32_t i = 0; i < s->step_count; i++) {
        const struct scenario_step *step = &s->steps[i];
        if (!stage->done_step[i][0] && step->at_ns <= now) {
            stage->done_step[i][0] = true;
            take_step(stage, step, true);
        }
        if (step->for_ns && !stage->done_step[i][1] && step->at_ns + step->for_ns <= now) {
            stage->done_step[i][1] = true;
            take_step(stage, step, false);
        }
    }
    for (uint32_t i = 0; i < s->load_count; i++)
        while (stage->next_ns[i] <= now) {
            send_one(stage, i, stage->next_ns[i]);
            stage->next_ns[i] = due_after(stage, i, stage->next_ns[i]);
        }
}

void stage_play(struct stage *stage) {
    const struct scenario *s = stage->scenario;
    int64_t next_bin = 0;
    for (uint32_t i = 0; i < s->load_count; i++)
        stage->next_ns[i] = s->loads[i].at_ns;
    while (elapsed(stage) < s->until_ns && !stage->wrong[0]) {
        int64_t at = next_time(stage, next_bin);
        if (!world_run(stage->world, (struct mono){NS_PER_S + at}, EVENTS_MAX))
            break_rule(stage, "too many events: it spins");
        act_now(stage, at);
        if (at >= next_bin) {
            look(stage, at);
            next_bin += STAGE_BIN_NS;
        }
    }
    look(stage, elapsed(stage));
}
