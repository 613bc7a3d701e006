"""The client against a whole running taskq: the contract, and what only a real worker does."""

from typing import Any
from uuid import uuid4

import pytest

from taskq_client import ValidationFailed
from tests.contract.bulk import *  # noqa: F403 - the tests of the contract
from tests.contract.history import *  # noqa: F403 - the tests of the contract
from tests.contract.many import *  # noqa: F403 - the tests of the contract
from tests.contract.queues import *  # noqa: F403 - the tests of the contract
from tests.contract.schedules import *  # noqa: F403 - the tests of the contract
from tests.contract.suite import *  # noqa: F403 - the tests of the contract
from tests.contract.suite import until
from tests.contract.unique import *  # noqa: F403 - the tests of the contract

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("handler", "payload"), [("taskq.sleep", {"seconds": 60}), ("tests.thread", {"seconds": 60})]
)
async def test_cancel_reaches_a_running_handler(
    client: Any, handler: str, payload: dict[str, object]
) -> None:
    task = await client.submit(handler, payload)
    await until(lambda: client.get(task), lambda found: found.status == "running")
    asked = await client.cancel(task)
    assert asked.cancel_requested_at is not None
    assert (await client.wait(task, timeout=180)).status == "cancelled"


async def test_a_bad_item_stores_nothing(client: Any) -> None:
    tag = uuid4().hex
    good = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": [tag]}
    bad = {"handler": "taskq.sleep", "payload": {"seconds": "long"}, "tags": [tag]}
    with pytest.raises(ValidationFailed) as caught:
        await client.submit_many([good, bad])
    assert caught.value.errors[0].pointer == "/items/1/payload/seconds"
    assert [task async for task in client.list(tag=[tag])] == []


async def test_children_of_a_task(client: Any) -> None:
    parent = await client.wait(await client.submit("tests.parent", {"children": 3}), timeout=180)
    assert parent.status == "succeeded"
    children = [await client.wait(child, timeout=180) for child in parent.result]
    assert [child.result for child in children] == [0, 1, 2]


async def test_a_task_that_submits_its_successor_under_its_own_key_finds_itself(
    client: Any,
) -> None:
    task = await client.submit("tests.again", {"key": uuid4().hex})
    assert await task.result(timeout=180) == task.id


async def test_handlers_tags_and_health(client: Any) -> None:
    handlers = {handler.name: handler for handler in await client.handlers()}
    assert {"taskq.echo", "taskq.sleep", "taskq.flaky", "tests.add"} <= handlers.keys()
    assert handlers["tests.add"].payload_schema["required"] == ["a"]
    assert handlers["tests.add"].workers == 1
    tag = uuid4().hex
    await client.submit("taskq.echo", {"value": 1}, tags=[tag])
    assert [found.count for found in await client.tags() if found.name == tag] == [1]
    assert (await client.health()).ready
