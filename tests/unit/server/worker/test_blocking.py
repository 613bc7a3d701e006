"""Who blocks the event loop is named while it does, with where it stands."""

import asyncio
import logging
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from taskq_server.services.task_log import about_task
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.liveness.blocking import BlockingWatch
from tests.support.log_lines import json_lines
from tests.unit.server.worker.attempts import LIMITS, attempt_of, handler_of

HERE = Path(__file__).name


def crunch() -> None:
    time.sleep(1.0)


async def blocking() -> None:
    crunch()


async def blocking_in_a_task() -> None:
    await asyncio.create_task(blocking())


async def waiting() -> None:
    await asyncio.sleep(1.5)


def in_a_thread() -> None:
    time.sleep(1.5)


async def told(function: Any) -> list[dict[str, Any]]:
    """The lines that tell of a handler while it runs, and once the loop goes on."""
    executor = Executor(1, LIMITS)
    running = attempt_of(handler="reports.build")
    try:
        with (
            json_lines("taskq.server.worker", logging.WARNING) as lines,
            BlockingWatch(executor),
            about_task(running.task),
        ):
            await asyncio.sleep(0.5)
            await executor.run(handler_of(function), running)
            await asyncio.sleep(1)
            return lines()
    finally:
        executor.close()


async def test_a_handler_that_blocks_for_a_second_is_named_with_where_it_stands() -> None:
    first, last = await told(blocking)
    assert first["event"].startswith("the handler reports.build blocks the event loop, for ")
    assert (first["level"], first["handler"]) == ("warning", "reports.build")
    assert first["task_id"]
    assert HERE in first["where"][0]
    assert first["where"][0].endswith(" in crunch")
    assert first["where"][1].endswith(" in blocking")
    assert first["where"][0] in first["event"]
    assert last["event"].startswith("the event loop goes on, after ")


async def test_a_task_that_a_handler_has_started_is_named_as_well() -> None:
    first, _ = await told(blocking_in_a_task)
    assert first["where"][0].endswith(" in crunch")
    if sys.version_info >= (3, 12):  # earlier, a task does not tell its context
        assert first["handler"] == "reports.build"
    else:
        assert first["event"].startswith("something that runs beside reports.build blocks")


@pytest.mark.parametrize("function", [waiting, in_a_thread])
async def test_a_handler_that_only_takes_long_is_not_told(function: Any) -> None:
    assert await told(function) == []
