"""The handlers for trying things out."""

import asyncio
import json

import pytest

from taskq_server.domain.task import Status
from taskq_server.handlers import load
from taskq_server.worker.attempts.executor import Executor
from tests.unit.server.worker.attempts import LIMITS, attempt_of, decided

HANDLERS = load([], builtin=True).handlers


async def call(name: str, attempt: int = 1, **payload: object) -> tuple[Status, str | None]:
    executor = Executor(1, LIMITS)
    claimed = attempt_of(payload, attempt=attempt)
    ended = decided(await executor.run(HANDLERS[name], claimed), claimed.task)
    executor.close()
    return ended.task.status, ended.attempt.result or ended.attempt.error_message


@pytest.mark.parametrize("value", ["null", "[1,2.5,true]", '{"a":{"b":"☃"}}', '"text"', "0"])
async def test_echo_answers_the_value(value: str) -> None:
    assert await call("taskq.echo", value=json.loads(value)) == (Status.SUCCEEDED, value)


async def test_sleep_answers_the_seconds() -> None:
    assert await call("taskq.sleep", seconds=0.01) == (Status.SUCCEEDED, "0.01")


@pytest.mark.parametrize("seconds", [-1, 86_401, "x"])
async def test_sleep_refuses_nonsense(seconds: object) -> None:
    async with asyncio.timeout(60):
        assert (await call("taskq.sleep", seconds=seconds))[0] is Status.FAILED


async def test_flaky_fails_its_first_attempts() -> None:
    assert (await call("taskq.flaky", 1, failures=2))[0] is Status.RETRYING
    assert (await call("taskq.flaky", 2, failures=2))[0] is Status.RETRYING
    assert await call("taskq.flaky", 3, failures=2) == (Status.SUCCEEDED, "3")
    assert await call("taskq.flaky", 1, failures=0) == (Status.SUCCEEDED, "1")
