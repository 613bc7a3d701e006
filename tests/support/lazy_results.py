"""Handlers whose results run code of their own while they are written."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, computed_field, model_serializer

from taskq_server import handler


def steps(seconds: float, count: int = 2) -> Iterator[int]:
    """Take time between two items."""
    for number in range(count):
        yield number
        time.sleep(seconds / count)


class Computed(BaseModel):
    """Computes a field when it is written."""

    seconds: float

    @computed_field
    def late(self) -> str:
        """Take time."""
        time.sleep(self.seconds)
        return "computed"


class Written(BaseModel):
    """Writes itself."""

    seconds: float

    @model_serializer
    def write(self) -> str:
        """Take time."""
        time.sleep(self.seconds)
        return "written"


class Holder(BaseModel):
    """Has anything in a field."""

    inside: Any


@dataclass
class Record:
    """Has anything in a field, too."""

    inside: Any


def mapped(seconds: float) -> Iterator[None]:
    """Take time at the second item."""
    return map(time.sleep, (0, seconds))


SLOW: dict[str, tuple[Callable[[float], Any], Any]] = {
    "generator": (steps, [0, 1]),
    "map": (mapped, [None, None]),
    "nested": (lambda s: {"a": [(1, steps(s))]}, {"a": [[1, [0, 1]]]}),
    "computed": (lambda s: Computed(seconds=s), None),
    "serializer": (lambda s: [Written(seconds=s)], ["written"]),
    "in a model": (lambda s: Holder(inside=steps(s)), {"inside": [0, 1]}),
    "in a dataclass": (lambda s: Record(inside=steps(s)), {"inside": [0, 1]}),
}
"""Results that take some seconds to write, and what is written; None where it says the time."""

ENDLESS: dict[str, Callable[[], Any]] = {
    "count": itertools.count,
    "generator": lambda: (number for number in itertools.count()),
    "texts": lambda: itertools.repeat("x" * 1_000),
    "models": lambda: (Holder(inside="x" * 100) for _ in itertools.count()),
    "nested": lambda: {"a": [(1, itertools.repeat(None))]},
    "of its like": lambda: (itertools.repeat(1) for _ in itertools.count()),
    "in a model": lambda: Holder(inside=itertools.count()),
    "in a model in a model": lambda: Holder(inside=Holder(inside=itertools.count())),
    "in a dataclass": lambda: Record(inside=map(str, itertools.count())),
    "much": lambda: list(range(5_000_000)),
}
"""Results without an end, and one with far too much before it."""


@handler("lazy.thread", max_retries=0)
def slow_in_thread(kind: str, seconds: float) -> Any:
    """Answer what takes time to write."""
    return SLOW[kind][0](seconds)


@handler("lazy.loop", max_retries=0)
async def slow_on_loop(kind: str, seconds: float) -> Any:
    """Answer, from the event loop, what takes time to write."""
    return SLOW[kind][0](seconds)


@handler("endless.thread", max_retries=0)
def endless_in_thread(kind: str) -> Any:
    """Answer what has no end."""
    return ENDLESS[kind]()


@handler("endless.loop", max_retries=0)
async def endless_on_loop(kind: str) -> Any:
    """Answer, from the event loop, what has no end."""
    return ENDLESS[kind]()


@handler("lazy.pulse")
async def pulse(seconds: float) -> float:
    """Answer for how long the event loop stood still at most, meanwhile."""
    loop = asyncio.get_running_loop()
    end, longest, last = loop.time() + seconds, 0.0, loop.time()
    while last < end:
        await asyncio.sleep(0.01)
        longest = max(longest, loop.time() - last)
        last = loop.time()
    return longest
