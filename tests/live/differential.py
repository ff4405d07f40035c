#!/usr/bin/env python3
"""Two readers of the same bytes: haproxy and nginx in front of the router and behind it. However a request is written,
the router finds the same messages in what the other forwards as that one believes to have forwarded; and what the router
sends itself is nothing but its own canonical form."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from hostile_kit import *
from kit import Server, Skip, case, main
from smuggling import ANSWERS, REQUESTS, TAIL

LAST = (b"POST /v1/systems/tail/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nConnection: close\r\n"
        b"Content-Length: 4\r\n\r\nlast")
ROUTER = """
workers: 1
log: {{level: debug, format: json}}
listeners: {{web: http://127.0.0.1:0}}
systems:
  sink: {{url: "tcp://127.0.0.1:{sink}"}}
  tail: {{url: "tcp://127.0.0.1:{tail}"}}
routes: {{rest: {{match: {{}}, to: sink}}}}
"""


# -- proxies --


class Tee(Server):
    """Stands before a port, hands on what comes and remembers it: a list of (bytes in, bytes out) by connection."""

    def __init__(self, to):
        self.to = to
        self.pairs = []
        super().__init__()

    def serve(self, client):
        pair = [bytearray(), bytearray()]
        self.pairs.append(pair)
        try:
            there = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            client.close()
            return
        for source, target, record in ((client, there, pair[0]), (there, client, pair[1])):
            threading.Thread(target=self.pump, args=(source, target, record), daemon=True).start()

    @staticmethod
    def pump(source, target, record):
        try:
            while piece := source.recv(65536):
                record += piece
                target.sendall(piece)
        except OSError:
            pass
        for one, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
            try:
                one.shutdown(how)
            except OSError:
                pass


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


HAPROXY = """
global
  maxconn 500
defaults
  mode http
  timeout connect 2s
  timeout client 1500ms
  timeout server 3s
  timeout http-request 1500ms
  retries 0
listen front
  bind 127.0.0.1:{port}
  http-reuse always
  http-request set-header X-Front %[uuid()]
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
  client_header_timeout 1500ms;
  client_body_timeout 1500ms;
  upstream there {{ server 127.0.0.1:{to}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://there;
      proxy_http_version 1.1;
      proxy_next_upstream off;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_set_header X-Front $request_id;
    }}
  }}
}}
"""


class Proxy:
    def __init__(self, name, to):
        program = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if not program:
            raise Skip(f"{name} is not installed")
        self.folder = tempfile.TemporaryDirectory(prefix="intertie-")
        self.port = free_port()
        path = os.path.join(self.folder.name, name + ".conf")
        with open(path, "w", encoding="ascii") as file:
            file.write((HAPROXY if name == "haproxy" else NGINX).format(port=self.port, to=to, folder=self.folder.name))
        arguments = ["-db", "-f", path] if name == "haproxy" else ["-p", self.folder.name, "-e", self.folder.name + "/start.log", "-c", path]
        self.log = open(os.path.join(self.folder.name, "out"), "w+b")
        self.child = subprocess.Popen([program, *arguments], stdout=self.log, stderr=self.log)
        until(self.is_there, f"{name} listens")

    def is_there(self):
        if self.child.poll() is not None:
            self.log.seek(0)
            raise AssertionError(f"the proxy ended: {self.log.read()!r}")
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
        self.log.close()
        self.folder.cleanup()


# -- a strict reader --


def head_end(data, at, what):
    end = data.find(b"\r\n\r\n", at)
    true(end >= 0, f"{what}: a head that does not end: {bytes(data[at:at + 300])!r}")
    return end + 4


def body_of(data, at, fields, what):
    """Body and where it ends."""
    if "transfer-encoding" in fields:
        same([one.lower() for one in fields["transfer-encoding"]], ["chunked"], f"{what}: Transfer-Encoding")
        true("content-length" not in fields, f"{what}: both framings")
        body = b""
        while True:
            line = re.compile(rb"([0-9a-fA-F]+)[^\r\n]*\r\n").match(data, at)
            true(line, f"{what}: a chunk size: {bytes(data[at:at + 100])!r}")
            size = int(line.group(1), 16)
            at = line.end()
            if size == 0:
                end = data.index(b"\r\n", at)
                while end != at: # trailers
                    at = end + 2
                    end = data.index(b"\r\n", at)
                return body, at + 2
            body += bytes(data[at:at + size])
            same(bytes(data[at + size:at + size + 2]), b"\r\n", f"{what}: the end of a chunk")
            at += size + 2
    lengths = fields.get("content-length", ["0"])
    same(len(lengths), 1, f"{what}: one Content-Length")
    size = int(lengths[0])
    return bytes(data[at:at + size]), at + size


def split(data, what, without_body=(), may_be_cut=False):
    """All messages in these bytes: lines of the head, fields by name in lower case, body; None: it was given up."""
    out, at = [], 0
    while at < len(data):
        end = head_end(data, at, what)
        lines = bytes(data[at:end - 4]).decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields.setdefault(name.lower(), []).append(value.strip())
        if lines[0].startswith("HTTP/1.1 ") and (lines[0][9:12] in ("204", "304", "100") or len(out) in without_body):
            body, at = b"", end
        else:
            try:
                body, at = body_of(data, end, fields, what)
            except (AssertionError, ValueError):
                if not may_be_cut:
                    raise
                body, at = None, len(data)
            if may_be_cut and at > len(data):
                body, at = None, len(data)
        if not lines[0].startswith("HTTP/1.1 100"):
            out.append((lines, fields, body))
    true(at == len(data), f"{what}: the last message is cut off")
    return out


# -- the router behind another --


class Behind:
    """client -> proxy -> tee -> router -> two systems that note what they get"""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.sink, self.tail = LineSystem(), LineSystem()
        self.router = Router(ROUTER.format(sink=self.sink.port, tail=self.tail.port))
        self.router.__enter__()
        self.tee = Tee(self.router.ports["web"])
        try:
            self.proxy = Proxy(self.name, self.tee.port) if self.name else None
        except BaseException as problem:
            self.router.__exit__(type(problem), problem, None)
            raise
        self.port = self.proxy.port if self.proxy else self.tee.port
        return self

    def __exit__(self, *what):
        if self.proxy:
            self.proxy.__exit__(*what)
        self.tee.close()
        return self.router.__exit__(*what)

    def send(self, data):
        """What came back to the client, and what passed the tee meanwhile, by connection."""
        before = [(pair, len(pair[0]), len(pair[1])) for pair in self.tee.pairs]
        count = len(self.tee.pairs)
        peer = Raw(self.port)
        peer.send(data)
        got = peer.read_all(8)
        peer.close()
        passed = [(pair[0][n:], pair[1][m:]) for pair, n, m in before]
        passed += [(pair[0][:], pair[1][:]) for pair in self.tee.pairs[count:]]
        return got, [(there, back) for there, back in passed if there]

    def arrived(self):
        """What the systems have got, after all that was accepted has arrived."""
        got = [one.get("data", "") for one in self.sink.got], [one.get("data", "") for one in self.tail.got]
        self.sink.got.clear()
        self.tail.got.clear()
        return got


def check_forwarded(world, vector, passed):
    """The router answered as many requests as the proxy meant, and took their bodies for its messages."""
    accepted = {"sink": [], "tail": []}
    for there, back in passed:
        meant = len(re.findall(rb"(?im)^x-front: ", there))
        requests = split(there, f"{vector.name}: what {world.name} forwards", may_be_cut=True)
        same(len(requests), meant, f"{vector.name}: requests that {world.name} forwards")
        heads = [n for n, one in enumerate(requests) if one[0][0].startswith("HEAD ")]
        answers = split(back, f"{vector.name}: what the router answers", heads)
        closed = answers and answers[-1][1].get("connection") == ["close"]
        given_up = requests and requests[-1][2] is None
        true(len(answers) == meant or (closed and len(answers) < meant) or (given_up and len(answers) == meant - 1),
             f"{vector.name}: {meant} requests, {len(answers)} answers: {bytes(there)!r} {bytes(back)!r}")
        for request, answer in zip(requests, answers):
            if answer[0][0].startswith("HTTP/1.1 202"):
                target = "tail" if "/tail/" in request[0][0] else "sink"
                true(request[2] is not None, f"{vector.name}: an unfinished request was accepted")
                accepted[target].append(request[2].decode("latin-1"))
    wanted = len(accepted["sink"]), len(accepted["tail"])
    until(lambda: (len(world.sink.got), len(world.tail.got)) >= wanted, f"{vector.name}: {wanted} messages arrive")
    got = world.arrived()
    same((sorted(map(str, got[0])), sorted(map(str, got[1]))), (sorted(accepted["sink"]), sorted(accepted["tail"])),
         f"{vector.name}: messages")
    return sum(wanted)


def run_behind(name):
    with Behind(name) as world:
        forwarded = messages = 0
        for vector in REQUESTS:
            _, passed = world.send(vector.bytes + TAIL + LAST)
            forwarded += bool(passed)
            messages += check_forwarded(world, vector, passed)
        true(forwarded > 30 and messages > 60, f"{forwarded} vectors passed {name}, {messages} messages")
        print(f"# {name}: {forwarded} of {len(REQUESTS)} vectors forwarded in some form, {messages} messages")


@case
def haproxy_in_front_sees_the_same_requests():
    run_behind("haproxy")


@case
def nginx_in_front_sees_the_same_requests():
    run_behind("nginx")


@case
def vectors_get_their_answer_from_the_program():
    """The unit test's table, over sockets."""
    with Behind(None) as world:
        for vector in REQUESTS:
            got, passed = world.send(vector.bytes + TAIL + LAST)
            codes = [int(one) for one in re.findall(rb"HTTP/1\.1 (\d\d\d) ", got) if one != b"100"]
            same(codes[:1], [vector.code], f"{vector.name}: {got!r}")
            goes_on = vector.fate in ("TAKEN", "ANSWERED")
            same(codes[1:], [202, 202] if goes_on else [], f"{vector.name}: what follows: {got!r}")
            is_message = vector.fate in ("TAKEN", "LAST")
            wanted = ([json.loads(f'"{vector.data}"')] if is_message else [], ["tail", "last"] if goes_on else [])
            until(lambda: (len(world.sink.got), len(world.tail.got)) >= (len(wanted[0]), len(wanted[1])), f"{vector.name}: messages")
            same(world.arrived(), wanted, f"{vector.name}: messages")


