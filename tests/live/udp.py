#!/usr/bin/env python3
"""UDP one to many: groups and broadcast, several workers; and what is thrown away, by rule."""
import contextlib
import importlib.util
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

from kit import LineSystem, Router, Skip, case, main, reply_to, same, true, until

HERE = "[127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16]"


def free_port(address="0.0.0.0", family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def event(number, target="ground", source="beacons"):
    return json.dumps({"specversion": "1.0", "id": f"m{number}", "source": f"/systems/{source}", "type": "com.example.beacon",
                       "target": target}).encode()


@contextlib.contextmanager
def sender(bound=None, interface=None):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if interface:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                         struct.pack("=4s4si", b"\0" * 4, socket.inet_aton("127.0.0.1"), socket.if_nametoindex(interface)))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        if bound:
            s.bind(bound)
        yield s


def metric(router, name, **labels):
    total = 0
    for line in router.http("GET", "/metrics", port=router.admin).body.decode().splitlines():
        if line.startswith(name + "{") and all(f'{key}="{value}"' in line for key, value in labels.items()):
            total += int(float(line.rsplit(" ", 1)[1]))
    return total


def dropped(router, listener, reason):
    return metric(router, "intertie_datagrams_dropped_total", listener=listener, reason=reason)


def held(router, system="ground"):
    return router.system(system)["held"]


def listening(port, more, workers=4, address="0.0.0.0"):
    return f"""
workers: {workers}
listeners:
  beacons: {{url: "udp://{address}:{port}", system: beacons, allow: {HERE}, {more}}}
systems:
  beacons: {{}}
  ground: {{accept: true}}
"""


def heard(send, router, what):
    """Whether a group is heard: sent again until it is."""
    def once():
        before = held(router)
        send()
        time.sleep(0.05)
        return held(router) > before
    until(once, what)


@case
def groups_are_heard_once_whatever_the_number_of_workers():
    port = free_port()
    with Router(listening(port, "multicast: {groups: [239.7.7.7, 239.7.7.8], interface: lo}")) as r, sender(interface="lo") as s:
        for number in range(40):
            s.sendto(event(number), ("239.7.7.7" if number % 2 else "239.7.7.8", port))
            s.sendto(event(number), ("239.7.7.9", port))  # which nobody joined
        until(lambda: held(r) >= 40, "all of both groups arrive")
        s.sendto(event(99), ("127.0.0.1", port))
        until(lambda: held(r) == 41, "each once, and one for us alone")


@case
def a_listener_may_stand_on_a_group():
    port = free_port()
    with Router(listening(port, "multicast: {interface: lo}", workers=2, address="239.7.7.7")) as r, sender(interface="lo") as s:
        s.sendto(event(1), ("127.0.0.1", port))  # not for it
        s.sendto(event(2), ("239.7.7.7", port))
        until(lambda: held(r) == 1, "the group is heard")
        time.sleep(0.1)
        same(held(r), 1, "and nothing else")


def ipv6_groups_or_skip(s):
    """Loopback carries IPv6 groups only where somebody said so: whether the kernel does is asked without us."""
    try:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("lo"))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as ear:
            ear.bind(("::", 0))
            ear.settimeout(1)
            ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                           socket.inet_pton(socket.AF_INET6, "ff05::7:8") + struct.pack("=I", socket.if_nametoindex("lo")))
            s.sendto(b"?", ("ff05::7:8", ear.getsockname()[1]))
            ear.recv(10)
    except OSError as why:
        raise Skip(f"the kernel carries no IPv6 groups on lo: {why}")


@case
def groups_of_ipv6_are_heard():
    try:
        port, s = free_port("::", socket.AF_INET6), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    except OSError as why:
        raise Skip(f"no IPv6 here: {why}")
    config = listening(port, "multicast: {groups: \"ff05::7:7\", interface: lo}", address="[::]")
    with s:
        ipv6_groups_or_skip(s)
        with Router(config.replace(f"allow: {HERE}", "allow: [\"::/0\", 127.0.0.0/8]")) as r:
            for number in range(10):
                s.sendto(event(number), ("ff05::7:7", port))
            until(lambda: held(r) >= 10, "all arrive")
            time.sleep(0.1)
            same(held(r), 10, "each once")


