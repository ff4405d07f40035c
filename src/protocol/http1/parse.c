/* The head parser. The order of its checks is the order of the bytes, so that a verdict never changes with more input. */
#include "protocol/http1/parse.h"

#include <endian.h>

#include "base/text.h"

/* -- bytes -- */

/* RFC 9110 section 5.6.2: token characters. The value is the lower-case form, 0 for all others. */
static const uint8_t token_lower[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*', ['+'] = '+',
    ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['|'] = '|', ['~'] = '~',
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7',
    ['8'] = '8', ['9'] = '9',
    ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h',
    ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p',
    ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z',
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h',
    ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p',
    ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z',
};

bool http1_is_token(struct slice text) {
    unsigned all = text.size > 0;
    for (size_t i = 0; i < text.size; i++)
        all &= token_lower[text.data[i]] != 0;
    return all;
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* The first byte below 0x20 or equal to 0x7f, or `end`. Eight at a time. */
static const uint8_t *find_control(const uint8_t *at, const uint8_t *end) {
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t del = word ^ ONES * 0x7f;
        uint64_t hit = ((word - ONES * 0x20) & ~word & HIGHS) | ((del - ONES) & ~del & HIGHS);
        if (hit) /* exact for the first: a borrow goes upward only */
            return at + (__builtin_ctzll(le64toh(hit)) >> 3);
        at += 8;
    }
    while (at < end && *at >= 0x20 && *at != 0x7f)
        at++;
    return at;
}

struct cursor {
    const uint8_t *at;
    const uint8_t *end;  /* of what there is, or of what may be */
    bool at_limit;       /* `end` is the limit of the section, not of the input */
    enum status limit;   /* what to say there */
};

static enum http1_result bad(struct http1_head *head, enum status status, const char *words) {
    head->status = status;
    head->words = words;
    return HTTP1_BAD;
}

static enum http1_result broken(struct http1_head *head, const char *words) {
    return bad(head, STATUS_PROTOCOL_ERROR, words);
}

static enum http1_result ran_out(struct http1_head *head, const struct cursor *c) {
    if (!c->at_limit)
        return HTTP1_MORE;
    return bad(head, c->limit, c->limit == STATUS_URI_TOO_LONG ? "the request line is too long"
                                                               : "the header section is too large");
}

/* At CR: the line end must follow. */
static enum http1_result line_end(struct http1_head *head, struct cursor *c) {
    if (c->at == c->end)
        return ran_out(head, c);
    if (*c->at != '\r')
        return broken(head, *c->at == '\n' ? "a line ends with a bare LF" : "a control character in the header section");
    if (c->at + 1 == c->end)
        return ran_out(head, c);
    if (c->at[1] != '\n')
        return broken(head, "a bare CR in the header section");
    c->at += 2;
    return HTTP1_DONE;
}

static void limit_cursor(struct cursor *c, struct slice bytes, size_t max, enum status limit) {
    c->at_limit = bytes.size >= max;
    c->end = bytes.data + (c->at_limit ? max : bytes.size);
    c->limit = limit;
}

/* -- hosts and paths -- */

static bool is_host_byte(uint8_t c) {
    return text_is_alpha(c) || text_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static struct slice host_name(struct slice host) {
    if (host.size && host.data[0] == '[') {
        size_t end = slice_find(host, ']');
        return slice_head(host, end + 1);
    }
    return slice_head(host, slice_find(host, ':'));
}

static bool is_ipv6_literal(struct slice name) {
    if (name.size < 4 || name.data[name.size - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < name.size; i++)
        if (text_hex_value(name.data[i]) < 0 && name.data[i] != ':' && name.data[i] != '.')
            return false;
    return true;
}

bool http1_host_is_valid(struct slice host) {
    struct slice name = host_name(host);
    struct slice port = slice_skip(host, name.size);
    uint64_t number = 0;
    if (port.size) {
        /* `host:` has an empty port and is legal (RFC 3986 section 3.2.3). */
        if (port.data[0] != ':' || (port.size > 1 && (!text_to_u64(slice_skip(port, 1), &number) || number > 65535)))
            return false;
        if (name.size == 0)
            return false;
    }
    if (name.size && name.data[0] == '[')
        return is_ipv6_literal(name);
    for (size_t i = 0; i < name.size; i++)
        if (!is_host_byte(name.data[i]))
            return false;
    return true;
}

static bool is_ipv4_loopback(struct slice name) {
    unsigned dots = 0, digits = 0;
    if (!slice_starts(name, SLICE_OF("127.")))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '.') {
            if (digits == 0)
                return false;
            dots++;
            digits = 0;
        } else if (!text_is_digit(name.data[i]) || ++digits > 3) {
            return false;
        }
    }
    return dots == 3 && digits > 0;
}

