/* The event that send and call make from their options. */
#ifndef CLI_EVENT_H
#define CLI_EVENT_H

#include "cli/cli.h"
#include "message/message.h"

struct cli_event {
    struct message message;
    struct buffer data;
    struct buffer extra;
};

/* `kind`: when --kind isn't given; NULL: event. Not CLI_DONE: told. cli_event_done() after, in any case. */
int cli_event_make(struct cli_event *event, const struct cli_options *options, const char *kind);
void cli_event_done(struct cli_event *event);
/* TEXT, @FILE or - . */
int cli_read_data(const struct cli_options *options, const char *text, struct buffer *out);
#define CLI_KEY_MAX (256u << 10) /* of its buffer: files are read in steps */
/* --key-file or $INTERTIE_KEY; empty when neither is there. */
int cli_key(const struct cli_options *options, struct buffer *out);

#endif
