#!/usr/bin/env python3
"""A minute of mixed traffic, or INTERTIE_SOAK_SECONDS of it: what was accepted is accounted for to the last message,
memory stays where it was after half a minute, the log has nothing that is no news."""
import collections
import http.client
import json
import os
import random
import re
import socket
import struct
import threading
import time

from hostile_kit import *
from kit import Server, case, main

SECONDS = int(os.environ.get("INTERTIE_SOAK_SECONDS", "20" if SANITIZED else "60"))
WARM_UP = min(30, SECONDS / 2)  # pools and tables have their size by then
ERRORS = {"overloaded", "target-unavailable", "no-route", "expired", "slow-consumer", "peer-closed", "outcome-unknown",
          "retries-exhausted", "protocol-error", "unknown-target", "unsupported-media", "head-timeout", "shutdown", "malformed-event"}

SOAK = """
workers: 2
listeners:
  web: http://127.0.0.1:0
  stream: tcp://127.0.0.1:0
  beacons: {{url: udp://127.0.0.1:0, system: beacon, allow: 127.0.0.0/8}}
systems:
  beacon: {{}}
  sink: {{accept: true}}
  pricing: {{accept: true}}
  slow: {{accept: true, limits: {{queue: {{messages: 50, bytes: 2MiB}}}}, timeouts: {{queue: 100ms}}}}
  lamp: udp://127.0.0.1:{lamp}
  web-sink: http://127.0.0.1:{web}/
routes:
  short: {{match: {{target: slow}}, ttl: 2s}}
"""


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1)) << 10


class WebSystem(Server):
    """An HTTP system that takes everything; one answer in fifty is a 503."""

    def __init__(self):
        self.got = 0
        super().__init__()

    def serve(self, peer):
        with peer, peer.makefile("rwb") as file:
            try:
                while file.readline():
                    size = 0
                    while (line := file.readline().strip()):
                        if line.lower().startswith(b"content-length:"):
                            size = int(line.split(b":")[1])
                    file.read(size)
                    self.got += 1
                    file.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" if self.got % 50 == 0
                               else b"HTTP/1.1 204 Done\r\n\r\n")
                    file.flush()
            except OSError:
                return


