/* Plays what is in tests/scenarios: what each scenario expects must hold, and its narrative must be the one that lies beside
 * it, word for word. Where a change of it is meant, `make scenarios` writes them anew: read the difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "simulation/play.h"

#define NARRATIVE_MAX (8u << 20)
#define FILES_MAX 64

static const char *folder(void) {
    static char path[1000];
    const char *given = getenv("INTERTIE_SCENARIOS"), *source = getenv("INTERTIE_SOURCE");
    (void)snprintf(path, sizeof path, "%s%s",
                   given    ? given
                   : source ? source
                            : ".",
                   given ? "" : "/tests/scenarios");
    return path;
}

/* NUL at the end, which isn't counted. False: there is no such file. */
static bool read_file(const char *path, struct buffer *out) {
    char bytes[4096];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
        buffer_add(out, slice_make(bytes, got));
    (void)fclose(file);
    return true;
}

static void write_file(const char *path, struct slice text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
    assert_int_equal(fclose(file), 0);
}

static struct scenario *load(const char *name, const struct buffer *text, char *words, size_t room) {
    struct config_report report;
    struct scenario *scenario = NULL;
    config_report_init(&report);
    enum status status = scenario_load(slice_from(name), buffer_slice(text), &scenario, &report);
    words[0] = 0;
    if (status != STATUS_OK) {
        struct buffer out;
        buffer_init(&out, 65536);
        config_report_text(&report, &out);
        (void)snprintf(words, room, "%.*s", SLICE_ARG(buffer_slice(&out)));
        buffer_done(&out);
    }
    config_report_done(&report);
    return scenario;
}

/* The first line that differs. */
static void show_difference(const char *name, const char *got, const char *wanted) {
    unsigned line = 1;
    const char *start = got, *other = wanted;
    for (; *got && *got == *wanted; got++, wanted++)
        if (*got == '\n') {
            line++;
            start = got + 1;
            other = wanted + 1;
        }
    print_error(
        "%s.txt, line %u: another narrative than before; if that is meant: make scenarios\n  now:    %.*s\n  before: %.*s\n",
        name, line, (int)strcspn(start, "\n"), start, (int)strcspn(other, "\n"), other);
}

static bool compare(const char *name, struct buffer *narrative) {
    char path[1200];
    struct buffer wanted;
    (void)snprintf(path, sizeof path, "%s/%s.txt", folder(), name);
    if (getenv("INTERTIE_SCENARIOS_WRITE")) {
        write_file(path, buffer_slice(narrative));
        return true;
    }
    buffer_init(&wanted, NARRATIVE_MAX);
    bool is_there = read_file(path, &wanted);
    buffer_add_byte(&wanted, 0);
    buffer_add_byte(narrative, 0);
    bool same = is_there && strcmp((const char *)narrative->data, (const char *)wanted.data) == 0;
    if (!same)
        show_difference(name, (const char *)narrative->data, (const char *)wanted.data);
    buffer_done(&wanted);
    return same;
}

static void play_one(const char *name) {
    char path[1200], words[2000];
    struct buffer text, narrative, story;
    struct play_result result, again;
    struct fault fault;
    (void)snprintf(path, sizeof path, "%s/%s.yaml", folder(), name);
    buffer_init(&text, SCENARIO_TEXT_MAX);
    buffer_init(&narrative, NARRATIVE_MAX);
    buffer_init(&story, 512u << 20);
    assert_true(read_file(path, &text));
    struct scenario *scenario = load(path, &text, words, sizeof words);
    if (!scenario)
        fail_msg("%s", words);
    const char *wants_story =
        getenv("INTERTIE_SCENARIO_STORY"); /* a file: every dial and every loss of a datagram */
    if (!play_scenario(scenario, &narrative, wants_story ? &story : NULL, &result, &fault))
        fail_msg("%s: %s", path, fault.text);
    if (wants_story)
        write_file(wants_story, buffer_slice(&story));
    if (result.broken)
        print_error("%.*s", SLICE_ARG(buffer_slice(&narrative)));
    assert_true(compare(name, &narrative));
    assert_int_equal(result.broken, 0);
    assert_true(play_scenario(scenario, NULL, NULL, &again, &fault));
    assert_true(again.hash == result.hash);
    scenario_free(scenario);
    buffer_done(&text);
    buffer_done(&narrative);
    buffer_done(&story);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void play_named(void **state) {
    play_one(*state);
}

/* One test for each file. */
static int play_all(void) {
    static struct CMUnitTest tests[FILES_MAX];
    static char *names[FILES_MAX];
    size_t count = 0;
    const char *only = getenv("INTERTIE_SCENARIO");
    DIR *all = opendir(folder());
    if (!all)
        return 1;
    for (const struct dirent *entry; (entry = readdir(all)) && count < FILES_MAX;) {
        size_t size = strlen(entry->d_name);
        if (size < 6 || strcmp(entry->d_name + size - 5, ".yaml") != 0)
            continue;
        names[count] = memory_copy_text(entry->d_name, size - 5);
        if (only && strcmp(only, names[count]) != 0)
            memory_free(names[count]);
        else
            count++;
    }
    (void)closedir(all);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = play_named, .initial_state = names[i]};
    int failed = count ? _cmocka_run_group_tests("scenarios", tests, count, NULL, NULL) : 1;
    for (size_t i = 0; i < count; i++)
        memory_free(names[i]);
    return failed;
}

