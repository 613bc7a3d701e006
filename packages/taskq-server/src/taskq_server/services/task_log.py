"""One line of the log for each task that ends, and for each attempt that starts or is tried again.

The settings say at which levels. What an error said is shown as the handler said it, cut; errors of
taskq's own are named without their text, because it may quote a statement.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Self, assert_never

from taskq_server.core.config import Settings
from taskq_server.core.log_context import About, Fields
from taskq_server.core.spans import here
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Attempt, Outcome, Status, Task

OWN_FAULT = "an error of taskq's own, which the worker's log tells"
"""Begins the message of an attempt that ended in a bug of taskq."""

REFUSED = "the database takes no outcome of this attempt but this one"
"""Begins the message of an attempt whose outcome the database refuses."""

_MOST_CHARACTERS = 200
_log = logging.getLogger("taskq.server.tasks")


def about_task(task: Task) -> About:
    """Return a block whose lines are about the attempt of a task that runs."""
    return About(lambda: fields_of(task))


def fields_of(task: Task) -> Fields:
    """Return the fields of lines about a task."""
    fields: dict[str, str | int] = {
        "task_id": str(task.id),
        "attempt": task.attempt,
        "handler": task.handler,
        "namespace": task.namespace,
    }
    if task.submitted_by is not None:
        fields["key_id"] = task.submitted_by
    # A later attempt has a trace of its own, as far as its span is current.
    trace = here() or task.traceparent
    if trace is not None:
        fields["trace_id"] = trace_id(trace)
    return fields


def trace_id(traceparent: str) -> str:
    """Return the id of the trace in a valid `traceparent`."""
    return traceparent.split("-")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLog:
    """The levels of the lines about tasks.

    Attributes:
        starts: of attempts that start, and of those that are handed back.
        ends: of tasks that succeed or are cancelled.
        retries: of attempts that failed and are tried again.
        failures: of tasks that failed for good, and of attempts that lost their worker.
    """

    starts: int = logging.DEBUG
    ends: int = logging.INFO
    retries: int = logging.INFO
    failures: int = logging.WARNING

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the levels of the settings."""
        number = logging.getLevelNamesMapping()
        return cls(
            starts=number[settings.log_starts],
            ends=number[settings.log_ends],
            retries=number[settings.log_retries],
            failures=number[settings.log_failures],
        )

    def started(self, task: Task) -> None:
        """Tell that an attempt starts."""
        _say(self.starts, "%s %s starts attempt %d", task.handler, task.id, task.attempt)

    def cancelled(self, task: Task) -> None:
        """Tell that a task was cancelled while it waited."""
        text = "%s %s was cancelled while it waited"
        _say(self.ends, text, task.handler, task.id, extra={"task_id": str(task.id)})

    def ended(self, end: AttemptEnded) -> None:
        """Tell how an attempt has ended."""
        task, attempt = end.task, end.attempt
        seconds = (attempt.finished_at - attempt.started_at).total_seconds()
        match task.status:
            case Status.SUCCEEDED:
                _say(self.ends, "%s %s succeeded in %.2f s", task.handler, task.id, seconds)
            case Status.CANCELLED:
                _say(self.ends, "%s %s was cancelled after %.2f s", task.handler, task.id, seconds)
            case Status.FAILED:
                text = "%s %s failed for good at attempt %d, after %.2f s: %s"
                why = error_of(attempt)
                _say(self.failures, text, task.handler, task.id, attempt.attempt, seconds, why)
            case Status.RETRYING:
                text = "%s %s failed at attempt %d, after %.2f s, and is tried again at %s: %s"
                of = (task.handler, task.id, attempt.attempt, seconds)
                _say(self.retries, text, *of, _time(task.due_at), error_of(attempt))
            case Status.QUEUED:
                self._requeued(task, attempt, seconds)
            case Status.RUNNING:
                raise AssertionError("unreachable: no attempt has ended")
            case _:
                assert_never(task.status)

    def _requeued(self, task: Task, attempt: Attempt, seconds: float) -> None:
        of = (task.handler, task.id, attempt.attempt, seconds)
        if attempt.outcome is Outcome.LOST:
            text = "%s %s lost its worker at attempt %d, after %.2f s, and is queued again"
            _say(self.failures, text, *of)
        else:
            _say(self.starts, "%s %s is handed back at attempt %d, after %.2f s", *of)


AS_DEFAULT = TaskLog()
"""The levels that the settings have by default."""


def error_of(attempt: Attempt) -> str:
    """Return what an attempt failed with, as one line of the log says it."""
    kind, said = attempt.error_type or "", attempt.error_message or ""
    for own in (OWN_FAULT, REFUSED):
        if said.startswith(own):
            said = own
    said = said[:_MOST_CHARACTERS]
    return f"{kind}: {said}" if said else kind


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _say(level: int, text: str, *of: object, extra: Fields | None = None) -> None:
    # Without a search for the calling line, which takes longer than all the rest of a record.
    if _log.isEnabledFor(level):
        _log.handle(_log.makeRecord(_log.name, level, __file__, 0, text, of, None, extra=extra))
