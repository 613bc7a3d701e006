"""Whether a process can serve requests: it asks the database, and Redis, for a write."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from redis.exceptions import RedisError

from taskq_server.broker.connection import Redis, probe
from taskq_server.broker.names import Naming
from taskq_server.core.clock import Clock
from taskq_server.core.database import Database, DatabaseError, ping
from taskq_server.core.loop_timeout import LoopTimeout
from taskq_server.crud.probe import write_nothing
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.schemas.service import Ready

_PROBE_SECONDS = 1.8
_PROBE_ROUND_SECONDS = 0.02


class Readiness:
    """Probe what a process depends on.

    Args:
        database: must take writes.
        clock: must know the database's time.
        redis: None where none is configured.
        naming: the names in Redis.
        namespace: the process's own, one of whose names in Redis is written to.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        redis: Redis | None,
        naming: Naming,
        namespace: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._redis = redis
        self._naming = naming
        self._namespace = namespace

    async def check(self) -> Ready:
        """Probe database and Redis, within two seconds. Never raises."""
        answers, redis = await asyncio.gather(
            _answers(self._probe_database()), _answers(self._probe_redis())
        )
        database = answers and self._clock.is_set
        return Ready(
            status="ok" if database else "unavailable",
            database="ok" if database else "unavailable",
            redis="ok" if redis else "unavailable",
        )

    async def _probe_database(self) -> None:
        """Ask for a write: a server that only reads can serve nothing.

        It would have to queue up where there is one writer.
        """
        if self._database.dialect.one_writer:
            await ping(self._database)
        else:
            await self._database.write(write_nothing)

    async def _probe_redis(self) -> None:
        if self._redis is None:
            raise ConnectionError("no Redis is configured")
        names = self._naming.names
        if names is None:  # there is nothing yet that could be written to
            await self._redis.ping()
        else:
            await probe(self._redis, names.queue(self._namespace, "default"))


async def _answers(probe: Coroutine[Any, Any, None]) -> bool:
    try:
        async with LoopTimeout(_PROBE_SECONDS, round_seconds=_PROBE_ROUND_SECONDS):
            await probe
    except (DatabaseUnavailable, DatabaseError, RedisError, OSError, TimeoutError):
        return False
    return True
