/* What would become of a message, from the plan alone: the same questions as intake and router ask, in their order, but
 * answered without an engine. What only a running router knows (subscriptions, room, who is connected) is left open. */
#ifndef ENGINE_EXPLAIN_H
#define ENGINE_EXPLAIN_H

#include "engine/plan.h"

#define EXPLAIN_DETAIL_MAX 200

struct explain_ask {
    const struct message *message; /* sealed */
    uint32_t system; /* as whom it is sent; CONFIG_NONE: nobody in particular */
    uint32_t listener; /* where it comes in; CONFIG_NONE: nobody said, so whether a key is due is left open */
    size_t size; /* bytes that it comes in */
    struct now now;
};

struct explain {
    enum status status; /* OK, or the first reason to refuse it; what is below is filled in anyway */
    char detail[EXPLAIN_DETAIL_MAX]; /* empty: the reason says it */
    uint32_t identity; /* that is needed to act as ask->system; SECURITY_NONE: none */
    uint32_t from; /* the sending system, or CONFIG_NONE */
    uint8_t priority;
    bool is_lowered; /* it asked for a higher one */
    bool is_unrouted; /* replies go to who asked, heartbeats nowhere */
    bool may_be_copied; /* subscriptions get it too, if there are any that want it */
    int route; /* index in plan->routes, -1: none */
    uint8_t way; /* enum config_way: of several `targets` one gets it, but with CONFIG_WAY_COPIES */
    bool to_all; /* of `targets` those that explain_skips() doesn't name */
    const struct plan_target *targets; /* of the plan */
    size_t target_count;
};

void explain_message(const struct plan *plan, const struct explain_ask *ask, struct explain *ret);
/* The rates that it would meet, in their order; at most `room` of them. */
size_t explain_rates(const struct plan *plan, const struct explain_ask *ask, const struct explain *explain,
                     const struct plan_rate **ret, size_t room);
void explain_rate_text(const struct plan_rate *rate, struct buffer *out);
bool explain_skips(const struct plan *plan, const struct explain *explain, uint32_t system);
/* What this endpoint would be asked: a REST service `METHOD PATH`, others nothing that is to be told. OK, or the status
 * that the message would end with there; then `out` has the path as it is written. */
enum status explain_request(const struct plan *plan, const struct plan_endpoint *endpoint,
                            const struct explain_ask *ask, struct buffer *out);

#endif
