"""Asks aiozk for the behaviours of `behaviours.txt`. An argument asks only for some."""

import asyncio
import logging
import os
import sys
import time

from aiozk import ACL, RetryPolicy, WatchEvent, ZKClient, exc
from aiozk.states import States

import harness
from harness import CONNECT, ENSEMBLE, PATIENCE, behaviour, order

ALL = dict(read=True, write=True, create=True, delete=True, admin=True)
SESSION_SECONDS = 6


class Clients:
    """Hands out connected clients and closes them all at the end of a behaviour."""

    def __init__(self):
        self.open = []

    async def __call__(self, servers=CONNECT, **options):
        options.setdefault("session_timeout", SESSION_SECONDS)
        client = ZKClient(servers, retry_policy=RetryPolicy.once(), **options)
        self.open.append(client)
        await asyncio.wait_for(client.start(), PATIENCE)
        return client

    async def within(self, function, root):
        try:
            client = await self()
            await client.create(root)
            await asyncio.wait_for(function(self, client, root), 90)
        finally:
            for client in self.open:
                try:
                    await asyncio.wait_for(client.close(), 1)
                except Exception:
                    pass

    def stop(self):
        pass


async def raises(error, awaitable):
    try:
        result = await awaitable
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, got {result!r}")


async def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


def soon(awaitable):
    return asyncio.wait_for(awaitable, PATIENCE)


async def is_ordered(word):
    """Gives an order, while the clients go on."""
    await asyncio.to_thread(order, word)


async def breaks(client, word):
    """Breaks a client's connection; the client must be back before its session has run out."""
    await is_ordered(word)
    # Half of the session is generous: a broken connection shows at once.
    end = time.monotonic() + SESSION_SECONDS / 2
    while client.session.state == States.CONNECTED:
        assert time.monotonic() < end, "a broken connection goes unnoticed"
        await asyncio.sleep(0.02)
    await soon(client.session.state.wait_for(States.CONNECTED))


@behaviour("connect")
async def connect(clients, client, root):
    assert client.session.session_id != 0 and len(client.session.password) == 16
    for asked, given in [(0.1, 1), (7, 7), (500, 60)]:
        assert (await clients(session_timeout=asked)).session.timeout == given


@behaviour("create")
async def create(clients, client, root):
    assert await client.create(f"{root}/a", b"one") == f"{root}/a"
    await client.ensure_path(f"{root}/x/y")
    assert await client.exists(f"{root}/x/y")


@behaviour("create-ephemeral")
async def create_ephemeral(clients, client, root):
    await client.create(f"{root}/e", ephemeral=True)
    other = await clients()
    _, stat = await other.get(f"{root}/e")
    assert stat.ephemeral_owner == client.session.session_id
    await raises(exc.NoChildrenForEphemerals, other.create(f"{root}/e/c"))


@behaviour("create-sequential")
async def create_sequential(clients, client, root):
    assert await client.create(f"{root}/s-", sequential=True) == f"{root}/s-0000000000"
    await client.create(f"{root}/plain")
    path = await client.create(f"{root}/e-", sequential=True, ephemeral=True)
    assert path == f"{root}/e-0000000002"


@behaviour("container")
async def container(clients, client, root):
    await client.create(f"{root}/container", container=True)
    await client.create(f"{root}/container/c")
    await client.delete(f"{root}/container/c")

    async def gone():
        return not await client.exists(f"{root}/container")

    await until("the container's end", gone)


@behaviour("get-set")
async def get_set(clients, client, root):
    await client.create(f"{root}/a", b"one")
    data, stat = await client.get(f"{root}/a")
    assert (data, stat.version, stat.data_length) == (b"one", 0, 3)
    changed = await client.set(f"{root}/a", b"two", 0)
    assert changed.version == 1
    assert await client.get_data(f"{root}/a") == b"two"


@behaviour("exists")
async def exists(clients, client, root):
    assert not await client.exists(f"{root}/none")
    assert await client.exists(root)
    # The Stat is in the client's cache, for later calls.
    assert client.stat_cache[root].version == 0


