"""APIs that ask for keys and limit them, for tests: each is a process, as far as memory goes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime

TASK = {"handler": "taskq.echo", "payload": {"value": 1}}


@asynccontextmanager
async def limited(
    runtime: Runtime, *, client: tuple[str, int] = ("127.0.0.1", 123), **changes: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """Open an API on the database of `runtime`, with other settings.

    Args:
        runtime: whose settings count where nothing else is said.
        client: the address that requests come from.
        changes: of the settings.
    """
    settings = runtime.settings.model_copy(update={"auth": "required", **changes})
    async with open_runtime(settings) as opened:
        transport = httpx.ASGITransport(create_app(runtime=opened), client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as api:
            yield api, opened
