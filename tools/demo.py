#!/usr/bin/env python3
"""Starts a router with examples/quickstart.yaml and two small systems, sends real traffic, and shows what became of each
message. Exit code 0 only if each did what it should. With --stay it goes on until Ctrl-C."""
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PORTS = {8080: "HTTP", 7460: "TCP", 7470: "admin", 7101: "the pricing system"}
COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
children = []


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOR else text


def fail(words):
    print(paint("31", "demo: ") + words, file=sys.stderr)
    sys.exit(1)


class Process:
    """A child whose lines can be waited for; ended by its own pid, always."""

    def __init__(self, *command):
        self.lines = queue.Queue()
        self.child = subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        children.append(self.child)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.child.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def wait(self, wanted, seconds=5.0):
        """The first line that `wanted` takes, or None."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                line = self.lines.get(timeout=left)
            except queue.Empty:
                return None
            if line is None:
                return None
            if wanted(line):
                return line
        return None


def check_ports():
    for port, what in PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                fail(f"port {port} ({what}) is in use on 127.0.0.1; stop what holds it and try again")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", 7102))
        except OSError:
            fail("port 7102 (the lamp, UDP) is in use on 127.0.0.1; stop what holds it and try again")


def http_call(method, path, body=None, port=8080, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    start = time.perf_counter()
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    data = reply.read()
    took = (time.perf_counter() - start) * 1000
    connection.close()
    return reply, data, took


def status():
    return json.loads(http_call("GET", "/api/v1/status", port=7470)[1])


def event(kind, type_, data, **more):
    made = {"specversion": "1.0", "id": f"demo-{time.time_ns()}", "source": "/doors/7", "type": type_,
            "messagetype": kind, "data": data}
    made.update(more)
    return made


def post(made, path="/v1/messages", **headers):
    return http_call("POST", path, json.dumps(made), Content_Type="application/cloudevents+json", **headers)


class Story:
    def __init__(self):
        self.count = 0
        self.bad = 0

    def tell(self, good, what, *lines):
        self.count += 1
        self.bad += not good
        mark = paint("32", "✓") if good else paint("31", "✗")
        print(f"\n {mark} {paint('1', f'{self.count}. {what}')}")
        for line in lines:
            print(f"     {line}")


def tour(story, lamp, intertie):
    made = event("event", "com.example.alarm.raised", {"door": 7})
    reply, _, took = post(made)
    got = lamp.wait(lambda line: made["id"] in line)
    story.tell(reply.status == 202 and got is not None, "An event comes over HTTP and goes to a system that only speaks UDP",
               f"POST /v1/messages              {reply.status} {reply.reason} after {took:.1f} ms, "
               f"receipt {reply.getheader('Intertie-Id')}",
               f"the lamp got                   {got or 'nothing'}")

    made = event("query", "com.example.price.get", {"sku": "A-1"})
    reply, data, took = post(made)
    answer = json.loads(data) if reply.status == 200 else {}
    story.tell(answer.get("causationid") == made["id"] and answer.get("data", {}).get("eur") == 9.5,
               "A query comes over HTTP and is answered by a system that only speaks TCP",
               f"asked for sku A-1              {reply.status} {reply.reason} after {took:.1f} ms",
               f"pricing answered               {json.dumps(answer.get('data'))}")

    batch = [event("event", "com.example.alarm.raised", {"door": 1}), {"specversion": "1.0", "id": "no-source", "type": "x"},
             event("event", "com.example.alarm.cleared", {"door": 1})]
    reply, data, took = http_call("POST", "/v1/messages", json.dumps(batch),
                                  Content_Type="application/cloudevents-batch+json")
    results = json.loads(data) if reply.status == 200 else []
    words = [f"event {r['index']}                        {r['status']}  " +
             (r["problem"]["detail"] if "problem" in r else f"receipt {r.get('receipt')}") for r in results]
    story.tell([r["status"] for r in results] == [202, 400, 202], "A batch of three, one of them broken, gets three results",
               *words)

    made = event("event", "com.example.note", {"text": "soon forgotten"}, target="desk")
    reply, _, took = post(made, TTL="1")
    before = status()["messages"]["endings"]["expired"].get("expired", 0)
    time.sleep(1.6)
    after = status()["messages"]["endings"]["expired"].get("expired", 0)
    story.tell(reply.status == 202 and after == before + 1, "A message that may live for 1 s waits for a desk where nobody sits",
               f"POST with TTL: 1               {reply.status} {reply.reason}",
               "1.6 s later                    ended expired, on record in log and metrics" if after > before
               else "1.6 s later                    nothing is on record")

    reply, data, took = post(event("event", "com.example.nobody.cares", {}))
    problem = json.loads(data) if data else {}
    story.tell(reply.status == 404 and problem.get("reason") == "no-route", "A message to nobody is refused, and says why",
               f"POST /v1/messages              {reply.status} {reply.reason}",
               f"{problem.get('reason')}                       {problem.get('detail')}")

    held = next(s["held"] for s in status()["systems"] if s["name"] == "desk")
    desk = subprocess.run([intertie, "listen", "--as", "desk", "--count", str(max(held, 1)), "--for", "5s", "--admin",
                           "http://127.0.0.1:7470"], cwd=TOP, capture_output=True, text=True, timeout=20)
    lines = desk.stdout.splitlines()
    story.tell(held == 3 and len(lines) == held, "The desk dials in at last, and gets what was held for it",
               *[f"desk got                       {json.loads(line)['type']} {json.dumps(json.loads(line)['data'])}"
                 for line in lines])


def stay(lamp):
    print(f"""
The router is up. In another terminal:

  curl -i localhost:8080/v1/systems/lamp/messages -H 'Content-Type: text/plain' -d blink
  {INTERTIE} call --to pricing --type com.example.price.get --kind query --data '{{"sku":"B-2"}}'
  {INTERTIE} listen --as desk
  {INTERTIE} status
  curl -s localhost:7470/metrics

Here you see what the lamp gets. Ctrl-C ends it all.
""")
    while True:
        line = lamp.wait(lambda _: True, 3600)
        if line:
            print(f"lamp got  {line}")


def main():
    global INTERTIE
    build = os.path.join(TOP, sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "build/release")
    program = os.path.join(build, "src", "intertie")
    INTERTIE = os.path.relpath(program, TOP)
    if not os.path.exists(program):
        fail(f"{program} is not built yet; `make demo` builds it")
    check_ports()
    story = Story()
    try:
        pricing = Process(sys.executable, "examples/demo/pricing.py")
        lamp = Process(sys.executable, "examples/demo/lamp.py")
        if not pricing.wait(lambda line: "listens" in line) or not lamp.wait(lambda line: "listens" in line):
            fail("the demo systems did not start")
        router = Process(program, "run", "examples/quickstart.yaml")
        ready = router.wait(lambda line: "ready in" in line)
        if not ready:
            fail("the router did not start; try it by hand: " + INTERTIE + " run examples/quickstart.yaml")
        print(paint("2", ready))
        tour(story, lamp, program)
        good = story.count - story.bad
        print(f"\n{good} of {story.count} messages' stories went as they should.")
        if "--stay" in sys.argv:
            stay(lamp)
    except KeyboardInterrupt:
        print()
    finally:
        for child in reversed(children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in reversed(children):
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
    return 1 if story.bad or not story.count else 0


INTERTIE = "intertie"
if __name__ == "__main__":
    sys.exit(main())
