"""Run a handler once, within its limits, and turn every outcome into a `RunResult`."""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, assert_never

from taskq_server.core.config import Settings
from taskq_server.core.log_context import Fields
from taskq_server.core.processes import ForksEnd
from taskq_server.core.turns import Turns
from taskq_server.handlers.declare import Fatal
from taskq_server.handlers.registry import Handler
from taskq_server.services.task_log import fields_of
from taskq_server.worker.attempts.failures import HandlerExit, failed, failure_of, message_of
from taskq_server.worker.attempts.result import (
    Cancelled,
    Failed,
    PayloadMismatch,
    Released,
    RunResult,
    timed_out,
)
from taskq_server.worker.attempts.result_json import Room, is_small, written
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from taskq_server.worker.attempts.threads import Threads

_QUICK_CHARACTERS = 16_384
_MAY_STILL_SAY = (None, StopReason.RELEASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one attempt, in seconds and bytes."""

    grace: float
    result_bytes: int
    traceback_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the limits in the server's settings."""
        return cls(
            grace=settings.cancel_grace_seconds,
            result_bytes=settings.max_result_bytes,
            traceback_bytes=settings.max_traceback_bytes,
        )


class Executor:
    """Call async handlers on the event loop, and sync handlers in a bounded number of threads.

    Serialising a result counts as part of the handler's time. A sync handler's result is serialised
    in its thread; an async handler's at once if it is small and plain, and otherwise in another
    thread, because objects in it may run code of their own.

    `stuck` is set once a handler has ignored its interruption. `threads` counts the attempts with
    a thread.

    Args:
        threads: number of threads for sync handlers.
        limits: the limits of one attempt.
        patience: seconds that an attempt waits for a thread before it is released.
    """

    def __init__(self, threads: int, limits: Limits, *, patience: float = 0.5) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="taskq-handler")
        self._writers = ThreadPoolExecutor(threads, thread_name_prefix="taskq-result")
        self.threads = Threads(threads, patience)
        self._on_loop_now: dict[asyncio.Task[Any], RunningAttempt] = {}
        self._limits = limits
        self._turns = Turns()
        self.stuck = asyncio.Event()

    async def run(self, handler: Handler, running: RunningAttempt) -> RunResult | None:
        """Run one attempt and return its result; None if this worker no longer holds it."""
        arguments: dict[str, Any] | Failed | None = running.arguments
        if arguments is None:
            if len(running.task.payload) > _QUICK_CHARACTERS:
                await self._turns.next()  # other tasks of the loop run between two large payloads
            arguments = read_payload(handler, running.task.payload, self._limits.traceback_bytes)
        if isinstance(arguments, Failed):
            return arguments
        if handler.signature.context is not None:
            arguments[handler.signature.context] = running.context
        call = partial(handler.function, **arguments)
        if handler.is_async:
            job = running.loop.create_task(self._on_loop(call, running))
            self._on_loop_now[job] = running
            job.add_done_callback(self._on_loop_now.pop)
        elif await self.threads.take(running):
            job = asyncio.ensure_future(self._in_thread(call, running))
        else:
            running.interrupt(StopReason.RELEASE)
            return self.result_of_run(None, handler, running)
        await self._until_done(job, running, cancel=handler.is_async)
        return self.result_of_run(job, handler, running)

    def fields(self, job: "asyncio.Task[object]") -> Fields | None:
        """Return what lines about the attempt say that a task of the loop runs, if it runs one."""
        running = self._on_loop_now.get(job)
        return None if running is None else fields_of(running.task)

    @property
    def handlers_on_loop(self) -> list[str]:
        """The handlers that run on the event loop; asked from any thread."""
        return sorted({running.task.handler for running in list(self._on_loop_now.values())})

    def close(self) -> None:
        """Let threads end by themselves, because a stuck thread must not hold up the process."""
        for pool in (self._pool, self._writers):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, call: Callable[[], Any], running: RunningAttempt) -> RunResult:
        def work() -> RunResult | Awaitable[Any]:
            result = _exit_as_error(call)
            return result if inspect.isawaitable(result) else self._written(result, running)

        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._pool, copy_context().run, work)
        began = monotonic()
        done.add_done_callback(lambda _: self.threads.give_back(running, monotonic() - began))
        ended = await asyncio.shield(done)
        return await self._awaited(ended, running) if inspect.isawaitable(ended) else ended

    async def _awaited(self, result: Awaitable[Any], running: RunningAttempt) -> RunResult:
        """Await on the loop the coroutine of a sync function that wraps a coroutine function."""
        job = asyncio.create_task(self._on_loop(lambda: result, running))
        interrupted = asyncio.create_task(running.interrupted.wait())
        await asyncio.wait({job, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            job.cancel()
        interrupted.cancel()
        return await job

    async def _on_loop(self, call: Callable[[], Any], running: RunningAttempt) -> RunResult:
        try:
            with ForksEnd():
                result = await call()
        except (SystemExit, KeyboardInterrupt) as error:
            raise HandlerExit(error) from error
        if is_small(result):
            return written(result, self._room(running), is_plain=True)
        work = partial(copy_context().run, self._written, result, running)
        done = asyncio.get_running_loop().run_in_executor(self._writers, work)
        with contextlib.suppress(asyncio.CancelledError):  # `Room.is_over` stops the thread
            await asyncio.wait({done})
        await asyncio.wait({done})
        return done.result()

    def _written(self, result: object, running: RunningAttempt) -> RunResult:
        with ForksEnd():
            return written(result, self._room(running), is_plain=False)

    def _room(self, running: RunningAttempt) -> Room:
        return Room(self._limits.result_bytes, lambda: running.cause not in _MAY_STILL_SAY)

    async def _until_done(
        self, job: asyncio.Task[RunResult], running: RunningAttempt, *, cancel: bool
    ) -> None:
        await running.until_interrupted(job, running.task.timeout_seconds)
        if job.done():
            return
        running.interrupt(StopReason.TIMEOUT)
        if cancel:
            job.cancel()
        await asyncio.wait({job}, timeout=self._limits.grace)
        if not job.done():
            running.context.logger.error("the handler ignores that it was told to stop")
            job.cancel()
            self.stuck.set()

    def result_of_run(
        self, job: asyncio.Task[RunResult] | None, handler: Handler, running: RunningAttempt
    ) -> RunResult | None:
        """Return the result of an attempt; None if this worker no longer holds it.

        Args:
            job: the handler's call; None if it was not called.
            handler: the handler.
            running: the attempt.
        """
        cause = running.cause
        done = job if job is not None and job.done() and not job.cancelled() else None
        finished = done is not None and done.exception() is None
        match cause:
            case None:
                pass
            case StopReason.CANCEL:
                return Cancelled()
            case StopReason.TIMEOUT:
                return timed_out(running.task.timeout_seconds)
            case StopReason.RELEASE if not finished:
                return Released(ran=job is not None)
            case StopReason.RELEASE:
                pass
            case StopReason.LOST:
                return None
            case _:
                assert_never(cause)
        if done is not None and finished:
            return done.result()
        error = None if done is None else done.exception()
        if error is None:
            return Failed(failed("CancelledError", "the handler cancelled itself"))
        return self._failed(error, handler)

    def _failed(self, error: BaseException, handler: Handler) -> Failed:
        return Failed(failure_of(error, handler.retry_on, self._limits.traceback_bytes))


def read_payload(handler: Handler, payload: str, traceback_bytes: int) -> dict[str, Any] | Failed:
    """Validate a payload, and return the arguments of a call, without the context.

    Args:
        handler: the handler to call.
        payload: the task's payload, as JSON.
        traceback_bytes: bytes to keep of the end of a traceback.
    """
    try:
        return handler.signature.arguments(payload, None)
    except Fatal as error:
        return PayloadMismatch(failed("InvalidPayload", message_of(error), fatal=True))
    except BaseException as error:  # raised by a validator: no cancel can arrive meanwhile
        return Failed(failure_of(error, handler.retry_on, traceback_bytes))


def _exit_as_error(call: Callable[[], Any]) -> Any:
    try:
        with ForksEnd():
            return call()
    except (SystemExit, KeyboardInterrupt, StopIteration) as error:
        raise HandlerExit(error) from error
