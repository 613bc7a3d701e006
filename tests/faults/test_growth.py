"""What runs for long must not grow: rounds of the same work leave the processes as they were."""

import pytest

from tests.faults.footprint import Footprint
from tests.support.calls import HANDLERS, Calls, repeats
from tests.support.stack import NewStack

ROUNDS = repeats(6, 20)
WARM = 2
TASKS = repeats(500, 5_000)
MORE_MEGABYTES = 12


@pytest.mark.timeout(repeats(120, 900))
def test_nothing_grows_with_the_tasks_that_were_done(new_stack: NewStack) -> None:
    settings = {"TASKQ_HANDLERS": HANDLERS, "TASKQ_DATABASE_POOL_SIZE": "4"}
    stack = new_stack("mariadb", settings=settings)
    seen = []
    with Calls(stack.api_url) as calls:
        for number in range(ROUNDS):
            tag = f"round-{number}"
            calls.submit_many(TASKS, "bad.hold", {"seconds": 0.01}, tags=[tag])
            last = calls.submit("tests.thread", {"seconds": 0.01}, tags=[tag])
            assert calls.get(last, wait=30)["status"] == "succeeded"
            calls.until_quiet(60, tag=tag)
            seen.append(Footprint.of(stack))
    first, last_seen = seen[WARM - 1], seen[-1]
    print(f"\n{ROUNDS} rounds of {TASKS} tasks: {first} after {WARM}, {last_seen} at the end")
    assert last_seen.megabytes <= first.megabytes + MORE_MEGABYTES
    assert last_seen.files <= first.files + 4
    assert last_seen.threads <= first.threads + 2
    assert last_seen.connections <= first.connections + 2
    assert last_seen.keys == 0
