"""What is measured: each workload names its subject, its peers, its floor and the bars between them."""
from dataclasses import dataclass, field
from typing import Callable, Optional

import foot
from servers import free_port, meet_workers


@dataclass
class Contestant:
    """How to start a program, and how to load it: `kind` and key=value words of the load generator."""
    start: Callable
    load: list = field(default_factory=list)
    probe: Optional[Callable] = None  # instead of the generator
    plus_us: float = 0  # on top of what was measured: a bar that is a difference


@dataclass
class Bar:
    """`ratio` is peer / subject of the metric, so more is better; with `most` it is subject / peer and less is."""
    ratio: float
    goal: Optional[float] = None
    most: bool = False


@dataclass
class Workload:
    name: str
    subject: Contestant
    peers: dict = field(default_factory=dict)
    floor: Optional[Contestant] = None
    bars: dict = field(default_factory=dict)
    metric: str = "server_us"
    fresh: bool = False  # started anew for each run, since it fills up
    smoke: bool = True  # short enough for a quick test
    note: str = ""


STREAM = "  stream: tcp://127.0.0.1:{port}"
NOBODY = "systems: {nobody: {accept: true}}\nroutes: {other: {match: {type: com.other.*}, to: nobody}}"


def pubsub(dialect, size, subscribers=1, **more):
    words = [f"{key}={value}" for key, value in more.items()]
    return ["pubsub", f"dialect={dialect}", f"size={size}", f"subscribers={subscribers}"] + words


def stream_router(programs):
    return programs.intertie(STREAM, NOBODY)


def tcp_floor(programs):
    return programs.floor("tcp")


def streams():
    """Stream v1 from one publisher to subscriptions, beside NATS and Redis."""
    bars = {("encoded", 256, 1): Bar(1.5, 2.0), ("data", 256, 1): Bar(1.1), ("encoded", 16384, 1): Bar(1.3),
            ("encoded", 256, 8): Bar(1.2, 1.5)}
    shapes = [("encoded", 256, 1), ("data", 256, 1), ("encoded", 256, 8), ("encoded", 16384, 1), ("data", 16, 1),
              ("data", 1024, 1), ("data", 16, 8), ("data", 1024, 8), ("encoded", 16384, 8)]
    for form, size, subscribers in shapes:
        encoded = int(form == "encoded")
        bar = bars.get((form, size, subscribers))
        name = f"stream-{size}" + ("" if encoded else "-data") + f"-1to{subscribers}"
        peers = {peer: Contestant(getattr(type_of, peer), pubsub(peer, size, subscribers))
                 for peer, type_of in (("nats", Start), ("redis", Start))}
        yield Workload(name, Contestant(stream_router, pubsub("stream1", size, subscribers, encoded=encoded)), peers,
                       Contestant(tcp_floor, pubsub("raw", size, subscribers, encoded=encoded)),
                       {"nats": bar} if bar else {})
    for size in (256, 16384):
        yield Workload(f"stream-{size}-1to1-acknowledged",
                       Contestant(stream_router, pubsub("stream1", size, encoded=1, acknowledged=1)),
                       {"nats": Contestant(Start.nats, pubsub("nats", size))},
                       Contestant(tcp_floor, pubsub("raw", size, encoded=1)), note="the peer acknowledges nothing")


class Start:
    """Starters of peers that need no settings."""
    @staticmethod
    def nats(programs):
        return programs.nats()

    @staticmethod
    def redis(programs):
        return programs.redis()


def lines():
    """JSON lines in and out."""
    for size in (16, 256, 1024, 16384):
        yield Workload(f"ndjson-{size}-1to1", Contestant(stream_router, pubsub("ndjson", size)),
                       {"nats": Contestant(Start.nats, pubsub("nats", size))},
                       Contestant(tcp_floor, pubsub("raw", size)))
    for size in (256, 16384):
        yield Workload(f"ndjson-{size}-1to8", Contestant(stream_router, pubsub("ndjson", size, 8)),
                       {"nats": Contestant(Start.nats, pubsub("nats", size, 8))},
                       Contestant(tcp_floor, pubsub("raw", size, 8)))


