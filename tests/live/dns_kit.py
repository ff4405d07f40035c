"""A small name server on loopback, over UDP and TCP, that says what it is told to, right or wrong."""
import collections
import os
import socket
import struct
import threading

A, CNAME, AAAA, SRV = 1, 5, 28, 33


def name_bytes(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def data_of(kind, value):
    if kind == A:
        return socket.inet_aton(value)
    if kind == AAAA:
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == CNAME:
        return name_bytes(value)
    priority, weight, port, target = value
    return struct.pack("!HHH", priority, weight, port) + name_bytes(target)


class NameServer:
    def __init__(self):
        for _ in range(50):
            self.tcp = socket.socket()
            self.tcp.bind(("127.0.0.1", 0))
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind(self.tcp.getsockname())
                break
            except OSError:
                self.tcp.close()
                self.udp.close()
        self.port = self.tcp.getsockname()[1]
        self.tcp.listen()
        self.records = {}  # name -> [(owner, kind, ttl, value)]: all that is told of it
        self.asked = collections.Counter()  # (name, kind)
        self.by_tcp = 0
        self.mode = "answer"  # silent, refuse, garbage, cut, other-id
        self.over = False
        self.environment = {"INTERTIE_RESOLVER": f"127.0.0.1:{self.port}"}
        self.threads = [threading.Thread(target=self.serve_udp, daemon=True), threading.Thread(target=self.serve_tcp, daemon=True)]
        for thread in self.threads:
            thread.start()

    def set(self, name, *records):
        """Records: (kind, ttl, value), or with another owner before."""
        self.records[name] = [record if isinstance(record[0], str) else (name, *record) for record in records]

    def answer(self, query, tcp):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name = ".".join(labels).lower()
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        self.asked[name, kind] += 1
        ident = query[:2]
        if self.mode == "silent":
            return None
        if self.mode == "refuse":
            return ident + struct.pack("!HHHHH", 0x8185, 1, 0, 0, 0) + question
        if self.mode == "other-id":
            ident = bytes([ident[0] ^ 1, ident[1]])
        known = self.records.get(name)
        if known is None:
            return ident + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + question
        told = [record for record in known if record[1] in (kind, CNAME)]
        body = b"".join(name_bytes(owner) + struct.pack("!HHI", k, 1, ttl) + struct.pack("!H", len(data_of(k, v))) + data_of(k, v)
                        for owner, k, ttl, v in told)
        if self.mode == "garbage":
            return ident + struct.pack("!HHHHH", 0x8180, 1, 7, 0, 0) + question + os.urandom(40)
        whole = ident + struct.pack("!HHHHH", 0x8180, 1, len(told), 0, 0) + question + body
        if not tcp and (self.mode == "cut" or len(whole) > 1200):
            return ident + struct.pack("!HHHHH", 0x8380, 1, 0, 0, 0) + question
        return whole

    def serve_udp(self):
        while not self.over:
            try:
                query, peer = self.udp.recvfrom(4096)
                answer = self.answer(query, False) if len(query) > 12 else None
                if answer:
                    self.udp.sendto(answer, peer)
            except OSError:
                return

    def serve_tcp(self):
        while not self.over:
            try:
                peer, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        with peer, peer.makefile("rb") as file:
            try:
                while True:
                    size = file.read(2)
                    if len(size) < 2:
                        return
                    query = file.read(struct.unpack("!H", size)[0])
                    self.by_tcp += 1
                    answer = self.answer(query, True)
                    if answer:
                        peer.sendall(struct.pack("!H", len(answer)) + answer)
            except OSError:
                return

    def close(self):
        self.over = True
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
