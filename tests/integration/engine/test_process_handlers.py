"""Handlers that ask for a process, on real workers."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.engine.calls import get, submit
from tests.support.calls import alive, inner_pid
from tests.support.computing import FOLDER
from tests.support.holding import FOLDER as HOLDS
from tests.support.stack import Kind, NewStack, Stack
from tests.support.waiting import wait_until

HANDLERS = {"TASKQ_HANDLERS": "tests.support.computing", "TASKQ_PROCESSES": "2"}
QUICK = {
    "TASKQ_CANCEL_GRACE_SECONDS": "0.3",
    "TASKQ_LEASE_SECONDS": "2",
    "TASKQ_JANITOR_SECONDS": "0.3",
}
BACKLOG = 100
SOON = 60.0


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def stack(kind: Kind, new_module_stack: NewStack) -> Stack:
    return new_module_stack(kind, settings={**HANDLERS, **QUICK})


def reported(stack: Stack, task_id: str) -> int:
    """The process that a handler reports, once it does."""

    def progress() -> Any:
        return get(stack, task_id)["progress"]

    wait_until(lambda: progress() is not None, SOON, "it reports", 0.05, lambda: str(stack.logs()))
    return int(progress()["current"])


def call(stack: Stack, task_id: str, what: str) -> None:
    httpx.post(f"{stack.api_url}/tasks/{task_id}/{what}", timeout=180).raise_for_status()


def facts(stack: Stack) -> dict[str, int]:
    task = get(stack, submit(stack, "compute.facts", {}), wait=60)
    assert task["status"] == "succeeded", task
    found: dict[str, int] = task["result"]
    return found


def test_an_attempt_runs_in_a_warm_process_beside_threads(stack: Stack) -> None:
    found = [facts(stack) for _ in range(4)]
    threads = get(stack, submit(stack, "beside.thread", {}), wait=60)["result"]
    pids = {one["pid"] for one in found}
    assert len(pids) <= 2
    assert threads not in pids
    assert max(one["call"] for one in found) > 1, "it is kept"
    assert all(one["state"] == one["variable"] == one["pid"] for one in found)


def test_children_and_progress_come_through(stack: Stack) -> None:
    parent = get(stack, submit(stack, "compute.parent", {"children": 2}), wait=60)
    assert parent["status"] == "succeeded", parent
    children = [get(stack, child, wait=60) for child in parent["result"]]
    assert [one["status"] for one in children] == ["succeeded"] * 2
    task_id = submit(stack, "compute.steps", {"seconds": 1})
    assert reported(stack, task_id) > 0
    assert get(stack, task_id, wait=60)["result"] == "done"


@pytest.mark.parametrize("handler", ["compute.steps", "compute.stubborn", "compute.hold_gil"])
def test_a_cancel_ends_what_does_not_stop_and_nothing_else(stack: Stack, handler: str) -> None:
    beside = submit(stack, "compute.steps", {"seconds": 60})
    kept = reported(stack, beside)
    task_id = submit(stack, handler, {})
    pid = reported(stack, task_id)
    call(stack, task_id, "cancel")
    assert get(stack, task_id, wait=60)["status"] == "cancelled"
    if handler != "compute.steps":
        wait_until(lambda: not alive(pid), SOON, "its process ended")
    assert facts(stack)["pid"] != kept, "another process took its place"
    assert get(stack, beside)["status"] == "running"
    assert alive(kept)
    call(stack, beside, "cancel")
    assert get(stack, beside, wait=60)["status"] == "cancelled"


def test_a_timeout_ends_what_does_not_stop(stack: Stack) -> None:
    fields = {"timeout_seconds": 1, "max_retries": 0}
    failed = get(stack, submit(stack, "compute.stubborn", {}, **fields), wait=60)
    assert failed["status"] == "failed"
    assert [one["type"] for one in failed["errors"]] == ["TimeoutError"]
    assert facts(stack)["pid"]


def test_a_process_that_dies_costs_its_attempt_and_no_worker(stack: Stack) -> None:
    worker = get(stack, submit(stack, "beside.thread", {}), wait=60)["result"]
    beside = submit(stack, "compute.steps", {"seconds": 60})
    reported(stack, beside)
    task_id = submit(stack, "compute.exit", {"status": 3}, backoff_base_seconds=0.01)
    failed = get(stack, task_id, wait=60)
    assert failed["status"] == "failed"
    errors = [(one["type"], one["message"]) for one in failed["errors"]]
    assert errors == [("ProcessDied", "the process that ran this attempt ended with status 3")] * 2
    assert get(stack, submit(stack, "beside.thread", {}), wait=60)["result"] == worker
    call(stack, beside, "cancel")
    assert get(stack, beside, wait=60)["attempt"] == 1


class Own:
    """A worker of one process, whose tasks a test lets go of."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder

    def hold(self, count: int) -> list[str]:
        items = [{"handler": "compute.hold", "payload": {"name": str(n)}} for n in range(count)]
        answer = httpx.post(f"{self.stack.api_url}/tasks/batch", json={"items": items}, timeout=180)
        assert answer.status_code == 201, answer.text
        return [str(one["id"]) for one in answer.json()["items"]]

    def let_go(self, name: str) -> None:
        (self.folder / name).touch()

    def count(self, status: str) -> int:
        query = {"handler": "compute.hold", "status": status, "limit": 200}
        found = httpx.get(f"{self.stack.api_url}/tasks", params=query, timeout=180)
        return len(found.raise_for_status().json()["items"])

    def until(self, status: str, count: int) -> None:
        wait_until(
            lambda: self.count(status) == count,
            SOON,
            f"{count} {status}",
            0.1,
            lambda: str(self.stack.logs()),
        )


