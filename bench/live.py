#!/usr/bin/env python3
"""What the running program costs: CPU time a message, start, memory. Needs nothing but the built program.

    bench/live.py [build/release/src/intertie]

CPU time is the router's own (user and system), so a slow sender here doesn't count against it. One worker.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release/src/intertie")
TICK = os.sysconf("SC_CLK_TCK")
EVENT = (b'{"specversion":"1.0","id":"1234567","source":"/doors/7","type":"com.example.tick",'
         b'"datacontenttype":"application/json","data":{"pad":"' + b"x" * 120 + b'"}}\n')
BODY = b'{"door":7,"pad":"' + b"x" * 100 + b'"}'
REQUEST = (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /doors/7\r\n"
           b"ce-type: com.example.tick\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)) + BODY
HELLO = b'{"specversion":"1.0","id":"h","source":"/me","type":"intertie.ctl.hello.v1","data":{"system":"desk"}}\n'


class Router:
    """One router on ports of its own."""

    def __init__(self, folder):
        config = os.path.join(folder, "bench.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"name: bench\nworkers: 1\nrun_dir: {folder}\nadmin: {{url: http://127.0.0.1:0}}\n"
                       "listeners: {web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0}\n"
                       "systems: {desk: {accept: true}}\nroutes: {every: {match: {}, to: desk}}\n"
                       f"log: {{file: {folder}/log}}\n")
        self.start = time.perf_counter()
        self.process = subprocess.Popen([PROGRAM, "run", config], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.web = int(re.search(r" http://127\.0\.0\.1:(\d+)", line).group(1))
        self.stream = int(re.search(r"tcp://127\.0\.0\.1:(\d+)", line).group(1))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, key):
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            return int(re.search(rf"^{key}:\s+(\d+)", file.read(), re.M).group(1)) * 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def take(desk, count):
    got = 0
    while got < count:
        piece = desk.recv(1 << 20)
        if not piece:
            raise SystemExit("the router closed")
        got += piece.count(b"\n")


def measure(router, desk, name, count, send):
    taker = threading.Thread(target=take, args=(desk, count))
    taker.start()
    cpu, clock = router.cpu_seconds(), time.perf_counter()
    send()
    taker.join()
    cpu, clock = router.cpu_seconds() - cpu, time.perf_counter() - clock
    print(f"{name:44} {cpu / count * 1e6:6.2f} us CPU a message  {count / clock / 1e3:7.0f} k/s")


def lines(router, count):
    sender = connect(router.stream)
    for _ in range(count // 1000):
        sender.sendall(EVENT * 1000)


def posts(senders, depth, rounds):
    for _ in range(rounds):
        for sender in senders:
            sender.sendall(REQUEST * depth)
        for sender in senders:
            answers = 0
            while answers < depth:
                answers += sender.recv(1 << 16).count(b"HTTP/1.1 202")


def main():
    with tempfile.TemporaryDirectory() as folder:
        starts = []
        for _ in range(10):
            router = Router(folder)
            with connect(router.web) as first:
                first.sendall(REQUEST)
                assert b"202" in first.recv(4096)
            starts.append((time.perf_counter() - router.start) * 1e3)
            router.stop()
        print(f"start to first answer: {min(starts):.1f} ms at best, {sorted(starts)[5]:.1f} ms in the middle")

        router = Router(folder)
        print(f"idle: {router.memory('Rss') / 1e6:.1f} MB resident")
        desk = connect(router.stream)
        desk.sendall(HELLO)
        desk.recv(4096)
        before = router.memory("Pss")
        idle = [connect(router.web) for _ in range(500)]
        posts(idle, 1, 1)
        take(desk, 500)
        print(f"an idle HTTP connection after one message: {(router.memory('Pss') - before) / 500 / 1024:.1f} KiB")
        for each in idle:
            each.close()
        for _ in range(3):
            measure(router, desk, f"JSON lines to JSON lines, {len(EVENT)} bytes", 400000, lambda: lines(router, 400000))
        senders = [connect(router.web) for _ in range(16)]
        for depth in (1, 16):
            rounds = 2500 // depth
            for _ in range(3):
                measure(router, desk, f"HTTP to JSON lines, 16 connections, {depth} deep", 16 * depth * rounds,
                        lambda: posts(senders, depth, rounds))
        router.stop()


if __name__ == "__main__":
    main()
