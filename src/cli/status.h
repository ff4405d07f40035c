/* What the router says of itself, as a table: for status and top. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "base/buffer.h"
#include "base/clock.h"

#define STATUS_NAME_MAX 64

/* What changed since the last look, for those who look again and again. */
struct status_rates {
    struct status_count {
        char name[STATUS_NAME_MAX];
        uint64_t out; /* delivered and replied */
    } * counts;
    size_t count;
    uint64_t received, out;
    double cpu_seconds;
    int64_t pid; /* another one begins anew */
    struct mono at;
    /* of the time between the last two looks; -1: not known yet */
    double in_per_second, out_per_second, cpu_share;
    double *out_of; /* by system, in the document's order; NULL: not known yet */
};
/* After each look, `document` being the answer of /api/v1/status. Without memory rates are not known. */
void status_rates_look(struct status_rates *rates, struct slice document, struct mono now);
void status_rates_done(struct status_rates *rates);

struct status_style {
    bool has_colours;
    size_t columns; /* cut there; 0: not at all */
    size_t skip; /* so many lines of the table are left out */
    size_t rows; /* lines at most, 0: any number: the last one tells of the others */
};
/* Lines, each with its end. `rates` may be NULL: the router's own are shown then. What peers have said is shown without a byte
 * that a terminal would obey. */
/* Returns how many lines the table has, those too that were left out. */
size_t status_write(struct buffer *out, struct slice document, const struct status_rates *rates,
                    struct wall now, const struct status_style *style);

/* `12 s ago: 5 failures in a row, with 1 of 2 workers`: what there is to say of an endpoint beside its state; may be empty. */
void status_note(struct buffer *out, struct slice endpoint, struct wall now);
/* A string of a document as it is shown. */
void status_words(struct buffer *out, struct slice raw);
uint64_t status_number(struct slice document, const char *path);

#endif
