"""One line of the log for each task that ends, and for each attempt that starts or is tried again.

The settings say at which levels. What an error said is shown as the handler said it, cut; errors of
taskq's own are named without their text, because it may quote a statement.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, assert_never

from taskq_server.core.config import Settings
from taskq_server.core.log_context import About, Fields
from taskq_server.core.log_handler import say
from taskq_server.core.log_lines import Said
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

    def started(self, tasks: Iterable[Task]) -> None:
        """Tell that attempts start."""
        if _log.isEnabledFor(self.starts):
            say(_log, [Said(self.starts, _start(task), fields_of(task)) for task in tasks])

    def cancelled(self, task: Task) -> None:
        """Tell that a task was cancelled while it waited."""
        text = "%s %s was cancelled while it waited"
        _log.log(self.ends, text, task.handler, task.id, extra={"task_id": str(task.id)})

    def ended(self, ends: Iterable[AttemptEnded]) -> None:
        """Tell how attempts have ended."""
        said: list[Said] = []
        for end in ends:
            level = self._level(end)
            if _log.isEnabledFor(level):
                fields = fields_of(end.task)
                text = f"{end.task.handler} {fields['task_id']} {_how(end)}"
                said.append(Said(level, text, fields))
        say(_log, said)

    def _level(self, end: AttemptEnded) -> int:
        match end.task.status:
            case Status.SUCCEEDED | Status.CANCELLED:
                return self.ends
            case Status.RETRYING:
                return self.retries
            case Status.FAILED:
                return self.failures
            case Status.QUEUED:
                return self.failures if end.attempt.outcome is Outcome.LOST else self.starts
            case Status.RUNNING:
                raise AssertionError("unreachable: no attempt has ended")
            case _:
                assert_never(end.task.status)


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


def _start(task: Task) -> str:
    return f"{task.handler} {task.id} starts attempt {task.attempt}"


def _how(end: AttemptEnded) -> str:
    attempt, status = end.attempt, end.task.status
    seconds = f"{end.run_time.total_seconds():.2f} s"
    if status is Status.SUCCEEDED:
        return f"succeeded in {seconds}"
    if status is Status.CANCELLED:
        return f"was cancelled after {seconds}"
    at = f"at attempt {attempt.attempt}, after {seconds}"
    if status is Status.FAILED:
        return f"failed for good {at}: {error_of(attempt)}"
    if status is Status.RETRYING:
        again = f"{end.task.due_at:%Y-%m-%dT%H:%M:%SZ}"
        return f"failed {at}, and is tried again at {again}: {error_of(attempt)}"
    if attempt.outcome is Outcome.LOST:
        return f"lost its worker {at}, and is queued again"
    return f"is handed back {at}"
