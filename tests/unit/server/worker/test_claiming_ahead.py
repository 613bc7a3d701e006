"""Attempts that were claimed before there was a slot for them, on a real database."""

import asyncio
from typing import Self

import pytest

from taskq_server.domain.task import Status
from taskq_server.worker.attempts.running import StopReason
from taskq_server.worker.attempts.slots import Slots
from tests.support.callers import CALLER
from tests.unit.server.factories import stored
from tests.unit.server.worker.attempts import settle, until
from tests.unit.server.worker.harness import RunnerHarness


async def test_what_is_claimed_ahead_waits_for_its_turn(harness: RunnerHarness) -> None:
    going: list[int] = []
    most = 0

    async def nap(number: int) -> None:
        nonlocal most
        going.append(number)
        most = max(most, len(going))
        await settle()
        going.remove(number)

    harness.handlers["nap"] = nap
    harness.slots = Slots(2)
    runner = harness.runner()
    waiting = [await harness.put("nap", {"number": number}) for number in range(8)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(runner.run(task.id, 1) for task in waiting))
    assert most == 2
    assert {end.task.status for end in harness.ended} == {Status.SUCCEEDED}
    assert len(harness.ended) == 8


class Full:
    """A runner whose only slot is taken."""

    def __init__(self, harness: RunnerHarness, patience: float) -> None:
        self.harness = harness
        self.started: list[int] = []
        self._end = asyncio.Event()
        harness.handlers["hold"] = self._hold
        harness.slots = Slots(1, patience)
        self.runner = harness.runner()

    async def __aenter__(self) -> Self:
        first = await self.harness.put("hold", {"number": 0})
        self._first = asyncio.create_task(self.runner.run(first.id, 1))
        await until(lambda: bool(self.started))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end.set()
        await self._first
        assert self.started == [0]

    async def _hold(self, number: int) -> None:
        self.started.append(number)
        await self._end.wait()


@pytest.mark.parametrize("lost", [0, 1])
async def test_what_finds_no_slot_goes_back_as_it_was(harness: RunnerHarness, lost: int) -> None:
    async with Full(harness, patience=0.05) as full, asyncio.timeout(60):
        second = await harness.put("hold", {"number": 1}, lost_count=lost)
        await full.runner.run(second.id, 1)
    back = await stored(harness.runtime.database, second.id)
    assert (back.status, back.attempt, back.current_retry_count) == (Status.QUEUED, 1, 0)
    assert back.lost_count == lost


@pytest.mark.parametrize("cause", [StopReason.CANCEL, StopReason.RELEASE])
async def test_an_attempt_without_a_slot_can_be_interrupted(
    harness: RunnerHarness, cause: StopReason
) -> None:
    async with Full(harness, patience=60) as full, asyncio.timeout(60):
        second = await harness.put("hold", {"number": 1})
        waiting = asyncio.create_task(full.runner.run(second.id, 1))
        while (await stored(harness.runtime.database, second.id)).status is not Status.RUNNING:
            await settle()
        if cause is StopReason.CANCEL:
            await harness.runtime.change.cancel(CALLER, second.id)
            while not waiting.done():  # the claim's answer may still be on its way
                full.runner.cancel(second.id)
                await settle()
        else:
            full.runner.interrupt_all(cause)
        await waiting
    after = await stored(harness.runtime.database, second.id)
    assert after.status is (Status.CANCELLED if cause is StopReason.CANCEL else Status.QUEUED)
