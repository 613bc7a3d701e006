"""How late the event loop is: what blocks it, delays everything that the process does."""

import asyncio

from taskq_server.core.observer import Observer

_SECONDS = 0.25


async def watch(observer: Observer) -> None:
    """Tell an observer how late the event loop wakes this coroutine, for ever."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + _SECONDS
        await asyncio.sleep(_SECONDS)
        observer.loop_lagged(max(0.0, clock() - due))
