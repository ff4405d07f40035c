/* The envelope that shows who sent a datagram. */
#include "protocol/datagram/envelope.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>
#include <string.h>

#define HEAD_SIZE 25u
#define MAC_SIZE 16u
_Static_assert(HEAD_SIZE + MAC_SIZE == ENVELOPE_SIZE, "the parts of an envelope");
_Static_assert(ENVELOPE_NONCE_AT + 8 == HEAD_SIZE, "the nonce ends the head");

static const uint8_t mark[4] = {ENVELOPE_MARK, 'i', 't', 'u'};

static void put(uint8_t *out, uint64_t value, unsigned size) {
    while (size-- > 0) {
        out[size] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get(const uint8_t *in, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | in[i];
    return value;
}

uint32_t envelope_kid(struct slice secret) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, secret.data, secret.size);
    return (uint32_t)get(hash, 4);
}

static void make_mac(uint8_t mac[static MAC_SIZE], struct slice secret, const uint8_t *datagram,
                     size_t event_size) {
    crypto_auth_hmacsha256_state state;
    uint8_t whole[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_init(&state, secret.data, secret.size);
    crypto_auth_hmacsha256_update(&state, datagram, HEAD_SIZE);
    crypto_auth_hmacsha256_update(&state, datagram + ENVELOPE_SIZE, event_size);
    crypto_auth_hmacsha256_final(&state, whole);
    memcpy(mac, whole, MAC_SIZE);
    sodium_memzero(&state, sizeof state);
}

void envelope_seal(uint8_t *datagram, size_t event_size, const struct protocol_secret *secret,
                   enum envelope_direction direction, int64_t ts_ms, uint64_t nonce) {
    memcpy(datagram, mark, sizeof mark);
    datagram[4] = (uint8_t)direction;
    put(datagram + 5, secret->kid, 4);
    put(datagram + 9, (uint64_t)ts_ms, 8);
    put(datagram + ENVELOPE_NONCE_AT, nonce, 8);
    make_mac(datagram + HEAD_SIZE, secret->secret, datagram, event_size);
}

/* Which of the secrets made it; count: none. Two may have the same `kid`. */
static size_t maker_of(struct slice datagram, const struct protocol_secret *secrets, size_t count,
                       uint32_t kid, bool *ret_known) {
    uint8_t mac[MAC_SIZE];
    for (size_t i = 0; i < count; i++) {
        if (secrets[i].kid != kid)
            continue;
        *ret_known = true;
        make_mac(mac, secrets[i].secret, datagram.data, datagram.size - ENVELOPE_SIZE);
        if (sodium_memcmp(mac, datagram.data + HEAD_SIZE, MAC_SIZE) == 0)
            return i;
    }
    return count;
}

enum envelope_verdict envelope_open(struct slice datagram, const struct protocol_secret *secrets,
                                    size_t count, enum envelope_direction direction, int64_t now_ms,
                                    struct envelope *ret) {
    if (datagram.size < ENVELOPE_SIZE || memcmp(datagram.data, mark, sizeof mark) != 0 ||
        datagram.data[4] != direction)
        return ENVELOPE_MISSING;
    bool is_known = false;
    uint32_t kid = (uint32_t)get(datagram.data + 5, 4);
    uint64_t ts_ms = get(datagram.data + 9, 8);
    size_t key = maker_of(datagram, secrets, count, kid, &is_known);
    if (!is_known)
        return ENVELOPE_STRANGE;
    if (key == count)
        return ENVELOPE_FORGED;
    if (ts_ms > INT64_MAX || (int64_t)ts_ms > now_ms + ENVELOPE_WINDOW_MS ||
        (int64_t)ts_ms < now_ms - ENVELOPE_WINDOW_MS)
        return ENVELOPE_LATE;
    *ret = (struct envelope){(uint32_t)key, kid, (int64_t)ts_ms, get(datagram.data + ENVELOPE_NONCE_AT, 8),
                             slice_skip(datagram, ENVELOPE_SIZE)};
    return ENVELOPE_GOOD;
}
