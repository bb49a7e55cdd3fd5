"""A kazoo client that works while servers of an ensemble come and go, and then takes stock.

Its session must live through all of it; what was acknowledged must be there, once; a watch must
see a counter only grow, and in the end its last value. It prints how many writes were acknowledged
so far, a line each, and ends when its standard input does.
"""

import os
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionLoss, NodeExistsError, OperationTimeoutError, SessionExpiredError
from kazoo.retry import KazooRetry

SESSION_SECONDS = 30
ROOT = "/kazoo"


class Work:
    def __init__(self):
        self.over = threading.Event()
        self.lost = False
        self.acknowledged = []
        self.attempted = 0
        self.seen = []
        patient = KazooRetry(max_tries=-1, delay=0.05, backoff=1)
        self.client = KazooClient(hosts=os.environ["COMPAT_CONNECT"], timeout=SESSION_SECONDS,
                                  connection_retry=patient)
        self.client.add_listener(self.listen)

    def listen(self, state):
        self.lost = self.lost or state == KazooState.LOST

    def start(self):
        self.client.start(timeout=60)
        self.session = self.client.client_id[0]
        self.client.create(ROOT)
        self.client.create(f"{ROOT}/held", ephemeral=True)
        self.client.create(f"{ROOT}/counter", b"0")
        self.client.DataWatch(f"{ROOT}/counter", self.watch)

    def watch(self, data, stat):
        if data is not None:
            self.seen.append((int(data), stat.mzxid))

    def run(self):
        """Creates numbered znodes, and counts, until told to stop."""
        while not self.over.is_set():
            number = self.attempted
            self.attempted += 1
            self.insist(lambda: self.client.create(f"{ROOT}/{number}", str(number).encode()),
                        NodeExistsError)
            self.insist(lambda: self.client.set(f"{ROOT}/counter", str(number).encode()))
            self.acknowledged.append(number)
            print(len(self.acknowledged), flush=True)

    def insist(self, operation, done=()):
        """Repeats what a lost connection left open; `done` says that the first one counted."""
        repeated = False
        while True:
            try:
                return operation()
            except (ConnectionLoss, OperationTimeoutError):
                repeated = True
                time.sleep(0.05)
            except done:
                # Without a repetition nobody else can have made it.
                assert repeated, "a create was applied twice"
                return None

    def take_stock(self):
        assert not self.lost, "the session was lost"
        assert self.client.client_id[0] == self.session, "another session"
        self.client.sync(ROOT)
        held = self.client.exists(f"{ROOT}/held")
        assert held is not None and held.ephemeralOwner == self.session, f"held: {held}"
        there = set(self.client.get_children(ROOT)) - {"held", "counter"}
        assert there == {str(number) for number in self.acknowledged}, "lost or invented znodes"
        last = self.acknowledged[-1]
        deadline = time.monotonic() + 10
        while self.seen[-1][0] != last:
            assert time.monotonic() < deadline, f"the watch ended at {self.seen[-1]}, not {last}"
            time.sleep(0.02)
        zxids = [zxid for _, zxid in self.seen]
        assert zxids == sorted(zxids), "the watch saw the past"
        values = [value for value, _ in self.seen]
        assert values == sorted(values), "the counter went back"
        self.client.stop()


def main():
    work = Work()
    work.start()
    worker = threading.Thread(target=work.run)
    worker.start()
    sys.stdin.read()
    work.over.set()
    worker.join(60)
    assert not worker.is_alive(), "the worker hangs"
    work.take_stock()


if __name__ == "__main__":
    main()
