"""Znodes as kazoo sees them: data, children, sequences, multi, ACLs, one-shot watches."""

import queue

from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    ConnectionLoss,
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


@behaviour("create")
def create(clients, root):
    assert clients().create(f"{root}/a", b"one") == f"{root}/a"


@behaviour("create-stat")
def create_stat(clients, root):
    client = clients()
    path, stat = client.create(f"{root}/n", b"12345", include_data=True)
    assert (path, stat.dataLength, stat.version) == (f"{root}/n", 5, 0)
    path, stat = client.create(f"{root}/e", ephemeral=True, include_data=True)
    assert stat.ephemeralOwner == client.client_id[0]


@behaviour("create-ephemeral")
def ephemerals(clients, root):
    owner, other = clients(), clients()
    owner.create(f"{root}/e", b"mine", ephemeral=True)
    assert other.exists(f"{root}/e").ephemeralOwner == owner.client_id[0]
    raises(NoChildrenForEphemeralsError, other.create, f"{root}/e/child")


@behaviour("create-sequential")
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


@behaviour("get-set")
def get_set(clients, root):
    client = clients()
    client.create(f"{root}/a", b"one")
    data, stat = client.get(f"{root}/a")
    assert (data, stat.version, stat.dataLength, stat.numChildren) == (b"one", 0, 3, 0)
    assert stat.czxid == stat.mzxid == stat.pzxid > 0
    stat = client.set(f"{root}/a", b"two", version=0)
    assert (stat.version, stat.mzxid > stat.czxid) == (1, True)
    assert client.get(f"{root}/a")[0] == b"two"


@behaviour("exists")
def exists(clients, root):
    client = clients()
    assert client.exists(f"{root}/none") is None
    client.create(f"{root}/a", b"one")
    assert client.exists(f"{root}/a") == client.get(f"{root}/a")[1]


@behaviour("delete")
def delete(clients, root):
    client = clients()
    client.create(f"{root}/a")
    client.create(f"{root}/a/b")
    raises(NotEmptyError, client.delete, f"{root}/a")
    client.delete(f"{root}/a/b")
    client.delete(f"{root}/a")
    assert client.exists(f"{root}/a") is None


@behaviour("children")
def children(clients, root):
    client = clients()
    assert client.get_children(root) == []
    for name in "ab":
        client.create(f"{root}/{name}")
    assert sorted(client.get_children(root)) == ["a", "b"]


@behaviour("children-stat")
def children_stat(clients, root):
    client = clients()
    client.create(f"{root}/a")
    names, stat = client.get_children(root, include_data=True)
    assert (names, stat.numChildren, stat.cversion) == (["a"], 1, 1)


@behaviour("bad-version")
def bad_version(clients, root):
    client = clients()
    client.create(f"{root}/a")
    raises(BadVersionError, client.set, f"{root}/a", b"x", version=1)
    raises(BadVersionError, client.delete, f"{root}/a", version=7)
    client.delete(f"{root}/a", version=0)


@behaviour("node-errors")
def node_errors(clients, root):
    client = clients()
    raises(NodeExistsError, client.create, root)
    raises(NoNodeError, client.get, f"{root}/none")
    raises(NoNodeError, client.set, f"{root}/none", b"")
    raises(NoNodeError, client.delete, f"{root}/none")
    raises(NoNodeError, client.get_children, f"{root}/none")
    raises(NoNodeError, client.create, f"{root}/none/below")


@behaviour("data-empty")
def data_empty(clients, root):
    client = clients()
    for name, value in {"empty": b"", "zeros": bytes(16)}.items():
        client.create(f"{root}/{name}", value)
        assert client.get(f"{root}/{name}")[0] == value


@behaviour("data-large")
def data_large(clients, root):
    client = clients()
    client.create(f"{root}/large", b"x" * 1_000_000)
    assert client.get(f"{root}/large")[0] == b"x" * 1_000_000


@behaviour("data-too-large")
def data_too_large(clients, root):
    client = clients()
    session = client.client_id
    raises(ConnectionLoss, client.create, f"{root}/big", b"x" * 1_100_000)
    assert client.retry(client.exists, f"{root}/big") is None
    assert client.client_id == session


@behaviour("unicode")
def unicode(clients, root):
    client = clients()
    client.create(f"{root}/ünïcode-日本", "ünï".encode())
    assert client.get_children(root) == ["ünïcode-日本"]
    assert client.get(f"{root}/ünïcode-日本")[0] == "ünï".encode()


@behaviour("chroot")
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


