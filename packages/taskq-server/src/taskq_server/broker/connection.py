"""The connection that arq and the broker share, and how a job is written."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from taskq_server.core.log_text import brief
from taskq_server.core.observer import NOBODY, Observer, RedisFailure
from taskq_server.core.outages import outage
from taskq_server.core.renewal import Renewal

T = TypeVar("T")

Redis = ArqRedis
"""arq's client, which every part of taskq uses."""

REPLY_SECONDS = 5.0
"""Seconds without a reply after which Redis counts as away."""

JOB_FUNCTION = "execute_task"

_SHOWN = 200
_REFUSALS = ("READONLY", "MASTERDOWN", "NOREPLICAS", "MISCONF")


def encode(value: object) -> bytes:
    """Write a job as JSON, because arq's default, pickle, runs code while it reads."""
    return json.dumps(value, separators=(",", ":")).encode()


def decode(data: bytes) -> dict[str, object]:
    """Read a job that `encode` wrote."""
    value: dict[str, object] = json.loads(data)
    return value


def connect(url: str, observer: Observer = NOBODY) -> ArqRedis:
    """Return a client; it connects when it is first used.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        observer: is told of errors, by those who note them in an `OutageLog`.
    """
    # Without this the library sends CLIENT SETINFO, which needs a permission of its own.
    silent = {"lib_name": None, "lib_version": None}
    pool = _Pool.from_url(url, socket_connect_timeout=1.0, **silent)
    pool.observer = observer
    return ArqRedis(pool, job_serializer=encode, job_deserializer=decode)


class _Pool(ConnectionPool):
    """A pool that drops all its connections when their server refuses to write.

    Attributes:
        observer: is told of errors.
    """

    observer: Observer = NOBODY

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._renewal = Renewal()

    async def may_do_better(self, error: RedisError, asked: float) -> bool:
        """Return whether a failed command may succeed on a new connection.

        Args:
            error: the failure.
            asked: when the command began, on the monotonic clock.
        """
        left = self._renewal.at
        if asked <= left:
            return True  # the connection has been replaced since the command began
        if not _is_refusal(error) or not self._renewal.helps(asked):
            return False
        # Subscriptions too, because they would miss everything published on the successor.
        await self.disconnect()
        return True


async def write(redis: ArqRedis, command: Callable[[], Awaitable[T]]) -> T:
    """Run a command that writes; if the server refuses it, run it again on a new connection.

    A demoted server keeps its sessions, while a new connection leads to its successor.

    Args:
        redis: the client that runs the command.
        command: may be run a second time as a whole.

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
    """Run a write that changes nothing, because a replica answers everything but writes.

    Args:
        redis: the server.
        queue_key: a key of taskq's own.

    Raises:
        RedisError, OSError: Redis is away, or takes no writes.
    """
    await write(redis, lambda: redis.zrem(queue_key, ""))


def address(redis: ArqRedis) -> str:
    """Return where a client connects to, without a password."""
    options = redis.connection_pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host')}:{options.get('port')}")


def observer_of(redis: ArqRedis) -> Observer:
    """Return who is told of the errors of a client's server."""
    pool = redis.connection_pool
    return pool.observer if isinstance(pool, _Pool) else NOBODY


def failure_of(error: Exception) -> RedisFailure:
    """Return the kind of an error: whether Redis answered with it."""
    return "refused" if isinstance(error, ResponseError) else "away"


class OutageLog:
    """Log when one part of a process loses Redis, and when Redis is back.

    Args:
        redis: the client.
        refused: the log's sentence while Redis answers with errors.
    """

    def __init__(self, redis: ArqRedis, refused: str) -> None:
        where = address(redis)
        self._away = outage("Redis is away", where)
        self._refused = outage(refused, where)
        self._observer = observer_of(redis)

    def fails(self, error: Exception) -> None:
        """Note that Redis did not answer, or answered with an error."""
        failure = failure_of(error)
        self._observer.redis_failed(failure)
        wrong = self._refused if failure == "refused" else self._away
        said = str(error).partition("\n")[0][:_SHOWN]
        wrong.fails(f"{brief(error)}: {said}" if said else brief(error))

    def works(self) -> None:
        """Note that Redis carried out a command."""
        self._away.works()
        self._refused.works()


def _is_refusal(error: RedisError) -> bool:
    return isinstance(error, ReadOnlyError) or any(code in str(error) for code in _REFUSALS)
