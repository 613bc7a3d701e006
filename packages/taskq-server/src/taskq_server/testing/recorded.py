"""An attempt that records what its handler does, and that a test may interrupt."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, cast
from uuid import UUID

import orjson

from taskq_server.domain import lifecycle
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Fire, Task
from taskq_server.handlers.context import Context, ProgressReport, State
from taskq_server.handlers.registry import Handler
from taskq_server.testing.records import AttemptRecord, Child, Log
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.failures import own_fault
from taskq_server.worker.attempts.result import Failed, decision
from taskq_server.worker.attempts.running import RunningAttempt, StopReason

_log = logging.getLogger("taskq.server.handler")

Watch = Callable[["RecordedAttempt"], object]
"""Called whenever a running handler reports progress, writes a log line or submits a child."""


class RecordedAttempt(RunningAttempt):
    """A running attempt, as the `watch` of a test sees it.

    Attributes:
        number: counts the attempts of the task, from 1.
        progress: what the handler has reported so far.
        logs: what it has written with `context.logger` so far.
        children: the tasks that it has submitted so far.

    Args:
        task: the task as it was claimed.
        state: the `state` of the handler's context.
        submit: submits a child task under an idempotency key.
        watch: called when the handler has done something.
        schedule: what has fired the task, if a schedule has.
    """

    def __init__(
        self,
        task: Task,
        state: object,
        submit: Callable[[NewTask, str], Awaitable[UUID]],
        watch: Watch | None = None,
        schedule: Fire | None = None,
    ) -> None:
        super().__init__(task, cast(State, state), self._submit_child, schedule)
        self._row = task
        self._submit_to = submit
        self._watch = watch
        self._error: BaseException | None = None
        self.number = task.attempt
        self.progress: list[ProgressReport] = []
        self.logs: list[Log] = []
        self.children: list[Child] = []

    @cached_property
    def context(self) -> Context:
        """The handler's context, with a logger that records."""
        context = super().context
        logger = _recorder(self._note_log)
        return replace(context, logger=logging.LoggerAdapter(logger, context.logger.extra))

    def cancel(self) -> None:
        """Cancel the task, as a caller would."""
        self._stop(StopReason.CANCEL)

    @contextmanager
    def cancelled_after(self, seconds: float | None) -> Iterator[None]:
        """Cancel the task if it still runs after these seconds; None stands for never."""
        timer = None if seconds is None else self._loop.call_later(seconds, self.cancel)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def time_out(self) -> None:
        """Let the time of this attempt be up."""
        self._stop(StopReason.TIMEOUT)

    def release(self) -> None:
        """Let the worker stop, so that another one runs the task again without charging a retry."""
        self._stop(StopReason.RELEASE)

    def note(self, report: ProgressReport) -> None:
        """Record a report of progress."""
        super().note(report)
        checked = self.take_report()
        if checked is not None:
            self.progress.append(checked)
        self._tell()

    async def end(
        self, executor: Executor, handler: Handler, random: Callable[[], float], now: datetime
    ) -> tuple[AttemptEnded, AttemptRecord]:
        """Run the attempt, and return what the lifecycle and the test know of its end.

        Args:
            executor: calls the handler.
            handler: the handler.
            random: decides the back-off; returns a number from 0 to 1.
            now: aware UTC.
        """
        try:
            run_result = await executor.run(handler, self)
        except Exception as error:
            run_result = Failed(own_fault(error))
        if self._error is not None:
            raise self._error
        assert run_result is not None  # only a lost lease has no result
        ended = decision(run_result, handler.backoff, random)(self._row, now)
        return ended, self._record(ended)

    def _record(self, ended: AttemptEnded) -> AttemptRecord:
        attempt = ended.attempt
        pause = None if attempt.retry_at is None else attempt.retry_at - attempt.finished_at
        return AttemptRecord(
            number=attempt.attempt,
            outcome=attempt.outcome,
            result=None if attempt.result is None else orjson.loads(attempt.result),
            error_type=attempt.error_type,
            error_message=attempt.error_message,
            traceback=attempt.traceback,
            backoff_seconds=None if pause is None else pause.total_seconds(),
            started_at=attempt.started_at,
            progress=tuple(self.progress),
            logs=tuple(self.logs),
            children=tuple(self.children),
        )

    async def _submit_child(self, new: NewTask, key: str) -> UUID:
        child_id = await self._submit_to(new, key)
        payload: dict[str, Any] = (
            orjson.loads(new.payload) if isinstance(new.payload, bytes) else new.payload
        )
        self.children.append(Child(child_id, new.handler, payload, new))
        self._tell()
        return child_id

    def _note_log(self, record: logging.LogRecord) -> None:
        self.logs.append(Log(record.levelname, record.getMessage()))
        self._tell()

    def _tell(self) -> None:
        if self._watch is None or self._error is not None or self.cause is not None:
            return
        try:
            self._watch(self)
        except BaseException as error:  # of the test, not of the handler
            self._error = error
            self._stop(StopReason.LOST)

    def _stop(self, cause: StopReason) -> None:
        if asyncio._get_running_loop() is self._loop:
            self._stop_here(cause)
        else:  # a sync handler is to see at once that it is cancelled
            asyncio.run_coroutine_threadsafe(self._stop_there(cause), self._loop).result()

    async def _stop_there(self, cause: StopReason) -> None:
        self._stop_here(cause)

    def _stop_here(self, cause: StopReason) -> None:
        if cause is StopReason.CANCEL:
            self._row = lifecycle.cancel(self._row, now=self._row.updated_at)
        self.interrupt(cause)


class _Recording(logging.Handler):
    def __init__(self, note: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(record)


def _recorder(note: Callable[[logging.LogRecord], None]) -> logging.Logger:
    """Return a logger of its own below that of handlers, because two tests may run at once."""
    logger = logging.Logger(_log.name, logging.DEBUG)
    logger.parent = _log
    logger.addHandler(_Recording(note))
    return logger
