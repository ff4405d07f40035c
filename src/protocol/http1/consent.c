/* The handshake before webhooks, both sides. Consent gives nobody a right: what is sent then is judged as any other request. It just
 * says that events are welcome at this path, so that others can't be made to send them to somebody who never asked. */
#include "protocol/http1/consent.h"

#include <stdio.h>

#include "base/text.h"
#include "protocol/http1/api.h"

#define ORIGIN_MAX 253u /* bytes of a DNS name */
#define RATE_DIGITS 9u

const char *consent_is_asked(const struct http1 *h, const struct http1_head *head) {
    uint8_t room[API_ROOM];
    struct api_route route;
    if (!slice_is(head->method, "OPTIONS") || h->setup->is_admin || h->setup->websocket.only ||
        !http1_find(head, SLICE_OF("webhook-request-origin")).data)
        return NULL;
    api_route(head, room, &route);
    return route.place == API_OPTIONS && route.is_messages ? route.allow : NULL;
}

/* A name of DNS, perhaps with scheme and port: what is told back is nothing else. */
static bool is_origin(struct slice origin) {
    for (size_t i = 0; i < origin.size; i++)
        if (!text_is_alpha(origin.data[i]) && !text_is_digit(origin.data[i]) &&
            !strchr("-._:/", origin.data[i]))
            return false;
    return origin.size > 0 && origin.size <= ORIGIN_MAX;
}

int consent_lines(const struct http1_head *head, char out[static CONSENT_LINES_MAX]) {
    struct slice origin = http1_find(head, SLICE_OF("webhook-request-origin"));
    struct slice rate = http1_find(head, SLICE_OF("webhook-request-rate"));
    uint64_t asked = 0;
    if (!is_origin(origin))
        return 0;
    if (rate.size > RATE_DIGITS || !text_to_u64(rate, &asked) || asked == 0)
        rate = SLICE_OF("*");
    return snprintf(out, CONSENT_LINES_MAX, "WebHook-Allowed-Origin: %.*s\r\nWebHook-Allowed-Rate: %.*s\r\n",
                    SLICE_ARG(origin), SLICE_ARG(rate));
}

bool consent_objection(struct slice origin, const struct http1_head *head, uint32_t *ret_rate, char words[static CONSENT_WORDS_MAX]) {
    struct slice allowed = http1_find(head, SLICE_OF("webhook-allowed-origin")), rate = http1_find(head, SLICE_OF("webhook-allowed-rate"));
    uint64_t count = 0;
    *ret_rate = 0;
    if (!allowed.data || !rate.data) {
        (void)snprintf(words, CONSENT_WORDS_MAX, "no consent to send webhooks: the answer (status %u) to OPTIONS has no `WebHook-Allowed-%s`", head->code,
                       allowed.data ? "Rate" : "Origin");
        return true;
    }
    if (!slice_is(allowed, "*") && !slice_equal_nocase(allowed, origin)) {
        (void)snprintf(words, CONSENT_WORDS_MAX, "no consent to send webhooks: `WebHook-Allowed-Origin` names another than `%.*s`",
                       SLICE_ARG(slice_head(origin, 60)));
        return true;
    }
    if (slice_is(rate, "*"))
        return false;
    if (!text_to_u64(rate, &count) || count == 0) {
        (void)snprintf(words, CONSENT_WORDS_MAX, "no consent to send webhooks: `WebHook-Allowed-Rate` is neither `*` nor a number above 0");
        return true;
    }
    *ret_rate = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    return false;
}
