"""What is written equals what the models promise."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from taskq_server.domain.task import Attempt, Outcome, Priority, Status, TaskDetails
from taskq_server.schemas import wire
from taskq_server.schemas.task import AttemptRead, TaskItem, TaskList, TaskPage, TaskRead
from tests.unit.server.factories import NOW, WORKER, make_task, seconds

EXACT = datetime(2026, 10, 5, 12, 0, 0, 120, tzinfo=UTC)


def attempts(task_id: Any) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            task_id=task_id,
            attempt=number,
            outcome=outcome,
            result='{"deep":[1,null]}' if outcome is Outcome.SUCCEEDED else None,
            error_type="E" if outcome.is_error else None,
            error_message="m ☃" if outcome.is_error else None,
            traceback="line\n" if outcome is Outcome.FAILED else None,
            worker_id=WORKER if number % 2 else None,
            started_at=NOW,
            finished_at=EXACT,
            retry_at=NOW + seconds(5) if outcome is Outcome.FAILED else None,
        )
        for number, outcome in enumerate(
            [Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST, Outcome.RELEASED,
             Outcome.CANCELLED, Outcome.SUCCEEDED],
            1,
        )
    )  # fmt: skip


def details(status: Status, *, full: bool) -> TaskDetails:
    if not full:
        return TaskDetails(make_task(status), ())
    task = make_task(
        status,
        attempt=6,
        description="d\n☃",
        payload='{"a":[1,2.5,null,true,{"ü":"\\u0000"}],"big":9223372036854775807}',
        priority=Priority.URGENT,
        run_at=EXACT,
        backoff_base_seconds=0.5,
        backoff_max_seconds=60.0,
        progress='{"current":1,"total":2.5,"message":"half"}',
        cancel_requested_at=EXACT,
        worker_id=WORKER,
        version=9,
    )
    return TaskDetails(task, ("a", "b"), attempts(task.id), keep_seconds=86_400.5)


CASES = [details(status, full=full) for status in Status for full in (False, True)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.task.status))
def test_a_whole_task_is_what_the_model_says(case: TaskDetails) -> None:
    data = wire.dump(wire.whole(case))
    read = TaskRead.model_validate_json(data, strict=True)
    assert set(json.loads(data)) == set(TaskRead.model_fields)
    assert json.loads(read.model_dump_json()) == json.loads(data)

    task = case.task
    assert (read.id, read.status, read.priority) == (task.id, task.status, task.priority.label)
    assert read.payload == json.loads(task.payload)
    assert (read.run_at, read.created_at) == (task.run_at, task.created_at)
    assert tuple(read.tags) == case.tags
    assert [error.attempt for error in read.errors] == [e.attempt for e in case.errors]
    assert read.result == (json.loads(case.result) if case.result else None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.task.status))
def test_an_item_of_a_list_is_what_the_model_says(case: TaskDetails) -> None:
    data = wire.dump(wire.item(case))
    TaskItem.model_validate_json(data, strict=True)
    assert set(json.loads(data)) == set(TaskItem.model_fields)
    assert not {"payload", "result", "errors"} & set(json.loads(data))


def test_pages_and_lists_are_what_the_models_say() -> None:
    page = wire.dump({"items": [wire.item(case) for case in CASES], "next_cursor": None})
    assert len(TaskPage.model_validate_json(page, strict=True).items) == len(CASES)
    whole = wire.dump({"items": [wire.whole(case) for case in CASES]})
    assert len(TaskList.model_validate_json(whole, strict=True).items) == len(CASES)


def test_attempts_are_what_the_model_says() -> None:
    ended = attempts(WORKER)
    data = json.loads(wire.dump(wire.attempts(ended)))
    assert [one["outcome"] for one in data] == [one.outcome.value for one in ended]
    for one in data:
        assert set(one) == set(AttemptRead.model_fields)
        AttemptRead.model_validate_json(json.dumps(one), strict=True)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "2026-10-05T12:00:00Z"),
        (EXACT, "2026-10-05T12:00:00.000120Z"),
        (NOW.astimezone(UTC), "2026-10-05T12:00:00Z"),
    ],
)
def test_times_are_rfc_3339_in_utc(moment: datetime, text: str) -> None:
    assert wire.moment(moment) == text


def test_times_of_a_task_end_in_z() -> None:
    data = json.loads(wire.dump(wire.whole(CASES[-1])))
    for name in ("created_at", "updated_at", "run_at", "started_at", "cancel_requested_at"):
        assert data[name].endswith("Z")
        assert datetime.fromisoformat(data[name]).utcoffset() == timedelta(0)
    assert datetime.fromisoformat(data["created_at"]) == NOW.astimezone(
        timezone(timedelta(hours=5))
    )
