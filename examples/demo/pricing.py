#!/usr/bin/env python3
"""A system that only speaks CloudEvents as JSON lines over TCP, and answers queries for prices."""
import json
import socketserver
import sys
import uuid

PRICES = {"A-1": 9.5, "B-2": 120.0}


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            event = json.loads(line)
            sku = event.get("data", {}).get("sku")
            answer = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/systems/pricing",
                      "type": "com.example.price", "causationid": event["id"]}
            if sku in PRICES:
                answer.update(messagetype="response", data={"sku": sku, "eur": PRICES[sku]})
            else:
                answer.update(messagetype="error", datacontenttype="application/problem+json",
                              data={"title": "No such article", "status": 404, "reason": "no-such-article"})
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 7101
    with Server(("127.0.0.1", port), Lines) as server:
        print(f"pricing listens on tcp://127.0.0.1:{port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
