/* For tests of TLS: two of our own connections, a `client` and a `server`, with certificates of all kinds between them; no
 * sockets, no clock. */
#ifndef PROTOCOL_TLS_FIXTURE_H
#define PROTOCOL_TLS_FIXTURE_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "protocol/tls/inner.h"

#define DAY (INT64_C(86400) * NS_PER_S)
#define START (INT64_C(1790000000) * NS_PER_S)

/* Made once: an authority with a server and a client, another authority, what has ended, what has other names. */
static struct pki { struct tls_made ca, other_ca, server, wild, client, expired, stranger, selfsigned; } pki;

static struct side {
    struct tls_worker *tls;
    struct protocol_worker worker;
    struct protocol_setup setup;
    struct tls_profile profile;
    struct chain_pool pool;
    struct chain wire;
    struct filter_sink sink;
    void *state;
    uint8_t got[200000];
    size_t got_size;
} client, server;

static struct now now;
static const struct address nobody;

static inline void make(const char *name, const char *san, const struct tls_made *by, bool for_client,
                        int64_t from, int64_t until, struct tls_made *out) {
    struct fault fault;
    struct slice names[1] = {slice_from(san)};
    assert_int_equal(tls_make(name, names, san[0] ? 1 : 0, by, for_client, (struct wall){START + from},
                              (struct wall){START + until}, out, &fault),
                     STATUS_OK);
}

static inline int make_all(void **state) {
    (void)state;
    make("ca", "", NULL, false, -DAY, 400 * DAY, &pki.ca);
    make("other", "", NULL, false, -DAY, 400 * DAY, &pki.other_ca);
    make("server", "gw.example", &pki.ca, false, -DAY, 90 * DAY, &pki.server);
    make("wild", "*.shop.example", &pki.ca, false, -DAY, 90 * DAY, &pki.wild);
    make("client", "spiffe://acme.example/erp", &pki.ca, true, -DAY, 90 * DAY, &pki.client);
    make("expired", "gw.example", &pki.ca, false, -9 * DAY, -DAY, &pki.expired);
    make("stranger", "gw.example", &pki.other_ca, false, -DAY, 90 * DAY, &pki.stranger);
    make("short", "spiffe://acme.example/erp", &pki.ca, true, -DAY, DAY, &pki.selfsigned);
    return 0;
}

static inline int free_all(void **state) {
    struct tls_made *all[] = {&pki.ca,     &pki.other_ca, &pki.server,   &pki.wild,
                              &pki.client, &pki.expired,  &pki.stranger, &pki.selfsigned};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        buffer_done(&all[i]->cert);
        buffer_done(&all[i]->key);
    }
    return 0;
}

static const uint32_t index_0[] = {0}, index_01[] = {0, 1};

static inline void set_up(struct side *side, enum protocol_role role, const struct tls_made *first,
                          const struct tls_made *second) {
    static struct tls_tickets tickets = {.keys = {{1}, {2}}};
    const struct tls_made *both[] = {first, second};
    struct tls_certificate certificates[2];
    size_t count = 0;
    for (; count < 2 && both[count]; count++)
        certificates[count] = (struct tls_certificate){SLICE_OF("c"), buffer_slice(&both[count]->cert),
                                                       buffer_slice(&both[count]->key)};
    struct tls_authority authority = {SLICE_OF("ca"), buffer_slice(&pki.ca.cert)};
    struct tls_files files = {NULL, certificates, count, &authority, 1};
    struct fault fault;
    *side = (struct side){.setup = {.role = role}};
    chain_pool_init(&side->pool);
    chain_init(&side->wire, &side->pool, false);
    side->tls = tls_worker_new(&files, &tickets, &fault);
    assert_non_null(side->tls);
    side->worker.tls = side->tls;
    side->profile =
        (struct tls_profile){.name = SLICE_OF("x"), .certificates = index_01, .certificate_count = count};
    if (role == PROTOCOL_DIALLED) {
        side->profile.authorities = index_0;
        side->profile.authority_count = 1;
        side->profile.server_name = SLICE_OF("gw.example");
    }
}

static inline void start(void) {
    now = (struct now){{NS_PER_S}, {START}};
    set_up(&client, PROTOCOL_DIALLED, NULL, NULL);
    set_up(&server, PROTOCOL_ACCEPTED, &pki.server, &pki.wild);
}

static inline void open_side(struct side *side) {
    side->sink = (struct filter_sink){.wire = &side->wire, .due = MONO_NEVER};
    side->state = memory_new(filter_tls.state_size);
    side->got_size = 0;
    filter_tls.open(side->state, &side->profile, &side->setup, &side->worker, &side->sink, &nobody, now);
}

static inline void close_side(struct side *side) {
    if (side->state)
        filter_tls.done(side->state);
    memory_free(side->state);
    side->state = NULL;
    chain_done(&side->wire);
    chain_init(&side->wire, &side->pool, false);
}

static inline void stop_side(struct side *side) {
    close_side(side);
    tls_worker_free(side->tls);
    chain_pool_done(&side->pool);
}

static inline void stop(void) {
    stop_side(&client);
    stop_side(&server);
}

static inline void open_both(void) {
    open_side(&server);
    open_side(&client);
}

static inline void close_both(void) {
    close_side(&client);
    close_side(&server);
}

static inline void feed(struct side *side, struct slice wire) {
    for (;;) {
        size_t before = wire.size;
        assert_true(side->got_size + FILTER_PLAIN_SIZE <= sizeof side->got);
        size_t got = filter_tls.feed(side->state, &wire, side->got + side->got_size, FILTER_PLAIN_SIZE, now);
        side->got_size += got;
        if (side->sink.status != STATUS_OK || (!got && wire.size == before))
            return;
    }
}

/* What one has to say goes to the other, `step` bytes at a time. True when anything moved. */
static inline bool carry(struct side *from, struct side *to, size_t step) {
    struct iovec vector;
    bool moved = false;
    while (chain_vectors(&from->wire, &vector, 1)) {
        uint8_t bytes[65536];
        size_t size = vector.iov_len < step ? vector.iov_len : step;
        assert_true(size <= sizeof bytes);
        memcpy(bytes, vector.iov_base, size);
        chain_written(&from->wire, size);
        if (to->sink.status == STATUS_OK)
            feed(to, slice_make(bytes, size));
        moved = true;
    }
    return moved;
}

static inline void shake(size_t step) {
    bool moved = true;
    for (int i = 0; i < 20 && moved; i++) {
        moved = carry(&client, &server, step);
        moved |= carry(&server, &client, step);
    }
}

static inline void say(struct side *side, const char *text, size_t size) {
    struct slice left = slice_make(text, size);
    while (left.size) {
        size_t took = filter_tls.seal(side->state, slice_head(left, 16000), now);
        assert_true(took > 0);
        left = slice_skip(left, took);
    }
}

static inline void both_are_ready(void) {
    assert_int_equal(client.sink.status, STATUS_OK);
    assert_int_equal(server.sink.status, STATUS_OK);
    assert_true(client.sink.ready && server.sink.ready);
}

static inline const struct filter_facts *facts(const struct side *side) {
    return filter_tls.facts(side->state);
}

/* OpenSSL's object of one side. */
static inline SSL *ssl_of(const struct side *side) {
    return ((struct tls *)side->state)->ssl;
}

/* At most that version, before any of the client's bytes has come. */
static inline void speak(int version) {
    assert_int_equal(SSL_set_max_proto_version(ssl_of(&server), version), 1);
}

#endif