def _next(events):
    event = events.get(timeout=10)
    return event.type, event.path, event.state


@behaviour("watch-data")
def watch_data(clients, root):
    watcher, writer = clients(), clients()
    events, path = queue.Queue(), f"{root}/w"
    writer.create(path)
    watcher.get(path, watch=events.put)
    writer.set(path, b"1")
    assert _next(events) == ("CHANGED", path, "CONNECTED")
    watcher.get(path, watch=events.put)
    writer.delete(path)
    assert _next(events) == ("DELETED", path, "CONNECTED")


@behaviour("watch-exists")
def watch_exists(clients, root):
    watcher, writer = clients(), clients()
    events, path = queue.Queue(), f"{root}/w"
    assert watcher.exists(path, watch=events.put) is None
    writer.create(path)
    assert _next(events) == ("CREATED", path, "CONNECTED")
    watcher.exists(path, watch=events.put)
    writer.delete(path)
    assert _next(events) == ("DELETED", path, "CONNECTED")


@behaviour("watch-children")
def watch_children(clients, root):
    watcher, writer = clients(), clients()
    events = queue.Queue()
    watcher.get_children(root, watch=events.put)
    writer.create(f"{root}/c")
    assert _next(events) == ("CHILD", root, "CONNECTED")
    watcher.get_children(root, watch=events.put)
    writer.delete(f"{root}/c")
    assert _next(events) == ("CHILD", root, "CONNECTED")


@behaviour("watch-once")
def watch_once(clients, root):
    watcher, writer = clients(), clients()
    events = queue.Queue()
    watcher.get(root, watch=events.put)
    writer.set(root, b"1")
    writer.set(root, b"2")
    assert _next(events) == ("CHANGED", root, "CONNECTED")
    # What was sent before the answer has arrived by then.
    watcher.sync(root)
    assert events.empty()


@behaviour("watch-first")
def watch_first(clients, root):
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


@behaviour("multi")
def multi(clients, root):
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


@behaviour("multi-fails")
def multi_fails(clients, root):
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


@behaviour("acl")
def acl(clients, root):
    client = clients()
    acls, stat = client.get_acls(root)
    assert (acls, stat.aversion) == ([make_acl("world", "anyone", all=True)], 0)
    admin = make_acl("world", "anyone", admin=True, read=True)
    assert client.set_acls(root, [admin], version=0).aversion == 1
    raises(NoAuthError, client.set, root, b"")
    raises(NoAuthError, client.create, f"{root}/a")
    raises(BadVersionError, client.set_acls, root, [admin], version=0)
    raises(InvalidACLError, client.create, "/b", acl=[make_acl("none", "x", all=True)])


@behaviour("acl-digest")
def acl_digest(clients, root):
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
    alice.set_acls(f"{root}/a", [acl, readable], version=0)
    assert anyone.get(f"{root}/a")[0] == b"hers"
    raises(NoAuthError, anyone.set, f"{root}/a", b"")


@behaviour("acl-auth")
def acl_auth(clients, root):
    alice = clients(auth_data=[("digest", "alice:secret")])
    auth = make_acl("auth", "", all=True)
    alice.create(f"{root}/a", acl=[auth])
    acls, _ = alice.get_acls(f"{root}/a")
    assert acls[0].id.id == make_digest_acl_credential("alice", "secret")
    raises(InvalidACLError, clients().create, f"{root}/b", acl=[auth])


@behaviour("acl-ip")
def acl_ip(clients, root):
    client = clients()
    client.create(f"{root}/ip", acl=[make_acl("ip", "127.0.0.1", all=True)])
    assert client.get(f"{root}/ip")[0] == b""
    client.create(f"{root}/other-ip", acl=[make_acl("ip", "10.0.0.0/8", all=True)])
    raises(NoAuthError, client.get, f"{root}/other-ip")


@behaviour("auth-unknown")
def auth_unknown(clients, root):
    raises(AuthFailedError, clients().add_auth, "nonsense", "x")


@behaviour("quota")
def quota(clients, root):
    client = clients()
    place = f"/zookeeper/quota{root}"
    client.create(place)
    client.create(f"{place}/zookeeper_limits", b"count=5,bytes=-1")
    client.create(f"{place}/zookeeper_stats", b"count=1,bytes=0")
    client.create(f"{root}/a", b"12345")
    stats = client.get(f"{place}/zookeeper_stats")[0]
    assert stats.startswith(b"count=2,bytes=5"), stats


@behaviour("sync")
def sync(clients, root):
    assert clients().sync(root) == root


@behaviour("pipeline")
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
