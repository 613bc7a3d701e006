"""Workers whose time is not the database's: frozen ones, and clocks that are wrong."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.property.calls import HANDLERS, Calls, counted, inner_pid
from tests.support.mariadb import ROOT_VARIABLE
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

LEASE = 2.0
SETTINGS = {
    "TASKQ_HANDLERS": HANDLERS,
    "TASKQ_LEASE_SECONDS": str(LEASE),
    "TASKQ_JANITOR_SECONDS": "0.5",
}
TASKS = 8
HOW_TO_INSTALL = "libfaketime is missing: install it (Debian and Ubuntu: `apt-get install faketime`)"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("whole", [False, True], ids=["the process", "its parent"])
def test_what_a_frozen_worker_says_when_it_thaws_is_refused(
    new_stack: NewStack, whole: bool
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    with Calls(stack.api_url) as calls:
        calls.submit_many(TASKS, "bad.hold", {"seconds": 3 * LEASE}, tags=["x"], max_retries=0)
        calls.until_running("x", TASKS)
        old = inner_pid(stack)
        frozen = stack.workers[0].pid if whole else old
        os.kill(frozen, signal.SIGSTOP)
        try:
            stack.start_worker()
            new = inner_pid(stack, worker=1)
            wait_until(lambda: _attempts(calls) >= TASKS + 1, 30, "somebody else has one", 0.1)
            time.sleep(LEASE)  # frozen for twice its lease, with the rescue before
        finally:
            os.kill(frozen, signal.SIGCONT)
        ended = calls.until_quiet(50, tag="x")
        results = counted(str(calls.get(one["id"])["result"]) for one in ended)
        histories = counted(" ".join(calls.outcomes(one["id"])) for one in ended)
        log = stack.workers[0].output()
    print(f"\nthawed: {histories}, by process {results}, dropped {log.count('is dropped')}")
    assert counted(one["status"] for one in ended) == {"succeeded": TASKS}
    assert histories == {"lost succeeded": TASKS}
    assert str(old) not in results
    assert str(new) in results
    assert {one["current_retry_count"] for one in ended} == {0}


def _attempts(calls: Calls) -> int:
    return sum(one["attempt"] for one in calls.items(tag="x"))


@pytest.mark.timeout(60)
def test_a_clock_that_is_wrong_changes_nothing(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, workers=1)
    for minutes in (10, -10):
        _start_skewed(stack, minutes)
    stack.stop_worker()
    with Calls(stack.api_url) as calls:
        long = calls.submit_many(4, "bad.clocks", {"seconds": 2 * LEASE + 1}, max_retries=0)
        failing = calls.submit("bad.fail", {"times": 1}, max_retries=1, backoff_base_seconds=1)
        run_at, due = datetime.now(UTC) + timedelta(seconds=2), time.monotonic() + 2
        later = calls.submit_many(40, "bad.clocks", run_at=run_at.isoformat(), tags=["later"])
        calls.until_quiet(40)
        shown = [calls.get(task_id)["result"] for task_id in later]
        workers = {calls.get(task_id)["worker_id"] for task_id in [*later, *long]}
        histories = counted(" ".join(calls.outcomes(one)) for one in [*later, *long])
        retried = calls.attempts(failing)
    skew = counted(f"{round((wall - (time.time() - time.monotonic()) - at) / 60):+d} min"
                   for at, wall in shown)
    early = min(at - due for at, _ in shown)
    print(f"\nskewed clocks: {skew}, first start {early * 1000:+.0f} ms after run_at, {histories}")
    assert set(skew) <= {"+10 min", "-10 min"}, "the workers' clocks are wrong"
    assert len(workers) == 2
    assert early > -0.1, "nothing ran before its run_at"
    assert histories == {"succeeded": 44}, "no lease was lost"
    assert [one["outcome"] for one in retried] == ["failed", "succeeded"]
    assert _moment(retried[1]["started_at"]) >= _moment(retried[0]["retry_at"])


def _start_skewed(stack: Stack, minutes: int) -> None:
    before = len(_live_workers(stack))
    stack.start_worker(
        {
            "LD_PRELOAD": str(_find_faketime()),
            "FAKETIME": f"{minutes * 60:+d}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    )
    wait_until(lambda: len(_live_workers(stack)) > before, 30, "the skewed worker registered")


def _live_workers(stack: Stack) -> list[str]:
    assert stack.mariadb is not None
    name = stack.database_url.rpartition("/")[2].partition("?")[0]
    return stack.mariadb.sql("SELECT id FROM workers", name).split()


def _find_faketime() -> Path:
    for root in filter(None, ("/", os.environ.get(ROOT_VARIABLE))):
        for folder in ("lib", "lib64", "local/lib"):
            for found in Path(root, "usr", folder).glob("**/faketime/libfaketimeMT.so.1"):
                return found
    pytest.fail(HOW_TO_INSTALL, pytrace=False)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
