#!/usr/bin/env python3
"""WebSocket over real sockets: handshakes and frames by hand, both roles, and the Node package `ws` as client and server."""
import base64
import hashlib
import json
import os
import socket
import struct
import subprocess

import sdk
from kit import Router, Server, case, event, main, reply_to, same, true, until

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

CONFIG = """
listeners:
  web: http://127.0.0.1:0
  ticks: {{url: ws://127.0.0.1:0/ticks, defaults: {{target: desk}}}}
systems:
  desk: {{accept: true}}
  feed: ws://127.0.0.1:{port}/in?a=b
routes: {{feed: {{match: {{type: com.example.feed.*}}, to: feed}}}}
"""


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def masked(data, key):
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def frame(opcode, data=b"", final=True, key=b"\x11\x22\x33\x44"):
    size = len(data)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65536 else b"\x7f" + struct.pack(">Q", size)
    head = bytes([opcode | (128 if final else 0)])
    if key is None:
        return head + length + data
    return head + bytes([length[0] | 128]) + length[1:] + key + masked(data, key)


def read_head(file):
    lines = []
    while True:
        line = file.readline()
        true(line, "the head of a handshake")
        if line == b"\r\n":
            return lines[0], dict(each.lower().split(": ", 1) for each in lines[1:]), lines
        lines.append(line.decode().strip())


class Peer:
    """One side of a connection that is a WebSocket."""

    def __init__(self, peer, client):
        self.socket, self.file, self.client = peer, peer.makefile("rwb"), client
        peer.settimeout(10)

    def raw(self, data):
        self.file.write(data)
        self.file.flush()

    def send(self, got):
        self.raw(frame(TEXT, json.dumps(got).encode(), key=b"\1\2\3\4" if self.client else None))

    def read(self):
        """Opcode and payload of a frame; None at the end."""
        start = self.file.read(2)
        if len(start) < 2:
            return None
        same(bool(start[1] & 128), not self.client, "masked")
        size = start[1] & 127
        if size > 125:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        key = b"" if self.client else self.file.read(4)
        data = self.file.read(size)
        return start[0] & 15, masked(data, key) if key else data

    def event(self):
        opcode, data = self.read()
        same(opcode, TEXT, f"the frame {data!r}")
        return json.loads(data)

    def closed(self, code):
        opcode, data = self.read()
        same((opcode, int.from_bytes(data[:2], "big")), (CLOSE, code), f"the close frame {data!r}")

    def control(self, what, **data):
        self.send(event("event", f"intertie.ctl.{what}.v1", data))
        same(self.event()["type"], f"intertie.ctl.{what}.v1", "the answer's type")


def ask(port, path="/v1/ws", version="13", key=KEY, protocol="cloudevents.json", upgrade="websocket", host="localhost", **more):
    """A connection and the answer to its handshake."""
    fields = {"Host": host, "Upgrade": upgrade, "Connection": "Upgrade", "Sec-WebSocket-Version": version, "Sec-WebSocket-Key": key,
              "Sec-WebSocket-Protocol": protocol, **more}
    peer = Peer(socket.create_connection(("127.0.0.1", port), 10), True)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    peer.raw(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    status, headers, _ = read_head(peer.file)
    return peer, int(status.split(" ")[1]), headers


def join(router, path="/v1/ws", **more):
    peer, status, headers = ask(router.ports["web"], path, **more)
    same((status, headers["sec-websocket-accept"]), (101, accept_of(KEY).lower()), "the handshake")
    return peer


class Feed(Server):
    """A system that we dial. It answers queries, and ends its connection after `hang up`."""

    def __init__(self):
        self.got, self.heads = [], []
        super().__init__()

    def serve(self, peer):
        feed = Peer(peer, False)
        status, headers, lines = read_head(feed.file)
        key = next(line[19:] for line in lines if line.startswith("Sec-WebSocket-Key: "))
        self.heads.append((status, headers))
        feed.raw(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                  f"{accept_of(key)}\r\nSec-WebSocket-Protocol: cloudevents.json\r\n\r\n").encode())
        with peer:
            while True:
                try:
                    got = feed.read()
                except OSError:
                    return
                if not got or got[0] == CLOSE:
                    return
                if got[0] != TEXT:
                    continue
                message = json.loads(got[1])
                self.got.append(message)
                if message.get("data") == "hang up":
                    feed.raw(frame(CLOSE, b"\x03\xe9", key=None))
                    return
                if message.get("messagetype") == "query":
                    feed.send(dict(reply_to(message, {"seen": message["data"]}), source="/systems/feed"))


