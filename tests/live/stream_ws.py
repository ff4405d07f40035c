#!/usr/bin/env python3
"""Stream v1 over WebSocket (`intertie.v1`): sessions, credit, resume, goodbyes; two routers that speak it to each other."""
import hashlib
import json
import subprocess

import sdk
from kit import LineSystem, Router, case, event, main, reply_to, same, true, until
from stream_kit import CREDIT, ERROR, GOAWAY, HELLO, MSG, RESULT, SUBSCRIBE, Carried, Client
from tls_kit import made, router, security

CONFIG = """
workers: 1
listeners: {{web: http://127.0.0.1:0, sockets: "ws://127.0.0.1:0/here"}}
systems:
  crm: {{accept: {{sessions: 1}}}}
  pricing: tcp://127.0.0.1:{pricing}
"""


def pricing():
    return LineSystem(lambda got: reply_to(got, {"price": 7}) if got.get("messagetype") == "query" else None)


@case
def a_session_takes_acknowledges_asks_and_is_answered():
    system = pricing()
    with Router(CONFIG.format(pricing=system.port)) as r:
        for port, path in ((r.ports["web"], "/v1/ws"), (r.ports["sockets"], "/here")):
            peer = Carried(port, path)
            same(peer.connect(expiry_ms=0)["system"], "crm", "welcome")
            peer.serve()
            for number in range(300):  # more than the first credit, so that it has to be renewed
                same(r.post(event("event", "com.example.news", {"n": number}, target="crm")).status, 202, "post")
                seq, _, got = peer.message()
                same((seq, got["data"]), (number + 1, {"n": number}), "message")
                peer.ack(seq)
                if number % 100 == 50:
                    peer.frame(CREDIT, (1000 + number).to_bytes(8, "big") + (1 << 24).to_bytes(8, "big"))
            peer.send(event("query", "com.example.price", {"sku": 1}, target="pricing"))
            same(peer.message()[2]["data"], {"price": 7}, "the answer")
            until(lambda: r.system("crm")["in_flight"] == 0, "all is settled")
            peer.message_out(8, b"\x03\xe8")
            peer.peer.close()
            until(lambda: r.system("crm")["sessions"] == 0, "it is gone")
    system.close()


@case
def a_subscription_gets_what_its_filter_says():
    system = pricing()
    with Router(CONFIG.format(pricing=system.port)) as r:
        peer = Carried(r.ports["web"])
        peer.connect()
        peer.frame(SUBSCRIBE, b'{"sub":5,"filter":"type LIKE \'com.example.%\'"}')
        kind, _, payload = peer.next()
        same((kind, json.loads(payload)["status"]), (RESULT, 200), "subscribe")
        r.post(event("event", "org.other", {}))
        r.post(event("event", "com.example.one", {}))
        kind, _, payload = peer.next()
        same((kind, int.from_bytes(payload[8:12], "big"), json.loads(payload[16:])["type"]), (MSG, 5, "com.example.one"), "the message")
        peer.ack(1)
        peer.peer.close()
    system.close()


@case
def a_session_is_resumed_on_a_new_websocket_and_not_over_tcp():
    system = pricing()
    config = CONFIG.replace("sockets:", "stream: tcp://127.0.0.1:0, sockets:")
    with Router(config.format(pricing=system.port)) as r:
        peer = Carried(r.ports["web"])
        true(peer.connect()["expiry_ms"] > 0, "it may")
        peer.serve()
        for name in ("a", "b"):
            r.post(event("event", "com.example.news", {}, target="crm", id=name))
        same([peer.message()[0] for _ in range(2)], [1, 2], "numbers")
        peer.ack(1)
        peer.rx = 1
        peer.cut()

        def waits():
            answer = json.loads(r.http("GET", "/api/v1/connections", port=r.admin).body)
            return not [one for one in answer["connections"] if one["name"] == "web" and one["state"] == "open"]
        until(waits, "the cut is seen")
        r.post(event("event", "com.example.news", {}, target="crm", id="c"))
        other = Client(r.ports["stream"])
        other.session = peer.session
        same(other.connect(resume=True)["resumed"], False, "another way in is another place")
        other.peer.close()
        same(peer.connect(resume=True)["resumed"], True, "welcome")
        same([peer.message()[2]["id"] for _ in range(2)], ["b", "c"], "what was not acknowledged, and the next")
        peer.peer.close()
    system.close()


