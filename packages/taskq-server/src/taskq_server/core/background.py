"""Work that goes on behind the scenes, and is noticed when it fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

Work = Callable[[], Coroutine[Any, Any, None]]

_PAUSE_SECONDS = 1.0
_log = logging.getLogger("taskq.server")


@asynccontextmanager
async def background(*works: Work) -> AsyncIterator[None]:
    """Keep some never-ending coroutines running while the block runs.

    One that fails is logged and started again: a supervisor, so that no surprise ends the process.

    Args:
        works: make the coroutines.
    """
    tasks = [asyncio.create_task(_keep_running(work)) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_running(work: Work) -> None:
    while True:
        try:
            await work()
        except Exception:
            _log.exception("something in the background failed and starts again")
        await asyncio.sleep(_PAUSE_SECONDS)
