#!/usr/bin/env python3
"""Systems that know nothing of us: framed TCP streams and raw datagrams, spoken by hand, by nc and by the program."""
import json
import shutil
import socket
import struct
import subprocess
import threading
import time

from kit import Router, Skip, case, event, main, same, true, until


def varint(size):
    out = b""
    while size > 127:
        out += bytes([size & 127 | 128])
        size >>= 7
    return out + bytes([size])


# word or map of the configuration -> how a unit looks on the wire
FRAMES = {
    "line": lambda p: p + b"\n",
    "crlf": lambda p: p + b"\r\n",
    "len16be": lambda p: struct.pack(">H", len(p)) + p,
    "len32be": lambda p: struct.pack(">I", len(p)) + p,
    "varint": lambda p: varint(len(p)) + p,
    "octet-count": lambda p: str(len(p)).encode() + b" " + p,
    "mllp": lambda p: b"\x0b" + p + b"\x1c\r",
    "{fixed: 8}": lambda p: p,
    "{until: hex 1c0d}": lambda p: p + b"\x1c\r",
    "{until: END}": lambda p: p + b"END",
}


class System:
    """Listens, and gives each connection to `serve`."""

    def __init__(self, serve):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.connections = 0
        self.serve = serve
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.guard, args=(peer,), daemon=True).start()

    def guard(self, peer):
        try:
            self.serve(peer)
        except OSError:
            pass
        peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()


class Sink(System):
    """Keeps the bytes that come."""

    def __init__(self):
        self.bytes = b""
        super().__init__(self.take)

    def take(self, peer):
        while data := peer.recv(65536):
            self.bytes += data


def exactly(peer, size):
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def len32_frames(peer):
    while head := exactly(peer, 4):
        yield exactly(peer, struct.unpack(">I", head)[0])


def query(r, data, target="wms", **more):
    return r.http("POST", f"/v1/systems/{target}/messages", data, ce_specversion="1.0", ce_id=f"q{time.monotonic_ns()}",
                  ce_source="/test", ce_type="t", ce_messagetype=more.pop("kind", "query"),
                  Content_Type="application/octet-stream", **more)


@case
def every_frame_in_is_the_same_frame_out():
    payloads = [b"12345678", b"\x00\xff\x01\xfe\x02\xfd\x03\xfc", b"a,b;c\td "]
    for word, wrap in FRAMES.items():
        wire = b"".join(wrap(payload) for payload in payloads)
        with Sink() as sink, Router(f"""
listeners: {{in: {{url: tcp://127.0.0.1:0, frame: {word}, format: raw, defaults: {{target: out}}}}}}
systems: {{out: {{url: tcp://127.0.0.1:{sink.port}, frame: {word}, format: raw}}}}
""") as r:
            peer = socket.create_connection(("127.0.0.1", r.ports["in"]))
            for byte in wire:  # however it is cut
                peer.sendall(bytes([byte]))
            until(lambda: len(sink.bytes) >= len(wire), f"{word}: all arrived, so far {sink.bytes!r}")
            same(sink.bytes, wire, word)
            peer.close()


@case
def pauses_end_units_too():
    with Sink() as sink, Router(f"""
listeners: {{in: {{url: tcp://127.0.0.1:0, frame: {{idle: 50ms}}, format: raw, defaults: {{target: out}}}}}}
systems: {{out: {{url: tcp://127.0.0.1:{sink.port}, frame: line, format: raw}}}}
""") as r:
        peer = socket.create_connection(("127.0.0.1", r.ports["in"]))
        peer.sendall(b"one")
        until(lambda: sink.bytes == b"one\n", "the first unit ended by itself")
        peer.sendall(b"two")
        peer.shutdown(socket.SHUT_WR)
        until(lambda: sink.bytes == b"one\ntwo\n", "the end of the stream ends the second")


@case
def a_person_with_nc_is_a_system():
    nc = shutil.which("nc")
    if not nc:
        raise Skip("no nc")
    with Sink() as sink, Router(f"""
listeners: {{scales: {{url: tcp://127.0.0.1:0, frame: line, format: raw, system: scales,
                     defaults: {{type: com.example.weight, datacontenttype: text/plain}}}}}}
systems: {{scales: {{}}, out: {{url: tcp://127.0.0.1:{sink.port}}}}}
routes: {{weights: {{match: {{type: com.example.weight, from: scales}}, to: out}}}}
""") as r:
        subprocess.run([nc, "-q", "1", "127.0.0.1", str(r.ports["scales"])], input=b"12 kg\r\n", timeout=30, check=False)
        until(lambda: sink.bytes.endswith(b"\n"), "the line arrived as an event")
        got = json.loads(sink.bytes)
        same([got[name] for name in ("source", "type", "datacontenttype", "data")],
             ["/systems/scales", "com.example.weight", "text/plain", "12 kg"], "the event")


