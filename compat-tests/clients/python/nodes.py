"""Nodes as kazoo sees them: data, children, sequences, multi, ACLs, one-shot watches."""

import queue

from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    InvalidACLError,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.security import make_acl, make_digest_acl, make_digest_acl_credential

from harness import behaviour, raises, wait_for


@behaviour("create, read, update, list and delete a node")
def crud(clients, root):
    client = clients()
    assert client.create(f"{root}/a", b"one") == f"{root}/a"
    data, stat = client.get(f"{root}/a")
    assert (data, stat.version, stat.dataLength, stat.numChildren) == (b"one", 0, 3, 0)
    assert stat.czxid == stat.mzxid == stat.pzxid > 0
    stat = client.set(f"{root}/a", b"two", version=0)
    assert (stat.version, stat.mzxid > stat.czxid) == (1, True)
    raises(BadVersionError, client.set, f"{root}/a", b"x", version=0)
    raises(NodeExistsError, client.create, f"{root}/a")
    raises(NoNodeError, client.get, f"{root}/none")
    raises(NoNodeError, client.create, f"{root}/none/below")
    assert client.exists(f"{root}/none") is None
    client.create(f"{root}/a/b")
    raises(NotEmptyError, client.delete, f"{root}/a")
    raises(BadVersionError, client.delete, f"{root}/a", version=7)
    assert client.get_children(f"{root}/a") == ["b"]
    children, stat = client.get_children(f"{root}/a", include_data=True)
    assert (children, stat.numChildren, stat.cversion) == (["b"], 1, 1)
    client.delete(f"{root}/a", recursive=True)
    assert client.get_children(root) == []


@behaviour("empty, null-like and large data come back as they went")
def data(clients, root):
    client = clients()
    for name, value in {"empty": b"", "zeros": bytes(16), "large": b"x" * 1_000_000}.items():
        client.create(f"{root}/{name}", value)
        assert client.get(f"{root}/{name}")[0] == value
    client.create(f"{root}/ünïcode-日本", "ünï".encode())
    assert "ünïcode-日本" in client.get_children(root)


@behaviour("create with include_data returns the stat")
def create2(clients, root):
    client = clients()
    path, stat = client.create(f"{root}/n", b"12345", include_data=True)
    assert (path, stat.dataLength, stat.version) == (f"{root}/n", 5, 0)
    path, stat = client.create(f"{root}/e", ephemeral=True, include_data=True)
    assert stat.ephemeralOwner == client.client_id[0]


@behaviour("sequences count all children and never go back")
def sequences(clients, root):
    client = clients()
    assert client.create(f"{root}/s-", sequence=True) == f"{root}/s-0000000000"
    client.create(f"{root}/plain")
    assert client.create(f"{root}/t-", sequence=True) == f"{root}/t-0000000002"
    client.delete(f"{root}/t-0000000002")
    assert client.create(f"{root}/s-", sequence=True) == f"{root}/s-0000000003"
    assert client.create(f"{root}/", sequence=True) == f"{root}/0000000004"
    path = client.create(f"{root}/e-", sequence=True, ephemeral=True)
    assert path == f"{root}/e-0000000005"


@behaviour("an ephemeral goes with its session and can have no children")
def ephemerals(clients, root):
    owner, other = clients(), clients()
    owner.create(f"{root}/e", b"mine", ephemeral=True)
    assert other.exists(f"{root}/e").ephemeralOwner == owner.client_id[0]
    raises(NoChildrenForEphemeralsError, other.create, f"{root}/e/child")
    owner.stop()
    # kazoo does not wait for the server's answer when it closes a session.
    wait_for(lambda: other.exists(f"{root}/e") is None, "the ephemeral's end", patience=3)


@behaviour("makepath and ensure_path create what is missing")
def paths(clients, root):
    client = clients()
    client.create(f"{root}/x/y/z", b"deep", makepath=True)
    client.ensure_path(f"{root}/x/y/w")
    assert sorted(client.get_children(f"{root}/x/y")) == ["w", "z"]


@behaviour("a chroot hides what is above it, in events too")
def chroot(clients, root):
    client = clients()
    client.chroot = root
    events = queue.Queue()
    client.create("/in", b"side")
    client.get("/in", watch=events.put)
    client.set("/in", b"out")
    event = events.get(timeout=10)
    assert (event.type, event.path) == ("CHANGED", "/in")
    assert client.get_children("/") == ["in"]


@behaviour("one-shot watches fire once, for each kind of change")
def watches(clients, root):
    watcher, writer = clients(), clients()
    events = queue.Queue()

    def seen():
        event = events.get(timeout=10)
        return event.type, event.path, event.state

    path = f"{root}/w"
    assert watcher.exists(path, watch=events.put) is None
    writer.create(path)
    assert seen() == ("CREATED", path, "CONNECTED")
    watcher.get(path, watch=events.put)
    writer.set(path, b"1")
    assert seen() == ("CHANGED", path, "CONNECTED")
    writer.set(path, b"2")
    watcher.get_children(path, watch=events.put)
    writer.create(f"{path}/c")
    assert seen() == ("CHILD", path, "CONNECTED")
    writer.delete(f"{path}/c")
    watcher.exists(path, watch=events.put)
    writer.delete(path)
    assert seen() == ("DELETED", path, "CONNECTED")
    watcher.sync(root)
    assert events.empty()


@behaviour("an event arrives before the data that it announces")
def event_before_data(clients, root):
    watcher, writer = clients(), clients()
    path = f"{root}/n"
    writer.create(path, b"0")
    for round_number in range(50):
        events = []
        watcher.get(path, watch=events.append)
        new = str(round_number + 1).encode()
        pending = writer.set_async(path, new)
        wait_for(lambda: watcher.get(path)[0] == new, "the new data")
        pending.get()
        wait_for(lambda: events, "the event of what was read", patience=5)