bool http1_host_is_loopback(struct slice host) {
    struct slice name = host_name(host);
    return slice_equal_nocase(name, SLICE_OF("localhost")) || slice_equal_nocase(name, SLICE_OF("localhost.")) ||
           slice_equal(name, SLICE_OF("[::1]")) || is_ipv4_loopback(name);
}

static bool is_path_byte(int c) {
    return c > 0 && (text_is_alpha((uint8_t)c) || text_is_digit((uint8_t)c) || strchr("-._~!$&'()*+,;=:@", c));
}

static size_t resolve_escapes(struct slice path, uint8_t *room) {
    size_t size = 0;
    for (size_t i = 0; i < path.size; i++) {
        int high = path.data[i] == '%' && i + 2 < path.size ? text_hex_value(path.data[i + 1]) : -1;
        int low = high >= 0 ? text_hex_value(path.data[i + 2]) : -1;
        if (low >= 0 && is_path_byte(high << 4 | low)) {
            room[size++] = (uint8_t)(high << 4 | low);
            i += 2;
        } else {
            room[size++] = path.data[i];
        }
    }
    return size;
}

/* RFC 3986 section 5.2.4, in place. */
static size_t remove_dots(uint8_t *path, size_t size) {
    size_t out = 0;
    for (size_t i = 0; i < size;) {
        size_t end = i + 1;
        while (end < size && path[end] != '/')
            end++;
        struct slice segment = slice_make(path + i + 1, end - i - 1);
        bool last = end == size;
        if (slice_is(segment, "..")) {
            while (out > 0 && path[--out] != '/') {
            }
            if (last)
                path[out++] = '/';
        } else if (slice_is(segment, ".")) {
            if (last)
                path[out++] = '/';
        } else {
            memmove(path + out, path + i, end - i);
            out += end - i;
        }
        i = end;
    }
    return out;
}

struct slice http1_normal_path(struct slice path, uint8_t *room, size_t size) {
    bool normal = true;
    for (size_t i = 0; i < path.size && normal; i++)
        normal = path.data[i] != '%' && !(path.data[i] == '/' && i + 1 < path.size && path.data[i + 1] == '.');
    if (normal)
        return path;
    if (path.size > size)
        return slice_make(NULL, 0);
    size_t resolved = resolve_escapes(path, room);
    return slice_make(room, room[0] == '/' ? remove_dots(room, resolved) : resolved);
}

/* -- the first line -- */

static bool has_good_escapes(struct slice target) {
    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] == '%') {
            if (i + 2 >= target.size || text_hex_value(target.data[i + 1]) < 0 || text_hex_value(target.data[i + 2]) < 0)
                return false;
            i += 2;
        }
    return true;
}

static void split_query(struct http1_head *head, struct slice path) {
    size_t mark = slice_find(path, '?');
    head->path = slice_head(path, mark);
    head->query = mark < path.size ? slice_skip(path, mark + 1) : slice_make("", 0);
}

