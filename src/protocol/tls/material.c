/* Certificates, keys and authorities from PEM, and what is said about them. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "protocol/tls/inner.h"

void tls_begin(void) {
    /* Our own settings decide, not a file of the system's; threads that end must not take the library down. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

static enum status bad(struct fault *fault, const char *words) {
    unsigned long why = ERR_peek_last_error();
    const char *reason = why ? ERR_reason_error_string(why) : NULL;
    ERR_clear_error();
    if (reason && why && ERR_GET_REASON(why) == ERR_R_MALLOC_FAILURE)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for a certificate");
    return reason ? fault_set(fault, STATUS_BAD_CONFIG, 0, "%s (%s)", words, reason)
                  : fault_set(fault, STATUS_BAD_CONFIG, 0, "%s", words);
}

/* Keys with a pass phrase are refused: nobody is there to be asked. */
static int no_phrase(char *out, int size, int writing, void *user) {
    (void)out, (void)size, (void)writing, (void)user;
    return -1;
}

/* All certificates in `pem`, in order. */
static enum status read_all(struct slice pem, int most, STACK_OF(X509) **ret, struct fault *fault) {
    tls_begin();
    ERR_clear_error();
    BIO *bio = pem.size > INT32_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.size);
    STACK_OF(X509) *list = sk_X509_new_null();
    X509 *certificate = NULL;
    enum status status = bio && list ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for a certificate");
    while (status == STATUS_OK && (certificate = PEM_read_bio_X509(bio, NULL, no_phrase, NULL))) {
        /* What its extensions say is read now: without memory later it would be invalid for ever. */
        if (X509_check_purpose(certificate, -1, 0) != 1)
            status = bad(fault, "an extension of a certificate in it can't be read");
        else if (sk_X509_num(list) >= most)
            status = fault_set(fault, STATUS_BAD_CONFIG, 0, "there are more than %d certificates in it", most);
        else if (sk_X509_push(list, certificate))
            continue;
        else
            status = fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for a certificate");
        X509_free(certificate);
    }
    unsigned long last = ERR_peek_last_error();
    if (status == STATUS_OK && last && ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
        status = bad(fault, "a certificate in it can't be read");
    ERR_clear_error();
    if (status == STATUS_OK && sk_X509_num(list) == 0)
        status = fault_set(fault, STATUS_BAD_CONFIG, 0, "there is no certificate (BEGIN CERTIFICATE) in it");
    BIO_free(bio);
    if (status != STATUS_OK)
        sk_X509_pop_free(list, X509_free);
    else
        *ret = list;
    return status;
}

static enum status read_key(struct slice pem, EVP_PKEY **ret, struct fault *fault) {
    BIO *bio = pem.size > INT32_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.size);
    if (!bio)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for a key");
    *ret = PEM_read_bio_PrivateKey(bio, NULL, no_phrase, NULL);
    BIO_free(bio);
    if (*ret)
        return STATUS_OK;
    return bad(fault, "there is no private key in it that can be read; one with a pass phrase can't be used");
}

enum status material_read(struct slice cert, struct slice key, struct material *ret, bool *ret_key, struct fault *fault) {
    struct material made = {0};
    *ret_key = false;
    enum status status = read_all(cert, TLS_CHAIN_MAX, &made.chain, fault);
    if (status != STATUS_OK)
        return status;
    made.leaf = sk_X509_shift(made.chain);
    *ret_key = key.size > 0;
    if (key.size)
        status = read_key(key, &made.key, fault);
    if (status == STATUS_OK && made.key && X509_check_private_key(made.leaf, made.key) != 1) {
        ERR_clear_error();
        status = fault_set(fault, STATUS_BAD_CONFIG, 0, "it is not the key of the first certificate in `cert`");
    }
    if (status != STATUS_OK)
        material_free(&made);
    else
        *ret = made;
    return status;
}

bool material_share(const struct material *from, struct material *to) {
    STACK_OF(X509) *chain = X509_chain_up_ref(from->chain);
    if (!chain)
        return false;
    X509_up_ref(from->leaf);
    EVP_PKEY_up_ref(from->key);
    *to = (struct material){from->leaf, chain, from->key};
    return true;
}

