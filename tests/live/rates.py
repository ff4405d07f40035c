#!/usr/bin/env python3
"""Rates over every wire, with one worker and with several: curl, raw sockets and WebSocket; together never more than one limit."""
import hashlib
import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

import websocket
from kit import Router, Skip, case, cases, event, main, same, true, until
from stream_kit import ACK, Client

cases.clear()  # those of websocket.py run there

KEYS = {name: "itk_" + name + "a" * 39 for name in ("desk", "shop")}


def hashed(name):
    return "sha256:" + hashlib.sha256(KEYS[name].encode()).hexdigest()


def config(web="", stream="", udp="", workers=1, system="", more=""):
    return f"""
workers: {workers}
listeners:
  web: {{url: "http://127.0.0.1:0", anonymous: true{web}}}
  stream: {{url: "tcp://127.0.0.1:0", anonymous: true{stream}}}
  air: {{url: "udp://127.0.0.1:0", anonymous: true{udp}}}
systems:
  sink: {{accept: true{system}}}
  desk: {{}}
  crm: {{}}
  shop: {{}}
{more}
security:
  identities:
    desk: {{system: desk, keys: {{a: {{hash: "{hashed('desk')}"}}}}, allow: [send system/*], rate: {{messages: 2/m, burst: 2}}}}
    shop: {{system: shop, keys: {{a: {{hash: "{hashed('shop')}"}}}}, allow: [send system/*]}}
"""


def message(number=0, data="x", **more):
    return event("event", "com.example.t", data, target="sink", id=f"m{number}", **more)


def send(router, source="/tests", **headers):
    return router.post(message(source=source), **headers)


def held(router):
    return router.system("sink")["held"]


def limited(router, what):
    text = router.http("GET", "/metrics", port=router.admin).body.decode()
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in text.splitlines()
               if line.startswith("intertie_limits_reached_total{") and f'limit="{what}"' in line)


@case
def http_answers_tell_what_is_left_and_when_to_come_again():
    with Router(config(web=", rate: {messages: 30/m, burst: 3}")) as router:
        answer = send(router)
        same(answer.status, 202, "within")
        same(answer.getheader("RateLimit-Policy"), '"listener";q=3;w=6', "the policy")
        same(answer.getheader("RateLimit"), '"listener";r=2;t=2', "what is left")
        same([send(router).status for _ in range(2)], [202, 202], "the burst")
        answer = send(router)
        same(answer.status, 429, "one past")
        true(answer.getheader("RateLimit").startswith('"listener";r=0;t='), "nothing is left")
        wait = int(answer.getheader("Retry-After"))
        true(1 <= wait <= 2, f"Retry-After {wait}")
        same(answer.getheader("RateLimit"), f'"listener";r=0;t={wait}', "both name the same time")
        problem = json.loads(answer.body)
        same((problem["reason"], problem["status"]), ("rate-limited", 429), "the document")
        same(router.ended("rejected", "rate-limited"), 1, "counted by reason")
        until(lambda: limited(router, "listeners.rate") == 1, "and by limit")
        true("rate-limited" in router.log(), "the log tells")
        time.sleep(wait)
        same(send(router).status, 202, "as it was told")
        same(held(router), 4, "what was accepted is there")


@case
def curl_obeys_it():
    if not shutil.which("curl"):
        raise Skip("no curl here")
    with Router(config(web=", rate: {messages: 1/s}")) as router:
        for _ in range(2):
            done = subprocess.run(["curl", "-sS", "-o", os.path.join(router.folder.name, "answer"), "-w", "%{http_code}", "--retry", "3", "-d", "x", "-H",
                                   "Content-Type: text/plain", f"http://127.0.0.1:{router.ports['web']}/v1/systems/sink/messages"],
                                  capture_output=True, text=True, timeout=30)
            same(done.stdout, "202", "the last code, after retries: " + done.stderr)


@case
def an_identity_has_its_own_wherever_it_comes_in():
    with Router(config()) as router:
        answers = [send(router, "/systems/desk", Authorization=f"Bearer {KEYS['desk']}") for _ in range(3)]
        same([answer.status for answer in answers], [202, 202, 429], "desk")
        true(answers[0].getheader("RateLimit").startswith('"identity";r=1;t=3'), "it is told")
        codes = [send(router, "/systems/shop", Authorization=f"Bearer {KEYS['shop']}").status for _ in range(3)]
        same(codes, [202] * 3, "shop has none")
        until(lambda: limited(router, "security.identities.rate") == 1, "counted")


@case
def the_same_holds_on_every_wire():
    rate = ", rate: {messages: 6/m, burst: 3}"
    with Router(config(web=rate, stream=rate, udp=rate)) as router:
        line = router.lines()
        for number in range(4):
            line.send(message(number))
        got = line.read()
        same((got["data"]["reason"], got["data"]["status"]), ("rate-limited", 429), "JSON lines")
        line.close()
        peer = websocket.join(router)
        for number in range(4):
            peer.send(message(number))
        same(peer.event()["data"]["reason"], "rate-limited", "WebSocket")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as air:
            for number in range(5):
                air.sendto(json.dumps(message(number)).encode(), ("127.0.0.1", router.ports["air"]))
        until(lambda: held(router) == 9, "three by each")
        until(lambda: router.ended("rejected", "rate-limited") == 4, "the others are counted, datagrams too")


