"""Attempts that were claimed before there was a slot for them, on a real database."""

import asyncio
from typing import Self

import pytest

from taskq_server.domain.task import Status
from taskq_server.worker.attempts.running import Cause
from taskq_server.worker.attempts.slots import Slots
from tests.unit.server.factories import stored
from tests.unit.server.worker.attempts import settle, until
from tests.unit.server.worker.stage import Stage


async def test_what_is_claimed_ahead_waits_for_its_turn(stage: Stage) -> None:
    going: list[int] = []
    most = 0

    async def nap(number: int) -> None:
        nonlocal most
        going.append(number)
        most = max(most, len(going))
        await settle()
        going.remove(number)

    stage.handlers["nap"] = nap
    stage.slots = Slots(2)
    runner = stage.runner()
    waiting = [await stage.put("nap", {"number": number}) for number in range(8)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(runner.run(task.id, 1) for task in waiting))
    assert most == 2
    assert {end.task.status for end in stage.ended} == {Status.SUCCEEDED}
    assert len(stage.ended) == 8


class Full:
    """A runner whose only slot is taken."""

    def __init__(self, stage: Stage, patience: float) -> None:
        self.stage = stage
        self.started: list[int] = []
        self._end = asyncio.Event()
        stage.handlers["hold"] = self._hold
        stage.slots = Slots(1, patience)
        self.runner = stage.runner()

    async def __aenter__(self) -> Self:
        first = await self.stage.put("hold", {"number": 0})
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
async def test_what_finds_no_slot_goes_back_as_it_was(stage: Stage, lost: int) -> None:
    async with Full(stage, patience=0.05) as full, asyncio.timeout(60):
        second = await stage.put("hold", {"number": 1}, lost_count=lost)
        await full.runner.run(second.id, 1)
    back = await stored(stage.runtime.database, second.id)
    assert (back.status, back.attempt, back.current_retry_count) == (Status.QUEUED, 1, 0)
    assert back.lost_count == lost


@pytest.mark.parametrize("cause", [Cause.CANCEL, Cause.RELEASE])
async def test_an_attempt_without_a_slot_can_be_interrupted(stage: Stage, cause: Cause) -> None:
    async with Full(stage, patience=60) as full, asyncio.timeout(60):
        second = await stage.put("hold", {"number": 1})
        waiting = asyncio.create_task(full.runner.run(second.id, 1))
        while (await stored(stage.runtime.database, second.id)).status is not Status.RUNNING:
            await settle()
        if cause is Cause.CANCEL:
            await stage.runtime.tasks.cancel(second.id)
            while not waiting.done():  # the claim's answer may still be on its way
                full.runner.cancel(second.id)
                await settle()
        else:
            full.runner.interrupt_all(cause)
        await waiting
    after = await stored(stage.runtime.database, second.id)
    assert after.status is (Status.CANCELLED if cause is Cause.CANCEL else Status.QUEUED)
