"""Code as users of `TaskqClient` write it; type checkers read it, nobody runs it."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, TypedDict, Union, assert_type

import httpx
from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr

from taskq_client import (
    Caller,
    FieldProblem,
    NewTask,
    PermissionDenied,
    Priority,
    Progress,
    Task,
    TaskFailed,
    TaskHandle,
    TaskOptions,
    TaskqClient,
    TaskStatus,
    ValidationFailed,
    WaitTimeout,
)


class Report(BaseModel):
    month: str
    rows: int


@dataclass
class Count:
    lines: int


class Row(TypedDict):
    a: int


def forms(client: TaskqClient, handle: TaskHandle) -> None:
    assert_type(client.run("h", returns=Report | None), Report | None)
    assert_type(client.run("h", returns=Optional[int]), int | None)  # noqa: UP045
    assert_type(client.run("h", returns=Union[int, str]), int | str)  # noqa: UP007
    assert_type(client.run("h", returns=list[Report | None]), list[Report | None])
    assert_type(client.run("h", returns=Annotated[int, Field(gt=0)]), int)
    assert_type(client.run("h", returns=Literal["a", "b"]), Literal["a", "b"])
    assert_type(client.run("h", returns=Row), Row)
    assert_type(client.run("h", returns=tuple[int, ...]), tuple[int, ...])
    assert_type(client.run("h", returns=None), Any)
    assert_type(handle.result(type_=Row | int), Row | int)
    assert_type(handle.result(type_=Literal[1], timeout=Decimal(3)), Literal[1])
    assert_type(handle.result(type_=None), Any)


def callers(client: TaskqClient) -> None:
    assert_type(client.whoami(), Caller)
    assert_type(client.whoami().id, str | None)
    try:
        client.tags()
    except PermissionDenied as refused:
        assert_type(refused.missing_scopes, tuple[str, ...])


def generators(client: TaskqClient, handle: TaskHandle) -> None:
    with closing(client.list()) as tasks, closing(client.stream("id")) as states:
        assert_type(next(tasks), Task)
        assert_type(next(states), Task)
    with closing(client.map("h", [])) as ended, closing(client.as_completed([])) as completed:
        assert_type([*ended, *completed], list[Task])
    handle.stream().close()


def results(client: TaskqClient) -> None:
    assert_type(client.run("reports.build", {"month": "2026-10"}, returns=Report), Report)
    assert_type(client.run("files.count", returns=Count, timeout=5, tags=["a"]), Count)
    assert_type(client.run("files.count", returns=dict[str, int]), dict[str, int])
    assert_type(client.run("taskq.echo", {"value": 1}), Any)
    handle = client.submit("reports.build", {"month": "2026-10"}, priority=Priority.HIGH)
    assert_type(handle, TaskHandle)
    assert_type(handle, TaskHandle[Any])
    typed = client.submit("reports.build", returns=Report, tags=["a"], idempotency_key="k")
    assert_type(typed, TaskHandle[Report])
    assert_type(typed.result(timeout=3), Report)
    assert_type(typed.result(type_=Row), Row)
    assert_type(client.submit("reports.build", returns=Report | None), TaskHandle[Report | None])
    assert_type(handle.result(type_=Report, timeout=30), Report)
    assert_type(handle.result(), Any)


def handles(client: TaskqClient) -> str:
    handle = client.submit(
        "taskq.echo", title="t", run_at=datetime.now(UTC), timeout_seconds=timedelta(minutes=1)
    )
    assert_type(handle.id, str)
    assert_type(handle.status, TaskStatus | str)
    assert_type(handle.progress, Progress | None)
    assert_type(handle.finished_at, datetime | None)
    assert_type(handle.wait(timeout=1, on_progress=lambda step: print(step.current)), Task)
    assert_type(handle.refresh(), Task)
    assert_type(handle.task, Task)
    for state in handle.stream():
        assert_type(state, Task)
    if handle.status == TaskStatus.FAILED or handle.status == "cancelled":
        handle.retry()
    assert_type({handle.task: 1, client.get("id"): 2}, dict[Task, int])
    return client.cancel(handle).title


def many(client: TaskqClient) -> None:
    items: list[NewTask] = [{"handler": "h", "payload": {"n": n}, "tags": ["x"]} for n in range(9)]
    stored = client.submit_many(items, on_stored=lambda count: print(count + 1))
    assert_type(stored, list[TaskHandle])
    assert_type(client.wait_all(stored, timeout=60), list[Task])
    assert_type(client.wait_all([stored[0], stored[1].task, "id"]), list[Task])
    assert_type(client.as_completed(stored), Generator[Task, None, None])
    assert_type(
        client.map("h", ({"n": n} for n in range(9)), queue="q"), Generator[Task, None, None]
    )
    assert_type(
        client.list(status=["failed", TaskStatus.CANCELLED], tag="x"), Generator[Task, None, None]
    )
    assert_type(client.stream("id", timeout=1), Generator[Task, None, None])


def errors(client: TaskqClient) -> Task | None:
    try:
        client.run("h", timeout=1)
    except ValidationFailed as refusal:
        assert_type(refusal.errors, tuple[FieldProblem, ...])
        print(refusal.status, refusal.code.upper(), refusal.request_id)
    except (TaskFailed, WaitTimeout) as end:
        return end.task
    return None


def addresses() -> None:
    TaskqClient(AnyHttpUrl("http://localhost"), api_key=SecretStr("k"), timeout=timedelta(1))
    TaskqClient(httpx.URL("http://localhost"), timeout=Decimal(3))


def options(shared: TaskOptions) -> None:
    with TaskqClient("http://localhost", api_key="k", timeout=3, max_retries=0) as client:
        assert_type(client.with_options(timeout=1, deadline=9), TaskqClient)
        client.submit("h", {}, **shared)
        client.submit("h", priority="high", delay_seconds=Decimal("1.5"))
        client.list(order="-created_at", status="failed", priority=["low", Priority.HIGH])
        client.update("id", title=None, if_match=3)
