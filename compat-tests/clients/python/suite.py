"""Runs kazoo's suite against the server in COMPAT_CONNECT; exit status 1 when a behaviour fails.

An argument runs only the behaviours whose title contains it.
"""

import logging
import os
import sys

import harness
import nodes  # noqa: F401  (registers its behaviours)
import recipes  # noqa: F401
import sessions  # noqa: F401

logging.basicConfig(level=logging.CRITICAL)
status = 1 if harness.run_all() else 0
sys.stdout.flush()
# Threads of clients that were abandoned on purpose must not keep the process alive.
os._exit(status)
