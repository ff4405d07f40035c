#!/usr/bin/env python3
"""send, call and listen against a router and against other systems. Prints TAP."""
import json
import os
import signal
import socket
import subprocess

from cli_kit import PATIENCE, PROGRAM, UUID, Folder, Lines, Router, case, environment, equal, intertie, main, matches, reply_to, until


def prices(event):
    sku = (event.get("data") or {}).get("sku")
    if sku == "silent":
        return None
    if sku == "none":
        return reply_to(event, {"reason": "unknown-sku", "title": "No such article"}, "error")
    return reply_to(event, {"sku": sku, "eur": 9.5})


class World:
    """A router, a pricing system of JSON lines, a lamp of datagrams; `desk` may dial in."""

    def __init__(self, more=""):
        self.pricing = Lines(prices)
        self.lamp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.lamp.bind(("127.0.0.1", 0))
        self.lamp.settimeout(PATIENCE)
        try:
            self.router = Router(f"""listeners: {{web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0, frames: intertie://127.0.0.1:0, grams: udp://127.0.0.1:0}}
systems:
  pricing: {self.pricing.url}
  lamp: udp://127.0.0.1:{self.lamp.getsockname()[1]}
  desk: {{accept: true}}
routes: {{alarms: {{match: {{type: com.example.alarm.*}}, to: lamp}}}}
{more}""")
        except BaseException:
            self.lamp.close()
            self.pricing.close()
            raise

    def gram(self):
        return json.loads(self.lamp.recv(65536))

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.lamp.close()
        self.pricing.close()
        self.router.__exit__(*why)


