"""Mixed traffic for tests of what happens meanwhile: senders that know what became of each message, receivers that
remember all they got. A message is known by its id; what a sender was never told about is `unknown`."""
import http.client
import json
import random
import socket
import struct
import threading
import time

from kit import LineSystem, event
from hostile_kit import ACK, MSG, PING, PONG, ERROR, SUBSCRIBE, Stream, frame, message

numbers = iter(range(1, 1 << 40))
numbers_lock = threading.Lock()


def fresh(kind, type_, **more):
    with numbers_lock:
        number = next(numbers)
    made = event(kind, type_, {"n": number, "fill": "x" * random.choice((0, 10, 300, 3000))}, **more)
    made["id"] = f"m{number}"
    return made


class Sender:
    """Sends until told to stop. `accepted`, `refused` (id -> why) and `unknown` never have an id in common."""

    def __init__(self, pace=0.0):
        self.accepted, self.refused, self.unknown = set(), {}, set()
        self.trouble = []
        self.connections = 0
        self.pace = pace
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self, seconds=60):
        self.stopping = True
        self.thread.join(seconds)
        if self.thread.is_alive():
            self.trouble.append("does not end")

    def run(self):
        while not self.stopping:
            try:
                self.connect_and_send()
            except (OSError, http.client.HTTPException, ConnectionError, AssertionError) as problem:
                self.lost(problem)
                time.sleep(0.02)
            except Exception as problem:  # is told by the test
                self.trouble.append(repr(problem))
                return

    def lost(self, problem):
        """A connection ended; tests that allow it override what was unknown."""

    @property
    def sent(self):
        return len(self.accepted) + len(self.refused) + len(self.unknown)


class HttpSender(Sender):
    """Some requests on one connection, then a new one: connections come and go."""

    def __init__(self, port, make, per_connection=20, **more):
        super().__init__(**more)
        self.port, self.make, self.per_connection = port, make, per_connection

    def connect_and_send(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=30)
        try:
            connection.connect()
            self.connections += 1
            for _ in range(self.per_connection):
                if self.stopping:
                    return
                self.one(connection)
                if self.pace:
                    time.sleep(self.pace)
        finally:
            connection.close()

    def one(self, connection):
        made = self.make()
        self.unknown.add(made["id"])
        connection.request("POST", "/v1/messages", json.dumps(made), {"Content-Type": "application/cloudevents+json"})
        reply = connection.getresponse()
        body = reply.read()
        self.unknown.discard(made["id"])
        if reply.status in (200, 202):
            self.accepted.add(made["id"])
        else:
            self.refused[made["id"]] = (reply.status, body[:300])
        if reply.will_close:
            raise ConnectionError("closed by the server")


