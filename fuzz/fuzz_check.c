/* Check lines and partial bodies: whatever is asked of whatever body, the answer is yes, or no in words. Input: a line, a
 * line end, a body; the body is also compared with itself, as a partial body. */
#include <stdlib.h>

#include "base/assert.h"
#include "testing/check.h"
#include "testing/like.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct check_field fields[] = {{"status", CHECK_NUMBER, CHECK_PLAIN, false},
                                            {"duration", CHECK_NUMBER, CHECK_NS, false},
                                            {"alive", CHECK_BOOLEAN, CHECK_PLAIN, true}};

static void field(void *context, size_t row, struct slice argument, struct check_value *ret) {
    (void)context;
    *ret = (struct check_value){.type = fields[row].type, .unit = fields[row].unit, .number = 200, .boolean = argument.size > 0};
}

static bool header(void *context, struct slice name, unsigned n, struct slice *ret) {
    *ret = *(struct slice *)context;
    return name.size == 1 && n < 3;
}

static bool get(void *context, struct slice name, struct json_node *ret) {
    (void)context;
    *ret = (struct json_node){.type = name.size > 1 ? JSON_STRING : JSON_TRUE, .text = name};
    return name.size < 5;
}

static const struct variables variables = {get, NULL};

static void ask(struct slice line, struct check_subject *subject, struct arena *arena) {
    struct check *check;
    struct check_fault fault = {0};
    struct check_difference difference = {0};
    if (check_new(line, fields, sizeof fields / sizeof *fields, arena, &check, &fault) != STATUS_OK) {
        ASSERT(fault.text[0] && fault.offset <= line.size);
        return;
    }
    enum status status = check_run(check, subject, &variables, &difference);
    ASSERT(status == STATUS_OK || (difference.found[0] && difference.query[0] && difference.offset <= line.size));
    check_free(check);
}

static void compare(const struct json_tree *tree, struct arena *arena) {
    struct like *like;
    struct like_difference difference = {0};
    struct fault fault = {0};
    uint32_t node = 0;
    if (like_new(tree, arena, &like, &node, &fault) != STATUS_OK) {
        ASSERT(fault.text[0] && node < tree->count);
        return;
    }
    if (like_compare(like, tree, JSON_TREE_ROOT, &variables, &difference) != STATUS_OK)
        ASSERT(difference.expected < tree->count && difference.wanted[0] && difference.found[0]);
    like_free(like);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = slice_make(data, size), line = slice_head(all, slice_find(all, '\n'));
    struct check_subject subject = {.field = field, .header = header, .body = slice_skip(all, line.size + 1)};
    struct json_tree tree;
    struct fault fault = {0};
    struct arena arena;
    arena_init(&arena, 1 << 22);
    subject.context = &subject.body;
    if (json_tree_parse(subject.body, 1000, 0, &arena, &tree, &fault) == STATUS_OK) {
        subject.json = &tree;
        compare(&tree, &arena);
    } else
        subject.json_why = fault.text;
    ask(line, &subject, &arena);
    arena_done(&arena);
    return 0;
}
