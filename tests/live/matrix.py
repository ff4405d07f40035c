#!/usr/bin/env python3
"""Every way in to every way out, over real sockets.

Three routers in a row: `near` sends to `middle` by each way, `middle` sends on to `far` by each way, and a session at
`far` answers. So each pair (way into middle, way out of middle) carries an event and a query with its answer. The ways
are what `validate --schema` says that URLs and frames may be: a new scheme or framing adds its pairs by itself.
"""
import base64
import functools
import json
import re
import socket
import subprocess
import tempfile
import threading

import kit
from kit import Router, event, main, reply_to, same, true

SCHEMA = json.loads(subprocess.run([kit.PROGRAM, "validate", "--schema"], capture_output=True, text=True, check=True).stdout)
# Frames with parameters; the schema has no list of those.
PARAMETERS = {"fixed": 512, "idle": "50ms", "until": "hex 1e"}
TLS = {"https", "wss", "tls", "intertie+tls"}
EXTENSIONS = "extensions: {wayin: string, wayout: string, amount: integer, ready: boolean, token: binary, due: timestamp}\n"


def properties(*path):
    """The members of a map somewhere in the schema: the first alternative is the long form."""
    node = SCHEMA
    for name in path:
        node = node["properties"].get(name) if name != "*" else node["additionalProperties"]
        if node is None or "not" in node:
            return {}
        node = node["anyOf"][0]
    return node.get("properties", {})


def schemes():
    """Those that both sides have."""
    def of(keys):
        return re.match(r"\^\((.*)\)://", keys["url"]["anyOf"][0]["anyOf"][0]["pattern"])[1].replace("\\", "").split("|")
    system = of(properties("systems", "*"))
    return [scheme for scheme in of(properties("listeners", "*")) if scheme in system]


def words_of(node):
    """Those that a key may have as its value."""
    if isinstance(node, dict):
        return node.get("enum", []) + [word for each in node.get("anyOf", []) for word in words_of(each)]
    return []


def frames():
    """Framings that can hold bare data, in both roles: named ones from the schema, and those with a parameter."""
    keys = properties("systems", "*")
    if "raw" not in words_of(keys["format"]):
        return []
    maps = {}
    for alternative in keys["frame"].get("anyOf", []):
        maps = alternative.get("properties", maps)
    return words_of(keys["frame"]) + [f"{{{name}: {PARAMETERS[name]}}}" for name in maps if "not" not in maps[name]]


class Way:
    """How one router sends to the next."""

    def __init__(self, scheme, frame=None, raw=False, subprotocol=None):
        self.scheme, self.frame, self.raw, self.subprotocol = scheme, frame, raw, subprotocol
        self.name = re.sub(r"[^a-z0-9]+", "-", " ".join(filter(None, (scheme, frame, "raw" if raw else "", subprotocol)))).strip("-")

    def path(self):
        return "/v1/messages" if self.scheme in ("http", "https") else "/v1/ws" if self.scheme in ("ws", "wss") else ""

    def keys(self):
        return [f"frame: {self.frame}" if self.frame else "", "format: raw" if self.raw else "",
                f"websocket: {{subprotocols: {self.subprotocol}}}" if self.subprotocol else ""]

    def listener(self, kind):
        """`kind`: of what is wrapped."""
        path = self.path() if self.scheme in ("ws", "wss") else ""
        more = self.keys()
        if self.scheme in TLS:
            more.append("tls: {certificates: dev}")
        if self.scheme == "udp" or self.raw:
            more.append("system: near, allow: 127.0.0.0/8")
        if self.raw:
            more.append(f"defaults: {{type: com.example.matrix, messagetype: {kind}, datacontenttype: application/json}}")
        return "{" + ", ".join(filter(None, [f"url: {self.scheme}://127.0.0.1:0{path}"] + more)) + "}"

    def system(self, port):
        more = self.keys() + ["source: /systems/"]  # a router speaks for all of its systems
        if self.scheme in TLS:
            more.append("tls: {authorities: dev}")
        if self.raw and self.scheme in ("tcp", "tls"):
            more.append("reply: fifo")
        return "{" + ", ".join(filter(None, [f"url: {self.scheme}://127.0.0.1:{port}{self.path()}"] + more)) + "}"


def ways():
    found = [Way(scheme) for scheme in schemes()]
    found += [Way("ws", subprotocol=name) for name in ("cloudevents.proto", "intertie.v1")]
    for frame in frames():
        found.append(Way("tcp", frame, raw=True))
        if frame == "len32be" and "tls" in schemes():
            found.append(Way("tls", frame, raw=True))
    if frames():
        found.append(Way("udp", raw=True))
    return found


WAYS = ways()
KINDS = ("event", "query")
CERTIFICATES = "security: {{certificates: {{dev: {{cert: {0}/server.pem, key: {0}/server.key}}}}, authorities: {{dev: {0}/ca.pem}}}}\n"


def place(way, kind):
    """The listener for it: raw frames can't say what kind they are."""
    return f"{way.name}-{kind}" if way.raw else way.name


def listeners():
    lines = {}
    for way in WAYS:
        for kind in KINDS:
            lines[place(way, kind)] = way.listener(kind)
    return "listeners:\n  web: http://127.0.0.1:0\n  stream: tcp://127.0.0.1:0\n" + \
        "".join(f"  {name}: {text}\n" for name, text in lines.items())


def systems(next_router):
    lines = {place(way, kind): way.system(next_router.ports[place(way, kind)]) for way in WAYS for kind in KINDS}
    return "systems:\n  near: {}\n" + "".join(f"  to-{name}: {text}\n" for name, text in lines.items())


