/* Engines as parties of a world. */
#include "simulation/node.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "config/load.h"

struct node {
    struct party party;
    struct engine *engine;
};

/* -- configuration from memory -- */

static enum status read_text(void *context, struct slice path, struct buffer *out, bool *ret_open, struct fault *fault) {
    (void)path;
    (void)fault;
    *ret_open = false;
    buffer_add(out, *(const struct slice *)context);
    return out->status;
}

static bool no_variable(void *context, struct slice name, struct slice *ret_value) {
    (void)context;
    (void)name;
    (void)ret_value;
    return false;
}

static enum status no_glob(void *context, struct slice pattern, struct buffer *out, struct fault *fault) {
    (void)context;
    (void)pattern;
    (void)out;
    (void)fault;
    return STATUS_OK;
}

bool node_config_load(struct node_config *out, struct slice yaml, struct fault *fault) {
    struct config_source source = {.context = &yaml, .read = read_text, .variable = no_variable, .glob = no_glob};
    struct config_options options = {.source = &source};
    struct config_report report;
    *out = (struct node_config){0};
    config_report_init(&report);
    enum status status = config_load(&options, SLICE_OF("simulated.yaml"), &out->config, &report);
    if (status != STATUS_OK) {
        struct buffer text;
        buffer_init(&text, 64u << 10);
        config_report_text(&report, &text);
        fault_set(fault, status, 0, "%.*s", SLICE_ARG(buffer_slice(&text)));
        buffer_done(&text);
    }
    config_report_done(&report);
    if (status == STATUS_OK)
        out->plan = plan_new(out->config, fault);
    if (out->plan)
        return true;
    node_config_free(out);
    return false;
}

void node_config_free(struct node_config *config) {
    plan_free(config->plan);
    if (config->config)
        config_free(config->config);
    *config = (struct node_config){0};
}

/* -- the party -- */

static void input(struct party *party, struct engine_input *in, struct now now) {
    engine_input(((struct node *)(void *)party)->engine, in, now);
}

static void finish(struct party *party, struct now now, struct engine_actions *ret) {
    engine_finish(((struct node *)(void *)party)->engine, now, ret);
}

static struct slice address(struct party *party, uint64_t place, const struct protocol **ret_protocol) {
    const struct plan_endpoint *endpoint = engine_place(((struct node *)(void *)party)->engine, place);
    *ret_protocol = endpoint ? endpoint->protocol : protocol_find(SLICE_OF("http1")); /* nobody is there */
    return endpoint ? endpoint->setup.host : slice_make("", 0);
}

static void free_node(struct party *party) {
    struct node *node = (struct node *)(void *)party;
    engine_free(node->engine);
    memory_free(node);
}

static const struct party_calls calls = {.input = input, .finish = finish, .address = address, .free = free_node};

struct engine *node_engine(struct party *party) {
    return ((struct node *)(void *)party)->engine;
}

static void listen_all(struct world *world, struct party *party, const struct config *config) {
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct config_url *url = &config->listeners[i].url;
        char text[300];
        int size = snprintf(text, sizeof text, "%.*s:%u", SLICE_ARG(url->host), (unsigned)url->port);
        world_listen(world, party, slice_make(text, (size_t)size), i, url->scheme == CONFIG_SCHEME_UDP);
    }
}

struct party *node_new(struct world *world, const struct node_options *options) {
    struct party *first = NULL;
    static const char *const names[] = {"node", "node.1", "node.2", "node.3"};
    for (uint32_t i = 0; i < options->workers; i++) {
        struct node *node = memory_new(sizeof *node);
        ASSERT(node && i < COUNT_OF(names));
        struct engine_options engine = {.worker = i, .workers = options->workers, .seed = rng_next(world_rng(world)),
                                        .calls = options->calls, .user = options->user,
                                        .cut_through = options->cut_through, .memo = options->memo};
        node->engine = engine_new(&engine);
        ASSERT(node->engine);
        engine_net(node->engine)->bare = true; /* there is nobody to hide from, and TLS draws entropy */
        node->party = (struct party){.calls = &calls, .net = engine_net(node->engine), .name = names[i], .worker = i};
        uint32_t index = world_add(world, &node->party);
        node->party.node = first ? first->node : index;
        if (!first)
            first = &node->party;
        if (options->ret_parties)
            options->ret_parties[i] = &node->party;
        listen_all(world, &node->party, options->config->config);
        struct engine_input config = {.kind = INPUT_CONFIG, .plan = options->config->plan};
        engine_input(node->engine, &config, world_now(world));
    }
    return first;
}
