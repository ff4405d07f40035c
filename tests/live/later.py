#!/usr/bin/env python3
"""Who only makes requests and does not wait: `Prefer: wait`, `Prefer: respond-async`, and the reply fetched by its receipt."""
import hashlib
import json
import subprocess
import threading
import time

from kit import LineSystem, Router, case, event, main, reply_to, same, true, until

CONFIG = """
workers: 4
listeners: {{web: {{url: "http://127.0.0.1:0", async: {{keep: {keep}, replies: {replies}}}}}}}
systems:
  pricing: {{url: "tcp://127.0.0.1:{port}", timeouts: {{request: 3s}}}}
  gone: {{url: "tcp://127.0.0.1:1", offline: hold, timeouts: {{request: 1s, queue: 1s}}}}
  kiosk: {{accept: true}}
"""
TARGET = "/v1/systems/pricing/messages"


class Pricing(LineSystem):
    """Answers what it is asked when `gate` opens."""

    def __init__(self):
        self.gate = threading.Event()
        super().__init__()

    def take(self, file, got):
        self.got.append(got)
        threading.Thread(target=self.tell, args=(file, got), daemon=True).start()

    def tell(self, file, got):
        self.gate.wait(20)
        try:
            file.write(json.dumps(reply_to(got, {"eur": 9.5, "asked": got.get("data")})).encode() + b"\n")
            file.flush()
        except (OSError, ValueError):
            pass


class Both:
    def __init__(self, keep="1m", replies=10000):
        self.pricing = Pricing()
        self.router = Router(CONFIG.format(port=self.pricing.port, keep=keep, replies=replies))

    def __enter__(self):
        self.router.__enter__()
        return self.router, self.pricing

    def __exit__(self, *what):
        self.pricing.gate.set()
        self.router.__exit__(*what)
        self.pricing.close()


def head(reply, name):
    return reply.getheader(name)


def promised(router, body=b"5", prefer="respond-async", target=TARGET, **headers):
    reply = router.http("POST", target, body, Prefer=prefer, **{"Content_Type": "text/plain", **headers})
    same((reply.status, head(reply, "Preference-Applied"), reply.body), (202, "respond-async", b""))
    same(head(reply, "Location"), f"/v1/messages/{head(reply, 'Intertie-Id')}/reply")
    return head(reply, "Location")


@case
def a_plain_body_with_a_wait_is_a_request_and_waits_no_longer():
    with Both() as (router, pricing):
        start = time.monotonic()
        reply = router.http("POST", TARGET, b"sku 7", Content_Type="text/plain", Prefer="wait=1")
        same((reply.status, head(reply, "Preference-Applied"), json.loads(reply.body)["reason"]), (504, "wait=1", "reply-timeout"))
        true(time.monotonic() - start < 2.9, "it waited for timeouts.request")
        same((pricing.got[0]["messagetype"], pricing.got[0]["type"]), ("request", "intertie.http.message.v1"))
        pricing.gate.set()
        reply = router.http("POST", TARGET, b"sku 7", Content_Type="text/plain", Prefer='foo; bar="a, wait=9", wait="100"')
        same((reply.status, head(reply, "Preference-Applied")), (200, "wait=100"))
        same((json.loads(reply.body)["eur"], head(reply, "ce-type")), (9.5, "com.example.price"))
        # a preference that makes no sense is none; nor is there one in an event that asks nothing
        reply = router.http("POST", TARGET, b"x", Content_Type="text/plain", Prefer="wait=soon")
        same((reply.status, head(reply, "Preference-Applied")), (202, None))
        reply = router.post(event("event", "t", {}), TARGET, Prefer="wait=5, respond-async")
        same((reply.status, head(reply, "Preference-Applied"), head(reply, "Location")), (202, None, None))


@case
def a_wait_never_makes_it_longer():
    with Both() as (router, _):
        start = time.monotonic()
        reply = router.post({**event("query", "t", {}), "id": "q1"}, TARGET, Prefer="wait=60")
        same(reply.status, 504)
        true(time.monotonic() - start < 20, "the system's own timeout no longer counts")


@case
def the_reply_is_fetched_as_it_would_have_been_answered():
    with Both() as (router, pricing):
        plain = promised(router)
        structured = promised(router, json.dumps({**event("query", "t", {"n": 1}), "id": "q1"}), Content_Type="application/cloudevents+json")
        for place in (plain, structured):
            reply = router.http("GET", place)
            same((reply.status, head(reply, "Retry-After"), head(reply, "Cache-Control")), (202, "1", "no-store"))
            same(head(reply, "Intertie-Id"), place.split("/")[3])
        pricing.gate.set()
        for _ in range(8):  # by whatever worker
            reply = router.http("GET", plain + "?wait=10s")
            same((reply.status, head(reply, "ce-messagetype"), json.loads(reply.body)["eur"]), (200, "response", 9.5))
            same(head(reply, "Cache-Control"), "no-store")
            reply = router.http("GET", structured + "?wait=10s")
            same((reply.status, head(reply, "Content-Type")), (200, "application/cloudevents+json"))
            got = json.loads(reply.body)
            same((got["causationid"], got["correlationid"], got["data"]["asked"]), ("q1", "q1", {"n": 1}))
        reply = router.http("GET", plain, Accept="application/cloudevents+json")
        same(json.loads(reply.body)["messagetype"], "response")
        reply = router.http("GET", structured, Accept="application/cloudevents+protobuf")
        same(head(reply, "Content-Type"), "application/cloudevents+protobuf")
        direct = router.post({**event("query", "t", {"n": 1}), "id": "q1"}, TARGET)
        fetched = json.loads(router.http("GET", structured).body)
        same(json.loads(direct.body), fetched)


