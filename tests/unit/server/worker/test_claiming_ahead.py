"""Attempts that were claimed before there was a slot for them, on a real database."""

import asyncio

import pytest

from taskq_server.domain.task import Status
from taskq_server.worker.running import Cause
from taskq_server.worker.slots import Slots
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
    async with asyncio.timeout(10):
        await asyncio.gather(*(runner.run(task.id, 1) for task in waiting))
    assert most == 2
    assert {end.task.status for end in stage.ended} == {Status.SUCCEEDED}
    assert len(stage.ended) == 8


@pytest.mark.parametrize("lost", [0, 1])
async def test_what_finds_no_slot_goes_back_as_it_was(stage: Stage, lost: int) -> None:
    go_on = asyncio.Event()
    started: list[int] = []

    async def hold(number: int) -> None:
        started.append(number)
        await go_on.wait()

    stage.handlers["hold"] = hold
    stage.slots = Slots(1, patience=0.05)
    runner = stage.runner()
    first = await stage.put("hold", {"number": 0})
    second = await stage.put("hold", {"number": 1}, lost_count=lost)
    holding = asyncio.create_task(runner.run(first.id, 1))
    await until(lambda: bool(started))
    async with asyncio.timeout(10):
        await runner.run(second.id, 1)
    back = await stored(stage.runtime.database, second.id)
    assert (back.status, back.attempt, back.current_retry_count) == (Status.QUEUED, 1, 0)
    assert back.lost_count == lost
    go_on.set()
    await holding
    assert started == [0]


@pytest.mark.parametrize("cause", [Cause.CANCEL, Cause.RELEASE])
async def test_an_attempt_without_a_slot_can_be_interrupted(stage: Stage, cause: Cause) -> None:
    go_on = asyncio.Event()
    started: list[int] = []

    async def hold(number: int) -> None:
        started.append(number)
        await go_on.wait()

    stage.handlers["hold"] = hold
    stage.slots = Slots(1, patience=60)
    runner = stage.runner()
    first, second = [await stage.put("hold", {"number": number}) for number in range(2)]
    holding = asyncio.create_task(runner.run(first.id, 1))
    await until(lambda: bool(started))
    waiting = asyncio.create_task(runner.run(second.id, 1))
    while (await stored(stage.runtime.database, second.id)).status is not Status.RUNNING:
        await settle()
    await settle()
    if cause is Cause.CANCEL:
        await stage.runtime.tasks.cancel(second.id)
        runner.cancel(second.id)
    else:
        runner.interrupt_all(cause)
    async with asyncio.timeout(10):
        await waiting
    after = await stored(stage.runtime.database, second.id)
    assert after.status is (Status.CANCELLED if cause is Cause.CANCEL else Status.QUEUED)
    go_on.set()
    await holding
    assert started == [0]
