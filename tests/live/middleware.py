#!/usr/bin/env python3
"""Middleware of routes, over several protocols: what comes out is what the chain makes, whoever sends and whoever gets it."""
import gzip
import json
import os
import re
import socket
import tempfile

from kit import DatagramSystem, LineSystem, Router, case, event, main, reply_to, same, true, until

CONFIG = """
extensions: {{tenant: string, amount: integer}}
listeners:
  web: {{url: "http://127.0.0.1:0", compress: gzip}}
  stream: {{url: "tcp://127.0.0.1:0"}}
  ticks: {{url: "udp://127.0.0.1:0"}}
systems:
  pricing: tcp://127.0.0.1:{pricing}
  lamp: udp://127.0.0.1:{lamp}
middleware:
  named: [{{filter: EXISTS tenant}}, {{transform: {{set: {{subject: "for/{{tenant}}"}}, rename: {{old: amount}}, remove: secret}}}}]
routes:
  named: {{match: {{type: com.example.named.*}}, middleware: [named, {{transform: {{set: {{"data:/by": "{{subject}}", "data:/n": 7}}}}}}], to: pricing}}
  both: {{match: {{type: com.example.both}}, middleware: {{transform: {{set: {{type: com.example.made}}, remove: "data:/secret"}}}}, to: [pricing, lamp]}}
  checked: {{match: {{type: com.example.checked}}, middleware: {{validate: {{schema: "{folder}/schema.json", require: tenant}}}}, to: pricing}}
  logged: {{match: {{type: com.example.logged}}, middleware: [{{log: {{level: warn, show: [subject, amount]}}}}, {{log: {{sample: 0%}}}}], to: pricing}}
  rest: {{match: {{http: {{path: "/things/{{sku}}"}}}}, middleware: {{transform: {{set: {{subject: "things/{{path:sku}}"}}}}}}, to: pricing}}
"""


SCHEMA = """{"type": "object", "required": ["items"],
 "properties": {"items": {"type": "array", "items": {"properties": {"price": {"minimum": 0}}}}}}"""


def answer(got):
    return reply_to(got, {"subject": got.get("subject"), "got": got.get("data")}) if got.get("messagetype") in ("query", "request") else None


class World:
    def __init__(self, config=CONFIG, **more):
        self.pricing, self.lamp = LineSystem(answer), DatagramSystem()
        self.folder = tempfile.TemporaryDirectory(prefix="intertie-schema-")
        self.schema(SCHEMA)
        self.router = Router(config.format(pricing=self.pricing.port, lamp=self.lamp.port, folder=self.folder.name, **more))

    def schema(self, text):
        with open(os.path.join(self.folder.name, "schema.json"), "w", encoding="utf-8") as file:
            file.write(text)

    def __enter__(self):
        self.router.__enter__()
        return self

    def __exit__(self, *problem):
        try:
            self.router.__exit__(*problem)
        finally:
            self.pricing.close()
            self.lamp.close()
            self.folder.cleanup()

    def got(self, count):
        until(lambda: len(self.pricing.got) >= count, f"{count} messages arrived")
        return self.pricing.got[count - 1]


def problem(reply, status, reason, words=""):
    same(reply.status, status)
    told = json.loads(reply.body)
    same(told["reason"], reason)
    true(words in told.get("detail", ""), f"`{words}` is told: {told}")


@case
def events_leave_as_the_chain_makes_them():
    with World() as w:
        sent = event("event", "com.example.named.a", {"x": 1.50}, tenant="t", old="5", secret="s")
        same(w.router.post(sent).status, 202)
        got = w.got(1)
        same({name: got.get(name) for name in ("id", "subject", "amount", "old", "secret", "data")},
             {"id": sent["id"], "subject": "for/t", "amount": 5, "old": None, "secret": None, "data": {"x": 1.5, "by": "for/t", "n": 7}})


@case
def senders_of_what_is_filtered_hear_that_it_was_taken():
    with World() as w:
        same(w.router.post(event("event", "com.example.named.a", {})).status, 202)
        until(lambda: w.router.ended("dropped", "filtered") == 1, "it is counted")
        lines = w.router.lines()
        lines.send(event("event", "com.example.named.a", {}))
        until(lambda: w.router.ended("dropped", "filtered") == 2, "over JSON lines too")
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.sendto(json.dumps(event("event", "com.example.named.a", {})).encode(), ("127.0.0.1", w.router.ports["ticks"]))
        until(lambda: w.router.ended("dropped", "filtered") == 3, "and datagrams")
        lines.send(event("event", "com.example.named.a", {}, tenant="x"))
        same(w.got(1)["subject"], "for/x")
        lines.close()
        udp.close()
        problem(w.router.post(event("query", "com.example.named.a", {})), 422, "filtered", "route `named`")


