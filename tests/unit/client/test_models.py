"""Snapshots: plain data that a newer server cannot break."""

import pickle
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from taskq_client.models import Handler, Priority, Progress, QueueStats, Task, TaskStatus
from tests.unit.client.support import a_task, wire_task


def test_a_task_has_the_fields_of_the_wire_and_no_others() -> None:
    assert list(Task.model_fields) == list(wire_task())


def test_a_task_survives_a_pickle() -> None:
    task = a_task(
        progress={"current": 1, "total": 2, "message": "half"},
        errors=[{"attempt": 1, "outcome": "failed", "type": "ValueError", "message": "boom"}],
        result=[{"deep": None}],
    )

    copy = pickle.loads(pickle.dumps(task))

    assert copy == task
    assert copy.errors[0].type == "ValueError"
    assert copy.progress == Progress(current=1, total=2, message="half")


def test_a_task_is_a_snapshot_that_nobody_changes() -> None:
    with pytest.raises(ValidationError):
        a_task().status = "failed"  # type: ignore[misc]


def test_known_values_are_enum_members_and_compare_with_text() -> None:
    task = a_task()

    assert task.status == "queued"
    assert task.status is TaskStatus.QUEUED
    assert task.priority is Priority.HIGH
    assert f"{task.status}" == "queued"
    assert task.created_at == datetime(2026, 10, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_values_and_fields_of_a_newer_server_do_no_harm() -> None:
    task = a_task(status="paused", priority="critical", colour="blue")

    assert (task.status, task.priority) == ("paused", "critical")
    assert not hasattr(task, "colour")


def test_an_item_of_a_list_lacks_what_may_be_large() -> None:
    wire = wire_task()
    for name in ("payload", "result", "errors"):
        del wire[name]

    task = Task.model_validate(wire)

    assert (task.payload, task.result, task.errors) == ({}, None, [])


@pytest.mark.parametrize(
    ("status", "finished_at", "final"),
    [
        ("queued", None, False),
        ("running", None, False),
        ("retrying", "2026-10-01T12:00:00Z", False),
        ("succeeded", None, True),
        ("failed", None, True),
        ("cancelled", None, True),
        ("paused", None, False),
        ("expired", "2026-10-01T12:00:00Z", True),
    ],
)
def test_a_task_knows_whether_it_has_ended(
    status: str, finished_at: str | None, final: bool
) -> None:
    assert a_task(status=status, finished_at=finished_at).final is final


def test_snapshots_are_hashed_by_their_id_and_compared_by_all_they_say() -> None:
    queued, again, done = a_task(), a_task(), a_task(status="succeeded")

    assert len({queued, again, done}) == 2
    assert queued == again != done
    assert hash(queued) == hash(done)
    assert {queued: "first"}[a_task()] == "first"
    names = {
        Handler(name="h", schema={"type": "object"}),
        QueueStats(name="q", tasks={"queued": 1}),
    }
    assert len(names | {Handler(name="h", schema={"type": "object"})}) == 2
