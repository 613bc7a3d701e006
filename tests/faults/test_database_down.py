"""The database dies under load, or stays away for a while: nothing is lost, nobody sees a 500."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.outage import (
    DOWN_SECONDS,
    ECHO,
    HELD,
    SETTINGS,
    Probes,
    check_all_are_done,
    check_refusals,
    hold,
    outcomes_of,
    slowest,
    wait_ready,
)
from tests.support.calls import Calls, Load, counted, repeats
from tests.support.mariadb import MariaDBServer
from tests.support.stack import NewStack

BATCH = 500


@pytest.mark.timeout(150 + 5 * DOWN_SECONDS)
def test_a_database_that_is_away_for_a_while_loses_nothing(
    new_stack: NewStack, server: MariaDBServer
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, mariadb=server)
    with Calls(stack.api_url) as calls, Load(stack.api_url, ECHO, pause=0.05) as load:
        held = hold(calls, DOWN_SECONDS / 2)
        server.kill()
        with Probes(stack.api_url) as probes:
            time.sleep(DOWN_SECONDS)
        server.start()
        back = time.monotonic()
        wait_ready(calls)
        ready = time.monotonic() - back
        time.sleep(1)  # some more load
    check_refusals(load)
    assert probes.seen == {"/livez": {200}, "/readyz": {503}}
    assert probes.slowest <= 2.5
    with Calls(stack.api_url) as calls:
        refused = len(load.refused())
        check_all_are_done(calls, load)
        outcomes = outcomes_of(calls, held)
    print(
        f"\ndatabase down {DOWN_SECONDS} s: {len(load.accepted())} tasks, {refused} refused in at "
        f"most {slowest(load):.2f} s, probes in at most {probes.slowest:.2f} s, "
        f"ready again after {ready:.1f} s"
    )
    assert refused > 0
    assert outcomes == [["succeeded"]] * HELD, "their results were committed when it was back"


@pytest.mark.timeout(150)
def test_a_database_that_is_killed_and_restarted_loses_nothing(
    new_stack: NewStack, server: MariaDBServer
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, mariadb=server)
    kills = repeats(3, 15)
    with (
        Calls(stack.api_url) as calls,
        Load(stack.api_url, ECHO, pause=0.05) as load,
        ThreadPoolExecutor(1) as other,
    ):
        held = hold(calls, 2)
        batches = []
        for number in range(kills):
            batches.append(other.submit(_submit_batch, calls, number))
            time.sleep(0.1 * (number % 5))  # somewhere on its way
            server.kill()
            server.start()
            wait_ready(calls)
    check_refusals(load)
    codes = counted(str(batch.result()) for batch in batches)
    with Calls(stack.api_url) as calls:
        refused = len(load.refused())
        check_all_are_done(calls, load)
        outcomes = outcomes_of(calls, held)
        again = {_submit_batch(calls, number) for number in range(kills)}
        batched = calls.until_quiet(60, tag="batch")
    print(
        f"\ndatabase killed {kills} times: {len(load.accepted())} tasks, {refused} refused in at "
        f"most {slowest(load):.2f} s, batches in flight {codes}"
    )
    assert outcomes == [["succeeded"]] * HELD
    assert set(codes) <= {"201", "503"}
    assert again <= {200, 201}
    assert counted(one["status"] for one in batched) == {"succeeded": kills * BATCH}


def _submit_batch(calls: Calls, number: int) -> int:
    body = {"items": [{**ECHO, "tags": ["batch"]}] * BATCH}
    key = {"Idempotency-Key": f"batch {number}"}
    return calls.http.post("/tasks/batch", json=body, headers=key).status_code
