/* The TLS filter, as server and as client, against a peer that knows TLS and doesn't keep to it: an honest filter whose
 * bytes are changed, cut, doubled and mixed with others on their way, and who changes keys, begins anew and ends as the
 * input says. Byte 0: choices (below). Byte 1: size of the portions that we get. The rest: a program, two bytes an act.
 *     what we hear is a beginning of what the peer said, whatever happened on the way
 *     an end is heard only where the peer said one; nothing is heard from a peer that is not who it must be
 *     what waits to be written is bounded; in one piece or in portions it comes to the same; all memory comes back
 * Entropy is drawn from a counter, so that each input means the same each time. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "protocol/tls/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define START (INT64_C(1790000000) * NS_PER_S)
#define DAY (INT64_C(86400) * NS_PER_S)
#define HEARD_MAX (1u << 16)
#define WAY_MAX (1u << 18)

enum {
    TLS_FUZZ_DIALLED = 1, /* we are the client */
    TLS_FUZZ_OLD = 2, /* TLS 1.2 */
    TLS_FUZZ_ASKS = 4, /* the server asks for a certificate */
    TLS_FUZZ_SHOWS = 8, /* and the client has one */
    TLS_FUZZ_ALPN = 16,
    TLS_FUZZ_STRANGE = 32, /* the server's certificate is for another name */
    TLS_FUZZ_ALONE = 64, /* no honest peer: all comes from the input */
};

struct side {
    struct protocol_worker worker;
    struct protocol_setup setup;
    struct tls_profile profile;
    struct chain_pool pool;
    struct chain wire;
    struct filter_sink sink;
    struct tls *state;
    struct buffer said, heard;
    bool has_ended; /* it said so */
};

struct run {
    struct side us, peer;
    struct buffer way; /* from the peer to us */
    bool is_spoilt;
};

static const struct now now = {{NS_PER_S}, {START}};
static const uint32_t first[] = {0};
static struct tls_made authority, named, strange, client;

/* -- entropy -- */

static uint64_t counter;

static int draw(unsigned char *out, int size) {
    for (int i = 0; i < size; i++) {
        uint64_t x = ++counter * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        out[i] = (uint8_t)(x >> 56);
    }
    return 1;
}

static int is_there(void) {
    return 1;
}

static void make(const char *name, const char *san, const struct tls_made *by, bool for_client,
                 struct tls_made *out) {
    struct slice names[] = {slice_from(san)};
    struct fault fault;
    ASSERT(tls_make(name, names, san[0] != 0, by, for_client, (struct wall){START - DAY},
                    (struct wall){START + DAY}, out, &fault) == STATUS_OK);
}

static void begin_once(void) {
    static const RAND_METHOD method = {.bytes = draw, .pseudorand = draw, .status = is_there};
    if (authority.cert.size)
        return;
    tls_begin();
    ASSERT(RAND_set_rand_method(&method) == 1);
    make("ca", "", NULL, false, &authority);
    make("gw", "gw.example", &authority, false, &named);
    make("other", "other.example", &authority, false, &strange);
    make("client", "spiffe://acme.example/erp", &authority, true, &client);
}

/* -- sides -- */

static void side_open(struct side *side, bool dialled, unsigned choices) {
    static const struct tls_tickets tickets = {.keys = {{1}, {2}}};
    static const struct address nobody;
    const struct tls_made *own = !dialled                   ? (choices & TLS_FUZZ_STRANGE ? &strange : &named)
                                 : choices & TLS_FUZZ_SHOWS ? &client
                                                            : NULL;
    struct tls_certificate certificate = {SLICE_OF("c"), own ? buffer_slice(&own->cert) : SLICE_OF(""),
                                          own ? buffer_slice(&own->key) : SLICE_OF("")};
    struct tls_authority trusted = {SLICE_OF("ca"), buffer_slice(&authority.cert)};
    struct tls_files files = {NULL, &certificate, own != NULL, &trusted, 1};
    struct fault fault;
    bool asks = !dialled && choices & TLS_FUZZ_ASKS;
    *side = (struct side){.setup = {.role = dialled ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED}};
    side->profile =
        (struct tls_profile){.name = SLICE_OF("x"),
                             .certificates = first,
                             .certificate_count = own != NULL,
                             .authorities = first,
                             .authority_count = dialled || asks,
                             .client = asks ? TLS_CLIENT_OPTIONAL : TLS_CLIENT_NONE,
                             .alpn = choices & TLS_FUZZ_ALPN ? SLICE_OF("\x08http/1.1") : SLICE_OF(""),
                             .server_name = SLICE_OF("gw.example")};
    chain_pool_init(&side->pool);
    chain_init(&side->wire, &side->pool, false);
    buffer_init(&side->said, HEARD_MAX);
    buffer_init(&side->heard, HEARD_MAX + FILTER_PLAIN_SIZE);
    side->worker.tls = tls_worker_new(&files, &tickets, &fault);
    ASSERT(side->worker.tls);
    side->sink = (struct filter_sink){.wire = &side->wire, .due = MONO_NEVER};
    side->state = memory_new(filter_tls.state_size);
    ASSERT(side->state);
    filter_tls.open(side->state, &side->profile, &side->setup, &side->worker, &side->sink, &nobody, now);
    ASSERT(side->sink.status == STATUS_OK);
    if (!dialled)
        ASSERT(SSL_set_max_proto_version(side->state->ssl,
                                         choices & TLS_FUZZ_OLD ? TLS1_2_VERSION : TLS1_3_VERSION) == 1);
}

