"""Clients of aiozk, closed when their behaviour ends, and waiting for what they do."""

import asyncio
import time

from aiozk import RetryPolicy, ZKClient
from aiozk.states import States

from harness import CONNECT, PATIENCE, order

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
        """Runs a behaviour with a client and a path of its own."""
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
        """All were closed in their own loop."""


async def raises(error, awaitable):
    """Asserts that a call fails with this class."""
    try:
        result = await awaitable
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, got {result!r}")


async def until(what, condition):
    """Waits until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


def soon(awaitable):
    """What is awaited, or a failure when it takes too long."""
    return asyncio.wait_for(awaitable, PATIENCE)


async def is_ordered(word):
    """Gives an order, while the clients go on."""
    await asyncio.to_thread(order, word)


# A broken connection must show before the session has run out. Half of the session is generous:
# it shows at once.
_NOTICED_WITHIN = SESSION_SECONDS / 2


async def noticed(awaitable):
    """What is awaited on a broken connection."""
    try:
        return await asyncio.wait_for(awaitable, _NOTICED_WITHIN)
    except asyncio.TimeoutError:
        raise AssertionError("a broken connection goes unnoticed") from None


async def notices(broken):
    """Waits until clients know of a broken connection."""
    end = time.monotonic() + _NOTICED_WITHIN
    while not broken():
        assert time.monotonic() < end, "a broken connection goes unnoticed"
        await asyncio.sleep(0.02)


async def breaks(client, word):
    """Breaks a client's connection; the client must be back before its session has run out."""
    await is_ordered(word)
    await notices(lambda: client.session.state != States.CONNECTED)
    await soon(client.session.state.wait_for(States.CONNECTED))
