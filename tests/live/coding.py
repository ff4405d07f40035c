#!/usr/bin/env python3
"""Content codings over HTTP with foreign tools: curl, and Python's gzip and zlib."""
import gzip
import http.server
import json
import shutil
import subprocess
import zlib

from kit import HttpSystem, LineSystem, Router, Skip, case, event, main, reply_to, same, true, until

CONFIG = """
listeners:
  web: {{url: http://127.0.0.1:0, compress: [zstd, gzip, deflate]}}
  plain: http://127.0.0.1:0
systems:
  pricing: tcp://127.0.0.1:{pricing}
  hook: {{url: "http://127.0.0.1:{hook}/in", mode: structured, compress: gzip}}
"""
BIG = {"text": "A long and winding text, again and again. " * 100}


class Hook(HttpSystem):
    """An HTTP system: unpacks what it is sent, and answers packed; or knows no coding at all."""

    def __init__(self, knows=True):
        self.seen = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                coding = self.headers.get("Content-Encoding")
                hook.seen.append((coding, self.headers.get("Accept-Encoding")))
                if coding and not knows:
                    self.answer(415, b"")
                    return
                got = json.loads(gzip.decompress(body) if coding == "gzip" else body)
                self.answer(200, gzip.compress(json.dumps(reply_to(got, BIG)).encode()) if knows else b"", knows)

            def answer(self, code, body, packed=False):
                self.send_response(code)
                if packed:
                    self.send_header("Content-Encoding", "gzip")
                    self.send_header("Content-Type", "application/cloudevents+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)


class Stage:
    def __init__(self, knows=True):
        self.hook = Hook(knows)

    def __enter__(self):
        self.pricing = LineSystem(lambda got: reply_to(got, got.get("data")))
        self.router = Router(CONFIG.format(pricing=self.pricing.port, hook=self.hook.port)).__enter__()
        return self

    def __exit__(self, *problem):
        try:
            self.router.__exit__(*problem)
        finally:
            self.pricing.close()
            self.hook.close()


def query(target, data):
    return json.dumps(event("query", "com.example.price.get", data, target=target)).encode()


@case
def what_python_packs_is_read():
    with Stage() as stage:
        for coding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
            reply = stage.router.http("POST", "/v1/messages", pack(query("pricing", BIG)),
                                      Content_Type="application/cloudevents+json", Content_Encoding=coding)
            same(reply.status, 200, coding)
            same(json.loads(reply.body)["data"], BIG, coding)


@case
def what_python_unpacks_is_sent():
    with Stage() as stage:
        for coding, unpack in (("gzip", gzip.decompress), ("deflate", zlib.decompress)):
            reply = stage.router.http("POST", "/v1/messages", query("pricing", BIG),
                                      Content_Type="application/cloudevents+json", Accept_Encoding=coding)
            same(reply.status, 200, coding)
            same(reply.getheader("Content-Encoding"), coding, "coding")
            same(reply.getheader("Vary"), "Accept-Encoding", "vary")
            true(len(reply.body) < 1000, "it is smaller")
            same(json.loads(unpack(reply.body))["data"], BIG, coding)


@case
def curl_asks_for_packed_answers_and_reads_them():
    if not shutil.which("curl"):
        raise Skip("no curl")
    with Stage() as stage:
        url = f"http://127.0.0.1:{stage.router.ports['web']}/v1/messages"
        made = subprocess.run(["curl", "-sS", "--compressed", "-D", "/dev/stderr", "-H", "Content-Type: application/cloudevents+json",
                               "--data-binary", "@-", url], input=query("pricing", BIG), capture_output=True, timeout=20, check=True)
        true(b"Content-Encoding: " in made.stderr, "it was packed")
        same(json.loads(made.stdout)["data"], BIG, "reply")


@case
def bombs_damage_and_strange_codings_are_refused():
    with Stage() as stage:
        rows = (("gzip", gzip.compress(bytes(8 << 20)), 413), ("gzip", gzip.compress(bytes(300000)), 413),
                ("gzip", gzip.compress(b"x" * 99)[:-1], 400), ("gzip", gzip.compress(b"x") + b"y", 400),
                ("br", b"xyz", 415), ("gzip, gzip", gzip.compress(gzip.compress(b"x")), 415))
        for coding, body, status in rows:
            reply = stage.router.http("POST", "/v1/systems/pricing/messages", body, Content_Type="text/plain", Content_Encoding=coding)
            same(reply.status, status, coding)
            if status == 415:
                same(reply.getheader("Accept-Encoding"), "zstd, gzip, deflate", "what is taken")
        reply = stage.router.http("POST", "/v1/systems/pricing/messages", gzip.compress(b"x"), port=stage.router.ports["plain"],
                                  Content_Type="text/plain", Content_Encoding="gzip")
        same((reply.status, reply.getheader("Accept-Encoding")), (415, "identity"), "without `compress`")


@case
def a_system_that_knows_gzip_is_sent_it_and_may_answer_so():
    with Stage() as stage:
        reply = stage.router.http("POST", "/v1/messages", query("hook", BIG), Content_Type="application/cloudevents+json")
        same(reply.status, 200, "status")
        same(json.loads(reply.body)["data"], BIG, "reply")
        same(stage.hook.seen, [("gzip", "gzip")], "what it was asked")


@case
def a_system_that_does_not_know_it_gets_the_event_as_it_is():
    with Stage(knows=False) as stage:
        sent = event("event", "com.example.news", BIG, target="hook")
        same(stage.router.http("POST", "/v1/messages", json.dumps(sent), Content_Type="application/cloudevents+json").status, 202, "taken")
        until(lambda: len(stage.hook.seen) == 2, "a second try")
        same([seen[0] for seen in stage.hook.seen], ["gzip", None], "what it saw")


if __name__ == "__main__":
    main()
