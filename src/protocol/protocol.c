/* The table of protocols. */
#include "protocol/protocol.h"

const struct protocol *const protocol_table[] = {
    &protocol_http1, &protocol_stream, &protocol_stream1, &protocol_ndjson, &protocol_frames,
    &protocol_fifo,  &protocol_websocket, &protocol_datagram, NULL,
};

const struct protocol *protocol_find(struct slice name) {
    for (size_t i = 0; protocol_table[i]; i++)
        if (slice_is(name, protocol_table[i]->name))
            return protocol_table[i];
    return NULL;
}
