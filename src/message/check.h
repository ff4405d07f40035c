/* Whether text is a legal value of its CloudEvents type. Pure; used by every decoder. */
#ifndef MESSAGE_CHECK_H
#define MESSAGE_CHECK_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "message/attribute.h"

static inline bool check_is_plain8(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    /* Bytes below 0x20 and 0x7f borrow into or reach the high bit; 0x80 and above have it. */
    return ((word | (word - ones * 0x20) | (word + ones)) & high) == 0;
}

/* A String that needs no closer look: all bytes from 0x20 to 0x7e. Most values are. */
static inline bool check_is_plain(struct slice text) {
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;
#ifdef __SSE2__
    if (text.size >= 16) {
        __m128i bad = _mm_setzero_si128();
        for (;; at += 16) {
            if (end - at < 16)
                at = end - 16; /* the last ones twice */
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
            bad = _mm_or_si128(bad, _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
                                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f))));
            if (end - at == 16)
                return _mm_movemask_epi8(bad) == 0;
        }
    }
#endif
    if (text.size >= 8) {
        for (; end - at > 8; at += 8)
            if (!check_is_plain8(at))
                return false;
        return check_is_plain8(end - 8);
    }
    /* Shorter ones are gathered into one word, some bytes twice. */
    uint64_t word = UINT64_C(0x2020202020202020);
    if (text.size >= 4) {
        memcpy(&word, at, 4);
        memcpy((uint8_t *)&word + 4, end - 4, 4);
    } else if (text.size) {
        word = (word & ~UINT64_C(0xffffff)) | at[0] | (uint64_t)at[text.size / 2] << 8 | (uint64_t)end[-1] << 16;
    }
    return check_is_plain8((const uint8_t *)&word);
}

/* CloudEvents section 3.1.1 String: UTF-8 without control characters (U+0000-1F, U+007F-9F) and noncharacters. */
bool check_string(struct slice text);
/* RFC 3986 section 4.1, syntax. The empty one is legal. */
bool check_uri_reference(struct slice text);
/* RFC 3986 section 4.3 with or without a fragment: has a scheme. */
bool check_uri(struct slice text);
/* `host.name/package.Message` as google.protobuf.Any has it, without a scheme. */
bool check_type_url(struct slice text);
/* RFC 2045 section 5.1: type "/" subtype *(";" name "=" value), all printable ASCII. */
bool check_media_type(struct slice text);

/* Strings among the known attributes that have a rule of their own. */
#define CHECK_SPECIAL \
    (ATTRIBUTE_BIT(ATTRIBUTE_DATASCHEMA) | ATTRIBUTE_BIT(ATTRIBUTE_DATACONTENTTYPE) | ATTRIBUTE_BIT(ATTRIBUTE_TARGET) | \
     ATTRIBUTE_BIT(ATTRIBUTE_MESSAGETYPE))

/* Whether the canonical string form is legal for an attribute: NULL, or why it isn't ("must be ..."). `known` may be
 * ATTRIBUTE_OTHER. For Integer and Boolean use check_number(). */
const char *check_text(unsigned known, enum attribute_type type, struct slice text);
const char *check_number(unsigned known, enum attribute_type type, int32_t number);
/* Canonical Integer (no plus, no leading zero) and Boolean. */
bool check_parse_integer(struct slice text, int32_t *ret_number);
bool check_parse_boolean(struct slice text, int32_t *ret_number);

#endif
