"""Whether a process can serve requests: it asks the database, and Redis, for a write."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from redis.exceptions import RedisError

from taskq_server import migrations
from taskq_server.broker.connection import Redis, probe
from taskq_server.broker.names import Naming
from taskq_server.core.clock import Clock
from taskq_server.core.database import Connection, Database, DatabaseError, ping
from taskq_server.core.database_errors import is_refusal
from taskq_server.core.loop_timeout import LoopTimeout
from taskq_server.crud.probe import write_nothing
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.migrations.record import recorded
from taskq_server.schemas.service import NotReady, Ready

_PROBE_SECONDS = 1.8
_PROBE_ROUND_SECONDS = 0.02
T = TypeVar("T")


class _Found(NamedTuple):
    """What the database says: whether it takes writes, and what is wrong."""

    writes: bool
    reason: NotReady | None


_NO_DATABASE = _Found(writes=False, reason="database-unavailable")
_AWAY = (DatabaseUnavailable, DatabaseError, RedisError, OSError, TimeoutError)


class Readiness:
    """Probe what a process depends on.

    Args:
        database: must take writes, and have the tables of this version.
        clock: must know the database's time.
        redis: None where none is configured.
        naming: the names in Redis.
        namespace: the process's own, one of whose names in Redis is written to.
        is_draining: whether the process was told to stop.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        redis: Redis | None,
        naming: Naming,
        namespace: str,
        is_draining: Callable[[], bool],
    ) -> None:
        self._database = database
        self._clock = clock
        self._redis = redis
        self._naming = naming
        self._namespace = namespace
        self._is_draining = is_draining
        self._newest = migrations.head()

    async def check(self) -> Ready:
        """Probe database and Redis, within two seconds. Never raises."""
        database, redis = await asyncio.gather(
            _answer(self._probe_database(), _NO_DATABASE),
            _answer(self._probe_redis(), "unavailable"),
        )
        if not self._clock.is_set:
            database = _NO_DATABASE
        reasons = [] if database.reason is None else [database.reason]
        if self._is_draining():
            reasons.append("draining")
        return Ready(
            status="unavailable" if reasons else "ok",
            database="ok" if database.writes else "unavailable",
            redis="ok" if redis is None else "unavailable",
            reasons=reasons,
        )

    async def _probe_database(self) -> "_Found":
        """Ask for a write, and for the revision: a server that only reads can serve nothing.

        Where there is one writer, the write would have to queue up.
        """
        try:
            if self._database.dialect.one_writer:
                return self._found(await self._database.read(_revision))
            return self._found(await self._database.write(_revision_after_write))
        except DatabaseUnavailable as error:
            if error.__cause__ is None or not is_refusal(error.__cause__):
                raise
            await ping(self._database)
            return _Found(writes=False, reason="database-read-only")
        except DatabaseError:  # such as tables that are missing
            found = self._found(await self._database.read(_revision))
            return _NO_DATABASE if found.reason is None else found._replace(writes=False)

    def _found(self, revision: str | None) -> "_Found":
        is_ours = revision == self._newest
        return _Found(writes=True, reason=None if is_ours else "schema-mismatch")

    async def _probe_redis(self) -> None:
        if self._redis is None:
            raise ConnectionError("no Redis is configured")
        names = self._naming.names
        if names is None:  # there is nothing yet that could be written to
            await self._redis.ping()
        else:
            await probe(self._redis, names.queue(self._namespace, "default"))


async def _revision(connection: Connection) -> str | None:
    return await connection.run_sync(recorded)


async def _revision_after_write(connection: Connection) -> str | None:
    await write_nothing(connection)
    return await _revision(connection)


async def _answer(probe: Coroutine[Any, Any, T], if_away: T) -> T:
    try:
        async with LoopTimeout(_PROBE_SECONDS, round_seconds=_PROBE_ROUND_SECONDS):
            return await probe
    except _AWAY:
        return if_away
