#!/usr/bin/env python3
"""JSON lines, stream v1 and datagrams, spoken by hand."""
import hashlib
import json
import socket
import struct
import threading
import time

from kit import Router, case, event, main, reply_to, same, true, until

CONFIG = """
workers: {workers}
listeners: {{web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0, beacons: {{url: udp://127.0.0.1:0, system: beacon, allow: 127.0.0.0/8}}}}
systems:
  desk: {{accept: true}}
  beacon: {{}}
  pricing: {{accept: {{sessions: 4}}}}
routes:
  all-desk: {{match: {{type: com.example.desk.*}}, to: desk}}
"""


def router(workers=2):
    return Router(CONFIG.format(workers=workers))


def settled(router_, name):
    """All workers know of the session."""
    until(lambda: router_.system(name)["sessions"] >= 1, f"{name} has a session")


@case
def a_session_gets_what_was_held():
    with router() as r:
        same(r.post(event("event", "com.example.desk.note", {"n": 1}, id="held")).status, 202, "status")
        peer = r.lines()
        peer.control("hello", system="desk")
        got = peer.read()
        same(got["id"], "held", "id")
        peer.close()


@case
def a_query_over_http_is_answered_by_a_session():
    with router(4) as r:
        peers = []
        for _ in range(2):
            peer = r.lines()
            peer.control("hello", system="pricing")
            peers.append(peer)
        settled(r, "pricing")
        def serve(peer):
            while got := peer.read(30):
                peer.send(reply_to(got, {"ok": got["id"]}))
        for peer in peers:
            threading.Thread(target=serve, args=(peer,), daemon=True).start()
        for _ in range(40):
            asked = event("query", "a.b", {}, target="pricing")
            reply = r.post(asked)
            same((reply.status, json.loads(reply.body)["data"]), (200, {"ok": asked["id"]}), "reply")
        for peer in peers:
            peer.socket.shutdown(socket.SHUT_RDWR)


@case
def a_subscription_gets_what_matches():
    with router(4) as r:
        peer = r.lines()
        peer.control("subscribe", filter="type LIKE 'com.example.tick%' AND priority > 2")
        sent = [event("event", "com.example.tick.a", {"n": n}, priority=n) for n in range(1, 6)]
        accepted = [r.post(each).status for each in sent]
        same(accepted, [404, 404, 202, 202, 202], "who takes it")
        same(sorted(peer.read()["data"]["n"] for _ in range(3)), [3, 4, 5], "what arrived")
        peer.close()


@case
def a_broken_line_is_answered_and_the_next_one_counts():
    with router() as r:
        peer = r.lines()
        peer.raw(b'{"specversion":"1.0","id":"x","type":"t"}\n')
        got = peer.read()
        same((got["messagetype"], got["causationid"], got["data"]["reason"]), ("error", "x", "malformed-event"), "error event")
        peer.send(event("event", "com.example.desk.note", {}))
        until(lambda: r.system("desk")["held"] == 1, "the next one is held")
        peer.close()


@case
def what_is_no_protocol_is_told_so():
    with router() as r:
        with socket.create_connection(("127.0.0.1", r.ports["stream"]), 10) as peer:
            peer.settimeout(10)
            peer.sendall(b"hello?\r\n")
            got = b""
            while chunk := peer.recv(4096):
                got += chunk
            true(b"\n" in got and len(got) < 400, f"a readable line: {got!r}")


def frame(kind, payload, flags=0):
    return struct.pack(">IBBH", len(payload), kind, flags, 0) + payload


class Stream1:
    def __init__(self, port, hello):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.settimeout(10)
        self.socket.sendall(b"\xf5its\x01\x00\x00\x00" + frame(1, json.dumps(hello).encode()))
        same(self.exactly(8)[:5], b"\xf5its\x01", "preface")

    def exactly(self, size):
        data = b""
        while len(data) < size:
            chunk = self.socket.recv(size - len(data))
            true(chunk, "closed")
            data += chunk
        return data

    def read(self, wanted=None):
        while True:
            size, kind, flags, _ = struct.unpack(">IBBH", self.exactly(8))
            payload = self.exactly(size)
            if wanted in (None, kind):
                return kind, flags, payload


@case
def stream_v1_by_hand():
    with router() as r:
        peer = Stream1(r.ports["stream"], {"client": "hand/1", "system": "desk", "enc": ["json"], "auth": {"method": "none"}})
        welcome = json.loads(peer.read(2)[2])
        same((welcome["system"], welcome["enc"], welcome["resumed"]), ("desk", "json", False), "WELCOME")
        peer.socket.sendall(frame(7, json.dumps({"sub": 1}).encode()))
        same(json.loads(peer.read(9)[2])["status"], 200, "RESULT")
        sent = event("event", "com.example.desk.note", {"n": 1}, source="/systems/desk")
        peer.socket.sendall(frame(4, struct.pack(">QIB3x", 1, 0, 1) + json.dumps(sent).encode()))
        kind, _, payload = peer.read()
        frames = {kind: payload}
        while len(frames) < 2:
            kind, _, payload = peer.read()
            frames[kind] = payload
        cum, entries = struct.unpack(">QH", frames[5][:10])
        same((cum, entries), (1, 0), "ACK")
        seq = struct.unpack(">Q", frames[4][:8])[0]
        same((seq, json.loads(frames[4][16:])["id"]), (1, sent["id"]), "MSG")
        peer.socket.sendall(frame(5, struct.pack(">QHH", 1, 0, 0)))
        until(lambda: r.system("desk")["delivered"] == 1, "delivered at the ack")
        peer.socket.sendall(frame(0x0a, b"12345678"))
        same(peer.read(0x0b)[2], b"12345678", "PONG")
        peer.socket.sendall(frame(0x33, b""))
        same(json.loads(peer.read(0x0d)[2])["code"], 1, "ERROR for an unknown frame")


