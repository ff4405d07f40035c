#!/usr/bin/env python3
"""Peers that mean harm, one way after the other. Each is cut off or held within a limit, log and metric tell why, and a
well-behaved client beside them gets all its answers meanwhile."""
import json
import os
import re
import resource
import signal
import socket
import struct
import threading
import time

from hostile_kit import *
from kit import case, main

COUNT = 150 # attackers at once


def gather(peers, seconds=20):
    """What each got until it was closed."""
    return [peer.read_all(seconds) for peer in peers]


def close_all(peers):
    for peer in peers:
        peer.close()


def trickle(peers, data, seconds, step=0.05):
    """Each peer sends byte after byte, all in turn, for so long."""
    end = time.monotonic() + seconds
    for n in range(len(data)):
        if time.monotonic() > end:
            return
        for peer in peers:
            peer.send(data[n:n + 1])
        time.sleep(step)


# -- slow ones --


@case
def slow_heads_get_408():
    with World(web="timeouts: {head: 1s}") as w:
        before = w.marks()
        peers = [w.raw() for _ in range(COUNT)]
        trickle(peers, b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 500, 1.5)
        for got in gather(peers):
            same((code(got), reason(got)), (408, "head-timeout"), got)
        w.served_meanwhile(before, "slow heads")
        w.closed("head-timeout", COUNT)
        close_all(peers)


@case
def slow_bodies_get_408():
    """A body has timeouts.head, and a second for each KiB."""
    with World(web="timeouts: {head: 500ms}, limits: {message: 1KiB}") as w:
        before = w.marks()
        for start in (b"Content-Length: 500\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1f4\r\n"):
            peers = [w.raw() for _ in range(COUNT)]
            for peer in peers:
                peer.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n" + start)
            trickle(peers, b"y" * 400, 2.0)
            for got in gather(peers):
                same((code(got), reason(got)), (408, "head-timeout"), got)
            close_all(peers)
        w.served_meanwhile(before, "slow bodies")
        w.closed("head-timeout", 2 * COUNT)


