"""The database hangs: it takes connections and requests, and answers nothing for a while."""

import signal
import time
from typing import Any

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
from tests.support.calls import Calls, Load, counted, timed
from tests.support.mariadb import MariaDBServer
from tests.support.stack import NewStack

POOLS = 2 * (8 + 1) + 1
"""Connections of an API and a worker, one each that asks for a sign of life, and the lease's."""
ITEM = {"handler": "taskq.echo", "payload": {"value": "x" * 7_000}, "tags": ["batch"]}
BATCH: dict[str, Any] = {
    "json": {"items": [ITEM] * 1_000},
    "headers": {"Idempotency-Key": "the batch"},
}


@pytest.mark.timeout(150 + 5 * DOWN_SECONDS)
def test_a_database_that_hangs_is_away_and_loses_nothing(
    new_stack: NewStack, server: MariaDBServer
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, mariadb=server)
    with Calls(stack.api_url) as calls, Load(stack.api_url, ECHO, pause=0.05) as load:
        held = hold(calls, DOWN_SECONDS / 2)
        server.child.signal(signal.SIGSTOP)
        try:
            frozen = time.monotonic()
            with Probes(stack.api_url) as probes:
                batch = calls.http.post("/tasks/batch", **BATCH)
                batch_seconds = time.monotonic() - frozen
                quick = timed(lambda: calls.http.get(f"/tasks/{held[0]}"))
                time.sleep(DOWN_SECONDS)
        finally:
            server.child.signal(signal.SIGCONT)
        wait_ready(calls)
        ready = time.monotonic() - frozen - DOWN_SECONDS
        again = calls.http.post("/tasks/batch", **BATCH)
    refused = len(load.refused())
    check_refusals(load)
    with Calls(stack.api_url) as calls:
        check_all_are_done(calls, load)
        done = calls.until_quiet(60, tag="batch")
        outcomes = outcomes_of(calls, held)
    most = int(server.sql("SHOW GLOBAL STATUS LIKE 'Max_used_connections'").split()[1])
    print(
        f"\ndatabase frozen {DOWN_SECONDS} s: {len(load.accepted())} tasks, {refused} refused in "
        f"at most {slowest(load):.2f} s, a batch of 7 MB in {batch_seconds:.2f} s, probes in at "
        f"most {probes.slowest:.2f} s, ready after {ready:.1f} s, {most} connections"
    )
    assert (batch.status_code, bool(batch.headers.get("Retry-After"))) == (503, True)
    assert again.status_code in (200, 201), again.text
    assert counted(one["status"] for one in done) == {"succeeded": 1_000}, "one batch a key"
    assert outcomes == [["succeeded"]] * HELD, "their results were committed when it was back"
    assert probes.seen == {"/livez": {200}, "/readyz": {503}}
    assert refused > 0
    assert batch_seconds <= 2.5
    assert quick <= 0.5, "once it is known to hang, nobody waits"
    assert most <= POOLS + 2
