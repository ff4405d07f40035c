#!/usr/bin/env python3
"""The CloudEvents SDK for JavaScript against a router: installs it by its lockfile into the build folder, then runs it."""
import os
import shutil
import socket
import subprocess
import sys

from kit import Router

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sdk")
BUILD = os.path.join(os.environ.get("INTERTIE_BUILD", "build/debug"), "sdk")


def install():
    if not shutil.which("node") or not shutil.which("npm"):
        print("1..0 # SKIP node and npm are not here")
        sys.exit(77)
    os.makedirs(BUILD, exist_ok=True)
    for name in ("package.json", "package-lock.json", "sdk.js", "stream.js", "ws.js"):
        shutil.copy(os.path.join(SOURCE, name), BUILD)
    if all(os.path.exists(os.path.join(BUILD, "node_modules", name)) for name in ("cloudevents", "ws")):
        return
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=BUILD, capture_output=True, text=True,
                          timeout=200)
    if done.returncode != 0:
        print("1..0 # SKIP the SDK can't be installed: " + done.stderr.strip().splitlines()[-1])
        sys.exit(77)


if __name__ == "__main__":
    install()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = f"""
listeners: {{web: http://127.0.0.1:0}}
systems: {{hook: http://127.0.0.1:{port}/events}}
routes: {{hook: {{match: {{type: com.example.hook.*}}, to: hook}}}}
"""
    with Router(config) as router:
        done = subprocess.run(["node", "sdk.js", str(router.ports["web"]), str(port)], cwd=BUILD, timeout=60)
    sys.exit(done.returncode)
