"""Code as users of `taskq_client.testing` write it."""

from typing import assert_type

from taskq_client import AsyncTaskqClient, Progress, Task, TaskqClient
from taskq_client.testing import FakeTaskq, Step


def double(payload: dict[str, int]) -> int:
    return payload["n"] * 2


def test_mine(taskq: FakeTaskq) -> None:
    taskq.on("double", double)
    taskq.on("slow", ValueError("no"), Step(3, seconds=5, progress=[Progress(current=1)]))
    assert_type(taskq.client(max_retries=0), TaskqClient)
    assert_type(taskq.async_client(), AsyncTaskqClient)
    assert_type(taskq.submitted, list[Task])
    TaskqClient(transport=taskq)
    taskq.fail_next(429, retry_after=1.5)
    taskq.advance(60)
