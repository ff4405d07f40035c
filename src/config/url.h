/* URLs of listeners and endpoints: the same word is the same wire on both sides. */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include "config/scalar.h"

enum url_role { URL_LISTENER, URL_ENDPOINT, URL_ADMIN, URL_PREFIX };

/* Texts of *ret_url are slices of `text`, except an empty http path, which is "/". `schemes` is the row's list of words;
 * NULL: http and https. A planned scheme is a refusal with *ret_planned. */
bool url_parse(struct slice text, enum url_role role, const char *schemes, struct config_url *ret_url, bool *ret_planned,
               struct scalar_why *why);

#endif