# -- the router in front of another --


class Recorder(Server):
    """An HTTP server that answers as `answer(headers, body, n)` says, and remembers what it got. One request at a time."""

    def __init__(self, answer):
        self.answer = answer
        self.got = []
        super().__init__()

    def serve(self, peer):
        data = bytearray()
        with peer:
            try:
                while True:
                    while b"\r\n\r\n" not in data:
                        piece = peer.recv(65536)
                        if not piece:
                            return
                        data += piece
                    end = data.index(b"\r\n\r\n") + 4
                    head = data[:end].decode("latin-1").split("\r\n")[:-2]
                    fields = {}
                    for line in head[1:]:
                        name, _, value = line.partition(":")
                        fields.setdefault(name.lower(), []).append(value.strip())
                    while True:
                        try:
                            body, used = body_of(data, end, fields, "at the recorder")
                            if used <= len(data):
                                break
                        except (ValueError, AssertionError):
                            pass
                        piece = peer.recv(65536)
                        if not piece:
                            return
                        data += piece
                    del data[:used]
                    self.got.append((head, fields, body))
                    answer = self.answer(fields, body)
                    peer.sendall(answer)
                    if b"\r\n\r\n" in answer and b"ontent-Length:" not in answer and b"chunked" not in answer and b" 204 " not in answer:
                        return
            except OSError:
                return


