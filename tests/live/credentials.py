#!/usr/bin/env python3
"""What we present to others: HTTP, WebSocket and stream v1 peers that look at it, and secrets that change under a reload."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import tempfile
import time

from kit import HttpSystem, Router, Server, case, event, main, same, true, until

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes, yes").decode()
OLDER = "whsec_" + base64.b64encode(b"an older one of 24 bytes.").decode()


class Receiver(HttpSystem):
    """Takes events and remembers their heads, bodies and connections."""

    def __init__(self):
        self.got = got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                got.append((self.headers, body, self.client_address))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler)


class Secrets:
    def __init__(self, **files):
        self.folder = tempfile.TemporaryDirectory(prefix="intertie-secrets-")
        for name, text in files.items():
            self.write(name, text)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text + "\n")

    def ref(self, name):
        return "'${file:%s}'" % self.path(name)


def verify(secret, headers, body):
    """As a receiver of Standard Webhooks does it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return abs(time.time() - int(headers["webhook-timestamp"])) < 300 and any(
        hmac.compare_digest(part, "v1," + wanted) for part in headers["webhook-signature"].split())


HEAD = 'workers: 1\nlisteners: {{web: {{url: "http://127.0.0.1:0"}}}}\nsystems:\n{systems}\nsecurity: {{credentials: {{{credentials}}}}}\n'


def config(systems, **credentials):
    return HEAD.format(systems=systems, credentials=", ".join(f"{name}: {value}" for name, value in credentials.items()))


def sent(router, receiver, target="partner", **more):
    before = len(receiver.got)
    same(router.post(event("event", "com.x.y", {"n": before}, target=target, **more)).status, 202, "taken")
    until(lambda: len(receiver.got) > before, "delivered")
    return receiver.got[before]


@case
def each_kind_is_shown_as_its_standard_says():
    files = Secrets(token="abc.def", password="pass word")
    for kind, name, value in ((f"{{header: {{name: X-Api-Key, value: {files.ref('password')}}}}}", "x-api-key", "pass word"),
                              (f"{{bearer: {files.ref('token')}}}", "authorization", "Bearer abc.def"),
                              (f"{{basic: {{user: me, password: {files.ref('password')}}}}}", "authorization",
                               "Basic " + base64.b64encode(b"me:pass word").decode())):
        receiver = Receiver()
        with Router(config(f"  partner: {{url: 'http://127.0.0.1:{receiver.port}/in', auth: c}}", c=kind)) as router:
            same(sent(router, receiver)[0].get_all(name), [value], name)
            true("pass word" not in router.log() and "abc.def" not in router.log(), "the log is silent about it")
        receiver.close()


@case
def an_endpoint_may_have_its_own():
    files = Secrets(one="token-one", two="token-two")
    receiver, other = Receiver(), Receiver()
    with Router(config(f"  a: {{url: 'http://127.0.0.1:{receiver.port}/', auth: one}}\n"
                       f"  b: {{auth: one, endpoints: {{x: {{url: 'http://127.0.0.1:{other.port}/', auth: two}}}}}}",
                       one=f"{{bearer: {files.ref('one')}}}", two=f"{{bearer: {files.ref('two')}}}")) as router:
        same(sent(router, receiver, "a")[0]["authorization"], "Bearer token-one", "the system's")
        same(sent(router, other, "b")[0]["authorization"], "Bearer token-two", "its own")
    receiver.close()
    other.close()


@case
def a_streamed_request_shows_it_and_not_what_its_client_sent():
    files = Secrets(key="ours")
    receiver = Receiver()
    systems = f"  shop: {{url: 'http://127.0.0.1:{receiver.port}', auth: c}}\nroutes: {{r: {{match: {{http: {{path: /shop/**}}}}, proxy: shop}}}}"
    with Router(config(systems, c=f"{{header: {{name: X-Api-Key, value: {files.ref('key')}}}}}"), replay=False) as router:
        same(router.http("POST", "/shop/a", b"hello", X_Api_Key="theirs", X_Other="1").status, 202, "answer")
        headers, body, _ = receiver.got[0]
        same((headers.get_all("x-api-key"), headers["x-other"], body), (["ours"], "1", b"hello"), "what arrives")
    receiver.close()


@case
def a_changed_file_counts_from_the_next_request_on_the_same_connection():
    files = Secrets(token="first")
    receiver = Receiver()
    with Router(config(f"  partner: {{url: 'http://127.0.0.1:{receiver.port}/', auth: c}}", c=f"{{bearer: {files.ref('token')}}}"), replay=False) as router:
        first = sent(router, receiver)
        same(first[0]["authorization"], "Bearer first", "first")
        files.write("token", "second")
        same(sent(router, receiver)[0]["authorization"], "Bearer first", "nothing changes by itself")
        answer = router.intertie("reload")
        true("~ security.credentials.c" in answer.stdout + answer.stderr, "reload tells of it: " + answer.stdout + answer.stderr)
        second = sent(router, receiver)
        same((second[0]["authorization"], second[2]), ("Bearer second", first[2]), "the new one, on the same connection")
        files.write("token", "no token\x01")
        true(router.intertie("reload").returncode != 0, "a bad one is refused")
        same(sent(router, receiver)[0]["authorization"], "Bearer second", "and changes nothing")
        for secret in ("first", "second", "no token"):
            true(secret not in router.log().replace("security", ""), secret + " is in the log")
    receiver.close()


