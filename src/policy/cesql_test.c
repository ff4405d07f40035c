#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "policy/cesql.h"
#include "policy/cesql_ops.h"

#define NOW ((struct now){{1}, {1700000000 * NS_PER_S + 500000000}})

struct event {
    struct message message;
    struct buffer extra;
    uint8_t room[8192];
};

struct pair {
    const char *name;
    const char *text;
};

static void event_init(struct event *event, struct slice data, enum data_form form) {
    message_init(&event->message, data);
    buffer_init_fixed(&event->extra, event->room, sizeof event->room);
    if (form != DATA_NONE)
        message_set_data(&event->message, form);
}

static void event_add(struct event *event, const char *name, enum attribute_type type, const char *text) {
    struct message_fault fault;
    enum attribute known = attribute_find(slice_from(name));
    enum status status = known == ATTRIBUTE_OTHER
                             ? message_add_named(&event->message, &event->extra, slice_from(name), type,
                                                 slice_from(text), &fault)
                             : message_add(&event->message, &event->extra, known, slice_from(text), &fault);
    if (status != STATUS_OK)
        fail_msg("%s: %s", name, fault.text);
}

static void event_seal(struct event *event) {
    struct message_fault fault;
    assert_int_equal(message_seal(&event->message, &event->extra, &fault), STATUS_OK);
}

static const char *const data_text =
    "{\"order\":{\"id\":\"A-7\",\"lines\":[{\"sku\":\"x\",\"n\":3},{\"sku\":\"y\\u00e9\\n\",\"n\":-2147483648}]},"
    "\"paid\":true,\"note\":null,\"big\":2147483648,\"half\":1.5,\"a/b\":\"slash\",\"m~n\":\"tilde\",\"\":\"empty\","
    "\"twice\":1,\"twice\":2,\"text\":\"17\",\"lone\":\"\\ud800\"}";

static void event_usual(struct event *event) {
    event_init(event, slice_from(data_text), DATA_JSON);
    event_add(event, "id", ATTRIBUTE_STRING, "1");
    event_add(event, "source", ATTRIBUTE_STRING, "/systems/crm");
    event_add(event, "type", ATTRIBUTE_STRING, "com.example.order");
    event_add(event, "subject", ATTRIBUTE_STRING, "Gr\xc3\xbc\xc3\x9f""e");
    event_add(event, "time", ATTRIBUTE_STRING, "2023-11-14T22:13:10.75Z");
    event_add(event, "datacontenttype", ATTRIBUTE_STRING, "application/json");
    event_add(event, "msgheaders", ATTRIBUTE_STRING, "{\"x-tenant\":\"acme\",\"x-count\":\"3\",\"x-q\":\"a\\\"b\"}");
    event_add(event, "amount", ATTRIBUTE_INTEGER, "-12");
    event_add(event, "urgent", ATTRIBUTE_BOOLEAN, "true");
    event_add(event, "empty1", ATTRIBUTE_STRING, "");
    event_seal(event);
}

/* "value" or "value !error,error" */
static void evaluate(const char *expression, const struct message *message, char *out, size_t size) {
    static uint8_t scratch[CESQL_SCRATCH_MAX];
    struct arena arena;
    const struct cesql *cesql;
    struct cesql_fault fault;
    struct cesql_result result;
    arena_init(&arena, 1 << 20);
    if (cesql_compile(slice_from(expression), NULL, &arena, &cesql, &fault, NULL) != STATUS_OK)
        fail_msg("%s: %s at %u", expression, fault.text, fault.offset);
    cesql_evaluate(cesql, message, NOW, scratch, &result);
    int used;
    if (result.type == CESQL_STRING)
        used = snprintf(out, size, "'%.*s'", SLICE_ARG(result.text));
    else if (result.type == CESQL_INTEGER)
        used = snprintf(out, size, "%d", result.number);
    else
        used = snprintf(out, size, "%s", result.number ? "true" : "false");
    for (unsigned i = 0; i < CESQL_ERROR_COUNT; i++)
        if (result.errors & (1u << i))
            used += snprintf(out + used, size - (size_t)used, " !%s", cesql_error_name((enum cesql_error)i));
    bool passes = !result.errors && result.type == CESQL_BOOLEAN && result.number;
    assert_int_equal(cesql_matches(cesql, message, NOW), passes);
    arena_done(&arena);
}

static void check_table(const struct pair *rows, size_t count, const struct message *message) {
    for (size_t i = 0; i < count; i++) {
        char out[512];
        evaluate(rows[i].name, message, out, sizeof out);
        if (strcmp(out, rows[i].text) != 0)
            fail_msg("%s: %s, not %s", rows[i].name, out, rows[i].text);
    }
}