HOSTILE_TEXTS = ["a\r\nX-Injected: 1", "a\nTransfer-Encoding: chunked", "a\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
                 "\x00", "%0d%0aX: y", "\"quoted\" %", "é ü 漢字 \U0001f600", " edges ", "a\tb", "\x7f", "x" * 3000, ":", ""]
CANONICAL = re.compile(r"(POST /in HTTP/1\.1|Host: [\w.:]+|User-Agent: intertie/[\w.-]+|Prefer: reply|Content-Type: [!-~ ]+|"
                       r"Content-Length: \d+|ce-[a-z0-9]+: ([!-~]+( [!-~]+)*)?)")


def run_before(name, mode):
    """Events with all that could break a header go through the router, then the proxy, and arrive as they were."""
    recorder = Recorder(lambda fields, body: b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
    with Proxy(name, recorder.port) as proxy:
        tee = Tee(proxy.port)
        text = (f'listeners: {{web: http://127.0.0.1:0}}\nsystems: {{beyond: {{url: "http://127.0.0.1:{tee.port}/in", mode: {mode}, '
                'pool: {max: 1}}}\n')
        with Router(text) as r:
            sent = {}
            for n, hostile in enumerate(HOSTILE_TEXTS):
                for attribute in ("subject", "custom", "partitionkey", "data"):
                    made = event("event", "a.b", None, target="beyond", id=f"m{n}-{attribute}")
                    made["data"] = made[attribute] = hostile
                    if r.post(made).status == 202:
                        sent[made["id"]] = made
            true(len(sent) >= 2 * len(HOSTILE_TEXTS), f"{len(sent)} events were taken")
            until(lambda: len(recorder.got) >= len(sent), f"{len(sent)} events arrive, {len(recorder.got)} did")
            until(lambda: r.system("beyond")["held"] == 0, "all are settled")
            same(len(recorder.got), len(sent), "as many as were sent, no more")
            for head, fields, body in recorder.got:
                got = json.loads(body) if "ce-id" not in fields else None
                made = sent.pop((got or {"id": fields.get("ce-id", [""])[0]})["id"])
                if got:
                    same({key: got.get(key) for key in made}, made, "the event")
                else:
                    same(json.loads(body), made["data"], "the data")
        # What left the router, to the byte: heads of these lines only, and nothing between them.
        count = 0
        for there, _ in tee.pairs:
            for lines, fields, body in split(there, "what the router sends"):
                count += 1
                for line in lines:
                    true(CANONICAL.fullmatch(line), f"a line that is not ours: {line!r}")
                same(len(fields["content-length"]), 1, "one framing")
                true("transfer-encoding" not in fields, "and no other")
        same(count, len(recorder.got), "requests sent and received")
        tee.close()
    recorder.close()


@case
def haproxy_behind_gets_what_was_sent():
    for mode in ("binary", "structured", "auto"):
        run_before("haproxy", mode)


@case
def nginx_behind_gets_what_was_sent():
    for mode in ("binary", "structured", "auto"):
        run_before("nginx", mode)


def run_answers(name):
    """A system that answers each event in a hostile way, with a question right behind on the same connection: the
    question gets its own answer, or none."""
    vectors = {vector.name: vector for vector in ANSWERS}
    tried = set()

    def answer(fields, body):
        ident = fields["ce-id"][0]
        if ident.startswith("q-"):
            told = json.dumps({"to": ident}).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told)
        if ident in tried:
            return b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
        tried.add(ident)
        return vectors[ident[2:]].bytes
    recorder = Recorder(answer)
    proxy = Proxy(name, recorder.port) if name else None
    port = proxy.port if proxy else recorder.port
    text = (f'listeners: {{web: http://127.0.0.1:0}}\nsystems: {{beyond: {{url: "http://127.0.0.1:{port}/in", mode: binary, '
            'pool: {max: 1}, timeouts: {attempt: 2s, request: 8s}}}\n')
    with Router(text) as r:
        right = 0
        for vector in ANSWERS:
            same(r.post(event("event", "a.b", {}, target="beyond", id="e-" + vector.name)).status, 202, vector.name)
            asked = event("query", "a.b", {}, target="beyond", id="q-" + vector.name)
            reply = r.post(asked)
            got = json.loads(reply.body)
            if reply.status == 200:
                same((got.get("data"), got.get("causationid")), ({"to": asked["id"]}, asked["id"]), f"{vector.name}: the reply")
                right += 1
            else:
                true(reply.status in (502, 503, 504), f"{vector.name}: {reply.status} {reply.body}")
        true(right >= len(ANSWERS) * 3 // 4, f"{right} of {len(ANSWERS)} questions were answered")
        until(lambda: r.system("beyond")["held"] == 0, "each event ends", 30)
    recorder.close()
    if proxy:
        proxy.__exit__()


@case
def no_answer_is_taken_for_the_next_ones():
    run_answers(None)


@case
def no_answer_is_taken_for_the_next_ones_through_haproxy():
    run_answers("haproxy")


@case
def no_answer_is_taken_for_the_next_ones_through_nginx():
    run_answers("nginx")


if __name__ == "__main__":
    import sys
    if len(sys.argv) > 1:
        from kit import cases
        cases[:] = [one for one in cases if sys.argv[1] in one.__name__]
    main()