static bool take_absolute(struct http1_head *head) {
    struct slice rest;
    if (slice_starts_nocase(head->target, SLICE_OF("http://")))
        rest = slice_skip(head->target, 7);
    else if (slice_starts_nocase(head->target, SLICE_OF("https://")))
        rest = slice_skip(head->target, 8);
    else
        return false;
    size_t end = 0;
    while (end < rest.size && rest.data[end] != '/' && rest.data[end] != '?')
        end++;
    head->form = HTTP1_ABSOLUTE_FORM;
    head->host = slice_head(rest, end);
    split_query(head, slice_skip(rest, end));
    if (head->path.size == 0)
        head->path = SLICE_OF("/");
    return head->host.size && http1_host_is_valid(head->host);
}

/* RFC 9112 section 3.2. */
static enum http1_result take_target(struct http1_head *head) {
    struct slice target = head->target;
    bool connects = slice_is(head->method, "CONNECT");
    head->query = slice_make("", 0);
    if (!has_good_escapes(target))
        return broken(head, "a bad percent-escape in the request target");
    if (connects) {
        head->form = HTTP1_AUTHORITY_FORM;
        head->host = target;
        if (http1_host_is_valid(target) && slice_find(target, ':') < target.size)
            return HTTP1_DONE;
    } else if (target.data[0] == '/') {
        head->form = HTTP1_ORIGIN_FORM;
        split_query(head, target);
        return HTTP1_DONE;
    } else if (slice_is(target, "*") && slice_is(head->method, "OPTIONS")) {
        head->form = HTTP1_ASTERISK_FORM;
        return HTTP1_DONE;
    } else if (take_absolute(head)) {
        return HTTP1_DONE;
    }
    return broken(head, "the request target is neither a path nor a URL");
}

/* A version that isn't ours but is one gets another answer than noise does. */
static enum http1_result take_version(struct http1_head *head, struct cursor *c, const char *otherwise) {
    static const char name[] = "HTTP/1.";
    for (size_t i = 0; i < sizeof name; i++) {
        if (c->at + i == c->end)
            return ran_out(head, c);
        uint8_t byte = c->at[i];
        if (i < sizeof name - 1 ? byte == (uint8_t)name[i] : byte == '0' || byte == '1')
            continue;
        return i < 5 ? broken(head, otherwise) : bad(head, STATUS_UNSUPPORTED_VERSION, "only HTTP/1.0 and HTTP/1.1");
    }
    head->minor = c->at[7] - '0';
    c->at += 8;
    return HTTP1_DONE;
}

static enum http1_result request_line(struct http1_head *head, struct cursor *c) {
    const uint8_t *start = c->at;
    while (c->at < c->end && token_lower[*c->at])
        c->at++;
    if (c->at == c->end)
        return ran_out(head, c);
    head->method = slice_make(start, (size_t)(c->at - start));
    if (*c->at != ' ' || head->method.size == 0)
        return broken(head, "the method is no token");
    start = ++c->at;
    while (c->at < c->end && *c->at > ' ' && *c->at < 0x7f && *c->at != '#')
        c->at++;
    if (c->at == c->end)
        return ran_out(head, c);
    head->target = slice_make(start, (size_t)(c->at - start));
    if (*c->at != ' ' || head->target.size == 0)
        return broken(head, *c->at == '\r' || *c->at == '\n' ? "the request line has no version"
                                                             : "a character that no request target has");
    c->at++;
    enum http1_result result = take_target(head);
    if (result == HTTP1_DONE)
        result = take_version(head, c, "the request line has no version");
    if (result != HTTP1_DONE)
        return result;
    if (c->at < c->end && *c->at != '\r' && *c->at != '\n')
        return *c->at == ' ' ? broken(head, "a space after the version")
                             : bad(head, STATUS_UNSUPPORTED_VERSION, "only HTTP/1.0 and HTTP/1.1");
    return line_end(head, c);
}

