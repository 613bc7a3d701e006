"""How operations run: on an event loop, or to their end in one go."""

import asyncio
import inspect
import json
from collections.abc import Coroutine

import httpx
import pytest
import respx

from taskq_client import AsyncTaskqClient, TaskqClient
from taskq_client._channels import finish
from tests.unit.client.support import wire_task

URL = "http://127.0.0.1:8000"


@pytest.mark.anyio
async def test_the_blocking_client_works_inside_a_running_loop() -> None:
    with respx.mock(base_url=URL) as server, TaskqClient() as client:
        server.get("/tasks").respond(200, json={"items": [wire_task()], "next_cursor": None})

        assert [task.id for task in client.list()] == ["0198c0de"]


@pytest.mark.anyio
async def test_many_waits_share_one_async_client() -> None:
    count = 120
    all_here = asyncio.Event()
    waiting = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        waiting += 1
        if waiting == count:
            all_here.set()
        await all_here.wait()
        task = wire_task(id=path.removeprefix("/tasks/").partition("?")[0], status="succeeded")
        body = json.dumps(task).encode()
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close"
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncTaskqClient(f"http://127.0.0.1:{port}") as client:
        tasks = await asyncio.gather(*(client.wait(f"t{n}", 20) for n in range(count)))

    assert [task.id for task in tasks] == [f"t{n}" for n in range(count)]


@pytest.mark.anyio
async def test_an_async_wait_can_be_cancelled() -> None:
    started = asyncio.Event()

    async def hang(request: httpx.Request) -> httpx.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with AsyncTaskqClient(transport=httpx.MockTransport(hang)) as client:
        waiting = asyncio.create_task(client.wait("0198c0de"))
        await started.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


def test_finish_refuses_a_coroutine_that_really_suspends() -> None:
    async def suspends() -> None:
        await asyncio.sleep(0)

    coroutine: Coroutine[object, None, None] = suspends()
    with pytest.raises(RuntimeError, match="awaited something else"):
        finish(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