def started(work):
    feed = Feed()
    with Router(CONFIG.format(port=feed.port)) as router:
        work(router, feed)
    feed.close()


@case
def what_is_no_handshake_is_answered_as_http():
    def work(router, feed):
        web, ticks = router.ports["web"], router.ports["ticks"]
        for name, wanted, made in (
                ("version 8", 426, ask(web, version="8")), ("no version", 426, ask(web, version=None)),
                ("a short key", 400, ask(web, key="aGk=")), ("no key", 400, ask(web, key=None)),
                ("no subprotocol of ours", 400, ask(web, protocol="mqtt")), ("no subprotocol", 400, ask(web, protocol=None)),
                ("no upgrade", 426, ask(web, upgrade=None)), ("another page", 403, ask(web, Origin="http://evil.example")),
                ("a host that is not ours", 403, ask(web, host="evil.example")),
                ("another path of a ws listener", 404, ask(ticks, "/v1/ws")),
                ("no upgrade on a ws listener", 426, ask(ticks, "/ticks", upgrade=None)),
                ("a system of no name", 404, ask(web, "/v1/ws?system=A%20b"))):
            same(made[1], wanted, name)
            if wanted == 426:
                same(made[2].get("sec-websocket-version"), "13", name)
            made[0].socket.close()
        peer, status, _ = ask(web, Origin="http://localhost")
        same(status, 101, "a page of the same host")
        peer.socket.close()
    started(work)


@case
def a_session_sends_asks_takes_and_answers():
    def work(router, feed):
        desk, other = join(router, "/v1/ws?system=desk"), join(router)
        other.send(event("query", "com.example.price", {"sku": "A"}, target="desk"))
        got = desk.event()
        same((got["data"], got["messagetype"]), ({"sku": "A"}, "query"), "the question")
        desk.send(dict(reply_to(got, {"eur": 9}), source="/systems/desk"))
        same(other.event()["data"], {"eur": 9}, "the answer")
        other.send(event("query", "com.example.feed.ask", 7))
        same(other.event()["data"], {"seen": 7}, "the answer of whom we dialled")
        other.control("subscribe", sub=1, filter="type = 'com.example.news'")
        same(router.post(event("event", "com.example.news", "x")).status, 202, "accepted")
        same(other.event()["data"], "x", "what it subscribed to")
        other.send(event("query", "com.example.nobody", 1))
        answer = other.event()
        same((answer["messagetype"], answer["data"]["reason"]), ("error", "no-route"), "the error event")
        desk.raw(frame(CLOSE, b"\x03\xe8"))
        desk.closed(1000)
        same(desk.read(), None, "the end")
    started(work)


@case
def messages_come_in_parts_and_pings_are_answered_between():
    def work(router, feed):
        desk, other = join(router, "/v1/ws?system=desk"), join(router)
        text = json.dumps(event("event", "com.example.long", "é" * 70000, target="desk"), ensure_ascii=False).encode()
        for at in range(0, len(text), 9973):
            other.raw(frame(0 if at else TEXT, text[at:at + 9973], at + 9973 >= len(text)) + frame(PING, b"%d" % at))
            same(other.read(), (PONG, b"%d" % at), "the pong")
        same(len(desk.event()["data"]), 70000, "the whole of it")
    started(work)