WEB = "  web: http://127.0.0.1:{port}"
REQUEST_SIZE = 484  # of what the generator posts below
POST = ["path=/v1/messages", "size=256", "connections=64"]


def web_router(more="", workers=1):
    return lambda programs: programs.behind(lambda backend: programs.intertie(
        WEB, f"systems: {{back: {{url: http://127.0.0.1:{backend}/{more}}}}}\nroutes: {{every: {{match: {{}}, to: back}}}}",
        workers=workers))


def web():
    """HTTP to HTTP, and HTTP into a queue that nobody reads."""
    peers = {"haproxy": Contestant(lambda p: p.behind(p.haproxy), ["http", "expect=204"] + POST),
             "nginx": Contestant(lambda p: p.behind(p.nginx_proxy), ["http", "expect=204"] + POST)}
    floor = Contestant(lambda p: p.behind(lambda backend: p.floor("pump", backend)), ["http", "expect=204"] + POST)
    own = ["http", "expect=202"] + POST
    yield Workload("http-to-http", Contestant(web_router(), own), peers, floor, {"haproxy": Bar(1.05, 1.2)})
    yield Workload("http-to-http-pipelined", Contestant(web_router(", pool: {max: 2, pipeline: 16}"), own), peers, floor,
                   {"haproxy": Bar(1.4)})
    yield Workload("http-to-http-batched", Contestant(web_router(", pool: {max: 2}, batch: {max: 100, wait: 0s}"), own),
                   peers, floor, {"haproxy": Bar(1.4)})
    policies = (", balance: {by: ewma}, health: {type: tcp}, outlier: true, breaker: true, retry: {attempts: 3}, "
                "redeliver: {attempts: 20}, slow_start: {over: 5s}")
    yield Workload("http-to-http-policies", Contestant(web_router(policies), own), {"without": Contestant(web_router(), own)},
                   None, {"without": Bar(1.15, most=True)}, note="health, ejection, breaker, retries and peak-EWMA; the peer is the same route without them")
    queue = ("systems: {sink: {accept: true, limits: {queue: {messages: 100000000, bytes: 8GiB}}}}\n"
             "routes: {every: {match: {}, to: sink}}")
    yield Workload("http-to-queue", Contestant(lambda p: p.intertie(WEB, queue), own),
                   {"nchan": Contestant(lambda p: p.nchan(), own)},
                   Contestant(lambda p: p.floor("answer", REQUEST_SIZE), own), {"nchan": Bar(1.3, 1.5)}, fresh=True)
    yield Workload("http-to-stream", Contestant(both_router, own + ["sink=stream1"]),
                   {"nchan": Contestant(lambda p: p.nchan(kept=100), own + ["sink=nchan"])},
                   note="one subscriber; nchan's by HTTP, as a stream without end")


SECURE = "  web: {url: https://127.0.0.1:{port}, tls: {certificates: dev}}"


def rest_router(goal, secure=False):
    """A REST route: `goal` is to, which makes each request a message, or proxy, which doesn't."""
    def start(programs):
        kept = programs.certificates() if secure else ""
        extra = f"security: {{certificates: {{dev: {{cert: {kept}/server.pem, key: {kept}/server.key}}}}}}\n" if secure else ""
        return programs.behind(lambda backend: programs.intertie(
            SECURE if secure else WEB, f"systems: {{back: {{url: http://127.0.0.1:{backend}/, format: rest}}}}\n"
            f"routes: {{every: {{match: {{http: {{path: /**}}}}, {goal}: back}}}}", extra=extra), status=200)
    return start


