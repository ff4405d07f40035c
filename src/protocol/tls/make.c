/* Makes certificates for trying things out. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "protocol/tls/inner.h"

#define PEM_MAX (64u << 10)

static bool add_extension(X509 *certificate, X509 *issuer, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

/* By hand: in OpenSSL's own syntax a comma in a name would begin another. */
static bool add_name(GENERAL_NAMES *names, struct slice text) {
    struct address address;
    GENERAL_NAME *name = GENERAL_NAME_new();
    bool is_address = address_parse_ip(text, &address);
    ASN1_STRING *string = !name ? NULL : is_address ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    const uint8_t *bytes = is_address ? address.bytes : text.data;
    size_t size = is_address ? (address.family == ADDRESS_IPV4 ? 4 : 16) : text.size;
    if (!string || size > 2048 || ASN1_STRING_set(string, bytes, (int)size) != 1) {
        ASN1_STRING_free(string);
        GENERAL_NAME_free(name);
        return false;
    }
    bool is_uri = slice_find(text, ':') < text.size;
    GENERAL_NAME_set0_value(name, is_address ? GEN_IPADD : is_uri ? GEN_URI : GEN_DNS, string);
    if (sk_GENERAL_NAME_push(names, name))
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool add_names(X509 *certificate, const struct slice *names, size_t count) {
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = add_name(list, names[i]);
    ok = ok && (!count || X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, 0) == 1);
    GENERAL_NAMES_free(list);
    return ok;
}

static bool fill(X509 *certificate, const char *common_name, struct wall from, struct wall until) {
    uint8_t serial[16];
    if (RAND_bytes(serial, sizeof serial) != 1)
        return false;
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    X509_NAME *name = X509_get_subject_name(certificate);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) &&
              X509_set_version(certificate, X509_VERSION_3) == 1 &&
              ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(from.ns / NS_PER_S)) &&
              ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(until.ns / NS_PER_S)) &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) == 1;
    BN_free(number);
    return ok;
}

static bool extend(X509 *certificate, X509 *issuer, bool for_client) {
    bool is_root = certificate == issuer;
    return add_extension(certificate, issuer, NID_basic_constraints, is_root ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage, is_root ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           (is_root || add_extension(certificate, issuer, NID_authority_key_identifier, "keyid")) &&
           (is_root || add_extension(certificate, issuer, NID_ext_key_usage, for_client ? "clientAuth" : "serverAuth"));
}

static bool take(BIO *bio, struct buffer *out) {
    const char *bytes;
    long size = BIO_get_mem_data(bio, &bytes);
    buffer_init(out, PEM_MAX);
    buffer_add(out, slice_make(bytes, size > 0 ? (size_t)size : 0));
    return out->status == STATUS_OK;
}

static bool give(X509 *certificate, EVP_PKEY *key, struct tls_made *ret) {
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_secmem());
    bool ok = cert_bio && key_bio && PEM_write_bio_X509(cert_bio, certificate) == 1 &&
              PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1 && take(cert_bio, &ret->cert) &&
              take(key_bio, &ret->key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    return ok;
}

enum status tls_make(const char *common_name, const struct slice *names, size_t name_count, const struct tls_made *issuer,
                     bool for_client, struct wall from, struct wall until, struct tls_made *ret, struct fault *fault) {
    struct material by = {0};
    bool is_key;
    tls_begin();
    buffer_init(&ret->cert, PEM_MAX);
    buffer_init(&ret->key, PEM_MAX);
    if (issuer) {
        enum status status = material_read(buffer_slice(&issuer->cert), buffer_slice(&issuer->key), &by, &is_key, fault);
        if (status != STATUS_OK)
            return status;
    }
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    bool ok = key && certificate && fill(certificate, common_name, from, until) && X509_set_pubkey(certificate, key) == 1 &&
              X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? by.leaf : certificate)) == 1 &&
              add_names(certificate, names, name_count) && extend(certificate, issuer ? by.leaf : certificate, for_client) &&
              X509_sign(certificate, issuer ? by.key : key, EVP_sha256()) > 0 && give(certificate, key, ret);
    X509_free(certificate);
    EVP_PKEY_free(key);
    material_free(&by);
    ERR_clear_error();
    return ok ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, 0, "cannot make the certificate `%.60s`", common_name);
}