@case
def copies_are_alike_on_every_protocol():
    with World() as w:
        lines = w.router.lines()
        lines.send(event("event", "com.example.both", {"secret": 1, "open": 2}))
        datagram = w.lamp.read()
        for got in (w.got(1), datagram):
            same((got["type"], got["data"]), ("com.example.made", {"open": 2}))
        lines.close()


@case
def binary_mode_and_content_codings_are_undone_before():
    with World() as w:
        body = gzip.compress(b'{"a": [1, 2]}')
        reply = w.router.http("POST", "/v1/messages", body, Content_Type="application/json", Content_Encoding="gzip",
                              ce_specversion="1.0", ce_id="g1", ce_source="/t", ce_type="com.example.named.b", ce_tenant="z")
        same(reply.status, 202)
        same(w.got(1)["data"], {"a": [1, 2], "by": "for/z", "n": 7})
        reply = w.router.http("POST", "/v1/messages", b"{broken", Content_Type="application/json", ce_specversion="1.0", ce_id="g2",
                              ce_source="/t", ce_type="com.example.named.b", ce_tenant="z")
        problem(reply, 422, "schema-invalid", "no valid JSON")
        reply = w.router.http("POST", "/v1/messages", b"text", Content_Type="text/plain", ce_specversion="1.0", ce_id="g3",
                              ce_source="/t", ce_type="com.example.named.b", ce_tenant="z")
        problem(reply, 422, "schema-invalid", "its data is no JSON")


@case
def what_does_not_fit_the_schema_is_refused_on_every_protocol():
    with World() as w:
        same(w.router.post(event("event", "com.example.checked", {"items": [{"price": 1}]}, tenant="t")).status, 202)
        same(w.got(1)["data"], {"items": [{"price": 1}]})
        bad = event("event", "com.example.checked", {"items": [{"price": 1}, {"price": -0.01}]}, tenant="t")
        problem(w.router.post(bad), 422, "schema-invalid", "`/items/1/price` is below `minimum`")
        problem(w.router.post(event("event", "com.example.checked", {"items": []})), 422, "schema-invalid", "`tenant` is missing")
        problem(w.router.post(event("event", "com.example.checked", tenant="t")), 422, "schema-invalid", "there is no data")
        problem(w.router.http("POST", "/v1/messages", b'{"items":[],"items":[]}', Content_Type="application/json", ce_specversion="1.0",
                              ce_id="t", ce_source="/t", ce_type="com.example.checked", ce_tenant="z"), 422, "schema-invalid", "stands twice")
        lines = w.router.lines()
        lines.send(bad)
        told = lines.read()
        same((told["messagetype"], told["causationid"], told["data"]["reason"]), ("error", bad["id"], "schema-invalid"))
        true("`/items/1/price`" in told["data"].get("detail", ""), f"JSON lines name the place: {told}")
        lines.close()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        before = w.router.ended("rejected", "schema-invalid")
        udp.sendto(json.dumps(bad).encode(), ("127.0.0.1", w.router.ports["ticks"]))
        until(lambda: w.router.ended("rejected", "schema-invalid") == before + 1, "a datagram is refused too")
        udp.close()
        same(len(w.pricing.got), 1)


@case
def schemas_are_read_again_with_the_configuration():
    with World() as w:
        sent = event("event", "com.example.checked", {"items": [{"price": 5}]}, tenant="t")
        same(w.router.post(sent).status, 202)
        w.schema(SCHEMA.replace('"minimum": 0', '"minimum": 9'))
        true("~ routes.checked" in w.router.intertie("reload", "--dry-run").stdout, "the route has changed")
        same(w.router.intertie("reload").returncode, 0)
        problem(w.router.post(dict(sent, id="again")), 422, "schema-invalid", "`/items/0/price` is below `minimum`")
        w.schema(SCHEMA.replace('"minimum"', '"minimun"'))
        told = w.router.intertie("reload")
        true(told.returncode != 0, "a broken schema is refused")
        true(re.search(r"schema\.json:2:\d+: error: unknown keyword `minimun`; did you mean `minimum`\?", told.stdout + told.stderr),
             f"with its place: {told.stdout + told.stderr}")
        problem(w.router.post(dict(sent, id="still")), 422, "schema-invalid")
        os.unlink(os.path.join(w.folder.name, "schema.json"))
        told = w.router.intertie("validate", w.router.path)
        same(told.returncode, 78)
        true("can't read" in told.stderr and "schema.json" in told.stderr, told.stderr)


EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/middleware.yaml")


@case
def the_example_does_what_it_says():
    with World() as w:
        same(w.router.intertie("validate", "--strict", EXAMPLE).returncode, 0)
        told = w.router.intertie("explain", "-c", EXAMPLE, "--type", "com.example.order.placed", "--attr", "tenant=acme", "--data",
                                 '{"id": 7, "items": [{"sku": "AB-1", "count": 2}]}')
        same(told.returncode, 0, told.stderr)
        true("through   validate, filter (chain checked), transform\n" in told.stdout, told.stdout)
        told = w.router.intertie("explain", "-c", EXAMPLE, "--type", "com.example.order.placed", "--attr", "tenant=acme", "--data",
                                 '{"id": 7, "items": [{"sku": "ab-1", "count": 2}]}')
        true("would be refused (schema-invalid): validate: `/items/0/sku` does not match its `pattern`" in told.stderr, told.stderr)
    with open(EXAMPLE, encoding="utf-8") as file:
        text = file.read().replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:7460", "127.0.0.1:0")
    with Router(text.replace("schemas/order.json", os.path.join(os.path.dirname(EXAMPLE), "schemas/order.json"))) as router:
        warehouse = router.intertie("send", "--url", f"tcp://127.0.0.1:{router.ports['stream']}", "--type", "com.example.order.placed",
                                    "--attr", "tenant=acme", "--data", '{"id": 7, "note": "x", "items": [{"sku": "AB-1", "count": 2}]}')
        same(warehouse.returncode, 0, warehouse.stderr)
        got = router.intertie("listen", "--as", "warehouse", "--url", f"tcp://127.0.0.1:{router.ports['stream']}", "--count", "1", "--for", "20s")
        got = json.loads(got.stdout)
        same((got["subject"], got["data"]), ("acme/7", {"id": 7, "items": [{"sku": "AB-1", "count": 2}], "tenant": "acme"}))


@case
def logged_messages_show_what_is_named_and_never_data():
    with World() as w:
        same(w.router.post(event("event", "com.example.logged", {"card": "4711-0815"}, subject="s1", amount=7, secret="hidden")).status, 202)
        w.got(1)
        line = until(lambda: [line for line in w.router.log().split("\n") if "message on its way" in line], "a line is written")
        same(len(line), 1, "the stage with 0 % writes none")
        for word in ("com.example.logged", "s1", "logged", "warn"):
            true(word in line[0].lower(), f"`{word}` is in {line[0]}")
        true("4711" not in line[0] and "hidden" not in line[0], line[0])


@case
def rest_routes_have_middleware_too():
    with World() as w:
        reply = w.router.http("GET", "/things/A-1")
        same((reply.status, json.loads(reply.body)["subject"]), (200, "things/A-1"))


@case
def a_reload_changes_a_chain():
    with World() as w:
        same(w.router.post(event("event", "com.example.both", {})).status, 202)
        same(w.got(1)["type"], "com.example.made")
        w.router.write(w.router.config.replace("type: com.example.made", "type: com.example.other"))
        true("~ routes.both" in w.router.intertie("reload", "--dry-run").stdout, "the route has changed")
        same(w.router.intertie("reload").returncode, 0)
        same(w.router.post(event("event", "com.example.both", {})).status, 202)
        same(w.got(2)["type"], "com.example.other")


@case
def explain_names_the_chain_and_what_it_says():
    with World() as w:
        told = w.router.intertie("explain", "-c", w.router.path, "--type", "com.example.named.a", "--attr", "tenant=x", "--data", "{}")
        true("through   filter, transform (chain named), transform\n" in told.stdout, told.stdout + told.stderr)
        told = w.router.intertie("explain", "-c", w.router.path, "--type", "com.example.named.a")
        same(told.returncode, 4, told.stdout)
        true("would be refused (filtered)" in told.stderr, told.stderr)
        told = json.loads(w.router.intertie("explain", "--json", "-c", w.router.path, "--type", "com.example.both").stdout)
        same(told["middleware"], [{"stage": "transform", "chain": None}])


if __name__ == "__main__":
    main()