def rest():
    """REST routes, in the clear and behind TLS, beside proxies on the same bytes."""
    load = ["http", "rest=1", "expect=200", "path=/orders/7", "size=256", "connections=64"]
    floor = Contestant(lambda p: p.behind(lambda backend: p.floor("pump", backend), status=200), load)

    def row(name, goal, bars, words=(), secure=False, note="", floor=None):
        words = load + list(words)
        peers = {"haproxy": Contestant(lambda p: p.behind(lambda b: p.haproxy(b, secure), status=200), words),
                 "nginx": Contestant(lambda p: p.behind(lambda b: p.nginx_proxy(b, secure), status=200), words)}
        return Workload(name, Contestant(rest_router(goal, secure), words), peers, floor, bars, note=note)
    for goal, name, bar in (("to", "rest", 0.95), ("proxy", "rest-proxy", 1.05)):
        yield row(name, goal, {"haproxy": Bar(bar)}, floor=floor)
    for goal, name in (("to", "https-rest"), ("proxy", "https-proxy")):
        yield row(name, goal, {"haproxy": Bar(1.05)} if goal == "proxy" else {}, ["tls=full"], True,
                  "TLS 1.3, AES-128-GCM, kept alive")
    yield row("tls-resumed", "to", {"haproxy": Bar(0.9)}, ["tls=resumed", "closing=1"], True,
              "a connection for each request, resumed by ticket")
    yield row("tls-full", "to", {}, ["tls=full", "closing=1"], True, "a connection for each request, a whole handshake")


def secure_web(programs):
    """Events over HTTPS to HTTP."""
    kept = programs.certificates()
    return programs.behind(lambda backend: programs.intertie(
        SECURE, f"systems: {{back: http://127.0.0.1:{backend}/}}\nroutes: {{every: {{match: {{}}, to: back}}}}",
        extra=f"security: {{certificates: {{dev: {{cert: {kept}/server.pem, key: {kept}/server.key}}}}}}\n"))


def secure_events():
    load = ["http", "tls=full"] + POST
    peers = {"haproxy": Contestant(lambda p: p.behind(lambda b: p.haproxy(b, True)), load + ["expect=204"]),
             "nginx": Contestant(lambda p: p.behind(lambda b: p.nginx_proxy(b, True)), load + ["expect=204"])}
    yield Workload("https-to-http", Contestant(secure_web, load + ["expect=202"]), peers, None, {"haproxy": Bar(1.05)},
                   note="TLS 1.3, AES-128-GCM, kept alive")


def web_socket_router(programs):
    return programs.intertie(WEB, NOBODY)


def web_sockets():
    """WebSocket: messages that come back to who sent them, and messages to many."""
    def own_system(programs):
        systems = ", ".join(f"c{i}: {{accept: true}}" for i in range(64))
        return programs.intertie(WEB, f"systems: {{{systems}}}\nroutes: {{none: {{match: {{type: com.other}}, to: c0}}}}")
    for depth, bar in ((1, Bar(1.4)), (16, Bar(1.4, 4.0))):
        words = ["echo", "path=/v1/ws", "size=256", "connections=64", f"depth={depth}"]
        yield Workload(f"ws-echo-{depth}", Contestant(own_system, words),
                       {"node-ws": Contestant(lambda p: p.node_echo(), words)}, None, {"node-ws": bar},
                       note="each client is a system, and sends to itself; the peer echoes")
    for subscribers in (1, 8, 64):
        def load(dialect, subscribers=subscribers):
            # nchan comes to a stop when its publisher has thousands under way: some 250 for either
            return pubsub(dialect, 256, subscribers, encoded=1, path="/v1/ws", window=65536)
        yield Workload(f"ws-1to{subscribers}", Contestant(web_socket_router, load("ws")),
                       {"nchan": Contestant(lambda p: p.nchan(kept=100000), load("nchan-ws"))},
                       Contestant(tcp_floor, pubsub("raw", 256, subscribers, encoded=1)),
                       {"nchan": Bar(4.0, 8.0)} if subscribers == 64 else {})


def both_router(programs):
    """HTTP to subscriptions by stream v1."""
    sink = free_port()
    server = programs.intertie(WEB + f"\n  stream: tcp://127.0.0.1:{sink}",
                               NOBODY)
    server.sink_port = sink
    return server


