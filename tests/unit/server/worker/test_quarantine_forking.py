"""What handlers start in a quarantine process: as in a worker, where they ran before."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskq_server.core.config import Settings
from taskq_server.worker.attempts.result import Succeeded
from taskq_server.worker.attempts.running import StopReason
from taskq_server.worker.quarantine.pool import QuarantinePool
from tests.support.calls import alive
from tests.support.ending import LEFT
from tests.support.forking import CASES, RESULTS
from tests.unit.server.worker.attempts import attempt_of, until


@pytest.fixture
async def pool() -> AsyncIterator[QuarantinePool]:
    handlers = tuple(
        f"tests.support.{name}" for name in ("ending", "forking", "handlers", "leaving")
    )
    opened = QuarantinePool(Settings(handlers=handlers, quarantine_processes=1), patience=0.5)
    yield opened
    await opened.close()


async def result(pool: QuarantinePool, handler: str, **payload: object) -> object:
    async with asyncio.timeout(60):
        run_result = await pool.run(attempt_of(payload, handler=handler, lost_count=1, attempt=2))
    return json.loads(run_result.result) if isinstance(run_result, Succeeded) else run_result


@pytest.mark.parametrize("handler", ["forking.thread", "forking.loop"])
async def test_quarantine_processes_are_like_any_others(pool: QuarantinePool, handler: str) -> None:
    found = await asyncio.gather(*(result(pool, handler, case=case) for case in CASES))
    assert dict(zip(CASES, found, strict=True)) == RESULTS


async def test_a_program_of_a_quarantined_task_can_be_stopped_as_asyncio_does(
    pool: QuarantinePool,
) -> None:
    assert await result(pool, "forking.asyncio") == -15


async def test_an_exit_that_a_quarantined_task_leaves_on_the_loop_is_left_alone(
    pool: QuarantinePool,
) -> None:
    pids = await asyncio.gather(*(result(pool, "ending.left", what=what) for what in LEFT))
    assert len(set(pids)) == 1


async def test_a_quarantine_process_leaves_nothing_behind(pool: QuarantinePool) -> None:
    pids = await result(pool, "leaving.behind")
    assert isinstance(pids, list)
    await until(lambda: not any(map(alive, pids)))


# Python warns of a fork of a process with threads; this one reads names, writes them and ends.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
async def test_a_fork_of_the_worker_has_no_connection_to_its_quarantine_processes(
    pool: QuarantinePool,
) -> None:
    """Else they would not notice that the worker has ended."""
    before = sockets()
    attempt = attempt_of({"seconds": 60}, handler="tests.pid", lost_count=1, attempt=2)
    job = asyncio.create_task(pool.run(attempt))
    await until(lambda: attempt.take_report() is not None, seconds=60)
    assert sockets() > before
    assert sockets(in_fork=True) <= before
    attempt.interrupt(StopReason.RELEASE)
    await job


def sockets(*, in_fork: bool = False) -> set[str]:
    """The sockets that this process has open, or a fork of it."""
    ours, theirs = os.pipe()
    fork = os.fork() if in_fork else 0
    if fork == 0:
        links = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
        os.write(theirs, " ".join(one for one in links if one.startswith("socket:")).encode())
        if in_fork:
            os._exit(0)
    else:
        os.waitpid(fork, 0)
    found = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)
    return set(found.split())
