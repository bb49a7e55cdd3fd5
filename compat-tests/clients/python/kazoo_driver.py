"""Asks kazoo for the behaviours of `behaviours.txt`. An argument asks only for some."""

import logging
import os
import sys

import harness
import nodes  # noqa: F401  (registers its behaviours)
import sessions  # noqa: F401
from kazoo_clients import Clients

harness.unsupported(
    "container",
    "ttl",
    "multi-read",
    "watch-persistent",
    "watch-recursive",
    "watch-remove",
    # kazoo tells its watchers that the connection broke, and drops them.
    "watch-again",
    "watch-missed",
    "ephemerals-of",
    "all-children",
    "who-am-i",
)
logging.basicConfig(level=logging.CRITICAL)
harness.run_all(Clients)
sys.stdout.flush()
# Threads of clients that were abandoned on purpose must not keep the process alive.
os._exit(0)
