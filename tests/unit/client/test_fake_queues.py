"""Queues of the fake that are paused while time passes."""

import pytest

from taskq_client import PermissionDenied, Queue, WaitTimeout
from taskq_client.testing import FakeTaskq


@pytest.fixture
def fake() -> FakeTaskq:
    return FakeTaskq()


def test_what_is_due_waits_for_the_resume(fake: FakeTaskq) -> None:
    with fake.client() as client:
        client.queues.pause("mails")
        first = client.submit("taskq.echo", {"value": 1}, queue="mails")
        later = client.submit("taskq.echo", {"value": 2}, queue="mails", delay_seconds=60)
        other = client.submit("taskq.echo", {"value": 3})
        fake.advance(3600)
        assert [client.get(one).status for one in (first, later, other)] == [
            "queued", "queued", "succeeded",
        ]  # fmt: skip
        (mails,) = [one for one in client.queues.list() if one.name == "mails"]
        assert (mails.depth, round(mails.oldest_age_seconds or 0)) == (2, 3600)
        with pytest.raises(WaitTimeout):
            client.wait(first, timeout=0.1)
        client.queues.resume("mails")
        assert [client.wait(one).result for one in (first, later)] == [1, 2]


def test_what_runs_goes_on_and_its_retry_waits(fake: FakeTaskq) -> None:
    with fake.client() as client:
        runs = client.submit("taskq.sleep", {"seconds": 10}, queue="mails")
        fails = client.submit("taskq.flaky", {"failures": 1}, queue="mails")
        client.queues.pause("mails")
        assert client.wait(runs).status == "succeeded"
        fake.advance(3600)
        assert client.get(fails).status == "retrying"
        client.queues.resume("mails")
        assert client.wait(fails).result == 2


def test_a_task_of_a_paused_queue_can_be_cancelled(fake: FakeTaskq) -> None:
    with fake.client() as client:
        client.queues.pause("mails")
        task = client.submit("taskq.echo", {"value": 1}, queue="mails")
        assert client.cancel(task).status == "cancelled"
        client.queues.resume("mails")
        fake.advance(60)
        assert client.get(task).status == "cancelled"


def test_the_scopes_are_asked_for(fake: FakeTaskq) -> None:
    reader, operator = fake.make_key("tasks:read"), fake.make_key("tasks:operate")
    with fake.client(api_key=reader) as client:
        assert client.queues.list() == [Queue(name="default", workers=1)]
        with pytest.raises(PermissionDenied, match="tasks:operate"):
            client.queues.pause("mails")
    with fake.client(api_key=operator) as client:
        assert client.queues.pause("mails").paused
        with pytest.raises(PermissionDenied, match="tasks:read"):
            client.queues.list()


async def test_the_asyncio_client_does_the_same(fake: FakeTaskq) -> None:
    async with fake.async_client() as client:
        assert (await client.queues.pause("mails", note="why")).note == "why"
        other = client.with_options(timeout=5)
        assert [one.name for one in await other.queues.list() if one.paused] == ["mails"]
        assert not (await client.queues.resume("mails")).paused
