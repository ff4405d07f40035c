#!/usr/bin/env python3
"""A system that only makes HTTP requests: long poll, acks, server-sent events, from curl and from Python."""
import http.client
import json
import subprocess
import threading
import time

from kit import Router, case, event, main, reply_to, same, true, until

CONFIG = """
workers: 2
listeners: {web: "http://127.0.0.1:0"}
systems:
  kiosk: {accept: {sessions: 2}, timeouts: {ack: 1s}}
  screen: {accept: true, timeouts: {ack: 30s}}
  mute: {}
"""
KIOSK = "/v1/systems/kiosk"


def poll(router, query="wait=10s", system="kiosk", **headers):
    reply = router.http("GET", f"/v1/systems/{system}/messages?{query}", **headers)
    return (reply.status, json.loads(reply.body)) if reply.status == 200 else (reply.status, None)


def ack(router, *acks, system="kiosk"):
    body = [{"deliveryid": got["deliveryid"], "outcome": outcome, **more} for got, outcome, more in acks]
    reply = router.http("POST", f"/v1/systems/{system}/acks", json.dumps(body), Content_Type="application/json")
    return (reply.status, json.loads(reply.body) if reply.body else None)


def send(router, id_, system="kiosk", **more):
    same(router.post({**event("event", "com.example.t", {"n": id_}), "id": id_, **more}, f"/v1/systems/{system}/messages").status, 202)


class Events:
    """Server-sent events as a browser reads them."""

    def __init__(self, router, query="", **headers):
        self.peer = http.client.HTTPConnection("127.0.0.1", router.ports["web"], timeout=20)
        self.peer.request("GET", f"/v1/systems/screen/messages{query}", headers={"Accept": "text/event-stream", **headers})
        self.answer = self.peer.getresponse()
        self.head = dict(self.answer.getheaders())

    def next(self):
        fields = {}
        while True:
            line = self.answer.readline().decode()
            if line == "":
                return None
            line = line.rstrip("\n")
            if line == "" and "data" in fields:
                return {**fields, "event_": json.loads(fields["data"])}
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = fields[name] + "\n" + value if name == "data" and name in fields else value

    def close(self):
        self.peer.sock and self.peer.sock.close()
        self.answer.close()


@case
def a_poll_is_answered_when_a_message_comes():
    with Router(CONFIG) as router:
        same(poll(router, "wait=50ms")[0], 204)
        got = []
        waiting = threading.Thread(target=lambda: got.append(poll(router)))
        waiting.start()
        until(lambda: router.system("kiosk")["sessions"] >= 1, "the poller is no session")
        send(router, "e1")
        waiting.join(10)
        status, events = got[0]
        same((status, [e["id"] for e in events]), (200, ["e1"]))
        true("deliveryattempt" not in events[0], "the first attempt is told")
        same(ack(router, (events[0], "accepted", {})), (204, None))
        status, late = ack(router, (events[0], "accepted", {}))
        same((status, late), (200, {"late": [events[0]["deliveryid"]]}))


@case
def what_is_not_acknowledged_comes_again():
    with Router(CONFIG) as router:
        send(router, "e1")
        _, [first] = poll(router)
        _, [second] = poll(router)
        same((second["id"], second["deliveryattempt"]), ("e1", 2))
        true(first["deliveryid"] != second["deliveryid"], "the same deliveryid twice")
        same(ack(router, (first, "accepted", {}))[0], 200)
        same(ack(router, (second, "retry", {"retry_after": "100ms"})), (204, None))
        _, [third] = poll(router)
        same((third["id"], third["deliveryattempt"]), ("e1", 3))
        same(ack(router, (third, "rejected", {})), (204, None))
        until(lambda: router.ended("dead", "rejected-by-recipient") == 1, "the rejected one did not end")


@case
def acks_find_their_worker_by_whatever_connection():
    with Router(CONFIG) as router:
        for n in range(40):
            send(router, f"e{n}")
        seen = set()
        while len(seen) < 40:
            status, events = poll(router, "wait=5s&max=7")
            same(status, 200)
            true(len(events) <= 7, "more than asked for")
            seen |= {e["id"] for e in events}
            same(ack(router, *[(e, "accepted", {}) for e in events]), (204, None))
        until(lambda: router.status()["messages"]["endings"]["delivered"].get("ok", 0) >= 40, "not all were delivered")
        same(poll(router, "wait=10ms")[0], 204)


@case
def a_query_is_answered_by_a_message():
    with Router(CONFIG) as router:
        def serve():
            _, [query] = poll(router)
            answer = {**reply_to(query, {"eur": 9.5}), "source": "/systems/kiosk"}
            same(router.post(answer).status, 202)
            same(ack(router, (query, "accepted", {})), (204, None))

        server = threading.Thread(target=serve)
        server.start()
        reply = router.post(event("query", "com.example.price.get", {"sku": 1}), f"{KIOSK}/messages")
        server.join(10)
        same((reply.status, json.loads(reply.body)["data"]), (200, {"eur": 9.5}))