class Soak:
    def __init__(self):
        self.lamp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.lamp.bind(("127.0.0.1", 0))
        self.web = WebSystem()
        self.router = Router(SOAK.format(lamp=self.lamp.getsockname()[1], web=self.web.port))
        self.over = threading.Event()
        self.taken = collections.Counter()   # by system: what the sender was told is taken
        self.answers = collections.Counter() # (system, status, reason)
        self.trouble = []
        self.threads = []

    def start(self, work, *arguments):
        def run():
            try:
                work(*arguments)
            except Exception as problem:
                if not self.over.is_set():
                    self.trouble.append(f"{work.__name__}: {problem!r}")
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    # -- traffic --

    def post(self, target, kind, pause, sizes, **more):
        connection = http.client.HTTPConnection("127.0.0.1", self.router.ports["web"], timeout=30)
        chance = random.Random(target)
        while not self.over.is_set():
            made = event(kind, "com.example.tick" if target is None else "com.example.note", "x" * chance.choice(sizes), **more)
            if target:
                made["target"] = target
            made["priority"] = chance.randint(1, 5)
            connection.request("POST", "/v1/messages", json.dumps(made), {"Content-Type": "application/cloudevents+json"})
            reply = connection.getresponse()
            body = reply.read()
            ok = reply.status in (200, 202)
            self.answers[target, reply.status, "" if ok else json.loads(body)["reason"]] += 1
            self.taken[target] += ok
            time.sleep(pause)
        connection.close()

    def session(self, system, work):
        peer = self.router.lines()
        peer.control("hello", system=system)
        until(lambda: self.router.system(system)["sessions"] >= 1, f"{system} is known")
        self.start(work, peer)

    def swallow(self, peer):
        while peer.read(3600):
            pass

    def answer(self, peer):
        while got := peer.read(3600):
            peer.send(reply_to(got, {"eur": 9.5}))

    def sip(self, peer):
        while peer.socket.recv(16384):
            time.sleep(0.05)

    def come_and_go(self, number):
        chance = random.Random(number)
        while not self.over.is_set():
            stream = Stream(self.router.ports["stream"], {})
            stream.send(frame(SUBSCRIBE, {"sub": 1, "filter": "type = 'com.example.tick'", "group": chance.choice(["", "g"])}))
            end, count = time.monotonic() + chance.uniform(0.1, 2), 0
            while time.monotonic() < end and not self.over.is_set():
                try:
                    kind, _ = stream.frame(max(0.01, end - time.monotonic()))
                except (socket.timeout, TimeoutError):
                    break
                if kind == MSG:
                    count += 1
                    stream.send(frame(ACK, struct.pack(">QHH", count, 0, 0)))
            stream.reset() if chance.random() < 0.5 else stream.close()

    def harass(self):
        chance = random.Random(7)
        starts = [b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nabc", b"GET / HTT", PREFACE,
                  b'{"specversion": ', b"\x16\x03\x01", post(b"x" * 20000, "/v1/systems/nobody/messages"), b""]
        while not self.over.is_set():
            peer = Raw(self.router.ports[chance.choice(["web", "stream"])])
            peer.send(chance.choice(starts))
            peer.reset() if chance.random() < 0.7 else peer.close()
            time.sleep(0.005)

    def beacons(self):
        to = ("127.0.0.1", self.router.ports["beacons"])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self.over.is_set():
                made = event("event", "com.example.beacon", "x" * 200, target="lamp", source="/systems/beacon")
                sender.sendto(json.dumps(made).encode(), to)
                time.sleep(0.004)

    def shine(self):
        while self.lamp.recv(65536):
            pass

    def scrape(self):
        while not self.over.is_set():
            self.router.http("GET", "/metrics", port=self.router.admin)
            self.over.wait(1)

    def begin(self):
        for system, work in (("sink", self.swallow), ("pricing", self.answer), ("slow", self.sip)):
            self.session(system, work)
        small, mixed = [10, 200], [10, 300, 2000, 20000]
        self.start(self.post, "sink", "event", 0.002, mixed)
        self.start(self.post, "pricing", "query", 0.004, small)
        self.start(self.post, "slow", "event", 0.01, mixed)
        self.start(self.post, "web-sink", "event", 0.004, mixed)
        self.start(self.post, None, "event", 0.004, small)
        for number in range(4):
            self.start(self.come_and_go, number)
        for work in (self.harass, self.beacons, self.shine, self.scrape):
            self.start(work)

    # -- looking --

    def watch(self):
        start, curve = time.monotonic(), []
        while time.monotonic() - start < SECONDS and not self.trouble:
            time.sleep(1)
            curve.append((time.monotonic() - start, pss(self.router.child.pid)))
        return curve

    def settle(self):
        self.over.set()
        for thread in self.threads[:]:
            if thread.is_alive():
                thread.join(0.1)
        until(lambda: all(s["in_flight"] == s["awaiting_reply"] == s["held"] == 0 for s in self.router.status()["systems"]),
              "all is delivered or expired", 90)

    def check_accounts(self):
        """In = endings + held: nothing is held any more."""
        for system in ("sink", "pricing", "slow", "web-sink"):
            said = self.router.system(system)
            ended = sum(said[ending] for ending in ("delivered", "replied", "expired", "dead", "dropped"))
            same(ended, self.taken[system], f"{system}: what was accepted, and what became of it ({said})")
            true(self.taken[system] > SECONDS, f"{system}: something was sent")
        same(self.router.system("sink")["delivered"], self.taken["sink"], "sink got all of it")
        messages = self.router.status()["messages"]
        rejected = sum(messages["endings"]["rejected"].values())
        true(messages["received"] <= messages["accepted"] + rejected + messages["invalid"],
             f"each message that came in was accepted or rejected: {messages}")

    def check_log(self):
        odd = []
        for line in self.router.log().splitlines():
            record = json.loads(line) if line.startswith("{") else {"level": "error", "text": line}
            if record["level"] in ("warn", "error") or ("reason" in record and record["reason"] not in ERRORS):
                odd.append(line)
        same(odd[:5], [], "lines of the log that are no news")


def check_memory(curve):
    # What waits for slow readers goes up and down by some MiB; what is lost for good lifts the least of it.
    half = (WARM_UP + SECONDS) / 2
    early = min(size for at, size in curve if WARM_UP <= at < half)
    late = min(size for at, size in curve if at >= half)
    points = [f"{at:.0f}s {size / (1 << 20):.2f}" for at, size in curve if int(at) % max(1, SECONDS // 20) == 0]
    print("# PSS in MiB: " + ", ".join(points), flush=True)
    true(SANITIZED or late < early * 1.05 + (2 << 20), f"memory grew from {early} to {late} bytes")


@case
def mixed_traffic_is_accounted_for_in_flat_memory():
    soak = Soak()
    with soak.router:
        soak.begin()
        curve = soak.watch()
        soak.settle()
        same(soak.trouble, [], "the clients")
        print(f"# {dict(soak.taken)}; {dict(soak.answers)}", flush=True)
        soak.check_accounts()
        check_memory(curve)
        soak.check_log()


if __name__ == "__main__":
    main()
