"""API keys that tests make and change in the database, behind the back of whoever serves it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.crud import api_keys
from taskq_server.crud.tables import api_keys as table
from taskq_server.domain.keys import ApiKey, Token, digest, new_token
from tests.support.waiting import wait_until


def new_key(
    *scopes: str, namespace: str = "default", token: Token | None = None, **more: Any
) -> tuple[Token, ApiKey]:
    """Return a key as its owner has it, and as it is stored.

    Args:
        scopes: what it opens.
        namespace: the world of its callers.
        token: another key than a new one.
        more: further fields of what is stored.
    """
    shown = new_token() if token is None else token
    stored = ApiKey(
        id=shown.id,
        name="a test's",
        namespace=namespace,
        scopes=scopes,
        secret_hash=digest(shown.secret),
        created_at=datetime.now(UTC) - timedelta(seconds=1),
    )
    return shown, replace(stored, **more)


async def store(database: Database, *keys: ApiKey) -> None:
    """Store keys; returns after the commit."""

    async def add(connection: AsyncConnection) -> None:
        for key in keys:
            await api_keys.add(connection, key)

    await database.write(add)


class KeyStore:
    """The keys in a database, whichever process serves it.

    Args:
        url: TASKQ_DATABASE_URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def make(self, *scopes: str, namespace: str = "default", **more: Any) -> Token:
        """Store a key."""
        token, key = new_key(*scopes, namespace=namespace, **more)
        self.add(key)
        return token

    def add(self, *keys: ApiKey) -> None:
        """Store keys; returns after the commit."""
        self._on_database(lambda database: store(database, *keys))

    def change(self, *tokens: Token, **values: Any) -> None:
        """Change the columns of some keys; returns after the commit."""
        ids = [token.id for token in tokens]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(update(table).where(table.c.id.in_(ids)).values(values))

        self._on_database(lambda database: database.write(work))

    def _on_database(self, work: Callable[[Database], Awaitable[None]]) -> None:
        async def run() -> None:
            database = Database(self._url)
            try:
                await work(database)
            finally:
                await database.close()

        with ThreadPoolExecutor(1) as thread:  # this one may have a running event loop
            thread.submit(asyncio.run, run()).result(60)


def shown(token: Token) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"Authorization": f"Bearer {token.text}"}


def wait_until_closed(url: str) -> None:
    """Wait until a server has noticed that there are keys."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        wait_until(lambda: client.get("/tasks").status_code == 401, 180, "closed")
