/* Endpoints that register: what is asked on worker 0 is decided by the control thread, and told to all workers before the
 * answer. */
#include "config/scalar.h"
#include "runtime/registry.h"

#define WEIGHT_MAX 1000u /* as in the configuration */
#define TIER_MAX 100u

struct errand {
    struct post post;
    struct runtime *runtime;
    struct runtime_registration wanted; /* its texts are in `texts` */
    runtime_registered_call *done;
    void *user;
    struct runtime_registered answer;
    struct fault fault;
    uint8_t texts[];
};

/* -- the control thread -- */

static size_t lease_of(const struct watch *watch, struct slice name) {
    size_t at = 0;
    while (at < watch->lease_count && !slice_equal(watch->leases[at]->entry.name, name))
        at++;
    return at;
}

static enum status refuse_taken(const struct runtime *runtime, const struct watch *watch, const struct runtime_registration *r,
                                struct fault *fault) {
    const struct config *config = runtime->generation->config;
    const struct config_system *system = &config->systems[config_system_find(config, watch->name)];
    for (size_t i = 0; i < system->endpoint_count; i++)
        if (slice_equal(system->endpoints[i].name, r->endpoint) || slice_equal(system->endpoints[i].url.text, r->url))
            return fault_set(fault, STATUS_DUPLICATE, 0, "the endpoint `%.*s` of the configuration has that %s",
                             SLICE_ARG(system->endpoints[i].name), slice_equal(system->endpoints[i].name, r->endpoint) ? "name" : "url");
    for (size_t i = 0; i < watch->lease_count; i++)
        if (slice_equal(watch->leases[i]->entry.url, r->url) && !slice_equal(watch->leases[i]->entry.name, r->endpoint))
            return fault_set(fault, STATUS_DUPLICATE, 0, "`%.*s` has registered with that url", SLICE_ARG(watch->leases[i]->entry.name));
    return STATUS_OK;
}

static enum status check(struct runtime *runtime, struct watch *watch, const struct runtime_registration *r, struct fault *fault) {
    struct scalar_why why;
    if (!scalar_name(r->endpoint, &why) || (r->zone.size && !scalar_name(r->zone, &why)))
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "%s", why.text);
    if (r->weight > WEIGHT_MAX || r->tier > TIER_MAX)
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "`weight` is at most %u, `tier` %u", WEIGHT_MAX, TIER_MAX);
    if (r->lease_ns > watch->lease_ns)
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "`lease` is at most %lld ms, as `register.lease` says", (long long)(watch->lease_ns / NS_PER_MS));
    if (r->url.size > FOUND_URL_MAX)
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "`url` is longer than %u bytes", FOUND_URL_MAX);
    enum status status = watch_vet(watch, r->url, fault);
    return status == STATUS_OK ? refuse_taken(runtime, watch, r, fault) : status;
}

static void tell(const struct watch *watch, struct slice endpoint, const char *words) {
    struct runtime *runtime = watch->registry->runtime;
    struct log_record record;
    log_record_init(&record, LOG_LEVEL_INFO, LOG_ROOM_RUNTIME, runtime_now_of(runtime).wall, words);
    log_add_text(&record, "system", watch->name);
    log_add_text(&record, "endpoint", endpoint);
    pen_write(&runtime->pen, &record);
}

static bool grow(struct watch *watch) {
    struct known **all = memory_resize(watch->leases, (watch->lease_count + 1) * sizeof(struct known *));
    if (all)
        watch->leases = all;
    return all != NULL;
}

