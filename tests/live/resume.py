#!/usr/bin/env python3
"""Stream v1 by hand: a client that is cut off and goes on where it was, with compression too; and two routers."""
import json
import socket
import struct
import threading
import time

from kit import LineSystem, Router, case, event, main, reply_to, same, true, until
from stream_kit import ACK, Client, GOAWAY
from tls_kit import client, dial, made, security

CONFIG = """
workers: 1
listeners: {{web: http://127.0.0.1:0, stream: {{url: "tcp://127.0.0.1:0", compress: [zstd, deflate]}}}}
systems:
  crm: {{accept: {{sessions: 1}}}}
  pricing: tcp://127.0.0.1:{pricing}
"""


class Stage:
    def __init__(self, answer=lambda got: None, config=CONFIG, **more):
        self.answer, self.config, self.more = answer, config, more

    def __enter__(self):
        self.pricing = LineSystem(self.answer)
        self.router = Router(self.config.format(pricing=self.pricing.port), **self.more).__enter__()
        self.client = Client(self.router.ports["stream"])
        return self

    def __exit__(self, *problem):
        try:
            self.router.__exit__(*problem)
        finally:
            self.pricing.close()

    def post(self, name):
        same(self.router.post(event("event", "com.example.news", {"name": name}, target="crm", id=name)).status, 202, name)

    def gone(self):
        def streams():
            answer = json.loads(self.router.http("GET", "/api/v1/connections", port=self.router.admin).body)
            return [one for one in answer["connections"] if one["name"] == "stream" and one["state"] == "open"]

        until(lambda: not streams(), "the cut is seen")


@case
def what_was_on_its_way_comes_again_with_its_number_and_nothing_twice():
    with Stage() as stage:
        client = stage.client
        welcome = client.connect()
        same((welcome["resumed"], welcome["expiry_ms"] > 0), (False, True), "welcome")
        client.serve()
        for name in ("a", "b", "c"):
            stage.post(name)
        same([client.message()[0] for _ in range(3)], [1, 2, 3], "numbers")
        client.ack(1)
        client.rx = 2  # as if the third had been lost
        client.cut()
        stage.gone()
        stage.post("d")
        welcome = client.connect(resume=True)
        same((welcome["resumed"], welcome["session"]), (True, client.session), "welcome")
        got = [client.message() for _ in range(2)]
        same([(seq, what["id"], "deliveryattempt" in what) for seq, _, what in got], [(3, "c", False), (4, "d", False)], "what came again")
        client.ack(4)
        until(lambda: stage.router.ended("delivered", "ok") == 4, "all four are delivered")


@case
def what_the_client_sent_and_heard_nothing_of_is_settled():
    with Stage() as stage:
        client = stage.client
        client.connect()
        client.send(event("event", "com.example.news", {"n": 1}, target="pricing"))
        client.wait_ack(1)
        client.send(event("event", "com.example.news", {"n": 2}, target="pricing"))
        client.send(event("event", "com.example.news", {"n": 3}, target="nobody"))
        until(lambda: stage.router.ended("delivered", "ok") == 2, "both arrived")
        client.cut()
        stage.gone()
        welcome = client.connect(resume=True)
        same((welcome["resumed"], welcome["rx"]), (True, 3), "how far the router is")
        kind, _, payload = client.next()
        same(kind, ACK, "frame")
        cum, count = struct.unpack(">QH", payload[:10])
        same((cum, count), (3, 1), "ack")
        same(struct.unpack(">QB", payload[12:21]), (3, 1), "the one that was rejected")
        client.send(event("event", "com.example.news", {"n": 4}, target="pricing"))
        client.acked = 3
        client.wait_ack(4)


@case
def a_reply_waits_for_who_asked():
    def answer(got):
        time.sleep(0.5)
        return reply_to(got, {"eur": 9.5})

    with Stage(answer) as stage:
        client = stage.client
        client.connect()
        client.send(event("query", "com.example.price.get", {}, target="pricing", id="q1"))
        time.sleep(0.1)
        client.cut()
        time.sleep(0.8)
        same(client.connect(resume=True)["resumed"], True, "resumed")
        same(client.message()[2]["data"], {"eur": 9.5}, "reply")


@case
def the_newer_connection_wins():
    with Stage() as stage:
        client = stage.client
        client.connect()
        client.serve()
        old = client.peer
        same(client.connect(resume=True)["resumed"], True, "resumed while the old connection stands")
        stage.post("a")
        same(client.message()[2]["id"], "a", "it comes on the new one")
        old.settimeout(5)
        try:
            while old.recv(4096):
                pass
        except ConnectionResetError:
            pass
        old.close()


@case
def a_strange_or_forgotten_session_is_a_new_one():
    with Stage() as stage:
        client = stage.client
        client.session = "AAAAAAAAAAAAAAAAAAAAAA"
        same(client.connect(resume=True)["resumed"], False, "unknown")
        client.serve()
        client.frame(GOAWAY, b'{"code":11}')
        client.cut()
        stage.gone()
        same(client.connect(resume=True)["resumed"], False, "after a goodbye")
        client.serve()
        stage.post("a")
        client.message()
        client.cut()
        stage.gone()
        fresh = Client(client.port)
        same(fresh.connect()["resumed"], False, "a client that lost all")
        fresh.serve()  # accept.sessions is 1: the one that waits makes room, and what it had comes here
        seq, flags, got = fresh.message()
        same((seq, got["id"], got["deliveryattempt"], bool(flags & 4)), (1, "a", 2, True), "a second attempt")


