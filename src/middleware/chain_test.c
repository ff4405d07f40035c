/* Chains of stages: what a message becomes, and what it is refused for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "message/encoding.h"
#include "middleware/middleware.h"

#define SIZE_MAX_HERE 4096

static const struct attribute_declaration rows[] = {{SLICE("tenant"), ATTRIBUTE_STRING},
                                                    {SLICE("amount"), ATTRIBUTE_INTEGER},
                                                    {SLICE("seal"), ATTRIBUTE_BINARY}};
static const struct attribute_declared declared = {rows, COUNT_OF(rows)};

static struct fixture {
    struct arena arena;
    struct middleware_room room;
    struct message message;
    uint8_t extra_bytes[SIZE_MAX_HERE];
    struct middleware_spec specs[MIDDLEWARE_STAGES_MAX + 1];
    struct middleware_change changes[MIDDLEWARE_CHANGES_MAX + 1];
    size_t count, change_count;
    const struct middleware_chain *chain;
    struct middleware_fault fault;
    struct middleware_run run;
} fx;

static int set_up(void **state) {
    (void)state;
    memset(&fx, 0, sizeof fx);
    arena_init(&fx.arena, 1 << 20);
    middleware_room_init(&fx.room, SIZE_MAX_HERE, 9);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_done(&fx.arena);
    middleware_room_done(&fx.room);
    return memory_live() == 0 ? 0 : -1;
}

static void give(const char *json) {
    struct buffer extra;
    struct message_fault fault;
    struct message_rules rules = {.declared = &declared, .size_max = 1 << 20};
    buffer_init_fixed(&extra, fx.extra_bytes, sizeof fx.extra_bytes);
    assert_int_equal(message_decode_json(&fx.message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
}

static void add_filter(const char *expression) {
    fx.specs[fx.count++] =
        (struct middleware_spec){.kind = MIDDLEWARE_FILTER, .filter = slice_from(expression)};
}

/* "=name value" sets, "#name value" sets a JSON value, "-name" removes, ">name other" renames; a line each. */
static void add_transform(const char *text) {
    struct middleware_spec *spec = &fx.specs[fx.count++];
    struct slice rest = slice_from(text);
    *spec = (struct middleware_spec){.kind = MIDDLEWARE_TRANSFORM, .changes = &fx.changes[fx.change_count]};
    while (rest.size) {
        struct slice line = slice_head(rest, slice_find(rest, '\n'));
        struct middleware_change *change = &fx.changes[fx.change_count++];
        rest = slice_skip(rest, line.size + 1);
        change->what = line.data[0] == '-'   ? MIDDLEWARE_REMOVE
                       : line.data[0] == '>' ? MIDDLEWARE_RENAME
                                             : MIDDLEWARE_SET;
        change->is_json = line.data[0] == '#';
        line = slice_skip(line, 1);
        change->name = slice_head(line, slice_find(line, ' '));
        change->value = slice_skip(line, change->name.size + 1);
        spec->change_count++;
    }
}

static enum status compile(void) {
    return middleware_compile(fx.specs, fx.count, &declared, &fx.arena, &fx.chain, &fx.fault);
}

static enum middleware_verdict run(void) {
    fx.run = (struct middleware_run){.message = &fx.message, .room = &fx.room};
    assert_int_equal(compile(), STATUS_OK);
    for (size_t i = 0; i < middleware_count(fx.chain); i++) {
        enum middleware_verdict verdict = middleware_step(fx.chain, i, &fx.run);
        if (verdict != MIDDLEWARE_ON)
            return verdict;
    }
    return MIDDLEWARE_ON;
}

static void expect_event(const char *json) {
    struct buffer out;
    buffer_init(&out, 1 << 16);
    assert_int_equal(message_encode_json(fx.run.message, NULL, &out), STATUS_OK);
    buffer_add_byte(&out, 0);
    assert_string_equal((const char *)out.data, json);
    buffer_done(&out);
}

#define EVENT "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\""

