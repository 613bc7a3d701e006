"""The client as an application uses it, against a whole running taskq."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from taskq_client import AsyncTaskqClient, TaskqClient
from tests.contract.clients import Awaited
from tests.support.stack import Stack


@pytest.fixture(params=["sync", "async"])
async def client(
    request: pytest.FixtureRequest, stack: Stack, anyio_backend: str
) -> AsyncIterator[Any]:
    """A client of each kind; its methods are awaited, or iterated with `async for`."""
    if request.param == "sync":
        with TaskqClient(stack.api_url) as blocking:
            yield Awaited(blocking)
    else:
        async with AsyncTaskqClient(stack.api_url) as asynchronous:
            yield asynchronous
