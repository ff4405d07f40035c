#!/usr/bin/env python3
"""Systems that stand in for each other: real processes are killed, frozen and brought back under load, and every message
and every answer is counted."""
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from kit import Router, case, event, main, same, true, until

SERVER = r"""
import http.server, sys
log = open(sys.argv[2], "a", buffering=1)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        log.write(self.headers["ce-id"] + " " + self.headers.get("ce-deliveryattempt", "1") + "\n")
        asks = self.headers.get("ce-messagetype") == "query"
        body = sys.argv[3].encode() if asks else b""
        self.send_response(200 if asks else 202)
        if asks:
            self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
    request_queue_size = 128
    def handle_error(self, *_):
        pass
server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class System:
    """An HTTP server in a process of its own, that notes ids and attempts in a file: what it got survives its death."""

    def __init__(self, folder, name):
        self.path, self.name, self.port, self.child = os.path.join(folder, name), name, 0, None
        self.start()

    def start(self):
        self.child = subprocess.Popen([sys.executable, "-c", SERVER, str(self.port), self.path, self.name], stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline())

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()

    def got(self):
        with open(self.path, encoding="ascii") as file:
            return [line.split()[0] for line in file.read().split("\n") if " " in line]


class Senders:
    """Threads that send until they are told to stop; each message that was accepted, and each answer, is kept."""

    def __init__(self, router, count, make):
        self.router, self.make, self.over = router, make, threading.Event()
        self.sent, self.answers, self.lock = [], [], threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        n = 0
        while not self.over.is_set():
            with self.lock:
                made = self.make(number, n)
            n += 1
            answer = self.router.post(made)
            with self.lock:
                self.answers.append((answer.status, json.loads(answer.body).get("data") if made["messagetype"] == "query" else None))
                if answer.status in (200, 202):
                    self.sent.append(made["id"])
            time.sleep(0.002)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def config(a, b, more=""):
    return f"""
workers: 2
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems:
  a: {{url: "http://127.0.0.1:{a.port}"}}
  b: {{url: "http://127.0.0.1:{b.port}"}}
