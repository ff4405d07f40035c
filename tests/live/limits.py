#!/usr/bin/env python3
"""Every limit of the configuration, one past it: the answer, the reason in log and metric, and a well-behaved client
beside that doesn't notice. A key of tests/config/surface.txt that sets a limit and has no case here is a failure."""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

from hostile_kit import *
from kit import PROGRAM, Router, case, cases, main, same, until

SOURCE = os.environ.get("INTERTIE_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
A_LIMIT = re.compile(r"(^|\.)(limits|timeouts)\.|^telemetry\.series$|\.accept\.sessions$|^drain\.grace$|(?<!multicast)\.ttl(_max)?$")
covered = set()


def limit(*keys):
    """The case goes past these keys."""
    def note(function):
        covered.update(keys)
        return case(function)
    return note


def policy_limit(key, levels="policies systems routes"):
    """One case for each place where a key of policies may stand: the function is given World's arguments with it."""
    def note(function):
        for level in levels.split():
            covered.add(f"{level}.*.{key}")

            def run(level=level):
                function(level)
            run.__name__ = f"{function.__name__}_of_{level}"
            case(run)
        return function
    return note


def at(level, value, system="accept: true", match="{type: com.example.tested}"):
    """A system `tested` and a route to it, with `value` in force by that level. Of `policies`: a policy that the system names,
    or for what means nothing there, `policies.routes`, the route. One worker: each has a queue of its own."""
    policies = "policies: {tight: {%s}}\n" % value if level.startswith("policies") else ""
    own = value if level == "systems" else "policy: tight" if level == "policies" else ""
    of_route = ", " + value if level == "routes" else ", policy: tight" if level == "policies.routes" else ""
    return {"more": "workers: 1\n" + policies + "routes: {tested: {match: %s, to: tested%s}}" % (match, of_route),
            "systems": "tested: {%s}" % ", ".join(part for part in (system, own) if part)}


def ask(w, kind, data=None, seconds=30, **more):
    return w.router.post(event(kind, "com.example.tested", data, **more))


def told(reply):
    return reply.status, json.loads(reply.body)["reason"] if reply.body else ""


def rejected(w, why, at_least=1, metric="intertie_messages_rejected_total", words="message rejected"):
    until(lambda: w.metric(metric, reason=why) >= at_least, f"{metric} tells of {why}")
    until(lambda: w.logged(words, reason=why), f"the log tells of {why}")


def refused(w, key, listener, why="too-many-connections"):
    until(lambda: w.metric("intertie_connections_refused_total", listener=listener, reason=why) >= 1, f"a refusal at {listener}")
    true(w.metric("intertie_limits_reached_total", limit=key) >= 1, f"{key} is counted")
    true(w.logged("connection refused", listener=listener, reason=why, limit=key), f"the log names {key}")


def ended(w, key, why, at_least=1):
    w.closed(why, at_least)
    true(w.metric("intertie_limits_reached_total", limit=key) >= at_least, f"{key} is counted")


# -- of the process --


@limit("limits.message")
def a_message_over_the_limit_of_the_process():
    with World(more="limits: {message: 2KiB}", web="limits: {message: 2KiB}", stream="limits: {message: 2KiB}") as w:
        before = w.marks()
        same(told(w.router.http("POST", "/v1/systems/desk/messages", b"x" * 3000, Content_Type="text/plain")), (413, "too-large"), "answer")
        rejected(w, "too-large")
        w.served_meanwhile(before, "too large a message")


@limit("limits.memory")
def memory_sheds_the_lowest_first():
    more = "limits: {memory: 16MiB}\nworkers: 2"
    with World(more=more, systems="away: {accept: true, limits: {queue: {bytes: unlimited, messages: unlimited}}}", calm=False) as w:
        body = "x" * 200_000
        last = {}
        for priority in range(1, 6):
            for n in range(100):
                reply = w.router.post(event("event", "com.example.big", body, target="away", priority=priority))
                if reply.status != 202:
                    break
                last[priority] = n
            same(told(reply), (503, "overloaded"), f"priority {priority}")
            true(reply.getheader("Retry-After"), "it says when to come again")
            if priority < 5:
                same(w.router.post(event("event", "com.example.small", "x", target="away", priority=priority + 1)).status, 202,
                     "one step higher")
        true(all(n in last for n in (1, 2, 3, 4)), f"each step has room of its own: {last}")
        rejected(w, "overloaded", 5)
        held = w.router.system("away")["held"]
        true(60 <= held <= 90, f"{held} messages of 200 kB in 16 MiB")
        same(w.router.http("GET", "/livez", port=w.router.admin).status, 200, "the admin surface answers")


@limit("limits.connections")
def connections_of_the_process():
    with World(more="limits: {connections: 12}") as w:
        before = w.marks()
        peers = [w.raw() for _ in range(20)]
        answers = [peer.got for peer in peers if peer_ends(peer)]
        true(8 <= len(answers) <= 17, f"{len(answers)} of 20 were refused")
        for got in answers:
            same((code(got), reason(got)), (503, "too-many-connections"), got)
        refused(w, "limits.connections", "web")
        w.served_meanwhile(before, "too many connections")
        close_all(peers)
        until(lambda: not peer_ends(w.raw()), "there is room again")


def peer_ends(peer, seconds=0.3):
    """Whether it is answered and closed; the others are silent."""
    try:
        peer.read_all(seconds)
        return True
    except socket.timeout:
        return False


def close_all(peers):
    for peer in peers:
        peer.close()


@limit("drain.grace")
def open_work_is_cut_when_grace_is_over():
    with World(more="drain: {grace: 300ms}", calm=False) as w:
        peer = w.router.lines()
        peer.control("hello", system="desk")
        until(lambda: w.router.system("desk")["sessions"] >= 1, "the session is known")
        asked = w.raw()
        made = json.dumps(event("query", "com.example.q", {}, target="desk")).encode()
        asked.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n"
                   b"Content-Length: %d\r\n\r\n%s" % (len(made), made))
        true(peer.read(), "the query arrives")
        w.router.child.terminate()
        same(w.router.child.wait(20), 3, "exit code of a stop that had to cut")
        true(w.logged("stopped", forced=True), "the log says that it was forced")


