#!/usr/bin/env python3
"""What docs/tls.md promises: curl and Python's ssl against a router, and a router against Python's."""
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

import kit
from kit import HttpSystem, case, event, main, reply_to, same, true, until
from tls_kit import client, closed, dial, made, post, refused, router, security, server


@case
def curl_sends_over_https_in_both_versions_and_speaks_http_by_alpn():
    folder = made("a")
    with router(server() + security(folder)) as r:
        for version in (["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3"]):
            done = subprocess.run(["curl", "-sv", "--cacert", folder + "/ca.pem", *version, "-d", "hello",
                                   f"https://localhost:{r.ports['web']}/v1/systems/desk/messages"], capture_output=True, text=True, timeout=20)
            true("202 Accepted" in done.stderr and "http/1.1" in done.stderr, done.stderr)
        with dial(r.ports["web"], client(folder)) as peer:
            same(peer.version(), "TLSv1.3", "version")


@case
def who_speaks_no_tls_an_old_version_or_another_protocol_is_refused_with_a_reason():
    folder = made("a")
    with router(server(", min_version: 1.3") + security(folder)) as r:
        port = r.ports["web"]
        true(refused(port, client(folder, maximum_version=ssl.TLSVersion.TLSv1_2)), "1.2 is taken")
        with socket.create_connection(("127.0.0.1", port), 10) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                true(b"HTTP/1.1" not in peer.recv(100), "clear text is answered")
            except ConnectionError:
                pass
        other = client(folder)
        other.set_alpn_protocols(["h2"])
        true(refused(port, other), "only h2 is taken")
        until(lambda: closed(r, "handshake-failed") >= 3, "all three are counted")
        same(post(port, client(folder), event("event", "a.b", {}, target="desk"))[0], 202, "others are served")


@case
def a_client_that_verifies_believes_the_right_names_and_no_others():
    folder = made("a")
    with router(server() + security(folder)) as r:
        for name in ("localhost", "127.0.0.1", "gw.example"):
            same(post(r.ports["web"], client(folder), event("event", "a.b", {}, target="desk"), name)[0], 202, name)
        same(refused(r.ports["web"], client(folder), "other.example"), "CERTIFICATE_VERIFY_FAILED", "another name")
        same(refused(r.ports["web"], client(made("b"))), "CERTIFICATE_VERIFY_FAILED", "another authority")


@case
def the_name_that_is_asked_for_picks_the_certificate():
    folder, other = made("a"), made("b")
    config = ("listeners: {web: {url: https://127.0.0.1:0, tls: {certificates: [dev, shop]}}}\nsystems: {desk: {accept: true}}\n" +
              security(folder).replace("  authorities", f"    shop: {{cert: {other}/server.pem, key: {other}/server.key}}\n  authorities"))
    with router(config) as r:
        sent = event("event", "a.b", {}, target="desk")
        same(post(r.ports["web"], client(folder), sent, "gw.example")[0], 202, "the first")
        same(post(r.ports["web"], client(other), sent, "shop.example")[0], 202, "the second")
        same(refused(r.ports["web"], client(other), "gw.example"), "CERTIFICATE_VERIFY_FAILED", "each by its own name alone")
        same(refused(r.ports["web"], client(folder), "nobody.example"), "CERTIFICATE_VERIFY_FAILED", "the first is for all others")


@case
def a_certificate_that_an_identity_names_is_that_identity_and_any_other_is_nobody():
    folder, stranger = made("a"), made("b")
    listener = server(", client: optional, authorities: dev", ", auth: certificate")
    named = "  identities: {erp: {system: orders, certificate: {san: spiffe://intertie.test/client}, allow: send system/desk}}\n"
    unnamed = named.replace("/client", "/somebody-else")
    sent = event("event", "a.b", {}, target="desk", source="/systems/orders")
    with router(listener + security(folder, named)) as r:
        same(post(r.ports["web"], client(folder, folder), sent)[0], 202, "the named one")
        same(post(r.ports["web"], client(folder, folder), dict(sent, source="/systems/desk"))[0], 403, "as somebody else")
        same(post(r.ports["web"], client(folder), sent)[0], 401, "without a certificate")
        true(refused(r.ports["web"], client(folder, stranger)), "a certificate of another authority is taken")
        until(lambda: closed(r, "certificate-refused") >= 1, "it is counted")
    with router(listener + security(folder, unnamed)) as r:
        same(post(r.ports["web"], client(folder, folder), sent)[0], 401, "good, but no identity names it")
    with router(server(", client: required, authorities: dev", ", auth: certificate") + security(folder, named)) as r:
        true(refused(r.ports["web"], client(folder)), "no certificate where one is required")
        until(lambda: closed(r, "certificate-missing") >= 1, "it is counted")


@case
def sessions_are_resumed_by_any_worker_and_after_a_reload():
    folder = made("a")
    with router("workers: 3\n" + server() + security(folder)) as r:
        context = client(folder, maximum_version=ssl.TLSVersion.TLSv1_2)  # whose tickets serve more than once
        with dial(r.ports["web"], context) as peer:
            session = peer.session
        true(session.has_ticket, "a ticket is given")

        def resumed():
            with context.wrap_socket(socket.create_connection(("127.0.0.1", r.ports["web"]), 10), server_hostname="localhost",
                                     session=session) as again:
                return again.session_reused
        same([resumed() for _ in range(12)], [True] * 12, "with whichever worker")
        same(r.http("POST", "/api/v1/reload", "", port=r.admin).status, 200, "reload")
        same([resumed() for _ in range(12)], [True] * 12, "after a reload")


