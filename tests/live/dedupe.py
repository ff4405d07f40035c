#!/usr/bin/env python3
"""Messages that come twice are taken once, by whatever protocol, connection and worker they come."""
import http.client
import json
import socket
import threading

from kit import LineSystem, Router, case, event, main, same, true, until

CONFIG = """
workers: {workers}
listeners:
  web: {{url: "http://127.0.0.1:0", anonymous: true}}
  lines: {{url: "tcp://127.0.0.1:0", anonymous: true}}
  datagrams: {{url: "udp://127.0.0.1:0", anonymous: true}}
systems:
  desk: {{url: "tcp://127.0.0.1:{desk}"}}
  other: {{url: "tcp://127.0.0.1:{other}"}}
  gone: {{accept: true, offline: refuse}}
routes:
  once: {{match: {{type: once}}, to: desk, dedupe: {{window: {window}}}}}
  rest: {{match: {{type: rest}}, to: desk}}
"""


class All:
    def __init__(self, workers=4, window="5m"):
        self.desk, self.other = LineSystem(), LineSystem()
        self.router = Router(CONFIG.format(workers=workers, desk=self.desk.port, other=self.other.port, window=window))

    def __enter__(self):
        self.router.__enter__()
        return self.router, self.desk, self.other

    def __exit__(self, *what):
        self.router.__exit__(*what)
        self.desk.close()
        self.other.close()


def command(id_, target="desk"):
    return dict(event("command", "do", {"n": 1}, target=target), id=id_)


def again(reply):
    return reply.getheader("Intertie-Duplicate") == "true"


def post(router, message):
    """As a client does: again while the first is said to be undecided."""
    return until(lambda: (reply := router.post(message)).status != 409 and reply, "it is decided")


def dropped(router):
    text = router.http("GET", "/metrics", port=router.admin).body.decode()
    return [line.split()[-1] for line in text.splitlines() if line.startswith("intertie_messages_dropped") and 'reason="duplicate"' in line]


@case
def a_command_is_taken_once_by_whichever_worker():
    for workers in (1, 4):
        with All(workers) as (router, desk, _):
            first = post(router, command("c1"))
            same((first.status, again(first)), (202, False))
            for _ in range(12):  # a connection each
                reply = post(router, command("c1"))
                same((reply.status, again(reply), reply.getheader("Intertie-Id")), (202, True, first.getheader("Intertie-Id")))
            post(router, command("c2"))
            until(lambda: len(desk.got) == 2, "the next arrives")
            same([got["id"] for got in desk.got], ["c1", "c2"])
            until(lambda: sum(int(n) for n in dropped(router)) == 12, "they are counted")


@case
def for_another_target_it_is_another():
    with All() as (router, desk, other):
        for target in ("desk", "other", "desk", "other"):
            same(post(router, command("c1", target)).status, 202)
        until(lambda: desk.got and other.got, "each has its own")
        same((len(desk.got), len(other.got)), (1, 1))


@case
def events_are_looked_for_where_it_is_written():
    with All() as (router, desk, _):
        for type_, duplicate in (("once", True), ("rest", False)):
            message = dict(event("event", type_, {}), id=type_)
            same([again(post(router, message)) for _ in range(3)], [False, duplicate, duplicate])
        until(lambda: len(desk.got) == 4, "all of one, one of the other")


@case
def a_window_ends():
    with All(window="300ms") as (router, desk, _):
        message = dict(event("event", "once", {}), id="e1")
        same(again(post(router, message)), False)
        until(lambda: not again(post(router, message)), "it is taken again")
        until(lambda: len(desk.got) == 2, "it arrives again")


@case
def it_outlives_a_reload():
    with All() as (router, desk, _):
        same(again(post(router, command("c1"))), False)
        router.write(router.config + "  more: {match: {type: more}, to: desk}\n")
        same(router.intertie("reload").returncode, 0)
        same(again(post(router, command("c1"))), True)
        same(len(desk.got), 1)