@limit("telemetry.series")
def metric_series_are_bounded():
    many = "\n  ".join(f"s{n}: {{accept: true}}" for n in range(150))
    with World(more="telemetry: {series: 1000}\nworkers: 1", systems=many) as w:
        before = w.marks()
        for n in range(150):
            w.router.http("POST", f"/v1/systems/s{n}/messages", b"x", Content_Type="text/plain")
        text = w.router.http("GET", "/metrics", port=w.router.admin).body.decode()
        series = {re.sub(r'_bucket|_sum|_count|le="[^"]*",?', "", line.rsplit(" ", 1)[0]) for line in text.splitlines() if line[:1] != "#"}
        true(900 < len(series) <= 1150, f"{len(series)} series; the control thread has a few of its own")
        true(w.metric("intertie_metric_series_overflows_total") > 0, "overflows are counted")
        true('"overflow"' in text, "what is past the limit counts together")
        w.served_meanwhile(before, "too many series")


# -- of a listener --


@limit("listeners.*.limits.message")
def a_message_over_the_limit_of_the_listener():
    with World(web="limits: {message: 2KiB}", stream="limits: {message: 2KiB}") as w:
        before = w.marks()
        same(told(w.router.http("POST", "/v1/systems/desk/messages", b"x" * 3000, Content_Type="text/plain")), (413, "too-large"), "http")
        line = w.router.lines()
        line.send(event("event", "com.example.big", "x" * 3000, target="desk"))
        same(line.read()["data"]["reason"], "too-large", "JSON lines")
        stream = Stream(w.ports["stream"], {"max_frame": 1 << 20})
        stream.send(frame(MSG, b"x" * 200_000))
        same(error_of(stream), (7, "frame-too-large"), "stream v1")
        rejected(w, "too-large")
        ended(w, "listeners.limits.message", "frame-too-large")
        w.served_meanwhile(before, "too large messages")


@limit("listeners.*.limits.connections")
def connections_of_a_listener():
    with World(web="limits: {connections: 4}", stream="limits: {connections: 2}", more="workers: 2") as w:
        before = w.marks()
        peers = [w.raw() for _ in range(4)]
        answers = [peer.got for peer in peers if peer_ends(peer)]
        same([(code(got), reason(got)) for got in answers], [(503, "too-many-connections")], "the fifth with the good client's")
        true(b"Retry-After" in answers[0], "it says when to come again")
        lines = [w.raw("stream") for _ in range(3)]
        same(sum(peer_ends(peer) for peer in lines), 1, "who speaks by its first byte is just closed")
        refused(w, "listeners.limits.connections", "web")
        refused(w, "listeners.limits.connections", "stream")
        close_all(peers + lines)
        until(lambda: not peer_ends(w.raw()), "there is room again")
        w.served_meanwhile(before, "too many connections")


