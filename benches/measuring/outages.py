"""How long an ensemble cannot write when its leader goes.

The leader's process is killed, or its host is cut off: its packets are dropped without a word. The
writers are connected to the other servers, as most clients of an ensemble are.
"""

import contextlib
import os
import subprocess
import time

from .servers import Ensemble
from .writers import Writer

WRITERS = 8
WARM_SECONDS = 1.0
# After which an outage is called endless.
OUTAGE_SECONDS_MAX = 60.0
# Writes go on for this long before the outage counts as over.
CALM_SECONDS = 1.0
# Hosts of ensemble `tag` are NETWORK.tag.1, .2, ….
NETWORK = "10.77"


def leader_killed(ensemble):
    """Kills the leader under load; gives the figures of the outage, and starts it again."""
    leader = ensemble.leader()
    figures = outage(ensemble, leader, leader.kill)
    leader.spawn()
    leader.wait()
    return figures


def outage(ensemble, leader, begin):
    """Loads the others, begins the outage of `leader`, and waits until writes go on."""
    others = [server.address for server in ensemble.servers if server is not leader]
    writers = [Writer(others[number % len(others):] + others[:number % len(others)],
                      f"writer-{number}")
               for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    wait_for(lambda: all(writer.acknowledged for writer in writers))
    time.sleep(WARM_SECONDS)
    connections = sum(writer.connections for writer in writers)
    began = time.monotonic()
    begin()
    wait_for(lambda: is_calm(writers, began))
    for writer in writers:
        writer.finish()
    return {
        "outage_s": longest_silence(writers, began),
        "slowest_writer_s": max(longest_silence([writer], began) for writer in writers),
        "reconnects": sum(writer.connections for writer in writers) - connections,
    }


def is_calm(writers, began):
    """Whether every writer has been writing for a while again, after a silence of all."""
    now = time.monotonic()
    if now - began < 2 * CALM_SECONDS:
        return False
    return all(writer.acknowledged[-1] > now - CALM_SECONDS / 2 for writer in writers)


def longest_silence(writers, began):
    """The longest time, from when it began on, in which none of these writes was acknowledged."""
    times = sorted(when for writer in writers for when in list(writer.acknowledged)
                   if when >= began)
    moments = [began, *times]
    return max(after - before for before, after in zip(moments, moments[1:]))


def wait_for(condition):
    deadline = time.monotonic() + OUTAGE_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"no writes for {OUTAGE_SECONDS_MAX} s")
        time.sleep(0.01)


# ------------------------------------------------------------------ hosts


def may_make_hosts():
    """Network namespaces are made by root."""
    return os.geteuid() == 0


@contextlib.contextmanager
def hosts(tag, count=3):
    """Hosts with addresses of their own on one network, which this machine reaches as well."""
    bridge = f"rk{tag}"
    names = [f"rk{tag}{number}" for number in range(1, count + 1)]
    address = f"{NETWORK}.{tag}"
    with contextlib.ExitStack() as stack:
        stack.callback(ip, "link", "del", bridge)
        ip("link", "add", bridge, "type", "bridge")
        ip("addr", "add", f"{address}.254/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for number, name in enumerate(names, 1):
            stack.callback(ip, "netns", "del", name)
            ip("netns", "add", name)
            ip("link", "add", f"{name}h", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{name}h", "master", bridge, "up")
            ip("-n", name, "addr", "add", f"{address}.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names, [f"{address}.{number}" for number in range(1, count + 1)], bridge


def cut_off(options, kind, tag, rounds):
    """Cuts the leader's host off, again and again; gives the figures of each outage."""
    with hosts(tag) as (names, addresses, bridge), contextlib.ExitStack() as stack:
        wraps = [("ip", "netns", "exec", name) for name in names]
        ensemble = Ensemble(options, kind, hosts=addresses, wraps=wraps)
        stack.callback(ensemble.remove)
        ensemble.start()
        found = []
        for _ in range(rounds):
            leader = ensemble.leader()
            link = f"{names[leader.number - 1]}h"
            # Both ends stay up: what is sent into the link comes out nowhere.
            found.append(outage(ensemble, leader, lambda: ip("link", "set", link, "nomaster")))
            ip("link", "set", link, "master", bridge)
            leader.wait()
        return found


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)