static void side_close(struct side *side) {
    filter_tls.done(side->state);
    memory_free(side->state);
    tls_worker_free(side->worker.tls);
    chain_done(&side->wire);
    chain_pool_done(&side->pool);
    buffer_done(&side->said);
    buffer_done(&side->heard);
}

static void side_feed(struct side *side, struct slice wire) {
    while (side->sink.status == STATUS_OK) {
        size_t before = wire.size;
        uint8_t *room = buffer_reserve(&side->heard, FILTER_PLAIN_SIZE);
        if (!room)
            return;
        size_t got = filter_tls.feed(side->state, &wire, room, FILTER_PLAIN_SIZE, now);
        ASSERT(got <= FILTER_PLAIN_SIZE && wire.size <= before && (!got || side->sink.ready));
        buffer_added(&side->heard, got);
        if (!got && wire.size == before)
            return;
    }
}

static void side_say(struct side *side, size_t size) {
    static const char text[] =
        "The quick brown fox jumps over the lazy dog, and over and over again it does so.";
    struct slice piece = slice_make(text, 1 + size % (sizeof text - 1));
    if (!side->sink.ready || side->sink.status != STATUS_OK || side->has_ended ||
        side->said.size + piece.size > HEARD_MAX || chain_unsent(&side->wire) > 65536)
        return;
    size_t took = filter_tls.seal(side->state, piece, now);
    ASSERT(took <= piece.size && (took || side->sink.status != STATUS_OK));
    buffer_add(&side->said, slice_head(piece, took));
}

/* What only OpenSSL's own functions can say. */
static void side_act(struct side *side, unsigned what) {
    if (!side->sink.ready || side->sink.status != STATUS_OK || side->has_ended ||
        chain_unsent(&side->wire) > 65536)
        return;
    switch (what % 5) {
    case 0:
    case 1:
        if (SSL_version(side->state->ssl) == TLS1_3_VERSION &&
            SSL_key_update(side->state->ssl, what & 1) == 1)
            SSL_do_handshake(side->state->ssl);
        break;
    case 2:
        SSL_clear_options(side->state->ssl, SSL_OP_NO_RENEGOTIATION);
        if (SSL_version(side->state->ssl) == TLS1_2_VERSION && SSL_renegotiate(side->state->ssl) == 1)
            SSL_do_handshake(side->state->ssl);
        break;
    case 3:
        if (!side->state->accepted || SSL_version(side->state->ssl) != TLS1_3_VERSION ||
            SSL_new_session_ticket(side->state->ssl) != 1)
            break;
        SSL_do_handshake(side->state->ssl);
        break;
    default:
        filter_tls.shut(side->state, now);
        side->has_ended = true;
    }
    ERR_clear_error();
}

static void empty(struct side *from, struct buffer *to) {
    struct iovec vector;
    while (chain_vectors(&from->wire, &vector, 1)) {
        buffer_add(to, slice_make(vector.iov_base, vector.iov_len));
        chain_written(&from->wire, vector.iov_len);
    }
}

/* -- the way from the peer to us -- */