@behaviour("delete")
async def delete(clients, client, root):
    await client.create(f"{root}/a")
    await client.create(f"{root}/a/b")
    await raises(exc.NotEmpty, client.delete(f"{root}/a"))
    await client.delete(f"{root}/a/b")
    await client.delete(f"{root}/a")
    assert not await client.exists(f"{root}/a")


@behaviour("children")
async def children(clients, client, root):
    assert await client.get_children(root) == []
    await client.create(f"{root}/a")
    await client.create(f"{root}/b")
    assert sorted(await client.get_children(root)) == ["a", "b"]


@behaviour("bad-version")
async def bad_version(clients, client, root):
    await raises(exc.BadVersion, client.set(root, b"x", 1))
    other = await clients()
    await client.exists(root)
    await other.set_data(root, b"x")
    # It deletes the version that it saw last.
    await raises(exc.BadVersion, client.delete(root))


@behaviour("node-errors")
async def node_errors(clients, client, root):
    await raises(exc.NodeExists, client.create(root))
    await raises(exc.NoNode, client.get(f"{root}/none"))
    await raises(exc.NoNode, client.set(f"{root}/none", b"", -1))
    await raises(exc.NoNode, client.delete(f"{root}/none"))
    await raises(exc.NoNode, client.get_children(f"{root}/none"))
    await raises(exc.NoNode, client.create(f"{root}/none/below"))


@behaviour("data-empty")
async def data_empty(clients, client, root):
    await client.create(f"{root}/empty", b"")
    assert await client.get_data(f"{root}/empty") == b""
    await client.create(f"{root}/null")
    assert await client.get_data(f"{root}/null") is None


@behaviour("data-large")
async def data_large(clients, client, root):
    large = b"x" * 1_000_000
    await client.create(f"{root}/large", large)
    assert await client.get_data(f"{root}/large") == large


@behaviour("data-too-large")
async def data_too_large(clients, client, root):
    session = client.session.session_id
    big = client.create(f"{root}/big", b"x" * 1_100_000)
    try:
        await asyncio.wait_for(big, SESSION_SECONDS / 2)
    except asyncio.TimeoutError:
        raise AssertionError("a broken connection goes unnoticed") from None
    except Exception:
        pass
    assert not await client.exists(f"{root}/big")
    assert client.session.session_id == session


@behaviour("unicode")
async def unicode(clients, client, root):
    await client.create(f"{root}/ünïcode-日本", "ünï".encode())
    assert await client.get_children(root) == ["ünïcode-日本"]
    assert await client.get_data(f"{root}/ünïcode-日本") == "ünï".encode()


@behaviour("acl")
async def acl(clients, client, root):
    acls = await client.get_acl(root)
    assert [(acl.perms, acl.id.scheme, acl.id.id) for acl in acls] == [(31, "world", "anyone")]
    few = [ACL.make("world", "anyone", read=True, admin=True)]
    await client.set_acl(root, few, force=True)
    await client.exists(root)
    assert client.stat_cache[root].acl_version == 1
    await raises(exc.NoAuth, client.set(root, b"", -1))
    await raises(exc.NoAuth, client.create(f"{root}/a"))
    # It compares the version that it saw last.
    await (await clients()).set_acl(root, few, force=True)


@behaviour("acl-ip")
async def acl_ip(clients, client, root):
    for address in ["127.0.0.1", "10.0.0.0"]:
        await client.create(f"{root}/{address}", acl=[ACL.make("ip", address, **ALL)])
    await client.get(f"{root}/127.0.0.1")
    await raises(exc.NoAuth, client.get(f"{root}/10.0.0.0"))


@behaviour("quota")
async def quota(clients, client, root):
    place = f"/zookeeper/quota{root}"
    await client.create(place)
    await client.create(f"{place}/zookeeper_limits", b"count=5,bytes=-1")
    await client.create(f"{place}/zookeeper_stats", b"count=1,bytes=0")
    await client.create(f"{root}/a", b"12345")
    stats = await client.get_data(f"{place}/zookeeper_stats")
    assert stats.startswith(b"count=2,bytes=5"), stats


