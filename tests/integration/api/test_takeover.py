"""Workers that vanish: who notices it, how soon, and who is spared."""

import asyncio
from collections.abc import Sequence

import pytest

from taskq_server.domain.task import Status
from taskq_server.runtime import Runtime
from tests.integration.api.beating import BEAT, LEASE, Beating, Worker
from tests.unit.server.factories import running, store, stored


@pytest.fixture
def beating(runtime: Runtime) -> Beating:
    return Beating(runtime)


async def give_tasks(runtime: Runtime, workers: Sequence[Worker]) -> dict[Worker, object]:
    tasks = {worker: running(worker_id=worker.id) for worker in workers}
    await store(runtime.database, *tasks.values())
    return {worker: task.id for worker, task in tasks.items()}


@pytest.mark.parametrize("number", [2, 10])
@pytest.mark.parametrize("is_holder", [True, False])
async def test_tasks_of_one_that_vanished_are_rescued_after_a_lease_and_two_seconds_at_most(
    runtime: Runtime, beating: Beating, number: int, is_holder: bool
) -> None:
    workers = await beating.start(number)
    ids = await give_tasks(runtime, workers)
    await beating.passes(2 * LEASE)
    assert await beating.rescued() == []
    holder = beating.holder()
    victim = holder if is_holder else next(one for one in workers if one is not holder)
    await victim.beat()
    beating.kill(victim)
    took = await beating.passes(2 * LEASE, rescued=1)
    assert LEASE <= took <= LEASE + 2
    await beating.passes(2 * LEASE)
    assert await beating.rescued() == [ids[victim]], "the others are spared"
    assert not any(one.lost for one in beating.workers)
    await victim.beat()
    assert victim.lost


async def test_one_that_vanished_with_the_one_that_watches_is_rescued_three_beats_later_at_most(
    runtime: Runtime, beating: Beating
) -> None:
    workers = await beating.start(5)
    ids = await give_tasks(runtime, workers)
    await beating.passes(LEASE)
    holder = beating.holder()
    other = next(one for one in workers if one is not holder)
    beating.kill(holder, other)
    took = await beating.passes(3 * LEASE, rescued=2)
    assert took <= LEASE + 4 * BEAT
    assert set(await beating.rescued()) == {ids[holder], ids[other]}


async def test_after_a_restart_of_all_rescue_takes_two_leases_at_most(
    runtime: Runtime, beating: Beating
) -> None:
    workers = await beating.start(4)
    ids = await give_tasks(runtime, workers)
    await beating.passes(LEASE)
    beating.kill(*workers)
    await beating.start(3)
    took = await beating.passes(3 * LEASE, rescued=4)
    assert LEASE <= took <= 2 * LEASE
    assert set(await beating.rescued()) == set(ids.values())


async def test_what_a_worker_gave_back_others_take_at_their_next_beat(beating: Beating) -> None:
    await beating.start(3)
    await beating.passes(LEASE)
    holder = beating.holder()
    beating.kill(holder)
    await holder.stop()
    await beating.passes(BEAT)
    assert beating.holder() is not holder


async def test_two_that_rescue_at_once_rescue_each_task_once(
    runtime: Runtime, beating: Beating
) -> None:
    one, two, victim = await beating.start(3)
    ids = await give_tasks(runtime, [victim] * 1)
    beating.kill(victim)
    for _ in range(10):
        beating.now += 1
        for each in (one, two):
            await each.beat()
            await each.vanished.sweep()
    beating.now += 1
    await asyncio.gather(one.vanished.sweep(), two.vanished.sweep())
    assert await beating.rescued() == [ids[victim]]


async def test_one_that_dies_before_it_has_rescued_leaves_it_to_the_next(
    runtime: Runtime, beating: Beating
) -> None:
    workers = await beating.start(3)
    ids = await give_tasks(runtime, workers)
    await beating.passes(LEASE)
    holder = beating.holder()
    victim = next(one for one in workers if one is not holder)
    beating.kill(victim, holder)
    counted = await holder.maintenance.beats()
    await holder.maintenance.mark_lost({victim.id: counted[victim.id]})
    await beating.passes(2 * LEASE, rescued=2)
    assert set(await beating.rescued()) == {ids[victim], ids[holder]}


async def test_one_that_was_frozen_takes_nothing_away(runtime: Runtime, beating: Beating) -> None:
    workers = await beating.start(3)
    await give_tasks(runtime, workers)
    await beating.passes(LEASE)
    frozen = beating.holder()
    beating.workers.remove(frozen)
    await beating.passes(LEASE / 2)
    beating.workers.append(frozen)
    for _ in range(3):
        await frozen.sweep()
    await beating.passes(2 * LEASE)
    assert await beating.rescued() == []


async def test_after_all_stood_still_together_nobody_is_lost(
    runtime: Runtime, beating: Beating
) -> None:
    """As when the database hung, or the machine of all slept."""
    workers = await beating.start(3)
    ids = await give_tasks(runtime, workers)
    await beating.passes(LEASE)
    beating.now += 5 * LEASE
    for one in workers:
        await one.sweep()
    await beating.passes(2 * LEASE)
    assert await beating.rescued() == []
    assert not any(one.lost for one in workers)
    (first, *_) = ids.values()
    assert (await stored(runtime.database, first)).status is Status.RUNNING  # type: ignore[arg-type]
