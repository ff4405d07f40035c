/* PROXY headers: what is read of all is not read of less, and never more is asked for than there is. */
#include "base/assert.h"
#include "base/memory.h"
#include "protocol/proxy/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct proxy_header header = {0}, again;
    const char *why = NULL;
    enum proxy_result result = proxy_header_read(slice_make(data, size), &header, &why);
    ASSERT((why != NULL) == (result == PROXY_BROKEN));
    if (result == PROXY_MORE) {
        ASSERT(size < PROXY_HEADER_MAX && proxy_header_wants(slice_make(data, size)) >= 1);
        return 0;
    }
    if (result != PROXY_WHOLE)
        return 0;
    ASSERT(header.size <= size && header.size <= PROXY_HEADER_MAX);
    ASSERT(header.is_shown == (header.source.family != ADDRESS_NONE));
    for (size_t less = 0; less < header.size; less++)
        ASSERT(proxy_header_read(slice_make(data, less), &again, &why) == PROXY_MORE);
    ASSERT(proxy_header_read(slice_make(data, header.size), &again, &why) == PROXY_WHOLE);
    ASSERT(address_equal(&again.source, &header.source) && again.size == header.size);
    return 0;
}
