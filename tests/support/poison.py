"""Handlers that no worker survives; only tests that expect that load them."""

import asyncio
import os
import re
import time

from taskq_server import Context, handler


@handler("tests.poison")
async def poison() -> None:
    """Take the whole worker down."""
    os._exit(1)


@handler("tests.block")
async def block(context: Context, seconds: float, after: float = 0) -> None:
    """Block the event loop: a coroutine that does not know what it does."""
    await context.progress(os.getpid())
    await asyncio.sleep(after)
    time.sleep(seconds)  # noqa: ASYNC251


@handler("tests.hold_gil")
async def hold_gil(context: Context) -> None:
    """Run C code that never ends and lets no other thread run."""
    await context.progress(os.getpid())
    re.match(r"(a+)+$", "a" * 60 + "b")
