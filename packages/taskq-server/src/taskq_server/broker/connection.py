"""The connection that arq and the broker share, and the names of what lies in Redis."""

import json

from arq.connections import ArqRedis
from arq.constants import default_queue_name
from redis.asyncio import ConnectionPool

Redis = ArqRedis
"""The client that everything in taskq shares: arq's."""

DEFAULT_QUEUE = "default"
RING_CHANNEL = "taskq:ring"
CHANGED_CHANNEL = "taskq:changed"
CANCEL_CHANNEL = "taskq:cancel"

REPLY_SECONDS = 5.0
"""A Redis that is silent for longer counts as away."""

JOB_FUNCTION = "execute_task"


def queue_key(queue: str) -> str:
    """Return the key of arq's sorted set for a queue; `default` is arq's own default."""
    return default_queue_name if queue == DEFAULT_QUEUE else f"{default_queue_name}:{queue}"


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
    pool = ConnectionPool.from_url(url, socket_connect_timeout=1.0)
    return ArqRedis(pool, job_serializer=encode, job_deserializer=decode)
