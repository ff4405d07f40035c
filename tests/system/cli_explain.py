#!/usr/bin/env python3
"""explain: what it tells from the configuration alone, and that a running router then does so. Prints TAP."""
from cli_kit import Folder, Lines, Router, case, equal, intertie, main, matches, reply_to, until

CONFIG = """listeners: {web: http://127.0.0.1:0, keyed: {url: http://127.0.0.1:0, auth: key}, small: {url: http://127.0.0.1:0, limits: {message: 1KiB}}}
policies:
  default: {timeouts: {connect: 4s}}
  fast: {timeouts: {attempt: 500ms}}
systems:
  catalog: {url: https://catalog.example/v2, format: rest, rest: {query: "GET /products/{subject}"}}
  crm: {accept: true, source: /crm}
  lamp: udp://127.0.0.1:7102
  desk: {accept: true}
routes:
  invoices: {match: {type: com.acme.invoice.*}, to: desk}
  orders: {match: {type: com.acme.*}, when: tenant = 'acme', to: desk}
  prices: {match: {type: com.acme.price.*, from: crm}, policy: fast, timeouts: {request: 2s}, to: catalog}
  alarms: {match: {type: com.example.alarm.*}, to: [lamp, desk]}
extensions: {tenant: string}
security: {identities: {crm-app: {system: crm, keys: {main: {hash: "sha256:%s"}}, allow: [call type/com.acme.*]}}}
""" % ("0123456789abcdef" * 4)
PRICE = ["--type", "com.acme.price.get", "--kind", "query"]


def explain(*arguments, config=CONFIG):
    with Folder({"gw.yaml": config}) as folder:
        return intertie("explain", "-c", "gw.yaml", *arguments, cwd=folder.path)


@case
def the_route_its_line_and_why_not_those_before_it():
    done = explain(*PRICE, "--from", "crm", "--subject", "A-1").exits(0)
    matches(done.out, r"^sender    crm  as identity crm-app  priority 2$")
    matches(done.out, r"^route     prices  gw\.yaml:13  \(not invoices: type; orders: when fails: missingAttribute\)$")
    matches(done.out, r"^send to   catalog$")
    matches(done.out, r"^endpoint  catalog/main  https://catalog\.example/v2  GET /v2/products/A-1$")
    equal(done.err, "")
    matches(explain(*PRICE, "--from", "crm", "--attr", "tenant=other", "--subject", "1").out, r"orders: when is false\)$")


@case
def each_value_has_its_origin_the_nearest_first():
    done = explain(*PRICE, "--from", "crm", "--subject", "A-1").exits(0)
    matches(done.out, r"^applies   timeouts\.request 2s \(routes\.prices\); timeouts\.attempt 500ms \(policies\.fast\); "
                      r"timeouts\.connect 4s \(policies\.default\); .*retry\.attempts 3.* \(built in\)$")
    values = explain(*PRICE, "--from", "crm", "--subject", "A-1", "--json").exits(0).json()["targets"][0]["values"]
    equal(values["timeouts.request"], {"value": "2s", "origin": "routes.prices"})
    equal(values["limits.in_flight"], {"value": "1024", "origin": "built in"})
    assert "redeliver.attempts" not in values, "nobody waits for a query again"
    values = explain("--type", "com.example.alarm.x", "--set", "systems/lamp/limits/in_flight=7", "--json").exits(0).json()["targets"][0]["values"]
    equal(values["limits.in_flight"], {"value": "7", "origin": "systems.lamp"})
    equal(values["redeliver.attempts"], {"value": "20", "origin": "built in"})


