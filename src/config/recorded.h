/* A configuration together with all that was read for it, so that another process can load the very same again, secrets
 * included: for logs of inputs. */
#ifndef CONFIG_RECORDED_H
#define CONFIG_RECORDED_H

#include "config/load.h"

/* As config_load(); what the source answered is added to `out`. NO_MEMORY or TOO_LARGE when `out` could not hold it,
 * nothing is loaded then. */
enum status config_load_recorded(const struct config_options *options, struct slice path, struct buffer *out,
                                 struct config **ret_config, struct config_report *report);
/* Loads what the former recorded. PROTOCOL_ERROR when `recorded` is no such thing. */
enum status config_load_again(struct slice recorded, struct config **ret_config,
                              struct config_report *report);
/* The same with one more set laid over it, which must ask for nothing: `a/b/c=VALUE`. */
enum status config_load_again_with(struct slice recorded, struct slice set, struct config **ret_config,
                                   struct config_report *report);

#endif
