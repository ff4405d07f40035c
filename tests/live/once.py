#!/usr/bin/env python3
"""`Idempotency-Key`: a request runs once, however often it is sent, by whatever connection and worker."""
import hashlib
import http.client
import http.server
import json
import shutil
import socket
import struct
import subprocess
import threading

from kit import HttpSystem, LineSystem, Router, Skip, case, event, main, reply_to, same, true, until

CONFIG = """
workers: {workers}
listeners: {{web: {{url: "http://127.0.0.1:0", anonymous: true}}}}
systems:
  pricing: {{url: "tcp://127.0.0.1:{pricing}"}}
  gone: {{accept: true, offline: refuse}}
  site: {{url: "http://127.0.0.1:{site}"}}
  desk: {{}}
  shop: {{}}
routes:
  stock: {{match: {{http: {{path: "/stock/{{sku}}"}}}}, to: pricing}}
  files: {{match: {{http: {{path: /files/**}}}}, proxy: site}}
security:
  identities:
    desk: {{system: desk, keys: {{a: {{hash: "sha256:{desk}"}}}}, allow: [send type/*, send system/*, call system/*]}}
    shop: {{system: shop, keys: {{a: {{hash: "sha256:{shop}"}}}}, allow: [send type/*, send system/*, call system/*]}}
"""
KEYS = {name: "itk_" + name + "a" * 39 for name in ("desk", "shop")}
TARGET = "/v1/systems/pricing/messages"


class Pricing(LineSystem):
    """Answers what it is asked when `gate` is open."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        super().__init__()

    def take(self, file, got):
        self.got.append(got)
        if got.get("messagetype") in ("request", "query"):
            threading.Thread(target=self.tell, args=(file, got), daemon=True).start()

    def tell(self, file, got):
        self.gate.wait(20)
        try:
            file.write(json.dumps(reply_to(got, {"eur": 9.5, "asked": got.get("data")})).encode() + b"\n")
            file.flush()
        except (OSError, ValueError):
            pass


class Site(HttpSystem):
    def __init__(self):
        self.got = got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                got.append(self.headers.get("Idempotency-Key"))
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler)


class All:
    def __init__(self, workers=4):
        self.pricing, self.site = Pricing(), Site()
        self.router = Router(CONFIG.format(workers=workers, pricing=self.pricing.port, site=self.site.port,
                                           **{name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}))

    def __enter__(self):
        self.router.__enter__()
        return self.router, self.pricing, self.site

    def __exit__(self, *what):
        self.pricing.gate.set()
        self.router.__exit__(*what)
        self.pricing.close()
        self.site.close()


def send_at_once(router, key, body=b"7", target=TARGET, **headers):
    return router.http("POST", target, body, Idempotency_Key=key, **{"Content_Type": "text/plain", **headers})


def send(*arguments, **more):
    """As a client does: again while it is said to run. The key's own worker hears of an end a moment after the sender."""
    return until(lambda: (reply := send_at_once(*arguments, **more)).status != 409 and reply, "its end is known")


def again(reply):
    return reply.getheader("Intertie-Duplicate") == "true"


def reason(reply):
    return json.loads(reply.body)["reason"]


@case
def an_event_is_taken_once_and_answered_alike():
    with All() as (router, pricing, _):
        first = send(router, '"k1"')
        same((first.status, again(first)), (202, False))
        for _ in range(8):
            reply = send(router, '"k1"')
            same((reply.status, again(reply), reply.getheader("Intertie-Id")), (202, True, first.getheader("Intertie-Id")))
        reply = send(router, "k1")  # bare, it is the same key
        same((reply.status, again(reply)), (202, True))
        until(lambda: pricing.got, "it arrives")
        send(router, '"k2"')
        until(lambda: len(pricing.got) == 2, "the next arrives")
        same([got["idempotencykey"] for got in pricing.got], ["k1", "k2"])


@case
def curl_sees_it():
    if not shutil.which("curl"):
        raise Skip("no curl")
    with All() as (router, _, _):
        def curl(*more):
            return subprocess.run(["curl", "-si", f"http://127.0.0.1:{router.ports['web']}{TARGET}", "-H",
                                   'Idempotency-Key: "8e03978e"', "-H", "Content-Type: text/plain", "-d", *more],
                                  capture_output=True, text=True, timeout=30).stdout
        true("Intertie-Duplicate" not in curl("blink"), "the first is no duplicate")
        until(lambda: "\nIntertie-Duplicate: true" in curl("blink"), "the second is")
        true(curl("other").startswith("HTTP/1.1 422 "), "another body is a conflict")


@case
def a_request_that_runs_is_409_and_its_reply_comes_again():
    with All() as (router, pricing, _):
        pricing.gate.clear()
        ask = json.dumps(event("request", "t", {"n": 1}))
        replies = []
        asker = threading.Thread(target=lambda: replies.append(
            send(router, '"r1"', ask, Content_Type="application/cloudevents+json", Prefer="wait=12")))
        asker.start()
        until(lambda: pricing.got, "it arrives")
        for _ in range(4):
            reply = send_at_once(router, '"r1"', ask, Content_Type="application/cloudevents+json", Prefer="wait=12")
            same((reply.status, reason(reply), reply.getheader("Retry-After")), (409, "in-progress", "1"))
        reply = send(router, '"r1"', b"other")
        same((reply.status, reason(reply)), (422, "idempotency-conflict"))
        pricing.gate.set()
        asker.join(20)
        same(replies[0].status, 200)
        reply = send(router, '"r1"', ask, Content_Type="application/cloudevents+json", Prefer="wait=12")
        same((reply.status, again(reply), reply.body), (200, True, replies[0].body))
        same(reply.getheader("Preference-Applied"), "wait=12")
        same((replies[0].getheader("Preference-Applied"), len(pricing.got)), ("wait=12", 1))