@case
def what_breaks_the_rules_closes_with_its_code():
    def work(router, feed):
        for name, wanted, data in (("no mask", 1002, frame(TEXT, b"{}", key=None)), ("opcode 3", 1002, frame(3)),
                                   ("not UTF-8", 1007, frame(TEXT, b"\xff")), ("binary", 1003, frame(BINARY, b"{}")),
                                   ("too long", 1009, b"\x81\xff" + struct.pack(">Q", 1 << 40) + b"\0\0\0\0"),
                                   ("pings without end", 1008, frame(PING) * 1000)):
            peer = join(router)
            peer.raw(data)
            got = peer.read()
            while got and got[0] == PONG:
                got = peer.read()
            same((got[0], int.from_bytes(got[1][:2], "big")), (CLOSE, wanted), f"{name}: {got!r}")
            peer.socket.close()
    started(work)


@case
def data_alone_is_wrapped_on_a_listener_of_its_own():
    def work(router, feed):
        desk = join(router, "/v1/ws?system=desk")
        peer, status, headers = ask(router.ports["ticks"], "/ticks", protocol=None)
        same((status, "sec-websocket-protocol" in headers), (101, False), "no subprotocol")
        peer.raw(frame(TEXT, b'{"n":1}') + frame(TEXT, b"hello") + frame(BINARY, b"\xff\0"))
        got = [desk.event() for _ in range(3)]
        same([(each["type"], each["datacontenttype"]) for each in got],
             [("intertie.ws.text.v1", "application/json"), ("intertie.ws.text.v1", "text/plain; charset=utf-8"),
              ("intertie.ws.binary.v1", "application/octet-stream")], "how they are wrapped")
        same((got[0]["data"], got[1]["data"], base64.b64decode(got[2]["data_base64"])), ({"n": 1}, "hello", b"\xff\0"), "the data")
    started(work)


@case
def whom_we_dial_is_dialled_again_when_it_hangs_up():
    def work(router, feed):
        until(lambda: feed.heads, "the first handshake")
        status, headers = feed.heads[0]
        same((status, headers["host"], headers["sec-websocket-version"]), ("GET /in?a=b HTTP/1.1", f"127.0.0.1:{feed.port}", "13"),
             "the request")
        true("cloudevents.json" in headers["sec-websocket-protocol"], headers)
        same(router.post(event("event", "com.example.feed.x", "hang up")).status, 202, "accepted")
        until(lambda: any(got.get("data") == "hang up" for got in feed.got), "it came")
        same(router.post(event("event", "com.example.feed.x", "again")).status, 202, "accepted")
        until(lambda: any(got.get("data") == "again" for got in feed.got), "the next came")
        true(len(feed.heads) >= 2, "over another connection")
    started(work)


@case
def who_stops_says_goodbye():
    feed = Feed()
    with Router(CONFIG.format(port=feed.port)) as router:
        peer = join(router)
        peer.send(event("event", "com.example.feed.x", 1))
        until(lambda: feed.got, "it is served")
        router.child.terminate()
        peer.closed(1001)
        peer.raw(frame(CLOSE, b"\x03\xe9"))
    feed.close()


@case
def the_ws_package_is_a_client_and_a_server():
    sdk.install()
    node = subprocess.Popen(["node", "ws.js"], cwd=sdk.BUILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(node.stdout.readline())
        with Router(CONFIG.format(port=port)) as router:
            node.stdin.write(f"{router.ports['web']}\n")
            node.stdin.flush()
            for line in node.stdout:
                true(not line.startswith("not ok"), line)
                if line.startswith("done"):
                    break
            same(line.strip(), "done 5", "the package's checks")
    finally:
        node.kill()
        node.wait()
        node.stdin.close()
        node.stdout.close()


if __name__ == "__main__":
    os.environ.setdefault("NODE_ENV", "production")
    main()