@case
def numbers_that_cannot_be_are_refused():
    with Stage() as stage:
        client = stage.client
        client.connect()
        client.cut()
        stage.gone()
        client.rx = 77
        try:
            client.connect(resume=True)
            raise AssertionError("it was taken")
        except AssertionError as problem:
            true('"code":14' in str(problem), str(problem))


@case
def a_session_of_somebody_else_is_nobodys():
    config = CONFIG.replace("  pricing:", "  desk: {{accept: true}}\n  pricing:")
    with Stage(config=config) as stage:
        client = stage.client
        client.connect()
        client.cut()
        stage.gone()
        same(client.connect(resume=True, system="desk")["resumed"], False, "another system")


@case
def several_workers_lose_nothing():
    with Stage(config=CONFIG.replace("workers: 1", "workers: 3").replace("{{accept: {{sessions: 1}}}}", "{{accept: true}}")) as stage:
        client = stage.client
        seen = set()
        client.connect(expiry_ms=2000)
        client.serve()
        for turn in range(6):
            for name in (f"{turn}a", f"{turn}b"):
                stage.post(name)
            seen.add(client.message()[2]["id"])
            client.cut()
            time.sleep(0.2)
            if not client.connect(resume=True, expiry_ms=2000)["resumed"]:
                client.rx = client.tx = client.acked = 0
                client.serve()
        wanted = {f"{turn}{name}" for turn in range(6) for name in "ab"}
        client.peer.settimeout(40)
        while seen != wanted:
            seq, _, got = client.message()
            client.ack(seq)
            seen.add(got["id"])


@case
def large_events_are_packed_both_ways():
    with Stage(lambda got: reply_to(got, got["data"])) as stage:
        client = stage.client
        same(client.connect(comp=["deflate", "none"])["comp"], "deflate", "comp")
        big = {"text": "again and again " * 200}
        client.send(event("query", "com.example.price.get", big, target="pricing", id="q1"), flags=2)
        _, flags, got = client.message()
        same((bool(flags & 2), got["data"]), (True, big), "reply")


@case
def two_routers_go_on_after_a_cut():
    hub = "workers: 1\nlisteners: {{stream: tcp://127.0.0.1:{port}, web: http://127.0.0.1:0}}\nsystems: {{edge: {{accept: true}}, pricing: tcp://127.0.0.1:{pricing}}}\n"
    seen = []
    pricing = LineSystem(lambda got: seen.append(got["id"]))
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    # Between the two stands a wire that can be cut.
    wire = socket.create_server(("127.0.0.1", 0))
    wires = []

    def cut(*peers):
        for peer in peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone by itself

    def pump(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        cut(one, other)

    def serve():
        try:
            while True:
                near, _ = wire.accept()
                far = socket.create_connection(("127.0.0.1", port))
                wires.append((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    edge = f"workers: 1\nlisteners: {{web: http://127.0.0.1:0}}\nsystems: {{pricing: {{url: intertie://127.0.0.1:{wire.getsockname()[1]}, compress: zstd}}}}\n"
    try:
        with Router(hub.format(port=port, pricing=pricing.port), name="hub"), Router(edge, name="edge") as router:
            for i in range(30):
                same(router.post(event("event", "com.example.news", {"text": "x" * 2000}, target="pricing", id=str(i))).status, 202, "taken")
                if i % 10 == 5:
                    until(lambda: len(wires) > i // 10, "the next connection")
                    cut(*wires[-1])
            until(lambda: len(set(seen)) == 30, "all arrive", 30)
            same(sorted(map(int, seen)), list(range(30)), "none twice")
    finally:
        wire.close()
        pricing.close()


class SealedClient(Client):
    def dial(self):
        return dial(self.port, client(made("a")))

    def cut(self):
        """A network that goes away: the connection ends, and nobody has said that it would."""
        raw = socket.socket(fileno=self.peer.detach())
        raw.shutdown(socket.SHUT_RDWR)
        raw.close()


@case
def over_tls_a_cut_is_a_loss_that_a_session_survives():
    config = CONFIG.replace('"tcp://127.0.0.1:0", compress: [zstd, deflate]', '"tls://127.0.0.1:0", tls: {{certificates: dev}}')
    config += security(made("a")).replace("{", "{{").replace("}", "}}")
    with Stage(config=config, replay=False) as stage:
        peer = stage.client = SealedClient(stage.router.ports["stream"])
        peer.connect()
        peer.serve()
        for name in ("a", "b"):
            stage.post(name)
        same([peer.message()[0] for _ in range(2)], [1, 2], "numbers")
        peer.ack(1)
        peer.rx = 1
        peer.cut()
        stage.gone()
        stage.post("c")
        same(peer.connect(resume=True)["resumed"], True, "welcome")
        same([peer.message()[2]["id"] for _ in range(2)], ["b", "c"], "what was not acknowledged, and the next")


if __name__ == "__main__":
    main()