static void a_filter_lets_pass_what_matches(void **state) {
    (void)state;
    add_filter("type = 't' AND EXISTS tenant");
    give(EVENT ",\"tenant\":\"x\"}");
    assert_int_equal(run(), MIDDLEWARE_ON);
    assert_ptr_equal(fx.run.message, &fx.message);
    give(EVENT "}");
    assert_int_equal(run(), MIDDLEWARE_DROP);
    assert_int_equal(fx.run.status, STATUS_FILTERED);
}

struct transform_case {
    const char *name, *event, *changes, *becomes;
};

static const struct transform_case cases[] = {
    {"attributes are set from templates", ",\"data\":{\"id\":7}}",
     "=subject invoices/{data:/id}\n=tenant {source}\n=amount 12",
     EVENT ",\"subject\":\"invoices/7\",\"tenant\":\"/a\",\"amount\":12,\"data\":{\"id\":7}}"},
    {"what is set replaces what was there", ",\"subject\":\"old\",\"tenant\":\"x\"}",
     "=subject {subject}-{subject}", EVENT ",\"tenant\":\"x\",\"subject\":\"old-old\"}"},
    {"attributes are removed, unknown ones too", ",\"tenant\":\"x\",\"unknown\":\"y\",\"amount\":1}",
     "-tenant\n-unknown\n-subject", EVENT ",\"amount\":1}"},
    {"a rename keeps the place and takes the type", ",\"unknown\":\"5\",\"tenant\":\"x\"}", ">unknown amount",
     EVENT ",\"amount\":5,\"tenant\":\"x\"}"},
    {"a rename of nothing leaves its new name alone", ",\"tenant\":\"x\"}", ">unknown tenant",
     EVENT ",\"tenant\":\"x\"}"},
    {"a rename takes the place of what was there", ",\"unknown\":\"y\",\"tenant\":\"x\"}", ">unknown tenant",
     EVENT ",\"tenant\":\"y\"}"},
    {"renamed and set anew", ",\"subject\":\"s\"}", ">subject tenant\n=subject now {subject}",
     EVENT ",\"tenant\":\"s\",\"subject\":\"now s\"}"},
    {"what is set counts above what is renamed to it", ",\"unknown\":\"y\"}", ">unknown tenant\n=tenant z",
     EVENT ",\"tenant\":\"z\"}"},
    {"a default stands in", "}", "=subject {tenant|none}", EVENT ",\"subject\":\"none\"}"},
    {"data is set as text", ",\"data\":{\"a\":1}}", "=data:/b x {data:/a} \"{id}\"",
     EVENT ",\"data\":{\"a\":1,\"b\":\"x 1 \\\"1\\\"\"}}"},
    {"data is set as JSON", ",\"data\":{\"a\":1}}", "#data:/a 2.50\n#data:/b true",
     EVENT ",\"data\":{\"a\":2.50,\"b\":true}}"},
    {"a pointer alone takes values over", ",\"data\":{\"a\":{\"n\":[1,\"\\u00e9\"]},\"s\":\"q\\\"\"}}",
     "=data:/b {data:/a/n}\n=data:/c {data:/s}",
     EVENT
     ",\"data\":{\"a\":{\"n\":[1,\"\\u00e9\"]},\"s\":\"q\\\"\",\"b\":[1,\"\\u00e9\"],\"c\":\"q\\\"\"}}"},
    {"data is unwrapped", ",\"data\":{\"payload\":{\"x\":1}}}", "=data: {data:/payload}",
     EVENT ",\"data\":{\"x\":1}}"},
    {"data is removed and renamed", ",\"data\":{\"a\":1,\"b\":2,\"c\":3}}",
     "-data:/a\n-data:/nowhere\n>data:/b data:/x/y\n>data:/none data:/z",
     EVENT ",\"data\":{\"c\":3,\"x\":{\"y\":2}}}"},
    {"no data becomes an object", "}", "=data:/a x", EVENT ",\"data\":{\"a\":\"x\"}}"},
    {"nothing to take away", "}", "-data:/a\n>data:/b data:/c", EVENT "}"},
    {"other data stays as it came", ",\"datacontenttype\":\"text/plain\",\"data\":\"a\\u0041\\n\"}",
     "=subject s", EVENT ",\"datacontenttype\":\"text/plain\",\"subject\":\"s\",\"data\":\"a\\u0041\\n\"}"},
    {"binary data stays as it came", ",\"data_base64\":\"AAEC\"}", "=subject s",
     EVENT ",\"subject\":\"s\",\"data_base64\":\"AAEC\"}"},
    {"templates read what came, not what is half changed", ",\"subject\":\"s\",\"data\":{\"a\":1}}",
     "=subject {data:/a}\n=tenant {subject}\n#data:/a 2\n=data:/b {data:/a}",
     EVENT ",\"subject\":\"1\",\"tenant\":\"s\",\"data\":{\"a\":2,\"b\":1}}"},
    {"data in UTF-8", ",\"data\":{}}", "=data:/a \xc3\xa9\t", EVENT ",\"data\":{\"a\":\"\xc3\xa9\\t\"}}"},
};

