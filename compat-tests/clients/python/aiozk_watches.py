"""Watches as aiozk sees them: that each kind tells of what it is for, once and before the data;
and requests in flight, which are answered in order. Persistent watches are not offered.
"""

import asyncio

from aiozk import WatchEvent

from aiozk_clients import breaks, is_ordered, noticed, soon, until
from harness import behaviour


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
    await noticed(created)


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
