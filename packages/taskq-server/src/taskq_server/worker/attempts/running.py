"""One attempt while it runs, and the reasons to interrupt it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from enum import Enum
from functools import cached_property
from math import isfinite
from typing import Any
from uuid import UUID

import orjson

from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Fire, Task
from taskq_server.handlers.context import Context, ProgressReport, State

_log = logging.getLogger("taskq.server.handler")
_LONGEST_MESSAGE = 500
_EXACT = 2**53


class StopReason(Enum):
    """Why a handler was told to stop."""

    CANCEL = "its task was cancelled"
    TIMEOUT = "its time was up"
    RELEASE = "its worker is stopping, or has no room for it"
    LOST = "its worker lost the lease"


class RunningAttempt:
    """A claimed attempt. `reported` tells whether its progress was stored, which changes the row.

    `arguments` is the validated payload, if another process has validated it. `traceparent` is the
    trace context of what its handler does.

    Args:
        task: the task as it was claimed.
        state: the state that start-up hooks prepared.
        submit: submits a child task under an idempotency key.
        schedule: what has fired the task, if a schedule has.
    """

    def __init__(
        self,
        task: Task,
        state: State,
        submit: Callable[[NewTask, str], Awaitable[UUID]],
        schedule: Fire | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._state = state
        self.task = task
        self.schedule = schedule
        self.claimed_at = self._loop.time()
        self.reported = False
        self.traceparent = task.traceparent
        self.arguments: dict[str, Any] | None = None
        self.cause: StopReason | None = None
        self._pause: asyncio.Future[None] | None = None
        self.submit = submit
        self._report: ProgressReport | None = None

    @cached_property
    def context(self) -> Context:
        """The handler's context, made only for a handler that takes it."""
        task = self.task
        about = {"task_id": str(task.id), "handler": task.handler, "attempt": task.attempt}
        return Context(
            task_id=task.id,
            handler=task.handler,
            attempt=task.attempt,
            traceparent=self.traceparent,
            schedule=self.schedule,
            state=self._state,
            logger=logging.LoggerAdapter(_log, about),
            _loop=self._loop,
            _submit=self.submit,
            _report=self.note,
            _interrupted=lambda: self.cause is not None,
        )

    @cached_property
    def interrupted(self) -> asyncio.Event:
        """Set when the handler is told to stop; made only for who waits for it."""
        return asyncio.Event()

    def interrupt(self, cause: StopReason) -> None:
        """Tell the handler to stop; only the first cause counts."""
        if self.cause is None:
            self.cause = cause
            self.interrupted.set()
            self._go_on()

    async def until_interrupted(self, job: asyncio.Future[Any], timeout: float) -> None:
        """Return when `job` is done, the attempt is interrupted, or the time is up.

        This uses a future, because `asyncio.wait` with a task costs more than a short handler.
        """
        if self.cause is not None:
            return
        self._pause = self._loop.create_future()
        timer = self._loop.call_later(timeout, self._go_on)
        job.add_done_callback(self._go_on)
        try:
            await self._pause
        finally:
            timer.cancel()
            job.remove_done_callback(self._go_on)

    def _go_on(self, _: object = None) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    def take_report(self) -> ProgressReport | None:
        """Return the latest progress, if there is a new one."""
        report, self._report = self._report, None
        return report

    def note(self, report: ProgressReport) -> None:
        """Keep a report of progress, in place of the last one.

        Raises:
            TypeError, ValueError: `current` or `total` is not a finite number.
        """
        message = None if report.message is None else str(report.message)
        self._report = ProgressReport(
            current=_number(report.current),
            total=None if report.total is None else _number(report.total),
            message=None if message is None else printable(message, _LONGEST_MESSAGE),
        )


def progress_json(report: ProgressReport) -> str:
    """Return a report as JSON text for the database."""
    return orjson.dumps(asdict(report)).decode()


def _number(value: float) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"progress takes numbers, not {type(value).__name__}")
    number = int(value) if isinstance(value, int) and abs(value) < _EXACT else float(value)
    if not isfinite(number):
        raise ValueError("progress takes finite numbers")
    return number


def printable(text: str, most: int) -> str:
    """Return text in a form that all databases and JSON readers take, cut to `most` bytes."""
    data = text.replace("\0", "")[: most + 1].encode("utf-8", "replace")
    if len(data) > most:
        data = data[: most - 3] + "…".encode()
    return data.decode("utf-8", "ignore")
