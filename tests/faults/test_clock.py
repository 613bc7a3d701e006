"""Time while the database hangs, and when another server with another clock takes over."""

import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.outage import wait_ready
from tests.support.calls import HANDLERS, Calls, Json
from tests.support.faketime import skewed, skewed_child
from tests.support.mariadb import MariaDBServer
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

LEASE, BEAT = 10.0, 2.0
HANG = LEASE - 2 * BEAT
SYNC = 5.0
LONG, TIMED = 30, 60
STEP = 20.0
MOVED = "the database's clock moved by"


@pytest.mark.timeout(150)
def test_a_database_that_hangs_rescues_nothing_and_starts_nothing_early(
    new_stack: NewStack, server: MariaDBServer
) -> None:
    settings = {"TASKQ_HANDLERS": HANDLERS, "TASKQ_CONCURRENCY": "12"}
    stack = new_stack("mariadb", settings=settings, workers=3, mariadb=server)
    with Calls(stack.api_url) as calls:
        hold = {"seconds": HANG + SYNC + BEAT}
        long = calls.submit_many(LONG, "bad.hold", hold, tags=["long"], max_retries=0)
        calls.until_running("long", LONG)
        spread = HANG + SYNC
        now = time.time() + 0.5
        timed = submit_timed(calls, [now + spread * n / TIMED for n in range(TIMED)])
        server.child.signal(signal.SIGSTOP)
        try:
            time.sleep(HANG)
        finally:
            server.child.signal(signal.SIGCONT)
        wait_ready(calls)
        calls.until_quiet(60)
        histories = [calls.outcomes(task_id) for task_id in [*long, *timed]]
        late = lateness(calls, timed)
        workers = {calls.get(task_id)["worker_id"] for task_id in long}
    print(
        f"\ndatabase frozen {HANG:g} s: {LONG} running tasks kept, {TIMED} timed ones started "
        f"{min(late) * 1000:.0f} ms to {max(late):.1f} s after run_at"
    )
    assert len(workers) == 3
    assert histories == [["succeeded"]] * (LONG + TIMED), "each ran once"
    assert min(late) >= -0.001, f"{sum(one < 0 for one in late)} of {TIMED} started early"


@pytest.mark.timeout(150)
def test_another_server_whose_clock_is_behind_holds_nothing_up_for_longer_than_that(
    new_stack: NewStack, server: MariaDBServer
) -> None:
    replace(server, skewed(STEP))
    stack = new_stack("mariadb", settings={"TASKQ_HANDLERS": HANDLERS}, mariadb=server)
    with Calls(stack.api_url) as calls:
        long = calls.submit_many(
            10, "bad.hold", {"seconds": LEASE + SYNC}, tags=["long"], max_retries=0
        )
        calls.until_running("long", 10)
        replaced = time.time()
        replace(server, {})
        processes = [stack.apis[0], stack.workers[0]]
        wait_until(lambda: all(MOVED in one.output() for one in processes), 30, "all know it")
        wait_ready(calls)
        asked = time.time()
        soon = calls.submit("bad.clocks")
        low = calls.submit("bad.clocks", priority="low")
        timed = submit_timed(calls, [asked + 2, asked + 3, asked + 4])
        calls.until_quiet(60)
        made = [calls.get(task_id)["created_at"] for task_id in [*long, soon, low, *timed]]
        histories = [calls.outcomes(task_id) for task_id in [*long, soon, low, *timed]]
        late = lateness(calls, timed)
        waited = [started(calls.get(task_id)) - asked for task_id in (soon, low)]
    print(
        f"\ndatabase's clock set back {STEP:g} s: a task started after {waited[0]:.2f} s, a low "
        f"one after {waited[1]:.1f} s, timed ones at least {min(late) * 1000:.0f} ms after run_at"
    )
    assert histories == [["succeeded"]] * len(histories), "no lease was lost"
    assert made == sorted(made), "what is stored never goes back"
    assert min(late) >= -0.001
    assert max(late) <= 3
    assert waited[0] <= 3
    assert waited[1] <= replaced + STEP + 1 - asked
    assert [one.output().count(MOVED) for one in processes] == [1, 1]


