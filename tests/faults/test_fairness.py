"""Priorities age: an endless stream of urgent tasks does not keep a low one waiting for ever."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from taskq_server.domain.task import PRIORITY_STEP_SECONDS, Priority
from tests.faults.ledger import Ledger
from tests.support.calls import FULL, repeats

BOUND_SECONDS = PRIORITY_STEP_SECONDS * (Priority.URGENT - Priority.LOW)
LANE = "lane"
LEFT_SECONDS = BOUND_SECONDS if FULL else 5
"""For how long urgent tasks still go first when the test begins."""


@pytest.mark.timeout(repeats(120, 400))
def test_a_low_task_starts_under_an_endless_stream_of_urgent_ones(ledger: Ledger) -> None:
    """One worker of one slot is asked for more than it can do, all of it urgent.

    The short form submits the low task with a due time in the past, as if it had waited.
    """
    settings = {"TASKQ_QUEUES": LANE, "TASKQ_CONCURRENCY": "1"}
    ledger.stack.start_worker(settings)
    stop = threading.Event()
    urgent: dict[str, Any] = {"queue": LANE, "priority": "urgent"}

    def stream() -> None:
        while not stop.wait(0.08):
            ledger.callers.submit("faults.sleep", {"seconds": 0.09}, **urgent)

    streaming = threading.Thread(target=stream)
    streaming.start()
    try:
        ledger.until_started(ledger.callers.submit("faults.noop", **urgent))
        asked = time.time()
        due = datetime.fromtimestamp(asked + LEFT_SECONDS - BOUND_SECONDS, UTC).isoformat()
        low = ledger.callers.submit("faults.noop", queue=LANE, priority="low", run_at=due)
        fresh = ledger.callers.submit("faults.noop", queue=LANE, priority="low")
        waited = ledger.until_started(low, timeout=LEFT_SECONDS * 3 + 30).at - asked
        overtaken = ledger.written(fresh, 1, "start") is None
    finally:
        stop.set()
        streaming.join()
    before = [one for one in ledger.callers.submits if asked < one.asked_at < asked + waited]
    ledger.settle(
        "a low task among urgent ones", waited=f"{waited:.1f} s", urgent_meanwhile=len(before)
    )
    lane = ledger.stack.workers.pop()
    assert lane.stop() == 0
    assert LEFT_SECONDS * 0.8 <= waited <= LEFT_SECONDS * 3 + 15, "urgent first, but not for ever"
    assert overtaken or FULL, "a fresh low task does not overtake urgent ones"