@limit("listeners.*.limits.per_peer")
def connections_from_one_address():
    with World(web="limits: {per_peer: 3}", more="workers: 2") as w:
        before = w.marks()
        peers = [w.raw() for _ in range(5)]
        answers = [peer.got for peer in peers if peer_ends(peer)]
        same([(code(got), reason(got)) for got in answers], [(503, "too-many-connections")] * 3, "those past the good client's and two")
        other = socket.socket()
        other.bind(("127.0.0.9", 0))
        other.connect(("127.0.0.1", w.ports["web"]))
        other.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        other.settimeout(20)
        true(other.recv(100).startswith(b"HTTP/1.1 404"), "another address is let in")
        other.close()
        refused(w, "listeners.limits.per_peer", "web")
        close_all(peers)
        until(lambda: not peer_ends(w.raw()), "there is room again")
        w.served_meanwhile(before, "too many from one address")


@limit("listeners.*.limits.header", "listeners.*.limits.fields")
def heads_and_fields():
    with World(web="limits: {header: 1KiB, fields: 10}") as w:
        before = w.marks()
        for lines in (b"X: " + b"y" * 1100 + b"\r\n", b"".join(b"X%d: y\r\n" % n for n in range(10))):
            peer = w.raw()
            peer.send(post(lines=lines))
            got = peer.read_all()
            same((code(got), reason(got)), (431, "headers-too-large"), got)
        rejected(w, "headers-too-large", 2)
        ended(w, "listeners.limits.header", "headers-too-large", 2)
        w.served_meanwhile(before, "large heads")


@limit("listeners.*.limits.min_rate")
def what_was_begun_and_comes_too_slowly():
    with World(web="limits: {min_rate: 1KiB/s}, timeouts: {head: 1h}", stream="limits: {min_rate: 1KiB/s}") as w:
        before = w.marks()
        body, chunks, head = w.raw(), w.raw(), w.raw()
        body.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
        chunks.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n270f\r\n")
        head.send(b"POST /v1/messages HTTP/1.1\r\n")
        line, stream = w.raw("stream"), Stream(w.ports["stream"], {})
        line.send(b'{"specversion": "1.0", ')
        stream.send(message(1, event("event", "com.example.slow", "x" * 500, target="desk"))[:100])
        fast = w.raw()
        fast.send(b"POST /v1/systems/desk/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 60000\r\n\r\n")
        start = time.monotonic()
        for n in range(240):  # 4 KiB a second: fast enough, 12 s in all
            fast.send(b"x" * 250)
            for slow in (body, chunks):
                slow.send(b"y") if time.monotonic() - start < 8 else None
            time.sleep(0.05)
        true(fast.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 202"), "who is not fast but fast enough is served")
        for peer in (body, chunks, head):
            got = peer.read_all()
            same((code(got), reason(got)), (408, "too-slow"), got)
        true(b'"too-slow"' in line.read_all(), "JSON lines")
        same(error_of(stream), (8, "too-slow"), "stream v1")
        rejected(w, "too-slow", 3)
        ended(w, "listeners.limits.min_rate", "too-slow", 5)
        w.served_meanwhile(before, "slow peers")


@limit("listeners.*.timeouts.head")
def a_head_that_takes_too_long():
    with World(web="timeouts: {head: 300ms}", stream="timeouts: {head: 300ms}") as w:
        before = w.marks()
        peer, stream = w.raw(), w.raw("stream")
        peer.send(b"POST /v1/messages HTTP/1.1\r\n")
        stream.send(PREFACE)
        got = peer.read_all()
        same((code(got), reason(got)), (408, "head-timeout"), got)
        true(b"head-timeout" in stream.read_all(), "stream v1")
        ended(w, "listeners.timeouts.head", "head-timeout", 2)
        w.served_meanwhile(before, "slow heads")


@limit("listeners.*.timeouts.tls")
def a_tls_handshake_that_never_comes():
    with tempfile.TemporaryDirectory(prefix="intertie-") as folder:
        subprocess.run([PROGRAM, "certs", "dev", folder], check=True, capture_output=True, timeout=30)
        config = (f"listeners: {{web: {{url: https://127.0.0.1:0, tls: {{certificates: dev}}, timeouts: {{tls: 300ms}}}}}}\n"
                  f"security: {{certificates: {{dev: {{cert: {folder}/server.pem, key: {folder}/server.key}}}}}}\n")
        with Router(config, replay=False) as r:  # an input log would hold private keys
            peer = socket.create_connection(("127.0.0.1", r.ports["web"]), 20)
            same(peer.recv(100), b"", "it is closed")
            peer.close()

            def counted():
                text = r.http("GET", "/metrics", port=r.admin).body.decode()
                return 'reason="handshake-timeout"} 1' in text and 'intertie_limits_reached_total{limit="listeners.timeouts.tls"} 1' in text
            until(counted, "the reason and the limit are counted")


@limit("listeners.*.timeouts.auth")
def who_does_not_say_who_they_are():
    keys = ("security: {identities: {desk: {system: desk, keys: {a: {hash: "
            "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"}}}}}")
    with World(more=keys, stream="auth: key, timeouts: {auth: 300ms}", calm=False) as w:
        line, stream = w.raw("stream"), w.raw("stream")
        line.send(b" ")
        stream.send(PREFACE)
        true(b'"auth-timeout"' in line.read_all(), "JSON lines")
        true(b"auth-timeout" in stream.read_all(), "stream v1")
        ended(w, "listeners.timeouts.auth", "auth-timeout", 2)
        same(w.router.http("GET", "/livez", port=w.router.admin).status, 200, "others are served")


