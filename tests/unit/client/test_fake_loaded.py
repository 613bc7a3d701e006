"""Handlers from elsewhere in the fake: any object with names, validate and call."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from taskq_client import Progress, TaskFailed, UnknownHandler, ValidationFailed
from taskq_client.testing import FakeTaskq, Step

pytestmark = pytest.mark.timeout(20)


class Mine:
    """The least that `load` takes."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def names(self) -> list[str]:
        return ["add", "fail", "parent"]

    def validate(self, handler: str, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(f"/{name}", f"{name} is odd") for name in payload if name == "odd"]

    def call(self, task: Mapping[str, Any], submit: Callable[[dict[str, Any], str], str]) -> Any:
        self.calls.append((task["handler"], task["attempt"]))
        if task["handler"] == "fail":
            raise OSError("never")
        if task["handler"] == "parent":
            child: dict[str, Any] = {
                "handler": "add",
                "payload": {"a": 1, "b": 1},
                **task["payload"],
            }
            return [submit(child, f"child of {task['id']}") for _ in range(2)]
        return task["payload"]["a"] + task["payload"]["b"]


@dataclass
class Ended:
    outcome: str = "failed"
    result: Any = None
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    backoff_seconds: float | None = None
    progress: tuple[Progress, ...] = ()


class Deciding(Mine):
    """It decides how each attempt ends."""

    def __init__(self, *ends: Ended) -> None:
        super().__init__()
        self.ends = list(ends)

    def call(self, task: Mapping[str, Any], submit: object) -> Ended:
        return self.ends.pop(0)

    def describe(self, handler: str) -> dict[str, Any]:
        return {"description": f"{handler}, described", "max_retries": 9, "timeout_seconds": 8.5}


def test_it_runs_what_is_loaded(taskq: FakeTaskq) -> None:
    taskq.load(Mine())
    client = taskq.client()
    assert client.run("add", {"a": 1, "b": 2}) == 3
    assert {one.name for one in client.handlers()} > {"add", "fail", "parent", "taskq.echo"}


def test_it_refuses_what_does_not_fit(taskq: FakeTaskq) -> None:
    mine = Mine()
    taskq.load(mine)
    with pytest.raises(ValidationFailed) as refused:
        taskq.client().submit("add", {"odd": 1})
    (error,) = refused.value.errors
    assert (error.pointer, error.code, error.detail) == (
        "/payload/odd",
        "invalid-payload",
        "odd is odd",
    )
    assert taskq.submitted == []
    assert mine.calls == []


def test_an_exception_fails_the_attempt_as_a_scripted_one(taskq: FakeTaskq) -> None:
    mine = Mine()
    taskq.load(mine)
    with pytest.raises(TaskFailed, match="never"):
        taskq.client().run("fail")
    assert mine.calls == [("fail", attempt) for attempt in (1, 2, 3, 4)]


def test_an_end_that_was_decided_is_taken(taskq: FakeTaskq) -> None:
    failed = Ended(error_type="OSError", error_message="no", traceback="…", backoff_seconds=90)
    late = Ended("timed_out", error_type="TimeoutError", error_message="late", backoff_seconds=0)
    reports = (Progress(current=1, total=2), Progress(current=2, total=2, message="m"))
    taskq.load(Deciding(failed, late, Ended("succeeded", [1], progress=reports)))
    client = taskq.client()
    began = taskq.now
    task = client.submit("add").wait()
    assert (task.status, task.result, task.current_retry_count) == ("succeeded", [1], 2)
    assert [(one.outcome, one.type, one.message) for one in task.errors] == [
        ("failed", "OSError", "no"),
        ("timed_out", "TimeoutError", "late"),
    ]
    assert 90 <= (taskq.now - began).total_seconds() < 100
    assert task.progress == reports[1]


def test_an_end_without_a_back_off_is_final(taskq: FakeTaskq) -> None:
    taskq.load(Deciding(Ended(error_type="Fatal", error_message="never")))
    assert taskq.client().submit("add").wait().attempt == 1


def test_it_shows_what_it_describes(taskq: FakeTaskq) -> None:
    taskq.load(Deciding(Ended("succeeded")))
    client = taskq.client()
    (shown,) = (one for one in client.handlers() if one.name == "add")
    assert (shown.description, shown.max_retries, shown.timeout_seconds) == (
        "add, described",
        9,
        8.5,
    )
    task = client.submit("add", delay_seconds=60)
    assert (task.max_retries, task.timeout_seconds) == (9, 8.5)
    client.update(task, max_retries=1, timeout_seconds=1)
    assert client.update(task, max_retries=None, timeout_seconds=None).max_retries == 9


def test_one_of_them_can_be_scripted_and_is_still_checked(taskq: FakeTaskq) -> None:
    mine = Mine()
    taskq.load(mine)
    taskq.on("add", Step("scripted"))
    client = taskq.client()
    assert client.run("add", {"a": 1}) == "scripted"
    with pytest.raises(ValidationFailed):
        client.submit("add", {"odd": 1})
    assert mine.calls == []


def test_children_are_tasks_of_the_fake(taskq: FakeTaskq) -> None:
    taskq.load(Mine())
    client = taskq.client()
    first, second = client.run("parent")
    assert first == second, "one key is one child"
    assert client.wait(first).result == 2
    assert [task.handler for task in taskq.submitted] == ["parent", "add"]


@pytest.mark.parametrize(
    ("child", "code"),
    [
        ({"handler": "nobody"}, "unknown-handler"),
        ({"payload": {"odd": 1}}, "invalid-payload"),
        ({"priority": "enormous"}, "invalid-request"),
    ],
)
def test_a_child_is_checked_as_a_request_is(
    taskq: FakeTaskq, child: dict[str, Any], code: str
) -> None:
    class Parent(Mine):
        def call(self, task: Mapping[str, Any], submit: Any) -> str:
            try:
                submit({"handler": "add", **child}, "key")
            except Exception as error:
                refused: str = error.code  # type: ignore[attr-defined]
                return refused
            return "taken"

    taskq.load(Parent())
    assert taskq.client().run("parent") == code


def test_handlers_that_submit_each_other_without_end_are_stopped(taskq: FakeTaskq) -> None:
    class Endless(Mine):
        def call(self, task: Mapping[str, Any], submit: Any) -> Any:
            with ThreadPoolExecutor(1) as threads:  # as handlers have threads of their own
                return threads.submit(submit, {"handler": "parent"}, task["id"]).result()

    taskq.load(Endless())
    taskq.client().run("parent")
    last = taskq.tasks[-1]
    assert last.status in ("failed", "retrying")
    assert "without end" in (last.errors[0].message or "")


def test_the_others_stay_unknown(taskq: FakeTaskq) -> None:
    taskq.load(Mine())
    with pytest.raises(UnknownHandler):
        taskq.client().submit("sub")
