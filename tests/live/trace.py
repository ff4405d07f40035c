#!/usr/bin/env python3
"""What became of a message, as `intertie trace` and the admin API tell it: queries, retries, expiry, dead letters, refusals,
several workers. Prints TAP."""
import datetime
import http.server
import json
import urllib.parse

from kit import HttpSystem, LineSystem, Router, case, event, main, reply_to, same, true, until

PRICING = "com.example.price.get"


def receipt_of(reply):
    return reply.getheader("Intertie-Id")


def ask(router, message):
    return router.http("GET", "/api/v1/messages/" + urllib.parse.quote(message, safe=""), port=router.admin)


def story(router, message, last="ended"):
    """The steps of the one message of that id, when `last` is among them."""
    def look():
        answer = ask(router, message)
        if answer.status != 200:
            return None
        messages = json.loads(answer.body)["messages"]
        same(len(messages), 1, "messages of that id")
        return messages[0] if last in [step["step"] for step in messages[0]["steps"]] else None
    return until(look, f"{message} with {last}")


def names(message):
    return [step["step"] for step in message["steps"]]


def step(message, name, index=0):
    return [one for one in message["steps"] if one["step"] == name][index]


@case
def a_query_from_http_to_tcp_is_told_from_end_to_end():
    pricing = LineSystem(lambda got: reply_to(got, {"eur": 9.5}))
    with Router(f"""
workers: 2
listeners: {{web: http://127.0.0.1:0}}
systems: {{pricing: tcp://127.0.0.1:{pricing.port}}}
""") as router:
        query = event("query", PRICING, {"sku": "A-1"}, target="pricing")
        same(router.post(query).status, 200, "answered")
        told = story(router, query["id"])
        same([name for name in names(told) if name not in ("queued", "allowed", "handed")], ["received", "routed", "sent", "answered", "ended"])
        same(step(told, "received")["listener"], "web")
        true(step(told, "received")["peer"].startswith("127.0.0.1:"), "its peer")
        same((told["type"], told["kind"], told["event_id"], told["source"]), (PRICING, "query", query["id"], "/tests"))
        same(step(told, "sent")["endpoint"].split("/")[0], "pricing")
        same((step(told, "ended")["ending"], step(told, "ended")["reason"]), ("replied", "ok"))
        times = [one["after_us"] for one in told["steps"]]
        same(times, sorted(times), "in their order")
        shown = router.intertie("trace", told["id"])
        same(shown.returncode, 0, shown.stderr)
        lines = shown.stdout.splitlines()
        same([line.split()[2] for line in (lines[0], lines[-1])], ["received", "replied"], shown.stdout)
        true("listener web  127.0.0.1:" in lines[0] and f"query {PRICING}" in lines[0], shown.stdout)
        same(json.loads(router.intertie("trace", query["id"], "--json").stdout)["messages"][0]["id"], told["id"])
    pricing.close()


@case
def no_reply_in_time_and_what_the_sender_was_told():
    silent = LineSystem()
    with Router(f"""
listeners: {{web: http://127.0.0.1:0}}
systems: {{pricing: {{url: tcp://127.0.0.1:{silent.port}, timeouts: {{request: 200ms}}}}}}
""") as router:
        reply = router.post(event("query", PRICING, {}, target="pricing"))
        same(reply.status, 504)
        receipt = json.loads(reply.body)["id"]
        ended = step(story(router, receipt), "ended")
        same((ended["ending"], ended["reason"], ended["code"]), ("expired", "reply-timeout", 504))
        true(ended["duration_us"] >= 200000, "its time")
        shown = router.intertie("trace", receipt).stdout
        true("expired" in shown and "reply-timeout, sender told 504" in shown, shown)
    silent.close()


