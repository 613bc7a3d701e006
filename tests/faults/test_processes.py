"""Workers with processes for handlers: what is killed, what drains, and what is charged."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.evidence import Evidence, Submit
from tests.faults.ledger import WORKERS, Ledger
from tests.support.calls import alive, descendants
from tests.support.mariadb import MariaDBServer
from tests.support.waiting import wait_until

PROCESSES = 2
HANDLERS = {
    "TASKQ_HANDLERS": "tests.faults.handlers,tests.faults.computing",
    "TASKQ_PROCESSES": str(PROCESSES),
}


@pytest.fixture(scope="module")
def _processes(mariadb_server: MariaDBServer) -> Iterator[Ledger]:
    with Ledger(mariadb_server, HANDLERS) as opened:
        yield opened


@pytest.fixture
def processes(_processes: Ledger) -> Ledger:
    """The ledger with workers that have two processes each, and a new series of tasks."""
    _processes.begin()
    return _processes


def submit(ledger: Ledger, count: int, gate: Path) -> list[Submit]:
    """Tasks that run until there is a file of this name."""
    fields = {"max_retries": 1, "backoff_base_seconds": 0.01}
    return [
        ledger.callers.submit("faults.process", {"gate": str(gate)}, **fields) for _ in range(count)
    ]


def outcomes(evidence: Evidence, submits: list[Submit]) -> list[list[str]]:
    return [[one.outcome for one in evidence.ended[each.task_id]] for each in submits]


def retries(evidence: Evidence, submits: list[Submit]) -> list[int]:
    return [evidence.rows[each.task_id].retries for each in submits]


@pytest.mark.timeout(120)
def test_sigkill_of_a_process_costs_its_attempt_and_no_other(
    processes: Ledger, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    victim, *others = submit(processes, 4, gate)
    beside = processes.callers.submit("faults.noop")
    pids = [processes.until_started(one).pid for one in (victim, *others)]
    assert len(set(pids)) == len(pids), "each attempt has a process for itself"
    os.kill(pids[0], signal.SIGKILL)
    processes.until_started(victim, attempt=2)
    gate.touch()
    evidence = processes.settle("SIGKILL of a process of a worker")
    assert outcomes(evidence, [victim]) == [["failed", "succeeded"]]
    assert retries(evidence, [victim]) == [1]
    assert outcomes(evidence, [*others, beside]) == [["succeeded"]] * 4


@pytest.mark.timeout(120)
def test_sigkill_of_a_worker_charges_nothing_and_leaves_no_process(
    processes: Ledger, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    submits = submit(processes, PROCESSES * WORKERS, gate)
    lines = {one.key: processes.until_started(one) for one in submits}
    worker = processes.worker_of(lines[submits[0].key])
    below = descendants(worker.pid)
    victims = [one for one in submits if lines[one.key].pid in below]
    others = [one for one in submits if one not in victims]
    processes.kill_worker(worker)
    wait_until(lambda: not any(map(alive, below)), 20, "no process outlives its worker", 0.05)
    processes.stack.start_worker()
    for one in victims:
        processes.until_started(one, attempt=2)
    gate.touch()
    evidence = processes.settle("SIGKILL of a worker with processes", victims=len(victims))
    assert outcomes(evidence, victims) == [["lost", "succeeded"]] * PROCESSES
    assert outcomes(evidence, others) == [["succeeded"]] * len(others)
    assert retries(evidence, submits) == [0] * len(submits)


@pytest.mark.timeout(120)
def test_a_drain_waits_for_processes_and_releases_what_takes_longer(
    processes: Ledger, tmp_path: Path
) -> None:
    soon, late = tmp_path / "soon", tmp_path / "late"
    short, long = submit(processes, 1, soon), submit(processes, 1, late)
    pids = [processes.until_started(one).pid for one in (*short, *long)]
    old = list(processes.stack.workers)
    processes.stack.workers.clear()
    with processes.interrupting(*old):
        for worker in old:
            worker.ask_to_stop()
        soon.touch()
        assert [worker.stop(timeout=30) for worker in old] == [0] * len(old)
        assert not any(map(alive, pids))
    late.touch()
    processes.stack.start_worker()
    evidence = processes.settle("SIGTERM of workers with processes")
    assert outcomes(evidence, short) == [["succeeded"]]
    assert outcomes(evidence, long) == [["released", "succeeded"]]
    assert retries(evidence, [*short, *long]) == [0, 0]
