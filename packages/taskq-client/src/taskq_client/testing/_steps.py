"""What the attempts of a fake handler do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskq_client.models import Progress

Outcome = Any
"""A `Step`, an exception to fail with, a function of the payload, or else the result itself."""


@dataclass(frozen=True)
class Step:
    """One attempt, in detail.

    Attributes:
        result: What it returns; the result of the task.
        error: What it fails with instead. The task is tried again while it has retries.
        fatal: Whether there is no further try after the error.
        seconds: How long it runs.
        progress: What it reports, one after the other, when it starts.
    """

    result: Any = None
    error: Exception | None = None
    fatal: bool = False
    seconds: float = 0.0
    progress: Sequence[Progress] = ()


Script = Callable[[dict[str, Any], int], Step]
"""Decides how an attempt goes, from the payload and the attempt's number."""


def scripted(outcomes: Sequence[Outcome]) -> Script:
    """Make a script of outcomes, attempt after attempt; the last one for all that follow."""

    def decide(payload: dict[str, Any], attempt: int) -> Step:
        outcome = outcomes[min(attempt, len(outcomes)) - 1] if outcomes else None
        if callable(outcome):
            try:
                outcome = outcome(payload)
            except Exception as error:
                outcome = error
        if isinstance(outcome, Exception):
            return Step(error=outcome)
        return outcome if isinstance(outcome, Step) else Step(result=outcome)

    return decide


def _flaky(payload: dict[str, Any], attempt: int) -> Step:
    failures = payload["failures"]
    if attempt > failures:
        return Step(result=attempt)
    return Step(error=RuntimeError(f"attempt {attempt} of {failures} that fail on purpose"))


BUILT_IN: Mapping[str, Script] = {
    "taskq.echo": lambda payload, attempt: Step(result=payload["value"]),
    "taskq.sleep": lambda payload, attempt: Step(payload["seconds"], seconds=payload["seconds"]),
    "taskq.flaky": _flaky,
}
