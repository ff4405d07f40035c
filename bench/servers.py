"""The programs that are measured: ours, its peers, the floor. Each is started pinned to one processor and stopped."""
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.request

SERVER_CPU = 0
TLS_HAPROXY = "ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256"
GENERATOR_CPU = min(1, (os.cpu_count() or 1) - 1)


class Missing(Exception):
    """A program isn't installed, or can't do that yet."""


def pinned(cpus):
    return lambda: os.sched_setaffinity(0, cpus if isinstance(cpus, (set, list)) else {cpus})


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise Missing(f"{name} is not installed")
    return path


def children(pid):
    """A process and those that it started."""
    found = [pid]
    for each in found:
        try:
            with open(f"/proc/{each}/task/{each}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return found


class Server:
    """A running program. `port` is where publishers go, `sink_port` where subscribers do, if elsewhere."""

    def __init__(self, folder, name, command, port, sink_port=None, cpus=SERVER_CPU, wait=True):
        self.port, self.sink_port, self.name = port, sink_port or port, name
        self.command, self.folder = command, folder
        self.beside, self.load_words = [], []  # servers that end with it; words for the generator
        self.log = os.path.join(folder, f"{name}.out")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
                                            preexec_fn=pinned(cpus))
        self.await_start(wait)

    def await_start(self, has_port):
        """Until it takes connections; where there are none, half a second."""
        end = time.monotonic() + (20 if has_port else 0.5)
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if has_port:
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                    return
            except OSError:
                pass
            time.sleep(0.02)
        if not has_port and self.process.poll() is None:
            return
        self.stop()
        with open(self.log, encoding="utf-8", errors="replace") as log:
            said = log.read()[-2000:]
        if "not supported yet" in said:
            raise Missing(f"{self.name}: {said.splitlines()[0].split('error: ')[-1]}")
        raise SystemExit(f"{self.name} did not start: {said}")

    def pids(self):
        return children(self.process.pid)

    def memory(self, key):
        """Kibibytes of Rss or Pss, all processes."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith(key + ":"))
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for each in self.beside:
            each.stop()


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def meet_workers(server):
    """For each of two workers two local ports from which a connection meets it: the kernel chooses by both addresses.
    They are above those that the kernel hands out to others."""
    found = {}
    for mine in random.sample(range(61000, 65536), 200):
        try:
            one = socket.create_connection(("127.0.0.1", server.port), timeout=5, source_address=("127.0.0.1", mine))
        except OSError:  # somebody has it
            continue
        with one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            url = f"http://127.0.0.1:{server.admin}/api/v1/connections"
            with urllib.request.urlopen(url, timeout=5) as answer:
                rows = json.load(answer)["connections"]
        for row in rows:
            if row["peer"].endswith(f":{mine}"):
                found.setdefault(row["worker"], []).append(mine)
        if len(found) == 2 and all(len(ports) >= 2 for ports in found.values()):
            return found
    raise SystemExit(f"workers were met from ports {found}")


class Programs:
    """Knows where the built programs are, and starts all others. `folder` is for configs, logs and data."""

    def __init__(self, build, folder):
        self.build, self.folder, self.count = os.path.abspath(build), folder, 0
        self.wrap = []  # before our own program: a profiler

    def place(self, name):
        self.count += 1
        path = os.path.join(self.folder, f"{name}-{self.count}")
        os.makedirs(path)
        os.chmod(path, 0o777)
        return path

    @property
    def load(self):
        return os.path.join(self.build, "bench", "bench-load")

    def intertie(self, listeners, body, workers=1, extra="", cpus=SERVER_CPU):
        """`listeners` are lines of YAML with {port}; `body` the rest of the config."""
        place, port, admin = self.place("intertie"), free_port(), free_port()
        config = write(place, "bench.yaml", f"name: bench\nworkers: {workers}\nrun_dir: {place}\n"
                       f"admin: {{url: http://127.0.0.1:{admin}}}\n"
                       f"log: {{level: error, file: {place}/log}}\n{extra}"
                       f"listeners:\n{listeners.replace('{port}', str(port))}\n{body}\n")
        server = Server(place, "intertie", self.wrap + [os.path.join(self.build, "src", "intertie"), "run", config],
                        port, cpus=cpus, wait="udp:" not in listeners)
        server.admin = admin
        return server

    def floor(self, kind, out=None):
        place, port = self.place("floor"), free_port()
        sink = out or free_port()
        return Server(place, "floor", [os.path.join(self.build, "bench", "bench-floor"), kind, str(port), str(sink)],
                      port, sink, wait=kind != "udp")

    def backend(self, status=204):
        """The HTTP server behind all of them, on the generator's processor."""
        place, port = self.place("backend"), free_port()
        counter = os.path.join(place, "counter")
        server = Server(place, "backend", [self.load, "backend", f"port={port}", f"expect={status}",
                                           f"counter={counter}"], port, cpus=GENERATOR_CPU)
        server.counter = counter
        return server

    def behind(self, start, status=204):
        """What `start` gives for the port of a backend, with that backend beside it."""
        backend = self.backend(status)
        try:
            server = start(backend.port)
        except BaseException:
            backend.stop()
            raise
        server.beside.append(backend)
        server.load_words = [f"counter={backend.counter}", f"backend={backend.process.pid}"]
        return server

    def certificates(self):
        """A folder with a certificate and its key: server.pem, server.key, and both in one file for haproxy."""
        place = os.path.join(self.folder, "certificates")
        if not os.path.exists(place):
            subprocess.run([os.path.join(self.build, "src", "intertie"), "certs", "dev", place], check=True,
                           stdout=subprocess.DEVNULL)
            parts = []
            for name in ("server.pem", "server.key"):
                with open(os.path.join(place, name), encoding="ascii") as file:
                    parts.append(file.read())
            write(place, "both.pem", "".join(parts))
        return place

    def haproxy(self, backend, tls=False):
        place, port = self.place("haproxy"), free_port()
        secure = f" ssl crt {self.certificates()}/both.pem alpn http/1.1 {TLS_HAPROXY}" if tls else ""
        config = write(place, "haproxy.cfg", "global\n nbthread 1\n maxconn 4000\n"
                       "defaults\n mode http\n timeout client 60s\n timeout server 60s\n timeout connect 5s\n"
                       f"frontend f\n bind 127.0.0.1:{port}{secure}\n default_backend b\n"
                       f"backend b\n http-reuse always\n server s 127.0.0.1:{backend}\n")
        return Server(place, "haproxy", [find("haproxy"), "-db", "-f", config], port)

    def nginx(self, blocks, port, modules="", kind=socket.SOCK_STREAM):
        place = self.place("nginx")
        config = write(place, "nginx.conf", f"{modules}\nuser root;\ndaemon off;\nworker_processes 1;\n"
                       f"worker_rlimit_nofile 40000;\npid {place}/pid;\nerror_log {place}/error.log;\n"
                       f"events {{ worker_connections 30000; }}\n{blocks}\n")
        server = Server(place, "nginx", [find("nginx"), "-c", config, "-p", place, "-e", f"{place}/error.log"], port,
                        wait=kind == socket.SOCK_STREAM)
        end = time.monotonic() + 5
        while len(server.pids()) < 2 and time.monotonic() < end:  # it listens before its worker is there
            time.sleep(0.01)
        return server

    def nginx_tls(self):
        both = f"{self.certificates()}/both.pem"
        return f" ssl; ssl_certificate {both}; ssl_certificate_key {both}; ssl_protocols TLSv1.3"

    def nginx_proxy(self, backend, tls=False):
        port = free_port()
        secure = self.nginx_tls() if tls else ""
        return self.nginx(f"http {{ access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;\n"
                          f"upstream u {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 100000000; }}\n"
                          f"server {{ listen 127.0.0.1:{port}{secure}; location / {{ proxy_pass http://u; proxy_http_version 1.1;"
                          " proxy_set_header Connection \"\"; } } }", port)

    def nginx_alone(self, tls=False):
        port = free_port()
        return self.nginx(f"http {{ access_log off; server {{ listen 127.0.0.1:{port}{self.nginx_tls() if tls else ''}; location / {{ return 202; }} }} }}",
                          port)

    def udp_router(self):
        """Datagrams in, datagrams out to a port of the generator."""
        sink = free_port(socket.SOCK_DGRAM)
        server = self.intertie("  in: {url: 'udp://127.0.0.1:{port}', limits: {per_source: unlimited}}", f"systems: {{out: udp://127.0.0.1:{sink}}}\n"
                               "routes: {every: {match: {}, to: out}}")
        server.sink_port = sink
        return server

    def udp_nginx(self):
        module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        port, sink = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
        server = self.nginx(f"stream {{ server {{ listen 127.0.0.1:{port} udp; proxy_pass 127.0.0.1:{sink};"
                            " proxy_timeout 60s; } }", port, kind=socket.SOCK_DGRAM,
                            modules=f"load_module {module};" if os.path.exists(module) else "")
        server.sink_port = sink
        return server

    def nchan(self, kept=10000000):
        """It keeps each message in memory, as a queue without a reader does."""
        module = "/usr/lib/nginx/modules/ngx_nchan_module.so"
        if not os.path.exists(module):
            raise Missing("nchan (libnginx-mod-nchan) is not installed")
        port = free_port()
        return self.nginx(f"http {{ access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;\n"
                          "nchan_max_reserved_memory 2048M;\n"
                          f"server {{ listen 127.0.0.1:{port}; location / {{ nchan_publisher; nchan_channel_id q;"
                          f" nchan_message_buffer_length {kept}; nchan_message_timeout 1h; }}\n"
                          "location /subscribe { nchan_subscriber http-raw-stream; nchan_channel_id q; }\n"
                          "location /publish-ws { nchan_publisher websocket; nchan_channel_id q;"
                          f" nchan_message_buffer_length {kept}; }}\n"
                          "location /subscribe-ws { nchan_subscriber websocket; nchan_channel_id q;"
                          " nchan_subscriber_first_message newest; } } }", port,
                          modules=f"load_module {module};")

    def node_echo(self):
        """npm's ws, by the lockfile of our own tests."""
        here = os.path.dirname(os.path.abspath(__file__))
        node, made = find("node"), os.path.join(self.build, "bench", "npm")
        if not os.path.exists(os.path.join(made, "node_modules", "ws")):
            os.makedirs(made, exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(os.path.join(here, "..", "tests", "live", "sdk", name), made)
            done = subprocess.run([find("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=made,
                                  capture_output=True, text=True, check=False, timeout=200)
            if done.returncode:
                raise Missing("npm's ws can't be installed: " + done.stderr.strip().splitlines()[-1])
        port = free_port()
        return Server(self.place("node"), "node", [node, os.path.join(here, "ws_echo.js"), made, str(port)], port)

    def nats(self):
        place, port = self.place("nats"), free_port()
        return Server(place, "nats", [find("nats-server"), "-a", "127.0.0.1", "-p", str(port)], port)

    def redis(self):
        place, port = self.place("redis"), free_port()
        return Server(place, "redis", [find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                       "--appendonly", "no", "--client-output-buffer-limit", "pubsub", "0", "0", "0"],
                      port)

    def mosquitto(self):
        place, port = self.place("mosquitto"), free_port()
        config = write(place, "mosquitto.conf", f"listener {port} 127.0.0.1\nallow_anonymous true\n"
                       "set_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 0\nuser root\n")
        return Server(place, "mosquitto", [find("mosquitto"), "-c", config], port)
