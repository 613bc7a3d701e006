"""A worker claims sync tasks for the threads that it has; the rest wait where others find them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.engine.calls import get, submit
from tests.support.holding import FOLDER
from tests.support.stack import Kind, NewStack, Stack
from tests.support.waiting import wait_until

THREADS = 2
LONGER_THAN_A_SWEEP = 3.5
"""The janitor sweeps each second, and leaves alone what changed within two."""


class Holds:
    """Tasks that hold a thread each until they are let go of."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.ids: dict[str, str] = {}
        self._folder = folder

    def submit(self, *names: str, **fields: Any) -> None:
        for name in names:
            self.ids[name] = submit(self.stack, "hold.thread", {"name": name}, **fields)

    def let_go(self, name: str) -> None:
        (self._folder / name).touch()

    def tasks(self) -> dict[str, dict[str, Any]]:
        return {name: get(self.stack, task_id) for name, task_id in self.ids.items()}

    def named(self, status: str) -> set[str]:
        return {name for name, task in self.tasks().items() if task["status"] == status}

    def until_running(self, count: int) -> set[str]:
        wait_until(
            lambda: len(self.named("running")) == count,
            60,
            f"{count} run",
            0.1,
            lambda: str({name: task["status"] for name, task in self.tasks().items()}),
        )
        return self.named("running")

    def check_queued(self, running: set[str]) -> None:
        """All others wait as if nobody had touched them."""
        for name, task in self.tasks().items():
            if name in running:
                assert task["status"] == "running", (name, task)
            else:
                waiting = (task["status"], task["attempt"], task["started_at"], task["worker_id"])
                assert waiting == ("queued", 0, None, None), (name, task)

    def finish(self) -> None:
        """Let go of all; each was claimed once, and nothing was given back."""
        self.let_go("all")
        for task_id in self.ids.values():
            task = get(self.stack, task_id, wait=60)
            assert (task["status"], task["attempt"]) == ("succeeded", 1), task
            url = f"{self.stack.api_url}/tasks/{task_id}/attempts"
            assert len(httpx.get(url).raise_for_status().json()["items"]) == 1


def settings(folder: Path) -> dict[str, str]:
    handlers = {"TASKQ_HANDLERS": "tests.support.holding", FOLDER: str(folder)}
    return {"TASKQ_THREADS": str(THREADS), **handlers}


@pytest.fixture(scope="module")
def shared(
    new_module_stack: NewStack, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Stack, Path]:
    folder = tmp_path_factory.mktemp("holds")
    return new_module_stack("mariadb", settings=settings(folder)), folder


@pytest.fixture
def holds(shared: tuple[Stack, Path]) -> Iterator[Holds]:
    """With a worker, to which a test may add others; all tasks have to be final at its end."""
    stack, folder = shared
    yield Holds(stack, folder)
    for file in folder.iterdir():
        file.unlink()
    while len(stack.workers) > 1:
        stack.workers.pop().stop()


def echo(holds: Holds) -> None:
    """Run a task that needs no thread; one that waited for them would wait for ever."""
    task = get(holds.stack, submit(holds.stack, "taskq.echo", {"value": 1}), wait=60)
    assert task["status"] == "succeeded"


def names(count: int, prefix: str = "low") -> list[str]:
    return [f"{prefix} {number}" for number in range(count)]


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_what_has_no_thread_waits_in_the_queue(
    new_stack: NewStack, tmp_path: Path, kind: Kind
) -> None:
    stack = new_stack(kind, settings={**settings(tmp_path), "TASKQ_CONCURRENCY": "4"})
    holds = Holds(stack, tmp_path)
    holds.submit(*names(10), priority="low")
    first = holds.until_running(THREADS)
    holds.submit("urgent", priority="urgent")
    echo(holds)
    time.sleep(LONGER_THAN_A_SWEEP)
    holds.check_queued(first)
    echo(holds)
    ended = min(first)
    holds.let_go(ended)
    wait_until(lambda: "urgent" in holds.named("running"), 180, "the urgent one is next")
    running = first - {ended} | {"urgent"}
    assert holds.named("running") == running
    assert holds.named("queued") == set(names(10)) - first
    holds.finish()


