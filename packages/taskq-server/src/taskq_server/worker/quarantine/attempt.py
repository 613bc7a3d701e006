"""The worker's side of one attempt in another process, and its result if the process has none."""

import asyncio
import signal
from dataclasses import dataclass
from typing import Any, assert_never

from taskq_server.worker.attempts.failures import failed
from taskq_server.worker.attempts.result import Cancelled, Failed, Released, RunResult
from taskq_server.worker.attempts.running import RunningAttempt, StopReason


@dataclass(frozen=True, slots=True)
class ProcessAttempt:
    """An attempt that a process has; `ended` gets its result."""

    running: RunningAttempt
    ended: asyncio.Future[RunResult | None]

    def end(self, run_result: RunResult | None) -> None:
        """Note the result; only the first one counts."""
        if not self.ended.done():
            self.ended.set_result(run_result)

    async def until(self, event: asyncio.Future[Any], seconds: float) -> bool:
        """Return whether the event happens in time, and before the attempt is interrupted."""
        interruption = asyncio.create_task(self.running.interrupted.wait())
        try:
            await asyncio.wait(
                {event, interruption}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            interruption.cancel()
        return event.done()


def cut_short(
    cause: StopReason | None, otherwise: RunResult, *, ran: bool = True
) -> RunResult | None:
    """Return the result of an attempt that ended without a result of its handler.

    Args:
        cause: why the handler was told to stop; None if it was not.
        otherwise: the result unless the cause decides it.
        ran: whether the handler was called.
    """
    match cause:
        case StopReason.CANCEL:
            return Cancelled()
        case StopReason.RELEASE:
            return Released(ran)
        case StopReason.LOST:
            return None
        case StopReason.TIMEOUT | None:
            return otherwise
        case _:
            assert_never(cause)


def died(status: int | None) -> Failed:
    """Return the result of an attempt that had a process for itself, which ended.

    Args:
        status: the exit status, negative for a signal; None if it is unknown.
    """
    how = "ended"
    if status is not None:
        how = f"ended with status {status}" if status >= 0 else f"was ended by {_signal(-status)}"
    return Failed(failed("ProcessDied", f"the process that ran this attempt {how}"))


def _signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name}, perhaps because memory was short" if name == "SIGKILL" else name
