"""A Redis that forgets, and a Redis that is away."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.evidence import Submit
from tests.faults.ledger import Ledger, stopped
from tests.support.calls import children, percentile, repeats
from tests.support.waiting import wait_until

FLUSHES = repeats(5, 10)
DOWN_SECONDS = repeats(5, 30)


@pytest.mark.timeout(180)
def test_flushall_under_load(ledger: Ledger) -> None:
    assert ledger.stack.redis is not None
    before = _processes(ledger)
    with ledger.load(rate=50):
        for number in range(FLUSHES):
            ledger.until_accepted((number + 1) * 50)
            ledger.stack.redis.flush()
    evidence = ledger.settle(f"{FLUSHES} FLUSHALL")
    assert evidence.extra_runs() == 0
    assert _processes(ledger) == before, "a worker ended"


@pytest.mark.timeout(60)
def test_a_backlog_that_redis_forgot_is_rung_again(ledger: Ledger) -> None:
    """The bells of tasks that are not due yet are gone, too."""
    assert ledger.stack.redis is not None
    soon = _iso(6.0)
    waiting = [ledger.callers.submit("faults.noop", run_at=soon) for _ in range(100)]
    wait_until(lambda: _has_bells(ledger), 10, "the doorbells lie in Redis")
    ledger.stack.redis.flush()
    first = ledger.until_started(waiting[0])
    ledger.settle("FLUSHALL of a backlog", first_start=f"{_late(first.at, soon):.1f} s late")


@pytest.mark.timeout(90)
def test_a_redis_that_takes_no_bells(ledger: Ledger) -> None:
    """It is full, and answers everything else: the queue looks empty."""
    assert ledger.stack.redis is not None
    with ledger.stack.redis.client() as client:
        client.config_set("maxmemory", "1")
        try:
            submits = [ledger.callers.submit("faults.noop") for _ in range(60)]
            lines = [ledger.until_started(one) for one in submits]
        finally:
            client.config_set("maxmemory", "0")
    started = [line.at - one.answered_at for line, one in zip(lines, submits, strict=True)]
    pids = {line.pid for line in lines}
    evidence = ledger.settle(
        "Redis is full", late_p95=f"{percentile(started, 95):.1f} s", workers=len(pids)
    )
    assert evidence.extra_runs() == 0
    assert max(started) < 10


@pytest.mark.timeout(repeats(120, 300))
def test_redis_that_hangs(ledger: Ledger) -> None:
    assert ledger.stack.redis is not None
    with stopped(ledger.stack.redis.child.pid):
        submits = [ledger.callers.submit("faults.noop") for _ in range(60)]
        started = [ledger.until_started(one, timeout=40).at - one.answered_at for one in submits]
    assert {status for one in submits for status in one.answers} == {201}
    ledger.settle("Redis hangs", late_p95=f"{percentile(started, 95):.1f} s")
    assert max(started) < 20


@pytest.mark.timeout(repeats(120, 300))
def test_redis_down_and_back_empty(ledger: Ledger) -> None:
    assert ledger.stack.redis is not None
    before = _processes(ledger)
    running = [ledger.callers.submit("faults.sleep", {"seconds": 2.0}) for _ in range(10)]
    for one in running:
        ledger.until_started(one)
    with ledger.load(rate=30):
        ledger.until_accepted(40)
        ledger.stack.redis.kill()
        down = time.time()
        wait_until(lambda: time.time() > down + DOWN_SECONDS, DOWN_SECONDS + 5, "the outage ends")
        up = time.time()
        ledger.stack.redis.start()
        ledger.until_accepted(len(ledger.callers.submits) + 60)
    evidence = ledger.settle(f"Redis down {DOWN_SECONDS} s", **_figures(ledger, down, up))
    assert evidence.extra_runs() == 0
    assert _processes(ledger) == before, "a worker ended"
    during = _submitted(ledger, down, up)
    assert during
    assert {status for one in during for status in one.answers} == {201}
    done = {line.task_id for line in ledger.lines() if line.event == "end" and line.at < up}
    assert {one.task_id for one in running} <= done, "running tasks did not go on"
    assert sum(one.task_id in done for one in during) >= len(during) // 4, "workers waited"


def _figures(ledger: Ledger, down: float, up: float) -> dict[str, Any]:
    during = _submitted(ledger, down, up)
    starts = {line.task_id: line.at for line in ledger.lines() if line.event == "start"}
    asked = [one.answered_at - one.asked_at for one in during]
    waited = [starts[one.task_id] - one.asked_at for one in during if one.run_at is None]
    return {
        "submitted_meanwhile": len(during),
        "submit_p95": f"{percentile(asked, 95) * 1000:.0f} ms",
        "submit_to_start_p95": f"{percentile(waited, 95):.1f} s",
    }


def _submitted(ledger: Ledger, down: float, up: float) -> list[Submit]:
    return [one for one in ledger.callers.submits if down < one.asked_at < up - 0.5]


def _processes(ledger: Ledger) -> set[int]:
    """The processes that run tasks."""
    return {child for worker in ledger.stack.workers for child in children(worker.pid)}


def _has_bells(ledger: Ledger) -> bool:
    assert ledger.stack.redis is not None
    with ledger.stack.redis.client() as client:
        return int(str(client.zcard(ledger.queue))) >= 100


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()


def _late(at: float, due: str) -> float:
    return at - datetime.fromisoformat(due).timestamp()
