"""Suspects in processes of their own: real processes, forked from a server of this test run."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from taskq_server.core.config import Settings
from taskq_server.domain.errors import FieldError, InvalidFields, Rejected
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import MAX_LOST, Outcome, Status
from taskq_server.handlers.context import ProgressReport, State
from taskq_server.worker.attempts.result import (
    Cancelled,
    Failed,
    Lost,
    Released,
    RunResult,
    Succeeded,
)
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from taskq_server.worker.quarantine.pool import QuarantinePool
from tests.unit.server.factories import running
from tests.unit.server.worker.attempts import (
    Children,
    attempt_of,
    cell_settings,
    decided,
    until,
)

LAST_CHANCE = MAX_LOST - 1


@pytest.fixture
async def pool() -> AsyncIterator[QuarantinePool]:
    """At most two processes of each kind."""
    opened = QuarantinePool(cell_settings(quarantine_processes=2), patience=0.5)
    yield opened
    await opened.close()


def quarantined(
    handler: str, payload: dict[str, Any] | None = None, *, lost: int = 1, **changes: Any
) -> RunningAttempt:
    return attempt_of(payload, handler=handler, lost_count=lost, attempt=lost + 1, **changes)


def result(run_result: RunResult | None) -> Any:
    assert isinstance(run_result, Succeeded), run_result
    return json.loads(run_result.result)


async def together(pool: QuarantinePool, *attempts: RunningAttempt) -> list[RunResult | None]:
    async with asyncio.timeout(60):
        return await asyncio.gather(*map(pool.run, attempts))


async def begun(attempt: RunningAttempt) -> ProgressReport:
    """Return the first progress that the handler reports."""
    reports: list[ProgressReport] = []

    def reported() -> bool:
        if (report := attempt.take_report()) is not None:
            reports.append(report)
        return bool(reports)

    await until(reported, seconds=60)
    return reports[0]


async def test_those_that_lost_one_worker_share_a_few_processes(pool: QuarantinePool) -> None:
    verdicts = await together(pool, *(quarantined("tests.pid", {"seconds": 0.5}) for _ in range(6)))
    pids = [result(run_result) for run_result in verdicts]
    assert len(set(pids)) == 2
    assert os.getpid() not in pids


async def test_those_that_lost_two_have_a_process_each(pool: QuarantinePool) -> None:
    """Even if there are as many shared processes as may be."""
    sharing = [quarantined("tests.pid", {"seconds": 0.5}) for _ in range(4)]
    alone = [quarantined("tests.pid", {"seconds": 0.5}, lost=LAST_CHANCE) for _ in range(2)]
    assert pool.free() == 2
    running_now = asyncio.create_task(together(pool, *sharing, *alone))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert pool.free() == 0
    pids = [result(run_result) for run_result in await running_now]
    assert len(set(pids[:4])) == 2
    assert len(set(pids)) == 4
    assert pool.free() == 2


async def test_a_process_that_dies_takes_only_its_own_tasks_along(pool: QuarantinePool) -> None:
    alone = quarantined("tests.pid", {"seconds": 60}, lost=LAST_CHANCE)
    others = [alone, *(quarantined("tests.pid", {"seconds": 60}) for _ in range(3))]
    jobs = [asyncio.create_task(pool.run(one)) for one in others]
    for one in others:
        await begun(one)
    poison = quarantined("tests.poison")
    assert await together(pool, poison) == [Lost()]
    await until(lambda: any(job.done() for job in jobs))
    for one in others:
        one.interrupt(StopReason.CANCEL)
    verdicts = await asyncio.gather(*jobs)
    assert verdicts[0] == Cancelled()
    assert verdicts.count(Lost()) in (1, 2), "those in the same process, and no others"
    assert set(verdicts) == {Lost(), Cancelled()}
    for attempt, run_result in zip((*others, poison), (*verdicts, Lost()), strict=True):
        ended = decided(run_result, attempt.task)
        assert ended.task.current_retry_count == 0


async def test_a_handler_that_blocks_its_process_is_noticed() -> None:
    pool = QuarantinePool(cell_settings(quarantine_processes=1, block_seconds=0.5))
    blocker = quarantined("tests.block", {"seconds": 60})
    beside = quarantined("tests.pid", {"seconds": 60})
    assert await together(pool, blocker, beside) == [Lost(), Lost()]
    await pool.close()


async def test_a_handler_that_lets_no_thread_run_is_noticed() -> None:
    pool = QuarantinePool(cell_settings(quarantine_processes=1, block_seconds=1), patience=0.5)
    beside = quarantined("tests.pid", {"seconds": 60})
    running_now = asyncio.create_task(together(pool, beside))
    await begun(beside)
    assert await together(pool, quarantined("tests.hold_gil")) == [Lost()]
    assert await running_now == [Lost()]
    await pool.close()


async def test_the_third_loss_is_the_last(pool: QuarantinePool) -> None:
    poison = quarantined("tests.poison", lost=LAST_CHANCE)
    (run_result,) = await together(pool, poison)
    ended = decided(run_result, poison.task)
    assert (ended.task.status, ended.attempt.error_type) == (Status.FAILED, "WorkerLost")


async def test_progress_comes_through(pool: QuarantinePool) -> None:
    attempt = quarantined("tests.progress", {"steps": 3})
    (run_result,) = await together(pool, attempt)
    assert result(run_result) == 3
    report = attempt.take_report()
    assert report is not None
    assert (report.current, report.total, report.message) == (3, 3, "step 3")


async def test_child_tasks_come_through(pool: QuarantinePool) -> None:
    children = Children()
    attempt = quarantined("tests.parent", {"children": 2}, children=children)
    (run_result,) = await together(pool, attempt)
    assert [new.payload for new, _ in children.submitted] == [{"value": 0}, {"value": 1}]
    assert result(run_result) == [str(UUID(int=1)), str(UUID(int=2))]


async def test_a_refused_child_is_the_handlers_to_see(pool: QuarantinePool) -> None:
    async def refuse(new: NewTask, key: str) -> UUID:
        raise InvalidFields("no such thing", [FieldError("/payload", "odd", "no")])

    task = running(handler="tests.parent", payload='{"children": 1}', lost_count=1)
    (run_result,) = await together(pool, RunningAttempt(task, State(), refuse))
    assert isinstance(run_result, Failed)
    assert (run_result.failure.type, run_result.failure.message) == (
        "InvalidFields",
        "no such thing",
    )
    assert issubclass(InvalidFields, Rejected)


@pytest.mark.parametrize(
    ("cause", "expected"),
    [(StopReason.CANCEL, Cancelled()), (StopReason.RELEASE, Released()), (StopReason.LOST, None)],
)
@pytest.mark.parametrize("handler", ["tests.progress", "tests.block"])
async def test_an_interruption_comes_through(
    pool: QuarantinePool, handler: str, cause: StopReason, expected: RunResult | None
) -> None:
    """One handler listens; the other blocks its process, which ends for that."""
    payload = {"steps": 1000} if handler == "tests.progress" else {"seconds": 60, "after": 0.7}
    attempt = quarantined(handler, payload)
    job = asyncio.create_task(together(pool, attempt))
    await begun(attempt)
    attempt.interrupt(cause)
    assert await job == [expected]


async def test_a_release_before_its_process_has_started_leaves_it_quarantined(
    pool: QuarantinePool,
) -> None:
    attempt = quarantined("tests.pid")
    job = asyncio.create_task(together(pool, attempt))
    await asyncio.sleep(0)
    attempt.interrupt(StopReason.RELEASE)
    (run_result,) = await job
    assert run_result == Released(ran=False)
    assert decided(run_result, attempt.task).task.lost_count == 1


async def test_a_timeout_is_held_whatever_the_handler_does(pool: QuarantinePool) -> None:
    attempts = [
        quarantined("tests.pid", {"seconds": 60}, timeout_seconds=0.1),
        quarantined("tests.block", {"seconds": 60}, timeout_seconds=0.1, lost=LAST_CHANCE),
    ]
    for attempt, run_result in zip(attempts, await together(pool, *attempts), strict=True):
        assert isinstance(run_result, Failed)
        assert run_result.failure.outcome is Outcome.TIMED_OUT
        assert decided(run_result, attempt.task).task.current_retry_count == 1


async def test_a_process_that_cannot_start_is_a_failure_like_any_other() -> None:
    """Not a loss: start-up hooks may want something that is away, and back-off is for that."""
    broken = QuarantinePool(Settings(handlers=("tests.support.no_start",)))
    attempt = quarantined("tests.pid")
    (run_result,) = await together(broken, attempt)
    await broken.close()
    assert isinstance(run_result, Failed)
    ended = decided(run_result, attempt.task)
    assert ended.task.status is Status.RETRYING
    assert "did not start" in (ended.attempt.error_message or "")


async def test_signals_for_the_worker_do_not_end_its_quarantine_processes(
    pool: QuarantinePool,
) -> None:
    """Ctrl-C reaches the whole group, and a service manager tells all processes to stop."""
    attempt = quarantined("tests.pid", {"seconds": 1})
    job = asyncio.create_task(together(pool, attempt))
    pid = int((await begun(attempt)).current)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    (run_result,) = await job
    assert result(run_result) == pid


async def test_the_server_that_forks_quarantine_processes_stays_when_all_are_told_to_stop(
    pool: QuarantinePool,
) -> None:
    attempt = quarantined("tests.pid", {"seconds": 1}, lost=LAST_CHANCE)
    job = asyncio.create_task(together(pool, attempt))
    report = await begun(attempt)
    assert report.total is not None
    os.kill(int(report.total), signal.SIGTERM)
    (run_result,) = await job
    assert result(run_result) == report.current
    next_one = quarantined("tests.pid")
    await together(pool, next_one)
    again = next_one.take_report()
    assert again is not None
    assert again.total == report.total


async def test_a_quarantine_process_ends_with_the_server_that_forked_it(
    pool: QuarantinePool,
) -> None:
    """The server ends with the worker; where the kernel can do it, no process outlives both."""
    attempt = quarantined("tests.pid", {"seconds": 2})
    job = asyncio.create_task(together(pool, attempt))
    report = await begun(attempt)
    assert report.total is not None
    os.kill(int(report.total), signal.SIGKILL)
    (run_result,) = await job
    assert isinstance(run_result, Lost if sys.platform == "linux" else Succeeded)
    (after,) = await together(pool, quarantined("tests.pid"))
    assert isinstance(after, Succeeded), "another server forks the next one"


async def test_a_process_that_does_not_listen_holds_nothing_up() -> None:
    pool = QuarantinePool(cell_settings(quarantine_processes=1), patience=0.5)
    blocker = quarantined("tests.block", {"seconds": 60, "after": 0.7})
    big = [quarantined("tests.pid", {"note": "x" * 2_000_000}) for _ in range(2)]
    first = asyncio.create_task(together(pool, blocker))
    pid = int((await begun(blocker)).current)
    os.kill(pid, signal.SIGSTOP)
    try:
        others = asyncio.create_task(together(pool, *big))
        async with asyncio.timeout(60):
            for _ in range(20):
                await asyncio.sleep(0.01)
    finally:
        os.kill(pid, signal.SIGKILL)
    assert [*await first, *await others] == [Lost()] * 3
    await pool.close()
