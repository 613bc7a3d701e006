"""Ids of tasks, which sort by time, and of deployments."""

import secrets
import threading
from datetime import datetime
from enum import IntFlag
from uuid import UUID


class Mark(IntFlag):
    """What the last bits of a task's id say: which side tables may have rows about it.

    Few tasks have such rows, and an id is always at hand, so all others need not ask. Ids that were
    made before there were marks end at random, so a mark says only that it is worth a look.
    """

    SCHEDULED = 1
    UNIQUE = 2


_NONE = Mark(0)
_MARKS = int(Mark.SCHEDULED | Mark.UNIQUE)


def is_marked(task_id: UUID, mark: Mark) -> bool:
    """Return whether a side table may have rows about a task."""
    return task_id.int & int(mark) != 0


class IdSource:
    """Make UUIDs of version 7 (RFC 9562) that only grow within this process.

    The first 48 bits are milliseconds; the next 12 (`rand_a`) and 30 more count up within one
    millisecond, so that ids made together keep their order. The last two bits are marks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self, now: datetime, marks: Mark = _NONE) -> UUID:
        """Return a new id.

        Args:
            now: aware UTC; ids keep growing when the clock steps back.
            marks: which side tables get rows about the task.
        """
        milliseconds = int(now.timestamp() * 1000)
        random = secrets.randbits(64)  # at once, because each call asks the system
        with self._lock:
            self._last = max(self._last + 1, (milliseconds << 42) | (random >> 32))
            ordered = self._last
        value = (ordered >> 42) << 80
        value |= 0x7 << 76
        value |= ((ordered >> 30) & 0xFFF) << 64
        value |= 0b10 << 62
        value |= (ordered & 0x3FFFFFFF) << 32
        # As an int, because a flag joined with an int is a flag, which its class keeps for ever.
        value |= (random & 0xFFFFFFFF & ~_MARKS) | int(marks)
        return UUID(int=value)


def new_deployment_id() -> str:
    """Return an id for one database's taskq: 16 random hexadecimal digits."""
    return secrets.token_hex(8)


def ids_with(prefix: str) -> tuple[UUID, UUID]:
    """Return the lowest and the highest id that begin like this.

    Args:
        prefix: the first hexadecimal digits of an id, with or without its hyphens.
    """
    digits = prefix.replace("-", "")
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def first_id_of(moment: datetime) -> UUID:
    """Return the lowest possible id of a task created in this millisecond."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (0b10 << 62))
