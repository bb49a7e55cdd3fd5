"""A kazoo client that may be served by a read-only server, and says how far it has come."""

import os
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import NotReadOnlyCallError
from kazoo.protocol.states import KeeperState

PATIENCE = 60.0


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def wait_for(client, state):
    deadline = time.monotonic() + PATIENCE
    while client.client_state != state:
        if time.monotonic() > deadline:
            sys.exit(f"is {client.client_state}, never was {state}")
        time.sleep(0.02)


def main():
    client = KazooClient(os.environ["COMPAT_CONNECT"], timeout=4.0, read_only=True)
    client.start(timeout=PATIENCE)
    wait_for(client, KeeperState.CONNECTED_RO)
    say("connected read-only")
    data, _ = client.get("/a")
    say("read " + data.decode())
    try:
        client.create("/kazoo")
    except NotReadOnlyCallError:
        say("not written")
    wait_for(client, KeeperState.CONNECTED)
    say("connected")
    client.create("/kazoo", ephemeral=True)
    say("written")
    client.stop()


main()
