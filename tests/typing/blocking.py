"""Code as users of `TaskqClient` write it; type checkers read it, nobody runs it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from pydantic import BaseModel

from taskq_client import (
    FieldProblem,
    NewTask,
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


def results(client: TaskqClient) -> None:
    assert_type(client.run("reports.build", {"month": "2026-10"}, returns=Report), Report)
    assert_type(client.run("files.count", returns=Count, timeout=5, tags=["a"]), Count)
    assert_type(client.run("files.count", returns=dict[str, int]), dict[str, int])
    assert_type(client.run("taskq.echo", {"value": 1}), Any)
    handle = client.submit("reports.build", {"month": "2026-10"}, priority=Priority.HIGH)
    assert_type(handle, TaskHandle)
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
    return client.cancel(handle).title


def many(client: TaskqClient) -> None:
    items: list[NewTask] = [{"handler": "h", "payload": {"n": n}, "tags": ["x"]} for n in range(9)]
    stored = client.submit_many(items, on_stored=lambda count: print(count + 1))
    assert_type(stored, list[TaskHandle])
    assert_type(client.wait_all(stored, timeout=60), list[Task])
    assert_type(client.wait_all([stored[0], stored[1].task, "id"]), list[Task])
    assert_type(client.as_completed(stored), Iterator[Task])
    assert_type(client.map("h", ({"n": n} for n in range(9)), queue="q"), Iterator[Task])
    assert_type(client.list(status=["failed", TaskStatus.CANCELLED], tag="x"), Iterator[Task])
    assert_type(client.stream("id", timeout=1), Iterator[Task])


def errors(client: TaskqClient) -> Task | None:
    try:
        client.run("h", timeout=1)
    except ValidationFailed as refusal:
        assert_type(refusal.errors, tuple[FieldProblem, ...])
        print(refusal.status, refusal.code.upper(), refusal.request_id)
    except (TaskFailed, WaitTimeout) as end:
        return end.task
    return None


def options(shared: TaskOptions) -> None:
    with TaskqClient("http://localhost", api_key="k", timeout=3, max_retries=0) as client:
        assert_type(client.with_options(timeout=1, deadline=9), TaskqClient)
        client.submit("h", {}, **shared)
        client.update("id", title=None, if_match=3)