@case
def the_key_of_the_handshake_is_that_of_hello():
    key = "itk_" + "a" * 43
    config = ("listeners: {web: {url: http://127.0.0.1:0, auth: key}}\nsystems: {crm: {accept: true}, erp: {accept: true}}\n"
              "security: {identities: {crm: {system: crm, keys: {now: {hash: 'HASH'}}, allow: send system/erp}}}\n"
              .replace("HASH", "sha256:" + hashlib.sha256(key.encode()).hexdigest()))
    with Router(config) as r:
        known = Carried(r.ports["web"], "/v1/ws?system=crm", Authorization=f"Bearer {key}")
        same(known.connect(system=None)["system"], "crm", "by the handshake")
        known.peer.close()
        other = Carried(r.ports["web"])
        same(other.connect(system=None, auth={"method": "bearer", "token": key})["system"], "crm", "by HELLO")
        other.peer.close()
        nobody = Carried(r.ports["web"])
        nobody.peer, nobody.buffer = nobody.dial(), b""
        nobody.preface()
        nobody.frame(HELLO, b'{"client":"x/1"}')
        kind, _, payload = nobody.next()
        same((kind, json.loads(payload)["code"]), (ERROR, 2), "by neither")
        nobody.peer.close()


@case
def a_drain_says_goaway_and_then_goodbye():
    system = pricing()
    with Router(CONFIG.format(pricing=system.port) + "drain: {grace: 5s}\n") as r:
        peer = Carried(r.ports["web"])
        peer.connect()
        r.child.terminate()
        same(peer.next()[0], GOAWAY, "the frame")
        opcode, payload = peer.message_in()
        same((opcode, payload[:2]), (8, b"\x03\xe9"), "1001")
        peer.message_out(8, payload[:2])
        peer.peer.close()
        same(r.child.wait(20), 0, "it ends by itself")
    system.close()


@case
def two_routers_speak_it_over_ws_and_wss():
    folder, system = made("a"), pricing()
    for scheme, tls, trust in (("ws", "", ""), ("wss", ", tls: {certificates: dev}", ", tls: {authorities: dev}")):
        far = (f"listeners: {{sockets: {{url: '{scheme}://127.0.0.1:0/here', websocket: {{subprotocols: intertie.v1}}{tls}}}}}\n"
               f"systems: {{near: {{accept: true}}, pricing: tcp://127.0.0.1:{system.port}}}\n" + security(folder))
        with router(far, name="far") as second:
            near = ("listeners: {web: http://127.0.0.1:0}\nsystems: {pricing: {url: '" +
                    f"{scheme}://localhost:{second.ports['sockets']}/here', source: /systems/, websocket: {{subprotocols: intertie.v1}}{trust}}}}}\n" + security(folder))
            with router(near, name="near") as first:
                for number in range(50):
                    answer = first.post(event("query", "com.example.price", {"n": number, "text": "x" * 3000}, target="pricing"))
                    same((answer.status, json.loads(answer.body)["data"]), (200, {"price": 7}), scheme)
                same(first.post(event("event", "com.example.news", {}, target="pricing")).status, 202, "an event")
                until(lambda: first.system("pricing")["in_flight"] == 0, "it is acknowledged")
    system.close()


@case
def the_ws_package_speaks_it():
    sdk.install()
    system = pricing()
    with Router(CONFIG.format(pricing=system.port)) as r:
        done = subprocess.run(["node", "stream.js", str(r.ports["web"])], cwd=sdk.BUILD, capture_output=True, text=True, timeout=60)
        same((done.returncode, done.stdout.strip()), (0, "ok"), done.stdout + done.stderr)
    system.close()


if __name__ == "__main__":
    main()
