"""Workers that are killed, that are restarted, and that rescue at the same time."""

import os
import signal
import time
from functools import partial

import pytest

from tests.faults.evidence import Submit
from tests.faults.ledger import (
    CONCURRENCY,
    LEASE_SECONDS,
    WORKERS,
    Ledger,
    report,
    stopped,
)
from tests.faults.load import CALM
from tests.support.calls import alive, children, percentile, repeats
from tests.support.processes import ServerProcess
from tests.support.waiting import wait_until

KILLS = repeats(5, 30)
RESTARTS = repeats(3, 10)
LONG = 30
RERUN_SECONDS = 15.0
"""The promise at the default lease of 10 s; the short form has less to wait for."""


def test_without_a_fault_nothing_runs_twice(ledger: Ledger) -> None:
    with ledger.load(rate=60):
        ledger.until_accepted(repeats(300, 3_000), timeout=repeats(60, 300))
    evidence = ledger.settle("no fault")
    assert evidence.extra_runs() == 0
    assert not evidence.outcomes().keys() & {"lost", "released"}


@pytest.mark.timeout(repeats(240, 1_800))
def test_sigkill_of_a_worker_in_the_middle_of_a_task(ledger: Ledger) -> None:
    """Every second time only the process that runs tasks is killed, and its parent replaces it."""
    reruns: list[float] = []
    with ledger.load(rate=15):
        for number in range(KILLS):
            long = ledger.callers.submit("faults.sleep", {"seconds": 1.0}, timeout_seconds=3600)
            pid = ledger.until_started(long).pid
            worker = ledger.worker_of(ledger.until_started(long))
            killed = time.time()
            if number % 2:
                with ledger.interrupting(pid):
                    os.kill(pid, signal.SIGKILL)
            else:
                ledger.kill_worker(worker)
                ledger.stack.start_worker()
            reruns.append(ledger.until_started(long, attempt=2, timeout=60).at - killed)
    p95 = percentile(reruns, 95)
    ledger.settle(
        f"{KILLS} SIGKILL of a worker",
        timeout=120,
        rerun_p50=f"{percentile(reruns, 50):.1f} s",
        rerun_p95=f"{p95:.1f} s",
        lease=f"{LEASE_SECONDS:g} s",
    )
    assert p95 <= RERUN_SECONDS


@pytest.mark.timeout(repeats(180, 600))
def test_long_tasks_of_a_killed_worker_start_again_at_once(ledger: Ledger) -> None:
    """All of them, although no other worker is ever idle; and none outlives its next worker."""
    seconds = LEASE_SECONDS * 6
    long = [
        ledger.callers.submit("faults.sleep", {"seconds": seconds}, timeout_seconds=3600)
        for _ in range(LONG)
    ]
    with ledger.load(mix=CALM, rate=20):
        first = {one.key: ledger.until_started(one).pid for one in long}
        victims = [one for one in long if first[one.key] == first[long[0].key]]
        again = _kill_and_watch(ledger, victims, attempt=2)
        _, cell = again[victims[0].key]
        twice = [one for one in victims if again[one.key][1] == cell]
        third = _kill_and_watch(ledger, twice, attempt=3)
        wait_until(lambda: not alive(cell), 10, "no process outlives its worker", 0.1)
    late = [at for at, _ in [*again.values(), *third.values()]]
    p95 = percentile(late, 95)
    evidence = ledger.settle(
        "long tasks of killed workers",
        timeout=120,
        victims=len(victims),
        again=len(twice),
        rerun_p95=f"{p95:.1f} s",
    )
    assert {evidence.rows[one.task_id].status for one in long} == {"succeeded"}
    assert p95 <= RERUN_SECONDS


def _kill_and_watch(
    ledger: Ledger, victims: list[Submit], *, attempt: int
) -> dict[str, tuple[float, int]]:
    """Kill the worker that runs them; after how many seconds each starts again, and where."""
    ledger.kill_worker(ledger.worker_of(ledger.until_started(victims[0], attempt - 1)))
    killed = time.time()
    ledger.stack.start_worker()
    lines = {one.key: ledger.until_started(one, attempt, timeout=90) for one in victims}
    return {key: (line.at - killed, line.pid) for key, line in lines.items()}


