#!/usr/bin/env python3
"""Systems that take several requests ahead of their answers, or several events in one request."""
import json
import re
import socket
import threading

from kit import Router, case, event, main, same, true, until

HEAD = re.compile(rb"^POST (\S+) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.S)


def linger(peer):
    """A close with bytes unread would be a reset, which may take the last answer with it (RFC 9112 section 9.6)."""
    try:
        peer.shutdown(socket.SHUT_WR)
        peer.settimeout(20)
        while peer.recv(1 << 20):
            pass
    except OSError:
        pass


class Backend:
    """An HTTP system with scripted answers: `answer(request)` gives bytes, or None for later (hold)."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []  # (connection number, content type, body)
        self.most = 0       # requests that had come on one connection before the first of them was answered
        self.connections = 0
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.gate.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self.serve, args=(peer, number), daemon=True).start()

    def serve(self, peer, number):
        data = b""
        with peer:
            while True:
                try:
                    piece = peer.recv(1 << 20)
                except OSError:
                    return
                if not piece:
                    return
                data += piece
                found, data = self.take(data, number)
                self.gate.wait(20)
                for request in found:
                    answer = self.answer(request)
                    peer.sendall(answer)
                    if b"connection: close" in answer.lower():
                        linger(peer)
                        return

    def take(self, data, number):
        found = []
        while True:
            head = HEAD.match(data)
            if not head:
                break
            fields = head.group(2).lower()
            size = int(re.search(rb"content-length: (\d+)", fields).group(1))
            if len(data) < head.end() + size:
                break
            kind = re.search(rb"content-type: (\S+)", fields)
            found.append((number, kind.group(1).decode() if kind else "", data[head.end():head.end() + size], fields))
            data = data[head.end() + size:]
        with self.lock:
            self.requests += found
            self.most = max(self.most, len(found))
        return found, data

    def count(self):
        with self.lock:
            return len(self.requests)

    def close(self):
        self.gate.set()
        self.listener.close()


OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def config(port, keys):
    return ("workers: 1\nlisteners: {web: http://127.0.0.1:0}\n"  # a pool is one worker's
            f"systems: {{back: {{url: http://127.0.0.1:{port}/in, {keys}}}}}\n"
            "routes: {every: {match: {}, to: back}}\n")


def publish(router, count, kind="event", first=0):
    """All in one batch, so that they come in one turn."""
    events = [event(kind, "com.example.tick", {"n": n}, id=f"e{n}", source="/doors/7") for n in range(first, first + count)]
    reply = router.http("POST", "/v1/messages", json.dumps(events), Content_Type="application/cloudevents-batch+json")
    same(reply.status, 200, "publish")
    true(all(result["status"] == 202 for result in json.loads(reply.body)), "all are accepted")


def ended(router, name, count):
    return until(lambda: router.status()["messages"]["endings"].get(name, {}) and
                 sum(router.status()["messages"]["endings"][name].values()) >= count, f"{count} {name}", 30)


def ids_of(requests):
    """Attribute ids, of any mode."""
    found = []
    for _, kind, body, fields in requests:
        if "batch" in kind:
            found += [one["id"] for one in json.loads(body)]
        elif "cloudevents" in kind:
            found.append(json.loads(body)["id"])
        else:
            found.append(re.search(rb"ce-id: (\S+)", fields).group(1).decode())
    return found


@case
def requests_go_ahead_of_their_answers_on_one_connection():
    backend = Backend(lambda request: OK)
    with Router(config(backend.port, "pool: {max: 1, pipeline: 8}")) as router:
        publish(router, 1)
        ended(router, "delivered", 1)
        backend.gate.clear()
        publish(router, 20, first=1)
        until(lambda: backend.count() == 9, "eight wait for their answers")
        backend.gate.set()
        ended(router, "delivered", 21)
        same(backend.connections, 1, "connections")
        same(ids_of(backend.requests), [f"e{n}" for n in range(21)], "order")
    backend.close()


@case
def what_is_behind_a_closing_answer_goes_again_elsewhere():
    """As servers do that close every connection after some requests: nothing is lost, nothing is told twice."""
    taken = []

    def answer(request):
        taken.append(ids_of([request])[0])
        return OK if len(taken) % 3 else b"HTTP/1.1 202 A\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    backend = Backend(answer)
    with Router(config(backend.port, "pool: {max: 1, pipeline: 8}")) as router:
        publish(router, 30, kind="notification")  # what nobody would repeat when its outcome was unknown
        ended(router, "delivered", 30)
        same(sorted(taken, key=lambda name: int(name[1:])), [f"e{n}" for n in range(30)], "each once")
    backend.close()


@case
def events_that_come_together_go_in_one_request():
    backend = Backend(lambda request: OK)
    with Router(config(backend.port, "pool: {max: 1}, batch: {max: 10}")) as router:
        publish(router, 1)
        ended(router, "delivered", 1)
        publish(router, 25, first=1)
        ended(router, "delivered", 26)
        same([len(json.loads(body)) for _, _, body, _ in backend.requests], [1, 10, 10, 5], "batches")
        same({kind for _, kind, _, _ in backend.requests}, {"application/cloudevents-batch+json"}, "content type")
        same(ids_of(backend.requests), [f"e{n}" for n in range(26)], "order")
    backend.close()


@case
def a_batch_waits_for_company():
    backend = Backend(lambda request: OK)
    with Router(config(backend.port, "pool: {max: 1}, batch: {max: 3, wait: 3s}")) as router:
        for n in range(5):
            same(router.post(event("event", "com.example.tick", {"n": n}, id=f"e{n}", source="/doors/7")).status, 202, "publish")
        ended(router, "delivered", 5)
        same([len(json.loads(body)) for _, _, body, _ in backend.requests], [3, 2], "batches")
    backend.close()


@case
def a_refused_batch_is_taken_apart():
    def answer(request):
        if "batch" in request[1]:
            return b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"
        return b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n" if ids_of([request]) == ["e2"] else OK

    backend = Backend(answer)
    with Router(config(backend.port, "pool: {max: 1}, batch: {max: 10}")) as router:
        publish(router, 5)
        ended(router, "delivered", 4)
        ended(router, "dead", 1)
        same([kind for _, kind, _, _ in backend.requests],
             ["application/cloudevents-batch+json"] + ["application/cloudevents+json"] * 5, "requests")
    backend.close()


@case
def a_batch_that_is_refused_with_a_close_ends_all_the_same():
    def answer(request):
        if "batch" in request[1]:
            return b"HTTP/1.1 413 Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        return OK

    backend = Backend(answer)
    with Router(config(backend.port, "pool: {max: 2}, batch: {max: 10}")) as router:
        publish(router, 5, kind="notification")
        ended(router, "delivered", 5)
        same(sum("batch" in kind for _, kind, _, _ in backend.requests), 1, "batches")
        true(b"ce-deliveryattempt" not in backend.requests[-1][3] and b'"deliveryattempt":2' in backend.requests[-1][2], "the second attempt")
    backend.close()


@case
def questions_are_asked_alone_and_answered():
    def answer(request):
        if "batch" in request[1]:
            return OK
        body = json.dumps({"sku": "A-1"}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    backend = Backend(answer)
    with Router(config(backend.port, "pool: {max: 1, pipeline: 4}, batch: {max: 10}")) as router:
        reply = router.post(event("query", "com.example.price.get", {"sku": "A-1"}, id="q1", source="/systems/desk"))
        same((reply.status, json.loads(reply.body)["data"]), (200, {"sku": "A-1"}), "reply")
    backend.close()


if __name__ == "__main__":
    main()