@case
def webhooks_are_signed_over_what_arrives():
    files = Secrets(secret=SECRET)
    receiver = Receiver()
    big = {"text": "x" * 5000}
    for mode in ("mode: binary", "mode: structured", "mode: structured, compress: gzip", "mode: auto, encoding: protobuf"):
        with Router(config(f"  partner: {{url: 'http://127.0.0.1:{receiver.port}/', auth: c, {mode}}}", c=f"{{webhook: {{secret: {files.ref('secret')}}}}}")) as router:
            before = len(receiver.got)
            router.post(event("event", "com.x.y", big, target="partner"))
            until(lambda: len(receiver.got) > before, "delivered")
            headers, body, _ = receiver.got[before]
            true(verify(SECRET, headers, body), mode + ": the signature holds")
            true(not verify(OLDER, headers, body), mode + ": of this secret alone")
            true(not verify(SECRET, headers, body + b" "), mode + ": for this body alone")
            same(headers["content-encoding"], "gzip" if "gzip" in mode else None, "coding")
    receiver.close()


@case
def two_secrets_are_both_believed_while_they_rotate():
    files = Secrets(new=SECRET, old=OLDER)
    receiver = Receiver()
    with Router(config(f"  partner: {{url: 'http://127.0.0.1:{receiver.port}/', auth: c}}",
                       c=f"{{webhook: {{secret: [{files.ref('new')}, {files.ref('old')}]}}}}")) as router:
        headers, body, _ = sent(router, receiver)
        true(verify(SECRET, headers, body) and verify(OLDER, headers, body), "both")
    receiver.close()


@case
def an_event_has_the_same_name_each_time_it_is_sent():
    files = Secrets(secret=SECRET)
    receiver = Receiver()
    with Router(config(f"  partner: {{url: 'http://127.0.0.1:{receiver.port}/', auth: c}}", c=f"{{webhook: {{secret: {files.ref('secret')}}}}}")) as router:
        names = [sent(router, receiver, id=i, source=source)[0]["webhook-id"] for i, source in (("1", "/a"), ("1", "/b"), ("2", "/a"))]
        same(len(set(names)), 3, "names of three events")
        true(all(len(name) == 36 and "." not in name for name in names), "their form")
    receiver.close()


class Handshakes(Server):
    """Remembers the first bytes of each connection."""

    def __init__(self):
        self.heads = []
        super().__init__()

    def serve(self, peer):
        with peer:
            peer.settimeout(5)
            self.heads.append(peer.recv(4096))


@case
def a_websocket_handshake_shows_it():
    files = Secrets(password="pw")
    server = Handshakes()
    with Router(config(f"  feed: {{url: 'ws://127.0.0.1:{server.port}/x', auth: c}}", c=f"{{basic: {{user: me, password: {files.ref('password')}}}}}"), replay=False):
        until(lambda: server.heads, "dialled")
        true(b"\r\nAuthorization: Basic " + base64.b64encode(b"me:pw") + b"\r\n" in server.heads[0], repr(server.heads[0]))
    server.close()


@case
def another_router_takes_it_as_a_key():
    """HELLO of stream v1 to a router that knows one key and not the other."""
    key, wrong = "itk_" + "A" * 43, "itk_" + "B" * 43
    files = Secrets(key=key, wrong=wrong)
    inner = ("listeners: {stream: {url: 'intertie://127.0.0.1:0', auth: key}}\nsystems: {edge: {source: /tests}, desk: {accept: true}}\n"
             "routes: {r: {match: {type: com.x.*}, to: desk}}\n"
             "security: {identities: {edge: {system: edge, allow: [send type/com.x.*], keys: {k: {hash: 'sha256:%s'}}}}}\n" % hashlib.sha256(key.encode()).hexdigest())
    with Router(inner, name="inner", replay=False) as behind:
        for name, gets in (("wrong", False), ("key", True)):
            systems = f"  inner: {{url: 'intertie://127.0.0.1:{behind.ports['stream']}', auth: c}}\nroutes: {{r: {{match: {{type: com.x.*}}, to: inner}}}}"
            with Router(config(systems, c=f"{{bearer: {files.ref(name)}}}"), replay=False) as front:
                same(front.post(event("event", "com.x.y", {})).status, 202, "taken")
                if gets:
                    until(lambda: behind.system("desk")["held"] == 1, "it is let in with the right one")
                else:
                    until(lambda: b"unauthenticated" in behind.http("GET", "/metrics", port=behind.admin).body, "the wrong one is refused")
                    same(behind.system("desk")["held"], 0, "nothing is let in with it")
                for secret in (key, wrong):
                    true(secret not in front.log() and secret not in behind.log(), "logs are silent about it")


if __name__ == "__main__":
    main()
