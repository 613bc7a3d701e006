"""Hooks that misbehave; only one worker of the fault tests loads them."""

import asyncio
import time

from taskq_server import TaskEvent, on_job_failure


@on_job_failure
async def deaf(event: TaskEvent) -> None:
    """Go on whatever one is told, for some tasks."""
    while event.error_message.startswith("y"):
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


@on_job_failure
def hang(event: TaskEvent) -> None:
    """Never return."""
    while True:
        time.sleep(0.05)
