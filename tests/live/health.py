#!/usr/bin/env python3
"""Endpoints that are asked whether they are well: who says no, or isn't there, gets nothing until that is over."""
import collections
import http.server
import re
import socket
import ssl
import threading

from kit import HttpSystem, Router, case, cases, main, same, true, until
from endpoints import config_of, say
from tls_kit import made, security

cases.clear()  # those of the other file

HEALTH = "health: {path: /healthz, interval: 200ms, timeout: 1s, rise: 2, fall: 2}, slow_start: {over: 0s}"


def asked(name, counts, health):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            counts[name, self.path] += 1
            self.answer(health.get(name, 200))

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            counts[name] += 1
            self.answer(202)

    return HttpSystem(Handler)


@case
def one_of_three_leaves_and_comes_back():
    counts, health = collections.Counter(), {}
    three = {name: asked(name, counts, health) for name in "abc"}
    with Router(config_of({name: (system.port, "") for name, system in three.items()}, HEALTH)) as router:
        until(lambda: all(counts[name, "/healthz"] >= 2 for name in "abc"), "each is asked")
        say(router, 30)
        until(lambda: all(counts[name] == 10 for name in "abc"), f"each has its turn: {counts}")
        health["b"] = 503
        until(lambda: "GET /healthz: 503" in router.log(), "it is found out")
        true('"unhealthy"' in router.log() and "far/b" in router.log(), "the log says who and why")
        counts.clear()
        say(router, 30)
        until(lambda: counts["a"] + counts["c"] == 30, f"the others have it all: {counts}")
        same(counts["b"], 0, "to the one that is down")
        until(lambda: counts["b", "/healthz"] > 0, "it is still asked")
        del health["b"]
        until(lambda: (say(router, 3), counts["b"] > 0)[1], "it is back", 20)
    for system in three.values():
        system.close()


@case
def nobody_there_is_down_until_somebody_is():
    counts, health = collections.Counter(), {}
    good = asked("good", counts, health)
    place = socket.socket()
    place.bind(("127.0.0.1", 0))  # its port is ours, and refuses
    port = place.getsockname()[1]
    config = config_of({"good": (good.port, ""), "gone": (port, "")},
                       "health: {type: tcp, interval: 200ms, rise: 1}, slow_start: {over: 0s}")
    with Router(config) as router:
        until(lambda: "no connection: refused" in router.log(), "it is found out")
        say(router, 10)
        until(lambda: counts["good"] == 10, f"all to the other: {counts}")
        place.listen()
        until(lambda: router.log().count('"endpoint changed"') >= 2, "it is back")
    place.close()
    good.close()


def checks(router):
    text = router.http("GET", "/metrics", port=router.admin).body
    text = text if isinstance(text, str) else text.decode()
    found = collections.Counter()
    for system, result, count in re.findall(r'intertie_health_checks_total\{system="([^"]+)",result="([^"]+)"\} (\d+)', text):
        found[system, result] += int(count)
    return found


@case
def each_wire_is_asked_in_its_own_way():
    """The other side is a router, too, so that its handshakes are real; a UDP peer that answers stands beside it."""
    peer_config = """
listeners:
  web: {url: http://127.0.0.1:0, anonymous: true}
  stream: {url: intertie://127.0.0.1:0, anonymous: true}
systems: {x: {accept: true}}
"""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(0.1)
    over = threading.Event()

    def answer():
        while not over.is_set():
            try:
                data, who = udp.recvfrom(100)
                udp.sendto(b"pong " + data, who)
            except OSError:
                pass

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with Router(peer_config) as peer:
            web, stream = peer.ports["web"], peer.ports["stream"]
            config = f"""
workers: 2
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
policies: {{asked: {{health: {{interval: 200ms}}}}}}
systems:
  ws: {{url: "ws://127.0.0.1:{web}/v1/ws", policy: asked}}
  stream: {{url: "intertie://127.0.0.1:{stream}", policy: asked}}
  tcp: {{url: "tcp://127.0.0.1:{stream}", policy: asked}}
  udp: {{url: "udp://127.0.0.1:{udp.getsockname()[1]}", policy: asked, health: {{send: ping, expect: pong ping}}}}
  deaf: {{url: "udp://127.0.0.1:{udp.getsockname()[1]}", policy: asked, health: {{send: ping, expect: gnop}}}}
  wrong: {{url: "intertie://127.0.0.1:{web}", policy: asked}}
"""
            with Router(config) as router:
                for name in ("ws", "stream", "tcp", "udp"):
                    until(lambda: checks(router)[name, "good"] > 0, f"{name} is well: {router.log()[-2000:]}")
                for name in ("deaf", "wrong"):
                    until(lambda: checks(router)[name, "bad"] > 0, f"{name} is found out")
                found = checks(router)
                same([found[name, "bad"] for name in ("ws", "stream", "tcp", "udp")], [0] * 4, "bad ones")
                same([found[name, "good"] for name in ("deaf", "wrong")], [0] * 2, "good ones")
    finally:
        over.set()
        thread.join()
        udp.close()


@case
def tls_is_asked_through_tls():
    folder, counts = made("a"), collections.Counter()
    service = asked("secure", counts, {})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
    service.server.socket = context.wrap_socket(service.server.socket, server_side=True)
    systems = "systems: {" + ", ".join(
        f'{name}: {{url: "https://localhost:{service.port}/in", tls: {{authorities: dev{more}}}, health: {{interval: 200ms}}}}'
        for name, more in (("fine", ""), ("other", ", server_name: other.example"))) + "}\n"
    with Router("listeners: {web: {url: http://127.0.0.1:0, anonymous: true}}\n" + systems + security(folder), replay=False) as router:
        until(lambda: checks(router)["fine", "good"] > 0, f"the right name: {router.log()[-2000:]}")
        until(lambda: checks(router)["other", "bad"] > 0, "another name is refused")
        same(checks(router)["fine", "bad"] + checks(router)["other", "good"], 0, "the other way")
        true("no connection: hostname mismatch" in router.log(), f"the log says why: {router.log()[-2000:]}")
    service.close()


if __name__ == "__main__":
    main()