@case
def a_key_can_be_rotated_on_a_living_connection():
    old, new = "itk_" + "o" * 43, "itk_" + "n" * 43
    keys = ", ".join(f'{name}: {{hash: "sha256:{hashlib.sha256(key.encode()).hexdigest()}"}}'
                     for name, key in (("old", old), ("new", new)))
    config = (CONFIG.format(workers=1).replace("desk: {accept: true}", "desk: {accept: true}\n  crm: {}") +
              f"security: {{identities: {{crm: {{system: crm, allow: send system/desk, keys: {{{keys}}}}}}}}}\n")
    with Router(config) as r:
        peer = Stream1(r.ports["stream"], {"enc": ["json"], "auth": {"method": "bearer", "token": old}})
        same(json.loads(peer.read(2)[2])["system"], "crm", "WELCOME")
        for key, status in ((new, 200), ("itk_" + "x" * 43, 401)):
            peer.socket.sendall(frame(3, json.dumps({"auth": {"method": "bearer", "token": key}}).encode()))
            same(json.loads(peer.read(9)[2])["status"], status, "RESULT")
        peer.socket.sendall(frame(4, struct.pack(">QIB3x", 1, 0, 1) + json.dumps(
            event("event", "a.b", {}, source="/systems/crm", target="desk")).encode()))
        until(lambda: r.system("desk")["held"] == 1, "still crm")
        peer.socket.close()


@case
def an_unacknowledged_message_goes_to_the_next_session():
    with router() as r:
        first = Stream1(r.ports["stream"], {"system": "desk", "enc": ["json"]})
        first.read(2)
        first.socket.sendall(frame(7, b'{"sub":1}'))
        first.read(9)
        same(r.post(event("event", "com.example.desk.note", {}, id="twice")).status, 202, "status")
        same(json.loads(first.read(4)[2][16:])["id"], "twice", "first attempt")
        first.socket.close()
        second = Stream1(r.ports["stream"], {"system": "desk", "enc": ["json"]})
        second.read(2)
        second.socket.sendall(frame(7, b'{"sub":1}'))
        got = json.loads(second.read(4)[2][16:])
        same((got["id"], got["deliveryattempt"]), ("twice", 2), "second attempt")
        second.socket.close()


@case
def an_event_by_datagram():
    with router() as r:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as beacon:
            beacon.sendto(b"no event", ("127.0.0.1", r.ports["beacons"]))
            sent = event("event", "com.example.desk.beacon", {"n": 1}, source="/systems/beacon")
            beacon.sendto(json.dumps(sent).encode(), ("127.0.0.1", r.ports["beacons"]))
            until(lambda: r.system("desk")["held"] == 1, "the event is held")
            true(r.status()["messages"]["invalid"] >= 1, "the other is counted")


@case
def order_holds_for_one_sender():
    with router(4) as r:
        desk = r.lines()
        desk.control("hello", system="desk")
        settled(r, "desk")
        sender = r.lines()
        for n in range(500):
            sender.send(event("event", "com.example.desk.n", {"n": n}))
        same([desk.read()["data"]["n"] for _ in range(500)], list(range(500)), "order")
        sender.close()
        desk.close()


@case
def sessions_that_come_and_go_lose_nothing():
    """Three acknowledging sessions that close in mid-stream, again and again: each message arrives at least once."""
    with router(2) as r:
        got, over = set(), threading.Event()

        def consume(lifetime):
            while not over.is_set():
                try:
                    peer = Stream1(r.ports["stream"], {"system": "desk", "enc": ["json"]})
                    peer.read(2)
                    peer.socket.sendall(frame(6, struct.pack(">QQ", 10**9, 10**12)) + frame(7, b'{"sub":1}'))
                    end = time.monotonic() + lifetime
                    peer.socket.settimeout(1)
                    while time.monotonic() < end and not over.is_set():
                        kind, _, payload = peer.read()
                        if kind == 4:
                            got.add(json.loads(payload[16:])["id"])
                            seq = struct.unpack(">Q", payload[:8])[0]
                            if seq % 7 == 0:
                                peer.socket.sendall(frame(5, struct.pack(">QHH", seq, 0, 0)))
                    peer.socket.close()
                except (OSError, AssertionError):
                    pass
        consumers = [threading.Thread(target=consume, args=(0.2 + 0.1 * n,), daemon=True) for n in range(3)]
        for consumer in consumers:
            consumer.start()
        sender = r.lines()
        sent = set()
        for n in range(6000):
            sent.add(f"n{n}")
            sender.send(event("event", "com.example.desk.n", {"n": n}, id=f"n{n}"))
        until(lambda: len(got) == len(sent), "all have arrived", 60)
        same(got, sent, "what arrived")
        over.set()
        for consumer in consumers:
            consumer.join(5)
        sender.close()


if __name__ == "__main__":
    main()