static void values_are_as_the_standard_says(void **state) {
    (void)state;
    static const struct pair rows[] = {
        {"NOT 10", "false"}, {"NOT 0", "true"}, {"-2147483648", "-2147483648"}, {"+5", "5"}, {"- 5", "-5"},
        {"2147483647 + 1", "0 !math"}, {"65536 * 65536", "0 !math"}, {"-(-2147483648)", "0 !math"},
        {"-2147483648 / -1", "0 !math"}, {"-7 / 2", "-3"}, {"-7 % 2", "-1"}, {"7 % -2", "1"}, {"2 + 3 * 4 - 6 / 2", "11"},
        {"10 - 4 - 3", "3"}, {"5 = '5'", "true"}, {"'5' = 5", "true"}, {"'x' = 5", "false !cast"},
        {"5 = 'x'", "false"}, {"'x' != 5", "false !cast"}, {"1 = true", "true"}, {"true = 1", "true"},
        {"'+5' = 5", "true"}, {"'+-5' = 5", "false !cast"}, {"' 5' = 5", "false !cast"}, {"'' = 0", "false !cast"},
        {"'2147483648' = 1", "false !cast"}, {"'a' < 'b'", "false !cast"}, {"'9' < '10'", "true"},
        {"missing", "false !missingAttribute"}, {"missing = missing", "false !missingAttribute"},
        {"true OR missing", "true"}, {"missing OR true", "false !missingAttribute"}, {"false AND missing", "false"},
        {"missing AND true", "false !missingAttribute"}, {"NOT (missing = 1)", "false !missingAttribute"},
        {"true AND 'x'", "false !cast"}, {"'x' AND true", "false !cast"}, {"true XOR missing", "false !missingAttribute"},
        {"true AND true AND true AND false", "false"}, {"false OR false OR true OR missing", "true"},
        {"true XOR true XOR true", "true"}, {"'TRUE' AND 1", "true"},
        {"subject", "'Gr\xc3\xbc\xc3\x9f""e'"}, {"SUBJECT = subject", "true"}, {"amount", "-12"}, {"amount + 2", "-10"},
        {"urgent", "true"}, {"specversion", "'1.0'"}, {"EXISTS specversion", "true"}, {"EXISTS empty1", "true"},
        {"empty1 = ''", "true"}, {"EXISTS nothere", "false"}, {"priority", "2"}, {"messagetype", "'event'"},
        {"EXISTS priority OR EXISTS messagetype", "false"},
        {"time", "'2023-11-14T22:13:10.75Z'"}, {"(1 = 1) = true", "true"},
        {"1 IN (2, 'x', 1)", "false !cast"}, {"1 IN (1, 'x')", "true"}, {"amount IN (subject, -12)", "false !cast"},
        {"amount IN (-12, amount)", "true"}, {"amount NOT IN (1 + 1, 2)", "true"}, {"'a' IN (missing)", "false !missingAttribute"},
        {"missing IN ('a')", "false !missingAttribute"}, {"missing NOT IN ('a')", "false !missingAttribute"},
        {"'-12' IN (amount, 'q')", "true"}, {"'true' IN (urgent)", "true"}, {"1 IN (2) LIKE 'f%'", "true"},
        {"NOT EXISTS nothere", "true"}, {"EXISTS id LIKE 'tr__'", "true"},
    };
    struct event event;
    event_usual(&event);
    check_table(rows, COUNT_OF(rows), &event.message);
}