@case
def what_would_be_refused_exits_4_with_its_reason():
    for reason, arguments in {
            "no-route": ["--type", "zzz"],
            "unknown-target": ["--type", "a", "--to", "nobody"],
            "many-targets": ["--type", "com.example.alarm.x", "--kind", "query"],
            "template-missing": [*PRICE, "--from", "crm"],
            "forbidden": ["--type", "com.acme.invoice.x", "--from", "crm"],
            "source-not-allowed": [*PRICE, "--from", "crm", "--source", "/systems/desk"],
            "unauthenticated": ["--type", "com.example.alarm.x", "--listener", "keyed"],
            "too-large": ["--type", "com.example.alarm.x", "--listener", "small", "--data", "x" * 1100],
            "expired": ["--type", "com.example.alarm.x", "--ttl", "0s"]}.items():
        done = explain(*arguments).exits(4)
        matches(done.err, rf"\Aintertie: would be refused \({reason}\)", reason)
        matches(done.out, r"^route     ", reason)
        document = explain(*arguments, "--json").exits(4)
        equal((document.json()["status"], document.json()["reason"], document.err), ("refused", reason, ""))


@case
def the_template_that_cant_be_filled_is_shown_as_written():
    matches(explain(*PRICE, "--from", "crm").out, r"GET /v2/products/\{subject\}: would end there \(template-missing\)$")


@case
def one_document_has_all_of_it():
    document = explain("--type", "com.example.alarm.x", "--json").exits(0).json()
    equal((document["status"], document["reason"], document["from"], document["identity"]), ("accepted", None, None, None))
    equal(document["route"], {"name": "alarms", "file": "gw.yaml", "line": 14})
    equal([(n["name"], n["why"]) for n in document["not"]], [("invoices", "type"), ("orders", "type, when fails: missingAttribute"),
                                                              ("prices", "type, from")])
    equal([t["system"] for t in document["targets"]], ["lamp", "desk"])
    equal(document["targets"][0]["endpoints"][0]["url"], "udp://127.0.0.1:7102")
    equal((document["targets"][1]["accept"], document["subscriptions"]), (True, True))


@case
def names_that_nobody_has_are_usage_and_a_wrong_file_is_78():
    matches(explain("--type", "a", "--from", "nobody").exits(2).err, "no system `nobody`")
    matches(explain("--type", "a", "--listener", "nobody").exits(2).err, "no listener `nobody`")
    matches(explain("--type", "a", "--as", "crm", "--from", "desk").exits(2).err, "two systems")
    matches(explain().exits(2).err, "--type is missing")
    explain("--type", "a", config="systems: {a: {nonsense: 1}}\n").exits(78)
    with Folder() as folder:
        intertie("explain", "--type", "a", cwd=folder.path).exits(78)


@case
def a_router_then_does_what_was_told():
    with Lines(lambda event: reply_to(event, {})) as one, Lines(lambda event: reply_to(event, {})) as two, Router(f"""
listeners: {{web: {{url: http://127.0.0.1:0, limits: {{message: 2KiB}}}}}}
systems: {{one: {one.url}, two: {two.url}, mute: {{source: /mute}}, raw: {{url: {one.url}, format: raw}}, crm: {{accept: true}}}}
routes:
  first: {{match: {{type: a.*, priority: 4..5}}, to: one}}
  from: {{match: {{from: two}}, to: one}}
  when: {{match: {{type: a.*}}, when: subject = 'x', to: two}}
  both: {{match: {{type: a.*}}, to: [one, two]}}
security: {{identities: {{app: {{system: crm, keys: {{main: {{hash: "sha256:{'0123456789abcdef' * 4}"}}}}, allow: [send type/a]}}}}}}
""") as router:
        for arguments in (["--type", "a.b"], ["--type", "a.b", "--priority", "5"], ["--type", "a.b", "--subject", "x"], ["--type", "zzz"],
                          ["--type", "zzz", "--source", "/systems/two"], ["--type", "x", "--to", "two"], ["--type", "x", "--to", "nobody"],
                          ["--type", "x", "--to", "mute"], ["--type", "a.b", "--kind", "query"], ["--type", "x", "--to", "raw", "--kind", "query"],
                          ["--type", "a.b", "--source", "/systems/crm"], ["--type", "a.b", "--data", "x" * 2100], ["--type", "a.b", "--ttl", "0s"],
                          ["--type", "a.b", "--attr", "replyto=http://a.example/"]):
            told = router("explain", *arguments, "--listener", "web", "--json")
            before = len(one.seen), len(two.seen)
            done = router("send", *arguments, "--url", router.url("http"), "--json")
            equal(done.code, told.code, arguments)
            equal(done.json().get("reason"), told.json()["reason"], arguments)
            if done.code == 0:
                wanted = [t["system"] for t in told.json()["targets"]]
                for name, system, count in (("one", one, before[0]), ("two", two, before[1])):
                    until(lambda system=system, count=count, name=name: len(system.seen) == count + (name in wanted), f"{arguments} at {name}")


