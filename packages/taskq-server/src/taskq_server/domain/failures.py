"""Failures of tasks, grouped by what failed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from taskq_server.domain import limits
from taskq_server.domain.task import Status


class FailedTask(NamedTuple):
    """A task that has failed or is retrying, and the error of its last attempt."""

    task_id: UUID
    status: Status
    handler: str
    failed_at: datetime
    error_type: str | None
    error_message: str | None


@dataclass(slots=True)
class FailureGroup:
    """Failures of one handler with one type of error and one first line of its message.

    Attributes:
        handler: of the tasks.
        error_type: of the errors.
        first_line: of their messages, cut off after `limits.FIRST_LINE_LENGTH` characters.
        failed: tasks that failed for good.
        retrying: tasks that are retrying.
        last_at: when the newest failed, aware UTC.
        example: the id of the newest.
    """

    handler: str
    error_type: str
    first_line: str
    failed: int
    retrying: int
    last_at: datetime
    example: UUID


class FailureGroups:
    """Failures, grouped as they come: the newest first."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str], FailureGroup] = {}

    def add(self, newest_first: Iterable[FailedTask]) -> None:
        """Count some failures, none of which is newer than those that were counted before."""
        for one in newest_first:
            key = one.handler, one.error_type or "", first_line(one.error_message or "")
            group = self._groups.get(key)
            if group is None:
                group = FailureGroup(*key, 0, 0, one.failed_at, one.task_id)
                self._groups[key] = group
            if one.status is Status.FAILED:
                group.failed += 1
            else:
                group.retrying += 1

    def largest_first(self) -> list[FailureGroup]:
        """Return the groups, the largest first, of equal ones the newest."""
        return sorted(self._groups.values(), key=lambda group: -group.failed - group.retrying)


def first_line(message: str) -> str:
    """Return the first line of a message that is not empty, cut off if it is long."""
    lines = (line.strip() for line in message.splitlines())
    return next((line for line in lines if line), "")[: limits.FIRST_LINE_LENGTH]