static enum status put(struct watch *watch, const struct runtime_registration *r, struct runtime_registered *ret, struct fault *fault) {
    size_t at = lease_of(watch, r->endpoint);
    bool is_new = at == watch->lease_count;
    if (is_new && at >= FOUND_MAX)
        return fault_set(fault, STATUS_OVERLOADED, 0, "%u endpoints have registered, which is the most", FOUND_MAX);
    const struct found_entry entry = {r->endpoint, r->url, r->zone, (uint32_t)r->weight, (uint32_t)r->tier, FOUND_REGISTERED};
    struct known *known = known_new(&entry);
    if (!known || (is_new && !grow(watch))) {
        memory_free(known);
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for it");
    }
    ret->lease_ns = r->lease_ns ? r->lease_ns : watch->lease_ns;
    ret->is_new = is_new;
    known->until = mono_after(runtime_now_of(watch->registry->runtime).mono, ret->lease_ns);
    watch->is_dirty |= is_new || !known_same(&watch->leases[at]->entry, &known->entry);
    if (is_new)
        watch->lease_count++;
    else
        memory_free(watch->leases[at]);
    watch->leases[at] = known;
    if (is_new)
        tell(watch, r->endpoint, "endpoint registered");
    return STATUS_OK;
}

static enum status take_away(struct watch *watch, struct slice endpoint, struct fault *fault) {
    size_t at = watch ? lease_of(watch, endpoint) : 0;
    if (!watch || at == watch->lease_count)
        return fault_set(fault, STATUS_NOT_FOUND, 0, "nobody has registered under that name");
    memory_free(watch->leases[at]);
    memmove(&watch->leases[at], &watch->leases[at + 1], (--watch->lease_count - at) * sizeof(struct known *));
    watch->is_dirty = true;
    tell(watch, endpoint, "endpoint unregistered");
    return STATUS_OK;
}

static enum status decide(struct runtime *runtime, const struct runtime_registration *r, struct runtime_registered *ret, struct fault *fault) {
    struct watch *watch = registry_find(runtime, r->system);
    if (config_system_find(runtime->generation->config, r->system) == CONFIG_NONE)
        return fault_set(fault, STATUS_NOT_FOUND, 0, "no system `%.*s`", SLICE_ARG(slice_head(r->system, 63)));
    if (r->is_over)
        return take_away(watch, r->endpoint, fault);
    if (!watch || watch->lease_ns == 0)
        return fault_set(fault, STATUS_FORBIDDEN, 0, "nobody may register with the system `%.*s`: it has no `register`", SLICE_ARG(r->system));
    enum status status = check(runtime, watch, r, fault);
    return status == STATUS_OK ? put(watch, r, ret, fault) : status;
}

static void deliver(void *worker, struct post *post) {
    struct errand *errand = (struct errand *)(void *)post;
    (void)worker;
    errand->answer.text = slice_from(errand->fault.text);
    errand->done(errand->user, &errand->answer);
    memory_free(errand);
}

static void run(void *target, struct post *post) {
    struct runtime *runtime = target;
    struct errand *errand = (struct errand *)(void *)post;
    errand->answer.status = decide(runtime, &errand->wanted, &errand->answer, &errand->fault);
    registry_say(runtime);
    errand->post.run = errand->post.drop = deliver;
    worker_post(&runtime->workers[0], &errand->post);
}

static void run_never(void *runtime, struct post *post) {
    struct errand *errand = (struct errand *)(void *)post;
    (void)runtime;
    errand->answer.status = fault_set(&errand->fault, STATUS_SHUTDOWN, 0, "stopped");
    deliver(NULL, post);
}

/* -- any thread -- */

static struct slice keep(uint8_t **at, struct slice text) {
    struct slice copy = slice_make(*at, text.size);
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

bool runtime_register(struct runtime *runtime, const struct runtime_registration *wanted, runtime_registered_call *done, void *user) {
    size_t size = wanted->system.size + wanted->endpoint.size + wanted->url.size + wanted->zone.size;
    struct errand *errand = memory_new(sizeof *errand + size);
    if (!errand)
        return false;
    uint8_t *at = errand->texts;
    errand->post = (struct post){.run = run, .drop = run_never};
    errand->runtime = runtime;
    errand->done = done;
    errand->user = user;
    errand->wanted = *wanted;
    errand->wanted.system = keep(&at, wanted->system);
    errand->wanted.endpoint = keep(&at, wanted->endpoint);
    errand->wanted.url = keep(&at, wanted->url);
    errand->wanted.zone = keep(&at, wanted->zone);
    inbox_put(&runtime->inbox, &errand->post);
    loop_wake(runtime->loop);
    return true;
}
