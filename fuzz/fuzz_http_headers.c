/* Events from HTTP header fields. Input: lines `name: value`, ended by LF; after an empty line the body. */
#include "event_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct event event;
    struct slice rest = slice_make(size ? data : (const uint8_t *)"", size);
    struct slice type = {0};
    struct slice body = rest;
    if (size > EVENT_SIZE_MAX)
        return 0;
    while (body.size) { /* behind the first empty line */
        size_t line = slice_find(body, '\n');
        body = slice_skip(body, line + 1);
        if (line == 0)
            break;
    }
    event_init(&event);
    message_init(&event.message, body);
    while (rest.size) {
        struct slice line = slice_head(rest, slice_find(rest, '\n'));
        rest = slice_skip(rest, line.size + 1);
        if (line.size == 0)
            break;
        size_t colon = slice_find(line, ':');
        struct slice name = slice_head(line, colon);
        struct slice value = slice_skip(line, colon + 1);
        if (slice_equal_nocase(name, SLICE_OF("content-type"))) {
            type = value;
            continue;
        }
        enum status status = message_http_header(&event.message, &event.extra, name, value, &event_rules, &event.fault);
        if (status != STATUS_OK) {
            ASSERT(event.fault.status == status && event.fault.text[0]);
            return 0;
        }
    }
    if (message_http_finish(&event.message, &event.extra, type, &event.fault) != STATUS_OK)
        return 0;
    event_check(&event.message);
    event_check_kept(&event.message);
    return 0;
}
