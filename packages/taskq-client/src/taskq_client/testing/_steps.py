"""The scripts of fake handlers, and the results of their attempts."""

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskq_client.models import Progress
from taskq_client.testing._handlers import AttemptEnd
from taskq_client.testing._results import NotJson, message_of, written

Outcome = Any
"""A `Step`, an exception to fail with, a function of the payload, or else the result itself."""

_LONGEST_TYPE = 200
_LONGEST_MESSAGE = 8_192


@dataclass(frozen=True)
class Step:
    """One attempt, in detail.

    Attributes:
        result: What it returns; the result of the task, whatever a handler may return.
        error: What it fails with instead. The task is tried again while it has retries.
        fatal: Whether there is no further try after the error.
        seconds: How long it runs, 0 or more; beyond the time limit of the task it times out.
        progress: What it reports, one after the other, when it starts.
    """

    result: Any = None
    error: BaseException | None = None
    fatal: bool = False
    seconds: float = 0.0
    progress: Sequence[Progress] = ()

    def __post_init__(self) -> None:
        seconds: object = self.seconds
        if not isinstance(seconds, int | float) or not seconds >= 0:
            raise ValueError(f"seconds must be a number, 0 or more, not {self.seconds!r}")
        if not isinstance(self.error, BaseException | None):
            raise ValueError(f"error must be an exception, not {self.error!r}")
        if not all(isinstance(one, Progress) for one in self.progress):
            raise ValueError("progress must be a list of taskq_client.Progress")


Script = Callable[[dict[str, Any]], Outcome]
"""Decides how an attempt goes, from the running task on the wire."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt did not succeed, as in the record of the attempt."""

    type: str
    message: str
    traceback: str | None = None
    outcome: str = "failed"
    fatal: bool = False
    retry_after: float | None = None


@dataclass(frozen=True)
class AttemptResult:
    """How an attempt goes: its progress, its duration, and its result or failure."""

    result: Any = None
    failure: Failure | None = None
    seconds: float = 0.0
    progress: Sequence[dict[str, Any]] = ()


def scripted(outcomes: Sequence[Outcome]) -> Script:
    """Make a script of outcomes, attempt after attempt; the last one for all that follow.

    Raises:
        TypeError: An outcome is an async function, because scripts are not awaited.
    """
    if any(map(inspect.iscoroutinefunction, outcomes)):
        raise TypeError("a scripted function is called and not awaited: give a plain function")

    def decide(task: dict[str, Any]) -> Outcome:
        outcome = outcomes[min(task["attempt"], len(outcomes)) - 1] if outcomes else None
        return outcome(task["payload"]) if callable(outcome) else outcome

    return decide


def run_script(script: Script, task: dict[str, Any]) -> AttemptResult:
    """Call a script, and return how the attempt goes.

    Any error of the script fails the attempt. One that is no `Exception` fails the task, without a
    retry, because such an error mostly ends a test.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    try:
        outcome = script(task)
        if isinstance(outcome, AttemptEnd):
            return _ended(outcome)
        if inspect.iscoroutine(outcome):
            outcome.close()
            raise TypeError("a scripted function returned a coroutine, which nobody would await")
        if isinstance(outcome, BaseException):
            outcome = Step(error=outcome)
        step = outcome if isinstance(outcome, Step) else Step(outcome)
        if step.error is not None:
            failure = failure_of(step.error, fatal=step.fatal)
            return AttemptResult(None, failure, step.seconds, _progress_of(step))
        return AttemptResult(written(step.result), None, step.seconds, _progress_of(step))
    except NotJson as error:
        return AttemptResult(failure=Failure("InvalidResult", str(error), fatal=True))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return AttemptResult(failure=failure_of(error, fatal=not isinstance(error, Exception)))


def failure_of(error: BaseException, *, fatal: bool) -> Failure:
    """Return the record of an attempt that failed with this error."""
    kind, message = _printable(type(error).__name__, _LONGEST_TYPE), message_of(error)
    message = _printable(message, _LONGEST_MESSAGE)
    try:
        trace = "".join(traceback.format_exception(error))
    except BaseException:
        trace = f"{kind}: {message}\n"
    end = trace.encode("utf-8", "replace").replace(b"\0", b"")[-_LONGEST_MESSAGE:]
    return Failure(kind, message, end.decode("utf-8", "ignore"), fatal=fatal)


def _ended(end: AttemptEnd) -> AttemptResult:
    """Return how an attempt goes whose end was decided elsewhere."""
    progress = [
        {"current": one.current, "total": one.total, "message": one.message} for one in end.progress
    ]
    if end.error_type is None:
        return AttemptResult(written(end.result), progress=progress)
    failure = Failure(
        end.error_type,
        end.error_message or "",
        end.traceback,
        str(end.outcome),
        fatal=end.backoff_seconds is None,
        retry_after=end.backoff_seconds,
    )
    return AttemptResult(failure=failure, progress=progress)


def _printable(text: str, most: int) -> str:
    data = text.replace("\0", "")[: most + 1].encode("utf-8", "replace")
    if len(data) > most:
        data = data[: most - 3] + "…".encode()
    return data.decode("utf-8", "ignore")


def _progress_of(step: Step) -> list[dict[str, Any]]:
    return [progress.model_dump() for progress in step.progress]


def _flaky(task: dict[str, Any]) -> Outcome:
    attempt, failures = task["attempt"], int(task["payload"]["failures"])
    if attempt > failures:
        return attempt
    return RuntimeError(f"attempt {attempt} of {failures} that fail on purpose")


BUILT_IN: Mapping[str, Script] = {
    "taskq.echo": lambda task: Step(task["payload"]["value"]),
    "taskq.sleep": lambda task: Step(
        task["payload"]["seconds"], seconds=task["payload"]["seconds"]
    ),
    "taskq.flaky": _flaky,
}
