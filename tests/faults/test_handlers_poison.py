"""A task that takes its worker down takes nobody else along."""

from collections.abc import Sequence

import pytest

from tests.support.calls import FULL, HANDLERS, Calls, counted
from tests.support.stack import NewStack

NEIGHBOURS = 100
SETTINGS = {
    "TASKQ_HANDLERS": HANDLERS,
    "TASKQ_LEASE_SECONDS": "2",
    "TASKQ_JANITOR_SECONDS": "0.3",
    "TASKQ_CONCURRENCY": "200",
}
DEADLY = ("bad.exit", "bad.segfault", "bad.oom_killed")
CASES: list[Sequence[str]] = [[one] for one in DEADLY] if FULL else [DEADLY]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("deadly", CASES, ids=" ".join)
def test_poison_fails_as_worker_lost_and_spares_its_neighbours(
    new_stack: NewStack, deadly: Sequence[str]
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    with Calls(stack.api_url) as calls:
        calls.submit_many(NEIGHBOURS, "bad.neighbour", tags=["neighbour"], max_retries=0)
        calls.until_running("neighbour", NEIGHBOURS)
        poison = [calls.submit(one, max_retries=5) for one in deadly]
        for _ in deadly[1:]:
            stack.start_worker()
        ended = calls.until_quiet(90, tag="neighbour")
        dead = [calls.until(task_id, "failed", 60) for task_id in poison]
        histories = [calls.outcomes(task_id) for task_id in poison]
        spared = calls.outcomes(ended[0]["id"])
    lost = counted(str(one["attempt"]) for one in ended)
    print(f"\npoison {deadly}: {histories}; neighbours by attempts needed: {lost}, e.g. {spared}")
    assert histories == [["lost", "lost", "lost"]] * len(deadly)
    assert {one["errors"][-1]["type"] for one in dead} == {"WorkerLost"}
    assert {one["current_retry_count"] for one in dead} == {0}
    assert counted(one["status"] for one in ended) == {"succeeded": NEIGHBOURS}
    assert {one["current_retry_count"] for one in ended} == {0}
    assert all(one["attempt"] <= 3 for one in ended)


@pytest.mark.timeout(120)
def test_poison_that_works_slowly_spares_those_that_work_as_slowly(new_stack: NewStack) -> None:
    """It is found although it always has company when it dies, but the last time."""
    stack = new_stack("mariadb", settings=SETTINGS)
    with Calls(stack.api_url) as calls:
        calls.submit_many(NEIGHBOURS, "bad.hold", {"seconds": 2}, tags=["slow"], max_retries=0)
        calls.until_running("slow", NEIGHBOURS)
        poison = calls.submit("bad.exit", {"after": 0.5}, max_retries=5)
        ended = calls.until_quiet(90, tag="slow")
        calls.until(poison, "failed", 60)
        outcomes = calls.outcomes(poison)
    attempts = counted(str(one["attempt"]) for one in ended)
    print(f"\nslow poison: {outcomes}; neighbours by attempts needed: {attempts}")
    assert outcomes == ["lost", "lost", "lost"]
    assert counted(one["status"] for one in ended) == {"succeeded": NEIGHBOURS}
    assert {one["current_retry_count"] for one in ended} == {0}
    assert all(one["attempt"] <= 3 for one in ended)


@pytest.mark.timeout(60)
def test_out_of_memory_fails_the_task_that_wanted_it(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    with Calls(stack.api_url) as calls:
        calls.submit_many(NEIGHBOURS, "bad.hold", {"seconds": 2}, tags=["neighbour"])
        calls.until_running("neighbour", NEIGHBOURS)
        greedy = calls.submit("bad.out_of_memory", max_retries=0)
        ended = calls.until_quiet(40, tag="neighbour")
        failed = calls.until(greedy, "failed")
        error = failed["errors"][-1]["type"]
    print(f"\nout of memory: {error} after {failed['attempt']} attempts")
    assert (error, failed["attempt"]) in {("MemoryError", 1), ("WorkerLost", 3)}
    assert counted(one["status"] for one in ended) == {"succeeded": NEIGHBOURS}
    assert {one["current_retry_count"] for one in ended} == {0}
