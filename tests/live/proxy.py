#!/usr/bin/env python3
"""What docs/proxy.md promises, with curl, haproxy and nginx in front and behind, and sockets that misbehave."""
import base64
import hashlib
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from kit import HttpSystem, Router, Skip, case, main, same, true, until
from tls_kit import client as tls_client
from tls_kit import made, security

SIZE = 100 << 20
CONFIG = """
listeners: {{web: {{url: http://127.0.0.1:0{listener}}}}}
systems:
  site: {{url: "{scheme}://{host}:{port}/base"{system}}}
routes:
  rest: {{match: {{http: {{path: /**}}}}, proxy: site}}
"""
# What a sanitizer keeps of freed memory is not the router's.
LEAN = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


def block(number):
    return number.to_bytes(8, "big") * 8192


class Site(HttpSystem):
    def __init__(self, wrap=None):
        site = self
        self.go = threading.Semaphore(0)
        self.gone = threading.Event()
        self.sent = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def read_body(self):
                digest, size = hashlib.sha256(), 0
                if self.headers.get("Transfer-Encoding"):
                    while length := int(self.rfile.readline(), 16):
                        piece = self.rfile.read(length)
                        digest.update(piece)
                        size += len(piece)
                        self.rfile.readline()
                    self.rfile.readline()
                left = int(self.headers.get("Content-Length") or 0)
                while left:
                    piece = self.rfile.read(min(left, 1 << 18))
                    digest.update(piece)
                    size += len(piece)
                    left -= len(piece)
                return size, digest.hexdigest()

            def start(self, *fields):
                self.send_response(200)
                for name, value in fields:
                    self.send_header(name, value)
                self.end_headers()

            def blocks(self):
                self.start(("Content-Length", str(SIZE)))
                site.sent = 0
                try:
                    for number in range(SIZE >> 16):
                        self.wfile.write(block(number))
                        site.sent += 65536
                except OSError:
                    site.gone.set()

            def events(self):
                self.start(("Content-Type", "text/event-stream"))
                number = 0
                try:
                    while site.go.acquire(timeout=20):
                        self.wfile.write(b"data: %d\n\n" % number)
                        number += 1
                except OSError:
                    site.gone.set()
                self.close_connection = True

            def broken(self):
                self.start(("Content-Length", "100") if "sized" in self.path else ("Transfer-Encoding", "chunked"))
                self.wfile.write(b"half" if "sized" in self.path else b"4\r\nhalf\r\n")
                self.close_connection = True

            def answer(self):
                if "/blocks" in self.path:
                    return self.blocks()
                if "/events" in self.path:
                    return self.events()
                if "/broken" in self.path:
                    return self.broken()
                size, digest = self.read_body()
                out = json.dumps({"line": self.requestline, "headers": self.headers.items(), "size": size, "digest": digest}).encode()
                self.start(("Content-Length", str(len(out))), ("X-Twice", "1"), ("X-Twice", "2"))
                if self.command != "HEAD":
                    self.wfile.write(out)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = answer

        super().__init__(Handler)
        if wrap:
            self.server.socket = wrap.wrap_socket(self.server.socket, server_side=True)


