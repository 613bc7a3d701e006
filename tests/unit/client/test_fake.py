"""The fake server: the contract that the real one keeps, and what only a fake can do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from taskq_client import (
    AsyncTaskqClient,
    Priority,
    Progress,
    TaskFailed,
    TaskqClient,
    TaskqConnectionError,
    Unavailable,
)
from taskq_client.testing import FakeTaskq, Step
from tests.contract.bulk import *  # noqa: F403 - the tests of the contract
from tests.contract.clients import Awaited
from tests.contract.history import *  # noqa: F403 - the tests of the contract
from tests.contract.many import *  # noqa: F403 - the tests of the contract
from tests.contract.queues import *  # noqa: F403 - the tests of the contract
from tests.contract.schedules import *  # noqa: F403 - the tests of the contract
from tests.contract.suite import *  # noqa: F403 - the tests of the contract
from tests.contract.unique import *  # noqa: F403 - the tests of the contract

STEPS = [Progress(current=n, total=3, message=f"step {n}") for n in (1, 2, 3)]


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Any]:
    """A client of each kind, of a fake server with the handlers of the tests."""
    fake = FakeTaskq()
    fake.on("tests.add", lambda payload: payload["a"] + payload.get("b", 1))
    fake.on("tests.mail", priority="low", tags=["mail"], unique_key="/to")
    fake.on("tests.fatal", lambda payload: Step(error=Fatal(payload.get("message")), fatal=True))
    fake.on("tests.progress", Step(3, progress=STEPS))
    if request.param == "sync":
        with TaskqClient(transport=fake) as blocking:
            yield Awaited(blocking)
    else:
        async with AsyncTaskqClient(transport=fake) as asynchronous:
            yield asynchronous


class Fatal(Exception):
    """An error after which there is no further try."""


def test_outcomes_follow_each_other_and_the_last_one_stays(taskq: FakeTaskq) -> None:
    taskq.on("h", RuntimeError("no"), Step(error=OSError("none")), {"rows": 3})
    client = taskq.client()

    for _ in range(2):
        handle = client.submit("h")
        assert handle.result(timeout=60) == {"rows": 3}
        assert [error.type for error in handle.errors] == ["RuntimeError", "OSError"]
    taskq.on("nothing")
    assert client.run("nothing") is None
    taskq.on("late", Step(seconds=9), ValueError)
    with pytest.raises(TaskFailed, match="longer than 5 s"):
        client.run("late", timeout_seconds=5, max_retries=0)


def test_a_function_is_called_with_the_payload(taskq: FakeTaskq) -> None:
    taskq.on("divide", lambda payload: payload["a"] / payload["b"])
    client = taskq.client()

    assert client.run("divide", {"a": 6, "b": 3}) == 2
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        client.run("divide", {"a": 6, "b": 0}, max_retries=0)


def test_a_handler_may_say_what_its_tasks_are(taskq: FakeTaskq) -> None:
    taskq.on("mails", queue="mails", priority=Priority.LOW, tags=["b", "a", "b"])
    client = taskq.client()
    client.submit("mails")
    client.submit("mails", queue="q", priority="high", tags=[])
    taskq.on("mails")
    client.submit("mails")
    placed = [(task.queue, task.priority, task.tags) for task in taskq.submitted]
    assert placed == [
        ("mails", "low", ["a", "b"]), ("q", "high", []), ("default", "normal", []),
    ]  # fmt: skip


def test_what_was_submitted_is_remembered(taskq: FakeTaskq) -> None:
    client = taskq.client()
    handle = client.submit("taskq.echo", {"value": 1}, tags=["a"])
    client.submit_many([{"handler": "taskq.echo", "payload": {"value": n}} for n in range(2)])
    handle.wait()
    client.delete(handle)

    assert [task.payload["value"] for task in taskq.submitted] == [1, 0, 1]
    assert (taskq.submitted[0].status, taskq.submitted[0].tags) == ("queued", ["a"])
    assert [task.status for task in taskq.tasks] == ["succeeded"] * 2
    assert taskq.requests[0] == "POST /tasks"


def test_time_travels(taskq: FakeTaskq) -> None:
    client = taskq.client()
    before = taskq.now
    handle = client.submit("taskq.sleep", {"seconds": 60}, delay_seconds=3600)
    assert handle.refresh().status == "queued"
    taskq.advance(3601)
    assert handle.refresh().status == "running"
    taskq.advance(60)
    assert handle.refresh().status == "succeeded"
    assert (taskq.now - before).total_seconds() >= 3661


def test_who_waits_for_what_happens_soon_does_not_wait() -> None:
    taskq = FakeTaskq(clock=lambda: datetime(2026, 10, 1, tzinfo=UTC))
    task = taskq.client().submit("taskq.flaky", {"failures": 3}, delay_seconds=5).wait()

    assert (task.result, str(task.finished_at)) == (4, "2026-10-01 00:00:12+00:00")


def test_failures_come_when_they_are_asked_for(taskq: FakeTaskq) -> None:
    client = taskq.client()
    before = taskq.now
    taskq.fail_next(429, times=2, retry_after=7)
    assert client.run("taskq.echo", {"value": 1}) == 1
    assert 14 <= (taskq.now - before).total_seconds() < 20
    taskq.break_next(3)
    with pytest.raises(TaskqConnectionError, match="broken by the test"):
        client.tags()
    taskq.fail_next()
    with pytest.raises(Unavailable, match="503 scripted"):
        client.with_options(max_retries=0).tags()
    assert len(taskq.submitted) == 1


def test_the_fixture_is_loaded_only_where_it_is_used(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        test_without="import sys\ndef test(): assert 'httpx' not in sys.modules",
        test_without_too="import sys\ndef test(): assert 'pydantic' not in sys.modules",
    )
    plugin = ("-p", "taskq_client.pytest_plugin")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    assert pytester.runpytest_subprocess(*plugin).ret == 0
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    pytester.makepyfile(
        test_with="def test(taskq): assert taskq.client().run('taskq.echo', {'value': 1}) == 1"
    )
    assert pytester.runpytest_subprocess("test_with.py").ret == 0
