/* Runs the CESQL conformance suite (cesql_tck of cloudevents/spec): $INTERTIE_CONFORMANCE/cesql-tck, else
 * shared/conformance/cesql-tck beside the source tree. Where it isn't there, that is said and counted as skipped. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/text.h"
#include "policy/cesql.h"

#define CASES_EXPECTED 275

/* A case of the suite that contradicts the text of the standard. */
static const char *const stale[] = {
    "Invalid int cast", /* `NOT 10`: section 3.7 casts any Integer to Boolean, so it is false without an error */
};

struct tally {
    unsigned passed;
    unsigned failed;
    unsigned skipped;
};

/* -- YAML -- */

static yaml_node_t *member(yaml_document_t *document, yaml_node_t *map, const char *name) {
    assert_int_equal(map->type, YAML_MAPPING_NODE);
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(document, pair->key);
        if (key->type == YAML_SCALAR_NODE && strcmp((char *)key->data.scalar.value, name) == 0)
            return yaml_document_get_node(document, pair->value);
    }
    return NULL;
}

static struct slice scalar(const yaml_node_t *node) {
    assert_int_equal(node->type, YAML_SCALAR_NODE);
    return slice_make(node->data.scalar.value, node->data.scalar.length);
}

static bool is_plain(const yaml_node_t *node) {
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* -- events -- */

struct event {
    struct message message;
    struct buffer extra;
    uint8_t room[4096];
};

static void add(struct event *event, struct slice name, const yaml_node_t *value) {
    struct message_fault fault;
    struct slice text = scalar(value);
    enum attribute known = attribute_find(name);
    enum status status;
    int64_t integer;
    if (slice_is(name, "specversion"))
        return;
    if (known != ATTRIBUTE_OTHER) {
        status = message_add(&event->message, &event->extra, known, text, &fault);
    } else {
        enum attribute_type type = ATTRIBUTE_STRING;
        if (is_plain(value) && text_to_i64(text, &integer))
            type = ATTRIBUTE_INTEGER;
        else if (is_plain(value) && (slice_is(text, "true") || slice_is(text, "false")))
            type = ATTRIBUTE_BOOLEAN;
        status = message_add_named(&event->message, &event->extra, name, type, text, &fault);
    }
    if (status != STATUS_OK)
        fail_msg("%.*s: %s", SLICE_ARG(name), fault.text);
}

static void build(struct event *event, yaml_document_t *document, yaml_node_t *test) {
    static const char *const defaults[][2] = {{"id", "anId"}, {"source", "/aSource"}, {"type", "a.type"}};
    message_init(&event->message, SLICE_OF(""));
    buffer_init_fixed(&event->extra, event->room, sizeof event->room);
    yaml_node_t *whole = member(document, test, "event"), *overrides = member(document, test, "eventOverrides");
    yaml_node_t *given = whole ? whole : overrides;
    for (size_t i = 0; !whole && i < COUNT_OF(defaults); i++) {
        struct message_fault fault;
        if (!overrides || !member(document, overrides, defaults[i][0]))
            assert_int_equal(message_add(&event->message, &event->extra, attribute_find(slice_from(defaults[i][0])),
                                         slice_from(defaults[i][1]), &fault),
                             STATUS_OK);
    }
    for (yaml_node_pair_t *pair = given ? given->data.mapping.pairs.start : NULL;
         given && pair < given->data.mapping.pairs.top; pair++)
        add(event, scalar(yaml_document_get_node(document, pair->key)), yaml_document_get_node(document, pair->value));
    struct message_fault fault;
    assert_int_equal(message_seal(&event->message, &event->extra, &fault), STATUS_OK);
}

/* -- a case -- */

static unsigned error_bit(struct slice name) {
    for (unsigned i = 0; i < CESQL_ERROR_COUNT; i++)
        if (slice_is(name, cesql_error_name((enum cesql_error)i)))
            return 1u << i;
    fail_msg("unknown error `%.*s`", SLICE_ARG(name));
    return 0;
}

static void show(struct buffer *out, const struct cesql_result *result) {
    if (result->type == CESQL_STRING)
        buffer_add(out, result->text);
    else if (result->type == CESQL_INTEGER)
        buffer_add_i64(out, result->number);
    else
        buffer_add_text(out, result->number ? "true" : "false");
}

static bool value_is(const struct cesql_result *result, const yaml_node_t *wanted) {
    uint8_t room[256];
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    show(&out, result);
    struct slice text = scalar(wanted);
    bool same = result->type == CESQL_BOOLEAN ? slice_equal_nocase(buffer_slice(&out), text)
                                              : slice_equal(buffer_slice(&out), text);
    bool quoted_right = result->type == CESQL_STRING || is_plain(wanted);
    return same && quoted_right;
}

static bool run_case(yaml_document_t *document, yaml_node_t *test) {
    static uint8_t scratch[CESQL_SCRATCH_MAX];
    yaml_node_t *result_node = member(document, test, "result"), *error_node = member(document, test, "error");
    unsigned wanted_errors = error_node ? error_bit(scalar(error_node)) : 0;
    static struct event event;
    struct arena arena;
    const struct cesql *cesql = NULL;
    struct cesql_fault fault;
    struct cesql_result result = {.type = CESQL_BOOLEAN};
    arena_init(&arena, 1 << 20);
    build(&event, document, test);
    enum status status = cesql_compile(scalar(member(document, test, "expression")), NULL, &arena, &cesql, &fault, NULL);
    struct now now = {{0}, {0}};
    if (status == STATUS_OK)
        cesql_evaluate(cesql, &event.message, now, scratch, &result);
    else
        result.errors = 1u << fault.error;
    bool good = result.errors == wanted_errors && (!result_node || value_is(&result, result_node));
    bool passes = status == STATUS_OK && cesql_matches(cesql, &event.message, now);
    good = good && passes == (!result.errors && result.type == CESQL_BOOLEAN && result.number);
    if (!good)
        print_message("# errors %#x, type %u, number %d, text %.*s, fault %s\n", result.errors, (unsigned)result.type,
                      result.number, SLICE_ARG(result.text), fault.text);
    arena_done(&arena);
    return good;
}

/* -- the suite -- */

static bool is_stale(struct slice name) {
    for (size_t i = 0; i < COUNT_OF(stale); i++)
        if (slice_is(name, stale[i]))
            return true;
    return false;
}

static void run_file(const char *path, struct tally *tally) {
    yaml_parser_t parser;
    yaml_document_t document;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_file(&parser, file);
    assert_true(yaml_parser_load(&parser, &document));
    yaml_node_t *tests = member(&document, yaml_document_get_root_node(&document), "tests");
    assert_non_null(tests);
    for (yaml_node_item_t *item = tests->data.sequence.items.start; item < tests->data.sequence.items.top; item++) {
        yaml_node_t *test = yaml_document_get_node(&document, *item);
        struct slice name = scalar(member(&document, test, "name"));
        if (is_stale(name)) {
            tally->skipped++;
            print_message("# skipped: %.*s\n", SLICE_ARG(name));
        } else if (run_case(&document, test)) {
            tally->passed++;
        } else {
            tally->failed++;
            print_message("# failed: %s: %.*s: %.*s\n", path, SLICE_ARG(name),
                          SLICE_ARG(scalar(member(&document, test, "expression"))));
        }
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    fclose(file);
}

static DIR *open_suite(char *path, size_t size) {
    const char *conformance = getenv("INTERTIE_CONFORMANCE"), *source = getenv("INTERTIE_SOURCE");
    if (conformance)
        (void)snprintf(path, size, "%s/cesql-tck", conformance);
    else
        (void)snprintf(path, size, "%s/../shared/conformance/cesql-tck", source ? source : ".");
    return opendir(path);
}

static void conformance_suite_passes(void **state) {
    (void)state;
    char folder[2048], path[4096];
    DIR *dir = open_suite(folder, sizeof folder);
    if (!dir) {
        print_message("# skipped: no %s; %d cases not run\n", folder, CASES_EXPECTED);
        skip();
    }
    struct tally tally = {0};
    for (const struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (length < 6 || strcmp(entry->d_name + length - 5, ".yaml") != 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        run_file(path, &tally);
    }
    closedir(dir);
    print_message("# conformance: %u passed, %u failed, %u skipped\n", tally.passed, tally.failed, tally.skipped);
    assert_int_equal(tally.failed, 0);
    assert_int_equal(tally.skipped, COUNT_OF(stale));
    assert_int_equal(tally.passed + tally.skipped, CASES_EXPECTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformance_suite_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
