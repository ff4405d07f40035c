/* Templates: what they take from a message, what they refuse, and the pairs of `httpheaders`. */
#include "message/fixture.h"
#include "message/template.h"

static const char event[] =
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\",\"subject\":\"A/1 \xc3\xa9\",\"priority\":4,"
    "\"httpheaders\":\"[[\\\"X-One\\\",\\\"1\\\"],[\\\"x-quoted\\\",\\\"a\\\\\\\"b\\\"]]\",\"msgheaders\":\"{\\\"tenant\\\":\\\"acme\\\"}\","
    "\"httpparams\":\"{\\\"sku\\\":\\\"A-1\\\"}\","
    "\"data\":{\"id\":7,\"name\":\"a\\u00e9\",\"deep\":{\"list\":[1,true,null,{\"a/b\":\"x\"}]},\"evil\":\"a\\r\\nb\",\"dots\":\"..\"}}";

static enum status fill(const char *text, enum template_escape escape, char *out, size_t size) {
    struct fixture f;
    struct arena arena;
    struct buffer buffer;
    const struct template *template;
    struct template_fault fault;
    arena_init(&arena, 1 << 20);
    buffer_init_fixed(&buffer, out, size - 1);
    assert_int_equal(fixture_json(&f, slice_from(event)), STATUS_OK);
    enum status status = template_compile(slice_from(text), NULL, &arena, &template, &fault);
    if (status == STATUS_OK)
        status = template_write(template, &f.message, escape, &buffer);
    out[buffer.size] = '\0';
    fixture_done(&f);
    arena_done(&arena);
    return status;
}

static void values_come_from_attributes_data_headers_and_path(void **state) {
    (void)state;
    static const struct {
        const char *text, *plain, *percent;
    } cases[] = {
        {"/p/{subject}", "/p/A/1 \xc3\xa9", "/p/A%2F1%20%C3%A9"},
        {"{data:/id}", "7", "7"},
        {"{data:/name}", "a\xc3\xa9", "a%C3%A9"},
        {"{data:/deep/list/1}", "true", "true"},
        {"{data:/deep/list/3/a~1b}", "x", "x"},
        {"{data:/dots}", "..", "%2E%2E"},
        {"{header:x-one}", "1", "1"},
        {"{header:X-QUOTED}", "a\"b", "a%22b"},
        {"{header:tenant}", "acme", "acme"},
        {"{path:sku}-{priority}-{messagetype}", "A-1-4-event", "A-1-4-event"},
        {"{time|none}", "none", "none"},
        {"{data:/nope|}.", ".", "."},
        {"{{{type}}}", "{t}", "{t}"},
        {"plain", "plain", "plain"},
    };
    char out[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fill(cases[i].text, TEMPLATE_PLAIN, out, sizeof out), STATUS_OK);
        assert_string_equal(out, cases[i].plain);
        assert_int_equal(fill(cases[i].text, TEMPLATE_PERCENT, out, sizeof out), STATUS_OK);
        assert_string_equal(out, cases[i].percent);
    }
}

static void what_is_absent_or_no_text_is_missing(void **state) {
    (void)state;
    static const char *const texts[] = {"{time}", "{data:/nope}", "{data:/deep}", "{data:/deep/list/2}", "{data:/deep/list/9}",
                                        "{data:/deep/list/01}", "{header:nope}", "{path:nope}", "{data:}", "{data:/id/x}"};
    char out[256];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(fill(texts[i], TEMPLATE_PLAIN, out, sizeof out), STATUS_TEMPLATE_MISSING);
}

static void line_ends_never_get_into_a_header(void **state) {
    (void)state;
    char out[256];
    assert_int_equal(fill("{data:/evil}", TEMPLATE_PLAIN, out, sizeof out), STATUS_NOT_REPRESENTABLE);
    assert_int_equal(fill("{data:/evil}", TEMPLATE_PERCENT, out, sizeof out), STATUS_OK);
    assert_string_equal(out, "a%0D%0Ab");
}

static void a_full_buffer_is_too_large(void **state) {
    (void)state;
    char out[8];
    assert_int_equal(fill("12345{subject}", TEMPLATE_PERCENT, out, sizeof out), STATUS_TOO_LARGE);
}

static void bad_texts_are_refused_with_their_place(void **state) {
    (void)state;
    static const char *const texts[] = {"a{", "a}b", "{}", "{nope}", "{data:x}", "{header:}", "{path:}", "{what:x}", "{|d}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct arena arena;
        const struct template *template;
        struct template_fault fault;
        arena_init(&arena, 1 << 20);
        assert_int_equal(template_compile(slice_from(texts[i]), NULL, &arena, &template, &fault), STATUS_BAD_CONFIG);
        assert_true(fault.text[0] != '\0' && fault.offset < strlen(texts[i]));
        arena_done(&arena);
    }
}