static void texts_are_characters_not_bytes(void **state) {
    (void)state;
    static const struct pair rows[] = {
        {"LENGTH(subject)", "5"}, {"LEFT(subject, 3)", "'Gr\xc3\xbc'"}, {"RIGHT(subject, 2)", "'\xc3\x9f""e'"},
        {"SUBSTRING(subject, 3, 2)", "'\xc3\xbc\xc3\x9f'"}, {"SUBSTRING(subject, -2)", "'\xc3\x9f""e'"},
        {"SUBSTRING('abc', 2, 0)", "''"}, {"SUBSTRING('abc', 2, -1)", "'' !functionEvaluation"},
        {"SUBSTRING('abc', 2, 2147483647)", "'bc'"}, {"SUBSTRING('abc', -3, 1)", "'a'"},
        {"SUBSTRING('', 1)", "'' !functionEvaluation"}, {"SUBSTRING('', 0)", "''"},
        {"subject LIKE 'Gr__e'", "true"}, {"subject LIKE 'Gr___e'", "false"}, {"subject LIKE '%\xc3\x9f_'", "true"},
        {"LOWER('\xc3\x84\xce\xa3\xd0\x96\xd0\x81\xc5\xb8\xc4\x80Z')", "'\xc3\xa4\xcf\x83\xd0\xb6\xd1\x91\xc3\xbf\xc4\x81z'"},
        {"UPPER('\xc3\xa4\xcf\x82\xd0\xb6\xd1\x91\xc3\xbf\xc4\x81z\xc3\x97')", "'\xc3\x84\xce\xa3\xd0\x96\xd0\x81\xc5\xb8\xc4\x80Z\xc3\x97'"},
        {"TRIM('\t a b \r\n')", "'a b'"}, {"TRIM('')", "''"}, {"CONCAT(1, true, 'x')", "'1truex'"},
        {"CONCAT_WS('', 'a', 'b')", "'ab'"}, {"concat_ws(', ', 'a', 2)", "'a, 2'"}, {"LENGTH(missing)", "0 !missingAttribute"},
        {"'it\\'s'", "'it's'"}, {"\"it\\'s\"", "'it\\'s'"}, {"'a\\\\b'", "'a\\\\b'"}, {"'\\\\'", "'\\\\'"},
        {"'' LIKE '%'", "true"}, {"'' LIKE ''", "true"}, {"'a' LIKE ''", "false"}, {"'100%' LIKE '100\\%'", "true"},
        {"'100x' LIKE '100\\%'", "false"}, {"'a\\b' LIKE 'a\\b'", "true"}, {"'abcabc' LIKE '%abc'", "true"},
        {"'aab' LIKE '%ab'", "true"}, {"'mississippi' LIKE 'm%iss%ip%i'", "true"}, {"'x' LIKE '_%_'", "false"},
        {"GLOB(type, 'com.*.order')", "true"}, {"GLOB(type, 'com.?xample.*')", "true"}, {"GLOB('a*b', 'a\\*b')", "true"},
        {"GLOB('axb', 'a\\*b')", "false"}, {"GLOB(12, '1?')", "true"}, {"GLOB(missing, '*')", "false !missingAttribute"},
    };
    struct event event;
    event_usual(&event);
    check_table(rows, COUNT_OF(rows), &event.message);
}

static void data_and_headers_are_read(void **state) {
    (void)state;
    static const struct pair rows[] = {
        {"DATA('/order/id')", "'A-7'"}, {"DATA('/order/lines/1/sku')", "'y\xc3\xa9\n'"}, {"DATAINT('/order/lines/0/n')", "3"},
        {"DATAINT('/order/lines/1/n')", "-2147483648"}, {"DATA('/order/lines/0/n')", "'3'"}, {"DATABOOL('/paid')", "true"},
        {"DATA('/paid')", "'true'"}, {"DATAHAS('/note')", "true"}, {"DATA('/note')", "'' !functionEvaluation"},
        {"DATA('/order')", "'' !functionEvaluation"}, {"DATAINT('/big')", "0 !cast"}, {"DATAINT('/half')", "0 !cast"},
        {"DATA('/half')", "'1.5'"}, {"DATA('/a~1b')", "'slash'"}, {"DATA('/m~0n')", "'tilde'"}, {"DATA('/')", "'empty'"},
        {"DATAHAS('')", "true"}, {"DATA('')", "'' !functionEvaluation"}, {"DATAHAS('/order/lines/2')", "false"},
        {"DATAHAS('/order/lines/01')", "false"}, {"DATAHAS('/order/lines/-')", "false"}, {"DATAHAS('/paid/x')", "false"},
        {"DATA('/nothere')", "'' !missingAttribute"}, {"DATA('/twice')", "'' !functionEvaluation"},
        {"DATAHAS('/twice')", "false"}, {"DATAINT('/text')", "0 !cast"}, {"INT(DATA('/text'))", "17"},
        {"DATABOOL('/text')", "false !cast"}, {"DATA('/lone')", "'' !functionEvaluation"},
        {"DATA('/order/id') = 'A-7' AND DATA('/order/id') LIKE 'A%' AND DATAHAS('/order/id')", "true"},
        {"HEADER('X-Tenant')", "'acme'"}, {"HEADER('x-count') = 3", "true"}, {"HEADER('x-q')", "'a\"b'"},
        {"HEADER('nothere')", "'' !missingAttribute"},
    };
    struct event event;
    event_usual(&event);
    check_table(rows, COUNT_OF(rows), &event.message);
}