@case
def silent_connections_are_closed():
    with World(web="timeouts: {idle: 1s}", stream="timeouts: {idle: 1s, head: 1s}") as w:
        before = w.marks()
        peers = [w.raw("web" if n % 2 else "stream") for n in range(COUNT)]
        lines = [w.router.lines() for _ in range(20)]
        for line in lines:
            line.control("hello")
        for got in gather(peers):
            same(got, b"", "nothing is said to the silent")
        for line in lines:
            same(line.read(), None, "the line is closed")
            line.close()
        w.served_meanwhile(before, "silence")
        w.closed("idle-timeout", COUNT // 2 + 20)
        close_all(peers)


@case
def handshakes_that_never_end_are_cut():
    with World(stream="timeouts: {head: 1s}") as w:
        before = w.marks()
        starts = [PREFACE[:3], PREFACE, PREFACE + frame(HELLO, {})[:5], PREFACE + frame(HELLO, {"enc": ["json"]})[:-1]]
        peers = []
        for start in starts:
            for _ in range(10):
                peers.append(w.raw("stream"))
                peers[-1].send(start)
        gather(peers)
        w.served_meanwhile(before, "half handshakes")
        w.closed("head-timeout", 40)
        close_all(peers)


@case
def a_silent_stream_is_found_out_by_its_heartbeat():
    """Also what a peer looks like that vanished without a word."""
    with World() as w:
        streams = [Stream(w.ports["stream"], {"hb_ms": 200}) for _ in range(20)]
        for stream in streams:
            same(error_of(stream), (10, "heartbeat-timeout"), "what it is told")
        w.closed("heartbeat-timeout", 20)
        close_all(streams)


@case
def whoever_is_slower_than_the_minimum_is_cut():
    """A body, a line and a frame that have begun, a byte now and then. 5 s of grace, then the rate of 5 s counts."""
    made = event("event", "a.b", {"x": "y" * 20000}, target="desk")
    with World(web="timeouts: {head: 60s}, limits: {min_rate: 1KiB/s}", stream="limits: {min_rate: 1KiB/s}") as w:
        before = w.marks()
        bodies, lines, frames = ([w.raw(listener) for _ in range(20)] for listener in ("web", "stream", "stream"))
        for peer in bodies:
            peer.send(post(b"x" * 20000)[:-19990])
        for peer in lines:
            peer.send(json.dumps(made).encode()[:500])
        for peer in frames:
            peer.send(PREFACE + frame(HELLO, {"enc": ["json"]}) + message(1, made)[:500])
        end = time.monotonic() + 13
        while time.monotonic() < end:
            for peer in bodies + lines + frames:
                peer.send(b"y")
            time.sleep(0.2)
        for peer in bodies:
            same((code(peer.read_all()), reason(peer.got)), (408, "too-slow"), peer.got)
        for peer in lines:
            true(b'"too-slow"' in peer.read_all(), f"a line: {peer.got[-200:]!r}")
        for peer in frames:
            true(b'"too-slow"' in peer.read_all(), f"a frame: {peer.got[-200:]!r}")
        w.served_meanwhile(before, "those who are too slow")
        w.closed("too-slow", 60)
        true(w.metric("intertie_limits_reached_total", limit="listeners.limits.min_rate") >= 60, "the limit is counted")
        close_all(bodies + lines + frames)


# -- those who do not read --


@case
def who_takes_no_answers_is_not_read():
    with World(web="timeouts: {idle: 2s}") as w:
        start = rss(w.pid)
        before = w.marks()
        asks = [(w.router.admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                (w.ports["web"], b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                (w.ports["web"], post(b"x" * 100, "/v1/systems/nobody/messages"))]
        peers = []
        for port, ask in asks:
            peers.append(w.raw(port=port))
            sent = peers[-1].push(ask * (40_000_000 // len(ask)))
            true(sent < 30_000_000, f"{sent} bytes of requests were taken from one who reads nothing")
        w.bounded(start, 60)
        w.served_meanwhile(before, "answers that nobody reads")
        close_all(peers)



@case
def streams_that_are_not_read_are_cut():
    """PING after PING, and events that are refused: each has an answer, and nobody takes it."""
    bad = json.dumps(event("event", "a.b", {}, target="nobody")).encode() + b"\n"
    with World() as w:
        start = rss(w.pid)
        before = w.marks()
        line = w.raw("stream")
        line.push(bad * (64_000_000 // len(bad)), 3)
        stream = Stream(w.ports["stream"], {})
        refused = b"".join(message(n, event("event", "a.b", {}, target="nobody")) for n in range(1, 256))
        stream.push(refused + frame(PING, b"12345678") * 90, 3)
        w.served_meanwhile(before, "answers that nobody reads")
        w.bounded(start, 60)
        close_all([line, stream])


@case
def who_takes_nothing_is_closed():
    """timeouts.write, for an answer, and for messages to a session and to a subscriber."""
    with World(web="timeouts: {write: 1s}", stream="timeouts: {write: 1s}", systems="deaf: {accept: true}") as w:
        before = w.marks()
        peer = w.raw()
        peer.push(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200000)
        line = w.router.lines()
        line.control("hello", system="deaf")
        stream = Stream(w.ports["stream"], {"credit": {"msgs": 100000, "bytes": 1 << 30}, "ack": False, "max_frame": 1 << 20})
        stream.send(frame(SUBSCRIBE, {"sub": 1, "filter": "type = 'flood'", "ack": False}))
        stream.until_frame(RESULT)
        until(lambda: w.router.system("deaf")["sessions"] == 1, "a session")
        for n in range(40):
            same(w.router.post(event("event", "a.b", {"x": "y" * 500000}, target="deaf")).status, 202, "taken")
            w.router.post(event("event", "flood", {"x": "y" * 500000}))
        w.closed("write-timeout", 3)
        until(lambda: w.router.system("deaf")["sessions"] == 0, "the session is over")
        w.served_meanwhile(before, "those who take nothing")
        true(w.metric("intertie_limits_reached_total", limit="listeners.timeouts.write") >= 3, "the limit is counted")
        line.close()
        close_all([peer, stream])


@case
def a_subscriber_that_never_reads_costs_its_own_messages_only():
    """A publisher floods; one subscriber sleeps, the other reads on and gets all."""
    total, data = 6000, "x" * 4000
    with World(more="policies: {default: {limits: {queue: {messages: 2000, bytes: 4MiB}}}}") as w:
        start = rss(w.pid)
        asleep = Stream(w.ports["stream"], {"credit": {"msgs": 100000, "bytes": 1 << 30}, "ack": False})
        asleep.send(frame(SUBSCRIBE, {"sub": 1, "filter": "type = 'flood'", "ack": False}))
        asleep.until_frame(RESULT)
        awake = Stream(w.ports["quiet"], {"credit": {"msgs": 100000, "bytes": 1 << 30}, "ack": False})
        awake.send(frame(SUBSCRIBE, {"sub": 1, "filter": "type = 'flood'", "ack": False}))
        awake.until_frame(RESULT)
        got = []

        def read():
            try:
                while len(got) < total:
                    kind, payload = awake.frame(30)
                    if kind == MSG:
                        got.append(json.loads(payload[16:])["data"]["n"])
            except (OSError, ConnectionError) as problem:
                got.append(problem)
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        before = w.marks()
        publisher = w.raw("stream")
        publisher.socket.settimeout(60)
        for n in range(total):
            publisher.socket.sendall(json.dumps(event("event", "flood", {"n": n, "x": data})).encode() + b"\n")
        reader.join(60)
        same(got, list(range(total)), "the one awake gets all, in order")
        w.served_meanwhile(before, "a flood for a sleeper")
        until(lambda: w.metric("intertie_messages_dropped_total", reason="slow-consumer") > 0, "the sleeper's are counted")
        until(lambda: w.logged("message dropped", reason="slow-consumer"), "the log says so")
        w.bounded(start, 60)
        close_all([asleep, awake, publisher])


# -- resets --


STATES = {
    "after connect": ("web", b""),
    "in the request line": ("web", b"POST /v1/mess"),
    "in the head": ("web", b"POST /v1/messages HTTP/1.1\r\nHost: loc"),
    "in the body": ("web", post(b"x" * 5000)[:-2000]),
    "in a chunk": ("web", b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc"),
    "before the answer": ("web", post(b"x", "/v1/systems/mute/messages", b"ce-specversion: 1.0\r\nce-id: 1\r\nce-type: a\r\nce-source: /a\r\nce-messagetype: query\r\n")),
    "while many are pipelined": ("web", post(b"x" * 100) * 50),
    "in the preface": ("stream", PREFACE[:5]),
    "in HELLO": ("stream", PREFACE + frame(HELLO, {"enc": ["json"]})[:-3]),
    "after HELLO": ("stream", PREFACE + frame(HELLO, {"enc": ["json"]})),
    "in a frame": ("stream", PREFACE + frame(HELLO, {"enc": ["json"]}) + message(1, event("event", "a.b", {"x": "y" * 500}, target="desk"))[:-100]),
    "after a frame": ("stream", PREFACE + frame(HELLO, {"enc": ["json"]}) + message(1, event("event", "a.b", {}, target="sink"))),
    "in a line": ("stream", b'{"specversion":"1.0","id":"1","sou'),
    "after a line": ("stream", json.dumps(event("event", "a.b", {}, target="sink")).encode() + b"\n"),
    "as a session": ("stream", json.dumps(event("event", "intertie.ctl.hello.v1", {"system": "crowd"})).encode() + b"\n"),
}


@case
def resets_in_every_state_are_survived():
    with World(systems="crowd: {accept: {sessions: 10000}}\n  sink: {accept: true}\n  mute: {accept: true, timeouts: {request: 2s}}") as w:
        mute = w.router.lines("quiet")
        mute.control("hello", system="mute")
        for state, (listener, data) in STATES.items():
            before = w.marks()
            for n in range(30):
                peer = w.raw(listener)
                peer.send(data)
                if n % 2:
                    time.sleep(0.002) # half of them are read before the reset, half with it
                peer.reset()
            w.served_meanwhile(before, f"resets {state}")
        until(lambda: w.metric("intertie_connections_closed_total", reason="reset") >= 100, "resets are counted")
        until(lambda: w.logged("connection closed", reason="reset"), "the log says so")
        until(lambda: w.router.system("crowd")["sessions"] == 0, "no session is left over")
        mute.close()


@case
def a_system_that_resets_in_every_state_gets_another_try():
    """What we dial: it resets at once, in the middle of our request, of its answer, between two answers."""
    answers = [None, b"", b"HTTP/1.1 2", b"HTTP/1.1 202 Accepted\r\nContent-Le", b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nab"]
    seen = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        n = 0
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            how = answers[n % len(answers)] if n < 20 else b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
            n += 1
            if n <= 20 and how is None:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
                continue
            with peer:
                peer.settimeout(10)
                try:
                    got = b""
                    while how is not None and b"\r\n\r\n" not in got and (piece := peer.recv(65536)):
                        got += piece
                    if how:
                        peer.sendall(how)
                    if n <= 20:
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    seen.append(got)
                except OSError:
                    pass
    threading.Thread(target=serve, daemon=True).start()
    with World(systems=f'shaky: {{url: "http://127.0.0.1:{server.getsockname()[1]}/in", timeouts: {{attempt: 2s}}, pool: {{max: 2}}}}') as w:
        before = w.marks()
        for n in range(10):
            same(w.router.post(event("event", "a.b", {"n": n}, target="shaky")).status, 202, "taken")
        until(lambda: w.metric("intertie_messages_delivered_total", system="shaky") + w.metric("intertie_messages_dead_lettered_total", system="shaky") >= 10,
              "each ends", 30)
        same(w.metric("intertie_messages_delivered_total", system="shaky"), 10, "and well: an event is sent again")
        w.served_meanwhile(before, "a system that resets")
        until(lambda: w.metric("intertie_redeliveries_total", system="shaky") > 0, "tries are counted")
    server.close()


# -- floods --


@case
def ten_thousand_pipelined_requests_are_answered_in_order():
    with World() as w:
        before = w.marks()
        peer = w.raw()
        asks = b"".join(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % n if n % 3 else post(b"x") for n in range(10000))
        threading.Thread(target=peer.send, args=(asks,), daemon=True).start()
        got = b""
        peer.socket.settimeout(60)
        while got.count(b"HTTP/1.1 ") < 10000:
            piece = peer.socket.recv(1 << 20)
            true(piece, "the connection stays")
            got += piece
        codes = [int(one) for one in re.findall(rb"HTTP/1\.1 (\d\d\d) ", got)]
        same(codes, [404 if n % 3 else 202 for n in range(10000)], "answers in order")
        w.served_meanwhile(before, "10,000 pipelined requests")
        peer.close()


@case
def connections_come_and_go_by_thousands():
    with World() as w:
        before = w.marks()
        start = descriptors(w.pid)
        for _ in range(20):
            peers = [w.raw("web" if n % 2 else "stream") for n in range(100)]
            for n, peer in enumerate(peers):
                if n % 3 == 0:
                    peer.send(b"x")
                if n % 5 == 0:
                    peer.reset()
                else:
                    peer.close()
        w.served_meanwhile(before, "2,000 connections")
        until(lambda: descriptors(w.pid) <= start + 3, "their descriptors are free again")


@case
def floods_of_connections_meet_their_limit():
    """Of a listener, of one address, of the process; the admin surface answers all the while."""
    for more, web, limit, allowed in (("", "limits: {connections: 40}", "listeners.*.limits.connections", 40),
                                      ("", "limits: {per_peer: 40}", "listeners.*.limits.per_peer", 40),
                                      ("limits: {connections: 50}", "", "limits.connections", 50)):
        with World(more=more, web=web) as w:
            before = w.marks()
            peers = [w.raw() for _ in range(300)]
            for peer in peers:
                peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            served = refused = 0
            for peer in peers:
                try:
                    peer.read_until(b"}")
                except AssertionError:
                    pass
                served += code(peer.got) == 404
                refused += (code(peer.got), reason(peer.got)) == (503, "too-many-connections")
            true(0 < served <= allowed, f"{limit}: {served} were let in")
            true(refused > 200, f"{limit}: {refused} were told so")
            w.served_meanwhile(before, limit)
            until(lambda: w.metric("intertie_connections_refused_total", reason="too-many-connections") >= 300 - served, f"{limit}: counted")
            true(w.logged("connection refused", reason="too-many-connections"), f"{limit}: logged")
            close_all(peers)
            until(lambda: code((one := w.raw()).send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") and one.read_until(b"}")) == 404,
                  f"{limit}: there is room again")


@case
def without_descriptors_accepting_waits_and_does_not_spin():
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    with World(prepare=few, more="workers: 2") as w:
        before = w.marks()
        peers = []
        for n in range(200): # the kernel completes them, the backlog keeps them
            peers.append(w.raw("web" if n % 2 else "stream"))
        until(lambda: w.logged("accepting paused"), "the log tells that accepting is paused")
        same(w.logged("accepting paused")["reason"], "out-of-descriptors", "why")
        used = cpu(w.pid)
        time.sleep(1.5)
        used = cpu(w.pid) - used
        true(used < 0.75, f"{used:.2f} s of CPU in 1.5 s of waiting")
        w.served_meanwhile(before, "no descriptors left")
        close_all(peers)
        fresh = w.raw()
        fresh.send(post())
        same(code(fresh.read_until(b"\r\n\r\n")), 202, "a new connection when there is room again")
        fresh.close()


# -- too large --


@case
def everything_too_large_is_refused_by_name():
    lines = b"POST /v1/systems/desk/messages HTTP/1.1\r\nHost: localhost\r\n"
    chunked = lines + b"Transfer-Encoding: chunked\r\n\r\n"
    many = json.dumps([event("event", "a.b", {}, target="desk")] * 1001).encode()
    deep = b'{"specversion":"1.0","id":"1","source":"/a","type":"t","target":"desk","data":' + b"[" * 5000 + b"]" * 5000 + b"}"
    wide = json.dumps({"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "target": "desk",
                       **{f"a{n}": "x" for n in range(5000)}}).encode()
    named = json.dumps({"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "target": "desk", "n" * 5000: "x"}).encode()
    structured = b"Content-Type: application/cloudevents+json\r\n"

    def whole(body, kind=structured):
        return lines + kind + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    cases = {
        "request line": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "uri-too-long"),
        "request line without end": (b"G" * 100000, 414, "uri-too-long"),
        "a header": (lines + b"X: " + b"y" * 40000 + b"\r\n\r\n", 431, "headers-too-large"),
        "many headers": (lines + b"X: y\r\n" * 200 + b"\r\n", 431, "headers-too-large"),
        "head without end": (lines + b"X: y\r\n" * 90 + b"Z: " + b"z" * 100000, 431, "headers-too-large"),
        "body": (lines + b"Content-Length: 70000\r\n\r\n" + b"x" * 70000, 413, "too-large"),
        "body announced": (lines + b"Content-Length: 9999999999\r\n\r\n", 413, "too-large"),
        "chunks": (chunked + b"8000\r\n" + b"x" * 0x8000 + b"\r\n8001\r\n" + b"x" * 0x8001, 413, "too-large"),
        "chunk announced": (chunked + b"fffffffffffffff\r\nx", 413, "too-large"),
        "many small chunks": (chunked + b"1\r\nx\r\n" * 70000, 413, "too-large"),
        "chunk extension": (chunked + b"1;" + b"e" * 300 + b"\r\nx", 400, "protocol-error"),
        "trailers": (chunked + b"0\r\n" + b"T: u\r\n" * 20 + b"\r\n", 400, "protocol-error"),
        "a trailer": (chunked + b"0\r\nT: " + b"u" * 9000 + b"\r\n\r\n", 400, "protocol-error"),
        "batch": (whole(many, b"Content-Type: application/cloudevents-batch+json\r\n"), 413, "too-large"),
        "depth": (whole(deep), 400, "malformed-event"),
        "attributes": (whole(wide), 413, "too-large"),
        "a name": (whole(named), 400, "malformed-event"),
    }
    with World(web="limits: {message: 64KiB}", more="") as w:
        before = w.marks()
        for name, (data, status, why) in cases.items():
            if name == "batch":
                continue # larger than this listener's message
            peer = w.raw()
            peer.push(data, 5)
            got = peer.read_until(b"}")
            same((code(got), reason(got)), (status, why), name)
            peer.close()
        w.served_meanwhile(before, "what is too large")
        for why in ("uri-too-long", "headers-too-large", "too-large", "protocol-error"):
            w.closed(why, 1)
    with World() as w:
        peer = w.raw()
        peer.push(cases["batch"][0], 5)
        same((code(peer.read_until(b"}")), reason(peer.got)), (413, "too-large"), "batch")
        peer.close()


@case
def streams_too_large_are_refused_by_name():
    with World(stream="limits: {message: 100KiB}", systems="sleepy: {accept: true, limits: {queue: {messages: 1}}}") as w:
        before = w.marks()
        frames = {
            "a frame announced": (struct.pack(">IBBH", 0xffffffff, MSG, 0, 0), 7),
            "a frame": (message(1, event("event", "a.b", {"x": "y" * 110000}, target="desk")), 7),
            "a control frame": (frame(SUBSCRIBE, b"{" + b" " * 20000 + b"}"), 7),
            "an unknown frame": (frame(0x55, b"x" * 20000, 0x80), 7),
            "too many control frames": (frame(PING, b"12345678") * 500, 16),
            "empty control frames": (frame(PING) * 500, None),
            "a gap": (message(7, event("event", "a.b", {}, target="desk")), 14),
            "more than the credit": (b"".join(message(n, event("event", "a.b", {}, target="sleepy")) for n in range(1, 6000)), 8),
        }
        for name, (data, wanted) in frames.items():
            stream = Stream(w.ports["stream"], {})
            stream.push(data, 5)
            got, slug = error_of(stream)
            if wanted:
                same(got, wanted, f"{name} ({slug})")
            else:
                true(got, name)
            stream.close()
        lines = {
            "a line": json.dumps(event("event", "a.b", {"x": "y" * 110000}, target="desk")).encode() + b"\n",
            "a line without end": b'{"x":"' + b"y" * 500000,
            "spaces": b" " * 500000,
            "bad lines": b"{}\n" * 5000,
            "deep": b'{"specversion":"1.0","id":"1","source":"/a","type":"t","data":' + b"[" * 50000 + b"\n",
        }
        for name, data in lines.items():
            line = w.raw("stream")
            line.push(data, 5)
            if name in ("deep", ):
                line.read_until(b"\n")
            else:
                true(b"too-large" in (got := line.read_all()) or b"rate-limited" in got or b"malformed" in got, f"{name}: {got[-300:]}")
            line.close()
        w.served_meanwhile(before, "frames too large")


@case
def datagrams_of_any_kind_are_told_apart():
    """Empty, garbage, cut off, too large, nested, twice in one; from strangers. What is good still arrives."""
    listeners = """
  beacons: {url: udp://127.0.0.1:0, allow: 127.0.0.0/8}
  closed: {url: udp://127.0.0.1:0, allow: 10.0.0.0/8}"""
    with World(systems="ground: {accept: true}", listeners=listeners) as w:
        before = w.marks()
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made = event("event", "a.b", {}, target="ground")
        good = json.dumps(made).encode()
        kinds = [b"", b"\0", b"garbage", PREFACE, good[:-1], good * 2, b"[" * 1100, good[:-2] + b" " * 1300 + b"}}", b"x" * 60000,
                 json.dumps(event("event", "a.b", "x" * 1300, target="ground")).encode()]
        for _ in range(20):
            for data in kinds:
                sender.sendto(data, ("127.0.0.1", w.ports["beacons"]))
                sender.sendto(good, ("127.0.0.1", w.ports["closed"]))
            time.sleep(0.005)
        sender.sendto(good, ("127.0.0.1", w.ports["beacons"]))
        until(lambda: w.router.system("ground")["held"] == 1, "the good one arrives, and only that one")
        for why, least in (("malformed-event", 100), ("too-large", 60), ("forbidden", 200)):
            until(lambda: w.metric("intertie_messages_rejected_total", reason=why) >= least, f"{least} are counted as {why}")
        same(w.router.system("ground")["held"], 1, "what strangers sent was not taken")
        w.served_meanwhile(before, "datagrams of any kind")
        sender.close()


@case
def garbage_does_not_wash_the_log_away():
    with World(level="info") as w:
        before = w.marks()
        garbage = b'{"specversion":"1.0"}\n' * 90
        for _ in range(40): # the protocol itself takes 100 bad lines a second
            line = w.raw("stream")
            line.send(garbage)
            line.close()
        until(lambda: w.metric("intertie_messages_rejected_total", reason="malformed-event") >= 2000, "all are counted")
        w.served_meanwhile(before, "a flood of garbage")
        lines = [line for line in w.router.log().splitlines() if '"malformed-event"' in line]
        true(10 <= len(lines) <= 1800, f"{len(lines)} lines")
        time.sleep(1.1)
        for _ in range(20): # of each worker
            line = w.raw("stream")
            line.send(garbage[:22])
            line.close()
        until(lambda: '"more":' in w.router.log(), "a later line has the number of those untold")


# -- byte by byte --


@case
def bytes_one_by_one_are_as_good_as_any():
    with World() as w:
        before = w.marks()
        peer, line, stream = w.raw(), w.raw("stream"), w.raw("stream")
        made = event("query", "com.example.price.get", {}, target="pricing")
        datas = {
            peer: post(b"hello"),
            line: json.dumps(made).encode() + b"\n",
            stream: PREFACE + frame(HELLO, {"enc": ["json"]}) + message(1, event("event", "a.b", {}, target="desk")),
        }
        for one in datas:
            one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for n in range(max(map(len, datas.values()))):
            for one, data in datas.items():
                one.send(data[n:n + 1])
            time.sleep(0.0005)
        same(code(peer.read_until(b"\r\n\r\n")), 202, "HTTP")
        same(json.loads(line.read_until(b"\n"))["causationid"], made["id"], "JSON lines")
        deadline = time.monotonic() + 20
        while struct.pack(">IBBH", 12, ACK, 0, 0) + struct.pack(">Q", 1) not in stream.got and time.monotonic() < deadline:
            stream.got += stream.socket.recv(65536)
        w.served_meanwhile(before, "byte by byte")
        close_all(datas)


# -- the world around --


@case
def a_full_disk_costs_log_lines_only():
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    for name, prepare, file in (("full", None, "/dev/full"), ("limited", small, "small.log")):
        with World(prepare=prepare, more="") as w:
            w.router.write(w.router.config.replace("format: json", f"format: json, file: {file}"))
            reply = w.router.http("POST", "/api/v1/reload", "", port=w.router.admin)
            same(reply.status, 200, "it logs there")
            before = w.marks()
            for n in range(300):
                w.router.post(event("event", "a.b", {"n": n}, target="nobody"))
            same(w.router.child.poll(), None, f"{name}: it runs on")
            w.served_meanwhile(before, "a full disk")
            until(lambda: w.metric("intertie_log_lines_lost_total") > 0, f"{name}: lost lines are counted")


@case
def a_router_that_was_stopped_goes_on():
    with World(web="timeouts: {head: 1s}", stream="timeouts: {idle: 1s}") as w:
        stream = Stream(w.ports["stream"], {"hb_ms": 400})
        peer = w.raw()
        peer.send(b"POST /v1/mess")
        os.kill(w.pid, signal.SIGSTOP)
        time.sleep(2.5)
        before = w.marks()
        os.kill(w.pid, signal.SIGCONT)
        w.served_meanwhile(before, "SIGCONT")
        same(code(peer.read_all()), 408, "its time was over")
        peer.close()
        stream.close()


@case
def who_wrote_in_time_is_heard_after_a_stop():
    """Sessions that beat and a request that came while the router was stopped: no deadline counts before they are read."""
    with World(web="timeouts: {idle: 1s}", calm=False) as w:
        streams = [Stream(w.ports["stream"], {"hb_ms": 1000}) for _ in range(300)]
        stopping = threading.Event()

        def beat():
            while not stopping.wait(0.2):
                for stream in streams:
                    stream.send(frame(PING, b"12345678"))
        threading.Thread(target=beat, daemon=True).start()
        peer = w.raw()
        peer.send(post())
        peer.read_until(b"\r\n\r\n")
        os.kill(w.pid, signal.SIGSTOP)
        time.sleep(0.3)
        peer.got = b""
        peer.send(post())
        time.sleep(2.5)
        os.kill(w.pid, signal.SIGCONT)
        same(code(peer.read_until(b"\r\n\r\n")), 202, "the request")
        for stream in streams:
            stream.until_frame(PONG)
        same(w.logged("connection closed", reason="heartbeat-timeout"), None, "nobody was taken for dead")
        stopping.set()
        peer.close()
        close_all(streams)


@case
def a_peer_that_is_stopped_is_found_out():
    """A session that stops answering: its heartbeat ends it, and its work goes to another."""
    with World(stream="timeouts: {idle: 30s}", systems="work: {accept: true, timeouts: {ack: 2s}}") as w:
        stuck = Stream(w.ports["stream"], {"hb_ms": 300, "system": "work"})
        stuck.send(frame(SUBSCRIBE, {"sub": 1}))
        stuck.until_frame(RESULT)
        until(lambda: w.router.system("work")["sessions"] == 1, "a session")
        before = w.marks()
        for n in range(5):
            same(w.router.post(event("event", "a.b", {"n": n}, target="work")).status, 202, "taken")
        w.closed("heartbeat-timeout", 1) # it says nothing more
        other = Stream(w.ports["stream"], {"hb_ms": 30000, "system": "work"})
        other.send(frame(SUBSCRIBE, {"sub": 1}))
        got = set()
        while len(got) < 5:
            kind, payload = other.frame()
            if kind == MSG:
                got.add(json.loads(payload[16:])["data"]["n"])
                other.send(frame(ACK, struct.pack(">QHH", struct.unpack(">Q", payload[:8])[0], 0, 0)))
        w.served_meanwhile(before, "a stuck session")
        close_all([stuck, other])


if __name__ == "__main__":
    import sys
    if len(sys.argv) > 1:
        from kit import cases
        cases[:] = [one for one in cases if sys.argv[1] in one.__name__]
    main()
