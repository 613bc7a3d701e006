"""What lines are about: the work that is under way, and nothing of anybody else's."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

import pytest

from taskq_server.core.background import background
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.log_context import About, apart, fields
from taskq_server.domain.errors import DatabaseUnavailable
from tests.support.log_lines import Lines, json_lines

LOG = logging.getLogger("taskq.test_log_context")
SOMEBODYS: ContextVar[str] = ContextVar("somebodys", default="nobody's")


@pytest.fixture
def written() -> Iterator[Lines]:
    with json_lines(LOG.name) as lines:
        yield lines


def about(name: str) -> About:
    return About(lambda: {"request_id": name})


async def test_lines_of_a_block_have_its_fields_and_later_ones_have_not(written: Lines) -> None:
    async def below() -> None:
        LOG.info("below")
        await asyncio.to_thread(LOG.info, "in a thread")

    with about("a"):
        await asyncio.create_task(below())
        with about("b"):
            LOG.info("inside")
        LOG.info("own fields win", extra={"request_id": "own"})
    LOG.info("after")
    found = [(line["event"], line.get("request_id")) for line in written()]
    assert found == [
        ("below", "a"),
        ("in a thread", "a"),
        ("inside", "b"),
        ("own fields win", "own"),
        ("after", None),
    ]


def test_a_line_below_the_level_asks_for_no_fields() -> None:
    def never() -> dict[str, str]:
        raise AssertionError("asked for")

    LOG.setLevel(logging.INFO)
    with About(never):
        LOG.debug("not written")


@pytest.mark.parametrize("name", ["event", "logger", "level", "timestamp", "exception", "stack"])
def test_no_field_takes_the_place_of_what_every_line_has(written: Lines, name: str) -> None:
    LOG.warning("said", extra={name: "taken"})
    (line,) = written()
    assert (line["event"], line["level"], line[f"{name}_"]) == ("said", "warning", "taken")
    assert line["logger"] == LOG.name


async def test_a_batch_has_nothing_of_its_callers_and_says_how_many_they_are(
    written: Lines,
) -> None:
    seen: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def commit(items: Sequence[str]) -> Sequence[str | Exception]:
        begun.set()
        await go_on.wait()
        seen.append(SOMEBODYS.get())
        LOG.info("committing")
        return [ValueError(item) if item == "bad" else item for item in items]

    group = GroupCommit(commit, name="submits")

    async def call(caller: str, item: str) -> None:
        SOMEBODYS.set(caller)
        with about(caller):
            try:
                await group(item)
            except ValueError:
                LOG.error("mine failed")

    first = asyncio.create_task(call("a", "first"))
    await begun.wait()
    calls = [asyncio.create_task(call(caller, item)) for caller, item in (("b", "x"), ("c", "bad"))]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, *calls)
    assert seen == ["nobody's", "nobody's"]
    lines = [
        {name: line.get(name) for name in ("group", "items", "request_id")} for line in written()
    ]
    assert lines == [
        {"group": "submits", "items": 1, "request_id": None},
        {"group": "submits", "items": 2, "request_id": None},
        {"group": None, "items": None, "request_id": "c"},
    ]


async def test_a_batch_that_fails_is_told_without_what_the_error_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = asyncio.Event()

    async def commit(items: Sequence[str]) -> Sequence[str]:
        await gate.wait()
        if "PLANTED-SECRET" in items:
            raise ValueError("PLANTED-SECRET")
        return items

    group = GroupCommit(commit, name="submits")
    with caplog.at_level(logging.DEBUG, "taskq.server"):
        first = asyncio.create_task(group("x"))
        await asyncio.sleep(0)
        others = [asyncio.create_task(group(item)) for item in ("y", "PLANTED-SECRET")]
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert answers[:2] == ["x", "y"]
    assert isinstance(answers[2], ValueError)
    assert "a batch of 2 fails (ValueError)" in caplog.text
    assert "PLANTED-SECRET" not in caplog.text


async def test_what_goes_on_in_the_background_says_its_name(written: Lines) -> None:
    done = asyncio.Event()

    async def sweep() -> None:
        LOG.info("sweeping")
        done.set()
        await asyncio.Event().wait()

    with about("a request that was first"):
        async with background({"the sweep": sweep}):
            await done.wait()
    (line,) = written()
    assert line["group"] == "the sweep"
    assert "request_id" not in line


async def test_a_context_apart_has_nothing_of_the_caller() -> None:
    async def look() -> tuple[str, dict[str, str | int]]:
        return SOMEBODYS.get(), dict(fields())

    SOMEBODYS.set("mine")
    with about("mine"):
        found = await asyncio.create_task(look(), context=apart("a flush"))
    assert found == ("nobody's", {"group": "a flush"})


async def test_an_outage_fails_all_at_once_without_a_line_for_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def away(items: Sequence[int]) -> Sequence[int]:
        raise DatabaseUnavailable("the database does not answer")

    group = GroupCommit(away, name="reads")
    with caplog.at_level(logging.DEBUG, "taskq.server"):
        answers = await asyncio.gather(group(1), group(2), group(3), return_exceptions=True)
    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    assert caplog.records == []
