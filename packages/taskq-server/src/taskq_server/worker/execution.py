"""Run a handler once, within its limits, and turn whatever happens into a verdict."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

from pydantic_core import to_jsonable_python

from taskq_server.core.config import Settings
from taskq_server.core.processes import ForksEnd
from taskq_server.handlers.declare import Fatal
from taskq_server.handlers.registry import Handler
from taskq_server.worker.failures import failed, failure_of, message_of, name_of
from taskq_server.worker.running import Cause, Running
from taskq_server.worker.verdict import (
    Cancelled,
    Failed,
    Released,
    Succeeded,
    Verdict,
    timed_out,
)

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one attempt may take: seconds and bytes."""

    grace: float
    result_bytes: int
    traceback_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return what the server's settings allow."""
        return cls(
            grace=settings.cancel_grace_seconds,
            result_bytes=settings.max_result_bytes,
            traceback_bytes=settings.max_traceback_bytes,
        )


class Executor:
    """Call handlers: async ones on the loop, sync ones in a bounded number of threads.

    `deaf` is set once a handler has gone on although it was told to stop.
    """

    def __init__(self, threads: int, limits: Limits) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="taskq-handler")
        self._slots = asyncio.Semaphore(threads)
        self._limits = limits
        self.deaf = asyncio.Event()

    async def run(self, handler: Handler, running: Running) -> Verdict | None:
        """Run one attempt and return how it ended; None when that is not ours to say."""
        try:
            call = _call(handler, running)
        except Fatal as error:
            return Failed(failed("InvalidPayload", message_of(error), fatal=True))
        except BaseException as error:  # a validator's: nobody could cancel this task meanwhile
            return self._failed(error, handler)
        if handler.is_async:
            job = asyncio.create_task(_guarded(call))
        elif await self._slot(running):
            job = asyncio.ensure_future(self._in_thread(call))
        else:
            return self.judge(None, handler, running)
        await self._until_done(job, running, cancel=handler.is_async)
        return self.judge(job, handler, running)

    def close(self) -> None:
        """Let threads end by themselves; a deaf one must not hold up the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _slot(self, running: Running) -> bool:
        """Wait for a free thread; False when the attempt is interrupted before there is one."""
        slot = asyncio.create_task(self._slots.acquire())
        interruption = asyncio.create_task(running.interrupted.wait())
        await asyncio.wait({slot, interruption}, return_when=asyncio.FIRST_COMPLETED)
        interruption.cancel()
        if not running.interrupted.is_set():
            return True
        if slot.done():
            self._slots.release()
        slot.cancel()
        return False

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        context = copy_context()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, partial(context.run, _exit_as_error, call))
        work.add_done_callback(lambda _: self._slots.release())
        return await asyncio.shield(work)

    async def _until_done(self, job: asyncio.Task[Any], running: Running, *, cancel: bool) -> None:
        await running.until_interrupted(job, running.task.timeout_seconds)
        if job.done():
            return
        running.interrupt(Cause.TIMEOUT)
        if cancel:
            job.cancel()
        await asyncio.wait({job}, timeout=self._limits.grace)
        if not job.done():
            running.context.logger.error("the handler ignores that it was told to stop")
            job.cancel()
            self.deaf.set()

    def judge(
        self, job: asyncio.Task[Any] | None, handler: Handler, running: Running
    ) -> Verdict | None:
        """Return how an attempt ended; None when that is not ours to say.

        Args:
            job: the handler's call; None if there was none.
            handler: what was called.
            running: the attempt.
        """
        cause = running.cause
        done = job if job is not None and job.done() and not job.cancelled() else None
        finished = done is not None and done.exception() is None
        match cause:
            case None:
                pass
            case Cause.CANCEL:
                return Cancelled()
            case Cause.TIMEOUT:
                return timed_out(running.task.timeout_seconds)
            case Cause.RELEASE if not finished:
                return Released(ran=job is not None)
            case Cause.RELEASE:
                pass
            case Cause.LOST:
                return None
            case _:
                assert_never(cause)
        if done is not None and finished:
            return self._result(done.result())
        error = None if done is None else done.exception()
        if error is None:
            return Failed(failed("CancelledError", "the handler cancelled itself"))
        return self._failed(error, handler)

    def _result(self, value: Any) -> Verdict:
        try:
            result = _ENCODER.encode(to_jsonable_python(value))
            size = len(result.encode())
        except BaseException as error:  # of code that writes parts of the value
            return _bad_result(f"the result is not JSON: {name_of(error)}: {message_of(error)}")
        if size > self._limits.result_bytes:
            detail = f"the result has {size} bytes of JSON, {self._limits.result_bytes} are allowed"
            return _bad_result(detail)
        return Succeeded(result, size)

    def _failed(self, error: BaseException, handler: Handler) -> Failed:
        return Failed(failure_of(error, handler.retry_on, self._limits.traceback_bytes))


def _call(handler: Handler, running: Running) -> Callable[[], Any]:
    signature = handler.signature
    arguments = signature.arguments(
        json.loads(running.task.payload),
        None if signature.context is None else running.context,
    )
    return partial(handler.function, **arguments)


async def _guarded(call: Callable[[], Any]) -> Any:
    try:
        with ForksEnd():
            return await call()
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"the handler raised {name_of(error)}") from error


def _exit_as_error(call: Callable[[], Any]) -> Any:
    try:
        with ForksEnd():
            return call()
    except (SystemExit, KeyboardInterrupt, StopIteration) as error:
        raise RuntimeError(f"the handler raised {name_of(error)}") from error


def _bad_result(detail: str) -> Failed:
    return Failed(failed("InvalidResult", detail, fatal=True))
