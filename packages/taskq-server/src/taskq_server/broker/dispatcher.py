"""Ring workers: put `<task id>:<attempt>` on the sorted set of a queue."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from redis.asyncio.client import Pipeline

from taskq_server.broker.names import Names
from taskq_server.broker.sender import Sender
from taskq_server.domain.task import Due, Task


@dataclass(frozen=True, slots=True)
class Doorbell:
    """A ring for the next attempt of a task.

    Attributes:
        at: the score in Redis, milliseconds.
        is_aside: whether the ring is for workers with a free thread only.
    """

    task_id: UUID
    attempt: int
    namespace: str
    queue: str
    at: int
    is_aside: bool = False

    @property
    def job_id(self) -> str:
        """Arq's id of the job; unique for ever, because attempts only count up."""
        return f"{self.task_id}:{self.attempt}"


def doorbell(task: Task) -> Doorbell:
    """Return the ring for a waiting task.

    arq's workers take members whose score is below now. So the doorbell of a future task scores
    its due time, without the head start of its priority; once the task is due, the janitor finds
    the lower score of its row and moves the doorbell forward.
    """
    if task.score is None or task.due_at > task.updated_at:
        return doorbell_when_due(task)
    return Doorbell(task.id, task.attempt + 1, task.namespace, task.queue, task.score)


def doorbell_when_due(task: Task) -> Doorbell:
    """Return the ring for a waiting task whose last ring came before it was due."""
    due = ceil(task.due_at.timestamp() * 1000)
    return Doorbell(task.id, task.attempt + 1, task.namespace, task.queue, due)


def doorbell_of(due: Due, *, is_aside: bool = False) -> Doorbell:
    """Return the ring for a task that is due.

    Args:
        due: the task.
        is_aside: whether it found no thread, so that only workers with a free one get it.
    """
    return Doorbell(
        due.task_id, due.attempt + 1, due.namespace, due.queue, due.score, is_aside=is_aside
    )


class Dispatcher:
    """Ring without waiting, because a submit succeeds whether or not Redis is up.

    Args:
        send: takes the commands.
    """

    def __init__(self, send: Sender) -> None:
        self._send = send

    def ring(self, bells: Sequence[Doorbell]) -> None:
        """Ring each of `bells`; an extra ring is harmless."""
        if bells:
            self._send(_ring, bells)


def _ring(pipe: Pipeline, names: Names, bells: Iterable[Doorbell]) -> None:
    """Add the ids alone, because an id contains everything that arq would store beside it.

    The message wakes the workers of that queue only, because a busy queue would keep all others
    looking at theirs.
    """
    queues: defaultdict[tuple[str, str, bool], dict[str, int]] = defaultdict(dict)
    for bell in bells:
        queues[bell.namespace, bell.queue, bell.is_aside][bell.job_id] = bell.at
    for (namespace, queue, is_aside), members in queues.items():
        key = names.aside if is_aside else names.queue
        pipe.zadd(key(namespace, queue), members)
        pipe.publish(names.ring(namespace, queue), b"")
