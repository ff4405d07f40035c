#!/usr/bin/env python3
"""The CloudEvents SDK for JavaScript against a router: installs it by its lockfile into the build folder, then runs it."""
import base64
import os
import shutil
import socket
import subprocess
import sys
import tempfile

from kit import Router

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sdk")
BUILD = os.path.join(os.environ.get("INTERTIE_BUILD", "build/debug"), "sdk")


def install():
    if not shutil.which("node") or not shutil.which("npm"):
        print("1..0 # SKIP node and npm are not here")
        sys.exit(77)
    os.makedirs(BUILD, exist_ok=True)
    for name in ("package.json", "package-lock.json", "sdk.js", "stream.js", "webhook.js", "ws.js"):
        shutil.copy(os.path.join(SOURCE, name), BUILD)
    if all(os.path.exists(os.path.join(BUILD, "node_modules", name)) for name in ("cloudevents", "standardwebhooks", "ws")):
        return
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=BUILD, capture_output=True, text=True,
                          timeout=200)
    if done.returncode != 0:
        print("1..0 # SKIP the SDK can't be installed: " + done.stderr.strip().splitlines()[-1])
        sys.exit(77)


def webhooks(port):
    """The library of Standard Webhooks as a receiver of what we sign."""
    with tempfile.TemporaryDirectory(prefix="intertie-secrets-") as folder:
        secrets = ["whsec_" + base64.b64encode(os.urandom(size)).decode() for size in (24, 32, 64)]
        for i, secret in enumerate(secrets[:2]):
            with open(os.path.join(folder, str(i)), "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(secret + "\n")
        config = f"""
listeners: {{web: http://127.0.0.1:0}}
systems:
  data: {{url: 'http://127.0.0.1:{port}/binary', auth: hook}}
  whole: {{url: 'http://127.0.0.1:{port}/structured', auth: hook, mode: structured}}
security: {{credentials: {{hook: {{webhook: {{secret: ['${{file:{folder}/0}}', '${{file:{folder}/1}}']}}}}}}}}
"""
        with Router(config) as router:
            return subprocess.run(["node", "webhook.js", str(router.ports["web"]), str(port), *secrets], cwd=BUILD, timeout=60).returncode


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
    sys.exit(done.returncode or webhooks(port))
