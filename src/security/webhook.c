/* Webhook signatures: libsodium's HMAC over the parts, which are never joined. */
#include "security/webhook.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_hash_sha256.h>
#include <string.h>

#include "base/text.h"

void webhook_id(struct slice source, struct slice id, char ret_text[static WEBHOOK_ID_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    static const uint8_t between = 0; /* no attribute has it */
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, source.data, source.size);
    crypto_hash_sha256_update(&state, &between, 1);
    crypto_hash_sha256_update(&state, id.data, id.size);
    crypto_hash_sha256_final(&state, hash);
    memcpy(ret_text, "msg_", 4);
    for (size_t i = 0; i < (WEBHOOK_ID_SIZE - 4) / 2; i++) {
        ret_text[4 + 2 * i] = digits[hash[i] >> 4];
        ret_text[5 + 2 * i] = digits[hash[i] & 15];
    }
}

void webhook_sign(struct slice secret, struct slice id, int64_t time_s, struct slice body,
                  char ret_text[static WEBHOOK_SIGNATURE_SIZE]) {
    crypto_auth_hmacsha256_state state;
    uint8_t hash[crypto_auth_hmacsha256_BYTES], dot = '.';
    char digits[TEXT_U64_MAX + 1];
    crypto_auth_hmacsha256_init(&state, secret.data, secret.size);
    crypto_auth_hmacsha256_update(&state, id.data, id.size);
    crypto_auth_hmacsha256_update(&state, &dot, 1);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)digits, text_from_i64(digits, time_s));
    crypto_auth_hmacsha256_update(&state, &dot, 1);
    crypto_auth_hmacsha256_update(&state, body.data, body.size);
    crypto_auth_hmacsha256_final(&state, hash);
    memcpy(ret_text, "v1,", 3);
    text_base64_put(ret_text + 3, slice_make(hash, sizeof hash));
    explicit_bzero(&state, sizeof state);
}