@case
def a_long_poll_is_answered_when_the_reply_comes():
    with Both() as (router, pricing):
        places = [promised(router, str(n).encode()) for n in range(12)]
        got = {}

        def fetch(place):
            got[place] = router.http("GET", place + "?wait=30s")

        waiting = [threading.Thread(target=fetch, args=(place,)) for place in places for _ in range(2)]
        for one in waiting:
            one.start()
        until(lambda: len(pricing.got) == 12, "not all came")
        time.sleep(0.2)
        true(not got, "a fetch was answered before there was a reply")
        pricing.gate.set()
        for one in waiting:
            one.join(20)
        for place, reply in got.items():
            same((reply.status, head(reply, "Intertie-Id")), (200, place.split("/")[3]))
        same(len(got), 12)


@case
def an_ending_without_a_reply_is_kept_as_its_problem():
    with Both() as (router, _):
        place = promised(router)
        reply = router.http("GET", place + "?wait=10s")
        problem = json.loads(reply.body)
        same((reply.status, problem["reason"], problem["id"]), (504, "reply-timeout", place.split("/")[3]))
        same(head(reply, "Content-Type"), "application/problem+json")
        place = promised(router, target="/v1/systems/gone/messages")
        reply = router.http("GET", place + "?wait=10s")
        true(reply.status in (503, 504), f"{reply.status} {reply.body}")
        # what could not be taken is refused as ever
        reply = router.http("POST", "/v1/systems/nobody/messages", b"x", Prefer="respond-async")
        same((reply.status, head(reply, "Location")), (404, None))


@case
def what_was_kept_is_gone_and_what_never_was_is_unknown():
    with Both(keep="1s") as (router, pricing):
        pricing.gate.set()
        place = promised(router)
        same(router.http("GET", place + "?wait=5s").status, 200)
        until(lambda: router.http("GET", place).status == 410, "it is kept for ever")
        same(json.loads(router.http("GET", place).body)["reason"], "gone")
        for id_, status in (("019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701", 404), ("rubbish", 404), ("019ab3d0-6c1e-7a44-8000-3f5be1a2c701", 404)):
            reply = router.http("GET", f"/v1/messages/{id_}/reply")
            same((reply.status, json.loads(reply.body)["reason"]), (status, "not-found"))
        for query in ("wait=5", "wait=6m", "wait="):
            same(router.http("GET", f"{place}?{query}").status, 400)
        reply = router.http("POST", place, b"")
        same((reply.status, head(reply, "Allow")), (405, "GET, OPTIONS"))
        reply = router.http("OPTIONS", place)
        same((reply.status, head(reply, "Allow")), (204, "GET, OPTIONS"))


@case
def of_too_many_the_oldest_is_gone():
    with Both(replies=5) as (router, pricing):
        pricing.gate.set()
        places = []
        for n in range(40):
            places.append(promised(router, str(n).encode()))
            same(router.http("GET", places[-1] + "?wait=5s").status, 200)
        statuses = [router.http("GET", place).status for place in places]
        true(statuses.count(200) <= 20 and statuses[-1] == 200, f"{statuses}")
        true(410 in statuses, f"{statuses}")


@case
def with_both_preferences_it_waits_a_little_first():
    with Both() as (router, pricing):
        start = time.monotonic()
        place = promised(router, prefer="respond-async, wait=1")
        true(time.monotonic() - start > 0.9, "it did not wait")
        pricing.gate.set()
        same(router.http("GET", place + "?wait=5s").status, 200)
        reply = router.http("POST", TARGET, b"x", Content_Type="text/plain", Prefer="respond-async, wait=10")
        same((reply.status, head(reply, "Preference-Applied"), head(reply, "Location")), (200, "wait=10", None))


@case
def only_the_same_identity_fetches_it():
    pricing = Pricing()
    pricing.gate.set()
    keys = {name: "itk_" + name + "a" * 39 for name in ("desk", "shop")}
    hashes = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in keys.items()}
    rows = "\n".join(f'    {name}: {{system: {name}, keys: {{main: {{hash: "sha256:{hashes[name]}"}}}}, allow: [call system/pricing]}}'
                     for name in keys)
    config = f"""
workers: 4
listeners: {{web: {{url: "http://127.0.0.1:0", auth: key}}}}
systems:
  pricing: {{url: "tcp://127.0.0.1:{pricing.port}"}}
  desk: {{}}
  shop: {{}}
security:
  identities:
{rows}
"""
    with Router(config) as router:
        desk, shop = (f"Bearer {keys[name]}" for name in ("desk", "shop"))
        place = promised(router, Authorization=desk)
        for _ in range(6):
            same(router.http("GET", place + "?wait=5s", Authorization=shop).status, 404)
            same(router.http("GET", place + "?wait=5s", Authorization=desk).status, 200)
        same(router.http("GET", place).status, 401)


@case
def curl_alone_is_enough():
    with Both() as (router, pricing):
        pricing.gate.set()
        base = f"http://127.0.0.1:{router.ports['web']}"
        sent = subprocess.run(["curl", "-si", f"{base}{TARGET}", "-H", "Prefer: respond-async", "-H", "Content-Type: text/plain", "-d", "sku 7"],
                              capture_output=True, text=True, timeout=20).stdout
        true(sent.startswith("HTTP/1.1 202 "), sent)
        place = next(line.split(": ")[1].strip() for line in sent.splitlines() if line.startswith("Location: "))
        got = subprocess.run(["curl", "-s", f"{base}{place}?wait=10s"], capture_output=True, text=True, timeout=20).stdout
        same(json.loads(got)["eur"], 9.5)


if __name__ == "__main__":
    main()
