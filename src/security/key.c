/* Keys: form, hash, row. */
#include "security/key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/text.h"

static const struct slice prefix = SLICE("itk_");
static const struct slice hash_prefix = SLICE("sha256:");

enum status key_hasher_init(struct key_hasher *hasher) {
    hasher->context = EVP_MD_CTX_new();
    hasher->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (hasher->context && hasher->algorithm)
        return STATUS_OK;
    enum status status = hasher->context ? STATUS_INTERNAL : STATUS_NO_MEMORY;
    key_hasher_done(hasher);
    return status;
}

void key_hasher_done(struct key_hasher *hasher) {
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->algorithm);
    *hasher = (struct key_hasher){0};
}

bool key_hash(struct key_hasher *hasher, struct slice text, uint8_t ret_hash[static KEY_HASH_SIZE]) {
    unsigned size = 0;
    bool done = EVP_DigestInit_ex2(hasher->context, hasher->algorithm, NULL) == 1 &&
                EVP_DigestUpdate(hasher->context, text.data, text.size) == 1 &&
                EVP_DigestFinal_ex(hasher->context, ret_hash, &size) == 1;
    return done && size == KEY_HASH_SIZE;
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

void key_wipe(void *data, size_t size) {
    OPENSSL_cleanse(data, size);
}