static void transforms_make_new_messages(void **state) {
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char event[1024];
        tear_down(state);
        set_up(state);
        (void)snprintf(event, sizeof event, "%s%s", EVENT, cases[i].event);
        give(event);
        add_transform(cases[i].changes);
        if (run() != MIDDLEWARE_ON)
            fail_msg("%s: %s", cases[i].name, fx.run.detail);
        print_message("  %s\n", cases[i].name);
        expect_event(cases[i].becomes);
    }
}

/* `require` lines, then after a `|` a schema. */
static void add_validate(const char *text) {
    static struct middleware_need needs[MIDDLEWARE_NEEDS_MAX + 1];
    struct middleware_spec *spec = &fx.specs[fx.count++];
    struct slice all = slice_from(text), rest = slice_head(all, slice_find(all, '|'));
    *spec = (struct middleware_spec){
        .kind = MIDDLEWARE_VALIDATE, .needs = needs, .schema = slice_skip(all, rest.size + 1)};
    spec->schema_path = spec->schema.size ? SLICE_OF("a.json") : SLICE_OF("");
    while (rest.size) {
        struct slice line = slice_head(rest, slice_find(rest, '\n'));
        needs[spec->need_count++].text = line;
        rest = slice_skip(rest, line.size + 1);
    }
}

static const struct {
    const char *event, *needs, *detail; /* detail NULL: it passes */
} needed[] = {
    {",\"tenant\":\"x\"}", "tenant", NULL},
    {"}", "tenant", "validate: the attribute `tenant` is missing"},
    {"}", "data:/a", "validate: there is no data"},
    {"}", "|{}", "validate: there is no data"},
    {",\"datacontenttype\":\"text/plain\",\"data\":\"{}\"}", "|{}", "validate: its data is no JSON"},
    {",\"data_base64\":\"e30=\"}", "data:/a", "validate: its data is no JSON"},
    {",\"datacontenttype\":\"application/json\",\"data_base64\":\"e30=\"}", "|{\"type\":\"object\"}", NULL},
    {",\"data\":{\"a\":1}}", "data:/a", NULL},
    {",\"data\":{\"a\":null}}", "data:/a", NULL},
    {",\"data\":{\"a\":{}}}", "data:/a/b", "validate: nothing stands at `data:/a/b`"},
    {",\"data\":{\"a\":1}}", "data:/a integer\ndata:/a number\ndata: object", NULL},
    {",\"data\":{\"a\":1.0}}", "data:/a integer", NULL},
    {",\"data\":{\"a\":1.5}}", "data:/a integer", "validate: `data:/a` is of another type"},
    {",\"data\":{\"a\":\"1\"}}", "data:/a number", "validate: `data:/a` is of another type"},
    {",\"data\":{\"a\":false}}", "data:/a boolean", NULL},
    {",\"data\":[1]}", "|{\"items\":{\"maximum\":0}}", "validate: `/0` is above `maximum`"},
    {",\"data\":[0]}", "data: array|{\"items\":{\"maximum\":0}}", NULL},
};

