"""Code as users of `AsyncTaskqClient` write it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, assert_type

from pydantic import BaseModel

from taskq_client import AsyncTaskHandle, AsyncTaskqClient, Task


class Report(BaseModel):
    month: str


async def results(client: AsyncTaskqClient) -> None:
    assert_type(await client.run("reports.build", returns=Report), Report)
    assert_type(await client.run("reports.build"), Any)
    handle = await client.submit("reports.build")
    assert_type(handle, AsyncTaskHandle)
    assert_type(await handle.result(type_=list[Report]), list[Report])
    assert_type(await handle.wait(1), Task)
    async for state in handle.stream():
        assert_type(state, Task)


async def many(client: AsyncTaskqClient) -> None:
    stored = await client.submit_many([{"handler": "h"}])
    assert_type(stored, list[AsyncTaskHandle])
    assert_type(await client.wait_all(stored), list[Task])
    assert_type(client.as_completed(stored), AsyncIterator[Task])
    assert_type(client.map("h", [{}]), AsyncIterator[Task])
    async for task in client.list(q="x"):
        assert_type(task, Task)
    both = await asyncio.gather(client.wait(stored[0]), stored[1].wait())
    assert_type(both, tuple[Task, Task])


async def main() -> None:
    async with AsyncTaskqClient() as client, client.with_options(max_retries=5) as patient:
        assert_type(patient, AsyncTaskqClient)
        await client.delete("id")
