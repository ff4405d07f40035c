/* TLS of the running router: certificates for the workers, keys of session tickets, files that change under way, how long
 * all is good. All but what is posted to workers runs on the control thread. */
#include "platform/clock.h"
#include "platform/file.h"
#include "runtime/inner.h"

#define LOOK_NS NS_PER_S                        /* at the files */
#define TICKETS_NS (INT64_C(8) * 3600 * NS_PER_S) /* a key seals for so long, and opens for as long again */
#define SOON_NS (INT64_C(30) * 24 * 3600 * NS_PER_S)
#define DAY_NS (INT64_C(24) * 3600 * NS_PER_S)
#define PEM_MAX (1u << 20)

struct swap {
    struct post post;
    struct tls_worker *tls;
};

struct new_keys {
    struct post post;
    struct tls_tickets tickets;
};

/* Of a certificate in the configuration; the metric shows it. */
struct certificate_end {
    struct wall until; /* {0}: it can't be read */
    uint32_t series;
};

/* Whatever registers may want it; those that are looked for say by their URL. */
static bool finds_tls(const struct runtime *runtime, const struct config_system *system) {
    struct slice url = system->discover.url, scheme = slice_head(url, slice_find(url, ':'));
    bool registers = system->lease_ns > 0 && runtime->options.input_log.size == 0;
    return registers || slice_is(scheme, "https") || slice_is(scheme, "wss") || slice_is(scheme, "tls") ||
           slice_is(scheme, "intertie+tls");
}

static bool uses_tls(const struct runtime *runtime, const struct config *config) {
    for (size_t i = 0; i < config->listener_count; i++)
        if (config_scheme_is_tls(config->listeners[i].url.scheme))
            return true;
    for (size_t i = 0; i < config->system_count; i++) {
        if (finds_tls(runtime, &config->systems[i]))
            return true;
        for (size_t k = 0; k < config->systems[i].endpoint_count; k++)
            if (config_scheme_is_tls(config->systems[i].endpoints[k].url.scheme))
                return true;
    }
    return false;
}

enum status secure_prepare(struct runtime *runtime, struct generation *next, struct fault *fault) {
    if (!uses_tls(runtime, next->config))
        return STATUS_OK;
    if (runtime->options.input_log.size)
        return fault_set(fault, STATUS_NOT_SUPPORTED, 0,
                         "an input log can't be kept with TLS: it would hold private keys; leave one of them out");
    if (!runtime->has_tickets && !(tls_tickets_turn(&runtime->tickets) && tls_tickets_turn(&runtime->tickets)))
        return fault_set(fault, STATUS_IO_ERROR, 0, "no randomness for TLS");
    runtime->has_tickets = true;
    next->has_tls = true;
    next->tickets = runtime->tickets;
    return STATUS_OK;
}

/* `pems`: what the files hold now, certificates and keys in turn, then authorities; NULL: as the configuration read them. */
static struct tls_worker *make(const struct generation *generation, const struct buffer *pems, struct fault *fault) {
    const struct config *config = generation->config;
    struct tls_certificate *certificates = memory_array(config->certificate_count + 1, sizeof *certificates);
    struct tls_authority *authorities = memory_array(config->authority_count + 1, sizeof *authorities);
    struct tls_worker *worker = NULL;
    for (size_t i = 0; certificates && authorities && i < config->certificate_count; i++)
        certificates[i] = (struct tls_certificate){
            config->certificates[i].name, pems ? buffer_slice(&pems[2 * i]) : config->certificates[i].cert,
            pems ? buffer_slice(&pems[2 * i + 1]) : config->certificates[i].key};
    for (size_t i = 0; certificates && authorities && i < config->authority_count; i++)
        authorities[i] = (struct tls_authority){
            config->authorities[i].name,
            pems ? buffer_slice(&pems[2 * config->certificate_count + i]) : config->authorities[i].pem};
    struct tls_files files = {config, certificates, config->certificate_count, authorities, config->authority_count};
    if (certificates && authorities)
        worker = tls_worker_new(&files, &generation->tickets, fault);
    else
        fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for certificates");
    memory_free(certificates);
    memory_free(authorities);
    return worker;
}

bool secure_worker_new(const struct generation *generation, struct tls_worker **ret) {
    *ret = NULL;
    return !generation->has_tls || (*ret = make(generation, NULL, NULL)) != NULL;
}

void secure_worker_swap(struct worker *worker, struct tls_worker *tls) {
    struct protocol_worker *shared = &engine_net(worker->engine)->worker;
    tls_worker_free(shared->tls);
    shared->tls = tls;
}

