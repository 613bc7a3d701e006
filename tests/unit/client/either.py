"""The same call on a client of either kind."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from taskq_client import AsyncTaskHandle, AsyncTaskqClient, TaskHandle, TaskqClient


def plain(result: Any) -> Any:
    """The snapshots of handles, which can be compared."""
    if isinstance(result, list):
        return [plain(item) for item in result]
    return result.task if isinstance(result, TaskHandle | AsyncTaskHandle) else result


def both(call: Callable[[Any], Any], **options: Any) -> list[Callable[[], Any]]:
    """The same call on either client, each as a function without arguments."""

    def blocking() -> Any:
        with TaskqClient(**options) as client:
            result = call(client)
            return plain(list(result) if inspect.isgenerator(result) else result)

    async def awaited() -> Any:
        async with AsyncTaskqClient(**options) as client:
            result = call(client)
            if inspect.isasyncgen(result):
                return [item async for item in result]
            return plain(await result)

    return [blocking, lambda: asyncio.run(awaited())]
