"""Revision 0008: rows of workers may be long, and go down again."""

from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core.database import Database
from tests.migration.tables import insert

LONG = "x" * 70_000


async def test_a_worker_with_many_handlers_does_not_hold_up_the_way_back(
    database_url: str,
) -> None:
    database = Database(database_url)
    await migrations.upgrade(database, "0008")
    await insert(database, "workers", id=f"{1:032x}", name="many", handlers=LONG, queues="[]")
    await insert(database, "workers", id=f"{2:032x}", name="few", handlers="[]", queues="[]")
    having = await migrations.current(database)
    await migrations.downgrade(database, "-1")
    assert await migrations.current(database) != having
    async with database.engine.connect() as connection:
        names = (await connection.execute(text("SELECT name FROM workers"))).scalars().all()
    assert "few" in names
    await migrations.upgrade(database)
    assert await migrations.differences(database) == []
    await database.close()
