"""Handlers that write down what they do, in a file outside the database.

Each line is `task attempt pid event wall-clock`, appended in one write, so that the lines of all
processes stay whole and the last ones survive a SIGKILL.
"""

import asyncio
import os
import signal
import time
from pathlib import Path
from uuid import UUID

from taskq_server import Context, Retry, TaskEvent, handler, on_job_failure, on_retry

LEDGER_VARIABLE = "TASKQ_TEST_LEDGER"
KILLER = "faults.kill_in_hook"


def note(task_id: UUID, attempt: int, event: str) -> None:
    """Append one line."""
    line = f"{task_id} {attempt} {os.getpid()} {event} {time.time():.6f}\n"
    file = os.open(os.environ[LEDGER_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@handler("faults.noop")
async def noop(context: Context) -> int:
    note(context.task_id, context.attempt, "start")
    note(context.task_id, context.attempt, "end")
    return context.attempt


@handler("faults.sleep")
async def sleep(context: Context, seconds: float) -> int:
    note(context.task_id, context.attempt, "start")
    await asyncio.sleep(seconds)
    note(context.task_id, context.attempt, "end")
    return context.attempt


@handler("faults.thread")
def thread(context: Context, seconds: float) -> int:
    note(context.task_id, context.attempt, "start")
    time.sleep(seconds)
    note(context.task_id, context.attempt, "end")
    return context.attempt


@handler("faults.once")
async def once(context: Context) -> int:
    """Fail at the first attempt."""
    note(context.task_id, context.attempt, "start")
    if context.attempt == 1:
        raise Retry("not yet", after=0.1)
    note(context.task_id, context.attempt, "end")
    return context.attempt


@handler("faults.always")
async def always(context: Context) -> None:
    note(context.task_id, context.attempt, "start")
    raise ConnectionError("the upstream is dead")


@handler(KILLER)
async def kill_in_hook(context: Context) -> None:
    """Fail, and be the end of the process that first runs the hook of the failure."""
    note(context.task_id, context.attempt, "start")
    raise ConnectionError("the upstream is dead")


@on_retry
async def retried(event: TaskEvent) -> None:
    _hook(event, "on_retry")


@on_job_failure
async def failed(event: TaskEvent) -> None:
    _hook(event, "on_job_failure")


def _hook(event: TaskEvent, name: str) -> None:
    task_id = UUID(str(event.task_id))
    if event.handler == KILLER and _is_first(f"{task_id}-{event.attempt}"):
        note(task_id, event.attempt, f"killed_in_{name}")
        os.kill(os.getpid(), signal.SIGKILL)
    note(task_id, event.attempt, name)


def _is_first(name: str) -> bool:
    try:
        Path(f"{os.environ[LEDGER_VARIABLE]}.{name}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