@behaviour("multi")
async def multi(clients, client, root):
    transaction = client.begin_transaction()
    transaction.create(f"{root}/a", b"1")
    transaction.check_version(f"{root}/a", 0)
    transaction.set_data(f"{root}/a", b"2", 0)
    transaction.create(f"{root}/c")
    transaction.delete(f"{root}/c", 0)
    result = await transaction.commit()
    assert result.created == {f"{root}/a", f"{root}/c"}
    assert (result.checked, result.updated) == ({f"{root}/a"}, {f"{root}/a"})
    assert result.deleted == {f"{root}/c"}
    assert await client.get_data(f"{root}/a") == b"2"
    assert await client.get_children(root) == ["a"]


@behaviour("multi-fails")
async def multi_fails(clients, client, root):
    transaction = client.begin_transaction()
    transaction.create(f"{root}/a")
    transaction.check_version(f"{root}/a", 3)
    result = await transaction.commit()
    assert not result
    assert await client.get_children(root) == []
    # The result is only that it failed; the culprit is in no part of it.
    assert hasattr(result, "errors"), "the culprit is not named"


@behaviour("watch-data")
async def watch_data(clients, client, root):
    writer = await clients()
    changed = client.wait_for_events([WatchEvent.DATA_CHANGED], root)
    await client.get(root, watch=True)
    await writer.set_data(root, b"1")
    await soon(changed)
    deleted = client.wait_for_events([WatchEvent.DELETED], root)
    await client.get(root, watch=True)
    await writer.delete(root, force=True)
    await soon(deleted)


@behaviour("watch-exists")
async def watch_exists(clients, client, root):
    writer = await clients()
    created = client.wait_for_events([WatchEvent.CREATED], f"{root}/w")
    assert not await client.exists(f"{root}/w", watch=True)
    await writer.create(f"{root}/w")
    await soon(created)


@behaviour("watch-children")
async def watch_children(clients, client, root):
    writer = await clients()
    changed = client.wait_for_events([WatchEvent.CHILDREN_CHANGED], root)
    await client.get_children(root, watch=True)
    await writer.create(f"{root}/c")
    await soon(changed)


@behaviour("watch-once")
async def watch_once(clients, client, root):
    writer = await clients()
    seen = []
    client.session.add_watch_callback(WatchEvent.DATA_CHANGED, root, seen.append)
    await client.get(root, watch=True)
    await writer.set_data(root, b"1")
    await writer.set_data(root, b"2", force=True)

    async def told():
        return seen

    await until("the event", told)
    await client.exists(root)
    assert seen == [root]


@behaviour("watch-first")
async def watch_first(clients, client, root):
    writer = await clients()
    for number in range(50):
        changed = client.wait_for_events([WatchEvent.DATA_CHANGED], root)
        await client.get(root, watch=True)
        new = str(number).encode()
        writing = asyncio.create_task(writer.set_data(root, new, force=True))

        async def visible():
            return await client.get_data(root) == new

        await until("the new data", visible)
        # The event's callback was scheduled before the answer was.
        assert changed.done(), "the data came before the event"
        await writing


@behaviour("watch-again")
async def watch_again(clients, client, root):
    changed = client.wait_for_events([WatchEvent.CHILDREN_CHANGED], root)
    await client.get_children(root, watch=True)
    await breaks(client, "drop")
    await (await clients()).create(f"{root}/c")
    await soon(changed)


@behaviour("watch-missed")
async def watch_missed(clients, client, root):
    created = client.wait_for_events([WatchEvent.CREATED], f"{root}/w")
    await client.exists(f"{root}/w", watch=True)
    await is_ordered("drop")
    await (await clients()).create(f"{root}/w")
    try:
        await asyncio.wait_for(created, SESSION_SECONDS / 2)
    except asyncio.TimeoutError:
        raise AssertionError("a broken connection goes unnoticed") from None


