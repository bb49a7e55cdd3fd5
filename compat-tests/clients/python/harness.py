"""What the kazoo suite is made of: behaviours, waiting for conditions, orders to the server.

A behaviour is a function that takes an empty path of its own and asserts. It gets one line of
the report, whatever happens in it.
"""

import os
import socket
import sys
import time
import traceback

from kazoo.client import KazooClient

CONNECT = os.environ["COMPAT_CONNECT"]
CONTROL = os.environ["COMPAT_CONTROL"]

# Longer than any wait for something that does happen.
PATIENCE = 15.0

_behaviours = []


def behaviour(title):
    """Registers a function as one line of the report."""

    def register(function):
        _behaviours.append((title, function))
        return function

    return register


def wait_for(condition, what, patience=PATIENCE):
    """Waits until `condition()` is true and returns what it returned."""
    deadline = time.monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {patience} s in vain for {what}"
        time.sleep(0.02)


def raises(error, function, *args, **kwargs):
    """Asserts that a call fails with exactly this class and returns the error."""
    try:
        result = function(*args, **kwargs)
    except error as caught:
        assert type(caught) is error, f"expected {error.__name__}, got {caught!r}"
        return caught
    raise AssertionError(f"expected {error.__name__}, got {result!r}")


def order(word):
    """Has the test's owner drop connections, or kill and restart the server."""
    host, port = CONTROL.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=90) as stream:
        stream.sendall(word.encode() + b"\n")
        answer = stream.makefile().readline().strip()
    assert answer == "ok", f"{word}: {answer}"


def abandon(client):
    """Breaks a client's connection for good without closing its session."""
    client._stopped.set()
    client._connection._socket.shutdown(socket.SHUT_RDWR)


class Clients:
    """Hands out connected clients and stops them all at the end of a behaviour."""

    def __init__(self):
        self.open = []

    def __call__(self, **options):
        options.setdefault("timeout", 6.0)
        client = KazooClient(hosts=CONNECT, **options)
        client.start(timeout=PATIENCE)
        self.open.append(client)
        return client

    def stop(self):
        for client in self.open:
            try:
                client.stop()
                client.close()
            except Exception:
                pass
        self.open.clear()


def run_all():
    """Runs every behaviour, prints the report and returns the number of failures."""
    failed = 0
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [(title, function) for title, function in _behaviours if only in title]
    for number, (title, function) in enumerate(chosen):
        clients = Clients()
        began = time.monotonic()
        error = None
        try:
            root = f"/kazoo-{number}"
            setup = clients()
            setup.ensure_path(root)
            function(clients, root)
        except BaseException:
            error = traceback.format_exc()
        finally:
            clients.stop()
        took = time.monotonic() - began
        print(f"{'FAIL' if error else 'ok  '} kazoo: {title} ({took:.1f} s)")
        if error:
            failed += 1
            print(error)
        sys.stdout.flush()
    print(f"kazoo: {len(chosen) - failed} of {len(chosen)} behaviours hold")
    return failed
