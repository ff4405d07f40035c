/* The one list of tables. */
#include "config/rows.h"

const struct config_rows *const config_tables[] = {
    &rows_process, &rows_listener, &rows_system,   &rows_endpoint,     &rows_policy,  &rows_route,
    &rows_security, &rows_identity, &rows_identity_key, &rows_observe, &rows_middleware, &rows_later, NULL,
};

size_t row_value_size(const struct config_row *row) {
    bool is_small = row->type == ROW_SHARE || row->type == ROW_ENUM;
    bool is_text = row->type == ROW_NAME || row->type == ROW_TEXT || row->type == ROW_PATH || row->type == ROW_HTTP_URL ||
                   row->type == ROW_CESQL || row->type == ROW_TEMPLATE || row->type == ROW_ATTRIBUTE;
    return row->type == ROW_BOOLEAN ? sizeof(bool) : is_small ? sizeof(uint32_t) : is_text ? sizeof(struct slice) : sizeof(uint64_t);
}
