"""API keys of a running taskq, which a test makes and changes behind its back, in the database."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.crud import api_keys
from taskq_server.crud.tables import api_keys as table
from taskq_server.domain.keys import ApiKey, Token, digest, new_token
from tests.support.waiting import wait_until

T = TypeVar("T")


class KeyStore:
    """The keys in a database, whichever process serves it.

    Args:
        url: TASKQ_DATABASE_URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def make(self, *scopes: str, namespace: str = "default", **more: Any) -> Token:
        """Store a key."""
        token = new_token()
        key = ApiKey(
            id=token.id,
            name="a test's",
            namespace=namespace,
            scopes=scopes,
            secret_hash=digest(token.secret),
            created_at=datetime.now(UTC) - timedelta(seconds=1),
            **more,
        )
        self._write(lambda connection: api_keys.add(connection, key))
        return token

    def change(self, *tokens: Token, **values: Any) -> None:
        """Change the columns of some keys; returns after the commit."""
        ids = [token.id for token in tokens]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(update(table).where(table.c.id.in_(ids)).values(values))

        self._write(work)

    def _write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async def write() -> T:
            database = Database(self._url)
            try:
                return await database.write(work)
            finally:
                await database.close()

        with ThreadPoolExecutor(1) as thread:  # this one may have a running event loop
            return thread.submit(asyncio.run, write()).result(60)


def shown(token: Token) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"Authorization": f"Bearer {token.text}"}


def wait_until_closed(url: str) -> None:
    """Wait until a server has noticed that there are keys."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        wait_until(lambda: client.get("/tasks").status_code == 401, 30, "closed")
