"""A move of the schema that is killed at any of its statements, and run again, or turned around."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from taskq_server import migrations
from taskq_server.core.database import Database
from tests.migration.tables import Snapshot, insert_rows, snapshot
from tests.support.interruptions import killed

HISTORY = list(ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions())[::-1]
REVISIONS = ["base", *[revision.revision for revision in HISTORY]]
STEPS = list(itertools.pairwise(REVISIONS))


class Step:
    """One revision, in a database with rows: how it is without it, and with it."""

    def __init__(self, url: str, database: Database, below: str, revision: str) -> None:
        self.url = url
        self.database = database
        self.below = below
        self.revision = revision
        self.without: Snapshot = {}
        self.having: Snapshot = {}

    async def prepare(self) -> None:
        if self.below != "base":
            await migrations.upgrade(self.database, REVISIONS[1])
            await insert_rows(self.database)
        await self.up()
        self.having = await snapshot(self.database)
        await self.down()
        self.without = await snapshot(self.database)

    async def up(self) -> None:
        await migrations.upgrade(self.database, self.revision)

    async def down(self) -> None:
        await migrations.downgrade(self.database, self.below)

    async def is_there(self) -> bool:
        return await snapshot(self.database) == self.having

    async def is_gone(self) -> bool:
        return await snapshot(self.database) == self.without


@pytest.fixture(params=STEPS, ids=REVISIONS[1:])
async def step(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Step]:
    database = Database(database_url)
    step = Step(database_url, database, *request.param)
    await step.prepare()
    yield step
    await database.close()


async def test_a_step_that_is_killed_anywhere_is_finished_when_it_is_run_again(step: Step) -> None:
    for point in itertools.count(1):
        killed_up = killed(step.url, "upgrade", step.revision, point)
        await step.up()
        assert await step.is_there(), point
        killed_down = killed(step.url, "downgrade", step.below, point)
        await step.down()
        assert await step.is_gone(), point
        if not (killed_up or killed_down):
            break
    assert point > 3


async def test_a_step_that_is_killed_anywhere_is_undone_on_the_way_back(step: Step) -> None:
    for point in itertools.count(1):
        interrupted = killed(step.url, "upgrade", step.revision, point)
        await step.down()
        assert await step.is_gone(), point
        if not interrupted:
            break
    await step.up()
    for point in itertools.count(1):
        interrupted = killed(step.url, "downgrade", step.below, point)
        await step.up()
        assert await step.is_there(), point
        if not interrupted:
            break
    assert point > 3


async def test_an_upgrade_to_the_recorded_revision_removes_what_is_above(step: Step) -> None:
    assert killed(step.url, "upgrade", step.revision, 3)
    await migrations.upgrade(step.database, step.below)
    assert await step.is_gone()
