"""What the drivers in Python share: checks, waiting for conditions, orders to the one who runs
the test. Standard output carries lines for the test alone."""

import sys
import time
import traceback

# Longer than any wait for something that does happen, on a busy machine.
PATIENCE_S = 120

_report = sys.stdout
sys.stdout = sys.stderr


def _say(line):
    _report.write(line + "\n")
    _report.flush()


def drive(checks):
    """Runs all checks of a system and ends the process."""
    try:
        checks()
        _say("end")
    except BaseException:
        _say("FAIL " + traceback.format_exc().replace("\n", " | "))
        sys.exit(1)


def check(what, body):
    """One line of the report; the body fails by raising."""
    began = time.monotonic()
    body()
    _say(f"ok {what} ({time.monotonic() - began:.1f} s)")


def order(words):
    """Has the owner of the test do something, and waits until it is done."""
    _say("> " + words)
    same("ok", sys.stdin.readline().strip())


def until(what, condition):
    """Waits until a condition holds, and gives its value. An error counts as "not yet"."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        last = None
        try:
            value = condition()
            if value:
                return value
        except Exception as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}") from last
        time.sleep(0.1)


def same(expected, actual):
    assert expected == actual, f"expected {expected}, got {actual}"