static void data_that_is_no_json_is_an_error(void **state) {
    (void)state;
    static const struct {
        const char *content_type;
        struct slice data;
        enum data_form form;
        const char *result;
    } rows[] = {
        {"text/plain", SLICE("{\"a\":\"b\"}"), DATA_BYTES, "'' !functionEvaluation"},
        {"application/json", SLICE("{\"a\":\"b\"}"), DATA_BYTES, "'b'"},
        {"application/x+json; charset=utf-8", SLICE("{\"a\":\"b\"}"), DATA_BYTES, "'b'"},
        {"application/json", SLICE("{\"a\":\"b\"} x"), DATA_BYTES, "'' !functionEvaluation"},
        {"application/json", SLICE("{\"a\":\"b\",}"), DATA_BYTES, "'' !functionEvaluation"},
        {"application/json", SLICE("[{\"a\":\"b\"}]"), DATA_BYTES, "'' !missingAttribute"},
        {"application/json", SLICE("3"), DATA_BYTES, "'' !missingAttribute"},
        {"application/json", SLICE(""), DATA_NONE, "'' !functionEvaluation"},
        {"application/json", SLICE("eyJhIjoiYiJ9"), DATA_BASE64, "'b'"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event event;
        char out[128];
        event_init(&event, rows[i].data, rows[i].form);
        event_add(&event, "id", ATTRIBUTE_STRING, "1");
        event_add(&event, "source", ATTRIBUTE_STRING, "/s");
        event_add(&event, "type", ATTRIBUTE_STRING, "t");
        event_add(&event, "datacontenttype", ATTRIBUTE_STRING, rows[i].content_type);
        event_seal(&event);
        evaluate("DATA('/a')", &event.message, out, sizeof out);
        if (strcmp(out, rows[i].result) != 0)
            fail_msg("row %zu: %s, not %s", i, out, rows[i].result);
        evaluate("HEADER('a')", &event.message, out, sizeof out);
        assert_string_equal(out, "'' !missingAttribute");
    }
}

static void times_become_seconds(void **state) {
    (void)state;
    static const struct pair rows[] = {
        {"EPOCH(time)", "1699999990"}, {"AGE(time)", "9"}, {"AGE('2023-11-14T22:13:10Z')", "10"},
        {"AGE('2023-11-14T22:13:30Z')", "-10"}, {"EPOCH('2100-01-01T00:00:00Z')", "2147483647"},
        {"EPOCH('1800-01-01T00:00:00Z')", "-2147483648"}, {"EPOCH('1970-01-01T01:00:01+01:00')", "1"},
        {"AGE('yesterday')", "0 !cast"}, {"AGE(missing)", "0 !missingAttribute"}, {"AGE(time) < 60", "true"},
    };
    struct event event;
    event_usual(&event);
    check_table(rows, COUNT_OF(rows), &event.message);
}

static void written_priority_and_kind_are_seen(void **state) {
    (void)state;
    static const struct pair rows[] = {
        {"priority >= 4", "true"}, {"EXISTS priority", "true"}, {"messagetype = 'query'", "true"},
        {"messagetype IN ('query', 'request')", "true"},
    };
    struct event event;
    event_init(&event, SLICE_OF(""), DATA_NONE);
    event_add(&event, "id", ATTRIBUTE_STRING, "1");
    event_add(&event, "source", ATTRIBUTE_STRING, "/s");
    event_add(&event, "type", ATTRIBUTE_STRING, "t");
    event_add(&event, "priority", ATTRIBUTE_INTEGER, "4");
    event_add(&event, "messagetype", ATTRIBUTE_STRING, "query");
    event_seal(&event);
    check_table(rows, COUNT_OF(rows), &event.message);
}

/* -- faults -- */

struct fault_row {
    const char *expression;
    enum cesql_error error;
    unsigned offset;
    const char *words;
};

static void check_faults(const struct fault_row *rows, size_t count, const struct cesql_options *options) {
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        const struct cesql *cesql;
        struct cesql_fault fault;
        arena_init(&arena, 1 << 20);
        enum status status = cesql_compile(slice_from(rows[i].expression), options, &arena, &cesql, &fault, NULL);
        arena_done(&arena);
        if (status != STATUS_BAD_CONFIG || fault.error != rows[i].error || fault.offset != rows[i].offset ||
            !strstr(fault.text, rows[i].words))
            fail_msg("%s: status %u, %s at %u: %s", rows[i].expression, (unsigned)status, cesql_error_name(fault.error),
                     fault.offset, fault.text);
    }
}

