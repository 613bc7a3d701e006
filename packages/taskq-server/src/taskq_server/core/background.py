"""Work that goes on behind the scenes, and is noticed when it fails."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from taskq_server.core.processes import ForksEnd

Work = Callable[[], Coroutine[Any, Any, None]]
"""Makes a coroutine."""

_PAUSE_SECONDS = 1.0
_CANCEL_SECONDS = 2.0
_log = logging.getLogger("taskq.server")


@asynccontextmanager
async def background(works: Mapping[str, Work]) -> AsyncIterator[None]:
    """Keep some never-ending coroutines running while the block runs.

    One that fails is logged and started again: a supervisor, so that no surprise ends the process.

    Args:
        works: by what the log calls them.
    """
    tasks = [asyncio.create_task(_keep_running(name, work)) for name, work in works.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Do some work, or leave it when `stop` is set first; return whether it was done.

    Args:
        stop: what makes the work pointless.
        work: whose result nobody needs.
    """
    tasks = [asyncio.create_task(work), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    await asyncio.wait(tasks)
    if tasks[0].cancelled():
        return False
    tasks[0].result()
    return True


def complete(
    work: Coroutine[Any, Any, None], new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> None:
    """Do some work to its end on an event loop of its own, which nothing else can end.

    A handler may leave tasks and callbacks on the loop. An exit that one of them raises concerns
    nobody else; asyncio would end the loop, and so the process. It would also wait for tasks that
    ignore that they are cancelled, and for threads.

    Args:
        work: may raise an exit of its own.
        new_loop: makes the loop, if not asyncio.
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


async def _cancel_all() -> None:
    """Cancel what is left on the loop, which may take a while, but not for ever."""
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
            await work()
        except Exception:
            _log.exception("%s failed, and starts again in %g s", name, _PAUSE_SECONDS)
        await asyncio.sleep(_PAUSE_SECONDS)