class Bare:
    """A system that a case plays by hand."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def accept(self):
        peer, _ = self.socket.accept()
        peer.settimeout(20)
        return peer


def router(port, listener="", system="", scheme="http", host="127.0.0.1", more="", **options):
    return Router(CONFIG.format(port=port, listener=listener, system=system, scheme=scheme, host=host) + more, **options)


def curl(*arguments, data=None):
    if not shutil.which("curl"):
        raise Skip("no curl here")
    return subprocess.run(["curl", "-sS", "--max-time", "60", *arguments], input=data, capture_output=True, check=False)


def resident(r):
    with open(f"/proc/{r.child.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) >> 10


def metric(r, name, **labels):
    text = r.http("GET", "/metrics", port=r.admin).body.decode()
    total = 0
    for line in text.splitlines():
        if line.startswith(name + "{") and all(f'{key}="{value}"' in line for key, value in labels.items()):
            total += float(line.rsplit(" ", 1)[1])
    return total


def closing(site):
    class Closing:
        def __enter__(self):
            return site

        def __exit__(self, *_):
            site.close()

    return Closing()


def all_of(request, port):
    """What a server says until it closes."""
    with socket.create_connection(("127.0.0.1", port), 20) as peer:
        peer.sendall(request)
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
    return answer


def get(port, path, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    reply.body = reply.read()
    connection.close()
    return reply


# -- large, endless, slow --


@case
def a_hundred_megabytes_pass_up_and_down_and_are_never_held():
    with closing(Site()) as site, router(site.port, environment=LEAN, replay=False) as r:
        base = f"http://127.0.0.1:{r.ports['web']}"
        curl(base + "/x")
        before = resident(r)
        wanted = hashlib.sha256()
        data = b"".join(block(number) for number in range(SIZE >> 16))
        wanted.update(data)
        down = curl(base + "/blocks")
        same(hashlib.sha256(down.stdout).hexdigest(), wanted.hexdigest(), "down")
        for mode in ("Transfer-Encoding: chunked", "X-Sized: 1"):
            up = json.loads(curl("-X", "PUT", "-H", mode, "--data-binary", "@-", base + "/up", data=data).stdout)
            same((up["size"], up["digest"]), (SIZE, wanted.hexdigest()), "up, " + mode)
        true(resident(r) - before < 32, f"memory grew from {before} to {resident(r)} MiB")


@case
def endless_answers_come_event_by_event():
    with closing(Site()) as site, router(site.port) as r:
        with socket.create_connection(("127.0.0.1", r.ports["web"]), 20) as peer:
            peer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            seen = b""
            for number in range(20):
                site.go.release()
                while b"data: %d\n\n" % number not in seen:
                    piece = peer.recv(4096)
                    true(piece, f"the stream ends: {seen!r}")
                    seen += piece
            until(lambda: metric(r, "intertie_exchanges_open", system="site") == 1, "it is seen to be open")
        # who went away is not served on
        until(lambda: site.go.release() or site.gone.is_set(), "the system hears that nobody listens")


@case
def who_reads_slowly_slows_who_writes():
    with closing(Site()) as site, router(site.port, environment=LEAN, replay=False) as r:
        with socket.create_connection(("127.0.0.1", r.ports["web"]), 20) as peer:
            peer.sendall(b"GET /blocks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            last = -1
            while site.sent != last or last <= 0:
                last = site.sent
                time.sleep(0.3)
            true(last < SIZE // 2, f"{last} bytes went to a client that reads nothing")
            size = 0
            while piece := peer.recv(1 << 20):
                size += len(piece)
        true(size > SIZE, f"{size} of {SIZE} bytes")


@case
def a_hundred_uploads_at_once_arrive_whole():
    with closing(Site()) as site, router(site.port, system=", pool: {max: 8}, timeouts: {queue: 30s}") as r:
        wrong = []

        def one(number):
            data = bytes([number]) * (1000 * number)
            got = json.loads(get(r.ports["web"], f"/{number}", "POST", data).body)
            if (got["size"], got["digest"]) != (len(data), hashlib.sha256(data).hexdigest()):
                wrong.append(number)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        same(wrong, [], "uploads that differ")
        same(metric(r, "intertie_exchanges_total", system="site", code="2xx", reason="ok"), 100, "counted")


# -- heads --


@case
def heads_go_from_hop_to_hop():
    with closing(Site()) as site, router(site.port, system=", headers: {x-key: abc}") as r:
        reply = r.http("DELETE", "/a%2Fb?x=%20", X_One="1", X_Forwarded_For="6.6.6.6", Upgrade="h2c", Connection="Upgrade, HTTP2-Settings", HTTP2_Settings="x")
        got = json.loads(reply.body)
        headers = {name.lower(): value for name, value in got["headers"]}
        same(got["line"], "DELETE /base/a%2Fb?x=%20 HTTP/1.1", "line")
        same((headers["x-one"], headers["x-key"], headers["via"], headers["x-forwarded-for"]), ("1", "abc", "1.1 test", "127.0.0.1"), "fields")
        true("upgrade" not in headers and "http2-settings" not in headers and "authorization" not in headers, str(headers))
        same(reply.getheader("X-Twice"), "1, 2", "an answer's fields")
        head = curl("-I", f"http://127.0.0.1:{r.ports['web']}/x").stdout
        true(head.startswith(b"HTTP/1.1 200") and b"Content-Length: " in head, head)
        same(get(r.ports["web"], "/x", Via="1.1 test").status, 508, "its own name in Via")
        old = all_of(b"GET /x HTTP/1.0\r\n\r\n", r.ports["web"])
        true(b"chunked" not in old and b"Connection: close" in old, old)


@case
def the_wires_to_a_system_are_as_for_messages():
    with Bare() as system:
        with router(system.port, system=", proxy_protocol: v2") as r:
            got = []

            def one():
                peer = system.accept()
                seen = b""
                while b"\r\n\r\n" not in seen:
                    seen += peer.recv(4096)
                got.append(seen)
                peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                peer.close()

            thread = threading.Thread(target=one)
            thread.start()
            same(get(r.ports["web"], "/x").status, 204, "answer")
            thread.join(10)
            true(got[0].startswith(b"\r\n\r\n\0\r\nQUIT\n\x20"), got[0])


@case
def https_on_both_sides():
    folder = made("a")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
    config = """
