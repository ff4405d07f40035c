/* PCRE2, held on a short rope. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/memory.h"
#include "testing/regex.h"

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

static pcre2_code *compile(struct slice pattern, enum regex_anchor anchor, int *ret_error,
                           size_t *ret_offset) {
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) {
        *ret_error = PCRE2_ERROR_NOMEMORY;
        return NULL;
    }
    pcre2_set_parens_nest_limit(context, REGEX_NESTING_MAX);
    /* \C would step into the middle of a character. */
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
    if (anchor == REGEX_WHOLE)
        options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    pcre2_code *code = pcre2_compile(pattern.data, pattern.size, options, ret_error, ret_offset, context);
    pcre2_compile_context_free(context);
    return code;
}

enum status regex_new(struct slice pattern, enum regex_anchor anchor, struct regex **ret,
                      struct fault *fault) {
    int error = 0;
    size_t offset = 0;
    if (pattern.size > REGEX_PATTERN_MAX)
        return fault_set(fault, STATUS_TOO_LARGE, 0, "a regular expression of more than %d bytes",
                         REGEX_PATTERN_MAX);
    struct regex *regex = memory_new(sizeof *regex);
    if (!regex)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "out of memory");
    pattern = slice_make(pattern.data ? pattern.data : (const uint8_t *)"", pattern.size);
    regex->code = compile(pattern, anchor, &error, &offset);
    regex->limits = regex->code ? pcre2_match_context_create(NULL) : NULL;
    if (!regex->limits) {
        PCRE2_UCHAR words[128];
        if (!regex->code && error != PCRE2_ERROR_NOMEMORY) {
            pcre2_get_error_message(error, words, sizeof words);
            fault_set(fault, STATUS_BAD_CONFIG, 0, "regular expression, at character %zu: %s", offset + 1,
                      (char *)words);
        } else
            fault_set(fault, STATUS_NO_MEMORY, 0, "out of memory");
        enum status status =
            regex->code || error == PCRE2_ERROR_NOMEMORY ? STATUS_NO_MEMORY : STATUS_BAD_CONFIG;
        regex_free(regex);
        return status;
    }
    pcre2_set_match_limit(regex->limits, REGEX_STEPS_MAX);
    pcre2_set_depth_limit(regex->limits, REGEX_DEPTH_MAX);
    pcre2_set_heap_limit(regex->limits, REGEX_HEAP_KIB_MAX);
    *ret = regex;
    return STATUS_OK;
}

void regex_free(struct regex *regex) {
    if (!regex)
        return;
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
    memory_free(regex);
}

enum regex_result regex_match(const struct regex *regex, struct slice text, struct slice *ret_found) {
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        return REGEX_GAVE_UP;
    const uint8_t *subject = text.data ? text.data : (const uint8_t *)"";
    int count = pcre2_match(regex->code, subject, text.size, 0, 0, data, regex->limits);
    if (count >= 0 && ret_found) {
        const size_t *at = pcre2_get_ovector_pointer(data);
        /* \K may put the start behind the end. */
        *ret_found =
            at[0] <= at[1] ? slice_make(subject + at[0], at[1] - at[0]) : slice_make(subject + at[1], 0);
    }
    pcre2_match_data_free(data);
    return count >= 0 ? REGEX_YES : count == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_GAVE_UP;
}