@limit("listeners.*.timeouts.idle")
def silence():
    with World(web="timeouts: {idle: 300ms}", stream="timeouts: {idle: 300ms}") as w:
        before = w.marks()
        peers = [w.raw(), w.raw("stream")]
        for peer in peers:
            same(peer.read_all(), b"", "nothing is said")
        ended(w, "listeners.timeouts.idle", "idle-timeout", 2)
        w.served_meanwhile(before, "silence")


@limit("listeners.*.timeouts.write")
def who_takes_nothing_of_what_is_written():
    with World(stream="timeouts: {write: 1s}") as w:
        before = w.marks()
        peer = w.router.lines()
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.control("subscribe", filter="type = 'com.example.flood'")
        def flood():
            w.router.post(event("event", "com.example.flood", "x" * 200_000))
            return w.metric("intertie_connections_closed_total", reason="write-timeout")
        until(flood, "who doesn't read is closed", 20)
        ended(w, "listeners.timeouts.write", "write-timeout")
        w.served_meanwhile(before, "a peer that doesn't read")


@case
def who_takes_little_is_not_who_takes_nothing():
    """The kernel's buffers are large: it may be long before it says that it has room again."""
    with World(stream="timeouts: {write: 3s}") as w:
        peer = w.router.lines()
        peer.control("subscribe", filter="type = 'com.example.flood'")
        for _ in range(40):
            w.router.post(event("event", "com.example.flood", "x" * 200_000))
        for _ in range(80):
            true(peer.socket.recv(32768), "it is still open")
            time.sleep(0.1)
        same(w.metric("intertie_connections_closed_total", reason="write-timeout"), 0, "nobody was closed")
        peer.close()


@limit("listeners.*.limits.per_source")
def more_datagrams_than_a_network_may_send():
    with World(more="workers: 1", listeners="\n  beacons: {url: udp://127.0.0.1:0, limits: {per_source: 10}, system: tested}",
               systems="tested: {}") as w, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
        before = w.marks()
        for number in range(60):
            body = json.dumps(event("event", "com.example.tested", {"n": number}, target="desk", source="/systems/tested"))
            source.sendto(body.encode(), ("127.0.0.1", w.ports["beacons"]))
        until(lambda: w.metric("intertie_datagrams_dropped_total", listener="beacons", reason="per-source") >= 30, "the rest is counted")
        w.served_meanwhile(before, "a flood of datagrams")


# -- of systems, routes and policies --


@limit("systems.*.limits.message")
def a_message_that_is_larger_than_its_datagram_may_be():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(20)
        with World(more="workers: 1", systems="tested: {url: \"udp://127.0.0.1:%d\", limits: {message: 2KiB}}" % far.getsockname()[1]) as w:
            before = w.marks()
            for size, fits in ((1500, True), (2500, False)):
                w.router.post(event("event", "com.example.tested", "x" * size, target="tested"))
                if fits:
                    true(len(far.recv(65536)) > 1500, "what fits goes out")
            until(lambda: w.metric("intertie_messages_dead_lettered_total", system="tested", reason="too-large") == 1, "the other is dead")
            w.served_meanwhile(before, "messages that are too large")