@pytest.mark.timeout(repeats(180, 600))
def test_rolling_restarts_under_load_charge_nothing(ledger: Ledger) -> None:
    seconds: list[float] = []
    with ledger.load(mix=CALM, rate=30, max_retries=0):
        for number in range(RESTARTS):
            ledger.callers.submit("faults.sleep", {"seconds": 8.0}, max_retries=0)
            ledger.until_accepted((number + 1) * 30)
            old = ledger.stack.workers.pop(0)
            new = ledger.stack.start_worker()
            with ledger.interrupting(old):
                seconds.append(_stop(old))
            wait_until(partial(_works, ledger, new), 30, "the new worker works", 0.1)
    evidence = ledger.settle(f"{RESTARTS} rolling restarts", slowest_stop=f"{max(seconds):.1f} s")
    statuses = {row.status for row in evidence.rows.values()}
    assert statuses == {"succeeded"}
    assert sum(row.retries for row in evidence.rows.values()) == 0
    assert "lost" not in evidence.outcomes()
    assert "failed" not in evidence.outcomes()


@pytest.mark.timeout(repeats(120, 300))
def test_what_a_worker_without_lease_comes_back_with_is_refused(ledger: Ledger) -> None:
    """A frozen parent lets the lease run out; its child finishes while the task runs elsewhere."""
    length = LEASE_SECONDS * 6
    task = ledger.callers.submit("faults.sleep", {"seconds": length})
    worker = ledger.worker_of(ledger.until_started(task))
    with ledger.load(mix=CALM, rate=10):
        with ledger.interrupting(worker), stopped(worker.pid):
            ledger.until_started(task, attempt=2, timeout=length)
            ledger.until_written(task, 1, "end", timeout=length * 2)
        ledger.until_accepted(len(ledger.callers.submits) + 10)
    evidence = ledger.settle("worker frozen until its task ended", timeout=120)
    assert [one.outcome for one in evidence.ended[task.task_id]] == ["lost", "succeeded"]


@pytest.mark.timeout(repeats(120, 600))
def test_a_frozen_process_changes_nothing_when_it_thaws(ledger: Ledger) -> None:
    """What it ran is done the moment it thaws, and runs elsewhere at that moment."""
    for _ in range(repeats(2, 5)):
        length = LEASE_SECONDS * 1.5
        tasks = [ledger.callers.submit("faults.sleep", {"seconds": length}) for _ in range(3)]
        pid = ledger.until_started(tasks[0]).pid
        with ledger.load(mix=CALM, rate=10):
            with ledger.interrupting(pid), stopped(pid):
                ledger.until_started(tasks[0], attempt=2, timeout=LEASE_SECONDS * 10)
            ledger.until_accepted(len(ledger.callers.submits) + 10)
        ledger.quiet(120)
    evidence = ledger.settle("process frozen until its task ran elsewhere")
    assert evidence.outcomes()["lost"] > 0


@pytest.mark.timeout(120)
def test_racing_janitors_rescue_each_task_once(ledger: Ledger) -> None:
    racers = [ledger.stack.start_worker({"TASKQ_JANITOR_SECONDS": "0.05"}) for _ in range(2)]
    for racer in racers:
        wait_until(partial(_has_lease, ledger, racer), 30, "the racer works", 0.1)
    victims = _running_in_one_worker(ledger)
    worker = ledger.worker_of(ledger.until_started(victims[0]))
    ledger.kill_worker(worker)
    evidence = ledger.settle("5 racing janitors", timeout=90, victims=len(victims))
    lost = evidence.outcomes()["lost"]
    assert len(victims) <= lost <= CONCURRENCY
    assert evidence.extra_runs() == lost
    for racer in ledger.stack.workers[WORKERS:]:
        assert racer.stop() == 0
    del ledger.stack.workers[WORKERS:]
    report("racing janitors stopped", rescued=lost)


def _running_in_one_worker(ledger: Ledger) -> list[Submit]:
    """Tasks that one worker runs: the one that happened to get most of them."""
    submits = [ledger.callers.submit("faults.sleep", {"seconds": 3.0}) for _ in range(30)]
    by_pid: dict[int, list[Submit]] = {}
    for one in submits:
        by_pid.setdefault(ledger.until_started(one).pid, []).append(one)
    return max(by_pid.values(), key=len)


def _stop(worker: ServerProcess) -> float:
    asked = time.monotonic()
    assert worker.stop(timeout=30) == 0, worker.output(2_000)
    return time.monotonic() - asked


def _works(ledger: Ledger, worker: ServerProcess) -> bool:
    return any(line.event == "end" and line.pid in children(worker.pid) for line in ledger.lines())


def _has_lease(ledger: Ledger, worker: ServerProcess) -> bool:
    pids = children(worker.pid)
    names = ledger.reader.sql("SELECT name FROM workers WHERE lease_until >= UTC_TIMESTAMP(6)")
    return any(name.endswith(f":{pid}") for (name,) in names for pid in pids)
