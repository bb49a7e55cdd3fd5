"""Znodes as aiozk sees them: that they are created, read, changed, listed and deleted, their ACLs
and quotas, and multis. Who a client is can only be told by its address: it cannot authenticate.
"""

from aiozk import ACL, exc

from aiozk_clients import noticed, raises, until
from harness import behaviour

ALL = dict(read=True, write=True, create=True, delete=True, admin=True)


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
        await noticed(big)
    except AssertionError:
        raise
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
