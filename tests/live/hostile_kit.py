"""What the tests of hostile peers share: a well-behaved client that must not notice, metrics, raw sockets."""
import http.client
import json
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

from kit import PROGRAM, REPLAY, LineSystem, Lines, Router, event, reply_to, same, true, until

# One listener for good and bad alike, one that only the good reader of events uses.
CONFIG = """
log: {{level: {level}, format: json}}
{more}
listeners:
  web: {{url: http://127.0.0.1:0{web}}}
  stream: {{url: tcp://127.0.0.1:0{stream}}}
  quiet: {{url: tcp://127.0.0.1:0}}{listeners}
systems:
  desk: {{accept: true}}
  pricing: {{url: "tcp://127.0.0.1:{pricing}"}}
  {systems}
"""


with open(PROGRAM, "rb") as program:
    SANITIZED = b"san_init" in program.read()


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) << 10


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class World:
    """A router, and beside it one who behaves well, from start to end: he posts events that a session of `desk` reads,
    and asks `pricing`, which we dial. At the end none of his may be lost, refused or late."""

    def __init__(self, more="", web="", stream="", systems="", environment=None, prepare=None, calm=True, listeners="", level="debug"):
        self.pricing = LineSystem(lambda got: reply_to(got, {"eur": 9.5}))
        text = CONFIG.format(more=more, web=", " + web if web else "", stream=", " + stream if stream else "",
                             systems=systems, pricing=self.pricing.port, listeners=listeners, level=level)
        # Limits of the process are about other files than the log of inputs.
        self.router = Router(text, environment=environment, prepare=prepare, replay=REPLAY and not prepare)
        self.pid = self.router.child.pid
        self.ports = self.router.ports
        self.calm = calm
        self.stopping = False
        self.answered, self.trouble, self.slowest = [], [], 0.0
        self.got = set()

    def __enter__(self):
        self.router.__enter__()
        if self.calm:
            self.desk = self.router.lines("quiet")
            self.desk.control("hello", system="desk")
            until(lambda: self.router.system("desk")["sessions"] >= 1, "the session of desk is known everywhere")
            self.threads = [threading.Thread(target=work, daemon=True) for work in (self.read, self.post)]
            for thread in self.threads:
                thread.start()
            until(lambda: len(self.answered) >= 4 or self.trouble, "the good client is served before the attack")
        return self

    def __exit__(self, kind, problem, trace):
        try:
            if self.calm and not kind:
                self.check_calm()
        except BaseException as wrong:
            self.router.__exit__(type(wrong), wrong, None)
            raise
        finally:
            self.stopping = True
            self.pricing.close()
        return self.router.__exit__(kind, problem, trace)

    def read(self):
        try:
            while not self.stopping:
                got = self.desk.read(60)
                if not got:
                    return
                self.got.add(got["id"])
        except (OSError, ValueError) as problem:
            if not self.stopping:
                self.trouble.append(f"reading: {problem!r}")

    def post(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["web"], timeout=60)
        n = 0
        while not self.stopping:
            n += 1
            made = event("event", "com.example.note", {"n": n}, target="desk") if n % 2 else \
                event("query", "com.example.price.get", {"n": n}, target="pricing")
            start = time.monotonic()
            try:
                connection.request("POST", "/v1/messages", json.dumps(made),
                                   {"Content-Type": "application/cloudevents+json"})
                reply = connection.getresponse()
                body = reply.read()
            except (OSError, http.client.HTTPException) as problem:
                self.trouble.append(f"posting: {problem!r}")
                return
            self.slowest = max(self.slowest, time.monotonic() - start)
            wanted = 202 if n % 2 else 200
            if reply.status != wanted:
                self.trouble.append(f"{made['type']}: {reply.status} {body[:300]!r}")
            self.answered.append(made["id"] if n % 2 else None)
            time.sleep(0.005)
        connection.close()

    def marks(self):
        return len(self.answered)

    def served_meanwhile(self, before, what, least=3):
        """The good client got answers since `before`, during the attack."""
        until(lambda: len(self.answered) - before >= least or self.trouble, f"the good client is served: {what}")
        same(self.trouble, [], f"the good client during {what}")

    def bounded(self, start, mib):
        """Memory has not grown by more since `start`. A sanitizer keeps what was freed for a while."""
        grown = (rss(self.pid) - start) >> 20
        true(grown < mib + (400 if SANITIZED else 0), f"it grew by {grown} MiB")

    def check_calm(self):
        before = self.marks()
        self.served_meanwhile(before, "the time after the attack")
        self.stopping = True
        self.threads[1].join(70)
        same(self.trouble, [], "the good client")
        true(self.slowest < 8, f"the good client's slowest answer took {self.slowest:.1f} s")
        sent = {one for one in self.answered if one}
        true(len(sent) > 1, "the good client sent something")
        until(lambda: sent <= self.got, f"all {len(sent)} events of the good client arrive")

    # -- looking --

    def metric(self, name, **labels):
        """The sum of all series of that name with these labels."""
        text = self.router.http("GET", "/metrics", port=self.router.admin).body.decode()
        total = 0.0
        for line in text.splitlines():
            found = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line)
            if not found or found.group(1) != name:
                continue
            got = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', found.group(2) or ""))
            if all(got.get(label) == value for label, value in labels.items()):
                total += float(found.group(3))
        return total

    def closed(self, reason, at_least, **labels):
        """The metric and the log both tell why."""
        until(lambda: self.metric("intertie_connections_closed_total", reason=reason, **labels) >= at_least,
              f"{at_least} connections closed with reason {reason}; it is "
              f"{self.metric('intertie_connections_closed_total', reason=reason, **labels)}")
        until(lambda: self.logged("connection closed", reason=reason), f"the log tells of {reason}")

    def logged(self, message, **fields):
        """The first record with that message and those fields."""
        for line in self.router.log().splitlines():
            if not line.startswith("{") or message not in line:
                continue
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if all(record.get(key) == value for key, value in fields.items()) and message in record.values():
                return record
        return None

    def raw(self, listener="web", port=None):
        return Raw(port or self.ports[listener])