@case
def attempts_that_fail_and_a_dead_letter():
    class Busy(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b"database is \x1b[31mdown"
            self.send_response(503)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    busy = HttpSystem(Busy)
    with Router(f"""
listeners: {{web: http://127.0.0.1:0}}
systems: {{billing: {{url: http://127.0.0.1:{busy.port}/, redeliver: {{attempts: 3, backoff: 10ms..20ms}}}}}}
""") as router:
        receipts = []
        for _ in range(3):
            receipts.append(receipt_of(router.post(event("event", "com.example.bill", {}, target="billing"))))
        for receipt in receipts:
            told = story(router, receipt)
            failed = [one for one in told["steps"] if one["step"] == "failed"]
            same([one["attempt"] for one in failed], [1, 2, 3])
            same([one["code"] for one in failed], [503] * 3)
            same(["next_ms" in one for one in failed], [True, True, False], "the last has none after it")
            same((step(told, "ended")["ending"], step(told, "ended")["reason"]), ("dead", "retries-exhausted"))
        shown = router.intertie("trace", receipts[0]).stdout
        true("attempt 1" in shown and "503" in shown and "again in" in shown, shown)
        true("\x1b" not in shown, "no byte of the recipient steers the terminal")
    busy.close()


@case
def one_connection_is_sampled_and_what_fails_is_kept():
    sink = LineSystem()
    with Router(f"""
workers: 1
listeners: {{web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0}}
systems: {{lamp: tcp://127.0.0.1:{sink.port}, gone: {{accept: true}}}}
""") as router:
        lines = router.lines()
        events = [event("event", "com.example.tick", {"n": n}, target="lamp") for n in range(600)]
        for one in events:
            lines.send(one)
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=300)
        late = event("event", "com.example.tick", {}, target="gone", expirytime=soon.isoformat())
        lines.send(late)
        until(lambda: len(sink.got) == 600, "all arrived")
        kept = [one["id"] for one in events if ask(router, one["id"]).status == 200]
        same(len(kept), 3, "the first, and one in 256")
        same(kept[0], events[0]["id"])
        told = story(router, late["id"])
        same((step(told, "ended")["ending"], step(told, "received")["late"]), ("expired", True))
        metrics = until(lambda: (lambda text: text if "intertie_trace_records_total 0" not in text else None)(
            router.http("GET", "/metrics", port=router.admin).body.decode()), "records are counted")
        true("intertie_trace_records_total " in metrics, metrics)
        true('intertie_trace_records_lost_total{reason="overwritten"} 0' in metrics, metrics)
        missing = router.intertie("trace", events[1]["id"])
        same(missing.returncode, 4)
        true("trace: all" in missing.stderr, missing.stderr)
        lines.close()
    sink.close()


@case
def a_route_with_all_of_them_and_reload():
    sink = LineSystem()
    config = f"""
workers: 1
listeners: {{web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0}}
systems: {{lamp: tcp://127.0.0.1:{sink.port}}}
routes: {{ticks: {{match: {{type: com.example.tick}}, to: lamp, trace: all}}}}
"""
    with Router(config) as router:
        lines = router.lines()
        events = [event("event", "com.example.tick", {"n": n}) for n in range(50)]
        for one in events:
            lines.send(one)
        until(lambda: len(sink.got) == 50, "all arrived")
        for one in events:
            told = story(router, one["id"])
            same(step(told, "routed")["route"], "ticks")
            same(step(told, "ended")["ending"], "delivered")
        router.write(router.config + "telemetry: {trace_ring: 0B}\n")
        done = router.intertie("reload", "--dry-run")
        true("~ telemetry" in done.stdout, done.stdout)
        same(router.intertie("reload").returncode, 0)
        missing = ask(router, events[49]["id"])
        same(missing.status, 404)
        true(b"telemetry.trace_ring" in missing.body, missing.body)
        router.write(router.config)
        same(router.intertie("reload").returncode, 0)
        again = event("event", "com.example.tick", {})
        lines.send(again)
        same(names(story(router, again["id"]))[0], "received")
        lines.close()
    sink.close()


@case
def what_was_refused_and_why():
    with Router("""
listeners: {web: http://127.0.0.1:0}
systems: {desk: {accept: true}}
""") as router:
        reply = router.post(event("event", "com.example.x", {}, target="dsek"))
        same(reply.status, 404)
        told = story(router, json.loads(reply.body)["id"])
        ended = step(told, "ended")
        same((ended["ending"], ended["reason"]), ("rejected", "unknown-target"))
        true("did you mean `desk`" in ended["detail"], ended)


@case
def a_message_that_another_worker_sends_has_one_story():
    with Router("""
workers: 4
listeners: {web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0}
systems: {desk: {accept: true}}
""") as router:
        desk = router.lines()
        desk.control("hello", system="desk")
        handed = 0
        for n in range(40):
            sent = event("event", "com.example.x", {"n": n}, target="desk")
            receipt = receipt_of(router.post(sent))
            same(desk.read()["id"], sent["id"])
            told = story(router, receipt)
            same(step(told, "ended")["ending"], "delivered")
            same(step(told, "sent")["endpoint"], "desk")
            if "handed" in names(told):
                handed += 1
                same(step(told, "sent")["worker"], step(told, "handed")["to_worker"])
                true(step(told, "received")["worker"] != step(told, "sent")["worker"], "another worker")
        true(handed > 0, "some came in elsewhere")
        desk.close()


@case
def ids_that_are_none():
    with Router("""
listeners: {web: http://127.0.0.1:0}
systems: {desk: {accept: true}}
""") as router:
        same(ask(router, "never").status, 404)
        same(ask(router, "x" * 2000).status, 404)
        old = ask(router, "00000000-0000-7000-8000-000000000001")
        same(old.status, 404)
        odd = event("query", "com.example.x", {}, id="a/b c%2F?é", target="nobody")
        same(router.post(odd).status, 404)
        same(names(story(router, odd["id"]))[-1], "ended")
        same(router.intertie("trace", odd["id"]).returncode, 0)
        same(router.intertie("trace").returncode, 2)
        same(router.http("POST", "/api/v1/messages/x", port=router.admin).status, 405)


main()
