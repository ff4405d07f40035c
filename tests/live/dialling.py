#!/usr/bin/env python3
"""Names that are dialled, addresses that are tried in turn, PROXY headers in front and behind."""
import os
import socket
import struct
import threading

from kit import Router, case, event, main, same, true, until

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class Names(threading.Thread):
    """A name server: a list of IPv4 addresses for any name that begins with one of `known`."""

    def __init__(self, known):
        super().__init__(daemon=True)
        self.known, self.asked = known, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.at = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            packet, sender = self.socket.recvfrom(512)
            end, labels = 12, []
            while packet[end]:
                labels.append(packet[end + 1:end + 1 + packet[end]].decode())
                end += packet[end] + 1
            kind = packet[end + 2]
            name = ".".join(labels).lower()
            self.asked.append(name)
            addresses = self.known.get(name)
            found = addresses if addresses and kind == 1 else []
            flags = 0x8583 if addresses is None else 0x8580
            out = packet[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0) + packet[12:end + 5]
            for address in found:
                out += struct.pack(">HHHIH", 0xc00c, 1, 1, 300, 4) + socket.inet_aton(address)
            self.socket.sendto(out, sender)


def system_at(port):
    return f"""
workers: 1
listeners: {{web: http://127.0.0.1:0}}
systems: {{far: {{url: "tcp://far.test:{port}"}}, gone: {{url: "tcp://gone.test:{port}"}}}}
"""


def listening(address="127.0.0.1"):
    server = socket.create_server((address, 0))
    server.settimeout(20)
    return server, server.getsockname()[1]


@case
def a_name_is_dialled_and_a_dead_address_is_passed_over():
    names = Names({"far.test": ["127.0.0.9", "127.0.0.1"]})  # nobody listens on the first, on that port
    server, port = listening()
    with Router(system_at(port), environment=dict(os.environ, INTERTIE_RESOLVER=names.at)) as r:
        same(r.post(event("event", "a.b", {"n": 1}, target="far")).status, 202, "status")
        peer = server.accept()[0]
        peer.settimeout(20)
        true(b'"a.b"' in peer.recv(65536), "the event")
        true("far.test" in names.asked, "the name server was asked")


@case
def a_name_that_is_not_there_has_its_own_reason():
    names = Names({})
    with Router(system_at(9), environment=dict(os.environ, INTERTIE_RESOLVER=names.at)) as r:
        r.post(event("event", "a.b", {}, target="gone"))
        until(lambda: "name-not-found" in r.log(), "the log says why")


@case
def who_is_behind_a_trusted_proxy_counts():
    with Router("""
workers: 1
listeners: {web: {url: http://127.0.0.1:0, proxy_protocol: true, trusted_proxies: 127.0.0.0/8, allow: 192.0.2.0/24, limits: {per_peer: 1}}}
systems: {}
""") as r:
        def ask(header, more=b"Connection: close\r\n"):
            s = socket.create_connection(("127.0.0.1", r.ports["web"]), 20)
            for i in range(len(header)):
                s.sendall(header[i:i + 1])
            s.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n")
            try:
                return s, s.recv(65536)[:12]
            except ConnectionError:
                return s, b""
        same(ask(b"PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n")[1], b"HTTP/1.1 404", "v1")
        same(ask(SIGNATURE + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 2, 127, 0, 0, 1, 1, 1, 0, 80]))[1], b"HTTP/1.1 404", "v2")
        same(ask(SIGNATURE + b"\x20\0\0\0")[1], b"HTTP/1.1 404", "LOCAL")
        same(ask(b"PROXY TCP4 192.0.3.1 127.0.0.1 1000 80\r\n")[1], b"", "not allowed")
        same(ask(b"")[1], b"", "no header")
        first = ask(b"PROXY TCP4 192.0.2.7 127.0.0.1 1000 80\r\n", b"")
        same(first[1], b"HTTP/1.1 404", "the first of an address")
        same(ask(b"PROXY TCP4 192.0.2.8 127.0.0.1 1000 80\r\n", b"")[1], b"HTTP/1.1 404", "the first of another")


@case
def what_we_dial_is_told_that_we_speak_for_ourselves():
    for version, first in (("v1", b"PROXY UNKNOWN\r\n"), ("v2", SIGNATURE + b"\x20\0\0\0")):
        server, port = listening()
        with Router(f"""
workers: 1
listeners: {{web: http://127.0.0.1:0}}
systems: {{far: {{url: "tcp://127.0.0.1:{port}", proxy_protocol: {version}}}}}
""") as r:
            r.post(event("event", "a.b", {}, target="far"))
            peer = server.accept()[0]
            peer.settimeout(20)
            got = b""
            while b"\n{" not in got and b"\0\0\0{" not in got:
                part = peer.recv(65536)
                true(part, "more to read")
                got += part
            true(got.startswith(first), f"{version} comes first: {got[:40]!r}")


if __name__ == "__main__":
    main()