static void mistakes_are_named_with_their_place(void **state) {
    (void)state;
    static const struct fault_row rows[] = {
        {"", CESQL_ERROR_PARSE, 0, "expression ends here"},
        {"a AND b OR c", CESQL_ERROR_PARSE, 8, "need brackets"},
        {"a XOR b AND c", CESQL_ERROR_PARSE, 8, "need brackets"},
        {"(a OR b) AND c OR d", CESQL_ERROR_PARSE, 15, "need brackets"},
        {"a = ", CESQL_ERROR_PARSE, 4, "a value expected"},
        {"a == b", CESQL_ERROR_PARSE, 2, "`==` is written `=`"},
        {"a || b", CESQL_ERROR_PARSE, 2, "`||` is written OR"},
        {"a AND _b", CESQL_ERROR_PARSE, 6, "a name begins with a letter or a digit"},
        {"a && b", CESQL_ERROR_PARSE, 2, "AND"},
        {"!a", CESQL_ERROR_PARSE, 0, "NOT"},
        {"'abc", CESQL_ERROR_PARSE, 0, "never closed"},
        {"'abc\\'", CESQL_ERROR_PARSE, 0, "never closed"},
        {"a b", CESQL_ERROR_PARSE, 2, "an operator expected, not `b`"},
        {"(a", CESQL_ERROR_PARSE, 2, "`)` expected"},
        {"a)", CESQL_ERROR_PARSE, 1, "no further `)`"},
        {"x LIKE y", CESQL_ERROR_PARSE, 7, "a pattern in quotes"},
        {"x IN 1", CESQL_ERROR_PARSE, 5, "`(` after IN"},
        {"x IN ()", CESQL_ERROR_PARSE, 6, "a value expected"},
        {"EXISTS (x)", CESQL_ERROR_PARSE, 7, "without brackets"},
        {"EXISTS 'x'", CESQL_ERROR_PARSE, 7, "an attribute's name"},
        {"in = 5", CESQL_ERROR_PARSE, 0, "a word of the language"},
        {"my_attr = 5", CESQL_ERROR_PARSE, 0, "no `_`"},
        {"2147483648", CESQL_ERROR_PARSE, 0, "no 32 bit integer"},
        {"-2147483649", CESQL_ERROR_PARSE, 1, "no 32 bit integer"},
        {"+a", CESQL_ERROR_PARSE, 0, "a value expected"},
        {"LENGHT(x) = 1", CESQL_ERROR_MISSING_FUNCTION, 0, "did you mean `LENGTH`"},
        {"frobnicate(x)", CESQL_ERROR_MISSING_FUNCTION, 0, "no function `FROBNICATE`"},
        {"LENGTH()", CESQL_ERROR_MISSING_FUNCTION, 0, "LENGTH takes 1 argument, not 0"},
        {"SUBSTRING(a, 1, 2, 3)", CESQL_ERROR_MISSING_FUNCTION, 0, "at most 3 arguments, not 4"},
        {"LEFT(a,)", CESQL_ERROR_PARSE, 7, "a value expected"},
        {"DATA(subject)", CESQL_ERROR_PARSE, 5, "a text in quotes"},
        {"DATA('/a' + 1)", CESQL_ERROR_PARSE, 5, "a text in quotes"},
        {"DATA('a')", CESQL_ERROR_PARSE, 5, "begins with `/`"},
        {"DATA('/a~2')", CESQL_ERROR_PARSE, 5, "`~0`"},
        {"HEADER('')", CESQL_ERROR_PARSE, 7, "a header's name"},
        {"GLOB(a, b)", CESQL_ERROR_PARSE, 8, "a text in quotes"},
        {"a \xff", CESQL_ERROR_PARSE, 0, "UTF-8"},
        {"a # b", CESQL_ERROR_PARSE, 2, "no meaning here"},
    };
    check_faults(rows, COUNT_OF(rows), NULL);
}

static void undeclared_attributes_are_faults_when_asked(void **state) {
    (void)state;
    static const struct attribute_declaration declarations[] = {{SLICE("tenant"), ATTRIBUTE_STRING},
                                                                {SLICE("amount"), ATTRIBUTE_INTEGER}};
    static const struct attribute_declared declared = {declarations, COUNT_OF(declarations)};
    static const struct cesql_options options = {&declared, true};
    static const struct fault_row rows[] = {
        {"EXISTS tenat", CESQL_ERROR_MISSING_ATTRIBUTE, 7, "did you mean `tenant`"},
        {"prioritty > 3", CESQL_ERROR_MISSING_ATTRIBUTE, 0, "did you mean `priority`"},
        {"tenant = zzzzzzzz", CESQL_ERROR_MISSING_ATTRIBUTE, 9, "`extensions` is the place"},
        {"data = 'x'", CESQL_ERROR_MISSING_ATTRIBUTE, 0, "DATA('/member')"},
        {"specversio = 'x'", CESQL_ERROR_MISSING_ATTRIBUTE, 0, "did you mean `specversion`"},
    };
    check_faults(rows, COUNT_OF(rows), &options);
    struct arena arena;
    const struct cesql *cesql;
    struct cesql_fault fault;
    struct cesql_lints lints;
    arena_init(&arena, 1 << 20);
    assert_int_equal(cesql_compile(SLICE_OF("EXISTS tenant AND amount > 3 AND specversion = '1.0' AND SUBJECT = 'x'"),
                                   &options, &arena, &cesql, &fault, &lints),
                     STATUS_OK);
    assert_int_equal(lints.count, 0);
    arena_done(&arena);
}

