"""Payloads that may take for ever, validated in real processes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from taskq_server.core.config import Settings
from taskq_server.worker.attempts.result import Failed
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from taskq_server.worker.quarantine.checks import Checks
from tests.integration.engine.recursive import Mul, Num, Up
from tests.integration.engine.test_recursive_payloads import MODULE, deep
from tests.unit.server.worker.attempts import attempt_of, until

FOR_EVER = deep(40)


@pytest.fixture
async def checks() -> AsyncIterator[Checks]:
    opened = Checks(Settings(handlers=(MODULE,), quarantine_processes=1, block_seconds=2))
    yield opened
    opened.close()


def attempt(handler: str, payload: dict[str, Any], **changes: Any) -> RunningAttempt:
    return attempt_of(payload, handler=f"recursive.{handler}", **changes)


async def check(checks: Checks, running: RunningAttempt) -> Failed | None:
    async with asyncio.timeout(60):
        return await checks.run(running)


async def test_arguments_are_what_the_payload_has_become(checks: Checks) -> None:
    running = attempt("expr", {**deep(1), "more": 3})
    assert await check(checks, running) is None
    num = Num(n=1)
    assert running.arguments == {
        "e": Mul(left=num, right=num, op="mul"),
        "more": 3,
        "context": None,
    }
    wrapped = attempt("wrapped", {"a": [{"x": {"inner": {"inner": 1}}}], "b": None, "c": [1]})
    assert await check(checks, wrapped) is None
    assert wrapped.arguments == {"a": [{"x": Up(Up(1))}], "b": None, "c": [1]}


@pytest.mark.parametrize(
    ("handler", "payload", "said"),
    [
        ("expr", {}, "e: Field required"),
        ("expr", {"e": {"n": "x"}}, "payload does not fit the handler: e/"),
        ("positive", {"e": {"n": -1}}, "it is negative"),
        ("expr", FOR_EVER, "more than 2 seconds"),
        ("deadly", deep(0), "it ended the process"),
    ],
)
async def test_what_does_not_fit_is_invalid(
    checks: Checks, handler: str, payload: dict[str, Any], said: str
) -> None:
    failed = await check(checks, attempt(handler, payload))
    assert failed is not None
    assert failed.failure.type == "InvalidPayload"
    assert failed.failure.fatal
    assert said in failed.failure.message
    assert await check(checks, attempt("expr", deep(2))) is None, "another process starts"


async def test_it_has_the_time_of_its_attempt(checks: Checks) -> None:
    failed = await check(checks, attempt("expr", FOR_EVER, timeout_seconds=0.5))
    assert failed is not None
    assert "more than 0.5 seconds" in failed.failure.message


async def test_what_cannot_be_sent_is_left_to_the_worker(checks: Checks) -> None:
    running = attempt("unsendable", {"e": {"n": 1}})
    assert await check(checks, running) is None
    assert running.arguments is None


@pytest.mark.parametrize("cause", [StopReason.CANCEL, StopReason.RELEASE])
async def test_an_interruption_ends_it_and_what_waits(checks: Checks, cause: StopReason) -> None:
    assert await check(checks, attempt("expr", deep(1))) is None
    first, waiting = attempt("expr", FOR_EVER), attempt("expr", FOR_EVER)
    both = asyncio.gather(checks.run(first), checks.run(waiting))
    await asyncio.sleep(0.2)
    for one in (first, waiting):
        one.interrupt(cause)
    async with asyncio.timeout(1):
        assert await both == [None, None]
    assert first.arguments is None
    assert await check(checks, attempt("expr", deep(1))) is None


async def test_a_process_that_does_not_start_is_not_the_payloads_fault() -> None:
    for module, error in (("no.such.module", "ProcessNotStarted"), ("tests", "HandlerMissing")):
        checks = Checks(Settings(handlers=(module,)))
        failed = await check(checks, attempt("expr", deep(1)))
        checks.close()
        assert failed is not None
        assert failed.failure.type == error
        assert not failed.failure.fatal


async def test_an_idle_process_that_somebody_kills_is_not_asked(checks: Checks) -> None:
    assert await check(checks, attempt("expr", deep(1))) is None
    [idle] = checks._idle
    idle.kill()
    await until(lambda: not idle.is_alive)
    assert await check(checks, attempt("expr", deep(1))) is None
