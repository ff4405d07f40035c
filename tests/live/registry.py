#!/usr/bin/env python3
"""Endpoints that nobody wrote down: found in DNS, whatever name servers say, and those that register."""
import collections
import http.server
import json
import re
import time

from dns_kit import A, AAAA, CNAME, SRV, NameServer
from kit import REPLAY, HttpSystem, Router, case, cases, event, main, same, true, until

cases.clear()


def counting(name, counts, address="127.0.0.1", port=0):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            counts[name] += 1
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return HttpSystem(Handler, address, port)


def config_of(system, more=""):
    return f"""
workers: 2
listeners: {{web: {{url: http://127.0.0.1:0, anonymous: true}}}}
systems: {{far: {{{system}}}}}
{more}
"""


def say(router, count):
    for i in range(count):
        same(router.post(event("event", "com.example.x", {"n": i}, target="far")).status, 202)


def metric(router, name, **labels):
    text = router.http("GET", "/metrics", port=router.admin).body.decode()
    total = 0
    for line in text.splitlines():
        if line.startswith(name + "{") and all(f'{key}="{value}"' in line for key, value in labels.items()):
            total += float(line.rsplit(" ", 1)[1])
    return total


def found(router, origin="dns"):
    return metric(router, "intertie_endpoints_found", system="far", origin=origin)


SERVICE = 'discover: {dns: _far._tcp.test.example, url: "http://{host}:{port}/in"%s}, slow_start: {over: 0s}'
ADDRESS = 'discover: {dns: far.test.example, type: a, url: "http://{host}:%d/in"}, slow_start: {over: 0s}'
NAME = "_far._tcp.test.example"


@case
def services_come_with_tier_weight_and_port_and_go():
    counts = collections.Counter()
    one, two, spare = (counting(name, counts) for name in ("one", "two", "spare"))
    dns = NameServer()
    for host in ("one", "two", "spare"):
        dns.set(f"{host}.test.example", (A, 60, "127.0.0.1"))
    dns.set(NAME, (SRV, 1, (10, 1, one.port, "one.test.example")), (SRV, 1, (10, 3, two.port, "two.test.example")),
            (SRV, 1, (20, 0, spare.port, "spare.test.example")))
    with Router(config_of(SERVICE % ""), environment=dns.environment) as router:
        until(lambda: found(router) == 3, "three are found")
        until(lambda: router.system("far")["endpoints"] == 3, "the status has them")
        say(router, 40)
        until(lambda: sum(counts.values()) == 40, f"all arrive: {counts}")
        same(counts["spare"], 0, "the second tier waits")
        true(counts["two"] > counts["one"] > 0, f"by weight: {counts}")
        counts.clear()
        dns.set(NAME, (SRV, 1, (20, 0, spare.port, "spare.test.example")))
        until(lambda: found(router) == 1, "two have gone")
        until(lambda: (say(router, 1), counts["spare"] > 5)[1], "the spare one has it all")
        before = counts["one"] + counts["two"]
        say(router, 10)
        until(lambda: counts["spare"] >= 16, "ten more")
        same(counts["one"] + counts["two"], before, "nothing to those that went")
        true('"endpoints found"' in router.log(), "the log says so")
    dns.close()
    for system in (one, two, spare):
        system.close()


@case
def addresses_of_both_families_and_aliases():
    counts = collections.Counter()
    first = counting("first", counts)
    second = counting("second", counts, "127.0.0.2", first.port)
    dns = NameServer()
    dns.set("far.test.example", (CNAME, 30, "real.test.example"), ("real.test.example", A, 1, "127.0.0.1"),
            ("real.test.example", A, 1, "127.0.0.2"), ("real.test.example", AAAA, 1, "::1"), ("other.example", A, 1, "127.0.0.9"))
    with Router(config_of(ADDRESS % first.port), environment=dns.environment) as router:
        until(lambda: found(router) == 3, "three are found")
        until(lambda: (say(router, 3), counts["first"] and counts["second"])[1], f"both get some: {counts}")
        dns.set("far.test.example", (CNAME, 30, "real.test.example"), ("real.test.example", A, 1, "127.0.0.2"))
        until(lambda: found(router) == 1, "one is left")
    dns.close()
    first.close()
    second.close()


