/* HTTP dates, with the proleptic Gregorian calendar in days since 1970. */
#include "protocol/http1/date.h"

#include "base/text.h"

static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Years are counted from March, so that the leap day is the last of its year. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = year / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t count, int64_t *year, unsigned *month, unsigned *day) {
    count += 719468;
    int64_t era = count / 146097;
    unsigned of_era = (unsigned)(count - era * 146097);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * of_year + 2) / 153;
    *day = of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static void put_digits(char *out, unsigned count, uint64_t value) {
    while (count--) {
        out[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void date_format(int64_t seconds, char out[static DATE_SIZE]) {
    int64_t year;
    unsigned month, day;
    int64_t count = seconds / 86400 - (seconds % 86400 < 0);
    uint64_t rest = (uint64_t)(seconds - count * 86400);
    civil_from_days(count, &year, &month, &day);
    memcpy(out, "Ddd, dd Mmm yyyy hh:mm:ss GMT", DATE_SIZE);
    memcpy(out, days + 3 * (((count % 7) + 7) % 7), 3);
    put_digits(out + 5, 2, day);
    memcpy(out + 8, months + (month - 1) * 3, 3);
    put_digits(out + 12, 4, (uint64_t)year);
    put_digits(out + 17, 2, rest / 3600);
    put_digits(out + 20, 2, rest / 60 % 60);
    put_digits(out + 23, 2, rest % 60);
}

/* Matches `text` with a pattern: 1 to 5 digits of that number (or a space in its tens), @ a month, W a letter, others themselves. */
struct date_fields {
    unsigned numbers[5]; /* in order of the pattern: 1..5 */
    unsigned month;
};

static bool match(struct slice text, const char *pattern, struct date_fields *fields) {
    size_t at = 0;
    *fields = (struct date_fields){0};
    for (; *pattern; pattern++) {
        if (at >= text.size)
            return false;
        uint8_t c = text.data[at];
        if (*pattern >= '1' && *pattern <= '5') {
            unsigned *number = &fields->numbers[*pattern - '1'];
            if (!text_is_digit(c) && !(c == ' ' && *number == 0))
                return false;
            *number = *number * 10 + (c == ' ' ? 0 : c - '0');
        } else if (*pattern == '@') {
            for (unsigned i = 0; i < 12 && at + 3 <= text.size; i++)
                if (memcmp(text.data + at, months + 3 * (size_t)i, 3) == 0)
                    fields->month = i + 1;
            if (fields->month == 0)
                return false;
            at += 2;
        } else if (*pattern == 'W' ? !text_is_alpha(c) : c != (uint8_t)*pattern) {
            return false;
        }
        at++;
    }
    return at == text.size;
}

static bool to_seconds(unsigned year, unsigned month, unsigned day, const unsigned *clock, int64_t *ret_seconds) {
    static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || day < 1 || day > lengths[month - 1] || clock[0] > 23 || clock[1] > 59 || clock[2] > 60)
        return false;
    *ret_seconds = days_from_civil(year, month, day) * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2];
    return true;
}

bool date_parse(struct slice text, struct wall now, int64_t *ret_seconds) {
    struct date_fields f;
    if (match(text, "WWW, 11 @ 2222 33:44:55 GMT", &f))
        return to_seconds(f.numbers[1], f.month, f.numbers[0], f.numbers + 2, ret_seconds);
    if (match(text, "WWW @ 11 22:33:44 5555", &f))
        return to_seconds(f.numbers[4], f.month, f.numbers[0], f.numbers + 1, ret_seconds);
    size_t comma = slice_find(text, ',');
    if (comma < 6 || comma > 9 || !match(slice_skip(text, comma), ", 11-@-22 33:44:55 GMT", &f))
        return false;
    /* More than 50 years ahead means the past. */
    int64_t this_year;
    unsigned month, day;
    civil_from_days(now.ns / NS_PER_S / 86400, &this_year, &month, &day);
    int64_t year = this_year / 100 * 100 + f.numbers[1];
    if (year > this_year + 50)
        year -= 100;
    return to_seconds((unsigned)year, f.month, f.numbers[0], f.numbers + 2, ret_seconds);
}

uint32_t date_retry_after(struct slice value, struct wall now) {
    uint64_t seconds;
    int64_t at;
    if (text_to_u64(value, &seconds))
        return seconds > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)seconds * 1000;
    if (!date_parse(value, now, &at) || at <= now.ns / NS_PER_S)
        return 0;
    int64_t ms = (at - now.ns / NS_PER_S) * 1000;
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}
