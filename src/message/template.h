/* Texts with `{...}` in them that are filled from a message: paths, header values.
 *
 *   {subject}           an attribute's canonical text
 *   {data:/order/id}    what a JSON pointer (RFC 6901) finds in the data: a string, number or boolean
 *   {header:x-tenant}   a field of `httpheaders`, else of `msgheaders`
 *   {path:sku}          a part of the path that a REST route named, from `httpparams`
 *   {subject|none}      with a default, which may be empty
 *   {{  }}              the braces themselves */
#ifndef MESSAGE_TEMPLATE_H
#define MESSAGE_TEMPLATE_H

#include "base/arena.h"
#include "message/message.h"

#define TEMPLATE_PARTS_MAX 64

struct template;

struct template_fault {
    enum status status;
    size_t offset; /* into the text */
    char text[160];
};

enum template_escape {
    TEMPLATE_PLAIN,   /* a value with a control character in it, CR and LF above all, is refused */
    TEMPLATE_PERCENT, /* all but unreserved characters of values are percent-encoded (RFC 3986 section 2.3) */
    TEMPLATE_RAW,     /* as it is: for where nothing can be mistaken for something else */
};

/* Attributes must be known or `declared`. The text is used until the arena ends. STATUS_BAD_CONFIG, NO_MEMORY. */
enum status template_compile(struct slice text, const struct attribute_declared *declared, struct arena *arena,
                             const struct template **ret, struct template_fault *fault);
/* Appends the filled text. STATUS_TEMPLATE_MISSING for a value that is absent and has no default, or that can't stand in
 * a text; STATUS_NOT_REPRESENTABLE for one with control characters; else `out`'s own. */
enum status template_write(const struct template *template, const struct message *message, enum template_escape escape,
                           struct buffer *out);
bool template_is_literal(const struct template *template);

/* `httpheaders` is a JSON array of [name, value] pairs: the next one; false at the end, or where it breaks the form
 * (then `reader->is_bad`). Values are unescaped into `room` where they have escapes: U+0080 to U+00FF are bytes again,
 * what lies beyond breaks the form. */
struct http_pairs {
    struct slice rest; /* for the reader alone */
    bool began;
    bool is_bad;
};
bool http_pairs_next(struct http_pairs *reader, struct buffer *room, struct slice *ret_name, struct slice *ret_value);
/* Appends `["name","value"]` with a comma before it unless it is the first. */
void http_pairs_add(struct buffer *out, struct slice name, struct slice value);

#endif
