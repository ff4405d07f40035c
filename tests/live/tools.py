#!/usr/bin/env python3
"""What people have at hand: curl and nc."""
import json
import shutil
import subprocess
import time

from kit import LineSystem, Router, Skip, case, event, main, reply_to, same, true, until

CONFIG = """
listeners: {{web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0, beacons: {{url: udp://127.0.0.1:0, system: beacon, allow: 127.0.0.0/8}}}}
systems: {{pricing: tcp://127.0.0.1:{pricing}, desk: {{accept: true}}, beacon: {{}}}}
routes:
  prices: {{match: {{type: com.example.price.*, messagetype: query}}, to: pricing}}
  notes: {{match: {{type: com.example.note}}, to: desk}}
"""


class Stage:
    def __enter__(self):
        self.pricing = LineSystem(lambda got: reply_to(got, {"eur": 9.5}))
        self.router = Router(CONFIG.format(pricing=self.pricing.port)).__enter__()
        return self.router

    def __exit__(self, *problem):
        try:
            self.router.__exit__(*problem)
        finally:
            self.pricing.close()


def run(*command, data=None, seconds=20):
    if not shutil.which(command[0]):
        raise Skip(command[0] + " is not here")
    done = subprocess.run(command, input=data, capture_output=True, timeout=seconds)
    return done.stdout.decode(errors="replace")


@case
def curl_sends_asks_and_is_refused():
    with Stage() as r:
        base = f"http://127.0.0.1:{r.ports['web']}"
        out = run("curl", "-si", base + "/v1/systems/desk/messages", "-d", "hello", "-H", "Content-Type: text/plain")
        true(out.startswith("HTTP/1.1 202 Accepted") and "Intertie-Id: " in out, out)
        asked = json.dumps(event("query", "com.example.price.get", {"sku": "A-1"}))
        out = run("curl", "-s", base + "/v1/messages", "-d", asked, "-H", "Content-Type: application/cloudevents+json")
        same(json.loads(out)["data"], {"eur": 9.5}, "answer")
        out = run("curl", "-s", "-w", "%{http_code}", "-o", "/dev/null", base + "/v1/systems/nobody/messages", "-d", "x")
        same(out, "404", "code")
        out = run("curl", "-s", "--http1.0", "-w", "%{http_code}", "-o", "/dev/null", base + "/v1/systems/desk/messages", "-d", "x")
        same(out, "202", "HTTP/1.0")
        out = run("curl", "-s", "-H", "Transfer-Encoding: chunked", "-w", "%{http_code}", "-o", "/dev/null",
                  base + "/v1/systems/desk/messages", "-d", "x")
        same(out, "202", "chunked")
        out = run("curl", "-s", "-I", "-w", "%{http_code}", "-o", "/dev/null", f"http://127.0.0.1:{r.admin}/readyz")
        same(out, "200", "HEAD")


@case
def curl_reuses_its_connection():
    with Stage() as r:
        url = f"http://127.0.0.1:{r.ports['web']}/v1/systems/desk/messages"
        out = run("curl", "-sv", url, url, url, "-d", "x", "-w", "%{num_connects} ")
        same(out.split()[-3:], ["1", "0", "0"], "connections")


@case
def nc_speaks_json_lines():
    with Stage() as r:
        line = json.dumps(event("event", "com.example.note", {"from": "nc"})).encode() + b"\n"
        run("nc", "-q", "1", "127.0.0.1", str(r.ports["stream"]), data=line)
        until(lambda: r.system("desk")["held"] == 1, "the note is held")
        hello = json.dumps(event("event", "intertie.ctl.hello.v1", {"system": "desk"})).encode() + b"\n"
        if not shutil.which("nc"):
            raise Skip("nc is not here")
        peer = subprocess.Popen(["nc", "127.0.0.1", str(r.ports["stream"])], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        peer.stdin.write(hello)
        peer.stdin.flush()
        got = [json.loads(peer.stdout.readline()) for _ in range(2)]
        peer.kill()
        peer.wait()
        peer.stdin.close()
        peer.stdout.close()
        same([each["type"] for each in got], ["intertie.ctl.hello.v1", "com.example.note"], "lines")


@case
def nc_sends_a_datagram():
    with Stage() as r:
        sent = json.dumps(event("event", "com.example.note", {"from": "nc -u"}, source="/systems/beacon")).encode()
        run("nc", "-u", "-w", "1", "127.0.0.1", str(r.ports["beacons"]), data=sent)
        until(lambda: r.system("desk")["held"] == 1, "the note is held")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