@behaviour("pipeline")
async def pipeline(clients, client, root):
    answered = []

    async def ask(number):
        if number % 2 == 0:
            await client.set(root, str(number).encode(), number // 2)
        else:
            data, stat = await client.get(root)
            assert (data, stat.version) == (str(number - 1).encode(), number // 2 + 1)
        answered.append(number)

    await soon(asyncio.gather(*[ask(number) for number in range(400)]))
    assert answered == list(range(400))


@behaviour("session-kept")
async def session_kept(clients, client, root):
    session = client.session.session_id
    await client.create(f"{root}/e", ephemeral=True)
    await breaks(client, "drop")
    assert client.session.session_id == session
    _, stat = await client.get(f"{root}/e")
    assert stat.ephemeral_owner == session


@behaviour("session-restart")
async def session_restart(clients, client, root):
    await client.create(f"{root}/e", b"kept", ephemeral=True)
    await breaks(client, "restart")
    assert await client.get_data(f"{root}/e") == b"kept"


@behaviour("session-close")
async def session_close(clients, client, root):
    owner = await clients()
    await owner.create(f"{root}/e", ephemeral=True)
    gone = client.wait_for_events([WatchEvent.DELETED], f"{root}/e")
    await client.exists(f"{root}/e", watch=True)
    await owner.close()
    await soon(gone)
    assert await client.get_children(root) == []


@behaviour("session-expired")
async def session_expired(clients, _, root):
    client = await clients(session_timeout=1)
    session = client.session.session_id
    await client.create(f"{root}/e", ephemeral=True)
    await is_ordered("close")
    await is_ordered(f"expired {session:#x}")
    lost = client.session.state.wait_for(States.LOST)
    await is_ordered("open")
    await soon(lost)
    await soon(client.session.state.wait_for(States.CONNECTED))
    assert client.session.session_id != session


@behaviour("chroot")
async def chroot(clients, outside, root):
    inside = await clients(chroot=root)
    assert await inside.create("/in") == "/in"
    changed = inside.wait_for_events([WatchEvent.DATA_CHANGED], "/in")
    await inside.get("/in", watch=True)
    await outside.set_data(f"{root}/in", b"1")
    await soon(changed)
    assert await inside.get_children("/") == ["in"]


@behaviour("server-killed")
async def server_killed(clients, _, root):
    await is_ordered("ensemble")
    client = await clients(ENSEMBLE)
    await client.create(root, ephemeral=True)
    await breaks(client, f"kill-server-of {client.session.session_id:#x}")
    assert await client.exists(root)


@behaviour("leader-killed")
async def leader_killed(clients, _, root):
    await is_ordered("ensemble")
    # One client for each server, so that one of them is the leader's.
    members = [await clients(server) for server in ENSEMBLE.split(",")]
    for client in members:
        # With ephemerals, so that all servers know the sessions.
        await client.create(f"{root}-", ephemeral=True, sequential=True)
    await is_ordered("kill-leader")
    end = time.monotonic() + SESSION_SECONDS / 2
    while all(client.session.state == States.CONNECTED for client in members):
        assert time.monotonic() < end, "a broken connection goes unnoticed"
        await asyncio.sleep(0.02)


@behaviour("read-only")
async def read_only(clients, _, root):
    await is_ordered("ensemble")
    writer = await clients(ENSEMBLE)
    await writer.create(root, b"data")
    await writer.close()
    await is_ordered("leave-one")
    client = await clients(ENSEMBLE, allow_read_only=True)
    assert await client.get_data(root) == b"data"
    await raises(exc.NotReadOnly, client.set(root, b"", -1))


@behaviour("config-get")
async def config_get(clients, _, root):
    await is_ordered("ensemble")
    config = await (await clients(ENSEMBLE)).get_data("/zookeeper/config")
    keys = [line.split("=")[0] for line in config.decode().split("\n")]
    assert keys == ["server.1", "server.2", "server.3", "version"]


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
os._exit(0)
