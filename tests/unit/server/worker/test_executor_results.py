"""Results and errors that no database and no JSON reader would take."""

import asyncio
import json
import math
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from taskq_server.domain.task import Outcome, Status
from taskq_server.worker.attempts.running import printable
from tests.unit.server.worker.attempts import LIMITS, run


class Report(BaseModel):
    month: date
    rows: list[int]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, "null"),
        ({"a": [1, 2.5, True, None]}, '{"a":[1,2.5,true,null]}'),
        ("☃ \0 \n", '"☃ \\u0000 \\n"'),
        (Report(month=date(2026, 10, 1), rows=[1]), '{"month":"2026-10-01","rows":[1]}'),
        ([Report(month=date(2026, 10, 1), rows=[])], '[{"month":"2026-10-01","rows":[]}]'),
        (datetime(2026, 10, 5, tzinfo=UTC), '"2026-10-05T00:00:00Z"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ((1, 2), "[1,2]"),
        (Decimal("1.5"), '"1.5"'),
        ({1: "a"}, '{"1":"a"}'),
    ],
)
async def test_a_result_is_stored_as_json(value: Any, stored: str) -> None:
    async def handler() -> Any:
        return value

    ended = await run(handler)
    assert ended.attempt.result == stored
    assert ended.task.status is Status.SUCCEEDED


def circle() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def deep() -> list[Any]:
    items: list[Any] = []
    for _ in range(100_000):
        items = [items]
    return items


def broken() -> Iterator[int]:
    yield 1
    raise LookupError("in the middle")


BAD: dict[str, Any] = {
    "nan": math.nan,
    "infinity": [math.inf],
    "no json": object(),
    "a type": int,
    "a circle": circle(),
    "a lone surrogate": "\ud800",
    "a lone surrogate in a key": {"\udfff": 1},
    "bytes": b"\xff\xfe",
    "a number of ten thousand digits": 10**10_000,
    "too deep": deep(),
    "too large": "x" * LIMITS.result_bytes,
    "too large in bytes": "☃" * (LIMITS.result_bytes // 3),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_result_that_cannot_be_stored_fails_the_task_for_good(name: str) -> None:
    async def handler() -> Any:
        return BAD[name]

    ended = await run(handler)
    assert (ended.task.status, ended.task.current_retry_count) == (Status.FAILED, 0)
    assert (ended.attempt.outcome, ended.attempt.error_type) == (Outcome.FAILED, "InvalidResult")
    assert ended.attempt.result is None
    (ended.attempt.error_message or "").encode()


async def test_a_result_that_breaks_while_it_is_written_fails_the_task() -> None:
    async def handler() -> Any:
        return broken()

    ended = await run(handler)
    assert ended.task.status is Status.FAILED
    assert ended.attempt.error_type == "InvalidResult"


async def test_a_result_may_be_as_large_as_the_limit() -> None:
    async def handler() -> str:
        return "x" * (LIMITS.result_bytes - 2)

    assert (await run(handler)).task.status is Status.SUCCEEDED


async def leave() -> None:
    sys.exit(3)


def leave_in_thread() -> None:
    sys.exit(3)


async def interrupt() -> None:
    raise KeyboardInterrupt


def interrupt_in_thread() -> None:
    raise KeyboardInterrupt


def stop() -> None:
    raise StopIteration


async def cancel_itself() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (leave, "SystemExit"),
        (leave_in_thread, "SystemExit"),
        (interrupt, "KeyboardInterrupt"),
        (interrupt_in_thread, "KeyboardInterrupt"),
        (stop, "StopIteration"),
        (cancel_itself, "cancelled itself"),
    ],
)
async def test_a_handler_that_wants_to_end_the_process_fails(function: Any, what: str) -> None:
    async with asyncio.timeout(60):
        ended = await run(function)
    assert ended.task.status is Status.RETRYING
    assert what in (ended.attempt.error_message or "")


ENDS = [leave, leave_in_thread, interrupt, interrupt_in_thread, cancel_itself]


@pytest.mark.parametrize("function", ENDS)
@pytest.mark.parametrize("retry_on", [(), (ConnectionError,)])
async def test_an_exit_is_worth_a_retry_whatever_retry_on_says(
    function: Any, retry_on: tuple[type[Exception], ...]
) -> None:
    assert (await run(function, retry_on=retry_on)).task.status is Status.RETRYING


@pytest.mark.parametrize(
    ("retry_on", "status"),
    [
        ((StopIteration,), Status.RETRYING),
        ((RuntimeError,), Status.FAILED),
        ((), Status.FAILED),
    ],
)
async def test_an_error_that_no_future_can_hold_is_the_one_that_retry_on_names(
    retry_on: tuple[type[Exception], ...], status: Status
) -> None:
    ended = await run(stop, retry_on=retry_on)
    assert (ended.task.status, ended.attempt.error_type) == (status, "StopIteration")


@pytest.mark.parametrize("function", [leave, leave_in_thread])
async def test_an_exit_is_told_with_its_status(function: Any) -> None:
    attempt = (await run(function)).attempt
    assert (attempt.error_type, attempt.error_message) == (
        "SystemExit",
        "the handler raised SystemExit",
    )
    assert (attempt.traceback or "").endswith("\nSystemExit: 3\n")


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Strange(BaseException):
    pass


async def test_an_error_that_cannot_be_printed_is_an_error_all_the_same() -> None:
    async def handler() -> None:
        raise Silent

    ended = await run(handler)
    assert (ended.task.status, ended.attempt.error_type) == (Status.RETRYING, "Silent")
    assert ended.attempt.error_message


async def test_an_error_that_is_no_exception_fails_the_attempt() -> None:
    async def handler() -> None:
        raise Strange("odd")

    ended = await run(handler)
    assert (ended.attempt.error_type, ended.attempt.error_message) == ("Strange", "odd")


@pytest.mark.parametrize("text", ["a\0b", "lone \ud800", "☃" * 100_000, "x" * 100_000, ""])
async def test_messages_and_tracebacks_can_be_stored_whatever_they_say(text: str) -> None:
    async def handler() -> None:
        raise ValueError(text)

    attempt = (await run(handler)).attempt
    assert attempt.error_message is not None
    assert attempt.traceback is not None
    for told, most in ((attempt.error_message, 8_192), (attempt.traceback, LIMITS.traceback_bytes)):
        assert "\0" not in told
        assert len(told.encode("utf-8")) <= most
        assert json.loads(json.dumps(told)) == told


async def test_of_a_long_traceback_the_end_is_kept() -> None:
    def again(depth: int) -> None:
        if depth:
            again(depth - 1)
        raise ValueError("at the bottom")

    async def handler() -> None:
        again(50)

    traceback = (await run(handler)).attempt.traceback
    assert traceback is not None
    assert traceback.rstrip().endswith("ValueError: at the bottom")
    assert len(traceback.encode()) <= LIMITS.traceback_bytes


@pytest.mark.parametrize("most", [10, 11, 12, 13])
def test_printable_text_is_cut_between_characters(most: int) -> None:
    cut = printable("☃" * 10, most)
    assert len(cut.encode()) <= most
    assert cut.lstrip("☃") == "…"
    assert printable("☃", most) == "☃"
