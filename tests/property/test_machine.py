"""Random callers against a real API and worker: only what the status machine allows is seen."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.support.calls import FINAL, HANDLERS, Calls, Json, repeats
from tests.support.stack import Stack

BODIES: list[Json] = [
    {"handler": "taskq.echo", "payload": {"value": 1}},
    {"handler": "taskq.echo", "payload": {"value": 2}, "delay_seconds": 0.2},
    {"handler": "taskq.echo", "payload": {"value": 3}, "delay_seconds": 3600},
    {"handler": "taskq.sleep", "payload": {"seconds": 0.15}},
    {"handler": "bad.until_cancelled", "payload": {}, "timeout_seconds": 30},
    {"handler": "tests.thread", "payload": {"seconds": 0.2}},
    {"handler": "tests.progress", "payload": {"steps": 3}},
    {"handler": "tests.fatal", "payload": {}},
    {"handler": "bad.fail", "payload": {"times": 1}},
    {"handler": "bad.fail", "payload": {}},
    {"handler": "taskq.sleep", "payload": {"seconds": 5}, "timeout_seconds": 0.1},
]
PRIORITIES = ["low", "normal", "high", "urgent"]

# What may be seen next, although states in between may not be seen.
NEXT = {
    "queued": {"queued", "running", "retrying", *FINAL},
    "running": {"running", "retrying", *FINAL},
    "retrying": {"retrying", "running", *FINAL},
    **{status: {status} for status in FINAL},
}


class Callers(RuleBasedStateMachine):
    """Some callers, what they were told last about each task, and what they know must follow."""

    calls: Calls

    tasks: Bundle[str] = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Json] = {}
        self.deleted: set[str] = set()
        self.retried: set[str] = set()

    @rule(
        target=tasks,
        body=st.sampled_from(BODIES),
        priority=st.sampled_from(PRIORITIES),
        retries=st.integers(0, 2),
    )
    def submit(self, body: Json, priority: str, retries: int) -> str:
        """A new task."""
        new = {**body, "priority": priority, "max_retries": retries, **QUICK}
        answer = self.calls.http.post("/tasks", json=new)
        assert answer.status_code == 201, answer.text
        task: Json = answer.json()
        assert (task["status"], task["attempt"], task["current_retry_count"]) == ("queued", 0, 0)
        self.seen[task["id"]] = task
        return str(task["id"])

    @rule(task_id=tasks)
    def cancel(self, task_id: str) -> None:
        """Cancel a task, whatever it is doing."""
        before = self.seen.get(task_id)
        answer = self.calls.http.post(f"/tasks/{task_id}/cancel")
        if before is None:
            assert answer.status_code == 404
        elif before["status"] in FINAL:
            assert answer.status_code == (200 if before["status"] == "cancelled" else 409)
        else:
            assert answer.status_code in {200, 202, 409}
        if answer.status_code == 200:
            assert answer.json()["status"] == "cancelled"
        self.note(task_id, answer.status_code, answer.json())

    @rule(task_id=tasks)
    def retry(self, task_id: str) -> None:
        """Retry a task, which only works when it failed or was cancelled."""
        before = self.seen.get(task_id)
        answer = self.calls.http.post(f"/tasks/{task_id}/retry")
        if before is None:
            assert answer.status_code == 404
        elif before["status"] in FINAL:
            assert answer.status_code == (409 if before["status"] == "succeeded" else 200)
        else:
            assert answer.status_code in {200, 409}
        if answer.status_code == 200:
            self.retried.add(task_id)
        self.note(task_id, answer.status_code, answer.json())

    @rule(task_id=tasks)
    def delete(self, task_id: str) -> None:
        """Delete a task, which only works while it does not run."""
        before = self.seen.get(task_id)
        code = self.calls.http.delete(f"/tasks/{task_id}").status_code
        if before is None:
            assert code == 404
        elif before["status"] in FINAL:
            assert code == 204
        else:
            assert code in {204, 409}
        if code == 204:
            del self.seen[task_id]
            self.deleted.add(task_id)

    @rule(task_id=tasks, priority=st.sampled_from(PRIORITIES))
    def change_priority(self, task_id: str, priority: str) -> None:
        """Move a task in its queue, which works until it is final."""
        before = self.seen.get(task_id)
        answer = self.calls.http.patch(f"/tasks/{task_id}", json={"priority": priority})
        if before is None:
            assert answer.status_code == 404
        elif before["status"] in FINAL:
            assert answer.status_code == 409
        else:
            assert answer.status_code in {200, 409}
        if answer.status_code == 200:
            assert answer.json()["priority"] == priority
        self.note(task_id, answer.status_code, answer.json())

    @rule(task_id=tasks, seconds=st.sampled_from([0.05, 0.2, 0.5]))
    def wait(self, task_id: str, seconds: float) -> None:
        """Wait a little for a task."""
        if task_id in self.seen:
            self.note(task_id, 200, self.calls.get(task_id, wait=seconds))

    @rule(target=tasks, task_id=tasks)
    def look_again(self, task_id: str) -> Any:
        """Look at a task, with all its attempts."""
        if task_id in self.seen:
            before = self.calls.get(task_id)
            attempts = self.calls.attempts(task_id)
            self.note(task_id, 200, before)
            self.note(task_id, 200, self.calls.get(task_id))
            check_attempts(before, attempts, self.seen[task_id])
        return multiple()

    @invariant()
    def nothing_is_out_of_order(self) -> None:
        """Every task is looked at after every step."""
        for task_id in list(self.seen):
            self.note(task_id, 200, self.calls.get(task_id))
        for task_id in self.deleted:
            assert self.calls.http.get(f"/tasks/{task_id}").status_code == 404

    def teardown(self) -> None:
        """Leave no work behind for the next example."""
        for task_id in self.seen:
            self.calls.cancel(task_id)

    def note(self, task_id: str, code: int, after: Json) -> None:
        """Compare what was just said about a task with what was said before."""
        if code not in {200, 202}:
            return
        before, self.seen[task_id] = self.seen[task_id], after
        if task_id not in self.retried:
            assert after["status"] in NEXT[before["status"]], (before, after)
            assert after["current_retry_count"] >= before["current_retry_count"]
        self.retried.discard(task_id)
        check_step(before, after)


QUICK = {"backoff_base_seconds": 0.05, "backoff_max_seconds": 0.1}


def check_step(before: Json, after: Json) -> None:
    """What holds between any two looks at a task."""
    assert after["version"] >= before["version"], (before, after)
    if after["version"] == before["version"]:
        assert after == before, "a new version for every change"
    assert after["attempt"] >= before["attempt"]
    assert 0 <= after["current_retry_count"] <= after["max_retries"]
    assert (after["finished_at"] is not None) == (after["status"] in FINAL)
    assert (after["result"] is not None) <= (after["status"] == "succeeded")
    for name in ("handler", "payload", "created_at", "max_retries", "queue"):
        assert after[name] == before[name]


def check_attempts(before: Json, attempts: list[Json], after: Json) -> None:
    """Each attempt that ended is there once, in order; the last one fits the task's status.

    Args:
        before: the task, read before its attempts, which go on meanwhile.
        attempts: those that ended.
        after: the task, read after them.
    """
    numbers = [one["attempt"] for one in attempts]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) <= after["attempt"]
    if before["status"] == "succeeded":
        assert [one["outcome"] for one in attempts].count("succeeded") == 1
        assert attempts[-1]["outcome"] == "succeeded"


@pytest.fixture(scope="module")
def dev() -> Iterator[Stack]:
    """API and worker in one process, with SQLite."""
    with Stack("sqlite", settings={"TASKQ_HANDLERS": HANDLERS}) as stack:
        yield stack


@pytest.mark.timeout(repeats(120, 1_200))
def test_random_callers_see_only_legal_steps(dev: Stack) -> None:
    with Calls(dev.api_url) as opened:

        class Machine(Callers):
            calls = opened

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=repeats(20, 200),
                stateful_step_count=20,
                derandomize=True,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        found = opened.items()
    print(f"\nstateful test: {len(found)} tasks left of {repeats(20, 200)} series of 20 steps")
