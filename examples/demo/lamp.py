#!/usr/bin/env python3
"""A system that only speaks UDP: it prints each datagram that it gets."""
import socket
import sys

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 7102
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lamp:
        lamp.bind(("127.0.0.1", port))
        print(f"lamp listens on udp://127.0.0.1:{port}", flush=True)
        try:
            while True:
                print(lamp.recv(2048).decode(errors="replace"), flush=True)
        except KeyboardInterrupt:
            pass