@case
def events_stream_as_they_come():
    with Router(CONFIG) as router:
        stream = Events(router)
        same((stream.answer.status, stream.head["Content-Type"]), (200, "text/event-stream"))
        same(stream.head["Cache-Control"], "no-store")
        for n in range(50):
            send(router, f"e{n}", "screen")
        got = [stream.next() for _ in range(50)]
        same(sorted(e["event_"]["id"] for e in got), sorted(f"e{n}" for n in range(50)))
        same({e["event"] for e in got}, {"message"})
        same(got[0]["id"], got[0]["event_"]["deliveryid"])
        until(lambda: router.status()["messages"]["endings"]["delivered"].get("ok", 0) == 50, "written is not delivered")
        stream.close()
        until(lambda: router.system("screen")["sessions"] == 0, "the stream outlives its connection")


@case
def an_event_with_line_ends_is_one_event():
    with Router(CONFIG) as router:
        stream = Events(router)
        text = '{ "specversion": "1.0",\r\n "id": "e1", "source": "/x",\n "type": "t", "target": "screen",\n\n "data": [1,\n2] }'
        same(router.http("POST", "/v1/messages", text, Content_Type="application/cloudevents+json").status, 202)
        same(stream.next()["event_"]["data"], [1, 2])
        stream.close()


@case
def a_stream_may_have_acks():
    with Router(CONFIG.replace("ack: 30s", "ack: 1s")) as router:
        stream = Events(router, "?ack=explicit", **{"Last-Event-ID": "whatever"})
        send(router, "e1", "screen")
        first = stream.next()["event_"]
        second = stream.next()["event_"]
        same((second["id"], second["deliveryattempt"]), ("e1", 2))
        same(ack(router, (second, "accepted", {}), system="screen"), (204, None))
        until(lambda: router.status()["messages"]["endings"]["delivered"].get("ok", 0) == 1, "it is not delivered")
        true(first["deliveryid"] != second["deliveryid"], "the same deliveryid twice")
        stream.close()


@case
def refusals_name_what_is_wrong():
    with Router(CONFIG) as router:
        for query, word in (("wait=20", "wait"), ("wait=6m", "5m"), ("max=0", "max"), ("max=1001", "max"), ("ack=maybe", "ack")):
            reply = router.http("GET", f"{KIOSK}/messages?{query}")
            same(reply.status, 400)
            true(word in json.loads(reply.body)["detail"], reply.body)
        same(poll(router, system="nobody")[0], 404)
        same(poll(router, system="mute")[0], 403)
        same(router.http("DELETE", f"{KIOSK}/messages").status, 405)
        same(router.http("GET", f"{KIOSK}/acks").status, 405)
        for body in ("", "{}", "[1]", "[{}]", '[{"deliveryid":"x"}]', '[{"deliveryid":"x","outcome":"maybe"}]', "[] x",
                     '[{"deliveryid":"x","outcome":"accepted","retry_after":"1s"}]', '[{"deliveryid":"x","outcome":"retry","retry_after":"2h"}]'):
            same(router.http("POST", f"{KIOSK}/acks", body, Content_Type="application/json").status, 400, body)
        same(router.http("POST", f"{KIOSK}/acks", "[]", Content_Type="text/plain").status, 415)
        same(router.http("POST", f"{KIOSK}/acks", "[]", Content_Type="application/json").status, 204)
        same(ack(router, ({"deliveryid": "rubbish"}, "accepted", {})), (200, {"late": ["rubbish"]}))
        same(ack(router, ({"deliveryid": "f" * 52}, "accepted", {})), (200, {"late": ["f" * 52]}))


@case
def who_goes_away_gets_nothing():
    with Router(CONFIG.replace("workers: 2", "workers: 1")) as router:
        peer = http.client.HTTPConnection("127.0.0.1", router.ports["web"])
        peer.request("GET", f"{KIOSK}/messages?wait=1m")
        until(lambda: router.system("kiosk")["sessions"] == 1, "the poller is no session")
        peer.close()
        time.sleep(0)  # its end is on its way before the next connection's beginning
        send(router, "e1")
        status, [got] = poll(router)
        same((status, got["id"]), (200, "e1"))


@case
def a_drain_ends_polls_and_streams():
    with Router(CONFIG) as router:
        stream = Events(router)
        command = ["curl", "-s", "-m", "20", "-w", "%{http_code}", f"http://127.0.0.1:{router.ports['web']}{KIOSK}/messages?wait=1m"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
            until(lambda: router.system("kiosk")["sessions"] == 1, "the poller is no session")
            router.intertie("drain")
            same(curl.stdout.read(), b"204")
        same(stream.next(), None)


if __name__ == "__main__":
    main()