@case
def a_reload_joins_and_leaves():
    port = free_port()
    with Router(listening(port, "multicast: {groups: 239.7.7.7, interface: lo}")) as r, sender(interface="lo") as s:
        first, second = (lambda: s.sendto(event(1), ("239.7.7.7", port))), (lambda: s.sendto(event(2), ("239.7.7.8", port)))
        heard(first, r, "the first group")
        r.write(r.config.replace("239.7.7.7", "[239.7.7.7, 239.7.7.8]"))
        same(r.intertie("reload").returncode, 0, "reload")
        heard(second, r, "the second group, once it is joined")
        heard(first, r, "the first, still")
        refused = r.config.replace("groups: 239.7.7.7, interface: lo", "groups: 239.7.7.9, interface: nosuch0")
        r.write(refused)
        answer = r.intertie("reload")
        true(answer.returncode != 0 and "listeners.beacons: this host has no interface `nosuch0`" in answer.stdout + answer.stderr,
             f"the reload is refused: {answer.stdout}{answer.stderr}")
        heard(second, r, "the second group, all the same")
        r.write(r.config.replace("groups: 239.7.7.7", "groups: 239.7.7.8"))
        same(r.intertie("reload").returncode, 0, "reload")
        heard(second, r, "the second group")
        before = held(r)
        for _ in range(5):
            first()
        time.sleep(0.2)
        same(held(r), before, "the first was left")


@case
def what_cannot_be_joined_is_told():
    for more, words in (("multicast: {groups: 239.7.7.7, interface: nosuch0}", "this host has no interface `nosuch0`"),
                        ("multicast: {groups: 10.0.0.1}", "`10.0.0.1` is no group"),
                        ("multicast: {groups: \"ff05::7\"}", "`ff05::7` is IPv6, the URL is not")):
        try:
            with Router(listening(free_port(), more)):
                raise AssertionError(f"started with {more}")
        except AssertionError as why:
            true(words in str(why), f"{more}: {why}")


@case
def a_system_may_be_a_group():
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as group:
        group.bind(("239.7.7.10", port))
        group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                         struct.pack("=4s4si", socket.inet_aton("239.7.7.10"), b"\0" * 4, socket.if_nametoindex("lo")))
        group.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
        group.settimeout(10)
        with Router(f"""
listeners: {{web: http://127.0.0.1:0}}
systems: {{sirens: {{url: "udp://239.7.7.10:{port}", multicast: {{interface: lo, ttl: 3, loop: true}}}}}}
""") as r:
            r.post(json.loads(event(1, "sirens")))
            data, more, _, _ = group.recvmsg(2000, 100)
            same(json.loads(data)["id"], "m1", "the event")
            same([struct.unpack("=i", value)[0] for level, kind, value in more if kind == socket.IP_TTL], [3], "its hops")


@case
def the_command_line_speaks_to_groups():
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as group, Router("listeners: {web: http://127.0.0.1:0}\nsystems: {a: {}}\n") as r:
        group.bind(("239.7.7.11", port))
        try:
            group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.7.7.11") + b"\0" * 4)
        except OSError as why:
            raise Skip(f"no route for groups: {why}")
        group.settimeout(10)
        sent = r.intertie("send", "--url", f"udp://239.7.7.11:{port}", "--type", "t", "--data", "hello")
        same(sent.returncode, 0, sent.stderr)
        true(b"hello" in group.recv(2000), "the event")


@case
def broadcast_is_taken_where_it_is_wanted_and_once():
    port = free_port()
    with Router(listening(port, "broadcast: true")) as r, sender() as s:
        for number in range(30):
            s.sendto(event(number), ("127.255.255.255", port))
        until(lambda: held(r) >= 30, "all arrive")
        time.sleep(0.1)
        same(held(r), 30, "each once")
    port = free_port()
    with Router(listening(port, "format: cloudevents")) as r, sender() as s:
        for number in range(10):
            s.sendto(event(number), ("127.255.255.255", port))
        until(lambda: dropped(r, "beacons", "broadcast") == 10, "all are counted")
        same(held(r), 0, "none is taken")


@case
def broadcast_leaves_where_it_is_allowed():
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as everyone:
        everyone.bind(("0.0.0.0", port))
        everyone.settimeout(10)
        with Router(f"""
listeners: {{web: http://127.0.0.1:0}}
systems:
  allowed: {{url: "udp://127.255.255.255:{port}", broadcast: true}}
  forbidden: {{url: "udp://127.255.255.255:{port}"}}
""") as r:
            r.post(json.loads(event(1, "forbidden")))
            until(lambda: metric(r, "intertie_dial_failures_total", system="forbidden", reason="forbidden"), "the dial fails")
            r.post(json.loads(event(2, "allowed")))
            same(json.loads(everyone.recv(2000))["id"], "m2", "only the allowed one arrives")