@case
def what_is_held_goes_when_somebody_is_found():
    counts = collections.Counter()
    one = counting("one", counts)
    dns = NameServer()
    dns.set("one.test.example", (A, 60, "127.0.0.1"))
    with Router(config_of(SERVICE % ""), environment=dns.environment) as router:
        until(lambda: metric(router, "intertie_discovery_lookups_total", result="none") > 0, "nobody is there")
        say(router, 5)
        same(router.system("far")["held"], 5, "held")
        dns.set(NAME, (SRV, 60, (0, 0, one.port, "one.test.example")))
        until(lambda: counts["one"] == 5, "all five", 20)
    dns.close()
    one.close()


@case
def those_known_stay_while_name_servers_fail():
    counts = collections.Counter()
    one = counting("one", counts)
    dns = NameServer()
    dns.set("one.test.example", (A, 60, "127.0.0.1"))
    dns.set(NAME, (SRV, 1, (0, 0, one.port, "one.test.example")))
    with Router(config_of(SERVICE % ""), environment=dns.environment) as router:
        until(lambda: found(router) == 1, "found")
        for mode in ("refuse", "garbage", "silent", "other-id"):
            dns.mode = mode
            before = metric(router, "intertie_discovery_lookups_total", result="failed")
            until(lambda: metric(router, "intertie_discovery_lookups_total", result="failed") > before, f"{mode} is a failure", 60)
            same(found(router), 1, f"known: {mode}")
            say(router, 1)
            dns.mode = "answer"
            before = metric(router, "intertie_discovery_lookups_total", result="found")
            until(lambda: metric(router, "intertie_discovery_lookups_total", result="found") > before, f"after {mode}", 60)
        until(lambda: counts["one"] == 4, "all arrived")
        true("can't be looked up" in router.log() and "looked up again" in router.log(), "the log says both")
        del dns.records[NAME]
        before = metric(router, "intertie_discovery_lookups_total", result="none")
        until(lambda: metric(router, "intertie_discovery_lookups_total", result="none") > before, "nothing has that name")
        same(found(router), 1, "one denial isn't believed")
    dns.close()
    one.close()


@case
def cut_answers_come_by_tcp_and_too_many_are_left_out():
    counts = collections.Counter()
    one = counting("one", counts)
    dns = NameServer()
    dns.set("a.test.example", (A, 60, "127.0.0.1"))
    dns.set(NAME, *((SRV, 1, (7, 1, 1000 + i, "a.test.example")) for i in range(300)))
    with Router(config_of(SERVICE % ""), environment=dns.environment) as router:
        until(lambda: found(router) == 256, "so many at most")
        true(dns.by_tcp > 0, "it came by TCP")
        true('"left_out":44' in router.log(), "the log says that 44 were left out")
        until(lambda: router.system("far")["endpoints"] == 256, "the workers have them")
        dns.set(NAME, (SRV, 1, (7, 1, one.port, "a.test.example")))
        dns.mode = "cut"
        until(lambda: found(router) == 1, "one is left")
        until(lambda: (say(router, 1), counts["one"] > 0)[1], "it gets what comes")
    dns.close()
    one.close()


@case
def records_that_are_no_use_are_left_out():
    counts = collections.Counter()
    one = counting("one", counts)
    dns = NameServer()
    dns.set("a.test.example", (A, 60, "127.0.0.1"))
    dns.set(NAME, (SRV, 1, (0, 0, one.port, "a.test.example")), (SRV, 1, (0, 0, 0, "a.test.example")), (SRV, 1, (0, 0, 80, "")),
            (SRV, 1, (0, 0, 80, "x{host}.example")), (SRV, 1, (0, 0, 80, "evil\r\nhost.example")), (SRV, 1, (0, 0, 80, "999")))
    with Router(config_of(SERVICE % ""), environment=dns.environment) as router:
        until(lambda: found(router) == 1, "one is of use")
        say(router, 3)
        until(lambda: counts["one"] == 3, "it gets all")
    dns.close()
    one.close()


