"""Processes for handlers that ask for one: real ones, forked from a server of this test run."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from taskq_server.core.config import Settings
from taskq_server.domain.task import Outcome, Status
from taskq_server.worker.attempts.result import (
    Cancelled,
    Failed,
    Released,
    RunResult,
    Succeeded,
)
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from taskq_server.worker.quarantine.warm import WarmPool
from tests.support.calls import alive
from tests.unit.server.worker.attempts import Children, attempt_of, decided, until

SIZE = 2


class Room:
    """Counts how often there was room."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self) -> None:
        self.told += 1


def make(size: int = SIZE, handlers: str = "tests.support.computing", **changes: Any) -> WarmPool:
    settings = Settings(handlers=(handlers,), cancel_grace_seconds=0.2, **changes)
    return WarmPool(settings, size, Room(), patience=1.0)


@pytest.fixture
async def pool() -> AsyncIterator[WarmPool]:
    opened = make()
    opened.start()
    await until(lambda: opened.free() == SIZE)
    yield opened
    await opened.close()


async def run(pool: WarmPool, handler: str, **payload: Any) -> RunResult | None:
    async with asyncio.timeout(60):
        return await pool.run(attempt_of(payload, handler=handler))


async def result(pool: WarmPool, handler: str, **payload: Any) -> Any:
    run_result = await run(pool, handler, **payload)
    assert isinstance(run_result, Succeeded), run_result
    return json.loads(run_result.result)


async def begun(attempt: RunningAttempt) -> int:
    """Return the process that the handler reports."""
    pids: list[int] = []

    def reported() -> bool:
        if (report := attempt.take_report()) is not None:
            pids.append(int(report.current))
        return bool(pids)

    await until(reported)
    return pids[0]


async def test_processes_are_warm_and_kept(pool: WarmPool) -> None:
    found = [await result(pool, "compute.facts") for _ in range(5)]
    assert len({one["pid"] for one in found}) == 1, "the one that was used last"
    assert [one["call"] for one in found] == [1, 2, 3, 4, 5]
    assert all(one["state"] == one["variable"] == one["pid"] != os.getpid() for one in found)


async def test_attempts_have_a_process_each(pool: WarmPool) -> None:
    attempts = [attempt_of({}, handler="compute.steps") for _ in range(SIZE)]
    jobs = [asyncio.create_task(pool.run(one)) for one in attempts]
    pids = [await begun(one) for one in attempts]
    assert len(set(pids)) == SIZE
    assert pool.free() == 0
    for one in attempts:
        one.interrupt(StopReason.CANCEL)
    assert await asyncio.gather(*jobs) == [Cancelled()] * SIZE
    assert pool.free() == SIZE
    assert (await result(pool, "compute.facts"))["pid"] in pids


async def test_nothing_starts_unless_a_handler_wants_it() -> None:
    pool = make(0)
    pool.start()
    assert pool.free() == 0
    await pool.close()


async def test_what_is_expected_counts(pool: WarmPool) -> None:
    with pool.expected():
        assert pool.free() == SIZE - 1
    assert pool.free() == SIZE


async def test_an_attempt_that_finds_no_process_is_released() -> None:
    pool = make(0)
    run_result = await run(pool, "compute.facts")
    assert run_result == Released(ran=False)
    assert decided(run_result, attempt_of().task).task.status is Status.QUEUED


async def test_an_attempt_waits_for_a_process_that_is_almost_free(pool: WarmPool) -> None:
    holders = [attempt_of({"seconds": 0.3}, handler="compute.steps") for _ in range(SIZE)]
    jobs = [asyncio.create_task(pool.run(one)) for one in holders]
    await asyncio.sleep(0)
    found = await result(pool, "compute.facts")
    assert found["pid"] != os.getpid()
    await asyncio.gather(*jobs)


@pytest.mark.parametrize(
    ("handler", "cause", "expected"),
    [
        ("compute.stubborn", StopReason.CANCEL, Cancelled()),
        ("compute.hold_gil", StopReason.CANCEL, Cancelled()),
        ("compute.stubborn", StopReason.RELEASE, Released()),
        ("compute.hold_gil", StopReason.LOST, None),
    ],
)
async def test_a_handler_that_does_not_stop_ends_with_its_process_and_hurts_no_other(
    pool: WarmPool, handler: str, cause: StopReason, expected: RunResult | None
) -> None:
    beside = attempt_of({}, handler="compute.steps")
    other = asyncio.create_task(pool.run(beside))
    kept = await begun(beside)
    attempt = attempt_of({}, handler=handler)
    job = asyncio.create_task(pool.run(attempt))
    pid = await begun(attempt)
    attempt.interrupt(cause)
    assert await job == expected
    await until(lambda: not alive(pid))
    await until(lambda: pool.free() == 1)
    assert (await result(pool, "compute.facts"))["pid"] not in (pid, kept)
    beside.interrupt(StopReason.CANCEL)
    assert await other == Cancelled()
    assert alive(kept)