def datagrams():
    """UDP to UDP: an event in JSON is so many bytes, with everything in it."""
    for size in (64, 256, 1024):
        under_way = 96 if size < 1024 else 48  # what the kernel keeps for a socket of usual size
        load = ["udp", f"size={size}", "encoded=1", f"connections={under_way}"]
        yield Workload(f"udp-{size}", Contestant(lambda p: p.udp_router(), load),
                       {"nginx": Contestant(lambda p: p.udp_nginx(), load)},
                       Contestant(lambda p: p.floor("udp"), load), {"nginx": Bar(1.5, 2.5)})


DESK = "systems: {desk: {accept: true}}\nroutes: {other: {match: {type: com.other.*}, to: desk}}"


def asking():
    """Requests and replies of 64 bytes over two connections."""
    def row(name, words, bars, extra="", metric="p50_us", note=""):
        peers = {peer: Contestant(getattr(Start, peer), ["ask", f"dialect={peer}", "size=64"] + words)
                 for peer in ("nats", "redis")}
        return Workload(name, Contestant(lambda p: p.intertie(STREAM, DESK, extra=extra),
                                         ["ask", "dialect=stream1", "size=64"] + words), peers, None, bars, metric,
                        note=note)
    yield row("ask", [], {"nats": Bar(0.9, most=True)})
    yield row("ask-cpu", [], {}, metric="server_us")
    yield row("ask-p99", [], {}, metric="p99_us")
    yield row("ask-busy-poll", [], {"nats": Bar(0.4, most=True)}, extra="busy_poll: 200us\n")
    for metric, name in (("p50_us", "-p50"), ("p99_us", ""), ("p999_us", "-p999")):
        yield row(f"ask-2000-a-second{name}", ["rate=2000"], {}, metric=metric, note="latency from the scheduled time")


QUIET = "systems: {sink: {accept: true}}\nroutes: {every: {match: {}, to: sink}}"


def feet():
    """Start, memory, idle connections."""
    def web_alone(programs):
        return programs.intertie(WEB, QUIET)

    def web_secure(programs):
        kept = programs.certificates()
        return programs.intertie(SECURE, QUIET, extra="security: {certificates: {dev: "
                                 f"{{cert: {kept}/server.pem, key: {kept}/server.key}}}}}}\n")

    def kib_of(value):
        return Contestant(lambda _: foot.Constant(value), probe=foot.constant)
    kib = kib_of(1.0)
    start, memory = foot.start_time, foot.memory_idle
    each_http, each_stream = foot.per_connection("http", 10000), foot.per_connection("stream1", 10000)
    yield Workload("start-ms", Contestant(web_alone, probe=start("http")),
                   {"nats": Contestant(Start.nats, probe=start("nats"))}, None, {"nats": Bar(0.6, most=True)}, "value",
                   fresh=True)
    yield Workload("idle-rss-mb", Contestant(web_alone, probe=memory),
                   {"mosquitto": Contestant(lambda p: p.mosquitto(), probe=memory),
                    "nats": Contestant(Start.nats, probe=memory)}, None, {"mosquitto": Bar(0.6, most=True)}, "value",
                   fresh=True)
    yield Workload("connection-http-kib", Contestant(web_alone, probe=each_http),
                   {"1 KiB": kib, "nginx": Contestant(lambda p: p.nginx_alone(), probe=each_http)}, None,
                   {"1 KiB": Bar(1.0, 0.52, most=True)}, "value", fresh=True)
    yield Workload("connection-stream-kib", Contestant(stream_router, probe=each_stream), {"1 KiB": kib}, None,
                   {"1 KiB": Bar(1.0, 0.52, most=True)}, "value", fresh=True)
    each_ws = foot.per_connection("ws", 9000, "path=/v1/ws")
    yield Workload("connection-ws-kib", Contestant(web_alone, probe=each_ws),
                   {"6 KiB": kib_of(6.0), "nchan": Contestant(
                       lambda p: p.nchan(), probe=foot.per_connection("nchan-ws", 9000))}, None,
                   {"6 KiB": Bar(1.0, most=True)}, "value", fresh=True)
    each_tls = foot.per_connection("http", 2000, "tls=full")
    yield Workload("connection-tls-kib", Contestant(web_secure, probe=each_tls),
                   {"24 KiB": kib_of(24.0), "nginx": Contestant(lambda p: p.nginx_alone(True), probe=each_tls),
                    "haproxy": Contestant(lambda p: p.behind(lambda b: p.haproxy(b, True), status=202), probe=each_tls)},
                   None, {"24 KiB": Bar(1.0, most=True)}, "value", fresh=True)


