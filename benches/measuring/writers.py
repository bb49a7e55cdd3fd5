"""Clients that write one request at a time and come back, with their session, when they are lost.

Used where servers are killed or cut off; `rookery bench` measures healthy servers and does not
reconnect.
"""

import socket
import struct
import threading
import time

from .servers import frame

SESSION_MS = 30_000
SET_DATA, CREATE = 5, 1
PAUSE_SECONDS = 0.005
NODE_EXISTS = -110


class Writer(threading.Thread):
    """Sets its own znode again and again; notes when each write was acknowledged."""

    def __init__(self, addresses, name):
        super().__init__(daemon=True)
        self.addresses, self.path = list(addresses), f"/{name}".encode()
        self.acknowledged, self.connections = [], 0
        self.session, self.password = 0, bytes(16)
        self.is_over = False

    def run(self):
        while not self.is_over:
            try:
                self.write_until_lost()
            except (OSError, EOFError, struct.error):
                self.addresses.append(self.addresses.pop(0))
                time.sleep(PAUSE_SECONDS)

    def write_until_lost(self):
        with socket.create_connection(self.addresses[0], timeout=1) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A server that is cut off answers nothing; a real client waits as long: it hears
            # nothing for two thirds of its timeout.
            link.settimeout(SESSION_MS / 1000 * 2 / 3)
            stream = link.makefile("rb")
            self.attach(link, stream)
            self.connections += 1
            xid = 0
            if not self.acknowledged:
                xid += 1
                everybody = struct.pack(">iii", 1, 31, 5) + b"world" + text(b"anyone")
                code = ask(link, stream, xid, CREATE, text(self.path) + text(b"") + everybody
                           + struct.pack(">i", 0))
                if code not in (0, NODE_EXISTS):
                    raise SystemExit(f"creating {self.path}: {code}")
            while not self.is_over:
                xid += 1
                if ask(link, stream, xid, SET_DATA,
                       text(self.path) + text(b"x" * 100) + struct.pack(">i", -1)) != 0:
                    raise SystemExit(f"setting {self.path} failed")
                self.acknowledged.append(time.monotonic())

    def attach(self, link, stream):
        send(link, struct.pack(">iqiqi16sb", 0, 0, SESSION_MS, self.session, 16, self.password, 0))
        _, granted, self.session, _, self.password = struct.unpack(">iiqi16s", frame(stream)[:36])
        if granted <= 0:
            raise SystemExit(f"{self.path}: the session was lost")

    def finish(self):
        self.is_over = True
        self.join(30)


def text(value):
    return struct.pack(">i", len(value)) + value


def send(link, body):
    link.sendall(struct.pack(">i", len(body)) + body)


def ask(link, stream, xid, operation, body):
    send(link, struct.pack(">ii", xid, operation) + body)
    answered, _, code = struct.unpack(">iqi", frame(stream)[:16])
    if answered != xid:
        raise SystemExit(f"answer {answered} to request {xid}")
    return code
