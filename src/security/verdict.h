/* Who may do what. An identity does what its rules allow and no rule denies, and always takes what is for its own
 * system. A peer without identity may send anything, but acts only as systems that no identity names. The target `all`
 * is matched like a name. */
#ifndef SECURITY_VERDICT_H
#define SECURITY_VERDICT_H

#include "message/message.h"
#include "security/identity.h"

/* What is known of the connection that a message came over. */
struct verdict_peer {
    uint32_t identity;    /* SECURITY_NONE: none */
    uint32_t system;      /* as whom it acts: the identity's, the listener's, or the one it said hello as */
    uint8_t max_priority; /* of the listener, 1..5 */
};

struct verdict {
    enum status status;
    const char *text; /* why not, for the sender: names no system */
    uint32_t from;    /* the sending system, or SECURITY_NONE */
    uint8_t priority; /* what the message gets: never above what the peer may use */
    bool is_lowered;  /* to be counted */
};

/* Whether a peer may act as a system: its identity's own, or without identity one that no identity names. */
enum status verdict_act(const struct security *security, uint32_t identity, uint32_t system);

/* Whether this message may come in: `source`, `replyto`, the rules. Replies and heartbeats need no rule; whether the
 * replier was asked is for others to know. STATUS_OK, FORBIDDEN, SOURCE_NOT_ALLOWED. Reads only ATTRIBUTE_BITs of
 * VERDICT_READS and what is derived from `messagetype` and `priority`. */
struct verdict verdict_message(const struct security *security, const struct verdict_peer *peer,
                               const struct message *message);
#define VERDICT_READS \
    (ATTRIBUTE_BIT(ATTRIBUTE_SOURCE) | ATTRIBUTE_BIT(ATTRIBUTE_TYPE) | ATTRIBUTE_BIT(ATTRIBUTE_TARGET) | \
     ATTRIBUTE_BIT(ATTRIBUTE_REPLYTO) | ATTRIBUTE_BIT(ATTRIBUTE_MESSAGETYPE) | ATTRIBUTE_BIT(ATTRIBUTE_PRIORITY))

/* Whether it may subscribe at all; what it then gets is for verdict_receives(). */
enum status verdict_subscribe(const struct security *security, uint32_t identity);
/* Whether a subscription of this identity may have a copy of the message. */
bool verdict_receives(const struct security *security, uint32_t identity, const struct message *message);

/* The rules alone; `target` empty: none. */
bool verdict_allows(const struct security *security, uint32_t identity, enum security_verb verb, struct slice target,
                    struct slice type);

/* `/systems/NAME`, also below the public URL: the name. FORBIDDEN for anything else: nobody makes us dial. */
enum status verdict_replyto(const struct security *security, struct slice replyto, struct slice *ret_name);

#endif
