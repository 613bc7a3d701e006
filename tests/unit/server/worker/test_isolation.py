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
from taskq_server.domain.task import MAX_LOST, Outcome, Status
from taskq_server.handlers.context import ProgressReport, State
from taskq_server.schemas.task import TaskCreate
from taskq_server.worker.attempts.result import (
    Cancelled,
    Failed,
    Lost,
    Released,
    Succeeded,
    Verdict,
)
from taskq_server.worker.attempts.running import Cause, Running
from taskq_server.worker.quarantine.pool import Cells
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
async def cells() -> AsyncIterator[Cells]:
    """At most two processes of each kind."""
    opened = Cells(cell_settings(cells=2), patience=0.5)
    yield opened
    await opened.close()


def suspect(
    handler: str, payload: dict[str, Any] | None = None, *, lost: int = 1, **changes: Any
) -> Running:
    return attempt_of(payload, handler=handler, lost_count=lost, attempt=lost + 1, **changes)


def result(verdict: Verdict | None) -> Any:
    assert isinstance(verdict, Succeeded), verdict
    return json.loads(verdict.result)


async def together(cells: Cells, *attempts: Running) -> list[Verdict | None]:
    async with asyncio.timeout(60):
        return await asyncio.gather(*map(cells.run, attempts))


async def begun(attempt: Running) -> ProgressReport:
    """Return the first progress that the handler reports."""
    reports: list[ProgressReport] = []

    def reported() -> bool:
        if (report := attempt.take_report()) is not None:
            reports.append(report)
        return bool(reports)

    await until(reported, seconds=60)
    return reports[0]


async def test_those_that_lost_one_worker_share_a_few_processes(cells: Cells) -> None:
    verdicts = await together(cells, *(suspect("tests.pid", {"seconds": 0.5}) for _ in range(6)))
    pids = [result(verdict) for verdict in verdicts]
    assert len(set(pids)) == 2
    assert os.getpid() not in pids


async def test_those_that_lost_two_have_a_process_each(cells: Cells) -> None:
    """Even if there are as many shared processes as may be."""
    sharing = [suspect("tests.pid", {"seconds": 0.5}) for _ in range(4)]
    alone = [suspect("tests.pid", {"seconds": 0.5}, lost=LAST_CHANCE) for _ in range(2)]
    assert cells.free() == 2
    running_now = asyncio.create_task(together(cells, *sharing, *alone))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert cells.free() == 0
    pids = [result(verdict) for verdict in await running_now]
    assert len(set(pids[:4])) == 2
    assert len(set(pids)) == 4
    assert cells.free() == 2


async def test_a_process_that_dies_takes_only_its_own_tasks_along(cells: Cells) -> None:
    alone = suspect("tests.pid", {"seconds": 60}, lost=LAST_CHANCE)
    others = [alone, *(suspect("tests.pid", {"seconds": 60}) for _ in range(3))]
    jobs = [asyncio.create_task(cells.run(one)) for one in others]
    for one in others:
        await begun(one)
    poison = suspect("tests.poison")
    assert await together(cells, poison) == [Lost()]
    await until(lambda: any(job.done() for job in jobs))
    for one in others:
        one.interrupt(Cause.CANCEL)
    verdicts = await asyncio.gather(*jobs)
    assert verdicts[0] == Cancelled()
    assert verdicts.count(Lost()) in (1, 2), "those in the same process, and no others"
    assert set(verdicts) == {Lost(), Cancelled()}
    for attempt, verdict in zip((*others, poison), (*verdicts, Lost()), strict=True):
        ended = decided(verdict, attempt.task)
        assert ended.task.current_retry_count == 0


async def test_a_handler_that_blocks_its_process_is_noticed() -> None:
    cells = Cells(cell_settings(cells=1, block_seconds=0.5))
    blocker = suspect("tests.block", {"seconds": 60})
    beside = suspect("tests.pid", {"seconds": 60})
    assert await together(cells, blocker, beside) == [Lost(), Lost()]
    await cells.close()


async def test_a_handler_that_lets_no_thread_run_is_noticed() -> None:
    cells = Cells(cell_settings(cells=1, block_seconds=1), patience=0.5)
    beside = suspect("tests.pid", {"seconds": 60})
    running_now = asyncio.create_task(together(cells, beside))
    await begun(beside)
    assert await together(cells, suspect("tests.hold_gil")) == [Lost()]
    assert await running_now == [Lost()]
    await cells.close()


async def test_the_third_loss_is_the_last(cells: Cells) -> None:
    poison = suspect("tests.poison", lost=LAST_CHANCE)
    (verdict,) = await together(cells, poison)
    ended = decided(verdict, poison.task)
    assert (ended.task.status, ended.attempt.error_type) == (Status.FAILED, "WorkerLost")


async def test_progress_comes_through(cells: Cells) -> None:
    attempt = suspect("tests.progress", {"steps": 3})
    (verdict,) = await together(cells, attempt)
    assert result(verdict) == 3
    report = attempt.take_report()
    assert report is not None
    assert (report.current, report.total, report.message) == (3, 3, "step 3")


async def test_child_tasks_come_through(cells: Cells) -> None:
    children = Children()
    attempt = suspect("tests.parent", {"children": 2}, children=children)
    (verdict,) = await together(cells, attempt)
    assert [new.payload for new, _ in children.submitted] == [{"value": 0}, {"value": 1}]
    assert result(verdict) == [str(UUID(int=1)), str(UUID(int=2))]


