"""One client in many event loops, threads and processes: each has connections of its own."""

import asyncio
import gc
import multiprocessing
import socket
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskq_client import AsyncTaskqClient, ConfigurationError, TaskqClient, TaskqError
from tests.unit.client.servers import TAGS, listening

SECONDS = 10
FORK = "ignore:.*multi-threaded, use of fork:DeprecationWarning"


class Served:
    """The connections of a server: how many requests each had, and which have ended."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.ended = 0
        self._changed = threading.Condition()

    def behave(self, connection: socket.socket) -> None:
        with self._changed:
            number = len(self.counts)
            self.counts.append(0)
        try:
            while connection.recv(65_536):
                self.counts[number] += 1
                connection.sendall(TAGS)
        finally:
            with self._changed:
                self.ended += 1
                self._changed.notify_all()

    def wait_for_the_end_of(self, connections: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended >= connections, SECONDS)


@contextmanager
def serving(path: Path | None = None) -> Iterator[tuple[str, Served]]:
    served = Served()
    with listening(served.behave, path=path) as place:
        yield f"http://{place}" if place else "", served


def in_a_loop_closed_by_hand(work: Coroutine[Any, Any, Any]) -> Any:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def elsewhere(call: Callable[[], Any]) -> Any:
    """What a call returns or raises in another thread."""
    results: list[Any] = []

    def work() -> None:
        try:
            results.append(call())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(SECONDS)
    return results[0]


def test_each_loop_has_its_connections_which_end_with_it() -> None:
    with serving() as (url, served), warnings.catch_warnings():
        warnings.simplefilter("error")
        client = AsyncTaskqClient(url)

        async def twice() -> Any:
            await client.tags()
            return await client.tags()

        for loops in range(1, 4):
            assert asyncio.run(twice()) == []
            served.wait_for_the_end_of(loops)
        assert served.counts == [2, 2, 2]
        gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_was_closed_by_hand_is_let_go() -> None:
    with serving() as (url, served):
        client = AsyncTaskqClient(url)
        for _ in range(3):
            assert in_a_loop_closed_by_hand(client.tags()) == []
        assert asyncio.run(client.tags()) == []
        gc.collect()
        served.wait_for_the_end_of(4)
        asyncio.run(client.aclose())


@pytest.mark.anyio
async def test_a_loop_in_another_thread_has_its_own() -> None:
    with serving() as (url, served):
        async with AsyncTaskqClient(url) as client:
            assert await client.tags() == []
            other = asyncio.to_thread(elsewhere, lambda: asyncio.run(client.tags()))
            assert await asyncio.gather(other, client.tags(), client.tags()) == [[], [], []]
            assert await client.tags() == []
        served.wait_for_the_end_of(len(served.counts))


@pytest.mark.anyio
async def test_to_close_is_to_close_for_all_loops() -> None:
    with serving() as (url, served):
        client = AsyncTaskqClient(url)
        used, closed = threading.Event(), threading.Event()

        async def use_and_stay() -> Any:
            await client.tags()
            used.set()
            await asyncio.to_thread(closed.wait, SECONDS)
            await asyncio.to_thread(served.wait_for_the_end_of, 1)
            return await client.tags()

        other = asyncio.create_task(
            asyncio.to_thread(elsewhere, lambda: asyncio.run(use_and_stay()))
        )
        await asyncio.to_thread(used.wait, SECONDS)
        await client.aclose()
        closed.set()
        said = await other
    assert isinstance(said, ConfigurationError)
    assert "has been closed" in str(said)
    await client.aclose()


def test_a_client_is_closed_in_another_loop_than_it_was_used_in() -> None:
    with serving() as (url, served):
        client = AsyncTaskqClient(url)
        asyncio.run(client.tags())
        asyncio.run(client.aclose())
        served.wait_for_the_end_of(1)
        with pytest.raises(ConfigurationError, match="has been closed"):
            asyncio.run(client.tags())


@pytest.mark.anyio
async def test_a_client_that_is_dropped_lets_its_connections_go() -> None:
    with serving() as (url, served):
        client = AsyncTaskqClient(url)
        await client.tags()
        del client
        gc.collect()
        await asyncio.to_thread(served.wait_for_the_end_of, 1)


def test_a_stream_that_is_left_in_a_loop_that_ends_makes_no_noise(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\n"

    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(head)
        connection.recv(65_536)

    with listening(behave) as place:
        client = AsyncTaskqClient(f"http://{place}")

        async def leave() -> None:
            task = asyncio.create_task(anext(client.stream("0198c0de")))  # type: ignore[arg-type]
            await asyncio.sleep(0.2)
            assert not task.done()

        asyncio.run(leave())
        gc.collect()
    assert capfd.readouterr().err == ""
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def forked(call: Callable[[], Any]) -> int | None:
    child = multiprocessing.get_context("fork").Process(target=call)
    child.start()
    child.join(SECONDS)
    return child.exitcode


# The server is a thread here, and Python warns of a fork beside threads; this one only asks.
@pytest.mark.filterwarnings(FORK)
def test_a_fork_of_an_async_client_has_its_own() -> None:
    with serving() as (url, served):
        client = AsyncTaskqClient(url)
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(client.tags())
            assert forked(lambda: asyncio.run(client.tags())) == 0
            loop.run_until_complete(client.tags())
            assert served.counts == [2, 1]
            loop.run_until_complete(client.aclose())
        finally:
            loop.close()


@pytest.mark.filterwarnings(FORK)
def test_a_fork_shares_no_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(path) as (_, served):
        with TaskqClient(transport=httpx.HTTPTransport(uds=str(path))) as client:
            client.tags()
            assert forked(client.tags) == 0
            client.tags()
        assert served.counts == [2, 1]


def test_a_transport_of_the_callers_is_used_in_one_loop_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(path) as (_, served):
        client = AsyncTaskqClient(transport=httpx.AsyncHTTPTransport(uds=str(path)))
        assert asyncio.run(client.tags()) == []
        assert asyncio.run(client.tags()) == []
        served.wait_for_the_end_of(2)


@pytest.mark.anyio
async def test_a_transport_of_the_callers_is_not_used_in_two_loops_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(path):
        async with AsyncTaskqClient(transport=httpx.AsyncHTTPTransport(uds=str(path))) as client:
            assert await client.tags() == []
            said = await asyncio.to_thread(elsewhere, lambda: asyncio.run(client.tags()))
            assert isinstance(said, ConfigurationError)
            assert "make a client with a transport of its own for each loop" in str(said)
            assert await client.tags() == []


@pytest.mark.anyio
async def test_a_transport_without_connections_is_used_anywhere() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"items": []}))
    async with AsyncTaskqClient(transport=transport) as client:
        assert await client.tags() == []
        assert elsewhere(lambda: asyncio.run(client.tags())) == []
        assert elsewhere(lambda: in_a_loop_closed_by_hand(client.tags())) == []


def test_without_a_loop_it_says_what_it_needs() -> None:
    client = AsyncTaskqClient()
    for call in (client.tags, client.aclose):
        with pytest.raises(ConfigurationError, match="a running loop of asyncio"):
            call().send(None)


def test_a_client_that_is_closed_while_another_thread_sends_says_so(tmp_path: Path) -> None:
    reached = threading.Event()

    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        reached.set()
        connection.recv(65_536)

    with listening(behave) as place:
        client = TaskqClient(f"http://{place}", timeout=1)
        said: list[Any] = []
        thread = threading.Thread(target=lambda: said.append(elsewhere(client.tags)))
        thread.start()
        assert reached.wait(SECONDS)
        client.close()
        thread.join(SECONDS)
    assert isinstance(said[0], TaskqError)
