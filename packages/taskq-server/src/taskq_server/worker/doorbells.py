"""Parse popped doorbells. Nothing in them is trusted, because any program may have rung."""

import asyncio
import re
from collections.abc import Sequence
from uuid import UUID

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import DeserializationError, deserialize_job
from redis.exceptions import RedisError

from taskq_server.broker.connection import JOB_FUNCTION, REPLY_SECONDS, decode
from taskq_server.broker.unreadable import UnreadableMessages

Arguments = tuple[str, int]
"""The content of a doorbell: task id and attempt."""


def key_of(arguments: Arguments) -> str:
    """Return the key of an attempt, which is what taskq writes on its doorbell."""
    return f"{arguments[0]}:{arguments[1]}"


MOST_ID_BYTES = 512
"""Longest id of a job; of a longer id, one byte more is read, which is enough to drop it."""

_OURS = re.compile(rb"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}):([1-9][0-9]{0,9})")
_JOB_KEY = job_key_prefix.encode()
_MOST_BYTES = 4_096
_MOST_ATTEMPTS = 2**31


async def read_doorbells(
    redis: ArqRedis, ids: Sequence[bytes], unreadable: UnreadableMessages
) -> list[Arguments]:
    """Return the contents of doorbells, without the unreadable ones.

    An id that taskq made contains everything. Any other id may belong to a job that a stock
    `enqueue_job` stored beside the queue; that job is read once and deleted. Never raises.

    Args:
        redis: the server with the jobs.
        ids: popped members of one of taskq's queues.
        garbage: takes the unreadable doorbells.
    """
    found: list[Arguments] = []
    others: list[bytes] = []
    for one in ids:
        ours = _OURS.fullmatch(one)
        if ours is not None:
            found.append((ours[1].decode(), int(ours[2])))
        elif len(one) <= MOST_ID_BYTES:
            others.append(one)
        else:
            unreadable.drop("a doorbell", one)
    if others:
        found += await _look_up(redis, others, unreadable)
    return found


async def _look_up(
    redis: ArqRedis, ids: Sequence[bytes], unreadable: UnreadableMessages
) -> list[Arguments]:
    found: list[Arguments] = []
    for one, job in zip(ids, await _take_jobs(redis, ids), strict=True):
        said = _read(job)
        if said is None:
            unreadable.drop("a doorbell", one)
        else:
            found.append(said)
    return found


async def _take_jobs(redis: ArqRedis, ids: Sequence[bytes]) -> Sequence[object]:
    """Return the job of each id, or the error of Redis; a long job is cut, and so unreadable."""
    try:
        async with asyncio.timeout(REPLY_SECONDS), redis.pipeline(transaction=False) as pipe:
            for one in ids:
                pipe.getrange(_JOB_KEY + one, 0, _MOST_BYTES)
                pipe.delete(_JOB_KEY + one)
            answers: list[object] = await pipe.execute(raise_on_error=False)
    except (RedisError, OSError, TimeoutError) as error:
        return [error] * len(ids)
    return answers[::2]


def _read(job: object) -> Arguments | None:
    if not isinstance(job, bytes):
        return None
    try:
        said = deserialize_job(job, deserializer=decode)
        task_id, attempt = said.args
        wanted = str(UUID(task_id))
    except (DeserializationError, ValueError, TypeError, AttributeError):
        return None
    countable = type(attempt) is int and 0 < attempt < _MOST_ATTEMPTS
    return (wanted, attempt) if said.function == JOB_FUNCTION and countable else None
