"""Both clients behind `await`, so that one test body drives them."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from taskq_client import Bulk, TaskHandle, TaskqClient
from taskq_client._sync_queues import Queues
from taskq_client._sync_schedules import Schedules

ITERATED = {"list", "stream", "as_completed", "map", "bulk_operations"}


class Awaited:
    """A blocking client, a handle or a resource of it, whose methods are awaited."""

    def __init__(self, wrapped: TaskqClient | TaskHandle | Bulk | Queues | Schedules) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._wrapped, name)
        if isinstance(method, Queues | Schedules):
            return Awaited(method)
        if not inspect.ismethod(method):
            return method
        is_iterated = name in ITERATED and not isinstance(self._wrapped, Queues)
        return _iterated(method) if is_iterated else _awaited(method)


def _iterated(method: Callable[..., Iterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        items = method(*args, **kwargs)
        while (item := await asyncio.to_thread(next, items, None)) is not None:
            yield _wrapped(item)

    return call


def _awaited(method: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return _wrapped(await asyncio.to_thread(method, *args, **kwargs))

    return call


def _wrapped(result: Any) -> Any:
    if isinstance(result, list):
        return [_wrapped(item) for item in result]
    return Awaited(result) if isinstance(result, TaskHandle | Bulk) else result
