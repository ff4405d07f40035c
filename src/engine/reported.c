/* Load that takers report of themselves: read, kept with the taker, and told to the other workers. */
#include "engine/reported.h"

#include "base/json.h"

struct report {
    uint32_t busy;     /* permille; UINT32_MAX: not said */
    uint32_t capacity; /* 0: not said */
};

/* What isn't right is not said. */
static void take(struct report *report, bool is_load, const struct json_item *item) {
    double value;
    if (item->type != JSON_NUMBER || !json_number_to_double(item->raw, &value) || !(value >= 0))
        return;
    if (is_load && value <= 1)
        report->busy = (uint32_t)(value * 1000 + 0.5);
    else if (!is_load && value >= 1)
        report->capacity = value < LOAD_CAPACITY_MAX ? (uint32_t)(value + 0.5) : LOAD_CAPACITY_MAX;
}

static struct report read_report(const struct message *message) {
    struct report report = {.busy = UINT32_MAX};
    struct slice data = message_data_is_json(message) ? message_data_verbatim(message) : slice_make(NULL, 0);
    struct json json;
    struct json_item item;
    json_init(&json, data, 8);
    if (data.size == 0 || json_next(&json, &item) != JSON_OBJECT)
        return report;
    while (json_next(&json, &item) == JSON_NAME) {
        bool is_load = json_item_is(&item, SLICE_OF("load")), is_capacity = json_item_is(&item, SLICE_OF("capacity"));
        if (json_skip(&json, &item) == JSON_ERROR)
            return report;
        if (is_load || is_capacity)
            take(&report, is_load, &item);
    }
    return report;
}

static void apply(struct engine *engine, struct system *system, struct outlet *outlet, struct report report) {
    load_heard(&outlet->load, report.busy, report.capacity, engine->now.mono);
    if (!system->recipient.choice) {
        system->hears_load = true; /* from here on its takers are chosen */
        choice_configure(engine, system);
    } else {
        choice_place(engine, outlet);
        choice_look(engine, system->recipient.choice);
    }
}

static struct outlet *find_endpoint(struct system *system, struct slice name) {
    for (size_t i = 0; name.size && i < system->endpoint_count; i++)
        if (slice_equal(system->endpoints[i]->plan->config->name, name))
            return &system->endpoints[i]->outlet;
    return NULL;
}

static struct outlet *own_outlet(const struct session *s, const struct system *system) {
    for (struct list_node *node = list_first(&s->members); node; node = list_next(&s->members, node)) {
        const struct member *m = LIST_ENTRY(node, struct member, session_node);
        if (m->recipient == &system->recipient)
            return m->outlet;
    }
    return NULL;
}

static void tell_all(struct engine *engine, const struct session *s, const struct system *system, const struct outlet *outlet, struct report report) {
    struct letter letter = {.kind = LETTER_LOAD, .sub = report.busy, .limit = report.capacity, .handle = outlet->endpoint ? 0 : s->work->announced};
    const struct slice texts[4] = {system->name, outlet->endpoint ? outlet->endpoint->plan->config->name : slice_make("", 0),
                                   slice_make("", 0), slice_make("", 0)};
    for (uint32_t i = 0; i < engine->options.workers; i++)
        if (i != engine->options.worker)
            (void)parcel_write(engine, i, &letter, texts, NULL); /* one that is lost comes again with the next heartbeat */
}

void reported_heartbeat(struct engine *engine, struct session *s, struct system *system, const struct message *message) {
    struct outlet *outlet = own_outlet(s, system);
    if (!outlet)
        outlet = find_endpoint(system, message_text(message, ATTRIBUTE_SUBJECT));
    struct report report = outlet ? read_report(message) : (struct report){.busy = UINT32_MAX};
    if (report.busy == UINT32_MAX && report.capacity == 0)
        return;
    apply(engine, system, outlet, report);
    tell_all(engine, s, system, outlet, report);
}

void reported_heard(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]) {
    struct system *system = engine_system(engine, plan_system(engine->plan, texts[0]));
    struct report report = {letter->sub, letter->limit};
    struct outlet *outlet = system ? find_endpoint(system, texts[1]) : NULL;
    for (struct list_node *node = system && letter->handle ? list_first(&system->recipient.members) : NULL; node;
         node = list_next(&system->recipient.members, node)) {
        const struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        if (!m->session && m->worker == from && m->handle == letter->handle)
            outlet = m->outlet;
    }
    if (outlet)
        apply(engine, system, outlet, report);
}
