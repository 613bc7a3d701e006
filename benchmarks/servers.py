"""The servers that all contestants share, started when first asked for."""

import asyncio
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import asyncmy

from tests.support.mariadb import MariaDBServer
from tests.support.valkey import ValkeyServer

if TYPE_CHECKING:
    from benchmarks.postgres import PostgresServer


class Servers:
    """MariaDB that syncs its log at each commit, PostgreSQL, and Valkey without persistence."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def versions(self) -> dict[str, str]:
        """The versions of the servers that were started."""
        found = {}
        if "mariadb" in self.__dict__:
            found["mariadb"] = self.mariadb.sql("SELECT VERSION()").strip()
        if "postgres" in self.__dict__:
            found["postgres"] = self.postgres.version()
        if "valkey" in self.__dict__:
            with self.valkey.client() as client:
                info: Any = client.info("server")
                found["valkey"] = info.get("valkey_version", info["redis_version"])
        return found

    @cached_property
    def mariadb(self) -> MariaDBServer:
        options = ("--innodb-buffer-pool-size=512M", "--max-connections=500")
        return self._stack.enter_context(MariaDBServer(flush_log=1, options=options))

    @cached_property
    def postgres(self) -> "PostgresServer":
        # Here, because two commits are measured without the drivers of the peers.
        from benchmarks.postgres import PostgresServer

        return self._stack.enter_context(PostgresServer())

    @cached_property
    def valkey(self) -> ValkeyServer:
        return self._stack.enter_context(ValkeyServer())


class Mysql:
    """A connection of the harness itself; it looks how far a contestant is.

    Args:
        url: That of the contestant's database.
    """

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._loop = asyncio.new_event_loop()
        self._connection: Any = self._loop.run_until_complete(
            asyncmy.connect(
                host=where.hostname,
                port=where.port,
                user=where.username,
                db=where.path.removeprefix("/"),
                autocommit=True,
            )
        )

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        return self._loop.run_until_complete(self._run(statement))

    def number(self, statement: str) -> int:
        """Return the one number that a statement selects."""
        return int(self.run(statement)[0][0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._loop.close()

    async def _run(self, statement: str) -> list[tuple[Any, ...]]:
        async with self._connection.cursor() as cursor:
            await cursor.execute(statement)
            return list(await cursor.fetchall())
