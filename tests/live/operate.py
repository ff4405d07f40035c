#!/usr/bin/env python3
"""Operating endpoints while the router runs: set by hand, seen in the admin API and the metrics, kept over a reload."""
import http.server
import json
import re
import socket
import threading
import time

from dns_kit import A, SRV, NameServer
from kit import HttpSystem, Router, case, event, main, same, true, until


class Site:
    """An HTTP endpoint that counts, and answers when its gate is open."""

    def __init__(self, status=202):
        self.count, self.busy, self.ids, self.status = 0, 0, [], status
        self.gate, self.lock = threading.Event(), threading.Lock()
        self.gate.set()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with site.lock:
                    site.busy += 1
                site.gate.wait(20)
                with site.lock:
                    site.busy -= 1
                    site.count += 1
                    site.ids.append(self.headers.get("ce-id") or json.loads(body).get("id"))
                self.send_response(site.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = HttpSystem(Handler)
        self.port = self.server.port

    def close(self):
        self.gate.set()
        self.server.close()


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def config_of(sites, policy="", workers=1, more=None):
    lines = ", ".join(f'{name}: {{url: "http://127.0.0.1:{port}/in?k=secret"{(more or {}).get(name, "")}}}' for name, port in sites.items())
    return f"""
workers: {workers}
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems: {{far: {{{policy}{", " if policy else ""}endpoints: {{{lines}}}}}}}
"""


def admin(router, method, name, body=None, status=200):
    reply = router.http(method, f"/api/v1/systems/far/endpoints/{name}", body and json.dumps(body), port=router.admin)
    same(reply.status, status, reply.body)
    return json.loads(reply.body)


def say(router, count, **more):
    for i in range(count):
        same(router.post(event("event", "com.example.x", {"n": i}, target="far", **more)).status, 202)


def at_rest(router, count):
    until(lambda: router.ended("delivered", "ok") == count, f"{count} arrived", 30)


def metric(router, name, **labels):
    words = ",".join(f'{key}="{value}"' for key, value in labels.items())
    found = re.search(rf"^{name}{{{words}}} (\S+)$", router.http("GET", "/metrics", port=router.admin).body.decode(), re.M)
    return found and float(found.group(1))


def up(router, name):
    return metric(router, "intertie_endpoint_up", system="far", endpoint=name)


@case
def drain_lets_finish_what_is_under_way_and_says_when_it_is_over():
    a, b = Site(), Site()
    with Router(config_of({"a": a.port, "b": b.port}, workers=2)) as router:
        a.gate.clear()
        b.gate.clear()
        say(router, 8)
        until(lambda: a.busy and b.busy and a.busy + b.busy == 8, "all are under way")
        under_way = a.busy
        shown = admin(router, "PUT", "a", {"state": "drain"})
        same([shown["state"], shown["set"], shown["why"], shown["by_hand"]], ["draining", "drain", "set by hand", True])
        same(shown["in_flight"], under_way)
        b.gate.set()
        say(router, 20)
        until(lambda: b.count == 28 - under_way, "the other has the rest")
        same(a.count, 0)
        same(metric(router, "intertie_endpoint_in_flight", system="far", endpoint="a"), under_way)
        same([up(router, "a"), up(router, "b")], [0, 1])
        same(router.system("far")["state"], "degraded")
        a.gate.set()
        until(lambda: admin(router, "GET", "a")["state"] == "drained", "it has come to rest")
        same(admin(router, "GET", "a")["connections"], 0)
        same(a.count, under_way)
        at_rest(router, 28)
        true('"state":"drained"' in router.log(), "the log says so")
        same(admin(router, "PUT", "a", {"state": "up"})["state"], "up")
        say(router, 20)
        until(lambda: a.count > under_way, "it is used again")
        at_rest(router, 48)
    a.close()
    b.close()


@case
def down_is_at_once_and_loses_nothing():
    a, b = Site(), Site()
    with Router(config_of({"a": a.port, "b": b.port}, "redeliver: {backoff: 1ms..5ms}", workers=2)) as router:
        a.gate.clear()
        say(router, 10)
        until(lambda: a.busy and a.busy + b.count == 10, "some are stuck")
        shown = admin(router, "PUT", "a", {"state": "down"})
        same([shown["state"], shown["connections"], shown["in_flight"]], ["down", 0, 0])
        until(lambda: b.count == 10, "the other has all of them")
        at_rest(router, 10)
        same(len(set(b.ids)), 10)
        same(shown["url"], f"http://127.0.0.1:{a.port}")  # and no more of it
        true("k=secret" not in json.dumps(router.status()), "no secret is shown")
        a.gate.set()
    a.close()
    b.close()


@case
def a_weight_by_hand_shares_until_it_is_given_back():
    a, b = Site(), Site()
    with Router(config_of({"a": a.port, "b": b.port}, "balance: {by: round_robin}")) as router:
        say(router, 4)
        at_rest(router, 4)
        shown = admin(router, "PUT", "b", {"weight": 0})
        same([shown["weight"], shown["weight_by_hand"], shown["state"], shown["set"]], [0, True, "up", "up"])
        before = b.count
        say(router, 20)
        at_rest(router, 24)
        same(b.count, before)
        admin(router, "PUT", "b", {"weight": 3})
        say(router, 40)
        at_rest(router, 64)
        true(25 <= b.count - before <= 35, f"three of four: {b.count - before}")
        shown = admin(router, "DELETE", "b")
        same([shown["weight"], shown["by_hand"]], [1, False])
    a.close()
    b.close()


@case
def what_was_set_outlives_a_reload_that_leaves_the_endpoint():
    a, b, c = Site(), Site(), Site()
    with Router(config_of({"a": a.port, "b": b.port}, workers=2)) as router:
        admin(router, "PUT", "a", {"state": "down", "weight": 5})
        router.write(router.head + config_of({"a": a.port, "b": b.port, "c": c.port}, "retry: {attempts: 4}", workers=2))
        same(router.intertie("reload").returncode, 0)
        shown = admin(router, "GET", "a")
        same([shown["state"], shown["weight"], shown["workers"]], ["down", 5, 2])
        same(router.log().count('"endpoint":"far/a","state":"down"'), 2)  # when it was set, and that it still is
        say(router, 10)
        at_rest(router, 10)
        same(a.count, 0)
        router.write(router.head + config_of({"b": b.port}, workers=2))
        same(router.intertie("reload").returncode, 0)
        same(up(router, "a"), None)  # who is gone is not shown as down
        same(up(router, "b"), 1)
        admin(router, "GET", "a", status=404)
        router.write(router.head + config_of({"a": a.port, "b": b.port}, workers=2))
        same(router.intertie("reload").returncode, 0)
        same(admin(router, "GET", "a")["state"], "up")  # it is a new one
    for site in (a, b, c):
        site.close()


@case
def what_is_wrong_is_told_and_changes_nothing():
    a = Site()
    with Router(config_of({"a": a.port})) as router:
        for body in ({}, {"state": "off"}, {"state": 1}, {"weight": -1}, {"weight": 1001}, {"weight": 1.5}, {"weight": "2"},
                     {"colour": "red"}, ["up"]):
            same(admin(router, "PUT", "a", body or {}, status=400)["reason"], "protocol-error", body)
        for raw in ("", "{", '{"state":"up"} x', '{"state":"up","state":"down"}'):
            same(router.http("PUT", "/api/v1/systems/far/endpoints/a", raw, port=router.admin).status, 400, raw)
        for path in ("far/endpoints/b", "near/endpoints/a", "far/endpoints/" + "a" * 320, "a" * 300 + "/endpoints/a"):
            same(router.http("PUT", "/api/v1/systems/" + path, '{"state":"up"}', port=router.admin).status, 404, path)
        reply = router.http("POST", "/api/v1/systems/far/endpoints/a", "{}", port=router.admin)
        same([reply.status, reply.headers["Allow"]], [405, "GET, HEAD, PUT, DELETE"])
        for path in ("far/endpoints/", "far/endpoints/a/b"):
            true(router.http("GET", "/api/v1/systems/" + path, port=router.admin).status in (404, 501), path)
        shown = admin(router, "GET", "a")
        same([shown["state"], shown["by_hand"]], ["up", False])
    a.close()


@case
def ejection_breaker_and_dials_that_fail_are_seen():
    good, bad = Site(), Site(status=500)
    policy = "outlier: {consecutive: 3, eject: 60s, max_ejected: 100%}, breaker: {failures: 3, open: 60s, open_max: 60s}, redeliver: {backoff: 1ms..5ms}"
    with Router(config_of({"good": good.port, "bad": bad.port, "nobody": closed_port()}, policy)) as router:
        say(router, 30)
        at_rest(router, 30)
        shown = admin(router, "GET", "bad")
        same([shown["state"], shown["circuit"], shown["ejected_workers"], shown["serving_workers"]], ["open", "open", 1, 0])
        true("failures" in shown["why"] and shown["results"].get("failed", 0) >= 3, shown)
        same(metric(router, "intertie_endpoint_ejected", system="far", endpoint="bad"), 1)
        same(metric(router, "intertie_circuit_state", system="far", endpoint="bad"), 2)
        same(metric(router, "intertie_circuit_state", system="far", endpoint="good"), 0)
        same([up(router, "bad"), up(router, "good")], [0, 1])
        until(lambda: admin(router, "GET", "nobody")["dial_failures"] > 0, "it was tried")
        true(admin(router, "GET", "nobody")["state"] in ("unreachable", "open"), "it is not there")
        same(up(router, "nobody"), 0)
        system = router.system("far")
        same([system["state"], system["endpoints"], system["endpoints_serving"]], ["degraded", 3, 1])
        bad.status = 202
        same(admin(router, "PUT", "bad", {"state": "up"})["state"], "up")  # by hand, long before its time
        before = bad.count
        say(router, 30)
        at_rest(router, 60)
        true(bad.count > before, "it is used")
    good.close()
    bad.close()


@case
def with_all_down_events_wait_and_a_stop_does_not():
    a = Site()
    with Router(config_of({"a": a.port}, "timeouts: {queue: 300ms}")) as router:
        admin(router, "PUT", "a", {"state": "down"})
        say(router, 3)
        reply = router.post(event("query", "com.example.x", {}, target="far"))
        same([reply.status, json.loads(reply.body)["reason"]], [503, "target-unavailable"])
        same(router.system("far")["held"], 3)
        same(router.system("far")["state"], "down")
        admin(router, "PUT", "a", {"state": "up"})
        at_rest(router, 3)
        admin(router, "PUT", "a", {"state": "down"})
        say(router, 1)
        began = time.monotonic()
        same(router.intertie("stop", seconds=60).returncode, 0)
        router.child.wait(20)
        true(time.monotonic() - began < 15, "nothing held it up")
    a.close()


@case
def the_command_shows_sets_and_waits():
    a, b = Site(), Site()
    with Router(config_of({"a": a.port, "b": b.port}, workers=2)) as router:
        def run(*arguments, code=0):
            done = router.intertie("endpoint", *arguments)
            same(done.returncode, code, done.stderr)
            return done.stdout if code == 0 else done.stderr

        true(re.search(rf"^far/a +up +1 +0 +0 +0  http://127\.0\.0\.1:{a.port}$", run("list"), re.M), run("list"))
        same(len(run("list", "far/b").splitlines()), 2)
        same([e["name"] for e in json.loads(run("list", "--json"))["endpoints"]], ["a", "b"])
        same(run("weight", "far/b", "7"), "far/b up weight 7 by hand\n")
        true(re.search(r"^far/b +up +7\* .* weight 7 by hand$", run("list"), re.M), run("list"))
        a.gate.clear()
        b.gate.clear()
        say(router, 10)
        until(lambda: a.busy, "a is busy")
        true(re.match(r"far/a draining just now: set by hand, \d+ in flight$", run("drain", "far/a").strip()), "drain")
        true(re.search(r"far/a still has \d+ in flight", run("drain", "far/a", "--wait", "200ms", code=1)), "not yet")
        a.gate.set()
        b.gate.set()
        true(re.match(r"far/a drained (just now|\d+ s ago): set by hand$", run("drain", "far/a", "--wait", "20s").strip()), "drained")
        true("a drained" in router.intertie("status").stdout, "status tells it")
        same(json.loads(run("down", "far/a", "--json"))["state"], "down")
        same(run("up", "far/a"), "far/a up\n")
        same(run("clear", "far/b"), "far/b up\n")
        for wrong in ((), ("up",), ("up", "far"), ("up", "far/a", "b"), ("weight", "far/a"), ("weight", "far/a", "1001"),
                      ("weight", "far/a", "x"), ("lift", "far/a"), ("list", "a", "b"), ("up", "far/../a")):
            run(*wrong, code=2)
        run("up", "far/c", code=4)
        run("list", "near", code=4)
        at_rest(router, 10)
    a.close()
    b.close()


@case
def one_that_was_found_is_set_as_any_other_and_stays_so_when_it_is_found_again():
    a, b = Site(), Site()
    dns = NameServer()
    dns.set("one.test.example", (A, 60, "127.0.0.1"))
    name = "_far._tcp.test.example"
    both = [(SRV, 1, (10, 1, site.port, "one.test.example")) for site in (a, b)]
    dns.set(name, *both)
    config = f"""
workers: 2
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems: {{far: {{discover: {{dns: {name}, url: "http://{{host}}:{{port}}/in"}}}}}}
"""
    with Router(config, environment=dns.environment) as router:
        until(lambda: len(router.system("far")["endpoint_list"]) == 2, "two are found")
        first = next(e for e in router.system("far")["endpoint_list"] if e["url"].endswith(f":{a.port}"))["name"]
        done = router.intertie("endpoint", "down", f"far/{first}")
        same([done.returncode, done.stdout], [0, f"far/{first} down just now: set by hand\n"], done.stderr)
        true(f":{a.port} (dns)" in router.intertie("endpoint", "list").stdout, router.intertie("endpoint", "list").stdout)
        time.sleep(2.5)  # its records have ended twice
        say(router, 10)
        at_rest(router, 10)
        same([a.count, b.count], [0, 10])
        dns.set(name, both[1])
        until(lambda: len(router.system("far")["endpoint_list"]) == 1, "it has gone")
        same(up(router, first), None)
        dns.set(name, *both)
        until(lambda: len(router.system("far")["endpoint_list"]) == 2, "it is back, as new")
        same(admin(router, "GET", first)["state"], "up")
    dns.close()
    a.close()
    b.close()


if __name__ == "__main__":
    main()