@case
def of_many_at_the_same_moment_one_is_taken():
    for workers in (1, 4):
        with All(workers) as (router, desk, _):
            for n in range(10):
                got, start = [], threading.Barrier(16)

                def send():
                    start.wait()
                    got.append(router.post(command(f"m{n}")))
                threads = [threading.Thread(target=send) for _ in range(16)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(30)
                same(len(got), 16)
                same(len([reply for reply in got if reply.status == 202 and not again(reply)]), 1, "so many were taken")
                for reply in got:
                    true(reply.status == 202 or (reply.status, reply.getheader("Retry-After")) == (409, "1"), f"{reply.status}")
            until(lambda: len(desk.got) >= 10, "they arrive")
            same(sorted(got["id"] for got in desk.got), sorted(f"m{n}" for n in range(10)))


@case
def what_was_refused_is_not_remembered():
    with All() as (router, _, _):
        for _ in range(3):
            reply = post(router, command("g1", "gone"))
            same((reply.status, again(reply)), (503, False))


@case
def a_batch_says_which_are_duplicates():
    with All() as (router, desk, _):
        post(router, command("b1"))
        body = json.dumps([command("b1"), command("b2")])
        rows = until(lambda: (rows := json.loads(router.http("POST", "/v1/messages", body, Content_Type="application/cloudevents-batch+json").body))
                     and rows[0]["status"] == 202 and rows, "the first is decided")
        same((rows[0].get("duplicate"), rows[1].get("duplicate")), (True, None))
        until(lambda: len(desk.got) == 2, "one of each")


@case
def order_on_a_connection_is_kept():
    """What waits for another worker's word holds back what comes behind it."""
    with All() as (router, desk, _):
        lines = router.lines("lines")
        wanted = []
        for n in range(400):
            kind = ("command", "event", "event")[n % 3]
            message = dict(event(kind, "rest", {"n": n}, target="desk"), id=f"o{n}")
            lines.send(message)
            wanted.append(f"o{n}")
        until(lambda: len(desk.got) == 400, "all arrive", 30)
        same([got["id"] for got in desk.got], wanted)
        lines.close()


@case
def lines_and_datagrams_are_looked_at_too():
    with All() as (router, desk, _):
        lines = router.lines("lines")
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        same(post(router, command("x1")).status, 202)
        lines.send(command("x1"))
        lines.send(command("x2"))
        until(lambda: len(desk.got) == 2, "the second arrives")
        for id_ in ("x1", "x2", "x3"):
            peer.sendto(json.dumps(command(id_)).encode(), ("127.0.0.1", router.ports["datagrams"]))
        until(lambda: len(desk.got) == 3, "the third arrives")
        same([got["id"] for got in desk.got], ["x1", "x2", "x3"])
        until(lambda: sum(int(n) for n in dropped(router)) == 3, "all are counted")
        peer.close()
        lines.close()


@case
def a_client_that_reconnects_and_sends_all_again_delivers_each_once():
    """It never reads its answers: each connection is cut while they may be on their way."""
    for workers in (1, 4):
        with All(workers) as (router, desk, _):
            for round_ in range(6):
                peer = socket.create_connection(("127.0.0.1", router.ports["web"]), 10)
                for n in range(20):
                    body = json.dumps(command(f"r{n}")).encode()
                    peer.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n"
                                 b"Content-Length: %d\r\n\r\n" % len(body) + body)
                if round_ % 2:
                    peer.recv(100)
                peer.close()
            connection = http.client.HTTPConnection("127.0.0.1", router.ports["web"], timeout=20)
            for n in range(20):
                def taken():
                    connection.request("POST", "/v1/messages", json.dumps(command(f"r{n}")), {"Content-Type": "application/cloudevents+json"})
                    reply = connection.getresponse()
                    reply.read()
                    return reply.status == 202
                until(taken, "it is taken")
            connection.close()
            until(lambda: len(desk.got) >= 20, "all arrive")
            same(sorted(got["id"] for got in desk.got), sorted(f"r{n}" for n in range(20)))


@case
def explain_tells_of_it():
    with All() as (router, _, _):
        told = router.intertie("explain", "--kind", "command", "--to", "desk", "--type", "do")
        true("dedupe.window 5m" in told.stdout and "dedupe.by source,id" in told.stdout, told.stdout + told.stderr)


if __name__ == "__main__":
    main()
