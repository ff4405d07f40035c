/* The one list of tables. */
#include "config/rows.h"

const struct config_rows *const config_tables[] = {
    &rows_process, &rows_listener, &rows_system,   &rows_endpoint,     &rows_policy,  &rows_route,
    &rows_security, &rows_identity, &rows_identity_key, &rows_observe, &rows_later, NULL,
};
