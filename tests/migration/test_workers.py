"""Revision 0008: rows of workers may be long, and go down again."""

from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core.database import Database

LONG = "x" * 70_000
INSERT = (  # the columns of that revision
    "INSERT INTO workers (id, name, queues, handlers, concurrency, started_at, heartbeat_at,"
    " lease_until) VALUES (:id, :name, '[]', :handlers, 0, '2026-01-01 00:00:00',"
    " '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
)


async def test_a_worker_with_many_handlers_does_not_hold_up_the_way_back(
    database_url: str,
) -> None:
    database = Database(database_url)
    await migrations.upgrade(database, "0008")
    for number, (name, handlers) in enumerate([("many", LONG), ("few", "[]")]):
        statement = text(INSERT)
        async with database.engine.begin() as connection:
            values = {"id": f"{number:032x}", "name": name, "handlers": handlers}
            await connection.execute(statement, values)
    having = await migrations.current(database)
    await migrations.downgrade(database, "-1")
    assert await migrations.current(database) != having
    async with database.engine.connect() as connection:
        names = (await connection.execute(text("SELECT name FROM workers"))).scalars().all()
    assert "few" in names
    await migrations.upgrade(database)
    assert await migrations.differences(database) == []
    await database.close()
