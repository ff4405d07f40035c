#!/usr/bin/env python3
"""The HTTP data API, answer by answer."""
import json
import re
import shutil
import socket
import subprocess

from kit import DatagramSystem, LineSystem, Router, case, event, main, reply_to, same, true, until

CONFIG = """
listeners: {{web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0}}
systems:
  pricing: {{url: tcp://127.0.0.1:{pricing}, timeouts: {{queue: 1s, request: 2s}}}}
  lamp: udp://127.0.0.1:{lamp}
  desk: {{accept: true}}
  gone: {{url: tcp://127.0.0.1:1, timeouts: {{queue: 500ms}}}}
  refusing: {{accept: true, offline: refuse}}
routes:
  prices: {{match: {{type: com.example.price.*, messagetype: query}}, to: pricing}}
  alarms: {{match: {{type: com.example.alarm.*}}, to: [lamp, desk]}}
"""


def answer(got):
    sku = got.get("data", {}).get("sku")
    if sku == "silent":
        return None
    if sku == "bad":
        return reply_to(got, {"title": "no", "reason": "no-such-article"}, "error")
    return reply_to(got, {"sku": sku, "eur": 9.5})


class Stage:
    def __enter__(self):
        self.pricing = LineSystem(answer)
        self.lamp = DatagramSystem()
        self.router = Router(CONFIG.format(pricing=self.pricing.port, lamp=self.lamp.port)).__enter__()
        return self

    def __exit__(self, *problem):
        try:
            self.router.__exit__(*problem)
        finally:
            self.pricing.close()
            self.lamp.close()


def problem(reply, status, reason):
    same(reply.status, status, "status")
    same(reply.getheader("Content-Type"), "application/problem+json", "content type")
    document = json.loads(reply.body)
    same(document["reason"], reason, "reason")
    same(document["status"], status, "status member")
    same(document["type"], "/problems/" + reason, "type")
    return document


@case
def curl_asks_for_consent_to_send_webhooks():
    """As a sender of CloudEvents webhooks does before its first event; who has no key yet, too."""
    if not shutil.which("curl"):
        return
    with Router("listeners: {open: {url: http://127.0.0.1:0}, closed: {url: http://127.0.0.1:0, auth: key}}\nsystems: {desk: {accept: true}}\n"
                "security: {identities: {desk: {system: desk, keys: {k: {hash: 'sha256:%s'}}}}}\n" % ("0" * 64)) as router:
        for listener in ("open", "closed"):
            for path in ("/v1/messages", "/v1/systems/desk/messages"):
                got = subprocess.run(["curl", "-s", "-i", "-m", "10", "-X", "OPTIONS", f"http://127.0.0.1:{router.ports[listener]}{path}",
                                      "-H", "WebHook-Request-Origin: eventemitter.example.com", "-H", "WebHook-Request-Rate: 120",
                                      "-H", "WebHook-Request-Callback: http://127.0.0.1:1/consent"], capture_output=True, text=True, check=True).stdout
                true(got.startswith("HTTP/1.1 204 "), got)
                for line in ("WebHook-Allowed-Origin: eventemitter.example.com\n", "WebHook-Allowed-Rate: 120\n", "POST"):
                    true(line in got.replace("\r", ""), line + " in " + got)
        same(router.http("POST", "/v1/messages", "x", port=router.ports["closed"]).status, 401, "consent is no key")
        same(router.http("OPTIONS", "/v1/messages", port=router.ports["closed"]).status, 401, "and nothing else goes without one")


@case
def an_event_in_binary_mode_is_accepted_with_a_receipt():
    with Stage() as stage:
        reply = stage.router.http("POST", "/v1/messages", '{"door":7}', ce_specversion="1.0", ce_id="42", ce_source="/doors/7",
                                  ce_type="com.example.alarm.raised", Content_Type="application/json")
        same(reply.status, 202, "status")
        same(reply.body, b"", "body")
        same(len(reply.getheader("Intertie-Id")), 36, "receipt")
        got = stage.lamp.read()
        same((got["id"], got["source"], got["data"]), ("42", "/doors/7", {"door": 7}), "what the lamp got")