@limit("systems.*.accept.sessions")
def more_sessions_than_the_system_accepts():
    with World(more="workers: 1", systems="tested: {accept: {sessions: 1}}") as w:  # others hear of a session a moment later
        before = w.marks()
        first, second = w.router.lines(), w.router.lines()
        first.control("hello", system="tested")
        second.send(event("event", "intertie.ctl.hello.v1", {"system": "tested"}))
        same(second.read()["data"]["reason"], "too-many-connections", "the second session")
        w.served_meanwhile(before, "too many sessions")
        first.close()
        second.close()


@policy_limit("timeouts.connect", "policies systems")
def a_connection_that_is_not_made(level):
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    waiting = []
    for _ in range(8):  # the kernel answers no more when the backlog is full
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        waiting.append(one)
    with World(**at(level, "timeouts: {connect: 300ms, queue: 2s}", f'url: "tcp://127.0.0.1:{port}"')) as w:
        before = w.marks()
        same(told(ask(w, "query")), (503, "target-unavailable"), "answer")
        until(lambda: w.metric("intertie_dial_failures_total", system="tested", reason="connect-timeout") >= 1, "the metric tells")
        until(lambda: w.logged("dial failed", reason="connect-timeout"), "the log tells")
        w.served_meanwhile(before, "dials that take long")
    close_all(waiting + [full])


@policy_limit("timeouts.attempt")
def an_attempt_without_answer(level):
    silent = socket.create_server(("127.0.0.1", 0))
    with World(**at(level, "timeouts: {attempt: 300ms, request: 2s}, retry: {attempts: 2}", f'url: "http://127.0.0.1:{silent.getsockname()[1]}/"')) as w:
        before = w.marks()
        start = time.monotonic()
        same(told(ask(w, "query")), (504, "reply-timeout"), "answer")
        true(time.monotonic() - start < 8, "the last attempt has until the request's own limit")
        until(lambda: w.metric("intertie_retries_total", outcome="timeout") == 1, "the first one was given up for it")
        until(lambda: w.metric("intertie_connections_closed_total", direction="dialled", protocol="http1") >= 1, "the connection is closed")
        until(lambda: w.logged("message expired"), "the log tells")
        w.served_meanwhile(before, "attempts that take long")
    silent.close()


@policy_limit("timeouts.request")
def a_reply_that_does_not_come(level):
    with World(**at(level, "timeouts: {request: 300ms}")) as w:
        before = w.marks()
        peer = w.router.lines()
        peer.control("hello", system="tested")
        until(lambda: w.router.system("tested")["sessions"] >= 1, "the session is known")
        same(told(ask(w, "query")), (504, "reply-timeout"), "answer")
        rejected(w, "reply-timeout", metric="intertie_messages_expired_total", words="message expired")
        w.served_meanwhile(before, "a reply that doesn't come")
        peer.close()


@policy_limit("timeouts.queue")
def nobody_comes_for_it(level):
    with World(**at(level, "timeouts: {queue: 300ms, request: 20s}")) as w:
        before = w.marks()
        start = time.monotonic()
        same(told(ask(w, "query")), (503, "target-unavailable"), "answer")
        true(time.monotonic() - start < 4, "it did not wait for longer")
        rejected(w, "target-unavailable", metric="intertie_messages_dead_lettered_total", words="message dead")
        w.served_meanwhile(before, "a system that is away")


@policy_limit("timeouts.ack", "policies systems")
def an_ack_that_does_not_come(level):
    with World(**at(level, "timeouts: {ack: 300ms}, redeliver: {attempts: 1}")) as w:
        before = w.marks()
        stream = Stream(w.ports["stream"], {"system": "tested", "serve": True})
        stream.send(frame(SUBSCRIBE, {"sub": 1}))
        stream.until_frame(RESULT)
        until(lambda: w.router.system("tested")["sessions"] >= 1, "the session is known")
        same(ask(w, "event").status, 202, "answer")
        stream.until_frame(MSG)
        rejected(w, "retries-exhausted", metric="intertie_messages_dead_lettered_total", words="message dead")
        w.served_meanwhile(before, "an ack that doesn't come")
        stream.close()


