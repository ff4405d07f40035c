/* Asks name servers for the endpoints of one system: services, or addresses of both families. */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "platform/records.h"
#include "policy/lookup.h"
#include "runtime/registry.h"

#define NAME_SHOWN 63u /* bytes of an endpoint's name; longer ones end in a hash */

static bool is_v6(const struct known *known) {
    return known->entry.name.data[0] == '[';
}

/* HOST:PORT, or the address. */
static struct slice name_of(char out[static NAME_SHOWN + 1], struct slice host, uint16_t port,
                            bool has_port) {
    char text[DNS_NAME_MAX + 16];
    int size = has_port ? snprintf(text, sizeof text, "%.*s:%u", SLICE_ARG(host), (unsigned)port)
                        : snprintf(text, sizeof text, slice_find(host, ':') < host.size ? "[%.*s]" : "%.*s",
                                   SLICE_ARG(host));
    struct slice all = slice_make(text, size < 0 ? 0 : (size_t)size);
    if (all.size <= NAME_SHOWN)
        memcpy(out, text, all.size + 1);
    else
        snprintf(out, NAME_SHOWN + 1, "%.46s-%016llx", text, (unsigned long long)map_hash(all, 1));
    return slice_from(out);
}

static void gather(struct watch *watch, struct slice host, uint16_t port, uint32_t tier, uint32_t weight) {
    struct seek *seek = &watch->seek;
    char name[NAME_SHOWN + 1];
    struct buffer url;
    buffer_init(&url, FOUND_URL_MAX);
    struct found_entry entry = {.name = name_of(name, host, port, watch->records == CONFIG_RECORDS_SRV),
                                .zone = SLICE_OF(""),
                                .weight = weight,
                                .tier = tier,
                                .origin = FOUND_DNS};
    struct known *known = NULL;
    if (seek->count < FOUND_MAX && config_found_url(watch->url, host, port, &url) == STATUS_OK) {
        entry.url = buffer_slice(&url);
        if (watch_vet(watch, entry.url, NULL) == STATUS_OK)
            known = known_new(&entry);
    }
    buffer_done(&url);
    if (known)
        seek->found[seek->count++] = known;
    else
        seek->left_out++;
}

static int compare_services(const void *left, const void *right) {
    const struct dns_record *a = *(const struct dns_record *const *)left,
                            *b = *(const struct dns_record *const *)right;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    int order = strcmp(a->target, b->target);
    return order ? order : a->port < b->port ? -1 : a->port > b->port;
}

/* Ours go to 1000. Where nobody has a weight all are alike; where some have, 0 is next to nothing: RFC 2782. */
static uint32_t weight_of(const struct dns_record *record, uint32_t most) {
    if (most == 0)
        return 1;
    uint32_t weight = most > BALANCE_WEIGHT_MAX
                          ? (uint32_t)((uint64_t)record->weight * BALANCE_WEIGHT_MAX / most)
                          : record->weight;
    return weight ? weight : 1;
}

/* The lowest priority is the first tier, the next one the second. The order doesn't depend on that of the answer. */
static void take_services(struct watch *watch, const struct dns_answer *answer) {
    const struct dns_record **order = memory_array(answer->count + 1, sizeof *order);
    uint32_t tier = 0, most = 0;
    if (!order) {
        watch->seek.status[0] = STATUS_NO_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < answer->count; i++) {
        order[i] = &answer->records[i];
        most = answer->records[i].weight > most ? answer->records[i].weight : most;
    }
    qsort((void *)order, answer->count, sizeof *order, compare_services);
    for (uint32_t i = 0; i < answer->count; i++) {
        tier += i > 0 && order[i]->priority != order[i - 1]->priority && tier < 100;
        gather(watch, slice_make(order[i]->target, order[i]->size), order[i]->port, tier,
               weight_of(order[i], most));
    }
    memory_free(order);
}

static int compare_addresses(const void *left, const void *right) {
    const struct dns_record *a = *(const struct dns_record *const *)left,
                            *b = *(const struct dns_record *const *)right;
    return memcmp(a->address.bytes, b->address.bytes, sizeof a->address.bytes);
}

static void take_addresses(struct watch *watch, const struct dns_answer *answer, unsigned which) {
    const struct dns_record **order = memory_array(answer->count + 1, sizeof *order);
    if (!order) {
        watch->seek.status[which] = STATUS_NO_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < answer->count; i++)
        order[i] = &answer->records[i];
    qsort((void *)order, answer->count, sizeof *order, compare_addresses);
    for (uint32_t i = 0; i < answer->count; i++) {
        char text[ADDRESS_TEXT_MAX];
        gather(watch, slice_make(text, address_print_ip(text, &order[i]->address)), 0, 0, 1);
    }
    memory_free(order);
}

/* Of the family that nobody answered for, those that were known stay. */
static void keep_family(struct watch *watch, bool v6) {
    for (size_t i = 0; i < watch->found_count && watch->seek.count < FOUND_MAX; i++) {
        struct known *copy = is_v6(watch->found[i]) == v6 ? known_new(&watch->found[i]->entry) : NULL;
        if (copy)
            watch->seek.found[watch->seek.count++] = copy;
    }
}

static void answered(struct watch *watch, unsigned which, enum status status,
                     const struct dns_answer *answer) {
    struct seek *seek = &watch->seek;
    seek->asks[which] = NULL;
    seek->status[which] = status;
    if (status == STATUS_CANCELLED)
        return; /* the loop ends */
    if (status == STATUS_OK) {
        seek->ttl = answer->ttl < seek->ttl ? answer->ttl : seek->ttl;
        seek->left_out += answer->left_out;
        if (watch->records == CONFIG_RECORDS_SRV)
            take_services(watch, answer);
        else
            take_addresses(watch, answer, which);
    }
    if (seek->asks[0] || seek->asks[1])
        return;
    if (watch->records == CONFIG_RECORDS_A && seek->count)
        for (unsigned i = 0; i < 2; i++)
            if (seek->status[i] != STATUS_OK && seek->status[i] != STATUS_NAME_NOT_FOUND)
                keep_family(watch, i == 1);
    watch_sought(watch);
}

static void first_answered(void *user, enum status status, const struct dns_answer *answer) {
    answered(user, 0, status, answer);
}

static void second_answered(void *user, enum status status, const struct dns_answer *answer) {
    answered(user, 1, status, answer);
}

void seek_begin(struct watch *watch) {
    struct loop *loop = watch->registry->runtime->loop;
    struct seek *seek = &watch->seek;
    bool both = watch->records == CONFIG_RECORDS_A;
    *seek = (struct seek){
        .watch = watch,
        .ttl = UINT32_MAX,
        .status = {STATUS_RESOLVE_FAILED, both ? STATUS_RESOLVE_FAILED : STATUS_NAME_NOT_FOUND}};
    seek->found = memory_array(FOUND_MAX, sizeof(struct known *));
    watch->ask_at = MONO_NEVER;
    if (seek->found) {
        seek->asks[0] = records_ask(loop, watch->dns, both ? DNS_A : DNS_SRV, first_answered, watch);
        if (both)
            seek->asks[1] = records_ask(loop, watch->dns, DNS_AAAA, second_answered, watch);
    }
    if (!seek->asks[0] && !seek->asks[1])
        watch_sought(watch);
}

void seek_forget(struct watch *watch) {
    for (unsigned i = 0; i < 2; i++)
        if (watch->seek.asks[i])
            records_forget(watch->seek.asks[i]);
    known_free_all(&watch->seek.found, &watch->seek.count);
    watch->seek = (struct seek){0};
}
