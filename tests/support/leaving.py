"""Handlers that start processes and leave them behind, and say which."""

import asyncio
import atexit
import multiprocessing
import signal
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import Pool

from taskq_server import Context, State, handler, on_startup

_kept: list[object] = []


@on_startup
def open_pool(state: State) -> None:
    """Open a pool for all handlers."""
    state.pool = ProcessPoolExecutor(2)


@handler("leaving.behind")
def leave_behind(context: Context) -> list[int]:
    """Leave processes of each kind, and answer their ids."""
    context.state.pool.submit(abs, 1).result(20)
    context.state.pool.submit(time.sleep, 600)
    pool = Pool(2)
    pool.map(abs, range(4))
    pool.apply_async(time.sleep, (600,))
    manager = multiprocessing.Manager()
    _kept.extend([pool, manager])
    for daemon in (True, False):
        multiprocessing.Process(target=time.sleep, args=(600,), daemon=daemon).start()
    multiprocessing.Process(target=_ignore_sigterm).start()
    program = subprocess.Popen(["sleep", "600"])
    atexit.register(program.terminate)
    return [program.pid, *(child.pid or 0 for child in multiprocessing.active_children())]


def _ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


@handler("leaving.deaf", timeout=0.2, max_retries=0)
async def deaf() -> None:
    """Go on whatever one is told."""
    while True:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


@handler("leaving.block", max_retries=0)
async def block() -> None:
    """Block the event loop."""
    time.sleep(600)  # noqa: ASYNC251