static void traps_are_linted(void **state) {
    (void)state;
    static const struct {
        const char *expression;
        unsigned offset; /* UINT_MAX: no lint */
        const char *words;
    } rows[] = {
        {"NOT type = 'a'", 0, "(NOT a) = b"},
        {"NOT type LIKE 'a%'", 0, "(NOT a) = b"},
        {"NOT type IN ('a')", 0, "(NOT a) = b"},
        {"id = '1' AND NOT type = 'a'", 13, "(NOT a) = b"},
        {"NOT (type = 'a')", UINT32_MAX, ""},
        {"(NOT true) = false", UINT32_MAX, ""},
        {"id = '1' = true", 9, "use brackets"},
        {"subject != 'x'", 0, "EXISTS subject"},
        {"subject NOT LIKE 'x%'", 0, "EXISTS subject"},
        {"NOT (subject = 'x')", 5, "EXISTS subject"},
        {"type = 'x' OR SUBJECT = 'y' OR subject = 'z'", 14, "EXISTS subject"},
        {"EXISTS subject AND subject != 'x'", UINT32_MAX, ""},
        {"EXISTS subject AND NOT (subject = 'x')", UINT32_MAX, ""},
        {"subject = 'x' AND type = 'y'", UINT32_MAX, ""},
        {"type != 'x' AND source != 'y' AND id != 'z' AND priority != 3 AND messagetype != 'query'", UINT32_MAX, ""},
        {"time < '2026-01-01T00:00:00Z'", 0, "Integers only"},
        {"type > 'a'", 7, "Integers only"},
        {"sequence < '10'", UINT32_MAX, ""},
        {"subject", 0, "no Boolean"},
        {"1 + 1", 0, "no Boolean"},
        {"'true'", 0, "no Boolean"},
        {"urgent", UINT32_MAX, ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena;
        const struct cesql *cesql;
        struct cesql_fault fault;
        struct cesql_lints lints;
        arena_init(&arena, 1 << 20);
        assert_int_equal(cesql_compile(slice_from(rows[i].expression), NULL, &arena, &cesql, &fault, &lints), STATUS_OK);
        arena_done(&arena);
        bool quiet = rows[i].offset == UINT32_MAX && lints.count == 0;
        bool told = false;
        for (size_t j = 0; j < lints.count; j++)
            told = told || (lints.items[j].offset == rows[i].offset && strstr(lints.items[j].text, rows[i].words));
        if (!quiet && !told)
            fail_msg("%s: %zu lints, first at %u: %s", rows[i].expression, lints.count, lints.items[0].offset,
                     lints.count ? lints.items[0].text : "");
        if (strstr(rows[i].words, "EXISTS"))
            assert_int_equal(lints.count, 1);
    }
}

/* -- what it reads -- */

static void reads_are_complete(void **state) {
    (void)state;
    static const struct {
        const char *expression;
        uint64_t attributes;
        bool others, data, time;
    } rows[] = {
        {"true", 0, false, false, false},
        {"type = 'x' AND EXISTS Subject", ATTRIBUTE_BIT(ATTRIBUTE_TYPE) | ATTRIBUTE_BIT(ATTRIBUTE_SUBJECT), false, false, false},
        {"tenant = 'x'", 0, true, false, false},
        {"EXISTS tenant", 0, true, false, false},
        {"specversion = '1.0'", 0, false, false, false},
        {"DATAHAS('/x')", 0, false, true, false},
        {"HEADER('x') = 'y'", ATTRIBUTE_BIT(ATTRIBUTE_MSGHEADERS), false, false, false},
        {"AGE(time) < 5", ATTRIBUTE_BIT(ATTRIBUTE_TIME), false, false, true},
        {"EPOCH(time) < 5", ATTRIBUTE_BIT(ATTRIBUTE_TIME), false, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena;
        const struct cesql *cesql;
        struct cesql_fault fault;
        arena_init(&arena, 1 << 20);
        assert_int_equal(cesql_compile(slice_from(rows[i].expression), NULL, &arena, &cesql, &fault, NULL), STATUS_OK);
        struct cesql_reads reads = cesql_reads(cesql);
        assert_true(reads.attributes == rows[i].attributes);
        assert_int_equal(reads.others, rows[i].others);
        assert_int_equal(reads.data, rows[i].data);
        assert_int_equal(reads.time, rows[i].time);
        arena_done(&arena);
    }
}

/* -- limits -- */

static enum status compile_repeated(const char *before, const char *middle, const char *after, size_t count,
                                    struct cesql_fault *fault) {
    struct buffer text;
    struct arena arena;
    const struct cesql *cesql;
    buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < count; i++)
        buffer_add_text(&text, before);
    buffer_add_text(&text, middle);
    for (size_t i = 0; i < count; i++)
        buffer_add_text(&text, after);
    arena_init(&arena, 1 << 20);
    enum status status = cesql_compile(buffer_slice(&text), NULL, &arena, &cesql, fault, NULL);
    arena_done(&arena);
    buffer_done(&text);
    return status;
}

static void limits_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *before, *middle, *after;
        size_t fits;
        const char *words;
    } rows[] = {
        {"(", "true", ")", CESQL_DEPTH_MAX - 1, "levels inside each other"},
        {"NOT ", "true", "", CESQL_DEPTH_MAX - 1, "levels inside each other"},
        {"", "'x'", "+1", CESQL_OPS_MAX / 2 - 1, "operations"},
    };
    struct cesql_fault fault;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(compile_repeated(rows[i].before, rows[i].middle, rows[i].after, rows[i].fits, &fault), STATUS_OK);
        assert_int_equal(compile_repeated(rows[i].before, rows[i].middle, rows[i].after, rows[i].fits + 1, &fault),
                         STATUS_TOO_LARGE);
        assert_non_null(strstr(fault.text, rows[i].words));
    }
    assert_int_equal(compile_repeated("", "true", " ", CESQL_TEXT_MAX - 4, &fault), STATUS_OK);
    assert_int_equal(compile_repeated("", "true", " ", CESQL_TEXT_MAX - 3, &fault), STATUS_TOO_LARGE);
    assert_non_null(strstr(fault.text, "longer than"));
}

