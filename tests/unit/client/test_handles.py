"""What `submit` returns: the task's fields, and what can be done with it."""

import asyncio
import copy
import inspect
import json
import pickle
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from taskq_client import (
    AsyncTaskqClient,
    Task,
    TaskCancelled,
    TaskFailed,
    TaskqClient,
    UnexpectedResult,
    WaitTimeout,
)
from taskq_client.models import _TaskFields
from tests.unit.client.support import a_task, events, wire_task

DONE = wire_task(status="succeeded", version=2, result={"month": "2026-10", "rows": 7})


class Report(BaseModel):
    month: str
    rows: int


def server(request: httpx.Request) -> httpx.Response:
    """Submits are queued, waits succeed, and the rest says what was asked for in the title."""
    path = request.url.path
    if path == "/tasks":
        return httpx.Response(201, json=wire_task())
    if path == "/tasks/batch":
        count = len(json.loads(request.content)["items"])
        return httpx.Response(201, json={"items": [wire_task()] * count})
    if path.endswith("/events"):
        answer = events(wire_task(), DONE)
        return httpx.Response(200, headers=answer.headers, content=answer.body)
    if path.endswith(("/cancel", "/retry")):
        return httpx.Response(200, json=wire_task(title=path.rpartition("/")[2]))
    return httpx.Response(200, json=DONE if request.url.query else wire_task(title="fresh"))


async def told(value: Any) -> Any:
    """The value of either client: awaited, or collected, if it has to be."""
    if inspect.isawaitable(value):
        return await value
    if inspect.isasyncgen(value):
        return [item async for item in value]
    return list(value) if inspect.isgenerator(value) else value


@pytest.fixture(params=[TaskqClient, AsyncTaskqClient])
def client(request: pytest.FixtureRequest) -> Any:
    return request.param(transport=httpx.MockTransport(server))


@pytest.mark.anyio
async def test_a_handle_has_the_fields_of_its_last_snapshot(client: Any) -> None:
    handle = await told(client.submit("reports.build"))

    expected = {*Task.model_fields, "final"} - {"result"}
    assert {name for name in vars(_TaskFields) if not name.startswith("_")} == expected
    assert all(getattr(handle, name) == getattr(a_task(), name) for name in expected)
    assert handle.task == a_task()
    assert "0198c0de reports.build queued" in repr(handle)
    assert pickle.loads(pickle.dumps(handle.task)) == handle.task


@pytest.mark.anyio
async def test_each_method_returns_the_task_and_brings_the_fields_up_to_date(client: Any) -> None:
    handle = await told(client.submit("reports.build"))

    for name, title in (("refresh", "fresh"), ("cancel", "cancel"), ("retry", "retry")):
        task = await told(getattr(handle, name)())
        assert isinstance(task, Task)
        assert task.title == handle.title == title
    task = await told(handle.wait(timeout=30))
    assert (task.status, task.result["rows"], handle.status) == ("succeeded", 7, "succeeded")


@pytest.mark.anyio
async def test_a_handle_streams_its_states(client: Any) -> None:
    handle = await told(client.submit("reports.build"))

    assert [task.version for task in await told(handle.stream(timeout=30))] == [1, 2]
    assert handle.version == 2


@pytest.mark.anyio
async def test_the_result_comes_as_a_type(client: Any) -> None:
    handle = await told(client.submit("reports.build"))

    assert await told(handle.result()) == {"month": "2026-10", "rows": 7}
    assert await told(handle.result(type_=Report, timeout=5)) == Report(month="2026-10", rows=7)
    assert (await told(client.run("h", returns=Report))).rows == 7
    assert await told(client.run("h", returns=dict[str, str | int])) == DONE["result"]
    with pytest.raises(UnexpectedResult, match=r"0198c0de \(reports.build\): .* array") as caught:
        await told(client.run("h", returns=list[int]))
    assert caught.value.task.result == DONE["result"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "error"), [("failed", TaskFailed), ("cancelled", TaskCancelled)]
)
async def test_a_result_that_there_is_not_is_raised(status: str, error: type[Exception]) -> None:
    def ended(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=wire_task(status=status))

    for kind in (TaskqClient, AsyncTaskqClient):
        client: Any = kind(transport=httpx.MockTransport(ended))
        handle = await told(client.submit("h"))
        with pytest.raises(error):
            await told(handle.result())


@pytest.mark.anyio
async def test_handles_go_where_tasks_and_ids_go(client: Any) -> None:
    (handle,) = await told(client.submit_many([{"handler": "h"}]))

    assert (await told(client.get(handle))).title == "fresh"
    assert (await told(client.wait(handle, 5))).status == "succeeded"
    assert (await told(client.cancel(handle.id))).title == "cancel"


def test_handles_of_the_async_client_work_together() -> None:
    async def both() -> list[Task]:
        async with AsyncTaskqClient(transport=httpx.MockTransport(server)) as client:
            handles = [await client.submit("h"), await client.submit("h")]
            return await asyncio.gather(*(handle.wait() for handle in handles))

    assert [task.status for task in asyncio.run(both())] == ["succeeded"] * 2


@pytest.mark.anyio
async def test_clients_and_handles_say_why_they_do_not_pickle(client: Any) -> None:
    handle = await told(client.submit("reports.build"))

    for one in (client, client.with_options(timeout=3), handle, [handle]):
        for attempt in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match=r"hold connections and do not pickle: send the ta"):
                attempt(one)
    assert copy.copy(handle).task is handle.task


def test_errors_about_a_task_are_short_and_show_no_payload() -> None:
    message = "1 validation error: input_value='sesame' " + "x" * 5000
    failed = a_task(
        status="failed",
        payload={"password": "sesame"},
        attempt=3,
        errors=[{"attempt": 3, "outcome": "failed", "type": "ValueError", "message": message}],
    )

    for error in (TaskFailed(failed), TaskCancelled(failed), WaitTimeout(failed)):
        assert "sesame" not in repr(error)
        assert "0198c0de (reports.build)" in repr(error)
        assert len(repr(error)) < 120
    assert repr(TaskFailed(failed)) == (
        "TaskFailed('task 0198c0de (reports.build) failed in attempt 3: ValueError')"
    )
    assert message in str(TaskFailed(failed))
    assert "sesame" not in repr(UnexpectedResult(failed, "Input should be a list"))
