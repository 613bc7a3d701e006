"""Background tasks that are logged and restarted when they fail."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from taskq_server.core.log_context import about_group
from taskq_server.core.processes import ForksEnd

Work = Callable[[], Coroutine[Any, Any, None]]
"""Makes a coroutine."""

_PAUSE_SECONDS = 1.0
_CANCEL_SECONDS = 2.0
_AGAIN_SECONDS = 1.0
_log = logging.getLogger("taskq.server")


@asynccontextmanager
async def background(works: Mapping[str, Work]) -> AsyncIterator[None]:
    """Keep never-ending coroutines running while the block runs.

    A coroutine that fails is logged and started again, so that its error does not end the process.

    Args:
        works: makers of the coroutines, by their names in the log.
    """
    tasks = [asyncio.create_task(_keep_running(name, work)) for name, work in works.items()]
    try:
        yield
    finally:
        await _end(tasks)


async def unless(
    stop: asyncio.Event, work: "Coroutine[Any, Any, object] | asyncio.Task[Any]"
) -> bool:
    """Do some work, or cancel it when `stop` is set first; return whether it was done.

    Args:
        stop: set when the work is no longer needed.
        work: a coroutine, or a task if its result is of interest.
    """
    tasks = [asyncio.ensure_future(work), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    await _end(tasks)
    if tasks[0].cancelled():
        return False
    tasks[0].result()
    return True


def complete(
    work: Coroutine[Any, Any, None], new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> None:
    """Run a coroutine to its end on an event loop of its own, which no other task can end.

    A handler may leave tasks and callbacks on the loop. If one of them raises an exit, asyncio
    would end the loop, and so the process. It would also wait for threads, and for tasks that
    ignore their cancellation.

    Args:
        work: the coroutine; it may raise an exit of its own.
        new_loop: makes the loop; None takes asyncio's.
    """
    loop = (new_loop or asyncio.new_event_loop)()
    try:
        task = loop.create_task(work)
        task.add_done_callback(lambda _: loop.stop())
        while not task.done():
            _run(loop, task)
        task.result()
    finally:
        with contextlib.suppress(SystemExit, KeyboardInterrupt), contextlib.closing(loop):
            loop.run_until_complete(_cancel_all())


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended.

    One cancel may get lost: `asyncio.wait_for` of Python 3.11, in which a driver connects, drops it
    if the connection has failed at the same moment.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_SECONDS)


async def _cancel_all() -> None:
    """Cancel the tasks left on the loop, and wait for them a limited time."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=_CANCEL_SECONDS)


def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    try:
        with ForksEnd():
            loop.run_forever()
    except (SystemExit, KeyboardInterrupt):
        if not task.done():
            _log.exception("something that a handler left on the event loop raised an exit")


async def _keep_running(name: str, work: Work) -> None:
    while True:
        try:
            with about_group(name):
                await work()
        except Exception:
            _log.exception("%s failed, and starts again in %g s", name, _PAUSE_SECONDS)
        await asyncio.sleep(_PAUSE_SECONDS)