static void swap(void *target, struct post *post) {
    struct swap *change = (struct swap *)(void *)post;
    secure_worker_swap(target, change->tls);
    memory_free(change);
}

static void swap_dropped(void *target, struct post *post) {
    struct swap *change = (struct swap *)(void *)post;
    (void)target;
    tls_worker_free(change->tls);
    memory_free(change);
}

/* -- files -- */

static size_t file_count(const struct config *config) {
    return 2 * config->certificate_count + config->authority_count;
}

static struct slice file_path(const struct config *config, size_t index) {
    size_t pairs = 2 * config->certificate_count;
    if (index >= pairs)
        return config->authorities[index - pairs].path;
    const struct config_certificate *certificate = &config->certificates[index / 2];
    return index % 2 ? certificate->key_path : certificate->cert_path;
}

static struct file_stamp stamp_of(struct slice path) {
    char text[4096];
    struct file_stamp stamp = {0};
    if (path.size < sizeof text) {
        memcpy(text, path.data, path.size);
        text[path.size] = 0;
        file_stamp(text, &stamp);
    }
    return stamp;
}

/* What the files were when they were last taken or refused. */
static bool stamps_changed(struct runtime *runtime) {
    const struct config *config = runtime->generation->config;
    size_t count = file_count(config);
    bool changed = runtime->stamped != runtime->generation;
    if (changed) {
        struct file_stamp *stamps = memory_array(count + 1, sizeof *stamps);
        if (!stamps)
            return false;
        memory_free(runtime->stamps);
        runtime->stamps = stamps;
        for (size_t i = 0; i < count; i++)
            stamps[i] = stamp_of(file_path(config, i));
        runtime->stamped = runtime->generation;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct file_stamp now = stamp_of(file_path(config, i));
        changed |= memcmp(&now, &runtime->stamps[i], sizeof now) != 0;
        runtime->stamps[i] = now;
    }
    return changed;
}

static enum status read_files(const struct config *config, struct buffer *pems, struct fault *fault) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < file_count(config); i++) {
        struct slice path = file_path(config, i);
        char text[4096];
        buffer_init(&pems[i], PEM_MAX);
        if (status != STATUS_OK || path.size >= sizeof text)
            continue;
        memcpy(text, path.data, path.size);
        text[path.size] = 0;
        status = file_read(text, PEM_MAX, &pems[i], fault);
    }
    return status;
}

/* All workers' or none's. */
static enum status make_all(struct runtime *runtime, const struct buffer *pems, struct fault *fault) {
    struct swap *posts[WORKERS_MAX] = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < runtime->worker_count; i++) {
        posts[i] = memory_new(sizeof *posts[i]);
        if (!posts[i])
            status = fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for certificates");
        else if (!(posts[i]->tls = make(runtime->generation, pems, fault)))
            status = fault->status;
    }
    for (uint32_t i = 0; i < runtime->worker_count && posts[i]; i++) {
        posts[i]->post.run = status == STATUS_OK ? swap : swap_dropped;
        posts[i]->post.drop = swap_dropped;
        if (status == STATUS_OK)
            worker_post(&runtime->workers[i], &posts[i]->post);
        else
            swap_dropped(NULL, &posts[i]->post);
    }
    return status;
}

static void tell(struct runtime *runtime, enum log_level level, const char *words, const char *detail) {
    struct log_record record;
    log_record_init(&record, level, LOG_ROOM_RUNTIME, runtime_now_of(runtime).wall, words);
    if (detail)
        log_add_text(&record, "detail", slice_from(detail));
    pen_write(&runtime->pen, &record);
}

static void free_pems(struct buffer *pems, size_t count) {
    for (size_t i = 0; pems && i < count; i++) {
        if (pems[i].data)
            explicit_bzero(pems[i].data, pems[i].size);
        buffer_done(&pems[i]);
    }
    memory_free(pems);
}

/* -- how long they are good -- */

static void warn_end(struct runtime *runtime, struct slice name, struct wall until) {
    int64_t left = until.ns - runtime_now_of(runtime).wall.ns;
    struct log_record record;
    if (until.ns == 0 || left > SOON_NS)
        return;
    log_record_init(&record, left <= DAY_NS ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, LOG_ROOM_RUNTIME,
                    runtime_now_of(runtime).wall,
                    left <= 0 ? "certificate has expired" : "certificate expires soon");
    log_add_text(&record, "certificate", name);
    log_add_i64(&record, "days", left / DAY_NS);
    pen_write(&runtime->pen, &record);
}

static void warn_ends(struct runtime *runtime) {
    const struct config *config = runtime->generation->config;
    for (size_t i = 0; i < runtime->end_count && i < config->certificate_count; i++)
        warn_end(runtime, config->certificates[i].name, runtime->ends[i].until);
}