@case
def rest_routes_have_keys_where_methods_are_not_repeatable():
    with All() as (router, pricing, _):
        first = send(router, '"s1"', target="/stock/7")
        same((first.status, again(first)), (200, False))
        reply = send(router, '"s1"', target="/stock/7")
        same((reply.status, again(reply), reply.body), (200, True, first.body))
        same((len(pricing.got), pricing.got[0]["idempotencykey"]), (1, "s1"))
        same(send(router, '"s1"', target="/stock/8").status, 422)
        for _ in range(2):
            reply = router.http("GET", "/stock/7", Idempotency_Key='"s1"')
            same((reply.status, again(reply)), (200, False))
        same(len(pricing.got), 3)


@case
def a_batch_is_one_request():
    with All() as (router, pricing, _):
        body = json.dumps([event("event", "t", {"n": n}, target="pricing") for n in range(3)] + [{"id": "bad"}])
        ask = {"target": "/v1/messages", "Content_Type": "application/cloudevents-batch+json"}
        first = send(router, '"b1"', body, **ask)
        same((first.status, [row["status"] for row in json.loads(first.body)]), (200, [202, 202, 202, 400]))
        reply = send(router, '"b1"', body, **ask)
        same((reply.status, again(reply), reply.body), (200, True, first.body))
        until(lambda: len(pricing.got) == 3, "all arrive")


@case
def keys_belong_to_who_uses_them():
    with All() as (router, pricing, _):
        for who in ({}, {"Authorization": "Bearer " + KEYS["desk"]}, {"Authorization": "Bearer " + KEYS["shop"]}):
            reply = send(router, '"mine"', **who)
            same((reply.status, again(reply), reply.body), (202, False, b""))
        same(again(send(router, '"mine"', Authorization="Bearer " + KEYS["shop"])), True)
        until(lambda: len(pricing.got) == 3, "one of each")


@case
def of_many_at_the_same_moment_one_runs():
    with All() as (router, pricing, _):
        for key in range(8):
            got, start = [], threading.Barrier(24)

            def ask():
                start.wait()
                got.append(send_at_once(router, f'"c{key}"'))
            threads = [threading.Thread(target=ask) for _ in range(24)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            same(len(got), 24)
            same(len([reply for reply in got if reply.status == 202 and not again(reply)]), 1, "of one key run")
            for reply in got:
                true(reply.status == 202 or (reply.status, reason(reply)) == (409, "in-progress"), f"{reply.status}")
        until(lambda: len(pricing.got) >= 8, "all arrive")
        same(sorted(got["idempotencykey"] for got in pricing.got), [f"c{key}" for key in range(8)])


@case
def a_malformed_key_is_400_and_255_characters_fit():
    with All() as (router, _, _):
        for key in ('"open', '""', '"a", "b"', "a b", '"' + 256 * "x" + '"', 256 * "x"):
            reply = send(router, key)
            same((reply.status, reason(reply)), (400, "malformed-event"), key)
        same(send(router, '"' + 255 * "x" + '"').status, 202)
        same(again(send(router, 255 * "x")), True)


@case
def what_was_not_taken_is_not_kept():
    with All() as (router, _, _):
        for _ in range(3):
            for key, target, status in (('"g1"', "gone", 503), ('"g2"', "nobody", 404)):
                reply = send(router, key, target=f"/v1/systems/{target}/messages")
                same((reply.status, again(reply)), (status, False))


@case
def who_left_before_the_answer_gets_it_by_the_key():
    with All() as (router, pricing, _):
        pricing.gate.clear()
        peer = socket.create_connection(("127.0.0.1", router.ports["web"]), 10)
        ask = json.dumps(event("request", "t", {"n": 1})).encode()
        peer.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n"
                     b'Idempotency-Key: "l1"\r\nContent-Length: %d\r\n\r\n' % (TARGET.encode(), len(ask)) + ask)
        until(lambda: pricing.got, "it arrives")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        pricing.gate.set()
        reply = send(router, '"l1"', ask, Content_Type="application/cloudevents+json")
        same((reply.status, again(reply), json.loads(reply.body)["data"]["eur"], len(pricing.got)), (200, True, 9.5, 1))


@case
def streamed_routes_leave_the_field_to_the_service():
    with All() as (router, _, site):
        for key in ('"p1"', '"p1"', '"open'):
            reply = send(router, key, target="/files/a")
            same((reply.status, again(reply)), (201, False))
        same(site.got, ['"p1"', '"p1"', '"open'])


@case
def past_2500_of_an_identity_its_oldest_is_forgotten_and_counted():
    with All(workers=1) as (router, pricing, _):
        connection = http.client.HTTPConnection("127.0.0.1", router.ports["web"], timeout=30)

        def post(key):
            connection.request("POST", TARGET, b"7", {"Idempotency-Key": f'"{key}"', "Content-Type": "text/plain"})
            reply = connection.getresponse()
            reply.read()
            same(reply.status, 202)
            return again(reply)

        def evicted():
            text = router.http("GET", "/metrics", port=router.admin).body.decode()
            return [line for line in text.splitlines() if 'limit="idempotency-keys"' in line]
        same(again(send(router, '"n0"', Authorization="Bearer " + KEYS["desk"])), False)
        for n in range(2500):
            same(post(f"n{n}"), False)
        same((post("n0"), evicted()), (True, []))
        same(post("n2500"), False)
        same((post("n1"), post("n0")), (True, False))
        same(again(send(router, '"n0"', Authorization="Bearer " + KEYS["desk"])), True)
        until(lambda: [line.split()[-1] for line in evicted()] == ["2"], "two are counted")
        connection.close()


if __name__ == "__main__":
    main()
