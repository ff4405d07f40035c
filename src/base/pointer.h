/* JSON pointers (RFC 6901): `/order/items/0`. Empty is the whole. Texts are read as they stand, nothing is built. */
#ifndef BASE_POINTER_H
#define BASE_POINTER_H

#include "base/json.h"

#define POINTER_TOKEN_MAX 256 /* bytes of one reference token that has escapes; a longer one finds nothing */

/* Empty, or `/` first; `~` only as `~0` and `~1`. */
bool pointer_is_valid(struct slice pointer);
/* Takes the first token off, as it is written. False at the end. */
bool pointer_next(struct slice *pointer, struct slice *ret_token);
/* What the token means, `~1` being `/` and `~0` `~`: `token` itself, or `room`. Data NULL where it has no room. */
struct slice pointer_token(struct slice token, uint8_t room[static POINTER_TOKEN_MAX]);
/* Whether it names that member. */
bool pointer_names(struct slice token, const struct json_item *name);
/* Whether it is that index of an array. */
bool pointer_is_index(struct slice token, uint64_t index);
/* What stands there in `text`, which is JSON; of a member that is there twice the first. False: nothing does, or it is
 * no JSON. */
bool pointer_find(struct slice text, struct slice pointer, struct json_item *ret);

#endif