@case
def a_query_is_answered_by_a_system_that_speaks_only_tcp():
    with Stage() as stage:
        asked = event("query", "com.example.price.get", {"sku": "A-1"}, id="q1", source="/systems/desk")
        reply = stage.router.post(asked)
        same(reply.status, 200, "status")
        same(reply.getheader("Content-Type"), "application/cloudevents+json", "content type")
        got = json.loads(reply.body)
        same((got["causationid"], got["correlationid"], got["target"], got["data"]),
             ("q1", "q1", "desk", {"sku": "A-1", "eur": 9.5}), "reply")


@case
def a_query_in_binary_mode_is_answered_in_binary_mode():
    with Stage() as stage:
        reply = stage.router.http("POST", "/v1/systems/pricing/messages", '{"sku":"B"}', ce_specversion="1.0", ce_id="q2",
                                  ce_source="/x", ce_type="com.example.any", ce_messagetype="query",
                                  Content_Type="application/json")
        same(reply.status, 200, "status")
        same(reply.getheader("ce-causationid"), "q2", "ce-causationid")
        same(json.loads(reply.body), {"sku": "B", "eur": 9.5}, "body")


@case
def an_error_reply_is_a_reply():
    with Stage() as stage:
        reply = stage.router.post(event("query", "com.example.price.get", {"sku": "bad"}))
        same(reply.status, 200, "status")
        same(json.loads(reply.body)["messagetype"], "error", "messagetype")


@case
def no_reply_in_time_is_504():
    with Stage() as stage:
        problem(stage.router.post(event("query", "com.example.price.get", {"sku": "silent"})), 504, "reply-timeout")
        same(stage.router.ended("expired", "reply-timeout"), 1, "on record")


@case
def a_batch_gets_a_result_each():
    with Stage() as stage:
        batch = [event("event", "com.example.alarm.raised", {"n": 1}, id="42"), {"specversion": "1.0", "id": "x", "type": "y"},
                 event("event", "com.example.nobody", {})]
        reply = stage.router.http("POST", "/v1/messages", json.dumps(batch),
                                  Content_Type="application/cloudevents-batch+json")
        same(reply.status, 200, "status")
        results = json.loads(reply.body)
        same([result["status"] for result in results], [202, 400, 404], "results")
        same([result["index"] for result in results], [0, 1, 2], "indices")
        same(results[0]["id"], "42", "id")
        same(results[1]["problem"]["reason"], "malformed-event", "reason")
        same(results[1]["problem"]["detail"], "`source` is missing", "detail")
        same(results[2]["problem"]["reason"], "no-route", "reason")


@case
def a_plain_body_is_wrapped():
    with Stage() as stage:
        reply = stage.router.http("POST", "/v1/systems/lamp/messages", "blink", Content_Type="text/plain")
        same(reply.status, 202, "status")
        got = stage.lamp.read()
        same((got["type"], got["data"], got["id"]), ("intertie.http.message.v1", "blink", reply.getheader("Intertie-Id")), "got")


@case
def an_unknown_system_is_named_with_the_nearest():
    with Stage() as stage:
        document = problem(stage.router.http("POST", "/v1/systems/lmap/messages", "blink", Content_Type="text/plain"), 404,
                           "unknown-target")
        same(document["detail"], "no system `lmap`; did you mean `lamp`?", "detail")
        same(len(document["id"]), 36, "id")


@case
def a_target_in_path_and_event_must_agree():
    with Stage() as stage:
        problem(stage.router.post(event("event", "a.b", {}, target="desk"), "/v1/systems/lamp/messages"), 400, "malformed-event")


