/* What is written from the rows: an editor's schema and the reference. */
#ifndef CONFIG_WRITE_H
#define CONFIG_WRITE_H

#include "base/buffer.h"
#include "base/status.h"

/* JSON Schema 2020-12 of a configuration. Planned keys are there and take nothing, so that editors say so. */
enum status config_schema(struct buffer *out);
/* docs/configuration-reference.md. */
enum status config_reference(struct buffer *out);
/* One line a key or value: `now listeners.*.url`, `planned listeners.*.url=https`; sorted as the tables are. */
enum status config_surface(struct buffer *out);

#endif
