/* Answers of name servers, as bytes: which records are the answer to a question, and how long they hold (RFC 1035, 2782,
 * 3596). Whoever answers may be hostile: all that isn't right is left out or makes the answer bad, and nothing is believed
 * about names other than the one that was asked for and those that its aliases lead to. Pure. */
#ifndef BASE_DNS_H
#define BASE_DNS_H

#include "base/address.h"
#include "base/status.h"

#define DNS_NAME_MAX 253 /* without the root; RFC 1035 section 2.3.4 */
#define DNS_RECORDS_MAX 512 /* of one answer that are taken; more are left out */
#define DNS_CHAIN_MAX 8 /* aliases that lead to one another */

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33 };

struct dns_record {
    uint32_t ttl; /* seconds */
    uint16_t priority, weight, port; /* SRV */
    uint16_t size; /* SRV: of target */
    struct address address; /* A, AAAA */
    char target[DNS_NAME_MAX + 1]; /* SRV: in lower case, fit for a host; with NUL */
};

struct dns_answer {
    uint32_t ttl; /* the shortest of them and of the aliases on the way; UINT32_MAX: nothing says */
    uint32_t count;
    uint32_t left_out; /* records that were no use: too many, or no host */
    struct dns_record records[DNS_RECORDS_MAX];
};

/* `message`: a whole answer. OK with at least one record; NAME_NOT_FOUND: it says that there are none;
 * PROTOCOL_ERROR: it can't be read. `name` with or without the last dot. */
enum status dns_read(struct slice message, struct slice name, enum dns_type type, struct dns_answer *ret);

#endif
