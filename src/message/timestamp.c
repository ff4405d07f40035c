/* RFC 3339 timestamps. */
#include "message/timestamp.h"

#include "base/text.h"

#define SECONDS_PER_DAY INT64_C(86400)
#define YEAR_0 INT64_C(-62167219200)    /* 0000-01-01T00:00:00Z */
#define YEAR_10000 INT64_C(253402300800) /* 10000-01-01T00:00:00Z */

/* Days since 1970-01-01 in the proleptic Gregorian calendar, by counting from 1 March in eras of 400 years. */
static int64_t days_from_date(int year, int month, int day) {
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

/* `count` decimal digits, or -1. */
static int digits(const uint8_t *at, int count) {
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!text_is_digit(at[i]))
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

static int days_in_month(int year, int month) {
    static const int8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month];
}

/* RFC 3339 section 5.6: `.` 1*DIGIT. More than nine digits are cut. */
static bool read_fraction(struct slice *text, int32_t *ret_nanos) {
    int32_t nanos = 0;
    size_t count = 0;
    if (text->size == 0 || text->data[0] != '.') {
        *ret_nanos = 0;
        return true;
    }
    *text = slice_skip(*text, 1);
    for (; count < text->size && text_is_digit(text->data[count]); count++)
        if (count < 9)
            nanos = nanos * 10 + (text->data[count] - '0');
    if (count == 0)
        return false;
    for (size_t i = count; i < 9; i++)
        nanos *= 10;
    *text = slice_skip(*text, count);
    *ret_nanos = nanos;
    return true;
}

/* `Z` or `+hh:mm` or `-hh:mm`, and nothing after. */
static bool read_offset(struct slice text, int *ret_minutes) {
    if (text.size == 1 && (text.data[0] | 0x20) == 'z') {
        *ret_minutes = 0;
        return true;
    }
    if (text.size != 6 || (text.data[0] != '+' && text.data[0] != '-') || text.data[3] != ':')
        return false;
    int hours = digits(text.data + 1, 2);
    int minutes = digits(text.data + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret_minutes = (text.data[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool timestamp_parse(struct slice text, int64_t *ret_seconds, int32_t *ret_nanos) {
    const uint8_t *at = text.data;
    if (text.size < 20 || at[4] != '-' || at[7] != '-' || (at[10] | 0x20) != 't' || at[13] != ':' || at[16] != ':')
        return false;
    int year = digits(at, 4), month = digits(at + 5, 2), day = digits(at + 8, 2);
    int hour = digits(at + 11, 2), minute = digits(at + 14, 2), second = digits(at + 17, 2);
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;
    struct slice rest = slice_skip(text, 19);
    int32_t nanos;
    int offset;
    if (!read_fraction(&rest, &nanos) || !read_offset(rest, &offset))
        return false;
    int64_t minutes = days_from_date(year, month, day) * 1440 + hour * 60 + minute - offset;
    /* RFC 3339 section 5.7: leap seconds are at 23:59 UTC. */
    if (second == 60 && (minutes + 1) % 1440 != 0)
        return false;
    int64_t seconds = minutes * 60 + second;
    if (seconds < YEAR_0 || seconds >= YEAR_10000)
        return false;
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return true;
}

static char *put_digits(char *at, int value, int count) {
    for (int i = count - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + count;
}

size_t timestamp_format(int64_t seconds, int32_t nanos, char out[static TIMESTAMP_TEXT_MAX]) {
    int64_t days = seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
    int of_day = (int)(seconds - days * SECONDS_PER_DAY);
    int year, month, day;
    date_from_days(days, &year, &month, &day);
    char *at = put_digits(out, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, of_day % 60, 2);
    if (nanos) {
        *at++ = '.';
        int count = nanos % 1000 ? 9 : nanos % 1000000 ? 6 : 3;
        at = put_digits(at, count == 9 ? nanos : count == 6 ? nanos / 1000 : nanos / 1000000, count);
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

bool timestamp_to_wall(int64_t seconds, int32_t nanos, struct wall *ret_wall) {
    int64_t ns;
    /* Towards the past the product alone may overflow though the sum would not: nobody misses that second. */
    if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) || __builtin_add_overflow(ns, (int64_t)nanos, &ns))
        return false;
    ret_wall->ns = ns;
    return true;
}
