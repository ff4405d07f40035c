/* The handshake before webhooks (CloudEvents HTTP webhooks 1.0 section 4): who wants to send asks whether it may, from
 * where and how often. */
#ifndef PROTOCOL_HTTP1_CONSENT_H
#define PROTOCOL_HTTP1_CONSENT_H

#include "protocol/http1/inner.h"

/* Accepted: the methods of the path where a request asks for consent to send events there; NULL: it doesn't. */
const char *consent_is_asked(const struct http1 *h, const struct http1_head *head);
#define CONSENT_LINES_MAX 400
/* The header lines that give it; returns their size. 0: who asks has no name that could be told back. */
int consent_lines(const struct http1_head *head, char out[static CONSENT_LINES_MAX]);

#define CONSENT_WORDS_MAX 160
/* Dialled: false: that answer gives `origin` consent, for `ret_rate` events a minute (0: any number). True: it does not,
 * `words` tell why. Its status means nothing. */
bool consent_objection(struct slice origin, const struct http1_head *head, uint32_t *ret_rate, char words[static CONSENT_WORDS_MAX]);

#endif
