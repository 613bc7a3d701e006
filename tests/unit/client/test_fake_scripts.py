"""Scripts of the fake: code of the user's, which may use the fake, and may do anything."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from taskq_client import TaskCancelled, TaskFailed
from taskq_client.testing import FakeTaskq, Step

pytestmark = pytest.mark.timeout(20)


class Odd(BaseException):
    def __str__(self) -> str:
        raise ValueError("not printable")


def raiser(error: BaseException) -> Callable[[Any], None]:
    def script(payload: Any) -> None:
        raise error

    return script


def test_a_script_fans_out_and_waits(taskq: FakeTaskq) -> None:
    client = taskq.client()

    def parent(payload: dict[str, int]) -> int:
        children = client.submit_many(
            [{"handler": "child", "payload": {"n": n}} for n in range(payload["n"])]
        )
        return sum(task.result for task in client.wait_all(children, timeout=60))

    taskq.on("child", lambda payload: Step(payload["n"], seconds=3600), {"unused": 1})
    taskq.on("parent", parent)
    with pytest.raises(TaskFailed, match="longer than 10 seconds"):
        client.run("child", {"n": 1}, timeout_seconds=10, max_retries=0)
    taskq.on("child", lambda payload: Step(payload["n"], seconds=30))
    task = client.submit("parent", {"n": 4}).wait(timeout=500)
    assert task.result == 6
    assert task.started_at is not None
    assert task.finished_at is not None
    assert 29 < (task.finished_at - task.started_at).total_seconds() < 40
    with pytest.raises(TaskFailed, match="longer than 20 seconds"):
        client.run("parent", {"n": 4}, timeout_seconds=20, max_retries=0)


def test_a_script_looks_at_the_fake_and_lets_time_pass(taskq: FakeTaskq) -> None:
    seen: list[Any] = []

    def script(payload: Any) -> None:
        seen.append([task.status for task in taskq.tasks])
        taskq.advance(60)
        seen.append((taskq.now - started).total_seconds() >= 60)
        taskq.on("later", 5)
        seen.append(taskq.client().run("later"))
        seen.append(len(taskq.submitted))

    started = taskq.now
    taskq.on("h", script)
    taskq.client().run("h", timeout=9)
    assert seen == [["running"], True, 5, 2]


def test_a_thread_of_a_script_uses_the_fake(taskq: FakeTaskq) -> None:
    client = taskq.client()

    def script(payload: Any) -> Any:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(client.run("child", timeout=9)))
        thread.start()
        thread.join(10)
        return found

    taskq.on("child", 7)
    taskq.on("parent", script)
    assert client.run("parent", timeout=9) == [7]


async def test_a_script_uses_the_fake_below_an_async_client(
    taskq: FakeTaskq, anyio_backend: str
) -> None:
    taskq.on("child", 7)
    taskq.on("parent", lambda payload: taskq.client().run("child", timeout=5))
    async with taskq.async_client() as client, asyncio.timeout(10):
        assert await client.run("parent", timeout=5) == 7
        assert await asyncio.gather(*(client.run("parent") for _ in range(5))) == [7] * 5


def test_a_script_that_waits_for_itself_times_out(taskq: FakeTaskq) -> None:
    client = taskq.client()
    taskq.on("self", lambda payload: client.wait(taskq.submitted[0].id).result)
    handle = client.submit("self", max_retries=1)
    final = handle.wait(timeout=3600)
    assert final.status == "failed"
    assert [error.outcome for error in final.errors] == ["timed_out", "timed_out"]
    assert client.run("taskq.echo", {"value": 1}) == 1


def test_a_script_that_cancels_its_own_task_is_cancelled(taskq: FakeTaskq) -> None:
    client = taskq.client()
    taskq.on("h", lambda payload: client.cancel(taskq.submitted[0].id).status)
    with pytest.raises(TaskCancelled):
        client.run("h", timeout=5)


def test_two_scripts_at_once_in_two_threads(taskq: FakeTaskq) -> None:
    both = threading.Barrier(2)
    taskq.on("h", lambda payload: both.wait(10))
    found: list[Any] = []

    def run() -> None:
        found.append(taskq.client().run("h", timeout=30))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert sorted(found) == [0, 1]


def test_tasks_that_submit_each_other_without_end_come_to_one(taskq: FakeTaskq) -> None:
    client = taskq.client()
    taskq.on("again", lambda payload: client.submit("again", max_retries=0).id)
    client.submit("again", max_retries=0)
    last = taskq.tasks[-1]
    assert (last.status, last.errors[0].type) == ("failed", "RuntimeError")
    assert "without end" in str(last.errors[0].message)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no"),
        StopIteration(1),
        StopAsyncIteration(),
        GeneratorExit(),
        SystemExit(3),
        asyncio.CancelledError(),
        TimeoutError("mine"),
        RecursionError(),
        MemoryError(),
        pytest.fail.Exception("no"),
        pytest.skip.Exception("no"),  # raised by the script of a task: no test is skipped
        Odd(),
        BaseExceptionGroup("two", [Odd(), ValueError()]),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("is_raised", [True, False])
def test_whatever_a_script_raises_fails_its_task(
    taskq: FakeTaskq, error: BaseException, is_raised: bool
) -> None:
    taskq.on("h", raiser(error) if is_raised else error)
    client = taskq.client()
    with pytest.raises(TaskFailed) as caught:
        client.run("h", timeout=60, max_retries=0)
    (record,) = caught.value.task.errors
    assert (record.type, record.outcome) == (type(error).__name__, "failed")
    assert client.run("taskq.echo", {"value": 1}, timeout=5) == 1


def test_ctrl_c_ends_the_test_and_not_the_fake(taskq: FakeTaskq) -> None:
    taskq.on("h", raiser(KeyboardInterrupt()), 2)
    client = taskq.client()
    task = client.submit("h")
    with pytest.raises(KeyboardInterrupt):
        task.wait(timeout=5)
    assert [each.status for each in taskq.tasks] == ["failed"]
    assert client.run("taskq.echo", {"value": 1}, timeout=5) == 1


@pytest.mark.parametrize(
    "step",
    [
        {"seconds": "9"},
        {"seconds": float("nan")},
        {"seconds": -1},
        {"error": "no"},
        {"progress": [3]},
        {"seconds": timedelta(1)},
    ],
)
def test_a_step_that_cannot_be_is_refused(taskq: FakeTaskq, step: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Step(**step)
    taskq.on("h", lambda payload: Step(**step))
    with pytest.raises(TaskFailed, match="must be"):
        taskq.client().run("h", max_retries=0, timeout=5)


def test_async_functions_are_refused(taskq: FakeTaskq) -> None:
    async def script(payload: Any) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        taskq.on("h", script)
    taskq.on("h", lambda payload: script(payload))
    with pytest.raises(TaskFailed, match="coroutine"):
        taskq.client().run("h", max_retries=0, timeout=5)


@pytest.mark.parametrize(
    ("handler", "payload"),
    [
        ("taskq.echo", {}),
        ("taskq.sleep", {"seconds": "long"}),
        ("taskq.flaky", {}),
        ("taskq.flaky", {"failures": 101}),
        ("taskq.echo", {"value": 1, "more": 2}),
    ],
)
def test_payloads_of_built_in_handlers_are_checked(
    taskq: FakeTaskq, handler: str, payload: dict[str, Any]
) -> None:
    client = taskq.client()
    with pytest.raises(Exception, match="invalid-payload"):
        client.run(handler, payload, timeout=2)
    assert client.run("taskq.echo", {"value": 1}, timeout=2) == 1


class Model(BaseModel):
    at: datetime
    names: set[str]


@dataclass
class Point:
    x: int
    y: Decimal


def numbers() -> Iterator[int]:
    yield from (1, 2)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({1}, [1]),
        ((1, (2,)), [1, [2]]),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (date(2026, 1, 2), "2026-01-02"),
        (timedelta(hours=1), "PT1H"),
        (Model(at=datetime(2026, 1, 2, tzinfo=UTC), names={"a"}),
         {"at": "2026-01-02T00:00:00Z", "names": ["a"]}),
        (Point(1, Decimal("2.50")), {"x": 1, "y": "2.50"}),
        (b"text", "text"),
        (UUID(int=1), str(UUID(int=1))),
        ({1: 2, None: 3}, {"1": 2, "null": 3}),
        (numbers(), [1, 2]),
        ([frozenset({"é"})], [["é"]]),
    ],
)  # fmt: skip
def test_a_result_is_whatever_a_handler_may_return(
    taskq: FakeTaskq, value: object, read: object
) -> None:
    taskq.on("h", lambda payload: value)
    assert taskq.client().run("h", timeout=5) == read


@pytest.mark.parametrize(
    "value", [b"\xff", object(), float("nan"), "\ud800", "x" * 1_048_577, lambda: 1]
)
def test_a_result_that_is_no_json_fails_the_task_at_once(taskq: FakeTaskq, value: object) -> None:
    taskq.on("h", lambda payload: value)
    with pytest.raises(TaskFailed) as caught:
        taskq.client().run("h", timeout=5)
    assert [error.type for error in caught.value.task.errors] == ["InvalidResult"]


def test_nobody_changes_what_the_fake_remembers(taskq: FakeTaskq) -> None:
    result = {"rows": [1]}
    payloads: list[Any] = []

    def script(payload: dict[str, Any]) -> Any:
        payload["list"].append("changed")
        payloads.append(payload)
        return result

    taskq.on("h", script)
    client = taskq.client()
    task = client.submit("h", {"list": []})
    assert task.result(timeout=5) == {"rows": [1]}
    result["rows"].append(2)
    assert (task.refresh().payload, task.task.result) == ({"list": []}, {"rows": [1]})
    assert taskq.submitted[0].payload == {"list": []}


def test_a_clock_may_use_the_fake() -> None:
    fakes: list[FakeTaskq] = []

    def clock() -> datetime:
        if fakes:
            threading.Thread(target=lambda: len(fakes[0].submitted)).start()
        return datetime.now(UTC)

    fakes.append(FakeTaskq(clock))
    assert fakes[0].client().run("taskq.echo", {"value": 1}, timeout=5) == 1


def test_who_waits_for_another_thread_waits_for_its_script(taskq: FakeTaskq) -> None:
    goes_on, is_called = threading.Event(), threading.Event()

    def script(payload: Any) -> int:
        is_called.set()
        assert goes_on.wait(10)
        return 3

    taskq.on("slow", script)
    client = taskq.client()
    task = client.submit("slow")
    other = threading.Thread(target=task.refresh)
    other.start()
    assert is_called.wait(10)
    threading.Timer(0.8, goes_on.set).start()
    assert client.wait(task.id, timeout=10).result == 3
    other.join(10)
