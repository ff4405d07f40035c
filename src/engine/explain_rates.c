/* Which rates a message would meet; rate.c is what it must agree with. */
#include "engine/explain.h"
#include "engine/plan_rate.h"

struct found {
    const struct plan_rate **list;
    size_t count, room;
};

static void add(struct found *found, const struct plan_rate *rate) {
    if (rate && found->count < found->room)
        found->list[found->count++] = rate;
}

size_t explain_rates(const struct plan *plan, const struct explain_ask *ask, const struct explain *told,
                     const struct plan_rate **ret, size_t room) {
    const struct plan_rates *rates = plan->rates;
    struct found found = {ret, 0, room};
    if (!rates || message_kind_replies((enum message_kind)ask->message->kind))
        return 0;
    add(&found, ask->listener == CONFIG_NONE ? NULL : rates->listeners[ask->listener]);
    add(&found, told->identity == SECURITY_NONE ? NULL : rates->identities[told->identity]);
    add(&found, told->route < 0 ? NULL : rates->routes[told->route]);
    for (size_t i = 0; i < told->target_count; i++)
        if (!explain_skips(plan, told, told->targets[i].system))
            add(&found, rates->systems[told->targets[i].system]);
    return found.count;
}

void explain_rate_text(const struct plan_rate *rate, struct buffer *out) {
    static const char *const by[] = {"identity", "system", "address", "all"};
    const struct rate_limit *messages = &rate->limits[PLAN_RATE_MESSAGES], *bytes = &rate->limits[PLAN_RATE_BYTES];
    buffer_add_format(out, "%s %.*s", plan_rate_word(rate->kind), SLICE_ARG(rate->name));
    if (messages->burst && messages->per_ns % 1000 == 0)
        buffer_add_format(out, "  %llu/s, %llu at once", (unsigned long long)(messages->per_ns / 1000),
                          (unsigned long long)messages->burst);
    else if (messages->burst)
        buffer_add_format(out, "  %llu in 1000 s, %llu at once", (unsigned long long)messages->per_ns,
                          (unsigned long long)messages->burst);
    if (bytes->burst)
        buffer_add_format(out, "  %lluB/s, %lluB at once", (unsigned long long)bytes->per_ns, (unsigned long long)bytes->burst);
    buffer_add_format(out, "  by %s", by[rate->by]);
}
