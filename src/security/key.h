/* Keys that peers present: `itk_` and 32 random bytes in base64url. Only their SHA-256 is ever stored; the secret has
 * 256 bits of its own, so a slow hash would only help those who want to tire us. */
#ifndef SECURITY_KEY_H
#define SECURITY_KEY_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#define KEY_SECRET_SIZE 32
#define KEY_TEXT_SIZE 47 /* itk_ and 43 characters */
#define KEY_HASH_SIZE 32

/* SHA-256 of the whole text of a key, prefix and all. */
void key_hash(struct slice text, uint8_t ret_hash[static KEY_HASH_SIZE]);
/* In the same time whatever they are. */
bool key_hash_equal(const uint8_t a[static KEY_HASH_SIZE], const uint8_t b[static KEY_HASH_SIZE]);
/* From random bytes of the caller's; no NUL. */
void key_make(const uint8_t secret[static KEY_SECRET_SIZE], char ret_text[static KEY_TEXT_SIZE]);
/* Whether it has the form of a key: for clear answers and for finding keys where they don't belong. */
bool key_is_text(struct slice text);
/* The row to paste under `security.identities.NAME.keys`: `NAME: {hash: "sha256:.."}`, without a line end. */
void key_row(struct buffer *out, struct slice name, const uint8_t hash[static KEY_HASH_SIZE]);
/* Reads `sha256:` and 64 hexadecimal digits. */
bool key_hash_read(struct slice text, uint8_t ret_hash[static KEY_HASH_SIZE]);
/* Overwrites a secret, also where the compiler sees no use for that. */
void key_wipe(void *data, size_t size);

#endif
