"""What goes wrong around a handler ends its task: charged, told under `errors`, hooks called."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.calls import get, submit
from tests.support.around import NOTES
from tests.support.odd_errors import AFTER, ODD, RAISED
from tests.support.stack import Kind, NewStack
from tests.support.waiting import wait_until

HUGE = "huge"
ODD_ONES = [kind for kind in (*ODD, *AFTER) if kind != HUGE]
SAID: Mapping[str, Any] = {
    **{f"around.{name}": RAISED for name in ("validator", "thread_validator", "raised")},
    **{f"around.{name}": RAISED for name in ("thread_raised", "unwritable", "steps")},
    "around.error": ODD_ONES,
    "around.thread_error": ODD_ONES,
}


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_each_attempt_ends_charged_and_its_hook_runs(
    new_stack: NewStack, kind: Kind, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    settings = {
        "TASKQ_HANDLERS": "tests.support.around",
        "TASKQ_HOOK_SECONDS": "120",  # the replay comes too late: the hooks have to run at once
        NOTES: str(notes),
    }
    stack = new_stack(kind, settings=settings)
    ids = {
        submit(stack, handler, {"kind": one}, max_retries=1, backoff_base_seconds=0.001): handler
        for handler, kinds in SAID.items()
        for one in kinds
    }
    retried = {"attempt": 2, "current_retry_count": 1}
    for task_id, handler in ids.items():
        task = get(stack, task_id, wait=60)
        bad_result = handler in ("around.unwritable", "around.steps")
        expected = {"attempt": 1, "current_retry_count": 0} if bad_result else retried
        assert task == {**task, "status": "failed", **expected}, task
        assert [error["outcome"] for error in task["errors"]] == ["failed"] * task["attempt"]
        assert all(error["type"] or error["traceback"] for error in task["errors"])
    wait_until(lambda: set(notes.read_text().split()) >= set(ids), 180, "hooks told of all of them")