static void what_is_needed_is_named(void **state) {
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        char event[1024];
        tear_down(state);
        set_up(state);
        (void)snprintf(event, sizeof event, "%s%s", EVENT, needed[i].event);
        give(event);
        add_validate(needed[i].needs);
        enum middleware_verdict verdict = run();
        if ((verdict == MIDDLEWARE_ON) != !needed[i].detail)
            fail_msg("%s of %s: %s", needed[i].needs, event, fx.run.detail);
        if (needed[i].detail) {
            assert_string_equal(fx.run.detail, needed[i].detail);
            assert_int_equal(fx.run.status, STATUS_SCHEMA_INVALID);
        }
    }
}

static void mistakes_in_needs_are_found_before(void **state) {
    static const char *const wrong[][2] = {{"colour", "nobody declared"},
                                           {"tenant string", "has its type already"},
                                           {"data:a", "holds no JSON pointer"},
                                           {"data:/a text", "is no type"},
                                           {"|{\"typ\":1}", "unknown keyword"}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        tear_down(state);
        set_up(state);
        add_validate(wrong[i][0]);
        assert_int_equal(compile(), STATUS_BAD_CONFIG);
        if (!strstr(fx.fault.text, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], fx.fault.text);
    }
}

static void a_log_chooses_by_id(void **state) {
    unsigned told = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char event[256];
        tear_down(state);
        set_up(state);
        (void)snprintf(event, sizeof event,
                       "{\"specversion\":\"1.0\",\"id\":\"m%u\",\"source\":\"/a\",\"type\":\"t\"}", i);
        give(event);
        fx.specs[fx.count++] = (struct middleware_spec){.kind = MIDDLEWARE_LOG, .sample = 250};
        bool first = run() == MIDDLEWARE_TELL;
        assert_true(first == (run() == MIDDLEWARE_TELL)); /* the same one always */
        told += first;
        fx.specs[0].sample = 1000;
        assert_int_equal(run(), MIDDLEWARE_TELL);
        fx.specs[0].sample = 0;
        assert_int_equal(run(), MIDDLEWARE_ON);
    }
    assert_in_range(told, 200, 300);
    struct middleware_fault fault;
    assert_true(middleware_check_shown(SLICE_OF("tenant"), &declared, &fault));
    assert_false(middleware_check_shown(SLICE_OF("data"), &declared, &fault));
    assert_false(middleware_check_shown(SLICE_OF("data:/a"), &declared, &fault));
    assert_string_equal(fault.text, "data is never logged");
    assert_false(middleware_check_shown(SLICE_OF("colour"), &declared, &fault));
    fx.specs[0].shown_count = MIDDLEWARE_SHOWN_MAX + 1;
    assert_int_equal(compile(), STATUS_BAD_CONFIG);
}

struct refusal_case {
    const char *event, *changes;
    enum status status;
    const char *detail;
};

static const struct refusal_case refusals[] = {
    {"}", "=subject {tenant}", STATUS_TEMPLATE_MISSING,
     "transform: `subject` asks for what the message hasn't"},
    {"}", "=data:/a {data:/b}", STATUS_TEMPLATE_MISSING,
     "transform: `data:/a` is to be what the data hasn't"},
    {"}", "=amount {source}", STATUS_MALFORMED_EVENT, "transform: `amount`"},
    {"}", "=priority 9", STATUS_MALFORMED_EVENT, "transform: `priority`"},
    {"}", "=expirytime tomorrow", STATUS_MALFORMED_EVENT, "transform: `expirytime`"},
    {",\"data\":{\"a\":\"x\\ny\"}}", "=subject {data:/a}", STATUS_NOT_REPRESENTABLE,
     "transform: `subject` can't be made"},
    {",\"datacontenttype\":\"text/plain\",\"data\":\"x\"}", "#data:/a 1", STATUS_SCHEMA_INVALID,
     "transform: its data is no JSON"},
    {",\"data_base64\":\"AAEC\"}", "-data:/a", STATUS_SCHEMA_INVALID, "transform: its data is no JSON"},
    {",\"data\":{\"a\":1}}", "#data:/a/b 1", STATUS_SCHEMA_INVALID, "transform: `data:/a/b` has no place"},
    {",\"data\":{\"a\":1,\"a\":2}}", "-data:/a", STATUS_SCHEMA_INVALID, "transform: `data:/a` is ambiguous"},
};

