/* Values side by side. Recursion is as deep as documents are. */
#include "jsonschema/equal.h"

#include "jsonschema/decimal.h"

static bool equal_numbers(struct slice a, struct slice b) {
    struct decimal left, right;
    if (slice_equal(a, b))
        return true;
    return decimal_parse(a, &left) && decimal_parse(b, &right) && decimal_compare(&left, &right) == 0;
}

static bool equal_objects(const struct document *a, uint32_t left, const struct document *b, uint32_t right,
                          uint64_t *steps, uint64_t steps_max) {
    for (uint32_t i = left + 1; i < document_at(a, left)->end; i = document_at(a, i + 1)->end) {
        const struct document_node *name = document_at(a, i);
        *steps += document_at(b, right)->count;
        uint32_t other = document_member(b, right, name->text, document_hash(b, name->text));
        if (other == UINT32_MAX || !equal_values(a, i + 1, b, other, steps, steps_max))
            return false;
    }
    return true;
}

bool equal_values(const struct document *a, uint32_t left, const struct document *b, uint32_t right,
                  uint64_t *steps, uint64_t steps_max) {
    const struct document_node *x = document_at(a, left), *y = document_at(b, right);
    *steps += 1 + (x->text.size < y->text.size ? x->text.size : y->text.size) / 64;
    if (*steps > steps_max || x->type != y->type)
        return false;
    if (x->type == JSON_NUMBER)
        return equal_numbers(x->text, y->text);
    if (x->type == JSON_STRING)
        return slice_equal(x->text, y->text);
    if (x->count != y->count)
        return false;
    if (x->type == JSON_OBJECT)
        return equal_objects(a, left, b, right, steps, steps_max);
    uint32_t k = right + 1;
    for (uint32_t i = left + 1; x->type == JSON_ARRAY && i < x->end;
         i = document_at(a, i)->end, k = document_at(b, k)->end)
        if (!equal_values(a, i, b, k, steps, steps_max))
            return false;
    return true;
}
