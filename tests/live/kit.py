"""Routers, systems and clients for live tests. Standard library only."""
import http.client
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = os.environ.get("INTERTIE", "build/debug/src/intertie")
cases = []


def case(function):
    cases.append(function)
    return function


class Skip(Exception):
    pass


def main():
    failed = 0
    print(f"1..{len(cases)}", flush=True)
    for number, function in enumerate(cases, 1):
        name = function.__name__.replace("_", "-")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception as problem:  # any failure of a case is its result
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in f"{type(problem).__name__}: {problem}".splitlines():
                print(f"# {line}", flush=True)
            if os.environ.get("TRACE"):
                raise
    sys.exit(1 if failed else 0)


def same(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def true(value, what):
    if not value:
        raise AssertionError(what)


def until(check, what, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = check()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"never happened: {what}")


# Each router logs its inputs, and after its end they are replayed: the engines must do the same again.
REPLAY = bool(os.environ.get("INTERTIE_TEST_REPLAY"))
# For configurations that don't say.
WORKERS = os.environ.get("INTERTIE_TEST_WORKERS")


class Router:
    """A running router; as a context it is stopped at the end, and its log is searched for sanitizers' words."""

    def __init__(self, config, *arguments, name="test", environment=None, prepare=None, replay=REPLAY):
        self.folder = tempfile.TemporaryDirectory(prefix="intertie-")
        self.path = os.path.join(self.folder.name, "intertie.yaml")
        self.inputs = os.path.join(self.folder.name, "inputs")
        if replay:
            environment = dict(environment or {}, INTERTIE_INPUT_LOG=self.inputs)
        if WORKERS and not re.search(r"^workers:", config, re.M):
            config = f"workers: {WORKERS}\n" + config
        self.head = f"name: {name}\nrun_dir: {self.folder.name}/run\nadmin: {{url: http://127.0.0.1:0}}\n"
        self.config = self.head + config
        self.write(self.config)
        self.log_path = os.path.join(self.folder.name, "log")
        self.log_file = open(self.log_path, "wb")
        self.child = subprocess.Popen([PROGRAM, "run", self.path, *arguments], stdout=subprocess.PIPE, stderr=self.log_file,
                                      text=True, cwd=self.folder.name, env=environment and dict(os.environ, **environment),
                                      preexec_fn=prepare)
        self.line = self.child.stdout.readline()
        if "ready in" not in self.line:
            self.child.wait(20)
            raise AssertionError(f"did not start: {self.line}{self.log()}")
        self.admin = int(re.search(r"admin http://127\.0\.0\.1:(\d+)", self.line).group(1))
        listeners = json.loads(self.http("GET", "/api/v1/listeners", port=self.admin).body)["listeners"]
        self.ports = {listener["name"]: listener["port"] for listener in listeners}

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        stopped = self.child.poll() is None
        if stopped:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(40)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                if not kind:
                    raise AssertionError("did not stop after TERM: " + self.log()[-2000:])
        self.child.stdout.close()
        self.log_file.close()
        log = self.log()
        replayed = None
        if os.path.isdir(self.inputs) and not kind:
            replayed = self.replay()
        self.folder.cleanup()
        if replayed and replayed.returncode:
            raise AssertionError("the engine does not do the same again:\n" + replayed.stdout + replayed.stderr[:8000])
        if stopped and not kind and self.child.returncode not in (0, 3):  # 3: what was open at the end of grace was cut
            raise AssertionError(f"exit code {self.child.returncode} of a router that was stopped:\n" + log[-4000:])
        for word in ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:", "assertion failed"):
            if word in log and not kind:
                raise AssertionError(f"{word} in the log:\n" + log[log.index(word) - 200:][:4000])

    def replay(self, *arguments):
        """Of the inputs so far; `arguments` in place of all of them."""
        return subprocess.run([PROGRAM, "replay", *(arguments or [self.inputs])], capture_output=True, text=True, timeout=300)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def http(self, method, target, body=None, port=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.ports["web"], timeout=30)
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        reply.body = reply.read()
        connection.close()
        return reply

    def post(self, event, target="/v1/messages", **headers):
        return self.http("POST", target, json.dumps(event), Content_Type="application/cloudevents+json", **headers)

    def status(self):
        return json.loads(self.http("GET", "/api/v1/status", port=self.admin).body)

    def system(self, name):
        return next(system for system in self.status()["systems"] if system["name"] == name)

    def ended(self, ending, reason):
        return self.status()["messages"]["endings"][ending].get(reason, 0)

    def intertie(self, *arguments, key=None, seconds=30):
        environment = dict(os.environ, INTERTIE_ADMIN=f"http://127.0.0.1:{self.admin}")
        if key:
            environment["INTERTIE_KEY"] = key
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=seconds, env=environment,
                              cwd=self.folder.name)

    def lines(self, listener="stream"):
        return Lines(self.ports[listener])


class Lines:
    """A TCP connection that speaks JSON lines."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rwb")

    def send(self, event):
        self.raw(json.dumps(event).encode() + b"\n")

    def raw(self, data):
        self.file.write(data)
        self.file.flush()

    def read(self, seconds=10):
        self.socket.settimeout(seconds)
        line = self.file.readline()
        return json.loads(line) if line else None

    def control(self, what, **data):
        self.send(event("event", f"intertie.ctl.{what}.v1", data))
        answer = self.read()
        same(answer and answer["type"], f"intertie.ctl.{what}.v1", "the answer's type")
        return answer

    def close(self):
        self.file.close()
        self.socket.close()


class Server:
    """Accepts on a free port; each connection is served by serve(peer), which others define, in a thread of its own."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def close(self):
        self.server.close()


class LineSystem(Server):
    """A system that we dial: it speaks JSON lines and answers as `answer(event)` says (None: not at all)."""

    def __init__(self, answer=lambda event: None):
        self.got = []
        self.answer = answer
        super().__init__()

    def serve(self, peer):
        try:
            with peer, peer.makefile("rwb") as file:
                for line in file:
                    self.take(file, json.loads(line))
        except OSError:
            pass  # a router that is stopped by force

    def take(self, file, got):
        self.got.append(got)
        answer = self.answer(got)
        if answer:
            file.write(json.dumps(answer).encode() + b"\n")
            file.flush()


class HttpSystem:
    """An HTTP server on a free port. `handler`: a http.server.BaseHTTPRequestHandler with the methods that it serves."""

    def __init__(self, handler, address="127.0.0.1", port=0):
        quiet = type("Quiet", (handler,), {"log_message": lambda *_: None})
        self.server = http.server.ThreadingHTTPServer((address, port), quiet)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class DatagramSystem:
    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def read(self, seconds=10):
        self.socket.settimeout(seconds)
        return json.loads(self.socket.recv(65536))

    def close(self):
        self.socket.close()


count = 0


def event(kind, type_, data=None, **more):
    global count
    count += 1
    made = {"specversion": "1.0", "id": f"e{count}-{os.getpid()}", "source": "/tests", "type": type_, "messagetype": kind}
    if data is not None:
        made["data"] = data
    made.update(more)
    return made


def reply_to(request, data, kind="response"):
    return {"specversion": "1.0", "id": "r-" + request["id"], "source": "/systems/pricing", "type": "com.example.price",
            "messagetype": kind, "causationid": request["id"], "data": data}
