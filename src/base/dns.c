/* Reads answers of name servers. */
#include "base/dns.h"

#include <string.h>

#include "base/text.h"

#define HEADER_SIZE 12u
#define CLASS_IN 1
#define TYPE_CNAME 5
#define JUMPS_MAX 32u /* of a compressed name; each leads backwards, so this only bounds the work */
#define TTL_MAX 0x7fffffffu /* RFC 2181 section 8: more is none */

struct reader {
    struct slice all;
    size_t at;
    bool is_bad;
};

/* A name in lower case. Labels that hold other bytes than letters, digits, `-` and `_` make it no host. */
struct name {
    size_t size;
    bool is_host;
    char text[DNS_NAME_MAX + 1];
};

struct entry {
    struct name owner;
    uint32_t ttl;
    uint16_t type, class;
    size_t data, data_size; /* in the message */
};

static uint32_t number(struct reader *in, unsigned size) {
    uint32_t value = 0;
    if (in->is_bad || in->all.size - in->at < size) {
        in->is_bad = true;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | in->all.data[in->at++];
    return value;
}

static void add_label(struct reader *in, struct name *name, size_t at, size_t size) {
    if (in->all.size - at < size || name->size + size + (name->size > 0) > DNS_NAME_MAX) {
        in->is_bad = true;
        return;
    }
    if (name->size)
        name->text[name->size++] = '.';
    for (size_t i = 0; i < size; i++) {
        uint8_t c = in->all.data[at + i];
        name->is_host &= text_is_alpha(c) || text_is_digit(c) || c == '-' || c == '_';
        name->text[name->size++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
}

/* RFC 1035 section 4.1.4. A pointer leads to what came before: each time further back, so it ends. */
static void read_name(struct reader *in, struct name *ret) {
    size_t at = in->at, lowest = in->at;
    bool jumped = false;
    *ret = (struct name){.is_host = true};
    for (unsigned jumps = 0; !in->is_bad;) {
        if (at >= in->all.size)
            break;
        uint8_t size = in->all.data[at++];
        if (size == 0) {
            if (!jumped)
                in->at = at;
            ret->text[ret->size] = 0;
            return;
        }
        if (size < 64) {
            add_label(in, ret, at, size);
            at += size;
            continue;
        }
        if (size < 192 || at >= in->all.size || ++jumps > JUMPS_MAX)
            break;
        size_t to = (size_t)(size & 63) << 8 | in->all.data[at++];
        if (!jumped)
            in->at = at;
        jumped = true;
        if (to >= lowest)
            break;
        at = lowest = to;
    }
    in->is_bad = true;
}

static void read_entry(struct reader *in, struct entry *ret) {
    read_name(in, &ret->owner);
    ret->type = (uint16_t)number(in, 2);
    ret->class = (uint16_t)number(in, 2);
    ret->ttl = number(in, 4);
    if (ret->ttl > TTL_MAX)
        ret->ttl = 0;
    ret->data_size = number(in, 2);
    ret->data = in->at;
    if (in->all.size - in->at < ret->data_size)
        in->is_bad = true;
    else
        in->at += ret->data_size;
}

static bool is_of(const struct entry *entry, const struct name *owner, uint16_t type) {
    return entry->type == type && entry->class == CLASS_IN && entry->owner.size == owner->size &&
           memcmp(entry->owner.text, owner->text, owner->size) == 0;
}

/* False: there is no alias of that name. */
static bool follow(struct reader in, uint32_t count, struct name *name, uint32_t *ttl, bool *ret_bad) {
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry;
        read_entry(&in, &entry);
        *ret_bad = in.is_bad;
        if (in.is_bad)
            return false;
        if (!is_of(&entry, name, TYPE_CNAME))
            continue;
        struct reader data = {.all = slice_head(in.all, entry.data + entry.data_size), .at = entry.data};
        read_name(&data, name);
        *ttl = entry.ttl < *ttl ? entry.ttl : *ttl;
        *ret_bad = data.is_bad;
        return !data.is_bad;
    }
    return false;
}

/* False: it is no use. RFC 2782: a target of the root means that there is no such service. */
static bool read_record(const struct reader *in, const struct entry *entry, struct dns_record *ret) {
    struct reader data = {.all = slice_head(in->all, entry->data + entry->data_size), .at = entry->data};
    struct name target;
    *ret = (struct dns_record){.ttl = entry->ttl};
    if (entry->type != DNS_SRV) {
        size_t size = entry->type == DNS_A ? 4 : 16;
        ret->address.family = entry->type == DNS_A ? ADDRESS_IPV4 : ADDRESS_IPV6;
        if (entry->data_size != size)
            return false;
        memcpy(ret->address.bytes, in->all.data + entry->data, size);
        return true;
    }
    ret->priority = (uint16_t)number(&data, 2);
    ret->weight = (uint16_t)number(&data, 2);
    ret->port = (uint16_t)number(&data, 2);
    read_name(&data, &target);
    if (data.is_bad || !target.is_host || target.size == 0 || ret->port == 0)
        return false;
    ret->size = (uint16_t)target.size;
    memcpy(ret->target, target.text, target.size + 1);
    return true;
}

static bool set_name(struct name *ret, struct slice text) {
    if (text.size && text.data[text.size - 1] == '.')
        text = slice_head(text, text.size - 1);
    *ret = (struct name){.size = text.size, .is_host = true};
    if (text.size == 0 || text.size > DNS_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++)
        ret->text[i] = (char)(text.data[i] >= 'A' && text.data[i] <= 'Z' ? text.data[i] + 32 : text.data[i]);
    return true;
}

static bool collect(struct reader in, uint32_t count, const struct name *owner, enum dns_type type,
                    struct dns_answer *ret) {
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry;
        read_entry(&in, &entry);
        if (in.is_bad)
            return false;
        if (!is_of(&entry, owner, (uint16_t)type))
            continue;
        if (ret->count == DNS_RECORDS_MAX || !read_record(&in, &entry, &ret->records[ret->count])) {
            ret->left_out++;
            continue;
        }
        ret->ttl = entry.ttl < ret->ttl ? entry.ttl : ret->ttl;
        ret->count++;
    }
    return true;
}

enum status dns_read(struct slice message, struct slice asked, enum dns_type type, struct dns_answer *ret) {
    struct reader in = {.all = message};
    struct name name, ignored;
    ret->ttl = UINT32_MAX;
    ret->count = ret->left_out = 0;
    if (message.size < HEADER_SIZE || !set_name(&name, asked))
        return STATUS_PROTOCOL_ERROR;
    bool is_answer = message.data[2] & 0x80;
    in.at = 4;
    uint32_t questions = number(&in, 2), answers = number(&in, 2);
    in.at = HEADER_SIZE;
    for (uint32_t i = 0; i < questions && !in.is_bad; i++) {
        read_name(&in, &ignored);
        number(&in, 4);
    }
    if (in.is_bad || !is_answer)
        return STATUS_PROTOCOL_ERROR;
    bool is_bad = false;
    for (unsigned i = 0; i < DNS_CHAIN_MAX && follow(in, answers, &name, &ret->ttl, &is_bad); i++)
        ;
    if (is_bad || !collect(in, answers, &name, type, ret))
        return STATUS_PROTOCOL_ERROR;
    return ret->count ? STATUS_OK : STATUS_NAME_NOT_FOUND;
}
