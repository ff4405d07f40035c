#!/usr/bin/env python3
"""The commands that dial, over TLS: send, call and listen against a router, verified and not."""
import json
import subprocess

import kit
from kit import case, main, same, true
from tls_kit import made, router, security

CONFIG = """listeners:
  web: {url: https://127.0.0.1:0, tls: {certificates: dev}}
  page: {url: wss://127.0.0.1:0/v1/ws, tls: {certificates: dev}}
  lines: {url: tls://127.0.0.1:0, tls: {certificates: dev}}
  stream: {url: intertie+tls://127.0.0.1:0, tls: {certificates: dev}}
  known: {url: intertie+tls://127.0.0.1:0, auth: certificate, tls: {certificates: dev, client: required, authorities: dev}}
systems: {desk: {accept: true}, partner: {accept: true}}
"""
IDENTITY = "  identities: {partner: {system: partner, certificate: {san: \"spiffe://intertie.test/client\"}, allow: [send system/*]}}\n"


def url(r, listener, host="localhost"):
    return {"web": "https", "page": "wss", "lines": "tls"}.get(listener, "intertie+tls") + f"://{host}:{r.ports[listener]}" + (
        "/v1/ws" if listener == "page" else "")


def run(*arguments):
    return subprocess.run([kit.PROGRAM, *arguments], capture_output=True, text=True, timeout=60)


def send(r, listener, *more, host="localhost"):
    return run("send", "--to", "desk", "--type", "a.b", "--data", '{"n":1}', "--url", url(r, listener, host), *more)


@case
def every_scheme_is_spoken_over_tls_both_ways():
    folder = made("a")
    ca = ["--ca", folder + "/ca.pem"]
    with router(CONFIG + security(folder, IDENTITY)) as r:
        for listener in ("lines", "stream", "page"):
            desk = subprocess.Popen([kit.PROGRAM, "listen", "--as", "desk", "--url", url(r, listener), "--count", "2", "--for", "50s",
                                     "--reply", '{"is":"there"}', *ca], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                done = run("call", "--to", "desk", "--type", "a.get", "--kind", "query", "--timeout", "20s", "--url", url(r, "web"), *ca)
                same((done.returncode, done.stdout), (0, '{"is":"there"}\n'), listener + " asked over https: " + done.stderr)
                done = send(r, listener, *ca)
                true(done.returncode == 0 and done.stdout.startswith("accepted"), listener + ": " + done.stderr + done.stdout)
                out, words = desk.communicate(timeout=60)
                same([json.loads(line)["type"] for line in out.splitlines()], ["a.get", "a.b"], listener + " got: " + words)
            finally:
                desk.kill()
                desk.wait()


@case
def nobody_is_believed_without_the_right_authority_and_name():
    folder = made("a")
    with router(CONFIG + security(folder, IDENTITY)) as r:
        for listener in ("web", "stream", "page"):
            for more in ([], ["--ca", made("b") + "/ca.pem"]):
                done = send(r, listener, *more)
                true(done.returncode == 1 and "certificate" in done.stderr, f"{listener} {more}: {done.returncode} {done.stderr}")
        done = send(r, "web", "--ca", folder + "/ca.pem", host="127.0.0.2")
        true(done.returncode != 0, "a name that the certificate lacks: " + done.stdout)
        true(b'"held":0' in r.http("GET", "/api/v1/status", port=r.admin).body, "something came in")


@case
def who_we_are_is_shown_by_a_certificate():
    folder = made("a")
    ca = ["--ca", folder + "/ca.pem"]
    with router(CONFIG + security(folder, IDENTITY)) as r:
        done = send(r, "known", *ca, "--as", "partner", "--cert", folder + "/client.pem", "--cert-key", folder + "/client.key")
        true(done.returncode == 0, done.stderr)
        true(send(r, "known", *ca).returncode != 0, "nobody shows no certificate")


@case
def mistakes_name_their_option():
    folder = made("a")
    with router(CONFIG + security(folder, IDENTITY)) as r:
        for more, code, words in ((["--ca", "/no/such/file"], 1, "--ca"), (["--ca", folder + "/ca.key"], 1, "--ca"),
                                  (["--cert", folder + "/client.pem", "--cert-key", folder + "/ca.key"], 1, "--cert-key"),
                                  (["--cert-key", folder + "/client.key"], 2, "--cert-key needs --cert")):
            for listener in ("web", "stream"):
                done = send(r, listener, *more)
                true(done.returncode == code and words in done.stderr, f"{more}: {done.returncode} {done.stderr}")
    done = run("send", "--to", "x", "--type", "a.b", "--url", "http://127.0.0.1:1", "--ca", folder + "/ca.pem")
    true(done.returncode == 2 and "mean nothing on http" in done.stderr, done.stderr)


if __name__ == "__main__":
    main()
