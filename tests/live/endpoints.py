#!/usr/bin/env python3
"""Which endpoint gets a message: one that fails is ejected, breakers hold and try, a second tier waits, and three endpoints
under load of which one is killed and one frozen lose nothing."""
import collections
import http.server
import signal
import tempfile
import threading
import time

from kit import HttpSystem, Router, case, cases, event, main, same, true, until
from resilience import Endpoint

cases.clear()  # those of the other file


def counting(name, counts, status=lambda: 202):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            counts[name] += 1
            self.send_response(status())
            self.send_header("Content-Length", "0")
            self.end_headers()

    return HttpSystem(Handler)


def config_of(systems, policy):
    lines = ", ".join(f'{name}: {{url: "http://127.0.0.1:{port}"{more}}}' for name, (port, more) in systems.items())
    return f"""
workers: 1
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems: {{far: {{{policy}, endpoints: {{{lines}}}}}}}
"""


def say(router, count):
    for i in range(count):
        same(router.post(event("event", "com.example.x", {"n": i}, target="far")).status, 202)


@case
def one_that_fails_is_ejected_and_comes_back():
    counts, health = collections.Counter(), {"bad": 500}
    good, bad = counting("good", counts), counting("bad", counts, lambda: health["bad"])
    config = config_of({"good": (good.port, ""), "bad": (bad.port, "")},
                       "balance: {by: least_request}, outlier: {consecutive: 3, eject: 1s}, slow_start: {over: 100ms}, "
                       "redeliver: {backoff: 1ms..5ms}")
    with Router(config) as router:
        say(router, 30)
        until(lambda: router.ended("delivered", "ok") == 30, "all arrived")
        true(3 <= counts["bad"] <= 6, f"it was left alone: {counts}")
        true("failures in a row" in router.log() and "far/bad" in router.log(), "the log says so")
        health["bad"] = 202
        until(lambda: (say(router, 5), counts["bad"] > 12)[1], "it is back", 20)
    good.close()
    bad.close()


@case
def a_breaker_holds_what_a_lone_endpoint_would_refuse():
    counts, health = collections.Counter(), {"only": 503}
    only = counting("only", counts, lambda: health["only"])
    config = config_of({"only": (only.port, "")}, "breaker: {failures: 2, open: 500ms, open_max: 500ms}, "
                                                  "redeliver: {backoff: 1ms..5ms, attempts: 250}")
    with Router(config) as router:
        say(router, 10)
        time.sleep(1.5)
        true(counts["only"] <= 12, f"it is spared: {counts}")
        health["only"] = 202
        until(lambda: router.ended("delivered", "ok") == 10, "all arrived")
    only.close()


@case
def weights_are_kept_and_the_second_tier_waits():
    counts = collections.Counter()
    a, b, dr = (counting(name, counts) for name in ("a", "b", "dr"))
    config = config_of({"a": (a.port, ", weight: 3"), "b": (b.port, ""), "dr": (dr.port, ", tier: 1")}, "balance: {by: round_robin}")
    with Router(config) as router:
        say(router, 10)
        time.sleep(0.2)
        counts.clear()
        say(router, 80)
        until(lambda: router.ended("delivered", "ok") == 90, "all arrived")
        same(counts["dr"], 0, "the second tier")
        true(50 <= counts["a"] <= 70, f"three of four: {counts}")
    for system in (a, b, dr):
        system.close()


@case
def three_of_which_one_dies_and_one_freezes_lose_nothing():
    with tempfile.TemporaryDirectory() as folder:
        all_three = [Endpoint(folder, name) for name in "abc"]
        a, b, _ = all_three
        config = config_of({name: (e.port, "") for name, e in zip("abc", all_three)},
                           "balance: {by: ewma}, outlier: {consecutive: 3, eject: 500ms}, breaker: {open: 200ms}, "
                           "timeouts: {attempt: 500ms}, redeliver: {backoff: 20ms..200ms, attempts: 200}")
        sent, over = [], threading.Event()

        def send(router):
            while not over.is_set():
                made = event("event", "com.example.x", {"n": len(sent)}, target="far")
                if router.post(made).status == 202:
                    sent.append(made["id"])
                time.sleep(0.002)

        try:
            with Router(config) as router:
                senders = [threading.Thread(target=send, args=(router,)) for _ in range(3)]
                for sender in senders:
                    sender.start()
                for _ in range(2):
                    time.sleep(0.3)
                    a.kill()
                    time.sleep(0.3)
                    b.signal(signal.SIGSTOP)
                    time.sleep(1)
                    b.signal(signal.SIGCONT)
                    a.start()
                over.set()
                for sender in senders:
                    sender.join()
                wanted = set(sent)
                true(len(wanted) > 100, "there was load: %d" % len(wanted))
                until(lambda: wanted <= {name for e in all_three for name, _ in e.got()}, "every message arrived", 60)
                until(lambda: router.system("far")["held"] == 0 and router.system("far")["in_flight"] == 0, "it is at rest", 60)
                same(router.status()["messages"]["endings"]["delivered"].get("ok", 0), len(wanted), "endings")
        finally:
            over.set()
            for endpoint in all_three:
                endpoint.signal(signal.SIGCONT)
                endpoint.kill()


if __name__ == "__main__":
    main()
