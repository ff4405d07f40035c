/* An answer of a name server: byte 0 says what was asked for, the rest is the message. */
#include "base/assert.h"
#include "base/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct dns_answer answer;
    static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_SRV};
    if (size == 0)
        return 0;
    enum dns_type type = types[bytes[0] % 3];
    enum status status = dns_read(slice_make(bytes + 1, size - 1), SLICE_OF("a.example"), type, &answer);
    ASSERT(status == STATUS_OK || status == STATUS_NAME_NOT_FOUND || status == STATUS_PROTOCOL_ERROR);
    ASSERT(status != STATUS_OK || (answer.count > 0 && answer.count <= DNS_RECORDS_MAX));
    for (uint32_t i = 0; status == STATUS_OK && i < answer.count; i++) {
        const struct dns_record *record = &answer.records[i];
        ASSERT(record->ttl >= answer.ttl);
        ASSERT(type != DNS_SRV || (record->size > 0 && record->size <= DNS_NAME_MAX && record->port > 0));
        for (uint16_t k = 0; k < record->size; k++)
            ASSERT(record->target[k] > 0x20 && record->target[k] < 0x7f && record->target[k] != '{');
    }
    return 0;
}