def test_other_workers_take_what_one_has_no_threads_for(holds: Holds) -> None:
    holds.submit(*names(7))
    first = holds.until_running(THREADS)
    holds.stack.start_worker()
    holds.until_running(2 * THREADS)
    holds.submit("urgent", priority="urgent")
    holds.stack.start_worker({"TASKQ_THREADS": "1"})
    running = holds.until_running(2 * THREADS + 1)
    assert running > first | {"urgent"}
    holds.check_queued(running)
    holds.finish()


def test_idle_workers_share_a_burst(holds: Holds) -> None:
    """Each has room for all of them, but no threads."""
    holds.stack.start_worker()
    wait_until(lambda: "runs" in holds.stack.workers[-1].output(), 180, "the second worker is up")
    for _ in range(100):  # short ones, after which a worker may claim ahead
        submit(holds.stack, "hold.briefly", {})
    wait_until(lambda: waiting(holds.stack) == 0, 180, "short ones are done")
    holds.submit(*names(2 * THREADS + 3))
    running = holds.until_running(2 * THREADS)
    workers = [holds.tasks()[name]["worker_id"] for name in running]
    assert sorted(map(workers.count, set(workers))) == [THREADS, THREADS]
    holds.check_queued(running)
    holds.finish()


def waiting(stack: Stack) -> int:
    url = f"{stack.api_url}/tasks?status=queued&status=running&limit=200"
    return len(httpx.get(url).raise_for_status().json()["items"])


def test_without_redis_too(holds: Holds) -> None:
    assert holds.stack.redis is not None
    holds.stack.redis.kill()
    holds.submit(*names(6), priority="low")
    first = holds.until_running(THREADS)
    time.sleep(LONGER_THAN_A_SWEEP)
    holds.check_queued(first)
    echo(holds)
    holds.stack.redis.start()
    holds.submit("urgent", priority="urgent")
    holds.let_go(min(first))
    wait_until(lambda: "urgent" in holds.named("running"), 180, "the urgent one is next")
    holds.finish()


def test_waiting_costs_next_to_nothing_and_bells_may_be_lost(holds: Holds) -> None:
    redis = holds.stack.redis
    assert redis is not None
    holds.submit(*names(19))
    first = holds.until_running(THREADS)
    aside = holds.stack.names.aside("default", "default")
    queue = holds.stack.names.queue("default", "default")
    with redis.client() as client:
        wait_until(lambda: client.zcard(aside) == 19 - THREADS, 180, "put aside")
        time.sleep(LONGER_THAN_A_SWEEP)  # one sweep rings for all: none has changed of late
        client.flushall()
        wait_until(lambda: client.zcard(aside) == 19 - THREADS, 180, "rung again, and put aside")
        holds.submit("later", priority="urgent", delay_seconds=3)
        wait_until(lambda: bool(client.delete(queue)), 180, "a bell is lost before it is due")
        wait_until(lambda: client.zcard(aside) == 20 - THREADS, 180, "it is rung and put aside too")

        def calls() -> list[int]:
            stats: Any = client.info("commandstats")
            return [stats.get(f"cmdstat_{one}", {}).get("calls", 0) for one in ("evalsha", "zadd")]

        time.sleep(LONGER_THAN_A_SWEEP)  # a sweep that was under way may ring once more
        before = calls()
        time.sleep(LONGER_THAN_A_SWEEP)
        scripts, rung = (b - a for a, b in zip(before, calls(), strict=True))
        assert scripts < 20, "a worker looks twice a second"
        assert rung == 0, "nobody rings for what waits aside"
        holds.check_queued(first)
        task_id = submit(holds.stack, "taskq.echo", {"value": 1}, delay_seconds=3)
        wait_until(lambda: bool(client.delete(queue)), 180, "the bell of another one is lost")
        assert client.zcard(aside)
    assert get(holds.stack, task_id, wait=60)["status"] == "succeeded"
    holds.finish()
