"""As little of stream v1 as it takes to speak it, over TCP and over WebSocket."""
import base64
import hashlib
import json
import os
import socket
import struct
import zlib

from kit import same, true

HELLO, WELCOME, MSG, ACK, CREDIT, SUBSCRIBE, RESULT, PING, PONG, GOAWAY, ERROR = 1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13


class Client:
    """As little of stream v1 as it takes."""

    def __init__(self, port):
        self.port = port
        self.session = None
        self.rx = self.tx = self.acked = 0

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def connect(self, resume=False, **hello):
        self.peer = self.dial()
        self.buffer = b""
        said = {"client": "test/1", "system": "crm", "enc": ["json"], "expiry_ms": 30000, **hello}
        if resume:
            said["resume"] = {"session": self.session, "rx": self.rx, "acked": self.acked}
        self.preface()
        self.frame(HELLO, json.dumps(said).encode())
        kind, _, payload = self.next()
        self.welcome = json.loads(payload)
        same(kind, WELCOME, "first frame: " + payload.decode())
        self.session = self.welcome["session"]
        return self.welcome

    def preface(self):
        """Both sides say theirs without waiting."""
        self.peer.sendall(b"\xf5its\x01\0\0\0")
        same(self.take(8), b"\xf5its\x01\0\0\0", "preface")

    def cut(self):
        """As a network does that goes away: no goodbye, and a reset."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()

    def frame(self, kind, payload, flags=0):
        self.peer.sendall(struct.pack(">IBBH", len(payload), kind, flags, 0) + payload)

    def take(self, size):
        while len(self.buffer) < size:
            got = self.peer.recv(65536)
            true(got, "the router closed")
            self.buffer += got
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def next(self):
        while True:
            size, kind, flags, _ = struct.unpack(">IBBH", self.take(8))
            payload = self.take(size)
            if kind == PING:
                self.frame(PONG, payload)
            elif kind != CREDIT:
                return kind, flags, payload

    def message(self):
        """The next one: number, flags, event."""
        while True:
            kind, flags, payload = self.next()
            if kind == ACK:
                self.acked = max(self.acked, struct.unpack(">Q", payload[:8])[0])
            elif kind == MSG:
                seq = struct.unpack(">Q", payload[:8])[0]
                body = payload[16:]
                self.rx = max(self.rx, seq)
                return seq, flags, json.loads(zlib.decompress(body) if flags & 2 else body)
            else:
                raise AssertionError(f"frame {kind}: {payload}")

    def wait_ack(self, seq):
        while self.acked < seq:
            kind, _, payload = self.next()
            same(kind, ACK, "frame")
            self.acked = max(self.acked, struct.unpack(">Q", payload[:8])[0])

    def ack(self, cum):
        self.frame(ACK, struct.pack(">QHH", cum, 0, 0))

    def send(self, sent, flags=0, seq=None):
        self.tx = seq or self.tx + 1
        body = json.dumps({**sent, "source": "/systems/crm"}).encode()
        self.frame(MSG, struct.pack(">QII", self.tx, 0, 0) + (zlib.compress(body) if flags & 2 else body), flags)

    def serve(self):
        self.frame(SUBSCRIBE, b'{"sub":1}')
        kind, _, payload = self.next()
        same((kind, json.loads(payload)["status"]), (RESULT, 200), "subscribe")


class Carried(Client):
    """The same over WebSocket: a frame in a message, and no preface."""

    def __init__(self, port, path="/v1/ws", **fields):
        super().__init__(port)
        self.path, self.fields = path, fields

    def dial(self):
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
                  "Sec-WebSocket-Protocol": "intertie.v1", **self.fields}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        peer.sendall(f"GET {self.path} HTTP/1.1\r\n{lines}\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            got = peer.recv(1)
            true(got, f"the handshake ends: {head}")
            head += got
        true(head.startswith(b"HTTP/1.1 101 ") and b"Sec-WebSocket-Protocol: intertie.v1\r\n" in head, head)
        accept = base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        true(accept in head and b"Extensions" not in head, head)
        return peer

    def preface(self):
        self.left = b""

    def message_out(self, opcode, payload):
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        key = os.urandom(4)
        self.peer.sendall(bytes([0x80 | opcode]) + size + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload)))

    def frame(self, kind, payload, flags=0):
        self.message_out(2, struct.pack(">IBBH", len(payload), kind, flags, 0) + payload)

    def raw(self, size):
        while len(self.left) < size:
            got = self.peer.recv(65536)
            true(got, "the router closed")
            self.left += got
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def message_in(self):
        first, size = self.raw(2)
        if size > 125:
            size = int.from_bytes(self.raw(2 if size == 126 else 8), "big")
        return first & 15, self.raw(size)

    def take(self, size):
        if not self.buffer:
            opcode, self.buffer = self.message_in()
            same(opcode, 2, f"a message: {self.buffer}")
            same(struct.unpack(">I", self.buffer[:4])[0], len(self.buffer) - 8, "one frame in each")
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        same(len(taken), size, "within one message")
        return taken
