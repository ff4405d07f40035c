"""What the tests of the command line share: cases as TAP, a router of one's own, small systems to talk to."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

SOURCE = os.environ.get("INTERTIE_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("INTERTIE") or os.path.join(SOURCE, "build", "debug", "src", "intertie")
PATIENCE = 30  # seconds: for what takes milliseconds on a machine that has nothing else to do
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

cases = []


def case(function):
    """A case: its name with blanks is what holds."""
    cases.append(function)
    return function


def main():
    if not os.access(PROGRAM, os.X_OK):
        print("1..0 # SKIP no program built")
        sys.exit(77)
    print(f"1..{len(cases)}", flush=True)
    failed = 0
    for number, function in enumerate(cases, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().rstrip().splitlines():
                print("# " + line)
            sys.stdout.flush()
    sys.exit(1 if failed else 0)


def equal(got, wanted, what=""):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


def matches(text, pattern, what=""):
    assert re.search(pattern, text, re.S | re.M), f"{what}: no {pattern!r} in {text!r}"


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not in {PATIENCE} s: {what}"
        time.sleep(0.01)


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}, stdout {self.out!r}, stderr {self.err!r}"

    def exits(self, code):
        assert self.code == code, f"wanted exit {code}: {self!r}"
        return self

    def json(self):
        """Exactly one document, on one line or several, and nothing after it."""
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"standard output is no single JSON document: {self!r}") from None


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("INTERTIE") and k != "XDG_RUNTIME_DIR"}
    return dict(kept, **more)


def intertie(*arguments, stdin="", cwd=None, env=None):
    """One command, to its end."""
    done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=2 * PATIENCE,
                          cwd=cwd or tempfile.gettempdir(), env=environment(**(env or {})))
    assert "Sanitizer" not in done.stderr and "runtime error:" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


class Folder:
    """A folder of one's own, gone at the end. Files by name: Folder({'a.yaml': '...'})."""

    def __init__(self, files=()):
        self.path = tempfile.mkdtemp(prefix="intertie-test-")
        for name, text in dict(files).items():
            self.write(name, text)

    def write(self, name, text):
        with open(self.file(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.file(name)

    def file(self, name):
        return os.path.join(self.path, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Router:
    """`intertie run` with this configuration on free ports; stopped at the end, whatever happens."""

    def __init__(self, config, *arguments):
        self.folder = Folder()
        workers = os.environ.get("INTERTIE_TEST_WORKERS")
        if workers and not re.search(r"^workers:", config, re.M):
            config = f"workers: {workers}\n" + config
        self.config = self.folder.write("intertie.yaml", "run_dir: {0}/run\nadmin: http://127.0.0.1:0\n".format(self.folder.path) + config)
        self.log_path = self.folder.file("stderr")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([PROGRAM, "run", self.config, *arguments], stdout=subprocess.PIPE, stderr=log,
                                            stdin=subprocess.DEVNULL, env=environment(), cwd=self.folder.path)
        timer = threading.Timer(PATIENCE, self.process.kill)
        timer.start()
        self.ready = self.process.stdout.readline().decode()
        timer.cancel()
        if not self.ready:
            self.process.wait()
            text = self.log()
            self.folder.__exit__()
            raise AssertionError(f"the router did not start, exit {self.process.returncode}: {text}")

    def __call__(self, *arguments, **options):
        """A command about this router."""
        name, rest = arguments[0], arguments[1:]
        return intertie(name, "-c", self.config, *rest, cwd=self.folder.path, **options)

    def url(self, scheme):
        return re.search(rf"(?<!admin )\b({scheme}://\S+)", self.ready).group(1)

    def status(self):
        return self("status", "--json").json()

    def system(self, name):
        return next(s for s in self.status()["systems"] if s["name"] == name)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self):
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wait()
        self.process.stdout.close()
        text = self.log()
        self.folder.__exit__()
        if kind is None:
            assert "Sanitizer" not in text and "runtime error:" not in text, text


class Lines:
    """A system of JSON lines over TCP: `answer(event)` gives the reply, or None."""

    def __init__(self, answer):
        self.answer = answer
        self.seen = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                threading.Thread(target=self.serve, args=(self.server.accept()[0],), daemon=True).start()
        except OSError:
            pass

    def serve(self, connection):
        with connection, connection.makefile("rwb") as stream:
            try:
                for line in stream:
                    event = json.loads(line)
                    self.seen.append(event)
                    reply = self.answer(event)
                    if reply is not None:
                        stream.write(json.dumps(reply).encode() + b"\n")
                        stream.flush()
            except OSError:
                pass

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def reply_to(event, data, kind="response"):
    return {"specversion": "1.0", "id": "r-" + event["id"], "source": "/systems/pricing", "type": "com.example.price",
            "messagetype": kind, "causationid": event["id"], "datacontenttype": "application/json", "data": data}


def closed_port():
    """A port of loopback at which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
