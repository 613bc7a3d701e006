"""Operations on schedules, as they are sent and read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from taskq_client import (
    CatchUp,
    InvalidRequest,
    NotFound,
    Overlap,
    PreconditionFailed,
    Schedule,
    TaskqConnectionError,
)
from taskq_client._channels import Request, finish, iterate
from taskq_client.schedules import ScheduleChanges
from tests.unit.client.support import (
    answer,
    core,
    problem,
    wire_schedule,
    wire_task,
)


def body_of(request: Request) -> Any:
    assert request.body is not None
    return json.loads(request.body)


def test_a_set_says_the_task_apart_from_its_times() -> None:
    schedules, channel = core(answer(201, wire_schedule()))
    made = finish(
        schedules.schedules.set(
            "nightly",
            "reports.build",
            {"month": "2026-10"},
            7,
            {
                "every_seconds": timedelta(hours=2),
                "overlap": Overlap.QUEUE,
                "starts_at": datetime(2026, 10, 1, tzinfo=UTC),
                "paused": False,
                "note": None,
                "tags": ("a",),
                "keep_seconds": timedelta(days=1),
            },
        )
    )
    [request] = channel.requests
    assert (request.method, request.path) == ("PUT", "/schedules/nightly")
    assert request.headers["If-Match"] == '"7"'
    assert body_of(request) == {
        "every_seconds": 7200.0,
        "overlap": "queue",
        "starts_at": "2026-10-01T00:00:00Z",
        "paused": False,
        "task": {
            "handler": "reports.build",
            "payload": {"month": "2026-10"},
            "tags": ["a"],
            "keep_seconds": 86400.0,
        },
    }
    assert (made.overlap, made.catch_up) == (Overlap.SKIP, CatchUp.LAST)
    assert made.task.payload == {"month": "2026-10"}
    assert made.next_fire_at == datetime(2026, 10, 2, 4, tzinfo=UTC)


def test_an_update_is_a_merge_patch_in_which_none_resets() -> None:
    schedules, channel = core(answer(200, wire_schedule()))
    changes: ScheduleChanges = {"cron": None, "every_seconds": 60, "queue": None}
    finish(schedules.schedules.update("n", None, changes))
    [request] = channel.requests
    assert request.headers == {"Content-Type": "application/merge-patch+json"}
    expected = {"cron": None, "every_seconds": 60, "task": {"queue": None}}
    assert body_of(request) == expected


def test_a_list_fetches_all_pages() -> None:
    pages = [
        answer(200, {"items": [wire_schedule(name="a")], "next_cursor": "c+1"}),
        answer(200, {"items": [], "next_cursor": "c2"}),
        answer(200, {"items": [wire_schedule(name="b")], "next_cursor": None}),
    ]
    schedules, channel = core(*pages)
    assert [each.name for each in iterate(schedules.schedules.list(None, True))] == ["a", "b"]
    assert [request.path for request in channel.requests] == [
        "/schedules?limit=200&paused=true",
        "/schedules?limit=200&paused=true&cursor=c%2B1",
        "/schedules?limit=200&paused=true&cursor=c2",
    ]


def test_a_fire_is_sent_once() -> None:
    schedules, channel = core(TaskqConnectionError("gone"), answer(201, wire_task()))
    with pytest.raises(TaskqConnectionError):
        finish(schedules.schedules.fire("n"))
    assert len(channel.requests) == 1


def test_a_delete_whose_answer_was_lost_has_deleted() -> None:
    gone = problem(404, "schedule-not-found")
    schedules, channel = core(TaskqConnectionError("gone"), gone)
    finish(schedules.schedules.delete("n"))
    assert len(channel.requests) == 2
    schedules, _ = core(gone)
    with pytest.raises(NotFound):
        finish(schedules.schedules.delete("n"))


def test_other_changes_of_a_schedule_are_found() -> None:
    schedules, _ = core(problem(412, "version-mismatch", detail="the schedule is at version 3"))
    with pytest.raises(PreconditionFailed, match="version 3"):
        finish(schedules.schedules.update("n", 2, {"note": "x"}))


@pytest.mark.parametrize("name", ["", ".", "..", "preview", "a/b", None, 1.5])
def test_what_is_no_name_is_not_sent(name: Any) -> None:
    schedules, channel = core()
    with pytest.raises(InvalidRequest):
        finish(schedules.schedules.get(name))
    assert channel.requests == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"run_at": None}, "'run_at' is none of"),
        ({"starts_at": 5}, "starts_at must be a datetime"),
        ({"ends_at": datetime(2026, 10, 1)}, "ends_at needs a time zone"),  # noqa: DTZ001
        ({"every_seconds": "often"}, "every_seconds must be"),
    ],
)
def test_a_value_that_cannot_be_sent_is_named(options: Any, words: str) -> None:
    schedules, channel = core()
    with pytest.raises(InvalidRequest, match=words):
        finish(schedules.schedules.update("n", None, options))
    assert channel.requests == []


def test_a_newer_server_may_say_more() -> None:
    found = Schedule.model_validate(wire_schedule(overlap="replace", colour="red"))
    assert found.overlap == "replace"
    assert {found} == {found}