@case
def other_paths_and_methods_are_refused():
    with Stage() as stage:
        problem(stage.router.http("GET", "/nowhere"), 404, "not-found")
        reply = stage.router.http("DELETE", "/v1/messages")
        problem(reply, 405, "method-not-allowed")
        true(reply.getheader("Allow").startswith("POST"), "Allow")


@case
def expired_on_arrival_and_expiring_while_held():
    with Stage() as stage:
        problem(stage.router.post(event("event", "com.example.alarm.x", {}, expirytime="2020-01-01T00:00:00Z")), 422, "expired")
        same(stage.router.post(event("event", "a.b", {}, target="desk"), TTL="1").status, 202, "with TTL")
        until(lambda: stage.router.ended("expired", "expired") == 2, "the held one expires", 5)
        same(stage.router.system("desk")["held"], 0, "held")


@case
def nobody_there_is_503_with_retry_after():
    with Stage() as stage:
        reply = stage.router.post(event("query", "a.b", {}, target="gone"))
        problem(reply, 503, "target-unavailable")
        true(int(reply.getheader("Retry-After")) >= 1, "Retry-After")
        problem(stage.router.post(event("event", "a.b", {}, target="refusing")), 503, "target-unavailable")


@case
def many_targets_need_an_event():
    with Stage() as stage:
        problem(stage.router.post(event("command", "com.example.alarm.stop", {})), 422, "many-targets")


@case
def sizes_have_limits():
    with Stage() as stage:
        reply = stage.router.http("POST", "/v1/systems/desk/messages", "x" * (1 << 20) + "x", Content_Type="text/plain")
        problem(reply, 413, "too-large")
        problem(stage.router.http("GET", "/" + "a" * 9000), 414, "uri-too-long")
        problem(stage.router.http("POST", "/v1/messages", "{}", X_Long="y" * 40000), 431, "headers-too-large")


@case
def web_pages_elsewhere_are_refused():
    with Stage() as stage:
        problem(stage.router.post(event("event", "com.example.alarm.x", {}), Origin="https://evil.example"), 403, "origin-refused")
        problem(stage.router.post(event("event", "com.example.alarm.x", {}), Host="evil.example"), 403, "origin-refused")


def raw(port, data, seconds=5):
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        peer.settimeout(seconds)
        peer.sendall(data)
        got = b""
        try:
            while chunk := peer.recv(65536):
                got += chunk
        except TimeoutError:
            pass
        return got


@case
def smuggling_shapes_are_refused_and_closed():
    with Stage() as stage:
        port = stage.router.ports["web"]
        head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
        for lines in (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 3\r\nContent-Length: 4\r\n",
                      b"Content-Length: +3\r\n", b"Content-Length : 3\r\n", b"Transfer-Encoding: chunked, chunked\r\n",
                      b"X: a\n b\r\n", b"Content-Length: 3\n"):
            got = raw(port, head + lines + b"\r\nabc")
            true(got.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")) and got.count(b"HTTP/1.1") == 1, f"{lines!r}: {got[:80]!r}")


@case
def pipelined_requests_are_answered_in_order():
    with Stage() as stage:
        def request(name, target):
            body = json.dumps(event("query" if target == "pricing" else "event", "a.b", {"sku": name}, id=name)).encode()
            return (f"POST /v1/systems/{target}/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        last = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        got = raw(stage.router.ports["web"], request("p1", "pricing") + request("p2", "desk") + request("p3", "pricing") + last)
        same(re.findall(rb"HTTP/1\.1 (\d+) ", got), [b"200", b"202", b"200", b"404"], "codes")
        true(got.index(b"r-p1") < got.index(b"r-p3"), "order")


@case
def a_chunked_body_is_read():
    with Stage() as stage:
        body = b"5\r\nblink\r\n6\r\n again\r\n0\r\n\r\n"
        got = raw(stage.router.ports["web"], b"POST /v1/systems/lamp/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                  b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body)
        true(got.startswith(b"HTTP/1.1 202 "), got[:60])
        same(stage.lamp.read()["data"], "blink again", "data")


if __name__ == "__main__":
    main()
