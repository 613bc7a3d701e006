"""How an attempt ended, as data: what a handler's process can tell another one.

RunResult
├── Succeeded               with a result
├── Failed                  with a failure: an error, a timeout, a result that is no JSON
│   └── PayloadMismatch     the payload does not fit this version of the handler
├── Cancelled               its cancellation was asked for
├── Released                its worker is stopping, or has no room for it
└── Lost                    the process that ran it is gone
"""

import random
from dataclasses import dataclass
from typing import assert_never

from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome
from taskq_server.services.attempts import Decision


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The handler returned; `result` is JSON text of `size` bytes."""

    result: str
    size: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler raised, took too long, or returned what is no result."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class PayloadMismatch(Failed):
    """The payload does not fit; with a `pause`, another version of the handler may take it."""

    pause: float | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The task's cancellation was asked for."""


@dataclass(frozen=True, slots=True)
class Released:
    """The worker is stopping, or has no room; `ran` is whether the handler was called."""

    ran: bool = True


@dataclass(frozen=True, slots=True)
class Lost:
    """The process that ran the attempt is gone."""


RunResult = Succeeded | Failed | Cancelled | Released | Lost


def decision(run_result: RunResult, backoff: Backoff) -> Decision:
    """Return how the task goes on: a decision of the lifecycle for its locked row.

    Args:
        run_result: how its attempt ended.
        backoff: of its handler.
    """
    match run_result:
        case Succeeded(result=result):
            return lambda task, now: lifecycle.succeed(task, result=result, now=now)
        case PayloadMismatch(failure=failure, pause=float(pause)):
            return lambda task, now: lifecycle.put_off(task, failure, pause=pause, now=now)
        case Failed(failure=failure):
            return lambda task, now: lifecycle.fail(
                task, failure, backoff=backoff, random=random.random, now=now
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
    """Return about how many bytes a run result adds to a transaction."""
    match run_result:
        case Succeeded(size=size):
            return size
        case Failed(failure=failure):
            return len(failure.message) + len(failure.traceback or "")
        case Cancelled() | Released() | Lost():
            return 0
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