@case
def sources_that_would_loop_are_dropped_and_counted():
    port = free_port("127.0.0.1")
    with Router(listening(port, "format: cloudevents", workers=2, address="127.0.0.1")) as r:
        try:
            with sender(("127.0.0.1", 7)) as s:
                s.sendto(event(1), ("127.0.0.1", port))
            until(lambda: dropped(r, "beacons", "source-port") == 1, "an echo port is counted")
        except PermissionError:
            pass  # ports below 1024 are root's
        with sender(("127.0.0.2", port)) as s:
            s.sendto(event(2), ("127.0.0.1", port))
        until(lambda: dropped(r, "beacons", "own-address") == 1, "our own address and port are counted")
        with sender() as s:
            s.sendto(b"x" * 5000, ("127.0.0.1", port))
            until(lambda: dropped(r, "beacons", "truncated") == 1, "a cut one is counted")
            s.sendto(b"x" * 1500, ("127.0.0.1", port))
            until(lambda: dropped(r, "beacons", "too-large") == 2, "one past the limit is counted, and the cut one")
            s.sendto(event(3), ("127.0.0.1", port))
        until(lambda: held(r) == 1, "a good one is taken")


@case
def a_network_may_send_so_much():
    port = free_port("127.0.0.1")
    with Router(listening(port, "limits: {per_source: 20}", workers=1, address="127.0.0.1")) as r:
        with sender(("127.0.0.3", 0)) as s, sender(("127.0.0.4", 0)) as neighbour:
            for number in range(100):
                (s if number % 2 else neighbour).sendto(event(number), ("127.0.0.1", port))
        until(lambda: dropped(r, "beacons", "per-source") >= 50, "the rest is counted")
        true(20 <= held(r) <= 50, f"a second's worth is taken: {held(r)}")
        with sender(("127.0.9.3", 0)) as other:
            other.sendto(event(101), ("127.0.0.1", port))
            before = held(r)
            until(lambda: held(r) > before or held(r) >= 21, "another network is not its neighbour's")


@case
def bursts_that_the_kernel_drops_are_counted():
    port = free_port("127.0.0.1")
    with Router(listening(port, "limits: {per_source: unlimited}", workers=1, address="127.0.0.1")) as r, sender() as s:
        os.kill(r.child.pid, 19)  # it stands still
        for number in range(60000):
            s.sendto(b"x" * 1100, ("127.0.0.1", port))
        os.kill(r.child.pid, 18)
        until(lambda: dropped(r, "beacons", "receive-queue") > 0, "they are counted")


@case
def a_system_may_take_larger_ones():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(10)
        with Router(f"""
listeners: {{web: http://127.0.0.1:0}}
systems:
  wide: {{url: "udp://127.0.0.1:{far.getsockname()[1]}", limits: {{message: 9000B}}}}
  narrow: {{url: "udp://127.0.0.1:{far.getsockname()[1]}"}}
""") as r:
            large = json.loads(event(1, "wide"))
            large["data"] = "y" * 8000
            r.post(large)
            same(len(json.loads(far.recv(20000))["data"]), 8000, "all of it")
            large["target"] = "narrow"
            r.post(large)
            until(lambda: metric(r, "intertie_messages_dead_lettered_total", system="narrow", reason="too-large"), "else it is dead")