@case
def a_reload_keeps_them_and_their_connections():
    counts = collections.Counter()
    one = counting("one", counts)
    dns = NameServer()
    dns.set("one.test.example", (A, 60, "127.0.0.1"))
    dns.set(NAME, (SRV, 3600, (0, 0, one.port, "one.test.example")))
    with Router(config_of(SERVICE % ""), environment=dns.environment) as router:
        until(lambda: router.system("far")["endpoints"] == 1, "found")
        say(router, 4)
        until(lambda: counts["one"] == 4, "four")
        asked = dns.asked[NAME, SRV]
        for i in range(3):
            router.write(router.config + f"routes: {{r{i}: {{match: {{type: com.example.other}}, to: far}}}}\n")
            same(router.http("POST", "/api/v1/reload", port=router.admin).status, 200, "reload")
            say(router, 2)
            same(router.system("far")["endpoints"], 1, "it is still there")
        until(lambda: counts["one"] == 10, "all")
        same(dns.asked[NAME, SRV], asked, "nobody was asked again")
        router.write(router.head + config_of(f'url: "http://127.0.0.1:{one.port}/in"'))
        router.http("POST", "/api/v1/reload", port=router.admin)
        until(lambda: found(router) == 0, "written down now")
        say(router, 1)
        until(lambda: counts["one"] == 11, "it gets that, too")
    dns.close()
    one.close()


@case
def who_says_that_it_is_busy_gets_less():
    counts = collections.Counter()
    one, two = counting("one", counts), counting("two", counts)
    with Router(config_of(f'endpoints: {{one: "http://127.0.0.1:{one.port}/", two: "http://127.0.0.1:{two.port}/"}}')) as router:
        beat = event("heartbeat", "com.example.beat", {"load": 1.0}, subject="one", source="/systems/far")
        same(router.post(beat).status, 202, "a heartbeat")
        say(router, 2)
        time.sleep(0.2)
        counts.clear()
        say(router, 80)
        until(lambda: sum(counts.values()) == 80, f"all arrive: {counts}")
        true(counts["one"] * 4 < counts["two"], f"the busy one gets less: {counts}")
        same(router.post(dict(beat, id="b2", subject="two", data={"load": 1.0, "capacity": 1})).status, 202, "now both are")
        counts.clear()
        say(router, 40)
        until(lambda: sum(counts.values()) == 40, f"all arrive: {counts}")
        true(counts["one"] > 5, f"so they are alike: {counts}")
    one.close()
    two.close()


REGISTER = "register: {lease: 60s}, slow_start: {over: 0s}"


def put(router, name, more="", url=None, system="far", port=None):
    body = '{"url": "%s"%s}' % (url or f"http://127.0.0.1:{port}/in", more)
    answer = router.http("PUT", f"/api/v1/systems/{system}/endpoints/{name}", body, port=router.admin, Content_Type="application/json")
    return answer.status, json.loads(answer.body)


@case
def who_registers_is_an_endpoint_until_it_unregisters():
    counts = collections.Counter()
    one, two = counting("one", counts), counting("two", counts)
    with Router(config_of(REGISTER)) as router:
        say(router, 3)
        status, told = put(router, "one", ', "zone": "a", "weight": 3, "tier": 1', port=one.port)
        same((status, told["origin"], told["weight"], told["tier"], told["zone"]), (200, "registered", 3, 1, "a"), "registered")
        until(lambda: counts["one"] == 3, "what was held arrives")
        same(put(router, "two", port=two.port)[0], 200, "another")
        until(lambda: (say(router, 2), counts["two"] > 5)[1], "the first tier has it")
        listed = [endpoint["name"] for endpoint in router.system("far")["endpoint_list"]]
        same(sorted(listed), ["one", "two"], "listed")
        same(found(router, "registered"), 2, "counted")
        same(put(router, "two", ', "weight": 7', port=two.port)[1]["weight"], 7, "said again with another weight")
        gone = router.http("DELETE", "/api/v1/systems/far/endpoints/two", port=router.admin)
        same((gone.status, json.loads(gone.body)), (200, {"state": "removed"}), "removed")
        counts.clear()
        say(router, 5)
        until(lambda: counts["one"] == 5, f"all to the other: {counts}")
        same(router.http("DELETE", "/api/v1/systems/far/endpoints/two", port=router.admin).status, 404, "it isn't there any more")
    one.close()
    two.close()