static void what_cannot_be_made_is_refused(void **state) {
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        char event[1024];
        tear_down(state);
        set_up(state);
        (void)snprintf(event, sizeof event, "%s%s", EVENT, refusals[i].event);
        give(event);
        add_transform(refusals[i].changes);
        assert_int_equal(run(), MIDDLEWARE_REFUSE);
        print_message("  %s\n", fx.run.detail);
        assert_int_equal(fx.run.status, refusals[i].status);
        assert_true(slice_starts(slice_from(fx.run.detail), slice_from(refusals[i].detail)));
    }
}

static const struct {
    const char *changes, *words;
} mistakes[] = {
    {"=id x", "can't be changed: replies"},
    {"=messagetype x", "can't be changed: its sender"},
    {"-datacontenttype", "can't be changed: it says"},
    {"=authid x", "is written by intertie alone"},
    {">subject intertiehops", "is written by intertie alone"},
    {"-source", "is required"},
    {">type tenant", "is required"},
    {"=colour red", "nobody declared"},
    {">subject colour", "nobody declared"},
    {"=data:a x", "holds no JSON pointer"},
    {"-data:/a~2", "holds no JSON pointer"},
    {"-data:", "is all of the data"},
    {"=header:x y", "can't be changed: fields"},
    {"=Subject y", "names no attribute"},
    {">subject data:/a", "must both be"},
    {"=subject {nobody}", "nobody declared"},
    {"=subject {", "not closed"},
};

static void mistakes_are_found_before(void **state) {
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        tear_down(state);
        set_up(state);
        add_transform(mistakes[i].changes);
        assert_int_equal(compile(), STATUS_BAD_CONFIG);
        if (!strstr(fx.fault.text, mistakes[i].words))
            fail_msg("%s: %s", mistakes[i].changes, fx.fault.text);
        struct middleware_fault fault;
        assert_false(middleware_check_change(&fx.changes[0], &declared, &fx.arena, &fault));
        assert_string_equal(fault.text, fx.fault.text);
    }
}

static void stages_follow_each_other(void **state) {
    (void)state;
    add_transform("=subject {id}1");
    add_filter("subject = '11'");
    add_transform("=subject {subject}2\n=tenant x");
    add_transform("=subject {subject}3\n=data:/s {subject}");
    add_transform("=data:/t {data:/s}\n>data:/s data:/u");
    add_filter("subject = '1123' AND tenant = 'x' AND DATA('/u') = '112'");
    give(EVENT ",\"data\":{\"a\":1}}");
    assert_int_equal(run(), MIDDLEWARE_ON);
    expect_event(EVENT
                 ",\"tenant\":\"x\",\"subject\":\"1123\",\"data\":{\"a\":1,\"u\":\"112\",\"t\":\"112\"}}");
}

static void what_is_no_attribute_is_inherited(void **state) {
    (void)state;
    give(EVENT ",\"priority\":4,\"expirytime\":\"2030-01-01T00:00:00Z\",\"messagetype\":\"query\"}");
    fx.message.priority = 3; /* lowered */
    fx.message.expiry.ns = 5;
    fx.message.wait_s = 7;
    fx.message.later = 2;
    fx.message.route = 9;
    fx.message.has_receipt = true;
    fx.message.receipt[3] = 8;
    add_transform("=subject s");
    assert_int_equal(run(), MIDDLEWARE_ON);
    const struct message *made = fx.run.message;
    assert_true(made->priority == 3 && made->expiry.ns == 5 && made->wait_s == 7 && made->later == 2 &&
                made->route == 9);
    assert_true(made->has_receipt && made->receipt[3] == 8 && made->kind == KIND_QUERY);
    fx.count = 0;
    add_transform("=priority 1\n=expirytime 1970-01-01T00:00:09Z");
    assert_int_equal(run(), MIDDLEWARE_ON);
    assert_true(fx.run.message->priority == 1 && fx.run.message->expiry.ns == 9000000000);
}

