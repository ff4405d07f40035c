/* Webhook signatures against published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/text.h"
#include "security/webhook.h"

static void signatures_are_those_of_the_standard(void **state) {
    uint8_t secret[24];
    char made[WEBHOOK_SIGNATURE_SIZE];
    (void)state;
    /* the example that the standard's own libraries are tested with */
    assert_int_equal(text_base64_get(secret, SLICE_OF("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")), sizeof secret);
    webhook_sign(slice_make(secret, sizeof secret), SLICE_OF("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
                 SLICE_OF("{\"test\": 2432232314}"), made);
    assert_memory_equal(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", sizeof made);
}

/* Computed with Python's hmac: no body, a body that is no text, secrets shorter and longer than a block of SHA-256. */
static void other_secrets_and_bodies(void **state) {
    static const struct {
        struct slice secret, body;
        const char *signature;
    } rows[] = {
        {SLICE("k"), SLICE(""), "v1,DEAIK/jHikNyr+4J50OrjMes10RUt9Lt5DFQ3NMWLCA="},
        {SLICE("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"), SLICE("x.y"),
         "v1,f0YkfE5IzLwNFeunV8Y1UuUtcFVRUXkMAExzHDfgJWs="},
        {SLICE("0123456789abcdef0123456789abcdef"), SLICE("\0\xff\n"),
         "v1,KMQtOAdvfCoFI6WZeg430jmPiWVTyF3CdRKwDTc5K5A="},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char made[WEBHOOK_SIGNATURE_SIZE];
        webhook_sign(rows[i].secret, SLICE_OF("msg_1"), 1700000000, rows[i].body, made);
        assert_memory_equal(made, rows[i].signature, sizeof made);
    }
}

static void a_message_has_one_name_and_no_other_has_it(void **state) {
    char name[WEBHOOK_ID_SIZE], again[WEBHOOK_ID_SIZE], other[WEBHOOK_ID_SIZE];
    (void)state;
    webhook_id(SLICE_OF("/doors/7"), SLICE_OF("42"), name);
    assert_memory_equal(name, "msg_cd5378dd870a6946cf7076669b87ac07", sizeof name);
    webhook_id(SLICE_OF("/doors/7"), SLICE_OF("42"), again);
    assert_memory_equal(name, again, sizeof name);
    webhook_id(SLICE_OF("/doors/8"), SLICE_OF("42"), other);
    assert_memory_not_equal(name, other, sizeof name);
    webhook_id(SLICE_OF("/doors/"), SLICE_OF("742"), other);
    assert_memory_not_equal(name, other, sizeof name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_standard),
        cmocka_unit_test(other_secrets_and_bodies),
        cmocka_unit_test(a_message_has_one_name_and_no_other_has_it),
    };
    return cmocka_run_group_tests_name("security/webhook", tests, NULL, NULL);
}
