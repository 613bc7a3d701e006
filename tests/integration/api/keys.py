"""Keys in the database of a runtime, an API on it that asks for them, and its answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from taskq_server.domain.keys import Token
from taskq_server.domain.scopes import EVERYTHING
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.support.keys import new_key, shown, store

__all__ = [
    "ALL",
    "NEW",
    "Headers",
    "asking_for_keys",
    "bearer",
    "calling_closed",
    "made",
    "make_key",
    "refusal",
    "shown",
]

ALL = sorted(EVERYTHING)
NEW = {"name": "reports-web", "scopes": ["tasks:run:reports.*", "tasks:read"]}
Headers = dict[str, str]


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


def bearer(made: dict[str, Any]) -> Headers:
    return {"Authorization": f"Bearer {made['key']}"}


async def made(client: httpx.AsyncClient, headers: Headers, **fields: Any) -> dict[str, Any]:
    response = await client.post("/keys", json={**NEW, **fields}, headers=headers)
    assert response.status_code == 201, response.text
    key: dict[str, Any] = response.json()
    return key


def refusal(response: httpx.Response, status: int, code: str) -> list[tuple[str, str]]:
    """The pointers and codes of an answer, which is checked for its status and code."""
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), response.text
    return [(each["pointer"], each["code"]) for each in problem["errors"]]