/* RFC 9112 section 4. The reason phrase is read past. */
static enum http1_result status_line(struct http1_head *head, struct cursor *c) {
    enum http1_result result = take_version(head, c, "the answer is not HTTP");
    if (result != HTTP1_DONE)
        return result;
    unsigned code = 0;
    for (size_t i = 0; i < 4; i++) {
        if (c->at + i == c->end)
            return ran_out(head, c);
        if (i == 0 ? c->at[i] != ' ' : !text_is_digit(c->at[i]))
            return broken(head, "the status line has no status");
        code = i ? code * 10 + (c->at[i] - '0') : 0;
    }
    if (code < 100 || code > 599)
        return broken(head, "the status is out of range");
    head->code = code;
    c->at += 4;
    if (c->at < c->end && *c->at != ' ' && *c->at != '\r')
        return broken(head, "the status line has no status");
    do {
        c->at = find_control(c->at, c->end);
    } while (c->at < c->end && *c->at == '\t' && c->at++);
    return line_end(head, c);
}

/* -- fields -- */

static const struct known_row {
    struct slice name;
    unsigned flags;
} known_rows[HTTP1_KNOWN_COUNT] = {
#define KNOWN_ROW(NAME, name, flags) [HTTP1_##NAME] = {SLICE(name), flags},
    HTTP1_KNOWN_TABLE(KNOWN_ROW)
#undef KNOWN_ROW
};

/* Length and first letter leave one candidate. */
static int known_candidate(size_t size, uint8_t first) {
    switch (size) {
    case 3: return first == 't' ? HTTP1_TTL : -1;
    case 4: return first == 'h' ? HTTP1_HOST : -1;
    case 6: return first == 'a' ? HTTP1_ACCEPT : first == 'o' ? HTTP1_ORIGIN : first == 'e' ? HTTP1_EXPECT
                 : first == 'p' ? HTTP1_PREFER : -1;
    case 10: return first == 'c' ? HTTP1_CONNECTION : first == 'u' ? HTTP1_USER_AGENT
                  : first == 't' ? HTTP1_TRACESTATE : -1;
    case 11: return first == 't' ? HTTP1_TRACEPARENT : first == 'r' ? HTTP1_RETRY_AFTER : -1;
    case 12: return first == 'c' ? HTTP1_CONTENT_TYPE : -1;
    case 13: return first == 'a' ? HTTP1_AUTHORIZATION : -1;
    case 14: return first == 'c' ? HTTP1_CONTENT_LENGTH : -1;
    case 15: return first == 'i' ? HTTP1_IDEMPOTENCY_KEY : first == 'a' ? HTTP1_ACCEPT_ENCODING : -1;
    case 16: return first == 'c' ? HTTP1_CONTENT_ENCODING : -1;
    case 17: return first == 't' ? HTTP1_TRANSFER_ENCODING : -1;
    default: return -1;
    }
}

static void connection_options(struct http1_head *head, struct slice value) {
    struct slice option;
    while (http1_list_next(&value, &option)) {
        if (slice_equal_nocase(option, SLICE_OF("close")))
            head->wants_close = true;
        else if (slice_equal_nocase(option, SLICE_OF("keep-alive")))
            head->wants_keep = true;
    }
}

/* `lower` has its size. */
static inline bool is_token(struct slice name, const char *lower) {
    unsigned difference = 0;
    for (size_t i = 0; i < name.size; i++)
        difference |= token_lower[name.data[i]] ^ (uint8_t)lower[i];
    return difference == 0;
}

/* Which of the attributes that every event has. */
static uint8_t required_of(struct slice name) {
    switch (name.size) {
    case 2: return is_token(name, "id") ? HTTP1_CE_ID : 0;
    case 4: return is_token(name, "type") ? HTTP1_CE_TYPE : 0;
    case 6: return is_token(name, "source") ? HTTP1_CE_SOURCE : 0;
    case 11: return is_token(name, "specversion") ? HTTP1_CE_SPECVERSION : 0;
    default: return 0;
    }
}

