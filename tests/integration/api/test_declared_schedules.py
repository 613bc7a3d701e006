"""Declared schedules while workers race, on both databases."""

import asyncio
import random
from collections.abc import Sequence
from uuid import UUID

import pytest

from taskq_server.core.database import Connection
from taskq_server.crud import declarations
from taskq_server.domain.declarations import Declaration
from taskq_server.runtime import Runtime
from taskq_server.services.declaring import Declaring
from tests.support.declaring import A, B, C, Fleet

RELEASES: Sequence[Declaration | None] = (None, A, B, C)


async def latest(runtime: Runtime) -> Declaration | None:
    """What was published last for the first time."""
    known = await runtime.database.read(lambda c: declarations.known(c, ["h"], None))
    last = max(known, key=lambda one: one.first_published_at)
    return None if last.text is None else Declaration.read(last.text)


async def test_workers_that_start_at_once_agree(runtime: Runtime) -> None:
    fleet = Fleet(runtime)
    starts = [fleet.start(release) for release in (*RELEASES, *RELEASES[::-1]) * 2]
    await asyncio.gather(*starts, *(fleet.janitor.sweep() for _ in range(4)))
    assert await fleet.in_force() == await latest(runtime)
    before = await fleet.schedule()
    await asyncio.gather(*(fleet.start(release) for release in RELEASES))
    await fleet.sweep()
    assert await fleet.schedule() == before


@pytest.mark.parametrize("seed", range(4))
async def test_over_a_random_history_the_newest_that_lives_is_in_force(
    runtime: Runtime, seed: int
) -> None:
    chance = random.Random(seed)
    fleet = Fleet(runtime)
    live: list[tuple[UUID, Declaration | None]] = []
    said: list[Declaration | None] = []
    expected: Declaration | None = None
    for _ in range(25):
        if live and chance.random() < 0.5:
            worker_id, _ = live.pop(chance.randrange(len(live)))
            await fleet.end(worker_id)
        else:
            release = chance.choice(RELEASES)
            live.append((await fleet.start(release), release))
            if release not in said:
                said.append(release)
                assert await fleet.in_force() == release, "at its first start"
        lives = {release for _, release in live}
        expected = next((one for one in reversed(said) if one in lives), expected)
        await fleet.sweep()
        assert await fleet.in_force() == expected


async def test_a_worker_that_publishes_while_a_janitor_judges_has_the_last_word(
    runtime: Runtime,
) -> None:
    fleet = Fleet(runtime)
    await fleet.start(A)
    await fleet.end(await fleet.start(B))
    judged, may_commit = asyncio.Event(), asyncio.Event()

    async def judge(connection: Connection) -> None:
        declaring = Declaring(runtime.clock)
        await declaring.judge(connection, [("default", "h")], may_go_back=True)
        judged.set()
        await may_commit.wait()

    janitor = asyncio.create_task(runtime.database.write(judge))
    await judged.wait()
    starting = asyncio.create_task(fleet.start(B))
    await asyncio.wait([starting], timeout=1)  # it would be done if it did not wait for the other
    may_commit.set()
    await asyncio.gather(janitor, starting)
    assert await fleet.in_force() == B
