#!/usr/bin/env python3
"""REST routes and REST services, with curl and Python's HTTP server as the other sides."""
import http.server
import json
import shutil
import subprocess

from kit import HttpSystem, LineSystem, Router, Skip, case, event, main, reply_to, same, true

CONFIG = """
listeners:
  web: {{url: "http://127.0.0.1:0"}}
systems:
  catalog:
    url: http://127.0.0.1:{service}/base
    format: rest
    rest: {{query: "GET /products/{{subject}}", command: "PUT /products/{{data:/id}}"}}
    headers: {{x-key: abc}}
  stock: tcp://127.0.0.1:{stock}
routes:
  stock: {{match: {{http: {{path: "/stock/{{sku}}"}}}}, to: stock}}
  shop: {{match: {{http: {{host: shop.example}}}}, to: stock}}
  products: {{match: {{http: {{path: /products/**}}}}, to: catalog}}
"""


class Service(HttpSystem):
    """Answers each request with what it was."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                out = json.dumps({"line": self.requestline, "headers": self.headers.items(),
                                  "body": self.rfile.read(size).decode("latin1")}).encode()
                self.send_response(404 if "missing" in self.path else 200)
                self.send_header("X-Twice", "1")
                self.send_header("X-Twice", "2")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(out)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_OPTIONS = answer

        super().__init__(Handler)


class Stage:
    def __init__(self, stock=None, service=None, name="gw-1"):
        self.service = Service()
        self.port = service or self.service.port
        self.answer = stock or (lambda got: reply_to(got, got))
        self.name = name

    def __enter__(self):
        self.stock = LineSystem(self.answer)
        self.router = Router(CONFIG.format(service=self.port, stock=self.stock.port), name=self.name).__enter__()
        return self

    def __exit__(self, *problem):
        try:
            self.router.__exit__(*problem)
        finally:
            self.stock.close()
            self.service.close()

    def get(self, path, method="GET", body=None, **headers):
        return self.router.http(method, path, body, **headers)


@case
def a_request_reaches_the_service_as_it_was():
    with Stage() as stage:
        reply = stage.get("/products/A%2D1?x=%2f", "PATCH", b"{}", X_One="1", Content_Type="application/json", Authorization="Bearer")
        same(reply.status, 401, "a key that is none")
        reply = stage.get("/products/A%2D1?x=%2f", "PATCH", b"{}", X_One="1", Content_Type="application/json")
        same(reply.status, 200, "status")
        got = json.loads(reply.body)
        headers = {name.lower(): value for name, value in got["headers"]}
        same(got["line"], "PATCH /base/products/A%2D1?x=%2f HTTP/1.1", "line")
        same(got["body"], "{}", "body")
        same((headers["x-one"], headers["x-key"], headers["content-type"]), ("1", "abc", "application/json"), "fields")
        same((headers["via"], headers["x-forwarded-for"], headers["x-forwarded-proto"]), ("1.1 gw-1", "127.0.0.1", "http"), "hops")
        true(headers["host"].startswith("127.0.0.1:"), "Host is the endpoint's")


@case
def a_line_system_answers_requests_too():
    with Stage() as stage:
        reply = stage.get("/stock/A-1", "POST", b"how many", Content_Type="text/plain")
        same(reply.status, 200, "status")
        got = json.loads(reply.body)
        same((got["type"], got["messagetype"], got["subject"], got["httpmethod"], got["data"]),
             ("intertie.http.request.v1", "request", "/stock/A-1", "POST", "how many"), "attributes")
        same(json.loads(got["httpparams"]), {"sku": "A-1"}, "parts of the path")
        true(["X-Forwarded-For", "127.0.0.1"] in json.loads(got["httpheaders"]), "header fields")


@case
def a_line_system_says_status_and_fields():
    def teapot(got):
        return dict(reply_to(got, "short and stout"), httpstatus=418, httpheaders='[["X-Pot","tea"]]', datacontenttype="text/plain")

    with Stage(teapot) as stage:
        reply = stage.get("/stock/x")
        same((reply.status, reply.body.decode()), (418, "short and stout"), "answer")


@case
def an_error_of_the_service_is_its_answer():
    with Stage() as stage:
        same(stage.get("/products/missing").status, 404, "status")


@case
def events_become_requests():
    with Stage() as stage:
        reply = stage.router.post(event("query", "t", None, target="catalog", subject="a b/c"))
        same(json.loads(reply.body)["data"]["line"], "GET /base/products/a%20b%2Fc HTTP/1.1", "query")
        reply = stage.router.post(event("query", "t", None, target="catalog"))
        same((reply.status, json.loads(reply.body)["reason"]), (422, "template-missing"), "no subject")
        reply = stage.router.post(event("command", "t", {"id": 7}, target="catalog"))
        same(reply.status, 202, "command")


@case
def a_circle_ends_with_508():
    with Stage() as stage:
        same(stage.get("/products/x", Via="1.1 gw-1").status, 508, "its own name in Via")
        same(stage.get("/products/x", Via="1.1 gw-2").status, 200, "another's")


@case
def two_routers_in_a_row_say_both_names():
    with Stage() as second:
        with Stage(service=second.router.ports["web"], name="gw-0") as first:
            reply = first.get("/products/x")
            same(reply.status, 404, "nothing is at /base of the second")
            reply = second.get("/products/x", Via="1.1 gw-0")
            headers = [value for name, value in json.loads(reply.body)["headers"] if name.lower() == "via"]
            same(", ".join(headers), "1.1 gw-0, 1.1 gw-1", "Via")


@case
def curl_gets_head_and_expects_100():
    if not shutil.which("curl"):
        raise Skip("no curl here")
    with Stage() as stage:
        url = f"http://127.0.0.1:{stage.router.ports['web']}/products/x"
        head = subprocess.run(["curl", "-sI", "--max-time", "10", url], capture_output=True, check=True).stdout.decode()
        true(head.startswith("HTTP/1.1 200") and "X-Twice: 1\r\nX-Twice: 2\r\n" in head and "Content-Length: " in head, head)
        put = subprocess.run(["curl", "-s", "--max-time", "10", "-X", "PUT", "-H", "Expect: 100-continue", "--data-binary", "@-", url],
                             input=b"x" * 100000, capture_output=True, check=True).stdout
        same(len(json.loads(put)["body"]), 100000, "body")


main()
