"""What tests of TLS share: certificates, clients, and what a router says about them."""
import functools
import json
import os
import re
import socket
import ssl
import subprocess
import tempfile

import kit
from kit import Router


@functools.cache
def made(which):
    """A folder with an authority, a server and a client of its own."""
    folder = tempfile.TemporaryDirectory(prefix="intertie-tls-")
    subprocess.run([kit.PROGRAM, "certs", "dev", folder.name, {"a": "gw.example", "b": "shop.example"}[which]], check=True, capture_output=True, timeout=30)
    made.kept = getattr(made, "kept", []) + [folder]
    return folder.name


def security(folder, more=""):
    return (f"security:\n  certificates:\n    dev: {{cert: {folder}/server.pem, key: {folder}/server.key}}\n"
            f"    dev-client: {{cert: {folder}/client.pem, key: {folder}/client.key}}\n  authorities: {{dev: {folder}/ca.pem}}\n{more}")


def router(config, **more):
    return Router(config, replay=False, **more)  # an input log would hold private keys


def client(folder, show=None, **more):
    context = ssl.create_default_context(cafile=folder + "/ca.pem")
    if show:
        context.load_cert_chain(show + "/client.pem", show + "/client.key")
    for name, value in more.items():
        setattr(context, name, value)
    return context


def dial(port, context, name="localhost"):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname=name)


def post(port, context, made_event, name="localhost"):
    body = json.dumps(made_event).encode()
    with dial(port, context, name) as peer:
        peer.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n"
                     b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
    return int(answer.split()[1]), answer


def refused(port, context, name="localhost"):
    """Why the handshake, or the first read after it, fails."""
    try:
        with dial(port, context, name) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return None if peer.recv(100) else "closed"
    except (ssl.SSLError, ConnectionError) as why:
        return getattr(why, "reason", None) or str(why)


def closed(r, reason):
    text = r.http("GET", "/metrics", port=r.admin).body.decode()
    return sum(int(n) for n in re.findall(rf'intertie_connections_closed_total{{[^}}]*reason="{reason}"}} (\d+)', text))


SERVER = "listeners: {{web: {{url: https://127.0.0.1:0, tls: {{certificates: dev{tls}}}{more}}}}}\nsystems: {{desk: {{accept: true}}, orders: {{}}}}\n"


def server(tls="", more=""):
    return SERVER.format(tls=tls, more=more)


AUTHORITY = """
[ca]
default_ca = dev
[dev]
new_certs_dir = {own}
database = {own}/index.txt
serial = {own}/serial
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


def issued(own, folder, san, start, end, algorithm="ec"):
    """A certificate of that authority with dates of its own (YYYYMMDDHHMMSSZ): paths of it and its key."""
    def run(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)
    name = os.path.join(own, re.sub(r"\W", "-", f"{san}-{start}-{end}-{algorithm}"))
    with open(own + "/ca.cnf", "w", encoding="ascii") as file:
        file.write(AUTHORITY.format(own=own, folder=folder))
    for path, text in (("/index.txt", ""), ("/serial", f"{abs(hash(name)) % 10 ** 8:08d}\n")):
        with open(own + path, "w", encoding="ascii") as file:
            file.write(text)
    kind = ["-newkey", "rsa:2048"] if algorithm == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    run("req", "-new", *kind, "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=made", "-addext", f"subjectAltName={san}")
    run("ca", "-batch", "-notext", "-config", own + "/ca.cnf", "-in", name + ".csr", "-out", name + ".pem", "-startdate", start, "-enddate", end)
    os.chmod(name + ".key", 0o600)
    return name + ".pem", name + ".key"
