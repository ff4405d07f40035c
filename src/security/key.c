/* Keys: form, hash, row. */
#include "security/key.h"

#include <sodium/crypto_hash_sha256.h>
#include <string.h>

#include "base/text.h"

static const struct slice prefix = SLICE("itk_");
static const struct slice hash_prefix = SLICE("sha256:");

void key_hash(struct slice text, uint8_t ret_hash[static KEY_HASH_SIZE]) {
    _Static_assert(KEY_HASH_SIZE == crypto_hash_sha256_BYTES, "the hash of a key is SHA-256");
    crypto_hash_sha256(ret_hash, text.data, text.size);
}

void key_make(const uint8_t secret[static KEY_SECRET_SIZE], char ret_text[static KEY_TEXT_SIZE]) {
    memcpy(ret_text, prefix.data, prefix.size);
    (void)text_base64url_put(ret_text + prefix.size, slice_make(secret, KEY_SECRET_SIZE));
}

bool key_is_text(struct slice text) {
    if (text.size != KEY_TEXT_SIZE || !slice_starts(text, prefix))
        return false;
    for (size_t i = prefix.size; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (!text_is_alpha(c) && !text_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

void key_row(struct buffer *out, struct slice name, const uint8_t hash[static KEY_HASH_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    buffer_add(out, name);
    buffer_add_text(out, ": {hash: \"");
    buffer_add(out, hash_prefix);
    for (size_t i = 0; i < KEY_HASH_SIZE; i++) {
        buffer_add_byte(out, (uint8_t)digits[hash[i] >> 4]);
        buffer_add_byte(out, (uint8_t)digits[hash[i] & 15]);
    }
    buffer_add_text(out, "\"}");
}

bool key_hash_read(struct slice text, uint8_t ret_hash[static KEY_HASH_SIZE]) {
    if (!slice_starts(text, hash_prefix) || text.size != hash_prefix.size + 2 * KEY_HASH_SIZE)
        return false;
    const uint8_t *at = text.data + hash_prefix.size;
    uint8_t hash[KEY_HASH_SIZE];
    for (size_t i = 0; i < KEY_HASH_SIZE; i++) {
        int high = text_hex_value(at[2 * i]), low = text_hex_value(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        hash[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_hash, hash, sizeof hash);
    return true;
}

bool key_hash_equal(const uint8_t a[static KEY_HASH_SIZE], const uint8_t b[static KEY_HASH_SIZE]) {
    uint8_t difference = 0;
    for (size_t i = 0; i < KEY_HASH_SIZE; i++)
        difference |= (uint8_t)(a[i] ^ b[i]);
    return difference == 0;
}

void key_wipe(void *data, size_t size) {
    explicit_bzero(data, size);
}
