#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "security/identity.h"

/* FIPS 180-4, and the empty text. */
static void hash_is_sha256(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *row;
    } rows[] = {
        {"abc", "k: {hash: \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}"},
        {"", "k: {hash: \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "k: {hash: \"sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t hash[KEY_HASH_SIZE], again[KEY_HASH_SIZE], room[128];
        struct buffer out;
        key_hash(slice_from(rows[i].text), hash);
        buffer_init_fixed(&out, room, sizeof room);
        key_row(&out, SLICE_OF("k"), hash);
        assert_int_equal(out.status, STATUS_OK);
        assert_true(slice_is(buffer_slice(&out), rows[i].row));
        assert_true(key_hash_read(slice_make(room + 11, out.size - 13), again));
        assert_memory_equal(hash, again, sizeof hash);
    }
}

static void hashes_are_read_strictly(void **state) {
    (void)state;
    uint8_t hash[KEY_HASH_SIZE];
    char text[80] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_true(key_hash_read(slice_from(text), hash));
    assert_false(key_hash_read(slice_make(text, 70), hash));
    assert_false(key_hash_read(SLICE_OF("sha256:"), hash));
    assert_false(key_hash_read(SLICE_OF(""), hash));
    text[70] = 'g';
    assert_false(key_hash_read(slice_from(text), hash));
    text[70] = 'D';
    assert_true(key_hash_read(slice_from(text), hash));
    text[6] = '-';
    assert_false(key_hash_read(slice_from(text), hash));
}

static void keys_have_one_form(void **state) {
    (void)state;
    uint8_t secret[KEY_SECRET_SIZE];
    char text[KEY_TEXT_SIZE + 1] = "";
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)(i * 8 + 3);
    key_make(secret, text);
    assert_string_equal(text, "itk_AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2-Pr8_s");
    assert_true(key_is_text(slice_make(text, KEY_TEXT_SIZE)));
    assert_false(key_is_text(slice_make(text, KEY_TEXT_SIZE - 1)));
    assert_false(key_is_text(slice_make(text + 1, KEY_TEXT_SIZE - 1)));
    text[10] = '+';
    assert_false(key_is_text(slice_make(text, KEY_TEXT_SIZE)));
    text[10] = 'a';
    text[3] = '-';
    assert_false(key_is_text(slice_make(text, KEY_TEXT_SIZE)));
    key_wipe(text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        assert_int_equal(text[i], 0);
}

/* -- who has which key -- */

static void key_text(uint8_t number, char text[static KEY_TEXT_SIZE]) {
    uint8_t secret[KEY_SECRET_SIZE] = {number};
    key_make(secret, text);
}

static struct security_key key_row_of(uint8_t number, int64_t expires) {
    struct security_key key = {.expires = {expires}};
    char text[KEY_TEXT_SIZE];
    key_text(number, text);
    key_hash(slice_make(text, sizeof text), key.hash);
    return key;
}

static void keys_find_their_identity_until_they_expire(void **state) {
    (void)state;
    const struct security_key crm[] = {key_row_of(1, 100), key_row_of(2, INT64_MAX)};
    const struct security_key erp[] = {key_row_of(3, INT64_MAX), key_row_of(4, 100), key_row_of(4, 200)};
    const struct security_identity identities[] = {
        {.name = SLICE("crm"), .keys = crm, .key_count = 2, .system = SECURITY_NONE, .max_priority = 5},
        {.name = SLICE("nobody"), .system = SECURITY_NONE, .max_priority = 5},
        {.name = SLICE("erp"), .keys = erp, .key_count = 3, .system = SECURITY_NONE, .max_priority = 5},
    };
    const struct security_view view = {.identities = identities, .identity_count = 3};
    static const struct {
        uint8_t key;
        int64_t now;
        enum status status;
        uint32_t identity;
    } rows[] = {
        {1, 99, STATUS_OK, 0}, {1, 100, STATUS_AUTH_EXPIRED, 9}, {2, INT64_MAX - 1, STATUS_OK, 0}, {3, 0, STATUS_OK, 2},
        {4, 150, STATUS_OK, 2}, {4, 50, STATUS_OK, 2}, {4, 200, STATUS_AUTH_EXPIRED, 9}, {5, 0, STATUS_UNAUTHENTICATED, 9},
    };
    struct arena arena;
    const struct security *security;
    arena_init(&arena, 1 << 16);
    assert_int_equal(security_compile(&view, &arena, &security), STATUS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[KEY_TEXT_SIZE];
        uint32_t identity = 9; /* untouched on failure */
        key_text(rows[i].key, text);
        assert_int_equal(identity_find(security, slice_make(text, sizeof text), (struct wall){rows[i].now}, &identity),
                         rows[i].status);
        assert_int_equal(identity, rows[i].identity);
    }
    static const char *const others[] = {"", "itk_", "secret", "itk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        uint32_t identity = 9;
        assert_int_equal(identity_find(security, slice_from(others[i]), (struct wall){0}, &identity),
                         STATUS_UNAUTHENTICATED);
        assert_int_equal(identity, 9);
    }
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_sha256),
        cmocka_unit_test(hashes_are_read_strictly),
        cmocka_unit_test(keys_have_one_form),
        cmocka_unit_test(keys_find_their_identity_until_they_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