async def test_a_timeout_is_held_whatever_the_handler_does(pool: WarmPool) -> None:
    for name in ("steps", "stubborn", "hold_gil"):
        await until(lambda: pool.free() == SIZE)
        attempt = attempt_of({}, handler=f"compute.{name}", timeout_seconds=1.0)
        run_result = await pool.run(attempt)
        assert isinstance(run_result, Failed)
        assert run_result.failure.outcome is Outcome.TIMED_OUT
        assert decided(run_result, attempt.task).task.current_retry_count == 1
    await until(lambda: pool.free() == SIZE)


DEATHS: list[tuple[str, dict[str, Any], str]] = [
    ("compute.exit", {"status": 3}, "ended with status 3"),
    ("compute.exit", {"status": 0}, "ended with status 0"),
    ("compute.signal", {"number": signal.SIGSEGV}, "was ended by SIGSEGV"),
    ("compute.signal", {"number": signal.SIGKILL}, "by SIGKILL, perhaps because memory was"),
]


async def test_a_process_that_dies_fails_the_attempt_that_it_ran_and_no_other(
    pool: WarmPool,
) -> None:
    beside = attempt_of({}, handler="compute.steps")
    other = asyncio.create_task(pool.run(beside))
    await begun(beside)
    for handler, payload, how in DEATHS:
        await until(lambda: pool.free() == 1)
        attempt = attempt_of(payload, handler=handler)
        run_result = await pool.run(attempt)
        assert isinstance(run_result, Failed)
        ended = decided(run_result, attempt.task)
        assert (ended.attempt.outcome, ended.attempt.error_type) == (Outcome.FAILED, "ProcessDied")
        assert how in (ended.attempt.error_message or "")
        assert (ended.task.current_retry_count, ended.task.lost_count) == (1, 0)
    beside.interrupt(StopReason.CANCEL)
    assert await other == Cancelled()


async def test_a_process_that_dies_idle_is_replaced(
    pool: WarmPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskq_server.worker.quarantine.warm._PAUSE_SECONDS", 0.1)
    used = (await result(pool, "compute.facts"))["pid"]
    os.kill(used, signal.SIGKILL)
    await until(lambda: pool.free() == SIZE - 1)
    await until(lambda: pool.free() == SIZE)
    assert (await result(pool, "compute.facts"))["pid"] != used


async def test_a_process_that_does_not_start_is_tried_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("taskq_server.worker.quarantine.warm._PAUSE_SECONDS", 0.1)
    pool = make(1, "tests.support.no_start")
    pool.start()
    await until(lambda: caplog.text.count("ended before it ran anything; another one starts") > 1)
    assert pool.free() == 0
    await pool.close()


async def test_children_and_errors_come_through(pool: WarmPool) -> None:
    children = Children()
    attempt = attempt_of({"children": 2}, handler="compute.parent", children=children)
    run_result = await pool.run(attempt)
    assert isinstance(run_result, Succeeded)
    assert json.loads(run_result.result) == [str(UUID(int=1)), str(UUID(int=2))]
    assert [new.payload for new, _ in children.submitted] == [{"rounds": 0}, {"rounds": 1}]
    failed = await run(pool, "compute.wrong")
    assert isinstance(failed, Failed)
    assert (failed.failure.type, failed.failure.message) == ("LookupError", "nothing there")
    assert "raise LookupError" in (failed.failure.traceback or "")


async def test_a_payload_that_does_not_fit_fails_in_the_process(pool: WarmPool) -> None:
    run_result = await run(pool, "compute.digest", rounds="many")
    assert isinstance(run_result, Failed)
    assert run_result.failure.type == "InvalidPayload"


async def test_a_pool_leaves_nothing_behind() -> None:
    """Idle processes, busy ones, and one that has just been asked to start."""
    pool = make(3)
    pool.start()
    await until(lambda: pool.free() == 3)
    idle = (await result(pool, "compute.facts"))["pid"]
    attempts = [attempt_of({}, handler=f"compute.{name}") for name in ("stubborn", "hold_gil")]
    jobs = [asyncio.create_task(pool.run(one)) for one in attempts]
    pids = [await begun(one) for one in attempts]
    for one in attempts:
        one.interrupt(StopReason.RELEASE)
    async with asyncio.timeout(60):
        await pool.close()
        assert await asyncio.gather(*jobs) == [Released(), Released()]
    await until(lambda: not any(map(alive, (idle, *pids))))
    pool = make(1)
    pool.start()
    async with asyncio.timeout(60):
        await pool.close()


async def test_signals_for_the_worker_do_not_end_its_processes(pool: WarmPool) -> None:
    attempt = attempt_of({"seconds": 0.7}, handler="compute.steps")
    job = asyncio.create_task(pool.run(attempt))
    pid = await begun(attempt)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    run_result = await job
    assert isinstance(run_result, Succeeded)
    assert run_result.result == '"done"'


async def test_room_is_told() -> None:
    room = Room()
    settings = Settings(handlers=("tests.support.computing",))
    pool = WarmPool(settings, 1, room)
    assert room.told == 0
    pool.start()
    await until(lambda: pool.free() == 1)
    assert room.told == 1
    await result(pool, "compute.facts")
    assert room.told == 2
    await pool.close()
