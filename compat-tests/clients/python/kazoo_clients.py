"""Clients of kazoo, stopped when their behaviour ends."""

from kazoo.client import KazooClient

from harness import CONNECT, PATIENCE


def abandon(client):
    """Breaks a client's connection for good without closing its session."""
    client._stopped.set()
    client._connection._socket.shutdown(2)


class Clients:
    """Hands out connected clients and stops them all at the end of a behaviour."""

    def __init__(self):
        self.open = []

    def __call__(self, **options):
        options.setdefault("timeout", 6.0)
        options.setdefault("hosts", CONNECT)
        client = KazooClient(**options)
        self.open.append(client)
        client.start(timeout=PATIENCE)
        return client

    def make_root(self, root):
        self().ensure_path(root)

    def stop(self):
        for client in self.open:
            try:
                client.stop()
                client.close()
            except Exception:
                pass
        self.open.clear()