def routes(attribute):
    """By attribute, or, where all of them were lost on the way, by what the data says."""
    text = "routes:\n"
    for way in WAYS:
        for kind in KINDS:
            name = f"{way.name}-{kind}"
            text += f"  {name}: {{match: {{{attribute}: {way.name}, messagetype: {kind}}}, to: to-{place(way, kind)}}}\n"
            text += (f"  {name}-bare: {{match: {{type: com.example.matrix, messagetype: {kind}}}, "
                     f"when: \"DATA('/{attribute}') = '{way.name}'\", to: to-{place(way, kind)}}}\n")
    return text


class Row:
    """The three routers, and the session at the far end."""

    def __init__(self, certificates):
        head = EXTENSIONS + "workers: 1\n" + (CERTIFICATES.format(certificates) if certificates else "")
        self.got = {}
        self.arrived = threading.Condition()
        self.far = Router(head + listeners() + "systems: {near: {}, end: {accept: true}}\nroutes: {every: {match: {}, to: end}}\n",
                          name="far", replay=not certificates and kit.REPLAY)
        self.middle = Router(head + listeners() + systems(self.far) + routes("wayout"), name="middle",
                             replay=not certificates and kit.REPLAY)
        self.near = Router(head + "listeners: {web: http://127.0.0.1:0}\n" + systems(self.middle) + routes("wayin"), name="near",
                           replay=not certificates and kit.REPLAY)  # an input log would hold private keys
        self.session = self.far.lines()
        self.session.control("hello", system="end")
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                got = self.session.read(120)
            except OSError:
                return
            if not got:
                return
            with self.arrived:
                self.got[(got.get("data") or {}).get("mark")] = got
                self.arrived.notify_all()
            if got.get("messagetype") == "query":
                self.session.send(dict(reply_to(got, {"seen": got["data"]["mark"], "text": TEXT}), source="/systems/end"))

    def wait(self, mark, seconds=15):
        with self.arrived:
            true(self.arrived.wait_for(lambda: mark in self.got, seconds), f"{mark} never came")
            return self.got[mark]

    def close(self):
        self.session.socket.shutdown(socket.SHUT_RDWR)  # wakes who reads it
        for router in (self.near, self.middle, self.far):
            router.__exit__(None, None, None)


TEXT = "grün \u2028 \\ \" 😀"
TYPED = {"amount": -7, "ready": True, "token": base64.b64encode(bytes(range(8))).decode(), "due": "2026-11-22T22:10:42.25Z",
         "subject": "ä b%", "partitionkey": "k", "priority": 3, "time": "2026-11-22T22:10:42Z"}


def message(kind, way_in, way_out):
    mark = f"{kind} {way_in.name} {way_out.name}"
    data = {"mark": mark, "wayin": way_in.name, "wayout": way_out.name, "big": 12345678901234567890, "text": "grün\n\u0000\\\""}
    return mark, event(kind, "com.example.matrix", data, source="/systems/near", wayin=way_in.name, wayout=way_out.name,
                       datacontenttype="application/json", **TYPED)


def canonical(name, value):
    """Protobuf keeps an instant, not how it was written."""
    return value.replace(".250Z", ".25Z") if name == "due" and isinstance(value, str) else value


def check_arrival(sent, got, way_in, way_out):
    same(got["data"], sent["data"], "data")
    if way_in.raw or way_out.raw:
        return
    for name in ("id", "source", "type", "wayin", "wayout", *TYPED):
        same(canonical(name, got.get(name)), sent[name], name)


def payload(got):
    """What JSON data says; bare data comes back as bytes."""
    return got["data"] if "data" in got else json.loads(base64.b64decode(got["data_base64"]))


def pair(row, way_in, way_out):
    for kind in KINDS:
        if kind == "query" and any(way.raw and way.scheme == "udp" for way in (way_in, way_out)):
            continue  # nothing says which datagram would be the answer
        mark, sent = message(kind, way_in, way_out)
        reply = row.near.post(sent)
        if kind == "event":
            same(reply.status, 202, f"{mark}: status ({reply.body[:300]})")
        check_arrival(sent, row.wait(mark), way_in, way_out)
        if kind == "query":
            same(reply.status, 200, f"{mark}: status ({reply.body[:300]})")
            answer = json.loads(reply.body)
            same(payload(answer), {"seen": mark, "text": TEXT}, f"{mark}: the answer's data")
            same(answer["causationid"], sent["id"], f"{mark}: causationid")


def made_certificates(folder):
    if not TLS & {way.scheme for way in WAYS}:
        return None
    made = subprocess.run([kit.PROGRAM, "certs", "dev", folder], capture_output=True, text=True, check=False)
    if made.returncode:
        raise AssertionError(made.stderr)
    return folder


@functools.cache
def row():
    folder = tempfile.TemporaryDirectory(prefix="intertie-")
    made = Row(made_certificates(folder.name))
    made.folder = folder
    return made


def case_of(way_in):
    def run():
        row()
        failures = []
        for way_out in WAYS:
            try:
                pair(row(), way_in, way_out)
            except Exception as why:  # any failure is this pair's result
                failures.append(f"to {way_out.name}: {type(why).__name__}: {why}")
        true(not failures, "\n".join(failures))
    run.__name__ = f"from_{way_in.name.replace('-', '_')}_to_{len(WAYS)}_ways"
    return run


for each in WAYS:
    kit.case(case_of(each))


@kit.case
def nothing_was_lost_and_the_routers_end_cleanly():
    for router in (row().near, row().middle, row().far):
        endings = router.status()["messages"]["endings"]
        for ending in ("dead", "dropped", "expired"):
            true(not any(endings[ending].values()), f"{router.head.split()[1]}: {endings}")
    row().close()


if __name__ == "__main__":
    main()
