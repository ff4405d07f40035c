#!/usr/bin/env python3
"""Routes to several systems: split, mirror, and trouble made on purpose, with real systems behind them."""
import collections
import http.server
import json
import os
import signal
import subprocess
import threading
import time

from kit import PROGRAM, HttpSystem, Router, case, event, main, same, true, until

HEAD = "workers: 2\nlisteners: {web: {url: http://127.0.0.1:0, anonymous: true}}\n"


class System:
    """Takes events, answers queries, and notes the header fields of all."""

    def __init__(self):
        self.received, received = [], []
        self.received = received

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received.append(dict(self.headers.items()))
                asks = self.headers.get("ce-messagetype") in ("query", "request")
                body = b'{"answer":1}' if asks else b""
                self.send_response(200 if asks else 202)
                if asks:
                    self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = HttpSystem(Handler)
        self.url = f"http://127.0.0.1:{self.server.port}/"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()


def samples(router, name):
    """Of one metric: labels as written -> value."""
    text = router.http("GET", "/metrics", port=router.admin).body.decode()
    return {line[len(name):].split(" ")[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)}


def ids(system):
    return [message["ce-id"] for message in system.received]


@case
def split_sends_each_message_once_and_keys_to_one_system():
    with System() as one, System() as two:
        config = HEAD + f"""
systems: {{one: "{one.url}", two: "{two.url}"}}
routes: {{r: {{match: {{}}, split: {{one: 80, two: 20}}}}}}
"""
        with Router(config) as router:
            sent = [event("event", "com.example.t", {"n": n}) for n in range(200)]
            for made in sent:
                same(router.post(made).status, 202)
            keyed = [event("event", "com.example.t", {"n": n}, partitionkey=f"k{n % 10}") for n in range(100)]
            for made in keyed:
                same(router.post(made).status, 202)
            until(lambda: len(one.received) + len(two.received) >= 300, "all arrived")
            same(sorted(ids(one) + ids(two)), sorted(m["id"] for m in sent + keyed), "each once")
            true(10 <= len(set(ids(two)) & {m["id"] for m in sent}) <= 75, "a fifth of them, roughly")
            where = collections.defaultdict(set)
            for name, system in (("one", one), ("two", two)):
                for message in system.received:
                    if "ce-partitionkey" in message:
                        where[message["ce-partitionkey"]].add(name)
            same([key for key, names in where.items() if len(names) != 1], [], "keys that moved")


@case
def a_mirror_that_is_slow_dead_or_talkative_is_not_noticed():
    with System() as real, System() as copy:
        config = HEAD + f"""
systems: {{real: "{real.url}", copy: "{copy.url}", gone: http://127.0.0.1:1}}
routes:
  a: {{match: {{type: a}}, to: real, mirror: {{to: copy}}}}
  b: {{match: {{type: b}}, to: real, mirror: {{to: gone}}}}
"""
        with Router(config) as router:
            for n in range(50):
                same(router.post(event("event", "a", {"n": n})).status, 202)
                same(router.post(event("event", "b", {"n": n})).status, 202)
            until(lambda: len(real.received) >= 100 and len(copy.received) >= 50, "all arrived")
            answer = router.post(event("query", "a", {"q": 1}))
            same(answer.status, 200)
            until(lambda: len(copy.received) >= 51, "the mirror was asked, too")
            until(lambda: samples(router, "intertie_mirror_copies_total").get('{result="replied"}') == 1, "its reply was counted")
            same(len(real.received), 101, "nothing twice")
            until(lambda: samples(router, "intertie_mirror_copies_total")['{result="made"}'] == 101, "copies were counted")
            letters = json.loads(router.http("GET", "/api/v1/dead-letters", port=router.admin).body)["dead_letters"]
            same(letters, [], "dead letters")


FAULTS = """
routes:
  slow: {match: {type: slow}, to: real, fault: {delay: 300ms}}
  bad: {match: {type: bad}, to: real, fault: {abort: overloaded}}
  both: {match: {type: both}, to: real, fault: {delay: 200ms, abort: too-large}}
"""


@case
def trouble_is_made_on_purpose_and_loudly():
    with System() as real:
        with Router(HEAD + f'systems: {{real: "{real.url}"}}' + FAULTS, "--allow-faults") as router:
            start = time.monotonic()
            same(router.post(event("event", "slow", {})).status, 202)
            true(time.monotonic() - start >= 0.3, "it was delayed")
            answer = router.post(event("event", "bad", {}))
            same((answer.status, json.loads(answer.body)["reason"]), (503, "overloaded"))
            start = time.monotonic()
            same(router.post(event("query", "both", {})).status, 413)
            true(time.monotonic() - start >= 0.2, "it was delayed, too")
            until(lambda: len(real.received) == 1, "the slow one arrived")
            until(lambda: [samples(router, "intertie_faults").get(f'_total{{kind="{kind}"}}') for kind in ("delay", "abort")] == [2, 2], "counted")
            same(samples(router, "intertie_faults_allowed")[""], 1.0)
            # one that is delayed when the router stops is not lost: its sender hears that it was taken
            told = []
            thread = threading.Thread(target=lambda: told.append(router.post(event("event", "slow", {})).status))
            thread.start()
            time.sleep(0.1)
            router.child.send_signal(signal.SIGTERM)
            thread.join()
            same(told, [202], "told")
            router.child.wait(30)
            same(len(real.received), 2, "delivered while it drained")
            same(router.log().count("a route makes trouble on purpose"), 3, "warnings")


@case
def trouble_on_purpose_is_refused_without_the_flag():
    with System() as real:
        good = HEAD + f'systems: {{real: "{real.url}"}}\n'
        bad = good + FAULTS
        with Router(good + "routes: {r: {match: {}, to: real}}\n") as router:
            for command in ("validate", "run"):
                path = os.path.join(router.folder.name, "bad.yaml")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(bad)
                done = subprocess.run([PROGRAM, command, path], capture_output=True, text=True, timeout=60)
                same(done.returncode, 78, command)
                true("refused without `--allow-faults`" in done.stderr, done.stderr)
            done = subprocess.run([PROGRAM, "validate", "--allow-faults", path], capture_output=True, text=True, timeout=60)
            same(done.returncode, 0, done.stderr)
            true("makes trouble on purpose" in done.stderr, "a warning")
            with open(router.path, "w", encoding="utf-8") as file:
                file.write(router.head + bad)
            answer = router.http("POST", "/api/v1/reload", "", port=router.admin)
            true(answer.status >= 400 and b"allow-faults" in answer.body, answer.body)
            same(router.post(event("event", "slow", {})).status, 202)
            same(samples(router, "intertie_faults_allowed")[""], 0.0)


if __name__ == "__main__":
    main()
