/* permessage-deflate (RFC 7692) without context takeover on either side: each message stands for itself, so that the
 * contexts are the worker's and a connection needs none. */
#ifndef PROTOCOL_WEBSOCKET_DEFLATE_H
#define PROTOCOL_WEBSOCKET_DEFLATE_H

#include "base/buffer.h"

#define WS_DEFLATE_LEAST 1024u      /* bytes from which on it is worth the time */
#define WS_INFLATE_RATIO 100u       /* what comes out may be so many times what came in.. */
#define WS_INFLATE_RATIO_FROM 65536u /* ..beyond that much */

struct ws_zip; /* two zlib contexts, each made when it is first used */

/* Into `out`, which is cleared first; its `max` is the limit. TOO_LARGE: past it, or past the ratio; MALFORMED_EVENT: it
 * is no deflate data; NO_MEMORY. `zip` is made where it is NULL. */
enum status ws_inflate(struct ws_zip **zip, struct slice packed, struct buffer *out);
/* Into `out`, cleared first. `bits`: the window that the peer can take, 9 to 15. False: memory is out, or it doesn't get
 * smaller. */
bool ws_deflate(struct ws_zip **zip, struct slice bytes, unsigned bits, struct buffer *out);
void ws_zip_done(struct ws_zip **zip);

#endif