class Listening:
    """`intertie listen` in the background, dialled in."""

    def __init__(self, world, *arguments, sessions="desk"):
        self.process = subprocess.Popen([PROGRAM, "listen", "-c", world.router.config, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment())
        before = world.router.status()
        if sessions:
            until(lambda: world.router.system(sessions)["sessions"] > 0, f"a session of {sessions}")
        del before

    def line(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        """What else it printed, once it has ended by itself."""
        out, err = self.process.communicate(timeout=PATIENCE)
        assert "Sanitizer" not in err and "runtime error:" not in err, err
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()


@case
def send_prints_the_receipt_and_the_event_arrives_as_said():
    with World() as world:
        done = world.router("send", "--to", "lamp", "--type", "com.example.alarm.raised", "--data", '{"door":7}', "--subject", "doors/7",
                            "--source", "/doors/7", "--priority", "high", "--attr", "tenant=acme", "--ttl", "1m").exits(0)
        matches(done.out, rf"\Aaccepted  {UUID}  \d+\.\d ms\n\Z")
        equal(done.err, "")
        event = world.gram()
        for name, value in {"type": "com.example.alarm.raised", "source": "/doors/7", "subject": "doors/7", "target": "lamp", "tenant": "acme",
                            "priority": 3, "data": {"door": 7}, "datacontenttype": "application/json", "specversion": "1.0"}.items():
            equal(event.get(name), value, name)
        assert event["expirytime"] > event["time"]


@case
def send_in_json_is_one_document():
    with World() as world:
        document = world.router("send", "--json", "--to", "lamp", "--type", "a").exits(0).json()
        equal(document["status"], "accepted")
        matches(document["receipt"], rf"\A{UUID}\Z")
        equal(type(document["ms"]), float)


@case
def data_comes_from_an_argument_a_file_or_standard_input():
    with World() as world, Folder({"data.json": '{"from":"file"}'}) as folder:
        world.router("send", "--to", "lamp", "--type", "a", "--data", "@" + folder.file("data.json")).exits(0)
        equal(world.gram()["data"], {"from": "file"})
        world.router("send", "--to", "lamp", "--type", "a", "--data", "-", stdin='{"from":"stdin"}').exits(0)
        equal(world.gram()["data"], {"from": "stdin"})
        world.router("send", "--to", "lamp", "--type", "a", "--data", "just text").exits(0)
        event = world.gram()
        equal((event["data"], event["datacontenttype"]), ("just text", "text/plain; charset=utf-8"))
        world.router("send", "--to", "lamp", "--type", "a", "--data", "<a/>", "--content-type", "application/xml").exits(0)
        event = world.gram()
        equal((event["data"], event["datacontenttype"]), ("<a/>", "application/xml"))
        world.router("send", "--to", "lamp", "--type", "a").exits(0)
        assert "data" not in world.gram()


@case
def without_a_target_the_routes_decide():
    with World() as world:
        world.router("send", "--type", "com.example.alarm.raised").exits(0)
        assert "target" not in world.gram()
        done = world.router("send", "--type", "com.example.nobody").exits(4)
        matches(done.err, r"\Aintertie: .*\(no-route\)\n\Z")
        equal(done.out, "")


@case
def a_refusal_exits_4_with_the_reason_and_the_nearest_name():
    with World() as world:
        done = world.router("send", "--to", "lmap", "--type", "a").exits(4)
        matches(done.err, r"no system `lmap`; did you mean `lamp`\? \(unknown-target\)")
        document = world.router("send", "--to", "lmap", "--type", "a", "--json").exits(4).json()
        equal((document["reason"], document["status"]), ("unknown-target", 404))


@case
def a_source_of_another_system_is_said_by_as():
    with World() as world:
        world.router("send", "--as", "desk", "--to", "lamp", "--type", "a").exits(0)
        equal(world.gram()["source"], "/systems/desk")
        world.router("send", "--to", "lamp", "--type", "a").exits(0)
        equal(world.gram()["source"], "/cli")


@case
def a_batch_has_a_line_for_each_event():
    good = {"specversion": "1.0", "id": "1", "source": "/a", "type": "com.example.alarm.raised"}
    bad = {"specversion": "1.0", "id": "2", "type": "com.example.alarm.raised"}
    with World() as world, Folder({"two.json": json.dumps([good, bad]), "one.json": json.dumps([good])}) as folder:
        done = world.router("send", "--batch", folder.file("one.json")).exits(0)
        matches(done.out, rf"\Aaccepted  {UUID}\n\Z")
        done = world.router("send", "--batch", folder.file("two.json")).exits(4)
        matches(done.out, rf"\Aaccepted  {UUID}\nrefused   malformed-event\n\Z")
        results = world.router("send", "--batch", "-", "--json", stdin=json.dumps([good, bad])).exits(4).json()
        equal([r["status"] for r in results], [202, 400])
        world.router("send", "--batch", folder.file("none.json")).exits(1)
        world.router("send", "--batch", "-", stdin="nonsense").exits(4)


@case
def call_prints_the_data_of_the_reply():
    with World() as world:
        done = world.router("call", "--to", "pricing", "--type", "com.example.price.get", "--kind", "query", "--data", '{"sku":"A-1"}').exits(0)
        equal(json.loads(done.out), {"sku": "A-1", "eur": 9.5})
        equal(done.err, "")
        equal(world.pricing.seen[-1]["messagetype"], "query")
        world.router("call", "--to", "pricing", "--type", "com.example.price.get", "--data", '{"sku":"A-1"}').exits(0)
        equal(world.pricing.seen[-1]["messagetype"], "request")
        event = world.router("call", "--json", "--to", "pricing", "--type", "com.example.price.get", "--data", '{"sku":"B"}').exits(0).json()
        equal((event["messagetype"], event["data"]["sku"]), ("response", "B"))


@case
def an_error_reply_exits_4_with_its_reason():
    with World() as world:
        done = world.router("call", "--to", "pricing", "--type", "a", "--data", '{"sku":"none"}').exits(4)
        equal(json.loads(done.out)["title"], "No such article")
        matches(done.err, r"\(unknown-sku\)")
        equal(world.router("call", "--json", "--to", "pricing", "--type", "a", "--data", '{"sku":"none"}').exits(4).json()["messagetype"], "error")


@case
def no_reply_in_time_exits_5():
    with World() as world:
        ask = ["call", "--to", "pricing", "--type", "a", "--data", '{"sku":"silent"}', "--timeout"]
        done = world.router(*ask, "300ms").exits(5)
        matches(done.err, rf"\Aintertie: no reply from pricing in 300 ms \(reply-timeout\); receipt {UUID}\n\Z")
        equal(done.out, "")
        matches(world.router(*ask, "1s").exits(5).err, "in 1 s ")
        equal(world.router(*ask, "300ms", "--json").exits(5).json()["reason"], "reply-timeout")


@case
def call_to_nobody_exits_4():
    with World("policies: {default: {timeouts: {queue: 100ms}}}\n") as world:
        matches(world.router("call", "--to", "desk", "--type", "a").exits(4).err, r"\(target-unavailable\)")
        matches(world.router("call", "--to", "nobody", "--type", "a").exits(4).err, r"\(unknown-target\)")


@case
def send_and_call_speak_each_url_of_the_router():
    with World() as world:
        for scheme in ("http", "tcp", "intertie"):
            place = world.router.url(scheme)
            done = intertie("send", "--url", place, "--to", "lamp", "--type", "a", "--data", json.dumps(scheme)).exits(0)
            matches(done.out, r"\Aaccepted  ", scheme)
            equal(world.gram()["data"], scheme)
            done = intertie("call", "--url", place, "--to", "pricing", "--type", "a", "--data", '{"sku":"A-1"}').exits(0)
            equal(json.loads(done.out)["eur"], 9.5, scheme)
        done = intertie("send", "--url", world.router.url("udp"), "--to", "lamp", "--type", "a", "--data", '"udp"').exits(0)
        assert float(done.out.split()[1]) < 5000, f"nobody acknowledges a datagram, and it waited: {done.out}"
        equal(world.gram()["data"], "udp")


@case
def a_refusal_over_stream_v1_exits_4():
    with World() as world:
        done = intertie("send", "--url", world.router.url("intertie"), "--to", "lmap", "--type", "a").exits(4)
        matches(done.err, r"\(no-route\)")  # the wire has one code for both
        equal(intertie("send", "--json", "--url", world.router.url("intertie"), "--to", "lmap", "--type", "a").exits(4).json()["reason"], "no-route")


@case
def call_asks_any_system_of_json_lines():
    with Lines(prices) as system:
        done = intertie("call", "--url", system.url, "--frame", "line", "--type", "a", "--data", '{"sku":"A-1"}').exits(0)
        equal(json.loads(done.out)["eur"], 9.5)
        intertie("call", "--url", system.url, "--type", "a", "--data", '{"sku":"silent"}', "--timeout", "300ms").exits(5)
        intertie("call", "--url", system.url, "--type", "a", "--data", '{"sku":"none"}').exits(4)


@case
def send_reaches_any_datagram_system():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lamp:
        lamp.bind(("127.0.0.1", 0))
        lamp.settimeout(PATIENCE)
        intertie("send", "--url", f"udp://127.0.0.1:{lamp.getsockname()[1]}", "--type", "a", "--data", "7").exits(0)
        equal(json.loads(lamp.recv(65536))["data"], 7)


@case
def listen_serves_as_an_endpoint_and_prints_a_line_for_each():
    with World() as world, Listening(world, "--as", "desk", "--count", "2") as desk:
        world.router("send", "--to", "desk", "--type", "a", "--data", '{"n": 1}').exits(0)
        equal(desk.line()["data"], {"n": 1})
        world.router("send", "--to", "desk", "--type", "a", "--data", '{"n":\n 2}').exits(0)
        code, out, err = desk.end()
        equal((code, out.count("\n"), err), (0, 1, ""))
        equal(json.loads(out)["data"], {"n": 2})
        equal(world.router.system("desk")["delivered"], 2)


@case
def listen_takes_no_more_than_it_was_to_count():
    with World() as world:
        for number in range(3):
            world.router("send", "--to", "desk", "--type", "a", "--data", str(number)).exits(0)
        with Listening(world, "--as", "desk", "--count", "1", sessions=None) as desk:
            code, out, _ = desk.end()
            equal((code, len(out.splitlines())), (0, 1))
        with Listening(world, "--as", "desk", "--count", "2", sessions=None) as desk:
            code, rest, _ = desk.end()
            equal(code, 0)
        equal(sorted(json.loads(line)["data"] for line in (out + rest).splitlines()), [0, 1, 2])


@case
def listen_answers_what_asks():
    with World() as world, Listening(world, "--as", "desk", "--count", "1", "--reply", '{"eur":1}') as desk:
        done = world.router("call", "--to", "desk", "--type", "a", "--kind", "query").exits(0)
        equal(json.loads(done.out), {"eur": 1})
        equal(desk.end()[0], 0)


@case
def listen_as_a_subscription_gets_copies_of_what_matches():
    with World() as world, Listening(world, "--as", "desk", "--when", "type LIKE 'com.example.alarm.%'", "--count", "1", sessions=None) as desk:
        # It is there when a message that no route takes finds it.
        until(lambda: world.router.status()["connections"] > 0, "a connection")
        until(lambda: world.router("send", "--type", "com.example.alarm.raised", "--data", "7").code == 0 and desk.process.poll() is not None,
              "a copy")
        code, out, _ = desk.end()
        equal((code, json.loads(out)["data"]), (0, 7))


@case
def listen_for_a_time_ends_well():
    with World() as world, Listening(world, "--as", "desk", "--for", "300ms", sessions=None) as desk:
        equal(desk.end(), (0, "", ""))


@case
def listen_ends_by_signals_with_their_codes():
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with World() as world, Listening(world, "--as", "desk") as desk:
            desk.process.send_signal(number)
            equal(desk.end(), (code, "", ""))


@case
def listen_as_nobody_known_is_refused():
    with World() as world, Listening(world, "--as", "dsek", sessions=None) as desk:
        code, out, err = desk.end()
        equal((code, out), (4, ""), err)
        matches(err, r"\((forbidden|unknown-target)\)")


@case
def listen_is_told_when_the_router_goes():
    with World() as world, Listening(world, "--as", "desk") as desk:
        world.router.process.send_signal(signal.SIGTERM)
        equal(world.router.wait(), 0)
        code, _, err = desk.end()
        assert code in (4, 69), (code, err)
        matches(err, r"\(\S+\)\n\Z")


@case
def keys_come_from_a_file_or_the_environment():
    made = intertie("keys", "new", "crm", "--json").json()
    security = f"""security: {{identities: {{crm: {{system: desk, allow: [send system/lamp], keys: {{{made["row"]}}}}}}}}}\n"""
    with World(security) as world, Folder({"key": made["key"] + "\n", "wrong": "itk_" + "A" * 43}) as folder:
        os.chmod(folder.file("key"), 0o600)
        send = ["send", "--as", "desk", "--to", "lamp", "--type", "a"]
        world.router(*send, "--key-file", folder.file("key")).exits(0)
        world.router(*send, env={"INTERTIE_KEY": made["key"]}).exits(0)
        matches(world.router(*send, "--key-file", folder.file("wrong")).exits(4).err, r"\(unauthenticated\)")
        matches(world.router(*send).exits(4).err, r"\((forbidden|source-not-allowed|unauthenticated)\)")
        world.router(*send, "--key-file", folder.file("nofile")).exits(1)
        place = world.router.url("intertie")
        intertie(*send, "--url", place, "--key-file", folder.file("key")).exits(0)
        intertie(*send, "--url", place, "--key-file", folder.file("wrong")).exits(4)
        with Listening(world, "--as", "desk", "--for", "100ms", "--key-file", folder.file("key"), sessions=None) as desk:
            equal(desk.end()[0], 0)
        with Listening(world, "--as", "desk", sessions=None) as desk:
            equal(desk.end()[0], 4)


main()