static void forget_ends(struct runtime *runtime) {
    pthread_mutex_lock(&runtime->lock);
    for (size_t i = 0; i < runtime->end_count; i++)
        metrics_set(runtime->metrics, runtime->ends[i].series, 0);
    pthread_mutex_unlock(&runtime->lock);
    memory_free(runtime->ends);
    runtime->ends = NULL;
    runtime->end_count = 0;
}

/* Of the certificates in `pems`, or (NULL) as the configuration read them. */
static void learn_ends(struct runtime *runtime, const struct buffer *pems) {
    const struct config *config = runtime->generation->config;
    forget_ends(runtime);
    runtime->ends = memory_array(config->certificate_count + 1, sizeof *runtime->ends);
    runtime->end_count = runtime->ends ? config->certificate_count : 0;
    for (size_t i = 0; i < runtime->end_count; i++) {
        struct tls_certificate_view view;
        struct certificate_end *end = &runtime->ends[i];
        bool is_key;
        struct slice pem = pems ? buffer_slice(&pems[2 * i]) : config->certificates[i].cert;
        if (tls_check_certificate(pem, slice_make(NULL, 0), &view, &is_key, NULL) == STATUS_OK)
            end->until = view.not_after;
        pthread_mutex_lock(&runtime->lock);
        end->series = METRICS_SERIES(runtime->metrics, METRIC_CERTIFICATE_END, config->certificates[i].name);
        metrics_set(runtime->metrics, end->series, end->until.ns);
        pthread_mutex_unlock(&runtime->lock);
    }
}

/* A file that is being written may be half there: its next stamp is looked at again. */
static void take_files(struct runtime *runtime) {
    size_t count = file_count(runtime->generation->config);
    struct buffer *pems = memory_array(count + 1, sizeof *pems);
    struct fault fault = {0};
    enum status status = pems ? read_files(runtime->generation->config, pems, &fault) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = make_all(runtime, pems, &fault);
    if (status == STATUS_OK) {
        tell(runtime, LOG_LEVEL_INFO, "certificates taken from changed files", NULL);
        learn_ends(runtime, pems);
        warn_ends(runtime);
    } else {
        tell(runtime, LOG_LEVEL_WARN, "certificate files have changed and can't be used; those before stay in use", fault.text);
    }
    free_pems(pems, count);
}

/* -- keys of tickets -- */

static void take_keys(void *target, struct post *post) {
    struct new_keys *keys = (struct new_keys *)(void *)post;
    const struct worker *worker = target;
    struct tls_worker *tls = worker ? engine_net(worker->engine)->worker.tls : NULL;
    if (tls)
        tls_worker_tickets(tls, &keys->tickets);
    explicit_bzero(&keys->tickets, sizeof keys->tickets);
    memory_free(keys);
}

static void keys_dropped(void *target, struct post *post) {
    (void)target;
    take_keys(NULL, post);
}

/* A worker that gets none for want of memory opens no tickets of the others until the next time: full handshakes. */
static void turn_tickets(struct runtime *runtime) {
    runtime->tickets_at = mono_after(runtime_now_of(runtime).mono, TICKETS_NS);
    if (!tls_tickets_turn(&runtime->tickets))
        return;
    runtime->generation->tickets = runtime->tickets;
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct new_keys *keys = memory_new(sizeof *keys);
        if (!keys)
            return;
        *keys = (struct new_keys){{.run = take_keys, .drop = keys_dropped}, runtime->tickets};
        worker_post(&runtime->workers[i], &keys->post);
    }
}

struct mono secure_look(struct runtime *runtime) {
    const struct generation *generation = runtime->generation;
    struct mono now = runtime_now_of(runtime).mono;
    if (!generation || !generation->has_tls) {
        if (runtime->ends)
            forget_ends(runtime);
        return MONO_NEVER;
    }
    if (runtime->tickets_at.ns == 0)
        runtime->tickets_at = mono_after(now, TICKETS_NS);
    if (runtime->look_at.ns && !mono_due(runtime->look_at, now))
        return mono_min(runtime->look_at, runtime->tickets_at);
    runtime->look_at = mono_after(now, LOOK_NS);
    if (runtime->stamped != generation)
        learn_ends(runtime, NULL);
    if (runtime->expiry_at.ns == 0 || mono_due(runtime->expiry_at, now) || runtime->stamped != generation) {
        runtime->expiry_at = mono_after(now, DAY_NS);
        warn_ends(runtime);
    }
    if (mono_due(runtime->tickets_at, now))
        turn_tickets(runtime);
    if (stamps_changed(runtime))
        take_files(runtime);
    return runtime->look_at;
}
