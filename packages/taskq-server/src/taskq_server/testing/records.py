"""What tests look at: the run of a handler, its attempts, and what they did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Outcome, Status
from taskq_server.handlers.context import ProgressReport


@dataclass(frozen=True, slots=True)
class Log:
    """A line that a handler wrote with `context.logger`.

    Attributes:
        level: the name of its level, such as `INFO`.
        message: its text.
    """

    level: str
    message: str


@dataclass(frozen=True, slots=True)
class Child:
    """A task that a handler submitted.

    Attributes:
        id: the id that the handler got.
        handler: the child's handler.
        payload: the child's payload.
        request: all that the handler asked for: title, priority, tags, queue, run_at, …
    """

    id: UUID
    handler: str
    payload: dict[str, Any]
    request: NewTask


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One ended attempt.

    Attributes:
        number: counts the attempts of the task, from 1.
        outcome: `succeeded`, `failed`, `timed_out`, `cancelled` or `released`.
        result: the result as JSON, as callers read it; None unless it succeeded.
        error_type: the class of the error, by its name; None unless it failed.
        error_message: the text of the error; None unless it failed.
        traceback: the end of the error's traceback; None if there is none.
        backoff_seconds: how long the next try would have been waited for; None if none follows.
        started_at: when it started, in the time of the test.
        progress: what it reported, all of it; a worker stores the latest report, twice a second.
        logs: what it wrote with `context.logger`.
        children: the tasks that it submitted.
    """

    number: int
    outcome: Outcome
    result: Any
    error_type: str | None
    error_message: str | None
    traceback: str | None
    backoff_seconds: float | None
    started_at: datetime
    progress: Sequence[ProgressReport]
    logs: Sequence[Log]
    children: Sequence[Child]


@dataclass(frozen=True, slots=True)
class HandlerRun:
    """All attempts of one task, up to its end.

    Attributes:
        status: `succeeded`, `failed` or `cancelled`.
        attempts: the attempts, oldest first.
    """

    status: Status
    attempts: Sequence[AttemptRecord]

    @property
    def result(self) -> Any:
        """The result as JSON, as callers read it; None unless the task succeeded."""
        return self.attempts[-1].result

    @property
    def error(self) -> str | None:
        """The last error in one line, as `ValueError: no such month`; None if all went well."""
        failed = [one for one in self.attempts if one.error_type is not None]
        return f"{failed[-1].error_type}: {failed[-1].error_message}" if failed else None

    @property
    def progress(self) -> list[ProgressReport]:
        """The reports of all attempts."""
        return [report for attempt in self.attempts for report in attempt.progress]

    @property
    def logs(self) -> list[Log]:
        """The lines of all attempts."""
        return [log for attempt in self.attempts for log in attempt.logs]

    @property
    def children(self) -> list[Child]:
        """The tasks that were submitted; one that several attempts submitted counts once."""
        found = [child for attempt in self.attempts for child in attempt.children]
        return list({child.id: child for child in reversed(found)}.values())[::-1]
