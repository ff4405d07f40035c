/* What a peer's certificate says about it. */
#include <openssl/err.h>

#include "protocol/tls/inner.h"

bool facts_address(const ASN1_OCTET_STRING *bytes, struct address *ret) {
    int size = ASN1_STRING_length(bytes);
    *ret = (struct address){.family = size == 4 ? ADDRESS_IPV4 : size == 16 ? ADDRESS_IPV6 : ADDRESS_NONE};
    if (ret->family == ADDRESS_NONE)
        return false;
    memcpy(ret->bytes, ASN1_STRING_get0_data(bytes), (size_t)size);
    return true;
}

/* X.509-SVID: section 4 (a leaf), section 2 (exactly one URI); SPIFFE-ID section 2 (its form). */
static bool is_spiffe_id(struct slice uri) {
    struct slice rest = slice_skip(uri, 9);
    if (uri.size > 2048 || rest.size == 0 || rest.data[0] == '/')
        return false;
    bool in_domain = true;
    for (size_t i = 0; i < rest.size; i++) {
        uint8_t c = rest.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        in_domain = in_domain && c != '/';
        if (!plain && (in_domain || (c != '/' && !(c >= 'A' && c <= 'Z'))))
            return false;
    }
    return rest.data[rest.size - 1] != '/';
}

static bool may_be_spiffe(X509 *leaf, int uris) {
    uint32_t usage = X509_get_key_usage(leaf);
    bool signs = usage != UINT32_MAX && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
    return uris == 1 && X509_check_ca(leaf) == 0 && !signs;
}

struct taking {
    struct tls *tls;
    struct filter_name *names;
    uint8_t *text;
    size_t size; /* of the text */
    size_t count;
};

/* Without names: counts. A name with a NUL in it names nobody (CVE-2009-2408 and its kin). */
static void take(struct taking *taking, enum filter_name_kind kind, struct slice text) {
    if (text.size == 0 || taking->count == TLS_NAMES_MAX || memchr(text.data, 0, text.size))
        return;
    if (taking->names) {
        uint8_t *at = taking->text + taking->size;
        for (size_t i = 0; i < text.size; i++) {
            uint8_t c = text.data[i];
            at[i] = kind == FILTER_NAME_DNS && c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        }
        taking->names[taking->count] = (struct filter_name){kind, slice_make(at, text.size)};
    }
    taking->size += text.size;
    taking->count++;
}

static void take_all(struct taking *taking, const GENERAL_NAMES *names, bool spiffe) {
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        struct address address;
        char shown[ADDRESS_TEXT_MAX];
        if (name->type == GEN_IPADD && facts_address(name->d.iPAddress, &address))
            take(taking, FILTER_NAME_IP, slice_make(shown, address_print_ip(shown, &address)));
        if (name->type != GEN_DNS && name->type != GEN_URI && name->type != GEN_EMAIL)
            continue;
        struct slice text = slice_make(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
        if (name->type == GEN_URI && slice_starts(text, SLICE_OF("spiffe://")) && (!spiffe || !is_spiffe_id(text)))
            continue;
        take(taking, name->type == GEN_DNS ? FILTER_NAME_DNS : name->type == GEN_URI ? FILTER_NAME_URI : FILTER_NAME_EMAIL, text);
    }
}

static int uris_in(const GENERAL_NAMES *names) {
    int count = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        count += sk_GENERAL_NAME_value(names, i)->type == GEN_URI;
    return count;
}

/* One allocation: the names, then their text. Done twice: to count, to take. */
static bool take_names(struct tls *tls, X509 *leaf) {
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    if (!names)
        return true;
    struct taking taking = {.tls = tls};
    bool spiffe = may_be_spiffe(leaf, uris_in(names));
    take_all(&taking, names, spiffe);
    tls->names = memory_alloc(taking.count * sizeof *tls->names + taking.size + 1);
    if (tls->names) {
        taking = (struct taking){.tls = tls, .names = tls->names, .text = (uint8_t *)(tls->names + taking.count)};
        take_all(&taking, names, spiffe);
        tls->facts.names = tls->names;
        tls->facts.name_count = taking.count;
    }
    GENERAL_NAMES_free(names);
    return tls->names != NULL;
}

bool facts_fill(struct tls *tls) {
    X509 *leaf = SSL_get0_peer_certificate(tls->ssl);
    tls->facts = (struct filter_facts){.secure = true, .version = slice_from(SSL_get_version(tls->ssl))};
    if (!leaf || !tls->accepted)
        return true;
    tls->facts.verified = SSL_get_verify_result(tls->ssl) == X509_V_OK;
    tls->until = material_time(X509_get0_notAfter(leaf));
    bool ok = take_names(tls, leaf);
    ERR_clear_error();
    return ok;
}
