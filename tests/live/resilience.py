#!/usr/bin/env python3
"""Attempts that fail: endpoints are killed, frozen and cut off under load, and every message is accounted for; what is dead
is looked at and sent again by `intertie dlq`, as a user would."""
import collections
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time

from kit import HttpSystem, Router, case, event, main, same, true, until

SERVER = r"""
import http.server, sys
log = open(sys.argv[2], "a", buffering=1)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        log.write(self.headers["ce-id"] + " " + self.headers.get("ce-deliveryattempt", "1") + "\n")
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
    request_queue_size = 128
server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class Endpoint:
    """An HTTP server in a process of its own, that notes ids and attempts in a file: what it got survives its death."""

    def __init__(self, folder, name):
        self.path, self.port, self.child = os.path.join(folder, name), 0, None
        self.start()

    def start(self):
        self.child = subprocess.Popen([sys.executable, "-c", SERVER, str(self.port), self.path], stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline())

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()

    def signal(self, number):
        self.child.send_signal(number)

    def got(self):
        with open(self.path, encoding="ascii") as file:
            return [tuple(line.split()) for line in file.read().split("\n") if " " in line]


def handler(answer):
    """`answer(self, body)` returns status, headers and body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            status, headers, body = answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(status)
            for name, value in dict(headers, **{"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def letters(router, **filters):
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return json.loads(router.http("GET", "/api/v1/dead-letters?" + query, port=router.admin).body)["dead_letters"]


@case
def endpoints_that_die_and_freeze_lose_nothing():
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        a, b = Endpoint(folder, "a"), Endpoint(folder, "b")
        config = f"""
workers: 2
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems:
  stock:
    endpoints: {{a: {{url: "http://127.0.0.1:{a.port}"}}, b: {{url: "http://127.0.0.1:{b.port}"}}}}
    timeouts: {{attempt: 500ms}}
    redeliver: {{backoff: 20ms..200ms, attempts: 200}}
"""
        sent, over = [], threading.Event()

        def send(router):
            while not over.is_set():
                made = event("event", "com.example.stock", {"n": len(sent)}, target="stock")
                if router.post(made).status == 202:
                    sent.append(made["id"])
                time.sleep(0.002)

        try:
            with Router(config) as router:
                senders = [threading.Thread(target=send, args=(router,)) for _ in range(3)]
                for sender in senders:
                    sender.start()
                for _ in range(3):
                    time.sleep(0.3)
                    a.kill()
                    time.sleep(0.3)
                    a.start()
                    b.signal(signal.SIGSTOP)
                    time.sleep(0.8)
                    b.signal(signal.SIGCONT)
                over.set()
                for sender in senders:
                    sender.join()
                wanted = set(sent)
                true(len(wanted) > 100, "there was load: %d" % len(wanted))
                until(lambda: wanted <= {name for name, _ in a.got() + b.got()}, "every message arrived", 60)
                until(lambda: router.system("stock")["held"] == 0 and router.system("stock")["in_flight"] == 0, "it is at rest", 60)
                times = collections.defaultdict(list)
                for name, attempt in a.got() + b.got():
                    times[name].append(int(attempt))
                for name, attempts in times.items():
                    same(len(set(attempts)), len(attempts), f"{name}: each copy is an attempt of its own: {attempts}")
                same(set(times), wanted, "nobody else's")
                same(letters(router), [], "dead letters")
                endings = router.status()["messages"]["endings"]
                same(endings["delivered"].get("ok", 0), len(wanted), "endings")
                metrics = router.http("GET", "/metrics", port=router.admin).body.decode()
                true('intertie_retries_total{system="stock"' in metrics, "retries are counted")
        finally:
            over.set()
            for endpoint in (a, b):
                endpoint.signal(signal.SIGCONT)
                endpoint.kill()


@case
def a_recipient_that_says_when_is_asked_then():
    seen = []

    def answer(request, _):
        seen.append((time.monotonic(), request.headers.get("ce-deliveryattempt")))
        return (503, {"Retry-After": "1"}, b"") if len(seen) == 1 else (202, {}, b"")

    system = HttpSystem(handler(answer))
    config = f"""
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems: {{slow: {{url: "http://127.0.0.1:{system.port}", redeliver: {{backoff: 1ms..2ms}}}}}}
"""
    with Router(config) as router:
        same(router.post(event("event", "com.example.x", {}, target="slow")).status, 202)
        until(lambda: router.ended("delivered", "ok") == 1, "delivered")
    same([attempt for _, attempt in seen], [None, "2"])
    true(seen[1][0] - seen[0][0] >= 0.95, "it was not asked before")
    system.close()


@case
def a_query_is_asked_elsewhere_and_a_request_is_not_repeated():
    asked = collections.Counter()

    def bad(request, _):
        asked[request.headers["ce-type"]] += 1
        return 500, {}, b"no"

    def good(request, _):
        asked["good"] += 1
        return 200, {"Content-Type": "application/json"}, b'{"price":1}'

    one, two = HttpSystem(handler(bad)), HttpSystem(handler(good))
    config = f"""
workers: 1
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems:
  prices: {{endpoints: {{bad: {{url: "http://127.0.0.1:{one.port}"}}, good: {{url: "http://127.0.0.1:{two.port}"}}}}}}
  broken: {{url: "http://127.0.0.1:{one.port}"}}
  again: {{url: "http://127.0.0.1:{one.port}", idempotent: true}}
"""
    with Router(config) as router:
        for _ in range(4):
            same(router.post(event("query", "com.example.q", {}, target="prices")).status, 200, "a query")
        true(asked["com.example.q"] >= 1, "the bad one was asked too")
        same(router.post(event("request", "com.example.r", {}, target="broken")).status, 502, "a request")
        same(asked["com.example.r"], 1, "so often it was asked")
        same(router.post(event("request", "com.example.i", {}, target="again")).status, 502, "an idempotent one")
        same(asked["com.example.i"], 3, "so often it was asked")
        same(letters(router), [], "who waited was told: no letter")
    one.close()
    two.close()


@case
def dead_letters_are_listed_shown_sent_again_and_thrown_away():
    well = threading.Event()
    got = []

    def answer(request, body):
        if not well.is_set():
            return 503, {"Content-Type": "text/plain"}, b"database is down"
        got.append(request.headers["ce-id"])
        return 202, {}, b""

    system = HttpSystem(handler(answer))
    config = f"""
workers: 2
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems:
  billing: {{endpoints: {{b: {{url: "http://127.0.0.1:{system.port}"}}}}, redeliver: {{attempts: 3, backoff: 5ms..10ms}}}}
  other: {{url: "http://127.0.0.1:{system.port}"}}
routes:
  invoices: {{match: {{type: com.acme.invoice}}, to: billing}}
  scales: {{match: {{type: com.acme.scales}}, to: billing, dead_letter: false}}
"""
    with Router(config) as router:
        same(router.intertie("dlq", "list").stderr, "no dead letter\n")
        made = [event("event", "com.acme.invoice", {"n": i}) for i in range(3)]
        receipts = [router.post(one).getheader("Intertie-Id") for one in made]
        same(router.post(event("event", "com.acme.scales", {})).status, 202)
        until(lambda: len(letters(router)) == 3 and router.ended("dropped", "retries-exhausted") == 1, "three are dead, one is dropped")
        listed = router.intertie("dlq", "list", "--system", "billing", "--since", "1h")
        lines = listed.stdout.splitlines()
        same(lines[0].split(), ["ID", "AGE", "REASON", "TRIES", "LAST"])
        same(sorted(line.split()[0] for line in lines[1:]), sorted(receipts))
        for line in lines[1:]:
            same(line.split()[2:], ["retries-exhausted", "3", "b:", "503", '"database', "is", 'down"'])
        same(len(router.intertie("dlq", "list", "--limit", "2").stdout.splitlines()), 3, "two and the head")
        shown = router.intertie("dlq", "show", receipts[0])
        true(made[0]["id"] in shown.stdout and '"n": 0' in shown.stdout and "invoices" in shown.stdout, "the event is shown: " + shown.stdout)
        one = json.loads(router.intertie("dlq", "show", receipts[0], "--json").stdout)["dead_letters"][0]
        same((one["system"], one["route"], one["attempts"], one["last"]),
             ("billing", "invoices", 3, {"endpoint": "b", "reason": "target-unavailable", "code": 503, "text": "database is down"}))
        dry = router.intertie("dlq", "redrive", "--system", "billing", "--since", "1h", "--dry-run")
        same(dry.stdout, "would send 3 messages to billing at 100/s; none has come back before\n")
        same(router.intertie("dlq", "redrive", receipts[0]).stdout, "sending 1 message to its system at 100/s; none has come back before\n")
        until(lambda: [x["redriven"] for x in letters(router, ids=receipts[0])] == [1], "it came back")
        for times in (2, 3):
            router.intertie("dlq", "redrive", receipts[0])
            until(lambda: [x["redriven"] for x in letters(router, ids=receipts[0])] == [times], "it came back again")
        refused = router.intertie("dlq", "redrive", receipts[0])
        true("sending 0 messages" in refused.stdout and "--force" in refused.stderr, "the guard: " + refused.stdout + refused.stderr)
        well.set()
        same(router.intertie("dlq", "redrive", "--system", "billing", "--rate", "50/s").returncode, 0)
        until(lambda: len(letters(router)) == 1, "the others are gone")
        until(lambda: sorted(got) == sorted(one["id"] for one in made[1:]), "and arrived")
        same(router.intertie("dlq", "redrive", receipts[0], "--force", "--to", "other").returncode, 0)
        until(lambda: sorted(got) == sorted(one["id"] for one in made), "by force, elsewhere")
        well.clear()
        router.post(event("event", "com.acme.invoice", {}))
        until(lambda: len(letters(router)) == 1, "one more")
        unsure = router.intertie("dlq", "purge", "--system", "billing")
        same((unsure.returncode, unsure.stdout), (1, "would throw away 1 dead letter\n"))
        same(router.intertie("dlq", "purge", "--system", "billing", "--yes").stdout, "threw away 1 dead letter\n")
        same(letters(router), [])
        same(router.intertie("dlq", "redrive", "--to", "nobody").returncode, 4)
        same(router.intertie("dlq", "list", "--system", "a b").returncode, 2)
        same(router.http("PUT", "/api/v1/dead-letters", port=router.admin).status, 405)
        same(router.http("GET", "/api/v1/dead-letters?since=soon", port=router.admin).status, 400)
        same(router.http("GET", "/api/v1/dead-letters/none", port=router.admin).status, 404)
    system.close()


@case
def a_system_may_get_what_is_dead():
    graves = []

    def bury(_, body):
        made = json.loads(body)
        graves.append({name: made.get(name) for name in ("id", "dlreason", "dltarget", "dlcode", "dlattempts", "dldetail")})
        return 202, {}, b""

    sick, morgue = HttpSystem(handler(lambda *_: (422, {}, b"no such sku"))), HttpSystem(handler(bury))
    config = f"""
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems: {{sick: "http://127.0.0.1:{sick.port}", morgue: {{url: "http://127.0.0.1:{morgue.port}", mode: structured}}}}
routes: {{r: {{match: {{type: com.example.*}}, to: sick, dead_letter: morgue}}}}
"""
    with Router(config) as router:
        made = event("event", "com.example.x", {}, dlreason="forged")
        same(router.post(made).status, 202)
        until(lambda: graves, "it is there")
        same(graves, [{"id": made["id"], "dlreason": "rejected-by-recipient", "dltarget": "sick", "dlcode": 422, "dlattempts": 1,
                       "dldetail": "no such sku"}])
        same(letters(router), [])
    sick.close()
    morgue.close()


if __name__ == "__main__":
    main()
