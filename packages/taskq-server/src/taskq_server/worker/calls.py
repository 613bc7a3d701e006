"""Call hooks with a time limit: coroutine functions on the loop, others in their own threads."""

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

from taskq_server.core.processes import ForksEnd

Job = asyncio.Future[BaseException | None]


class Calls:
    """Calls of hooks.

    A call that is overdue is left behind, and even the end of the process does not wait for it.
    `left` contains the overdue calls until they end.

    Args:
        seconds: time limit of one call.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.left: set[Job] = set()

    async def __call__(self, hook: Callable[..., Any], argument: object) -> BaseException | None:
        """Start a hook at once and return its exception, or a `TimeoutError` if it is overdue."""
        start = _on_loop if inspect.iscoroutinefunction(hook) else in_thread
        job = start(hook, argument)
        await asyncio.wait({job}, timeout=self._seconds)
        if job.done():
            return job.result()
        self.left.add(job)
        job.add_done_callback(self.left.discard)
        if isinstance(job, asyncio.Task):
            job.cancel()
        return TimeoutError(f"it goes on after {self._seconds:g} seconds")


async def _awaited(result: Awaitable[object]) -> None:
    with ForksEnd():
        await result


def _on_loop(hook: Callable[..., Any], argument: object) -> Job:
    async def run() -> BaseException | None:
        try:
            with ForksEnd():
                await hook(argument)
        except BaseException as error:
            return error
        return None

    return asyncio.create_task(run())


def in_thread(hook: Callable[..., Any], argument: object) -> Job:
    """Call a hook in a thread of its own; the end of the process does not wait for the thread.

    Args:
        hook: the function.
        argument: its argument.

    Returns:
        A future of the hook's exception, or None.
    """
    loop = asyncio.get_running_loop()
    job: Job = loop.create_future()

    def run() -> None:
        error: BaseException | None = None
        try:
            with ForksEnd():
                result = hook(argument)
            if inspect.isawaitable(result):  # it wraps a coroutine function
                asyncio.run_coroutine_threadsafe(_awaited(result), loop).result()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed by now
            loop.call_soon_threadsafe(_settle, job, error)

    context = copy_context()
    threading.Thread(target=context.run, args=(run,), name="taskq-hook", daemon=True).start()
    return job


def _settle(job: Job, error: BaseException | None) -> None:
    if not job.done():  # a future that was cancelled is done
        job.set_result(error)
