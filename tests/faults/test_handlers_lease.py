"""Workers whose time is not the database's: frozen ones, and clocks that are wrong."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.calls import HANDLERS, Calls, Json, counted, database_name, inner_pid
from tests.support.faketime import skewed_child
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

LEASE = 2.0
SETTINGS = {
    "TASKQ_HANDLERS": HANDLERS,
    "TASKQ_LEASE_SECONDS": str(LEASE),
    "TASKQ_JANITOR_SECONDS": "0.5",
}
TASKS = 5


@pytest.mark.timeout(90)
@pytest.mark.parametrize("whole", [False, True], ids=["the process", "its parent"])
def test_what_a_frozen_worker_says_when_it_thaws_is_refused(
    new_stack: NewStack, whole: bool
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    with Calls(stack.api_url) as calls:
        # Longer than another one takes to start, and to see that the lease is over.
        payload = {"seconds": 8 * LEASE, "again": LEASE / 2}
        calls.submit_many(TASKS, "bad.hold", payload, tags=["x"], max_retries=0)
        calls.until_running("x", TASKS)
        first = {one["worker_id"] for one in _held(calls)}
        frozen = stack.workers[0].pid if whole else inner_pid(stack)
        os.kill(frozen, signal.SIGSTOP)
        try:
            stack.start_worker()
            wait_until(lambda: _attempts(calls) >= TASKS + 1, 30, "somebody else has one", 0.1)
        finally:
            os.kill(frozen, signal.SIGCONT)
        ended = [calls.get(one["id"]) for one in calls.until_quiet(60, tag="x")]
        histories = counted(" ".join(calls.outcomes(one["id"])) for one in ended)
    results = counted(str(one["result"]) for one in ended)
    print(f"\nthawed worker: {histories}, results by attempt {results}")
    assert counted(one["status"] for one in ended) == {"succeeded": TASKS}
    assert histories == {"lost succeeded": TASKS}
    assert results == {"2": TASKS}, "the result of the frozen attempt was refused"
    assert first.isdisjoint(one["worker_id"] for one in ended)
    assert {one["current_retry_count"] for one in ended} == {0}


def _held(calls: Calls) -> list[Json]:
    return [calls.get(one["id"]) for one in calls.items(tag="x")]


def _attempts(calls: Calls) -> int:
    return sum(one["attempt"] for one in calls.items(tag="x"))


@pytest.mark.timeout(60)
def test_a_clock_that_is_wrong_changes_nothing(new_stack: NewStack, tmp_path: Path) -> None:
    settings = {**SETTINGS, "TASKQ_CONCURRENCY": "12", "TASKQ_LEASE_SECONDS": str(2 * LEASE)}
    stack = new_stack("mariadb", settings=settings)
    for minutes in (10, -10):
        _start_skewed(stack, tmp_path, minutes)
    stack.stop_worker()
    with Calls(stack.api_url) as calls:
        long = calls.submit_many(4, "bad.clocks", {"seconds": 2 * LEASE + 1}, max_retries=0)
        failing = calls.submit("bad.fail", {"times": 1}, max_retries=1, backoff_base_seconds=1)
        run_at, due = datetime.now(UTC) + timedelta(seconds=2), time.monotonic() + 2
        later = calls.submit_many(40, "bad.clocks", {"seconds": 0.3}, run_at=run_at.isoformat())
        calls.until_quiet(40)
        shown = [calls.get(task_id)["result"] for task_id in later]
        workers = {calls.get(task_id)["worker_id"] for task_id in [*later, *long]}
        histories = counted(" ".join(calls.outcomes(one)) for one in [*later, *long])
        retried = calls.attempts(failing)
    skew = counted(
        f"{round((wall - (time.time() - time.monotonic()) - at) / 60):+d} min" for at, wall in shown
    )
    early = min(at - due for at, _ in shown)
    print(f"\nskewed clocks: {skew}, first start {early * 1000:+.0f} ms after run_at, {histories}")
    assert set(skew) <= {"+10 min", "-10 min"}, "the workers' clocks are wrong"
    assert len(workers) == 2
    assert early > -0.1, "nothing ran before its run_at"
    assert histories == {"succeeded": 44}, "no lease was lost"
    assert [one["outcome"] for one in retried] == ["failed", "succeeded"]
    assert _moment(retried[1]["started_at"]) >= _moment(retried[0]["retry_at"])


def _start_skewed(stack: Stack, folder: Path, minutes: int) -> None:
    before = len(_live_workers(stack))
    stack.start_worker(skewed_child(folder, minutes * 60))
    wait_until(lambda: len(_live_workers(stack)) > before, 30, "the skewed worker registered")


def _live_workers(stack: Stack) -> list[str]:
    assert stack.mariadb is not None
    name = database_name(stack)
    live = "SELECT id FROM workers WHERE lease_until >= UTC_TIMESTAMP(6)"
    return stack.mariadb.sql(live, name).split()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