static void lists_are_limited(void **state) {
    (void)state;
    struct arena arena;
    const struct cesql *cesql;
    struct cesql_fault fault;
    char text[4096];
    for (int extra = 0; extra < 2; extra++) {
        size_t size = (size_t)snprintf(text, sizeof text, "1 IN (0");
        for (int i = 1; i < CESQL_ITEMS_MAX + extra; i++)
            size += (size_t)snprintf(text + size, sizeof text - size, ",%d", i % 7);
        text[size++] = ')';
        arena_init(&arena, 1 << 20);
        assert_int_equal(cesql_compile(slice_make(text, size), NULL, &arena, &cesql, &fault, NULL),
                         extra ? STATUS_TOO_LARGE : STATUS_OK);
        arena_done(&arena);
        size = (size_t)snprintf(text, sizeof text, "CONCAT('a'");
        for (int i = 1; i < CESQL_ARGUMENTS_MAX + extra; i++)
            size += (size_t)snprintf(text + size, sizeof text - size, ",'%d'", i);
        text[size++] = ')';
        arena_init(&arena, 1 << 20);
        assert_int_equal(cesql_compile(slice_make(text, size), NULL, &arena, &cesql, &fault, NULL),
                         extra ? STATUS_TOO_LARGE : STATUS_OK);
        arena_done(&arena);
        size = (size_t)snprintf(text, sizeof text, "DATAHAS('/0')");
        for (int i = 1; i < CESQL_POINTERS_MAX + extra; i++)
            size += (size_t)snprintf(text + size, sizeof text - size, " AND DATAHAS('/%d') AND DATAHAS('/0')", i);
        arena_init(&arena, 1 << 20);
        assert_int_equal(cesql_compile(slice_make(text, size), NULL, &arena, &cesql, &fault, NULL),
                         extra ? STATUS_TOO_LARGE : STATUS_OK);
        arena_done(&arena);
    }
}

static void many_arguments_deep_inside_stay_on_the_stack(void **state) {
    (void)state;
    char text[CESQL_TEXT_MAX];
    size_t size = 0;
    for (int level = 0; level < 20; level++)
        size += (size_t)snprintf(text + size, sizeof text - size, "CONCAT(1,1,1,1,1,1,1,1,1,");
    size += (size_t)snprintf(text + size, sizeof text - size, "1");
    for (int level = 0; level < 20; level++)
        text[size++] = ')';
    struct arena arena;
    const struct cesql *cesql;
    struct cesql_fault fault;
    arena_init(&arena, 1 << 20);
    assert_int_equal(cesql_compile(slice_make(text, size), NULL, &arena, &cesql, &fault, NULL), STATUS_TOO_LARGE);
    assert_non_null(strstr(fault.text, "values at once"));
    arena_done(&arena);
}

static void evil_patterns_and_big_texts_end(void **state) {
    (void)state;
    static uint8_t data[1 << 20];
    data[0] = '"';
    memset(data + 1, 'a', sizeof data - 2);
    data[sizeof data - 1] = '"';
    struct event event;
    char out[64];
    event_init(&event, slice_make(data, sizeof data), DATA_JSON);
    event_add(&event, "id", ATTRIBUTE_STRING, "1");
    event_add(&event, "source", ATTRIBUTE_STRING, "/s");
    event_add(&event, "type", ATTRIBUTE_STRING, "t");
    event_seal(&event);
    evaluate("DATA('') LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'", &event.message, out, sizeof out);
    assert_string_equal(out, "false");
    evaluate("DATA('') LIKE '%a_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab%'", &event.message, out, sizeof out);
    assert_string_equal(out, "false !generic");
    evaluate("DATA('') LIKE 'a%'", &event.message, out, sizeof out);
    assert_string_equal(out, "true");
    evaluate("LENGTH(CONCAT(DATA(''), 'x'))", &event.message, out, sizeof out);
    assert_string_equal(out, "0 !generic");
    evaluate("LENGTH(DATA(''))", &event.message, out, sizeof out);
    assert_string_equal(out, "1048574");
}

