"""What an application is told of the past: the queues minute by minute, and what fails."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from taskq_client import InvalidRequest, ValidationFailed
from taskq_client.history import QueueHistory

pytestmark = pytest.mark.anyio


async def default_queue(client: Any) -> QueueHistory:
    """The history of the queue that the worker listens to."""
    history = await client.stats_history(queue="default")
    assert len(history.minutes) == 60
    assert history.exact
    found: QueueHistory = history.queues.get("default", QueueHistory())
    return found


async def test_what_ended_is_in_the_history_of_its_queue(client: Any) -> None:
    before = await default_queue(client)
    for _ in range(3):
        await client.run("taskq.echo", {"value": 1}, timeout=180)
    failed = await client.submit("tests.fatal", {"message": "no"})
    await client.wait(failed, timeout=180)
    await client.delete(failed)
    after = await default_queue(client)
    assert sum(after.succeeded) - sum(before.succeeded) >= 3
    assert sum(after.failed) - sum(before.failed) >= 1
    ends = map(sum, zip(after.succeeded, after.failed, strict=True))
    assert [number > 0 for number in ends] == [run is not None for run in after.run_seconds_mean]
    assert len(after.depth) == len(after.running) == len(after.oldest_age_seconds) == 60
    (queue,) = (each for each in (await client.stats()).queues if each.name == "default")
    assert queue.throughput_per_minute >= 3 / 5
    assert queue.run_seconds_mean is not None
    assert (await client.stats_history(minutes=1, queue=uuid4().hex)).queues == {}


async def test_failures_are_told_in_groups(client: Any) -> None:
    message = uuid4().hex
    for _ in range(2):
        last = await client.submit("tests.fatal", {"message": f"{message}\nmore"})
        await client.wait(last, timeout=180)
    found = await client.failures(timedelta(minutes=5))
    (group,) = (each for each in found.items if each.message == message)
    assert (group.handler, group.failed, group.retrying) == ("tests.fatal", 2, 0)
    assert group.type == "Fatal"
    assert group.example == last.id
    assert found.exact
    await client.delete(last)
    (group,) = (each for each in (await client.failures()).items if each.message == message)
    assert group.failed == 1


async def test_the_past_has_an_end(client: Any) -> None:
    with pytest.raises(ValidationFailed):
        await client.stats_history(minutes=10_081)
    with pytest.raises(InvalidRequest, match="since_seconds must be a number of seconds over 0"):
        await client.failures(0)
