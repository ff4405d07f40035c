/* Runs the JSON-Schema-Test-Suite: $INTERTIE_CONFORMANCE/json-schema-test-suite/tests/draft2020-12, else that below
 * shared/conformance beside the source tree. Where it isn't there, that is said and counted as skipped. A schema of the
 * suite that is beyond the subset must be refused; each such is named here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "jsonschema/jsonschema.h"

static const char *const files[] = {
    "additionalProperties",
    "allOf",
    "anchor",
    "anyOf",
    "boolean_schema",
    "const",
    "contains",
    "content",
    "default",
    "defs",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if-then-else",
    "infinite-loop-detection",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "ref",
    "required",
    "type",
    "uniqueItems",
    "optional/bignum",
    "optional/ecmascript-regex",
    "optional/non-bmp-regex",
    "optional/float-overflow",
};

/* Cases whose result is another one here: `\s` is white space of ASCII, as PCRE2 has it, not that of Unicode. */
static const struct {
    const char *file, *group;
} apart[] = {
    {"optional/ecmascript-regex", "ECMA 262 \\s matches whitespace"},
    {"optional/ecmascript-regex", "ECMA 262 \\S matches everything but whitespace"},
};

struct tally {
    unsigned passed, failed, refused, apart;
};

static char folder[512];

static bool read_file(const char *name, struct buffer *out) {
    char path[700];
    uint8_t bytes[4096];
    size_t size;
    (void)snprintf(path, sizeof path, "%s/%s.json", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0)
        buffer_add(out, slice_make(bytes, size));
    (void)fclose(file);
    return out->status == STATUS_OK;
}

static uint32_t member(const struct document *document, uint32_t node, const char *name) {
    uint32_t found =
        document_member(document, node, slice_from(name), document_hash(document, slice_from(name)));
    assert_true(found != UINT32_MAX);
    return found;
}

/* All bytes of the value: up to where the next one begins. */
static struct slice bytes_of(const struct document *document, struct slice text, uint32_t node) {
    struct json json;
    struct json_item item;
    struct slice rest = slice_skip(text, document_at(document, node)->at);
    json_init(&json, rest, 0);
    assert_true(json_skip(&json, &item) != JSON_ERROR);
    return slice_head(rest, json_offset(&json));
}

static bool is_apart(const char *file, struct slice group) {
    for (size_t i = 0; i < COUNT_OF(apart); i++)
        if (strcmp(apart[i].file, file) == 0 && slice_is(group, apart[i].group))
            return true;
    return false;
}

static void run_group(const char *file, const struct document *document, struct slice text, uint32_t group,
                      struct tally *tally) {
    const struct jsonschema *schema;
    struct jsonschema_fault fault;
    struct jsonschema_room room;
    struct arena arena;
    struct slice title = document_at(document, member(document, group, "description"))->text;
    uint32_t tests = member(document, group, "tests");
    arena_init(&arena, 16 << 20);
    jsonschema_room_init(&room, 7);
    if (jsonschema_compile(bytes_of(document, text, member(document, group, "schema")), &arena, &schema,
                           &fault) != STATUS_OK) {
        print_message("# refused: %s, %.*s: %s\n", file, SLICE_ARG(title), fault.text);
        tally->refused++;
        tests = UINT32_MAX;
    }
    for (uint32_t i = tests + 1; tests != UINT32_MAX && i < document_at(document, tests)->end;
         i = document_at(document, i)->end) {
        struct jsonschema_failure failure;
        bool expected = document_at(document, member(document, i, "valid"))->type == JSON_TRUE;
        enum status status =
            jsonschema_check(schema, bytes_of(document, text, member(document, i, "data")), &room, &failure);
        assert_true(status == STATUS_OK || (status == STATUS_SCHEMA_INVALID && failure.text[0]));
        if ((status == STATUS_OK) == expected) {
            tally->passed++;
            continue;
        }
        struct slice name = document_at(document, member(document, i, "description"))->text;
        bool known = is_apart(file, title);
        *(known ? &tally->apart : &tally->failed) += 1;
        print_message("%s %s, %.*s: %.*s: %s\n", known ? "# apart:" : "not ok:", file, SLICE_ARG(title),
                      SLICE_ARG(name), status == STATUS_OK ? "fits" : failure.text);
    }
    jsonschema_room_done(&room);
    arena_done(&arena);
}

static void the_suite_holds(void **state) {
    (void)state;
    const char *conformance = getenv("INTERTIE_CONFORMANCE"), *source = getenv("INTERTIE_SOURCE");
    struct tally tally = {0};
    if (conformance)
        (void)snprintf(folder, sizeof folder, "%s/json-schema-test-suite/tests/draft2020-12", conformance);
    else
        (void)snprintf(folder, sizeof folder,
                       "%s/../shared/conformance/json-schema-test-suite/tests/draft2020-12",
                       source ? source : ".");
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct document document;
        struct document_fault fault;
        struct buffer text;
        buffer_init(&text, 4 << 20);
        if (!read_file(files[i], &text)) {
            print_message("# skipped: no %s/%s.json\n", folder, files[i]);
            buffer_done(&text);
            skip();
        }
        document_init(&document, 3);
        if (document_parse(&document, buffer_slice(&text), &fault) != STATUS_OK)
            fail_msg("%s: %s", files[i], fault.text);
        for (uint32_t group = 1; group < document.count; group = document_at(&document, group)->end)
            run_group(files[i], &document, buffer_slice(&text), group, &tally);
        document_done(&document);
        buffer_done(&text);
    }
    print_message("# suite: %u passed, %u failed, %u apart; %u schemas refused\n", tally.passed, tally.failed,
                  tally.apart, tally.refused);
    assert_int_equal(tally.failed, 0);
    assert_true(tally.passed > 1000 && tally.refused <= 25 && tally.apart <= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_suite_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