@pytest.fixture
def own(new_stack: NewStack, tmp_path: Path) -> Iterator[Own]:
    folders = {FOLDER: str(tmp_path), HOLDS: str(tmp_path)}
    changes = {"TASKQ_PROCESSES": "1", "TASKQ_DRAIN_SECONDS": "20"}
    yield Own(new_stack("mariadb", settings={**HANDLERS, **QUICK, **changes, **folders}), tmp_path)
    (tmp_path / "all").touch()


def noted(folder: Path, what: str) -> set[int]:
    return {int(path.stem) for path in folder.glob(f"*.{what}")}


def test_a_worker_that_stops_lets_its_process_finish_and_ends_it(own: Own) -> None:
    (task_id,) = own.hold(1)
    own.until("running", 1)
    before = noted(own.folder, "started")
    assert len(before) == 2, "the worker and its process"
    own.stack.workers[0].signal(signal.SIGTERM)
    wait_until(lambda: "drains" in own.stack.workers[0].output(), SOON, "it drains")
    own.let_go("0")
    assert own.stack.workers.pop().wait(60) == 0
    assert get(own.stack, task_id)["status"] == "succeeded"
    assert noted(own.folder, "ended") == noted(own.folder, "started") == before
    assert not any(map(alive, before))


def test_what_does_not_finish_in_time_is_handed_back_uncharged(own: Own) -> None:
    own.stack.workers.pop().stop()
    own.stack.start_worker({"TASKQ_DRAIN_SECONDS": "0.2"})
    task_id = submit(own.stack, "compute.stubborn", {})
    pid = reported(own.stack, task_id)
    own.stack.workers.pop().stop()
    task = get(own.stack, task_id)
    assert (task["status"], task["current_retry_count"]) == ("queued", 0)
    assert not alive(pid)


def test_processes_end_with_a_worker_that_is_killed(own: Own) -> None:
    task_id = submit(own.stack, "compute.hold_gil", {}, timeout_seconds=300, max_retries=0)
    pid = reported(own.stack, task_id)
    os.kill(inner_pid(own.stack), signal.SIGKILL)
    wait_until(lambda: not alive(pid), SOON, "its process ends with it")
    wait_until(lambda: get(own.stack, task_id)["attempt"] == 2, SOON, "quarantine has it")
    call(own.stack, task_id, "cancel")
    assert get(own.stack, task_id, wait=60)["status"] == "cancelled"
    history = httpx.get(f"{own.stack.api_url}/tasks/{task_id}/attempts", timeout=180).json()[
        "items"
    ]
    assert [one["outcome"] for one in history] == ["lost", "cancelled"]


def test_what_finds_no_process_waits_untouched_and_costs_no_statements(own: Own) -> None:
    get(own.stack, submit(own.stack, "taskq.echo", {"value": 0}), wait=60)
    idle = statements(own)
    ids = own.hold(BACKLOG)
    own.until("running", 1)
    (held,) = [one for one in ids if get(own.stack, one)["status"] == "running"]
    wait_until(lambda: statements(own) <= idle + 20, SOON, "each was refused once", 0.1)
    waiting = [get(own.stack, one) for one in ids[:20] if one != held]
    assert {(one["status"], one["attempt"]) for one in waiting} == {("queued", 0)}
    echo = get(own.stack, submit(own.stack, "taskq.echo", {"value": 1}), wait=60)
    assert echo["status"] == "succeeded", "others need not wait behind them"
    own.let_go("all")
    for one in ids:
        task = get(own.stack, one, wait=60)
        assert (task["status"], task["attempt"]) == ("succeeded", 1)


def statements(own: Own) -> int:
    """The reads of the database within some sweeps of the janitor."""

    def total() -> int:
        assert own.stack.mariadb is not None
        return int(
            own.stack.mariadb.sql("SHOW GLOBAL STATUS LIKE 'Com_select'", "mysql").split()[1]
        )

    before = total()
    time.sleep(2)
    return total() - before
