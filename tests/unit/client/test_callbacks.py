"""Functions of users that are called: awaited by the async client, refused by the blocking one."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import httpx
import pytest

from taskq_client import AsyncTaskqClient, InvalidRequest, TaskqClient, WaitTimeout
from tests.unit.client.support import events, wire_task

STEPS = [
    wire_task(status="running", version=number, progress={"current": number, "total": 3})
    for number in (1, 2, 3)
]
DONE = wire_task(status="succeeded", version=4, result=7)


class Server:
    """A task that says how far it is three times, and batches; it counts what was asked."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self.requests: list[str] = []
        self.states = states or (*STEPS, DONE)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.url.path)
        if request.url.path.endswith("/events"):
            answer = events(*self.states)
            return httpx.Response(200, headers=answer.headers, content=answer.body)
        if request.url.path == "/tasks/batch":
            items = json.loads(request.content)["items"]
            return httpx.Response(201, json={"items": [wire_task() for _ in items]})
        return httpx.Response(201, json=wire_task())


class Listener:
    """Hears what is said, in each of the ways in which a function may be written."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    async def method(self, said: object) -> None:
        await asyncio.sleep(0)
        self.heard.append(said)

    def plain(self, said: object) -> None:
        self.heard.append(said)

    async def with_more(self, more: int, said: object) -> None:
        await self.method(said)

    async def __call__(self, said: object) -> None:
        await self.method(said)

    def generator(self, said: object) -> Iterator[object]:
        yield self.heard.append(said)

    async def async_generator(self, said: object) -> AsyncIterator[object]:
        yield self.heard.append(said)


def asynchronous(listener: Listener) -> dict[str, Any]:
    return {
        "coroutine function": listener.method,
        "partial function": partial(listener.with_more, 1),
        "callable object": listener,
        "partial of an object": partial(listener),
    }


LATE = {
    "lambda": lambda listener: lambda said: listener.method(said),
    "future": lambda listener: lambda said: _Awaitable(),
}
EARLY = list(asynchronous(Listener()))


class _Awaitable:
    def __await__(self) -> Iterator[None]:
        yield None


@pytest.mark.parametrize("kind", [*EARLY, "lambda", "plain"])
def test_the_async_client_awaits_what_can_be_awaited(kind: str) -> None:
    async def calls(function: Any) -> None:
        async with AsyncTaskqClient(transport=httpx.MockTransport(Server())) as client:
            assert await client.run("h", on_progress=function, timeout=30) == 7
            await client.wait("0198c0de", 30, on_progress=function)
            handle = (await client.submit_many([{"handler": "h"}] * 2, on_stored=function))[0]
            await handle.wait(30, on_progress=function)

    listener = Listener()
    others = {"lambda": LATE["lambda"](listener), "plain": listener.plain}
    asyncio.run(calls({**asynchronous(listener), **others}[kind]))
    steps = [said if isinstance(said, int) else said.current for said in listener.heard]  # type: ignore[attr-defined]
    assert steps == [1, 2, 3, 1, 2, 3, 2, 1, 2, 3]


@pytest.mark.parametrize("kind", EARLY)
def test_the_blocking_client_refuses_it_before_anything_is_sent(kind: str) -> None:
    server = Server()
    with TaskqClient(transport=httpx.MockTransport(server)) as client:
        handle = client.submit("h")
        function = asynchronous(Listener())[kind]
        for call in (
            lambda: client.run("h", on_progress=function),
            lambda: client.wait("0198c0de", on_progress=function),
            lambda: handle.wait(on_progress=function),
            lambda: client.submit_many([{"handler": "h"}], on_stored=function),
        ):
            with pytest.raises(InvalidRequest, match=r"^on_\w+ is a coroutine .* AsyncTaskqClient"):
                call()
    assert server.requests == ["/tasks"]


@pytest.mark.parametrize("kind", LATE)
def test_what_turns_out_to_be_awaitable_is_said_once_the_task_has_ended(kind: str) -> None:
    server, listener = Server(), Listener()
    with TaskqClient(transport=httpx.MockTransport(server)) as client:
        with pytest.raises(InvalidRequest, match=r"^on_progress .* returns something to await"):
            client.run("h", on_progress=LATE[kind](listener), timeout=30)
        assert server.requests == ["/tasks", "/tasks/0198c0de/events"]

        with pytest.raises(InvalidRequest, match=r"^on_stored .* returns something to await"):
            client.submit_many([{"handler": "h"}], on_stored=LATE[kind](listener))

    slow = TaskqClient(transport=httpx.MockTransport(Server(*STEPS)))
    with pytest.raises(InvalidRequest) as caught:
        slow.run("h", on_progress=LATE[kind](listener), timeout=0.01)
    assert isinstance(caught.value.__cause__, WaitTimeout)
    assert listener.heard == []


WRONG = [5, "text", lambda: None, lambda one, two: None, Listener().generator]


@pytest.mark.parametrize("function", [*WRONG, Listener().async_generator], ids=lambda _: "wrong")
@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
def test_what_cannot_be_called_with_one_value_leaves_no_task_behind(
    kind: Any, function: Any
) -> None:
    server = Server()
    client = kind(transport=httpx.MockTransport(server))

    async def calls() -> None:
        for call in (
            lambda: client.run("h", on_progress=function),
            lambda: client.wait("0198c0de", on_progress=function),
            lambda: client.submit_many([{"handler": "h"}], on_stored=function),
        ):
            with pytest.raises(InvalidRequest, match=r"^on_\w+ (must be a function|is a gener)"):
                await call()

    asyncio.run(calls())
    assert server.requests == []


def test_functions_whose_signature_nobody_knows_are_called() -> None:
    def odd(said: object) -> None:
        heard.append(said)

    heard: list[object] = []
    odd.__signature__ = "unreadable"  # type: ignore[attr-defined]
    with TaskqClient(transport=httpx.MockTransport(Server())) as client:
        for function in (odd, heard.append, print, Mock(), MagicMock(), lambda *said: None):
            assert client.run("h", on_progress=function) == 7
    assert len(heard) == 6


def test_mocks_are_what_they_stand_for() -> None:
    async def calls() -> None:
        async with AsyncTaskqClient(transport=httpx.MockTransport(Server())) as client:
            for mock in (Mock(), MagicMock(), AsyncMock()):
                assert await client.run("h", on_progress=mock) == 7
                assert mock.call_count == 3

    asyncio.run(calls())
    client = TaskqClient(transport=httpx.MockTransport(Server()))
    with pytest.raises(InvalidRequest):
        client.run("h", on_progress=AsyncMock())


def test_what_a_function_raises_is_raised() -> None:
    def broken(said: object) -> None:
        raise LookupError(said)

    with (
        TaskqClient(transport=httpx.MockTransport(Server())) as client,
        pytest.raises(LookupError),
    ):
        client.run("h", on_progress=broken)
