#!/usr/bin/env python3
"""What failures behind the router cost those before it: an endpoint of three is killed, or stopped, under load; one of ten is
slow. Times are of this machine alone: nothing here is a test.   bench/survive.py [BUILD] [NAME..]"""
import json
import os
import subprocess
import sys
import tempfile

from servers import free_port

ROUTER = """
workers: {workers}
admin: {{socket: {folder}/admin.sock, url: "http://127.0.0.1:{admin}"}}
log: {{level: error, file: {folder}/log}}
listeners: {{in: {{url: "http://127.0.0.1:{port}", anonymous: true}}}}
systems:
  out:
    endpoints: {{{endpoints}}}
    balance: {{by: {by}}}
    limits: {{queue: {{messages: 100000, bytes: 256MiB}}}}
    pool: {{max: 64}}
    {policy}
routes: {{any: {{match: {{}}, to: out, timeouts: {{attempt: 1s}}}}}}
"""
OUTLIER = "outlier: {consecutive: 5, eject: 30s}"
CASES = {
    "killed": dict(backends=3, by="round_robin", policy=OUTLIER, load=dict(rate=20000, seconds=9, fault="kill")),
    "stopped": dict(backends=3, by="round_robin", policy=OUTLIER, load=dict(rate=20000, seconds=9, fault="stop")),
    "undisturbed": dict(backends=3, by="round_robin", policy=OUTLIER, load=dict(rate=20000, seconds=9)),
    "slow-round-robin": dict(backends=10, by="round_robin", policy="", load=dict(rate=2000, seconds=9, slow=200)),
    "slow-ewma": dict(backends=10, by="ewma", policy="", load=dict(rate=2000, seconds=9, slow=200)),
}


def run(build, name, case):
    ports = [free_port() for _ in range(case["backends"])]
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "router.yaml")
        endpoints = ", ".join(f'e{i}: {{url: "http://127.0.0.1:{each}/"}}' for i, each in enumerate(ports))
        with open(path, "w", encoding="ascii") as file:
            file.write(ROUTER.format(workers=2, folder=folder, port=port, admin=free_port(), endpoints=endpoints, by=case["by"],
                                     policy=case["policy"]))
        words = [f"{key}={value}" for key, value in case["load"].items()]
        command = [os.path.join(build, "bench", "bench-load"), "survive", f"port={port}", "ports=" + ",".join(map(str, ports)),
                   "connections=32", *words, "--", os.path.join(build, "src", "intertie"), "run", path]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=120, check=True)
        print(f"{name:18}", json.dumps(json.loads(done.stdout)), flush=True)


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release")
    for name in sys.argv[2:] or CASES:
        run(build, name, CASES[name])


main()
