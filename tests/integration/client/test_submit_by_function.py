"""Tasks are submitted by their function, with both clients, to the fake and to a real server."""

import contextlib
from collections.abc import Iterator

import pytest

from taskq_client import AsyncTaskHandle, AsyncTaskqClient, TaskFailed, TaskHandle, TaskqClient
from taskq_client.testing import FakeTaskq
from taskq_server.testing import handlers
from tests.support import shop
from tests.support.stack import NewStack

pytestmark = pytest.mark.timeout(60)

LINES = [shop.Line(article="x", pieces=2), shop.Line(article="y")]
BILL = shop.Bill(order=7, total=3, currency="EUR")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def loaded(taskq: FakeTaskq) -> Iterator[FakeTaskq]:
    with handlers(shop) as opened:
        taskq.load(opened)
        yield taskq


def by_function(client: TaskqClient) -> None:
    task = shop.bill.submit(client, order=7, lines=LINES)
    assert isinstance(task, TaskHandle)
    assert task.result(timeout=30) == BILL
    assert (task.status, task.payload) == (
        "succeeded",
        {"order": 7, "lines": [{"article": "x", "pieces": 2}, {"article": "y"}]},
    )
    urgent = shop.bill.submit.with_options(
        priority="urgent", tags=["a"], idempotency_key="k1", traceparent=TRACE
    )
    first, second = (urgent(client, 7, LINES) for _ in range(2))
    assert first.id == second.id
    assert (first.priority, first.traceparent) == ("urgent", TRACE)
    with pytest.raises(TaskFailed, match="sold out"):
        shop.never.submit(client, fatal=True).result(timeout=30)


async def by_function_and_awaited(client: AsyncTaskqClient) -> None:
    task = await shop.bill.submit(client, order=7, lines=LINES)
    assert isinstance(task, AsyncTaskHandle)
    assert await task.result(timeout=30) == BILL


async def test_the_fake_takes_them(loaded: FakeTaskq) -> None:
    by_function(loaded.client())
    async with loaded.async_client() as client:
        await by_function_and_awaited(client)


async def test_a_server_takes_them(new_stack: NewStack) -> None:
    stack = new_stack("sqlite", settings={"TASKQ_HANDLERS": "tests.support.shop"})
    with contextlib.closing(TaskqClient(stack.api_url)) as client:
        by_function(client)
    async with AsyncTaskqClient(stack.api_url) as asynchronous:
        await by_function_and_awaited(asynchronous)
