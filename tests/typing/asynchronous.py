"""Code as users of `AsyncTaskqClient` write it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal, Optional, TypedDict, assert_type

from pydantic import BaseModel

from taskq_client import AsyncTaskHandle, AsyncTaskqClient, Progress, Task


class Report(BaseModel):
    month: str


class Row(TypedDict):
    a: int


async def forms(client: AsyncTaskqClient, handle: AsyncTaskHandle) -> None:
    assert_type(await client.run("h", returns=Report | None), Report | None)
    assert_type(await client.run("h", returns=Optional[int]), int | None)  # noqa: UP045
    assert_type(await client.run("h", returns=Annotated[int, "a"]), int)
    assert_type(await client.run("h", returns=Literal["a"]), Literal["a"])
    assert_type(await client.run("h", returns=None), Any)
    assert_type(await handle.result(type_=list[Row] | None), list[Row] | None)


async def told(progress: Progress) -> None:
    await asyncio.sleep(progress.current)


async def generators(client: AsyncTaskqClient, handle: AsyncTaskHandle) -> None:
    await handle.wait(on_progress=told)
    await client.run("h", on_progress=told)
    async with aclosing(client.stream("id")) as states, aclosing(client.list()) as tasks:
        assert_type(await anext(states), Task)
        assert_type(await anext(tasks), Task)
    async with aclosing(client.map("h", [])) as ended:
        assert_type([task async for task in ended], list[Task])
    async with aclosing(client.as_completed([])) as completed:
        assert_type([task async for task in completed], list[Task])
    await handle.stream().aclose()


async def results(client: AsyncTaskqClient) -> None:
    assert_type(await client.run("reports.build", returns=Report), Report)
    assert_type(await client.run("reports.build"), Any)
    handle = await client.submit("reports.build")
    assert_type(handle, AsyncTaskHandle)
    assert_type(await handle.result(type_=list[Report]), list[Report])
    typed = await client.submit("reports.build", returns=Report)
    assert_type(typed, AsyncTaskHandle[Report])
    assert_type(await typed.result(timeout=3), Report)
    assert_type(await handle.wait(1), Task)
    async for state in handle.stream():
        assert_type(state, Task)


async def many(client: AsyncTaskqClient) -> None:
    stored = await client.submit_many([{"handler": "h"}])
    assert_type(stored, list[AsyncTaskHandle])
    assert_type(await client.wait_all(stored), list[Task])
    assert_type(client.as_completed(stored), AsyncGenerator[Task, None])
    assert_type(client.map("h", [{}]), AsyncGenerator[Task, None])
    async for task in client.list(q="x"):
        assert_type(task, Task)
    both = await asyncio.gather(client.wait(stored[0]), stored[1].wait())
    assert_type(both, tuple[Task, Task])


async def main() -> None:
    async with AsyncTaskqClient() as client, client.with_options(max_retries=5) as patient:
        assert_type(patient, AsyncTaskqClient)
        await client.delete("id")