static void deliver(struct run *run, size_t most, size_t portion) {
    size_t size = run->way.size < most ? run->way.size : most;
    for (size_t at = 0; at < size; at += portion)
        side_feed(&run->us, slice_head(slice_make(run->way.data + at, size - at), portion));
    buffer_consume(&run->way, size);
    ASSERT(chain_unsent(&run->us.wire) < WAY_MAX);
}

static void answer(struct run *run) {
    struct buffer back;
    buffer_init(&back, WAY_MAX);
    empty(&run->us, &back);
    if (run->peer.state)
        side_feed(&run->peer, buffer_slice(&back));
    buffer_done(&back);
}

static void spoil(struct run *run, unsigned what, unsigned how, struct slice *program) {
    struct slice piece;
    run->is_spoilt = true;
    switch (what) {
    case 0: /* a bit */
        if (run->way.size)
            run->way.data[how * 37 % run->way.size] ^= (uint8_t)(1u << how % 8);
        break;
    case 1: /* the end is lost */
        run->way.size -= run->way.size < how ? run->way.size : how;
        break;
    case 2: /* bytes of the input */
        piece = slice_head(*program, how);
        *program = slice_skip(*program, piece.size);
        buffer_add(&run->way, piece);
        break;
    default: /* the beginning comes twice */
        piece = slice_head(buffer_slice(&run->way), how * 8);
        if (piece.size && buffer_reserve(&run->way, piece.size)) {
            memcpy(run->way.data + run->way.size, run->way.data, piece.size);
            buffer_added(&run->way, piece.size);
        }
    }
}

static void act(struct run *run, struct slice *program, size_t portion) {
    unsigned what = program->data[0] % 12, how = program->size > 1 ? program->data[1] : 0;
    *program = slice_skip(*program, 2);
    if (run->peer.state && what != 1)
        empty(&run->peer, &run->way);
    if (what == 0) {
        deliver(run, SIZE_MAX, portion);
    } else if (what == 1) {
        deliver(run, how, portion);
    } else if (what == 2) {
        answer(run);
    } else if (what <= 6) {
        spoil(run, what - 3, how, program);
    } else if (what == 7) {
        side_say(&run->us, how);
    } else if (what == 8) {
        side_act(&run->us, how % 5 == 4 ? 4 : 0); /* we never begin anew */
    } else if (run->peer.state && what == 9) {
        side_say(&run->peer, how);
    } else if (run->peer.state && what == 10) {
        side_act(&run->peer, how);
    } else if (run->peer.state) { /* both talk until they are silent */
        for (int i = 0; i < 6; i++) {
            empty(&run->peer, &run->way);
            deliver(run, SIZE_MAX, portion);
            answer(run);
        }
    }
}

struct result {
    enum status status;
    bool ready, ended;
    size_t heard;
};

static struct result go(unsigned choices, struct slice program, size_t portion) {
    struct run run = {0};
    int64_t live = memory_live();
    bool dialled = choices & TLS_FUZZ_DIALLED;
    counter = 0;
    side_open(&run.us, dialled, choices);
    if (!(choices & TLS_FUZZ_ALONE))
        side_open(&run.peer, !dialled, choices);
    buffer_init(&run.way, WAY_MAX);
    for (int i = 0; i < 300 && program.size; i++)
        act(&run, &program, portion);
    if (run.peer.state) {
        ASSERT(slice_starts(buffer_slice(&run.peer.said), buffer_slice(&run.us.heard)));
        ASSERT(!run.us.sink.ended || run.peer.has_ended || run.peer.sink.status != STATUS_OK);
        ASSERT(!run.us.sink.ready || !dialled || !(choices & TLS_FUZZ_STRANGE));
    } else {
        ASSERT(run.us.heard.size == 0 && !run.us.sink.ready);
    }
    struct result result = {run.us.sink.status, run.us.sink.ready, run.us.sink.ended, run.us.heard.size};
    side_close(&run.us);
    if (run.peer.state)
        side_close(&run.peer);
    buffer_done(&run.way);
    ASSERT(memory_live() == live);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 2)
        return 0;
    begin_once();
    struct slice program = slice_make(bytes + 2, size - 2);
    struct result whole = go(bytes[0], program, WAY_MAX), cut = go(bytes[0], program, bytes[1] + 1u);
    ASSERT(whole.status == cut.status && whole.ready == cut.ready && whole.ended == cut.ended &&
           whole.heard == cut.heard);
    return 0;
}
