"""The result of an attempt, as data that one process can send to another.

RunResult
├── Succeeded               with a result
├── Failed                  with a failure: an error, a timeout, a result that is not JSON
│   └── PayloadMismatch     the payload does not fit this version of the handler
├── Cancelled               the task's cancellation was requested
├── Released                the worker is stopping, or has no room
└── Lost                    the process that ran the attempt is gone
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import random as draw
from typing import assert_never

from taskq_server.core.spans import Work
from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome
from taskq_server.services.reports import Decision


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The handler returned; `result` is JSON text of `size` bytes."""

    result: str
    size: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler raised an error, took too long, or returned a value that is not JSON."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class PayloadMismatch(Failed):
    """The payload does not fit; with a `pause`, another version of the handler may take it."""

    pause: float | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The task's cancellation was requested."""


@dataclass(frozen=True, slots=True)
class Released:
    """The worker is stopping, or has no room; `ran` tells whether the handler was called."""

    ran: bool = True


@dataclass(frozen=True, slots=True)
class Lost:
    """The process that ran the attempt is gone."""


RunResult = Succeeded | Failed | Cancelled | Released | Lost


def decision(
    run_result: RunResult, backoff: Backoff, random: Callable[[], float] = draw
) -> Decision:
    """Return the decision of the lifecycle that a result leads to, for the task's locked row.

    Args:
        run_result: the attempt's result.
        backoff: the handler's back-off.
        random: returns a number from 0 to 1, exclusive.
    """
    match run_result:
        case Succeeded(result=result):
            return lambda task, now: lifecycle.succeed(task, result=result, now=now)
        case PayloadMismatch(failure=failure, pause=float(pause)):
            return lambda task, now: lifecycle.put_off(task, failure, pause=pause, now=now)
        case Failed(failure=failure):
            return lambda task, now: lifecycle.fail(
                task, failure, backoff=backoff, random=random, now=now
            )
        case Cancelled():
            return lambda task, now: lifecycle.cancel_running(task, now=now)
        case Released(ran=ran):
            return lambda task, now: lifecycle.release(task, now=now, ran=ran)
        case Lost():
            return lambda task, now: lifecycle.rescue(task, now=now)
        case _:
            assert_never(run_result)


def weight(run_result: RunResult) -> int:
    """Return roughly the number of bytes that a result adds to a transaction."""
    match run_result:
        case Succeeded(size=size):
            return size
        case Failed(failure=failure):
            return len(failure.message) + len(failure.traceback or "")
        case Cancelled() | Released() | Lost():
            return 0
        case _:
            assert_never(run_result)


def note_end(work: Work, run_result: RunResult | None) -> None:
    """Note in the span of an attempt how it ended.

    Args:
        work: the work of the attempt.
        run_result: its result; None if this worker no longer holds it.
    """
    if isinstance(run_result, Failed):
        work.fail(run_result.failure.type, run_result.failure.message)
    if work.has_span:
        work.note({"taskq.outcome": _outcome(run_result)})


def _outcome(run_result: RunResult | None) -> Outcome:
    match run_result:
        case Succeeded():
            return Outcome.SUCCEEDED
        case Failed(failure=failure):
            return failure.outcome
        case Cancelled():
            return Outcome.CANCELLED
        case Released():
            return Outcome.RELEASED
        case Lost() | None:
            return Outcome.LOST
        case _:
            assert_never(run_result)


def timed_out(seconds: float) -> Failed:
    """Return the result of an attempt that ran longer than `seconds`."""
    return Failed(
        Failure(
            outcome=Outcome.TIMED_OUT,
            type="TimeoutError",
            message=f"the attempt ran longer than {seconds:g} seconds",
        )
    )
