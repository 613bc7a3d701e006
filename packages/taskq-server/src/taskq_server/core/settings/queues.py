"""The queues of a worker as they are written: names between commas, each with `=` and a limit."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, PlainSerializer
from pydantic_settings import NoDecode

from taskq_server.domain import limits
from taskq_server.domain.naming import is_name


class ListenedQueue(NamedTuple):
    """A queue that a worker listens to.

    Attributes:
        name: of the queue.
        limit: the most tasks of it that the worker runs at once; None means as many as of all.
    """

    name: str
    limit: int | None = None

    def __str__(self) -> str:
        return self.name if self.limit is None else f"{self.name}={self.limit}"


def _listened(value: object) -> object:
    if isinstance(value, str):
        value = tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, list | tuple):
        return value
    return _each_once(one if isinstance(one, ListenedQueue) else _read(str(one)) for one in value)


def _read(text: str) -> ListenedQueue:
    name, equals, limit = (part.strip() for part in text.partition("="))
    if not is_name(name, limits.QUEUE_LENGTH):
        raise ValueError(
            f"no task can be in such a queue: names have 1 to {limits.QUEUE_LENGTH} letters, "
            "digits, or any of _ . : / -, and begin with a letter, a digit or _"
        )
    if not equals:
        return ListenedQueue(name)
    is_number = limit.isascii() and limit.isdecimal() and len(limit) <= len(str(limits.CONCURRENCY))
    if not is_number or not 1 <= int(limit) <= limits.CONCURRENCY:
        raise ValueError(
            f"the limit of the queue {name} must be a number from 1 to {limits.CONCURRENCY:,}, as "
            f"in {name}=2"
        )
    return ListenedQueue(name, int(limit))


def _each_once(listened: Iterable[ListenedQueue]) -> tuple[ListenedQueue, ...]:
    found: dict[str, ListenedQueue] = {}
    for one in listened:
        if found.setdefault(one.name, one) != one:
            raise ValueError(f"the queue {one.name} has two limits: name it once")
    if not found:
        raise ValueError("name at least one queue")
    return tuple(found.values())


def _written(listened: tuple[ListenedQueue, ...]) -> list[str]:
    return [str(queue) for queue in listened]


ListenedQueues = Annotated[
    tuple[ListenedQueue, ...],
    NoDecode,
    BeforeValidator(_listened),
    PlainSerializer(_written),
]
