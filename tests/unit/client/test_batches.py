"""submit_many: any number of tasks in as few requests as the server allows."""

import asyncio
import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from taskq_client import AsyncTaskqClient, TaskqClient, _requests
from taskq_client._channels import Answer, Request, finish
from taskq_client.errors import InvalidRequest, ServerError
from tests.unit.client.support import RecordingChannel, answer, core, core_over, problem, wire_task


def echo(request: Request) -> Answer:
    assert request.body is not None
    items = json.loads(request.body)["items"]
    return answer(201, {"items": [wire_task(title=item["title"]) for item in items]})


def items(count: int) -> list[dict[str, object]]:
    return [{"handler": "h", "payload": {"n": n}, "title": str(n)} for n in range(count)]


def test_a_list_larger_than_a_batch_is_split_and_keeps_its_order() -> None:
    channel = RecordingChannel([], for_ever=echo)

    found = finish(core_over(channel).bulk.submit_many(iter(items(2001)), None))

    assert [one.task.title for one in found] == [str(n) for n in range(2001)]
    assert channel.asked == ["POST /tasks/batch"] * 3
    assert [len(channel.body(n)["items"]) for n in range(3)] == [1000, 1000, 1]


def test_each_batch_has_a_key_of_its_own_that_is_the_same_next_time() -> None:
    channel = RecordingChannel([], for_ever=echo)

    finish(core_over(channel).bulk.submit_many(items(1001), "import-7"))
    finish(core_over(channel).bulk.submit_many(items(1001), "import-7"))

    keys = [request.headers["Idempotency-Key"] for request in channel.requests]
    assert keys == ["import-7/1", "import-7/2"] * 2


def test_one_fresh_key_serves_all_batches_and_tries_of_a_call() -> None:
    client, channel = core(problem(503), echo, echo)

    finish(client.bulk.submit_many(items(1001), None))

    keys = [request.headers["Idempotency-Key"] for request in channel.requests]
    assert keys == ["key-1/1", "key-1/1", "key-1/2"]


def test_no_batch_reaches_the_limit_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = len(_requests.new_task(items(1)[0]))
    for limit in range(3 * one, 4 * one):
        monkeypatch.setattr(_requests, "BATCH_BYTES", limit)
        channel = RecordingChannel([], for_ever=echo)

        tasks = finish(core_over(channel).bulk.submit_many(items(10), None))

        sizes = [len(request.body or b"") for request in channel.requests]
        assert len(tasks) == 10
        assert max(sizes) < limit
        assert min(sizes[:-1]) >= limit - one - 2


def test_items_are_taken_batch_by_batch_and_each_batch_is_reported() -> None:
    taken: list[int] = []
    stored: list[tuple[int, int]] = []

    def endless() -> Iterator[dict[str, object]]:
        for item in items(2500):
            taken.append(1)
            yield item

    channel = RecordingChannel([], for_ever=echo)
    client = core_over(channel)
    finish(client.bulk.submit_many(endless(), None, lambda n: stored.append((n, len(taken)))))

    assert stored == [(1000, 1001), (2000, 2500), (2500, 2500)]


def test_what_cannot_be_sent_ends_the_call_after_the_batches_before_it() -> None:
    client, channel = core(echo)

    with pytest.raises(InvalidRequest, match="cannot be sent as JSON"):
        finish(
            client.bulk.submit_many([*items(1500), {"handler": "h", "payload": {"n": {1}}}], None)
        )

    assert len(channel.requests) == 1


def test_a_refused_batch_ends_the_call_after_the_one_that_is_under_way() -> None:
    client, channel = core(echo, problem(500), echo)

    with pytest.raises(ServerError):
        finish(client.bulk.submit_many(items(4000), None))

    assert len(channel.requests) == 3


def echoed(request: httpx.Request) -> httpx.Response:
    given = echo(Request("POST", "/tasks/batch", 1, body=request.content))
    return httpx.Response(given.status, headers=given.headers, content=given.body)


class HoldingTransport(httpx.BaseTransport):
    """Answers the first of two requests only once the second is there."""

    def __init__(self) -> None:
        self.second = threading.Event()
        self.bodies: list[bytes] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        if len(self.bodies) == 2:
            assert self.second.wait(10), "the second batch waits for the first one"
        else:
            self.second.set()
        sent = Request("POST", "/tasks/batch", 1, body=request.content)
        return httpx.Response(
            201, headers={"content-type": "application/json"}, content=echo(sent).body
        )


def test_a_batch_is_sent_while_the_one_before_is_under_way() -> None:
    with TaskqClient("http://server", transport=HoldingTransport()) as client:
        tasks = client.submit_many(items(3000))

    assert [task.title for task in tasks] == [str(n) for n in range(3000)]


async def test_an_async_batch_too() -> None:
    second = asyncio.Event()

    async def handle(request: httpx.Request) -> httpx.Response:
        sent = Request("POST", "/tasks/batch", 1, body=request.content)
        if b'"title":"1000"' in request.content:
            await asyncio.wait_for(second.wait(), 10)
        elif b'"title":"2000"' in request.content:
            second.set()
        return httpx.Response(
            201, headers={"content-type": "application/json"}, content=echo(sent).body
        )

    transport = httpx.MockTransport(handle)
    async with AsyncTaskqClient("http://server", transport=transport) as client:
        tasks = await client.submit_many(items(3000))

    assert [task.title for task in tasks] == [str(n) for n in range(3000)]


def test_none_at_all_needs_no_request() -> None:
    client, channel = core()

    assert finish(client.bulk.submit_many([], None)) == []
    assert channel.requests == []