@policy_limit("limits.in_flight", "policies systems")
def more_on_the_way_than_allowed(level):
    with World(**at(level, "limits: {in_flight: 1}")) as w:
        before = w.marks()
        stream = Stream(w.ports["stream"], {"system": "tested", "serve": True})
        stream.send(frame(SUBSCRIBE, {"sub": 1}))
        stream.until_frame(RESULT)
        until(lambda: w.router.system("tested")["sessions"] >= 1, "the session is known")
        for n in range(2):
            same(ask(w, "event", {"n": n}).status, 202, "answer")
        stream.until_frame(MSG)
        until(lambda: w.metric("intertie_queue_depth", system="tested") == 1, "the second one waits, and the metric tells")
        try:
            raise AssertionError(f"one too many: {stream.frame(0.3)}")
        except (socket.timeout, TimeoutError):
            pass
        stream.send(frame(ACK, struct.pack(">QHH", 1, 0, 0)))
        stream.until_frame(MSG)
        w.served_meanwhile(before, "a small window")
        stream.close()


def fills_up(level, value, body):
    with World(**at(level, value)) as w:
        before = w.marks()
        for _ in range(2):
            same(ask(w, "event", body).status, 202, "there is room")
        same(told(ask(w, "event", body)), (503, "target-unavailable"), "nobody is there to make room")
        rejected(w, "target-unavailable")
        peer = w.raw("stream")
        peer.close()
        stream = Stream(w.ports["stream"], {"system": "tested", "serve": True})
        stream.send(frame(SUBSCRIBE, {"sub": 1, "max_inflight": 1}))
        stream.until_frame(RESULT)
        stream.until_frame(MSG)
        same(ask(w, "event", body).status, 202, "one is on its way, so one has room")
        same(told(ask(w, "event", body)), (503, "overloaded"), "somebody is there, but slow")
        rejected(w, "overloaded")
        w.served_meanwhile(before, "a full queue")
        stream.close()


@policy_limit("limits.queue.messages", "policies systems")
def more_waits_than_may(level):
    fills_up(level, "timeouts: {queue: 300ms}, limits: {queue: {messages: 2}}", "x")


@policy_limit("limits.queue.bytes", "policies systems")
def more_bytes_wait_than_may(level):
    fills_up(level, "timeouts: {queue: 300ms}, limits: {queue: {bytes: 10KiB}}", "x" * 4000)


def fills_its_lane(level, lane, body):
    value = "timeouts: {queue: 300ms}, limits: {lanes: {%s}}" % lane
    fills_up(level, value, body)
    with World(**at(level, value)) as w:
        for _ in range(2):
            same(ask(w, "event", body).status, 202, "there is room")
        same(ask(w, "event", body, priority=3).status, 202, "another lane has room")
        same(told(ask(w, "event", body)), (503, "target-unavailable"), "its own has none")


covered |= {"policies.*.limits.lanes", "systems.*.limits.lanes"}


@policy_limit("limits.lanes.*.messages", "policies systems")
def more_of_a_priority_waits_than_may(level):
    fills_its_lane(level, "2: {messages: 2}", "x")


@policy_limit("limits.lanes.*.bytes", "policies systems")
def more_bytes_of_a_priority_wait_than_may(level):
    fills_its_lane(level, "normal: {bytes: 10KiB}", "x" * 4000)


@policy_limit("ttl", "policies routes")
def it_outlives_its_default_life(level):
    with World(**at(level.replace("policies", "policies.routes"), "ttl: 200ms")) as w:
        before = w.marks()
        same(ask(w, "event").status, 202, "answer")
        rejected(w, "expired", metric="intertie_messages_expired_total", words="message expired")
        w.served_meanwhile(before, "short lives")


@policy_limit("ttl_max", "policies routes")
def it_outlives_its_longest_life(level):
    with World(**at(level.replace("policies", "policies.routes"), "ttl_max: 200ms")) as w:
        before = w.marks()
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        same(ask(w, "event", expirytime=later).status, 202, "answer")
        rejected(w, "expired", metric="intertie_messages_expired_total", words="message expired")
        w.served_meanwhile(before, "short lives")


@case
def every_limit_has_a_case():
    with open(os.path.join(SOURCE, "tests/config/surface.txt"), encoding="utf-8") as file:
        keys = {line.split()[1] for line in file if line.startswith("now ") and "=" not in line}
    limits = {key for key in keys if A_LIMIT.search(key)}
    true(len(limits) > 30, f"only {len(limits)} limits were found: has surface.txt changed its form?")
    same(sorted(limits - covered), [], "limits without a case in tests/live/limits.py")
    same(sorted(covered - keys), [], "cases of keys that are not there (any more)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        cases[:] = [one for one in cases if any(word in one.__name__ for word in sys.argv[1:])]
    main()
