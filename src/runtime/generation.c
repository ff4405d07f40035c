/* What one configuration brought: it, its plan, its listeners. Made by the control thread before anything changes. */
#include "config/recorded.h"
#include "platform/clock.h"
#include "platform/socket_cast.h"
#include "runtime/inner.h"

#define RECORDED_MAX (64u << 20) /* of a configuration's files, for the input log */

void generation_free(struct generation *generation) {
    if (!generation)
        return;
    for (size_t i = 0; i < generation->place_count; i++)
        if (generation->places[i] && --generation->places[i]->users == 0)
            place_free(generation->places[i]);
    memory_free(generation->places);
    memory_free(generation->reopen);
    if (generation->recorded.data)
        explicit_bzero(generation->recorded.data, generation->recorded.size); /* secrets, too */
    buffer_done(&generation->recorded);
    explicit_bzero(&generation->tickets, sizeof generation->tickets);
    plan_free(generation->plan);
    if (generation->config)
        config_free(generation->config);
    memory_free(generation);
}

static bool prepare_listeners(struct generation *next) {
    size_t count = next->config->listener_count + 2; /* the admin's */
    next->places = memory_array(count, sizeof(struct place *));
    next->reopen = memory_array(count, sizeof *next->reopen);
    return next->places && next->reopen;
}

static bool has_found(const struct config *config) {
    for (size_t i = 0; i < config->system_count; i++)
        if (config->systems[i].found)
            return true;
    return false;
}

/* Endpoints that come later are tried out in the configuration that is in force, whatever its files are by then. */
static enum status load_recorded(struct runtime *runtime, struct generation *next,
                                 struct config_report *report) {
    config_free(next->config);
    next->config = NULL;
    config_report_done(report);
    config_report_init(report);
    return config_load_recorded(runtime->options.config, runtime->options.path, &next->recorded,
                                &next->config, report);
}

enum status generation_load(struct runtime *runtime, struct generation **ret, struct config_report *report,
                            struct fault *fault) {
    struct generation *next = memory_new(sizeof *next);
    if (!next)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for the configuration");
    buffer_init(&next->recorded, RECORDED_MAX);
    enum status status =
        runtime->options.input_log.size
            ? config_load_recorded(runtime->options.config, runtime->options.path, &next->recorded, &next->config, report)
            : config_load(runtime->options.config, runtime->options.path, &next->config, report);
    if (status != STATUS_OK)
        fault_set(fault, status, 0, "%.*s would not start", SLICE_ARG(runtime->options.path));
    if (status == STATUS_OK && next->recorded.size == 0 && has_found(next->config))
        status = load_recorded(runtime, next, report);
    if (status == STATUS_OK)
        status = secure_prepare(runtime, next, fault);
    if (status == STATUS_OK && !(next->plan = plan_new(next->config, fault)))
        status = fault && fault->status != STATUS_OK ? fault->status : STATUS_BAD_CONFIG;
    if (status == STATUS_OK && !prepare_listeners(next))
        status = fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for listeners");
    if (status != STATUS_OK) {
        generation_free(next);
        return status;
    }
    next->loaded = platform_now().wall;
    *ret = next;
    return STATUS_OK;
}

static struct place *find_same(const struct generation *current, const struct config_url *url, struct slice name,
                               bool is_admin) {
    for (size_t i = 0; current && i < current->place_count; i++)
        if (current->places[i]->is_admin == is_admin && place_is_same(current->places[i], url, name))
            return current->places[i];
    return NULL;
}

static struct place *find_unix(const struct generation *current) {
    for (size_t i = 0; current && i < current->place_count; i++)
        if (current->places[i]->is_unix)
            return current->places[i];
    return NULL;
}

static void add(struct generation *next, struct place *place) {
    place->users++;
    next->places[next->place_count++] = place;
}

static enum status bind_admin(struct runtime *runtime, struct generation *next, const struct generation *current,
                              struct fault *fault) {
    const struct config *config = next->config;
    struct place *place = find_same(current, &config->admin.url, SLICE_OF("admin"), true);
    enum status status = place ? STATUS_OK : place_bind_admin(config, runtime->worker_count, &place, fault);
    if (status != STATUS_OK)
        return status;
    add(next, place);
    if (runtime->options.standalone)
        return STATUS_OK;
    /* Where it is doesn't change before a restart: commands of an older idea of the configuration must find it. */
    place = find_unix(current);
    if (!place) {
        struct buffer path;
        buffer_init(&path, 4096);
        runtime_socket_path(config, &path);
        status = path.status == STATUS_OK
                     ? place_bind_unix((const char *)path.data, runtime->worker_count, &place, fault)
                     : fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for the admin socket");
        buffer_done(&path);
    }
    if (status == STATUS_OK)
        add(next, place);
    return status;
}

/* A name that is misspelt is told at once, not by dials that fail. */
static enum status know_interfaces(const struct config *config, struct fault *fault) {
    for (size_t i = 0; i < config->system_count; i++) {
        const struct config_system *system = &config->systems[i];
        struct fault why = {0};
        uint32_t index;
        if (system->multicast.interface.size && socket_interface(system->multicast.interface, &index, &why) != STATUS_OK)
            return fault_set(fault, why.status, why.error_number, "systems.%.*s: %.180s", SLICE_ARG(system->name), why.text);
    }
    return STATUS_OK;
}

enum status generation_bind(struct runtime *runtime, struct generation *next, const struct generation *current,
                            struct fault *fault) {
    const struct config *config = next->config;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        struct place *place = find_same(current, &listener->url, listener->name, false);
        enum status status = place ? STATUS_OK : place_bind(listener, runtime->worker_count, &place, fault);
        if (status != STATUS_OK)
            return status;
        add(next, place);
        if (place->is_datagram)
            next->udp_ports[place->at.port / 8] |= (uint8_t)(1u << place->at.port % 8);
        status = place_groups_join(place, listener, fault);
        if (status != STATUS_OK)
            return status;
    }
    enum status status = know_interfaces(config, fault);
    return status != STATUS_OK ? status : bind_admin(runtime, next, current, fault);
}
