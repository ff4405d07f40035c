/* What a person sets of an endpoint: taken as an input, so that a log of inputs has it, and the same by every worker. */
#include "engine/hand.h"

#include "base/pack.h"
#include "engine/inner.h"

void hand_command_write(struct buffer *out, const struct hand_command *command) {
    pack_slice(out, command->system);
    pack_slice(out, command->endpoint);
    pack_u8(out, command->clear);
    pack_u8(out, command->has_state);
    pack_u8(out, (uint8_t)command->state);
    pack_u8(out, command->has_weight);
    pack_u32(out, command->weight);
}

static bool read_command(struct slice bytes, struct hand_command *ret) {
    struct unpack in = unpack_from(bytes);
    *ret = (struct hand_command){.system = unpack_slice(&in)};
    ret->endpoint = unpack_slice(&in);
    ret->clear = unpack_u8(&in);
    ret->has_state = unpack_u8(&in);
    uint8_t state = unpack_u8(&in);
    ret->has_weight = unpack_u8(&in);
    ret->weight = unpack_u32(&in);
    ret->state = (enum engine_by_hand)(state <= BY_HAND_DOWN ? state : BY_HAND_UP);
    return unpack_is_over(&in) && state <= BY_HAND_DOWN && ret->weight <= HAND_WEIGHT_MAX;
}

static struct endpoint *find(const struct engine *engine, const struct hand_command *command) {
    struct system *system =
        engine->plan ? engine_system(engine, plan_system(engine->plan, command->system)) : NULL;
    for (size_t i = 0; system && i < system->endpoint_count; i++)
        if (slice_equal(system->endpoints[i]->plan->config->name, command->endpoint))
            return system->endpoints[i];
    return NULL;
}

bool hand_allows(const struct endpoint *e) {
    return e->fitness.by_hand == BY_HAND_UP;
}

/* It serves again: what kept it away was before somebody looked after it. Its checks still have their say. */
static void bring_back(struct engine *engine, struct endpoint *e) {
    struct fitness *f = &e->fitness;
    f->outlier = (struct outlier){0};
    f->breaker = (struct breaker){0};
    endpoint_return(engine, e);
    e->failures = 0;
    e->next_dial = engine->now.mono;
    timer_set(engine, &e->redial, engine->now.mono);
}

static void send_away(struct engine *engine, struct endpoint *e) {
    deadlines_clear(&engine->deadlines, &e->redial.deadline);
    endpoint_paced(engine, e); /* its connections are no takers any more */
    if (e->fitness.by_hand == BY_HAND_DOWN)
        endpoint_cut(engine, e->system, e, STATUS_GOING_AWAY);
    else
        endpoint_empty(engine, e, false);
    net_unpark(&engine->net, &e->plan->setup, STATUS_GOING_AWAY); /* nobody dials there to go on with those */
}

static void set_state(struct engine *engine, struct endpoint *e, enum engine_by_hand state) {
    e->fitness.by_hand = state;
    if (state == BY_HAND_UP)
        bring_back(engine, e);
}

void hand_input(struct engine *engine, struct engine_input *input) {
    struct hand_command command;
    input->count = 0;
    input->status = STATUS_OK;
    struct endpoint *e = read_command(input->bytes, &command) ? find(engine, &command) : NULL;
    if (!e)
        return;
    enum engine_endpoint_state before = e->fitness.told;
    struct fitness *f = &e->fitness;
    bool is_back =
        f->by_hand != BY_HAND_UP && (command.clear || (command.has_state && command.state == BY_HAND_UP));
    input->count = 1;
    if (command.clear) {
        f->has_weight = false;
        set_state(engine, e, BY_HAND_UP);
    }
    if (command.has_state)
        set_state(engine, e, command.state);
    if (command.has_weight) {
        f->has_weight = true;
        f->weight = command.weight;
    }
    choice_configure(engine, e->system);
    if (f->has_weight && !e->system->recipient.choice)
        input->status = STATUS_NO_MEMORY;
    if (f->by_hand != BY_HAND_UP)
        send_away(engine, e);
    else
        endpoint_paced(engine, e);
    if (is_back &&
        e->system->recipient.members.count) /* else only what others have no room for would bring it work */
        endpoint_warm(engine, e);
    fitness_look(engine, e);
    if (f->told == before && engine->options.worker == 0)
        fitness_tell(engine, e); /* of a weight, or of what was so already */
}

void hand_kept(struct engine *engine, struct endpoint *e) {
    if ((e->fitness.by_hand != BY_HAND_UP || e->fitness.has_weight) && engine->options.worker == 0)
        fitness_tell(engine, e);
}

void hand_rests(struct engine *engine, struct endpoint *e) {
    if (e->fitness.by_hand == BY_HAND_DRAIN && !e->removed)
        fitness_look(engine, e);
}