def crowded(count):
    """A router with so many idle HTTP connections beside its streams."""
    def start(programs):
        web = free_port()
        server = programs.intertie(STREAM + f"\n  web: {{url: http://127.0.0.1:{web}, timeouts: {{idle: 1h}}}}", QUIET_BUT)
        if count:
            server.beside.append(foot.Holder(programs, web, count, "http"))
        return server
    return start


QUIET_BUT = ("systems: {nobody: {accept: true, limits: {queue: {messages: 100000}}}}\n"
             "routes: {posts: {match: {listener: web}, to: nobody}}")


def routed(count, shape):
    """A router with so many routes, none of which is for what is sent."""
    def start(programs):
        rows = "\n".join(f"  r{i}: {{match: {{type: com.example.r{i}{shape}}}, to: nobody}}" for i in range(count))
        return programs.intertie(STREAM, f"systems: {{nobody: {{accept: true}}}}\nroutes:\n{rows}")
    return start


def flat():
    """What must not cost more with more of it: the subject has many, its peer few."""
    load = pubsub("stream1", 256, encoded=1)
    bar = Bar(1.1, most=True)
    for count in (1000, 10000):
        yield Workload(f"idle-{count}", Contestant(crowded(count), load), {"0 idle": Contestant(crowded(0), load)}, None,
                       {"0 idle": bar}, smoke=False)
    for shape, name in (("", "exact"), (".*", "prefix")):
        for count in (100, 10000):
            yield Workload(f"routes-{count}-{name}", Contestant(routed(count, shape), load),
                           {"1 route": Contestant(routed(1, shape), load)}, None, {"1 route": bar}, smoke=count < 10000)
    own = ["http", "expect=202"] + POST
    yield Workload("workers-2-http", Contestant(web_router(workers=2), own), {"1 worker": Contestant(web_router(), own)},
                   None, {"1 worker": bar}, note="nothing crosses; both on one processor")
    spread = pubsub("stream1", 256, 8, encoded=1)
    yield Workload("workers-2-1to8", Contestant(lambda p: p.intertie(STREAM, NOBODY, workers=2), spread),
                   {"1 worker": Contestant(stream_router, spread)}, note="some half crosses; both on one processor")
    for name, ports, peers in (
            ("apart", lambda met: (met[0][0], met[1][0]), {"1 worker, +0.25 us": Contestant(stream_router, load, plus_us=0.25)}),
            ("together", lambda met: (met[0][0], met[0][1]), {"1 worker, +10 %": Contestant(stream_router, load)})):
        yield Workload(f"workers-2-{name}", Contestant(split_router(ports), load), peers, None,
                       {peer: Bar(1.0 if name == "apart" else 1.1, most=True) for peer in peers},
                       note=f"sender and subscriber {name}; both workers on one processor")


def split_router(ports):
    """Two workers, and from where the generator meets which."""
    def start(programs):
        server = programs.intertie(STREAM, NOBODY, workers=2)
        sender, subscriber = ports(meet_workers(server))
        server.load_words = [f"from={sender}", f"sink_from={subscriber}"]
        return server
    return start


# Names that stand for several.
GROUPS = {"protocols": ["http-to-http", "rest", "rest-proxy", "https-to-http", "https-rest", "https-proxy", "tls-resumed",
                        "tls-full", "ws-echo-1", "ws-echo-16", "ws-1to1", "ws-1to8", "ws-1to64", "ndjson-256-1to1",
                        "ndjson-256-1to8", "connection-http-kib", "connection-ws-kib", "connection-tls-kib", "idle-rss-mb"]}


def all_workloads():
    for family in (streams, lines, web, rest, secure_events, web_sockets, datagrams, asking, feet, flat):
        yield from family()
