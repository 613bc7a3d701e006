"""What the page of a task shows: its attempts as a timeline, its progress, its contents."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from taskq_server.dashboard import plain_text
from taskq_server.dashboard.plain_text import Part
from taskq_server.domain.caller import Caller
from taskq_server.domain.task import Attempt, Status, TaskDetails
from taskq_server.schemas.task import Progress

NEWEST_ATTEMPTS = 10
"""How many attempts a page shows unless it is asked for all."""

_LINE_LENGTH = 160


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One ended attempt.

    Attributes:
        ended: the attempt.
        waited_seconds: from the end of the attempt before, or from the submit, to its start.
        run_seconds: from its start to its end.
        share: of the longest of the task's attempts, in percent.
        line: the error in one line.
        message: of the error, in full.
        traceback: of the error.
    """

    ended: Attempt
    waited_seconds: float
    run_seconds: float
    share: float
    line: str
    message: Part | None
    traceback: Part | None


@dataclass(frozen=True, slots=True)
class ProgressView:
    """How far the handler says it is.

    Attributes:
        current: the amount that is done.
        total: the whole amount; None where it is not known.
        message: what it says besides.
    """

    current: float
    total: float | None
    message: str

    @property
    def share(self) -> float | None:
        """The part that is done, from 0 to 1; None where the whole amount is not known."""
        if self.total is None or self.total <= 0:
            return None
        return min(max(self.current / self.total, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as its page shows it.

    Attributes:
        details: the task, or its outline.
        is_outline: whether the viewer may not see what is in it.
        attempts: those that are shown, the newest first.
        older: how many older ones are not shown.
    """

    details: TaskDetails
    is_outline: bool
    attempts: Sequence[AttemptView]
    older: int

    @classmethod
    def of(cls, details: TaskDetails, caller: Caller, since: int | None = None) -> "TaskView":
        """Return what a caller is shown of a task.

        Args:
            details: the task, or its outline.
            caller: looks at it.
            since: the oldest attempt to show; the newest `NEWEST_ATTEMPTS` when None.
        """
        ended = details.attempts
        older = (
            max(len(ended) - NEWEST_ATTEMPTS, 0)
            if since is None
            else sum(each.attempt < since for each in ended)
        )
        return cls(
            details=details,
            is_outline=not caller.sees(details.task.submitted_by),
            attempts=_timeline(details)[older:][::-1],
            older=older,
        )

    @property
    def since(self) -> int:
        """The number of the oldest attempt that is shown, for the page as it goes on."""
        return self.attempts[-1].ended.attempt if self.attempts else 0

    @property
    def is_followed(self) -> bool:
        """Whether the page follows the task, because it may change of itself."""
        return not self.details.task.status.final and not self.is_outline

    @property
    def waited_seconds(self) -> float | None:
        """How long the task waited for its first attempt; None while it still does."""
        if self.details.attempts:
            return _seconds(self.details.task.created_at, self.details.attempts[0].started_at)
        started_at = self.details.task.started_at
        return None if started_at is None else _seconds(self.details.task.created_at, started_at)

    @property
    def progress(self) -> ProgressView | None:
        """How far the handler says it is; None if it says nothing."""
        text = self.details.task.progress
        if text is None or self.is_outline:
            return None
        try:
            said = Progress.model_validate_json(text)
        except ValidationError:
            return None
        return ProgressView(said.current, said.total, plain_text.visible(said.message or ""))

    @property
    def payload(self) -> Part:
        """The payload."""
        return plain_text.readable_json(self.details.task.payload)

    @property
    def result(self) -> Part | None:
        """The result; None if there is none."""
        text = self.details.result
        return None if text is None else plain_text.readable_json(text)

    @property
    def can_be_cancelled(self) -> bool:
        """Whether its status allows to cancel it, and nobody has asked for it."""
        task = self.details.task
        return not task.status.final and task.cancel_requested_at is None

    @property
    def can_be_retried(self) -> bool:
        """Whether its status allows to retry it."""
        return self.details.task.status in (Status.FAILED, Status.CANCELLED)

    @property
    def can_be_deleted(self) -> bool:
        """Whether its status allows to delete it."""
        return self.details.task.status is not Status.RUNNING


def _timeline(details: TaskDetails) -> list[AttemptView]:
    ends = [details.task.created_at, *(each.finished_at for each in details.attempts)]
    runs = [_seconds(each.started_at, each.finished_at) for each in details.attempts]
    longest = max(runs, default=0.0) or 1.0
    return [
        AttemptView(
            ended=each,
            waited_seconds=_seconds(before, each.started_at),
            run_seconds=run,
            share=round(100 * run / longest, 1),
            line=_first_line(each.error_message),
            message=_part(each.error_message),
            traceback=_part(each.traceback),
        )
        for each, before, run in zip(details.attempts, ends, runs, strict=False)
    ]


def _seconds(begin: datetime, end: datetime) -> float:
    """Return the time between two moments; 0 if the clocks of two servers differ."""
    return max((end - begin).total_seconds(), 0.0)


def _first_line(text: str | None) -> str:
    line = (text or "").strip().partition("\n")[0]
    cut = line if len(line) <= _LINE_LENGTH else line[:_LINE_LENGTH] + "…"
    return plain_text.visible(cut)


def _part(text: str | None) -> Part | None:
    return plain_text.beginning(text) if text else None