@case
def the_rates_that_it_would_meet():
    config = """
listeners: {web: {url: "http://127.0.0.1:8080", rate: {messages: 200/s, burst: 400, by: address}}}
systems: {crm: {}, billing: {url: "http://127.0.0.1:9000", rate: {bytes: 1000B/s}}, other: {accept: true, rate: {messages: 1/s}}}
routes: {orders: {match: {type: com.acme.*}, to: billing, rate: {messages: 600/m}}}
"""
    wanted = ["listener web  200/s, 400 at once  by address", "route orders  10/s, 10 at once  by all", "system billing  1000B/s, 1000B at once  by all"]
    done = explain("--type", "com.acme.order", "--listener", "web", config=config).exits(0)
    assert [line[10:] for line in done.out.splitlines() if line.startswith("rate ")] == wanted, done.out
    done = explain("--type", "com.acme.order", "--listener", "web", "--json", config=config).exits(0)
    assert done.json()["rates"] == wanted, done.out
LIVE = """listeners: {{web: http://127.0.0.1:0}}
systems: {{crm: {{accept: true}}, stock: {0}, gone: tcp://127.0.0.1:1}}
routes:
  orders: {{match: {{type: com.acme.order.*}}, to: stock}}
  lost: {{match: {{type: com.acme.lost.*}}, to: gone}}
"""


@case
def the_running_router_tells_the_same_and_how_its_endpoints_are():
    stock = Lines(lambda event: None)
    with Router(LIVE.format(stock.url)) as router:
        sample = ["--type", "com.acme.order.made", "--from", "crm"]
        router("send", "--type", "com.acme.order.made", "--as", "crm").exits(0)
        until(lambda: stock.seen, "the event arrived")
        told = router("explain", "--live", *sample, "--json").exits(0).json()
        endpoint = told["targets"][0]["endpoints"][0]
        assert {"state", "why", "connections", "in_flight"} <= set(endpoint), endpoint
        equal(endpoint["state"], "up")
        offline = router("explain", *sample, "--json").exits(0).json()
        for one in offline["targets"][0]["endpoints"]:
            assert "state" not in one, one
        for key in ("state", "why", "connections", "in_flight"):
            del endpoint[key]
        equal(told, offline)
        text = router("explain", "--live", *sample).exits(0)
        matches(text.out, r"^route     orders  ")
        matches(text.out, r"^endpoint  stock/main  tcp://127\.0\.0\.1:\d+  up, \d+ connected, \d+ in flight$")


@case
def the_running_router_refuses_as_it_would():
    stock = Lines(lambda event: None)
    with Router(LIVE.format(stock.url)) as router:
        done = router("explain", "--live", "--type", "zzz").exits(4)
        matches(done.err, r"would be refused \(no-route\)")
        equal(router("explain", "--live", "--type", "zzz", "--json").exits(4).json()["reason"], "no-route")
        router("explain", "--live", "--type", "zzz", "--from", "nobody").exits(4)
        router("explain", "--live", "--type", "zzz", "--listener", "none").exits(4)
        router("explain", "--live", "--type", "zzz", "--from", "A b").exits(2)
    intertie("explain", "--live", "--type", "zzz", "--admin", "http://127.0.0.1:1").exits(69)


main()
