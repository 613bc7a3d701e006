"""The connection that arq and the broker share, and how a job is written."""

import json

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool

Redis = ArqRedis
"""The client that everything in taskq shares: arq's."""

REPLY_SECONDS = 5.0
"""A Redis that is silent for longer counts as away."""

JOB_FUNCTION = "execute_task"


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
    pool = ConnectionPool.from_url(url, socket_connect_timeout=1.0, **silent)
    return ArqRedis(pool, job_serializer=encode, job_deserializer=decode)