@contextlib.contextmanager
def the_example():
    """The program of the page, as a reader would copy it: (path, module)."""
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "tcp.md")
    with open(page, encoding="utf-8") as file:
        text = re.search(r"```python\n(.*?)```", file.read(), re.S).group(1)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sender.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        spec = importlib.util.spec_from_file_location("sender", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield path, module


SECRET, OLDER, OTHER = b"0123456789abcdef", b"an older secret!", b"nobody's secret!"


def with_envelope(port, more="format: cloudevents", workers=4):
    return f"""
workers: {workers}
listeners:
  meters: {{url: "udp://127.0.0.1:{port}", system: meters, envelope: meters, {more}}}
systems:
  meters: {{}}
  ground: {{accept: true}}
security: {{credentials: {{meters: {{hmac: {{secret: ["${{SECRET}}", "${{OLDER}}"]}}}}}}}}
"""


ENVIRONMENT = {"SECRET": SECRET.decode(), "OLDER": OLDER.decode()}


@case
def envelopes_are_taken_once_whoever_sends_them_again():
    port = free_port("127.0.0.1")
    to = ("127.0.0.1", port)
    with the_example() as (_, envelope), Router(with_envelope(port), environment=ENVIRONMENT) as r, sender() as s:
        good = [envelope.sealed(SECRET if number % 2 else OLDER, event(number, source="meters")) for number in range(20)]
        for datagram in good:
            s.sendto(datagram, to)
        until(lambda: held(r) == 20, "all good ones are taken, by both secrets")
        for _ in range(10):  # from other ports: four workers share this one
            with sender() as thief:
                for datagram in good:
                    thief.sendto(datagram, to)
        until(lambda: dropped(r, "meters", "replayed") == 200, "and none again")
        same(held(r), 20, "what is held")
        bad = {"no-envelope": event(1, source="meters"), "unknown-secret": envelope.sealed(OTHER, event(1, source="meters")),
               "forged": good[0][:-1] + b" ", "late": None}
        real = time.time_ns
        try:
            time.time_ns = lambda: real() - 31 * 10**9
            bad["late"] = envelope.sealed(SECRET, event(1, source="meters"))
        finally:
            time.time_ns = real
        for reason, datagram in bad.items():
            s.sendto(datagram, to)
            until(lambda why=reason: dropped(r, "meters", why) == 1, reason)
        s.settimeout(0.2)
        try:
            raise AssertionError(f"somebody was answered: {s.recv(2000)}")
        except socket.timeout:
            pass
        same(held(r), 20, "what is held, still")


@case
def a_rotated_secret_counts_after_a_reload():
    port = free_port("127.0.0.1")
    to = ("127.0.0.1", port)
    with the_example() as (_, envelope), Router(with_envelope(port), environment=ENVIRONMENT) as r, sender() as s:
        old = envelope.sealed(OLDER, event(1, source="meters"))
        s.sendto(old, to)
        until(lambda: held(r) == 1, "the older one is good")
        r.write(r.config.replace(", \"${OLDER}\"", ""))
        same(r.intertie("reload").returncode, 0, "reload")

        def gone():
            s.sendto(envelope.sealed(OLDER, event(2, source="meters")), to)
            return dropped(r, "meters", "unknown-secret")
        until(gone, "the older one is gone")
        before = held(r)
        s.sendto(old, to)
        s.sendto(envelope.sealed(SECRET, event(3, source="meters")), to)
        until(lambda: held(r) == before + 1, "the new one is good")


def answering(port, prices):
    return with_envelope(port).replace("ground: {accept: true}", f"prices: tcp://127.0.0.1:{prices.port}")


@case
def who_shows_a_secret_is_answered():
    port = free_port("127.0.0.1")
    prices = LineSystem(lambda asked: reply_to(asked, {"price": 7}))
    query = json.dumps({"specversion": "1.0", "id": "q1", "source": "/systems/meters", "type": "t", "messagetype": "query",
                        "target": "prices", "note": "x" * 200})
    with the_example() as (path, _), Router(answering(port, prices), environment=ENVIRONMENT):
        run = subprocess.run([sys.executable, path, SECRET.decode(), str(port), query], capture_output=True, text=True, timeout=30)
        same(run.returncode, 0, run.stderr)
        got = json.loads(run.stdout)
        same((got["causationid"], got["data"]), ("q1", {"price": 7}), "the answer in its envelope")
        run = subprocess.run([sys.executable, path, OTHER.decode(), str(port), query], capture_output=True, text=True, timeout=30)
        true(run.returncode != 0 and "timed out" in run.stderr, f"who has another secret is not: {run.stdout}{run.stderr}")
    prices.close()


@case
def two_routers_speak_in_envelopes():
    port = free_port("127.0.0.1")
    prices = LineSystem(lambda asked: reply_to(asked, {"price": 8}))
    with Router(answering(port, prices), name="far", environment=ENVIRONMENT) as far, Router(f"""
listeners: {{web: http://127.0.0.1:0}}
systems:
  prices: {{url: "udp://127.0.0.1:{port}", envelope: meters}}
  bare: {{url: "udp://127.0.0.1:{port}"}}
security: {{credentials: {{meters: {{hmac: {{secret: "${{SECRET}}"}}}}}}}}
""", name="near", environment=ENVIRONMENT) as near:
        asked = json.loads(event(1, "prices"))
        asked.update(id="q2", source="/systems/meters", messagetype="query", note="x" * 200)
        answer = near.post(asked)
        same((answer.status, json.loads(answer.body)["data"]), (200, {"price": 8}), "the answer came back")
        near.post(json.loads(event(2, "bare")))
        until(lambda: dropped(far, "meters", "no-envelope") == 1, "without envelope nothing is taken")
    prices.close()


if __name__ == "__main__":
    main()
