#!/usr/bin/env python3
"""Keys and identities, metrics, reload, drain, logs."""
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess

from kit import Router, Skip, case, event, main, same, true, until

KEY = "itk_" + "a" * 43
OLD = "itk_" + "b" * 43
OPEN = "listeners: {web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0}\nsystems: {desk: {accept: true}}\n"


def hash_of(key):
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


GUARDED = f"""
listeners: {{web: {{url: http://127.0.0.1:0, auth: key}}, stream: {{url: tcp://127.0.0.1:0}}}}
systems: {{crm: {{accept: true}}, desk: {{accept: true}}, vault: {{accept: true}}}}
security:
  identities:
    crm: {{system: crm, allow: [send system/desk, send type/com.acme.*], deny: send type/com.acme.secret.*, max_priority: 3,
          keys: {{now: {{hash: "{hash_of(KEY)}"}}, old: {{hash: "{hash_of(OLD)}", expires: 2020-01-01}}}}}}
"""


@case
def a_key_opens_what_it_may_and_nothing_else():
    with Router(GUARDED) as r:
        def post(key, **more):
            made = event("event", "com.acme.note", {}, **{"source": "/systems/crm", "target": "desk", **more})
            headers = {"Authorization": "Bearer " + key} if key else {}
            return r.post(made, **headers)
        reply = post(None)
        same((reply.status, json.loads(reply.body)["reason"]), (401, "unauthenticated"), "no key")
        true(reply.getheader("WWW-Authenticate").startswith("Bearer"), "WWW-Authenticate")
        same(post("itk_" + "x" * 43).status, 401, "a wrong key")
        same(post(OLD).status, 401, "an expired key")
        same(post(KEY, priority=5).status, 202, "may send to desk")
        reply = post(KEY, target="vault")
        same((reply.status, json.loads(reply.body)["reason"]), (403, "forbidden"), "not to vault")
        reply = post(KEY, source="/systems/desk")
        same((reply.status, json.loads(reply.body)["reason"]), (403, "source-not-allowed"), "not as desk")
        true("vault" not in post(KEY, target="nowhere").body.decode(), "names are told to those who may know")
        desk = r.lines()
        desk.control("hello", system="desk")
        same(desk.read()["type"], "com.acme.note", "arrived")
        desk.close()


@case
def a_key_counts_for_its_own_request_only():
    """On one kept-alive connection: with the key as crm, then without it as nobody."""
    with Router(GUARDED.replace("http://127.0.0.1:0, auth: key", "http://127.0.0.1:0")) as r:
        connection = http.client.HTTPConnection("127.0.0.1", r.ports["web"], timeout=20)

        def post(key):
            made = event("event", "com.acme.note", {}, source="/systems/crm", target="desk")
            headers = {"Content-Type": "application/cloudevents+json"}
            if key:
                headers["Authorization"] = "Bearer " + key
            connection.request("POST", "/v1/messages", json.dumps(made), headers)
            reply = connection.getresponse()
            reply.read()
            return reply.status
        same([post(KEY), post(None), post(KEY)], [202, 403, 202], "with, without, with")
        connection.close()


@case
def nobody_acts_as_a_system_with_an_identity():
    with Router(GUARDED) as r:
        peer = r.lines()
        peer.send(event("event", "intertie.ctl.hello.v1", {"system": "crm"}))
        got = peer.read()
        same(got["messagetype"], "error", "answer")
        peer.close()
        peer = r.lines()
        peer.control("hello", system="crm", auth={"method": "bearer", "token": KEY})
        peer.close()


@case
def metrics_pass_promtool():
    promtool = shutil.which("promtool")
    if not promtool:
        raise Skip("promtool is not here")
    with Router(OPEN) as r:
        r.post(event("event", "a.b", {}, target="desk"))
        text = r.http("GET", "/metrics", port=r.admin).body
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=30)
        same(done.returncode, 0, done.stderr.decode() + done.stdout.decode())


@case
def counters_count():
    with Router(OPEN) as r:
        r.post(event("event", "a.b", {}, target="desk"))
        r.post(event("event", "a.b", {}))

        def seen():
            text = r.http("GET", "/metrics", port=r.admin).body.decode()
            return 'reason="no-route"} 1' in text and "process_resident_memory_bytes" in text
        until(seen, "the metric")


def metric(router, name):
    """The value of a series, by its name and labels as they are written; None: it isn't there."""
    text = router.http("GET", "/metrics", port=router.admin).body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    return float(found[1]) if found else None


@case
def heartbeats_keys_and_waiting_are_counted():
    with Router(GUARDED) as r:
        beat = event("heartbeat", "com.example.alive", source="/systems/crm")
        same(r.post(beat, Authorization=f"Bearer {KEY}").status, 202, "a heartbeat")
        same(r.post(beat, Authorization="Bearer itk_" + "x" * 43).status, 401, "a wrong key")
        same(r.post(event("event", "a.b", {}, source="/systems/crm", target="desk", priority=3),
                    Authorization=f"Bearer {KEY}").status, 202, "an event for nobody there")
        until(lambda: metric(r, "intertie_heartbeats_total") == 1, "a heartbeat is counted")
        until(lambda: metric(r, 'intertie_authentications_total{method="key",result="refused"}') == 1, "a refused key")
        until(lambda: metric(r, 'intertie_authentications_total{method="key",result="accepted"}') == 2, "accepted keys")
        until(lambda: (metric(r, 'intertie_queue_oldest_age_seconds{system="desk",priority="3"}') or 0) > 0, "an age")
        same(metric(r, 'intertie_queue_oldest_age_seconds{system="desk",priority="2"}'), 0.0, "nothing waits there")
        same(metric(r, "intertie_memory_failures_total"), 0.0, "memory was there")