/* -- mistakes -- */

#define HEAD \
    "scenario: x\nuntil: 1s\nrouter: |\n  systems: {far: {}}\nactors: {a: {listen: http://10.0.1.1:8001}, me: {dial: http://10.0.0.1:80}}\n"
#define LOADS "loads: {x: {from: me, rate: 1/s, for: 1s}}\n"

static const struct mistake {
    const char *yaml, *words;
} mistakes[] = {
    {"scenari: x\n", "1:1: error: unknown key `scenari`; did you mean `scenario`?"},
    {HEAD, "`loads` is missing"},
    {HEAD "loads: {x: {from: you, rate: 1/s, for: 1s}}\n", "no actor `you`"},
    {HEAD "loads: {x: {from: me, rate: 1, for: 1s}}\n", "6:29: error: rate: "},
    {HEAD "loads: {x: {from: me, rate: 1/s, for: 1s, kind: evnt}}\n", "`evnt` is no kind of message"},
    {HEAD LOADS "steps: [{at: 1s, kill: b}]\n", "no actor `b`"},
    {HEAD LOADS "steps: [{at: 1s, kill: a, reset: a}]\n", "a step is one of"},
    {HEAD LOADS "steps: [{at: soon, kill: a}]\n", "7:14: error: at: "},
    {HEAD LOADS "expect: [losst == 0]\n", "7:10: error: `losst` is no number and no measure"},
    {HEAD LOADS "expect: [lost = 0]\n", "`=` is no comparison"},
    {HEAD LOADS "expect: [lost of b == 0]\n", "`b` is no load and no actor"},
    {HEAD LOADS "expect: [p99 in ewma < 3]\n", "`ewma` is no variant"},
    {HEAD LOADS "expect: [p99 < 3 ms]\n", "`ms` is no word that may come here"},
    {HEAD LOADS "vary: {a: x}\n", "`vary` is one name and a list"},
    {HEAD LOADS "workers: 9\n", "workers: 1 to 4"},
};

static void mistakes_are_told_with_their_place(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        char words[2000];
        struct buffer text;
        buffer_init(&text, 65536);
        buffer_add_text(&text, mistakes[i].yaml);
        struct scenario *scenario = load("x.yaml", &text, words, sizeof words);
        if (scenario || !strstr(words, mistakes[i].words))
            fail_msg("%s\nis told as: %s\nand not as: %s", mistakes[i].yaml, words, mistakes[i].words);
        buffer_done(&text);
    }
}

static void what_is_expected_and_does_not_hold_is_found(void **state) {
    char words[2000];
    struct buffer text;
    struct play_result result;
    struct fault fault;
    (void)state;
    buffer_init(&text, 65536);
    buffer_add_text(
        &text,
        "scenario: x\nuntil: 2s\nrouter: |\n  listeners: {in: {url: intertie://10.0.0.1:7460, anonymous: true}}\n"
        "  systems: {me: {}, far: http://10.0.1.1:8001/v1/messages}\n"
        "actors: {far: {listen: http://10.0.1.1:8001}, me: {dial: intertie://10.0.0.1:7460}}\n"
        "loads: {x: {from: me, target: far, rate: 10/s, for: 1s}}\nsteps: [{at: 500ms, mute: far}]\n"
        "expect: [sent == 10, arrived == 10, arrived == 5]\n");
    struct scenario *scenario = load("x.yaml", &text, words, sizeof words);
    assert_string_equal(words, "");
    struct buffer narrative;
    buffer_init(&narrative, NARRATIVE_MAX);
    if (!play_scenario(scenario, &narrative, NULL, &result, &fault))
        fail_msg("%s", fault.text);
    if (result.broken != 1)
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&narrative)));
    scenario_free(scenario);
    buffer_done(&text);
    buffer_done(&narrative);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(what_is_expected_and_does_not_hold_is_found),
    };
    int failed = getenv("INTERTIE_SCENARIO") ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
    return play_all() + failed;
}
