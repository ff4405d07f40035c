/* Whether one thing is the same in two configurations, endpoints of a system aside. diff.c walks. */
#ifndef CONFIG_SAME_H
#define CONFIG_SAME_H

#include "config/config.h"

bool same_url(const struct config_url *a, const struct config_url *b);
/* Each by its index on either side. */
bool same_listener(const struct config *before, uint32_t left, const struct config *after, uint32_t right);
bool same_system(const struct config *before, uint32_t left, const struct config *after, uint32_t right);
bool same_route(const struct config *before, uint32_t left, const struct config *after, uint32_t right);
bool same_identity(const struct config *before, uint32_t left, const struct config *after, uint32_t right);
bool same_credential(const struct config *before, uint32_t left, const struct config *after, uint32_t right);
bool same_endpoint(const struct config *before, const struct config_endpoint *a, const struct config *after,
                   const struct config_endpoint *b);

#endif
