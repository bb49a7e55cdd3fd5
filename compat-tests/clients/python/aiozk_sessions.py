"""Sessions as aiozk sees them: how they begin and end, and what they survive, with one server and
with three.
"""

from aiozk import WatchEvent, exc
from aiozk.states import States

from aiozk_clients import breaks, is_ordered, notices, raises, soon
from harness import ENSEMBLE, behaviour


@behaviour("connect")
async def connect(clients, client, root):
    assert client.session.session_id != 0 and len(client.session.password) == 16
    for asked, given in [(0.1, 1), (7, 7), (500, 60)]:
        assert (await clients(session_timeout=asked)).session.timeout == given


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
    await notices(lambda: any(client.session.state != States.CONNECTED for client in members))


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