@pytest.mark.timeout(240)
def test_two_servers_whose_clocks_differ_by_more_than_a_lease_cost_no_lease(
    new_stack: NewStack, server: MariaDBServer
) -> None:
    """By the second one's clock all leases are over for long; whoever is killed then is noticed."""
    settings = {"TASKQ_HANDLERS": HANDLERS, "TASKQ_CONCURRENCY": "10"}
    stack = new_stack("mariadb", settings=settings, workers=2, mariadb=server)
    with Calls(stack.api_url) as calls:
        hold = {"seconds": 3 * LEASE}
        long = calls.submit_many(20, "bad.hold", hold, tags=["long"], max_retries=0)
        calls.until_running("long", 20)
        replace(server, skewed(3 * LEASE))
        wait_ready(calls)
        calls.until_quiet(120)
        histories = [calls.outcomes(task_id) for task_id in long]
        more = calls.submit_many(20, "bad.hold", hold, tags=["more"], max_retries=0)
        calls.until_running("more", 20)
        killed = time.monotonic()
        stack.kill_worker()
        wait_until(
            lambda: any("lost" in calls.outcomes(each) for each in more), 90, "it is noticed", 0.2
        )
        took = time.monotonic() - killed
        calls.until_quiet(180)
        later = [calls.outcomes(task_id) for task_id in more]
    print(
        f"\ndatabase's clock {3 * LEASE:g} s ahead: {len(long)} running tasks kept; those of a "
        f"killed worker rescued after {took:.1f} s"
    )
    assert histories == [["succeeded"]] * 20, "no lease was lost"
    assert all(one in (["succeeded"], ["lost", "succeeded"]) for one in later)
    assert took >= LEASE / 2


@pytest.mark.timeout(240)
def test_machines_whose_clocks_differ_by_more_than_a_lease_lose_none(
    new_stack: NewStack, server: MariaDBServer, tmp_path: Path
) -> None:
    """The API has the right time, and its two workers are six leases apart."""
    settings = {"TASKQ_HANDLERS": HANDLERS, "TASKQ_CONCURRENCY": "10"}
    stack = new_stack("mariadb", settings=settings, workers=0, mariadb=server)
    for name, seconds in (("ahead", 3 * LEASE), ("behind", -3 * LEASE)):
        folder = tmp_path / name
        folder.mkdir()
        stack.start_worker(skewed_child(folder, seconds))
    with Calls(stack.api_url) as calls:
        stack.wait_for_handlers()
        hold = {"seconds": 2.5 * LEASE}
        long = calls.submit_many(20, "bad.hold", hold, tags=["long"], max_retries=0)
        calls.until_running("long", 20)
        begun = time.time()
        soon = submit_timed(calls, [begun + 2, begun + 3, begun + 4])
        calls.until_quiet(120)
        histories = [calls.outcomes(task_id) for task_id in [*long, *soon]]
        rows = [calls.get(task_id) for task_id in soon]
        more = calls.submit_many(20, "bad.hold", hold, tags=["more"], max_retries=0)
        calls.until_running("more", 20)
        killed = time.monotonic()
        stack.kill_worker()
        wait_until(
            lambda: any("lost" in calls.outcomes(each) for each in more), 90, "it is noticed", 0.2
        )
        took = time.monotonic() - killed
    print(
        f"\nworkers {6 * LEASE:g} s apart: {len(long)} running tasks kept; those of a killed "
        f"worker rescued after {took:.1f} s"
    )
    assert histories == [["succeeded"]] * 23, "no lease was lost"
    assert all(row["started_at"] >= row["run_at"] for row in rows), "nothing starts early"
    assert took >= LEASE / 2


def replace(server: MariaDBServer, variables: dict[str, str]) -> None:
    """End a server, and let one with the same data and another environment take over."""
    server.kill()
    server.variables = variables
    server.start()


def submit_timed(calls: Calls, moments: Sequence[float]) -> list[str]:
    """Submit a task for each moment of the wall clock."""
    items = [
        {"handler": "bad.clocks", "run_at": datetime.fromtimestamp(at, UTC).isoformat()}
        for at in moments
    ]
    answer = calls.http.post("/tasks/batch", json={"items": items}).raise_for_status()
    return [one["id"] for one in answer.json()["items"]]


def lateness(calls: Calls, timed: Sequence[str]) -> list[float]:
    """How many seconds after their `run_at` tasks started, by the wall clock."""
    tasks = [calls.get(task_id) for task_id in timed]
    return [started(one) - datetime.fromisoformat(one["run_at"]).timestamp() for one in tasks]


def started(task: Json) -> float:
    """When a task started, by the wall clock of its worker."""
    wall: float = task["result"][1]
    return wall
