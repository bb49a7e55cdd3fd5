"""Asks aiozk for the behaviours of `behaviours.txt`. An argument asks only for some.

It proves that the library does with a server what it does with ZooKeeper. It does not prove what
the library builds upon that, its recipes.
"""

import logging
import os
import sys

import aiozk_sessions  # noqa: F401  (registers its behaviours)
import aiozk_watches  # noqa: F401
import aiozk_znodes  # noqa: F401
import harness
from aiozk_clients import Clients

harness.unsupported(
    "create-stat",
    "ttl",
    "children-stat",
    "acl-digest",
    "acl-auth",
    "auth-unknown",
    "auth-again",
    "multi-read",
    "watch-persistent",
    "watch-recursive",
    "watch-remove",
    "sync",
    "ephemerals-of",
    "all-children",
    "who-am-i",
    "session-takeover",
    "reconfig",
)
logging.basicConfig(level=logging.CRITICAL)
harness.run_all(Clients)
sys.stdout.flush()
# Connections that were broken on purpose must not keep the process alive.
os._exit(0)
