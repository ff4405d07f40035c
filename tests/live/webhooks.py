#!/usr/bin/env python3
"""The handshake before CloudEvents webhooks: a receiver that is asked, that says no, that says how fast, and that goes for good."""
import http.server

from kit import HttpSystem, Router, case, event, main, same, true, until

CONFIG = """
workers: 1
public_url: https://events.example.com:8443/x
listeners: {{web: http://127.0.0.1:0}}
systems: {{partner: {{url: 'http://127.0.0.1:{port}/in?tenant=7', webhook: {{handshake: true, rate: 120/m}}, redeliver: {{backoff: 50ms..100ms}}}}}}
"""


class Receiver(HttpSystem):
    """Knows the handshake while `allows` is set: (origin, rate)."""

    def __init__(self, allows=("events.example.com", "*")):
        self.allows, self.code = allows, 202
        self.asked, self.got = asked, got = [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def say(self, code, **headers):
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_OPTIONS(self):
                asked.append((self.path, self.headers))
                if receiver.allows:
                    self.say(200, Allow="POST", WebHook_Allowed_Origin=receiver.allows[0], WebHook_Allowed_Rate=receiver.allows[1])
                else:
                    self.say(200, Allow="POST")

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                got.append((self.path, self.headers, body))
                self.say(receiver.code)

        super().__init__(Handler)


def partner(router):
    return router.system("partner")["endpoint_list"][0]


def post(router, count=1):
    for _ in range(count):
        same(router.post(event("event", "com.x.y", {}, target="partner")).status, 202, "taken")


@case
def it_is_asked_once_and_then_sent_to():
    receiver = Receiver()
    with Router(CONFIG.format(port=receiver.port)) as router:
        post(router, 5)
        until(lambda: len(receiver.got) == 5, "delivered")
        same(len(receiver.asked), 1, "questions")
        same([partner(router)["consent"], partner(router)["rate_per_minute"]], ["given", 0], "what the status says")
        path, headers = receiver.asked[0]
        same((path, headers["WebHook-Request-Origin"], headers["WebHook-Request-Rate"]), ("/in?tenant=7", "events.example.com", "120"), "the question")
        true(all(headers["WebHook-Request-Origin"] == "events.example.com" for _, headers, _ in receiver.got), "each event says who")
    receiver.close()


@case
def without_consent_nothing_is_sent_and_the_log_says_what_is_missing():
    receiver = Receiver(allows=None)
    with Router(CONFIG.format(port=receiver.port)) as router:
        post(router)
        until(lambda: len(receiver.asked) >= 2, "it is asked again")
        same(receiver.got, [], "nothing is sent")
        same(partner(router)["consent"], "wanted", "what the status says")
        true("has not given its consent yet" in router.intertie("status").stdout, "the table, too")
        true("has no `WebHook-Allowed-Origin`" in router.log() and "bad-greeting" in router.log(), router.log())
        receiver.allows = ("someone.else", "*")
        until(lambda: "names another than `events.example.com`" in router.log(), "consent for others is none")
        same(receiver.got, [], "nothing is sent")
        receiver.allows = ("*", "*")
        until(lambda: len(receiver.got) == 1, "it was kept, and goes when consent is there", 20)
    receiver.close()


@case
def the_rate_that_is_allowed_is_kept():
    receiver = Receiver(allows=("*", "1"))
    with Router(CONFIG.format(port=receiver.port)) as router:
        post(router, 3)
        until(lambda: len(receiver.got) == 1, "the first goes")
        until(lambda: router.system("partner")["held"] == 2, "the others wait for their minute")
        same(len(receiver.got), 1, "delivered")
        same([partner(router)["consent"], partner(router)["rate_per_minute"]], ["given", 1], "what the status says")
        true("consent given, 1 a minute at most" in router.intertie("endpoint", "list").stdout, "the list, too")
    receiver.close()


@case
def who_is_gone_is_left_alone_until_a_reload():
    receiver = Receiver()
    receiver.code = 410
    with Router(CONFIG.format(port=receiver.port), replay=False) as router:
        post(router)
        until(lambda: "410 Gone" in router.log(), "the log tells")
        post(router)
        same(router.system("partner")["held"], 1, "the next is held")
        same(len(receiver.got), 1, "nothing more is sent")
        same([partner(router)["state"], partner(router)["consent"]], ["down", "gone"], "what the status says")
        true("it answered 410 Gone" in router.intertie("status").stdout, "the table, too")
        receiver.code = 202
        same(router.intertie("reload").returncode, 0, "reload")
        until(lambda: len(receiver.got) == 2, "then it is sent to")
    receiver.close()


@case
def one_intertie_consents_to_another():
    with Router("listeners: {web: http://127.0.0.1:0}\nsystems: {desk: {accept: true}}\n", name="behind", replay=False) as behind:
        config = CONFIG.format(port=behind.ports["web"]).replace("/in?tenant=7", "/v1/systems/desk/messages")
        with Router(config, replay=False) as router:
            post(router)
            until(lambda: behind.status()["messages"]["invalid"] or behind.system("desk")["held"], "it comes to the desk's door")
            true("bad-greeting" not in router.log(), "with consent")


if __name__ == "__main__":
    main()