class Raw:
    """A TCP connection that sends and reads bytes."""

    def __init__(self, port, seconds=20):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.got = b""

    def send(self, data):
        """True when all of it left; False when the other side had closed."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def push(self, data, seconds=1.0):
        """Sends until the other side takes no more for so long; returns how many bytes left."""
        self.socket.settimeout(seconds)
        sent = 0
        try:
            while sent < len(data):
                sent += self.socket.send(data[sent:sent + 65536])
        except (socket.timeout, ConnectionError):
            pass
        return sent

    def read_all(self, seconds=20):
        """Up to the end; a reset is one."""
        self.socket.settimeout(seconds)
        try:
            while piece := self.socket.recv(65536):
                self.got += piece
        except ConnectionError:
            pass
        return self.got

    def read_until(self, mark, seconds=20):
        self.socket.settimeout(seconds)
        while mark not in self.got:
            piece = self.socket.recv(65536)
            if not piece:
                raise AssertionError(f"no {mark!r} before the end: {self.got[-300:]!r}")
            self.got += piece
        return self.got

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def code(answer):
    """Status of the first answer in these bytes."""
    found = re.match(rb"HTTP/1\.1 (\d\d\d) ", answer)
    return int(found.group(1)) if found else 0


def reason(answer):
    found = re.search(rb'"reason":"([a-z-]+)"', answer)
    return found.group(1).decode() if found else ""


def post(body=b"x", path="/v1/systems/desk/messages", lines=b""):
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n".encode() + lines +
            f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


# -- stream v1 --

PREFACE = bytes.fromhex("f569747301000000")
HELLO, WELCOME, MSG, ACK, CREDIT, SUBSCRIBE, RESULT, PING, PONG, ERROR = 1, 2, 4, 5, 6, 7, 9, 10, 11, 13


def frame(kind, payload=b"", flags=0):
    if isinstance(payload, dict):
        payload = json.dumps(payload).encode()
    return struct.pack(">IBBH", len(payload), kind, flags, 0) + payload


def message(seq, made, sub=0, flags=0):
    return frame(MSG, struct.pack(">QIBBH", seq, sub, 1, 0, 0) + json.dumps(made).encode(), flags)


class Stream(Raw):
    """A client of stream v1."""

    def __init__(self, port, hello=None):
        super().__init__(port)
        self.buffer = b""
        if hello is not None:
            self.send(PREFACE + frame(HELLO, {"enc": ["json"], **hello}))
            self.take(8)
            same(self.frame()[0], WELCOME, "the first frame")

    def take(self, size, seconds=20):
        self.socket.settimeout(seconds)
        while len(self.buffer) < size:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("the end")
            self.buffer += piece
        piece, self.buffer = self.buffer[:size], self.buffer[size:]
        return piece

    def frame(self, seconds=20):
        size, kind, _flags, _zero = struct.unpack(">IBBH", self.take(8, seconds))
        return kind, self.take(size, seconds)

    def until_frame(self, kind, seconds=20):
        while True:
            got, payload = self.frame(seconds)
            if got == kind:
                return payload


def error_of(stream):
    """Code and slug of the ERROR that ends a stream; (None, "") when it ends without."""
    try:
        told = json.loads(stream.until_frame(ERROR))
        return told["code"], told["slug"]
    except ConnectionError:
        return None, ""
