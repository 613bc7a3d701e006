"""Keys for tests: as the server stores them, as callers show them, and an API that asks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx

from taskq_server.crud import api_keys
from taskq_server.domain.keys import ApiKey, Token, digest, new_token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.support.keys import shown

__all__ = ["asking_for_keys", "calling_closed", "make_key", "shown"]


async def make_key(
    runtime: Runtime, *scopes: str, namespace: str = "default", **changes: Any
) -> Token:
    """Store a key with some scopes."""
    token = new_token()
    key = ApiKey(
        id=token.id,
        name="a test's",
        namespace=namespace,
        scopes=scopes,
        secret_hash=digest(token.secret),
        created_at=runtime.clock() - timedelta(seconds=1),
    )
    await runtime.database.write(lambda c: api_keys.add(c, replace(key, **changes)))
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