def wms(peer):
    peer.sendall(struct.pack(">I", 7) + b"WMS 4.2")
    for frame in len32_frames(peer):
        answer = b"re: " + frame
        peer.sendall(struct.pack(">I", len(answer)) + answer)


WMS = """
listeners: {{web: http://127.0.0.1:0}}
systems:
  wms: {{url: "tcp://127.0.0.1:{port}", frame: len32be, format: raw, reply: fifo, greet: {{expect: WMS 4*, within: 1s}}{more}}}
"""


@case
def each_question_gets_its_own_answer():
    for more in ("", ", pool: {max: 1, pipeline: 16}"):
        with System(wms) as system, Router("workers: 2\n" + WMS.format(port=system.port, more=more)) as r:
            wrong = []

            def ask(name):
                for n in range(25):
                    reply = query(r, f"{name}-{n}")
                    if (reply.status, reply.body) != (200, f"re: {name}-{n}".encode()):
                        wrong.append((reply.status, reply.body))
            threads = [threading.Thread(target=ask, args=(name,)) for name in "abcdefgh"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            same(wrong, [], "answers")


@case
def an_answer_is_a_response_of_that_system():
    with System(wms) as system, Router(WMS.format(port=system.port, more="")) as r:
        reply = query(r, "x")
        same([reply.headers[name] for name in ("ce-source", "ce-messagetype", "ce-type", "Content-Type")],
             ["/systems/wms", "response", "intertie.tcp.frame.v1", "application/octet-stream"], "attributes")


@case
def another_greeting_is_a_failed_dial():
    def other(peer):
        peer.sendall(struct.pack(">I", 7) + b"WMS 3.9")
        peer.recv(1)
    for serve in (other, lambda peer: peer.recv(1)):  # the second says nothing at all
        with System(serve) as system, Router(WMS.format(port=system.port, more="")) as r:
            reply = query(r, "x")
            same((reply.status, json.loads(reply.body)["reason"]), (503, "target-unavailable"), "reply")
            until(lambda: "bad-greeting" in r.log() or "bad-greeting" in r.http("GET", "/metrics", port=r.admin).body.decode(),
                  "the reason is told")


@case
def a_late_answer_is_nobodys():
    silent = threading.Event()

    def slow(peer):
        peer.sendall(struct.pack(">I", 3) + b"WMS")
        for frame in len32_frames(peer):
            if frame == b"slow":
                silent.set()
                time.sleep(3)
            peer.sendall(struct.pack(">I", len(frame)) + frame)
    more = ", pool: {max: 1}, timeouts: {request: 10s}"
    with System(slow) as system, Router(WMS.replace("WMS 4*", "WMS").format(port=system.port, more=more)) as r:
        replies = []
        asks = threading.Thread(target=lambda: replies.append(query(r, "slow", kind="request", TTL="1")))
        asks.start()
        silent.wait(10)
        reply = query(r, "quick")
        same((reply.status, reply.body), (200, b"quick"), "the next question's answer")
        asks.join(30)
        true(replies[0].status >= 500, f"the slow one was told so: {replies[0].status}")
        same(system.connections, 2, "connections")


@case
def who_can_not_answer_is_not_asked():
    with Sink() as sink, Router(f"""
listeners: {{web: http://127.0.0.1:0}}
systems: {{out: {{url: tcp://127.0.0.1:{sink.port}, frame: line, format: raw}}}}
""") as r:
        reply = query(r, "x", "out")
        same((reply.status, json.loads(reply.body)["reason"]), (501, "not-supported"), "reply")
        true("fifo" in json.loads(reply.body)["detail"], "it says how to mend it")
        reply = query(r, "two\nlines", "out", kind="event")
        same(reply.status, 202, "an event is taken")
        until(lambda: r.ended("dead", "not-representable") == 1, "and ends, since no line can say it")
        same(query(r, "one line", "out", kind="event").status, 202, "the next")
        until(lambda: sink.bytes == b"one line\n", "nothing but that left")


@case
def a_raw_peer_may_ask():
    with System(wms) as system, Router(f"""
listeners:
  till: {{url: tcp://127.0.0.1:0, frame: crlf, format: raw, defaults: {{messagetype: query, target: wms}}}}
  lost: {{url: tcp://127.0.0.1:0, frame: crlf, format: raw, defaults: {{messagetype: query}}}}
systems: {{wms: {{url: "tcp://127.0.0.1:{system.port}", frame: len32be, format: raw, reply: fifo, greet: {{expect: WMS*}}}}}}
""") as r:
        peer = socket.create_connection(("127.0.0.1", r.ports["till"]), 10)
        peer.sendall(b"a?\r\nb?\r\nc?\r\n")
        peer.shutdown(socket.SHUT_WR)
        got = peer.makefile("rb").read()
        same(got, b"re: a?\r\nre: b?\r\nre: c?\r\n", "answers, in order, then the end")
        peer = socket.create_connection(("127.0.0.1", r.ports["lost"]), 10)
        peer.sendall(b"a?\r\n")
        same(peer.recv(100), b"", "no route, no answer: closed")


@case
def malformed_frames_close_with_their_reason():
    with Router("""
listeners:
  a: {url: tcp://127.0.0.1:0, frame: octet-count, format: raw}
  b: {url: tcp://127.0.0.1:0, frame: len32be, format: raw, limits: {message: 100B}}
  c: {url: tcp://127.0.0.1:0, frame: mllp, limits: {message: 1000B}}
""") as r:
        for name, wire in (("a", b"007 x"), ("b", b"\0\0\0\x65"), ("c", b"\x0b" + b"x" * 1001 + b"\x1c\r"), ("c", b"hello")):
            peer = socket.create_connection(("127.0.0.1", r.ports[name]), 10)
            peer.sendall(wire)
            got = b""
            while data := peer.recv(65536):
                got += data
            if name == "c":  # events: the reason is told in a frame
                true(got.startswith(b"\x0b{") and got.endswith(b"\x1c\r") and b"intertie.error.v1" in got, f"{wire[:9]!r}: {got!r}")
            else:
                same(got, b"", name)
            peer.close()


@case
def datagrams_may_be_raw():
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind(("127.0.0.1", 0))
    out.settimeout(10)
    with Router(f"""
listeners: {{in: {{url: udp://127.0.0.1:0, format: raw, system: beacons, allow: 127.0.0.0/8, defaults: {{target: out}}}}}}
systems: {{beacons: {{}}, out: {{url: udp://127.0.0.1:{out.getsockname()[1]}, format: raw}}}}
""") as r:
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for payload in (b"{not json", b"[", b"\xf5itu", b"plain"):
            sender.sendto(payload, ("127.0.0.1", r.ports["in"]))
            same(out.recv(2000), payload, "datagram")
    out.close()


@case
def the_program_speaks_to_plain_systems():
    with System(wms) as system, Sink() as sink, Router(f"""
listeners: {{in: {{url: tcp://127.0.0.1:0, frame: varint}}}}
systems: {{out: {{url: tcp://127.0.0.1:{sink.port}, frame: mllp, format: raw}}}}
""") as r:
        sent = r.intertie("send", "--url", f"tcp://127.0.0.1:{r.ports['in']}", "--frame", "varint", "--to", "out", "--type", "t",
                          "--data", "hello")
        same(sent.returncode, 0, sent.stderr)
        until(lambda: sink.bytes == b"\x0bhello\x1c\r", "protobuf in varint frames became an mllp frame")

        def echo(peer):
            for frame in len32_frames(peer):
                peer.sendall(struct.pack(">I", len(frame)) + frame)
        with System(echo) as plain:
            got = r.intertie("call", "--url", f"tcp://127.0.0.1:{plain.port}", "--frame", "len32be", "--format", "raw", "--data", "x?")
            same((got.returncode, got.stdout), (0, "x?\n"), got.stderr)
        got = r.intertie("listen", "--url", f"tcp://127.0.0.1:{system.port}", "--frame", "len32be", "--format", "raw", "--count", "1")
        same((got.returncode, json.loads(got.stdout)["data"]), (0, "WMS 4.2"), got.stderr)
        for arguments in (["--frame", "lines"], ["--frame", "{fixed: 0}", "--format", "raw"], ["--frame", "{fixed: 8}"],
                          ["--format", "xml"]):
            got = r.intertie("send", "--url", "tcp://127.0.0.1:1", "--type", "t", "--data", "x", *arguments)
            same(got.returncode, 2, f"{arguments}: {got.stderr}")


if __name__ == "__main__":
    main()
