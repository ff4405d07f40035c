/* Finding the running router and asking its admin surface. */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "cli/cli.h"
#include "cli/wire.h"

/* Asks METHOD TARGET where the options, the environment or the configuration say that the router is; first its Unix
 * socket, then its URL. CLI_NO_ROUTER (told) when nobody is there. http_reply_done() after, in any case. */
int control_ask(const struct cli_options *options, const char *method, const char *target, struct slice body,
                struct http_reply *ret);
/* As above without a word when nobody is there. */
int control_try(const struct cli_options *options, const char *method, const char *target, struct slice body,
                struct http_reply *ret, struct fault *fault);
/* Text of a member of a JSON object, by path ("problem/reason"); data NULL when absent. Numbers come as written. Escapes
 * stay. */
struct slice json_member(struct slice object, const char *path);
/* What a string member says, escapes resolved, cut to `room`. Returns `out`. */
const char *control_words(struct slice raw, char *out, size_t room);
/* Walks an array: start with *at = 0. */
bool json_element(struct slice array, size_t *at, struct slice *ret_element);
/* A pause. */
void control_rest(int64_t time_ns);
/* Tells a problem document of the router: words on standard error, or the document with --json. Returns CLI_REFUSED. */
int control_refused(const struct cli_options *options, const struct http_reply *reply);

#endif
