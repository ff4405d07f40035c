/* Whether text is a legal value of its CloudEvents type. Pure; used by every decoder. */
#ifndef MESSAGE_CHECK_H
#define MESSAGE_CHECK_H

#include "message/attribute.h"

/* CloudEvents section 3.1.1 String: UTF-8 without control characters (U+0000-1F, U+007F-9F) and noncharacters. */
bool check_string(struct slice text);
/* RFC 3986 section 4.1, syntax. The empty one is legal. */
bool check_uri_reference(struct slice text);
/* RFC 3986 section 4.3 with or without a fragment: has a scheme. */
bool check_uri(struct slice text);
/* `host.name/package.Message` as google.protobuf.Any has it, without a scheme. */
bool check_type_url(struct slice text);
/* RFC 2045 section 5.1: type "/" subtype *(";" name "=" value), all printable ASCII. */
bool check_media_type(struct slice text);

/* Whether the canonical string form is legal for an attribute: NULL, or why it isn't ("must be ..."). `known` may be
 * ATTRIBUTE_OTHER. For Integer and Boolean use check_number(). */
const char *check_text(unsigned known, enum attribute_type type, struct slice text);
const char *check_number(unsigned known, enum attribute_type type, int32_t number);
/* Canonical Integer (no plus, no leading zero) and Boolean. */
bool check_parse_integer(struct slice text, int32_t *ret_number);
bool check_parse_boolean(struct slice text, int32_t *ret_number);

#endif