@behaviour("a transaction commits as one, and its parts see each other")
def transaction(clients, root):
    client = clients()
    client.create(f"{root}/kept", b"old")
    transaction = client.transaction()
    transaction.check(f"{root}/kept", 0)
    transaction.create(f"{root}/made", b"1")
    transaction.set_data(f"{root}/made", b"2", version=0)
    transaction.create(f"{root}/made/seq-", sequence=True)
    transaction.delete(f"{root}/kept", version=0)
    results = transaction.commit()
    assert results[0] is True and results[1] == f"{root}/made"
    assert results[2].version == 1
    assert results[3] == f"{root}/made/seq-0000000000"
    assert results[4] is True
    assert client.get(f"{root}/made")[0] == b"2"
    assert client.exists(f"{root}/kept") is None


@behaviour("a failing transaction changes nothing and names the culprit")
def failed_transaction(clients, root):
    client = clients()
    transaction = client.transaction()
    transaction.create(f"{root}/a")
    transaction.check(f"{root}/a", 5)
    transaction.create(f"{root}/b")
    results = transaction.commit()
    assert [type(result) for result in results] == [
        RolledBackError,
        BadVersionError,
        RuntimeInconsistency,
    ], results
    assert client.get_children(root) == []


@behaviour("ACLs: digest users are let in and others kept out")
def acls(clients, root):
    anyone = clients()
    alice = clients(auth_data=[("digest", "alice:secret")])
    bob = clients()
    acl = make_digest_acl("alice", "secret", all=True)
    anyone.create(f"{root}/a", b"hers", acl=[acl])
    assert alice.get(f"{root}/a")[0] == b"hers"
    raises(NoAuthError, bob.get, f"{root}/a")
    raises(NoAuthError, bob.set, f"{root}/a", b"")
    raises(NoAuthError, bob.create, f"{root}/a/b")
    bob.add_auth("digest", "alice:wrong")
    raises(NoAuthError, bob.get, f"{root}/a")
    bob.add_auth("digest", "alice:secret")
    assert bob.get(f"{root}/a")[0] == b"hers"
    acls, stat = alice.get_acls(f"{root}/a")
    credential = make_digest_acl_credential("alice", "secret")
    assert (acls[0].id.scheme, acls[0].id.id, stat.aversion) == ("digest", credential, 0)
    readable = make_acl("world", "anyone", read=True)
    stat = alice.set_acls(f"{root}/a", [acl, readable], version=0)
    assert stat.aversion == 1
    assert anyone.get(f"{root}/a")[0] == b"hers"
    raises(NoAuthError, anyone.set, f"{root}/a", b"")
    raises(BadVersionError, alice.set_acls, f"{root}/a", [acl], version=0)


@behaviour("ACLs: `auth` becomes the creator, nonsense is refused")
def acl_schemes(clients, root):
    alice = clients(auth_data=[("digest", "alice:secret")])
    nobody = clients()
    auth = make_acl("auth", "", all=True)
    alice.create(f"{root}/a", acl=[auth])
    acls, _ = alice.get_acls(f"{root}/a")
    assert acls[0].id.id == make_digest_acl_credential("alice", "secret")
    raises(InvalidACLError, nobody.create, f"{root}/b", acl=[auth])
    raises(InvalidACLError, nobody.create, f"{root}/b", acl=[make_acl("none", "x", all=True)])
    ip = make_acl("ip", "127.0.0.1", all=True)
    nobody.create(f"{root}/ip", acl=[ip])
    assert nobody.get(f"{root}/ip")[0] == b""
    other_ip = make_acl("ip", "10.0.0.0/8", all=True)
    nobody.create(f"{root}/other-ip", acl=[other_ip])
    raises(NoAuthError, nobody.get, f"{root}/other-ip")


@behaviour("an unknown authentication scheme fails")
def unknown_scheme(clients, root):
    client = clients()
    raises(AuthFailedError, client.add_auth, "nonsense", "x")


@behaviour("sync, and the four letter words that kazoo knows")
def words(clients, root):
    client = clients()
    assert client.sync(root) == root
    assert client.command(b"ruok") == "imok"
    assert client.server_version()[:2] == (3, 9), client.server_version()
    assert "Mode: standalone" in client.command(b"srvr")
    assert "zk_znode_count" in client.command(b"mntr")
    assert client.command(b"isro").strip() == "rw"


@behaviour("many requests in flight are answered in order")
def pipeline(clients, root):
    client = clients()
    answered, pending = [], []
    client.create(f"{root}/n")
    for number in range(500):
        if number % 3 == 0:
            result = client.set_async(f"{root}/n", str(number).encode())
        elif number % 3 == 1:
            result = client.get_async(f"{root}/n")
        else:
            result = client.get_children_async(root)
        result.rawlink(lambda _, number=number: answered.append(number))
        pending.append(result)
    results = [result.get(timeout=20) for result in pending]
    wait_for(lambda: len(answered) == 500, "all callbacks")
    assert answered == list(range(500))
    # Each read sees the write before it, and none after.
    for number in range(1, 500, 3):
        data, stat = results[number]
        assert (data, stat.version) == (str(number - 1).encode(), number // 3 + 1)


@behaviour("the tree of a fresh server is ZooKeeper's")
def system_nodes(clients, root):
    client = clients()
    assert sorted(client.get_children("/zookeeper")) == ["config", "quota"]
    assert "zookeeper" in client.get_children("/")
    assert client.exists("/keeper/api_version") is None
