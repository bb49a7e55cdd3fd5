"""Sessions as kazoo lives them: negotiation, re-attachment, expiry, servers that come and go."""

import queue

from kazoo.client import KazooState
from kazoo.exceptions import BadVersionError, NoAuthError, NotReadOnlyCallError
from kazoo.protocol.states import KeeperState
from kazoo.security import make_digest_acl

from harness import ENSEMBLE, behaviour, order, raises, wait_for
from kazoo_clients import abandon


@behaviour("connect")
def connect(clients, root):
    for asked, given in [(0.1, 1000), (7.0, 7000), (500.0, 60000)]:
        client = clients(timeout=asked)
        assert client.client_id[0] != 0 and len(client.client_id[1]) == 16
        lines = client.command(b"cons").splitlines()
        mine = [line for line in lines if f"sid={client.client_id[0]:#x}," in line]
        assert len(mine) == 1 and f",to={given}," in mine[0], (asked, lines)


@behaviour("session-kept")
def kept(clients, root):
    client, other = clients(), clients()
    states = queue.Queue()
    client.add_listener(states.put)
    session = client.client_id
    client.create(f"{root}/e", b"0", ephemeral=True)
    order("drop")
    assert states.get(timeout=10) == KazooState.SUSPENDED
    assert states.get(timeout=10) == KazooState.CONNECTED
    assert client.client_id == session
    wait_for(lambda: other.connected, "the other client")
    assert other.retry(other.exists, f"{root}/e").ephemeralOwner == session[0]
    for number in range(5):
        order("drop")
        client.retry(client.set, f"{root}/e", str(number).encode())
        assert client.client_id == session
    stat = client.retry(client.exists, f"{root}/e")
    assert stat.ephemeralOwner == session[0] and stat.version >= 5


@behaviour("session-restart")
def restart(clients, root):
    client = clients(timeout=30.0)
    session = client.client_id
    client.create(f"{root}/e", b"kept", ephemeral=True)
    client.create(f"{root}/p-", sequence=True)
    order("restart")
    wait_for(lambda: client.connected, "the client", patience=30)
    data, stat = client.retry(client.get, f"{root}/e")
    assert (data, stat.ephemeralOwner) == (b"kept", session[0])
    assert client.client_id == session
    assert client.retry(client.create, f"{root}/p-", sequence=True) == f"{root}/p-0000000002"


@behaviour("session-close")
def close(clients, root):
    owner, other = clients(), clients()
    owner.create(f"{root}/e", b"mine", ephemeral=True)
    gone = queue.Queue()
    other.exists(f"{root}/e", watch=gone.put)
    owner.stop()
    event = gone.get(timeout=3)
    assert (event.type, event.path) == ("DELETED", f"{root}/e")
    assert other.exists(f"{root}/e") is None


@behaviour("session-expired")
def expiry(clients, root):
    client = clients(timeout=1.5)
    states = queue.Queue()
    old = client.client_id
    client.create(f"{root}/e", ephemeral=True)
    client.add_listener(states.put)
    order("close")
    assert states.get(timeout=10) == KazooState.SUSPENDED
    order(f"expired {old[0]:#x}")
    order("open")
    assert states.get(timeout=20) == KazooState.LOST
    assert states.get(timeout=20) == KazooState.CONNECTED
    assert client.client_id != old
    assert client.retry(client.exists, f"{root}/e") is None


@behaviour("session-takeover")
def take_over(clients, root):
    first = clients()
    first.create(f"{root}/e", ephemeral=True)
    session = first.client_id
    abandon(first)
    second = clients(client_id=session)
    assert second.client_id == session
    assert second.exists(f"{root}/e").ephemeralOwner == session[0]
    # A wrong password gives a session of one's own.
    thief = clients(client_id=(session[0], b"x" * 16))
    assert thief.client_id[0] != session[0]
    assert second.retry(second.exists, f"{root}/e").ephemeralOwner == session[0]
    assert second.client_id == session
    second.stop()
    third = clients()
    wait_for(lambda: third.exists(f"{root}/e") is None, "the ephemeral's end")


@behaviour("auth-again")
def auth_again(clients, root):
    client = clients(auth_data=[("digest", "alice:secret")])
    acl = make_digest_acl("alice", "secret", all=True)
    client.create(f"{root}/a", b"hers", acl=[acl])
    order("drop")
    wait_for(lambda: client.client_state == KeeperState.CONNECTED, "the client")
    assert client.retry(client.get, f"{root}/a")[0] == b"hers"


def _outlives(clients, root, kill):
    """The session, its ephemeral and its writes go on after a server was killed."""
    order("ensemble")
    client = clients(hosts=ENSEMBLE, timeout=30.0)
    client.ensure_path(root)
    client.create(f"{root}/e", ephemeral=True)
    session = client.client_id
    for number in range(10):
        if number == 5:
            order(kill(session[0]))
        client.retry(client.create, f"{root}/{number}", str(number).encode())
    assert client.client_id == session
    assert client.retry(client.exists, f"{root}/e").ephemeralOwner == session[0]
    assert len(client.retry(client.get_children, root)) == 11


@behaviour("server-killed")
def server_killed(clients, root):
    _outlives(clients, root, lambda session: f"kill-server-of {session:#x}")


@behaviour("leader-killed")
def leader_killed(clients, root):
    _outlives(clients, root, lambda session: "kill-leader")


@behaviour("read-only")
def read_only(clients, root):
    order("ensemble")
    writer = clients(hosts=ENSEMBLE)
    writer.create(root, b"data")
    writer.stop()
    order("leave-one")
    client = clients(hosts=ENSEMBLE, timeout=4.0, read_only=True)
    wait_for(lambda: client.client_state == KeeperState.CONNECTED_RO, "a read-only server")
    assert client.get(root)[0] == b"data"
    raises(NotReadOnlyCallError, client.create, f"{root}/a")
    order("ensemble")
    wait_for(lambda: client.client_state == KeeperState.CONNECTED, "a server that writes", 60)
    client.retry(client.create, f"{root}/a", ephemeral=True)


@behaviour("config-get")
def config_get(clients, root):
    order("ensemble")
    data, stat = clients(hosts=ENSEMBLE).get("/zookeeper/config")
    lines = data.decode().split("\n")
    assert [line.split("=")[0] for line in lines] == ["server.1", "server.2", "server.3", "version"]


@behaviour("reconfig")
def reconfig(clients, root):
    order("ensemble")
    client = clients(hosts=ENSEMBLE)
    line = client.get("/zookeeper/config")[0].decode().split("\n")[2]
    raises(NoAuthError, client.reconfig, joining=line, leaving=None, new_members=None)
    client.add_auth("digest", "super:test")
    data, stat = client.reconfig(joining=line, leaving=None, new_members=None)
    assert line in data.decode()
    version = int(data.decode().split("version=")[1], 16)
    again, _ = client.reconfig(line, None, None, from_config=version)
    assert int(again.decode().split("version=")[1], 16) > version
    raises(BadVersionError, client.reconfig, line, None, None, from_config=version)