static enum http1_result note_field(struct http1_head *head, const struct http1_field *field) {
    uint8_t first = token_lower[field->name.data[0]];
    if (http1_is_ce(field->name)) {
        head->ce_count++;
        head->ce_required |= required_of(slice_skip(field->name, 3));
        return HTTP1_DONE;
    }
    int known = known_candidate(field->name.size, first);
    if (known < 0 || !is_token(field->name, (const char *)known_rows[known].name.data))
        return HTTP1_DONE;
    if (known == HTTP1_CONNECTION)
        connection_options(head, field->value);
    if (head->known[known])
        return known_rows[known].flags & HTTP1_SINGLE ? broken(head, "a header field that may be there once is repeated")
                                                      : HTTP1_DONE;
    head->known[known] = (uint16_t)head->field_count;
    return HTTP1_DONE;
}

/* RFC 9112 section 5. */
static enum http1_result take_field(struct http1_head *head, struct cursor *c) {
    const uint8_t *start = c->at;
    if (*start == ' ' || *start == '\t')
        return broken(head, "a header line starts with a space");
    while (c->at < c->end && token_lower[*c->at])
        c->at++;
    if (c->at == c->end)
        return ran_out(head, c);
    if (*c->at != ':' || c->at == start)
        return broken(head, *c->at == ' ' || *c->at == '\t' ? "a space before the colon of a header field"
                                                            : "the name of a header field is no token");
    struct http1_field field = {.name = slice_make(start, (size_t)(c->at - start))};
    start = ++c->at;
    do {
        c->at = find_control(c->at, c->end);
    } while (c->at < c->end && *c->at == '\t' && c->at++);
    field.value = slice_trim(slice_make(start, (size_t)(c->at - start)));
    enum http1_result result = line_end(head, c);
    if (result != HTTP1_DONE)
        return result;
    head->fields[head->field_count++] = field;
    return note_field(head, &field);
}

static enum http1_result take_fields(struct http1_head *head, struct cursor *c, uint32_t fields_max) {
    for (;;) {
        if (c->at == c->end)
            return ran_out(head, c);
        if (*c->at == '\r' || *c->at == '\n')
            return line_end(head, c);
        if (head->field_count == fields_max)
            return bad(head, STATUS_HEADERS_TOO_LARGE, "too many header fields");
        enum http1_result result = take_field(head, c);
        if (result != HTTP1_DONE)
            return result;
    }
}

/* -- framing, RFC 9112 section 6 -- */

static enum http1_result take_length(struct http1_head *head, struct slice value) {
    /* 19 digits can't overflow; a list of equal values is refused too: nobody honest sends one. */
    if (value.size == 0 || value.size > 19 || !text_to_u64(value, &head->length))
        return broken(head, "Content-Length is no number");
    head->framing = HTTP1_LENGTH;
    return HTTP1_DONE;
}

static enum http1_result take_coding(struct http1_head *head, struct slice value) {
    if (head->minor == 0)
        return broken(head, "Transfer-Encoding in HTTP/1.0");
    if (head->known[HTTP1_CONTENT_LENGTH])
        return broken(head, "Content-Length and Transfer-Encoding together");
    if (slice_equal_nocase(value, SLICE_OF("chunked"))) {
        head->framing = HTTP1_CHUNKED;
        return HTTP1_DONE;
    }
    static const struct slice others[] = {SLICE("gzip"), SLICE("x-gzip"), SLICE("deflate"), SLICE("compress"),
                                          SLICE("x-compress"), SLICE("gzip, chunked"), SLICE("deflate, chunked")};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (slice_equal_nocase(value, others[i]))
            return bad(head, STATUS_CODING_UNKNOWN, "the only transfer coding here is chunked");
    return broken(head, "Transfer-Encoding is not exactly `chunked`");
}

static enum http1_result take_framing(struct http1_head *head) {
    head->framing = HTTP1_NO_BODY;
    head->length = 0;
    if (head->known[HTTP1_TRANSFER_ENCODING])
        return take_coding(head, http1_known(head, HTTP1_TRANSFER_ENCODING));
    if (head->known[HTTP1_CONTENT_LENGTH])
        return take_length(head, http1_known(head, HTTP1_CONTENT_LENGTH));
    return HTTP1_DONE;
}

