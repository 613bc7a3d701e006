"""Tasks that lost two workers wait for a process of their own, and cost nothing while they wait."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.engine.calls import submit
from tests.support.holding import FOLDER
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

BACKLOG = 1_000
A_WHILE = 4.0
"""Some sweeps of the janitor, which leaves alone for two seconds what has changed."""

ONE = {"TASKQ_QUARANTINE_PROCESSES": "1", "TASKQ_QUEUES": "poison"}
RARE_SWEEPS = {"TASKQ_JANITOR_SECONDS": "60"}
SOON = 30.0
"""Less than until the second sweep."""


class Backlog:
    """Tasks on a queue of their own that lost two workers, and hold a process each until let go."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self._folder = folder

    def submit(self, count: int) -> None:
        items = [
            {"handler": "hold.thread", "payload": {"name": str(number)}, "queue": "poison"}
            for number in range(count)
        ]
        for start in range(0, count, 500):
            body = {"items": items[start : start + 500]}
            answer = httpx.post(f"{self.stack.api_url}/tasks/batch", json=body, timeout=180)
            assert answer.status_code == 201, answer.text
        self.sql("UPDATE tasks SET lost_count = 2 WHERE queue = 'poison'")

    def sql(self, statement: str) -> str:
        assert self.stack.mariadb is not None
        return self.stack.mariadb.sql(statement, urlsplit(self.stack.database_url).path[1:])

    def running(self) -> list[str]:
        where = "handler = 'hold.thread' AND status = 'running'"
        found = self.sql(f"SELECT JSON_VALUE(payload, '$.name') FROM tasks WHERE {where}")
        return found.split()

    def until_running(self, count: int) -> list[str]:
        wait_until(lambda: len(self.running()) == count, SOON, f"{count} run", 0.1)
        return self.running()

    def let_go(self, name: str) -> None:
        (self._folder / name).touch()


@pytest.fixture
def new_backlog(new_stack: NewStack, tmp_path: Path) -> Iterator[Callable[..., Backlog]]:
    """Makes one, with a worker that listens to other queues."""

    def make(**settings: str) -> Backlog:
        handlers = {"TASKQ_HANDLERS": "tests.support.holding", FOLDER: str(tmp_path)}
        return Backlog(new_stack("mariadb", settings={**handlers, **settings}), tmp_path)

    yield make
    (tmp_path / "all").touch()


def statements(backlog: Backlog) -> int:
    return int(backlog.sql("SHOW GLOBAL STATUS LIKE 'Com_select'").split()[1])


def in_a_while(backlog: Backlog) -> int:
    before = statements(backlog)
    time.sleep(A_WHILE)
    return statements(backlog) - before


def settled(backlog: Backlog, most: int) -> bool:
    """Whether each task has been refused once by now, so that a while costs no more than before."""
    return in_a_while(backlog) <= most


def test_a_backlog_that_waits_for_a_process_costs_no_statements(
    new_backlog: Callable[..., Backlog],
) -> None:
    backlog = new_backlog()
    backlog.stack.start_worker(ONE)
    wait_until(lambda: "runs" in backlog.stack.workers[-1].output(), 180, "the second worker is up")
    idle = in_a_while(backlog)
    backlog.stack.workers.pop().stop()
    backlog.submit(BACKLOG)
    backlog.stack.start_worker(ONE)
    (held,) = backlog.until_running(1)
    wait_until(lambda: settled(backlog, idle + 20), 180, "it costs no more than an idle worker")
    assert backlog.running() == [held], "one process for all"
    echo = submit(backlog.stack, "taskq.echo", {"value": 1}, queue="poison")
    url = f"{backlog.stack.api_url}/tasks/{echo}"
    answer = httpx.get(url, params={"wait": 30}, timeout=180).json()
    assert answer["status"] == "succeeded", "others need not wait behind it"
    # A sweep that rings again for what is overdue may come just now; what it costs, it costs once.
    wait_until(lambda: settled(backlog, idle + 20), 180, "it costs no more beside others either")
    backlog.let_go(held)
    # Its process is free a moment before its end is stored, so the next one may start meanwhile.
    wait_until(lambda: held not in backlog.running(), 180, "its end is stored")
    backlog.until_running(1)


def test_the_next_one_starts_when_a_process_is_free_and_without_a_sweep(
    new_backlog: Callable[..., Backlog],
) -> None:
    backlog = new_backlog(**RARE_SWEEPS)
    backlog.submit(3)
    backlog.stack.start_worker(ONE)
    seen: set[str] = set()
    for _ in range(3):
        (held,) = backlog.until_running(1)
        assert held not in seen
        seen.add(held)
        backlog.let_go(held)
        wait_until(lambda held=held: held not in backlog.running(), SOON, "it ends")  # type: ignore[misc]


def test_other_workers_take_what_one_has_no_process_for(
    new_backlog: Callable[..., Backlog],
) -> None:
    backlog = new_backlog(**RARE_SWEEPS)
    backlog.submit(3)
    backlog.stack.start_worker(ONE)
    first = backlog.until_running(1)
    assert backlog.stack.redis is not None
    queue = backlog.stack.names.queue("default", "poison")
    with backlog.stack.redis.client() as redis:
        wait_until(lambda: not redis.exists(queue), SOON, "the first worker has all bells")
    backlog.stack.start_worker(ONE)
    assert set(backlog.until_running(2)) > set(first)