policies: {{default: {{timeouts: {{attempt: 500ms, connect: 1s}}, redeliver: {{backoff: 20ms..100ms, attempts: 100}}{more}}}}}
routes: {{r: {{match: {{}}, failover: [a, b]}}}}
"""


def samples(router, name):
    text = router.http("GET", "/metrics", port=router.admin).body.decode()
    return {line[len(name):].split(" ")[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)}


def quiet(router):
    return router.status()["messages"]["held"] == 0


def systems(check):
    with tempfile.TemporaryDirectory() as folder:
        pair = System(folder, "a"), System(folder, "b")
        try:
            check(*pair)
        finally:
            for system in pair:
                system.kill()


def kill_and_bring_back(a, b, make):
    with Router(config(a, b)) as router:
        load = Senders(router, 4, make)
        time.sleep(0.5)
        for _ in range(2):
            a.kill()
            time.sleep(1)
            a.start()
            time.sleep(1)
        load.stop()
        until(lambda: quiet(router), "nothing is held", 60)
        got = collections.Counter(a.got() + b.got())
        same([i for i in load.sent if not got[i]], [], "accepted, and nowhere")
        same([status for status, _ in load.answers if status != 202], [], "refused")
        true(a.got() and b.got(), "both had some")
        dead = json.loads(router.http("GET", "/api/v1/dead-letters", port=router.admin).body)["dead_letters"]
        same(dead, [], "dead letters")
        # back to the first, once it has stayed
        before = len(a.got())
        end = time.monotonic() + 60
        while len(a.got()) == before and time.monotonic() < end:
            same(router.post(event("event", "com.example.t", {})).status, 202)
            time.sleep(0.1)
        true(len(a.got()) > before, "it went back to the first")
        moved = samples(router, "intertie_failovers_total")
        true(moved.get('{kind="chosen"}', 0) > 0, moved)


@case
def events_survive_a_system_that_dies_and_comes_back():
    systems(lambda a, b: kill_and_bring_back(a, b, lambda _, n: event("event", "com.example.t", {"n": n})))


@case
def keyed_events_survive_it_too():
    systems(lambda a, b: kill_and_bring_back(a, b, lambda sender, n: event("event", "com.example.t", {"n": n}, partitionkey=f"k{sender}-{n % 5}")))


@case
def every_query_is_answered_while_a_system_dies_and_comes_back():
    def check(a, b):
        with Router(config(a, b, ", retry: {attempts: 4, budget: {share: 100%, min: 100}}")) as router:
            load = Senders(router, 4, lambda _, n: event("query", "com.example.q", {"n": n}))
            time.sleep(0.5)
            for _ in range(2):
                a.kill()
                time.sleep(1)
                a.start()
                time.sleep(1)
            load.stop()
            same([answer for answer in load.answers if answer[0] != 200], [], "not answered")
            same({said for _, said in load.answers}, {"a", "b"}, "both answered some")
    systems(check)


@case
def a_frozen_system_is_left_for_the_next():
    def check(a, b):
        with Router(config(a, b, ", breaker: {failures: 3, open: 2s}, retry: {attempts: 4, budget: {share: 100%, min: 100}}")) as router:
            same(json.loads(router.post(event("query", "com.example.q", {})).body)["data"], "a", "answer")
            a.child.send_signal(signal.SIGSTOP)
            try:
                load = Senders(router, 3, lambda _, n: event("query", "com.example.q", {"n": n}))
                time.sleep(3)
                load.stop()
            finally:
                a.child.send_signal(signal.SIGCONT)
            same([answer for answer in load.answers if answer[0] != 200], [], "not answered")
            true(len(load.answers) > 100, f"only {len(load.answers)} answers: the breaker keeps them from waiting")
    systems(check)


@case
def with_both_down_nothing_is_lost():
    def check(a, b):
        with Router(config(a, b)) as router:
            a.kill()
            b.kill()
            sent = [event("event", "com.example.t", {"n": n}, **({"partitionkey": f"k{n % 7}"} if n % 2 else {})) for n in range(100)]
            for made in sent:
                same(router.post(made).status, 202)
            b.start()
            until(lambda: not {made["id"] for made in sent} - set(b.got()), "all came to the one that is there", 60)
            until(lambda: quiet(router), "nothing is held", 60)
            a.start()
    systems(check)


SLOW = r"""
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(float(sys.argv[1]))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(sys.argv[2])))
        self.end_headers()
        self.wfile.write(sys.argv[2].encode())
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@case
def a_query_to_a_slow_endpoint_is_answered_by_the_quick_one():
    children = [subprocess.Popen([sys.executable, "-c", SLOW, seconds, name], stdout=subprocess.PIPE, text=True)
                for seconds, name in (("3", "slow"), ("0", "quick"))]
    try:
        slow, quick = [int(child.stdout.readline()) for child in children]
        with Router(f"""
workers: 1
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems:
  pricing:
    endpoints: {{slow: "http://127.0.0.1:{slow}", quick: "http://127.0.0.1:{quick}"}}
    retry: {{hedge: {{after: 100ms}}, budget: {{min: 100}}}}
routes: {{r: {{match: {{}}, to: pricing}}}}
""") as router:
            said = [json.loads(router.post(event("query", "com.example.q", {})).body).get("data") for _ in range(10)]
            same(said, ["quick"] * 10, "answers")
            hedges = until(lambda: samples(router, "intertie_hedges_total"), "counted")
            true(hedges.get('{result="won"}', 0) >= 1, hedges)
            same(router.ended("dropped", "late-reply"), 0, "no noise")
            true("late-reply" not in router.log(), "no noise in the log")
    finally:
        for child in children:
            child.kill()
            child.wait()
            child.stdout.close()


if __name__ == "__main__":
    main()
