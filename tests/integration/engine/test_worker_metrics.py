"""What real workers count, compared with what the database says."""

import os
import signal
from collections import Counter
from pathlib import Path

import httpx
from sqlalchemy import make_url

from tests.integration.engine.calls import get, submit
from tests.support.mariadb import MariaDBServer
from tests.support.metrics import Samples, parsed
from tests.support.ports import free_port
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

SETTINGS = {
    "TASKQ_HANDLERS": "tests.support.handlers,tests.support.poison",
    "TASKQ_LEASE_SECONDS": "3",
}
BOTH = "default,slow"


class Workers:
    """The ports of some workers."""

    def __init__(self, stack: Stack, *queues: str) -> None:
        """Start one for each of these lists of queues."""
        self.ports = [free_port() for _ in queues]
        for port, listened in zip(self.ports, queues, strict=True):
            stack.start_worker({"TASKQ_METRICS_ADDRESS": str(port), "TASKQ_QUEUES": listened})
        stack.wait_for_handlers()
        wait_until(lambda: all(map(self._is_ready, self.ports)), 120, "they are ready", 0.1)

    def sum(self, name: str) -> Counter[tuple[str, ...]]:
        """The samples of a name in all workers, by the values of the labels."""
        total: Counter[tuple[str, ...]] = Counter()
        for port in self.ports:
            for labels, value in self.samples(port, name).items():
                total[tuple(value for key, value in labels if key != "le")] += int(value)
        return +total

    def samples(self, port: int, name: str) -> Samples:
        page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=20, trust_env=False)
        return parsed(page.raise_for_status().text).get(name, {})

    def _is_ready(self, port: int) -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=20, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == 200


def database_of(stack: Stack) -> str:
    """The name of its database."""
    return str(make_url(stack.database_url).database)


def rows(server: MariaDBServer, stack: Stack, select: str) -> Counter[tuple[str, ...]]:
    """Counts that the database has, by what they are counted by."""
    found = server.sql(select, database_of(stack)).splitlines()
    return Counter({tuple(line.split("\t")[:-1]): int(line.split("\t")[-1]) for line in found})


def test_a_mixed_load_is_counted_to_the_last_attempt(
    new_stack: NewStack, mariadb_server: MariaDBServer
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, workers=0)
    workers = Workers(stack, BOTH, BOTH)
    quick = {"backoff_base_seconds": 0.05, "backoff_max_seconds": 0.1}
    ids = [submit(stack, "taskq.echo", {"value": n}) for n in range(40)]
    ids += [submit(stack, "tests.thread", {"seconds": 0.02}, queue="slow") for _ in range(10)]
    ids += [submit(stack, "tests.fatal", {}) for _ in range(5)]
    ids += [submit(stack, "taskq.flaky", {"failures": 2}, **quick) for _ in range(5)]
    ids += [
        submit(stack, "taskq.sleep", {"seconds": 60}, timeout_seconds=0.3, max_retries=1, **quick)
    ]
    cancelled = submit(stack, "taskq.sleep", {"seconds": 60})
    wait_until(lambda: get(stack, cancelled)["status"] == "running", 60, "it runs")
    httpx.post(f"{stack.api_url}/tasks/{cancelled}/cancel", timeout=60).raise_for_status()
    for task_id in [*ids, cancelled]:
        assert get(stack, task_id, wait=60)["finished_at"], task_id
    attempts = rows(
        mariadb_server,
        stack,
        "SELECT t.handler, a.outcome, COUNT(*) FROM task_attempts a JOIN tasks t "
        "ON t.id = a.task_id GROUP BY 1, 2",
    )
    assert attempts["taskq.echo", "succeeded"] == 40
    assert attempts["taskq.flaky", "failed"] == 10
    assert attempts["taskq.sleep", "timed_out"] == 2
    assert workers.sum("taskq_attempts_total") == attempts
    assert workers.sum("taskq_run_seconds_count") == attempts
    assert workers.sum("taskq_retries_total") == {("taskq.flaky",): 10, ("taskq.sleep",): 1}
    assert workers.sum("taskq_pickup_seconds_count") == {
        ("default",): attempts.total() - 10,
        ("slow",): 10,
    }
    moved = workers.sum("taskq_transitions_total")
    assert {key: count for key, count in moved.items() if "taskq.flaky" in key} == {
        ("queued", "taskq.flaky", "running"): 5,
        ("running", "taskq.flaky", "retrying"): 10,
        ("retrying", "taskq.flaky", "running"): 10,
        ("running", "taskq.flaky", "succeeded"): 5,
    }
    assert moved["running", "taskq.sleep", "cancelled"] == 1
    assert sum(count for (before, *_), count in moved.items() if before == "running") == (
        attempts.total()
    )


def test_attempts_of_a_worker_that_died_are_counted_by_the_one_that_rescues(
    new_stack: NewStack,
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, workers=0)
    workers = Workers(stack, BOTH)
    task_id = submit(stack, "tests.poison", {})
    assert get(stack, task_id, wait=60)["status"] == "failed"
    wait_until(lambda: workers._is_ready(workers.ports[0]), 60, "it is back")
    # The first loss took a whole worker, the others took a quarantine process each.
    counted = workers.sum("taskq_attempts_total")
    assert counted == {("tests.poison", "lost"): 3}
    wait_until(lambda: not workers.sum("taskq_quarantine_processes"), 60, "no process is left")


def test_processes_in_quarantine_are_counted(new_stack: NewStack, tmp_path: Path) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, workers=0)
    workers = Workers(stack, BOTH)
    task_id = submit(stack, "tests.pid", {"seconds": 6})
    wait_until(lambda: bool((get(stack, task_id)["progress"] or {}).get("current")), 60, "it runs")
    os.kill(int(get(stack, task_id)["progress"]["current"]), signal.SIGKILL)
    wait_until(lambda: workers._is_ready(workers.ports[0]), 60, "it is back")
    wait_until(lambda: workers.sum("taskq_quarantine_processes") == {(): 1}, 60, "in quarantine")
    assert get(stack, task_id, wait=60)["status"] == "succeeded"


def test_a_lost_lease_is_counted(new_stack: NewStack, mariadb_server: MariaDBServer) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, workers=0)
    workers = Workers(stack, BOTH)
    (port,) = workers.ports
    assert workers.samples(port, "taskq_leases_lost_total") == {(): 0}
    mariadb_server.sql("DELETE FROM workers", database_of(stack))
    wait_until(lambda: workers.samples(port, "taskq_leases_lost_total") == {(): 1}, 60, "counted")


def test_children_are_counted_by_the_queues_that_any_worker_listens_to(
    new_stack: NewStack,
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, workers=0)
    workers = Workers(stack, "default", "slow")
    for queue in ("slow", "default", "nobody-listens"):
        task_id = submit(stack, "tests.parent", {"children": 2, "queue": queue})
        assert get(stack, task_id, wait=60)["status"] == "succeeded"
    assert workers.sum("taskq_submits_total") == {
        ("taskq.echo", queue, "created"): 2 for queue in ("slow", "default", "other")
    }
