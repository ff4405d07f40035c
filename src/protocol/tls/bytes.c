/* How OpenSSL reads and writes: from the slice that a connection was given, into its wire chain. */
#include "protocol/tls/inner.h"

static int read_bytes(BIO *bio, char *out, size_t size, size_t *ret_size) {
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *ret_size = 0;
    if (tls->in.size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    struct slice piece = slice_head(tls->in, size);
    memcpy(out, piece.data, piece.size);
    tls->in = slice_skip(tls->in, piece.size);
    *ret_size = piece.size;
    return 1;
}

static int write_bytes(BIO *bio, const char *bytes, size_t size, size_t *ret_size) {
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *ret_size = 0;
    if (!chain_add(tls->sink->wire, slice_make(bytes, size))) {
        tls->short_of_memory = true;
        return -1;
    }
    *ret_size = size;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static int create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *bytes_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 1, "intertie");
    if (!method)
        return NULL;
    if (BIO_meth_set_read_ex(method, read_bytes) && BIO_meth_set_write_ex(method, write_bytes) &&
        BIO_meth_set_ctrl(method, control) && BIO_meth_set_create(method, create))
        return method;
    BIO_meth_free(method);
    return NULL;
}
