"""The client as an application uses it, against a whole running taskq."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from taskq_client import AsyncTaskqClient, TaskqClient
from tests.support.stack import Stack


class Awaited:
    """A blocking client behind `await`, so that one test body drives both clients."""

    def __init__(self, client: TaskqClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if inspect.isgeneratorfunction(method) or name == "list":
                return _asynchronous(method(*args, **kwargs))
            return asyncio.to_thread(method, *args, **kwargs)

        return call


async def _asynchronous(items: Iterator[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


@pytest.fixture(params=["sync", "async"])
async def client(
    request: pytest.FixtureRequest, stack: Stack, anyio_backend: str
) -> AsyncIterator[Any]:
    """A client of each kind; its methods are awaited, `list` is iterated with `async for`."""
    if request.param == "sync":
        with TaskqClient(stack.api_url) as blocking:
            yield Awaited(blocking)
    else:
        async with AsyncTaskqClient(stack.api_url) as asynchronous:
            yield asynchronous
