"""Keys of the fake: an application finds out what it does when its key may not."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from taskq_client import NotFound, PermissionDenied, Unauthenticated
from taskq_client.testing import FakeTaskq

REPORT = {"handler": "reports.build", "payload": {"month": "2026-10"}}


@pytest.fixture
def fake() -> FakeTaskq:
    taskq = FakeTaskq()
    taskq.on("reports.build", {"rows": 3})
    taskq.on("mails.send", RuntimeError("no"))
    return taskq


def test_without_a_key_nobody_needs_one(fake: FakeTaskq) -> None:
    client = fake.client()
    assert client.run("reports.build") == {"rows": 3}

    fake.make_key("tasks:read")
    with pytest.raises(Unauthenticated) as caught:
        client.run("reports.build")
    assert str(caught.value).startswith(
        "send `Authorization: Bearer` and a valid API key (401 unauthenticated; request "
    )
    assert client.health().ready


def test_a_key_has_the_form_of_the_servers(fake: FakeTaskq) -> None:
    made = [fake.make_key("tasks:read") for _ in range(3)]
    assert len(set(made)) == 3
    assert all(re.fullmatch(r"tq_[0-9A-Za-z]{12}_[0-9A-Za-z_-]{43}", key) for key in made)
    assert fake.client(api_key=made[0]).tags() == []


def test_a_revoked_key_opens_nothing(fake: FakeTaskq) -> None:
    old, new = fake.make_key("tasks:read"), fake.make_key("tasks:read")
    client = fake.async_client(api_key=old)
    assert asyncio.run(client.tags()) == []

    fake.revoke_key(old)
    with pytest.raises(Unauthenticated):
        asyncio.run(client.tags())
    assert fake.client(api_key=new).tags() == []


def test_a_key_to_submit_sees_only_what_it_has_submitted(fake: FakeTaskq) -> None:
    web = fake.client(api_key=fake.make_key("tasks:run:reports.*"))
    other = fake.client(api_key=fake.make_key("tasks:run:*", "tasks:read"))

    assert web.run("reports.build", {"month": "2026-10"}) == {"rows": 3}
    assert [handler.name for handler in web.handlers()] == ["reports.build"]
    theirs = other.submit("reports.build")
    for look in (web.get, web.attempts, web.wait, lambda task: list(web.stream(task))):
        with pytest.raises(NotFound):
            look(theirs.id)
    for refused, scope in (
        (lambda: web.submit("mails.send"), "tasks:run:mails.send"),
        (lambda: web.submit("nobody.has.this"), "tasks:run:nobody.has.this"),
        (lambda: list(web.list()), "tasks:read"),
        (web.tags, "tasks:read"),
        (web.stats, "tasks:read or metrics:read"),
        (web.workers, "tasks:read or metrics:read"),
        (web.stats_history, "tasks:read or metrics:read"),
        (web.failures, "tasks:read"),
        (lambda: web.cancel(theirs), "tasks:write"),
    ):
        with pytest.raises(PermissionDenied) as caught:
            refused()
        assert caught.value.missing_scopes == (scope,)


def test_a_batch_with_a_foreign_handler_is_refused_as_a_whole(fake: FakeTaskq) -> None:
    web = fake.client(api_key=fake.make_key("tasks:run:reports.*"))
    with pytest.raises(PermissionDenied) as caught:
        web.submit_many([REPORT, {"handler": "mails.send"}, {"handler": "nobody.has.this"}])
    assert [error.pointer for error in caught.value.errors] == [
        "/items/1/handler", "/items/2/handler",
    ]  # fmt: skip
    assert fake.submitted == []


def test_a_key_to_change_tasks_sees_nothing_of_them(fake: FakeTaskq) -> None:
    owner = fake.client(api_key=fake.make_key("tasks:run:*"))
    writer = fake.client(api_key=fake.make_key("tasks:write", "tasks:run:reports.*"))
    failed = owner.submit("mails.send", {"to": "Acme"}, max_retries=0)
    failed.wait()
    assert failed.errors

    changed = writer.update(failed, title="To Acme")
    assert (changed.title, changed.payload, changed.errors) == ("To Acme", {}, [])
    for refused in (
        lambda: writer.retry(failed),
        lambda: writer.update(failed, priority="high"),
    ):
        with pytest.raises(PermissionDenied) as caught:
            refused()
        assert caught.value.missing_scopes == ("tasks:run:mails.send",)
    writer.delete(failed)


def test_a_replay_shows_nothing_of_the_task_of_another_key(fake: FakeTaskq) -> None:
    clients = [fake.client(api_key=fake.make_key("tasks:run:*")) for _ in range(2)]
    tasks = []
    for client in clients:
        task = client.submit("reports.build", {"month": "2026-10"}, idempotency_key="k").task
        (many,) = client.submit_many([REPORT], idempotency_key="m")
        tasks += [task, many.task]
    assert (tasks[0].id, tasks[1].id) == (tasks[2].id, tasks[3].id)
    assert [task.payload for task in tasks] == [{"month": "2026-10"}] * 2 + [{}] * 2


def test_a_child_belongs_to_the_key_of_its_parent(fake: FakeTaskq) -> None:
    class Source:
        def names(self) -> list[str]:
            return ["parents.work"]

        def validate(self, handler: str, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
            return []

        def call(self, task: dict[str, Any], submit: Any) -> Any:
            return submit({"handler": "mails.send"}, "child")

    fake.load(Source())
    web = fake.client(api_key=fake.make_key("tasks:run:parents.*"))
    child = web.run("parents.work")
    assert web.get(child).handler == "mails.send"


@pytest.mark.parametrize(
    "shown",
    [
        [],
        ["Bearer"],
        ["Bearer {key}x"],
        ["Basic {key}"],
        ["{key}"],
        ["Bearer {key}", "Bearer {key}"],
        ["Bearer " + "x" * 1_000_000],
        ["Bearer \u00e9"],
    ],
)
def test_what_is_no_key_opens_nothing(fake: FakeTaskq, shown: list[str]) -> None:
    key = fake.make_key("tasks:read")
    headers = [(b"authorization", text.format(key=key).encode("latin-1")) for text in shown]
    for method, path in (("GET", "/tags"), ("GET", "/nothing"), ("PUT", "/tags")):
        request = httpx.Request(method, f"http://taskq{path}", headers=headers)
        answer = fake.handle_request(request)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    for method, status in (("GET", 200), ("HEAD", 200), ("POST", 405)):
        probe = httpx.Request(method, "http://taskq/livez", headers=headers)
        assert fake.handle_request(probe).status_code == status
    named = httpx.Request("GET", "http://taskq/tags", headers={"Authorization": f"bearer  {key}"})
    assert fake.handle_request(named).status_code == 200


@pytest.mark.parametrize(
    "scopes", [(), ("",), ("tasks:run",), ("tasks:run:",), ("tasks:run:a/b",), ("Tasks:read",)]
)
def test_a_key_without_real_scopes_is_not_made(fake: FakeTaskq, scopes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="scope"):
        fake.make_key(*scopes)
    assert fake.client().tags() == []


def test_only_a_key_of_the_fake_is_revoked(fake: FakeTaskq) -> None:
    with pytest.raises(ValueError, match="this fake has made no such key"):
        fake.revoke_key("tq_000000000000_" + "s" * 43)