static void long_binary_values_are_copied(void **state) {
    (void)state;
    give(
        EVENT
        ",\"seal\":\"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODlBQkNERUZHSElKS0xNTk9Q\"}");
    add_transform(">seal tenant");
    assert_int_equal(run(), MIDDLEWARE_ON);
    expect_event(
        EVENT
        ",\"tenant\":\"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODlBQkNERUZHSElKS0xNTk9Q\"}");
}

static void too_large_is_refused(void **state) {
    (void)state;
    char event[SIZE_MAX_HERE];
    (void)snprintf(event, sizeof event, EVENT ",\"data\":{\"a\":\"%02000d\"}}", 0);
    give(event);
    add_transform("=data:/b {data:/a}\n=data:/c {data:/a}");
    assert_int_equal(run(), MIDDLEWARE_REFUSE);
    assert_int_equal(fx.run.status, STATUS_TOO_LARGE);
}

static void limits_are_named(void **state) {
    (void)state;
    for (int i = 0; i < MIDDLEWARE_STAGES_MAX; i++)
        add_filter("TRUE");
    assert_int_equal(compile(), STATUS_OK);
    add_filter("TRUE");
    assert_int_equal(compile(), STATUS_BAD_CONFIG);
    assert_non_null(strstr(fx.fault.text, "more than 32 stages"));
    char text[8 * (MIDDLEWARE_CHANGES_MAX + 1)] = "";
    for (int i = 0; i < MIDDLEWARE_CHANGES_MAX; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "-a%d\n", i);
    fx.count = 0;
    add_transform(text);
    assert_int_equal(compile(), STATUS_OK);
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "-b\n");
    fx.count = fx.change_count = 0;
    add_transform(text);
    assert_int_equal(compile(), STATUS_BAD_CONFIG);
    assert_non_null(strstr(fx.fault.text, "more than 64 changes"));
}

static void specs_are_compared(void **state) {
    (void)state;
    add_transform("=subject s");
    add_transform("=subject t");
    add_filter("TRUE");
    add_filter("FALSE");
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(middleware_spec_same(&fx.specs[i], &fx.specs[k]), i == k);
}

static void want_of_memory_is_survived(void **state) {
    for (int64_t n = 0;; n++) {
        tear_down(state);
        set_up(state);
        give(EVENT ",\"data\":{\"a\":1}}");
        add_filter("type = 't'");
        add_transform("=subject {id}\n=data:/b {data:/a}\n>data:/a data:/c");
        memory_fail_after(n);
        enum status status = compile();
        enum middleware_verdict verdict = MIDDLEWARE_ON;
        fx.run = (struct middleware_run){.message = &fx.message, .room = &fx.room};
        for (size_t i = 0; status == STATUS_OK && verdict == MIDDLEWARE_ON && i < middleware_count(fx.chain);
             i++)
            verdict = middleware_step(fx.chain, i, &fx.run);
        bool failed = memory_has_failed();
        memory_fail_after(-1);
        if (!failed) {
            assert_int_equal(verdict, MIDDLEWARE_ON);
            assert_true(n > 3);
            return;
        }
        assert_true(status == STATUS_NO_MEMORY ||
                    (verdict == MIDDLEWARE_REFUSE && fx.run.status == STATUS_NO_MEMORY));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_filter_lets_pass_what_matches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transforms_make_new_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_made_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_log_chooses_by_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_needed_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_in_needs_are_found_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_found_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stages_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_attribute_is_inherited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_binary_values_are_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_large_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(specs_are_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(want_of_memory_is_survived, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
