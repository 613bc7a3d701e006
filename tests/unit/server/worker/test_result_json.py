"""Where results are written: small plain ones at once, others in a thread, within their time."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, Field, model_serializer

from taskq_server.domain.task import Outcome, Status
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.result import Cancelled, Succeeded
from taskq_server.worker.attempts.result_json import is_small
from taskq_server.worker.attempts.running import StopReason
from tests.support.lazy_results import ENDLESS
from tests.unit.server.worker.attempts import LIMITS, attempt_of, handler_of, run


class Text(str):
    """Has code of its own."""

    __slots__ = ()


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "small"),
    [
        *((one, True) for one in (None, True, 7, 1.5, "text", [], {}, {"a": [1, {"b": None}]})),
        *((one, False) for one in (Text("a"), Colour.RED, (1,), [Text("a")], {Text("a"): 1})),
        *((one, False) for one in (OrderedDict(a=1), b"a", {1, 2}, iter([]), {"a": object()})),
        *(
            (one, False)
            for one in ("x" * 20_000, [0] * 20_000, {"x" * 20_000: 1}, [["x" * 9] * 2_000, []])
        ),
    ],
)
def test_small_is_what_no_code_but_pythons_own_writes(value: Any, small: bool) -> None:
    assert is_small(value) is small


def test_what_is_large_by_repetition_is_not_small() -> None:
    value: list[Any] = [0] * 10_000
    for _ in range(4):
        value = [value] * 10_000
    assert not is_small(value)


async def test_a_small_plain_result_needs_no_thread() -> None:
    async def handler() -> Any:
        return {"rows": 3, "names": ["a", "b"]}

    before = threading.active_count()
    assert (await run(handler)).attempt.result == '{"rows":3,"names":["a","b"]}'
    assert threading.active_count() == before


class Waits(BaseModel):
    """Is written once the event loop, which goes on meanwhile, says so."""

    go: Any = Field(exclude=True)

    @model_serializer
    def write(self) -> str:
        return "written" if self.go.wait(60) else "the event loop stood still"


@pytest.mark.parametrize("in_thread", [False, True])
async def test_the_event_loop_goes_on_while_a_result_is_written(in_thread: bool) -> None:
    go = threading.Event()

    def plain() -> Any:
        return [Waits(go=go)]

    async def handler() -> Any:
        return plain()

    asyncio.get_running_loop().call_later(0.05, go.set)
    assert (await run(plain if in_thread else handler)).attempt.result == '["written"]'


def never(going: threading.Event) -> Iterator[int]:
    going.set()
    while True:
        time.sleep(0.01)
        yield 1


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("cause", [StopReason.TIMEOUT, StopReason.CANCEL])
async def test_a_result_that_goes_on_is_left_when_its_attempt_is(
    in_thread: bool, cause: StopReason
) -> None:
    going = threading.Event()

    def plain() -> Any:
        return never(going)

    async def handler() -> Any:
        return plain()

    executor = Executor(1, LIMITS)
    attempt = attempt_of(timeout_seconds=0.1 if cause is StopReason.TIMEOUT else 60)
    running = asyncio.create_task(
        executor.run(handler_of(plain if in_thread else handler), attempt)
    )
    assert await asyncio.to_thread(going.wait, 5)
    if cause is StopReason.CANCEL:
        attempt.interrupt(cause)
    run_result = await asyncio.wait_for(running, 60)
    assert attempt.cause is cause
    assert isinstance(run_result, Cancelled) is (cause is StopReason.CANCEL)
    assert not executor.stuck.is_set(), "no thread was left behind"
    executor.close()


async def test_a_result_that_is_nearly_written_when_its_worker_stops_is_kept() -> None:
    go = threading.Event()

    async def handler() -> Any:
        return Waits(go=go)

    executor = Executor(1, LIMITS)
    attempt = attempt_of()
    running = asyncio.create_task(executor.run(handler_of(handler), attempt))
    await asyncio.sleep(0.05)
    attempt.interrupt(StopReason.RELEASE)
    await asyncio.sleep(0.05)
    go.set()
    assert await asyncio.wait_for(running, 60) == Succeeded('"written"', 9)
    executor.close()


@pytest.mark.parametrize("kind", ENDLESS)
async def test_what_has_no_end_is_no_result(kind: str) -> None:
    async def handler() -> Any:
        return ENDLESS[kind]()

    ended = await asyncio.wait_for(run(handler, timeout_seconds=60), 60)
    assert (ended.task.status, ended.attempt.outcome) == (Status.FAILED, Outcome.FAILED)
    assert ended.attempt.error_type == "InvalidResult"
    assert "bytes of JSON that are allowed" in (ended.attempt.error_message or "")


async def test_what_a_model_leaves_out_is_not_counted() -> None:
    async def handler() -> Any:
        return [Waits(go=done), {"a": Kept(much="x" * 2 * LIMITS.result_bytes)}]

    class Kept(BaseModel):
        much: str = Field(exclude=True)

    done = threading.Event()
    done.set()
    assert (await run(handler)).attempt.result == '["written",{"a":{}}]'