static void each_failed_allocation_is_survived(void **state) {
    (void)state;
    struct slice text = SLICE_OF("DATA('/a/b') LIKE 'x%' AND type IN ('a', 'b') AND GLOB(tenant, '*') AND HEADER('q') = 'z'");
    int64_t live = memory_live();
    for (int64_t skip = 0;; skip++) {
        struct arena arena;
        const struct cesql *cesql;
        struct cesql_fault fault;
        arena_init(&arena, 1 << 20);
        memory_fail_after(skip);
        enum status status = cesql_compile(text, NULL, &arena, &cesql, &fault, NULL);
        bool failed = memory_has_failed() != 0;
        memory_fail_after(-1);
        arena_done(&arena);
        assert_int_equal(memory_live(), live);
        assert_int_equal(status, failed ? STATUS_NO_MEMORY : STATUS_OK);
        if (!failed)
            break;
    }
    for (size_t max = 0; max < 4096; max += 16) { /* a full arena is no different */
        struct arena arena;
        const struct cesql *cesql;
        struct cesql_fault fault;
        arena_init(&arena, max);
        enum status status = cesql_compile(text, NULL, &arena, &cesql, &fault, NULL);
        assert_true(status == STATUS_NO_MEMORY || status == STATUS_OK);
        arena_done(&arena);
    }
}

/* Each wildcard in each place, against a matcher that tries all there is. */
static bool matches_slowly(const char *pattern, const char *text) {
    if (!*pattern)
        return !*text;
    if (*pattern == '%')
        return matches_slowly(pattern + 1, text) || (*text && matches_slowly(pattern, text + 1));
    return *text && (*pattern == '_' || *pattern == *text) && matches_slowly(pattern + 1, text + 1);
}

static void every_short_pattern_matches_what_it_should(void **state) {
    static const char letters[] = "ab%_";
    char pattern[7], text[7];
    uint8_t compiled[8];
    (void)state;
    for (unsigned p = 0; p < 1u << 12; p++)
        for (unsigned length = 0; length <= 6; length++) {
            for (unsigned i = 0; i < length; i++)
                pattern[i] = letters[p >> 2 * i & 3];
            pattern[length] = '\0';
            if (length < 6 && p >> 2 * length)
                continue; /* seen already */
            size_t size = cesql_pattern_like(compiled, slice_from(pattern));
            for (unsigned t = 0; t < 1u << 7; t++) {
                unsigned letters_in = 0;
                for (unsigned bits = t; bits > 1; bits >>= 1)
                    text[letters_in++] = bits & 1 ? 'b' : 'a';
                text[letters_in] = '\0';
                uint64_t work = 10000;
                if (cesql_pattern_matches(slice_make(compiled, size), slice_from(text), &work) != matches_slowly(pattern, text))
                    fail_msg("`%s` LIKE '%s'", text, pattern);
            }
        }
}

static void a_pattern_made_for_its_text_costs_as_much_as_the_text_is_long(void **state) {
    enum { TEXT = 60000, PATTERN = 2000 };
    static char text[TEXT + 1], pattern[PATTERN + 4];
    static uint8_t compiled[PATTERN + 4];
    uint64_t work = 2 * TEXT;
    (void)state;
    memset(text, 'a', TEXT);
    memset(pattern, 'a', PATTERN);
    pattern[0] = '%';
    memcpy(pattern + PATTERN, "b%", 3);
    size_t size = cesql_pattern_like(compiled, slice_from(pattern));
    assert_false(cesql_pattern_matches(slice_make(compiled, size), slice_make(text, TEXT), &work));
    assert_true(work > 0);
    work = 100; /* and no more than it may */
    assert_false(cesql_pattern_matches(slice_make(compiled, size), slice_make(text, TEXT), &work));
    assert_true(work == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_pattern_matches_what_it_should),
        cmocka_unit_test(a_pattern_made_for_its_text_costs_as_much_as_the_text_is_long),
        cmocka_unit_test(values_are_as_the_standard_says),
        cmocka_unit_test(texts_are_characters_not_bytes),
        cmocka_unit_test(data_and_headers_are_read),
        cmocka_unit_test(data_that_is_no_json_is_an_error),
        cmocka_unit_test(times_become_seconds),
        cmocka_unit_test(written_priority_and_kind_are_seen),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(undeclared_attributes_are_faults_when_asked),
        cmocka_unit_test(traps_are_linted),
        cmocka_unit_test(reads_are_complete),
        cmocka_unit_test(limits_are_refused_by_name),
        cmocka_unit_test(lists_are_limited),
        cmocka_unit_test(many_arguments_deep_inside_stay_on_the_stack),
        cmocka_unit_test(evil_patterns_and_big_texts_end),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