static void one_part_too_many_is_refused(void **state) {
    (void)state;
    char text[TEMPLATE_PARTS_MAX * 4 + 8] = "";
    struct arena arena;
    const struct template *template;
    struct template_fault fault;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < TEMPLATE_PARTS_MAX; i++)
        memcpy(text + 4 * i, "{id}", 5);
    assert_int_equal(template_compile(slice_from(text), NULL, &arena, &template, &fault), STATUS_OK);
    memcpy(text + 4 * TEMPLATE_PARTS_MAX, "x", 2);
    assert_int_equal(template_compile(slice_from(text), NULL, &arena, &template, &fault), STATUS_BAD_CONFIG);
    arena_done(&arena);
}

static void pairs_survive_the_round_trip(void **state) {
    (void)state;
    static const char *const values[] = {"plain", "", "a \"quoted\" \\ one", "tab\there", "\xff\x80\xe9"};
    uint8_t json[1024], bytes[1024];
    struct buffer out, room;
    buffer_init_fixed(&out, json, sizeof json);
    buffer_add_byte(&out, '[');
    for (size_t i = 0; i < 5; i++)
        http_pairs_add(&out, SLICE_OF("X-A"), slice_from(values[i]));
    buffer_add_byte(&out, ']');
    struct http_pairs pairs = {.rest = buffer_slice(&out)};
    struct slice name, value;
    buffer_init_fixed(&room, bytes, sizeof bytes);
    for (size_t i = 0; i < 5; i++) {
        assert_true(http_pairs_next(&pairs, &room, &name, &value));
        assert_true(slice_is(name, "X-A") && slice_is(value, values[i]));
    }
    assert_false(http_pairs_next(&pairs, &room, &name, &value));
    assert_false(pairs.is_bad);
}

/* Fields are looked at by words: each byte at each place of each length up to three of them. */
static void any_byte_at_any_place_survives(void **state) {
    (void)state;
    uint8_t json[256], bytes[64], text[25];
    for (size_t size = 1; size <= sizeof text; size++)
        for (size_t at = 0; at < size; at++)
            for (unsigned byte = 0; byte < 256; byte++) {
                struct buffer out, room;
                struct slice name, value;
                buffer_init_fixed(&out, json, sizeof json);
                buffer_init_fixed(&room, bytes, sizeof bytes);
                memset(text, 'v', sizeof text);
                text[at] = (uint8_t)byte;
                buffer_add_byte(&out, '[');
                http_pairs_add(&out, SLICE_OF("X-A"), slice_make(text, size));
                size_t expected = strlen("[[\"X-A\",\"\"]") + size;
                if (byte == '"' || byte == '\\')
                    expected += 1;
                else if (byte < ' ' || byte >= 0x7f)
                    expected += 5;
                assert_int_equal(out.size, expected);
                buffer_add_byte(&out, ']');
                struct http_pairs pairs = {.rest = buffer_slice(&out)};
                assert_true(http_pairs_next(&pairs, &room, &name, &value) && slice_is(name, "X-A"));
                assert_true(slice_equal(value, slice_make(text, size)));
            }
}

static void broken_pairs_are_told(void **state) {
    (void)state;
    static const char *const texts[] = {"x", "[", "[[\"a\"]]", "[[\"a\",1]]", "[[\"a\",\"b\",\"c\"]]", "[[\"a\",\"b\"]", "[[\"a\",\"b\"]]x",
                                        "[[\"a\",\"\\u0100\"]]", "[[\"a\",\"\\ud800\"]]", "[\"a\",\"b\"]", "[[\"a\",\"b\"][\"a\",\"b\"]]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t bytes[256];
        struct buffer room;
        struct http_pairs pairs = {.rest = slice_from(texts[i])};
        struct slice name, value;
        buffer_init_fixed(&room, bytes, sizeof bytes);
        while (http_pairs_next(&pairs, &room, &name, &value))
            ;
        assert_true(pairs.is_bad);
    }
    struct http_pairs spaced = {.rest = SLICE_OF(" [ [ \"a\" , \"b\" ] , [\"c\",\"d\"] ] ")}, none = {.rest = SLICE_OF("[ ]")};
    uint8_t bytes[64];
    struct buffer room;
    struct slice name, value;
    buffer_init_fixed(&room, bytes, sizeof bytes);
    assert_true(http_pairs_next(&spaced, &room, &name, &value) && http_pairs_next(&spaced, &room, &name, &value));
    assert_true(slice_is(name, "c") && !http_pairs_next(&spaced, &room, &name, &value) && !spaced.is_bad);
    assert_true(!http_pairs_next(&none, &room, &name, &value) && !none.is_bad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_from_attributes_data_headers_and_path),
        cmocka_unit_test(what_is_absent_or_no_text_is_missing),
        cmocka_unit_test(line_ends_never_get_into_a_header),
        cmocka_unit_test(a_full_buffer_is_too_large),
        cmocka_unit_test(bad_texts_are_refused_with_their_place),
        cmocka_unit_test(one_part_too_many_is_refused),
        cmocka_unit_test(pairs_survive_the_round_trip),
        cmocka_unit_test(any_byte_at_any_place_survives),
        cmocka_unit_test(broken_pairs_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