def read_acks(payload, outcomes):
    upto, count, _ = struct.unpack(">QHH", payload[:12])
    for seq in range(1, upto + 1):
        outcomes.setdefault(seq, (0, 0, 0))
    for at in range(12, 12 + 16 * count, 16):
        seq, outcome, _, code, retry = struct.unpack(">QBBHI", payload[at:at + 16])
        outcomes[seq] = (outcome, code, retry)


@case
def stream_v1_is_told_to_come_again():
    with Router(config(stream=", rate: {messages: 6/m, burst: 2}")) as router:
        client = Client(router.ports["stream"])
        client.connect()
        for number in range(1, 4):
            client.send(message(number))
        outcomes = {}
        while len(outcomes) < 3:
            kind, _, payload = client.next()
            if kind == ACK:
                read_acks(payload, outcomes)
        same([outcomes[n][0] for n in (1, 2)], [0, 0], "accepted")
        same(outcomes[3][:2], (2, 109), "retry, rate-limited")
        true(0 < outcomes[3][2] <= 10_000, f"after {outcomes[3][2]} ms")
        client.peer.close()


def together(router, connections, each, gap=0.0):
    """So many connections, each sends so many; the codes."""
    codes, lock = [], threading.Lock()

    def work():
        peer = http.client.HTTPConnection("127.0.0.1", router.ports["web"], timeout=30)
        for _ in range(each):
            peer.request("POST", "/v1/messages", json.dumps(message()), {"Content-Type": "application/cloudevents+json"})
            reply = peer.getresponse()
            reply.read()
            with lock:
                codes.append(reply.status)
            time.sleep(gap)
        peer.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


@case
def workers_together_let_pass_one_burst():
    for workers in (1, 2, 4):
        with Router(config(web=", rate: {messages: 6/m, burst: 20}", workers=workers)) as router:
            start = time.monotonic()
            codes = together(router, 16, 5)
            passed = codes.count(202)
            most = 20 + int((time.monotonic() - start) / 10)
            same(passed + codes.count(429), 80, "nothing else")
            true(20 <= passed <= most, f"{passed} of at most {most} passed with {workers} workers")
            same(held(router), passed, "and no more is there")


@case
def what_is_below_the_limit_is_never_refused():
    for workers in (2, 4):
        with Router(config(web=", rate: {messages: 1000/s, burst: 400}", workers=workers)) as router:
            codes = together(router, 16, 20)
            same(codes.count(202), 320, f"with {workers} workers")


@case
def over_a_while_it_is_the_rate():
    with Router(config(web=", rate: {messages: 50/s, burst: 10}", workers=3)) as router:
        start = time.monotonic()
        codes = together(router, 12, 40, 0.02)
        seconds = time.monotonic() - start
        passed, most = codes.count(202), 10 + 50 * seconds
        true(passed <= most, f"{passed} passed in {seconds:.2f} s, {most:.0f} may")
        true(passed >= 0.5 * min(len(codes), most), f"only {passed} of {len(codes)} passed in {seconds:.2f} s")


@case
def a_route_and_a_system_have_theirs():
    more = "routes: {r: {match: {type: com.example.r}, to: sink, rate: {messages: 2/m, burst: 2}}}"
    with Router(config(system=", rate: {messages: 3/m, burst: 3}", more=more)) as router:
        answers = [router.post(event("event", "com.example.r", 1)) for _ in range(3)]
        same([answer.status for answer in answers], [202, 202, 429], "by the route")
        true('"route";q=2' in answers[2].getheader("RateLimit-Policy"), "which says so")
        answers = [send(router) for _ in range(2)]
        same([answer.status for answer in answers], [202, 429], "by its target")
        true('"system";q=3' in answers[1].getheader("RateLimit-Policy"), "which says so")


@case
def a_reload_keeps_what_was_used():
    with Router(config(web=", rate: {messages: 6/m, burst: 3}", workers=2)) as router:
        with open(router.path, encoding="utf-8") as file:
            text = file.read()
        same([send(router).status for _ in range(3)], [202] * 3, "the burst")
        router.write(text.replace("sink: {accept: true", "sink: {accept: true, limits: {in_flight: 7}"))
        done = router.intertie("reload")
        same(done.returncode, 0, "reload: " + done.stdout + done.stderr)
        same(send(router).status, 429, "still used up")
        router.write(text.replace("burst: 3", "burst: 4"))
        done = router.intertie("reload")
        same(done.returncode, 0, "reload: " + done.stdout + done.stderr)
        same(send(router).status, 202, "another limit begins anew")


@case
def bytes_are_counted_too():
    with Router(config(web=", rate: {bytes: 10kB/s}", workers=2)) as router:
        same(router.post(message(data="x" * 12_000)).status, 413, "it would never pass")
        same([router.post(message(data="x" * 4_000)).status for _ in range(3)][:2], [202, 202], "two have room")
        answer = [router.post(message(data="x" * 9_000)) for _ in range(2)][1]
        same(answer.status, 429, "then there is none")
        true('"listener-bytes";q=10000;w=1;qu="content-bytes"' in answer.getheader("RateLimit-Policy"), "in bytes")


if __name__ == "__main__":
    main()
