"""What the Python programs are made of: behaviours, waiting for conditions, orders to the servers.

A behaviour is a function that takes a way to get clients and an empty path of its own, and
asserts. It gets one line of the report, whatever happens in it.
"""

import asyncio
import inspect
import os
import socket
import sys
import time
import traceback

CONNECT = os.environ["COMPAT_CONNECT"]
ENSEMBLE = os.environ["COMPAT_ENSEMBLE"]
CONTROL = os.environ["COMPAT_CONTROL"]

# Longer than any wait for something that does happen.
PATIENCE = 15.0

_behaviours = []


def behaviour(name):
    """Registers a function as one line of the report."""

    def register(function):
        _behaviours.append((name, function))
        return function

    return register


def unsupported(*names):
    """What the library does not offer."""
    for name in names:
        _behaviours.append((name, None))


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
    """Has the test's owner break connections, kill servers, start them again."""
    host, port = CONTROL.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=120) as stream:
        stream.sendall(word.encode() + b"\n")
        answer = stream.makefile().readline().strip()
    assert answer == "ok", f"{word}: {answer}"


def _run(function, clients, root):
    """Runs a behaviour, and stops its clients. Returns what was wrong."""
    try:
        if inspect.iscoroutinefunction(function):
            asyncio.run(clients.within(function, root))
        else:
            clients.make_root(root)
            function(clients, root)
    except BaseException as error:
        traceback.print_exc()
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = str(error).split("\n")[0] or place.line
        return f"{type(error).__name__}: {said}"
    finally:
        clients.stop()


def run_all(make_clients):
    """Runs every behaviour, prints the report and returns the number of failures."""
    failed = 0
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    for number, (name, function) in enumerate(_behaviours):
        if only not in name:
            continue
        outcome = "unsupported"
        if function:
            began = time.monotonic()
            wrong = _run(function, make_clients(), f"/python-{number}")
            outcome = f"fails {wrong}" if wrong else "works"
            failed += bool(wrong)
            print(f"({time.monotonic() - began:.1f} s)")
        print(f"{name} {outcome}")
        sys.stdout.flush()
    return failed