listeners: {web: {url: https://127.0.0.1:0, tls: {certificates: dev}}}
systems: {site: {url: https://localhost:PORT, tls: {authorities: dev}}}
routes: {rest: {match: {http: {path: /**}}, proxy: site}}
"""
    with closing(Site(context)) as site:
        with Router(config.replace("PORT", str(site.port)) + security(folder), replay=False,
                    environment=LEAN) as r:
            connection = http.client.HTTPSConnection("localhost", r.ports["web"], context=tls_client(folder), timeout=30)
            for size in (0, 10, 3 << 20):
                connection.request("PUT", "/x", b"x" * size)
                got = json.loads(connection.getresponse().read())
                same(got["size"], size, "size")
            same({n.lower(): v for n, v in got["headers"]}["x-forwarded-proto"], "https", "proto")
            connection.request("GET", "/blocks")
            same(len(connection.getresponse().read()), SIZE, "down")
            connection.close()


# -- what fails --


@case
def a_broken_answer_is_never_a_short_one():
    with closing(Site()) as site, router(site.port) as r:
        for path in ("/broken/sized", "/broken/chunked"):
            try:
                get(r.ports["web"], path)
            except (http.client.IncompleteRead, ConnectionError):
                continue
            raise AssertionError(f"{path}: looks whole")
        try:  # to HTTP/1.0 only the end of the connection is one
            all_of(b"GET /broken/chunked HTTP/1.0\r\n\r\n", r.ports["web"])
            raise AssertionError("looks whole")
        except ConnectionResetError:
            pass
        until(lambda: metric(r, "intertie_exchanges_total", reason="upstream-error") == 3, "all are counted")


@case
def a_system_that_is_killed_in_its_middle_ends_the_answer():
    script = ("import socket,time; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); c,_=s.accept(); c.recv(9999);"
              "c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nhalf'); time.sleep(60)")
    system = subprocess.Popen(["python3", "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        with router(int(system.stdout.readline())) as r, socket.create_connection(("127.0.0.1", r.ports["web"]), 20) as peer:
            peer.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            seen = b""
            while b"half" not in seen:
                seen += peer.recv(4096)
            system.kill()
            while piece := peer.recv(4096):
                seen += piece
            true(seen.endswith(b"\r\nContent-Length: 100\r\n\r\nhalf"), seen)
    finally:
        system.kill()
        system.wait()
        system.stdout.close()


@case
def errors_are_problem_documents():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with router(port) as r:
        reply = get(r.ports["web"], "/x")
        same((reply.status, json.loads(reply.body)["reason"], reply.getheader("Retry-After")), (503, "target-unavailable", "1"), "nobody there")
    with socket.create_server(("127.0.0.1", 0)) as silent, router(silent.getsockname()[1], system=", timeouts: {request: 300ms}") as r:
        reply = get(r.ports["web"], "/x")
        same((reply.status, json.loads(reply.body)["reason"]), (504, "reply-timeout"), "no answer")


@case
def a_reload_and_a_drain_let_streams_end():
    with closing(Site()) as site, router(site.port, more="drain: {announce: 0s, grace: 20s}\n") as r:
        with socket.create_connection(("127.0.0.1", r.ports["web"]), 20) as peer:
            peer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            site.go.release()
            seen = peer.recv(4096)
            r.write(r.config.replace("routes:", "policies: {default: {timeouts: {request: 9s}}}\nroutes:"))
            same(r.intertie("reload").returncode, 0, "reload")
            site.go.release()
            while b"data: 1" not in seen:
                seen += peer.recv(4096)
            drain = subprocess.Popen([os.environ.get("INTERTIE", "build/debug/src/intertie"), "stop", "-c", r.path], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            site.go.release()
            while b"data: 2" not in seen:
                seen += peer.recv(4096)
        drain.wait(30)
        r.child.wait(30)


# -- tunnels --


def frame(data):
    mask = os.urandom(4)
    return bytes([0x81, 0x80 | len(data)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


@case
def websocket_passes_as_bytes():
    key = base64.b64encode(os.urandom(16)).decode()
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    with Bare() as system, router(system.port) as r:
        with socket.create_connection(("127.0.0.1", r.ports["web"]), 20) as peer:
            peer.sendall(f"GET /chat HTTP/1.1\r\nHost: localhost\r\nOrigin: https://elsewhere.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                         f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
            there = system.accept()
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += there.recv(4096)
            true(f"Sec-WebSocket-Key: {key}\r\n".encode() in seen and b"Upgrade: websocket\r\n" in seen, seen)
            there.sendall(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
                          + b"\x81\x05first")
            back = b""
            while not back.endswith(b"first"):
                back += peer.recv(4096)
            true(accept.encode() in back, back)
            for size in (1, 100, 125):
                sent = frame(b"x" * size)
                peer.sendall(sent)
                got = b""
                while len(got) < len(sent):
                    got += there.recv(4096)
                same(got, sent, "up")
            big = os.urandom(3 << 20)
            threading.Thread(target=there.sendall, args=(big,), daemon=True).start()
            got = b""
            while len(got) < len(big):
                got += peer.recv(1 << 20)
            same(hashlib.sha256(got).hexdigest(), hashlib.sha256(big).hexdigest(), "down")
            there.close()
            same(peer.recv(10), b"", "the other side is told of the end")


# -- other proxies --

HAPROXY = """
defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
listen front
  bind 127.0.0.1:{port}
  http-reuse always
  server there 127.0.0.1:{to}
"""
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 500; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  upstream there {{ server 127.0.0.1:{to}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host localhost; }}
  }}
}}
"""


class Other:
    def __init__(self, name, to):
        program = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if not program:
            raise Skip(f"{name} is not installed")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory(prefix="intertie-")
        path = os.path.join(self.folder.name, name + ".conf")
        with open(path, "w", encoding="ascii") as file:
            file.write((HAPROXY if name == "haproxy" else NGINX).format(port=self.port, to=to, folder=self.folder.name))
        arguments = ["-db", "-f", path] if name == "haproxy" else ["-p", self.folder.name, "-e", self.folder.name + "/start.log", "-c", path]
        self.child = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.is_there, f"{name} listens")

    def is_there(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait(20)
        self.folder.cleanup()


def speak(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number in range(30):
        size = (0, 1, 1000, 200000)[number % 4]
        body = bytes([number]) * size
        chunks = (body[at:at + 7000] for at in range(0, size, 7000))
        connection.request("POST", f"/{number}", chunks if number % 3 == 0 else body, encode_chunked=number % 3 == 0,
                           headers={"Transfer-Encoding": "chunked"} if number % 3 == 0 else {})
        reply = connection.getresponse()
        got = json.loads(reply.read())
        same((reply.status, got["size"], got["digest"]), (200, size, hashlib.sha256(body).hexdigest()), f"request {number}")
    connection.request("GET", "/blocks")
    same(len(connection.getresponse().read()), SIZE, "large")
    connection.close()


def in_a_row(name):
    with closing(Site()) as site:
        with router(site.port, environment=LEAN, replay=False) as r, Other(name, r.ports["web"]) as front:
            speak(front.port)
        with Other(name, site.port) as behind, router(behind.port, environment=LEAN, replay=False) as r:
            speak(r.ports["web"])


@case
def haproxy_in_front_and_behind():
    in_a_row("haproxy")


@case
def nginx_in_front_and_behind():
    in_a_row("nginx")


main()