@case
def changed_files_are_used_and_broken_ones_are_not():
    with tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key"):
            shutil.copy(os.path.join(made("a"), name), own)
        with router(server() + security(own)) as r:
            old = dial(r.ports["web"], client(made("a")))

            def renewed():
                return refused(r.ports["web"], client(made("b"))) is None
            true(not renewed(), "the other authority is trusted before")
            for name in ("server.key", "server.pem"):
                os.replace(shutil.copy(os.path.join(made("b"), name), os.path.join(own, "new")), os.path.join(own, name))
            until(renewed, "new handshakes use the new certificate")
            old.sendall(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            true(old.recv(100).startswith(b"HTTP/1.1 404"), "the connection that was open lives on")
            old.close()
            with open(os.path.join(own, "server.pem"), "w", encoding="ascii") as file:
                file.write("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
            until(lambda: "security.certificates.dev.cert" in r.log(), "a warning names the certificate")
            true(renewed(), "what was good stays in use")


@case
def an_end_without_close_notify_is_a_loss():
    folder = made("a")
    with router(server() + security(folder)) as r:
        peer = dial(r.ports["web"], client(folder))
        peer.sendall(b"POST /v1/systems/desk/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhal")
        raw = socket.socket(fileno=peer.detach())
        raw.shutdown(socket.SHUT_WR)
        until(lambda: closed(r, "truncated") == 1, "it is counted as truncated")
        raw.close()


class Service(HttpSystem):
    """Takes events over HTTPS, and notes who brings them."""

    def __init__(self, folder, wants_client=False):
        service = self
        self.got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                service.got.append((self.connection.getpeercert() or {}).get("subjectAltName"))
                self.send_response(204)
                self.end_headers()
        super().__init__(Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(folder + "/ca.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)


def dials(folder, service, tls, host="localhost"):
    return router(f"listeners: {{web: http://127.0.0.1:0}}\nsystems: {{billing: {{url: https://{host}:{service.port}/in, tls: {{{tls}}}}}}}\n"
                  + security(folder))


def failures(r, reason):
    text = r.http("GET", "/metrics", port=r.admin).body.decode()
    return f'intertie_dial_failures_total{{system="billing",reason="{reason}"}}' in text


@case
def what_is_dialled_is_verified_by_authority_and_name_and_shown_our_certificate():
    folder = made("a")
    service = Service(folder, wants_client=True)
    for host in ("localhost", "127.0.0.1"):
        with dials(folder, service, "authorities: dev, certificate: dev-client", host) as r:
            same(r.post(event("event", "a.b", {}, target="billing")).status, 202, host)
            until(lambda: service.got, "it arrives")
            true(("URI", "spiffe://intertie.test/client") in service.got.pop(), "our certificate was shown")
    service.close()
    service = Service(folder)
    with dials(folder, service, "authorities: dev, server_name: other.example") as r:
        r.post(event("event", "a.b", {}, target="billing"))
        until(lambda: failures(r, "certificate-refused"), "another name is refused")
    with dials(made("b"), service, "authorities: dev") as r:
        r.post(event("event", "a.b", {}, target="billing"))
        until(lambda: failures(r, "certificate-refused"), "another authority is refused")
    same(service.got, [], "and none of it was sent")
    with dials(made("b"), service, "verify: false") as r:
        r.post(event("event", "a.b", {}, target="billing"))
        until(lambda: service.got, "unless told not to look")
    service.close()


@case
def lines_and_answers_cross_tls():
    folder = made("a")
    config = "listeners: {stream: {url: tls://127.0.0.1:0, tls: {certificates: dev}}, web: http://127.0.0.1:0}\nsystems: {desk: {accept: true}}\n"
    with router(config + security(folder)) as r:
        peer = dial(r.ports["stream"], client(folder))
        file = peer.makefile("rwb")

        def say(made_event):
            file.write(json.dumps(made_event).encode() + b"\n")
            file.flush()
        say(event("event", "intertie.ctl.hello.v1", {"system": "desk"}))
        same(json.loads(file.readline())["type"], "intertie.ctl.hello.v1", "hello")
        answers = []
        asked = event("query", "a.b", {"text": "x" * 200000}, target="desk")
        asker = threading.Thread(target=lambda: answers.append(r.post(asked)))
        asker.start()
        got = json.loads(file.readline())
        same(got["data"], asked["data"], "more than a record's worth")
        say(dict(reply_to(got, {"size": len(got["data"]["text"])}), source="/systems/desk"))
        asker.join(20)
        same(json.loads(answers[0].body)["data"], {"size": 200000}, "the answer")
        file.close()
        peer.close()


@case
def certificates_are_shown_and_mistakes_in_them_are_named():
    folder, other = made("a"), made("b")
    with tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        path = os.path.join(own, "intertie.yaml")

        def run(text, *words):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            return subprocess.run([kit.PROGRAM, *words], capture_output=True, text=True, timeout=20)
        shown = run(server() + security(folder), "certs", "show", "-c", path)
        for word in ("dev", "localhost", "gw.example", "spiffe://intertie.test/client"):
            true(word in shown.stdout, f"{word} is not in {shown.stdout}{shown.stderr}")
        wrong = security(folder).replace("server.key", "client.key")
        done = run(server() + wrong, "validate", path)
        true(done.returncode == 78 and "security.certificates.dev.key" in done.stderr + done.stdout, "a key of another certificate: " + done.stderr)
        done = run(server() + security(folder).replace("ca.pem", "none.pem"), "validate", path)
        true(done.returncode == 78 and "none.pem" in done.stderr + done.stdout, "a file that isn't there: " + done.stderr)
        true(other != folder, "two authorities")


if __name__ == "__main__":
    main()
