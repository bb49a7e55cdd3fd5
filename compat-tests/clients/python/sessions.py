"""Sessions as kazoo lives them: negotiation, re-attachment, expiry, restarts of the server."""

import queue

from kazoo.client import KazooState
from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import KeeperState

from harness import abandon, behaviour, order, raises, wait_for


@behaviour("a session survives a broken connection, with its ephemerals")
def reattach(clients, root):
    client, other = clients(), clients()
    states = queue.Queue()
    client.add_listener(states.put)
    session = client.client_id
    client.create(f"{root}/e", ephemeral=True)
    order("drop")
    assert states.get(timeout=10) == KazooState.SUSPENDED
    assert states.get(timeout=10) == KazooState.CONNECTED
    assert client.client_id == session
    wait_for(lambda: other.connected, "the other client")
    assert other.retry(other.exists, f"{root}/e").ephemeralOwner == session[0]


@behaviour("a session survives connections broken again and again")
def reattach_often(clients, root):
    client = clients()
    session = client.client_id
    client.create(f"{root}/e", b"0", ephemeral=True)
    for number in range(5):
        order("drop")
        client.retry(client.set, f"{root}/e", str(number).encode())
        assert client.client_id == session
    stat = client.retry(client.exists, f"{root}/e")
    assert stat.ephemeralOwner == session[0] and stat.version >= 5


@behaviour("a session survives kill -9 of the server, with its ephemerals and data")
def survives_kill(clients, root):
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


@behaviour("a client that is away too long finds its session expired")
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


@behaviour("a silent client's ephemerals vanish for the others")
def vanish(clients, root):
    silent = clients(timeout=1.5)
    watcher = clients()
    silent.create(f"{root}/e", ephemeral=True)
    gone = queue.Queue()
    watcher.exists(f"{root}/e", watch=gone.put)
    abandon(silent)
    event = gone.get(timeout=10)
    assert event.type == "DELETED"
    assert watcher.get_children(root) == []
    raises(NoNodeError, watcher.get, f"{root}/e")


@behaviour("another client takes over a session with its id and password")
def take_over(clients, root):
    first = clients()
    first.create(f"{root}/e", ephemeral=True)
    session = first.client_id
    abandon(first)
    second = clients(client_id=session)
    assert second.client_id == session
    assert second.exists(f"{root}/e").ephemeralOwner == session[0]
    second.stop()
    third = clients()
    wait_for(lambda: third.exists(f"{root}/e") is None, "the ephemeral's end")


@behaviour("a wrong password is an expired session, never somebody else's")
def wrong_password(clients, root):
    owner = clients()
    owner.create(f"{root}/e", ephemeral=True)
    session = owner.client_id
    thief = clients(client_id=(session[0], b"x" * 16))
    assert thief.client_id[0] != session[0]
    assert owner.retry(owner.exists, f"{root}/e").ephemeralOwner == session[0]
    assert owner.client_id == session


@behaviour("the session timeout is negotiated within the server's bounds")
def negotiation(clients, root):
    for asked, given in [(0.1, 1000), (7.0, 7000), (500.0, 60000)]:
        client = clients(timeout=asked)
        lines = client.command(b"cons").splitlines()
        mine = [line for line in lines if f"sid={client.client_id[0]:#x}," in line]
        assert len(mine) == 1 and f",to={given}," in mine[0], (asked, lines)


@behaviour("authentication is repeated on a new connection")
def auth_again(clients, root):
    from kazoo.security import make_digest_acl

    client = clients(auth_data=[("digest", "alice:secret")])
    acl = make_digest_acl("alice", "secret", all=True)
    client.create(f"{root}/a", b"hers", acl=[acl])
    order("drop")
    wait_for(lambda: client.client_state == KeeperState.CONNECTED, "the client")
    assert client.retry(client.get, f"{root}/a")[0] == b"hers"