void material_free(struct material *material) {
    X509_free(material->leaf);
    sk_X509_pop_free(material->chain, X509_free);
    EVP_PKEY_free(material->key);
    *material = (struct material){0};
}

enum status anchors_read(struct slice pem, struct anchors *ret, struct fault *fault) {
    size_t size = 0;
    enum status status = read_all(pem, TLS_ANCHORS_MAX, &ret->certificates, fault);
    if (status == STATUS_OK && !EVP_Q_digest(NULL, "SHA256", NULL, pem.data, pem.size, ret->digest, &size)) {
        anchors_free(ret);
        status = fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for certificates");
    }
    return status;
}

void anchors_free(struct anchors *anchors) {
    sk_X509_pop_free(anchors->certificates, X509_free);
    anchors->certificates = NULL;
}

bool material_names(const X509 *certificate, struct slice host) {
    if (host.size == 0 || host.size > TLS_NAME_MAX)
        return false;
    return X509_check_host((X509 *)(uintptr_t)certificate, (const char *)host.data, host.size,
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* -- views -- */

struct wall material_time(const ASN1_TIME *time) {
    struct tm tm;
    if (!time || !ASN1_TIME_to_tm(time, &tm))
        return (struct wall){0};
    int64_t year = tm.tm_year + 1900, month = tm.tm_mon + 1;
    year -= month <= 2; /* days since 1970, civil calendar */
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t day = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + tm.tm_mday - 1;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
    int64_t seconds = days * 86400 + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
    int64_t most = INT64_MAX / NS_PER_S;
    return (struct wall){seconds > most ? INT64_MAX : seconds < -most ? -INT64_MAX : seconds * NS_PER_S};
}

static void name_text(const X509_NAME *name, char *out, size_t room) {
    BIO *bio = BIO_new(BIO_s_mem());
    out[0] = 0;
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        int size = BIO_read(bio, out, (int)room - 1);
        out[size > 0 ? size : 0] = 0;
    }
    BIO_free(bio);
}

static void add_name(struct buffer *out, const char *kind, struct slice text) {
    if (out->size)
        buffer_add_text(out, ", ");
    buffer_add_text(out, kind);
    buffer_add(out, text);
}

static void names_text(const X509 *certificate, char *text, size_t room) {
    struct buffer out;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    buffer_init_fixed(&out, text, room - 1);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL) {
            const ASN1_STRING *string = name->d.ia5;
            const char *kind = name->type == GEN_DNS ? "DNS:" : name->type == GEN_URI ? "URI:" : "email:";
            add_name(&out, kind, slice_make(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string)));
        } else if (name->type == GEN_IPADD) {
            struct address address;
            char shown[ADDRESS_TEXT_MAX];
            if (facts_address(name->d.iPAddress, &address))
                add_name(&out, "IP:", slice_make(shown, address_print_ip(shown, &address)));
        }
    }
    text[out.size] = 0;
    GENERAL_NAMES_free(names);
}

static void view(X509 *certificate, struct tls_certificate_view *ret) {
    name_text(X509_get_subject_name(certificate), ret->subject, sizeof ret->subject);
    name_text(X509_get_issuer_name(certificate), ret->issuer, sizeof ret->issuer);
    names_text(certificate, ret->names, sizeof ret->names);
    ret->not_before = material_time(X509_get0_notBefore(certificate));
    ret->not_after = material_time(X509_get0_notAfter(certificate));
    ret->is_authority = X509_check_ca(certificate) > 0;
    ERR_clear_error();
}

enum status tls_check_certificate(struct slice cert, struct slice key, struct tls_certificate_view *ret_view, bool *ret_key,
                                  struct fault *fault) {
    struct material material;
    enum status status = material_read(cert, key, &material, ret_key, fault);
    if (status != STATUS_OK)
        return status;
    view(material.leaf, ret_view);
    material_free(&material);
    return STATUS_OK;
}

enum status tls_check_authority(struct slice pem, struct tls_certificate_view *ret_first, struct fault *fault) {
    struct anchors anchors = {0};
    enum status status = anchors_read(pem, &anchors, fault);
    if (status != STATUS_OK)
        return status;
    view(sk_X509_value(anchors.certificates, 0), ret_first);
    anchors_free(&anchors);
    return STATUS_OK;
}