@case
def a_lease_lapses_unless_it_is_renewed():
    counts = collections.Counter()
    one, two = counting("one", counts), counting("two", counts)
    with Router(config_of(REGISTER)) as router:
        put(router, "one", ', "lease": "2s"', port=one.port)
        put(router, "two", ', "lease": "2s"', port=two.port)
        until(lambda: (put(router, "one", ', "lease": "2s"', port=one.port), found(router, "registered") == 1)[1], "the other lapsed", 20)
        true('"registration lapsed"' in router.log(), "the log says so")
        counts.clear()
        say(router, 5)
        until(lambda: counts["one"] == 5, f"all to who renews: {counts}")
    one.close()
    two.close()


@case
def a_registration_survives_a_reload():
    counts = collections.Counter()
    one = counting("one", counts)
    with Router(config_of(REGISTER)) as router:
        put(router, "one", port=one.port)
        say(router, 2)
        router.write(router.config + "routes: {r: {match: {type: com.example.other}, to: far}}\n")
        same(router.http("POST", "/api/v1/reload", port=router.admin).status, 200, "reload")
        same(router.system("far")["endpoints"], 1, "it is still there")
        say(router, 2)
        until(lambda: counts["one"] == 4, "all four")
        router.write(router.head + config_of("accept: true"))
        same(router.http("POST", "/api/v1/reload", port=router.admin).status, 200, "reload")
        same(router.system("far")["endpoints"], 0, "nobody may register any more")
        status, told = put(router, "one", port=one.port)
        same((status, told["reason"]), (403, "forbidden"), "nor does it")
    one.close()


@case
def what_a_configuration_would_refuse_is_refused_in_its_words():
    config = """
workers: 2
listeners: {web: {url: http://127.0.0.1:0, anonymous: true}}
systems:
  far: {register: {lease: 30s}, url: "http://127.0.0.1:9/"}
  signed: {register: {lease: 30s}, auth: key}
  web: {register: {lease: 30s}, health: {type: http}}
  none: {accept: true}
security: {credentials: {key: {bearer: "${KEY}"}}}
"""
    with Router(config, environment={"KEY": "secret"}) as router:
        def refused(words, code=400, name="e", more="", url="http://127.0.0.1:1/", system="far"):
            status, told = put(router, name, more, url, system)
            same(status, code, f"{url} {more}")
            true(words in told["detail"], f"{told['detail']}: {words}")

        refused("did you mean `http`?", url="htp://127.0.0.1:1/")
        refused("is no host", url="http://a b/")
        refused("not supported yet", url="kafka://h:9092")
        refused("no port", url="http://h:99999/")
        refused("user and password", url="http://u:p@h/")
        refused("in clear text", url="http://h.example/", system="signed")
        refused("can't be shown on tcp", url="tcp://127.0.0.1:9", system="signed")
        refused("of the configuration has that name", code=409, name="main")
        refused("of the configuration has that url", code=409, url="http://127.0.0.1:9/")
        refused("has no `register`", code=403, system="none")
        refused("no system `nobody`", code=404, system="nobody")
        refused("`lease` is at most 30000 ms", more=', "lease": "31s"')
        refused("`lease` is a duration", more=', "lease": "31"')
        refused("`tier` is a whole", more=', "tier": 101')
        refused("write {", more=', "state": "up"')
        refused("write {", more=', "other": 1')
        refused("Upper", name="Upper")
        if REPLAY:  # an input log would hold keys
            refused("none can be with TLS", code=501, url="https://h.example/")
            return
        same(put(router, "e", url="https://h.example/")[0], 200, "TLS, where nothing else has it")
        same(put(router, "f", url="https://h.example/")[0], 409, "the same again under another name")
        same(found(router, "registered"), 1, "one")


@case
def so_many_may_register():
    with Router(config_of(REGISTER)) as router:
        for i in range(256):
            same(put(router, f"e{i}", port=1 + i)[0], 200, f"number {i}")
        status, told = put(router, "one-more", port=1000)
        same((status, told["reason"]), (503, "overloaded"), "one more")
        same(put(router, "e7", port=1000)[0], 200, "who is there may say it again")
        same(router.system("far")["endpoints"], 256, "so many")


if __name__ == "__main__":
    main()
