"""The connection that arq and the broker share, and how a job is written."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from taskq_server.core.log_text import brief
from taskq_server.core.outages import outage
from taskq_server.core.renewal import Renewal

T = TypeVar("T")

Redis = ArqRedis
"""The client that everything in taskq shares: arq's."""

REPLY_SECONDS = 5.0
"""A Redis that is silent for longer counts as away."""

JOB_FUNCTION = "execute_task"

_SHOWN = 200
_REFUSALS = ("READONLY", "MASTERDOWN", "NOREPLICAS", "MISCONF")


def encode(value: object) -> bytes:
    """Write a job as JSON: arq's default, pickle, would run what it reads."""
    return json.dumps(value, separators=(",", ":")).encode()


def decode(data: bytes) -> dict[str, object]:
    """Read a job that `encode` wrote."""
    value: dict[str, object] = json.loads(data)
    return value


def connect(url: str) -> ArqRedis:
    """Return a client; it connects when it is first used.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
    """
    # The library would introduce itself, for which an account needs a right of its own.
    silent = {"lib_name": None, "lib_version": None}
    pool = _Pool.from_url(url, socket_connect_timeout=1.0, **silent)
    return ArqRedis(pool, job_serializer=encode, job_deserializer=decode)


class _Pool(ConnectionPool):
    """Connections that are all left when their server refuses to write."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._renewal = Renewal()

    async def may_do_better(self, error: RedisError, asked: float) -> bool:
        """Return whether what failed may succeed on a new connection; `asked` is its beginning."""
        left = self._renewal.at
        if asked <= left:
            return True  # refused as others were, or cut off because they were
        if not _is_refusal(error) or not self._renewal.helps(asked):
            return False
        # Subscriptions too: of what is told to the successor, they would hear nothing.
        await self.disconnect()
        return True


async def write(redis: ArqRedis, command: Callable[[], Awaitable[T]]) -> T:
    """Run a command that writes; one that is refused by its server, on a new connection again.

    A server that was demoted keeps its sessions, while whoever connects anew is led to its
    successor.

    Args:
        redis: that runs it.
        command: to be run again as a whole.

    Raises:
        RedisError, OSError: Redis is away, or takes no writes.
    """
    asked = time.monotonic()
    try:
        return await command()
    except RedisError as error:
        pool = redis.connection_pool
        if not isinstance(pool, _Pool) or not await pool.may_do_better(error, asked):
            raise
        return await command()


async def probe(redis: ArqRedis, queue_key: str) -> None:
    """Ask for a write that changes nothing: a replica answers everything else.

    Args:
        redis: the server.
        queue_key: a name of taskq's own.

    Raises:
        RedisError, OSError: Redis is away, or takes no writes.
    """
    await write(redis, lambda: redis.zrem(queue_key, ""))


class Reach:
    """How one part of a process gets on with Redis, as far as the log tells.

    Args:
        redis: the client.
        refused: what is wrong while Redis answers with errors.
    """

    def __init__(self, redis: ArqRedis, refused: str) -> None:
        options = redis.connection_pool.connection_kwargs
        where = str(options.get("path") or f"{options.get('host')}:{options.get('port')}")
        self._away = outage("Redis is away", where)
        self._refused = outage(refused, where)

    def fails(self, error: Exception) -> None:
        """Note that Redis did not answer, or with an error."""
        wrong = self._refused if isinstance(error, ResponseError) else self._away
        said = str(error).partition("\n")[0][:_SHOWN]
        wrong.fails(f"{brief(error)}: {said}" if said else brief(error))

    def works(self) -> None:
        """Note that Redis did what it was asked."""
        self._away.works()
        self._refused.works()


def _is_refusal(error: RedisError) -> bool:
    return isinstance(error, ReadOnlyError) or any(code in str(error) for code in _REFUSALS)