@case
def reload_takes_good_files_and_only_those():
    with Router(OPEN) as r:
        held = event("event", "a.b", {}, target="desk")
        same(r.post(held).status, 202, "before")
        r.write(r.config.replace("desk: {accept: true}", "desk: {accept: true}, shop: {accept: true}"))
        reply = r.http("POST", "/api/v1/reload?dry_run=true", "", port=r.admin)
        same((reply.status, json.loads(reply.body)["result"]), (200, "dry-run"), "dry run")
        same(len(r.status()["systems"]), 1, "nothing happened")
        same(r.http("POST", "/api/v1/reload", "", port=r.admin).status, 200, "reload")
        until(lambda: len(r.status()["systems"]) == 2, "the new system")
        same(r.system("desk")["held"], 1, "what was held stays")
        r.write(r.config + "nonsense: 1\n")
        reply = r.http("POST", "/api/v1/reload", "", port=r.admin)
        same(reply.status, 422, "a broken file")
        true("unknown key `nonsense`" in json.loads(reply.body)["detail"], reply.body)
        same(r.post(event("event", "a.b", {}, target="shop")).status, 202, "it goes on")
        r.write(r.config)
        r.child.send_signal(signal.SIGHUP)
        until(lambda: len(r.status()["systems"]) == 1, "HUP reloads")


@case
def open_connections_outlive_a_reload():
    with Router(OPEN) as r:
        peer = r.lines()
        peer.control("hello", system="desk")
        r.write(r.config + "limits: {message: 2MiB}\n")
        same(r.http("POST", "/api/v1/reload", "", port=r.admin).status, 200, "reload")
        r.post(event("event", "a.b", {}, target="desk", id="after"))
        same(peer.read()["id"], "after", "the same connection")
        peer.close()


@case
def drain_says_not_ready_and_takes_nothing_new():
    with Router(OPEN) as r:
        same(r.http("GET", "/readyz", port=r.admin).status, 200, "before")
        same(r.http("POST", "/api/v1/drain", "", port=r.admin).status, 202, "drain")
        until(lambda: r.http("GET", "/readyz", port=r.admin).status == 503, "not ready")
        same(r.http("GET", "/livez", port=r.admin).status, 200, "alive")
        done = r.intertie("status")
        same(done.returncode, 1, "status while draining")


@case
def many_idle_connections_are_closed_and_none_is_cut():
    with Router(OPEN, "--set", "workers=2") as r:
        idle = []
        for _ in range(400):
            peer = socket.create_connection(("127.0.0.1", r.ports["web"]), 10)
            peer.settimeout(30)
            idle.append(peer)
        for peer in idle[:50]:  # some were used, some never
            peer.sendall(b"POST /v1/systems/desk/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi")
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += peer.recv(65536)
            true(b" 202 " in answer, answer)
        r.child.send_signal(signal.SIGTERM)
        for peer in idle:
            same(peer.recv(100), b"", "the end, and nothing before it")
            peer.close()
        same(r.child.wait(30), 0, "exit code")


@case
def stop_counts_what_was_held():
    with Router(OPEN) as r:
        r.post(event("event", "a.b", {}, target="desk", id="left"))
        r.child.send_signal(signal.SIGTERM)
        same(r.child.wait(30), 0, "exit code")
        true('"id":"left"' in r.log() and '"reason":"shutdown"' in r.log(), "on record")


@case
def logs_can_be_moved_away():
    with Router(OPEN + "log: {file: here.log, level: debug}\n") as r:
        path = os.path.join(r.folder.name, "here.log")
        until(lambda: os.path.exists(path), "the log")
        os.rename(path, path + ".1")
        r.child.send_signal(signal.SIGUSR1)
        until(lambda: os.path.exists(path), "a new log")
        same(r.http("PUT", "/api/v1/log/level", '{"level":"error"}', port=r.admin, Content_Type="application/json").status, 200,
             "level")
        same(r.http("PUT", "/api/v1/log/level", '{"level":"loud"}', port=r.admin, Content_Type="application/json").status, 400,
             "bad level")
        more = '{"level":"info"} more'
        same(r.http("PUT", "/api/v1/log/level", more, port=r.admin, Content_Type="application/json").status, 400,
             "words after the object")


@case
def a_second_one_of_that_name_is_told():
    with Router(OPEN) as r:
        done = r.intertie("run", r.path)
        same(done.returncode, 1, done.stderr)
        true(f"already running, pid {r.child.pid}" in done.stderr, done.stderr)


@case
def admin_changes_nothing_by_get():
    with Router(OPEN) as r:
        for path in ("/api/v1/reload", "/api/v1/drain", "/api/v1/stop", "/api/v1/log/reopen"):
            same(r.http("GET", path, port=r.admin).status, 405, path)
        for path in ("/livez", "/readyz", "/healthz", "/metrics", "/version", "/api/v1/status", "/api/v1/config",
                     "/api/v1/listeners", "/api/v1/systems", "/api/v1/routes", "/api/v1/connections", "/api/v1/queues"):
            same(r.http("GET", path, port=r.admin).status, 200, path)
        same(r.http("GET", "/api/v1/tap", port=r.admin).status, 501, "later")
        same(r.http("GET", "/api/v1/messages/7", port=r.admin).status, 404, "nobody knows it")
        same(r.http("GET", "/nothing", port=r.admin).status, 404, "unknown")
        same(r.http("GET", "/api/v1/testsuite", port=r.admin).status, 404, "unknown, begins like a later one")


if __name__ == "__main__":
    main()
