#!/usr/bin/env python3
"""What an idle connection costs a router: resident memory with so many of each kind less that without, for each.

    bench/idle.py [PROGRAM] [COUNT]          build/release/src/intertie and 2000

Each has said what its kind says first: a request that was answered, a handshake, a hello. Prints KiB for each."""
import base64
import json
import os
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/release/src/intertie"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
REQUEST = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
CONFIG = """
name: idle
workers: 1
run_dir: {folder}/run
admin: {{url: http://127.0.0.1:0}}
limits: {{connections: 50000}}
listeners:
  http: http://127.0.0.1:0
  https: {{url: https://127.0.0.1:0, tls: {{certificates: dev}}}}
  stream: tcp://127.0.0.1:0
  tls: {{url: tls://127.0.0.1:0, tls: {{certificates: dev}}}}
systems: {{desk: {{accept: true}}}}
security: {{certificates: {{dev: {{cert: {folder}/server.pem, key: {folder}/server.key}}}}}}
"""


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(n) for n in re.findall(r"^(?:Private_Clean|Private_Dirty): +(\d+) kB", file.read(), re.M))


def until(peer, mark):
    got = b""
    while mark not in got:
        piece = peer.recv(4096)
        assert piece, got
        got += piece


def http(peer):
    peer.sendall(REQUEST)
    until(peer, b"\r\n\r\n")


def websocket(protocol):
    def begin(peer):
        key = base64.b64encode(os.urandom(16)).decode()
        peer.sendall((f"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                      f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n").encode())
        until(peer, b"\r\n\r\n")
        if protocol == "intertie.v1":
            hello = b'{"client":"idle/1","hb_ms":600000}'
            frame = struct.pack(">IBBH", len(hello), 1, 0, 0) + hello
            peer.sendall(bytes([0x82, 0x80 | len(frame)]) + b"\0\0\0\0" + frame)
            until(peer, b'"server"')
    return begin


def stream(peer):
    hello = b'{"client":"idle/1","hb_ms":600000}'
    peer.sendall(b"\xf5its\1\0\0\0" + struct.pack(">IBBH", len(hello), 1, 0, 0) + hello)
    until(peer, b'"server"')


KINDS = [("HTTP", "http", None, http), ("WebSocket", "http", None, websocket("cloudevents.json")),
         ("WebSocket, intertie.v1", "http", None, websocket("intertie.v1")), ("stream v1", "stream", None, stream),
         ("HTTP over TLS 1.3", "https", ssl.TLSVersion.TLSv1_3, http), ("HTTP over TLS 1.2", "https", ssl.TLSVersion.TLSv1_2, http),
         ("WebSocket over TLS 1.3", "https", ssl.TLSVersion.TLSv1_3, websocket("cloudevents.json")),
         ("stream v1 over TLS 1.3", "tls", ssl.TLSVersion.TLSv1_3, stream)]


def measure(kind, listener, version, begin, folder):
    path = folder + "/idle.yaml"
    with open(path, "w", encoding="ascii") as file:
        file.write(CONFIG.format(folder=folder))
    child = subprocess.Popen([PROGRAM, "run", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    admin = re.search(r"admin (http://127\.0\.0\.1:\d+)", child.stdout.readline()).group(1)
    listed = subprocess.run(["curl", "-s", admin + "/api/v1/listeners"], capture_output=True, text=True, check=True).stdout
    port = {one["name"]: one["port"] for one in json.loads(listed)["listeners"]}[listener]
    context = ssl.create_default_context(cafile=folder + "/ca.pem")
    if version:
        context.minimum_version = context.maximum_version = version
    held, before = [], 0
    for number in range(COUNT + 50):
        if number == 50:  # what the first ones warm up is nobody's
            time.sleep(0.3)
            before = resident(child.pid)
        peer = socket.create_connection(("127.0.0.1", port), 20)
        if version:
            peer = context.wrap_socket(peer, server_hostname="localhost")
        begin(peer)
        held.append(peer)
    time.sleep(1)
    print(f"{kind:26} {(resident(child.pid) - before) / COUNT:6.2f} KiB", flush=True)
    child.send_signal(signal.SIGKILL)
    child.wait()
    for peer in held:
        peer.close()


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="intertie-idle-") as folder:
        subprocess.run([PROGRAM, "certs", "dev", folder], check=True, capture_output=True)
        for kind in KINDS:
            measure(*kind, folder)


if __name__ == "__main__":
    main()
