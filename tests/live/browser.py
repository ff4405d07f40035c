#!/usr/bin/env python3
"""A page in headless Chromium: WebSocket, server-sent events and fetch from another origin, as far as `origins` lets it."""
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading

from kit import HttpSystem, Router, Skip, case, main, same, true, until

PAGE = """<!doctype html><title>a page</title><script type="module">
const steps = {};
const tell = (name, value) => { steps[name] = value; };
const here = %s;
const soon = (what, start) => Promise.race([new Promise(start), new Promise((_, no) => setTimeout(() => no(what + ": nothing came"), 8000))]);
const made = (type, more) => ({specversion: "1.0", id: crypto.randomUUID(), source: "/systems/page", type, ...more});
async function attempt(name, work) { try { tell(name, await work()); } catch (why) { tell(name, "failed: " + (why.message || why)); } }

await attempt("websocket", () => soon("websocket", (yes, no) => {
    const socket = new WebSocket(here.ws, ["cloudevents.json"]);
    socket.onerror = () => no("refused");
    socket.onopen = () => socket.send(JSON.stringify(made("com.example.ask", {messagetype: "query", data: {n: 1}})));
    socket.onmessage = got => {
        const event = JSON.parse(got.data);
        if (event.messagetype == "response") { yes([socket.protocol, event]); socket.close(1000); }
    };
}));
await attempt("fetch", async () => {
    const answer = await fetch(here.http + "/v1/messages", {method: "POST",
        headers: {"Content-Type": "application/cloudevents+json"}, body: JSON.stringify(made("com.example.told", {data: 1}))});
    return answer.status;
});
await attempt("events", () => soon("events", (yes, no) => {
    const source = new EventSource(here.http + "/v1/systems/page/messages");
    source.onerror = () => no("refused");
    source.onopen = () => fetch(here.http + "/v1/systems/page/messages", {method: "POST",
        headers: {"Content-Type": "application/cloudevents+json"}, body: JSON.stringify(made("com.example.news", {data: "for the page"}))});
    source.addEventListener("message", got => { yes(JSON.parse(got.data)); source.close(); });
}));
await fetch("/done", {method: "POST", body: JSON.stringify(steps)});
</script>"""


class Site(HttpSystem):
    """Serves the page, and takes what it found out."""

    def __init__(self):
        site = self
        self.told = None

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = (PAGE % json.dumps(site.where)).encode() if self.path == "/" else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                site.told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()

        super().__init__(Handler)
        self.origin = f"http://127.0.0.1:{self.port}"

    def visit(self, router):
        """What the page found."""
        chromium = shutil.which("chromium")
        if not chromium:
            raise Skip("chromium is not here")
        port = router.ports["web"]
        self.where = {"ws": f"ws://127.0.0.1:{port}/v1/ws?system=page", "http": f"http://127.0.0.1:{port}"}
        with tempfile.TemporaryDirectory(prefix="intertie-page-") as folder:
            browser = subprocess.Popen([chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                                        "--disable-dev-shm-usage", f"--user-data-dir={folder}", self.origin + "/"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            try:
                return until(lambda: self.told, "the page's words", 60)
            finally:
                os.killpg(browser.pid, 9)
                browser.wait()


CONFIG = """
listeners: {{web: {{url: http://127.0.0.1:0{origins}}}, stream: tcp://127.0.0.1:0}}
systems: {{page: {{accept: true}}, desk: {{accept: true}}}}
routes: {{asks: {{match: {{type: com.example.ask}}, to: desk}}, told: {{match: {{type: com.example.told}}, to: desk}}}}
"""


def with_desk(router):
    desk = router.lines()
    desk.control("hello", system="desk")

    def serve():
        while got := desk.read(60):
            if got.get("messagetype") == "query":
                desk.send({"specversion": "1.0", "id": "r1", "source": "/systems/desk", "type": "com.example.answer",
                           "messagetype": "response", "causationid": got["id"], "data": {"n": got["data"]["n"] + 1}})
    threading.Thread(target=serve, daemon=True).start()


@case
def a_page_of_a_listed_origin_uses_websocket_fetch_and_server_sent_events():
    site = Site()
    with Router(CONFIG.format(origins=f', origins: "{site.origin}"')) as r:
        with_desk(r)
        told = site.visit(r)
        true(isinstance(told["websocket"], list), told["websocket"])
        same(told["websocket"][0], "cloudevents.json", "the subprotocol")
        same(told["websocket"][1]["data"], {"n": 2}, "the answer over the WebSocket")
        same(told["fetch"], 202, "fetch")
        true(isinstance(told["events"], dict), told["events"])
        same(told["events"]["data"], "for the page", "the event's data")


@case
def a_page_of_another_origin_gets_nothing():
    site = Site()
    with Router(CONFIG.format(origins="")) as r:
        with_desk(r)
        told = site.visit(r)
        for name in ("websocket", "fetch", "events"):
            true(str(told[name]).startswith("failed"), f"{name}: {told[name]}")
        same(r.status()["messages"]["received"], 0, "messages received")


if __name__ == "__main__":
    main()
