"""Unique keys of the fake: what the contract cannot ask a server with one caller and no time."""

import json
from datetime import UTC, datetime

import pytest

from taskq_client import NotFound, UniqueConflict
from taskq_client.cli.listings import task_line
from taskq_client.cli.task_view import task_view
from taskq_client.testing import FakeTaskq


def test_what_is_put_off_runs_once_it_is_quiet(taskq: FakeTaskq) -> None:
    seen: list[str] = []
    taskq.on("index", lambda payload: seen.append(payload["text"]))
    client = taskq.client()

    def submit(text: str) -> None:
        client.submit(
            "index", {"text": text}, unique_key="page", on_conflict="replace", delay_seconds=10
        )

    for text in ("d", "dr", "draft"):
        submit(text)
        taskq.advance(9)
    assert seen == []
    taskq.advance(1)
    assert seen == ["draft"]
    submit("more")
    assert len(taskq.tasks) == 2
    taskq.advance(10)
    assert seen == ["draft", "more"]


def test_a_pointer_finds_the_keys_of_a_handler(taskq: FakeTaskq) -> None:
    taskq.on("sync", unique_key="/customer/ids/0")
    client = taskq.client()

    def key(payload: dict[str, object]) -> str | None:
        return client.submit("sync", payload, delay_seconds=60).unique_key

    assert key({"customer": {"ids": [7, 8]}}) == "sync:7"
    assert key({"customer": {"ids": [[1, {"b": 1, "a": "é"}]]}}) == 'sync:[1,{"a":"é","b":1}]'
    assert key({"customer": {"ids": ["x" * 200]}}) == (
        "sha256:11a0caca42eded9b8409130b0ec32465537096bed66116e47bea17d44f90a710"
    )
    for nothing in ({}, {"customer": {"ids": []}}, {"customer": {"ids": "7"}}, {"customer": None}):
        assert key(nothing) is None
    assert len(taskq.tasks) == 7


@pytest.mark.parametrize("pointer", ["customer", "/a~", "/a~2", "a/b"])
def test_what_is_no_pointer_is_refused(taskq: FakeTaskq, pointer: str) -> None:
    with pytest.raises(ValueError, match="unique_key is a JSON pointer"):
        taskq.on("sync", unique_key=pointer)


def test_who_may_not_read_the_other_task_gets_little_of_it(taskq: FakeTaskq) -> None:
    taskq.on("sync")
    owner = taskq.client(api_key=taskq.make_key("tasks:run:*", "tasks:write"))
    other = taskq.client(api_key=taskq.make_key("tasks:run:*"))
    first = owner.submit("sync", {"n": 1}, unique_key="k", delay_seconds=60)
    again = owner.submit("sync", {"n": 2}, unique_key="k")
    assert (again.id, again.payload, again.handler) == (first.id, {"n": 1}, "sync")

    found = other.submit("sync", {"n": 3}, unique_key="k", on_conflict="replace", delay_seconds=60)
    assert (found.id, found.status, found.conflict) == (first.id, "queued", True)
    assert (found.handler, found.payload, found.unique_key) == ("", {}, None)
    assert found.task.model_fields_set == {"id", "status"}
    assert owner.get(first).payload == {"n": 3}
    with pytest.raises(NotFound):
        found.refresh()
    items = [{"handler": "sync", "unique_key": "k"}, {"handler": "sync"}]
    one, two = other.submit_many(items)
    assert [(one.conflict, one.handler), (two.conflict, two.handler)] == [
        (True, ""), (False, "sync"),
    ]  # fmt: skip
    with pytest.raises(UniqueConflict) as caught:
        other.submit("sync", unique_key="k", on_conflict="reject")
    assert (caught.value.task_id, caught.value.task_status) == (first.id, "queued")


def test_the_command_shows_what_is_told_of_such_a_task(taskq: FakeTaskq) -> None:
    taskq.on("sync")
    owner = taskq.client(api_key=taskq.make_key("tasks:run:*"))
    first = owner.submit("sync", unique_key="k", delay_seconds=60)
    other = taskq.client(api_key=taskq.make_key("tasks:run:*"))
    task = other.submit("sync", unique_key="k").task
    told = {"id": first.id, "status": "queued"}
    assert json.loads(task.model_dump_json(exclude_unset=True)) == told
    assert first.id in task_line(task, 80).plain
    assert first.id in task_view(task, 80, datetime.now(UTC)).plain