/* RFC 9112 section 3.2: exactly one Host in HTTP/1.1, and a legal one; the absolute form stands above it. */
static enum http1_result take_host(struct http1_head *head) {
    struct slice host = http1_known(head, HTTP1_HOST);
    if (!host.data && head->minor >= 1)
        return broken(head, "Host is missing");
    if (host.data && !http1_host_is_valid(host))
        return broken(head, "Host is not a host");
    if (head->form == HTTP1_ORIGIN_FORM || head->form == HTTP1_ASTERISK_FORM)
        head->host = host.data ? host : slice_make("", 0);
    return HTTP1_DONE;
}

static void start(struct http1_head *head) {
    memset(head, 0, offsetof(struct http1_head, fields));
}

static uint32_t fields_max(struct http1_limits limits) {
    return limits.fields < HTTP1_FIELDS_MAX ? limits.fields : HTTP1_FIELDS_MAX;
}

enum http1_result http1_parse_request(struct http1_head *head, struct slice bytes, struct http1_limits limits) {
    struct cursor c = {.at = bytes.data};
    start(head);
    size_t skip = 0;
    if (bytes.size && bytes.data[0] == '\r') {
        /* RFC 9112 section 2.2: one empty line, left over by an old client. */
        c.end = bytes.data + bytes.size;
        c.at_limit = false;
        enum http1_result empty = line_end(head, &c);
        if (empty != HTTP1_DONE)
            return empty;
        skip = 2;
    }
    struct slice rest = slice_skip(bytes, skip);
    size_t line_max = limits.header < HTTP1_LINE_MAX ? limits.header : HTTP1_LINE_MAX;
    limit_cursor(&c, rest, line_max, STATUS_URI_TOO_LONG);
    enum http1_result result = request_line(head, &c);
    if (result != HTTP1_DONE)
        return result;
    limit_cursor(&c, rest, limits.header, STATUS_HEADERS_TOO_LARGE);
    result = take_fields(head, &c, fields_max(limits));
    if (result == HTTP1_DONE)
        result = take_host(head);
    if (result == HTTP1_DONE)
        result = take_framing(head);
    head->size = (size_t)(c.at - bytes.data);
    return result;
}

enum http1_result http1_parse_response(struct http1_head *head, struct slice bytes, struct http1_limits limits) {
    struct cursor c = {.at = bytes.data};
    start(head);
    limit_cursor(&c, bytes, limits.header, STATUS_HEADERS_TOO_LARGE);
    enum http1_result result = status_line(head, &c);
    if (result == HTTP1_DONE)
        result = take_fields(head, &c, fields_max(limits));
    if (result == HTTP1_DONE)
        result = take_framing(head);
    if (result != HTTP1_DONE)
        return result;
    head->size = (size_t)(c.at - bytes.data);
    if (head->code < 200 || head->code == 204 || head->code == 304) {
        /* RFC 9112 section 6.3 point 1; section 6.1: a coding there is a fault. */
        if (head->framing == HTTP1_CHUNKED || (head->length && head->code != 304))
            return broken(head, "a body where none can be");
        head->framing = HTTP1_NO_BODY;
    } else if (head->framing == HTTP1_NO_BODY) {
        head->framing = HTTP1_UNTIL_CLOSE;
    }
    return HTTP1_DONE;
}

/* -- looking -- */

struct slice http1_find(const struct http1_head *head, struct slice name) {
    for (uint32_t i = 0; i < head->field_count; i++)
        if (slice_equal_nocase(head->fields[i].name, name))
            return head->fields[i].value;
    return slice_make(NULL, 0);
}

bool http1_list_next(struct slice *rest, struct slice *ret_element) {
    while (rest->size) {
        size_t comma = slice_find(*rest, ',');
        *ret_element = slice_trim(slice_head(*rest, comma));
        *rest = slice_skip(*rest, comma + 1);
        if (ret_element->size)
            return true;
    }
    return false;
}
