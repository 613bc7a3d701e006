"""Keys in the database of a runtime, and an API on it that asks for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from taskq_server.domain.keys import Token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.support.keys import new_key, shown, store

__all__ = ["asking_for_keys", "calling_closed", "make_key", "shown"]


async def make_key(runtime: Runtime, *scopes: str, **more: Any) -> Token:
    """Store a key; see `new_key`."""
    token, key = new_key(*scopes, **more)
    await store(runtime.database, key)
    return token


def asking_for_keys(runtime: Runtime) -> Runtime:
    """Return the runtime of an API that asks for keys."""
    return replace(runtime, settings=runtime.settings.model_copy(update={"auth": "required"}))


@asynccontextmanager
async def calling_closed(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Call an API that asks for keys, without a socket."""
    transport = httpx.ASGITransport(create_app(runtime=asking_for_keys(runtime)))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client