async def test_a_refused_child_is_the_handlers_to_see(cells: Cells) -> None:
    async def refuse(new: TaskCreate, key: str) -> UUID:
        raise InvalidFields("no such thing", [FieldError("/payload", "odd", "no")])

    task = running(handler="tests.parent", payload='{"children": 1}', lost_count=1)
    (verdict,) = await together(cells, Running(task, State(), refuse))
    assert isinstance(verdict, Failed)
    assert (verdict.failure.type, verdict.failure.message) == ("InvalidFields", "no such thing")
    assert issubclass(InvalidFields, Rejected)


@pytest.mark.parametrize(
    ("cause", "expected"),
    [(Cause.CANCEL, Cancelled()), (Cause.RELEASE, Released()), (Cause.LOST, None)],
)
@pytest.mark.parametrize("handler", ["tests.progress", "tests.block"])
async def test_an_interruption_comes_through(
    cells: Cells, handler: str, cause: Cause, expected: Verdict | None
) -> None:
    """One handler listens; the other blocks its process, which ends for that."""
    payload = {"steps": 1000} if handler == "tests.progress" else {"seconds": 60, "after": 0.7}
    attempt = suspect(handler, payload)
    job = asyncio.create_task(together(cells, attempt))
    await begun(attempt)
    attempt.interrupt(cause)
    assert await job == [expected]


async def test_a_release_before_its_process_has_started_leaves_it_suspect(cells: Cells) -> None:
    attempt = suspect("tests.pid")
    job = asyncio.create_task(together(cells, attempt))
    await asyncio.sleep(0)
    attempt.interrupt(Cause.RELEASE)
    (verdict,) = await job
    assert verdict == Released(ran=False)
    assert decided(verdict, attempt.task).task.lost_count == 1


async def test_a_timeout_is_held_whatever_the_handler_does(cells: Cells) -> None:
    attempts = [
        suspect("tests.pid", {"seconds": 60}, timeout_seconds=0.1),
        suspect("tests.block", {"seconds": 60}, timeout_seconds=0.1, lost=LAST_CHANCE),
    ]
    for attempt, verdict in zip(attempts, await together(cells, *attempts), strict=True):
        assert isinstance(verdict, Failed)
        assert verdict.failure.outcome is Outcome.TIMED_OUT
        assert decided(verdict, attempt.task).task.current_retry_count == 1


async def test_a_process_that_cannot_start_is_a_failure_like_any_other() -> None:
    """Not a loss: start-up hooks may want something that is away, and back-off is for that."""
    broken = Cells(Settings(handlers=("tests.support.no_start",)))
    attempt = suspect("tests.pid")
    (verdict,) = await together(broken, attempt)
    await broken.close()
    assert isinstance(verdict, Failed)
    ended = decided(verdict, attempt.task)
    assert ended.task.status is Status.RETRYING
    assert "did not start" in (ended.attempt.error_message or "")


async def test_signals_for_the_worker_do_not_end_its_suspects(cells: Cells) -> None:
    """Ctrl-C reaches the whole group, and a service manager tells all processes to stop."""
    attempt = suspect("tests.pid", {"seconds": 1})
    job = asyncio.create_task(together(cells, attempt))
    pid = int((await begun(attempt)).current)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    (verdict,) = await job
    assert result(verdict) == pid


async def test_the_server_that_forks_suspects_stays_when_all_are_told_to_stop(
    cells: Cells,
) -> None:
    attempt = suspect("tests.pid", {"seconds": 1}, lost=LAST_CHANCE)
    job = asyncio.create_task(together(cells, attempt))
    report = await begun(attempt)
    assert report.total is not None
    os.kill(int(report.total), signal.SIGTERM)
    (verdict,) = await job
    assert result(verdict) == report.current
    next_one = suspect("tests.pid")
    await together(cells, next_one)
    again = next_one.take_report()
    assert again is not None
    assert again.total == report.total


async def test_a_process_of_suspects_ends_with_the_server_that_forked_it(cells: Cells) -> None:
    """Which ends with the worker: where the kernel can do it, no suspect outlives both."""
    attempt = suspect("tests.pid", {"seconds": 2})
    job = asyncio.create_task(together(cells, attempt))
    report = await begun(attempt)
    assert report.total is not None
    os.kill(int(report.total), signal.SIGKILL)
    (verdict,) = await job
    assert isinstance(verdict, Lost if sys.platform == "linux" else Succeeded)
    (after,) = await together(cells, suspect("tests.pid"))
    assert isinstance(after, Succeeded), "another server forks the next one"


async def test_a_process_that_does_not_listen_holds_nothing_up() -> None:
    cells = Cells(cell_settings(cells=1), patience=0.5)
    blocker = suspect("tests.block", {"seconds": 60, "after": 0.7})
    big = [suspect("tests.pid", {"note": "x" * 2_000_000}) for _ in range(2)]
    first = asyncio.create_task(together(cells, blocker))
    pid = int((await begun(blocker)).current)
    os.kill(pid, signal.SIGSTOP)
    try:
        others = asyncio.create_task(together(cells, *big))
        async with asyncio.timeout(60):
            for _ in range(20):
                await asyncio.sleep(0.01)
    finally:
        os.kill(pid, signal.SIGKILL)
    assert [*await first, *await others] == [Lost()] * 3
    await cells.close()
