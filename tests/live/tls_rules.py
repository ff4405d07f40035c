#!/usr/bin/env python3
"""The rules of TLS, one by one, with openssl s_client and certificates made to break them."""
import http.server
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

import kit
from kit import HttpSystem, case, event, main, same, true, until
from tls_kit import client, closed, dial, issued, made, post, refused, router, security, server


def s_client(port, folder, *words, text="GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
    """What openssl says about the connection, and what came over it."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-CAfile", folder + "/ca.pem",
                           "-verify_return_error", "-ign_eof", *words], input=text, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def day(from_now):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + from_now * 86400))


def answered(said):
    return "HTTP/1.1 404" in said


@case
def ciphers_are_those_that_the_page_names():
    folder = made("a")
    with tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        cert, key = issued(own, folder, "DNS:localhost", day(-1), day(90), "rsa")
        for choice, good in (("modern", {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"}),
                             ("compatible", {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
                                             "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "AES128-GCM-SHA256", "AES128-SHA"})):
            config = server(f", ciphers: {choice}") + security(folder).replace(f"{folder}/server.pem", cert).replace(f"{folder}/server.key", key)
            with router(config) as r:
                for cipher in ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-SHA",
                               "ECDHE-RSA-AES256-SHA384", "AES128-GCM-SHA256", "AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CAMELLIA128-SHA256",
                               "AECDH-AES128-SHA", "NULL-SHA256"):
                    said = s_client(r.ports["web"], folder, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
                    same(answered(said), cipher in good, f"{choice}: {cipher}")
                for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
                    true(answered(s_client(r.ports["web"], folder, "-tls1_3", "-ciphersuites", suite)), suite)


@case
def versions_are_those_that_the_page_names():
    folder = made("a")
    for least, good in (("1.2", {"-tls1_2", "-tls1_3"}), ("1.3", {"-tls1_3"})):
        with router(server(f", min_version: {least}, ciphers: compatible") + security(folder)) as r:
            for version in ("-tls1", "-tls1_1", "-tls1_2", "-tls1_3"):
                said = s_client(r.ports["web"], folder, version, "-cipher", "ALL:@SECLEVEL=0")
                same(answered(said), version in good, f"from {least} on: {version}")
            until(lambda: closed(r, "handshake-failed") == 4 - len(good), "the others are counted")


@case
def renegotiation_is_refused_and_compression_is_off():
    folder = made("a")
    with router(server() + security(folder)) as r:
        said = s_client(r.ports["web"], folder, "-tls1_2", text="GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\nR\n")
        true("Compression: NONE" in said, "compression")
        peer = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{r.ports['web']}", "-tls1_2"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        until(lambda: r.system("desk") is not None, "it is there")
        peer.stdin.write("R\n")
        peer.stdin.flush()
        said, _ = peer.communicate(timeout=20)
        true("RENEGOTIATING" in said and "no renegotiation" in said, said[-600:])


@case
def sessions_of_both_versions_are_resumed_by_any_worker_and_after_a_reload():
    folder = made("a")
    with router("workers: 3\n" + server() + security(folder)) as r, tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        for version in ("-tls1_2", "-tls1_3"):
            path = own + "/session" + version
            true("New, TLS" in s_client(r.ports["web"], folder, version, "-sess_out", path), "the first is new")

            def again(version=version, path=path):
                return "Reused, TLS" in s_client(r.ports["web"], folder, version, "-sess_in", path)
            same([again() for _ in range(8)], [True] * 8, version)
            same(r.http("POST", "/api/v1/reload", "", port=r.admin).status, 200, "reload")
            same([again() for _ in range(4)], [True] * 4, version + " after a reload")


@case
def early_data_is_not_taken():
    folder = made("a")
    with router(server() + security(folder)) as r, tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        path, early = own + "/session", own + "/early"
        s_client(r.ports["web"], folder, "-tls1_3", "-sess_out", path)
        with open(early, "w", encoding="ascii") as file:
            file.write("POST /v1/systems/desk/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
        said = s_client(r.ports["web"], folder, "-tls1_3", "-sess_in", path, "-early_data", early)
        true("Early data was not sent" in said or "Early data was rejected" in said, said[-800:])
        same(r.status()["messages"].get("accepted", 0), 0, "nothing of it was taken")


@case
def a_handshake_that_takes_too_long_is_ended_and_counted():
    folder = made("a")
    with router(server(more=", timeouts: {tls: 300ms}") + security(folder)) as r:
        silent = socket.create_connection(("127.0.0.1", r.ports["web"]), 10)
        slow = socket.create_connection(("127.0.0.1", r.ports["web"]), 10)
        slow.sendall(b"\x16\x03\x01\x02\x00\x01")
        for peer in (silent, slow):
            try:
                same(peer.recv(100), b"", "it is closed")
            except ConnectionError:
                pass
            peer.close()
        until(lambda: closed(r, "handshake-timeout") == 2, "both are counted")
        same(post(r.ports["web"], client(folder), event("event", "a.b", {}, target="desk"))[0], 202, "others are served")


@case
def a_clients_certificate_must_be_good_today():
    folder = made("a")
    identity = "  identities: {erp: {system: orders, certificate: {san: erp.example}, allow: send system/desk}}\n"
    listener = server(", client: required, authorities: dev", ", auth: certificate")
    sent = event("event", "a.b", {}, target="desk", source="/systems/orders")
    with router(listener + security(folder, identity)) as r, tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        for start, end, good in ((-10, 10, True), (-10, -1, False), (2, 10, False)):
            context = client(folder)
            context.load_cert_chain(*issued(own, folder, "DNS:erp.example", day(start), day(end)))
            if good:
                same(post(r.ports["web"], context, sent)[0], 202, "a good one")
            else:
                true(refused(r.ports["web"], context), f"from {start} to {end} days")
        until(lambda: closed(r, "certificate-refused") == 2, "both are counted")


@case
def when_certificates_end_is_told_before_they_do():
    folder = made("a")
    with tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        soon, key = issued(own, folder, "DNS:localhost", day(-1), day(5))
        late, late_key = issued(own, folder, "DNS:localhost", day(-1), day(300))
        for name, path in (("server.pem", soon), ("server.key", key)):
            shutil.copy(path, os.path.join(own, name))
        config = server() + security(folder).replace(f"{folder}/server", f"{own}/server")

        def ends(r, name):
            text = r.http("GET", "/metrics", port=r.admin).body.decode()
            found = re.search(rf'intertie_tls_cert_not_after_timestamp_seconds{{certificate="{name}"}} (\d+)', text)
            return found and round((int(found.group(1)) - time.time()) / 86400)
        with router(config) as r:
            until(lambda: ends(r, "dev") == 5, "the metric says when")
            same(ends(r, "dev-client"), 365, "of each")
            true('"certificate":"dev"' in r.log() and "certificate expires soon" in r.log(), r.log())
            true("dev-client" not in r.log(), "what is good for long is no news")
            shown = r.intertie("certs", "show", "-c", r.path)
            true("in 4 days" in shown.stdout, shown.stdout)
            for name, path in (("server.key", late_key), ("server.pem", late)):
                os.replace(shutil.copy(path, own + "/new"), os.path.join(own, name))
            until(lambda: ends(r, "dev") == 300, "the metric follows the files")
            r.write(r.head + "listeners: {web: http://127.0.0.1:0}\nsystems: {desk: {accept: true}}\n")
            same(r.http("POST", "/api/v1/reload", "", port=r.admin).status, 200, "reload")
            until(lambda: ends(r, "dev") is None, "what is no longer there is no longer shown")


@case
def what_is_dialled_with_an_ended_certificate_gets_nothing():
    folder, got = made("a"), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()
    with tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        for san, start, end, good in (("DNS:localhost", -9, 9, True), ("DNS:localhost", -9, -1, False), ("DNS:*.localhost", -9, 9, False),
                                      ("IP:127.0.0.1", -9, 9, False)):
            service = HttpSystem(Handler)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*issued(own, folder, san, day(start), day(end)))
            service.server.socket = context.wrap_socket(service.server.socket, server_side=True)
            config = (f"listeners: {{web: http://127.0.0.1:0}}\nsystems: {{billing: {{url: https://localhost:{service.port}/in, tls: {{authorities: dev}}}}}}\n"
                      + security(folder))
            with router(config) as r:
                r.post(event("event", "a.b", {}, target="billing"))
                if good:
                    until(lambda: got, "it arrives")
                    got.clear()
                else:
                    until(lambda: 'reason="certificate-refused"' in r.http("GET", "/metrics", port=r.admin).body.decode(), f"{san} is refused")
                    same(got, [], san)
            service.close()


@case
def not_verifying_is_warned_of():
    folder = made("a")
    with tempfile.TemporaryDirectory(prefix="intertie-tls-") as own:
        path = own + "/intertie.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write("systems: {billing: {url: https://localhost:1/in, tls: {verify: false}}}\n" + security(folder))
        done = subprocess.run([kit.PROGRAM, "validate", path], capture_output=True, text=True, timeout=20)
        said = done.stdout + done.stderr
        true(done.returncode == 0 and "warning" in said and "verify" in said, said)


@case
def what_was_sent_before_a_cut_counts_and_the_rest_is_lost():
    folder = made("a")
    with router(server() + security(folder)) as r:
        for said, reason in ((b"", "truncated"), (b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", "truncated")):
            before = closed(r, reason)
            peer = dial(r.ports["web"], client(folder))
            if said:
                peer.sendall(said)
                true(peer.recv(1000).startswith(b"HTTP/1.1 404"), "it is answered")
            raw = socket.socket(fileno=peer.detach())
            raw.shutdown(socket.SHUT_WR)
            until(lambda: closed(r, reason) == before + 1, "it is counted as truncated")
            raw.close()
        before = closed(r, "truncated")
        peer = dial(r.ports["web"], client(folder))
        peer.sendall(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        true(peer.recv(1000).startswith(b"HTTP/1.1 404"), "it is answered")
        peer.unwrap().close()
        until(lambda: closed(r, "peer-closed") >= 1, "an end in due form is none")
        same(closed(r, "truncated"), before, "an end in due form is no cut")


if __name__ == "__main__":
    main()