class StreamSender(Sender):
    """Stream v1 within its credit; each message is settled by an ACK."""

    def __init__(self, port, make, per_connection=200, window=32, **more):
        super().__init__(**more)
        self.port, self.make, self.per_connection, self.window = port, make, per_connection, window

    def connect_and_send(self):
        stream = Stream(self.port(), {"client": "traffic/1"})
        self.connections += 1
        pending, sequence = {}, 0
        try:
            while sequence < self.per_connection and not self.stopping:
                while len(pending) < self.window and sequence < self.per_connection:
                    made = self.make()
                    sequence += 1
                    pending[sequence] = made["id"]
                    self.unknown.add(made["id"])
                    stream.send(message(sequence, made))
                self.settle(stream, pending, self.window // 2)
                if self.pace:
                    time.sleep(self.pace)
            self.settle(stream, pending, 0)
        finally:
            stream.close()

    def settle(self, stream, pending, left):
        while len(pending) > left:
            kind, payload = stream.frame(30)
            if kind == PING:
                stream.send(frame(PONG, payload))
            elif kind == ERROR:
                raise ConnectionError(payload.decode())
            elif kind == ACK:
                self.take_ack(payload, pending)

    def take_ack(self, payload, pending):
        cumulative, count = struct.unpack(">QH", payload[:10])
        for i in range(count):
            sequence, outcome, code = struct.unpack(">QBxH", payload[12 + 16 * i:24 + 16 * i])
            made = pending.pop(sequence, None)
            if made:
                self.unknown.discard(made)
                if outcome in (0, 3):
                    self.accepted.add(made)
                else:
                    self.refused[made] = (outcome, code)
        for sequence in [known for known in pending if known <= cumulative]:
            made = pending.pop(sequence)
            self.unknown.discard(made)
            self.accepted.add(made)


class LineSender(Sender):
    """JSON lines: nobody acknowledges them, but a refusal is told, and a query at the end of each connection is answered
    after all before it have been taken."""

    def __init__(self, port, make, query, per_connection=100, **more):
        super().__init__(**more)
        self.port, self.make, self.query, self.per_connection = port, make, query, per_connection

    def connect_and_send(self):
        with socket.create_connection(("127.0.0.1", self.port()), 30) as peer:
            peer.settimeout(30)
            self.connections += 1
            sent = []
            for _ in range(self.per_connection):
                if self.stopping:
                    break
                made = self.make()
                sent.append(made["id"])
                self.unknown.add(made["id"])
                peer.sendall(json.dumps(made).encode() + b"\n")
                if self.pace:
                    time.sleep(self.pace)
            last = self.query()
            peer.sendall(json.dumps(last).encode() + b"\n")
            self.read_to(peer, last["id"])
        for made in sent:
            self.unknown.discard(made)
            if made not in self.refused:
                self.accepted.add(made)

    def read_to(self, peer, last):
        with peer.makefile("rb") as file:
            for line in file:
                got = json.loads(line)
                about = got.get("causationid")
                if about == last:
                    if got["messagetype"] != "response":
                        raise ConnectionError(str(got.get("data")))
                    return
                if got["messagetype"] == "error" and about:
                    self.refused[about] = got.get("data")
        raise ConnectionError("ended before the answer")


class DatagramSender(Sender):
    """Nobody ever tells what became of them."""

    def __init__(self, port, make, **more):
        super().__init__(**more)
        self.port, self.make = port, make

    def connect_and_send(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            while not self.stopping:
                made = self.make()
                self.unknown.add(made["id"])
                peer.sendto(json.dumps(made).encode(), ("127.0.0.1", self.port()))
                time.sleep(self.pace or 0.002)


class Churn(Sender):
    """Connections that come, say nothing or half a word, and go."""

    def __init__(self, ports, **more):
        super().__init__(**more)
        self.ports = ports

    def connect_and_send(self):
        with socket.create_connection(("127.0.0.1", random.choice(self.ports())), 10) as peer:
            self.connections += 1
            peer.sendall(random.choice((b"", b"GET / HT", b"{\"spec", b"\xf5its\x01", b"POST /v1/messages HTTP/1.1\r\n")))
            if random.random() < 0.3:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(self.pace or 0.01)


class Scraper(Sender):
    """Whoever watches meanwhile."""

    PATHS = ("/metrics", "/api/v1/status", "/api/v1/connections", "/api/v1/systems", "/api/v1/queues", "/readyz",
             "/api/v1/listeners", "/api/v1/routes", "/api/v1/config")

    def __init__(self, port, **more):
        super().__init__(**more)
        self.port = port
        self.answers = {}

    def connect_and_send(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            for path in self.PATHS:
                connection.request("GET", path)
                reply = connection.getresponse()
                body = reply.read()
                self.answers[path] = self.answers.get(path, 0) + 1
                if reply.status not in (200, 503) or not body:
                    self.trouble.append(f"{path}: {reply.status}")
        finally:
            connection.close()
        time.sleep(self.pace or 0.02)


class Receiver(LineSystem):
    """A system that we dial; remembers how often it got each id."""

    def __init__(self, answer=lambda got: None):
        super().__init__(answer)

    def counts(self):
        return count_ids(list(self.got))


def count_ids(events):
    counts = {}
    for got in events:
        counts[got["id"]] = counts.get(got["id"], 0) + 1
    return counts


class Session:
    """A session of stream v1 that serves a system and acknowledges what it gets."""

    def __init__(self, port, system):
        self.got, self.trouble = [], []
        self.stream = Stream(port, {"client": "traffic/1", "system": system, "credit": {"msgs": 1 << 20, "bytes": 1 << 40}})
        self.stream.send(frame(SUBSCRIBE, {"sub": 1}))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while True:
                kind, payload = self.stream.frame(120)
                if kind == MSG:
                    self.got.append(json.loads(payload[16:]))
                    self.stream.send(frame(ACK, payload[:8] + b"\0\0\0\0"))
                elif kind == PING:
                    self.stream.send(frame(PONG, payload))
                elif kind == ERROR:
                    self.trouble.append(payload.decode())
        except (ConnectionError, OSError):
            pass

    def counts(self):
        return count_ids(list(self.got))

    def close(self):
        self.stream.close()
        self.thread.join(20)


def sum_of(senders, what):
    total = set()
    for sender in senders:
        total |= set(getattr(sender, what))
    return total


def shown(ids, limit=10):
    return f"{len(ids)}: {sorted(ids)[:limit]}"
