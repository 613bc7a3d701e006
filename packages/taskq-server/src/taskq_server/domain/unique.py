"""Unique keys: while a task with a key waits or runs, no other task gets the same key.

A key is of its namespace and knows no handlers. Idempotency keys are something else: they say that
two requests are one, for as long as the task is kept, and whatever has become of it.
"""

from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from taskq_server.domain.task import Status


class OnConflict(StrEnum):
    """What a submit does if another task holds its unique key."""

    RETURN = "return"
    """Answer with the holder."""
    REPLACE = "replace"
    """Give the holder this payload and start, if it only waits; then answer with it."""
    REJECT = "reject"
    """Refuse the submit."""


class UniqueKey(NamedTuple):
    """The unique key of a new task.

    Attributes:
        text: as its caller wrote it.
        on_conflict: what to do if another task holds the key.
    """

    text: str
    on_conflict: OnConflict = OnConflict.RETURN

    @property
    def hash(self) -> str:
        """The hash by which keys are compared: databases compare texts in ways of their own."""
        return hash_of(self.text)


class Holder(NamedTuple):
    """The task that holds a key, as everybody may know it."""

    task_id: UUID
    status: Status


def hash_of(text: str) -> str:
    """Return the hash of a unique key: 64 hexadecimal digits."""
    return sha256(text.encode()).hexdigest()
