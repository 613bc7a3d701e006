"""Final tasks past retention go, in small batches; nothing else does."""

import pytest

from tests.faults.ledger import SETTINGS, report
from tests.support.calls import Calls, repeats
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

OLD = repeats(600, 5_000)
SECONDS_PER_DAY = 86_400


@pytest.mark.timeout(120)
def test_only_final_tasks_past_retention_are_pruned(new_stack: NewStack) -> None:
    plain = {**SETTINGS, "TASKQ_HANDLERS": "tests.support.handlers"}
    stack = new_stack("mariadb", settings=plain)
    with Calls(stack.api_url) as calls:
        calls.submit_many(OLD - 2, "taskq.echo", {"value": 1}, tags=["old"])
        calls.submit("tests.fatal", tags=["old"])
        cancelled = calls.submit("taskq.echo", {"value": 1}, tags=["old"], delay_seconds=3600)
        assert calls.cancel(cancelled) == 200
        calls.until_quiet(60)
        kept = {
            "queued": calls.submit("taskq.echo", {"value": 1}, delay_seconds=3600),
            "running": calls.submit("taskq.sleep", {"seconds": 3600}),
        }
        for status, task_id in kept.items():
            calls.until(task_id, status)
        # A worker of another retention prunes for itself.
        days = str(2.0 / SECONDS_PER_DAY)
        stack.start_worker({"TASKQ_RETENTION_DAYS": days})
        wait_until(lambda: not calls.items(tag="old", limit=1), 60, "old tasks are pruned", 0.2)
        assert {status: calls.get(one)["status"] for status, one in kept.items()} == {
            status: status for status in kept
        }
        report("retention", pruned=OLD, kept=len(kept), attempts_left=_attempts(calls, kept))


def _attempts(calls: Calls, kept: dict[str, str]) -> int:
    return sum(len(calls.attempts(one)) for one in kept.values())
