/* Streamed exchanges: one engine with its real rows, clients and systems whose bytes come in any order and any pieces, who
 * stop reading, go away and come back, with time that passes and memory that runs out. Byte 0: which allocation fails.
 * Then a program: a byte says what happens and to whom, others what is said.
 *
 * After each turn the engine's invariants hold; nothing holds more than it may; an answer that was broken off is never
 * followed by another on its connection; at the end all memory is given back. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/proxy_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define OPS_MAX 200
#define ENDS_MAX (4 * OPS_MAX)

static const char yaml[] =
    "name: gw\n"
    "listeners: {web: {url: 'http://10.0.0.1:80', anonymous: true}}\n"
    "systems:\n"
    "  site: {url: 'http://10.0.0.2:81/base', pool: {max: 2}, timeouts: {request: 10s, queue: 3s}}\n"
    "  two: {endpoints: {a: 'http://10.0.0.3:80', b: 'http://10.0.0.4:80'}, timeouts: {attempt: 2s}}\n"
    "  rest: {url: 'http://10.0.0.5:80', format: rest}\n"
    "routes:\n"
    "  two: {match: {http: {path: /two/**}}, proxy: two}\n"
    "  rest: {match: {http: {path: /rest/**}}, to: rest}\n"
    "  site: {match: {http: {path: /**}}, proxy: site}\n";

static const char *const requests[] = {
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /two/b HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "PUT /two/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "0\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    "HEAD /two/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /rest/a HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a HTTP/1.0\r\n\r\n",
};
static const char *const answers[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    "0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nuntil",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nx",
    "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
};

static struct pw_peer *some(unsigned choice, bool is_dialled) {
    for (unsigned i = 0; i < pw.count; i++) {
        struct pw_peer *p = &pw.peers[(choice + i) % pw.count];
        if (!p->closed && p->is_dialled == is_dialled)
            return p;
    }
    return NULL;
}

static void say(struct pw_peer *p, uint8_t what) {
    size_t count = p->is_dialled ? COUNT_OF(answers) : COUNT_OF(requests);
    pw_say(p, slice_from((p->is_dialled ? answers : requests)[what % count]));
}

static void say_much(struct pw_peer *p) {
    static uint8_t much[64u << 10];
    pw_say(p, slice_make(much, sizeof much));
}

static void act(uint8_t op, struct slice *program) {
    uint8_t what = program->size ? program->data[0] : 0;
    struct pw_peer *p = some(op >> 5, op & 16);
    if ((op & 15) == 0) {
        if (pw.count < PW_PEERS / 2)
            pw_connect();
        return;
    }
    if ((op & 15) == 1) {
        pw_pass((int64_t)what * 100 * NS_PER_MS);
        return;
    }
    if ((op & 15) == 2)
        pw.refuses = what & 1;
    if (!p)
        return;
    *program = slice_skip(*program, 1);
    switch (op & 15) {
    case 3:
    case 4:
    case 5:
    case 6:
        say(p, what);
        break;
    case 7: {
        struct slice raw = slice_head(*program, what & 63);
        *program = slice_skip(*program, raw.size);
        pw_say(p, raw);
        break;
    }
    case 8:
        pw_end(p);
        break;
    case 9:
        pw_lose(p);
        break;
    case 10:
        p->stuck = true;
        break;
    case 11:
        pw_unstick(p);
        break;
    case 12:
        say_much(p);
        break;
    default:
        break;
    }
    pw_run_by((what & 3) == 3 ? 1 : SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 2)
        return 0;
    struct slice program = slice_make(bytes + 1, size - 1);
    pw_start(yaml);
    pw_connect();
    if (bytes[0])
        memory_fail_after(bytes[0]);
    for (unsigned i = 0; program.size && i < OPS_MAX; i++) {
        uint8_t op = program.data[0];
        program = slice_skip(program, 1);
        act(op, &program);
        ASSERT(pw.most <= PROXY_UNSENT_MAX + (64u << 10) + (80u << 10));
    }
    memory_fail_after(-1);
    for (unsigned i = 0; i < pw.count; i++)
        pw_unstick(&pw.peers[i]);
    /* Each pass ends at least one exchange; those behind it on its connection begin then. */
    for (int i = 0; i < 40 || (i < ENDS_MAX && pw.engine->proxies.count); i++)
        pw_pass(20 * NS_PER_S);
    ASSERT(pw.engine->proxies.count == 0);
    pw_stop();
    return 0;
}
