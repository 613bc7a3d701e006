"""What an application does with queues: it lists, pauses and resumes them."""

from typing import Any
from uuid import uuid4

import pytest

from taskq_client import ValidationFailed, WaitTimeout

pytestmark = pytest.mark.anyio


async def test_a_paused_queue_waits_until_it_is_resumed(client: Any) -> None:
    paused = await client.queues.pause("default", note="the provider is down")
    try:
        assert (paused.name, paused.paused, paused.workers) == ("default", True, 1)
        task = await client.submit("taskq.echo", {"value": 1})
        (found,) = [each for each in await client.queues.list() if each.name == "default"]
        assert (found.paused_at, found.note) == (paused.paused_at, "the provider is down")
        assert found.depth == paused.depth + 1
        with pytest.raises(WaitTimeout):
            await client.wait(task, timeout=0.5)
        assert (await client.queues.pause("default")).paused_at == paused.paused_at
    finally:
        for _ in range(2):
            resumed = await client.queues.resume("default")
    assert (resumed.paused, resumed.paused_at, resumed.note) == (False, None, None)
    assert (await client.wait(task, timeout=180)).result == 1


async def test_names_of_queues_may_have_slashes(client: Any) -> None:
    name = f"{uuid4().hex}/a/../b"
    assert (await client.queues.pause(name)).name == name
    assert (await client.queues.resume(name)).name == name
    for wrong in ("", "no name", "-a"):
        with pytest.raises(ValidationFailed):
            await client.queues.pause(wrong)
